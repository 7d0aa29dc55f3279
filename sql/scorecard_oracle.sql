-- A scorecard against an oracle in plain SQL, and what must hold of any card:
-- random orders and relations with ties, gaps and refunds. No row may come out
-- of a query that begins with "missing" or "breaks".
\set SHOW_CONTEXT never
CREATE FUNCTION random_of(seed text, n int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(seed), 1, 7))::bit(28)::int % n) $$;
CREATE TABLE orders (customer_id int, day date, amount numeric);
INSERT INTO orders
SELECT c, date '2023-01-01' + random_of(c || 'd' || n, 30 + random_of('span' || c, 700)),
       CASE WHEN random_of(c || 'r' || n, 12) = 0 THEN -1 ELSE 1 END
       * CASE random_of(c || 'k' || n, 5) WHEN 0 THEN 0 WHEN 1 THEN 19.99 ELSE random_of(c || 'a' || n, 20000) / 100.0 END
  FROM generate_series(1, 2000) c, generate_series(1, 1 + random_of('o' || c, 6) * random_of('oo' || c, 4)) n;
CREATE TABLE surveys (customer_id int, answered date, nps smallint);
INSERT INTO surveys SELECT c, date '2023-03-01' + 100 * n + random_of(c || 's' || n, 90), nullif(random_of(c || 'n' || n, 12), 11)
  FROM generate_series(1, 2100) c, generate_series(0, random_of('answers' || c, 5)) n WHERE random_of('answered' || c, 3) > 0;
CREATE TABLE contracts (customer_id bigint, from_day date, to_day timestamp, discount real);
INSERT INTO contracts SELECT c, nullif(date '2023-01-01' + 200 * n, '2023-01-01'), CASE WHEN n < 3 THEN date '2023-01-01' + 200 * (n + 1) END, random_of(c || 'c' || n, 40) / 4.0
  FROM generate_series(1, 2000, 2) c, generate_series(0, 3) n;
ALTER TABLE contracts ALTER customer_id TYPE int;
CREATE TABLE complaints (customer_id int, day date);
INSERT INTO complaints SELECT random_of('complains' || n, 1500), date '2023-06-01' + random_of('when' || n, 570) FROM generate_series(1, 3000) n;
CREATE FUNCTION tickets(day date) RETURNS TABLE (customer_id int, number bigint) LANGUAGE sql STABLE AS
$$ SELECT c.customer_id, count(*) FROM public.complaints c WHERE c.day <= $1 GROUP BY 1 $$;
CREATE TABLE credit (customer_id int PRIMARY KEY, overdue double precision, vip boolean);
INSERT INTO credit SELECT c, CASE WHEN random_of('late' || c, 3) = 0 THEN random_of('overdue' || c, 120) ELSE 0 END, random_of('vip' || c, 10) = 0 FROM generate_series(1, 1900) c;

CREATE FUNCTION put_card(program text) RETURNS void LANGUAGE sql AS $$
SELECT customer_tier.set_scorecard(program, '[
  {"feature": "recency", "weight": 2},
  {"feature": "frequency", "weight": 1.5, "method": "score"},
  {"feature": "monetary", "weight": 3},
  {"feature": "tenure", "weight": 0.5, "method": "min_max", "parameters": {"low": 0.05, "high": 0.95}},
  {"feature": "average_order", "weight": 1, "method": "z_score"},
  {"feature": "refund_rate", "weight": 1, "parameters": {"ties": "mid"}},
  {"feature": "regularity", "weight": 0.7, "method": "identity", "missing": "neutral"},
  {"feature": "trend", "weight": 0.9, "parameters": {"ties": "high"}, "missing": "neutral"},
  {"name": "nps", "weight": 1.1, "relation": "public.surveys", "column": "nps", "key": "customer_id", "day": "answered", "method": "linear", "parameters": {"low": 1, "high": 9}},
  {"name": "discount", "weight": 0.3, "relation": "public.contracts", "column": "discount", "key": "customer_id", "valid_from": "from_day", "valid_to": "to_day", "higher_is_better": false,
   "method": "bands", "parameters": {"thresholds": [1, 2.5, 7], "points": [100, 70, 20, 5]}, "missing": "worst"},
  {"name": "tickets", "weight": 0.8, "function": "public.tickets", "column": "number", "key": "customer_id", "higher_is_better": false, "method": "logistic"},
  {"name": "overdue", "weight": 1, "relation": "public.credit", "column": "overdue", "key": "customer_id", "higher_is_better": false, "method": "linear", "parameters": {"low": 90, "high": 0},
   "floor": 60, "floor_grade": "B"},
  {"name": "vip", "weight": 0.2, "relation": "public.credit", "column": "vip", "key": "customer_id", "method": "z_score"}]') $$;

-- The normal distribution, by the series of its integral.
CREATE FUNCTION normal_cdf(z float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    term float8 := z;
    total float8 := z;
BEGIN
    FOR k IN 1..300 LOOP
        term := term * z * z / (2 * k + 1);
        total := total + term;
        EXIT WHEN abs(term) < 1e-18 * abs(total);
    END LOOP;
    RETURN 0.5 + total * exp(-z * z / 2) / sqrt(2 * pi());
END $$;

CREATE FUNCTION oracle(as_of date, window_days int, today boolean) RETURNS TABLE (customer_id int, dim int, value float8, points float8) LANGUAGE sql AS $$
    WITH buyer AS (
        SELECT o.customer_id, as_of - max(day) FILTER (WHERE amount >= 0) AS recency, as_of - min(day) FILTER (WHERE amount >= 0) AS tenure,
               count(*) FILTER (WHERE amount >= 0 AND (window_days IS NULL OR day > as_of - window_days)) AS frequency,
               sum(amount) FILTER (WHERE window_days IS NULL OR day > as_of - window_days) AS monetary,
               sum(amount) / nullif(count(*) FILTER (WHERE amount >= 0), 0) AS average_order,
               -sum(least(amount, 0)) / nullif(sum(greatest(amount, 0)), 0) AS refund_rate,
               greatest(sum(amount) FILTER (WHERE day > as_of - coalesce(window_days, 365)), 0) AS this_year,
               greatest(sum(amount) FILTER (WHERE day > as_of - 2 * coalesce(window_days, 365) AND day <= as_of - coalesce(window_days, 365)), 0) AS last_year
          FROM orders o WHERE day <= as_of GROUP BY 1 HAVING count(*) FILTER (WHERE amount >= 0) > 0
    ), gap AS (
        SELECT d.customer_id, day - lag(day) OVER (PARTITION BY d.customer_id ORDER BY day) AS days
          FROM (SELECT DISTINCT o.customer_id, day FROM orders o WHERE day <= as_of AND amount >= 0) d
    ), regular AS (
        SELECT gap.customer_id, exp(avg(ln(days::float8))) / avg(days::float8) AS regularity FROM gap WHERE days IS NOT NULL GROUP BY 1 HAVING count(*) >= 2
    ), survey AS (
        SELECT DISTINCT ON (s.customer_id) s.customer_id, nps FROM surveys s WHERE answered <= as_of ORDER BY s.customer_id, answered DESC
    ), long AS (
        SELECT b.customer_id, v.dim, v.value::float8
          FROM buyer b LEFT JOIN regular r USING (customer_id) LEFT JOIN survey s USING (customer_id)
          LEFT JOIN credit ON credit.customer_id = b.customer_id AND today
          LEFT JOIN contracts c ON c.customer_id = b.customer_id AND coalesce(c.from_day, '-infinity') <= as_of AND coalesce(c.to_day, 'infinity') > as_of
          LEFT JOIN LATERAL (SELECT nullif(count(*), 0) AS number FROM complaints x WHERE x.customer_id = b.customer_id AND x.day <= as_of) t ON true,
               LATERAL (VALUES (1, recency::float8), (2, CASE WHEN frequency > 0 THEN frequency::float8 ELSE '-Infinity' END), (3, CASE WHEN frequency > 0 THEN monetary::float8 ELSE '-Infinity' END),
                               (4, tenure), (5, average_order), (6, refund_rate), (7, regularity), (8, (coalesce(this_year, 0) - coalesce(last_year, 0)) / nullif(coalesce(this_year, 0) + coalesce(last_year, 0), 0)),
                               (9, nps), (10, discount), (11, number), (12, overdue), (13, vip::int)) AS v (dim, value)
    ), scale AS (
        SELECT long.dim, avg(value) AS mean, stddev_pop(value) AS deviation,
               percentile_disc(0.05) WITHIN GROUP (ORDER BY value) AS low, percentile_disc(0.95) WITHIN GROUP (ORDER BY value) AS high,
               percentile_disc('{0.2,0.4,0.6,0.8}'::float8[]) WITHIN GROUP (ORDER BY value) AS cuts
          FROM long WHERE value > '-Infinity' GROUP BY 1
    ), ranked AS (
        SELECT long.*, rank() OVER w - 1 AS worse_low, cume_dist() OVER w AS upto, rank() OVER d - 1 AS worse_high, cume_dist() OVER d AS down_upto, count(*) OVER (PARTITION BY long.dim) AS n
          FROM long WHERE value > '-Infinity'
        WINDOW w AS (PARTITION BY long.dim ORDER BY value), d AS (PARTITION BY long.dim ORDER BY value DESC)
    )
    SELECT l.customer_id, l.dim, l.value,
           CASE WHEN l.value = '-Infinity' THEN 0 WHEN l.value IS NOT NULL OR l.dim IN (7, 8, 10) THEN CASE l.dim
               WHEN 1 THEN 100 * r.down_upto
               WHEN 2 THEN 25 * (SELECT count(*) FROM unnest(s.cuts) cut WHERE cut < l.value)
               WHEN 3 THEN 100 * r.worse_low / r.n::float8
               WHEN 4 THEN 100 * (least(greatest(l.value, s.low), s.high) - s.low) / (s.high - s.low)
               WHEN 5 THEN 100 * normal_cdf((l.value - s.mean) / s.deviation)
               WHEN 6 THEN 50 * (r.worse_high / r.n::float8 + r.down_upto)
               WHEN 7 THEN coalesce(l.value, 50)
               WHEN 8 THEN coalesce(100 * r.upto, 50)
               WHEN 9 THEN 100 * (least(greatest(l.value, 1), 9) - 1) / 8
               WHEN 10 THEN CASE WHEN l.value < 1 THEN 100 WHEN l.value < 2.5 THEN 70 WHEN l.value < 7 THEN 20 WHEN l.value >= 7 THEN 5 ELSE 0 END
               WHEN 11 THEN 100 / (1 + exp(1.702 / s.deviation * (l.value - s.mean)))
               WHEN 12 THEN 100 * (90 - least(l.value, 90)) / 90
               WHEN 13 THEN 100 * normal_cdf((l.value - s.mean) / s.deviation) END END
      FROM long l LEFT JOIN ranked r USING (customer_id, dim) LEFT JOIN scale s USING (dim) $$;
CREATE FUNCTION oracle_scores(as_of date, window_days int, today boolean) RETURNS TABLE (customer_id int, "values" numeric[], points numeric[], score numeric, coverage numeric) LANGUAGE sql AS $$
    SELECT o.customer_id, array_agg(CASE WHEN value = '-Infinity' THEN NULL ELSE round(value::numeric, 9) END ORDER BY dim), array_agg(round(points::numeric, 9) ORDER BY dim),
           round((sum(weight * points) / sum(weight) FILTER (WHERE points IS NOT NULL))::numeric, 4), round((sum(weight) FILTER (WHERE value IS NOT NULL) / sum(weight))::numeric, 4)
      FROM oracle(as_of, window_days, today) o, unnest('{2,1.5,3,0.5,1,1,0.7,0.9,1.1,0.3,0.8,1,0.2}'::float8[]) WITH ORDINALITY AS w (weight, n)
     WHERE n = dim GROUP BY 1 $$;
CREATE FUNCTION rated(program text, as_of date) RETURNS TABLE (customer_id int, "values" numeric[], points numeric[], score numeric, coverage numeric) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$ SELECT r.customer_id, ARRAY(SELECT CASE WHEN v > '-Infinity' THEN round(v::numeric, 9) END FROM unnest(r.dimension_values) WITH ORDINALITY u (v, n) ORDER BY n),
        ARRAY(SELECT round(v::numeric, 9) FROM unnest(r.dimension_points) WITH ORDINALITY u (v, n) ORDER BY n), r.score, r.coverage FROM %I.rate($1) r WHERE r.orders > 0 $q$, program) USING as_of;
END $$;
CREATE FUNCTION compare(program text, as_of date, window_days int, today boolean) RETURNS TABLE (said text, customer_id int, "values" numeric[], points numeric[], score numeric, coverage numeric) LANGUAGE plpgsql AS $$
DECLARE
    customers bigint;
BEGIN
    CREATE TEMP TABLE ours ON COMMIT DROP AS SELECT * FROM rated(program, as_of);
    CREATE TEMP TABLE theirs ON COMMIT DROP AS SELECT * FROM oracle_scores(as_of, window_days, today);
    ANALYZE ours; ANALYZE theirs;
    SELECT count(*) INTO customers FROM ours;
    RAISE INFO '% as of %: % customers, % different scores', program, as_of, customers, (SELECT count(DISTINCT o.score) FROM ours o);
    RETURN QUERY SELECT 'missing', m.* FROM (TABLE theirs EXCEPT ALL TABLE ours) m ORDER BY 2 LIMIT 3;
    RETURN QUERY SELECT 'too much', m.* FROM (TABLE ours EXCEPT ALL TABLE theirs) m ORDER BY 2 LIMIT 3;
    DROP TABLE ours, theirs;
END $$;

SELECT customer_tier.create_program('plain', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC', purchase_model => 'none'),
       customer_tier.create_program('windowed', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC', purchase_model => 'none', window_days => 180);
SELECT put_card('plain'), put_card('windowed');
CALL customer_tier.refresh('plain', '2024-12-31');
CALL customer_tier.refresh('windowed', '2024-12-31');
SELECT * FROM compare('plain', '2024-12-31', NULL, true);
SELECT * FROM compare('plain', '2024-02-05', NULL, false);
SELECT * FROM compare('plain', '2023-05-15', NULL, false);
SELECT * FROM compare('windowed', '2024-12-31', 180, true);
SELECT * FROM compare('windowed', '2023-07-20', 180, false);
-- the grades: thresholds of the score, and a floor
SELECT 'breaks', count(*) FROM plain.ratings r LEFT JOIN credit USING (customer_id)
 WHERE r.orders > 0 AND grade IS DISTINCT FROM (SELECT code FROM plain.grade WHERE grade_rank = least(CASE WHEN overdue > 60 THEN 5 ELSE 10 END, 1 + (SELECT count(*) FROM plain.grade WHERE min_score <= r.score)));
-- what was published is what was rated, one at a time as all at once, and as it was published
SELECT 'breaks', count(*) FROM (SELECT customer_id, score, grade, tier, coverage FROM plain.rate('2024-12-31') EXCEPT ALL SELECT customer_id, score, grade, tier, coverage FROM plain.scored_rating) x;
SELECT 'breaks', count(*) FROM (SELECT r.* FROM generate_series(1, 2000, 40) c, plain.rate_one(c, '2024-12-31') r EXCEPT ALL SELECT * FROM plain.rate('2024-12-31')) x;
SELECT 'breaks', count(*) FROM (SELECT r.* FROM generate_series(1, 2000, 40) c, windowed.rated_one(c) r EXCEPT ALL SELECT * FROM windowed.rate('2024-12-31')) x;

-- Other rows first, other plans: nothing changes.
CREATE TABLE shuffled AS SELECT * FROM orders ORDER BY md5(orders::text);
TRUNCATE orders;
INSERT INTO orders SELECT * FROM shuffled;
CREATE TABLE shuffled_surveys AS SELECT * FROM surveys ORDER BY md5(surveys::text);
TRUNCATE surveys;
INSERT INTO surveys SELECT * FROM shuffled_surveys;
ANALYZE orders, surveys;
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT 'breaks', changed FROM plain.run WHERE is_current;
CREATE TABLE scales AS SELECT d.* FROM plain.run_dimension d JOIN plain.run USING (run_id) WHERE is_current;
SET parallel_setup_cost = 10; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3; SET parallel_leader_participation = off;
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT 'breaks', changed FROM plain.run WHERE is_current;
SELECT 'breaks', count(*) FROM plain.run_dimension d JOIN plain.run USING (run_id) JOIN scales s USING ("position")
 WHERE is_current AND (s.scale, s.distribution, s.mean, s.deviation, s.deciles, s.decile_counts, s.mean_points) IS DISTINCT FROM (d.scale, d.distribution, d.mean, d.deviation, d.deciles, d.decile_counts, d.mean_points);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather; RESET parallel_leader_participation;
SET enable_hashjoin = off; SET enable_hashagg = off; SET work_mem = '64kB';
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT 'breaks', changed FROM plain.run WHERE is_current;
RESET enable_hashjoin; RESET enable_hashagg; RESET work_mem;

-- ---- properties, on a card that one table feeds: eight methods, four ways to
-- miss a value, two floors
CREATE TABLE facts (customer_id int PRIMARY KEY, day date DEFAULT '2020-01-01', v1 float8, v2 float8, v3 float8, v4 float8, v5 float8, v6 float8, v7 float8, v8 float8);
INSERT INTO facts SELECT c, '2020-01-01', random_of('v1' || c, 50), random_of('v2' || c, 100000) / 7.0, random_of('v3' || c, 1000), ln(1 + random_of('v4' || c, 1000)), random_of('v5' || c, 300) - 100,
       random_of('v6' || c, 12), random_of('v7' || c, 130), random_of('v8' || c, 101) FROM generate_series(1, 2000) c;
UPDATE facts SET v1 = CASE WHEN random_of('m1' || customer_id, 9) > 0 THEN v1 END, v2 = CASE WHEN random_of('m2' || customer_id, 9) > 0 THEN v2 END,
       v6 = CASE WHEN random_of('m6' || customer_id, 9) > 0 THEN v6 END, v7 = CASE WHEN random_of('m7' || customer_id, 50) > 0 THEN v7 END;
CREATE FUNCTION facts_card(way text) RETURNS void LANGUAGE sql AS $$
SELECT customer_tier.set_scorecard('plain', (SELECT jsonb_agg(jsonb_build_object('name', 'v' || n, 'relation', 'public.facts', 'column', 'v' || n, 'key', 'customer_id', 'day', 'day') || d ORDER BY n)
    FROM unnest(ARRAY['{"method": "percentile", "weight": 3}', '{"method": "min_max", "weight": 2, "missing": "neutral"}', '{"method": "z_score", "floor": 200, "floor_grade": "BB"}',
                      '{"method": "logistic", "weight": 1.5}', '{"method": "percentile", "higher_is_better": false, "weight": 2, "floor": 150, "floor_grade": "CCC"}', '{"method": "score", "missing": "worst", "weight": 2}',
                      '{"method": "bands", "higher_is_better": false, "parameters": {"thresholds": [30, 60, 90], "points": [100, 60, 30, 0]}, "missing": "no_rating"}',
                      '{"method": "identity", "weight": 0.5}']::jsonb[]) WITH ORDINALITY AS u (d, n)), way) $$;
-- What an explanation promises, tried out: the value in that dimension alone
-- lifts the grade; the next double that is worse does not.
CREATE FUNCTION next_worse(v float8, higher boolean) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    bits bigint := (('x' || encode(float8send(v), 'hex'))::bit(64))::bigint;
    up boolean := NOT higher;
BEGIN
    IF v = 0 THEN
        RETURN CASE WHEN up THEN 5e-324 ELSE -5e-324 END;
    END IF;
    bits := bits + CASE WHEN (v > 0) = up THEN 1 ELSE -1 END;
    -- sign, exponent and fraction put together again, in doubles
    RETURN CASE WHEN bits < 0 THEN -1 ELSE 1 END * (CASE WHEN (bits >> 52) & 2047 = 0 THEN 0 ELSE 1 END + (bits & 4503599627370495) / 4503599627370496.0::float8)
           * power(2::float8, greatest(((bits >> 52) & 2047)::int, 1) - 1023);
END $$;
CREATE FUNCTION try_promises(step int, OUT promised bigint, OUT lifted bigint, OUT lifted_by_less bigint, OUT vetoes bigint, OUT of_missing bigint) LANGUAGE plpgsql AS $$
DECLARE
    p record;
    got text;
BEGIN
    promised := 0; lifted := 0; lifted_by_less := 0; vetoes := 0; of_missing := 0;
    FOR p IN SELECT r.customer_id, r.grade, e.kind, e.name, e.value, e.next_grade, e.value_for_next_grade AS needed, d.higher_is_better, g.grade_rank AS rank
               FROM plain.scored_rating r JOIN plain.grade g ON g.code = r.grade, customer_tier.explain_rating('plain', r.customer_id) e JOIN plain.dimension d USING (name)
              WHERE r.customer_id % step = 0 AND e.value_for_next_grade IS NOT NULL LOOP
        promised := promised + 1;
        vetoes := vetoes + (p.kind = 'veto')::int;
        of_missing := of_missing + (p.value IS NULL)::int;
        EXECUTE format('UPDATE facts SET %I = $1 WHERE customer_id = $2', p.name) USING p.needed, p.customer_id;
        SELECT g.grade_rank >= p.rank + 1 INTO got FROM customer_tier.rate_customer('plain', p.customer_id, '2024-12-31') c JOIN plain.grade g ON g.code = c.grade;
        lifted := lifted + (got = 'true')::int;
        IF p.needed BETWEEN -1e300 AND 1e300 THEN
            EXECUTE format('UPDATE facts SET %I = $1 WHERE customer_id = $2', p.name) USING next_worse(p.needed, p.higher_is_better), p.customer_id;
            SELECT g.grade_rank >= p.rank + 1 INTO got FROM customer_tier.rate_customer('plain', p.customer_id, '2024-12-31') c JOIN plain.grade g ON g.code = c.grade;
            lifted_by_less := lifted_by_less + (got = 'true')::int;
        END IF;
        EXECUTE format('UPDATE facts SET %I = $1 WHERE customer_id = $2', p.name) USING p.value, p.customer_id;
    END LOOP;
END $$;
-- Where nothing is promised, the best value of all does not lift either.
CREATE FUNCTION try_silence(step int, OUT tried bigint, OUT lifted bigint) LANGUAGE plpgsql AS $$
DECLARE
    p record;
    got boolean;
BEGIN
    tried := 0; lifted := 0;
    FOR p IN SELECT * FROM (SELECT r.customer_id, e.kind, e.name, e.value, CASE WHEN d.higher_is_better THEN 1e9 ELSE -1e9 END AS best, g.grade_rank AS rank,
                                   bool_and(e.value_for_next_grade IS NULL) OVER (PARTITION BY r.customer_id, e.name) AS is_silent
                              FROM plain.scored_rating r JOIN plain.grade g ON g.code = r.grade, customer_tier.explain_rating('plain', r.customer_id) e JOIN plain.dimension d USING (name)
                             WHERE r.customer_id % step = 0) e
              WHERE e.kind = 'dimension' AND e.is_silent LOOP
        tried := tried + 1;
        EXECUTE format('UPDATE facts SET %I = $1 WHERE customer_id = $2', p.name) USING p.best, p.customer_id;
        SELECT g.grade_rank > p.rank INTO got FROM customer_tier.rate_customer('plain', p.customer_id, '2024-12-31') c JOIN plain.grade g ON g.code = c.grade;
        lifted := lifted + coalesce(got, false)::int;
        EXECUTE format('UPDATE facts SET %I = $1 WHERE customer_id = $2', p.name) USING p.value, p.customer_id;
    END LOOP;
END $$;
CREATE FUNCTION properties(way text) RETURNS TABLE (property text, cases bigint, breaks bigint) LANGUAGE plpgsql AS $$
DECLARE
    p record;
BEGIN
    RETURN QUERY SELECT 'scores are 0 to 100', count(*), count(*) FILTER (WHERE score NOT BETWEEN 0 AND 100) FROM plain.scored_rating WHERE score IS NOT NULL;
    RETURN QUERY SELECT 'contributions add up', count(*), count(*) FILTER (WHERE total IS DISTINCT FROM score)
                   FROM (SELECT r.score, (SELECT sum(contribution) FROM customer_tier.explain_rating('plain', r.customer_id)) AS total FROM plain.scored_rating r WHERE r.customer_id % 11 = 0 AND r.score IS NOT NULL) x;
    RETURN QUERY SELECT 'ranks are those of the values', count(*), count(*) FILTER (WHERE rank IS DISTINCT FROM customer_rank)
                   FROM (SELECT e.customer_rank, 1 + (SELECT count(*) FROM facts f JOIN plain.scored_rating USING (customer_id) WHERE f.v5 < e.value AND scored_rating.orders > 0) AS rank
                           FROM plain.scored_rating r, customer_tier.explain_rating('plain', r.customer_id) e WHERE r.customer_id % 97 = 0 AND e.name = 'v5' AND e.kind = 'dimension') x;
    SELECT * INTO p FROM try_promises(61);
    RETURN QUERY SELECT 'values for the next grade lift', p.promised, p.promised - p.lifted;
    RETURN QUERY SELECT 'worse values do not', p.promised, p.lifted_by_less;
    RAISE INFO '%: % vetoes to overcome, % missing values to give', way, p.vetoes, p.of_missing;
    SELECT * INTO p FROM try_silence(127);
    RETURN QUERY SELECT 'nor does any value where none is told', p.tried, p.lifted;
    -- Better in one dimension on a frozen scale: no score falls, nobody else's changes.
    UPDATE plain.scorecard SET frozen_scale = true;
    CREATE TEMP TABLE was AS SELECT r.customer_id, r.score, r.grade FROM plain.scored_rating r;
    CREATE TEMP TABLE kept AS SELECT * FROM facts;
    FOR n IN 1..8 LOOP
        EXECUTE format('UPDATE facts SET v%1$s = v%1$s + CASE WHEN d.higher_is_better THEN 1 ELSE -1 END * (1 + random_of(%2$L || customer_id, 20)) FROM plain.dimension d WHERE d.name = %3$L AND customer_id %% 3 = 0', n, way || n, 'v' || n);
        CALL customer_tier.refresh('plain', '2024-12-31');
        RETURN QUERY SELECT 'better in v' || n, count(*) FILTER (WHERE r.score <> w.score), count(*) FILTER (WHERE r.score < w.score OR r.score <> w.score AND w.customer_id % 3 <> 0) FROM plain.scored_rating r JOIN was w USING (customer_id);
        TRUNCATE facts;
        INSERT INTO facts SELECT * FROM kept;
    END LOOP;
    UPDATE plain.scorecard SET frozen_scale = false;
    -- Other units of what is measured on its own scale.
    UPDATE facts SET v1 = v1 * 1000, v2 = v2 * 1000, v4 = v4 * 1000, v6 = v6 * 1000;
    CALL customer_tier.refresh('plain', '2024-12-31');
    RETURN QUERY SELECT 'other units', count(*), count(*) FILTER (WHERE r.score IS DISTINCT FROM w.score OR r.grade IS DISTINCT FROM w.grade) FROM plain.scored_rating r JOIN was w USING (customer_id);
    UPDATE facts SET v1 = v1 / 1000, v2 = v2 / 1000, v4 = v4 / 1000, v6 = v6 / 1000;
    DROP TABLE was, kept;
    CALL customer_tier.refresh('plain', '2024-12-31');
END $$;
SELECT facts_card('mean');
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT count(*), count(score), count(grade) FROM plain.ratings;
SELECT * FROM properties('mean');
SELECT facts_card('geometric');
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT * FROM properties('geometric');
SELECT facts_card('topsis');
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT * FROM properties('topsis');
-- the baseline is the score of the mean points, in the dimensions that are there
SELECT 'breaks', count(*) FROM plain.scored_rating r, customer_tier.explain_rating('plain', r.customer_id) e, plain.run,
       LATERAL (SELECT array_agg(CASE WHEN x.points IS NOT NULL THEN d.mean_points END ORDER BY d."position") AS means, array_agg(d.weight ORDER BY d."position") AS weights
                  FROM customer_tier.explain_rating('plain', r.customer_id) x JOIN plain.run_dimension d ON d.name = x.name AND d.run_id = run.run_id WHERE x.kind = 'dimension') m
 WHERE r.customer_id % 101 = 0 AND run.is_current AND e.kind = 'baseline' AND abs(e.contribution - customer_tier.combined_score(m.means, m.weights, 'topsis', run.combination_scale)::numeric) > 1e-4;
-- the ideal customer
UPDATE facts SET (v1, v2, v3, v4, v5, v6, v7, v8) = (SELECT max(v1), max(v2), max(v3), max(v4), min(v5), max(v6), min(v7), max(v8) FROM facts) WHERE customer_id = 11;
SELECT score, grade FROM customer_tier.rate_customer('plain', 11, '2024-12-31');
CALL customer_tier.refresh('plain', '2024-12-31');
SELECT score, grade FROM plain.ratings WHERE customer_id = 11;
SELECT sum(contribution) FROM customer_tier.explain_rating('plain', 11);

SELECT customer_tier.drop_program('plain'), customer_tier.drop_program('windowed');
DROP TABLE orders, surveys, contracts, complaints, credit, shuffled, shuffled_surveys, scales, facts;
DROP FUNCTION random_of, tickets, put_card, normal_cdf, oracle, oracle_scores, rated, compare, facts_card, next_worse, try_promises, try_silence, properties;
