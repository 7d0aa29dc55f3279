/*
 * scale_agg.c
 *	  What is measured of a population, to make points of its values.
 *
 * value_range() and scale_stats() keep all values, for their ranks;
 * mean_deviation() keeps exact sums.  (The scale of 'percentile' is made in
 * percentile.c, that of 'score' in the score room.)  None depends on the order
 * of the rows or on the plan.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "numerics/exact_moments.h"
#include "numerics/quantile.h"
#include "rating/population.h"
#include "rating/scale_stats.h"

PG_FUNCTION_INFO_V1(range_accum);
PG_FUNCTION_INFO_V1(range_combine);
PG_FUNCTION_INFO_V1(value_range_final);
PG_FUNCTION_INFO_V1(deviation_accum);
PG_FUNCTION_INFO_V1(deviation_combine);
PG_FUNCTION_INFO_V1(mean_deviation_final);
PG_FUNCTION_INFO_V1(scale_stats_final);

static void
check_value_not_nan(double value)
{
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to measure must not be NaN"),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
}

/* ---------- value_range: two quantiles ---------- */

typedef struct RangeState
{
	double		low;			/* the quantiles asked for, 0 .. 1 */
	double		high;
	ValueList  *list;
} RangeState;

static RangeState *
range_create(MemoryContext context, double low, double high)
{
	RangeState *state = MemoryContextAlloc(context, sizeof(RangeState));

	state->low = low;
	state->high = high;
	state->list = value_list_create(context, 0);
	return state;
}

static bool
is_range(double low, double high)
{
	return low >= 0 && low <= high && high <= 1;
}

static void
check_quantiles(double low, double high)
{
	if (!is_range(low, high))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a range must not reach from quantile %s to %s",
							   float8out_internal(low), float8out_internal(high)),
						errhint("Give two numbers from 0 to 1, the lower one first, for example "
								"0.01 and 0.99; 0 and 1 are the minimum and the maximum.")));
}

static void
check_same_quantiles(const RangeState *state, double low, double high)
{
	if (state->low != low || state->high != high)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the quantiles of a range change within one group"),
						errhint("Use the same two numbers for all rows of a group.")));
}

/* The quantiles, and then the values as their list writes itself. */
static void
range_serialize(StringInfo buf, const void *state)
{
	const RangeState *range = state;

	pq_sendfloat8(buf, range->low);
	pq_sendfloat8(buf, range->high);
	value_list_send(buf, range->list);
}

static void *
range_deserialize(StringInfo buf)
{
	RangeState *range = palloc(sizeof(RangeState));

	range->low = pq_getmsgfloat8(buf);
	range->high = pq_getmsgfloat8(buf);
	range->list = value_list_receive(buf);
	if (!is_range(range->low, range->high))
		report_bad_partial_state("Its quantiles are out of range.");
	return range;
}

static void
range_add(void *state, const void *other)
{
	RangeState *range = state;
	const RangeState *more = other;

	check_same_quantiles(range, more->low, more->high);
	value_list_append(range->list, more->list);
}

static const PartialStateKind range_kind = {PARTIAL_STATE_RANGE, range_serialize, range_deserialize, range_add};

/* range_accum(state partial_state, value float8, low float8, high float8) -> partial_state */
Datum
range_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &range_kind);
	RangeState *state;
	double		low;
	double		high;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the quantiles of a range must not be NULL")));
	low = PG_GETARG_FLOAT8(2);
	high = PG_GETARG_FLOAT8(3);
	if (partial == NULL)
	{
		check_quantiles(low, high);
		partial = partial_state_create(fcinfo, &range_kind);
		partial->state = range_create(partial->header.eoh_context, low, high);
	}
	state = partial->state;
	check_same_quantiles(state, low, high);

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		check_value_not_nan(value);
		value_list_add(state->list, value);
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
range_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &range_kind);
}

/* The value that percentile_disc(fraction) gives. */
static double
get_quantile(const double *sorted, int64 count, double fraction)
{
	double		rank = ceil(fraction * (double) count);

	return sorted[rank < 1 ? 0 : Min((int64) rank, count) - 1];
}

Datum
value_range_final(PG_FUNCTION_ARGS)
{
	const RangeState *state = partial_state_read(fcinfo, &range_kind);
	const double *sorted;
	double		range[2];

	if (state == NULL || state->list->count == 0)
		PG_RETURN_NULL();
	sorted = value_list_in_order(state->list);
	range[0] = get_quantile(sorted, state->list->count, state->low);
	range[1] = get_quantile(sorted, state->list->count, state->high);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(range, 2));
}

/* ---------- mean_deviation: exact sums ---------- */

/* The digits are written carried, which is the same for equal sums. */
static void
deviation_serialize(StringInfo buf, const void *state)
{
	ExactMoments moments = *(const ExactMoments *) state;

	exact_moments_carry(&moments);
	pq_sendint64(buf, moments.count);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		pq_sendint64(buf, moments.sum.digit[i]);
	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
		pq_sendint64(buf, moments.squares[i]);
}

/* A carried digit has 32 bits, and the topmost of a sum may be negative. */
static int64
receive_digit(StringInfo buf, bool may_be_negative)
{
	int64		digit = pq_getmsgint64(buf);

	if (digit > (int64) PG_UINT32_MAX ||
		digit < (may_be_negative ? -(int64) PG_UINT32_MAX : 0))
		report_bad_partial_state("A digit of its sums is out of range.");
	return digit;
}

static void *
deviation_deserialize(StringInfo buf)
{
	ExactMoments *moments = palloc(sizeof(ExactMoments));

	exact_moments_init(moments);
	moments->count = partial_state_get_count(buf);
	if (moments->count == 0)
		report_bad_partial_state("It has no values.");
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		moments->sum.digit[i] = receive_digit(buf, i == EXACT_SUM_DIGITS - 1);
	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
		moments->squares[i] = receive_digit(buf, false);
	return moments;
}

static void
deviation_add(void *state, const void *other)
{
	ExactMoments *moments = state;
	const ExactMoments *more = other;
	int64		count = moments->count;

	partial_state_add_count(&count, more->count);
	exact_moments_merge(moments, more);
}

static const PartialStateKind deviation_kind = {
	PARTIAL_STATE_DEVIATION, deviation_serialize, deviation_deserialize, deviation_add
};

/* deviation_accum(state partial_state, value float8) -> partial_state */
Datum
deviation_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &deviation_kind);
	double		value;

	if (PG_ARGISNULL(1))
		PG_RETURN_PARTIAL_STATE(partial);
	value = PG_GETARG_FLOAT8(1);
	check_value_not_nan(value);
	if (isinf(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to average must not be %s",
							   value > 0 ? "Infinity" : "-Infinity"),
						errdetail("The deviation from a mean needs distances between values."),
						errhint("Leave such rows out, or use a method of ranks: 'percentile' or "
								"'score'.")));
	if (partial == NULL)
	{
		partial = partial_state_create(fcinfo, &deviation_kind);
		partial->state = MemoryContextAlloc(partial->header.eoh_context, sizeof(ExactMoments));
		exact_moments_init(partial->state);
	}
	exact_moments_add(partial->state, value);
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
deviation_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &deviation_kind);
}

Datum
mean_deviation_final(PG_FUNCTION_ARGS)
{
	const ExactMoments *state = partial_state_read(fcinfo, &deviation_kind);
	double		result[2];

	if (state == NULL)
		PG_RETURN_NULL();
	result[0] = exact_moments_mean(state);
	result[1] = exact_moments_deviation(state);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(result, 2));
}

/* ---------- scale_stats: what a run keeps of a dimension ---------- */

#define BINS 10

/* How many values are in each bin; a cut belongs to the bin below it. */
static ArrayType *
count_bins(const double *sorted, int64 count, const double *cuts)
{
	Datum		bins[BINS];
	int64		before = 0;

	for (int i = 0; i < BINS; i++)
	{
		int64		through = i < BINS - 1 ? count_through(sorted, count, cuts[i]) : count;

		bins[i] = Int64GetDatum(through - before);
		before = through;
	}
	return construct_array(bins, BINS, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* Mean and deviation; false where an infinite value leaves them undefined. */
static bool
measure_moments(const double *sorted, int64 count, double *mean, double *deviation)
{
	ExactMoments moments;

	if (isinf(sorted[0]) || isinf(sorted[count - 1]))
		return false;
	exact_moments_init(&moments);
	for (int64 i = 0; i < count; i++)
	{
		if (i % 65536 == 0)
			check_interrupts();
		exact_moments_add(&moments, sorted[i]);
	}
	*mean = exact_moments_mean(&moments);
	*deviation = exact_moments_deviation(&moments);
	return true;
}

/* The first seven values of a row: scale_stats, of a list that may be NULL. */
void
fill_scale_stats(ValueList *list, Datum *value, bool *isnull)
{
	int64		count = list == NULL ? 0 : list->count;

	for (int i = 0; i < SCALE_STATS; i++)
		isnull[i] = i > 0 && count == 0;
	value[0] = Int64GetDatum(count);
	if (count > 0)
	{
		const double *sorted = value_list_in_order(list);
		double		cuts[BINS - 1];
		double		mean = 0;
		double		deviation = 0;

		quantile_cuts(sorted, count, BINS, cuts);
		value[1] = Float8GetDatum(sorted[0]);
		value[2] = Float8GetDatum(sorted[count - 1]);
		isnull[3] = isnull[4] = !measure_moments(sorted, count, &mean, &deviation);
		value[3] = Float8GetDatum(mean);
		value[4] = Float8GetDatum(deviation);
		value[5] = PointerGetDatum(float8_array_from(cuts, BINS - 1));
		value[6] = PointerGetDatum(count_bins(sorted, count, cuts));
	}
}

Datum
scale_stats_final(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		value[SCALE_STATS] = {0};
	bool		isnull[SCALE_STATS];
	ValueList  *list = partial_state_read(fcinfo, &population_kind);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != SCALE_STATS)
		elog(ERROR, "scale_stats does not return its row");
	BlessTupleDesc(desc);
	fill_scale_stats(list, value, isnull);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, isnull)));
}
