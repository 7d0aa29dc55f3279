-- Percentiles on a stored scale, and the weighted mean of points.

CREATE FUNCTION customer_tier.percentile_scale_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'percentile_scale_final';

CREATE AGGREGATE customer_tier.percentile_scale(value double precision) (
    SFUNC = customer_tier.population_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.percentile_scale_final,
    COMBINEFUNC = customer_tier.population_combine,
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

CREATE FUNCTION customer_tier.scale_around(scale double precision[], value double precision)
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'scale_around';
COMMENT ON FUNCTION customer_tier.scale_around(double precision[], double precision) IS
    'the few knots of a percentile_scale() beside a value, as a scale on which the value''s percentile() is the same; read from a stored scale without fetching the whole of it';
