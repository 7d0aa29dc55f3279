/*
 * exact_moments_test.c
 *	  exact_moments: known deviations, any order, any parts, far from zero, the
 *	  edges of the range.
 */
#include "numerics/exact_moments.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int	passed = 0;
static int	failed = 0;

static void
check(int ok, const char *what)
{
	if (ok)
	{
		passed++;
		return;
	}
	failed++;
	printf("exact_moments: FAILED %s\n", what);
}

static uint64_t seed = 1;

static uint64_t
next_random(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static void
add_all(ExactMoments *moments, const double *values, int count)
{
	exact_moments_init(moments);
	for (int i = 0; i < count; i++)
		exact_moments_add(moments, values[i]);
}

static double
deviation_of(const double *values, int count)
{
	ExactMoments moments;

	add_all(&moments, values, count);
	return exact_moments_deviation(&moments);
}

static double
mean_of(const double *values, int count)
{
	ExactMoments moments;

	add_all(&moments, values, count);
	return exact_moments_mean(&moments);
}

static int
is_near(double value, double expected, double tolerance)
{
	return fabs(value - expected) <= tolerance * fabs(expected);
}

static void
check_known(void)
{
	double		textbook[] = {2, 4, 4, 4, 5, 5, 7, 9};
	double		negative[] = {-2, -4, -4, -4, -5, -5, -7, -9};
	double		one[] = {-0.1};
	double		far[] = {1e15 + 4, 1e15 + 7, 1e15 + 13, 1e15 + 16};
	double		neighbours[] = {1, 1 + DBL_EPSILON};
	double		huge[] = {DBL_MAX, -DBL_MAX};
	double		huge_equal[] = {DBL_MAX, DBL_MAX, DBL_MAX};
	double		tiny[] = {0, 0x1p-1073};
	double		tiny_equal[] = {0x1p-1074, 0x1p-1074, 0x1p-1074};
	double		wide[] = {1e300, 1e-300, 1e300, 1e-300};
	double		zeros[] = {0.0, -0.0, 0.0};

	check(mean_of(textbook, 8) == 5, "mean of a textbook's example");
	check(deviation_of(textbook, 8) == 2, "deviation of a textbook's example");
	check(deviation_of(negative, 8) == 2, "deviation of negative values");
	check(mean_of(negative, 8) == -5, "mean of negative values");
	check(mean_of(one, 1) == -0.1, "mean of one value");
	check(deviation_of(one, 1) == 0, "one value does not deviate");
	check(is_near(deviation_of(far, 4), sqrt(22.5), 1e-15), "far from zero");
	check(mean_of(far, 4) == 1e15 + 10, "mean far from zero");
	check(deviation_of(neighbours, 2) == DBL_EPSILON / 2, "neighbouring doubles");
	check(deviation_of(huge, 2) == DBL_MAX, "the largest doubles");
	check(deviation_of(huge_equal, 3) == 0, "equal largest doubles");
	check(mean_of(huge_equal, 3) == DBL_MAX, "mean of equal largest doubles");
	check(deviation_of(tiny, 2) == 0x1p-1074, "the smallest doubles");
	check(deviation_of(tiny_equal, 3) == 0, "equal smallest doubles");
	check(is_near(deviation_of(wide, 4), 5e299, 1e-15), "from one end to the other");
	check(deviation_of(zeros, 3) == 0 && !signbit(mean_of(zeros, 3)), "zeros of both signs");
}

/* Equal values: their mean to the last bit, and a deviation of 0. */
static void
check_equal(void)
{
	int			mean_ok = 1;
	int			deviation_ok = 1;

	for (int round = 0; round < 2000; round++)
	{
		ExactMoments moments;
		double		value = ldexp((double) (int64_t) next_random(), (int) (next_random() % 80) - 60);
		int			count = 1 + (int) (next_random() % 400);

		exact_moments_init(&moments);
		for (int i = 0; i < count; i++)
			exact_moments_add(&moments, value);
		mean_ok &= exact_moments_mean(&moments) == value;
		deviation_ok &= exact_moments_deviation(&moments) == 0;
	}
	check(mean_ok, "the mean of equal values");
	check(deviation_ok, "the deviation of equal values");
}

/* Against whole numbers of 128 bits; in another order; in parts. */
static void
check_random(void)
{
	enum
	{
	COUNT = 300};
	int			value_ok = 1;
	int			order_ok = 1;
	int			parts_ok = 1;

	for (int round = 0; round < 300; round++)
	{
		double		values[COUNT];
		double		backward[COUNT];
		ExactMoments whole;
		ExactMoments other;
		ExactMoments parts[3];
		__int128	sum = 0;
		__int128	squares = 0;
		int			bits = 1 + round % 40;
		int64_t		centre = round % 3 == 0 ? 0 : (int64_t) (next_random() >> 14);
		double		expected;

		for (int i = 0; i < COUNT; i++)
		{
			int64_t		value = centre + (int64_t) (next_random() >> (64 - bits)) - (INT64_C(1) << (bits - 1));

			if (round % 2 == 0)
				value = -value;
			sum += value;
			squares += (__int128) value * value;
			values[i] = backward[COUNT - 1 - i] = (double) value;
		}
		add_all(&whole, values, COUNT);
		/* n Q - S^2 fits, and its root is taken in long double */
		expected = (double) (sqrtl((long double) (squares * COUNT - sum * sum)) / COUNT);
		value_ok &= is_near(exact_moments_deviation(&whole), expected, 1e-15);
		value_ok &= is_near(exact_moments_mean(&whole), (double) ((long double) sum / COUNT), 3e-16);

		add_all(&other, backward, COUNT);
		exact_moments_carry(&other);
		exact_moments_carry(&whole);
		order_ok &= memcmp(other.squares, whole.squares, sizeof(whole.squares)) == 0;
		order_ok &= exact_moments_mean(&other) == exact_moments_mean(&whole);

		for (int p = 0; p < 3; p++)
			exact_moments_init(&parts[p]);
		for (int i = 0; i < COUNT; i++)
			exact_moments_add(&parts[next_random() % 3], values[i]);
		exact_moments_merge(&parts[2], &parts[0]);
		exact_moments_merge(&parts[2], &parts[1]);
		parts_ok &= parts[2].count == COUNT;
		parts_ok &= memcmp(parts[2].squares, whole.squares, sizeof(whole.squares)) == 0;
		parts_ok &= exact_moments_deviation(&parts[2]) == exact_moments_deviation(&whole);
		parts_ok &= exact_moments_mean(&parts[2]) == exact_moments_mean(&whole);
	}
	check(value_ok, "against whole numbers");
	check(order_ok, "in another order");
	check(parts_ok, "in parts");
}

/* A power of 2 as unit changes nothing but the exponent. */
static void
check_scaled(void)
{
	double		values[50];
	double		deviation;
	int			ok = 1;

	for (int i = 0; i < 50; i++)
		values[i] = (double) (int64_t) (next_random() >> 12) - 0x1p51;
	deviation = deviation_of(values, 50);
	for (int e = -1060; e <= 960; e += 13)
	{
		double		scaled[50];

		for (int i = 0; i < 50; i++)
			scaled[i] = ldexp(values[i], e);
		ok &= deviation_of(scaled, 50) == ldexp(deviation, e);
	}
	check(ok, "every exponent");
}

int
main(void)
{
	check_known();
	check_equal();
	check_random();
	check_scaled();
	printf("exact_moments: %d passed, %d failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
