/*
 * limits.c
 *	  Where a share or a capacity ends: the least key of those who find a place.
 */
#include "tier/limits.h"

#include <math.h>
#include <stdlib.h>

static int
compare_descending(const void *a, const void *b)
{
	return tier_key_compare(b, a);
}

/* The best first. */
void
tier_keys_sort(TierKey *keys, size_t n)
{
	qsort(keys, n, sizeof(TierKey), compare_descending);
}

/*
 * The least key with which one is among the first so many of a sorted list.
 * Equal keys are all in or all out, and never more than there are places.
 */
TierKey
tier_least_key(const TierKey *sorted, size_t n, double places)
{
	TierKey key;
	size_t last;

	for (int i = 0; i < TIER_KEY_NUMBERS; i++)
		key.numbers[i] = places >= (double) n ? -INFINITY : INFINITY;
	if (places >= (double) n)
		return key;
	last = places > 0 ? (size_t) places : 0;
	while (last > 0 && tier_key_compare(&sorted[last - 1], &sorted[last]) == 0)
		last--;
	return last > 0 ? sorted[last - 1] : key;
}

/* Whole places of a share; 0.29 of 100 are 29, whatever binary fractions say. */
double
tier_places_of_share(double share, double customers)
{
	return floor(share * customers * (1 + 4e-16));
}
