-- Many customers at once: what is computed once for all who are alike is what
-- each alone would get, and the totals of a forecast are sums over customers.

CREATE TEMP TABLE models AS
SELECT name, customer_tier.clv_model(name, params) AS model
FROM (VALUES ('bg/nbd', '{0.243, 4.414, 0.793, 2.426}'::float8[]), ('mbg/nbd', '{0.525, 6.183, 0.891, 1.614}'), ('pareto/nbd', '{0.553, 10.578, 0.606, 11.669}'),
	('nbd', '{0.385, 12.072}'), ('mbg/cnbd-k', '{2, 0.6, 3, 0.9, 1.6}'), ('bg/bb', '{1.204, 0.75, 0.657, 2.783}')) AS v (name, params);
CREATE TEMP TABLE customers AS
SELECT m.name, c.frequency AS x, CASE m.name WHEN 'bg/bb' THEN c.recency ELSE round(7 * c.recency) / 7 END AS t_x,
	CASE m.name WHEN 'bg/bb' THEN c.age ELSE round(7 * c.age) / 7 END AS age,
	CASE WHEN c.frequency > 0 THEN round((10 + 37 * random_like / 10)::numeric, 2) ELSE 0 END::float8 AS monetary
FROM models m, customer_tier.simulate_btyd(CASE m.name WHEN 'bg/bb' THEN 'bg/bb' ELSE 'bg/nbd' END, CASE m.name WHEN 'bg/bb' THEN '{1.204, 0.75, 0.657, 2.783}' ELSE '{1.5, 4, 0.793, 5}' END::float8[],
	200, 52, 0, 5, 52) AS c, LATERAL (SELECT c.customer_id * 7919 % 101 AS random_like) r;
-- extremes: bought just now, long silent, often
INSERT INTO customers
SELECT name, x, t_x, age, 20 FROM models, (VALUES (0::float8, 0::float8, 0::float8), (1, 0, 0), (1, 1, 1), (500, 38, 3800), (500, 3800, 3800), (0, 0, 100000)) AS v (x, t_x, age) WHERE name <> 'bg/bb';

-- Together and each in a call of its own: the same bits.
CREATE FUNCTION pg_temp.alone(what text, model jsonb, x float8, t_x float8, age float8, OUT result float8) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT customer_tier.%s, $2, $3, $4)', what) INTO result USING model, x, t_x, age;
END $$;
CREATE FUNCTION pg_temp.differences(what text, OUT compared bigint, OUT differ bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE together IS DISTINCT FROM pg_temp.alone(%1$L, model, x, t_x, age))
		FROM (SELECT m.model, c.*, customer_tier.%2$s, x, t_x, age) AS together FROM models m JOIN customers c USING (name)
		OFFSET 0) q',
		replace(what, 'MODEL', '$1'), replace(what, 'MODEL', 'model')) INTO compared, differ;
END $$;
SELECT * FROM pg_temp.differences('expected_purchases(MODEL, 39');
SELECT * FROM pg_temp.differences('dert(MODEL, 0.01');
-- infinite where the mean does not exist, and nothing else
SELECT * FROM pg_temp.differences('expected_purchases(MODEL, ''Infinity''');
SELECT name, count(*) FILTER (WHERE e = 'Infinity') AS infinite, count(*) FILTER (WHERE e = 'NaN') AS nan
FROM (SELECT name, customer_tier.expected_purchases(model, 'Infinity', x, t_x, age) AS e FROM models JOIN customers USING (name)) q GROUP BY name ORDER BY name COLLATE "C";

-- The totals against plain SQL.
CREATE TEMP TABLE spend AS SELECT customer_tier.clv_model('gamma-gamma', '{6.25, 3.74, 15.44}') AS model, 6.25::float8 AS p, 3.74::float8 AS q;
CREATE TEMP TABLE period AS SELECT n, (n * 4.2 + n % 2)::float8 AS ends, ((n - 1) * 4.2 + (n - 1) % 2)::float8 * (n > 1)::int AS starts, 5.2::float8 AS first FROM generate_series(1, 12) n;
CREATE TEMP VIEW by_hand AS
SELECT name, n, sum(mean) AS purchases, sum(variance) AS purchases_variance, sum(mean * z) AS revenue, sum(z * z * (variance + mean * c)) AS revenue_variance
FROM (SELECT q.*, mean + mean * greatest((1 + 1 / (r + x)) / greatest(alive, 1e-12) * e_first * (ends - starts) / first - mean, 0) AS variance
	FROM (SELECT name, n, starts, ends, first, x, customer_tier.param(m.model, 'r') AS r, customer_tier.p_alive(m.model, x, t_x, age) AS alive,
			customer_tier.expected_purchases(m.model, first, x, t_x, age) AS e_first,
			customer_tier.expected_purchases(m.model, ends, x, t_x, age) - customer_tier.expected_purchases(m.model, starts, x, t_x, age) AS mean,
			customer_tier.expected_spend(s.model, x, monetary) AS z,
			(p + 1) / p * (q + p * x - 1) / greatest(q + p * x - 2, 0.1) - 1 AS c
		FROM models m JOIN customers USING (name), spend s, period WHERE name <> 'bg/bb') q) v
GROUP BY name, n;
CREATE TEMP VIEW totals AS
SELECT name, customer_tier.forecast_totals(m.model, s.model, (SELECT array_agg(ends ORDER BY n) FROM period), x, t_x, age, monetary) AS t
FROM models m JOIN customers USING (name), spend s WHERE name <> 'bg/bb' GROUP BY name;
SELECT name, count(*), bool_and(abs(t[1][n] / purchases - 1) < 1e-9) AS purchases, bool_and(abs(t[2][n] / purchases_variance - 1) < 1e-6) AS purchases_variance,
	bool_and(abs(t[3][n] / revenue - 1) < 1e-9) AS revenue, bool_and(abs(t[4][n] / revenue_variance - 1) < 1e-6) AS revenue_variance
FROM by_hand JOIN totals USING (name) GROUP BY name ORDER BY name COLLATE "C";
-- in any order of the rows
SELECT count(*) AS same FROM totals t JOIN (
	SELECT name, customer_tier.forecast_totals(m.model, s.model, (SELECT array_agg(ends ORDER BY n) FROM period), x, t_x, age, monetary ORDER BY monetary DESC, age, t_x) AS t
	FROM models m JOIN customers USING (name), spend s WHERE name <> 'bg/bb' GROUP BY name) o USING (name) WHERE t.t = o.t;
-- no spend model, nobody, and what is refused
SELECT (t)[3:4] = array_fill(0::float8, '{2,2}') AS no_revenue, array_dims(t) FROM (SELECT customer_tier.forecast_totals(model, NULL, '{4,8}', 2, 20, 30, 25) AS t FROM models WHERE name = 'bg/nbd') q;
SELECT customer_tier.forecast_totals(model, NULL, '{4,8}', 2, 20, 30, 25) FROM models WHERE false;
SELECT customer_tier.forecast_totals(model, NULL, '{8,4}', 2, 20, 30, 25) FROM models WHERE name = 'bg/nbd';
SELECT customer_tier.forecast_totals(model, NULL, '{0}', 2, 20, 30, 25) FROM models WHERE name = 'bg/nbd';
SELECT customer_tier.forecast_totals(model, NULL, '{}', 2, 20, 30, 25) FROM models WHERE name = 'bg/nbd';
SELECT customer_tier.forecast_totals(model, NULL, '{1,NULL}', 2, 20, 30, 25) FROM models WHERE name = 'bg/nbd';
SELECT customer_tier.forecast_totals(model, NULL, '{4}', 2, 40, 30, 25) FROM models WHERE name = 'bg/nbd';
SELECT customer_tier.forecast_totals(model, NULL, '{4}', NULL, 20, 30, 25) FROM models WHERE name = 'bg/nbd';
SELECT customer_tier.forecast_totals(model, NULL, '{4}', 1, 20, 30, 25) FROM spend;
