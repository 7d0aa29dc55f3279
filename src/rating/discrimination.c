/*
 * discrimination.c
 *	  How well a score tells good from bad customers: auc, ks and gini; and how
 *	  unequally a total is spread over customers.
 *
 *		auc		P(score of a good > score of a bad) + P(the two are equal) / 2
 *				(Mann & Whitney 1947; Hanley & McNeil, Radiology 143, 1982)
 *		gini	2 auc - 1, also called accuracy ratio or Somers' D
 *		ks		largest distance of the two distribution functions, 0 to 1
 *
 * A higher score is a better customer.  All are counts of pairs or of
 * customers until one division at the end.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "numerics/total.h"
#include "rating/outcomes.h"
#include "rating/population.h"
#include "rating/rating_args.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(discrimination_accum);
PG_FUNCTION_INFO_V1(discrimination_auc_final);
PG_FUNCTION_INFO_V1(discrimination_ks_final);
PG_FUNCTION_INFO_V1(discrimination_gini_final);
PG_FUNCTION_INFO_V1(concentration_accum);
PG_FUNCTION_INFO_V1(concentration_final);

/* Rows between two looks at whether the query was cancelled. */
#define INTERRUPT_EVERY 65536

/* discrimination_accum(state partial_state, score float8, bad boolean) -> partial_state */
Datum
discrimination_accum(PG_FUNCTION_ARGS)
{
	PG_RETURN_PARTIAL_STATE(outcomes_add(fcinfo, 0, "a score"));
}

/* Of all pairs of a good and a bad customer: */
typedef struct Pairs
{
	__int128	lead;			/* those with the good one above less those below */
	__int128	pairs;
	double		ks;
} Pairs;

/* False when an outcome is missing, and with it every pair. */
static bool
compare_outcomes(FunctionCallInfo fcinfo, Pairs *result)
{
	const Outcomes *state = partial_state_read(fcinfo, &outcomes_kind);
	SortedOutcomes sorted;
	int64		good = 0;
	int64		bad = 0;
	__int128	largest = 0;

	if (state == NULL || state->good->count == 0 || state->bad->count == 0)
		return false;

	sorted = outcomes_sorted(state);
	result->lead = 0;
	result->pairs = (__int128) sorted.goods * sorted.bads;
	/* one score after the other, upwards, with all customers who have it */
	for (int64 turn = 0; good < sorted.goods || bad < sorted.bads; turn++)
	{
		double		score;
		int64		good_before = good;
		int64		bad_before = bad;
		__int128	distance;

		if (turn % INTERRUPT_EVERY == 0)
			CHECK_FOR_INTERRUPTS();
		if (bad == sorted.bads || (good < sorted.goods && sorted.good[good] < sorted.bad[bad]))
			score = sorted.good[good];
		else
			score = sorted.bad[bad];
		while (good < sorted.goods && sorted.good[good] == score)
			good++;
		while (bad < sorted.bads && sorted.bad[bad] == score)
			bad++;
		/* each good here beats the bads below and loses to those above */
		result->lead += (__int128) (good - good_before) * (bad_before - (sorted.bads - bad));
		distance = (__int128) bad * sorted.goods - (__int128) good * sorted.bads;
		if (distance < 0)
			distance = -distance;
		if (distance > largest)
			largest = distance;
	}
	result->ks = (double) largest / (double) result->pairs;
	return true;
}

Datum
discrimination_auc_final(PG_FUNCTION_ARGS)
{
	Pairs		pairs;

	if (!compare_outcomes(fcinfo, &pairs))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) (pairs.lead + pairs.pairs) / (2 * (double) pairs.pairs));
}

Datum
discrimination_gini_final(PG_FUNCTION_ARGS)
{
	Pairs		pairs;

	if (!compare_outcomes(fcinfo, &pairs))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) pairs.lead / (double) pairs.pairs);
}

Datum
discrimination_ks_final(PG_FUNCTION_ARGS)
{
	Pairs		pairs;

	if (!compare_outcomes(fcinfo, &pairs))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(pairs.ks);
}

/* ---------- Concentration ---------- */

/* concentration_accum(state partial_state, x float8) -> partial_state */
Datum
concentration_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &population_kind);

	if (!PG_ARGISNULL(1))
	{
		double		x = PG_GETARG_FLOAT8(1);

		if (!isfinite(x))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a share of a total must not be %s", number_text(x)),
							errhint("Leave such rows out, or make the value NULL.")));
		if (partial == NULL)
			partial = population_create(fcinfo);
		value_list_add(partial->state, x);
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

/*
 * Gini's coefficient of x ascending,
 *
 *		2 sum_i i x_i / (n sum x) - (n + 1) / n  =  sum_i (2 i - n - 1) x_i / (n sum x)
 *
 * the second form, which subtracts nothing large.  The values are scaled by a
 * power of two, so that their sum stays finite.
 */
Datum
concentration_final(PG_FUNCTION_ARGS)
{
	ValueList  *list = partial_state_read(fcinfo, &population_kind);
	const double *sorted;
	int			exponent;
	int64		n;
	Total		sum = {0, 0};
	Total		moment = {0, 0};

	if (list == NULL || list->count == 0)
		PG_RETURN_NULL();
	n = list->count;
	sorted = value_list_in_order(list);
	/* with a value below 0, only zeros, or an infinite one, there are no shares */
	if (sorted[0] < 0 || sorted[n - 1] <= 0 || isinf(sorted[n - 1]))
		PG_RETURN_NULL();
	frexp(sorted[n - 1], &exponent);
	for (int64 i = 0; i < n; i++)
	{
		double		x = ldexp(sorted[i], -exponent);

		if (i % INTERRUPT_EVERY == 0)
			CHECK_FOR_INTERRUPTS();
		total_add(&sum, x);
		total_add(&moment, (double) (2 * i + 1 - n) * x);
	}
	PG_RETURN_FLOAT8(total_value(&moment) / ((double) n * total_value(&sum)));
}
