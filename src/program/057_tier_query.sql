-- Where everybody stands, compiled to SQL: the end of rate().  What goes into
-- the state machine, what shares and capacities leave, and its move.

CREATE FUNCTION customer_tier.decided_query(schema name, as_of text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(
$query$SELECT DISTINCT ON (override.customer_id) override.customer_id, override.tier, override.lock, override.set_by
          FROM %1$I.tier_override AS override
         WHERE override.valid_from <= %2$s AND override.valid_to > %2$s
         ORDER BY override.customer_id, override.override_id DESC$query$, schema, as_of)
$$;
COMMENT ON FUNCTION customer_tier.decided_query(name, text) IS 'internal: the query for what persons decided last about customers, as of a day';

CREATE FUNCTION customer_tier.tier_query(schema name, s customer_tier.program_settings, as_of text, run_id text, of_everyone boolean, output text, grades text[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    key_column record;
    equality text;
    terms jsonb := CASE WHEN s.what_if IS NOT NULL THEN customer_tier.program_terms(schema, customer_tier.published_day(schema), s.what_if) END;
    measures text[] := CASE WHEN s.what_if ? 'measures' THEN ARRAY(SELECT jsonb_array_elements_text(s.what_if->'measures'))
                            ELSE customer_tier.compiled_measures(schema, terms) END;
    has_limits boolean := customer_tier.program_has_limits(schema, terms);
    with_kept boolean := output = 'changes';    -- what is published goes along
    has_overrides boolean := true;
    columns name[] := '{}';     -- of what is published, that go along from here on
    stood text;         -- the state until now, of published columns with a prefix
    -- of a row of some name: what is stored of margins, and of relations
    margin text := CASE WHEN s.margin_column IS NULL THEN 'CAST(NULL AS numeric)' ELSE 'CAST(%1$s.margin AS numeric)' END;
    -- What came from relations cannot be had again: it is kept to explain the rating.
    outside text := coalesce((SELECT 'CASE WHEN %1$s.dimension_values IS NOT NULL THEN ARRAY[' || string_agg(format('%%1$s.dimension_values[%s]', c.n), ', ' ORDER BY c.n) || '] END'
                                FROM customer_tier.card(schema, s.what_if) AS c WHERE c.outside IS NOT NULL), 'CAST(NULL AS double precision[])');
    values_of text[];   -- what published_value() has to know
    machine text;       -- arguments of tier_move() and tier_seats()
    ctes text[] := '{}';
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    equality := customer_tier.key_equality(key_column.base_type);
    IF with_kept AND s.keeps_numbers IS NOT TRUE THEN
        columns := customer_tier.rating_carried(s);
    END IF;
    stood := format(
$query$CASE WHEN %%1$stier IS NULL OR %1$s IS NOT TRUE THEN NULL
                    WHEN %2$s AND %%1$stier_since = %3$s AND %%1$sprevious_tier IS NULL THEN NULL
                    WHEN %2$s AND %%1$sstate_before IS NOT NULL THEN CAST(%%1$sstate_before AS customer_tier.tier_state)
                    ELSE CAST(ROW(%%1$stier, %%1$stier_since, %%1$sprevious_tier, %%1$sterms_id, %%1$sup_runs, %%1$sup_since, %%1$sdown_runs, %%1$sdown_since) AS customer_tier.tier_state) END$query$,
        customer_tier.run_constant(s, 'moment.is_known'), customer_tier.run_constant(s, 'moment.is_again'), as_of);
    machine := format('%2$s, %1$s, %3$s, measured.score, measured.orders, measured.first_day, measured.segment, measured.measures, measured.stood, measured.override_tier, measured.override_lock',
        as_of, customer_tier.run_constant(s, 'rules.book'), customer_tier.run_constant(s, 'moment.last_as_of'));

    IF s.part IS DISTINCT FROM 'rows' THEN
        ctes := ctes || format(
$query$moment AS MATERIALIZED (
        -- The published day is evaluated again from the state before it, a later
        -- one from the published state, an earlier one as if it were the first.
        SELECT run.as_of <= %1$s AS is_known, run.as_of = %1$s AS is_again,
               CASE WHEN run.as_of < %1$s THEN run.as_of WHEN run.as_of = %1$s THEN run.previous_as_of END AS last_as_of
          FROM %2$I.run
         WHERE run.is_current AND %3$s
    )$query$, as_of, schema,
            -- Where nobody's state counts nobody is looked up.
            CASE WHEN output = 'inputs' OR CAST(s.what_if->>'from_scratch' AS boolean) THEN 'false' ELSE 'true' END) || format(
$query$rules AS MATERIALIZED (
        SELECT %s AS book
    )$query$,
            CASE WHEN terms IS NULL THEN format('customer_tier.rule_book(%L, %s, %L)', schema, run_id, measures)
                 ELSE format('CAST(%L AS jsonb)', customer_tier.tried_book(schema, terms, measures)) END);
    END IF;
    IF s.part = 'constants' AND s.is_distributed THEN
        ctes := ctes || format(
$query$overrides AS MATERIALIZED (
        SELECT coalesce(jsonb_agg(jsonb_build_array(CAST(decided.customer_id AS text), decided.tier, decided.lock, decided.set_by)), '[]') AS overrides
          FROM (%s) AS decided
    )$query$, customer_tier.decided_query(schema, as_of));
    END IF;
    IF s.part IS DISTINCT FROM 'constants' THEN
        -- A refresh knows whether anything was decided: there is nothing to join mostly.
        IF s.part = 'rows' AND NOT s.is_distributed THEN
            EXECUTE format('SELECT EXISTS (%s)', customer_tier.decided_query(schema, as_of)) INTO has_overrides;
        END IF;
        ctes := ctes || format(
$query$decided AS (
        -- What a person decided last.
        %s
    )$query$,
            CASE WHEN s.is_distributed AND s.part = 'rows' THEN format(
$query$SELECT CAST(one.override->>0 AS %s)%s AS customer_id, one.override->>1 AS tier, CAST(one.override->>2 AS boolean) AS lock, one.override->>3 AS set_by
          FROM jsonb_array_elements(%s) AS one (override)$query$,
                -- a cast to "character" would cut it to one
                format_type(key_column.type, -1), key_column.collate_clause, customer_tier.run_constant(s, 'overrides.overrides'))
                 ELSE customer_tier.decided_query(schema, as_of) END) || format(
$query$standing AS (
        SELECT ranked.*, %5$s,
               %4$s AS stood%1$s
          FROM ranked%2$s%3$s
    )$query$,
            coalesce((SELECT string_agg(format(', kept.%I AS %I', c, 'kept_' || c), '') FROM unnest(columns) AS c), ''),
            CASE WHEN s.keeps_numbers THEN '' ELSE format(E'\n          LEFT JOIN %I.rating AS kept\n            ON kept.customer_id %s ranked.customer_id', schema, equality) END,
            CASE WHEN has_overrides THEN format(E'\n          LEFT JOIN decided\n            ON decided.customer_id %s ranked.customer_id', equality) ELSE '' END,
            format(stood, CASE WHEN s.keeps_numbers THEN 'ranked.kept_' ELSE 'kept.' END),
            CASE WHEN has_overrides THEN 'decided.tier AS override_tier, decided.lock AS override_lock, decided.set_by AS override_by'
                 ELSE 'CAST(NULL AS text) AS override_tier, CAST(NULL AS boolean) AS override_lock, CAST(NULL AS text) AS override_by' END) || format(
$query$measured AS (
        -- %s
        SELECT standing.*,
               CAST(ARRAY[%s] AS double precision[]) AS measures
          FROM standing
    )$query$,
            coalesce(nullif(translate(array_to_string(measures, ', '), E'\n\r', '  '), ''), 'no measures'),
            (SELECT string_agg(coalesce(customer_tier.measure_expression(schema, m, 'standing', as_of, s.what_if), 'NULL'), E',\n                          ' ORDER BY n)
               FROM unnest(measures) WITH ORDINALITY AS u (m, n)));
    END IF;

    IF output = 'inputs' THEN
        RETURN array_to_string(ctes, ', ') ||
$query$
    SELECT measured.customer_id, measured.score, measured.orders, measured.first_day, measured.segment, measured.measures,
           measured.override_tier, measured.override_lock, measured.override_by, measured.revenue, measured.history
      FROM measured
$query$;
    END IF;

    IF has_limits AND (NOT of_everyone OR s.part = 'constants') THEN
        ctes := ctes || format(
$query$places AS MATERIALIZED (
        SELECT run.tier_places AS places FROM %I.run WHERE %s
    )$query$, schema, CASE WHEN of_everyone THEN 'run.run_id = ' || run_id ELSE 'run.is_current' END);
    ELSIF has_limits AND s.part IS NULL THEN
        ctes := ctes || format(
$query$best AS MATERIALIZED (
        SELECT customer_tier.tier_best((SELECT rules.book FROM rules), measured.score, measured.orders, measured.measures) AS places
          FROM measured
    ), places AS MATERIALIZED (
        SELECT coalesce(%1$s,
                        (SELECT customer_tier.tier_seats(%2$s, (SELECT best.places FROM best)) FROM measured)) AS places
    )$query$, CASE WHEN terms IS NULL THEN format('(SELECT run.tier_places FROM %I.run WHERE run.run_id = %s)', schema, run_id) ELSE 'NULL' END, machine);
    END IF;
    IF output = 'places' THEN
        RETURN array_to_string(ctes, ', ') || E'\n    SELECT places.places FROM places\n';
    ELSIF output = 'constants' THEN
        RETURN array_to_string(ctes, ', ') ||
            (SELECT E'\n    SELECT ' || string_agg(CASE WHEN c.name = 'replay.is_replay' AND NOT EXISTS (SELECT FROM customer_tier.card(schema, s.what_if) AS d WHERE NOT d.is_timed) THEN 'CAST(NULL AS boolean)'
                                                        WHEN c.name = 'places.places' AND NOT has_limits THEN 'CAST(NULL AS double precision[])'
                                                        WHEN c.name IN ('cells.cells', 'overrides.overrides') AND NOT s.is_distributed THEN 'CAST(NULL AS jsonb)'
                                                        ELSE customer_tier.run_constant(s, c.name) END, ', ' ORDER BY c.n)
               FROM unnest(customer_tier.run_constants()) WITH ORDINALITY AS c (name, n));
    END IF;

    values_of := ARRAY[grades::text, stood, margin, outside];
    ctes := ctes || format(
$query$moved AS (
        %s
    )$query$, customer_tier.computed_once(s, 'measured',
        format('customer_tier.tier_move(%s, %s) AS move%s', machine,
               CASE WHEN has_limits THEN customer_tier.run_constant(s, 'places.places') ELSE 'CAST(NULL AS double precision[])' END,
               -- Compared here, the numbers that are published have not to be carried further.
               CASE WHEN with_kept THEN E',\n               ' || customer_tier.differs(customer_tier.rated_columns(s), 'measured', values_of) || ' AS is_rated_anew' ELSE '' END),
        'measured'));
    IF NOT with_kept THEN
        RETURN array_to_string(ctes, ', ') || format(
$query$
    SELECT moved.customer_id, moved.first_day, moved.last_day, moved.orders, moved.purchase_days,
           moved.revenue, moved.refunded, moved.average_order,
           moved.r_score, moved.f_score, moved.m_score, moved.segment, moved.lifecycle_stage,
           moved.p_alive, moved.p_active, moved.expected_purchases, moved.expected_spend, moved.clv,
           moved.score,
           %1$s AS grade,
           (moved.move).tier, (moved.move).tier_rank, (moved.move).since AS tier_since, (moved.move).previous_tier, (moved.move).reason AS tier_reason,
           (moved.move).score_to_next AS score_to_next_tier, %2$s AS amount_to_next_tier,
           (moved.move).score_to_stay, %3$s AS amount_to_stay, (moved.move).drops_on,
           moved.coverage, moved.dimension_values, moved.dimension_points,
           CAST(ROW((moved.move).tier, (moved.move).since, (moved.move).previous_tier, (moved.move).terms,
                    (moved.move).up_runs, (moved.move).up_since, (moved.move).down_runs, (moved.move).down_since) AS customer_tier.tier_state) AS tier_state,
           moved.stood AS state_before,
           %4$s AS moved_by
      FROM moved
$query$, customer_tier.published_value('grade', 'moved', values_of), customer_tier.published_value('amount_to_next_tier', 'moved', values_of),
            customer_tier.published_value('amount_to_stay', 'moved', values_of), customer_tier.published_value('moved_by', 'moved', values_of));
    ELSIF s.is_distributed THEN
        RETURN array_to_string(ctes, ', ') || format(
$query$
    SELECT %1$s
      FROM moved
     WHERE moved.is_rated_anew OR %2$s
$query$,
            (SELECT string_agg(format('%s AS %I', customer_tier.published_value(c, 'moved', values_of), c), E',\n           ' ORDER BY n)
               FROM unnest(customer_tier.difference_columns(s)) WITH ORDINALITY AS u (c, n)),
            customer_tier.differs(customer_tier.tier_columns(s), 'moved', values_of));
    END IF;
    -- Everybody's scores, and the rest of who differs.
    RETURN array_to_string(ctes, ', ') || format(
$query$, compared AS (
        SELECT moved.*,
               moved.is_rated_anew OR %2$s AS differs
          FROM moved
        OFFSET '0'
    )
    SELECT compared.differs, compared.kept_place AS place,
           %3$s,
           %1$s
      FROM compared
$query$,
        (SELECT string_agg(format('CASE WHEN compared.differs THEN %s END AS %I', customer_tier.published_value(c, 'compared', values_of), c), E',\n           ' ORDER BY n)
           FROM unnest(customer_tier.difference_columns(s)) WITH ORDINALITY AS u (c, n)),
        customer_tier.differs(customer_tier.tier_columns(s), 'moved', values_of),
        (SELECT string_agg(format('coalesce(CAST(customer_tier.nearest_double(%s) * 10000 AS integer), -1) AS %I', customer_tier.published_value(c, 'compared', values_of), 'packed_' || c), E',\n           ' ORDER BY n)
           FROM unnest(customer_tier.score_columns()) WITH ORDINALITY AS u (c, n)));
END
$$;
COMMENT ON FUNCTION customer_tier.tier_query(name, customer_tier.program_settings, text, text, boolean, text, text[]) IS
    'internal: the end of rate(): where everybody stands. Output ratings, or changes: the rows of difference_query(), or constants: the run_constants(), or places: what shares and capacities leave, or inputs: what the state machine is given, for customers without a state';

CREATE FUNCTION customer_tier.published_value(column_name name, customer text, values_of text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN column_name = 'grade' THEN format('CASE WHEN %1$s.score IS NOT NULL THEN (CAST(%2$L AS text[]))[%1$s.grade_rank] END', customer, values_of[1])
        WHEN column_name = 'margin' THEN format(values_of[3], customer)
        WHEN column_name = 'outside_values' THEN format(values_of[4], customer)
        WHEN column_name IN ('tier', 'tier_rank', 'previous_tier', 'score_to_stay', 'drops_on', 'up_runs', 'up_since', 'down_runs', 'down_since') THEN format('(%s.move).%I', customer, column_name)
        WHEN column_name = 'tier_since' THEN format('(%s.move).since', customer)
        WHEN column_name = 'tier_reason' THEN format('(%s.move).reason', customer)
        WHEN column_name = 'terms_id' THEN format('(%s.move).terms', customer)
        WHEN column_name = 'score_to_next_tier' THEN format('(%s.move).score_to_next', customer)
        WHEN column_name = 'amount_to_next_tier' THEN format('round(CAST((%s.move).amount_to_next AS numeric), 2)', customer)
        WHEN column_name = 'amount_to_stay' THEN format('round(CAST((%s.move).amount_to_stay AS numeric), 2)', customer)
        WHEN column_name = 'state_before' THEN format('CASE WHEN NOT (%s.move).as_before THEN CAST(%s AS text) END', customer, format(values_of[2], customer || '.kept_'))
        WHEN column_name = 'moved_by' THEN format('CASE WHEN (%1$s.move).reason IN (''override'', ''locked'') THEN %1$s.override_by ELSE ''rules'' END', customer)
        WHEN column_name = 'is_new' THEN format('%s.kept_tier IS NULL', customer)
        WHEN column_name = 'is_gone' THEN 'false'
        WHEN column_name = 'old_tier' THEN format('%s.kept_tier', customer)
        WHEN column_name = 'old_rank' THEN format('%s.kept_tier_rank', customer)
        WHEN column_name = 'old_since' THEN format('%s.kept_tier_since', customer)
        WHEN column_name = 'old_drops_on' THEN format('%s.kept_drops_on', customer)
        WHEN column_name = 'old_ctid' THEN format('%s.kept_ctid', customer)
        ELSE format('%s.%I', customer, column_name) END
$$;
COMMENT ON FUNCTION customer_tier.published_value(name, text, text[]) IS
    'internal: the SQL of one of the difference_columns(), of a row of "moved" in tier_query(): values_of are the codes of the grades, and what the state until now, the margin and the values of relations are made of, with %1$s for the row';

CREATE FUNCTION customer_tier.differs(columns name[], customer text, values_of text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(E'(%s) IS DISTINCT FROM\n               (%s)',
                  string_agg(format('%s.%I', customer, 'kept_' || c), ', ' ORDER BY n), string_agg(customer_tier.published_value(c, customer, values_of), ', ' ORDER BY n))
      FROM unnest(columns) WITH ORDINALITY AS u (c, n)
$$;
COMMENT ON FUNCTION customer_tier.differs(name[], text, text[]) IS 'internal: the SQL of whether columns that are published differ from what they are now';
