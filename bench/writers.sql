-- Two tables of one shape, one of them tracked.  Expects :people.

CREATE VIEW bench.writer_start AS
	SELECT 1 + i * 7919::bigint % :people AS customer_id, timestamptz '2024-01-01 00:00 UTC' + i * interval '1 minute' AS ordered_at, (i % 10000) / 100.0 + 1 AS amount
	FROM generate_series(1, 200000) i;

CREATE TABLE plain_orders (order_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL, ordered_at timestamptz NOT NULL, amount numeric(12,2) NOT NULL);
CREATE INDEX ON plain_orders (customer_id);
CREATE TABLE tracked_orders (order_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL, ordered_at timestamptz NOT NULL, amount numeric(12,2) NOT NULL);
CREATE INDEX ON tracked_orders (customer_id);
INSERT INTO plain_orders (customer_id, ordered_at, amount) TABLE bench.writer_start;
INSERT INTO tracked_orders (customer_id, ordered_at, amount) TABLE bench.writer_start;
VACUUM ANALYZE plain_orders, tracked_orders;

DO $$ BEGIN
	PERFORM customer_tier.create_program('written', source => 'public.tracked_orders', customer => 'customer_id', at => 'ordered_at', amount => 'amount',
		time_zone => 'UTC', purchase_model => 'none', tracking => 'triggers');
END $$;
CALL customer_tier.refresh('written', '2024-12-31');

CREATE TABLE bench.writer (kind text, sync text, side text, round int, value float8, waits int);

-- CPU of a statement of 1,000 rows, ms.
CREATE FUNCTION bench.insert_cpu(orders text, seed int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	began float8 := bench.cpu();
BEGIN
	FOR i IN 1 .. 200 LOOP
		EXECUTE format('INSERT INTO %I (customer_id, ordered_at, amount) SELECT 1 + (i * 7919 + $1) %% 20000, now(), (i * 31 + $1) %% 20000 / 100.0 FROM generate_series(1, 1000) AS i', orders)
			USING seed * 200 + i;
	END LOOP;
	RETURN (bench.cpu() - began) / 200;
END $$;
