/*
 * scores.c
 *	  Packing scores: a number or three of every customer, many customers to a
 *	  row.
 *
 * Percentiles move for nearly everybody whenever anybody buys.  Written into
 * the rating of each customer that would be nearly all rows, every night; in
 * arrays it is a hundredth of them.  Each rating has a place: block place /
 * SCORES_A_BLOCK of the table rating_score, entry place % SCORES_A_BLOCK there.
 * The view scored_rating reads them; its constants are these.
 *
 * The query of such a step begins with five columns:
 *
 *	  differs boolean, place int, score int, score_to_next_tier int,
 *	  score_to_stay int
 *
 * in ten-thousandths of a point, NO_SCORE = none.  Every row's scores are
 * packed, and only rows that differ are kept.  Who has no place yet is given
 * the next free one, in the order in which rows come: like a place in a table,
 * it says nothing.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "scores.h"

/* Rows of some 1.5 kB, so that a page holds two of them and what replaces them. */
#define SCORES_A_BLOCK 128
#define MAX_BLOCKS (PG_INT32_MAX / SCORES_A_BLOCK)

/* A score that is none, and the highest. */
#define NO_SCORE (-1)
#define MAX_SCORE 1000000

/* The columns the query begins with; a table rating_score has the scores of them, behind the number of the block. */
enum
{
	ROW_DIFFERS,
	ROW_PLACE,
	ROW_SCORE,
	ROW_COLUMNS = 5
};

#define SCORE_COLUMNS (ROW_COLUMNS - ROW_SCORE)

static const char *const score_names[SCORE_COLUMNS] = {"score", "score_to_next_tier", "score_to_stay"};

typedef struct ScoreBlock
{
	int32		scores[SCORE_COLUMNS][SCORES_A_BLOCK];
	bool		is_taken[SCORES_A_BLOCK];	/* by a row that came */
} ScoreBlock;

struct Scores
{
	MemoryContext context;
	ScoreBlock **blocks;		/* NULL = nobody there has a score */
	int64		nblocks;		/* length of the array */
	int64		next_place;		/* the first place that nobody has */
	int64		taken;			/* rows that came */
	Datum	   *values;			/* a row, to put its place in */
	bool	   *nulls;
};

/* The block of that number, made if there is none yet. */
static ScoreBlock *
block_at(Scores *scores, int64 number)
{
	if (number < 0 || number >= MAX_BLOCKS)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("there is no place for scores in block %lld", (long long) number)));
	if (number >= scores->nblocks)
	{
		int64		room = Max(number + 1, scores->nblocks + scores->nblocks / 2);

		scores->blocks = repalloc_huge(scores->blocks, room * sizeof(ScoreBlock *));
		memset(scores->blocks + scores->nblocks, 0, (room - scores->nblocks) * sizeof(ScoreBlock *));
		scores->nblocks = room;
	}
	if (scores->blocks[number] == NULL)
	{
		ScoreBlock *block = MemoryContextAlloc(scores->context, sizeof(ScoreBlock));

		for (int c = 0; c < SCORE_COLUMNS; c++)
			for (int i = 0; i < SCORES_A_BLOCK; i++)
				block->scores[c][i] = NO_SCORE;
		memset(block->is_taken, 0, sizeof(block->is_taken));
		scores->blocks[number] = block;
	}
	return scores->blocks[number];
}

/* Put the scores of one column of a block that is stored where they belong. */
static void
read_column(ScoreBlock *block, int column, ArrayType *stored)
{
	bool		is_whole = ARR_NDIM(stored) == 1 && ARR_DIMS(stored)[0] == SCORES_A_BLOCK &&
		ARR_LBOUND(stored)[0] == 1 && !ARR_HASNULL(stored);

	if (is_whole)
		memcpy(block->scores[column], ARR_DATA_PTR(stored), sizeof(block->scores[column]));
	for (int i = 0; is_whole && i < SCORES_A_BLOCK; i++)
		is_whole = block->scores[column][i] >= NO_SCORE && block->scores[column][i] <= MAX_SCORE;
	if (!is_whole)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a block of scores does not have %d entries from %d to %d",
							   SCORES_A_BLOCK, NO_SCORE, MAX_SCORE)));
}

/* The blocks to begin with: rows of (block int, int[], int[], int[]). */
static void
read_blocks(Scores *scores, const char *query)
{
	static const Oid types[] = {INT4OID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID};
	TupleDesc	desc;

	if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query of the blocks must be a SELECT")));
	desc = SPI_tuptable->tupdesc;
	for (int c = 0; c <= SCORE_COLUMNS; c++)
		if (desc->natts != SCORE_COLUMNS + 1 || SPI_gettypeid(desc, c + 1) != types[c])
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("the query of the blocks must have the columns of rating_score")));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		number = SPI_getbinval(row, desc, 1, &isnull);
		ScoreBlock *block = block_at(scores, isnull ? -1 : DatumGetInt32(number));

		CHECK_FOR_INTERRUPTS();
		for (int c = 0; c < SCORE_COLUMNS; c++)
		{
			Datum		stored = SPI_getbinval(row, desc, c + 2, &isnull);

			if (!isnull)
				read_column(block, c, DatumGetArrayTypeP(stored));
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * scores_begin: scores to be packed.
 *
 * blocks: a query of what is there already, with the columns of rating_score,
 * where scores of some customers only follow; NULL = everybody's follow.
 * free_place: a query of one bigint, the first place that nobody has.  Lives in
 * the current memory context; uses SPI, which must be connected.
 * Errors: invalid_parameter_value, datatype_mismatch for other queries,
 * data_corrupted for blocks that are none.
 */
Scores *
scores_begin(const char *blocks, const char *free_place)
{
	Scores	   *scores = palloc(sizeof(Scores));
	bool		isnull = true;

	scores->context = CurrentMemoryContext;
	scores->nblocks = 1024;
	scores->taken = 0;
	scores->blocks = palloc0(scores->nblocks * sizeof(ScoreBlock *));
	if (SPI_execute(free_place, false, 2) == SPI_OK_SELECT && SPI_processed == 1 &&
		SPI_gettypeid(SPI_tuptable->tupdesc, 1) == INT8OID)
		scores->next_place = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (isnull)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query of the free place must be a SELECT of one bigint")));
	SPI_freetuptable(SPI_tuptable);
	if (blocks != NULL)
		read_blocks(scores, blocks);
	return scores;
}

/* scores_check: whether the rows to come begin with the columns they have to.  Error: datatype_mismatch. */
void
scores_check(Scores *scores, TupleDesc desc)
{
	for (int c = 0; c < ROW_COLUMNS; c++)
		if (desc->natts < ROW_COLUMNS || TupleDescAttr(desc, c)->atttypid != (c == ROW_DIFFERS ? BOOLOID : INT4OID))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("a query whose scores are packed begins with a boolean and four integers")));
	scores->values = MemoryContextAlloc(scores->context, desc->natts * sizeof(Datum));
	scores->nulls = MemoryContextAlloc(scores->context, desc->natts * sizeof(bool));
}

/*
 * scores_take: pack the scores of a row; and keep the row in the store, with
 * its place, if it differs.  Only a row that differs may have no place yet.
 * Errors: data_corrupted for a place that cannot be, or that another row has,
 * null_value_not_allowed for scores that are NULL.
 */
void
scores_take(Scores *scores, TupleTableSlot *row, Tuplestorestate *rows)
{
	Datum	   *values = row->tts_values;
	bool	   *nulls = row->tts_isnull;
	int64		place;
	ScoreBlock *block;

	slot_getsomeattrs(row, ROW_COLUMNS);
	for (int c = 0; c < ROW_COLUMNS; c++)
		if (nulls[c] && c != ROW_PLACE)
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("column %d of a row whose scores are packed is NULL", c + 1)));
	if (nulls[ROW_PLACE] && !DatumGetBool(values[ROW_DIFFERS]))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a rating has no place for its scores")));
	place = nulls[ROW_PLACE] ? scores->next_place++ : DatumGetInt32(values[ROW_PLACE]);
	block = block_at(scores, place < 0 ? -1 : place / SCORES_A_BLOCK);
	if (block->is_taken[place % SCORES_A_BLOCK])
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("two ratings have their scores in place %lld", (long long) place)));
	block->is_taken[place % SCORES_A_BLOCK] = true;
	scores->taken++;
	for (int c = 0; c < SCORE_COLUMNS; c++)
		block->scores[c][place % SCORES_A_BLOCK] = DatumGetInt32(values[ROW_SCORE + c]);
	if (!DatumGetBool(values[ROW_DIFFERS]))
		return;

	if (nulls[ROW_PLACE])
	{
		int			natts = row->tts_tupleDescriptor->natts;

		slot_getallattrs(row);
		memcpy(scores->values, values, natts * sizeof(Datum));
		memcpy(scores->nulls, nulls, natts * sizeof(bool));
		scores->values[ROW_PLACE] = Int32GetDatum((int32) place);
		scores->nulls[ROW_PLACE] = false;
		tuplestore_putvalues(rows, row->tts_tupleDescriptor, scores->values, scores->nulls);
	}
	else
		tuplestore_puttupleslot(rows, row);
}

/* scores_check_count: whether so many rows came.  Error: data_corrupted. */
void
scores_check_count(const Scores *scores, int64 customers)
{
	if (scores->taken != customers)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("%lld customers are rated, but there are %lld",
							   (long long) scores->taken, (long long) customers)));
}

/* One column of a block as an array; false if nobody there has a score. */
static bool
block_column(const ScoreBlock *block, int column, Datum *array)
{
	Datum		entries[SCORES_A_BLOCK];
	bool		has_scores = false;

	for (int i = 0; i < SCORES_A_BLOCK; i++)
	{
		entries[i] = Int32GetDatum(block->scores[column][i]);
		has_scores |= block->scores[column][i] != NO_SCORE;
	}
	if (has_scores)
		*array = PointerGetDatum(construct_array(entries, SCORES_A_BLOCK, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	return has_scores;
}

/*
 * scores_put_blocks: the blocks as rows of rating_score, in order, into a
 * store; without those where nobody has a score.  Returns how rows look.
 */
TupleDesc
scores_put_blocks(const Scores *scores, Tuplestorestate *store)
{
	TupleDesc	desc = CreateTemplateTupleDesc(SCORE_COLUMNS + 1);

	TupleDescInitEntry(desc, 1, "block", INT4OID, -1, 0);
	for (int c = 0; c < SCORE_COLUMNS; c++)
		TupleDescInitEntry(desc, c + 2, score_names[c], INT4ARRAYOID, -1, 0);
	for (int64 number = 0; number < scores->nblocks; number++)
	{
		Datum		values[SCORE_COLUMNS + 1];
		bool		nulls[SCORE_COLUMNS + 1];
		bool		has_scores = false;

		CHECK_FOR_INTERRUPTS();
		if (scores->blocks[number] == NULL)
			continue;
		values[0] = Int32GetDatum((int32) number);
		nulls[0] = false;
		for (int c = 0; c < SCORE_COLUMNS; c++)
		{
			nulls[c + 1] = !block_column(scores->blocks[number], c, &values[c + 1]);
			has_scores |= !nulls[c + 1];
		}
		if (has_scores)
			tuplestore_putvalues(store, desc, values, nulls);
		for (int c = 0; c < SCORE_COLUMNS; c++)
			if (!nulls[c + 1])
				pfree(DatumGetPointer(values[c + 1]));
	}
	return desc;
}
