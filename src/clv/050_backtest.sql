-- Is a model to be trusted?  What it would have said, and what happened.

-- A program's history table, or any table or view with a column of histories.
-- Reads it with the caller's rights.  Not STRICT: a NULL argument is an error.
CREATE FUNCTION customer_tier.clv_backtest(histories regclass, as_of date, horizon_days integer,
	model text DEFAULT 'mbg/nbd', days_per_unit double precision DEFAULT 7, penalty double precision DEFAULT 0,
	history_column name DEFAULT 'history',
	OUT fitted customer_tier.clv_model, OUT customers bigint, OUT actual double precision, OUT predicted double precision,
	OUT bias double precision, OUT log_score double precision, OUT brier double precision,
	OUT rmse double precision, OUT mae double precision, OUT calibration jsonb, OUT tracking jsonb) RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000
	AS $$
BEGIN
	IF histories IS NULL OR as_of IS NULL OR horizon_days IS NULL OR model IS NULL
		OR days_per_unit IS NULL OR penalty IS NULL OR history_column IS NULL THEN
		RAISE EXCEPTION 'no argument of clv_backtest may be NULL'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF horizon_days < 1 OR horizon_days > 36525 THEN
		RAISE EXCEPTION 'horizon_days must not be %', horizon_days
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use 1 to 36525 days, for example 90.';
	END IF;
	IF NOT (days_per_unit > 0 AND days_per_unit < 36525) THEN
		RAISE EXCEPTION 'days_per_unit must not be %', days_per_unit
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use 7 for weeks, 1 for days.';
	END IF;
	IF NOT pg_catalog.isfinite(as_of) THEN
		RAISE EXCEPTION 'as_of must not be %', as_of
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use a day that the histories reach, for example the last one less the horizon.';
	END IF;
	EXECUTE pg_catalog.format($query$
		WITH customer AS MATERIALIZED (
			SELECT b.frequency, b.recency, b.age, b.litt,
				customer_tier.purchase_days(h.history, $2) - customer_tier.purchase_days(h.history, $1) AS actual
			FROM (SELECT %2$I AS history FROM %1$s) AS h,
				customer_tier.btyd(h.history, $1, $4) AS b
			WHERE b.frequency IS NOT NULL
		),
		fit AS MATERIALIZED (
			SELECT customer_tier.clv_fit($3, c.frequency, c.recency, c.age, 1, c.litt, $5) AS m
			FROM customer AS c
		),
		-- a fit without a maximum predicts nothing
		usable AS (
			SELECT f.m FROM fit AS f WHERE f.m->'params' <> 'null'
		),
		cell AS MATERIALIZED (
			SELECT c.frequency, c.recency, c.age, c.actual, pg_catalog.count(*) AS n
			FROM customer AS c
			GROUP BY c.frequency, c.recency, c.age, c.actual
		),
		scored AS MATERIALIZED (
			SELECT c.frequency, c.actual, c.n,
				customer_tier.expected_purchases(f.m, $6, c.frequency, c.recency, c.age) AS predicted,
				customer_tier.p_active(f.m, $6, c.frequency, c.recency, c.age) AS active,
				customer_tier.p_purchases(f.m, c.actual, $6, c.frequency, c.recency, c.age) AS p
			FROM cell AS c, usable AS f
			-- a fixed order: sums of the same data are the same bits
			ORDER BY c.frequency, c.recency, c.age, c.actual
		),
		-- cumulative totals after each unit of time
		step AS (
			SELECT s AS number, least(s * $4, $7) AS days
			FROM pg_catalog.generate_series(1, pg_catalog.ceil($7 / $4)::integer) AS s
		),
		distinct_cell AS MATERIALIZED (
			SELECT c.frequency, c.recency, c.age, pg_catalog.sum(c.n) AS n
			FROM cell AS c
			GROUP BY c.frequency, c.recency, c.age
			ORDER BY c.frequency, c.recency, c.age
		),
		bought AS MATERIALIZED (
			SELECT d.day - $1 AS days, pg_catalog.count(*) AS n
			FROM (SELECT %2$I AS history FROM %1$s) AS h,
				customer_tier.days(customer_tier.within(h.history, $1 + 1, $2)) AS d
			WHERE d.orders > 0 AND customer_tier.purchase_days(h.history, $1) > 0
			GROUP BY d.day
		),
		tracked AS (
			SELECT s.number, s.days,
				(SELECT coalesce(pg_catalog.sum(b.n), 0) FROM bought AS b WHERE b.days <= s.days) AS actual,
				(SELECT pg_catalog.sum(d.n * customer_tier.expected_purchases(f.m, s.days / $4, d.frequency, d.recency, d.age))
					FROM distinct_cell AS d, usable AS f) AS predicted
			FROM step AS s
		),
		class AS (
			SELECT least(s.frequency, 7) AS frequency, pg_catalog.sum(s.n) AS customers,
				pg_catalog.sum(s.n * s.actual) AS actual, pg_catalog.sum(s.n * s.predicted) AS predicted,
				pg_catalog.sum(s.n * (s.actual > 0)::integer) AS active, pg_catalog.sum(s.n * s.active) AS predicted_active
			FROM scored AS s
			GROUP BY 1
		)
		SELECT f.m, pg_catalog.sum(s.n)::bigint,
			pg_catalog.sum(s.n * s.actual)::double precision,
			pg_catalog.sum(s.n * s.predicted),
			pg_catalog.sum(s.n * s.predicted) / nullif(pg_catalog.sum(s.n * s.actual), 0)::double precision - 1,
			pg_catalog.sum(s.n * pg_catalog.ln(greatest(s.p, 1e-300))) / pg_catalog.sum(s.n)::double precision,
			pg_catalog.sum(s.n * (s.active - (s.actual > 0)::integer) * (s.active - (s.actual > 0)::integer)) / pg_catalog.sum(s.n)::double precision,
			pg_catalog.sqrt(pg_catalog.sum(s.n * (s.predicted - s.actual) * (s.predicted - s.actual)) / pg_catalog.sum(s.n)::double precision),
			pg_catalog.sum(s.n * pg_catalog.abs(s.predicted - s.actual)) / pg_catalog.sum(s.n)::double precision,
			(SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('frequency', CASE WHEN c.frequency < 7 THEN c.frequency::text ELSE '7+' END,
					'customers', c.customers, 'actual', c.actual, 'predicted', c.predicted,
					'active', c.active, 'predicted_active', c.predicted_active) ORDER BY c.frequency) FROM class AS c),
			(SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('unit', t.number, 'days', t.days,
					'actual', t.actual, 'predicted', t.predicted) ORDER BY t.number) FROM tracked AS t)
		FROM fit AS f LEFT JOIN scored AS s ON true
		GROUP BY f.m
		$query$, histories, history_column)
	INTO fitted, customers, actual, predicted, bias, log_score, brier, rmse, mae, calibration, tracking
	USING as_of, as_of + horizon_days, model, days_per_unit, penalty, horizon_days / days_per_unit, horizon_days::double precision;
END
$$;
COMMENT ON FUNCTION customer_tier.clv_backtest(regclass, date, integer, text, double precision, double precision, name) IS
	'fit a purchase model to a table of histories up to and including as_of, predict the purchase days of the horizon_days that follow, and compare with what happened, over all who had bought by as_of: the fitted model, customers, actual and predicted purchases, bias (predicted / actual - 1), log_score (mean ln of the probability given to the count that came; higher is better), brier (mean squared error of P(at least one purchase)), rmse and mae (of the count), calibration (by frequency: customers, actual and predicted purchases and active customers), tracking (cumulative actual and predicted purchases after each time unit); all but fitted NULL where the fit has no maximum';

CREATE FUNCTION customer_tier.clv_compare(histories regclass, as_of date, horizon_days integer,
	models text[] DEFAULT '{mbg/nbd,bg/nbd,pareto/nbd,nbd,mbg/cnbd-k,bg/cnbd-k}', days_per_unit double precision DEFAULT 7,
	history_column name DEFAULT 'history',
	OUT model text, OUT status text, OUT log_score double precision, OUT log_likelihood double precision,
	OUT aic double precision, OUT bic double precision, OUT bias double precision, OUT brier double precision,
	OUT rmse double precision, OUT mae double precision) RETURNS SETOF record
	LANGUAGE SQL STABLE PARALLEL RESTRICTED COST 1000000 ROWS 6
	AS $$
	SELECT m.name, b.fitted->>'status', b.log_score, customer_tier.log_likelihood(b.fitted),
		customer_tier.aic(b.fitted), customer_tier.bic(b.fitted), b.bias, b.brier, b.rmse, b.mae
	FROM pg_catalog.unnest(models) AS m(name),
		customer_tier.clv_backtest(histories, as_of, horizon_days, m.name, days_per_unit, 0, history_column) AS b
	ORDER BY b.log_score DESC NULLS LAST, m.name
	$$;
COMMENT ON FUNCTION customer_tier.clv_compare(regclass, date, integer, text[], double precision, name) IS
	'clv_backtest() of several purchase models on the same histories, best first by the log predictive score of the horizon (not by mae, which rewards predicting zero)';

CREATE FUNCTION customer_tier.clv_compare(models customer_tier.clv_model[],
	OUT model text, OUT status text, OUT estimated integer, OUT log_likelihood double precision,
	OUT aic double precision, OUT bic double precision, OUT bic_behind double precision) RETURNS SETOF record
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT ROWS 6
	AS $$
DECLARE
	forms integer;
	prints integer;
BEGIN
	SELECT pg_catalog.count(DISTINCT m->'data'->>'fingerprint'),
		pg_catalog.count(DISTINCT CASE WHEN m->>'model' IN ('bg/bb', 'gamma-gamma', 'sbg') THEN m->>'model' ELSE 'purchases' END)
	INTO prints, forms
	FROM pg_catalog.unnest(models) AS m;
	IF prints > 1 THEN
		RAISE EXCEPTION 'models of different data cannot be compared'
			USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'Their likelihoods are of different rows.',
			HINT = 'Fit all of them to the same customers, in the same time unit.';
	END IF;
	IF forms > 1 THEN
		RAISE EXCEPTION 'models of different things cannot be compared'
			USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'Likelihoods of times, of opportunities, of spend and of retention have no common measure.';
	END IF;
	RETURN QUERY
		SELECT CASE WHEN (m->'params') ? 'k' THEN pg_catalog.replace(m->>'model', 'cnbd-k', 'cnbd-' || (m->'params'->>'k'))
				ELSE m->>'model' END,
			m->>'status', (m->>'estimated')::integer, customer_tier.log_likelihood(m), customer_tier.aic(m), customer_tier.bic(m),
			customer_tier.bic(m) - pg_catalog.min(customer_tier.bic(m)) OVER ()
		FROM pg_catalog.unnest(models) AS m
		ORDER BY customer_tier.bic(m), m->>'model';
END
$$;
COMMENT ON FUNCTION customer_tier.clv_compare(customer_tier.clv_model[]) IS
	'log-likelihood and criteria of models fitted to the same rows, best first by bic; bic_behind is the distance to the best (10 and more is decisive); models of different data are refused';
