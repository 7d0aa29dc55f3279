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

/* Add the batch, which is empty afterwards. */
void
bulk_history_add_batch(BulkHistory *history, BulkBatch *batch)
{
	const uint64 *head = batch->head;
	int			count = batch->count;
	int			scale = history->days.scale;
	bool		sorted = true;
	MemoryContext old_context;

	batch->count = 0;
	if (count == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	scale = Max(scale, head_scale(head[0]));
	for (int i = 1; i < count; i++)
	{
		scale = Max(scale, head_scale(head[i]));
		sorted &= head[i - 1] >> HEAD_DAY_SHIFT <= head[i] >> HEAD_DAY_SHIFT;
	}
	if (!sorted)
		radix_sort_by_top(batch->head, batch->scratch, count);

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

/* The history; NULL if no row could be used.  The days are not to be used any more. */
struct varlena *
bulk_history_final(BulkHistory *history)
{
	struct varlena *result;

	if (history->rows == history->bad)
		return NULL;
	result = history_from_days(&history->days);
	if (history->days.entry != history->days.room)
		pfree(history->days.entry);
	day_list_init(&history->days, 0);
	return result;
}
