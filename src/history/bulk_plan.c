/*
 * bulk_plan.c
 *	  What the planner is told of histories(): how many customers there are.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_statistic.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(histories_support);

/* The distinct values of a column as ANALYZE saw them; 0 if it did not. */
static double
distinct_values(Oid relation, AttrNumber column, double rows)
{
	/* of a relation with its children, where there are any */
	for (int inherited = 1; inherited >= 0; inherited--)
	{
		HeapTuple	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation),
											Int16GetDatum(column), BoolGetDatum(inherited));
		double		distinct;

		if (!HeapTupleIsValid(tuple))
			continue;
		distinct = ((Form_pg_statistic) GETSTRUCT(tuple))->stadistinct;
		ReleaseSysCache(tuple);
		return distinct < 0 ? -distinct * rows : distinct;
	}
	return 0;
}

static double
relation_rows(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	double		rows;

	if (!HeapTupleIsValid(tuple))
		return 0;
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	ReleaseSysCache(tuple);
	return rows;
}

static Const *
constant_argument(Node *call, int number)
{
	Node	   *argument;

	if (call == NULL || !IsA(call, FuncExpr) || list_length(((FuncExpr *) call)->args) <= number)
		return NULL;
	argument = (Node *) list_nth(((FuncExpr *) call)->args, number);
	return IsA(argument, Const) && !((Const *) argument)->constisnull ? (Const *) argument : NULL;
}

Datum
histories_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestRows))
	{
		SupportRequestRows *rows = (SupportRequestRows *) request;
		Const	   *source = constant_argument(rows->node, 0);
		Const	   *customer = constant_argument(rows->node, 1);

		if (source != NULL && customer != NULL)
		{
			Oid			relation = DatumGetObjectId(source->constvalue);
			AttrNumber	column = get_attnum(relation, NameStr(*DatumGetName(customer->constvalue)));
			double		distinct = column == InvalidAttrNumber ? 0 :
				distinct_values(relation, column, relation_rows(relation));

			if (distinct >= 1)
			{
				rows->rows = distinct;
				result = request;
			}
		}
	}
	PG_RETURN_POINTER(result);
}
