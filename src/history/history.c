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

void
orders_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of orders of a customer is out of range")));
}

void
amount_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("sum of a customer's amounts is out of range"),
			 errdetail("They may come to " AMOUNT_MAX_TEXT " at most.")));
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

void
history_corrupted(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored purchase_history is damaged")));
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
		if (reader.next == NULL || !history_reader_day(&reader, step, &entry))
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

/* The row type that this call site returns, in the current context. */
TupleDesc
find_row_type(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(CreateTupleDescCopy(desc));
}

/* The same, looked up once. */
TupleDesc
call_row_type(FunctionCallInfo fcinfo)
{
	TupleDesc	desc = (TupleDesc) fcinfo->flinfo->fn_extra;

	if (desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		desc = find_row_type(fcinfo);
		fcinfo->flinfo->fn_extra = desc;
		MemoryContextSwitchTo(old);
	}
	return desc;
}
