/*
 * quadrature.h
 *	  Integrals of smooth functions: fixed Gauss-Legendre rules for hot loops,
 *	  an adaptive rule for the rest, and means over beta and gamma distributions.
 */
#ifndef NUMERICS_QUADRATURE_H
#define NUMERICS_QUADRATURE_H

/* Nodes and weights of one rule on [-1, 1]: half of them, the rest by symmetry. */
typedef struct GaussRule
{
	int half;
	const double *node;
	const double *weight;
} GaussRule;

/*
 * The smallest rule that integrates exp(-steepness x) f(x) over [-1, 1] to
 * double precision, f analytic but for singularities at distance `clearance`
 * above and below the interval.  NULL when the largest one would not do: halve
 * the interval (which halves steepness and doubles clearance).
 */
extern const GaussRule *gauss_rule(double steepness, double clearance);

typedef double (*Integrand)(double x, const void *context);

/*
 * Integral over [a, b] of an integrand >= 0, analytic near [a, b], largest
 * near a (a may be greater than b: the result is positive all the same).
 */
extern double integrate(Integrand f, const void *context, double a, double b);

/* ... added to `done`, to the precision of the sum: for pieces of one integral */
extern double integrate_onto(double done, Integrand f, const void *context, double a,
							 double b);

/*
 * E[f(p)], p ~ Beta(a, b), for f > 0 that is smooth in ln(p / (1 - p)).  f is
 * given p, which may be 0 or 1 by underflow.
 */
extern double beta_mean(double a, double b, Integrand f, const void *context);

/* E[f(g)], g ~ Gamma(shape, rate 1), for f > 0 that is smooth in ln g */
extern double gamma_mean(double shape, Integrand f, const void *context);

#endif /* NUMERICS_QUADRATURE_H */
