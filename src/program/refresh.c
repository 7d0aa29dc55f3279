/*
 * refresh.c
 *	  CALL customer_tier.refresh(program, as_of): the frame around the phases
 *	  of a refresh, which are SQL (060_refresh.sql).
 *
 * The frame decides three things.
 *
 * Transactions.  Readers see the old ratings or the new, so everything they
 * see is one transaction.  Called in autocommit, a record of the start is
 * committed first, and a failure is recorded too: the phases then run in a
 * subtransaction, which is rolled back, the record is written, committed, and
 * the error raised again.  Called inside a transaction block, a function or a
 * DO block, the refresh is part of that, and leaves nothing if it rolls back.
 *
 * Whose rights.  The phases run as the owner of the program's schema (see
 * owner.c): whoever starts the refresh, and a scheduler is often a superuser,
 * lends it no rights.
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

#if PG_VERSION_NUM >= 140000
#include "utils/backend_status.h"
#else
#include "pgstat.h"
#endif

typedef struct Refresh
{
	const char *program;
	const char *schema;
	Oid owner; /* of the schema: whose rights we use */
	int64 run_id;
	const char *progress; /* the phase at hand */
} Refresh;

typedef struct Phase
{
	const char *progress; /* shown in pg_stat_activity */
	const char *sql;	  /* $1 schema, $2 run */
} Phase;

static const Phase phases[] = {
	{"waiting for its turn", "SELECT customer_tier.refresh_lock($1, $2)"},
	{"checking the program", "SELECT customer_tier.refresh_check($1, $2)"},
	{"reading the source", "SELECT customer_tier.refresh_history($1, $2)"},
	{"measuring the scales", "SELECT customer_tier.refresh_measure($1, $2)"},
	{"publishing the ratings", "SELECT customer_tier.refresh_publish($1, $2)"},
};

/*
 * Run one statement as the owner of the program.  Returns what it returns, one
 * value in the memory of SPI.
 */
static Datum
execute_as_owner(Refresh *refresh, const char *sql, int nargs, Oid *types, Datum *values,
				 const char *nulls)
{
	OwnerScope scope;
	Datum result;
	bool isnull;

	owner_enter(&scope, refresh->owner);
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
start_run(Refresh *refresh, bool has_as_of, DateADT as_of)
{
	Oid types[2] = {NAMEOID, DATEOID};
	Datum values[2];
	NameData schema;

	namestrcpy(&schema, refresh->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = DateADTGetDatum(as_of);
	refresh->run_id = DatumGetInt64(
		execute_as_owner(refresh, "SELECT customer_tier.refresh_start($1, $2)", 2, types,
						 values, has_as_of ? NULL : " n"));
}

/* Do the work. */
static void
run_phases(Refresh *refresh)
{
	Oid types[2] = {NAMEOID, INT8OID};
	Datum values[2];
	NameData schema;

	namestrcpy(&schema, refresh->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = Int64GetDatum(refresh->run_id);

	for (int i = 0; i < (int) lengthof(phases); i++)
	{
		CHECK_FOR_INTERRUPTS();
		refresh->progress = phases[i].progress;
		pgstat_report_activity(
			STATE_RUNNING,
			psprintf("customer_tier.refresh of %s, run " INT64_FORMAT ": %s (%d of %d)",
					 refresh->program, refresh->run_id, phases[i].progress, i + 1,
					 (int) lengthof(phases)));
		(void) execute_as_owner(refresh, phases[i].sql, 2, types, values, NULL);
	}
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
}

/* Record that the run failed, and why. */
static void
record_failure(Refresh *refresh, ErrorData *error)
{
	Oid types[4] = {NAMEOID, INT8OID, TEXTOID, TEXTOID};
	Datum values[4];
	NameData schema;

	namestrcpy(&schema, refresh->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = Int64GetDatum(refresh->run_id);
	values[2] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[3] = CStringGetTextDatum(error->message ? error->message : "unknown error");
	(void) execute_as_owner(refresh, "SELECT customer_tier.refresh_fail($1, $2, $3, $4)",
							4, types, values, NULL);
}

/* Called in autocommit: commit the start, do the work, record what became of it. */
static void
refresh_recorded(Refresh *refresh, bool has_as_of, DateADT as_of)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner;
	ErrorData *volatile error = NULL;

	start_run(refresh, has_as_of, as_of);
	SPI_commit();
	SPI_start_transaction();
	MemoryContextSwitchTo(context);

	owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_phases(refresh);
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
		record_failure(refresh, error);
		SPI_commit();
		SPI_start_transaction();
		/* The phases' own SQL says nothing to whoever called us. */
		error->context = psprintf("%s, refresh of program \"%s\"", refresh->progress, refresh->program);
		ReThrowError(error);
	}
}

PG_FUNCTION_INFO_V1(refresh);

/* PROCEDURE refresh(program text, as_of date default null) */
Datum
refresh(PG_FUNCTION_ARGS)
{
	bool atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
					!castNode(CallContext, fcinfo->context)->atomic);
	bool has_as_of = !PG_ARGISNULL(1);
	DateADT as_of = has_as_of ? PG_GETARG_DATEADT(1) : 0;
	Refresh job = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the program to refresh must not be NULL"),
						errhint("CALL customer_tier.refresh('name of the program').")));

	if (SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");

	/* In the context of SPI: it outlives the transactions of a procedure. */
	job.program = text_to_cstring(PG_GETARG_TEXT_PP(0));
	job.owner = program_find(job.program, "refresh", &job.schema);

	if (atomic)
	{
		start_run(&job, has_as_of, as_of);
		run_phases(&job);
	}
	else
		refresh_recorded(&job, has_as_of, as_of);

	SPI_finish();
	PG_RETURN_VOID();
}
