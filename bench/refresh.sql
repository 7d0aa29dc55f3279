-- A whole refresh against the same ratings in hand-written SQL.  Appended to the
-- cases of cases.sql.

\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''2GB''; SET maintenance_work_mem = ''1GB''; '
\set parallel 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''2GB''; SET maintenance_work_mem = ''1GB''; '
\set default 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''4MB''; SET maintenance_work_mem = ''1GB''; '
\set renew 'SELECT customer_tier.drop_program(''retail''); SELECT customer_tier.create_program(''retail'', source => ''public.orders'', customer => ''customer_id'', at => ''ordered_at'', amount => ''amount'', time_zone => ''UTC'', purchase_model => ''none''); CHECKPOINT'

SELECT customer_tier.create_program('retail', source => 'public.orders', customer => 'customer_id',
	at => 'ordered_at', amount => 'amount', time_zone => 'UTC', purchase_model => 'none');
CREATE SCHEMA hand;
CREATE TABLE hand.cell AS SELECT r, f, m, segment FROM customer_tier.segment_cells('grid25');
ANALYZE hand.cell;

-- What one writes without the extension: one pass for the features, three sorts
-- for ranks and scores, the cells joined, the tiers in a CASE.  percent_rank would
-- divide by n - 1; rank divides by n, as a program does, so that the scores are the
-- same.  NTILE splits equal values, so cells and segments are not quite the same.
-- A refresh does more: it keeps the histories, from which any other day is rated.
SELECT $$
CREATE TABLE hand.rating AS
WITH feature AS MATERIALIZED (
	SELECT customer_id,
		min(day) FILTER (WHERE amount >= 0) AS first_day,
		max(day) FILTER (WHERE amount >= 0) AS last_day,
		count(*) FILTER (WHERE amount >= 0) AS orders,
		count(DISTINCT day) FILTER (WHERE amount >= 0) AS purchase_days,
		sum(amount) AS revenue,
		coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded
	FROM (SELECT customer_id, ordered_at::date AS day, amount FROM orders) o
	WHERE day <= '2024-12-31'
	GROUP BY customer_id),
ranked AS (
	SELECT feature.*,
		1 - (rank() OVER r - 1) / n AS r_rank, (rank() OVER f - 1) / n AS f_rank, (rank() OVER m - 1) / n AS m_rank,
		6 - ntile(5) OVER r AS r_score, ntile(5) OVER f AS f_score, ntile(5) OVER m AS m_score
	FROM feature, (SELECT count(*)::float8 AS n FROM feature WHERE orders > 0) c
	WHERE orders > 0
	WINDOW r AS (ORDER BY last_day DESC), f AS (ORDER BY orders), m AS (ORDER BY revenue::float8)),
scored AS (
	SELECT *, round((100 * (0.25 * r_rank + 0.35 * f_rank + 0.40 * m_rank))::numeric, 4) AS score FROM ranked)
SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, refunded,
	revenue / orders AS average_order, r_score, f_score, m_score, segment, score,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN 'bronze' WHEN score >= 85 THEN 'platinum' WHEN score >= 65 THEN 'gold' WHEN score >= 40 THEN 'silver' ELSE 'bronze' END AS tier,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN 1 WHEN score >= 85 THEN 4 WHEN score >= 65 THEN 3 WHEN score >= 40 THEN 2 ELSE 1 END AS tier_rank,
	date '2024-12-31' AS tier_since,
	NULL::text AS previous_tier,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN 'refunded' WHEN score >= 40 THEN 'qualified' ELSE 'base' END AS tier_reason,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN NULL WHEN score < 40 THEN 40 WHEN score < 65 THEN 65 WHEN score < 85 THEN 85 END - score AS score_to_next_tier,
	1.0 AS coverage
FROM scored LEFT JOIN hand.cell ON (r, f, m) = (r_score, f_score, m_score);
ALTER TABLE hand.rating ADD PRIMARY KEY (customer_id);
ANALYZE hand.rating
$$ AS hand \gset

INSERT INTO bench.topic VALUES ('refresh', 5, 'A full refresh against hand-written SQL', 'wall',
	'End to end. The first refresh writes every history and every rating; the next finds them unchanged. By hand: features, rank, NTILE, segment and tier in one CREATE TABLE AS, then a primary key and ANALYZE; it keeps no histories. With PostgreSQL''s default work_mem of 4 MB the planner sorts where with 2 GB it hashes.');
INSERT INTO bench.cases (topic, side, variant, settings, query, setup) VALUES
	('refresh', 'first refresh', 'serial', :'serial', 'CALL customer_tier.refresh(''retail'', ''2024-12-31'')', :'renew'),
	('refresh', 'next refresh', 'serial', :'serial', 'CALL customer_tier.refresh(''retail'', ''2024-12-31'')', 'CHECKPOINT'),
	('refresh', 'by hand', 'serial', :'serial', :'hand', 'DROP TABLE IF EXISTS hand.rating; CHECKPOINT'),
	('refresh', 'first refresh', 'parallel', :'parallel', 'CALL customer_tier.refresh(''retail'', ''2024-12-31'')', :'renew'),
	('refresh', 'next refresh', 'parallel', :'parallel', 'CALL customer_tier.refresh(''retail'', ''2024-12-31'')', 'CHECKPOINT'),
	('refresh', 'by hand', 'parallel', :'parallel', :'hand', 'DROP TABLE IF EXISTS hand.rating; CHECKPOINT'),
	('refresh', 'first refresh', 'parallel, work_mem 4 MB', :'default', 'CALL customer_tier.refresh(''retail'', ''2024-12-31'')', :'renew'),
	('refresh', 'next refresh', 'parallel, work_mem 4 MB', :'default', 'CALL customer_tier.refresh(''retail'', ''2024-12-31'')', 'CHECKPOINT'),
	('refresh', 'by hand', 'parallel, work_mem 4 MB', :'default', :'hand', 'DROP TABLE IF EXISTS hand.rating; CHECKPOINT');
INSERT INTO bench.ratio VALUES
	('refresh', 1, 'first refresh', 'refresh', 'by hand', 1),
	('refresh', 2, 'next refresh', 'refresh', 'by hand', NULL);

-- What both sides agree on; to be asked when both have run.  Of more than 131,072
-- customers a program keeps thinned scales, good to 0.001 points of 100.
CREATE FUNCTION bench.refresh_problem() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT format('refresh and hand-written SQL differ: %s customers', count(*))
	FROM retail.scored_rating r FULL JOIN hand.rating h USING (customer_id)
	WHERE (r.first_day, r.last_day, r.orders, r.purchase_days, r.revenue, r.refunded, r.average_order, r.tier_since,
			r.previous_tier, r.coverage)
		IS DISTINCT FROM (h.first_day, h.last_day, h.orders, h.purchase_days, h.revenue, h.refunded, h.average_order, h.tier_since,
			h.previous_tier, h.coverage)
		OR r.score IS NULL OR h.score IS NULL OR abs(r.score - h.score) > 0.001
		OR (r.tier, r.tier_rank, r.tier_reason) IS DISTINCT FROM (h.tier, h.tier_rank, h.tier_reason)
			AND least(abs(h.score - 40), abs(h.score - 65), abs(h.score - 85)) > 0.001
	HAVING count(*) > 0);
END $$;

INSERT INTO bench.topic VALUES ('parts', 6, 'Where the time of a refresh goes', 'cpu',
	'The queries of its phases on their own, serial; what a first refresh takes beyond them is writing histories and ratings.');
INSERT INTO bench.cases (topic, side, variant, settings, query) VALUES
	('parts', 'source_history(): orders to histories', 'serial', :'serial', 'SELECT count(history) FROM retail.source_history()'),
	('parts', 'features(): histories to features', 'serial', :'serial', 'SELECT count(revenue) FROM retail.features(''2024-12-31'')'),
	('parts', 'measure(): cut points and scales', 'serial', :'serial', 'SELECT count(r_cuts) FROM retail.measure(''2024-12-31'')'),
	('parts', 'rate(): scores, segments, tiers', 'serial', :'serial', 'SELECT count(score) FROM retail.rate(''2024-12-31'', (SELECT max(run_id) FROM retail.run))');

-- Ten seconds a query and more: what is behind on the small table, or the same, is
-- left out on the large one.
DELETE FROM bench.cases
WHERE (SELECT size FROM bench.run) = 'large'
	AND (variant LIKE 'two steps%' OR variant LIKE '%as many workers' OR (topic = 'refresh' AND variant = 'serial'));
