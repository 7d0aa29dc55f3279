/*
 * exact_sum.c
 *	  The exact sum of doubles, in any order and in any number of parts.
 *
 * Every finite double is a whole multiple of 2^-1074.  The sum is kept as one
 * long fixed-point number of 32-bit digits, each in a 64-bit word: adding a
 * double adds to three neighbouring words and carries nothing; the room above
 * the digits is cleared every 2^29 additions.  Nothing is ever rounded before
 * the end, so the result does not depend on the order of the rows or on how
 * they were split over workers.
 */
#include "numerics/exact_sum.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 32
#define DIGIT_MASK INT64_C(0xFFFFFFFF)

/* Each addition changes a word by less than 2^32: 2^29 of them fit well. */
#define CARRY_EVERY (UINT32_C(1) << 29)

/* The power of two that digit 0 counts. */
#define LOWEST_EXPONENT (-1074)

void
exact_sum_init(ExactSum *sum)
{
	memset(sum, 0, sizeof(*sum));
}

/*
 * Carry, so that every digit but the topmost is in 0 .. 2^32 - 1; the topmost
 * has the sign.  This form is unique: equal sums have equal digits.
 */
void
exact_sum_carry(ExactSum *sum)
{
	int64_t		carry = 0;

	for (int i = 0; i < EXACT_SUM_DIGITS - 1; i++)
	{
		int64_t		word = sum->digit[i] + carry;

		sum->digit[i] = word & DIGIT_MASK;
		/* floor division, spelled without shifting a negative number */
		carry = (word - sum->digit[i]) / (INT64_C(1) << DIGIT_BITS);
	}
	sum->digit[EXACT_SUM_DIGITS - 1] += carry;
	sum->pending = 0;
}

/* Add a finite double. */
void
exact_sum_add(ExactSum *sum, double value)
{
	uint64_t	bits;
	uint64_t	mantissa;
	int			exponent;
	int			at;
	int			shift;
	uint64_t	low;
	uint64_t	high;

	memcpy(&bits, &value, sizeof(bits));
	mantissa = bits & ((UINT64_C(1) << 52) - 1);
	exponent = (int) ((bits >> 52) & 0x7FF);
	if (exponent > 0)
	{
		mantissa |= UINT64_C(1) << 52;
		exponent--;				/* subnormals and the lowest normals share a scale */
	}

	/* value = mantissa * 2^(exponent - 1074) */
	at = exponent / DIGIT_BITS;
	shift = exponent % DIGIT_BITS;
	low = mantissa << shift;	/* the lower 64 of up to 84 bits */
	high = shift == 0 ? 0 : mantissa >> (64 - shift);

	if (bits >> 63)
	{
		sum->digit[at] -= (int64_t) (low & DIGIT_MASK);
		sum->digit[at + 1] -= (int64_t) (low >> DIGIT_BITS);
		sum->digit[at + 2] -= (int64_t) high;
	}
	else
	{
		sum->digit[at] += (int64_t) (low & DIGIT_MASK);
		sum->digit[at + 1] += (int64_t) (low >> DIGIT_BITS);
		sum->digit[at + 2] += (int64_t) high;
	}
	if (++sum->pending >= CARRY_EVERY)
		exact_sum_carry(sum);
}

/* Add another sum. */
void
exact_sum_merge(ExactSum *into, const ExactSum *from)
{
	ExactSum	other = *from;

	exact_sum_carry(into);
	exact_sum_carry(&other);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		into->digit[i] += other.digit[i];
	exact_sum_carry(into);
}

/*
 * The sum, rounded once to 53 bits (to nearest, ties to even): a fraction in
 * [0.5, 1), or its negative, and the power of two it is to be multiplied
 * with, as of frexp().  Apart, because the sum may exceed the largest double.
 */
double
exact_sum_fraction(const ExactSum *sum, int *exponent)
{
	ExactSum	magnitude = *sum;
	int			negative;
	int			top;
	int			width = 0;
	uint64_t	mantissa;
	int			have;
	int			sticky = 0;
	int			at;
	int			scale;

	*exponent = 0;
	exact_sum_carry(&magnitude);
	negative = magnitude.digit[EXACT_SUM_DIGITS - 1] < 0;
	if (negative)
	{
		for (int i = 0; i < EXACT_SUM_DIGITS; i++)
			magnitude.digit[i] = -magnitude.digit[i];
		exact_sum_carry(&magnitude);
	}
	for (top = EXACT_SUM_DIGITS - 1; top >= 0 && magnitude.digit[top] == 0; top--)
		;
	if (top < 0)
		return 0;

	/* gather 54 bits or more from the top, then note whether any bit is left */
	mantissa = (uint64_t) magnitude.digit[top];
	while (width < 64 && mantissa >> width != 0)
		width++;
	have = width;
	at = top;
	while (at > 0 && have < 55)
	{
		int			take = 64 - have < DIGIT_BITS ? 64 - have : DIGIT_BITS;
		uint64_t	digit = (uint64_t) magnitude.digit[--at];

		mantissa = (mantissa << take) | (digit >> (DIGIT_BITS - take));
		have += take;
		if (take < DIGIT_BITS && (digit & ((UINT64_C(1) << (DIGIT_BITS - take)) - 1)) != 0)
			sticky = 1;
	}
	for (int i = at - 1; i >= 0 && !sticky; i--)
		sticky = magnitude.digit[i] != 0;

	scale = LOWEST_EXPONENT + top * DIGIT_BITS + width;
	if (have > 53)
	{
		int			drop = have - 53;
		uint64_t	rest = mantissa & ((UINT64_C(1) << drop) - 1);
		uint64_t	half = UINT64_C(1) << (drop - 1);

		mantissa >>= drop;
		have = 53;
		if (rest > half || (rest == half && (sticky || (mantissa & 1))))
			mantissa++;			/* 2^53, when it overflows, is exact as well */
	}

	*exponent = scale;
	{
		double		fraction = ldexp((double) mantissa, -have);

		if (fraction >= 1)
		{
			fraction /= 2;
			(*exponent)++;
		}
		return negative ? -fraction : fraction;
	}
}

/*
 * The sum, rounded once, divided by `count`.  The mean of doubles is never
 * above the largest double even where their sum is.
 */
double
exact_sum_mean(const ExactSum *sum, int64_t count)
{
	int			exponent;
	double		fraction = exact_sum_fraction(sum, &exponent);

	if (exponent <= 1024)
		return ldexp(fraction, exponent) / (double) count;
	return ldexp(fraction / (double) count, exponent);
}
