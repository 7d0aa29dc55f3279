/*
 * mbg_nbd.c
 *	  The MBG/NBD model: E. P. Batislam, M. Denizel, A. Filiztekin, "Empirical
 *	  validation and comparison of models for customer base analysis",
 *	  International Journal of Research in Marketing 24(3), 2007; D. Hoppe, U.
 *	  Wagner, "Customer base analysis: The case for a central variant of the
 *	  Betageometric/NBD Model", Marketing JRM 3(2), 2007.
 *
 * As BG/NBD, but a customer may leave right after his first purchase too: he
 * buys at a Poisson rate lambda ~ Gamma(r, rate alpha) and leaves after each
 * purchase with probability p ~ Beta(a, b).
 *
 *		L(x, t_x, T) = G(r+x) alpha^r / G(r)
 *				B(a, b+x+1) / B(a, b) (alpha+T)^-(r+x) (1 + D)
 *		D = a / (b+x) ((alpha+T) / (alpha+t_x))^(r+x)
 *		P(alive) = 1 / (1 + D)
 *
 * D is the odds that he left after his last purchase.
 */
#include <math.h>
#include <stddef.h>

#include "clv/models/bg_customer.h"
#include "clv/models/models.h"
#include "clv/models/start.h"
#include "numerics/special.h"

enum
{
	R,
	ALPHA,
	A,
	B
};

/* What depends on the parameters alone */
enum
{
	LN_ALPHA
};

/* ... and on x */
enum
{
	MEMO_LN,   /* ln [ G(r+x) / G(r) B(a, b+x+1) / B(a, b) ] */
	MEMO_ODDS, /* ln [ a / (b+x) ] */
	MEMO_DR,   /* derivatives of MEMO_LN by r, a, b */
	MEMO_DA,
	MEMO_DB
};

static void
mbg_nbd_prepare(ClvParams *p)
{
	p->c[LN_ALPHA] = log(p->theta[ALPHA]);
}

static double
mbg_nbd_log_likelihood(const ClvParams *p, ClvMemo *memo, const ClvRow *row,
					   double *gradient)
{
	const double r = p->theta[R];
	const double alpha = p->theta[ALPHA];
	const double a = p->theta[A];
	const double b = p->theta[B];
	const double x = row->x;
	double seen = alpha + row->T;
	double ln_age;	/* ln (alpha+T) / alpha */
	double ln_gap;	/* ln (alpha+T) / (alpha+t_x) */
	double ln_odds; /* ln D */
	double left;	/* D / (1 + D) */

	if (x == 0)
	{
		/* a / (a+b) of them left at once, the others did not buy until T */
		double silent = exp(-r * log1p(row->T / alpha));
		double buys = -expm1(-r * log1p(row->T / alpha));
		double likelihood = a / (a + b) + b / (a + b) * silent;

		if (gradient != NULL)
		{
			double stays = b / (a + b) * silent / likelihood;

			gradient[R] = -stays * r * log1p(row->T / alpha);
			gradient[ALPHA] = stays * r * row->T / seen;
			gradient[A] = a * b / ((a + b) * (a + b)) * buys / likelihood;
			gradient[B] = -gradient[A];
		}
		/* Most often L is near 1 and its logarithm near 0. */
		return likelihood > 0.5 ? log1p(-b / (a + b) * buys) : log(likelihood);
	}

	if (memo->x != x)
	{
		memo->x = x;
		memo->c[MEMO_LN] = ln_rising(r, x) + ln_beta_rising(a, b, x + 1);
		memo->c[MEMO_ODDS] = log(a / (b + x));
		memo->c[MEMO_DR] = digamma_rising(r, x);
		memo->c[MEMO_DA] = -digamma_rising(a + b, x + 1);
		memo->c[MEMO_DB] = digamma_rising(b, x + 1) - digamma_rising(a + b, x + 1);
	}

	ln_age = log1p(row->T / alpha);
	ln_gap = log1p((row->T - row->t_x) / (alpha + row->t_x));
	ln_odds = memo->c[MEMO_ODDS] + (r + x) * ln_gap;

	if (gradient != NULL)
	{
		left = logistic(ln_odds);
		gradient[R] = r * (memo->c[MEMO_DR] - ln_age + left * ln_gap);
		gradient[ALPHA] =
			(r * row->T - alpha * x) / seen -
			left * (r + x) * alpha * (row->T - row->t_x) / (seen * (alpha + row->t_x));
		gradient[A] = a * memo->c[MEMO_DA] + left;
		gradient[B] = b * (memo->c[MEMO_DB] - left / (b + x));
	}

	/* The greater of the two terms of L is taken out. */
	if (ln_odds < 0)
		return memo->c[MEMO_LN] - x * (p->c[LN_ALPHA] + ln_age) - r * ln_age +
			   softplus(ln_odds);
	return memo->c[MEMO_LN] + memo->c[MEMO_ODDS] - x * log(alpha + row->t_x) -
		   r * log1p(row->t_x / alpha) + softplus(-ln_odds);
}

/* What is known of the customer at T */
static BgCustomer
mbg_nbd_posterior(const ClvParams *p, const ClvRow *row)
{
	BgCustomer c;
	double ln_odds;

	c.R = p->theta[R] + row->x;
	c.A = p->theta[ALPHA] + row->T;
	c.a = p->theta[A];
	c.B = p->theta[B] + row->x + 1;
	ln_odds = log(c.a / (p->theta[B] + row->x)) +
			  c.R * log1p((row->T - row->t_x) / (p->theta[ALPHA] + row->t_x));
	c.p_alive = logistic(-ln_odds);
	c.p_left = logistic(ln_odds);
	return c;
}

static double
mbg_nbd_p_alive(const ClvParams *p, double ahead, const ClvRow *row)
{
	BgCustomer c = mbg_nbd_posterior(p, row);

	return bg_survival(&c, ahead);
}

static double
mbg_nbd_p_active(const ClvParams *p, double horizon, const ClvRow *row)
{
	BgCustomer c = mbg_nbd_posterior(p, row);

	return bg_count_tail(&c, 1, horizon);
}

static double
mbg_nbd_expected_purchases(const ClvParams *p, double horizon, const ClvRow *row)
{
	BgCustomer c = mbg_nbd_posterior(p, row);

	return bg_expected(&c, horizon);
}

static double
mbg_nbd_discounted_purchases(const ClvParams *p, double discount, double horizon,
							 const ClvRow *row)
{
	BgCustomer c = mbg_nbd_posterior(p, row);

	return bg_discounted(&c, discount, horizon);
}

static double
mbg_nbd_count_probability(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	BgCustomer c = mbg_nbd_posterior(p, row);

	return bg_count_probability(&c, n, horizon);
}

static double
mbg_nbd_count_tail(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	BgCustomer c = mbg_nbd_posterior(p, row);

	return bg_count_tail(&c, n, horizon);
}

const ClvModel clv_mbg_nbd = {
	.name = "mbg/nbd",
	.paper = "Batislam, Denizel and Filiztekin, International Journal of Research in "
			 "Marketing 24(3), 2007",
	.data = CLV_DATA_PURCHASES,
	.n_params = 4,
	.param = {{"r", CLV_SHAPE}, {"alpha", CLV_RATE}, {"a", CLV_SHAPE}, {"b", CLV_SHAPE}},
	.check_row = clv_check_purchases,
	.prepare = mbg_nbd_prepare,
	.log_likelihood = mbg_nbd_log_likelihood,
	.start = clv_start_bg,
	.p_alive = mbg_nbd_p_alive,
	.p_active = mbg_nbd_p_active,
	.expected_purchases = mbg_nbd_expected_purchases,
	.discounted_purchases = mbg_nbd_discounted_purchases,
	.count_probability = mbg_nbd_count_probability,
	.count_tail = mbg_nbd_count_tail,
};
