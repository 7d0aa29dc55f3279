/*
 * history_agg.c
 *	  The aggregates that build purchase histories: purchases(),
 *	  purchases_checked() and rollup().
 *
 * The transition state is a log: the rows as they come, in a few bytes each.
 * When it has grown to a good size it is sorted and summed to one entry a day,
 * so that memory follows a customer's days and not the rows.  Sums are exact
 * integers, so neither the order of the rows nor the way they are split over
 * parallel workers can show in the result.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "aggregate.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/history_agg.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(history_accum);
PG_FUNCTION_INFO_V1(history_accum_checked);
PG_FUNCTION_INFO_V1(history_accum_refused);
PG_FUNCTION_INFO_V1(history_accum_history);
PG_FUNCTION_INFO_V1(history_combine);
PG_FUNCTION_INFO_V1(history_serialize);
PG_FUNCTION_INFO_V1(history_deserialize);
PG_FUNCTION_INFO_V1(history_final);
PG_FUNCTION_INFO_V1(history_final_checked);

#define STATE_VERSION	1

typedef struct HistoryState
{
	int64		rows;			/* rows seen, by purchases_checked() only */
	int64		bad;			/* of these, rows left out */
	uint32		used;			/* bytes of the log in use */
	uint32		capacity;		/* bytes of the log there are */
	uint32		compact_at;		/* sort and sum when the log gets this long */
	int32		last_day;		/* of the log's last entry, 0 when it is empty */
	int32		scale;			/* of the log's amounts */
	bool		filled;			/* has any row or history been accepted? */
	uint8		log[FLEXIBLE_ARRAY_MEMBER];
} HistoryState;

/* A new state with its log makes a power of two, as palloc likes it. */
#define STATE_FIRST_BYTES	64
#define LOG_FIRST_COMPACT	8192
#define LOG_SEND_COMPACT	512
#define LOG_MAX_BYTES		(MaxAllocSize / 2)

static HistoryState *
state_create(MemoryContext context)
{
	HistoryState *state = MemoryContextAlloc(context, STATE_FIRST_BYTES);

	memset(state, 0, offsetof(HistoryState, log));
	state->capacity = STATE_FIRST_BYTES - offsetof(HistoryState, log);
	state->compact_at = LOG_FIRST_COMPACT;
	return state;
}

static HistoryState *
state_copy(const HistoryState *other, MemoryContext context)
{
	Size		size = offsetof(HistoryState, log) + other->capacity;
	HistoryState *state = MemoryContextAlloc(context, size);

	memcpy(state, other, offsetof(HistoryState, log) + other->used);
	return state;
}

/* Ensure that the log has room for some more bytes; the state may move. */
static HistoryState *
state_reserve(HistoryState *state, uint32 bytes)
{
	Size		size = offsetof(HistoryState, log) + state->capacity;

	if (state->capacity - state->used >= bytes)
		return state;
	while (size - offsetof(HistoryState, log) - state->used < bytes)
		size *= 2;
	if (size > LOG_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many days in a purchase_history")));
	state = repalloc(state, size);
	state->capacity = size - offsetof(HistoryState, log);
	return state;
}

/* Logs may come from another process, so whoever reads one checks it. */
static void
log_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid state of a purchases() aggregate")));
}

/* The log's next entry, but for its day. */
static inline const uint8 *
log_next(const uint8 *next, const uint8 *end, uint64 *step, DayEntry *entry)
{
	next = entry_get(next, end, step, entry);
	if (unlikely(next == NULL || *step > PG_UINT32_MAX * UINT64CONST(2)))
		log_damaged();
	return next;
}

/* Append the log's entries to a list of the same or a larger scale. */
static void
log_read(const HistoryState *state, DayList *list)
{
	const uint8 *next = state->log;
	const uint8 *end = state->log + state->used;
	int64		day = 0;

	Assert(list->scale >= state->scale);
	while (next < end)
	{
		DayEntry   *entry = day_list_append(list);
		uint64		step;

		next = log_next(next, end, &step, entry);
		day += zigzag_decode(step);
		if (unlikely(!IS_VALID_DATE(day)))
			log_damaged();
		entry->day = (int32) day;
		if (list->scale > state->scale)
		{
			entry->gross = amount_rescale(entry->gross, state->scale, list->scale);
			entry->refunded = amount_rescale(entry->refunded, state->scale, list->scale);
		}
	}
}

static HistoryState *
log_append(HistoryState *state, const DayEntry *entry)
{
	uint8		bytes[ENTRY_MAX_BYTES];
	uint32		length = entry_put(bytes, zigzag_encode((int64) entry->day - state->last_day),
								   entry) - bytes;

	if (unlikely(state->capacity - state->used < length))
		state = state_reserve(state, length);
	memcpy(state->log + state->used, bytes, length);
	state->used += length;
	state->last_day = entry->day;
	return state;
}

/* Write the log anew from a list of days. */
static HistoryState *
log_rewrite(HistoryState *state, DayList *list)
{
	state->used = 0;
	state->last_day = 0;
	state->scale = list->scale;
	for (int i = 0; i < list->count; i++)
		state = log_append(state, &list->entry[i]);
	if (list->entry != list->room)
		pfree(list->entry);
	return state;
}

/* Sort the log and sum what falls on one day. */
static HistoryState *
log_compact(HistoryState *state)
{
	DayList		list;

	CHECK_FOR_INTERRUPTS();
	day_list_init(&list, state->scale);
	log_read(state, &list);
	day_list_normalize(&list);
	state = log_rewrite(state, &list);
	state->compact_at = Max(LOG_FIRST_COMPACT, state->used * 2);
	return state;
}

/* Bring the log's amounts to a larger scale; it happens once or twice. */
static HistoryState *
log_rescale(HistoryState *state, int scale)
{
	DayList		list;

	if (state->used == 0)
	{
		state->scale = scale;
		return state;
	}
	day_list_init(&list, scale);
	log_read(state, &list);
	return log_rewrite(state, &list);
}

/* Add a day to the state, in units of 10^-scale. */
static inline HistoryState *
state_add(HistoryState *state, DayEntry *entry, int scale)
{
	if (scale > state->scale)
		state = log_rescale(state, scale);
	else if (scale < state->scale)
	{
		entry->gross = amount_rescale(entry->gross, scale, state->scale);
		entry->refunded = amount_rescale(entry->refunded, scale, state->scale);
	}
	state = log_append(state, entry);
	state->filled = true;
	if (unlikely(state->used >= state->compact_at))
		state = log_compact(state);
	return state;
}

/* Add a history to the state. */
static HistoryState *
state_add_history(HistoryState *state, const struct varlena *history)
{
	HistoryReader reader;
	DayEntry	entry;

	history_reader_init(&reader, history);
	while (history_reader_next(&reader, &entry))
		state = state_add(state, &entry, reader.scale);
	state->filled = true;
	return state;
}

/*
 * Add a state to the state.  All but the first of the other log's entries can
 * be taken over as they are, since they are written relative to each other.
 */
static HistoryState *
state_add_state(HistoryState *state, const HistoryState *other)
{
	if (other->used > 0 && other->scale == state->scale)
	{
		const uint8 *end = other->log + other->used;
		const uint8 *rest;
		DayEntry	entry;
		uint64		step;

		rest = log_next(other->log, end, &step, &entry);
		entry.day = (int32) zigzag_decode(step);
		state = log_append(state, &entry);
		state = state_reserve(state, end - rest);
		memcpy(state->log + state->used, rest, end - rest);
		state->used += end - rest;
		state->last_day = other->last_day;
		if (state->used >= state->compact_at)
			state = log_compact(state);
	}
	else if (other->used > 0)
	{
		DayList		list;

		day_list_init(&list, other->scale);
		log_read(other, &list);
		for (int i = 0; i < list.count; i++)
			state = state_add(state, &list.entry[i], other->scale);
		if (list.entry != list.room)
			pfree(list.entry);
	}
	state->filled |= other->filled;
	state->rows = orders_add(state->rows, other->rows);
	state->bad = orders_add(state->bad, other->bad);
	return state;
}

/* The state's history. */
static struct varlena *
state_history(const HistoryState *state)
{
	DayList		list;

	day_list_init(&list, state->scale);
	log_read(state, &list);
	return history_from_days(&list);
}

/* Add a row of the source to the state. */
static inline HistoryState *
state_add_row(HistoryState *state, RowReader *reader, FunctionCallInfo fcinfo)
{
	DayEntry	entry;
	Amount		amount;

	if (row_reader_argument_day(reader, fcinfo, &entry.day) != ROW_OK ||
		row_reader_amount(reader, PG_GETARG_DATUM(2), &amount) != ROW_OK)
	{
		state->bad++;
		return state;
	}
	entry.orders = amount.units >= 0;
	entry.gross = amount.units >= 0 ? amount.units : 0;
	entry.refunded = amount.units >= 0 ? 0 : -amount.units;
	return state_add(state, &entry, amount.scale);
}

/* Is anything missing in this row? */
static inline bool
row_has_null(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(1) || PG_ARGISNULL(2);
}

/* Ensure that a row with a time has a time zone with it. */
static inline void
check_zone_given(FunctionCallInfo fcinfo)
{
	if (PG_NARGS() > 3 && PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("time zone must not be null"),
				 errhint("Use a full name such as 'UTC' or 'Asia/Shanghai'.")));
}

/*
 * purchases(day, amount [, zone]): rows without a day or an amount are skipped,
 * NaN and infinities are errors.
 */
Datum
history_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	HistoryState *state = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);

	check_zone_given(fcinfo);
	if (!row_has_null(fcinfo))
	{
		if (state == NULL)
			state = state_create(context);
		state = state_add_row(state, row_reader_get(fcinfo, false), fcinfo);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/*
 * purchases_checked(at, amount [, zone]): the same, but whatever cannot be used
 * is left out and counted.
 */
Datum
history_accum_checked(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	HistoryState *state = PG_ARGISNULL(0) ? state_create(context) :
		(HistoryState *) PG_GETARG_POINTER(0);

	check_zone_given(fcinfo);
	state->rows++;
	if (row_has_null(fcinfo))
		state->bad++;
	else
		state = state_add_row(state, row_reader_get(fcinfo, true), fcinfo);
	PG_RETURN_POINTER(state);
}

/*
 * The overloads that PostgreSQL would otherwise serve by casting through the
 * session's TimeZone in silence.
 */
Datum
history_accum_refused(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 1);

	if (type == TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("purchases() of timestamp with time zone needs a time zone"),
				 errdetail("Which day a moment falls on depends on the zone; the session's TimeZone is not used."),
				 errhint("Name the zone of your business, e.g. purchases(at, amount, 'Asia/Shanghai').")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("purchases() of %s takes no time zone", format_type_be(type)),
			 errdetail("Only a timestamp with time zone can be seen in another zone."),
			 type == DATEOID ?
			 errhint("Leave the zone out: purchases(day, amount).") :
			 errhint("Leave the zone out, or say first which zone the time is in: purchases(at AT TIME ZONE 'UTC', amount, 'Asia/Shanghai').")));
	PG_RETURN_NULL();			/* not reached */
}

/* rollup(history): the sum of histories. */
Datum
history_accum_history(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	HistoryState *state = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		if (state == NULL)
			state = state_create(context);
		state = state_add_history(state, PG_GETARG_HISTORY(1));
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* Sum two partial states; the first is changed, the second is not. */
Datum
history_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	HistoryState *state = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		HistoryState *other = (HistoryState *) PG_GETARG_POINTER(1);

		state = state == NULL ? state_copy(other, context) : state_add_state(state, other);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* A partial state for another process: counters, then its log. */
Datum
history_serialize(PG_FUNCTION_ARGS)
{
	HistoryState *state;
	StringInfoData buffer;

	(void) get_aggregate_context(fcinfo);
	state = (HistoryState *) PG_GETARG_POINTER(0);
	if (state->used > LOG_SEND_COMPACT)
		state = log_compact(state_copy(state, CurrentMemoryContext));

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, STATE_VERSION);
	pq_sendbyte(&buffer, state->filled);
	pq_sendbyte(&buffer, state->scale);
	pq_sendint64(&buffer, state->rows);
	pq_sendint64(&buffer, state->bad);
	pq_sendint32(&buffer, state->last_day);
	pq_sendbytes(&buffer, (char *) state->log, state->used);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

Datum
history_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	StringInfoData buffer;
	HistoryState head;
	HistoryState *state;
	int			version;

	(void) get_aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);

	/* Read in place: the functions of pqformat.h do not write. */
	buffer.data = VARDATA_ANY(bytes);
	buffer.len = buffer.maxlen = VARSIZE_ANY_EXHDR(bytes);
	buffer.cursor = 0;

	version = pq_getmsgbyte(&buffer);
	head.filled = pq_getmsgbyte(&buffer) != 0;
	head.scale = pq_getmsgbyte(&buffer);
	head.rows = pq_getmsgint64(&buffer);
	head.bad = pq_getmsgint64(&buffer);
	head.last_day = (int32) pq_getmsgint(&buffer, 4);
	if (version != STATE_VERSION || head.scale > HISTORY_MAX_SCALE ||
		head.rows < 0 || head.bad < 0)
		log_damaged();
	head.used = head.capacity = buffer.len - buffer.cursor;
	head.compact_at = LOG_FIRST_COMPACT;

	/* The result lives in the current context, as that of any function. */
	state = palloc(offsetof(HistoryState, log) + head.used);
	memcpy(state, &head, offsetof(HistoryState, log));
	memcpy(state->log, pq_getmsgbytes(&buffer, head.used), head.used);
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(state);
}

/* The history; NULL if there was no row to build it from. */
Datum
history_final(PG_FUNCTION_ARGS)
{
	HistoryState *state;

	(void) get_aggregate_context(fcinfo);
	state = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);
	if (state == NULL || !state->filled)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state_history(state));
}

/* (history, rows, bad). */
Datum
history_final_checked(PG_FUNCTION_ARGS)
{
	HistoryState *state;
	TupleDesc	desc;
	Datum		value[3];
	bool		isnull[3] = {false, false, false};

	(void) get_aggregate_context(fcinfo);
	state = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);
	if (state == NULL)
		PG_RETURN_NULL();

	desc = call_row_type(fcinfo);
	isnull[0] = !state->filled;
	value[0] = isnull[0] ? (Datum) 0 : PointerGetDatum(state_history(state));
	value[1] = Int64GetDatum(state->rows);
	value[2] = Int64GetDatum(state->bad);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, isnull)));
}
