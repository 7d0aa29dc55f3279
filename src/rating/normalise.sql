-- Values of a dimension into points 0 .. 100, and what is measured for that.

CREATE FUNCTION customer_tier.dimension_points(value double precision, method text, scale double precision[],
    higher_is_better boolean DEFAULT true, ties text DEFAULT NULL)
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dimension_points';
COMMENT ON FUNCTION customer_tier.dimension_points(double precision, text, double precision[], boolean, text) IS
    'points (0 to 100) of a value by a method (''score'', ''percentile'', ''min_max'', ''z_score'', ''logistic'', ''bands'', ''linear'', ''identity'') on its scale; ties (''low'', ''mid'', ''high'') only matter to ''percentile'', and are low where higher is better, else high; NULL without a value or a scale';

CREATE FUNCTION customer_tier.value_for_points(points double precision, method text, scale double precision[],
    higher_is_better boolean DEFAULT true, ties text DEFAULT NULL)
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_for_points';
COMMENT ON FUNCTION customer_tier.value_for_points(double precision, text, double precision[], boolean, text) IS
    'the worst value (the smallest where higher is better, else the largest) that has at least so many dimension_points; infinite when every value has them, NULL when none has';

CREATE FUNCTION customer_tier.range_accum(state customer_tier.partial_state, value double precision, low double precision, high double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'range_accum';
CREATE FUNCTION customer_tier.range_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'range_combine';
CREATE FUNCTION customer_tier.value_range_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'value_range_final';

CREATE AGGREGATE customer_tier.value_range(value double precision, low double precision, high double precision) (
    SFUNC = customer_tier.range_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.value_range_final,
    COMBINEFUNC = customer_tier.range_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.value_range(double precision, double precision, double precision) IS
    'the scale of ''min_max'': the quantiles low and high (0 to 1; 0 and 1 are minimum and maximum) of the values, as percentile_disc gives them';

CREATE FUNCTION customer_tier.deviation_accum(state customer_tier.partial_state, value double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'deviation_accum';
CREATE FUNCTION customer_tier.deviation_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'deviation_combine';
CREATE FUNCTION customer_tier.mean_deviation_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mean_deviation_final';

CREATE AGGREGATE customer_tier.mean_deviation(value double precision) (
    SFUNC = customer_tier.deviation_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 2200,
    FINALFUNC = customer_tier.mean_deviation_final,
    COMBINEFUNC = customer_tier.deviation_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.mean_deviation(double precision) IS
    'the scale of ''z_score'': mean and population standard deviation of the values, from exact sums; the deviation of equal values is 0';

CREATE TYPE customer_tier.scale_stats AS (
    customers bigint,
    minimum double precision,
    maximum double precision,
    mean double precision,
    deviation double precision,
    deciles double precision[],
    decile_counts bigint[]);
COMMENT ON TYPE customer_tier.scale_stats IS
    'a population in short: how many values, the least and the largest, mean and population standard deviation (NULL when one is infinite), the nine deciles as percentile_disc gives them, and how many values are in each of the ten bins (a cut belongs to the bin below it)';

CREATE FUNCTION customer_tier.scale_stats_final(state customer_tier.partial_state)
RETURNS customer_tier.scale_stats LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'scale_stats_final';

CREATE AGGREGATE customer_tier.scale_stats(value double precision) (
    SFUNC = customer_tier.population_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.scale_stats_final,
    COMBINEFUNC = customer_tier.population_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.scale_stats(double precision) IS
    'how many values there are, their extremes, mean and deviation, deciles, and how many are in each bin between these; 0 customers and otherwise NULL without values';
