-- The aggregates that fit: rows they take and refuse, states, parallel plans.
SET extra_float_digits = -6;
\pset null NULL
SET client_min_messages = warning;

CREATE TEMP TABLE shop AS
SELECT customer_id, frequency, recency, age, litt, customer_id % 3 AS region,
	customer_tier.simulate_spend('{6.25, 3.74, 15.44}', customer_id, frequency) AS monetary
FROM customer_tier.simulate_btyd('bg/nbd', '{0.8, 6, 0.8, 2.5}', 3000, 52, 26, 7, 26);

-- one call a model; a model a region
SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age) ->> 'status' AS status FROM shop;
SELECT region, f ->> 'status' AS status, f -> 'data' -> 'customers' AS customers
FROM (SELECT region, customer_tier.clv_fit('mbg/nbd', frequency, recency, age) AS f FROM shop GROUP BY region) AS q ORDER BY region;
SELECT m, customer_tier.clv_fit(m, frequency, recency, age) ->> 'status' AS status
FROM shop, unnest('{bg/nbd,mbg/nbd,pareto/nbd,nbd}'::text[]) AS m GROUP BY m ORDER BY m COLLATE "C";
SELECT customer_tier.param(customer_tier.clv_fit('bg/cnbd-k', frequency, recency, age, 1, litt), 'k') AS k FROM shop;

-- the order of the rows, weights for equal rows, and the plan do not show
SELECT count(DISTINCT f) FROM (
	SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age)::text AS f FROM (SELECT * FROM shop ORDER BY customer_id) AS s
	UNION ALL SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age)::text FROM (SELECT * FROM shop ORDER BY md5(customer_id::text)) AS s
	UNION ALL SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age, n)::text
		FROM (SELECT frequency, recency, age, count(*) AS n FROM shop GROUP BY frequency, recency, age) AS s) AS q;
CREATE TABLE clv_shop AS SELECT * FROM shop;
ALTER TABLE clv_shop SET (parallel_workers = 2);
ANALYZE clv_shop;
CREATE FUNCTION pg_temp.plans(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	serial text;
	parallel text;
	plan jsonb;
BEGIN
	SET max_parallel_workers_per_gather = 0;
	EXECUTE query INTO serial;
	SET max_parallel_workers_per_gather = 2;
	SET parallel_setup_cost = 0;
	SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0;
	SET parallel_leader_participation = off;
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	EXECUTE query INTO parallel;
	RESET ALL;
	SET client_min_messages = warning;
	RETURN NEXT CASE WHEN plan::text LIKE '%"Partial Mode": "Partial"%' THEN 'parallel plan' ELSE 'no parallel plan' END;
	RETURN NEXT CASE WHEN serial = parallel THEN 'same bytes' ELSE 'other bytes' END;
END
$$;
SELECT pg_temp.plans('SELECT customer_tier.clv_fit(''bg/nbd'', frequency, recency, age)::text FROM clv_shop');
SELECT pg_temp.plans('SELECT customer_tier.clv_fit(''mbg/cnbd-2'', frequency, recency, age, 0.1 + region, litt, 1)::text FROM clv_shop');
SELECT pg_temp.plans('SELECT customer_tier.spend_fit(frequency, monetary, 0.3)::text FROM clv_shop');
SELECT pg_temp.plans('SELECT customer_tier.retention_fit(period, 10 + period, 3)::text FROM clv_shop, LATERAL (SELECT 1 + customer_id::int % 5 AS period) AS p');
SELECT pg_temp.plans('SELECT customer_tier.retention_fit(customer_id::int, 3000 - customer_id) ::text FROM (SELECT customer_id - 1 AS customer_id FROM clv_shop) AS s');
SELECT pg_temp.plans('SELECT customer_tier.clv_fit_pooled(customer_tier.clv_model(''bg/nbd'', ''{1,6,1,3}''), frequency, recency, age)::text FROM clv_shop WHERE customer_id < 2000');
DROP TABLE clv_shop;

-- weights: a weight of 0 is no row, of 2 is two, of any size is a number
SELECT customer_tier.clv_fit('nbd', frequency, recency, age, CASE WHEN region = 0 THEN 0 ELSE 1 END)
	= customer_tier.clv_fit('nbd', frequency, recency, age) FILTER (WHERE region > 0) AS without_zeros FROM shop;
SELECT round((customer_tier.param(two, 'r') / customer_tier.param(one, 'r'))::numeric, 6) AS same,
	round((customer_tier.std_error(two, 'r') / customer_tier.std_error(one, 'r'))::numeric, 6) AS half_the_variance
FROM (SELECT customer_tier.clv_fit('nbd', frequency, recency, age, 2) AS two, customer_tier.clv_fit('nbd', frequency, recency, age) AS one FROM shop) AS q;
SELECT customer_tier.clv_fit('nbd', frequency, recency, age, w) ->> 'status' AS status FROM shop, (VALUES (1e-9), (0.1), (1e15), (1e17)) AS v(w) GROUP BY w;
SELECT customer_tier.clv_fit('nbd', 1, 1, 2, -1);
SELECT customer_tier.clv_fit('nbd', 1, 1, 2, 'NaN');
SELECT customer_tier.clv_fit('nbd', 1, 1, 2, 'Infinity');

-- rows that cannot be
SELECT customer_tier.clv_fit('bg/nbd', 'NaN', 1, 2);
SELECT customer_tier.clv_fit('bg/nbd', -1, 1, 2);
SELECT customer_tier.clv_fit('bg/nbd', 1.5, 1, 2);
SELECT customer_tier.clv_fit('bg/nbd', 1, -1, 2);
SELECT customer_tier.clv_fit('bg/nbd', 1, 3, 2);
SELECT customer_tier.clv_fit('bg/nbd', 0, 1, 2);
SELECT customer_tier.clv_fit('bg/nbd', 1, 1, 'Infinity');
SELECT customer_tier.clv_fit('bg/bb', 1, 1.5, 6);
SELECT customer_tier.clv_fit('bg/bb', 3, 2, 6);
SELECT customer_tier.clv_fit('bg/cnbd-2', 1, 1, 2);
SELECT customer_tier.clv_fit('bg/cnbd-2', 1, 1, 2, 1, '-Infinity');
SELECT customer_tier.clv_fit('bg/nbt', 1, 1, 2);
SELECT customer_tier.clv_fit('sbg', 1, 1, 2);
SELECT customer_tier.clv_fit('gamma-gamma', 1, 1, 2);
SELECT customer_tier.clv_fit(NULL, 1, 1, 2);
SELECT customer_tier.clv_fit(m, 1, 1, 2) FROM (VALUES ('nbd'), ('bg/nbd')) AS v(m);
SELECT customer_tier.clv_fit('nbd', 1, 1, 2, 1, 0, -1);
SELECT customer_tier.clv_fit('nbd', 1, 1, 2, 1, 0, p) FROM (VALUES (1), (2)) AS v(p);
SELECT customer_tier.spend_fit(1, 'NaN');
SELECT customer_tier.spend_fit(-1, 5);
SELECT customer_tier.retention_fit(1, 5);
SELECT customer_tier.retention_fit(p, s) FROM (VALUES (0, 5), (1, 6)) AS v(p, s);
SELECT customer_tier.retention_fit(p, s) FROM (VALUES (0, 5), (1, -6)) AS v(p, s);
SELECT customer_tier.retention_fit(p, 5, 5) FROM (VALUES (0)) AS v(p);

-- nothing to fit
SELECT customer_tier.clv_fit('nbd', frequency, recency, age) FROM shop WHERE false;
SELECT customer_tier.clv_fit('nbd', frequency, NULL, age) FROM shop;
SELECT customer_tier.clv_fit('nbd', frequency, recency, age, 0) FROM shop;
SELECT customer_tier.spend_fit(0, 0) FROM shop;

-- NULLs and refunds are skipped and counted
SELECT customer_tier.clv_fit('nbd', CASE WHEN region > 0 THEN frequency END, recency, age) -> 'data' -> 'skipped' AS skipped FROM shop;
SELECT customer_tier.spend_fit(frequency, CASE WHEN region > 0 THEN monetary ELSE -1 END) -> 'data' -> 'skipped' AS skipped FROM shop;

-- no interior maximum: said, not hidden
SET client_min_messages = notice;
SELECT customer_tier.clv_fit('mbg/nbd', 0, 0, 10 + i) -> 'params' AS params FROM generate_series(1, 20) AS i;
SELECT f ->> 'status' AS status, f ->> 'covariance' AS covariance, customer_tier.std_error(f, 'a') AS error
FROM (SELECT customer_tier.clv_fit('bg/nbd', i, 10, 10) AS f FROM generate_series(1, 20) AS i) AS q;
SELECT customer_tier.spend_fit(i, 5) ->> 'status' AS status FROM generate_series(1, 20) AS i;
SELECT customer_tier.retention_fit(i, 5) ->> 'status' AS status FROM generate_series(0, 20) AS i;
SELECT f ->> 'status' AS status, f ->> 'converged' AS converged FROM (SELECT customer_tier.clv_fit('nbd', x, x, 10) AS f FROM (VALUES (0), (7)) AS v(x)) AS q;
SELECT customer_tier.p_alive(customer_tier.clv_fit('mbg/nbd', 0, 0, 10 + i), 0, 0, 5) FROM generate_series(1, 20) AS i;
-- a warning where spend depends on frequency
SELECT customer_tier.spend_fit(i, i + i % 3) ->> 'status' AS status FROM generate_series(1, 50) AS i;
SET client_min_messages = warning;

-- a penalty keeps shapes in range, has no criteria, and does not know the unit of time
SELECT f ->> 'status' AS status, customer_tier.aic(f) AS aic, customer_tier.bic(f) AS bic, (f ->> 'log_likelihood') IS NOT NULL AS log_likelihood,
	f -> 'penalty' AS penalty
FROM (SELECT customer_tier.clv_fit('bg/nbd', i, 10, 10 + i % 2, 1, 0, 1) AS f FROM generate_series(1, 20) AS i) AS q;
SELECT round((customer_tier.param(w, 'r') / customer_tier.param(d, 'r'))::numeric, 6) AS r,
	round((customer_tier.param(d, 'alpha') / customer_tier.param(w, 'alpha'))::numeric, 6) AS alpha,
	round((customer_tier.std_error(w, 'a') / customer_tier.std_error(d, 'a'))::numeric, 6) AS error
FROM (SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age, 1, 0, 5) AS w,
	customer_tier.clv_fit('bg/nbd', frequency, recency * 7, age * 7, 1, 0, 5) AS d FROM shop) AS q;

-- small groups lean on the pooled fit, large ones do not
WITH pooled AS (SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age) AS m FROM shop)
SELECT n, f ->> 'status' AS status,
	abs(ln(customer_tier.param(f, 'b') / customer_tier.param(m, 'b'))) < 0.5 AS near,
	round(customer_tier.std_error(f, 'b')::numeric, 1) AS error
FROM (SELECT n, m, customer_tier.clv_fit_pooled(m, frequency, recency, age) AS f
	FROM shop, pooled, (VALUES (5), (20), (3000)) AS v(n) WHERE customer_id <= n GROUP BY n, m) AS q ORDER BY n;
SELECT customer_tier.clv_fit_pooled(customer_tier.clv_model('nbd', '{1, 1}'), 1, 1, 2, 1, 0);
SELECT customer_tier.clv_fit_pooled(customer_tier.clv_model('sbg', '{1, 1}'), 1, 1, 2);
SELECT customer_tier.clv_fit_pooled(NULL, 1, 1, 2);

-- several fits of one state, a window, DISTINCT
SELECT count(DISTINCT f::text) FROM (
	SELECT customer_tier.clv_fit('nbd', frequency, recency, age) OVER (ORDER BY region) AS f FROM shop WHERE customer_id <= 300) AS q;
