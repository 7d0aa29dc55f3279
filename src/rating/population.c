/*
 * population.c
 *	  The values of a population: the state that percentile_scale(), scale_stats()
 *	  and gini_concentration() have in common, so that PostgreSQL keeps it once
 *	  where a query asks for several of them.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "rating/population.h"

PG_FUNCTION_INFO_V1(population_accum);
PG_FUNCTION_INFO_V1(population_combine);

static void
check_value_not_nan(double value)
{
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to measure must not be NaN"),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
}

static void
population_serialize(StringInfo buf, const void *state)
{
	value_list_send(buf, state);
}

static void *
population_deserialize(StringInfo buf)
{
	ValueList  *list = value_list_receive(buf);

	if (list->parameter != 0)
		report_bad_partial_state("It has a parameter.");
	return list;
}

static void
population_add(void *state, const void *other)
{
	value_list_append(state, other);
}

const PartialStateKind population_kind = {
	PARTIAL_STATE_POPULATION, population_serialize, population_deserialize, population_add
};

/* population_accum(state partial_state, value float8) -> partial_state */
Datum
population_accum(PG_FUNCTION_ARGS)
{
	PartialState *partial = partial_state_update(fcinfo, &population_kind);

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		check_value_not_nan(value);
		if (partial == NULL)
			partial = population_create(fcinfo);
		value_list_add(partial->state, value);
	}
	PG_RETURN_PARTIAL_STATE(partial);
}

Datum
population_combine(PG_FUNCTION_ARGS)
{
	return partial_state_combine(fcinfo, &population_kind);
}
