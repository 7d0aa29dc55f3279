-- The state of aggregates that keep every value of a population.  They share
-- these functions, and so one state where a query has several of them.

CREATE FUNCTION customer_tier.population_accum(internal, value double precision)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_accum';
CREATE FUNCTION customer_tier.population_combine(internal, internal)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_combine';
CREATE FUNCTION customer_tier.population_serialize(internal)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_serialize';
CREATE FUNCTION customer_tier.population_deserialize(bytea, internal)
RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_deserialize';
