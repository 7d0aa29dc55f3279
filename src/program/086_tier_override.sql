-- Where a person decides: overrides of tiers.  Rows are set and ended, never
-- deleted, and never reach back: what has been evaluated stays as it was.

CREATE FUNCTION customer_tier.known_customer_query(schema name, customer text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    key_column record;
    equality text;
    known text;
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    equality := customer_tier.key_equality(key_column.base_type);
    known := format('EXISTS (SELECT FROM %1$I.rating AS known WHERE known.customer_id %2$s %3$s) OR EXISTS (SELECT FROM %1$I.history AS known WHERE known.customer_id %2$s %3$s)', schema, equality, customer);
    IF s.customers_name IS NOT NULL AND to_regclass(format('%I.%I', s.customers_schema, s.customers_name)) IS NOT NULL THEN
        known := known || format(' OR EXISTS (SELECT FROM %I.%I AS known WHERE CAST(known.%I AS %s) %s %s)',
                                 s.customers_schema, s.customers_name, s.customers_key, format_type(key_column.type, -1), equality, customer);
    END IF;
    IF customer_tier.has_merges(schema) THEN
        known := format('(%s) AND NOT EXISTS (SELECT FROM %I.merged_customer AS merged WHERE merged.from_customer %s %s)', known, schema, equality, customer);
    END IF;
    RETURN known;
END
$$;
COMMENT ON FUNCTION customer_tier.known_customer_query(name, text) IS 'internal: whether a program knows a customer, the expression of a key: from its ratings, its histories or the customer master, and not as one who is merged into another';

CREATE FUNCTION customer_tier.override_problems(schema name) RETURNS TABLE (override_id bigint, customer_id text, tier text, problem text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given text := format(
$query$%1$I.tier_override AS given
     WHERE given.valid_to > coalesce((SELECT run.as_of FROM %1$I.run WHERE run.is_current), '-infinity')
       AND given.valid_to > given.valid_from$query$, schema);
    key_column record;
    keys text[];
    known text[];
BEGIN
    -- On Citus the keys have to go to the workers: they do not look for each row
    -- of a table of the coordinator.
    IF (customer_tier.program_settings(schema)).is_distributed THEN
        EXECUTE format('SELECT array_agg(CAST(given.customer_id AS text)) FROM %s', given) INTO keys;
        IF keys IS NULL THEN
            RETURN;
        END IF;
        SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
        EXECUTE format('SELECT array_agg(asked.key) FROM %I.history AS kept JOIN unnest($1) AS asked (key) ON kept.customer_id %s CAST(asked.key AS %s)%s', schema,
            customer_tier.key_equality(key_column.base_type), format_type(key_column.type, -1), key_column.collate_clause) INTO known USING keys;
    END IF;
    RETURN QUERY EXECUTE format(
$query$
    SELECT given.override_id, CAST(given.customer_id AS text), given.tier, 'the customer is not known'::text
      FROM %s
       AND NOT (%s)
     ORDER BY given.override_id
$query$, given, CASE WHEN keys IS NULL THEN customer_tier.known_customer_query(schema, 'given.customer_id') ELSE 'CAST(given.customer_id AS text) = ANY ($1)' END)
        USING coalesce(known, '{}');
END
$$;
COMMENT ON FUNCTION customer_tier.override_problems(name) IS 'internal: overrides, valid or to come, of customers that neither the ratings nor the orders nor the customer master know; no row = none';

CREATE FUNCTION customer_tier.check_override(program text, customer text, reason text, day date, what text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    published date := customer_tier.published_day(schema);
BEGIN
    IF customer IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'the customer must not be NULL', HINT = format('SELECT customer_id FROM %I.ratings lists the customers.', schema);
    ELSIF reason IS NULL OR reason !~ '[^[:space:]]' THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN reason IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = CASE WHEN reason IS NULL THEN 'the reason must not be NULL' ELSE 'the reason must not be empty' END,
            HINT = 'Say why, for those who ask later: reason => ''a bid to keep her, agreed with sales''.';
    ELSIF day IS NULL AND published IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings, after whose day %s could be', program, what),
            HINT = format('Give %s, or CALL customer_tier.refresh(%L); first.', what, program);
    ELSIF NOT isfinite(day) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
            MESSAGE = format('%s must be a day, not %s', what, day), HINT = 'Leave it out for the day after the published ratings.';
    ELSIF day <= published THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s is %s, but the ratings are published as of %s already', what, day, published),
            DETAIL = 'History is not rewritten.',
            HINT = format('The first day that is still open is %s; a refresh made with a wrong day is taken back by customer_tier.rewind_tiers().', published + 1);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.check_override(text, text, text, date, text) IS 'internal: what set_override() and end_override() ask of a customer, a reason and a day';

CREATE FUNCTION customer_tier.check_known_customer(schema name, program text, customer text, key_type text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_known boolean;
BEGIN
    EXECUTE format('SELECT %s', customer_tier.known_customer_query(schema, format('CAST($1 AS %s)', key_type))) INTO is_known USING customer;
    IF NOT is_known THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('program "%s" does not know customer "%s"', program, customer),
            HINT = format('Is the key right? A customer with an order, or in the customer master, is known after CALL customer_tier.refresh(%L).', program);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.check_known_customer(name, text, text, text) IS 'internal: ensure that a program knows a customer, by its key as text';

CREATE FUNCTION customer_tier.set_override(program text, customer text, tier text, reason text, valid_from date DEFAULT NULL, valid_to date DEFAULT 'infinity', lock boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    key_type text := customer_tier.check_key(schema, customer);
    first_day date;
    rank int;
    tiers text;
    id bigint;
BEGIN
    -- A refresh under way would publish a later day meanwhile: wait for it.
    EXECUTE format('LOCK TABLE %I.tier_override IN ROW EXCLUSIVE MODE', schema);
    PERFORM customer_tier.check_override(program, customer, reason, valid_from, 'valid_from');
    first_day := coalesce(valid_from, customer_tier.published_day(schema) + 1);
    IF valid_to IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'valid_to must not be NULL', HINT = 'Leave it out, or give ''infinity'', for an override without an end.';
    ELSIF valid_to <= first_day THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the override would end (%s) before it begins (%s)', valid_to, first_day),
            HINT = 'valid_to is the first day on which it does no longer apply.';
    ELSIF lock IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'lock must not be NULL', HINT = 'true = exactly this tier, false = at least this tier.';
    END IF;
    EXECUTE format('SELECT t.tier_rank FROM %I.tier AS t WHERE t.code = $1', schema) INTO rank USING tier;
    IF rank IS NULL THEN
        EXECUTE format('SELECT string_agg(t.code, '', '' ORDER BY t.tier_rank) FROM %I.tier AS t', schema) INTO tiers;
        RAISE EXCEPTION USING ERRCODE = CASE WHEN tier IS NULL THEN '22004' ELSE '42704' END,
            MESSAGE = CASE WHEN tier IS NULL THEN 'the tier must not be NULL' ELSE format('program "%s" has no tier "%s"', program, tier) END,
            HINT = format('Its tiers are %s.', tiers);
    ELSIF rank = 1 AND NOT lock THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('everybody stands at least in the base tier "%s"', tier),
            HINT = 'With lock => true the customer stands there and does not climb.';
    END IF;
    PERFORM customer_tier.check_known_customer(schema, program, customer, key_type);
    EXECUTE format('INSERT INTO %I.tier_override (customer_id, tier, reason, lock, valid_from, valid_to) VALUES (CAST($1 AS %s), $2, $3, $4, $5, $6) RETURNING tier_override.override_id', schema, key_type)
        INTO id USING customer, tier, reason, lock, first_day, valid_to;
    RETURN id;
END
$$;
COMMENT ON FUNCTION customer_tier.set_override(text, text, text, text, date, date, boolean) IS
    'a person decides: from valid_from (by default the day after the published ratings) up to but not including valid_to the customer stands at least in this tier, with lock exactly in it. Counts from the next refresh on; returns the number of the override';

CREATE FUNCTION customer_tier.set_override(program text, customer anynonarray, tier text, reason text, valid_from date DEFAULT NULL, valid_to date DEFAULT 'infinity', lock boolean DEFAULT false) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE AS $$
    SELECT customer_tier.set_override($1, CAST($2 AS text), $3, $4, $5, $6, $7)
$$;
COMMENT ON FUNCTION customer_tier.set_override(text, anynonarray, text, text, date, date, boolean) IS 'the same, with the customer key in its own type';

CREATE FUNCTION customer_tier.end_override(program text, customer text, reason text, valid_to date DEFAULT NULL) RETURNS int
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    key_type text := customer_tier.check_key(schema, customer);
    last_day date;
    ended int;
BEGIN
    -- A refresh under way would publish a later day meanwhile: wait for it.
    EXECUTE format('LOCK TABLE %I.tier_override IN ROW EXCLUSIVE MODE', schema);
    PERFORM customer_tier.check_override(program, customer, reason, valid_to, 'valid_to');
    last_day := coalesce(valid_to, customer_tier.published_day(schema) + 1);
    -- One that has not begun by then never will: it ends where it begins.
    EXECUTE format(
$query$
    UPDATE %I.tier_override AS given
       SET planned_to = coalesce(given.planned_to, given.valid_to), valid_to = greatest($2, given.valid_from),
           ended_by = session_user, ended_at = now(), ended_reason = $3
     WHERE given.customer_id %s CAST($1 AS %s) AND given.valid_to > $2 AND given.valid_to > given.valid_from
$query$, schema, customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)), key_type)
        USING customer, last_day, reason;
    GET DIAGNOSTICS ended = ROW_COUNT;
    IF ended = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('customer "%s" of program "%s" has no override on %s or later', customer, program, last_day),
            HINT = format('SELECT * FROM %I.tier_override lists them all, with those that have ended.', schema);
    END IF;
    RETURN ended;
END
$$;
COMMENT ON FUNCTION customer_tier.end_override(text, text, text, date) IS
    'end all overrides of a customer, valid or to come, on a day, by default the one after the published ratings; that day is the first without. Nothing is deleted: who ended them, when, why, and until when they were meant stays in <schema>.tier_override. Returns how many';

CREATE FUNCTION customer_tier.end_override(program text, customer anynonarray, reason text, valid_to date DEFAULT NULL) RETURNS int
LANGUAGE sql VOLATILE PARALLEL UNSAFE AS $$
    SELECT customer_tier.end_override($1, CAST($2 AS text), $3, $4)
$$;
COMMENT ON FUNCTION customer_tier.end_override(text, anynonarray, text, date) IS 'the same, with the customer key in its own type';
