-- Bad input to a program's functions: an errcode, the offending value, a hint;
-- and nothing is changed.
\set SHOW_CONTEXT never
CREATE TABLE orders (id int, customer_id int, ordered_at timestamp, amount numeric, remark text, cost money, doc json, flag boolean);
CREATE TABLE customers (id int, code text, big bigint);
CREATE INDEX orders_index ON orders (id);
CREATE SEQUENCE orders_sequence;
CREATE TEMP TABLE fleeting (customer_id int, ordered_at date, amount numeric);
CREATE FUNCTION try(options text) RETURNS TABLE (code text, message text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT customer_tier.create_program(' || options || ')';
    RETURN QUERY SELECT '00000', 'no error', NULL::text;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
\x on
SELECT * FROM try($$ 'p', 'nowhere', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 0, 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', NULL, 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ NULL, 'orders', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ '', 'orders', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'pg_shop', 'orders', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', schema => 'customer_tier' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', schema => 'public' $$);
SELECT * FROM try($$ repeat('p', 64), 'orders', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders_index', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders_sequence', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'fleeting', 'customer_id', 'ordered_at', 'amount' $$) WHERE code <> '42809' OR message NOT LIKE '%is a temporary relation%';
SELECT * FROM try($$ 'p', 'orders', NULL, 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'ctid', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'doc', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', NULL, 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'day', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'remark', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'id', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', NULL $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'price' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'remark' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'cost' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', order_id => 'number' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', order_id => 'doc' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', margin_column => 'share' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', margin_column => 'remark' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', margin_column => 'cost' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers => 'orders_index', customers_key => 'id' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers => 1, customers_key => 'id' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers => 'customers' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers => 'customers', customers_key => 'key' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers => 'customers', customers_key => 'code' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers => 'customers', customers_key => 'big' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', customers_key => 'id' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', time_zone => 'Mars/Olympus' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', time_zone => '' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', segment_map => 'grid99' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', segment_map => NULL $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', monetary => 'profit' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', monetary => NULL $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', window_days => 0 $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', window_days => -365 $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => NULL $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{1,2}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{{1,2,3}}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{1,2,-1}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{0,0,0}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{1,NULL,1}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{1,NaN,1}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{1,Infinity,1}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', weights => '{1e308,1e308,1e308}' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', on_bad_row => 'ignore' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', max_bad_share => 1.5 $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', max_bad_share => 'NaN' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', max_bad_share => NULL $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', preset => 'premium' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', preset => NULL $$);

-- Maps and presets of one's own, broken ones.
BEGIN;
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to) VALUES
    ('gaps', 1, 'old', 'Old', '旧', 3, 1, 1), ('gaps', 2, 'new', 'New', '新', 3, 3, 3);
INSERT INTO customer_tier.tier_preset VALUES ('holes', 1, 'base', 'Base', '基', NULL), ('holes', 3, 'top', 'Top', '顶', 90),
    ('falling', 1, 'base', 'Base', '基', NULL), ('falling', 2, 'mid', 'Mid', '中', 90), ('falling', 3, 'top', 'Top', '顶', 80);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', segment_map => 'gaps' $$);
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to) VALUES ('gaps', 3, 'mid', 'Mid', '中', 4, 2, 2);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', segment_map => 'gaps' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', preset => 'holes' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', preset => 'falling' $$);
ROLLBACK;
\x off
SELECT count(*) FROM customer_tier.program;
SELECT count(*) FROM pg_namespace WHERE nspname = 'p';
INSERT INTO customer_tier.tier_preset VALUES ('own', 1, 'base', 'Base', '基', 101);
INSERT INTO customer_tier.tier_preset VALUES ('own', 0, 'base', 'Base', '基', NULL);

-- A program that exists, a schema that exists.
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount' $$);
SELECT * FROM try($$ 'p', 'orders', 'customer_id', 'ordered_at', 'amount', schema => 'p2' $$);
SELECT * FROM try($$ 'p2', 'orders', 'customer_id', 'ordered_at', 'amount', schema => 'p' $$);
SELECT name, schema FROM customer_tier.program;

-- The other functions.
CALL customer_tier.refresh(NULL);
CALL customer_tier.refresh('q');
CALL customer_tier.refresh('p', 'infinity');
CALL customer_tier.refresh('p', '-infinity');
SELECT count(*) FROM p.run;
SELECT * FROM customer_tier.check_program(NULL);
SELECT * FROM customer_tier.check_program('q');
SELECT * FROM customer_tier.audit(NULL);
SELECT * FROM customer_tier.audit('q');
SELECT customer_tier.drop_program(NULL);
SELECT customer_tier.drop_program('q');
SELECT customer_tier.adopt_program(NULL);
SELECT customer_tier.adopt_program('q');
SELECT customer_tier.adopt_program('public');

-- The settings' own rules.
\set VERBOSITY terse
UPDATE p.settings SET monetary = 'profit';
UPDATE p.settings SET window_days = 0;
UPDATE p.dimension SET weight = -1;
UPDATE p.dimension SET weight = 'NaN';
UPDATE p.settings SET max_bad_share = 2;
\set VERBOSITY default
INSERT INTO p.settings SELECT * FROM p.settings;
INSERT INTO p.settings SELECT false, (s).program FROM (SELECT s FROM p.settings s) t;

-- Bad rows: skipped and counted, too many of them, or none at all.
INSERT INTO orders (id, customer_id, ordered_at, amount)
SELECT n, n % 10, date '2024-01-01' + n, n FROM generate_series(1, 198) n;
INSERT INTO orders (id, customer_id, ordered_at, amount) VALUES (199, NULL, '2024-01-01', 1), (200, 1, NULL, 1);
CALL customer_tier.refresh('p', '2024-08-01');
SELECT rows_read, rows_bad, buyers FROM p.run ORDER BY run_id DESC LIMIT 1;
INSERT INTO orders (id, customer_id, ordered_at, amount) VALUES (201, 1, '2024-01-01', 'NaN');
CALL customer_tier.refresh('p', '2024-08-02');
\echo :LAST_ERROR_SQLSTATE
SELECT DISTINCT as_of FROM p.ratings;
SELECT count(*) FROM p.history;
UPDATE p.settings SET max_bad_share = 1, on_bad_row = 'error';
CALL customer_tier.refresh('p', '2024-08-02');
UPDATE p.settings SET on_bad_row = 'skip';
INSERT INTO orders (id, customer_id, ordered_at, amount) VALUES (202, 1, '-infinity', 1), (203, 1, 'infinity', 1), (204, 77, '2024-01-01', NULL);
CALL customer_tier.refresh('p', '2024-08-02');
SELECT rows_read, rows_bad, buyers FROM p.run ORDER BY run_id DESC LIMIT 1;

-- The source changes its shape, or goes.
ALTER TABLE orders RENAME COLUMN amount TO total;
CALL customer_tier.refresh('p', '2024-08-02');
UPDATE p.settings SET amount = 'total';
CALL customer_tier.refresh('p', '2024-08-02');
SELECT changed FROM p.run ORDER BY run_id DESC LIMIT 1;
ALTER TABLE orders ALTER customer_id TYPE text;
CALL customer_tier.refresh('p', '2024-08-02');
ALTER TABLE orders RENAME TO sales;
CALL customer_tier.refresh('p', '2024-08-02');
SELECT count(*) FROM p.ratings;
SELECT customer_tier.drop_program('p');
DROP FUNCTION try;
DROP TABLE sales, customers;
DROP SEQUENCE orders_sequence;
