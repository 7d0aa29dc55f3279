/*
 * combination_test.c
 *	  combination: TOPSIS and the geometric mean at their ends, Shapley values
 *	  against the mean over all orders.
 */
#include "numerics/combination.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

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
	printf("combination: FAILED %s\n", what);
}

static uint64_t seed = 1;

/* In 0 .. 1. */
static double
next_uniform(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void
check_topsis(void)
{
	double		norm[] = {3, 0, 10};
	double		best[] = {5, 7, 1};
	double		worst[] = {1, 7, 9};
	double		weights[] = {1, 5, 0.3};
	double		halved[] = {0.5, 2.5, 0.15};
	double		beyond[] = {99, 7, -99};
	double		between[] = {4, 7, 2};
	double		none[] = {0, 0, 0};
	bool		second[] = {true, false, true};
	bool		all[] = {true, true, true};
	TopsisScale scale = {norm, best, worst};

	check(topsis_closeness(best, NULL, weights, &scale, 3) == 1, "the ideal");
	check(topsis_closeness(worst, NULL, weights, &scale, 3) == 0, "the anti-ideal");
	check(topsis_closeness(beyond, NULL, weights, &scale, 3) == 1, "held between the two");
	check(topsis_closeness(between, NULL, weights, &scale, 3) ==
			  topsis_closeness(between, NULL, halved, &scale, 3),
		  "halved weights");
	check(topsis_closeness(between, second, weights, &scale, 3) == 0.5, "nothing to tell");
	check(isnan(topsis_closeness(between, all, weights, &scale, 3)), "nothing there");
	check(isnan(topsis_closeness(between, NULL, none, &scale, 3)), "nothing that counts");
}

static void
check_geometric(void)
{
	int			off = 0;

	for (int round = 0; round < 1000; round++)
	{
		double		point = 1 + 99 * next_uniform();
		DoubleDouble logs[5];
		double		weights[5];

		for (int i = 0; i < 5; i++)
		{
			logs[i] = geometric_log(point);
			weights[i] = next_uniform();
		}
		off += geometric_mean(logs, NULL, weights, 5) != point;
	}
	check(off == 0, "equal points are their mean");
	check(geometric_log(-3).hi == 0, "points are floored at 1");
}

/* A game without symmetry, and each member's part as the mean over all orders. */
static double
score_game(void *context, unsigned int subset)
{
	double		sum = 0;

	(void) context;
	for (int i = 0; i < 5; i++)
		if (subset >> i & 1)
			sum += i + 1;
	return sum * sum + (subset & 3 ? 7 : 0) - (subset & 16 ? sum : 0);
}

static void
add_orders(double *values, unsigned int before, int left, int *orders)
{
	if (left == 0)
		(*orders)++;
	for (int i = 0; i < 5; i++)
		if (!(before >> i & 1))
		{
			/* each order below this step counts the step once */
			int			below = 1;

			for (int k = 2; k < left; k++)
				below *= k;
			values[i] += below * (score_game(NULL, before | 1u << i) - score_game(NULL, before));
			add_orders(values, before | 1u << i, left - 1, orders);
		}
}

static void
check_shapley(void)
{
	double		values[SHAPLEY_MEMBERS_MAX];
	double		workspace[1 << 5];
	double		expected[5] = {0};
	double		sum = 0;
	int			orders = 0;

	shapley_values(score_game, NULL, 5, values, workspace);
	add_orders(expected, 0, 5, &orders);
	check(orders == 120, "5! orders");
	for (int i = 0; i < 5; i++)
	{
		check(fabs(values[i] - expected[i] / orders) < 1e-12, "the mean over all orders");
		sum += values[i];
	}
	check(fabs(sum - score_game(NULL, 31) + score_game(NULL, 0)) < 1e-12, "they add up");
}

int
main(void)
{
	check_topsis();
	check_geometric();
	check_shapley();
	printf("combination: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
