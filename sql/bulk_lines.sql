-- histories() of order lines: the same rows as the query that sums the lines of
-- an order by GROUP BY, which reads a single customer or a shard.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA bulk_lines;
SET search_path = bulk_lines, customer_tier;
SET DateStyle = 'ISO, MDY';
SET TimeZone = 'America/New_York';	-- must not matter
SET max_parallel_workers_per_gather = 0;

-- Compare both ways, as a relation and as a plain table are read.
CREATE FUNCTION settings_of(source regclass, zone text) RETURNS program_settings LANGUAGE sql STABLE AS $$
    SELECT jsonb_populate_record(NULL::customer_tier.program_settings, jsonb_build_object(
               'source_schema', 'bulk_lines', 'source_name', c.relname, 'customer', 'customer', 'at', 'at', 'amount', 'amount',
               'order_id', 'order_id', 'time_zone', coalesce(zone, 'UTC')))
      FROM pg_class c WHERE c.oid = source
$$;
CREATE FUNCTION differences(source regclass, zone text DEFAULT NULL,
                            OUT customers bigint, OUT bad bigint, OUT missing bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
    key_type text := (SELECT a.atttypid::regtype FROM pg_attribute a WHERE a.attrelid = source AND a.attname = 'customer');
BEGIN
    EXECUTE format($query$
        CREATE TEMP TABLE built AS
            SELECT (h).customer_id::text, (h).history, (h).rows, (h).bad
              FROM (SELECT customer_tier.histories(%L, 'customer', 'at', 'amount', NULL::%s, %L, 'order_id') AS h) AS b
    $query$, source, key_type, zone);
    EXECUTE format('CREATE TEMP TABLE grouped AS SELECT customer_id::text, history, rows, bad FROM (%s) AS g',
                   customer_tier.source_query(settings_of(source, zone), relation => source::text));
    SELECT count(*), sum(b.bad) INTO customers, bad FROM built b;
    SELECT count(*) INTO missing FROM (TABLE grouped EXCEPT ALL TABLE built) AS d;
    SELECT count(*) INTO wrong FROM (TABLE built EXCEPT ALL TABLE grouped) AS d;
    DROP TABLE built, grouped;
END
$$;

-- Two customers, by hand: an order of two lines and a discount, on the day of
-- its first line; a second customer's order of the same id; lines without an
-- id; a line that cannot be used, and an order of such lines alone.
CREATE TABLE few (customer bigint, order_id bigint, at date, amount numeric);
INSERT INTO few VALUES (7, 1, '2024-03-02', 10), (8, 1, '2024-01-05', 3), (7, 1, '2024-03-01', 5.5), (7, 1, '2024-03-02', -4),
                       (7, NULL, '2024-03-01', 1), (7, NULL, '2024-03-01', -2), (7, 2, '2024-03-05', 8), (7, 2, '2024-03-04', -9),
                       (7, 1, NULL, 100), (8, 3, '2024-01-05', 'NaN'), (8, 3, 'infinity', 1), (9, 4, NULL, 1), (9, NULL, NULL, 1),
                       (NULL, 1, '2024-01-02', 2), (NULL, 1, '2024-01-01', 3), (NULL, NULL, '2024-01-01', 4), (NULL, 5, '2024-01-01', NULL);
SELECT (h).customer_id, d.day, d.orders, d.amount, refunded((h).history), (h).rows, (h).bad
  FROM (SELECT histories('few', 'customer', 'at', 'amount', NULL::bigint, order_id => 'order_id') AS h OFFSET 0) AS b
  LEFT JOIN LATERAL days((h).history) AS d ON true;
SELECT * FROM differences('few');
CREATE TABLE nothing (LIKE few);
SELECT * FROM differences('nothing');

-- Lines of all kinds: an order on some days, in places far apart, its id with other customers, too.
CREATE TABLE lines_of AS
SELECT i, i * 7919 % 701 AS n,
       (i::bigint * 48271 % 2503) AS o,
       date '2015-01-01' + (i::bigint * 48271 % 2503)::int + i % 3 AS day,
       ((i * 7919 % 100003 - 30000)::numeric / (ARRAY[1, 10, 100, 100, 100, 10000])[i % 6 + 1])::numeric(12, 4) AS money
  FROM generate_series(1, 20000) AS i;
UPDATE lines_of SET n = o % 701 WHERE i % 5 <> 0;
SELECT count(DISTINCT (n, o)) AS orders, count(DISTINCT o) AS ids, max(lines) FROM (SELECT n, o, count(*) AS lines FROM lines_of GROUP BY n, o) AS g;
CREATE VIEW plain AS SELECT NULLIF(n, 0) AS customer, NULLIF(o, 1) AS order_id, CASE WHEN i % 97 <> 0 THEN day END AS at, CASE WHEN i % 89 <> 0 THEN money END AS amount FROM lines_of;
SELECT * FROM differences('plain');
CREATE TABLE plain_table AS TABLE plain;
SELECT * FROM differences('plain_table');
CREATE TABLE in_order AS SELECT * FROM plain ORDER BY customer, order_id;
SELECT * FROM differences('in_order');

-- Ids and customers of every type that there is a place for.
CREATE VIEW by_int2 AS SELECT n::smallint AS customer, o::smallint AS order_id, day AS at, money AS amount FROM lines_of;
CREATE VIEW by_int4 AS SELECT n::int AS customer, -o::int AS order_id, day AS at, money AS amount FROM lines_of;
CREATE VIEW by_int8 AS SELECT n - 350::bigint AS customer, (o - 1000) * 6000000000000000 AS order_id, day AS at, money AS amount FROM lines_of;
CREATE VIEW by_date AS SELECT n AS customer, '2024-01-01'::date + o::int AS order_id, day AS at, money AS amount FROM lines_of;
CREATE VIEW by_uuid AS SELECT md5(n::text)::uuid AS customer, md5(o::text)::uuid AS order_id, day AS at, money AS amount FROM lines_of;
CREATE VIEW by_text AS SELECT 'c' || n AS customer, repeat('o', (o % 20)::int) || NULLIF(o, 7) AS order_id, day AS at, money AS amount FROM lines_of;
CREATE TABLE by_varchar AS SELECT n AS customer, ('O-' || o)::varchar(20) COLLATE "C" AS order_id, day AS at, money AS amount FROM lines_of;
CREATE DOMAIN order_number AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN order_name AS varchar(30);
CREATE TABLE by_domain AS SELECT n AS customer, o::order_number AS order_id, day AS at, money AS amount FROM lines_of;
CREATE VIEW by_name AS SELECT n::numeric AS customer, o::order_name AS order_id, day AS at, money AS amount FROM lines_of;
SELECT source, d.* FROM unnest(ARRAY['by_int2', 'by_int4', 'by_int8', 'by_date', 'by_uuid', 'by_text', 'by_varchar', 'by_domain', 'by_name']::regclass[]) AS source, differences(source) AS d;
-- customers that are equal and look different are one, and so are their orders
CREATE VIEW by_numeric AS SELECT CASE WHEN i % 2 = 0 THEN n::numeric ELSE n::numeric(9, 2) END AS customer, o AS order_id, day AS at, money AS amount FROM lines_of;
SELECT * FROM differences('by_numeric');

-- The day is that of the first moment, wherever that leads in its zone.
CREATE VIEW moments AS SELECT n AS customer, o AS order_id, timestamp '2024-03-31' + (o % 3 - 1) * interval '1 day' + i * 7919 % 5000 * interval '1 minute' AS at, money AS amount FROM lines_of;
SELECT * FROM differences('moments');
CREATE VIEW instants AS SELECT customer, order_id, at AT TIME ZONE 'UTC' AS at, amount FROM moments;
SELECT zone, d.* FROM unnest(ARRAY['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Sao_Paulo', 'Pacific/Apia']) AS zone, differences('instants', zone) AS d;
-- In St. John's the clock went back from 00:01 on a Sunday to 23:01 on Saturday: the first line is Sunday's.
CREATE TABLE back (customer int, order_id int, at timestamptz, amount numeric);
INSERT INTO back VALUES (1, 1, '2010-11-07 02:40+00', 1), (1, 1, '2010-11-07 02:30:30+00', 2), (1, 2, '2010-11-07 02:40+00', 4);
SELECT d.* FROM histories('back', 'customer', 'at', 'amount', NULL::int, 'America/St_Johns', 'order_id') AS h, days(h.history) AS d;
SELECT * FROM differences('back', 'America/St_Johns');
-- Clocks that were turned, Samoa's day that was left out, and the ends of time, where the day may be none.
CREATE TABLE turned (customer int, order_id int, at timestamptz, amount numeric);
INSERT INTO turned SELECT 1, i, '2024-11-03 03:00+00'::timestamptz + i * interval '20 min' + k * interval '40 min', k FROM generate_series(0, 9) AS i, generate_series(0, 2) AS k;
INSERT INTO turned SELECT 2, i, '2011-12-30 08:00+00'::timestamptz + i * interval '1 h' + (i % 3 - k) * interval '1 h', k FROM generate_series(0, 9) AS i, generate_series(0, 2) AS k;
INSERT INTO turned SELECT 3, i, CASE WHEN i % 2 = 0 THEN '4714-11-24 00:30:00+00 BC' ELSE '294276-12-31 23:30:00+00' END::timestamptz, 1 FROM generate_series(0, 9) AS i, generate_series(0, 1);
INSERT INTO turned SELECT 4, 1, t::timestamptz, 1 FROM unnest(ARRAY['-infinity', '2024-01-01 00:00+00', '2023-12-31 23:59+00', 'infinity']) AS t;
SELECT zone, d.* FROM unnest(ARRAY['UTC', 'America/Havana', 'America/New_York', 'Pacific/Apia', 'Asia/Tokyo']) AS zone, differences('turned', zone) AS d;

-- Every type of amount; sums are rounded and refused as an order, not line by line.
CREATE VIEW of_float8 AS SELECT n AS customer, o AS order_id, day AS at,
       CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN 1e-300 WHEN 3 THEN 0.1 + 0.2::float8 WHEN 4 THEN 1e20 WHEN 5 THEN 1e300 WHEN 6 THEN 123456789012345.67 WHEN 7 THEN -0.0 ELSE money::float8 / (CASE WHEN i % 4 = 0 THEN 1 ELSE 7 END) END AS amount FROM lines_of;
CREATE TABLE of_real AS SELECT n AS customer, o AS order_id, day AS at, (CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN 1e-30 WHEN 3 THEN 1e30 ELSE money::float8 END)::real AS amount FROM lines_of;
CREATE VIEW of_int8 AS SELECT n AS customer, o AS order_id, day AS at, CASE WHEN i % 50 = 0 THEN 9223372036854775807 WHEN i % 50 = 1 THEN -9223372036854775808 ELSE money::bigint END AS amount FROM lines_of;
CREATE VIEW of_int4 AS SELECT n AS customer, o AS order_id, day AS at, money::int AS amount FROM lines_of;
CREATE VIEW of_int2 AS SELECT n AS customer, o AS order_id, day AS at, (money / 10)::smallint AS amount FROM lines_of;
CREATE VIEW of_scaled AS SELECT n AS customer, o AS order_id, day AS at, (money / 7)::numeric(30, 9) AS amount FROM lines_of;
CREATE VIEW of_thirds AS SELECT n AS customer, o AS order_id, day AS at, CASE i % 3 WHEN 0 THEN money / 3 WHEN 1 THEN money ELSE 0.0000004 END AS amount FROM lines_of;
CREATE VIEW of_wide AS SELECT n AS customer, o AS order_id, CASE i % 7 WHEN 0 THEN date '4713-01-01 BC' + i WHEN 1 THEN date '5874897-12-31' - i WHEN 2 THEN date '1910-04-14' + i % 4 WHEN 3 THEN date '2089-09-01' + i % 4 ELSE day END AS at,
       CASE i % 11 WHEN 0 THEN 87960930222.07 + i % 3 * 0.01 WHEN 1 THEN -87960930222.07 - i % 3 * 0.01
                   WHEN 2 THEN 8796093.022207 + i % 3 * 0.000001 WHEN 3 THEN 12345678901234567890.123456
                   WHEN 4 THEN -9999999999999999999999999.5 WHEN 5 THEN 0.0000005 WHEN 6 THEN 1e30 WHEN 7 THEN 1e40
                   ELSE money END AS amount FROM lines_of;
SELECT source, d.* FROM unnest(ARRAY['of_float8', 'of_real', 'of_int8', 'of_int4', 'of_int2', 'of_scaled', 'of_thirds', 'of_wide']::regclass[]) AS source, differences(source) AS d;
-- the largest amount of a history, once more than that, and back; as integers, decimals, and beyond all of it
CREATE TABLE limits (customer int, order_id int, at date, amount numeric);
INSERT INTO limits SELECT c, o, '2024-01-01', v
  FROM (VALUES (1, 1, '{170141183460469231731687303715884.105727, 0}'), (1, 2, '{-170141183460469231731687303715884.105727, 0}'),
               (2, 1, '{170141183460469231731687303715884.105727, 0.000001}'), (2, 2, '{170141183460469231731687303715884.105727, 0.0000004}'), (2, 3, '{170141183460469231731687303715884.105727, 0.0000005}'),
               (3, 1, '{170141183460469231731687303715884.105727, 0.000001, -0.000001}'), (3, 2, '{-170141183460469231731687303715884.105727, -5, 6}'),
               (4, 1, '{170141183460469231731687303715884, 1}'), (5, 1, '{1e60, 1, -1e60}'), (5, 2, '{1e-60, 1, 1e60, -1e60, 2e-60}'), (6, 1, '{1e60, 1}'), (6, 2, '{5, 6}'), (6, NULL, '{1e60, 1e-7}')) AS l (c, o, amounts),
       unnest(amounts::numeric[]) AS v;
SELECT * FROM differences('limits');
SELECT (h).customer_id, orders((h).history), revenue((h).history), (h).rows, (h).bad
  FROM (SELECT histories('limits', 'customer', 'at', 'amount', NULL::int, NULL, 'order_id') AS h OFFSET 0) AS b;

-- Little memory: through temporary files, a giant customer, a giant order, lines far apart and one after the other.
CREATE TABLE many AS
SELECT CASE WHEN i % 3 = 0 THEN 77 ELSE (i::bigint * 7919 % 5021)::int END AS customer, i::bigint * 48271 % 50021 AS order_id,
       timestamptz '2015-01-01+00' + i::bigint * 104729 % 3001 * interval '5 h' AS at, ((i::bigint * 7919 % 100003 - 9000)::numeric / 100)::numeric(12, 2) AS amount
  FROM generate_series(1, 100000) AS i;
INSERT INTO many SELECT 99, CASE WHEN i % 1000 = 0 THEN i ELSE 5 END, timestamptz '2015-01-01+00' + i * interval '1 min', i % 1000 * 0.01 FROM generate_series(1, 60000) AS i;
INSERT INTO many SELECT NULL, i % 700, timestamptz '2015-01-01+00' + i * interval '1 min', i % 1000 * 0.01 FROM generate_series(1, 20000) AS i;
SELECT * FROM differences('many', 'Asia/Shanghai');
SET maintenance_work_mem = '1MB';
SELECT * FROM differences('many', 'Asia/Shanghai');
CREATE VIEW many_text AS SELECT 'customer number ' || customer AS customer, 'order number ' || order_id AS order_id, at, amount / 3 AS amount FROM many;
SELECT * FROM differences('many_text', 'UTC');
CREATE VIEW many_uuid AS SELECT md5((customer % 80)::text)::uuid AS customer, md5(order_id::text)::uuid AS order_id, at, CASE WHEN order_id % 100 = 0 THEN 1e50 ELSE amount END AS amount FROM many;
SELECT * FROM differences('many_uuid', 'UTC');
CREATE VIEW many_nobodies AS SELECT NULL::int AS customer, order_id, at, amount FROM many;
SELECT * FROM differences('many_nobodies', 'UTC');
CREATE VIEW longest AS SELECT i % 2 AS customer, repeat(chr(65 + i % 3), 400000 + i % 2) AS order_id, date '2024-01-01' + i AS at, i AS amount FROM generate_series(1, 20) AS i;
SELECT * FROM differences('longest');
-- nothing is left behind, be it read to the end or not
SELECT (histories('many', 'customer', 'at', 'amount', NULL::int, 'UTC', 'order_id')).customer_id LIMIT 1;
SELECT count(h), count(1 / ((h).customer_id - 99)) FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int, 'UTC', 'order_id') AS h OFFSET 0) AS b;
SELECT count(*) AS files FROM pg_ls_tmpdir();
RESET maintenance_work_mem;

-- Customers of one hash have their orders apart, however often they take turns.
CREATE TYPE clash;
CREATE FUNCTION clash_in(cstring) RETURNS clash LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION clash_out(clash) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int8out';
CREATE TYPE clash (INPUT = clash_in, OUTPUT = clash_out, LIKE = bigint);
CREATE CAST (clash AS bigint) WITHOUT FUNCTION;
CREATE CAST (bigint AS clash) WITHOUT FUNCTION;
CREATE FUNCTION clash_hash(clash) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT (CAST($1 AS bigint) % 3)::int';
CREATE FUNCTION clash_compare(clash, clash) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint8cmp';
CREATE FUNCTION clash_lt(clash, clash) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int8lt';
CREATE OPERATOR < (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_lt);
CREATE FUNCTION clash_le(clash, clash) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int8le';
CREATE OPERATOR <= (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_le);
CREATE FUNCTION clash_eq(clash, clash) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int8eq';
CREATE OPERATOR = (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_eq);
CREATE FUNCTION clash_ge(clash, clash) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int8ge';
CREATE OPERATOR >= (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_ge);
CREATE FUNCTION clash_gt(clash, clash) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int8gt';
CREATE OPERATOR > (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_gt);
CREATE OPERATOR CLASS clash_sorts DEFAULT FOR TYPE clash USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 clash_compare(clash, clash);
CREATE OPERATOR CLASS clash_hashes DEFAULT FOR TYPE clash USING hash AS OPERATOR 1 =, FUNCTION 1 clash_hash(clash);
CREATE TABLE by_clash AS SELECT (n % 11)::bigint::clash AS customer, o AS order_id, day AS at, money AS amount FROM lines_of;
SELECT * FROM differences('by_clash');
CREATE TABLE by_clash_2 AS SELECT (customer % 7)::bigint::clash AS customer, order_id % 3000 AS order_id, at, amount FROM many WHERE order_id % 4 = 0;
SET maintenance_work_mem = '1MB';
SELECT * FROM differences('by_clash_2', 'UTC');
RESET maintenance_work_mem;

-- Text is a day; a relation without order ids is read as ever.
CREATE VIEW of_days AS SELECT customer::int, order_id, at::text AS at, amount FROM few;
SELECT count(*) FROM (SELECT (h).* FROM (SELECT histories('of_days', 'customer', 'at', 'amount', NULL::int, order_id => 'order_id') AS h) AS b EXCEPT
                      SELECT (h).* FROM (SELECT histories('few', 'customer', 'at', 'amount', NULL::bigint, order_id => 'order_id') AS h) AS b) AS d;
SELECT sum((h).rows), sum(orders((h).history)) FROM (SELECT histories('few', 'customer', 'at', 'amount', NULL::bigint, NULL, NULL) AS h) AS b;

-- Customers come in their order.
SELECT count(*), count(*) FILTER (WHERE customer_id < before) AS out_of_order
  FROM (SELECT (h).customer_id, lag((h).customer_id) OVER () AS before
          FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int, 'UTC', 'order_id') AS h OFFSET 0) AS b) AS c;

-- Programs use it where they can, and read the same otherwise.
SELECT source, source_query(settings_of(source, 'UTC')) LIKE '%histories(%' AS everybody, source_query(settings_of(source, 'UTC'), '7') LIKE '%histories(%' AS one
  FROM unnest(ARRAY['plain', 'by_uuid', 'by_text', 'by_varchar', 'by_domain', 'by_name', 'by_numeric', 'by_clash']::regclass[]) AS source;

-- Mistakes.
SELECT histories('few', 'customer', 'at', 'amount', NULL::bigint, order_id => 'basket');
CREATE VIEW by_fraction AS SELECT customer, order_id::numeric, at, amount FROM few;
SELECT histories('by_fraction', 'customer', 'at', 'amount', NULL::bigint, order_id => 'order_id');
DO $$
BEGIN
    CREATE COLLATION careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXCEPTION WHEN OTHERS THEN
    NULL;    -- a server without ICU has none of that kind
END $$;
SELECT count(*) FILTER (WHERE histories_sums('text', c.oid)) AS nondeterministic FROM pg_collation AS c WHERE NOT c.collisdeterministic;
CREATE VIEW by_char AS SELECT customer, order_id::text::bpchar AS order_id, at, amount FROM few;
SELECT histories('by_char', 'customer', 'at', 'amount', NULL::bigint, order_id => 'order_id');
SELECT t, histories_sums(t, CASE WHEN t IN ('text'::regtype, 'varchar', 'bpchar', 'name', 'order_name') THEN '"default"'::regcollation ELSE 0 END)
  FROM unnest(ARRAY['smallint', 'int', 'bigint', 'date', 'uuid', 'text', 'varchar', 'order_name', 'bpchar', 'name', 'numeric', 'money', 'int[]']::regtype[]) AS t;
DROP SCHEMA bulk_lines CASCADE;
