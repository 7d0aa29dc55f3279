/*
 * woe.c
 *	  Weight of evidence and information value.
 *
 * A feature is cut into bins.  With good_b and bad_b customers in bin b, G and
 * B in all,
 *
 *		woe_b = ln((good_b / G) / (bad_b / B))
 *		iv    = sum_b (good_b / G - bad_b / B) woe_b
 *
 * (Siddiqi, Credit Risk Scorecards, 2006, chapter 6).  Good stands above bad:
 * a bin of better customers has a higher weight.  In a bin where one of the
 * two is 0, half a customer is added to both, so that the logarithm exists;
 * the totals stay as they are.  A bin without customers says nothing: 0.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "numerics/quantile.h"
#include "rating/counts.h"
#include "rating/outcomes.h"
#include "rating/rating_args.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(woe_accum);
PG_FUNCTION_INFO_V1(woe_bins_final);
PG_FUNCTION_INFO_V1(woe_of_value);
PG_FUNCTION_INFO_V1(woe_of_counts);
PG_FUNCTION_INFO_V1(information_value_of_counts);
PG_FUNCTION_INFO_V1(information_value_of_bins);

/* The fields of customer_tier.woe_bin. */
typedef enum BinField
{
	BIN_NUMBER,
	BIN_LOWER,
	BIN_UPPER,
	BIN_GOOD,
	BIN_BAD,
	BIN_WOE,
	BIN_IV,
	BIN_FIELDS
} BinField;

typedef struct Evidence
{
	double		woe;
	double		iv;
} Evidence;

static Evidence
get_evidence(int64 good, int64 bad, int64 all_good, int64 all_bad)
{
	double		add = good == 0 || bad == 0 ? 0.5 : 0;
	double		good_share;
	double		bad_share;
	Evidence	evidence = {0, 0};

	if (good == 0 && bad == 0)
		return evidence;
	good_share = ((double) good + add) / (double) all_good;
	bad_share = ((double) bad + add) / (double) all_bad;
	evidence.woe = log(good_share / bad_share);
	evidence.iv = (good_share - bad_share) * evidence.woe;
	return evidence;
}

static void
check_both_outcomes(int64 good, int64 bad)
{
	if (good > 0 && bad > 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there is nothing to tell apart"),
					errdetail(good > 0	? "No customer has the bad outcome."
							  : bad > 0 ? "No customer has the good outcome."
										: "There are no customers."),
					errhint("Leave out such groups with HAVING or WHERE.")));
}

/* ---------- The aggregate ---------- */

/* woe_accum(state partial_state, value float8, bad boolean, bins int) -> partial_state */
Datum
woe_accum(PG_FUNCTION_ARGS)
{
	int32		bins;

	if (PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the number of bins must not be NULL"),
						errhint("Give a number from %d to %d, for example 10.", BINS_MIN,
								BINS_MAX)));
	bins = PG_GETARG_INT32(3);
	if (bins < BINS_MIN || bins > BINS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of bins must not be %d", bins),
						errhint("Give a number from %d to %d, for example 10.", BINS_MIN,
								BINS_MAX)));
	PG_RETURN_PARTIAL_STATE(outcomes_add(fcinfo, bins, "a value to bin"));
}

/* Two sorted arrays as one. */
static double *
merge_sorted(const SortedOutcomes *sorted)
{
	int64		n = sorted->goods + sorted->bads;
	double	   *all = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(double));
	int64		g = 0;
	int64		b = 0;

	for (int64 i = 0; i < n; i++)
	{
		if (b == sorted->bads || (g < sorted->goods && sorted->good[g] <= sorted->bad[b]))
			all[i] = sorted->good[g++];
		else
			all[i] = sorted->bad[b++];
	}
	return all;
}

/*
 * Balanced cuts of all values; each takes its share of what is left, so that
 * heavy ties use up one bin instead of several.  Cuts that repeat, or have no
 * value above them, would make empty bins and are dropped.
 */
static int
get_cuts(const SortedOutcomes *sorted, int bins, double *cuts)
{
	int64		n = sorted->goods + sorted->bads;
	double	   *all = merge_sorted(sorted);
	int			kept = 0;

	balanced_cuts(all, n, bins, cuts);
	for (int i = 0; i < bins - 1; i++)
		if (cuts[i] < all[n - 1] && (kept == 0 || cuts[i] > cuts[kept - 1]))
			cuts[kept++] = cuts[i];
	pfree(all);
	return kept;
}

static Datum
make_bin(TupleDesc desc, int number, const double *bounds, int64 good, int64 bad,
		 const Outcomes *state)
{
	Evidence	evidence = get_evidence(good, bad, state->good->count + state->good_null,
										state->bad->count + state->bad_null);
	Datum		values[BIN_FIELDS];
	bool		nulls[BIN_FIELDS] = {false};

	values[BIN_NUMBER] = Int32GetDatum(number);
	nulls[BIN_LOWER] = nulls[BIN_UPPER] = bounds == NULL;
	values[BIN_LOWER] = Float8GetDatum(bounds == NULL ? 0 : bounds[0]);
	values[BIN_UPPER] = Float8GetDatum(bounds == NULL ? 0 : bounds[1]);
	values[BIN_GOOD] = Int64GetDatum(good);
	values[BIN_BAD] = Int64GetDatum(bad);
	values[BIN_WOE] = Float8GetDatum(evidence.woe);
	values[BIN_IV] = Float8GetDatum(evidence.iv);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

Datum
woe_bins_final(PG_FUNCTION_ARGS)
{
	const Outcomes *state = partial_state_read(fcinfo, &outcomes_kind);
	SortedOutcomes sorted;
	double		cuts[BINS_MAX];
	Datum		bins[BINS_MAX + 1];
	int			count = 0;
	int64		good = 0;
	int64		bad = 0;
	Oid			type;
	TupleDesc	desc;

	if (state == NULL)
		PG_RETURN_NULL();
	if (state->good->parameter == 0)
		report_other_partial_state("It has no number of bins, as those of auc, ks and gini.");
	/* of the function, since who combines states need not call it in an expression */
	type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	check_both_outcomes(state->good->count + state->good_null,
						state->bad->count + state->bad_null);
	desc = lookup_rowtype_tupdesc_copy(type, -1);
	BlessTupleDesc(desc);

	if (state->good_null + state->bad_null > 0)
		bins[count++] = make_bin(desc, 0, NULL, state->good_null, state->bad_null, state);
	sorted = outcomes_sorted(state);
	if (sorted.goods + sorted.bads > 0)
	{
		int			n = get_cuts(&sorted, state->good->parameter, cuts);

		for (int i = 0; i <= n; i++)
		{
			double		bounds[2];
			int64		goods;
			int64		bads;

			bounds[0] = i == 0 ? -INFINITY : cuts[i - 1];
			bounds[1] = i == n ? INFINITY : cuts[i];
			goods = count_through(sorted.good, sorted.goods, bounds[1]) - good;
			bads = count_through(sorted.bad, sorted.bads, bounds[1]) - bad;
			bins[count++] = make_bin(desc, i + 1, bounds, goods, bads, state);
			good += goods;
			bad += bads;
		}
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(bins, count, type, -1, false, TYPALIGN_DOUBLE));
}

/* ---------- From counts ---------- */

/* woe(good bigint[], bad bigint[]) and information_value(good, bad): one evidence a bin. */
static Evidence *
get_evidences(FunctionCallInfo fcinfo, int *n)
{
	Counts		good = get_counts(fcinfo, 0, "good");
	Counts		bad = get_counts(fcinfo, 1, "bad");
	Evidence   *evidence = palloc(Max(good.n, 1) * sizeof(Evidence));

	check_same_bins(&good, &bad);
	check_both_outcomes(good.total, bad.total);
	for (int i = 0; i < good.n; i++)
		evidence[i] = get_evidence(good.count[i], bad.count[i], good.total, bad.total);
	*n = good.n;
	return evidence;
}

Datum
woe_of_counts(PG_FUNCTION_ARGS)
{
	int			n;
	Evidence   *evidence = get_evidences(fcinfo, &n);
	double	   *woe = palloc(n * sizeof(double));

	for (int i = 0; i < n; i++)
		woe[i] = evidence[i].woe;
	PG_RETURN_ARRAYTYPE_P(float8_array_from(woe, n));
}

Datum
information_value_of_counts(PG_FUNCTION_ARGS)
{
	int			n;
	Evidence   *evidence = get_evidences(fcinfo, &n);
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += evidence[i].iv;
	PG_RETURN_FLOAT8(sum);
}

/* ---------- From bins ---------- */

typedef struct Bin
{
	double		lower;
	double		upper;
	double		woe;
} Bin;

/* A woe_bin[] unpacked: the bins of values ascending, and the one of NULLs. */
typedef struct Bins
{
	Size		size;
	struct varlena *bytes;		/* as it came: packed, or not */
	int			n;
	Bin		   *bin;
	bool		has_null_bin;
	double		null_woe;
	double		iv;
} Bins;

static void
report_malformed_bins(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("malformed bins"),
					errdetail_internal("%s", detail),
					errhint("Bins come from customer_tier.woe_bins(value, bad, bins).")));
}

static double
get_field(HeapTupleHeader tuple, BinField field, bool *isnull)
{
	Datum		datum = GetAttributeByNum(tuple, (AttrNumber) (field + 1), isnull);

	return *isnull ? 0 : DatumGetFloat8(datum);
}

static void
unpack_bins(Bins *bins, ArrayType *array, MemoryContext context)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (ARR_NDIM(array) > 1)
		report_malformed_bins("They must be an array of one dimension.");
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &elements, &nulls,
					  &count);
	bins->n = 0;
	bins->bin = MemoryContextAlloc(context, Max(count, 1) * sizeof(Bin));
	bins->has_null_bin = false;
	bins->iv = 0;
	for (int i = 0; i < count; i++)
	{
		HeapTupleHeader tuple;
		Bin			bin;
		double		iv;
		bool		isnull[4];

		if (nulls[i])
			report_malformed_bins("One of them is NULL.");
		tuple = DatumGetHeapTupleHeader(elements[i]);
		bin.lower = get_field(tuple, BIN_LOWER, &isnull[0]);
		bin.upper = get_field(tuple, BIN_UPPER, &isnull[1]);
		bin.woe = get_field(tuple, BIN_WOE, &isnull[2]);
		iv = get_field(tuple, BIN_IV, &isnull[3]);
		if (isnull[2] || isnull[3] || !isfinite(bin.woe) || !isfinite(iv))
			report_malformed_bins("A woe or an iv is no number.");
		bins->iv += iv;
		if (isnull[0] != isnull[1])
			report_malformed_bins("One of them has one bound only.");
		if (isnull[0])
		{
			if (bins->has_null_bin)
				report_malformed_bins("Two of them are for NULL.");
			bins->has_null_bin = true;
			bins->null_woe = bin.woe;
			continue;
		}
		/* the tests are written so that they fail for NaN */
		if (!(bin.lower < bin.upper) ||
			(bins->n > 0 && !(bins->bin[bins->n - 1].upper <= bin.lower)))
			report_malformed_bins("Their bounds do not ascend.");
		bins->bin[bins->n++] = bin;
	}
	pfree(elements);
	pfree(nulls);
}

/*
 * The bins in an argument, unpacked once a query and not once a row: they are
 * kept with the bytes they were read from.
 */
static const Bins *
get_bins(FunctionCallInfo fcinfo, int argument)
{
	struct varlena *bytes = (struct varlena *) PG_GETARG_POINTER(argument);
	struct varlena *fetched = NULL;
	Bins	   *kept = fcinfo->flinfo->fn_extra;
	Size		size;

	if (kept == NULL)
		fcinfo->flinfo->fn_extra = kept =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Bins));
	if (VARATT_IS_EXTERNAL(bytes))
		bytes = fetched = (struct varlena *) PG_GETARG_ARRAYTYPE_P(argument);
	size = VARSIZE_ANY(bytes);
	if (kept->bytes == NULL || kept->size != size || memcmp(kept->bytes, bytes, size) != 0)
	{
		struct varlena *copy;

		if (kept->bytes != NULL)
		{
			pfree(kept->bytes);
			kept->bytes = NULL;
			pfree(kept->bin);
		}
		unpack_bins(kept, DatumGetArrayTypeP(PointerGetDatum(bytes)), fcinfo->flinfo->fn_mcxt);
		copy = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, size);
		memcpy(copy, bytes, size);
		kept->bytes = copy;
		kept->size = size;
	}
	if (fetched != NULL)
		pfree(fetched);
	return kept;
}

/* woe(value float8, bins woe_bin[]) -> float8; not strict: NULL has a bin */
Datum
woe_of_value(PG_FUNCTION_ARGS)
{
	const Bins *bins;
	double		value;
	int			low = 0;
	int			high;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	bins = get_bins(fcinfo, 1);
	if (PG_ARGISNULL(0))
	{
		if (!bins->has_null_bin)
			PG_RETURN_NULL();
		PG_RETURN_FLOAT8(bins->null_woe);
	}
	value = PG_GETARG_FLOAT8(0);
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to bin must not be NaN")));
	for (high = bins->n; low < high;)
	{
		int			middle = low + (high - low) / 2;

		if (bins->bin[middle].upper < value)
			low = middle + 1;
		else
			high = middle;
	}
	/* nothing is below -Infinity: there, the lower bound is part of the bin */
	if (low == bins->n ||
		(value <= bins->bin[low].lower && !(isinf(value) && isinf(bins->bin[low].lower))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there is no bin for %s", number_text(value)),
						bins->n == 0 ? errdetail("There is no bin for values at all.")
						: errdetail("The bins go from %s to %s.",
									number_text(bins->bin[0].lower),
									number_text(bins->bin[bins->n - 1].upper))));
	PG_RETURN_FLOAT8(bins->bin[low].woe);
}

/* information_value(bins woe_bin[]) -> float8 */
Datum
information_value_of_bins(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(get_bins(fcinfo, 0)->iv);
}
