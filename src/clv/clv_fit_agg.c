/*
 * clv_fit_agg.c
 *	  The aggregates that fit: clv_fit(), clv_fit_pooled(), spend_fit() and
 *	  retention_fit().
 *
 * Rows are checked and collapsed to the distinct ones as they arrive.  All
 * aggregates share one state and one combine function; they differ in how a
 * row is read, and in how the rows make a model in the end.
 */
#include "postgres.h"

#include "compat.h"

#include <float.h>
#include <math.h>

#include "aggregate.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "clv/clv_fit.h"
#include "numerics/exact_sum.h"
#include "state/partial_state.h"

PG_FUNCTION_INFO_V1(clv_fit_accum);
PG_FUNCTION_INFO_V1(clv_fit_pooled_accum);
PG_FUNCTION_INFO_V1(clv_spend_accum);
PG_FUNCTION_INFO_V1(clv_survivors_accum);
PG_FUNCTION_INFO_V1(clv_renewals_accum);
PG_FUNCTION_INFO_V1(clv_fit_combine);
PG_FUNCTION_INFO_V1(clv_fit_final);
PG_FUNCTION_INFO_V1(clv_survivors_final);

/* How far a group's ln theta are taken to lie from the pooled ones. */
#define DEFAULT_SPREAD 0.5

typedef struct FitState
{
	MemoryContext context;
	const ClvModel *kind;
	int			k;				/* from a name like bg/cnbd-2, 0: search */
	double		penalty;
	double		spread;			/* of clv_fit_pooled(), else 0 */
	double		prior[CLV_MAX_PARAMS];
	double		days_per_unit;
	int64		skipped;
	bool		survivors;		/* rows are (period, survivors): T, and weight */
	ExactSum   *litt;			/* of weight * litt, or NULL when there is none */
	RowTable	table;
	struct varlena *name;		/* the bytes of the first argument, as they came; not sent */
} FitState;

static FitState *
state_create(MemoryContext context, const ClvModel *kind)
{
	FitState   *state = MemoryContextAllocZero(context, sizeof(FitState));

	state->context = context;
	state->kind = kind;
	state->days_per_unit = FITTED_DAYS_PER_UNIT;
	row_table_init(&state->table, context);
	return state;
}

/* ---------- What all rows of a group must agree on ---------- */

static void
report_changed(const char *what, const char *first, const char *now)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s must be the same in all rows of a fit", what),
					errdetail("It is %s in one row and %s in another.", first, now),
					errhint("Use GROUP BY to make several fits in one query.")));
}

/* Are these the bytes of the first argument that were seen before? */
static bool
is_same_name(const FitState *state, struct varlena *name)
{
	return state->name != NULL && VARSIZE_ANY(state->name) == VARSIZE_ANY(name) &&
		memcmp(state->name, name, VARSIZE_ANY(name)) == 0;
}

static void
remember_name(FitState *state, struct varlena *name)
{
	if (state->name != NULL)
		pfree(state->name);
	state->name = MemoryContextAlloc(state->context, VARSIZE_ANY(name));
	memcpy(state->name, name, VARSIZE_ANY(name));
}

static struct varlena *
get_first_argument(FunctionCallInfo fcinfo, const char *what)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be NULL", what)));
	return PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));
}

static void
set_option(double *option, double value, bool first, const char *what)
{
	if (!first && *option != value)
		report_changed(what, double_text(*option), double_text(value));
	*option = value;
}

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
						errmsg("penalty must not be %s", double_text(penalty)),
						errhint("Use 0 for none, 1 for a mild one.")));
	return penalty;
}

/* The sum of weight * litt, to be added to. */
static ExactSum *
get_litt(FitState *state)
{
	if (state->litt == NULL)
	{
		state->litt = MemoryContextAlloc(state->context, sizeof(ExactSum));
		exact_sum_init(state->litt);
	}
	return state->litt;
}

/* ---------- Partial states ---------- */

static void
fit_serialize(StringInfo buf, const void *source)
{
	const FitState *state = source;

	/* as it is: names are ASCII, whatever the client's encoding */
	pq_sendbytes(buf, state->kind->name, (int) strlen(state->kind->name) + 1);
	pq_sendint32(buf, state->k);
	pq_sendfloat8(buf, state->penalty);
	pq_sendfloat8(buf, state->spread);
	for (int i = 0; i < CLV_MAX_PARAMS; i++)
		pq_sendfloat8(buf, state->prior[i]);
	pq_sendfloat8(buf, state->days_per_unit);
	pq_sendint64(buf, state->skipped);
	pq_sendbyte(buf, state->survivors);
	pq_sendbyte(buf, state->litt != NULL);
	if (state->litt != NULL)
	{
		ExactSum	sum = *state->litt;

		exact_sum_carry(&sum);
		for (int i = 0; i < EXACT_SUM_DIGITS; i++)
			pq_sendint64(buf, sum.digit[i]);
	}
	row_table_send(buf, &state->table);
}

/* Digits of an exact sum after its carries: 32 bits, the highest with a sign. */
static ExactSum *
receive_litt(StringInfo buf)
{
	ExactSum   *sum = palloc(sizeof(ExactSum));

	exact_sum_init(sum);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
	{
		sum->digit[i] = pq_getmsgint64(buf);
		if (sum->digit[i] > (int64) PG_UINT32_MAX || sum->digit[i] < -(int64) PG_UINT32_MAX ||
			(sum->digit[i] < 0 && i < EXACT_SUM_DIGITS - 1))
			report_bad_partial_state("A digit of its sum is out of range.");
	}
	return sum;
}

/* The parameters of a pooled model are those of a model; without one they are 0. */
static bool
is_prior(const FitState *state)
{
	ClvParams	prepared;
	int			used = state->spread > 0 ? state->kind->n_params : 0;
	int			k = find_k(state->kind);

	for (int i = used; i < CLV_MAX_PARAMS; i++)
		if (state->prior[i] != 0)
			return false;
	if (used == 0)
		return true;
	return clv_prepare(state->kind, state->prior, &prepared) == CLV_OK &&
		(k < 0 || state->prior[k] == state->k);
}

/* A row as retention_fit(period, survivors) makes them. */
static bool
is_survivors_row(const RowEntry *entry)
{
	return (entry->x == 0 || entry->x == 1) && entry->t_x == 0 && entry->T >= 0 &&
		entry->T <= PG_INT32_MAX && entry->T == floor(entry->T);
}

static bool
is_row(const FitState *state, const RowEntry *entry)
{
	ClvRow		row = {0};

	if (state->survivors)
		return is_survivors_row(entry);
	row.x = entry->x;
	row.t_x = entry->t_x;
	row.T = entry->T;
	return state->kind->check_row(&row) == CLV_OK;
}

static void *
fit_deserialize(StringInfo buf)
{
	FitState   *state;
	const ClvModel *kind = clv_model_find(pq_getmsgrawstring(buf));

	if (kind == NULL)
		report_bad_partial_state("Its model is unknown.");
	state = state_create(CurrentMemoryContext, kind);
	state->k = (int32) pq_getmsgint(buf, 4);
	if (state->k < 0 || state->k > (find_k(kind) >= 0 ? CLV_MAX_K : 0))
		report_bad_partial_state("Its k is out of range.");
	state->penalty = pq_getmsgfloat8(buf);
	state->spread = pq_getmsgfloat8(buf);
	for (int i = 0; i < CLV_MAX_PARAMS; i++)
		state->prior[i] = pq_getmsgfloat8(buf);
	state->days_per_unit = pq_getmsgfloat8(buf);
	if (!(state->penalty >= 0 && state->penalty <= DBL_MAX) ||
		!(state->spread >= 0 && state->spread <= DBL_MAX) ||
		!(state->days_per_unit > 0 && state->days_per_unit <= DBL_MAX) || !is_prior(state))
		report_bad_partial_state("One of its options is out of range.");
	state->skipped = partial_state_get_count(buf);
	state->survivors = pq_getmsgbyte(buf) != 0;
	if (state->survivors && kind->data != CLV_DATA_RENEWALS)
		report_bad_partial_state("Its model has no survivors.");
	if (pq_getmsgbyte(buf) != 0)
		state->litt = receive_litt(buf);
	row_table_receive(&state->table, buf);
	for (uint32 i = 0; i < state->table.used; i++)
		if (!is_row(state, &state->table.entry[i]))
			report_bad_partial_state("A row of it is out of range.");
	return state;
}

/* A state that is continued by a function which would read its rows as others. */
static void
report_other_rows(void)
{
	report_other_partial_state("It keeps other rows than this aggregate reads.");
}

static void
fit_add(void *target, const void *other)
{
	FitState   *state = target;
	const FitState *more = other;

	if (state->kind != more->kind || state->k != more->k)
		report_changed("the model", state->kind->name, more->kind->name);
	if (state->survivors != more->survivors)
		report_other_rows();
	if (memcmp(state->prior, more->prior, sizeof(state->prior)) != 0)
		report_changed("the pooled model", "one", "another one");
	set_option(&state->penalty, more->penalty, false, "penalty");
	set_option(&state->spread, more->spread, false, "spread");
	partial_state_add_count(&state->skipped, more->skipped);
	if (more->litt != NULL)
		exact_sum_merge(get_litt(state), more->litt);
	row_table_merge(&state->table, &more->table);
}

static const PartialStateKind fit_kind = {PARTIAL_STATE_FIT, fit_serialize, fit_deserialize, fit_add};

Datum
clv_fit_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &fit_kind);
}

/* The state of an aggregate that begins. */
static PartialState *
partial_create(FunctionCallInfo fcinfo, const ClvModel *kind)
{
	PartialState *partial = partial_state_create(fcinfo, &fit_kind);

	partial->state = state_create(partial->header.eoh_context, kind);
	return partial;
}

/* ---------- Rows ---------- */

/* The weight of a row; 0 says that it does not count. */
static double
check_weight(double weight)
{
	if (!(weight >= 0) || isinf(weight))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("weight must not be %s", double_text(weight)),
						errdetail("A weight says how many customers a row stands for: it must be "
								  "finite and at least 0.")));
	return weight;
}

/* Is one of the arguments from .. to NULL? */
static bool
any_null(FunctionCallInfo fcinfo, int from, int to)
{
	for (int i = from; i <= to; i++)
		if (PG_ARGISNULL(i))
			return true;
	return false;
}

static void
add_litt(FitState *state, double litt, double weight)
{
	double		term = litt * weight;

	if (!isfinite(term))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("litt is too large: %s", double_text(litt))));
	exact_sum_add(get_litt(state), term);
}

/*
 * Add the row in arguments 2 .. 4 (frequency, recency, age), with the weight
 * and litt that come after them when there are so many arguments.
 */
static void
add_purchases(FunctionCallInfo fcinfo, FitState *state, int weight_argument, int litt_argument)
{
	ClvRow		row = {0};
	double		weight = 1;
	bool		timed = state->kind->data == CLV_DATA_TIMED_PURCHASES;

	if (any_null(fcinfo, 2, 4) || (weight_argument > 0 && PG_ARGISNULL(weight_argument)) ||
		(timed && litt_argument > 0 && PG_ARGISNULL(litt_argument)))
	{
		state->skipped++;
		return;
	}
	row.x = PG_GETARG_FLOAT8(2);
	row.t_x = PG_GETARG_FLOAT8(3);
	row.T = PG_GETARG_FLOAT8(4);
	if (weight_argument > 0)
		weight = check_weight(PG_GETARG_FLOAT8(weight_argument));
	if (timed && litt_argument > 0)
		row.litt = PG_GETARG_FLOAT8(litt_argument);
	check_clv_row(state->kind, &row);
	if (weight == 0)
		return;
	if (timed && litt_argument > 0)
		add_litt(state, row.litt, weight);
	row_table_add(&state->table, row.x, row.t_x, row.T, weight);
}

/* Ensure that a model is one of purchases, which clv_fit() fits. */
static void
check_is_purchase_model(const ClvModel *kind)
{
	if (kind->data == CLV_DATA_SPEND || kind->data == CLV_DATA_RENEWALS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s is no model of purchases", kind->name),
						errhint("Use %s.", kind->data == CLV_DATA_SPEND
								? "customer_tier.spend_fit(frequency, monetary)"
								: "customer_tier.retention_fit(period, survivors)")));
}

/* clv_fit(model, frequency, recency, age [, weight [, litt [, penalty]]]) */
Datum
clv_fit_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &fit_kind);
	FitState   *state = partial == NULL ? NULL : partial->state;
	struct varlena *name = get_first_argument(fcinfo, "model");
	int			arguments = PG_NARGS();
	bool		first = partial == NULL;

	if (first || !is_same_name(state, name))
	{
		int			k;
		const ClvModel *kind = find_kind(text_to_cstring((text *) name), &k);

		check_is_purchase_model(kind);
		if (kind->data == CLV_DATA_TIMED_PURCHASES && arguments < 7)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s needs the times between purchases", kind->name),
					 errhint("Give their sum of logarithms as the sixth argument: "
							 "clv_fit('%s', frequency, recency, age, 1, litt).",
							 kind->name)));
		if (first)
		{
			partial = partial_create(fcinfo, kind);
			state = partial->state;
			state->k = k;
		}
		else if (kind != state->kind || k != state->k)
			report_changed("the model", state->kind->name, text_to_cstring((text *) name));
		else if (state->spread > 0)
			report_other_rows();
		remember_name(state, name);
	}
	if (arguments > 7)
		set_option(&state->penalty, get_penalty(fcinfo, 7), first, "penalty");
	add_purchases(fcinfo, state, arguments > 5 ? 5 : 0, arguments > 6 ? 6 : 0);
	PG_RETURN_PARTIAL_STATE(partial);
}

/* Take the pooled model in argument 1 for the prior, or compare it with the one there is. */
static void
take_prior(FunctionCallInfo fcinfo, FitState *state, bool first)
{
	const ClvParams *pooled = fitted_get_params(fcinfo, 1, 0);
	double		prior[CLV_MAX_PARAMS] = {0};

	memcpy(prior, pooled->theta, pooled->model->n_params * sizeof(double));
	if (!first && (pooled->model != state->kind || memcmp(prior, state->prior, sizeof(prior)) != 0))
		report_changed("the pooled model", "one", "another one");
	memcpy(state->prior, prior, sizeof(prior));
	state->days_per_unit = fitted_get(fcinfo, 1, 0)->days_per_unit;
	if (pooled->model->data == CLV_DATA_TIMED_PURCHASES)
		state->k = (int) pooled->theta[find_k(pooled->model)];
}

/* clv_fit_pooled(pooled clv_model, frequency, recency, age [, weight [, spread]]) */
Datum
clv_fit_pooled_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &fit_kind);
	FitState   *state;
	struct varlena *name = get_first_argument(fcinfo, "the pooled model");
	int			arguments = PG_NARGS();
	bool		first = partial == NULL;
	double		spread = DEFAULT_SPREAD;

	if (first)
	{
		const ClvModel *kind = fitted_get_params(fcinfo, 1, 0)->model;

		check_is_purchase_model(kind);
		partial = partial_create(fcinfo, kind);
	}
	state = partial->state;
	if (state->name == NULL)
	{
		take_prior(fcinfo, state, first);
		remember_name(state, name);
	}
	else if (!is_same_name(state, name))
		report_changed("the pooled model", "one", "another one");
	if (arguments > 6)
	{
		if (PG_ARGISNULL(6) || !(PG_GETARG_FLOAT8(6) > 0) || isinf(PG_GETARG_FLOAT8(6)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("spread must not be %s",
							PG_ARGISNULL(6) ? "NULL" : double_text(PG_GETARG_FLOAT8(6))),
					 errhint("It says how far the logarithms of a group's parameters lie from the "
							 "pooled ones: 0.5 is a factor of 1.6.")));
		spread = PG_GETARG_FLOAT8(6);
	}
	set_option(&state->spread, spread, first, "spread");
	add_purchases(fcinfo, state, arguments > 5 ? 5 : 0, 0);
	PG_RETURN_PARTIAL_STATE(partial);
}

/* spend_fit(frequency, monetary [, weight [, penalty]]) */
Datum
clv_spend_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &fit_kind);
	FitState   *state;
	int			arguments = PG_NARGS();
	bool		first = partial == NULL;
	ClvRow		row = {0};
	double		weight = 1;

	if (first)
		partial = partial_create(fcinfo, clv_model_find("gamma-gamma"));
	state = partial->state;
	if (state->kind->data != CLV_DATA_SPEND)
		report_other_rows();
	if (arguments > 4)
		set_option(&state->penalty, get_penalty(fcinfo, 4), first, "penalty");
	if (any_null(fcinfo, 1, 2) || (arguments > 3 && PG_ARGISNULL(3)))
	{
		state->skipped++;
		PG_RETURN_PARTIAL_STATE(partial);
	}
	row.x = PG_GETARG_FLOAT8(1);
	row.zbar = PG_GETARG_FLOAT8(2);
	if (arguments > 3)
		weight = check_weight(PG_GETARG_FLOAT8(3));
	/* refunds can leave a customer with no spend, which gamma-gamma has no place for */
	if (row.x > 0 && row.zbar <= 0 && isfinite(row.zbar))
	{
		row.zbar = 1;
		check_clv_row(state->kind, &row);
		state->skipped++;
		PG_RETURN_PARTIAL_STATE(partial);
	}
	if (row.x == 0 && !isfinite(row.zbar))
		report_clv_status(CLV_ZBAR_NOT_POSITIVE, row.zbar);
	check_clv_row(state->kind, &row);
	if (weight > 0 && row.x > 0)
		row_table_add(&state->table, row.x, row.zbar, 0, weight);
	PG_RETURN_PARTIAL_STATE(partial);
}

/* Ensure that a number of customers is none below 0. */
static void
check_customers(int64 customers, const char *what)
{
	if (customers < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not be %lld", what, (long long) customers)));
}

static PartialState *
get_retention_state(FunctionCallInfo fcinfo, bool survivors)
{
	PartialState *partial = partial_state_update(fcinfo, &fit_kind);
	FitState   *state;

	if (partial == NULL)
	{
		partial = partial_create(fcinfo, clv_model_find("sbg"));
		((FitState *) partial->state)->survivors = survivors;
	}
	state = partial->state;
	if (state->kind->data != CLV_DATA_RENEWALS || state->survivors != survivors)
		report_other_rows();
	return partial;
}

/*
 * retention_fit(period, survivors): kept as (x 0, T period, weight survivors),
 * which clv_survivors_final() turns into renewals and losses.
 */
Datum
clv_survivors_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = get_retention_state(fcinfo, true);
	FitState   *state = partial->state;

	if (any_null(fcinfo, 1, 2))
		state->skipped++;
	else
	{
		int32		period = PG_GETARG_INT32(1);
		int64		survivors = PG_GETARG_INT64(2);

		if (period < 0)
			report_clv_status(CLV_PERIOD_NOT_WHOLE, period);
		check_customers(survivors, "the number of survivors");
		/* a period without survivors is known, too: one more each, taken off again */
		row_table_add(&state->table, 0, 0, period, (double) survivors + 1);
		row_table_add(&state->table, 1, 0, period, 1);
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

/* retention_fit(period, renewed, lost) */
Datum
clv_renewals_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = get_retention_state(fcinfo, false);
	FitState   *state = partial->state;

	if (any_null(fcinfo, 1, 3))
		state->skipped++;
	else
	{
		ClvRow		row = {0};

		row.T = PG_GETARG_INT32(1);
		check_clv_row(state->kind, &row);
		check_customers(PG_GETARG_INT64(2), "the number of renewals");
		check_customers(PG_GETARG_INT64(3), "the number of losses");
		if (PG_GETARG_INT64(2) > 0)
			row_table_add(&state->table, 1, 0, row.T, (double) PG_GETARG_INT64(2));
		if (PG_GETARG_INT64(3) > 0)
			row_table_add(&state->table, 0, 0, row.T, (double) PG_GETARG_INT64(3));
	}
	PG_RETURN_PARTIAL_STATE(partial);
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

/* Ranks of values that are shared alike among equal ones, of weighted rows. */
static int
compare_keyed(const void *left, const void *right)
{
	double		a = *(const double *) left;
	double		b = *(const double *) right;

	return a < b ? -1 : a > b ? 1 : 0;
}

static void
get_ranks(const RowSet *set, bool spend, double *rank)
{
	struct
	{
		double		value;
		int64		at;
	}		   *keyed = MemoryContextAllocHuge(CurrentMemoryContext, set->n * sizeof(*keyed));
	double		below = 0;

	for (int64 i = 0; i < set->n; i++)
	{
		keyed[i].value = spend ? set->row[i].zbar : set->row[i].x;
		keyed[i].at = i;
	}
	qsort(keyed, set->n, sizeof(*keyed), compare_keyed);
	for (int64 i = 0; i < set->n;)
	{
		double		here = 0;
		int64		end = i;

		while (end < set->n && keyed[end].value == keyed[i].value)
			here += set->weight[keyed[end++].at];
		for (; i < end; i++)
			rank[keyed[i].at] = below + (here + 1) / 2;
		below += here;
	}
	pfree(keyed);
}

/* Spearman's correlation of frequency and mean spend; NaN when one does not vary. */
static double
get_correlation(const RowSet *set)
{
	double	   *a = MemoryContextAllocHuge(CurrentMemoryContext, set->n * sizeof(double));
	double	   *b = MemoryContextAllocHuge(CurrentMemoryContext, set->n * sizeof(double));
	double		mean = (set->customers + 1) / 2;
	double		aa = 0;
	double		bb = 0;
	double		ab = 0;

	get_ranks(set, false, a);
	get_ranks(set, true, b);
	for (int64 i = 0; i < set->n; i++)
	{
		aa += set->weight[i] * (a[i] - mean) * (a[i] - mean);
		bb += set->weight[i] * (b[i] - mean) * (b[i] - mean);
		ab += set->weight[i] * (a[i] - mean) * (b[i] - mean);
	}
	pfree(a);
	pfree(b);
	return aa > 0 && bb > 0 ? ab / sqrt(aa) / sqrt(bb) : NAN;
}

/* The gamma-gamma takes what one spends to be independent of how often one buys. */
#define CORRELATION_WARNING 0.3

static void
finish(const FitState *state, const RowSet *set, FittedModel *model)
{
	FitRequest	request = {0};

	request.kind = state->kind;
	request.k = state->k;
	request.penalty = state->penalty;
	request.spread = state->spread;
	memcpy(request.prior, state->prior, sizeof(request.prior));
	request.skipped = (double) state->skipped;
	if (state->litt != NULL)
	{
		ExactSum	sum = *state->litt;

		/* of one "member": the sum itself */
		request.litt = exact_sum_mean(&sum, 1);
	}
	if (set->n == 0)
		report_nothing();
	fit_rows(&request, set, model);
	model->days_per_unit = state->days_per_unit;
	if (state->kind->data != CLV_DATA_SPEND)
		return;
	model->correlation = get_correlation(set);
	if (fabs(model->correlation) > CORRELATION_WARNING)
		ereport(WARNING,
				(errmsg("frequency and mean spend are correlated: %.2f", model->correlation),
				 errdetail("The gamma-gamma model takes them to be independent; its expectations "
						   "are too %s for frequent buyers.",
						   model->correlation > 0 ? "low" : "high")));
}

/*
 * The final function works in a memory context of its own: what it sorts and
 * samples is gone when it returns, and the state is as it was.
 */
static Datum
fit_final(FunctionCallInfo fcinfo, void (*arrange) (const FitState *, RowSet *))
{
	const FitState *state = partial_state_read(fcinfo, &fit_kind);
	MemoryContext work;
	MemoryContext old;
	RowSet		set;
	FittedModel model;

	if (state == NULL)
		report_nothing();
	if (state->survivors != (arrange != NULL))
		report_other_rows();
	work = AllocSetContextCreate(CurrentMemoryContext, "clv fit", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	row_table_sorted(&state->table, &set);
	if (arrange != NULL)
		arrange(state, &set);
	finish(state, &set, &model);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	PG_RETURN_JSONB_P(fitted_to_jsonb(&model));
}

Datum
clv_fit_final(PG_FUNCTION_ARGS)
{
	return fit_final(fcinfo, NULL);
}

/*
 * Survivors of one cohort, or of several of the same age: of those left at the
 * end of a period, some are not at the end of the next.  Rows come as (0,
 * period, survivors + rows) and (1, period, rows), in this order by x.
 */
static void
arrange_survivors(const FitState *state, RowSet *set)
{
	int64		periods = set->n / 2;
	ClvRow	   *row = palloc(Max(set->n, 1) * sizeof(ClvRow));
	double	   *weight = palloc(Max(set->n, 1) * sizeof(double));
	RowTable	table;

	(void) state;
	row_table_init(&table, CurrentMemoryContext);
	for (int64 i = 0; i < periods; i++)
	{
		row[i] = set->row[i];
		weight[i] = set->weight[i] - set->weight[periods + i];
		if (row[i].T != (double) i)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the survivors of period %lld are missing", (long long) i),
							errhint("Give those of period 0, when all were there, and of every "
									"period since.")));
		if (i == 0)
			continue;
		if (weight[i] > weight[i - 1])
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("there are %s survivors in period %lld, but %s in the one before",
								   double_text(weight[i]), (long long) i,
								   double_text(weight[i - 1])),
							errhint("For cohorts of different age use "
									"retention_fit(period, renewed, lost).")));
		if (weight[i] > 0)
			row_table_add(&table, 1, 0, (double) i, weight[i]);
		if (weight[i] < weight[i - 1])
			row_table_add(&table, 0, 0, (double) i, weight[i - 1] - weight[i]);
	}
	row_table_sorted(&table, set);
}

Datum
clv_survivors_final(PG_FUNCTION_ARGS)
{
	return fit_final(fcinfo, arrange_survivors);
}
