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
    columns name[] := '{customer_id}'::name[] || customer_tier.published_columns();
    machine text;       -- arguments of tier_move() and tier_seats()
    ctes text[] := '{}';
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    equality := customer_tier.key_equality(key_column.base_type);
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
        SELECT ranked.*, decided.tier AS override_tier, decided.lock AS override_lock, decided.set_by AS override_by,
               CASE WHEN kept.tier IS NULL OR %1$s IS NOT TRUE THEN NULL
                    WHEN %2$s AND kept.tier_since = %3$s AND kept.previous_tier IS NULL THEN NULL
                    WHEN %2$s AND kept.state_before IS NOT NULL THEN CAST(kept.state_before AS customer_tier.tier_state)
                    ELSE CAST(ROW(kept.tier, kept.tier_since, kept.previous_tier, kept.terms_id, kept.up_runs, kept.up_since, kept.down_runs, kept.down_since) AS customer_tier.tier_state)
                END AS stood%4$s
          FROM ranked
          LEFT JOIN %5$I.rating AS kept
            ON kept.customer_id %6$s ranked.customer_id
          LEFT JOIN decided
            ON decided.customer_id %6$s ranked.customer_id%7$s
    )$query$,
            customer_tier.run_constant(s, 'moment.is_known'), customer_tier.run_constant(s, 'moment.is_again'), as_of,
            CASE WHEN with_kept THEN (SELECT string_agg(format(', kept.%I AS %I', c, 'kept_' || c), '') FROM unnest(columns) c) ELSE '' END,
            schema, equality,
            -- (Citus would gather what has an OFFSET of its own.)
            CASE WHEN s.is_distributed THEN '' ELSE E'\n        OFFSET ''0''' END) || format(
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

    ctes := ctes || format(
$query$moved AS (
        %s
    )$query$, customer_tier.computed_once(s, 'measured',
        format('customer_tier.tier_move(%s, %s) AS move', machine,
               CASE WHEN has_limits THEN customer_tier.run_constant(s, 'places.places') ELSE 'CAST(NULL AS double precision[])' END),
        'measured'));
    RETURN array_to_string(ctes, ', ') || format(
$query$
    SELECT moved.customer_id, moved.first_day, moved.last_day, moved.orders, moved.purchase_days,
           moved.revenue, moved.refunded, moved.average_order,
           moved.r_score, moved.f_score, moved.m_score, moved.segment, moved.lifecycle_stage,
           moved.p_alive, moved.p_active, moved.expected_purchases, moved.expected_spend, moved.clv,
           moved.score,
           CASE WHEN moved.score IS NOT NULL THEN (CAST(%1$L AS text[]))[moved.grade_rank] END AS grade,
           (moved.move).tier, (moved.move).tier_rank, (moved.move).since AS tier_since, (moved.move).previous_tier, (moved.move).reason AS tier_reason,
           (moved.move).score_to_next AS score_to_next_tier, round(CAST((moved.move).amount_to_next AS numeric), 2) AS amount_to_next_tier,
           (moved.move).score_to_stay, round(CAST((moved.move).amount_to_stay AS numeric), 2) AS amount_to_stay, (moved.move).drops_on,
           moved.coverage, moved.dimension_values, moved.dimension_points,
           CAST(ROW((moved.move).tier, (moved.move).since, (moved.move).previous_tier, (moved.move).terms,
                    (moved.move).up_runs, (moved.move).up_since, (moved.move).down_runs, (moved.move).down_since) AS customer_tier.tier_state) AS tier_state,
           moved.stood AS state_before,
           CASE WHEN (moved.move).reason IN ('override', 'locked') THEN moved.override_by ELSE 'rules' END AS moved_by%2$s
      FROM moved
$query$, grades,
        CASE WHEN with_kept THEN ', ' || (SELECT string_agg(format('moved.%I', 'kept_' || c), ', ') FROM unnest(columns) c) || ', (moved.move).as_before, moved.repeat_mean, '
            || CASE WHEN s.margin_column IS NULL THEN 'CAST(NULL AS numeric)' ELSE 'CAST(moved.margin AS numeric)' END || ' AS margin' ELSE '' END);
END
$$;
COMMENT ON FUNCTION customer_tier.tier_query(name, customer_tier.program_settings, text, text, boolean, text, text[]) IS
    'internal: the end of rate(): where everybody stands. Output ratings, or changes: with what is published beside them, or constants: the run_constants(), or places: what shares and capacities leave, or inputs: what the state machine is given, for customers without a state';
