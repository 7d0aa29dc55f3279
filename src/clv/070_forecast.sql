-- What a model expects of many customers together; see clv_forecast.c.

CREATE FUNCTION customer_tier.forecast_accum(internal, customer_tier.clv_model, customer_tier.clv_model, double precision[], double precision, double precision, double precision, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'clv_forecast_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION customer_tier.forecast_accum(internal, customer_tier.clv_model, customer_tier.clv_model, double precision[], double precision, double precision, double precision, double precision) IS 'transition function of forecast_totals()';

CREATE FUNCTION customer_tier.forecast_final(internal) RETURNS double precision[]
	AS 'MODULE_PATHNAME', 'clv_forecast_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.forecast_final(internal) IS 'final function of forecast_totals()';

-- Not for parallel plans: a forecast is written, and what writes is not parallel.
CREATE AGGREGATE customer_tier.forecast_totals(purchase customer_tier.clv_model, spend customer_tier.clv_model, ends double precision[], frequency double precision, recency double precision, age double precision, monetary double precision) (
	SFUNC = customer_tier.forecast_accum, FINALFUNC = customer_tier.forecast_final,
	STYPE = internal, SSPACE = 16384, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE customer_tier.forecast_totals(purchase customer_tier.clv_model, spend customer_tier.clv_model, ends double precision[], frequency double precision, recency double precision, age double precision, monetary double precision) IS
	'internal: what two models (spend may be NULL) expect of all customers together in up to 12 periods that end at the given times: a row each for purchases, their variance, revenue in currency units, its variance; a column a period';
