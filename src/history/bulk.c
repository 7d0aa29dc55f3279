/*
 * bulk.c
 *	  histories(): all purchase histories of a relation, in one go.
 *
 * The same result as purchases_checked() with GROUP BY customer, byte by byte.
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

	/* building */
	BulkBatch	batch;
	BulkHistory nobody;			/* rows without a customer */
	BulkHistory customer;		/* of a key that sorts by its value */
	BulkCustomer *pending;		/* customers of a hash that are yet to be returned */
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

	if (call->key.kind != BULK_KEY_HASHED)
	{
		bulk_sort_reserve(sort, 1 + wide_words);
		bulk_sort_put(sort, sort_key, head);
		for (Size i = 0; i < wide_words; i++)
			bulk_sort_put(sort, sort_key, wide[i]);
	}
	else
	{
		Size		key_words = bulk_key_count_words(&call->key, key);
		uint64	   *word = bulk_sort_put_words(sort, sort_key, 1 + key_words + wide_words);

		word[0] = head | HEAD_KEYED;
		bulk_key_to_words(&call->key, key, word + 1, key_words);
		for (Size i = 0; i < wide_words; i++)
			word[1 + key_words + i] = wide[i];
	}
}

/* A row of the source: customer, time, amount, which are where "place" says. */
static inline void
read_row(BulkCall *call, TupleTableSlot *slot, const int *place)
{
	const Datum *value = slot->tts_values;
	const bool *isnull = slot->tts_isnull;
	MemoryContext old_context;
	int32		day = 0;
	Amount		amount = {0, 0};
	bool		bad;

	if (unlikely(++call->rows_read % PROGRESS_ROWS == 0) && bulk_progress != NULL)
		bulk_progress(call->rows_read);
	if (unlikely(!call->row_context->isReset))
		MemoryContextReset(call->row_context);
	old_context = MemoryContextSwitchTo(call->row_context);

	bad = isnull[place[BULK_AT]] || isnull[place[BULK_AMOUNT]] ||
		row_reader_day(&call->reader, value[place[BULK_AT]], &day) != ROW_OK ||
		row_reader_amount(&call->reader, value[place[BULK_AMOUNT]], &amount) != ROW_OK;

	if (unlikely(isnull[place[BULK_CUSTOMER]]))
	{
		if (bad)
			bulk_history_add_head(&call->nobody, &call->batch, HEAD_BAD);
		else if (head_fits(day, amount.units))
			bulk_history_add_head(&call->nobody, &call->batch,
								  head_make(day, (int64) amount.units, amount.scale));
		else
			bulk_history_add(&call->nobody, day, amount.units, amount.scale);
	}
	else
	{
		Datum		key = value[place[BULK_CUSTOMER]];
		uint64		wide[WIDE_WORDS];

		if (call->key.kind == BULK_KEY_HASHED && call->key.length == -1)
			key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));

		if (unlikely(bad))
			add_row(call, key, HEAD_BAD, NULL);
		else if (likely(head_fits(day, amount.units)))
			add_row(call, key, head_make(day, (int64) amount.units, amount.scale), NULL);
		else
		{
			wide_make(wide, day, amount.units, amount.scale);
			add_row(call, key, HEAD_WIDE, wide);
		}
	}
	MemoryContextSwitchTo(old_context);
}

/* Ensure that histories can be built of columns of these types, and prepare for them. */
static void
prepare_reading(BulkCall *call, Form_pg_attribute customer, Form_pg_attribute at,
				Form_pg_attribute amount)
{
	Oid			at_type = getBaseType(at->atttypid);
	Oid			amount_type = getBaseType(amount->atttypid);

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

	call->sort = bulk_sort_begin(call->context, call->owner,
								 Max((Size) maintenance_work_mem * 1024, MIN_BUDGET),
								 call->key.kind == BULK_KEY_HASHED ? &call->key : NULL);
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

	for (int i = 0; i < BULK_COLUMNS; i++)
	{
		place[i] = source->column[i] - 1;
		last = Max(last, source->column[i]);
	}
	prepare_reading(call, TupleDescAttr(desc, place[BULK_CUSTOMER]),
					TupleDescAttr(desc, place[BULK_AT]), TupleDescAttr(desc, place[BULK_AMOUNT]));

	snapshot = RegisterSnapshot(GetActiveSnapshot());
	slot = table_slot_create(relation, NULL);
	scan = table_beginscan(relation, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, last);
		read_row(call, slot, place);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
}

/* A row of the query. */
static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	static const int place[BULK_COLUMNS] = {BULK_CUSTOMER, BULK_AT, BULK_AMOUNT};

	slot_getallattrs(slot);
	read_row((BulkCall *) self, slot, place);
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

	prepare_reading(call, TupleDescAttr(portal->tupDesc, BULK_CUSTOMER),
					TupleDescAttr(portal->tupDesc, BULK_AT), TupleDescAttr(portal->tupDesc, BULK_AMOUNT));
	(void) PortalRunFetch(portal, FETCH_FORWARD, FETCH_ALL, &call->receiver);

	SPI_cursor_close(portal);
	SPI_finish();
}

/* Read the whole source into the sort. */
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
add_head(BulkCall *call, BulkHistory *history, uint64 head)
{
	if (likely(head_is_compact(head)) || head_is_bad(head))
		bulk_history_add_head(history, &call->batch, head);
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
		add_head(call, &customer->history, head);
	}
}

/* Sum the rows of the customer at hand; the rest of them stays in the batch. */
static void
build_sorted(BulkCall *call)
{
	uint64		head;

	bulk_history_init(&call->customer, call->group_context);
	while (bulk_sort_get(call->sort, &head))
		add_head(call, &call->customer, head);
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
	for (int i = 0; i < BULK_COLUMNS; i++)
		name[i] = NameStr(*PG_GETARG_NAME(1 + i));
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
 * histories(source, customer, at, amount, key [, zone]) ->
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
