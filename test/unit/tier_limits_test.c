/* Where shares and capacities end, against sorting. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tier/limits.h"

static int passed = 0;
static int failed = 0;

static void
check(int ok, const char *what)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		printf("failed: %s\n", what);
	}
}

static int
descending(const void *a, const void *b)
{
	return tier_key_compare(b, a);
}

int
main(void)
{
	TierKey keys[300];
	TierKey sorted[300];

	srand(7);
	for (int round = 0; round < 3000; round++)
	{
		int n = 1 + rand() % 300;
		int values = 1 + rand() % (round % 3 == 0 ? 3 : 200);
		double places = (rand() % 320) - 5 + (rand() % 2) * 0.5;
		int inside;
		TierKey least;
		int admitted = 0;

		memset(keys, 0, sizeof(keys));
		for (int i = 0; i < n; i++)
		{
			keys[i].numbers[0] = rand() % values;
			keys[i].numbers[1] = round % 2 ? rand() % 3 : 0;
		}
		memcpy(sorted, keys, sizeof(keys));
		qsort(sorted, n, sizeof(TierKey), descending);
		inside = places >= n ? n : places < 0 ? 0 : (int) places;
		while (inside > 0 && inside < n && tier_key_compare(&sorted[inside - 1], &sorted[inside]) == 0)
			inside--;
		least = tier_least_key(keys, n, places);
		for (int i = 0; i < n; i++)
			admitted += tier_key_compare(&keys[i], &least) >= 0;
		check(admitted == inside, "as many as sorting admits");
		check(inside == 0 || inside == n || tier_key_compare(&least, &sorted[inside - 1]) == 0, "the least key of them");
		qsort(keys, n, sizeof(TierKey), descending);
		check(memcmp(keys, sorted, n * sizeof(TierKey)) == 0, "no key is lost");
	}
	check(isinf(tier_least_key(keys, 0, 0).numbers[0]), "of nobody");
	for (int customers = 1; customers <= 10000; customers += 7)
		for (int percent = 1; percent <= 100; percent++)
			check(tier_places_of_share(percent / 100.0, customers) == customers * percent / 100, "whole places of a share");
	printf("tier_limits_test: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
