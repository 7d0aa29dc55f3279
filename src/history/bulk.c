/*
 * bulk.c
 *	  histories(): all purchase histories of a relation, in one go.
 *
 * The same result as purchases_checked() with GROUP BY customer, byte by byte;
 * where there are order ids, of orders that are summed from their lines first.
 * A hash aggregate over millions of groups spends most of its time waiting for
 * memory, since each row goes to another place; here rows become records of 16
 * bytes that are sorted by radix within maintenance_work_mem, and each customer
 * then is summed in one place.
 *
 * The relation is read with the rights of the caller, in the snapshot of the
 * query that calls us: a table as it is stored, anything else by a query of its
 * own (bulk_source.c).  Rows go straight into the sort.  Results are returned
 * one a call, so that they need not be stored in between.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/bulk.h"
#include "history/history_agg.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(histories);
PG_FUNCTION_INFO_V1(histories_offers);
PG_FUNCTION_INFO_V1(histories_sums);

/* See bulk.h. */
void		(*bulk_progress) (uint64 rows_read) = NULL;

/* Rows from one report to the next. */
#define PROGRESS_ROWS	65536

/* Less memory than this is no use. */
#define MIN_BUDGET	((Size) 1024 * 1024)

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

typedef struct BulkCall
{
	DestReceiver receiver;		/* must be first */
	MemoryContext context;
	ResourceOwner owner;		/* of what lives until the last call */
	MemoryContext row_context;	/* reset a row of the source */
	MemoryContext group_context;	/* reset a key of the sort */

	/* reading */
	Oid			key_type;
	text	   *zone;
	RowReader	reader;
	uint64		rows_read;
	BulkKey		key;
	BulkSort   *sort;

	/* where rows are lines */
	bool		has_orders;
	BulkKey		order_key;
	BulkOrders	orders;
	BulkLines	lines;

	/* building */
	BulkBatch	batch;
	BulkHistory nobody;			/* rows without a customer */
	BulkHistory customer;		/* of a key that sorts by its value */
	BulkCustomer *pending;		/* customers of a hash that are yet to be returned */
	uint32		customers;		/* of that hash so far */
	uint64	   *word;			/* the words of a key */
	Size		room_for_words;
	TupleDesc	desc;
} BulkCall;

/* ----- reading the source ----- */

/* Put a row into the sort. */
static inline void
add_row(BulkCall *call, Datum key, uint64 head, const uint64 *wide)
{
	BulkSort   *sort = call->sort;
	uint64		sort_key = bulk_key_sort_key(&call->key, key);
	Size		wide_words = wide == NULL ? 0 : WIDE_WORDS;

	if (!sort->has_words)
	{
		bulk_sort_reserve(sort, 1 + wide_words);
		bulk_sort_put(sort, sort_key, head);
		for (Size i = 0; i < wide_words; i++)
			bulk_sort_put(sort, sort_key, wide[i]);
	}
	else
	{
		Size		key_words = sort->form == NULL ? 0 : bulk_key_count_words(&call->key, key);
		uint64	   *word = bulk_sort_put_words(sort, sort_key, 1 + key_words + wide_words);

		word[0] = head;
		if (key_words > 0)
		{
			word[0] |= HEAD_KEYED;
			bulk_key_to_words(&call->key, key, word + 1, key_words);
		}
		for (Size i = 0; i < wide_words; i++)
			word[1 + key_words + i] = wide[i];
	}
}

/* Put a row of whoever it belongs to where it is built. */
static inline void
put_row(BulkCall *call, bool has_customer, Datum key, bool bad, int32 day, const Amount *amount)
{
	if (unlikely(!has_customer))
	{
		if (bad)
			bulk_history_add_head(&call->nobody, &call->batch, HEAD_BAD);
		else if (head_fits(day, amount->units))
			bulk_history_add_head(&call->nobody, &call->batch,
								  head_make(day, (int64) amount->units, amount->scale));
		else
			bulk_history_add(&call->nobody, day, amount->units, amount->scale);
	}
	else
	{
		uint64		wide[WIDE_WORDS];

		if (call->key.kind == BULK_KEY_HASHED && call->key.length == -1)
			key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));

		if (unlikely(bad))
			add_row(call, key, HEAD_BAD, NULL);
		else if (likely(head_fits(day, amount->units)))
			add_row(call, key, head_make(day, (int64) amount->units, amount->scale), NULL);
		else
		{
			wide_make(wide, day, amount->units, amount->scale);
			add_row(call, key, HEAD_WIDE, wide);
		}
	}
}

/* Count a row of the source, which is read in a memory context of its own. */
static inline MemoryContext
begin_row(BulkCall *call)
{
	if (unlikely(++call->rows_read % PROGRESS_ROWS == 0) && bulk_progress != NULL)
		bulk_progress(call->rows_read);
	if (unlikely(!call->row_context->isReset))
		MemoryContextReset(call->row_context);
	return MemoryContextSwitchTo(call->row_context);
}

/* A row of the source that is an order: customer, time, amount, which are where "place" says. */
static inline void
read_row(BulkCall *call, TupleTableSlot *slot, const int *place)
{
	const Datum *value = slot->tts_values;
	const bool *isnull = slot->tts_isnull;
	MemoryContext old_context = begin_row(call);
	int32		day = 0;
	Amount		amount = {0, 0};
	bool		bad;

	bad = isnull[place[BULK_AT]] || isnull[place[BULK_AMOUNT]] ||
		row_reader_day(&call->reader, value[place[BULK_AT]], &day) != ROW_OK ||
		row_reader_amount(&call->reader, value[place[BULK_AMOUNT]], &amount) != ROW_OK;
	put_row(call, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]], bad, day, &amount);
	MemoryContextSwitchTo(old_context);
}

/* A row of the source that is a line of an order. */
static void
read_line(BulkCall *call, TupleTableSlot *slot, const int *place)
{
	const Datum *value = slot->tts_values;
	const bool *isnull = slot->tts_isnull;
	MemoryContext old_context = begin_row(call);
	BulkOrder	line;
	Amount		amount;
	bool		bad;

	bad = isnull[place[BULK_AT]] || isnull[place[BULK_AMOUNT]] ||
		row_reader_instant(&call->reader, value[place[BULK_AT]], &line.instant) != ROW_OK ||
		row_reader_line_amount(&call->reader, value[place[BULK_AMOUNT]], &amount, &line.number) != ROW_OK;
	if (unlikely(bad))
		put_row(call, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]], true, 0, NULL);
	else
	{
		line.customer = 0;
		line.id = 0;
		line.lines = 1;
		line.units = line.number == NULL ? amount.units : 0;
		line.scale = line.number == NULL ? amount.scale : 0;
		bulk_lines_put(&call->lines, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]],
					   value[place[BULK_ORDER]], &line);
	}
	MemoryContextSwitchTo(old_context);
}

static inline void
read_slot(BulkCall *call, TupleTableSlot *slot, const int *place)
{
	/* a line without an order id is an order */
	if (call->has_orders && !slot->tts_isnull[place[BULK_ORDER]])
		read_line(call, slot, place);
	else
		read_row(call, slot, place);
}

/* Ensure that lines can be summed by this column, and prepare for it. */
static void
prepare_orders(BulkCall *call, Form_pg_attribute order, Size budget)
{
	if (!bulk_order_id_is_offered(order->atttypid, order->attcollation))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("lines cannot be summed by order ids of type %s",
						format_type_be(order->atttypid)),
				 OidIsValid(order->attcollation) &&
				 !get_collation_isdeterministic(order->attcollation) ?
				 errdetail("Equal ids may be different bytes under collation \"%s\".",
						   get_collation_name(order->attcollation)) :
				 errdetail("Equal ids of this type may be different bytes, or nothing is known of it."),
				 errhint("Use a column of type bigint, uuid or text under a deterministic collation; a view can convert it.")));
	call->has_orders = true;
	bulk_key_init(&call->order_key, order->atttypid, order->attcollation, call->context);
	bulk_orders_init(&call->orders, call->context, call->owner, budget, &call->order_key);
}

/* Ensure that histories can be built of columns of these types, and prepare for them. */
static void
prepare_reading(BulkCall *call, TupleDesc desc, const int *place, int columns)
{
	Form_pg_attribute customer = TupleDescAttr(desc, place[BULK_CUSTOMER]);
	Form_pg_attribute at = TupleDescAttr(desc, place[BULK_AT]);
	Form_pg_attribute amount = TupleDescAttr(desc, place[BULK_AMOUNT]);
	Oid			at_type = getBaseType(at->atttypid);
	int32		amount_typmod = amount->atttypmod;
	Oid			amount_type = getBaseTypeAndTypmod(amount->atttypid, &amount_typmod);
	Size		budget = Max((Size) maintenance_work_mem * 1024, MIN_BUDGET);

	if (call->key_type != customer->atttypid && call->key_type != getBaseType(customer->atttypid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("customers are of type %s, but the key is of type %s",
						format_type_be(customer->atttypid), format_type_be(call->key_type)),
				 errhint("Give a key of the customers' type: key => NULL::%s.",
						 format_type_be(customer->atttypid))));
	if (!bulk_key_is_offered(customer->atttypid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("customers of type %s cannot be hashed", format_type_be(customer->atttypid)),
				 errhint("Group them by purchases() instead, or convert the key in a view.")));
	bulk_key_init(&call->key, customer->atttypid, customer->attcollation, call->context);

	switch (at_type)
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TEXTOID:
			if (call->zone != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("histories() of %s takes no time zone", format_type_be(at_type)),
						 errdetail("Only a timestamp with time zone can be seen in another zone."),
						 errhint("Leave the zone out.")));
			break;
		case TIMESTAMPTZOID:
			if (call->zone == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("histories() of timestamp with time zone needs a time zone"),
						 errdetail("Which day a moment falls on depends on the zone; the session's TimeZone is not used."),
						 errhint("Name the zone of your business, e.g. zone => 'Asia/Shanghai'.")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("%s is not the time of an order", format_type_be(at_type)),
					 errhint("Use a column of type date, timestamp or timestamptz; a view can convert it.")));
	}
	switch (amount_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT8OID:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("%s is not an amount", format_type_be(amount_type)),
					 errhint("Use a column of type numeric, smallint, integer, bigint, real or double precision; a view can convert it.")));
	}

	call->reader.day_type = at_type;
	call->reader.amount_type = amount_type;
	call->reader.lenient = true;
	if (call->zone != NULL)
		row_reader_set_zone(&call->reader, call->zone, call->context);

	call->reader.decimals_fit = row_reader_decimals_fit(amount_typmod);
	if (columns > BULK_ORDER)
	{
		prepare_orders(call, TupleDescAttr(desc, place[BULK_ORDER]), budget / 4);
		budget -= budget / 4;
	}
	call->sort = bulk_sort_begin(call->context, call->owner, budget,
								 call->key.kind == BULK_KEY_HASHED ? &call->key : NULL,
								 call->has_orders ? &call->order_key : NULL);
	if (call->has_orders)
		bulk_lines_init(&call->lines, call->context, &call->key, &call->order_key, call->sort,
						&call->orders);
}

/* The rows as they are stored. */
static void
read_table(BulkCall *call, Relation relation, const BulkSource *source)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	int			place[BULK_COLUMNS];
	int			last = 0;

	for (int i = 0; i < source->columns; i++)
	{
		place[i] = source->column[i] - 1;
		last = Max(last, source->column[i]);
	}
	prepare_reading(call, desc, place, source->columns);

	snapshot = RegisterSnapshot(GetActiveSnapshot());
	slot = table_slot_create(relation, NULL);
	scan = table_beginscan(relation, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, last);
		read_slot(call, slot, place);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
}

/* Where the query has its columns. */
static const int query_place[BULK_COLUMNS] = {BULK_CUSTOMER, BULK_AT, BULK_AMOUNT, BULK_ORDER};

/* A row of the query. */
static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	slot_getallattrs(slot);
	read_slot((BulkCall *) self, slot, query_place);
	return true;
}

static void
receiver_startup(DestReceiver *self pg_attribute_unused(), int operation pg_attribute_unused(),
				 TupleDesc desc pg_attribute_unused())
{
}

static void
receiver_shutdown(DestReceiver *self pg_attribute_unused())
{
}

/* The rows as a query returns them. */
static void
read_query(BulkCall *call, const BulkSource *source)
{
	SPIPlanPtr	plan;
	Portal		portal;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(bulk_source_query(source), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);

	prepare_reading(call, portal->tupDesc, query_place, source->columns);
	(void) PortalRunFetch(portal, FETCH_FORWARD, FETCH_ALL, &call->receiver);

	SPI_cursor_close(portal);
	SPI_finish();
}

/* ----- from lines to orders ----- */

/* Add an order that was summed from its lines to its customer's history. */
static void
add_order(BulkCall *call, BulkHistory *history, const BulkOrder *order)
{
	Amount		amount;
	int32		day;

	if (row_reader_instant_day(&call->reader, order->instant, &day) != ROW_OK ||
		bulk_order_amount(order, &amount) != AMOUNT_OK)
		bulk_history_add_head(history, &call->batch, HEAD_BAD);
	else if (head_fits(day, amount.units))
		bulk_history_add_head(history, &call->batch,
							  head_make(day, (int64) amount.units, amount.scale));
	else
		bulk_history_add(history, day, amount.units, amount.scale);
	history->rows += order->lines - 1;
}

static void
receive_nobodys_order(void *receiver, const BulkOrder *order)
{
	BulkCall   *call = receiver;

	add_order(call, &call->nobody, order);
}

static void
receive_order(void *receiver, const BulkOrder *order)
{
	BulkCall   *call = receiver;

	add_order(call, &call->customer, order);
}

/* Bring a customer to the front of those of the hash, so that the batch is his. */
static void
bring_to_front(BulkCall *call, BulkCustomer **link)
{
	BulkCustomer *customer = *link;

	bulk_history_add_batch(&call->pending->history, &call->batch);
	*link = customer->next;
	customer->next = call->pending;
	call->pending = customer;
}

/* An order of one of the customers of a hash. */
static void
receive_pending_order(void *receiver, const BulkOrder *order)
{
	BulkCall   *call = receiver;

	if (call->pending->number != order->customer)
	{
		BulkCustomer **link = &call->pending;

		while ((*link)->number != order->customer)
			link = &(*link)->next;
		bring_to_front(call, link);
	}
	add_order(call, &call->pending->history, order);
}

/* ----- the whole source ----- */

/* Read it into the sort. */
static void
read_source(BulkCall *call, const BulkSource *source)
{
	Relation	relation = bulk_source_open(source);

	if (relation == NULL)
		read_query(call, source);
	else
	{
		read_table(call, relation, source);
		relation_close(relation, NoLock);
	}
	if (bulk_progress != NULL)
		bulk_progress(call->rows_read);
	if (call->has_orders)
	{
		bulk_lines_finish(&call->lines);
		bulk_orders_finish(&call->orders, receive_nobodys_order, call);
	}
	bulk_history_add_batch(&call->nobody, &call->batch);
	bulk_sort_finish(call->sort);
}

/* ----- building the histories ----- */

/* The rest of a wide row. */
static void
add_wide(BulkCall *call, BulkHistory *history)
{
	uint64		word[WIDE_WORDS];
	int32		day;
	amount128	units;
	int			scale;

	for (int i = 0; i < WIDE_WORDS; i++)
	{
		if (!bulk_sort_get(call->sort, &word[i]))
			elog(ERROR, "row is cut off");
	}
	wide_read(word, &day, &units, &scale);
	bulk_history_add(history, day, units, scale);
}

static inline void
add_head(BulkCall *call, BulkHistory *history, uint32 number, uint64 head)
{
	if (likely(head_is_compact(head)) || head_is_bad(head))
		bulk_history_add_head(history, &call->batch, head);
	else if (head_is_line(head))
		bulk_orders_read(&call->orders, call->sort, head, number);
	else
		add_wide(call, history);
}

/* The words of the key that follows. */
static Size
read_key(BulkCall *call)
{
	uint64		first;
	Size		words;

	if (!bulk_sort_get(call->sort, &first))
		elog(ERROR, "key is cut off");
	words = bulk_key_words_from(&call->key, first);
	if (words > call->room_for_words)
	{
		call->room_for_words = words;
		call->word = repalloc_huge(call->word, words * sizeof(uint64));
	}
	call->word[0] = first;
	for (Size i = 1; i < words; i++)
	{
		if (!bulk_sort_get(call->sort, &call->word[i]))
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
find_customer(BulkCall *call, Size words)
{
	BulkCustomer *customer;
	BulkCustomer **link;
	MemoryContext old_context;
	Datum		key;

	if (call->pending != NULL && has_words(call->pending, call->word, words))
		return call->pending;
	if (call->pending != NULL)
		bulk_history_add_batch(&call->pending->history, &call->batch);

	old_context = MemoryContextSwitchTo(call->group_context);
	key = bulk_key_from_words(&call->key, call->word);
	for (link = &call->pending; (customer = *link) != NULL; link = &customer->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (!has_words(customer, call->word, words))
		{
			if (!bulk_key_equal(&call->key, customer->key, key))
				continue;
			if (bulk_key_is_preferred(&call->key, key, customer->key))
			{
				customer->key = key;
				customer->words = words;
				customer->word = MemoryContextAllocHuge(call->group_context, words * sizeof(uint64));
				memcpy(customer->word, call->word, words * sizeof(uint64));
			}
		}
		*link = customer->next;
		break;
	}
	if (customer == NULL)
	{
		customer = palloc(sizeof(BulkCustomer));
		customer->number = call->customers++;
		customer->key = key;
		customer->words = words;
		customer->word = MemoryContextAllocHuge(call->group_context, words * sizeof(uint64));
		memcpy(customer->word, call->word, words * sizeof(uint64));
		bulk_history_init(&customer->history, call->group_context);
	}
	customer->next = call->pending;
	call->pending = customer;
	MemoryContextSwitchTo(old_context);
	return customer;
}

/* Sum the rows of a hash, customer by customer; the rest of the last one's stay in the batch. */
static void
build_hashed(BulkCall *call)
{
	BulkCustomer *customer = NULL;
	uint64		head;

	while (bulk_sort_get(call->sort, &head))
	{
		if (head & HEAD_KEYED)
			customer = find_customer(call, read_key(call));
		if (customer == NULL)
			elog(ERROR, "row without a key");
		add_head(call, &customer->history, customer->number, head);
	}
	if (call->has_orders)
		bulk_orders_finish(&call->orders, receive_pending_order, call);
}

/* Sum the rows of the customer at hand; the rest of them stays in the batch. */
static void
build_sorted(BulkCall *call)
{
	uint64		head;

	bulk_history_init(&call->customer, call->group_context);
	while (bulk_sort_get(call->sort, &head))
		add_head(call, &call->customer, 0, head);
	if (call->has_orders)
		bulk_orders_finish(&call->orders, receive_order, call);
}

static Datum
result_row(BulkCall *call, bool key_is_null, Datum key, BulkHistory *history)
{
	Datum		value[4];
	bool		isnull[4] = {false, false, false, false};
	struct varlena *bytes = bulk_history_final(history, &call->batch);

	isnull[0] = key_is_null;
	value[0] = key;
	isnull[1] = bytes == NULL;
	value[1] = PointerGetDatum(bytes);
	value[2] = Int64GetDatum(history->rows);
	value[3] = Int64GetDatum(history->bad);
	return HeapTupleGetDatum(heap_form_tuple(call->desc, value, isnull));
}

/* The next customer's row; false after the last one. */
static bool
next_row(BulkCall *call, Datum *result)
{
	uint64		sort_key;

	if (call->pending == NULL)
	{
		MemoryContextReset(call->group_context);
		call->customers = 0;
		if (!bulk_sort_next_key(call->sort, &sort_key))
		{
			if (call->nobody.rows == 0)
				return false;
			*result = result_row(call, true, (Datum) 0, &call->nobody);
			call->nobody.rows = 0;
			return true;
		}
		if (call->key.kind != BULK_KEY_HASHED)
		{
			build_sorted(call);
			*result = result_row(call, false, bulk_key_from_sort_key(&call->key, sort_key),
								 &call->customer);
			return true;
		}
		build_hashed(call);
	}
	*result = result_row(call, false, call->pending->key, &call->pending->history);
	call->pending = call->pending->next;
	return true;
}

/* ----- the SQL surface ----- */

/* Whoever called us will not call again, be it that all was read or not. */
static void
close_call(Datum arg)
{
	BulkCall   *call = (BulkCall *) DatumGetPointer(arg);

	if (call->sort != NULL)
		bulk_sort_end(call->sort);
	if (call->has_orders)
		bulk_orders_end(&call->orders);
}

static BulkCall *
open_call(FunctionCallInfo fcinfo, MemoryContext context)
{
	static const char *const argument[] = {"source", "customer", "at", "amount"};
	const char *name[BULK_COLUMNS];
	BulkSource	source;
	BulkCall   *call;
	MemoryContext old_context;

	for (int i = 0; i < 4; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", argument[i])));
	}
	for (int i = 0; i < BULK_ORDER; i++)
		name[i] = NameStr(*PG_GETARG_NAME(1 + i));
	name[BULK_ORDER] = PG_ARGISNULL(6) ? NULL : NameStr(*PG_GETARG_NAME(6));
	bulk_source_init(&source, PG_GETARG_OID(0), name);

	old_context = MemoryContextSwitchTo(context);
	call = palloc0(sizeof(BulkCall));
	call->context = context;
	call->owner = CurrentResourceOwner;
	call->row_context = AllocSetContextCreate(context, "histories row", ALLOCSET_SMALL_SIZES);
	call->group_context = AllocSetContextCreate(context, "histories group", ALLOCSET_DEFAULT_SIZES);
	call->key_type = get_fn_expr_argtype(fcinfo->flinfo, 4);
	call->room_for_words = 8;
	call->word = palloc(call->room_for_words * sizeof(uint64));

	if (!PG_ARGISNULL(5))
		call->zone = PG_GETARG_TEXT_PP(5);

	if (get_call_result_type(fcinfo, NULL, &call->desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	call->desc = BlessTupleDesc(call->desc);
	bulk_history_init(&call->nobody, context);

	call->receiver.receiveSlot = receive_row;
	call->receiver.rStartup = receiver_startup;
	call->receiver.rShutdown = receiver_shutdown;
	call->receiver.rDestroy = receiver_shutdown;
	call->receiver.mydest = DestNone;
	MemoryContextSwitchTo(old_context);

	read_source(call, &source);
	return call;
}

/*
 * histories(source, customer, at, amount, key [, zone [, order_id]]) ->
 * setof (customer_id, history, rows, bad)
 */
Datum
histories(PG_FUNCTION_ARGS)
{
	FuncCallContext *function;
	ReturnSetInfo *caller = (ReturnSetInfo *) fcinfo->resultinfo;
	BulkCall   *call;
	Datum		result;

	if (SRF_IS_FIRSTCALL())
	{
		function = SRF_FIRSTCALL_INIT();
		call = open_call(fcinfo, function->multi_call_memory_ctx);
		function->user_fctx = call;
		RegisterExprContextCallback(caller->econtext, close_call, PointerGetDatum(call));
	}
	function = SRF_PERCALL_SETUP();
	call = (BulkCall *) function->user_fctx;

	if (next_row(call, &result))
		SRF_RETURN_NEXT(function, result);

	UnregisterExprContextCallback(caller->econtext, close_call, PointerGetDatum(call));
	close_call(PointerGetDatum(call));
	SRF_RETURN_DONE(function);
}

/* Whether histories() takes customers of this type. */
Datum
histories_offers(PG_FUNCTION_ARGS)
{
	Oid type = PG_GETARG_OID(0);

	PG_RETURN_BOOL(SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)) &&
				   bulk_key_is_offered(type));
}

/* Whether histories() sums lines by order ids of this type and collation. */
Datum
histories_sums(PG_FUNCTION_ARGS)
{
	Oid			type = PG_GETARG_OID(0);

	PG_RETURN_BOOL(SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)) &&
				   bulk_order_id_is_offered(type, PG_GETARG_OID(1)));
}
