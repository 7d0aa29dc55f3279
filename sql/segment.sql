-- Segment maps: the built-in ones, maps of one's own, and the checker.
SET search_path = customer_tier, public;

-- every built-in map: boxes, segments, whether it covers all cells once
SELECT map, scores, relative, count(*) AS boxes, count(DISTINCT segment) AS segments, bool_and(label_zh IS NOT NULL) AS chinese,
       (SELECT count(*) FROM segment_map_check(m.map)) AS problems
FROM segment_map AS m WHERE builtin AND segment <> 'prospects' GROUP BY map, scores, relative ORDER BY map;
\pset format unaligned
SELECT map, segment, label, label_zh FROM segment_map WHERE segment = 'prospects' ORDER BY map;

-- one code a segment across maps, one Chinese name a code
SELECT segment, array_agg(DISTINCT label_zh) AS label_zh, array_agg(DISTINCT label COLLATE "C") AS label, array_agg(DISTINCT map COLLATE "C") AS maps
FROM segment_map GROUP BY segment ORDER BY segment COLLATE "C";
\pset format aligned

-- grid25 as it is printed, and the same for all M
SELECT r, max(segment) FILTER (WHERE f = 1) AS f1, max(segment) FILTER (WHERE f = 2) AS f2, max(segment) FILTER (WHERE f = 3) AS f3,
       max(segment) FILTER (WHERE f = 4) AS f4, max(segment) FILTER (WHERE f = 5) AS f5
FROM segment_cells('grid25') GROUP BY r ORDER BY r DESC;
SELECT count(*), count(DISTINCT (r, f, segment)) FROM segment_cells('grid25');

-- the other maps, all cells of a segment
SELECT segment, string_agg(concat(r, f, m), ' ' ORDER BY r DESC, f DESC, m DESC) AS cells FROM segment_cells('cube125') GROUP BY 1 ORDER BY 1;
SELECT segment, string_agg(concat(r, f, m), ' ' ORDER BY r DESC, f DESC, m DESC) AS cells FROM segment_cells('klaviyo27') GROUP BY 1 ORDER BY 1;
SELECT segment, count(*) FROM segment_cells('putler') GROUP BY 1 ORDER BY 1;
\pset format unaligned
SELECT segment, min(label_zh) AS label_zh, count(*), min(r) AS r, min(f) AS f, min(m) AS m FROM segment_cells('cn8') JOIN segment_map USING (segment) GROUP BY 1 ORDER BY 1;
\pset format aligned

-- what is wrong with putler
SELECT problem, count(*), min(cell), max(cell) FROM segment_map_check('putler') GROUP BY problem ORDER BY problem;
SELECT * FROM segment_map_check('putler') WHERE cell IS NULL OR cell IN ('544', '155', '333') ORDER BY problem, cell;
SELECT count(*) AS never_assigned FROM segment_cells('putler') WHERE segment IN ('recent', 'promising', 'cant_lose', 'lost');

-- one cell
SELECT rfm_segment(5, 5, 1), rfm_segment(r => 1, f => 5, m => 3, map => 'grid25'), rfm_segment(1, 1, 5, 'cube125'), rfm_segment(NULL, NULL, NULL) AS none,
       rfm_segment(5, NULL, 1) AS some, rfm_segment(NULL, NULL, NULL, 'cn8') AS cn8_none;

-- comparison values: at or above is high; the middle by default
SELECT c.score, rfm_segment(c.score, 5, 5, 'cn8') AS middle, rfm_segment(c.score, 5, 5, 'cn8', '{4,3,3}') AS four,
       rfm_segment(c.score, 5, 5, 'cn8', '{3.5,3,3}') AS between, rfm_segment(c.score, 1, 5, 'cn8', '{-Infinity,Infinity,5}') AS always
FROM generate_series(1, 5) AS c (score);
-- the mean of the scores: exactly average is high
SELECT s, rfm_segment(s, s, s, 'cn8', (SELECT ARRAY[avg(x), avg(x), avg(x)]::float8[] FROM unnest('{1,3,5,2,4}'::int[]) AS x)) FROM unnest('{2,3,4}'::int[]) AS s;

-- equals the boxes looked up in SQL, for every cell of every map: no rows expected
SELECT m.map, c.r, c.f, c.m, c.segment, o.segment
FROM (SELECT DISTINCT map FROM segment_map WHERE NOT relative) AS m
CROSS JOIN LATERAL segment_cells(m.map) AS c
LEFT JOIN LATERAL (
    SELECT b.segment FROM segment_map AS b
    WHERE b.map = m.map AND b.segment <> 'prospects'
      AND c.r BETWEEN coalesce(r_from, 1) AND coalesce(r_to, scores) AND c.f BETWEEN coalesce(f_from, 1) AND coalesce(f_to, scores)
      AND c.m BETWEEN coalesce(m_from, 1) AND coalesce(m_to, scores)
      AND (c.f + c.m) / 2.0 BETWEEN coalesce(fm_from, 0) AND coalesce(fm_to, scores)
    ORDER BY priority LIMIT 1) AS o ON true
WHERE o.segment IS DISTINCT FROM c.segment;

-- A map of one's own.
INSERT INTO segment_map (map, priority, segment, label, scores, r_from, f_from) VALUES
    ('mine', 1, 'star', 'Star', 10, 8, 10),
    ('mine', 2, 'star', 'Star', 10, 9, 8);
INSERT INTO segment_map (map, priority, segment, label, scores, r_to) VALUES ('mine', 3, 'rest', 'Rest', 10, 7), ('mine', 4, 'nobody', 'Nobody', 10, 3);
SELECT segment_map_scores('mine'), rfm_segment(10, 9, 1, 'mine'), rfm_segment(8, 10, 10, 'mine'), rfm_segment(8, 9, 1, 'mine') AS uncovered, builtin FROM segment_map WHERE map = 'mine' AND priority = 1;
SELECT problem, segments, count(*), min(cell COLLATE "C"), max(cell COLLATE "C") FROM segment_map_check('mine') GROUP BY 1, 2 ORDER BY 1, 2;
UPDATE segment_map SET label = 'Sparkle' WHERE map = 'mine' AND priority = 2;
INSERT INTO segment_map (map, priority, segment, label, scores, r_from, r_to, f_from) VALUES ('mine', 5, 'star', 'Star', 10, 10, 10, 10);
SELECT problem, segments FROM segment_map_check('mine') WHERE cell IS NULL;
UPDATE segment_map SET scores = 9 WHERE map = 'mine' AND priority = 4;
SELECT * FROM segment_map_check('mine');
SELECT rfm_segment(1, 1, 1, 'mine');
\echo :SQLSTATE
UPDATE segment_map SET scores = 10 WHERE map = 'mine';
UPDATE segment_map SET relative = true, r_from = NULL, r_to = NULL, f_from = NULL WHERE map = 'mine' AND priority = 4;
SELECT problem, segments FROM segment_map_check('mine');
DELETE FROM segment_map WHERE map = 'mine';

-- only rows of one's own are dumped
SELECT pg_catalog.array_length(extconfig, 1) > 0 AS dumped,
       (SELECT extcondition[i] FROM generate_subscripts(extconfig, 1) AS i WHERE extconfig[i] = 'customer_tier.segment_map'::regclass) AS rows
FROM pg_extension WHERE extname = 'customer_tier';

-- A map is read once a statement, and a later statement sees its changes.
INSERT INTO segment_map (map, priority, segment, label, scores) VALUES ('moving', 1, 'before', 'Before', 5);
CREATE FUNCTION watch() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    seen text[];
BEGIN
    FOR i IN 1..4 LOOP
        seen := seen || customer_tier.rfm_segment(1, 1, 1, 'moving');
        IF i = 2 THEN
            UPDATE customer_tier.segment_map SET segment = 'after', label = 'After' WHERE map = 'moving';
        END IF;
        BEGIN
            UPDATE customer_tier.segment_map SET segment = 'undone', label = 'Undone' WHERE map = 'moving';
            seen := seen || customer_tier.rfm_segment(1, 1, 1, 'moving');
            RAISE EXCEPTION 'undo';
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
    RETURN seen;
END
$$;
SELECT watch();
CREATE FUNCTION watch_commands() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    seen text[];
BEGIN
    FOR i IN 1..3 LOOP
        UPDATE customer_tier.segment_map SET segment = 'command ' || i WHERE map = 'moving';
        seen := seen || customer_tier.rfm_segment(1, 1, 1, 'moving');
    END LOOP;
    RETURN seen;
END
$$;
SELECT watch_commands();
BEGIN;
SELECT watch();
UPDATE segment_map SET segment = 'third', label = 'Third' WHERE map = 'moving';
SELECT rfm_segment(1, 1, 1, 'moving');
ROLLBACK;
SELECT rfm_segment(1, 1, 1, 'moving');
DELETE FROM segment_map WHERE map = 'moving';
SELECT rfm_segment(1, 1, 1, 'moving');
DROP FUNCTION watch, watch_commands;

-- many maps in one statement, and parallel workers
INSERT INTO segment_map (map, priority, segment, label, scores) SELECT 'many ' || i, 1, 'segment ' || i, 'Segment', 2 + i % 19 FROM generate_series(1, 150) AS i;
SELECT count(*) FILTER (WHERE rfm_segment(1, 2, 1, 'many ' || i) = 'segment ' || i) FROM generate_series(1, 150) AS i, generate_series(1, 2);
DELETE FROM segment_map WHERE map LIKE 'many %';
CREATE TABLE scored AS SELECT 1 + i % 5 AS r, 1 + i / 5 % 5 AS f, 1 + i / 25 % 5 AS m FROM generate_series(1, 5000) AS i;
ANALYZE scored;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT rfm_segment(r, f, m, map) AS segment, map, count(*) FROM scored, (VALUES ('cube125'), ('cn8'), ('putler')) AS v (map) GROUP BY 1, 2;
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
CREATE TABLE parallel AS SELECT rfm_segment(r, f, m, map) AS segment, map, count(*) FROM scored, (VALUES ('cube125'), ('cn8'), ('putler')) AS v (map) GROUP BY 1, 2;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET parallel_leader_participation;
SELECT count(*), sum(count) FROM serial;
(TABLE serial EXCEPT ALL TABLE parallel) UNION ALL (TABLE parallel EXCEPT ALL TABLE serial);
DROP TABLE scored, serial, parallel;

-- an ordinary user may read and check maps, and not write them
CREATE ROLE regress_customer_tier_reader;
SET ROLE regress_customer_tier_reader;
SELECT rfm_segment(5, 5, 5), (SELECT count(*) FROM segment_map_check('grid25')) AS problems;
INSERT INTO segment_map (map, priority, segment, label, scores) VALUES ('theirs', 1, 's', 'S', 5);
RESET ROLE;
DROP ROLE regress_customer_tier_reader;

-- Bad input names what is wrong.
SELECT rfm_segment(0, 1, 1);
\echo :SQLSTATE
SELECT rfm_segment(1, 6, 1);
SELECT rfm_segment(1, NULL, -1);
SELECT rfm_segment(3, 3, 4, 'klaviyo27');
SELECT rfm_segment(1, 1, 1, 'grid');
\echo :SQLSTATE
SELECT rfm_segment(NULL, NULL, NULL, 'grid');
SELECT rfm_segment(1, 1, 1, NULL);
SELECT rfm_segment(1, 1, 1, 'grid25', '{3,3,3}');
SELECT rfm_segment(1, 1, 1, 'cn8', '{3,3}');
SELECT rfm_segment(1, 1, 1, 'cn8', '{{3,3,3}}');
SELECT rfm_segment(1, 1, 1, 'cn8', '{3,NULL,3}');
SELECT rfm_segment(1, 1, 1, 'cn8', '{3,NaN,3}');
\set SHOW_CONTEXT never
SELECT * FROM segment_cells('grid');
SELECT * FROM segment_cells(NULL);
SELECT * FROM segment_map_check('grid');
SELECT * FROM segment_map_check(NULL);
SELECT segment_map_scores('');

-- so do rows that cannot be
\set VERBOSITY terse
INSERT INTO segment_map (map, priority, segment, label, scores) VALUES ('bad', 1, 's', 'S', 1);
INSERT INTO segment_map (map, priority, segment, label, scores) VALUES ('bad', 1, 's', 'S', 21);
INSERT INTO segment_map (map, priority, segment, label, scores, r_from, r_to) VALUES ('bad', 1, 's', 'S', 5, 4, 3);
INSERT INTO segment_map (map, priority, segment, label, scores, f_to) VALUES ('bad', 1, 's', 'S', 5, 6);
INSERT INTO segment_map (map, priority, segment, label, scores, m_from) VALUES ('bad', 1, 's', 'S', 5, -1);
INSERT INTO segment_map (map, priority, segment, label, scores, fm_from) VALUES ('bad', 1, 's', 'S', 5, 'NaN');
INSERT INTO segment_map (map, priority, segment, label, scores, r_from, relative) VALUES ('bad', 1, 's', 'S', 5, 3, true);
INSERT INTO segment_map (map, priority, segment, label, scores, r_from) VALUES ('bad', 1, 'prospects', 'S', 5, 3);
INSERT INTO segment_map (map, priority, segment, label, scores) VALUES ('grid25', 1, 's', 'S', 5);
