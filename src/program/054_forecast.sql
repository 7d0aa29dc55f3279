-- The forecast ledger: what a fit promises of the 12 months after it, written
-- down at the fit, and what came, written down when a month is over.
--
-- The interval of a total takes in two things: how the counts scatter, which
-- forecast_totals() adds up, and how well the parameters are known, which is
-- the gradient of the total in the ln of the parameters (on a sample) with
-- their covariance.  The quantiles are those of a gamma distribution of that
-- mean and variance (Wilson and Hilferty 1931), so that small totals are not
-- below zero.

CREATE FUNCTION customer_tier.forecast_bound(mean float8, variance float8, z float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN mean > 0 AND variance > 0
                THEN mean * greatest(0, 1 - variance / (9 * mean * mean) + z * sqrt(variance) / (3 * mean)) ^ 3
                ELSE mean END
$$;
COMMENT ON FUNCTION customer_tier.forecast_bound(float8, float8, float8) IS 'internal: quantile of a gamma distribution of that mean and variance, at z standard deviations of the normal one';

CREATE FUNCTION customer_tier.shifted_models(model customer_tier.clv_model, shift float8)
RETURNS TABLE (parameter int, sign int, shifted customer_tier.clv_model)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.number::int, s.sign,
           customer_tier.clv_model(model->>'model',
               (SELECT array_agg(customer_tier.param(model, q.name) * CASE WHEN q.number = p.number THEN exp(s.sign * shift) ELSE 1 END ORDER BY q.number)
                  FROM unnest(customer_tier.param_names(model)) WITH ORDINALITY AS q (name, number)))
      FROM unnest(customer_tier.param_names(model)) WITH ORDINALITY AS p (name, number), (VALUES (-1), (1)) AS s (sign)
     WHERE p.name <> 'k'
$$;
COMMENT ON FUNCTION customer_tier.shifted_models(customer_tier.clv_model, float8) IS 'internal: a model with the ln of each of its parameters a little lower and a little higher';

CREATE FUNCTION customer_tier.forecast_months(as_of date) RETURNS TABLE (month int, from_day date, to_day date)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m, (as_of + 1 + make_interval(months => m - 1))::date, (as_of + 1 + make_interval(months => m))::date - 1
      FROM generate_series(1, 12) m
$$;
COMMENT ON FUNCTION customer_tier.forecast_months(date) IS 'internal: the 12 months that follow a day';

CREATE FUNCTION customer_tier.make_forecast(schema name, model_id bigint, purchase customer_tier.clv_model, spend customer_tier.clv_model, as_of date) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET DateStyle = 'ISO, YMD' SET extra_float_digits = 1 AS $$
DECLARE
    ends float8[] := (SELECT array_agg((to_day - as_of) / 7.0 ORDER BY month) FROM customer_tier.forecast_months(as_of));
    q float8 := customer_tier.param(spend, 'q');
    spend_variance float8 := 0;
    gradient float8[];
    constants text;
BEGIN
    -- How well the mean spend p v / (q - 1) is known, relative to itself.
    IF spend IS NOT NULL AND q > 1 AND jsonb_typeof(spend->'covariance') = 'array' THEN
        gradient := ARRAY[1, -q / (q - 1), 1];
        SELECT sum(gradient[i] * gradient[j] * (spend->'covariance'->(i - 1)->>(j - 1))::float8) INTO spend_variance
          FROM generate_series(1, 3) i, generate_series(1, 3) j;
    END IF;

    constants := format('SELECT CAST(%L AS bigint), CAST(%L AS date), CAST(%L AS double precision[]), CAST(%L AS customer_tier.clv_model), CAST(%L AS customer_tier.clv_model), CAST(%L AS double precision)',
                        model_id, as_of, ends, purchase, spend, coalesce(spend_variance, 0));
    -- Everybody is read once, and by workers.
    PERFORM customer_tier.execute_steps(ARRAY[customer_tier.step(format(
$query$
    SELECT (h.b).frequency AS x, (h.b).recency AS t_x, (h.b).age, (h.b).monetary,
           customer_tier.expected_purchases($4, ($3)[12], (h.b).frequency, (h.b).recency, (h.b).age) AS in_a_year
      FROM (%s) AS h
     WHERE (h.b).frequency IS NOT NULL
$query$, customer_tier.computed_once(customer_tier.program_settings(schema), 'history', 'customer_tier.btyd(history.history, $2, 7) AS b', format('%I.history', schema))), 'customer', constants),
        customer_tier.step(format(
$query$
    WITH cut AS MATERIALIZED (
        SELECT customer_tier.quantile_cuts(customer.in_a_year, 10) AS cuts, count(*) AS customers
          FROM customer
    ), month AS MATERIALIZED (
        SELECT m.month, m.from_day, m.to_day
          FROM customer_tier.forecast_months($2) AS m
    ), decile AS MATERIALIZED (
        SELECT placed.decile, count(*) AS customers,
               customer_tier.forecast_totals($4, $5, $3, placed.x, placed.t_x, placed.age, placed.monetary) AS totals
          FROM (SELECT customer.*, customer_tier.score(customer.in_a_year, (SELECT cut.cuts FROM cut)) AS decile FROM customer) AS placed
         GROUP BY placed.decile
    ), total AS MATERIALIZED (
        -- Added up in a fixed order: sums of the same data are the same bits.
        SELECT decile.decile, month.month, sum(decile.customers) AS customers,
               sum(decile.totals[1][month.month] ORDER BY decile.decile) AS purchases,
               sum(decile.totals[2][month.month] ORDER BY decile.decile) AS purchases_variance,
               sum(decile.totals[3][month.month] ORDER BY decile.decile) AS revenue,
               sum(decile.totals[4][month.month] ORDER BY decile.decile) AS revenue_variance
          FROM decile, month
         GROUP BY GROUPING SETS ((decile.decile, month.month), (month.month))
    ), sample AS MATERIALIZED (
        -- About a thousand, picked by their summaries alone.
        SELECT customer_tier.score(customer.in_a_year, (SELECT cut.cuts FROM cut)) AS decile,
               customer.x, customer.t_x, customer.age, customer.monetary
          FROM customer
         WHERE mod(CAST(customer.x AS bigint) * 7919
                   + CAST(round(7 * customer.t_x) AS bigint) * 104729 + CAST(round(7 * customer.age) AS bigint) * 1299709,
                   (SELECT 1 + cut.customers / 1000 FROM cut)) = 0
    ), shifted AS MATERIALIZED (
        SELECT sampled.parameter, sampled.sign, sampled.decile, month.month,
               sum(sampled.totals[1][month.month] ORDER BY sampled.decile) AS total
          FROM (SELECT s.parameter, s.sign, sample.decile,
                       customer_tier.forecast_totals(s.shifted, NULL, $3, sample.x, sample.t_x, sample.age, sample.monetary) AS totals
                  FROM customer_tier.shifted_models($4, 0.05) AS s, sample
                 WHERE jsonb_typeof($4->'covariance') = 'array'
                 GROUP BY s.parameter, s.sign, sample.decile) AS sampled, month
         GROUP BY GROUPING SETS ((sampled.parameter, sampled.sign, sampled.decile, month.month), (sampled.parameter, sampled.sign, month.month))
    ), gradient AS MATERIALIZED (
        -- of the ln of a total in the ln of a parameter
        SELECT shifted.decile, shifted.month, shifted.parameter,
               sum(shifted.sign * shifted.total ORDER BY shifted.sign) / nullif(0.05 * sum(shifted.total ORDER BY shifted.sign), 0) AS slope
          FROM shifted
         GROUP BY 1, 2, 3
    ), unknown AS MATERIALIZED (
        SELECT a.decile, a.month,
               greatest(sum(a.slope * b.slope * CAST($4->'covariance'->(a.parameter - 1)->>(b.parameter - 1) AS float8)
                            ORDER BY a.parameter, b.parameter), 0) AS variance
          FROM gradient AS a
          JOIN gradient AS b ON b.month = a.month AND b.decile IS NOT DISTINCT FROM a.decile
         GROUP BY 1, 2
    ), kept AS (
        UPDATE %1$I.model SET forecast_cuts = (SELECT cut.cuts FROM cut) WHERE model.model_id = $1
    )
    INSERT INTO %1$I.forecast (model_id, decile, month, from_day, to_day, customers, purchases, purchases_lower, purchases_upper,
                               revenue, revenue_lower, revenue_upper)
    SELECT $1, coalesce(total.decile, 0), month.month, month.from_day, month.to_day, total.customers,
           round(CAST(total.purchases AS numeric), 4),
           round(CAST(greatest(customer_tier.forecast_bound(total.purchases, total.purchases_variance + known.purchases, -1.959964) - 0.5, 0) AS numeric), 4),
           round(CAST(customer_tier.forecast_bound(total.purchases, total.purchases_variance + known.purchases, 1.959964) + 0.5 AS numeric), 4),
           round(CAST(money.revenue AS numeric), 2),
           round(CAST(customer_tier.forecast_bound(money.revenue, total.revenue_variance + known.revenue, -1.959964) AS numeric), 2),
           round(CAST(customer_tier.forecast_bound(money.revenue, total.revenue_variance + known.revenue, 1.959964) AS numeric), 2)
      FROM total
      JOIN month USING (month)
      LEFT JOIN unknown ON unknown.month = total.month AND unknown.decile IS NOT DISTINCT FROM total.decile,
           LATERAL (SELECT total.purchases * total.purchases * coalesce(unknown.variance, 0) AS purchases,
                           total.revenue * total.revenue * (coalesce(unknown.variance, 0) + $6) AS revenue) AS known,
           LATERAL (SELECT CASE WHEN $5 IS NOT NULL THEN total.revenue END AS revenue) AS money
$query$, schema), constants => constants)]);
END
$$;
COMMENT ON FUNCTION customer_tier.make_forecast(name, bigint, customer_tier.clv_model, customer_tier.clv_model, date) IS
    'internal: enter in the ledger what a purchase model, and a spend model unless that is NULL, promise of the 12 months after as_of, in total and by decile of expected purchases';

CREATE FUNCTION customer_tier.refresh_score(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET DateStyle = 'ISO, YMD' SET extra_float_digits = 1 AS $$
DECLARE
    run record;
    due record;
    missed record;
    constants text;
BEGIN
    IF customer_tier.is_repeat(schema, run_id) THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT run.as_of, run.newest_day FROM %I.run WHERE run.run_id = $1', schema) INTO run USING run_id;
    -- A month is due when it is over, and when its orders can have arrived:
    -- the newest order is not more than 45 days older.
    FOR due IN EXECUTE format(
$query$
        SELECT model.model_id, model.as_of, model.fitted, model.forecast_cuts,
               (SELECT max(f.to_day) - model.as_of FROM %1$I.forecast AS f WHERE f.model_id = model.model_id) / 7.0 AS ahead
          FROM %1$I.model
         WHERE EXISTS (SELECT FROM %1$I.forecast
                        WHERE forecast.model_id = model.model_id AND forecast.scored_at IS NULL
                          AND forecast.to_day <= least($1, $2 + 45))
         ORDER BY model.model_id
$query$, schema) USING run.as_of, run.newest_day LOOP
        constants := format('SELECT CAST(%L AS bigint), CAST(%L AS date), CAST(%L AS customer_tier.clv_model), CAST(%L AS double precision[]), CAST(%L AS double precision), CAST(%L AS date), CAST(%L AS date), CAST(%L AS bigint)',
                            due.model_id, due.as_of, due.fitted, due.forecast_cuts, due.ahead, run.as_of, run.newest_day, run_id);
        PERFORM customer_tier.execute_steps(ARRAY[customer_tier.step(format(
$query$
        -- The customers it was made for, in the same deciles.
        SELECT h.history, customer_tier.score(customer_tier.expected_purchases($3, $5, (h.b).frequency, (h.b).recency, (h.b).age), $4) AS decile
          FROM (%s) AS h
         WHERE (h.b).frequency IS NOT NULL
$query$, customer_tier.computed_once(customer_tier.program_settings(schema), 'history', 'customer_tier.btyd(history.history, $2, 7) AS b', format('%I.history', schema))), 'customer', constants),
            customer_tier.step(format(
$query$
        WITH month AS MATERIALIZED (
            SELECT forecast.month, forecast.from_day, forecast.to_day
              FROM %1$I.forecast
             WHERE forecast.model_id = $1 AND forecast.decile = 0 AND forecast.scored_at IS NULL AND forecast.to_day <= least($6, $7 + 45)
        ), actual AS (
            SELECT coalesce(customer.decile, 0) AS decile, month.month,
                   sum(customer_tier.purchase_days(customer.history, month.to_day)
                       - customer_tier.purchase_days(customer.history, month.from_day - 1)) AS purchases,
                   sum(customer_tier.revenue(customer.history, month.to_day)
                       - customer_tier.revenue(customer.history, month.from_day - 1)) AS revenue
              FROM customer, month
             GROUP BY GROUPING SETS ((customer.decile, month.month), (month.month))
        )
        UPDATE %1$I.forecast
           SET actual_purchases = coalesce(actual.purchases, 0), actual_revenue = coalesce(actual.revenue, 0),
               scored_at = clock_timestamp(), scored_run = $8
          FROM month
          CROSS JOIN generate_series(0, 10) AS d (decile)
          LEFT JOIN actual ON actual.month = month.month AND actual.decile = d.decile
         WHERE forecast.model_id = $1 AND forecast.month = month.month AND forecast.decile = d.decile
$query$, schema), constants => constants)]);

        EXECUTE format(
$query$
        SELECT count(*) AS months, count(*) FILTER (WHERE c.purchases_alarm) AS alarms,
               sum(c.actual_purchases) AS actual, round(sum(c.purchases)) AS expected, min(c.from_day) AS from_day, max(c.to_day) AS to_day,
               min(c.model) AS model, min(c.as_of) AS as_of
          FROM %1$I.calibration AS c
         WHERE c.model_id = $1 AND c.decile IS NULL
           AND c.month IN (SELECT f.month FROM %1$I.forecast AS f WHERE f.model_id = $1 AND f.scored_run = $2)
$query$, schema) INTO missed USING due.model_id, run_id;
        IF missed.alarms > 0 THEN
            RAISE WARNING USING
                MESSAGE = format('%s as of %s missed the purchases of %s of %s months: %s from %s to %s, it had expected %s',
                                 missed.model, missed.as_of, missed.alarms, missed.months, missed.actual, missed.from_day, missed.to_day, missed.expected),
                HINT = format('SELECT * FROM %I.calibration shows months and deciles; a season, a campaign or rows that arrived late may explain it, or another model fit better.', schema);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_score(name, bigint) IS 'internal: enter what came of the forecasts whose months are over, and warn when a total lies outside of its interval';
