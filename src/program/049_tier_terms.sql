-- The terms of a program: rules and policy as they are in force on a day, as one
-- jsonb that the state machine reads; and what they measure, as SQL.

CREATE FUNCTION customer_tier.check_change_keys(what text, given jsonb, allowed text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    IF given IS NULL THEN
        RETURN;
    ELSIF jsonb_typeof(given) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the changes of %s are no object: %s', what, left(given::text, 100)),
            HINT = 'Changes look like {"tiers": {"gold": {"min_score": 70}}, "policy": {"delta": 8}}.';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(given) k WHERE k <> ALL (allowed) ORDER BY k LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the changes of %s have an unknown key "%s"', what, unknown),
            HINT = format('There are %s.', array_to_string(allowed, ', '));
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.check_change_keys(text, jsonb, text[]) IS 'internal: ensure that changes are an object of known keys';

CREATE FUNCTION customer_tier.table_columns(relation regclass, without text[]) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
      FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (without)
$$;
COMMENT ON FUNCTION customer_tier.table_columns(regclass, text[]) IS 'internal: the columns of a relation but for some';

CREATE FUNCTION customer_tier.changed_tiers(schema name, tiers jsonb, policy jsonb, changes jsonb, OUT new_tiers jsonb, OUT new_policy jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text;
    change jsonb;
BEGIN
    PERFORM customer_tier.check_change_keys('tiers', changes->'tiers', ARRAY(SELECT jsonb_object_keys(CASE jsonb_typeof(changes->'tiers') WHEN 'object' THEN changes->'tiers' ELSE '{}' END)));
    PERFORM customer_tier.check_change_keys('the policy', changes->'policy', customer_tier.table_columns(format('%I.tier_policy', schema)::regclass, '{only_row}'));
    new_policy := policy || coalesce(changes->'policy', '{}');
    new_tiers := tiers;
    FOR code, change IN SELECT * FROM jsonb_each(coalesce(changes->'tiers', '{}')) LOOP
        IF change = 'null' THEN
            IF NOT new_tiers ? code THEN
                RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no tier "%s" to take away', code);
            END IF;
            new_tiers := new_tiers - code;
            CONTINUE;
        END IF;
        PERFORM customer_tier.check_change_keys(format('tier "%s"', code), change, customer_tier.table_columns(format('%I.tier', schema)::regclass, '{code}'));
        IF NOT new_tiers ? code AND NOT change ? 'tier_rank' THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object',
                MESSAGE = format('there is no tier "%s"', code),
                HINT = format('For a new tier give its tier_rank: {"tiers": {%s: {"tier_rank": 3, "min_score": 60}}}.', to_jsonb(code));
        END IF;
        -- A new threshold takes the place of the rule, and the other way round.
        IF change ? 'min_score' AND NOT change ? 'entry' THEN
            change := change || '{"entry": null}';
        ELSIF change ? 'entry' AND NOT change ? 'min_score' THEN
            change := change || '{"min_score": null}';
        END IF;
        new_tiers := jsonb_set(new_tiers, ARRAY[code], coalesce(new_tiers->code, jsonb_build_object('code', code, 'label', code, 'label_zh', code)) || change);
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.changed_tiers(name, jsonb, jsonb, jsonb) IS 'internal: tiers (an object by code) and policy with changes applied';

CREATE FUNCTION customer_tier.tiers_in_force(schema name, as_of date, what_if jsonb DEFAULT NULL, OUT tiers jsonb, OUT policy jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change record;
BEGIN
    EXECUTE format('SELECT coalesce(jsonb_object_agg(tier.code, to_jsonb(tier)), ''{}'') FROM %I.tier', schema) INTO tiers;
    EXECUTE format('SELECT to_jsonb(tier_policy) - ''only_row'' FROM %I.tier_policy', schema) INTO policy;
    IF policy IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'cardinality_violation',
            MESSAGE = format('%I.tier_policy has no row, it must have one', schema),
            HINT = format('INSERT INTO %I.tier_policy DEFAULT VALUES;', schema);
    END IF;
    FOR change IN EXECUTE format('SELECT tier_change.valid_from, tier_change.changes FROM %I.tier_change WHERE tier_change.valid_from <= coalesce($1, ''infinity'') ORDER BY 1', schema) USING as_of LOOP
        PERFORM customer_tier.check_change_keys(format('%I.tier_change of %s', schema, change.valid_from), change.changes, '{tiers,policy}');
        SELECT c.new_tiers, c.new_policy INTO tiers, policy FROM customer_tier.changed_tiers(schema, tiers, policy, change.changes) c;
    END LOOP;
    IF what_if IS NOT NULL THEN
        SELECT c.new_tiers, c.new_policy INTO tiers, policy FROM customer_tier.changed_tiers(schema, tiers, policy, what_if) c;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.tiers_in_force(name, date, jsonb) IS 'internal: tiers (an object by code) and policy as of a day (NULL = at last): the tables with all changes that are valid by then, and what is tried out';

CREATE FUNCTION customer_tier.program_terms(schema name, as_of date, what_if jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
               'tiers', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('code', t.value->'code', 'min_score', t.value->'min_score', 'entry', t.value->'entry', 'stay', t.value->'stay'))
                                                   ORDER BY CAST(t.value->>'tier_rank' AS integer))
                                    FROM jsonb_each(f.tiers) t), '[]'),
               'policy', f.policy - '{near_score,near_amount,coming_days,notify}'::text[])
      FROM customer_tier.tiers_in_force(schema, as_of, what_if) AS f
$$;
COMMENT ON FUNCTION customer_tier.program_terms(name, date, jsonb) IS 'internal: what the state machine follows as of a day: tiers from the base up, and the policy';

CREATE FUNCTION customer_tier.put_terms(schema name, as_of date) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present jsonb := customer_tier.program_terms(schema, as_of);
    id bigint;
BEGIN
    EXECUTE format('SELECT newest.terms_id FROM (SELECT * FROM %I.tier_terms ORDER BY terms_id DESC LIMIT 1) AS newest WHERE newest.terms = $1', schema) INTO id USING present;
    IF id IS NULL THEN
        EXECUTE format('INSERT INTO %I.tier_terms (valid_from, terms) VALUES ($1, $2) RETURNING terms_id', schema) INTO id USING as_of, present;
    END IF;
    RETURN id;
END
$$;
COMMENT ON FUNCTION customer_tier.put_terms(name, date) IS 'internal: keep the terms as of a day if they are not those kept last; returns their number';

CREATE FUNCTION customer_tier.rule_book(schema name, run_id bigint, measures text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today bigint;
    book jsonb;
BEGIN
    EXECUTE format('SELECT coalesce((SELECT run.terms_id FROM %1$I.run WHERE run.run_id = $1), (SELECT max(tier_terms.terms_id) FROM %1$I.tier_terms))', schema)
        INTO today USING run_id;
    -- Older terms are for those to whom they granted a tier.
    EXECUTE format(
$query$
    SELECT jsonb_build_object('terms', jsonb_agg(jsonb_build_object('id', t.terms_id) || t.terms ORDER BY t.terms_id = $1, t.terms_id), 'measures', to_jsonb($2))
      FROM %1$I.tier_terms AS t
     WHERE t.terms_id = $1
        OR EXISTS (SELECT FROM %1$I.tier_terms AS present WHERE present.terms_id = $1 AND CAST(present.terms->'policy'->>'grandfather' AS boolean))
$query$, schema) INTO book USING today, measures;
    RETURN book;
END
$$;
COMMENT ON FUNCTION customer_tier.rule_book(name, bigint, text[]) IS 'internal: the rules for tier_move(): the terms of a run, or the newest, with the older ones where these still count; measures names the values it will be given';

CREATE FUNCTION customer_tier.compiled_measures(schema name, terms jsonb DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text[];
BEGIN
    EXECUTE format(
$query$
    SELECT array_agg(DISTINCT m ORDER BY m)
      FROM (SELECT tier_terms.terms FROM %1$I.tier_terms UNION ALL SELECT $1 WHERE $1 IS NOT NULL) AS t (terms),
           unnest(customer_tier.tier_measures(jsonb_build_object('terms', jsonb_build_array(t.terms)))) AS m
$query$, schema) INTO names USING terms;
    RETURN coalesce(names, '{}');
END
$$;
COMMENT ON FUNCTION customer_tier.compiled_measures(name, jsonb) IS 'internal: names of the measures that any terms of the program ask for';

CREATE FUNCTION customer_tier.measure_expression(schema name, measure text, customer text, as_of text, what_if jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := regexp_replace(measure, ' ([0-9]+)$', '');
    days text := substring(measure FROM ' ([0-9]+)$');
    history text;
    dimension int;
BEGIN
    IF measure IN ('recency_days', 'orders', 'purchase_days', 'revenue', 'refunded', 'average_order', 'p_alive', 'p_active', 'expected_purchases', 'expected_spend', 'clv', 'coverage') THEN
        RETURN format('CAST(%s.%I AS double precision)', customer, measure);
    ELSIF measure = 'tenure_days' THEN
        RETURN format('CAST(%s - %s.first_day AS double precision)', as_of, customer);
    ELSIF measure = 'refund_rate' THEN
        RETURN format('coalesce(%1$s.refund_rate, CASE WHEN %1$s.refunded = 0 THEN 0.0 ELSE 1.0 END)', customer);
    ELSIF measure = 'refunded_since' THEN
        RETURN format('CASE WHEN %1$s.refunded > 0 THEN CAST(customer_tier.refunded(%1$s.history, %2$s) - coalesce(customer_tier.refunded(%1$s.history, (%1$s.stood).since), 0) AS double precision) END', customer, as_of);
    ELSIF measure = 'earned_amount' THEN
        history := format('customer_tier.last_day(%1$s.history, (%1$s.stood).since)', customer);
        RETURN format('CASE WHEN %1$s.refunded > 0 THEN CAST(customer_tier.revenue(customer_tier.within(%1$s.history, %2$s, %2$s)) AS double precision) END', customer, history);
    ELSIF days IS NOT NULL AND name IN ('orders', 'purchase_days', 'revenue', 'refunded') THEN
        RETURN format('CASE WHEN %2$s.orders > 0 THEN CAST(coalesce(customer_tier.%1$I(customer_tier.within(%2$s.history, %3$s - %4$s, %3$s)), 0) AS double precision) END', name, customer, as_of, days::int - 1);
    END IF;
    SELECT c.n INTO dimension FROM customer_tier.card(schema, what_if) c WHERE c.name = measure;
    RETURN CASE WHEN dimension IS NOT NULL THEN format('%s.dimension_values[%s]', customer, dimension) END;
END
$$;
COMMENT ON FUNCTION customer_tier.measure_expression(name, text, text, text, jsonb) IS 'internal: the SQL of a measure that rules of tiers look at, of a row of rate(); NULL when there is no such measure';

CREATE FUNCTION customer_tier.has_limits(terms jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT terms OPERATOR(pg_catalog.@?) '$.**.share' OR terms OPERATOR(pg_catalog.@?) '$.**.capacity'
$$;
COMMENT ON FUNCTION customer_tier.has_limits(jsonb) IS 'internal: whether a rule asks for a share or a capacity';

CREATE FUNCTION customer_tier.program_has_limits(schema name, today jsonb DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    older boolean;
BEGIN
    IF today IS NULL THEN
        EXECUTE format('SELECT t.terms FROM %I.tier_terms AS t ORDER BY t.terms_id DESC LIMIT 1', schema) INTO today;
    END IF;
    -- Older terms count where they still hold for whom they granted a tier.
    EXECUTE format('SELECT bool_or(customer_tier.has_limits(t.terms)) FROM %I.tier_terms AS t', schema) INTO older;
    RETURN customer_tier.has_limits(today) OR (older AND CAST(today->'policy'->>'grandfather' AS boolean)) IS TRUE;
END
$$;
COMMENT ON FUNCTION customer_tier.program_has_limits(name, jsonb) IS 'internal: whether shares or capacities have to be counted under the newest terms, or under those given';


CREATE FUNCTION customer_tier.row_problems(schema name, relation name, key name, rows text) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rule record;
BEGIN
    -- Rows that are tried out have to obey what the table says of rows.
    FOR rule IN
        SELECT pg_get_expr(c.conbin, c.conrelid) AS expression, pg_get_constraintdef(c.oid, true) AS definition,
               ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) ORDER BY a.attnum) AS columns
          FROM pg_constraint c
         WHERE c.conrelid = to_regclass(format('%I.%I', schema, relation)) AND c.contype = 'c'
        UNION ALL
        SELECT format('%I IS NOT NULL', a.attname), format('NOT NULL (%I)', a.attname), ARRAY[a.attname::text]
          FROM pg_attribute a
         WHERE a.attrelid = to_regclass(format('%I.%I', schema, relation)) AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
         ORDER BY 3, 2
    LOOP
        RETURN QUERY EXECUTE format(
$query$
    SELECT format('%%s would have %%s', %1$s, (SELECT string_agg(format('%%s = %%s', c, coalesce(to_jsonb(tried)->>c, 'NULL')), ', ' ORDER BY n) FROM unnest($1) WITH ORDINALITY AS u (c, n))), $2
      FROM %2$s AS tried
     WHERE (%3$s) IS FALSE
     ORDER BY 1
$query$, CASE WHEN key IS NULL THEN format('%L', relation) ELSE format('format(''%%s "%%s"'', %L, %I)', relation, key) END, rows, rule.expression)
            USING rule.columns, format('%I.%I has the rule %s.', schema, relation, rule.definition);
    END LOOP;
EXCEPTION
    WHEN data_exception THEN
        RETURN QUERY SELECT format('%I.%I could not hold the values: %s', schema, relation, SQLERRM), 'Give values of the types that its columns have.'::text;
END
$$;
COMMENT ON FUNCTION customer_tier.row_problems(name, name, name, text) IS 'internal: what the constraints of a table say against rows (an item of FROM) that are to be tried out in it; no row = nothing';

CREATE FUNCTION customer_tier.rule_problem(schema name, terms jsonb, what_if jsonb) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    detail text;
BEGIN
    RETURN QUERY
        SELECT '42703', format('there is no measure "%s"', m), 'Measures are those of the documentation (docs/tiers.md), and the dimensions of the scorecard by their names.'::text
          FROM unnest(customer_tier.tier_measures(jsonb_build_object('terms', jsonb_build_array(terms)))) AS m
         WHERE customer_tier.measure_expression(schema, m, '', '', what_if) IS NULL;
EXCEPTION
    WHEN invalid_parameter_value THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, problem = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        problem := concat_ws('. ', problem, nullif(detail, ''));
        RETURN NEXT;
END
$$;
COMMENT ON FUNCTION customer_tier.rule_problem(name, jsonb, jsonb) IS 'internal: what is wrong with the rules of some tiers, or with a policy; no row = nothing';

CREATE FUNCTION customer_tier.simple_rule(entry jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN (SELECT count(*) FROM jsonb_object_keys(rule)) = 1 THEN
               (SELECT CASE jsonb_typeof(r.value)
                            WHEN 'number' THEN rule
                            WHEN 'object' THEN CASE WHEN NOT r.value ? 'at_most' THEN jsonb_build_object(concat_ws(' ', r.key, r.value->>'days'), r.value->'at_least') END END
                  FROM jsonb_each(rule) AS r) END
      FROM (SELECT CASE WHEN jsonb_typeof(entry) = 'object' THEN entry
                        WHEN jsonb_typeof(entry) = 'array' AND jsonb_array_length(entry) = 1 AND jsonb_typeof(entry->0) = 'object' THEN entry->0 END) AS o (rule)
     WHERE rule IS NOT NULL
$$;
COMMENT ON FUNCTION customer_tier.simple_rule(jsonb) IS 'internal: a single rule of a single condition, as {measure: least value}; NULL for all others';

CREATE FUNCTION customer_tier.terms_problems(schema name, as_of date, what_if jsonb DEFAULT NULL) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f record;
    tier record;
    segments text[];
BEGIN
    BEGIN
        SELECT * INTO f FROM customer_tier.tiers_in_force(schema, as_of, what_if);
    EXCEPTION
        WHEN invalid_parameter_value OR undefined_object OR cardinality_violation THEN
            GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, problem = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            RETURN NEXT;
            RETURN;
    END;
    IF f.tiers = '{}' THEN
        RETURN QUERY SELECT '22023', format('%I.tier has no tiers', schema), 'Insert at least a base tier: tier_rank 1, without min_score.'::text;
        RETURN;
    ELSIF (SELECT count(*) FROM jsonb_object_keys(f.tiers)) > 1000 THEN
        RETURN QUERY SELECT '22023', format('%I.tier has %s tiers', schema, (SELECT count(*) FROM jsonb_object_keys(f.tiers))), 'There are at most 1000.'::text;
        RETURN;
    END IF;
    IF f.tiers OPERATOR(pg_catalog.@?) '$.**.segment' THEN
        EXECUTE format($query$SELECT array_agg(m.segment) FROM (SELECT segment FROM customer_tier.segment_map WHERE map = (SELECT segment_map FROM %I.settings) UNION VALUES ('prospects')) AS m$query$, schema) INTO segments;
    END IF;
    -- What comes from tier_change has passed no constraint of the tables yet.
    IF what_if IS NULL THEN
        RETURN QUERY
            SELECT '22023', format('with the changes of %I.tier_change %s', schema, p.problem), p.hint
              FROM (SELECT * FROM customer_tier.row_problems(schema, 'tier', 'code', format('(SELECT (jsonb_populate_record(CAST(NULL AS %I.tier), t.value)).* FROM jsonb_each(%L) AS t)', schema, f.tiers))
                    UNION ALL
                    SELECT * FROM customer_tier.row_problems(schema, 'tier_policy', NULL, format('(SELECT (jsonb_populate_record(CAST(NULL AS %I.tier_policy), %L)).*)', schema, f.policy || '{"only_row": true}'))) AS p;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    FOR tier IN SELECT t.key AS code, CAST(t.value->>'tier_rank' AS int) AS rank, lag(CAST(t.value->>'tier_rank' AS int), 1, 0) OVER w AS rank_below,
                       CAST(t.value->>'min_score' AS numeric) AS min_score, lag(CAST(t.value->>'min_score' AS numeric)) OVER w AS score_below,
                       jsonb_strip_nulls(jsonb_build_object('code', t.key, 'min_score', t.value->'min_score', 'entry', t.value->'entry', 'stay', t.value->'stay')) AS rules, e.entry, lag(e.entry) OVER w AS entry_below
                  FROM jsonb_each(f.tiers) t,
                       LATERAL (SELECT CASE WHEN jsonb_typeof(t.value->'min_score') = 'number' THEN jsonb_build_object('score', t.value->'min_score') ELSE t.value->'entry' END) AS e (entry)
                WINDOW w AS (ORDER BY CAST(t.value->>'tier_rank' AS int), t.key) ORDER BY 2, 1 LOOP
        IF tier.rank <> tier.rank_below + 1 THEN
            RETURN QUERY SELECT '22023',
                CASE WHEN tier.rank = tier.rank_below THEN format('two tiers of %I.tier have the tier_rank %s', schema, tier.rank)
                     WHEN tier.rank_below = 0 THEN format('%I.tier has no base tier: the lowest tier_rank is %s', schema, tier.rank)
                     ELSE format('%I.tier has a gap: no tier between tier_rank %s and %s', schema, tier.rank_below, tier.rank) END,
                'Number the tiers 1, 2, 3 ... from the base up.'::text;
        END IF;
        IF tier.rank = 1 AND tier.min_score > 0 THEN
            RETURN QUERY SELECT '22023', format('the base tier "%s" of %I.tier has a least score of %s', tier.code, schema, tier.min_score),
                'Give it NULL: everybody who reaches no other tier is in the base tier.'::text;
            CONTINUE;
        ELSIF tier.rank > 1 AND tier.min_score <= tier.score_below THEN
            RETURN QUERY SELECT '22023', format('the least score of tier "%s" of %I.tier is %s, not above that of the tier below', tier.code, schema, tier.min_score),
                'Let min_score (0..100) rise with tier_rank.'::text;
        END IF;
        -- Simple rules of one kind have to rise as well; a share or a capacity has to fall.
        RETURN QUERY
            SELECT '22023', format('tier "%s" of %I.tier asks for no more than the tier below: %s', tier.code, schema, tier.entry),
                   'Let thresholds rise with tier_rank; a share or a capacity falls.'::text
              FROM jsonb_each(customer_tier.simple_rule(tier.entry)) AS own, jsonb_each(customer_tier.simple_rule(tier.entry_below)) AS below
             WHERE own.key = below.key AND jsonb_typeof(own.value) = 'number' AND jsonb_typeof(below.value) = 'number'
               AND (tier.min_score <= tier.score_below) IS NOT TRUE   -- said already
               AND CASE WHEN own.key IN ('share', 'capacity') THEN own.value >= below.value ELSE own.value <= below.value END;
        RETURN QUERY SELECT p.code, format('%I.tier: %s%s', schema, CASE WHEN p.code = '42703' THEN format('tier "%s": ', tier.code) END, p.problem), p.hint
            FROM customer_tier.rule_problem(schema, jsonb_build_object('tiers',
                     CASE WHEN tier.rank > 1 THEN '[{"code": "base of it"}]'::jsonb ELSE '[]' END || jsonb_build_array(tier.rules)), what_if) AS p;
        RETURN QUERY SELECT '42704', format('tier "%s" of %I.tier: there is no segment "%s"', tier.code, schema, unknown),
                   format('The segments are %s.', (SELECT string_agg(k, ', ' ORDER BY k COLLATE "C") FROM unnest(segments) AS k))
              FROM (SELECT DISTINCT s #>> '{}' AS unknown FROM jsonb_path_query(tier.rules, '$.**.segment[*]') AS s WHERE jsonb_typeof(s) = 'string') AS named
             WHERE unknown <> ALL (segments)
             ORDER BY unknown COLLATE "C";
    END LOOP;
    RETURN QUERY SELECT p.code, format('%I.tier_policy: %s', schema, p.problem), p.hint
        FROM customer_tier.rule_problem(schema, jsonb_build_object('tiers', '[{"code": "base"}]'::jsonb, 'policy', f.policy - '{near_score,near_amount,coming_days,notify}'::text[]), what_if) AS p;
END
$$;
COMMENT ON FUNCTION customer_tier.terms_problems(name, date, jsonb) IS 'internal: what is wrong with the tiers and the policy as of a day; no row = nothing';

CREATE FUNCTION customer_tier.policy_value(schema name, as_of date, key text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.policy->>key FROM customer_tier.tiers_in_force(schema, as_of) AS f
$$;
COMMENT ON FUNCTION customer_tier.policy_value(name, date, text) IS 'internal: one column of the policy as it is in force on a day';

CREATE FUNCTION customer_tier.published_day(schema name) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    as_of date;
BEGIN
    EXECUTE format('SELECT run.as_of FROM %I.run WHERE run.is_current', schema) INTO as_of;
    RETURN as_of;
END
$$;
COMMENT ON FUNCTION customer_tier.published_day(name) IS 'internal: the day of the published ratings; NULL when there are none';

CREATE FUNCTION customer_tier.tier_ranks(schema name, changes jsonb, OUT old_ranks jsonb, OUT new_ranks jsonb, OUT old_costs jsonb, OUT new_costs jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    as_of date := customer_tier.published_day(schema);
    tried jsonb := changes - '{weights,dimensions,scorecard,grades}'::text[];
BEGIN
    EXECUTE format('SELECT jsonb_object_agg(t.tier->>''code'', t.n) FROM %1$I.run JOIN %1$I.tier_terms USING (terms_id), jsonb_array_elements(tier_terms.terms->''tiers'') WITH ORDINALITY AS t (tier, n) WHERE run.is_current', schema)
        INTO old_ranks;
    SELECT jsonb_object_agg(t.key, t.value->'benefit_cost') INTO old_costs FROM customer_tier.tiers_in_force(schema, as_of) AS f, jsonb_each(f.tiers) AS t;
    SELECT jsonb_object_agg(t.key, t.value->'tier_rank'), jsonb_object_agg(t.key, t.value->'benefit_cost') INTO new_ranks, new_costs
      FROM customer_tier.tiers_in_force(schema, as_of, tried) AS f, jsonb_each(f.tiers) AS t;
END
$$;
COMMENT ON FUNCTION customer_tier.tier_ranks(name, jsonb) IS 'internal: rank and yearly benefit cost of every tier, by code, as published and with changes';

CREATE FUNCTION customer_tier.tier_direction(from_tier text, to_tier text, from_rank int, to_rank int, old_ranks jsonb, new_ranks jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- By the ranks in which both tiers have a place, the new ones first: tiers
    -- may have been put in between, or taken away.
    SELECT CASE sign(CASE WHEN new_ranks ?& ARRAY[from_tier, to_tier] THEN CAST(new_ranks->>to_tier AS int) - CAST(new_ranks->>from_tier AS int)
                          WHEN old_ranks ?& ARRAY[from_tier, to_tier] THEN CAST(old_ranks->>to_tier AS int) - CAST(old_ranks->>from_tier AS int)
                          ELSE to_rank - from_rank END)
           WHEN 1 THEN 'up' WHEN -1 THEN 'down' ELSE 'same' END
$$;
COMMENT ON FUNCTION customer_tier.tier_direction(text, text, int, int, jsonb, jsonb) IS 'internal: up, down or same, where tiers have other ranks after than before';
