/*
 * decimal_test.c
 *	  decimal_to_double: the same bits as strtod, on ties, on powers of two and
 *	  on numbers of every length.
 */
#include "numerics/decimal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 uint128;

static int	passed = 0;
static int	failed = 0;

static uint64_t seed = 1;

static uint64_t
next_random(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* The digits of units, then how many of them are decimals. */
static void
check(uint128 units, int decimals)
{
	char		text[64];
	char	   *at = text + sizeof(text) - 8;
	uint128		rest = units;
	double		expected;
	double		got;

	sprintf(at, "e-%d", decimals);
	do
	{
		*--at = '0' + (char) (rest % 10);
		rest /= 10;
	} while (rest != 0);

	expected = strtod(at, NULL);
	got = decimal_to_double(units, decimals);
	if (memcmp(&expected, &got, sizeof(double)) == 0)
		passed++;
	else if (failed++ < 20)
		printf("decimal: FAILED %s: %.17g, not %.17g\n", at, got, expected);
}

int
main(void)
{
	uint128		ten = 1;

	for (int decimals = 0; decimals <= DECIMAL_MAX_SCALE; decimals++)
	{
		/* powers of two and their neighbours */
		for (int bit = 0; bit < 128; bit++)
		{
			uint128		two = (uint128) 1 << bit;

			check(two, decimals);
			check(two - 1, decimals);
			check(two + 1, decimals);
		}
		/* half way between two doubles, and next to it: (2m + 1) * 2^e * 10^decimals */
		for (int i = 0; i < 2000; i++)
		{
			uint128		middle = ((next_random() >> 11) | UINT64_C(1) << 52) * 2 + 1;
			int			room;

			if (ten > ~(uint128) 0 / middle)
				continue;
			middle *= ten;
			room = middle >> 64 ? __builtin_clzll((uint64_t) (middle >> 64)) : 63;
			middle <<= next_random() % (uint64_t) (room + 1);
			check(middle, decimals);
			check(middle - 1, decimals);
			check(middle + 1, decimals);
		}
		/* any number of any length */
		for (int i = 0; i < 10000; i++)
		{
			uint128		units = (uint128) next_random() << 64 | next_random();

			check(units >> (next_random() % 128), decimals);
		}
		check(~(uint128) 0, decimals);
		ten *= 10;
	}

	printf("decimal: %d passed, %d failed\n", passed, failed);
	return failed != 0;
}
