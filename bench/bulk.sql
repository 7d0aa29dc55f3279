-- The bulk builder: histories() beside GROUP BY, in more and less memory.  To be
-- read after harness.sql and data.sql.

\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''2GB''; '
\set hash 'SET enable_sort = off'
\set sort 'SET enable_hashagg = off'

INSERT INTO bench.topic VALUES ('bulk', 20, 'Histories: histories() against GROUP BY, serial', 'cpu',
	'histories() reads, sorts and builds within maintenance_work_mem; purchases_checked() gives the same rows, history by history, counts of rows and bad rows with them. The floor is count(*) per customer by hash. uuid and text are the same orders under another key.');

CREATE UNLOGGED TABLE bulk_keys AS
	SELECT md5(customer_id::text)::uuid AS by_uuid, 'C' || lpad(customer_id::text, 10, '0') AS by_text, ordered_at, amount FROM orders;
VACUUM ANALYZE bulk_keys;

SELECT 'SELECT count(customer_id), count(history), count(rows), count(bad) FROM (SELECT (h).* FROM (SELECT customer_tier.histories(''orders'', ''customer_id'', ''ordered_at'', ''amount'', NULL::bigint, ''UTC'') AS h OFFSET 0) b OFFSET 0) g' AS bulk,
	'SELECT count(customer_id), count((c).history), count((c).rows), count((c).bad) FROM (SELECT customer_id, purchases_checked(ordered_at, amount, ''UTC'') AS c FROM orders GROUP BY customer_id OFFSET 0) g' AS checked,
	'SELECT count(n) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) g' AS floor,
	'SELECT count(customer_id), count(history), count(rows), count(bad) FROM (SELECT (h).* FROM (SELECT customer_tier.histories(''bulk_keys'', ''by_uuid'', ''ordered_at'', ''amount'', NULL::uuid, ''UTC'') AS h OFFSET 0) b OFFSET 0) g' AS bulk_uuid,
	'SELECT count(n) FROM (SELECT count(*) AS n FROM bulk_keys GROUP BY by_uuid) g' AS floor_uuid,
	'SELECT count(customer_id), count(history), count(rows), count(bad) FROM (SELECT (h).* FROM (SELECT customer_tier.histories(''bulk_keys'', ''by_text'', ''ordered_at'', ''amount'', NULL::text, ''UTC'') AS h OFFSET 0) b OFFSET 0) g' AS bulk_text,
	'SELECT count(n) FROM (SELECT count(*) AS n FROM bulk_keys GROUP BY by_text) g' AS floor_text \gset

INSERT INTO bench.cases (topic, side, variant, settings, query, shape) VALUES
	('bulk', 'histories()', '256 MB', :'serial' || 'SET maintenance_work_mem = ''256MB''', :'bulk', 'ProjectSet'),
	('bulk', 'histories()', '32 MB', :'serial' || 'SET maintenance_work_mem = ''32MB''', :'bulk', 'ProjectSet'),
	('bulk', 'histories()', '4 MB', :'serial' || 'SET maintenance_work_mem = ''4MB''', :'bulk', 'ProjectSet'),
	('bulk', 'purchases_checked()', 'hash', :'serial' || :'hash', :'checked', 'HashAggregate.*Output:[^\n]*purchases'),
	('bulk', 'purchases_checked()', 'sort', :'serial' || :'sort', :'checked', 'GroupAggregate.*Output:[^\n]*purchases'),
	('bulk', 'floor', 'hash', :'serial' || :'hash', :'floor', 'HashAggregate.*Output:[^\n]*count'),
	('bulk', 'histories(), uuid', '256 MB', :'serial' || 'SET maintenance_work_mem = ''256MB''', :'bulk_uuid', 'ProjectSet'),
	('bulk', 'floor, uuid', 'hash', :'serial' || :'hash', :'floor_uuid', 'HashAggregate.*Output:[^\n]*count'),
	('bulk', 'histories(), text', '256 MB', :'serial' || 'SET maintenance_work_mem = ''256MB''', :'bulk_text', 'ProjectSet'),
	('bulk', 'floor, text', 'hash', :'serial' || :'hash', :'floor_text', 'HashAggregate.*Output:[^\n]*count');
INSERT INTO bench.ratio VALUES
	('bulk', 1, 'histories()', 'bulk', 'floor', (SELECT CASE WHEN customers >= 1000000 THEN 0.25 END FROM bench.run)),
	('bulk', 2, 'histories()', 'bulk', 'purchases_checked()', NULL),
	('bulk', 3, 'histories(), uuid', 'bulk', 'floor, uuid', NULL),
	('bulk', 4, 'histories(), text', 'bulk', 'floor, text', NULL),
	('bulk', 5, 'histories()', 'history', 'plain SQL', (SELECT CASE WHEN customers >= 1000000 THEN 0.2 END FROM bench.run));
