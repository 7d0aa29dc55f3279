/*
 * special_test.c
 *	  Gamma and beta functions, and quadrature, against what they must satisfy.
 */
#include <math.h>
#include <stdio.h>

#include "numerics/quadrature.h"
#include "numerics/special.h"

static int passed = 0;
static int failed = 0;

static void
check_near(double value, double expected, double tolerance, const char *what,
		   double where)
{
	if (value == expected || fabs(value - expected) <= tolerance * fabs(expected))
		passed++;
	else
	{
		failed++;
		printf("special: FAILED: %s at %g: %.17g, expected %.17g\n", what, where, value,
			   expected);
	}
}

static double
identity(double x, const void *context)
{
	(void) context;
	return x;
}

static double
square(double x, const void *context)
{
	(void) context;
	return x * x;
}

static double
falling(double x, const void *context)
{
	return exp(-x * *(const double *) context);
}

int
main(void)
{
	static const double sizes[] = {1e-6, 1e-3, 0.3, 1, 2.5, 9.99, 10, 47, 1e3, 1e6};
	const int n_sizes = sizeof(sizes) / sizeof(sizes[0]);

	/* Values to 20 digits from an independent computation */
	check_near(log1p_minus(1e-5), -4.9999666669166646667e-11, 1e-15, "ln(1+x) - x", 1e-5);
	check_near(digamma(1), -0.57721566490153286061, 1e-14, "digamma", 1);
	check_near(digamma(0.5), -1.9635100260214234794, 1e-14, "digamma", 0.5);
	check_near(exponential_integral(1, 1), 0.59634736232319407434, 1e-14, "exp(1) E_1",
			   1);
	check_near(incomplete_beta(2, 3, 0.25, 0.75), 0.26171875, 1e-14, "I(2, 3)", 0.25);

	for (int i = 0; i < n_sizes; i++)
	{
		double z = sizes[i];

		check_near(ln_rising(z, 3), log(z * (z + 1) * (z + 2)), 1e-14, "rising, 3", z);
		/* (z)_40 = (z)_20 (z+20)_20: one by Stirling, the others too, elsewhere */
		check_near(ln_rising(z, 40), ln_rising(z, 20) + ln_rising(z + 20, 20), 1e-13,
				   "rising, 40", z);
		check_near(digamma_rising(z, 40),
				   digamma_rising(z, 10) + digamma_rising(z + 10, 30), 1e-12,
				   "digamma, 40", z);
		check_near(digamma(z + 1) - digamma(z), 1 / z, 1e-8, "digamma, 1", z);
		check_near(one_minus_exp_over(1e-30, z), z, 1e-15, "(1 - exp(-e y)) / e", z);
		check_near(softplus(z) - softplus(-z), z, 1e-9, "softplus", z);

		/* n I_(n+1) = 1 - w I_n */
		check_near(z * exponential_integral(z + 1, 2.5),
				   1 - 2.5 * exponential_integral(z, 2.5), 1e-9,
				   "exponential integral by n", z);
		check_near(2 * exponential_integral(3, z), 1 - z * exponential_integral(2, z),
				   1e-6, "exponential integral by w", z);
		check_near(gamma_mean(z, identity, NULL), z, 1e-12, "gamma mean", z);
		check_near(gamma_mean(z, square, NULL), z * (z + 1), 1e-12, "gamma square", z);
		check_near(integrate(falling, &z, 0, 40 / z), 1 / z, 1e-13, "exponential", z);

		for (int j = 0; j < n_sizes; j++)
		{
			double b = sizes[j];
			double n = z + b;

			check_near(ln_beta_rising(z, b, 1), -log1p(z / b), 1e-14, "beta, 1", b);
			check_near(ln_beta_rising(z, b, 100),
					   ln_beta_rising(z, b, 12) + ln_beta_rising(z, b + 12, 88), 1e-12,
					   "beta, 100", b);
			check_near(beta_mean(z, b, identity, NULL), z / n, 1e-12, "beta mean", b);
			check_near(beta_mean(z, b, square, NULL), z / n * (z + 1) / (n + 1), 1e-12,
					   "beta square", b);
			check_near(incomplete_beta(z, b, 0.3, 0.7) + incomplete_beta(b, z, 0.7, 0.3),
					   1, 1e-10, "I_z(a, b) + I_(1-z)(b, a)", b);
			/* I_z(a, 1) = z^a */
			check_near(incomplete_beta(z, 1, 0.3, 0.7), pow(0.3, z), 1e-9, "I(a, 1)", z);
		}
	}

	/* Every rule with the steepest integrand it is chosen for */
	for (double steepness = 0.1; steepness < 100; steepness *= 1.3)
	{
		const GaussRule *rule = gauss_rule(steepness, 16);
		double sum = 0;

		for (int i = 0; i < rule->half; i++)
			sum += rule->weight[i] *
				   (exp(steepness * rule->node[i]) + exp(-steepness * rule->node[i]));
		check_near(sum, 2 * sinh(steepness) / steepness, 1e-13, "Gauss rule", steepness);
	}

	printf("special: %d passed, %d failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
