/*
 * logistic_test.c
 *	  Logistic regression: known maxima, the score equations, and data that
 *	  have no maximum.
 */
#include "numerics/logistic.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 8

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
	printf("logistic: FAILED %s\n", what);
}

static int
is_near(double value, double expected, double tolerance)
{
	return fabs(value - expected) <= tolerance * fmax(1, fabs(expected));
}

static int	interrupts = 0;

static void
count_interrupt(void)
{
	interrupts++;
}

static double coefficient[N_MAX];
static double covariance[N_MAX * N_MAX];
static LogisticFit fit;

/* Fit a copy of x. */
static LogisticStatus
run(int64_t rows, int features, const double *x, const double *bad, const double *good,
	double penalty)
{
	size_t		bytes = (size_t) rows * features * sizeof(double);
	double	   *copy = malloc(bytes);
	double	   *workspace = malloc(logistic_workspace(rows, features) * sizeof(double));
	LogisticData data = {rows, features, copy, bad, good, penalty, count_interrupt};
	LogisticStatus status;

	memcpy(copy, x, bytes);
	fit.coefficient = coefficient;
	fit.covariance = covariance;
	status = logistic_fit(&data, workspace, &fit);
	free(copy);
	free(workspace);
	return status;
}

/*
 * One feature that is 0 or 1 makes a table of two by two, of which everything
 * is known: the coefficients are the log odds and their difference, and their
 * variances are sums of the inverse counts.
 */
static void
test_two_by_two(void)
{
	static const double x[] = {0, 1};
	static const double bad[] = {12, 30};
	static const double good[] = {88, 45};

	check(run(2, 1, x, bad, good, 0) == LOGISTIC_OK, "two by two: status");
	check(is_near(coefficient[0], log(12.0 / 88), 1e-14), "two by two: intercept");
	check(is_near(coefficient[1], log(30.0 / 45) - log(12.0 / 88), 1e-14), "two by two: slope");
	check(is_near(covariance[0], 1.0 / 12 + 1.0 / 88, 1e-13), "two by two: variance");
	check(is_near(covariance[1], -(1.0 / 12 + 1.0 / 88), 1e-13), "two by two: covariance");
	check(is_near(covariance[3], 1.0 / 12 + 1.0 / 88 + 1.0 / 30 + 1.0 / 45, 1e-13),
		  "two by two: variance of the slope");
	check(is_near(fit.log_likelihood,
				  12 * log(0.12) + 88 * log(0.88) + 30 * log(0.4) + 45 * log(0.6), 1e-13),
		  "two by two: likelihood");
}

/*
 * Two features, with values from a solution of the score equations in decimal
 * arithmetic of 60 digits (Newton steps by Gauss-Jordan on the features as
 * they are).
 */
static const double small_x[] = {0.5, 1.25, 1, -0.5, 1.5, 2, 2, 0.75, 2.5, -1,
								 3, 0.25, 3.5, 1.5, 4, -2, 4.5, 0.5, 5, 3};
static const double small_bad[] = {3, 1, 2, 0, 3, 1, 4, 0, 2, 5};
static const double small_good[] = {0, 4, 2, 5, 1, 6, 3, 7, 8, 1};

static void
test_small(void)
{
	static const double beta[] = {-0.50505816438761197, -0.19805693062252511, 0.76336823577964086};
	static const double variance[] = {
		0.50902160688746445, -0.13431416762269818, -0.014358815538215936,
		-0.13431416762269818, 0.049021018171299016, -0.015840678899029681,
		-0.014358815538215936, -0.015840678899029681, 0.071076174197905365};
	static const double ridge[] = {-0.54887090911918834, -0.13122864551480706, 0.57528074918111516};
	static const double ridge_variance[] = {
		0.41855001213903015, -0.10600651507515294, -0.013346422455386782,
		-0.10600651507515294, 0.036729742847957395, -0.0074976981170308925,
		-0.013346422455386782, -0.0074976981170308925, 0.044580397280600301};

	check(run(10, 2, small_x, small_bad, small_good, 0) == LOGISTIC_OK, "small: status");
	for (int i = 0; i < 3; i++)
		check(is_near(coefficient[i], beta[i], 1e-14), "small: coefficient");
	for (int i = 0; i < 9; i++)
		check(is_near(covariance[i], variance[i], 1e-14), "small: covariance");
	check(is_near(fit.log_likelihood, -32.523274539650529, 1e-14), "small: likelihood");
	check(fit.iterations > 2 && fit.iterations < 12, "small: iterations");

	check(run(10, 2, small_x, small_bad, small_good, 2.5) == LOGISTIC_OK, "ridge: status");
	for (int i = 0; i < 3; i++)
		check(is_near(coefficient[i], ridge[i], 1e-14), "ridge: coefficient");
	for (int i = 0; i < 9; i++)
		check(is_near(covariance[i], ridge_variance[i], 1e-14), "ridge: covariance");
	check(is_near(fit.log_likelihood, -32.79850999663077, 1e-14), "ridge: likelihood");
}

static uint64_t seed = 11;

static double
next_uniform(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/*
 * Random data of five features in any units: the gradient at the result is 0,
 * units do not matter, and the curvature there is the inverse covariance.
 */
static void
test_score_equations(void)
{
	enum { ROWS = 4000, P = 5 };
	static double x[ROWS * P];
	static double moved[ROWS * P];
	static double bad[ROWS];
	static double good[ROWS];
	static const double unit[P] = {1e-100, 1e9, 1, 1e150, 3};
	static const double shift[P] = {0, 5e9, 1000, 0, -7};
	double		first[P + 1];
	double		likelihood;

	for (int turn = 0; turn < 3; turn++)
	{
		double		penalty = turn == 2 ? 3 : 0;
		double		gradient[P + 1] = {0};
		double		hessian[(P + 1) * (P + 1)] = {0};
		double		worst = 0;

		for (int i = 0; i < ROWS; i++)
		{
			double		eta = turn == 1 ? -6 : -1;

			for (int j = 0; j < P; j++)
			{
				x[i * P + j] = next_uniform() + next_uniform() - 1 + (j > 0 ? x[i * P] / 2 : 0);
				moved[i * P + j] = x[i * P + j] * unit[j] + shift[j];
				eta += (j - 2) * x[i * P + j];
			}
			bad[i] = next_uniform() < logistic_probability(eta) ? 1 : 0;
			good[i] = 1 - bad[i];
		}
		check(run(ROWS, P, x, bad, good, penalty) == LOGISTIC_OK, "random: status");
		memcpy(first, coefficient, sizeof(first));
		likelihood = fit.log_likelihood;
		for (int i = 0; i < ROWS; i++)
		{
			double		row[P + 1] = {1};
			double		eta = coefficient[0];
			double		p;

			for (int j = 0; j < P; j++)
			{
				row[j + 1] = x[i * P + j];
				eta += coefficient[j + 1] * row[j + 1];
			}
			p = logistic_probability(eta);
			for (int j = 0; j <= P; j++)
			{
				gradient[j] += (bad[i] - p) * row[j];
				for (int k = 0; k <= P; k++)
					hessian[j * (P + 1) + k] += p * (1 - p) * row[j] * row[k];
			}
		}
		for (int j = 1; j <= P; j++)
		{
			double		mean = 0;
			double		square = 0;

			for (int i = 0; i < ROWS; i++)
				mean += x[i * P + j - 1] / ROWS;
			for (int i = 0; i < ROWS; i++)
				square += (x[i * P + j - 1] - mean) * (x[i * P + j - 1] - mean) / ROWS;
			gradient[j] -= penalty * square * coefficient[j];
			hessian[j * (P + 1) + j] += penalty * square;
		}
		for (int j = 0; j <= P; j++)
			check(fabs(gradient[j]) < 1e-10, "random: the gradient is 0");
		for (int j = 0; j <= P; j++)
		{
			for (int k = 0; k <= P; k++)
			{
				double		sum = j == k ? -1 : 0;

				for (int l = 0; l <= P; l++)
					sum += covariance[j * (P + 1) + l] * hessian[l * (P + 1) + k];
				worst = fmax(worst, fabs(sum));
			}
		}
		check(worst < 1e-10, "random: covariance times curvature is 1");

		check(run(ROWS, P, moved, bad, good, penalty) == LOGISTIC_OK, "units: status");
		for (int j = 0; j < P; j++)
			check(is_near(coefficient[j + 1] * unit[j], first[j + 1], 1e-7), "units: coefficient");
		check(is_near(fit.log_likelihood, likelihood, 1e-12), "units: likelihood");
	}
	check(interrupts > 0, "the interrupt callback is called");
}

/* Outcomes that a line tells apart, wholly or but for ties on the line. */
static void
test_separation(void)
{
	static const double x[] = {1, 2, 3, 4, 5, 6};
	static const double bad[] = {1, 1, 1, 0, 0, 0};
	static const double good[] = {0, 0, 0, 1, 1, 1};
	static const double quasi_good[] = {0, 0, 4, 1, 1, 1};
	static const double not_good[] = {0, 0.001, 1, 1, 1, 1};
	static const double not_bad[] = {1, 1, 1, 0, 0.001, 0};
	static const double plane[] = {0, 0, 1, 0, 0, 1, 1, 1, 2, 1, 1, 2, 2, 2, 3, 1};
	static const double plane_bad[] = {5, 2, 0, 1, 0, 0, 4, 0};
	static const double plane_good[] = {0, 0, 3, 1, 0, 2, 4, 0};
	static const double level[] = {0, 0, 0, 1, 1, 1, 1, 2};
	static const double level_bad[] = {1, 0, 3, 0, 2, 1, 0, 2};
	static const double level_good[] = {2, 1, 1, 1, 0, 1, 3, 0};
	double		one_bad[8];
	double		one_good[8];

	check(run(6, 1, x, bad, good, 0) == LOGISTIC_SEPARATED, "complete separation");
	check(run(6, 1, x, bad, quasi_good, 0) == LOGISTIC_SEPARATED, "quasi-complete separation");
	check(run(6, 1, x, good, bad, 0) == LOGISTIC_SEPARATED, "complete separation, turned");
	check(run(6, 1, x, not_bad, not_good, 0) == LOGISTIC_OK, "a small overlap is enough");
	check(run(6, 1, x, bad, good, 1e-3) == LOGISTIC_OK && coefficient[1] < 0 &&
		  isfinite(coefficient[1]), "a penalty answers");
	check(run(6, 1, x, bad, quasi_good, 1e-9) == LOGISTIC_OK, "a tiny penalty answers");
	/* a category that has one outcome only */
	check(run(8, 1, level, level_bad, level_good, 0) == LOGISTIC_OK, "levels that overlap");
	{
		static const double dummies[] = {0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1};
		static const double db[] = {3, 3, 2, 2, 0, 0};
		static const double dg[] = {5, 5, 9, 9, 7, 7};

		check(run(6, 2, dummies, db, dg, 0) == LOGISTIC_SEPARATED, "a level without bad ones");
	}
	memcpy(one_bad, plane_bad, sizeof(one_bad));
	memcpy(one_good, plane_good, sizeof(one_good));
	one_good[4] = 1;
	one_good[7] = 1;
	check(run(8, 2, plane, one_bad, one_good, 0) == LOGISTIC_OK, "a plane that overlaps");
}

/*
 * On a line, outcomes can be told apart when all bad ones lie on one side of
 * all good ones, touching or not; with a dummy for each level but one, when a
 * level has one outcome only.  Everything else has a maximum.
 */
static void
test_separation_random(void)
{
	int			agreed = 0;
	int			separated = 0;
	const int	turns = 20000;

	for (int turn = 0; turn < turns; turn++)
	{
		double		x[8];
		double		dummies[16] = {0};
		double		bad[8];
		double		good[8];
		int			rows = 2 + (int) (next_uniform() * 7);
		double		least_bad = INFINITY;
		double		most_bad = -INFINITY;
		double		least_good = INFINITY;
		double		most_good = -INFINITY;
		double		rare = turn % 3 == 0 ? 1e-5 : 1;
		int			apart;

		for (int i = 0; i < rows; i++)
		{
			/* rows are distinct; distances span some orders of magnitude */
			x[i] = (i > 0 ? x[i - 1] : 0) + (turn % 5 == 0 ? exp(6 * next_uniform()) : 1);
			bad[i] = floor(next_uniform() * 3);
			good[i] = bad[i] == 0 ? 1 + floor(next_uniform() * 3) : floor(next_uniform() * 2.2) * rare;
			if (bad[i] > 0)
			{
				least_bad = fmin(least_bad, x[i]);
				most_bad = fmax(most_bad, x[i]);
			}
			if (good[i] > 0)
			{
				least_good = fmin(least_good, x[i]);
				most_good = fmax(most_good, x[i]);
			}
		}
		if (least_bad > most_bad || least_good > most_good)
		{
			agreed += run(rows, 1, x, bad, good, 0) == LOGISTIC_ONE_OUTCOME;
			continue;
		}
		apart = most_bad <= least_good || most_good <= least_bad;
		separated += apart;
		agreed += run(rows, 1, x, bad, good, 0) == (apart ? LOGISTIC_SEPARATED : LOGISTIC_OK);
		if (rows < 3)
			continue;

		dummies[2] = 1;
		dummies[5] = 1;
		apart = 0;
		for (int i = 0; i < 3; i++)
			apart = apart || bad[i] == 0 || good[i] == 0;
		if (bad[0] + bad[1] + bad[2] > 0 && good[0] + good[1] + good[2] > 0)
			check(run(3, 2, dummies, bad, good, 0) == (apart ? LOGISTIC_SEPARATED : LOGISTIC_OK),
				  "levels: separated or not");
	}
	check(agreed == turns, "line: separated or not");
	if (agreed != turns)
		printf("logistic: %d of %d turns\n", agreed, turns);
	check(separated > turns / 20 && separated < turns, "line: some of both");
}

static void
test_degenerate(void)
{
	static const double x[] = {1, 7, 2, 7, 3, 7, 4, 7};
	static const double twice[] = {1, 3, 3, 7, 2, 5, 5, 11};
	static const double bad[] = {1, 2, 1, 3};
	static const double good[] = {2, 1, 2, 1};
	static const double none[] = {0, 0, 0, 0};
	static const double far_x[] = {-DBL_MAX, -DBL_MAX, DBL_MAX, DBL_MAX / 2};
	double		big_bad[4];
	double		big_good[4];
	double		slope;

	check(run(4, 2, x, bad, good, 0) == LOGISTIC_CONSTANT && fit.feature == 1, "a constant feature");
	check(run(4, 2, twice, bad, good, 0) == LOGISTIC_COLLINEAR && fit.feature == 1,
		  "a collinear feature");
	check(run(4, 2, x, bad, good, 1) == LOGISTIC_OK && coefficient[2] == 0,
		  "a constant feature under a penalty");
	check(run(4, 2, twice, bad, good, 1) == LOGISTIC_OK &&
		  is_near(coefficient[1], 2 * coefficient[2], 1e-12), "collinear ones share under a penalty");
	check(run(4, 1, x, none, good, 0) == LOGISTIC_ONE_OUTCOME, "no bad one");
	check(run(4, 1, x, bad, none, 0) == LOGISTIC_ONE_OUTCOME, "no good one");
	check(run(4, 1, far_x, bad, good, 0) == LOGISTIC_OK && isfinite(coefficient[1]), "huge features");

	/* weights have no unit without a penalty */
	run(4, 1, twice, bad, good, 0);
	slope = coefficient[1];
	for (int power = -200; power <= 200; power += 50)
	{
		for (int i = 0; i < 4; i++)
		{
			big_bad[i] = ldexp(bad[i], power);
			big_good[i] = ldexp(good[i], power);
		}
		check(run(4, 1, twice, big_bad, big_good, 0) == LOGISTIC_OK &&
			  is_near(coefficient[1], slope, 1e-13), "any unit of weights");
	}
	check(logistic_probability(800) == 1 && logistic_probability(-800) == 0 &&
		  logistic_probability(0) == 0.5 && logistic_probability(-700) > 0, "probability");
}

int
main(void)
{
	test_two_by_two();
	test_small();
	test_score_equations();
	test_separation();
	test_separation_random();
	test_degenerate();
	printf("logistic: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
