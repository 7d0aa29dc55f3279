-- What is compared is the same answer on all sides: prints what is not.

SELECT format('cut points differ: %s is %s, percentile_disc %s', name, ours, disc)
FROM (
	SELECT unnest(ARRAY['recency', 'frequency', 'monetary']) AS name,
		unnest(ARRAY[quantile_cuts(recency, 5)::text, quantile_cuts(frequency, 5)::text, quantile_cuts(monetary, 5)::text]) AS ours,
		unnest(ARRAY[
			(percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY recency))::text,
			(percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY frequency))::text,
			(percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY monetary))::text]) AS disc
	FROM feature) c
WHERE ours <> disc;

SELECT format('histories differ from plain SQL: %s customers', count(*))
FROM (
	SELECT customer_id, purchase_days(history) AS days, revenue(history) FROM histories
	EXCEPT
	SELECT customer_id, (count(DISTINCT (ordered_at AT TIME ZONE 'UTC')::date) FILTER (WHERE amount >= 0))::int, sum(amount)
	FROM orders GROUP BY customer_id) d
HAVING count(*) > 0;
