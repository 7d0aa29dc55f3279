/*
 * bulk_build.c
 *	  One customer's history from rows that come one after the other.
 *
 * Heads are gathered in a batch, which is sorted by day, unless the rows came
 * in the order of time, and summed day by day.  Days that were there before are
 * summed now and then, so that memory follows the days and not the rows.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "history/bulk.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"

/* The longest entry of heads: a tag, a count, and two amounts of 60 bits. */
#define COMPACT_ENTRY_MAX_BYTES	(3 + 2 + 9 + 9)

/* Days after which it is worth a look whether some are the same. */
#define FIRST_COMPACT	16384

void
bulk_history_init(BulkHistory *history, MemoryContext context)
{
	history->context = context;
	history->rows = 0;
	history->bad = 0;
	history->compact_at = FIRST_COMPACT;
	day_list_init(&history->days, 0);
}

/* Add to a day, in units of the list's scale. */
static inline void
add_day(BulkHistory *history, const DayEntry *day)
{
	DayList    *days = &history->days;
	DayEntry   *last = days->count > 0 ? &days->entry[days->count - 1] : NULL;

	if (last != NULL && last->day == day->day)
	{
		last->orders = orders_add(last->orders, day->orders);
		last->gross = amount_add(last->gross, day->gross);
		last->refunded = amount_add(last->refunded, day->refunded);
		return;
	}
	if (unlikely(days->count >= history->compact_at))
	{
		CHECK_FOR_INTERRUPTS();
		day_list_normalize(days);
		history->compact_at = days->count > PG_INT32_MAX / 2 ? PG_INT32_MAX :
			Max(FIRST_COMPACT, days->count * 2);
		add_day(history, day);
		return;
	}
	*day_list_append(days) = *day;
}

/*
 * Bring the batch, which is not empty, into the order of days.  Tells the
 * least and the largest scale.
 */
static void
sort_batch(BulkBatch *batch, int *least, int *largest)
{
	const uint64 *head = batch->head;
	unsigned	scales = 1 << head_scale(head[0]);
	bool		sorted = true;

	for (int i = 1; i < batch->count; i++)
	{
		scales |= 1 << head_scale(head[i]);
		sorted &= head[i - 1] >> HEAD_DAY_SHIFT <= head[i] >> HEAD_DAY_SHIFT;
	}
	if (!sorted)
		radix_sort_by_top(batch->head, batch->scratch, batch->count);
	*least = pg_rightmost_one_pos32(scales);
	*largest = pg_leftmost_one_pos32(scales);
}

/* Add the batch, which is empty afterwards. */
void
bulk_history_add_batch(BulkHistory *history, BulkBatch *batch)
{
	const uint64 *head = batch->head;
	int			count = batch->count;
	int			least;
	int			scale;
	MemoryContext old_context;

	if (count == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	sort_batch(batch, &least, &scale);
	scale = Max(scale, history->days.scale);
	batch->count = 0;

	old_context = MemoryContextSwitchTo(history->context);
	day_list_rescale(&history->days, scale);
	for (int i = 0; i < count;)
	{
		uint64		day = head[i] >> HEAD_DAY_SHIFT;
		DayEntry	entry = {head_day(head[i]), 0, 0, 0};

		do
		{
			/* 43 bits by a million: below 63 bits */
			int64		units = head_units(head[i]) * power_of_ten[scale - head_scale(head[i])];

			if (units >= 0)
			{
				entry.orders++;
				entry.gross += units;
			}
			else
				entry.refunded -= units;
		} while (++i < count && head[i] >> HEAD_DAY_SHIFT == day);
		add_day(history, &entry);
	}
	MemoryContextSwitchTo(old_context);
}

/* Add a row that does not fit a head. */
void
bulk_history_add(BulkHistory *history, int32 day, amount128 units, int scale)
{
	MemoryContext old_context = MemoryContextSwitchTo(history->context);
	DayEntry	entry;

	history->rows++;
	if (scale > history->days.scale)
		day_list_rescale(&history->days, scale);
	else
		units = amount_rescale(units, scale, history->days.scale);
	entry.day = day;
	entry.orders = units >= 0;
	entry.gross = units >= 0 ? units : 0;
	entry.refunded = units >= 0 ? 0 : -units;
	add_day(history, &entry);
	MemoryContextSwitchTo(old_context);
}

/*
 * Write the batch, which is in the order of days, as a history's entries: the
 * amounts in units of 10^-scale, then divided by "divisor", of which they must
 * be multiples.  Tells whether they are multiples of ten times that.
 */
static uint8 *
put_batch(uint8 *out, const BulkBatch *batch, int scale, int64 divisor, bool *multiples_of_ten)
{
	const uint64 *head = batch->head;
	int32		previous = 0;
	bool		multiples = true;

	for (int i = 0; i < batch->count;)
	{
		bool		first = i == 0;
		uint64		day = head[i] >> HEAD_DAY_SHIFT;
		int64		gross = 0;
		int64		refunded = 0;
		DayEntry	entry = {head_day(head[i]), 0, 0, 0};

		do
		{
			int64		units = head_units(head[i]) * power_of_ten[scale - head_scale(head[i])];

			if (units >= 0)
			{
				entry.orders++;
				gross += units;
			}
			else
				refunded -= units;
		} while (++i < batch->count && head[i] >> HEAD_DAY_SHIFT == day);
		if (unlikely(divisor > 1))
		{
			gross /= divisor;
			refunded /= divisor;
		}
		multiples = multiples && gross % 10 == 0 && refunded % 10 == 0;
		entry.gross = gross;
		entry.refunded = refunded;
		out = entry_put(out, first ? zigzag_encode(entry.day) : (uint64) (entry.day - previous - 1), &entry);
		previous = entry.day;
	}
	*multiples_of_ten = multiples;
	return out;
}

/*
 * The history of the batch alone, as history_from_days() would make it; NULL if
 * its sums might not fit 64 bits.
 */
static struct varlena *
history_from_batch(BulkBatch *batch)
{
	int64		divisor = 1;
	int			least;
	int			largest;
	bool		reducible;
	struct varlena *result;
	uint8	   *out;

	sort_batch(batch, &least, &largest);

	/* 43 bits by a hundred, 1024 times: 60 bits */
	if (largest - least > 2)
		return NULL;

	result = palloc(VARHDRSZ + 1 + batch->count * COMPACT_ENTRY_MAX_BYTES);
	for (int scale = largest;; scale--)
	{
		out = (uint8 *) VARDATA(result);
		*out++ = HISTORY_VERSION << 4 | scale;
		out = put_batch(out, batch, largest, divisor, &reducible);
		if (scale == 0 || !reducible)
			break;
		divisor *= 10;
	}
	SET_VARSIZE(result, out - (uint8 *) result);
	return result;
}

/*
 * The history, with what is still in the batch; NULL if no row could be used.
 * The days are not to be used any more.
 */
struct varlena *
bulk_history_final(BulkHistory *history, BulkBatch *batch)
{
	struct varlena *result;

	if (history->days.count == 0)
	{
		if (batch->count == 0)
			return NULL;

		/* By far the most customers: their few rows are summed and written in one go. */
		result = history_from_batch(batch);
		if (result != NULL)
		{
			batch->count = 0;
			return result;
		}
	}
	bulk_history_add_batch(history, batch);
	result = history_from_days(&history->days);
	if (history->days.entry != history->days.room)
		pfree(history->days.entry);
	day_list_init(&history->days, 0);
	return result;
}
