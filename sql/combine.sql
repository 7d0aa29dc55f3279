-- TOPSIS, the geometric score, Shapley values and grades.
SET search_path = customer_tier, public;
SET extra_float_digits = 0;

CREATE FUNCTION rounded(numbers float8[], digits int) RETURNS numeric[] LANGUAGE sql AS
    'SELECT array_agg(round(x::numeric, digits) ORDER BY i) FROM unnest(numbers) WITH ORDINALITY AS u (x, i)';

-- ---------- the weighted sum, with weights that sum to 2 ----------
WITH alternative (i, x) AS (VALUES (1, '{96,83,75,7}'::float8[]), (2, '{63,5,56,9}'), (3, '{72,30,32,48}'), (4, '{11,4,27,9}'), (5, '{77,21,17,11}')),
     share AS (SELECT i, k, CASE WHEN k <= 2 THEN v / sum(v) OVER (PARTITION BY k) ELSE 1 / v / sum(1 / v) OVER (PARTITION BY k) END AS z FROM alternative, unnest(x) WITH ORDINALITY AS u (v, k)),
     points AS (SELECT i, array_agg(z ORDER BY k) AS z FROM share GROUP BY i)
SELECT rounded(array_agg(weighted_score(z, ARRAY[8/13., 5/13., 6/13., 7/13.]) ORDER BY i), 4) AS mean, rounded(array_agg(2 * weighted_score(z, '{8,5,6,7}') ORDER BY i), 3) AS sum FROM points;

-- ---------- TOPSIS ----------
CREATE TABLE example (name text, i int, x float8[], weights float8[], higher_is_better boolean[], normalisation text);
INSERT INTO example VALUES
    ('vector', 1, '{5,8,4}', '{.3,.4,.3}', '{t,t,t}', 'vector'), ('vector', 2, '{7,6,8}', '{.3,.4,.3}', '{t,t,t}', 'vector'),
    ('vector', 3, '{8,8,6}', '{.3,.4,.3}', '{t,t,t}', 'vector'), ('vector', 4, '{7,4,6}', '{.3,.4,.3}', '{t,t,t}', 'vector'),
    ('vector with a cost', 1, '{5490,51.4,8.5,285}', '{.35,.25,.25,.15}', '{f,t,t,t}', 'vector'), ('vector with a cost', 2, '{6500,70.6,7,288}', '{.35,.25,.25,.15}', '{f,t,t,t}', 'vector'),
    ('vector with a cost', 3, '{6489,54.3,7.5,290}', '{.35,.25,.25,.15}', '{f,t,t,t}', 'vector'),
    ('min-max', 1, '{1,3000}', '{.5,.5}', '{f,t}', 'min_max'), ('min-max', 2, '{2,3750}', '{.5,.5}', '{f,t}', 'min_max'), ('min-max', 3, '{5,4500}', '{.5,.5}', '{f,t}', 'min_max');
CREATE VIEW scale AS SELECT name, topsis_scale(x, higher_is_better) AS vector, topsis_scale(x, higher_is_better, 'min_max') AS min_max, topsis_scale(x, higher_is_better, normalisation) AS own FROM example GROUP BY name;
SELECT name, rounded(array_agg(topsis(x, weights, own) ORDER BY i), 5) AS closeness, rounded(array_agg(topsis(x, weights, vector) ORDER BY i), 4) AS vector, rounded(array_agg(topsis(x, weights, min_max) ORDER BY i), 4) AS min_max
FROM example JOIN scale USING (name) GROUP BY name ORDER BY name;
-- norms, best, worst
SELECT name, rounded(vector, 3) AS vector, min_max FROM scale WHERE name IN ('min-max', 'vector with a cost') ORDER BY name;

-- the ends, beyond the ends, weights that sum to 2, what is missing
SELECT topsis('{5490,70.6,8.5,290}', w, vector) AS ideal, topsis('{6500,51.4,7,285}', w, vector) AS anti_ideal, topsis('{1,99,99,999}', w, vector) AS better, topsis('{1e300,-1e300,-3,0}', w, vector) AS worse,
       topsis('{6000,60,8,287}', w, vector) = topsis('{6000,60,8,287}', '{.7,.5,.5,.3}', vector) AS weights_doubled,
       round(topsis('{6000,NULL,8,NULL}', w, vector)::numeric, 6) AS two_missing, topsis('{NULL,NULL,NULL,NULL}', w, vector) AS all_missing, topsis(NULL, w, vector) AS nothing,
       topsis('{6000,NULL,NULL,NULL}', '{0,1,1,1}', vector) AS weightless
FROM scale, (SELECT '{.35,.25,.25,.15}'::float8[]) AS w (w) WHERE name = 'vector with a cost';
-- what is missing is as a weight of 0
SELECT topsis('{6000,NULL,8,NULL}', '{.35,.25,.25,.15}', vector) = topsis('{6000,1,8,1}', '{.35,0,.25,0}', vector) AS same FROM scale WHERE name = 'vector with a cost';
-- nobody differs; one customer only; a criterion nobody has; values missing from the scale
SELECT s AS scale, topsis('{3,0}', '{1,1}', s) AS closeness, topsis('{99,99}', '{1,1}', s) AS another FROM (SELECT topsis_scale('{3,0}', '{t,f}') AS s FROM generate_series(1, 3)) AS s;
SELECT topsis_scale(ARRAY[NULL, i, CASE WHEN i > 1 THEN i END], '{t,t,f}') AS scale FROM generate_series(1, 3) AS i;
SELECT topsis('{5,2}', '{1,1}', topsis_scale(ARRAY[NULL, i], '{t,t}', 'min_max')) AS one_counts FROM generate_series(1, 5) AS i;
SELECT topsis_scale(NULL, '{t}') AS nothing, topsis_scale('{1}', '{t}') FILTER (WHERE false) AS no_rows;

-- ---------- the geometric score ----------
SELECT geometric_score('{25,100}', '{1,1}') AS mean, geometric_score('{50,50,50}', '{.2,.3,.7}') AS equal, geometric_score('{0,100}', '{1,1}') AS floored, geometric_score('{-5,0.5}', '{1,1}') AS floor,
       geometric_score('{25,NULL,100}', '{2,9,2}') AS one_missing, geometric_score('{NULL,NULL}', '{1,1}') AS none, geometric_score('{NULL,3}', '{1,0}') AS weightless, geometric_score(NULL, '{1}') AS nothing,
       geometric_score('{80,20}', '{1,0}') AS one_counts;

-- ---------- properties on random data ----------
CREATE TABLE customer (id int, region int, x float8[], points float8[]) PARTITION BY HASH (id);
CREATE TABLE customer_0 PARTITION OF customer FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE customer_1 PARTITION OF customer FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT setseed(0.4);
INSERT INTO customer SELECT i, i % 3, ARRAY[CASE WHEN i % 10 > 0 THEN exp(random() * 6) END, floor(random() * 4), 600 + 100 * random(), random() * -1e9],
    ARRAY[CASE WHEN i % 10 > 0 THEN random() * 100 END, floor(random() * 5) * 25, random() * 100, 100 - random()] FROM generate_series(1, 3000) AS i;
ANALYZE customer;
CREATE TABLE card AS SELECT '{3,1,0.5,2}'::float8[] AS w, '{t,f,t,f}'::bool[] AS better, topsis_scale(x, '{t,f,t,f}') AS s, topsis_scale(x, '{t,f,t,f}', 'min_max') AS m FROM customer;

-- the formulas in plain SQL: no rows expected
SELECT id, topsis, expected FROM (
    SELECT id, topsis(x, w, s), sqrt(sum(power(w[k] * (v - s[8 + k]) / s[k], 2))) / (sqrt(sum(power(w[k] * (v - s[8 + k]) / s[k], 2))) + sqrt(sum(power(w[k] * (v - s[4 + k]) / s[k], 2)))) AS expected
    FROM customer, card, unnest(x) WITH ORDINALITY AS u (v, k) WHERE v IS NOT NULL GROUP BY id, x, w, s) AS t WHERE abs(topsis - expected) > 1e-12;
SELECT id, score, expected FROM (
    SELECT id, geometric_score(points, w) AS score, exp(sum(w[k] * ln(greatest(v, 1))) / sum(w[k])) AS expected
    FROM customer, card, unnest(points) WITH ORDINALITY AS u (v, k) WHERE v IS NOT NULL GROUP BY id, points, w) AS t WHERE abs(score / expected - 1) > 1e-13;
SELECT bool_and(abs(s[k] / norm - 1) < 1e-12 AND s[4 + k] = best AND s[8 + k] = worst AND m[k] = abs(best - worst) AND m[4 + k] = best) AS scale
FROM card, (SELECT k, sqrt(sum(v * v)) AS norm, CASE WHEN k % 2 = 1 THEN max(v) ELSE min(v) END AS best, CASE WHEN k % 2 = 1 THEN min(v) ELSE max(v) END AS worst FROM customer, unnest(x) WITH ORDINALITY AS u (v, k) GROUP BY k) AS o;
-- bounds, monotony (one value better, never a lower score), units: no rows expected
SELECT id FROM customer, card, LATERAL (SELECT ARRAY[x[1] * 1.1, x[2] - 1, x[3] + 7, x[4] * 1.01] AS better_x, ARRAY[points[1] + 1, points[2] * 1.1, points[3], points[4]] AS better_points) AS b
WHERE NOT (topsis(x, w, s) BETWEEN 0 AND 1 AND topsis(x, w, m) BETWEEN 0 AND 1 AND topsis(better_x, w, s) >= topsis(x, w, s) AND topsis(better_x, w, m) >= topsis(x, w, m))
   OR NOT (geometric_score(points, w) BETWEEN 1 AND 100 AND geometric_score(better_points, w) >= geometric_score(points, w) AND geometric_score(points, w) <= weighted_score(ARRAY[greatest(points[1], 1), greatest(points[2], 1), greatest(points[3], 1), points[4]], w) + 1e-9 OR points[1] IS NULL);
SELECT max(abs(topsis(x, w, s) - topsis(ARRAY[x[1] * 0.01, x[2], x[3] * 1e6, x[4]], w, t))) < 1e-13 AS units
FROM customer, card, (SELECT topsis_scale(ARRAY[x[1] * 0.01, x[2], x[3] * 1e6, x[4]], '{t,f,t,f}') AS t FROM customer) AS t;

-- contributions add up: to the score less that of the baseline
SELECT combination, max(abs(total - distance) / greatest(abs(distance), spread, 1)) < 1e-13 AS exact
FROM (SELECT id, combination, (SELECT sum(v) FROM unnest(values) AS v) AS total, (SELECT sum(abs(v)) FROM unnest(values) AS v) AS spread, distance
      FROM (SELECT id, c.* FROM customer, card,
                LATERAL (SELECT ARRAY[coalesce(points[1], 40), points[2], points[3], points[4]] AS p, ARRAY[coalesce(x[1], 55), x[2], x[3], x[4]] AS y, '{40,50,50,50}'::float8[] AS b, '{55,1.5,650,-5e8}'::float8[] AS z) AS filled,
                LATERAL (VALUES ('mean', shapley_values(points, b, w, 'mean'), weighted_score(p, w) - weighted_score(b, w)),
                                ('geometric', shapley_values(points, b, w, 'geometric'), geometric_score(p, w) - geometric_score(b, w)),
                                ('topsis', shapley_values(x, z, w, 'topsis', s), 100 * topsis(y, w, s) - 100 * topsis(z, w, s)),
                                ('topsis min-max', shapley_values(x, z, w, 'topsis', m), 100 * topsis(y, w, m) - 100 * topsis(z, w, m))) AS c (combination, values, distance)) AS v) AS t
GROUP BY combination ORDER BY combination;

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
CREATE VIEW summary AS SELECT region, topsis_scale(x, '{t,f,t,f}') AS vector, topsis_scale(x, '{t,f,t,f}', 'min_max') AS min_max FROM customer GROUP BY region;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM summary;
CREATE TABLE ordered AS SELECT region, topsis_scale(x, '{t,f,t,f}' ORDER BY id DESC) AS vector, topsis_scale(x, '{t,f,t,f}', 'min_max' ORDER BY md5(id::text)) AS min_max FROM customer GROUP BY region;
SET enable_partitionwise_aggregate = on;
SELECT plan_nodes('SELECT * FROM summary', 'Partial') > 1 AS partial_nodes;
CREATE TABLE combined AS SELECT * FROM summary;
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
SELECT plan_nodes('SELECT * FROM summary', 'Partial') > 1 AS partial_nodes, plan_nodes('SELECT * FROM summary', 'Gather') > 0 AS gather_nodes;
CREATE TABLE parallel AS SELECT * FROM summary;
RESET enable_partitionwise_aggregate;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET parallel_leader_participation;
SELECT plan, count(*) FROM (
    SELECT 'ordered' AS plan, * FROM ordered UNION ALL SELECT 'combined', * FROM combined UNION ALL SELECT 'parallel', * FROM parallel) AS other
JOIN serial AS s USING (region) WHERE array_send(s.vector) = array_send(other.vector) AND array_send(s.min_max) = array_send(other.min_max) GROUP BY plan ORDER BY plan;

-- ---------- Shapley values ----------
-- two members, by hand: sqrt(80 * 20) - sqrt(50 * 50), half of each order
SELECT shapley_values('{80,20}', '{50,50}', '{1,1}', 'mean') AS mean, rounded(shapley_values('{80,20}', '{50,50}', '{1,1}', 'geometric'), 9) AS geometric,
       round(((sqrt(80 * 50) - 50 + 40 - sqrt(50 * 20)) / 2)::numeric, 9) AS first, round(((sqrt(50 * 20) - 50 + 40 - sqrt(80 * 50)) / 2)::numeric, 9) AS second;
-- missing, without weight, at the baseline; twelve members; nothing
SELECT shapley_values('{80,NULL,20,50}', '{50,50,50,50}', '{1,2,0,3}', 'mean') AS mean, rounded(shapley_values('{80,NULL,20,50}', '{50,50,50,50}', '{1,2,0,3}', 'geometric'), 6) AS geometric, shapley_values(NULL, '{1}', '{1}', 'mean') AS nothing;
SELECT rounded(shapley_values(array_agg(10.0 * (i % 10) + 5 ORDER BY i), array_fill(50::float8, ARRAY[12]), array_agg(i ORDER BY i), 'geometric'), 4) AS twelve FROM generate_series(1, 12) AS i;
SELECT shapley_values(array_fill(80::float8, ARRAY[20]), array_fill(50::float8, ARRAY[20]), array_fill(2::float8, ARRAY[20]), 'mean') = array_fill(1.5::float8, ARRAY[20]) AS twenty;
-- equal members have equal values
SELECT v[1] = v[2] AS equal FROM (SELECT shapley_values('{80,80,20}', '{50,50,50}', '{2,2,1}', 'geometric')) AS s (v);

-- ---------- grades ----------
SELECT score, grade(score, '{40,60,80,90}', '{D,C,B,A,AAA}') FROM unnest('{-Infinity,0,39.9999,40,59.99,60,80,89.99,90,100,Infinity,NULL}'::float8[]) AS score;
SELECT grade(85, '{60,80}', '{C,B,A}') AS whole, grade(79.9999, ARRAY[60, 80.0], ARRAY['C', 'B', 'A']) AS decimal, grade(80::numeric, '{60,80}', '{C,B,A}') AS "numeric", grade(5, '{}', '{all}') AS one_grade,
       grade(70, '[0:1]={60,80}', '[-1:1]={差,中,好}') AS other_bounds;

-- ---------- bad input ----------
SELECT topsis('{1,2}', '{1,1}', NULL);
SELECT topsis('{1,2}', '{1,1}', '{1,1,2,2}');
SELECT topsis('{1}', '{1}', '{-1,2,3}');
SELECT topsis('{1}', '{1}', '{1,NaN,3}');
SELECT topsis('{1}', '{1}', '{1,NULL,3}');
SELECT topsis('{1,2}', '{1}', '{1,2,3}');
SELECT topsis('{NaN}', '{1}', '{1,2,3}');
SELECT topsis('{1}', '{0}', '{1,2,3}');
SELECT topsis('{1}', NULL, '{1,2,3}');
SELECT topsis_scale('{1,2}', '{t}');
SELECT topsis_scale('{1,NaN}', '{t,t}');
SELECT topsis_scale('{1,-1e150}', '{t,t}');
SELECT topsis_scale('{1,2}', '{t,t}', 'range');
SELECT topsis_scale('{1,2}', '{t,t}', NULL);
SELECT topsis_scale('{1,2}', '{t,t}', CASE WHEN i = 1 THEN 'vector' ELSE 'min_max' END) FROM generate_series(1, 2) AS i;
SELECT geometric_score('{1,2}', '{1}');
SELECT geometric_score('{1,Infinity}', '{1,1}');
SELECT geometric_score('{1,2}', '{1,-1}');
SELECT geometric_score('{{1,2}}', '{1,1}');
SELECT shapley_values('{1,2}', '{1}', '{1,1}', 'mean');
SELECT shapley_values('{1,2}', '{1,NULL}', '{1,1}', 'mean');
SELECT shapley_values('{1,2}', NULL, '{1,1}', 'mean');
SELECT shapley_values('{1,2}', '{1,1}', '{1,1}', 'median');
SELECT shapley_values('{1,2}', '{1,1}', '{1,1}', 'topsis');
SELECT shapley_values(array_fill(1::float8, ARRAY[13]), array_fill(1::float8, ARRAY[13]), array_fill(1::float8, ARRAY[13]), 'geometric');
\echo :SQLSTATE
SELECT shapley_values('{1e308,1e308}', '{0,0}', '{10,1}', 'mean');
SELECT grade(50, '{60,80}', '{B,A}');
SELECT grade(50, '{80,60}', '{C,B,A}');
SELECT grade(50, '{60,60}', '{C,B,A}');
SELECT grade(50, '{60,NaN}', '{C,B,A}');
SELECT grade(50, '{60,NULL}', '{C,B,A}');
SELECT grade(50, '{60,80}', '{C,NULL,A}');
SELECT grade(50, NULL, '{A}');
SELECT grade(50, '{60}', NULL);
SELECT grade('NaN', '{60}', '{B,A}');
SELECT grade(50, '{{60}}', '{B,A}');

DROP TABLE example, customer, card, serial, ordered, combined, parallel CASCADE;
DROP FUNCTION rounded, plan_nodes;
