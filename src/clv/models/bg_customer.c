/*
 * bg_customer.c
 *	  What a customer of the bg family will do from now on.
 *
 * After any history a bg/nbd or mbg/nbd customer who is still alive is described
 * by the posterior lambda ~ Gamma(R, A), p ~ Beta(a, B), and lives on as a new
 * bg/nbd customer with these parameters would.  With q = 1 - p, tau = t / A and
 * z = t / (A + t), given p alone:
 *
 *		purchase process while alive	N(t) ~ negative binomial(R, z)
 *		P(alive after t)				(1 + p tau)^-R
 *		rate of purchases at t			(R / A) (1 + p tau)^-(R+1)
 *		E[purchases in t]				(1 - (1 + p tau)^-R) / p
 *
 * The means over p are Gauss hypergeometric functions.  Each is taken from the
 * one of three forms that is fast and keeps its digits for these arguments:
 *
 * 1. Euler's transformation of the papers' 2F1, with u = a + B - 1 - R:
 *
 *		E[(1 + p tau)^-(R+1)] = (1-z)^a 2F1(u, a; a + B; z)
 *		E[(1 - (1 + p tau)^-R) / p]
 *			= C (1 - (1-z)^e) / e - (1-z)^e sum_{n>=1} (u)_n (a)_{n-1} z^n / ((C+1)_{n-1}
 *n!)
 *
 *	  with e = a - 1, C = a + B - 1.  The closed form's 0/0 at a = 1 has
 *	  become a function that is smooth there, and its pole at a + B = 1 is
 *	  gone.  It needs u > -1 (or the terms alternate) and, in the second line,
 *	  C not much greater than R (or the two parts cancel).
 * 2. The expansion in N(t), whose terms are positive for all parameters.
 * 3. Where these take too many terms (z near 1), quadrature over p.
 */
#include "clv/models/bg_customer.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "numerics/quadrature.h"
#include "numerics/special.h"

#define MAX_TERMS 500

/* One mean over p at fixed t */
typedef struct AtTime
{
	double R;
	double tau;
} AtTime;

static double
survival_given_p(double p, const void *context)
{
	const AtTime *at = context;

	return exp(-at->R * log1p(p * at->tau));
}

static double
expected_given_p(double p, const void *context)
{
	const AtTime *at = context;
	double p_tau = p * at->tau;

	/* p may be tiny, even 0 */
	if (p_tau < DBL_EPSILON / 4)
		return one_minus_exp_over(p, at->R * at->tau);
	return one_minus_exp_over(p, at->R * log1p(p_tau) / p);
}

/* Do the coefficients of a series in z^n, themselves about 1, need few terms? */
static bool
series_is_short(double A, double t)
{
	return MAX_TERMS * log1p(A / t) > 37;
}

/*
 * May a series end here, its last term multiplied by `growth`, which tends to
 * z?  What is left then is less than a geometric series.
 */
static inline bool
series_ends(double term, double growth, double z, double sum)
{
	double ratio = fmax(growth, z);

	return ratio < 1 && fabs(term) <= DBL_EPSILON / 4 * (1 - ratio) * fabs(sum);
}

/* E[(1 + p tau)^-R], for this R whatever c->R */
static double
mean_survival(const BgCustomer *c, double R, double t)
{
	double tau = t / c->A;
	double y = log1p(tau); /* -ln(1 - z) */
	double u = c->a + c->B - R;
	AtTime at = {R, tau};

	if (t == 0)
		return 1;
	if (u > -1 && c->a * y < 30 && series_is_short(c->A, t))
	{
		double z = t / (c->A + t);
		double term = 1;
		double sum = 1;

		for (int n = 0;; n++)
		{
			double growth = (u + n) * (c->a + n) / ((c->a + c->B + n) * (n + 1)) * z;

			term *= growth;
			sum += term;
			if (series_ends(term, growth, z, sum))
				break;
		}
		return exp(-c->a * y) * sum;
	}
	return beta_mean(c->a, c->B, survival_given_p, &at);
}

/* E[(1 - (1 + p tau)^-R) / p] */
static double
mean_expected(const BgCustomer *c, double t)
{
	double tau = t / c->A;
	double z = t / (c->A + t);
	double e = c->a - 1;
	double C = c->a + c->B - 1;
	double u = C - c->R;
	double y = log1p(tau);
	double mean = c->R * tau; /* of N(t) */
	AtTime at = {c->R, tau};

	if (u > -1 && fabs(C) < 300 * c->R && c->a * y < 30 && series_is_short(c->A, t))
	{
		double term = u * z;
		double sum = term;

		for (int n = 1;; n++)
		{
			double growth = (u + n) * (e + n) / ((C + n) * (n + 1)) * z;

			term *= growth;
			sum += term;
			if (series_ends(term, growth, z, sum))
				break;
		}
		return C * one_minus_exp_over(e, y) - exp(-e * y) * sum;
	}

	if (mean + 10 * sqrt(mean * (1 + tau)) < MAX_TERMS && series_is_short(c->A, t))
	{
		/* sum over n of P(N = n) (1 + E[q] + ... + E[q^(n-1)]) */
		double probability = exp(-c->R * y);
		double power = 1;
		double powers = 0;
		double sum = 0;

		for (int n = 0;; n++)
		{
			double growth = (c->R + n) / (n + 1) * z;
			double term;

			probability *= growth;
			powers += power;
			power *= (c->B + n) / (c->a + c->B + n);
			term = probability * powers;
			sum += term;
			if (n > mean && series_ends(term, growth * (n + 2) / (n + 1), z, sum))
				break;
		}
		return sum;
	}

	return beta_mean(c->a, c->B, expected_given_p, &at);
}

double
bg_survival(const BgCustomer *c, double t)
{
	return isinf(t) ? 0 : c->p_alive * mean_survival(c, c->R, t);
}

double
bg_expected(const BgCustomer *c, double t)
{
	if (t == 0)
		return 0;
	/* E[1 / p] */
	if (isinf(t))
		return c->a > 1 ? c->p_alive * (c->a + c->B - 1) / (c->a - 1) : INFINITY;
	return c->p_alive * mean_expected(c, t);
}

/*
 * P(N(t) >= n) E[q^(n-1)]: the n-th purchase would come in time, and he has
 * lived through those before it.
 */
double
bg_count_tail(const BgCustomer *c, double n, double t)
{
	double arrives;

	if (n == 0)
		return 1;
	if (isinf(t))
		arrives = 1;
	else if (n == 1)
		arrives = -expm1(-c->R * log1p(t / c->A));
	else
		arrives = incomplete_beta(n, c->R, t, c->A);
	return c->p_alive * arrives * exp(ln_beta_rising(c->a, c->B, n - 1));
}

/*
 * Exactly n: he stays through n purchases and no other would come, or he
 * leaves after the n-th.
 */
double
bg_count_probability(const BgCustomer *c, double n, double t)
{
	double lived, leaves, exact;

	if (n == 0)
		return c->p_left + c->p_alive * exp(-c->R * log1p(t / c->A));
	if (t == 0)
		return 0;
	lived = exp(ln_beta_rising(c->a, c->B, n - 1));
	leaves = c->a / (c->a + c->B + (n - 1));
	exact = exp(ln_beta_kernel(n, c->R, t, c->A)) / n;
	return c->p_alive * lived *
		   (leaves * incomplete_beta(n, c->R, t, c->A) +
			(c->B + (n - 1)) / (c->a + c->B + (n - 1)) * exact);
}

/* Purchases at u are worth exp(-discount u), up to t. */
typedef struct Discounted
{
	const BgCustomer *c;
	double discount;
	double t;
} Discounted;

/* ... at one u = A (exp(v) - 1), times du / dv, over R */
static double
discounted_at(double v, const void *context)
{
	const Discounted *d = context;
	double u = d->c->A * expm1(v);

	return exp(v - d->discount * u) * mean_survival(d->c, d->c->R + 1, u);
}

/*
 * ... at one p, over R: with I(w) = int_0^inf exp(-w y) (1 + y)^-(R+1) dy and
 * w = discount A / p it is [I(w) - exp(-discount t) (1 + p tau)^-R I(w (1 + p
 * tau))] / p.
 */
static double
discounted_given_p(double p, const void *context)
{
	const Discounted *d = context;
	const BgCustomer *c = d->c;
	double w = d->discount * c->A / p;
	double rest = 0;

	if (w > 1e100)
		return -expm1(-d->discount * d->t) / (d->discount * c->A);
	if (!isinf(d->t))
	{
		double p_tau = p * d->t / c->A;

		rest = exp(-d->discount * d->t - c->R * log1p(p_tau)) *
			   exponential_integral(c->R + 1, w * (1 + p_tau));
	}
	return (exponential_integral(c->R + 1, w) - rest) / p;
}

double
bg_discounted(const BgCustomer *c, double discount, double t)
{
	Discounted d = {c, discount, t};
	double end = log1p(t / c->A);
	double half = end / 2;
	const GaussRule *rule;
	double sum = 0;

	if (t == 0)
		return 0;
	if (discount == 0)
		return bg_expected(c, t);

	/* Mean over p of the integral over time, where that does not cancel */
	if (isinf(t) || (discount * t > 0.5 && !series_is_short(c->A, t)))
		return c->p_alive * c->R * beta_mean(c->a, c->B, discounted_given_p, &d);

	/* Integral over time of the mean over p, analytic within pi of the real line */
	rule = gauss_rule(half * (discount * (c->A + t) + c->R), M_PI / half);
	if (rule == NULL)
		return c->p_alive * c->R * integrate(discounted_at, &d, 0, end);
	for (int i = 0; i < rule->half; i++)
		sum += rule->weight[i] * (discounted_at(half - half * rule->node[i], &d) +
								  discounted_at(half + half * rule->node[i], &d));
	return c->p_alive * c->R * half * sum;
}
