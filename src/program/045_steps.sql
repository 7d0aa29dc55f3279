-- Statements that share rows (steps.c).

CREATE TYPE customer_tier.step AS (
    name name,
    statement text,
    constants text
);
COMMENT ON TYPE customer_tier.step IS 'internal: a statement for execute_steps(). With a name it is a query whose rows are kept under that name; the columns of the one row of constants, a query, are its parameters $1, $2 ...; NULL = it has none';

CREATE FUNCTION customer_tier.execute_steps(steps customer_tier.step[]) RETURNS bigint[]
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'execute_steps';
COMMENT ON FUNCTION customer_tier.execute_steps(customer_tier.step[]) IS 'internal: execute statements one after the other; each can read the rows that earlier ones kept as if they were a table. Returns how many rows each kept, wrote or returned';

CREATE FUNCTION customer_tier.step(statement text, name name DEFAULT NULL, constants text DEFAULT NULL) RETURNS customer_tier.step
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(ROW(name, statement, constants) AS customer_tier.step)
$$;
COMMENT ON FUNCTION customer_tier.step(text, name, text) IS 'internal: a statement for execute_steps(); with name it keeps the rows of a query, with constants it has the columns of the one row of that query as its parameters';
