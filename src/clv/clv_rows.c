/*
 * clv_rows.c
 *	  What a fit reads: the distinct rows of its input, each with its weight.
 *
 * A shop of a million customers has about a hundred thousand different
 * (frequency, recency, age), since these are days.  Rows are therefore
 * gathered in a hash table as they arrive: memory and the time of a fit
 * follow the distinct rows and not the customers.
 *
 * The rows are sorted before anything is computed from them, and weights are
 * added exactly, so that neither the order of the rows nor the way they were
 * split over parallel workers can show in a result.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "clv/clv_rows.h"
#include "state/partial_state.h"

#define FIRST_ROOM	8
#define ROWS_MAX	(UINT32_C(1) << 30)

/* A row on the wire: x, t_x, T, unit, count. */
#define ROW_WIRE_BYTES (5 * 8)

/* Whole numbers up to here are exact in a double. */
#define WHOLE_MAX 9007199254740992.0

void
row_table_init(RowTable *table, MemoryContext context)
{
	memset(table, 0, sizeof(RowTable));
	table->context = context;
}

static inline uint64
double_bits(double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* Mix the bits of a row: multiply, and fold the high half into the low one. */
static inline uint64
mix(uint64 hash, uint64 bits)
{
	hash = (hash ^ bits) * UINT64CONST(0x9E3779B97F4A7C15);
	return hash ^ (hash >> 29);
}

static inline uint32
row_hash(double x, double t_x, double T, double unit)
{
	uint64		hash = mix(double_bits(x), double_bits(t_x));

	hash = mix(hash, double_bits(T));
	hash = mix(hash, double_bits(unit));
	return (uint32) (hash >> 32) ^ (uint32) hash;
}

/* Make room for `need` rows, with at least a third of the slots left empty. */
static void
row_table_grow(RowTable *table, uint32 need)
{
	uint32		room = Max(table->room, FIRST_ROOM);
	Size		slots;

	if (need > ROWS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many distinct rows in one fit"),
						errdetail("A fit takes at most %u distinct rows.", ROWS_MAX)));
	while (room < need)
		room *= 2;
	if (table->entry == NULL)
		table->entry = MemoryContextAllocHuge(table->context, room * sizeof(RowEntry));
	else if (room > table->room)
		table->entry = repalloc_huge(table->entry, room * sizeof(RowEntry));
	table->room = room;

	if (table->slot != NULL)
		pfree(table->slot);
	slots = (Size) room * 2;
	table->slot = MemoryContextAllocExtended(table->context, slots * sizeof(uint32),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	table->mask = (uint32) (slots - 1);
	for (uint32 i = 0; i < table->used; i++)
	{
		const RowEntry *entry = &table->entry[i];
		uint32		at = row_hash(entry->x, entry->t_x, entry->T, entry->unit) & table->mask;

		while (table->slot[at] != 0)
			at = (at + 1) & table->mask;
		table->slot[at] = i + 1;
	}
}

static void
report_weight_overflow(void)
{
	ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					errmsg("the weights of equal rows add up to too much")));
}

static void
row_table_count(RowTable *table, double x, double t_x, double T, double unit, int64 count)
{
	uint32		at;
	RowEntry   *entry;

	if (unlikely(table->used == table->room))
		row_table_grow(table, table->used + 1);
	at = row_hash(x, t_x, T, unit) & table->mask;
	while (table->slot[at] != 0)
	{
		entry = &table->entry[table->slot[at] - 1];
		if (entry->x == x && entry->t_x == t_x && entry->T == T && entry->unit == unit)
		{
			if (unlikely(count > (int64) WHOLE_MAX - entry->count))
				report_weight_overflow();
			entry->count += count;
			return;
		}
		at = (at + 1) & table->mask;
	}
	entry = &table->entry[table->used++];
	entry->x = x;
	entry->t_x = t_x;
	entry->T = T;
	entry->unit = unit;
	entry->count = count;
	table->slot[at] = table->used;
}

/* Add a row; its weight is finite and above 0, the values are finite. */
void
row_table_add(RowTable *table, double x, double t_x, double T, double weight)
{
	/* -0 becomes +0: equal values have equal bits */
	x += 0.0;
	t_x += 0.0;
	T += 0.0;
	if (weight <= WHOLE_MAX && weight == floor(weight))
		row_table_count(table, x, t_x, T, 1, (int64) weight);
	else
		row_table_count(table, x, t_x, T, weight, 1);
}

void
row_table_merge(RowTable *into, const RowTable *from)
{
	for (uint32 i = 0; i < from->used; i++)
	{
		const RowEntry *entry = &from->entry[i];

		row_table_count(into, entry->x, entry->t_x, entry->T, entry->unit, entry->count);
	}
}

void
row_table_send(StringInfo buf, const RowTable *table)
{
	Size		bytes = (Size) table->used * ROW_WIRE_BYTES;

	if (bytes > MaxAllocSize / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a fit has %u distinct rows, more than it can pass on",
						table->used),
				 errhint("Set max_parallel_workers_per_gather = 0 for this query.")));
	enlargeStringInfo(buf, (int) bytes + 4);
	pq_sendint32(buf, table->used);
	for (uint32 i = 0; i < table->used; i++)
	{
		const RowEntry *entry = &table->entry[i];

		pq_writeint64(buf, double_bits(entry->x));
		pq_writeint64(buf, double_bits(entry->t_x));
		pq_writeint64(buf, double_bits(entry->T));
		pq_writeint64(buf, double_bits(entry->unit));
		pq_writeint64(buf, (uint64) entry->count);
	}
}

void
row_table_receive(RowTable *table, StringInfo buf)
{
	uint32		count = pq_getmsgint(buf, 4);

	if (count > (uint32) ((buf->len - buf->cursor) / ROW_WIRE_BYTES))
		report_bad_partial_state("It is cut off.");
	if (count > 0)
		row_table_grow(table, count);
	for (uint32 i = 0; i < count; i++)
	{
		/* -0 becomes +0, as in row_table_add() */
		double		x = pq_getmsgfloat8(buf) + 0.0;
		double		t_x = pq_getmsgfloat8(buf) + 0.0;
		double		T = pq_getmsgfloat8(buf) + 0.0;
		double		unit = pq_getmsgfloat8(buf);
		int64		n = pq_getmsgint64(buf);

		if (!isfinite(x) || !isfinite(t_x) || !isfinite(T) || !isfinite(unit) ||
			!(unit > 0) || n < 1 || n > (int64) WHOLE_MAX)
			report_bad_partial_state("A row of it is out of range.");
		row_table_count(table, x, t_x, T, unit, n);
	}
}

/* The order of rows: by what the mathematics reads first, so that equal x are neighbours. */
static int
entry_compare(const void *left, const void *right)
{
	const RowEntry *a = left;
	const RowEntry *b = right;

	if (a->x != b->x)
		return a->x < b->x ? -1 : 1;
	if (a->t_x != b->t_x)
		return a->t_x < b->t_x ? -1 : 1;
	if (a->T != b->T)
		return a->T < b->T ? -1 : 1;
	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	return 0;
}

/* The weight that was gathered for a row. */
static inline double
entry_weight(const RowEntry *entry)
{
	return entry->unit * (double) entry->count;
}

/* A sum that remembers what rounding took from it. */
typedef struct Total
{
	double		value;
	double		lost;
} Total;

static inline void
total_add(Total *total, double term)
{
	double		value = total->value + term;

	if (total->value >= term)
		total->lost += (total->value - value) + term;
	else
		total->lost += (term - value) + total->value;
	total->value = value;
}

static void *
allocate_huge(Size bytes)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(bytes, 1));
}

/*
 * The rows sorted, in the current memory context; rows that differ in the
 * unit of their weight only become one.  The table stays as it is.
 */
void
row_table_sorted(const RowTable *table, RowSet *set)
{
	Size		n = table->used;
	RowEntry   *sorted = allocate_huge(n * sizeof(RowEntry));
	uint64		hash = 0;
	ClvRow	   *last = NULL;
	Total		customers = {0, 0};
	Total		repeaters = {0, 0};
	Total		purchases = {0, 0};

	memset(set, 0, sizeof(RowSet));
	if (n > 0)
		memcpy(sorted, table->entry, n * sizeof(RowEntry));
	qsort(sorted, n, sizeof(RowEntry), entry_compare);
	CHECK_FOR_INTERRUPTS();

	set->row = allocate_huge(n * sizeof(ClvRow));
	set->weight = allocate_huge(n * sizeof(double));
	for (Size i = 0; i < n; i++)
	{
		const RowEntry *entry = &sorted[i];
		double		weight = entry_weight(entry);

		if (last != NULL && last->x == entry->x && last->t_x == entry->t_x && last->T == entry->T)
			set->weight[set->n - 1] += weight;
		else
		{
			last = &set->row[set->n];
			last->x = entry->x;
			last->t_x = entry->t_x;
			last->T = entry->T;
			last->litt = 0;
			set->weight[set->n++] = weight;
		}
		total_add(&customers, weight);
		if (entry->x > 0)
			total_add(&repeaters, weight);
		total_add(&purchases, weight * entry->x);
	}
	pfree(sorted);
	set->customers = customers.value + customers.lost;
	set->repeaters = repeaters.value + repeaters.lost;
	set->purchases = purchases.value + purchases.lost;
	if (!isfinite(set->customers) || !isfinite(set->purchases))
		report_weight_overflow();

	for (int64 i = 0; i < set->n; i++)
	{
		hash = mix(hash, double_bits(set->row[i].x));
		hash = mix(hash, double_bits(set->row[i].t_x));
		hash = mix(hash, double_bits(set->row[i].T));
		hash = mix(hash, double_bits(set->weight[i]));
	}
	set->fingerprint = hash;
}
