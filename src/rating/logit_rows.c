/*
 * logit_rows.c
 *	  What a logistic regression reads: the distinct rows of its input, each
 *	  with its weight.
 *
 * Features of a scorecard are weights of evidence of a few bins, so that a
 * million customers have some thousand different rows.  They are gathered in
 * a hash table as they arrive: memory and the time of a fit follow the
 * distinct rows.
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

#include "numerics/total.h"
#include "rating/logit_rows.h"
#include "state/partial_state.h"

#define FIRST_ROOM	64
#define ROWS_MAX	((int64) 1 << 30)

/* Whole numbers up to here are exact in a double. */
#define WHOLE_MAX 9007199254740992.0

void
logit_rows_init(LogitRows *rows, MemoryContext context)
{
	memset(rows, 0, sizeof(LogitRows));
	rows->context = context;
}

/* Doubles from one row to the next; the key is all but the last of them. */
static inline int
get_stride(const LogitRows *rows)
{
	return rows->features + 2;
}

static inline double *
get_row(const LogitRows *rows, int64 at)
{
	return rows->row + at * get_stride(rows);
}

static inline uint64
double_bits(double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* Mix the bits of a key: multiply, and fold the high half into the low one. */
static inline uint64
hash_key(const double *features, int n, double unit)
{
	uint64		hash = double_bits(unit);

	for (int i = 0; i < n; i++)
	{
		hash = (hash ^ double_bits(features[i])) * UINT64CONST(0x9E3779B97F4A7C15);
		hash ^= hash >> 29;
	}
	hash *= UINT64CONST(0xBF58476D1CE4E5B9);
	return hash ^ (hash >> 32);
}

/* Make room for `need` rows, with at least half of the slots left empty. */
static void
logit_rows_grow(LogitRows *rows, int64 need)
{
	int64		room = Max(rows->room, FIRST_ROOM);
	int			stride = get_stride(rows);
	Size		bytes;
	Size		slots;

	while (room < need)
		room *= 2;
	if (need > ROWS_MAX || (Size) room > MaxAllocHugeSize / (stride * sizeof(double)))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many distinct rows in one fit"),
						errdetail("A fit takes at most %lld distinct rows.", (long long) ROWS_MAX),
						errhint("Bin the features and use their weights of evidence.")));
	bytes = (Size) room * stride * sizeof(double);
	if (rows->row == NULL)
		rows->row = MemoryContextAllocHuge(rows->context, bytes);
	else if (room > rows->room)
		rows->row = repalloc_huge(rows->row, bytes);
	rows->room = room;

	if (rows->slot != NULL)
		pfree(rows->slot);
	slots = (Size) room * 2;
	rows->slot = MemoryContextAllocExtended(rows->context, slots * sizeof(uint32),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	rows->mask = slots - 1;
	for (int64 i = 0; i < rows->used; i++)
	{
		const double *row = get_row(rows, i);
		uint64		at = hash_key(row, rows->features, row[rows->features]) & rows->mask;

		while (rows->slot[at] != 0)
			at = (at + 1) & rows->mask;
		rows->slot[at] = (uint32) (i + 1);
	}
}

static void
report_weight_overflow(void)
{
	ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					errmsg("the weights of a fit add up to too much")));
}

static inline bool
is_equal_key(const double *row, const double *features, int n, double unit)
{
	for (int i = 0; i < n; i++)
		if (row[i] != features[i])
			return false;
	return row[n] == unit;
}

static void
logit_rows_count(LogitRows *rows, const double *features, double unit, double count)
{
	int			n = rows->features;
	double	   *row;
	uint64		at;

	if (unlikely(rows->used == rows->room))
		logit_rows_grow(rows, rows->used + 1);
	at = hash_key(features, n, unit) & rows->mask;
	while (rows->slot[at] != 0)
	{
		row = get_row(rows, (int64) rows->slot[at] - 1);
		if (is_equal_key(row, features, n, unit))
		{
			if (unlikely(row[n + 1] > WHOLE_MAX - count))
				report_weight_overflow();
			row[n + 1] += count;
			return;
		}
		at = (at + 1) & rows->mask;
	}
	row = get_row(rows, rows->used++);
	memcpy(row, features, n * sizeof(double));
	row[n] = unit;
	row[n + 1] = count;
	rows->slot[at] = (uint32) rows->used;
}

/*
 * Add a row.  Features are finite, without -0, and as many as rows->features;
 * the weight is finite and above 0.
 */
void
logit_rows_add(LogitRows *rows, const double *features, bool bad, double weight)
{
	double		sign = bad ? 1 : -1;

	if (weight <= WHOLE_MAX && weight == floor(weight))
		logit_rows_count(rows, features, sign, weight);
	else
		logit_rows_count(rows, features, sign * weight, 1);
}

void
logit_rows_merge(LogitRows *into, const LogitRows *from)
{
	int			n = from->features;

	for (int64 i = 0; i < from->used; i++)
	{
		const double *row = get_row(from, i);

		logit_rows_count(into, row, row[n], row[n + 1]);
	}
}

void
logit_rows_send(StringInfo buf, const LogitRows *rows)
{
	int64		doubles = rows->used * get_stride(rows);

	if ((Size) doubles > MaxAllocSize / 2 / sizeof(double))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a fit has %lld distinct rows, more than it can pass on",
						(long long) rows->used),
				 errhint("Set max_parallel_workers_per_gather = 0 for this query.")));
	pq_sendint32(buf, rows->features);
	pq_sendint64(buf, rows->used);
	enlargeStringInfo(buf, (int) (doubles * sizeof(double)));
	for (int64 i = 0; i < doubles; i++)
		pq_writeint64(buf, double_bits(rows->row[i]));
}

void
logit_rows_receive(LogitRows *rows, StringInfo buf)
{
	int32		features = (int32) pq_getmsgint(buf, 4);
	int64		count = pq_getmsgint64(buf);
	double		row[LOGIT_FEATURES_MAX + 2];

	if (features < 0 || features > LOGIT_FEATURES_MAX || count < 0 || (features == 0 && count > 0) ||
		count > (int64) ((buf->len - buf->cursor) / ((features + 2) * sizeof(double))))
		report_bad_partial_state("It is cut off.");
	rows->features = features;
	if (count > 0)
		logit_rows_grow(rows, count);
	for (int64 i = 0; i < count; i++)
	{
		bool		ok = true;

		for (int j = 0; j < features + 2; j++)
		{
			row[j] = pq_getmsgfloat8(buf) + 0.0;
			ok = ok && isfinite(row[j]);
		}
		if (!ok || row[features] == 0 || !(row[features + 1] >= 1) ||
			row[features + 1] > WHOLE_MAX || row[features + 1] != floor(row[features + 1]))
			report_bad_partial_state("A row of it is out of range.");
		logit_rows_count(rows, row, row[features], row[features + 1]);
	}
}

/* The order of rows: by feature after feature, then by unit. */
static int
row_compare(const void *left, const void *right, void *argument)
{
	const double *a = *(const double *const *) left;
	const double *b = *(const double *const *) right;
	int			n = *(int *) argument;

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i <= n; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static void *
allocate_huge(Size bytes)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(bytes, 1));
}

/*
 * The rows sorted, in the current memory context; rows that differ in outcome
 * or unit only become one.  The table stays as it is.
 */
void
logit_rows_sorted(const LogitRows *rows, LogitRowSet *set)
{
	int			n = rows->features;
	const double **sorted = allocate_huge(rows->used * sizeof(double *));
	const double *last = NULL;
	Total		bad = {0, 0};
	Total		good = {0, 0};

	for (int64 i = 0; i < rows->used; i++)
		sorted[i] = get_row(rows, i);
	qsort_arg(sorted, rows->used, sizeof(double *), row_compare, &n);

	memset(set, 0, sizeof(LogitRowSet));
	set->x = allocate_huge((Size) rows->used * n * sizeof(double));
	set->bad = allocate_huge(rows->used * sizeof(double));
	set->good = allocate_huge(rows->used * sizeof(double));
	for (int64 i = 0; i < rows->used; i++)
	{
		const double *row = sorted[i];
		double		weight = fabs(row[n]) * row[n + 1];

		if (last == NULL || memcmp(last, row, n * sizeof(double)) != 0)
		{
			memcpy(set->x + set->n * n, row, n * sizeof(double));
			set->bad[set->n] = 0;
			set->good[set->n] = 0;
			set->n++;
			last = row;
		}
		if (row[n] > 0)
		{
			set->bad[set->n - 1] += weight;
			total_add(&bad, weight);
		}
		else
		{
			set->good[set->n - 1] += weight;
			total_add(&good, weight);
		}
	}
	pfree(sorted);
	set->total_bad = total_value(&bad);
	set->total_good = total_value(&good);
	/* the mathematics adds up weights, and weights times features */
	if (!(set->total_bad + set->total_good < 1e300))
		report_weight_overflow();
}
