/*
 * outcomes.c
 *	  Aggregate state of the measures that compare good and bad customers: the
 *	  values of both, kept whole.
 *
 * woe_bins(), auc(), ks() and gini() share it, with its combine, serialize
 * and deserialize functions.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "utils/memutils.h"

#include "rating/outcomes.h"

PG_FUNCTION_INFO_V1(outcomes_combine);
PG_FUNCTION_INFO_V1(outcomes_serialize);
PG_FUNCTION_INFO_V1(outcomes_deserialize);

#define STATE_VERSION 1

static Outcomes *
outcomes_create(MemoryContext context, int32 parameter)
{
	Outcomes   *state = MemoryContextAllocZero(context, sizeof(Outcomes));

	state->good = value_list_create(context, parameter);
	state->bad = value_list_create(context, parameter);
	return state;
}

static Outcomes *
get_state(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : (Outcomes *) PG_GETARG_POINTER(argument);
}

static void
check_same_parameter(int32 one, int32 other)
{
	if (one != other)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of bins changes from %d to %d within one group",
							   Min(one, other), Max(one, other)),
						errhint("Use one number for all rows of a group.")));
}

Outcomes *
outcomes_add(FunctionCallInfo fcinfo, int32 parameter, const char *what)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	Outcomes   *state = get_state(fcinfo, 0);
	bool		bad;

	if (state == NULL)
		state = outcomes_create(context, parameter);
	else
		check_same_parameter(state->good->parameter, parameter);
	if (PG_ARGISNULL(2))
		return state;
	bad = PG_GETARG_BOOL(2);
	if (PG_ARGISNULL(1))
	{
		if (bad)
			state->bad_null++;
		else
			state->good_null++;
		return state;
	}
	if (isnan(PG_GETARG_FLOAT8(1)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not be NaN", what),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
	value_list_add(bad ? state->bad : state->good, PG_GETARG_FLOAT8(1));
	return state;
}

Datum
outcomes_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	Outcomes   *state = get_state(fcinfo, 0);
	const Outcomes *other = get_state(fcinfo, 1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = outcomes_create(context, other->good->parameter);
	else
		check_same_parameter(state->good->parameter, other->good->parameter);
	value_list_append(state->good, other->good);
	value_list_append(state->bad, other->bad);
	state->good_null += other->good_null;
	state->bad_null += other->bad_null;
	PG_RETURN_POINTER(state);
}

Datum
outcomes_serialize(PG_FUNCTION_ARGS)
{
	Outcomes   *state = (Outcomes *) PG_GETARG_POINTER(0);
	const ValueList *lists[2];
	StringInfoData buf;

	get_aggregate_context(fcinfo);
	lists[0] = state->good;
	lists[1] = state->bad;
	pq_begintypsend(&buf);
	pq_sendbyte(&buf, STATE_VERSION);
	pq_sendint64(&buf, state->good_null);
	pq_sendint64(&buf, state->bad_null);
	for (int i = 0; i < 2; i++)
	{
		bytea	   *bytes = value_list_serialize(lists[i]);

		pq_sendint32(&buf, VARSIZE_ANY_EXHDR(bytes));
		pq_sendbytes(&buf, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		pfree(bytes);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static ValueList *
receive_list(StringInfo buf)
{
	int32		length = (int32) pq_getmsgint(buf, 4);
	bytea	   *bytes;
	ValueList  *list;

	if (length < 0 || length > buf->len - buf->cursor)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state is cut off")));
	bytes = palloc(length + VARHDRSZ);
	SET_VARSIZE(bytes, length + VARHDRSZ);
	memcpy(VARDATA(bytes), pq_getmsgbytes(buf, length), length);
	list = value_list_deserialize(bytes, CurrentMemoryContext);
	pfree(bytes);
	return list;
}

Datum
outcomes_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	StringInfoData buf;
	Outcomes   *state;

	get_aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	buf.data = VARDATA_ANY(bytes);
	buf.len = VARSIZE_ANY_EXHDR(bytes);
	buf.maxlen = buf.len;
	buf.cursor = 0;

	if (pq_getmsgbyte(&buf) != STATE_VERSION)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("unknown version of an aggregate state")));
	state = palloc0(sizeof(Outcomes));
	state->good_null = pq_getmsgint64(&buf);
	state->bad_null = pq_getmsgint64(&buf);
	state->good = receive_list(&buf);
	state->bad = receive_list(&buf);
	if (state->good_null < 0 || state->bad_null < 0 ||
		state->good->parameter != state->bad->parameter)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state contains an impossible count")));
	pq_getmsgend(&buf);
	PG_RETURN_POINTER(state);
}

SortedOutcomes
outcomes_sorted(const Outcomes *outcomes)
{
	SortedOutcomes sorted;

	sorted.goods = outcomes->good->count;
	sorted.bads = outcomes->bad->count;
	sorted.good = sorted.goods > 0 ? value_list_sorted(outcomes->good) : NULL;
	sorted.bad = sorted.bads > 0 ? value_list_sorted(outcomes->bad) : NULL;
	return sorted;
}
