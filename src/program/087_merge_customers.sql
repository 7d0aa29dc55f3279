-- Customers who turn out to be one: from the next refresh on all orders of the
-- one count for the other.  The source stays as it is; <schema>.source_rows
-- reads it so.

CREATE FUNCTION customer_tier.create_merge_table(schema name, key_type text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.merged_customer (
    from_customer %2$s PRIMARY KEY,
    into_customer %2$s NOT NULL,
    merged_at timestamptz NOT NULL DEFAULT now(),
    merged_by text NOT NULL DEFAULT session_user
);
CREATE INDEX merged_customer_into ON %1$I.merged_customer (into_customer);
COMMENT ON TABLE %1$I.merged_customer IS 'customers whose orders count for another; written by customer_tier.merge_customers() and unmerge_customers(), which take care that nobody stands on both sides';
COMMENT ON COLUMN %1$I.merged_customer.from_customer IS 'who is no customer of his own any more';
COMMENT ON COLUMN %1$I.merged_customer.into_customer IS 'for whom the orders count';
COMMENT ON COLUMN %1$I.merged_customer.merged_at IS 'when';
COMMENT ON COLUMN %1$I.merged_customer.merged_by IS 'by whom';
$ddl$, schema, key_type);
END
$$;
COMMENT ON FUNCTION customer_tier.create_merge_table(name, text) IS 'internal: the table of a program''s merged customers';

CREATE FUNCTION customer_tier.merge_problems(schema name) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
BEGIN
    -- Only rows written by hand can be so.
    RETURN QUERY EXECUTE format(
$query$
    SELECT '22023', format('%%s merges customer "%%s" into "%%s", who is merged into "%%s"', %3$L, first.from_customer, first.into_customer, second.into_customer),
           format('Chains are not followed: UPDATE %%s SET into_customer = %%L WHERE from_customer = %%L;', %3$L, second.into_customer, first.from_customer)
      FROM %1$I.merged_customer AS first
      JOIN %1$I.merged_customer AS second ON second.from_customer %2$s first.into_customer
     ORDER BY first.from_customer
     LIMIT 1
$query$, schema, equality, format('%I.merged_customer', schema));
END
$$;
COMMENT ON FUNCTION customer_tier.merge_problems(name) IS 'internal: merged customers that lead to a merged customer; no row = none';

CREATE FUNCTION customer_tier.merge_customers(program text, from_customer text, into_customer text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    key_type text;
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
    published date := customer_tier.published_day(schema);
    customer text;
    stays text;             -- who stays, when into_customer was merged himself
    is_one boolean;
    overrides bigint;
BEGIN
    IF from_customer IS NULL OR into_customer IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'the customer must not be NULL', HINT = format('SELECT customer_id FROM %I.ratings lists the customers.', schema);
    END IF;
    PERFORM customer_tier.check_key(schema, from_customer);
    key_type := customer_tier.check_key(schema, into_customer);
    -- One merge at a time; and a refresh under way has read the table already: wait for it.
    EXECUTE format('LOCK TABLE %I.merged_customer IN SHARE ROW EXCLUSIVE MODE', schema);

    EXECUTE format('SELECT CAST(merged.into_customer AS text) FROM %I.merged_customer AS merged WHERE merged.from_customer %s CAST($1 AS %s)', schema, equality, key_type)
        INTO stays USING from_customer;
    IF stays IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('customer "%s" is merged into "%s" already', from_customer, stays),
            HINT = format('SELECT customer_tier.unmerge_customers(%L, %L) takes that back.', program, from_customer);
    END IF;
    EXECUTE format('SELECT CAST(merged.into_customer AS text) FROM %I.merged_customer AS merged WHERE merged.from_customer %s CAST($1 AS %s)', schema, equality, key_type)
        INTO stays USING into_customer;
    EXECUTE format('SELECT CAST($1 AS %1$s) %2$s CAST($2 AS %1$s)', key_type, equality) INTO is_one USING from_customer, coalesce(stays, into_customer);
    IF is_one THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN stays IS NULL THEN format('"%s" and "%s" are one customer already', from_customer, into_customer)
                           ELSE format('customer "%s" is merged into "%s" already', into_customer, from_customer) END,
            HINT = CASE WHEN stays IS NULL THEN 'Name two customers: the first is no customer of his own any more, the second stays.'
                        ELSE format('To have it the other way round: SELECT customer_tier.unmerge_customers(%L, %L); first.', program, into_customer) END;
    END IF;
    stays := coalesce(stays, into_customer);

    FOREACH customer IN ARRAY ARRAY[from_customer, stays] LOOP
        PERFORM customer_tier.check_known_customer(schema, program, customer, key_type);
    END LOOP;
    EXECUTE format('SELECT count(*) FROM %I.tier_override AS given WHERE given.customer_id %s CAST($1 AS %s) AND given.valid_to > given.valid_from AND given.valid_to > coalesce($2 + 1, ''-infinity'')',
                   schema, equality, key_type) INTO overrides USING from_customer, published;
    IF overrides > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_in_use',
            MESSAGE = format('a person decided about the tier of customer "%s", which would be lost', from_customer),
            DETAIL = format('%s rows of %I.tier_override are valid or to come.', overrides, schema),
            HINT = format('SELECT customer_tier.end_override(%1$L, %2$L, ''merged into %3$s''); first, and set one for "%3$s" if it is to go on.', program, from_customer, stays);
    END IF;

    EXECUTE format('INSERT INTO %1$I.merged_customer (from_customer, into_customer) VALUES (CAST($1 AS %2$s), CAST($2 AS %2$s))', schema, key_type) USING from_customer, stays;
    -- Who was merged into him goes along.
    EXECUTE format('UPDATE %1$I.merged_customer AS merged SET into_customer = CAST($2 AS %2$s) WHERE merged.into_customer %3$s CAST($1 AS %2$s)', schema, key_type, equality) USING from_customer, stays;
    RETURN stays;
END
$$;
COMMENT ON FUNCTION customer_tier.merge_customers(text, text, text) IS
    'two customers are one: from the next refresh on all orders of the first count for the second, and the first is no customer of his own any more; his history of tiers is closed and stays. Returns who stays: when the second was merged himself, he whom he was merged into';

CREATE FUNCTION customer_tier.merge_customers(program text, from_customer anynonarray, into_customer anynonarray) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE AS $$
    SELECT customer_tier.merge_customers($1, CAST($2 AS text), CAST($3 AS text))
$$;
COMMENT ON FUNCTION customer_tier.merge_customers(text, anynonarray, anynonarray) IS 'the same, with the customer keys in their own type';

CREATE FUNCTION customer_tier.unmerge_customers(program text, customer text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    key_type text := customer_tier.check_key(schema, customer);
    stayed text;
BEGIN
    EXECUTE format('LOCK TABLE %I.merged_customer IN SHARE ROW EXCLUSIVE MODE', schema);
    EXECUTE format('DELETE FROM %I.merged_customer AS merged WHERE merged.from_customer %s CAST($1 AS %s) RETURNING CAST(merged.into_customer AS text)', schema,
                   customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)), key_type)
        INTO stayed USING customer;
    IF stayed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('customer "%s" of program "%s" is not merged into another', coalesce(customer, 'NULL'), program),
            HINT = format('SELECT * FROM %I.merged_customer lists those who are.', schema);
    END IF;
    RETURN stayed;
END
$$;
COMMENT ON FUNCTION customer_tier.unmerge_customers(text, text) IS
    'take back that a customer was merged: from the next refresh on he is one of his own again, evaluated as a new one. Returns whom he had been merged into. Who had been merged into him before stays with that one';

CREATE FUNCTION customer_tier.unmerge_customers(program text, customer anynonarray) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE AS $$
    SELECT customer_tier.unmerge_customers($1, CAST($2 AS text))
$$;
COMMENT ON FUNCTION customer_tier.unmerge_customers(text, anynonarray) IS 'the same, with the customer key in its own type';
