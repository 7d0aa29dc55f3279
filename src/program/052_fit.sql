-- Fitting: which models a program has, when they are fitted anew, and which of
-- them rate() predicts with.  All models read times in weeks (7 days).

CREATE PROCEDURE customer_tier.fit(program text, as_of date DEFAULT NULL, wait boolean DEFAULT true)
    LANGUAGE c AS 'MODULE_PATHNAME', 'fit';
COMMENT ON PROCEDURE customer_tier.fit(text, date, boolean) IS
    'fit the purchase and the spend model of a program to its histories up to and including a day, by default yesterday in the program''s time zone, and keep them in <schema>.model, with a forecast in <schema>.forecast; the next refresh uses them. A refresh fits by itself when the newest fit is older than refit_days. Transactions, and wait, as in refresh()';

CREATE FUNCTION customer_tier.newest_model(schema name, kind text, as_of date) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    EXECUTE format('SELECT model.model_id FROM %I.model WHERE model.kind = $1 AND model.as_of <= $2
                     ORDER BY model.as_of DESC, model.model_id DESC LIMIT 1', schema) INTO found_id USING kind, as_of;
    RETURN found_id;
END
$$;
COMMENT ON FUNCTION customer_tier.newest_model(name, text, date) IS 'internal: the newest fit of a kind of model that knows nothing after as_of; NULL when there is none';

CREATE FUNCTION customer_tier.run_models(schema name, as_of date, run_id bigint, OUT purchase customer_tier.clv_model, OUT spend customer_tier.clv_model)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    purchase_id bigint;
    spend_id bigint;
BEGIN
    IF run_id IS NULL THEN
        purchase_id := customer_tier.newest_model(schema, 'purchase', as_of);
        spend_id := customer_tier.newest_model(schema, 'spend', as_of);
    ELSE
        EXECUTE format('SELECT run.purchase_model_id, run.spend_model_id FROM %I.run WHERE run.run_id = $1', schema)
            INTO purchase_id, spend_id USING run_id;
    END IF;
    EXECUTE format('SELECT (SELECT model.fitted FROM %1$I.model WHERE model.model_id = $1 AND model.reason IS NULL),
                           (SELECT model.fitted FROM %1$I.model WHERE model.model_id = $2 AND model.reason IS NULL)', schema)
        INTO purchase, spend USING purchase_id, spend_id;
END
$$;
COMMENT ON FUNCTION customer_tier.run_models(name, date, bigint) IS 'internal: the models a run used, or without one the newest that know nothing after as_of; NULL where there is none';

CREATE FUNCTION customer_tier.predictions_query(s customer_tier.program_settings) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(s.purchase_model, 'none') = 'none' THEN
        RETURN
$query$               -- No model is asked for.
               CAST(NULL AS numeric) AS p_alive, CAST(NULL AS numeric) AS p_active, CAST(NULL AS numeric) AS expected_purchases,
               CAST(NULL AS numeric) AS expected_spend, CAST(NULL AS numeric) AS clv$query$;
    END IF;
    RETURN (SELECT E'               -- Times in weeks; a yearly rate d discounts by ln(1 + d) a year of 365.25 days.\n'
                   || string_agg(format('               %s AS %I', CASE WHEN s.predictions IS NULL OR p.name = ANY (s.predictions)
                          THEN customer_tier.prediction(p.name, 'customer_tier.', customer_tier.run_constant(s, 'model.purchase'), customer_tier.run_constant(s, 'model.spend'),
                                   s.churn_days || ' / 7.0', s.horizon_days || ' / 7.0', customer_tier.yearly_discount(s.annual_discount::text),
                                   'features.repeats', 'features.last_at', 'features.age', 'features.repeat_mean', 'CAST(features.margin AS numeric)')
                          ELSE 'CAST(NULL AS numeric)' END, p.name), E',\n' ORDER BY p.n)
              FROM unnest(customer_tier.predictions()) WITH ORDINALITY AS p (name, n));
END
$$;
COMMENT ON FUNCTION customer_tier.predictions_query(customer_tier.program_settings) IS 'internal: what <schema>.rate predicts of a customer, as columns of a query; NULL where a refresh has no use for it';

CREATE FUNCTION customer_tier.fit_model(schema name, as_of date, complete_from date, model text, penalty float8,
    OUT fitted jsonb, OUT problem text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
BEGIN
    EXECUTE format(
$query$
    SELECT %1$s
      FROM (%2$s) AS customer
     WHERE (customer.b).frequency IS NOT NULL AND ($2 IS NULL OR customer_tier.first_day(customer.history, $1) >= $2)
$query$,
        CASE WHEN model = 'gamma-gamma'
             THEN 'customer_tier.spend_fit((b).frequency, (b).monetary, 1, $4)'
             ELSE 'customer_tier.clv_fit($3, (b).frequency, (b).recency, (b).age, 1, (b).litt, $4)' END,
        customer_tier.computed_once(customer_tier.program_settings(schema), 'history', 'customer_tier.btyd(history.history, $1, 7) AS b', format('%I.history', schema)))
        INTO fitted USING as_of, complete_from, model, penalty;
EXCEPTION
    -- Values that a model has no place for, or none at all: nothing that a
    -- rating would have to fail for.
    WHEN data_exception OR no_data_found THEN
        problem := SQLERRM;
END
$$;
COMMENT ON FUNCTION customer_tier.fit_model(name, date, date, text, float8) IS 'internal: fit one model to the histories of a program, or say what stood in the way; silent, because it may be but a first try';

CREATE FUNCTION customer_tier.keep_model(schema name, kind text, requested text, asked text, as_of date, complete_from date,
    customers bigint, repeaters bigint, compared jsonb DEFAULT NULL, INOUT fitted jsonb DEFAULT NULL, problem text DEFAULT NULL, OUT model_id bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    usable boolean := coalesce(fitted->>'status' IN ('ok', 'boundary') AND fitted->'params' <> 'null', false);
    status text := CASE WHEN problem IS NULL THEN fitted->>'status' WHEN fitted IS NULL AND repeaters < 10 THEN 'too_few' ELSE 'failed' END;
BEGIN
    EXECUTE format(
$query$
    INSERT INTO %1$I.model (kind, requested, name, as_of, history_complete_from, fitted_at, status, reason, customers, repeaters,
                            penalty, log_likelihood, bic, correlation, compared, fitted)
    SELECT $1, $2, $3, $4, $5, clock_timestamp(), $6, $7, $8, $9,
           CAST($10->>'penalty' AS float8), CAST($10->>'log_likelihood' AS float8), customer_tier.bic($10),
           CAST($10->'data'->>'correlation' AS float8), $11, $10
    RETURNING model_id
$query$, schema) INTO model_id
        USING kind, requested,
              CASE WHEN fitted->'params' ? 'k' THEN replace(fitted->>'model', '-k', '-' || (fitted->'params'->>'k')) ELSE coalesce(fitted->>'model', asked) END,
              as_of, complete_from, status,
              CASE WHEN problem IS NOT NULL THEN problem
                   WHEN NOT usable THEN format('the likelihood of %s has no maximum for these %s customers', asked, customers) END,
              customers, repeaters, fitted, compared;
    EXECUTE format(
$query$
    UPDATE %1$I.model
       SET is_current = (model.model_id = newest.model_id)
      FROM (SELECT m.model_id FROM %1$I.model AS m WHERE m.kind = $1 ORDER BY m.as_of DESC, m.model_id DESC LIMIT 1) AS newest
     WHERE model.kind = $1 AND model.is_current <> (model.model_id = newest.model_id)
$query$, schema) USING kind;
    IF NOT usable THEN
        fitted := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.keep_model(name, text, text, text, date, date, bigint, bigint, jsonb, jsonb, text) IS 'internal: enter a fit, or a failed attempt, in <schema>.model; fitted comes back NULL when it is not usable';

CREATE FUNCTION customer_tier.fit_models(schema name, as_of date) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    customers bigint;
    repeaters bigint;
    spenders bigint;
    penalty float8;
    candidate text;
    incumbent text;
    chosen text;
    attempt record;
    best record;
    compared jsonb;
    purchase record;
    spend record;
BEGIN
    EXECUTE format(
$query$
    SELECT count(*), count(*) FILTER (WHERE (customer.b).frequency > 0),
           count(*) FILTER (WHERE (customer.b).frequency > 0 AND (customer.b).monetary > 0)
      FROM (%s) AS customer
     WHERE (customer.b).frequency IS NOT NULL AND ($2 IS NULL OR customer_tier.first_day(customer.history, $1) >= $2)
$query$, customer_tier.computed_once(s, 'history', 'customer_tier.btyd(history.history, $1, 7) AS b', format('%I.history', schema))) INTO customers, repeaters, spenders USING as_of, s.history_complete_from;

    -- Purchases.  Few customers leave the shape of a model open, and so do
    -- some shops of many: a penalty keeps it in range.
    penalty := CASE WHEN repeaters < 300 THEN 1 ELSE 0 END;
    chosen := s.purchase_model;
    IF chosen = 'auto' THEN
        -- The incumbent stays unless another one is better by far.
        EXECUTE format('SELECT model.fitted->>''model'' FROM %I.model WHERE model.kind = ''purchase'' AND model.requested = ''auto''
                           AND model.as_of <= $1 AND model.reason IS NULL
                         ORDER BY model.as_of DESC, model.model_id DESC LIMIT 1', schema) INTO incumbent USING as_of;
        chosen := coalesce(incumbent, 'mbg/nbd');
        IF repeaters >= 10 AND penalty = 0 THEN
            compared := '{}';
            FOREACH candidate IN ARRAY '{mbg/nbd,pareto/nbd,mbg/cnbd-k}'::text[] LOOP
                attempt := customer_tier.fit_model(schema, as_of, s.history_complete_from, candidate, 0);
                compared := compared || jsonb_build_object(candidate, jsonb_build_object(
                    'status', coalesce(attempt.fitted->>'status', 'failed'),
                    'log_likelihood', attempt.fitted->'log_likelihood', 'bic', customer_tier.bic(attempt.fitted)));
            END LOOP;
            SELECT c.key AS name, (c.value->>'bic')::float8 AS bic INTO best
              FROM jsonb_each(compared) c WHERE c.value->>'status' = 'ok' ORDER BY (c.value->>'bic')::float8, c.key LIMIT 1;
            IF best.bic < (compared->chosen->>'bic')::float8 - 10 OR (best.bic IS NOT NULL AND compared->chosen->>'status' <> 'ok') THEN
                chosen := best.name;
            END IF;
        END IF;
    END IF;
    IF repeaters < 10 THEN
        purchase := customer_tier.keep_model(schema, 'purchase', s.purchase_model, chosen, as_of, s.history_complete_from, customers, repeaters,
            problem => format('too few customers with a repeat purchase: %s, a model needs 10', repeaters));
    ELSE
        attempt := customer_tier.fit_model(schema, as_of, s.history_complete_from, chosen, penalty);
        IF penalty = 0 AND attempt.fitted->>'status' IN ('no_maximum', 'boundary') THEN
            attempt := customer_tier.fit_model(schema, as_of, s.history_complete_from, chosen, 1);
        END IF;
        purchase := customer_tier.keep_model(schema, 'purchase', s.purchase_model, chosen, as_of, s.history_complete_from, customers, repeaters,
            compared, attempt.fitted, attempt.problem);
    END IF;

    -- Spend.
    IF spenders < 10 THEN
        spend := customer_tier.keep_model(schema, 'spend', 'gamma-gamma', 'gamma-gamma', as_of, s.history_complete_from, customers, spenders,
            problem => format('too few customers with repeat purchases of a mean amount above 0: %s, a model needs 10', spenders));
    ELSE
        penalty := CASE WHEN spenders < 300 THEN 1 ELSE 0 END;
        attempt := customer_tier.fit_model(schema, as_of, s.history_complete_from, 'gamma-gamma', penalty);
        IF penalty = 0 AND attempt.fitted->>'status' IN ('no_maximum', 'boundary') THEN
            attempt := customer_tier.fit_model(schema, as_of, s.history_complete_from, 'gamma-gamma', 1);
        END IF;
        spend := customer_tier.keep_model(schema, 'spend', 'gamma-gamma', 'gamma-gamma', as_of, s.history_complete_from, customers, spenders,
            NULL, attempt.fitted, attempt.problem);
    END IF;

    -- Beyond what chance gives so many customers, too.
    IF abs((spend.fitted->'data'->>'correlation')::float8) > greatest(0.3, 3 / sqrt(greatest(spenders, 1))) THEN
        RAISE WARNING USING
            MESSAGE = format('frequency and mean spend of program "%s" are correlated: %s', s.program, round((spend.fitted->'data'->>'correlation')::numeric, 2)),
            DETAIL = 'The gamma-gamma model takes them to be independent: expected_spend and clv of frequent buyers are biased.',
            HINT = 'Separate programs of customers who spend alike, through views, may do better.';
    END IF;
    IF purchase.fitted IS NOT NULL THEN
        PERFORM customer_tier.make_forecast(schema, purchase.model_id, purchase.fitted, spend.fitted, as_of);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.fit_models(name, date) IS 'internal: fit the models of a program to its histories up to as_of, keep them, and enter their forecast in the ledger';

CREATE FUNCTION customer_tier.refresh_fit(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    as_of date;
    due boolean;
BEGIN
    IF customer_tier.is_repeat(schema, run_id) THEN
        RETURN;
    END IF;
    -- What its predictions are made of, whatever is edited later.
    EXECUTE format('UPDATE %I.run SET rated_as_of = run.as_of, churn_days = $2, horizon_days = $3, annual_discount = $4, margin = $5 WHERE run.run_id = $1', schema)
        USING run_id, s.churn_days, s.horizon_days, s.annual_discount, s.margin;
    IF coalesce(s.purchase_model, 'none') = 'none' THEN
        EXECUTE format('UPDATE %I.run SET model_problem = ''the settings ask for no purchase model'' WHERE run.run_id = $1', schema) USING run_id;
        RETURN;
    END IF;
    EXECUTE format('SELECT run.as_of FROM %I.run WHERE run.run_id = $1', schema) INTO as_of USING run_id;

    -- A fit of other settings is none.  Where there was no model, customers
    -- may have come meanwhile: try again after a week.
    EXECUTE format('SELECT model.requested <> $2 OR model.history_complete_from IS DISTINCT FROM $3
                           OR $4 - model.as_of >= CASE WHEN model.reason IS NULL THEN $5 ELSE least($5, 7) END
                      FROM %I.model WHERE model.model_id = $1', schema)
        INTO due
        USING customer_tier.newest_model(schema, 'purchase', as_of), s.purchase_model, s.history_complete_from, as_of, s.refit_days;
    IF coalesce(due, true) THEN
        PERFORM customer_tier.fit_models(schema, as_of);
    END IF;
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET purchase_model_id = $2, spend_model_id = $3,
           model_problem = (SELECT string_agg(format('no %%s model: %%s', model.kind, model.reason), '; ' ORDER BY model.kind)
                              FROM %1$I.model WHERE model.model_id IN ($2, $3) AND model.reason IS NOT NULL)
     WHERE run.run_id = $1
$query$, schema)
        USING run_id, customer_tier.newest_model(schema, 'purchase', as_of), customer_tier.newest_model(schema, 'spend', as_of);
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_fit(name, bigint) IS 'internal: choose the models of a run, fitting them first when there are none or they are too old';

CREATE FUNCTION customer_tier.fit_publish(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    run record;
    newest_day date;
BEGIN
    IF coalesce(s.purchase_model, 'none') = 'none' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" asks for no purchase model', s.program),
            HINT = format('UPDATE %I.settings SET purchase_model = ''mbg/nbd''; then fit it.', schema);
    END IF;
    EXECUTE format('SELECT run.as_of, run.as_of_is_default FROM %I.run WHERE run.run_id = $1', schema) INTO run USING run_id;
    EXECUTE format('SELECT max(customer_tier.last_day(history.history, $1)) FROM %I.history', schema) INTO newest_day USING run.as_of;
    IF newest_day IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('%I.history has no order up to %s', schema, run.as_of),
            HINT = format('Read the orders first: CALL customer_tier.refresh(%L).', s.program);
    ELSIF run.as_of_is_default AND run.as_of - newest_day > 45 THEN
        RAISE WARNING USING
            MESSAGE = format('the newest order is of %s, %s days before %s', newest_day, run.as_of - newest_day, run.as_of),
            HINT = 'Are the histories up to date? To fit as of an earlier day give it: CALL customer_tier.fit(program, as_of).';
    END IF;
    PERFORM customer_tier.fit_models(schema, run.as_of);
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET status = 'fitted', finished_at = clock_timestamp(), newest_day = $2, error_code = NULL, error = NULL,
           purchase_model_id = $3, spend_model_id = $4,
           model_problem = (SELECT string_agg(format('no %%s model: %%s', model.kind, model.reason), '; ' ORDER BY model.kind)
                              FROM %1$I.model WHERE model.model_id IN ($3, $4) AND model.reason IS NOT NULL)
     WHERE run.run_id = $1
$query$, schema)
        USING run_id, newest_day, customer_tier.newest_model(schema, 'purchase', run.as_of), customer_tier.newest_model(schema, 'spend', run.as_of);
END
$$;
COMMENT ON FUNCTION customer_tier.fit_publish(name, bigint) IS 'internal: the work of fit(): fit, keep, and finish the record of the run';
