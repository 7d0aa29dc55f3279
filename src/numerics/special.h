/*
 * special.h
 *	  Gamma and beta functions as the models need them: differences and ratios
 *	  that keep their digits where lgamma() alone would cancel.
 */
#ifndef NUMERICS_SPECIAL_H
#define NUMERICS_SPECIAL_H

/* ln(1 + x) - x, also for small x; x > -1 */
extern double log1p_minus(double x);

/* ln(1 + exp(x)), and its derivative 1 / (1 + exp(-x)) */
extern double softplus(double x);
extern double logistic(double x);

/* (1 - exp(-e y)) / e: y at e = 0 */
extern double one_minus_exp_over(double e, double y);

/* d ln Gamma(z) / dz, z > 0 */
extern double digamma(double z);

/* ln Gamma(z + n) - ln Gamma(z), and its derivative by z; z > 0, n >= 0 */
extern double ln_rising(double z, double n);
extern double digamma_rising(double z, double n);

/* ln B(a, b + n) - ln B(a, b); a, b > 0, n >= 0 */
extern double ln_beta_rising(double a, double b, double n);

/* ln of the binomial coefficient n over k, 0 <= k <= n */
extern double ln_binomial(double n, double k);

/* ln [ z^a (1-z)^b / B(a, b) ] at z = p / (p + q) */
extern double ln_beta_kernel(double a, double b, double p, double q);

/* ln [ z^z exp(-z) / Gamma(z) ]: the height of a gamma density */
extern double ln_gamma_peak(double z);

/* The regularised incomplete beta function I_z(a, b) at z = p / (p + q) */
extern double incomplete_beta(double a, double b, double p, double q);

/* int_0^inf exp(-w y) (1 + y)^-n dy = exp(w) E_n(w); n, w > 0 */
extern double exponential_integral(double n, double w);

#endif /* NUMERICS_SPECIAL_H */
