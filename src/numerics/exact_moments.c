/*
 * exact_moments.c
 *	  Mean and standard deviation from exact sums, in any order and any parts.
 *
 * With n values, their sum S and the sum of their squares Q, the population
 * variance is
 *
 *		(n Q - S^2) / n^2
 *
 * which in floating point loses everything where the mean is much larger than
 * the deviation.  Here S and Q are whole numbers in long fixed point, Q in
 * units of 2^-2148, the square of the unit of S; n Q - S^2 is formed in whole
 * numbers, and rounded once.  So the result does not depend on the order of
 * the values, has all its digits wherever the mean lies, and is exactly 0 for
 * equal values.
 */
#include "numerics/exact_moments.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 32
#define DIGIT_MASK UINT64_C(0xFFFFFFFF)

/* Each addition changes a word by less than 2^33: 2^28 of them fit well. */
#define CARRY_EVERY (UINT32_C(1) << 28)

/* The power of two that digit 0 of the squares counts. */
#define LOWEST_EXPONENT (-2148)

/* n Q and S^2 */
#define PRODUCT_DIGITS (2 * EXACT_SUM_DIGITS)

void
exact_moments_init(ExactMoments *moments)
{
	memset(moments, 0, sizeof(*moments));
}

/* Bring the digits into 0 .. 2^32 - 1: equal sums have equal digits then. */
void
exact_moments_carry(ExactMoments *moments)
{
	uint64_t	carry = 0;

	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
	{
		uint64_t	word = (uint64_t) moments->squares[i] + carry;

		moments->squares[i] = (int64_t) (word & DIGIT_MASK);
		carry = word >> DIGIT_BITS;
	}
	moments->pending = 0;
	exact_sum_carry(&moments->sum);
}

/* Add a finite double. */
void
exact_moments_add(ExactMoments *moments, double value)
{
	uint64_t	bits;
	uint64_t	mantissa;
	uint64_t	a;
	uint64_t	b;
	uint64_t	word;
	uint64_t	limb[4];
	int			exponent;
	int64_t    *digit;
	int			shift;

	moments->count++;
	exact_sum_add(&moments->sum, value);

	memcpy(&bits, &value, sizeof(bits));
	mantissa = bits & ((UINT64_C(1) << 52) - 1);
	exponent = (int) ((bits >> 52) & 0x7FF);
	if (exponent > 0)
	{
		mantissa |= UINT64_C(1) << 52;
		exponent--;				/* subnormals and the lowest normals share a scale */
	}

	/* mantissa^2 = a^2 2^64 + 2 a b 2^32 + b^2, in digits */
	a = mantissa >> DIGIT_BITS;
	b = mantissa & DIGIT_MASK;
	word = b * b;
	limb[0] = word & DIGIT_MASK;
	word = (word >> DIGIT_BITS) + 2 * a * b;
	limb[1] = word & DIGIT_MASK;
	word = (word >> DIGIT_BITS) + a * a;
	limb[2] = word & DIGIT_MASK;
	limb[3] = word >> DIGIT_BITS;

	/* value^2 = mantissa^2 * 2^(2 exponent - 2148) */
	digit = moments->squares + 2 * exponent / DIGIT_BITS;
	shift = 2 * exponent % DIGIT_BITS;
	for (int i = 0; i < 4; i++)
	{
		word = limb[i] << shift;
		digit[i] += (int64_t) (word & DIGIT_MASK);
		digit[i + 1] += (int64_t) (word >> DIGIT_BITS);
	}
	if (++moments->pending >= CARRY_EVERY)
		exact_moments_carry(moments);
}

/* Add other values. */
void
exact_moments_merge(ExactMoments *into, const ExactMoments *from)
{
	ExactMoments other = *from;

	exact_moments_carry(into);
	exact_moments_carry(&other);
	into->count += other.count;
	exact_sum_merge(&into->sum, &other.sum);
	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
		into->squares[i] += other.squares[i];
	exact_moments_carry(into);
}

/*
 * The sum is rounded once, and so is its quotient; two roundings may miss the
 * mean of equal values by one in the last place, which what they left over
 * puts right.
 */
double
exact_moments_mean(const ExactMoments *moments)
{
	double		n = (double) moments->count;
	double		mean = exact_sum_mean(&moments->sum, moments->count);
	double		total = n * mean;
	ExactSum	left;
	int			exponent;
	double		fraction;

	if (isinf(total))
		return mean;
	left = moments->sum;
	exact_sum_add(&left, -total);
	exact_sum_add(&left, -fma(n, mean, -total));
	fraction = exact_sum_fraction(&left, &exponent);
	return mean + ldexp(fraction / n, exponent);
}

/* product += digits * factor; the product is long enough for the carry */
static void
multiply_add(uint64_t *product, const uint64_t *digits, int count, uint64_t factor)
{
	uint64_t	carry = 0;

	for (int i = 0; i < count; i++)
	{
		uint64_t	word = digits[i] * factor + product[i] + carry;

		product[i] = word & DIGIT_MASK;
		carry = word >> DIGIT_BITS;
	}
	product[count] += carry;
}

/*
 * The product in units of 2^-2148, rounded once: a double to be multiplied
 * with 2 to the power of `exponent`, which is even.
 */
static double
round_digits(const uint64_t *product, int *exponent)
{
	int			top = PRODUCT_DIGITS - 1;
	int			zeros = 0;
	uint64_t	bits;
	uint64_t	below;
	double		result;

	*exponent = 0;
	while (top >= 0 && product[top] == 0)
		top--;
	if (top < 0)
		return 0;

	/* the upper 64 bits, and one for whether there is any below */
	while ((product[top] << zeros >> (DIGIT_BITS - 1)) == 0)
		zeros++;
	bits = product[top] << DIGIT_BITS | (top >= 1 ? product[top - 1] : 0);
	below = (top >= 2 ? product[top - 2] : 0) << zeros;
	bits = bits << zeros | below >> DIGIT_BITS;
	below &= DIGIT_MASK;
	for (int i = top - 3; i >= 0; i--)
		below |= product[i];
	result = (double) (bits | (below != 0));

	*exponent = LOWEST_EXPONENT + (top - 1) * DIGIT_BITS - zeros;
	if (*exponent % 2 != 0)
	{
		result *= 2;
		(*exponent)--;
	}
	return result;
}

double
exact_moments_deviation(const ExactMoments *moments)
{
	ExactMoments carried = *moments;
	ExactSum   *sum = &carried.sum;
	uint64_t	squares[EXACT_SQUARES_DIGITS];
	uint64_t	digits[EXACT_SUM_DIGITS];
	uint64_t	n_squares[PRODUCT_DIGITS] = {0};
	uint64_t	square[PRODUCT_DIGITS] = {0};
	uint64_t	n = (uint64_t) moments->count;
	int64_t		borrow = 0;
	int			exponent;
	double		variance;

	exact_moments_carry(&carried);
	if (sum->digit[EXACT_SUM_DIGITS - 1] < 0)
	{
		for (int i = 0; i < EXACT_SUM_DIGITS; i++)
			sum->digit[i] = -sum->digit[i];
		exact_sum_carry(sum);
	}
	for (int i = 0; i < EXACT_SQUARES_DIGITS; i++)
		squares[i] = (uint64_t) carried.squares[i];
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		digits[i] = (uint64_t) sum->digit[i];

	multiply_add(n_squares, squares, EXACT_SQUARES_DIGITS, n & DIGIT_MASK);
	multiply_add(n_squares + 1, squares, EXACT_SQUARES_DIGITS, n >> DIGIT_BITS);
	for (int i = 0; i < EXACT_SUM_DIGITS; i++)
		multiply_add(square + i, digits, EXACT_SUM_DIGITS, digits[i]);

	for (int i = 0; i < PRODUCT_DIGITS; i++)
	{
		int64_t		digit = (int64_t) n_squares[i] - (int64_t) square[i] + borrow;

		borrow = digit < 0 ? -1 : 0;
		n_squares[i] = (uint64_t) digit & DIGIT_MASK;
	}

	/* less than nothing is no sum of squares: a state that was made up */
	if (borrow < 0)
		return 0;
	variance = round_digits(n_squares, &exponent);
	return ldexp(sqrt(variance) / (double) moments->count, exponent / 2);
}
