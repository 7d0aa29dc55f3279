-- histories_with_profit(): the same rows as the query with margins that groups,
-- which reads a single customer or a shard.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA bulk_profit;
SET search_path = bulk_profit, customer_tier;
SET DateStyle = 'ISO, MDY';
SET TimeZone = 'America/New_York';	-- must not matter
SET extra_float_digits = 1;
SET max_parallel_workers_per_gather = 0;

-- Compare both ways.
CREATE FUNCTION settings_of(source regclass, zone text, otherwise numeric, order_id name DEFAULT NULL) RETURNS program_settings LANGUAGE sql STABLE AS $$
    SELECT jsonb_populate_record(NULL::customer_tier.program_settings, jsonb_build_object(
               'source_schema', 'bulk_profit', 'source_name', c.relname, 'customer', 'customer', 'at', 'at', 'amount', 'amount',
               'margin_column', 'margin', 'margin', otherwise, 'time_zone', zone, 'order_id', order_id))
      FROM pg_class c WHERE c.oid = source
$$;
CREATE FUNCTION differences(source regclass, otherwise numeric DEFAULT 0.3,
                            OUT customers bigint, OUT bad bigint, OUT missing bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
    s customer_tier.program_settings := settings_of(source, 'Europe/Berlin', otherwise);
BEGIN
    EXECUTE format('CREATE TEMP TABLE built AS SELECT customer_id::text, history, rows, bad, profit FROM (%s) AS b', customer_tier.source_query(s));
    EXECUTE format('CREATE TEMP TABLE grouped AS SELECT customer_id::text, history, rows, bad, profit FROM (%s) AS g',
                   customer_tier.source_query(s, relation => source::text));
    SELECT count(*), sum(b.bad) INTO customers, bad FROM built b;
    SELECT count(*) INTO missing FROM (TABLE grouped EXCEPT ALL TABLE built) AS d;
    SELECT count(*) INTO wrong FROM (TABLE built EXCEPT ALL TABLE grouped) AS d;
    DROP TABLE built, grouped;
END
$$;

-- By hand: a margin, none, a loss, a margin that there cannot be, a refund.
CREATE TABLE few (customer bigint, at date, amount numeric, margin numeric);
INSERT INTO few VALUES (7, '2024-03-01', 10, 0.25), (7, '2024-03-01', 20, NULL), (7, '2024-03-02', 5, -0.1), (7, '2024-03-03', 100, 1.01),
                       (7, '2024-03-04', -10, 0.5), (8, '2024-03-01', 10, 'NaN'), (8, NULL, 10, 0.1), (9, '2024-03-01', 1, 1), (9, '2024-03-01', 1, -1),
                       (NULL, '2024-03-01', 3, 0.5), (NULL, '2024-03-01', NULL, 0.5);
SELECT customer_id, rows, bad, revenue(history), revenue(profit) AS profit, refunded(profit) AS lost
  FROM histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, margin => 'margin', otherwise => 0.3);
SELECT * FROM differences('few');
CREATE TABLE nothing (LIKE few);
SELECT * FROM differences('nothing');

-- Every type of margin and amount, roundings, and what does not fit.
CREATE TABLE orders_of AS
SELECT i, i * 7919 % 701 AS n, date '2015-01-01' + i * 104729 % 3001 AS day,
       ((i * 7919 % 100003 - 9000)::numeric / (ARRAY[1, 10, 100, 100, 100, 10000])[i % 6 + 1])::numeric(12, 4) AS money,
       CASE WHEN i % 9 = 0 THEN NULL WHEN i % 101 = 0 THEN 1.5 ELSE (i * 31 % 2001 - 1000) / 1000.0 END::numeric(5, 3) AS share
  FROM generate_series(1, 20000) AS i;
CREATE TABLE plain AS SELECT NULLIF(n, 0) AS customer, CASE WHEN i % 97 <> 0 THEN day END AS at, CASE WHEN i % 89 <> 0 THEN money END AS amount, share AS margin FROM orders_of;
CREATE VIEW of_thirds AS SELECT n AS customer, day AS at, money / 3 AS amount, share / 3 AS margin FROM orders_of;
CREATE VIEW of_float8 AS SELECT n AS customer, day AS at, CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN 1e-300 WHEN 3 THEN 1e20 WHEN 4 THEN 1.7014118346046923e32 WHEN 5 THEN 1e300 ELSE money::float8 / 7 END AS amount,
       CASE i % 40 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN 1 + 2.3e-16 WHEN 3 THEN 1 WHEN 4 THEN -1 WHEN 5 THEN 1e-9 ELSE share::float8 END AS margin FROM orders_of;
CREATE TABLE of_real AS SELECT n AS customer, day AS at, (CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN 1e30 ELSE money END)::real AS amount, share::real AS margin FROM orders_of;
CREATE TABLE of_real_share AS SELECT n AS customer, day AS at, money AS amount, share::real AS margin FROM orders_of;
CREATE VIEW of_int8 AS SELECT n AS customer, day AS at, CASE WHEN i % 50 = 0 THEN 9223372036854775807 WHEN i % 50 = 1 THEN -9223372036854775808 ELSE money::bigint END AS amount, share::bigint AS margin FROM orders_of;
CREATE VIEW of_int4 AS SELECT n AS customer, day AS at, money::int AS amount, share::int AS margin FROM orders_of;
CREATE VIEW of_int2 AS SELECT n AS customer, day AS at, (money / 10)::smallint AS amount, share::smallint AS margin FROM orders_of;
CREATE VIEW of_halves AS SELECT n AS customer, day AS at, (i % 2001 - 1000) * 0.001 AS amount, (i % 21 - 10) * 0.0005 AS margin FROM orders_of;
CREATE VIEW of_wide AS SELECT n AS customer, CASE i % 7 WHEN 0 THEN date '4713-01-01 BC' + i WHEN 1 THEN date '5874897-12-31' - i ELSE day END AS at,
       CASE i % 11 WHEN 0 THEN 170141183460469231731687303715884 WHEN 1 THEN -170141183460469231731687303715884.000001 WHEN 2 THEN 8796093.022207 + i % 3 * 0.000001 WHEN 3 THEN 12345678901234567890.123456
                   WHEN 4 THEN -9999999999999999999999999.5 WHEN 5 THEN 0.0000005 WHEN 6 THEN 9223372036854.775808 WHEN 7 THEN 1e40 WHEN 8 THEN 9223372036854775807 ELSE money END AS amount,
       CASE i % 6 WHEN 0 THEN 1.0000001 WHEN 1 THEN 0.0000001 WHEN 2 THEN -0.0000001 WHEN 3 THEN NULL WHEN 4 THEN 0.999999999 ELSE -1 END AS margin FROM orders_of WHERE i % 17 < 2;
SELECT source, d.* FROM unnest(ARRAY['plain', 'of_thirds', 'of_float8', 'of_real', 'of_real_share', 'of_int8', 'of_int4', 'of_int2', 'of_halves', 'of_wide']::regclass[]) AS source, differences(source) AS d;
SELECT otherwise, d.* FROM unnest(ARRAY[0, 1, 0.12345678]) AS otherwise, differences('plain', otherwise) AS d;

-- Keys of all kinds, moments, little memory.
CREATE DOMAIN share_of AS numeric(4, 3) CHECK (VALUE < 2);
CREATE TABLE by_uuid AS SELECT md5(n::text)::uuid AS customer, day::timestamptz AS at, money AS amount, share::share_of AS margin FROM orders_of;
CREATE TABLE by_text AS SELECT 'c' || n AS customer, day + i % 86399 * interval '1 s' AS at, money AS amount, share AS margin FROM orders_of;
CREATE TABLE many AS SELECT (i % 5021)::bigint AS customer, date '2015-01-01' + i % 3001 AS at, ((i::bigint * 7919 % 100003 - 9000)::numeric / 100)::numeric(12, 2) AS amount, (i % 100 / 100.0)::numeric(3, 2) AS margin FROM generate_series(1, 100000) AS i;
INSERT INTO many SELECT 77, date '2015-01-01' + i % 3001, i * 100000.0, 0.12 FROM generate_series(1, 50000) AS i;
INSERT INTO many SELECT NULL, date '2015-01-01' + i % 3001, i, NULL FROM generate_series(1, 1000) AS i;
CREATE VIEW many_text AS SELECT 'customer number ' || customer AS customer, at, amount, margin FROM many;
SET maintenance_work_mem = '1MB';
SELECT source, d.* FROM unnest(ARRAY['by_uuid', 'by_text', 'many', 'many_text']::regclass[]) AS source, differences(source) AS d;
-- nothing is left behind, be it read to the end or not
SELECT (histories_with_profit('many', 'customer', 'at', 'amount', NULL::bigint, 'margin', 0)).customer_id LIMIT 1;
SELECT count(*) AS files FROM pg_ls_tmpdir();
RESET maintenance_work_mem;

-- Programs use it where they can; the lines of orders with margins are grouped.
SELECT source_query(settings_of('plain', 'UTC', 0.3)) LIKE '%histories_with_profit(%' AS everybody, source_query(settings_of('plain', 'UTC', 0.3), '7') LIKE '%histories_with_profit(%' AS one,
       source_query(settings_of('plain', 'UTC', 0.3, 'at')) LIKE '%histories%(CAST%' AS lines;

-- Mistakes.
SELECT histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, NULL, 0.3);
SELECT histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, 'margin', NULL);
SELECT histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, 'share', 0.3);
SELECT histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, 'at', 0.3);
SELECT histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, 'margin', 30);
SELECT histories_with_profit('few', 'customer', 'at', 'amount', NULL::bigint, 'margin', 'NaN');
DROP SCHEMA bulk_profit CASCADE;
