/*
 * counts.h
 *	  Customers counted in bins, as weights of evidence and drift read them.
 */
#ifndef CUSTOMER_TIER_COUNTS_H
#define CUSTOMER_TIER_COUNTS_H

#include "fmgr.h"

/*
 * The counts of a bigint[] in place: one dimension, no NULL, none negative.
 * The total fits in an int64.
 */
typedef struct Counts
{
	int			n;
	const int64 *count;
	int64		total;
} Counts;

extern Counts get_counts(FunctionCallInfo fcinfo, int argument, const char *what);
extern void check_same_bins(const Counts *one, const Counts *other);

#endif							/* CUSTOMER_TIER_COUNTS_H */
