-- Whether a scorecard makes sense: its dimensions, their relations, methods
-- and parameters, and the grades.

CREATE FUNCTION customer_tier.number_parameter(parameters jsonb, key text) RETURNS float8
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A number of JSON, which can be too large for a double but never NaN.
    RETURN CASE WHEN jsonb_typeof(parameters->key) = 'number' THEN (parameters->>key)::float8 END;
EXCEPTION
    WHEN numeric_value_out_of_range THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION customer_tier.number_parameter(jsonb, text) IS 'internal: a parameter that is a number; NULL when it is anything else';

CREATE FUNCTION customer_tier.numbers_parameter(parameters jsonb, key text) RETURNS float8[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(parameters->key) IS DISTINCT FROM 'array'
       OR EXISTS (SELECT FROM jsonb_array_elements(parameters->key) e WHERE jsonb_typeof(e) <> 'number') THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(SELECT e::float8 FROM jsonb_array_elements_text(parameters->key) WITH ORDINALITY AS a (e, n) ORDER BY n);
EXCEPTION
    WHEN numeric_value_out_of_range THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION customer_tier.numbers_parameter(jsonb, text) IS 'internal: a parameter that is an array of numbers; NULL when it is anything else';

CREATE FUNCTION customer_tier.parameter_problems(method text, parameters jsonb, higher_is_better boolean) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known CONSTANT jsonb := '{"score": ["scores", "cuts"], "percentile": ["ties"], "min_max": ["low", "high"], "z_score": [],
                              "logistic": ["midpoint", "slope"], "bands": ["thresholds", "points"], "linear": ["low", "high"], "identity": []}';
    thresholds float8[] := customer_tier.numbers_parameter(parameters, 'thresholds');
    points float8[] := customer_tier.numbers_parameter(parameters, 'points');
    low float8 := customer_tier.number_parameter(parameters, 'low');
    high float8 := customer_tier.number_parameter(parameters, 'high');
    given text;
BEGIN
    FOR given IN SELECT k FROM jsonb_object_keys(parameters) k WHERE NOT known->method ? k ORDER BY k LOOP
        RETURN QUERY SELECT format('has the parameter "%s", which method %s does not know', given, method),
            CASE WHEN known->method = '[]' THEN 'It takes no parameters.' ELSE format('Its parameters are %s.', (SELECT string_agg(k, ', ') FROM jsonb_array_elements_text(known->method) k)) END;
    END LOOP;
    CASE method
        WHEN 'percentile' THEN
            IF parameters ? 'ties' AND coalesce(parameters->>'ties' NOT IN ('low', 'mid', 'high'), true) THEN
                RETURN QUERY SELECT format('has ties = %s', parameters->'ties'), 'Use "low", "mid" or "high".'::text;
            END IF;
        WHEN 'score' THEN
            IF parameters ? 'scores' AND (customer_tier.number_parameter(parameters, 'scores') BETWEEN 2 AND 1000
                                          AND parameters->>'scores' ~ '^[0-9]+$') IS NOT TRUE THEN
                RETURN QUERY SELECT format('has scores = %s', parameters->'scores'), 'Give a whole number from 2 to 1000, such as 5.'::text;
            END IF;
            IF parameters ? 'cuts' AND coalesce(parameters->>'cuts' NOT IN ('quantile', 'balanced', 'natural'), true) THEN
                RETURN QUERY SELECT format('has cuts = %s', parameters->'cuts'), 'Use "quantile", "balanced" or "natural".'::text;
            END IF;
        WHEN 'min_max' THEN
            IF (parameters ? 'low' AND low IS NULL) OR (parameters ? 'high' AND high IS NULL)
               OR coalesce(low, 0) < 0 OR coalesce(high, 1) > 1 OR coalesce(low, 0) >= coalesce(high, 1) THEN
                RETURN QUERY SELECT format('has the range of quantiles from %s to %s', coalesce(parameters->>'low', '0'), coalesce(parameters->>'high', '1')),
                    'Give low and high as shares from 0 to 1, low below high, such as {"low": 0.01, "high": 0.99}.'::text;
            END IF;
        WHEN 'logistic' THEN
            IF (parameters ? 'midpoint' AND customer_tier.number_parameter(parameters, 'midpoint') IS NULL)
               OR (parameters ? 'slope' AND (customer_tier.number_parameter(parameters, 'slope') > 0) IS NOT TRUE) THEN
                RETURN QUERY SELECT format('has midpoint = %s and slope = %s', coalesce(parameters->>'midpoint', 'none'), coalesce(parameters->>'slope', 'none')),
                    'Give a number as midpoint and one above 0 as slope, or leave them out: then mean and deviation decide.'::text;
            END IF;
        WHEN 'bands' THEN
            IF thresholds IS NULL OR points IS NULL OR cardinality(points) <> cardinality(thresholds) + 1 OR cardinality(thresholds) = 0 THEN
                RETURN QUERY SELECT 'lacks thresholds, or one more points than thresholds'::text,
                    'Such as {"thresholds": [30, 90], "points": [100, 50, 0]}: 100 below 30, 50 from 30 on, 0 from 90 on.'::text;
            ELSIF EXISTS (SELECT FROM generate_subscripts(thresholds, 1) i WHERE thresholds[i] >= thresholds[i + 1]) THEN
                RETURN QUERY SELECT format('has thresholds %s that do not rise', thresholds), 'Put them in ascending order, each once.'::text;
            ELSIF EXISTS (SELECT FROM unnest(points) p WHERE p NOT BETWEEN 0 AND 100) THEN
                RETURN QUERY SELECT format('has points %s outside of 0 to 100', points), 'Give points from 0 to 100.'::text;
            ELSIF EXISTS (SELECT FROM generate_subscripts(points, 1) i WHERE CASE WHEN higher_is_better THEN points[i] > points[i + 1] ELSE points[i] < points[i + 1] END) THEN
                RETURN QUERY SELECT format('has points %s that %s, although %s is better', points, CASE WHEN higher_is_better THEN 'fall' ELSE 'rise' END, CASE WHEN higher_is_better THEN 'higher' ELSE 'lower' END),
                    'Turn the points round, or higher_is_better.'::text;
            END IF;
        WHEN 'linear' THEN
            IF low IS NULL OR high IS NULL THEN
                RETURN QUERY SELECT 'lacks its anchors low and high'::text, 'Such as {"low": 0, "high": 1000}: 0 points at 0, 100 points at 1000.'::text;
            ELSIF (low < high AND NOT higher_is_better) OR (low > high AND higher_is_better) THEN
                RETURN QUERY SELECT format('has anchors from %s to %s, although %s is better', low, high, CASE WHEN higher_is_better THEN 'higher' ELSE 'lower' END),
                    'low has 0 points and high 100: turn them round, or higher_is_better.'::text;
            END IF;
        ELSE
            NULL;
    END CASE;
END
$$;
COMMENT ON FUNCTION customer_tier.parameter_problems(text, jsonb, boolean) IS 'internal: what is wrong with the parameters of a method; no row = nothing';

CREATE FUNCTION customer_tier.outside_problems(schema name, dimension_name text) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d record;
    option text := format('dimension "%s"', dimension_name);
    relation regclass;
    func pg_proc;
    part record;
    part_type regtype;
    our_type regtype;
    duplicate text;
BEGIN
    EXECUTE format('SELECT dimension.* FROM %I.dimension WHERE dimension.name = $1', schema) INTO d USING dimension_name;
    IF d.is_function THEN
        SELECT p.* INTO func FROM pg_proc p WHERE p.oid = to_regprocedure(format('%I.%I(date)', d.relation_schema, d.relation_name));
        IF NOT FOUND THEN
            RETURN QUERY SELECT '42883', format('function %I.%I(date) does not exist (%s)', d.relation_schema, d.relation_name, option),
                'A dimension can come from a set-returning function of one date, the day of the rating.'::text;
            RETURN;
        ELSIF func.provolatile = 'v' THEN
            RETURN QUERY SELECT '42P13', format('function %I.%I(date) is volatile (%s)', d.relation_schema, d.relation_name, option),
                'A rating must come out the same whenever it is made: declare the function STABLE if it only reads.'::text;
        ELSIF NOT has_function_privilege(func.oid, 'EXECUTE') OR NOT has_schema_privilege(func.pronamespace, 'USAGE') THEN
            RETURN QUERY SELECT '42501', format('permission denied for function %I.%I(date) (%s)', d.relation_schema, d.relation_name, option),
                format('GRANT EXECUTE ON FUNCTION %I.%I(date) TO %I;', d.relation_schema, d.relation_name, current_user);
            RETURN;
        END IF;
    ELSE
        RETURN QUERY SELECT p.code, replace(p.problem, format('(option "%s")', option), format('(%s)', option)),
                            replace(p.hint, 'the settings of the program', 'the dimension')
                       FROM customer_tier.relation_problems(option, d.relation_schema, d.relation_name) p;
        IF FOUND THEN
            RETURN;
        END IF;
        relation := to_regclass(format('%I.%I', d.relation_schema, d.relation_name));
    END IF;

    SELECT c.base_type INTO our_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c;
    FOR part IN SELECT * FROM (VALUES ('value_column', d.value_column), ('key_column', d.key_column), ('day_column', d.day_column),
                                      ('valid_from', d.valid_from), ('valid_to', d.valid_to)) AS v (part, column_name) WHERE v.column_name IS NOT NULL LOOP
        part_type := customer_tier.outside_column(d.relation_schema, d.relation_name, d.is_function, part.column_name);
        IF part_type IS NULL THEN
            RETURN QUERY SELECT '42703', format('%I.%I has no column "%s" (%s, %s)', d.relation_schema, d.relation_name, part.column_name, option, part.part),
                CASE WHEN d.is_function THEN 'Name a column of its result; it must return rows of several columns.'
                     ELSE (SELECT format('It has the columns %s.', string_agg(format('"%s"', a.attname), ', ' ORDER BY a.attnum))
                             FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped) END;
            RETURN;
        ELSIF relation IS NOT NULL AND NOT has_column_privilege(relation, part.column_name, 'SELECT') THEN
            RETURN QUERY SELECT '42501', format('permission denied to read column "%s" of %s (%s)', part.column_name, relation, option),
                format('GRANT SELECT ON %s TO %I;', relation, current_user);
            RETURN;
        ELSIF part.part = 'value_column' AND part_type NOT IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'real'::regtype,
                                                               'double precision'::regtype, 'numeric'::regtype, 'boolean'::regtype) THEN
            RETURN QUERY SELECT '42804', format('column "%s" of %I.%I has type %s, which is not a number (%s)', part.column_name, d.relation_schema, d.relation_name, part_type, option),
                'Use a column of a numeric type or boolean; a view can convert it.'::text;
            RETURN;
        ELSIF part.part = 'key_column' AND part_type <> our_type
              AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = part_type AND casttarget = our_type AND castcontext = 'i') THEN
            RETURN QUERY SELECT '42804', format('column "%s" of %I.%I has type %s, but the customers of the orders have type %s (%s)', part.column_name, d.relation_schema, d.relation_name, part_type, our_type, option),
                'Give both the same type; a view can convert one of them.'::text;
            RETURN;
        ELSIF part.part IN ('day_column', 'valid_from', 'valid_to') AND part_type NOT IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN
            RETURN QUERY SELECT '42804', format('column "%s" of %I.%I has type %s, which is no day (%s, %s)', part.column_name, d.relation_schema, d.relation_name, part_type, option, part.part),
                'Use a column of type date, timestamp or timestamptz; a view can convert it.'::text;
            RETURN;
        END IF;
    END LOOP;

    IF d.day_column IS NOT NULL AND coalesce(d.valid_from, d.valid_to) IS NOT NULL THEN
        RETURN QUERY SELECT '22023', format('%s has both a day ("%s") and a validity ("%s")', option, d.day_column, coalesce(d.valid_from, d.valid_to)),
            'Name the day of a value, of which the latest counts, or the days between which it holds.'::text;
    END IF;

    -- Two values for one customer, where nothing says which of them counts.
    IF relation IS NOT NULL AND coalesce(d.day_column, d.valid_from, d.valid_to) IS NULL
       AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL
                          AND i.indkey[0] = (SELECT c.attnum FROM customer_tier.relation_column(relation, d.key_column) c)) THEN
        EXECUTE format('SELECT min(CAST(source.%1$I AS text) COLLATE "C")
                          FROM (SELECT %1$I FROM %2$s AS source WHERE %1$I IS NOT NULL GROUP BY %1$I HAVING count(*) > 1) AS source', d.key_column, relation)
            INTO duplicate;
        IF duplicate IS NOT NULL THEN
            RETURN QUERY SELECT '21000', format('%s has more than one row for customer "%s" (%s)', relation, duplicate, option),
                'Name its day or validity columns, or read it through a view with one row a customer.'::text;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.outside_problems(name, text) IS 'internal: what is wrong with the relation a dimension comes from; no row = nothing';

CREATE FUNCTION customer_tier.card_problems(schema name, what_if jsonb DEFAULT NULL) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    dimension_rows text := customer_tier.configured(schema, 'dimension', 'name', what_if->'dimensions');
    grade_rows text := customer_tier.configured(schema, 'grade', 'code', what_if->'grades');
    d record;
    dimensions int;
    total float8;
    cards bigint;
    combination text;
    base record;
BEGIN
    EXECUTE format('SELECT count(*), sum(dimension.weight) FROM %s AS dimension', dimension_rows) INTO dimensions, total;
    EXECUTE format('SELECT count(*), min(scorecard.combination) FROM %s AS scorecard', customer_tier.configured(schema, 'scorecard', NULL, what_if->'scorecard')) INTO cards, combination;
    IF cards <> 1 THEN
        RETURN QUERY SELECT '21000', format('%I.scorecard has %s rows, it must have one', schema, cards), format('INSERT INTO %I.scorecard DEFAULT VALUES;', schema);
    END IF;
    IF dimensions = 0 THEN
        RETURN QUERY SELECT '22023', format('%I.dimension has no rows', schema), format('SELECT customer_tier.set_scorecard(%L, ''rfm'');', s.program);
    ELSIF total = 0 THEN
        RETURN QUERY SELECT '22023', format('all weights of %I.dimension are 0', schema), 'Give at least one dimension a weight above 0.'::text;
    ELSIF dimensions > 12 AND combination <> 'mean' THEN
        RETURN QUERY SELECT '54000', format('%s dimensions are too many for combination "%s"', dimensions, combination),
            'The contributions of single dimensions can be told for 12 at most; use the mean, or fewer dimensions.'::text;
    ELSIF dimensions > 100 THEN
        RETURN QUERY SELECT '54000', format('%s dimensions are too many', dimensions), 'Use at most 100.'::text;
    END IF;

    FOR d IN EXECUTE format('SELECT dimension.* FROM %s AS dimension ORDER BY dimension."position", dimension.name', dimension_rows) LOOP
        IF d.feature IS NOT NULL THEN
            IF NOT EXISTS (SELECT FROM customer_tier.dimension_features() f WHERE f.feature = d.feature) THEN
                RETURN QUERY SELECT '42704', format('dimension "%s" has the unknown feature "%s"', d.name, d.feature),
                    format('The features are %s.', (SELECT string_agg(f.feature, ', ') FROM customer_tier.dimension_features() f));
            ELSIF coalesce(s.purchase_model, 'none') = 'none' AND EXISTS (SELECT FROM customer_tier.dimension_features() f WHERE f.feature = d.feature AND f.needs_model) THEN
                RETURN QUERY SELECT '55000', format('dimension "%s" needs a purchase model, and the program asks for none', d.name),
                    format('UPDATE %I.settings SET purchase_model = ''mbg/nbd'';', schema);
            END IF;
        ELSIF what_if IS NULL THEN     -- what is tried out reads no relation
            RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.outside_problems(schema, d.name) p;
        END IF;
        RETURN QUERY SELECT '22023', format('dimension "%s" %s', d.name, p.problem), p.hint
            FROM customer_tier.parameter_problems(d.method, d.parameters, d.higher_is_better) p;
        IF d.floor_grade IS NOT NULL THEN
            EXECUTE format('SELECT count(*) FILTER (WHERE grade.code = $1) = 0 AS is_missing, string_agg(grade.code, '', '' ORDER BY grade.grade_rank DESC) AS codes FROM %s AS grade', grade_rows) INTO base USING d.floor_grade;
            IF base.is_missing THEN
                RETURN QUERY SELECT '22023', format('dimension "%s" caps the grade at "%s", which does not exist', d.name, d.floor_grade),
                    CASE WHEN base.codes IS NULL THEN format('There are no grades: customer_tier.set_grades(%L, ...) makes some.', (customer_tier.program_settings(schema)).program)
                         ELSE format('The grades are %s. UPDATE %I.dimension SET floor_grade = ... WHERE name = %L;', base.codes, schema, d.name) END;
            END IF;
        END IF;
    END LOOP;

    RETURN QUERY EXECUTE format(
$query$
    WITH grade AS (
        SELECT grade.*, lag(grade_rank, 1, 0) OVER (ORDER BY grade_rank) AS rank_below,
               lag(min_score) OVER (ORDER BY grade_rank) AS score_below, lag(share) OVER (ORDER BY grade_rank) AS share_below
          FROM %2$s AS grade
    )
    SELECT '22023', format('%%I.grade has no grades', %1$L), 'Insert at least a lowest grade: grade_rank 1, without min_score and share.'
     WHERE NOT EXISTS (SELECT FROM grade)
    UNION ALL
    SELECT '22023', format('%%I.grade has a gap below grade_rank %%s', %1$L, grade_rank), 'Number the grades 1, 2, 3 ... from the lowest up.'
      FROM grade WHERE grade_rank <> rank_below + 1
    UNION ALL
    SELECT '22023', format('the lowest grade "%%s" of %%I.grade has a threshold', code, %1$L), 'Give it neither min_score nor share: everybody who reaches no other grade has it.'
      FROM grade WHERE grade_rank = 1 AND (coalesce(min_score, 0) > 0 OR share IS NOT NULL)
    UNION ALL
    SELECT '22023', format('some grades of %%I.grade have a min_score and others a share, or neither', %1$L), 'Give all but the lowest a min_score, or all but the lowest a share.'
      FROM grade WHERE grade_rank > 1
    HAVING count(min_score) < count(*) AND count(share) < count(*)
    UNION ALL
    SELECT '22023', format('the least score of grade "%%s" of %%I.grade is %%s, not above that of the grade below', code, %1$L, min_score), 'Let min_score (0..100) rise with grade_rank.'
      FROM grade WHERE grade_rank > 1 AND min_score <= score_below
    UNION ALL
    SELECT '22023', format('the share of grade "%%s" of %%I.grade is %%s, not below that of the grade below', code, %1$L, share), 'Shares are counted from the top, so let them fall with grade_rank: 0.05 for the best, 0.20 for the best two ...'
      FROM grade WHERE grade_rank > 1 AND share >= share_below
$query$, schema, grade_rows);
END
$$;
COMMENT ON FUNCTION customer_tier.card_problems(name, jsonb) IS 'internal: what is wrong with the scorecard of a program, or would be with changes that are tried out; no row = nothing';

CREATE FUNCTION customer_tier.program_schema(program text) RETURNS name
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    its_schema name;
BEGIN
    SELECT p.schema INTO its_schema FROM customer_tier.program p WHERE p.name = program;
    IF its_schema IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN program IS NULL THEN '22004' ELSE '42704' END,
            MESSAGE = CASE WHEN program IS NULL THEN 'the name of the program must not be NULL' ELSE format('program "%s" does not exist', program) END,
            HINT = 'SELECT * FROM customer_tier.program lists the programs of this database.';
    ELSIF to_regclass(format('%I.settings', its_schema)) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('program "%s" has lost its schema "%s"', program, its_schema),
            HINT = format('SELECT customer_tier.drop_program(%L); clears it away.', program);
    END IF;
    RETURN its_schema;
END
$$;
COMMENT ON FUNCTION customer_tier.program_schema(text) IS 'internal: the schema of a program, or an error that says why there is none';

CREATE FUNCTION customer_tier.set_scorecard(program text, dimensions jsonb, combination text DEFAULT NULL, min_coverage numeric DEFAULT NULL, frozen_scale boolean DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    wrong record;
BEGIN
    IF jsonb_typeof(dimensions) = 'string' THEN
        dimensions := customer_tier.preset_card(dimensions#>>'{}');
    END IF;
    IF combination IS NOT NULL AND combination NOT IN ('mean', 'geometric', 'topsis') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('combination "%s" is not known', combination),
            HINT = 'Use ''mean'', ''geometric'' or ''topsis''.';
    ELSIF min_coverage NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('min_coverage must be between 0 and 1, not %s', min_coverage),
            HINT = 'It is the share of the weights that must be present for a grade.';
    END IF;
    PERFORM customer_tier.put_dimensions(schema, dimensions);
    EXECUTE format('UPDATE %I.scorecard AS s SET combination = coalesce($1, s.combination), min_coverage = coalesce($2, s.min_coverage), frozen_scale = coalesce($3, s.frozen_scale)', schema)
        USING combination, min_coverage, frozen_scale;
    FOR wrong IN SELECT p.* FROM customer_tier.card_problems(schema) p LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, HINT = wrong.hint;
    END LOOP;
    EXECUTE format('INSERT INTO %1$I.weighting (method, weights)
                    SELECT ''manual'', jsonb_object_agg(d.name, d.weight / (SELECT sum(dimension.weight) FROM %1$I.dimension)) FROM %1$I.dimension AS d', schema);
END
$$;
COMMENT ON FUNCTION customer_tier.set_scorecard(text, jsonb, text, numeric, boolean) IS
    'give a program a scorecard: an array of dimensions (keys: name, label, label_zh, weight, higher_is_better, feature or relation or function, column, key, day, valid_from, valid_to, method, parameters, missing, floor, floor_grade), or the name of a preset as a JSON string; and how they are combined (mean, geometric, topsis), the coverage (0..1) a grade needs, and whether scales are frozen. The next refresh rates by it';

CREATE FUNCTION customer_tier.set_scorecard(program text, dimensions text, combination text DEFAULT NULL, min_coverage numeric DEFAULT NULL, frozen_scale boolean DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parsed jsonb;
BEGIN
    BEGIN
        parsed := CASE WHEN dimensions ~ E'^\\s*[\\[{"]' THEN dimensions::jsonb ELSE to_jsonb(dimensions) END;
    EXCEPTION
        WHEN data_exception OR untranslatable_character THEN
            RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = format('the scorecard is not JSON: %s', dimensions),
                HINT = 'Such as ''[{"feature": "revenue", "weight": 2}, {"feature": "recency", "weight": 1}]'', or the name of a preset: ''rfm''.';
    END;
    PERFORM customer_tier.set_scorecard(program, parsed, combination, min_coverage, frozen_scale);
END
$$;
COMMENT ON FUNCTION customer_tier.set_scorecard(text, text, text, numeric, boolean) IS 'the same with a preset (rfm, value, balanced, b2b, or one of your own) or with JSON as text';

CREATE FUNCTION customer_tier.set_grades(program text, grades jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    example CONSTANT text := 'Such as ''[{"code": "A", "min_score": 80}, {"code": "B", "min_score": 50}, {"code": "C"}]'', or with "share": 0.05 in place of min_score.';
    given record;
    problem text;
    wrong record;
BEGIN
    IF jsonb_typeof(grades) IS DISTINCT FROM 'array' OR grades = '[]' OR EXISTS (SELECT FROM jsonb_array_elements(grades) g WHERE jsonb_typeof(g) <> 'object' OR NOT g ? 'code') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'grades are a JSON array of objects with a code, the best grade first',
            HINT = example;
    END IF;
    FOR given IN SELECT value AS j, ordinality AS n FROM jsonb_array_elements(grades) WITH ORDINALITY LOOP
        problem := CASE
            WHEN jsonb_typeof(given.j->'code') <> 'string' OR given.j->>'code' = '' THEN format('has code = %s', given.j->'code')
            WHEN EXISTS (SELECT FROM jsonb_array_elements(grades) WITH ORDINALITY AS g (other, n) WHERE g.n < given.n AND other->'code' = given.j->'code') THEN 'was there before'
            WHEN given.j - '{code,label,label_zh,min_score,share}'::text[] <> '{}' THEN format('has the unknown key %s', (SELECT string_agg(format('"%s"', k), ', ') FROM jsonb_object_keys(given.j - '{code,label,label_zh,min_score,share}'::text[]) k))
            WHEN given.j->>'min_score' IS NOT NULL AND (customer_tier.number_parameter(given.j, 'min_score') BETWEEN 0 AND 100) IS NOT TRUE THEN format('has min_score = %s', given.j->>'min_score')
            WHEN given.j->>'share' IS NOT NULL AND (customer_tier.number_parameter(given.j, 'share') BETWEEN 0 AND 1) IS NOT TRUE THEN format('has share = %s', given.j->>'share')
            WHEN given.j->>'min_score' IS NOT NULL AND given.j->>'share' IS NOT NULL THEN 'has both min_score and share' END;
        IF problem IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('grade "%s" %s', coalesce(nullif(given.j->>'code', ''), given.n::text), problem),
                HINT = 'A grade has a code of its own, and if need be label, label_zh, and either min_score (0..100) or share (0..1). ' || example;
        END IF;
    END LOOP;
    EXECUTE format('DELETE FROM %I.grade', schema);
    EXECUTE format('INSERT INTO %I.grade (grade_rank, code, label, label_zh, min_score, share)
                    SELECT jsonb_array_length($1) + 1 - n, g->>''code'', coalesce(g->>''label'', g->>''code''), coalesce(g->>''label_zh'', g->>''label'', g->>''code''),
                           (g->>''min_score'')::numeric, (g->>''share'')::numeric
                      FROM jsonb_array_elements($1) WITH ORDINALITY AS a (g, n)', schema) USING grades;
    FOR wrong IN SELECT p.* FROM customer_tier.card_problems(schema) p LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, HINT = wrong.hint;
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.set_grades(text, jsonb) IS 'give a program its grades, the best first: code, label, label_zh, and either min_score (0..100) or share (0..1, counted from the top) for all but the last. The next refresh rates by them';
