-- The scorecard of a program: which dimensions make its score, with which
-- weights, and which grades the score falls into.  All of it is rows in the
-- program's schema, edited there or through set_scorecard().

CREATE FUNCTION customer_tier.dimension_features() RETURNS TABLE (
    feature text, label text, label_zh text, higher_is_better boolean, needs_model boolean, lowest float8, highest float8, expression text, explanation text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- The expression reads the columns of the program's features() and of its
    -- predictions.  Frequency and monetary value of who ordered nothing in the
    -- window are worse than everybody's who did.
    VALUES
        ('recency', 'Recency', '最近购买', false, false, 0::float8, NULL::float8, 'features.recency_days', 'days since the last order'),
        ('frequency', 'Frequency', '购买频率', true, false, 0, NULL, $q$CASE WHEN features.frequency > 0 THEN features.frequency ELSE '-Infinity' END$q$, 'number of orders, in the window if there is one'),
        ('monetary', 'Monetary value', '购买金额', true, false, NULL, NULL, $q$CASE WHEN features.frequency > 0 THEN features.monetary ELSE '-Infinity' END$q$, 'revenue or average order (settings.monetary), in the window if there is one, in currency units'),
        ('orders', 'Orders', '订单数', true, false, 0, NULL, 'features.orders', 'number of orders, ever'),
        ('revenue', 'Revenue', '销售额', true, false, NULL, NULL, 'features.revenue', 'sum of all amounts net of refunds, in currency units'),
        ('average_order', 'Average order', '客单价', true, false, NULL, NULL, 'features.average_order', 'revenue / orders, in currency units'),
        ('tenure', 'Tenure', '客户关系时长', true, false, 0, NULL, 'features.as_of - features.first_day', 'days since the first order'),
        ('regularity', 'Regularity', '购买规律性', true, false, 0, 1, 'features.regularity', 'geometric over arithmetic mean of the times between purchase days, 0..1, 1 = like clockwork, about 0.56 = at random; NULL below two such times'),
        ('refund_rate', 'Refund rate', '退款率', false, false, 0, NULL, 'features.refund_rate', 'refunds / orders, both as amounts, 0..1'),
        ('trend', 'Growth', '增长趋势', true, false, -1, 1, 'features.trend', 'growth of the last window_days (365 without a window) over as many before: (last - before) / (last + before) of the revenue, -1..1; NULL when there is none in either'),
        ('margin', 'Margin', '利润率', true, false, -1, 1, 'features.margin', 'margin as a share of the revenue'),
        ('p_alive', 'Probability alive', '存活概率', true, true, 0, 1, 'features.p_alive', 'probability that the customer has not dropped out, 0..1'),
        ('p_active', 'Probability active', '活跃概率', true, true, 0, 1, 'features.p_active', 'probability of a purchase within churn_days, 0..1'),
        ('expected_purchases', 'Expected purchases', '预期购买次数', true, true, 0, NULL, 'features.expected_purchases', 'expected days with a purchase within horizon_days'),
        ('expected_spend', 'Expected spend', '预期客单价', true, true, NULL, NULL, 'features.expected_spend', 'expected amount of a day with a purchase, in currency units'),
        ('clv', 'Lifetime value', '客户生命周期价值', true, true, NULL, NULL, 'features.clv', 'discounted value of the purchases expected within horizon_days, in currency units')
$$;
COMMENT ON FUNCTION customer_tier.dimension_features() IS 'what a dimension can take from the purchase side: the built-in features, their labels and units, whether higher is better, and the least and the greatest value there can be';

CREATE TABLE customer_tier.scorecard_preset (
    preset text NOT NULL CHECK (preset <> ''),
    "position" int NOT NULL CHECK ("position" >= 1),
    feature text NOT NULL,
    weight float8 NOT NULL CHECK (weight >= 0 AND weight <= 1e100),
    builtin boolean NOT NULL DEFAULT false,
    PRIMARY KEY (preset, "position"),
    UNIQUE (preset, feature)
);
COMMENT ON TABLE customer_tier.scorecard_preset IS 'presets of scorecards for set_scorecard(); add your own with INSERT';
COMMENT ON COLUMN customer_tier.scorecard_preset.preset IS 'name of the preset';
COMMENT ON COLUMN customer_tier.scorecard_preset."position" IS 'place of the dimension in the card, from 1';
COMMENT ON COLUMN customer_tier.scorecard_preset.feature IS 'a feature of customer_tier.dimension_features(), rated by its percentile';
COMMENT ON COLUMN customer_tier.scorecard_preset.weight IS 'weight; only ratios count';
COMMENT ON COLUMN customer_tier.scorecard_preset.builtin IS 'true for the presets that come with the extension; a dump carries the others';
GRANT SELECT ON customer_tier.scorecard_preset TO PUBLIC;
INSERT INTO customer_tier.scorecard_preset (preset, "position", feature, weight, builtin) VALUES
    ('rfm', 1, 'recency', 0.25, true),
    ('rfm', 2, 'frequency', 0.35, true),
    ('rfm', 3, 'monetary', 0.40, true),
    ('value', 1, 'clv', 0.50, true),
    ('value', 2, 'revenue', 0.30, true),
    ('value', 3, 'margin', 0.20, true),
    ('balanced', 1, 'recency', 0.15, true),
    ('balanced', 2, 'frequency', 0.20, true),
    ('balanced', 3, 'monetary', 0.25, true),
    ('balanced', 4, 'clv', 0.20, true),
    ('balanced', 5, 'trend', 0.10, true),
    ('balanced', 6, 'refund_rate', 0.10, true),
    ('b2b', 1, 'revenue', 0.30, true),
    ('b2b', 2, 'margin', 0.15, true),
    ('b2b', 3, 'regularity', 0.15, true),
    ('b2b', 4, 'tenure', 0.15, true),
    ('b2b', 5, 'trend', 0.15, true),
    ('b2b', 6, 'refund_rate', 0.10, true);
SELECT pg_catalog.pg_extension_config_dump('customer_tier.scorecard_preset', 'WHERE NOT builtin');

CREATE FUNCTION customer_tier.create_scorecard_tables(schema name, key_type text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.dimension (
    name text PRIMARY KEY CHECK (name <> ''),
    "position" int NOT NULL UNIQUE DEFERRABLE,
    label text NOT NULL,
    label_zh text NOT NULL,
    weight float8 NOT NULL CHECK (weight >= 0 AND weight <= 1e100),
    higher_is_better boolean NOT NULL,
    feature text,
    relation_schema name,
    relation_name name,
    is_function boolean NOT NULL DEFAULT false,
    value_column name,
    key_column name,
    day_column name,
    valid_from name,
    valid_to name,
    method text NOT NULL DEFAULT 'percentile'
        CHECK (method IN ('score', 'percentile', 'min_max', 'z_score', 'logistic', 'bands', 'linear', 'identity')),
    parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    missing text NOT NULL DEFAULT 'renormalise' CHECK (missing IN ('renormalise', 'neutral', 'worst', 'no_rating')),
    floor float8 CHECK (floor BETWEEN '-1e300' AND '1e300'),
    floor_grade text,
    CHECK ((feature IS NULL) <> (relation_name IS NULL)),
    CHECK (relation_name IS NULL OR (relation_schema IS NOT NULL AND value_column IS NOT NULL AND key_column IS NOT NULL)),
    CHECK ((floor IS NULL) = (floor_grade IS NULL))
);
COMMENT ON TABLE %1$I.dimension IS 'the dimensions of the score; edit them or call set_scorecard(), the next refresh follows';
COMMENT ON COLUMN %1$I.dimension.name IS 'name of the dimension';
COMMENT ON COLUMN %1$I.dimension."position" IS 'its place in the card';
COMMENT ON COLUMN %1$I.dimension.label IS 'English label';
COMMENT ON COLUMN %1$I.dimension.label_zh IS 'Chinese label';
COMMENT ON COLUMN %1$I.dimension.weight IS 'weight in the score, 0 or more; only ratios count';
COMMENT ON COLUMN %1$I.dimension.higher_is_better IS 'whether a higher value is better';
COMMENT ON COLUMN %1$I.dimension.feature IS 'what it measures of the purchases, one of customer_tier.dimension_features(); NULL = it comes from a relation';
COMMENT ON COLUMN %1$I.dimension.relation_schema IS 'schema of the relation or function';
COMMENT ON COLUMN %1$I.dimension.relation_name IS 'relation that has the value; or function of a day, see is_function';
COMMENT ON COLUMN %1$I.dimension.is_function IS 'whether relation_name is a set-returning function of one date, the day of the rating';
COMMENT ON COLUMN %1$I.dimension.value_column IS 'column with the value, a number or boolean';
COMMENT ON COLUMN %1$I.dimension.key_column IS 'column with the customer key';
COMMENT ON COLUMN %1$I.dimension.day_column IS 'column with the day of the value: the latest up to as_of counts';
COMMENT ON COLUMN %1$I.dimension.valid_from IS 'column with the first day of the value''s validity, NULL = always was';
COMMENT ON COLUMN %1$I.dimension.valid_to IS 'column with the first day on which it is valid no more, NULL = still valid';
COMMENT ON COLUMN %1$I.dimension.method IS 'how the value becomes points 0..100: see customer_tier.dimension_points()';
COMMENT ON COLUMN %1$I.dimension.parameters IS 'of the method: ties (percentile); scores, cuts (score); low, high (min_max: quantiles; linear: anchors); midpoint, slope (logistic); thresholds, points (bands)';
COMMENT ON COLUMN %1$I.dimension.missing IS 'customers without a value: renormalise = the other dimensions decide, neutral = 50 points, worst = 0 points, no_rating = no score';
COMMENT ON COLUMN %1$I.dimension.floor IS 'the worst value that is still acceptable: beyond it the grade is at best floor_grade';
COMMENT ON COLUMN %1$I.dimension.floor_grade IS 'code of the best grade for a customer beyond the floor';

CREATE TABLE %1$I.scorecard (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    combination text NOT NULL DEFAULT 'mean' CHECK (combination IN ('mean', 'geometric', 'topsis')),
    min_coverage numeric NOT NULL DEFAULT 0 CHECK (min_coverage BETWEEN 0 AND 1),
    frozen_scale boolean NOT NULL DEFAULT false
);
INSERT INTO %1$I.scorecard DEFAULT VALUES;
COMMENT ON TABLE %1$I.scorecard IS 'how the dimensions make one score, one row; edit it or call set_scorecard(), the next refresh follows';
COMMENT ON COLUMN %1$I.scorecard.only_row IS 'holds the table to one row';
COMMENT ON COLUMN %1$I.scorecard.combination IS 'mean = weighted mean, geometric = weighted geometric mean of the points (at least 1 each), topsis = relative closeness to the best points of all customers';
COMMENT ON COLUMN %1$I.scorecard.min_coverage IS 'share of the weights, 0..1, that must have been present for a grade';
COMMENT ON COLUMN %1$I.scorecard.frozen_scale IS 'whether a refresh keeps the scales of the published run, so that no customer''s points change because others'' values did';

CREATE TABLE %1$I.grade (
    grade_rank int PRIMARY KEY CHECK (grade_rank >= 1),
    code text NOT NULL UNIQUE CHECK (code <> ''),
    label text NOT NULL,
    label_zh text NOT NULL,
    min_score numeric CHECK (min_score BETWEEN 0 AND 100),
    share numeric CHECK (share BETWEEN 0 AND 1),
    CHECK (min_score IS NULL OR share IS NULL)
);
INSERT INTO %1$I.grade (grade_rank, code, label, label_zh, min_score) VALUES
    (10, 'AAA', 'AAA', 'AAA', 90), (9, 'AA', 'AA', 'AA', 80), (8, 'A', 'A', 'A', 70), (7, 'BBB', 'BBB', 'BBB', 60),
    (6, 'BB', 'BB', 'BB', 50), (5, 'B', 'B', 'B', 40), (4, 'CCC', 'CCC', 'CCC', 30), (3, 'CC', 'CC', 'CC', 20),
    (2, 'C', 'C', 'C', 10), (1, 'D', 'D', 'D', NULL);
COMMENT ON TABLE %1$I.grade IS 'the grades of the score; edit them or call set_grades(), the next refresh follows (labels show at once)';
COMMENT ON COLUMN %1$I.grade.grade_rank IS '1 = lowest grade, then upwards without gaps';
COMMENT ON COLUMN %1$I.grade.code IS 'code of the grade, as it stands in ratings.grade';
COMMENT ON COLUMN %1$I.grade.label IS 'English label';
COMMENT ON COLUMN %1$I.grade.label_zh IS 'Chinese label';
COMMENT ON COLUMN %1$I.grade.min_score IS 'least score (0..100) of the grade; NULL for the lowest';
COMMENT ON COLUMN %1$I.grade.share IS 'instead of min_score: the best share (0..1) of all rated customers that has this grade or a better one, never more; all grades but the lowest have either a min_score or a share';

CREATE TABLE %1$I.run_dimension (
    run_id bigint NOT NULL REFERENCES %1$I.run ON DELETE CASCADE,
    "position" int NOT NULL,
    name text NOT NULL,
    weight float8 NOT NULL,
    higher_is_better boolean NOT NULL,
    method text NOT NULL,
    parameters jsonb NOT NULL,
    ties text,
    missing text NOT NULL,
    floor float8,
    floor_grade text,
    is_outside boolean NOT NULL,
    scale float8[],
    distribution float8[],
    customers bigint NOT NULL,
    absent bigint NOT NULL,
    minimum float8,
    maximum float8,
    mean float8,
    deviation float8,
    deciles float8[],
    decile_counts bigint[],
    mean_points float8,
    PRIMARY KEY (run_id, "position")
);
ALTER TABLE %1$I.run_dimension ALTER COLUMN scale SET STORAGE EXTERNAL, ALTER COLUMN distribution SET STORAGE EXTERNAL;
COMMENT ON TABLE %1$I.run_dimension IS 'the dimensions of each run as they were then, their scales, and how their values were distributed';
COMMENT ON COLUMN %1$I.run_dimension.run_id IS 'the run';
COMMENT ON COLUMN %1$I.run_dimension."position" IS 'number of the dimension in the run, from 1, in the order of the card';
COMMENT ON COLUMN %1$I.run_dimension.name IS 'name of the dimension';
COMMENT ON COLUMN %1$I.run_dimension.weight IS 'its weight';
COMMENT ON COLUMN %1$I.run_dimension.higher_is_better IS 'whether a higher value is better';
COMMENT ON COLUMN %1$I.run_dimension.method IS 'how the value became points';
COMMENT ON COLUMN %1$I.run_dimension.parameters IS 'what the method was told';
COMMENT ON COLUMN %1$I.run_dimension.ties IS 'low, mid or high: where equal values stand in a percentile; NULL = low, or high when lower is better';
COMMENT ON COLUMN %1$I.run_dimension.missing IS 'what a customer without a value got';
COMMENT ON COLUMN %1$I.run_dimension.floor IS 'the worst value that was acceptable';
COMMENT ON COLUMN %1$I.run_dimension.floor_grade IS 'the best grade beyond it';
COMMENT ON COLUMN %1$I.run_dimension.is_outside IS 'whether the values came from a relation; they are kept in rating.outside_values';
COMMENT ON COLUMN %1$I.run_dimension.scale IS 'what dimension_points() reads; NULL for percentile, which reads distribution';
COMMENT ON COLUMN %1$I.run_dimension.distribution IS 'percentile_scale() of the values; kept for the current run, the one before and the reference';
COMMENT ON COLUMN %1$I.run_dimension.customers IS 'rated customers with a value';
COMMENT ON COLUMN %1$I.run_dimension.absent IS 'rated customers without one';
COMMENT ON COLUMN %1$I.run_dimension.minimum IS 'least value';
COMMENT ON COLUMN %1$I.run_dimension.maximum IS 'greatest value';
COMMENT ON COLUMN %1$I.run_dimension.mean IS 'mean of the values';
COMMENT ON COLUMN %1$I.run_dimension.deviation IS 'their standard deviation (population)';
COMMENT ON COLUMN %1$I.run_dimension.deciles IS 'nine cut points that make ten parts of equal size, as far as ties allow';
COMMENT ON COLUMN %1$I.run_dimension.decile_counts IS 'customers in each of the ten parts';
COMMENT ON COLUMN %1$I.run_dimension.mean_points IS 'mean of the points of all rated customers';

CREATE TABLE %1$I.weighting (
    weighting_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    method text NOT NULL,
    run_id bigint,
    customers bigint,
    details jsonb NOT NULL DEFAULT '{}',
    weights jsonb NOT NULL
);
COMMENT ON TABLE %1$I.weighting IS 'every set of weights the card was given by set_scorecard() or weigh_scorecard(), the newest is in force unless dimension was edited since';
COMMENT ON COLUMN %1$I.weighting.weighting_id IS 'number of the set';
COMMENT ON COLUMN %1$I.weighting.set_at IS 'when it was set';
COMMENT ON COLUMN %1$I.weighting.method IS 'manual, equal, roc, ahp, entropy, critic, or a mixture of two';
COMMENT ON COLUMN %1$I.weighting.run_id IS 'the run whose customers an objective method looked at';
COMMENT ON COLUMN %1$I.weighting.customers IS 'how many customers those were';
COMMENT ON COLUMN %1$I.weighting.details IS 'what else it was computed from: the matrix, its consistency, the ranks, the share of a mixture';
COMMENT ON COLUMN %1$I.weighting.weights IS 'weight by name of the dimension, adding up to 1';
$ddl$, schema);
END
$$;
COMMENT ON FUNCTION customer_tier.create_scorecard_tables(name, text) IS 'internal: the tables of a program that hold its scorecard';

CREATE FUNCTION customer_tier.preset_card(preset text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    card jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('feature', p.feature, 'weight', p.weight) ORDER BY p."position") INTO card
      FROM customer_tier.scorecard_preset p WHERE p.preset = preset_card.preset;
    IF card IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('preset of scorecards "%s" does not exist', coalesce(preset_card.preset, 'NULL')),
            HINT = (SELECT format('The presets are %s; your own are rows of customer_tier.scorecard_preset.', string_agg(DISTINCT p.preset, ', '))
                      FROM customer_tier.scorecard_preset p);
    END IF;
    RETURN card;
END
$$;
COMMENT ON FUNCTION customer_tier.preset_card(text) IS 'the dimensions of a preset, as set_scorecard() takes them';

CREATE FUNCTION customer_tier.dimension_problems(dimension jsonb) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key text;
BEGIN
    FOREACH key IN ARRAY '{name,label,label_zh}'::text[] LOOP
        IF coalesce(jsonb_typeof(dimension->key), 'null') <> 'string' OR (key = 'name' AND dimension->>key = '') THEN
            RETURN QUERY SELECT format('has %s = %s', key, coalesce(dimension->>key, 'NULL')), 'Give it a text of one letter or more.'::text;
        END IF;
    END LOOP;
    FOREACH key IN ARRAY '{feature,relation,function,column,key,day,valid_from,valid_to,floor_grade}'::text[] LOOP
        IF jsonb_typeof(dimension->key) NOT IN ('string', 'null') THEN
            RETURN QUERY SELECT format('has %s = %s, which is no name', key, dimension->key), 'Give a JSON string.'::text;
        END IF;
    END LOOP;
    IF (customer_tier.number_parameter(dimension, 'weight') BETWEEN 0 AND 1e100) IS NOT TRUE THEN
        RETURN QUERY SELECT format('has weight = %s', coalesce(left(dimension->>'weight', 40), 'null')), 'Give a number, 0 or more; only ratios of weights count.'::text;
    ELSIF jsonb_typeof(dimension->'higher_is_better') <> 'boolean' THEN
        RETURN QUERY SELECT format('has higher_is_better = %s', dimension->'higher_is_better'), 'Use true or false.'::text;
    ELSIF (dimension->>'method' IN ('score', 'percentile', 'min_max', 'z_score', 'logistic', 'bands', 'linear', 'identity')) IS NOT TRUE THEN
        RETURN QUERY SELECT format('has method = %s', dimension->'method'), 'Use "score", "percentile", "min_max", "z_score", "logistic", "bands", "linear" or "identity".'::text;
    ELSIF jsonb_typeof(dimension->'parameters') <> 'object' THEN
        RETURN QUERY SELECT format('has parameters = %s', dimension->'parameters'), 'Give a JSON object, such as {"ties": "mid"}.'::text;
    ELSIF (dimension->>'missing' IN ('renormalise', 'neutral', 'worst', 'no_rating')) IS NOT TRUE THEN
        RETURN QUERY SELECT format('has missing = %s', dimension->'missing'), 'Use "renormalise", "neutral", "worst" or "no_rating".'::text;
    ELSIF dimension->>'floor' IS NOT NULL AND (customer_tier.number_parameter(dimension, 'floor') BETWEEN -1e300 AND 1e300) IS NOT TRUE THEN
        RETURN QUERY SELECT format('has floor = %s', left(dimension->>'floor', 40)), 'Give a number: the worst value that is still acceptable.'::text;
    ELSIF (dimension->>'floor' IS NULL) <> (dimension->>'floor_grade' IS NULL) THEN
        RETURN QUERY SELECT format('has a %s', CASE WHEN dimension->>'floor' IS NULL THEN '"floor_grade" but no "floor"' ELSE '"floor" but no "floor_grade"' END),
            'Give both: beyond the floor the grade is at best the floor_grade.'::text;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.dimension_problems(jsonb) IS 'internal: what is wrong with one dimension of a scorecard, read for itself; no row = nothing';

CREATE FUNCTION customer_tier.put_dimensions(schema name, dimensions jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT text[] := '{name,label,label_zh,weight,higher_is_better,feature,relation,function,column,key,day,valid_from,valid_to,method,parameters,missing,floor,floor_grade}';
    given record;
    known record;
    relation text;
    found_schema name;
    found_name name;
    row jsonb;
    wrong text;
    hint text;
    added bigint;
BEGIN
    IF jsonb_typeof(dimensions) IS DISTINCT FROM 'array' OR dimensions = '[]' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a scorecard is a JSON array of dimensions, one at least',
            HINT = 'Such as ''[{"feature": "revenue", "weight": 2}, {"name": "nps", "relation": "public.surveys", "column": "score", "key": "customer_id", "day": "answered_on", "weight": 1}]'', or the name of a preset: ''rfm''.';
    END IF;
    EXECUTE format('DELETE FROM %I.dimension', schema);
    FOR given IN SELECT value AS j, ordinality AS n FROM jsonb_array_elements(dimensions) WITH ORDINALITY LOOP
        IF jsonb_typeof(given.j) <> 'object' THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('dimension %s of the scorecard is %s, not a JSON object', given.n, given.j),
                HINT = 'Such as {"feature": "revenue", "weight": 2}.';
        END IF;
        SELECT string_agg(format('"%s"', k), ', ') INTO wrong FROM jsonb_object_keys(given.j) k WHERE k <> ALL (allowed);
        IF wrong IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('dimension %s of the scorecard has the unknown key %s', given.n, wrong),
                HINT = format('The keys are %s.', array_to_string(allowed, ', '));
        END IF;

        -- A feature is named by its own name, unless it says otherwise.
        SELECT f.* INTO known FROM customer_tier.dimension_features() f
         WHERE f.feature = CASE WHEN given.j ?| '{relation,function}'::text[] THEN NULL ELSE coalesce(given.j->>'feature', given.j->>'name') END;
        relation := coalesce(given.j->>'relation', given.j->>'function');
        IF known IS NULL AND known.feature IS NULL AND relation IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object',
                MESSAGE = format('dimension %s of the scorecard has the unknown feature "%s"', given.n, coalesce(given.j->>'feature', given.j->>'name', 'NULL')),
                HINT = format('The features are %s; anything else comes from a "relation" with a "column" and a "key".',
                              (SELECT string_agg(f.feature, ', ') FROM customer_tier.dimension_features() f));
        END IF;
        IF relation IS NOT NULL THEN
            IF given.j ? 'feature' OR (given.j ?& '{relation,function}'::text[]) THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('dimension %s of the scorecard comes from more than one of "feature", "relation" and "function"', given.n),
                    HINT = 'Give one of them.';
            ELSIF NOT given.j ?& '{column,key,name}'::text[] THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('dimension %s of the scorecard comes from %s but lacks "name", "column" or "key"', given.n, relation),
                    HINT = 'Give the name of the dimension, the column with the value and the column with the customer key.';
            END IF;
            IF relation !~ E'^\\s*("([^"]|"")+"|[^".]+)\\s*(\\.\\s*("([^"]|"")+"|[^".]+)\\s*)?$' THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_name',
                    MESSAGE = format('"%s" is no name of a relation (dimension "%s")', relation, given.j->>'name'),
                    HINT = 'Name it with its schema, such as public.surveys; other names than of small letters in double quotes, such as public."Surveys".';
            ELSIF given.j ? 'function' THEN
                SELECT n.nspname, p.proname INTO found_schema, found_name
                  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                 WHERE p.oid = coalesce(to_regprocedure(relation || '(date)')::oid, to_regproc(relation)::oid);
            ELSE
                SELECT n.nspname, c.relname INTO found_schema, found_name
                  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(relation);
            END IF;
            IF found_name IS NULL THEN
                RAISE EXCEPTION USING ERRCODE = CASE WHEN given.j ? 'function' THEN '42883' ELSE '42P01' END,
                    MESSAGE = format('%s %s of dimension "%s" does not exist', CASE WHEN given.j ? 'function' THEN 'function' ELSE 'relation' END, relation, given.j->>'name'),
                    HINT = CASE WHEN given.j ? 'function' THEN 'Name a function of one date with its schema, such as public.answers.' ELSE 'Name it with its schema, such as public.surveys.' END;
            END IF;
        END IF;

        row := jsonb_build_object(
                   'name', coalesce(known.feature, given.j->>'name'),
                   'label', coalesce(known.label, initcap(replace(given.j->>'name', '_', ' '))),
                   'label_zh', coalesce(known.label_zh, given.j->>'label', given.j->>'name'),
                   'weight', 1, 'higher_is_better', coalesce(known.higher_is_better, true),
                   'method', 'percentile', 'parameters', '{}'::jsonb, 'missing', 'renormalise')
               || given.j
               || CASE WHEN known.feature IS NULL THEN '{}' ELSE jsonb_build_object('feature', known.feature) END;
        SELECT p.problem, p.hint INTO wrong, hint FROM customer_tier.dimension_problems(row) p LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('dimension "%s" of the scorecard %s', coalesce(nullif(row->>'name', ''), given.n::text), wrong), HINT = hint;
        END IF;
        EXECUTE format(
$query$
    INSERT INTO %I.dimension (name, "position", label, label_zh, weight, higher_is_better, feature, relation_schema, relation_name, is_function,
                              value_column, key_column, day_column, valid_from, valid_to, method, parameters, missing, floor, floor_grade)
    SELECT $1->>'name', $2, $1->>'label', $1->>'label_zh', ($1->>'weight')::float8, ($1->>'higher_is_better')::boolean, $1->>'feature', $3, $4, $1 ? 'function',
           $1->>'column', $1->>'key', $1->>'day', $1->>'valid_from', $1->>'valid_to', $1->>'method', $1->'parameters', $1->>'missing', ($1->>'floor')::float8, $1->>'floor_grade'
     WHERE NOT EXISTS (SELECT FROM %I.dimension WHERE dimension.name = $1->>'name')
$query$, schema, schema) USING row, given.n, found_schema, found_name;
        GET DIAGNOSTICS added = ROW_COUNT;
        IF added = 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
                MESSAGE = format('the scorecard has two dimensions of the name "%s"', row->>'name'),
                HINT = 'Give one of them another "name"; it may have the same feature.';
        END IF;
        found_schema := NULL;
        found_name := NULL;
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.put_dimensions(name, jsonb) IS 'internal: replace the dimensions of a program';
