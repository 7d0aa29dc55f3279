-- The install script of customer_tier, made from the rooms' SQL files.
\echo Use "CREATE EXTENSION customer_tier" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

-- The extension's own schema: made here, so that nobody can prepare it
-- beforehand, and dropped with the extension.
CREATE SCHEMA customer_tier;
GRANT USAGE ON SCHEMA customer_tier TO PUBLIC;
COMMENT ON SCHEMA customer_tier IS 'customer_tier: customer rating inside the database';
