-- The results of script/bench clv as Markdown.  Expects bench.clv and bench.peer.

\pset format unaligned
\pset tuples_only on

SELECT format(E'## Clv: 1,000,000 customers, fitted and predicted\n\n`script/bench clv`, commit %s, PostgreSQL %s, %s. Against %s, an implementation of what the package lifetimes does (bench/clv_peer.py). Ours reads the rows from a table; the peer has them in memory. Medians of %s rounds of ours, of up to 3 of the peer''s; "computed" is one evaluation, timed, times the evaluations of a fit. Memory is by how much the peak of the backend rose. The peer discounts by whole months. Its likelihood of Pareto/NBD overflows for customers of some 140 purchases and more, so it has no optimum to show for the shop.\n',
	:'commit', split_part(current_setting('server_version'), ' ', 1), :'machine', :'versions', :'rounds');

WITH ours AS (
	SELECT population, what, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds,
		max(memory_kb) AS memory, max(value) AS value
	FROM bench.clv GROUP BY 1, 2, 3),
shown AS (
	SELECT c.population, c.place, format('| %s | **%s** | %s | %s | %s | %s | %s | %s |', c.what,
		to_char(s.seconds, 'FM990.000'), coalesce(to_char(p.seconds, 'FM990.000'), '-'), to_char(s.memory / 1024.0, 'FM9,990'),
		coalesce((SELECT string_agg(format('%s (%s)', to_char(r.seconds, 'FM9,990.000'), r.variant), ', ' ORDER BY r.variant) FROM bench.peer r WHERE r.population = c.population AND r.what = c.what), '-'),
		coalesce((SELECT string_agg(to_char(r.seconds / s.seconds, 'FM9,990.0'), ', ' ORDER BY r.variant) FROM bench.peer r WHERE r.population = c.population AND r.what = c.what), '-'),
		round(s.value::numeric, 2),
		coalesce((SELECT round(r.value::numeric, 2)::text FROM bench.peer r WHERE r.population = c.population AND r.what = c.what AND r.value <> '' ORDER BY r.variant LIMIT 1), '-')) AS line
	FROM bench.clv_case c
	JOIN ours s ON s.population = c.population AND s.what = c.what AND s.variant = 'serial'
	LEFT JOIN ours p ON p.population = c.population AND p.what = c.what AND p.variant = 'parallel'
	WHERE c.variant = 'serial')
SELECT line FROM (
	SELECT population, 0 AS place, format(E'### %s\n\n%s\n\n| | serial, s | with a worker, s | memory, MB | numpy and scipy, s | times as long | log-likelihood or total | the peer''s |\n|---|---:|---:|---:|---:|---:|---:|---:|',
		CASE population WHEN 'cdnow' THEN 'Like CDNOW, 27 to 39 weeks' WHEN 'shop' THEN 'An active shop over two years' ELSE '2,357 customers, the size of the CDNOW sample' END,
		format('%s customers, %s distinct (x, t_x, T); collapsing them took the peer %s s.', to_char((fit.bg->'data'->>'customers')::numeric, 'FM9,999,999'),
			to_char((fit.bg->'data'->>'distinct_rows')::numeric, 'FM9,999,999'), to_char(r.seconds, 'FM990.00'))) AS line
	FROM bench.model fit JOIN bench.peer r USING (population) WHERE r.what = 'collapsing'
	UNION ALL SELECT population, place, line FROM shown
	UNION ALL SELECT DISTINCT population, 99, '' FROM shown) s
ORDER BY array_position('{cdnow,shop,sample}', population), place;
