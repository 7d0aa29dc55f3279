/*
 * clv_params.c
 *	  What a clv_model says about itself: its parameters with their standard
 *	  errors and intervals, its likelihood and the criteria made from it.
 *
 * The fit works with the ln of the parameters, and the covariance of these is
 * what a model carries.  With se the standard error of ln theta:
 *
 *	  standard error of theta		theta se				(delta method)
 *	  interval of theta				exp(ln theta -+ z se)
 *
 * The interval is on the log scale, where the likelihood is closer to a
 * parabola: at 1,000 customers it covers the truth as often as it says, and
 * the one on the natural scale does not.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "clv/fitted.h"
#include "clv/normal.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(clv_model_create);
PG_FUNCTION_INFO_V1(clv_param);
PG_FUNCTION_INFO_V1(clv_param_names);
PG_FUNCTION_INFO_V1(clv_std_error);
PG_FUNCTION_INFO_V1(clv_param_interval);
PG_FUNCTION_INFO_V1(clv_aic);
PG_FUNCTION_INFO_V1(clv_bic);
PG_FUNCTION_INFO_V1(clv_log_likelihood_fitted);
PG_FUNCTION_INFO_V1(clv_log_likelihood_row);
PG_FUNCTION_INFO_V1(clv_log_likelihood_timed_row);
PG_FUNCTION_INFO_V1(clv_log_likelihood_spend);

/* "r, alpha, a, b" */
static const char *
list_param_names(const ClvModel *kind)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < kind->n_params; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", kind->param[i].name);
	return buf.data;
}

/* clv_model(model text, params float8[]) -> clv_model */
Datum
clv_model_create(PG_FUNCTION_ARGS)
{
	int			k;
	const ClvModel *kind = find_kind(text_to_cstring(PG_GETARG_TEXT_PP(0)), &k);
	Float8Array array;
	FittedModel model;
	double		theta[CLV_MAX_PARAMS];
	int			wanted = kind->n_params - (k > 0 ? 1 : 0);

	float8_array_view(&array, PG_GETARG_DATUM(1));
	if (array.has_null)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("a parameter must not be NULL")));
	if (array.ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("parameters must be an array of one dimension, not %d",
							   array.ndim)));
	if (array.count != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s has %d parameters, not %d", kind->name, wanted, array.count),
				 errhint("Give them in this order: %s%s.", list_param_names(kind),
						 k > 0 ? " (k is in the name, leave it out)" : "")));
	if (k > 0)
		make_theta(kind, array.values, k, theta);
	else
		memcpy(theta, array.values, wanted * sizeof(double));

	fitted_init(&model, kind);
	for (int i = 0; i < kind->n_params; i++)
	{
		bool		count = kind->param[i].kind == CLV_COUNT;

		if (count ? !(theta[i] >= 1 && theta[i] <= CLV_MAX_K && theta[i] == floor(theta[i]))
			: !(theta[i] >= CLV_PARAM_MIN && theta[i] <= CLV_PARAM_MAX))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("parameter %s must not be %s", kind->param[i].name,
								   double_text(theta[i])),
							errdetail("%s", clv_status_text(count ? CLV_PARAM_NOT_K
															: CLV_PARAM_NOT_POSITIVE))));
	}
	if (clv_prepare(kind, theta, &model.prepared) != CLV_OK)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("parameters out of range")));
	model.has_params = true;
	PG_RETURN_JSONB_P(fitted_to_jsonb(&model));
}

/* The number of a parameter of a model, by its name. */
static int
get_param_number(FunctionCallInfo fcinfo, const FittedModel *model, int argument)
{
	text	   *name = PG_GETARG_TEXT_PP(argument);

	for (int i = 0; i < model->kind->n_params; i++)
	{
		const char *param = model->kind->param[i].name;

		if (strlen(param) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(param, VARDATA_ANY(name), strlen(param)) == 0)
			return i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s has no parameter \"%s\"", model->kind->name,
						   text_to_cstring(name)),
					errhint("Its parameters are %s.", list_param_names(model->kind))));
	return -1;					/* not reached */
}

/* param(model, name) -> float8 */
Datum
clv_param(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);
	int			i = get_param_number(fcinfo, model, 1);

	if (!model->has_params)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->prepared.theta[i]);
}

/* param_names(model) -> text[] */
Datum
clv_param_names(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);
	Datum		name[CLV_MAX_PARAMS];

	for (int i = 0; i < model->kind->n_params; i++)
		name[i] = CStringGetTextDatum(model->kind->param[i].name);
	PG_RETURN_ARRAYTYPE_P(
		construct_array(name, model->kind->n_params, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The standard error of ln theta; false where there is none. */
static bool
get_log_error(const FittedModel *model, int i, double *error)
{
	if (!model->has_params || !model->has_covariance ||
		model->kind->param[i].kind == CLV_COUNT || !(model->covariance[i][i] > 0))
		return false;
	*error = sqrt(model->covariance[i][i]);
	return true;
}

/* std_error(model, name) -> float8 */
Datum
clv_std_error(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);
	int			i = get_param_number(fcinfo, model, 1);
	double		error;

	if (!get_log_error(model, i, &error))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->prepared.theta[i] * error);
}

/* param_interval(model, name, level) -> (lower, upper) */
Datum
clv_param_interval(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);
	int			i = get_param_number(fcinfo, model, 1);
	double		level = PG_GETARG_FLOAT8(2);
	double		z;
	double		error;
	TupleDesc	columns;
	Datum		values[2] = {0, 0};
	bool		nulls[2] = {true, true};

	check_level(level);
	z = normal_quantile_two_sided(level);
	if (get_log_error(model, i, &error))
	{
		values[0] = Float8GetDatum(model->prepared.theta[i] * exp(-z * error));
		values[1] = Float8GetDatum(model->prepared.theta[i] * exp(z * error));
		nulls[0] = nulls[1] = false;
	}
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/* Does a model have a likelihood that criteria can be made from? */
static bool
has_criteria(const FittedModel *model)
{
	return isfinite(model->log_likelihood) && model->penalty == 0 && model->customers > 0;
}

/* aic(model) = 2 p - 2 ln L */
Datum
clv_aic(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);

	if (!has_criteria(model))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(2 * (double) model->estimated - 2 * model->log_likelihood);
}

/* bic(model) = p ln n - 2 ln L, n customers */
Datum
clv_bic(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);

	if (!has_criteria(model))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->estimated * log(model->customers) - 2 * model->log_likelihood);
}

/* log_likelihood(model) -> float8: of the rows it was fitted to */
Datum
clv_log_likelihood_fitted(PG_FUNCTION_ARGS)
{
	const FittedModel *model = fitted_get(fcinfo, 0, 0);

	if (isnan(model->log_likelihood))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->log_likelihood);
}

/* Ensure that a model is one of rows of this form. */
static void
check_form(const ClvModel *kind, bool fits, const char *form)
{
	if (!fits)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s has no likelihood of %s", kind->name, form)));
}

/* log_likelihood(model, frequency, recency, age) -> float8 */
Datum
clv_log_likelihood_row(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row = {0};

	check_form(p->model, p->model->data == CLV_DATA_PURCHASES,
			   p->model->data == CLV_DATA_TIMED_PURCHASES
			   ? "(frequency, recency, age) without litt" : "(frequency, recency, age)");
	row.x = PG_GETARG_FLOAT8(1);
	row.t_x = PG_GETARG_FLOAT8(2);
	row.T = PG_GETARG_FLOAT8(3);
	check_clv_row(p->model, &row);
	PG_RETURN_FLOAT8(clv_log_likelihood(p, &row, NULL));
}

/* log_likelihood(model, frequency, recency, age, litt) -> float8 */
Datum
clv_log_likelihood_timed_row(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row = {0};

	check_form(p->model,
			   p->model->data == CLV_DATA_PURCHASES || p->model->data == CLV_DATA_TIMED_PURCHASES,
			   "(frequency, recency, age, litt)");
	row.x = PG_GETARG_FLOAT8(1);
	row.t_x = PG_GETARG_FLOAT8(2);
	row.T = PG_GETARG_FLOAT8(3);
	row.litt = PG_GETARG_FLOAT8(4);
	check_clv_row(p->model, &row);
	PG_RETURN_FLOAT8(clv_log_likelihood(p, &row, NULL));
}

/* log_likelihood(model, frequency, monetary) -> float8 */
Datum
clv_log_likelihood_spend(PG_FUNCTION_ARGS)
{
	const ClvParams *p = fitted_get_params(fcinfo, 0, 0);
	ClvRow		row = {0};

	check_form(p->model, p->model->data == CLV_DATA_SPEND, "(frequency, monetary)");
	row.x = PG_GETARG_FLOAT8(1);
	row.zbar = PG_GETARG_FLOAT8(2);
	check_clv_row(p->model, &row);
	PG_RETURN_FLOAT8(clv_log_likelihood(p, &row, NULL));
}
