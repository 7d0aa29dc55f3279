-- Whatever happens to what a program writes changes down in: no write to the
-- user's table fails or needs a right, and the next refresh stores what reading
-- everything would store.
\set SHOW_CONTEXT never
SET client_min_messages = error;    -- what gates say of so few rows is told elsewhere
SET customer_tier.refresh_notices = off;

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

-- The owner of the program is no superuser; who writes has rights on the orders alone.
CREATE ROLE regress_tier_keeper;
CREATE ROLE regress_tier_app;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_tier_keeper', current_database()) \gexec
CREATE SCHEMA place AUTHORIZATION regress_tier_keeper;
GRANT USAGE ON SCHEMA place TO regress_tier_app;
SET ROLE regress_tier_keeper;
CREATE TABLE place.orders (customer_id int, day date, amount numeric);
INSERT INTO place.orders SELECT n % 100, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 2000) n;
CREATE INDEX ON place.orders (customer_id);
ANALYZE place.orders;
GRANT SELECT, INSERT, UPDATE, DELETE ON place.orders TO regress_tier_app;
SELECT customer_tier.create_program('shop', 'place.orders', 'customer_id', 'day', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
RESET ROLE;
\set write 'SET ROLE regress_tier_app; DELETE FROM place.orders WHERE customer_id = 3 AND amount = 0.5; INSERT INTO place.orders VALUES (1, \'2024-05-05\', 1), (3, \'2024-05-05\', 0.5); UPDATE place.orders SET amount = amount + 1 WHERE customer_id = 2; RESET ROLE;'
-- in the end it is back at reading what changed
\set check 'SET ROLE regress_tier_keeper; SELECT refreshed(\'shop\') \\gset a_ \\\\ SELECT refreshed(\'shop\') \\gset b_ \\\\ SELECT :\'a_refreshed\' AS refreshed, :\'b_refreshed\' LIKE \'%equal\' AS stays, refreshed(\'shop\') AS last; RESET ROLE;'
:check
:write :check

-- ---------------------------------------------------------------- the table of keys

ALTER TABLE shop.touched ADD x int; :write :check
ALTER TABLE shop.touched RENAME TO elsewhere; :write :check
DROP TABLE shop.elsewhere;
ALTER TABLE shop.touched SET SCHEMA place; :write :check
DROP TABLE place.touched;
DROP TABLE shop.touched; :write :check
DROP TABLE shop.touched; CREATE VIEW shop.touched AS SELECT 1 AS one; :write
DROP VIEW IF EXISTS shop.touched; :check
DROP TABLE shop.touched; CREATE TABLE shop.touched (one text); :write :check
ALTER TABLE shop.touched ALTER keys TYPE bigint[]; :write :check
ALTER TABLE shop.touched ALTER ats TYPE text; :write :check
ALTER TABLE shop.touched ADD CHECK (false), ALTER ats SET NOT NULL; :write :check
CREATE UNIQUE INDEX one_a_trigger ON shop.touched (trigger_oid); :write :check
ALTER TABLE shop.touched SET UNLOGGED; :write :check
ALTER TABLE shop.touched ALTER keys SET STORAGE EXTENDED; :write :check
SET ROLE regress_tier_keeper;
ALTER TABLE shop.touched ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; :write :check :write :check
CREATE FUNCTION shop.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON shop.touched FOR EACH ROW EXECUTE FUNCTION shop.refuse(); :write :check
CREATE FUNCTION shop.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE INSERT OR DELETE ON shop.touched FOR EACH ROW EXECUTE FUNCTION shop.swallow(); :write :check :write :check
CREATE RULE nothing AS ON DELETE TO shop.touched DO INSTEAD NOTHING; :write :check

-- ---------------------------------------------------------------- the counter of what was lost, and the memory of the last build

DROP TABLE shop.touched; DROP SEQUENCE shop.lost_changes; :write :check
DROP SEQUENCE shop.lost_changes; CREATE TABLE shop.lost_changes (one int); DROP TABLE shop.touched; :write
DROP TABLE IF EXISTS shop.lost_changes; :check
ALTER SEQUENCE shop.lost_changes MAXVALUE 2; ALTER TABLE shop.touched ADD x int; :write :write :check
SELECT setval('shop.lost_changes', 9223372036854775806); ALTER TABLE shop.touched ADD x int; :write :check :write :check
DELETE FROM shop.tracking; :write :check
DROP TABLE shop.tracking; :write :check
ALTER TABLE shop.tracking DROP watermark; :write :check
REVOKE ALL ON shop.touched, shop.tracking FROM regress_tier_keeper; REVOKE ALL ON SEQUENCE shop.lost_changes FROM regress_tier_keeper; REVOKE ALL ON SCHEMA shop FROM regress_tier_keeper; :write
GRANT ALL ON SCHEMA shop TO regress_tier_keeper; GRANT ALL ON shop.touched, shop.tracking TO regress_tier_keeper; GRANT ALL ON SEQUENCE shop.lost_changes TO regress_tier_keeper; :check
ALTER SCHEMA shop RENAME TO closed; :write
ALTER SCHEMA closed RENAME TO shop; :check
-- an older state, put back
CREATE TABLE place.old_history AS TABLE shop.history; CREATE TABLE place.old_tracking AS TABLE shop.tracking; :write :check
TRUNCATE shop.history, shop.tracking; INSERT INTO shop.history TABLE place.old_history; INSERT INTO shop.tracking TABLE place.old_tracking; :check
DROP TABLE place.old_history, place.old_tracking;

-- ---------------------------------------------------------------- the table of orders

ALTER TABLE place.orders RENAME customer_id TO buyer;
INSERT INTO place.orders VALUES (1, '2024-05-06', 1);
CALL customer_tier.refresh('shop', '2024-06-30');
ALTER TABLE place.orders RENAME buyer TO customer_id; :check
ALTER TABLE place.orders ALTER customer_id TYPE bigint; :write
CALL customer_tier.refresh('shop', '2024-06-30');
ALTER TABLE place.orders ALTER customer_id TYPE int; :check
ALTER TABLE place.orders ALTER day TYPE timestamp; :write :check
ALTER TABLE place.orders RENAME day TO the_day;
INSERT INTO place.orders VALUES (1, '2024-05-06', 1);
ALTER TABLE place.orders RENAME the_day TO day; :check
ALTER TABLE place.orders RENAME TO old_orders; CREATE TABLE place.orders (LIKE place.old_orders INCLUDING ALL); INSERT INTO place.orders VALUES (1, '2024-05-06', 1);
DROP TABLE place.orders; ALTER TABLE place.old_orders RENAME TO orders; :write :check

-- ---------------------------------------------------------------- triggers off and on

ALTER TABLE place.orders DISABLE TRIGGER ALL; :write
SET ROLE regress_tier_keeper; SELECT refreshed('shop'); RESET ROLE; :write
ALTER TABLE place.orders ENABLE TRIGGER ALL; :write
SET ROLE regress_tier_keeper; SELECT refreshed('shop'); SELECT customer_tier.track('shop'); RESET ROLE; :check
ALTER TABLE place.orders DISABLE TRIGGER ALL; :write
SET ROLE regress_tier_keeper; ALTER TABLE place.orders ENABLE TRIGGER ALL; SELECT customer_tier.track('shop'); RESET ROLE; :check
ALTER TABLE place.orders DISABLE TRIGGER customer_tier_shop_insert; :write
ALTER TABLE place.orders ENABLE ALWAYS TRIGGER customer_tier_shop_insert; :check
BEGIN; ALTER TABLE place.orders DISABLE TRIGGER customer_tier_shop_update; :write ALTER TABLE place.orders ENABLE ALWAYS TRIGGER customer_tier_shop_update; COMMIT; :check
SET session_replication_role = replica; :write RESET session_replication_role; :check

-- ---------------------------------------------------------------- others who call the trigger function

CREATE TABLE place.other (customer_id int, day timestamp, amount numeric);
CREATE TRIGGER theirs AFTER INSERT ON place.other REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION customer_tier.track_changes('shop', 'customer_id', 'day', 'amount');
INSERT INTO place.other VALUES (1, '2024-05-06', 1);
SELECT count(*) AS not_ours FROM shop.touched;
:check
-- and those that could be nobody's
CREATE TRIGGER wrong_column AFTER INSERT ON place.other FOR EACH ROW EXECUTE FUNCTION customer_tier.track_changes('shop', 'no_column');
CREATE TRIGGER wrong_schema AFTER INSERT ON place.other FOR EACH ROW EXECUTE FUNCTION customer_tier.track_changes('no_schema', 'customer_id');
CREATE TRIGGER no_rows AFTER INSERT ON place.other FOR EACH STATEMENT EXECUTE FUNCTION customer_tier.track_changes('shop', 'customer_id');
INSERT INTO place.other VALUES (1, '2024-05-06', 1);
:check
DROP TABLE place.other;
CREATE TABLE place.other (customer_id int, day date, amount numeric);
CREATE TRIGGER too_early BEFORE INSERT ON place.other FOR EACH ROW EXECUTE FUNCTION customer_tier.track_changes('shop', 'customer_id');
INSERT INTO place.other VALUES (1, '2024-05-06', 1);
DROP TRIGGER too_early ON place.other;
CREATE TRIGGER nothing_said AFTER INSERT ON place.other FOR EACH ROW EXECUTE FUNCTION customer_tier.track_changes();
INSERT INTO place.other VALUES (1, '2024-05-06', 1);
SELECT customer_tier.track_changes();
DROP TABLE place.other;

-- ---------------------------------------------------------------- keys and amounts that fit no page, statements without end

CREATE TABLE place.huge (customer_id text, day date, amount numeric);
INSERT INTO place.huge SELECT n % 100, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 2000) n;
CREATE INDEX ON place.huge (customer_id);
ANALYZE place.huge;
SELECT customer_tier.create_program('huge', 'place.huge', 'customer_id', 'day', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
SELECT refreshed('huge');
INSERT INTO place.huge VALUES (repeat('k', 9000), '2024-05-05', 1), ('1', '2024-05-05', 1), (repeat('m', 7000), '2024-05-05', 2);
SELECT refreshed('huge');
SELECT refreshed('huge') LIKE '%, equal' AS equal;
INSERT INTO place.huge VALUES ('2', '2024-05-05', repeat('9', 20000)::numeric), ('3', '2024-05-05', 1), (repeat('m', 7000), '2024-05-06', 3), ('4', '2024-05-05', -1), ('5', '2024-05-05', ('0.' || repeat('1', 12000))::numeric);
SELECT refreshed('huge');
UPDATE place.huge SET day = day + 1 WHERE customer_id = repeat('m', 7000);
SELECT refreshed('huge');
UPDATE place.huge SET customer_id = 'was k' WHERE customer_id = repeat('k', 9000);
SELECT refreshed('huge');
INSERT INTO place.huge SELECT repeat(chr(97 + n % 26), 1000 + n % 900), '2024-05-05', n FROM generate_series(1, 100) n;
SELECT refreshed('huge');

CREATE TABLE place.many (customer_id smallint, day date, amount smallint);
INSERT INTO place.many SELECT n % 100, '2024-05-05', 1 FROM generate_series(1, 2000) n;
SELECT customer_tier.create_program('many', 'place.many', 'customer_id', 'day', 'amount', purchase_model => 'none', tracking => 'triggers');
SELECT refreshed('many');
INSERT INTO place.many SELECT n % 100, '2024-05-05', 1 FROM generate_series(1, 1000001) n;
SELECT count(*), count(keys) FROM many.touched;
SELECT refreshed('many');
SELECT customer_tier.drop_program('many'), customer_tier.drop_program('huge');
DROP TABLE place.many, place.huge;

-- ---------------------------------------------------------------- the program

DROP SCHEMA shop CASCADE; :write
SELECT customer_tier.drop_program('shop'); :write
SET ROLE regress_tier_keeper;
SELECT customer_tier.create_program('shop', 'place.orders', 'customer_id', 'day', 'amount', max_bad_share => 1, purchase_model => 'none', tracking => 'triggers');
:write :check
:write :check
RESET ROLE;
SELECT customer_tier.drop_program('shop'); :write
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'place.orders'::regclass;

DROP SCHEMA place CASCADE;
DROP FUNCTION refreshed;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_tier_keeper', current_database()) \gexec
DROP ROLE regress_tier_keeper, regress_tier_app;
