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

extern void history_reader_init(HistoryReader *reader, const struct varlena *history);
extern bool history_reader_next(HistoryReader *reader, DayEntry *entry);
extern bool history_is_valid(const uint8 *bytes, Size length);

extern struct varlena *history_from_days(DayList *list);
extern struct varlena *history_merge(const struct varlena *a, const struct varlena *b);

extern TupleDesc call_row_type(FunctionCallInfo fcinfo);

extern int64 orders_add(int64 a, int64 b);
extern amount128 amount_add(amount128 a, amount128 b);
extern amount128 amount_sum(amount128 a, amount128 b, int scale);
extern amount128 amount_rescale(amount128 amount, int from, int to);

/* day_list.c */
extern void day_list_init(DayList *list, int scale);
extern DayEntry *day_list_append(DayList *list);
extern void day_list_normalize(DayList *list);
extern void day_list_rescale(DayList *list, int scale);
extern void day_list_reduce(DayList *list);
extern void day_list_read(DayList *list, const struct varlena *history);

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
extern char *amount_to_text(amount128 units, int scale, char *end);

/* The largest amount, of a row, a day and a history: 128 bits with 6 decimals. */
#define AMOUNT_MAX_TEXT	"170141183460469231731687303715884.105727"

#define AMOUNT_TEXT_MAX		48	/* sign, 39 digits, point, end */

#endif							/* HISTORY_H */
