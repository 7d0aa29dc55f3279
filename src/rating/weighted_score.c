/*
 * weighted_score.c
 *	  The weighted mean of the points that are there.
 *
 *		sum(w p) / sum(w)		over the points p that are not NULL
 *
 * A dimension that was not measured takes its weight with it.  The terms are
 * added in the order of the array, so that equal input gives equal bits.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "value_list.h"

PG_FUNCTION_INFO_V1(weighted_score);

static void
check_one_dimension(const Float8Array *array, const char *what)
{
	if (array->ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s must be an array of one dimension, not %d", what,
							   array->ndim)));
}

/* Check all weights, also of points that are missing in this row. */
static void
check_weights(const Float8Array *weights)
{
	double		total = 0;

	check_one_dimension(weights, "weights");
	if (weights->has_null)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("weights must not contain NULL"),
						errhint("A dimension that is not to count has weight 0.")));
	for (int i = 0; i < weights->count; i++)
	{
		double		weight = weights->values[i];

		if (!(weight >= 0) || isinf(weight))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("weight %d must not be %s", i + 1,
								   isnan(weight) ? "NaN"
								   : isinf(weight) ? (weight > 0 ? "Infinity" : "-Infinity")
												   : psprintf("%g", weight)),
							errhint("Weights are numbers from 0 up; they need not add up to 1.")));
		total += weight;
	}
	if (total == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there must be a weight above 0"),
						errdetail("There are %d weights, all 0.", weights->count)));
}

/* weighted_score(points float8[], weights float8[]) -> float8 */
Datum
weighted_score(PG_FUNCTION_ARGS)
{
	Float8Array points;
	Float8Array weights;
	const double *point;
	double		sum = 0;
	double		total = 0;

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("weights must not be NULL")));
	float8_array_view(&weights, PG_GETARG_DATUM(1));
	check_weights(&weights);

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	float8_array_view(&points, PG_GETARG_DATUM(0));
	check_one_dimension(&points, "points");
	if (points.count != weights.count)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("there must be one weight for each point"),
						errdetail("There are %d points and %d weights.", points.count,
								  weights.count)));

	point = points.values;
	for (int i = 0; i < points.count; i++)
	{
		if (points.has_null && (points.null_bitmap[i / 8] & (1 << (i % 8))) == 0)
			continue;
		if (isnan(*point) || isinf(*point))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("point %d must not be %s", i + 1,
								   isnan(*point) ? "NaN"
								   : *point > 0  ? "Infinity"
												 : "-Infinity"),
							errhint("A point that is missing is NULL.")));
		sum += weights.values[i] * *point;
		total += weights.values[i];
		point++;
	}

	/* nothing that counts is there */
	if (total == 0)
		PG_RETURN_NULL();
	if (isinf(sum) || isinf(total))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("points and weights are too large to be averaged")));
	PG_RETURN_FLOAT8(sum / total);
}
