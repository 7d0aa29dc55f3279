-- Weights: AHP, rank order, mixtures, entropy and CRITIC, against published
-- examples, in plain SQL, in every plan, and on bad input.
SET search_path = customer_tier, public;
SET extra_float_digits = 0;

CREATE FUNCTION rounded(numbers float8[], digits int) RETURNS numeric[] LANGUAGE sql AS
    'SELECT array_agg(round(x::numeric, digits) ORDER BY i) FROM unnest(numbers) WITH ORDINALITY AS u (x, i)';

-- ---------- AHP ----------
CREATE TABLE judgements (name text, matrix float8[]);
INSERT INTO judgements VALUES
    ('school', ARRAY[[1, 4, 3, 1, 3, 4], [1/4., 1, 7, 3, 1/5., 1], [1/3., 1/7., 1, 1/5., 1/5., 1/6.], [1, 1/3., 5, 1, 1, 1/3.], [1/3., 5, 5, 1, 1, 3], [1/4., 1, 6, 3, 1/3., 1]]),
    ('style', ARRAY[[1, .25, 4, 1/6.], [4, 1, 4, .25], [.25, .25, 1, .2], [6, 4, 5, 1]]),
    ('criteria', ARRAY[[1, 1/2., 3], [2, 1, 4], [1/3., 1/4., 1]]),
    ('reliability', ARRAY[[1, 2, 5, 1], [.5, 1, 3, 2], [.2, 1/3., 1, .25], [1, .5, 4, 1]]),
    ('fuel', ARRAY[[1, 2, 4, 1], [.5, 1, 3, 2], [.25, 1/3., 1, .2], [1, .5, 5, 1]]),
    ('column', ARRAY[[1, 3, 3], [1/3., 1, 2], [1/3., 1/2., 1]]);

-- Saaty's schools are inconsistent, and say so
SELECT rounded(weights, 4), round(lambda_max::numeric, 4) AS lambda_max, round(ci::numeric, 4) AS ci, round(cr::numeric, 4) AS cr
FROM judgements, ahp_weights(matrix) WHERE name = 'school';
SELECT rounded(weights, 4) FROM judgements, ahp_weights(matrix, method => 'geometric', random_index => NULL) WHERE name = 'school';
SELECT ahp_weights(matrix, check_mode => 'refuse') FROM judgements WHERE name = 'school';
\echo :SQLSTATE
-- the random index decides how inconsistent
SET client_min_messages = error;
SELECT random_index, rounded(weights, 4), round(lambda_max::numeric, 4) AS lambda_max, round(cr::numeric, 3) AS cr
FROM judgements, unnest('{saaty,alonso,tummala,scikit,simulated}'::text[]) WITH ORDINALITY AS r (random_index, i), ahp_weights(matrix, random_index)
WHERE name = 'style' ORDER BY i;
RESET client_min_messages;
-- the column method and the eigenvector
SELECT method, rounded(weights, 4), round(ci::numeric, 8) AS ci, round(cr::numeric, 4) AS cr
FROM judgements, unnest('{column,eigenvector,geometric}'::text[]) AS method, ahp_weights(matrix, 'scikit', 'refuse', method) WHERE name = 'column';
-- a hierarchy: criteria style, reliability, fuel; four cars
SET client_min_messages = error;
WITH w AS (SELECT name, a.* FROM judgements, ahp_weights(matrix) AS a)
SELECT rounded((SELECT weights FROM w WHERE name = 'criteria'), 4) AS criteria,
       (SELECT round(lambda_max::numeric, 5) FROM w WHERE name = 'criteria') AS lambda_max,
       (SELECT round(cr::numeric, 4) FROM w WHERE name = 'criteria') AS cr,
       rounded(array_agg(score ORDER BY car), 4) AS cars
FROM (SELECT car, sum(c.weights[k] * a.weights[car]) AS score
      FROM w AS c, unnest('{style,reliability,fuel}'::text[]) WITH ORDINALITY AS n (name, k) JOIN w AS a USING (name), generate_series(1, 4) AS car
      WHERE c.name = 'criteria' GROUP BY car) AS s;
RESET client_min_messages;

-- consistent judgements, to the last digit; nothing to compare; typed by hand
SELECT * FROM ahp_weights(ARRAY[[1, 2, 4], [1/2., 1, 2], [1/4., 1/2., 1]]);
SELECT * FROM ahp_weights('{{1}}');
SELECT * FROM ahp_weights(ARRAY[[1, 3], [1/3., 1]]);
SELECT rounded(weights, 4), round(cr::numeric, 4) AS cr FROM ahp_weights('{{1,3,7},{.33,1,2},{.14,.5,1}}', check_mode => 'refuse');
SELECT ahp_weights(NULL) IS NULL AS no_matrix;
-- as good as 9 judgements out of 3 weights get: the eigenvector and the geometric mean agree for n = 3
SELECT max(abs(a.weights[k] / g.weights[k] - 1)) < 1e-15 AS same
FROM generate_series(1, 200) AS i, LATERAL (SELECT exp(sin(i)) AS x, exp(sin(i * 7.)) AS y, exp(sin(i * 3.)) AS z) AS r,
     LATERAL (SELECT ARRAY[[1, x, y], [1/x, 1, z], [1/y, 1/z, 1]] AS m) AS m, ahp_weights(m, NULL) AS a, ahp_weights(m, NULL, method => 'geometric') AS g, generate_series(1, 3) AS k;
-- more criteria than the tables have
SELECT array_length(weights, 1) AS n, cr FROM ahp_weights((SELECT array_agg(r) FROM (SELECT array_fill(1::float8, ARRAY[16]) AS r FROM generate_series(1, 16)) AS m), NULL);
SELECT ahp_weights((SELECT array_agg(r) FROM (SELECT array_fill(1::float8, ARRAY[16]) AS r FROM generate_series(1, 16)) AS m));

-- groups: the geometric mean, whichever comes first
SELECT ahp_group(m) FROM (VALUES (1, '{{1,2},{0.5,1}}'::float8[]), (2, '{{1,8},{0.125,1}}'), (3, NULL)) AS v (i, m);
SELECT ahp_group(m ORDER BY i) = ahp_group(m ORDER BY i DESC) AS same, ahp_group(m) = min(m) AS mean_of_equals, array_dims(ahp_group(m))
FROM (SELECT i, ARRAY[[1, 3], [1/3., 1]]::float8[] AS m FROM generate_series(1, 7) AS i) AS v;
SELECT ahp_group(m) FROM (SELECT NULL::float8[] AS m) AS v;

-- bad matrices
SELECT ahp_weights('{}');
SELECT ahp_weights('{1,2}');
SELECT ahp_weights('{{1,2,3},{1,1,1}}');
SELECT ahp_weights('{{1,0},{2,1}}');
SELECT ahp_weights('{{1,3},{-0.3,1}}');
SELECT ahp_weights('{{1,NULL},{2,1}}');
SELECT ahp_weights('{{1,2},{0.5,NaN}}');
SELECT ahp_weights('{{1,Infinity},{0,1}}');
SELECT ahp_weights('{{1,3},{0.5,1}}', check_mode => 'refuse');
SELECT ahp_weights('{{1,3},{0.33,2}}', check_mode => 'refuse');
SELECT weights FROM ahp_weights('{{1,3},{0.5,1}}');
SELECT ahp_weights('{{1}}', random_index => 'mine');
SELECT ahp_weights('{{1}}', method => 'power');
SELECT ahp_weights('{{1}}', check_mode => NULL);
SELECT ahp_group(m) FROM (VALUES ('{{1,2},{0.5,1}}'::float8[]), ('{{1}}')) AS v (m);
SELECT ahp_group('{{1,0},{0.5,1}}');

-- ---------- rank order and mixtures ----------
SELECT n, rounded(roc_weights(n), 4) AS roc, rounded(rank_sum_weights(n), 4) AS rank_sum, rounded(rank_reciprocal_weights(n), 4) AS reciprocal, rounded(equal_weights(n), 4) AS equal
FROM generate_series(1, 5) AS n;
SELECT max(abs(a - b)) < 1e-15 AS eighteenths FROM unnest(roc_weights(3), ARRAY[11/18., 5/18., 2/18.]::float8[]) AS u (a, b);
SELECT max(abs(total - 1)) < 1e-14 AS sum_1 FROM generate_series(1, 100) AS n, LATERAL (VALUES (roc_weights(n)), (rank_sum_weights(n)), (rank_reciprocal_weights(n)), (equal_weights(n))) AS w (weights), LATERAL (SELECT sum(x) AS total FROM unnest(weights) AS x) AS t;
SELECT roc_weights(0);
SELECT equal_weights(101);
SELECT rounded(mix_weights('{1,2,3}', '{3,2,0}'), 4) AS products, rounded(mix_weights('{1,2,3}', '{3,2,0}', 'linear', 0.25), 4) AS linear,
       mix_weights('{1,3}', '{1,1}', share => 1, method => 'linear') AS subjective, mix_weights('{1,3}', NULL) AS nothing;
SELECT mix_weights('{1,0}', '{0,1}');
\echo :SQLSTATE
SELECT mix_weights('{1,0}', '{0,1,2}');
SELECT mix_weights('{1,0}', '{0,0}');
SELECT mix_weights('{1,0}', '{0,-1}');
SELECT mix_weights('{1,0}', '{NaN,1}');
SELECT mix_weights('{1,0}', '{NULL,1}');
SELECT mix_weights('{}', '{}');
SELECT mix_weights('{1,2}', '{1,1}', 'linear', 1.5);
SELECT mix_weights('{1,2}', '{1,1}', 'sum');

-- ---------- entropy ----------
CREATE TABLE example (name text, x float8[]);
INSERT INTO example VALUES
    ('entropy', '{7,312,1891,6613,163}'), ('entropy', '{72,88,728,941804,1078}'), ('entropy', '{10,252,2594,3466,117471}'), ('entropy', '{10,145,980,2371,86329}'),
    ('entropy', '{65,54,350,501,29897}'), ('entropy', '{29,48,380,912,34051}'), ('entropy', '{7,476,3300,78470,2212}'), ('entropy', '{70,87,650,733,819000}'),
    ('entropy', '{4,86,591,3015,103}'), ('entropy', '{12,79,579,3240,96098}'), ('entropy', '{21,45,261,1253,453}'), ('entropy', '{1,72,530,4333,0.1048}'),
    ('entropy of two', '{1,2}'), ('entropy of two', '{4,16}'),
    ('entropy with a zero', '{0,2}'), ('entropy with a zero', '{1,3}'), ('entropy with a zero', '{1,4}'),
    ('critic of three', '{61,1.08,4.33}'), ('critic of three', '{20.7,0.26,4.34}'), ('critic of three', '{16.3,1.98,2.53}'), ('critic of three', '{9,3.29,1.65}'),
    ('critic of three', '{5.4,2.77,2.33}'), ('critic of three', '{4,4.12,1.21}'), ('critic of three', '{-6.1,3.52,2.10}'), ('critic of three', '{-34.6,3.31,0.98}'),
    ('critic of six', '{5000,3,3,4,3,2}'), ('critic of six', '{680,5,3,2,2,1}'), ('critic of six', '{2000,3,2,3,4,3}'), ('critic of six', '{600,4,3,1,2,2}'), ('critic of six', '{800,2,4,3,3,4}');
SELECT name, rounded(entropy_weights(x), 6) AS weights FROM example WHERE name LIKE 'entropy%' GROUP BY name ORDER BY name;
SELECT name, rounded(critic_weights(x), 8) AS weights, rounded(critic_weights(x), 3) AS shorter FROM example WHERE name LIKE 'critic%' GROUP BY name ORDER BY name;

-- constant columns weigh exactly 0 and change nothing else; all constant: equal
SELECT entropy_weights(x || 7::float8 || 0::float8) = entropy_weights(x) || 0::float8 || 0::float8 AS entropy FROM example WHERE name = 'entropy';
SELECT critic_weights(5::float8 || x) = 0::float8 || critic_weights(x) AS critic FROM example WHERE name = 'critic of three';
SELECT entropy_weights('{3,0,2}') AS entropy, critic_weights('{3,0,-2,5}') AS critic FROM generate_series(1, 3);
SELECT entropy_weights('{3,1}') AS one_row, critic_weights('{3,1}') AS critic;
SELECT entropy_weights('{0,0}') AS zeros FROM generate_series(1, 3);
SELECT entropy_weights(x) AS no_rows, critic_weights(x) AS critic FROM (VALUES (NULL::float8[])) AS v (x);
SELECT entropy_weights(x) AS with_null FROM (VALUES ('{1,2}'::float8[]), (NULL), ('{4,16}')) AS v (x);
-- one column varies; columns that agree wholly
SELECT entropy_weights(ARRAY[i, 3]) AS entropy, critic_weights(ARRAY[i, 3]) AS critic, critic_weights(ARRAY[i, 2 * i + 1, 9]) AS the_same, critic_weights(ARRAY[i, -i]) AS opposite,
       critic_weights(ARRAY[i, -i], '{t,f}') AS turned FROM generate_series(1, 10) AS i;
-- a criterion turned round is as a criterion with the other sign
SELECT rounded(critic_weights(x, '{f,t,t}'), 12) = rounded(critic_weights(ARRAY[-x[1], x[2], x[3]]), 12) AS cost,
       critic_weights(x, '{t,t,t}') = critic_weights(x) AS benefit, critic_weights(x, '{f,f,f}') = critic_weights(x) AS all_turned, rounded(critic_weights(x, '{f,t,t}'), 6)
FROM example WHERE name = 'critic of three';

-- ---------- properties on random data ----------
CREATE TABLE customer (id int, region int, x float8[]) PARTITION BY HASH (id);
CREATE TABLE customer_0 PARTITION OF customer FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE customer_1 PARTITION OF customer FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT setseed(0.4);
INSERT INTO customer SELECT i, i % 3, CASE WHEN i % 97 = 0 THEN NULL ELSE ARRAY[exp(random() * 6), floor(random() * 4), 600 + 100 * random(), random() * 1e9 * (i % 2), sqrt(i) + random()] END
FROM generate_series(1, 5000) AS i;
ANALYZE customer;

-- the formulas in plain SQL
CREATE VIEW cell AS SELECT region, id, j, v FROM customer, unnest(x) WITH ORDINALITY AS u (v, j);
CREATE VIEW entropy_oracle AS
SELECT region, array_agg(d / total ORDER BY j) AS weights
FROM (SELECT region, j, d, sum(d) OVER (PARTITION BY region) AS total
      FROM (SELECT region, j, 1 + sum(CASE WHEN p > 0 THEN p * ln(p) ELSE 0 END) / ln(count(*)) AS d
            FROM (SELECT region, j, v / sum(v) OVER (PARTITION BY region, j) AS p FROM cell) AS shares GROUP BY region, j) AS divergence) AS t
GROUP BY region;
CREATE VIEW critic_oracle AS
SELECT region, array_agg(c / total ORDER BY j) AS weights
FROM (SELECT region, j, c, sum(c) OVER (PARTITION BY region) AS total
      FROM (SELECT region, j, max(s) * sum(1 - r) AS c
            FROM (SELECT a.region, a.j, stddev_pop(a.v) / (max(a.v) - min(a.v)) AS s, corr(a.v, b.v * CASE WHEN b.j IN (2, 4) THEN -1 ELSE 1 END * CASE WHEN a.j IN (2, 4) THEN -1 ELSE 1 END) AS r
                  FROM cell AS a JOIN cell AS b USING (region, id) GROUP BY a.region, a.j, b.j) AS pairs GROUP BY region, j) AS conflict) AS t
GROUP BY region;
CREATE VIEW summary AS SELECT region, entropy_weights(x) AS entropy, critic_weights(x) AS critic, critic_weights(x, '{t,f,t,f,t}') AS cost FROM customer GROUP BY region;
SELECT region, (SELECT max(abs(a - b)) FROM unnest(s.entropy, e.weights) AS u (a, b)) < 1e-12 AS entropy, (SELECT max(abs(a - b)) FROM unnest(s.cost, c.weights) AS u (a, b)) < 1e-12 AS critic,
       (SELECT sum(a) FROM unnest(s.entropy) AS a)::numeric(20, 14) AS sum_1
FROM summary AS s JOIN entropy_oracle AS e USING (region) JOIN critic_oracle AS c USING (region) ORDER BY region;

-- units: no column but the rescaled one is touched, and that one hardly
SELECT factor, max(abs(a - b)) < 1e-15 AS entropy, max(abs(c - d)) < 1e-14 AS critic
FROM unnest('{1e-30,0.01,0.3,7,1e30}'::float8[]) AS factor,
     LATERAL (SELECT entropy_weights(x) AS e, entropy_weights(ARRAY[x[1], x[2] * factor, x[3] * factor, x[4], x[5]]) AS f, critic_weights(x) AS g, critic_weights(ARRAY[x[1], x[2] * factor, x[3] * factor, x[4], x[5]]) AS h FROM customer WHERE x IS NOT NULL) AS w,
     unnest(e, f, g, h) AS u (a, b, c, d)
GROUP BY factor ORDER BY factor;
-- a mean far above the deviation: the deviation decides, to the digits that the values still have
SELECT max(abs(a - b)) < 1e-12 AS critic_shifted
FROM (SELECT critic_weights(ARRAY[i % 7, (i * i) % 11, i % 3]) AS near, critic_weights(ARRAY[1e12 + i % 7, 1e15 + (i * i) % 11, -3e13 + i % 3]) AS far FROM generate_series(1, 1000) AS i) AS s, unnest(near, far) AS u (a, b);
SELECT max(abs(a - b)) < 1e-7 AS entropy_shifted
FROM (SELECT entropy_weights(ARRAY[1e8 + i % 7, 1e8 + (i * i) % 11]) AS far,
             ARRAY[var_pop(i % 7), var_pop((i * i) % 11)] AS variance FROM generate_series(1, 1000) AS i) AS s, LATERAL (SELECT variance[1] + variance[2] AS total) AS t,
     unnest(far, ARRAY[variance[1] / total, variance[2] / total]::float8[]) AS u (a, b);

-- The same bytes from every plan and every order.
CREATE FUNCTION plan_nodes(query text, node text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    line text;
    found int := 0;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found := found + (line LIKE '%' || node || '%')::int;
    END LOOP;
    RETURN found;
END
$$;
CREATE VIEW everything AS SELECT region, entropy, critic, cost, g FROM summary
    JOIN (SELECT region, ahp_group(ARRAY[[1, x[1] + 1], [1 / (x[1] + 1), 1]]) AS g FROM customer WHERE x IS NOT NULL GROUP BY region) AS j USING (region)
    UNION ALL SELECT 99, entropy_weights(x), critic_weights(x), critic_weights(x, '{t,f,t,f,t}'), NULL FROM customer;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM everything;
CREATE TABLE ordered AS SELECT region, entropy_weights(x ORDER BY md5(id::text)) AS entropy, critic_weights(x ORDER BY id DESC) AS critic, critic_weights(x, '{t,f,t,f,t}' ORDER BY md5(id::text)) AS cost,
    ahp_group(CASE WHEN x IS NOT NULL THEN ARRAY[[1, x[1] + 1], [1 / (x[1] + 1), 1]] END ORDER BY id DESC) AS g FROM customer GROUP BY region;
-- a partial state a partition, combined; then in workers, and so serialized
SET enable_partitionwise_aggregate = on;
SELECT plan_nodes('SELECT * FROM everything', 'Partial') > 1 AS partial_nodes;
CREATE TABLE combined AS SELECT * FROM everything;
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
SELECT plan_nodes('SELECT * FROM everything', 'Partial') > 1 AS partial_nodes, plan_nodes('SELECT * FROM everything', 'Gather') > 0 AS gather_nodes;
CREATE TABLE parallel AS SELECT * FROM everything;
-- workers that found no row at all
SELECT entropy_weights(x) IS NULL AS nothing FROM customer WHERE id < 0;
RESET enable_partitionwise_aggregate;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET parallel_leader_participation;
SELECT plan, count(*) FROM (
    SELECT 'ordered' AS plan, * FROM ordered UNION ALL SELECT 'combined', * FROM combined UNION ALL SELECT 'parallel', * FROM parallel) AS other
JOIN serial AS s USING (region)
WHERE array_send(s.entropy) = array_send(other.entropy) AND array_send(s.critic) = array_send(other.critic) AND array_send(s.cost) = array_send(other.cost) AND (array_send(s.g) = array_send(other.g) OR s.g IS NULL)
GROUP BY plan ORDER BY plan;
-- as a window, the state is read many times
SELECT count(*) FROM (SELECT id, entropy_weights(x) OVER (ORDER BY id) AS w FROM customer WHERE id <= 50) AS t
WHERE w IS DISTINCT FROM (SELECT entropy_weights(x) FROM customer AS c WHERE c.id <= t.id);

-- ---------- bad rows ----------
SELECT entropy_weights('{1,-2}');
\echo :SQLSTATE
SELECT entropy_weights('{1,NULL,2}');
SELECT entropy_weights('{1,2,NaN}');
SELECT entropy_weights('{Infinity,2}');
SELECT entropy_weights('{1,1e200}');
SELECT entropy_weights(x) FROM (VALUES ('{1,2}'::float8[]), ('{1}')) AS v (x);
SELECT entropy_weights('{}');
SELECT entropy_weights('{{1,2},{3,4}}');
SELECT entropy_weights(array_fill(1::float8, ARRAY[101]));
SELECT critic_weights('{1,NULL}');
SELECT critic_weights('{1,-Infinity}');
SELECT critic_weights(ARRAY[i, i * 1e-150]) FROM generate_series(1, 3) AS i;
SELECT critic_weights('{1,2}', '{t}');
SELECT critic_weights('{1,2}', '{t,NULL}');
SELECT critic_weights('{1,2}', NULL);
SELECT critic_weights('{1,2}', ARRAY[true, i = 1]) FROM generate_series(1, 2) AS i;

DROP TABLE judgements, example, customer, serial, ordered, combined, parallel CASCADE;
DROP FUNCTION rounded, plan_nodes;
