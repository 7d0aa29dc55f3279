/*
 * credit.h
 *	  Small things that the files of credit scoring and drift share.
 */
#ifndef CUSTOMER_TIER_CREDIT_H
#define CUSTOMER_TIER_CREDIT_H

#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/array.h"

/* The shortest text that reads as the same number. */
static inline const char *
number_text(double value)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, text);
	return pstrdup(text);
}

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

#endif							/* CUSTOMER_TIER_CREDIT_H */
