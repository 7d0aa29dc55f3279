-- A time zone by name, as a value that other servers may be sent.
--
-- postgres_fdw asks a remote server for a whole aggregate only where no
-- collation but that of a remote column is at work.  A name of type text
-- brings the default collation with it, which is the local one; a zone has no
-- order, and so no collation.

CREATE TYPE customer_tier.time_zone;

CREATE FUNCTION customer_tier.time_zone_in(cstring) RETURNS customer_tier.time_zone
	AS 'textin' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.time_zone_in(cstring) IS 'reads the text form of time_zone';

CREATE FUNCTION customer_tier.time_zone_out(customer_tier.time_zone) RETURNS cstring
	AS 'textout' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.time_zone_out(customer_tier.time_zone) IS 'writes the text form of time_zone';

CREATE TYPE customer_tier.time_zone (
	INPUT = customer_tier.time_zone_in,
	OUTPUT = customer_tier.time_zone_out,
	LIKE = pg_catalog.text,
	COLLATABLE = false
);
COMMENT ON TYPE customer_tier.time_zone IS
	'name of a time zone, such as Asia/Shanghai; purchases_checked() takes it like a text, and can then be sent to other servers by postgres_fdw';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamptz, numeric, customer_tier.time_zone) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamptz, numeric, customer_tier.time_zone) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamptz, bigint, customer_tier.time_zone) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamptz, bigint, customer_tier.time_zone) IS 'transition function of purchases_checked()';

CREATE FUNCTION customer_tier.history_accum_checked(internal, timestamptz, double precision, customer_tier.time_zone) RETURNS internal
	AS 'MODULE_PATHNAME', 'history_accum_checked' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_accum_checked(internal, timestamptz, double precision, customer_tier.time_zone) IS 'transition function of purchases_checked()';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamptz, amount numeric, zone customer_tier.time_zone) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamptz, amount numeric, zone customer_tier.time_zone) IS
	'as purchases(), with the number of rows seen and of bad rows left out; postgres_fdw can send it to the server that has the rows';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamptz, amount bigint, zone customer_tier.time_zone) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamptz, amount bigint, zone customer_tier.time_zone) IS
	'as purchases(), with the number of rows seen and of bad rows left out; postgres_fdw can send it to the server that has the rows';

CREATE AGGREGATE customer_tier.purchases_checked(at timestamptz, amount double precision, zone customer_tier.time_zone) (
	SFUNC = customer_tier.history_accum_checked, FINALFUNC = customer_tier.history_final_checked,
	STYPE = internal, SSPACE = 160, PARALLEL = SAFE,
	COMBINEFUNC = customer_tier.history_combine,
	SERIALFUNC = customer_tier.history_serialize,
	DESERIALFUNC = customer_tier.history_deserialize
);
COMMENT ON AGGREGATE customer_tier.purchases_checked(at timestamptz, amount double precision, zone customer_tier.time_zone) IS
	'as purchases(), with the number of rows seen and of bad rows left out; postgres_fdw can send it to the server that has the rows';
