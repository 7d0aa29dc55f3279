-- Percentiles on a scale and weighted scores, against plain SQL, in every plan.
SET search_path = customer_tier, public;
SET client_min_messages = warning;

CREATE TABLE population (kind text, value float8, place int);
INSERT INTO population
    SELECT 'days', (i * 7919) % 730, i FROM generate_series(1, 5000) AS i
    UNION ALL SELECT 'ties', CASE WHEN i % 10 < 9 THEN 1 ELSE 2 + i % 7 END, i FROM generate_series(1, 3000) AS i
    UNION ALL SELECT 'curve', exp(sin(i) * 8), i FROM generate_series(1, 2500) AS i
    UNION ALL SELECT 'equal', 7.25, i FROM generate_series(1, 40) AS i
    UNION ALL SELECT 'one', -3, 1
    UNION ALL SELECT 'extreme', v, o FROM unnest('{-Infinity,-1.7976931348623157e308,-5e-324,-0,0,5e-324,1.7976931348623157e308,Infinity,Infinity}'::float8[]) WITH ORDINALITY AS e (v, o)
    UNION ALL SELECT 'nulls', CASE WHEN i % 3 = 0 THEN i END, i FROM generate_series(1, 100) AS i
    UNION ALL SELECT 'all null', NULL, i FROM generate_series(1, 5) AS i;
CREATE TABLE scales AS SELECT kind, percentile_scale(value) AS scale FROM population GROUP BY kind;

SELECT kind, scale FROM scales WHERE cardinality(scale) < 20 OR scale IS NULL ORDER BY kind;

-- the scale is the distribution: no rows expected
SELECT kind FROM scales
WHERE scale IS DISTINCT FROM (
    SELECT array_agg(value ORDER BY value) || array_agg(through ORDER BY value)
    FROM (SELECT value, sum(count(*)) OVER (ORDER BY value)::float8 AS through FROM population AS p WHERE p.kind = scales.kind AND value IS NOT NULL GROUP BY value) AS d)
  AND kind <> 'all null';

-- high is cume_dist, low is the share before: no rows expected
SELECT kind, value, low, high
FROM (SELECT kind, value, percentile(value, scale) AS low, percentile(value, scale, 'mid') AS mid, percentile(value, scale, ties => 'high') AS high,
             cume_dist() OVER (PARTITION BY kind ORDER BY value) AS at_or_below,
             (rank() OVER (PARTITION BY kind ORDER BY value) - 1)::float8 / count(*) OVER (PARTITION BY kind) AS below
      FROM population JOIN scales USING (kind) WHERE value IS NOT NULL) AS p
WHERE low <> below OR high <> at_or_below OR abs(mid - (low + high) / 2) > 1e-15;

-- values that no member has
SELECT x, percentile(x, scale) AS low, percentile(x, scale, 'mid') AS mid, percentile(x, scale, 'high') AS high
FROM unnest('{-Infinity,0,1,1.5,2,2.5,3,4,Infinity}'::float8[]) AS x, (SELECT percentile_scale(v) AS scale FROM unnest('{1,1,1,2,2,3,3,3,3,3}'::float8[]) AS v) AS s;
SELECT percentile(NULL, '{1,1}') AS no_value, percentile(1, NULL) AS no_scale, percentile(0, '[0:1]={0,1}', 'high') AS other_bounds;
SELECT percentile(x, scale) FROM unnest('{-Infinity,-1,-0,0,1e308,Infinity}'::float8[]) AS x, scales WHERE kind = 'extreme';

-- A thinned scale: at most 131072 knots, the ends among them, off by less than 0.00001.
CREATE TABLE many AS SELECT i, sqrt(i) * 1000 + i AS value FROM generate_series(1, 300000) AS i;
INSERT INTO many SELECT 0, 250000 FROM generate_series(1, 100000);
CREATE TABLE thin AS SELECT percentile_scale(value) AS scale FROM many;
SELECT cardinality(scale), scale[1] = (SELECT min(value) FROM many) AS first, scale[cardinality(scale) / 2] = (SELECT max(value) FROM many) AS last,
       scale[cardinality(scale)] AS left_out, scale[cardinality(scale) - 1] AS members FROM thin;
SELECT count(*), count(DISTINCT low) AS percentiles, max(abs(low - below)) < 0.00001 AS low_close, max(abs(high - at_or_below)) < 0.00001 AS high_close,
       bool_and(low <= high AND low BETWEEN 0 AND 1 AND high BETWEEN 0 AND 1) AS sane, bool_and(low >= coalesce(before, 0)) AS ascends,
       min(low) AS lowest, max(high) AS highest
FROM (SELECT *, lag(high) OVER (ORDER BY value) AS before
      FROM (SELECT DISTINCT value, percentile(value, (SELECT scale FROM thin)) AS low, percentile(value, (SELECT scale FROM thin), 'high') AS high,
                   cume_dist() OVER (ORDER BY value) AS at_or_below, (rank() OVER (ORDER BY value) - 1)::float8 / count(*) OVER () AS below
            FROM many) AS p) AS q;
-- the boundary: as many distinct values as knots are not thinned, one more is
SELECT n, cardinality(percentile_scale(i)) FROM generate_series(131072, 131073) AS n, generate_series(1, n) AS i GROUP BY n ORDER BY n;

-- a stored scale is unpacked once, also where it changes from row to row
SELECT s.kind, sum(percentile(value, s.scale)) = sum(percentile(value, f.scale)) AS same, sum(percentile(value, (SELECT scale FROM scales AS t WHERE t.kind = s.kind))) = sum(percentile(value, f.scale)) AS same_by_subquery
FROM population AS p JOIN scales AS s USING (kind) JOIN (SELECT kind, percentile_scale(value) AS scale FROM population GROUP BY kind) AS f USING (kind)
WHERE kind IN ('curve', 'days') GROUP BY s.kind ORDER BY s.kind;
SELECT kind, turn, percentile(2, scale, 'high') FROM generate_series(1, 2) AS turn, scales WHERE kind IN ('curve', 'days') ORDER BY turn, kind;
DO $$
DECLARE
    stored float8[];
    total float8 := 0;
BEGIN
    SELECT scale INTO stored FROM scales WHERE kind = 'days';
    FOR i IN 1..3 LOOP
        total := total + customer_tier.percentile(i, stored);
        UPDATE scales SET scale = ARRAY[i, i]::float8[] || scale WHERE kind = 'one';
        total := total + (SELECT customer_tier.percentile(-3, ARRAY[-3, 1])) + (SELECT count(customer_tier.percentile(i, scale)) FROM scales WHERE kind = 'curve');
    END LOOP;
    RAISE INFO '%', round(total::numeric, 4);
END
$$;

-- The same bytes from every plan and every order.
CREATE TABLE shuffled (LIKE population) PARTITION BY HASH (place);
CREATE TABLE shuffled_0 PARTITION OF shuffled FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shuffled_1 PARTITION OF shuffled FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shuffled SELECT * FROM population WHERE kind <> 'extreme' ORDER BY md5(kind || place);
ANALYZE shuffled;
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
CREATE VIEW summary AS SELECT kind, percentile_scale(value) AS scale FROM shuffled GROUP BY kind;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM summary;
CREATE TABLE ordered AS SELECT kind, percentile_scale(value ORDER BY value DESC) AS scale FROM shuffled GROUP BY kind;
-- a partial state a partition, combined; then in workers, and so serialized
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
JOIN serial AS s USING (kind) WHERE array_send(s.scale) IS NOT DISTINCT FROM array_send(other.scale) GROUP BY plan ORDER BY plan;

-- Weighted scores: what is missing takes its weight along.
SELECT weighted_score('{80,60,20}', '{0.25,0.35,0.40}') AS all_there, weighted_score('{80,NULL,20}', '{0.25,0.35,0.40}') AS without_f,
       weighted_score('{NULL,NULL,NULL}', '{1,1,1}') AS nothing, weighted_score(NULL, '{1}') AS no_points, weighted_score('{NULL,5}', '{1,0}') AS weightless,
       weighted_score('{10,20}', '{1,0}') AS one_counts, weighted_score('{10,20,30}', '{2,2,2}') AS equal, weighted_score('[2:3]={10,20}', '{1,1}') AS other_bounds,
       weighted_score('{5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,7}', array_fill(1::float8, ARRAY[10])) AS many;
-- no rows expected
SELECT p, w FROM (SELECT CASE WHEN i % 5 > 0 THEN i * 1.5 END AS a, CASE WHEN i % 3 > 0 THEN i * 0.1 END AS b, i % 7 + 1.0 AS v, i % 4 + 0.5 AS w FROM generate_series(1, 200) AS i) AS t (a, b, v, w),
LATERAL (SELECT ARRAY[a, b]::float8[] AS p, ARRAY[v, w]::float8[] AS ws) AS arrays
WHERE abs(weighted_score(p, ws) - (coalesce(a * v, 0) + coalesce(b * w, 0)) / nullif(CASE WHEN a IS NULL THEN 0 ELSE v END + CASE WHEN b IS NULL THEN 0 ELSE w END, 0)) > 1e-9
   OR (weighted_score(p, ws) IS NULL) <> (a IS NULL AND b IS NULL);

SELECT percentile_scale(v) FROM generate_series(1, 0) AS v;

-- Bad input names what is wrong.
SELECT percentile_scale('NaN');
\echo :SQLSTATE
SELECT percentile('NaN', '{1,1}');
SELECT percentile(1, '{1,1}', 'lowest');
\echo :SQLSTATE
SELECT percentile(1, '{1,1}', NULL);
SELECT percentile(1, '{}');
SELECT percentile(1, '{1}');
SELECT percentile(1, '{{1,1}}');
SELECT percentile(1, '{1,NULL}');
SELECT percentile(1, '{1,0}');
SELECT percentile(1, '{1,NaN}');
SELECT percentile(1, '{1,Infinity}');
SELECT percentile(1, '{NaN,1}');
SELECT percentile(2, '{3,2,1,1,2,3}');
SELECT percentile(2, '{1,2,3,3,2,4}');
SELECT percentile(2, '{1,2,3,1,2,-1}');
SELECT percentile(2, '{1,2,3,1,5,4}');
SELECT percentile(2, '{1,3,-7,3,1}');
SELECT weighted_score('{1,2}', NULL);
\echo :SQLSTATE
SELECT weighted_score('{1,2}', '{1,-1}');
\echo :SQLSTATE
SELECT weighted_score('{1,2}', '{0,0}');
SELECT weighted_score('{1,2}', '{1,NULL}');
SELECT weighted_score('{1,2}', '{1,NaN}');
SELECT weighted_score('{1,2}', '{1,Infinity}');
SELECT weighted_score('{1,2}', '{-Infinity,1}');
SELECT weighted_score('{1,2}', '{1}');
SELECT weighted_score('{}', '{}');
SELECT weighted_score('{1,NaN}', '{1,1}');
SELECT weighted_score('{Infinity,1}', '{1,1}');
SELECT weighted_score('{{1,2}}', '{1,1}');
SELECT weighted_score('{1,2}', '{{1,1}}');
SELECT weighted_score('{1e308,1e308}', '{1e10,1}');

DROP TABLE population, scales, many, thin, shuffled, serial, ordered, combined, parallel CASCADE;
DROP FUNCTION plan_nodes;
