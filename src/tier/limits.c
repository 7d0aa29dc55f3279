/*
 * limits.c
 *	  Where a share or a capacity ends: the least key of those who find a place.
 */
#include "tier/limits.h"

#include <math.h>

static void
swap(TierKey *a, TierKey *b)
{
	TierKey key = *a;

	*a = *b;
	*b = key;
}

/* The middle one of the first, the middle and the last key. */
static TierKey
median_of_three(const TierKey *keys, size_t low, size_t high)
{
	const TierKey *a = &keys[low];
	const TierKey *b = &keys[low + (high - low) / 2];
	const TierKey *c = &keys[high];

	if (tier_key_compare(a, b) < 0)
	{
		const TierKey *lesser = a;

		a = b;
		b = lesser;
	}
	if (tier_key_compare(b, c) >= 0)
		return *b;
	return tier_key_compare(a, c) < 0 ? *a : *c;
}

/*
 * Bring the n-th best key to its place, better ones before it (Hoare's
 * selection).
 */
static void
select_best(TierKey *keys, size_t count, size_t nth)
{
	size_t low = 0;
	size_t high = count - 1;

	while (low < high)
	{
		TierKey pivot = median_of_three(keys, low, high);
		size_t i = low;
		size_t j = high;

		for (;;)
		{
			while (tier_key_compare(&keys[i], &pivot) > 0)
				i++;
			while (tier_key_compare(&keys[j], &pivot) < 0)
				j--;
			if (i >= j)
				break;
			swap(&keys[i++], &keys[j--]);
		}
		if (nth <= j && j < high)
			high = j;
		else if (nth > j)
			low = j + 1;
		else
			high--;
	}
}

/*
 * The least key with which one is among the first so many; the keys are put in another order.
 * Equal keys are all in or all out, and never more than there are places.
 */
TierKey
tier_least_key(TierKey *keys, size_t n, double places)
{
	TierKey least;
	TierKey outside;
	size_t inside;

	for (int i = 0; i < TIER_KEY_NUMBERS; i++)
		least.numbers[i] = places >= (double) n ? -INFINITY : INFINITY;
	if (places >= (double) n || places < 1)
		return least;
	inside = (size_t) places;
	select_best(keys, n, inside);
	outside = keys[inside];
	for (size_t i = 0; i < inside; i++)
		if (tier_key_compare(&keys[i], &outside) > 0 && tier_key_compare(&keys[i], &least) < 0)
			least = keys[i];
	return least;
}

/* Whole places of a share; 0.29 of 100 are 29, whatever binary fractions say. */
double
tier_places_of_share(double share, double customers)
{
	return floor(share * customers * (1 + 4e-16));
}
