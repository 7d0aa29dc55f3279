-- What the aggregates over everyone keep between two rows, as a type: they can
-- be computed in parts by whoever combines aggregates by the types of their
-- states.

CREATE TYPE customer_tier.partial_state;

CREATE FUNCTION customer_tier.partial_state_in(cstring) RETURNS customer_tier.partial_state
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'partial_state_in';
COMMENT ON FUNCTION customer_tier.partial_state_in(cstring) IS 'reads the text form of partial_state';

CREATE FUNCTION customer_tier.partial_state_out(customer_tier.partial_state) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'partial_state_out';
COMMENT ON FUNCTION customer_tier.partial_state_out(customer_tier.partial_state) IS 'writes the text form of partial_state';

CREATE FUNCTION customer_tier.partial_state_recv(internal) RETURNS customer_tier.partial_state
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'partial_state_recv';
COMMENT ON FUNCTION customer_tier.partial_state_recv(internal) IS 'reads the binary form of partial_state';

CREATE FUNCTION customer_tier.partial_state_send(customer_tier.partial_state) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'partial_state_send';
COMMENT ON FUNCTION customer_tier.partial_state_send(customer_tier.partial_state) IS 'writes the binary form of partial_state';

CREATE TYPE customer_tier.partial_state (
    INPUT = customer_tier.partial_state_in,
    OUTPUT = customer_tier.partial_state_out,
    RECEIVE = customer_tier.partial_state_recv,
    SEND = customer_tier.partial_state_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE customer_tier.partial_state IS
    'what an aggregate over everyone keeps between two rows, for what combines aggregates by the types of their states; a version, the kind of the aggregate, and its counts, sums or values';
