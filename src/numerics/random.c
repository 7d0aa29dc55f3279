/*
 * random.c
 *	  Random bits, and samples of the distributions our models are made of.
 *
 * "Same seed, same numbers" has to hold between machines, and the last bit of
 * log() and exp() differs between C libraries: one such bit may turn an
 * accepted sample into a rejected one, and everything after it is different.
 * So the samplers use logarithm and exponential of their own, made of
 * addition, multiplication, division and sqrt, which IEEE 754 rounds in one
 * way only.  What is needed from the platform is binary64 arithmetic without
 * excess precision (any 64-bit one) and no fused multiply-add
 * (-ffp-contract=off).
 *
 * Sources:
 *	  bits			xoshiro256**: Blackman & Vigna, "Scrambled linear
 *					pseudorandom number generators", ACM TOMS 47 (2021)
 *	  seeding		splitmix64: Steele, Lea & Flood, "Fast splittable
 *					pseudorandom number generators", OOPSLA 2014
 *	  integers		Lemire, "Fast random integer generation in an interval",
 *					ACM TOMACS 29 (2019)
 *	  normal		the polar method: Marsaglia & Bray, "A convenient method for
 *					generating normal variables", SIAM Review 6 (1964)
 *	  gamma			Marsaglia & Tsang, "A simple method for generating gamma
 *					variables", ACM TOMS 26 (2000)
 */
#include "numerics/random.h"

#include <math.h>

/* ln 2 in two parts: HI has 21 trailing zero bits, so that k * HI is exact. */
#define LN2_HI 0x1.62e42fee00000p-1
#define LN2_LO 0x1.a39ef35793c76p-33

/*
 * Natural logarithm, to about one unit in the last place, of a finite x > 0.
 *
 * With x = m 2^k and sqrt(1/2) <= m < sqrt(2),
 *
 *		ln m = 2 artanh(z) = 2 (z + z^3/3 + z^5/5 + ...),  z = (m-1) / (m+1)
 *
 * where |z| < 0.1716; the first term left out, z^23/23, is below 1e-18.
 */
double
portable_log(double x)
{
	int k;
	double m = frexp(x, &k);
	double z;
	double zz;
	double series;

	if (m < 0.70710678118654752)
	{
		m *= 2;
		k--;
	}
	z = (m - 1) / (m + 1);
	zz = z * z;
	series = 1.0 / 21;
	for (int odd = 19; odd >= 3; odd -= 2)
		series = series * zz + 1.0 / odd;
	return k * LN2_HI + (k * LN2_LO + (2 * z * zz * series + 2 * z));
}

/*
 * e^x, to about one unit in the last place; 0 and infinity beyond the range.
 *
 * With x = k ln 2 + r and |r| <= ln(2)/2 = 0.347, the Taylor series of e^r
 * up to r^14/14!; the first term left out is below 1e-19.
 */
double
portable_exp(double x)
{
	static const double inverse_factorial[] = {1.0,
											   1.0,
											   1.0 / 2,
											   1.0 / 6,
											   1.0 / 24,
											   1.0 / 120,
											   1.0 / 720,
											   1.0 / 5040,
											   1.0 / 40320,
											   1.0 / 362880,
											   1.0 / 3628800,
											   1.0 / 39916800,
											   1.0 / 479001600,
											   1.0 / 6227020800.0,
											   1.0 / 87178291200.0};
	double k;
	double r;
	double series = 0;

	if (x > 710)
		return HUGE_VAL;
	if (x < -746)
		return 0;
	k = floor(x / (LN2_HI + LN2_LO) + 0.5);
	r = (x - k * LN2_HI) - k * LN2_LO;
	for (int n = 14; n >= 0; n--)
		series = series * r + inverse_factorial[n];
	return ldexp(series, (int) k);
}

/* splitmix64: one step along a sequence that visits every 64-bit number. */
static uint64_t
split_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/*
 * Start stream "number" of "seed".  The seed is scrambled before the number
 * is added and the sum is scrambled again, so that neighbouring seeds and
 * neighbouring numbers have nothing in common.
 */
void
random_seed(RandomStream *stream, uint64_t seed, uint64_t number)
{
	uint64_t state = seed;

	state = split_next(&state) + number;
	state = split_next(&state);
	for (int i = 0; i < 4; i++)
		stream->word[i] = split_next(&state);
}

static inline uint64_t
rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/* 64 random bits: xoshiro256**. */
uint64_t
random_bits(RandomStream *stream)
{
	uint64_t *s = stream->word;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/*
 * A whole number of 0 .. n-1, each equally likely; n >= 1.  The few products
 * that would favour small results (2^32 mod n of them) are drawn again.
 */
uint32_t
random_below(RandomStream *stream, uint32_t n)
{
	uint32_t favoured = (uint32_t) -n % n;
	uint64_t product;

	do
	{
		product = (random_bits(stream) >> 32) * n;
	} while ((uint32_t) product < favoured);
	return (uint32_t) (product >> 32);
}

/* Uniform between 0 and 1, both excluded: an odd multiple of 2^-53. */
double
random_uniform(RandomStream *stream)
{
	return (double) ((random_bits(stream) >> 12 << 1) + 1) * 0x1p-53;
}

/* Exponential with mean 1. */
double
random_exponential(RandomStream *stream)
{
	return -portable_log(random_uniform(stream));
}

/*
 * Normal with mean 0 and variance 1.  The polar method gives two at a time;
 * the second is dropped, because keeping it would make a stream's numbers
 * depend on who drew before.  s cannot be 0: u and v are odd multiples of
 * 2^-52.
 */
double
random_normal(RandomStream *stream)
{
	double u;
	double v;
	double s;

	do
	{
		u = 2 * random_uniform(stream) - 1;
		v = 2 * random_uniform(stream) - 1;
		s = u * u + v * v;
	} while (s >= 1);
	return u * sqrt(-2 * portable_log(s) / s);
}

/*
 * Gamma with the given shape > 0 and scale 1: mean = variance = shape.
 *
 * Marsaglia & Tsang: d (1 + c X)^3 with X normal, d = shape - 1/3 and
 * c = 1 / sqrt(9 d), taken with the probability of their section 3; a shape
 * below 1 is drawn with shape + 1 and multiplied by U^(1/shape) (section 6).
 */
double
random_gamma(RandomStream *stream, double shape)
{
	double boost = 1;
	double d;
	double c;

	if (shape < 1)
	{
		boost = portable_exp(-random_exponential(stream) / shape);
		shape += 1;
	}
	d = shape - 1.0 / 3;
	c = 1 / sqrt(9 * d);
	for (;;)
	{
		double x = random_normal(stream);
		double v = 1 + c * x;
		double u;

		if (v <= 0)
			continue;
		v = v * v * v;
		u = random_uniform(stream);
		if (u < 1 - 0.0331 * (x * x) * (x * x) ||
			portable_log(u) < 0.5 * x * x + d * (1 - v + portable_log(v)))
			return d * v * boost;
	}
}
