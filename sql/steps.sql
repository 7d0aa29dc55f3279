-- execute_steps(): statements one after the other, which read rows of each other.

-- rows that are kept, read more than once, and written
CREATE TABLE kept (n int PRIMARY KEY, t text);
SELECT customer_tier.execute_steps(ARRAY[
    customer_tier.step('SELECT n, repeat(''x'', n % 5) AS t FROM generate_series(1, 1000) AS n', 'given'),
    customer_tier.step('SELECT given.n FROM given WHERE given.n > 990', 'large'),
    customer_tier.step('INSERT INTO kept SELECT given.n, given.t FROM given WHERE given.n > 10'),
    customer_tier.step('DELETE FROM kept USING large WHERE kept.n = large.n'),
    customer_tier.step('UPDATE kept SET t = ''y'' FROM given WHERE given.n = kept.n AND given.t = '''''),
    customer_tier.step('SELECT FROM given, large WHERE given.n = large.n')]);
SELECT count(*), sum(length(t)), count(*) FILTER (WHERE t = 'y') AS updated FROM kept;

-- more than fits in memory; nothing; no step
SET work_mem = '64kB';
SELECT customer_tier.execute_steps(ARRAY[
    customer_tier.step('SELECT n, repeat(''x'', 100) AS t FROM generate_series(1, 20000) AS n', 'given'),
    customer_tier.step('SELECT FROM given, (SELECT max(other.n) AS n FROM given AS other) AS most WHERE length(given.t) = 100 AND given.n <= most.n')]);
RESET work_mem;
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT 1 AS n WHERE false', 'given'), customer_tier.step('SELECT given.n FROM given')]);
SELECT customer_tier.execute_steps('{}');
SELECT customer_tier.execute_steps(NULL);

-- the rows may be the work of parallel workers
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT kept.n FROM kept', 'given'), customer_tier.step('SELECT given.n FROM given')]);
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- what a statement needs once comes as its parameters
SELECT customer_tier.execute_steps(ARRAY[
    customer_tier.step('SELECT n, $2 AS t FROM generate_series(1, $1) AS n WHERE $3 IS NULL', 'given', 'SELECT 4, CAST(''four'' AS text), CAST(NULL AS date)'),
    customer_tier.step('INSERT INTO kept SELECT -given.n, given.t || $1 FROM given WHERE given.n < $2', constants => 'SELECT CAST(''th'' AS text), 4')]);
SELECT * FROM kept WHERE n < 0 ORDER BY n;
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT 1 AS n', 'given', 'SELECT 1 WHERE false')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('DELETE FROM kept', constants => 'VALUES (1), (2)')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT $1 AS n', 'given')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT $1 AS n', 'given', (SELECT 'SELECT ' || string_agg(n::text, ', ') FROM generate_series(1, 33) AS n))]);

-- the names are gone afterwards, and are one's own; a statement sees what was done before
SELECT * FROM given;
SELECT customer_tier.execute_steps(ARRAY[
    customer_tier.step('SELECT count(*) AS n FROM kept', 'given'),
    customer_tier.step('SELECT unnest(customer_tier.execute_steps(ARRAY[customer_tier.step(''SELECT 7 AS n'', ''given''), customer_tier.step(''SELECT FROM given'')])) AS n', 'inner'),
    customer_tier.step('SELECT FROM given, "inner" AS i WHERE given.n > 900 AND i.n = 1')]);

-- Scores are packed: those of every row, while only rows that differ are kept; who has no place is given one.
CREATE TABLE packed (block int PRIMARY KEY, score int[], score_to_next_tier int[], score_to_stay int[]);
CREATE TABLE placed (place int, n int);
CREATE FUNCTION pack(query text, blocks text DEFAULT NULL, free_place text DEFAULT 'SELECT CAST(300 AS bigint)') RETURNS bigint[] LANGUAGE sql AS $$
    SELECT customer_tier.execute_steps(ARRAY[
        customer_tier.step(query, 'news', NULL, 'scores', blocks, free_place),
        customer_tier.step('INSERT INTO placed SELECT news.place, news.n FROM news'),
        customer_tier.step('DELETE FROM packed'),
        customer_tier.step('INSERT INTO packed SELECT * FROM scores')])
$$;
CREATE VIEW unpacked AS
SELECT block * 128 + n - 1 AS place, score[n] AS score, score_to_next_tier[n] AS to_next, score_to_stay[n] AS to_stay
  FROM packed, generate_series(1, 128) AS n WHERE score[n] >= 0 OR score_to_next_tier[n] >= 0 OR score_to_stay[n] >= 0;
SELECT pack('SELECT n % 3 = 0 OR n > 299 AS differs, CASE WHEN n < 300 THEN n END AS place, 10 * n, CASE WHEN n < 128 THEN n ELSE -1 END, -1, n FROM generate_series(0, 303, 2) AS n');
SELECT count(*), min(place), max(place), bool_and(score = 10 * place OR place >= 300), bool_and(to_next IS NULL OR to_next = place) AS as_they_were FROM unpacked;
SELECT block, array_length(score, 1), score_to_next_tier IS NULL AS none_is_near, score_to_stay IS NULL AS nobody_fails FROM packed ORDER BY block;
SELECT * FROM placed WHERE n > 290 ORDER BY n;
-- some more, beside those that are there; and away with some
SELECT pack('SELECT * FROM (VALUES (false, 4, 1, 2, 3, 0), (true, 200, -1, -1, -1, 200), (true, CAST(NULL AS int), 5, -1, -1, 1000)) AS v (differs, place, a, b, c, n)', 'SELECT * FROM packed', 'SELECT CAST(1000 AS bigint)');
SELECT count(*), (SELECT array_agg(u ORDER BY u.place) FROM unpacked AS u WHERE u.place IN (4, 200, 1000)) AS these FROM unpacked;
SELECT pack('SELECT true, n AS place, -1, -1, -1, n FROM generate_series(0, 1000) AS n', 'SELECT * FROM packed');
SELECT count(*) FROM packed;
SELECT pack('SELECT true, 1 AS place, 1, 1, 1, 1 AS n WHERE false');
-- what cannot be packed
\set SHOW_CONTEXT never
SELECT pack('VALUES (1, 1, 1, 1, 1, 1)');
SELECT pack('VALUES (true, 1, 1, 1)');
SELECT pack('VALUES (false, CAST(NULL AS int), 1, 1, 1, 1)');
SELECT pack('VALUES (true, 1, CAST(NULL AS int), 1, 1, 1)');
SELECT pack('VALUES (true, -1, 1, 1, 1, 1)');
SELECT pack('VALUES (true, 2147483647, 1, 1, 1, 1)');
SELECT pack('VALUES (true, 1, 1, 1, 1, 1)', 'SELECT 1, ARRAY[1], ARRAY[1], ARRAY[1]');
SELECT pack('VALUES (true, 1, 1, 1, 1, 1)', 'SELECT 1, ARRAY[1]');
SELECT pack('VALUES (true, 1, 1, 1, 1, 1)', 'SELECT -1, NULL::int[], NULL::int[], NULL::int[]');
SELECT pack('VALUES (true, 1, 1, 1, 1, 1)', 'DELETE FROM packed');
SELECT pack('VALUES (true, 1, 1, 1, 1, 1)', NULL, 'SELECT CAST(NULL AS bigint)');
SELECT pack('VALUES (true, NULL::int, 1, 1, 1, 1)', NULL, 'SELECT CAST(9e18 AS bigint)');
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('DELETE FROM packed', NULL, NULL, 'scores', NULL, 'SELECT CAST(0 AS bigint)')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT true, n, 1, 1, 1 FROM generate_series(1, 9) AS n', 'rows', NULL, 'scores', NULL, 'SELECT CAST(0 AS bigint)', customers => c)]) FROM unnest('{9,NULL}'::bigint[]) AS c;
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT true, n, 1, 1, 1 FROM generate_series(1, 9) AS n', 'rows', NULL, 'scores', NULL, 'SELECT CAST(0 AS bigint)', customers => 10)]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT 1', 'same', NULL, 'same', NULL, 'SELECT CAST(0 AS bigint)')]);
\set SHOW_CONTEXT errors
DROP VIEW unpacked;
DROP FUNCTION pack;
DROP TABLE packed, placed;

-- what it is not for
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('DELETE FROM kept', 'given')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT 1 AS n; SELECT 2 AS n', 'given')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('SELECT 1 AS n', 'given'), customer_tier.step('SELECT 2 AS n', 'given')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('COMMIT')]);
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step(NULL, 'given')]);
SELECT customer_tier.execute_steps(CAST(ARRAY[NULL] AS customer_tier.step[]));
SELECT customer_tier.execute_steps(ARRAY[customer_tier.step('DELETE FROM kept'), customer_tier.step('SELECT 1 / 0 AS n', 'given')]);
SELECT count(*) FROM kept;
DROP TABLE kept;

-- a server with little shared memory: everybody is rated without a shared hash table
CREATE TABLE buys (customer_id bigint, at date, amount numeric);
INSERT INTO buys SELECT n, date '2024-01-01' + n, n FROM generate_series(1, 20) AS n;
SELECT customer_tier.create_program('small', 'buys', 'customer_id', 'at', 'amount', purchase_model => 'none');
CREATE SEQUENCE calls;
CREATE FUNCTION small.satisfied(as_of date) RETURNS TABLE (customer_id bigint, points int) LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- once to measure, once to rate, and once more
    IF nextval('public.calls') = 2 THEN
        RAISE EXCEPTION 'could not resize shared memory segment' USING ERRCODE = 'disk_full';
    END IF;
    RETURN QUERY SELECT b.customer_id, CAST(b.amount AS int) FROM public.buys AS b;
END $$;
SELECT customer_tier.set_scorecard('small', '[{"feature": "revenue"}, {"name": "satisfied", "function": "small.satisfied", "column": "points", "key": "customer_id"}]');
CALL customer_tier.refresh('small', '2024-02-01');
SELECT last_value FROM calls;
SHOW enable_parallel_hash;
SELECT changed, customers FROM small.run;
ALTER SEQUENCE calls RESTART 2;
CALL customer_tier.refresh('small', '2024-02-02');      -- measuring has no second try
SELECT customer_tier.drop_program('small');
DROP SEQUENCE calls;
DROP TABLE buys;

-- Workers find what differs, all of it, and find the same as one process does.
CREATE TABLE buys AS SELECT customer_id, ordered_at::date AS at, amount FROM customer_tier.demo_orders(300, 200, 7);
SELECT customer_tier.create_program(p, 'buys', 'customer_id', 'at', 'amount') FROM unnest('{alone,together}'::text[]) AS p;
CALL customer_tier.refresh('alone', '2024-11-30');
CALL customer_tier.refresh('together', '2024-11-30');
CALL customer_tier.refresh('alone', '2024-12-31');
SET parallel_setup_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
CALL customer_tier.refresh('together', '2024-12-31');
SELECT 'PREPARE difference (float8[], float8[], float8[], float8[], float8[], numeric[], customer_tier.compiled_card, boolean, customer_tier.clv_model, customer_tier.clv_model, jsonb, date, boolean, boolean, float8[], jsonb, jsonb) AS '
       || customer_tier.difference_query('together', '2024-12-31', 2) AS statement \gset
SET plan_cache_mode = force_generic_plan;
:statement;
CREATE FUNCTION uppermost_node() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    node text;
BEGIN
    EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE difference (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)' INTO node;
    RETURN node;
END $$;
-- (before PostgreSQL 14 none are asked for)
SELECT uppermost_node() = 'Gather' OR current_setting('server_version_num')::int < 140000 AS workers_do_all;
SELECT (SELECT count(*) FROM alone.scored_rating) AS customers, count(*) AS differ
  FROM ((TABLE alone.scored_rating EXCEPT ALL TABLE together.scored_rating) UNION ALL (TABLE together.scored_rating EXCEPT ALL TABLE alone.scored_rating)) AS d;
SELECT count(*) AS differ FROM (SELECT customer_id, valid_from, valid_to, tier, reason, score FROM alone.tier_history EXCEPT ALL SELECT customer_id, valid_from, valid_to, tier, reason, score FROM together.tier_history) AS d;
DEALLOCATE difference;
RESET plan_cache_mode;
RESET parallel_setup_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT customer_tier.drop_program(p) FROM unnest('{alone,together}'::text[]) AS p;
DROP FUNCTION uppermost_node;
DROP TABLE buys;
