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
#include "state/partial_state.h"
#include "value_list.h"

/* What is sent holds less than a gigabyte, and so many values are read at most. */
#define VALUE_LIST_WIRE_MAX ((int64) ((MaxAllocSize - 64) / sizeof(double)))

/* Values that are looked at to see whether many are equal. */
#define SAMPLE 1024

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

static inline uint64
double_bits(double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * Are there so many equal values that it takes less room to send each of them
 * once, with its count?  Of values spread over the list, half are then equal to
 * others: days and numbers of orders are like that, amounts are not.
 */
static bool
has_many_equal(const ValueList *list)
{
	double		sample[SAMPLE];
	double		scratch[SAMPLE];

	if (list->count < SAMPLE)
		return false;
	for (int64 i = 0; i < SAMPLE; i++)
		sample[i] = list->values[i * (list->count / SAMPLE)];
	sort_doubles(sample, scratch, SAMPLE, NULL);
	return sort_distinct(sample, scratch, SAMPLE) <= SAMPLE / 2;
}

/*
 * The distinct values ascending, each with its count; false, and nothing sent,
 * if that would take more room than the values.
 */
static bool
send_runs(StringInfo buf, const ValueList *list)
{
	Size		bytes = list->count * sizeof(double);
	double	   *sorted = MemoryContextAllocHuge(CurrentMemoryContext, bytes);
	double	   *through = MemoryContextAllocHuge(CurrentMemoryContext, bytes);
	int64		runs;
	bool		fits;

	memcpy(sorted, list->values, bytes);
	sort_doubles(sorted, through, list->count, check_interrupts);
	runs = sort_distinct(sorted, through, list->count);
	fits = runs <= list->count / 2;
	if (fits)
		pq_sendint64(buf, runs);
	for (int64 i = 0; fits && i < runs; i++)
	{
		pq_sendint64(buf, double_bits(sorted[i]));
		pq_sendint64(buf, (int64) (through[i] - (i > 0 ? through[i - 1] : 0)));
	}
	pfree(through);
	pfree(sorted);
	return fits;
}

/* As runs of equal values, or, with 0 runs, as they are. */
void
value_list_send(StringInfo buf, const ValueList *list)
{
	if (list->count > VALUE_LIST_WIRE_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("an aggregate has %lld values, more than it can pass on",
							   (long long) list->count),
						errhint("Set max_parallel_workers_per_gather = 0 for this query.")));
	pq_sendint32(buf, list->parameter);
	pq_sendint64(buf, list->count);
	if (has_many_equal(list) && send_runs(buf, list))
		return;
	pq_sendint64(buf, 0);
	enlargeStringInfo(buf, (int) (list->count * sizeof(double)));
	for (int64 i = 0; i < list->count; i++)
		pq_writeint64(buf, double_bits(list->values[i]));
}

static double
receive_value(StringInfo buf)
{
	double		value = pq_getmsgfloat8(buf);

	if (isnan(value))
		report_bad_partial_state("It contains NaN.");
	return value;
}

static void
receive_runs(StringInfo buf, ValueList *list, int64 count, int64 runs)
{
	for (int64 i = 0; i < runs; i++)
	{
		double		value = receive_value(buf);
		int64		equal = pq_getmsgint64(buf);

		if (equal < 1 || equal > count - list->count)
			report_bad_partial_state("A run of its values is longer than all.");
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		while (equal-- > 0)
			value_list_add(list, value);
	}
}

ValueList *
value_list_receive(StringInfo buf)
{
	ValueList  *list = value_list_create(CurrentMemoryContext, (int32) pq_getmsgint(buf, 4));
	int64		count = pq_getmsgint64(buf);
	int64		runs = pq_getmsgint64(buf);
	int64		room = buf->len - buf->cursor;

	if (count < 0 || count > VALUE_LIST_WIRE_MAX || runs < 0 || runs > room / 16 ||
		(runs == 0 && count > room / (int64) sizeof(double)))
		report_bad_partial_state("It is cut off.");
	/* by and by where the count may be a lie: it is not what is there that says it */
	if (count > 0 && runs == 0)
		value_list_grow(list, count);
	if (runs > 0)
		receive_runs(buf, list, count, runs);
	else
		for (int64 i = 0; i < count; i++)
			value_list_add(list, receive_value(buf));
	if (list->count != count)
		report_bad_partial_state("Its values are not as many as they are said to be.");
	return list;
}

/* CHECK_FOR_INTERRUPTS() as a function, for the long loops of numerics. */
void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/* Sort the list itself, which changes nothing of what it holds; scratch is as long. */
static void
sort_list(ValueList *list, double *scratch)
{
	sort_doubles(list->values, scratch, list->count, check_interrupts);
	list->sorted = list->count;
}

/* The values sorted, to be read; aggregates that share a state sort it once. */
const double *
value_list_in_order(ValueList *list)
{
	if (list->sorted != list->count)
	{
		double	   *scratch = MemoryContextAllocHuge(CurrentMemoryContext, list->count * sizeof(double));

		sort_list(list, scratch);
		pfree(scratch);
	}
	return list->values;
}

/* A sorted copy. */
double *
value_list_sorted(ValueList *list)
{
	Size		bytes = list->count * sizeof(double);
	double	   *sorted = MemoryContextAllocHuge(CurrentMemoryContext, bytes);

	if (list->sorted != list->count)
		sort_list(list, sorted);
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
