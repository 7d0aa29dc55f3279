/*
 * segment.c
 *	  From the scores of recency, frequency and money to a segment's code.
 *
 * Segment maps are rows of customer_tier.segment_map, a row a box of cells.
 * The first call of a query reads the map and lays it out as a table of all
 * cells, so that every further row costs one look into it.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/snapshot.h"

#include "value_list.h"

PG_FUNCTION_INFO_V1(rfm_segment);
PG_FUNCTION_INFO_V1(segment_map_scores);

/* Maps kept at a time; a query that goes through more begins again. */
#define CACHED_MAPS_MAX 64

/* Upper limit of segment_map.scores, see the table's CHECK. */
#define MAP_SCORES_MAX 20

/*
 * What a statement can see.  Within a transaction, two snapshots that agree
 * in all of these see the same rows: transactions below xmax only ever end,
 * so an equal number of running ones is the same set of them.
 */
typedef struct Visibility
{
	TimestampTz xact_start;
	SubTransactionId subxact;
	TransactionId xmin;
	TransactionId xmax;
	uint32		running;
	int32		running_sub;
	CommandId	command;
} Visibility;

typedef struct SegmentMap
{
	struct SegmentMap *next;
	text	   *name;
	int			scores;
	bool		relative;
	int			side;			/* cells a side: the scores, or 2 when relative */
	text	  **cells;			/* side^3, R the slowest; NULL where no box is */
} SegmentMap;

typedef struct MapCache
{
	MemoryContext context;
	Visibility	visibility;
	SegmentMap *maps;
	int			count;
} MapCache;

static Visibility
get_visibility(void)
{
	Snapshot	snapshot = GetActiveSnapshot();
	Visibility	v;

	v.xact_start = GetCurrentTransactionStartTimestamp();
	v.subxact = GetCurrentSubTransactionId();
	v.xmin = snapshot->xmin;
	v.xmax = snapshot->xmax;
	v.running = snapshot->xcnt;
	v.running_sub = snapshot->subxcnt;
	v.command = snapshot->curcid;
	return v;
}

static bool
same_visibility(const Visibility *a, const Visibility *b)
{
	return a->xact_start == b->xact_start && a->subxact == b->subxact &&
		a->xmin == b->xmin && a->xmax == b->xmax && a->running == b->running &&
		a->running_sub == b->running_sub && a->command == b->command;
}

/* Refuse an unknown map, and say which there are.  SPI is connected. */
static void
report_unknown_map(text *name)
{
	char	   *known;

	if (SPI_execute("SELECT pg_catalog.string_agg(map, ', ' ORDER BY map) FROM (SELECT DISTINCT "
					"map COLLATE \"C\" AS map FROM customer_tier.segment_map) AS maps",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the segment maps");
	known = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("segment map \"%s\" does not exist", text_to_cstring(name)),
					known == NULL ? errhint("The table customer_tier.segment_map is empty.")
								  : errhint("There are: %s.", known)));
}

/* An integer column, or what a missing bound stands for. */
static int
get_bound(HeapTuple row, TupleDesc columns, int column, int missing)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, columns, column, &isnull);

	return isnull ? missing : DatumGetInt32(value);
}

static double
get_float_bound(HeapTuple row, TupleDesc columns, int column, double missing)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, columns, column, &isnull);

	return isnull ? missing : DatumGetFloat8(value);
}

static text *
copy_text(MemoryContext context, text *source)
{
	Size		length = VARSIZE_ANY_EXHDR(source);
	text	   *copy = MemoryContextAlloc(context, length + VARHDRSZ);

	SET_VARSIZE(copy, length + VARHDRSZ);
	memcpy(VARDATA(copy), VARDATA_ANY(source), length);
	return copy;
}

/* Give a box all of its cells that no box before it has. */
static void
fill_box(SegmentMap *map, HeapTuple row, TupleDesc columns, text *segment)
{
	int			r_from = Max(get_bound(row, columns, 4, 1), 1);
	int			r_to = Min(get_bound(row, columns, 5, map->side), map->side);
	int			f_from = Max(get_bound(row, columns, 6, 1), 1);
	int			f_to = Min(get_bound(row, columns, 7, map->side), map->side);
	int			m_from = Max(get_bound(row, columns, 8, 1), 1);
	int			m_to = Min(get_bound(row, columns, 9, map->side), map->side);
	double		fm_from = get_float_bound(row, columns, 10, -INFINITY);
	double		fm_to = get_float_bound(row, columns, 11, INFINITY);

	for (int r = r_from; r <= r_to; r++)
		for (int f = f_from; f <= f_to; f++)
			for (int m = m_from; m <= m_to; m++)
			{
				text	  **cell = &map->cells[((r - 1) * map->side + f - 1) * map->side + m - 1];
				double		fm = (f + m) / 2.0;

				if (*cell == NULL && fm >= fm_from && fm <= fm_to)
					*cell = segment;
			}
}

/* Read a map and lay it out. */
static SegmentMap *
load_map(MapCache *cache, text *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PointerGetDatum(name)};
	SegmentMap *map = NULL;

	SPI_connect();
	/* the row 'prospects' gives labels to customers outside all cells */
	if (SPI_execute_with_args("SELECT scores, relative, segment, r_from, r_to, f_from, f_to, "
							  "m_from, m_to, fm_from, fm_to "
							  "FROM customer_tier.segment_map "
							  "WHERE map OPERATOR(pg_catalog.=) $1 ORDER BY priority",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the segment map");
	if (SPI_processed == 0)
		report_unknown_map(name);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		int			scores = DatumGetInt32(SPI_getbinval(row, columns, 1, &isnull));
		bool		relative = DatumGetBool(SPI_getbinval(row, columns, 2, &isnull));
		text	   *segment =
			DatumGetTextPP(SPI_getbinval(row, columns, 3, &isnull));

		if (map == NULL)
		{
			map = MemoryContextAllocZero(cache->context, sizeof(SegmentMap));
			map->name = copy_text(cache->context, name);
			map->scores = scores;
			map->relative = relative;
			map->side = relative ? 2 : scores;
			Assert(map->side <= MAP_SCORES_MAX);
			map->cells = MemoryContextAllocZero(
				cache->context, sizeof(text *) * map->side * map->side * map->side);
		}
		else if (map->scores != scores || map->relative != relative)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("the rows of segment map \"%s\" contradict each other",
							text_to_cstring(name)),
					 errdetail("All rows of a map must have the same scores and the same "
							   "relative."),
					 errhint("See SELECT * FROM customer_tier.segment_map_check('%s').",
							 text_to_cstring(name))));

		if (VARSIZE_ANY_EXHDR(segment) == 9 &&
			memcmp(VARDATA_ANY(segment), "prospects", 9) == 0)
			continue;
		fill_box(map, row, columns, copy_text(cache->context, segment));
	}
	SPI_finish();
	return map;
}

/* The map of that name as the current statement sees it. */
static SegmentMap *
get_map(FunctionCallInfo fcinfo, int argument)
{
	MapCache   *cache = fcinfo->flinfo->fn_extra;
	Visibility	visibility = get_visibility();
	text	   *name;
	SegmentMap *map;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the name of a segment map must not be NULL"),
						errhint("For example 'grid25'; the table customer_tier.segment_map has "
								"all maps.")));
	name = PG_GETARG_TEXT_PP(argument);

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(MapCache));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "segment maps",
											   ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = cache;
	}
	if (!same_visibility(&cache->visibility, &visibility) || cache->count >= CACHED_MAPS_MAX)
	{
		MemoryContextReset(cache->context);
		cache->maps = NULL;
		cache->count = 0;
		cache->visibility = visibility;
	}

	for (map = cache->maps; map != NULL; map = map->next)
		if (VARSIZE_ANY_EXHDR(map->name) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(VARDATA_ANY(map->name), VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return map;

	map = load_map(cache, name);
	map->next = cache->maps;
	cache->maps = map;
	cache->count++;
	return map;
}

/* The comparison values of a relative map: given, or the middle of the scores. */
static void
get_comparison(FunctionCallInfo fcinfo, const SegmentMap *map, double compare[3])
{
	Float8Array given;

	if (PG_ARGISNULL(4))
	{
		for (int i = 0; i < 3; i++)
			compare[i] = (map->scores + 1) / 2.0;
		return;
	}
	if (!map->relative)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("segment map \"%s\" takes no comparison values",
							   text_to_cstring(map->name)),
						errhint("Only relative maps such as cn8 do: leave compare out.")));

	float8_array_view(&given, PG_GETARG_DATUM(4));
	if (given.ndim != 1 || given.count != 3 || given.has_null)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("comparison values must be an array of three numbers"),
						errdetail("There are %d elements in %d dimensions%s.", given.count,
								  given.ndim, given.has_null ? ", NULL among them" : ""),
						errhint("Give those of R, F and M, for example the mean scores "
								"ARRAY[3.1, 2.6, 3.0].")));
	for (int i = 0; i < 3; i++)
	{
		compare[i] = given.values[i];
		if (isnan(compare[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the comparison value of %c must not be NaN", "RFM"[i])));
	}
}

/* rfm_segment(r int, f int, m int, map text, compare float8[]) -> text */
Datum
rfm_segment(PG_FUNCTION_ARGS)
{
	SegmentMap *map = get_map(fcinfo, 3);
	double		compare[3] = {0, 0, 0};
	int			cell = 0;
	int			missing = 0;

	if (map->relative || !PG_ARGISNULL(4))
		get_comparison(fcinfo, map, compare);

	for (int i = 0; i < 3; i++)
	{
		int			score;

		if (PG_ARGISNULL(i))
		{
			missing++;
			continue;
		}
		score = PG_GETARG_INT32(i);
		if (score < 1 || score > map->scores)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%c score %d is outside of segment map \"%s\"", "RFM"[i], score,
								   text_to_cstring(map->name)),
							errdetail("The map is made for scores from 1 to %d.", map->scores)));
		if (map->relative)
			score = score >= compare[i] ? 2 : 1;
		cell = cell * map->side + score - 1;
	}

	if (missing == 3)
		PG_RETURN_TEXT_P(cstring_to_text("prospects"));
	if (missing > 0 || map->cells[cell] == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(copy_text(CurrentMemoryContext, map->cells[cell]));
}

/* segment_map_scores(map text) -> int */
Datum
segment_map_scores(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(get_map(fcinfo, 0)->scores);
}
