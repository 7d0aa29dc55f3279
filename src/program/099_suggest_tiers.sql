-- Thresholds are what users lack: least scores that hit wanted shares of the
-- customers, or a budget, and how much customers would have moved with them.

CREATE FUNCTION customer_tier.round_threshold(wanted bigint, above bigint, below bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit bigint;
    candidate bigint;
BEGIN
    -- A whole number or one with a decimal that says the same; otherwise up,
    -- which only leaves out some, but stays below the tier above.
    FOREACH unit IN ARRAY '{10000,1000}'::bigint[] LOOP
        candidate := wanted / unit * unit;
        IF candidate > above THEN
            RETURN candidate;
        END IF;
    END LOOP;
    FOREACH unit IN ARRAY '{1000,100,10,1}'::bigint[] LOOP
        candidate := (wanted + unit - 1) / unit * unit;
        IF candidate > above AND candidate < below AND candidate <= 1000000 THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION customer_tier.round_threshold(bigint, bigint, bigint) IS 'internal: a round threshold above one score, up to another or a little more, and below that of the tier above; in ten-thousandths of a point, NULL = none';

CREATE FUNCTION customer_tier.place_thresholds(scores bigint[], upto bigint[], codes text[], places bigint[], kept bigint[], OUT thresholds bigint[], OUT members bigint[])
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int := cardinality(scores);
    below bigint := 1000001;    -- the threshold of the tier above
    taken bigint := 0;          -- customers at or above it
    threshold bigint;
    low int;
    high int;
    middle int;
BEGIN
    FOR i IN 1 .. cardinality(codes) LOOP
        IF places[i] IS NULL AND kept[i] IS NULL THEN
            -- entered by other rules: not among these
            thresholds[i] := NULL;
            members[i] := NULL;
            CONTINUE;
        ELSIF places[i] IS NULL THEN
            threshold := kept[i];
            IF threshold >= below THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('tier "%s" would keep its least score of %s, but the tier above it would get %s', codes[i], trim_scale(threshold / 10000.0), trim_scale(below / 10000.0)),
                    HINT = format('Give tier "%s" a share, too.', codes[i]);
            END IF;
        ELSE
            -- the last score with which no more than wanted are in
            low := 0;
            high := n;
            WHILE low < high LOOP
                middle := (low + high + 1) / 2;
                IF upto[middle] <= taken + places[i] THEN
                    low := middle;
                ELSE
                    high := middle - 1;
                END IF;
            END LOOP;
            threshold := customer_tier.round_threshold(
                CASE WHEN low > 0 AND upto[low] > taken THEN scores[low] ELSE below - 1 END,
                CASE WHEN low < n THEN scores[low + 1] ELSE -1 END, below);
            IF threshold IS NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('no least score leaves tier "%s" no more than %s customers: too many have the same score', codes[i], places[i]),
                    HINT = 'Ask for a larger share, or for fewer tiers.';
            END IF;
        END IF;
        -- how many reach it
        low := 0;
        high := n;
        WHILE low < high LOOP
            middle := (low + high + 1) / 2;
            IF scores[middle] >= threshold THEN
                low := middle;
            ELSE
                high := middle - 1;
            END IF;
        END LOOP;
        thresholds[i] := threshold;
        members[i] := CASE WHEN low > 0 THEN upto[low] ELSE 0 END - taken;
        taken := taken + members[i];
        below := threshold;
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.place_thresholds(bigint[], bigint[], text[], bigint[], bigint[]) IS
    'internal: thresholds (ten-thousandths of a point) of tiers from the top down, with at most so many places each or kept as they are, and their members; scores falls and is distinct, upto counts the customers down to each';

CREATE FUNCTION customer_tier.wanted_places(shares jsonb, codes text[], base text, customers bigint) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record;
    total numeric := 0;
BEGIN
    IF jsonb_typeof(shares) <> 'object' OR shares = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the shares are no object with a tier: %s', left(shares::text, 100)),
            HINT = 'They look like {"platinum": 0.05, "gold": 0.15}: the share of the customers with a score that stands in each.';
    END IF;
    FOR part IN SELECT e.key, e.value FROM jsonb_each(shares) WITH ORDINALITY AS e (key, value, n) ORDER BY e.n LOOP
        IF part.key = base THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the base tier "%s" takes no share', base),
                HINT = 'Whoever reaches no other tier is in the base tier: give shares to the tiers above it.';
        ELSIF part.key <> ALL (codes) THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no tier "%s"', part.key),
                HINT = format('Above the base tier there are %s.', coalesce(nullif(array_to_string(codes, ', '), ''), 'none'));
        ELSIF (CASE WHEN jsonb_typeof(part.value) = 'number' THEN (part.value#>>'{}')::numeric NOT BETWEEN 0 AND 1 ELSE true END) THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the share of tier "%s" is no number between 0 and 1: %s', part.key, left(part.value::text, 100)),
                HINT = 'Five percent are 0.05.';
        END IF;
        total := total + (part.value#>>'{}')::numeric;
    END LOOP;
    IF total > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the shares add up to %s, more than 1', total),
            HINT = 'They are the tiers'' own shares: those of higher tiers are not among those of lower ones.';
    END IF;
    RETURN ARRAY(SELECT floor((shares->>c)::numeric * customers)::bigint FROM unnest(codes) WITH ORDINALITY AS u (c, n) ORDER BY n);
END
$$;
COMMENT ON FUNCTION customer_tier.wanted_places(jsonb, text[], text, bigint) IS 'internal: how many customers wanted shares are; NULL where a tier is not named';

CREATE FUNCTION customer_tier.yearly_cost(costs numeric[], members bigint[], everybody bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN count(u.cost) > 0 THEN sum(coalesce(u.cost, 0) * coalesce(u.members, 0)) END
      FROM unnest(costs, members || (everybody - (SELECT sum(m) FROM unnest(members) AS m))::bigint) AS u (cost, members)
$$;
COMMENT ON FUNCTION customer_tier.yearly_cost(numeric[], bigint[], bigint) IS 'internal: what benefits cost a year, in currency units, with everybody else in the base tier, whose cost comes last; NULL when no cost is known';

CREATE FUNCTION customer_tier.suggested_thresholds(program text, wanted jsonb, budget numeric,
    OUT tiers jsonb, OUT tier_shares jsonb, OUT members jsonb, OUT benefit_cost numeric)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    codes text[];           -- from the top down, without the base tier
    costs numeric[];        -- and that of the base tier at last
    kept bigint[];
    base text;
    scores bigint[];
    upto bigint[];
    rated bigint;
    everybody bigint;
    present bigint[];
    places bigint[];
    placed record;
    lower numeric := 0;     -- factors between which the budget's lies
    upper numeric;
    factor numeric;
BEGIN
    SELECT array_agg(t.code ORDER BY t.rank DESC) FILTER (WHERE t.rank > 1), array_agg(t.cost ORDER BY t.rank DESC),
           array_agg(t.min_score ORDER BY t.rank DESC) FILTER (WHERE t.rank > 1), min(t.code) FILTER (WHERE t.rank = 1)
      INTO codes, costs, kept, base
      FROM (SELECT e.key AS code, (e.value->>'tier_rank')::int AS rank, (e.value->>'benefit_cost')::numeric AS cost, round((e.value->>'min_score')::numeric * 10000)::bigint AS min_score
              FROM customer_tier.tiers_in_force(schema, customer_tier.published_day(schema)) AS f, jsonb_each(f.tiers) AS e) AS t;
    IF codes IS NULL OR base IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('program "%s" has no tiers above a base tier', program),
            HINT = format('Fill %I.tier: the base tier with tier_rank 1, and others above it.', schema);
    END IF;
    EXECUTE format(
$query$
    WITH score AS (
        SELECT CAST(rating.score * 10000 AS bigint) AS score, count(*) AS customers FROM %1$I.scored_rating AS rating WHERE rating.score IS NOT NULL GROUP BY rating.score
    ), so_far AS (
        SELECT score.score, CAST(sum(score.customers) OVER (ORDER BY score.score DESC) AS bigint) AS upto FROM score
    )
    SELECT array_agg(so_far.score ORDER BY so_far.score DESC), array_agg(so_far.upto ORDER BY so_far.score DESC), max(so_far.upto),
           (SELECT count(*) FROM %1$I.rating),
           (SELECT array_agg((SELECT count(*) FROM %1$I.scored_rating AS rating WHERE rating.tier = u.code AND rating.score IS NOT NULL) ORDER BY u.n) FROM unnest($1) WITH ORDINALITY AS u (code, n))
      FROM so_far
$query$, schema) INTO scores, upto, rated, everybody, present USING codes;
    IF rated IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('no customer of program "%s" has a score', program),
            HINT = format('Refresh it as of a day with orders: CALL customer_tier.refresh(%L, ...).', program);
    END IF;

    IF wanted IS NOT NULL THEN
        places := customer_tier.wanted_places(wanted, codes, base, rated);
        placed := customer_tier.place_thresholds(scores, upto, codes, places, kept);
    ELSE
        IF NOT EXISTS (SELECT FROM unnest(costs) AS c WHERE c > 0) THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('no tier of program "%s" has a benefit_cost', program),
                HINT = format('UPDATE %I.tier SET benefit_cost = ... says what a tier costs a customer and year.', schema);
        ELSIF NOT EXISTS (SELECT FROM unnest(present) AS c WHERE c > 0) THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('nobody with a score stands above the base tier of program "%s", so there are no shares to keep', program),
                HINT = 'Give shares instead of a budget.';
        END IF;
        -- The present shares times one factor, as large as the budget allows.
        upper := rated / (SELECT sum(c) FROM unnest(present) AS c);
        factor := upper;
        FOR i IN 0 .. 40 LOOP
            places := ARRAY(SELECT floor(u.customers * factor)::bigint FROM unnest(present) WITH ORDINALITY AS u (customers, n) ORDER BY u.n);
            placed := customer_tier.place_thresholds(scores, upto, codes, places, kept);
            IF customer_tier.yearly_cost(costs, placed.members, everybody) <= budget THEN
                lower := factor;
                EXIT WHEN factor = upper OR i = 40;
            ELSE
                upper := factor;
            END IF;
            factor := CASE WHEN i = 39 THEN lower ELSE (lower + upper) / 2 END;
        END LOOP;
        IF customer_tier.yearly_cost(costs, placed.members, everybody) > budget THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a budget of %s does not pay for the benefits of the base tier', budget),
                HINT = 'Give more.';
        END IF;
    END IF;

    SELECT jsonb_object_agg(u.code, jsonb_build_object('min_score', trim_scale(u.threshold / 10000.0))) FILTER (WHERE u.places IS NOT NULL),
           jsonb_object_agg(u.code, round(u.members / rated::numeric, 4)) FILTER (WHERE u.members IS NOT NULL) || jsonb_build_object(base, round(1 - sum(u.members) / rated, 4)),
           jsonb_object_agg(u.code, u.members) FILTER (WHERE u.members IS NOT NULL) || jsonb_build_object(base, everybody - sum(u.members))
      INTO tiers, tier_shares, members
      FROM unnest(codes, places, placed.thresholds, placed.members) AS u (code, places, threshold, members);
    benefit_cost := customer_tier.yearly_cost(costs, placed.members, everybody);
END
$$;
COMMENT ON FUNCTION customer_tier.suggested_thresholds(text, jsonb, numeric) IS 'internal: least scores of tiers that hit wanted shares of the published ratings, or a budget, with their members, shares of the customers with a score, and cost';

CREATE FUNCTION customer_tier.suggest_tiers(program text, shares jsonb DEFAULT NULL, budget numeric DEFAULT NULL,
    from_day date DEFAULT NULL, to_day date DEFAULT NULL, step interval DEFAULT '1 month')
RETURNS TABLE (proposal int, changes jsonb, tier_shares jsonb, members jsonb, benefit_cost numeric, moves_per_customer_year numeric, reversals_per_customer_year numeric)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 8 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    published date := customer_tier.published_day(customer_tier.program_schema(program));
    suggested record;
BEGIN
    IF published IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    ELSIF (suggest_tiers.shares IS NULL) = (budget IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN budget IS NULL THEN 'neither shares nor a budget are given' ELSE 'both shares and a budget are given' END,
            HINT = 'Give one of them: shares => ''{"platinum": 0.05, "gold": 0.15}'', or budget => 10000 in currency units a year.';
    ELSIF budget < 0 OR budget = 'NaN' OR budget > 1e30 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the budget must be 0 or more, not %s', budget), HINT = 'It is an amount a year, in currency units.';
    END IF;
    suggested := customer_tier.suggested_thresholds(program, suggest_tiers.shares, budget);
    to_day := coalesce(to_day, published);
    from_day := coalesce(from_day, (to_day - interval '12 months')::date);
    RETURN QUERY
        SELECT row_number() OVER best::int, jsonb_build_object('tiers', suggested.tiers, 'policy', t.setting), suggested.tier_shares, suggested.members, suggested.benefit_cost,
               t.moves_per_customer_year, t.reversals_per_customer_year
          FROM customer_tier.tune_policy(program, from_day, to_day, step, '{"delta": [0, 3, 5, 8], "grace_days": [0, 30]}', jsonb_build_object('tiers', suggested.tiers)) AS t
        WINDOW best AS (ORDER BY t.reversals, (t.setting->>'delta')::numeric + (t.setting->>'grace_days')::numeric, (t.setting->>'delta')::numeric)
         ORDER BY 1;
END
$$;
COMMENT ON FUNCTION customer_tier.suggest_tiers(text, jsonb, numeric, date, date, interval) IS
    'least scores of tiers that give each the wanted own share (0..1) of the customers with a published score, never more, or the present shares times a factor that keeps the yearly benefit costs within a budget (currency units); one row for each of some settings of delta (points) and grace_days, with the moves and reversals a customer and year (tune_policy()) that a replay from from_day to to_day, by default the last 12 months, would have had: the steadiest first. changes is what simulate_moves() and tier_change take';
