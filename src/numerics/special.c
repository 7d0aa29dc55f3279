/*
 * special.c
 *	  Gamma and beta functions as the models need them.
 *
 * The models ask for differences of ln Gamma between arguments from 1e-6 to
 * 1e6 and beyond, where the values are large and nearly equal.  Everything
 * here is built on Stirling's formula with its error kept apart,
 *
 *		ln Gamma(z) = (z - 1/2) ln z - z + ln(2 pi)/2 + delta(z)
 *
 * so that the large parts are subtracted on paper.  The beta kernel is put
 * together as C. Loader does for binomial probabilities ("Fast and Accurate
 * Computation of Binomial Probabilities", 2000).
 */
#include "numerics/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "numerics/quadrature.h"

#define HALF_LN_2PI	  0.918938533204672741780329736406
#define STIRLING_FROM 10.0 /* from here on delta(z) by its series */
#define PRODUCT_TO	  16   /* up to so many factors are multiplied out */

double
log1p_minus(double x)
{
	double r, r2, sum, power;

	if (fabs(x) > 0.25)
		return log1p(x) - x;

	/*
	 * With r = x / (2 + x): ln(1 + x) = 2 (r + r^3/3 + r^5/5 + ...), and
	 * 2 r - x = -x r.
	 */
	r = x / (2 + x);
	r2 = r * r;
	sum = 0;
	power = 1;
	for (int k = 3; k < 41; k += 2)
	{
		double term;

		power *= r2;
		term = power / k;
		sum += term;
		if (term <= DBL_EPSILON / 8)
			break;
	}
	return 2 * r * sum - x * r;
}

double
softplus(double x)
{
	return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

double
logistic(double x)
{
	return 1 / (1 + exp(-x));
}

double
one_minus_exp_over(double e, double y)
{
	double ey = e * y;

	/* Below, exp(-e y) = 1 - e y to the last digit (also where e y underflows). */
	return fabs(ey) < DBL_EPSILON / 4 ? y : -expm1(-ey) / e;
}

/* ln z - digamma(z) for z >= STIRLING_FROM: 1/2z and the sum of B_2k / (2k z^2k) */
static double
digamma_series(double z)
{
	double w = 1 / (z * z);

	return 0.5 / z + w * (1.0 / 12 -
						  w * (1.0 / 120 -
							   w * (1.0 / 252 -
									w * (1.0 / 240 - w * (1.0 / 132 - w * (691.0 / 32760 -
																		   w / 12))))));
}

double
digamma(double z)
{
	double below = 0;

	for (; z < STIRLING_FROM; z += 1)
		below += 1 / z;
	return log(z) - digamma_series(z) - below;
}

/* delta(z) for z >= STIRLING_FROM: the sum of B_2k / (2k (2k-1) z^(2k-1)) */
static double
stirling_series(double z)
{
	double w = 1 / (z * z);

	return (1.0 / 12 -
			w * (1.0 / 360 -
				 w * (1.0 / 1260 -
					  w * (1.0 / 1680 -
						   w * (1.0 / 1188 -
								w * (691.0 / 360360 -
									 w * (1.0 / 156 - w * (3617.0 / 122400)))))))) /
		   z;
}

/* delta(z) for every z > 0 */
static double
stirling_error(double z)
{
	if (z >= STIRLING_FROM)
		return stirling_series(z);
	return lgamma(z) - (z - 0.5) * log(z) + z - HALF_LN_2PI;
}

double
ln_gamma_peak(double z)
{
	return 0.5 * log(z) - HALF_LN_2PI - stirling_error(z);
}

double
ln_rising(double z, double n)
{
	double shifted = 0;

	if (n == 0)
		return 0;

	/* z (z + 1) ... (z + n - 1), where that cannot overflow */
	if (n <= PRODUCT_TO && n == floor(n) && z < 1e15)
	{
		double product = z;

		for (int i = 1; i < n; i++)
			product *= z + i;
		return log(product);
	}

	/* Gamma(z + n) / Gamma(z) = z / (z + n) Gamma(z + 1 + n) / Gamma(z + 1) */
	if (z < STIRLING_FROM)
	{
		double below = 1;
		double above = 1;

		if (n > 1e20)
			shifted = lgamma(z + n) - lgamma(z);
		else
		{
			while (z < STIRLING_FROM)
			{
				below *= z;
				above *= z + n;
				z += 1;
			}
			shifted = log(below) - log(above);
		}
		if (n > 1e20)
			return shifted;
	}

	return shifted + (z + n - 0.5) * log1p(n / z) + n * (log(z) - 1) +
		   (stirling_series(z + n) - stirling_series(z));
}

double
digamma_rising(double z, double n)
{
	double sum = 0;

	if (n <= PRODUCT_TO && n == floor(n))
	{
		for (int i = 0; i < n; i++)
			sum += 1 / (z + i);
		return sum;
	}
	for (; z < STIRLING_FROM; z += 1)
		sum += n / (z + n) / z;
	return sum + log1p(n / z) + (digamma_series(z) - digamma_series(z + n));
}

/*
 * ln B(a, b+n) - ln B(a, b) is symmetric in a and n.  With m the lesser, M the
 * greater of them it is ln Gamma(b+m)/Gamma(b) - ln Gamma(b+M+m)/Gamma(b+M),
 * where Stirling's formula leaves nothing large to cancel.
 */
double
ln_beta_rising(double a, double b, double n)
{
	double m = fmin(a, n);
	double M = fmax(a, n);
	double shifted = 0;

	if (n == 0)
		return 0;

	if (n <= PRODUCT_TO && n == floor(n))
	{
		double product = 1;
		double sum = 0;

		for (int i = 0; i < n; i++)
			product *= (b + i) / (a + b + i);
		if (product > 1e-290 && product < 0.5)
			return log(product);

		/* A result near 0 keeps its digits only as a sum. */
		for (int i = 0; i < n; i++)
			sum -= log1p(a / (b + i));
		return sum;
	}

	/* B(a, b+n) / B(a, b) = b (a+b+n) / ((a+b) (b+n)) B(a, b+1+n) / B(a, b+1) */
	for (; b < STIRLING_FROM; b += 1)
	{
		double lost = a / (a + b) * (n / (b + n));

		shifted += lost < 0.5 ? log1p(-lost) : log(b / (a + b) * ((a + b + n) / (b + n)));
	}

	return shifted - m * log1p(M / b) + b * log1p_minus(m / b) -
		   (b + M) * log1p_minus(m / (b + M)) +
		   (m - 0.5) * log1p(m / b * (M / (b + M + m))) +
		   ((stirling_series(b + m) - stirling_series(b)) -
			(stirling_series(b + M + m) - stirling_series(b + M)));
}

double
ln_binomial(double n, double k)
{
	double fewer = fmin(k, n - k);

	return ln_rising(n - fewer + 1, fewer) - ln_rising(1, fewer);
}

/* a ln(z n / a) + b ln((1-z) n / b), n = a + b: what the beta kernel falls from its top
 */
static double
beta_lead(double a, double b, double p, double q)
{
	double n = a + b;
	double total = p + q;
	double from_a = (p * b - q * a) / (a * total);
	double from_b = (q * a - p * b) / (b * total);

	if (fabs(from_a) < 0.5 && fabs(from_b) < 0.5)
		return a * log1p_minus(from_a) + b * log1p_minus(from_b);
	return a * (fabs(from_a) < 0.5 ? log1p(from_a) : log(p / total * (n / a))) +
		   b * (fabs(from_b) < 0.5 ? log1p(from_b) : log(q / total * (n / b)));
}

double
ln_beta_kernel(double a, double b, double p, double q)
{
	double n = a + b;

	return beta_lead(a, b, p, q) + 0.5 * (log(a) + log(b / n)) - HALF_LN_2PI +
		   stirling_error(n) - stirling_error(a) - stirling_error(b);
}

/*
 * Continued fraction for I_z(a, b) B(a, b) a / (z^a (1-z)^b), by the modified
 * Lentz method; converges in about sqrt(max(a, b)) steps for z < (a + 1) /
 * (a + b + 2).
 */
static double
beta_fraction(double a, double b, double z)
{
	const double tiny = 1e-300;
	double c = 1;
	double d = 1 - (a + b) * z / (a + 1);
	double h;

	if (fabs(d) < tiny)
		d = tiny;
	d = 1 / d;
	h = d;
	for (int m = 1; m <= 100000; m++)
	{
		double even = m * (b - m) * z / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * z / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 + even * d;
		if (fabs(d) < tiny)
			d = tiny;
		c = 1 + even / c;
		if (fabs(c) < tiny)
			c = tiny;
		d = 1 / d;
		h *= d * c;

		d = 1 + odd * d;
		if (fabs(d) < tiny)
			d = tiny;
		c = 1 + odd / c;
		if (fabs(c) < tiny)
			c = tiny;
		d = 1 / d;
		step = d * c;
		h *= step;
		if (fabs(step - 1) <= DBL_EPSILON)
			break;
	}
	return h;
}

double
incomplete_beta(double a, double b, double p, double q)
{
	double z = p / (p + q);

	if (p <= 0)
		return 0;
	if (q <= 0)
		return 1;

	/* N. M. Temme's expansion (SIAM J. Math. Anal. 13, 1982), of which nothing but
	 * its first term is left for such counts */
	if (a > 1e10 && b > 1e10)
	{
		double root = sqrt(fmax(-beta_lead(a, b, p, q), 0));

		return 0.5 * erfc(p / a < q / b ? root : -root);
	}
	if (z < (a + 1) / (a + b + 2))
		return fmin(exp(ln_beta_kernel(a, b, p, q)) * beta_fraction(a, b, z) / a, 1);
	return fmax(
		1 - exp(ln_beta_kernel(a, b, p, q)) * beta_fraction(b, a, q / (p + q)) / b, 0);
}

typedef struct ExponentialIntegral
{
	double n;
	double w;
} ExponentialIntegral;

/* With 1 + y = exp(v) */
static double
exponential_integrand(double v, const void *context)
{
	const ExponentialIntegral *e = context;

	return exp((1 - e->n) * v - e->w * expm1(v));
}

double
exponential_integral(double n, double w)
{
	double denominator = w + n;
	double d = 1 / denominator;
	double c = 1 / DBL_MIN;
	double h = d;

	/* Near w = 0 the fraction takes too long. */
	if (w < 0.1)
	{
		ExponentialIntegral e = {n, w};
		double end = log1p(42 / w);

		if (n > 1)
			end = fmin(end, 42 / (n - 1));
		return integrate(exponential_integrand, &e, 0, end);
	}

	/*
	 * 1 / (w+n - 1 n / (w+n+2 - 2 (n+1) / (w+n+4 - ...))) by the modified
	 * Lentz method; all its denominators are positive.
	 */
	for (int i = 1; i <= 10000; i++)
	{
		double numerator = -i * (n + i - 1);
		double step;

		denominator += 2;
		d = 1 / (numerator * d + denominator);
		c = denominator + numerator / c;
		step = c * d;
		h *= step;
		if (fabs(step - 1) <= DBL_EPSILON)
			break;
	}
	return h;
}
