/*
 * bulk.c
 *	  histories(): all purchase histories of a relation, in one go.
 *
 * The same result as purchases_checked() with GROUP BY customer, byte by byte;
 * where there are order ids, of orders that are summed from their lines first.
 * A hash aggregate over millions of groups spends most of its time waiting for
 * memory, since each row goes to another place; here rows become records of 16
 * bytes that are sorted by radix within maintenance_work_mem, and each customer
 * then is summed in one place.  What rows earn is built beside it, where there
 * are margins, in the other half of that memory.
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
PG_FUNCTION_INFO_V1(histories_with_profit);
PG_FUNCTION_INFO_V1(histories_offers);
PG_FUNCTION_INFO_V1(histories_sums);

/* See bulk.h. */
void		(*bulk_progress) (uint64 rows_read) = NULL;

/* Rows from one report to the next. */
#define PROGRESS_ROWS	65536

/* Less memory than this is no use. */
#define MIN_BUDGET	((Size) 1024 * 1024)

typedef struct BulkCall
{
	DestReceiver receiver;		/* must be first */
	MemoryContext context;
	ResourceOwner owner;		/* of what lives until the last call */
	MemoryContext row_context;	/* reset a row of the source */

	/* reading */
	Oid			key_type;
	text	   *zone;
	Numeric		otherwise;		/* the margin of rows without one */
	RowReader	reader;
	int			place[BULK_COLUMNS];	/* where a row has its columns */
	uint64		rows_read;
	BulkKey		key;
	BulkKey		order_key;
	bool		has_orders;
	BulkMargin	margin;

	/* building */
	BulkBuilder amounts;
	BulkBuilder *profits;		/* the same of what rows earn; NULL = not wanted */
	TupleDesc	desc;
} BulkCall;

/* ----- reading the source ----- */

/* Put a row into the sort. */
static inline void
add_row(BulkBuilder *builder, Datum key, uint64 head, const uint64 *wide)
{
	BulkSort   *sort = builder->sort;
	uint64		sort_key = bulk_key_sort_key(builder->key, key);
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
		Size		key_words = sort->form == NULL ? 0 : bulk_key_count_words(builder->key, key);
		uint64	   *word = bulk_sort_put_words(sort, sort_key, 1 + key_words + wide_words);

		word[0] = head;
		if (key_words > 0)
		{
			word[0] |= HEAD_KEYED;
			bulk_key_to_words(builder->key, key, word + 1, key_words);
		}
		for (Size i = 0; i < wide_words; i++)
			word[1 + key_words + i] = wide[i];
	}
}

/* Put a row of whoever it belongs to where it is built. */
static inline void
put_row(BulkBuilder *builder, bool has_customer, Datum key, bool bad, int32 day, const Amount *amount)
{
	if (unlikely(!has_customer))
	{
		if (bad)
			bulk_history_add_head(&builder->nobody, &builder->batch, HEAD_BAD);
		else if (head_fits(day, amount->units))
			bulk_history_add_head(&builder->nobody, &builder->batch,
								  head_make(day, (int64) amount->units, amount->scale));
		else
			bulk_history_add(&builder->nobody, day, amount->units, amount->scale);
	}
	else
	{
		uint64		wide[WIDE_WORDS];

		if (builder->key->kind == BULK_KEY_HASHED && builder->key->length == -1)
			key = PointerGetDatum(PG_DETOAST_DATUM_PACKED(key));

		if (unlikely(bad))
			add_row(builder, key, HEAD_BAD, NULL);
		else if (likely(head_fits(day, amount->units)))
			add_row(builder, key, head_make(day, (int64) amount->units, amount->scale), NULL);
		else
		{
			wide_make(wide, day, amount->units, amount->scale);
			add_row(builder, key, HEAD_WIDE, wide);
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

/* A row of the source that is an order. */
static inline void
read_row(BulkCall *call, TupleTableSlot *slot)
{
	const int  *place = call->place;
	const Datum *value = slot->tts_values;
	const bool *isnull = slot->tts_isnull;
	MemoryContext old_context = begin_row(call);
	int32		day = 0;
	Amount		amount = {0, 0};
	bool		bad;

	bad = isnull[place[BULK_AT]] || isnull[place[BULK_AMOUNT]] ||
		row_reader_day(&call->reader, value[place[BULK_AT]], &day) != ROW_OK ||
		row_reader_amount(&call->reader, value[place[BULK_AMOUNT]], &amount) != ROW_OK;
	put_row(&call->amounts, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]],
			bad, day, &amount);
	MemoryContextSwitchTo(old_context);
}

/* The same with what it earns.  Both get a row, so that both have the same customers. */
static void
read_row_with_profit(BulkCall *call, TupleTableSlot *slot)
{
	const int  *place = call->place;
	const Datum *value = slot->tts_values;
	const bool *isnull = slot->tts_isnull;
	MemoryContext old_context = begin_row(call);
	int32		day = 0;
	BulkAmounts amounts = {false, false, {0, 0}, {0, 0}};

	if (!isnull[place[BULK_AT]] && !isnull[place[BULK_AMOUNT]] &&
		row_reader_day(&call->reader, value[place[BULK_AT]], &day) == ROW_OK)
		bulk_margin_read(&call->margin, &call->reader, value[place[BULK_AMOUNT]],
						 value[place[BULK_MARGIN]], isnull[place[BULK_MARGIN]], &amounts);
	put_row(&call->amounts, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]],
			!amounts.has_amount, day, &amounts.amount);
	put_row(call->profits, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]],
			!amounts.has_profit, day, &amounts.profit);
	MemoryContextSwitchTo(old_context);
}

/* A row of the source that is a line of an order. */
static void
read_line(BulkCall *call, TupleTableSlot *slot)
{
	const int  *place = call->place;
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
		put_row(&call->amounts, !isnull[place[BULK_CUSTOMER]], value[place[BULK_CUSTOMER]],
				true, 0, NULL);
	else
	{
		line.customer = 0;
		line.id = 0;
		line.lines = 1;
		line.units = line.number == NULL ? amount.units : 0;
		line.scale = line.number == NULL ? amount.scale : 0;
		bulk_lines_put(&call->amounts.lines, !isnull[place[BULK_CUSTOMER]],
					   value[place[BULK_CUSTOMER]], value[place[BULK_ORDER]], &line);
	}
	MemoryContextSwitchTo(old_context);
}

static inline void
read_slot(BulkCall *call, TupleTableSlot *slot)
{
	/* a line without an order id is an order */
	if (call->has_orders && !slot->tts_isnull[call->place[BULK_ORDER]])
		read_line(call, slot);
	else if (call->profits != NULL)
		read_row_with_profit(call, slot);
	else
		read_row(call, slot);
}

/* Is it a type that amounts and margins may have? */
static bool
is_number(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT8OID:
			return true;
		default:
			return false;
	}
}

/* Ensure that lines can be summed by this column, and prepare for it. */
static void
prepare_orders(BulkCall *call, Form_pg_attribute order)
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
}

/* Ensure that this column can be a margin, and prepare for it. */
static void
prepare_margins(BulkCall *call, Form_pg_attribute margin)
{
	int32		typmod = margin->atttypmod;
	Oid			type = getBaseTypeAndTypmod(margin->atttypid, &typmod);

	if (!is_number(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s is not a margin", format_type_be(type)),
				 errhint("Use a column of type numeric, smallint, integer, bigint, real or double precision; a view can convert it.")));
	bulk_margin_init(&call->margin, type, typmod, call->otherwise, call->context);
	call->profits = MemoryContextAlloc(call->context, sizeof(BulkBuilder));
}

/* Ensure that histories can be built of columns of these types, and prepare for them. */
static void
prepare_reading(BulkCall *call, TupleDesc desc, const BulkSource *source)
{
	const int  *place = call->place;
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
	if (!is_number(amount_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s is not an amount", format_type_be(amount_type)),
				 errhint("Use a column of type numeric, smallint, integer, bigint, real or double precision; a view can convert it.")));

	call->reader.day_type = at_type;
	call->reader.amount_type = amount_type;
	call->reader.lenient = true;
	if (call->zone != NULL)
		row_reader_set_zone(&call->reader, call->zone, call->context);

	call->reader.decimals_fit = row_reader_decimals_fit(amount_typmod);
	if (source->name[BULK_ORDER] != NULL)
		prepare_orders(call, TupleDescAttr(desc, place[BULK_ORDER]));
	if (source->name[BULK_MARGIN] != NULL)
	{
		prepare_margins(call, TupleDescAttr(desc, place[BULK_MARGIN]));
		budget /= 2;
		bulk_builder_init(call->profits, call->context, call->owner, budget, &call->key, NULL,
						  &call->reader);
	}
	bulk_builder_init(&call->amounts, call->context, call->owner, budget, &call->key,
					  call->has_orders ? &call->order_key : NULL, &call->reader);
}

/* The rows as they are stored. */
static void
read_table(BulkCall *call, Relation relation, const BulkSource *source)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	int			last = 0;

	for (int i = 0; i < BULK_COLUMNS; i++)
	{
		call->place[i] = source->column[i] - 1;
		last = Max(last, source->column[i]);
	}
	prepare_reading(call, desc, source);

	snapshot = RegisterSnapshot(GetActiveSnapshot());
	slot = table_slot_create(relation, NULL);
	scan = table_beginscan(relation, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, last);
		read_slot(call, slot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
}

/* A row of the query. */
static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	slot_getallattrs(slot);
	read_slot((BulkCall *) self, slot);
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

	for (int i = 0, columns = 0; i < BULK_COLUMNS; i++)
		call->place[i] = source->name[i] == NULL ? -1 : columns++;
	prepare_reading(call, portal->tupDesc, source);
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
	bulk_builder_finish(&call->amounts);
	if (call->profits != NULL)
		bulk_builder_finish(call->profits);
}

/* ----- the SQL surface ----- */

/* Whoever called us will not call again, be it that all was read or not. */
static void
close_call(Datum arg)
{
	BulkCall   *call = (BulkCall *) DatumGetPointer(arg);

	bulk_builder_end(&call->amounts);
	if (call->profits != NULL)
		bulk_builder_end(call->profits);
}

/* The columns of these arguments; "order" and "margin" are 0 where there are none. */
static BulkCall *
open_call(FunctionCallInfo fcinfo, MemoryContext context, int zone, int order, int margin)
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
	name[BULK_ORDER] = order == 0 || PG_ARGISNULL(order) ? NULL : NameStr(*PG_GETARG_NAME(order));
	name[BULK_MARGIN] = margin == 0 ? NULL : NameStr(*PG_GETARG_NAME(margin));
	bulk_source_init(&source, PG_GETARG_OID(0), name);

	old_context = MemoryContextSwitchTo(context);
	call = palloc0(sizeof(BulkCall));
	call->context = context;
	call->owner = CurrentResourceOwner;
	call->row_context = AllocSetContextCreate(context, "histories row", ALLOCSET_SMALL_SIZES);
	call->key_type = get_fn_expr_argtype(fcinfo->flinfo, 4);
	if (!PG_ARGISNULL(zone))
		call->zone = PG_GETARG_TEXT_PP(zone);
	if (margin > 0)
		call->otherwise = PG_GETARG_NUMERIC(margin + 1);

	if (get_call_result_type(fcinfo, NULL, &call->desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	call->desc = BlessTupleDesc(call->desc);

	call->receiver.receiveSlot = receive_row;
	call->receiver.rStartup = receiver_startup;
	call->receiver.rShutdown = receiver_shutdown;
	call->receiver.rDestroy = receiver_shutdown;
	call->receiver.mydest = DestNone;
	MemoryContextSwitchTo(old_context);

	read_source(call, &source);
	return call;
}

/* The next customer's row; false after the last one. */
static bool
next_row(BulkCall *call, Datum *result)
{
	BulkResult	amounts;
	BulkResult	profits;
	Datum		value[5];
	bool		isnull[5] = {false, false, false, false, false};

	if (!bulk_builder_next(&call->amounts, &amounts))
		return false;
	isnull[0] = !amounts.has_customer;
	value[0] = amounts.customer;
	isnull[1] = amounts.history == NULL;
	value[1] = PointerGetDatum(amounts.history);
	value[2] = Int64GetDatum(amounts.rows);
	value[3] = Int64GetDatum(amounts.bad);
	if (call->profits != NULL)
	{
		/* the same rows in the same order, so it is the same customer */
		if (!bulk_builder_next(call->profits, &profits) || profits.rows != amounts.rows)
			elog(ERROR, "amounts and profits have fallen apart");
		isnull[4] = profits.history == NULL;
		value[4] = PointerGetDatum(profits.history);
	}
	*result = HeapTupleGetDatum(heap_form_tuple(call->desc, value, isnull));
	return true;
}

/* The rows of a call, one a call. */
static Datum
return_rows(FunctionCallInfo fcinfo, int zone, int order, int margin)
{
	FuncCallContext *function;
	ReturnSetInfo *caller = (ReturnSetInfo *) fcinfo->resultinfo;
	BulkCall   *call;
	Datum		result;

	if (SRF_IS_FIRSTCALL())
	{
		function = SRF_FIRSTCALL_INIT();
		call = open_call(fcinfo, function->multi_call_memory_ctx, zone, order, margin);
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

/*
 * histories(source, customer, at, amount, key [, zone [, order_id]]) ->
 * setof (customer_id, history, rows, bad)
 */
Datum
histories(PG_FUNCTION_ARGS)
{
	return return_rows(fcinfo, 5, 6, 0);
}

/*
 * histories_with_profit(source, customer, at, amount, key, margin, otherwise [, zone]) ->
 * setof (customer_id, history, rows, bad, profit)
 */
Datum
histories_with_profit(PG_FUNCTION_ARGS)
{
	for (int i = 5; i < 7; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", i == 5 ? "margin" : "otherwise")));
	}
	return return_rows(fcinfo, 7, 0, 5);
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
