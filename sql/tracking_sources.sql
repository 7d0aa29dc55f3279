-- Whatever the source of a program that tracks changes by triggers, and whatever
-- is written to it: what a refresh stores is what reading everything would store.
\set SHOW_CONTEXT never
SET client_min_messages = error;    -- what gates say of so few rows is told elsewhere
SET customer_tier.refresh_notices = off;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS citext;

-- Refresh, and say what it did, and whether the histories are those of a full
-- build: EXCEPT ALL both ways.
CREATE FUNCTION refreshed(program text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    CALL customer_tier.refresh(program, '2024-06-30');
    EXECUTE format($query$
        WITH want AS MATERIALIZED (
            SELECT customer_id, history::text AS history, profit::text AS profit, rows, bad FROM %1$I.source_history()
        ), got AS MATERIALIZED (
            SELECT customer_id, history::text AS history, profit::text AS profit, source_rows AS rows, coalesce(bad_rows, 0) AS bad FROM %1$I.history
        ), difference AS (
            SELECT (SELECT count(*) FROM (SELECT * FROM want WHERE customer_id IS NOT NULL EXCEPT ALL TABLE got) d) AS missing,
                   (SELECT count(*) FROM (TABLE got EXCEPT ALL SELECT * FROM want WHERE customer_id IS NOT NULL) d) AS unexpected,
                   (SELECT coalesce(sum(want.rows), 0) = max(run.rows_read) AND coalesce(sum(CASE WHEN customer_id IS NULL THEN want.rows ELSE want.bad END), 0) = max(run.rows_bad)
                      FROM %1$I.run LEFT JOIN want ON true WHERE run.is_current) AS counted
        )
        SELECT concat_ws(', ', run.build,
                         CASE WHEN missing + unexpected = 0 THEN 'equal' ELSE format('%%s missing, %%s unexpected', missing, unexpected) END,
                         CASE WHEN NOT counted THEN 'miscounted' END)
          FROM %1$I.run, difference WHERE run.is_current
    $query$, program) INTO result;
    RETURN result;
END $$;

-- What the last refresh says about itself.
CREATE FUNCTION told(program text, what name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT %I FROM %I.run WHERE is_current', what, program) INTO result;
    RETURN result;
END $$;

-- ---------------------------------------------------------------- a table

CREATE TABLE customers (id int PRIMARY KEY);
INSERT INTO customers SELECT generate_series(0, 99);
CREATE TABLE orders (dropped int, id int PRIMARY KEY, customer_id int REFERENCES customers ON UPDATE CASCADE ON DELETE CASCADE, note text, day date, amount numeric);
ALTER TABLE orders DROP dropped;
INSERT INTO orders SELECT n, n % 100, 'x', date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 2000) n;
CREATE INDEX ON orders (customer_id);
ANALYZE orders;
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
SELECT refreshed('shop');
SELECT refreshed('shop');
-- rows that are added, to customers who are known and to others
INSERT INTO customers SELECT generate_series(100, 120);
INSERT INTO orders VALUES (10001, 1, NULL, '2024-03-01', 10), (10002, 100, NULL, '2024-03-02', -5), (10003, 1, NULL, '2024-03-01', 7);
SELECT refreshed('shop'), told('shop', 'rows_scanned') AS scanned, told('shop', 'histories_changed') AS changed;
-- bad ones, without a customer too; 101 has nothing else
INSERT INTO orders VALUES (10011, NULL, NULL, '2024-03-01', 10), (10012, 1, NULL, NULL, 1), (10013, 2, NULL, '2024-03-02', NULL), (10014, 101, NULL, 'infinity', 5),
    (10015, 3, NULL, '2024-03-03', 'NaN'), (10016, NULL, NULL, NULL, NULL);
SELECT refreshed('shop'), told('shop', 'rows_bad') AS bad;
UPDATE orders SET customer_id = NULL WHERE id = 10001;
SELECT refreshed('shop');
UPDATE orders SET customer_id = 4, amount = 1, day = '2024-03-05' WHERE id IN (10011, 10015);
DELETE FROM orders WHERE id = 10014;
SELECT refreshed('shop'), told('shop', 'rows_bad') AS bad;
-- each column alone, and one that does not matter
UPDATE orders SET day = day + 1 WHERE id = 5;
SELECT refreshed('shop'), told('shop', 'histories_changed') AS changed;
UPDATE orders SET amount = -amount WHERE id = 6;
SELECT refreshed('shop'), told('shop', 'histories_changed') AS changed;
UPDATE orders SET customer_id = 8 WHERE id = 7;
SELECT refreshed('shop'), told('shop', 'histories_changed') AS changed;
UPDATE orders SET note = 'y', id = id WHERE customer_id < 5;
SELECT count(*) AS written_down FROM shop.touched;
SELECT refreshed('shop'), told('shop', 'histories_changed') AS changed;
-- rows that exchange what they hold, in one statement and in two
UPDATE orders SET customer_id = CASE id WHEN 11 THEN 12 ELSE 11 END WHERE id IN (11, 12);
UPDATE orders SET amount = 1000 WHERE id = 13;
UPDATE orders SET amount = 13 WHERE id = 13;
SELECT refreshed('shop');
-- there and gone again; gone and there again
INSERT INTO orders VALUES (10021, 5, NULL, '2024-04-01', 5);
DELETE FROM orders WHERE id = 10021;
DELETE FROM orders WHERE id = 15;
INSERT INTO orders VALUES (15, 15, NULL, '2024-01-16', 15);
SELECT refreshed('shop');
-- a customer's last row
DELETE FROM orders WHERE customer_id = 100;
SELECT refreshed('shop');
SELECT count(*) AS left_over FROM shop.history WHERE customer_id = 100;
-- several statements in one
WITH a AS (INSERT INTO orders VALUES (10031, 31, NULL, '2024-04-01', 5) RETURNING id), b AS (UPDATE orders SET amount = 31 WHERE id = 32 RETURNING id), c AS (DELETE FROM orders WHERE id = 33 RETURNING id)
INSERT INTO orders SELECT 10032, 32, NULL, '2024-04-01', 6 FROM a, b, c;
SELECT refreshed('shop');
INSERT INTO orders VALUES (10032, 34, NULL, '2024-04-02', 7), (10033, 35, NULL, '2024-04-02', 7), (36, 36, NULL, '2024-04-02', 7)
    ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, day = excluded.day;
INSERT INTO orders VALUES (10032, 34, NULL, '2024-04-02', 7), (10034, 35, NULL, '2024-04-02', 7) ON CONFLICT DO NOTHING;
SELECT refreshed('shop');
COPY orders FROM stdin;
10041	41	\N	2024-04-01	41
10042	\N	\N	2024-04-01	42
10043	41	\N	\N	43
\.
SELECT refreshed('shop');
-- what foreign keys do
UPDATE customers SET id = 1041 WHERE id = 41;
SELECT refreshed('shop');
DELETE FROM customers WHERE id = 1041;
SELECT refreshed('shop');
-- savepoints, and what an error undoes
BEGIN;
INSERT INTO orders VALUES (10051, 51, NULL, '2024-04-01', 51);
SAVEPOINT s;
DELETE FROM orders WHERE customer_id = 52;
INSERT INTO orders VALUES (10051, 51, NULL, '2024-04-01', 51);
ROLLBACK TO s;
UPDATE orders SET amount = 53 WHERE id = 53;
SELECT refreshed('shop');
DELETE FROM orders WHERE id = 54;
SELECT refreshed('shop');
COMMIT;
SELECT refreshed('shop');
-- many rows, over many pages of keys; then too many customers to be worth it
INSERT INTO orders SELECT 20000 + n, n % 30, repeat('z', 10), date '2024-02-01' + n % 31, n FROM generate_series(1, 5000) n;
SELECT count(*) BETWEEN 10 AND 60 AS pages FROM shop.touched;
SELECT refreshed('shop');
DELETE FROM orders WHERE id > 20000;
SELECT refreshed('shop'), told('shop', 'build_reason') AS reason;
SELECT refreshed('shop');
TRUNCATE orders;
SELECT refreshed('shop');
INSERT INTO orders SELECT n, n % 30, 'x', date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 2000) n;
SELECT refreshed('shop');
SELECT refreshed('shop');
-- what the table is, and how it is read
UPDATE shop.settings SET margin = 0.5;
SELECT refreshed('shop');
UPDATE shop.settings SET time_zone = 'Asia/Shanghai';
SELECT refreshed('shop'), told('shop', 'build_reason') AS reason;
ALTER TABLE orders ALTER amount TYPE float8;
INSERT INTO orders VALUES (10061, 61, NULL, '2024-04-01', 61.5), (10062, 62, NULL, '2024-04-01', '-Infinity');
SELECT refreshed('shop');
INSERT INTO orders VALUES (10063, 61, NULL, '2024-04-01', 0.1), (10064, 62, NULL, '2024-04-01', '-Infinity');
SELECT refreshed('shop');
ALTER TABLE orders ADD amount_new float8;
UPDATE orders SET amount_new = amount * 2;
ALTER TABLE orders RENAME amount TO amount_old;
ALTER TABLE orders RENAME amount_new TO amount;
SELECT refreshed('shop');
ALTER TABLE orders DROP amount;
ALTER TABLE orders ADD amount numeric DEFAULT 7;
SELECT refreshed('shop');
INSERT INTO orders (id, customer_id, day, amount) VALUES (10071, 61, '2024-04-01', 71);
SELECT refreshed('shop');
VACUUM FULL orders;
SELECT refreshed('shop');
SELECT refreshed('shop');
SELECT customer_tier.untrack('shop');
INSERT INTO orders (id, customer_id, day, amount) VALUES (10072, 61, '2024-04-01', 71);
SET client_min_messages = warning;
SELECT refreshed('shop');
SET client_min_messages = error;
SELECT customer_tier.track('shop'), customer_tier.track('shop') AS again;
INSERT INTO orders (id, customer_id, day, amount) VALUES (10073, 61, '2024-04-01', 71);
SELECT refreshed('shop');
SELECT refreshed('shop');
SELECT customer_tier.drop_program('shop');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal;

-- ---------------------------------------------------------------- a view

CREATE TABLE sale (code text, "Who" int, t timestamptz, net numeric(12,2), status text);
INSERT INTO sale SELECT 'o' || n, n % 100, timestamptz '2024-01-01 20:00+00' + n % 97 * interval '1 day', n % 89, CASE WHEN n % 7 = 0 THEN 'cancelled' ELSE 'ok' END FROM generate_series(1, 2000) n;
CREATE INDEX ON sale ("Who");
ANALYZE sale;
CREATE VIEW sold AS SELECT "Who" AS customer, t AS at, net AS amount, code FROM sale WHERE status <> 'cancelled';
SELECT customer_tier.create_program('web', 'sold', 'customer', 'at', 'amount', max_bad_share => 1, purchase_model => 'none', time_zone => 'Asia/Shanghai',
    tracking => 'triggers', track => 'sale', track_customer => 'Who');
SELECT refreshed('web');
UPDATE sale SET status = 'cancelled' WHERE code = 'o1';
SELECT refreshed('web'), told('web', 'histories_changed') AS changed;
UPDATE sale SET status = 'ok' WHERE code = 'o7';
INSERT INTO sale VALUES ('n1', 5000, '2024-05-01', 3, 'ok'), ('n2', 5001, '2024-05-01', 3, 'cancelled'), ('n3', NULL, '2024-05-01', 3, 'ok'), ('n4', 1, NULL, 3, 'ok');
SELECT refreshed('web');
UPDATE sale SET "Who" = 5002 WHERE code = 'n2';
UPDATE sale SET "Who" = 5002 WHERE code = 'n3';
UPDATE sold SET amount = 11 WHERE code = 'o3';
DELETE FROM sold WHERE code = 'o4';
SELECT refreshed('web');
DELETE FROM sale WHERE "Who" = 5002;
SELECT refreshed('web');
CREATE OR REPLACE VIEW sold AS SELECT "Who" AS customer, t AS at, net AS amount, code FROM sale WHERE status <> 'cancelled' AND net < 80;
SELECT refreshed('web');
SELECT refreshed('web');
ALTER TABLE sale RENAME net TO gross;
UPDATE sale SET gross = gross + 1 WHERE code = 'o9';
SELECT refreshed('web');
SELECT refreshed('web');
TRUNCATE sale;
INSERT INTO sale VALUES ('n1', 5000, '2024-05-01', 3, 'ok');
SELECT refreshed('web');

-- ---------------------------------------------------------------- lines of orders, margins

CREATE TABLE line (customer text COLLATE "C", order_no int, at timestamp, amount float8, margin real);
INSERT INTO line SELECT 'c' || n % 50, n / 3, timestamp '2024-01-01' + n % 97 * interval '1 day', n % 89 - 3, n % 10 / 10.0 FROM generate_series(1, 1500) n;
CREATE INDEX ON line (customer);
ANALYZE line;
SELECT customer_tier.create_program('lines', 'line', 'customer', 'at', 'amount', order_id => 'order_no', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
SELECT customer_tier.create_program('earned', 'line', 'customer', 'at', 'amount', margin_column => 'margin', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
SELECT refreshed('lines'), refreshed('earned');
UPDATE line SET order_no = 4 WHERE customer = 'c7' AND order_no < 60;
SELECT refreshed('lines'), refreshed('earned');
UPDATE line SET margin = 0.25 WHERE customer = 'c8' AND order_no < 100;
SELECT refreshed('lines'), refreshed('earned');
UPDATE line SET margin = 7 WHERE customer = 'c8' AND order_no < 60;
INSERT INTO line VALUES ('c8', 4, '2024-01-01', 1, NULL), ('c8', NULL, '2024-01-01', 1, NULL), (NULL, 4, '2024-01-01', 1, NULL), ('c8', 4, NULL, 'NaN', 2);
SELECT refreshed('lines'), refreshed('earned');
DELETE FROM line WHERE order_no IS NULL OR customer IS NULL;
UPDATE line SET customer = 'new' WHERE order_no = 4;
SELECT refreshed('lines'), refreshed('earned');
UPDATE earned.settings SET margin = 0.5;
SELECT refreshed('lines'), refreshed('earned');
SELECT refreshed('lines'), refreshed('earned');

-- ---------------------------------------------------------------- keys, days and amounts of other types

CREATE DOMAIN code AS text CHECK (value <> '');
CREATE DOMAIN number AS numeric(10,2);
CREATE TYPE colour AS ENUM ('red', 'green', 'blue', 'black');
DO $$
BEGIN
    CREATE COLLATION two_cases (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXCEPTION WHEN OTHERS THEN
    CREATE COLLATION two_cases FROM "C";    -- a server without ICU
END $$;
CREATE FUNCTION try(key_type text, one text, two text, three text, at_type text, amount_type text, order_id name) RETURNS TABLE (at_first text, inserts text, updates text, deletes text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE tried (pad int, k %s, at %s, amount %s)', key_type, at_type, amount_type);
    EXECUTE format($fill$INSERT INTO tried SELECT n, CASE n %% 2 WHEN 0 THEN %L ELSE %L END::%s, timestamptz '2024-01-01 12:00+00' + n %% 31 * interval '1 day', n %% 19 FROM generate_series(1, 300) n$fill$,
        one, two, replace(key_type, 'COLLATE', '::text COLLATE'));
    CREATE INDEX ON tried (k);
    ANALYZE tried;
    PERFORM customer_tier.create_program('tried', 'tried', 'k', 'at', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers', time_zone => 'UTC', order_id => order_id);
    at_first := refreshed('tried');
    EXECUTE format('INSERT INTO tried SELECT 1, %L::%s, at, amount FROM tried WHERE pad < 5', three, replace(key_type, 'COLLATE', '::text COLLATE'));
    EXECUTE format('INSERT INTO tried SELECT 2, %L::%s, at, amount FROM tried WHERE pad < 5', one, replace(key_type, 'COLLATE', '::text COLLATE'));
    INSERT INTO tried VALUES (3, NULL, NULL, 1);
    inserts := refreshed('tried');
    EXECUTE format('UPDATE tried SET k = %L WHERE pad = 7', three);
    UPDATE tried SET at = at - interval '3 days', amount = amount + 1 WHERE pad = 8;
    updates := refreshed('tried');
    EXECUTE format('DELETE FROM tried WHERE k = %L', three);
    deletes := refreshed('tried');
    -- Which way lines are read depends on how large the table is, which versions differ in.
    IF order_id IS NOT NULL THEN
        inserts := split_part(inserts, ', ', 2);
        updates := split_part(updates, ', ', 2);
        deletes := split_part(deletes, ', ', 2);
    END IF;
    RETURN NEXT;
    PERFORM customer_tier.drop_program('tried');
    DROP TABLE tried;
END $$;
SELECT t.key_type, t.at_type, t.amount_type, o.order_id, tried.*
  FROM (VALUES (1, 'smallint', '1', '2', '3', 'timestamp', 'int'),
               (2, 'uuid', '11111111-1111-1111-1111-111111111111', '21111111-1111-1111-1111-111111111111', '31111111-1111-1111-1111-111111111111', 'timestamptz', 'bigint'),
               (3, 'text', 'a', '', 'ü', 'date', 'real'),
               (4, 'text COLLATE two_cases', 'a', 'b', 'A', 'date', 'double precision'),
               (5, 'character(3)', 'a', 'b', 'abc', 'date', 'smallint'),
               (6, 'code', 'a', 'b', 'c', 'timestamptz', 'number'),
               (7, 'citext', 'a', 'b', 'A', 'date', 'numeric'),
               (8, 'numeric', '1.0', '2', '1.00', 'date', 'numeric(5,1)'),
               (9, 'colour', 'red', 'green', 'black', 'date', 'numeric'),
               (10, '"char"', 'a', 'b', 'c', 'date', 'numeric')) AS t (n, key_type, one, two, three, at_type, amount_type),
       unnest('{NULL,pad}'::name[]) AS o (order_id), LATERAL try(t.key_type, t.one, t.two, t.three, t.at_type, t.amount_type, o.order_id) AS tried
 ORDER BY t.n, o.order_id NULLS FIRST;

-- ---------------------------------------------------------------- partitions

CREATE TABLE parts (customer_id int, day date, amount numeric) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE part_2 (amount numeric, gone int, day date, customer_id int);
ALTER TABLE part_2 DROP gone;
ALTER TABLE parts ATTACH PARTITION part_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE part_3 PARTITION OF parts FOR VALUES FROM ('2024-03-01') TO ('2024-05-01') PARTITION BY HASH (customer_id);
CREATE TABLE part_31 PARTITION OF part_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_32 PARTITION OF part_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT n % 100, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 2000) n;
CREATE INDEX ON parts (customer_id);
ANALYZE parts;
SELECT customer_tier.create_program('parts', 'parts', 'customer_id', 'day', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
SELECT refreshed('parts');
INSERT INTO parts VALUES (1, '2024-01-02', 1), (2, '2024-02-02', 2), (3, '2024-03-02', 3), (4, '2024-03-02', 4);
SELECT refreshed('parts');
INSERT INTO part_1 VALUES (5, '2024-01-02', 1);
INSERT INTO part_2 VALUES (2, '2024-02-02', 500);
INSERT INTO part_3 VALUES (7, '2024-03-02', 1);
INSERT INTO part_31 SELECT n, '2024-03-02', 1 FROM generate_series(1, 20) n WHERE satisfies_hash_partition('part_3'::regclass, 2, 0, n);
SELECT refreshed('parts'), told('parts', 'rows_scanned')::int > 20 AS read_again;
-- rows that move
UPDATE parts SET day = day + 31 WHERE customer_id = 1 AND day < '2024-03-01';
SELECT refreshed('parts');
UPDATE part_3 SET customer_id = customer_id + 1 WHERE customer_id IN (20, 21) AND day = '2024-03-20';
SELECT refreshed('parts');
UPDATE parts SET customer_id = 5000, day = '2024-01-31', amount = 1 WHERE customer_id = 3 AND day > '2024-03-01';
DELETE FROM parts WHERE customer_id = 4 AND day < '2024-02-10';
DELETE FROM part_32 WHERE customer_id IN (8, 9);
SELECT refreshed('parts');
COPY parts FROM stdin;
1	2024-01-15	1
6000	2024-04-15	1
\.
COPY part_2 FROM stdin;
77	2024-02-15	6000
\.
SELECT refreshed('parts');
TRUNCATE part_31;
SELECT refreshed('parts');
SELECT refreshed('parts');
-- detached, written to, attached again
ALTER TABLE parts DETACH PARTITION part_1;
INSERT INTO part_1 VALUES (5, '2024-01-03', 1);
SELECT refreshed('parts');
INSERT INTO part_1 VALUES (6, '2024-01-03', 1);
SELECT refreshed('parts');
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
SELECT refreshed('parts');
SELECT refreshed('parts');
ALTER TABLE parts DETACH PARTITION part_1;
INSERT INTO part_1 VALUES (7, '2024-01-03', 1);
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
SELECT refreshed('parts');
-- new ones: every refresh reads everything until they are tracked
CREATE TABLE part_4 (customer_id int, day date, amount numeric);
INSERT INTO part_4 VALUES (5, '2024-05-03', 1), (NULL, '2024-05-03', 1);
ALTER TABLE parts ATTACH PARTITION part_4 FOR VALUES FROM ('2024-05-01') TO ('2024-06-01');
SELECT refreshed('parts');
INSERT INTO part_4 VALUES (6, '2024-05-03', 1);
SELECT refreshed('parts');
SELECT customer_tier.track('parts');
SELECT refreshed('parts');
INSERT INTO part_4 VALUES (6, '2024-05-03', 1);
SELECT refreshed('parts');
DROP TABLE part_4;
SELECT refreshed('parts');
SELECT refreshed('parts');
TRUNCATE parts;
SELECT refreshed('parts');
SELECT refreshed('parts');

-- ---------------------------------------------------------------- inheritance, generated columns

CREATE TABLE mother (customer_id int, day date, quantity int, price numeric, amount numeric GENERATED ALWAYS AS (quantity * price) STORED, who text GENERATED ALWAYS AS ('c' || customer_id % 10) STORED);
CREATE TABLE child (note text) INHERITS (mother);
INSERT INTO mother SELECT n % 100, date '2024-01-01' + n % 97, n % 5, n % 89 FROM generate_series(1, 1000) n;
INSERT INTO child SELECT n % 100, date '2024-01-01' + n % 97, n % 5, n % 89 FROM generate_series(1, 1000) n;
CREATE INDEX ON mother (customer_id);
CREATE INDEX ON child (customer_id);
ANALYZE mother, child;
SELECT customer_tier.create_program('mother', 'mother', 'customer_id', 'day', 'amount', purchase_model => 'none', tracking => 'triggers');
SELECT customer_tier.create_program('groups', 'mother', 'who', 'day', 'amount', purchase_model => 'none', tracking => 'triggers');
SELECT refreshed('mother'), refreshed('groups');
INSERT INTO child VALUES (1, '2024-03-03', 2, 5);
INSERT INTO mother VALUES (2, '2024-03-03', 2, 5);
SELECT refreshed('mother'), refreshed('groups');
UPDATE mother SET price = 8 WHERE customer_id = 3;
UPDATE child SET quantity = 8 WHERE customer_id = 4;
UPDATE ONLY mother SET customer_id = 5 WHERE customer_id = 6;
SELECT refreshed('mother'), refreshed('groups') LIKE '%, equal' AS groups;
DELETE FROM mother WHERE customer_id = 7;
SELECT refreshed('mother'), refreshed('groups') LIKE '%, equal' AS groups;
ALTER TABLE child NO INHERIT mother;
SELECT refreshed('mother'), refreshed('groups');
INSERT INTO child VALUES (1, '2024-03-03', 2, 5);
SELECT refreshed('mother'), refreshed('groups');
ALTER TABLE child INHERIT mother;
SELECT refreshed('mother'), refreshed('groups');
TRUNCATE child;
SELECT refreshed('mother'), refreshed('groups');

-- ---------------------------------------------------------------- row level security

CREATE ROLE regress_tier_keeper;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_tier_keeper', current_database()) \gexec
CREATE TABLE guarded (customer_id int, day date, amount numeric, hidden boolean DEFAULT false);
INSERT INTO guarded SELECT n % 100, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 1000) n;
CREATE INDEX ON guarded (customer_id);
ANALYZE guarded;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON guarded FOR SELECT TO regress_tier_keeper USING (NOT hidden);
GRANT SELECT ON guarded TO regress_tier_keeper;
GRANT EXECUTE ON FUNCTION refreshed(text) TO regress_tier_keeper;
SET ROLE regress_tier_keeper;
SELECT customer_tier.create_program('guarded', 'guarded', 'customer_id', 'day', 'amount', purchase_model => 'none');
UPDATE guarded.settings SET tracking = 'triggers';
RESET ROLE;
SELECT customer_tier.track('guarded');
SET ROLE regress_tier_keeper;
SELECT refreshed('guarded');
SELECT refreshed('guarded');
RESET ROLE;
UPDATE guarded SET hidden = true WHERE customer_id = 1;
INSERT INTO guarded VALUES (2, '2024-03-03', 5), (3, '2024-03-03', 5);
INSERT INTO guarded VALUES (3, '2024-03-03', 50, true);
SET ROLE regress_tier_keeper;
SELECT refreshed('guarded');
RESET ROLE;
ALTER POLICY seen ON guarded USING (NOT hidden AND amount > 5);
SET ROLE regress_tier_keeper;
SELECT refreshed('guarded');
SELECT refreshed('guarded');
RESET ROLE;
ALTER TABLE guarded DISABLE ROW LEVEL SECURITY;
SELECT customer_tier.track('guarded');
SET ROLE regress_tier_keeper;
SELECT refreshed('guarded');
RESET ROLE;
UPDATE guarded SET hidden = true WHERE customer_id = 4;
INSERT INTO guarded VALUES (2, '2024-03-03', 5), (3, '2024-03-03', 5);
INSERT INTO guarded VALUES (3, '2024-03-03', 50, true);
SET ROLE regress_tier_keeper;
SELECT refreshed('guarded');
RESET ROLE;

SELECT count(customer_tier.drop_program(name)) > 0 AS dropped FROM customer_tier.program;
DROP FUNCTION refreshed, told, try;
DROP TABLE orders, customers, sale, line, parts, mother, child, guarded CASCADE;
DROP DOMAIN code, number;
DROP TYPE colour;
DROP COLLATION two_cases;
DROP EXTENSION citext;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_tier_keeper', current_database()) \gexec
DROP ROLE regress_tier_keeper;

-- Rows of touched are filled to the end of a page, and no further: keys, days and
-- amounts of every width, with NULLs and of NULLs only.
CREATE TABLE filled (what text, written bigint, kept bigint, lost boolean, least_bytes bigint, most_bytes bigint);
CREATE FUNCTION lost() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT last_value + is_called::int FROM wide.lost_changes); END $$;
CREATE PROCEDURE fill(key_type text, at_type text, amount_type text) LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    kind text;
BEGIN
    EXECUTE format('CREATE TABLE sales (k %s, at %s, amount %s)', key_type, at_type, amount_type);
    INSERT INTO sales VALUES (NULL, '2024-01-01', 1);
    CREATE INDEX ON sales (k);
    PERFORM customer_tier.create_program('wide', 'sales', 'k', 'at', 'amount', tracking => 'triggers');
    UPDATE wide.settings SET max_bad_share = 1;
    CALL customer_tier.refresh('wide', '2024-12-31');
    FOREACH kind IN ARRAY '{all,some,none}'::text[] LOOP
        before := lost();
        DELETE FROM wide.touched;
        EXECUTE format('INSERT INTO sales SELECT CASE WHEN %L = ''all'' OR %L = ''some'' AND n %% 3 > 0 THEN %s END, CASE WHEN %L = ''all'' OR n %% 5 > 0 THEN date ''2024-01-01'' + n %% 300 END, CASE WHEN %L = ''all'' OR n %% 7 > 0 THEN n %% 30000 * CAST(%s AS %s) END FROM generate_series(1, 12000) AS n',
            kind, kind,
            CASE key_type WHEN 'uuid' THEN 'md5(n::text)::uuid' WHEN 'text' THEN 'repeat(''x'', n % 300) || n' WHEN 'date' THEN 'date ''2000-01-01'' + n' ELSE format('CAST(n %% 32000 AS %s)', key_type) END,
            kind, kind, CASE amount_type WHEN 'numeric' THEN '10::numeric ^ (n % 40 - 6)' ELSE '1' END, amount_type);
        INSERT INTO filled SELECT concat_ws(', ', key_type, at_type, amount_type, kind), 12000, sum(cardinality(t.keys)), lost() > before, min(pg_column_size(t.*)), max(pg_column_size(t.*)) FROM wide.touched AS t WHERE t.ats IS NOT NULL;
        -- keys alone, where neighbours that are the same are written once
        DELETE FROM wide.touched;
        UPDATE sales SET amount = coalesce(amount, 0) + 1 WHERE k IS NOT NULL;
        INSERT INTO filled SELECT concat_ws(', ', key_type, kind, 'keys alone'), (SELECT count(k) FROM sales), sum(cardinality(t.keys)), lost() > before, min(pg_column_size(t.*)), max(pg_column_size(t.*)) FROM wide.touched AS t WHERE t.ats IS NULL HAVING count(*) > 0;
        DELETE FROM sales;
    END LOOP;
    PERFORM customer_tier.drop_program('wide');
    DROP TABLE sales;
END $$;
SET client_min_messages = warning;
CALL fill('smallint', 'date', 'smallint');
CALL fill('integer', 'timestamp', 'numeric');
CALL fill('bigint', 'timestamptz', 'numeric');
CALL fill('uuid', 'date', 'real');
CALL fill('text', 'timestamptz', 'numeric');
CALL fill('date', 'date', 'bigint');
RESET client_min_messages;
-- the last row of touched of a statement is as long as what is left
SELECT what, written, kept = written AS all_kept, lost, most_bytes > 7300 AS is_full, most_bytes < 8160 AS fits FROM filled ORDER BY what;
DROP PROCEDURE fill;
DROP FUNCTION lost;
DROP TABLE filled;
