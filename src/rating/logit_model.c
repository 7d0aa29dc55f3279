/*
 * logit_model.c
 *	  The jsonb of a logit_model: writing it, checking it, predicting with it;
 *	  and the scale of points.
 *
 * Keys of version 1 (see also the comment on the domain):
 *
 *	  version			1
 *	  intercept			of ln odds bad:good; null when the fit found no maximum
 *	  coefficients		an array, one a feature; null likewise
 *	  status			'ok', 'separated', 'no_maximum' or 'given'
 *	  converged			did the fit end at a maximum?
 *	  iterations		Newton steps
 *	  log_likelihood	at the coefficients, without the penalty, or null
 *	  penalty			of the squared standardised coefficients, 0 for none
 *	  rows, bad			sum of the weights, and of those of bad outcomes
 *	  distinct_rows		different combinations of features
 *	  skipped			rows with a NULL
 *	  covariance		matrix, the intercept first, then the coefficients; or null
 *
 * Only version, intercept and coefficients have to be there; other keys are
 * the user's.
 *
 * The model is of ln odds bad:good.  Points go the other way, more for better
 * customers:
 *
 *		points = offset + factor ln(odds good:bad)
 *		factor = pdo / ln 2,  offset = score0 - factor ln(odds0)
 *
 * with pdo the points that double the odds and score0 the points at odds0
 * (Siddiqi, Credit Risk Scorecards, 2006, chapter 6).
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "numerics/logistic.h"
#include "rating/logit_model.h"
#include "rating/rating_args.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(logit_model_is_valid);
PG_FUNCTION_INFO_V1(logit_model_create);
PG_FUNCTION_INFO_V1(logit_model_probability);
PG_FUNCTION_INFO_V1(logit_model_log_odds);
PG_FUNCTION_INFO_V1(scorecard_scale);
PG_FUNCTION_INFO_V1(scorecard_points);
PG_FUNCTION_INFO_V1(scorecard_bin_points);

static const char *const status_name[] = {
	[LOGIT_GIVEN] = "given",
	[LOGIT_OK] = "ok",
	[LOGIT_SEPARATED] = "separated",
	[LOGIT_NO_MAXIMUM] = "no_maximum",
};

/* ---------- Writing ---------- */

/* JSON has no infinity and no NaN: null says that there is no such number. */
static void
append_number(StringInfo buf, double value)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(value))
	{
		appendStringInfoString(buf, "null");
		return;
	}
	double_to_shortest_decimal_buf(value, text);
	appendStringInfoString(buf, text);
}

static void
append_member(StringInfo buf, const char *key, double value)
{
	appendStringInfo(buf, ", \"%s\": ", key);
	append_number(buf, value);
}

static void
append_numbers(StringInfo buf, const double *values, int count)
{
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		append_number(buf, values[i]);
	}
	appendStringInfoChar(buf, ']');
}

static void
append_covariance(StringInfo buf, const double *covariance, int n)
{
	appendStringInfoString(buf, ", \"covariance\": ");
	if (covariance == NULL)
	{
		appendStringInfoString(buf, "null");
		return;
	}
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(buf, i == 0 ? "[" : ", ");
		append_numbers(buf, covariance + i * n, n);
	}
	appendStringInfoChar(buf, ']');
}

Jsonb *
logit_model_to_jsonb(const LogitModel *model, const LogitFitInfo *info)
{
	StringInfoData buf;
	Jsonb	   *json;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"version\": %d, \"status\": \"%s\"", LOGIT_VERSION,
					 status_name[model->status]);
	append_member(&buf, "intercept", model->has_coefficients ? model->intercept : NAN);
	appendStringInfoString(&buf, ", \"coefficients\": ");
	if (model->has_coefficients)
		append_numbers(&buf, model->coefficient, model->features);
	else
		appendStringInfoString(&buf, "null");
	if (info != NULL)
	{
		appendStringInfo(&buf, ", \"converged\": %s, \"iterations\": %d",
						 model->status == LOGIT_OK ? "true" : "false", info->iterations);
		append_member(&buf, "log_likelihood", info->log_likelihood);
		append_member(&buf, "penalty", info->penalty);
		append_member(&buf, "rows", info->rows);
		append_member(&buf, "bad", info->bad);
		append_member(&buf, "distinct_rows", info->distinct_rows);
		append_member(&buf, "skipped", info->skipped);
		append_covariance(&buf, info->covariance, model->features + 1);
	}
	appendStringInfoChar(&buf, '}');
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
	pfree(buf.data);
	return json;
}

/* ---------- Reading ---------- */

/* The nearest double: 0 or infinite where there is none, never an error. */
static double
read_numeric(const JsonbValue *value)
{
	char	   *text = DatumGetCString(
		DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	double		number = strtod(text, NULL);

	pfree(text);
	return number;
}

/* A member of an object; false when there is none or it is null. */
static bool
get_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	JsonbValue *found = getKeyJsonValueFromContainer(object, key, strlen(key), NULL);

	if (found == NULL)
		return false;
	*value = *found;
	pfree(found);
	return value->type != jbvNull;
}

/* Read an array of exactly (or, with 0, at most LOGIT_FEATURES_MAX) finite numbers. */
static bool
read_numbers(const JsonbValue *value, int wanted, double *numbers, int *count)
{
	JsonbContainer *array;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		return false;
	array = value->val.binary.data;
	*count = (int) Min(JsonContainerSize(array), (uint32) LOGIT_FEATURES_MAX + 2);
	if (wanted > 0 ? *count != wanted : *count < 1 || *count > LOGIT_FEATURES_MAX)
		return false;
	for (int i = 0; i < *count; i++)
	{
		JsonbValue *cell = getIthJsonbValueFromContainer(array, i);

		if (cell == NULL || cell->type != jbvNumeric)
			return false;
		numbers[i] = read_numeric(cell);
		if (!isfinite(numbers[i]))
			return false;
	}
	return true;
}

static bool
is_covariance(const JsonbValue *value, int n)
{
	double		row[LOGIT_FEATURES_MAX + 1];
	int			count;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data) ||
		JsonContainerSize(value->val.binary.data) != (uint32) n)
		return false;
	for (int i = 0; i < n; i++)
	{
		JsonbValue *cell = getIthJsonbValueFromContainer(value->val.binary.data, i);

		if (cell == NULL || !read_numbers(cell, n, row, &count))
			return false;
	}
	return true;
}

static const char *
read_status(JsonbContainer *root, LogitModel *model)
{
	JsonbValue	value;

	model->status = LOGIT_GIVEN;
	if (!get_member(root, "status", &value))
		return NULL;
	for (int i = 0; value.type == jbvString && i < (int) lengthof(status_name); i++)
	{
		if (value.val.string.len == (int) strlen(status_name[i]) &&
			memcmp(value.val.string.val, status_name[i], value.val.string.len) == 0)
		{
			model->status = (LogitStatus) i;
			return NULL;
		}
	}
	return "Its \"status\" is none of the known ones.";
}

/* Read a model.  Returns NULL, or what is wrong with it in a sentence. */
static const char *
logit_model_from_jsonb(Jsonb *json, LogitModel *model)
{
	JsonbContainer *root = &json->root;
	JsonbValue	value;
	const char *problem;

	memset(model, 0, offsetof(LogitModel, coefficient));
	if (!JsonContainerIsObject(root))
		return "It must be a JSON object.";
	if (!get_member(root, "version", &value) || value.type != jbvNumeric ||
		read_numeric(&value) != LOGIT_VERSION)
		return "Its \"version\" must be 1.";
	problem = read_status(root, model);
	if (problem != NULL)
		return problem;

	model->has_coefficients = get_member(root, "coefficients", &value);
	if (model->has_coefficients)
	{
		if (!read_numbers(&value, 0, model->coefficient, &model->features))
			return "Its \"coefficients\" must be an array of 1 to 200 numbers, or null.";
		if (!get_member(root, "intercept", &value) || value.type != jbvNumeric ||
			!isfinite(model->intercept = read_numeric(&value)))
			return "Its \"intercept\" must be a number.";
		if (get_member(root, "covariance", &value) && !is_covariance(&value, model->features + 1))
			return "Its \"covariance\" must be a square matrix of numbers, the intercept first, "
				   "or null.";
	}
	else if (model->status == LOGIT_OK || model->status == LOGIT_GIVEN)
		return "Its \"coefficients\" must be an array of 1 to 200 numbers.";
	return NULL;
}

/* The CHECK of the domain: looks at the one value it is given and nothing else. */
Datum
logit_model_is_valid(PG_FUNCTION_ARGS)
{
	LogitModel	model;

	PG_RETURN_BOOL(logit_model_from_jsonb(PG_GETARG_JSONB_P(0), &model) == NULL);
}

/* Features or coefficients: one dimension, finite, not too many.  A NULL is the caller's. */
static void
check_numbers(const Float8Array *array, const char *what)
{
	if (array->ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%ss must be an array of one dimension, not %d", what,
							   array->ndim)));
	for (int i = 0; i < array->count && !array->has_null; i++)
		if (!isfinite(array->values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s %d must not be %s", what, i + 1,
								   number_text(array->values[i]))));
}

/* logit_model(intercept float8, coefficients float8[]) -> logit_model */
Datum
logit_model_create(PG_FUNCTION_ARGS)
{
	LogitModel	model;
	Float8Array coefficients;

	memset(&model, 0, offsetof(LogitModel, coefficient));
	model.intercept = PG_GETARG_FLOAT8(0);
	float8_array_view(&coefficients, PG_GETARG_DATUM(1));
	check_numbers(&coefficients, "coefficient");
	if (!isfinite(model.intercept))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the intercept must not be %s", number_text(model.intercept))));
	if (coefficients.has_null)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("coefficients must not contain NULL")));
	if (coefficients.count < 1 || coefficients.count > LOGIT_FEATURES_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a model must have 1 to %d coefficients, not %d",
							   LOGIT_FEATURES_MAX, coefficients.count)));
	model.has_coefficients = true;
	model.features = coefficients.count;
	memcpy(model.coefficient, coefficients.values, coefficients.count * sizeof(double));
	PG_RETURN_JSONB_P(logit_model_to_jsonb(&model, NULL));
}

/* ---------- Once a query ---------- */

typedef struct KeptModel
{
	Size		size;
	struct varlena *bytes;		/* as it came: packed, or not */
	LogitModel	model;
} KeptModel;

/*
 * The model in argument 0, ready to predict with.  It is kept with the bytes
 * it was read from, and the same bytes mean the same model.  One that is
 * stored out of line is fetched first: the place where it was found could be
 * another's by now.
 */
static const LogitModel *
get_model(FunctionCallInfo fcinfo)
{
	struct varlena *bytes = (struct varlena *) PG_GETARG_POINTER(0);
	struct varlena *fetched = NULL;
	KeptModel  *kept = fcinfo->flinfo->fn_extra;
	Size		size;

	if (kept == NULL)
		fcinfo->flinfo->fn_extra = kept =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KeptModel));
	if (VARATT_IS_EXTERNAL(bytes))
		bytes = fetched = (struct varlena *) PG_GETARG_JSONB_P(0);
	size = VARSIZE_ANY(bytes);

	if (kept->bytes == NULL || kept->size != size || memcmp(kept->bytes, bytes, size) != 0)
	{
		Jsonb	   *json = DatumGetJsonbP(PointerGetDatum(bytes));
		const char *problem;
		struct varlena *copy;

		if (kept->bytes != NULL)
			pfree(kept->bytes);
		kept->bytes = NULL;
		problem = logit_model_from_jsonb(json, &kept->model);
		if (problem != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("malformed logit_model"), errdetail("%s", problem)));
		copy = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, size);
		memcpy(copy, bytes, size);
		kept->bytes = copy;
		kept->size = size;
	}
	if (fetched != NULL)
		pfree(fetched);
	if (!kept->model.has_coefficients)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the logit_model has no coefficients"),
						errdetail("Its fit found no maximum: its status is \"%s\".",
								  status_name[kept->model.status]),
						errhint("Fit it with a penalty: logit_fit(bad, features, 1, 1).")));
	return &kept->model;
}

/* ln odds bad:good of the features in argument 1; false when one of them is NULL. */
static bool
get_log_odds_bad(FunctionCallInfo fcinfo, double *log_odds)
{
	const LogitModel *model = get_model(fcinfo);
	Float8Array features;

	float8_array_view(&features, PG_GETARG_DATUM(1));
	check_numbers(&features, "feature");
	if (features.count != model->features)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("there must be one feature for each coefficient"),
						errdetail("There are %d features and %d coefficients.", features.count,
								  model->features)));
	if (features.has_null)
		return false;
	*log_odds = model->intercept;
	for (int i = 0; i < model->features; i++)
		*log_odds += model->coefficient[i] * features.values[i];
	if (!isfinite(*log_odds))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("the features are too large for the model")));
	return true;
}

/* logit_probability(model logit_model, features float8[]) -> float8 */
Datum
logit_model_probability(PG_FUNCTION_ARGS)
{
	double		log_odds;

	if (!get_log_odds_bad(fcinfo, &log_odds))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(logistic_probability(log_odds));
}

/* logit_log_odds(model logit_model, features float8[]) -> float8 */
Datum
logit_model_log_odds(PG_FUNCTION_ARGS)
{
	double		log_odds;

	if (!get_log_odds_bad(fcinfo, &log_odds))
		PG_RETURN_NULL();
	/* 0 - x and not -x: no -0 */
	PG_RETURN_FLOAT8(0 - log_odds);
}

/* ---------- Points ---------- */

typedef struct Scale
{
	double		factor;
	double		offset;
} Scale;

/* The scale in three arguments: score0, odds0, pdo. */
static Scale
get_scale(FunctionCallInfo fcinfo, int argument)
{
	double		score0 = PG_GETARG_FLOAT8(argument);
	double		odds0 = PG_GETARG_FLOAT8(argument + 1);
	double		pdo = PG_GETARG_FLOAT8(argument + 2);
	Scale		scale;

	if (!isfinite(score0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("score0 must not be %s", number_text(score0))));
	if (!(odds0 > 0) || isinf(odds0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("odds0 must not be %s", number_text(odds0)),
						errdetail("It is the odds good:bad at score0, a number above 0."),
						errhint("Use 50 for 50 good ones to a bad one.")));
	if (!(pdo > 0) || isinf(pdo))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("pdo must not be %s", number_text(pdo)),
						errdetail("It is the points that double the odds, a number above 0."),
						errhint("Use 20, for example.")));
	scale.factor = pdo / log(2);
	scale.offset = score0 - scale.factor * log(odds0);
	return scale;
}

/* scorecard_scale(score0 float8, odds0 float8, pdo float8) -> (factor, "offset") */
Datum
scorecard_scale(PG_FUNCTION_ARGS)
{
	Scale		scale = get_scale(fcinfo, 0);
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("function returning record called in context that cannot accept "
							   "type record")));
	values[0] = Float8GetDatum(scale.factor);
	values[1] = Float8GetDatum(scale.offset);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* points(log_odds float8, score0 float8, odds0 float8, pdo float8) -> float8 */
Datum
scorecard_points(PG_FUNCTION_ARGS)
{
	double		log_odds = PG_GETARG_FLOAT8(0);
	Scale		scale = get_scale(fcinfo, 1);

	if (isnan(log_odds))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("log odds must not be NaN")));
	PG_RETURN_FLOAT8(scale.offset + scale.factor * log_odds);
}

/*
 * bin_points(model logit_model, feature int, woe float8, score0, odds0, pdo):
 * the part of one feature of n in the points,
 *
 *		-(beta woe + intercept / n) factor + offset / n
 */
Datum
scorecard_bin_points(PG_FUNCTION_ARGS)
{
	const LogitModel *model = get_model(fcinfo);
	int32		feature = PG_GETARG_INT32(1);
	double		woe = PG_GETARG_FLOAT8(2);
	Scale		scale = get_scale(fcinfo, 3);
	int			n = model->features;

	if (feature < 1 || feature > n)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there is no feature %d", feature),
						errdetail("The model has %d features, counted from 1.", n)));
	if (!isfinite(woe))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a weight of evidence must not be %s", number_text(woe))));
	PG_RETURN_FLOAT8(scale.offset / n -
					 (model->coefficient[feature - 1] * woe + model->intercept / n) * scale.factor);
}
