/*
 * score.c
 *	  Cut points of a population, and the score of one value among them.
 *
 * The aggregates quantile_cuts, balanced_cuts and natural_cuts keep all values
 * and differ in what the final function makes of them; mean_cut keeps one
 * exact sum.  A cut list divides values into classes; score() says which one.
 * A cut belongs to the class below it: the score of a value is 1 + the number
 * of cuts strictly below it.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "numerics/exact_sum.h"
#include "numerics/natural_breaks.h"
#include "numerics/quantile.h"
#include "numerics/sort.h"
#include "state/partial_state.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(cuts_accum);
PG_FUNCTION_INFO_V1(cuts_combine);
PG_FUNCTION_INFO_V1(cut_values_final);
PG_FUNCTION_INFO_V1(largest_below);
PG_FUNCTION_INFO_V1(quantile_cuts_final);
PG_FUNCTION_INFO_V1(balanced_cuts_final);
PG_FUNCTION_INFO_V1(natural_cuts_final);
PG_FUNCTION_INFO_V1(mean_accum);
PG_FUNCTION_INFO_V1(mean_combine);
PG_FUNCTION_INFO_V1(mean_cut_final);
PG_FUNCTION_INFO_V1(score);

#define SCORES_MIN 2
#define SCORES_MAX 1000

/* The number of scores in the state of cut_values(). */
#define NUMBER_COMES_LATER 0

/* ---------- values kept whole: quantile, balanced and natural cuts ---------- */

static int32
get_number_of_scores(FunctionCallInfo fcinfo, int argument)
{
	int32		n;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the number of scores must not be NULL"),
						errhint("Give a number from %d to %d, for example 5.", SCORES_MIN,
								SCORES_MAX)));
	n = PG_GETARG_INT32(argument);
	if (n < SCORES_MIN || n > SCORES_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of scores must not be %d", n),
						errhint("Give a number from %d to %d, for example 5.", SCORES_MIN,
								SCORES_MAX)));
	return n;
}

static void
check_same_number(int32 one, int32 other)
{
	if (one != other)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of scores changes from %d to %d within one group",
							   Min(one, other), Max(one, other)),
						errhint("Use one number for all rows of a group.")));
}

static void
check_value_not_nan(double value)
{
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to score must not be NaN"),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
}

static void
check_value_finite(double value)
{
	if (isinf(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to average must not be %s",
							   value > 0 ? "Infinity" : "-Infinity"),
						errdetail("natural_cuts and mean_cut need distances between values."),
						errhint("Leave such rows out, or use quantile_cuts or "
								"balanced_cuts.")));
}

static void
cuts_serialize(StringInfo buf, const void *state)
{
	value_list_send(buf, state);
}

static void *
cuts_deserialize(StringInfo buf)
{
	ValueList  *list = value_list_receive(buf);

	if (list->parameter != NUMBER_COMES_LATER &&
		(list->parameter < SCORES_MIN || list->parameter > SCORES_MAX))
		report_bad_partial_state("Its number of scores is out of range.");
	return list;
}

static void
cuts_add(void *state, const void *other)
{
	check_same_number(((ValueList *) state)->parameter, ((const ValueList *) other)->parameter);
	value_list_append(state, other);
}

static const PartialStateKind cuts_kind = {PARTIAL_STATE_CUTS, cuts_serialize, cuts_deserialize, cuts_add};

/* cuts_accum(state partial_state, value float8 [, n int]) -> partial_state */
Datum
cuts_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &cuts_kind);
	bool		has_number = PG_NARGS() > 2;
	ValueList  *list;

	if (partial == NULL)
	{
		int32		n = has_number ? get_number_of_scores(fcinfo, 2) : NUMBER_COMES_LATER;

		partial = partial_state_create(fcinfo, &cuts_kind);
		partial->state = value_list_create(partial->header.eoh_context, n);
	}
	list = partial->state;
	if (has_number && unlikely(PG_ARGISNULL(2) || PG_GETARG_INT32(2) != list->parameter))
		check_same_number(list->parameter, get_number_of_scores(fcinfo, 2));

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		check_value_not_nan(value);
		value_list_add(list, value);
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
cuts_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &cuts_kind);
}

/* cut_values_final(state) -> the state, with its values in order: equal values give equal bytes */
Datum
cut_values_final(PG_FUNCTION_ARGS)
{
	ValueList  *list = partial_state_read(fcinfo, &cuts_kind);

	if (list == NULL)
		PG_RETURN_NULL();
	value_list_in_order(list);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* largest_below(state, bound) -> the largest of the values below a bound; NULL when there is none */
Datum
largest_below(PG_FUNCTION_ARGS)
{
	const ValueList *list = partial_state_read(fcinfo, &cuts_kind);
	double		bound = PG_GETARG_FLOAT8(1);
	double		largest = 0;
	bool		found = false;

	for (int64 i = 0; i < list->count; i++)
	{
		if (list->values[i] < bound && !(found && list->values[i] <= largest))
		{
			largest = list->values[i];
			found = true;
		}
	}
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(largest);
}

/*
 * The values of a group, NULL when there is none, and for how many scores they
 * are to be cut: as the state says, or the second argument.
 */
static ValueList *
get_values(FunctionCallInfo fcinfo, int32 *n)
{
	ValueList  *list = partial_state_read(fcinfo, &cuts_kind);

	if (list == NULL)
		return NULL;
	*n = PG_NARGS() > 1 ? get_number_of_scores(fcinfo, 1) : list->parameter;
	if (*n == NUMBER_COMES_LATER)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the state does not say for how many scores it is"),
						errhint("It was made by cut_values(): give its number to quantile_cuts(state, n), "
								"balanced_cuts(state, n) or natural_cuts(state, n).")));
	if (list->parameter != NUMBER_COMES_LATER)
		check_same_number(list->parameter, *n);
	return list->count == 0 ? NULL : list;
}

Datum
quantile_cuts_final(PG_FUNCTION_ARGS)
{
	int32		n;
	ValueList  *list = get_values(fcinfo, &n);
	double		cuts[SCORES_MAX];

	if (list == NULL)
		PG_RETURN_NULL();
	quantile_cuts(value_list_in_order(list), list->count, n, cuts);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(cuts, n - 1));
}

Datum
balanced_cuts_final(PG_FUNCTION_ARGS)
{
	int32		n;
	ValueList  *list = get_values(fcinfo, &n);
	double		cuts[SCORES_MAX];

	if (list == NULL)
		PG_RETURN_NULL();
	balanced_cuts(value_list_in_order(list), list->count, n, cuts);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(cuts, n - 1));
}

Datum
natural_cuts_final(PG_FUNCTION_ARGS)
{
	int32		n;
	ValueList  *list = get_values(fcinfo, &n);
	double	   *sorted;
	double	   *through;
	void	   *workspace;
	double		cuts[SCORES_MAX];
	size_t		distinct;
	int			count;

	if (list == NULL)
		PG_RETURN_NULL();
	sorted = value_list_sorted(list);
	check_value_finite(sorted[0]);
	check_value_finite(sorted[list->count - 1]);

	through = MemoryContextAllocHuge(CurrentMemoryContext, list->count * sizeof(double));
	distinct = sort_distinct(sorted, through, list->count);
	if (distinct > PG_UINT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many distinct values for natural cuts")));
	workspace = MemoryContextAllocHuge(
		CurrentMemoryContext, natural_breaks_workspace(distinct, n));
	count = natural_breaks(sorted, through, distinct, n, cuts, workspace,
						   check_interrupts);
	pfree(workspace);
	pfree(through);
	pfree(sorted);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(cuts, count));
}

/* ---------- the mean: one exact sum ---------- */

typedef struct MeanState
{
	int64		count;
	ExactSum	sum;
} MeanState;

/* The digits are written carried, which is the same for equal sums. */
static void
mean_serialize(StringInfo buf, const void *state)
{
	const MeanState *mean = state;
	ExactSum	sum = mean->sum;

	exact_sum_carry(&sum);
	pq_sendint64(buf, mean->count);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		pq_sendint64(buf, sum.digit[i]);
}

static void *
mean_deserialize(StringInfo buf)
{
	MeanState  *mean = palloc0(sizeof(MeanState));

	mean->count = partial_state_get_count(buf);
	if (mean->count == 0)
		report_bad_partial_state("It has no values.");
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
	{
		int64		digit = pq_getmsgint64(buf);

		/* carried digits have 32 bits; the topmost has the sign and few more */
		if (digit > (int64) PG_UINT32_MAX || digit < -(int64) PG_UINT32_MAX ||
			(digit < 0 && i < EXACT_SUM_DIGITS - 1))
			report_bad_partial_state("A digit of its sum is out of range.");
		mean->sum.digit[i] = digit;
	}
	return mean;
}

static void
mean_add(void *state, const void *other)
{
	MeanState  *mean = state;
	const MeanState *more = other;

	partial_state_add_count(&mean->count, more->count);
	exact_sum_merge(&mean->sum, &more->sum);
}

static const PartialStateKind mean_kind = {PARTIAL_STATE_MEAN, mean_serialize, mean_deserialize, mean_add};

/* mean_accum(state partial_state, value float8) -> partial_state */
Datum
mean_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &mean_kind);
	MeanState  *mean;
	double		value;

	if (PG_ARGISNULL(1))
		PG_RETURN_PARTIAL_STATE(partial);
	value = PG_GETARG_FLOAT8(1);
	check_value_not_nan(value);
	check_value_finite(value);
	if (partial == NULL)
	{
		partial = partial_state_create(fcinfo, &mean_kind);
		partial->state = MemoryContextAllocZero(partial->header.eoh_context, sizeof(MeanState));
	}
	mean = partial->state;
	exact_sum_add(&mean->sum, value);
	mean->count++;
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
mean_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &mean_kind);
}

Datum
mean_cut_final(PG_FUNCTION_ARGS)
{
	const MeanState *state = partial_state_read(fcinfo, &mean_kind);
	double		mean;

	if (state == NULL)
		PG_RETURN_NULL();
	mean = exact_sum_mean(&state->sum, state->count);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(&mean, 1));
}

/* ---------- score() ---------- */

static void
report_bad_cut(const double *cuts, int at)
{
	if (isnan(cuts[at]) || (at > 0 && isnan(cuts[at - 1])))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cut points must not contain NaN")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cut points must be sorted"),
			 errdetail("Cut %d is %g, cut %d before it is %g.", at + 1, cuts[at], at,
					   cuts[at - 1]),
			 errhint("Sort the cut points ascending; for a value where less is better, "
					 "use n + 1 - score(...).")));
}

/* score(value float8, cuts float8[]) -> int */
Datum
score(PG_FUNCTION_ARGS)
{
	double		value;
	Float8Array cuts;
	double		previous = -INFINITY;
	int			below = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	value = PG_GETARG_FLOAT8(0);
	check_value_not_nan(value);

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cut points must not be NULL"),
				 errdetail("There is a value to score, %g, but nothing to score it with.",
						   value),
				 errhint("An aggregate over no rows gives NULL: take the cut points from the "
						 "population that the value belongs to.")));
	float8_array_view_kept(&cuts, fcinfo, 1);
	if (cuts.ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("cut points must be an array of one dimension, not %d",
							   cuts.ndim)));
	if (cuts.has_null)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("cut points must not contain NULL")));

	/* one pass does both: the test fails for NaN as well as for a descent */
	for (int i = 0; i < cuts.count; i++)
	{
		double		cut = cuts.values[i];

		if (unlikely(!(cut >= previous)))
			report_bad_cut(cuts.values, i);
		below += cut < value;
		previous = cut;
	}
	PG_RETURN_INT32(1 + below);
}
