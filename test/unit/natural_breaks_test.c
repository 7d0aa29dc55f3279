/*
 * natural_breaks_test.c
 *	  natural_breaks against all divisions there are, in whole numbers.
 */
#include "numerics/natural_breaks.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 9					/* distinct values of the exhaustive checks */

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
	printf("natural_breaks: FAILED %s\n", what);
}

static uint64_t seed = 20241231;

static uint64_t
next_random(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static int
run(const double *values, const double *through, size_t distinct, int classes, double *cuts)
{
	void	   *workspace = malloc(natural_breaks_workspace(distinct, classes));
	int			count = natural_breaks(values, through, distinct, classes, cuts, workspace, NULL);

	free(workspace);
	return count;
}

/* ---------- exhaustive: sums of squares as fractions of whole numbers ---------- */

typedef struct Fraction
{
	__int128	top;
	__int128	bottom;
} Fraction;

static __int128
common_divisor(__int128 a, __int128 b)
{
	while (b != 0)
	{
		__int128	rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

static Fraction
add(Fraction a, Fraction b)
{
	Fraction	r = {a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom};
	__int128	divisor = common_divisor(r.top, r.bottom);

	r.top /= divisor;
	r.bottom /= divisor;
	return r;
}

static int
less(Fraction a, Fraction b)
{
	return a.top * b.bottom < b.top * a.bottom;
}

static Fraction
exact_cost(const int *values, const int *weights, int from, int to)
{
	__int128	w = 0;
	__int128	s = 0;
	__int128	q = 0;
	Fraction	r;

	for (int i = from; i < to; i++)
	{
		w += weights[i];
		s += (__int128) weights[i] * values[i];
		q += (__int128) weights[i] * values[i] * values[i];
	}
	r.top = q * w - s * s;
	r.bottom = w;
	return r;
}

/*
 * Go through all divisions in the order of their cuts, lowest cut first, and
 * keep the first of the cheapest.
 */
static void
search(const int *values, const int *weights, int distinct, int classes, int from,
	   Fraction cost, int *ends, int depth, int *best, Fraction *best_cost, int *found)
{
	if (depth == classes - 1)
	{
		cost = add(cost, exact_cost(values, weights, from, distinct));
		if (!*found || less(cost, *best_cost))
		{
			*found = 1;
			*best_cost = cost;
			memcpy(best, ends, sizeof(int) * (size_t) depth);
		}
		return;
	}
	for (int end = from + 1; end <= distinct - (classes - 1 - depth); end++)
	{
		ends[depth] = end;
		search(values, weights, distinct, classes, end,
			   add(cost, exact_cost(values, weights, from, end)), ends, depth + 1, best,
			   best_cost, found);
	}
}

static int
agrees_with_search(const int *values, const int *weights, int distinct, int classes,
				   double scale, double offset)
{
	double		x[SMALL];
	double		through[SMALL];
	double		cuts[SMALL];
	double		rows = 0;
	int			ends[SMALL];
	int			best[SMALL];
	Fraction	zero = {0, 1};
	Fraction	best_cost;
	int			found = 0;
	int			count;

	for (int i = 0; i < distinct; i++)
	{
		rows += weights[i];
		x[i] = values[i] * scale + offset;
		through[i] = rows;
	}
	count = run(x, through, (size_t) distinct, classes, cuts);
	if (classes >= distinct)
	{
		for (int i = 0; i < distinct - 1; i++)
			if (cuts[i] != x[i])
				return 0;
		return count == distinct - 1;
	}
	search(values, weights, distinct, classes, 0, zero, ends, 0, best, &best_cost, &found);
	for (int i = 0; i < classes - 1; i++)
		if (cuts[i] != x[best[i] - 1])
			return 0;
	return count == classes - 1;
}

/* Random small data, with many ties on purpose. */
static void
check_against_search(void)
{
	/* offsets and scales that keep whole numbers exact, far out and near 0 */
	static const double scales[] = {1, 1, 0x1p-1060, 0x1p1010, 1};
	static const double offsets[] = {0, 1e9, 0, 0, -4503599627370000.0};
	int			ok = 1;

	for (int round = 0; round < 20000; round++)
	{
		int			values[SMALL];
		int			weights[SMALL];
		int			distinct = 1 + (int) (next_random() % SMALL);
		int			classes = 2 + (int) (next_random() % 6);
		int			gaps = 1 + (int) (next_random() % 3);
		int			weight_limit = next_random() % 2 ? 1 : 1 + (int) (next_random() % 5);
		int			how = round % 5;
		int			value = -(int) (next_random() % 20);

		for (int i = 0; i < distinct; i++)
		{
			values[i] = value;
			weights[i] = 1 + (int) (next_random() % (uint64_t) weight_limit);
			value += 1 + (int) (next_random() % (uint64_t) gaps);
		}
		if (!agrees_with_search(values, weights, distinct, classes, scales[how], offsets[how]))
			ok = 0;
	}
	check(ok, "20000 small inputs equal the exhaustive search, ties included");
}

/* ---------- larger: an O(k d^2) programme over the same costs ---------- */

/* Whole numbers below 2^20 and few thousand rows: long double is exact enough. */
static void
check_against_quadratic(void)
{
	enum
	{
	DISTINCT = 700, CLASSES = 7};
	static double x[DISTINCT];
	static double through[DISTINCT];
	static long double s[DISTINCT + 1];
	static long double q[DISTINCT + 1];
	static long double cost[CLASSES + 1][DISTINCT + 1];
	double		cuts[CLASSES];
	int			ok = 1;

	for (int round = 0; round < 5; round++)
	{
		double		value = 0;
		double		rows = 0;
		long double mine = 0;
		int			count;
		size_t		from = 0;

		for (int i = 0; i < DISTINCT; i++)
		{
			double		weight = 1 + (double) (next_random() % 4);

			value += 1 + (double) (next_random() % (round % 2 ? 1000 : 3));
			rows += weight;
			x[i] = value;
			through[i] = rows;
			s[i + 1] = s[i] + (long double) weight * x[i];
			q[i + 1] = q[i] + (long double) weight * x[i] * x[i];
		}
#define COST(a, b) \
	(q[b] - q[a] - (s[b] - s[a]) * (s[b] - s[a]) / (through[(b) - 1] - ((a) > 0 ? through[(a) - 1] : 0)))
		for (int j = 1; j <= DISTINCT; j++)
			cost[1][j] = COST(0, j);
		for (int c = 2; c <= CLASSES; c++)
			for (int j = c; j <= DISTINCT; j++)
			{
				cost[c][j] = INFINITY;
				for (int i = c - 1; i < j; i++)
					if (cost[c - 1][i] + COST(i, j) < cost[c][j])
						cost[c][j] = cost[c - 1][i] + COST(i, j);
			}

		count = run(x, through, DISTINCT, CLASSES, cuts);
		for (int c = 0; c <= count; c++)
		{
			size_t		to = DISTINCT;

			if (c < count)
				for (to = from; x[to] <= cuts[c]; to++)
					;
			mine += COST(from, to);
			from = to;
		}
		if (count != CLASSES - 1 ||
			fabsl(mine - cost[CLASSES][DISTINCT]) > 1e-12L * cost[CLASSES][DISTINCT])
			ok = 0;
	}
	check(ok, "700 values in 7 classes cost as little as the quadratic programme");
}

/* ---------- known answers ---------- */

static void
check_known(void)
{
	double		through[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	double		cuts[8];

	{
		double		x[3] = {1, 2, 3};

		run(x, through, 3, 2, cuts);
		check(cuts[0] == 1, "a tie is broken by the smaller cut");
	}
	{
		/* {1 2} {3} {4} {5 6} ... many optima: the lowest first cut wins */
		double		x[6] = {1, 2, 3, 4, 5, 6};

		run(x, through, 6, 4, cuts);
		check(cuts[0] == 1 && cuts[1] == 2 && cuts[2] == 4,
			  "among many optima the lowest first cut, then the lowest second");
	}
	{
		/* one unit in the last place decides against the smaller cut */
		double		x[3] = {1, 2, nextafter(3, 4)};

		run(x, through, 3, 2, cuts);
		check(cuts[0] == 2, "a difference of one unit in the last place is no tie");
	}
	{
		double		x[3] = {1 - 0x1p-53, 2, 3};

		run(x, through, 3, 2, cuts);
		check(cuts[0] == x[0], "and neither is it on the other side");
	}
	{
		/* too close for plain doubles; the answers are from exact fractions */
		double		x[4] = {0x1.ffffffffffffep-1, 2, 4, 0x1.4000000000001p+2};

		run(x, through, 4, 3, cuts);
		check(cuts[0] == 2 && cuts[1] == 4, "near ties are decided beyond doubles");
	}
	{
		double		x[5] = {0x1.0000000000001p+1, 0x1.ffffffffffffep+1, 5, 0x1.8000000000002p+2, 8};

		run(x, through, 5, 2, cuts);
		check(cuts[0] == 5, "near ties of larger classes, too");
	}
	{
		double		x[4] = {-1.7e308, -1.6e308, 1.6e308, 1.7e308};

		run(x, through, 4, 2, cuts);
		check(cuts[0] == -1.6e308, "the largest numbers do not overflow");
	}
	{
		double		x[4] = {0, 5e-324, 1e-322, 1.1e-322};

		run(x, through, 4, 2, cuts);
		check(cuts[0] == 5e-324, "the smallest numbers do not vanish");
	}
	{
		double		x[6] = {1e9, 1e9 + 1, 1e9 + 2, 1e9 + 10, 1e9 + 11, 1e9 + 12};

		run(x, through, 6, 2, cuts);
		check(cuts[0] == 1e9 + 2, "an offset does not hide the classes");
	}
	{
		double		x[1] = {7};

		check(run(x, through, 1, 5, cuts) == 0, "one value has no cut");
	}
}

/* Evenly spaced values in many sizes: every layer is full of ties. */
static void
check_even(void)
{
	int			ok = 1;

	for (int distinct = 3; distinct <= SMALL; distinct++)
		for (int classes = 2; classes < distinct; classes++)
		{
			int			values[SMALL];
			int			weights[SMALL];

			for (int i = 0; i < distinct; i++)
			{
				values[i] = 3 * i;
				weights[i] = 1;
			}
			if (!agrees_with_search(values, weights, distinct, classes, 1, 0))
				ok = 0;
		}
	check(ok, "evenly spaced values, all of whose ties go to the smaller cuts");
}

int
main(void)
{
	check_known();
	check_even();
	check_against_search();
	check_against_quadratic();
	printf("natural_breaks: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
