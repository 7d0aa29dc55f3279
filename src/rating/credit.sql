-- Credit scorecards: weights of evidence, logistic regression, points, and how
-- well a score tells good from bad customers.
--
-- 'bad' is the outcome that one wants to avoid: defaulted, churned, complained.

-- ---------- Weight of evidence ----------

CREATE TYPE customer_tier.woe_bin AS (
    bin integer,
    lower double precision,
    upper double precision,
    good bigint,
    bad bigint,
    woe double precision,
    iv double precision);
COMMENT ON TYPE customer_tier.woe_bin IS
    'a bin of a feature: number from 1 (0: the customers without a value), bounds (lower exclusive, upper inclusive, in the unit of the feature), customers of the good and of the bad outcome, weight of evidence ln((good / all good) / (bad / all bad)), and its part of the information value';

CREATE FUNCTION customer_tier.woe_accum(state customer_tier.partial_state, value double precision, bad boolean, bins integer)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'woe_accum';
CREATE FUNCTION customer_tier.outcomes_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'outcomes_combine';
CREATE FUNCTION customer_tier.woe_bins_final(state customer_tier.partial_state)
RETURNS customer_tier.woe_bin[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'woe_bins_final';

CREATE AGGREGATE customer_tier.woe_bins(value double precision, bad boolean, bins integer) (
    SFUNC = customer_tier.woe_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.woe_bins_final,
    COMBINEFUNC = customer_tier.outcomes_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.woe_bins(double precision, boolean, integer) IS
    'at most this many bins of a feature, of nearly equal numbers of customers and never between equal values, with the weight of evidence of each; customers without a value have a bin of their own, rows without an outcome are skipped; a bin without good or without bad ones gets half a customer more of both';

CREATE FUNCTION customer_tier.woe(value double precision, bins customer_tier.woe_bin[])
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'woe_of_value';
COMMENT ON FUNCTION customer_tier.woe(double precision, customer_tier.woe_bin[]) IS
    'weight of evidence of the bin that a value falls into; of NULL that of the bin without values, NULL when there is none';

CREATE FUNCTION customer_tier.woe(good bigint[], bad bigint[])
RETURNS double precision[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'woe_of_counts';
COMMENT ON FUNCTION customer_tier.woe(bigint[], bigint[]) IS
    'weights of evidence ln((good / all good) / (bad / all bad)) of bins, from the numbers of good and bad customers in each; 0.5 is added to both where one is 0, and a bin without customers has 0';

CREATE FUNCTION customer_tier.information_value(good bigint[], bad bigint[])
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'information_value_of_counts';
COMMENT ON FUNCTION customer_tier.information_value(bigint[], bigint[]) IS
    'information value of a feature, from the numbers of good and bad customers in its bins: below 0.02 nothing, to 0.1 weak, to 0.3 medium, to 0.5 strong, above suspicious';

CREATE FUNCTION customer_tier.information_value(bins customer_tier.woe_bin[])
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'information_value_of_bins';
COMMENT ON FUNCTION customer_tier.information_value(customer_tier.woe_bin[]) IS
    'information value of a feature, the sum over its bins: below 0.02 nothing, to 0.1 weak, to 0.3 medium, to 0.5 strong, above suspicious';

-- ---------- Logistic regression ----------

CREATE FUNCTION customer_tier.logit_model_is_valid(model jsonb)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'logit_model_is_valid';
COMMENT ON FUNCTION customer_tier.logit_model_is_valid(jsonb) IS
    'check of the domain logit_model: is this jsonb a model of version 1 that can be read?';

CREATE DOMAIN customer_tier.logit_model AS jsonb
    CONSTRAINT logit_model_is_valid CHECK (customer_tier.logit_model_is_valid(VALUE));
COMMENT ON DOMAIN customer_tier.logit_model IS
    'a logistic regression of ln odds bad:good on features. Keys: version (1), intercept, coefficients (array, one a feature; null when the fit found no maximum), status (ok, separated, no_maximum; given for coefficients that were not fitted), converged, iterations, log_likelihood (without the penalty), penalty, rows and bad (sums of the weights), distinct_rows, skipped, covariance (matrix, the intercept first)';

CREATE FUNCTION customer_tier.logit_model(intercept double precision, coefficients double precision[])
RETURNS customer_tier.logit_model LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'logit_model_create';
COMMENT ON FUNCTION customer_tier.logit_model(double precision, double precision[]) IS
    'a model of known coefficients, of ln odds bad:good';

CREATE FUNCTION customer_tier.logit_combine(state customer_tier.partial_state, other customer_tier.partial_state)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'logit_combine';
CREATE FUNCTION customer_tier.logit_final(state customer_tier.partial_state)
RETURNS customer_tier.logit_model LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'logit_final';

CREATE FUNCTION customer_tier.logit_accum(state customer_tier.partial_state, bad boolean, features double precision[])
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'logit_accum';

CREATE AGGREGATE customer_tier.logit_fit(bad boolean, features double precision[]) (
    SFUNC = customer_tier.logit_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 65536,
    FINALFUNC = customer_tier.logit_final,
    COMBINEFUNC = customer_tier.logit_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.logit_fit(boolean, double precision[]) IS
    'logistic regression of ln odds bad:good on the features, by maximum likelihood: a row a customer';

CREATE FUNCTION customer_tier.logit_accum(state customer_tier.partial_state, bad boolean, features double precision[], weight double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'logit_accum';

CREATE AGGREGATE customer_tier.logit_fit(bad boolean, features double precision[], weight double precision) (
    SFUNC = customer_tier.logit_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 65536,
    FINALFUNC = customer_tier.logit_final,
    COMBINEFUNC = customer_tier.logit_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.logit_fit(boolean, double precision[], double precision) IS
    'logistic regression of ln odds bad:good on the features, by maximum likelihood: a row a customer; weight = customers that a row stands for';

CREATE FUNCTION customer_tier.logit_accum(state customer_tier.partial_state, bad boolean, features double precision[], weight double precision, penalty double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'logit_accum';

CREATE AGGREGATE customer_tier.logit_fit(bad boolean, features double precision[], weight double precision, penalty double precision) (
    SFUNC = customer_tier.logit_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 65536,
    FINALFUNC = customer_tier.logit_final,
    COMBINEFUNC = customer_tier.logit_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.logit_fit(boolean, double precision[], double precision, double precision) IS
    'logistic regression of ln odds bad:good on the features, by maximum likelihood: a row a customer; weight = customers that a row stands for; penalty = ridge penalty on the coefficients of the standardised features (penalty / 2 times the sum of their squares), 0 for none';

CREATE FUNCTION customer_tier.logit_probability(model customer_tier.logit_model, features double precision[])
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'logit_model_probability';
COMMENT ON FUNCTION customer_tier.logit_probability(customer_tier.logit_model, double precision[]) IS
    'probability (0 to 1) of the bad outcome; NULL when a feature is';

CREATE FUNCTION customer_tier.logit_log_odds(model customer_tier.logit_model, features double precision[])
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'logit_model_log_odds';
COMMENT ON FUNCTION customer_tier.logit_log_odds(customer_tier.logit_model, double precision[]) IS
    'ln odds good:bad, higher for better customers, for points(); NULL when a feature is';

CREATE FUNCTION customer_tier.logit_coefficients(model customer_tier.logit_model,
    OUT feature integer, OUT coefficient double precision, OUT std_error double precision, OUT z double precision)
RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 10
AS $$
    SELECT n, v.value, v.error, CASE WHEN v.error > 0 THEN v.value / v.error END
    FROM pg_catalog.generate_series(0, CASE pg_catalog.jsonb_typeof(model -> 'coefficients') WHEN 'array' THEN pg_catalog.jsonb_array_length(model -> 'coefficients') ELSE -1 END) AS n,
        LATERAL (SELECT CASE n WHEN 0 THEN model ->> 'intercept' ELSE model -> 'coefficients' ->> (n - 1) END::pg_catalog.float8 AS value,
                    pg_catalog.sqrt((model -> 'covariance' -> n ->> n)::pg_catalog.float8) AS error) AS v
    ORDER BY n
$$;
COMMENT ON FUNCTION customer_tier.logit_coefficients(customer_tier.logit_model) IS
    'the coefficients of a model, one a row: feature (from 1; 0 is the intercept), coefficient in ln odds bad:good per unit of the feature, standard error, and their quotient z; no rows for a fit without a maximum';

-- ---------- Points ----------

CREATE FUNCTION customer_tier.scorecard_scale(score0 double precision DEFAULT 600, odds0 double precision DEFAULT 50, pdo double precision DEFAULT 20,
    OUT factor double precision, OUT "offset" double precision)
RETURNS record LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'scorecard_scale';
COMMENT ON FUNCTION customer_tier.scorecard_scale(double precision, double precision, double precision) IS
    'factor and offset of points = offset + factor * ln odds good:bad, so that odds0 good ones to a bad one are score0 points and pdo points more double the odds';

CREATE FUNCTION customer_tier.points(log_odds double precision, score0 double precision DEFAULT 600, odds0 double precision DEFAULT 50, pdo double precision DEFAULT 20)
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'scorecard_points';
COMMENT ON FUNCTION customer_tier.points(double precision, double precision, double precision, double precision) IS
    'points of ln odds good:bad, higher for better customers: score0 at odds0 good ones to a bad one, pdo more when the odds double';

CREATE FUNCTION customer_tier.bin_points(model customer_tier.logit_model, feature integer, woe double precision, score0 double precision DEFAULT 600, odds0 double precision DEFAULT 50, pdo double precision DEFAULT 20)
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'scorecard_bin_points';
COMMENT ON FUNCTION customer_tier.bin_points(customer_tier.logit_model, integer, double precision, double precision, double precision, double precision) IS
    'the part of one feature (from 1) with this weight of evidence in the points of a customer; the parts of all features add up to points()';

CREATE FUNCTION customer_tier.points_table(model customer_tier.logit_model, feature integer, bins customer_tier.woe_bin[], score0 double precision DEFAULT 600, odds0 double precision DEFAULT 50, pdo double precision DEFAULT 20,
    OUT bin integer, OUT lower double precision, OUT upper double precision, OUT woe double precision, OUT points integer)
RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 10
AS $$
    SELECT b.bin, b.lower, b.upper, b.woe, pg_catalog.round(customer_tier.bin_points(model, feature, b.woe, score0, odds0, pdo)::pg_catalog.numeric)::pg_catalog.int4
    FROM pg_catalog.unnest(bins) AS b
    ORDER BY b.bin
$$;
COMMENT ON FUNCTION customer_tier.points_table(customer_tier.logit_model, integer, customer_tier.woe_bin[], double precision, double precision, double precision) IS
    'the scorecard of one feature (from 1) of a model fitted on weights of evidence: the points of each of its bins, rounded to whole ones';

-- ---------- How well a score tells good from bad ----------

CREATE FUNCTION customer_tier.discrimination_accum(state customer_tier.partial_state, score double precision, bad boolean)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'discrimination_accum';
CREATE FUNCTION customer_tier.discrimination_auc_final(state customer_tier.partial_state)
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'discrimination_auc_final';
CREATE FUNCTION customer_tier.discrimination_ks_final(state customer_tier.partial_state)
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'discrimination_ks_final';
CREATE FUNCTION customer_tier.discrimination_gini_final(state customer_tier.partial_state)
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'discrimination_gini_final';

CREATE AGGREGATE customer_tier.auc(score double precision, bad boolean) (
    SFUNC = customer_tier.discrimination_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.discrimination_auc_final,
    COMBINEFUNC = customer_tier.outcomes_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.auc(double precision, boolean) IS
    'probability that a good customer has a higher score than a bad one, ties by half: 0.5 tells nothing, 1 everything; NULL when an outcome is missing';

CREATE AGGREGATE customer_tier.ks(score double precision, bad boolean) (
    SFUNC = customer_tier.discrimination_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.discrimination_ks_final,
    COMBINEFUNC = customer_tier.outcomes_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.ks(double precision, boolean) IS
    'largest distance (0 to 1) between the distributions of the scores of good and of bad customers; NULL when an outcome is missing';

CREATE AGGREGATE customer_tier.gini(score double precision, bad boolean) (
    SFUNC = customer_tier.discrimination_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.discrimination_gini_final,
    COMBINEFUNC = customer_tier.outcomes_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.gini(double precision, boolean) IS
    'accuracy ratio of a score, 2 auc - 1: 0 tells nothing, 1 everything; NULL when an outcome is missing';

-- ---------- Concentration ----------

CREATE FUNCTION customer_tier.concentration_accum(state customer_tier.partial_state, x double precision)
RETURNS customer_tier.partial_state LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'concentration_accum';
CREATE FUNCTION customer_tier.concentration_final(state customer_tier.partial_state)
RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'concentration_final';

CREATE AGGREGATE customer_tier.gini_concentration(x double precision) (
    SFUNC = customer_tier.concentration_accum,
    STYPE = customer_tier.partial_state,
    SSPACE = 4096,
    FINALFUNC = customer_tier.concentration_final,
    COMBINEFUNC = customer_tier.population_combine,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE customer_tier.gini_concentration(double precision) IS
    'Gini coefficient of how unequally a total is spread, 0 (equally) to (n - 1) / n (one has it all); NULL when a value is below 0 or all are 0';
