/*
 * machine.c
 *	  The tier state machine.  docs/tiers.md says in words what stands here, with
 *	  the same numbers.
 */
#include "tier/machine.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

const char *const tier_reason_names[] = {
	[REASON_LOCKED] = "locked",
	[REASON_OVERRIDE] = "override",
	[REASON_PROSPECT] = "prospect",
	[REASON_REFUNDED] = "refunded",
	[REASON_UNRATED] = "unrated",
	[REASON_BASE] = "base",
	[REASON_QUALIFIED] = "qualified",
	[REASON_KEPT] = "kept",
	[REASON_HOLD] = "hold",
	[REASON_GRACE] = "grace",
	[REASON_PERIOD] = "period",
	[REASON_WAITING] = "waiting",
	[REASON_UPGRADED] = "upgraded",
	[REASON_DOWNGRADED] = "downgraded",
	[REASON_REVOKED] = "revoked",
	[REASON_RULES] = "rules",
};

/* Everything one evaluation looks at. */
typedef struct Evaluation
{
	const TierTerms *terms;
	const TierLimits *limits;
	TierSeats seats;
	const TierInput *input;
} Evaluation;

/* Compare two keys, the first number first. */
int
tier_key_compare(const TierKey *a, const TierKey *b)
{
	for (int i = 0; i < TIER_KEY_NUMBERS; i++)
		if (a->numbers[i] != b->numbers[i])
			return a->numbers[i] < b->numbers[i] ? -1 : 1;
	return 0;
}

/* The key by which shares and capacities compare a customer who has a score. */
TierKey
tier_key(const TierLimits *limits, const TierInput *input)
{
	TierKey key = {{(double) input->score}};

	for (int i = 0; i < limits->n_tie_breaks; i++)
	{
		int measure = limits->tie_breaks[i];
		double value = measure >= 0 ? input->values[measure] : NAN;

		key.numbers[1 + i] = isnan(value) ? -INFINITY : value;
	}
	return key;
}

/* Whether the customer's key, with the score raised, is at least the given one. */
static bool
reaches(const Evaluation *e, const TierKey *least, int64_t raised)
{
	TierKey key = tier_key(e->limits, e->input);

	key.numbers[0] += (double) raised;
	return tier_key_compare(&key, least) >= 0;
}

/*
 * Whether a condition holds, with least scores lowered.  Who comes from below
 * needs a seat where places are limited.
 */
static bool
condition_holds(const Evaluation *e, const TierCondition *c, int64_t lowered, bool needs_seat)
{
	const TierInput *input = e->input;

	switch (c->kind)
	{
		case TIER_SCORE:
			return input->has_score && input->score >= c->lowest - lowered && input->score <= c->highest;
		case TIER_MEASURE:
			/* false where there is no value: NAN compares with nothing */
			return c->measure >= 0 && input->values[c->measure] >= c->at_least &&
				input->values[c->measure] <= c->at_most;
		case TIER_SEGMENT:
			for (int i = 0; input->segment != NULL && i < c->n_segments; i++)
				if (strcmp(input->segment, c->segments[i]) == 0)
					return true;
			return false;
		case TIER_LIMIT:
			if (!input->has_score || e->limits->places == NULL || !reaches(e, &e->limits->places[c->limit].best, lowered))
				return false;
			if (!needs_seat || e->seats == SEATS_FOR_ALL)
				return true;
			return e->seats == SEATS_AS_LIMITED && reaches(e, &e->limits->places[c->limit].seated, 0);
	}
	return false;
}

static bool
any_rule_holds(const Evaluation *e, const TierRules *rules, int64_t lowered, bool needs_seat)
{
	for (int i = 0; i < rules->n_rules; i++)
	{
		const TierRule *rule = &rules->rules[i];
		int holding = 0;

		while (holding < rule->n_conditions &&
			   condition_holds(e, &rule->conditions[holding], lowered, needs_seat))
			holding++;
		if (holding == rule->n_conditions)
			return true;
	}
	return false;
}

/* The terms under which a customer stays in the tier of that rank, and the tier in them. */
static const TierTerms *
terms_to_stay(const TierTerms *terms, const TierState *state, int rank, const Tier **tier)
{
	const Tier *today = &terms->tiers[rank - 1];

	*tier = today;
	if (!terms->policy.grandfather || state->granted == NULL)
		return terms;
	for (int i = 0; i < state->granted->n_tiers; i++)
		if (strcmp(state->granted->tiers[i].code, today->code) == 0)
		{
			*tier = &state->granted->tiers[i];
			return state->granted;
		}
	return terms;
}

static bool
may_stay(const Evaluation *e, const TierTerms *terms, const Tier *tier, bool needs_seat)
{
	/* A tier that was the base when it was granted asked for nothing. */
	if (!tier->has_stay && tier->entry.n_rules == 0)
		return true;
	if (tier->has_stay)
		return any_rule_holds(e, &tier->stay, 0, needs_seat);
	return any_rule_holds(e, &tier->entry, terms->policy.delta, needs_seat);
}

/* Whether the entry rule of a rank holds for somebody who stands at another. */
static bool
may_enter(const Evaluation *e, int rank, int from)
{
	return rank == 1 || any_rule_holds(e, &e->terms->tiers[rank - 1].entry, 0, rank > from);
}

/* Highest rank whose entry rule holds for somebody who stands at "from". */
static int
highest_entry(const Evaluation *e, int from)
{
	int rank = e->terms->n_tiers;

	while (!may_enter(e, rank, from))
		rank--;
	return rank;
}

/* How one rule's missing conditions look: points and an amount, or out of reach. */
typedef struct Missing
{
	int n; /* kinds that are missing; large = out of reach */
	double score;
	double amount;
} Missing;

#define OUT_OF_REACH 99

static Missing
missing_of_rule(const Evaluation *e, const TierRule *rule, int64_t lowered, bool needs_seat)
{
	Missing missing = {0, NAN, NAN};
	const TierInput *input = e->input;

	for (int i = 0; i < rule->n_conditions; i++)
	{
		const TierCondition *c = &rule->conditions[i];
		double score = NAN;

		if (condition_holds(e, c, lowered, needs_seat))
			continue;
		if (c->kind == TIER_SCORE && input->has_score && input->score <= c->highest)
			score = (double) (c->lowest - lowered - input->score) / TIER_SCORE_UNIT;
		else if (c->kind == TIER_LIMIT && !condition_holds(e, c, lowered, false) && input->has_score && e->limits->places != NULL &&
				 e->limits->places[c->limit].best.numbers[0] <= 100.0 * TIER_SCORE_UNIT)
			score = (e->limits->places[c->limit].best.numbers[0] - (double) (lowered + input->score)) / TIER_SCORE_UNIT;
		else if (c->is_amount && c->measure >= 0 && input->values[c->measure] < c->at_least)
		{
			double amount = c->at_least - input->values[c->measure];

			if (!(missing.amount >= amount))
				missing.amount = amount;
			continue;
		}
		else
			return (Missing) {OUT_OF_REACH, NAN, NAN};
		if (!(missing.score >= score))
			missing.score = score;
	}
	missing.n = !isnan(missing.score) + !isnan(missing.amount);
	return missing;
}

/* Points are nearer than an amount: what is not there is more than any number. */
static bool
is_less(double a, double b)
{
	return isnan(b) ? !isnan(a) : a < b;
}

/* What is missing to the rule that is nearest: the fewest kinds, then the least of them. */
static void
missing_of_rules(const Evaluation *e, const TierRules *rules, int64_t lowered, bool needs_seat, double *score, double *amount)
{
	Missing nearest = {OUT_OF_REACH, NAN, NAN};

	for (int i = 0; i < rules->n_rules; i++)
	{
		Missing missing = missing_of_rule(e, &rules->rules[i], lowered, needs_seat);

		if (missing.n < nearest.n ||
			(missing.n == nearest.n && (is_less(missing.score, nearest.score) ||
										(!is_less(nearest.score, missing.score) && is_less(missing.amount, nearest.amount)))))
			nearest = missing;
	}
	*score = nearest.n == 0 ? 0 : nearest.score;
	*amount = nearest.amount;
}

static int32_t
later(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

/* When a fall comes at the earliest if he goes on failing, with a run every day from tomorrow. */
static int32_t
first_fall(const TierPolicy *policy, const TierState *state, const TierInput *input, const TierOutcome *outcome, bool holds)
{
	int32_t after_runs = input->as_of + policy->downgrade_confirm - outcome->down_runs;
	int32_t after_grace = outcome->down_since + policy->grace_days;
	int32_t day = after_runs;

	if (policy->downgrade_needs_either ? after_grace < day : after_grace > day)
		day = after_grace;
	if (holds)
		day = later(day, state->since + policy->hold_days);
	day = later(day, input->as_of + 1);
	if (policy->downgrade_at != TIER_EVERY_RUN)
		day = period_end_from(policy->downgrade_at, day,
							  policy->downgrade_at == TIER_TIER_ANNIVERSARY ? state->since : input->first_day);
	return day;
}

/* Move to a rank, for a reason; nothing is pending there. */
static void
stand(TierOutcome *outcome, int rank, TierReason reason)
{
	outcome->rank = rank;
	outcome->reason = reason;
	outcome->up_runs = 0;
	outcome->up_since = TIER_NO_DAY;
	outcome->down_runs = 0;
	outcome->down_since = TIER_NO_DAY;
	outcome->drops_on = TIER_NO_DAY;
}

/* What stands in the words of somebody whose own entry rule holds. */
static TierReason
reason_to_stand(const TierInput *input, int rank)
{
	if (rank > 1)
		return REASON_QUALIFIED;
	return input->has_score ? REASON_BASE : REASON_UNRATED;
}

/* More runs than anybody asks for are not counted. */
static int
one_more(int runs)
{
	return runs < INT32_MAX ? runs + 1 : runs;
}

/* Step 6: a higher tier's entry rule holds. */
static void
climb(const Evaluation *e, const TierState *state, int rank, TierOutcome *outcome)
{
	const TierPolicy *policy = &e->terms->policy;
	const TierInput *input = e->input;
	bool in_a_row = state->up_runs > 0;

	stand(outcome, state->rank, REASON_WAITING);
	outcome->up_runs = in_a_row ? one_more(state->up_runs) : 1;
	outcome->up_since = in_a_row ? state->up_since : input->as_of;
	if (outcome->up_runs < policy->upgrade_confirm)
		return;
	if (policy->upgrade_at != TIER_EVERY_RUN &&
		period_start_after(policy->upgrade_at, later(outcome->up_since, input->last_as_of),
						   policy->upgrade_at == TIER_TIER_ANNIVERSARY ? state->since : input->first_day) > input->as_of)
		return;
	stand(outcome, rank, REASON_UPGRADED);
}

/*
 * Where he lands who falls: the highest tier below that he may enter, or stay
 * in; where places are limited he needs a seat as well.
 */
static int
landing(const Evaluation *e, int rank)
{
	do
		rank--;
	while (rank > 1 && !may_enter(e, rank, 0) && !may_stay(e, e->terms, &e->terms->tiers[rank - 1], true));
	return rank;
}

/* Step 9: neither the entry nor the stay rule of his tier holds. */
static void
fail(const Evaluation *e, const TierTerms *terms, const TierState *state, TierOutcome *outcome)
{
	const TierPolicy *policy = &terms->policy;
	const TierInput *input = e->input;
	bool in_a_row = state->down_runs > 0;
	bool holds = state->previous_rank > 0 && state->previous_rank < state->rank;
	bool confirmed;
	bool graced;

	stand(outcome, state->rank, REASON_HOLD);
	outcome->down_runs = in_a_row ? one_more(state->down_runs) : 1;
	outcome->down_since = in_a_row ? state->down_since : input->as_of;
	outcome->drops_on = first_fall(policy, state, input, outcome, holds);
	if (holds && input->as_of < state->since + policy->hold_days)
		return;

	outcome->reason = REASON_GRACE;
	confirmed = outcome->down_runs >= policy->downgrade_confirm;
	graced = input->as_of >= outcome->down_since + policy->grace_days;
	if (policy->downgrade_needs_either ? !confirmed && !graced : !confirmed || !graced)
		return;

	outcome->reason = REASON_PERIOD;
	if (policy->downgrade_at != TIER_EVERY_RUN)
	{
		int32_t from = outcome->down_since;

		if (input->last_as_of != TIER_NO_DAY)
			from = later(from, input->last_as_of + 1);
		if (period_end_from(policy->downgrade_at, from,
							policy->downgrade_at == TIER_TIER_ANNIVERSARY ? state->since : input->first_day) > input->as_of)
			return;
	}
	stand(outcome, policy->one_level ? state->rank - 1 : landing(e, state->rank), REASON_DOWNGRADED);
}

/* Steps 5 to 9: what the rules say to somebody who stands in a tier. */
static void
follow_rules(const Evaluation *e, const TierState *state, TierOutcome *outcome)
{
	const TierInput *input = e->input;
	const Tier *tier;
	const TierTerms *terms = terms_to_stay(e->terms, state, state->rank, &tier);

	outcome->wanted = highest_entry(e, state->rank);
	if (e->terms->policy.revoke_on_refund && outcome->wanted < state->rank &&
		state->previous_rank > 0 && state->previous_rank < state->rank &&
		input->refunded_since > 0 && input->refunded_since >= input->earned_amount)
		stand(outcome, outcome->wanted, REASON_REVOKED);
	else if (outcome->wanted > state->rank)
		climb(e, state, outcome->wanted, outcome);
	else if (outcome->wanted == state->rank)
		stand(outcome, state->rank, reason_to_stand(input, state->rank));
	else if (may_stay(e, terms, tier, false))
		stand(outcome, state->rank, REASON_KEPT);
	else
		fail(e, terms, state, outcome);
}

/* Steps 2 to 9. */
static void
decide(const Evaluation *e, const TierState *state, TierOutcome *outcome)
{
	const TierInput *input = e->input;

	if (!input->has_order)
		stand(outcome, 1, REASON_PROSPECT);
	else if (input->refund_rate >= e->terms->policy.max_refund_rate)
		stand(outcome, 1, REASON_REFUNDED);
	else if (state->rank <= 0)
	{
		outcome->wanted = highest_entry(e, 0);
		stand(outcome, outcome->wanted, state->rank < 0 ? REASON_RULES : reason_to_stand(input, outcome->wanted));
	}
	else
		follow_rules(e, state, outcome);
}

/* Step 1 without a lock: at least in the tier that a person gave. */
static void
follow_override(const Evaluation *e, const TierState *state, TierOutcome *outcome)
{
	int rank = e->input->override_rank;
	bool is_his_own;

	decide(e, state, outcome);
	is_his_own = outcome->rank > rank ||
		(outcome->rank == rank && state->rank == rank &&
		 (outcome->reason == REASON_QUALIFIED || outcome->reason == REASON_WAITING));
	if (!is_his_own)
		stand(outcome, rank, REASON_OVERRIDE);
}

static void
fill_numbers(const Evaluation *e, const TierState *state, TierOutcome *outcome)
{
	outcome->score_to_next = outcome->amount_to_next = NAN;
	outcome->score_to_stay = outcome->amount_to_stay = NAN;
	if (outcome->reason == REASON_PROSPECT || outcome->reason == REASON_REFUNDED || outcome->reason == REASON_LOCKED || !e->input->has_order)
		return;
	if (outcome->rank < e->terms->n_tiers)
		missing_of_rules(e, &e->terms->tiers[outcome->rank].entry, 0, true, &outcome->score_to_next, &outcome->amount_to_next);
	if (outcome->drops_on != TIER_NO_DAY)
	{
		const Tier *tier;
		const TierTerms *terms = terms_to_stay(e->terms, state, outcome->rank, &tier);

		if (tier->has_stay)
			missing_of_rules(e, &tier->stay, 0, false, &outcome->score_to_stay, &outcome->amount_to_stay);
		else
			missing_of_rules(e, &tier->entry, terms->policy.delta, false, &outcome->score_to_stay, &outcome->amount_to_stay);
	}
}

/*
 * Where a customer stands now, and why.
 *
 * terms: today's; limits: what shares and capacities leave; seats: how those who
 * come from below find seats (other than as limited, only rank and wanted count,
 * and what is missing is left out); state: until now.  No errors.
 */
void
tier_evaluate(const TierTerms *terms, const TierLimits *limits, TierSeats seats, const TierInput *input,
			  const TierState *state, TierOutcome *outcome)
{
	Evaluation e = {terms, limits, seats, input};

	outcome->wanted = 0;
	if (input->override_rank > 0 && input->override_locks)
		stand(outcome, input->override_rank, REASON_LOCKED);
	else if (input->override_rank > 1)
		follow_override(&e, state, outcome);
	else
		decide(&e, state, outcome);
	outcome->moved = outcome->rank != state->rank;
	if (seats == SEATS_AS_LIMITED)
		fill_numbers(&e, state, outcome);
}
