/*
 * weights.c
 *	  Weights that someone decides: AHP, rank order, mixtures.
 *
 * AHP (Saaty 1980): judgement a_ij says how many times criterion i matters
 * more than criterion j.  The weights are the principal eigenvector; with
 *
 *		lambda = mean of (Aw)_i / w_i		CI = (lambda - n) / (n - 1)
 *		CR = CI / RI(n)
 *
 * CR compares the inconsistency with that of random judgements, whose index
 * RI has been simulated several times, with slightly different results.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/array.h"

#include "numerics/double_double.h"
#include "numerics/eigen.h"
#include "rating/judgements.h"
#include "rating/rating_args.h"

PG_FUNCTION_INFO_V1(ahp_weights);
PG_FUNCTION_INFO_V1(roc_weights);
PG_FUNCTION_INFO_V1(rank_sum_weights);
PG_FUNCTION_INFO_V1(rank_reciprocal_weights);
PG_FUNCTION_INFO_V1(equal_weights);
PG_FUNCTION_INFO_V1(mix_weights);

/* Judgements are taken for consistent up to this ratio. */
#define CONSISTENCY_RATIO_MAX 0.10

/* An index of inconsistency below this is rounding: 1/3 is no double. */
#define INDEX_NOISE 1e-14

/* ---------- random indices ---------- */

#define INDEX_FROM 3
#define INDEX_TO 15

static const char *const index_names[] = {"saaty", "alonso", "tummala", "scikit", "simulated"};

/* For n from 3 to 15, in the order of the names. */
static const double random_indices[][INDEX_TO - INDEX_FROM + 1] = {
	/* Saaty 1980 */
	{.58, .90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59},
	/* doi 10.1016/S0377-2217(02)00255-2, as in R's MCDA */
	{.525, .882, 1.115, 1.252, 1.341, 1.404, 1.452, 1.484, 1.513, 1.535, 1.555, 1.570, 1.583},
	/* Rao Tummala & Ling 1998, as in pymcdm */
	{.5799, .8921, 1.1159, 1.2358, 1.3322, 1.3952, 1.4537, 1.4882, 1.5117, 1.5356, 1.5571, 1.5714,
	 1.5831},
	/* as in scikit-criteria */
	{.52, .89, 1.12, 1.26, 1.36, 1.41, 1.46, 1.49, 1.52, 1.54, 1.56, 1.58, 1.59},
	/* as simulated for R's ahpsurvey */
	{.5252, .8837, 1.1081, 1.2493, 1.3416, 1.4048, 1.4507, 1.4857, 1.5141, 1.5357, 1.5546, 1.5703,
	 1.5840},
};

/* NULL means that no index is wanted. */
static const double *
get_random_index(FunctionCallInfo fcinfo, int argument, int n)
{
	int			table;

	if (PG_ARGISNULL(argument))
		return NULL;
	table = get_word(fcinfo, argument, "random_index", index_names, lengthof(index_names));
	if (n > INDEX_TO)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no random index for %d criteria", n),
				 errdetail("The tables end at %d.", INDEX_TO),
				 errhint("Group the criteria into a hierarchy, or use random_index => NULL to "
						 "do without a consistency ratio.")));
	return random_indices[table];
}

/* ---------- the matrix of judgements ---------- */

/* Look at a square matrix of positive numbers. */
int
judgements_view(Float8Array *view, Datum datum)
{
	ArrayType  *array;
	int			n;

	float8_array_view(view, datum);
	if (view->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("the matrix must not be empty")));
	array = DatumGetArrayTypeP(datum);
	if (view->ndim != 2 || ARR_DIMS(array)[0] != ARR_DIMS(array)[1])
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("the matrix must be square"),
				 view->ndim == 2 ? errdetail("It has %d rows and %d columns.",
											 ARR_DIMS(array)[0], ARR_DIMS(array)[1])
								 : errdetail("It is an array of %d dimensions.", view->ndim),
				 errhint("Write a row for each criterion: ARRAY[[1, 3], [1/3.0, 1]].")));
	n = ARR_DIMS(array)[0];
	check_dimension_count(n, "the matrix");

	for (int i = 0, stored = 0; i < n * n; i++)
	{
		double		judgement;
		int			row = i / n + 1;
		int			column = i % n + 1;

		if (!float8_array_get(view, i, &stored, &judgement))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("judgement (%d,%d) must not be NULL", row, column)));
		if (!(judgement >= JUDGEMENT_MIN && judgement <= JUDGEMENT_MAX))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("judgement (%d,%d) must not be %s", row, column,
								   number_text(judgement)),
							errdetail("It says how many times criterion %d matters more than "
									  "criterion %d.", row, column),
							errhint("Use numbers above 0, for example from 1/9 to 9.")));
	}
	return n;
}

/*
 * Is one judgement the reciprocal of the other, as well as people write it?
 * The smaller one may be rounded to two decimals (.33, .17, .14, .11), unless
 * that is more than 5 per cent off.
 */
static bool
is_reciprocal(double one, double other)
{
	double		large = Max(one, other);
	double		error = fabs(one * other - 1);

	return error <= Min(0.005 * large, 0.05) * (1 + 1e-9);
}

/* Complain of the first pair of judgements that contradict one another. */
static void
check_reciprocal(const double *matrix, int n, int elevel)
{
	for (int i = 0; i < n; i++)
		for (int j = i; j < n; j++)
		{
			double		one = matrix[i * n + j];
			double		other = matrix[j * n + i];

			if (is_reciprocal(one, other))
				continue;
			ereport(elevel,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the matrix of judgements is not reciprocal"),
					 i == j ? errdetail("Judgement (%d,%d) is %s, which must be 1.", i + 1, i + 1,
										number_text(one))
							: errdetail("Judgement (%d,%d) is %s, but judgement (%d,%d) is %s.",
										i + 1, j + 1, number_text(one), j + 1, i + 1,
										number_text(other)),
					 i == j ? 0
							: errhint("One must be 1 divided by the other: %s for %s.",
									  number_text(1 / one), number_text(one))));
			return;
		}
}

/* Complain of judgements that are too inconsistent, and name the worst. */
static void
check_consistent(const double *matrix, int n, const double *weights, double ratio, int elevel)
{
	int			row = 0;
	int			column = 0;
	double		worst = -1;

	if (!(ratio > CONSISTENCY_RATIO_MAX))
		return;
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
		{
			double		error = fabs(log(matrix[i * n + j] * (weights[j] / weights[i])));

			if (error > worst)
			{
				worst = error;
				row = i;
				column = j;
			}
		}
	ereport(elevel,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the judgements are inconsistent: their consistency ratio %.4g is above %.2f",
					ratio, CONSISTENCY_RATIO_MAX),
			 errdetail("Furthest from the others is judgement (%d,%d): it is %.4g, the weights say "
					   "%.4g.", row + 1, column + 1, matrix[row * n + column],
					   weights[row] / weights[column]),
			 errhint("Think that judgement over, and its reciprocal with it.")));
}

/* ---------- three ways from a matrix to weights ---------- */

static void
weigh_by_eigenvector(const double *matrix, int n, double *weights)
{
	DoubleDouble *workspace = palloc(eigen_workspace(n) * sizeof(DoubleDouble));

	principal_eigenvector(matrix, n, weights, workspace);
	pfree(workspace);
}

/* Divide by the sum. */
static void
normalise(double *weights, int n)
{
	double		total = 0;

	for (int i = 0; i < n; i++)
		total += weights[i];
	for (int i = 0; i < n; i++)
		weights[i] /= total;
}

/* The geometric mean of each row. */
static void
weigh_by_rows(const double *matrix, int n, double *weights)
{
	for (int i = 0; i < n; i++)
	{
		DoubleDouble sum = {0, 0};

		for (int j = 0; j < n; j++)
			sum = dd_add(sum, dd_log(matrix[i * n + j]));
		weights[i] = dd_exp(dd_divide(sum, dd_from(n)));
	}
	normalise(weights, n);
}

/* The mean of the columns, each with sum 1. */
static void
weigh_by_columns(const double *matrix, int n, double *weights)
{
	memset(weights, 0, n * sizeof(double));
	for (int j = 0; j < n; j++)
	{
		double		total = 0;

		for (int i = 0; i < n; i++)
			total += matrix[i * n + j];
		for (int i = 0; i < n; i++)
			weights[i] += matrix[i * n + j] / total;
	}
	normalise(weights, n);
}

static const char *const method_names[] = {"eigenvector", "geometric", "column"};
static void (*const methods[])(const double *matrix, int n, double *weights) = {
	weigh_by_eigenvector, weigh_by_rows, weigh_by_columns};

static const char *const check_modes[] = {"flag", "refuse"};

/*
 * ahp_weights(matrix float8[], random_index text, check_mode text, method text,
 *			   OUT weights float8[], OUT lambda_max, OUT ci, OUT cr float8)
 */
Datum
ahp_weights(PG_FUNCTION_ARGS)
{
	TupleDesc	tuple;
	Float8Array matrix;
	int			n;
	const double *index;
	int			elevel;
	int			method;
	double		weights[RATING_DIMENSIONS_MAX];
	double		lambda;
	double		ci = 0;
	double		cr = 0;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &tuple) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "ahp_weights() is not declared to return its four columns");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	n = judgements_view(&matrix, PG_GETARG_DATUM(0));
	index = get_random_index(fcinfo, 1, n);
	elevel = get_word(fcinfo, 2, "check_mode", check_modes, lengthof(check_modes)) == 0 ? WARNING
																						 : ERROR;
	method = get_word(fcinfo, 3, "method", method_names, lengthof(method_names));

	check_reciprocal(matrix.values, n, elevel);
	methods[method](matrix.values, n, weights);
	lambda = mean_eigenvalue(matrix.values, n, weights);
	if (n > 1)
		ci = (lambda - n) / (n - 1);
	if (fabs(ci) < INDEX_NOISE)
		ci = 0;
	if (n >= INDEX_FROM && index)
		cr = ci / index[n - INDEX_FROM];
	check_consistent(matrix.values, n, weights, cr, elevel);

	values[0] = PointerGetDatum(float8_array_from(weights, n));
	values[1] = Float8GetDatum(lambda);
	values[2] = Float8GetDatum(ci);
	values[3] = Float8GetDatum(cr);
	nulls[3] = n >= INDEX_FROM && index == NULL;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tuple), values, nulls)));
}

/* ---------- weights from the order of importance alone ---------- */

static int
get_rank_count(FunctionCallInfo fcinfo)
{
	int			n = PG_GETARG_INT32(0);

	if (n < 1 || n > RATING_DIMENSIONS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of criteria must not be %d", n),
						errhint("Give a number from 1 to %d.", RATING_DIMENSIONS_MAX)));
	return n;
}

/* Rank order centroid: w_k = (1 / n) sum of 1 / i from k to n. */
Datum
roc_weights(PG_FUNCTION_ARGS)
{
	int			n = get_rank_count(fcinfo);
	double		weights[RATING_DIMENSIONS_MAX];
	double		sum = 0;

	for (int k = n; k >= 1; k--)
	{
		sum += 1.0 / k;
		weights[k - 1] = sum / n;
	}
	PG_RETURN_ARRAYTYPE_P(float8_array_from(weights, n));
}

/* w_k = 2 (n + 1 - k) / (n (n + 1)) */
Datum
rank_sum_weights(PG_FUNCTION_ARGS)
{
	int			n = get_rank_count(fcinfo);
	double		weights[RATING_DIMENSIONS_MAX];

	for (int k = 1; k <= n; k++)
		weights[k - 1] = 2.0 * (n + 1 - k) / (n * (n + 1.0));
	PG_RETURN_ARRAYTYPE_P(float8_array_from(weights, n));
}

/* w_k = (1 / k) / sum of 1 / i */
Datum
rank_reciprocal_weights(PG_FUNCTION_ARGS)
{
	int			n = get_rank_count(fcinfo);
	double		weights[RATING_DIMENSIONS_MAX];
	double		sum = 0;

	for (int k = n; k >= 1; k--)
		sum += 1.0 / k;
	for (int k = 1; k <= n; k++)
		weights[k - 1] = 1 / (k * sum);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(weights, n));
}

Datum
equal_weights(PG_FUNCTION_ARGS)
{
	int			n = get_rank_count(fcinfo);
	double		weights[RATING_DIMENSIONS_MAX];

	for (int k = 1; k <= n; k++)
		weights[k - 1] = 1.0 / n;
	PG_RETURN_ARRAYTYPE_P(float8_array_from(weights, n));
}

/* ---------- mixtures ---------- */

static const char *const mixtures[] = {"multiplicative", "linear"};

static double
get_share(FunctionCallInfo fcinfo, int argument)
{
	double		share;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("share must not be NULL"),
						errhint("Use 0.5 for half and half.")));
	share = PG_GETARG_FLOAT8(argument);
	if (!(share >= 0 && share <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("share must not be %s", number_text(share)),
						errhint("It is the share of the subjective weights, from 0 to 1.")));
	return share;
}

/*
 * mix_weights(subjective float8[], objective float8[], method text, share float8):
 * s o / sum(s o), or share s + (1 - share) o, each with sum 1 before.
 */
Datum
mix_weights(PG_FUNCTION_ARGS)
{
	double		mixed[RATING_DIMENSIONS_MAX];
	double		objective[RATING_DIMENSIONS_MAX];
	int			n;
	int			others;
	bool		linear;
	double		share;
	double		total = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	n = get_weights(fcinfo, 0, "subjective weights", mixed);
	others = get_weights(fcinfo, 1, "objective weights", objective);
	check_same_count(n, "subjective weights", others, "objective weights");
	linear = get_word(fcinfo, 2, "method", mixtures, lengthof(mixtures)) == 1;
	share = get_share(fcinfo, 3);

	normalise(mixed, n);
	normalise(objective, n);
	for (int i = 0; i < n; i++)
	{
		mixed[i] = linear ? share * mixed[i] + (1 - share) * objective[i]
						  : mixed[i] * objective[i];
		total += mixed[i];
	}
	if (total == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the products of subjective and objective weights are all 0"),
						errdetail("Each criterion has weight 0 in one of the two sets."),
						errhint("Use method => 'linear'.")));
	normalise(mixed, n);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(mixed, n));
}
