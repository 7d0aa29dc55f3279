/*
 * refresh.c
 *	  CALL customer_tier.refresh(program, as_of) and fit(program, as_of): the
 *	  frame around the phases of a run, which are SQL (052_fit.sql,
 *	  060_refresh.sql).
 *
 * The frame decides three things.
 *
 * Transactions.  Readers see the old ratings or the new, so everything they
 * see is one transaction.  Called in autocommit, a record of the start is
 * committed first, and a failure is recorded too: the phases then run in a
 * subtransaction, which is rolled back, the record is written, committed, and
 * the error raised again.  Called inside a transaction block, a function or a
 * DO block, the run is part of that, and leaves nothing if it rolls back.
 *
 * Whose rights.  The phases run as the owner of the program's schema (see
 * owner.c): whoever starts the run, and a scheduler is often a superuser, lends
 * it no rights.
 *
 * Progress.  Each phase shows as the session's query in pg_stat_activity.
 */
#include "postgres.h"

#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "program/owner.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#if PG_VERSION_NUM >= 140000
#include "utils/backend_status.h"
#else
#include "pgstat.h"
#endif

typedef struct Phase
{
	const char *progress; /* shown in pg_stat_activity */
	const char *sql;	  /* $1 schema, $2 run */
} Phase;

static const Phase refresh_phases[] = {
	{"waiting for its turn", "SELECT customer_tier.refresh_lock($1, $2)"},
	{"checking the program", "SELECT customer_tier.refresh_check($1, $2)"},
	{"reading the source", "SELECT customer_tier.refresh_history($1, $2)"},
	{"fitting the models", "SELECT customer_tier.refresh_fit($1, $2)"},
	{"measuring the scales", "SELECT customer_tier.refresh_measure($1, $2)"},
	{"scoring the forecasts", "SELECT customer_tier.refresh_score($1, $2)"},
	{"publishing the ratings", "SELECT customer_tier.refresh_publish($1, $2)"},
};

static const Phase fit_phases[] = {
	{"waiting for its turn", "SELECT customer_tier.refresh_lock($1, $2)"},
	{"checking the program", "SELECT customer_tier.refresh_check($1, $2)"},
	{"fitting the models", "SELECT customer_tier.fit_publish($1, $2)"},
};

/* What a run does. */
typedef struct RunKind
{
	const char *name;
	const Phase *phases;
	int n_phases;
} RunKind;

static const RunKind refresh_kind = {"refresh", refresh_phases, lengthof(refresh_phases)};
static const RunKind fit_kind = {"fit", fit_phases, lengthof(fit_phases)};

typedef struct Run
{
	const RunKind *kind;
	const char *program;
	const char *schema;
	Oid owner; /* of the schema: whose rights we use */
	int64 run_id;
	const char *progress; /* the phase at hand */
} Run;

/*
 * Run one statement as the owner of the program.  Returns what it returns, one
 * value in the memory of SPI.
 */
static Datum
execute_as_owner(Run *run, const char *sql, int nargs, Oid *types, Datum *values,
				 const char *nulls)
{
	OwnerScope scope;
	Datum result;
	bool isnull;

	owner_enter(&scope, run->owner);
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0) !=
			SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "unexpected result of \"%s\"", sql);
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	owner_leave(&scope);
	return isnull ? (Datum) 0 : result;
}

/* Write the record of the start. */
static void
start_run(Run *run, bool has_as_of, DateADT as_of)
{
	Oid types[3] = {NAMEOID, DATEOID, TEXTOID};
	Datum values[3];
	NameData schema;

	namestrcpy(&schema, run->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = DateADTGetDatum(as_of);
	values[2] = CStringGetTextDatum(run->kind->name);
	run->run_id = DatumGetInt64(
		execute_as_owner(run, "SELECT customer_tier.refresh_start($1, $2, $3)", 3, types,
						 values, has_as_of ? NULL : " n "));
}

/* Do the work. */
static void
run_phases(Run *run)
{
	Oid types[2] = {NAMEOID, INT8OID};
	Datum values[2];
	NameData schema;

	namestrcpy(&schema, run->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = Int64GetDatum(run->run_id);

	for (int i = 0; i < run->kind->n_phases; i++)
	{
		CHECK_FOR_INTERRUPTS();
		run->progress = run->kind->phases[i].progress;
		pgstat_report_activity(
			STATE_RUNNING,
			psprintf("customer_tier.%s of %s, run " INT64_FORMAT ": %s (%d of %d)",
					 run->kind->name, run->program, run->run_id,
					 run->kind->phases[i].progress, i + 1, run->kind->n_phases));
		(void) execute_as_owner(run, run->kind->phases[i].sql, 2, types, values, NULL);
	}
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
}

/* Record that the run failed, and why. */
static void
record_failure(Run *run, ErrorData *error)
{
	Oid types[4] = {NAMEOID, INT8OID, TEXTOID, TEXTOID};
	Datum values[4];
	NameData schema;

	namestrcpy(&schema, run->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = Int64GetDatum(run->run_id);
	values[2] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[3] = CStringGetTextDatum(error->message ? error->message : "unknown error");
	(void) execute_as_owner(run, "SELECT customer_tier.refresh_fail($1, $2, $3, $4)",
							4, types, values, NULL);
}

/* Called in autocommit: commit the start, do the work, record what became of it. */
static void
run_recorded(Run *run, bool has_as_of, DateADT as_of)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner;
	ErrorData *volatile error = NULL;

	start_run(run, has_as_of, as_of);
	SPI_commit();
	SPI_start_transaction();
	MemoryContextSwitchTo(context);

	owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_phases(run);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	if (error != NULL)
	{
		pgstat_report_activity(STATE_RUNNING, debug_query_string);
		record_failure(run, error);
		SPI_commit();
		SPI_start_transaction();
		/* The phases' own SQL says nothing to whoever called us. */
		error->context = psprintf("%s, %s of program \"%s\"", run->progress, run->kind->name,
								  run->program);
		ReThrowError(error);
	}
}

/* The body of both procedures: (program text, as_of date default null). */
static void
run_program(FunctionCallInfo fcinfo, const RunKind *kind)
{
	bool atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
					!castNode(CallContext, fcinfo->context)->atomic);
	bool has_as_of = !PG_ARGISNULL(1);
	DateADT as_of = has_as_of ? PG_GETARG_DATEADT(1) : 0;
	Run run = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the program to %s must not be NULL", kind->name),
						errhint("CALL customer_tier.%s('name of the program').", kind->name)));

	if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");

	/* In the context of SPI: it outlives the transactions of a procedure. */
	run.kind = kind;
	run.program = text_to_cstring(PG_GETARG_TEXT_PP(0));
	/* A block that may commit brings a snapshot from before its own statements. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	run.owner = program_find(run.program, run.kind->name, &run.schema);
	PopActiveSnapshot();

	if (atomic)
	{
		start_run(&run, has_as_of, as_of);
		run_phases(&run);
	}
	else
		run_recorded(&run, has_as_of, as_of);

	SPI_finish();
}

PG_FUNCTION_INFO_V1(refresh);

/* PROCEDURE refresh(program text, as_of date default null) */
Datum
refresh(PG_FUNCTION_ARGS)
{
	run_program(fcinfo, &refresh_kind);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(fit);

/* PROCEDURE fit(program text, as_of date default null) */
Datum
fit(PG_FUNCTION_ARGS)
{
	run_program(fcinfo, &fit_kind);
	PG_RETURN_VOID();
}
