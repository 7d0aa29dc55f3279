-- All dimensions of a scorecard at once.

CREATE TYPE customer_tier.dimension_distribution AS (
    customers bigint,
    minimum double precision,
    maximum double precision,
    mean double precision,
    deviation double precision,
    deciles double precision[],
    decile_counts bigint[],
    distribution double precision[]);
COMMENT ON TYPE customer_tier.dimension_distribution IS
    'how the values of one dimension are distributed: what scale_stats() gives, and what percentile_scale() gives';

CREATE FUNCTION customer_tier.distributions_accum(state customer_tier.partial_state, raw double precision[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'distributions_accum';
CREATE FUNCTION customer_tier.distributions_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'distributions_combine';
CREATE FUNCTION customer_tier.dimension_distributions_final(state customer_tier.partial_state)
RETURNS customer_tier.dimension_distribution[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dimension_distributions_final';

CREATE AGGREGATE customer_tier.dimension_distributions(raw double precision[]) (
    SFUNC = customer_tier.distributions_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 65536,
    FINALFUNC = customer_tier.dimension_distributions_final,
    COMBINEFUNC = customer_tier.distributions_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.dimension_distributions(double precision[]) IS
    'how each element of the arrays is distributed, one row an element; missing (NULL) and infinite values are left out. Every array has the same length, at most 100';

CREATE TYPE customer_tier.card_scale AS (
    method text,
    scale double precision[],
    higher_is_better boolean,
    ties text,
    missing text);
COMMENT ON TYPE customer_tier.card_scale IS
    'how one dimension makes points of values: the arguments of dimension_points(), and what a missing value gets (renormalise and no_rating: NULL, neutral: 50, worst: 0)';

CREATE DOMAIN customer_tier.compiled_card AS bytea;
COMMENT ON DOMAIN customer_tier.compiled_card IS 'the rules of all dimensions of a scorecard, made by card_scales() and read once a query; not for storing';

CREATE FUNCTION customer_tier.card_scales(scales customer_tier.card_scale[])
RETURNS customer_tier.compiled_card LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'card_scales';
COMMENT ON FUNCTION customer_tier.card_scales(customer_tier.card_scale[]) IS 'put the rules of up to 100 dimensions together for card_points()';

CREATE FUNCTION customer_tier.card_points(raw double precision[], card customer_tier.compiled_card)
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'card_points';
COMMENT ON FUNCTION customer_tier.card_points(double precision[], customer_tier.compiled_card) IS
    'points 0 to 100 in every dimension of a card, as dimension_points() gives them one by one; an infinitely bad value has 0, one without a scale to compare it with 50, a missing one what its dimension says';

CREATE FUNCTION customer_tier.finite_value(value double precision)
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'finite_value';
COMMENT ON FUNCTION customer_tier.finite_value(double precision) IS 'the value, or NULL for NaN and the infinities';

CREATE FUNCTION customer_tier.rounded_score(score double precision)
RETURNS numeric LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rounded_score';
COMMENT ON FUNCTION customer_tier.rounded_score(double precision) IS 'round(score::numeric, 4), faster for scores from 0 to 100';
