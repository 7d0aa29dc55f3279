-- What a run measures before it rates: the cut points, the scale of every
-- dimension, and what combinations and shares need to know of everyone.

CREATE FUNCTION customer_tier.cut_aggregates(customer text, scores int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- R among all buyers, F and M among those with an order in the window.
    SELECT format(
$query$max(%1$s.last_day) AS newest_day,
               max(CAST(%1$s.recency_days AS double precision)) AS oldest,
               customer_tier.cut_values(CAST(%1$s.recency_days AS double precision)) AS recencies,
               customer_tier.balanced_cuts(customer_tier.cut_values(%1$s.frequency) FILTER (WHERE %1$s.frequency > 0), %2$s) AS f_cuts,
               customer_tier.balanced_cuts(customer_tier.cut_values(%1$s.monetary) FILTER (WHERE %1$s.frequency > 0), %2$s) AS m_cuts$query$, customer, scores)
$$;
COMMENT ON FUNCTION customer_tier.cut_aggregates(text, integer) IS 'internal: the aggregates over all buyers of which cut points are made, of rows of features()';

CREATE FUNCTION customer_tier.cuts_query(schema name, s customer_tier.program_settings, aggregates text, as_of text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    scores int := customer_tier.segment_map_scores(s.segment_map);
BEGIN
    RETURN format(
$query$buyer AS NOT MATERIALIZED (
        SELECT features.last_day, features.recency_days, features.frequency, features.monetary
          FROM %1$s AS features
         WHERE features.orders > 0
    ), scale AS MATERIALIZED (
        %3$s
    ), cuts AS MATERIALIZED (
        -- A cut on the oldest day of all would lift those who bought on it:
        -- it moves down to the day before, so that they have R 1.
        SELECT (SELECT array_agg(CASE WHEN cut = scale.oldest
                                      THEN coalesce(customer_tier.largest_below(scale.recencies, scale.oldest), cut)
                                      ELSE cut END ORDER BY n)
                  FROM unnest(customer_tier.quantile_cuts(scale.recencies, %2$s)) WITH ORDINALITY AS c (cut, n)) AS r_cuts
          FROM scale
    ), measured AS (
        SELECT %2$s AS scores, scale.rated AS buyers, scale.newest_day, cuts.r_cuts, scale.f_cuts, scale.m_cuts,
               %4$s AS compare
          FROM scale, cuts
    )$query$,
        customer_tier.people(schema, s, as_of), scores, aggregates,
        CASE WHEN customer_tier.map_is_relative(s.segment_map) THEN format(
$query$-- The means against which the map calls a score high.
               (SELECT ARRAY[avg(%1$s + 1 - customer_tier.score(buyer.recency_days, (SELECT cuts.r_cuts FROM cuts))),
                             avg(CASE WHEN buyer.frequency > 0 THEN customer_tier.score(buyer.frequency, (SELECT scale.f_cuts FROM scale)) ELSE 1 END),
                             avg(CASE WHEN buyer.frequency > 0 THEN customer_tier.score(buyer.monetary, (SELECT scale.m_cuts FROM scale)) ELSE 1 END)]::double precision[]
                  FROM buyer
                HAVING count(*) > 0)$query$, scores)
        ELSE 'CAST(NULL AS double precision[])' END);
END
$$;
COMMENT ON FUNCTION customer_tier.cuts_query(name, customer_tier.program_settings, text, text) IS 'internal: common table expressions that end with "measured", the cut points, made of the cut_aggregates';

CREATE FUNCTION customer_tier.measure_query(schema name, s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(
$query$
    WITH %s
    SELECT measured.* FROM measured
$query$,
        customer_tier.cuts_query(schema, s, format(
$query$SELECT count(*) AS rated,
               %s
          FROM buyer$query$, customer_tier.cut_aggregates('buyer', customer_tier.segment_map_scores(s.segment_map))), 'measure.as_of'))
$$;
COMMENT ON FUNCTION customer_tier.measure_query(name, customer_tier.program_settings) IS 'internal: body of <schema>.measure';

CREATE FUNCTION customer_tier.card_is_that_of(schema name, run_id bigint, what_if jsonb DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    same boolean;
BEGIN
    -- Weights and floors need no new scale.
    EXECUTE format(
$query$
    WITH present AS (
        SELECT c.n, c.name, c.method, c.parameters, c.higher_is_better, c.outside IS NOT NULL FROM customer_tier.card(%1$L, $2) AS c
    ), past AS (
        SELECT d."position", d.name, d.method, d.parameters, d.higher_is_better, d.is_outside FROM %1$I.run_dimension AS d WHERE d.run_id = $1
    )
    SELECT NOT EXISTS (TABLE present EXCEPT TABLE past) AND NOT EXISTS (TABLE past EXCEPT TABLE present)
$query$, schema) INTO same USING run_id, what_if;
    RETURN same;
END
$$;
COMMENT ON FUNCTION customer_tier.card_is_that_of(name, bigint, jsonb) IS 'internal: whether the dimensions are, or would be, those of a run, so that its scales fit';

CREATE FUNCTION customer_tier.measure_run(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET datestyle = 'ISO, YMD' AS $$
DECLARE
    card record;
    frozen_run bigint;
    published_run bigint;
    grades record;
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    key_type text := (SELECT c.type::text FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c);
    as_of date;
    has_untimed boolean;    -- a dimension of which the past is not known
    latest_day date;
    places float8[];
BEGIN
    EXECUTE format('SELECT scorecard.* FROM %I.scorecard', schema) INTO card;
    EXECUTE format('SELECT array_agg(grade.code ORDER BY grade.grade_rank) AS codes,
                           array_agg(grade.share ORDER BY grade.grade_rank) FILTER (WHERE grade.share IS NOT NULL) AS shares,
                           coalesce(array_agg(grade.min_score ORDER BY grade.grade_rank) FILTER (WHERE grade.grade_rank > 1), ''{}'') AS cuts
                      FROM %I.grade', schema) INTO grades;
    IF card.frozen_scale THEN
        EXECUTE format('SELECT current.run_id FROM %1$I.run AS current, %1$I.run AS this
                         WHERE current.is_current AND current.has_scales AND current.buyers > 0 AND this.run_id = $1
                           AND current.scores = customer_tier.segment_map_scores((SELECT settings.segment_map FROM %1$I.settings))
                           AND current.combination = $2
                           AND customer_tier.card_is_that_of(%1$L, current.run_id)', schema)
            INTO frozen_run USING run_id, card.combination;
        EXECUTE format('SELECT run.run_id FROM %I.run WHERE run.is_current', schema) INTO published_run;
        IF frozen_run IS NULL AND published_run IS NOT NULL THEN
            RAISE NOTICE USING MESSAGE = 'the scales are frozen, but were measured anew',
                DETAIL = format('Run %s has other dimensions, methods, scores or another combination than the scorecard has now, or no customer.', published_run);
        END IF;
    END IF;

    EXECUTE format('SELECT run.as_of FROM %I.run WHERE run.run_id = $1', schema) INTO as_of USING run_id;
    has_untimed := EXISTS (SELECT FROM customer_tier.card(schema) c WHERE NOT c.is_timed);
    IF has_untimed THEN
        EXECUTE format('SELECT max(customer_tier.last_day(history.history)) FROM %I.history', schema) INTO latest_day;
        EXECUTE format('UPDATE %I.run SET latest_day = $2 WHERE run.run_id = $1', schema) USING run_id, latest_day;
    END IF;
    -- Cut points and scales in one pass over everybody.
    PERFORM customer_tier.execute_steps(ARRAY[
        customer_tier.step(format('WITH %s, %s',
            customer_tier.values_query(schema, s, key_type, customer_tier.people(schema, s, format('CAST(%L AS date)', as_of)), format('CAST(%L AS date)', as_of), format('CAST(%s AS bigint)', run_id), false),
            customer_tier.measured_query(schema, s, format('CAST(%L AS date)', as_of))), 'measured'),
        customer_tier.step(format(
$query$
    UPDATE %1$I.run
       SET (scores, customers, buyers, newest_day, r_cuts, f_cuts, m_cuts, compare) =
           (SELECT m.scores, m.everyone, m.buyers, m.newest_day, m.r_cuts, m.f_cuts, m.m_cuts, m.compare FROM measured AS m LIMIT 1),
           has_scales = true
     WHERE run.run_id = %2$s
$query$, schema, run_id)),
        customer_tier.step(format(
$query$
    INSERT INTO %1$I.run_dimension (run_id, "position", name, weight, higher_is_better, method, parameters, ties, missing, floor, floor_grade, is_outside,
                                    scale, distribution, customers, absent, minimum, maximum, mean, deviation, deciles, decile_counts)
    SELECT %2$s, m."position", m.name, m.weight, m.higher_is_better, m.method, m.parameters, m.ties, m.missing, m.floor, m.floor_grade, m.is_outside,
           m.scale, m.distribution, m.customers, m.absent, m.minimum, m.maximum, m.mean, m.deviation, m.deciles, m.decile_counts
      FROM measured AS m
$query$, schema, run_id))]);
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET is_frozen = $2, combination = $3, is_replay = $4 AND customer_tier.is_replay(%1$L, run.as_of, run.run_id, false),
           grades = $5, grade_shares = $6, grade_cuts = CASE WHEN $6 IS NULL THEN $7 END
     WHERE run.run_id = $1
$query$, schema) USING run_id, frozen_run IS NOT NULL, card.combination, has_untimed, grades.codes, grades.shares, grades.cuts;
    IF frozen_run IS NOT NULL THEN
        EXECUTE format(
$query$
    UPDATE %1$I.run
       SET (r_cuts, f_cuts, m_cuts, compare, combination_scale, grade_cuts) =
           (SELECT f.r_cuts, f.f_cuts, f.m_cuts, f.compare, f.combination_scale, CASE WHEN run.grade_shares = f.grade_shares THEN f.grade_cuts ELSE run.grade_cuts END
              FROM %1$I.run AS f WHERE f.run_id = $2)
     WHERE run.run_id = $1
$query$, schema) USING run_id, frozen_run;
        EXECUTE format(
$query$
    UPDATE %1$I.run_dimension AS d
       SET scale = f.scale, distribution = f.distribution
      FROM %1$I.run_dimension AS f
     WHERE d.run_id = $1 AND f.run_id = $2 AND f."position" = d."position"
$query$, schema) USING run_id, frozen_run;
    END IF;

    -- What looks at everyone's points has to see them all first.
    IF card.combination <> 'mean' THEN
        EXECUTE format(
$query$
    WITH points AS MATERIALIZED (
        SELECT p.dimension_points FROM %1$I.run, LATERAL %1$I.points(run.as_of, run.run_id) AS p WHERE run.run_id = $1 AND p.is_rated
    ), ideal AS (
        UPDATE %1$I.run
           SET combination_scale = (SELECT %2$s FROM points)
         WHERE run.run_id = $1 AND $2
    )
    UPDATE %1$I.run_dimension AS d
       SET mean_points = (SELECT (customer_tier.mean_deviation(points.dimension_points[d."position"]))[1] FROM points)
     WHERE d.run_id = $1
$query$, schema, customer_tier.combination_scale_query(schema, s)) USING run_id, card.combination = 'topsis' AND frozen_run IS NULL;
    END IF;
    IF grades.shares IS NOT NULL THEN
        EXECUTE format(
$query$
    WITH so_far AS MATERIALIZED (
        SELECT r.score, count(*) OVER (ORDER BY r.score DESC) AS better_or_equal, count(*) OVER () AS everyone
          FROM %1$I.run, LATERAL %1$I.rate(run.as_of, run.run_id) AS r
         WHERE run.run_id = $1 AND run.grade_cuts IS NULL AND r.score IS NOT NULL
    )
    UPDATE %1$I.run
       SET grade_cuts = ARRAY(SELECT coalesce((SELECT min(so_far.score) FROM so_far WHERE so_far.better_or_equal <= grade.share * so_far.everyone), 101)
                                FROM %1$I.grade WHERE grade.grade_rank > 1 ORDER BY grade.grade_rank)
     WHERE run.run_id = $1 AND run.grade_cuts IS NULL
$query$, schema) USING run_id;
    END IF;
    IF customer_tier.program_has_limits(schema) THEN
        EXECUTE customer_tier.everyone_query(schema, s, format('CAST(%L AS date)', as_of), format('CAST(%s AS bigint)', run_id), 'places') INTO places;
        EXECUTE format('UPDATE %I.run SET tier_places = $2 WHERE run.run_id = $1', schema) USING run_id, places;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.measure_run(name, bigint) IS 'internal: measure a run''s cut points and scales, or take over those of the published run where they are frozen';

CREATE FUNCTION customer_tier.keep_distribution(schema name, run_id bigint, added bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    rated record;
    scores record;
BEGIN
    -- How many there are and how the scores lie, for score_drift(); read by
    -- statements of their own, which may be parallel.
    IF added IS NULL THEN
        EXECUTE format('SELECT count(*) AS customers, count(*) FILTER (WHERE rating.orders = 0) AS prospects, %s AS next_place FROM %I.rating',
                       CASE WHEN s.is_distributed THEN 'CAST(NULL AS bigint)' ELSE 'max(CAST(rating.place AS bigint)) + 1' END, schema) INTO rated;
    ELSE
        EXECUTE format('SELECT current.customers + $2 AS customers, current.customers + $2 - this.buyers AS prospects, current.next_place + $2 AS next_place
                          FROM %1$I.run AS current, %1$I.run AS this WHERE current.is_current AND this.run_id = $1', schema)
            INTO rated USING run_id, added;
    END IF;
    EXECUTE format('SELECT customer_tier.percentile_scale(rated.score) AS distribution, customer_tier.scale_stats(rated.score) AS stats FROM (%s) AS rated',
                   customer_tier.scores_query(s)) INTO scores;
    EXECUTE format('UPDATE %I.run SET customers = $2, prospects = $3, next_place = $4, score_blocks = $5, score_distribution = $6, score_deciles = $7, score_decile_counts = $8 WHERE run.run_id = $1', schema)
        USING run_id, rated.customers, rated.prospects, rated.next_place, customer_tier.score_blocks(schema, s), scores.distribution, (scores.stats).deciles, (scores.stats).decile_counts;

    -- Whether this run begins anew.
    EXECUTE format(
$query$
    WITH present AS (
        SELECT d.name, d.weight, d.method, d.parameters, d.higher_is_better, run.combination FROM %1$I.run_dimension AS d JOIN %1$I.run USING (run_id) WHERE d.run_id = $1
    ), past AS (
        SELECT d.name, d.weight, d.method, d.parameters, d.higher_is_better, run.combination FROM %1$I.run_dimension AS d JOIN %1$I.run USING (run_id) WHERE run.is_reference
    )
    UPDATE %1$I.run
       SET is_reference = (run.run_id = $1)
     WHERE run.is_reference <> (run.run_id = $1)
       AND (EXISTS (TABLE present EXCEPT TABLE past) OR EXISTS (TABLE past EXCEPT TABLE present))
$query$, schema) USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.keep_distribution(name, bigint, bigint) IS 'internal: keep how many customers a run rated, the distribution of their scores, and whether the run begins anew; added is how many there are more than in the published run, of whom nobody left, NULL = they are counted';

CREATE FUNCTION customer_tier.drop_old_scales(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Scales are the one large thing in a run: it keeps its own, those of the
    -- one that was current until now, and those of the reference.
    EXECUTE format(
$query$
    WITH old AS (
        UPDATE %1$I.run
           SET has_scales = false, score_distribution = NULL, combination_scale = NULL
         WHERE run.has_scales AND NOT run.is_current AND NOT run.is_reference AND run.run_id <> $1
        RETURNING run.run_id
    )
    UPDATE %1$I.run_dimension AS d
       SET scale = NULL, distribution = NULL
      FROM old
     WHERE d.run_id = old.run_id
$query$, schema) USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.drop_old_scales(name, bigint) IS 'internal: drop the scales of earlier runs that nobody will ask for';

CREATE FUNCTION customer_tier.compile_one(schema name, s customer_tier.program_settings, key_type text, rating_row text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    body CONSTANT text :=
$body$
#variable_conflict use_column
<<one>>
DECLARE
    run_id bigint;
    published date;
    is_replay boolean;
BEGIN
    SELECT run.run_id, run.as_of, run.is_replay INTO one.run_id, one.published, one.is_replay FROM %1$I.run WHERE run.is_current;
    IF one.run_id IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY %2$s;
END
$body$;
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
    key_column text := 'customer';
    stored text;
    live text;
BEGIN
    -- As published: the stored history, and what the relations said then.
    stored := format('(SELECT history.* FROM %I.history WHERE history.customer_id %s rated_one.customer)', schema, equality);
    PERFORM customer_tier.put_function(schema, 'rated_one', format('customer %s', key_type),
        format('TABLE(customer_id %s, %s)', key_type, rating_row),
        'LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off',
        format(body, schema, customer_tier.rate_query(schema, s,
            format('(%s)', customer_tier.points_query(schema, s, key_type,
                format('(%s)', customer_tier.features_query(schema, s, key_type, equality, '', stored, 'one.published', 'rated_one.customer')),
                'one.published', 'one.run_id', 'rated_one.customer', 'one.is_replay')),
            'one.published', 'one.run_id')),
        'one customer''s rating as published, worked out again from the stored history with the values and points of the dimensions');
    PERFORM customer_tier.put_function(schema, 'rated_on', 'run_id bigint',
        format('TABLE(customer_id %s, %s)', key_type, rating_row),
        'LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off',
        format(body, schema, customer_tier.rate_query(schema, s,
            format('(%s)', customer_tier.points_query(schema, s, key_type,
                format('%I.features(one.published)', schema), 'one.published', 'rated_on.run_id', NULL, 'one.is_replay')),
            'one.published', 'rated_on.run_id')),
        'everyone''s rating as published, but on the scales and models of another run; relations are not read again');

    IF EXISTS (SELECT FROM customer_tier.settings_problems(s)) THEN
        RETURN;
    END IF;
    live := format('(%s)', customer_tier.source_query(s, 'rate_one.customer'));
    PERFORM customer_tier.put_function(schema, 'rate_one', format('customer %s, as_of date', key_type),
        format('TABLE(customer_id %s, %s)', key_type, rating_row),
        'LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET jit = off',
        format(body, schema, customer_tier.rate_query(schema, s,
            format('(%s)', customer_tier.points_query(schema, s, key_type,
                format('(%s)', customer_tier.features_query(schema, s, key_type, equality, '', live, 'rate_one.as_of', 'rate_one.customer')),
                'rate_one.as_of', 'one.run_id', 'rate_one.customer')),
            'rate_one.as_of', 'one.run_id')),
        'one customer''s rating as of a day from the orders as they are now, on the scales of the published run; an index on the customer makes it quick');
END
$$;
COMMENT ON FUNCTION customer_tier.compile_one(name, customer_tier.program_settings, text, text) IS 'internal: write the functions that rate a single customer, or the published values once more';
