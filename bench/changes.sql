-- Refreshes that read what changed, against those that read everything.  The
-- orders are a copy with a key of their own and an index on the customer, the
-- table is tracked by triggers.

\set ours 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''1GB''; SET maintenance_work_mem = ''256MB''; '

CREATE TABLE live (order_id bigint GENERATED ALWAYS AS IDENTITY, customer_id bigint NOT NULL, ordered_at timestamptz NOT NULL, amount numeric(12,2) NOT NULL);
INSERT INTO live (customer_id, ordered_at, amount) SELECT customer_id, ordered_at, amount FROM orders;
ALTER TABLE live ADD PRIMARY KEY (order_id);
CREATE INDEX ON live (customer_id);
ALTER TABLE live ALTER customer_id SET (n_distinct = :customers);
VACUUM (FREEZE, ANALYZE) live;

SELECT bench.make_program('tracked', 'none', 'public.live', 'triggers');
CALL customer_tier.refresh('tracked', '2024-12-31');

-- The day that is published, and so many later.
CREATE FUNCTION bench.published(plus int DEFAULT 0) RETURNS date LANGUAGE sql STABLE AS $$
	SELECT as_of + plus FROM tracked.run WHERE is_current
$$;

-- New orders of a day, of three customers for four orders: 20,000 of 15,000 of a million.
CREATE FUNCTION bench.new_orders(day date) RETURNS void LANGUAGE sql AS $$
	INSERT INTO live (customer_id, ordered_at, amount)
	SELECT 1 + ((i % (customers * 15 / 1000)) * 7919::bigint + extract(epoch FROM day)::bigint / 86400 * 104729) % customers,
		(day + time '08:00') AT TIME ZONE 'UTC' + i * interval '1 second', (i * 31 % 20000) / 100.0 + 1
	FROM bench.run, generate_series(1, customers / 50) i
$$;

-- One order each of as many customers is corrected.
CREATE FUNCTION bench.correct_orders() RETURNS void LANGUAGE sql AS $$
	UPDATE live SET amount = amount + 0.01
	WHERE order_id IN (
		SELECT min(l.order_id)
		FROM bench.run, generate_series(1, customers * 15 / 1000) i,
			LATERAL (SELECT order_id FROM live WHERE customer_id = 1 + (i * 15485863::bigint + (SELECT count(*) FROM bench.measure) * 7919) % customers LIMIT 1) l
		GROUP BY i)
$$;

INSERT INTO bench.topic VALUES
	('changes', 4, 'A refresh of what changed against a full one', 'wall',
	 'Triggers write down what changes in a table with a primary key and an index on the customer. New orders: as many as a fiftieth of the customers, of 15 customers in a thousand (20,000 of 15,000 of a million), in one statement, added to the histories as they were written down. Corrected orders: one each of 15 customers in a thousand, all orders of whom are read again through the index. The refreshes of the next day rate everybody as of another day, and so does one of the same day, for everybody is measured beside the others; on frozen scales it rates only those whose orders are new. Nothing new on the same day has nothing to do, and is to be below a second.'),
	('part', 5, 'Their history part', 'wall',
	 'Phase "read" of the refreshes above, as <schema>.run has it: from the orders to the stored histories. Against histories() of all orders, stored and indexed, on the same day (first table).');
INSERT INTO bench.cases (topic, side, variant, settings, query, setup, after) VALUES
	('changes', 'full refresh', 'new orders, next day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published(1), full_build => true)',
	 'SELECT bench.new_orders(bench.published(1)); CHECKPOINT', 'SELECT bench.keep_phases(''tracked'')'),
	('changes', 'new orders', 'next day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published(1))',
	 'SELECT bench.new_orders(bench.published(1)); CHECKPOINT', 'SELECT bench.keep_phases(''tracked'')'),
	('changes', 'new orders, same day', 'same day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published())',
	 'SELECT bench.new_orders(bench.published()); CHECKPOINT', 'SELECT bench.keep_phases(''tracked'')'),
	('changes', 'new orders, frozen scales', 'same day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published())',
	 'UPDATE tracked.scorecard SET frozen_scale = true; CALL customer_tier.refresh(''tracked'', bench.published()); SELECT bench.new_orders(bench.published()); CHECKPOINT',
	 'SELECT bench.keep_phases(''tracked''); UPDATE tracked.scorecard SET frozen_scale = false'),
	('changes', 'corrected orders', 'next day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published(1))',
	 'SELECT bench.correct_orders(); CHECKPOINT', 'SELECT bench.keep_phases(''tracked'')'),
	('changes', 'nothing new, next day', 'next day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published(1))', 'CHECKPOINT', 'SELECT bench.keep_phases(''tracked'')'),
	('changes', 'nothing new, same day', 'same day', :'ours', 'CALL customer_tier.refresh(''tracked'', bench.published())', 'CHECKPOINT', 'SELECT bench.keep_phases(''tracked'')');
INSERT INTO bench.cases (topic, side, variant, part_of, phase)
	SELECT 'part', side, variant, topic, 'read' FROM bench.cases WHERE topic = 'changes' AND side IN ('full refresh', 'new orders', 'corrected orders') ORDER BY id;
INSERT INTO bench.ratio
	SELECT 'changes', n, side, 'changes', 'full refresh', CASE WHEN n = 1 AND customers >= 1000000 THEN 0.6 END
	FROM bench.run, unnest('{"new orders","new orders, same day","new orders, frozen scales","corrected orders","nothing new, next day","nothing new, same day"}'::text[]) WITH ORDINALITY AS s (side, n)
	UNION ALL
	SELECT 'part', n, side, 'built', 'histories(), stored and indexed', CASE WHEN n = 1 AND customers >= 1000000 THEN 0.2 END
	FROM bench.run, unnest('{"new orders","corrected orders","full refresh"}'::text[]) WITH ORDINALITY AS s (side, n);
