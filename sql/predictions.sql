-- What a model predicts is not stored: the view ratings works it out, to the last
-- digit what rate() says, whatever is edited meanwhile; and a day without news
-- writes only who moved.
\set SHOW_CONTEXT never
SET DateStyle = 'ISO';
SET client_min_messages = warning;
CREATE TABLE orders AS
SELECT customer_id, timezone('UTC', ordered_at) AS at, amount, CASE WHEN customer_id % 7 > 0 THEN (customer_id % 100) / 100.0 - 0.2 END AS margin
  FROM customer_tier.demo_orders(600, 400, 11);
CREATE TABLE customers AS SELECT DISTINCT customer_id FROM orders;
-- Prospects; refunds alone; more sent back than bought; nothing paid; a single day;
-- who buys after the day; and a first order on the day.
INSERT INTO customers SELECT generate_series(9001, 9020);
INSERT INTO orders VALUES
    (9101, '2024-05-01', -20, 0.5), (9102, '2024-05-01', 30, 0.5), (9102, '2024-06-01', -90, 0.5), (9102, '2024-07-01', 10, NULL),
    (9103, '2024-03-01', 0, 0.1), (9103, '2024-04-01', 0, 0.1), (9104, '2024-08-08', 77.77, -1), (9105, '2026-01-01', 5, 1),
    (9106, '2024-11-30', 12.5, 0.333333), (9107, '2024-02-01', 50, NULL), (9107, '2024-02-03', 10, 0.2), (9107, '2024-02-03', -30, 0.2),
    (9108, '2024-01-01', 10, 0.3), (9108, '2024-02-01', 10.000001, 0.3), (9108, '2024-02-02', 1e6, 0.3);

-- All columns that the view and rate() share, as of the published day; predictions
-- as they are printed.
CREATE FUNCTION differences(program name, OUT seen bigint, OUT rated bigint) LANGUAGE plpgsql AS $$
DECLARE
    shared text := (SELECT string_agg(format(CASE WHEN v.attname = ANY (customer_tier.predictions()) THEN 'CAST(r.%I AS text)' ELSE 'r.%I' END, v.attname), ', ' ORDER BY v.attnum)
                      FROM pg_attribute v, pg_proc p
                     WHERE v.attrelid = format('%I.ratings', program)::regclass AND v.attnum > 0
                       AND p.pronamespace = to_regnamespace(quote_ident(program)) AND p.proname = 'rate' AND v.attname::text = ANY (p.proargnames[3:]));
BEGIN
    EXECUTE format($q$
        WITH seen AS (SELECT %2$s FROM %1$I.ratings AS r),
             rated AS (SELECT %2$s FROM %1$I.run, LATERAL %1$I.rate(run.as_of, run.run_id) AS r WHERE run.is_current)
        SELECT (SELECT count(*) FROM (TABLE seen EXCEPT ALL TABLE rated) AS s), (SELECT count(*) FROM (TABLE rated EXCEPT ALL TABLE seen) AS s)$q$, program, shared)
        INTO seen, rated;
END $$;
CREATE FUNCTION known(program name, OUT columns int, OUT rows bigint, OUT p_alive bigint, OUT p_active bigint, OUT expected_purchases bigint, OUT expected_spend bigint, OUT clv bigint)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT (SELECT count(*) FROM pg_attribute v, pg_proc p WHERE v.attrelid = ''%1$I.ratings''::regclass AND p.pronamespace = ''%1$I''::regnamespace AND p.proname = ''rate''
                               AND v.attname::text = ANY (p.proargnames[3:])),
                           count(*), count(p_alive), count(p_active), count(expected_purchases), count(expected_spend), count(clv) FROM %1$I.ratings', program)
        INTO columns, rows, p_alive, p_active, expected_purchases, expected_spend, clv;
END $$;

-- Every purchase model, with the master and without, with margins and without.
SELECT customer_tier.create_program(replace(model, '/', '_'), 'orders', 'customer_id', 'at', 'amount', time_zone => 'UTC', purchase_model => model,
    margin => 0.37, margin_column => CASE WHEN n % 2 = 0 THEN 'margin'::name END, customers => CASE WHEN n % 3 = 0 THEN 'customers'::regclass END,
    customers_key => CASE WHEN n % 3 = 0 THEN 'customer_id'::name END, horizon_days => 100 + n::int, churn_days => 50 + n::int, annual_discount => 0.01 * n)
  FROM unnest('{mbg/nbd,bg/nbd,pareto/nbd,nbd,mbg/cnbd-2,none}'::text[]) WITH ORDINALITY AS m (model, n) ORDER BY n;
SELECT format('CALL customer_tier.refresh(%L, ''2024-11-30'')', name) FROM customer_tier.program ORDER BY name \gexec
SELECT p.name, k.* FROM customer_tier.program p, known(p.name::name) k ORDER BY p.name;
SELECT p.name, d.* FROM customer_tier.program p, differences(p.name::name) d ORDER BY p.name;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'mbg_nbd.ratings'::regclass AND attname = ANY (customer_tier.predictions()) ORDER BY attnum;
SELECT format_type(a.atttypid, a.atttypmod) AS type, count(*) FROM pg_attribute a WHERE a.attrelid = 'mbg_nbd.rating'::regclass AND a.attname IN ('repeat_mean', 'margin') GROUP BY 1 ORDER BY 1;
-- Odd ones, by hand.
SELECT customer_id, purchase_days, orders, revenue, p_alive IS NOT NULL AS p_alive, expected_spend IS NOT NULL AS expected_spend, clv IS NOT NULL AS clv, s.repeat_mean, s.margin
  FROM bg_nbd.ratings JOIN bg_nbd.scored_rating s USING (customer_id, purchase_days, orders, revenue) WHERE customer_id > 9100 ORDER BY 1;

-- The next day.
CREATE TEMP TABLE place AS SELECT customer_id, ctid::text AS place, xmin::text AS writer FROM mbg_nbd.rating;
SELECT format('CALL customer_tier.refresh(%L, ''2024-12-01'')', name) FROM customer_tier.program ORDER BY name \gexec
SELECT p.name, d.* FROM customer_tier.program p, differences(p.name::name) d ORDER BY p.name;
SELECT count(*) FILTER (WHERE has_moved AND customer_id IN (SELECT customer_id FROM orders WHERE at::date = '2024-12-01')) > 0 AS bought,
       count(*) FILTER (WHERE has_moved) = (SELECT changed FROM mbg_nbd.run WHERE is_current) AS counted
  FROM (SELECT r.customer_id, (r.ctid::text, r.xmin::text) IS DISTINCT FROM (p.place, p.writer) AS has_moved FROM mbg_nbd.rating r LEFT JOIN place p USING (customer_id)) w;
DROP TABLE place;

-- Days on which nobody buys: only who differs in something stored is written.
DELETE FROM orders WHERE at::date BETWEEN '2024-12-02' AND '2024-12-31';
CALL customer_tier.refresh('mbg_nbd', '2024-12-02');
CREATE TEMP TABLE before AS SELECT r.*, r.xmin::text AS writer, v.p_alive, v.p_active, v.expected_purchases, v.clv FROM mbg_nbd.rating r JOIN mbg_nbd.ratings v USING (customer_id);
CALL customer_tier.refresh('mbg_nbd', '2024-12-03');
SELECT * FROM differences('mbg_nbd');
SELECT count(*) FILTER (WHERE is_written) = (SELECT changed FROM mbg_nbd.run WHERE is_current) AS counted,
       count(*) FILTER (WHERE is_written) < count(*) / 20 AS few,
       count(*) FILTER (WHERE is_written AND NOT has_crossed) AS without_reason,
       count(*) FILTER (WHERE NOT is_written AND has_crossed) AS forgotten,
       count(*) FILTER (WHERE predictions_moved) > count(*) / 2 AS predictions_of_most_move
  FROM (SELECT r.xmin::text <> b.writer AS is_written,
               (r.r_score, r.f_score, r.m_score, r.segment, r.lifecycle_stage, r.grade, r.tier, r.tier_reason, r.drops_on)
               IS DISTINCT FROM (b.r_score, b.f_score, b.m_score, b.segment, b.lifecycle_stage, b.grade, b.tier, b.tier_reason, b.drops_on) AS has_crossed,
               (v.p_alive, v.p_active, v.expected_purchases, v.clv) IS DISTINCT FROM (b.p_alive, b.p_active, b.expected_purchases, b.clv) AS predictions_moved
          FROM mbg_nbd.rating r JOIN mbg_nbd.ratings v USING (customer_id) JOIN before b USING (customer_id)) w;

-- What is edited changes nothing that is read, until the next refresh.
CREATE TEMP TABLE seen AS SELECT * FROM mbg_nbd.ratings;
UPDATE mbg_nbd.settings SET horizon_days = 30, churn_days = 20, annual_discount = 0.5, margin = 0.9;
(TABLE seen EXCEPT ALL SELECT * FROM mbg_nbd.ratings) UNION ALL (SELECT * FROM mbg_nbd.ratings EXCEPT ALL TABLE seen);
CALL customer_tier.fit('mbg_nbd', '2024-12-03');
(TABLE seen EXCEPT ALL SELECT * FROM mbg_nbd.ratings) UNION ALL (SELECT * FROM mbg_nbd.ratings EXCEPT ALL TABLE seen);
CALL customer_tier.refresh('mbg_nbd', '2024-12-03');
SELECT * FROM differences('mbg_nbd');
SELECT run.as_of, run.is_repeat, run.purchase_model_id = m.model_id AS newest, run.rated_as_of, run.horizon_days, run.churn_days, run.annual_discount, run.margin,
       (SELECT count(*) > 500 FROM seen JOIN mbg_nbd.ratings r USING (customer_id) WHERE seen.expected_purchases <> r.expected_purchases) AS other_predictions
  FROM mbg_nbd.run, mbg_nbd.model m WHERE run.is_current AND m.is_current AND m.kind = 'purchase';
-- A repeat takes them over.
TRUNCATE seen;
INSERT INTO seen TABLE mbg_nbd.ratings;
CALL customer_tier.refresh('mbg_nbd', '2024-12-03');
SELECT is_repeat, changed, rated_as_of, horizon_days, churn_days, annual_discount, margin FROM mbg_nbd.run WHERE is_current;
(TABLE seen EXCEPT ALL SELECT * FROM mbg_nbd.ratings) UNION ALL (SELECT * FROM mbg_nbd.ratings EXCEPT ALL TABLE seen);
SELECT * FROM differences('mbg_nbd');
-- The margin of the program is no customer's own; nobody is written because of it.
UPDATE mbg_nbd.settings SET margin = 0.5;
CALL customer_tier.refresh('mbg_nbd', '2024-12-03');
SELECT changed, is_repeat, (SELECT count(*) FROM mbg_nbd.ratings r JOIN seen USING (customer_id) WHERE r.clv < seen.clv) > 500 AS less_worth FROM mbg_nbd.run WHERE is_current;
SELECT * FROM differences('mbg_nbd');

-- Predictions as dimensions and in rules of tiers, which a refresh does need.
SELECT customer_tier.set_scorecard('pareto_nbd', '[{"feature": "recency"}, {"feature": "clv", "method": "z_score"}, {"feature": "expected_purchases"}]');
UPDATE pareto_nbd.tier SET entry = '{"score": 60, "p_alive": 0.5}', min_score = NULL WHERE code = 'gold';
CALL customer_tier.refresh('pareto_nbd', '2024-12-02');
SELECT * FROM differences('pareto_nbd');
SELECT count(*) > 10 AS gold, min(p_alive) >= 0.5 AS alive FROM pareto_nbd.ratings WHERE tier = 'gold';
-- The same with scales that are frozen, and on any day after.
UPDATE pareto_nbd.scorecard SET frozen_scale = true;
CALL customer_tier.refresh('pareto_nbd', '2024-12-20');
SELECT is_frozen FROM pareto_nbd.run WHERE is_current;
SELECT * FROM differences('pareto_nbd');
SELECT t.tier, t.clv = r.clv AS clv, t.average_clv = r.average AS average
  FROM pareto_nbd.tiers t JOIN (SELECT tier, sum(clv) AS clv, round(avg(clv), 4) AS average FROM pareto_nbd.ratings GROUP BY tier) r USING (tier) ORDER BY 1;
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE n.clv IS DISTINCT FROM r.clv) AS wrong FROM pareto_nbd.near_upgrade n JOIN pareto_nbd.ratings r USING (customer_id);
SELECT count(*) FILTER (WHERE n.clv IS DISTINCT FROM r.clv) AS wrong FROM pareto_nbd.at_risk_of_downgrade n JOIN pareto_nbd.ratings r USING (customer_id);

-- Without a spend model, and without any.
CREATE TABLE free AS SELECT customer_id, at, 0 AS amount FROM orders WHERE customer_id < 300;
SELECT customer_tier.create_program('free', 'free', 'customer_id', 'at', 'amount');
CALL customer_tier.refresh('free', '2024-11-30');
SELECT * FROM known('free');
SELECT * FROM differences('free');
UPDATE free.settings SET purchase_model = 'none';
SELECT count(p_alive) > 200 AS still FROM free.ratings;
CALL customer_tier.refresh('free', '2024-11-30');
SELECT * FROM known('free');
SELECT * FROM differences('free');

-- After rewind_tiers() the numbers are those of the day that was taken back; a
-- refresh makes them anew, though nothing is new.
CALL customer_tier.refresh('bg_nbd', '2024-12-25');
CREATE TEMP TABLE later AS SELECT customer_id, p_alive, p_active, expected_purchases, expected_spend, clv FROM bg_nbd.ratings;
SELECT customer_tier.rewind_tiers('bg_nbd', '2024-12-01') IS NOT NULL AS rewound;
SELECT as_of, rated_as_of FROM bg_nbd.run WHERE is_current;
SELECT count(*) > 500 AS many, count(*) FILTER (WHERE (r.p_alive, r.p_active, r.expected_purchases, r.expected_spend, r.clv) IS DISTINCT FROM (l.p_alive, l.p_active, l.expected_purchases, l.expected_spend, l.clv)) AS changed
  FROM bg_nbd.ratings r JOIN later l USING (customer_id);
CALL customer_tier.refresh('bg_nbd', '2024-12-01');
SELECT as_of, rated_as_of, is_repeat FROM bg_nbd.run WHERE is_current;
SELECT * FROM differences('bg_nbd');
SELECT customer_tier.rewind_tiers('none', '2024-11-30') IS NOT NULL AS rewound;
CALL customer_tier.refresh('none', '2024-11-30');
SELECT as_of, rated_as_of, is_repeat, changed > 0 AS changed FROM none.run WHERE is_current;
SELECT * FROM differences('none');

-- Who is rated alone, on frozen scales, and the others beside him; not on what
-- rewind_tiers() left.
CREATE TABLE live AS SELECT customer_id, at, amount FROM orders WHERE at < '2024-12-02';
CREATE INDEX ON live (customer_id);
SELECT customer_tier.create_program('live', 'live', 'customer_id', 'at', 'amount', tracking => 'triggers');
UPDATE live.scorecard SET frozen_scale = true;
CALL customer_tier.refresh('live', '2024-11-30');
CALL customer_tier.refresh('live', '2024-11-30', full_build => true);
INSERT INTO live VALUES (7, '2024-11-29', 100), (8, '2024-11-30', 1000);
CALL customer_tier.refresh('live', '2024-11-30');
SELECT is_partial, changed FROM live.run WHERE is_current;
SELECT * FROM differences('live');
CALL customer_tier.refresh('live', '2024-12-20');
SELECT customer_tier.rewind_tiers('live', '2024-11-30') IS NOT NULL AS rewound;
INSERT INTO live VALUES (9, '2024-11-29', 100);
CALL customer_tier.refresh('live', '2024-11-30');
SELECT is_partial, rated_as_of, changed > 100 AS many FROM live.run WHERE is_current;
SELECT * FROM differences('live');

-- What is not asked for is not worked out, and no model is read for it.
CREATE FUNCTION plan(query text, pattern text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
        RETURN QUERY SELECT DISTINCT m[1] FROM regexp_matches(line, pattern, 'g') m;
    END LOOP;
END $$;
SELECT q.query, ARRAY(SELECT DISTINCT trim(p) FROM plan(format(q.query, 'mbg_nbd'), '(stored_[a-z_]+|mbg_nbd\.(?:clv|p_[a-z]+|expected_[a-z]+)\(| on mbg_nbd\.(?:model|run)\y)') p ORDER BY 1) AS parts
  FROM (VALUES (1, 'SELECT count(*) FROM %I.ratings'), (2, 'SELECT tier, as_of, recency_days, score FROM %I.ratings WHERE customer_id = 7'), (3, 'SELECT sum(p_alive) FROM %I.ratings'),
               (4, 'SELECT customer_id, expected_spend FROM %I.ratings'), (5, 'SELECT customer_id FROM %I.ratings WHERE clv > 100'), (6, 'SELECT tier, members FROM %I.tiers'), (7, 'SELECT tier, clv FROM %I.tiers'),
               (8, 'SELECT customer_id, days_left FROM %I.at_risk_of_downgrade')) q (n, query) ORDER BY n;
-- In workers, too.
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(*) > 0 AS parallel FROM plan('SELECT sum(clv) FROM mbg_nbd.ratings', '(Gather)');
SELECT count(*) > 0 AS partial FROM plan('SELECT sum(clv) FROM mbg_nbd.ratings', '(Partial Aggregate)');
CREATE TEMP TABLE in_workers AS SELECT sum(clv) AS clv, sum(p_active) AS p_active FROM mbg_nbd.ratings;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
SET max_parallel_workers_per_gather = 0;
SELECT r.clv = w.clv AS clv, r.p_active = w.p_active AS p_active FROM in_workers w, (SELECT sum(clv) AS clv, sum(p_active) AS p_active FROM mbg_nbd.ratings) r;
RESET max_parallel_workers_per_gather;

-- A reader needs no more rights than before.
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA mbg_nbd TO regress_reader;
GRANT SELECT ON mbg_nbd.ratings, mbg_nbd.tiers TO regress_reader;
SET ROLE regress_reader;
SELECT count(clv) > 500 AS clv, count(p_alive) > 500 AS p_alive FROM mbg_nbd.ratings;
SELECT count(clv) > 2 AS clv FROM mbg_nbd.tiers;
SELECT count(*) FROM mbg_nbd.model;
RESET ROLE;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT customer_tier.create_program('strict', 'orders', 'customer_id', 'at', 'amount');
CALL customer_tier.refresh('strict', '2024-11-30');
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
GRANT USAGE ON SCHEMA strict TO regress_reader;
GRANT SELECT ON strict.ratings, strict.tiers, strict.at_risk_of_downgrade TO regress_reader;
SET ROLE regress_reader;
SELECT count(clv) > 500 AS clv, count(p_alive) > 500 AS p_alive FROM strict.ratings;
SELECT count(clv) > 2 AS clv FROM strict.tiers;
SELECT count(clv) >= 0 AS clv FROM strict.at_risk_of_downgrade;
SELECT count(*) FROM strict.features('2024-11-30');
RESET ROLE;
SELECT customer_tier.drop_program('strict');

-- A model that was edited into something else is an error, not a crash.
UPDATE mbg_nbd.model SET fitted = '{"version": 1}';
SELECT count(clv) FROM mbg_nbd.ratings;
SELECT count(tier) > 500 AS many FROM mbg_nbd.ratings;
DELETE FROM mbg_nbd.model;
SELECT count(clv) AS clv, count(*) > 500 AS many FROM mbg_nbd.ratings;

SELECT customer_tier.drop_program(name) FROM customer_tier.program ORDER BY name;
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
DROP TABLE orders, customers, free, live, before, seen, later, in_workers CASCADE;
DROP FUNCTION differences, known, plan;
