-- Values of a population as a value: it can be measured in parts by whoever
-- combines aggregates by the types of their states.

CREATE TYPE customer_tier.value_counts;

CREATE FUNCTION customer_tier.value_counts_in(cstring) RETURNS customer_tier.value_counts
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_in';
COMMENT ON FUNCTION customer_tier.value_counts_in(cstring) IS 'reads the text form of value_counts';

CREATE FUNCTION customer_tier.value_counts_out(customer_tier.value_counts) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_out';
COMMENT ON FUNCTION customer_tier.value_counts_out(customer_tier.value_counts) IS 'writes the text form of value_counts';

CREATE FUNCTION customer_tier.value_counts_recv(internal) RETURNS customer_tier.value_counts
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_recv';
COMMENT ON FUNCTION customer_tier.value_counts_recv(internal) IS 'reads the binary form of value_counts';

CREATE FUNCTION customer_tier.value_counts_send(customer_tier.value_counts) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_send';
COMMENT ON FUNCTION customer_tier.value_counts_send(customer_tier.value_counts) IS 'writes the binary form of value_counts';

CREATE TYPE customer_tier.value_counts (
    INPUT = customer_tier.value_counts_in,
    OUTPUT = customer_tier.value_counts_out,
    RECEIVE = customer_tier.value_counts_recv,
    SEND = customer_tier.value_counts_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = extended
);
COMMENT ON TYPE customer_tier.value_counts IS
    'the values of a population, as {value,value*count,...}: partial results of it can be joined by value_counts_rollup(), and members() gives the values to the aggregates that measure them';

CREATE FUNCTION customer_tier.value_counts_add(state customer_tier.value_counts, value double precision) RETURNS customer_tier.value_counts
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_add';
COMMENT ON FUNCTION customer_tier.value_counts_add(customer_tier.value_counts, double precision) IS 'transition function of value_counts()';

CREATE FUNCTION customer_tier.value_counts_join(state customer_tier.value_counts, other customer_tier.value_counts) RETURNS customer_tier.value_counts
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_join';
COMMENT ON FUNCTION customer_tier.value_counts_join(customer_tier.value_counts, customer_tier.value_counts) IS 'combine function of value_counts(), and transition function of value_counts_rollup()';

CREATE FUNCTION customer_tier.value_counts_flat(state customer_tier.value_counts) RETURNS customer_tier.value_counts
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_counts_flat';
COMMENT ON FUNCTION customer_tier.value_counts_flat(customer_tier.value_counts) IS 'final function of value_counts() and value_counts_rollup()';

CREATE AGGREGATE customer_tier.value_counts(value double precision) (
    SFUNC = customer_tier.value_counts_add,
    STYPE = customer_tier.value_counts,
    SSPACE = 4096,
    FINALFUNC = customer_tier.value_counts_flat,
    COMBINEFUNC = customer_tier.value_counts_join,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.value_counts(double precision) IS
    'the distinct values and how often each is there; NULL is skipped, NaN is an error. Its state is of a type, so that what combines aggregates over several servers can combine it';

CREATE AGGREGATE customer_tier.value_counts_rollup(part customer_tier.value_counts) (
    SFUNC = customer_tier.value_counts_join,
    STYPE = customer_tier.value_counts,
    SSPACE = 4096,
    FINALFUNC = customer_tier.value_counts_flat,
    COMBINEFUNC = customer_tier.value_counts_join,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.value_counts_rollup(customer_tier.value_counts) IS
    'the counts of parts joined to one, e.g. those of several shards; NULL is skipped';

CREATE FUNCTION customer_tier.members(counts customer_tier.value_counts) RETURNS SETOF double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 AS 'MODULE_PATHNAME', 'value_counts_members';
COMMENT ON FUNCTION customer_tier.members(customer_tier.value_counts) IS
    'the values of a population, ascending, each as often as it is there: quantile_cuts(m, 5) FROM members(counts) AS m, and so on with every aggregate over values';
