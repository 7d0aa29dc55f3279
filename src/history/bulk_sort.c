/*
 * bulk_sort.c
 *	  The bulk builder's rows in the order of their customers, in so much memory
 *	  and no more.
 *
 * An external sort of 16-byte records: half of the budget is filled, sorted by
 * radix with the other half as scratch, and written to a temporary file as a
 * run, but for the last one, which stays in memory; in the end the runs are
 * merged while they are read.  A merge needs no more memory for a customer with
 * many rows than for one with few, so there is no skew to provide for.
 *
 * Where the customer's key goes with its rows, or rows are lines of orders, the
 * words of a row stand in an area of their own while they are sorted, and the
 * record says where; they are put side by side when the run is written, or read.
 *
 * Only very many rows in very little memory make more runs than there can be
 * buffers; then they are first merged to fewer, longer runs.
 */
#include "postgres.h"

#include "compat.h"

#include "commands/tablespace.h"
#include "executor/instrument.h"
#include "fmgr.h"
#include "history/bulk.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM < 140000
#include "pgstat.h"
#else
#include "utils/wait_event.h"
#endif

/* Memory to begin with, and the bounds of what is read from a run at a time. */
#define FIRST_RECORDS		2048
#define MIN_BUFFER_RECORDS	(BLCKSZ / sizeof(RadixRecord))
#define MAX_BUFFER_RECORDS	(32 * BLCKSZ / sizeof(RadixRecord))

/*
 * Records in a file stand in blocks of so many: a word with a bit for each
 * record that does not have the key of the one before, those keys, and the
 * values.  That is half of the bytes where customers have several rows a run.
 */
#define PACK_RECORDS		64
#define PACK_MAX_WORDS		(1 + 2 * PACK_RECORDS)

/* Words that are gathered before they are written. */
#define PACKED_WORDS		(16 * BLCKSZ / sizeof(uint64))

/* Rows whose words are asked for before they are needed. */
#define PREFETCH			8

static void
see_to_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

static RadixRecord *
allocate_records(BulkSort *sort, Size count)
{
	return MemoryContextAllocHuge(sort->context, count * sizeof(RadixRecord));
}

/*
 * A new sort.  Its temporary files belong to the resource owner; "form" says
 * how keys are put into words if they go with the rows, and "order_form" the
 * same of order ids if rows are lines.
 */
BulkSort *
bulk_sort_begin(MemoryContext context, ResourceOwner owner, Size budget, BulkKey *form,
				BulkKey *order_form)
{
	BulkSort   *sort = MemoryContextAllocZero(context, sizeof(BulkSort));

	sort->context = context;
	sort->owner = owner;
	sort->form = form;
	sort->order_form = order_form;
	sort->has_words = form != NULL || order_form != NULL;
	sort->budget = budget - PACKED_WORDS * sizeof(uint64);
	sort->capacity = FIRST_RECORDS;
	sort->record = allocate_records(sort, sort->capacity);
	if (sort->has_words)
	{
		sort->room_for_words = FIRST_RECORDS;
		sort->word = MemoryContextAlloc(context, sort->room_for_words * sizeof(uint64));
	}
	return sort;
}

/* Close what is open; memory goes with its context. */
void
bulk_sort_end(BulkSort *sort)
{
	if (sort->file > 0)
		FileClose(sort->file);
	sort->file = 0;
}

/*
 * Begin a new, empty file.  The query that fills the sort has a resource owner
 * of its own, and the file must outlive it.
 *
 * Not a BufFile, which writes block by block: with larger pieces the same bytes
 * take the kernel half the time.
 */
static void
create_file(BulkSort *sort)
{
	ResourceOwner old_owner = CurrentResourceOwner;

	if (sort->packed == NULL)
		sort->packed = MemoryContextAlloc(sort->context, PACKED_WORDS * sizeof(uint64));
	PrepareTempTablespaces();
	CurrentResourceOwner = sort->owner;
	sort->file = OpenTemporaryFile(false);
	CurrentResourceOwner = old_owner;
	sort->file_size = 0;
}

/* A run without records so far, which begins where the file ends. */
static BulkRun *
add_run(BulkSort *sort)
{
	BulkRun    *run;

	if (sort->runs == sort->room_for_runs)
	{
		sort->room_for_runs = Max(16, sort->room_for_runs * 2);
		if (sort->run == NULL)
			sort->run = MemoryContextAlloc(sort->context, sort->room_for_runs * sizeof(BulkRun));
		else
			sort->run = repalloc(sort->run, sort->room_for_runs * sizeof(BulkRun));
	}
	run = &sort->run[sort->runs++];
	memset(run, 0, sizeof(BulkRun));
	run->file = sort->file;
	run->offset = sort->file_size;
	return run;
}

/* Pack up to PACK_RECORDS records; returns the words it takes. */
static int
pack(uint64 *packed, const RadixRecord *record, int count)
{
	uint64		key = ~record[0].key;
	uint64		changes = 0;
	int			words = 1;

	for (int i = 0; i < count; i++)
	{
		uint64		changed = record[i].key != key;

		/* kept if it has changed, overwritten if not */
		packed[words] = key = record[i].key;
		words += changed;
		changes |= changed << i;
	}
	packed[0] = changes;
	for (int i = 0; i < count; i++)
		packed[words++] = record[i].value;
	return words;
}

/* The same back; returns the words it took, or 0 if there are not enough. */
static int
unpack(const uint64 *packed, Size words, RadixRecord *record, int count)
{
	const uint64 *key = packed;
	const uint64 *value;

	if (words < 1)
		return 0;
	value = packed + 1 + pg_popcount64(packed[0]);
	if (value + count > packed + words)
		return 0;
	for (int i = 0; i < count; i++)
	{
		key += packed[0] >> i & 1;
		record[i].key = *key;
		record[i].value = value[i];
	}
	return value + count - packed;
}

/* Write what is packed to the end of the file. */
static void
write_packed(BulkSort *sort)
{
	char	   *bytes = (char *) sort->packed;
	Size		left = sort->packed_words * sizeof(uint64);

	CHECK_FOR_INTERRUPTS();
	pgBufferUsage.temp_blks_written += left / BLCKSZ;
	while (left > 0)
	{
		int			written = FileWrite(sort->file, bytes, left, sort->file_size,
										WAIT_EVENT_BUFFILE_WRITE);

		if (written <= 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to file \"%s\": %m", FilePathName(sort->file))));
		sort->file_size += written;
		bytes += written;
		left -= written;
	}
	sort->packed_words = 0;
}

/* Add records to a run; all but the last ones come in whole blocks. */
static void
run_write(BulkSort *sort, BulkRun *run, const RadixRecord *record, Size count)
{
	Assert(run->unread % PACK_RECORDS == 0);
	for (Size done = 0; done < count; done += PACK_RECORDS)
	{
		if (PACKED_WORDS - sort->packed_words < PACK_MAX_WORDS)
			write_packed(sort);
		sort->packed_words += pack(sort->packed + sort->packed_words, record + done,
								   Min(count - done, PACK_RECORDS));
	}
	run->unread += count;
}

static void
run_finish(BulkSort *sort, BulkRun *run)
{
	write_packed(sort);
	run->bytes = sort->file_size - run->offset;
}

/*
 * Put the sorted rows' words side by side, as many as there is room for, and go
 * on there the next time; returns how many.  A key that is the same as that of
 * the row before is left out.
 */
static Size
gather(BulkSort *sort, RadixRecord *output, Size room)
{
	Size		done = 0;

	for (; sort->gathered < sort->count; sort->gathered++, sort->gathered_words = 0)
	{
		const RadixRecord *record = &sort->record[sort->gathered];
		const uint64 *word = sort->word + record->value;
		Size		key_words = sort->form == NULL ? 0 : bulk_key_words_from(sort->form, word[1]);
		Size		words = 1 + key_words + head_extra_words(word[0]);
		Size		left_out = 0;
		uint64		head = word[0];

		if (sort->gathered + PREFETCH < sort->count)
			__builtin_prefetch(sort->word + record[PREFETCH].value);
		if (head_is_line(word[0]))
			words += bulk_key_words_from(sort->order_form, word[1 + key_words]);
		if (key_words > 0 && sort->gathered > 0 && record[-1].key == record->key &&
			bulk_key_words_from(sort->form, sort->word[record[-1].value + 1]) == key_words &&
			memcmp(sort->word + record[-1].value + 1, word + 1, key_words * sizeof(uint64)) == 0)
		{
			left_out = key_words;
			head &= ~HEAD_KEYED;
		}
		for (Size i = sort->gathered_words; i < words - left_out; i++)
		{
			if (done == room)
			{
				sort->gathered_words = i;
				return done;
			}
			output[done].key = record->key;
			output[done++].value = i == 0 ? head : word[i + left_out];
		}
	}
	return done;
}

/* Sort what there is, and begin to gather it. */
static void
sort_records(BulkSort *sort, RadixRecord *scratch)
{
	radix_sort(sort->record, scratch, sort->count, see_to_interrupts);
	sort->gathered = sort->gathered_words = 0;
}

/* Sort what there is and write it as a run. */
static void
spill(BulkSort *sort)
{
	BulkRun    *run;

	if (sort->file <= 0)
		create_file(sort);
	if (sort->scratch == NULL)
		sort->scratch = allocate_records(sort, sort->capacity);
	sort_records(sort, sort->scratch);
	run = add_run(sort);
	if (!sort->has_words)
		run_write(sort, run, sort->record, sort->count);
	else
	{
		Size		room = sort->capacity - sort->capacity % PACK_RECORDS;
		Size		count;

		/* the scratch is free now */
		while ((count = gather(sort, sort->scratch, room)) > 0)
			run_write(sort, run, sort->scratch, count);
	}
	run_finish(sort, run);
	sort->count = 0;
	sort->words = 0;
}

/* Set the sizes of what is filled. */
static void
resize(BulkSort *sort, Size capacity, Size room)
{
	if (capacity != sort->capacity)
		sort->record = repalloc_huge(sort->record, capacity * sizeof(RadixRecord));
	if (room != sort->room_for_words)
		sort->word = repalloc_huge(sort->word, room * sizeof(uint64));
	sort->capacity = capacity;
	sort->room_for_words = room;
}

/*
 * Ensure that there is room for some more records and words, all of one row.
 * Either grows by the double while the budget allows it, with as much scratch
 * as there are records; then, once, to what the budget holds of rows like those
 * so far; and from then on a run is written whenever there is no room.
 */
void
bulk_sort_make_room(BulkSort *sort, Size records, Size words)
{
	const Size	record_bytes = 2 * sizeof(RadixRecord);
	Size		capacity = sort->capacity;
	Size		room = sort->room_for_words;

	if (sort->normal_room == 0)
	{
		double		row_bytes;

		if (capacity - sort->count < records)
			capacity *= 2;
		if (room - sort->words < words)
			room = Max(room * 2, sort->words + words);
		if (capacity * record_bytes + room * sizeof(uint64) <= sort->budget)
		{
			resize(sort, capacity, room);
			return;
		}

		/* what there is fits, so neither part has to give */
		capacity = sort->capacity;
		room = sort->room_for_words;
		row_bytes = record_bytes + sizeof(uint64) * (double) (sort->words + words) / (sort->count + 1);
		capacity = Max(capacity, Min((Size) (sort->budget / row_bytes),
									 (sort->budget - room * sizeof(uint64)) / record_bytes));
		if (sort->has_words)
			room = (sort->budget - capacity * record_bytes) / sizeof(uint64);
		resize(sort, capacity, room);
		sort->normal_room = Max(room, 1);
		if (capacity - sort->count >= records && room - sort->words >= words)
			return;
	}

	if (sort->count > 0)
		spill(sort);
	/* A single row must have what it needs, and gives it back. */
	if (sort->has_words)
		resize(sort, sort->capacity, Max(sort->normal_room, words));
}

/* Read packed records of a run, behind those that are in its buffer still. */
static void
read_packed(BulkSort *sort, BulkRun *run)
{
	uint64	   *start = (uint64 *) (run->buffer + PACK_RECORDS);
	Size		kept = (char *) run->packed_end - (char *) run->packed;
	Size		room = (sort->buffer_records - PACK_RECORDS) * sizeof(RadixRecord);
	char	   *bytes = (char *) start + kept;
	Size		left = Min(room - kept, (Size) run->bytes);

	CHECK_FOR_INTERRUPTS();
	if (kept > 0)
		memmove(start, run->packed, kept);
	run->packed = start;
	run->packed_end = (uint64 *) (bytes + left);
	run->bytes -= left;
	pgBufferUsage.temp_blks_read += left / BLCKSZ;
	while (left > 0)
	{
		int			got = FileRead(run->file, bytes, left, run->offset, WAIT_EVENT_BUFFILE_READ);

		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", FilePathName(run->file))));
		if (got == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("could not read file \"%s\": it ends %zu bytes early",
							FilePathName(run->file), left)));
		run->offset += got;
		bytes += got;
		left -= got;
	}
}

/* The next records of a run, which has some. */
static void
run_read(BulkSort *sort, BulkRun *run)
{
	int			count = Min(run->unread, PACK_RECORDS);
	int			words;

	run->next = run->buffer;
	if (run->in_memory)
	{
		CHECK_FOR_INTERRUPTS();
		run->end = run->buffer + gather(sort, run->buffer, sort->buffer_records);
		run->unread = sort->gathered < sort->count;
		return;
	}
	if (run->packed_end - run->packed < PACK_MAX_WORDS && run->bytes > 0)
		read_packed(sort, run);
	words = unpack(run->packed, run->packed_end - run->packed, run->buffer, count);
	if (words == 0)
		elog(ERROR, "sorted run is cut off");
	run->packed += words;
	run->end = run->buffer + count;
	run->unread -= count;
}

/* Begin to merge runs, none of which is empty. */
static void
merge_begin(BulkSort *sort, BulkRun *run, int runs)
{
	sort->heads = 0;
	for (int i = 0; i < runs; i++)
	{
		if (run[i].unread > 0)
		{
			run[i].buffer = sort->buffers + sort->buffer_records * i;
			run[i].packed = run[i].packed_end = NULL;
			run_read(sort, &run[i]);
		}
		sort->heap[sort->heads].key = run[i].next->key;
		sort->heap[sort->heads++].run = i;
	}
	radix_heap_build(sort->heap, sort->heads);
	sort->merged = run;
	sort->current = run;
}

/* Merge each so many runs to one. */
static void
merge_pass(BulkSort *sort, int at_once)
{
	BulkRun    *old_run = sort->run;
	int			old_runs = sort->runs;
	File		old_file = sort->file;
	RadixRecord *output = allocate_records(sort, MIN_BUFFER_RECORDS);

	create_file(sort);
	sort->run = NULL;
	sort->runs = sort->room_for_runs = 0;
	for (int first = 0; first < old_runs; first += at_once)
	{
		BulkRun    *merged = add_run(sort);
		Size		count = 0;
		uint64		key;
		uint64		word;

		merge_begin(sort, old_run + first, Min(at_once, old_runs - first));
		while (bulk_sort_next_key(sort, &key))
		{
			while (bulk_sort_get(sort, &word))
			{
				output[count].key = key;
				output[count++].value = word;
				if (count == MIN_BUFFER_RECORDS)
				{
					run_write(sort, merged, output, count);
					count = 0;
				}
			}
		}
		run_write(sort, merged, output, count);
		run_finish(sort, merged);
	}
	pfree(output);
	pfree(old_run);
	FileClose(old_file);
}

/* What was filled last becomes a run that stays in memory. */
static void
keep_in_memory(BulkSort *sort)
{
	BulkRun    *run = add_run(sort);

	if (!sort->has_words)
	{
		run->next = sort->record;
		run->end = sort->record + sort->count;
	}
	else
	{
		run->in_memory = true;
		run->unread = 1;
	}
}

/* All rows are there: prepare to read them. */
void
bulk_sort_finish(BulkSort *sort)
{
	int			at_once = Max(2, (int) Min(sort->budget / BLCKSZ, PG_INT16_MAX) - 1);
	Size		buffers = sort->capacity * sizeof(RadixRecord); /* what is scratch now */

	if (sort->count == 0)
		return;					/* a run is only written to make room for a row */

	if (sort->runs == 0 || (Size) (sort->runs + 1) * BLCKSZ <= buffers)
	{
		RadixRecord *scratch = sort->scratch;

		if (scratch == NULL)
			scratch = allocate_records(sort, sort->count);
		sort_records(sort, scratch);
		pfree(scratch);
		keep_in_memory(sort);
	}
	else
	{
		spill(sort);
		pfree(sort->record);
		pfree(sort->scratch);
		if (sort->word != NULL)
			pfree(sort->word);
		sort->record = NULL;
		sort->word = NULL;
		buffers = sort->budget;
	}
	sort->scratch = NULL;

	sort->heap = MemoryContextAlloc(sort->context, Min(sort->runs, at_once) * sizeof(RadixHead));
	if (sort->runs > at_once)
	{
		sort->buffer_records = MIN_BUFFER_RECORDS;
		sort->buffers = allocate_records(sort, sort->buffer_records * at_once);
		while (sort->runs > at_once)
			merge_pass(sort, at_once);
		pfree(sort->buffers);
	}
	if (sort->runs > 1 || sort->has_words)
	{
		sort->buffer_records = Max(Min(buffers / sizeof(RadixRecord) / sort->runs, MAX_BUFFER_RECORDS),
								   MIN_BUFFER_RECORDS);
		sort->buffers = allocate_records(sort, sort->buffer_records * sort->runs);
	}
	merge_begin(sort, sort->run, sort->runs);
}

/* The next key; the words of the one before must have been read to their end. */
bool
bulk_sort_next_key(BulkSort *sort, uint64 *key)
{
	if (sort->heads == 0)
		return false;
	sort->current = &sort->merged[sort->heap[0].run];
	*key = sort->key = sort->heap[0].key;
	return true;
}

/*
 * The next word of this key where it is not the next one in the buffer: read
 * on, or go to the next run that has the key.
 */
bool
bulk_sort_turn(BulkSort *sort, uint64 *word)
{
	BulkRun    *run = sort->current;

	for (;;)
	{
		if (run->next == run->end && run->unread > 0)
			run_read(sort, run);
		if (run->next < run->end)
		{
			if (run->next->key == sort->key)
			{
				*word = run->next++->value;
				return true;
			}
			sort->heap[0].key = run->next->key;
		}
		else
			sort->heap[0] = sort->heap[--sort->heads];
		radix_heap_lower(sort->heap, sort->heads);
		if (sort->heads == 0 || sort->heap[0].key != sort->key)
			return false;
		sort->current = run = &sort->merged[sort->heap[0].run];
	}
}
