-- Whatever can be read as a table can be a source, under any name and with any
-- key that can be compared; amounts and times in every type they come in.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS citext;

-- The ratings of a program, and what they should be on the same rows.
CREATE FUNCTION rated(program text) RETURNS TABLE (customer text, last_day date, orders bigint, revenue numeric, tier text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT customer_id::text, last_day, orders, revenue, tier FROM %I.ratings ORDER BY customer_id::text COLLATE "C"',
                                (SELECT schema FROM customer_tier.program p WHERE p.name = program));
END $$;

CREATE TABLE plain (k int, at date, amount numeric);
INSERT INTO plain VALUES (1, '2024-01-01', 10), (1, '2024-01-02', 20), (2, '2024-01-03', 5), (3, '2024-02-01', 100), (3, '2024-02-01', -40);
CREATE VIEW a_view AS SELECT k AS customer, at, amount FROM plain;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM plain;
CREATE TABLE parts (k int, at date, amount numeric) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-02-01') TO ('2025-01-01');
INSERT INTO parts SELECT * FROM plain;

SELECT customer_tier.create_program('plain', 'plain', 'k', 'at', 'amount', schema => 'rating_of_plain');
CALL customer_tier.refresh('plain', '2024-02-01');
SELECT * FROM rated('plain');
SELECT customer_tier.create_program('a_view', 'a_view', 'customer', 'at', 'amount');
CALL customer_tier.refresh('a_view', '2024-02-01');
SELECT * FROM rated('a_view') EXCEPT ALL SELECT * FROM rated('plain');
SELECT customer_tier.create_program('a_matview', 'a_matview', 'k', 'at', 'amount');
CALL customer_tier.refresh('a_matview', '2024-02-01');
SELECT * FROM rated('a_matview') EXCEPT ALL SELECT * FROM rated('plain');
SELECT customer_tier.create_program('parts', 'parts', 'k', 'at', 'amount');
CALL customer_tier.refresh('parts', '2024-02-01');
SELECT * FROM rated('parts') EXCEPT ALL SELECT * FROM rated('plain');

-- Names that want quoting, and names that want to be code.
CREATE SCHEMA "My Shop";
CREATE TABLE "My Shop"."Order's ""Table"" %I $$" ("Customer %s" int, "when"  timestamptz, "select" numeric, "Order ID" text);
INSERT INTO "My Shop"."Order's ""Table"" %I $$" SELECT k, at + time '12:00', amount, row_number() OVER () FROM plain;
CREATE TABLE "My Shop"."Custo'mers" ("Key" int);
INSERT INTO "My Shop"."Custo'mers" VALUES (1), (9);
SELECT customer_tier.create_program('it''s "mine"; DROP TABLE plain; -- %s $query$', '"My Shop"."Order''s ""Table"" %I $$"',
    'Customer %s', 'when', 'select', schema => 'Ratings of "Order''s" %I $query$', order_id => 'Order ID',
    customers => '"My Shop"."Custo''mers"', customers_key => 'Key', time_zone => 'UTC');
CALL customer_tier.refresh('it''s "mine"; DROP TABLE plain; -- %s $query$', '2024-02-01');
SELECT * FROM rated('it''s "mine"; DROP TABLE plain; -- %s $query$');
SELECT "check", rows, examples FROM customer_tier.audit('it''s "mine"; DROP TABLE plain; -- %s $query$')
 WHERE "check" NOT LIKE '%days%' AND rows > 0;
SELECT * FROM customer_tier.check_program('it''s "mine"; DROP TABLE plain; -- %s $query$');
SELECT customer_tier.drop_program('it''s "mine"; DROP TABLE plain; -- %s $query$');
DROP SCHEMA "My Shop" CASCADE;

-- Keys.
CREATE DOMAIN customer_code AS text CHECK (VALUE <> '');
CREATE TABLE keys (i2 smallint, i8 bigint, u uuid, t text, v varchar(10), c citext, d customer_code, n numeric, b char(4), tc text COLLATE "C", ts timestamptz, at timestamp, amount int, line serial);
INSERT INTO keys
SELECT k, k, ('00000000-0000-0000-0000-00000000000' || k)::uuid, 'c' || k, 'c' || k,
       CASE WHEN amount > 10 THEN 'C' ELSE 'c' END || k, 'c' || k,
       CASE WHEN amount > 10 THEN k ELSE k + 0.00 END, 'c' || k, 'c' || k, timestamptz '2024-01-01 00:00+00' + k * interval '1 day', at, amount FROM plain;
SELECT customer_tier.create_program('key_' || key, 'keys', key, 'at', 'amount') FROM unnest('{i2,i8,u,t,v,c,d,n,b,tc,ts}'::name[]) key;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
CREATE TEMP TABLE written AS SELECT oid, xmin AS writer FROM pg_proc WHERE pronamespace::regnamespace::text LIKE 'key\_%';
SELECT count(*) FROM written;
DO $$ DECLARE p text; BEGIN
    FOR p IN SELECT name FROM customer_tier.program WHERE name LIKE 'key\_%' ORDER BY 1 LOOP
        CALL customer_tier.refresh(p, '2024-02-01');
        CALL customer_tier.refresh(p, '2024-02-01');
    END LOOP;
    -- Functions that are what they should be are left alone.
    IF EXISTS (SELECT FROM pg_proc JOIN written USING (oid) WHERE pg_proc.xmin <> written.writer) THEN
        RAISE EXCEPTION 'compiled for nothing';
    END IF;
END $$;
SELECT p.name, r.customer, r.orders, r.revenue FROM customer_tier.program p, rated(p.name) r WHERE p.name LIKE 'key\_%' ORDER BY 1, 2;
SELECT c.relnamespace::regnamespace, format_type(a.atttypid, a.atttypmod), co.collname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  LEFT JOIN pg_collation co ON co.oid = a.attcollation
 WHERE a.attname = 'customer_id' AND c.relname = 'rating' AND c.relnamespace::regnamespace::text LIKE 'key\_%' ORDER BY c.relnamespace::regnamespace::text COLLATE "C";
SELECT schema, changed FROM (SELECT 'key_c' AS schema, changed, run_id FROM key_c.run UNION ALL SELECT 'key_n', changed, run_id FROM key_n.run) r ORDER BY 1, run_id;
-- citext finds itself in any spelling.
SELECT orders FROM key_c.ratings WHERE customer_id = 'C1';

-- Amounts and times of every type: the same ratings, without a detour over
-- binary fractions or the session's time zone.
CREATE DOMAIN money_amount AS numeric(12,2);
CREATE DOMAIN order_time AS timestamptz;
CREATE TABLE kinds (k int, a_date date, a_timestamp timestamp, a_timestamptz timestamptz, a_domain order_time,
    i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric, d money_amount);
INSERT INTO kinds
SELECT k, at, at + time '23:30', (at + time '23:30') AT TIME ZONE 'America/New_York', (at + time '23:30') AT TIME ZONE 'America/New_York',
       amount, amount, amount, amount + 0.1, amount + 0.1, amount + 0.1, amount + 0.1 FROM plain;
SET TimeZone = 'Asia/Tokyo';
SELECT customer_tier.create_program(at || '_' || amount, 'kinds', 'k', at, amount, time_zone => 'America/New_York')
  FROM unnest('{a_date,a_timestamp,a_timestamptz,a_domain}'::name[]) at, unnest('{i2,i4,i8,f4,f8,n,d}'::name[]) amount
 WHERE at = 'a_timestamptz' OR amount = 'n';
DO $$ DECLARE p text; BEGIN
    FOR p IN SELECT name FROM customer_tier.program WHERE source_name = 'kinds' LOOP
        CALL customer_tier.refresh(p, '2024-02-01');
    END LOOP;
END $$;
SELECT r.customer, r.last_day, r.orders, r.revenue, string_agg(p.name, ' ' ORDER BY p.name COLLATE "C") AS programs
  FROM customer_tier.program p, rated(p.name) r WHERE p.source_name = 'kinds' GROUP BY 1, 2, 3, 4 ORDER BY 1, 4;
RESET TimeZone;

-- Lines of an order: summed before signs are read; the first line's day; a
-- line without an order id stands alone; bad lines do not spoil the rest.
CREATE TABLE lines (k int, o int, at timestamp, amount double precision);
INSERT INTO lines VALUES
    (1, 1, '2024-01-01 23:59', 10.1), (1, 1, '2024-01-02 00:01', 0.2), (1, 1, '2024-01-02 00:01', -0.3),
    (1, 2, '2024-01-05', 5), (1, 2, '2024-01-05', -8),
    (1, NULL, '2024-01-07', 3), (1, NULL, '2024-01-07', 4), (1, NULL, '2024-01-07', -1),
    (2, 1, '2024-01-03', 7),
    (2, 3, '2024-01-04', 7), (2, 3, NULL, 9), (2, 3, '2024-01-09', NULL), (2, 3, '2024-01-09', 'NaN'), (2, 3, 'infinity', 1), (2, 3, '2024-01-08', 'Infinity'),
    (2, NULL, '2024-01-08', NULL), (2, NULL, '2024-01-08', 'NaN'),
    (NULL, 5, '2024-01-08', 1), (NULL, NULL, '2024-01-08', 1), (3, 6, '2024-01-08', NULL), (4, NULL, NULL, 5);
SELECT customer_tier.create_program('lines', 'lines', 'k', 'at', 'amount', order_id => 'o', max_bad_share => 1);
CALL customer_tier.refresh('lines', '2024-02-01');
SELECT rows_read, rows_bad FROM lines.run;
SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, refunded FROM lines.ratings ORDER BY 1;
SELECT customer_id, history FROM lines.history ORDER BY 1;
SELECT "check", rows, share, examples, action FROM customer_tier.audit('lines') WHERE "check" NOT IN ('days since the newest order', 'day is in the future');

-- A customer master: prospects, duplicates, NULL, and a key that needs a cast.
CREATE TABLE master (id smallint);
INSERT INTO master VALUES (1), (2), (8), (8), (9), (NULL);
SELECT customer_tier.create_program('with_master', 'plain', 'k', 'at', 'amount', customers => 'master', customers_key => 'id', preset => 'vip');
CALL customer_tier.refresh('with_master', '2024-01-02');
SELECT customer_id, orders, r_score, segment, segment_label, segment_label_zh, score, tier, tier_label_zh, tier_rank, tier_reason, score_to_next_tier, coverage
  FROM with_master.ratings ORDER BY 1;
CALL customer_tier.refresh('with_master', '2024-02-01');
SELECT customer_id, orders, tier, tier_since, previous_tier, tier_reason FROM with_master.ratings ORDER BY 1;
SELECT customers, buyers, prospects, changed FROM with_master.run ORDER BY run_id;
DELETE FROM master WHERE id >= 8;
CALL customer_tier.refresh('with_master', '2024-02-01');
SELECT customers, buyers, prospects, changed FROM with_master.run ORDER BY run_id DESC LIMIT 1;

-- Customers come, change and go: what the histories hold is what the source says.
DELETE FROM plain WHERE k = 2;
UPDATE plain SET amount = 11 WHERE k = 1 AND at = '2024-01-01';
INSERT INTO plain VALUES (4, '2024-01-05', 1);
CALL customer_tier.refresh('plain', '2024-02-01');
SELECT * FROM rated('plain');
SELECT customer_id, history FROM rating_of_plain.history
EXCEPT ALL SELECT k, customer_tier.purchases(at, amount) FROM plain GROUP BY k;
TRUNCATE plain;
CALL customer_tier.refresh('plain', '2024-02-01');
SELECT count(*) FROM rating_of_plain.history;
SELECT count(*) FROM rating_of_plain.ratings;
SELECT status, rows_read, customers, buyers, r_cuts FROM rating_of_plain.run ORDER BY run_id DESC LIMIT 1;

-- One after the other: all at once would need many locks.
SELECT count(*) FROM customer_tier.program;
\pset tuples_only on
\o /dev/null
SELECT format('SELECT customer_tier.drop_program(%L)', name) FROM customer_tier.program ORDER BY name COLLATE "C" \gexec
\o
\pset tuples_only off
SELECT count(*) FROM customer_tier.program;
DROP FUNCTION rated;
DROP TABLE plain, parts, keys, kinds, lines, master CASCADE;
DROP DOMAIN customer_code, money_amount, order_time;
DROP EXTENSION citext;
