-- Percentiles on a stored scale, and the weighted mean of points.

CREATE FUNCTION customer_tier.percentile_accum(internal, value double precision)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile_accum';
CREATE FUNCTION customer_tier.percentile_combine(internal, internal)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile_combine';
CREATE FUNCTION customer_tier.percentile_serialize(internal)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile_serialize';
CREATE FUNCTION customer_tier.percentile_deserialize(bytea, internal)
RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile_deserialize';
CREATE FUNCTION customer_tier.percentile_scale_final(internal)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile_scale_final';

CREATE AGGREGATE customer_tier.percentile_scale(value double precision) (
    SFUNC = customer_tier.percentile_accum,
    STYPE = internal,
    SSPACE = 4096,
    FINALFUNC = customer_tier.percentile_scale_final,
    COMBINEFUNC = customer_tier.percentile_combine,
    SERIALFUNC = customer_tier.percentile_serialize,
    DESERIALFUNC = customer_tier.percentile_deserialize,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.percentile_scale(double precision) IS
    'the distribution of the values, for percentile(): the distinct values ascending, then for each the number of values at or below it; beyond 131072 distinct values thinned to that many, with percentiles within 0.00001';

CREATE FUNCTION customer_tier.percentile(value double precision, scale double precision[], ties text DEFAULT 'low')
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile';
COMMENT ON FUNCTION customer_tier.percentile(double precision, double precision[], text) IS
    'share (0 to 1) of the population of a scale below the value (ties ''low''), at or below it (''high''), or half way between the two (''mid'')';

CREATE FUNCTION customer_tier.weighted_score(points double precision[], weights double precision[])
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'weighted_score';
COMMENT ON FUNCTION customer_tier.weighted_score(double precision[], double precision[]) IS
    'weighted mean of the points that are not NULL, in the unit of the points; NULL when none of them has a weight above 0';
