-- Weights of criteria: judged (AHP, rank order), or from the data (entropy, CRITIC).

CREATE FUNCTION customer_tier.ahp_weights(matrix double precision[], random_index text DEFAULT 'saaty', check_mode text DEFAULT 'flag', method text DEFAULT 'eigenvector',
    OUT weights double precision[], OUT lambda_max double precision, OUT ci double precision, OUT cr double precision)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'ahp_weights';
COMMENT ON FUNCTION customer_tier.ahp_weights(double precision[], text, text, text) IS
    'weights with sum 1 from a matrix of pairwise judgements (AHP), with the largest eigenvalue, the consistency index and the consistency ratio; a matrix that is not reciprocal or has a ratio above 0.10 gives a warning (check_mode ''flag'') or an error (''refuse''); random_index ''saaty'', ''alonso'', ''tummala'', ''scikit'', ''simulated'' or NULL for no ratio; method ''eigenvector'', ''geometric'' or ''column''';

CREATE FUNCTION customer_tier.roc_weights(n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'roc_weights';
COMMENT ON FUNCTION customer_tier.roc_weights(integer) IS
    'rank order centroid weights of n criteria, the most important first, with sum 1';

CREATE FUNCTION customer_tier.rank_sum_weights(n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rank_sum_weights';
COMMENT ON FUNCTION customer_tier.rank_sum_weights(integer) IS
    'rank sum weights of n criteria, the most important first, falling in equal steps, with sum 1';

CREATE FUNCTION customer_tier.rank_reciprocal_weights(n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rank_reciprocal_weights';
COMMENT ON FUNCTION customer_tier.rank_reciprocal_weights(integer) IS
    'rank reciprocal weights of n criteria, the most important first, in proportion to 1, 1/2, 1/3 and so on, with sum 1';

CREATE FUNCTION customer_tier.equal_weights(n integer)
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'equal_weights';
COMMENT ON FUNCTION customer_tier.equal_weights(integer) IS
    'n times 1/n';

CREATE FUNCTION customer_tier.mix_weights(subjective double precision[], objective double precision[], method text DEFAULT 'multiplicative', share double precision DEFAULT 0.5)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mix_weights';
COMMENT ON FUNCTION customer_tier.mix_weights(double precision[], double precision[], text, double precision) IS
    'one set of weights with sum 1 from two: their products (''multiplicative''), or share of the first and 1 - share of the second (''linear'')';

-- Aggregates; their state is that of combine.sql.
CREATE FUNCTION customer_tier.ahp_group_accum(state customer_tier.partial_state, matrix double precision[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ahp_group_accum';
CREATE FUNCTION customer_tier.ahp_group_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ahp_group_final';
CREATE AGGREGATE customer_tier.ahp_group(matrix double precision[]) (
    SFUNC = customer_tier.ahp_group_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 20000,
    FINALFUNC = customer_tier.ahp_group_final,
    COMBINEFUNC = customer_tier.criteria_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.ahp_group(double precision[]) IS
    'the matrix of judgements of a group, for ahp_weights(): the geometric mean of each judgement';

CREATE FUNCTION customer_tier.entropy_accum(state customer_tier.partial_state, raw double precision[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'entropy_accum';
CREATE FUNCTION customer_tier.entropy_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'entropy_final';
CREATE AGGREGATE customer_tier.entropy_weights(raw double precision[]) (
    SFUNC = customer_tier.entropy_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 12000,
    FINALFUNC = customer_tier.entropy_final,
    COMBINEFUNC = customer_tier.criteria_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.entropy_weights(double precision[]) IS
    'entropy weights (sum 1) of criteria from the values of all customers, an array each, none negative; a criterion that is the same for all weighs 0';

CREATE FUNCTION customer_tier.critic_accum(state customer_tier.partial_state, raw double precision[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'critic_accum';
CREATE FUNCTION customer_tier.critic_accum(state customer_tier.partial_state, raw double precision[], higher_is_better boolean[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'critic_accum';
CREATE FUNCTION customer_tier.critic_final(state customer_tier.partial_state)
RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'critic_final';
CREATE AGGREGATE customer_tier.critic_weights(raw double precision[]) (
    SFUNC = customer_tier.critic_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 36000,
    FINALFUNC = customer_tier.critic_final,
    COMBINEFUNC = customer_tier.criteria_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.critic_weights(double precision[]) IS
    'CRITIC weights (sum 1) of criteria from the values of all customers, an array each: much where a criterion varies and disagrees with the others; a criterion that is the same for all weighs 0';
CREATE AGGREGATE customer_tier.critic_weights(raw double precision[], higher_is_better boolean[]) (
    SFUNC = customer_tier.critic_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 36000,
    FINALFUNC = customer_tier.critic_final,
    COMBINEFUNC = customer_tier.criteria_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.critic_weights(double precision[], boolean[]) IS
    'CRITIC weights (sum 1) where less is better for the criteria that are false in higher_is_better';
