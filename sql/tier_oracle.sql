-- The tier machine, written a second time from docs/tiers.md as one recursive
-- query, beside customer_tier.tier_move: 20 programs of random rules and
-- policies, 500 customers each, 60 runs. No row may come out of a query that
-- begins with "differs".
SET client_min_messages = warning;
SET work_mem = '64MB';
SET jit = off;

-- Anything from 0 up to n - 1, the same on every machine.
CREATE FUNCTION random_of(a int, b int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT ((((a * 7919::bigint + b * 104729::bigint + 11) % 1000003) * ((a * 31337::bigint + b * 7::bigint + 5) % 999983) % 2147483629 * 69621 % 1000003) % n)::int $$;

-- The rules. Terms 1 are those of the first 30 runs, terms 2 those of the later ones.
CREATE TABLE terms (program int, id int, rules jsonb, codes text[], PRIMARY KEY (program, id));
INSERT INTO terms (program, id, rules)
SELECT program, id, CASE kind
    -- by score
    WHEN 0 THEN jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'silver', 'min_score', 40 + shift), jsonb_build_object('code', 'gold', 'min_score', 60 + shift),
                                  jsonb_build_object('code', 'platinum', 'min_score', 80 - shift))
    -- by score and spending, with stay rules of their own
    WHEN 1 THEN jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'silver', 'min_score', 40 + shift, 'stay', jsonb_build_object('score', 30 + shift)),
                                  jsonb_build_object('code', 'gold', 'entry', jsonb_build_object('score', 60 - shift, 'revenue', jsonb_build_object('at_least', 1000, 'days', 365)),
                                                     'stay', format('[{"score": %s}, {"revenue": {"at_least": 2000, "days": 365}, "recency_days": {"at_most": 90}}]', 50 - shift)::jsonb),
                                  format('{"code": "platinum", "entry": [{"score": %s, "orders": 4}, {"score": 90, "recency_days": {"at_least": 5, "at_most": 60}}]}', 75 + shift)::jsonb)
    -- by segment: who is in a higher tier's rule need not be in a lower one's
    WHEN 2 THEN jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'silver', 'min_score', 35 + shift),
                                  format('{"code": "gold", "entry": [{"segment": ["champions", "loyal"], "score": 20}, {"score": %s}]}', 70 + shift)::jsonb,
                                  format('{"code": "platinum", "entry": {"segment": "champions", "score": %s}, "stay": {"score": %s}}', 65 + shift, 60 + shift)::jsonb)
    -- by what one bought
    WHEN 3 THEN jsonb_build_array('{"code": "bronze"}'::jsonb, '{"code": "silver", "entry": {"orders": 3}}'::jsonb,
                                  jsonb_build_object('code', 'gold', 'entry', jsonb_build_object('revenue', jsonb_build_object('at_least', 1000 + 100 * shift, 'days', 365), 'orders', 4)),
                                  '{"code": "platinum", "entry": [{"revenue": {"at_least": 3000, "days": 365}, "recency_days": {"at_most": 45}}], "stay": [{"revenue": {"at_least": 1500, "days": 365}}]}'::jsonb)
    -- a tier that is removed, and one that is new
    WHEN 4 THEN CASE id WHEN 1 THEN jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'silver', 'min_score', 30), jsonb_build_object('code', 'legacy', 'min_score', 45 + shift),
                                                      jsonb_build_object('code', 'gold', 'min_score', 60 + shift))
                               ELSE jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'silver', 'min_score', 35 + shift), jsonb_build_object('code', 'gold', 'min_score', 65 + shift),
                                                      jsonb_build_object('code', 'diamond', 'min_score', 85, 'stay', '[{"score": 70}, {"segment": "champions"}]'::jsonb)) END
    -- two tiers, in two orders of rank
    ELSE CASE id WHEN 1 THEN jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'gold', 'min_score', 50 + shift), jsonb_build_object('code', 'silver', 'min_score', 60 + shift))
                 ELSE jsonb_build_array('{"code": "bronze"}'::jsonb, jsonb_build_object('code', 'silver', 'min_score', 50), jsonb_build_object('code', 'gold', 'min_score', 60)) END END
  FROM generate_series(1, 20) program, generate_series(1, 2) id,
       LATERAL (SELECT program % 6 AS kind, random_of(program, id, 3) * 2.5 AS shift) k;
UPDATE terms SET codes = ARRAY(SELECT t ->> 'code' FROM jsonb_array_elements(rules) WITH ORDINALITY AS e(t, i) ORDER BY i);

CREATE TABLE policy (program int, id int, delta numeric, upgrade_confirm int, upgrade_at text, hold_days int, downgrade_confirm int, grace_days int, downgrade_needs text,
                     downgrade_at text, one_level boolean, revoke_on_refund boolean, grandfather boolean, max_refund_rate float8, PRIMARY KEY (program, id));
INSERT INTO policy
SELECT program, id, (ARRAY[5, 0, 2.5, 5.0001, 8, 12.125])[1 + random_of(p, 1, 6)],
       (ARRAY[1, 1, 2, 3])[1 + random_of(p, 2, 4)], periods[1 + random_of(p, 3, 7) * (random_of(p, 12, 3) > 0)::int], (ARRAY[0, 30, 90, 365])[1 + random_of(p, 4, 4)],
       (ARRAY[1, 2, 3, 4])[1 + random_of(p, 5, 4)], (ARRAY[0, 30, 45, 90])[1 + random_of(p, 6, 4)], (ARRAY['both', 'either'])[1 + random_of(p, 7, 2)],
       periods[1 + random_of(p, 8, 7) * (random_of(p, 14, 4) > 0)::int], random_of(p, 9, 2) = 0, random_of(p, 10, 2) = 0, random_of(p, 11, 3) > 0, (ARRAY[0.8, 0.8, 0.5, NULL])[1 + random_of(p, 13, 4)]
  FROM generate_series(1, 20) program, generate_series(1, 2) id, LATERAL (SELECT 100 * program + id AS p) s,
       LATERAL (SELECT ARRAY['run', 'month', 'quarter', 'half_year', 'year', 'membership_anniversary', 'tier_anniversary'] AS periods) n;

-- What the machine is given: who has a default in a column leaves it out. In
-- every fifth program the terms of the first runs are forgotten at run 46.
CREATE TABLE given AS
WITH one AS (
    SELECT t.program, t.id, jsonb_build_object('id', t.id, 'tiers', t.rules, 'policy', (
               SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(to_jsonb(p) - 'program' - 'id')
                WHERE (key, value) NOT IN (('delta', '5'), ('upgrade_confirm', '1'), ('upgrade_at', '"run"'), ('hold_days', '0'), ('downgrade_confirm', '1'), ('grace_days', '0'),
                                           ('downgrade_needs', '"both"'), ('downgrade_at', '"run"'), ('max_refund_rate', '0.8')) AND value <> 'false')) AS terms
      FROM terms t JOIN policy p USING (program, id))
SELECT a.program, phase, CASE phase WHEN 2 THEN 2 WHEN 3 THEN 2 ELSE 1 END AS today, CASE phase WHEN 2 THEN ARRAY[1, 2] WHEN 3 THEN ARRAY[2] ELSE ARRAY[1] END AS known,
       jsonb_build_object('measures', '["revenue 365", "orders", "recency_days", "refund_rate", "refunded_since", "earned_amount"]'::jsonb,
                          'terms', CASE phase WHEN 1 THEN jsonb_build_array(a.terms) WHEN 2 THEN jsonb_build_array(a.terms, b.terms) ELSE jsonb_build_array(b.terms) END) AS rules
  FROM one a JOIN one b ON b.program = a.program AND a.id = 1 AND b.id = 2, generate_series(1, 3) phase;

-- The runs: at ends of months, daily around 29 February, weekly, each 30 days, at odd days; with gaps.
CREATE TABLE run AS
SELECT program, n, day AS as_of, lag(day) OVER (PARTITION BY program ORDER BY n) AS last_as_of, CASE WHEN n <= 30 THEN 1 WHEN n <= 45 OR program % 5 > 0 THEN 2 ELSE 3 END AS phase
  FROM generate_series(1, 20) program, generate_series(1, 60) n, LATERAL (SELECT
       CASE program % 5
           WHEN 0 THEN (date '2019-01-01' + make_interval(months => n + (n > 20)::int * 3 + (n > 44)::int * 14) - interval '1 day')::date
           WHEN 1 THEN date '2020-02-05' + n + (n > 20)::int * 2 + (n > 40)::int * 300
           WHEN 2 THEN date '2019-11-20' + 7 * n + (n > 30)::int * 100
           WHEN 3 THEN date '2018-12-15' + 30 * n + (n > 45)::int * 400
           ELSE date '2019-06-01' + 11 * n + random_of(program, n, 10) END AS day) d;

CREATE TABLE customer AS
SELECT c AS id, 1 + (c - 1) / 500 AS program, 1 + random_of(c, 1, 8) / 6 * random_of(c, 2, 50) AS first_run,
       CASE random_of(c, 3, 10) WHEN 0 THEN date '2016-02-29' WHEN 1 THEN date '2019-03-01' + random_of(c, 4, 1500) ELSE date '2015-01-01' + random_of(c, 4, 1700) END AS first_day,
       (ARRAY[1, 25000, 50000, 100000])[1 + random_of(c, 5, 4)] AS grid
  FROM generate_series(1, 10000) c;

-- Scores walk at random, within 0 to 100; three quarters of the customers on a grid that meets the thresholds.
CREATE TABLE day AS
SELECT c.id AS customer, c.program, r.n AS run, r.as_of, r.last_as_of, r.phase, g.today,
       CASE WHEN bought AND (r.n / 8 + c.id) % 23 > 0 THEN (999999 - abs(path % 2000000 - 999999)) / 10000.0 END::numeric(7, 4) AS score,
       CASE WHEN bought THEN 1 + (r.n * random_of(c.id, 6, 10)) / 50 ELSE 0 END::bigint AS orders, CASE WHEN bought THEN c.first_day END AS first_day,
       CASE WHEN bought THEN (ARRAY['champions', 'loyal', 'lost', 'lost', NULL])[1 + random_of(c.id, r.n / 5 + 100, 5)] END AS segment,
       ARRAY[CASE WHEN bought THEN 500 * random_of(c.id, r.n / 3 + 200, 8) + (ARRAY[0, -0.01, 0.25])[1 + random_of(c.id, r.n + 300, 3)] END,
             CASE WHEN bought THEN 1 + (r.n * random_of(c.id, 6, 10)) / 50 END, nullif(10 * random_of(c.id, r.n + 400, 11), 100),
             CASE WHEN random_of(c.id, r.n / 4 + 500, 30) = 0 THEN (ARRAY[0.8, 0.79999, 1, 0.5])[1 + random_of(c.id, r.n / 4, 4)] WHEN bought THEN 0.1 END,
             (ARRAY[0, 20, 50, NULL])[1 + random_of(c.id, r.n / 2 + 600, 4)], (ARRAY[20, 20.01, 50, 90, 90, NULL])[1 + random_of(c.id, r.n / 6 + 700, 6)]]::float8[] AS measures,
       CASE WHEN random_of(c.id, r.n / 7 + 800, 9) = 0 THEN t.codes[1 + random_of(c.id, r.n / 7 + 900, array_length(t.codes, 1))] END AS override_tier,
       random_of(c.id, r.n / 7 + 1000, 3) = 0 AS override_lock
  FROM customer c JOIN run r USING (program) JOIN given g ON (g.program, g.phase) = (r.program, r.phase) JOIN terms t ON (t.program, t.id) = (r.program, g.today),
       LATERAL (SELECT (random_of(c.id, 7, 1000000) / grid * grid + 4000000 +
                        sum((random_of(c.id, r2.n + 2000, 240001) - 120000) / grid * grid))::int AS path FROM generate_series(1, r.n) AS r2(n)) s,
       LATERAL (SELECT c.first_day <= r.as_of AS bought) b
 WHERE r.n >= c.first_run;
ALTER TABLE day ADD PRIMARY KEY (customer, run);
CREATE INDEX ON day (program);
ANALYZE;

-- The rules as predicates of SQL.
CREATE FUNCTION conditions(rule jsonb, lower_by numeric, measures text[]) RETURNS TABLE (what text, holds text, missing text) LANGUAGE sql AS $$
SELECT CASE WHEN key = 'score' THEN 'score' WHEN key = 'revenue' AND value ? 'at_least' THEN 'amount' ELSE 'other' END,
       CASE key WHEN 'score' THEN format('score >= %s', value::text::numeric - lower_by)
                WHEN 'segment' THEN format('segment = ANY (%L::text[])', (SELECT array_agg(e) FROM jsonb_array_elements_text(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE jsonb_build_array(value) END) e))
                ELSE concat_ws(' AND ', 'measures[' || i || '] >= ' || CASE jsonb_typeof(value) WHEN 'number' THEN value ELSE value -> 'at_least' END,
                               'measures[' || i || '] <= ' || (value -> 'at_most')) END,
       CASE key WHEN 'score' THEN format('%s - score', value::text::numeric - lower_by) ELSE format('%s - measures[%s]', value -> 'at_least', i) END
  FROM jsonb_each(rule), LATERAL (SELECT array_position(measures, concat_ws(' ', key, value ->> 'days')) AS i) m $$;

CREATE FUNCTION predicate(rules jsonb, lower_by numeric, measures text[]) RETURNS text LANGUAGE sql STRICT AS $$
SELECT format('coalesce(%s, false)', string_agg((SELECT format('coalesce(%s, false)', string_agg(holds, ' AND ')) FROM conditions(rule, lower_by, measures)), ' OR '))
  FROM jsonb_array_elements(CASE jsonb_typeof(rules) WHEN 'array' THEN rules ELSE jsonb_build_array(rules) END) rule $$;

-- Who may enter and who may stay in each tier of each terms, from the base up;
-- the highest that one may enter; where one lands who falls from a tier.
CREATE TABLE standing (customer int, run int, terms int, entry boolean[], stay boolean[], wanted int, landing int[]);
SELECT format('INSERT INTO standing SELECT customer, run, %s, entry, stay, wanted, landing FROM day, LATERAL (SELECT ARRAY[%s] AS entry, ARRAY[%s] AS stay OFFSET 0) h,
                 LATERAL (SELECT max(t) AS wanted FROM generate_subscripts(entry, 1) t WHERE entry[t]) w,
                 LATERAL (SELECT array_agg((SELECT max(t) FROM generate_subscripts(entry, 1) t WHERE t < f AND (entry[t] OR stay[t])) ORDER BY f) AS landing FROM generate_subscripts(entry, 1) f) l
                WHERE program = %s AND run >= %s',
              id, string_agg(CASE rank WHEN 1 THEN 'true' ELSE predicate(entry, 0, measures) END, ', ' ORDER BY rank),
              string_agg(CASE rank WHEN 1 THEN 'true' ELSE coalesce(predicate(stay, 0, measures), predicate(entry, delta, measures)) END, ', ' ORDER BY rank),
              program, CASE id WHEN 1 THEN 1 ELSE 31 END)
  FROM terms JOIN policy p USING (program, id), LATERAL jsonb_array_elements(rules) WITH ORDINALITY AS t(tier, rank),
       LATERAL (SELECT coalesce(tier -> 'entry', jsonb_build_object('score', tier -> 'min_score')) AS entry, tier -> 'stay' AS stay,
                       ARRAY['revenue 365', 'orders', 'recency_days', 'refund_rate', 'refunded_since', 'earned_amount'] AS measures) r
 GROUP BY program, id, delta \gexec
ALTER TABLE standing ADD PRIMARY KEY (customer, run, terms);

-- The last start of a period on or before a day, its last end, and the next one.
CREATE FUNCTION anniversary(origin date, year int) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN year > extract(year FROM origin) THEN (origin + make_interval(years => year - extract(year FROM origin)::int))::date END $$;
CREATE FUNCTION last_anniversary(origin date, day date) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN public.anniversary(origin, extract(year FROM day)::int) <= day THEN public.anniversary(origin, extract(year FROM day)::int)
               ELSE public.anniversary(origin, extract(year FROM day)::int - 1) END $$;
CREATE FUNCTION last_start(period text, day date, first_day date, since date) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE period WHEN 'half_year' THEN make_date(extract(year FROM day)::int, CASE WHEN extract(month FROM day) < 7 THEN 1 ELSE 7 END, 1)
                      WHEN 'membership_anniversary' THEN public.last_anniversary(first_day, day) WHEN 'tier_anniversary' THEN public.last_anniversary(since, day)
                      ELSE date_trunc(period, day::timestamp)::date END $$;
CREATE FUNCTION last_end(period text, day date, first_day date, since date) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN period LIKE '%anniversary' THEN public.last_start(period, day, first_day, since) ELSE public.last_start(period, day + 1, first_day, since) - 1 END $$;
CREATE FUNCTION next_anniversary(origin date, day date) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN public.anniversary(origin, extract(year FROM day)::int) >= day THEN public.anniversary(origin, extract(year FROM day)::int)
               ELSE public.anniversary(origin, extract(year FROM day)::int + 1) END $$;
CREATE FUNCTION next_end(period text, day date, first_day date, since date) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE period WHEN 'membership_anniversary' THEN public.next_anniversary(first_day, day) WHEN 'tier_anniversary' THEN public.next_anniversary(since, day)
                      ELSE (public.last_start(period, day, first_day, since) + CASE period WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months'
                            WHEN 'half_year' THEN interval '6 months' ELSE interval '1 year' END)::date - 1 END $$;

ANALYZE;
SET enable_hashjoin = off;
SET enable_mergejoin = off;

CREATE TABLE walked AS
WITH RECURSIVE walk AS (
    SELECT id AS customer, first_run - 1 AS run, NULL::text AS tier, NULL::int AS tier_rank, NULL::date AS since, NULL::text AS previous_tier, NULL::int AS terms,
           0 AS up_runs, NULL::date AS up_since, 0 AS down_runs, NULL::date AS down_since, NULL::text AS reason, false AS moved, NULL::date AS drops_on, NULL::int AS granted, program
      FROM customer
    UNION ALL
    SELECT d.customer, d.run, t.codes[final.rank], final.rank, CASE WHEN m.moved THEN d.as_of ELSE w.since END, CASE WHEN m.moved THEN w.tier ELSE w.previous_tier END,
           CASE WHEN m.moved THEN d.today ELSE w.terms END,
           CASE WHEN final.reason = 'waiting' THEN up.runs ELSE 0 END, CASE WHEN final.reason = 'waiting' THEN up.since END,
           CASE WHEN final.reason IN ('hold', 'grace', 'period') THEN down.runs ELSE 0 END, CASE WHEN final.reason IN ('hold', 'grace', 'period') THEN down.since END,
           final.reason, m.moved, CASE WHEN final.reason IN ('hold', 'grace', 'period') THEN
               CASE q.downgrade_at WHEN 'run' THEN due.day ELSE next_end(q.downgrade_at, due.day, d.first_day, w.since) END END, q.id, d.program
      FROM walk w
      JOIN day d ON d.customer = w.customer AND d.run = w.run + 1
      JOIN given g ON g.program = d.program AND g.phase = d.phase
      JOIN terms t ON t.program = d.program AND t.id = d.today
      JOIN policy p ON p.program = d.program AND p.id = d.today
      JOIN standing s ON s.customer = d.customer AND s.run = d.run AND s.terms = d.today
      -- The terms under which the tier was granted, where they are known, know the tier, and count.
      LEFT JOIN terms gt ON p.grandfather AND gt.program = d.program AND gt.id = w.terms AND gt.id = ANY (g.known) AND w.tier = ANY (gt.codes)
      JOIN policy q ON q.program = d.program AND q.id = coalesce(gt.id, d.today)
      JOIN standing f ON f.customer = d.customer AND f.run = d.run AND f.terms = q.id
      -- Where he stands; 0 = nowhere yet, -1 = in a tier that is no more.
      CROSS JOIN LATERAL (SELECT CASE WHEN w.tier IS NULL THEN 0 ELSE coalesce(array_position(t.codes, w.tier), -1) END AS rank,
                                 coalesce(array_position(t.codes, w.previous_tier) < array_position(t.codes, w.tier), false) AS climbed, array_position(coalesce(gt.codes, t.codes), w.tier) AS granted_rank
                          OFFSET 0) h
      CROSS JOIN LATERAL (SELECT w.up_runs + 1 AS runs, coalesce(w.up_since, d.as_of) AS since) up
      CROSS JOIN LATERAL (SELECT w.down_runs + 1 AS runs, coalesce(w.down_since, d.as_of) AS since) down
      -- What the rules say.
      CROSS JOIN LATERAL (SELECT CASE
              WHEN d.orders = 0 THEN 'prospect'
              WHEN d.measures[4] >= p.max_refund_rate THEN 'refunded'
              WHEN h.rank = 0 THEN 'first'
              WHEN h.rank = -1 THEN 'rules'
              WHEN p.revoke_on_refund AND h.climbed AND d.measures[5] >= d.measures[6] AND s.wanted < h.rank THEN 'revoked'
              WHEN s.wanted > h.rank THEN
                  CASE WHEN up.runs >= p.upgrade_confirm AND (p.upgrade_at = 'run' OR last_start(p.upgrade_at, d.as_of, d.first_day, w.since) > greatest(up.since, d.last_as_of)) THEN 'upgraded' ELSE 'waiting' END
              WHEN s.entry[h.rank] THEN 'qualified'
              WHEN f.stay[h.granted_rank] THEN 'kept'
              WHEN h.climbed AND d.as_of < w.since + q.hold_days THEN 'hold'
              WHEN q.downgrade_needs = 'both' AND (down.runs < q.downgrade_confirm OR d.as_of < down.since + q.grace_days) THEN 'grace'
              WHEN q.downgrade_needs = 'either' AND down.runs < q.downgrade_confirm AND d.as_of < down.since + q.grace_days THEN 'grace'
              WHEN q.downgrade_at <> 'run' AND NOT coalesce(last_end(q.downgrade_at, d.as_of, d.first_day, w.since) > greatest(down.since - 1, d.last_as_of), false) THEN 'period'
              ELSE 'downgraded' END AS reason OFFSET 0) r
      CROSS JOIN LATERAL (SELECT CASE WHEN r.reason IN ('prospect', 'refunded') THEN 1
                                      WHEN r.reason IN ('first', 'rules', 'revoked', 'upgraded') THEN s.wanted
                                      WHEN r.reason = 'downgraded' THEN CASE WHEN q.one_level THEN h.rank - 1 ELSE s.landing[h.rank] END
                                      ELSE h.rank END AS rank OFFSET 0) l
      -- What a person decided.
      CROSS JOIN LATERAL (SELECT array_position(t.codes, d.override_tier) AS rank) o
      CROSS JOIN LATERAL (SELECT CASE WHEN d.override_lock AND o.rank IS NOT NULL THEN 'locked'
                                      WHEN o.rank > 1 AND (l.rank < o.rank OR l.rank = o.rank AND (h.rank <> o.rank OR r.reason NOT IN ('qualified', 'waiting'))) THEN 'override'
                                      WHEN r.reason IN ('first', 'qualified') AND l.rank = 1 THEN CASE WHEN d.score IS NULL THEN 'unrated' ELSE 'base' END
                                      WHEN r.reason = 'first' THEN 'qualified'
                                      ELSE r.reason END AS reason OFFSET 0) b
      CROSS JOIN LATERAL (SELECT b.reason, CASE WHEN b.reason IN ('locked', 'override') THEN o.rank ELSE l.rank END AS rank OFFSET 0) final
      CROSS JOIN LATERAL (SELECT final.rank <> h.rank AS moved) m
      -- The first day on which nothing would keep him, with a run a day.
      CROSS JOIN LATERAL (SELECT greatest(d.as_of + 1, CASE WHEN h.climbed THEN w.since + q.hold_days END,
              CASE q.downgrade_needs WHEN 'both' THEN greatest(d.as_of + q.downgrade_confirm - down.runs, down.since + q.grace_days)
                                     ELSE least(d.as_of + greatest(q.downgrade_confirm - down.runs, 0), down.since + q.grace_days) END) AS day) due
)
SELECT * FROM walk WHERE tier IS NOT NULL;

-- What is missing to a rule: points, an amount, both, or nothing; no row where
-- these would not do. The nearest rule misses the fewest kinds, then the least of them.
CREATE FUNCTION missing(rules jsonb, lower_by numeric, measures text[]) RETURNS text LANGUAGE sql STRICT AS $$
SELECT format('(SELECT CASE WHEN amount IS NULL THEN coalesce(points, 0) ELSE points END AS points, amount FROM (VALUES %s) v (points, amount, reachable) WHERE reachable
                 ORDER BY num_nonnulls(points, amount), points NULLS LAST, amount NULLS LAST LIMIT 1)',
              string_agg((SELECT format('(%s, %s, %s)',
                                        coalesce('greatest(' || string_agg(format('CASE WHEN %s THEN NULL ELSE %s END', holds, missing), ', ') FILTER (WHERE what = 'score') || ')', 'NULL::numeric'),
                                        coalesce('greatest(' || string_agg(format('CASE WHEN %s THEN NULL ELSE (%s)::float8 END', holds, missing), ', ') FILTER (WHERE what = 'amount') || ')', 'NULL::float8'),
                                        string_agg(CASE what WHEN 'other' THEN format('coalesce(%s, false)', holds) ELSE format('(%s) IS NOT NULL', missing) END, ' AND '))
                            FROM conditions(rule, lower_by, measures)), ', '))
  FROM jsonb_array_elements(CASE jsonb_typeof(rules) WHEN 'array' THEN rules ELSE jsonb_build_array(rules) END) rule $$;
CREATE TABLE missing (customer int, run int, what text, points numeric, amount float8);
CREATE INDEX ON walked (program, tier_rank);
ANALYZE walked;
RESET enable_hashjoin;
SELECT format('INSERT INTO missing SELECT customer, w.run, %L, m.points, m.amount FROM walked w JOIN day d USING (customer, run, program), LATERAL %s m WHERE program = %s AND d.orders > 0 AND %s', what,
              CASE what WHEN 'next' THEN missing(entry, 0, measures) ELSE coalesce(missing(stay, 0, measures), missing(entry, delta, measures)) END, program,
              CASE what WHEN 'next' THEN format('w.tier_rank = %s AND d.today = %s AND w.reason NOT IN (''locked'', ''refunded'')', rank - 1, id) ELSE format('w.tier = %L AND w.granted = %s AND w.drops_on IS NOT NULL', tier ->> 'code', id) END)
  FROM terms JOIN policy p USING (program, id), LATERAL jsonb_array_elements(rules) WITH ORDINALITY AS t(tier, rank), (VALUES ('next'), ('stay')) AS w(what),
       LATERAL (SELECT coalesce(tier -> 'entry', jsonb_build_object('score', tier -> 'min_score')) AS entry, tier -> 'stay' AS stay,
                       ARRAY['revenue 365', 'orders', 'recency_days', 'refund_rate', 'refunded_since', 'earned_amount'] AS measures) r
 WHERE rank > 1 ORDER BY program, id, rank, what \gexec
ANALYZE missing;

CREATE VIEW oracle AS
SELECT w.customer, w.run, w.tier, w.tier_rank, w.since, w.previous_tier, w.terms::bigint, w.up_runs, w.up_since, w.down_runs, w.down_since, w.reason, w.moved,
       n.points AS score_to_next, n.amount AS amount_to_next, s.points AS score_to_stay, s.amount AS amount_to_stay, w.drops_on,
       lag((w.tier, w.since, w.previous_tier, w.terms, w.up_runs, w.up_since, w.down_runs, w.down_since)) OVER (PARTITION BY w.customer ORDER BY w.run)
       IS NOT DISTINCT FROM (w.tier, w.since, w.previous_tier, w.terms, w.up_runs, w.up_since, w.down_runs, w.down_since) AS as_before
  FROM walked w LEFT JOIN missing n ON n.customer = w.customer AND n.run = w.run AND n.what = 'next' LEFT JOIN missing s ON s.customer = w.customer AND s.run = w.run AND s.what = 'stay';
SET enable_hashjoin = off;

CREATE TABLE machine AS
WITH RECURSIVE walk AS (
    SELECT id AS customer, first_run - 1 AS run, NULL::customer_tier.tier_state AS state, NULL::customer_tier.tier_move AS move FROM customer
    UNION ALL
    SELECT d.customer, d.run, (m.tier, m.since, m.previous_tier, m.terms, m.up_runs, m.up_since, m.down_runs, m.down_since)::customer_tier.tier_state, m
      FROM walk w JOIN day d ON d.customer = w.customer AND d.run = w.run + 1 JOIN given g ON g.program = d.program AND g.phase = d.phase
     CROSS JOIN LATERAL customer_tier.tier_move(g.rules, d.as_of, d.last_as_of, d.score, d.orders, d.first_day, d.segment, d.measures, w.state, d.override_tier, d.override_lock) m
)
SELECT customer, run, (move).* FROM walk WHERE (move).tier IS NOT NULL;
RESET enable_hashjoin;

\echo differs: histories
SELECT * FROM oracle EXCEPT ALL SELECT * FROM machine;
SELECT * FROM machine EXCEPT ALL SELECT * FROM oracle;

-- Every reason is met, and every number.
SELECT reason, count(*), count(*) FILTER (WHERE moved) AS moved, count(score_to_next) AS score_to_next, count(amount_to_next) AS amount_to_next,
       count(score_to_stay) AS score_to_stay, count(amount_to_stay) AS amount_to_stay, count(drops_on) AS drops_on
  FROM machine GROUP BY reason ORDER BY reason COLLATE "C";

-- What was promised: one evaluation, one tier; who falls does so one level at a
-- time where that is the policy; and nobody falls who may enter or stay (with
-- ranks as they were at the run before).
\echo differs: promises
SELECT customer, run FROM day LEFT JOIN machine USING (customer, run) GROUP BY 1, 2 HAVING count(machine.tier) <> 1;
SELECT m.customer, m.run, b.tier, m.tier
  FROM machine m JOIN machine b ON b.customer = m.customer AND b.run = m.run - 1 JOIN day d ON d.customer = m.customer AND d.run = m.run
  JOIN day e ON e.customer = m.customer AND e.run = m.run - 1 AND e.today = d.today JOIN policy p ON p.program = d.program AND p.id = d.today
 WHERE m.reason = 'downgraded' AND p.one_level AND NOT p.grandfather AND b.tier_rank - m.tier_rank > 1;
SELECT m.customer, m.run, b.tier, m.tier
  FROM machine m JOIN machine b ON b.customer = m.customer AND b.run = m.run - 1 JOIN day d ON d.customer = m.customer AND d.run = m.run
  JOIN day e ON e.customer = m.customer AND e.run = m.run - 1 AND e.today = d.today JOIN policy p ON p.program = d.program AND p.id = d.today JOIN standing s ON s.customer = m.customer AND s.run = m.run AND s.terms = d.today
 WHERE m.reason = 'downgraded' AND NOT p.grandfather AND (s.stay[b.tier_rank] OR s.entry[b.tier_rank]);
SELECT count(*) > 1000 AS many_fell, max(b.tier_rank - m.tier_rank) AS levels
  FROM machine m JOIN machine b ON b.customer = m.customer AND b.run = m.run - 1 WHERE m.reason = 'downgraded';

-- leave nothing behind
SET client_min_messages = warning;
DROP VIEW oracle CASCADE;
DROP FUNCTION random_of, conditions, predicate, anniversary, last_anniversary, last_start, last_end, next_anniversary, next_end, missing CASCADE;
DROP TABLE terms, policy, given, run, customer, day, standing, walked, missing, machine CASCADE;
