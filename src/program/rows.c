/*
 * rows.c
 *	  execute_with_rows(query, name, statement): a statement that reads the
 *	  rows of a query under a name, as if they were a table.
 *
 * Why this is not one statement with the query as a common table expression:
 * a statement that writes is never given parallel workers, and the query is
 * most of the work.  Why it is no table: the rows are kept in memory, or in a
 * temporary file beyond work_mem, are gone at the end, and leave nothing in the
 * catalogs.  The statement is planned with the number of rows there are.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

/* Where the rows come by a cursor (before PostgreSQL 14). */
#define ROWS_AT_ONCE 1000

PG_FUNCTION_INFO_V1(execute_with_rows);

/* Put the rows of a query into a store; returns how they look. */
static TupleDesc
store_rows(const char *query, Tuplestorestate *store)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_PARALLEL_OK);
	CachedPlanSource *source;
	TupleDesc	desc;

	if (plan == NULL)
		elog(ERROR, "could not prepare the query of the rows: %s",
			 SPI_result_code_string(SPI_result));
	if (!SPI_is_cursor_plan(plan))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query of the rows must be one SELECT")));
	source = linitial(SPI_plan_get_plan_sources(plan));
	desc = CreateTupleDescCopy(source->resultDesc);

#if PG_VERSION_NUM >= 140000
	{
		DestReceiver *receiver = CreateDestReceiver(DestTuplestore);
		SPIExecuteOptions options = {.dest = receiver};

		SetTuplestoreDestReceiverParams(receiver, store, CurrentMemoryContext, false, NULL,
										NULL);
		SPI_execute_plan_extended(plan, &options);
		receiver->rDestroy(receiver);
	}
#else
	{
		/* Without parallel workers, which a cursor cannot have. */
		Portal		portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);

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
 * execute_with_rows(query, name, statement): what the statement returns, which
 * has to be one value of type bigint[].  Both run with the caller's rights.
 * Errors: invalid_parameter_value for anything else.
 */
Datum
execute_with_rows(PG_FUNCTION_ARGS)
{
	const char *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *statement = text_to_cstring(PG_GETARG_TEXT_PP(2));
	EphemeralNamedRelationData rows = {0};
	Tuplestorestate *store;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Datum		result;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	store = tuplestore_begin_heap(false, false, work_mem);
	rows.md.name = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	rows.md.enrtype = ENR_NAMED_TUPLESTORE;
	rows.md.tupdesc = store_rows(query, store);
	rows.md.enrtuples = tuplestore_tuple_count(store);
	rows.reldata = store;
	SPI_register_relation(&rows);

	if (SPI_execute(statement, false, 0) != SPI_OK_SELECT || SPI_processed != 1 ||
		SPI_gettypeid(SPI_tuptable->tupdesc, 1) != INT8ARRAYOID)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the statement must be a SELECT of one row with a bigint[]")));
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
