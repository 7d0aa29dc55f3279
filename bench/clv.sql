-- Customer lifetime value: the two populations, and our side of it.  Each
-- measurement is a call of bench.time_it() in a backend of its own.

CREATE SCHEMA bench;
CREATE TABLE bench.clv (population text, what text, variant text, round int, seconds float8, memory_kb bigint, value text);

-- Customers like those of CDNOW, seen for 27 to 39 weeks; and an active shop over
-- two years, which gains customers all the time.  Times are days, as weeks.
SELECT format($$
CREATE TABLE %1$I AS
SELECT customer_id, frequency AS x, round(recency * 7) / 7 AS t_x, round(age * 7) / 7 AS t,
	customer_tier.simulate_spend('{6.25,3.74,15.4}', customer_id, frequency, 7) AS m
FROM customer_tier.simulate_btyd('bg/nbd', %2$L, %3$s, %4$s, 0, 42, %5$s)$$, population, params, customers, observed, staggered),
	format('VACUUM (FREEZE, ANALYZE) %I', population)
FROM (VALUES ('cdnow', '{0.243,4.414,0.793,2.426}', 1000000, 39, 12),
	('shop', '{1.0,2.0,0.5,8.0}', 1000000, 104, 104),
	('sample', '{0.243,4.414,0.793,2.426}', 2357, 39, 12)) AS p (population, params, customers, observed, staggered)
\gexec

CREATE TABLE bench.model AS
SELECT 'cdnow' AS population, customer_tier.clv_fit('bg/nbd', x, t_x, t) AS bg, customer_tier.clv_fit('pareto/nbd', x, t_x, t) AS pareto, customer_tier.spend_fit(x, m) AS spend FROM cdnow
UNION ALL
SELECT 'shop', customer_tier.clv_fit('bg/nbd', x, t_x, t), customer_tier.clv_fit('pareto/nbd', x, t_x, t), customer_tier.spend_fit(x, m) FROM shop
UNION ALL
SELECT 'sample', customer_tier.clv_fit('bg/nbd', x, t_x, t), customer_tier.clv_fit('pareto/nbd', x, t_x, t), customer_tier.spend_fit(x, m) FROM sample;

CREATE FUNCTION bench.peak_kb() RETURNS bigint LANGUAGE sql AS $$
	SELECT substring(pg_read_file('/proc/self/status', 0, 8192) FROM 'VmHWM:\s+(\d+)')::bigint $$;

-- The query's one value, how long it took, and by how much the peak of the backend
-- rose: the table has been read before, so that the pages it shares are not counted.
CREATE FUNCTION bench.time_it(population text, what text, variant text, round int, query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz;
	before bigint;
	result text;
BEGIN
	EXECUTE format('SELECT count(m) FROM %I', population) INTO result;
	before := bench.peak_kb();
	started := clock_timestamp();
	EXECUTE query INTO result;
	INSERT INTO bench.clv VALUES (population, what, variant, round,
		extract(epoch FROM clock_timestamp() - started), bench.peak_kb() - before, result);
END $$;

CREATE TABLE bench.clv_case AS
SELECT p.population, c.place, c.what, v.variant, v.workers, replace(c.query, 'POPULATION', p.population) AS query
FROM unnest('{cdnow,shop,sample}'::text[]) AS p (population),
	(VALUES (1, 'fit BG/NBD', 'SELECT customer_tier.log_likelihood(customer_tier.clv_fit(''bg/nbd'', x, t_x, t)) FROM POPULATION'),
		(2, 'fit Pareto/NBD', 'SELECT customer_tier.log_likelihood(customer_tier.clv_fit(''pareto/nbd'', x, t_x, t)) FROM POPULATION'),
		(3, 'fit Gamma-Gamma', 'SELECT customer_tier.log_likelihood(customer_tier.spend_fit(x, m)) FROM POPULATION'),
		(4, 'P(alive), BG/NBD', 'SELECT sum(customer_tier.p_alive((SELECT bg FROM bench.model WHERE population = ''POPULATION''), x, t_x, t)) FROM POPULATION'),
		(5, 'expected purchases of 39 weeks, BG/NBD', 'SELECT sum(customer_tier.expected_purchases((SELECT bg FROM bench.model WHERE population = ''POPULATION''), 39, x, t_x, t)) FROM POPULATION'),
		(6, 'value of a year, BG/NBD', 'SELECT sum(customer_tier.clv((SELECT bg FROM bench.model WHERE population = ''POPULATION''), (SELECT spend FROM bench.model WHERE population = ''POPULATION''), 52, 0.0018, x, t_x, t, m)) FROM POPULATION'))
		AS c (place, what, query),
	(VALUES ('serial', 0), ('parallel', 1)) AS v (variant, workers)
WHERE (v.workers = 0 OR p.population <> 'sample') AND (p.population <> 'sample' OR c.place <= 3);
