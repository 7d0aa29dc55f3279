-- Statements that share rows (steps.c).

CREATE TYPE customer_tier.step AS (
    name name,
    statement text,
    constants text,
    scores name,
    blocks text,
    free_place text,
    customers bigint
);
COMMENT ON TYPE customer_tier.step IS 'internal: a statement for execute_steps(). With a name it is a query whose rows are kept under that name; the columns of the one row of constants, a query, are its parameters $1, $2 ..., NULL = it has none. With scores, a name, too, its rows begin with differs, place and three scores (scores.c): those are kept that differ, and the scores of all of them under that name, as rows of <schema>.rating_score; blocks is the query of the rows of it to begin with, NULL = none, free_place that of the first place nobody has, and customers how many rows there have to be, NULL = any number';

CREATE FUNCTION customer_tier.execute_steps(steps customer_tier.step[]) RETURNS bigint[]
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'execute_steps';
COMMENT ON FUNCTION customer_tier.execute_steps(customer_tier.step[]) IS 'internal: execute statements one after the other; each can read the rows that earlier ones kept as if they were a table. Returns how many rows each kept, wrote or returned';

CREATE FUNCTION customer_tier.step(statement text, name name DEFAULT NULL, constants text DEFAULT NULL, scores name DEFAULT NULL, blocks text DEFAULT NULL, free_place text DEFAULT NULL, customers bigint DEFAULT NULL) RETURNS customer_tier.step
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(ROW(name, statement, constants, scores, blocks, free_place, customers) AS customer_tier.step)
$$;
COMMENT ON FUNCTION customer_tier.step(text, name, text, name, text, text, bigint) IS 'internal: a statement for execute_steps(), see the type: with name it keeps the rows of a query, with constants it has the columns of the one row of that query as its parameters, with scores it packs those of its rows';
