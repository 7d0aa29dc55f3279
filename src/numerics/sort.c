/*
 * sort.c
 *	  Sorting of doubles in linear time, and runs of equal values.
 *
 * The bits of an IEEE 754 double, read as an integer, order like the number
 * once the sign is taken care of: flip every bit of a negative number and the
 * sign bit of any other.  So a radix sort does: eight counting passes of one
 * byte each, of which those are left out in which all keys agree.  Days and
 * counts, stored as doubles, leave most of their mantissa zero and so cost
 * three or four passes.  No input makes it slower than eight.
 *
 * NaN has no place in the order and must not be passed in.  -0 sorts before
 * +0; callers who compare bytes should not have -0 at all.
 */
#include "numerics/sort.h"

#include <stdint.h>
#include <string.h>

#define DIGIT_BITS 8
#define DIGIT_VALUES (1 << DIGIT_BITS)
#define DIGITS (64 / DIGIT_BITS)

/* Below this, moving neighbours is quicker than clearing the counters. */
#define INSERTION_LIMIT 48

static inline uint64_t
load_key(const double *value)
{
	uint64_t	bits;

	memcpy(&bits, value, sizeof(bits));
	return bits ^ ((bits >> 63) ? UINT64_MAX : UINT64_C(1) << 63);
}

static void
sort_insertion(double *values, size_t count)
{
	for (size_t i = 1; i < count; i++)
	{
		double		value = values[i];
		size_t		at = i;

		while (at > 0 && values[at - 1] > value)
		{
			values[at] = values[at - 1];
			at--;
		}
		values[at] = value;
	}
}

/*
 * Sort `count` doubles ascending.  `scratch` has room for as many; it is not
 * touched for small counts.
 */
void
sort_doubles(double *values, double *scratch, size_t count, void (*interrupt)(void))
{
	size_t		histogram[DIGITS][DIGIT_VALUES];
	double	   *from = values;
	double	   *to = scratch;

	if (count <= INSERTION_LIMIT)
	{
		sort_insertion(values, count);
		return;
	}

	memset(histogram, 0, sizeof(histogram));
	for (size_t i = 0; i < count; i++)
	{
		uint64_t	key = load_key(&values[i]);

		for (int digit = 0; digit < DIGITS; digit++)
			histogram[digit][(key >> (digit * DIGIT_BITS)) & (DIGIT_VALUES - 1)]++;
	}

	for (int digit = 0; digit < DIGITS; digit++)
	{
		int			shift = digit * DIGIT_BITS;
		size_t	   *place = histogram[digit];
		size_t		before = 0;
		double	   *swap;

		/* all keys agree in this digit: nothing would move */
		if (place[(load_key(&from[0]) >> shift) & (DIGIT_VALUES - 1)] == count)
			continue;

		if (interrupt != NULL)
			interrupt();

		for (int i = 0; i < DIGIT_VALUES; i++)
		{
			size_t		here = place[i];

			place[i] = before;
			before += here;
		}
		for (size_t i = 0; i < count; i++)
			to[place[(load_key(&from[i]) >> shift) & (DIGIT_VALUES - 1)]++] = from[i];

		swap = from;
		from = to;
		to = swap;
	}

	if (from != values)
		memcpy(values, from, count * sizeof(double));
}

/*
 * Squeeze a sorted array to its distinct values, in place, and say for each
 * how many of the original values are at or below it.  Returns how many
 * distinct values there are.
 */
size_t
sort_distinct(double *sorted, double *through, size_t count)
{
	size_t		distinct = 0;

	for (size_t i = 0; i < count; i++)
	{
		if (distinct == 0 || sorted[i] != sorted[distinct - 1])
			sorted[distinct++] = sorted[i];
		through[distinct - 1] = (double) (i + 1);
	}
	return distinct;
}
