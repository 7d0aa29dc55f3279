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

PG_FUNCTION_INFO_V1(distributions_accum);
PG_FUNCTION_INFO_V1(distributions_combine);
PG_FUNCTION_INFO_V1(distributions_serialize);
PG_FUNCTION_INFO_V1(distributions_deserialize);
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

/* distributions_accum(state internal, raw float8[]) -> internal */
Datum
distributions_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	Distributions *state = PG_ARGISNULL(0) ? NULL : (Distributions *) PG_GETARG_POINTER(0);
	Float8Array values;
	const double *next;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	float8_array_view(&values, PG_GETARG_DATUM(1));
	check_values(&values);
	if (state == NULL)
		state = distributions_create(context, values.count);
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
	PG_RETURN_POINTER(state);
}

Datum
distributions_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	Distributions *state = PG_ARGISNULL(0) ? NULL : (Distributions *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		Distributions *other = (Distributions *) PG_GETARG_POINTER(1);

		if (state == NULL)
			state = distributions_create(context, other->count);
		check_same_length(other->count, state->count, "the row before");
		for (int i = 0; i < state->count; i++)
			value_list_append(state->list[i], other->list[i]);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* How many dimensions, and each list as it writes itself, after its length. */
Datum
distributions_serialize(PG_FUNCTION_ARGS)
{
	Distributions *state = (Distributions *) PG_GETARG_POINTER(0);
	StringInfoData buf;

	get_aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	pq_sendint32(&buf, state->count);
	for (int i = 0; i < state->count; i++)
	{
		bytea	   *values = value_list_serialize(state->list[i]);

		pq_sendint32(&buf, VARSIZE(values));
		pq_sendbytes(&buf, (char *) values, VARSIZE(values));
		pfree(values);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
distributions_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	StringInfoData buf;
	Distributions *state;
	int			count;

	get_aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	buf.data = VARDATA_ANY(bytes);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(bytes);
	buf.cursor = 0;
	count = (int) pq_getmsgint(&buf, 4);
	if (count < 0 || count > DIMENSIONS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible count")));
	state = distributions_create(CurrentMemoryContext, count);
	for (int i = 0; i < count; i++)
	{
		int			length = (int) pq_getmsgint(&buf, 4);
		bytea	   *values;

		if (length < VARHDRSZ || length > buf.len - buf.cursor)
			ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
							errmsg("an aggregate state is cut off")));
		/* a copy of its own, aligned; of the length that is there, whatever it says */
		values = palloc(length);
		memcpy(values, pq_getmsgbytes(&buf, length), length);
		SET_VARSIZE(values, length);
		state->list[i] = value_list_deserialize(values, CurrentMemoryContext);
		pfree(values);
	}
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

/* One row a dimension: scale_stats, and the distribution. */
Datum
dimension_distributions_final(PG_FUNCTION_ARGS)
{
	Distributions *state;
	Oid			row_type;
	TupleDesc	desc;
	Datum	   *rows;
	int16		length;
	bool		by_value;
	char		alignment;
	ArrayType  *result;

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (Distributions *) PG_GETARG_POINTER(0);
	row_type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
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
