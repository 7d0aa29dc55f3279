-- How sure a prediction is: two kinds of intervals, see clv_interval.c.
--
-- An interval of a mean says how well the mean is known.  Where the number of
-- purchases itself will fall is another question, and a much wider interval.

CREATE FUNCTION customer_tier.expected_purchases_interval(model customer_tier.clv_model, level double precision, horizon double precision, frequency double precision, recency double precision, age double precision, OUT lower double precision, OUT upper double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_expected_purchases_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
COMMENT ON FUNCTION customer_tier.expected_purchases_interval(customer_tier.clv_model, double precision, double precision, double precision, double precision, double precision) IS
	'confidence interval of the MEAN that expected_purchases() gives: what the fit leaves open about it. The count itself scatters far more widely: see purchases_interval(); NULLs for a model without covariance (given parameters, fits that ended at a boundary)';

CREATE FUNCTION customer_tier.expected_purchases_interval(model customer_tier.clv_model, level double precision, horizon double precision, OUT lower double precision, OUT upper double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_expected_purchases_interval_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
COMMENT ON FUNCTION customer_tier.expected_purchases_interval(customer_tier.clv_model, double precision, double precision) IS
	'confidence interval of the MEAN number of repeat purchases of a new customer; NULLs for a model without covariance (given parameters, fits that ended at a boundary)';

CREATE FUNCTION customer_tier.p_alive_interval(model customer_tier.clv_model, level double precision, frequency double precision, recency double precision, age double precision, OUT lower double precision, OUT upper double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_p_alive_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION customer_tier.p_alive_interval(customer_tier.clv_model, double precision, double precision, double precision, double precision) IS
	'confidence interval of p_alive(): what the fit leaves open about the probability; NULLs for a model without covariance (given parameters, fits that ended at a boundary)';

CREATE FUNCTION customer_tier.p_active_interval(model customer_tier.clv_model, level double precision, horizon double precision, frequency double precision, recency double precision, age double precision, OUT lower double precision, OUT upper double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_p_active_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
COMMENT ON FUNCTION customer_tier.p_active_interval(customer_tier.clv_model, double precision, double precision, double precision, double precision, double precision) IS
	'confidence interval of p_active(): what the fit leaves open about the probability; NULLs for a model without covariance (given parameters, fits that ended at a boundary)';

CREATE FUNCTION customer_tier.survival_interval(model customer_tier.clv_model, level double precision, period double precision, OUT lower double precision, OUT upper double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_survival_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION customer_tier.survival_interval(customer_tier.clv_model, double precision, double precision) IS
	'confidence interval of survival(): what the fit leaves open about the probability; NULLs for a model without covariance (given parameters, fits that ended at a boundary)';

CREATE FUNCTION customer_tier.purchases_interval(model customer_tier.clv_model, level double precision, horizon double precision, frequency double precision, recency double precision, age double precision, OUT lower bigint, OUT upper bigint) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_purchases_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION customer_tier.purchases_interval(customer_tier.clv_model, double precision, double precision, double precision, double precision, double precision) IS
	'where the NUMBER of purchases of the customer within the horizon will fall with at least the probability level: quantiles of its distribution, both ends included';

CREATE FUNCTION customer_tier.purchases_interval(model customer_tier.clv_model, level double precision, horizon double precision, OUT lower bigint, OUT upper bigint) RETURNS record
	AS 'MODULE_PATHNAME', 'clv_purchases_interval_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION customer_tier.purchases_interval(customer_tier.clv_model, double precision, double precision) IS
	'where the NUMBER of repeat purchases of a new customer within the horizon will fall with at least the probability level';
