/*
 * normalise.c
 *	  Points 0 .. 100 for the value of one dimension, and the value for points.
 *
 * A rating adds up days, orders, money and answers of surveys; each of them
 * first becomes points, by one of eight methods.  What a method has to know of
 * the population, or of the user's standard, is its scale, a float8[]; the
 * table of methods below says what it holds, docs/normalisation.md what it
 * means.  Every method gives equal values equal points, and a better value
 * never fewer points than a worse one.
 *
 * dimension_points() runs once for every customer and dimension: it allocates
 * nothing, reads the scale where it is, and checks of a scale no more than it
 * looks at.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "rating/normalise.h"

PG_FUNCTION_INFO_V1(dimension_points);
PG_FUNCTION_INFO_V1(value_for_points);

static const struct
{
	const char *name;
	int			length;			/* of the name */
	int			numbers;		/* on the scale; -1: any number of them */
	const char *holds;			/* what the scale is */
}			methods[METHODS] = {
	{"score", 5, -1, "the cut points, ascending"},
	{"percentile", 10, -1, "what percentile_scale(value) gives"},
	{"min_max", 7, 2, "[low, high], both finite"},
	{"z_score", 7, 2, "[mean, standard deviation]"},
	{"logistic", 8, 2, "[midpoint, slope]"},
	{"bands", 5, -1, "k thresholds, ascending, and then the points of the k + 1 bands"},
	{"linear", 6, 2, "[value of 0 points, value of 100 points]"},
	{"identity", 8, 0, "empty"},
};

/* ---------- arguments ---------- */

Method
read_method(const text *method)
{
	const char *word = VARDATA_ANY(method);
	int			length = VARSIZE_ANY_EXHDR(method);

	for (int i = 0; i < METHODS; i++)
		if (length == methods[i].length && memcmp(word, methods[i].name, length) == 0)
			return (Method) i;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("method must not be \"%s\"", text_to_cstring(method)),
					errhint("Use 'score', 'percentile', 'min_max', 'z_score', 'logistic', "
							"'bands', 'linear' or 'identity'.")));
	return METHOD_IDENTITY;		/* not reached */
}

static void
report_bad_scale(Method method, const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("malformed scale for method \"%s\"", methods[method].name),
					errdetail_internal("%s", detail),
					errhint("The scale of this method is %s.", methods[method].holds)));
}

/*
 * Ensure that the scale has the form that the method needs.  What it says is
 * checked where it is used.
 */
void
check_scale_form(const Rule *rule)
{
	const Float8Array *scale = &rule->scale;
	int			numbers = methods[rule->method].numbers;

	/* find_standing() has its own words for this */
	if (rule->method == METHOD_PERCENTILE)
		return;
	if (scale->ndim > 1)
		report_bad_scale(rule->method, "It must be an array of one dimension.");
	if (scale->has_null)
		report_bad_scale(rule->method, "It must not contain NULL.");
	if (numbers >= 0 && scale->count != numbers)
		report_bad_scale(rule->method, psprintf("It must have %d numbers, not %d.", numbers,
												scale->count));
	if (rule->method == METHOD_BANDS && scale->count % 2 == 0)
		report_bad_scale(rule->method,
						 psprintf("It must have one number more for points than for "
								  "thresholds, an odd number in all, not %d.", scale->count));
}

/*
 * The arguments from `method` on.  Returns false when the method needs a scale
 * and there is none, because nothing was measured.
 */
static bool
read_rule(FunctionCallInfo fcinfo, Rule *rule)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("method must not be NULL")));
	rule->method = read_method(PG_GETARG_TEXT_PP(1));
	if (PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("higher_is_better must not be NULL")));
	rule->higher_is_better = PG_GETARG_BOOL(3);
	if (!PG_ARGISNULL(4))
		rule->ties = read_ties(PG_GETARG_TEXT_PP(4));
	else
		rule->ties = rule->higher_is_better ? TIES_LOW : TIES_HIGH;

	if (PG_ARGISNULL(2))
		return rule->method == METHOD_IDENTITY;
	float8_array_view_kept(&rule->scale, fcinfo, 2);
	check_scale_form(rule);
	return true;
}

/* ---------- the methods ---------- */

/* 1 + the number of cuts below the value is its score; the lowest has 0 points. */
static double
score_points(const Rule *rule, double value)
{
	const double *cuts = rule->scale.values;
	int			count = rule->scale.count;
	double		previous = -INFINITY;
	int			below = 0;

	/* one score for all: the lowest, and of n + 1 - score the highest */
	if (count == 0)
		return rule->higher_is_better ? 0 : 100;

	/* one pass does both: the test fails for NaN as well as for a descent */
	for (int i = 0; i < count; i++)
	{
		double		cut = cuts[i];

		if (unlikely(!(cut >= previous)))
			report_bad_scale(METHOD_SCORE,
							 psprintf("Cut %d is %s, below the one before it or not a number.",
									  i + 1, float8out_internal(cut)));
		below += cut < value;
		previous = cut;
	}
	return 100.0 * (rule->higher_is_better ? below : count - below) / count;
}

/* The share of the population that does worse. */
double
standing_points(const Rule *rule, Standing standing)
{
	double		share = 0;

	if (!rule->higher_is_better)
	{
		double		below = standing.below;

		standing.below = standing.members - standing.through;
		standing.through = standing.members - below;
	}
	switch (rule->ties)
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
	return 100 * (share / standing.members);
}

static double
percentile_points(const Rule *rule, double value)
{
	Standing	standing;

	find_standing(&standing, &rule->scale, value);
	return standing_points(rule, standing);
}

/*
 * How far a value is on the way from one number to another, 0 .. 100.  `from`
 * may be the larger; the two are not equal.
 */
static double
way_points(double from, double to, double value)
{
	double		way = to - from;
	double		gone = value - from;

	if (from < to ? value <= from : value >= from)
		return 0;
	if (from < to ? value >= to : value <= to)
		return 100;
	if (isinf(way))
	{
		/* the distance of two doubles may overflow, half of it does not */
		way = to / 2 - from / 2;
		gone = value / 2 - from / 2;
	}
	return 100 * (gone / way);
}

static double
min_max_points(const Rule *rule, double value)
{
	double		low = rule->scale.values[0];
	double		high = rule->scale.values[1];

	if (unlikely(!(low <= high) || isinf(low) || isinf(high)))
		report_bad_scale(METHOD_MIN_MAX, psprintf("From %s to %s is no range.",
												  float8out_internal(low),
												  float8out_internal(high)));
	if (low == high)
		return 50;
	return rule->higher_is_better ? way_points(low, high, value) : way_points(high, low, value);
}

/* The share of a normal distribution that does worse. */
static double
z_score_points(const Rule *rule, double value)
{
	double		mean = rule->scale.values[0];
	double		deviation = rule->scale.values[1];
	double		z;

	if (unlikely(!isfinite(mean) || !(deviation >= 0) || isinf(deviation)))
		report_bad_scale(METHOD_Z_SCORE, psprintf("Mean %s and deviation %s are no normal "
												  "distribution.", float8out_internal(mean),
												  float8out_internal(deviation)));
	if (deviation == 0)
		return 50;
	z = (value - mean) / deviation;
	return 50 * erfc((rule->higher_is_better ? -z : z) * M_SQRT1_2);
}

static double
logistic_points(const Rule *rule, double value)
{
	double		midpoint = rule->scale.values[0];
	double		slope = rule->scale.values[1];
	double		x;

	if (unlikely(!isfinite(midpoint) || !(slope > 0) || isinf(slope)))
		report_bad_scale(METHOD_LOGISTIC, psprintf("Midpoint %s and slope %s must be finite, and "
												   "the slope above 0.",
												   float8out_internal(midpoint),
												   float8out_internal(slope)));
	x = slope * (value - midpoint);
	return 100 / (1 + exp(rule->higher_is_better ? -x : x));
}

/* A threshold belongs to the band above it. */
static double
bands_points(const Rule *rule, double value)
{
	int			count = rule->scale.count / 2;
	const double *thresholds = rule->scale.values;
	const double *points = thresholds + count;
	int			band = 0;

	for (int i = 0; i <= count; i++)
	{
		if (unlikely(!(points[i] >= 0 && points[i] <= 100)))
			report_bad_scale(METHOD_BANDS, psprintf("The points of band %d are %s, not 0 to 100.",
													i + 1, float8out_internal(points[i])));
		if (i == 0)
			continue;
		if (unlikely(isnan(thresholds[i - 1]) ||
					 (i > 1 && !(thresholds[i - 1] > thresholds[i - 2]))))
			report_bad_scale(METHOD_BANDS,
							 psprintf("Threshold %d is %s, not above the one before it or not a "
									  "number.", i, float8out_internal(thresholds[i - 1])));
		if (unlikely(rule->higher_is_better ? points[i] < points[i - 1]
					 : points[i] > points[i - 1]))
			report_bad_scale(METHOD_BANDS,
							 psprintf("Band %d has %s points after %s, but %s values are better.",
									  i + 1, float8out_internal(points[i]),
									  float8out_internal(points[i - 1]),
									  rule->higher_is_better ? "higher" : "lower"));
		band += thresholds[i - 1] <= value;
	}
	return points[band];
}

static double
linear_points(const Rule *rule, double value)
{
	double		from = rule->scale.values[0];
	double		to = rule->scale.values[1];

	if (unlikely(!isfinite(from) || !isfinite(to)))
		report_bad_scale(METHOD_LINEAR, psprintf("Its numbers must be finite, not %s and %s.",
												 float8out_internal(from),
												 float8out_internal(to)));
	if (from == to)
		return (rule->higher_is_better ? value >= to : value <= to) ? 100 : 0;
	return way_points(from, to, value);
}

static double
identity_points(const Rule *rule, double value)
{
	double		points = Min(Max(value, 0), 100);

	return rule->higher_is_better ? points : 100 - points;
}

double
rule_points(const Rule *rule, double value)
{
	/* -0 becomes +0, of which differences are +0 */
	value += 0.0;

	switch (rule->method)
	{
		case METHOD_SCORE:
			return score_points(rule, value);
		case METHOD_PERCENTILE:
			return percentile_points(rule, value);
		case METHOD_MIN_MAX:
			return min_max_points(rule, value);
		case METHOD_Z_SCORE:
			return z_score_points(rule, value);
		case METHOD_LOGISTIC:
			return logistic_points(rule, value);
		case METHOD_BANDS:
			return bands_points(rule, value) + 0.0;
		case METHOD_LINEAR:
			return linear_points(rule, value);
		case METHOD_IDENTITY:
			return identity_points(rule, value);
	}
	pg_unreachable();
}

/*
 * dimension_points(value float8, method text, scale float8[],
 *					higher_is_better boolean, ties text) -> float8
 */
Datum
dimension_points(PG_FUNCTION_ARGS)
{
	Rule		rule;
	double		value;

	if (!read_rule(fcinfo, &rule) || PG_ARGISNULL(0))
		PG_RETURN_NULL();
	value = PG_GETARG_FLOAT8(0);
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the value of a dimension must not be NaN"),
						errhint("A value that is missing is NULL: nullif(value, 'NaN').")));
	PG_RETURN_FLOAT8(rule_points(&rule, value));
}

/* ---------- the way back ---------- */

/*
 * Doubles in their order are whole numbers in theirs: a number that rises by 1
 * from each double to the next, 0 for 0, and negative for negative ones.
 */
static double
double_of_rank(int64 rank)
{
	int64		bits = rank < 0 ? -rank : rank;
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return rank < 0 ? -value : value;
}

#define RANK_OF_INFINITY INT64CONST(0x7FF0000000000000)

/* Whether points rise with the value; the two anchors of 'linear' say it themselves. */
static bool
points_rise(const Rule *rule)
{
	if (rule->method == METHOD_LINEAR && rule->scale.values[0] != rule->scale.values[1])
		return rule->scale.values[0] < rule->scale.values[1];
	return rule->higher_is_better;
}

/*
 * value_for_points(points float8, method text, scale float8[],
 *					higher_is_better boolean, ties text) -> float8
 *
 * The worst value that has so many points.  Halving the doubles between the
 * two infinities finds it in 63 steps, exact to the last bit for every method:
 * the next worse double has fewer points.
 */
Datum
value_for_points(PG_FUNCTION_ARGS)
{
	Rule		rule;
	double		points;
	double		sign;
	int64		fails = -RANK_OF_INFINITY;
	int64		reaches = RANK_OF_INFINITY;

	if (!read_rule(fcinfo, &rule) || PG_ARGISNULL(0))
		PG_RETURN_NULL();
	points = PG_GETARG_FLOAT8(0);
	if (isnan(points))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("points must not be NaN")));

	/* from worse to better, whichever way that is */
	sign = points_rise(&rule) ? 1 : -1;
	if (rule_points(&rule, sign * double_of_rank(fails)) >= points)
		PG_RETURN_FLOAT8(sign * double_of_rank(fails));
	if (!(rule_points(&rule, sign * double_of_rank(reaches)) >= points))
		PG_RETURN_NULL();
	while (reaches - 1 > fails)
	{
		/* their distance may exceed an int64 */
		int64		middle = fails + (int64) (((uint64) reaches - (uint64) fails) / 2);

		if (rule_points(&rule, sign * double_of_rank(middle)) >= points)
			reaches = middle;
		else
			fails = middle;
	}
	PG_RETURN_FLOAT8(sign * double_of_rank(reaches) + 0.0);
}
