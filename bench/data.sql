-- The tables of the benchmarks.  Expects :customers, :days, :seed and :only_orders.

SET work_mem = '2GB';
SET maintenance_work_mem = '1GB';

-- An order table lies in the order of time.
CREATE TABLE orders AS
SELECT customer_id, ordered_at, amount::numeric(12,2) AS amount
FROM customer_tier.demo_orders(:customers, :days, :seed) ORDER BY ordered_at, customer_id;
-- ANALYZE of a sample is wrong about how many customers there are, for every side.
ALTER TABLE orders ALTER customer_id SET (n_distinct = :customers);
VACUUM (FREEZE, ANALYZE) orders;

\if :only_orders
\q
\endif

-- A million rows by customer, for what reading an amount costs.
CREATE TABLE read_orders AS
SELECT customer_id, (ordered_at AT TIME ZONE 'UTC')::date AS day, (amount * 100)::bigint AS cents, amount
FROM orders WHERE customer_id <= 1000000 / 20 ORDER BY customer_id;
CREATE INDEX ON read_orders (customer_id);
VACUUM (FREEZE, ANALYZE) read_orders;

CREATE TABLE histories AS
SELECT customer_id, customer_tier.purchases(ordered_at, amount, 'UTC') AS history FROM orders GROUP BY customer_id;
CREATE TABLE feature AS
SELECT customer_id, recency::float8, frequency::float8, monetary::float8
FROM histories, customer_tier.rfm(history, '2024-12-31') WHERE frequency > 0
ORDER BY hashint8(customer_id);
VACUUM (FREEZE, ANALYZE) histories;
VACUUM (FREEZE, ANALYZE) feature;
