/*
 * objective_weights.c
 *	  Weights that the data give themselves: entropy and CRITIC, from exact sums.
 *
 * Entropy weights (Shannon's entropy as a measure of how little a criterion
 * tells customers apart).  With p_i = x_i / S, S = sum x, over m rows
 *
 *		d = 1 - e = 1 + sum p_i ln p_i / ln m
 *		  = (sum x ln x / S - ln(S / m)) / ln m
 *
 * so that sum x and sum x ln x are enough; ln m is the same for all criteria
 * and drops out of w_j = d_j / sum d.  The two terms of d nearly cancel where
 * the values differ little: they are kept in pairs of doubles.
 *
 * CRITIC (Diakoulaki, Mavrotas & Papayannakis 1995): with z = (x - min) /
 * (max - min), s its standard deviation and r the correlations,
 *
 *		C_j = s_j sum_k (1 - r_jk)			w_j = C_j / sum C
 *
 * s_j is the standard deviation of x over its range, and r does not change
 * with the scale but for its sign where less is better.  The covariances come
 * from exact sums of products and are exact until they are rounded once, so
 * that a mean far above the deviation does no harm.
 *
 * A criterion with max = min tells nobody apart and weighs exactly 0.
 */
#include "numerics/objective_weights.h"

#include <math.h>

/* Doubles that hold a sum to 159 bits. */
#define PARTS 3

/*
 * Correlations nearer to 1 than this are 1: they come from three numbers with
 * a relative error of 2^-53 each.
 */
#define CORRELATION_NOISE 0x1p-49

/* Add x ln x, rounded to more than 80 bits; 0 ln 0 is 0. */
void
exact_sum_add_x_log_x(ExactSum *sum, double x)
{
	if (x > 0)
	{
		DoubleDouble term = dd_scale(dd_log(x), x);

		exact_sum_add(sum, term.hi);
		exact_sum_add(sum, term.lo);
	}
}

/* A sum as the nearest double, the nearest double to the rest, and so on. */
static void
get_parts(const ExactSum *sum, double *parts, int count)
{
	ExactSum	rest = *sum;

	for (int i = 0; i < count; i++)
	{
		int			exponent;
		double		fraction = exact_sum_fraction(&rest, &exponent);

		parts[i] = ldexp(fraction, exponent);
		exact_sum_add(&rest, -parts[i]);
	}
}

DoubleDouble
exact_sum_pair(const ExactSum *sum)
{
	double		parts[2];

	get_parts(sum, parts, 2);
	return (DoubleDouble) {parts[0], parts[1]};
}

/* ln of a pair. */
static DoubleDouble
log_of_pair(DoubleDouble value)
{
	return dd_add(dd_log(value.hi), dd_from(value.lo / value.hi));
}

/*
 * Divide importances by their sum.  Where all are 0, the criteria that vary
 * weigh the same; where none varies, all do.
 */
static void
normalise_weights(double *weights, const double *min, const double *max, int n)
{
	double		total = 0;
	int			varying = 0;

	for (int j = 0; j < n; j++)
	{
		total += weights[j];
		varying += min[j] < max[j];
	}
	for (int j = 0; j < n; j++)
	{
		if (total > 0)
			weights[j] /= total;
		else
			weights[j] = varying == 0 ? 1.0 / n : min[j] < max[j] ? 1.0 / varying : 0;
	}
}

/* Values must not be negative. */
void
entropy_weights_from_sums(const ExactSum *sums, const ExactSum *x_log_x, const double *min,
						  const double *max, int64_t rows, int n, double *weights)
{
	for (int j = 0; j < n; j++)
	{
		DoubleDouble sum = exact_sum_pair(&sums[j]);
		DoubleDouble divergence;

		weights[j] = 0;
		if (!(min[j] < max[j]) || !(sum.hi > 0))
			continue;
		divergence = dd_divide(exact_sum_pair(&x_log_x[j]), sum);
		divergence = dd_subtract(divergence, log_of_pair(sum));
		divergence = dd_add(divergence, dd_log((double) rows));
		if (divergence.hi > 0)
			weights[j] = divergence.hi;
	}
	normalise_weights(weights, min, max, n);
}

/* rows * sum(x y) - sum(x) sum(y): rows^2 times the covariance. */
static double
get_covariance(const double *x, const double *y, const ExactSum *product, int64_t rows)
{
	double		xy[PARTS];
	ExactSum	covariance;
	int			exponent;
	double		fraction;

	get_parts(product, xy, PARTS);
	exact_sum_init(&covariance);
	for (int i = 0; i < PARTS; i++)
	{
		exact_sum_add_product(&covariance, (double) rows, xy[i]);
		for (int j = 0; j < PARTS; j++)
			exact_sum_add_product(&covariance, -x[i], y[j]);
	}
	fraction = exact_sum_fraction(&covariance, &exponent);
	return ldexp(fraction, exponent);
}

/*
 * `products` is the triangle of the sums of x_j x_k.  The workspace is room
 * for critic_workspace(n) doubles.
 */
void
critic_weights_from_sums(const ExactSum *sums, const ExactSum *products, const double *min,
						 const double *max, const bool *higher_is_better, int64_t rows, int n,
						 double *weights, double *workspace)
{
	double	   *covariance = workspace;
	double	   *parts = covariance + triangle_index(n, 0);

	for (int j = 0; j < n; j++)
	{
		get_parts(&sums[j], parts + j * PARTS, PARTS);
		for (int k = 0; k <= j; k++)
			covariance[triangle_index(j, k)] =
				get_covariance(parts + j * PARTS, parts + k * PARTS,
							   &products[triangle_index(j, k)], rows);
	}

	for (int j = 0; j < n; j++)
	{
		double		deviation = sqrt(covariance[triangle_index(j, j)]);
		double		conflict = 0;

		weights[j] = 0;
		if (!(min[j] < max[j]) || !(deviation > 0))
			continue;
		for (int k = 0; k < n; k++)
		{
			double		other = sqrt(covariance[triangle_index(k, k)]);
			double		r;

			/* a criterion is no conflict to itself, nor to a constant one */
			if (k == j || !(min[k] < max[k]) || !(other > 0))
				continue;
			r = covariance[k < j ? triangle_index(j, k) : triangle_index(k, j)] / deviation / other;
			if (higher_is_better && higher_is_better[j] != higher_is_better[k])
				r = -r;
			if (1 - r > CORRELATION_NOISE)
				conflict += fmin(1 - r, 2);
		}
		weights[j] = deviation / (max[j] - min[j]) * conflict;
	}
	normalise_weights(weights, min, max, n);
}
