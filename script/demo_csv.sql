-- demo_csv.sql: the table "orders" from the text table "csv".
--
-- psql variables: customer, at, amount, order_id (empty: none), the names of
-- the columns to use.  They keep their names and get a type: the customer
-- bigint when every value is a whole number without leading zeros, else text;
-- the day date or timestamp, as the values are; the amount numeric.  A value
-- that cannot be read stops the tour and is named with its line.
\set ON_ERROR_STOP on
\set SHOW_CONTEXT never
\set QUIET on
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;

SELECT set_config('demo.customer', :'customer', false), set_config('demo.at', :'at', false),
	set_config('demo.amount', :'amount', false), set_config('demo.order_id', :'order_id', false)
\g /dev/null

-- What type the values of a column have.
CREATE FUNCTION pg_temp.key_type(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	whole bool;
BEGIN
	EXECUTE format($q$SELECT bool_and(%1$I ~ '^(0|[1-9][0-9]{0,17})$') FROM csv$q$, name) INTO whole;
	RETURN CASE WHEN whole THEN 'bigint' ELSE 'text' END;
END $$;

CREATE FUNCTION pg_temp.time_type(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	clock bool;
	zone bool;
BEGIN
	EXECUTE format($q$SELECT bool_or(%1$I ~ ':'), bool_or(%1$I ~ ':.*([+-][0-9:]+|[A-Z]+)$')
		FROM csv$q$, name) INTO clock, zone;
	RETURN CASE WHEN zone THEN 'timestamptz' WHEN clock THEN 'timestamp' ELSE 'date' END;
END $$;

-- The first value of a column that its type cannot read, and the line it
-- stands in (a quoted field may span lines).
CREATE FUNCTION pg_temp.blame(name text, type text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	bad record;
	line bigint;
BEGIN
	FOR bad IN EXECUTE format('SELECT "(row)" AS row, %I AS value FROM csv WHERE %1$I IS NOT NULL ORDER BY 1', name)
	LOOP
		BEGIN
			EXECUTE format('SELECT %L::%s', bad.value, type);
		EXCEPTION WHEN data_exception THEN
			SELECT 1 + count(*) + coalesce(sum(length(csv::text) - length(replace(csv::text, E'\n', ''))), 0)
			INTO line FROM csv WHERE "(row)" <= bad.row;
			RAISE EXCEPTION 'line %, column "%": "%" is not a %', line, name, bad.value,
				CASE type WHEN 'numeric' THEN 'number' WHEN 'bigint' THEN 'whole number' ELSE 'date' END
				USING HINT = CASE type WHEN 'numeric' THEN 'Write amounts like 1234.50, without a currency or thousands.'
					ELSE 'Write dates like 2024-12-31 or 2024-12-31 18:30:00.' END;
		END;
	END LOOP;
END $$;

DO $$
DECLARE
	names text[] := ARRAY[current_setting('demo.customer'), current_setting('demo.at'),
		current_setting('demo.amount')];
	types text[] := ARRAY[pg_temp.key_type(names[1]), pg_temp.time_type(names[2]), 'numeric'];
	columns text;
BEGIN
	IF current_setting('demo.order_id') <> '' THEN
		names := names || current_setting('demo.order_id');
		types := types || pg_temp.key_type(names[4]);
	END IF;
	SELECT string_agg(format('%1$I::%2$s AS %1$I', name, type), ', ' ORDER BY i) INTO columns
	FROM unnest(names, types) WITH ORDINALITY AS u (name, type, i);
	EXECUTE 'CREATE TABLE orders AS SELECT ' || columns || ' FROM csv ORDER BY "(row)"';
EXCEPTION WHEN data_exception THEN
	FOR i IN 1 .. cardinality(names) LOOP
		PERFORM pg_temp.blame(names[i], types[i]);
	END LOOP;
	RAISE;
END $$;
DROP TABLE csv;
