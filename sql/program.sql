-- A program from end to end: create, refresh, read, refresh again, drop.
\set SHOW_CONTEXT never
CREATE TABLE orders (order_id bigint, customer_id bigint, ordered_at timestamptz, amount numeric(12,2));
INSERT INTO orders
SELECT n, 1 + n % 20, timestamptz '2024-01-01 12:00:00+00' + n * interval '17 hours', (n * 37 % 101) + 0.25
  FROM generate_series(1, 300) n
 WHERE n % (1 + n % 20) < 4;
INSERT INTO orders VALUES (1001, 3, '2024-07-01 10:00+00', -20), (1002, 5, '2024-07-02 10:00+00', 0);

SELECT customer_tier.create_program('retail', source => 'public.orders', customer => 'customer_id',
                                    at => 'ordered_at', amount => 'amount', time_zone => 'UTC');
SELECT * FROM customer_tier.program;
SELECT * FROM customer_tier.check_program('retail');
SELECT count(*) FROM retail.ratings;

CALL customer_tier.refresh('retail', '2024-08-01');
SELECT customer_id, as_of, last_day, recency_days, orders, revenue, refunded, rfm_cell, segment, score, tier, tier_reason, score_to_next_tier
  FROM retail.ratings ORDER BY score DESC, customer_id;
SELECT run_id, status, as_of, as_of_is_default, rows_read, rows_bad, newest_day, customers, buyers, prospects, changed, scores,
       r_cuts, f_cuts, m_cuts, compare, error
  FROM retail.run;

-- The view's columns, each explained.
SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, col_description(a.attrelid, a.attnum) AS comment
  FROM pg_attribute a WHERE a.attrelid = 'retail.ratings'::regclass AND a.attnum > 0 ORDER BY a.attnum;

-- Everything in the schema has its comment, and nothing of it belongs to the extension.
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = 'retail'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'retail'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0
   AND col_description(a.attrelid, a.attnum) IS NULL;
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace = 'retail'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT count(*) FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
 WHERE c.relnamespace = 'retail'::regnamespace AND d.deptype = 'e';

-- Nothing new, nothing written.
CREATE TEMP TABLE before AS SELECT ctid AS was_at, xmin AS writer, * FROM retail.rating;
CALL customer_tier.refresh('retail', '2024-08-01');
SELECT run_id, status, changed FROM retail.run ORDER BY run_id;
SELECT count(*) FROM retail.rating r JOIN before b ON r.ctid = b.was_at AND r.xmin = b.writer;

-- A new order changes what it changes; tier_since and previous_tier tell.
INSERT INTO orders SELECT 2000 + n, 19, '2024-08-03 09:00+00', 500 FROM generate_series(1, 9) n;
CALL customer_tier.refresh('retail', '2024-08-05');
SELECT customer_id, tier, tier_since, previous_tier, score FROM retail.ratings WHERE tier_since > '2024-08-01' ORDER BY 1;
-- Back to an earlier day, from the histories alone.
SELECT customer_tier.rewind_tiers('retail', '2024-08-01') > 0 AS went_back;
CALL customer_tier.refresh('retail', '2024-08-01');
SELECT customer_id, tier, tier_since, previous_tier FROM retail.ratings WHERE previous_tier IS NOT NULL OR tier_since > as_of ORDER BY 1;

SELECT customer_tier.rewind_tiers('retail', '2024-07-15') > 0 AS went_back;
CALL customer_tier.refresh('retail', '2024-07-15');
SELECT count(*) FILTER (WHERE tier_since > as_of) AS in_the_future, count(*) FILTER (WHERE tier_since = as_of) AS since_today FROM retail.ratings;
CALL customer_tier.refresh('retail', '2024-08-01');

-- rate() on the scale of a run is what that run published, and \sf shows it.
(SELECT customer_id, score, tier FROM retail.rate('2024-08-01', 6) EXCEPT ALL SELECT customer_id, score, tier FROM retail.ratings)
UNION ALL
(SELECT customer_id, score, tier FROM retail.ratings EXCEPT ALL SELECT customer_id, score, tier FROM retail.rate('2024-08-01', 6));
SELECT count(*), count(score) FROM retail.rate('2024-01-31');
SELECT count(*) FROM retail.rate('2023-12-31');
\sf retail.features
\sf retail.rate
SELECT * FROM retail.rate('2024-08-01', 4711);
SELECT run_id, has_scales, is_reference, (SELECT count(distribution) FROM retail.run_dimension d WHERE d.run_id = run.run_id) AS distributions FROM retail.run ORDER BY run_id;
SELECT * FROM retail.rate('2024-08-01', 2);

-- What is edited in between shows nothing but its labels until a refresh.
UPDATE retail.tier SET min_score = 99, label = 'Gilded' WHERE code = 'gold';
UPDATE retail.tier SET min_score = 100 WHERE code = 'platinum';
UPDATE retail.settings SET segment_map = 'cn8';
UPDATE retail.dimension SET weight = CASE name WHEN 'recency' THEN 1 ELSE 0 END;
UPDATE retail.segment SET label = 'Heroes' WHERE code = 'champions';
SELECT tier, tier_label, count(*) FROM retail.ratings GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) FILTER (WHERE segment_label = 'Heroes') AS heroes FROM retail.ratings;
SELECT count(*) AS differs FROM retail.rate('2024-08-01', 6) f JOIN retail.scored_rating r USING (customer_id) WHERE f.tier <> r.tier OR f.score <> r.score;
CALL customer_tier.refresh('retail', '2024-08-01');
SELECT tier, tier_label, count(*) FROM retail.ratings GROUP BY 1, 2 ORDER BY 1;
SELECT segment, segment_label, segment_label_zh, count(*) FROM retail.ratings GROUP BY 1, 2, 3 ORDER BY 1;
SELECT compare FROM retail.run ORDER BY run_id DESC LIMIT 1;

-- What is wrong is named, recorded, and changes nothing.
UPDATE retail.tier SET min_score = 30 WHERE code = 'platinum';
UPDATE retail.settings SET time_zone = 'Mars/Olympus';
UPDATE retail.dimension SET weight = 0;
SELECT * FROM customer_tier.check_program('retail');
CALL customer_tier.refresh('retail', '2024-08-01');
\echo :LAST_ERROR_SQLSTATE
SELECT run_id, status, error_code, error, finished_at >= started_at AS finished FROM retail.run ORDER BY run_id DESC LIMIT 1;
SELECT tier, count(*) FROM retail.ratings GROUP BY 1 ORDER BY 1;
UPDATE retail.settings SET time_zone = 'UTC', segment_map = 'grid25';
UPDATE retail.dimension SET weight = CASE name WHEN 'recency' THEN 0.25 WHEN 'frequency' THEN 0.35 ELSE 0.40 END;
UPDATE retail.tier SET min_score = 80 WHERE code = 'platinum';
UPDATE retail.tier SET min_score = 60 WHERE code = 'gold';
DELETE FROM retail.tier WHERE code = 'silver';
SELECT problem FROM customer_tier.check_program('retail');
DELETE FROM retail.tier WHERE code = 'bronze';
SELECT problem FROM customer_tier.check_program('retail');
DELETE FROM retail.tier;
SELECT problem FROM customer_tier.check_program('retail');
INSERT INTO retail.tier VALUES (1, 'all', 'All', '全部', 10);
SELECT problem FROM customer_tier.check_program('retail');
UPDATE retail.tier SET min_score = NULL;
CALL customer_tier.refresh('retail', '2024-08-01');
SELECT tier, tier_reason, tier_since, score_to_next_tier, count(*) FROM retail.ratings GROUP BY 1, 2, 3, 4;
TRUNCATE retail.settings;
CALL customer_tier.refresh('retail', '2024-08-01');

-- Dropped, and the orders stay.
SELECT customer_tier.drop_program('retail');
SELECT count(*) FROM customer_tier.program;
SELECT count(*) FROM pg_namespace WHERE nspname = 'retail';
SELECT count(*) > 0 FROM orders;

-- The default day is yesterday in the program's zone; old orders make it warn.
SELECT customer_tier.create_program('today', 'orders', 'customer_id', 'ordered_at', 'amount', time_zone => 'Asia/Shanghai');
\set VERBOSITY terse
SET client_min_messages = error;
CALL customer_tier.refresh('today');
RESET client_min_messages;
SELECT as_of = (now() AT TIME ZONE 'Asia/Shanghai')::date - 1 AS is_yesterday, as_of_is_default FROM today.run;
INSERT INTO orders VALUES (1, 1, now() - interval '2 days', 10);
CALL customer_tier.refresh('today');
\set VERBOSITY default

-- Inside a transaction, a function or a DO block a refresh is part of it.
BEGIN;
SELECT customer_tier.rewind_tiers('today', '2024-06-30') > 0 AS went_back;
CALL customer_tier.refresh('today', '2024-06-30');
SELECT DISTINCT as_of FROM today.ratings;
ROLLBACK;
SELECT count(*) FROM today.run;
SELECT customer_tier.rewind_tiers('today', '2024-05-31') > 0 AS went_back;
DO $$ BEGIN CALL customer_tier.refresh('today', '2024-06-30'); END $$;
SELECT DISTINCT as_of FROM today.ratings;
CREATE FUNCTION refresh_and_fail() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM customer_tier.rewind_tiers('today', '2024-05-31');
    CALL customer_tier.refresh('today', '2024-05-31');
    RAISE EXCEPTION 'after all';
END $$;
SELECT refresh_and_fail();
BEGIN;
SELECT customer_tier.rewind_tiers('today', '2024-05-31') > 0 AS went_back;
SAVEPOINT before_refresh;
UPDATE today.settings SET source_name = 'nowhere';
CALL customer_tier.refresh('today', '2024-05-31');
ROLLBACK TO before_refresh;
CALL customer_tier.refresh('today', '2024-05-31');
COMMIT;
SELECT run_id, status, as_of FROM today.run WHERE NOT as_of_is_default ORDER BY 1;
-- A procedure may go on after it.
CREATE PROCEDURE nightly() LANGUAGE plpgsql AS $$
BEGIN
    CALL customer_tier.refresh('today', '2024-07-01');
    COMMIT;
    CALL customer_tier.refresh('today', '2024-07-02');
END $$;
CALL nightly();
SELECT status, as_of FROM today.run ORDER BY run_id DESC LIMIT 2;
BEGIN READ ONLY;
CALL customer_tier.refresh('today', '2024-07-01');
ROLLBACK;

-- DROP SCHEMA instead of drop_program: orders go on, the name can be used again.
SET client_min_messages = warning;
DROP SCHEMA today CASCADE;
RESET client_min_messages;
INSERT INTO orders VALUES (2, 2, now(), 10);
CALL customer_tier.refresh('today');
SELECT * FROM customer_tier.check_program('today');
SELECT customer_tier.create_program('today', 'orders', 'customer_id', 'ordered_at', 'amount', schema => 'another', time_zone => 'UTC');
CALL customer_tier.refresh('today', '2024-06-30');
SELECT count(*) FROM another.ratings;
SET client_min_messages = warning;
DROP SCHEMA another CASCADE;
RESET client_min_messages;
SELECT customer_tier.drop_program('today');
SELECT customer_tier.drop_program('today');
SELECT count(*) FROM customer_tier.program;
-- A schema that is renamed is adopted under its new name.
SELECT customer_tier.create_program('moves', 'orders', 'customer_id', 'ordered_at', 'amount', time_zone => 'UTC');
CALL customer_tier.refresh('moves', '2024-06-30');
ALTER SCHEMA moves RENAME TO moved;
CALL customer_tier.refresh('moves', '2024-06-30');
SELECT customer_tier.adopt_program('moved');
CALL customer_tier.refresh('moves', '2024-06-30');
SELECT name, schema FROM customer_tier.program;
SELECT run_id, changed FROM moved.run ORDER BY run_id;
SELECT count(*) FROM moved.rate('2024-06-30') r JOIN moved.ratings USING (customer_id, score, tier);
SELECT customer_tier.drop_program('moves');
DROP PROCEDURE nightly;
DROP FUNCTION refresh_and_fail;
DROP TABLE orders;
