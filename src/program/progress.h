/*
 * progress.h
 *	  How far a refresh is, for other sessions to see while it runs.
 */
#ifndef PROGRAM_PROGRESS_H
#define PROGRAM_PROGRESS_H

#include "postgres.h"

#include "utils/timestamp.h"

/* A phase of a run: what is done, and how it is spoken of. */
typedef struct Phase
{
	const char *key;	  /* in run.phases */
	const char *progress; /* shown in pg_stat_activity */
	const char
		*notice; /* said when it is done; the rows stand where %s is, if it is there */
	const char *sql; /* $1 schema, $2 run */
} Phase;

/* What a run does. */
typedef struct RunKind
{
	const char *name;
	const Phase *phases;
	int n_phases;
} RunKind;

/* One less than 4 bits hold: one more means that all are done. */
#define MAX_PHASES 14

extern const RunKind refresh_kind;
extern const RunKind fit_kind;

/* The sequences of a program that hold how far it is. */
typedef enum ProgressPart
{
	PROGRESS_RUN,	 /* number of the run */
	PROGRESS_STATE,	 /* phase, and rows of how many: see pack_state() */
	PROGRESS_FINISH, /* when it will probably be finished */
	PROGRESS_START,	 /* pid, and when it started */
	PROGRESS_PARTS
} ProgressPart;

/* How far a run is. */
typedef struct Progress
{
	const RunKind *kind;
	Oid owner;					   /* whose sequences */
	Oid sequences[PROGRESS_PARTS]; /* invalid: nothing is shown */
	int phase;
	TimestampTz phase_start;
	TimestampTz last_shown;
	uint64 done;		  /* of the phase; units: rows */
	uint64 total;		  /* 0 = unknown */
	uint64 expected_rows; /* of the source, 0 = unknown */
	double
		seconds[MAX_PHASES]; /* that each phase took the last time, below 0 = unknown */
} Progress;

extern void progress_open(Progress *progress, const RunKind *kind, Oid owner,
						  const char *schema);
extern void progress_start(Progress *progress, int64 run_id);
extern void progress_phase(Progress *progress, int phase);
extern void progress_rows(Progress *progress, uint64 done);
extern void progress_pending(Progress *progress);
extern void progress_end(Progress *progress);

#endif /* PROGRAM_PROGRESS_H */
