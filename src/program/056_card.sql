-- The scorecard compiled to SQL: where each dimension's value comes from, its
-- scale, its points, and the score.  What is here makes text; 050_compile.sql
-- writes it into the program's functions.

CREATE FUNCTION customer_tier.configured(schema name, relation name, key name, changes jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN changes IS NULL THEN format('%I.%I', schema, relation)
                WHEN key IS NULL THEN format('(SELECT (jsonb_populate_record(kept, %L)).* FROM %I.%I AS kept)', changes, schema, relation)
                ELSE format('(SELECT (jsonb_populate_record(kept, CAST(%1$L AS jsonb)->kept.%2$I)).* FROM %3$I.%4$I AS kept WHERE (CAST(%1$L AS jsonb)->kept.%2$I) IS DISTINCT FROM ''null'''
                            ' UNION ALL SELECT (jsonb_populate_record(CAST(NULL AS %3$I.%4$I), added.value)).* FROM jsonb_each(%1$L) AS added'
                            ' WHERE added.value <> ''null'' AND NOT EXISTS (SELECT FROM %3$I.%4$I AS kept WHERE kept.%2$I = added.key))',
                            changes, key, schema, relation) END
$$;
COMMENT ON FUNCTION customer_tier.configured(name, name, name, jsonb) IS 'internal: a table of the configuration as an item of FROM, with changes that are tried out: an object of columns, or one by key';

CREATE FUNCTION customer_tier.card(schema name, what_if jsonb DEFAULT NULL)
RETURNS TABLE (n int, name text, label text, feature text, weight float8, higher_is_better boolean, needs_model boolean, outside int, is_timed boolean, value text,
               method text, parameters jsonb, ties text, missing text, floor float8, floor_grade text, measured text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
BEGIN
    RETURN QUERY EXECUTE format(
$query$
    SELECT CAST(d.n AS int), d.name, d.label, d.feature, d.weight, d.higher_is_better, coalesce(f.needs_model, false),
           CAST(CASE WHEN d.feature IS NULL THEN d.relation_no END AS int), d.is_timed,
           CASE WHEN d.feature IS NULL THEN format('outside_%%s.v%%s', d.relation_no, d.n) WHEN f.needs_model OR d.feature IN ('revenue', 'average_order') THEN format('customer_tier.nearest_double(%%s)', f.expression)
                ELSE format('CAST(%%s AS double precision)', f.expression) END,
           d.method, d.parameters, d.parameters->>'ties', d.missing, d.floor, d.floor_grade,
           CASE d.method
                WHEN 'percentile' THEN 'CAST(NULL AS double precision[])'
                WHEN 'score' THEN format('customer_tier.%%I(customer_tier.cut_values(%%%%1$s) FILTER (WHERE %%%%2$s), CAST(%%L AS integer))', coalesce(d.parameters->>'cuts', 'quantile') || '_cuts', coalesce(d.parameters->>'scores', '5'))
                WHEN 'min_max' THEN format('customer_tier.value_range(%%%%1$s, CAST(%%L AS double precision), CAST(%%L AS double precision)) FILTER (WHERE %%%%2$s)', coalesce(d.parameters->>'low', '0'), coalesce(d.parameters->>'high', '1'))
                WHEN 'z_score' THEN 'customer_tier.mean_deviation(%%1$s) FILTER (WHERE %%2$s)'
                WHEN 'logistic' THEN
                    CASE WHEN d.parameters ?& '{midpoint,slope}' THEN format('CAST(%%L AS double precision[])', ARRAY[d.parameters->>'midpoint', d.parameters->>'slope'])
                         ELSE format('customer_tier.logistic_scale(customer_tier.mean_deviation(%%%%1$s) FILTER (WHERE %%%%2$s), %%L, %%L)', d.parameters->>'midpoint', d.parameters->>'slope') END
                WHEN 'bands' THEN format('CAST(%%L AS double precision[])', ARRAY(SELECT jsonb_array_elements_text(d.parameters->'thresholds')) || ARRAY(SELECT jsonb_array_elements_text(d.parameters->'points')))
                WHEN 'linear' THEN format('CAST(%%L AS double precision[])', ARRAY[d.parameters->>'low', d.parameters->>'high'])
                WHEN 'identity' THEN 'CAST(''{}'' AS double precision[])' END
      FROM (SELECT dimension.*,
                   row_number() OVER (ORDER BY dimension."position", dimension.name) AS n,
                   dense_rank() OVER (ORDER BY dimension.feature IS NOT NULL, dimension.relation_schema, dimension.relation_name, dimension.is_function,
                                               dimension.key_column, dimension.day_column, dimension.valid_from, dimension.valid_to) AS relation_no,
                   dimension.feature IS NOT NULL OR dimension.is_function OR dimension.day_column IS NOT NULL
                   OR dimension.valid_from IS NOT NULL OR dimension.valid_to IS NOT NULL AS is_timed
              FROM %s AS dimension) AS d
      LEFT JOIN customer_tier.dimension_features() AS f USING (feature)
     ORDER BY d.n
$query$, customer_tier.configured(schema, 'dimension', 'name', what_if->'dimensions'));
END
$$;
COMMENT ON FUNCTION customer_tier.card(name, jsonb) IS 'internal: the dimensions of a program in order, as they are or as they would be, with the SQL of their values and of their scales (a format of the value and of a condition)';

CREATE FUNCTION customer_tier.logistic_scale(measured float8[], midpoint float8, slope float8) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- A logistic curve of slope 1.702 / deviation is within 0.01 of the normal distribution.
    SELECT CASE WHEN measured IS NOT NULL THEN
        ARRAY[coalesce(midpoint, measured[1]), coalesce(slope, CASE WHEN measured[2] OPERATOR(pg_catalog.>) 0 THEN 1.702 OPERATOR(pg_catalog./) measured[2] ELSE 1 END)] END
$$;
COMMENT ON FUNCTION customer_tier.logistic_scale(float8[], float8, float8) IS 'internal: midpoint and slope of a logistic curve from [mean, deviation], unless they are given';

CREATE FUNCTION customer_tier.duplicate_key(relation text, key text, detail text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'cardinality_violation',
        MESSAGE = format('%s has more than one row for customer "%s"%s', relation, key, detail),
        HINT = 'A dimension needs one value a customer: name a day or validity column, or read it through a view that aggregates.';
END
$$;
COMMENT ON FUNCTION customer_tier.duplicate_key(text, text, text) IS 'internal: raise an error about a customer with two values where there can be one';

CREATE FUNCTION customer_tier.is_replay(schema name, as_of date, run_id bigint, measuring boolean) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_today boolean;
    is_running boolean;
    latest_day date;
    left_out text;
BEGIN
    -- A refresh with its own day is today's rating, and so is any day that no
    -- order is later than, but for those of the day after, which may be going on.
    EXECUTE format('SELECT run.as_of_is_default AND run.as_of = $2, run.status = ''running'', run.latest_day FROM %I.run WHERE run.run_id = $1', schema)
        INTO is_today, is_running, latest_day USING run_id, as_of;
    IF is_today THEN
        RETURN false;
    END IF;
    IF latest_day IS NULL THEN
        EXECUTE format('SELECT max(customer_tier.last_day(history.history)) FROM %I.history', schema) INTO latest_day;
    END IF;
    IF coalesce(as_of + 1 >= latest_day, true) THEN
        RETURN false;
    END IF;
    -- Said once: by what measures the scales, or by what uses those of a run.
    IF NOT (measuring OR is_running IS FALSE) THEN
        RETURN true;
    END IF;
    SELECT string_agg(format('"%s"', c.name), ', ' ORDER BY c.n) INTO left_out FROM customer_tier.card(schema) c WHERE NOT c.is_timed;
    RAISE NOTICE USING
        MESSAGE = format('left out as of %s: %s', as_of, left_out),
        DETAIL = 'Their relations have neither a day nor a validity column, so what they said on that day is not known.';
    RETURN true;
END
$$;
COMMENT ON FUNCTION customer_tier.is_replay(name, date, bigint, boolean) IS 'internal: whether a rating looks back, so that dimensions without a day are left out, with a NOTICE';

CREATE FUNCTION customer_tier.has_unique_key(relation regclass, key name) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                    WHERE i.indrelid = relation AND a.attname = key AND i.indnkeyatts = 1
                      AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL)
$$;
COMMENT ON FUNCTION customer_tier.has_unique_key(regclass, name) IS 'internal: whether an index says that a column is unique';

CREATE FUNCTION customer_tier.check_unique_key(relation_schema name, relation_name name, key name) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF customer_tier.has_unique_key(to_regclass(format('%I.%I', relation_schema, relation_name)), key) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('the unique index on "%s" of %I.%I is gone, on which this rating relies', key, relation_schema, relation_name),
        HINT = 'Refresh the program: it then does without, or names the customer with two rows.';
END
$$;
COMMENT ON FUNCTION customer_tier.check_unique_key(name, name, name) IS 'internal: ensure that the unique index is still there that was when the program was compiled';

CREATE FUNCTION customer_tier.outside_query(schema name, relation_no int, key_type text, as_of text, one_key text, zone text, is_replay text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r record;
    key_base regtype;
    relation text;
    day text;
    conditions text[] := '{}';
    columns text;
BEGIN
    key_type := format_type(key_type::regtype, -1);     -- a cast to "character" would cut it to one
    EXECUTE format('SELECT d.*, c.is_timed FROM customer_tier.card(%L) c JOIN %I.dimension d USING (name) WHERE c.outside = $1 ORDER BY c.n LIMIT 1', schema, schema)
        INTO r USING relation_no;
    relation := format('%I.%I%s', r.relation_schema, r.relation_name, CASE WHEN r.is_function THEN format('(%s)', as_of) ELSE '' END);
    -- NaN and infinities are no values.
    EXECUTE format(
$query$
    SELECT string_agg(format(CASE WHEN t.type IN ('real'::regtype, 'double precision'::regtype, 'numeric'::regtype) THEN 'customer_tier.finite_value(CAST(source.%%I AS double precision)) AS v%%s'
                                  WHEN t.type = 'boolean'::regtype THEN 'CAST(CAST(source.%%I AS integer) AS double precision) AS v%%s'
                                  ELSE 'CAST(source.%%I AS double precision) AS v%%s' END, d.value_column, c.n), ', ' ORDER BY c.n)
      FROM customer_tier.card(%L) c JOIN %I.dimension d USING (name),
           LATERAL customer_tier.outside_column(d.relation_schema, d.relation_name, d.is_function, d.value_column) AS t (type)
     WHERE c.outside = $1
$query$, schema, schema) INTO columns USING relation_no;

    conditions := ARRAY[format('source.%I IS NOT NULL', r.key_column)];
    IF one_key IS NOT NULL THEN
        SELECT c.base_type INTO key_base FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c;
        -- Integers of different length compare as they are, so that an index serves.
        conditions := conditions || CASE WHEN (SELECT count(*) FROM unnest(ARRAY[key_base, customer_tier.outside_column(r.relation_schema, r.relation_name, r.is_function, r.key_column)]) t
                                                WHERE t IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)) = 2
                                         THEN format('source.%I = %s', r.key_column, one_key)
                                         ELSE format('CAST(source.%I AS %s) %s %s', r.key_column, key_type, customer_tier.key_equality(key_base), one_key) END;
    END IF;
    IF NOT r.is_timed THEN
        conditions := conditions || format('NOT %s', is_replay);
    END IF;
    IF r.valid_from IS NOT NULL THEN
        conditions := conditions || format('(source.%I IS NULL OR %s <= %s)', r.valid_from,
                                           customer_tier.day_expression(r.relation_schema, r.relation_name, r.is_function, r.valid_from, zone), as_of);
    END IF;
    IF r.valid_to IS NOT NULL THEN
        conditions := conditions || format('(source.%I IS NULL OR %s > %s)', r.valid_to,
                                           customer_tier.day_expression(r.relation_schema, r.relation_name, r.is_function, r.valid_to, zone), as_of);
    END IF;
    day := 'NULL';
    IF r.day_column IS NOT NULL THEN
        day := customer_tier.day_expression(r.relation_schema, r.relation_name, r.is_function, r.day_column, zone);
        conditions := conditions || format('%s <= %s', day, as_of);
    END IF;
    -- One row a customer is sure where an index says so.
    IF NOT r.is_function AND NOT coalesce(r.is_timed, false)
       AND customer_tier.has_unique_key(to_regclass(format('%I.%I', r.relation_schema, r.relation_name)), r.key_column)
       AND customer_tier.outside_column(r.relation_schema, r.relation_name, false, r.key_column)
           = (SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c) THEN
        conditions := conditions || format('(SELECT customer_tier.check_unique_key(%L, %L, %L))', r.relation_schema, r.relation_name, r.key_column);
        RETURN format('SELECT CAST(source.%I AS %s) AS customer_id, %s
                         FROM %s AS source
                        WHERE %s', r.key_column, key_type, columns, relation, array_to_string(conditions, ' AND '));
    END IF;
    RETURN format(
$query$SELECT one.customer_id, %1$s
                      FROM (SELECT CAST(source.%2$I AS %3$s) AS customer_id, %4$s%5$s
                              FROM %6$s AS source
                             WHERE %7$s) AS one
%8$s                     GROUP BY one.customer_id
                    HAVING count(*) = 1 OR customer_tier.duplicate_key(%9$L, CAST(one.customer_id AS text), %10$L)$query$,
        (SELECT string_agg(format('min(one.v%1$s) AS v%1$s', c.n), ', ' ORDER BY c.n) FROM customer_tier.card(schema) c WHERE c.outside = relation_no),
        r.key_column, key_type, columns,
        CASE WHEN r.day_column IS NULL THEN '' ELSE format(', rank() OVER (PARTITION BY source.%I ORDER BY source.%I DESC) AS newest', r.key_column, r.day_column) END,
        relation, array_to_string(conditions, ' AND '),
        CASE WHEN r.day_column IS NULL THEN '' ELSE E'                     WHERE one.newest = 1\n' END,
        format('%I.%I', r.relation_schema, r.relation_name),
        CASE WHEN r.day_column IS NOT NULL THEN ' at the same time' WHEN r.valid_from IS NOT NULL OR r.valid_to IS NOT NULL THEN ' on the same day' ELSE '' END);
END
$$;
COMMENT ON FUNCTION customer_tier.outside_query(name, int, text, text, text, text, text) IS 'internal: the query that reads the dimensions of one relation, one row a customer';

CREATE FUNCTION customer_tier.outside_column(relation_schema name, relation_name name, is_function boolean, column_name name) RETURNS regtype
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p pg_proc;
BEGIN
    IF NOT is_function THEN
        RETURN (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', relation_schema, relation_name)), column_name) c);
    END IF;
    SELECT pg_proc.* INTO p FROM pg_proc WHERE pg_proc.oid = to_regprocedure(format('%I.%I(date)', relation_schema, relation_name));
    RETURN coalesce(
        (SELECT o.type::regtype FROM unnest(p.proargnames, p.proallargtypes, p.proargmodes) AS o (name, type, mode)
          WHERE o.mode IN ('t', 'o', 'b') AND o.name = column_name),
        (SELECT c.base_type FROM pg_type t, customer_tier.relation_column(t.typrelid::regclass, column_name) c
          WHERE t.oid = p.prorettype AND t.typrelid <> 0));
END
$$;
COMMENT ON FUNCTION customer_tier.outside_column(name, name, boolean, name) IS 'internal: the base type of a column of a relation or of a function of a date; NULL when there is none';

CREATE FUNCTION customer_tier.day_expression(relation_schema name, relation_name name, is_function boolean, column_name name, zone text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE customer_tier.outside_column(relation_schema, relation_name, is_function, column_name)
                WHEN 'timestamptz'::regtype THEN format('CAST(timezone(%L, source.%I) AS date)', zone, column_name)
                WHEN 'timestamp'::regtype THEN format('CAST(source.%I AS date)', column_name)
                ELSE format('source.%I', column_name) END
$$;
COMMENT ON FUNCTION customer_tier.day_expression(name, name, boolean, name, text) IS 'internal: the calendar day of a column, in the zone where it is a timestamptz';

CREATE FUNCTION customer_tier.values_query(schema name, s customer_tier.program_settings, key_type text, people text, as_of text, run_id text,
    all_predictions boolean, one_key text DEFAULT NULL, published text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
    ctes text := '';
    joins text := '';
    outside record;
    dimension_values text;
BEGIN
    IF NOT all_predictions THEN
        s.predictions := customer_tier.needed_predictions(schema, s, false);
    END IF;
    IF s.predictions = '{}' THEN
        s.purchase_model := 'none';
    END IF;
    IF published IS NOT NULL THEN
        IF EXISTS (SELECT FROM customer_tier.card(schema, s.what_if) c WHERE NOT c.is_timed) THEN
            ctes := format(E', replay AS MATERIALIZED (\n        SELECT %s\n    )', published);
        END IF;
        -- What the relations said at the last refresh.
        joins := format(E'\n          LEFT JOIN %I.rating AS published ON published.customer_id %s features.customer_id', schema, equality);
        SELECT string_agg(CASE WHEN c.outside IS NULL THEN c.value ELSE format('published.outside_values[%s]', c.outside_no) END, E',\n                          ' ORDER BY c.n)
          INTO dimension_values
          FROM (SELECT c.*, CASE WHEN s.what_if IS NULL THEN count(c.outside) OVER (ORDER BY c.n) ELSE customer_tier.outside_place(schema, c.name) END AS outside_no
                  FROM customer_tier.card(schema, s.what_if) c) c;
    ELSE
        IF EXISTS (SELECT FROM customer_tier.card(schema, s.what_if) c WHERE NOT c.is_timed) THEN
            -- One customer is rated as of now: a day before that of the published ratings looks back.
            ctes := CASE WHEN one_key IS NOT NULL THEN format(E', replay AS MATERIALIZED (\n        SELECT %s < one.published OR one.is_replay AS is_replay\n    )', as_of)
                         ELSE format(E', replay AS MATERIALIZED (\n        SELECT customer_tier.is_replay(%L, %s, %s, %L) AS is_replay\n    )', schema, as_of, run_id, NOT all_predictions) END;
        END IF;
        FOR outside IN SELECT DISTINCT c.outside AS no FROM customer_tier.card(schema, s.what_if) c WHERE c.outside IS NOT NULL ORDER BY 1 LOOP
            joins := joins || format(E'\n          LEFT JOIN (%s) AS outside_%s\n            ON outside_%s.customer_id %s features.customer_id',
                customer_tier.outside_query(schema, outside.no, key_type, as_of, one_key, s.time_zone, customer_tier.run_constant(s, 'replay.is_replay')), outside.no, outside.no, equality);
        END LOOP;
        SELECT string_agg(c.value, E',\n                          ' ORDER BY c.n) INTO dimension_values FROM customer_tier.card(schema, s.what_if) c;
    END IF;

    RETURN concat_ws(', ',
        CASE WHEN s.part IS DISTINCT FROM 'rows' THEN format(
$query$model AS MATERIALIZED (
        SELECT used.purchase, used.spend
          FROM customer_tier.run_models(%1$L, %2$s, %3$s) AS used
    )%4$s$query$, schema, as_of, run_id, ctes) END,
        CASE WHEN s.part IS DISTINCT FROM 'constants' THEN format(
$query$customer AS (
        %1$s
    ), valued AS (
        %2$s
    )$query$,
            CASE WHEN coalesce(s.purchase_model, 'none') = 'none'
                 THEN format(E'SELECT features.*, %s AS as_of,\n%s\n          FROM %s AS features', as_of, customer_tier.predictions_query(s), people)
                 ELSE customer_tier.computed_once(s, 'features', format(E'%s AS as_of,\n%s', as_of, customer_tier.predictions_query(s)), people || ' AS features') END,
            customer_tier.computed_once(s, 'features', format(
$query$-- %s
               CASE WHEN features.orders > 0 THEN
                   ARRAY[%s] END AS dimension_values$query$,
                (SELECT string_agg(replace(replace(c.name, E'\n', ' '), E'\r', ' '), ', ' ORDER BY c.n) FROM customer_tier.card(schema, s.what_if) c), dimension_values),
                'customer AS features' || joins)) END);
END
$$;
COMMENT ON FUNCTION customer_tier.values_query(name, customer_tier.program_settings, text, text, text, text, boolean, text, text) IS 'internal: common table expressions that end with "valued": features, predictions and the values of all dimensions; or the part of them that s.part asks for';

CREATE FUNCTION customer_tier.measured_query(schema name, s customer_tier.program_settings, cuts_as_of text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
BEGIN
    RETURN format(
$query$aggregated AS MATERIALIZED (
        -- Who never ordered has no values, and counts among the customers only.
        SELECT count(*) AS customers,
               count(*) FILTER (WHERE valued.orders > 0) AS rated,
               customer_tier.dimension_distributions(valued.dimension_values) AS distributions%1$s%3$s
          FROM valued
    )%4$s
    SELECT one."position", one.name, one.weight, one.higher_is_better, one.method, one.parameters, one.ties, one.missing, one.floor, one.floor_grade, one.is_outside,
           one.scale, (one.d).distribution, coalesce((one.d).customers, 0) AS customers, aggregated.rated - coalesce((one.d).customers, 0) AS absent,
           (one.d).minimum, (one.d).maximum, (one.d).mean, (one.d).deviation, (one.d).deciles, (one.d).decile_counts%5$s
      FROM aggregated,%6$s
           LATERAL (VALUES
               %2$s)
           AS one ("position", name, weight, higher_is_better, method, parameters, ties, missing, floor, floor_grade, is_outside, scale, d)
$query$,
        coalesce((SELECT string_agg(format(E',\n               %s AS scale_%s', format(c.measured, v.value, v.condition), c.n), '' ORDER BY c.n)
                    FROM customer_tier.card(schema, s.what_if) c,
                         LATERAL (SELECT format('valued.dimension_values[%s]', c.n) AS value,
                                         format('abs(valued.dimension_values[%s]) < ''Infinity''', c.n) AS condition) v
                   WHERE c.method <> 'percentile'), ''),
        (SELECT string_agg(format(
                   '(%1$s, CAST(%2$L AS text), CAST(%3$L AS double precision), %4$s, CAST(%5$L AS text), CAST(%6$L AS jsonb), CAST(%7$L AS text), CAST(%8$L AS text), CAST(%9$L AS double precision), CAST(%10$L AS text), %11$s, '
                   || CASE c.method WHEN 'percentile' THEN 'CAST(NULL AS double precision[])' ELSE 'aggregated.scale_%1$s' END || ', aggregated.distributions[%1$s])',
                   c.n, c.name, c.weight, c.higher_is_better::text, c.method, c.parameters, c.ties, c.missing, c.floor, c.floor_grade, (c.outside IS NOT NULL)::text), E',\n               ' ORDER BY c.n)
           FROM customer_tier.card(schema, s.what_if) c),
        CASE WHEN cuts_as_of IS NULL THEN '' ELSE E',\n               ' || customer_tier.cut_aggregates('valued', customer_tier.segment_map_scores(s.segment_map)) END,
        CASE WHEN cuts_as_of IS NULL THEN '' ELSE ', ' || customer_tier.cuts_query(schema, s, 'SELECT aggregated.* FROM aggregated', cuts_as_of) END,
        CASE WHEN cuts_as_of IS NULL THEN '' ELSE ', measured.*, aggregated.customers AS everyone' END,
        CASE WHEN cuts_as_of IS NULL THEN '' ELSE ' measured,' END);
END
$$;
COMMENT ON FUNCTION customer_tier.measured_query(name, customer_tier.program_settings, text) IS 'internal: the rest of a query that begins with those of values_query: it measures the scale of every dimension, and with cuts_as_of in the same pass the cut points as of that day';

CREATE FUNCTION customer_tier.scales_query(schema name, s customer_tier.program_settings, key_type text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(E'\n    WITH %s, %s',
               customer_tier.values_query(schema, s, key_type, format('%I.features(scales.as_of)', schema), 'scales.as_of', 'scales.run_id', false),
               customer_tier.measured_query(schema, s))
$$;
COMMENT ON FUNCTION customer_tier.scales_query(name, customer_tier.program_settings, text) IS 'internal: body of <schema>.scales';

CREATE FUNCTION customer_tier.run_scales(schema name, run_id bigint) RETURNS TABLE ("position" int, scale float8[])
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF run_id IS NULL THEN
        RETURN;
    END IF;
    -- Fetched out of line once here, and not once for every customer later:
    -- concatenation returns the value itself and no pointer to it.
    RETURN QUERY EXECUTE format(
        'SELECT d."position", CASE WHEN s.scale IS NOT NULL THEN s.scale || ''{}''::float8[] END
           FROM %I.run_dimension AS d,
                LATERAL (SELECT CASE d.method WHEN ''percentile'' THEN d.distribution ELSE d.scale END AS scale) AS s
          WHERE d.run_id = $1', schema) USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.run_scales(name, bigint) IS 'internal: the scales of a run; no row for NULL';

CREATE FUNCTION customer_tier.points_ctes(schema name, s customer_tier.program_settings, key_type text, people text, as_of text, run_id text,
    one_key text DEFAULT NULL, published text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
BEGIN
    RETURN customer_tier.values_query(schema, s, key_type, people, as_of, run_id, true, one_key, published)
        || CASE WHEN one_key IS NULL AND s.part IS DISTINCT FROM 'rows' THEN format(
$card$, card AS MATERIALIZED (
        -- Each dimension, its method, whether higher is better, ties, and what a missing value gets.
        SELECT customer_tier.card_scales(array_agg(
                   CAST(ROW(rule.method, scale.scale, rule.higher_is_better, rule.ties, rule.missing) AS customer_tier.card_scale) ORDER BY rule."position")) AS scales
          FROM (VALUES %2$s)
               AS rule ("position", name, method, higher_is_better, ties, missing)
          JOIN (%1$s) AS scale
            ON scale."position" = rule."position"
    )$card$, CASE WHEN CAST(s.what_if->>'new_scales' AS boolean) IS NOT TRUE THEN format(
$scale$SELECT measured."position", CASE measured.method WHEN 'percentile' THEN measured.distribution ELSE measured.scale END AS scale
                  FROM %1$I.scales(%2$s, NULL) AS measured
                 WHERE %3$s IS NULL
                UNION ALL
                SELECT kept."position", kept.scale
                  FROM customer_tier.run_scales(%4$L, %3$s) AS kept$scale$, schema, as_of, run_id, schema)
             ELSE format(
$scale$SELECT measured."position", CASE measured.method WHEN 'percentile' THEN measured.distribution ELSE measured.scale END AS scale
                  FROM (WITH %s) AS measured ("position", name, weight, higher_is_better, method, parameters, ties, missing, floor, floor_grade, is_outside, scale, distribution)$scale$,
                customer_tier.measured_query(schema, s)) END,
            (SELECT string_agg(format('(%s, %L, %L, %s, CAST(%L AS text), %s)', c.n, c.name, c.method, c.higher_is_better::text, c.ties,
                                      CASE WHEN c.is_timed OR c.missing IN ('renormalise', 'no_rating') THEN format('%L', c.missing)
                                           ELSE format('CASE WHEN %s THEN ''renormalise'' ELSE %L END', customer_tier.run_constant(s, 'replay.is_replay'), c.missing) END),
                               E',\n                       ' ORDER BY c.n)
               FROM customer_tier.card(schema, s.what_if) c)) ELSE '' END;
END
$$;
COMMENT ON FUNCTION customer_tier.points_ctes(name, customer_tier.program_settings, text, text, text, text, text, text) IS 'internal: the common table expressions of points_query: those of values_query and "card", the scales of all dimensions';

CREATE FUNCTION customer_tier.points_query(schema name, s customer_tier.program_settings, key_type text, people text, as_of text, run_id text,
    one_key text DEFAULT NULL, published text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
BEGIN
    RETURN format(
$query$
    WITH %1$s
    SELECT valued.customer_id, valued.first_day, valued.last_day, valued.recency_days, valued.orders, valued.purchase_days,
           valued.revenue, valued.refunded, valued.average_order, valued.refund_rate, valued.frequency, valued.monetary,
           valued.p_alive, valued.p_active, valued.expected_purchases, valued.expected_spend, valued.clv,
           valued.dimension_values,
           %2$s AS dimension_points,
           -- the share of the weights for which there is a value
           CASE WHEN valued.orders = 0 THEN 0.0
                WHEN array_position(valued.dimension_values, NULL) IS NULL THEN 1.0000
                ELSE round(CAST((%3$s) / %4$s AS numeric), 4) END AS coverage,
           %5$s AS is_rated,
           valued.repeat_mean, valued.margin, valued.history%6$s
      FROM valued
$query$,
        customer_tier.points_ctes(schema, s, key_type, people, as_of, run_id, one_key, published),
        CASE WHEN one_key IS NULL THEN format('customer_tier.card_points(valued.dimension_values, %s)', customer_tier.run_constant(s, 'card.scales'))
             ELSE 'CASE WHEN valued.orders > 0 THEN ARRAY[' ||
        (SELECT string_agg(CASE WHEN c.is_timed OR c.missing IN ('renormalise', 'no_rating') THEN p.points
                                ELSE format('CASE WHEN NOT %s THEN %s END', customer_tier.run_constant(s, 'replay.is_replay'), p.points) END,
                           E',\n                     ' ORDER BY c.n)
           FROM customer_tier.card(schema, s.what_if) c,
                -- One customer's points need a few numbers of a scale, which stays where it is.
                LATERAL (SELECT format('(SELECT %s FROM %I.run_dimension AS d WHERE d.run_id = %s AND d."position" = %s)',
                                       CASE c.method WHEN 'percentile' THEN format('customer_tier.scale_around(d.distribution, valued.dimension_values[%s])', c.n) ELSE 'd.scale' END,
                                       schema, run_id, c.n) AS scale) k,
                -- Nothing in the window is worse than anything; a value without a scale, which
                -- nobody had when it was measured, is neither good nor bad.
                LATERAL (SELECT format(CASE WHEN c.feature IN ('frequency', 'monetary') THEN 'CASE WHEN valued.frequency > 0 THEN coalesce(%s, 50) ELSE 0 END'
                                             ELSE 'coalesce(%s, CASE WHEN valued.dimension_values[' || c.n || '] IS NOT NULL THEN 50 END)' END, d.points) AS base
                           FROM (SELECT format('customer_tier.dimension_points(valued.dimension_values[%s], %L, %s, %s%s)',
                                       c.n, c.method, k.scale, c.higher_is_better::text, CASE WHEN c.ties IS NULL THEN '' ELSE format(', %L', c.ties) END) AS points) AS d) b,
                LATERAL (SELECT CASE c.missing WHEN 'neutral' THEN format('coalesce(%s, 50)', b.base) WHEN 'worst' THEN format('coalesce(%s, 0)', b.base) ELSE b.base END AS points) p)
             || '] END' END,
        (SELECT string_agg(format('CASE WHEN valued.dimension_values[%s] IS NOT NULL THEN CAST(%s AS double precision) ELSE 0 END', c.n, c.weight), ' + ' ORDER BY c.n) FROM customer_tier.card(schema, s.what_if) c),
        (SELECT coalesce(nullif(sum(c.weight), 0), 1) FROM customer_tier.card(schema, s.what_if) c),
        coalesce((SELECT 'valued.orders > 0 AND ' || string_agg(format('valued.dimension_values[%s] IS NOT NULL', c.n), ' AND ' ORDER BY c.n)
                    FROM customer_tier.card(schema, s.what_if) c WHERE c.missing = 'no_rating'), 'valued.orders > 0'),
        CASE WHEN s.keeps_numbers THEN (SELECT string_agg(format(', valued.%I', 'kept_' || c), '' ORDER BY n) FROM unnest(customer_tier.rating_carried(s)) WITH ORDINALITY AS u (c, n)) ELSE '' END);
END
$$;
COMMENT ON FUNCTION customer_tier.points_query(name, customer_tier.program_settings, text, text, text, text, text, text) IS 'internal: body of <schema>.points';

CREATE FUNCTION customer_tier.combined_query(schema name, s customer_tier.program_settings, points text, combination_scale text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    card record;
    weights text;
BEGIN
    EXECUTE format('SELECT scorecard.* FROM %s AS scorecard', customer_tier.configured(schema, 'scorecard', NULL, s.what_if->'scorecard')) INTO card;
    weights := format('CAST(%L AS double precision[])', (SELECT array_agg(c.weight ORDER BY c.n) FROM customer_tier.card(schema, s.what_if) c));
    RETURN CASE card.combination
        WHEN 'geometric' THEN format('customer_tier.geometric_score(%s, %s)', points, weights)
        WHEN 'topsis' THEN format('100 * customer_tier.topsis(%s, %s, %s)', points, weights, combination_scale)
        ELSE format('customer_tier.weighted_score(%s, %s)', points, weights) END;
END
$$;
COMMENT ON FUNCTION customer_tier.combined_query(name, customer_tier.program_settings, text, text) IS 'internal: the SQL that makes one score of a customer''s points';

CREATE FUNCTION customer_tier.run_combination(schema name, run_id bigint, shares numeric[], OUT combination_scale float8[], OUT grade_cuts numeric[])
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT run.combination_scale || ''{}''::float8[], CASE WHEN run.grade_shares = $2 THEN run.grade_cuts END FROM %I.run WHERE run.run_id = $1', schema)
        INTO combination_scale, grade_cuts USING run_id, shares;
END
$$;
COMMENT ON FUNCTION customer_tier.run_combination(name, bigint, numeric[]) IS 'internal: what a run knows of all customers'' points: the ideals of TOPSIS, and the least scores of grades given by shares';

CREATE FUNCTION customer_tier.rate_query(schema name, s customer_tier.program_settings, points text, as_of text, run_id text,
    of_everyone boolean DEFAULT false, output text DEFAULT 'ratings', first_ctes text DEFAULT '') RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    scores int := customer_tier.segment_map_scores(s.segment_map);
    grades text[];
    grade_cuts numeric[];
    shares numeric[];
    card record;
    new_ideals boolean := false;
    compare text := CASE WHEN customer_tier.map_is_relative(s.segment_map) THEN customer_tier.run_constant(s, 'cuts.compare') ELSE 'NULL' END;
BEGIN
    EXECUTE format('SELECT array_agg(code ORDER BY grade_rank),
                           coalesce(array_agg(min_score ORDER BY grade_rank) FILTER (WHERE grade_rank > 1), ''{}''),
                           coalesce(array_agg(share ORDER BY grade_rank) FILTER (WHERE grade_rank > 1 AND share IS NOT NULL), ''{}'')
                      FROM %s AS grade', customer_tier.configured(schema, 'grade', 'code', s.what_if->'grades')) INTO grades, grade_cuts, shares;
    EXECUTE format('SELECT scorecard.* FROM %s AS scorecard', customer_tier.configured(schema, 'scorecard', NULL, s.what_if->'scorecard')) INTO card;
    -- TOPSIS compares with everyone's points, which have to be there first.
    new_ideals := card.combination = 'topsis' AND coalesce(CAST(s.what_if->>'new_ideals' AS boolean), false);
    RETURN format(
$query$
    -- Grades from the lowest up: %s.
    WITH %s$query$,
        -- A name of several lines would end its comment.
        translate(grades::text, E'\n\r', '  '),
        first_ctes || CASE WHEN new_ideals THEN format(E'everyone AS MATERIALIZED (\n        SELECT points.* FROM %s AS points\n    ), ', points) ELSE '' END)
    || CASE WHEN s.part = 'rows' THEN '' ELSE format(
$query$cuts AS MATERIALIZED (
        SELECT measured.r_cuts, measured.f_cuts, measured.m_cuts, measured.compare
          FROM %1$I.measure(%2$s) AS measured
         WHERE %3$s IS NULL%4$s
        UNION ALL
        SELECT kept.r_cuts, kept.f_cuts, kept.m_cuts, kept.compare
          FROM customer_tier.run_cuts(%5$L, %3$s) AS kept
    ), combination AS MATERIALIZED (
        SELECT %6$s AS scale, kept.grade_cuts
          FROM customer_tier.run_combination(%5$L, %7$s, %8$L) AS kept
    ), $query$,
        schema, as_of,
        CASE WHEN CAST(s.what_if->>'new_cuts' AS boolean) THEN 'CAST(NULL AS bigint)' ELSE run_id END,
        -- Where no rule looks at segments nobody is scored.
        CASE WHEN CAST(s.what_if->>'without_cuts' AS boolean) THEN ' AND false' ELSE '' END,
        schema,
        CASE WHEN new_ideals THEN format('(SELECT %s FROM everyone AS points WHERE points.is_rated)', customer_tier.combination_scale_query(schema, s))
             WHEN card.combination = 'topsis' AND of_everyone AND s.what_if IS NULL THEN format(
             'CASE WHEN %1$s IS NULL THEN (SELECT %2$s FROM %3$I.points(%4$s, NULL) AS points WHERE points.is_rated) ELSE kept.combination_scale END',
             run_id, customer_tier.combination_scale_query(schema, s), schema, as_of) ELSE 'kept.combination_scale' END,
        run_id, shares) END
    || CASE WHEN s.part = 'constants' AND s.is_distributed THEN format(
$query$cells AS MATERIALIZED (
        SELECT jsonb_agg(jsonb_build_array(cell.r, cell.f, cell.m, cell.segment)) AS cells
          FROM customer_tier.segment_cells(%L, %s) AS cell
    ), $query$, s.segment_map, compare)
            WHEN s.part = 'constants' THEN '' ELSE format(
$query$cell AS (
        %1$s
    ), scored AS (
        %2$s
    )%3$s, ranked AS (
        SELECT scored.*,
               CASE WHEN scored.coverage >= %4$s THEN
                   least(1 + width_bucket(scored.score, %5$s)%6$s) END AS grade_rank,
               CASE WHEN scored.orders > 0 THEN cell.segment ELSE 'prospects' END AS segment,
               -- What p_active is where it is not known: low after twice %7$s days.
               CASE WHEN scored.orders = 0 THEN 'prospect'
                    WHEN scored.purchase_days = 1 AND scored.recency_days < %7$s THEN 'new'
                    WHEN scored.p_active >= 0.5 THEN 'active'
                    WHEN coalesce(scored.p_active >= 0.1, scored.recency_days < 2 * %7$s)
                    THEN CASE WHEN scored.recency_days < %7$s THEN 'active' ELSE 'at_risk' END
                    ELSE CASE WHEN scored.recency_days < %7$s THEN 'at_risk' ELSE 'churned' END END AS lifecycle_stage
          FROM scored
          LEFT JOIN cell
            ON cell.r = scored.r_score AND cell.f = scored.f_score AND cell.m = scored.m_score
    ), $query$,
        CASE WHEN s.is_distributed AND s.part = 'rows' THEN format(
$query$SELECT CAST(cells.cell->>0 AS integer) AS r, CAST(cells.cell->>1 AS integer) AS f, CAST(cells.cell->>2 AS integer) AS m, cells.cell->>3 AS segment
          FROM jsonb_array_elements(%s) AS cells (cell)$query$, customer_tier.run_constant(s, 'cells.cells'))
             ELSE format(
$query$SELECT cells.r, cells.f, cells.m, cells.segment
          FROM customer_tier.segment_cells(%L, %s) AS cells$query$, s.segment_map, compare) END,
        customer_tier.computed_once(s, 'points', format(
$query$-- 1 .. %1$s, %1$s is best; few days since the last order are good.
               -- A run without any value has no cut points: then all are alike.
               CASE WHEN points.orders > 0 THEN
                   CASE WHEN %2$s IS NULL THEN %1$s
                        ELSE %1$s + 1 - customer_tier.score(points.recency_days, %2$s) END END AS r_score,
               -- Who ordered nothing in the window is below everybody who did.
               CASE WHEN points.frequency > 0 AND %3$s IS NOT NULL THEN
                   customer_tier.score(points.frequency, %3$s)
                    WHEN points.orders > 0 THEN 1 END AS f_score,
               CASE WHEN points.frequency > 0 AND %4$s IS NOT NULL THEN
                   customer_tier.score(points.monetary, %4$s)
                    WHEN points.orders > 0 THEN 1 END AS m_score,
               CASE WHEN points.is_rated THEN
                   customer_tier.rounded_score(%5$s) END AS score$query$,
            scores, customer_tier.run_constant(s, 'cuts.r_cuts'), customer_tier.run_constant(s, 'cuts.f_cuts'), customer_tier.run_constant(s, 'cuts.m_cuts'),
            customer_tier.combined_query(schema, s, 'points.dimension_points', customer_tier.run_constant(s, 'combination.scale'))),
            CASE WHEN new_ideals THEN 'everyone' ELSE points END || ' AS points'),
        CASE WHEN shares = '{}' OR s.part IS NOT NULL THEN '' ELSE format(
$query$, grade_cut AS MATERIALIZED (
        -- The least score of each grade: its share of the customers is never exceeded.
        SELECT ARRAY(SELECT coalesce((SELECT min(so_far.score)
                                        FROM (SELECT scored.score, count(*) OVER (ORDER BY scored.score DESC) AS better_or_equal, count(*) OVER () AS everyone
                                                FROM scored WHERE scored.score IS NOT NULL) AS so_far
                                       WHERE so_far.better_or_equal <= wanted.share * so_far.everyone), 101)
                       FROM unnest(CAST(%L AS numeric[])) AS wanted (share)
                      ORDER BY wanted.share DESC) AS grade_cuts
    )$query$, shares) END,
        card.min_coverage,
        CASE WHEN shares = '{}' THEN format('CAST(%L AS numeric[])', grade_cuts)
             WHEN s.part IS NOT NULL THEN customer_tier.run_constant(s, 'combination.grade_cuts')
             WHEN CAST(s.what_if->>'new_grades' AS boolean) THEN '(SELECT grade_cut.grade_cuts FROM grade_cut)'
             ELSE '(SELECT coalesce((SELECT combination.grade_cuts FROM combination), grade_cut.grade_cuts) FROM grade_cut)' END,
        (SELECT coalesce(string_agg(format(', CASE WHEN scored.dimension_values[%s] %s %s THEN %s END', c.n,
                                           CASE WHEN c.higher_is_better THEN '<' ELSE '>' END, c.floor, array_position(grades, c.floor_grade)), '' ORDER BY c.n), '')
           FROM customer_tier.card(schema, s.what_if) c WHERE c.floor IS NOT NULL),
        s.churn_days) END
    || customer_tier.tier_query(schema, s, as_of, run_id, of_everyone, output, grades);
END
$$;
COMMENT ON FUNCTION customer_tier.rate_query(name, customer_tier.program_settings, text, text, text, boolean, text, text) IS 'internal: body of <schema>.rate; for the other outputs see tier_query';

CREATE FUNCTION customer_tier.combination_scale_query(schema name, s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('customer_tier.topsis_scale(points.dimension_points, CAST(%L AS boolean[]), ''vector'')',
                  (SELECT array_agg(true) FROM customer_tier.card(schema, s.what_if)))
$$;
COMMENT ON FUNCTION customer_tier.combination_scale_query(name, customer_tier.program_settings) IS 'internal: the SQL that measures the ideal points and norms of TOPSIS over all customers'' points';
