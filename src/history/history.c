/*
 * history.c
 *	  Reading, building and merging purchase histories.
 *
 * Everything here works on whole days; the SQL surface is in history_io.c,
 * history_agg.c and history_sql.c.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "funcapi.h"
#include "history/history.h"
#include "miscadmin.h"
#include "utils/memutils.h"

const int64 power_of_ten[HISTORY_MAX_SCALE + 1] =
{1, 10, 100, 1000, 10000, 100000, 1000000};

/* Ensure that a count of orders does not wrap. */
int64
orders_add(int64 a, int64 b)
{
	int64		sum;

	if (__builtin_add_overflow(a, b, &sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of orders of a customer is out of range")));
	return sum;
}

static void
amount_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("sum of a customer's amounts is out of range"),
			 errdetail("They may come to " AMOUNT_MAX_TEXT " at most.")));
}

/* Ensure that a sum of amounts does not wrap. */
amount128
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
amount128
amount_sum(amount128 a, amount128 b, int scale)
{
	amount128	sum = amount_add(a, b);

	if (unlikely((sum > PG_INT64_MAX || sum < -PG_INT64_MAX) &&
				 !amount_fits(sum < 0 ? -sum : sum, scale)))
		amount_overflow();
	return sum;
}

/* The same amount in units of 10^-to; to >= from. */
amount128
amount_rescale(amount128 amount, int from, int to)
{
	__int128	product;

	if (__builtin_mul_overflow((__int128) amount, (__int128) power_of_ten[to - from], &product))
		amount_overflow();
	return product;
}

static void
history_corrupted(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored purchase_history is damaged")));
}

/* Prepare to read a history; it must stay in place meanwhile. */
void
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
next_day(HistoryReader *reader, uint64 step, DayEntry *entry)
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
bool
history_reader_next(HistoryReader *reader, DayEntry *entry)
{
	uint64		step;

	if (reader->next >= reader->end)
		return false;
	reader->next = entry_get(reader->next, reader->end, &step, entry);
	if (reader->next == NULL || !next_day(reader, step, entry))
		history_corrupted();
	return true;
}

/*
 * Are these bytes (without a varlena header) a history, in the one form that
 * we would have written ourselves?  For bytes that come from outside.
 */
bool
history_is_valid(const uint8 *bytes, Size length)
{
	HistoryReader reader;
	DayEntry	entry;
	uint64		step;
	bool		reducible = true;
	int			scale;

	if (length < 1 || bytes[0] >> 4 != HISTORY_VERSION)
		return false;
	scale = bytes[0] & 0x0f;
	if (scale > HISTORY_MAX_SCALE)
		return false;

	reader.next = bytes + 1;
	reader.end = bytes + length;
	reader.day = 0;
	reader.first = true;
	while (reader.next < reader.end)
	{
		reader.next = entry_get(reader.next, reader.end, &step, &entry);
		if (reader.next == NULL || !next_day(&reader, step, &entry))
			return false;
		if (!amount_fits(entry.gross, scale) || !amount_fits(entry.refunded, scale))
			return false;
		if (entry.gross % 10 != 0 || entry.refunded % 10 != 0)
			reducible = false;
	}
	return !reducible || scale == 0;
}

/* Encode a list of days, which is normalized and reduced by the way. */
struct varlena *
history_from_days(DayList *list)
{
	uint8		room[32 * ENTRY_MAX_BYTES + 1];
	uint8	   *bytes = room;
	uint8	   *out;
	struct varlena *history;
	int32		previous = 0;
	Size		length;

	day_list_normalize(list);
	day_list_reduce(list);

	if (list->count > 32)
		bytes = MemoryContextAllocHuge(CurrentMemoryContext,
									   (Size) list->count * ENTRY_MAX_BYTES + 1);
	out = bytes;
	*out++ = HISTORY_VERSION << 4 | list->scale;
	for (int i = 0; i < list->count; i++)
	{
		const DayEntry *entry = &list->entry[i];
		uint64		step = i == 0 ? zigzag_encode(entry->day) :
			(uint64) ((int64) entry->day - previous - 1);

		if (unlikely((entry->gross > PG_INT64_MAX || entry->refunded > PG_INT64_MAX) &&
					 (!amount_fits(entry->gross, list->scale) ||
					  !amount_fits(entry->refunded, list->scale))))
			amount_overflow();
		out = entry_put(out, step, entry);
		previous = entry->day;
	}

	length = out - bytes;
	if (!AllocSizeIsValid(length + VARHDRSZ))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many days in a purchase_history")));
	history = palloc(length + VARHDRSZ);
	SET_VARSIZE(history, length + VARHDRSZ);
	memcpy(VARDATA(history), bytes, length);
	if (bytes != room)
		pfree(bytes);
	return history;
}

/* The sum of two histories. */
struct varlena *
history_merge(const struct varlena *a, const struct varlena *b)
{
	DayList		list;

	day_list_init(&list, 0);
	day_list_read(&list, a);
	day_list_read(&list, b);
	return history_from_days(&list);
}

/* The row type that this call site returns; looked up once. */
TupleDesc
call_row_type(FunctionCallInfo fcinfo)
{
	TupleDesc	desc = (TupleDesc) fcinfo->flinfo->fn_extra;

	if (desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		desc = BlessTupleDesc(CreateTupleDescCopy(desc));
		fcinfo->flinfo->fn_extra = desc;
		MemoryContextSwitchTo(old);
	}
	return desc;
}
