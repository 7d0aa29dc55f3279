-- Does the scorecard still fit?  Scales that are cut anew with every run hide
-- every change, so values and scores are compared on those of a reference run.

CREATE FUNCTION customer_tier.set_reference(program text, run_id bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    chosen bigint;
BEGIN
    EXECUTE format('SELECT run.run_id FROM %I.run WHERE run.has_scales AND run.status = ''published'' AND CASE WHEN $1 IS NULL THEN run.is_current ELSE run.run_id = $1 END', schema)
        INTO chosen USING run_id;
    IF chosen IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = CASE WHEN run_id IS NULL THEN format('program "%s" has no published ratings', program) ELSE format('run %s of program "%s" has no scales', run_id, program) END,
            HINT = CASE WHEN run_id IS NULL THEN format('CALL customer_tier.refresh(%L);', program) ELSE format('SELECT run_id, as_of FROM %I.run WHERE has_scales; lists those that have.', schema) END;
    END IF;
    EXECUTE format('UPDATE %I.run SET is_reference = (run.run_id = $1) WHERE run.is_reference <> (run.run_id = $1)', schema) USING chosen;
    RETURN chosen;
END
$$;
COMMENT ON FUNCTION customer_tier.set_reference(text, bigint) IS 'make a run, by default the published one, the reference of score_drift(); returns its number. Without it the first run with the present scorecard is';

CREATE FUNCTION customer_tier.drift_of(reference_cuts float8[], reference_counts bigint[], reference float8[], present float8[], OUT psi float8, OUT ks float8, OUT bins int, OUT reference_customers bigint, OUT customers bigint)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    knots int := cardinality(present) / 2;
    counts bigint[];
    kept bigint[];
BEGIN
    IF cardinality(reference) = 0 OR knots = 0 OR reference IS NULL OR present IS NULL THEN
        RETURN;
    END IF;
    reference_customers := reference[cardinality(reference)];
    customers := present[cardinality(present)];
    -- Customers of today in the ten parts of the reference; parts that ties left
    -- empty there are no parts.
    SELECT array_agg(u.upto - u.below ORDER BY u.n) FILTER (WHERE u.was > 0 OR u.upto > u.below), array_agg(u.was ORDER BY u.n) FILTER (WHERE u.was > 0 OR u.upto > u.below)
      INTO counts, kept
      FROM (SELECT c.n, c.was, c.upto, lag(c.upto, 1, 0::bigint) OVER (ORDER BY c.n) AS below
              FROM (SELECT n, reference_counts[n] AS was,
                           CASE WHEN n > cardinality(reference_cuts) THEN customers
                                ELSE round(customers * customer_tier.percentile(reference_cuts[n], present, 'high'))::bigint END AS upto
                      FROM generate_subscripts(reference_counts, 1) n) c) u;
    psi := customer_tier.psi(kept, counts);
    bins := cardinality(kept);
    SELECT max(abs(customer_tier.percentile(k.value, reference, 'high') - customer_tier.percentile(k.value, present, 'high'))) INTO ks
      FROM (SELECT unnest(reference[1:cardinality(reference) / 2]) UNION SELECT unnest(present[1:knots])) AS k (value);
END
$$;
COMMENT ON FUNCTION customer_tier.drift_of(float8[], bigint[], float8[], float8[]) IS 'internal: PSI over the reference''s tenths and KS distance of two distributions (percentile_scale)';

CREATE FUNCTION customer_tier.score_drift(program text, reference bigint DEFAULT NULL)
RETURNS TABLE (kind text, name text, reference_run bigint, run_id bigint, reference_customers bigint, customers bigint, psi float8, ks float8, alarm_above float8, alarm boolean, advice text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    schema name := customer_tier.program_schema(program);
    this record;
    base record;
    part record;
    drift record;
    present float8[];
BEGIN
    EXECUTE format('SELECT run.* FROM %I.run WHERE run.is_current', schema) INTO this;
    IF this.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    END IF;
    EXECUTE format('SELECT run.* FROM %I.run WHERE run.has_scales AND CASE WHEN $1 IS NULL THEN run.is_reference ELSE run.run_id = $1 END', schema) INTO base USING reference;
    IF base.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = CASE WHEN reference IS NULL THEN format('program "%s" has no reference run', program) ELSE format('run %s of program "%s" has no scales', reference, program) END,
            HINT = format('SELECT run_id, as_of FROM %I.run WHERE has_scales; lists the runs to compare with.', schema);
    END IF;
    reference_run := base.run_id;
    run_id := this.run_id;

    FOR part IN EXECUTE format(
$query$
    SELECT r.name, r.deciles, r.decile_counts, r.distribution AS reference, %2$s AS present, coalesce(f.needs_model, false) AS needs_model
      FROM %1$I.run_dimension AS r
      JOIN %1$I.run_dimension AS d ON d.run_id = $2 AND d.name = r.name
      %3$s
      LEFT JOIN %1$I.dimension AS c ON c.name = r.name
      LEFT JOIN customer_tier.dimension_features() AS f ON f.feature = c.feature
     WHERE r.run_id = $1
     ORDER BY r."position"
$query$, schema,
        -- Frozen scales are the reference's own: what the values are now is measured again.
        CASE WHEN this.is_frozen THEN 's.distribution' ELSE 'd.distribution' END,
        CASE WHEN this.is_frozen THEN format(
$query$LEFT JOIN (SELECT u.distribution, u.n
                        FROM (SELECT customer_tier.dimension_distributions(r.dimension_values) AS distributions FROM %I.rated_on($2) AS r WHERE r.orders > 0) AS x,
                             LATERAL (SELECT (x.distributions[n]).distribution, n FROM generate_subscripts(x.distributions, 1) AS n) AS u) AS s
        ON s.n = d."position"$query$, schema) ELSE '' END)
        USING base.run_id, this.run_id LOOP
        kind := 'dimension';
        name := part.name;
        drift := customer_tier.drift_of(part.deciles, part.decile_counts, part.reference, part.present);
        reference_customers := drift.reference_customers;
        customers := drift.customers;
        psi := drift.psi;
        ks := drift.ks;
        alarm_above := customer_tier.psi_alarm(drift.bins, drift.reference_customers, drift.customers);
        -- Nobody has a value any more, or somebody for the first time: no index says how much that is.
        alarm := CASE WHEN (part.reference IS NULL) = (part.present IS NULL) THEN coalesce(psi > alarm_above, false) ELSE true END;
        advice := CASE WHEN NOT alarm THEN NULL
                       WHEN part.present IS NULL THEN 'nobody has a value any more: look whether the data are still there'
                       WHEN part.reference IS NULL THEN 'nobody had a value then: set_reference() when this is the new normal'
                       WHEN part.needs_model THEN format('predictions have moved: CALL customer_tier.fit(%L); then refresh', program)
                       ELSE 'values have moved: look whether the data are right, weigh the scorecard again, and set_reference() when this is the new normal' END;
        RETURN NEXT;
    END LOOP;

    kind := 'score';
    name := 'score on the scales of the reference';
    advice := NULL;
    reference_customers := NULL; customers := NULL; psi := NULL; ks := NULL; alarm_above := NULL; alarm := NULL;
    IF NOT customer_tier.card_is_that_of(schema, base.run_id) OR base.combination IS DISTINCT FROM this.combination THEN
        advice := 'the scorecard has other dimensions or combines them in another way than the reference: refresh, set_reference(), and compare from then on';
        RETURN NEXT;
        RETURN;
    END IF;
    EXECUTE format('SELECT customer_tier.percentile_scale(CAST(r.score AS double precision)) FROM %I.rated_on($1) AS r', schema) INTO present USING base.run_id;
    drift := customer_tier.drift_of(base.score_deciles, base.score_decile_counts, base.score_distribution, present);
    reference_customers := drift.reference_customers;
    customers := drift.customers;
    psi := drift.psi;
    ks := drift.ks;
    alarm_above := customer_tier.psi_alarm(drift.bins, drift.reference_customers, drift.customers);
    alarm := CASE WHEN (base.score_distribution IS NULL) = (present IS NULL) THEN coalesce(psi > alarm_above, false) ELSE true END;
    advice := CASE WHEN alarm THEN 'scores mean something else than at the reference: compare thresholds of tiers and grades, and unfreeze scales if they are frozen' END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION customer_tier.score_drift(text, bigint) IS
    'how far the published run has drifted from a reference run: for the raw values of each dimension, and for the score on the reference''s scales, the population stability index over the reference''s tenths, the KS distance, and an alarm when psi is above max(0.2, 2 (bins - 1)(1/N + 1/M)). No p-values: the customers are the same';

CREATE FUNCTION customer_tier.rating_parity(program text, relation regclass, attribute name, key name)
RETURNS TABLE (attribute_value text, tier text, customers bigint, tier_customers bigint, tier_share numeric, overall_share numeric, ratio numeric, mean_score numeric, predicted_active numeric, actual_active numeric)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    schema name := customer_tier.program_schema(program);
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    key_column record;
    part record;
    this record;
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the relation must not be NULL',
            HINT = 'Name a table or view with the customer key and the attribute, such as ''public.customers''.';
    END IF;
    FOR part IN SELECT * FROM (VALUES ('attribute', attribute), ('key', key)) AS v (option, column_name) LOOP
        IF NOT EXISTS (SELECT FROM customer_tier.relation_column(relation, part.column_name)) THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = format('%s has no column "%s" (%s)', relation, coalesce(part.column_name, 'NULL'), part.option),
                HINT = 'Name one of its columns.';
        END IF;
    END LOOP;
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    SELECT c.* INTO this FROM customer_tier.relation_column(relation, key) c;
    IF this.base_type <> key_column.base_type
       AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = this.base_type AND casttarget = key_column.base_type AND castcontext = 'i') THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('column "%s" of %s has type %s, but the customers of program "%s" have type %s', key, relation, this.declared, program, key_column.declared),
            HINT = 'Give both the same type; a view can convert one of them.';
    END IF;
    EXECUTE format('SELECT run.run_id, run.as_of FROM %I.run WHERE run.is_current', schema) INTO this;
    IF this.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    END IF;
    -- Calibration looks back: what the model would have said churn_days ago, and what came.
    RETURN QUERY EXECUTE format(
$query$
    WITH model AS MATERIALIZED (
        SELECT used.purchase FROM customer_tier.run_models(%1$L, $1, $2) AS used
    ), attribute AS (
        SELECT CAST(source.%2$I AS %3$s) AS customer_id, min(CAST(source.%4$I AS text) COLLATE "C") AS value
          FROM %5$s AS source
         WHERE source.%2$I IS NOT NULL
         GROUP BY CAST(source.%2$I AS %3$s)
        HAVING count(*) = 1 OR customer_tier.duplicate_key(%6$L, CAST(CAST(source.%2$I AS %3$s) AS text), '')
    ), rated AS MATERIALIZED (
        SELECT a.value, r.customer_id, r.tier, r.tier_rank, r.score, p.predicted, p.actual
          FROM %1$I.scored_rating AS r
          LEFT JOIN attribute AS a ON a.customer_id %7$s r.customer_id
          LEFT JOIN LATERAL (
               SELECT customer_tier.p_active((SELECT model.purchase FROM model), %8$s / 7.0, (customer_tier.btyd(h.history, $1 - %8$s, 7)).frequency,
                                             (customer_tier.btyd(h.history, $1 - %8$s, 7)).recency, (customer_tier.btyd(h.history, $1 - %8$s, 7)).age) AS predicted,
                      CAST(coalesce(customer_tier.orders(customer_tier.within(h.history, $1 - %8$s + 1, $1)), 0) > 0 AS integer) AS actual
                 FROM %1$I.history AS h
                WHERE h.customer_id %7$s r.customer_id AND customer_tier.first_day(h.history) <= $1 - %8$s) AS p ON true
    ), of_value AS (
        SELECT rated.value, count(*) AS customers, avg(rated.score) AS mean_score, avg(CAST(rated.predicted AS numeric)) AS predicted, avg(rated.actual) FILTER (WHERE rated.predicted IS NOT NULL) AS actual
          FROM rated GROUP BY rated.value
    ), of_tier AS (
        SELECT rated.tier, rated.tier_rank, count(*) AS customers FROM rated GROUP BY rated.tier, rated.tier_rank
    ), of_both AS (
        SELECT rated.value, rated.tier, count(*) AS customers FROM rated GROUP BY rated.value, rated.tier
    )
    SELECT v.value, t.tier, v.customers, coalesce(c.customers, 0), round(coalesce(c.customers, 0) / CAST(v.customers AS numeric), 4), round(t.customers / CAST(e.n AS numeric), 4),
           round((coalesce(c.customers, 0) / CAST(v.customers AS numeric)) / (t.customers / CAST(e.n AS numeric)), 4),
           round(v.mean_score, 4), round(v.predicted, 4), round(v.actual, 4)
      FROM of_value AS v
     CROSS JOIN of_tier AS t
     CROSS JOIN (SELECT count(*) AS n FROM rated) AS e
      LEFT JOIN of_both AS c ON c.tier = t.tier AND c.value IS NOT DISTINCT FROM v.value
     ORDER BY v.value COLLATE "C" NULLS LAST, t.tier_rank DESC
$query$, schema, key, format_type(key_column.type, -1), attribute, relation, relation, customer_tier.key_equality(key_column.base_type), s.churn_days)
        USING this.as_of, this.run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.rating_parity(text, regclass, name, name) IS
    'whether ratings are even-handed: by the values of a column of any relation (region, channel ...) the customers, the share in each tier against everybody''s, the mean score, and how many were predicted to buy within churn_days, as of churn_days ago, against how many did. NULL = customers the relation does not know';
