-- clv_model: what it takes, what it refuses, what it says about itself.
SET extra_float_digits = -3;
\pset null NULL

SELECT customer_tier.clv_model('bg/nbd', '{0.243, 4.414, 0.793, 2.426}');
SELECT customer_tier.clv_model('bg/cnbd-2', '{0.243, 4.414, 0.793, 2.426}');
SELECT customer_tier.clv_model('bg/cnbd-k', '{2, 0.243, 4.414, 0.793, 2.426}')
	= customer_tier.clv_model('bg/cnbd-2', '{0.243, 4.414, 0.793, 2.426}') AS same;
SELECT m.name, customer_tier.param_names(customer_tier.clv_model(m.name, m.params)) AS names
FROM (VALUES ('bg/nbd', '{1, 1, 1, 1}'::float8[]), ('mbg/nbd', '{1, 1, 1, 1}'), ('pareto/nbd', '{1, 1, 1, 1}'),
	('nbd', '{1, 1}'), ('bg/bb', '{1, 1, 1, 1}'), ('bg/cnbd-3', '{1, 1, 1, 1}'), ('mbg/cnbd-3', '{1, 1, 1, 1}'),
	('gamma-gamma', '{1, 1, 1}'), ('sbg', '{1, 1}')) AS m(name, params);

-- parameters read back, whatever their size
SELECT customer_tier.param(customer_tier.clv_model('nbd', ARRAY[x, 1 / x]), 'r') = x AS r,
	customer_tier.param(customer_tier.clv_model('nbd', ARRAY[x, 1 / x]), 'alpha') = 1 / x AS alpha
FROM (VALUES (0.1::float8), (1e-11), (1e11), (1.0 / 3), (0.24259290720446580)) AS v(x);

SELECT * FROM customer_tier.clv_params(customer_tier.clv_model('nbd', '{1, 2}'));
SELECT customer_tier.std_error(m, 'r'), customer_tier.param_interval(m, 'r'), customer_tier.aic(m), customer_tier.bic(m),
	customer_tier.log_likelihood(m)
FROM customer_tier.clv_model('nbd', '{1, 2}') AS m;

-- refused
SELECT customer_tier.clv_model('bgnbd', '{1, 1, 1, 1}');
SELECT customer_tier.clv_model('bg/cnbd-65', '{1, 1, 1, 1}');
SELECT customer_tier.clv_model('bg/cnbd-0', '{1, 1, 1, 1}');
SELECT customer_tier.clv_model('bg/cnbd-k', '{1.5, 1, 1, 1, 1}');
SELECT customer_tier.clv_model('bg/nbd', '{1, 1, 1}');
SELECT customer_tier.clv_model('bg/nbd', '{1, 1, 1, NULL}');
SELECT customer_tier.clv_model('bg/nbd', '{}');
SELECT customer_tier.clv_model('bg/nbd', '{{1, 1}, {1, 1}}');
SELECT customer_tier.clv_model('bg/nbd', '{1, 1, 0, 1}');
SELECT customer_tier.clv_model('bg/nbd', '{1, -1, 1, 1}');
SELECT customer_tier.clv_model('bg/nbd', '{NaN, 1, 1, 1}');
SELECT customer_tier.clv_model('bg/nbd', '{1, Infinity, 1, 1}');
SELECT customer_tier.clv_model('bg/nbd', '{1, 1, 1, 1e101}');
SELECT customer_tier.clv_model(NULL, '{1}'), customer_tier.clv_model('nbd', NULL);
SELECT customer_tier.param(customer_tier.clv_model('nbd', '{1, 2}'), 'beta');
SELECT customer_tier.param_interval(customer_tier.clv_model('nbd', '{1, 2}'), 'r', 95);

-- the domain takes models, and other keys beside them
SELECT '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "note": "mine"}'::customer_tier.clv_model;
SELECT customer_tier.param('{"version": 1, "model": "nbd", "params": null, "status": "no_maximum"}', 'r');
SELECT (customer_tier.clv_model('nbd', '{1, 2}') || '{"days_per_unit": 1}')::customer_tier.clv_model ->> 'days_per_unit' AS days_per_unit;
SELECT v.n, customer_tier.clv_model_is_valid(v.j::jsonb)
FROM (VALUES
	(1, '1'), (2, '[]'), (3, '{}'), (4, '"nbd"'), (5, 'null'),
	(6, '{"version": 2, "model": "nbd", "params": {"r": 1, "alpha": 2}}'),
	(7, '{"version": "1", "model": "nbd", "params": {"r": 1, "alpha": 2}}'),
	(8, '{"version": 1, "model": "nbt", "params": {"r": 1, "alpha": 2}}'),
	(9, '{"version": 1, "model": 5, "params": {"r": 1, "alpha": 2}}'),
	(10, '{"version": 1, "model": "nbd"}'),
	(11, '{"version": 1, "model": "nbd", "params": [1, 2]}'),
	(12, '{"version": 1, "model": "nbd", "params": {"r": 1}}'),
	(13, '{"version": 1, "model": "nbd", "params": {"r": "1", "alpha": 2}}'),
	(14, '{"version": 1, "model": "nbd", "params": {"r": 0, "alpha": 2}}'),
	(15, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 1e400}}'),
	(16, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "status": "fine"}'),
	(17, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "covariance": [[1, 2]]}'),
	(18, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "covariance": [1, 2]}'),
	(19, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "covariance": [[1, 2], [3, "x"]]}'),
	(20, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "covariance": [[1, 0], [0, 1]], "status": "ok"}'),
	(21, '{"version": 1, "model": "nbd", "params": {"r": 1, "alpha": 2}, "days_per_unit": 0}')) AS v(n, j)
ORDER BY v.n;
SELECT '{"version": 1, "model": "nbd"}'::customer_tier.clv_model;

-- a model in a table is read as one from a query, packed or out of line
CREATE TEMP TABLE models (id int, model customer_tier.clv_model);
INSERT INTO models VALUES (1, customer_tier.clv_model('bg/nbd', '{0.243, 4.414, 0.793, 2.426}')),
	(2, customer_tier.clv_model('bg/nbd', '{0.5, 6.2, 0.9, 1.6}'));
INSERT INTO models SELECT 2 + id, model || jsonb_build_object('note', repeat('long', 1000)) FROM models;
INSERT INTO models SELECT 4 + id, model || jsonb_build_object('note', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i)) FROM models WHERE id < 3;
SELECT id, pg_column_size(model) > 2000 AS long, customer_tier.expected_purchases(model, 39, 2, 30.43, 38.86) AS expected
FROM models ORDER BY id;
INSERT INTO models VALUES (9, '{"version": 1}');
