/*
 * steps.c
 *	  execute_steps(steps): statements one after the other, of which some keep
 *	  their rows under a name, for the later ones to read as a table.
 *
 * Why this is not one statement with the query as a common table expression:
 * a statement that writes is never given parallel workers, and the query is
 * most of the work.  Why it is no table: the rows are kept in memory, or in a
 * temporary file beyond work_mem, are gone at the end, and leave nothing in the
 * catalogs.  A statement is planned with the number of rows there are.
 *
 * What a query needs once, and not for every row, comes as its parameters.  As
 * subqueries they would be worked out in the leading process, and all that
 * looks at them, too (before PostgreSQL 17); as literals the plan would carry
 * them, and scales have megabytes.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

/* Where the rows come by a cursor (before PostgreSQL 14). */
#define ROWS_AT_ONCE 1000

#define MAX_CONSTANTS 32

/* The columns of customer_tier.step. */
enum
{
	STEP_NAME,
	STEP_STATEMENT,
	STEP_CONSTANTS,
	STEP_COLUMNS
};

PG_FUNCTION_INFO_V1(execute_steps);

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

/* Keep the rows of a query in a store of its own, under a name. */
static Tuplestorestate *
keep_rows(const char *name, const char *query, const char *constants)
{
	EphemeralNamedRelation rows = palloc0(sizeof(EphemeralNamedRelationData));
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);

	rows->md.name = pstrdup(name);
	rows->md.enrtype = ENR_NAMED_TUPLESTORE;
	rows->md.tupdesc = store_rows(query, constants, store);
	rows->md.enrtuples = tuplestore_tuple_count(store);
	rows->reldata = store;
	if (SPI_register_relation(rows) != SPI_OK_REL_REGISTER)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_ALIAS),
						errmsg("two steps keep rows as \"%s\"", name)));
	return store;
}

/* Execute a statement; returns how many rows it wrote or returned. */
static int64
execute_statement(const char *statement, const char *constants)
{
	int			result;

	if (constants == NULL)
		result = SPI_execute(statement, false, 0);
	else
	{
		Oid			types[MAX_CONSTANTS];
		Datum		values[MAX_CONSTANTS];
		char		nulls[MAX_CONSTANTS];
		ParamListInfo params = read_constants(constants, types);

		for (int i = 0; i < params->numParams; i++)
		{
			values[i] = params->params[i].value;
			nulls[i] = params->params[i].isnull ? 'n' : ' ';
		}
		result = SPI_execute_with_args(statement, params->numParams, types, values, nulls,
									   false, 0);
	}
	if (result < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a step cannot be executed: %s", SPI_result_code_string(result))));
	SPI_freetuptable(SPI_tuptable);
	return (int64) SPI_processed;
}

/*
 * execute_steps(steps customer_tier.step[]): executes the statements in turn,
 * with the caller's rights, each in a snapshot of its own; returns how many
 * rows each kept, wrote or returned.  A step with a name keeps its rows, and
 * has to be a query.  The columns of the one row of its constants, unless that
 * is NULL, are $1, $2 ... of the statement.
 * Errors: null_value_not_allowed for a step without a statement,
 * duplicate_alias for a name that occurs twice, invalid_parameter_value for
 * anything else.
 */
Datum
execute_steps(PG_FUNCTION_ARGS)
{
	ArrayType  *steps = PG_GETARG_ARRAYTYPE_P(0);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Datum	   *elements;
	bool	   *nulls;
	Datum	   *counts;
	Tuplestorestate **stores;
	int			nsteps;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	ArrayType  *result;

	get_typlenbyvalalign(ARR_ELEMTYPE(steps), &typlen, &typbyval, &typalign);
	deconstruct_array(steps, ARR_ELEMTYPE(steps), typlen, typbyval, typalign, &elements, &nulls,
					  &nsteps);
	counts = palloc(sizeof(Datum) * nsteps);
	stores = palloc0(sizeof(Tuplestorestate *) * nsteps);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");

	for (int i = 0; i < nsteps; i++)
	{
		Datum		values[STEP_COLUMNS];
		bool		is_null[STEP_COLUMNS];
		const char *statement;
		const char *constants;
		HeapTupleHeader step;
		HeapTupleData tuple;
		TupleDesc	desc;

		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("step %d is NULL", i + 1)));
		step = DatumGetHeapTupleHeader(elements[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(step);
		tuple.t_data = step;
		desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(step), HeapTupleHeaderGetTypMod(step));
		heap_deform_tuple(&tuple, desc, values, is_null);
		ReleaseTupleDesc(desc);
		if (is_null[STEP_STATEMENT])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("step %d has no statement", i + 1)));
		statement = TextDatumGetCString(values[STEP_STATEMENT]);
		constants = is_null[STEP_CONSTANTS] ? NULL : TextDatumGetCString(values[STEP_CONSTANTS]);
		if (is_null[STEP_NAME])
			counts[i] = Int64GetDatum(execute_statement(statement, constants));
		else
		{
			stores[i] = keep_rows(NameStr(*DatumGetName(values[STEP_NAME])), statement, constants);
			counts[i] = Int64GetDatum(tuplestore_tuple_count(stores[i]));
		}
	}

	spi = MemoryContextSwitchTo(caller);
	result = construct_array(counts, nsteps, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	MemoryContextSwitchTo(spi);
	for (int i = 0; i < nsteps; i++)
		if (stores[i] != NULL)
			tuplestore_end(stores[i]);
	/* The names go with the connection. */
	SPI_finish();
	PG_RETURN_ARRAYTYPE_P(result);
}
