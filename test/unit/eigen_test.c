/*
 * eigen_test.c
 *	  eigen: known eigenvectors, close eigenvalues, wide judgements.
 */
#include "numerics/eigen.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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
	printf("eigen: FAILED %s\n", what);
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

#define N_MAX 40

static int	steps;

static void
find(const double *matrix, int n, double *vector)
{
	DoubleDouble *workspace = malloc(eigen_workspace(n) * sizeof(DoubleDouble));

	steps = principal_eigenvector(matrix, n, vector, workspace);
	free(workspace);
}

/* The relative distance between the bounds (Av)_i / v_i, in long doubles. */
static double
get_spread(const double *matrix, int n, const double *vector)
{
	long double lower = INFINITY;
	long double upper = 0;

	for (int i = 0; i < n; i++)
	{
		long double sum = 0;

		for (int j = 0; j < n; j++)
			sum += (long double) matrix[i * n + j] * vector[j];
		sum /= vector[i];
		lower = sum < lower ? sum : lower;
		upper = sum > upper ? sum : upper;
	}
	return (double) ((upper - lower) / upper);
}

static void
check_known(void)
{
	double		vector[N_MAX];
	/* Saaty's hierarchy of three criteria */
	double		criteria[] = {1, 0.5, 3, 2, 1, 4, 1 / 3.0, 0.25, 1};
	/* eigenvector (1, 1 + d + ...) of a pair that hardly touch */
	double		close[] = {1, 1e-9, 1e-9, 1 + 1e-12};
	double		shift = 1e-12 / 2;
	double		ratio;
	double		one[] = {1};

	find(criteria, 3, vector);
	check(fabs(vector[0] - 0.3196) < 5e-5 && fabs(vector[1] - 0.5584) < 5e-5 &&
			  fabs(vector[2] - 0.1220) < 5e-5,
		  "three criteria");
	check(fabs(mean_eigenvalue(criteria, 3, vector) - 3.01829) < 5e-6, "their eigenvalue");

	/* symmetric: v2 / v1 = (s + sqrt(s^2 + b^2)) / b with s half the distance */
	shift = (close[3] - close[0]) / 2;
	ratio = (shift + sqrt(shift * shift + 1e-18)) / 1e-9;
	find(close, 2, vector);
	check(fabs(vector[1] / vector[0] - ratio) < 1e-15, "eigenvalues 1 and 1 + 2e-9");
	check(steps < 20, "in a few steps");

	find(one, 1, vector);
	check(vector[0] == 1, "one criterion");
}

/* a_ij = w_i / w_j, up to the rounding of the division. */
static void
check_consistent(void)
{
	for (int round = 0; round < 50; round++)
	{
		int			n = 2 + round % 14;
		double		weights[N_MAX];
		double		matrix[N_MAX * N_MAX];
		double		vector[N_MAX];
		double		sum = 0;
		double		worst = 0;

		for (int i = 0; i < n; i++)
			sum += weights[i] = exp(next_uniform() * (round < 25 ? 2 : 60));
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j++)
				matrix[i * n + j] = weights[i] / weights[j];
		find(matrix, n, vector);
		for (int i = 0; i < n; i++)
			worst = fmax(worst, fabs(vector[i] / (weights[i] / sum) - 1));
		check(worst < 1e-15, "consistent judgements give back the weights");
		check(fabs(mean_eigenvalue(matrix, n, vector) - n) < n * 1e-15, "and eigenvalue n");
	}
}

static void
check_random(void)
{
	for (int round = 0; round < 300; round++)
	{
		int			n = 2 + round % 39;
		double		matrix[N_MAX * N_MAX];
		double		vector[N_MAX];
		double		turned[N_MAX * N_MAX];
		double		other[N_MAX];
		double		width = round % 3 == 0 ? 2 : round % 3 == 1 ? 5 : 60;
		double		sum = 0;
		double		worst = 0;

		for (int i = 0; i < n; i++)
			for (int j = i; j < n; j++)
			{
				double		judgement = i == j ? 1 : exp((next_uniform() - 0.5) * 2 * width);

				matrix[i * n + j] = judgement;
				matrix[j * n + i] = 1 / judgement;
			}
		find(matrix, n, vector);
		check(get_spread(matrix, n, vector) < 1e-14, "every row has the same eigenvalue");
		check(steps < (width > 10 ? 150 : 25), "in a few steps");
		for (int i = 0; i < n; i++)
		{
			check(vector[i] > 0, "positive");
			sum += vector[i];
		}
		check(fabs(sum - 1) < 1e-14, "sum 1");

		/* criteria in the opposite order */
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j++)
				turned[i * n + j] = matrix[(n - 1 - i) * n + n - 1 - j];
		find(turned, n, other);
		for (int i = 0; i < n; i++)
			worst = fmax(worst, fabs(other[n - 1 - i] / vector[i] - 1));
		check(worst <= 0x1p-52, "the same weights in another order, to the last place");
	}
}

int
main(void)
{
	check_known();
	check_consistent();
	check_random();
	printf("eigen: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
