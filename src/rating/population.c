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

#include "value_list.h"

PG_FUNCTION_INFO_V1(population_accum);
PG_FUNCTION_INFO_V1(population_combine);
PG_FUNCTION_INFO_V1(population_serialize);
PG_FUNCTION_INFO_V1(population_deserialize);

static void
check_value_not_nan(double value)
{
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value to measure must not be NaN"),
						errhint("Leave such rows out, or make the value NULL with "
								"nullif(value, 'NaN').")));
}

/* population_accum(state internal, value float8) -> internal */
Datum
population_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ValueList  *list = PG_ARGISNULL(0) ? NULL : (ValueList *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		check_value_not_nan(value);
		if (list == NULL)
			list = value_list_create(context, 0);
		value_list_add(list, value);
	}
	if (list == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(list);
}

Datum
population_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ValueList  *list = PG_ARGISNULL(0) ? NULL : (ValueList *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		if (list == NULL)
			list = value_list_create(context, 0);
		value_list_append(list, (ValueList *) PG_GETARG_POINTER(1));
	}
	if (list == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(list);
}

Datum
population_serialize(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(value_list_serialize((ValueList *) PG_GETARG_POINTER(0)));
}

Datum
population_deserialize(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_POINTER(value_list_deserialize(PG_GETARG_BYTEA_PP(0), CurrentMemoryContext));
}
