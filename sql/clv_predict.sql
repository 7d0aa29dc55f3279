-- Predictions and intervals: known values, edges, what is refused.
SET extra_float_digits = -3;
\pset null NULL

CREATE TEMP TABLE m AS SELECT
	customer_tier.clv_model('bg/nbd', '{0.243, 4.414, 0.793, 2.426}') AS bg,
	customer_tier.clv_model('mbg/nbd', '{0.525, 6.183, 0.891, 1.614}') AS mbg,
	customer_tier.clv_model('pareto/nbd', '{0.553, 10.578, 0.606, 11.669}') AS pareto,
	customer_tier.clv_model('nbd', '{0.385, 12.072}') AS nbd,
	customer_tier.clv_model('bg/bb', '{1.204, 0.75, 0.657, 2.783}') AS bb,
	customer_tier.clv_model('gamma-gamma', '{6.25, 3.74, 15.44}') AS spend,
	customer_tier.clv_model('sbg', '{0.668, 3.806}') AS sbg;

-- Fader, Hardie & Lee 2005, CDNOW; Fader, Hardie & Shang 2010, donations; Fader & Hardie 2007
SELECT customer_tier.expected_purchases(bg, 39, 2, 30.43, 38.86) AS bg, customer_tier.p_alive(bg, 2, 30.43, 38.86) AS alive,
	customer_tier.expected_purchases(bg, 78) AS new, customer_tier.p_purchases(bg, 0, 39) AS p0, customer_tier.p_purchases(bg, 10, 2) AS p10 FROM m;
SELECT customer_tier.expected_purchases(bb, 5, 2, 4, 6) AS bb, customer_tier.p_alive(bb, 1, 2, 4, 6) AS alive, customer_tier.dert(bb, 0.1, 6, 6, 6) AS dert FROM m;
SELECT customer_tier.expected_spend(spend, 2, 22.35) AS spend, customer_tier.expected_spend(spend, 0, 0) AS population FROM m;
SELECT customer_tier.survival(sbg, 12) AS survival, customer_tier.retention_rate(sbg, 1) AS retention, customer_tier.p_churn(sbg, 1) AS churn,
	customer_tier.expected_lifetime(sbg, 0.1) AS del, customer_tier.residual_lifetime(sbg, 0.1, 3) AS derl, customer_tier.survival(sbg, 0) AS everybody FROM m;

-- identities: count distribution, now and ahead, discount 0, value
SELECT v.name, abs(customer_tier.p_active(model, 26, 2, 20, 30) + customer_tier.p_purchases(model, 0, 26, 2, 20, 30) - 1) < 1e-12 AS active,
	abs((SELECT sum(p * (n - 1)) FROM unnest(customer_tier.purchases_distribution(model, 200, 26, 2, 20, 30)) WITH ORDINALITY AS d(p, n))
		/ customer_tier.expected_purchases(model, 26, 2, 20, 30) - 1) < 1e-9 AS mean,
	customer_tier.p_alive(model, 0, 2, 20, 30) = customer_tier.p_alive(model, 2, 20, 30) AS now,
	customer_tier.p_alive(model, 10, 2, 20, 30) <= customer_tier.p_alive(model, 2, 20, 30) AS ahead,
	abs(customer_tier.clv(model, spend, 26, 0, 2, 20, 30, 25) / customer_tier.expected_purchases(model, 26, 2, 20, 30)
		/ customer_tier.expected_spend(spend, 2, 25) - 1) < 1e-12 AS value,
	customer_tier.clv(model, spend, 'Infinity', 0.01, 2, 20, 30, 25) >= customer_tier.clv(model, spend, 26, 0.01, 2, 20, 30, 25) AS more
FROM m, LATERAL (VALUES ('bg/nbd', bg), ('mbg/nbd', mbg), ('pareto/nbd', pareto), ('nbd', nbd), ('bg/bb', bb)) AS v(name, model);

-- edges
SELECT customer_tier.expected_purchases(bg, 0, 2, 20, 30) AS zero, customer_tier.expected_purchases(bg, 'Infinity', 2, 20, 30) AS infinite,
	customer_tier.expected_purchases(bg, 10, 0, 0, 0) = customer_tier.expected_purchases(bg, 10) AS new, customer_tier.p_alive(bg, 0, 0, 1000) AS never_bought FROM m;
SELECT customer_tier.dert(pareto, 0, 2, 20, 30) AS no_discount, customer_tier.dert(pareto, 1e-6, 2, 20, 30) > 1 AS little FROM m;
SELECT customer_tier.expected_lifetime(sbg) AS endless FROM m;
-- q <= 1: the population has no mean, a customer with purchases has one
SELECT customer_tier.expected_spend(g, 0, 0) AS population, customer_tier.expected_spend(g, 3, 20) AS customer,
	customer_tier.clv(bg, g, 10, 0, 0, 0, 10, 0) AS value
FROM m, customer_tier.clv_model('gamma-gamma', '{6.25, 0.9, 15.44}') AS g;
-- refunds have eaten up the spend
SELECT customer_tier.expected_spend(spend, 3, -5) AS negative, customer_tier.expected_spend(spend, 3, 0) AS zero FROM m;
SELECT customer_tier.p_alive(bg, NULL, 1, 2), customer_tier.expected_purchases(NULL, 1, 1, 1, 2), customer_tier.clv(bg, spend, 1, 0, 1, 1, 2, NULL) FROM m;

-- intervals: of the mean narrow, of the count wide; none without a covariance
CREATE TEMP TABLE fit AS SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age) AS f
FROM customer_tier.simulate_btyd('bg/nbd', '{0.8, 6, 0.8, 2.5}', 5000, 52, 0, 3);
SELECT e.lower < x AND x < e.upper AND e.upper / e.lower < 1.2 AS mean, c.lower <= x AND x <= c.upper AS count,
	a.lower < p AND p < a.upper AS alive, b.lower < q AND q < b.upper AS active, c.upper - c.lower > e.upper - e.lower AS wider,
	c.upper = (SELECT max(n) - 1 FROM (SELECT n, sum(p) OVER (ORDER BY n) - p AS below
		FROM unnest(customer_tier.purchases_distribution(f, 200, 26, 4, 40, 50)) WITH ORDINALITY AS d(p, n)) AS s WHERE below < 0.95) AS quantile
FROM fit, customer_tier.expected_purchases(f, 26, 4, 40, 50) AS x, customer_tier.p_alive(f, 4, 40, 50) AS p, customer_tier.p_active(f, 26, 4, 40, 50) AS q,
	customer_tier.expected_purchases_interval(f, 0.9, 26, 4, 40, 50) AS e, customer_tier.purchases_interval(f, 0.9, 26, 4, 40, 50) AS c,
	customer_tier.p_alive_interval(f, 0.9, 4, 40, 50) AS a, customer_tier.p_active_interval(f, 0.9, 26, 4, 40, 50) AS b;
SELECT customer_tier.expected_purchases_interval(bg, 0.9, 26, 4, 40, 50) AS mean, customer_tier.purchases_interval(bg, 0.9, 26, 4, 40, 50) AS count,
	customer_tier.purchases_interval(bg, 0.9, 26) AS new FROM m;
SELECT customer_tier.p_alive_interval(f, 0.95, 0, 0, 10) AS certain, customer_tier.expected_purchases_interval(f, 0.95, 0, 4, 40, 50) AS nothing FROM fit;
SELECT s.lower < x AND x < s.upper AS survival
FROM (SELECT customer_tier.retention_fit(p, n) AS f FROM (VALUES (0, 1000), (1, 869), (2, 743), (3, 653), (4, 593), (5, 551), (6, 517), (7, 491)) AS v(p, n)) AS q,
	customer_tier.survival(f, 12) AS x, customer_tier.survival_interval(f, 0.95, 12) AS s;

-- refused
SELECT customer_tier.p_alive(bg, 1, 3, 2) FROM m;
SELECT customer_tier.p_alive(bg, 1.5, 1, 2) FROM m;
SELECT customer_tier.p_alive(bg, 'NaN', 1, 2) FROM m;
SELECT customer_tier.p_alive(bg, 0, 1, 2) FROM m;
SELECT customer_tier.expected_purchases(bg, -1, 1, 1, 2) FROM m;
SELECT customer_tier.expected_purchases(bg, 'NaN', 1, 1, 2) FROM m;
SELECT customer_tier.expected_purchases(bb, 1.5, 1, 1, 2) FROM m;
SELECT customer_tier.dert(bg, -0.1, 1, 1, 2) FROM m;
SELECT customer_tier.p_purchases(bg, -1, 10) FROM m;
SELECT customer_tier.p_purchases(bg, 1, 'Infinity') FROM m;
SELECT customer_tier.purchases_distribution(bg, -1, 10, 1, 1, 2) FROM m;
SELECT customer_tier.purchases_interval(bg, 1, 10, 1, 1, 2) FROM m;
SELECT customer_tier.p_alive(spend, 1, 1, 2) FROM m;
SELECT customer_tier.p_alive(sbg, 1, 1, 2) FROM m;
SELECT customer_tier.expected_spend(bg, 1, 1) FROM m;
SELECT customer_tier.expected_spend(spend, 1, 'NaN') FROM m;
SELECT customer_tier.clv(spend, bg, 1, 1, 1, 1, 2, 3) FROM m;
SELECT customer_tier.survival(sbg, 1.5) FROM m;
SELECT customer_tier.survival(bg, 1) FROM m;
SELECT customer_tier.residual_lifetime(sbg, 0.1, 0) FROM m;
SELECT customer_tier.log_likelihood(spend, 1, 1, 2) FROM m;

-- simulated customers: the same for the same seed; what is refused
SELECT * FROM customer_tier.simulate_btyd('bg/bb', '{1.2, 0.75, 0.66, 2.8}', 4, 6, 5);
SELECT count(*) FROM (SELECT * FROM customer_tier.simulate_btyd('pareto/nbd', '{0.55, 10.6, 0.6, 11.7}', 50, 39, 39, 5)
	INTERSECT SELECT * FROM customer_tier.simulate_btyd('pareto/nbd', '{0.55, 10.6, 0.6, 11.7}', 100, 39, 39, 5)) AS q;
SELECT name, count(*), bool_and(recency <= age AND (frequency > 0) = (recency > 0) AND age BETWEEN 40 AND 50) AS rows,
	abs(avg(frequency) / avg(customer_tier.expected_purchases(customer_tier.clv_model(name, params), age)) - 1) < 0.1 AS mean,
	abs(avg(future) / avg(customer_tier.expected_purchases(customer_tier.clv_model(name, params), 10, frequency, recency, age)) - 1) < 0.1 AS future,
	abs(avg(alive::int) / avg(customer_tier.p_alive(customer_tier.clv_model(name, params), frequency, recency, age)) - 1) < 0.02 AS alive
FROM (VALUES ('bg/nbd', '{1.2, 5, 0.8, 2.5}'::float8[]), ('mbg/nbd', '{1.2, 5, 0.8, 2.5}'), ('pareto/nbd', '{1.2, 5, 0.8, 9}'), ('nbd', '{1.2, 5}'),
	('bg/cnbd-3', '{1.2, 2, 0.8, 2.5}'), ('mbg/cnbd-3', '{1.2, 2, 0.8, 2.5}'), ('bg/bb', '{1.2, 3, 0.8, 9}')) AS v(name, params),
	customer_tier.simulate_btyd(name, params, 10000, 50, 10, 1, 10)
GROUP BY name ORDER BY name COLLATE "C";
SELECT count(*) FROM customer_tier.simulate_btyd('sbg', '{1, 1}', 1, 1);
SELECT count(*) FROM customer_tier.simulate_btyd('nbd', '{1, 0}', 1, 1);
SELECT count(*) FROM customer_tier.simulate_btyd('nbd', '{1}', 1, 1);
SELECT count(*) FROM customer_tier.simulate_btyd('nbd', '{1, 1}', -1, 1);
SELECT count(*) FROM customer_tier.simulate_btyd('nbd', '{1, 1}', 1, 'NaN');
SELECT count(*) FROM customer_tier.simulate_btyd('nbd', '{1, 1}', 1, NULL);
SELECT count(*) FROM customer_tier.simulate_btyd('nbd', '{1, 1}', 1, 5, 0, 1, 6);
