/*
 * clv_predict.c
 *	  What a clv_model predicts for a customer: the SQL surface of the models'
 *	  formulas.
 *
 * Every function unpacks its model once a query, checks the row, and calls the
 * model.  A model that has no such quantity is an error, which names it; a
 * NULL argument is NULL.  Expectations that are infinite are 'Infinity'.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "clv/fitted.h"
#include "clv/predict.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(clv_p_alive);
PG_FUNCTION_INFO_V1(clv_p_alive_ahead);
PG_FUNCTION_INFO_V1(clv_p_active);
PG_FUNCTION_INFO_V1(clv_expected_purchases);
PG_FUNCTION_INFO_V1(clv_expected_purchases_new);
PG_FUNCTION_INFO_V1(clv_p_purchases);
PG_FUNCTION_INFO_V1(clv_p_purchases_new);
PG_FUNCTION_INFO_V1(clv_purchases_distribution);
PG_FUNCTION_INFO_V1(clv_expected_spend);
PG_FUNCTION_INFO_V1(clv_dert);
PG_FUNCTION_INFO_V1(clv_value);
PG_FUNCTION_INFO_V1(clv_survival);
PG_FUNCTION_INFO_V1(clv_p_churn);
PG_FUNCTION_INFO_V1(clv_retention);
PG_FUNCTION_INFO_V1(clv_expected_lifetime);
PG_FUNCTION_INFO_V1(clv_residual_lifetime);

/* A distribution is an array of at most so many probabilities. */
#define DISTRIBUTION_MAX 100000

/* ---------- Arguments ---------- */

/* Ensure that a model has what is asked of it. */
void
check_has(const ClvModel *model, bool has, const char *what)
{
	if (unlikely(!has))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s has no %s", model->name, what),
						errhint("%s", model->data == CLV_DATA_SPEND
								? "It is a model of spend: use it in expected_spend() and clv()."
								: model->data == CLV_DATA_RENEWALS
								? "It is a model of retention: use it in survival(), p_churn(), "
								"expected_lifetime() and residual_lifetime()."
								: "Use another model.")));
}

/* The customer in arguments first .. first + 2: frequency, recency, age. */
void
get_customer(FunctionCallInfo fcinfo, int first, const ClvModel *model, ClvRow *row)
{
	row->x = PG_GETARG_FLOAT8(first);
	row->t_x = PG_GETARG_FLOAT8(first + 1);
	row->T = PG_GETARG_FLOAT8(first + 2);
	row->litt = 0;
	check_clv_row(model, row);
}

/* A time ahead. */
double
get_horizon(FunctionCallInfo fcinfo, int argument, const ClvModel *model)
{
	double		horizon = PG_GETARG_FLOAT8(argument);
	ClvStatus	status = clv_check_horizon(model, horizon);

	if (unlikely(status != CLV_OK))
		report_clv_status(status, horizon);
	return horizon;
}

/* The same, and it must end. */
double
get_finite_horizon(FunctionCallInfo fcinfo, int argument, const ClvModel *model)
{
	double		horizon = get_horizon(fcinfo, argument, model);

	if (isinf(horizon))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("horizon must not be Infinity"),
						errdetail("The number of purchases has a distribution over a finite time "
								  "only.")));
	return horizon;
}

static double
get_discount(FunctionCallInfo fcinfo, int argument)
{
	double		discount = PG_GETARG_FLOAT8(argument);
	ClvStatus	status = clv_check_discount(discount);

	if (unlikely(status != CLV_OK))
		report_clv_status(status, discount);
	return discount;
}

static double
get_period(FunctionCallInfo fcinfo, int argument)
{
	double		period = PG_GETARG_FLOAT8(argument);
	ClvStatus	status = clv_check_period(period);

	if (unlikely(status != CLV_OK))
		report_clv_status(status, period);
	return period;
}

static double
get_count(FunctionCallInfo fcinfo, int argument)
{
	int64		n = PG_GETARG_INT64(argument);

	if (n < 0 || n > INT64CONST(9007199254740992))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("number of purchases must not be %lld", (long long) n)));
	return (double) n;
}

/* ---------- Purchases ---------- */

/* p_alive(model, frequency, recency, age) */
Datum
clv_p_alive(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row;

	check_has(p->model, p->model->p_alive != NULL, "P(alive)");
	get_customer(fcinfo, 1, p->model, &row);
	PG_RETURN_FLOAT8(p->model->p_alive(p, 0, &row));
}

/* p_alive(model, ahead, frequency, recency, age) */
Datum
clv_p_alive_ahead(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		ahead;
	ClvRow		row;

	check_has(p->model, p->model->p_alive != NULL, "P(alive)");
	ahead = get_horizon(fcinfo, 1, p->model);
	get_customer(fcinfo, 2, p->model, &row);
	PG_RETURN_FLOAT8(p->model->p_alive(p, ahead, &row));
}

/* p_active(model, horizon, frequency, recency, age) */
Datum
clv_p_active(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		horizon;
	ClvRow		row;

	check_has(p->model, p->model->p_active != NULL, "P(active)");
	horizon = get_horizon(fcinfo, 1, p->model);
	get_customer(fcinfo, 2, p->model, &row);
	PG_RETURN_FLOAT8(p->model->p_active(p, horizon, &row));
}

/* expected_purchases(model, horizon, frequency, recency, age) */
Datum
clv_expected_purchases(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		horizon;
	ClvRow		row;

	check_has(p->model, p->model->expected_purchases != NULL, "expected purchases");
	horizon = get_horizon(fcinfo, 1, p->model);
	get_customer(fcinfo, 2, p->model, &row);
	PG_RETURN_FLOAT8(fitted_purchases(fcinfo, 0, 0, horizon, &row));
}

/* expected_purchases(model, horizon): of a new customer */
Datum
clv_expected_purchases_new(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row = {0};

	check_has(p->model, p->model->expected_purchases != NULL, "expected purchases");
	PG_RETURN_FLOAT8(
		p->model->expected_purchases(p, get_horizon(fcinfo, 1, p->model), &row));
}

/* p_purchases(model, n, horizon, frequency, recency, age) */
Datum
clv_p_purchases(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		n = get_count(fcinfo, 1);
	double		horizon;
	ClvRow		row;

	check_has(p->model, p->model->count_probability != NULL, "distribution of purchases");
	horizon = get_finite_horizon(fcinfo, 2, p->model);
	get_customer(fcinfo, 3, p->model, &row);
	PG_RETURN_FLOAT8(p->model->count_probability(p, n, horizon, &row));
}

/* p_purchases(model, n, horizon): of a new customer */
Datum
clv_p_purchases_new(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		n = get_count(fcinfo, 1);
	ClvRow		row = {0};

	check_has(p->model, p->model->count_probability != NULL, "distribution of purchases");
	PG_RETURN_FLOAT8(
		p->model->count_probability(p, n, get_finite_horizon(fcinfo, 2, p->model), &row));
}

/* purchases_distribution(model, up_to, horizon, frequency, recency, age) -> float8[] */
Datum
clv_purchases_distribution(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	int32		up_to = PG_GETARG_INT32(1);
	double		horizon;
	double	   *probability;
	ClvRow		row;

	check_has(p->model, p->model->count_probability != NULL, "distribution of purchases");
	if (up_to < 0 || up_to >= DISTRIBUTION_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("number of purchases must not be %d", up_to),
						errhint("Use 0 to %d.", DISTRIBUTION_MAX - 1)));
	horizon = get_finite_horizon(fcinfo, 2, p->model);
	get_customer(fcinfo, 3, p->model, &row);
	probability = palloc((up_to + 1) * sizeof(double));
	for (int n = 0; n <= up_to; n++)
	{
		CHECK_FOR_INTERRUPTS();
		probability[n] = p->model->count_probability(p, n, horizon, &row);
	}
	PG_RETURN_ARRAYTYPE_P(float8_array_from(probability, up_to + 1));
}

/* dert(model, discount, frequency, recency, age) */
Datum
clv_dert(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		discount = get_discount(fcinfo, 1);
	ClvRow		row;

	check_has(p->model, p->model->discounted_purchases != NULL, "discounted purchases");
	get_customer(fcinfo, 2, p->model, &row);
	PG_RETURN_FLOAT8(fitted_purchases(fcinfo, 0, discount, INFINITY, &row));
}

/* ---------- Spend, and value ---------- */

/*
 * The expected mean spend of a purchase, or false where there is none to
 * expect: the mean does not exist (q <= 1 and no repeat purchase), or the
 * customer's own mean is 0 or less, which the model has no place for.
 */
bool
get_expected_spend(const ClvParams *p, double frequency, double monetary, double *spend)
{
	ClvRow		row = {0};

	row.x = frequency;
	row.zbar = monetary;
	if (frequency > 0 && monetary <= 0 && isfinite(monetary))
	{
		/* only the frequency is left to be checked */
		row.zbar = 1;
		check_clv_row(p->model, &row);
		return false;
	}
	check_clv_row(p->model, &row);
	*spend = p->model->expected_spend(p, &row);
	return isfinite(*spend);
}

/* expected_spend(model, frequency, monetary) */
Datum
clv_expected_spend(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		spend;

	check_has(p->model, p->model->expected_spend != NULL, "expected spend");
	if (!get_expected_spend(p, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2), &spend))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(spend);
}

/*
 * clv(purchase_model, spend_model, horizon, discount, frequency, recency, age,
 * monetary) = E[discounted purchases within the horizon] E[spend]: the models
 * take the two to be independent.
 */
Datum
clv_value(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	const ClvParams *s = fitted_get_params(fcinfo, 1, 1);
	double		horizon;
	double		discount = get_discount(fcinfo, 3);
	double		purchases;
	double		spend;
	ClvRow		row;

	check_has(p->model, p->model->discounted_purchases != NULL, "discounted purchases");
	check_has(s->model, s->model->expected_spend != NULL, "expected spend");
	horizon = get_horizon(fcinfo, 2, p->model);
	get_customer(fcinfo, 4, p->model, &row);
	if (!get_expected_spend(s, row.x, PG_GETARG_FLOAT8(7), &spend))
		PG_RETURN_NULL();
	purchases = fitted_purchases(fcinfo, 0, discount, horizon, &row);
	PG_RETURN_FLOAT8(purchases == 0 ? 0 : purchases * spend);
}

/* ---------- Retention ---------- */

/* survival(model, period) */
Datum
clv_survival(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);

	check_has(p->model, p->model->survival != NULL, "survival");
	if (PG_GETARG_FLOAT8(1) == 0)
		PG_RETURN_FLOAT8(1);
	PG_RETURN_FLOAT8(p->model->survival(p, get_period(fcinfo, 1)));
}

/* p_churn(model, period) */
Datum
clv_p_churn(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);

	check_has(p->model, p->model->p_churn != NULL, "P(churn)");
	PG_RETURN_FLOAT8(p->model->p_churn(p, get_period(fcinfo, 1)));
}

/* retention_rate(model, period) */
Datum
clv_retention(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);

	check_has(p->model, p->model->retention != NULL, "retention rate");
	PG_RETURN_FLOAT8(p->model->retention(p, get_period(fcinfo, 1)));
}

/* expected_lifetime(model, discount) */
Datum
clv_expected_lifetime(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);

	check_has(p->model, p->model->expected_lifetime != NULL, "expected lifetime");
	PG_RETURN_FLOAT8(p->model->expected_lifetime(p, get_discount(fcinfo, 1)));
}

/* residual_lifetime(model, discount, period) */
Datum
clv_residual_lifetime(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	double		discount = get_discount(fcinfo, 1);

	check_has(p->model, p->model->residual_lifetime != NULL, "residual lifetime");
	PG_RETURN_FLOAT8(p->model->residual_lifetime(p, discount, get_period(fcinfo, 2)));
}
