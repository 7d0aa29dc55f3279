-- The state of aggregates that keep every value of a population.  They share
-- these functions, and so one state where a query has several of them.

CREATE FUNCTION customer_tier.population_accum(state customer_tier.partial_state, value double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_accum';
CREATE FUNCTION customer_tier.population_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_combine';
