-- demo.sql: the tour.  From an order table to every customer's rating.
--
-- psql variables: title, and the columns of the table "orders": customer, at,
-- amount, order_id (empty: every row is an order).
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset linestyle unicode
\pset border 1
\pset null '·'
SET client_min_messages = warning;

-- The newest day of the orders is the day to rate on; a day to come is a typing
-- error in somebody's data.
SELECT least(max(:"at")::date, current_date) AS as_of,
	count(*) = 0 AS empty,
	to_char(count(*), 'FM999,999,999,990') AS rows,
	to_char(count(DISTINCT :"customer"), 'FM999,999,999,990') AS buyers,
	min(:"at")::date AS first_day,
	to_char(sum(:"amount") FILTER (WHERE :"amount" NOT IN ('NaN')), 'FM999,999,999,999,990.00') AS revenue,
	:'order_id' <> '' AS lines
FROM orders
\gset
\if :empty
	\warn 'demo: there are no orders to rate'
	SELECT 1 / 0;
\endif

\echo
\echo '  customer_tier · ' :title
\echo '  ' :rows 'rows of' :buyers 'customers,' :first_day 'to' :as_of', revenue' :revenue
\echo
\echo '  SELECT customer_tier.create_program(''retail'', source => ''public.orders'','
\if :lines
	\echo '             customer => ':'customer', at => :'at', amount => :'amount', order_id => :'order_id');'
	SELECT customer_tier.create_program('retail', source => 'public.orders', customer => :'customer',
		at => :'at', amount => :'amount', order_id => :'order_id') \g /dev/null
\else
	\echo '             customer => ':'customer', at => :'at', amount => :'amount');'
	SELECT customer_tier.create_program('retail', source => 'public.orders', customer => :'customer',
		at => :'at', amount => :'amount') \g /dev/null
\endif
\echo '  CALL customer_tier.refresh(''retail'', ':'as_of');'
CALL customer_tier.refresh('retail', :'as_of');
SELECT to_char(extract(epoch FROM max(finished) - max(started)), 'FM990.0') AS seconds FROM retail.run \gset
\echo '  ... every customer rated in' :seconds 'seconds.'

\echo
\echo '  THE TIERS: SELECT ... FROM retail.ratings GROUP BY tier'
SELECT concat_ws(' ', tier_label, nullif(tier_label_zh, tier_label)) AS tier,
	to_char(count(*), 'FM999,999,990') AS customers,
	to_char(100.0 * count(*) / sum(count(*)) OVER (), 'FM990.0') AS "% of them",
	to_char(100.0 * sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0), 'FM990.0') AS "% of revenue",
	repeat('█', greatest(0, round(40 * sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0)))::int) AS "revenue"
FROM retail.ratings
GROUP BY tier, tier_label, tier_label_zh, tier_rank
ORDER BY max(score) DESC NULLS LAST, tier_rank;

\echo '  THE SEGMENTS: what kind of customer, from recency, frequency and money'
SELECT concat_ws(' ', segment_label, nullif(segment_label_zh, segment_label)) AS segment,
	to_char(count(*), 'FM999,999,990') AS customers,
	to_char(100.0 * count(*) / sum(count(*)) OVER (), 'FM990.0') AS "% of them",
	to_char(percentile_disc(0.5) WITHIN GROUP (ORDER BY recency_days), 'FM999,990') AS "days since (median)",
	to_char(avg(orders), 'FM990.0') AS "orders each",
	to_char(avg(revenue), 'FM999,999,990.00') AS "revenue each"
FROM retail.ratings
GROUP BY segment, segment_label, segment_label_zh
ORDER BY avg(score) DESC NULLS LAST, segment;

\echo '  THE BEST: SELECT * FROM retail.ratings ORDER BY score DESC LIMIT 10'
SELECT customer_id AS customer, tier_label AS tier, round(score::numeric, 2) AS score,
	rfm_cell AS rfm, segment_label AS segment, last_day AS "last order", orders,
	to_char(revenue, 'FM999,999,990.00') AS revenue,
	to_char(average_order, 'FM999,999,990.00') AS "average order"
FROM retail.ratings
ORDER BY retail.ratings.score DESC NULLS LAST, retail.ratings.revenue DESC, customer_id
LIMIT 10;

-- Somebody to explain: the customer with the least to go to the next tier,
-- among those with a few orders (or, failing that, the best).
SELECT customer_id AS who
FROM retail.ratings
ORDER BY (orders >= 3 AND score_to_next_tier > 0) DESC NULLS LAST,
	score_to_next_tier NULLS LAST, score DESC NULLS LAST, customer_id
LIMIT 1
\gset
\echo '  ONE CUSTOMER EXPLAINED:' :who
\pset tuples_only on
\pset format unaligned
WITH one AS (SELECT * FROM retail.ratings WHERE customer_id::text = :'who'),
	rest AS (
		SELECT 100.0 * count(*) FILTER (WHERE r.recency_days > one.recency_days) / count(*) AS recency,
			100.0 * count(*) FILTER (WHERE r.orders < one.orders) / count(*) AS orders,
			100.0 * count(*) FILTER (WHERE r.revenue < one.revenue) / count(*) AS revenue
		FROM retail.ratings r, one
		WHERE r.orders > 0)
SELECT format(E'   R %s   last bought on %s, %s days ago: more recently than %s %% of the buyers\n'
		'   F %s   %s orders: more than %s %%\n'
		'   M %s   %s of revenue: more than %s %%\n'
		'   that is the cell %s: %s\n'
		'   score %s of 100: %s%s',
	one.r_score, one.last_day, one.recency_days, round(rest.recency),
	one.f_score, one.orders, round(rest.orders),
	one.m_score, to_char(one.revenue, 'FM999,999,990.00'), round(rest.revenue),
	one.rfm_cell, concat_ws(' ', one.segment_label, nullif(one.segment_label_zh, one.segment_label)),
	round(one.score::numeric, 2),
	concat_ws(' ', one.tier_label, nullif(one.tier_label_zh, one.tier_label)),
	CASE WHEN one.score_to_next_tier > 0
		THEN format(', %s points below the next tier', round(one.score_to_next_tier::numeric, 2)) END)
FROM one, rest;
\pset format aligned
\pset tuples_only off

\echo
\echo '  The same customer on other days: a history answers for any day of the past'
SELECT day AS "as of", f.recency AS "days since", f.frequency AS orders,
	to_char(f.monetary, 'FM999,999,990.00') AS revenue,
	to_char(f.average_order, 'FM999,999,990.00') AS "average order"
FROM retail.history h,
	generate_series(4, 0, -1) AS back,
	LATERAL (SELECT (:'as_of'::date - (:'as_of'::date - :'first_day'::date) * back / 5) AS day) d,
	LATERAL customer_tier.rfm(h.history, day) f
WHERE h.customer_id::text = :'who'
ORDER BY day;
