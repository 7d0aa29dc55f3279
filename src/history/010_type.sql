-- The type purchase_history: its text and binary form, order and hash.

CREATE TYPE customer_tier.purchase_history;

CREATE FUNCTION customer_tier.history_in(cstring) RETURNS customer_tier.purchase_history
	AS 'MODULE_PATHNAME', 'history_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_in(cstring) IS 'reads the text form of purchase_history';

CREATE FUNCTION customer_tier.history_out(customer_tier.purchase_history) RETURNS cstring
	AS 'MODULE_PATHNAME', 'history_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_out(customer_tier.purchase_history) IS 'writes the text form of purchase_history';

CREATE FUNCTION customer_tier.history_recv(internal) RETURNS customer_tier.purchase_history
	AS 'MODULE_PATHNAME', 'history_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_recv(internal) IS 'reads the binary form of purchase_history';

CREATE FUNCTION customer_tier.history_send(customer_tier.purchase_history) RETURNS bytea
	AS 'MODULE_PATHNAME', 'history_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_send(customer_tier.purchase_history) IS 'writes the binary form of purchase_history';

CREATE TYPE customer_tier.purchase_history (
	INPUT = customer_tier.history_in,
	OUTPUT = customer_tier.history_out,
	RECEIVE = customer_tier.history_recv,
	SEND = customer_tier.history_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended
);
COMMENT ON TYPE customer_tier.purchase_history IS
	'what a customer bought: the map day -> (orders, amount), exact to 6 decimals, a few bytes a purchase day; text form {"2024-01-05":[orders,amount],"2024-01-18":[orders,amount,refunded]}';

-- Order and hash are of the canonical bytes: good for =, GROUP BY, DISTINCT,
-- EXCEPT and joins; "less than" means nothing in particular.

CREATE FUNCTION customer_tier.history_lt(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS boolean
	AS 'MODULE_PATHNAME', 'history_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_lt(customer_tier.purchase_history, customer_tier.purchase_history) IS 'implementation of < operator';

CREATE FUNCTION customer_tier.history_le(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS boolean
	AS 'MODULE_PATHNAME', 'history_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_le(customer_tier.purchase_history, customer_tier.purchase_history) IS 'implementation of <= operator';

CREATE FUNCTION customer_tier.history_eq(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS boolean
	AS 'MODULE_PATHNAME', 'history_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_eq(customer_tier.purchase_history, customer_tier.purchase_history) IS 'implementation of = operator';

CREATE FUNCTION customer_tier.history_ge(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS boolean
	AS 'MODULE_PATHNAME', 'history_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_ge(customer_tier.purchase_history, customer_tier.purchase_history) IS 'implementation of >= operator';

CREATE FUNCTION customer_tier.history_gt(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS boolean
	AS 'MODULE_PATHNAME', 'history_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_gt(customer_tier.purchase_history, customer_tier.purchase_history) IS 'implementation of > operator';

CREATE FUNCTION customer_tier.history_ne(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS boolean
	AS 'MODULE_PATHNAME', 'history_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_ne(customer_tier.purchase_history, customer_tier.purchase_history) IS 'implementation of <> operator';

CREATE OPERATOR customer_tier.< (
	FUNCTION = customer_tier.history_lt, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.>), NEGATOR = OPERATOR(customer_tier.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR customer_tier.< (customer_tier.purchase_history, customer_tier.purchase_history) IS 'less than';

CREATE OPERATOR customer_tier.<= (
	FUNCTION = customer_tier.history_le, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.>=), NEGATOR = OPERATOR(customer_tier.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR customer_tier.<= (customer_tier.purchase_history, customer_tier.purchase_history) IS 'less than or equal';

CREATE OPERATOR customer_tier.= (
	FUNCTION = customer_tier.history_eq, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.=), NEGATOR = OPERATOR(customer_tier.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR customer_tier.= (customer_tier.purchase_history, customer_tier.purchase_history) IS 'equal: the same orders and amounts on the same days';

CREATE OPERATOR customer_tier.>= (
	FUNCTION = customer_tier.history_ge, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.<=), NEGATOR = OPERATOR(customer_tier.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR customer_tier.>= (customer_tier.purchase_history, customer_tier.purchase_history) IS 'greater than or equal';

CREATE OPERATOR customer_tier.> (
	FUNCTION = customer_tier.history_gt, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.<), NEGATOR = OPERATOR(customer_tier.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR customer_tier.> (customer_tier.purchase_history, customer_tier.purchase_history) IS 'greater than';

CREATE OPERATOR customer_tier.<> (
	FUNCTION = customer_tier.history_ne, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.<>), NEGATOR = OPERATOR(customer_tier.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR customer_tier.<> (customer_tier.purchase_history, customer_tier.purchase_history) IS 'not equal';

CREATE FUNCTION customer_tier.history_cmp(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS integer
	AS 'MODULE_PATHNAME', 'history_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_cmp(customer_tier.purchase_history, customer_tier.purchase_history) IS 'less-equal-greater';

CREATE FUNCTION customer_tier.history_hash(customer_tier.purchase_history) RETURNS integer
	AS 'MODULE_PATHNAME', 'history_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_hash(customer_tier.purchase_history) IS 'hash';

CREATE FUNCTION customer_tier.history_hash_extended(customer_tier.purchase_history, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'history_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_hash_extended(customer_tier.purchase_history, bigint) IS 'hash';

CREATE OPERATOR CLASS customer_tier.purchase_history_ops DEFAULT FOR TYPE customer_tier.purchase_history USING btree AS
	OPERATOR 1 customer_tier.<,
	OPERATOR 2 customer_tier.<=,
	OPERATOR 3 customer_tier.=,
	OPERATOR 4 customer_tier.>=,
	OPERATOR 5 customer_tier.>,
	FUNCTION 1 customer_tier.history_cmp(customer_tier.purchase_history, customer_tier.purchase_history);
COMMENT ON OPERATOR CLASS customer_tier.purchase_history_ops USING btree IS 'order of the canonical bytes';

CREATE OPERATOR CLASS customer_tier.purchase_history_hash_ops DEFAULT FOR TYPE customer_tier.purchase_history USING hash AS
	OPERATOR 1 customer_tier.=,
	FUNCTION 1 customer_tier.history_hash(customer_tier.purchase_history),
	FUNCTION 2 customer_tier.history_hash_extended(customer_tier.purchase_history, bigint);
COMMENT ON OPERATOR CLASS customer_tier.purchase_history_hash_ops USING hash IS 'hash of the canonical bytes';
