/*
 * reading.h
 *	  What the state machine is given, read from SQL values.
 */
#ifndef TIER_READING_H
#define TIER_READING_H

#include "postgres.h"

#include "tier/rule_book.h"

extern int64 tier_score_read(Datum score);
extern int32 tier_day_read(Datum day, const char *what);
extern void tier_measures_read(int n_measures, double *values, Datum datum, bool isnull);

#endif							/* TIER_READING_H */
