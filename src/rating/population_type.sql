-- Values of a population as a value: what can be measured in parts by whoever
-- combines aggregates by the types of their states.

CREATE TYPE customer_tier.population;

CREATE FUNCTION customer_tier.population_in(cstring) RETURNS customer_tier.population
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_in';
COMMENT ON FUNCTION customer_tier.population_in(cstring) IS 'reads the text form of population';

CREATE FUNCTION customer_tier.population_out(customer_tier.population) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_out';
COMMENT ON FUNCTION customer_tier.population_out(customer_tier.population) IS 'writes the text form of population';

CREATE FUNCTION customer_tier.population_recv(internal) RETURNS customer_tier.population
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_recv';
COMMENT ON FUNCTION customer_tier.population_recv(internal) IS 'reads the binary form of population';

CREATE FUNCTION customer_tier.population_send(customer_tier.population) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_send';
COMMENT ON FUNCTION customer_tier.population_send(customer_tier.population) IS 'writes the binary form of population';

CREATE TYPE customer_tier.population (
    INPUT = customer_tier.population_in,
    OUTPUT = customer_tier.population_out,
    RECEIVE = customer_tier.population_recv,
    SEND = customer_tier.population_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = extended
);
COMMENT ON TYPE customer_tier.population IS
    'the values of a population, as {value,value*count,...}: partial results of it can be joined by population_rollup(), and members() gives the values to the aggregates that measure them';

CREATE FUNCTION customer_tier.population_add(state customer_tier.population, value double precision) RETURNS customer_tier.population
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_add';
COMMENT ON FUNCTION customer_tier.population_add(customer_tier.population, double precision) IS 'transition function of population()';

CREATE FUNCTION customer_tier.population_join(state customer_tier.population, other customer_tier.population) RETURNS customer_tier.population
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_join';
COMMENT ON FUNCTION customer_tier.population_join(customer_tier.population, customer_tier.population) IS 'combine function of population(), and transition function of population_rollup()';

CREATE FUNCTION customer_tier.population_flat(state customer_tier.population) RETURNS customer_tier.population
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'population_flat';
COMMENT ON FUNCTION customer_tier.population_flat(customer_tier.population) IS 'final function of population() and population_rollup()';

CREATE AGGREGATE customer_tier.population(value double precision) (
    SFUNC = customer_tier.population_add,
    STYPE = customer_tier.population,
    SSPACE = 4096,
    FINALFUNC = customer_tier.population_flat,
    COMBINEFUNC = customer_tier.population_join,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.population(double precision) IS
    'the values, as a population; NULL is skipped, NaN is an error. Its state is of a type, so that what combines aggregates over several servers can combine it';

CREATE AGGREGATE customer_tier.population_rollup(part customer_tier.population) (
    SFUNC = customer_tier.population_join,
    STYPE = customer_tier.population,
    SSPACE = 4096,
    FINALFUNC = customer_tier.population_flat,
    COMBINEFUNC = customer_tier.population_join,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.population_rollup(customer_tier.population) IS
    'populations joined to one, e.g. those of several shards; NULL is skipped';

CREATE FUNCTION customer_tier.members(population customer_tier.population) RETURNS SETOF double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 AS 'MODULE_PATHNAME', 'population_members';
COMMENT ON FUNCTION customer_tier.members(customer_tier.population) IS
    'the values of a population, ascending, each as often as it is there: quantile_cuts(m, 5) FROM members(population) AS m, and so on with every aggregate over values';
