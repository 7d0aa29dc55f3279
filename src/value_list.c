/*
 * value_list.c
 *	  Aggregate state that keeps every value of a group, and arrays of float8
 *	  read in place.
 *
 * Order statistics need all values.  Eight bytes each is what they cost: a
 * million customers are 8 MB a state, workers send theirs to the leader, and
 * the leader puts them one behind the other.  The order is left open until
 * the final function sorts a copy, so nothing depends on the plan.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "access/detoast.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#include "numerics/sort.h"
#include "value_list.h"

#define VALUE_LIST_VERSION 1

/* A serialized state: version, parameter, count. */
#define VALUE_LIST_HEADER (1 + 4 + 8)

/* A bytea holds less than a gigabyte. */
#define VALUE_LIST_WIRE_MAX ((int64) ((MaxAllocSize - 64) / sizeof(double)))

ValueList *
value_list_create(MemoryContext context, int32 parameter)
{
	ValueList  *list = MemoryContextAllocZero(context, sizeof(ValueList));

	list->context = context;
	list->parameter = parameter;
	return list;
}

/* Make room for `need` values, and for as many again. */
void
value_list_grow(ValueList *list, int64 need)
{
	int64		room = Max(list->room * 2, 16);

	room = Max(room, need);
	if ((Size) room > MaxAllocHugeSize / sizeof(double))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many values in one group")));
	if (list->values == NULL)
		list->values = MemoryContextAllocHuge(list->context, room * sizeof(double));
	else
		list->values = repalloc_huge(list->values, room * sizeof(double));
	list->room = room;
}

void
value_list_append(ValueList *list, const ValueList *other)
{
	if (other->count == 0)
		return;
	if (list->count + other->count > list->room)
		value_list_grow(list, list->count + other->count);
	memcpy(list->values + list->count, other->values, other->count * sizeof(double));
	list->count += other->count;
}

bytea *
value_list_serialize(const ValueList *list)
{
	StringInfoData buf;

	if (list->count > VALUE_LIST_WIRE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a parallel worker has %lld values, more than it can pass on",
						(long long) list->count),
				 errhint("Set max_parallel_workers_per_gather = 0 for this query.")));

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, VALUE_LIST_HEADER + (int) (list->count * sizeof(double)));
	pq_sendbyte(&buf, VALUE_LIST_VERSION);
	pq_sendint32(&buf, list->parameter);
	pq_sendint64(&buf, list->count);
	for (int64 i = 0; i < list->count; i++)
	{
		uint64		bits;

		memcpy(&bits, &list->values[i], sizeof(bits));
		pq_writeint64(&buf, bits);
	}
	return pq_endtypsend(&buf);
}

ValueList *
value_list_deserialize(bytea *bytes, MemoryContext context)
{
	StringInfoData buf;
	ValueList  *list;
	int32		parameter;
	int64		count;

	/* read in place: the functions of pqformat.h do not write */
	buf.data = VARDATA_ANY(bytes);
	buf.len = VARSIZE_ANY_EXHDR(bytes);
	buf.maxlen = buf.len;
	buf.cursor = 0;

	if (pq_getmsgbyte(&buf) != VALUE_LIST_VERSION)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("unknown version of an aggregate state")));
	parameter = (int32) pq_getmsgint(&buf, 4);
	count = pq_getmsgint64(&buf);
	if (count < 0 || count > (int64) ((buf.len - buf.cursor) / sizeof(double)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("an aggregate state is cut off")));

	list = value_list_create(context, parameter);
	if (count > 0)
		value_list_grow(list, count);
	for (int64 i = 0; i < count; i++)
	{
		double		value = pq_getmsgfloat8(&buf);

		if (isnan(value))
			ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
							errmsg("an aggregate state contains NaN")));
		list->values[i] = value;
	}
	list->count = count;
	pq_getmsgend(&buf);
	return list;
}

/* CHECK_FOR_INTERRUPTS() as a function, for the long loops of numerics. */
void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/*
 * A sorted copy.  The list itself is sorted on the way, which changes nothing of
 * what it holds, so that aggregates that share a state sort it once.
 */
double *
value_list_sorted(ValueList *list)
{
	Size		bytes = list->count * sizeof(double);
	double	   *sorted = MemoryContextAllocHuge(CurrentMemoryContext, bytes);

	if (list->sorted != list->count)
	{
		sort_doubles(list->values, sorted, list->count, check_interrupts);
		list->sorted = list->count;
	}
	memcpy(sorted, list->values, bytes);
	return sorted;
}

ArrayType *
float8_array_from(const double *values, int64 count)
{
	Size		bytes;
	ArrayType  *array;

	if (count == 0)
		return construct_empty_array(FLOAT8OID);

	/* float8 is stored as it is in memory: no Datum in between */
	bytes = ARR_OVERHEAD_NONULLS(1) + count * sizeof(double);
	array = palloc0(bytes);
	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = (int) count;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, count * sizeof(double));
	return array;
}

static void
float8_array_view_flat(Float8Array *view, ArrayType *array)
{
	view->ndim = ARR_NDIM(array);
	view->count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	view->has_null = ARR_HASNULL(array) && array_contains_nulls(array);
	view->null_bitmap = ARR_NULLBITMAP(array);
	view->values = (const double *) ARR_DATA_PTR(array);
}

/*
 * Look at a float8[] without copying it wherever its form allows: a flat one
 * is read where it is, a packed short one is laid out in the view itself, a
 * PL/pgSQL variable is read through its flat value.
 */
void
float8_array_view(Float8Array *view, Datum datum)
{
	struct varlena *pointer = (struct varlena *) DatumGetPointer(datum);
	ArrayType  *array = NULL;

	/* VARATT_IS_SHORT is true of external ones as well */
	if (VARATT_IS_SHORT(pointer) && !VARATT_IS_EXTERNAL(pointer) &&
		VARSIZE_SHORT(pointer) - VARHDRSZ_SHORT + VARHDRSZ <= sizeof(view->buffer))
	{
		Size		length = VARSIZE_SHORT(pointer) - VARHDRSZ_SHORT;

		array = (ArrayType *) view->buffer.bytes;
		SET_VARSIZE(array, length + VARHDRSZ);
		memcpy(VARDATA(array), VARDATA_SHORT(pointer), length);
	}
	else if (VARATT_IS_EXTERNAL_EXPANDED(pointer))
	{
		ExpandedArrayHeader *expanded = (ExpandedArrayHeader *) DatumGetEOHP(datum);

		if (expanded->ea_magic == EA_MAGIC && expanded->fvalue != NULL)
			array = expanded->fvalue;
	}
	if (array == NULL)
		array = DatumGetArrayTypeP(datum);

	float8_array_view_flat(view, array);
}

/* A long array of a table, unpacked once for all calls that pass it. */
typedef struct KeptArray
{
	TimestampTz xact_start;
	varatt_external pointer;	/* where the packed one is stored */
	ArrayType  *array;
} KeptArray;

/*
 * The same for an argument that is likely to be long and the same in every
 * row.  One that is stored out of line comes as the place where it is stored,
 * and would be fetched and unpacked at each call; that place names one value
 * as long as the transaction lasts, so the unpacked array can be kept.
 */
void
float8_array_view_kept(Float8Array *view, FunctionCallInfo fcinfo, int argument)
{
	struct varlena *packed = (struct varlena *) PG_GETARG_POINTER(argument);
	KeptArray  *kept = fcinfo->flinfo->fn_extra;
	TimestampTz xact_start;
	varatt_external pointer;

	if (!VARATT_IS_EXTERNAL_ONDISK(packed))
	{
		float8_array_view(view, PG_GETARG_DATUM(argument));
		return;
	}

	/* a toast pointer may stand at any address: copy before comparing */
	memcpy(&pointer, VARDATA_EXTERNAL(packed), sizeof(pointer));
	xact_start = GetCurrentTransactionStartTimestamp();
	if (kept == NULL)
	{
		kept = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KeptArray));
		fcinfo->flinfo->fn_extra = kept;
	}
	if (kept->array == NULL || kept->xact_start != xact_start ||
		memcmp(&kept->pointer, &pointer, sizeof(pointer)) != 0)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		ArrayType  *array = DatumGetArrayTypePCopy(PG_GETARG_DATUM(argument));

		MemoryContextSwitchTo(old);
		if (kept->array != NULL)
			pfree(kept->array);
		kept->array = array;
		kept->xact_start = xact_start;
		kept->pointer = pointer;
	}
	float8_array_view_flat(view, kept->array);
}
