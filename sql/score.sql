-- Cut points and scores, against plain SQL, in every plan.
SET search_path = customer_tier, public;
SET client_min_messages = warning;

-- Populations: days, ties, any doubles, one value, extremes.
CREATE TABLE population (kind text, value float8, place int);
INSERT INTO population
    SELECT 'days', (i * 7919) % 730, i FROM generate_series(1, 5000) AS i
    UNION ALL SELECT 'ties', CASE WHEN i % 10 < 6 THEN 1 WHEN i % 10 < 9 THEN 2 ELSE 3 + i % 7 END, i FROM generate_series(1, 3000) AS i
    UNION ALL SELECT 'curve', exp(sin(i) * 8), i FROM generate_series(1, 2500) AS i
    UNION ALL SELECT 'negative', cos(i) * 1e15 - 1e14, i FROM generate_series(1, 999) AS i
    UNION ALL SELECT 'equal', 7.25, i FROM generate_series(1, 40) AS i
    UNION ALL SELECT 'one', -3, 1
    UNION ALL SELECT 'two', i, i FROM generate_series(1, 2) AS i
    UNION ALL SELECT 'top tie', CASE WHEN i <= 6 THEN 1 ELSE 2 END, i FROM generate_series(1, 10) AS i
    UNION ALL SELECT 'extreme', v, o FROM unnest('{-Infinity,-1.7976931348623157e308,-5e-324,-0,0,5e-324,1.7976931348623157e308,Infinity,Infinity}'::float8[]) WITH ORDINALITY AS e (v, o)
    UNION ALL SELECT 'nulls', CASE WHEN i % 3 = 0 THEN i END, i FROM generate_series(1, 100) AS i
    UNION ALL SELECT 'all null', NULL, i FROM generate_series(1, 5) AS i;
CREATE TABLE numbers (n int);
INSERT INTO numbers VALUES (2), (3), (5), (7), (10), (25), (100), (1000);

-- quantile_cuts is percentile_disc, cut for cut: no rows expected
SELECT kind, n, mine, oracle
FROM (SELECT kind, n, quantile_cuts(value, n) AS mine,
             percentile_disc((SELECT array_agg(k::float8 / n ORDER BY k) FROM generate_series(1, n - 1) AS k)) WITHIN GROUP (ORDER BY value) AS oracle
      FROM population, numbers GROUP BY kind, n) AS t
WHERE CASE WHEN kind = 'all null' THEN mine IS NOT NULL ELSE mine IS DISTINCT FROM oracle END;

-- balanced_cuts by its definition, a cut at a time: no rows expected
WITH RECURSIVE cuts AS (
    SELECT p.kind, n.n, n.n AS bins, NULL::float8 AS cut
    FROM (SELECT DISTINCT kind FROM population WHERE value IS NOT NULL) AS p, (SELECT n FROM numbers WHERE n <= 10) AS n
    UNION ALL
    SELECT c.kind, c.n, c.bins - 1, next.cut
    FROM cuts AS c
    CROSS JOIN LATERAL (
        SELECT CASE WHEN l.cut < top.value OR top.below IS NULL THEN coalesce(l.cut, top.value) ELSE top.below END AS cut
        FROM (SELECT max(value) AS value,
                     (SELECT max(value) FROM population WHERE kind = c.kind AND value < (SELECT max(value) FROM population WHERE kind = c.kind)) AS below
              FROM population WHERE kind = c.kind) AS top
        LEFT JOIN LATERAL (
            SELECT value AS cut
            FROM (SELECT value, row_number() OVER (ORDER BY value) AS at, count(*) OVER () AS remaining
                  FROM population WHERE kind = c.kind AND value IS NOT NULL AND (c.cut IS NULL OR value > c.cut)) AS s
            WHERE at = (remaining + c.bins - 1) / c.bins) AS l ON true) AS next
    WHERE c.bins >= 2
), oracle AS (
    SELECT kind, n, array_agg(cut ORDER BY bins DESC) AS cuts FROM cuts WHERE bins < n GROUP BY kind, n
)
SELECT kind, n, m.cuts, o.cuts
FROM oracle AS o JOIN (SELECT kind, n, balanced_cuts(value, n) AS cuts FROM population, numbers GROUP BY kind, n) AS m USING (kind, n)
WHERE m.cuts IS DISTINCT FROM o.cuts;

-- what that means, at a glance
SELECT kind, quantile_cuts(value, 5), balanced_cuts(value, 5)
FROM population WHERE kind IN ('ties', 'equal', 'one', 'two', 'top tie', 'extreme', 'all null')
GROUP BY kind ORDER BY kind;

-- the best always score n, those tied at the bottom 1; all equal: 1
SELECT kind, min(score(value, cuts)) AS lowest, max(score(value, cuts)) AS highest
FROM population JOIN (SELECT kind, balanced_cuts(value, 5) AS cuts FROM population GROUP BY kind) AS c USING (kind)
GROUP BY kind ORDER BY kind;

-- natural classes
SELECT natural_cuts(v, 2) FROM unnest('{1,2,3,10,11,12}'::float8[]) AS v;
SELECT natural_cuts(v, 3) FROM unnest('{1,2,3,10,11,12,100}'::float8[]) AS v;
SELECT natural_cuts(v, 2) AS tie FROM unnest('{1,2,3}'::float8[]) AS v;
SELECT natural_cuts(v, 4) AS ties FROM unnest('{6,5,4,3,2,1}'::float8[]) AS v;
SELECT natural_cuts(v, 2) AS weighed FROM unnest('{1,2,2,2,3}'::float8[]) AS v;
SELECT natural_cuts(v, 5) AS fewer_values FROM unnest('{4,4,9,4,1}'::float8[]) AS v;
SELECT natural_cuts(v, 5) AS one_value FROM unnest('{4,4,4}'::float8[]) AS v;
SELECT natural_cuts(1e9 + v, 3) AS offset_values FROM unnest('{0,1,2,10,11,50}'::float8[]) AS v;
SELECT natural_cuts(v, 2) AS far FROM unnest('{-1e308,-9e307,9e307,1.7e308}'::float8[]) AS v;
SELECT natural_cuts(v, 2) AS near FROM unnest('{0,5e-324,1e-322,1.1e-322}'::float8[]) AS v;

-- no division into three is better: the sum of squares in exact numeric
WITH data AS (
    SELECT (i * i * 37) % 101 AS v FROM generate_series(1, 40) AS i
), mine AS (
    SELECT natural_cuts(v, 3) AS cuts FROM data
), divisions AS (
    SELECT DISTINCT a.v AS first, b.v AS second FROM data AS a JOIN data AS b ON a.v < b.v WHERE b.v < (SELECT max(v) FROM data)
), costs AS (
    SELECT first, second,
           (SELECT sum(cost) FROM (SELECT sum(v::numeric * v) - sum(v)::numeric * sum(v) / count(*) AS cost
                                   FROM data GROUP BY v > first, v > second) AS c) AS cost
    FROM divisions
)
SELECT cuts = (SELECT ARRAY[first, second]::float8[] FROM costs ORDER BY round(cost, 9), first, second LIMIT 1) AS optimal FROM mine;

-- the mean: exact, whatever the order
SELECT mean_cut(v), mean_cut(v ORDER BY v), mean_cut(v ORDER BY -v) FROM unnest('{1e308,1,-1e308,3,1e-300}'::float8[]) AS v;
SELECT mean_cut(v) FROM unnest('{1.7e308,1.7e308}'::float8[]) AS v;
SELECT mean_cut(v) AS tenths, avg(v) FROM unnest('{0.1,0.2,0.3}'::float8[]) AS v;

-- score counts the cuts below: no rows expected
SELECT kind, n, value, score(value, cuts)
FROM population JOIN (SELECT kind, n, quantile_cuts(value, n) AS cuts FROM population, numbers GROUP BY kind, n) AS c USING (kind)
WHERE value IS NOT NULL AND score(value, cuts) IS DISTINCT FROM 1 + (SELECT count(*) FROM unnest(cuts) AS cut WHERE cut < value)::int;
SELECT score(5, '{}') AS no_cuts, score(NULL, '{1}') AS no_value, score(NULL, NULL) AS nothing, score(2, '{2,2,2}') AS tied, score(3, '{2,2,2}') AS above,
       score('Infinity', '{1,Infinity}') AS infinite, score('-Infinity', '{-Infinity,0}') AS minus_infinite, score(0, '[5:6]={-1,1}') AS other_bounds;

-- cuts from a stored run, from a PL/pgSQL variable, and long ones
CREATE TABLE stored_run (id int, cuts float8[]);
INSERT INTO stored_run SELECT n, quantile_cuts(value, n) FROM population, numbers WHERE kind = 'curve' GROUP BY n;
INSERT INTO stored_run SELECT 0, array_agg(i::float8) FROM generate_series(1, 3000) AS i;
SELECT id, sum(score(value, (SELECT cuts FROM stored_run AS s WHERE s.id = r.id))), sum(score(value, r.cuts))
FROM stored_run AS r, population WHERE kind = 'curve' GROUP BY id ORDER BY id;
DO $$
DECLARE
    cuts float8[] := ARRAY[1, 2, 3];
    total int := 0;
BEGIN
    FOR i IN 0..4 LOOP
        total := total + customer_tier.score(i, cuts);
        cuts[3] := cuts[3] + 1;
    END LOOP;
    RAISE INFO 'total %', total;
END
$$;

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
CREATE TABLE shuffled AS SELECT * FROM population WHERE kind <> 'extreme' ORDER BY md5(kind || place);
CREATE TABLE parts (LIKE population) PARTITION BY HASH (place);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO parts SELECT * FROM shuffled;
ANALYZE population, shuffled, parts;
CREATE VIEW summary AS SELECT kind, quantile_cuts(value, 5) AS q, balanced_cuts(value, 7) AS b, natural_cuts(value, 4) AS n, mean_cut(value) AS m
    FROM shuffled GROUP BY kind;
CREATE VIEW summary_parts AS SELECT kind, quantile_cuts(value, 5) AS q, balanced_cuts(value, 7) AS b, natural_cuts(value, 4) AS n, mean_cut(value) AS m
    FROM parts GROUP BY kind;

SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM summary;
CREATE TABLE ordered AS SELECT kind, quantile_cuts(value, 5 ORDER BY place) AS q, balanced_cuts(value, 7 ORDER BY place) AS b,
    natural_cuts(value, 4 ORDER BY place DESC) AS n, mean_cut(value ORDER BY value) AS m FROM shuffled GROUP BY kind;

-- a partial state a partition: combined
SET enable_partitionwise_aggregate = on;
SELECT plan_nodes('SELECT * FROM summary_parts', 'Partial') > 1 AS partial_nodes;
CREATE TABLE by_partition AS SELECT * FROM summary_parts;

-- the same in workers: serialized and combined, however many workers there are
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
SELECT plan_nodes('SELECT * FROM summary_parts', 'Partial') > 1 AS partial_nodes, plan_nodes('SELECT * FROM summary_parts', 'Gather') > 0 AS gather_nodes;
CREATE TABLE parallel_parts AS SELECT * FROM summary_parts;
RESET enable_partitionwise_aggregate;
SELECT plan_nodes('SELECT * FROM summary', 'Partial') > 0 AS partial, plan_nodes('SELECT * FROM summary', 'Gather') > 0 AS parallel;
CREATE TABLE parallel AS SELECT * FROM summary;
RESET parallel_leader_participation;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

SELECT count(*) FROM serial;
CREATE FUNCTION bytes_of(float8[]) RETURNS text LANGUAGE sql AS 'SELECT encode(array_send($1), ''hex'')';
SELECT plan, count(*) FROM (
    SELECT 'ordered' AS plan, o.* FROM ordered AS o UNION ALL SELECT 'parallel', p.* FROM parallel AS p UNION ALL
    SELECT 'by partition', b.* FROM by_partition AS b UNION ALL SELECT 'parallel parts', p.* FROM parallel_parts AS p) AS other
JOIN serial AS s USING (kind)
WHERE (bytes_of(s.q), bytes_of(s.b), bytes_of(s.n), bytes_of(s.m)) IS NOT DISTINCT FROM (bytes_of(other.q), bytes_of(other.b), bytes_of(other.n), bytes_of(other.m))
GROUP BY plan ORDER BY plan;

-- as window functions, and sharing one state
SELECT DISTINCT kind, quantile_cuts(value, 3) OVER w, balanced_cuts(value, 3) OVER w, natural_cuts(value, 3) OVER w, mean_cut(value) OVER w
FROM population WHERE kind IN ('top tie', 'two') WINDOW w AS (PARTITION BY kind) ORDER BY kind;
SELECT quantile_cuts(v, 2) OVER (ORDER BY v) FROM generate_series(1, 5) AS v;

-- no rows
SELECT quantile_cuts(v, 5), balanced_cuts(v, 5), natural_cuts(v, 5), mean_cut(v) FROM generate_series(1, 0) AS v;

-- Bad input names what is wrong.
SELECT quantile_cuts(v, 1) FROM generate_series(1, 3) AS v;
\echo :SQLSTATE
SELECT balanced_cuts(v, 1001) FROM generate_series(1, 3) AS v;
SELECT natural_cuts(v, NULL) FROM generate_series(1, 3) AS v;
SELECT natural_cuts(v, -5) FROM generate_series(1, 3) AS v;
SELECT quantile_cuts(v, v + 1) FROM generate_series(1, 3) AS v;
SELECT quantile_cuts('NaN', 5);
\echo :SQLSTATE
SELECT balanced_cuts('NaN', 5);
SELECT natural_cuts('NaN', 5);
SELECT mean_cut('NaN');
SELECT natural_cuts(v, 2) FROM unnest('{1,Infinity}'::float8[]) AS v;
SELECT natural_cuts(v, 2) FROM unnest('{1,-Infinity}'::float8[]) AS v;
SELECT mean_cut('-Infinity');
SELECT score('NaN', '{1,2}');
SELECT score(1, NULL);
\echo :SQLSTATE
SELECT score(1, '{1,NULL}');
SELECT score(1, '{1,NaN}');
SELECT score(1, '{NaN}');
SELECT score(1, '{NaN,1}');
SELECT score(1, '{1,3,2}');
\echo :SQLSTATE
SELECT score(1, '{{1,2},{3,4}}');

-- The values kept as a state, and cut afterwards, for any number of scores.
CREATE TEMP TABLE cut_later AS SELECT kind, cut_values(value) FILTER (WHERE abs(value) < 'Infinity') AS state FROM population GROUP BY kind;
SELECT count(*) AS cuts, count(*) FILTER (WHERE q IS DISTINCT FROM quantile_cuts(state, n) OR b IS DISTINCT FROM balanced_cuts(state, n) OR c IS DISTINCT FROM natural_cuts(state, n)) AS differ
  FROM (SELECT kind, n, quantile_cuts(value, n) AS q, balanced_cuts(value, n) AS b, natural_cuts(value, n) AS c FROM population, (VALUES (2), (5), (9)) AS n (n) WHERE abs(value) < 'Infinity' GROUP BY kind, n) AS whole
  JOIN cut_later USING (kind);
SELECT quantile_cuts(cut_values(v), 3), balanced_cuts(cut_values(v) FILTER (WHERE v > 4), 3), natural_cuts(cut_values(NULL), 3) FROM generate_series(1, 9) AS v;
SELECT largest_below(cut_values(v), 9), largest_below(cut_values(v), 8.5), largest_below(cut_values(v), 1), largest_below(cut_values(v), 'Infinity'), largest_below(cut_values(NULL), 1), largest_below(NULL, 1) FROM generate_series(1, 9) AS v;
SELECT count(*) AS bounds, count(*) FILTER (WHERE largest_below(state, bound) IS DISTINCT FROM (SELECT max(p.value) FROM population AS p WHERE p.kind = cut_later.kind AND p.value < bound AND abs(p.value) < 'Infinity')) AS differ
  FROM cut_later, (SELECT DISTINCT value AS bound FROM population ORDER BY value LIMIT 40) AS b;
SELECT quantile_cuts(state, NULL) FROM cut_later LIMIT 1;
SELECT quantile_cuts(state, 1) FROM cut_later LIMIT 1;
SELECT quantile_cuts_final(state) FROM cut_later LIMIT 1;
DROP TABLE cut_later;

DROP VIEW summary, summary_parts;
DROP TABLE population, numbers, stored_run, shuffled, parts, serial, ordered, parallel, by_partition, parallel_parts;
DROP FUNCTION plan_nodes, bytes_of;
