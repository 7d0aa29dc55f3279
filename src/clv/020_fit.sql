-- The aggregates that fit models of customer lifetime value.
--
-- All of them collapse their rows to the distinct ones and share a combine
-- function; see clv_fit_agg.c.

CREATE FUNCTION customer_tier.clv_fit_combine(state customer_tier.partial_state, other customer_tier.partial_state) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_combine(customer_tier.partial_state, customer_tier.partial_state) IS 'combine function of the aggregates that fit';

CREATE FUNCTION customer_tier.clv_fit_final(state customer_tier.partial_state) RETURNS customer_tier.clv_model
	AS 'MODULE_PATHNAME', 'clv_fit_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION customer_tier.clv_fit_final(customer_tier.partial_state) IS 'final function of clv_fit(), clv_fit_pooled() and spend_fit(), and of retention_fit(period, renewed, lost)';

CREATE FUNCTION customer_tier.clv_survivors_final(state customer_tier.partial_state) RETURNS customer_tier.clv_model
	AS 'MODULE_PATHNAME', 'clv_survivors_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION customer_tier.clv_survivors_final(customer_tier.partial_state) IS 'final function of retention_fit(period, survivors)';

CREATE FUNCTION customer_tier.clv_fit_accum(state customer_tier.partial_state, text, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_accum(customer_tier.partial_state, text, double precision, double precision, double precision) IS 'transition function of clv_fit()';

CREATE AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision) (
	SFUNC = customer_tier.clv_fit_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision) IS
	'maximum likelihood fit of a purchase model (bg/nbd, mbg/nbd, pareto/nbd, nbd, bg/bb, bg/cnbd-k, mbg/cnbd-k): a row a customer, frequency = repeat purchases, recency = time of the last since the first, age = time observed since the first, times in one unit (weeks by default), opportunities for bg/bb';

CREATE FUNCTION customer_tier.clv_fit_accum(state customer_tier.partial_state, text, double precision, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_accum(customer_tier.partial_state, text, double precision, double precision, double precision, double precision) IS 'transition function of clv_fit()';

CREATE AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision, weight double precision) (
	SFUNC = customer_tier.clv_fit_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision, weight double precision) IS
	'maximum likelihood fit of a purchase model (bg/nbd, mbg/nbd, pareto/nbd, nbd, bg/bb, bg/cnbd-k, mbg/cnbd-k): a row a customer, frequency = repeat purchases, recency = time of the last since the first, age = time observed since the first, times in one unit (weeks by default), opportunities for bg/bb; weight = customers that a row stands for';

CREATE FUNCTION customer_tier.clv_fit_accum(state customer_tier.partial_state, text, double precision, double precision, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_accum(customer_tier.partial_state, text, double precision, double precision, double precision, double precision, double precision) IS 'transition function of clv_fit()';

CREATE AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision, weight double precision, litt double precision) (
	SFUNC = customer_tier.clv_fit_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision, weight double precision, litt double precision) IS
	'maximum likelihood fit of a purchase model (bg/nbd, mbg/nbd, pareto/nbd, nbd, bg/bb, bg/cnbd-k, mbg/cnbd-k): a row a customer, frequency = repeat purchases, recency = time of the last since the first, age = time observed since the first, times in one unit (weeks by default), opportunities for bg/bb; weight = customers that a row stands for; litt = sum of the ln of the times between purchases, which the cnbd-k models need (they search for k unless it is named, as in bg/cnbd-2)';

CREATE FUNCTION customer_tier.clv_fit_accum(state customer_tier.partial_state, text, double precision, double precision, double precision, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_accum(customer_tier.partial_state, text, double precision, double precision, double precision, double precision, double precision, double precision) IS 'transition function of clv_fit()';

CREATE AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision, weight double precision, litt double precision, penalty double precision) (
	SFUNC = customer_tier.clv_fit_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit(model text, frequency double precision, recency double precision, age double precision, weight double precision, litt double precision, penalty double precision) IS
	'maximum likelihood fit of a purchase model (bg/nbd, mbg/nbd, pareto/nbd, nbd, bg/bb, bg/cnbd-k, mbg/cnbd-k): a row a customer, frequency = repeat purchases, recency = time of the last since the first, age = time observed since the first, times in one unit (weeks by default), opportunities for bg/bb; weight = customers that a row stands for; litt = sum of the ln of the times between purchases, which the cnbd-k models need (they search for k unless it is named, as in bg/cnbd-2); penalty = weight of sum over shape parameters of (ln theta)^2 / (2 * 1.5^2), 0 for none';

CREATE FUNCTION customer_tier.clv_fit_pooled_accum(state customer_tier.partial_state, customer_tier.clv_model, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_pooled_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_pooled_accum(customer_tier.partial_state, customer_tier.clv_model, double precision, double precision, double precision) IS 'transition function of clv_fit_pooled()';

CREATE AGGREGATE customer_tier.clv_fit_pooled(pooled customer_tier.clv_model, frequency double precision, recency double precision, age double precision) (
	SFUNC = customer_tier.clv_fit_pooled_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit_pooled(pooled customer_tier.clv_model, frequency double precision, recency double precision, age double precision) IS
	'fit of a group of customers pulled towards the model of all: the ln of its parameters are taken to lie around the pooled ones with a standard deviation of 0.5; a large group finds its own parameters, a small one stays near the pooled ones';

CREATE FUNCTION customer_tier.clv_fit_pooled_accum(state customer_tier.partial_state, customer_tier.clv_model, double precision, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_pooled_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_pooled_accum(customer_tier.partial_state, customer_tier.clv_model, double precision, double precision, double precision, double precision) IS 'transition function of clv_fit_pooled()';

CREATE AGGREGATE customer_tier.clv_fit_pooled(pooled customer_tier.clv_model, frequency double precision, recency double precision, age double precision, weight double precision) (
	SFUNC = customer_tier.clv_fit_pooled_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit_pooled(pooled customer_tier.clv_model, frequency double precision, recency double precision, age double precision, weight double precision) IS
	'fit of a group of customers pulled towards the model of all: the ln of its parameters are taken to lie around the pooled ones with a standard deviation of 0.5; weight = customers that a row stands for';

CREATE FUNCTION customer_tier.clv_fit_pooled_accum(state customer_tier.partial_state, customer_tier.clv_model, double precision, double precision, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_fit_pooled_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_fit_pooled_accum(customer_tier.partial_state, customer_tier.clv_model, double precision, double precision, double precision, double precision, double precision) IS 'transition function of clv_fit_pooled()';

CREATE AGGREGATE customer_tier.clv_fit_pooled(pooled customer_tier.clv_model, frequency double precision, recency double precision, age double precision, weight double precision, spread double precision) (
	SFUNC = customer_tier.clv_fit_pooled_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.clv_fit_pooled(pooled customer_tier.clv_model, frequency double precision, recency double precision, age double precision, weight double precision, spread double precision) IS
	'fit of a group of customers pulled towards the model of all: the ln of its parameters are taken to lie around the pooled ones with a standard deviation of spread; weight = customers that a row stands for';

CREATE FUNCTION customer_tier.clv_spend_accum(state customer_tier.partial_state, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_spend_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_spend_accum(customer_tier.partial_state, double precision, double precision) IS 'transition function of spend_fit()';

CREATE AGGREGATE customer_tier.spend_fit(frequency double precision, monetary double precision) (
	SFUNC = customer_tier.clv_spend_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.spend_fit(frequency double precision, monetary double precision) IS
	'maximum likelihood fit of gamma-gamma, the model of spend: frequency = repeat purchases, monetary = their mean amount in currency units; customers without repeat purchases do not count, rows with a mean amount of 0 or less are skipped and counted; warns when frequency and spend are correlated above 0.3';

CREATE FUNCTION customer_tier.clv_spend_accum(state customer_tier.partial_state, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_spend_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_spend_accum(customer_tier.partial_state, double precision, double precision, double precision) IS 'transition function of spend_fit()';

CREATE AGGREGATE customer_tier.spend_fit(frequency double precision, monetary double precision, weight double precision) (
	SFUNC = customer_tier.clv_spend_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.spend_fit(frequency double precision, monetary double precision, weight double precision) IS
	'maximum likelihood fit of gamma-gamma, the model of spend: frequency = repeat purchases, monetary = their mean amount in currency units; customers without repeat purchases do not count, rows with a mean amount of 0 or less are skipped and counted; warns when frequency and spend are correlated above 0.3; weight = customers that a row stands for';

CREATE FUNCTION customer_tier.clv_spend_accum(state customer_tier.partial_state, double precision, double precision, double precision, double precision) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_spend_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_spend_accum(customer_tier.partial_state, double precision, double precision, double precision, double precision) IS 'transition function of spend_fit()';

CREATE AGGREGATE customer_tier.spend_fit(frequency double precision, monetary double precision, weight double precision, penalty double precision) (
	SFUNC = customer_tier.clv_spend_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.spend_fit(frequency double precision, monetary double precision, weight double precision, penalty double precision) IS
	'maximum likelihood fit of gamma-gamma, the model of spend: frequency = repeat purchases, monetary = their mean amount in currency units; customers without repeat purchases do not count, rows with a mean amount of 0 or less are skipped and counted; warns when frequency and spend are correlated above 0.3; weight = customers that a row stands for; penalty = weight of sum over shape parameters of (ln theta)^2 / (2 * 1.5^2), 0 for none';

CREATE FUNCTION customer_tier.clv_survivors_accum(state customer_tier.partial_state, integer, bigint) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_survivors_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_survivors_accum(customer_tier.partial_state, integer, bigint) IS 'transition function of retention_fit()';

CREATE AGGREGATE customer_tier.retention_fit(period integer, survivors bigint) (
	SFUNC = customer_tier.clv_survivors_accum, FINALFUNC = customer_tier.clv_survivors_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.retention_fit(period integer, survivors bigint) IS
	'maximum likelihood fit of sbg, the model of contractual retention, to one cohort: customers left at the end of each period, from period 0 (all) on';

CREATE FUNCTION customer_tier.clv_renewals_accum(state customer_tier.partial_state, integer, bigint, bigint) RETURNS customer_tier.partial_state
	AS 'MODULE_PATHNAME', 'clv_renewals_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.clv_renewals_accum(customer_tier.partial_state, integer, bigint, bigint) IS 'transition function of retention_fit()';

CREATE AGGREGATE customer_tier.retention_fit(period integer, renewed bigint, lost bigint) (
	SFUNC = customer_tier.clv_renewals_accum, FINALFUNC = customer_tier.clv_fit_final,
	STYPE = customer_tier.partial_state, SSPACE = 65536, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.clv_fit_combine
);
COMMENT ON AGGREGATE customer_tier.retention_fit(period integer, renewed bigint, lost bigint) IS
	'maximum likelihood fit of sbg, the model of contractual retention, to cohorts of any age: how many customers renewed and how many were lost at the end of their period 1, 2, ...';
