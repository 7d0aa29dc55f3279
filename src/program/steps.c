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
 * Scores are the exception: they are packed while the rows come (scores.c),
 * and kept under a name of their own, since nearly all of them are new.
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

#include "scores.h"

/* Where the rows come by a cursor (before PostgreSQL 14). */
#define ROWS_AT_ONCE 1000

#define MAX_CONSTANTS 32

/* The columns of customer_tier.step. */
enum
{
	STEP_NAME,
	STEP_STATEMENT,
	STEP_CONSTANTS,
	STEP_SCORES,
	STEP_BLOCKS,
	STEP_FREE_PLACE,
	STEP_CUSTOMERS,
	STEP_COLUMNS
};

/* A step, as C. */
typedef struct Step
{
	char	   *name;
	char	   *statement;
	char	   *constants;
	char	   *scores;
	char	   *blocks;
	char	   *free_place;
	int64		customers;		/* -1 = any number */
} Step;

/* Rows on their way into a store, and their scores into blocks, if they are packed. */
typedef struct StepReceiver
{
	DestReceiver pub;
	Scores	   *scores;
	Tuplestorestate *rows;
} StepReceiver;

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

static bool
receive_row(TupleTableSlot *row, DestReceiver *self)
{
	StepReceiver *receiver = (StepReceiver *) self;

	if (receiver->scores != NULL)
		scores_take(receiver->scores, row, receiver->rows);
	else
		tuplestore_puttupleslot(receiver->rows, row);
	return true;
}

static void
receive_start(pg_attribute_unused() DestReceiver *self, pg_attribute_unused() int operation,
			  pg_attribute_unused() TupleDesc desc)
{
}

static void
receive_end(pg_attribute_unused() DestReceiver *self)
{
}

/* A receiver that puts rows into a store; with scores through scores_take(). */
static StepReceiver
make_receiver(Scores *scores, Tuplestorestate *rows)
{
	StepReceiver receiver = {.scores = scores, .rows = rows};

	receiver.pub.receiveSlot = receive_row;
	receiver.pub.rStartup = receive_start;
	receiver.pub.rShutdown = receive_end;
	receiver.pub.rDestroy = receive_end;
	receiver.pub.mydest = DestTuplestore;
	return receiver;
}

/*
 * Put the rows of a query into a store; with scores only those that differ,
 * and the scores of all of them there.  Returns how rows look.
 */
static TupleDesc
store_rows(const Step *step, Scores *scores, Tuplestorestate *store)
{
	Oid			types[MAX_CONSTANTS];
	ParamListInfo params = step->constants == NULL ? NULL : read_constants(step->constants, types);
	SPIPlanPtr	plan = SPI_prepare_cursor(step->statement, params == NULL ? 0 : params->numParams,
										  types, CURSOR_OPT_PARALLEL_OK);
	CachedPlanSource *source;
	TupleDesc	desc;
	StepReceiver receiver = make_receiver(scores, store);

	if (plan == NULL)
		elog(ERROR, "could not prepare the query of the rows: %s",
			 SPI_result_code_string(SPI_result));
	if (!SPI_is_cursor_plan(plan))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query of the rows must be one that returns rows")));
	source = linitial(SPI_plan_get_plan_sources(plan));
	desc = CreateTupleDescCopy(source->resultDesc);
	if (scores != NULL)
		scores_check(scores, desc);

#if PG_VERSION_NUM >= 140000
	{
		SPIExecuteOptions options = {.params = params, .dest = &receiver.pub};

		SPI_execute_plan_extended(plan, &options);
	}
#else
	{
		/* Without parallel workers, which a cursor cannot have. */
		Portal		portal = SPI_cursor_open_with_paramlist(NULL, plan, params, false);
		TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);

		do
		{
			SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
			for (uint64 i = 0; i < SPI_processed; i++)
			{
				ExecStoreHeapTuple(SPI_tuptable->vals[i], slot, false);
				receive_row(slot, &receiver.pub);
			}
			ExecClearTuple(slot);
			SPI_freetuptable(SPI_tuptable);
		} while (SPI_processed > 0);
		ExecDropSingleTupleTableSlot(slot);
		SPI_cursor_close(portal);
	}
#endif
	SPI_freeplan(plan);
	return desc;
}

/* Let later statements read a store under a name. */
static void
name_rows(const char *name, TupleDesc desc, Tuplestorestate *store)
{
	EphemeralNamedRelation rows = palloc0(sizeof(EphemeralNamedRelationData));

	rows->md.name = pstrdup(name);
	rows->md.enrtype = ENR_NAMED_TUPLESTORE;
	rows->md.tupdesc = desc;
	rows->md.enrtuples = tuplestore_tuple_count(store);
	rows->reldata = store;
	if (SPI_register_relation(rows) != SPI_OK_REL_REGISTER)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_ALIAS),
						errmsg("two steps keep rows as \"%s\"", name)));
}

/*
 * Keep the rows of a query, and their scores if it says so, in stores of their
 * own, under their names; returns how many rows.
 */
static int64
keep_rows(const Step *step, List **stores)
{
	Scores	   *scores = step->scores == NULL ? NULL : scores_begin(step->blocks, step->free_place);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);

	*stores = lappend(*stores, store);
	name_rows(step->name, store_rows(step, scores, store), store);
	if (scores != NULL)
	{
		Tuplestorestate *blocks;

		if (step->customers >= 0)
			scores_check_count(scores, step->customers);
		blocks = tuplestore_begin_heap(false, false, work_mem);

		*stores = lappend(*stores, blocks);
		name_rows(step->scores, scores_put_blocks(scores, blocks), blocks);
	}
	return tuplestore_tuple_count(store);
}

/* Execute a statement; returns how many rows it wrote or returned. */
static int64
execute_statement(const Step *step)
{
	int			result;

	if (step->constants == NULL)
		result = SPI_execute(step->statement, false, 0);
	else
	{
		Oid			types[MAX_CONSTANTS];
		Datum		values[MAX_CONSTANTS];
		char		nulls[MAX_CONSTANTS];
		ParamListInfo params = read_constants(step->constants, types);

		for (int i = 0; i < params->numParams; i++)
		{
			values[i] = params->params[i].value;
			nulls[i] = params->params[i].isnull ? 'n' : ' ';
		}
		result = SPI_execute_with_args(step->statement, params->numParams, types, values, nulls,
									   false, 0);
	}
	if (result < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a step cannot be executed: %s", SPI_result_code_string(result))));
	SPI_freetuptable(SPI_tuptable);
	return (int64) SPI_processed;
}

/* A step as C; n is its number. */
static Step
read_step(Datum value, int n)
{
	HeapTupleHeader row = DatumGetHeapTupleHeader(value);
	HeapTupleData tuple;
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	Datum		values[STEP_COLUMNS];
	bool		nulls[STEP_COLUMNS];
	char	   *texts[STEP_CUSTOMERS];

	if (desc->natts != STEP_COLUMNS)
		elog(ERROR, "a step has %d columns", desc->natts);
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	tuple.t_data = row;
	heap_deform_tuple(&tuple, desc, values, nulls);
	ReleaseTupleDesc(desc);
	for (int c = 0; c < STEP_CUSTOMERS; c++)
		texts[c] = nulls[c] ? NULL
			: c == STEP_NAME || c == STEP_SCORES ? NameStr(*DatumGetName(values[c]))
			: TextDatumGetCString(values[c]);
	if (texts[STEP_STATEMENT] == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("step %d has no statement", n)));
	if (texts[STEP_SCORES] != NULL && (texts[STEP_NAME] == NULL || texts[STEP_FREE_PLACE] == NULL))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("step %d packs scores without a name of its rows or a free place", n)));
	return (Step) {texts[STEP_NAME], texts[STEP_STATEMENT], texts[STEP_CONSTANTS],
				   texts[STEP_SCORES], texts[STEP_BLOCKS], texts[STEP_FREE_PLACE],
				   nulls[STEP_CUSTOMERS] ? -1 : DatumGetInt64(values[STEP_CUSTOMERS])};
}

/*
 * execute_steps(steps customer_tier.step[]): executes the statements in turn,
 * with the caller's rights, each in a snapshot of its own; returns how many
 * rows each kept, wrote or returned.  A step with a name keeps its rows, and
 * has to be a query; with scores, which is a name, too, it keeps those rows
 * that differ and the scores of all of them in blocks (scores.c).  The columns
 * of the one row of its constants, unless that is NULL, are $1, $2 ... of the
 * statement.
 * Errors: null_value_not_allowed for a step without a statement,
 * duplicate_alias for a name that occurs twice, those of scores.c for rows and
 * blocks of scores, invalid_parameter_value for anything else.
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
	List	   *stores = NIL;
	ListCell   *cell;
	int			nsteps;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	ArrayType  *result;

	get_typlenbyvalalign(ARR_ELEMTYPE(steps), &typlen, &typbyval, &typalign);
	deconstruct_array(steps, ARR_ELEMTYPE(steps), typlen, typbyval, typalign, &elements, &nulls,
					  &nsteps);
	counts = palloc(sizeof(Datum) * nsteps);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");

	for (int i = 0; i < nsteps; i++)
	{
		Step		step;

		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("step %d is NULL", i + 1)));
		step = read_step(elements[i], i + 1);
		counts[i] = Int64GetDatum(step.name == NULL ? execute_statement(&step) : keep_rows(&step, &stores));
	}

	spi = MemoryContextSwitchTo(caller);
	result = construct_array(counts, nsteps, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	MemoryContextSwitchTo(spi);
	foreach(cell, stores)
		tuplestore_end(lfirst(cell));
	/* The names go with the connection. */
	SPI_finish();
	PG_RETURN_ARRAYTYPE_P(result);
}
