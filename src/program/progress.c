/*
 * progress.c
 *	  How far a refresh is, for other sessions to see while it runs.
 *
 * What a transaction writes is seen when it commits, and a refresh is one
 * transaction.  A sequence's value is seen at once.  So each program has four
 * sequences (ProgressPart), whose values are facts packed into 63 bits; the view
 * customer_tier.refresh_progress unpacks them.  They are values and nothing
 * else: a reader runs no code of the program's owner.
 *
 * Whether the facts still hold is not for them to say: a row is shown while the
 * process really has the program's turn, which the lock table knows.
 *
 * A refresh never fails because of them.  The sequences are locked at its
 * start, if they are there, ours to write and free; otherwise nothing is shown.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "program/owner.h"
#include "program/progress.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static const char *const sequence_names[PROGRESS_PARTS] = {
	"progress_run", "progress_state", "progress_finish", "progress_start"};

/* At most so many times a second are rows shown: each is a record of the log. */
#define SHOWN_PER_SECOND 4

/*
 * The start: 41 bits of milliseconds since 2000, good until 2069, and 22 bits
 * of pid, as many as Linux has.
 */
#define PID_BITS 22
#define PID_MASK ((INT64CONST(1) << PID_BITS) - 1)

/*
 * The state: one bit for the kind of the run, 4 for its phase (from 1), 6 for
 * an exponent and 26 each for the rows done and the rows in all, which count
 * in units of 2^exponent.
 */
#define ROW_BITS	  26
#define ROW_MASK	  ((INT64CONST(1) << ROW_BITS) - 1)
#define EXPONENT_BITS 6
#define EXPONENT_MASK ((1 << EXPONENT_BITS) - 1)
#define PHASE_BITS	  4
#define PHASE_MASK	  ((1 << PHASE_BITS) - 1)

/* A sequence's value is at least 1: what says nothing. */
#define NOTHING INT64CONST(1)

static int64
pack_state(const Progress *progress)
{
	uint64 done = progress->done;
	uint64 total = progress->total;
	int64 exponent = 0;

	while (Max(done, total) >> exponent > (uint64) ROW_MASK)
		exponent++;
	return ((((int64) (progress->kind == &fit_kind) << PHASE_BITS | (progress->phase + 1))
				 << EXPONENT_BITS |
			 exponent)
				<< ROW_BITS |
			(int64) (done >> exponent))
			   << ROW_BITS |
		   (int64) (total >> exponent);
}

/* Whether it holds any value of ours, and its owner, who acts now, may set it. */
static bool
sequence_is_fit(Oid sequence)
{
	HeapTuple tuple;
	bool fits = false;

	if (get_rel_relkind(sequence) != RELKIND_SEQUENCE ||
		pg_class_aclcheck(sequence, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		return false;
	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_sequence form = (Form_pg_sequence) GETSTRUCT(tuple);

		fits = form->seqtypid == INT8OID && form->seqmin <= 1 &&
			   form->seqmax == PG_INT64_MAX;
		ReleaseSysCache(tuple);
	}
	return fits;
}

/*
 * Look for the sequences of a program in "schema", and hold them until the
 * transaction ends, so that setting them neither waits nor fails.
 */
void
progress_open(Progress *progress, const RunKind *kind, Oid owner, const char *schema)
{
	OwnerScope scope;
	Oid namespace = get_namespace_oid(schema, true);
	int part;

	memset(progress, 0, sizeof(Progress));
	progress->kind = kind;
	progress->owner = owner;
	for (int i = 0; i < MAX_PHASES; i++)
		progress->seconds[i] = -1;
	if (!OidIsValid(namespace))
		return;

	owner_enter(&scope, owner);
	for (part = 0; part < PROGRESS_PARTS; part++)
	{
		Oid sequence = get_relname_relid(sequence_names[part], namespace);

		if (!OidIsValid(sequence) ||
			!ConditionalLockRelationOid(sequence, RowExclusiveLock))
			break;
		if (!sequence_is_fit(sequence))
		{
			UnlockRelationOid(sequence, RowExclusiveLock);
			break;
		}
		progress->sequences[part] = sequence;
	}
	owner_leave(&scope);
	if (part < PROGRESS_PARTS)
		progress->sequences[0] = InvalidOid;
}

static void
set_part(Progress *progress, ProgressPart part, int64 value)
{
	OwnerScope scope;

	/* setval() is refused in the leader of a parallel query. */
	if (!OidIsValid(progress->sequences[0]) || IsInParallelMode())
		return;
	owner_enter(&scope, progress->owner);
	(void) DirectFunctionCall2(setval_oid, ObjectIdGetDatum(progress->sequences[part]),
							   Int64GetDatum(Max(value, NOTHING)));
	owner_leave(&scope);
}

/* Show the phase, and what it will take from what the phases took the last time. */
static void
show_state(Progress *progress, TimestampTz now)
{
	double elapsed = (now - progress->phase_start) / (double) USECS_PER_SEC;
	double expected = progress->seconds[progress->phase];
	double remaining = expected < 0 ? -1 : Max(expected - elapsed, 0);
	bool known;

	/*
	 * What was read in half a second says how fast it goes today.  Reading is
	 * not all of the phase, so it may take longer, as it did the last time.
	 */
	if (progress->done > 0 && progress->total > 0 && elapsed >= 0.5)
		remaining =
			Max(remaining, elapsed * (progress->total - progress->done) / progress->done);
	known = remaining >= 0;
	for (int i = progress->phase + 1; i < progress->kind->n_phases; i++)
	{
		known = known && progress->seconds[i] >= 0;
		remaining += progress->seconds[i];
	}
	/* No more than a year ahead: it is an estimate of a run of hours. */
	set_part(progress, PROGRESS_FINISH,
			 known && remaining < 31557600
				 ? (now + (int64) (remaining * USECS_PER_SEC)) / 1000
				 : NOTHING);
	set_part(progress, PROGRESS_STATE, pack_state(progress));
	progress->last_shown = now;
}

/* The run has its turn.  The start goes last: it is what makes the rest ours. */
void
progress_start(Progress *progress, int64 run_id)
{
	TimestampTz now = GetCurrentTimestamp();

	progress->phase_start = now;
	set_part(progress, PROGRESS_RUN, run_id);
	show_state(progress, now);
	set_part(progress, PROGRESS_START, (now / 1000) << PID_BITS | (MyProcPid & PID_MASK));
}

void
progress_phase(Progress *progress, int phase)
{
	progress->phase = phase;
	progress->done = 0;
	progress->total = strcmp(progress->kind->phases[phase].key, "read") == 0
						  ? progress->expected_rows
						  : 0;
	progress->phase_start = GetCurrentTimestamp();
	show_state(progress, progress->phase_start);
}

/* So many rows of the phase are done. */
void
progress_rows(Progress *progress, uint64 done)
{
	TimestampTz now = GetCurrentTimestamp();

	progress->done = done;
	/* An estimate that was too low. */
	if (progress->total > 0)
		progress->total = Max(progress->total, done);
	if (now - progress->last_shown >= USECS_PER_SEC / SHOWN_PER_SECOND ||
		done == progress->total)
		show_state(progress, now);
}

/* All phases are done, and the caller's transaction decides what becomes of them. */
void
progress_pending(Progress *progress)
{
	progress->phase = progress->kind->n_phases;
	progress->done = 0;
	progress->total = 0;
	set_part(progress, PROGRESS_FINISH, NOTHING);
	set_part(progress, PROGRESS_STATE, pack_state(progress));
}

/* Nothing is under way any more. */
void
progress_end(Progress *progress)
{
	/* Only what was set is locked: setting it anew does not wait. */
	if (progress->phase_start != 0)
		set_part(progress, PROGRESS_START, NOTHING);
}

static Datum
milliseconds_timestamp(int64 milliseconds)
{
	return TimestampTzGetDatum(milliseconds * 1000);
}

PG_FUNCTION_INFO_V1(unpack_progress);

/*
 * unpack_progress(start bigint, state bigint, finish bigint) -> (pid, started_at,
 * kind, phase, phase_number, phases, done, total, finish_at): what the values of the
 * sequences mean, NULL when they mean nothing.
 */
Datum
unpack_progress(PG_FUNCTION_ARGS)
{
	int64 start = PG_GETARG_INT64(0);
	int64 state = PG_GETARG_INT64(1);
	int64 finish = PG_GETARG_INT64(2);
	int code = (int) (state >> (EXPONENT_BITS + 2 * ROW_BITS));
	const RunKind *kind = code >> PHASE_BITS ? &fit_kind : &refresh_kind;
	int phase = (code & PHASE_MASK) - 1;
	int exponent = (int) (state >> (2 * ROW_BITS)) & EXPONENT_MASK;
	int64 done;
	int64 total;
	TupleDesc descriptor;
	Datum values[9];
	bool nulls[9] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	/* Anybody who may write a sequence can have put anything there. */
	if (start <= NOTHING || state <= 0 || finish <= 0 || phase < 0 ||
		phase > kind->n_phases || exponent > 63 - ROW_BITS ||
		finish >= END_TIMESTAMP / 1000)
		PG_RETURN_NULL();
	done = (state >> ROW_BITS & ROW_MASK) << exponent;
	total = (state & ROW_MASK) << exponent;

	values[0] = Int32GetDatum((int32) (start & PID_MASK));
	values[1] = milliseconds_timestamp(start >> PID_BITS);
	values[2] = CStringGetTextDatum(kind->name);
	values[3] = CStringGetTextDatum(phase == kind->n_phases
										? "done, its transaction is not committed"
										: kind->phases[phase].progress);
	values[4] = Int32GetDatum(Min(phase + 1, kind->n_phases));
	values[5] = Int32GetDatum(kind->n_phases);
	values[6] = Int64GetDatum(done);
	nulls[6] = done == 0 && total == 0;
	values[7] = Int64GetDatum(total);
	nulls[7] = total == 0;
	values[8] = milliseconds_timestamp(finish);
	nulls[8] = finish == NOTHING;
	PG_RETURN_DATUM(
		HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}
