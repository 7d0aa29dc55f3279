-- A program compiled to SQL: functions and views in its schema, written from
-- its settings and its scorecard, and readable with \sf.
--
--   source_history()        the source as one purchase history a customer
--   features(as_of)         what is known of every customer as of a day
--   measure(as_of)          cut points of r, f and m among the buyers of that day
--   scales(as_of, run_id)   the scale of every dimension of the scorecard
--   points(as_of, run_id)   everyone's values and points in every dimension
--   rate(as_of, run_id)     everyone's scores, segment, grade and tier
--   rate_one(customer, as_of), rated_one(customer)
--                           the same of one customer: now, or as published
--   rated_on(run_id)        the published values on another run's scales
--   p_alive(...) ... clv()  what the view ratings predicts with
--
-- All numbers of the settings and the scorecard stand in them as literals, and
-- the rules of tiers are those kept in tier_terms: what is edited between two
-- refreshes changes nothing until a refresh compiles again.
--
-- OFFSET '0' keeps a subquery apart, so that what it computes is computed once.
-- The quotes make it a constant of the right type at once: the planner takes a
-- bare 0 for a limit, which would keep parallel workers out.

CREATE FUNCTION customer_tier.put_function(schema name, name name, arguments text, result text, attributes text, body text, explanation text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    other regprocedure;
BEGIN
    -- The same body again would only churn the catalogs.
    IF EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = put_function.schema AND p.proname = put_function.name
                  AND p.prosrc = body AND pg_get_function_result(p.oid) = result) THEN
        RETURN;
    END IF;
    -- Columns were added or the key has another type: it cannot be replaced.
    FOR other IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                  WHERE n.nspname = put_function.schema AND p.proname = put_function.name AND pg_get_function_result(p.oid) <> result LOOP
        EXECUTE format('DROP FUNCTION %s', other);
    END LOOP;
    EXECUTE format('CREATE OR REPLACE FUNCTION %I.%I(%s) RETURNS %s %s AS %L', schema, name, arguments, result, attributes, body);
    EXECUTE format('COMMENT ON FUNCTION %I.%I IS %L', schema, name, explanation);
END
$$;
COMMENT ON FUNCTION customer_tier.put_function(name, name, text, text, text, text, text) IS 'internal: create or replace a function of a program, unless it is the same already';

CREATE FUNCTION customer_tier.put_query(s customer_tier.program_settings, name name, arguments text, result text, attributes text, query text, explanation text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE AS $$
    -- Citus plans no SQL function with a parameter that reads its tables.
    SELECT customer_tier.put_function(s.schema, name, arguments, result,
               pg_catalog.format(CASE WHEN s.is_distributed THEN 'LANGUAGE plpgsql %s' ELSE 'LANGUAGE sql %s' END, attributes),
               pg_catalog.format(CASE WHEN s.is_distributed THEN E'\n#variable_conflict use_column\nBEGIN\n    RETURN QUERY%s;\nEND\n' ELSE '%s' END, query), explanation)
$$;
COMMENT ON FUNCTION customer_tier.put_query(customer_tier.program_settings, name, text, text, text, text, text) IS 'internal: put_function() for a function that is one query';

CREATE FUNCTION customer_tier.compile_program(schema name, as_of date DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    history regclass := format('%I.history', schema)::regclass;
    key_column record;
    key_type text;
    equality text;
    rating_row text;
    missing record;
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(history, 'customer_id');
    key_type := key_column.type;    -- functions know no length
    -- The terms that are in force are kept first: rules of tiers are read from there.
    PERFORM customer_tier.put_terms(schema, coalesce(as_of, customer_tier.published_day(schema), '-infinity'));
    equality := customer_tier.key_equality(key_column.base_type);

    -- DROP EXTENSION ... CASCADE takes these columns; the next refresh fills them.
    FOR missing IN SELECT r.relation, c.name, c.explanation
                     FROM unnest('{history,changed}'::name[]) AS r (relation),
                          (VALUES ('history', 'orders and amount of every day with a purchase; read it with customer_tier.days, orders, revenue, rfm, btyd ...'),
                                  ('profit', 'what was earned: each amount times its margin, rounded to 6 decimals, by day; customer_tier.revenue(profit, as_of) sums it; NULL without a margin column (settings)')) AS c (name, explanation)
                    WHERE NOT EXISTS (SELECT FROM customer_tier.relation_column(format('%I.%I', schema, r.relation)::regclass, c.name)) LOOP
        EXECUTE format('ALTER TABLE %I.%I ADD COLUMN %I customer_tier.purchase_history', schema, missing.relation, missing.name);
        EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', schema, missing.relation, missing.name, missing.explanation);
        EXECUTE format('DELETE FROM %I.tracking', schema);
    END LOOP;

    -- Without its source a program can still rate what it has.
    IF NOT EXISTS (SELECT FROM customer_tier.settings_problems(s)) THEN
        PERFORM customer_tier.put_source_rows(schema, s);
        PERFORM customer_tier.put_function(schema, 'source_history', '',
            format('TABLE(customer_id %s, history customer_tier.purchase_history, rows bigint, bad bigint, profit customer_tier.purchase_history)', key_type),
            -- Little memory on purpose: a hash table in batches that fit the
            -- processor's cache, or a sort, beats one of a million groups.
            -- That makes an index on the customer look good, which it is for one
            -- customer; whoever reads all rows had better not jump about.
            -- Partitions by customer are grouped one by one: where they are, if
            -- that is on other servers.
            'LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET work_mem = ''4MB'' SET random_page_cost = 10 SET enable_partitionwise_aggregate = on SET enable_partitionwise_join = on',
            customer_tier.source_query(s),
            'the source as it is now: purchase history, rows and bad rows of every customer, and what was earned when there is a margin column; rows without a customer stand under NULL. Stable, so that it sees what the statement around it sees');
    END IF;

    PERFORM customer_tier.put_query(s, 'features', 'as_of date',
        format('TABLE(customer_id %s, first_day date, last_day date, recency_days integer, orders bigint, purchase_days integer, revenue numeric, refunded numeric, average_order numeric, frequency double precision, monetary double precision, repeats double precision, last_at double precision, age double precision, repeat_mean double precision, margin double precision, regularity double precision, trend double precision, refund_rate double precision, history customer_tier.purchase_history)', key_type),
        'STABLE PARALLEL SAFE',
        customer_tier.features_query(schema, s, key_type, equality, key_column.collate_clause),
        'what is known of every customer as of a day: everything up to and including as_of; frequency and monetary are what F and M score; repeats, last_at, age and repeat_mean are what models of purchases and spend read (btyd(): repeat purchase days, weeks from the first to the last, weeks from the first to as_of, mean amount of the repeat days); margin is the share of the revenue that was earned, or that of the program');

    PERFORM customer_tier.put_query(s, 'measure', 'as_of date',
        'TABLE(scores integer, buyers bigint, newest_day date, r_cuts double precision[], f_cuts double precision[], m_cuts double precision[], compare double precision[])',
        'STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off',
        customer_tier.measure_query(schema, s),
        'cut points of the buyers as of a day');

    PERFORM customer_tier.put_query(s, 'scales', 'as_of date, run_id bigint DEFAULT NULL::bigint',
        'TABLE("position" integer, name text, weight double precision, higher_is_better boolean, method text, parameters jsonb, ties text, missing text, floor double precision, floor_grade text, is_outside boolean, scale double precision[], distribution double precision[], customers bigint, absent bigint, minimum double precision, maximum double precision, mean double precision, deviation double precision, deciles double precision[], decile_counts bigint[])',
        'STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off',
        customer_tier.scales_query(schema, s, key_type),
        'the dimensions of the scorecard, measured as of a day over everyone who has ordered: their scales and how their values are distributed; with run_id on that run''s models');

    PERFORM customer_tier.put_query(s, 'points', 'as_of date, run_id bigint DEFAULT NULL::bigint',
        format('TABLE(customer_id %s, first_day date, last_day date, recency_days integer, orders bigint, purchase_days integer, revenue numeric, refunded numeric, average_order numeric, refund_rate double precision, frequency double precision, monetary double precision, p_alive numeric, p_active numeric, expected_purchases numeric, expected_spend numeric, clv numeric, dimension_values double precision[], dimension_points double precision[], coverage numeric, is_rated boolean, repeat_mean double precision, margin double precision, history customer_tier.purchase_history)', key_type),
        'STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off',
        customer_tier.points_query(schema, s, key_type, format('%I.features(points.as_of)', schema), 'points.as_of', 'points.run_id'),
        'everyone''s values in the dimensions of the scorecard, and the points 0..100 they are worth, in the order of the dimensions');

    rating_row := 'first_day date, last_day date, orders bigint, purchase_days integer, revenue numeric, refunded numeric, average_order numeric, r_score integer, f_score integer, m_score integer, segment text, lifecycle_stage text, p_alive numeric, p_active numeric, expected_purchases numeric, expected_spend numeric, clv numeric, score numeric, grade text, tier text, tier_rank integer, tier_since date, previous_tier text, tier_reason text, score_to_next_tier numeric, amount_to_next_tier numeric, score_to_stay numeric, amount_to_stay numeric, drops_on date, coverage numeric, dimension_values double precision[], dimension_points double precision[], tier_state customer_tier.tier_state, state_before customer_tier.tier_state, moved_by text';
    PERFORM customer_tier.put_query(s, 'rate', 'as_of date, run_id bigint DEFAULT NULL::bigint',
        format('TABLE(customer_id %s, %s)', key_type, rating_row),
        'STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off',
        customer_tier.everyone_query(schema, s, 'rate.as_of', 'rate.run_id', 'ratings'),
        'the ratings as of any day, from the histories and the relations of the scorecard; with run_id on that run''s cut points, scales and models, without one on cut points and scales of the day itself and the newest models fitted by then. Tiers go on from the published ones for their day and later, and are those of a first evaluation for earlier days. Writes nothing');
    PERFORM customer_tier.compile_one(schema, s, key_type, rating_row);

    PERFORM customer_tier.put_predictions(schema);
    IF to_regclass(format('%I.ratings', schema)) IS NULL THEN
        PERFORM customer_tier.create_views(schema);
    END IF;
    IF to_regclass(format('%I.calibration', schema)) IS NULL THEN
        PERFORM customer_tier.create_calibration(schema);
    END IF;
    IF to_regclass(format('%I.tiers', schema)) IS NULL THEN
        PERFORM customer_tier.create_tier_views(schema);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.compile_program(name, date) IS 'internal: write the functions and views in a program''s schema from its settings; refresh and adopt_program do it by themselves';

CREATE FUNCTION customer_tier.run_constants() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST('{cuts.r_cuts,cuts.f_cuts,cuts.m_cuts,cuts.compare,combination.scale,combination.grade_cuts,card.scales,replay.is_replay,'
        'model.purchase,model.spend,rules.book,moment.last_as_of,moment.is_again,moment.is_known,places.places,cells.cells,overrides.overrides}' AS text[])
$$;
COMMENT ON FUNCTION customer_tier.run_constants() IS 'internal: what a rating needs of its run once, and not for every customer: columns of common table expressions of a row each; their order is that of the parameters';

CREATE FUNCTION customer_tier.run_constant(s customer_tier.program_settings, name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s.part = 'rows' THEN '$' || array_position(customer_tier.run_constants(), name)
                ELSE format('(SELECT %s FROM %s)', name, split_part(name, '.', 1)) END
$$;
COMMENT ON FUNCTION customer_tier.run_constant(customer_tier.program_settings, text) IS 'internal: a constant of a run in the text of a query: a subquery, or the number of a parameter';

CREATE FUNCTION customer_tier.computed_once(s customer_tier.program_settings, own text, columns text, relation text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Citus sends the second form to the workers as it is, the first one not.
    SELECT CASE WHEN s.is_distributed THEN format(
$query$SELECT %1$s.*, computed.*
          FROM %3$s
         CROSS JOIN LATERAL (SELECT %2$s OFFSET '0') AS computed$query$, own, columns, relation)
           ELSE format(
$query$SELECT %1$s.*,
               %2$s
          FROM %3$s
        OFFSET '0'$query$, own, columns, relation) END
$$;
COMMENT ON FUNCTION customer_tier.computed_once(customer_tier.program_settings, text, text, text) IS 'internal: the query for all columns of one item of FROM, own, and for columns made of them that are worked out once a row, however often they are used';

CREATE FUNCTION customer_tier.everyone_query(schema name, s customer_tier.program_settings, as_of text, run_id text, output text, whose text DEFAULT 'everybody') RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_type text := (SELECT c.type::text FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c);
    people text;
BEGIN
    s.keeps_numbers := whose = 'kept';
    people := customer_tier.people(schema, s, as_of, whose);
    s.part := CASE output WHEN 'changes' THEN 'rows' WHEN 'constants' THEN 'constants' END;
    IF output <> 'ratings' THEN
        s.predictions := customer_tier.needed_predictions(schema, s, true);
    END IF;
    -- The text of points(), not a call: nothing of it is put down in between.
    RETURN customer_tier.rate_query(schema, s, format('(%s)', customer_tier.points_query(schema, s, key_type, people, as_of, run_id)), as_of, run_id, true, output,
        CASE output WHEN 'constants' THEN customer_tier.points_ctes(schema, s, key_type, people, as_of, run_id) || ', ' ELSE '' END);
END
$$;
COMMENT ON FUNCTION customer_tier.everyone_query(name, customer_tier.program_settings, text, text, text, text) IS 'internal: the query that rates everybody, or those of people(), with output changes beside what is published and with the run_constants() as parameters; or with output constants these, with places or inputs what tiers are decided by';

CREATE FUNCTION customer_tier.people(schema name, s customer_tier.program_settings, as_of text, whose text DEFAULT 'everybody') RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_column record;
    equality text;
    features text;
BEGIN
    IF whose = 'everybody' AND NOT s.is_distributed THEN
        RETURN format('%I.features(%s)', schema, as_of);
    END IF;
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    equality := customer_tier.key_equality(key_column.base_type);
    features := customer_tier.features_query(schema, s, key_column.type::text, equality, key_column.collate_clause,
        CASE WHEN whose <> 'everybody' THEN format('%I.changed', schema) END, as_of);
    RETURN format('(%s)', CASE WHEN whose = 'kept' THEN customer_tier.kept_features_query(schema, s, features, equality, as_of) ELSE features END);
END
$$;
COMMENT ON FUNCTION customer_tier.people(name, customer_tier.program_settings, text, text) IS 'internal: features() as an item of FROM: a call, or its query where Citus has to see the tables; or, where whose is changed, that of those in <schema>.changed, or where it is kept, that of these and of everybody else by their ratings, both with the rating_carried()';

CREATE FUNCTION customer_tier.rating_carried(s customer_tier.program_settings) RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s.is_distributed THEN '{}'::name[] ELSE '{ctid,place}' END || customer_tier.published_columns(s)
$$;
COMMENT ON FUNCTION customer_tier.rating_carried(customer_tier.program_settings) IS 'internal: the columns of <schema>.rating that go along, with the prefix kept_, where what is rated is compared with what is published';

CREATE FUNCTION customer_tier.kept_features_query(schema name, s customer_tier.program_settings, features text, equality text, as_of text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- To the last digit what features_query() makes of the histories; and nothing
    -- has to be joined with the ratings any more, which is most of what is saved.
    SELECT format(
$query$
    SELECT features.*, %7$s
      FROM %6$s AS features
      LEFT JOIN %1$I.rating AS kept ON kept.customer_id %2$s features.customer_id
    UNION ALL
    SELECT kept.customer_id, kept.first_day, kept.last_day, %3$s - kept.last_day AS recency_days,
           kept.orders, kept.purchase_days, kept.revenue, kept.refunded, kept.average_order,
           CAST(kept.orders AS double precision) AS frequency,
           customer_tier.nearest_double(%4$s) AS monetary,
           CAST(CASE WHEN kept.orders > 0 THEN kept.purchase_days - 1 END AS double precision) AS repeats,
           (kept.last_day - kept.first_day) / CAST(7 AS double precision) AS last_at,
           (%3$s - kept.first_day) / CAST(7 AS double precision) AS age,
           kept.repeat_mean,
           CAST(%5$s AS double precision) AS margin,
           CAST(NULL AS double precision) AS regularity,
           CAST(NULL AS double precision) AS trend,
           customer_tier.refund_rate(kept.revenue, kept.refunded) AS refund_rate,
           CAST(NULL AS customer_tier.purchase_history) AS history,
           %7$s
      FROM %1$I.rating AS kept
     WHERE NOT EXISTS (SELECT FROM %1$I.changed WHERE changed.customer_id %2$s kept.customer_id)
$query$, schema, equality, as_of,
        CASE s.monetary WHEN 'average_order' THEN 'CASE WHEN kept.orders > 0 THEN kept.average_order ELSE 0 END' ELSE 'kept.revenue' END, s.margin, features,
        -- A rating without a place would be taken for a new one; nobody has -1.
        (SELECT string_agg(format(CASE WHEN c = 'place' THEN 'CASE WHEN kept.customer_id IS NOT NULL THEN coalesce(kept.place, -1) END AS kept_place' ELSE 'kept.%I AS %I' END, c, 'kept_' || c), ', ' ORDER BY n)
           FROM unnest(customer_tier.rating_carried(s)) WITH ORDINALITY AS u (c, n)))
$$;
COMMENT ON FUNCTION customer_tier.kept_features_query(name, customer_tier.program_settings, text, text, text) IS 'internal: the query for what features() says, made of that for customers in <schema>.changed, and of the ratings of everybody else; with the rating_carried()';

CREATE FUNCTION customer_tier.features_query(schema name, s customer_tier.program_settings, key_type text, equality text, collate_clause text,
    histories text DEFAULT NULL, as_of text DEFAULT 'features.as_of', one_key text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customers text := coalesce(histories, format('%I.history', schema)) || ' AS history';   -- the customers and their histories
    condition text := '(customer.f).is_known';      -- who exists as of the day
    -- Facts have whole numbers; those that are too large for them are summed again.
    revenue text := format('coalesce(customer_tier.facts_revenue(customer.f), customer_tier.revenue(customer.history, %s)', as_of);
BEGIN
    key_type := format_type(key_type::regtype, -1);     -- a cast to "character" would cut it to one
    IF s.customers_name IS NOT NULL THEN
        customers := format(
$query$(SELECT CAST(coalesce(history.customer_id, master.customer_id) AS %1$s) AS customer_id,
                       master.customer_id IS NOT NULL AS in_master,
                       history.history, history.profit
                  FROM %2$s
                  FULL JOIN (SELECT DISTINCT CAST(source.%3$I AS %1$s) AS customer_id
                               FROM %4$I.%5$I AS source
                              WHERE source.%3$I IS NOT NULL%8$s) AS master
                    ON history.customer_id %6$s master.customer_id%7$s) AS history$query$,
            key_type, customers, s.customers_key, s.customers_schema, s.customers_name, equality, collate_clause,
            CASE WHEN one_key IS NULL THEN '' ELSE format(' AND CAST(source.%I AS %s) %s %s', s.customers_key, key_type, equality, one_key) END
            || CASE WHEN customer_tier.has_merges(schema)
                    THEN format(E'\n                                 AND NOT EXISTS (SELECT FROM %I.merged_customer AS merged WHERE merged.from_customer %s CAST(source.%I AS %s))', schema, equality, s.customers_key, key_type)
                    ELSE '' END);
        condition := 'customer.in_master OR (customer.f).is_known';
    END IF;

    RETURN format(
$query$
    -- frequency: orders%1$s.
    -- monetary: %7$s%1$s, in currency units.
    %8$sSELECT customer.customer_id,
           (customer.f).first_day,
           (customer.f).last_day,
           (customer.f).recency_days,
           coalesce((customer.f).orders, 0) AS orders,
           coalesce((customer.f).purchase_days, 0) AS purchase_days,
           %2$s, 0) AS revenue,
           coalesce(customer_tier.facts_refunded(customer.f), customer_tier.refunded(customer.history, %6$s), 0) AS refunded,
           coalesce(customer_tier.facts_average_order(customer.f), customer_tier.revenue(customer.history, %6$s) / nullif((customer.f).orders, 0)) AS average_order,
           coalesce((customer.f).frequency, 0) AS frequency,
           coalesce((customer.f).monetary, 0) AS monetary,
           (customer.f).repeats,
           (customer.f).last_at,
           (customer.f).age,
           (customer.f).repeat_mean,
           %5$s AS margin,
           customer_tier.regularity(customer.history, %6$s) AS regularity,
           (customer.f).trend,
           (customer.f).refund_rate,
           customer.history
      FROM (
        %3$s
           ) AS customer
     WHERE %4$s%9$s
$query$,
        CASE WHEN s.window_days IS NOT NULL THEN format(' of the %s days that end with as_of', s.window_days) ELSE '' END,
        revenue,
        customer_tier.computed_once(s, 'history', format(
$query$customer_tier.facts(history.history, %1$s, %2$s, %3$s) AS f%4$s$query$, as_of, coalesce(s.window_days::text, 'NULL'), (s.monetary = 'average_order')::text,
            CASE WHEN s.margin_column IS NULL THEN '' ELSE format(E',\n               customer_tier.revenue(history.profit, %s) AS earned', as_of) END), customers),
        condition,
        -- Nothing sold says nothing of a margin, and a refund of more than that neither.
        CASE WHEN s.margin_column IS NULL THEN format('CAST(%s AS double precision)', s.margin)
             ELSE format('customer_tier.nearest_double(CASE WHEN %1$s > 0 AND customer.earned IS NOT NULL THEN customer.earned / %1$s ELSE %2$s END)', revenue || ')', s.margin) END,
        as_of,
        CASE s.monetary WHEN 'average_order' THEN 'average order' ELSE 'revenue net of refunds' END,
        -- What is divided or made a numeric once is read more than once; in parentheses for UNION.
        CASE WHEN NOT s.is_distributed THEN '(' ELSE '' END,
        CASE WHEN NOT s.is_distributed THEN E'\n    OFFSET ''0'')' ELSE '' END);
END
$$;
COMMENT ON FUNCTION customer_tier.features_query(name, customer_tier.program_settings, text, text, text, text, text, text) IS 'internal: body of <schema>.features; or of one customer, with one_key and the query of that customer''s history';

CREATE FUNCTION customer_tier.map_is_relative(map text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.bool_or(m.relative), false) FROM customer_tier.segment_map AS m WHERE m.map OPERATOR(pg_catalog.=) $1
$$;
COMMENT ON FUNCTION customer_tier.map_is_relative(text) IS 'internal: whether a segment map compares scores with their means';

CREATE FUNCTION customer_tier.run_cuts(schema name, run_id bigint)
RETURNS TABLE (r_cuts float8[], f_cuts float8[], m_cuts float8[], compare float8[])
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run record;
BEGIN
    IF run_id IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT run.* FROM %I.run WHERE run.run_id = $1', schema) INTO run USING run_id;
    IF run IS NULL AND run.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('%I.run has no run %s', schema, run_id),
            HINT = format('SELECT run_id, as_of, status FROM %I.run lists them.', schema);
    ELSIF run.buyers IS NULL OR NOT run.has_scales THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('run %s of %I has no scales any more', run_id, schema),
            HINT = 'Scales are kept for the current run, the one before and the reference; without a run_id, rate() measures those of the day itself.';
    END IF;
    RETURN QUERY SELECT run.r_cuts, run.f_cuts, run.m_cuts, run.compare;
END
$$;
COMMENT ON FUNCTION customer_tier.run_cuts(name, bigint) IS 'internal: cut points of a run that still has its scales; no row for NULL';

CREATE FUNCTION customer_tier.create_views(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE OR REPLACE VIEW %1$I.ratings AS
SELECT rating.customer_id,
       published.as_of,
       rating.first_day,
       rating.last_day,
       published.as_of - rating.last_day AS recency_days,
       rating.orders,
       rating.purchase_days,
       rating.revenue,
       rating.refunded,
       rating.average_order,
       rating.r_score,
       rating.f_score,
       rating.m_score,
       CASE WHEN published.scores > 9
            THEN rating.r_score || '-' || rating.f_score || '-' || rating.m_score
            ELSE rating.r_score || '' || rating.f_score || '' || rating.m_score END AS rfm_cell,
       rating.segment,
       coalesce(segment.label, rating.segment) AS segment_label,
       coalesce(segment.label_zh, rating.segment) AS segment_label_zh,
       rating.lifecycle_stage,
       stage.label AS lifecycle_label,
       stage.label_zh AS lifecycle_label_zh,
       CAST(%3$s AS numeric(5,4)) AS p_alive,
       CAST(%4$s AS numeric(5,4)) AS p_active,
       %5$s AS expected_purchases,
       %6$s AS expected_spend,
       %7$s AS clv,
       rating.score,
       rating.grade,
       coalesce(grade.label, rating.grade) AS grade_label,
       coalesce(grade.label_zh, rating.grade) AS grade_label_zh,
       rating.tier,
       coalesce(tier.label, rating.tier) AS tier_label,
       coalesce(tier.label_zh, rating.tier) AS tier_label_zh,
       rating.tier_rank,
       rating.tier_since,
       rating.previous_tier,
       rating.tier_reason,
       rating.score_to_next_tier,
       rating.amount_to_next_tier,
       rating.score_to_stay,
       rating.amount_to_stay,
       rating.drops_on,
       rating.coverage
  FROM %1$I.scored_rating AS rating
  %2$s
  LEFT JOIN %1$I.segment ON segment.code = rating.segment
  LEFT JOIN %1$I.tier ON tier.code = rating.tier
  LEFT JOIN %1$I.grade ON grade.code = rating.grade
  LEFT JOIN (VALUES ('prospect', 'Prospect', '未购客户'), ('new', 'New', '新客户'), ('active', 'Active', '活跃客户'),
                    ('at_risk', 'At risk', '流失风险客户'), ('churned', 'Churned', '流失客户')) AS stage (code, label, label_zh)
    ON stage.code = rating.lifecycle_stage;
COMMENT ON VIEW %1$I.ratings IS 'the ratings of the run published last, one row a customer';
$ddl$, schema, customer_tier.published_join(schema),
        customer_tier.published_prediction(schema, 'p_alive'), customer_tier.published_prediction(schema, 'p_active'), customer_tier.published_prediction(schema, 'expected_purchases'),
        customer_tier.published_prediction(schema, 'expected_spend'), customer_tier.published_prediction(schema, 'clv'));
    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.ratings.%I IS %L;', schema, c.column_name, c.explanation), E'\n')
               FROM customer_tier.rating_columns() c);
END
$$;
COMMENT ON FUNCTION customer_tier.create_views(name) IS 'internal: the views of a program';
