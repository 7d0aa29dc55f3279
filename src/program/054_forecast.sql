-- The forecast ledger: what a fit promises of the 12 months after it, written
-- down at the fit, and what came, written down when a month is over.
--
-- The interval of a total takes in two things.  How the counts scatter: a
-- customer's purchases of a month, given that he is alive, are gamma-mixed
-- Poisson with the shape r + x of his posterior, and he is alive with a
-- probability that falls with the expected rate; the totals add up independent
-- customers.  And how well the parameters are known: the gradient of the total
-- in the ln of the parameters (on a sample) with their covariance.  The
-- quantiles are those of a gamma distribution of that mean and variance
-- (Wilson and Hilferty 1931), so that small totals are not below zero.

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
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    ends float8[] := (SELECT array_agg((to_day - as_of) / 7.0 ORDER BY month) FROM customer_tier.forecast_months(as_of));
    r float8 := customer_tier.param(purchase, 'r');
    p float8 := customer_tier.param(spend, 'p');
    q float8 := customer_tier.param(spend, 'q');
    expected text := (SELECT string_agg(format('customer_tier.expected_purchases(%%1$s, ($3)[%s], cell.x, cell.t_x, cell.age)', n), ', ' ORDER BY n)
                        FROM generate_series(1, 12) n);
    spend_variance float8 := 0;
    gradient float8[];
BEGIN
    -- How well the mean spend p v / (q - 1) is known, relative to itself.
    IF spend IS NOT NULL AND q > 1 AND jsonb_typeof(spend->'covariance') = 'array' THEN
        gradient := ARRAY[1, -q / (q - 1), 1];
        SELECT sum(gradient[i] * gradient[j] * (spend->'covariance'->(i - 1)->>(j - 1))::float8) INTO spend_variance
          FROM generate_series(1, 3) i, generate_series(1, 3) j;
    END IF;

    EXECUTE format(
$query$
    WITH cell AS MATERIALIZED (
        -- Customers with equal summaries are one row, in a fixed order: sums of
        -- the same data are the same bits.  e: expected purchases up to the end
        -- of each month; z: expected spend a purchase, c: its squared
        -- coefficient of variation (its variance is infinite for q + p x <= 2:
        -- kept finite there).
        SELECT cell.x, cell.t_x, cell.age, cell.n, ARRAY[%2$s] AS e,
               greatest(customer_tier.p_alive($4, cell.x, cell.t_x, cell.age), 1e-12) AS alive,
               coalesce(customer_tier.expected_spend($5, cell.x, cell.monetary), 0) AS z,
               ($7 + 1) / $7 * ($8 + $7 * cell.x - 1) / greatest($8 + $7 * cell.x - 2, 0.1) - 1 AS c
          FROM (SELECT (h.b).frequency AS x, (h.b).recency AS t_x, (h.b).age, (h.b).monetary, count(*) AS n
                  FROM (SELECT customer_tier.btyd(history.history, $2, 7) AS b FROM %1$I.history OFFSET 0) AS h
                 WHERE (h.b).frequency IS NOT NULL
                 GROUP BY 1, 2, 3, 4
                 ORDER BY 1, 2, 3, 4
                OFFSET 0) AS cell
    ), cut AS MATERIALIZED (
        SELECT customer_tier.quantile_cuts(cell.e[12], 10) AS cuts
          FROM cell, generate_series(1, cell.n)
    ), customer AS MATERIALIZED (
        SELECT cell.*, customer_tier.score(cell.e[12], (SELECT cut.cuts FROM cut)) AS decile, row_number() OVER () AS number
          FROM cell
    ), month AS MATERIALIZED (
        SELECT m.month, m.from_day, m.to_day,
               (m.to_day - m.from_day + 1.0) / (first_value(m.to_day) OVER in_time - first_value(m.from_day) OVER in_time + 1) AS length
          FROM customer_tier.forecast_months($2) AS m
        WINDOW in_time AS (ORDER BY m.month)
    ), expected AS (
        SELECT customer.decile, month.month, customer.n, customer.z, customer.c,
               customer.e[month.month] - coalesce(customer.e[month.month - 1], 0) AS mean,
               (1 + 1 / ($6 + customer.x)) / customer.alive * customer.e[1] * month.length AS mixed
          FROM customer, month
    ), total AS MATERIALIZED (
        SELECT expected.decile, expected.month, sum(expected.n) AS customers,
               sum(expected.n * expected.mean) AS purchases,
               sum(expected.n * (expected.mean + expected.mean * greatest(expected.mixed - expected.mean, 0))) AS purchases_variance,
               sum(expected.n * expected.mean * expected.z) AS revenue,
               sum(expected.n * expected.z * expected.z
                   * (expected.mean + expected.mean * greatest(expected.mixed - expected.mean, 0) + expected.mean * expected.c)) AS revenue_variance
          FROM expected
         GROUP BY GROUPING SETS ((expected.decile, expected.month), (expected.month))
    ), sample AS MATERIALIZED (
        SELECT customer.decile, customer.x, customer.t_x, customer.age, customer.n
          FROM customer
         WHERE customer.number %% (1 + (SELECT count(*) FROM customer) / 1000) = 0
    ), shifted AS MATERIALIZED (
        SELECT s.parameter, s.sign, sampled.decile, sampled.month, sampled.total
          FROM customer_tier.shifted_models($4, 0.05) AS s,
               -- Lateral to the models, so that each is unpacked once.
               LATERAL (SELECT cell.decile, month.month,
                               sum(cell.n * (cell.e[month.month] - coalesce(cell.e[month.month - 1], 0))) AS total
                          FROM (SELECT cell.decile, cell.n, ARRAY[%3$s] AS e FROM sample AS cell OFFSET 0) AS cell, month
                         GROUP BY GROUPING SETS ((cell.decile, month.month), (month.month))) AS sampled
         WHERE jsonb_typeof($4->'covariance') = 'array'
    ), gradient AS MATERIALIZED (
        -- of the ln of a total in the ln of a parameter
        SELECT shifted.decile, shifted.month, shifted.parameter,
               sum(shifted.sign * shifted.total) / nullif(0.05 * sum(shifted.total), 0) AS slope
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
                           total.revenue * total.revenue * (coalesce(unknown.variance, 0) + $9) AS revenue) AS known,
           LATERAL (SELECT CASE WHEN $5 IS NOT NULL THEN total.revenue END AS revenue) AS money
$query$, schema, format(expected, '$4'), format(expected, 's.shifted'))
        USING model_id, as_of, ends, purchase, spend, r, coalesce(p, 1), coalesce(q, 3), coalesce(spend_variance, 0);
END
$$;
COMMENT ON FUNCTION customer_tier.make_forecast(name, bigint, customer_tier.clv_model, customer_tier.clv_model, date) IS
    'internal: enter in the ledger what a purchase model, and a spend model unless that is NULL, promise of the 12 months after as_of, in total and by decile of expected purchases';

CREATE FUNCTION customer_tier.refresh_score(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    run record;
    due record;
    missed record;
BEGIN
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
        EXECUTE format(
$query$
        WITH month AS MATERIALIZED (
            SELECT forecast.month, forecast.from_day, forecast.to_day
              FROM %1$I.forecast
             WHERE forecast.model_id = $1 AND forecast.decile = 0 AND forecast.scored_at IS NULL AND forecast.to_day <= least($6, $7 + 45)
        ), customer AS MATERIALIZED (
            -- The customers it was made for, in the same deciles.
            SELECT h.history, customer_tier.score(customer_tier.expected_purchases($3, $5, (h.b).frequency, (h.b).recency, (h.b).age), $4) AS decile
              FROM (SELECT history.history, customer_tier.btyd(history.history, $2, 7) AS b FROM %1$I.history OFFSET 0) AS h
             WHERE (h.b).frequency IS NOT NULL
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
$query$, schema) USING due.model_id, due.as_of, due.fitted::customer_tier.clv_model, due.forecast_cuts, due.ahead::float8, run.as_of, run.newest_day, run_id;

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
