-- The models of customer lifetime value as values: clv_model and what reads it.

CREATE FUNCTION customer_tier.clv_model_is_valid(model jsonb) RETURNS boolean
	AS 'MODULE_PATHNAME', 'clv_model_is_valid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_model_is_valid(jsonb) IS
	'check of the domain clv_model: is this jsonb a model of version 1 that can be read?';

CREATE DOMAIN customer_tier.clv_model AS jsonb
	CONSTRAINT clv_model_is_valid CHECK (customer_tier.clv_model_is_valid(VALUE));
COMMENT ON DOMAIN customer_tier.clv_model IS
	'a model of customer lifetime value. Keys: version (1), model (its name), params (by name, or null when the data determine none), covariance (of the ln of the parameters, in the papers'' order), estimated (number of fitted parameters), status (ok, boundary, no_maximum, too_few; given for parameters that were not fitted), converged, iterations, log_likelihood (without the penalty), penalty, days_per_unit (time unit of the rates, 7 = weeks), data (customers, repeaters, purchases, distinct_rows, skipped, correlation, fingerprint of the rows it was fitted to)';

CREATE FUNCTION customer_tier.clv_model(model text, params double precision[]) RETURNS customer_tier.clv_model
	AS 'MODULE_PATHNAME', 'clv_model_create' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_model(text, double precision[]) IS
	'a model of known parameters, in the order of the papers: bg/nbd and mbg/nbd r, alpha, a, b; pareto/nbd r, alpha, s, beta; nbd r, alpha; bg/bb alpha, beta, gamma, delta; bg/cnbd-k and mbg/cnbd-k r, alpha, a, b, k (or bg/cnbd-2 and r, alpha, a, b); gamma-gamma p, q, v; sbg alpha, beta';

CREATE FUNCTION customer_tier.param(model customer_tier.clv_model, name text) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_param' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.param(customer_tier.clv_model, text) IS
	'a parameter of a model; rates (alpha and beta of the continuous models) in units of days_per_unit days, v of gamma-gamma in currency units; NULL when the fit found none';

CREATE FUNCTION customer_tier.param_names(model customer_tier.clv_model) RETURNS text[]
	AS 'MODULE_PATHNAME', 'clv_param_names' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.param_names(customer_tier.clv_model) IS
	'names of the parameters of a model, in the order of its paper';

CREATE FUNCTION customer_tier.std_error(model customer_tier.clv_model, name text) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_std_error' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.std_error(customer_tier.clv_model, text) IS
	'standard error of a fitted parameter, in its unit; NULL where there is none (given parameters, fits that ended at a boundary, k)';

CREATE FUNCTION customer_tier.param_interval(model customer_tier.clv_model, name text, level double precision DEFAULT 0.95,
	OUT lower double precision, OUT upper double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_param_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.param_interval(customer_tier.clv_model, text, double precision) IS
	'confidence interval of a fitted parameter, in its unit, made on the log scale; NULLs where there is none';

CREATE FUNCTION customer_tier.clv_params(model customer_tier.clv_model, level double precision DEFAULT 0.95,
	OUT name text, OUT estimate double precision, OUT std_error double precision,
	OUT lower double precision, OUT upper double precision) RETURNS SETOF record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 5
	AS $$
	SELECT p.name, customer_tier.param(model, p.name), customer_tier.std_error(model, p.name), i.lower, i.upper
	FROM pg_catalog.unnest(customer_tier.param_names(model)) WITH ORDINALITY AS p(name, number),
		customer_tier.param_interval(model, p.name, level) AS i
	ORDER BY p.number
	$$;
COMMENT ON FUNCTION customer_tier.clv_params(customer_tier.clv_model, double precision) IS
	'the parameters of a model, one a row: estimate, standard error and confidence interval, in the units of param()';

CREATE FUNCTION customer_tier.aic(model customer_tier.clv_model) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_aic' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.aic(customer_tier.clv_model) IS
	'Akaike''s criterion 2 p - 2 ln L, lower is better; NULL for penalised fits and given parameters';

CREATE FUNCTION customer_tier.bic(model customer_tier.clv_model) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_bic' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.bic(customer_tier.clv_model) IS
	'the Bayesian criterion p ln n - 2 ln L of n customers, lower is better; NULL for penalised fits and given parameters';

CREATE FUNCTION customer_tier.log_likelihood(model customer_tier.clv_model) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_log_likelihood_fitted' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.log_likelihood(customer_tier.clv_model) IS
	'log-likelihood of the rows a model was fitted to, without the penalty; NULL for given parameters';

CREATE FUNCTION customer_tier.log_likelihood(model customer_tier.clv_model, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_log_likelihood_row' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.log_likelihood(customer_tier.clv_model, double precision, double precision, double precision) IS
	'log-likelihood of one customer under a purchase model, all constants kept; times in units of the model (bg/bb: opportunities)';

CREATE FUNCTION customer_tier.log_likelihood(model customer_tier.clv_model, frequency double precision, recency double precision, age double precision, litt double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_log_likelihood_timed_row' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.log_likelihood(customer_tier.clv_model, double precision, double precision, double precision, double precision) IS
	'log-likelihood of one customer, with the sum of the ln of the times between purchases that the cnbd-k models read';

CREATE FUNCTION customer_tier.log_likelihood(model customer_tier.clv_model, frequency double precision, monetary double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_log_likelihood_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.log_likelihood(customer_tier.clv_model, double precision, double precision) IS
	'log-likelihood of one customer''s mean spend under gamma-gamma';
