-- Has a population moved away from the one it is compared with?

CREATE FUNCTION customer_tier.psi(reference bigint[], actual bigint[])
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'drift_psi';
COMMENT ON FUNCTION customer_tier.psi(bigint[], bigint[]) IS
    'population stability index of two populations counted in the same bins: 0 for equal shares, compare with psi_alarm(); an empty bin counts as half a customer';

CREATE FUNCTION customer_tier.psi_alarm(bins integer, n bigint, m bigint)
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'drift_psi_alarm';
COMMENT ON FUNCTION customer_tier.psi_alarm(integer, bigint, bigint) IS
    'the psi above which two populations of n and m customers in this many bins differ by more than chance: 2 (bins - 1) (1 / n + 1 / m), and at least 0.2';

CREATE FUNCTION customer_tier.ks_distance(reference_counts bigint[], actual_counts bigint[])
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'drift_ks_distance';
COMMENT ON FUNCTION customer_tier.ks_distance(bigint[], bigint[]) IS
    'largest difference (0 to 1) of the cumulative shares of two populations counted in the same bins';

CREATE FUNCTION customer_tier.bin_counts_accum(state customer_tier.partial_state, value double precision, cuts double precision[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'bin_counts_accum';
CREATE FUNCTION customer_tier.bin_counts_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'bin_counts_combine';
CREATE FUNCTION customer_tier.bin_counts_final(state customer_tier.partial_state)
RETURNS bigint[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'bin_counts_final';

CREATE AGGREGATE customer_tier.bin_counts(value double precision, cuts double precision[]) (
    SFUNC = customer_tier.bin_counts_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 1024,
    FINALFUNC = customer_tier.bin_counts_final,
    COMBINEFUNC = customer_tier.bin_counts_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.bin_counts(double precision, double precision[]) IS
    'number of values in each of the bins that cut points make: element i counts those with score(value, cuts) = i; NULL values are left out';
