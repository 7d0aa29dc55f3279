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
#include "value_list.h"

PG_FUNCTION_INFO_V1(cuts_accum);
PG_FUNCTION_INFO_V1(cuts_combine);
PG_FUNCTION_INFO_V1(cuts_serialize);
PG_FUNCTION_INFO_V1(cuts_deserialize);
PG_FUNCTION_INFO_V1(quantile_cuts_final);
PG_FUNCTION_INFO_V1(balanced_cuts_final);
PG_FUNCTION_INFO_V1(natural_cuts_final);
PG_FUNCTION_INFO_V1(mean_accum);
PG_FUNCTION_INFO_V1(mean_combine);
PG_FUNCTION_INFO_V1(mean_serialize);
PG_FUNCTION_INFO_V1(mean_deserialize);
PG_FUNCTION_INFO_V1(mean_cut_final);
PG_FUNCTION_INFO_V1(score);

#define SCORES_MIN 2
#define SCORES_MAX 1000

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

/* cuts_accum(state internal, value float8, n int) -> internal */
Datum
cuts_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ValueList  *list = PG_ARGISNULL(0) ? NULL : (ValueList *) PG_GETARG_POINTER(0);
	int32		n = get_number_of_scores(fcinfo, 2);

	if (list == NULL)
		list = value_list_create(context, n);
	else
		check_same_number(list->parameter, n);

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		check_value_not_nan(value);
		value_list_add(list, value);
	}
	PG_RETURN_POINTER(list);
}

Datum
cuts_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ValueList  *list = PG_ARGISNULL(0) ? NULL : (ValueList *) PG_GETARG_POINTER(0);
	ValueList  *other = PG_ARGISNULL(1) ? NULL : (ValueList *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (list == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(list);
	}
	if (list == NULL)
		list = value_list_create(context, other->parameter);
	else
		check_same_number(list->parameter, other->parameter);
	value_list_append(list, other);
	PG_RETURN_POINTER(list);
}

Datum
cuts_serialize(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(value_list_serialize((ValueList *) PG_GETARG_POINTER(0)));
}

Datum
cuts_deserialize(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_POINTER(value_list_deserialize(PG_GETARG_BYTEA_PP(0), CurrentMemoryContext));
}

/* The values of a group, sorted; NULL when there is none. */
static double *
get_sorted_values(FunctionCallInfo fcinfo, ValueList **list)
{
	get_aggregate_context(fcinfo);
	*list = PG_ARGISNULL(0) ? NULL : (ValueList *) PG_GETARG_POINTER(0);
	if (*list == NULL || (*list)->count == 0)
		return NULL;
	return value_list_sorted(*list);
}

Datum
quantile_cuts_final(PG_FUNCTION_ARGS)
{
	ValueList  *list;
	double	   *sorted = get_sorted_values(fcinfo, &list);
	double		cuts[SCORES_MAX];

	if (sorted == NULL)
		PG_RETURN_NULL();
	quantile_cuts(sorted, list->count, list->parameter, cuts);
	pfree(sorted);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(cuts, list->parameter - 1));
}

Datum
balanced_cuts_final(PG_FUNCTION_ARGS)
{
	ValueList  *list;
	double	   *sorted = get_sorted_values(fcinfo, &list);
	double		cuts[SCORES_MAX];

	if (sorted == NULL)
		PG_RETURN_NULL();
	balanced_cuts(sorted, list->count, list->parameter, cuts);
	pfree(sorted);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(cuts, list->parameter - 1));
}

Datum
natural_cuts_final(PG_FUNCTION_ARGS)
{
	ValueList  *list;
	double	   *sorted = get_sorted_values(fcinfo, &list);
	double	   *through;
	void	   *workspace;
	double		cuts[SCORES_MAX];
	size_t		distinct;
	int			count;

	if (sorted == NULL)
		PG_RETURN_NULL();
	check_value_finite(sorted[0]);
	check_value_finite(sorted[list->count - 1]);

	through = MemoryContextAllocHuge(CurrentMemoryContext, list->count * sizeof(double));
	distinct = sort_distinct(sorted, through, list->count);
	if (distinct > PG_UINT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many distinct values for natural cuts")));
	workspace = MemoryContextAllocHuge(
		CurrentMemoryContext, natural_breaks_workspace(distinct, list->parameter));
	count = natural_breaks(sorted, through, distinct, list->parameter, cuts, workspace,
						   check_interrupts);
	pfree(workspace);
	pfree(through);
	pfree(sorted);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(cuts, count));
}

/* ---------- the mean: one exact sum ---------- */

#define MEAN_STATE_VERSION 1

typedef struct MeanState
{
	int64		count;
	ExactSum	sum;
} MeanState;

static MeanState *
mean_create(MemoryContext context)
{
	MeanState  *state = MemoryContextAlloc(context, sizeof(MeanState));

	state->count = 0;
	exact_sum_init(&state->sum);
	return state;
}

/* mean_accum(state internal, value float8) -> internal */
Datum
mean_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	MeanState  *state = PG_ARGISNULL(0) ? NULL : (MeanState *) PG_GETARG_POINTER(0);
	double		value;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	value = PG_GETARG_FLOAT8(1);
	check_value_not_nan(value);
	check_value_finite(value);
	if (state == NULL)
		state = mean_create(context);
	exact_sum_add(&state->sum, value);
	state->count++;
	PG_RETURN_POINTER(state);
}

Datum
mean_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	MeanState  *state = PG_ARGISNULL(0) ? NULL : (MeanState *) PG_GETARG_POINTER(0);
	MeanState  *other = PG_ARGISNULL(1) ? NULL : (MeanState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = mean_create(context);
	exact_sum_merge(&state->sum, &other->sum);
	state->count += other->count;
	PG_RETURN_POINTER(state);
}

/* The digits are written carried, which is the same for equal sums. */
Datum
mean_serialize(PG_FUNCTION_ARGS)
{
	MeanState  *state = (MeanState *) PG_GETARG_POINTER(0);
	ExactSum	sum;
	StringInfoData buf;

	get_aggregate_context(fcinfo);
	sum = state->sum;
	exact_sum_carry(&sum);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, MEAN_STATE_VERSION);
	pq_sendint64(&buf, state->count);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		pq_sendint64(&buf, sum.digit[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
mean_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	StringInfoData buf;
	MeanState  *state;

	get_aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	buf.data = VARDATA_ANY(bytes);
	buf.len = VARSIZE_ANY_EXHDR(bytes);
	buf.maxlen = buf.len;
	buf.cursor = 0;

	if (pq_getmsgbyte(&buf) != MEAN_STATE_VERSION)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("unknown version of an aggregate state")));
	state = mean_create(CurrentMemoryContext);
	state->count = pq_getmsgint64(&buf);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
	{
		int64		digit = pq_getmsgint64(&buf);

		/* carried digits have 32 bits; the topmost has the sign and few more */
		if (digit > (int64) PG_UINT32_MAX || digit < -(int64) PG_UINT32_MAX ||
			(digit < 0 && i < EXACT_SUM_DIGITS - 1))
			ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
							errmsg("an aggregate state contains an impossible digit")));
		state->sum.digit[i] = digit;
	}
	if (state->count <= 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible count")));
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

Datum
mean_cut_final(PG_FUNCTION_ARGS)
{
	MeanState  *state;
	double		mean;

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (MeanState *) PG_GETARG_POINTER(0);
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
