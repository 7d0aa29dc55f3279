-- What if: everyone rated under other tiers, another policy or another
-- scorecard, as of the published day and from the published state, without
-- writing anything.  The changes travel as settings.what_if through what
-- compiles rate(), and the query that comes out is run instead of stored.

CREATE FUNCTION customer_tier.change_keys(given jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT k FROM jsonb_object_keys(CASE jsonb_typeof(given) WHEN 'object' THEN given ELSE '{}' END) k ORDER BY k)
$$;
COMMENT ON FUNCTION customer_tier.change_keys(jsonb) IS 'internal: the keys of changes; none of what is no object';

CREATE FUNCTION customer_tier.changed_dimensions(schema name, changes jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys CONSTANT text[] := '{weight,higher_is_better,method,parameters,missing,floor,floor_grade}';
    result jsonb := '{}';
    name text;
    change jsonb;
    known text[];
    feature record;
    place int;
BEGIN
    EXECUTE format('SELECT array_agg(dimension.name ORDER BY dimension."position", dimension.name), max(dimension."position") FROM %I.dimension', schema) INTO known, place;
    PERFORM customer_tier.check_change_keys('dimensions', changes->'dimensions', customer_tier.change_keys(changes->'dimensions'));
    PERFORM customer_tier.check_change_keys('weights', changes->'weights', customer_tier.change_keys(changes->'weights'));
    FOR name, change IN SELECT * FROM jsonb_each(coalesce(changes->'dimensions', '{}')) LOOP
        IF change <> 'null' THEN
            PERFORM customer_tier.check_change_keys(format('dimension "%s"', name), change, CASE WHEN name = ANY (known) THEN keys ELSE keys || '{feature}' END);
        END IF;
        -- A new dimension is named by its feature, unless it says otherwise.
        SELECT f.* INTO feature FROM customer_tier.dimension_features() f WHERE f.feature = coalesce(change->>'feature', name);
        IF (name = ANY (known)) IS NOT TRUE AND (change = 'null' OR feature.feature IS NULL) THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object',
                MESSAGE = CASE WHEN change ? 'feature' THEN format('dimension "%s" has the unknown feature "%s"', name, change->>'feature') ELSE format('there is no dimension "%s"', name) END,
                HINT = format('The dimensions are %s; a new one is named by a feature of customer_tier.dimension_features(), or has one: {"dimensions": {"age": {"feature": "tenure", "weight": 0.2}}}.',
                              array_to_string(known, ', '));
        ELSIF (name = ANY (known)) IS NOT TRUE THEN
            place := coalesce(place, 0) + 1;
            change := jsonb_build_object('name', name, 'position', place, 'label', name, 'label_zh', name, 'weight', 1, 'higher_is_better', feature.higher_is_better,
                                         'feature', feature.feature, 'is_function', false, 'method', 'percentile', 'parameters', '{}'::jsonb, 'missing', 'renormalise') || change;
            known := known || name;
        ELSIF change ? 'method' AND NOT change ? 'parameters' THEN
            change := change || '{"parameters": {}}';   -- those of another method
        END IF;
        result := result || jsonb_build_object(name, change);
    END LOOP;
    FOR name, change IN SELECT * FROM jsonb_each(coalesce(changes->'weights', '{}')) LOOP
        IF (name = ANY (known)) IS NOT TRUE OR result->name = 'null' THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no dimension "%s" to give a weight', name),
                HINT = format('The dimensions are %s.', array_to_string(known, ', '));
        ELSIF changes->'dimensions'->name ? 'weight' THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the changes give dimension "%s" two weights', name),
                HINT = 'Give it in "weights" or in "dimensions".';
        END IF;
        result := result || jsonb_build_object(name, coalesce(result->name, '{}') || jsonb_build_object('weight', change));
    END LOOP;
    RETURN nullif(result, '{}');
END
$$;
COMMENT ON FUNCTION customer_tier.changed_dimensions(name, jsonb) IS 'internal: the "dimensions" and "weights" of changes as changes of rows of <schema>.dimension; NULL = none';

CREATE FUNCTION customer_tier.changed_grades(schema name, changes jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result jsonb := '{}';
    code text;
    change jsonb;
    known text[];
BEGIN
    EXECUTE format('SELECT array_agg(grade.code ORDER BY grade.grade_rank DESC) FROM %I.grade', schema) INTO known;
    PERFORM customer_tier.check_change_keys('grades', changes->'grades', customer_tier.change_keys(changes->'grades'));
    FOR code, change IN SELECT * FROM jsonb_each(coalesce(changes->'grades', '{}')) LOOP
        IF change <> 'null' THEN
            PERFORM customer_tier.check_change_keys(format('grade "%s"', code), change, '{grade_rank,min_score,share}');
        END IF;
        IF (code = ANY (known)) IS NOT TRUE THEN
            IF (change ? 'grade_rank') IS NOT TRUE THEN
                RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no grade "%s"', code),
                    HINT = format('The grades are %s; for a new one give its grade_rank.', array_to_string(known, ', '));
            END IF;
            change := jsonb_build_object('code', code, 'label', code, 'label_zh', code) || change;
        END IF;
        -- A share takes the place of a threshold, and the other way round.
        IF change ? 'min_score' AND NOT change ? 'share' THEN
            change := change || '{"share": null}';
        ELSIF change ? 'share' AND NOT change ? 'min_score' THEN
            change := change || '{"min_score": null}';
        END IF;
        result := result || jsonb_build_object(code, change);
    END LOOP;
    RETURN nullif(result, '{}');
END
$$;
COMMENT ON FUNCTION customer_tier.changed_grades(name, jsonb) IS 'internal: the "grades" of changes as changes of rows of <schema>.grade; NULL = none';

CREATE FUNCTION customer_tier.what_if(schema name, as_of date, changes jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tried jsonb;
    f record;
    wrong record;
BEGIN
    IF changes IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the changes must not be NULL',
            HINT = 'Changes look like {"tiers": {"gold": {"min_score": 70}}, "policy": {"delta": 8}}; {} changes nothing.';
    END IF;
    PERFORM customer_tier.check_change_keys('a program', changes, '{tiers,policy,weights,dimensions,scorecard,grades}');
    PERFORM customer_tier.check_change_keys('the scorecard', changes->'scorecard', customer_tier.table_columns(format('%I.scorecard', schema)::regclass, '{only_row}'));
    SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') INTO tried
      FROM jsonb_each((changes - '{weights,dimensions,grades}'::text[])
                      || jsonb_build_object('dimensions', customer_tier.changed_dimensions(schema, changes), 'grades', customer_tier.changed_grades(schema, changes))) AS e
     WHERE e.value <> 'null';

    SELECT * INTO f FROM customer_tier.tiers_in_force(schema, as_of, tried);
    FOR wrong IN
        SELECT '22023' AS code, p.problem, p.hint
          FROM (VALUES ('tier'::name, 'code'::name, format('(SELECT (jsonb_populate_record(CAST(NULL AS %I.tier), t.value)).* FROM jsonb_each(%L) AS t)', schema, f.tiers)),
                       ('tier_policy', NULL, format('(SELECT (jsonb_populate_record(CAST(NULL AS %I.tier_policy), %L)).*)', schema, f.policy || '{"only_row": true}')),
                       ('dimension', 'name', customer_tier.configured(schema, 'dimension', 'name', tried->'dimensions')),
                       ('scorecard', NULL, customer_tier.configured(schema, 'scorecard', NULL, tried->'scorecard')),
                       ('grade', 'code', customer_tier.configured(schema, 'grade', 'code', tried->'grades'))) AS r (relation, key, rows),
               LATERAL customer_tier.row_problems(schema, r.relation, r.key, r.rows) AS p
    LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = format('with these changes %s', wrong.problem), HINT = wrong.hint;
    END LOOP;
    FOR wrong IN SELECT p.* FROM customer_tier.terms_problems(schema, as_of, tried) AS p UNION ALL SELECT p.* FROM customer_tier.card_problems(schema, tried) AS p LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = format('with these changes %s', wrong.problem), HINT = wrong.hint;
    END LOOP;
    FOR wrong IN EXECUTE format(
$query$
    SELECT override.tier, count(DISTINCT override.customer_id) AS customers
      FROM %I.tier_override AS override
     WHERE override.valid_from <= $1 AND override.valid_to > $1 AND NOT $2 ? override.tier
     GROUP BY override.tier ORDER BY override.tier
$query$, schema) USING as_of, f.tiers LOOP
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('with these changes there is no tier "%s", which overrides give', wrong.tier),
            DETAIL = format('Customers with such an override: %s.', wrong.customers),
            HINT = 'End these overrides first, or keep the tier.';
    END LOOP;
    RETURN tried;
END
$$;
COMMENT ON FUNCTION customer_tier.what_if(name, date, jsonb) IS 'internal: changes that are tried out, complete and checked: by table, as customer_tier.configured() and tiers_in_force() read them';

CREATE FUNCTION customer_tier.tried_book(schema name, terms jsonb, measures text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    book jsonb;
BEGIN
    -- Numbered as put_terms() would number them; older terms are for those to
    -- whom they granted a tier.
    EXECUTE format(
$query$
    WITH newest AS (
        SELECT max(t.terms_id) FILTER (WHERE t.terms = $1) AS same_id, max(t.terms_id) AS last_id
          FROM (SELECT * FROM %1$I.tier_terms ORDER BY terms_id DESC LIMIT 1) AS t
    ), known AS (
        SELECT t.terms_id, t.terms
          FROM %1$I.tier_terms AS t, newest
         WHERE CAST($1->'policy'->>'grandfather' AS boolean) AND t.terms_id IS DISTINCT FROM newest.same_id
        UNION ALL
        SELECT coalesce(newest.same_id, newest.last_id + 1, 1), $1 FROM newest
    )
    SELECT jsonb_build_object('terms', jsonb_agg(jsonb_build_object('id', known.terms_id) || known.terms ORDER BY known.terms_id), 'measures', to_jsonb($2))
      FROM known
$query$, schema) INTO book USING terms, measures;
    RETURN book;
END
$$;
COMMENT ON FUNCTION customer_tier.tried_book(name, jsonb, text[]) IS 'internal: the rules for tier_move() with terms that are tried out, as rule_book() makes it of terms that are kept';

CREATE FUNCTION customer_tier.outside_place(schema name, dimension text) RETURNS int
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place int;
BEGIN
    EXECUTE format(
$query$
    SELECT o.place
      FROM (SELECT d.name, row_number() OVER (ORDER BY d."position") AS place FROM %1$I.run_dimension AS d JOIN %1$I.run USING (run_id) WHERE run.is_current AND d.is_outside) AS o
     WHERE o.name = $1
$query$, schema) INTO place USING dimension;
    RETURN place;
END
$$;
COMMENT ON FUNCTION customer_tier.outside_place(name, text) IS 'internal: where rating.outside_values has the value of a dimension; NULL when it is not in the published ratings';

CREATE FUNCTION customer_tier.check_compiled(schema name, s customer_tier.program_settings) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_column record;
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    IF NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                    WHERE n.nspname = schema AND p.proname = 'features'
                      AND p.prosrc = customer_tier.features_query(schema, s, key_column.type::text, customer_tier.key_equality(key_column.base_type), key_column.collate_clause))
       OR NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                       WHERE n.nspname = schema AND p.proname = 'points' AND strpos(p.prosrc, customer_tier.predictions_query(s)) > 0)
       OR EXISTS (SELECT FROM customer_tier.card(schema) c WHERE c.outside IS NOT NULL AND customer_tier.outside_place(schema, c.name) IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the published ratings of program "%s" were made with other settings', s.program),
            DETAIL = 'What is measured of the customers, or a relation that dimensions come from, was changed since.',
            HINT = format('CALL customer_tier.refresh(%L); and try again.', s.program);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.check_compiled(name, customer_tier.program_settings) IS 'internal: ensure that the functions of a program, and what it has stored, are those of its settings';

CREATE FUNCTION customer_tier.simulation_query(program text, changes jsonb, from_scratch boolean) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    key_type regtype;
    run record;
    card record;
    same_card boolean;
    same_scores boolean;
    measures_anew boolean;
    as_of text;
    run_id text;
BEGIN
    EXECUTE format('SELECT run.run_id, run.as_of, run.scores, run.buyers, run.has_scales, run.is_frozen, run.is_replay, run.combination FROM %I.run WHERE run.is_current', schema) INTO run;
    IF run.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    ELSIF from_scratch IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'from_scratch must not be NULL',
            HINT = 'Use true to place everybody as at a first evaluation, or false to let them move from where they stand.';
    END IF;
    s.what_if := customer_tier.what_if(schema, run.as_of, changes);
    PERFORM customer_tier.check_compiled(schema, s);

    -- Which scales a refresh of the same day would use.  It measures the same
    -- as the published run did, unless the dimensions are others, or that run
    -- had frozen scales and this one would not.
    EXECUTE format('SELECT c.combination, c.frozen_scale FROM %s AS c', customer_tier.configured(schema, 'scorecard', NULL, s.what_if->'scorecard')) INTO card;
    same_card := customer_tier.card_is_that_of(schema, run.run_id, s.what_if);
    measures_anew := run.is_frozen OR NOT run.has_scales;
    same_scores := run.scores = customer_tier.segment_map_scores(s.segment_map);
    IF card.frozen_scale AND run.has_scales AND run.buyers > 0 AND same_scores AND run.combination = card.combination AND same_card THEN
        s.what_if := s.what_if || '{"new_scales": false, "new_cuts": false, "new_ideals": false, "new_grades": false}';
    ELSE
        s.what_if := s.what_if || jsonb_build_object('new_scales', measures_anew OR NOT same_card, 'new_cuts', measures_anew OR NOT same_scores,
                                                     'new_ideals', measures_anew OR NOT same_card OR run.combination <> card.combination, 'new_grades', true);
    END IF;
    s.what_if := s.what_if || jsonb_build_object('from_scratch', from_scratch);

    SELECT c.type INTO key_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c;
    as_of := format('CAST(%L AS date)', run.as_of);
    run_id := format('CAST(%s AS bigint)', run.run_id);
    RETURN customer_tier.rate_query(schema, s,
               format('(%s)', customer_tier.points_query(schema, s, key_type::text, format('%I.features(%s)', schema, as_of), as_of, run_id, NULL,
                                                         format('CAST(%L AS boolean) AS is_replay', run.is_replay))),
               as_of, run_id, true);
END
$$;
COMMENT ON FUNCTION customer_tier.simulation_query(text, jsonb, boolean) IS 'internal: the query that rates everybody as of the published day with changes that are tried out, from the stored histories and values';

CREATE FUNCTION customer_tier.simulate_moves(program text, changes jsonb, from_scratch boolean DEFAULT false)
RETURNS TABLE (customer_id text, from_tier text, to_tier text, from_rank int, to_rank int, direction text, score numeric, new_score numeric, grade text, new_grade text, reason text, revenue numeric)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    rated text := customer_tier.simulation_query(program, changes, from_scratch);
    schema name := customer_tier.program_schema(program);
    ranks record;
BEGIN
    SELECT * INTO ranks FROM customer_tier.tier_ranks(schema, changes);
    RETURN QUERY EXECUTE format(
$query$
    SELECT CAST(kept.customer_id AS text), kept.tier, tried.tier, kept.tier_rank, tried.tier_rank,
           customer_tier.tier_direction(kept.tier, tried.tier, kept.tier_rank, tried.tier_rank, $1, $2),
           CAST(kept.score AS numeric), tried.score, kept.grade, tried.grade, tried.tier_reason, kept.revenue
      FROM (%1$s) AS tried
      JOIN %2$I.scored_rating AS kept ON kept.customer_id %3$s tried.customer_id
     WHERE tried.tier <> kept.tier
     ORDER BY tried.tier_rank DESC, kept.tier_rank DESC, tried.score DESC NULLS LAST, kept.customer_id
$query$, rated, schema,
        customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)))
        USING ranks.old_ranks, ranks.new_ranks;
END
$$;
COMMENT ON FUNCTION customer_tier.simulate_moves(text, jsonb, boolean) IS
    'who would stand in another tier than the published one, if tiers, policy, weights, dimensions, combination or grades were changed so: {"tiers": {"gold": {"min_score": 70}}, "policy": {"delta": 8}, "weights": {"frequency": 0.5}}. As of the published day, each customer from the state before it; from_scratch places everybody as at a first evaluation. revenue: net, in currency units. Writes nothing';

CREATE FUNCTION customer_tier.simulate_matrix(program text, changes jsonb, from_scratch boolean DEFAULT false)
RETURNS TABLE (from_tier text, to_tier text, from_rank int, to_rank int, direction text, customers bigint, share numeric, revenue numeric, benefit_cost_before numeric, benefit_cost_after numeric)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    rated text := customer_tier.simulation_query(program, changes, from_scratch);
    schema name := customer_tier.program_schema(program);
    ranks record;
BEGIN
    SELECT * INTO ranks FROM customer_tier.tier_ranks(schema, changes);
    RETURN QUERY EXECUTE format(
$query$
    SELECT m.from_tier, m.to_tier, m.from_rank, m.to_rank,
           customer_tier.tier_direction(m.from_tier, m.to_tier, m.from_rank, m.to_rank, $1, $2),
           m.customers, round(m.customers / sum(m.customers) OVER (PARTITION BY m.from_tier), 4), m.revenue,
           m.customers * CAST($3->>m.from_tier AS numeric), m.customers * CAST($4->>m.to_tier AS numeric)
      FROM (SELECT kept.tier AS from_tier, tried.tier AS to_tier, kept.tier_rank AS from_rank, tried.tier_rank AS to_rank,
                   count(*) AS customers, sum(kept.revenue) AS revenue
              FROM (%1$s) AS tried
              JOIN %2$I.rating AS kept ON kept.customer_id %3$s tried.customer_id
             GROUP BY kept.tier, tried.tier, kept.tier_rank, tried.tier_rank) AS m
     ORDER BY m.from_rank DESC, m.to_rank DESC, m.from_tier, m.to_tier
$query$, rated, schema,
        customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)))
        USING ranks.old_ranks, ranks.new_ranks, ranks.old_costs, ranks.new_costs;
END
$$;
COMMENT ON FUNCTION customer_tier.simulate_matrix(text, jsonb, boolean) IS
    'how many customers would stand in which tier instead of the published one, with changes as simulate_moves() takes them: customers, their share of those of from_tier, their net revenue in currency units, and what the benefits of from_tier and of to_tier cost for them a year (tier.benefit_cost; NULL = not known). Writes nothing';
