-- Many numbers of one customer made one score, and a score made a grade.

-- One state for all aggregates over rows of criteria, those of weights.sql as well.
CREATE FUNCTION customer_tier.criteria_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'criteria_combine';

CREATE FUNCTION customer_tier.topsis_scale_accum(state customer_tier.partial_state, raw double precision[], higher_is_better boolean[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'topsis_scale_accum';
CREATE FUNCTION customer_tier.topsis_scale_accum(state customer_tier.partial_state, raw double precision[], higher_is_better boolean[], normalisation text)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'topsis_scale_accum';
CREATE FUNCTION customer_tier.topsis_scale_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'topsis_scale_final';
CREATE AGGREGATE customer_tier.topsis_scale(raw double precision[], higher_is_better boolean[]) (
    SFUNC = customer_tier.topsis_scale_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 6000,
    FINALFUNC = customer_tier.topsis_scale_final,
    COMBINEFUNC = customer_tier.criteria_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.topsis_scale(double precision[], boolean[]) IS
    'what topsis() measures on, from the values of all customers, an array each: for n criteria n norms (root of the sum of squares), the n best and the n worst values';
CREATE AGGREGATE customer_tier.topsis_scale(raw double precision[], higher_is_better boolean[], normalisation text) (
    SFUNC = customer_tier.topsis_scale_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 6000,
    FINALFUNC = customer_tier.topsis_scale_final,
    COMBINEFUNC = customer_tier.criteria_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.topsis_scale(double precision[], boolean[], text) IS
    'what topsis() measures on, with normalisation ''vector'' (norms are roots of sums of squares) or ''min_max'' (norms are ranges)';

CREATE FUNCTION customer_tier.topsis(raw double precision[], weights double precision[], scale double precision[])
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'topsis';
COMMENT ON FUNCTION customer_tier.topsis(double precision[], double precision[], double precision[]) IS
    'closeness to the ideal customer of a scale: 1 the best in everything, 0 the worst; values are held between best and worst, NULL leaves its criterion out, 0.5 where no criterion tells customers apart';

CREATE FUNCTION customer_tier.geometric_score(points double precision[], weights double precision[])
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'geometric_score';
COMMENT ON FUNCTION customer_tier.geometric_score(double precision[], double precision[]) IS
    'weighted geometric mean of the points (0 to 100) that are not NULL, each at least 1; NULL when none of them has a weight above 0';

CREATE FUNCTION customer_tier.shapley_values(points double precision[], baseline double precision[], weights double precision[], combination text, scale double precision[] DEFAULT NULL)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'shapley';
COMMENT ON FUNCTION customer_tier.shapley_values(double precision[], double precision[], double precision[], text, double precision[]) IS
    'what each dimension contributes to the distance of a score from that of a baseline (Shapley values, in points); combination ''mean'', or ''geometric'' or ''topsis'' (times 100, of raw values on a scale) of up to 12 dimensions; a point that is NULL stands at the baseline and has NULL';

CREATE FUNCTION customer_tier.grade(score double precision, cuts double precision[], labels text[])
RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'grade';
COMMENT ON FUNCTION customer_tier.grade(double precision, double precision[], text[]) IS
    'the label of a score: labels from the lowest grade up, one more than cuts, which rise; a score at or above a cut has the grade above it; NULL for no score';
