/*
 * combination.c
 *	  Many points of one customer made one score, and the score divided among
 *	  them again.
 *
 * TOPSIS (Hwang & Yoon 1981): how near a customer is to the ideal one,
 *
 *		C = D- / (D+ + D-)		D+^2 = sum (w (x - best) / norm)^2,  D- with worst
 *
 * With vector normalisation norm is the square root of the sum of squares, with
 * min-max it is the range; the zero point of min-max drops out of distances.
 *
 * The geometric mean is exp(sum w ln p / sum w), p floored at 1.
 *
 * Shapley values (L. S. Shapley 1953) divide v(all) - v(none) among n members:
 *
 *		phi_i = sum over subsets S without i of
 *				|S|! (n - |S| - 1)! / n!  (v(S + i) - v(S))
 */
#include "numerics/combination.h"

#include <math.h>

/* Is this criterion part of the comparison? */
static bool
counts(const bool *missing, const double *weights, int i)
{
	return weights[i] > 0 && !(missing && missing[i]);
}

/*
 * 0 to 1; 0.5 where no criterion can tell; NaN where none is there.  Weights
 * need not sum to 1: the ratio is the same.
 */
double
topsis_closeness(const double *values, const bool *missing, const double *weights,
				 const TopsisScale *scale, int n)
{
	double		heaviest = 0;
	double		to_best = 0;
	double		to_worst = 0;

	for (int i = 0; i < n; i++)
		if (counts(missing, weights, i) && weights[i] > heaviest)
			heaviest = weights[i];
	if (heaviest == 0)
		return NAN;

	for (int i = 0; i < n; i++)
	{
		double		best = scale->best[i];
		double		worst = scale->worst[i];
		double		x;
		double		up;
		double		down;

		if (!counts(missing, weights, i) || !(scale->norm[i] > 0))
			continue;
		x = fmax(fmin(best, worst), fmin(fmax(best, worst), values[i]));
		up = weights[i] / heaviest * ((x - best) / scale->norm[i]);
		down = weights[i] / heaviest * ((x - worst) / scale->norm[i]);
		to_best += up * up;
		to_worst += down * down;
	}
	if (to_best == 0 && to_worst == 0)
		return 0.5;
	to_best = sqrt(to_best);
	to_worst = sqrt(to_worst);
	return to_worst / (to_best + to_worst);
}

/* What geometric_mean() takes: the logarithm of a point, floored at 1. */
DoubleDouble
geometric_log(double point)
{
	return dd_log(point > 1 ? point : 1);
}

/* NaN where no point that counts is there. */
double
geometric_mean(const DoubleDouble *logs, const bool *missing, const double *weights, int n)
{
	DoubleDouble sum = {0, 0};
	DoubleDouble total = {0, 0};

	for (int i = 0; i < n; i++)
	{
		if (!counts(missing, weights, i))
			continue;
		sum = dd_add(sum, dd_scale(logs[i], weights[i]));
		total = dd_add(total, dd_from(weights[i]));
	}
	if (total.hi == 0)
		return NAN;
	return dd_exp(dd_divide(sum, total));
}

/*
 * The Shapley values of n members, 1 to SHAPLEY_MEMBERS_MAX; the workspace is
 * room for 2^n doubles.  They add up to score(all) - score(none) but for the
 * rounding of each: the differences are summed as pairs of doubles.
 */
void
shapley_values(SubsetScore score, void *context, int n, double *values, double *workspace)
{
	unsigned int all = (1u << n) - 1;
	double		ways[SHAPLEY_MEMBERS_MAX];

	for (unsigned int subset = 0; subset <= all; subset++)
		workspace[subset] = score(context, subset);

	/* the subsets of s of the n - 1 others: each size weighs 1 / n in all */
	ways[0] = 1;
	for (int s = 1; s < n; s++)
		ways[s] = ways[s - 1] * (n - s) / s;

	for (int i = 0; i < n; i++)
	{
		DoubleDouble sums[SHAPLEY_MEMBERS_MAX] = {{0, 0}};
		DoubleDouble value = {0, 0};
		unsigned int member = 1u << i;

		for (unsigned int subset = 0; subset <= all; subset++)
		{
			int			size = 0;

			if (subset & member)
				continue;
			for (unsigned int rest = subset; rest != 0; rest &= rest - 1)
				size++;
			sums[size] =
				dd_add(sums[size], two_sum(workspace[subset | member], -workspace[subset]));
		}
		for (int s = 0; s < n; s++)
			value = dd_add(value, dd_divide(sums[s], dd_from(n * ways[s])));
		values[i] = value.hi;
	}
}
