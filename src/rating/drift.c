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
#include "state/partial_state.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(drift_psi);
PG_FUNCTION_INFO_V1(drift_psi_alarm);
PG_FUNCTION_INFO_V1(drift_ks_distance);
PG_FUNCTION_INFO_V1(bin_counts_accum);
PG_FUNCTION_INFO_V1(bin_counts_combine);
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

#define CUTS_MAX 10000

typedef struct BinCounts
{
	int32		cuts;
	double	   *cut;			/* ascending */
	int64	   *count;			/* one more than cuts */
} BinCounts;

/* The cut points are copied, or left open where there is nothing to copy. */
static BinCounts *
bin_counts_create(MemoryContext context, const double *cut, int cuts)
{
	BinCounts  *state = MemoryContextAlloc(context, sizeof(BinCounts));

	state->cuts = cuts;
	state->cut = MemoryContextAlloc(context, Max(cuts, 1) * sizeof(double));
	if (cut != NULL && cuts > 0)
		memcpy(state->cut, cut, cuts * sizeof(double));
	state->count = MemoryContextAllocZero(context, (cuts + 1) * sizeof(int64));
	return state;
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

static void
bin_counts_serialize(StringInfo buf, const void *state)
{
	const BinCounts *bins = state;

	pq_sendint32(buf, bins->cuts);
	for (int i = 0; i < bins->cuts; i++)
		pq_sendfloat8(buf, bins->cut[i]);
	for (int i = 0; i <= bins->cuts; i++)
		pq_sendint64(buf, bins->count[i]);
}

static void *
bin_counts_deserialize(StringInfo buf)
{
	int			cuts = (int) pq_getmsgint(buf, 4);
	BinCounts  *bins;

	if (cuts < 0 || cuts > CUTS_MAX)
		report_bad_partial_state("Its number of cut points is out of range.");
	bins = bin_counts_create(CurrentMemoryContext, NULL, cuts);
	for (int i = 0; i < cuts; i++)
		bins->cut[i] = pq_getmsgfloat8(buf);
	for (int i = 0; i <= cuts; i++)
		bins->count[i] = partial_state_get_count(buf);
	if (!are_ascending(bins->cut, cuts))
		report_bad_partial_state("Its cut points do not ascend.");
	return bins;
}

static void
bin_counts_add(void *state, const void *other)
{
	BinCounts  *bins = state;
	const BinCounts *more = other;

	check_same_cuts(bins, more->cut, more->cuts);
	for (int i = 0; i <= bins->cuts; i++)
		partial_state_add_count(&bins->count[i], more->count[i]);
}

static const PartialStateKind bin_counts_kind = {
	PARTIAL_STATE_BIN_COUNTS, bin_counts_serialize, bin_counts_deserialize, bin_counts_add
};

/* bin_counts_accum(state partial_state, value float8, cuts float8[]) -> partial_state */
Datum
bin_counts_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &bin_counts_kind);
	BinCounts  *state;
	Float8Array cuts;
	double		value;
	int			low = 0;
	int			high;

	if (PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("cut points must not be NULL")));
	float8_array_view_kept(&cuts, fcinfo, 2);
	if (partial == NULL)
	{
		check_cuts(&cuts);
		partial = partial_state_create(fcinfo, &bin_counts_kind);
		partial->state = bin_counts_create(partial->header.eoh_context, cuts.values, cuts.count);
	}
	else if (cuts.has_null)
		check_cuts(&cuts);
	state = partial->state;
	check_same_cuts(state, cuts.values, cuts.count);
	if (PG_ARGISNULL(1))
		PG_RETURN_PARTIAL_STATE(partial);
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
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
bin_counts_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &bin_counts_kind);
}

Datum
bin_counts_final(PG_FUNCTION_ARGS)
{
	const BinCounts *state = partial_state_read(fcinfo, &bin_counts_kind);
	Datum	   *counts;

	if (state == NULL)
		PG_RETURN_NULL();
	counts = palloc((state->cuts + 1) * sizeof(Datum));
	for (int i = 0; i <= state->cuts; i++)
		counts[i] = Int64GetDatum(state->count[i]);
	PG_RETURN_ARRAYTYPE_P(
		construct_array(counts, state->cuts + 1, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
