-- The state machine over past days, from the histories alone: the history of
-- tiers as it would have been, and how much customers would have moved under
-- other policies.  Nothing is written: it works on a standby.

CREATE FUNCTION customer_tier.replay_moves(query text, days date[], rules jsonb[], rules_of_day int[])
RETURNS TABLE (customer_id text, valid_from date, valid_to date, tier text, tier_rank int, reason text, score numeric, previous_tier text)
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'replay_moves';
COMMENT ON FUNCTION customer_tier.replay_moves(text, date[], jsonb[], int[]) IS 'internal: run the state machine over days, with the rules of each day; the query gives what it is given on day $1';

CREATE FUNCTION customer_tier.replay_counts(query text, days date[], rules jsonb[], rules_of_day int[], reversal_days int)
RETURNS TABLE (policy int, customers bigint, customer_days bigint, moves bigint, upgrades bigint, downgrades bigint, reversals bigint, tiers text[], members bigint[])
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'replay_counts';
COMMENT ON FUNCTION customer_tier.replay_counts(text, date[], jsonb[], int[], int) IS 'internal: run the state machine over days under several policies (rules of all terms for the first, then for the second ...), and count moves';

CREATE FUNCTION customer_tier.check_replay_days(days date[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    IF days IS NULL OR cardinality(days) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'there are no days to replay',
            HINT = 'Give the days, such as ARRAY[date ''2024-01-31'', ''2024-02-29''].';
    ELSIF array_ndims(days) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'array_subscript_error', MESSAGE = format('the days to replay have %s dimensions', array_ndims(days)),
            HINT = 'Give an array of one dimension.';
    ELSIF cardinality(days) > 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('a replay has at most 10000 days, not %s', cardinality(days)),
            HINT = 'Take longer steps, or a shorter time.';
    END IF;
    SELECT d.day, d.before INTO wrong
      FROM (SELECT u.day, u.n, lag(u.day) OVER (ORDER BY u.n) AS before FROM unnest(days) WITH ORDINALITY AS u (day, n)) AS d
     WHERE d.day IS NULL OR NOT isfinite(d.day) OR d.day <= d.before
     ORDER BY d.n LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    ELSIF wrong.day IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a day to replay is NULL', HINT = 'Leave it out.';
    ELSIF NOT isfinite(wrong.day) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow', MESSAGE = format('there is no replay of %s', wrong.day), HINT = 'Give days of the calendar.';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('the days to replay do not rise: %s comes after %s', wrong.day, wrong.before), HINT = 'Give each day once, the oldest first.';
END
$$;
COMMENT ON FUNCTION customer_tier.check_replay_days(date[]) IS 'internal: ensure that there are days to replay, rising, and not too many';

CREATE FUNCTION customer_tier.replay_calendar(from_day date, to_day date, step interval) RETURNS date[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    days date[];
    day date;
    n int := 0;
BEGIN
    IF from_day IS NULL OR to_day IS NULL OR step IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the days of a replay, and its step, must not be NULL',
            HINT = 'Give the first day, the last, and a step such as ''1 month''.';
    ELSIF NOT isfinite(from_day) OR NOT isfinite(to_day) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow', MESSAGE = format('there is no replay from %s to %s', from_day, to_day), HINT = 'Give days of the calendar.';
    ELSIF from_day > to_day THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the first day to replay is %s, after the last, %s', from_day, to_day),
            HINT = 'Give the older day first.';
    ELSIF NOT isfinite(step) OR CAST(from_day + step AS date) <= from_day THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the step of a replay must be a day or more, not %s', step),
            HINT = 'Take ''1 day'', ''1 week'', ''1 month'' ...';
    END IF;
    -- Counted from the first day: a month after 31 January is the end of
    -- February, two months after it the end of March.
    LOOP
        day := from_day + step * n;
        EXIT WHEN day > to_day;
        IF n = 10000 THEN
            RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('from %s to %s in steps of %s there are more than 10000 days', from_day, to_day, step),
                HINT = 'Take longer steps, or a shorter time.';
        END IF;
        days := days || day;
        n := n + 1;
    END LOOP;
    PERFORM customer_tier.check_replay_days(days);
    RETURN days;
END
$$;
COMMENT ON FUNCTION customer_tier.replay_calendar(date, date, interval) IS 'internal: the days of a replay: from_day, and all that are whole steps later, up to to_day';

CREATE FUNCTION customer_tier.replay_query(schema name, s customer_tier.program_settings, with_history boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Scales and cut points are those of the day itself, models the newest by
    -- then: what a refresh of that day would have measured.
    SELECT format(
$query$
    SELECT CAST(inputs.customer_id AS text), inputs.score, inputs.orders, inputs.first_day, inputs.segment, inputs.measures, inputs.override_tier, inputs.override_lock, %s AS history
      FROM (%s) AS inputs
$query$,
        CASE WHEN with_history THEN 'inputs.history' ELSE 'CAST(NULL AS customer_tier.purchase_history)' END,
        customer_tier.everyone_query(schema, s, '$1', 'CAST(NULL AS bigint)', 'inputs'))
$$;
COMMENT ON FUNCTION customer_tier.replay_query(name, customer_tier.program_settings, boolean) IS 'internal: the query that gives what the state machine is given for everybody on day $1; with histories where the policy looks at refunds';

CREATE FUNCTION customer_tier.replay_plan(program text, days date[], changes jsonb, settings jsonb[], OUT query text, OUT rules jsonb[], OUT rules_of_day int[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    has_orders boolean;
    first_days date[];      -- of the times in which the same rules are in force
    tried jsonb;
    all_terms jsonb[] := '{}';  -- of all times for the first policy, then for the second ...
    measures jsonb;
    wrong record;
    day date;
    setting jsonb;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.history WHERE customer_tier.last_day(history.history) IS NOT NULL)', schema) INTO has_orders;
    IF NOT has_orders THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('program "%s" has no orders to replay', program),
            HINT = format('CALL customer_tier.refresh(%L) reads them.', program);
    END IF;
    PERFORM customer_tier.check_compiled(schema, s);

    -- Rules of each day are those in force then.
    EXECUTE format(
$query$
    WITH day AS (
        SELECT d.day, d.n, (SELECT max(tier_change.valid_from) FROM %I.tier_change WHERE tier_change.valid_from <= d.day) AS change
          FROM unnest($1) WITH ORDINALITY AS d (day, n)
    ), numbered AS (
        SELECT day.*, dense_rank() OVER (ORDER BY day.change NULLS FIRST) AS number FROM day
    )
    SELECT array_agg(numbered.number ORDER BY numbered.n),
           (SELECT array_agg(f.day ORDER BY f.day) FROM (SELECT min(numbered.day) AS day FROM numbered GROUP BY numbered.number) AS f)
      FROM numbered
$query$, schema) INTO rules_of_day, first_days USING days;

    FOREACH day IN ARRAY first_days LOOP
        IF changes IS NOT NULL THEN
            tried := customer_tier.what_if(schema, day, changes);
        ELSE
            FOR wrong IN SELECT p.* FROM customer_tier.terms_problems(schema, day) AS p UNION ALL SELECT p.* FROM customer_tier.card_problems(schema) AS p LOOP
                RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, DETAIL = format('So it is on %s.', day), HINT = wrong.hint;
            END LOOP;
        END IF;
    END LOOP;
    FOREACH setting IN ARRAY coalesce(settings, '{NULL}') LOOP
        FOREACH day IN ARRAY first_days LOOP
            all_terms := all_terms || customer_tier.program_terms(schema, day,
                CASE WHEN setting IS NULL THEN tried ELSE coalesce(tried, '{}') || jsonb_build_object('policy', coalesce(tried->'policy', '{}') || setting) END);
        END LOOP;
    END LOOP;

    SELECT coalesce(jsonb_agg(m ORDER BY m), '[]') INTO measures
      FROM (SELECT DISTINCT m FROM unnest(all_terms) AS t, unnest(customer_tier.tier_measures(jsonb_build_object('terms', jsonb_build_array(t)))) AS m) AS d;
    -- Numbered by the times; older and later ones are for those to whom they granted a tier.
    WITH numbered AS MATERIALIZED (
        SELECT u.terms, u.n, (u.n - 1) / cardinality(first_days) AS policy, 1 + (u.n - 1) % cardinality(first_days) AS time
          FROM unnest(all_terms) WITH ORDINALITY AS u (terms, n)
    ), book AS (
        SELECT today.n, coalesce(jsonb_agg(jsonb_build_object('id', other.time) || other.terms ORDER BY other.time) FILTER (WHERE other.n IS NOT NULL), '[]')
                        || jsonb_build_array(jsonb_build_object('id', today.time) || today.terms) AS terms
          FROM numbered AS today
          LEFT JOIN numbered AS other ON other.policy = today.policy AND other.time <> today.time AND CAST(today.terms->'policy'->>'grandfather' AS boolean)
         GROUP BY today.n, today.time, today.terms
    )
    SELECT array_agg(jsonb_build_object('terms', book.terms, 'measures', measures) ORDER BY book.n) INTO rules FROM book;

    s.what_if := coalesce(tried - '{tiers,policy}'::text[], '{}')
        || jsonb_build_object('measures', measures, 'new_scales', true, 'new_ideals', true, 'new_grades', true,
                              'without_cuts', NOT EXISTS (SELECT FROM unnest(all_terms) AS t WHERE t @? '$.**.segment'));
    query := customer_tier.replay_query(schema, s, EXISTS (SELECT FROM unnest(all_terms) AS t WHERE CAST(t->'policy'->>'revoke_on_refund' AS boolean)));
    -- Said once, and not for every day.
    IF EXISTS (SELECT FROM customer_tier.card(schema, s.what_if) AS c WHERE NOT c.is_timed) THEN
        PERFORM customer_tier.is_replay(schema, days[1], NULL, true);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.replay_plan(text, date[], jsonb, jsonb[]) IS 'internal: what a replay needs: the query of a day, the rules of every time for every setting of the policy, and which time a day is in';

CREATE FUNCTION customer_tier.replay_days(program text, days date[], changes jsonb DEFAULT NULL)
RETURNS TABLE (customer_id text, valid_from date, valid_to date, tier text, tier_rank int, reason text, score numeric, previous_tier text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100000 SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    plan record;
BEGIN
    PERFORM customer_tier.check_replay_days(days);
    SELECT p.* INTO plan FROM customer_tier.replay_plan(program, days, changes, NULL) AS p;
    RETURN QUERY SELECT m.* FROM customer_tier.replay_moves(plan.query, days, plan.rules, plan.rules_of_day) AS m;
END
$$;
COMMENT ON FUNCTION customer_tier.replay_days(text, date[], jsonb) IS
    'the history of tiers as it would have been with a run on each of the days, as replay()';

CREATE FUNCTION customer_tier.replay(program text, from_day date, to_day date, step interval DEFAULT '1 month', changes jsonb DEFAULT NULL)
RETURNS TABLE (customer_id text, valid_from date, valid_to date, tier text, tier_rank int, reason text, score numeric, previous_tier text)
LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.* FROM customer_tier.replay_days(program, customer_tier.replay_calendar(from_day, to_day, step), changes) AS m
$$;
COMMENT ON FUNCTION customer_tier.replay(text, date, date, interval, jsonb) IS
    'the history of tiers as it would have been: the rules and policies of each day over past days, from the histories alone, with a run on from_day and every step later up to to_day; changes ({"tiers": ..., "policy": ...}) try out others. Scores 0..100 on the scales of each day; valid_to NULL = there on the last day. Writes nothing';

CREATE FUNCTION customer_tier.policy_grid(schema name, grid jsonb) RETURNS jsonb[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings jsonb[] := '{"{}"}';
    part record;
BEGIN
    IF grid IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the grid of settings must not be NULL',
            HINT = 'It looks like {"delta": [0, 5, 8], "grace_days": [0, 30]}.';
    ELSIF jsonb_typeof(grid) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the grid of settings is no object: %s', left(grid::text, 100)),
            HINT = 'It looks like {"delta": [0, 5, 8], "grace_days": [0, 30]}.';
    END IF;
    PERFORM customer_tier.check_change_keys('the policy', grid, customer_tier.table_columns(format('%I.tier_policy', schema)::regclass, '{only_row}'));
    FOR part IN SELECT g.key,
                       -- A tie-break is an array itself.
                       CASE WHEN jsonb_typeof(g.value) = 'array'
                                 AND (g.key <> 'tie_break' OR EXISTS (SELECT FROM jsonb_array_elements(g.value) AS e WHERE jsonb_typeof(e) IN ('array', 'null')))
                            THEN g.value ELSE jsonb_build_array(g.value) END AS settings
                  FROM jsonb_each(grid) WITH ORDINALITY AS g (key, value, n) ORDER BY g.n LOOP
        IF part.settings = '[]' THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the grid has no value of "%s"', part.key), HINT = 'Give at least one, or leave it out.';
        ELSIF cardinality(settings) * jsonb_array_length(part.settings) > 1000 THEN
            RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = 'the grid has more than 1000 settings', HINT = 'Give fewer values, and look closer where it pays.';
        END IF;
        SELECT array_agg(u.setting || jsonb_build_object(part.key, v.value) ORDER BY u.n, v.n) INTO settings
          FROM unnest(settings) WITH ORDINALITY AS u (setting, n), jsonb_array_elements(part.settings) WITH ORDINALITY AS v (value, n);
    END LOOP;
    RETURN settings;
END
$$;
COMMENT ON FUNCTION customer_tier.policy_grid(name, jsonb) IS 'internal: all combinations of the values of a grid, those of its last key varying fastest';

CREATE FUNCTION customer_tier.tune_policy(program text, from_day date, to_day date, step interval DEFAULT '1 month',
    grid jsonb DEFAULT '{"delta": [0, 3, 5, 8], "grace_days": [0, 30], "downgrade_confirm": [1, 2]}', changes jsonb DEFAULT NULL, reversal_days int DEFAULT 90)
RETURNS TABLE (setting jsonb, customers bigint, customer_years numeric, moves bigint, moves_per_customer_year numeric, upgrades bigint, downgrades bigint,
               reversals bigint, reversals_per_customer_year numeric, members jsonb)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    days date[] := customer_tier.replay_calendar(from_day, to_day, step);
    settings jsonb[] := customer_tier.policy_grid(customer_tier.program_schema(program), grid);
    plan record;
BEGIN
    IF reversal_days IS NULL OR reversal_days < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('reversal_days must be 0 or more, not %s', coalesce(reversal_days::text, 'NULL')),
            HINT = 'A move against the one before counts as a reversal when it comes within so many days.';
    END IF;
    SELECT p.* INTO plan FROM customer_tier.replay_plan(program, days, changes, settings) AS p;
    RETURN QUERY
        SELECT settings[c.policy], c.customers, round(y.years, 2), c.moves, round(c.moves / nullif(y.years, 0), 4), c.upgrades, c.downgrades,
               c.reversals, round(c.reversals / nullif(y.years, 0), 4),
               (SELECT jsonb_object_agg(m.tier, m.members) FROM unnest(c.tiers, c.members) AS m (tier, members))
          FROM customer_tier.replay_counts(plan.query, days, plan.rules, plan.rules_of_day, reversal_days) AS c,
               LATERAL (SELECT c.customer_days / 365.25 AS years) AS y
         ORDER BY c.policy;
END
$$;
COMMENT ON FUNCTION customer_tier.tune_policy(text, date, date, interval, jsonb, jsonb, int) IS
    'how much customers would have moved under each setting of the policy in a grid (any columns of tier_policy, all combinations), by a replay over the days of replay(): moves after the first evaluation, reversals (a move against the last one, at most reversal_days after it), both also a customer and year (of 365.25 days, from the first evaluation to the last day), and the members of each tier on the last day';
