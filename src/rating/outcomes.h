/*
 * outcomes.h
 *	  Aggregate state of the measures that compare good and bad customers: the
 *	  values of both, kept whole.
 */
#ifndef CUSTOMER_TIER_OUTCOMES_H
#define CUSTOMER_TIER_OUTCOMES_H

#include "fmgr.h"
#include "state/partial_state.h"
#include "value_list.h"

typedef struct Outcomes
{
	ValueList  *good;			/* its parameter is the number of bins, or 0 */
	ValueList  *bad;
	int64		good_null;		/* customers without a value */
	int64		bad_null;
} Outcomes;

/* Its state is an Outcomes. */
extern const PartialStateKind outcomes_kind;

/* Bins of woe_bins(). */
#define BINS_MIN 2
#define BINS_MAX 1000

/*
 * Add the row in arguments 1 (value) and 2 (bad) to the state in argument 0.
 * A row whose outcome is NULL is skipped; `what` names the value in an error.
 */
extern PartialState *outcomes_add(FunctionCallInfo fcinfo, int32 parameter, const char *what);

/* Both sorted, where they are. */
typedef struct SortedOutcomes
{
	int64		goods;
	int64		bads;
	const double *good;
	const double *bad;
} SortedOutcomes;

extern SortedOutcomes outcomes_sorted(const Outcomes *outcomes);

#endif							/* CUSTOMER_TIER_OUTCOMES_H */
