-- A nightly refresh against the same ratings in hand-written SQL: RFM, segments,
-- a scorecard of six dimensions, grades and tiers that know yesterday's.  Every
-- round is the next day, for both.

\set ours 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''1GB''; SET maintenance_work_mem = ''256MB''; '
\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''1GB''; SET maintenance_work_mem = ''1GB''; '
\set parallel 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''1GB''; SET maintenance_work_mem = ''1GB''; '
\set jit 'SET max_parallel_workers_per_gather = 2; SET jit = on; SET work_mem = ''1GB''; SET maintenance_work_mem = ''1GB''; '

CREATE FUNCTION bench.day() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT date '2024-12-20' + round FROM bench.at $$;

-- A program of the orders with the card, not refreshed yet.
CREATE FUNCTION bench.make_program(name text, purchase_model text, source regclass, tracking text DEFAULT 'full') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM customer_tier.program p WHERE p.name = make_program.name) THEN
		PERFORM customer_tier.drop_program(name);
	END IF;
	PERFORM customer_tier.create_program(name, source => source, customer => 'customer_id', at => 'ordered_at', amount => 'amount',
		time_zone => 'UTC', purchase_model => make_program.purchase_model, tracking => make_program.tracking);
	PERFORM customer_tier.set_scorecard(name, (SELECT jsonb_agg(jsonb_build_object('feature', f))
		FROM unnest('{recency,frequency,monetary,average_order,tenure,refund_rate}'::text[]) f));
END $$;

SELECT bench.make_program('nightly', 'none', 'public.orders');
SELECT bench.make_program('valued', 'mbg/nbd', 'public.orders');

CREATE SCHEMA hand;
CREATE TABLE hand.cell AS SELECT r, f, m, segment FROM customer_tier.segment_cells('grid25');
ANALYZE hand.cell;

-- What one writes without the extension, at its best.  One pass over the orders
-- makes the features.  How many have less gives the points of
-- a dimension and, in fifths, the score: value > percentile_disc(k / 5) is the
-- same as 5 * less / n >= k, whole numbers,, so that neither NTILE nor percentile_disc sorts
-- again.  Dimensions of few values (days, counts) are ranked by value, which is a
-- small hash and a join, instead of by customer; only the two amounts, which are
-- nearly all different, are sorted, and those with nothing but the key beside
-- them.  Yesterday's tiers are joined, for a customer keeps a tier while the score
-- is not more than 5 below it.
-- In one statement features are a common table expression; in two they are a
-- table, of which the rest can be parallel.
SELECT $$
	SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, refunded, revenue / orders AS average_order,
		(SELECT bench.day()) - last_day AS recency, (SELECT bench.day()) - first_day AS tenure,
		coalesce((refunded / nullif(revenue + refunded, 0))::float8, 0) AS refund_rate
	FROM (
		SELECT customer_id,
			min(day) FILTER (WHERE amount >= 0) AS first_day,
			max(day) FILTER (WHERE amount >= 0) AS last_day,
			count(*) FILTER (WHERE amount >= 0) AS orders,
			%s AS purchase_days,
			sum(amount) AS revenue,
			coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded
		FROM (SELECT customer_id, ordered_at::date AS day, amount FROM orders WHERE ordered_at < (SELECT (bench.day() + 1)::timestamptz)) o
		GROUP BY customer_id
		HAVING count(*) FILTER (WHERE amount >= 0) > 0) a
$$ AS feature, $$
everyone AS MATERIALIZED (SELECT count(*) AS n FROM hand_feature),
-- how many are below, in the dimensions of few values
by_recency AS (SELECT recency, CAST(sum(count(*)) OVER (ORDER BY recency) - count(*) AS bigint) AS less FROM hand_feature GROUP BY recency),
by_orders AS (SELECT orders, CAST(sum(count(*)) OVER (ORDER BY orders) - count(*) AS bigint) AS less FROM hand_feature GROUP BY orders),
by_tenure AS (SELECT tenure, CAST(sum(count(*)) OVER (ORDER BY tenure) - count(*) AS bigint) AS less FROM hand_feature GROUP BY tenure),
by_refunds AS (SELECT refund_rate, CAST(sum(count(*)) OVER (ORDER BY refund_rate) - count(*) AS bigint) AS less FROM hand_feature GROUP BY refund_rate),
-- and in the amounts
by_revenue AS (SELECT customer_id, rank() OVER (ORDER BY amount) - 1 AS less FROM (SELECT customer_id, revenue::float8 AS amount FROM hand_feature) f),
by_average AS (SELECT customer_id, rank() OVER (ORDER BY amount) - 1 AS less FROM (SELECT customer_id, average_order::float8 AS amount FROM hand_feature) f),
scored AS (
	SELECT f.*, CAST(5 - 5 * r.less / n AS int) AS r_score, CAST(1 + 5 * o.less / n AS int) AS f_score, CAST(1 + 5 * m.less / n AS int) AS m_score,
		round((100 * (2 + (o.less + m.less + a.less + t.less - r.less - d.less) / n::float8) / 6)::numeric, 4) AS score
	FROM hand_feature f
	CROSS JOIN everyone
	JOIN by_recency r USING (recency)
	JOIN by_orders o USING (orders)
	JOIN by_tenure t USING (tenure)
	JOIN by_refunds d USING (refund_rate)
	JOIN by_revenue m USING (customer_id)
	JOIN by_average a USING (customer_id)),
placed AS (
	SELECT s.*, y.tier_rank AS old_rank, y.tier AS old_tier, y.tier_since AS old_since, y.previous_tier AS old_previous,
		CASE WHEN refunded > 0 AND refund_rate >= 0.8 THEN 1
			WHEN score >= 85 OR y.tier_rank = 4 AND score >= 80 THEN 4
			WHEN score >= 65 OR y.tier_rank = 3 AND score >= 60 THEN 3
			WHEN score >= 40 OR y.tier_rank = 2 AND score >= 35 THEN 2 ELSE 1 END AS tier_rank
	FROM scored s LEFT JOIN (SELECT customer_id, tier, tier_rank, tier_since, previous_tier FROM hand.yesterday) y USING (customer_id))
SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, refunded, average_order, r_score, f_score, m_score, segment,
	CASE WHEN purchase_days = 1 AND recency < 90 THEN 'new' WHEN recency < 90 THEN 'active' WHEN recency < 180 THEN 'at_risk' ELSE 'churned' END AS lifecycle_stage,
	score, (ARRAY['D','C','CC','CCC','B','BB','BBB','A','AA','AAA'])[1 + width_bucket(score, ARRAY[10,20,30,40,50,60,70,80,90]::numeric[])] AS grade,
	(ARRAY['bronze', 'silver', 'gold', 'platinum'])[tier_rank] AS tier, tier_rank,
	CASE WHEN tier_rank = old_rank THEN old_since ELSE (SELECT bench.day()) END AS tier_since,
	CASE WHEN tier_rank = old_rank THEN old_previous ELSE old_tier END AS previous_tier,
	CASE WHEN refunded > 0 AND refund_rate >= 0.8 THEN 'refunded' WHEN tier_rank = 1 THEN 'base' WHEN score >= (ARRAY[0, 40, 65, 85])[tier_rank] THEN 'qualified' ELSE 'kept' END AS tier_reason,
	CASE WHEN refunded > 0 AND refund_rate >= 0.8 THEN NULL ELSE (ARRAY[40, 65, 85])[tier_rank] - score END AS score_to_next_tier,
	1.0 AS coverage
FROM placed LEFT JOIN hand.cell ON (r, f, m) = (r_score, f_score, m_score);
ALTER TABLE hand.today ADD PRIMARY KEY (customer_id);
ANALYZE hand.today
$$ AS rest \gset
SELECT format(:'feature', 'count(DISTINCT day) FILTER (WHERE amount >= 0)') AS with_days, format(:'feature', 'count(*)') AS without_days \gset
SELECT 'CREATE TABLE hand.today AS WITH feature AS MATERIALIZED (' || :'with_days' || '),' || replace(:'rest', 'hand_feature', 'feature') AS one_statement,
	'CREATE UNLOGGED TABLE hand.feature AS ' || :'with_days' || '; ANALYZE hand.feature; CREATE TABLE hand.today AS WITH' || replace(:'rest', 'hand_feature', 'hand.feature') AS two_statements,
	'CREATE UNLOGGED TABLE hand.feature AS ' || :'without_days' || '; ANALYZE hand.feature; CREATE TABLE hand.today AS WITH' || replace(:'rest', 'hand_feature', 'hand.feature') AS without_days \gset

-- The first day: all that later ones find.
CALL customer_tier.refresh('nightly', bench.day());
CALL customer_tier.refresh('valued', bench.day());
CREATE TABLE hand.today AS SELECT customer_id, tier, tier_rank, tier_since, previous_tier FROM nightly.scored_rating;
ALTER TABLE hand.today ADD PRIMARY KEY (customer_id);
CREATE TABLE hand.yesterday AS TABLE hand.today;
VACUUM ANALYZE hand.today;

CREATE FUNCTION hand.next_day() RETURNS void LANGUAGE sql AS $$
	DROP TABLE IF EXISTS hand.yesterday;
	ALTER TABLE hand.today RENAME TO yesterday;
	ALTER INDEX hand.today_pkey RENAME TO yesterday_pkey;
$$;

INSERT INTO bench.topic VALUES ('nightly', 2, 'A full refresh against hand-written SQL', 'wall',
	'RFM, segments, a scorecard of six dimensions (recency, frequency, monetary, average order, tenure, refund rate), grades, and tiers that know yesterday''s; each round is the next day, with its orders. The first refresh writes every history and every rating, a full refresh reads all orders and writes what differs. By hand: CREATE TABLE AS, joined with yesterday''s, a primary key and ANALYZE (bench/nightly.sql); it keeps no histories, no scales, no history of tiers. Without days: the same without count(distinct day), which keeps it from being parallel; that one does not answer the same question. work_mem is 1 GB, two workers are allowed.');
INSERT INTO bench.cases (topic, side, variant, settings, query, setup, after) VALUES
	('nightly', 'first refresh', 'parallel', :'ours', 'CALL customer_tier.refresh(''first'', bench.day())',
	 'SELECT bench.make_program(''first'', ''none'', ''public.orders''); CHECKPOINT', 'SELECT bench.keep_phases(''first'')'),
	('nightly', 'full refresh', 'parallel', :'ours', 'CALL customer_tier.refresh(''nightly'', bench.day(), full_build => true)', 'CHECKPOINT', 'SELECT bench.keep_phases(''nightly'')'),
	('nightly', 'by hand', 'one statement', :'parallel', :'one_statement', 'SELECT hand.next_day(); CHECKPOINT', 'VACUUM hand.today'),
	('nightly', 'by hand', 'two statements', :'parallel', :'two_statements', 'DROP TABLE hand.today; DROP TABLE IF EXISTS hand.feature; CHECKPOINT', 'VACUUM hand.today'),
	('nightly', 'by hand', 'two statements, jit', :'jit', :'two_statements', 'DROP TABLE hand.today; DROP TABLE hand.feature; CHECKPOINT', 'VACUUM hand.today'),
	('nightly', 'by hand, without days', 'two statements', :'parallel', :'without_days', 'ALTER TABLE hand.today RENAME TO kept; ALTER INDEX hand.today_pkey RENAME TO kept_pkey; DROP TABLE hand.feature; CHECKPOINT',
	 'DROP TABLE hand.today; ALTER TABLE hand.kept RENAME TO today; ALTER INDEX hand.kept_pkey RENAME TO today_pkey'),
	('nightly', 'full refresh, with lifetime value', 'parallel', :'ours', 'CALL customer_tier.refresh(''valued'', bench.day(), full_build => true)', 'CHECKPOINT', 'SELECT bench.keep_phases(''valued'')');
INSERT INTO bench.ratio VALUES
	('nightly', 1, 'full refresh', 'nightly', 'by hand', (SELECT CASE WHEN customers >= 1000000 THEN 0.4 END FROM bench.run)),
	('nightly', 2, 'first refresh', 'nightly', 'by hand', (SELECT CASE WHEN customers >= 1000000 THEN 0.4 END FROM bench.run)),
	('nightly', 3, 'full refresh', 'nightly', 'by hand, without days', NULL),
	('nightly', 4, 'full refresh, with lifetime value', 'nightly', 'by hand', NULL);

-- What both sides agree on; to be asked when both have run.  Thinned scales of
-- more than 131,072 customers are good to 0.001 points of 100; and a difference in
-- the fourth decimal moves a tier now and then, which stays; who is at a cut point
-- may be on either side of it.  A program balances
-- the scores of frequency and of money where many customers have the same, so the
-- scores f, m and the segments that come of them are not quite the same: m has to be
-- that of the revenue by hand on the program's cuts.
CREATE FUNCTION bench.nightly_problem() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT 'refresh and hand-written SQL differ: ' || string_agg(format('%s of %s customers', what, n), ', ')
	FROM (
		SELECT d.what, count(*) AS n
		FROM nightly.scored_rating r FULL JOIN hand.today h USING (customer_id), LATERAL (VALUES
			('features', (r.first_day, r.last_day, r.orders, r.purchase_days, r.revenue, r.refunded, r.average_order)
				IS DISTINCT FROM (h.first_day, h.last_day, h.orders, h.purchase_days, h.revenue, h.refunded, h.average_order)),
			('r', r.r_score IS DISTINCT FROM h.r_score),
			('m', h.orders > 0 AND r.m_score IS DISTINCT FROM customer_tier.score(CAST(h.revenue AS float8), (SELECT m_cuts FROM nightly.run WHERE is_current))),
			('stage and coverage', (r.lifecycle_stage, r.coverage) IS DISTINCT FROM (h.lifecycle_stage, h.coverage)),
			('score', (abs(r.score - h.score) <= 0.001) IS NOT TRUE),
			('grade', r.grade IS DISTINCT FROM h.grade AND abs(h.score - round(h.score, -1)) > 0.001),
			('tier', (r.tier, r.tier_since, r.previous_tier) IS DISTINCT FROM (h.tier, h.tier_since, h.previous_tier)
				AND least(abs(h.score - 35), abs(h.score - 40), abs(h.score - 60), abs(h.score - 65), abs(h.score - 80), abs(h.score - 85)) > 1)) d (what, differs)
		WHERE d.differs
		GROUP BY d.what
		HAVING count(*) > 5) w);
END $$;

-- The least that each part could take, on what is stored.
INSERT INTO bench.topic VALUES ('floors', 3, 'What the parts of a refresh cannot do without', 'wall',
	'Serial but for one, nothing written but by the last four. A refresh measures cut points and scales in one pass, and finds what differs with parallel workers; rate() and points() are there to compare. What it takes for a part beyond its floor is the work of the part itself.');
INSERT INTO bench.cases (topic, side, variant, settings, query, setup) VALUES
	('floors', 'read: the orders scanned, three columns', 'serial', :'serial', 'SELECT count(customer_id), count(ordered_at), count(amount) FROM orders', 'SELECT'),
	('floors', 'read: histories() of all orders', 'serial', :'ours' || 'SET max_parallel_workers_per_gather = 0',
	 'SELECT count(history) FROM (SELECT (h).* FROM (SELECT customer_tier.histories(''orders'', ''customer_id'', ''ordered_at'', ''amount'', NULL::bigint, ''UTC'') AS h OFFSET 0) b OFFSET 0) g', 'SELECT'),
	('floors', 'measure and publish: stored histories scanned', 'serial', :'serial', 'SELECT count(history) FROM nightly.history', 'SELECT'),
	('floors', 'measure and publish: each decoded once', 'serial', :'serial', 'SELECT count(revenue) FROM nightly.features(bench.day())', 'SELECT'),
	('floors', 'measure: cut points', 'serial', :'serial', 'SELECT count(r_cuts) FROM nightly.measure(bench.day())', 'SELECT'),
	('floors', 'measure: scales of six dimensions', 'serial', :'serial', 'SELECT count(scale) FROM nightly.scales(bench.day(), (SELECT max(run_id) FROM nightly.run))', 'SELECT'),
	('floors', 'publish: rate() of everybody', 'serial', :'serial', 'SELECT count(tier) FROM nightly.rate(bench.day(), (SELECT max(run_id) FROM nightly.run))', 'SELECT'),
	('floors', 'publish: what differs from yesterday, found and kept aside', 'parallel', :'ours',
	 'SELECT customer_tier.execute_steps(ARRAY[customer_tier.step(customer_tier.difference_query(''nightly'', bench.day(), r.run_id), ''difference'',
	         customer_tier.everyone_query(''nightly'', customer_tier.program_settings(''nightly''), format(''CAST(%L AS date)'', bench.day()), format(''CAST(%s AS bigint)'', r.run_id), ''constants''), ''scores'', free_place => ''SELECT CAST(100000000 AS bigint)'')])
	  FROM (SELECT max(run_id) AS run_id FROM nightly.run) AS r', 'SELECT'),
	('floors', 'publish: ratings written anew, with their key', 'serial', :'serial', 'CREATE TABLE hand.ratings AS TABLE nightly.scored_rating; ALTER TABLE hand.ratings ADD PRIMARY KEY (customer_id)', 'DROP TABLE IF EXISTS hand.ratings; CHECKPOINT'),
	('floors', 'publish: all blocks of scores updated', 'serial', :'serial', 'UPDATE hand.scores SET score = score', 'DROP TABLE IF EXISTS hand.scores; CREATE TABLE hand.scores AS TABLE nightly.rating_score; ALTER TABLE hand.scores ADD PRIMARY KEY (block); CHECKPOINT'),
	('floors', 'every rating with its score updated, as no refresh does', 'serial', :'serial', 'UPDATE hand.ratings SET score = score', 'VACUUM ANALYZE hand.ratings'),
	('floors', 'read, first: histories written anew, with their key', 'serial', :'serial', 'CREATE TABLE hand.histories AS TABLE nightly.history; ALTER TABLE hand.histories ADD PRIMARY KEY (customer_id)', 'DROP TABLE IF EXISTS hand.histories; CHECKPOINT');
