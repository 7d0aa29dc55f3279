/*
 * scores.h
 *	  The scores of everybody, packed into blocks as <schema>.rating_score has
 *	  them, while a step of a refresh rates (steps.c).
 */
#ifndef PROGRAM_SCORES_H
#define PROGRAM_SCORES_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"

typedef struct Scores Scores;

extern Scores *scores_begin(const char *blocks, const char *free_place);
extern void scores_check(Scores *scores, TupleDesc desc);
extern void scores_take(Scores *scores, TupleTableSlot *row, Tuplestorestate *rows);
extern void scores_check_count(const Scores *scores, int64 customers);
extern TupleDesc scores_put_blocks(const Scores *scores, Tuplestorestate *store);

#endif							/* PROGRAM_SCORES_H */
