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
 * The relation is read by a query of its own, with the rights of the caller,
 * row security and all, in the snapshot of the query that calls us.  Its rows
 * go from the executor straight into the sort.  Results are returned one a
 * call, so that they need not be stored in between.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/bulk.h"
#include "history/history_agg.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"

PG_FUNCTION_INFO_V1(histories);
PG_FUNCTION_INFO_V1(histories_offers);

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
	MemoryContext row_context;	/* reset a row of the source */
	MemoryContext group_context;	/* reset a key of the sort */

	/* reading */
	Oid			key_type;
	const char *zone;
	RowReader	reader;
	FunctionCallInfo row;		/* as if purchases_checked() was called */
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

/* A row of the source: customer, time, amount. */
static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	BulkCall   *call = (BulkCall *) self;
	MemoryContext old_context;
	int32		day = 0;
	Amount		amount = {0, 0};
	bool		bad;

	slot_getallattrs(slot);
	MemoryContextReset(call->row_context);
	old_context = MemoryContextSwitchTo(call->row_context);

	bad = slot->tts_isnull[1] || slot->tts_isnull[2];
	if (!bad)
	{
		call->row->args[1].value = slot->tts_values[1];
		bad = row_reader_day(&call->reader, call->row, &day) != ROW_OK ||
			row_reader_amount(&call->reader, slot->tts_values[2], &amount) != ROW_OK;
	}

	if (unlikely(slot->tts_isnull[0]))
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
		Datum		key = slot->tts_values[0];
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
	return true;
}

/* The column of that name, and its type. */
static Oid
column_type(Oid relation, const char *column)
{
	AttrNumber	number = get_attnum(relation, column);

	if (number == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, get_rel_name(relation))));
	return get_atttype(relation, number);
}

/*
 * The query that reads a source.  real comes as the decimal that is shown for
 * it, so that 0.1 is 0.1.
 */
static char *
source_query(Oid relation, const char *customer, const char *at, const char *amount)
{
	StringInfoData query;
	const char *name = get_rel_name(relation);
	bool		is_real;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	(void) column_type(relation, customer);
	(void) column_type(relation, at);
	is_real = getBaseType(column_type(relation, amount)) == FLOAT4OID;

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT source.%s", quote_identifier(customer));
	appendStringInfo(&query, ", source.%s", quote_identifier(at));
	appendStringInfo(&query, is_real ?
					 ", CAST(CAST(source.%s AS pg_catalog.text) AS pg_catalog.float8)" :
					 ", source.%s", quote_identifier(amount));
	appendStringInfo(&query, " FROM %s AS source",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name));
	return query.data;
}

/* Ensure that histories can be built of columns of these types, and prepare for them. */
static void
prepare_reading(BulkCall *call, TupleDesc desc)
{
	Form_pg_attribute customer = TupleDescAttr(desc, 0);
	Oid			at_type = getBaseType(TupleDescAttr(desc, 1)->atttypid);
	Oid			amount_type = getBaseType(TupleDescAttr(desc, 2)->atttypid);

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

/* Read the whole source into the sort. */
static void
read_source(BulkCall *call, const char *query)
{
	ResourceOwner owner = CurrentResourceOwner;
	SPIPlanPtr	plan;
	Portal		portal;
	BulkKey    *form;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);

	prepare_reading(call, portal->tupDesc);
	form = call->key.kind == BULK_KEY_HASHED ? &call->key : NULL;
	call->sort = bulk_sort_begin(call->context, owner,
								 Max((Size) maintenance_work_mem * 1024, MIN_BUDGET), form);
	(void) PortalRunFetch(portal, FETCH_FORWARD, FETCH_ALL, &call->receiver);

	SPI_cursor_close(portal);
	SPI_finish();
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

/* Sum the rows of a hash, customer by customer. */
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
	bulk_history_add_batch(&customer->history, &call->batch);
}

/* Sum the rows of the customer at hand. */
static void
build_sorted(BulkCall *call)
{
	uint64		head;

	bulk_history_init(&call->customer, call->group_context);
	while (bulk_sort_get(call->sort, &head))
		add_head(call, &call->customer, head);
	bulk_history_add_batch(&call->customer, &call->batch);
}

static Datum
result_row(BulkCall *call, bool key_is_null, Datum key, BulkHistory *history)
{
	Datum		value[4];
	bool		isnull[4] = {false, false, false, false};
	struct varlena *bytes = bulk_history_final(history);

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
	static const char *const names[] = {"source", "customer", "at", "amount"};
	BulkCall   *call;
	MemoryContext old_context;
	char	   *query;

	for (int i = 0; i < 4; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i])));
	}
	query = source_query(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)),
						 NameStr(*PG_GETARG_NAME(2)), NameStr(*PG_GETARG_NAME(3)));

	old_context = MemoryContextSwitchTo(context);
	call = palloc0(sizeof(BulkCall));
	call->context = context;
	call->row_context = AllocSetContextCreate(context, "histories row", ALLOCSET_SMALL_SIZES);
	call->group_context = AllocSetContextCreate(context, "histories group", ALLOCSET_DEFAULT_SIZES);
	call->key_type = get_fn_expr_argtype(fcinfo->flinfo, 4);
	call->room_for_words = 8;
	call->word = palloc(call->room_for_words * sizeof(uint64));

	/* The row reader takes the time and its zone as arguments of a call. */
	call->row = palloc0(SizeForFunctionCallInfo(4));
	InitFunctionCallInfoData(*call->row, palloc0(sizeof(FmgrInfo)), 4, InvalidOid, NULL, NULL);
	call->row->flinfo->fn_mcxt = context;
	if (!PG_ARGISNULL(5))
	{
		call->zone = text_to_cstring(PG_GETARG_TEXT_PP(5));
		call->row->args[3].value = PointerGetDatum(cstring_to_text(call->zone));
	}

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

	read_source(call, query);
	bulk_history_add_batch(&call->nobody, &call->batch);
	bulk_sort_finish(call->sort);
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
	PG_RETURN_BOOL(bulk_key_is_offered(PG_GETARG_OID(0)));
}
