/*
 * refresh.c
 *	  CALL customer_tier.refresh(program, ...) and fit(program, ...): the
 *	  frame around the phases of a run, which are SQL (052_fit.sql,
 *	  060_refresh.sql).
 *
 * The frame decides four things.
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
 * Turns.  One run of a program at a time: a run locks <schema>.history, and the
 * tables of the configuration, before it takes the snapshot it works with.  So
 * a run that waited sees what the one before published, whatever the isolation
 * level; only in a transaction block whose snapshot is older it cannot, and fails.
 *
 * Progress.  Each phase shows as the session's query in pg_stat_activity, in
 * the view refresh_progress (progress.c), and as a NOTICE when it is done; what
 * it took is kept in run.phases.
 */
#include "postgres.h"

#include "compat.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "history/bulk.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "program/owner.h"
#include "program/progress.h"
#include "program/refresh.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#if PG_VERSION_NUM >= 140000
#include "utils/backend_status.h"
#else
#include "pgstat.h"
#endif

bool refresh_notices = true;

static const Phase refresh_phases[] = {
	{"wait", "waiting for its turn", "", "SELECT customer_tier.refresh_lock($1, $2)"},
	{"check", "checking the program", "checked the program",
	 "SELECT customer_tier.refresh_check($1, $2)"},
	{"read", "reading the source", "read %s rows",
	 "SELECT customer_tier.refresh_history($1, $2)"},
	{"fit", "fitting the models", "chose the models",
	 "SELECT customer_tier.refresh_fit($1, $2)"},
	{"measure", "measuring the scales", "measured the scales of %s buyers",
	 "SELECT customer_tier.refresh_measure($1, $2)"},
	{"score", "scoring the forecasts", "scored the forecasts",
	 "SELECT customer_tier.refresh_score($1, $2)"},
	{"publish", "publishing the ratings", "published %s changes",
	 "SELECT customer_tier.refresh_publish($1, $2)"},
};

static const Phase fit_phases[] = {
	{"wait", "waiting for its turn", "", "SELECT customer_tier.refresh_lock($1, $2)"},
	{"check", "checking the program", "checked the program",
	 "SELECT customer_tier.refresh_check($1, $2)"},
	{"fit", "fitting the models", "fitted the models",
	 "SELECT customer_tier.fit_publish($1, $2)"},
};

const RunKind refresh_kind = {"refresh", refresh_phases, lengthof(refresh_phases)};
const RunKind fit_kind = {"fit", fit_phases, lengthof(fit_phases)};

/*
 * What a run locks, in this order: the histories, so that there is one run at
 * a time, and nobody who reads or writes them waits; then its configuration, so
 * that it is one from the first phase to the last: whoever edits it meanwhile
 * waits, whoever reads it does not.
 */
static const struct
{
	const char *table;
	LOCKMODE mode;
} turn_locks[] = {
	{"history", ShareUpdateExclusiveLock},
	{"settings", ShareLock},
	{"tier", ShareLock},
	{"tier_policy", ShareLock},
	{"tier_change", ShareLock},
	{"tier_override", ShareLock},
	{"dimension", ShareLock},
	{"scorecard", ShareLock},
	{"grade", ShareLock},
	{"merged_customer", ShareLock},
	{"quality_gate", ShareLock},
};

typedef struct Run
{
	const RunKind *kind;
	const char *program;
	const char *schema;
	Oid owner; /* of the schema: whose rights we use */
	bool has_as_of;
	DateADT as_of;
	bool wait;
	bool full_build;
	bool atomic; /* part of the caller's transaction */
	int64 run_id;
	const char *progress;  /* the phase at hand */
	StringInfoData phases; /* those that are done, as members of a JSON object */
	Progress shown;
} Run;

/*
 * A run is maintenance: its joins and sorts may take what building an index
 * may.  And it compares what the catalogs say with what it wrote into them.
 * Returns the level of settings to go back to.
 */
static int
enter_settings(void)
{
	int level = NewGUCNestLevel();
	char kilobytes[32];

	if (work_mem < maintenance_work_mem)
	{
		snprintf(kilobytes, sizeof(kilobytes), "%d", maintenance_work_mem);
		(void) set_config_option("work_mem", kilobytes, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	}
	(void) set_config_option("quote_all_identifiers", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

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
	int settings = enter_settings();

	owner_enter(&scope, run->owner);
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0) !=
			SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "unexpected result of \"%s\"", sql);
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	owner_leave(&scope);
	AtEOXact_GUC(true, settings);
	return isnull ? (Datum) 0 : result;
}

/* Write the record of the start. */
static void
start_run(Run *run)
{
	Oid types[4] = {NAMEOID, DATEOID, TEXTOID, BOOLOID};
	Datum values[4];
	NameData schema;

	namestrcpy(&schema, run->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = DateADTGetDatum(run->as_of);
	values[2] = CStringGetTextDatum(run->kind->name);
	values[3] = BoolGetDatum(run->full_build);
	run->run_id = DatumGetInt64(
		execute_as_owner(run, "SELECT customer_tier.refresh_start($1, $2, $3, $4)", 4,
						 types, values, run->has_as_of ? NULL : " n  "));
}

/* Run a statement that is told the program's schema and the run; and a text, or NULL. */
static Datum
execute_for_run(Run *run, const char *sql, const char *text)
{
	Oid types[3] = {NAMEOID, INT8OID, TEXTOID};
	Datum values[3];
	NameData schema;

	namestrcpy(&schema, run->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = Int64GetDatum(run->run_id);
	if (text != NULL)
		values[2] = CStringGetTextDatum(text);
	return execute_as_owner(run, sql, text == NULL ? 2 : 3, types, values, NULL);
}

/*
 * Lock what a run locks.  Takes no snapshot.  Returns false when the turn is
 * somebody else's and we are not to wait.
 */
static bool
lock_program(const char *schema, bool wait)
{
	for (int i = 0; i < (int) lengthof(turn_locks); i++)
	{
		RangeVar *table = makeRangeVar(pstrdup(schema), pstrdup(turn_locks[i].table), -1);

		/* Who edits the configuration is no other run: he is waited for. */
		if (i == 0 && !wait)
		{
			/* To tell a table that is locked from one that is not there. */
			(void) RangeVarGetRelid(table, NoLock, false);
			if (!OidIsValid(RangeVarGetRelidExtended(table, turn_locks[i].mode,
													 RVR_SKIP_LOCKED, NULL, NULL)))
				return false;
		}
		else
			(void) RangeVarGetRelid(table, turn_locks[i].mode, false);
	}
	return true;
}

/*
 * Lock what a run locks, or fail when another run is under way.  Returns false
 * when it is not, but something else, such as VACUUM, works on the histories:
 * to be waited for, in a transaction that has no snapshot yet.
 */
static bool
take_turn(Run *run)
{
	OwnerScope scope;
	Oid types[1] = {NAMEOID};
	Datum values[1];
	NameData schema;
	bool locked;

	owner_enter(&scope, run->owner);
	locked = lock_program(run->schema, run->wait);
	owner_leave(&scope);
	if (!locked)
	{
		namestrcpy(&schema, run->schema);
		values[0] = NameGetDatum(&schema);
		(void) execute_as_owner(run, "SELECT customer_tier.refresh_busy($1)", 1, types,
								values, NULL);
	}
	return locked;
}

/*
 * In a transaction block at REPEATABLE READ or above: fail now, and not when
 * all the work is done, if our snapshot does not have the newest run.
 */
static void
check_snapshot(Run *run)
{
	OwnerScope scope;
	SPIPlanPtr plan;
	int64 newest[2];

	owner_enter(&scope, run->owner);
	plan =
		SPI_prepare(psprintf("SELECT pg_catalog.max(run_id) FROM %s WHERE status "
							 "OPERATOR(pg_catalog.=) ANY (ARRAY['published', 'fitted'])",
							 quote_qualified_identifier(run->schema, "run")),
					0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare a look at the runs");
	for (int i = 0; i < 2; i++)
	{
		Snapshot snapshot =
			RegisterSnapshot(i == 0 ? GetTransactionSnapshot() : GetLatestSnapshot());
		bool isnull;

		if (SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, true, false,
								 0) != SPI_OK_SELECT ||
			SPI_processed != 1)
			elog(ERROR, "could not look at the runs");
		newest[i] = DatumGetInt64(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		if (isnull)
			newest[i] = 0;
		UnregisterSnapshot(snapshot);
	}
	owner_leave(&scope);
	if (newest[0] != newest[1])
		ereport(
			ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update"),
			 errdetail("Another refresh or fit of program \"%s\" was committed after "
					   "this transaction took its snapshot.",
					   run->program),
			 errhint("Begin the transaction again; outside of a transaction block a %s "
					 "never meets this.",
					 run->kind->name)));
}

/* What the phases took the last time, to say how long they will take now. */
static void
expect(Run *run)
{
	Oid types[3] = {NAMEOID, TEXTOID, TEXTARRAYOID};
	Datum values[3];
	Datum keys[MAX_PHASES];
	NameData schema;
	ArrayType *seconds;

	StaticAssertStmt(lengthof(refresh_phases) <= MAX_PHASES, "too many phases");
	if (!OidIsValid(run->shown.sequences[0]))
		return;
	namestrcpy(&schema, run->schema);
	for (int i = 0; i < run->kind->n_phases; i++)
		keys[i] = CStringGetTextDatum(run->kind->phases[i].key);
	values[0] = NameGetDatum(&schema);
	values[1] = CStringGetTextDatum(run->kind->name);
	values[2] = PointerGetDatum(
		construct_array(keys, run->kind->n_phases, TEXTOID, -1, false, TYPALIGN_INT));
	seconds = DatumGetArrayTypeP(
		execute_as_owner(run, "SELECT customer_tier.expected_seconds($1, $2, $3)", 3,
						 types, values, NULL));
	memcpy(run->shown.seconds, ARR_DATA_PTR(seconds),
		   run->kind->n_phases * sizeof(double));
	run->shown.expected_rows = DatumGetInt64(execute_as_owner(
		run, "SELECT customer_tier.expected_rows($1)", 1, types, values, NULL));
}

/* Keep what a phase took, and say it. */
static void
finish_phase(Run *run, const Phase *phase, TimestampTz start)
{
	double seconds = (GetCurrentTimestamp() - start) / (double) USECS_PER_SEC;
	bool counts = strstr(phase->notice, "%s") != NULL;
	char *rows = NULL;

	if (counts)
		rows = psprintf(
			INT64_FORMAT,
			DatumGetInt64(execute_for_run(
				run, "SELECT customer_tier.phase_rows($1, $2, $3)", phase->key)));
	appendStringInfo(&run->phases, "%s\"%s\": {\"seconds\": %.3f",
					 run->phases.len > 0 ? ", " : "", phase->key, Max(seconds, 0));
	if (counts)
		appendStringInfo(&run->phases, ", \"rows\": %s", rows);
	appendStringInfoChar(&run->phases, '}');

	/* Nobody who did not have to wait wants to read so. */
	if (!refresh_notices || (phase == run->kind->phases && seconds < 1))
		return;
	if (phase == run->kind->phases)
		ereport(NOTICE,
				(errmsg("%s: waited %.1f s for its turn", run->program, seconds)));
	else
		ereport(NOTICE, (errmsg("%s: %s in %.1f s", run->program,
								counts ? psprintf(phase->notice, rows) : phase->notice,
								seconds)));
}

/* The run whose rows are being read. */
static Progress *counted = NULL;

static void
count_rows(uint64 rows_read)
{
	progress_rows(counted, rows_read);
}

/* Do what a phase does, and show how many rows of the source it has read. */
static void
run_phase(Run *run, const Phase *phase)
{
	Progress *outer = counted;

	if (strcmp(phase->key, "read") != 0)
	{
		(void) execute_for_run(run, phase->sql, NULL);
		return;
	}
	PG_TRY();
	{
		counted = &run->shown;
		bulk_progress = count_rows;
		(void) execute_for_run(run, phase->sql, NULL);
	}
	PG_FINALLY();
	{
		counted = outer;
		bulk_progress = outer != NULL ? count_rows : NULL;
	}
	PG_END_TRY();
}

/* Do the work.  Returns false when it was not begun, see take_turn(). */
static bool
run_phases(Run *run)
{
	resetStringInfo(&run->phases);
	for (int i = 0; i < run->kind->n_phases; i++)
	{
		const Phase *phase = &run->kind->phases[i];
		TimestampTz start = GetCurrentTimestamp();

		CHECK_FOR_INTERRUPTS();
		run->progress = phase->progress;
		pgstat_report_activity(STATE_RUNNING,
							   psprintf("customer_tier.%s of %s, run " INT64_FORMAT
										": %s (%d of %d)",
										run->kind->name, run->program, run->run_id,
										phase->progress, i + 1, run->kind->n_phases));
		if (i > 0)
			progress_phase(&run->shown, i);
		else
		{
			if (!take_turn(run))
				return false;
			if (run->atomic && IsolationUsesXactSnapshot())
				check_snapshot(run);
			progress_open(&run->shown, run->kind, run->owner, run->schema);
			expect(run);
			progress_start(&run->shown, run->run_id);
		}
		run_phase(run, phase);
		finish_phase(run, phase, start);
	}
	(void) execute_for_run(run, "SELECT customer_tier.keep_phases($1, $2, $3)",
						   psprintf("{%s}", run->phases.data));
	if (run->atomic)
		progress_pending(&run->shown);
	else
		progress_end(&run->shown);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	return true;
}

/* Record that the run failed, and why. */
static void
record_failure(Run *run, ErrorData *error)
{
	Oid types[5] = {NAMEOID, INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[5];
	NameData schema;

	namestrcpy(&schema, run->schema);
	values[0] = NameGetDatum(&schema);
	values[1] = Int64GetDatum(run->run_id);
	values[2] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[3] = CStringGetTextDatum(error->message ? error->message : "unknown error");
	values[4] = CStringGetTextDatum(psprintf("{%s}", run->phases.data));
	(void) execute_as_owner(run, "SELECT customer_tier.refresh_fail($1, $2, $3, $4, $5)",
							5, types, values, NULL);
}

/*
 * Do the work in a subtransaction, from a snapshot that is taken when it has
 * its turn.  Returns false when it was not begun; "error" is why it failed, or
 * NULL.
 */
static bool
try_run(Run *run, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;
	ErrorData *volatile failure = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		done = run_phases(run);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		failure = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	*error = failure;
	return done;
}

/* Commit, and begin a transaction without a snapshot. */
static void
next_transaction(void)
{
	MemoryContext context = CurrentMemoryContext;

	SPI_commit();
	SPI_start_transaction();
	MemoryContextSwitchTo(context);
}

/* Called in autocommit: commit the start, do the work, record what became of it. */
static void
run_recorded(Run *run)
{
	ErrorData *error;

	start_run(run);
	next_transaction();
	if (!try_run(run, &error) && error == NULL)
	{
		/* VACUUM or its like is at the histories, and gives way or comes to an end. */
		next_transaction();
		run->wait = true;
		(void) try_run(run, &error);
	}

	if (error != NULL)
	{
		pgstat_report_activity(STATE_RUNNING, debug_query_string);
		progress_end(&run->shown);
		record_failure(run, error);
		next_transaction();
		/* The phases' own SQL says nothing to whoever called us. */
		error->context = psprintf("%s, %s of program \"%s\"", run->progress,
								  run->kind->name, run->program);
		ReThrowError(error);
	}
}

/* The body of both procedures: (program text, as_of date, wait boolean ...). */
static void
run_program(FunctionCallInfo fcinfo, const RunKind *kind)
{
	Run run = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the program to %s must not be NULL", kind->name),
				 errhint("CALL customer_tier.%s('name of the program').", kind->name)));

	run.kind = kind;
	run.atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
				   !castNode(CallContext, fcinfo->context)->atomic);
	run.has_as_of = !PG_ARGISNULL(1);
	run.as_of = run.has_as_of ? PG_GETARG_DATEADT(1) : 0;
	run.wait = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	run.full_build = PG_NARGS() > 3 && !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	if (SPI_connect_ext(run.atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");

	/* In the context of SPI: it outlives the transactions of a procedure. */
	run.program = text_to_cstring(PG_GETARG_TEXT_PP(0));
	initStringInfo(&run.phases);
	/* A block that may commit brings a snapshot from before its own statements. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	run.owner = program_find(run.program, run.kind->name, &run.schema);
	PopActiveSnapshot();

	if (run.atomic)
	{
		start_run(&run);
		if (!run_phases(&run))
		{
			/* VACUUM or its like is at the histories, and gives way or comes to an end.
			 */
			run.wait = true;
			(void) run_phases(&run);
		}
	}
	else
		run_recorded(&run);

	SPI_finish();
}

PG_FUNCTION_INFO_V1(refresh);

/*
 * PROCEDURE refresh(program text, as_of date default null, wait boolean default true,
 * full_build boolean default false)
 */
Datum
refresh(PG_FUNCTION_ARGS)
{
	run_program(fcinfo, &refresh_kind);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(fit);

/* PROCEDURE fit(program text, as_of date default null, wait boolean default true) */
Datum
fit(PG_FUNCTION_ARGS)
{
	run_program(fcinfo, &fit_kind);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(program_lock);

/* program_lock(schema name): lock what a run locks; the caller must own the schema */
Datum
program_lock(PG_FUNCTION_ARGS)
{
	const char *schema = NameStr(*PG_GETARG_NAME(0));
	Oid owner = schema_owner(get_namespace_oid(schema, false));

	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of schema \"%s\" to lock its program", schema),
				 errhint("It belongs to role \"%s\".", GetUserNameFromId(owner, false))));
	(void) lock_program(schema, true);
	PG_RETURN_VOID();
}
