/*
 * partial_state.h
 *	  What the aggregates over everyone keep between two rows, as a value of the
 *	  type partial_state.
 *
 * An aggregate whose state is of the type internal can be computed in parts by
 * PostgreSQL's own workers only.  One whose state is of a type can be computed
 * in parts by whoever knows types: Citus, or a table of states, one a day.
 *
 * In memory a partial_state is an expanded object around a structure of C,
 * which transition functions change in place; so a row costs no more than with
 * an internal state.  As it is stored and sent it has three parts: a version,
 * the kind of the state, and what the kind's serialize function writes.
 *
 * Whoever can call a function can write a partial_state by hand: a kind's
 * deserialize function takes nothing for granted, and a state of another kind
 * is refused.
 */
#ifndef CUSTOMER_TIER_PARTIAL_STATE_H
#define CUSTOMER_TIER_PARTIAL_STATE_H

#include "aggregate.h"
#include "lib/stringinfo.h"
#include "utils/expandeddatum.h"

/* These numbers are stored: give a new kind a new one, and no number to another kind. */
typedef enum PartialStateTag
{
	PARTIAL_STATE_CUTS = 1,
	PARTIAL_STATE_MEAN = 2,
	PARTIAL_STATE_FIT = 3,
	PARTIAL_STATE_POPULATION = 4,
	PARTIAL_STATE_RANGE = 5,
	PARTIAL_STATE_DEVIATION = 6,
	PARTIAL_STATE_DISTRIBUTIONS = 7,
	PARTIAL_STATE_CRITERIA = 8,
	PARTIAL_STATE_OUTCOMES = 9,
	PARTIAL_STATE_LOGIT = 10,
	PARTIAL_STATE_BIN_COUNTS = 11
} PartialStateTag;

#define PARTIAL_STATE_TAGS (PARTIAL_STATE_BIN_COUNTS + 1)

/* What can be done with the states of the aggregates of a kind. */
typedef struct PartialStateKind
{
	PartialStateTag tag;
	void		(*serialize) (StringInfo buf, const void *state);
	void	   *(*deserialize) (StringInfo buf);	/* in the current memory context */
	void		(*combine) (void *state, const void *other);	/* adds other to state */
} PartialStateKind;

typedef struct PartialState
{
	ExpandedObjectHeader header;
	const PartialStateKind *kind;
	void	   *state;			/* in header.eoh_context */
	StringInfoData bytes;		/* from the question for its size to the copy */
} PartialState;

/*
 * A state without anything in it, in the memory of the aggregate that calls.
 * What it is to hold is made in its header.eoh_context, which it shares with
 * the states of other groups.
 */
extern PartialState *partial_state_create(FunctionCallInfo fcinfo, const PartialStateKind *kind);

extern PartialState *partial_state_find(FunctionCallInfo fcinfo, const PartialStateKind *kind);
extern void *partial_state_read(FunctionCallInfo fcinfo, const PartialStateKind *kind);
extern Datum partial_state_combine(FunctionCallInfo fcinfo, const PartialStateKind *kind);

/*
 * For the functions of a kind: the bytes are none that it wrote, or those of a
 * state of another aggregate than the one that is asked to go on with it.
 */
extern void report_bad_partial_state(const char *detail) __attribute__((noreturn));
extern void report_other_partial_state(const char *detail) __attribute__((noreturn));

/* Counts of rows. */
extern int64 partial_state_get_count(StringInfo buf);
extern void partial_state_add_count(int64 *count, int64 more);

/* More rows than there are; no exact sum of so many values leaves its digits. */
#define PARTIAL_STATE_COUNT_MAX (INT64CONST(1) << 53)

/*
 * The state that a transition function is to change, its argument 0; NULL
 * before the first one.  Called for every row: one that is in memory, and may
 * be changed, was made in an aggregate and is not asked again whether this is
 * one; what else there may be, partial_state_find() sees to.
 */
static inline PartialState *
partial_state_update(FunctionCallInfo fcinfo, const PartialStateKind *kind)
{
	char	   *pointer = PG_GETARG_POINTER(0);

	if (likely(!PG_ARGISNULL(0)) && likely(VARATT_IS_EXTERNAL_EXPANDED_RW(pointer)))
	{
		/* DatumGetEOHP(), from the pointer within the object instead of what it says */
		PartialState *partial = (PartialState *) (pointer - offsetof(ExpandedObjectHeader, eoh_rw_ptr));
		varatt_expanded expanded;

		memcpy(&expanded, VARDATA_EXTERNAL(pointer), sizeof(expanded));
		if (likely(expanded.eohptr == &partial->header) && likely(partial->kind == kind))
			return partial;
	}
	return partial_state_find(fcinfo, kind);
}

/* Return the state that partial_state_update() gave, or one that was created. */
#define PG_RETURN_PARTIAL_STATE(partial) \
	do { \
		PartialState *returned_ = (partial); \
		if (returned_ == NULL) \
			PG_RETURN_NULL(); \
		PG_RETURN_DATUM(EOHPGetRWDatum(&returned_->header)); \
	} while (0)

#endif							/* CUSTOMER_TIER_PARTIAL_STATE_H */
