/*
 * bulk_orders.c
 *	  The bulk builder's lines of orders, summed to orders, within a budget.
 *
 * The lines come customer by customer, those of one order in any places.  Some
 * orders are kept at hand, and a line of one of them is added to it: that is
 * all there is to do for nearly every customer.  When a customer has more
 * orders than that, what is at hand goes to a sort by order (bulk_sort.c), as
 * lines that are summed as far as they are, and in the end the lines of each
 * order come one after the other.  So memory follows neither the orders of a
 * customer nor the lines of an order.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "history/bulk.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Orders that are kept at hand, and the words of their ids. */
#define ORDERS_AT_HAND		64
#define WORDS_AT_HAND		2048

/* Spreads customers over the orders' keys: 2^64 by the golden ratio. */
#define CUSTOMER_FACTOR		UINT64CONST(0x9E3779B97F4A7C15)

void
bulk_orders_init(BulkOrders *orders, MemoryContext context, ResourceOwner owner, Size budget,
				 BulkKey *form)
{
	memset(orders, 0, sizeof(BulkOrders));
	orders->context = context;
	orders->owner = owner;
	orders->budget = budget;
	orders->form = form;
	orders->room = ORDERS_AT_HAND;
	orders->order = MemoryContextAlloc(context, orders->room * sizeof(BulkOrder));
	orders->key = MemoryContextAlloc(context, orders->room * sizeof(uint64));
	orders->room_for_words = WORDS_AT_HAND;
	orders->word = MemoryContextAlloc(context, orders->room_for_words * sizeof(uint64));
	bulk_words_init(&orders->line, context);
}

/* Close what is open; memory goes with its context. */
void
bulk_orders_end(BulkOrders *orders)
{
	if (orders->sort != NULL)
		bulk_sort_end(orders->sort);
}

/* ----- the orders at hand ----- */

/* The order of a line; NULL if it is not at hand. */
static inline BulkOrder *
find_order(BulkOrders *orders, uint64 key, const BulkOrder *line, const uint64 *id)
{
	/* the last one first: lines of one order often come together */
	for (int i = orders->count - 1; i >= 0; i--)
	{
		BulkOrder  *order = &orders->order[i];

		if (orders->key[i] == key && order->customer == line->customer &&
			order->id_words == line->id_words &&
			memcmp(orders->word + order->id, id, line->id_words * sizeof(uint64)) == 0)
			return order;
	}
	return NULL;
}

/* One more order at hand, of which this is the first line. */
static void
begin_order(BulkOrders *orders, uint64 key, const BulkOrder *line, const uint64 *id)
{
	BulkOrder  *order;

	if (unlikely(orders->count == orders->room))
	{
		CHECK_FOR_INTERRUPTS();
		if (orders->room > PG_INT32_MAX / 2)
			elog(ERROR, "too many orders of one key");
		orders->room *= 2;
		orders->order = repalloc_huge(orders->order, orders->room * sizeof(BulkOrder));
		orders->key = repalloc_huge(orders->key, orders->room * sizeof(uint64));
	}
	if (unlikely(orders->room_for_words - orders->words < line->id_words))
	{
		orders->room_for_words = Max(orders->room_for_words * 2, orders->words + line->id_words);
		orders->word = repalloc_huge(orders->word, orders->room_for_words * sizeof(uint64));
	}
	orders->key[orders->count] = key;
	order = &orders->order[orders->count++];
	*order = *line;
	order->id = orders->words;
	memcpy(orders->word + orders->words, id, line->id_words * sizeof(uint64));
	orders->words += line->id_words;
	if (unlikely(line->number != NULL))
	{
		MemoryContext old_context = MemoryContextSwitchTo(orders->context);

		order->number = DatumGetNumericCopy(NumericGetDatum(line->number));
		MemoryContextSwitchTo(old_context);
	}
}

/* Forget the orders at hand. */
static void
clear_orders(BulkOrders *orders)
{
	for (int i = 0; i < orders->count; i++)
	{
		if (unlikely(orders->order[i].number != NULL))
			pfree(orders->order[i].number);
	}
	orders->count = 0;
	orders->words = 0;
}

/* Put the orders at hand into the sort, as lines. */
static void
put_aside(BulkOrders *orders)
{
	if (orders->sort == NULL)
	{
		orders->sort_context = AllocSetContextCreate(orders->context, "histories orders",
													 ALLOCSET_DEFAULT_SIZES);
		orders->sort = bulk_sort_begin(orders->sort_context, orders->owner, orders->budget,
									   NULL, orders->form);
	}
	for (int i = 0; i < orders->count; i++)
	{
		const BulkOrder *order = &orders->order[i];
		uint64	   *word = bulk_sort_put_words(orders->sort, orders->key[i],
											   1 + bulk_line_count_words(order));

		word[0] = bulk_line_to_words(order, orders->word + order->id, word + 1);
	}
	clear_orders(orders);
}

/* Add lines of one order. */
void
bulk_orders_add(BulkOrders *orders, const BulkOrder *line, const uint64 *id)
{
	uint64		key = bulk_order_id_sort_key(orders->form, id, line->id_words) +
		line->customer * CUSTOMER_FACTOR;
	BulkOrder  *order = find_order(orders, key, line, id);

	if (order != NULL)
	{
		bulk_order_add(order, line, orders->context);
		return;
	}
	if (orders->count > 0 &&
		(orders->count == ORDERS_AT_HAND || orders->words + line->id_words > WORDS_AT_HAND))
		put_aside(orders);
	begin_order(orders, key, line, id);
}

/* Add the lines that follow this head in the sort by customers. */
void
bulk_orders_read(BulkOrders *orders, BulkSort *sort, uint64 head, uint32 customer)
{
	BulkOrder	line;

	bulk_line_read(sort, head, &line, &orders->line);
	line.customer = customer;
	bulk_orders_add(orders, &line, orders->line.word);
}

static void
give_orders(BulkOrders *orders, void (*receive) (void *receiver, const BulkOrder *order),
			void *receiver)
{
	for (int i = 0; i < orders->count; i++)
		receive(receiver, &orders->order[i]);
	clear_orders(orders);
}

/* All lines of some customers are there: give back their orders, and begin anew. */
void
bulk_orders_finish(BulkOrders *orders, void (*receive) (void *receiver, const BulkOrder *order),
				   void *receiver)
{
	uint64		key;
	uint64		head;

	if (likely(orders->sort == NULL))
	{
		give_orders(orders, receive, receiver);
		return;
	}
	put_aside(orders);
	bulk_sort_finish(orders->sort);
	while (bulk_sort_next_key(orders->sort, &key))
	{
		while (bulk_sort_get(orders->sort, &head))
		{
			BulkOrder	line;
			BulkOrder  *order;

			bulk_line_read(orders->sort, head, &line, &orders->line);
			order = find_order(orders, key, &line, orders->line.word);
			if (order != NULL)
				bulk_order_add(order, &line, orders->context);
			else
				begin_order(orders, key, &line, orders->line.word);
		}
		give_orders(orders, receive, receiver);
	}
	bulk_sort_end(orders->sort);
	orders->sort = NULL;
	MemoryContextDelete(orders->sort_context);
}
