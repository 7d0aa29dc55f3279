-- A full build of histories, returned and stored with a primary key, against what
-- plain SQL needs to group the same orders.

\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''2GB''; SET maintenance_work_mem = ''256MB''; '
\set plain 'SELECT count(a), count(b), count(c), count(d), count(e) FROM (SELECT customer_id, min(ordered_at) AS a, max(ordered_at) AS b, count(*) AS c, sum(amount) AS d, count(DISTINCT ordered_at::date) AS e FROM orders GROUP BY customer_id) g'
\set bulk '(SELECT (h).* FROM (SELECT customer_tier.histories(''orders'', ''customer_id'', ''ordered_at'', ''amount'', NULL::bigint, ''UTC'') AS h OFFSET 0) b OFFSET 0) g'

INSERT INTO bench.topic VALUES ('built', 1, 'All histories against plain SQL, serial', 'wall',
	'histories() within maintenance_work_mem of 256 MB: every row returned, and stored in a table with its primary key. The floor is count(*) per customer by hash, plain SQL min, max, count, sum and count(distinct day) per customer, both with work_mem for all of it.');
INSERT INTO bench.cases (topic, side, variant, settings, query, setup, shape) VALUES
	('built', 'histories()', '256 MB', :'serial', 'SELECT count(customer_id), count(history), count(rows), count(bad) FROM ' || :'bulk', 'SELECT', 'ProjectSet'),
	('built', 'histories(), stored and indexed', '256 MB', :'serial', 'CREATE TABLE built AS SELECT customer_id, history, rows, bad FROM ' || :'bulk' || '; ALTER TABLE built ADD PRIMARY KEY (customer_id)',
	 'DROP TABLE IF EXISTS built; CHECKPOINT', NULL),
	('built', 'floor', 'hash', :'serial' || 'SET enable_sort = off', 'SELECT count(n) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) g', 'SELECT', 'HashAggregate.*Output:[^\n]*count'),
	('built', 'plain SQL', 'sort', :'serial', :'plain', 'SELECT', 'GroupAggregate.*Output:[^\n]*count'),
	('built', 'plain SQL', 'sort, jit', :'serial' || 'SET jit = on', :'plain', 'SELECT', 'GroupAggregate.*Output:[^\n]*count');
INSERT INTO bench.ratio
	SELECT 'built', n, side, 'built', other, CASE WHEN customers >= 1000000 THEN goal END
	FROM bench.run, (VALUES (1, 'histories()', 'floor', 0.25), (2, 'histories()', 'plain SQL', 0.2), (3, 'histories(), stored and indexed', 'floor', 0.35),
		(4, 'histories(), stored and indexed', 'plain SQL', NULL)) r (n, side, other, goal);
