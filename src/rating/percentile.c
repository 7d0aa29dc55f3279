/*
 * percentile.c
 *	  Where a value stands in a population: a scale, and reading it.
 *
 * percentile_scale() makes the empirical distribution of a population: its d
 * distinct values ascending, then for each the number of members at or below
 * it.  percentile() looks a value up by binary search, in 0 .. 1.
 *
 * A scale of more than KNOTS_MAX values is thinned to that many knots, at
 * evenly spaced ranks, the first and last value always among them; one more
 * number at its end then says how many members at most are left out between
 * two neighbouring knots.  That is less than 1 in KNOTS_MAX - 1 of the
 * population, and so is the error of a percentile read from a thinned scale:
 * below 0.001 points of 100.  Scales that are not thinned are exact.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "numerics/sort.h"
#include "rating/percentile.h"
#include "rating/population.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(percentile_scale_final);
PG_FUNCTION_INFO_V1(percentile);

#define KNOTS_MAX 131072

static void
check_value_not_nan(double value)
{
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to rank must not be NaN"),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
}

/*
 * Keep the values at KNOTS_MAX evenly spaced ranks, and their counts.  Returns
 * how many remain; fewer where one value holds several of the ranks.
 */
static int64
thin_scale(double *values, double *through, int64 members)
{
	int64		kept = 0;
	int64		at = 0;
	int64		last = -1;

	for (int64 knot = 0; knot < KNOTS_MAX; knot++)
	{
		int64		rank = knot * (members - 1) / (KNOTS_MAX - 1);

		while (through[at] <= (double) rank)
			at++;
		if (at == last)
			continue;
		last = at;
		values[kept] = values[at];
		through[kept++] = through[at];
	}
	return kept;
}

ArrayType *
percentile_scale_of(ValueList *list)
{
	double	   *values;
	double	   *through;
	double	   *scale;
	int64		knots;
	int64		length;
	ArrayType  *result;

	values = value_list_sorted(list);
	through = MemoryContextAllocHuge(CurrentMemoryContext, list->count * sizeof(double));
	knots = sort_distinct(values, through, list->count);
	length = 2 * knots;
	if (knots > KNOTS_MAX)
	{
		knots = thin_scale(values, through, list->count);
		length = 2 * knots + 1;
	}

	scale = palloc(length * sizeof(double));
	memcpy(scale, values, knots * sizeof(double));
	memcpy(scale + knots, through, knots * sizeof(double));
	/* members strictly between two of the evenly spaced ranks, at most */
	if (length > 2 * knots)
		scale[length - 1] = (double) ((list->count - 2) / (KNOTS_MAX - 1));
	result = float8_array_from(scale, length);
	pfree(scale);
	pfree(through);
	pfree(values);
	return result;
}

Datum
percentile_scale_final(PG_FUNCTION_ARGS)
{
	ValueList  *list = partial_state_read(fcinfo, &population_kind);

	if (list == NULL || list->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(percentile_scale_of(list));
}

/* ---------- percentile() ---------- */

Ties
read_ties(const text *ties)
{
	const char *word = VARDATA_ANY(ties);
	int			length = VARSIZE_ANY_EXHDR(ties);

	if (length == 3 && memcmp(word, "low", 3) == 0)
		return TIES_LOW;
	if (length == 3 && memcmp(word, "mid", 3) == 0)
		return TIES_MID;
	if (length == 4 && memcmp(word, "high", 4) == 0)
		return TIES_HIGH;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("ties must not be \"%s\"", text_to_cstring(ties)),
					errhint("Use 'low' (share below the value), 'high' (share at or below it) "
							"or 'mid' (half way).")));
	return TIES_LOW;			/* not reached */
}

static void
report_malformed_scale(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("malformed percentile scale"), errdetail_internal("%s", detail),
					errhint("A scale comes from customer_tier.percentile_scale(value).")));
}

/*
 * The first of `count` ascending values that is not below `value`.  Stays in
 * the array whatever is in it.
 */
int
find_knot(const double *values, int count, double value)
{
	int			low = 0;
	int			high = count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (values[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The part of the way from one knot to the next at which a value lies. */
static double
get_fraction(double from, double to, double value)
{
	/* halved, since the distance of two doubles may overflow */
	double		way = to / 2 - from / 2;

	if (isinf(way))
		return 0.5;
	return (value / 2 - from / 2) / way;
}

/* Ensure that there are as many values as counts. */
static void
check_scale_shape(const Float8Array *scale)
{
	if (scale->ndim != 1 || scale->count < 2)
		report_malformed_scale("It must be an array of one dimension with two numbers a knot.");
	if (scale->has_null)
		report_malformed_scale("It contains NULL.");
}

void
find_standing(Standing *standing, const Float8Array *scale, double value)
{
	check_scale_shape(scale);
	read_standing(standing, scale, find_knot(scale->values, scale->count / 2, value), value);
}

/*
 * Only the knots beside the value are looked at, and so only these are
 * checked: a check of the whole scale would cost more than the answer.
 */
void
read_standing(Standing *standing, const Float8Array *scale, int at, double value)
{
	const double *values = scale->values;
	const double *through;
	int			knots;
	double		slack;
	double		members;

	check_scale_shape(scale);
	knots = scale->count / 2;
	through = values + knots;
	members = through[knots - 1];
	slack = scale->count % 2 == 1 ? values[scale->count - 1] : 0;
	if (!(members >= 1 && members <= (double) PG_INT64_MAX) || !(slack >= 0 && slack < members))
		report_malformed_scale("Its last count is no number of members.");
	standing->members = members;

	if (at == knots)
		standing->below = standing->through = members;
	else
	{
		double		knot = values[at];
		double		before = at > 0 ? through[at - 1] : 0;
		double		below;

		if (isnan(knot) || (at > 0 && !(values[at - 1] < knot)) ||
			(at + 1 < knots && !(knot < values[at + 1])))
			report_malformed_scale("Its values do not ascend.");
		if (!(before >= 0 && before < through[at] && through[at] <= members))
			report_malformed_scale("Its counts do not ascend.");

		/* members below the knot: those through the one before, and what was left out */
		below = at > 0 ? Min(before + slack, through[at] - 1) : 0;
		if (knot == value)
		{
			standing->below = below;
			standing->through = through[at];
		}
		else
		{
			standing->below = before;
			if (below > before)
				standing->below += get_fraction(values[at - 1], knot, value) * (below - before);
			standing->through = standing->below;
		}
	}
}

/* percentile(value float8, scale float8[], ties text) -> float8 */
Datum
percentile(PG_FUNCTION_ARGS)
{
	Ties		ties;
	double		value;
	Float8Array scale;
	Standing	standing;
	double		share = 0;

	if (PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("ties must not be NULL"),
						errhint("Use 'low', 'mid' or 'high'.")));
	ties = read_ties(PG_GETARG_TEXT_PP(2));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	value = PG_GETARG_FLOAT8(0);
	check_value_not_nan(value);

	float8_array_view_kept(&scale, fcinfo, 1);
	find_standing(&standing, &scale, value);
	switch (ties)
	{
		case TIES_LOW:
			share = standing.below;
			break;
		case TIES_MID:
			share = (standing.below + standing.through) / 2;
			break;
		case TIES_HIGH:
			share = standing.through;
			break;
	}
	PG_RETURN_FLOAT8(share / standing.members);
}
