-- Drift of a population: psi, its alarm, the distance of distributions, counts in bins.
SET search_path = customer_tier, public;
SET extra_float_digits = -3;
\pset null NULL

-- psi by hand
SELECT psi('{100,200,300,400}', '{100,200,300,400}') AS same, psi('{100,200,300,400}', '{1,2,3,4}') AS same_shares,
	round(psi('{250,250,250,250}', '{400,300,200,100}')::numeric, 10) AS moved,
	round(((0.15 * ln(1.6) + 0.05 * ln(1.2) - 0.05 * ln(0.8) - 0.15 * ln(0.4)))::numeric, 10) AS by_hand,
	psi('{30,70}', '{60,40}') - psi('{60,40}', '{30,70}') AS symmetric;
-- an empty bin is half a customer, of each one's own number; empty on both sides it is nothing
SELECT psi('{10,0}', '{5,5}') AS one, ((0.5 - 1) * ln(0.5) + (0.5 - 0.05) * ln(0.5 / 0.05))::float8 AS one_by_hand,
	psi('{10,0,0}', '{5,5,0}') = psi('{10,0}', '{5,5}') AS nothing;
-- the alarm
SELECT psi_alarm(10, 1000000, 1000000) AS many, psi_alarm(10, 100, 100) AS few, psi_alarm(10, 100, 1000) AS mixed, psi_alarm(1, 1, 1) AS one_bin;
SELECT psi_alarm(0, 10, 10);
SELECT psi_alarm(10, 0, 10);
SELECT psi_alarm(10, 10, -1);
-- largest distance of the cumulative shares
SELECT ks_distance('{1,1,1,1}', '{1,1,1,1}') AS same, ks_distance('{4,0}', '{0,4}') AS apart, ks_distance('{250,250,250,250}', '{400,300,200,100}') AS moved, ks_distance('{1,2,3}', '{2,1,3}') AS sixth;
SELECT psi('{4611686018427387904,4611686018427387903}', '{1,1}') < 1e-15 AS large, ks_distance('{4611686018427387904,4611686018427387903}', '{1,1}') < 1e-15 AS large_distance;

-- what cannot be compared
SELECT psi('{1,2}', '{1}');
SELECT psi('{1,2}', '{1,-2}');
SELECT psi('{0,0}', '{1,2}');
SELECT psi('{1,2}', '{0,0}');
SELECT psi('{}', '{}');
SELECT psi('{1,NULL}', '{1,2}');
SELECT psi('{{1,2}}', '{1,2}');
SELECT psi('{9223372036854775807,1}', '{1,2}');
SELECT ks_distance('{1,2}', '{1}');
SELECT ks_distance('{0}', '{1}');
SELECT psi(NULL, '{1}') AS no_reference, ks_distance('{1}', NULL) AS no_actual;

-- counts in bins are counts of scores: no rows expected
CREATE TABLE population AS SELECT i, CASE WHEN i % 50 > 0 THEN (i * 7919) % 1000 / 10.0::float8 END AS v FROM generate_series(1, 5000) AS i;
SELECT cuts, counts, expected FROM (VALUES ('{}'::float8[]), ('{50}'), ('{10,20,30.5,99.9}'), ('{-Infinity,0,0,Infinity}'), ('{200}'), ('[5:6]={7,8}')) AS c (cuts),
	LATERAL (SELECT bin_counts(v, cuts) AS counts FROM population) AS b,
	LATERAL (SELECT array_agg((SELECT count(*) FROM population WHERE score(v, cuts) = s) ORDER BY s) AS expected FROM generate_series(1, cardinality(cuts) + 1) AS s) AS e
WHERE counts IS DISTINCT FROM expected;
SELECT bin_counts(x, '{1,2}') AS counts FROM unnest('{1,1,1.5,NULL,2,3,Infinity,-Infinity}'::float8[]) AS x;
SELECT bin_counts(NULL, '{1,2}') AS only_nulls FROM generate_series(1, 3);
SELECT bin_counts(v, '{1,2}') AS no_rows FROM population WHERE i < 0;
SELECT bin_counts(v, NULL) FROM population;
SELECT bin_counts(v, '{2,1}') FROM population;
SELECT bin_counts(v, '{1,NaN}') FROM population;
SELECT bin_counts(v, '{1,NULL}') FROM population;
SELECT bin_counts(v, '{{1,2}}') FROM population;
SELECT bin_counts(v, CASE WHEN i = 7 THEN '{1,NULL}' ELSE '{1,2}' END::float8[]) FROM population;
SELECT bin_counts(v, ARRAY[i % 2]) FROM population;
SELECT bin_counts(v, array_fill(1::float8, ARRAY[10001])) FROM population;
SELECT bin_counts('NaN', '{1}');

-- all together: reference deciles, and everything half as large
SELECT round(psi(r, a)::numeric, 4) AS psi, psi(r, a) > psi_alarm(10, 4900, 4900) AS alarm, ks_distance(r, a) AS ks,
	(SELECT max(abs((SELECT avg((v <= c)::int) FROM population) - (SELECT avg((v / 2 <= c)::int) FROM population))) FROM unnest(cuts) AS c)::float8 AS ks_by_hand
FROM (SELECT cuts, (SELECT bin_counts(v, cuts) FROM population) AS r, (SELECT bin_counts(v / 2, cuts) FROM population) AS a FROM (SELECT quantile_cuts(v, 10) AS cuts FROM population) AS c) AS q;

-- a parallel plan counts the same
ALTER TABLE population SET (parallel_workers = 2);
ANALYZE population;
SELECT bin_counts(v, '{10,50,90}') AS serial FROM population \gset
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT bin_counts(v, '{10,50,90}') FROM population;
SELECT bin_counts(v, '{10,50,90}') = :'serial' AS same FROM population;
DROP TABLE population;
