-- What came after the ratings: against plain SQL over the orders, edges by hand,
-- errors. No row may come out of a query that begins with "differs".
\set SHOW_CONTEXT never
\pset null NULL
SET client_min_messages = warning;
SET jit = off;

CREATE TABLE orders AS
SELECT customer_id, CAST(ordered_at AT TIME ZONE 'UTC' AS date) AS day, amount FROM customer_tier.demo_orders(200, 730, 5);
-- refunds: of a part, of everything, and of more than there was
INSERT INTO orders
SELECT customer_id, LEAST(day + 20, '2024-12-31'), - amount * (1 + customer_id % 3) / 2 FROM orders WHERE customer_id % 7 = 0 AND amount > 0;
CREATE TABLE customers AS SELECT g AS customer_id FROM generate_series(1, 210) AS g;
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC', purchase_model => 'none',
	customers => 'customers', customers_key => 'customer_id');

-- nothing is there yet
SELECT customer_tier.backtest('shop', '2024-03-31');
\echo :SQLSTATE
CALL customer_tier.refresh('shop', '2024-12-31');

-- ---------- an oracle ----------

CREATE FUNCTION seen(as_of date, horizon int) RETURNS TABLE (customer_id bigint, tier text, tier_rank int, predictor text, value numeric, orders bigint, revenue numeric)
LANGUAGE sql STABLE AS $$
	SELECT r.customer_id, r.tier, r.tier_rank, p.predictor, p.value, n.orders, n.revenue
	FROM shop.rate($1) AS r,
		LATERAL (SELECT count(*) FILTER (WHERE amount >= 0) AS orders, coalesce(sum(amount), 0) AS revenue
			FROM public.orders AS o WHERE o.customer_id = r.customer_id AND o.day > $1 AND o.day <= $1 + $2) AS n,
		LATERAL (SELECT coalesce(sum(amount), 0) AS revenue
			FROM public.orders AS o WHERE o.customer_id = r.customer_id AND o.day > $1 - $2 AND o.day <= $1) AS last,
		LATERAL (VALUES ('score', r.score), ('rfm', (r.r_score + r.f_score + r.m_score) / 3.0), ('revenue', last.revenue), ('tier', r.tier_rank)) AS p (predictor, value)
	WHERE r.score IS NOT NULL
$$;

CREATE FUNCTION oracle(as_of date, horizon int) RETURNS TABLE (predictor text, "grouping" text, group_no int, label text, customers bigint, share numeric, orders bigint, revenue numeric,
	revenue_share numeric, cumulative numeric, per_customer numeric, lift numeric, survival numeric)
LANGUAGE sql STABLE AS $$
	WITH seen AS MATERIALIZED (SELECT * FROM public.seen($1, $2)),
	total AS (SELECT count(*)::numeric AS n, CASE WHEN sum(revenue) > 0 THEN sum(revenue) END AS revenue FROM seen WHERE predictor = 'score'),
	grouped AS (
		SELECT *, CASE WHEN predictor = 'tier' THEN 1 + (SELECT count(DISTINCT b.value) FROM seen AS b WHERE b.predictor = 'tier' AND b.value > a.value)
			ELSE 1 + floor(10 * (SELECT count(*) FROM seen AS b WHERE b.predictor = a.predictor AND b.value > a.value) / total.n) END::int AS group_no
		FROM seen AS a, total AS total (n, all_revenue)
	)
	SELECT predictor, CASE WHEN predictor = 'tier' THEN 'tier' ELSE 'decile' END, group_no, CASE WHEN predictor = 'tier' THEN min(tier) ELSE 'decile ' || group_no END,
		count(*), round(count(*) / n, 9), sum(orders)::bigint, sum(revenue), round(sum(revenue) / all_revenue, 9),
		round((SELECT sum(b.revenue) FROM grouped AS b WHERE b.predictor = a.predictor AND b.group_no <= a.group_no) / all_revenue, 9),
		round(avg(revenue), 9), round(avg(revenue) / (all_revenue / n), 9), round(avg((orders > 0)::int), 9)
	FROM grouped AS a
	GROUP BY predictor, group_no, n, all_revenue
$$;

-- Average ranks, the built-in correlation, trapezoids under the curve of revenue,
-- straight lines between its points, and every pair of who came back and who did not.
CREATE FUNCTION oracle_summary(as_of date, horizon int) RETURNS TABLE (predictor text, customers bigint, spearman_revenue numeric, spearman_orders numeric,
	gini numeric, normalised numeric, auc numeric, top_customers bigint, top_tier_share numeric, top_share numeric, tenth_share numeric)
LANGUAGE sql STABLE AS $$
	WITH one AS MATERIALIZED (SELECT * FROM public.seen($1, $2)),
	seen AS MATERIALIZED (SELECT * FROM one WHERE predictor <> 'tier' UNION ALL SELECT customer_id, tier, tier_rank, 'perfect', revenue, orders, revenue FROM one WHERE predictor = 'score'),
	total AS (SELECT count(*) AS n, sum(revenue) AS revenue, sum(revenue) > 0 AS has_shares, count(*) FILTER (WHERE tier_rank = (SELECT max(tier_rank) FROM one)) AS top,
		sum(revenue) FILTER (WHERE tier_rank = (SELECT max(tier_rank) FROM one)) AS top_revenue FROM one WHERE predictor = 'score'),
	numbered AS (
		SELECT predictor, orders, revenue, value, row_number() OVER (PARTITION BY predictor ORDER BY value) AS by_value,
			row_number() OVER (PARTITION BY predictor ORDER BY revenue) AS by_revenue, row_number() OVER (PARTITION BY predictor ORDER BY orders) AS by_orders
		FROM seen
	),
	ranked AS (
		SELECT predictor, avg(by_value) OVER (PARTITION BY predictor, value)::float8 AS x,
			avg(by_revenue) OVER (PARTITION BY predictor, revenue)::float8 AS y, avg(by_orders) OVER (PARTITION BY predictor, orders)::float8 AS z
		FROM numbered
	),
	curve AS MATERIALIZED (
		SELECT predictor, lag(share, 1, 0::numeric) OVER w AS from_share, share, lag(revenue, 1, 0::numeric) OVER w AS from_revenue, revenue
		FROM (SELECT DISTINCT a.predictor, a.value,
				(SELECT count(*) FROM seen AS b WHERE b.predictor = a.predictor AND b.value >= a.value) / total.n::numeric AS share,
				(SELECT sum(b.revenue) FROM seen AS b WHERE b.predictor = a.predictor AND b.value >= a.value) / total.revenue AS revenue
			FROM seen AS a, total) AS c
		WINDOW w AS (PARTITION BY predictor ORDER BY share)
	),
	area AS (SELECT predictor, 2 * sum((share - from_share) * (from_revenue + revenue) / 2) - 1 AS gini FROM curve GROUP BY 1),
	pairs AS (
		SELECT predictor, avg(CASE WHEN good.value > bad.value THEN 1 WHEN good.value = bad.value THEN 0.5 ELSE 0 END) AS auc
		FROM seen AS good JOIN seen AS bad USING (predictor) WHERE good.orders > 0 AND bad.orders = 0 GROUP BY 1
	)
	SELECT p.predictor, total.n, round(corr(r.x, r.y)::numeric, 9), round(corr(r.x, r.z)::numeric, 9),
		(SELECT round(gini, 9) FROM area WHERE area.predictor = p.predictor AND total.has_shares),
		(SELECT round(a.gini / b.gini, 9) FROM area AS a, area AS b WHERE a.predictor = p.predictor AND b.predictor = 'perfect'),
		(SELECT round(auc, 9) FROM pairs WHERE pairs.predictor = p.predictor),
		total.top, CASE WHEN p.predictor = 'score' AND total.has_shares THEN round(total.top_revenue / total.revenue, 9) END,
		(SELECT round(from_revenue + (revenue - from_revenue) * (total.top / total.n::numeric - from_share) / (share - from_share), 9) FROM curve AS c
			WHERE c.predictor = p.predictor AND total.has_shares AND total.top / total.n::numeric > from_share AND total.top / total.n::numeric <= share),
		(SELECT round(from_revenue + (revenue - from_revenue) * (0.1 - from_share) / (share - from_share), 9) FROM curve AS c
			WHERE c.predictor = p.predictor AND total.has_shares AND 0.1 > from_share AND 0.1 <= share)
	FROM (VALUES ('score'), ('rfm'), ('revenue')) AS p (predictor), ranked AS r, total
	WHERE r.predictor = p.predictor
	GROUP BY p.predictor, total.n, total.top, total.top_revenue, total.revenue, total.has_shares
$$;

CREATE FUNCTION difference(as_of date, horizon int) RETURNS TABLE (what text, n bigint) LANGUAGE sql STABLE AS $$
	WITH got AS MATERIALIZED (
		SELECT predictor, "grouping", group_no, label, customers, round(share::numeric, 9), orders, revenue, round(revenue_share::numeric, 9), round(cumulative_revenue_share::numeric, 9),
			round(revenue_per_customer, 9), round(lift::numeric, 9), round(survival::numeric, 9) FROM customer_tier.backtest('shop', $1, $2)
	), expected AS MATERIALIZED (SELECT * FROM public.oracle($1, $2)),
	got_summary AS MATERIALIZED (
		SELECT predictor, customers, round(spearman_revenue::numeric, 9), round(spearman_orders::numeric, 9), round(gini_revenue::numeric, 9), round(gini_normalised::numeric, 9), round(auc::numeric, 9),
			top_tier_customers, round(top_tier_share::numeric, 9), round(top_share::numeric, 9), round(top_decile_share::numeric, 9) FROM customer_tier.backtest_summary('shop', $1, $2)
	), expected_summary AS MATERIALIZED (SELECT * FROM public.oracle_summary($1, $2))
	SELECT 'groups', (SELECT count(*) FROM (TABLE got EXCEPT ALL TABLE expected) AS d) + (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE got) AS d)
	UNION ALL SELECT 'too few groups', count(*) FROM got HAVING count(*) < 10
	UNION ALL SELECT 'summary', (SELECT count(*) FROM (TABLE got_summary EXCEPT ALL TABLE expected_summary) AS d) + (SELECT count(*) FROM (TABLE expected_summary EXCEPT ALL TABLE got_summary) AS d)
	UNION ALL SELECT 'too few predictors', count(*) FROM got_summary HAVING count(*) <> 3
$$;
SELECT 'differs', c.*, d.*
FROM (VALUES (date '2024-03-31', 275), ('2023-12-31', 366), ('2024-03-31', 30), ('2023-06-30', 90), ('2024-12-29', 1), ('2024-12-29', 2)) AS c (as_of, horizon),
	LATERAL difference(as_of, horizon) AS d
WHERE n > 0;
-- the two days before the last one bring less than nothing: that was tried, too
SELECT sum(revenue) < 0 AS less_than_nothing FROM seen('2024-12-29', 2) WHERE predictor = 'tier';
-- everything of everyone's, to its last day
SELECT max(day) FROM orders;
SELECT predictor, sum(customers) AS customers, sum(revenue) = (SELECT sum(amount) FROM orders AS o WHERE day BETWEEN '2024-04-01' AND '2024-12-31'
		AND EXISTS (SELECT FROM orders AS e WHERE e.customer_id = o.customer_id AND e.day <= '2024-03-31' AND e.amount >= 0)) AS all_revenue,
	round(max(cumulative_revenue_share)::numeric, 9) AS cumulative, sum(revenue_share)::numeric(10,9) AS shares, sum(share)::numeric(10,9) AS share
FROM customer_tier.backtest('shop', '2024-03-31', 275) GROUP BY predictor ORDER BY predictor COLLATE "C";
SELECT predictor, customers, left_out, (SELECT count(*) FROM shop.rate('2024-03-31') WHERE score IS NULL) AS without_score FROM customer_tier.backtest_summary('shop', '2024-03-31', 275);
-- neither the plan nor the order of the rows matters
CREATE TABLE before AS SELECT * FROM customer_tier.backtest('shop', '2024-03-31', 275);
CREATE TABLE summary_before AS SELECT * FROM customer_tier.backtest_summary('shop', '2024-03-31', 275);
CREATE TABLE shuffled AS SELECT * FROM shop.history ORDER BY md5(customer_id::text);
TRUNCATE shop.history;
INSERT INTO shop.history SELECT * FROM shuffled;
SET enable_hashjoin = off;
SET enable_hashagg = off;
SET work_mem = '64kB';
(SELECT 'differs' AS difference, b::text FROM (TABLE before EXCEPT ALL SELECT * FROM customer_tier.backtest('shop', '2024-03-31', 275)) AS b)
UNION ALL (SELECT 'differs', b::text FROM (TABLE summary_before EXCEPT ALL SELECT * FROM customer_tier.backtest_summary('shop', '2024-03-31', 275)) AS b);
RESET enable_hashjoin;
RESET enable_hashagg;
RESET work_mem;

-- ---------- edges, by hand ----------

-- (shop, customer, last amount, next amounts): rated as of 2024-01-31, the last order of all is of 2024-12-31, by a stranger
CREATE TABLE hand (shop text, customer text, day date, amount numeric);
INSERT INTO hand SELECT s, 'stranger', '2024-12-31', 1000 FROM unnest('{equal,one,tied,refunds,silent}'::text[]) AS s;
INSERT INTO hand SELECT 'equal', chr(96 + n), '2024-01-10', 10 FROM generate_series(1, 10) AS n;
INSERT INTO hand SELECT 'equal', chr(96 + n), '2024-05-01', 100 * n FROM generate_series(1, 4) AS n;
INSERT INTO hand VALUES ('one', 'a', '2024-01-10', 10), ('one', 'a', '2024-02-01', 20), ('one', 'a', '2024-02-01', -5), ('one', 'a', '2024-02-02', 40);
-- one is better than eight, who are better than one; of 1,000 the best brings 500, each of the eight 60, the worst 20
INSERT INTO hand SELECT 'tied', chr(96 + n), '2024-01-10', CASE n WHEN 1 THEN 90 WHEN 10 THEN 1 ELSE 10 END FROM generate_series(1, 10) AS n;
INSERT INTO hand SELECT 'tied', chr(96 + n), '2024-01-31'::date + n, CASE n WHEN 1 THEN 500 WHEN 10 THEN 20 ELSE 60 END FROM generate_series(1, 10) AS n;
-- the best gives everything back and more: 200 - 300, the next brings 50, the last nothing
INSERT INTO hand VALUES ('refunds', 'a', '2024-01-10', 300), ('refunds', 'b', '2024-01-10', 200), ('refunds', 'c', '2024-01-10', 100),
	('refunds', 'a', '2024-02-10', 200), ('refunds', 'a', '2024-02-11', -300), ('refunds', 'b', '2024-02-10', 50);
INSERT INTO hand SELECT 'silent', chr(96 + n), '2024-01-10', 10 * n FROM generate_series(1, 3) AS n;
DO $$
DECLARE
	s text;
BEGIN
	FOREACH s IN ARRAY '{equal,one,tied,refunds,silent}'::text[] LOOP
		EXECUTE format('CREATE VIEW %I AS SELECT customer, day, amount FROM hand WHERE shop = %L', 'orders of ' || s, s);
		PERFORM customer_tier.create_program(s, format('%I', 'orders of ' || s), 'customer', 'day', 'amount', time_zone => 'UTC', purchase_model => 'none');
		CALL customer_tier.refresh(s, '2024-12-31');
	END LOOP;
END $$;
CREATE FUNCTION look(program text, horizon int DEFAULT 335) RETURNS TABLE (predictor text, label text, customers bigint, share numeric, orders bigint, revenue numeric, of_all numeric, cumulative numeric, each numeric, lift numeric, survival numeric)
LANGUAGE sql STABLE AS $$
	SELECT predictor, label, customers, round(share::numeric, 4), orders, revenue, round(revenue_share::numeric, 4), round(cumulative_revenue_share::numeric, 4),
		round(revenue_per_customer, 4), round(lift::numeric, 4), round(survival::numeric, 4)
	FROM customer_tier.backtest($1, '2024-01-31', $2)
$$;
CREATE FUNCTION look_summary(program text, horizon int DEFAULT 335) RETURNS TABLE (predictor text, customers bigint, left_out bigint, revenue numeric, orders numeric, gini numeric, normalised numeric, auc numeric,
	top_tier text, top_customers bigint, top_tier_share numeric, top_share numeric, tenth numeric)
LANGUAGE sql STABLE AS $$
	SELECT predictor, customers, left_out, round(spearman_revenue::numeric, 4), round(spearman_orders::numeric, 4), round(gini_revenue::numeric, 4), round(gini_normalised::numeric, 4), round(auc::numeric, 4),
		top_tier, top_tier_customers, round(top_tier_share::numeric, 4), round(top_share::numeric, 4), round(top_decile_share::numeric, 4)
	FROM customer_tier.backtest_summary($1, '2024-01-31', $2)
$$;
-- all equal: one tenth, no order to speak of
SELECT * FROM look('equal');
SELECT * FROM look_summary('equal');
-- one customer; an order and a refund on one day, the day after as_of, and beyond the horizon
SELECT * FROM look('one', 1);
SELECT * FROM look_summary('one', 1);
SELECT * FROM look('one', 2) WHERE predictor = 'score';
-- ties leave tenths empty, and count by parts: a tenth is one customer here
SELECT * FROM look('tied') WHERE predictor IN ('tier', 'revenue');
SELECT * FROM look_summary('tied');
-- a total below zero has no shares, and who gave everything back came back
SELECT * FROM look('refunds') WHERE predictor IN ('tier', 'score');
SELECT * FROM look_summary('refunds');
-- nobody came back
SELECT * FROM look('silent') WHERE predictor = 'score';
SELECT * FROM look_summary('silent');

-- ---------- nothing from the future ----------

-- what a relation without a day says now is left out, and said so
RESET client_min_messages;
CREATE TABLE loved AS SELECT customer_id, sum(amount) AS points FROM orders WHERE day > '2024-03-31' GROUP BY 1;
SELECT customer_tier.set_scorecard('shop', '[{"feature": "recency", "weight": 1}, {"name": "loved", "weight": 9, "relation": "public.loved", "column": "points", "key": "customer_id"}]');
CALL customer_tier.refresh('shop', '2024-12-31');
CREATE TABLE with_loved AS SELECT * FROM customer_tier.backtest_summary('shop', '2024-03-31', 275);
UPDATE loved SET points = - points;
CREATE TABLE with_hated AS SELECT * FROM customer_tier.backtest_summary('shop', '2024-03-31', 275);
SELECT 'differs' AS difference, d::text FROM (TABLE with_loved EXCEPT ALL TABLE with_hated) AS d;
-- the day before the newest is today for a rating
SELECT count(*) FROM customer_tier.backtest('shop', '2024-12-30', 1);
SELECT count(*) > 0 AS tested FROM customer_tier.backtest('shop', '2024-12-29', 1);
-- a past rating of those only who have a value then: nobody
CREATE TABLE answers AS SELECT customer_id, date '2024-06-01' AS day, 5 AS points FROM customers;
SELECT customer_tier.set_scorecard('shop', '[{"feature": "recency", "weight": 1}, {"name": "answer", "weight": 1, "relation": "public.answers", "column": "points", "key": "customer_id", "day": "day", "missing": "no_rating"}]');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT count(*) FROM customer_tier.backtest('shop', '2024-03-31', 30);
SELECT count(*) FROM customer_tier.backtest_summary('shop', '2024-03-31', 30);
\echo :SQLSTATE
-- nor by a model that was fitted later
SET client_min_messages = error;
UPDATE silent.settings SET purchase_model = 'mbg/nbd';
SELECT customer_tier.set_scorecard('silent', '[{"feature": "p_active"}]');
CALL customer_tier.refresh('silent', '2024-12-31');
RESET client_min_messages;
SELECT count(*) FROM customer_tier.backtest('silent', '2024-01-31', 30);
\echo :SQLSTATE

-- ---------- errors ----------

SELECT customer_tier.backtest('shop', '2024-04-01', 275);
\echo :SQLSTATE
SELECT customer_tier.backtest_summary('shop', '2024-04-01', 275);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2024-01-02');
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2023-06-30', 900);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2023-06-30', 727);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2020-01-01', 30);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '5874897-12-31', 36525);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '4713-01-01 BC', 36525);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '4713-01-01 BC', 30);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', NULL);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2024-03-31', NULL);
\echo :SQLSTATE
SELECT customer_tier.backtest_summary('shop', NULL);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', 'infinity');
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '-infinity');
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2024-03-31', 0);
\echo :SQLSTATE
SELECT customer_tier.backtest('shop', '2024-03-31', -1);
\echo :SQLSTATE
SELECT customer_tier.backtest_summary('shop', '2024-03-31', 36526);
\echo :SQLSTATE
SELECT customer_tier.backtest('nothing', '2024-03-31');
\echo :SQLSTATE
SELECT customer_tier.backtest(NULL, '2024-03-31');
\echo :SQLSTATE
-- the day on which the orders were read is not over
UPDATE shop.run SET started_at = '2024-06-15 12:00+00';
SELECT customer_tier.backtest('shop', '2024-05-31', 15);
SELECT customer_tier.backtest('shop', '2024-05-30', 15) LIMIT 0;
-- histories of a single day
DELETE FROM hand WHERE shop = 'one' AND customer <> 'stranger';
CALL customer_tier.refresh('one', '2024-12-31');
SELECT customer_tier.backtest('one', '2024-12-31', 1);
-- and of none
DELETE FROM hand WHERE shop = 'one';
SET client_min_messages = error;
CALL customer_tier.refresh('one', '2024-12-31');
RESET client_min_messages;
SELECT customer_tier.backtest('one', '2024-12-31', 1);

-- ---------- rights: those of the caller ----------

CREATE ROLE regress_backtest_reader;
SET ROLE regress_backtest_reader;
SELECT count(*) FROM customer_tier.backtest('tied', '2024-01-31', 335);
RESET ROLE;
GRANT USAGE ON SCHEMA customer_tier, tied TO regress_backtest_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA tied TO regress_backtest_reader;
SET ROLE regress_backtest_reader;
SELECT count(*) FROM customer_tier.backtest('tied', '2024-01-31', 335);
SELECT count(*) FROM customer_tier.backtest_summary('tied', '2024-01-31', 335);
RESET ROLE;

DROP OWNED BY regress_backtest_reader;
DROP ROLE regress_backtest_reader;
SET client_min_messages = error;
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program WHERE name IN ('shop', 'equal', 'one', 'tied', 'refunds', 'silent');
DROP TABLE orders, customers, hand, loved, answers, before, summary_before, shuffled, with_loved, with_hated CASCADE;
DROP FUNCTION seen(date, int), oracle(date, int), oracle_summary(date, int), difference(date, int), look(text, int), look_summary(text, int);
