-- Weights of the scorecard by a method instead of by hand.

CREATE FUNCTION customer_tier.objective_weights(schema name, method text, OUT weights float8[], OUT run_id bigint, OUT customers bigint)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    program text := (customer_tier.program_settings(schema)).program;
BEGIN
    EXECUTE format('SELECT run.run_id FROM %I.run WHERE run.is_current', schema) INTO run_id;
    IF run_id IS NULL OR NOT customer_tier.card_is_that_of(schema, run_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('no published ratings of program "%s" have the dimensions of its scorecard', program),
            DETAIL = format('Weights by %s look at the points of all customers.', method),
            HINT = format('CALL customer_tier.refresh(%L); then weigh again.', program);
    END IF;
    -- As published: what the relations say by now is another rating's.
    -- Customers who lack a value say nothing about how the dimensions differ.
    EXECUTE format(
$query$
    SELECT customer_tier.%I(r.dimension_points), count(*)
      FROM %I.rated_on($1) AS r
     WHERE r.orders > 0 AND array_position(r.dimension_points, NULL) IS NULL
$query$, method || '_weights', schema) INTO weights, customers USING run_id;
    IF customers = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('no customer of program "%s" has points in every dimension', program),
            HINT = 'Let missing be neutral or worst where it suits, or weigh the card by another method.';
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.objective_weights(name, text) IS 'internal: weights by entropy or CRITIC from the points of the published run';

CREATE FUNCTION customer_tier.weigh_scorecard(program text, method text, matrix float8[] DEFAULT NULL, ranking text[] DEFAULT NULL, objective text DEFAULT NULL,
    mix text DEFAULT 'multiplicative', share float8 DEFAULT 0.5, random_index text DEFAULT 'saaty', check_mode text DEFAULT 'refuse')
RETURNS TABLE (name text, weight float8, previous_weight float8)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    schema name := customer_tier.program_schema(program);
    names text[];
    old float8[];
    new float8[];
    ahp record;
    measured record;
    measured_run bigint;
    measured_customers bigint;
    details jsonb;
BEGIN
    EXECUTE format('SELECT array_agg(d.name ORDER BY d."position", d.name), array_agg(d.weight ORDER BY d."position", d.name) FROM %I.dimension AS d', schema) INTO names, old;
    IF names IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('program "%s" has no dimensions', program),
            HINT = format('SELECT customer_tier.set_scorecard(%L, ''rfm'');', program);
    END IF;
    details := jsonb_build_object('previous', (SELECT jsonb_object_agg(n, w) FROM unnest(names, old) AS u (n, w)));
    IF method IS NULL OR method NOT IN ('current', 'equal', 'roc', 'rank_sum', 'rank_reciprocal', 'ahp', 'entropy', 'critic') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('method "%s" of weights is not known', coalesce(method, 'NULL')),
            HINT = 'Use ''equal'', ''roc'', ''rank_sum'', ''rank_reciprocal'', ''ahp'', ''entropy'', ''critic'', or ''current'' to mix the present weights with an objective set.';
    ELSIF objective IS NOT NULL AND objective NOT IN ('entropy', 'critic') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('objective method "%s" is not known', objective), HINT = 'Use ''entropy'' or ''critic''.';
    ELSIF (method = 'ahp') <> (matrix IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = CASE WHEN method = 'ahp' THEN 'method "ahp" needs a matrix of judgements' ELSE format('method "%s" takes no matrix', method) END,
            HINT = CASE WHEN method = 'ahp' THEN format('matrix => ''{{1,3},{0.333333333333,1}}'': row and column k stand for dimension k of %s.', names) ELSE 'Matrices are for ''ahp''.' END;
    END IF;
    IF method IN ('roc', 'rank_sum', 'rank_reciprocal') THEN
        ranking := coalesce(ranking, names);
        IF (SELECT array_agg(r ORDER BY r COLLATE "C") FROM unnest(ranking) r) IS DISTINCT FROM (SELECT array_agg(n ORDER BY n COLLATE "C") FROM unnest(names) n) THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('ranking %s does not name every dimension once', ranking),
                HINT = format('The dimensions are %s; name the most important first.', names);
        END IF;
        details := details || jsonb_build_object('ranking', ranking);
    ELSIF ranking IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('method "%s" takes no ranking', method), HINT = 'Rankings are for ''roc'', ''rank_sum'' and ''rank_reciprocal''.';
    END IF;

    CASE method
        WHEN 'current' THEN
            new := old;
        WHEN 'equal' THEN
            new := customer_tier.equal_weights(cardinality(names));
        WHEN 'roc', 'rank_sum', 'rank_reciprocal' THEN
            new := CASE method WHEN 'roc' THEN customer_tier.roc_weights(cardinality(names))
                               WHEN 'rank_sum' THEN customer_tier.rank_sum_weights(cardinality(names))
                               ELSE customer_tier.rank_reciprocal_weights(cardinality(names)) END;
            new := ARRAY(SELECT new[array_position(ranking, n)] FROM unnest(names) WITH ORDINALITY AS u (n, i) ORDER BY i);
        WHEN 'ahp' THEN
            IF array_length(matrix, 1) IS DISTINCT FROM cardinality(names) THEN
                RAISE EXCEPTION USING ERRCODE = 'array_subscript_error', MESSAGE = format('the matrix has %s rows for %s dimensions', coalesce(array_length(matrix, 1), 0), cardinality(names)),
                    HINT = format('Row and column k stand for dimension k of %s.', names);
            END IF;
            ahp := customer_tier.ahp_weights(matrix, random_index, check_mode);
            new := ahp.weights;
            details := details || jsonb_build_object('matrix', matrix, 'random_index', random_index, 'lambda_max', ahp.lambda_max, 'ci', ahp.ci, 'cr', ahp.cr);
        ELSE
            measured := customer_tier.objective_weights(schema, method);
            new := measured.weights;
            measured_run := measured.run_id;
            measured_customers := measured.customers;
    END CASE;
    IF objective IS NOT NULL THEN
        IF method IN ('entropy', 'critic') THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" is an objective method itself', method),
                HINT = 'Mix a subjective set (current, equal, roc, rank_sum, rank_reciprocal, ahp) with an objective one.';
        END IF;
        measured := customer_tier.objective_weights(schema, objective);
        details := details || jsonb_build_object('subjective', new, 'objective', measured.weights, 'mix', mix, 'share', share);
        new := customer_tier.mix_weights(new, measured.weights, mix, share);
        measured_run := measured.run_id;
        measured_customers := measured.customers;
    END IF;

    EXECUTE format('UPDATE %I.dimension AS d SET weight = w.weight FROM unnest($1, $2) AS w (name, weight) WHERE d.name = w.name', schema) USING names, new;
    EXECUTE format('INSERT INTO %I.weighting (method, run_id, customers, details, weights)
                    SELECT $1, $2, $3, $4, jsonb_object_agg(w.name, w.weight / (SELECT sum(x) FROM unnest($6) x)) FROM unnest($5, $6) AS w (name, weight)', schema)
        USING method || coalesce(' and ' || objective, ''), measured_run, measured_customers, details, names, new;
    RETURN QUERY SELECT w.name, w.weight, w.old FROM unnest(names, new, old) AS w (name, weight, old);
END
$$;
COMMENT ON FUNCTION customer_tier.weigh_scorecard(text, text, float8[], text[], text, text, float8, text, text) IS
    'weigh the dimensions of a program by a method: equal, roc, rank_sum, rank_reciprocal (ranking: names, the most important first), ahp (matrix of judgements, in the order of the card), entropy, critic (points of the published ratings), or a subjective one mixed with an objective one (mix: multiplicative, or linear with share for the subjective). The weights are kept with what they were computed from in <schema>.weighting; the next refresh rates by them';
