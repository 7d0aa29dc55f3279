-- Cut points of a population and the score of one value among them.

CREATE FUNCTION customer_tier.cuts_accum(state customer_tier.partial_state, value double precision, n integer)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cuts_accum';
CREATE FUNCTION customer_tier.cuts_accum(state customer_tier.partial_state, value double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cuts_accum';
CREATE FUNCTION customer_tier.cuts_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cuts_combine';
CREATE FUNCTION customer_tier.cut_values_final(state customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cut_values_final';
CREATE FUNCTION customer_tier.quantile_cuts_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'quantile_cuts_final';
CREATE FUNCTION customer_tier.balanced_cuts_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'balanced_cuts_final';
CREATE FUNCTION customer_tier.natural_cuts_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'natural_cuts_final';

CREATE FUNCTION customer_tier.mean_accum(state customer_tier.partial_state, value double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mean_accum';
CREATE FUNCTION customer_tier.mean_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mean_combine';
CREATE FUNCTION customer_tier.mean_cut_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mean_cut_final';

-- SSPACE: what a group of some hundred values takes.  The planner cannot know
-- the size of a group; whole populations are one group and are not hashed.
CREATE AGGREGATE customer_tier.quantile_cuts(value double precision, n integer) (
    SFUNC = customer_tier.cuts_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.quantile_cuts_final,
    COMBINEFUNC = customer_tier.cuts_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.quantile_cuts(double precision, integer) IS
    'n - 1 cut points for n scores of equal share, each the percentile_disc(k / n) of the values';

CREATE AGGREGATE customer_tier.balanced_cuts(value double precision, n integer) (
    SFUNC = customer_tier.cuts_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.balanced_cuts_final,
    COMBINEFUNC = customer_tier.cuts_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.balanced_cuts(double precision, integer) IS
    'n - 1 cut points for n scores, each taking its share of the values left by the one before: useful under heavy ties, and the largest value always has score n';

CREATE AGGREGATE customer_tier.natural_cuts(value double precision, n integer) (
    SFUNC = customer_tier.cuts_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.natural_cuts_final,
    COMBINEFUNC = customer_tier.cuts_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.natural_cuts(double precision, integer) IS
    'at most n - 1 cut points for the n classes with the least sum of squares within (optimal one-dimensional k-means)';

-- Citus combines on the coordinator what was aggregated on the workers, if the
-- aggregate has one argument.
CREATE AGGREGATE customer_tier.cut_values(value double precision) (
    SFUNC = customer_tier.cuts_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.cut_values_final,
    COMBINEFUNC = customer_tier.cuts_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.cut_values(double precision) IS
    'the values of a group, for quantile_cuts(state, n), balanced_cuts(state, n) and natural_cuts(state, n) to cut later, for any number of scores';

CREATE FUNCTION customer_tier.quantile_cuts(state customer_tier.partial_state, n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'quantile_cuts_final';
COMMENT ON FUNCTION customer_tier.quantile_cuts(customer_tier.partial_state, integer) IS
    'quantile_cuts(value, n) of the values in a state of cut_values()';
CREATE FUNCTION customer_tier.balanced_cuts(state customer_tier.partial_state, n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'balanced_cuts_final';
COMMENT ON FUNCTION customer_tier.balanced_cuts(customer_tier.partial_state, integer) IS
    'balanced_cuts(value, n) of the values in a state of cut_values()';
CREATE FUNCTION customer_tier.natural_cuts(state customer_tier.partial_state, n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'natural_cuts_final';
COMMENT ON FUNCTION customer_tier.natural_cuts(customer_tier.partial_state, integer) IS
    'natural_cuts(value, n) of the values in a state of cut_values()';

CREATE FUNCTION customer_tier.largest_below(state customer_tier.partial_state, bound double precision)
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'largest_below';
COMMENT ON FUNCTION customer_tier.largest_below(customer_tier.partial_state, double precision) IS
    'the largest of the values in a state of cut_values() that is below a bound; NULL when there is none';

CREATE AGGREGATE customer_tier.mean_cut(value double precision) (
    SFUNC = customer_tier.mean_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 1200,
    FINALFUNC = customer_tier.mean_cut_final,
    COMBINEFUNC = customer_tier.mean_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.mean_cut(double precision) IS
    'one cut point, the mean of the values: the exact sum, rounded once, divided by their number';

CREATE FUNCTION customer_tier.score(value double precision, cuts double precision[])
RETURNS integer LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'score';
COMMENT ON FUNCTION customer_tier.score(double precision, double precision[]) IS
    '1 + the number of cut points strictly below the value: equal values have equal scores';
