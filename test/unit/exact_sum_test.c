/*
 * exact_sum_test.c
 *	  exact_sum: known sums, any order, any parts, the edges of the range.
 */
#include "numerics/exact_sum.h"

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
	printf("exact_sum: FAILED %s\n", what);
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

static double
mean_of(const double *values, int count)
{
	ExactSum	sum;

	exact_sum_init(&sum);
	for (int i = 0; i < count; i++)
		exact_sum_add(&sum, values[i]);
	return exact_sum_mean(&sum, count);
}

static double
sum_of(const double *values, int count)
{
	ExactSum	sum;
	int			exponent;
	double		fraction;

	exact_sum_init(&sum);
	for (int i = 0; i < count; i++)
		exact_sum_add(&sum, values[i]);
	fraction = exact_sum_fraction(&sum, &exponent);
	return ldexp(fraction, exponent);
}

static void
check_known(void)
{
	double		cancel[] = {1e308, 1, -1e308, 1e-300, 1};
	double		tie_even[] = {0x1p53, 1};
	double		tie_odd[] = {0x1p53 + 2, 1};
	double		above_tie[] = {0x1p53, 1, 0x1p-1074};
	double		below_tie[] = {0x1p53, 1, -0x1p-1074};
	double		negative[] = {-0x1p53, -1, -0x1p-1074};
	double		round_up[] = {0x1p54 - 2, 1};
	double		tiny[] = {0x1p-1074, 0x1p-1074, 0x1p-1074};
	double		huge[] = {DBL_MAX, DBL_MAX, DBL_MAX};
	double		rounds_out[] = {DBL_MAX, 0x1p970};
	double		huge_negative[] = {-DBL_MAX, -DBL_MAX, DBL_MAX, -DBL_MAX};
	double		border[] = {DBL_MIN, -0x1p-1074};
	double		nothing[] = {5.5, -5.5};

	check(sum_of(cancel, 5) == 2, "what cancels leaves the rest");
	check(sum_of(tie_even, 2) == 0x1p53, "half way goes to the even side, down");
	check(sum_of(tie_odd, 2) == 0x1p53 + 4, "half way goes to the even side, up");
	check(sum_of(above_tie, 3) == 0x1p53 + 2, "the last bit lifts it above half way");
	check(sum_of(below_tie, 3) == 0x1p53, "the last bit keeps it below half way");
	check(sum_of(negative, 3) == -0x1p53 - 2, "negative sums round alike");
	check(sum_of(round_up, 2) == 0x1p54, "rounding into the next power of two");
	check(sum_of(tiny, 3) == 3 * 0x1p-1074, "the smallest numbers");
	check(mean_of(huge, 3) == DBL_MAX, "a mean is in range where the sum is not");
	check(mean_of(rounds_out, 2) == 0x1p1023, "a sum that rounds out of range");
	check(mean_of(huge_negative, 4) == -DBL_MAX / 2, "negative, out of range");
	check(sum_of(border, 2) == DBL_MIN - 0x1p-1074, "between normal and subnormal");
	check(sum_of(nothing, 2) == 0, "nothing left is 0");
}

/* Sums of doubles that are exact in 128 bits, in all orders and parts. */
static void
check_random(void)
{
	int			order_ok = 1;
	int			merge_ok = 1;
	int			value_ok = 1;

	for (int round = 0; round < 300; round++)
	{
		enum
		{
		COUNT = 200};
		double		values[COUNT];
		__int128	total = 0;
		ExactSum	forward;
		ExactSum	backward;
		ExactSum	parts[3];
		int			exponent;

		exact_sum_init(&forward);
		exact_sum_init(&backward);
		for (int p = 0; p < 3; p++)
			exact_sum_init(&parts[p]);
		for (int i = 0; i < COUNT; i++)
		{
			int			shift = (int) (next_random() % 60);
			__int128	whole = (__int128) (next_random() >> 11) << shift;

			if (next_random() % 2)
				whole = -whole;
			total += whole;
			values[i] = ldexp((double) whole, -90);	/* 53 bits, shifted: exact */
		}
		for (int i = 0; i < COUNT; i++)
		{
			exact_sum_add(&forward, values[i]);
			exact_sum_add(&backward, values[COUNT - 1 - i]);
			exact_sum_add(&parts[next_random() % 3], values[i]);
		}
		exact_sum_merge(&parts[2], &parts[0]);
		exact_sum_merge(&parts[1], &parts[2]);
		exact_sum_carry(&forward);
		exact_sum_carry(&backward);
		if (memcmp(forward.digit, backward.digit, sizeof(forward.digit)) != 0)
			order_ok = 0;
		if (memcmp(forward.digit, parts[1].digit, sizeof(forward.digit)) != 0)
			merge_ok = 0;
		/* the compiler's conversion of a 128-bit integer rounds to nearest even */
		{
			double		fraction = exact_sum_fraction(&forward, &exponent);

			if (ldexp(fraction, exponent) != ldexp((double) total, -90))
				value_ok = 0;
		}
	}
	check(order_ok, "backwards gives the same digits");
	check(merge_ok, "parts, merged in any order, give the same digits");
	check(value_ok, "equals the sum in 128 bits, rounded once");
}

/* More additions than fit between two carries must not overflow a digit. */
static void
check_carry(void)
{
	ExactSum	sum;
	int			exponent;
	double		fraction;

	exact_sum_init(&sum);
	sum.pending = (UINT32_C(1) << 29) - 2;
	for (int i = 0; i < 4; i++)
		exact_sum_add(&sum, 0x1p53 - 1);
	check(sum.pending == 2, "a carry is due after 2^29 additions");
	fraction = exact_sum_fraction(&sum, &exponent);
	check(ldexp(fraction, exponent) == 0x1p55 - 4, "and changes nothing");
}

int
main(void)
{
	check_known();
	check_random();
	check_carry();
	printf("exact_sum: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
