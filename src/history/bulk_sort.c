/*
 * bulk_sort.c
 *	  The bulk builder's rows in the order of their customers, in so much memory
 *	  and no more.
 *
 * An external sort of 16-byte records: half of the budget is filled, sorted by
 * radix with the other half as scratch, and, unless that was everything,
 * written to a temporary file as a run; in the end the runs are merged while
 * they are read.  A merge needs no more memory for a customer with many rows
 * than for one with few, so there is no skew to provide for.
 *
 * Only very many rows in very little memory make more runs than there can be
 * buffers; then they are first merged to fewer, longer runs.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "history/bulk.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Memory to begin with, and the bounds of what is read from a run at a time. */
#define FIRST_RECORDS		2048
#define MIN_BUFFER_RECORDS	(BLCKSZ / sizeof(RadixRecord))
#define MAX_BUFFER_RECORDS	(32 * BLCKSZ / sizeof(RadixRecord))

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
 * how keys are put into words if they go with the rows.
 */
BulkSort *
bulk_sort_begin(MemoryContext context, ResourceOwner owner, Size budget, BulkKey *form)
{
	BulkSort   *sort = MemoryContextAllocZero(context, sizeof(BulkSort));

	sort->context = context;
	sort->owner = owner;
	sort->form = form;
	sort->budget = budget;
	sort->limit = budget / 2 / sizeof(RadixRecord);
	sort->capacity = Min(FIRST_RECORDS, sort->limit);
	sort->record = allocate_records(sort, sort->capacity);
	return sort;
}

/* Close what is open; memory goes with its context. */
void
bulk_sort_end(BulkSort *sort)
{
	if (sort->file != NULL)
		BufFileClose(sort->file);
	sort->file = NULL;
}

/*
 * A new file.  The query that fills the sort has a resource owner of its own,
 * and the file must outlive it.
 */
static BufFile *
create_file(BulkSort *sort)
{
	ResourceOwner old_owner = CurrentResourceOwner;
	MemoryContext old_context = MemoryContextSwitchTo(sort->context);
	BufFile    *file;

	CurrentResourceOwner = sort->owner;
	file = BufFileCreateTemp(false);
	CurrentResourceOwner = old_owner;
	MemoryContextSwitchTo(old_context);
	return file;
}

/* A run that begins where the file is now. */
static BulkRun *
add_run(BulkSort *sort, BufFile *file)
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
	if (file != NULL)
		BufFileTell(file, &run->file_number, &run->offset);
	return run;
}

static void
run_write(BulkRun *run, BufFile *file, RadixRecord *record, Size count)
{
	/* as much at a time as one would want to wait for */
	for (Size done = 0; done < count;)
	{
		Size		now = Min(count - done, MAX_BUFFER_RECORDS);

		CHECK_FOR_INTERRUPTS();
		BufFileWrite(file, record + done, now * sizeof(RadixRecord));
		done += now;
	}
	run->unread += count;
}

/* Are these words the same? */
static bool
same_words(const RadixRecord *a, const RadixRecord *b, Size words)
{
	for (Size i = 0; i < words; i++)
	{
		if (a[i].value != b[i].value)
			return false;
	}
	return true;
}

/*
 * Leave the key out of sorted rows that have it in common with the row before:
 * once a customer and run is enough.
 */
static void
strip_keys(BulkSort *sort)
{
	RadixRecord *record = sort->record;
	RadixRecord *kept = NULL;	/* the first word of the key that was kept last */
	Size		kept_words = 0;
	Size		from = 0;
	Size		to = 0;

	while (from < sort->count)
	{
		uint64		head = record[from].value;
		Size		key_words = bulk_key_words_from(sort->form, record[from + 1].value);
		Size		more_words = head_is_compact(head) || head_is_bad(head) ? 0 : WIDE_WORDS;

		record[to] = record[from++];
		if (kept != NULL && kept->key == record[to].key && kept_words == key_words &&
			same_words(kept, &record[from], key_words))
			record[to++].value = head & ~HEAD_KEYED;
		else
		{
			kept = &record[++to];
			kept_words = key_words;
			memmove(kept, &record[from], key_words * sizeof(RadixRecord));
			to += key_words;
		}
		from += key_words;
		for (; more_words > 0; more_words--)
			record[to++] = record[from++];
	}
	sort->count = to;
}

/* Sort what there is and write it as a run. */
static void
spill(BulkSort *sort)
{
	RadixRecord *scratch;

	if (sort->file == NULL)
		sort->file = create_file(sort);
	if (sort->scratch == NULL)
		sort->scratch = allocate_records(sort, sort->limit);
	scratch = sort->count > sort->limit ? allocate_records(sort, sort->count) : sort->scratch;
	radix_sort(sort->record, scratch, sort->count, see_to_interrupts);
	if (scratch != sort->scratch)
		pfree(scratch);
	if (sort->form != NULL)
		strip_keys(sort);
	run_write(add_run(sort, sort->file), sort->file, sort->record, sort->count);
	sort->count = 0;

	/* a single row was larger than all we may have */
	if (sort->capacity > sort->limit)
	{
		pfree(sort->record);
		sort->capacity = sort->limit;
		sort->record = allocate_records(sort, sort->capacity);
	}
}

/* Ensure that there is room for some more records, all of one row. */
void
bulk_sort_make_room(BulkSort *sort, Size records)
{
	while (sort->capacity - sort->count < records)
	{
		if (sort->capacity < sort->limit)
			sort->capacity = Min(sort->limit, sort->capacity * 2);
		else if (sort->count > 0)
		{
			spill(sort);
			continue;
		}
		else
			sort->capacity = records;
		sort->record = repalloc_huge(sort->record, sort->capacity * sizeof(RadixRecord));
	}
}

/* Read more of a run into its buffer. */
static void
run_read(BulkSort *sort, BulkRun *run)
{
	Size		count = Min((Size) run->unread, sort->buffer_records);
	Size		bytes = count * sizeof(RadixRecord);

	CHECK_FOR_INTERRUPTS();
	if (BufFileSeek(sort->file, run->file_number, run->offset, SEEK_SET) != 0 ||
		BufFileRead(sort->file, run->buffer, bytes) != bytes)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read %zu bytes of a temporary file", bytes)));
	BufFileTell(sort->file, &run->file_number, &run->offset);
	run->next = run->buffer;
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
			run_read(sort, &run[i]);
		}
		sort->heap[sort->heads].key = run[i].next->key;
		sort->heap[sort->heads++].run = i;
	}
	radix_heap_build(sort->heap, sort->heads);
	sort->current = run;
}

/* Merge each so many runs to one. */
static void
merge_pass(BulkSort *sort, int at_once)
{
	BulkRun    *old_run = sort->run;
	int			old_runs = sort->runs;
	BufFile    *old_file = sort->file;
	BufFile    *file = create_file(sort);
	RadixRecord *output = allocate_records(sort, MIN_BUFFER_RECORDS);

	sort->run = NULL;
	sort->runs = sort->room_for_runs = 0;
	for (int first = 0; first < old_runs; first += at_once)
	{
		BulkRun    *merged = add_run(sort, file);
		BulkRun    *all = sort->run;
		Size		count = 0;
		uint64		key;
		uint64		word;

		sort->run = old_run + first;
		merge_begin(sort, sort->run, Min(at_once, old_runs - first));
		while (bulk_sort_next_key(sort, &key))
		{
			while (bulk_sort_get(sort, &word))
			{
				output[count].key = key;
				output[count++].value = word;
				if (count == MIN_BUFFER_RECORDS)
				{
					run_write(merged, file, output, count);
					count = 0;
				}
			}
		}
		run_write(merged, file, output, count);
		sort->run = all;
	}
	pfree(output);
	pfree(old_run);
	sort->file = file;
	BufFileClose(old_file);
}

/* All rows are there: prepare to read them. */
void
bulk_sort_finish(BulkSort *sort)
{
	if (sort->runs == 0)
	{
		BulkRun    *run;

		if (sort->count == 0)
			return;
		if (sort->count > 1)
		{
			RadixRecord *scratch = allocate_records(sort, sort->count);

			radix_sort(sort->record, scratch, sort->count, see_to_interrupts);
			pfree(scratch);
		}
		run = add_run(sort, NULL);
		run->buffer = run->next = sort->record;
		run->end = sort->record + sort->count;
		sort->heap = MemoryContextAlloc(sort->context, sizeof(RadixHead));
	}
	else
	{
		int			at_once = Max(2, (int) Min(sort->budget / BLCKSZ, PG_INT16_MAX) - 1);

		if (sort->count > 0)
			spill(sort);
		pfree(sort->record);
		pfree(sort->scratch);
		sort->record = sort->scratch = NULL;
		sort->capacity = 0;

		sort->heap = MemoryContextAlloc(sort->context, at_once * sizeof(RadixHead));
		if (sort->runs > at_once)
		{
			sort->buffer_records = MIN_BUFFER_RECORDS;
			sort->buffers = allocate_records(sort, sort->buffer_records * at_once);
			while (sort->runs > at_once)
				merge_pass(sort, at_once);
			pfree(sort->buffers);
		}
		sort->buffer_records = Min(sort->budget / sizeof(RadixRecord) / sort->runs, MAX_BUFFER_RECORDS);
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
	sort->current = &sort->run[sort->heap[0].run];
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
		sort->current = run = &sort->run[sort->heap[0].run];
	}
}
