/*
 * rows.c
 *	  execute_with_rows(query, name, statement, constants): a statement that
 *	  reads the rows of a query under a name, as if they were a table.
 *
 * Why this is not one statement with the query as a common table expression:
 * a statement that writes is never given parallel workers, and the query is
 * most of the work.  Why it is no table: the rows are kept in memory, or in a
 * temporary file beyond work_mem, are gone at the end, and leave nothing in the
 * catalogs.  The statement is planned with the number of rows there are.
 *
 * What the query needs once, and not for every row, comes as its parameters.
 * As subqueries they would be worked out in the leading process, and all that
 * looks at them, too (before PostgreSQL 17); as literals the plan would carry
 * them, and scales have megabytes.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

/* Where the rows come by a cursor (before PostgreSQL 14). */
#define ROWS_AT_ONCE 1000

#define MAX_CONSTANTS 32

PG_FUNCTION_INFO_V1(execute_with_rows);

/* The columns of the one row of a query, as parameters. */
static ParamListInfo
read_constants(const char *query, Oid *types)
{
	ParamListInfo constants;
	TupleDesc	desc;

	if (SPI_execute(query, false, 2) != SPI_OK_SELECT || SPI_processed != 1 ||
		SPI_tuptable->tupdesc->natts > MAX_CONSTANTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query of the constants must be a SELECT of one row with at most %d columns",
							   MAX_CONSTANTS)));
	desc = SPI_tuptable->tupdesc;
	constants = makeParamList(desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		ParamExternData *constant = &constants->params[i];

		constant->ptype = types[i] = SPI_gettypeid(desc, i + 1);
		constant->pflags = 0;	/* what PARAM_FLAG_CONST would put into the plan */
		constant->value =
			SPI_getbinval(SPI_tuptable->vals[0], desc, i + 1, &constant->isnull);
	}
	return constants;
}

/* Put the rows of a query into a store; returns how they look. */
static TupleDesc
store_rows(const char *query, const char *constants, Tuplestorestate *store)
{
	Oid			types[MAX_CONSTANTS];
	ParamListInfo params = constants == NULL ? NULL : read_constants(constants, types);
	SPIPlanPtr	plan = SPI_prepare_cursor(query, params == NULL ? 0 : params->numParams, types,
										  CURSOR_OPT_PARALLEL_OK);
	CachedPlanSource *source;
	TupleDesc	desc;

	if (plan == NULL)
		elog(ERROR, "could not prepare the query of the rows: %s",
			 SPI_result_code_string(SPI_result));
	if (!SPI_is_cursor_plan(plan))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query of the rows must be one that returns rows")));
	source = linitial(SPI_plan_get_plan_sources(plan));
	desc = CreateTupleDescCopy(source->resultDesc);

#if PG_VERSION_NUM >= 140000
	{
		DestReceiver *receiver = CreateDestReceiver(DestTuplestore);
		SPIExecuteOptions options = {.params = params, .dest = receiver};

		SetTuplestoreDestReceiverParams(receiver, store, CurrentMemoryContext, false, NULL,
										NULL);
		SPI_execute_plan_extended(plan, &options);
		receiver->rDestroy(receiver);
	}
#else
	{
		/* Without parallel workers, which a cursor cannot have. */
		Portal		portal = SPI_cursor_open_with_paramlist(NULL, plan, params, false);

		do
		{
			SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
			for (uint64 i = 0; i < SPI_processed; i++)
				tuplestore_puttuple(store, SPI_tuptable->vals[i]);
			SPI_freetuptable(SPI_tuptable);
		} while (SPI_processed > 0);
		SPI_cursor_close(portal);
	}
#endif
	SPI_freeplan(plan);
	return desc;
}

/*
 * execute_with_rows(query, name, statement, constants): what the statement
 * returns, which has to be one value of type bigint[].  The columns of the one
 * row of constants, unless that is NULL, are $1, $2 ... of the query.  All run
 * with the caller's rights, each in a snapshot of its own.
 * Errors: invalid_parameter_value for anything else.
 */
Datum
execute_with_rows(PG_FUNCTION_ARGS)
{
	const char *query;
	const char *statement;
	const char *constants;
	EphemeralNamedRelationData rows = {0};
	Tuplestorestate *store;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	statement = text_to_cstring(PG_GETARG_TEXT_PP(2));
	constants = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	store = tuplestore_begin_heap(false, false, work_mem);
	rows.md.name = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	rows.md.enrtype = ENR_NAMED_TUPLESTORE;
	rows.md.tupdesc = store_rows(query, constants, store);
	rows.md.enrtuples = tuplestore_tuple_count(store);
	rows.reldata = store;
	SPI_register_relation(&rows);

	if (SPI_execute(statement, false, 0) != SPI_OK_SELECT || SPI_processed != 1 ||
		SPI_gettypeid(SPI_tuptable->tupdesc, 1) != INT8ARRAYOID)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the statement must return one row with a bigint[], as a SELECT")));
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		spi = MemoryContextSwitchTo(caller);
		result = datumCopy(result, false, -1);
		MemoryContextSwitchTo(spi);
	}
	SPI_unregister_relation(rows.md.name);
	tuplestore_end(store);
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
