-- Tracking by a watermark: what it sees, what it says it does not; and what is
-- wrong with settings of the tracking, with the way out.
\set SHOW_CONTEXT never
SET client_min_messages = error;    -- what gates say of so few rows is told elsewhere
SET customer_tier.refresh_notices = off;
SET timezone = 'UTC';

-- Refresh, and say what it did, and whether the histories are those of a full
-- build: EXCEPT ALL both ways.
CREATE FUNCTION refreshed(program text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    CALL customer_tier.refresh(program, '2024-06-30');
    EXECUTE format($query$
        WITH want AS MATERIALIZED (
            SELECT customer_id, history::text AS history, rows, bad FROM %1$I.source_history() WHERE customer_id IS NOT NULL
        ), got AS MATERIALIZED (
            SELECT customer_id, history::text AS history, source_rows AS rows, coalesce(bad_rows, 0) AS bad FROM %1$I.history
        ), difference AS (
            SELECT (SELECT count(*) FROM (TABLE want EXCEPT ALL TABLE got) d) AS missing, (SELECT count(*) FROM (TABLE got EXCEPT ALL TABLE want) d) AS unexpected
        )
        SELECT run.build || CASE WHEN missing + unexpected = 0 THEN ', equal' ELSE format(', %%s missing, %%s unexpected', missing, unexpected) END
          FROM %1$I.run, difference WHERE run.is_current
    $query$, program) INTO result;
    RETURN result;
END $$;

-- ---------------------------------------------------------------- when it was changed

CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int, day date, amount numeric, modified_at timestamptz);
INSERT INTO orders SELECT n, n % 100, date '2024-01-01' + n % 97, n % 89, timestamptz '2024-03-04 00:00+00' + n * interval '1 hour' FROM generate_series(1, 2000) n;
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (modified_at);
ANALYZE orders;
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'watermark', watermark => 'modified_at', watermark_lag => '90 minutes');
SELECT refreshed('shop');
SELECT refreshed('shop'), (SELECT watermark FROM shop.tracking) = '2024-05-26 08:00:00+00' AS watermark;
INSERT INTO orders VALUES (3001, 1, '2024-05-01', 10, '2024-05-27 10:00+00'), (3002, 901, '2024-05-01', 10, '2024-05-27 10:00+00'), (3003, NULL, '2024-05-01', 10, '2024-05-27 10:00+00');
UPDATE orders SET amount = 100, modified_at = '2024-05-27 10:00+00' WHERE id = 5;
SELECT refreshed('shop');
-- late, but within the lag
INSERT INTO orders VALUES (3011, 2, '2024-05-01', 10, '2024-05-27 08:31+00');
SELECT refreshed('shop');
-- later than that, or never: not seen until somebody reads everything, or the customer changes again
INSERT INTO orders VALUES (3021, 3, '2024-05-01', 10, '2024-05-27 08:29+00'), (3022, 4, '2024-05-01', 10, NULL);
SELECT refreshed('shop');
INSERT INTO orders VALUES (3023, 4, '2024-05-01', 10, '2024-05-27 12:00+00');
SELECT refreshed('shop');
CALL customer_tier.refresh('shop', '2024-06-30', full_build => true);
SELECT refreshed('shop');
-- a deleted row is not seen either, nor a customer whom a row left
DELETE FROM orders WHERE id = 3021;
UPDATE orders SET customer_id = 902, modified_at = '2024-05-27 13:00+00' WHERE id = 3022;
SELECT refreshed('shop');
CALL customer_tier.refresh('shop', '2024-06-30', full_build => true);
SELECT refreshed('shop');
-- a clock that stands at the end of time does not hide what comes
INSERT INTO orders VALUES (3031, 3, '2024-05-01', 10, 'infinity');
SELECT refreshed('shop');
INSERT INTO orders VALUES (3032, 5, '2024-05-01', 10, '2024-05-28 12:00+00');
SELECT refreshed('shop');
-- nor does one that is wrong by centuries
INSERT INTO orders VALUES (3034, 9, '2024-05-01', 10, '2924-01-01 12:00+00');
SELECT refreshed('shop');
INSERT INTO orders VALUES (3035, 10, '2024-05-01', 10, '2024-05-28 13:00+00');
SELECT refreshed('shop');
DELETE FROM orders WHERE id = 3034;
INSERT INTO orders VALUES (3033, 6, '2024-05-01', 10, '-infinity');
SELECT refreshed('shop') IS NOT NULL AS refreshed;
DELETE FROM orders WHERE NOT isfinite(modified_at);
CALL customer_tier.refresh('shop', '2024-06-30', full_build => true);
-- sessions that write dates in other ways
SET datestyle = 'SQL, DMY';
INSERT INTO orders VALUES (3041, 7, '2024-05-01', 10, '2024-06-05 12:00+00');
SELECT refreshed('shop');
SET datestyle = 'ISO, MDY';
INSERT INTO orders VALUES (3042, 8, '2024-05-01', 10, '2024-06-05 13:00+00');
SELECT refreshed('shop');
SET timezone = 'Asia/Shanghai';
INSERT INTO orders VALUES (3043, 9, '2024-05-01', 10, '2024-06-05 13:10+00');
SELECT refreshed('shop');
SET timezone = 'America/Los_Angeles';
INSERT INTO orders VALUES (3044, 10, '2024-05-01', 10, '2024-06-05 13:20+00');
SELECT refreshed('shop');
SET timezone = 'UTC';
-- other settings, another source
UPDATE shop.settings SET watermark_lag = '2 days';
SELECT refreshed('shop') LIKE '%, equal' AS equal;
UPDATE shop.settings SET watermark = 'id', watermark_lag = NULL;
SELECT refreshed('shop');
UPDATE shop.settings SET watermark_lag = '5';
SELECT refreshed('shop');
INSERT INTO orders VALUES (3039, 11, '2024-05-01', 10), (4000, 12, '2024-05-01', 10);
SELECT refreshed('shop');
INSERT INTO orders VALUES (3995, 13, '2024-05-01', 10);
SELECT refreshed('shop');
INSERT INTO orders VALUES (3994, 14, '2024-05-01', 10);
SELECT refreshed('shop');
TRUNCATE orders;
SELECT refreshed('shop');
SELECT refreshed('shop');
INSERT INTO orders VALUES (-32768, 14, '2024-05-01', 10);
SELECT refreshed('shop');
ALTER TABLE orders ALTER id TYPE smallint;
SELECT refreshed('shop');
UPDATE shop.settings SET watermark_lag = NULL;
SELECT refreshed('shop');
INSERT INTO orders VALUES (7, 15, '2024-05-01', 10);
SELECT refreshed('shop');
SELECT customer_tier.drop_program('shop');

-- a materialized view can have a watermark, and so can a view
CREATE MATERIALIZED VIEW copied AS SELECT customer_id, day, amount, id::numeric AS id FROM orders;
SELECT customer_tier.create_program('copy', 'copied', 'customer_id', 'day', 'amount', purchase_model => 'none', tracking => 'watermark', watermark => 'id', watermark_lag => '0');
SELECT refreshed('copy');
INSERT INTO orders VALUES (8, 16, '2024-05-01', 10);
SELECT refreshed('copy');
REFRESH MATERIALIZED VIEW copied;
SELECT refreshed('copy') LIKE '%, equal' AS equal;
SELECT customer_tier.drop_program('copy');

-- ---------------------------------------------------------------- what is wrong, and what to do

SET client_min_messages = warning;
CREATE VIEW seen AS SELECT customer_id, day, amount, id, customer_id::bigint AS long FROM orders;
CREATE TABLE parts (customer_id int, day date, amount numeric) PARTITION BY RANGE (day);
CREATE TABLE local_part PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE far_part PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') SERVER nowhere;
CREATE VIEW of_copy AS SELECT * FROM copied;
CREATE SEQUENCE no_table;
-- of triggers
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'nightly');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => NULL);
SELECT customer_tier.create_program('p', 'seen', 'customer_id', 'day', 'amount', tracking => 'triggers');
SELECT customer_tier.create_program('p', 'seen', 'customer_id', 'day', 'amount', tracking => 'triggers', track => 'seen');
SELECT customer_tier.create_program('p', 'seen', 'customer_id', 'day', 'amount', tracking => 'triggers', track => 'no_table');
SELECT customer_tier.create_program('p', 'seen', 'customer_id', 'day', 'amount', track => 'orders');
SELECT customer_tier.create_program('p', 'seen', 'customer_id', 'day', 'amount', track_customer => 'customer_id');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'triggers', track => 0::regclass);
SELECT customer_tier.create_program('p', 'parts', 'customer_id', 'day', 'amount', tracking => 'triggers');
SELECT customer_tier.create_program('p', 'of_copy', 'customer_id', 'day', 'amount', tracking => 'triggers', track => 'orders');
SELECT customer_tier.create_program('p', 'copied', 'customer_id', 'day', 'amount', tracking => 'triggers', track => 'orders');
SELECT customer_tier.create_program('p', 'seen', 'customer_id', 'day', 'amount', tracking => 'triggers', track => 'orders', track_customer => 'buyer');
SELECT customer_tier.create_program('p', 'seen', 'long', 'day', 'amount', tracking => 'triggers', track => 'orders');
SELECT customer_tier.create_program('p', 'seen', 'long', 'day', 'amount', tracking => 'triggers', track => 'orders', track_customer => 'customer_id');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'triggers', watermark => 'id');
-- of watermarks
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', watermark_lag => '5');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'no_column');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'id', watermark_lag => '10 minutes');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'id', watermark_lag => '-1');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'modified_at', watermark_lag => '5');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'modified_at', watermark_lag => '-5 minutes');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'modified_at', watermark_lag => '1 month');
CREATE TABLE named (customer_id int, day date, amount numeric, batch text);
SELECT customer_tier.create_program('p', 'named', 'customer_id', 'day', 'amount', tracking => 'watermark', watermark => 'batch');
-- of track() and untrack()
SELECT customer_tier.track('p');
SELECT customer_tier.track(NULL);
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', purchase_model => 'none');
SELECT customer_tier.track('p');
SELECT customer_tier.untrack('p');
UPDATE p.settings SET tracking = 'triggers', track_schema = 'public', track_name = 'no_table';
SELECT customer_tier.track('p');
UPDATE p.settings SET track_name = 'orders';
SELECT customer_tier.track('p');
CREATE ROLE regress_tier_stranger;
SET ROLE regress_tier_stranger;
SELECT customer_tier.track('p');
SELECT customer_tier.untrack('p');
RESET ROLE;
-- the owner of a program who does not own the table
SELECT format('GRANT CREATE ON DATABASE %I TO regress_tier_stranger', current_database()) \gexec
GRANT SELECT ON orders TO regress_tier_stranger;
SET ROLE regress_tier_stranger;
SELECT customer_tier.create_program('q', 'orders', 'customer_id', 'day', 'amount', purchase_model => 'none', tracking => 'triggers');
SELECT customer_tier.create_program('q', 'orders', 'customer_id', 'day', 'amount', purchase_model => 'none');
UPDATE q.settings SET tracking = 'triggers';
SELECT customer_tier.track('q');
CALL customer_tier.refresh('q', '2024-06-30');
RESET ROLE;
SELECT customer_tier.track('q');
SET ROLE regress_tier_stranger;
CALL customer_tier.refresh('q', '2024-06-30');
SELECT customer_tier.untrack('q');
SELECT customer_tier.drop_program('q');
RESET ROLE;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'orders'::regclass ORDER BY tgname;
INSERT INTO orders VALUES (9, 17, '2024-05-01', 10);
SELECT customer_tier.drop_program('p');

SET client_min_messages = error;
DROP TABLE orders, parts, named CASCADE;
DROP SEQUENCE no_table;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
DROP FUNCTION refreshed;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_tier_stranger', current_database()) \gexec
DROP ROLE regress_tier_stranger;

-- ---------------------------------------------------------------- views that are not row by row

CREATE SCHEMA views;
CREATE TABLE views.o (id int, customer_id int, at timestamptz, amount numeric, version int, status text);
CREATE TABLE views.shops (id int, is_open boolean);
CREATE VIEW views.newest AS SELECT DISTINCT ON (id) id, customer_id, at, amount FROM views.o ORDER BY id, version DESC;
CREATE VIEW views.first_of AS SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY id) AS n FROM views.o) AS x WHERE n = 1;
CREATE VIEW views.recent AS SELECT customer_id, at, amount FROM views.o WHERE at > now() - interval '40 days';
CREATE VIEW views.until_today AS SELECT customer_id, at, amount FROM views.o WHERE at < current_date;
CREATE VIEW views.by_setting AS SELECT customer_id, at, amount FROM views.o WHERE status = current_setting('my.status', true);
CREATE VIEW views.moved AS SELECT CASE WHEN customer_id = 5 THEN 6 ELSE customer_id END AS customer_id, at, amount FROM views.o;
CREATE VIEW views.above_moved AS SELECT * FROM views.moved WHERE amount > 0;
CREATE VIEW views.both AS SELECT customer_id, at, amount FROM views.o UNION ALL SELECT customer_id, at, amount FROM views.o;
CREATE VIEW views.summed AS SELECT customer_id, at, sum(amount) AS amount FROM views.o GROUP BY 1, 2;
CREATE VIEW views.some AS SELECT customer_id, at, amount FROM views.o LIMIT 5;
CREATE VIEW views.joined_moved AS SELECT o.customer_id + 1 AS customer_id, at, amount FROM views.o JOIN views.shops ON shops.id = o.version;
CREATE VIEW views.filtered AS SELECT customer_id, at, amount * 2 AS amount, at::date AS day FROM views.o
    WHERE status <> 'cancelled' AND EXISTS (SELECT FROM views.shops WHERE shops.id = o.version AND is_open);
CREATE VIEW views.above_filtered AS SELECT customer_id AS "Kunde Nr", at, amount FROM views.filtered;
CREATE VIEW views.joined AS SELECT o.customer_id, at, amount FROM views.o JOIN views.shops ON shops.id = o.version;
SELECT c.relname, customer_tier.not_row_by_row(c.oid, a.attname) AS why_not
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('customer_id', 'Kunde Nr')
 WHERE c.relnamespace = 'views'::regnamespace
 ORDER BY c.relname COLLATE "C";
SELECT customer_tier.create_program('v', 'views.newest', 'customer_id', 'at', 'amount', tracking => 'triggers', track => 'views.o');
DROP SCHEMA views CASCADE;
