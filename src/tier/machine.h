/*
 * machine.h
 *	  The tier state machine: a pure function of a customer's score and measures,
 *	  the terms, his state, and the day.  docs/tiers.md is its specification.
 *
 * Plain C: knows nothing of PostgreSQL.  Ranks are 1 (base tier) and upwards;
 * days are PostgreSQL's (days since 2000-01-01); scores are whole millionths of
 * a point, so that a least score minus delta is exact.
 */
#ifndef TIER_MACHINE_H
#define TIER_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "tier/calendar.h"

#define TIER_NO_DAY INT32_MIN
#define TIER_SCORE_UNIT 1000000 /* millionths in a point */

typedef enum TierConditionKind
{
	TIER_SCORE,	  /* lowest <= score <= highest */
	TIER_MEASURE, /* at_least <= value <= at_most */
	TIER_SEGMENT, /* in one of the segments */
	TIER_LIMIT	  /* among the best, and a seat is free */
} TierConditionKind;

typedef struct TierCondition
{
	TierConditionKind kind;
	int64_t lowest;	 /* TIER_SCORE */
	int64_t highest; /* TIER_SCORE */
	int measure;	 /* TIER_MEASURE: which value; -1 = nobody has one */
	bool is_amount;	 /* TIER_MEASURE: of revenue */
	double at_least;
	double at_most;
	int n_segments;
	const char **segments;
	int limit;		 /* TIER_LIMIT: which of the limits */
} TierCondition;

/* All conditions of a rule must hold; any rule of a list will do. */
typedef struct TierRule
{
	int n_conditions;
	TierCondition *conditions;
} TierRule;

typedef struct TierRules
{
	int n_rules;
	TierRule *rules;
} TierRules;

typedef struct Tier
{
	const char *code;
	TierRules entry;
	bool has_stay; /* otherwise: entry, with scores lowered by delta */
	TierRules stay;
} Tier;

typedef struct TierPolicy
{
	int64_t delta;
	int upgrade_confirm;
	TierPeriod upgrade_at;
	int hold_days;
	int downgrade_confirm;
	int grace_days;
	bool downgrade_needs_either;
	TierPeriod downgrade_at;
	bool one_level;
	bool revoke_on_refund;
	bool grandfather;
	double max_refund_rate; /* NAN = no such rule */
} TierPolicy;

typedef struct TierTerms
{
	int64_t id;
	int n_tiers;
	Tier *tiers; /* from the base up */
	TierPolicy policy;
} TierTerms;

/* What a customer is worth on the day. */
typedef struct TierInput
{
	int32_t as_of;
	int32_t last_as_of; /* the last day evaluated, or TIER_NO_DAY */
	bool has_order;
	bool has_score;
	int64_t score;
	int32_t first_day; /* TIER_NO_DAY without an order */
	const char *segment;
	const double *values; /* of the measures; NAN = none */
	double refund_rate;	  /* 0..1, NAN = none */
	double refunded_since; /* since the last move, in currency units; NAN = none */
	double earned_amount;  /* of the last day with an order up to it; NAN = none */
	int override_rank;	   /* 0 = none */
	bool override_locks;
} TierInput;

/* Where the customer stood until now. */
typedef struct TierState
{
	int rank;		   /* 0 = first evaluation, -1 = in a tier that is no more */
	int previous_rank; /* 0 = none, or no more */
	int32_t since;
	const TierTerms *granted; /* the terms under which; NULL = not known */
	int up_runs;
	int32_t up_since;
	int down_runs;
	int32_t down_since;
} TierState;

/*
 * Shares and capacities compare customers by a key: the score, then the
 * tie-breaks; what is not used is 0.
 */
#define TIER_MAX_TIE_BREAKS 3
#define TIER_KEY_NUMBERS (1 + TIER_MAX_TIE_BREAKS)

typedef struct TierKey
{
	double numbers[TIER_KEY_NUMBERS];
} TierKey;

/* What a share or capacity leaves: the least key among the best, and of who finds a seat. */
typedef struct TierPlaces
{
	TierKey best;
	TierKey seated;
} TierPlaces;

typedef struct TierLimits
{
	int n_tie_breaks;
	int tie_breaks[TIER_MAX_TIE_BREAKS]; /* indexes of values, -1 = nobody has one */
	const TierPlaces *places; /* of each limit; NULL = not known: none holds */
} TierLimits;

/* Which seats are free, for who asks before they are shared out. */
typedef enum TierSeats
{
	SEATS_AS_LIMITED,
	SEATS_NONE,
	SEATS_FOR_ALL
} TierSeats;

typedef enum TierReason
{
	REASON_LOCKED,
	REASON_OVERRIDE,
	REASON_PROSPECT,
	REASON_REFUNDED,
	REASON_UNRATED,
	REASON_BASE,
	REASON_QUALIFIED,
	REASON_KEPT,
	REASON_HOLD,
	REASON_GRACE,
	REASON_PERIOD,
	REASON_WAITING,
	REASON_UPGRADED,
	REASON_DOWNGRADED,
	REASON_REVOKED,
	REASON_RULES
} TierReason;

extern const char *const tier_reason_names[];

typedef struct TierOutcome
{
	int rank;
	bool moved; /* since is today: from another tier, or for the first time */
	TierReason reason;
	int wanted; /* highest tier whose entry rule holds, whatever the policy says */
	int up_runs;
	int32_t up_since;
	int down_runs;
	int32_t down_since;
	int32_t drops_on; /* when he falls if nothing changes; TIER_NO_DAY = he does not */
	/* What is missing to the next tier, and to stay: NAN = nothing of the kind, or it would not do. */
	double score_to_next;
	double amount_to_next;
	double score_to_stay;
	double amount_to_stay;
} TierOutcome;

extern void tier_evaluate(const TierTerms *terms, const TierLimits *limits, TierSeats seats, const TierInput *input,
						  const TierState *state, TierOutcome *outcome);
extern TierKey tier_key(const TierLimits *limits, const TierInput *input);
extern int tier_key_compare(const TierKey *a, const TierKey *b);

#endif /* TIER_MACHINE_H */
