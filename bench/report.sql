-- The results as Markdown.  Expects the measurements of harness.sql, and :only_orders.

\pset format unaligned
\pset tuples_only on

SELECT format(E'## %s: %s orders, %s customers\n\n`script/bench %s`, commit %s, PostgreSQL %s, %s. Orders of demo_orders(%s, %s, %s), %s a table of %s in the order of time.\n',
	initcap(size), to_char((SELECT count(*) FROM orders), 'FM999,999,999'),
	to_char((SELECT count(DISTINCT customer_id) FROM orders), 'FM999,999,999'),
	size, commit, version, machine, customers, days, seed,
	'(customer_id bigint, ordered_at timestamptz, amount numeric(12,2)),', pg_size_pretty(pg_table_size('orders')))
FROM bench.run;

SELECT section FROM (
	SELECT place, 1 AS part, 0 AS line, format(
		E'### %s\n\n%s\n\n| | plan | CPU ms | elapsed ms | %s, least to most | rounds |\n|---|---|---:|---:|---:|---:|',
		title, note, CASE clock WHEN 'cpu' THEN 'CPU' ELSE 'elapsed' END) AS section
	FROM bench.topic
	UNION ALL
	SELECT t.place, 2, m.id, format('| %s%s%s | %s | %s | %s | %s to %s | %s |',
		CASE WHEN b.id IS NOT NULL THEN '**' END, m.side, CASE WHEN b.id IS NOT NULL THEN '**' END,
		m.variant, to_char(m.cpu, 'FM999,999,990'), to_char(m.wall, 'FM999,999,990'),
		to_char(m.least, 'FM999,999,990'), to_char(m.most, 'FM999,999,990'), m.rounds)
	FROM bench.median m JOIN bench.topic t USING (topic) LEFT JOIN bench.best b USING (id)
	UNION ALL
	SELECT t.place, 3, 0, '' FROM bench.topic t
	UNION ALL
	SELECT t.place, 4, r.place, format('- %s : %s = **%s**%s', r.side, r.other,
		round((a.value / b.value)::numeric, 2),
		CASE WHEN goal IS NOT NULL THEN format(' (to be at most %s%s)', goal,
			CASE WHEN a.value / b.value <= goal THEN '' ELSE ': missed' END) END)
	FROM bench.ratio r JOIN bench.topic t USING (topic)
	JOIN bench.best a ON a.topic = r.topic AND a.side = r.side
	JOIN bench.best b ON b.topic = r.other_topic AND b.side = r.other
	UNION ALL
	SELECT t.place, 5, 0, '' FROM bench.topic t) s
ORDER BY place, part, line;

\if :only_orders
\q
\endif

-- What a stored history is made of: the lengths of its varints, from its text.
WITH entry AS (
	SELECT h.customer_id, d.key::date AS day, (d.value -> 0)::bigint AS orders,
		(d.value -> 1)::numeric + coalesce((d.value -> 2)::numeric, 0) AS gross,
		coalesce((d.value -> 2)::numeric, 0) AS refunded
	FROM (SELECT * FROM histories WHERE customer_id <= 50000) h, jsonb_each(history::text::jsonb) d),
scaled AS (
	SELECT *, 10::numeric ^ max(greatest(min_scale(gross), min_scale(refunded))) OVER w AS units,
		day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) - 1 AS step,
		2 * (day - date '2000-01-01') AS first_step
	FROM entry WINDOW w AS (PARTITION BY customer_id)),
bytes AS (
	SELECT orders > 0 AS purchase,
		varint(coalesce(step, first_step) * 4) AS day,
		CASE WHEN orders <> 1 THEN varint(orders) ELSE 0 END AS orders,
		CASE WHEN orders > 0 THEN varint(gross * units) ELSE 0 END AS gross,
		CASE WHEN refunded > 0 THEN varint(refunded * units) ELSE 0 END AS refunded
	FROM scaled),
total AS (
	SELECT count(*) FILTER (WHERE purchase)::numeric AS days, sum(day) AS day, sum(orders) AS orders,
		sum(gross) AS gross, sum(refunded) AS refunded FROM bytes),
stored AS (
	SELECT sum(pg_column_size(history)) AS size, count(*) AS histories,
		sum(length(customer_tier.history_send(history))) AS sent,
		pg_table_size('histories') AS table_size, (SELECT count(*) FROM histories) AS all_histories
	FROM histories WHERE customer_id <= 50000)
SELECT format(E'### Stored size\n\n| bytes a purchase day | |\n|---|---:|\n| which day | %s |\n| number of orders, where it is not one | %s |\n| amount | %s |\n| refunds | %s |\n| version and scale, a byte a history | %s |\n| length word | %s |\n| **together** (to be at most 8) | **%s** |\n\n%s purchase days in %s histories: %s a customer. A table of (customer_id, history) takes %s bytes a customer with all that PostgreSQL adds.\n',
	round(day / days, 2), round(orders / days, 2), round(gross / days, 2), round(refunded / days, 2),
	round(histories / days, 2), round((size - sent) / days, 2), round(size / days, 2),
	to_char(days, 'FM999,999,999'), to_char(histories, 'FM999,999,999'), round(days / histories, 1),
	round(table_size::numeric / all_histories)) || CASE WHEN sent = histories + day + orders + gross + refunded
	THEN '' ELSE E'\nThe breakdown does not add up: it is of another format.\n' END
FROM total, stored;
