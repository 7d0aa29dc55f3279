-- Predictions are not stored.  They move a little for everyone every day, also
-- for who has not bought in years, so that storing them would write nearly every
-- row of rating every night.  What they follow from changes only when the
-- customer buys or sends something back (first and last day, number of purchase
-- days, mean of the repeat days, margin), when a refresh takes another model or
-- other settings, or is the same for all (the day): so rating keeps the first,
-- run and model keep the rest, and the view ratings works them out, each one only
-- where it is asked for.
--
--   prediction()            the SQL of one prediction, of whatever names its inputs
--                           have: rate() and the view have it from here, so that
--                           they agree to the last digit
--   published_join()        joins rating with what all its rows have in common
--   published_prediction()  a prediction of a row of rating, so joined

CREATE FUNCTION customer_tier.stored_p_alive(model jsonb, frequency double precision, recency double precision, age double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'clv_p_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.stored_p_alive(jsonb, double precision, double precision, double precision) IS
    'internal: p_alive() by a model as <schema>.model stores it, which is not checked for each row as a clv_model would be';

CREATE FUNCTION customer_tier.stored_p_active(model jsonb, horizon double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'clv_p_active' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.stored_p_active(jsonb, double precision, double precision, double precision, double precision) IS
    'internal: p_active() by a stored model';

CREATE FUNCTION customer_tier.stored_expected_purchases(model jsonb, horizon double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'clv_expected_purchases' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.stored_expected_purchases(jsonb, double precision, double precision, double precision, double precision) IS
    'internal: expected_purchases() by a stored model';

CREATE FUNCTION customer_tier.stored_expected_spend(model jsonb, frequency double precision, monetary double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'clv_expected_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.stored_expected_spend(jsonb, double precision, double precision) IS
    'internal: expected_spend() by a stored model';

CREATE FUNCTION customer_tier.stored_clv(purchase_model jsonb, spend_model jsonb, horizon double precision, discount double precision, frequency double precision, recency double precision, age double precision, monetary double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'clv_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION customer_tier.stored_clv(jsonb, jsonb, double precision, double precision, double precision, double precision, double precision, double precision) IS
    'internal: clv() by stored models';

GRANT EXECUTE ON FUNCTION customer_tier.stored_p_alive, customer_tier.stored_p_active, customer_tier.stored_expected_purchases,
    customer_tier.stored_expected_spend, customer_tier.stored_clv TO PUBLIC;

CREATE FUNCTION customer_tier.predictions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST('{p_alive,p_active,expected_purchases,expected_spend,clv}' AS text[])
$$;
COMMENT ON FUNCTION customer_tier.predictions() IS 'internal: the columns of ratings that models predict, in their order';

CREATE FUNCTION customer_tier.prediction(name text, functions text, purchase text, spend text, churn_weeks text, horizon_weeks text, discount text,
    repeats text, last_at text, age text, repeat_mean text, margin text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(CASE name
        WHEN 'p_alive' THEN 'round(CAST(%1$sp_alive(%2$s, %7$s, %8$s, %9$s) AS numeric), 4)'
        WHEN 'p_active' THEN 'round(CAST(%1$sp_active(%2$s, %4$s, %7$s, %8$s, %9$s) AS numeric), 4)'
        WHEN 'expected_purchases' THEN 'round(CAST(%1$sexpected_purchases(%2$s, %5$s, %7$s, %8$s, %9$s) AS numeric), 4)'
        WHEN 'expected_spend' THEN 'round(CAST(%1$sexpected_spend(%3$s, %7$s, %10$s) AS numeric), 2)'
        WHEN 'clv' THEN 'round(%11$s' || E'\n                     * CAST(%1$sclv(%2$s, %3$s, %5$s,\n                                              %6$s,\n'
                        '                                              %7$s, %8$s, %9$s, %10$s) AS numeric), 2)' END,
        functions, purchase, spend, churn_weeks, horizon_weeks, discount, repeats, last_at, age, repeat_mean, margin)
$$;
COMMENT ON FUNCTION customer_tier.prediction(text, text, text, text, text, text, text, text, text, text, text, text) IS
    'internal: the SQL of one prediction, rounded: what the names of the functions begin with, then the names of what it is made of: models, times in weeks, continuous rate of discount a week, btyd() of the customer, and the margin as a numeric';

CREATE FUNCTION customer_tier.yearly_discount(rate text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('ln(1 + CAST(%s AS double precision)) / (365.25 / 7)', rate)
$$;
COMMENT ON FUNCTION customer_tier.yearly_discount(text) IS 'internal: the SQL of a yearly rate d as a continuous one a week: ln(1 + d) a year of 365.25 days';

CREATE FUNCTION customer_tier.published_join(schema name) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- OFFSET '0': worked out once, and what nobody asks for not at all; the
    -- models neither, which are then not even joined.  The condition always
    -- holds: by a condition that can be hashed parallel workers join, too;
    -- without one (before PostgreSQL 18) the leader does it alone, and with it
    -- all predictions.
    SELECT format(
$query$LEFT JOIN (SELECT run.is_current,
                    run.as_of,
                    run.scores,
                    run.rated_as_of,
                    CAST(run.churn_days / 7.0 AS double precision) AS churn_weeks,
                    CAST(run.horizon_days / 7.0 AS double precision) AS horizon_weeks,
                    %2$s AS discount,
                    CAST(CAST(run.margin AS double precision) AS numeric) AS margin,
                    purchase.fitted AS purchase,
                    spend.fitted AS spend
               FROM %1$I.run
               LEFT JOIN %1$I.model AS purchase ON purchase.model_id = run.purchase_model_id AND purchase.reason IS NULL
               LEFT JOIN %1$I.model AS spend ON spend.model_id = run.spend_model_id AND spend.reason IS NULL
              WHERE run.is_current
             OFFSET '0') AS published ON published.is_current = (rating.orders >= 0)$query$, schema, customer_tier.yearly_discount('run.annual_discount'))
$$;
COMMENT ON FUNCTION customer_tier.published_join(name) IS 'internal: the SQL that joins <schema>.rating with "published": what the published run predicts with, at most one row';

CREATE FUNCTION customer_tier.published_prediction(schema name, name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- What btyd() says follows from the days, and is NULL with them.  The
    -- workers of Citus have the extension, but no functions of ours besides.
    SELECT customer_tier.prediction(name,
        CASE WHEN customer_tier.is_distributed_by(to_regclass(format('%I.history', schema)), 'customer_id') THEN 'customer_tier.stored_' ELSE format('%I.', schema) END,
        'published.purchase', 'published.spend',
        'published.churn_weeks', 'published.horizon_weeks', 'published.discount',
        'CAST(rating.purchase_days - 1 AS double precision)',
        '(rating.last_day - rating.first_day) / CAST(7 AS double precision)',
        '(published.rated_as_of - rating.first_day) / CAST(7 AS double precision)',
        'rating.repeat_mean', 'coalesce(rating.margin, published.margin)')
$$;
COMMENT ON FUNCTION customer_tier.published_prediction(name, text) IS 'internal: the SQL of a prediction of a row of <schema>.rating with published_join()';

CREATE FUNCTION customer_tier.put_predictions(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f record;
    is_new boolean;
BEGIN
    -- Views call these and not those of the extension, of which they would be
    -- dependants: DROP EXTENSION ... CASCADE would take the views, and yours
    -- over them.  So it leaves them, and all columns but the predictions.
    -- The planner puts the body in place of the call.
    FOR f IN SELECT * FROM (VALUES
        ('p_alive', 'model jsonb, frequency double precision, recency double precision, age double precision', 'model, frequency, recency, age',
         'probability that a customer has not dropped out, by a purchase model of the table model'),
        ('p_active', 'model jsonb, horizon double precision, frequency double precision, recency double precision, age double precision', 'model, horizon, frequency, recency, age',
         'probability of a purchase within the horizon, in weeks, by a purchase model of the table model'),
        ('expected_purchases', 'model jsonb, horizon double precision, frequency double precision, recency double precision, age double precision', 'model, horizon, frequency, recency, age',
         'expected purchase days within the horizon, in weeks, by a purchase model of the table model'),
        ('expected_spend', 'model jsonb, frequency double precision, monetary double precision', 'model, frequency, monetary',
         'expected amount of a purchase day, in currency units, by a spend model of the table model'),
        ('clv', 'purchase_model jsonb, spend_model jsonb, horizon double precision, discount double precision, frequency double precision, recency double precision, age double precision, monetary double precision',
         'purchase_model, spend_model, horizon, discount, frequency, recency, age, monetary',
         'value of the purchases within the horizon, in weeks, discounted by a continuous rate a week, in currency units, by models of the table model')) AS v (name, arguments, names, explanation)
    LOOP
        is_new := NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = schema) AND p.proname = f.name);
        PERFORM customer_tier.put_function(schema, f.name, f.arguments, 'double precision', 'LANGUAGE sql IMMUTABLE PARALLEL SAFE',
            format('SELECT customer_tier.%I(%s)', 'stored_' || f.name, f.names), f.explanation);
        -- They read nothing.  Who may read a view calls them by himself, also
        -- where functions are not for everybody by default.
        IF is_new THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%I TO PUBLIC', schema, f.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.put_predictions(name) IS 'internal: the functions of a program that its views predict with';

CREATE FUNCTION customer_tier.needed_predictions(schema name, s customer_tier.program_settings, for_tiers boolean) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT p.name
                   FROM unnest(customer_tier.predictions()) AS p (name)
                  WHERE p.name IN (SELECT c.feature FROM customer_tier.card(schema, s.what_if) AS c WHERE c.needs_model)
                     OR (for_tiers AND (p.name = 'p_active' OR p.name = ANY (customer_tier.compiled_measures(schema, NULL)))));
END
$$;
COMMENT ON FUNCTION customer_tier.needed_predictions(name, customer_tier.program_settings, boolean) IS
    'internal: the predictions that dimensions of the scorecard are made of; with for_tiers those, too, that lifecycle stages (p_active) and rules of tiers look at';
