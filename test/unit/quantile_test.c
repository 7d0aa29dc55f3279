/*
 * quantile_test.c
 *	  Sorting, and the cuts made from a sorted array.
 */
#include "numerics/quantile.h"
#include "numerics/sort.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
	printf("quantile: FAILED %s\n", what);
}

static uint64_t seed = 7;

static uint64_t
next_random(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Values of a kind: days, any bits, few, heavy ties, extremes. */
static double
next_value(int kind)
{
	static const double extremes[] = {-INFINITY, -DBL_MAX, -1, -0x1p-1074, 0,
									  0x1p-1074, DBL_MIN, 1, DBL_MAX, INFINITY};
	uint64_t	bits = next_random();
	double		value;

	switch (kind)
	{
		case 0:
			return (double) (bits % 730);
		case 1:
			memcpy(&value, &bits, sizeof(value));
			return isnan(value) ? 0.5 : value + 0.0;
		case 2:
			return (double) (bits % 3) - 1;
		case 3:
			return bits % 10 ? 1 : (double) (bits % 1000) / 8;
		default:
			return extremes[bits % 10];
	}
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
check_sort(void)
{
	int			ok = 1;

	for (int kind = 0; kind < 5; kind++)
		for (size_t count = 1; count <= 5000; count = count < 60 ? count + 1 : count * 2)
		{
			double	   *mine = malloc(count * sizeof(double));
			double	   *other = malloc(count * sizeof(double));
			double	   *scratch = malloc(count * sizeof(double));

			for (size_t i = 0; i < count; i++)
				mine[i] = other[i] = next_value(kind);
			sort_doubles(mine, scratch, count, NULL);
			qsort(other, count, sizeof(double), compare_doubles);
			if (memcmp(mine, other, count * sizeof(double)) != 0)
				ok = 0;
			free(mine);
			free(other);
			free(scratch);
		}
	check(ok, "sorts like qsort, every kind and size");
}

static void
check_distinct(void)
{
	double		values[] = {1, 1, 2, 5, 5, 5, 9};
	double		through[7];
	size_t		distinct = sort_distinct(values, through, 7);

	check(distinct == 4 && values[0] == 1 && values[1] == 2 && values[2] == 5 && values[3] == 9,
		  "distinct values");
	check(through[0] == 2 && through[1] == 3 && through[2] == 6 && through[3] == 7,
		  "and how many are at or below each");
}

/* The rank that percentile_disc takes is the least whose share reaches k / n. */
static void
check_rank(void)
{
	check(quantile_rank(1, 5, 10) == 2, "a fifth of ten");
	check(quantile_rank(1, 5, 11) == 3, "a fifth of eleven is above two");
	check(quantile_rank(1, 5, 1) == 1 && quantile_rank(4, 5, 1) == 1, "all ranks of one row");
	check(quantile_rank(7, 25, 25) == 8, "7/25 of 25 rows, in doubles, is above 7");
	check(quantile_rank(999, 1000, INT64_C(1) << 40) <= INT64_C(1) << 40, "never past the end");
}

static int
score_of(double value, const double *cuts, int n)
{
	int			score = 1;

	for (int i = 0; i < n - 1; i++)
		score += cuts[i] < value;
	return score;
}

/* The definition of balanced cuts, counted out value by value. */
static void
balanced_slowly(const double *sorted, int count, int n, double *cuts)
{
	double		largest = sorted[count - 1];
	int			taken = 0;

	for (int bins = n; bins >= 2; bins--)
	{
		int			share = (count - taken + bins - 1) / bins;
		double		cut = share > 0 ? sorted[taken + share - 1] : largest;

		if (cut == largest)
		{
			cut = sorted[0];
			for (int i = 0; i < count && sorted[i] < largest; i++)
				cut = sorted[i];
		}
		cuts[n - bins] = cut;
		for (taken = 0; taken < count && sorted[taken] <= cut; taken++)
			;
	}
}

static void
check_balanced(void)
{
	double		sixty_forty[] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2};
	double		equal[] = {3, 3, 3};
	double		cuts[1000];
	int			definition_ok = 1;
	int			best_ok = 1;
	int			order_ok = 1;

	balanced_cuts(sixty_forty, 10, 5, cuts);
	check(cuts[0] == 1 && cuts[1] == 1 && cuts[2] == 1 && cuts[3] == 1, "60 and 40 per cent");
	balanced_cuts(equal, 3, 5, cuts);
	check(cuts[0] == 3 && cuts[3] == 3 && score_of(3, cuts, 5) == 1, "all equal");

	for (int round = 0; round < 3000; round++)
	{
		double		values[300];
		double		scratch[300];
		double		slow[1000];
		int			count = 1 + (int) (next_random() % 300);
		int			n = 2 + (int) (next_random() % (round % 50 ? 10 : 999));
		int			kind = round % 5;

		for (int i = 0; i < count; i++)
			values[i] = next_value(kind);
		sort_doubles(values, scratch, (size_t) count, NULL);
		balanced_cuts(values, count, n, cuts);
		balanced_slowly(values, count, n, slow);
		if (memcmp(cuts, slow, sizeof(double) * (size_t) (n - 1)) != 0)
			definition_ok = 0;
		if (values[0] != values[count - 1] && score_of(values[count - 1], cuts, n) != n)
			best_ok = 0;
		for (int i = 1; i < n - 1; i++)
			if (cuts[i] < cuts[i - 1])
				order_ok = 0;
	}
	check(definition_ok, "3000 populations, counted out value by value");
	check(best_ok, "the largest value has the top score unless all are equal");
	check(order_ok, "cuts ascend");
}

int
main(void)
{
	check_sort();
	check_distinct();
	check_rank();
	check_balanced();
	printf("quantile: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
