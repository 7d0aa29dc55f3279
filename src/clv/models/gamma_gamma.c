/*
 * gamma_gamma.c
 *	  The Gamma-Gamma model of spend: P. S. Fader, B. G. S. Hardie, "The
 *	  Gamma-Gamma Model of Monetary Value", note 025, 2013; after R. Colombo, W.
 *	  Jiang, "A stochastic RFM model", Journal of Interactive Marketing 13(3),
 *	  1999.
 *
 * A customer's purchases are Gamma(p, rate nu), independent of how often he
 * buys; nu ~ Gamma(q, rate v).  With zbar the mean of x purchases and
 * w = x zbar / (v + x zbar),
 *
 *		L = w^(p x) (1 - w)^q / B(p x, q) / zbar
 *		E[M | x, zbar] = p (v + x zbar) / (p x + q - 1)
 *
 * Without a purchase L = 1, and E[M] is the population's mean p v / (q - 1),
 * which exists for q > 1 only.
 */
#include <math.h>
#include <stddef.h>

#include "clv/models/models.h"
#include "numerics/special.h"

enum
{
	P,
	Q,
	V
};

/* What depends on x alone */
enum
{
	MEMO_LN, /* -ln B(p x, q) */
	MEMO_DP, /* its derivatives by p x and q */
	MEMO_DQ
};

/* Above, the plain sum of logarithms would lose digits that the kernel keeps. */
#define PLAIN_TO 200

static double
gamma_gamma_log_likelihood(const ClvParams *params, ClvMemo *memo, const ClvRow *row,
						   double *gradient)
{
	const double p = params->theta[P];
	const double q = params->theta[Q];
	const double v = params->theta[V];
	const double shape = p * row->x; /* of the sum of the x purchases */
	const double total = row->x * row->zbar;
	double ln_zbar, ln_w, ln_rest; /* ln w and ln (1-w) */

	if (row->x == 0)
	{
		if (gradient != NULL)
			gradient[P] = gradient[Q] = gradient[V] = 0;
		return 0;
	}

	if (memo->x != row->x)
	{
		double n = shape + q;

		memo->x = row->x;
		memo->c[MEMO_LN] =
			ln_beta_kernel(shape, q, shape, q) - shape * log(shape / n) - q * log(q / n);
		memo->c[MEMO_DP] = digamma(n) - digamma(shape);
		memo->c[MEMO_DQ] = digamma(n) - digamma(q);
	}

	ln_zbar = log(row->zbar);
	ln_rest = -log1p(total / v);
	ln_w = log(total / v) + ln_rest;
	if (gradient != NULL)
	{
		gradient[P] = shape * (memo->c[MEMO_DP] + ln_w);
		gradient[Q] = q * (memo->c[MEMO_DQ] + ln_rest);
		gradient[V] = q - (shape + q) * (v / (v + total));
	}
	if (shape + q > PLAIN_TO)
		return ln_beta_kernel(shape, q, total, v) - ln_zbar;
	return memo->c[MEMO_LN] + shape * ln_w + q * ln_rest - ln_zbar;
}

static void
gamma_gamma_start(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	double purchases = 0;
	double spend = 0;

	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];

		/* zbar means nothing where x = 0 */
		if (rows[i].x > 0)
		{
			purchases += weight * rows[i].x;
			spend += weight * rows[i].x * rows[i].zbar;
		}
	}

	/* Moderate shapes, and the mean of the data: p v / (q - 1). */
	theta[P] = 4;
	theta[Q] = 4;
	theta[V] = purchases > 0 ? spend / purchases * 3 / 4 : 1;
	theta[V] = fmin(fmax(theta[V], CLV_PARAM_MIN), CLV_PARAM_MAX);
}

static double
gamma_gamma_expected_spend(const ClvParams *params, const ClvRow *row)
{
	const double p = params->theta[P];
	double total = row->x > 0 ? row->x * row->zbar : 0;
	double excess = p * row->x + (params->theta[Q] - 1);

	return excess > 0 ? p * (params->theta[V] + total) / excess : INFINITY;
}

const ClvModel clv_gamma_gamma = {
	.name = "gamma-gamma",
	.paper = "Fader and Hardie, note 025, 2013",
	.data = CLV_DATA_SPEND,
	.n_params = 3,
	.param = {{"p", CLV_SHAPE}, {"q", CLV_SHAPE}, {"v", CLV_RATE}},
	.check_row = clv_check_spend,
	.log_likelihood = gamma_gamma_log_likelihood,
	.start = gamma_gamma_start,
	.expected_spend = gamma_gamma_expected_spend,
};
