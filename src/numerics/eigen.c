/*
 * eigen.c
 *	  The principal eigenvector of a positive matrix.
 *
 * By Perron and Frobenius a matrix of positive numbers has one eigenvalue
 * above all others, and its eigenvector is positive.  For every positive x
 *
 *		min (Ax)_i / x_i  <=  lambda  <=  max (Ax)_i / x_i
 *
 * Noda's iteration takes the upper bound for sigma, solves (sigma I - A) y = x
 * and goes on with y: every y is positive again, the bounds close in from both
 * sides, and in the end quadratically, also where power iteration crawls since
 * the second eigenvalue is close (T. Noda, Numer. Math. 17 (1971); L. Elsner,
 * Linear Algebra Appl. 15 (1976)).  sigma I - A is an M-matrix, which
 * elimination without pivoting solves stably.  In pairs of doubles, so that
 * the vector is right to the last place of a double or nearly so.
 */
#include "numerics/eigen.h"

#include <math.h>
#include <string.h>

/*
 * Judgements as people make them take 5 to 20 steps, some from 1e-26 to 1e26
 * a hundred; more means that rounding is in the way.
 */
#define STEPS_MAX 200

/* The bounds agree: the 106 bits of a pair, less what n additions lose. */
#define CLOSE 0x1p-98

/*
 * Row and column i scaled by powers of two, so that all rows have about the
 * same size: exact, and judgements from 1/1000 to 1000 cost no accuracy.
 */
static void
balance(const double *matrix, int n, int *exponents, DoubleDouble *balanced)
{
	for (int i = 0; i < n; i++)
	{
		double		sum = 0;

		for (int j = 0; j < n; j++)
			sum += log2(matrix[i * n + j]);
		exponents[i] = (int) lround(sum / n);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			balanced[i * n + j] =
				dd_from(ldexp(matrix[i * n + j], exponents[j] - exponents[i]));
}

/* The least and the largest of (Ax)_i / x_i. */
static void
find_bounds(const DoubleDouble *a, int n, const DoubleDouble *x, DoubleDouble *lower,
			DoubleDouble *upper)
{
	for (int i = 0; i < n; i++)
	{
		DoubleDouble sum = {0, 0};
		DoubleDouble ratio;

		for (int j = 0; j < n; j++)
			sum = dd_add(sum, dd_multiply(a[i * n + j], x[j]));
		ratio = dd_divide(sum, x[i]);
		if (i == 0 || dd_less(ratio, *lower))
			*lower = ratio;
		if (i == 0 || dd_less(*upper, ratio))
			*upper = ratio;
	}
}

/* Solve (sigma I - A) y = x; `m` is room for the matrix.  y may be x. */
static void
solve_shifted(const DoubleDouble *a, int n, DoubleDouble sigma, const DoubleDouble *x,
			  DoubleDouble *y, DoubleDouble *m)
{
	/* the last pivot tends to 0 as sigma tends to lambda, and may round below */
	double		least = sigma.hi * 0x1p-104;

	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
			m[i * n + j] = dd_negate(a[i * n + j]);
		m[i * n + i] = dd_add(sigma, m[i * n + i]);
		y[i] = x[i];
	}
	for (int k = 0; k < n; k++)
	{
		if (!(m[k * n + k].hi > least))
			m[k * n + k] = dd_from(least);
		for (int i = k + 1; i < n; i++)
		{
			DoubleDouble factor = dd_divide(m[i * n + k], m[k * n + k]);

			for (int j = k + 1; j < n; j++)
				m[i * n + j] =
					dd_subtract(m[i * n + j], dd_multiply(factor, m[k * n + j]));
			y[i] = dd_subtract(y[i], dd_multiply(factor, y[k]));
		}
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int j = i + 1; j < n; j++)
			y[i] = dd_subtract(y[i], dd_multiply(m[i * n + j], y[j]));
		y[i] = dd_divide(y[i], m[i * n + i]);
	}
}

/* Scale x to sum 1; 0 when that is not possible or an element is not positive. */
static int
normalise(DoubleDouble *x, int n)
{
	DoubleDouble sum = {0, 0};

	for (int i = 0; i < n; i++)
	{
		if (!(x[i].hi > 0))
			return 0;
		sum = dd_add(sum, x[i]);
	}
	if (!isfinite(sum.hi))
		return 0;
	for (int i = 0; i < n; i++)
		x[i] = dd_divide(x[i], sum);
	return 1;
}

/*
 * The eigenvector of the largest eigenvalue of a positive matrix, with sum 1.
 * Elements between 1e-30 and 1e30, n up to 1000.  Returns the number of steps.
 */
int
principal_eigenvector(const double *matrix, int n, double *vector, DoubleDouble *workspace)
{
	DoubleDouble *a = workspace;
	DoubleDouble *m = a + n * n;
	DoubleDouble *x = m + n * n;
	DoubleDouble *y = x + n;
	int		   *exponents = (int *) (y + n);
	double		spread_before = INFINITY;
	int			step;

	balance(matrix, n, exponents, a);
	for (int i = 0; i < n; i++)
		x[i] = dd_from(1.0 / n);

	for (step = 0; step < STEPS_MAX; step++)
	{
		DoubleDouble lower = {0, 0};
		DoubleDouble upper = {0, 0};
		double		spread;

		find_bounds(a, n, x, &lower, &upper);
		spread = dd_subtract(upper, lower).hi / upper.hi;
		if (spread <= CLOSE)
			break;

		/* as close as rounding lets them come: one more step has been made */
		if (spread < 0x1p-70 && spread >= spread_before)
			break;
		spread_before = spread;

		solve_shifted(a, n, upper, x, y, m);
		if (!normalise(y, n))
			break;
		memcpy(x, y, n * sizeof(DoubleDouble));
	}

	for (int i = 0; i < n; i++)
	{
		x[i].hi = ldexp(x[i].hi, exponents[i]);
		x[i].lo = ldexp(x[i].lo, exponents[i]);
	}
	normalise(x, n);
	for (int i = 0; i < n; i++)
		vector[i] = x[i].hi;
	return step;
}

/* The mean of (Av)_i / v_i: the eigenvalue, where v is an eigenvector. */
double
mean_eigenvalue(const double *matrix, int n, const double *vector)
{
	DoubleDouble mean = {0, 0};

	for (int i = 0; i < n; i++)
	{
		DoubleDouble sum = {0, 0};

		for (int j = 0; j < n; j++)
			sum = dd_add(sum, two_product(matrix[i * n + j], vector[j]));
		mean = dd_add(mean, dd_divide(sum, dd_from(vector[i])));
	}
	return dd_divide(mean, dd_from(n)).hi;
}
