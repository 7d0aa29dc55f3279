-- What a refresh asks of the orders before it publishes.
\set SHOW_CONTEXT never
CREATE TABLE orders (customer_id int, day date, amount numeric);
INSERT INTO orders SELECT n % 100, date '2024-01-01' + n % 120, n % 50 FROM generate_series(0, 999) n;
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC');
SELECT * FROM shop.quality_gate;

-- The first run has nothing to compare with.
CALL customer_tier.refresh('shop', '2024-04-29');
SELECT * FROM shop.gate_result ORDER BY gate;
SELECT rows_read, customers_read FROM shop.run;

-- A warning, and it goes on; at the threshold it passes.
DELETE FROM orders WHERE ctid IN (SELECT ctid FROM orders ORDER BY amount, day, customer_id LIMIT 200);
CALL customer_tier.refresh('shop', '2024-04-30');
DELETE FROM orders WHERE customer_id < 30;
CALL customer_tier.refresh('shop', '2024-04-30');
SELECT * FROM shop.gate_result ORDER BY run_id, gate;

-- Stopped: yesterday's ratings stay, the run says why, and nothing is kept of it.
UPDATE shop.quality_gate SET action = 'stop' WHERE gate LIKE 'row%';
UPDATE shop.quality_gate SET threshold = 0.05 WHERE gate = 'customers_drop_share';
CREATE TABLE taken AS SELECT * FROM orders WHERE customer_id < 60;
CREATE TABLE before AS SELECT * FROM shop.ratings;
DELETE FROM orders WHERE customer_id < 60;
CALL customer_tier.refresh('shop', '2024-05-01');
SELECT status, error_code, error FROM shop.run ORDER BY run_id DESC LIMIT 1;
SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT * FROM shop.ratings) changed;
SELECT count(*) FROM shop.gate_result WHERE run_id = (SELECT max(run_id) FROM shop.run);
-- two at once: one is the error, the other its detail
UPDATE shop.quality_gate SET action = 'stop';
CALL customer_tier.refresh('shop', '2024-06-01');
-- What the hint says lets it through.
UPDATE shop.quality_gate SET threshold = 0.42 WHERE gate = 'row_drop_share';
CALL customer_tier.refresh('shop', '2024-05-01');
UPDATE shop.quality_gate SET threshold = 0.43 WHERE gate = 'row_drop_share';
UPDATE shop.quality_gate SET threshold = 0.43 WHERE gate = 'customers_drop_share';
UPDATE shop.quality_gate SET action = 'off' WHERE gate = 'freshness_days';
CALL customer_tier.refresh('shop', '2024-05-01');
SELECT gate, measured, earlier, value, threshold, passed, action FROM shop.gate_result WHERE run_id = (SELECT max(run_id) FROM shop.run) ORDER BY gate;

-- Growth: the rows come back, twice.
INSERT INTO orders SELECT * FROM taken UNION ALL SELECT * FROM taken UNION ALL SELECT * FROM taken;
CALL customer_tier.refresh('shop', '2024-05-01');
DELETE FROM shop.quality_gate WHERE gate = 'row_growth_share';
CALL customer_tier.refresh('shop', '2024-05-01');

-- Freshness: days from the newest order up to as_of; later ones do not count.
UPDATE shop.quality_gate SET action = 'stop', threshold = 10 WHERE gate = 'freshness_days';
INSERT INTO orders VALUES (1, '2030-01-01', 5);
CALL customer_tier.refresh('shop', '2024-05-09');
CALL customer_tier.refresh('shop', '2024-05-10');
CALL customer_tier.refresh('shop', '2024-05-10');
TRUNCATE orders;
UPDATE shop.quality_gate SET action = 'warn' WHERE gate <> 'freshness_days';
CALL customer_tier.refresh('shop', '2024-05-10');
UPDATE shop.quality_gate SET action = 'warn' WHERE gate = 'freshness_days';
CALL customer_tier.refresh('shop', '2024-05-10');
-- From nothing there is no share.
INSERT INTO orders SELECT * FROM taken;
CALL customer_tier.refresh('shop', '2024-05-10');
SELECT gate, measured, earlier, value, passed FROM shop.gate_result WHERE run_id = (SELECT max(run_id) FROM shop.run) ORDER BY gate;

-- What a row can say.
UPDATE shop.quality_gate SET threshold = 'NaN' WHERE gate = 'freshness_days';
UPDATE shop.quality_gate SET threshold = -1 WHERE gate = 'freshness_days';
UPDATE shop.quality_gate SET action = 'shout' WHERE gate = 'freshness_days';
INSERT INTO shop.quality_gate VALUES ('vibes', 0.5, 'stop');
SELECT * FROM customer_tier.check_program('shop');
DELETE FROM shop.quality_gate WHERE gate = 'vibes';
DELETE FROM shop.run WHERE NOT is_current;
SELECT count(DISTINCT run_id) FROM shop.gate_result;

SELECT customer_tier.drop_program('shop');
DROP TABLE orders, taken, before;
