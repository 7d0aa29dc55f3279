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
    low float8 := coalesce(points["position"], 0);
    high float8 := 100;
    middle float8;
    tried float8[] := points;
BEGIN
    -- The score rises with the points, so halving finds where it gets there;
    -- who has no points yet could have any.
    tried["position"] := high;
    IF (round(customer_tier.combined_score(tried, weights, combination, scale)::numeric, 4) >= target) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    tried["position"] := low;
    IF round(customer_tier.combined_score(tried, weights, combination, scale)::numeric, 4) >= target THEN
        RETURN low;
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

CREATE FUNCTION customer_tier.contributions(points float8[], means float8[], weights float8[], combination text, scale float8[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there int[] := ARRAY(SELECT n FROM unnest(points) WITH ORDINALITY AS u (p, n) WHERE p IS NOT NULL ORDER BY n);
    total float8;
    shares float8[];
BEGIN
    IF combination = 'mean' THEN
        SELECT sum(weights[n]) INTO total FROM unnest(there) n;
        RETURN ARRAY(SELECT w * p / total FROM unnest(weights, points) WITH ORDINALITY AS u (w, p, n) ORDER BY n);
    END IF;
    -- Against the mean of all customers, in the dimensions that the score is made of.
    shares := customer_tier.shapley_values(
        ARRAY(SELECT points[n] FROM unnest(there) WITH ORDINALITY AS u (n, i) ORDER BY i),
        ARRAY(SELECT means[n] FROM unnest(there) WITH ORDINALITY AS u (n, i) ORDER BY i),
        ARRAY(SELECT weights[n] FROM unnest(there) WITH ORDINALITY AS u (n, i) ORDER BY i), combination,
        ARRAY(SELECT scale[part * cardinality(points) + n] FROM generate_series(0, 2) part, unnest(there) WITH ORDINALITY AS u (n, i)
               WHERE scale IS NOT NULL ORDER BY part, i));
    RETURN ARRAY(SELECT shares[array_position(there, n)] FROM generate_subscripts(points, 1) n ORDER BY n);
END
$$;
COMMENT ON FUNCTION customer_tier.contributions(float8[], float8[], float8[], text, float8[]) IS 'internal: what each dimension contributes to a score; of a mean all of it, else what lies between it and the score of the mean points; NULL where there are no points';

CREATE FUNCTION customer_tier.check_key(schema name, customer text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- a cast to "character" would cut it to one
    key_type text := (SELECT format_type(c.type, -1) FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c);
BEGIN
    EXECUTE format('SELECT CAST($1 AS %s)', key_type) USING customer;
    RETURN key_type;
EXCEPTION
    WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = format('"%s" is no key of a customer: %s', customer, SQLERRM),
            HINT = format('The customers of %I have keys of type %s.', schema, key_type);
END
$$;
COMMENT ON FUNCTION customer_tier.check_key(name, text) IS 'internal: the type of the customer keys of a program, of which the given one must be';

CREATE FUNCTION customer_tier.explain_rating(program text, customer text)
RETURNS TABLE ("position" int, kind text, name text, label text, label_zh text, value float8, customer_rank bigint, customers bigint, points float8,
               weight numeric, contribution numeric, best_value float8, next_grade text, value_for_next_grade float8)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    schema name := customer_tier.program_schema(program);
    key_type text := customer_tier.check_key(schema, customer);
    run record;
    rated record;
    published record;
    d record;
    weights float8[];
    means float8[];
    contributions float8[];
    shown numeric[];
    baseline float8;
    unrounded float8;
    largest int;
    score_rank int;     -- the grade of the score alone
    own_rank int;       -- with what missed floors leave of it
    caps int[];         -- which grade each dimension's missed floor leaves, NULL where none is missed
    other_cap int;
    target numeric;
BEGIN
    EXECUTE format('SELECT run.run_id, run.combination, run.combination_scale, run.grades, run.grade_cuts FROM %I.run WHERE run.is_current', schema) INTO run;
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
    -- Compiled anew since the refresh, as adopt_program() does, for another card?
    EXECUTE format('SELECT r.score, r.grade FROM %I.scored_rating AS r WHERE r.customer_id %s CAST($1 AS %s)', schema, customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)), key_type)
        INTO published USING customer;
    IF (published.score, published.grade) IS DISTINCT FROM (rated.score, rated.grade) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the published ratings of program "%s" were made by another scorecard', program),
            DETAIL = format('Customer "%s" has the score %s and would now have %s.', customer, coalesce(published.score::text, 'NULL'), coalesce(rated.score::text, 'NULL')),
            HINT = format('CALL customer_tier.refresh(%L); and ask again.', program);
    END IF;
    IF rated.score IS NULL THEN
        RETURN;     -- a prospect, or without a score: nothing to explain
    END IF;
    EXECUTE format('SELECT array_agg(d.weight ORDER BY d."position"), array_agg(d.mean_points ORDER BY d."position"),
                           array_agg(CASE WHEN CASE WHEN d.higher_is_better THEN $2[d."position"] < d.floor ELSE $2[d."position"] > d.floor END
                                          THEN array_position($3, d.floor_grade) END ORDER BY d."position")
                      FROM %I.run_dimension AS d WHERE d.run_id = $1', schema)
        INTO weights, means, caps USING run.run_id, rated.dimension_values, run.grades;

    -- Contributions add up to the published score to its last decimal: what
    -- rounding leaves over goes to the largest.
    unrounded := customer_tier.combined_score(rated.dimension_points, weights, run.combination, run.combination_scale);
    contributions := customer_tier.contributions(rated.dimension_points, means, weights, run.combination, run.combination_scale);
    IF run.combination <> 'mean' THEN
        SELECT unrounded - coalesce(sum(c), 0) INTO baseline FROM unnest(contributions) c;
    END IF;
    shown := ARRAY(SELECT round(c::numeric, 10) FROM unnest(contributions || baseline) WITH ORDINALITY AS u (c, n) ORDER BY n);
    SELECT n INTO largest FROM unnest(shown) WITH ORDINALITY AS u (c, n) WHERE c IS NOT NULL ORDER BY abs(c) DESC, n LIMIT 1;
    shown[largest] := shown[largest] + rated.score - (SELECT sum(c) FROM unnest(shown) c);

    score_rank := 1 + coalesce(width_bucket(rated.score, run.grade_cuts), 0);
    own_rank := array_position(run.grades, rated.grade);
    target := CASE WHEN own_rank < cardinality(run.grades) THEN run.grade_cuts[own_rank] END;

    FOR d IN EXECUTE format(
$query$
    SELECT d.*, coalesce(label.label, d.name) AS label, coalesce(label.label_zh, d.name) AS label_zh, feature.lowest, feature.highest
      FROM %1$I.run_dimension AS d
      LEFT JOIN %1$I.dimension AS label USING (name)
      LEFT JOIN customer_tier.dimension_features() AS feature ON feature.feature = label.feature
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
        next_grade := CASE WHEN target IS NOT NULL THEN run.grades[own_rank + 1] END;
        -- This dimension alone lifts to the next grade, if it brings the score
        -- there, satisfies its own floor, and no other floor stands before it.
        SELECT min(c) INTO other_cap FROM unnest(caps) WITH ORDINALITY AS u (c, n) WHERE n <> d."position";
        value_for_next_grade := NULL;
        IF target IS NOT NULL AND score_rank = own_rank AND (other_cap > own_rank) IS NOT FALSE THEN
            value_for_next_grade := customer_tier.value_for_points(
                customer_tier.points_needed(rated.dimension_points, d."position", weights, run.combination, run.combination_scale, target),
                d.method, CASE d.method WHEN 'percentile' THEN d.distribution ELSE d.scale END, d.higher_is_better, d.ties);
            IF value_for_next_grade IS NOT NULL AND d.floor IS NOT NULL AND array_position(run.grades, d.floor_grade) <= own_rank THEN
                value_for_next_grade := CASE WHEN d.higher_is_better THEN greatest(value_for_next_grade, d.floor) ELSE least(value_for_next_grade, d.floor) END;
            END IF;
            -- No customer can have bought tomorrow, or be alive by more than 100 %.
            IF value_for_next_grade < d.lowest OR value_for_next_grade > d.highest THEN
                value_for_next_grade := NULL;
            END IF;
        END IF;
        RETURN NEXT;
        IF caps[d."position"] IS NOT NULL THEN
            kind := 'veto';
            customer_rank := NULL;
            points := NULL;
            weight := NULL;
            contribution := NULL;
            best_value := NULL;
            -- The floor is all that is missing when the score is there already.
            value_for_next_grade := CASE WHEN target IS NOT NULL AND score_rank > own_rank AND (other_cap > own_rank) IS NOT FALSE THEN d.floor END;
            next_grade := CASE WHEN value_for_next_grade IS NOT NULL THEN run.grades[own_rank + 1] END;
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
    'why a customer has the published score and grade: a row a dimension with its value, rank among all customers (1 = best), points 0..100, share of the weights, contribution (they add up to the score), the best value of all customers, and the value in this dimension alone that would lift to the next grade (NULL when none does); a row "veto" for a floor that is missed, whose value_for_next_grade is the floor when nothing else is missing; for geometric and topsis the contributions are Shapley values against a row "baseline"';

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
               expected_spend numeric, clv numeric, score numeric, grade text, tier text, tier_rank int, tier_since date, tier_reason text, score_to_next_tier numeric,
               amount_to_next_tier numeric, drops_on date, coverage numeric, dimension_values float8[], dimension_points float8[])
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    key_type text := customer_tier.check_key(schema, customer);
    day date := rate_customer.as_of;
    zone text;
    is_rated boolean;
BEGIN
    IF day IS NULL THEN
        EXECUTE format('SELECT settings.time_zone FROM %I.settings', schema) INTO zone;
        day := timezone(zone, now())::date;
    ELSIF NOT isfinite(day) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow', MESSAGE = format('there are no ratings as of %s', day), HINT = 'Give a day, or leave as_of out for today.';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT r.first_day, r.last_day, r.orders, r.purchase_days, r.revenue, r.refunded, r.average_order, r.r_score, r.f_score, r.m_score, r.segment, r.lifecycle_stage,
                r.p_alive, r.p_active, r.expected_purchases, r.expected_spend, r.clv, r.score, r.grade, r.tier, r.tier_rank, r.tier_since, r.tier_reason, r.score_to_next_tier,
                r.amount_to_next_tier, r.drops_on, r.coverage, r.dimension_values, r.dimension_points
           FROM %I.rate_one(CAST($1 AS %s), $2) AS r', schema, key_type) USING customer, day;
    IF NOT FOUND THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.run WHERE run.is_current)', schema) INTO is_rated;
        IF NOT is_rated THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('program "%s" has no published ratings, on whose scales a customer could be rated', program), HINT = format('CALL customer_tier.refresh(%L);', program);
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('the orders of program "%s" have no customer "%s" up to %s', program, coalesce(customer, 'NULL'), day),
            HINT = 'Is the key right, and are the orders committed or of this transaction?';
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.rate_customer(text, text, date) IS
    'rate one customer now, from the orders as they are, on the scales, models and cut points of the published ratings; as_of is today in the program''s time zone unless given. Quick with an index on the customer column of the orders; changes nothing';

CREATE FUNCTION customer_tier.rate_customer(program text, customer anynonarray, as_of date DEFAULT NULL)
RETURNS TABLE (first_day date, last_day date, orders bigint, purchase_days int, revenue numeric, refunded numeric, average_order numeric,
               r_score int, f_score int, m_score int, segment text, lifecycle_stage text, p_alive numeric, p_active numeric, expected_purchases numeric,
               expected_spend numeric, clv numeric, score numeric, grade text, tier text, tier_rank int, tier_since date, tier_reason text, score_to_next_tier numeric,
               amount_to_next_tier numeric, drops_on date, coverage numeric, dimension_values float8[], dimension_points float8[])
LANGUAGE sql STABLE PARALLEL UNSAFE AS $$
    SELECT r.* FROM customer_tier.rate_customer($1, CAST($2 AS text), $3) AS r
$$;
COMMENT ON FUNCTION customer_tier.rate_customer(text, anynonarray, date) IS 'the same, with the customer key in its own type';
