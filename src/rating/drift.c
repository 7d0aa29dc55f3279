/*
 * drift.c
 *	  Has a population moved away from the one it is compared with?
 *
 *		psi = sum_b (a_b - r_b) ln(a_b / r_b)
 *
 * over the shares of actual and reference customers in bins; a bin that one
 * of them leaves empty counts as half a customer there, one that both leave
 * empty as nothing.  Between two samples of one population psi is near
 * (bins - 1) (1 / N + 1 / M) on average (Yurdakul & Naranjo, J. Risk Model
 * Validation 14, 2020), and so the alarm lies at twice that, or at 0.2.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "rating/counts.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(drift_psi);
PG_FUNCTION_INFO_V1(drift_psi_alarm);
PG_FUNCTION_INFO_V1(drift_ks_distance);
PG_FUNCTION_INFO_V1(bin_counts_accum);
PG_FUNCTION_INFO_V1(bin_counts_combine);
PG_FUNCTION_INFO_V1(bin_counts_serialize);
PG_FUNCTION_INFO_V1(bin_counts_deserialize);
PG_FUNCTION_INFO_V1(bin_counts_final);

/* ---------- Counts ---------- */

Counts
get_counts(FunctionCallInfo fcinfo, int argument, const char *what)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argument);
	Counts		counts;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s counts must be an array of one dimension, not %d", what,
							   ARR_NDIM(array))));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s counts must not contain NULL", what),
						errhint("A bin without customers has count 0.")));
	counts.n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	counts.count = (const int64 *) ARR_DATA_PTR(array);
	counts.total = 0;
	for (int i = 0; i < counts.n; i++)
	{
		if (counts.count[i] < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s count %d must not be %lld", what, i + 1,
								   (long long) counts.count[i])));
		if (counts.count[i] > PG_INT64_MAX - counts.total)
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("%s counts add up to too much", what)));
		counts.total += counts.count[i];
	}
	return counts;
}

void
check_same_bins(const Counts *one, const Counts *other)
{
	if (one->n != other->n)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("both counts must have the same bins"),
						errdetail("There are %d and %d bins.", one->n, other->n)));
}

/* Counts of reference and actual customers, of whom there are some. */
static void
get_populations(FunctionCallInfo fcinfo, Counts *reference, Counts *actual)
{
	*reference = get_counts(fcinfo, 0, "reference");
	*actual = get_counts(fcinfo, 1, "actual");
	check_same_bins(reference, actual);
	if (reference->total == 0 || actual->total == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("there are no %s customers to compare",
							   reference->total == 0 ? "reference" : "actual")));
}

/* The share of a bin; an empty one counts as half a customer. */
static double
get_share(int64 count, int64 total)
{
	return (count == 0 ? 0.5 : (double) count) / (double) total;
}

/* psi(reference bigint[], actual bigint[]) -> float8 */
Datum
drift_psi(PG_FUNCTION_ARGS)
{
	Counts		reference;
	Counts		actual;
	double		psi = 0;

	get_populations(fcinfo, &reference, &actual);
	for (int i = 0; i < reference.n; i++)
	{
		double		r = get_share(reference.count[i], reference.total);
		double		a = get_share(actual.count[i], actual.total);

		if (reference.count[i] > 0 || actual.count[i] > 0)
			psi += (a - r) * log(a / r);
	}
	PG_RETURN_FLOAT8(psi);
}

/* psi_alarm(bins int, n bigint, m bigint) -> float8 */
Datum
drift_psi_alarm(PG_FUNCTION_ARGS)
{
	int32		bins = PG_GETARG_INT32(0);
	int64		sizes[2];

	sizes[0] = PG_GETARG_INT64(1);
	sizes[1] = PG_GETARG_INT64(2);
	if (bins < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of bins must not be %d", bins)));
	for (int i = 0; i < 2; i++)
		if (sizes[i] < 1)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a number of customers must not be %lld",
								   (long long) sizes[i])));
	PG_RETURN_FLOAT8(
		Max(0.2, 2 * ((double) bins - 1) * (1 / (double) sizes[0] + 1 / (double) sizes[1])));
}

/* ks_distance(reference_counts bigint[], actual_counts bigint[]) -> float8 */
Datum
drift_ks_distance(PG_FUNCTION_ARGS)
{
	Counts		reference;
	Counts		actual;
	int64		r = 0;
	int64		a = 0;
	__int128	largest = 0;

	get_populations(fcinfo, &reference, &actual);
	for (int i = 0; i < reference.n; i++)
	{
		__int128	distance;

		r += reference.count[i];
		a += actual.count[i];
		distance = (__int128) a * reference.total - (__int128) r * actual.total;
		if (distance < 0)
			distance = -distance;
		if (distance > largest)
			largest = distance;
	}
	PG_RETURN_FLOAT8((double) largest / ((double) reference.total * (double) actual.total));
}

/* ---------- bin_counts ---------- */

#define STATE_VERSION 1
#define CUTS_MAX 10000

typedef struct BinCounts
{
	int32		cuts;
	double	   *cut;			/* ascending */
	int64	   *count;			/* one more than cuts */
} BinCounts;

static BinCounts *
bin_counts_create(MemoryContext context, const double *cut, int cuts)
{
	BinCounts  *state = MemoryContextAlloc(context, sizeof(BinCounts));

	state->cuts = cuts;
	state->cut = MemoryContextAlloc(context, Max(cuts, 1) * sizeof(double));
	if (cuts > 0)
		memcpy(state->cut, cut, cuts * sizeof(double));
	state->count = MemoryContextAllocZero(context, (cuts + 1) * sizeof(int64));
	return state;
}

static BinCounts *
get_state(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : (BinCounts *) PG_GETARG_POINTER(argument);
}

static bool
are_ascending(const double *cut, int cuts)
{
	for (int i = 0; i < cuts; i++)
		if (isnan(cut[i]) || (i > 0 && cut[i] < cut[i - 1]))
			return false;
	return true;
}

static void
check_same_cuts(const BinCounts *state, const double *cut, int cuts)
{
	if (state->cuts != cuts || (cuts > 0 && memcmp(state->cut, cut, cuts * sizeof(double)) != 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cut points must be the same in all rows of a group"),
						errhint("Use GROUP BY to count several groups in one query.")));
}

static void
check_cuts(const Float8Array *cuts)
{
	if (cuts->ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("cut points must be an array of one dimension, not %d",
							   cuts->ndim)));
	if (cuts->has_null)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("cut points must not contain NULL")));
	if (cuts->count > CUTS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("there must not be more than %d cut points", CUTS_MAX)));
	if (!are_ascending(cuts->values, cuts->count))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cut points must be sorted, and none of them NaN")));
}

/* bin_counts_accum(state internal, value float8, cuts float8[]) -> internal */
Datum
bin_counts_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	BinCounts  *state = get_state(fcinfo, 0);
	Float8Array cuts;
	double		value;
	int			low = 0;
	int			high;

	if (PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("cut points must not be NULL")));
	float8_array_view_kept(&cuts, fcinfo, 2);
	if (state == NULL)
	{
		check_cuts(&cuts);
		state = bin_counts_create(context, cuts.values, cuts.count);
	}
	else
	{
		if (cuts.has_null)
			check_cuts(&cuts);
		check_same_cuts(state, cuts.values, cuts.count);
	}
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	value = PG_GETARG_FLOAT8(1);
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to count must not be NaN"),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
	/* the number of cuts strictly below the value, as score() */
	for (high = state->cuts; low < high;)
	{
		int			middle = low + (high - low) / 2;

		if (state->cut[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	state->count[low]++;
	PG_RETURN_POINTER(state);
}

Datum
bin_counts_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	BinCounts  *state = get_state(fcinfo, 0);
	const BinCounts *other = get_state(fcinfo, 1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = bin_counts_create(context, other->cut, other->cuts);
	else
		check_same_cuts(state, other->cut, other->cuts);
	for (int i = 0; i <= state->cuts; i++)
		state->count[i] += other->count[i];
	PG_RETURN_POINTER(state);
}

Datum
bin_counts_serialize(PG_FUNCTION_ARGS)
{
	BinCounts  *state = (BinCounts *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	get_aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, STATE_VERSION);
	pq_sendint32(&buf, state->cuts);
	for (int i = 0; i < state->cuts; i++)
		pq_sendfloat8(&buf, state->cut[i]);
	for (int i = 0; i <= state->cuts; i++)
		pq_sendint64(&buf, state->count[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
bin_counts_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	StringInfoData buf;
	BinCounts  *state;
	int32		cuts;
	bool		ok = true;

	get_aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	buf.data = VARDATA_ANY(bytes);
	buf.len = VARSIZE_ANY_EXHDR(bytes);
	buf.maxlen = buf.len;
	buf.cursor = 0;

	if (pq_getmsgbyte(&buf) != STATE_VERSION)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("unknown version of an aggregate state")));
	cuts = (int32) pq_getmsgint(&buf, 4);
	if (cuts < 0 || cuts > CUTS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible count")));
	state = bin_counts_create(CurrentMemoryContext, NULL, 0);
	state->cuts = cuts;
	state->cut = palloc(Max(cuts, 1) * sizeof(double));
	state->count = palloc((cuts + 1) * sizeof(int64));
	for (int i = 0; i < cuts; i++)
		state->cut[i] = pq_getmsgfloat8(&buf);
	for (int i = 0; i <= cuts; i++)
	{
		state->count[i] = pq_getmsgint64(&buf);
		ok = ok && state->count[i] >= 0;
	}
	if (!ok || !are_ascending(state->cut, cuts))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible count")));
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

Datum
bin_counts_final(PG_FUNCTION_ARGS)
{
	BinCounts  *state;
	Datum	   *counts;

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (BinCounts *) PG_GETARG_POINTER(0);
	counts = palloc((state->cuts + 1) * sizeof(Datum));
	for (int i = 0; i <= state->cuts; i++)
		counts[i] = Int64GetDatum(state->count[i]);
	PG_RETURN_ARRAYTYPE_P(
		construct_array(counts, state->cuts + 1, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
