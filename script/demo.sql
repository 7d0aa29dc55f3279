-- demo.sql: the tour.  From an order table to every customer's rating.
--
-- psql variables: title, and the columns of the table "orders": customer, at,
-- amount, order_id (empty: every row is an order).
\set ON_ERROR_STOP on
\set QUIET on
\set SHOW_CONTEXT never
\pset pager off
\pset footer off
\pset linestyle unicode
\pset border 1
\pset null '·'
\pset numericlocale on
SET client_min_messages = warning;

-- Rate on the newest day of the orders; a day yet to come is a typing error in
-- somebody's data.
SELECT least(coalesce(max(:"at")::date, current_date), current_date) AS as_of,
	count(*) AS rows,
	count(*) FILTER (WHERE :"customer" IS NULL OR :"at" IS NULL OR :"amount" IS NULL) AS holes,
	count(DISTINCT :"customer") AS buyers,
	coalesce(min(:"at")::date::text, '?') AS first_day,
	coalesce(max(:"at")::date::text, '?') AS last_day
FROM orders
\gset

-- What is said below is what is run.  A refresh stops when more than one row in
-- a hundred is useless; here the reader is told and the tour goes on.
SELECT format('%s: %s rows of %s customers, %s to %s', :'title', to_char(:rows, 'FM999,999,999,990'),
		to_char(:buyers, 'FM999,999,999,990'), :'first_day', :'last_day')
	|| CASE WHEN :holes > 0 THEN format(E'\n  %s without a customer, a day or an amount: left out',
		to_char(:holes, 'FM999,999,999,990')) ELSE '' END AS summary,
	format(E'SELECT customer_tier.create_program(''retail'', source => ''public.orders'',\n'
		'             customer => %L, at => %L, amount => %L%s%s)',
		:'customer', :'at', :'amount',
		CASE WHEN :'order_id' <> '' THEN format(', order_id => %L', :'order_id') END,
		CASE WHEN :holes > 0.01 * :rows THEN ', max_bad_share => 1' END) AS create_call,
	format('CALL customer_tier.refresh(''retail'', %L)', :'as_of') AS refresh_call,
	:rows = :holes AS empty
\gset
\if :empty
	DO $$ BEGIN RAISE EXCEPTION 'there are no orders to rate'; END $$;
\endif

\echo
\echo ' ' :summary
\echo
\set line :create_call ';'
\echo '   ' :line
:create_call \g /dev/null
\set line :refresh_call ';'
\echo '   ' :line
SELECT clock_timestamp() AS begin \gset
:refresh_call;
SELECT format('every customer rated in %s seconds',
	to_char(extract(epoch FROM clock_timestamp() - :'begin'), 'FM99990.00')) AS took \gset
\echo '    --' :took

\echo
\echo '  THE TIERS'
SELECT concat_ws(' ', tier_label, nullif(tier_label_zh, tier_label)) AS tier,
	count(*) AS customers,
	round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS "% of them",
	round(100 * sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0), 1) AS "% of revenue",
	repeat('█', greatest(0, round(40 * sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0)))::int) AS " "
FROM retail.ratings
GROUP BY tier, tier_label, tier_label_zh, tier_rank
ORDER BY max(score) DESC NULLS LAST, tier_rank;

\echo '  THE SEGMENTS: what kind of customer, by recency, frequency and money'
SELECT coalesce(segment_label, '(no order yet)') || coalesce(' ' || nullif(segment_label_zh, segment_label), '') AS segment,
	count(*) AS customers,
	round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS "% of them",
	percentile_disc(0.5) WITHIN GROUP (ORDER BY recency_days) AS "median days since",
	round(avg(orders), 1) AS "orders each",
	round(avg(revenue), 2) AS "revenue each"
FROM retail.ratings
GROUP BY segment, segment_label, segment_label_zh
ORDER BY avg(score) DESC NULLS LAST, segment;

\echo '  THE BEST: SELECT ... FROM retail.ratings ORDER BY score DESC LIMIT 10'
SELECT r.customer_id::text AS customer, r.tier_label AS tier, round(r.score::numeric, 2) AS score,
	r.rfm_cell::text AS rfm, r.segment_label AS segment, r.last_day AS "last order", r.orders,
	round(r.revenue, 2) AS revenue, round(r.average_order, 2) AS "average order",
	round(100 * r.p_active) AS "% buying in 90 days", round(r.clv) AS "value of a year"
FROM retail.ratings r
ORDER BY r.score DESC NULLS LAST, r.revenue DESC, r.customer_id
LIMIT 10;

-- Somebody to explain: of those with a few orders, the one with the least to go
-- to the next tier, but with something to go; failing that, the best.
SELECT customer_id::text AS who
FROM retail.ratings
ORDER BY (orders >= 3 AND score_to_next_tier >= 0.5) DESC NULLS LAST,
	score_to_next_tier NULLS LAST, score DESC NULLS LAST, customer_id
LIMIT 1
\gset
\echo '  ONE CUSTOMER EXPLAINED:' :who
\pset tuples_only on
\pset format unaligned
WITH one AS (SELECT * FROM retail.ratings WHERE customer_id::text = :'who'),
	beaten AS (
		SELECT round(100.0 * count(*) FILTER (WHERE r.recency_days > one.recency_days) / count(*)) AS recency,
			round(100.0 * count(*) FILTER (WHERE r.orders < one.orders) / count(*)) AS orders,
			round(100.0 * count(*) FILTER (WHERE r.revenue < one.revenue) / count(*)) AS revenue
		FROM retail.ratings r, one
		WHERE r.orders > 0)
SELECT format(E'    recency    %s   last bought %s: more recently than %s %% of the buyers\n'
		'    frequency  %s   %s: more than %s %%\n'
		'    money      %s   %s of revenue: more than %s %%\n'
		'    so: cell %s, %s\n'
		'    score %s of 100: %s%s',
	coalesce(one.r_score::text, '·'),
	CASE one.recency_days WHEN 0 THEN 'on the day itself' WHEN 1 THEN 'the day before'
		ELSE format('%s days before', one.recency_days) END, beaten.recency,
	coalesce(one.f_score::text, '·'),
	CASE one.orders WHEN 1 THEN '1 order' ELSE format('%s orders', one.orders) END, beaten.orders,
	coalesce(one.m_score::text, '·'), to_char(one.revenue, 'FM999,999,999,990.00'), beaten.revenue,
	one.rfm_cell, concat_ws(' ', one.segment_label, nullif(one.segment_label_zh, one.segment_label)),
	round(one.score::numeric, 2),
	concat_ws(' ', one.tier_label, nullif(one.tier_label_zh, one.tier_label)),
	CASE WHEN one.score_to_next_tier > 0
		THEN format(', %s points below %s', round(one.score_to_next_tier::numeric, 2),
			concat_ws(' ', above.label, nullif(above.label_zh, above.label))) END)
FROM beaten, one
LEFT JOIN retail.tier above ON above.tier_rank = one.tier_rank + 1;
\pset format aligned
\pset tuples_only off

\echo
\echo '  The same customer on earlier days: the stored history answers for any of them'
SELECT day AS "as of", f.recency AS "days since", f.frequency AS orders,
	round(f.monetary, 2) AS revenue, round(f.average_order, 2) AS "average order"
FROM retail.history h,
	generate_series(0, 7) AS quarters_ago,
	LATERAL (SELECT (:'as_of'::date - quarters_ago * interval '3 months')::date AS day) d,
	LATERAL customer_tier.rfm(h.history, day) f
WHERE h.customer_id::text = :'who' AND f.frequency > 0
ORDER BY day;

\echo '  WITHIN REACH: SELECT ... FROM retail.near_upgrade ORDER BY score_to_next_tier LIMIT 5'
SELECT customer_id::text AS customer, tier_label AS tier, next_tier_label AS "next tier", round(score_to_next_tier, 2) AS "points missing"
FROM retail.near_upgrade
ORDER BY score_to_next_tier, customer_id
LIMIT 5;

SELECT jsonb_build_object('tiers', jsonb_build_object(code, jsonb_build_object('min_score', min_score + 5)))::text AS changes, label
FROM retail.tier
WHERE min_score IS NOT NULL
ORDER BY tier_rank DESC
OFFSET 1
LIMIT 1
\gset
\echo '  WHAT IF' :label 'began 5 points higher?  Nothing is written.'
\echo '    SELECT * FROM customer_tier.simulate_matrix(''retail'',' :'changes' ')'
SELECT from_tier AS "from", to_tier AS "to", customers, round(100 * share, 1) AS "% of them", round(revenue, 2) AS revenue
FROM customer_tier.simulate_matrix('retail', :'changes')
WHERE from_tier <> to_tier
ORDER BY from_rank DESC, to_rank DESC;

-- A year of month ends, as far as the orders go back.
SELECT greatest(:'as_of'::date - interval '12 months', min(first_day))::date AS from_day,
	greatest(:'as_of'::date - interval '12 months', min(first_day))::date + 60 < :'as_of'::date AS goes_back
FROM retail.ratings
\gset
\if :goes_back
	\echo '  HOW OFTEN TIERS WOULD HAVE MOVED in the year before, with policies to choose from'
	\echo '    SELECT ... FROM customer_tier.tune_policy(''retail'',' :'from_day' ',' :'as_of' ', ''1 month'', ''{"delta": [0, 5, 8], "grace_days": [0, 60]}'')'
	SELECT setting->>'delta' AS "delta, points", setting->>'grace_days' AS "grace, days", customers, moves,
		moves_per_customer_year AS "moves a customer and year", reversals AS "taken back in 90 days"
	FROM customer_tier.tune_policy('retail', :'from_day', :'as_of', '1 month', '{"delta": [0, 5, 8], "grace_days": [0, 60]}');
\endif

-- From now on triggers write down whose orders change.
\set line 'UPDATE retail.settings SET tracking = ''triggers''; SELECT customer_tier.track(''retail'');'
\echo '  THE NEXT NIGHTS: only what changed is read'
\echo '   ' :line
UPDATE retail.settings SET tracking = 'triggers';
CREATE INDEX ON orders (:"customer");
SELECT customer_tier.track('retail') \g /dev/null
:refresh_call;
\echo '    -- three orders more of' :who '...'
INSERT INTO orders SELECT o.* FROM orders AS o WHERE o.:"customer"::text = :'who' AND o.:"amount" > 0 ORDER BY o.:"at" DESC LIMIT 3;
\set line :refresh_call ';'
\echo '   ' :line
:refresh_call;
SELECT run_id AS run, build AS "histories built", build_reason AS "because", rows_scanned AS "rows read", rows_read AS "rows there are",
	histories_changed AS "histories changed", changed AS "ratings changed", round(extract(epoch FROM finished_at - started_at)::numeric, 2) AS seconds
FROM retail.run
WHERE kind = 'refresh'
ORDER BY run_id;
SELECT "check", status, detail FROM customer_tier.health('retail') WHERE "check" IN ('last refresh', 'tracking', 'index', 'triggers');
