/*
 * reading.c
 *	  What the state machine is given, read from SQL values: scores, days and
 *	  measures.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "tier/reading.h"
#include "value_list.h"

/*
 * A score as whole millionths of a point.  Errors: invalid_parameter_value
 * outside of 0..100, numeric_value_out_of_range far outside of it.
 */
int64
tier_score_read(Datum score)
{
	static Numeric units_in_point = NULL;
	int64		units = -1;

	if (units_in_point == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		units_in_point = DatumGetNumeric(DirectFunctionCall1(int4_numeric, Int32GetDatum(TIER_SCORE_UNIT)));
		MemoryContextSwitchTo(old);
	}
	if (!numeric_is_nan(DatumGetNumeric(score)))
		units = DatumGetInt64(DirectFunctionCall1(numeric_int8,
												  DirectFunctionCall2(numeric_mul, score, NumericGetDatum(units_in_point))));
	if (units < 0 || units > INT64CONST(100) * TIER_SCORE_UNIT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the score %s is not between 0 and 100", DatumGetCString(DirectFunctionCall1(numeric_out, score)))));
	return units;
}

/* A day that is one; what it is, for the message. */
int32
tier_day_read(Datum day, const char *what)
{
	DateADT		date = DatumGetDateADT(day);

	if (DATE_NOT_FINITE(date))
		ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW), errmsg("%s is infinite", what)));
	return date;
}

/* Measures as they were given; NULL and what is missing at the end are no values. */
void
tier_measures_read(int n_measures, double *values, Datum datum, bool isnull)
{
	Float8Array array;

	for (int i = 0; i < n_measures; i++)
		values[i] = NAN;
	if (isnull)
		return;
	float8_array_view(&array, datum);
	if (array.ndim > 1 || array.count > n_measures)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there are %d values%s for %d measures", array.count, array.ndim > 1 ? ", in more than one dimension," : "", n_measures)));
	for (int i = 0, n = 0; i < array.count; i++)
		if (!array.has_null || (array.null_bitmap[i / 8] & (1 << i % 8)) != 0)
			values[i] = array.values[n++];
}
