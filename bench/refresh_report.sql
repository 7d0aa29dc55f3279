-- What does not fit the tables of report.sql: phases, thirty days, writers, DuckDB.
-- Expects :differences.

\pset format unaligned
\pset tuples_only on

SELECT 'The ratings of both sides of the second table are not the same: ' || :'differences' || E'.\n' WHERE :'differences' <> '';

-- Where every second goes.
SELECT E'### Where every second goes\n\nSeconds by phase, medians, as <schema>.run has them; the rest of the elapsed time is starting and recording the run. Rows are the ratings written.\n\n| | build | wait and check | read | fit | measure | score | publish | all phases | ratings written |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|'
WHERE EXISTS (SELECT FROM bench.phase);
WITH median AS (
	SELECT id, phase, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) / 1000 AS seconds
	FROM (SELECT id, round, CASE phase WHEN 'wait' THEN 'check' ELSE phase END AS phase, sum(ms) AS ms FROM bench.phase WHERE round > 0 GROUP BY 1, 2, 3) p
	GROUP BY 1, 2)
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |', CASE WHEN side LIKE '%' || variant THEN side ELSE side || ', ' || variant END,
	(SELECT string_agg(DISTINCT build, ' or ') FROM bench.phase p WHERE p.id = m.id AND p.round > 0),
	round(sum(seconds) FILTER (WHERE m.phase = 'check')::numeric, 2), round(sum(seconds) FILTER (WHERE m.phase = 'read')::numeric, 2),
	round(sum(seconds) FILTER (WHERE m.phase = 'fit')::numeric, 2), round(sum(seconds) FILTER (WHERE m.phase = 'measure')::numeric, 2),
	round(sum(seconds) FILTER (WHERE m.phase = 'score')::numeric, 2), round(sum(seconds) FILTER (WHERE m.phase = 'publish')::numeric, 2),
	round(sum(seconds)::numeric, 2),
	(SELECT to_char(percentile_disc(0.5) WITHIN GROUP (ORDER BY changed), 'FM999,999,999') FROM bench.phase p WHERE p.id = m.id AND p.round > 0))
FROM median m JOIN bench.cases c USING (id)
GROUP BY id, side, variant ORDER BY id;
SELECT '' WHERE EXISTS (SELECT FROM bench.phase);

SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'bench' AND tablename = 'days') AS days,
	EXISTS (SELECT FROM pg_tables WHERE schemaname = 'bench' AND tablename = 'writer') AS writers,
	EXISTS (SELECT FROM pg_tables WHERE schemaname = 'bench' AND tablename = 'duck') AS duck \gset

\if :days
SELECT format(E'### Thirty days with nothing new\n\n%s orders of %s customers, refreshed as of each of the thirty days after the last order. Autovacuum is off; "VACUUM" has one of the ratings after each day. Dead rows are those of the ratings before it.\n\n| | rows written, a day: first, median, last | all thirty | size of the ratings at first | after thirty days | growth | dead rows at the end | seconds a day |\n|---|---:|---:|---:|---:|---:|---:|---:|',
	to_char((SELECT count(*) FROM quiet), 'FM999,999,999'), to_char((SELECT count(DISTINCT customer_id) FROM quiet), 'FM999,999,999'));
SELECT format('| %s | %s, %s, %s | %s | %s | %s | %s | %s | %s |',
	CASE program WHEN 'plain' THEN 'no purchase model' WHEN 'plain_swept' THEN 'no purchase model, VACUUM' WHEN 'model' THEN 'with lifetime value' WHEN 'model_swept' THEN 'with lifetime value, VACUUM' ELSE 'with lifetime value, by which it scores, too' END,
	to_char(min(changed) FILTER (WHERE day = 1), 'FM999,999,990'),
	to_char(percentile_disc(0.5) WITHIN GROUP (ORDER BY changed) FILTER (WHERE day > 0), 'FM999,999,990'),
	to_char(min(changed) FILTER (WHERE day = 30), 'FM999,999,990'), to_char(sum(changed) FILTER (WHERE day > 0), 'FM999,999,990'),
	pg_size_pretty(min(size) FILTER (WHERE day = 0)), pg_size_pretty(min(size) FILTER (WHERE day = 30)),
	round(min(size) FILTER (WHERE day = 30)::numeric / min(size) FILTER (WHERE day = 0), 2) || ' times',
	to_char(min(dead) FILTER (WHERE day = 30), 'FM999,999,990'),
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE day > 0)::numeric, 2))
FROM bench.days GROUP BY program ORDER BY program LIKE 'model%', program LIKE '%scored', program LIKE '%swept';
SELECT '';
\endif

\if :writers
SELECT format(E'### What tracking costs the writers\n\nTwo tables of one shape (a primary key and an index on the customer, %s orders to begin with), one of them tracked by triggers, in turns; fsync is on. Statements of 1,000 rows come from one client, single rows from two (pgbench -c 2 -M prepared). CPU is that of the backend for statements of 1,000 rows in one transaction. Waits are those for a lock of more than a millisecond, in the log of the server. The ratio is the median of the rounds'' ratios.\n\n| | synchronous_commit | plain: median, least to most | tracked | tracked : plain | rounds | waits, plain | waits, tracked |\n|---|---|---:|---:|---:|---:|---:|---:|',
	to_char((SELECT count(*) FROM bench.writer_start), 'FM999,999'))
FROM (SELECT 1) one;
WITH pair AS (
	SELECT kind, p.sync, p.value AS plain, t.value AS tracked, t.value / p.value AS ratio, p.waits AS plain_waits, t.waits AS tracked_waits
	FROM bench.writer p JOIN bench.writer t USING (kind, round)
	WHERE p.side = 'plain' AND t.side = 'tracked' AND p.sync IS NOT DISTINCT FROM t.sync AND round > 0),
median AS (
	SELECT kind, sync, count(*) AS rounds, percentile_cont(0.5) WITHIN GROUP (ORDER BY plain) AS plain, percentile_cont(0.5) WITHIN GROUP (ORDER BY tracked) AS tracked,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio) AS ratio, min(plain) AS plain_least, max(plain) AS plain_most,
		min(tracked) AS tracked_least, max(tracked) AS tracked_most, sum(plain_waits) AS plain_waits, sum(tracked_waits) AS tracked_waits
	FROM pair GROUP BY 1, 2)
SELECT format('| %s | %s | %s, %s to %s | %s, %s to %s | **%s**%s | %s | %s | %s |',
	CASE kind WHEN 'many' THEN '1,000 rows a statement, ms' WHEN 'cpu' THEN '1,000 rows a statement, CPU ms' ELSE 'single rows, two clients, ms' END, coalesce(m.sync, '-'),
	round(plain::numeric, 3), round(plain_least::numeric, 3), round(plain_most::numeric, 3),
	round(tracked::numeric, 3), round(tracked_least::numeric, 3), round(tracked_most::numeric, 3), round(ratio::numeric, 2),
	CASE WHEN goal IS NOT NULL THEN format(' (to be at most %s%s)', goal, CASE WHEN ratio > goal THEN ': missed' END) END,
	rounds, plain_waits, tracked_waits)
FROM median m LEFT JOIN (VALUES ('many', 'on', 1.06), ('many', 'off', 1.20)) g (kind, sync, goal) USING (kind, sync)
ORDER BY kind = 'one', kind = 'cpu', sync DESC NULLS LAST;
SELECT '';
\endif

\if :duck
SELECT format(E'### DuckDB\n\nDuckDB %s through @duckdb/node-api, in memory, %s threads: its own columnar copy grouped by customer; min, max, count, sum and count(distinct day), which is what plain SQL of the first table computes. histories() is serial and returns the days themselves.\n\n| | seconds, median | least to most |\n|---|---:|---:|',
	(SELECT value FROM bench.duck WHERE what = 'version'), (SELECT value FROM bench.duck WHERE what = 'threads'));
SELECT format('| %s | %s | %s to %s |', label, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value::float8)::numeric, 2), round(min(value::numeric), 2), round(max(value::numeric), 2))
FROM bench.duck JOIN (VALUES (1, 'export', 'out of PostgreSQL: COPY TO a CSV file'), (2, 'load', 'into DuckDB: read_csv'), (3, 'count', 'count(*) per customer'),
	(4, 'days', 'min, max, count, sum, count(distinct day) per customer')) l (place, what, label) USING (what)
GROUP BY place, label ORDER BY place;
SELECT format('| histories() of this run, out of PostgreSQL''s table | %s | %s to %s |', round((wall / 1000)::numeric, 2), round((least / 1000)::numeric, 2), round((most / 1000)::numeric, 2))
FROM bench.best WHERE topic = 'built' AND side = 'histories()';
SELECT '';
\endif
