/*
 * bulk.h
 *	  The parts of the bulk builder, which makes all histories of a relation:
 *	  rows are read (bulk.c, bulk_source.c), brought into the order of the customers
 *	  (bulk_sort.c, with the keys of bulk_key.c) and summed customer by customer
 *	  (bulk_customers.c, bulk_build.c); where rows are lines, by way of orders
 *	  (bulk_lines.c, bulk_orders.c).
 */
#ifndef BULK_H
#define BULK_H

#include "fmgr.h"
#include "history/bulk_record.h"
#include "history/history.h"
#include "history/history_agg.h"
#include "numerics/radix.h"
#include "storage/fd.h"
#include "utils/relcache.h"
#include "utils/resowner.h"

/*
 * While this is set, it is called with the rows read so far, every 65,536 rows
 * and after the last one.  It may raise an error.  Whoever sets it resets it, in
 * case of an error, too.
 */
extern void (*bulk_progress) (uint64 rows_read);

/* ----- bulk_source.c: what is read ----- */

enum
{
	BULK_CUSTOMER,
	BULK_AT,
	BULK_AMOUNT,
	BULK_ORDER,					/* if rows are lines of orders */
	BULK_MARGIN,				/* if profits are wanted, too */
	BULK_COLUMNS
};

typedef struct BulkSource
{
	Oid			relation;
	const char *name[BULK_COLUMNS]; /* NULL = not wanted */
	AttrNumber	column[BULK_COLUMNS];
} BulkSource;

extern void bulk_source_init(BulkSource *source, Oid relation, const char *const *name);
extern char *bulk_source_query(const BulkSource *source);
extern Relation bulk_source_open(const BulkSource *source);

/* ----- bulk_margin.c: what a row earns ----- */

typedef struct BulkMargin
{
	RowReader	reader;			/* of margins */
	Numeric		most;			/* the largest margin there is, 1 */
	Numeric		least;
	Numeric		most_amount;	/* the largest amount that earns something */
	Numeric		least_amount;
	Amount		otherwise;		/* the margin of rows without one */
	Numeric		otherwise_number;	/* the same if it has too many decimals */
} BulkMargin;

/* The amounts of a row; either may be unusable. */
typedef struct BulkAmounts
{
	bool		has_amount;
	bool		has_profit;
	Amount		amount;
	Amount		profit;
} BulkAmounts;

extern void bulk_margin_init(BulkMargin *margin, Oid type, int32 typmod, Numeric otherwise,
							 MemoryContext context);
extern void bulk_margin_read(BulkMargin *margin, RowReader *amounts, Datum amount, Datum value,
							 bool is_null, BulkAmounts *result);

/* ----- bulk_key.c: from the customer's key to 64 bits to sort by ----- */

typedef enum BulkKeyKind
{
	BULK_KEY_INT2,
	BULK_KEY_INT4,				/* date, too */
	BULK_KEY_INT8,				/* timestamps, too */
	BULK_KEY_HASHED				/* the rest: the hash, and the key with it */
} BulkKeyKind;

typedef struct BulkKey
{
	BulkKeyKind kind;
	Oid			collation;
	int16		length;
	bool		by_value;
	bool		long_hash;		/* 64 bits */
	FmgrInfo	hash;
	FmgrInfo	equal;
	FmgrInfo	output;			/* to choose between spellings */
} BulkKey;

extern bool bulk_key_is_offered(Oid type);
extern void bulk_key_init(BulkKey *form, Oid type, Oid collation, MemoryContext context);
extern uint64 bulk_key_hash(BulkKey *form, Datum value);
extern Size bulk_key_count_words(const BulkKey *form, Datum value);
extern void bulk_key_to_words(const BulkKey *form, Datum value, uint64 *word, Size words);
extern Size bulk_key_words_from(const BulkKey *form, uint64 first);
extern Datum bulk_key_from_words(const BulkKey *form, const uint64 *word);
extern bool bulk_key_equal(BulkKey *form, Datum a, Datum b);
extern bool bulk_key_is_preferred(BulkKey *form, Datum a, Datum b);

/* Order ids, whose words are equal if and only if they are. */
extern bool bulk_order_id_is_offered(Oid type, Oid collation);
extern void bulk_order_id_to_words(BulkKey *form, Datum value, uint64 *word, Size words);
extern uint64 bulk_order_id_sort_key(const BulkKey *form, const uint64 *word, Size words);

/* A key that sorts by its value: signed, so the sign bit is turned over. */
#define BULK_KEY_SIGN	(UINT64CONST(1) << 63)

static inline uint64
bulk_key_sort_key(BulkKey *form, Datum value)
{
	switch (form->kind)
	{
		case BULK_KEY_INT2:
			return (uint64) (int64) DatumGetInt16(value) ^ BULK_KEY_SIGN;
		case BULK_KEY_INT4:
			return (uint64) (int64) DatumGetInt32(value) ^ BULK_KEY_SIGN;
		case BULK_KEY_INT8:
			return (uint64) DatumGetInt64(value) ^ BULK_KEY_SIGN;
		case BULK_KEY_HASHED:
			break;
	}
	return bulk_key_hash(form, value);
}

static inline Datum
bulk_key_from_sort_key(const BulkKey *form, uint64 sort_key)
{
	int64		value = (int64) (sort_key ^ BULK_KEY_SIGN);

	switch (form->kind)
	{
		case BULK_KEY_INT2:
			return Int16GetDatum((int16) value);
		case BULK_KEY_INT4:
			return Int32GetDatum((int32) value);
		default:
			return Int64GetDatum(value);
	}
}

/* ----- bulk_sort.c: records in the order of their keys, within a budget ----- */

/* A sorted run: in memory, or a stretch of a temporary file with a buffer. */
typedef struct BulkRun
{
	bool		in_memory;		/* rows that are yet to be gathered */
	RadixRecord *buffer;
	RadixRecord *next;
	RadixRecord *end;
	int64		unread;			/* records to be brought to the buffer; or are there any? */

	/* In a file; what was read of it stands behind the records in the buffer. */
	File		file;
	off_t		offset;			/* where in the file it goes on */
	off_t		bytes;			/* that are still there */
	uint64	   *packed;
	uint64	   *packed_end;
} BulkRun;

typedef struct BulkSort
{
	MemoryContext context;
	ResourceOwner owner;		/* of the temporary files */
	BulkKey    *form;			/* of the keys that go with rows; NULL = none do */
	BulkKey    *order_form;		/* of the order ids of lines; NULL = no row is one */
	bool		has_words;
	Size		budget;			/* bytes */

	/* The run that is being filled. */
	RadixRecord *record;
	RadixRecord *scratch;		/* as many, from the first spill on */
	Size		count;
	Size		capacity;

	/* With either, a record's value is where the words of the row are in here. */
	uint64	   *word;
	Size		words;
	Size		room_for_words;
	Size		normal_room;	/* what the budget allows, once that was reached */
	Size		gathered;		/* rows gathered after the sort */
	Size		gathered_words; /* of the next row */

	/* The runs that were written. */
	File		file;			/* 0 = none yet */
	off_t		file_size;
	uint64	   *packed;			/* records to be written */
	Size		packed_words;
	BulkRun    *run;
	int			runs;
	int			room_for_runs;

	/* The merge. */
	RadixRecord *buffers;
	Size		buffer_records;
	RadixHead  *heap;
	int			heads;
	BulkRun    *merged;			/* those that are merged */
	BulkRun    *current;		/* the one of them that is read */
	uint64		key;			/* the key whose words are read */
} BulkSort;

extern BulkSort *bulk_sort_begin(MemoryContext context, ResourceOwner owner, Size budget,
								 BulkKey *form, BulkKey *order_form);
extern void bulk_sort_make_room(BulkSort *sort, Size records, Size words);
extern void bulk_sort_finish(BulkSort *sort);
extern void bulk_sort_end(BulkSort *sort);
extern bool bulk_sort_next_key(BulkSort *sort, uint64 *key);
extern bool bulk_sort_turn(BulkSort *sort, uint64 *word);

/* A row without an area for words: so many records, to be put side by side. */
static inline void
bulk_sort_reserve(BulkSort *sort, Size records)
{
	if (unlikely(sort->capacity - sort->count < records))
		bulk_sort_make_room(sort, records, 0);
}

static inline void
bulk_sort_put(BulkSort *sort, uint64 key, uint64 word)
{
	RadixRecord *record = &sort->record[sort->count++];

	record->key = key;
	record->value = word;
}

/* A row with such an area: where to put its words. */
static inline uint64 *
bulk_sort_put_words(BulkSort *sort, uint64 key, Size words)
{
	uint64	   *word;

	if (unlikely(sort->capacity == sort->count || sort->room_for_words - sort->words < words))
		bulk_sort_make_room(sort, 1, words);
	bulk_sort_put(sort, key, sort->words);
	word = sort->word + sort->words;
	sort->words += words;
	return word;
}

/* The next word of this key; false at the end, which is told once. */
static inline bool
bulk_sort_get(BulkSort *sort, uint64 *word)
{
	BulkRun    *run = sort->current;

	if (likely(run->next < run->end && run->next->key == sort->key))
	{
		*word = run->next++->value;
		return true;
	}
	return bulk_sort_turn(sort, word);
}

/* ----- bulk_lines.c: lines of orders, on their way into a sort and out of it ----- */

/* Words, as many as are needed. */
typedef struct BulkWords
{
	uint64	   *word;
	Size		room;
} BulkWords;

/* Ensure that there is room for so many words. */
static inline void
bulk_words_reserve(BulkWords *words, Size room)
{
	if (unlikely(room > words->room))
	{
		words->word = repalloc_huge(words->word, room * sizeof(uint64));
		words->room = room;
	}
}

/* One or more lines of one order, summed. */
typedef struct BulkOrder
{
	uint32		customer;		/* among those that are summed at the same time */
	Size		id;				/* where the words of the order id are */
	Size		id_words;
	int64		instant;		/* of the first line, as row_reader_instant() has it */
	int64		lines;
	amount128	units;			/* of 10^-scale */
	int			scale;
	Numeric		number;			/* what comes on top of that; NULL = nothing */
} BulkOrder;

struct BulkOrders;

/* The lines read last, as long as they are one order's. */
typedef struct BulkLines
{
	MemoryContext context;
	BulkKey    *customer_form;
	BulkKey    *order_form;
	BulkSort   *sort;			/* where lines go */
	struct BulkOrders *nobodys; /* where those without a customer go */

	bool		filled;
	bool		has_customer;
	uint64		sort_key;		/* the customer's */
	BulkWords	last;			/* the order id, then the customer's key if it goes with rows */
	Size		words;
	BulkOrder	sum;
	BulkWords	next;			/* of the line at hand */
} BulkLines;

extern void bulk_words_init(BulkWords *words, MemoryContext context);
extern void bulk_order_add(BulkOrder *order, const BulkOrder *line, MemoryContext context);
extern AmountStatus bulk_order_amount(const BulkOrder *order, Amount *amount);
extern Size bulk_line_count_words(const BulkOrder *line);
extern uint64 bulk_line_to_words(const BulkOrder *line, const uint64 *id, uint64 *word);
extern void bulk_line_read(BulkSort *sort, uint64 head, BulkOrder *line, BulkWords *words);
extern void bulk_lines_init(BulkLines *lines, MemoryContext context, BulkKey *customer_form,
							BulkKey *order_form, BulkSort *sort, struct BulkOrders *nobodys);
extern void bulk_lines_put(BulkLines *lines, bool has_customer, Datum customer, Datum id,
						   BulkOrder *line);
extern void bulk_lines_finish(BulkLines *lines);

/* ----- bulk_orders.c: the orders of one customer, from their lines ----- */

typedef struct BulkOrders
{
	MemoryContext context;
	MemoryContext sort_context;
	ResourceOwner owner;		/* of the temporary files */
	Size		budget;			/* bytes */
	BulkKey    *form;			/* of the order ids */

	/* The orders at hand. */
	BulkOrder  *order;
	uint64	   *key;			/* of each: a key to sort by */
	int			count;
	int			room;
	uint64	   *word;			/* of their ids */
	Size		words;
	Size		room_for_words;

	BulkSort   *sort;			/* what is not at hand; NULL = nothing */
	BulkWords	line;			/* that is read */
} BulkOrders;

extern void bulk_orders_init(BulkOrders *orders, MemoryContext context, ResourceOwner owner,
							 Size budget, BulkKey *form);
extern void bulk_orders_add(BulkOrders *orders, const BulkOrder *line, const uint64 *id);
extern void bulk_orders_read(BulkOrders *orders, BulkSort *sort, uint64 head, uint32 customer);
extern void bulk_orders_finish(BulkOrders *orders,
							   void (*receive) (void *receiver, const BulkOrder *order), void *receiver);
extern void bulk_orders_end(BulkOrders *orders);

/* ----- bulk_build.c: the history of one customer, from heads ----- */

/* Heads that are gathered before they are summed by day. */
#define BULK_BATCH	1024

typedef struct BulkBatch
{
	int			count;
	uint64		head[BULK_BATCH];
	uint64		scratch[BULK_BATCH];
} BulkBatch;

typedef struct BulkHistory
{
	MemoryContext context;		/* of the days */
	int64		rows;
	int64		bad;
	int			compact_at;		/* sort and sum when there are so many days */
	DayList		days;
} BulkHistory;

extern void bulk_history_init(BulkHistory *history, MemoryContext context);
extern void bulk_history_add_batch(BulkHistory *history, BulkBatch *batch);
extern void bulk_history_add(BulkHistory *history, int32 day, amount128 units, int scale);
extern struct varlena *bulk_history_final(BulkHistory *history, BulkBatch *batch);

/* A head that is not a wide one; what is gathered must be added in the end. */
static inline void
bulk_history_add_head(BulkHistory *history, BulkBatch *batch, uint64 head)
{
	history->rows++;
	if (unlikely(head_is_bad(head)))
	{
		history->bad++;
		return;
	}
	if (unlikely(batch->count == BULK_BATCH))
		bulk_history_add_batch(history, batch);
	batch->head[batch->count++] = head;
}

/* ----- bulk_customers.c: customer by customer, out of the sort ----- */

typedef struct BulkBuilder
{
	BulkKey    *key;
	RowReader  *reader;			/* of the days of orders */
	MemoryContext group_context;	/* reset a key of the sort */
	BulkSort   *sort;

	/* where rows are lines */
	bool		has_orders;
	BulkOrders	orders;
	BulkLines	lines;

	BulkBatch	batch;
	BulkHistory nobody;			/* rows without a customer */
	BulkHistory customer;		/* of a key that sorts by its value */
	struct BulkCustomer *pending;	/* customers of a hash that are yet to be returned */
	uint32		customers;		/* of that hash so far */
	BulkWords	words;			/* of a key */
} BulkBuilder;

typedef struct BulkResult
{
	bool		has_customer;
	Datum		customer;
	struct varlena *history;	/* NULL = no row could be used */
	int64		rows;
	int64		bad;
} BulkResult;

extern void bulk_builder_init(BulkBuilder *builder, MemoryContext context, ResourceOwner owner,
							  Size budget, BulkKey *key, BulkKey *order_form, RowReader *reader);
extern void bulk_builder_finish(BulkBuilder *builder);
extern bool bulk_builder_next(BulkBuilder *builder, BulkResult *result);
extern void bulk_builder_end(BulkBuilder *builder);

#endif							/* BULK_H */
