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
#include "rating/scale_stats.h"

PG_FUNCTION_INFO_V1(range_accum);
PG_FUNCTION_INFO_V1(range_combine);
PG_FUNCTION_INFO_V1(range_serialize);
PG_FUNCTION_INFO_V1(range_deserialize);
PG_FUNCTION_INFO_V1(value_range_final);
PG_FUNCTION_INFO_V1(deviation_accum);
PG_FUNCTION_INFO_V1(deviation_combine);
PG_FUNCTION_INFO_V1(deviation_serialize);
PG_FUNCTION_INFO_V1(deviation_deserialize);
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

/* Read a state that was sent, in place: the functions of pqformat.h do not write. */
static void
begin_reading(StringInfo buf, bytea *bytes, int version)
{
	buf->data = VARDATA_ANY(bytes);
	buf->len = VARSIZE_ANY_EXHDR(bytes);
	buf->maxlen = buf->len;
	buf->cursor = 0;
	if (pq_getmsgbyte(buf) != version)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("unknown version of an aggregate state")));
}

/* ---------- value_range: two quantiles ---------- */

#define RANGE_STATE_VERSION 1

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

/* range_accum(state internal, value float8, low float8, high float8) -> internal */
Datum
range_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	RangeState *state = PG_ARGISNULL(0) ? NULL : (RangeState *) PG_GETARG_POINTER(0);
	double		low;
	double		high;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the quantiles of a range must not be NULL")));
	low = PG_GETARG_FLOAT8(2);
	high = PG_GETARG_FLOAT8(3);
	if (state == NULL)
	{
		check_quantiles(low, high);
		state = range_create(context, low, high);
	}
	else
		check_same_quantiles(state, low, high);

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		check_value_not_nan(value);
		value_list_add(state->list, value);
	}
	PG_RETURN_POINTER(state);
}

Datum
range_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	RangeState *state = PG_ARGISNULL(0) ? NULL : (RangeState *) PG_GETARG_POINTER(0);
	RangeState *other = PG_ARGISNULL(1) ? NULL : (RangeState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = range_create(context, other->low, other->high);
	else
		check_same_quantiles(state, other->low, other->high);
	value_list_append(state->list, other->list);
	PG_RETURN_POINTER(state);
}

/* The quantiles, and then the values as their list writes itself. */
Datum
range_serialize(PG_FUNCTION_ARGS)
{
	RangeState *state = (RangeState *) PG_GETARG_POINTER(0);
	bytea	   *values;
	StringInfoData buf;

	get_aggregate_context(fcinfo);
	values = value_list_serialize(state->list);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, RANGE_STATE_VERSION);
	pq_sendfloat8(&buf, state->low);
	pq_sendfloat8(&buf, state->high);
	pq_sendbytes(&buf, (char *) values, VARSIZE(values));
	pfree(values);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
range_deserialize(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	RangeState *state;
	bytea	   *values;
	Size		length;

	get_aggregate_context(fcinfo);
	begin_reading(&buf, PG_GETARG_BYTEA_PP(0), RANGE_STATE_VERSION);
	state = palloc(sizeof(RangeState));
	state->low = pq_getmsgfloat8(&buf);
	state->high = pq_getmsgfloat8(&buf);
	if (!is_range(state->low, state->high))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains impossible quantiles")));

	/* a copy of its own, aligned; of the length that is there, whatever it says */
	length = buf.len - buf.cursor;
	if (length < VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state is cut off")));
	values = palloc(length);
	memcpy(values, pq_getmsgbytes(&buf, (int) length), length);
	SET_VARSIZE(values, length);
	state->list = value_list_deserialize(values, CurrentMemoryContext);
	pfree(values);
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
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
	RangeState *state;
	double	   *sorted;
	double		range[2];

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (RangeState *) PG_GETARG_POINTER(0);
	if (state->list->count == 0)
		PG_RETURN_NULL();
	sorted = value_list_sorted(state->list);
	range[0] = get_quantile(sorted, state->list->count, state->low);
	range[1] = get_quantile(sorted, state->list->count, state->high);
	pfree(sorted);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(range, 2));
}

/* ---------- mean_deviation: exact sums ---------- */

#define DEVIATION_STATE_VERSION 1

/* More rows than there are, and no sum of them leaves its digits. */
#define DEVIATION_COUNT_MAX (INT64CONST(1) << 53)

/* deviation_accum(state internal, value float8) -> internal */
Datum
deviation_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ExactMoments *state = PG_ARGISNULL(0) ? NULL : (ExactMoments *) PG_GETARG_POINTER(0);
	double		value;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	value = PG_GETARG_FLOAT8(1);
	check_value_not_nan(value);
	if (isinf(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to average must not be %s",
							   value > 0 ? "Infinity" : "-Infinity"),
						errdetail("The deviation from a mean needs distances between values."),
						errhint("Leave such rows out, or use a method of ranks: 'percentile' or "
								"'score'.")));
	if (state == NULL)
	{
		state = MemoryContextAlloc(context, sizeof(ExactMoments));
		exact_moments_init(state);
	}
	exact_moments_add(state, value);
	PG_RETURN_POINTER(state);
}

Datum
deviation_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ExactMoments *state = PG_ARGISNULL(0) ? NULL : (ExactMoments *) PG_GETARG_POINTER(0);
	ExactMoments *other = PG_ARGISNULL(1) ? NULL : (ExactMoments *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
	{
		state = MemoryContextAlloc(context, sizeof(ExactMoments));
		exact_moments_init(state);
	}
	exact_moments_merge(state, other);
	PG_RETURN_POINTER(state);
}

/* The digits are written carried, which is the same for equal sums. */
Datum
deviation_serialize(PG_FUNCTION_ARGS)
{
	ExactMoments state;
	StringInfoData buf;

	get_aggregate_context(fcinfo);
	state = *(ExactMoments *) PG_GETARG_POINTER(0);
	exact_moments_carry(&state);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, DEVIATION_STATE_VERSION);
	pq_sendint64(&buf, state.count);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		pq_sendint64(&buf, state.sum.digit[i]);
	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
		pq_sendint64(&buf, state.squares[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* A carried digit has 32 bits, and the topmost of a sum may be negative. */
static int64
read_digit(StringInfo buf, bool may_be_negative)
{
	int64		digit = pq_getmsgint64(buf);

	if (digit > (int64) PG_UINT32_MAX ||
		digit < (may_be_negative ? -(int64) PG_UINT32_MAX : 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible digit")));
	return digit;
}

Datum
deviation_deserialize(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	ExactMoments *state;

	get_aggregate_context(fcinfo);
	begin_reading(&buf, PG_GETARG_BYTEA_PP(0), DEVIATION_STATE_VERSION);
	state = palloc(sizeof(ExactMoments));
	exact_moments_init(state);
	state->count = pq_getmsgint64(&buf);
	if (state->count <= 0 || state->count > DEVIATION_COUNT_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible count")));
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		state->sum.digit[i] = read_digit(&buf, i == EXACT_SUM_DIGITS - 1);
	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
		state->squares[i] = read_digit(&buf, false);
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

Datum
mean_deviation_final(PG_FUNCTION_ARGS)
{
	ExactMoments *state;
	double		result[2];

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (ExactMoments *) PG_GETARG_POINTER(0);
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
		double	   *sorted = value_list_sorted(list);
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
		pfree(sorted);
	}
}

Datum
scale_stats_final(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		value[SCALE_STATS] = {0};
	bool		isnull[SCALE_STATS];

	get_aggregate_context(fcinfo);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != SCALE_STATS)
		elog(ERROR, "scale_stats does not return its row");
	BlessTupleDesc(desc);
	fill_scale_stats(PG_ARGISNULL(0) ? NULL : (ValueList *) PG_GETARG_POINTER(0), value, isnull);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, isnull)));
}
