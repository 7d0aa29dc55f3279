/*
 * objective_weights.h
 *	  Weights that the data give themselves: entropy and CRITIC, from exact sums.
 */
#ifndef NUMERICS_OBJECTIVE_WEIGHTS_H
#define NUMERICS_OBJECTIVE_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "numerics/double_double.h"
#include "numerics/exact_sum.h"

/*
 * Values must stay within this, so that the square of a sum of 2^40 of them
 * is a double.  Squares of values below the other limit are no longer exact,
 * which is lost beside larger ones of the same criterion only.
 */
#define OBJECTIVE_WEIGHTS_VALUE_MAX 1e140
#define OBJECTIVE_WEIGHTS_VALUE_MIN 1e-140

/* The product of row j and column k <= j in a triangle. */
static inline int
triangle_index(int j, int k)
{
	return j * (j + 1) / 2 + k;
}

/* Doubles of workspace that critic_weights_from_sums() needs. */
static inline int
critic_workspace(int n)
{
	return triangle_index(n, 0) + 3 * n;
}

/* Add the exact product of two values. */
static inline void
exact_sum_add_product(ExactSum *sum, double a, double b)
{
	DoubleDouble product = two_product(a, b);

	exact_sum_add(sum, product.hi);
	if (product.lo != 0)
		exact_sum_add(sum, product.lo);
}

extern void exact_sum_add_x_log_x(ExactSum *sum, double x);
extern DoubleDouble exact_sum_pair(const ExactSum *sum);
extern void entropy_weights_from_sums(const ExactSum *sums, const ExactSum *x_log_x,
									  const double *min, const double *max, int64_t rows, int n,
									  double *weights);
extern void critic_weights_from_sums(const ExactSum *sums, const ExactSum *products,
									 const double *min, const double *max,
									 const bool *higher_is_better, int64_t rows, int n,
									 double *weights, double *workspace);

#endif							/* NUMERICS_OBJECTIVE_WEIGHTS_H */
