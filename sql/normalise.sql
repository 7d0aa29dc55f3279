-- Points of a dimension, and what is measured for them, against plain SQL.
SET search_path = customer_tier, public;
SET client_min_messages = warning;

-- Ties, gaps and both signs; what must come out is computed beside it.
CREATE TABLE population (kind text, value float8, place int);
INSERT INTO population
    SELECT 'days', (i * 7919) % 730, i FROM generate_series(1, 1500) AS i
    UNION ALL SELECT 'ties', CASE WHEN i % 10 < 8 THEN 1 ELSE 2 + i % 7 END, i FROM generate_series(1, 1000) AS i
    UNION ALL SELECT 'curve', exp(sin(i) * 8) - 40, i FROM generate_series(1, 600) AS i
    UNION ALL SELECT 'equal', 0.1, i FROM generate_series(1, 41) AS i
    UNION ALL SELECT 'one', -3, 1
    UNION ALL SELECT 'far', 1e15 + (i * 7919) % 100, i FROM generate_series(1, 300) AS i
    UNION ALL SELECT 'nulls', CASE WHEN i % 3 = 0 THEN i END, i FROM generate_series(1, 100) AS i
    UNION ALL SELECT 'all null', NULL, i FROM generate_series(1, 5) AS i;
CREATE TABLE measured AS
    SELECT kind, quantile_cuts(value, 5) AS cuts, percentile_scale(value) AS scale, value_range(value, 0, 1) AS whole, value_range(value, 0.05, 0.9) AS winsorised,
           mean_deviation(value) AS moments, scale_stats(value) AS stats
    FROM population GROUP BY kind;

-- What is measured, in plain SQL: no rows expected.
SELECT m.kind FROM measured AS m JOIN
    (SELECT kind, count(value) AS customers, min(value) AS minimum, max(value) AS maximum,
            percentile_disc(ARRAY[0, 1]::float8[]) WITHIN GROUP (ORDER BY value) AS whole, percentile_disc(ARRAY[0.05, 0.9]::float8[]) WITHIN GROUP (ORDER BY value) AS winsorised,
            percentile_disc(ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[]) WITHIN GROUP (ORDER BY value) AS deciles,
            avg(exactly) AS mean, stddev_pop(exactly) AS deviation
     FROM (SELECT *, CASE WHEN abs(value) > 1e14 THEN value::bigint::numeric ELSE value::numeric END AS exactly FROM population) AS p GROUP BY kind) AS o USING (kind)
WHERE m.whole <> o.whole OR m.winsorised <> o.winsorised OR (stats).minimum <> minimum OR (stats).maximum <> maximum OR (stats).deciles <> deciles
   OR (stats).customers IS DISTINCT FROM customers OR moments <> ARRAY[(stats).mean, (stats).deviation]
   OR abs(moments[1] - mean::float8) > 1e-14 * abs(moments[1]) OR abs(moments[2] - deviation::float8) > 1e-14 * moments[2];
SELECT kind, whole, winsorised, moments, (stats).customers, (stats).decile_counts FROM measured WHERE kind <> 'curve' ORDER BY kind;
SELECT kind, bin, members, (stats).decile_counts[bin] FROM measured JOIN
    (SELECT kind, 1 + (SELECT count(*) FROM unnest((stats).deciles) AS cut WHERE cut < value) AS bin, count(*) AS members
     FROM population JOIN measured USING (kind) WHERE value IS NOT NULL GROUP BY 1, 2) AS b USING (kind)
WHERE (stats).decile_counts[bin] <> members;
SELECT kind FROM measured WHERE (stats).customers <> (SELECT sum(c) FROM unnest((stats).decile_counts) AS c);

-- a mean that is much larger than the deviation, values at the ends of the range
SELECT mean_deviation(1e15 + v) AS far, mean_deviation(v) AS near FROM unnest('{4,7,13,16}'::float8[]) AS v;
SELECT mean_deviation(v) AS extreme, value_range(v, 0, 1) AS range FROM unnest('{-1.7976931348623157e308,1.7976931348623157e308}'::float8[]) AS v;
SELECT mean_deviation(v) AS tiny FROM unnest('{5e-324,5e-324,5e-324}'::float8[]) AS v;
SELECT scale_stats(v) FROM unnest('{-Infinity,-0,0,5,Infinity}'::float8[]) AS v;
SELECT value_range(v, 0.25, 0.25) AS one_quantile, value_range(v, 0, 0) AS least FROM unnest('{-0,3,2,1}'::float8[]) AS v;
SELECT value_range(v, 0, 1), mean_deviation(v), scale_stats(v) FROM generate_series(1, 0) AS v;

-- The points of every member, higher and lower is better: no rows expected.
CREATE VIEW points AS
SELECT kind, value, up, ties, cuts, scale, whole, winsorised, moments,
       count(value) OVER (PARTITION BY kind, up, ties) AS members,
       rank() OVER (PARTITION BY kind, up, ties ORDER BY CASE WHEN up THEN value ELSE -value END) - 1 AS worse,
       count(*) OVER (PARTITION BY kind, up, ties ORDER BY CASE WHEN up THEN value ELSE -value END) AS not_better,
       dimension_points(value, 'score', cuts, up) AS score, dimension_points(value, 'percentile', scale, up, ties) AS percentile,
       dimension_points(value, 'min_max', whole, up) AS min_max, dimension_points(value, 'min_max', winsorised, up) AS cut_off,
       dimension_points(value, 'z_score', moments, up) AS z_score, dimension_points(value, 'logistic', ARRAY[moments[1], 0.01], up) AS logistic,
       dimension_points(value, 'bands', CASE WHEN up THEN '{1,4,50,0,10,10.5,100}' ELSE '{1,4,50,100,30,30,0}' END::float8[], up) AS bands,
       dimension_points(value, 'linear', CASE WHEN up THEN '{-10,400}' ELSE '{400,-10}' END::float8[], up) AS linear,
       dimension_points(value, 'identity', NULL, up) AS identity
FROM population JOIN measured USING (kind) CROSS JOIN (VALUES (true), (false)) AS d (up) CROSS JOIN unnest('{low,mid,high}'::text[]) AS ties
WHERE value IS NOT NULL;
SELECT kind, value, up, ties, score, percentile, min_max, cut_off, logistic, bands, linear, identity FROM points
WHERE percentile <> 100 * (CASE ties WHEN 'low' THEN worse WHEN 'high' THEN not_better ELSE (worse + not_better) / 2.0 END / members::float8)::float8
   OR ties = 'low' AND up AND (percentile <> 100 * percentile(value, scale) OR percentile <> dimension_points(value, 'percentile', scale))
   OR ties = 'high' AND NOT up AND percentile <> dimension_points(value, 'percentile', scale, false)
   OR score <> 100 * (CASE WHEN up THEN score(value, cuts) ELSE 6 - score(value, cuts) END - 1) / 4.0
   OR min_max <> CASE WHEN whole[1] = whole[2] THEN 50 WHEN up THEN 100 * ((value - whole[1]) / (whole[2] - whole[1])) ELSE 100 * ((whole[2] - value) / (whole[2] - whole[1])) END
   OR abs(cut_off - CASE WHEN winsorised[1] = winsorised[2] THEN 50 WHEN up THEN 100 * greatest(0, least(1, (value - winsorised[1]) / (winsorised[2] - winsorised[1])))
                         ELSE 100 * greatest(0, least(1, (winsorised[2] - value) / (winsorised[2] - winsorised[1]))) END) > 1e-12
   OR abs(logistic - 100 / (1 + exp(greatest(-600, least(600, (CASE WHEN up THEN -0.01 ELSE 0.01 END * (value - moments[1]))))))) > 1e-12
   OR bands <> CASE WHEN up THEN CASE WHEN value < 1 THEN 0 WHEN value < 4 THEN 10 WHEN value < 50 THEN 10.5 ELSE 100 END
                    ELSE CASE WHEN value < 1 THEN 100 WHEN value < 50 THEN 30 ELSE 0 END END
   OR abs(linear - CASE WHEN up THEN 100 * greatest(0, least(1, (value + 10) / 410)) ELSE 100 * greatest(0, least(1, (400 - value) / 410)) END) > 1e-12
   OR identity <> CASE WHEN up THEN greatest(0, least(100, value)) ELSE 100 - greatest(0, least(100, value)) END;

-- the normal distribution, from an independent computation
SELECT z, dimension_points(50 + 10 * z, 'z_score', '{50,10}')::real AS up, dimension_points(50 + 10 * z, 'z_score', '{50,10}', false)::real AS down
FROM unnest('{-Infinity,-40,-3,-1.96,-1,0,0.5,1.96,5,Infinity}'::float8[]) AS z;
SELECT round((dimension_points(1, 'z_score', '{0,1}') - 84.1344746068542949)::numeric, 12) AS one, round((dimension_points(-3, 'z_score', '{0,1}') / 0.134989803163009452 - 1)::numeric, 12) AS minus_three;

-- 0 .. 100, none missing, and never fewer for a better value: no rows expected.
SELECT kind, up, ties, method, value, points, before
FROM (SELECT p.kind, p.up, p.ties, method, p.value, m.points, lag(m.points) OVER (PARTITION BY kind, up, ties, method ORDER BY CASE WHEN up THEN value ELSE -value END) AS before,
             min(m.points) OVER same AS least, max(m.points) OVER same AS most
      FROM points AS p,
           LATERAL (VALUES ('score', score), ('percentile', percentile), ('min_max', min_max), ('cut_off', cut_off), ('z_score', z_score), ('logistic', logistic),
                           ('bands', bands), ('linear', linear), ('identity', identity)) AS m (method, points)
      WINDOW same AS (PARTITION BY kind, up, ties, method, value)) AS o
WHERE points < before OR (points BETWEEN 0 AND 100) IS NOT TRUE OR least <> most;

-- The min-max table of pymcdm's test suite: two costs and a benefit.
SELECT customer, round(dimension_points(a, 'min_max', ar, false)::numeric / 100, 8) AS a, round(dimension_points(b, 'min_max', br, false)::numeric / 100, 8) AS b, round(dimension_points(c, 'min_max', cr)::numeric / 100, 8) AS c
FROM (SELECT *, value_range(a, 0, 1) OVER () AS ar, value_range(b, 0, 1) OVER () AS br, value_range(c, 0, 1) OVER () AS cr
      FROM (VALUES (1, 66, 56, 95), (2, 61, 55, 166), (3, 65, 49, 113), (4, 95, 56, 99), (5, 63, 43, 178), (6, 74, 59, 140)) AS t (customer, a, b, c)) AS m ORDER BY customer;

-- The way back.  Every number of points that a member has, and some between, is
-- reached by the value that is found, and by none that is worse: no rows expected.
CREATE FUNCTION pg_temp.worse(value float8, up boolean) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    -- the neighbour among the doubles: a little more than half a unit in the last place rounds to it
    SELECT CASE WHEN value = CASE WHEN up THEN '-Infinity' ELSE 'Infinity' END::float8 THEN NULL
                WHEN value = CASE WHEN up THEN 'Infinity' ELSE '-Infinity' END::float8 THEN CASE WHEN up THEN 1.7976931348623157e308 ELSE -1.7976931348623157e308 END
                ELSE value - CASE WHEN up THEN 1 ELSE -1 END * CASE WHEN abs(value) < 1e-300 THEN 5e-324 ELSE abs(value) * 1.1102230246251568e-16 END END
$$;
SELECT v, pg_temp.worse(v, true) AS down, pg_temp.worse(v, false) AS up FROM unnest('{-Infinity,-1,0,5e-324,1,1.7,Infinity}'::float8[]) AS v;
CREATE TABLE rules AS
SELECT kind, method, up, ties, CASE WHEN method = 'cut_off' THEN 'min_max' ELSE method END AS by, array_agg(DISTINCT points) AS reached,
       CASE method WHEN 'score' THEN cuts WHEN 'percentile' THEN scale WHEN 'min_max' THEN whole WHEN 'cut_off' THEN winsorised WHEN 'z_score' THEN moments WHEN 'logistic' THEN ARRAY[moments[1], 0.01]
                   WHEN 'bands' THEN CASE WHEN up THEN '{1,4,50,0,10,10.5,100}' ELSE '{1,4,50,100,30,30,0}' END::float8[]
                   WHEN 'linear' THEN CASE WHEN up THEN '{-10,400}' ELSE '{400,-10}' END::float8[] END AS scale
FROM points AS p, LATERAL (VALUES ('score', score), ('percentile', percentile), ('min_max', min_max), ('cut_off', cut_off), ('z_score', z_score), ('logistic', logistic),
                                  ('bands', bands), ('linear', linear), ('identity', identity)) AS m (method, points)
WHERE kind IN ('ties', 'curve', 'equal', 'one', 'far') AND (kind <> 'curve' OR value::numeric % 7 < 0.4) AND (method = 'percentile' OR ties = 'low')
GROUP BY kind, method, up, ties, cuts, p.scale, whole, winsorised, moments;
SELECT * FROM (
    SELECT kind, method, up, ties, target, at_value, dimension_points(at_value, by, scale, up, ties) AS has, dimension_points(pg_temp.worse(at_value, up), by, scale, up, ties) AS worse_has
    FROM (SELECT rules.*, target, value_for_points(target, by, scale, up, ties) AS at_value
          FROM rules, LATERAL (SELECT unnest(reached) UNION SELECT unnest('{-1,0,1e-9,12.5,33.3,50,75,99.999,100}'::float8[])) AS t (target)) AS r) AS found
WHERE at_value IS NULL AND target = ANY (SELECT unnest(reached) FROM rules WHERE (rules.kind, rules.method, rules.up, rules.ties) = (found.kind, found.method, found.up, found.ties))
   OR has < target OR worse_has >= target;
-- a member that has the points is not worse than the value found: no rows expected
SELECT kind, value, percentile, found FROM (SELECT *, value_for_points(percentile, 'percentile', scale, up, ties) AS found FROM points WHERE kind = 'ties') AS f
WHERE CASE WHEN up THEN found > value ELSE found < value END;
SELECT method, up, value_for_points(50, method, scale, up)::real AS fifty, value_for_points(0, method, scale, up) AS nothing, value_for_points(99, method, scale, up)::real AS most, value_for_points(100.1, method, scale, up) AS more
FROM (VALUES ('score', '{10,20,30,40}'::float8[]), ('percentile', '{1,2,3,5,8,10}'), ('min_max', '{20,80}'), ('z_score', '{20,5}'), ('logistic', '{20,0.25}'), ('linear', '{0,80}'), ('identity', NULL)) AS t (method, scale),
     unnest('{true,false}'::boolean[]) AS up ORDER BY method, up DESC;
SELECT value_for_points(50, 'score', '{10,20,30,40}') AS above_the_cut, value_for_points(50, 'score', '{10,20,30,40}', false) AS at_the_cut, value_for_points(100, 'score', '{10,20,30,40}') AS top,
       value_for_points(1, 'score', '{}') AS no_cuts, value_for_points(100, 'score', '{}', false) AS no_cuts_down, value_for_points(51, 'min_max', '{7,7}') AS no_range;
SELECT value_for_points(30, 'bands', '{1,5,0,30,90}') AS rising, value_for_points(31, 'bands', '{1,5,0,30,90}') AS next, value_for_points(91, 'bands', '{1,5,0,30,90}') AS unreached,
       value_for_points(30, 'bands', '{1,5,90,30,0}', false) AS falling, value_for_points(25, 'linear', '{90,30}') AS cost, value_for_points(NULL, 'identity', '{}') AS no_points, value_for_points(5, 'min_max', NULL) AS no_scale;

-- A scale that was thinned gives what it gives percentile(), and ascends.
CREATE TABLE thin AS SELECT percentile_scale(sqrt(i) * 1000 + i) AS scale FROM generate_series(1, 200000) AS i;
SELECT bool_and(dimension_points(v, 'percentile', scale) = 100 * percentile(v, scale)) AS same, bool_and(abs(dimension_points(v, 'percentile', scale, false, 'low') - 100 * (1 - percentile(v, scale, 'high'))) < 1e-12) AS down, count(*)
FROM thin, LATERAL (SELECT sqrt(i) * 1000 + i * 1.0001 AS v FROM generate_series(1, 200000, 97) AS i) AS s;
SELECT bool_and(dimension_points(value_for_points(p, 'percentile', scale, up), 'percentile', scale, up) >= p) AS reached,
       bool_and(dimension_points(pg_temp.worse(value_for_points(p, 'percentile', scale, up), up), 'percentile', scale, up) < p) AS exact
FROM thin, generate_series(0.37, 99, 4.3) AS p, unnest('{true,false}'::boolean[]) AS up;

-- Degenerate cases.
SELECT up, dimension_points(7, 'score', '{}', up) AS no_cuts, dimension_points(7, 'score', '{7,7,7,7}', up) AS all_equal, dimension_points(7, 'min_max', '{7,7}', up) AS no_range, dimension_points(9, 'min_max', '{7,7}', up) AS beside_it,
       dimension_points(7, 'z_score', '{7,0}', up) AS no_deviation, dimension_points('Infinity', 'z_score', '{7,0}', up) AS infinite, dimension_points(7, 'percentile', '{7,1}', up) AS alone,
       dimension_points(7, 'bands', '{40}', up) AS one_band, dimension_points(7, 'linear', '{7,7}', up) AS step, dimension_points(6.9, 'linear', '{7,7}', up) AS below_step, dimension_points(7.1, 'linear', '{7,7}', up) AS above_step
FROM unnest('{true,false}'::boolean[]) AS up;
SELECT v, dimension_points(v, 'score', '{1,2}') AS score, dimension_points(v, 'percentile', '{1,2,1,2}') AS percentile, dimension_points(v, 'min_max', '{1,2}') AS min_max, dimension_points(v, 'z_score', '{1,2}') AS z_score,
       dimension_points(v, 'logistic', '{1,2}') AS logistic, dimension_points(v, 'bands', '{1,5,9}') AS bands, dimension_points(v, 'linear', '{2,1}') AS linear, dimension_points(v, 'identity', '{}') AS identity
FROM unnest('{-Infinity,Infinity,NULL}'::float8[]) AS v;
SELECT method, dimension_points(1, method, NULL) AS no_scale, dimension_points(NULL, method, NULL, false) AS nothing
FROM unnest('{score,percentile,min_max,z_score,logistic,bands,linear,identity}'::text[]) AS method;
-- -0 is +0, in the value and in what comes out; a distance beyond the largest double
SELECT dimension_points('-0', 'min_max', '{0,5}') AS min_max, dimension_points('-0', 'min_max', '{-5,0}', false) AS reversed, dimension_points('-0', 'linear', '{0,-5}') AS linear, dimension_points('-0', 'identity', NULL) AS identity,
       dimension_points('-0', 'bands', '{0,-0,5}') AS bands, dimension_points(-1, 'bands', '{0,-0,5}') AS band_zero, dimension_points('-0', 'percentile', '{0,1,2,4}', true, 'high') AS percentile, dimension_points('-0', 'score', '{0}') AS score;
SELECT dimension_points(v, 'min_max', '{-1.7e308,1.7e308}') AS min_max, dimension_points(v, 'linear', '{1.7e308,-1.7e308}') AS linear, dimension_points(v, 'z_score', '{-1.7e308,1e300}') AS z_score, dimension_points(v, 'logistic', '{-1.7e308,1e300}') AS logistic
FROM unnest('{-1.7e308,-8.5e307,0,1.7e308}'::float8[]) AS v;
SELECT dimension_points(2, 'min_max', '[0:1]={0,4}') AS other_bounds, dimension_points(value => 3, method => 'identity', scale => '{}', higher_is_better => false) AS named;

-- The same bytes from every plan and every order.
CREATE TABLE shuffled (LIKE population) PARTITION BY HASH (place);
CREATE TABLE shuffled_0 PARTITION OF shuffled FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shuffled_1 PARTITION OF shuffled FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shuffled SELECT kind, value * 0.1 + place / 7.0, place FROM population ORDER BY md5(kind || place);
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
CREATE VIEW summary AS SELECT kind, value_range(value, 0.02, 0.98) AS range, mean_deviation(value) AS moments, scale_stats(value) AS stats FROM shuffled GROUP BY kind;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM summary;
CREATE TABLE ordered AS SELECT kind, value_range(value, 0.02, 0.98 ORDER BY value DESC) AS range, mean_deviation(value ORDER BY place) AS moments, scale_stats(value ORDER BY value) AS stats FROM shuffled GROUP BY kind;
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
SELECT plan_nodes('SELECT sum(dimension_points(value, ''identity'', NULL)) FROM shuffled', 'Gather') > 0 AS points_in_workers;
RESET enable_partitionwise_aggregate;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET parallel_leader_participation;
SELECT plan, count(*) FROM (
    SELECT 'ordered' AS plan, * FROM ordered UNION ALL SELECT 'combined', * FROM combined UNION ALL SELECT 'parallel', * FROM parallel) AS other
JOIN serial AS s USING (kind)
WHERE array_send(s.range) IS NOT DISTINCT FROM array_send(other.range) AND array_send(s.moments) IS NOT DISTINCT FROM array_send(other.moments) AND record_send(s.stats) IS NOT DISTINCT FROM record_send(other.stats)
GROUP BY plan ORDER BY plan;
-- as window functions, which look at a state and go on
SELECT v, value_range(v, 0, 1) OVER w, mean_deviation(v) OVER w, (scale_stats(v) OVER w).customers FROM unnest('{3,1,2}'::float8[]) WITH ORDINALITY AS t (v, o) WINDOW w AS (ORDER BY o);

-- Bad input names what is wrong.
SELECT dimension_points(1, 'zscore', '{1,2}');
\echo :SQLSTATE
SELECT dimension_points(NULL, '', NULL);
SELECT dimension_points(1, NULL, '{1,2}');
\echo :SQLSTATE
SELECT dimension_points(1, 'identity', NULL, NULL);
SELECT dimension_points('NaN', 'identity', NULL);
\echo :SQLSTATE
SELECT dimension_points(1, 'identity', NULL, ties => 'lower');
SELECT dimension_points(1, 'identity', '{1}');
\echo :SQLSTATE
SELECT dimension_points(1, 'score', '{1,3,2}');
SELECT dimension_points(1, 'score', '{1,NaN}');
SELECT dimension_points(1, 'score', '{1,NULL}');
SELECT dimension_points(1, 'score', '{{1,2}}');
SELECT dimension_points(1, 'percentile', '{1}');
SELECT dimension_points(1, 'percentile', '{}');
SELECT dimension_points(2, 'percentile', '{3,2,1,1,2,3}');
SELECT dimension_points(1, 'min_max', '{1}');
SELECT dimension_points(1, 'min_max', '{}');
SELECT dimension_points(1, 'min_max', '{2,1}');
SELECT dimension_points(1, 'min_max', '{NaN,1}');
SELECT dimension_points(1, 'min_max', '{1,Infinity}');
SELECT dimension_points(1, 'z_score', '{1,-1}');
SELECT dimension_points(1, 'z_score', '{1,NaN}');
SELECT dimension_points(1, 'z_score', '{Infinity,1}');
SELECT dimension_points(1, 'logistic', '{1,0}');
SELECT dimension_points(1, 'logistic', '{NaN,1}');
SELECT dimension_points(1, 'bands', '{}');
SELECT dimension_points(1, 'bands', '{1,2,3,4}');
SELECT dimension_points(1, 'bands', '{1,50,40}');
SELECT dimension_points(1, 'bands', '{1,40,50}', false);
SELECT dimension_points(1, 'bands', '{1,0,101}');
SELECT dimension_points(1, 'bands', '{1,NaN,100}');
SELECT dimension_points(1, 'bands', '{2,2,0,50,100}');
SELECT dimension_points(1, 'bands', '{NaN,0,100}');
SELECT dimension_points(1, 'linear', '{1,NaN}');
SELECT dimension_points(1, 'linear', '{1,2,3}');
SELECT value_for_points('NaN', 'identity', NULL);
SELECT value_for_points(50, 'median', NULL);
SELECT value_range('NaN', 0, 1);
SELECT value_range(1, 0.9, 0.1);
\echo :SQLSTATE
SELECT value_range(1, 0, 1.5);
SELECT value_range(1, 'NaN', 1);
SELECT value_range(1, NULL, 1);
SELECT value_range(v, 0, v / 10.0) FROM generate_series(1, 2) AS v;
SELECT mean_deviation('NaN');
SELECT mean_deviation('-Infinity');
\echo :SQLSTATE
SELECT scale_stats('NaN');

DROP TABLE population, measured, rules, thin, shuffled, serial, ordered, combined, parallel CASCADE;
DROP FUNCTION plan_nodes;
