/*
 * history.h
 *	  The type purchase_history: what a customer bought, day by day.
 *
 * A history is the map day -> (orders, amount), exact, and the same bytes for
 * the same map.  Days are calendar days (DateADT), amounts decimal fixed point
 * with up to HISTORY_MAX_SCALE decimals.
 *
 * Stored form: a varlena of one version byte (the format's version in the high
 * half, the scale in the low half) and the entries of history_codec.h with
 * rising days.  The scale is the smallest that holds every amount exactly.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "history/history_codec.h"
#include "utils/date.h"
#include "utils/numeric.h"

#define HISTORY_VERSION		1
#define HISTORY_MAX_SCALE	6

/* Read and write the SQL datatype; packed, so use VARDATA_ANY. */
#define PG_GETARG_HISTORY(n)	((struct varlena *) PG_GETARG_VARLENA_PP(n))

/* Walks through a history's days in rising order. */
typedef struct HistoryReader
{
	const uint8 *next;
	const uint8 *end;
	int64		day;			/* of the entry read last */
	bool		first;			/* no entry read yet */
	int			scale;
} HistoryReader;

/* A list of days being put together. */
typedef struct DayList
{
	DayEntry   *entry;
	int			count;
	int			capacity;
	int			scale;
	DayEntry	room[32];		/* most customers need no palloc */
} DayList;

/* history.c */
extern const int64 power_of_ten[HISTORY_MAX_SCALE + 1];

extern bool history_is_valid(const uint8 *bytes, Size length);
extern void history_corrupted(void) __attribute__((noreturn, cold));

extern struct varlena *history_from_days(DayList *list);
extern struct varlena *history_merge(const struct varlena *a, const struct varlena *b);

extern TupleDesc find_row_type(FunctionCallInfo fcinfo);
extern TupleDesc call_row_type(FunctionCallInfo fcinfo);

extern void orders_overflow(void) __attribute__((noreturn, cold));
extern void amount_overflow(void) __attribute__((noreturn, cold));
extern amount128 amount_rescale(amount128 amount, int from, int to);

/* ---- sums ---- */

/* Ensure that a count of orders does not wrap. */
static inline int64
orders_add(int64 a, int64 b)
{
	int64		sum;

	if (__builtin_add_overflow(a, b, &sum))
		orders_overflow();
	return sum;
}

/* Ensure that a sum of amounts does not wrap. */
static inline amount128
amount_add(amount128 a, amount128 b)
{
	__int128	sum;

	if (__builtin_add_overflow((__int128) a, (__int128) b, &sum))
		amount_overflow();
	return sum;
}

/*
 * Does the amount fit 128 bits at the largest scale, too?  Only such amounts
 * are stored, so that whether a sum is out of range does not depend on the
 * decimals of what else is in the history.
 */
static inline bool
amount_fits(amount128 amount, int scale)
{
	return amount <= AMOUNT128_MAX / power_of_ten[HISTORY_MAX_SCALE - scale];
}

/*
 * A sum over days in units of 10^-scale, out of range where it would be with
 * all decimals, whatever the scale of this history is.
 */
static inline amount128
amount_sum(amount128 a, amount128 b, int scale)
{
	amount128	sum = amount_add(a, b);

	if (unlikely((sum > PG_INT64_MAX || sum < -PG_INT64_MAX) &&
				 !amount_fits(sum < 0 ? -sum : sum, scale)))
		amount_overflow();
	return sum;
}

/* ---- reading, in the loop of whoever reads ---- */

/* Prepare to read a history; it must stay in place meanwhile. */
static inline void
history_reader_init(HistoryReader *reader, const struct varlena *history)
{
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(history);
	Size		length = VARSIZE_ANY_EXHDR(history);

	if (length < 1 || bytes[0] >> 4 != HISTORY_VERSION ||
		(bytes[0] & 0x0f) > HISTORY_MAX_SCALE)
		history_corrupted();

	reader->next = bytes + 1;
	reader->end = bytes + length;
	reader->day = 0;
	reader->first = true;
	reader->scale = bytes[0] & 0x0f;
}

/* The next entry's day from its step; false if it is no day. */
static inline bool
history_reader_day(HistoryReader *reader, uint64 step, DayEntry *entry)
{
	if (step > PG_UINT32_MAX * UINT64CONST(2))
		return false;
	if (reader->first)
		reader->day = zigzag_decode(step);
	else
		reader->day += (int64) step + 1;
	reader->first = false;
	if (!IS_VALID_DATE(reader->day))
		return false;
	entry->day = (int32) reader->day;
	return true;
}

/* Read the next day; false at the end. */
static pg_attribute_always_inline bool
history_reader_next(HistoryReader *reader, DayEntry *entry)
{
	uint64		step;

	if (reader->next >= reader->end)
		return false;
	reader->next = entry_get(reader->next, reader->end, &step, entry);
	if (unlikely(reader->next == NULL || !history_reader_day(reader, step, entry)))
		history_corrupted();
	return true;
}

/* day_list.c */
extern void day_list_init(DayList *list, int scale);
extern DayEntry *day_list_append(DayList *list);
extern void day_list_normalize(DayList *list);
extern void day_list_rescale(DayList *list, int scale);
extern void day_list_reduce(DayList *list);
extern void day_list_read(DayList *list, const struct varlena *history);

/* history_sql.c */
extern void check_as_of(DateADT as_of);

/* amount.c */
typedef struct Amount
{
	amount128	units;			/* of 10^-scale */
	int			scale;			/* 0 .. HISTORY_MAX_SCALE */
} Amount;

typedef enum AmountStatus
{
	AMOUNT_OK,
	AMOUNT_NAN,
	AMOUNT_INFINITE,
	AMOUNT_OUT_OF_RANGE
} AmountStatus;

extern AmountStatus amount_from_numeric(struct varlena *number, Amount *result);
extern AmountStatus amount_from_float8(float8 value, Amount *result);
extern AmountStatus amount_from_text(const char *text, int length, Amount *result);
extern Numeric amount_to_numeric(amount128 units, int scale);
extern Datum average_order(amount128 revenue, int scale, int64 orders);
extern float8 amount_to_float8(amount128 units, int scale);
extern float8 numeric_to_float8(struct varlena *number);
extern char *amount_to_text(amount128 units, int scale, char *end);

/* The largest amount, of a row, a day and a history: 128 bits with 6 decimals. */
#define AMOUNT_MAX_TEXT	"170141183460469231731687303715884.105727"

#define AMOUNT_TEXT_MAX		48	/* sign, 39 digits, point, end */

#endif							/* HISTORY_H */
