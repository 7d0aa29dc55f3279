/*
 * weight_agg.c
 *	  Aggregates over one array of numbers a row: entropy_weights(),
 *	  critic_weights(), topsis_scale() and ahp_group().
 *
 * All four keep exact sums, so that neither the order of the rows nor the plan
 * moves a bit of the result, and share one state and its combine function.
 * They differ in what they add up a row, and in what the sums make in the end
 * (numerics/objective_weights.c).
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "aggregate.h"
#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "numerics/exact_sum.h"
#include "numerics/objective_weights.h"
#include "rating/judgements.h"
#include "rating/rating_args.h"
#include "state/partial_state.h"

PG_FUNCTION_INFO_V1(entropy_accum);
PG_FUNCTION_INFO_V1(critic_accum);
PG_FUNCTION_INFO_V1(topsis_scale_accum);
PG_FUNCTION_INFO_V1(ahp_group_accum);
PG_FUNCTION_INFO_V1(criteria_combine);
PG_FUNCTION_INFO_V1(entropy_final);
PG_FUNCTION_INFO_V1(critic_final);
PG_FUNCTION_INFO_V1(topsis_scale_final);
PG_FUNCTION_INFO_V1(ahp_group_final);

/* What is summed for n criteria. */
typedef enum CriteriaKind
{
	CRITERIA_ENTROPY,			/* n sums of x, n of x ln x */
	CRITERIA_CRITIC,			/* n sums of x, n (n + 1) / 2 of products */
	CRITERIA_TOPSIS_VECTOR,		/* n sums of x^2 */
	CRITERIA_TOPSIS_MIN_MAX,	/* none */
	CRITERIA_JUDGEMENTS			/* n^2 sums of logarithms */
} CriteriaKind;

typedef struct CriteriaState
{
	MemoryContext context;
	CriteriaKind kind;
	int			n;
	int64		rows;
	bool		directed;		/* higher_is_better was given */
	bool	   *higher_is_better;
	double	   *min;			/* above max: no value yet */
	double	   *max;
	int			sum_count;
	ExactSum   *sums;
} CriteriaState;

static int
count_sums(CriteriaKind kind, int n)
{
	switch (kind)
	{
		case CRITERIA_ENTROPY:
			return 2 * n;
		case CRITERIA_CRITIC:
			return n + triangle_index(n, 0);
		case CRITERIA_TOPSIS_VECTOR:
			return n;
		case CRITERIA_TOPSIS_MIN_MAX:
			return 0;
		case CRITERIA_JUDGEMENTS:
			return n * n;
	}
	return 0;
}

static CriteriaState *
state_create(MemoryContext context, CriteriaKind kind, int n)
{
	CriteriaState *state = MemoryContextAllocZero(context, sizeof(CriteriaState));

	state->context = context;
	state->kind = kind;
	state->n = n;
	state->higher_is_better = MemoryContextAllocZero(context, n * sizeof(bool));
	state->min = MemoryContextAlloc(context, n * sizeof(double));
	state->max = MemoryContextAlloc(context, n * sizeof(double));
	for (int j = 0; j < n; j++)
	{
		state->min[j] = INFINITY;
		state->max[j] = -INFINITY;
	}
	state->sum_count = count_sums(kind, n);
	state->sums = MemoryContextAllocZero(context, Max(state->sum_count, 1) * sizeof(ExactSum));
	return state;
}

/* ---------- what a row must be ---------- */

static void
check_same_number(int n, int now)
{
	if (n != now)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("the number of criteria changes from %d to %d within one group",
							   Min(n, now), Max(n, now)),
						errhint("Every row needs an array with an element for each criterion.")));
}

static bool
is_topsis(CriteriaKind kind)
{
	return kind == CRITERIA_TOPSIS_VECTOR || kind == CRITERIA_TOPSIS_MIN_MAX;
}

/* States of two kinds have different sums, and not as many. */
static void
check_same_kind(CriteriaKind one, CriteriaKind other)
{
	if (one == other)
		return;
	if (is_topsis(one) && is_topsis(other))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("normalisation must be the same in all rows of a group")));
	report_other_partial_state("It keeps other sums of its criteria.");
}

static void
report_null(int column)
{
	ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("criterion %d must not be NULL", column + 1),
					errhint("Leave such rows out, or fill the gap, for example with "
							"coalesce(value, 0).")));
}

static void
report_bad_value(double value, int column)
{
	if (isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("criterion %d must not be %s", column + 1, number_text(value)),
				 errdetail("Values must be from -%g to %g.", OBJECTIVE_WEIGHTS_VALUE_MAX,
						   OBJECTIVE_WEIGHTS_VALUE_MAX)));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("criterion %d must not be %s", column + 1, number_text(value)),
					errhint("Leave such rows out.")));
}

static void
report_negative(double value, int column)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("criterion %d must not be negative for entropy weights: %s", column + 1,
					number_text(value)),
			 errdetail("Entropy looks at each customer's share of the sum."),
			 errhint("Rescale the criterion first, for example to (x - min) / (max - min), or use "
					 "critic_weights().")));
}

/* A value that is there: finite, in range, and +0 for -0. */
static inline double
check_value(double value, int column)
{
	if (unlikely(!(fabs(value) <= OBJECTIVE_WEIGHTS_VALUE_MAX)))
		report_bad_value(value, column);
	return value + 0.0;
}

static inline void
widen_range(CriteriaState *state, int column, double value)
{
	if (value < state->min[column])
		state->min[column] = value;
	if (value > state->max[column])
		state->max[column] = value;
}

/* The elements of a row without NULL. */
static inline double
get_criterion(CriteriaState *state, const Float8Array *row, int column)
{
	double		value;

	if (unlikely(row->has_null) &&
		(row->null_bitmap[column / 8] & (1 << (column % 8))) == 0)
		report_null(column);
	/* all before this one were there as well */
	value = check_value(row->values[column], column);
	widen_range(state, column, value);
	return value;
}

/*
 * Take note of higher_is_better, which must be the same in all rows.  Called
 * for every row: compares, and allocates nothing.
 */
static void
take_directions(FunctionCallInfo fcinfo, int argument, CriteriaState *state)
{
	ArrayType  *array;
	const bool *directions;
	int			count;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("higher_is_better must not be NULL")));
	array = PG_GETARG_ARRAYTYPE_P(argument);
	count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_NDIM(array) > 1 || count != state->n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("higher_is_better must have an element for each criterion"),
				 errdetail("There are %d criteria and %d elements.", state->n, count)));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("higher_is_better must not contain NULL")));
	directions = (const bool *) ARR_DATA_PTR(array);
	if (!state->directed)
	{
		memcpy(state->higher_is_better, directions, count * sizeof(bool));
		state->directed = true;
	}
	else if (memcmp(state->higher_is_better, directions, count * sizeof(bool)) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("higher_is_better must be the same in all rows of a group")));
}

/* ---------- states on their way ---------- */

/* Sums are below 2 to this power, so that the mathematics has finite numbers. */
#define SUM_EXPONENT_MAX 1000

/* The digits that are not 0, carried: the same for equal sums. */
static void
send_sum(StringInfo buf, const ExactSum *sum)
{
	ExactSum	carried = *sum;
	int			from = 0;
	int			to = EXACT_SUM_DIGITS;

	exact_sum_carry(&carried);
	while (to > 0 && carried.digit[to - 1] == 0)
		to--;
	while (from < to && carried.digit[from] == 0)
		from++;
	pq_sendbyte(buf, from);
	pq_sendbyte(buf, to);
	for (int i = from; i < to; i++)
		pq_sendint64(buf, carried.digit[i]);
}

static void
receive_sum(StringInfo buf, ExactSum *sum)
{
	int			from = pq_getmsgbyte(buf);
	int			to = pq_getmsgbyte(buf);
	int			exponent;

	if (from > to || to > EXACT_SUM_DIGITS)
		report_bad_partial_state("The digits of a sum of it are out of range.");
	for (int i = from; i < to; i++)
	{
		int64		digit = pq_getmsgint64(buf);

		/* carried digits have 32 bits; the topmost has the sign and few more */
		if (digit > (int64) PG_UINT32_MAX || digit < -(int64) PG_UINT32_MAX ||
			(digit < 0 && i < EXACT_SUM_DIGITS - 1))
			report_bad_partial_state("A digit of a sum of it is out of range.");
		sum->digit[i] = digit;
	}
	/* rows are of values up to 1e140 in size, or their squares: far from this */
	exact_sum_fraction(sum, &exponent);
	if (exponent > SUM_EXPONENT_MAX)
		report_bad_partial_state("A sum of it is out of range.");
}

static void
criteria_serialize(StringInfo buf, const void *source)
{
	const CriteriaState *state = source;

	pq_sendbyte(buf, state->kind);
	pq_sendbyte(buf, state->directed);
	pq_sendint32(buf, state->n);
	pq_sendint64(buf, state->rows);
	for (int j = 0; j < state->n; j++)
	{
		pq_sendbyte(buf, state->higher_is_better[j]);
		pq_sendfloat8(buf, state->min[j]);
		pq_sendfloat8(buf, state->max[j]);
	}
	for (int i = 0; i < state->sum_count; i++)
		send_sum(buf, &state->sums[i]);
}

static bool
receive_flag(StringInfo buf)
{
	int			flag = pq_getmsgbyte(buf);

	if (flag > 1)
		report_bad_partial_state("A flag of it is neither true nor false.");
	return flag == 1;
}

/* A range of values; one without any is upside down. */
static void
receive_range(StringInfo buf, CriteriaState *state, int column)
{
	double		min = pq_getmsgfloat8(buf);
	double		max = pq_getmsgfloat8(buf);

	if (!(min >= -OBJECTIVE_WEIGHTS_VALUE_MAX && min <= max && max <= OBJECTIVE_WEIGHTS_VALUE_MAX) &&
		!(min == INFINITY && max == -INFINITY))
		report_bad_partial_state("The range of a criterion of it is impossible.");
	state->min[column] = min;
	state->max[column] = max;
}

static void *
criteria_deserialize(StringInfo buf)
{
	CriteriaState *state;
	int			kind = pq_getmsgbyte(buf);
	bool		directed = receive_flag(buf);
	int			n = (int) pq_getmsgint(buf, 4);

	if (kind > CRITERIA_JUDGEMENTS || n < 1 || n > RATING_DIMENSIONS_MAX)
		report_bad_partial_state("Its number of criteria is out of range.");
	state = state_create(CurrentMemoryContext, (CriteriaKind) kind, n);
	state->directed = directed;
	state->rows = partial_state_get_count(buf);
	if (state->rows == 0)
		report_bad_partial_state("It has no rows.");
	for (int j = 0; j < n; j++)
	{
		state->higher_is_better[j] = receive_flag(buf);
		receive_range(buf, state, j);
	}
	for (int i = 0; i < state->sum_count; i++)
		receive_sum(buf, &state->sums[i]);
	return state;
}

static void
criteria_add(void *target, const void *other)
{
	CriteriaState *state = target;
	const CriteriaState *more = other;

	check_same_kind(state->kind, more->kind);
	check_same_number(state->n, more->n);
	if (state->directed != more->directed ||
		memcmp(state->higher_is_better, more->higher_is_better, state->n * sizeof(bool)) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("higher_is_better must be the same in all rows of a group")));
	for (int j = 0; j < state->n; j++)
	{
		widen_range(state, j, more->min[j]);
		widen_range(state, j, more->max[j]);
	}
	for (int i = 0; i < state->sum_count; i++)
		exact_sum_merge(&state->sums[i], &more->sums[i]);
	partial_state_add_count(&state->rows, more->rows);
}

static const PartialStateKind criteria_kind = {
	PARTIAL_STATE_CRITERIA, criteria_serialize, criteria_deserialize, criteria_add
};

Datum
criteria_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &criteria_kind);
}

/* ---------- rows ---------- */

static PartialState *
partial_create(FunctionCallInfo fcinfo, CriteriaKind kind, int n)
{
	PartialState *partial = partial_state_create(fcinfo, &criteria_kind);

	partial->state = state_create(partial->header.eoh_context, kind, n);
	return partial;
}

/*
 * Look at the array of a row, and find the state to add it to; NULL when the
 * array is, and the row is to be skipped.  The first row makes the state.
 */
static CriteriaState *
get_row(FunctionCallInfo fcinfo, CriteriaKind kind, PartialState **partial, Float8Array *row)
{
	CriteriaState *state;

	*partial = partial_state_update(fcinfo, &criteria_kind);
	if (PG_ARGISNULL(1))
		return NULL;
	float8_array_view(row, PG_GETARG_DATUM(1));
	if (row->ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("the criteria must be an array of one dimension, not %d",
							   row->ndim)));
	if (*partial == NULL)
	{
		check_dimension_count(row->count, "the array of criteria");
		*partial = partial_create(fcinfo, kind, row->count);
	}
	state = (*partial)->state;
	check_same_kind(state->kind, kind);
	check_same_number(state->n, row->count);
	return state;
}

/* entropy_weights(raw float8[]) */
Datum
entropy_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial;
	CriteriaState *state;
	Float8Array row;

	state = get_row(fcinfo, CRITERIA_ENTROPY, &partial, &row);
	if (state != NULL)
	{
		for (int j = 0; j < state->n; j++)
		{
			double		value = get_criterion(state, &row, j);

			if (value < 0)
				report_negative(value, j);
			exact_sum_add(&state->sums[j], value);
			exact_sum_add_x_log_x(&state->sums[state->n + j], value);
		}
		state->rows++;
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

/* critic_weights(raw float8[] [, higher_is_better boolean[]]) */
Datum
critic_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial;
	CriteriaState *state;
	Float8Array row;

	state = get_row(fcinfo, CRITERIA_CRITIC, &partial, &row);
	if (state != NULL)
	{
		ExactSum   *product = state->sums + state->n;

		if (PG_NARGS() > 2)
			take_directions(fcinfo, 2, state);
		for (int j = 0; j < state->n; j++)
		{
			double		value = get_criterion(state, &row, j);

			exact_sum_add(&state->sums[j], value);
			for (int k = 0; k <= j; k++)
				exact_sum_add_product(product++, value, row.values[k]);
		}
		state->rows++;
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

static const char *const normalisations[] = {"vector", "min_max"};

/*
 * topsis_scale(raw float8[], higher_is_better boolean[] [, normalisation text]):
 * a value that is missing is left out of the norm of its criterion.
 */
Datum
topsis_scale_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial;
	CriteriaState *state;
	Float8Array row;
	CriteriaKind kind = CRITERIA_TOPSIS_VECTOR;

	if (PG_NARGS() > 3 &&
		get_word(fcinfo, 3, "normalisation", normalisations, lengthof(normalisations)) == 1)
		kind = CRITERIA_TOPSIS_MIN_MAX;
	state = get_row(fcinfo, kind, &partial, &row);
	if (state != NULL)
	{
		int			stored = 0;

		take_directions(fcinfo, 2, state);
		for (int j = 0; j < state->n; j++)
		{
			double		value;

			if (!float8_array_get(&row, j, &stored, &value))
				continue;
			value = check_value(value, j);
			widen_range(state, j, value);
			if (kind == CRITERIA_TOPSIS_VECTOR)
				exact_sum_add_product(&state->sums[j], value, value);
		}
		state->rows++;
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

/* ahp_group(matrix float8[]) */
Datum
ahp_group_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &criteria_kind);

	if (!PG_ARGISNULL(1))
	{
		Float8Array matrix;
		int			n = judgements_view(&matrix, PG_GETARG_DATUM(1));
		CriteriaState *state;

		if (partial == NULL)
			partial = partial_create(fcinfo, CRITERIA_JUDGEMENTS, n);
		state = partial->state;
		check_same_kind(state->kind, CRITERIA_JUDGEMENTS);
		check_same_number(state->n, n);
		for (int i = 0; i < n * n; i++)
		{
			DoubleDouble logarithm = dd_log(matrix.values[i]);

			exact_sum_add(&state->sums[i], logarithm.hi);
			exact_sum_add(&state->sums[i], logarithm.lo);
		}
		state->rows++;
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

/* ---------- results ---------- */

/* The state of a final function, or NULL; one of another aggregate is refused. */
static CriteriaState *
get_final_state(FunctionCallInfo fcinfo, CriteriaKind kind, CriteriaKind other_kind)
{
	CriteriaState *state = partial_state_read(fcinfo, &criteria_kind);

	if (state && state->kind != kind && state->kind != other_kind)
		report_other_partial_state("It keeps other sums of its criteria.");
	return state;
}

/* Ensure that the squares of each criterion did not vanish. */
static void
check_squares(const CriteriaState *state)
{
	for (int j = 0; j < state->n; j++)
	{
		double		largest = fmax(fabs(state->min[j]), fabs(state->max[j]));

		if (state->min[j] < state->max[j] && largest < OBJECTIVE_WEIGHTS_VALUE_MIN)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("criterion %d is too small to be squared: its largest value is %s",
							j + 1, number_text(largest)),
					 errhint("Use a smaller unit, and so larger numbers.")));
	}
}

Datum
entropy_final(PG_FUNCTION_ARGS)
{
	CriteriaState *state = get_final_state(fcinfo, CRITERIA_ENTROPY, CRITERIA_ENTROPY);
	double		weights[RATING_DIMENSIONS_MAX];

	if (state == NULL)
		PG_RETURN_NULL();
	entropy_weights_from_sums(state->sums, state->sums + state->n, state->min, state->max,
							  state->rows, state->n, weights);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(weights, state->n));
}

Datum
critic_final(PG_FUNCTION_ARGS)
{
	CriteriaState *state = get_final_state(fcinfo, CRITERIA_CRITIC, CRITERIA_CRITIC);
	double		weights[RATING_DIMENSIONS_MAX];
	double	   *workspace;

	if (state == NULL)
		PG_RETURN_NULL();
	check_squares(state);
	workspace = palloc(critic_workspace(state->n) * sizeof(double));
	critic_weights_from_sums(state->sums, state->sums + state->n, state->min, state->max,
							 state->directed ? state->higher_is_better : NULL, state->rows,
							 state->n, weights, workspace);
	pfree(workspace);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(weights, state->n));
}

/*
 * The scale of n criteria: n norms, the n best values, the n worst ones.  A
 * criterion without any value has three times 0, and tells nobody apart.
 */
Datum
topsis_scale_final(PG_FUNCTION_ARGS)
{
	CriteriaState *state = get_final_state(fcinfo, CRITERIA_TOPSIS_VECTOR, CRITERIA_TOPSIS_MIN_MAX);
	double		scale[3 * RATING_DIMENSIONS_MAX] = {0};
	int			n;

	if (state == NULL)
		PG_RETURN_NULL();
	n = state->n;
	if (state->kind == CRITERIA_TOPSIS_VECTOR)
		check_squares(state);
	for (int j = 0; j < n; j++)
	{
		double		min = state->min[j];
		double		max = state->max[j];

		if (min > max)
			continue;
		if (state->kind == CRITERIA_TOPSIS_VECTOR)
			scale[j] = sqrt(exact_sum_pair(&state->sums[j]).hi);
		else
			scale[j] = max - min;
		scale[n + j] = state->higher_is_better[j] ? max : min;
		scale[2 * n + j] = state->higher_is_better[j] ? min : max;
	}
	PG_RETURN_ARRAYTYPE_P(float8_array_from(scale, 3 * n));
}

Datum
ahp_group_final(PG_FUNCTION_ARGS)
{
	CriteriaState *state = get_final_state(fcinfo, CRITERIA_JUDGEMENTS, CRITERIA_JUDGEMENTS);
	ArrayType  *matrix;
	Datum	   *elements;
	int			dims[2];
	int			bounds[2] = {1, 1};

	if (state == NULL)
		PG_RETURN_NULL();
	elements = palloc(state->sum_count * sizeof(Datum));
	for (int i = 0; i < state->sum_count; i++)
	{
		DoubleDouble mean = dd_divide(exact_sum_pair(&state->sums[i]), dd_from((double) state->rows));

		elements[i] = Float8GetDatum(dd_exp(mean));
	}
	dims[0] = dims[1] = state->n;
	matrix = construct_md_array(elements, NULL, 2, dims, bounds, FLOAT8OID, sizeof(float8),
								FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	pfree(elements);
	PG_RETURN_ARRAYTYPE_P(matrix);
}
