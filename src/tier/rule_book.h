/*
 * rule_book.h
 *	  The rules and policies of tiers as jsonb, read into what the machine follows.
 */
#ifndef TIER_RULE_BOOK_H
#define TIER_RULE_BOOK_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "tier/machine.h"

/* A limit of today's or of older terms: a share of the customers, or so many. */
typedef struct RuleLimit
{
	double		share;			/* 0..1; negative = a capacity */
	double		capacity;
	int			rank;			/* of the tier whose entry it limits; 0 = of a stay rule, or of older terms */
} RuleLimit;

typedef struct RuleBook
{
	int			n_measures;
	int			room_for_measures;
	char	  **measures;
	bool		collects;		/* measures are taken as they come; otherwise they are given */
	int			n_terms;
	TierTerms  *terms;			/* the last ones are today's */
	int			n_limits;
	int			room_for_limits;
	RuleLimit  *limits;
	int			n_tie_breaks;
	int			tie_breaks[TIER_MAX_TIE_BREAKS];
	int			refund_rate;	/* which measure, -1 = none */
	int			refunded_since;
	int			earned_amount;
} RuleBook;

extern RuleBook *rule_book_read(Jsonb *rules);

static inline const TierTerms *
rule_book_today(const RuleBook *book)
{
	return &book->terms[book->n_terms - 1];
}

extern int	rule_book_rank(const TierTerms *terms, const char *code);

#endif							/* TIER_RULE_BOOK_H */
