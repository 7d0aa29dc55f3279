-- All dimensions at once are what each of them is alone.
SET client_min_messages = warning;
CREATE TABLE wide AS
    SELECT n, ARRAY[n % 7, CASE WHEN n % 5 > 0 THEN (n * 7919) % 10007 END, CASE WHEN n % 11 = 0 THEN '-Infinity' WHEN n % 13 = 0 THEN 'Infinity' ELSE n / 3.0::float8 END, NULL]::float8[] AS v
      FROM generate_series(1, 20000) n;
ANALYZE wide;
CREATE VIEW apart AS
    SELECT d, (customer_tier.scale_stats(v[d]) FILTER (WHERE abs(v[d]) < 'Infinity')) AS stats,
           customer_tier.percentile_scale(v[d]) FILTER (WHERE abs(v[d]) < 'Infinity') AS distribution
      FROM wide, generate_series(1, 4) d GROUP BY d;
CREATE VIEW together AS
    SELECT ordinality AS d, t.* FROM (SELECT customer_tier.dimension_distributions(v) AS ds FROM wide) x, unnest(ds) WITH ORDINALITY AS t;
SELECT a.d, (a.stats).customers = t.customers AS customers,
       (a.stats).minimum IS NOT DISTINCT FROM t.minimum AND (a.stats).maximum IS NOT DISTINCT FROM t.maximum AS extremes,
       (a.stats).mean IS NOT DISTINCT FROM t.mean AND (a.stats).deviation IS NOT DISTINCT FROM t.deviation AS moments,
       (a.stats).deciles IS NOT DISTINCT FROM t.deciles AND (a.stats).decile_counts IS NOT DISTINCT FROM t.decile_counts AS deciles,
       a.distribution IS NOT DISTINCT FROM t.distribution AS distribution
  FROM apart a JOIN together t USING (d) ORDER BY d;

-- In parallel, too: the same bytes.
CREATE TABLE serial AS SELECT * FROM together;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT customer_tier.dimension_distributions(v) FROM wide;
SELECT count(*) FROM (TABLE serial EXCEPT ALL SELECT * FROM together) x;
RESET ALL;

-- Points of every method, with and without values.
CREATE TABLE rules AS
    SELECT * FROM (VALUES
        (1, 'percentile', (SELECT distribution FROM together WHERE d = 1), true, NULL, 'renormalise'),
        (2, 'percentile', (SELECT distribution FROM together WHERE d = 2), false, 'mid', 'neutral'),
        (3, 'score', '{100,1000,5000}'::float8[], true, NULL, 'worst'),
        (4, 'min_max', '{0,6000}', true, NULL, 'renormalise'),
        (5, 'z_score', '{3000,1900}', false, NULL, 'no_rating'),
        (6, 'logistic', '{3000,0.001}', true, NULL, 'renormalise'),
        (7, 'bands', '{10,100,0,50,100}', true, NULL, 'renormalise'),
        (8, 'linear', '{6000,0}', false, NULL, 'renormalise'),
        (9, 'identity', NULL, true, NULL, 'neutral'),
        (10, 'percentile', NULL, true, NULL, 'worst')) r (d, method, scale, higher_is_better, ties, missing);
CREATE TABLE card AS SELECT customer_tier.card_scales(array_agg(ROW(method, scale, higher_is_better, ties, missing)::customer_tier.card_scale ORDER BY d)) AS scales FROM rules;
CREATE VIEW valued AS SELECT n, ARRAY(SELECT v[1 + d % 3] FROM generate_series(1, 10) d) AS raw FROM wide;
SELECT count(*) AS differ
  FROM valued, LATERAL customer_tier.card_points(raw, (SELECT scales FROM card)) p, rules r,
       LATERAL (SELECT CASE WHEN raw[d] = CASE WHEN higher_is_better THEN '-Infinity' ELSE 'Infinity' END::float8 THEN 0
                            ELSE coalesce(customer_tier.dimension_points(raw[d], method, scale, higher_is_better, ties),
                                          CASE WHEN raw[d] IS NOT NULL OR missing = 'neutral' THEN 50 WHEN missing = 'worst' THEN 0 END) END) one (points)
 WHERE p[d] IS DISTINCT FROM one.points;
-- Cards that change from row to row.
SELECT n, customer_tier.card_points(ARRAY[5, 50], customer_tier.card_scales(ARRAY[ROW('linear', ARRAY[0, n], true, NULL, 'worst'), ROW('identity', NULL, n = 10, NULL, 'worst')]::customer_tier.card_scale[]))
  FROM generate_series(10, 12) n;

-- Bad input.
\set VERBOSITY terse
SELECT customer_tier.dimension_distributions(a) FROM (VALUES ('{1,2}'::float8[]), ('{1}')) t (a);
SELECT customer_tier.dimension_distributions('{1,NaN}'::float8[]);
SELECT customer_tier.dimension_distributions('{{1,2}}'::float8[]);
SELECT customer_tier.dimension_distributions(NULL), customer_tier.dimension_distributions('{}'::float8[]);
SELECT customer_tier.card_scales('{}');
SELECT customer_tier.card_scales(ARRAY[NULL]::customer_tier.card_scale[]);
SELECT customer_tier.card_scales(ARRAY[ROW('median', NULL, true, NULL, 'worst')]::customer_tier.card_scale[]);
SELECT customer_tier.card_scales(ARRAY[ROW('linear', '{1}', true, NULL, 'worst')]::customer_tier.card_scale[]);
SELECT customer_tier.card_scales(ARRAY[ROW('linear', '{1,2}', NULL, NULL, 'worst')]::customer_tier.card_scale[]);
SELECT customer_tier.card_scales(ARRAY[ROW('linear', '{1,2}', true, 'maybe', 'worst')]::customer_tier.card_scale[]);
SELECT customer_tier.card_scales(ARRAY[ROW('linear', '{1,2}', true, NULL, 'guess')]::customer_tier.card_scale[]);
SELECT customer_tier.card_points('{1,2}', (SELECT scales FROM card));
SELECT customer_tier.card_points('{NaN,1,1,1,1,1,1,1,1,1}', (SELECT scales FROM card));
SELECT customer_tier.card_points('{1}', '\x00');
SELECT customer_tier.card_points('{1}', decode(repeat('00', 16), 'hex'));
SELECT customer_tier.card_points('{1}', decode(repeat('00', 8) || '01000000' || '05000000' || repeat('ff', 120), 'hex'));
SELECT customer_tier.finite_value(x) FROM (VALUES (1.5::float8), ('NaN'), ('Infinity'), (NULL)) t (x);
CREATE FUNCTION nextafter_up(x float8) RETURNS float8 LANGUAGE sql AS 'SELECT x * (1 + 2.2e-16)';
-- Scores are rounded as numeric rounds them: random ones, ties, and ones next to ties.
SELECT count(*) FROM generate_series(0, 200000) i,
       LATERAL (VALUES (i / 2000.0::float8), (i / 1999.7), ((2 * i + 1) % 2000000 / 20000.0::float8), (i % 10000 / 100.0 + 0.00005::float8),
                       (nextafter_up(i % 1000000 / 20000.0::float8))) s (score)
 WHERE customer_tier.rounded_score(score) IS DISTINCT FROM round(score::numeric, 4)
    OR scale(customer_tier.rounded_score(score)) <> 4;
SELECT customer_tier.rounded_score(x) FROM unnest('{0,100,-0,99.99995,99.999949,-1.23456,1234.56789,NaN}'::float8[]) x;
DROP FUNCTION nextafter_up(float8);
DROP VIEW valued, together, apart;
DROP TABLE wide, serial, rules, card;
