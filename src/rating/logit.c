/*
 * logit.c
 *	  logit_fit(bad, features [, weight [, penalty]]): logistic regression as
 *	  an aggregate.
 *
 * Rows are checked and collapsed to the distinct ones as they arrive; the
 * final function sorts these and fits them (numerics/logistic.c).
 */
#include "postgres.h"

#include "compat.h"

#include <float.h>
#include <math.h>

#include "aggregate.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/memutils.h"

#include "numerics/logistic.h"
#include "rating/logit_model.h"
#include "rating/logit_rows.h"
#include "rating/rating_args.h"
#include "state/partial_state.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(logit_accum);
PG_FUNCTION_INFO_V1(logit_combine);
PG_FUNCTION_INFO_V1(logit_final);

typedef struct LogitState
{
	double		penalty;
	int64		skipped;
	LogitRows	rows;
} LogitState;

static LogitState *
state_create(MemoryContext context, double penalty)
{
	LogitState *state = MemoryContextAllocZero(context, sizeof(LogitState));

	state->penalty = penalty;
	logit_rows_init(&state->rows, context);
	return state;
}

/* ---------- Rows ---------- */

static double
get_penalty(FunctionCallInfo fcinfo, int argument)
{
	double		penalty;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("penalty must not be NULL"), errhint("Use 0 for none.")));
	penalty = PG_GETARG_FLOAT8(argument);
	if (!(penalty >= 0) || isinf(penalty))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("penalty must not be %s", number_text(penalty)),
						errhint("Use 0 for none, 1 for a mild one.")));
	return penalty;
}

static void
check_same_penalty(double one, double other)
{
	if (one != other)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("penalty must be the same in all rows of a fit"),
						errdetail("It is %s in one row and %s in another.",
								  number_text(Min(one, other)), number_text(Max(one, other))),
						errhint("Use GROUP BY to make several fits in one query.")));
}

static double
get_weight(FunctionCallInfo fcinfo, int argument)
{
	double		weight = PG_GETARG_FLOAT8(argument);

	if (!(weight >= 0) || isinf(weight))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("weight must not be %s", number_text(weight)),
						errdetail("A weight says how many customers a row stands for: it must be "
								  "finite and at least 0.")));
	return weight;
}

/* All rows of a fit have the same number of features. */
static void
check_same_features(int one, int other)
{
	if (one != other)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("all rows of a fit must have the same number of features"),
						errdetail("One row has %d features and another has %d.", Min(one, other),
								  Max(one, other))));
}

static void
check_features(LogitRows *rows, const Float8Array *features)
{
	if (features->ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("features must be an array of one dimension, not %d",
							   features->ndim)));
	if (features->count < 1 || features->count > LOGIT_FEATURES_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a fit takes 1 to %d features, not %d", LOGIT_FEATURES_MAX,
							   features->count)));
	if (rows->features == 0)
		rows->features = features->count;
	check_same_features(rows->features, features->count);
}

/* ---------- Partial states ---------- */

static void
logit_serialize(StringInfo buf, const void *state)
{
	const LogitState *logit = state;

	pq_sendfloat8(buf, logit->penalty);
	pq_sendint64(buf, logit->skipped);
	logit_rows_send(buf, &logit->rows);
}

static void *
logit_deserialize(StringInfo buf)
{
	LogitState *logit = state_create(CurrentMemoryContext, pq_getmsgfloat8(buf));

	if (!(logit->penalty >= 0 && logit->penalty <= DBL_MAX))
		report_bad_partial_state("Its penalty is out of range.");
	logit->skipped = partial_state_get_count(buf);
	logit_rows_receive(&logit->rows, buf);
	return logit;
}

static void
logit_add(void *state, const void *other)
{
	LogitState *logit = state;
	const LogitState *more = other;

	check_same_penalty(logit->penalty, more->penalty);
	if (logit->rows.features == 0)
		logit->rows.features = more->rows.features;
	else if (more->rows.features > 0)
		check_same_features(logit->rows.features, more->rows.features);
	partial_state_add_count(&logit->skipped, more->skipped);
	logit_rows_merge(&logit->rows, &more->rows);
}

static const PartialStateKind logit_kind = {PARTIAL_STATE_LOGIT, logit_serialize, logit_deserialize, logit_add};

/* logit_fit(bad boolean, features float8[] [, weight float8 [, penalty float8]]) */
Datum
logit_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &logit_kind);
	LogitState *state;
	int			arguments = PG_NARGS();
	double		penalty = arguments > 4 ? get_penalty(fcinfo, 4) : 0;
	double		weight = 1;
	Float8Array features;
	double		row[LOGIT_FEATURES_MAX];

	if (partial == NULL)
	{
		partial = partial_state_create(fcinfo, &logit_kind);
		partial->state = state_create(partial->header.eoh_context, penalty);
	}
	state = partial->state;
	check_same_penalty(state->penalty, penalty);

	if (PG_ARGISNULL(2))
	{
		state->skipped++;
		PG_RETURN_PARTIAL_STATE(partial);
	}
	float8_array_view(&features, PG_GETARG_DATUM(2));
	check_features(&state->rows, &features);
	if (PG_ARGISNULL(1) || (arguments > 3 && PG_ARGISNULL(3)) || features.has_null)
	{
		state->skipped++;
		PG_RETURN_PARTIAL_STATE(partial);
	}
	for (int i = 0; i < features.count; i++)
	{
		if (!isfinite(features.values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("feature %d must not be %s", i + 1,
								   number_text(features.values[i])),
							errhint("Leave such rows out, or use the weight of evidence of a "
									"bin instead of the value.")));
		/* -0 becomes +0: equal values have equal bits */
		row[i] = features.values[i] + 0.0;
	}
	if (arguments > 3)
		weight = get_weight(fcinfo, 3);
	if (weight > 0)
		logit_rows_add(&state->rows, row, PG_GETARG_BOOL(1), weight);
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
logit_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &logit_kind);
}

/* ---------- The end ---------- */

static void
report_nothing(void)
{
	ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
					errmsg("there is nothing to fit a model to"),
					errdetail("No row has values that are not NULL and a weight above 0."),
					errhint("Leave out empty groups with HAVING or WHERE.")));
}

/* What ends a fit: an error where the input has to change, a notice where the model says it. */
static void
report_status(LogisticStatus status, const LogitRowSet *set, int feature)
{
	switch (status)
	{
		case LOGISTIC_OK:
			break;
		case LOGISTIC_ONE_OUTCOME:
			ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
							errmsg("there is nothing to tell apart"),
							errdetail("All rows have the %s outcome.",
									  set->total_bad > 0 ? "bad" : "good")));
			break;
		case LOGISTIC_CONSTANT:
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("feature %d is the same in all rows", feature + 1),
							errhint("Leave it out, or fit with a penalty.")));
			break;
		case LOGISTIC_COLLINEAR:
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("feature %d is a combination of the features before it",
								   feature + 1),
							errdetail("No data can tell their coefficients apart."),
							errhint("Leave it out, or fit with a penalty.")));
			break;
		case LOGISTIC_SEPARATED:
			ereport(NOTICE,
					(errmsg("the features tell good and bad apart, so that there is no maximum of "
							"the likelihood"),
					 errdetail("The coefficients would grow without bound; the model has none, and "
							   "its status is \"separated\"."),
					 errhint("Look for a feature that knows the outcome, merge bins with one "
							 "outcome only, or fit with a penalty: logit_fit(bad, features, 1, 1).")));
			break;
		case LOGISTIC_NO_MAXIMUM:
			ereport(NOTICE,
					(errmsg("the fit found no maximum of the likelihood"),
					 errdetail("The model has no coefficients, and its status is \"no_maximum\"."),
					 errhint("Bring the features to a common size, or fit with a larger penalty.")));
			break;
	}
}

/*
 * The final function works in a memory context of its own: what it sorts is
 * gone when it returns, and the state is as it was.
 */
Datum
logit_final(PG_FUNCTION_ARGS)
{
	const LogitState *state = partial_state_read(fcinfo, &logit_kind);
	MemoryContext work;
	MemoryContext old;
	LogitRowSet set;
	LogisticData data;
	LogisticFit fit;
	LogisticStatus status;
	double	   *workspace;
	LogitModel	model = {0};
	LogitFitInfo info = {0};
	Jsonb	   *json;
	int			n;

	if (state == NULL || state->rows.used == 0)
		report_nothing();
	work = AllocSetContextCreate(CurrentMemoryContext, "logit fit", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	logit_rows_sorted(&state->rows, &set);
	n = state->rows.features + 1;

	data.rows = set.n;
	data.features = state->rows.features;
	data.x = set.x;
	data.bad = set.bad;
	data.good = set.good;
	data.penalty = state->penalty;
	data.interrupt = check_interrupts;
	fit.coefficient = palloc(n * sizeof(double));
	fit.covariance = palloc((Size) n * n * sizeof(double));
	workspace = MemoryContextAllocHuge(
		work, logistic_workspace(data.rows, data.features) * sizeof(double));
	status = logistic_fit(&data, workspace, &fit);
	report_status(status, &set, fit.feature);

	model.status = status == LOGISTIC_OK ? LOGIT_OK
		: status == LOGISTIC_SEPARATED ? LOGIT_SEPARATED
									   : LOGIT_NO_MAXIMUM;
	model.features = data.features;
	model.has_coefficients = status == LOGISTIC_OK;
	if (model.has_coefficients)
	{
		model.intercept = fit.coefficient[0];
		memcpy(model.coefficient, fit.coefficient + 1, data.features * sizeof(double));
		info.covariance = fit.covariance;
	}
	info.rows = set.total_bad + set.total_good;
	info.bad = set.total_bad;
	info.distinct_rows = (double) set.n;
	info.skipped = (double) state->skipped;
	info.iterations = fit.iterations;
	info.penalty = state->penalty;
	info.log_likelihood = fit.log_likelihood;

	MemoryContextSwitchTo(old);
	json = logit_model_to_jsonb(&model, &info);
	MemoryContextDelete(work);
	PG_RETURN_JSONB_P(json);
}
