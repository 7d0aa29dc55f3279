-- The registry: which programs this database has.  Everything else about a
-- program lives in its own schema and belongs to the owner of that schema.

CREATE TABLE customer_tier.program (
    name text PRIMARY KEY CHECK (name <> ''),
    schema name NOT NULL UNIQUE,
    source_schema name NOT NULL,
    source_name name NOT NULL
);
COMMENT ON TABLE customer_tier.program IS 'the programs of this database; written by create_program, adopt_program and drop_program';
COMMENT ON COLUMN customer_tier.program.name IS 'name of the program';
COMMENT ON COLUMN customer_tier.program.schema IS 'schema that holds everything of the program; when it is gone the row is stale, and create_program or drop_program clears it';
COMMENT ON COLUMN customer_tier.program.source_schema IS 'schema of the order table when the program was created or adopted; <schema>.settings is what counts';
COMMENT ON COLUMN customer_tier.program.source_name IS 'name of the order table when the program was created or adopted; <schema>.settings is what counts';
GRANT SELECT ON customer_tier.program TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('customer_tier.program', '');

CREATE FUNCTION customer_tier.register_program(name text, schema name, source_schema name, source_name name) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'register_program';
COMMENT ON FUNCTION customer_tier.register_program(text, name, name, name) IS 'internal: enter a program in the registry; the caller must own the schema';

CREATE FUNCTION customer_tier.unregister_program(name text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'unregister_program';
COMMENT ON FUNCTION customer_tier.unregister_program(text) IS 'internal: strike a program from the registry; the caller must own its schema, unless that is gone';
