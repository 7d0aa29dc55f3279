-- Whose rights: programs belong to the owner of their schema, who need be no
-- superuser; readers read what they are granted; nobody borrows anybody's rights.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_tier_owner;
CREATE ROLE regress_tier_reader;
CREATE ROLE regress_tier_member IN ROLE regress_tier_owner;
CREATE ROLE regress_tier_stranger;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_tier_owner, regress_tier_stranger', current_database()) \gexec
CREATE SCHEMA shop;
CREATE TABLE shop.orders (customer_id int, day date, amount numeric, secret text);
INSERT INTO shop.orders SELECT c, date '2024-01-01' + c, c, 'x' FROM generate_series(1, 10) c;
CREATE TABLE shop.customers (id int);
RESET client_min_messages;

-- Reading the source takes the right to read it.
SET ROLE regress_tier_owner;
SELECT customer_tier.create_program('p', 'shop.orders', 'customer_id', 'day', 'amount');
RESET ROLE;
GRANT USAGE ON SCHEMA shop TO regress_tier_owner;
GRANT SELECT (customer_id, day) ON shop.orders TO regress_tier_owner;
SET ROLE regress_tier_owner;
SELECT customer_tier.create_program('p', 'shop.orders', 'customer_id', 'day', 'amount');
RESET ROLE;
GRANT SELECT (amount) ON shop.orders TO regress_tier_owner;
SET ROLE regress_tier_owner;
SELECT customer_tier.create_program('p', 'shop.orders', 'customer_id', 'day', 'amount', customers => 'shop.customers', customers_key => 'id');
SELECT customer_tier.create_program('p', 'shop.orders', 'customer_id', 'day', 'amount');
CALL customer_tier.refresh('p', '2024-01-31');
SELECT count(*) FROM p.ratings;
SELECT count(*) FROM customer_tier.check_program('p');
SELECT count(*) FROM customer_tier.audit('p');
SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'p';

-- The registry is written through its functions, by who owns the schema.
INSERT INTO customer_tier.program VALUES ('q', 'p', 'shop', 'orders');
DELETE FROM customer_tier.program;
SELECT customer_tier.register_program('q', 'shop', 'shop', 'orders');
SELECT customer_tier.register_program('q', 'nowhere', 'shop', 'orders');

-- A stranger sees that it exists, and no more.
SET ROLE regress_tier_stranger;
SELECT name FROM customer_tier.program;
SELECT count(*) FROM p.ratings;
CALL customer_tier.refresh('p', '2024-01-31');
SELECT * FROM customer_tier.check_program('p');
SELECT * FROM customer_tier.audit('p');
SELECT customer_tier.drop_program('p');
SELECT customer_tier.unregister_program('p');
SELECT customer_tier.register_program('p', 'p', 'shop', 'orders');
SELECT customer_tier.adopt_program('p');
CREATE SCHEMA squat;
SELECT customer_tier.register_program('p', 'squat', 'shop', 'orders');
DROP SCHEMA squat;

-- A reader with the grants of the manual, and no right to the orders.
RESET ROLE;
GRANT USAGE ON SCHEMA p TO regress_tier_reader;
GRANT SELECT ON p.ratings TO regress_tier_reader;
SET ROLE regress_tier_reader;
SELECT count(*), min(tier) FROM p.ratings;
SELECT count(*) FROM p.rating;
SELECT count(*) FROM p.rate('2024-01-31');
SELECT count(*) FROM shop.orders;

-- A member of the owner refreshes as the owner; so does a superuser, who lends
-- no rights: the source is a view of the owner's, with a function in it that
-- would do anything for whoever calls it.
SET ROLE regress_tier_owner;
CREATE FUNCTION p.trap() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'called by %', current_user;
    EXECUTE 'SET ROLE regress_tier_stranger';
    RETURN 1;
END $$;
CREATE VIEW p.baited AS SELECT customer_id * p.trap() AS customer_id, day, amount FROM shop.orders WHERE customer_id = 1;
SET ROLE regress_tier_member;
CALL customer_tier.refresh('p', '2024-02-01');
RESET ROLE;
UPDATE p.settings SET source_schema = 'p', source_name = 'baited';
CALL customer_tier.refresh('p', '2024-02-02');
SELECT current_user = session_user AS still_myself;
SELECT status, error FROM p.run ORDER BY run_id;
UPDATE p.settings SET source_schema = 'shop', source_name = 'orders';

-- Rights that are taken away stop the next refresh, and leave the ratings.
REVOKE SELECT (amount) ON shop.orders FROM regress_tier_owner;
CALL customer_tier.refresh('p', '2024-02-03');
SELECT DISTINCT as_of FROM p.ratings;
GRANT SELECT ON shop.orders TO regress_tier_owner;

-- A superuser adopts nothing in another's name.
SELECT customer_tier.adopt_program('p');
SET ROLE regress_tier_owner;
SELECT customer_tier.adopt_program('p');
SELECT proowner::regrole, count(*) FROM pg_proc WHERE pronamespace = 'p'::regnamespace GROUP BY 1;

-- Anyone clears away a program whose schema is gone.
SET client_min_messages = warning;
DROP SCHEMA p CASCADE;
SET ROLE regress_tier_stranger;
SELECT customer_tier.drop_program('p');
RESET ROLE;
SELECT count(*) FROM customer_tier.program;

-- No right to make a schema, no program.
CREATE ROLE regress_tier_nobody;
GRANT USAGE ON SCHEMA shop TO regress_tier_nobody;
GRANT SELECT ON shop.orders TO regress_tier_nobody;
SELECT format('REVOKE CREATE ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SET ROLE regress_tier_nobody;
DO $$ BEGIN
    PERFORM customer_tier.create_program('n', 'shop.orders', 'customer_id', 'day', 'amount');
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING '%', sqlerrm; END $$;
RESET ROLE;

-- Nobody but the caller answers for a search path full of traps.
CREATE SCHEMA traps;
CREATE FUNCTION traps.trap(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR traps.= (LEFTARG = int, RIGHTARG = int, FUNCTION = traps.trap);
CREATE FUNCTION traps.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION traps.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
SET search_path = traps, pg_catalog, public;
SELECT customer_tier.create_program('s', 'shop.orders', 'customer_id', 'day', 'amount');
CALL customer_tier.refresh('s', '2024-01-31');
SELECT count(*) FROM customer_tier.audit('s');
SELECT count(*) FROM s.rate('2024-01-31');
RESET search_path;
SELECT customer_tier.drop_program('s');
DROP SCHEMA traps, shop CASCADE;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_tier_owner, regress_tier_stranger', current_database()) \gexec
DROP ROLE regress_tier_owner, regress_tier_reader, regress_tier_member, regress_tier_stranger, regress_tier_nobody;
