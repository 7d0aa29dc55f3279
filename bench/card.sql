-- A scorecard of ten dimensions against the same card in hand-written SQL.
-- Appended to the cases of refresh.sql.

\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''2GB''; SET maintenance_work_mem = ''1GB''; '
\set parallel 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''2GB''; SET maintenance_work_mem = ''1GB''; '

-- What is known of customers beyond their orders; nothing of one in ten.
CREATE TABLE facts AS
	SELECT c AS customer_id, CAST(c * 7919 % 11 AS int) AS nps, c * 104729 % 1000 / 10.0 AS csat, CAST(c * 31 % 97 AS int) AS overdue,
		CAST(c * 15485863 % 100003 / 7.0 AS float8) AS potential, CAST(c * 17 % 13 AS int) AS variety
	FROM generate_series(1::bigint, (SELECT customers FROM bench.run)) c
	WHERE c % 10 > 0;
ALTER TABLE facts ADD PRIMARY KEY (customer_id);
ANALYZE facts;
CREATE INDEX orders_customer_id ON orders (customer_id);

SELECT customer_tier.create_program('carded', source => 'public.orders', customer => 'customer_id',
	at => 'ordered_at', amount => 'amount', time_zone => 'UTC', purchase_model => 'none');
SELECT customer_tier.set_scorecard('carded', (
	SELECT jsonb_agg(CASE WHEN n <= 5 THEN jsonb_build_object('feature', name)
		ELSE jsonb_build_object('name', name, 'relation', 'public.facts', 'column', name, 'key', 'customer_id', 'higher_is_better', name <> 'overdue') END ORDER BY n)
	FROM unnest('{recency,frequency,monetary,average_order,tenure,nps,csat,overdue,potential,variety}'::text[]) WITH ORDINALITY AS d (name, n)));
CALL customer_tier.refresh('carded', '2024-12-31');

SELECT format($$
CREATE TABLE hand.carded AS
WITH value AS MATERIALIZED (
	SELECT f.customer_id, f.first_day, f.last_day, f.orders, f.purchase_days, f.revenue, f.refunded, f.average_order,
		f.recency_days AS d1, f.frequency AS d2, f.monetary AS d3, f.average_order::float8 AS d4, date '2024-12-31' - f.first_day AS d5,
		x.nps AS d6, x.csat::float8 AS d7, x.overdue AS d8, x.potential AS d9, x.variety AS d10
	FROM carded.features('2024-12-31') f LEFT JOIN facts x USING (customer_id)),
known AS (SELECT %1$s FROM value),
point AS (
	SELECT value.*, 6 - ntile(5) OVER (PARTITION BY d1 IS NULL ORDER BY d1) AS r_score, ntile(5) OVER (PARTITION BY d2 IS NULL ORDER BY d2) AS f_score,
		ntile(5) OVER (PARTITION BY d3 IS NULL ORDER BY d3) AS m_score, %2$s
	FROM value, known),
scored AS (
	SELECT point.*, round(((%3$s) / (%4$s))::numeric, 4) AS score, round(((%4$s) / 10.0)::numeric, 4) AS coverage FROM point)
SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, refunded, average_order, r_score, f_score, m_score, segment,
	CASE WHEN purchase_days = 1 AND d1 < 90 THEN 'new' WHEN d1 < 90 THEN 'active' WHEN d1 < 180 THEN 'at_risk' ELSE 'churned' END AS lifecycle_stage,
	score, (ARRAY['D','C','CC','CCC','B','BB','BBB','A','AA','AAA'])[1 + width_bucket(score, ARRAY[10,20,30,40,50,60,70,80,90]::numeric[])] AS grade,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN 'bronze' WHEN score >= 85 THEN 'platinum' WHEN score >= 65 THEN 'gold' WHEN score >= 40 THEN 'silver' ELSE 'bronze' END AS tier,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN 1 WHEN score >= 85 THEN 4 WHEN score >= 65 THEN 3 WHEN score >= 40 THEN 2 ELSE 1 END AS tier_rank,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN 'refunded' WHEN score >= 40 THEN 'qualified' ELSE 'base' END AS tier_reason,
	CASE WHEN refunded > 0 AND refunded >= 0.8 * (revenue + refunded) THEN NULL WHEN score < 40 THEN 40 WHEN score < 65 THEN 65 WHEN score < 85 THEN 85 END - score AS score_to_next_tier,
	coverage, ARRAY[%5$s]::float8[] AS dimension_values, ARRAY[%6$s] AS dimension_points
FROM scored LEFT JOIN hand.cell ON (r, f, m) = (r_score, f_score, m_score);
ALTER TABLE hand.carded ADD PRIMARY KEY (customer_id)
$$,
	string_agg(format('count(d%1$s) AS n%1$s', n), ', ' ORDER BY n),
	string_agg(CASE WHEN n IN (1, 8) THEN format('CASE WHEN d%1$s IS NOT NULL THEN 100 * (1 - (rank() OVER (PARTITION BY d%1$s IS NULL ORDER BY d%1$s) - 1) / n%1$s::float8) END AS p%1$s', n)
		ELSE format('CASE WHEN d%1$s IS NOT NULL THEN 100 * ((rank() OVER (PARTITION BY d%1$s IS NULL ORDER BY d%1$s) - 1) / n%1$s::float8) END AS p%1$s', n) END, ', ' ORDER BY n),
	string_agg(format('coalesce(p%s, 0)', n), ' + ' ORDER BY n),
	string_agg(format('(p%s IS NOT NULL)::int', n), ' + ' ORDER BY n),
	string_agg(format('d%s', n), ', ' ORDER BY n),
	string_agg(format('p%s', n), ', ' ORDER BY n)) AS hand
FROM generate_series(1, 10) n \gset
\set ours 'CREATE TABLE hand.ours AS SELECT * FROM carded.rate(''2024-12-31''); ALTER TABLE hand.ours ADD PRIMARY KEY (customer_id)'

INSERT INTO bench.topic VALUES ('card', 7, 'A scorecard of ten dimensions against hand-written SQL', 'wall',
	'Five features of the orders and five columns of a relation that does not know one customer in ten; scales measured, points, score, coverage, grade, tier, segment, and the values and points that explain them, in one CREATE TABLE AS, then a primary key. Both begin with the features of the stored histories. By hand: rank, NTILE and CASE.');
INSERT INTO bench.cases (topic, side, variant, settings, query, setup) VALUES
	('card', 'rate()', 'serial', :'serial', :'ours', 'DROP TABLE IF EXISTS hand.ours; CHECKPOINT'),
	('card', 'by hand', 'serial', :'serial', :'hand', 'DROP TABLE IF EXISTS hand.carded; CHECKPOINT'),
	('card', 'rate()', 'parallel', :'parallel', :'ours', 'DROP TABLE IF EXISTS hand.ours; CHECKPOINT'),
	('card', 'by hand', 'parallel', :'parallel', :'hand', 'DROP TABLE IF EXISTS hand.carded; CHECKPOINT');
INSERT INTO bench.ratio VALUES ('card', 1, 'rate()', 'card', 'by hand', 0.5);

INSERT INTO bench.topic VALUES ('one', 8, 'One customer, now', 'wall',
	'rate_customer() of a hundred customers one after the other, from their live orders (an index on the customer), on the scales of the published run: a hundredth of the time is one.');
INSERT INTO bench.cases (topic, side, variant, settings, query) VALUES
	('one', 'rate_customer(), 100 times', 'ten dimensions', :'serial',
	'SELECT count(r.score) FROM generate_series(1, 100) i, LATERAL customer_tier.rate_customer(''carded'', i * 37 % (SELECT customers FROM bench.run) + 1, ''2024-12-31'') r');

-- What both sides agree on, as bench.refresh_problem().
CREATE FUNCTION bench.card_problem() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT format('scorecard and hand-written SQL differ: %s customers', count(*))
	FROM hand.ours r FULL JOIN hand.carded h USING (customer_id)
	WHERE (r.first_day, r.last_day, r.orders, r.revenue, r.coverage, r.lifecycle_stage, r.dimension_values)
		IS DISTINCT FROM (h.first_day, h.last_day, h.orders, h.revenue, h.coverage, h.lifecycle_stage, h.dimension_values)
		OR r.score IS NULL OR h.score IS NULL OR abs(r.score - h.score) > 0.001
	HAVING count(*) > 0);
END $$;
