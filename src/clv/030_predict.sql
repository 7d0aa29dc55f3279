-- What a model predicts for a customer: see clv_predict.c.
--
-- A customer is (frequency, recency, age): repeat purchases, time of the last one
-- since the first, time observed since the first, as btyd() gives them, in the
-- time unit of the model; for bg/bb purchases, opportunity of the last one and
-- number of opportunities.  All functions are NULL for NULL.

CREATE FUNCTION customer_tier.p_alive(model customer_tier.clv_model, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_p_alive' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.p_alive(customer_tier.clv_model, double precision, double precision, double precision) IS
	'probability that the customer has not dropped out by now (bg/bb: at the last opportunity)';

CREATE FUNCTION customer_tier.p_alive(model customer_tier.clv_model, ahead double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_p_alive_ahead' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.p_alive(customer_tier.clv_model, double precision, double precision, double precision, double precision) IS
	'probability that the customer has not dropped out at age + ahead, in time units of the model';

CREATE FUNCTION customer_tier.p_active(model customer_tier.clv_model, horizon double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_p_active' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.p_active(customer_tier.clv_model, double precision, double precision, double precision, double precision) IS
	'probability of at least one purchase within the horizon, in time units of the model: what "not churned" means where it can be tested';

CREATE FUNCTION customer_tier.expected_purchases(model customer_tier.clv_model, horizon double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_expected_purchases' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.expected_purchases(customer_tier.clv_model, double precision, double precision, double precision, double precision) IS
	'expected number of purchases of the customer within the horizon, in time units of the model; Infinity for an infinite horizon where the mean does not exist';

CREATE FUNCTION customer_tier.expected_purchases(model customer_tier.clv_model, horizon double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_expected_purchases_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.expected_purchases(customer_tier.clv_model, double precision) IS
	'expected number of repeat purchases of a new customer within the horizon, in time units of the model';

CREATE FUNCTION customer_tier.p_purchases(model customer_tier.clv_model, n bigint, horizon double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_p_purchases' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION customer_tier.p_purchases(customer_tier.clv_model, bigint, double precision, double precision, double precision, double precision) IS
	'probability of exactly n purchases of the customer within the horizon, in time units of the model';

CREATE FUNCTION customer_tier.p_purchases(model customer_tier.clv_model, n bigint, horizon double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_p_purchases_new' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION customer_tier.p_purchases(customer_tier.clv_model, bigint, double precision) IS
	'probability of exactly n repeat purchases of a new customer within the horizon, in time units of the model';

CREATE FUNCTION customer_tier.purchases_distribution(model customer_tier.clv_model, up_to integer, horizon double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'clv_purchases_distribution' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION customer_tier.purchases_distribution(customer_tier.clv_model, integer, double precision, double precision, double precision, double precision) IS
	'probabilities of 0, 1, ... up_to purchases of the customer within the horizon, in time units of the model';

CREATE FUNCTION customer_tier.dert(model customer_tier.clv_model, discount double precision, frequency double precision, recency double precision, age double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_dert' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.dert(customer_tier.clv_model, double precision, double precision, double precision, double precision) IS
	'discounted expected residual transactions: all future purchases of the customer, discounted by a continuous rate per time unit of the model (bg/bb: a rate per opportunity); Infinity at discount 0 where the mean does not exist';

CREATE FUNCTION customer_tier.expected_spend(model customer_tier.clv_model, frequency double precision, monetary double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_expected_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION customer_tier.expected_spend(customer_tier.clv_model, double precision, double precision) IS
	'expected mean amount of the customers purchases, in currency units, given the mean amount of so many repeat purchases (any number when there are none); NULL without repeat purchases under q <= 1, where the population has no mean, and for a mean amount of 0 or less (refunds), which the model has no place for';

CREATE FUNCTION customer_tier.clv(purchase_model customer_tier.clv_model, spend_model customer_tier.clv_model, horizon double precision, discount double precision, frequency double precision, recency double precision, age double precision, monetary double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION customer_tier.clv(customer_tier.clv_model, customer_tier.clv_model, double precision, double precision, double precision, double precision, double precision, double precision) IS
	'value of the customers purchases within the horizon, in currency units: expected discounted purchases times expected spend; horizon in time units of the purchase model or Infinity, discount a continuous rate per time unit: ln(1 + annual) / (365.25 / days_per_unit); NULL where expected_spend() is';

CREATE FUNCTION customer_tier.survival(model customer_tier.clv_model, period double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_survival' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.survival(customer_tier.clv_model, double precision) IS
	'probability that a new customer is still one after so many periods (sbg)';

CREATE FUNCTION customer_tier.p_churn(model customer_tier.clv_model, period double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_p_churn' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.p_churn(customer_tier.clv_model, double precision) IS
	'probability that a new customer is lost at the end of that period (sbg)';

CREATE FUNCTION customer_tier.retention_rate(model customer_tier.clv_model, period double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_retention' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.retention_rate(customer_tier.clv_model, double precision) IS
	'probability that a customer in that period renews at its end (sbg)';

CREATE FUNCTION customer_tier.expected_lifetime(model customer_tier.clv_model, discount double precision DEFAULT 0) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_expected_lifetime' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.expected_lifetime(customer_tier.clv_model, double precision) IS
	'expected lifetime of a new customer in periods, the first included, discounted by a rate per period (DEL of sbg); Infinity at discount 0 when alpha <= 1';

CREATE FUNCTION customer_tier.residual_lifetime(model customer_tier.clv_model, discount double precision, period double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'clv_residual_lifetime' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.residual_lifetime(customer_tier.clv_model, double precision, double precision) IS
	'expected remaining lifetime of a customer in that period, about to renew, in periods, discounted by a rate per period (DERL of sbg); Infinity at discount 0 when alpha <= 1';
