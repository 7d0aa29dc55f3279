/*
 * day_list.c
 *	  Lists of days being put together: gathered in any order, then sorted and
 *	  summed to one entry a day in the smallest scale.
 */
#include "postgres.h"

#include "compat.h"

#include "history/history.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Keys sorted without palloc. */
#define SORT_ROOM	256

/* Start an empty list of days whose amounts are in units of 10^-scale. */
void
day_list_init(DayList *list, int scale)
{
	list->entry = list->room;
	list->count = 0;
	list->capacity = lengthof(list->room);
	list->scale = scale;
}

/* Room for one more day at the end of the list. */
DayEntry *
day_list_append(DayList *list)
{
	if (list->count == list->capacity)
	{
		DayEntry   *larger;

		if (list->capacity > PG_INT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many days in a purchase_history")));
		larger = MemoryContextAllocHuge(CurrentMemoryContext,
										(Size) list->capacity * 2 * sizeof(DayEntry));
		memcpy(larger, list->entry, (Size) list->count * sizeof(DayEntry));
		if (list->entry != list->room)
			pfree(list->entry);
		list->entry = larger;
		list->capacity *= 2;
	}
	return &list->entry[list->count++];
}

/*
 * What is sorted: the day in the high half, flipped so that it orders as an
 * unsigned number, and the place in the list in the low half.  An entry is six
 * times as long.
 */
static inline uint64
sort_key(const DayEntry *entry, int place)
{
	return (uint64) ((uint32) entry->day ^ UINT32_C(1) << 31) << 32 | (uint32) place;
}

/* The end of the rising run of keys that begins at start. */
static inline int
run_end(const uint64 *key, int start, int count)
{
	int			end = start + 1;

	while (end < count && key[end - 1] < key[end])
		end++;
	return end;
}

/*
 * Sort keys by merging the rising runs there are, two by two, to and fro
 * between two buffers; the result is the buffer they end up in.  Rows that come
 * in the order of time are one run, those of a few parallel workers are a few.
 */
static uint64 *
merge_runs(uint64 *from, uint64 *to, int count)
{
	for (;;)
	{
		int			end;
		uint64	   *swap;

		if (run_end(from, 0, count) == count)
			return from;
		CHECK_FOR_INTERRUPTS();
		for (int start = 0; start < count; start = end)
		{
			int			middle = run_end(from, start, count);
			int			left = start;
			int			right = middle;
			int			out = start;

			end = middle < count ? run_end(from, middle, count) : count;
			while (left < middle && right < end)
				to[out++] = from[left] < from[right] ? from[left++] : from[right++];
			while (left < middle)
				to[out++] = from[left++];
			while (right < end)
				to[out++] = from[right++];
		}
		swap = from;
		from = to;
		to = swap;
	}
}

/* Move each entry to its place; the keys, in order, say where it is now. */
static void
move_entries(DayEntry *entry, uint64 *key, int count)
{
	for (int i = 0; i < count; i++)
	{
		DayEntry	first = entry[i];
		int			hole = i;
		int			source;

		/* follow the circle of entries that take each other's place */
		while ((source = (uint32) key[hole]) != i)
		{
			entry[hole] = entry[source];
			key[hole] = hole;
			hole = source;
		}
		entry[hole] = first;
		key[hole] = hole;
	}
}

/* Sort the list by day. */
static void
day_list_sort(DayList *list)
{
	uint64		room[2 * SORT_ROOM];
	uint64	   *key = room;

	if (list->count > SORT_ROOM)
		key = MemoryContextAllocHuge(CurrentMemoryContext,
									 (Size) list->count * 2 * sizeof(uint64));
	for (int i = 0; i < list->count; i++)
		key[i] = sort_key(&list->entry[i], i);
	move_entries(list->entry, merge_runs(key, key + list->count, list->count), list->count);
	if (key != room)
		pfree(key);
}

/* Sort the list by day and sum what falls on one day. */
void
day_list_normalize(DayList *list)
{
	DayEntry   *entry = list->entry;
	int			kept = 0;
	int			i = 1;

	while (i < list->count && entry[i - 1].day < entry[i].day)
		i++;
	if (i >= list->count)
		return;

	day_list_sort(list);
	for (i = 1; i < list->count; i++)
	{
		if (entry[i].day == entry[kept].day)
		{
			entry[kept].orders = orders_add(entry[kept].orders, entry[i].orders);
			entry[kept].gross = amount_add(entry[kept].gross, entry[i].gross);
			entry[kept].refunded = amount_add(entry[kept].refunded, entry[i].refunded);
		}
		else
			entry[++kept] = entry[i];
	}
	list->count = kept + 1;
}

/* Bring all amounts of the list to a larger scale. */
void
day_list_rescale(DayList *list, int scale)
{
	if (list->scale == scale)
		return;
	for (int i = 0; i < list->count; i++)
	{
		DayEntry   *entry = &list->entry[i];

		entry->gross = amount_rescale(entry->gross, list->scale, scale);
		entry->refunded = amount_rescale(entry->refunded, list->scale, scale);
	}
	list->scale = scale;
}

/* Append a history's days to the list. */
void
day_list_read(DayList *list, const struct varlena *history)
{
	HistoryReader reader;
	DayEntry	entry;

	history_reader_init(&reader, history);
	if (reader.scale > list->scale)
		day_list_rescale(list, reader.scale);
	while (history_reader_next(&reader, &entry))
	{
		if (reader.scale < list->scale)
		{
			entry.gross = amount_rescale(entry.gross, reader.scale, list->scale);
			entry.refunded = amount_rescale(entry.refunded, reader.scale, list->scale);
		}
		*day_list_append(list) = entry;
	}
}

/* Can every amount of the list do without its last decimal? */
static bool
day_list_is_reducible(const DayList *list)
{
	for (int i = 0; i < list->count; i++)
	{
		const DayEntry *entry = &list->entry[i];

		/* the first test is the second, faster */
		if (entry->gross <= PG_INT64_MAX ? (int64) entry->gross % 10 != 0 :
			entry->gross % 10 != 0)
			return false;
		if (entry->refunded != 0 && entry->refunded % 10 != 0)
			return false;
	}
	return true;
}

/* Bring the list to the smallest scale that holds its amounts exactly. */
void
day_list_reduce(DayList *list)
{
	while (list->scale > 0 && day_list_is_reducible(list))
	{
		for (int i = 0; i < list->count; i++)
		{
			list->entry[i].gross /= 10;
			list->entry[i].refunded /= 10;
		}
		list->scale--;
	}
}
