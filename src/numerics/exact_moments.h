/*
 * exact_moments.h
 *	  Mean and standard deviation from exact sums, in any order and any parts.
 */
#ifndef NUMERICS_EXACT_MOMENTS_H
#define NUMERICS_EXACT_MOMENTS_H

#include <stdint.h>

#include "numerics/exact_sum.h"

/*
 * Squares of doubles are whole multiples of 2^-2148 below 2^2048: 4196 bits,
 * and 63 more for the sum of as many as an int64 counts.
 */
#define EXACT_SQUARES_DIGITS 134

typedef struct ExactMoments
{
	int64_t		count;
	ExactSum	sum;
	int64_t		squares[EXACT_SQUARES_DIGITS];	/* as the digits of ExactSum */
	uint32_t	pending;						/* additions since the last carry */
} ExactMoments;

extern void exact_moments_init(ExactMoments *moments);
extern void exact_moments_add(ExactMoments *moments, double value);
extern void exact_moments_merge(ExactMoments *into, const ExactMoments *from);
extern void exact_moments_carry(ExactMoments *moments);

/* Both need a count of at least 1; the deviation divides by the count. */
extern double exact_moments_mean(const ExactMoments *moments);
extern double exact_moments_deviation(const ExactMoments *moments);

#endif							/* NUMERICS_EXACT_MOMENTS_H */
