/*
 * clv_forecast.c
 *	  forecast_totals(): what a model expects of many customers together,
 *	  period by period, and how much that will scatter.
 *
 * For one customer, e(t) being the purchases expected by t, the mean of a
 * period is e(end) - e(start).  His count is a gamma-mixed Poisson number of
 * shape r + x while he is alive, so its variance is
 *
 *		mean + mean * (mixed - mean),  mixed = (1 + 1 / (r + x)) E[count | alive]
 *
 * where E[count | alive] is that of the first period, scaled to the length of
 * this one: the rate of those who are alive falls slowly.  A purchase brings z
 * (expected_spend), with a squared coefficient of variation of
 *
 *		(p + 1) / p (q + p x - 1) / (q + p x - 2) - 1
 *
 * (kept finite where q + p x <= 2).  Customers are independent: means and
 * variances add up, exactly, so in any order.
 *
 * Most models have no memory: e(t) = P(alive) g(t; x, T), and g, the costly
 * part, is computed once for each (x, T), of which there are few.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "aggregate.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/hsearch.h"

#include "clv/course.h"
#include "clv/fitted.h"
#include "clv/predict.h"
#include "numerics/exact_sum.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(clv_forecast_accum);
PG_FUNCTION_INFO_V1(clv_forecast_final);

#define PERIODS_MAX 12

/* A shape without this much P(alive) left cannot be told from none. */
#define ALIVE_MIN 1e-12

/* What is summed; the rows of the result, in this order. */
enum
{
	PURCHASES,
	PURCHASES_VARIANCE,
	REVENUE,
	REVENUE_VARIANCE,
	N_TOTALS
};

/* Purchases expected by the end of each period of a customer who is alive. */
typedef struct Course
{
	double		x;
	double		T;
	double		expected[PERIODS_MAX];
} Course;

typedef struct ForecastState
{
	int			periods;
	double		end[PERIODS_MAX];
	HTAB	   *courses;
	ExactSum	total[N_TOTALS][PERIODS_MAX];
} ForecastState;

static ForecastState *
state_create(MemoryContext context, Datum ends)
{
	ForecastState *state = MemoryContextAllocZero(context, sizeof(ForecastState));
	HASHCTL		control = {0};
	Float8Array view;

	float8_array_view(&view, ends);
	if (view.ndim != 1 || view.has_null || view.count > PERIODS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the ends of the periods must be 1 to %d times", PERIODS_MAX),
						errhint("Give an array of times ahead, such as '{4,8}'.")));
	state->periods = view.count;
	for (int i = 0; i < view.count; i++)
	{
		double		before = i == 0 ? 0 : state->end[i - 1];

		if (!(view.values[i] > before) || isinf(view.values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the ends of the periods must rise from 0"),
							errhint("Give finite times ahead in rising order, such as '{4,8}'.")));
		state->end[i] = view.values[i];
	}
	control.keysize = 2 * sizeof(double);
	control.entrysize = sizeof(Course);
	control.hcxt = context;
	state->courses = hash_create("courses of a forecast", 1024, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return state;
}

/* The value of a parameter. */
static double
get_param(const ClvParams *p, const char *name)
{
	for (int i = 0; i < p->model->n_params; i++)
		if (strcmp(p->model->param[i].name, name) == 0)
			return p->theta[i];
	check_has(p->model, false, name);
	return 0;
}

/* e(t) at the end of each period, into `expected`. */
static void
get_expected(ForecastState *state, const ClvParams *p, const ClvRow *row, double alive,
			 double *expected)
{
	double		key[2] = {row->x + 0.0, row->T + 0.0};
	Course	   *course;
	bool		found;

	if (!is_memoryless(p->model))
	{
		for (int i = 0; i < state->periods; i++)
			expected[i] = p->model->expected_purchases(p, state->end[i], row);
		return;
	}
	course = hash_search(state->courses, key, HASH_ENTER, &found);
	if (!found)
	{
		ClvRow		now = bought_now(row);
		double		alive_now = p->model->p_alive(p, 0, &now);

		for (int i = 0; i < state->periods; i++)
			course->expected[i] = p->model->expected_purchases(p, state->end[i], &now) / alive_now;
	}
	for (int i = 0; i < state->periods; i++)
		expected[i] = alive * course->expected[i];
}

static void
add(ForecastState *state, int what, int period, double value)
{
	if (unlikely(!isfinite(value)))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("a forecast is out of range")));
	exact_sum_add(&state->total[what][period], value);
}

/*
 * forecast_totals(purchase, spend, ends, frequency, recency, age, monetary).
 * Without a spend model revenue is 0.
 */
Datum
clv_forecast_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ForecastState *state = PG_ARGISNULL(0) ? NULL : (ForecastState *) PG_GETARG_POINTER(0);
	const ClvParams *purchase;
	ClvRow		row;
	double		expected[PERIODS_MAX];
	double		alive;
	double		shape;
	double		spend = 0;
	double		scatter = 0;

	for (int i = 1; i <= 6; i++)
		if (i != 2 && PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("a forecast takes no NULL"),
							errhint("Leave such rows out with FILTER or WHERE.")));
	if (state == NULL)
		state = state_create(context, PG_GETARG_DATUM(3));

	purchase = fitted_get_params(fcinfo, 1, 0);
	check_has(purchase->model, purchase->model->expected_purchases != NULL, "expected purchases");
	get_customer(fcinfo, 4, purchase->model, &row);
	alive = purchase->model->p_alive(purchase, 0, &row);
	get_expected(state, purchase, &row, alive, expected);
	shape = get_param(purchase, "r") + row.x;

	if (!PG_ARGISNULL(2) && !PG_ARGISNULL(7))
	{
		const ClvParams *s = fitted_get_params(fcinfo, 2, 1);
		double		p = get_param(s, "p");
		double		q = get_param(s, "q");

		if (get_expected_spend(s, row.x, PG_GETARG_FLOAT8(7), &spend))
			scatter = (p + 1) / p * (q + p * row.x - 1) / Max(q + p * row.x - 2, 0.1) - 1;
		else
			spend = 0;
	}

	for (int i = 0; i < state->periods; i++)
	{
		double		start = i == 0 ? 0 : state->end[i - 1];
		double		mean = expected[i] - (i == 0 ? 0 : expected[i - 1]);
		double		mixed = (1 + 1 / shape) / Max(alive, ALIVE_MIN) * expected[0] *
			((state->end[i] - start) / state->end[0]);
		double		variance = mean + mean * Max(mixed - mean, 0);

		add(state, PURCHASES, i, mean);
		add(state, PURCHASES_VARIANCE, i, variance);
		if (spend > 0)
		{
			add(state, REVENUE, i, mean * spend);
			add(state, REVENUE_VARIANCE, i, spend * spend * (variance + mean * scatter));
		}
	}
	PG_RETURN_POINTER(state);
}

/* The totals: four rows, a column a period; NULL of nobody. */
Datum
clv_forecast_final(PG_FUNCTION_ARGS)
{
	ForecastState *state = PG_ARGISNULL(0) ? NULL : (ForecastState *) PG_GETARG_POINTER(0);
	Datum		cell[N_TOTALS * PERIODS_MAX];
	int			size[2];
	int			from[2] = {1, 1};

	get_aggregate_context(fcinfo);
	if (state == NULL)
		PG_RETURN_NULL();
	for (int i = 0; i < N_TOTALS; i++)
		for (int j = 0; j < state->periods; j++)
			cell[i * state->periods + j] =
				Float8GetDatum(exact_sum_mean(&state->total[i][j], 1));
	size[0] = N_TOTALS;
	size[1] = state->periods;
	PG_RETURN_ARRAYTYPE_P(construct_md_array(cell, NULL, 2, size, from, FLOAT8OID,
											 sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
