-- What is wrong with a program: rules that span several rows or look at other
-- tables, which no constraint in its schema may do (it would stop a restore).

CREATE FUNCTION customer_tier.program_problems(schema name, as_of date DEFAULT NULL) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    missing text;
    source_key record;
    our_key record;
    day date;
BEGIN
    SELECT string_agg(format('%I', t), ', ') INTO missing
      FROM unnest('{history,tier,tier_policy,tier_change,tier_terms,tier_history,tier_correction,tier_override,tier_event,segment,dimension,scorecard,grade,run,run_dimension,weighting,model,forecast,rating,merged_customer,quality_gate,gate_result,ratings,calibration}'::text[]) t
     WHERE to_regclass(format('%I.%I', schema, t)) IS NULL;
    IF missing IS NOT NULL THEN
        RETURN QUERY SELECT '42P01', format('schema "%s" of program "%s" lacks %s', schema, s.program, missing),
            CASE WHEN missing IN ('ratings', 'calibration', 'ratings, calibration') THEN format('SELECT customer_tier.adopt_program(%L) makes it again.', schema)
                         ELSE 'Restore it from a backup, or create the program again.' END;
        RETURN;
    END IF;

    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.settings_problems(s) p;
    IF NOT FOUND THEN
        SELECT * INTO source_key FROM customer_tier.program_key(s);
        SELECT * INTO our_key FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
        IF source_key.base_type <> our_key.base_type THEN
            RETURN QUERY SELECT '42804',
                format('the customers of %I.%I have type %s, those of program "%s" have type %s',
                       coalesce(s.identities_schema, s.source_schema), coalesce(s.identities_name, s.source_name), source_key.declared, s.program, our_key.declared),
                'Drop the program and create it again, or give it a view with the old type.'::text;
        END IF;
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.source_rows_problems(s) p;
    END IF;

    IF NOT EXISTS (SELECT FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'history')) THEN
        RETURN QUERY SELECT '42703', format('%I.history has lost its histories, as it does when the extension is dropped', schema),
            format('SELECT customer_tier.adopt_program(%L);', schema);
    END IF;

    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.terms_problems(schema, as_of) p;
    IF as_of IS NULL AND NOT FOUND THEN
        -- A change may mend what is wrong until then.
        FOR day IN EXECUTE format(
$query$
    WITH to_come AS (SELECT c.valid_from FROM %I.tier_change c WHERE c.valid_from > coalesce($1, '-infinity'))
    SELECT coalesce($1, current_date) WHERE EXISTS (SELECT FROM to_come) UNION SELECT to_come.valid_from FROM to_come ORDER BY 1
$query$, schema) USING customer_tier.published_day(schema) LOOP
            RETURN QUERY SELECT p.code, format('as of %s: %s', day, p.problem), p.hint FROM customer_tier.terms_problems(schema, day) p;
            EXIT WHEN FOUND;
        END LOOP;
    END IF;
    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.card_problems(schema) p;
    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.merge_problems(schema) p;
    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.gate_problems(schema) p;

    RETURN QUERY
        SELECT '22023', format('%I.settings says that the program is "%s", the registry that it is "%s"', program_problems.schema, s.program, r.name),
               format('UPDATE %I.settings SET program = %L;', program_problems.schema, r.name)
          FROM customer_tier.program r
         WHERE r.schema = program_problems.schema AND r.name <> s.program;
END
$$;
COMMENT ON FUNCTION customer_tier.program_problems(name, date) IS 'internal: everything that is wrong with a program, its tiers as of a day (NULL = with all changes that are to come); no row = nothing';

CREATE FUNCTION customer_tier.check_program(program text) RETURNS TABLE (problem text, hint text)
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'check_program';
COMMENT ON FUNCTION customer_tier.check_program(text) IS
    'what is wrong with a program, and what to do about it; no row = nothing. A refresh asks first, and stops when there is a row';
