/*
 * beta_geometric.c
 *	  Lifetimes in whole periods, lost with a probability theta ~ Beta(a, b).
 *
 * The discounted lifetime without end is the papers' 2F1(1, b; a+b; 1/(1+d)).
 * Its series has positive terms; where it needs too many, the mean over theta
 * of the geometric series is taken instead.
 */
#include "clv/models/beta_geometric.h"

#include <float.h>
#include <math.h>

#include "numerics/quadrature.h"
#include "numerics/special.h"

#define MAX_TERMS 2000

double
beta_geometric_survival(double a, double b, double n)
{
	return exp(ln_beta_rising(a, b, n));
}

typedef struct Lifetime
{
	double discount;
	double m;
} Lifetime;

/* (1 - ((1 - theta) / (1 + d))^m) (1 + d) / (d + theta) */
static double
lifetime_given_theta(double theta, const void *context)
{
	const Lifetime *life = context;
	double d = life->discount;
	double y = log1p(d) - log1p(-theta);

	if (isinf(life->m))
		return (1 + d) / (d + theta);
	if (life->m * y < DBL_EPSILON / 4)
		return life->m;
	return -expm1(-life->m * y) * (1 + d) / (d + theta);
}

double
beta_geometric_lifetime(double a, double b, double discount, double m)
{
	Lifetime life = {discount, m};
	double per_period = 1 / (1 + discount);

	if (isinf(m) && discount == 0)
		return a > 1 ? (a + b - 1) / (a - 1) : INFINITY;

	if (m <= MAX_TERMS || MAX_TERMS * log1p(discount) > 37)
	{
		double term = 1;
		double sum = 0;

		for (int j = 0; j < m; j++)
		{
			double growth = (b + j) / (a + b + j) * per_period;

			sum += term;
			term *= growth;

			/* The rest is less than a geometric series in 1 / (1 + d). */
			if (term < DBL_EPSILON / 4 * sum * (1 - per_period))
				break;
		}
		return sum;
	}
	return beta_mean(a, b, lifetime_given_theta, &life);
}
