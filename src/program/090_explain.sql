-- One customer at a time: the rating explained dimension by dimension, and the
-- rating as it would be now.

CREATE FUNCTION customer_tier.combined_score(points float8[], weights float8[], combination text, scale float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE combination
        WHEN 'geometric' THEN customer_tier.geometric_score(points, weights)
        WHEN 'topsis' THEN 100 OPERATOR(pg_catalog.*) customer_tier.topsis(points, weights, scale)
        ELSE customer_tier.weighted_score(points, weights) END
$$;
COMMENT ON FUNCTION customer_tier.combined_score(float8[], float8[], text, float8[]) IS 'one score 0..100 of the points in several dimensions: combination mean, geometric, or topsis on its scale';

CREATE FUNCTION customer_tier.points_needed(points float8[], "position" int, weights float8[], combination text, scale float8[], target numeric) RETURNS float8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low float8 := points["position"];
    high float8 := 100;
    middle float8;
    tried float8[] := points;
BEGIN
    -- The score rises with the points, so halving finds where it gets there.
    tried["position"] := high;
    IF low IS NULL OR (round(customer_tier.combined_score(tried, weights, combination, scale)::numeric, 4) >= target) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    LOOP
        middle := low + (high - low) / 2;
        EXIT WHEN middle <= low OR middle >= high;
        tried["position"] := middle;
        IF round(customer_tier.combined_score(tried, weights, combination, scale)::numeric, 4) >= target THEN
            high := middle;
        ELSE
            low := middle;
        END IF;
    END LOOP;
    RETURN high;
END
$$;
COMMENT ON FUNCTION customer_tier.points_needed(float8[], int, float8[], text, float8[], numeric) IS 'the least points in one dimension with which the score, rounded to 4 decimals, reaches a target; NULL when 100 do not';

CREATE FUNCTION customer_tier.explain_rating(program text, customer text)
RETURNS TABLE ("position" int, kind text, name text, label text, label_zh text, value float8, customer_rank bigint, customers bigint, points float8,
               weight numeric, contribution numeric, best_value float8, next_grade text, value_for_next_grade float8)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    schema name := customer_tier.owned_schema(program, 'explain');
    key_type text := (SELECT c.type::text FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c);
    run record;
    rated record;
    d record;
    weights float8[];
    means float8[];
    present float8;
    contributions float8[];
    shown numeric[];
    baseline float8;
    unrounded float8;
    largest int;
    grades text[];
    cuts numeric[];
    own_rank int;
    capped boolean := false;
    target numeric;
    needed float8;
BEGIN
    EXECUTE format('SELECT run.run_id, run.combination, run.combination_scale, run.grade_cuts FROM %I.run WHERE run.is_current', schema) INTO run;
    IF run.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    END IF;
    EXECUTE format('SELECT r.* FROM %I.rated_one(CAST($1 AS %s)) AS r', schema, key_type) INTO rated USING customer;
    IF rated IS NULL AND rated.tier IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('program "%s" has no rating of customer "%s"', program, coalesce(customer, 'NULL')),
            HINT = format('SELECT customer_id FROM %I.ratings lists whom it has rated; a new customer is rated by customer_tier.rate_customer().', schema);
    END IF;
    IF rated.score IS NULL THEN
        RETURN;     -- a prospect, or without a score: nothing to explain
    END IF;
    EXECUTE format('SELECT array_agg(d.weight ORDER BY d."position"), array_agg(d.mean_points ORDER BY d."position") FROM %I.run_dimension AS d WHERE d.run_id = $1', schema)
        INTO weights, means USING run.run_id;

    -- Contributions add up to the published score to its last decimal: what
    -- rounding leaves over goes to the largest.
    unrounded := customer_tier.combined_score(rated.dimension_points, weights, run.combination, run.combination_scale);
    IF run.combination = 'mean' THEN
        SELECT sum(w) INTO present FROM unnest(weights, rated.dimension_points) AS u (w, p) WHERE p IS NOT NULL;
        contributions := ARRAY(SELECT w * p / present FROM unnest(weights, rated.dimension_points) WITH ORDINALITY AS u (w, p, n) ORDER BY n);
    ELSE
        -- Against the mean of all customers; who lacks a value stands at the mean.
        contributions := customer_tier.shapley_values(rated.dimension_points, means, weights, run.combination, run.combination_scale);
        SELECT unrounded - coalesce(sum(c), 0) INTO baseline FROM unnest(contributions) c;
    END IF;
    shown := ARRAY(SELECT round(c::numeric, 10) FROM unnest(contributions || baseline) WITH ORDINALITY AS u (c, n) ORDER BY n);
    SELECT n INTO largest FROM unnest(shown) WITH ORDINALITY AS u (c, n) WHERE c IS NOT NULL ORDER BY abs(c) DESC, n LIMIT 1;
    shown[largest] := shown[largest] + rated.score - (SELECT sum(c) FROM unnest(shown) c);

    -- The next grade, and whether a veto stands before it.
    EXECUTE format('SELECT array_agg(grade.code ORDER BY grade.grade_rank), coalesce($1, array_agg(grade.min_score ORDER BY grade.grade_rank) FILTER (WHERE grade.grade_rank > 1)) FROM %I.grade', schema)
        INTO grades, cuts USING run.grade_cuts;
    own_rank := array_position(grades, rated.grade);
    IF own_rank < cardinality(grades) THEN
        capped := 1 + coalesce(width_bucket(rated.score, cuts), 0) > own_rank;
        target := cuts[own_rank];
    END IF;

    FOR d IN EXECUTE format(
$query$
    SELECT d.*, coalesce(label.label, d.name) AS label, coalesce(label.label_zh, d.name) AS label_zh
      FROM %1$I.run_dimension AS d
      LEFT JOIN %1$I.dimension AS label USING (name)
     WHERE d.run_id = $1
     ORDER BY d."position"
$query$, schema) USING run.run_id LOOP
        "position" := d."position";
        kind := 'dimension';
        name := d.name;
        label := d.label;
        label_zh := d.label_zh;
        value := CASE WHEN rated.dimension_values[d."position"] > '-Infinity' THEN rated.dimension_values[d."position"] END;
        customers := d.customers;
        customer_rank := CASE WHEN value IS NOT NULL THEN
            1 + round(d.customers * CASE WHEN d.higher_is_better THEN 1 - customer_tier.percentile(value, d.distribution, 'high')
                                         ELSE customer_tier.percentile(value, d.distribution, 'low') END) END;
        points := rated.dimension_points[d."position"];
        weight := round((d.weight / (SELECT sum(w) FROM unnest(weights) w))::numeric, 6);
        contribution := shown[d."position"];
        best_value := CASE WHEN d.higher_is_better THEN d.maximum ELSE d.minimum END;
        next_grade := CASE WHEN target IS NOT NULL THEN grades[own_rank + 1] END;
        value_for_next_grade := NULL;
        IF target IS NOT NULL AND NOT capped AND value IS NOT NULL THEN
            needed := customer_tier.points_needed(rated.dimension_points, d."position", weights, run.combination, run.combination_scale, target);
            value_for_next_grade := customer_tier.value_for_points(needed, d.method, CASE d.method WHEN 'percentile' THEN d.distribution ELSE d.scale END, d.higher_is_better, d.ties);
        END IF;
        RETURN NEXT;
        -- A veto that binds: this one has to go first.
        IF (CASE WHEN d.higher_is_better THEN value < d.floor ELSE value > d.floor END) THEN
            kind := 'veto';
            customer_rank := NULL;
            points := NULL;
            weight := NULL;
            contribution := NULL;
            best_value := NULL;
            next_grade := CASE WHEN capped AND array_position(grades, d.floor_grade) = own_rank THEN grades[own_rank + 1] END;
            value_for_next_grade := CASE WHEN capped AND array_position(grades, d.floor_grade) = own_rank THEN d.floor END;
            RETURN NEXT;
        END IF;
    END LOOP;
    IF baseline IS NOT NULL THEN
        "position" := "position" + 1;
        kind := 'baseline';
        name := 'mean of all customers';
        label := 'Mean of all customers';
        label_zh := '全体客户均值';
        value := NULL; customer_rank := NULL; points := NULL; weight := NULL; best_value := NULL; next_grade := NULL; value_for_next_grade := NULL;
        contribution := shown[cardinality(shown)];
        RETURN NEXT;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.explain_rating(text, text) IS
    'why a customer has the published score and grade: a row a dimension with its value, rank among all customers (1 = best), points 0..100, share of the weights, contribution (they add up to the score), the best value of all customers, and the value in this dimension alone that would lift to the next grade (NULL when none does); a row "veto" for a floor that is missed, whose value_for_next_grade is the floor; for geometric and topsis the contributions are Shapley values against a row "baseline"';

CREATE FUNCTION customer_tier.explain_rating(program text, customer anynonarray)
RETURNS TABLE ("position" int, kind text, name text, label text, label_zh text, value float8, customer_rank bigint, customers bigint, points float8,
               weight numeric, contribution numeric, best_value float8, next_grade text, value_for_next_grade float8)
LANGUAGE sql STABLE PARALLEL UNSAFE AS $$
    SELECT e.* FROM customer_tier.explain_rating(program, CAST(customer AS text)) AS e
$$;
COMMENT ON FUNCTION customer_tier.explain_rating(text, anynonarray) IS 'the same, with the customer key in its own type';

CREATE FUNCTION customer_tier.rate_customer(program text, customer text, as_of date DEFAULT NULL)
RETURNS TABLE (first_day date, last_day date, orders bigint, purchase_days int, revenue numeric, refunded numeric, average_order numeric,
               r_score int, f_score int, m_score int, segment text, lifecycle_stage text, p_alive numeric, p_active numeric, expected_purchases numeric,
               expected_spend numeric, clv numeric, score numeric, grade text, tier text, tier_rank int, tier_reason text, score_to_next_tier numeric,
               coverage numeric, dimension_values float8[], dimension_points float8[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.owned_schema(program, 'rate');
    day date := rate_customer.as_of;
    zone text;
BEGIN
    IF day IS NULL THEN
        EXECUTE format('SELECT settings.time_zone FROM %I.settings', schema) INTO zone;
        day := timezone(zone, now())::date;
    ELSIF NOT isfinite(day) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow', MESSAGE = format('there are no ratings as of %s', day), HINT = 'Give a day, or leave as_of out for today.';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT r.first_day, r.last_day, r.orders, r.purchase_days, r.revenue, r.refunded, r.average_order, r.r_score, r.f_score, r.m_score, r.segment, r.lifecycle_stage,
                r.p_alive, r.p_active, r.expected_purchases, r.expected_spend, r.clv, r.score, r.grade, r.tier, r.tier_rank, r.tier_reason, r.score_to_next_tier,
                r.coverage, r.dimension_values, r.dimension_points
           FROM %I.rate_one(CAST($1 AS %s), $2) AS r', schema,
        (SELECT c.type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)) USING customer, day;
    IF NOT FOUND THEN
        EXECUTE format('SELECT run.as_of FROM %I.run WHERE run.is_current', schema) INTO day;
        IF day IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('program "%s" has no published ratings, on whose scales a customer could be rated', program), HINT = format('CALL customer_tier.refresh(%L);', program);
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('the orders of program "%s" have no customer "%s" up to that day', program, coalesce(customer, 'NULL')),
            HINT = 'Is the key right, and are the orders committed or of this transaction?';
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.rate_customer(text, text, date) IS
    'rate one customer now, from the orders as they are, on the scales, models and cut points of the published ratings; as_of is today in the program''s time zone unless given. Quick with an index on the customer column of the orders; changes nothing';

CREATE FUNCTION customer_tier.rate_customer(program text, customer anynonarray, as_of date DEFAULT NULL)
RETURNS TABLE (first_day date, last_day date, orders bigint, purchase_days int, revenue numeric, refunded numeric, average_order numeric,
               r_score int, f_score int, m_score int, segment text, lifecycle_stage text, p_alive numeric, p_active numeric, expected_purchases numeric,
               expected_spend numeric, clv numeric, score numeric, grade text, tier text, tier_rank int, tier_reason text, score_to_next_tier numeric,
               coverage numeric, dimension_values float8[], dimension_points float8[])
LANGUAGE sql STABLE PARALLEL UNSAFE AS $$
    SELECT r.* FROM customer_tier.rate_customer($1, CAST($2 AS text), $3) AS r
$$;
COMMENT ON FUNCTION customer_tier.rate_customer(text, anynonarray, date) IS 'the same, with the customer key in its own type';
