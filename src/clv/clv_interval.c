/*
 * clv_interval.c
 *	  How sure a prediction is: two kinds of intervals, kept apart.
 *
 *	  - Of a mean or a probability, expected_purchases_interval() and its
 *		like: what the parameters' covariance C leaves open (delta method).
 *		With g the gradient of ln E, or of ln(P / (1 - P)), over the ln of the
 *		parameters and s^2 = g' C g:
 *			E exp(-+ z s)	and		logistic(logit P -+ z s)
 *	  - Of the count, purchases_interval(): where the number of purchases
 *		itself will fall, whose scatter is many times wider.
 *
 * The gradient comes from central differences over parameters shifted by 1e-4
 * in their ln, prepared once a query.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"

#include "clv/fitted.h"
#include "clv/normal.h"
#include "clv/predict.h"

PG_FUNCTION_INFO_V1(clv_expected_purchases_interval);
PG_FUNCTION_INFO_V1(clv_expected_purchases_interval_new);
PG_FUNCTION_INFO_V1(clv_p_alive_interval);
PG_FUNCTION_INFO_V1(clv_p_active_interval);
PG_FUNCTION_INFO_V1(clv_survival_interval);
PG_FUNCTION_INFO_V1(clv_purchases_interval);
PG_FUNCTION_INFO_V1(clv_purchases_interval_new);

typedef enum Quantity
{
	EXPECTED_PURCHASES,
	P_ALIVE,
	P_ACTIVE,
	SURVIVAL
} Quantity;

/* A quantity of a model; at is a horizon, or a period. */
static double
get_quantity(Quantity quantity, const ClvParams *p, double at, const ClvRow *row)
{
	switch (quantity)
	{
		case EXPECTED_PURCHASES:
			return p->model->expected_purchases(p, at, row);
		case P_ALIVE:
			return p->model->p_alive(p, 0, row);
		case P_ACTIVE:
			return p->model->p_active(p, at, row);
		case SURVIVAL:
			return at == 0 ? 1 : p->model->survival(p, at);
	}
	return NAN;					/* not reached */
}

static double
get_transformed(Quantity quantity, double value)
{
	return quantity == EXPECTED_PURCHASES ? log(value) : log(value) - log1p(-value);
}

static double
logistic(double x)
{
	return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static Datum
make_interval(FunctionCallInfo fcinfo, Datum lower, Datum upper, bool known)
{
	TupleDesc	columns;
	Datum		values[2] = {lower, upper};
	bool		nulls[2] = {!known, !known};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

/* The interval of a quantity by the delta method; NULLs without a covariance. */
static Datum
delta_interval(FunctionCallInfo fcinfo, Quantity quantity, double level, double at,
			   const ClvRow *row)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);
	const ClvParams *shifted;
	int			n = model->kind->n_params;
	double		value = get_quantity(quantity, &model->prepared, at, row);
	double		gradient[CLV_MAX_PARAMS];
	double		variance = 0;
	double		reach;
	double		center;
	double		z;

	check_level(level);
	if (!model->has_covariance)
		return make_interval(fcinfo, 0, 0, false);
	/* certain whatever the parameters: nothing, everything, without end */
	if (value == 0 || isinf(value) || (quantity != EXPECTED_PURCHASES && value == 1))
		return make_interval(fcinfo, Float8GetDatum(value), Float8GetDatum(value), true);

	shifted = fitted_get_shifted(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		double		up = get_quantity(quantity, &shifted[2 * i], at, row);
		double		down = get_quantity(quantity, &shifted[2 * i + 1], at, row);

		gradient[i] =
			(get_transformed(quantity, up) - get_transformed(quantity, down)) / (2 * FITTED_SHIFT);
		if (!isfinite(gradient[i]))
			return make_interval(fcinfo, 0, 0, false);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			variance += gradient[i] * model->covariance[i][j] * gradient[j];
	z = normal_quantile_two_sided(level);
	reach = z * sqrt(Max(variance, 0));
	center = get_transformed(quantity, value);
	if (quantity == EXPECTED_PURCHASES)
		return make_interval(fcinfo, Float8GetDatum(value * exp(-reach)),
							 Float8GetDatum(value * exp(reach)), true);
	return make_interval(fcinfo, Float8GetDatum(logistic(center - reach)),
						 Float8GetDatum(logistic(center + reach)), true);
}

/* expected_purchases_interval(model, level, horizon, frequency, recency, age) */
Datum
clv_expected_purchases_interval(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		horizon;
	ClvRow		row;

	check_has(p->model, p->model->expected_purchases != NULL, "expected purchases");
	horizon = get_horizon(fcinfo, 2, p->model);
	get_customer(fcinfo, 3, p->model, &row);
	PG_RETURN_DATUM(
		delta_interval(fcinfo, EXPECTED_PURCHASES, PG_GETARG_FLOAT8(1), horizon, &row));
}

/* expected_purchases_interval(model, level, horizon): of a new customer */
Datum
clv_expected_purchases_interval_new(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		horizon;
	ClvRow		row = {0};

	check_has(p->model, p->model->expected_purchases != NULL, "expected purchases");
	horizon = get_horizon(fcinfo, 2, p->model);
	PG_RETURN_DATUM(
		delta_interval(fcinfo, EXPECTED_PURCHASES, PG_GETARG_FLOAT8(1), horizon, &row));
}

/* p_alive_interval(model, level, frequency, recency, age) */
Datum
clv_p_alive_interval(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row;

	check_has(p->model, p->model->p_alive != NULL, "P(alive)");
	get_customer(fcinfo, 2, p->model, &row);
	PG_RETURN_DATUM(delta_interval(fcinfo, P_ALIVE, PG_GETARG_FLOAT8(1), 0, &row));
}

/* p_active_interval(model, level, horizon, frequency, recency, age) */
Datum
clv_p_active_interval(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		horizon;
	ClvRow		row;

	check_has(p->model, p->model->p_active != NULL, "P(active)");
	horizon = get_horizon(fcinfo, 2, p->model);
	get_customer(fcinfo, 3, p->model, &row);
	PG_RETURN_DATUM(delta_interval(fcinfo, P_ACTIVE, PG_GETARG_FLOAT8(1), horizon, &row));
}

/* survival_interval(model, level, period) */
Datum
clv_survival_interval(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		period = PG_GETARG_FLOAT8(2);
	ClvRow		row = {0};

	check_has(p->model, p->model->survival != NULL, "survival");
	if (period != 0 && clv_check_period(period) != CLV_OK)
		report_clv_status(clv_check_period(period), period);
	PG_RETURN_DATUM(delta_interval(fcinfo, SURVIVAL, PG_GETARG_FLOAT8(1), period, &row));
}

/* The quantiles between which the count falls with the probability of the level. */
static Datum
count_interval(FunctionCallInfo fcinfo, const ClvParams *p, const ClvRow *row)
{
	double		level = PG_GETARG_FLOAT8(1);
	double		horizon;
	double		lower;
	double		upper;

	check_level(level);
	horizon = get_finite_horizon(fcinfo, 2, p->model);
	CHECK_FOR_INTERRUPTS();
	lower = clv_purchases_quantile(p, (1 - level) / 2, horizon, row);
	upper = clv_purchases_quantile(p, 1 - (1 - level) / 2, horizon, row);
	if (!(upper < 9.2e18))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("the number of purchases is too large to be counted: %s",
							   double_text(upper))));
	return make_interval(fcinfo, Int64GetDatum((int64) lower), Int64GetDatum((int64) upper), true);
}

/* purchases_interval(model, level, horizon, frequency, recency, age) */
Datum
clv_purchases_interval(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row;

	check_has(p->model, p->model->count_probability != NULL, "distribution of purchases");
	get_customer(fcinfo, 3, p->model, &row);
	PG_RETURN_DATUM(count_interval(fcinfo, p, &row));
}

/* purchases_interval(model, level, horizon): of a new customer */
Datum
clv_purchases_interval_new(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row = {0};

	check_has(p->model, p->model->count_probability != NULL, "distribution of purchases");
	PG_RETURN_DATUM(count_interval(fcinfo, p, &row));
}
