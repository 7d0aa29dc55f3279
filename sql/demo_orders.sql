-- Orders of an invented shop: same seed, same rows; and like a shop's.
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE TEMP TABLE demo AS SELECT * FROM customer_tier.demo_orders(2000, 730, 42);

-- What it looks like.
SELECT * FROM customer_tier.demo_orders(3, 90, 249);

-- The same rows for the same seed, on every machine and in every version:
-- this hash may not change.
SELECT count(*), md5(string_agg(d::text, E'\n' ORDER BY order_id, amount)) FROM demo d;
SELECT count(*) AS differing FROM (
    (TABLE demo EXCEPT ALL SELECT * FROM customer_tier.demo_orders(2000, 730, 42))
    UNION ALL
    (SELECT * FROM customer_tier.demo_orders(2000, 730, 42) EXCEPT ALL TABLE demo)) d;

-- Another seed, other rows; a seed may be any number.
SELECT count(*) AS same FROM (
    SELECT ordered_at, amount FROM demo
    INTERSECT SELECT ordered_at, amount FROM customer_tier.demo_orders(2000, 730, 43)) d;
SELECT count(*) > 0 AS any FROM customer_tier.demo_orders(10, 730, -9223372036854775808);

-- A customer's rows do not depend on how many customers there are.
SELECT count(*) AS differing FROM (
    (SELECT * FROM demo WHERE customer_id <= 500
     EXCEPT ALL SELECT * FROM customer_tier.demo_orders(500, 730, 42))
    UNION ALL
    (SELECT * FROM customer_tier.demo_orders(500, 730, 42)
     EXCEPT ALL SELECT * FROM demo WHERE customer_id <= 500)) d;

-- All customers are there, with an order each; rows come by customer and order.
SELECT count(DISTINCT customer_id), min(customer_id), max(customer_id) FROM demo WHERE amount > 0;
SELECT count(*) AS out_of_order FROM (
    SELECT customer_id < lag(customer_id) OVER w AS falls,
           amount > 0 AND lag(customer_id) OVER w = customer_id
               AND order_id < max(order_id) FILTER (WHERE amount > 0) OVER w AS back
    FROM customer_tier.demo_orders(500, 730, 42) WITH ORDINALITY
    WINDOW w AS (ORDER BY ordinality)) d
WHERE falls OR back;

-- Nothing outside the days, up to the widest period.
SELECT days, min(ordered_at) >= last_day - days + 1 AS begins, max(ordered_at) < last_day + 1 AS ends
FROM unnest(ARRAY[1, 2, 7, 30, 730, 10000]) days, (SELECT date '2024-12-31') l (last_day),
     customer_tier.demo_orders(500, days, 7)
GROUP BY days, last_day ORDER BY days;
SELECT DISTINCT ordered_at::date FROM customer_tier.demo_orders(500, 1, 7);
SELECT min(ordered_at) BETWEEN '4713-01-01 BC' AND '4000-01-01 BC' AS far_back
FROM customer_tier.demo_orders(50, 2460639, 7);

-- A refund belongs to an order (its id is 5 * 10^7 less) of the same customer,
-- comes later, is the only one and gives back at most what was bought.
SELECT count(*) AS refunds, count(*) FILTER (WHERE NOT coalesce(
           r.customer_id = o.customer_id AND r.ordered_at > o.ordered_at
           AND -r.amount <= o.amount, false)) AS wrong,
       count(*) FILTER (WHERE -r.amount = o.amount) AS whole,
       count(*) FILTER (WHERE -r.amount < o.amount) AS part
FROM (SELECT * FROM demo WHERE amount < 0) r
LEFT JOIN (SELECT order_id, customer_id, ordered_at, sum(amount) AS amount
           FROM demo WHERE amount > 0 GROUP BY 1, 2, 3) o ON o.order_id = r.order_id - 50000000;
SELECT count(*) - count(DISTINCT order_id) AS refunded_twice FROM demo WHERE amount < 0;

-- Lines of one order fall at one moment and belong to one customer.
SELECT max(lines) > 1 AS several_lines, max(moments) AS moments, max(customers) AS customers
FROM (SELECT count(*) AS lines, count(DISTINCT ordered_at) AS moments,
             count(DISTINCT customer_id) AS customers
      FROM demo GROUP BY order_id) o;

-- Amounts are whole cents, never zero, and kept so.
SELECT count(*) AS odd FROM demo WHERE scale(amount) <> 2 OR amount = 0;

-- Like a shop's: see the figures in demo_orders.c.  Bounds are wide enough for
-- 2,000 customers.
CREATE TEMP TABLE buyer AS
SELECT customer_id, count(DISTINCT order_id) FILTER (WHERE amount > 0) AS orders, sum(amount) AS revenue
FROM demo GROUP BY customer_id;
SELECT avg(orders) BETWEEN 16 AND 21 AS orders_each,
       avg((orders = 1)::int) BETWEEN 0.33 AND 0.42 AS once_only,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY orders) BETWEEN 3 AND 6 AS median
FROM buyer;
SELECT sum(revenue) FILTER (WHERE place <= 0.1) / sum(revenue) BETWEEN 0.5 AND 0.7 AS best_tenth
FROM (SELECT revenue, cume_dist() OVER (ORDER BY revenue DESC) AS place FROM buyer) b;
SELECT avg(amount) BETWEEN 40 AND 50 AS order_value,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) BETWEEN 29 AND 36 AS median_value,
       avg((lines > 1)::int) BETWEEN 0.09 AND 0.11 AS several_lines
FROM (SELECT sum(amount) AS amount, count(*) AS lines FROM demo WHERE amount > 0 GROUP BY order_id) o;
SELECT count(*) FILTER (WHERE amount < 0)::numeric / count(DISTINCT order_id) BETWEEN 0.02 AND 0.04 AS refunded
FROM demo;
SELECT count(*) FILTER (WHERE extract(isodow FROM ordered_at) = 6)
       > 1.2 * count(*) FILTER (WHERE extract(isodow FROM ordered_at) = 2) AS saturday_is_busier,
       min(ordered_at::time) >= '08:00' AND max(ordered_at::time) < '22:00' AS opening_hours
FROM demo;
SELECT count(*) > 100 AS several_orders_a_day
FROM (SELECT FROM demo WHERE amount > 0 GROUP BY customer_id, ordered_at::date
      HAVING count(DISTINCT order_id) > 1) d;

-- No customers, no rows; a wrong argument is an error, not an empty shop.
SELECT * FROM customer_tier.demo_orders(0, 730, 42);
SELECT * FROM customer_tier.demo_orders(-1, 730, 42);
SELECT * FROM customer_tier.demo_orders(10, 0, 42);
SELECT * FROM customer_tier.demo_orders(10, -2147483648, 42);
SELECT * FROM customer_tier.demo_orders(10, 2460640, 42);
SELECT * FROM customer_tier.demo_orders(NULL, 730, 42);
SELECT * FROM customer_tier.demo_orders(10, NULL, 42);
SELECT * FROM customer_tier.demo_orders(10, 730, NULL);

-- In a select list rows stream: the first of 2,147,483,647 customers is there at once.
SELECT customer_tier.demo_orders(2147483647, 730, 42) LIMIT 1;

-- The planner knows about how many rows come, where it knows the arguments.
CREATE FUNCTION pg_temp.estimate(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT customers, days, pg_temp.estimate(format(
           'SELECT * FROM customer_tier.demo_orders(%s, %s, 42)', customers, days))
       / count(*) BETWEEN 0.85 AND 1.15 AS near
FROM (VALUES (2000, 730), (2000, 365), (2000, 30), (2000, 2000)) v (customers, days),
     customer_tier.demo_orders(customers, days, 42)
GROUP BY customers, days ORDER BY 1, 2;
SELECT pg_temp.estimate('SELECT * FROM customer_tier.demo_orders((random() * 10)::int, 730, 42)');
SELECT pg_temp.estimate('SELECT * FROM customer_tier.demo_orders(NULL, 730, 42)') AS unknown,
       pg_temp.estimate('SELECT * FROM customer_tier.demo_orders(-1, 730, 42)') AS wrong;
