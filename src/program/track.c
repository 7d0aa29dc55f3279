/*
 * track.c
 *	  The trigger function that writes down which customers' orders changed.
 *
 *		track_changes(schema, customer [, column ...])
 *
 * The arguments of the trigger are the schema of a program, the column of the
 * table that holds the customer key, and the columns whose values make a
 * history, where the table is the source itself: day, amount, and others.
 *
 * What is written goes to <schema>.touched, a plain table without an index that
 * is only appended to, so that no writer waits for another.  A row of it holds
 * the keys of many rows, packed into an array as wide as a page:
 *
 *		trigger_oid		the trigger that wrote it
 *		keys			customer keys; NULL = anything may have changed
 *		ats, amounts	day and amount that go with each key, of rows that were
 *						inserted; NULL = only the keys are known
 *
 * The last two columns are there when a refresh can add new rows to a history
 * without reading the others (merge_changes in 065_merge_history.sql).
 *
 * A write to the user's table must not fail because of us, nor wait, nor need a
 * right of the writer.  So rows are put into the table directly, past
 * privileges, triggers and constraints; every condition under which that could
 * raise an error is looked at first; and where one holds, the sequence
 * <schema>.lost_changes is advanced instead: the next refresh then builds all
 * histories anew.  When somebody holds that, too, it is the extension's own
 * sequence, which counts for every program.  If the schema or the sequence is
 * gone, that shows by itself (built_of in 063_history_plan.sql).
 */
#include "postgres.h"

#include "compat.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

/*
 * A row of touched has at most so many bytes of elements and of bitmaps of NULLs:
 * with the headers of page, row and arrays it must fit a page, and should fill it,
 * for what a writer pays for is mostly new pages.
 */
#define ROW_BYTES (BLCKSZ - 320)

/* A statement that touches more rows than this has touched everything. */
#define MAX_ROWS 1000000

/* Columns of the user's table that we look at. */
#define MAX_COLUMNS 16

/* Columns of touched after the first: keys, ats, amounts. */
#define MAX_ARRAYS 3

PG_FUNCTION_INFO_V1(track_changes);

typedef struct Column
{
	AttrNumber attnum;
	Oid type;
	int16 typlen;
	bool typbyval;
	char typalign;
} Column;

/* One array column of a row of touched that is being filled. */
typedef struct Packed
{
	Datum *values;
	bool *nulls;
} Packed;

typedef struct Recorder
{
	const char *schema;
	Oid trigger;
	Relation touched;
	TupleTableSlot *slot;
	int n_columns;
	Column columns[MAX_COLUMNS];
	int n_arrays;		 /* array columns of touched: 1 or 3 */
	bool has_rows;		 /* the row being filled has days and amounts */
	int count;			 /* keys in it */
	int room;			 /* for so many */
	Size bytes;			 /* their size */
	Packed packed[MAX_ARRAYS];
	MemoryContext values; /* the values of the row being filled */
} Recorder;

/* Whether a sequence can be advanced without an error: as we made it, it cycles. */
static bool
is_our_sequence(Oid sequence)
{
	HeapTuple tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
	Form_pg_sequence form;
	bool ours;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_sequence) GETSTRUCT(tuple);
	ours = form->seqincrement == 1 && form->seqmax == PG_INT64_MAX && form->seqcycle;
	ReleaseSysCache(tuple);
	return ours;
}

/* Advance the sequence lost_changes of a schema, unless somebody holds it. */
static bool
advance_lost_changes(Oid sequence)
{
	if (!ConditionalLockRelationOid(sequence, RowExclusiveLock))
		return false;
	if (!is_our_sequence(sequence))
		return false;
	(void) nextval_internal(sequence, false);
	return true;
}

/*
 * Whether <schema>.tracking is a table that can be read and does not list a
 * trigger: then it is one of somebody else's table, who named our schema in it;
 * or so new that the next refresh builds all histories anyway.
 */
static bool
is_stranger(Oid namespace, Oid trigger)
{
	Oid relid = get_relname_relid("tracking", namespace);
	Relation tracking;
	AttrNumber column;
	bool listed = false;

	if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	tracking = try_relation_open(relid, NoLock);
	if (tracking == NULL)
		return false;
	column = get_attnum(relid, "triggers");
	if (tracking->rd_rel->relkind == RELKIND_RELATION && column > 0 &&
		TupleDescAttr(RelationGetDescr(tracking), column - 1)->atttypid == OIDARRAYOID)
	{
		Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
		TableScanDesc scan = table_beginscan(tracking, snapshot, 0, NULL);
		TupleTableSlot *slot = table_slot_create(tracking, NULL);

		while (!listed && table_scan_getnextslot(scan, ForwardScanDirection, slot))
		{
			bool isnull;
			Datum value = slot_getattr(slot, column, &isnull);
			Datum *triggers;
			int n;

			if (isnull)
				continue;
			deconstruct_array(DatumGetArrayTypeP(value), OIDOID, sizeof(Oid), true,
							  TYPALIGN_INT, &triggers, NULL, &n);
			for (int i = 0; i < n && !listed; i++)
				listed = DatumGetObjectId(triggers[i]) == trigger;
		}
		ExecDropSingleTupleTableSlot(slot);
		table_endscan(scan);
		UnregisterSnapshot(snapshot);
	}
	else
		listed = true;
	relation_close(tracking, NoLock);
	return !listed;
}

/*
 * Something happened that could not be written down.  A change that is rolled
 * back afterwards leaves the sequence advanced, which costs full builds.
 */
static void
mark_lost(const char *schema, Oid trigger)
{
	Oid namespace = get_namespace_oid(schema, true);
	Oid sequence;

	if (!OidIsValid(namespace) || is_stranger(namespace, trigger))
		return;
	sequence = get_relname_relid("lost_changes", namespace);
	if (!OidIsValid(sequence) || advance_lost_changes(sequence))
		return;
	namespace = get_namespace_oid("customer_tier", true);
	if (!OidIsValid(namespace))
		return;
	sequence = get_relname_relid("lost_changes", namespace);
	if (OidIsValid(sequence))
		(void) advance_lost_changes(sequence);
}

PG_FUNCTION_INFO_V1(next_transaction_id);

/* next_transaction_id() -> xid8: later than that of any transaction so far. */
Datum
next_transaction_id(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_FULLTRANSACTIONID(ReadNextFullTransactionId());
}

/* The element type of an array column of touched, or InvalidOid. */
static Oid
element_type(TupleDesc desc, int column)
{
	Form_pg_attribute att = TupleDescAttr(desc, column);

	return att->attisdropped ? InvalidOid : get_element_type(getBaseType(att->atttypid));
}

/* Whether a relation is still the table that 062_tracking.sql made. */
static bool
is_our_table(Relation touched)
{
	TupleDesc desc = RelationGetDescr(touched);
	List *indexes;

	if (touched->rd_rel->relkind != RELKIND_RELATION ||
		touched->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT ||
		(desc->natts != 2 && desc->natts != 4) ||
		TupleDescAttr(desc, 0)->attisdropped || TupleDescAttr(desc, 0)->atttypid != OIDOID)
		return false;
	for (int i = 1; i < desc->natts; i++)
		if (!OidIsValid(element_type(desc, i)) ||
			TupleDescAttr(desc, i)->attstorage != TYPSTORAGE_PLAIN)
			return false;
	/* We would not know how to keep an index up to date without an error. */
	indexes = RelationGetIndexList(touched);
	if (indexes != NIL)
	{
		list_free(indexes);
		return false;
	}
	return true;
}

/*
 * Open the table to write to, without waiting: whoever has locked it against
 * writers is changing it.  NULL = it cannot be written to.
 */
static Relation
open_touched(const char *schema)
{
	Oid namespace = get_namespace_oid(schema, true);
	Oid relid = OidIsValid(namespace) ? get_relname_relid("touched", namespace) : InvalidOid;
	Relation touched;

	if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, RowExclusiveLock))
		return NULL;
	/* It may have been dropped before we had the lock. */
	touched = try_relation_open(relid, NoLock);
	if (touched == NULL)
		return NULL;
	if (!is_our_table(touched))
	{
		relation_close(touched, NoLock);
		return NULL;
	}
	return touched;
}

/* Look up the columns that the trigger names.  False = they are not as expected. */
static bool
find_columns(Recorder *recorder, Relation table, Trigger *trigger)
{
	recorder->n_columns = trigger->tgnargs - 1;
	if (recorder->n_columns > MAX_COLUMNS)
		return false;
	for (int i = 0; i < recorder->n_columns; i++)
	{
		Column *column = &recorder->columns[i];
		Form_pg_attribute att;

		column->attnum = get_attnum(RelationGetRelid(table), trigger->tgargs[i + 1]);
		if (column->attnum <= 0)
			return false;
		att = TupleDescAttr(RelationGetDescr(table), column->attnum - 1);
		column->type = att->atttypid;
		column->typlen = att->attlen;
		column->typbyval = att->attbyval;
		column->typalign = att->attalign;
		if (i < recorder->n_arrays &&
			element_type(RelationGetDescr(recorder->touched), i + 1) != column->type)
			return false;
	}
	return recorder->n_columns >= recorder->n_arrays;
}

/* Write one row of touched from arrays, NULL for those that are not there. */
static void
put_row(Recorder *recorder, Datum keys, Datum ats, Datum amounts)
{
	TupleTableSlot *slot = recorder->slot;
	Datum values[MAX_ARRAYS] = {keys, ats, amounts};

	ExecClearTuple(slot);
	slot->tts_values[0] = ObjectIdGetDatum(recorder->trigger);
	slot->tts_isnull[0] = false;
	for (int i = 0; i < slot->tts_tupleDescriptor->natts - 1; i++)
	{
		slot->tts_values[i + 1] = values[i];
		slot->tts_isnull[i + 1] = DatumGetPointer(values[i]) == NULL;
	}
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(recorder->touched, slot, GetCurrentCommandId(true), 0, NULL);
	ExecClearTuple(slot);
}

/* Write out what is packed. */
static void
flush(Recorder *recorder)
{
	Datum arrays[MAX_ARRAYS] = {0};
	MemoryContext old;

	if (recorder->count == 0)
		return;
	old = MemoryContextSwitchTo(recorder->values);
	for (int i = 0; i < (recorder->has_rows ? recorder->n_arrays : 1); i++)
	{
		Column *column = &recorder->columns[i];
		int lower_bound = 1;

		arrays[i] = PointerGetDatum(construct_md_array(
			recorder->packed[i].values, recorder->packed[i].nulls, 1, &recorder->count,
			&lower_bound, column->type, column->typlen, column->typbyval, column->typalign));
	}
	put_row(recorder, arrays[0], arrays[1], arrays[2]);
	MemoryContextSwitchTo(old);
	MemoryContextReset(recorder->values);
	recorder->count = 0;
	recorder->bytes = 0;
}

/* The bytes a value takes in an array, but for its bit among the NULLs. */
static Size
packed_size(Column *column, Datum value, bool isnull)
{
	Size size;

	if (isnull)
		return 0;
	if (column->typbyval)
		return column->typlen;
	size = column->typlen == -1 ? (Size) toast_raw_datum_size(value)
								: datumGetSize(value, false, column->typlen);
	return att_align_nominal(size, column->typalign);
}

/* A copy of a value in the row being filled. */
static Datum
keep_value(Column *column, Datum value)
{
	if (column->typlen == -1)
		return PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	return datumCopy(value, column->typbyval, column->typlen);
}

/* Whether column i of two rows holds the same bytes. */
static bool
same_value(Recorder *recorder, int i, TupleTableSlot *a, TupleTableSlot *b)
{
	Column *column = &recorder->columns[i];
	int att = column->attnum - 1;

	if (a->tts_isnull[att] || b->tts_isnull[att])
		return a->tts_isnull[att] && b->tts_isnull[att];
	return datum_image_eq(a->tts_values[att], b->tts_values[att], column->typbyval,
						  column->typlen);
}

/* Write down a row of the user's table: its key, and with it day and amount. */
static void
record(Recorder *recorder, TupleTableSlot *row, bool with_row)
{
	int n = with_row ? recorder->n_arrays : 1;
	Size bytes = 0;
	MemoryContext old;

	for (;;)
	{
		bytes = 0;
		for (int i = 0; i < n; i++)
		{
			int att = recorder->columns[i].attnum - 1;

			bytes += packed_size(&recorder->columns[i], row->tts_values[att], row->tts_isnull[att]);
		}
		if (bytes <= ROW_BYTES || n == 1)
			break;
		n = 1; /* an amount of thousands of digits: the key will do */
	}
	if (bytes > ROW_BYTES)
	{
		mark_lost(recorder->schema, recorder->trigger); /* a key as long as a page */
		return;
	}

	if (recorder->has_rows != (n > 1) ||
		recorder->bytes + bytes + n * (recorder->count / BITS_PER_BYTE + 1) > ROW_BYTES ||
		recorder->count == recorder->room)
		flush(recorder);
	recorder->has_rows = n > 1;

	/* Lines of one order come together: a key alone is written once. */
	if (n == 1 && recorder->count > 0)
	{
		int att = recorder->columns[0].attnum - 1;
		int last = recorder->count - 1;

		if (row->tts_isnull[att] == recorder->packed[0].nulls[last] &&
			(row->tts_isnull[att] ||
			 datum_image_eq(row->tts_values[att], recorder->packed[0].values[last],
							recorder->columns[0].typbyval, recorder->columns[0].typlen)))
			return;
	}

	old = MemoryContextSwitchTo(recorder->values);
	for (int i = 0; i < n; i++)
	{
		int att = recorder->columns[i].attnum - 1;
		Packed *packed = &recorder->packed[i];

		packed->nulls[recorder->count] = row->tts_isnull[att];
		packed->values[recorder->count] =
			row->tts_isnull[att] ? (Datum) 0
								 : keep_value(&recorder->columns[i], row->tts_values[att]);
	}
	MemoryContextSwitchTo(old);
	recorder->count++;
	recorder->bytes += bytes;
}

/*
 * Write down an update.  Where all columns that make a history are known, a
 * pair of old and new that agrees in them changes nothing.  That holds whatever
 * the pairing: equal rows that leave and enter cancel out.
 */
static void
record_update(Recorder *recorder, TupleTableSlot *before, TupleTableSlot *after)
{
	bool same = recorder->n_columns > 1;

	for (int i = 0; i < recorder->n_columns && same; i++)
		same = same_value(recorder, i, before, after);
	if (same)
		return;
	record(recorder, before, false);
	if (!same_value(recorder, 0, before, after))
		record(recorder, after, false);
}

/* The next row of a transition table. */
static bool
next_row(Tuplestorestate *rows, int pointer, TupleTableSlot *slot)
{
	tuplestore_select_read_pointer(rows, pointer);
	if (!tuplestore_gettupleslot(rows, true, false, slot))
		return false;
	slot_getallattrs(slot);
	return true;
}

/* A place to read a transition table from its beginning. */
static int
read_pointer(Tuplestorestate *rows)
{
	int pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(rows, pointer);
	tuplestore_rescan(rows);
	return pointer;
}

/* Write down what a statement did.  One of the stores may be NULL. */
static void
record_statement(Recorder *recorder, TupleDesc desc, Tuplestorestate *before,
				 Tuplestorestate *after)
{
	TupleTableSlot *old_row = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new_row = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	int old_pointer = before ? read_pointer(before) : -1;
	int new_pointer = after ? read_pointer(after) : -1;

	for (;;)
	{
		bool has_old = before != NULL && next_row(before, old_pointer, old_row);
		bool has_new = after != NULL && next_row(after, new_pointer, new_row);

		if (!has_old && !has_new)
			break;
		if (has_old && has_new)
			record_update(recorder, old_row, new_row);
		else
			record(recorder, has_old ? old_row : new_row, before == NULL && recorder->n_arrays > 1);
		CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(old_row);
	ExecDropSingleTupleTableSlot(new_row);
}

/* Write down one row of a trigger FOR EACH ROW. */
static void
record_one(Recorder *recorder, TriggerData *data)
{
	bool is_update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);

	slot_getallattrs(data->tg_trigslot);
	if (is_update)
	{
		slot_getallattrs(data->tg_newslot);
		record_update(recorder, data->tg_trigslot, data->tg_newslot);
	}
	else
		record(recorder, data->tg_trigslot,
			   TRIGGER_FIRED_BY_INSERT(data->tg_event) && recorder->n_arrays > 1);
}

/* Take up work of so many rows.  False = what happened cannot be written down. */
static bool
recorder_begin(Recorder *recorder, TriggerData *data, int64 rows)
{
	recorder->touched = open_touched(recorder->schema);
	if (recorder->touched == NULL)
		return false;
	recorder->n_arrays = RelationGetNumberOfAttributes(recorder->touched) - 1;
	if (!find_columns(recorder, data->tg_relation, data->tg_trigger))
	{
		table_close(recorder->touched, NoLock);
		return false;
	}
	recorder->slot = table_slot_create(recorder->touched, NULL);
	recorder->values =
		AllocSetContextCreate(CurrentMemoryContext, "touched keys", ALLOCSET_SMALL_SIZES);
	recorder->room = Max(Min(rows, ROW_BYTES), 2);
	for (int i = 0; i < recorder->n_arrays; i++)
	{
		recorder->packed[i].values = palloc(recorder->room * sizeof(Datum));
		recorder->packed[i].nulls = palloc(recorder->room * sizeof(bool));
	}
	return true;
}

static void
recorder_end(Recorder *recorder)
{
	flush(recorder);
	ExecDropSingleTupleTableSlot(recorder->slot);
	table_close(recorder->touched, NoLock);
}

/*
 * track_changes() -> trigger
 *
 * For AFTER triggers: FOR EACH STATEMENT with transition tables OLD TABLE and
 * NEW TABLE as the event has them, or on TRUNCATE; or FOR EACH ROW, which costs
 * more and is for tables that logical replication writes to.
 */
Datum
track_changes(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Recorder recorder = {0};
	TriggerEvent event;
	int64 rows = 0;
	MemoryContext scratch;
	MemoryContext old;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		data->tg_trigger->tgnargs < 2)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("customer_tier.track_changes() is for the triggers that "
							   "customer_tier.track() makes"),
						errhint("SELECT customer_tier.track('name of the program').")));

	event = data->tg_event;
	recorder.schema = data->tg_trigger->tgargs[0];
	recorder.trigger = data->tg_trigger->tgoid;

	scratch = AllocSetContextCreate(CurrentMemoryContext, "track_changes", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	if (data->tg_oldtable)
		rows = tuplestore_tuple_count(data->tg_oldtable);
	if (data->tg_newtable)
		rows += tuplestore_tuple_count(data->tg_newtable);
	if (!recorder_begin(&recorder, data, rows))
		mark_lost(recorder.schema, recorder.trigger);
	else
	{
		if (TRIGGER_FIRED_FOR_ROW(event))
			record_one(&recorder, data);
		else if (rows > MAX_ROWS || (!data->tg_oldtable && !data->tg_newtable))
			put_row(&recorder, (Datum) 0, (Datum) 0, (Datum) 0);
		else
			record_statement(&recorder, RelationGetDescr(data->tg_relation), data->tg_oldtable,
							 data->tg_newtable);
		recorder_end(&recorder);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return PointerGetDatum(NULL);
}
