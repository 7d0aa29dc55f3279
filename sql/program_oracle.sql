-- The whole rating against an oracle in plain SQL: random orders with ties,
-- refunds, zeros, days of refunds only and fully refunded customers, at several
-- days, with and without a window, both monetary values. No row may come out.
\set SHOW_CONTEXT never
CREATE FUNCTION random_of(seed text, n int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(seed), 1, 7))::bit(28)::int % n) $$;
CREATE TABLE orders (customer_id int, day date, amount numeric);
INSERT INTO orders
SELECT c, date '2024-01-01' + random_of(c || 'd' || n, 30 + random_of('span' || c, 340)),
       CASE WHEN random_of(c || 'r' || n, 12) = 0 THEN -1 ELSE 1 END
       * CASE random_of(c || 'k' || n, 5) WHEN 0 THEN 0 WHEN 1 THEN 19.99 ELSE random_of(c || 'a' || n, 20000) / 100.0 END
  FROM generate_series(1, 500) c, generate_series(1, 1 + random_of('o' || c, 6) * random_of('oo' || c, 4)) n;
INSERT INTO orders SELECT 1000 + c, date '2024-05-01', 50 FROM generate_series(1, 30) c;
INSERT INTO orders SELECT 1000 + c, date '2024-06-01', -50 FROM generate_series(1, 10) c;
INSERT INTO orders SELECT 2000 + c, date '2024-06-01', -50 FROM generate_series(1, 5) c;

-- Cut points with equal shares: percentile_disc(k / n).  For recency, a cut on
-- the oldest day moves to the day before.
CREATE FUNCTION oracle_r_cuts(v float8[]) RETURNS float8[] LANGUAGE sql AS $$
    WITH x AS (SELECT unnest(v) AS v),
         q AS (SELECT k, percentile_disc(k / 5.0) WITHIN GROUP (ORDER BY x.v) AS cut FROM x, generate_series(1, 4) k GROUP BY k)
    SELECT array_agg(CASE WHEN cut = (SELECT max(v) FROM x)
                          THEN coalesce((SELECT max(x.v) FROM x WHERE x.v < (SELECT max(y.v) FROM x y)), cut) ELSE cut END ORDER BY k)
      FROM q $$;
-- Balanced: each cut takes its share of what the cuts below left, but the
-- largest value stays above all cuts.
CREATE FUNCTION oracle_balanced(v float8[]) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
    cuts float8[] := '{}';
    cut float8;
    top float8 := (SELECT max(x) FROM unnest(v) x);
BEGIN
    FOR bins IN REVERSE 5..2 LOOP
        SELECT x INTO cut FROM (SELECT x, row_number() OVER (ORDER BY x) AS n, count(*) OVER () AS left_over FROM unnest(v) x WHERE x > ALL (cuts)) o
         WHERE n = ceil(left_over / bins::numeric);
        IF cut = top THEN
            cut := coalesce((SELECT max(x) FROM unnest(v) x WHERE x < top), top);
        END IF;
        cuts := cuts || cut;
    END LOOP;
    RETURN cuts;
END $$;

CREATE FUNCTION oracle(as_of date, window_days int, monetary text, weights float8[])
RETURNS TABLE (customer_id int, first_day date, last_day date, orders bigint, purchase_days int, revenue numeric, refunded numeric,
               average_order numeric, r_score int, f_score int, m_score int, segment text, score numeric, tier text) LANGUAGE sql AS $$
    WITH known AS (
        SELECT o.customer_id,
               min(day) FILTER (WHERE amount >= 0) AS first_day, max(day) FILTER (WHERE amount >= 0) AS last_day,
               count(*) FILTER (WHERE amount >= 0) AS orders, count(DISTINCT day) FILTER (WHERE amount >= 0) AS purchase_days,
               sum(amount) AS revenue, coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded,
               coalesce(count(*) FILTER (WHERE amount >= 0 AND (window_days IS NULL OR day > as_of - window_days)), 0) AS f,
               coalesce(sum(amount) FILTER (WHERE window_days IS NULL OR day > as_of - window_days), 0) AS window_revenue
          FROM orders o WHERE day <= as_of GROUP BY 1
    ), buyer AS (
        SELECT *, (as_of - last_day)::float8 AS r,
               CASE WHEN monetary = 'revenue' THEN window_revenue WHEN f > 0 THEN window_revenue / f ELSE 0 END::float8 AS m
          FROM known WHERE orders > 0
    ), cuts AS (
        SELECT oracle_r_cuts(array_agg(r)) AS r, oracle_balanced(array_agg(f::float8) FILTER (WHERE f > 0)) AS f,
               oracle_balanced(array_agg(m) FILTER (WHERE f > 0)) AS m FROM buyer
    ), scored AS (
        SELECT b.*, 5 - (SELECT count(*) FROM unnest(c.r) x WHERE x < b.r)::int AS r_score,
               1 + (SELECT count(*) FROM unnest(c.f) x WHERE x < b.f)::int AS f_score,
               -- nothing in the window is the lowest score and the lowest share
               CASE WHEN b.f > 0 THEN 1 + (SELECT count(*) FROM unnest(c.m) x WHERE x < b.m)::int ELSE 1 END AS m_score,
               (SELECT count(*) FROM buyer o WHERE o.r >= b.r) / (SELECT count(*) FROM buyer)::float8 AS pr,
               (SELECT count(*) FROM buyer o WHERE o.f > 0 AND o.f < b.f) / greatest((SELECT count(*) FROM buyer WHERE f > 0), 1)::float8 AS pf,
               CASE WHEN b.f > 0 THEN (SELECT count(*) FROM buyer o WHERE o.f > 0 AND o.m < b.m) / (SELECT count(*) FROM buyer WHERE f > 0)::float8 ELSE 0 END AS pm
          FROM buyer b, cuts c
    ), final AS (
        SELECT *, round((100 * (weights[1] * pr + weights[2] * pf + weights[3] * pm) / (weights[1] + weights[2] + weights[3]))::numeric, 4) AS score FROM scored
    )
    SELECT k.customer_id, k.first_day, k.last_day, k.orders, k.purchase_days::int, k.revenue, k.refunded,
           CASE WHEN k.orders > 0 THEN k.revenue / k.orders END, f.r_score, f.f_score, f.m_score,
           CASE WHEN k.orders = 0 THEN 'prospects'
                WHEN f.r_score = 5 THEN (ARRAY['new', 'potential_loyalist', 'potential_loyalist', 'champions', 'champions'])[f.f_score]
                WHEN f.r_score = 4 THEN (ARRAY['promising', 'potential_loyalist', 'potential_loyalist', 'loyal', 'loyal'])[f.f_score]
                WHEN f.r_score = 3 THEN (ARRAY['about_to_sleep', 'about_to_sleep', 'need_attention', 'loyal', 'loyal'])[f.f_score]
                ELSE (ARRAY['hibernating', 'hibernating', 'at_risk', 'at_risk', 'cant_lose'])[f.f_score] END,
           f.score,
           CASE WHEN k.refunded >= 0.8 * (k.revenue + k.refunded) AND k.refunded > 0 THEN 'bronze'
                WHEN f.score >= 85 THEN 'platinum' WHEN f.score >= 65 THEN 'gold' WHEN f.score >= 40 THEN 'silver' ELSE 'bronze' END
      FROM known k LEFT JOIN final f USING (customer_id)
     WHERE k.orders > 0 OR k.refunded <> 0
$$;

SELECT customer_tier.create_program('all_time', 'orders', 'customer_id', 'day', 'amount', purchase_model => 'none');
SELECT customer_tier.create_program('quarter', 'orders', 'customer_id', 'day', 'amount', window_days => 90, monetary => 'average_order', weights => '{2,1,1}', purchase_model => 'none');

CREATE FUNCTION compare(program text, as_of date, window_days int, monetary text, weights float8[]) RETURNS TABLE (side text, difference text) LANGUAGE plpgsql AS $$
BEGIN
    -- Tiers as of a first evaluation.
    IF customer_tier.published_day(program) IS NOT NULL THEN
        PERFORM customer_tier.rewind_tiers(program, '2000-01-01');
    END IF;
    CALL customer_tier.refresh(program, as_of);
    CREATE TEMP TABLE expected ON COMMIT DROP AS SELECT * FROM oracle(as_of, window_days, monetary, weights);
    EXECUTE format('CREATE TEMP TABLE actual ON COMMIT DROP AS
        SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, refunded, round(average_order, 10) AS average_order,
               r_score, f_score, m_score, segment, score, tier FROM %I.ratings', program);
    UPDATE expected SET average_order = round(average_order, 10);
    RETURN QUERY SELECT 'missing', d::text FROM (SELECT * FROM expected EXCEPT ALL SELECT * FROM actual) d
        UNION ALL SELECT 'unexpected', d::text FROM (SELECT * FROM actual EXCEPT ALL SELECT * FROM expected) d;
    IF (SELECT count(*) FROM actual) < 50 OR (SELECT count(DISTINCT segment) FROM actual) < 5 THEN
        RAISE 'nothing to compare';
    END IF;
    DROP TABLE expected, actual;
END $$;
SELECT * FROM compare('all_time', '2024-12-31', NULL, 'revenue', '{0.25,0.35,0.40}');
SELECT * FROM compare('all_time', '2024-05-01', NULL, 'revenue', '{0.25,0.35,0.40}');
SELECT * FROM compare('all_time', '2024-02-01', NULL, 'revenue', '{0.25,0.35,0.40}');
SELECT * FROM compare('quarter', '2024-12-31', 90, 'average_order', '{2,1,1}');
SELECT * FROM compare('quarter', '2024-06-15', 90, 'average_order', '{2,1,1}');

-- The past is the same whether it is replayed or was lived: what a program that
-- never saw the later orders publishes.
CREATE TABLE orders_until_may AS SELECT * FROM orders WHERE day <= '2024-05-01';
SELECT customer_tier.create_program('lived', 'orders_until_may', 'customer_id', 'day', 'amount', purchase_model => 'none');
CALL customer_tier.refresh('lived', '2024-05-01');
SELECT customer_tier.rewind_tiers('all_time', '2000-01-01') > 0 AS went_back;
SELECT customer_id, score, tier, segment FROM lived.ratings EXCEPT ALL SELECT customer_id, score, tier, segment FROM all_time.rate('2024-05-01');
SELECT customer_id, score, tier, segment FROM all_time.rate('2024-05-01') EXCEPT ALL SELECT customer_id, score, tier, segment FROM lived.ratings;

-- The order of the rows and the plan change nothing.
CREATE TABLE shuffled AS SELECT * FROM orders ORDER BY md5(orders::text || ctid::text);
SELECT customer_tier.create_program('shuffled', 'shuffled', 'customer_id', 'day', 'amount', purchase_model => 'none');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET enable_hashagg = off;
ALTER TABLE shuffled SET (parallel_workers = 2);
CALL customer_tier.refresh('shuffled', '2024-12-31');
RESET ALL;
CALL customer_tier.refresh('all_time', '2024-12-31');
SELECT * FROM shuffled.scored_rating EXCEPT ALL SELECT * FROM all_time.scored_rating;
SELECT * FROM all_time.scored_rating EXCEPT ALL SELECT * FROM shuffled.scored_rating;
SELECT customer_id, history FROM shuffled.history EXCEPT ALL SELECT customer_id, history FROM all_time.history;

-- A relative map calls a score high when it reaches the mean of all buyers.
UPDATE all_time.settings SET segment_map = 'cn8';
CALL customer_tier.refresh('all_time', '2024-12-31');
SELECT segment, count(*) FROM all_time.ratings WHERE orders > 0 GROUP BY 1
EXCEPT ALL
SELECT CASE WHEN m THEN CASE WHEN r AND f THEN 'key_value' WHEN r THEN 'key_develop' WHEN f THEN 'key_keep' ELSE 'key_win_back' END
            ELSE CASE WHEN r AND f THEN 'general_value' WHEN r THEN 'general_develop' WHEN f THEN 'general_keep' ELSE 'general_win_back' END END, count(*)
  FROM (SELECT count(*) OVER () * r_score >= sum(r_score) OVER () AS r, count(*) OVER () * f_score >= sum(f_score) OVER () AS f,
               count(*) OVER () * m_score >= sum(m_score) OVER () AS m FROM all_time.ratings WHERE orders > 0) s GROUP BY 1;
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program;
DROP FUNCTION compare, oracle, oracle_balanced, oracle_r_cuts, random_of;
DROP TABLE orders, orders_until_may, shuffled;
