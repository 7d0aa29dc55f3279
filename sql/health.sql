-- verify(): what is stored against a full build; health(): whether a program goes on.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA health;
SET search_path = health;
CREATE TABLE orders (id int PRIMARY KEY, customer int, day date, amount numeric, changed int);
INSERT INTO orders SELECT i, i % 100, date '2024-01-01' + i % 300, i, i FROM generate_series(1, 3000) AS i;
ANALYZE orders;

-- Before there is anything.
SELECT customer_tier.create_program('health_t', 'orders', 'customer', 'day', 'amount', tracking => 'triggers', purchase_model => 'none');
SELECT "check", status, detail, action FROM customer_tier.health('health_t');
SELECT * FROM customer_tier.verify('health_t');
CREATE INDEX ON orders (customer);
CALL customer_tier.refresh('health_t', '2024-12-31');
SELECT "check", status, action FROM customer_tier.health('health_t');
SELECT * FROM customer_tier.verify('health_t');

-- What the histories should not be is found in all, or in a share of the customers.
UPDATE health_t.history SET source_rows = 3 WHERE customer_id = 7;
DELETE FROM health_t.history WHERE customer_id = 8;
UPDATE health_t.history SET history = (SELECT h.history FROM health_t.history AS h WHERE h.customer_id = 10) WHERE customer_id = 9;
INSERT INTO health_t.history (customer_id, history, source_rows) SELECT 1000, history, 30 FROM health_t.history WHERE customer_id = 10;
SELECT * FROM customer_tier.verify('health_t');
SELECT count(*) BETWEEN 1 AND 19 AS found_by_some FROM generate_series(1, 20) AS seed, customer_tier.verify('health_t', 0.5, seed) WHERE customer_id = '9';
SELECT * FROM customer_tier.verify('health_t', 0);
-- What the next refresh knows of is no difference.
INSERT INTO orders VALUES (3001, 7, '2024-02-01', 1, 3001), (3002, 8, '2024-02-01', 1, 3002), (3003, 9, '2024-02-01', 1, 3003);
SELECT * FROM customer_tier.verify('health_t');
CALL customer_tier.refresh('health_t', '2024-12-31', full_build => true);
SELECT * FROM customer_tier.verify('health_t');
SELECT count(*) FROM customer_tier.verify('health_t', 1.5);
SELECT count(*) FROM customer_tier.verify('health_t', 'NaN');
SELECT count(*) FROM customer_tier.verify('nobody');
SELECT count(*) FROM customer_tier.health(NULL);

-- Triggers that are disabled, gone, or not on a child.
ALTER TABLE orders DISABLE TRIGGER customer_tier_health_t_insert;
CREATE TABLE more_orders () INHERITS (orders);
SELECT "check", status, detail, action FROM customer_tier.health('health_t') WHERE "check" IN ('tracking', 'triggers');
SELECT * FROM customer_tier.verify('health_t');
SELECT customer_tier.track('health_t');
SELECT "check", status, detail, action FROM customer_tier.health('health_t') WHERE "check" IN ('tracking', 'triggers');
CALL customer_tier.refresh('health_t', '2024-12-31');
SELECT build, build_reason FROM health_t.run WHERE is_current;
SELECT "check", status, detail, action FROM customer_tier.health('health_t') WHERE "check" IN ('tracking', 'triggers');
SELECT customer_tier.untrack('health_t');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass;

SELECT customer_tier.track('health_t');
UPDATE health_t.settings SET tracking = 'full';
SELECT "check", status, detail, action FROM customer_tier.health('health_t') WHERE "check" = 'triggers';
UPDATE health_t.settings SET tracking = 'triggers';

-- What a program left that has another name now is taken off with the next
-- track(); what one left that is gone, by untrack() or drop_program().
CREATE FUNCTION tracked_for() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT customer_tier.tracked_for(tgargs) FROM pg_trigger WHERE tgrelid = 'orders'::regclass ORDER BY 1
$$;
ALTER SCHEMA health_t RENAME TO health_u;
SELECT customer_tier.adopt_program('health_u');
SELECT * FROM tracked_for();
SELECT customer_tier.track('health_t');
SELECT * FROM tracked_for();
-- The names of relations are told apart whatever a session does to them.
SET quote_all_identifiers = on;
CALL customer_tier.refresh('health_t', '2024-12-31');
CALL customer_tier.refresh('health_t', '2024-12-31');
RESET quote_all_identifiers;
SELECT build, build_reason FROM health_u.run WHERE is_current;
DROP SCHEMA health_u CASCADE;
SELECT * FROM tracked_for();
SELECT customer_tier.untrack('health_t');
SELECT * FROM tracked_for();
SELECT customer_tier.drop_program('health_t');

-- A key that is an array cannot be written down.
CREATE TABLE by_array (k int[], d date, a int);
SELECT customer_tier.create_program('health_a', 'by_array', 'k', 'd', 'a', tracking => 'triggers');

-- A day that is yet to come.
SELECT customer_tier.create_program('health_d', 'orders', 'customer', 'day', 'amount', purchase_model => 'none');
CALL customer_tier.refresh('health_d', '2999-12-31');

-- A view that also reads another table.
CREATE TABLE cancelled (id int PRIMARY KEY);
CREATE VIEW sales AS SELECT o.* FROM orders AS o WHERE NOT EXISTS (SELECT FROM cancelled AS c WHERE c.id = o.id);
SELECT customer_tier.create_program('health_v', 'sales', 'customer', 'day', 'amount', tracking => 'triggers', track => 'orders', purchase_model => 'none');
CALL customer_tier.refresh('health_v', '2024-12-31');
SELECT "check", status, detail, action FROM customer_tier.health('health_v') WHERE "check" = 'source';
INSERT INTO cancelled VALUES (105);
SELECT * FROM customer_tier.verify('health_v');
CALL customer_tier.refresh('health_v', '2024-12-31', full_build => true);
SELECT * FROM customer_tier.verify('health_v');

-- A watermark does not see what is deleted; verify() does.
SELECT customer_tier.create_program('health_w', 'orders', 'customer', 'day', 'amount', tracking => 'watermark', watermark => 'changed', watermark_lag => '5', purchase_model => 'none');
CALL customer_tier.refresh('health_w', '2024-12-31');
SELECT "check", status, detail, action FROM customer_tier.health('health_w') WHERE "check" IN ('tracking', 'index');
DELETE FROM orders WHERE id = 105;
CALL customer_tier.refresh('health_w', '2024-12-31');
SELECT * FROM customer_tier.verify('health_w');
CALL customer_tier.refresh('health_w', '2024-12-31', full_build => true);
SELECT * FROM customer_tier.verify('health_w');

-- Where everything is read each time, what came since is found when asked for.
SELECT customer_tier.create_program('health_f', 'orders', 'customer', 'day', 'amount', purchase_model => 'none');
CALL customer_tier.refresh('health_f', '2024-06-30');
INSERT INTO orders VALUES (3010, 5, '2024-02-01', 1, 3010), (3011, 6, '2024-12-01', 1, 3011);
SELECT * FROM customer_tier.verify('health_f');
SELECT * FROM customer_tier.verify('health_f', 1);

-- A settings problem comes first, alone; a failed run is told.
UPDATE health_f.settings SET max_bad_share = 0;
INSERT INTO orders VALUES (3012, 5, NULL, 1, 3012);
CALL customer_tier.refresh('health_f', '2024-06-30');
SELECT status, regexp_replace(detail, '^run .*: (?=health)', '') AS detail, action FROM customer_tier.health('health_f') WHERE "check" = 'last refresh';
UPDATE health_f.settings SET amount = 'gone';
SELECT "check", status, detail, action FROM customer_tier.health('health_f');

SELECT customer_tier.drop_program(p) FROM unnest('{health_d,health_v,health_w,health_f}'::text[]) AS p;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
RESET search_path;
DROP SCHEMA health CASCADE;
