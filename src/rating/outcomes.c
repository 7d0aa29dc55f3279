/*
 * outcomes.c
 *	  Aggregate state of the measures that compare good and bad customers: the
 *	  values of both, kept whole.
 *
 * woe_bins(), auc(), ks() and gini() share it, and its combine function.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "utils/memutils.h"

#include "rating/outcomes.h"

PG_FUNCTION_INFO_V1(outcomes_combine);

static Outcomes *
outcomes_create(MemoryContext context, int32 parameter)
{
	Outcomes   *state = MemoryContextAllocZero(context, sizeof(Outcomes));

	state->good = value_list_create(context, parameter);
	state->bad = value_list_create(context, parameter);
	return state;
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

static void
outcomes_serialize(StringInfo buf, const void *state)
{
	const Outcomes *outcomes = state;

	pq_sendint64(buf, outcomes->good_null);
	pq_sendint64(buf, outcomes->bad_null);
	value_list_send(buf, outcomes->good);
	value_list_send(buf, outcomes->bad);
}

static void *
outcomes_deserialize(StringInfo buf)
{
	Outcomes   *outcomes = palloc0(sizeof(Outcomes));
	int32		bins;

	outcomes->good_null = partial_state_get_count(buf);
	outcomes->bad_null = partial_state_get_count(buf);
	outcomes->good = value_list_receive(buf);
	outcomes->bad = value_list_receive(buf);
	bins = outcomes->good->parameter;
	if (bins != outcomes->bad->parameter || (bins != 0 && (bins < BINS_MIN || bins > BINS_MAX)))
		report_bad_partial_state("Its number of bins is out of range.");
	return outcomes;
}

static void
outcomes_join(void *state, const void *other)
{
	Outcomes   *outcomes = state;
	const Outcomes *more = other;

	check_same_parameter(outcomes->good->parameter, more->good->parameter);
	value_list_append(outcomes->good, more->good);
	value_list_append(outcomes->bad, more->bad);
	partial_state_add_count(&outcomes->good_null, more->good_null);
	partial_state_add_count(&outcomes->bad_null, more->bad_null);
}

const PartialStateKind outcomes_kind = {
	PARTIAL_STATE_OUTCOMES, outcomes_serialize, outcomes_deserialize, outcomes_join
};

PartialState *
outcomes_add(FunctionCallInfo fcinfo, int32 parameter, const char *what)
{
	PartialState *partial = partial_state_update(fcinfo, &outcomes_kind);
	Outcomes   *state;
	bool		bad;

	if (partial == NULL)
	{
		partial = partial_state_create(fcinfo, &outcomes_kind);
		partial->state = outcomes_create(partial->header.eoh_context, parameter);
	}
	state = partial->state;
	check_same_parameter(state->good->parameter, parameter);
	if (PG_ARGISNULL(2))
		return partial;
	bad = PG_GETARG_BOOL(2);
	if (PG_ARGISNULL(1))
	{
		if (bad)
			state->bad_null++;
		else
			state->good_null++;
		return partial;
	}
	if (isnan(PG_GETARG_FLOAT8(1)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not be NaN", what),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
	value_list_add(bad ? state->bad : state->good, PG_GETARG_FLOAT8(1));
	return partial;
}

Datum
outcomes_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &outcomes_kind);
}

SortedOutcomes
outcomes_sorted(const Outcomes *outcomes)
{
	SortedOutcomes sorted;

	sorted.goods = outcomes->good->count;
	sorted.bads = outcomes->bad->count;
	sorted.good = sorted.goods > 0 ? value_list_in_order(outcomes->good) : NULL;
	sorted.bad = sorted.bads > 0 ? value_list_in_order(outcomes->bad) : NULL;
	return sorted;
}
