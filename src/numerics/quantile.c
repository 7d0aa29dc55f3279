/*
 * quantile.c
 *	  Cut points of a population: equal shares, and shares of what is left.
 *
 * Both kinds read a sorted array of at least one value and write n - 1 cuts.
 * A value's score is 1 + the number of cuts strictly below it, so that equal
 * values have equal scores whatever the cuts.
 */
#include "numerics/quantile.h"

#include <math.h>

/*
 * The 1-based position of the k-th of n quantiles among `count` values:
 * the arithmetic of PostgreSQL's percentile_disc(k::float8 / n), rounding and
 * all.  (0.28 * 25 is a little above 7, and so is the answer.)
 */
int64_t
quantile_rank(int k, int n, int64_t count)
{
	double		fraction = (double) k / (double) n;
	double		rank = ceil(fraction * (double) count);

	if (rank < 1)
		return 1;
	/* k < n keeps the product at or below count, but be sure of the bound */
	if (rank > (double) count)
		return count;
	return (int64_t) rank;
}

void
quantile_cuts(const double *sorted, int64_t count, int n, double *cuts)
{
	for (int k = 1; k < n; k++)
		cuts[k - 1] = sorted[quantile_rank(k, n, count) - 1];
}

/* How many values of a sorted array are at or below `value`. */
int64_t
count_through(const double *sorted, int64_t count, double value)
{
	int64_t		low = 0;
	int64_t		high = count;

	while (low < high)
	{
		int64_t		middle = low + (high - low) / 2;

		if (sorted[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many values of a sorted array are below its largest. */
static int64_t
count_below_largest(const double *sorted, int64_t count)
{
	double		largest = sorted[count - 1];
	int64_t		low = 0;
	int64_t		high = count;

	while (low < high)
	{
		int64_t		middle = low + (high - low) / 2;

		if (sorted[middle] < largest)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Each cut takes 1 / (bins left) of the values left, and with its value all
 * that equal it; the next cut shares out what then is left.  Heavy ties at
 * the bottom (most customers bought once) so use up one score instead of
 * several.
 *
 * A cut is never the largest value, because nobody would be above it and the
 * top score would be empty: there, and from there on, it is the largest value
 * below.  Ties at the top therefore have the top score, and the scores just
 * below may be empty.  When all values are equal there is nothing below: all
 * cuts are that value and everybody has score 1.
 */
void
balanced_cuts(const double *sorted, int64_t count, int n, double *cuts)
{
	int64_t		below_largest = count_below_largest(sorted, count);
	int64_t		taken = 0;

	for (int bins = n; bins >= 2; bins--)
	{
		int64_t		left = count - taken;
		int64_t		at = taken + (left + bins - 1) / bins - 1;

		if (below_largest == 0)
		{
			cuts[n - bins] = sorted[0];
			continue;
		}
		if (at >= below_largest)
			at = below_largest - 1;
		cuts[n - bins] = sorted[at];
		taken = count_through(sorted, count, sorted[at]);
	}
}
