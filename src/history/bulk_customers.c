/*
 * bulk_customers.c
 *	  The bulk builder's rows customer by customer, out of the sort.
 *
 * What a key of the sort brings together is summed to a history (bulk_build.c),
 * lines by way of orders (bulk_orders.c).  Customers whose keys have one hash
 * come together, and are told apart here.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "history/bulk.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* A customer among those of one hash, of which there is nearly always one. */
typedef struct BulkCustomer
{
	struct BulkCustomer *next;
	uint32		number;			/* among them, in the order they came up */
	Datum		key;
	uint64	   *word;
	Size		words;
	BulkHistory history;
} BulkCustomer;

/* ----- from lines to orders ----- */

/* Add an order that was summed from its lines to its customer's history. */
static void
add_order(BulkBuilder *builder, BulkHistory *history, const BulkOrder *order)
{
	Amount		amount;
	int32		day;

	if (row_reader_instant_day(builder->reader, order->instant, &day) != ROW_OK ||
		bulk_order_amount(order, &amount) != AMOUNT_OK)
		bulk_history_add_head(history, &builder->batch, HEAD_BAD);
	else if (head_fits(day, amount.units))
		bulk_history_add_head(history, &builder->batch,
							  head_make(day, (int64) amount.units, amount.scale));
	else
		bulk_history_add(history, day, amount.units, amount.scale);
	history->rows += order->lines - 1;
}

static void
receive_nobodys_order(void *receiver, const BulkOrder *order)
{
	BulkBuilder *builder = receiver;

	add_order(builder, &builder->nobody, order);
}

static void
receive_order(void *receiver, const BulkOrder *order)
{
	BulkBuilder *builder = receiver;

	add_order(builder, &builder->customer, order);
}

/* Bring a customer to the front of those of the hash, so that the batch is his. */
static void
bring_to_front(BulkBuilder *builder, BulkCustomer **link)
{
	BulkCustomer *customer = *link;

	bulk_history_add_batch(&builder->pending->history, &builder->batch);
	*link = customer->next;
	customer->next = builder->pending;
	builder->pending = customer;
}

/* An order of one of the customers of a hash. */
static void
receive_pending_order(void *receiver, const BulkOrder *order)
{
	BulkBuilder *builder = receiver;

	if (builder->pending->number != order->customer)
	{
		BulkCustomer **link = &builder->pending;

		while ((*link)->number != order->customer)
			link = &(*link)->next;
		bring_to_front(builder, link);
	}
	add_order(builder, &builder->pending->history, order);
}

/* ----- building the histories ----- */

/* The rest of a wide row. */
static void
add_wide(BulkBuilder *builder, BulkHistory *history)
{
	uint64		word[WIDE_WORDS];
	int32		day;
	amount128	units;
	int			scale;

	for (int i = 0; i < WIDE_WORDS; i++)
	{
		if (!bulk_sort_get(builder->sort, &word[i]))
			elog(ERROR, "row is cut off");
	}
	wide_read(word, &day, &units, &scale);
	bulk_history_add(history, day, units, scale);
}

static inline void
add_head(BulkBuilder *builder, BulkHistory *history, uint32 number, uint64 head)
{
	if (likely(head_is_compact(head)) || head_is_bad(head))
		bulk_history_add_head(history, &builder->batch, head);
	else if (head_is_line(head))
		bulk_orders_read(&builder->orders, builder->sort, head, number);
	else
		add_wide(builder, history);
}

/* The words of the key that follows. */
static Size
read_key(BulkBuilder *builder)
{
	uint64		first;
	Size		words;

	if (!bulk_sort_get(builder->sort, &first))
		elog(ERROR, "key is cut off");
	words = bulk_key_words_from(builder->key, first);
	bulk_words_reserve(&builder->words, words);
	builder->words.word[0] = first;
	for (Size i = 1; i < words; i++)
	{
		if (!bulk_sort_get(builder->sort, &builder->words.word[i]))
			elog(ERROR, "key is cut off");
	}
	return words;
}

static inline bool
has_words(const BulkCustomer *customer, const uint64 *word, Size words)
{
	return customer->words == words &&
		memcmp(customer->word, word, words * sizeof(uint64)) == 0;
}

/*
 * The customer with the key just read, among those of this hash.  They are kept
 * with the one found last at the front.
 */
static BulkCustomer *
find_customer(BulkBuilder *builder, Size words)
{
	BulkCustomer *customer;
	BulkCustomer **link;
	MemoryContext old_context;
	Datum		key;

	if (builder->pending != NULL && has_words(builder->pending, builder->words.word, words))
		return builder->pending;
	if (builder->pending != NULL)
		bulk_history_add_batch(&builder->pending->history, &builder->batch);

	old_context = MemoryContextSwitchTo(builder->group_context);
	key = bulk_key_from_words(builder->key, builder->words.word);
	for (link = &builder->pending; (customer = *link) != NULL; link = &customer->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (!has_words(customer, builder->words.word, words))
		{
			if (!bulk_key_equal(builder->key, customer->key, key))
				continue;
			if (bulk_key_is_preferred(builder->key, key, customer->key))
			{
				customer->key = key;
				customer->words = words;
				customer->word = MemoryContextAllocHuge(builder->group_context, words * sizeof(uint64));
				memcpy(customer->word, builder->words.word, words * sizeof(uint64));
			}
		}
		*link = customer->next;
		break;
	}
	if (customer == NULL)
	{
		customer = palloc(sizeof(BulkCustomer));
		customer->number = builder->customers++;
		customer->key = key;
		customer->words = words;
		customer->word = MemoryContextAllocHuge(builder->group_context, words * sizeof(uint64));
		memcpy(customer->word, builder->words.word, words * sizeof(uint64));
		bulk_history_init(&customer->history, builder->group_context);
	}
	customer->next = builder->pending;
	builder->pending = customer;
	MemoryContextSwitchTo(old_context);
	return customer;
}

/* Sum the rows of a hash, customer by customer; the rest of the last one's stay in the batch. */
static void
build_hashed(BulkBuilder *builder)
{
	BulkCustomer *customer = NULL;
	uint64		head;

	while (bulk_sort_get(builder->sort, &head))
	{
		if (head & HEAD_KEYED)
			customer = find_customer(builder, read_key(builder));
		if (customer == NULL)
			elog(ERROR, "row without a key");
		add_head(builder, &customer->history, customer->number, head);
	}
	if (builder->has_orders)
		bulk_orders_finish(&builder->orders, receive_pending_order, builder);
}

/* Sum the rows of the customer at hand; the rest of them stays in the batch. */
static void
build_sorted(BulkBuilder *builder)
{
	uint64		head;

	bulk_history_init(&builder->customer, builder->group_context);
	while (bulk_sort_get(builder->sort, &head))
		add_head(builder, &builder->customer, 0, head);
	if (builder->has_orders)
		bulk_orders_finish(&builder->orders, receive_order, builder);
}

/* ----- the builder ----- */

/*
 * A new builder of what "key" and, where rows are lines, "order_form" say.
 * Memory and files are limited and owned as those of a sort.
 */
void
bulk_builder_init(BulkBuilder *builder, MemoryContext context, ResourceOwner owner, Size budget,
				  BulkKey *key, BulkKey *order_form, RowReader *reader)
{
	memset(builder, 0, sizeof(BulkBuilder));
	builder->key = key;
	builder->reader = reader;
	builder->has_orders = order_form != NULL;
	builder->group_context = AllocSetContextCreate(context, "histories group",
												   ALLOCSET_DEFAULT_SIZES);
	bulk_words_init(&builder->words, context);
	bulk_history_init(&builder->nobody, context);
	if (builder->has_orders)
	{
		bulk_orders_init(&builder->orders, context, owner, budget / 4, order_form);
		budget -= budget / 4;
	}
	builder->sort = bulk_sort_begin(context, owner, budget,
									key->kind == BULK_KEY_HASHED ? key : NULL, order_form);
	if (builder->has_orders)
		bulk_lines_init(&builder->lines, context, key, order_form, builder->sort, &builder->orders);
}

/* All rows are there. */
void
bulk_builder_finish(BulkBuilder *builder)
{
	if (builder->has_orders)
	{
		bulk_lines_finish(&builder->lines);
		bulk_orders_finish(&builder->orders, receive_nobodys_order, builder);
	}
	bulk_history_add_batch(&builder->nobody, &builder->batch);
	bulk_sort_finish(builder->sort);
}

/* Close what is open; memory goes with its context. */
void
bulk_builder_end(BulkBuilder *builder)
{
	if (builder->sort != NULL)
		bulk_sort_end(builder->sort);
	if (builder->has_orders)
		bulk_orders_end(&builder->orders);
}

static void
give_result(BulkBuilder *builder, BulkResult *result, BulkHistory *history)
{
	result->history = bulk_history_final(history, &builder->batch);
	result->rows = history->rows;
	result->bad = history->bad;
}

/* The next customer; false after the last one. */
bool
bulk_builder_next(BulkBuilder *builder, BulkResult *result)
{
	uint64		sort_key;

	result->has_customer = true;
	if (builder->pending == NULL)
	{
		MemoryContextReset(builder->group_context);
		builder->customers = 0;
		if (!bulk_sort_next_key(builder->sort, &sort_key))
		{
			if (builder->nobody.rows == 0)
				return false;
			result->has_customer = false;
			result->customer = (Datum) 0;
			give_result(builder, result, &builder->nobody);
			builder->nobody.rows = 0;
			return true;
		}
		if (builder->key->kind != BULK_KEY_HASHED)
		{
			build_sorted(builder);
			result->customer = bulk_key_from_sort_key(builder->key, sort_key);
			give_result(builder, result, &builder->customer);
			return true;
		}
		build_hashed(builder);
	}
	result->customer = builder->pending->key;
	give_result(builder, result, &builder->pending->history);
	builder->pending = builder->pending->next;
	return true;
}
