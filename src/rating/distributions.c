/*
 * distributions.c
 *	  How the values of all dimensions of a scorecard are distributed.
 *
 * The same as scale_stats() and percentile_scale() of one dimension after the
 * other, in one pass and one state.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "rating/card.h"
#include "rating/percentile.h"
#include "rating/scale_stats.h"
#include "state/partial_state.h"

PG_FUNCTION_INFO_V1(distributions_accum);
PG_FUNCTION_INFO_V1(distributions_combine);
PG_FUNCTION_INFO_V1(dimension_distributions_final);

typedef struct Distributions
{
	int			count;			/* of dimensions */
	ValueList  *list[FLEXIBLE_ARRAY_MEMBER];
} Distributions;

static Distributions *
distributions_create(MemoryContext context, int count)
{
	Distributions *state = MemoryContextAlloc(context, offsetof(Distributions, list) +
											  count * sizeof(ValueList *));

	state->count = count;
	for (int i = 0; i < count; i++)
		state->list[i] = value_list_create(context, 0);
	return state;
}

/* How many dimensions, and each list as it writes itself. */
static void
distributions_serialize(StringInfo buf, const void *state)
{
	const Distributions *distributions = state;

	pq_sendint32(buf, distributions->count);
	for (int i = 0; i < distributions->count; i++)
		value_list_send(buf, distributions->list[i]);
}

static void *
distributions_deserialize(StringInfo buf)
{
	int			count = (int) pq_getmsgint(buf, 4);
	Distributions *distributions;

	if (count < 0 || count > DIMENSIONS_MAX)
		report_bad_partial_state("Its number of dimensions is out of range.");
	distributions = palloc0(offsetof(Distributions, list) + count * sizeof(ValueList *));
	distributions->count = count;
	for (int i = 0; i < count; i++)
	{
		distributions->list[i] = value_list_receive(buf);
		if (distributions->list[i]->parameter != 0)
			report_bad_partial_state("A dimension of it has a parameter.");
	}
	return distributions;
}

static void
distributions_add(void *state, const void *other)
{
	Distributions *distributions = state;
	const Distributions *more = other;

	check_same_length(more->count, distributions->count, "the row before");
	for (int i = 0; i < distributions->count; i++)
		value_list_append(distributions->list[i], more->list[i]);
}

static const PartialStateKind distributions_kind = {
	PARTIAL_STATE_DISTRIBUTIONS, distributions_serialize, distributions_deserialize, distributions_add
};

/* distributions_accum(state partial_state, raw float8[]) -> partial_state */
Datum
distributions_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &distributions_kind);
	Distributions *state;
	Float8Array values;
	const double *next;

	if (PG_ARGISNULL(1))
		PG_RETURN_PARTIAL_STATE(partial);
	float8_array_view(&values, PG_GETARG_DATUM(1));
	check_values(&values);
	if (partial == NULL)
	{
		partial = partial_state_create(fcinfo, &distributions_kind);
		partial->state = distributions_create(partial->header.eoh_context, values.count);
	}
	state = partial->state;
	check_same_length(values.count, state->count, "the row before");

	next = values.values;
	for (int i = 0; i < values.count; i++)
	{
		if (is_missing(&values, i))
			continue;
		check_value_not_nan(*next, i);
		if (!isinf(*next))
			value_list_add(state->list[i], *next);
		next++;
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
distributions_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &distributions_kind);
}

/* One row a dimension: scale_stats, and the distribution. */
Datum
dimension_distributions_final(PG_FUNCTION_ARGS)
{
	const Distributions *state = partial_state_read(fcinfo, &distributions_kind);
	Oid			row_type;
	TupleDesc	desc;
	Datum	   *rows;
	int16		length;
	bool		by_value;
	char		alignment;
	ArrayType  *result;

	if (state == NULL)
		PG_RETURN_NULL();
	/* of the function, since who combines states need not call it in an expression */
	row_type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	desc = lookup_rowtype_tupdesc(row_type, -1);
	if (desc->natts != SCALE_STATS + 1)
		elog(ERROR, "dimension_distributions does not return its rows");

	rows = palloc(state->count * sizeof(Datum));
	for (int i = 0; i < state->count; i++)
	{
		Datum		value[SCALE_STATS + 1] = {0};
		bool		isnull[SCALE_STATS + 1];

		fill_scale_stats(state->list[i], value, isnull);
		isnull[SCALE_STATS] = state->list[i]->count == 0;
		if (!isnull[SCALE_STATS])
			value[SCALE_STATS] = PointerGetDatum(percentile_scale_of(state->list[i]));
		rows[i] = HeapTupleGetDatum(heap_form_tuple(desc, value, isnull));
	}
	get_typlenbyvalalign(row_type, &length, &by_value, &alignment);
	result = construct_array(rows, state->count, row_type, length, by_value, alignment);
	ReleaseTupleDesc(desc);
	PG_RETURN_ARRAYTYPE_P(result);
}
