/*
 * logit_rows.h
 *	  What a logistic regression reads: the distinct rows of its input, each
 *	  with its weight.
 */
#ifndef CUSTOMER_TIER_LOGIT_ROWS_H
#define CUSTOMER_TIER_LOGIT_ROWS_H

#include "fmgr.h"
#include "lib/stringinfo.h"

#define LOGIT_FEATURES_MAX 200

/*
 * Rows are kept one behind the other: the features, the unit, the count.  The
 * weight of a row is unit * count: weights that are whole numbers are added up
 * in count with a unit of 1, which is exact; every other weight is a unit of
 * its own, so that nothing is ever added in the order in which rows happened
 * to come.  The unit of a good outcome is written with a minus.
 */
typedef struct LogitRows
{
	MemoryContext context;
	int			features;		/* 0 until the first row */
	int64		used;
	int64		room;
	double	   *row;			/* features + 2 doubles each; the last is the count */
	uint64		mask;			/* slots - 1; slots are a power of two */
	uint32	   *slot;			/* 1 + number of a row, or 0 */
} LogitRows;

/* The rows sorted, one for each combination of features. */
typedef struct LogitRowSet
{
	int64		n;
	double	   *x;				/* n times the features */
	double	   *bad;			/* weights */
	double	   *good;
	double		total_bad;
	double		total_good;
} LogitRowSet;

extern void logit_rows_init(LogitRows *rows, MemoryContext context);
extern void logit_rows_add(LogitRows *rows, const double *features, bool bad, double weight);
extern void logit_rows_merge(LogitRows *into, const LogitRows *from);
extern void logit_rows_send(StringInfo buf, const LogitRows *rows);
extern void logit_rows_receive(LogitRows *rows, StringInfo buf);
extern void logit_rows_sorted(const LogitRows *rows, LogitRowSet *set);

#endif							/* CUSTOMER_TIER_LOGIT_ROWS_H */
