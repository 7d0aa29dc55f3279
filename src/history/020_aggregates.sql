-- The aggregates that build histories.
--
-- One transition function in C reads every overload's types from the call; the
-- declarations below are what PostgreSQL needs to resolve them:
--
--   * a day is a date, or a timestamp (its calendar day), or a timestamptz with
--     a time zone, or text of the form YYYY-MM-DD, which is also what untyped
--     literals and NULL resolve to;
--   * an amount is numeric or bigint, which stay exact, or double precision,
--     taken as the decimal it is printed as.  integer and smallint are exact in
--     double precision; date and text have them too, so that literals resolve
--     to text, which no setting of the session reads in another way;
--   * what PostgreSQL would cast through the session's TimeZone in silence is
--     declared as well, and refused with a hint.

CREATE TYPE customer_tier.checked_history AS (
	history customer_tier.purchase_history,
	rows bigint,
	bad bigint
);
COMMENT ON TYPE customer_tier.checked_history IS 'result of purchases_checked()';
COMMENT ON COLUMN customer_tier.checked_history.history IS 'history of the rows that could be used; NULL if there was none';
COMMENT ON COLUMN customer_tier.checked_history.rows IS 'rows seen';
COMMENT ON COLUMN customer_tier.checked_history.bad IS 'rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE FUNCTION customer_tier.history_combine(internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_combine(internal, internal) IS 'combine function of purchases(), purchases_checked() and rollup()';

CREATE FUNCTION customer_tier.history_serialize(internal) RETURNS bytea
	AS 'MODULE_PATHNAME', 'history_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_serialize(internal) IS 'serialization function of purchases(), purchases_checked() and rollup()';

CREATE FUNCTION customer_tier.history_deserialize(bytea, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_deserialize(bytea, internal) IS 'deserialization function of purchases(), purchases_checked() and rollup()';

CREATE FUNCTION customer_tier.history_final(internal) RETURNS customer_tier.purchase_history
	AS 'MODULE_PATHNAME', 'history_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_final(internal) IS 'final function of purchases() and rollup()';

CREATE FUNCTION customer_tier.history_final_checked(internal) RETURNS customer_tier.checked_history
	AS 'MODULE_PATHNAME', 'history_final_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_final_checked(internal) IS 'final function of purchases_checked()';

-- Transition functions: one C function under each overload's types.

CREATE FUNCTION customer_tier.history_accum(internal, date, numeric) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, date, numeric) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, date, bigint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, date, bigint) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, date, integer) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, date, integer) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, date, smallint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, date, smallint) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, date, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, date, double precision) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, text, numeric) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, text, numeric) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, text, bigint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, text, bigint) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, text, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, text, double precision) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, text, integer) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, text, integer) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, text, smallint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, text, smallint) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, timestamp, numeric) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, timestamp, numeric) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, timestamp, bigint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, timestamp, bigint) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, timestamp, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, timestamp, double precision) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, timestamptz, numeric, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, timestamptz, numeric, text) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, timestamptz, bigint, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, timestamptz, bigint, text) IS 'transition function of purchases()';

CREATE FUNCTION customer_tier.history_accum(internal, timestamptz, double precision, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum(internal, timestamptz, double precision, text) IS 'transition function of purchases()';

CREATE AGGREGATE customer_tier.purchases(day date, amount numeric) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount numeric) IS
	'history of the rows (one an order) by the day; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day date, amount bigint) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount bigint) IS
	'history of the rows (one an order) by the day; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day date, amount integer) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount integer) IS
	'history of the rows (one an order) by the day; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day date, amount smallint) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount smallint) IS
	'history of the rows (one an order) by the day; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day date, amount double precision) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount double precision) IS
	'history of the rows (one an order) by the day; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day text, amount numeric) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day text, amount numeric) IS
	'history of the rows (one an order) by the day, written YYYY-MM-DD; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day text, amount bigint) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day text, amount bigint) IS
	'history of the rows (one an order) by the day, written YYYY-MM-DD; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day text, amount double precision) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day text, amount double precision) IS
	'history of the rows (one an order) by the day, written YYYY-MM-DD; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day text, amount integer) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day text, amount integer) IS
	'history of the rows (one an order) by the day, written YYYY-MM-DD; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(day text, amount smallint) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day text, amount smallint) IS
	'history of the rows (one an order) by the day, written YYYY-MM-DD; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(at timestamp, amount numeric) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamp, amount numeric) IS
	'history of the rows (one an order) by the calendar day of a local time; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(at timestamp, amount bigint) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamp, amount bigint) IS
	'history of the rows (one an order) by the calendar day of a local time; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(at timestamp, amount double precision) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamp, amount double precision) IS
	'history of the rows (one an order) by the calendar day of a local time; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(at timestamptz, amount numeric, zone text) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamptz, amount numeric, zone text) IS
	'history of the rows (one an order) by the calendar day that it is in a time zone, e.g. Asia/Shanghai; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(at timestamptz, amount bigint, zone text) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamptz, amount bigint, zone text) IS
	'history of the rows (one an order) by the calendar day that it is in a time zone, e.g. Asia/Shanghai; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

CREATE AGGREGATE customer_tier.purchases(at timestamptz, amount double precision, zone text) (
	SFUNC = customer_tier.history_accum, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamptz, amount double precision, zone text) IS
	'history of the rows (one an order) by the calendar day that it is in a time zone, e.g. Asia/Shanghai; an amount, in currency units, below 0 is a refund and no order; rows with NULL are skipped, NaN and infinities are errors';

-- Refused, with a hint.

CREATE FUNCTION customer_tier.history_accum_refused(internal, timestamptz, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, timestamptz, double precision) IS 'refuses what would depend on the session TimeZone';

CREATE FUNCTION customer_tier.history_accum_refused(internal, date, numeric, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, date, numeric, text) IS 'refuses what would depend on the session TimeZone';

CREATE FUNCTION customer_tier.history_accum_refused(internal, date, bigint, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, date, bigint, text) IS 'refuses what would depend on the session TimeZone';

CREATE FUNCTION customer_tier.history_accum_refused(internal, date, double precision, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, date, double precision, text) IS 'refuses what would depend on the session TimeZone';

CREATE FUNCTION customer_tier.history_accum_refused(internal, timestamp, numeric, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, timestamp, numeric, text) IS 'refuses what would depend on the session TimeZone';

CREATE FUNCTION customer_tier.history_accum_refused(internal, timestamp, bigint, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, timestamp, bigint, text) IS 'refuses what would depend on the session TimeZone';

CREATE FUNCTION customer_tier.history_accum_refused(internal, timestamp, double precision, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_refused' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_refused(internal, timestamp, double precision, text) IS 'refuses what would depend on the session TimeZone';

CREATE AGGREGATE customer_tier.purchases(at timestamptz, amount double precision) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamptz, amount double precision) IS
	'refused: which day it is depends on the time zone, so give one as third argument';

CREATE AGGREGATE customer_tier.purchases(day date, amount numeric, zone text) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount numeric, zone text) IS
	'refused: a date has no time zone, so leave the third argument out';

CREATE AGGREGATE customer_tier.purchases(day date, amount bigint, zone text) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount bigint, zone text) IS
	'refused: a date has no time zone, so leave the third argument out';

CREATE AGGREGATE customer_tier.purchases(day date, amount double precision, zone text) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(day date, amount double precision, zone text) IS
	'refused: a date has no time zone, so leave the third argument out';

CREATE AGGREGATE customer_tier.purchases(at timestamp, amount numeric, zone text) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamp, amount numeric, zone text) IS
	'refused: a timestamp has no time zone, so leave the third argument out';

CREATE AGGREGATE customer_tier.purchases(at timestamp, amount bigint, zone text) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamp, amount bigint, zone text) IS
	'refused: a timestamp has no time zone, so leave the third argument out';

CREATE AGGREGATE customer_tier.purchases(at timestamp, amount double precision, zone text) (
	SFUNC = customer_tier.history_accum_refused, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases(at timestamp, amount double precision, zone text) IS
	'refused: a timestamp has no time zone, so leave the third argument out';

-- For programs: bad rows are counted instead of raising errors.

CREATE FUNCTION customer_tier.history_accum_checked(internal, date, numeric) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, date, numeric) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, date, bigint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, date, bigint) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, date, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, date, double precision) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, text, numeric) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, text, numeric) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, text, bigint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, text, bigint) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, text, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, text, double precision) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamp, numeric) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamp, numeric) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamp, bigint) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamp, bigint) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamp, double precision) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamp, double precision) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamptz, numeric, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamptz, numeric, text) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamptz, bigint, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamptz, bigint, text) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamptz, double precision, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamptz, double precision, text) IS 'transition function of purchases_checked()';

CREATE AGGREGATE customer_tier.purchases_checked(at date, amount numeric) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at date, amount numeric) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at date, amount bigint) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at date, amount bigint) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at date, amount double precision) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at date, amount double precision) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(day text, amount numeric) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(day text, amount numeric) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(day text, amount bigint) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(day text, amount bigint) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(day text, amount double precision) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(day text, amount double precision) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamp, amount numeric) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamp, amount numeric) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamp, amount bigint) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamp, amount bigint) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamp, amount double precision) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamp, amount double precision) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamptz, amount numeric, zone text) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamptz, amount numeric, zone text) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamptz, amount bigint, zone text) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamptz, amount bigint, zone text) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamptz, amount double precision, zone text) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamptz, amount double precision, zone text) IS
	'as purchases(), with the number of rows seen and of bad rows left out: day or amount is NULL, NaN, infinite or out of range';

-- Merging.

CREATE FUNCTION customer_tier.history_accum_history(internal, customer_tier.purchase_history) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_history' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_history(internal, customer_tier.purchase_history) IS 'transition function of rollup()';

CREATE AGGREGATE customer_tier.rollup(history customer_tier.purchase_history) (
	SFUNC = customer_tier.history_accum_history, FINALFUNC = customer_tier.history_final,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.rollup(history customer_tier.purchase_history) IS
	'sum of histories, e.g. of the months or the shops of a customer; NULL is skipped';
