/*
 * value_counts.c
 *	  The type value_counts: the values of a population, to be joined elsewhere.
 *
 * An aggregate whose partial state is internal cannot be combined by whoever
 * knows types only, such as the coordinator of Citus.  This is such a state as a
 * value: the distinct values ascending, each with the number of members that
 * have it.  Two of them are joined to one, and members() gives the values back to
 * the aggregates that measure them, which do not depend on their order.
 *
 * The text is {value,value*count,...}.  The binary form is a version, the number
 * of distinct values, and for each the value and its count.
 *
 * While an aggregate builds one it is an expanded object around a list of plain
 * values, so that adding one costs no more than adding to an internal state.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <ctype.h>
#include <math.h>

#include "common/shortest_dec.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#include "numerics/sort.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(value_counts_in);
PG_FUNCTION_INFO_V1(value_counts_out);
PG_FUNCTION_INFO_V1(value_counts_recv);
PG_FUNCTION_INFO_V1(value_counts_send);
PG_FUNCTION_INFO_V1(value_counts_add);
PG_FUNCTION_INFO_V1(value_counts_join);
PG_FUNCTION_INFO_V1(value_counts_flat);
PG_FUNCTION_INFO_V1(value_counts_members);

#define VALUE_COUNTS_VERSION 1

/* As a list of values it has to fit into a gigabyte. */
#define MEMBERS_MAX ((int64) (MaxAllocSize / sizeof(double)))
/* As it is stored, too: values and counts. */
#define DISTINCT_MAX ((int64) (MaxAllocSize / 2 / sizeof(double) - 8))

/* As it is stored. */
typedef struct ValueCounts
{
	int32		vl_len_;
	int32		version;
	int64		members;
	int64		distinct;
	double		value[FLEXIBLE_ARRAY_MEMBER];	/* and then as many counts, int64 */
} ValueCounts;

static inline int64 *
counts_of(const ValueCounts *population)
{
	return (int64 *) (population->value + population->distinct);
}

/* While it is built. */
typedef struct ValueCountsObject
{
	ExpandedObjectHeader header;
	ValueList  *list;
	ValueCounts *flat;			/* of as many values as flat_members, or NULL */
	int64		flat_members;
} ValueCountsObject;

static Size object_flat_size(ExpandedObjectHeader *header);
static void object_flatten(ExpandedObjectHeader *header, void *result, Size size);

static const ExpandedObjectMethods value_counts_methods = {object_flat_size, object_flatten};

static void
check_members(int64 members)
{
	if (members > MEMBERS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("value_counts must not have more than %lld members",
							   (long long) MEMBERS_MAX)));
}

/* Room for a population; its values are still to be filled in. */
static ValueCounts *
value_counts_create(MemoryContext context, int64 distinct)
{
	ValueCounts *population;
	Size		size;

	if (distinct > DISTINCT_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("value_counts must not have more than %lld different values",
							   (long long) DISTINCT_MAX)));
	size = offsetof(ValueCounts, value) + distinct * (sizeof(double) + sizeof(int64));
	population = MemoryContextAllocZero(context, size);
	SET_VARSIZE(population, size);
	population->version = VALUE_COUNTS_VERSION;
	population->distinct = distinct;
	return population;
}

/* An argument as it is stored, wherever it comes from. */
static ValueCounts *
get_value_counts(Datum datum)
{
	ValueCounts *population = (ValueCounts *) PG_DETOAST_DATUM(datum);

	if (population->version != VALUE_COUNTS_VERSION)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("unknown version %d of value_counts", population->version)));
	return population;
}

/* ---------- while it is built ---------- */

static ValueCountsObject *
object_create(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "value_counts", ALLOCSET_SMALL_SIZES);
	ValueCountsObject *object = MemoryContextAllocZero(context, sizeof(ValueCountsObject));

	EOH_init_header(&object->header, &value_counts_methods, context);
	object->list = value_list_create(context, 0);
	return object;
}

/* Add the members of a population. */
static void
object_append(ValueCountsObject *object, const ValueCounts *population)
{
	ValueList  *list = object->list;
	const int64 *count = counts_of(population);

	check_members(list->count + population->members);
	if (list->count + population->members > list->room)
		value_list_grow(list, list->count + population->members);
	for (int64 i = 0; i < population->distinct; i++)
	{
		if (i % 65536 == 0)
			check_interrupts();
		for (int64 n = 0; n < count[i]; n++)
			value_list_add(list, population->value[i]);
	}
}

/* The population of a list. */
static ValueCounts *
object_flat(ValueCountsObject *object)
{
	ValueList  *list = object->list;

	if (object->flat == NULL || object->flat_members != list->count)
	{
		double	   *sorted = value_list_sorted(list);
		double	   *through = MemoryContextAllocHuge(CurrentMemoryContext, Max(list->count, 1) * sizeof(double));
		int64		distinct = list->count == 0 ? 0 : sort_distinct(sorted, through, list->count);
		ValueCounts *flat = value_counts_create(object->header.eoh_context, distinct);
		int64	   *count = counts_of(flat);

		flat->members = list->count;
		memcpy(flat->value, sorted, distinct * sizeof(double));
		for (int64 i = 0; i < distinct; i++)
			count[i] = (int64) (through[i] - (i > 0 ? through[i - 1] : 0));
		pfree(through);
		pfree(sorted);
		if (object->flat != NULL)
			pfree(object->flat);
		object->flat = flat;
		object->flat_members = list->count;
	}
	return object->flat;
}

static Size
object_flat_size(ExpandedObjectHeader *header)
{
	return VARSIZE(object_flat((ValueCountsObject *) header));
}

static void
object_flatten(ExpandedObjectHeader *header, void *result, Size size)
{
	memcpy(result, object_flat((ValueCountsObject *) header), size);
}

/* The population that an aggregate is building, in argument 0; NULL before its first value. */
static ValueCountsObject *
get_state(FunctionCallInfo fcinfo, MemoryContext context)
{
	struct varlena *state;
	ValueCountsObject *object;

	if (PG_ARGISNULL(0))
		return NULL;
	state = (struct varlena *) PG_GETARG_POINTER(0);
	if (VARATT_IS_EXTERNAL_EXPANDED_RW(state))
	{
		ExpandedObjectHeader *header = DatumGetEOHP(PG_GETARG_DATUM(0));

		if (header->eoh_methods == &value_counts_methods)
			return (ValueCountsObject *) header;
	}
	/* one that came from another process, or from a table */
	object = object_create(context);
	object_append(object, get_value_counts(PG_GETARG_DATUM(0)));
	return object;
}

/* value_counts_add(state value_counts, value float8) -> value_counts */
Datum
value_counts_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ValueCountsObject *object = get_state(fcinfo, context);

	if (!PG_ARGISNULL(1))
	{
		double		value = PG_GETARG_FLOAT8(1);

		if (isnan(value))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a value to count must not be NaN"),
							errhint("Leave such rows out, or make the value NULL with "
									"nullif(value, 'NaN').")));
		if (object == NULL)
			object = object_create(context);
		if (unlikely(object->list->count == MEMBERS_MAX))
			check_members(MEMBERS_MAX + 1);
		value_list_add(object->list, value);
	}
	if (object == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(EOHPGetRWDatum(&object->header));
}

/* value_counts_join(state value_counts, other value_counts) -> value_counts */
Datum
value_counts_join(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	ValueCountsObject *object = get_state(fcinfo, context);

	if (!PG_ARGISNULL(1))
	{
		if (object == NULL)
			object = object_create(context);
		object_append(object, get_value_counts(PG_GETARG_DATUM(1)));
	}
	if (object == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(EOHPGetRWDatum(&object->header));
}

/* The population as a value of its own: the aggregate may go on building. */
Datum
value_counts_flat(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0))));
}

/* ---------- its members ---------- */

typedef struct MemberCursor
{
	ValueCounts *population;
	int64		at;				/* which value is next */
	int64		given;			/* how many members that have it were given */
} MemberCursor;

/* members(value_counts) -> setof float8 */
Datum
value_counts_members(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	MemberCursor *cursor;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		cursor = palloc0(sizeof(MemberCursor));
		cursor->population = get_value_counts(PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0))));
		call->user_fctx = cursor;
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	cursor = call->user_fctx;
	if (cursor->at < cursor->population->distinct)
	{
		double		value = cursor->population->value[cursor->at];

		if (++cursor->given == counts_of(cursor->population)[cursor->at])
		{
			cursor->at++;
			cursor->given = 0;
		}
		SRF_RETURN_NEXT(call, Float8GetDatum(value));
	}
	SRF_RETURN_DONE(call);
}

/* ---------- text and binary ---------- */

/* Values and counts as they are read. */
typedef struct Reading
{
	int64		distinct;
	int64		members;
	int64		room;
	double	   *value;
	int64	   *count;
} Reading;

/* Take a value and its count; false unless it is larger than the one before. */
static bool
reading_add(Reading *reading, double value, int64 count)
{
	if (isnan(value) || count < 1 || count > MEMBERS_MAX ||
		(reading->distinct > 0 && !(reading->value[reading->distinct - 1] < value)))
		return false;
	reading->members += count;
	check_members(reading->members);
	if (reading->distinct == reading->room)
	{
		reading->room = Max(reading->room * 2, 64);
		reading->value = reading->value == NULL ? palloc(reading->room * sizeof(double)) :
			repalloc_huge(reading->value, reading->room * sizeof(double));
		reading->count = reading->count == NULL ? palloc(reading->room * sizeof(int64)) :
			repalloc_huge(reading->count, reading->room * sizeof(int64));
	}
	/* -0 becomes +0, as in the aggregate */
	reading->value[reading->distinct] = value + 0.0;
	reading->count[reading->distinct++] = count;
	return true;
}

static ValueCounts *
reading_end(const Reading *reading)
{
	ValueCounts *population = value_counts_create(CurrentMemoryContext, reading->distinct);

	population->members = reading->members;
	if (reading->distinct > 0)
	{
		memcpy(population->value, reading->value, reading->distinct * sizeof(double));
		memcpy(counts_of(population), reading->count, reading->distinct * sizeof(int64));
	}
	return population;
}

Datum
value_counts_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	const char *next = text;
	Reading		reading = {0};
	bool		good = *next++ == '{';

	while (good && *next != '}')
	{
		char	   *end;
		double		value;
		int64		count = 1;

		if (reading.distinct % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		good = reading.distinct == 0 || *next++ == ',';
		/* what strtod() would skip or take for a number, and value_counts_out() does not write */
		if (!good || isspace((unsigned char) *next) || *next == '+')
			break;
		value = strtod(next, &end);
		good = end > next && (!isinf(value) || strncmp(*next == '-' ? next + 1 : next, "Infinity", 8) == 0);
		next = end;
		if (good && *next == '*')
		{
			next++;
			good = isdigit((unsigned char) *next);
			errno = 0;
			count = strtoll(next, &end, 10);
			good = good && errno == 0;
			next = end;
		}
		good = good && (*next == ',' || *next == '}') && reading_add(&reading, value, count);
	}
	if (!good || *next != '}' || next[1] != '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("invalid input syntax for type value_counts: \"%.*s\"%s", 60, text,
							   strlen(text) > 60 ? "..." : ""),
						errdetail("It is {value,value*count,...} with rising values and counts from 1."),
						errhint("customer_tier.value_counts(value) makes one.")));
	PG_RETURN_POINTER(reading_end(&reading));
}

Datum
value_counts_out(PG_FUNCTION_ARGS)
{
	ValueCounts *population = get_value_counts(PG_GETARG_DATUM(0));
	const int64 *count = counts_of(population);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	for (int64 i = 0; i < population->distinct; i++)
	{
		char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoChar(&buf, ',');
		appendBinaryStringInfo(&buf, digits, double_to_shortest_decimal_bufn(population->value[i], digits));
		if (count[i] > 1)
			appendStringInfo(&buf, "*%lld", (long long) count[i]);
	}
	appendStringInfoChar(&buf, '}');
	PG_RETURN_CSTRING(buf.data);
}

Datum
value_counts_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Reading		reading = {0};
	int64		distinct;

	if (pq_getmsgbyte(buf) != VALUE_COUNTS_VERSION)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("unknown version of value_counts")));
	distinct = pq_getmsgint64(buf);
	if (distinct < 0 || distinct > (buf->len - buf->cursor) / 16)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("value_counts are cut off")));
	for (int64 i = 0; i < distinct; i++)
	{
		double		value = pq_getmsgfloat8(buf);

		if (!reading_add(&reading, value, pq_getmsgint64(buf)))
			ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
							errmsg("value_counts have an impossible value or count")));
	}
	PG_RETURN_POINTER(reading_end(&reading));
}

Datum
value_counts_send(PG_FUNCTION_ARGS)
{
	ValueCounts *population = get_value_counts(PG_GETARG_DATUM(0));
	const int64 *count = counts_of(population);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, VALUE_COUNTS_VERSION);
	pq_sendint64(&buf, population->distinct);
	for (int64 i = 0; i < population->distinct; i++)
	{
		pq_sendfloat8(&buf, population->value[i]);
		pq_sendint64(&buf, count[i]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
