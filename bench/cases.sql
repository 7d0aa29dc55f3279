-- The cases: see harness.sql.  Every query ends in one row that needs what is
-- being timed - count(column) of each column of the grouped result - the same way
-- on every side.  Expects :size.

-- The cheapest way to the day; the server's TimeZone is UTC.
\set day 'ordered_at::date'
\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''2GB''; '
\set parallel 'SET max_parallel_workers_per_gather = 4; SET max_parallel_workers = 8; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET jit = off; SET work_mem = ''1GB''; '
\set hash 'SET enable_sort = off'
\set sort 'SET enable_hashagg = off'

-- ---- one group a customer

INSERT INTO bench.topic VALUES ('history', 1, 'Histories: purchases() against plain SQL, serial', 'cpu',
	'Plain SQL is min, max, count, sum and count(distinct day) per customer; in two steps it first groups by customer and day. The floor is count(*) per customer.');

SELECT format('SELECT count(h) FROM (SELECT purchases(%s, amount) AS h FROM orders GROUP BY customer_id) g', :'day') AS purchases,
	'SELECT count(h) FROM (SELECT purchases(ordered_at, amount, ''UTC'') AS h FROM orders GROUP BY customer_id) g' AS zone,
	format('SELECT count(a), count(b), count(n), count(s), count(d) FROM (SELECT min(ordered_at) AS a, max(ordered_at) AS b, count(*) AS n, sum(amount) AS s, count(DISTINCT %s) AS d FROM orders GROUP BY customer_id) g', :'day') AS plain,
	format('SELECT count(a), count(b), count(n), count(s), count(d) FROM (SELECT min(day) AS a, max(day) AS b, sum(n) AS n, sum(s) AS s, count(*) AS d FROM (SELECT customer_id, %s AS day, count(*) AS n, sum(amount) AS s FROM orders GROUP BY 1, 2) d GROUP BY customer_id) g', :'day') AS steps,
	'SELECT count(n) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) g' AS floor \gset

INSERT INTO bench.cases (topic, side, variant, settings, query, shape) VALUES
	('history', 'purchases(day, amount)', 'hash', :'serial' || :'hash', :'purchases', 'HashAggregate.*Output:[^\n]*purchases'),
	('history', 'purchases(day, amount)', 'sort', :'serial' || :'sort', :'purchases', 'GroupAggregate.*Output:[^\n]*purchases'),
	('history', 'purchases(at, amount, zone)', 'hash', :'serial' || :'hash', :'zone', 'HashAggregate.*Output:[^\n]*purchases'),
	('history', 'purchases(at, amount, zone)', 'sort', :'serial' || :'sort', :'zone', 'GroupAggregate.*Output:[^\n]*purchases'),
	('history', 'plain SQL', 'sort', :'serial' || :'sort', :'plain', 'GroupAggregate.*Output:[^\n]*DISTINCT'),
	('history', 'plain SQL', 'sort, jit', :'serial' || :'sort' || '; SET jit = on; SET jit_above_cost = 0', :'plain', 'GroupAggregate.*Output:[^\n]*DISTINCT'),
	('history', 'plain SQL', 'two steps, hash', :'serial' || :'hash', :'steps', 'HashAggregate.*HashAggregate'),
	('history', 'plain SQL', 'two steps, sort', :'serial' || :'sort', :'steps', 'GroupAggregate.*GroupAggregate'),
	('history', 'floor', 'hash', :'serial' || :'hash', :'floor', 'HashAggregate.*Output:[^\n]*count'),
	('history', 'floor', 'sort', :'serial' || :'sort', :'floor', 'GroupAggregate.*Output:[^\n]*count');
INSERT INTO bench.ratio VALUES
	('history', 1, 'purchases(day, amount)', 'history', 'plain SQL', 1),
	('history', 2, 'purchases(at, amount, zone)', 'history', 'plain SQL', 1),
	('history', 3, 'purchases(day, amount)', 'history', 'floor', NULL),
	('history', 4, 'purchases(at, amount, zone)', 'history', 'floor', NULL),
	('history', 5, 'plain SQL', 'history', 'floor', NULL);

-- ---- the same by several workers

INSERT INTO bench.topic VALUES ('parallel', 2, 'Histories: parallel against serial', 'wall',
	'Elapsed time: the CPU time of workers does not show in the leader. The leader takes part; plain SQL with count(distinct day) cannot be parallel, its floor can.');
SELECT format('SET max_parallel_workers_per_gather = %s; ', w) AS one,
	format('SET max_parallel_workers_per_gather = %s; ', w + 1) AS more
FROM bench.run, LATERAL (SELECT greatest(split_part(machine, ' ', 1)::int - 1, 1)) c (w) \gset
INSERT INTO bench.cases (topic, side, variant, settings, query, shape) VALUES
	('parallel', 'purchases, serial', 'hash', :'serial' || :'hash', :'zone', 'HashAggregate'),
	('parallel', 'purchases, serial', 'sort', :'serial' || :'sort', :'zone', 'GroupAggregate'),
	('parallel', 'purchases, parallel', 'hash, a worker less than cores', :'parallel' || :'one' || :'hash', :'zone', 'Gather.*Partial HashAggregate.*PARTIAL purchases'),
	('parallel', 'purchases, parallel', 'hash, as many workers', :'parallel' || :'more' || :'hash', :'zone', 'Gather.*Partial HashAggregate.*PARTIAL purchases'),
	('parallel', 'purchases, parallel', 'sort, a worker less than cores', :'parallel' || :'one' || :'sort', :'zone', 'Gather.*Partial GroupAggregate.*PARTIAL purchases'),
	('parallel', 'purchases, parallel', 'sort, as many workers', :'parallel' || :'more' || :'sort', :'zone', 'Gather.*Partial GroupAggregate.*PARTIAL purchases'),
	('parallel', 'plain SQL, serial', 'sort', :'serial' || :'sort', :'plain', 'GroupAggregate.*Output:[^\n]*DISTINCT'),
	('parallel', 'floor, serial', 'hash', :'serial' || :'hash', :'floor', 'HashAggregate'),
	('parallel', 'floor, parallel', 'hash, a worker less than cores', :'parallel' || :'one', :'floor', 'Gather.*Partial HashAggregate');
INSERT INTO bench.ratio VALUES
	('parallel', 1, 'purchases, parallel', 'parallel', 'purchases, serial', 1),
	('parallel', 2, 'purchases, parallel', 'parallel', 'plain SQL, serial', NULL),
	('parallel', 3, 'floor, parallel', 'parallel', 'floor, serial', NULL);

-- ---- reading a numeric

INSERT INTO bench.topic VALUES ('numeric', 3, 'Reading a numeric', 'cpu',
	'The rows lie by customer with their day and their amount both as numeric(12,2) and as bigint cents, so that grouping costs next to nothing. The third side turns the numeric into cents by numeric arithmetic.');
SELECT 'SELECT count(h) FROM (SELECT purchases(day, %s) AS h FROM read_orders GROUP BY customer_id) g' AS reading \gset
\set presorted :serial 'SET enable_hashagg = off; SET enable_seqscan = off'
INSERT INTO bench.cases (topic, side, variant, settings, query, shape) VALUES
	('numeric', 'bigint, no numeric read', 'sorted', :'presorted', format(:'reading', 'cents'), 'GroupAggregate.*Index Scan'),
	('numeric', 'numeric', 'sorted', :'presorted', format(:'reading', 'amount'), 'GroupAggregate.*Index Scan'),
	('numeric', '(amount * 100)::bigint', 'sorted', :'presorted', format(:'reading', '(amount * 100)::bigint'), 'GroupAggregate.*Index Scan');
INSERT INTO bench.ratio VALUES
	('numeric', 1, 'numeric', 'numeric', 'bigint, no numeric read', NULL),
	('numeric', 2, '(amount * 100)::bigint', 'numeric', 'bigint, no numeric read', NULL);

-- ---- cut points and scores

INSERT INTO bench.topic VALUES ('score', 4, 'Scores: three quantile_cuts and three score against three NTILE(5)', 'cpu',
	'Over recency, frequency and monetary of all customers; the cut points are those of percentile_disc, which is checked.');
INSERT INTO bench.cases (topic, side, variant, settings, query, shape) VALUES
	('score', 'quantile_cuts and score', 'one pass', :'serial',
		'WITH c AS MATERIALIZED (SELECT quantile_cuts(recency, 5) AS r, quantile_cuts(frequency, 5) AS f, quantile_cuts(monetary, 5) AS m FROM feature)
		SELECT sum(score(recency, c.r)), sum(score(frequency, c.f)), sum(score(monetary, c.m)) FROM feature, c', 'score.*quantile_cuts'),
	('score', 'NTILE(5)', 'three windows', :'serial',
		'SELECT sum(r), sum(f), sum(m) FROM (SELECT ntile(5) OVER (ORDER BY recency) AS r, ntile(5) OVER (ORDER BY frequency) AS f, ntile(5) OVER (ORDER BY monetary) AS m FROM feature) s', 'WindowAgg.*WindowAgg.*WindowAgg'),
	('score', 'percentile_disc and width_bucket', 'one pass', :'serial',
		'WITH c AS MATERIALIZED (SELECT percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY recency) AS r, percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY frequency) AS f, percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY monetary) AS m FROM feature)
		SELECT sum(width_bucket(recency, c.r)), sum(width_bucket(frequency, c.f)), sum(width_bucket(monetary, c.m)) FROM feature, c', 'width_bucket.*percentile_disc');
INSERT INTO bench.ratio VALUES
	('score', 1, 'quantile_cuts and score', 'score', 'NTILE(5)', CASE :'size' WHEN 'large' THEN 0.25 END),
	('score', 2, 'percentile_disc and width_bucket', 'score', 'NTILE(5)', NULL);
