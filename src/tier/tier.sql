-- The tier state machine, for one customer and day; and what shares and
-- capacities leave, for a set of customers.  docs/tiers.md has the rules.

CREATE TYPE customer_tier.tier_state AS (
    tier text,
    since date,
    previous_tier text,
    terms bigint,
    up_runs int,
    up_since date,
    down_runs int,
    down_since date
);
COMMENT ON TYPE customer_tier.tier_state IS 'where a customer stands, since when, under which terms, and what is pending: runs in a row, and the first day of these';

CREATE TYPE customer_tier.tier_move AS (
    tier text,
    tier_rank int,
    since date,
    previous_tier text,
    terms bigint,
    up_runs int,
    up_since date,
    down_runs int,
    down_since date,
    reason text,
    moved boolean,
    score_to_next numeric,
    amount_to_next float8,
    score_to_stay numeric,
    amount_to_stay float8,
    drops_on date,
    as_before boolean
);
COMMENT ON TYPE customer_tier.tier_move IS 'where a customer stands after an evaluation, and why; points and amounts (currency units) missing to the next tier and to stay, NULL when nothing of the kind would do; the day of the fall if nothing changes; whether the state is the one before the evaluation';

CREATE FUNCTION customer_tier.tier_move(rules jsonb, as_of date, last_as_of date, score numeric, orders bigint, first_day date, segment text, measures float8[],
    state customer_tier.tier_state DEFAULT NULL, override_tier text DEFAULT NULL, override_lock boolean DEFAULT false, places float8[] DEFAULT NULL) RETURNS customer_tier.tier_move
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'tier_move';
COMMENT ON FUNCTION customer_tier.tier_move(jsonb, date, date, numeric, bigint, date, text, float8[], customer_tier.tier_state, text, boolean, float8[]) IS
    'the tier state machine: where a customer stands on a day, from score (0..100), measures, state and rules (docs/tiers.md); last_as_of is the day of the evaluation before, places what shares and capacities leave (tier_seats)';

CREATE FUNCTION customer_tier.tier_measures(rules jsonb) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'tier_measures';
COMMENT ON FUNCTION customer_tier.tier_measures(jsonb) IS 'names of the measures that the rules of tiers ask for, with the days where they are counted over days ("revenue 365"); an error where the rules cannot be followed';

CREATE FUNCTION customer_tier.tier_best_accum(state internal, rules jsonb, score numeric, orders bigint, measures float8[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tier_best_accum';
COMMENT ON FUNCTION customer_tier.tier_best_accum(internal, jsonb, numeric, bigint, float8[]) IS 'internal: transition of tier_best';
CREATE FUNCTION customer_tier.tier_best_final(state internal) RETURNS float8[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tier_best_final';
COMMENT ON FUNCTION customer_tier.tier_best_final(internal) IS 'internal: final of tier_best';
CREATE AGGREGATE customer_tier.tier_best(rules jsonb, score numeric, orders bigint, measures float8[]) (
    SFUNC = customer_tier.tier_best_accum, STYPE = internal, SSPACE = 1000000,
    FINALFUNC = customer_tier.tier_best_final, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED);
COMMENT ON AGGREGATE customer_tier.tier_best(jsonb, numeric, bigint, float8[]) IS 'who is among the best that shares and capacities ask for: the places for tier_seats(), all seats taken';

CREATE FUNCTION customer_tier.tier_seats_accum(state internal, rules jsonb, as_of date, last_as_of date, score numeric, orders bigint, first_day date, segment text, measures float8[],
    tier customer_tier.tier_state, override_tier text, override_lock boolean, best float8[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tier_seats_accum';
COMMENT ON FUNCTION customer_tier.tier_seats_accum(internal, jsonb, date, date, numeric, bigint, date, text, float8[], customer_tier.tier_state, text, boolean, float8[]) IS 'internal: transition of tier_seats';
CREATE FUNCTION customer_tier.tier_seats_final(state internal) RETURNS float8[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tier_seats_final';
COMMENT ON FUNCTION customer_tier.tier_seats_final(internal) IS 'internal: final of tier_seats';
CREATE AGGREGATE customer_tier.tier_seats(rules jsonb, as_of date, last_as_of date, score numeric, orders bigint, first_day date, segment text, measures float8[],
    state customer_tier.tier_state, override_tier text, override_lock boolean, best float8[]) (
    SFUNC = customer_tier.tier_seats_accum, STYPE = internal, SSPACE = 1000000,
    FINALFUNC = customer_tier.tier_seats_final, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED);
COMMENT ON AGGREGATE customer_tier.tier_seats(jsonb, date, date, numeric, bigint, date, text, float8[], customer_tier.tier_state, text, boolean, float8[]) IS
    'the seats that shares and capacities leave to those who come in: the places for tier_move(), from the best (tier_best); the other arguments are those of tier_move()';
