/*
 * fitted.c
 *	  The jsonb of a clv_model: writing it, checking it, reading it.
 *
 * Keys of version 1 (see also the comment on the domain):
 *
 *	  version			1
 *	  model				'bg/nbd', ...
 *	  params			{"r": 0.2426, ...}; null when there are none to predict with
 *	  covariance		matrix over the ln of the parameters in the papers' order
 *						(a row of zeros for k), or null
 *	  estimated			how many parameters the fit chose (k counts when searched)
 *	  status			'ok', 'boundary', 'no_maximum', 'too_few' or 'given'
 *	  converged			did the optimiser end at a maximum?
 *	  iterations		evaluations of the log-likelihood
 *	  log_likelihood	at the parameters, without the penalty
 *	  penalty			weight of the penalty, 0 for plain maximum likelihood
 *	  days_per_unit		time unit of the rates, 7 = weeks
 *	  data				what it was fitted on: customers, repeaters, purchases,
 *						distinct_rows, skipped, correlation, fingerprint
 *
 * Only version, model and params have to be there; other keys are the user's.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/xact.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "clv/course.h"
#include "clv/fitted.h"

PG_FUNCTION_INFO_V1(clv_model_is_valid);

static const char *const status_name[] = {
	[FITTED_GIVEN] = "given",
	[FITTED_OK] = "ok",
	[FITTED_BOUNDARY] = "boundary",
	[FITTED_NO_MAXIMUM] = "no_maximum",
	[FITTED_TOO_FEW] = "too_few",
};

void
fitted_init(FittedModel *model, const ClvModel *kind)
{
	memset(model, 0, sizeof(FittedModel));
	model->kind = kind;
	model->days_per_unit = FITTED_DAYS_PER_UNIT;
	model->log_likelihood = NAN;
	model->customers = NAN;
	model->repeaters = NAN;
	model->purchases = NAN;
	model->distinct_rows = NAN;
	model->skipped = NAN;
	model->correlation = NAN;
}

/* ---------- Errors that several files raise ---------- */

const char *
double_text(double value)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, text);
	return pstrdup(text);
}

/* Say that a value cannot be. */
void
report_clv_status(ClvStatus status, double value)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s must not be %s", clv_status_field(status), double_text(value)),
					errdetail("%s", clv_status_text(status))));
}

/* Ensure that a model can make sense of a row. */
void
check_clv_row(const ClvModel *kind, const ClvRow *row)
{
	ClvStatus	status = kind->check_row(row);
	const char *field;

	if (likely(status == CLV_OK))
		return;
	field = clv_status_field(status);
	if (strcmp(field, "recency") == 0 || strcmp(field, "monetary") == 0)
		report_clv_status(status, row->t_x);
	if (strcmp(field, "age") == 0 || strcmp(field, "period") == 0)
		report_clv_status(status, row->T);
	if (strcmp(field, "litt") == 0)
		report_clv_status(status, row->litt);
	report_clv_status(status, row->x);
}

/* A number in the name of a model, as in bg/cnbd-2; 0 when it is none. */
static int
parse_k(const char *digits)
{
	int			k = 0;

	if (*digits < '1' || *digits > '9')
		return 0;
	for (; *digits >= '0' && *digits <= '9'; digits++)
		k = Min(k * 10 + (*digits - '0'), CLV_MAX_K + 1);
	return *digits == '\0' && k <= CLV_MAX_K ? k : 0;
}

/* Which of a model's parameters is its k, or -1. */
int
find_k(const ClvModel *kind)
{
	for (int i = 0; i < kind->n_params; i++)
		if (kind->param[i].kind == CLV_COUNT)
			return i;
	return -1;
}

/* All parameters of a model, from its k and the others. */
void
make_theta(const ClvModel *kind, const double *others, double k, double *theta)
{
	for (int i = 0; i < kind->n_params; i++)
		theta[i] = kind->param[i].kind == CLV_COUNT ? k : *others++;
}

/*
 * The model of a name; *k is 0 but for a name with a number for its k, such as
 * bg/cnbd-2.
 */
const ClvModel *
find_kind(const char *name, int *k)
{
	const ClvModel *kind = clv_model_find(name);
	StringInfoData names;
	size_t		length = strlen(name);

	*k = 0;
	if (kind != NULL)
		return kind;
	for (int i = 0; clv_models[i] != NULL; i++)
	{
		size_t		stem = strlen(clv_models[i]->name);

		/* the stem ends with -k */
		if (find_k(clv_models[i]) >= 0 && length >= stem && strncmp(name, clv_models[i]->name, stem - 1) == 0)
		{
			*k = parse_k(name + stem - 1);
			if (*k > 0)
				return clv_models[i];
		}
	}

	initStringInfo(&names);
	for (int i = 0; clv_models[i] != NULL; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", clv_models[i]->name);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("there is no model \"%s\"", name),
					errhint("The models are %s; k may be a number from 1 to %d.", names.data,
							CLV_MAX_K)));
	return NULL;				/* not reached */
}

/* ---------- Writing ---------- */

/* A number that reads back as the same bits; null for one that is not known. */
void
append_double(StringInfo buf, double value)
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
	append_double(buf, value);
}

static void
append_params(StringInfo buf, const FittedModel *model)
{
	if (!model->has_params)
	{
		appendStringInfoString(buf, "null");
		return;
	}
	for (int i = 0; i < model->kind->n_params; i++)
	{
		appendStringInfo(buf, "%s\"%s\": ", i == 0 ? "{" : ", ", model->kind->param[i].name);
		append_double(buf, model->prepared.theta[i]);
	}
	appendStringInfoChar(buf, '}');
}

static void
append_covariance(StringInfo buf, const FittedModel *model)
{
	if (!model->has_covariance)
	{
		appendStringInfoString(buf, "null");
		return;
	}
	for (int i = 0; i < model->kind->n_params; i++)
	{
		for (int j = 0; j < model->kind->n_params; j++)
		{
			appendStringInfoString(buf, j > 0 ? ", " : i > 0 ? "], [" : "[[");
			append_double(buf, model->covariance[i][j]);
		}
	}
	appendStringInfoString(buf, "]]");
}

Jsonb *
fitted_to_jsonb(const FittedModel *model)
{
	StringInfoData buf;
	Jsonb	   *json;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"version\": %d, \"model\": \"%s\", \"params\": ", FITTED_VERSION,
					 model->kind->name);
	append_params(&buf, model);
	appendStringInfo(&buf, ", \"status\": \"%s\"", status_name[model->status]);
	append_member(&buf, "days_per_unit", model->days_per_unit);
	if (model->status != FITTED_GIVEN)
	{
		appendStringInfo(&buf, ", \"estimated\": %d, \"converged\": %s, \"iterations\": %d",
						 model->estimated, model->converged ? "true" : "false",
						 model->iterations);
		append_member(&buf, "log_likelihood", model->log_likelihood);
		append_member(&buf, "penalty", model->penalty);
		appendStringInfoString(&buf, ", \"covariance\": ");
		append_covariance(&buf, model);
		appendStringInfo(&buf, ", \"data\": {\"fingerprint\": \"%016llx\"",
						 (unsigned long long) model->fingerprint);
		append_member(&buf, "customers", model->customers);
		append_member(&buf, "repeaters", model->repeaters);
		append_member(&buf, "purchases", model->purchases);
		append_member(&buf, "distinct_rows", model->distinct_rows);
		append_member(&buf, "skipped", model->skipped);
		if (!isnan(model->correlation))
			append_member(&buf, "correlation", model->correlation);
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoChar(&buf, '}');
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
	pfree(buf.data);
	return json;
}

/* ---------- Reading ---------- */

/* A member of an object, of the type wanted; false when there is none. */
static bool
get_member(JsonbContainer *object, const char *key, enum jbvType type, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value) != NULL &&
		value->type == type;
}

/* The nearest double: 0 or infinite where there is none, never an error. */
static double
numeric_value(const JsonbValue *value)
{
	char	   *text = DatumGetCString(
		DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	double		number = strtod(text, NULL);

	pfree(text);
	return number;
}

static double
get_number(JsonbContainer *object, const char *key, double otherwise)
{
	JsonbValue	value;

	return get_member(object, key, jbvNumeric, &value) ? numeric_value(&value) : otherwise;
}

static bool
get_word(JsonbContainer *object, const char *key, char *word, int size)
{
	JsonbValue	value;

	if (!get_member(object, key, jbvString, &value) || value.val.string.len >= size)
		return false;
	memcpy(word, value.val.string.val, value.val.string.len);
	word[value.val.string.len] = '\0';
	return true;
}

static const char *
read_params(JsonbContainer *root, FittedModel *model)
{
	JsonbValue	value;
	JsonbContainer *params;
	double		theta[CLV_MAX_PARAMS];

	if (get_member(root, "params", jbvNull, &value))
		return NULL;
	if (!get_member(root, "params", jbvBinary, &value) ||
		!JsonContainerIsObject(value.val.binary.data))
		return "Its \"params\" must be an object of numbers, or null.";
	params = value.val.binary.data;
	for (int i = 0; i < model->kind->n_params; i++)
	{
		theta[i] = get_number(params, model->kind->param[i].name, NAN);
		if (isnan(theta[i]))
			return "A parameter of its model is missing in \"params\".";
	}
	if (clv_prepare(model->kind, theta, &model->prepared) != CLV_OK)
		return "A parameter is out of range.";
	model->has_params = true;
	return NULL;
}

static const char *
read_covariance(JsonbContainer *root, FittedModel *model)
{
	static const char *const problem =
		"Its \"covariance\" must be a square matrix of numbers, a row a parameter, or null.";
	int			n = model->kind->n_params;
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(root, "covariance", strlen("covariance"), &value) == NULL ||
		value.type == jbvNull)
		return NULL;
	if (value.type != jbvBinary || !JsonContainerIsArray(value.val.binary.data) ||
		JsonContainerSize(value.val.binary.data) != (uint32) n)
		return problem;
	for (int i = 0; i < n; i++)
	{
		JsonbValue *row = getIthJsonbValueFromContainer(value.val.binary.data, i);

		if (row == NULL || row->type != jbvBinary || !JsonContainerIsArray(row->val.binary.data) ||
			JsonContainerSize(row->val.binary.data) != (uint32) n)
			return problem;
		for (int j = 0; j < n; j++)
		{
			JsonbValue *cell = getIthJsonbValueFromContainer(row->val.binary.data, j);

			if (cell == NULL || cell->type != jbvNumeric)
				return problem;
			model->covariance[i][j] = numeric_value(cell);
			if (!isfinite(model->covariance[i][j]))
				return problem;
		}
	}
	model->has_covariance = true;
	return NULL;
}

static const char *
read_status(JsonbContainer *root, FittedModel *model)
{
	char		word[16];
	JsonbValue	value;

	model->status = FITTED_GIVEN;
	if (getKeyJsonValueFromContainer(root, "status", strlen("status"), &value) == NULL)
		return NULL;
	if (!get_word(root, "status", word, sizeof(word)))
		return "Its \"status\" is none of the known ones.";
	for (int i = 0; i < (int) lengthof(status_name); i++)
	{
		if (strcmp(word, status_name[i]) == 0)
		{
			model->status = (FittedStatus) i;
			return NULL;
		}
	}
	return "Its \"status\" is none of the known ones.";
}

static void
read_data(JsonbContainer *root, FittedModel *model)
{
	JsonbValue	value;
	JsonbContainer *data;
	char		hex[17];

	if (!get_member(root, "data", jbvBinary, &value) ||
		!JsonContainerIsObject(value.val.binary.data))
		return;
	data = value.val.binary.data;
	model->customers = get_number(data, "customers", NAN);
	model->repeaters = get_number(data, "repeaters", NAN);
	model->purchases = get_number(data, "purchases", NAN);
	model->distinct_rows = get_number(data, "distinct_rows", NAN);
	model->skipped = get_number(data, "skipped", NAN);
	model->correlation = get_number(data, "correlation", NAN);
	if (get_word(data, "fingerprint", hex, sizeof(hex)))
		model->fingerprint = strtoull(hex, NULL, 16);
}

/* Read a model.  Returns NULL, or what is wrong with it in a sentence. */
const char *
fitted_from_jsonb(Jsonb *json, FittedModel *model)
{
	JsonbContainer *root = &json->root;
	char		name[32];
	JsonbValue	value;
	const ClvModel *kind;
	const char *problem;

	if (!JsonContainerIsObject(root))
		return "It must be a JSON object.";
	if (get_number(root, "version", 0) != FITTED_VERSION)
		return "Its \"version\" must be 1.";
	if (!get_word(root, "model", name, sizeof(name)) || (kind = clv_model_find(name)) == NULL)
		return "Its \"model\" is none of the known ones.";

	fitted_init(model, kind);
	if ((problem = read_params(root, model)) != NULL ||
		(problem = read_covariance(root, model)) != NULL ||
		(problem = read_status(root, model)) != NULL)
		return problem;
	model->days_per_unit = get_number(root, "days_per_unit", FITTED_DAYS_PER_UNIT);
	if (!(model->days_per_unit > 0) || !isfinite(model->days_per_unit))
		return "Its \"days_per_unit\" must be above 0.";
	model->estimated = (int) get_number(root, "estimated", 0);
	model->iterations = (int) get_number(root, "iterations", 0);
	model->converged = get_member(root, "converged", jbvBool, &value) && value.val.boolean;
	model->penalty = get_number(root, "penalty", 0);
	model->log_likelihood = get_number(root, "log_likelihood", NAN);
	read_data(root, model);
	return NULL;
}

/* The CHECK of the domain: looks at the one value it is given and nothing else. */
Datum
clv_model_is_valid(PG_FUNCTION_ARGS)
{
	FittedModel model;

	PG_RETURN_BOOL(fitted_from_jsonb(PG_GETARG_JSONB_P(0), &model) == NULL);
}

/* ---------- Once a query ---------- */

typedef struct KeptModel
{
	Size		size;
	struct varlena *bytes;		/* as it came: packed, or not */
	FittedModel model;
	ClvParams  *shifted;		/* see fitted_get_shifted(), or NULL */
	CourseCache *courses;		/* see fitted_purchases(), or NULL */

	bool		stored;			/* out of line, here: */
	varatt_external place;
	TimestampTz xact_start;
} KeptModel;

typedef struct KeptModels
{
	KeptModel	kept[2];
} KeptModels;

/*
 * A model is kept with the bytes it was read from, and the same bytes mean
 * the same model.  One that is stored out of line comes as the place where it
 * is stored, which names one value as long as the transaction lasts.
 */
const FittedModel *
fitted_get(FunctionCallInfo fcinfo, int argument, int slot)
{
	struct varlena *bytes = (struct varlena *) PG_GETARG_POINTER(argument);
	struct varlena *fetched = NULL;
	KeptModels *all = fcinfo->flinfo->fn_extra;
	KeptModel  *kept;
	varatt_external place = {0};
	bool		stored = VARATT_IS_EXTERNAL_ONDISK(bytes);
	Size		size;

	if (all == NULL)
		fcinfo->flinfo->fn_extra = all =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KeptModels));
	kept = &all->kept[slot];
	if (stored)
	{
		/* it may stand at any address: copy before comparing */
		memcpy(&place, VARDATA_EXTERNAL(bytes), sizeof(place));
		if (kept->stored && kept->xact_start == GetCurrentTransactionStartTimestamp() &&
			memcmp(&kept->place, &place, sizeof(place)) == 0)
			return &kept->model;
	}
	if (VARATT_IS_EXTERNAL(bytes))
		bytes = fetched = (struct varlena *) PG_GETARG_JSONB_P(argument);
	size = VARSIZE_ANY(bytes);

	if (kept->bytes == NULL || kept->size != size || memcmp(kept->bytes, bytes, size) != 0)
	{
		Jsonb	   *json = DatumGetJsonbP(PointerGetDatum(bytes));
		FittedModel model;
		const char *problem = fitted_from_jsonb(json, &model);
		struct varlena *copy;

		if (problem != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("malformed clv_model"), errdetail("%s", problem)));
		copy = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, size);
		memcpy(copy, bytes, size);
		if (kept->bytes != NULL)
			pfree(kept->bytes);
		if (kept->shifted != NULL)
			pfree(kept->shifted);
		kept->shifted = NULL;
		if (kept->courses != NULL)
			pfree(kept->courses);
		kept->courses = NULL;
		kept->stored = false;
		kept->bytes = copy;
		kept->size = size;
		kept->model = model;
	}
	if (stored)
	{
		kept->stored = true;
		kept->place = place;
		kept->xact_start = GetCurrentTransactionStartTimestamp();
	}
	if (fetched != NULL)
		pfree(fetched);
	return &kept->model;
}

/* The same, and it must have parameters to predict with. */
const ClvParams *
fitted_get_params(FunctionCallInfo fcinfo, int argument, int slot)
{
	const FittedModel *model = fitted_get(fcinfo, argument, slot);

	if (!model->has_params)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the %s model has no parameters", model->kind->name),
						errdetail("Its fit found no maximum: its status is \"%s\".",
								  status_name[model->status]),
						errhint("Fit it to more customers, or with a penalty.")));
	return &model->prepared;
}

const ClvParams *
fitted_get_shifted(FunctionCallInfo fcinfo, int slot)
{
	KeptModel  *kept = &((KeptModels *) fcinfo->flinfo->fn_extra)->kept[slot];
	const ClvModel *kind = kept->model.kind;

	if (kept->shifted == NULL)
	{
		ClvParams  *shifted =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, 2 * kind->n_params * sizeof(ClvParams));

		for (int i = 0; i < 2 * kind->n_params; i++)
		{
			double		theta[CLV_MAX_PARAMS];

			memcpy(theta, kept->model.prepared.theta, sizeof(theta));
			if (kind->param[i / 2].kind != CLV_COUNT)
				theta[i / 2] *= exp(i % 2 == 0 ? FITTED_SHIFT : -FITTED_SHIFT);
			if (clv_prepare(kind, theta, &shifted[i]) != CLV_OK)
				shifted[i] = kept->model.prepared;
		}
		kept->shifted = shifted;
	}
	return kept->shifted;
}

double
fitted_purchases(FunctionCallInfo fcinfo, int slot, double discount, double horizon,
				 const ClvRow *row)
{
	KeptModel  *kept = &((KeptModels *) fcinfo->flinfo->fn_extra)->kept[slot];

	return course_purchases(&kept->courses, fcinfo->flinfo->fn_mcxt, &kept->model.prepared,
							discount, horizon, row);
}
