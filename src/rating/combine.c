/*
 * combine.c
 *	  Many numbers of one customer made one: TOPSIS, the geometric mean, what
 *	  each dimension contributed, and the grade of a score.
 *
 * The formulas stand in numerics/combination.c.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "numerics/combination.h"
#include "rating/rating_args.h"

PG_FUNCTION_INFO_V1(topsis);
PG_FUNCTION_INFO_V1(geometric_score);
PG_FUNCTION_INFO_V1(shapley);
PG_FUNCTION_INFO_V1(grade);

/* ---------- the scale of TOPSIS ---------- */

static void
report_malformed_scale(int element, double value)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("malformed TOPSIS scale"),
					errdetail("Element %d must not be %s.", element + 1, number_text(value)),
					errhint("A scale comes from customer_tier.topsis_scale(raw, "
							"higher_is_better).")));
}

/*
 * Look at the scale of n criteria: n norms, the n best and the n worst values.
 * The array in `view` must stay as long as the scale.
 */
static void
get_topsis_scale(FunctionCallInfo fcinfo, int argument, int n, Float8Array *view,
				 TopsisScale *scale)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the TOPSIS scale must not be NULL"),
						errhint("Make one with customer_tier.topsis_scale(raw, "
								"higher_is_better) over the population.")));
	float8_array_view(view, PG_GETARG_DATUM(argument));
	if (view->ndim > 1 || view->count != 3 * n || view->has_null)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("malformed TOPSIS scale"),
						errdetail("For %d criteria it has %d numbers, none of them NULL; here "
								  "are %d elements.", n, 3 * n, view->count),
						errhint("A scale comes from customer_tier.topsis_scale(raw, "
								"higher_is_better), over the same criteria.")));
	for (int i = 0; i < 3 * n; i++)
		if (!isfinite(view->values[i]) || (i < n && view->values[i] < 0))
			report_malformed_scale(i, view->values[i]);
	scale->norm = view->values;
	scale->best = view->values + n;
	scale->worst = view->values + 2 * n;
}

/* topsis(raw float8[], weights float8[], scale float8[]) -> float8 */
Datum
topsis(PG_FUNCTION_ARGS)
{
	double		values[RATING_DIMENSIONS_MAX];
	bool		missing[RATING_DIMENSIONS_MAX];
	double		weights[RATING_DIMENSIONS_MAX];
	int			n = get_weights(fcinfo, 1, "weights", weights);
	Float8Array view;
	TopsisScale scale;
	double		closeness;

	get_topsis_scale(fcinfo, 2, n, &view, &scale);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	check_same_count(get_numbers(fcinfo, 0, "values", values, missing), "values", n, "weights");
	closeness = topsis_closeness(values, missing, weights, &scale, n);
	if (isnan(closeness))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(closeness);
}

/* geometric_score(points float8[], weights float8[]) -> float8 */
Datum
geometric_score(PG_FUNCTION_ARGS)
{
	double		points[RATING_DIMENSIONS_MAX];
	bool		missing[RATING_DIMENSIONS_MAX];
	double		weights[RATING_DIMENSIONS_MAX];
	DoubleDouble logs[RATING_DIMENSIONS_MAX];
	int			n = get_weights(fcinfo, 1, "weights", weights);
	double		score;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	check_same_count(get_numbers(fcinfo, 0, "points", points, missing), "points", n, "weights");
	for (int i = 0; i < n; i++)
		logs[i] = geometric_log(points[i]);
	score = geometric_mean(logs, missing, weights, n);
	if (isnan(score))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(score);
}

/* ---------- what each dimension contributed ---------- */

/* A customer, and who would be there in their stead. */
typedef struct Comparison
{
	int			n;
	double		weights[RATING_DIMENSIONS_MAX];
	double		present[RATING_DIMENSIONS_MAX];
	double		absent[RATING_DIMENSIONS_MAX];
	DoubleDouble present_log[RATING_DIMENSIONS_MAX];
	DoubleDouble absent_log[RATING_DIMENSIONS_MAX];
	TopsisScale scale;
} Comparison;

static inline bool
is_member(unsigned int subset, int i)
{
	return (subset >> i) & 1;
}

static double
score_geometric(void *context, unsigned int subset)
{
	Comparison *c = context;
	DoubleDouble logs[SHAPLEY_MEMBERS_MAX];

	for (int i = 0; i < c->n; i++)
		logs[i] = is_member(subset, i) ? c->present_log[i] : c->absent_log[i];
	return geometric_mean(logs, NULL, c->weights, c->n);
}

static double
score_topsis(void *context, unsigned int subset)
{
	Comparison *c = context;
	double		values[SHAPLEY_MEMBERS_MAX];

	for (int i = 0; i < c->n; i++)
		values[i] = is_member(subset, i) ? c->present[i] : c->absent[i];
	return 100 * topsis_closeness(values, NULL, c->weights, &c->scale, c->n);
}

/*
 * In a mean every dimension adds the same whoever else is there: no subsets
 * are needed.  (+ 0.0 makes -0 into 0.)
 */
static void
divide_mean(const Comparison *c, double *values)
{
	double		total = 0;

	for (int i = 0; i < c->n; i++)
		total += c->weights[i];
	for (int i = 0; i < c->n; i++)
		values[i] = c->weights[i] * (c->present[i] - c->absent[i]) / total + 0.0;
}

static void
divide_over_subsets(Comparison *c, SubsetScore score, double *values)
{
	double	   *workspace;

	if (c->n > SHAPLEY_MEMBERS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("Shapley values of %d dimensions take too long", c->n),
						errdetail("They go over all subsets, and so stop at %d dimensions.",
								  SHAPLEY_MEMBERS_MAX),
						errhint("The combination \"mean\" has no such limit.")));
	workspace = palloc((1 << c->n) * sizeof(double));
	shapley_values(score, c, c->n, values, workspace);
	pfree(workspace);
}

typedef enum Combination
{
	COMBINATION_MEAN,
	COMBINATION_GEOMETRIC,
	COMBINATION_TOPSIS
} Combination;

static const char *const combinations[] = {"mean", "geometric", "topsis"};

/* The values of those that are there, NULL for the others. */
static ArrayType *
make_values(const double *values, const bool *missing, int n)
{
	Datum		elements[RATING_DIMENSIONS_MAX];
	bool		nulls[RATING_DIMENSIONS_MAX];
	int			bound = 1;

	for (int i = 0; i < n; i++)
	{
		elements[i] = Float8GetDatum(values[i]);
		nulls[i] = missing[i];
	}
	return construct_md_array(elements, nulls, 1, &n, &bound, FLOAT8OID, sizeof(float8),
							  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/*
 * shapley_values(points float8[], baseline float8[], weights float8[],
 *				  combination text, scale float8[]) -> float8[]
 */
Datum
shapley(PG_FUNCTION_ARGS)
{
	Comparison	c;
	bool		missing[RATING_DIMENSIONS_MAX];
	double		values[RATING_DIMENSIONS_MAX];
	Combination combination;
	Float8Array view;

	c.n = get_weights(fcinfo, 2, "weights", c.weights);
	combination = (Combination) get_word(fcinfo, 3, "combination", combinations,
										 lengthof(combinations));
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	check_same_count(get_numbers(fcinfo, 0, "points", c.present, missing), "points", c.n,
					 "weights");
	check_same_count(get_numbers(fcinfo, 1, "baseline points", c.absent, NULL), "baseline points",
					 c.n, "weights");

	for (int i = 0; i < c.n; i++)
		if (missing[i])
			c.present[i] = c.absent[i];
	switch (combination)
	{
		case COMBINATION_MEAN:
			divide_mean(&c, values);
			break;
		case COMBINATION_GEOMETRIC:
			for (int i = 0; i < c.n; i++)
			{
				c.present_log[i] = geometric_log(c.present[i]);
				c.absent_log[i] = geometric_log(c.absent[i]);
			}
			divide_over_subsets(&c, score_geometric, values);
			break;
		case COMBINATION_TOPSIS:
			get_topsis_scale(fcinfo, 4, c.n, &view, &c.scale);
			divide_over_subsets(&c, score_topsis, values);
			break;
	}
	for (int i = 0; i < c.n; i++)
		if (!isfinite(values[i]))
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("points and weights are too large to be combined")));
	PG_RETURN_ARRAYTYPE_P(make_values(values, missing, c.n));
}

/* ---------- grade() ---------- */

/* Ensure that cuts rise and that there is a label for each grade. */
static void
check_grades(FunctionCallInfo fcinfo, Float8Array *cuts, ArrayType **labels)
{
	int			count;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not be NULL", PG_ARGISNULL(1) ? "cuts" : "labels")));
	float8_array_view(cuts, PG_GETARG_DATUM(1));
	*labels = PG_GETARG_ARRAYTYPE_P(2);
	if (cuts->ndim > 1 || ARR_NDIM(*labels) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s must be an array of one dimension, not %d",
							   cuts->ndim > 1 ? "cuts" : "labels",
							   cuts->ndim > 1 ? cuts->ndim : ARR_NDIM(*labels))));
	if (cuts->has_null || array_contains_nulls(*labels))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not contain NULL", cuts->has_null ? "cuts" : "labels")));
	count = ArrayGetNItems(ARR_NDIM(*labels), ARR_DIMS(*labels));
	if (count != cuts->count + 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be one label more than cuts"),
				 errdetail("There are %d cuts and %d labels.", cuts->count, count),
				 errhint("Labels go from the lowest grade up: grade(score, '{60,80}', "
						 "'{C,B,A}').")));
	for (int i = 0; i < cuts->count; i++)
	{
		if (isnan(cuts->values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("cuts must not contain NaN")));
		if (i > 0 && !(cuts->values[i] > cuts->values[i - 1]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cuts must rise"),
					 errdetail("Cut %d is %s, cut %d before it is %s.", i + 1,
							   number_text(cuts->values[i]), i, number_text(cuts->values[i - 1])),
					 errhint("Sort cuts ascending, and labels from the lowest grade up.")));
	}
}

/* grade(score float8, cuts float8[], labels text[]) -> text */
Datum
grade(PG_FUNCTION_ARGS)
{
	Float8Array cuts;
	ArrayType  *labels;
	double		score;
	int			reached = 0;
	int			at;
	bool		is_null;
	Datum		label;

	check_grades(fcinfo, &cuts, &labels);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	score = PG_GETARG_FLOAT8(0);
	if (isnan(score))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a score to grade must not be NaN"),
						errhint("A customer without a score has NULL.")));
	while (reached < cuts.count && score >= cuts.values[reached])
		reached++;

	at = ARR_LBOUND(labels)[0] + reached;
	label = array_get_element(PointerGetDatum(labels), 1, &at, -1, -1, false, TYPALIGN_INT,
							  &is_null);
	PG_RETURN_DATUM(label);
}
