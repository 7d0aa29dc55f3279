/*
 * exact_sum.h
 *	  The exact sum of doubles, in any order and in any number of parts.
 */
#ifndef NUMERICS_EXACT_SUM_H
#define NUMERICS_EXACT_SUM_H

#include <stdint.h>

/*
 * Digits of 32 bits, the lowest worth 2^-1074 (the smallest double): 66 hold
 * the largest double, and two more hold any sum of 2^63 of them.
 */
#define EXACT_SUM_DIGITS 68

typedef struct ExactSum
{
	int64_t		digit[EXACT_SUM_DIGITS];	/* may be negative or above 32 bits */
	uint32_t	pending;					/* additions since the last carry */
} ExactSum;

extern void exact_sum_init(ExactSum *sum);
extern void exact_sum_add(ExactSum *sum, double value);
extern void exact_sum_merge(ExactSum *into, const ExactSum *from);
extern void exact_sum_carry(ExactSum *sum);
extern double exact_sum_fraction(const ExactSum *sum, int *exponent);
extern double exact_sum_mean(const ExactSum *sum, int64_t count);

#endif							/* NUMERICS_EXACT_SUM_H */
