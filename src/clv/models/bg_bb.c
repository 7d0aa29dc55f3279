/*
 * bg_bb.c
 *	  The BG/BB model: P. S. Fader, B. G. S. Hardie, J. Shang, "Customer-Base
 *	  Analysis in a Discrete-Time Noncontractual Setting", Marketing Science
 *	  29(6), 2010.
 *
 * At the start of each opportunity an active customer leaves with probability
 * theta ~ Beta(gamma, delta); if he stays he buys with probability p ~
 * Beta(alpha, beta).  n opportunities (the row's T), x purchases, the last at
 * t_x:
 *
 *		L = B(alpha+x, beta+n-x) / B(alpha, beta) B(gamma, delta+n) / B(gamma, delta)
 *			+ sum_{k=t_x}^{n-1} B(alpha+x, beta+k-x) / B(alpha, beta)
 *								B(gamma+1, delta+k) / B(gamma, delta)
 *		  = first term (1 + D)
 *		P(alive at n) = 1 / (1 + D)
 *
 * D is the odds that he left before opportunity n, a sum of positive terms that
 * follow from each other by multiplication.  Alive at n, p ~ Beta(alpha+x,
 * beta+n-x) and theta ~ Beta(gamma, delta+n), independent.
 */
#include <math.h>
#include <stddef.h>

#include "clv/models/beta_geometric.h"
#include "clv/models/models.h"
#include "numerics/quadrature.h"
#include "numerics/special.h"

enum
{
	ALPHA,
	BETA,
	GAMMA,
	DELTA
};

/* Sums that outgrow a double are kept as value * exp(ln_scale). */
#define LARGE	 1e200
#define LN_LARGE 460.517018598809136803598290936872841520220

typedef struct LeftOdds
{
	double one; /* 1 and D, divided by exp(ln_scale) */
	double odds;
	double ln_scale;
	double slope[4]; /* derivatives of D by the parameters, scaled alike */
} LeftOdds;

static void
sum_odds(const ClvParams *p, const ClvRow *row, bool slopes, LeftOdds *d)
{
	const double alpha = p->theta[ALPHA];
	const double beta = p->theta[BETA];
	const double gamma = p->theta[GAMMA];
	const double delta = p->theta[DELTA];
	const double n = row->T;
	double term;
	double ln_slope[4]; /* of the term */

	*d = (LeftOdds){1, 0, 0, {0, 0, 0, 0}};
	if (row->t_x == n)
		return;

	term =
		(alpha + beta + (n - 1)) / (beta + (n - 1 - row->x)) * gamma / (delta + (n - 1));
	ln_slope[ALPHA] = 1 / (alpha + beta + (n - 1));
	ln_slope[BETA] = ln_slope[ALPHA] - 1 / (beta + (n - 1 - row->x));
	ln_slope[GAMMA] = 1 / gamma;
	ln_slope[DELTA] = -1 / (delta + (n - 1));
	for (double k = n - 1;; k--)
	{
		double trials, misses, lives, stays;

		d->odds += term;
		if (slopes)
		{
			for (int i = 0; i < 4; i++)
				d->slope[i] += term * ln_slope[i];
		}
		if (k == row->t_x)
			break;

		/* from the term of k to that of k - 1 */
		trials = alpha + beta + (k - 1);
		misses = beta + (k - 1 - row->x);
		lives = gamma + delta + k;
		stays = delta + (k - 1);
		term *= trials / misses * (lives / stays);
		if (slopes)
		{
			ln_slope[ALPHA] += 1 / trials;
			ln_slope[BETA] += 1 / trials - 1 / misses;
			ln_slope[GAMMA] += 1 / lives;
			ln_slope[DELTA] += 1 / lives - 1 / stays;
		}
		if (term > LARGE)
		{
			d->one /= LARGE;
			d->odds /= LARGE;
			d->ln_scale += LN_LARGE;
			term /= LARGE;
			for (int i = 0; i < 4; i++)
				d->slope[i] /= LARGE;
		}
	}
}

/* P(he buys at some opportunity): 1 - L at x = 0, without cancellation */
static double
p_buys(const ClvParams *p, double n)
{
	const double alpha = p->theta[ALPHA];
	const double beta = p->theta[BETA];
	const double gamma = p->theta[GAMMA];
	const double delta = p->theta[DELTA];
	double first = delta / (gamma + delta) * (alpha / (alpha + beta));
	double sum = 0;

	/* His first purchase is at opportunity i. */
	for (double i = 1; i <= n && first > 0; i++)
	{
		sum += first;
		first *=
			(delta + i) / (gamma + delta + i) * ((beta + (i - 1)) / (alpha + beta + i));
	}
	return sum;
}

static double
bg_bb_log_likelihood(const ClvParams *p, ClvMemo *memo, const ClvRow *row,
					 double *gradient)
{
	const double alpha = p->theta[ALPHA];
	const double beta = p->theta[BETA];
	const double gamma = p->theta[GAMMA];
	const double delta = p->theta[DELTA];
	const double x = row->x;
	const double n = row->T;
	const double misses = n - x;
	LeftOdds d;

	(void) memo;
	sum_odds(p, row, gradient != NULL, &d);

	if (gradient != NULL)
	{
		double trials = digamma_rising(alpha + beta, n);
		double lives = digamma_rising(gamma + delta, n);
		double all = d.one + d.odds;

		gradient[ALPHA] =
			alpha * (digamma_rising(alpha, x) - trials + d.slope[ALPHA] / all);
		gradient[BETA] =
			beta * (digamma_rising(beta, misses) - trials + d.slope[BETA] / all);
		gradient[GAMMA] = gamma * (-lives + d.slope[GAMMA] / all);
		gradient[DELTA] =
			delta * (digamma_rising(delta, n) - lives + d.slope[DELTA] / all);
	}

	if (x == 0)
	{
		double buys = p_buys(p, n);

		if (buys < 0.5)
			return log1p(-buys);
	}
	return ln_beta_rising(alpha, beta, misses) + ln_beta_rising(beta + misses, alpha, x) +
		   ln_beta_rising(gamma, delta, n) + d.ln_scale + log(d.one + d.odds);
}

/* What is known of the customer after opportunity n */
typedef struct Customer
{
	double p_alive;
	double p_left;
	double alpha;
	double beta;
	double gamma;
	double delta;
} Customer;

static Customer
bg_bb_posterior(const ClvParams *p, const ClvRow *row)
{
	LeftOdds d;
	Customer c;

	sum_odds(p, row, false, &d);
	c.p_alive = d.one / (d.one + d.odds);
	c.p_left = d.odds / (d.one + d.odds);
	/* d.one may be too small for a double, and P(alive) with it */
	if (c.p_alive < 1e-150)
		c.p_alive = exp(-d.ln_scale - log(d.odds));
	c.alpha = p->theta[ALPHA] + row->x;
	c.beta = p->theta[BETA] + (row->T - row->x);
	c.gamma = p->theta[GAMMA];
	c.delta = p->theta[DELTA] + row->T;
	return c;
}

static double
bg_bb_p_alive(const ClvParams *p, double ahead, const ClvRow *row)
{
	Customer c = bg_bb_posterior(p, row);

	if (isinf(ahead))
		return 0;
	return c.p_alive * beta_geometric_survival(c.gamma, c.delta, ahead);
}

static double
bg_bb_discounted_purchases(const ClvParams *p, double discount, double horizon,
						   const ClvRow *row)
{
	Customer c = bg_bb_posterior(p, row);

	if (horizon == 0)
		return 0;
	if (isinf(horizon) && discount == 0 && c.gamma <= 1)
		return INFINITY;

	/* The sum over j = 1 .. horizon of P(stays through j) (1 + discount)^-j */
	return c.p_alive * (c.alpha / (c.alpha + c.beta)) * (c.delta / (c.gamma + c.delta)) /
		   (1 + discount) *
		   beta_geometric_lifetime(c.gamma, c.delta + 1, discount, horizon);
}

static double
bg_bb_expected_purchases(const ClvParams *p, double horizon, const ClvRow *row)
{
	return bg_bb_discounted_purchases(p, 0, horizon, row);
}

/*
 * ln of a sum over i = first .. last whose terms follow from each other.  With
 * leaves = 0 a term is P(stays through i, n-th purchase at i); with leaves = 1
 * it is P(stays through i, then leaves; n purchases by i), first = n in both.
 */
static double
ln_sum_over_ends(const Customer *c, double n, double last, int leaves)
{
	double ln_first =
		ln_beta_rising(c->beta, c->alpha, n) + ln_beta_rising(c->gamma, c->delta, n);
	double term = 1;
	double sum = 0;

	if (leaves)
		ln_first += log(c->gamma / (c->gamma + c->delta + n));
	for (double i = n; i <= last; i++)
	{
		double misses = i + 1 - n;

		sum += term;
		term *= (i + leaves) / misses *
				((c->beta + (misses - 1)) / (c->alpha + c->beta + i)) *
				((c->delta + i) / (c->gamma + c->delta + i + leaves));
		if (term > LARGE)
		{
			term /= LARGE;
			sum /= LARGE;
			ln_first += LN_LARGE;
		}
		if (term < sum * 1e-25)
			break;
	}
	return ln_first + log(sum);
}

/* P(stays through i, first purchase at i) for i = exp(ln_i), i itself counted in */
static double
first_purchase_at(double ln_i, const void *context)
{
	const Customer *c = context;
	double i = exp(ln_i);

	return exp(ln_beta_rising(c->gamma, c->delta, i) +
			   ln_beta_rising(c->alpha, c->beta, i - 1) + ln_i) *
		   (c->alpha / (c->alpha + c->beta + (i - 1)));
}

/*
 * P(he ever buys again).  The sum over opportunities is taken term by term to
 * END, then by the midpoint rule turned round: sum_{i > N} f(i) = int_{N+1/2}
 * f + f'(N+1/2) / 24 + ...
 */
static double
p_ever_active(const Customer *c)
{
	const double end = 4096;
	double near = exp(ln_sum_over_ends(c, 1, end, 0));
	double from = log(end + 0.5);
	double far = 0;
	double slope = first_purchase_at(log(end + 1), c) / (end + 1) -
				   first_purchase_at(log(end), c) / end;

	/* Octave by octave: f falls like a power of i. */
	for (;;)
	{
		double piece = integrate(first_purchase_at, c, from, from + 1);

		far += piece;
		from += 1;
		if (piece <= 1e-17 * (near + far) || from > 230)
			break;
	}
	return c->p_alive * fmin(near + far + slope / 24, 1);
}

static double
bg_bb_count_tail(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	Customer c = bg_bb_posterior(p, row);

	if (n == 0)
		return 1;
	if (n > horizon)
		return 0;
	if (n == 1 && isinf(horizon))
		return p_ever_active(&c);
	return c.p_alive * fmin(exp(ln_sum_over_ends(&c, n, horizon, 0)), 1);
}

static double
bg_bb_p_active(const ClvParams *p, double horizon, const ClvRow *row)
{
	return bg_bb_count_tail(p, 1, horizon, row);
}

static double
bg_bb_count_probability(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	Customer c = bg_bb_posterior(p, row);
	double stays, leaves;

	if (n > horizon)
		return 0;

	/* He stays to the end, or leaves before opportunity i + 1, n <= i < horizon. */
	stays = exp(ln_binomial(horizon, n) + ln_beta_rising(c.alpha, c.beta, horizon - n) +
				ln_beta_rising(c.beta + (horizon - n), c.alpha, n) +
				ln_beta_rising(c.gamma, c.delta, horizon));
	leaves = n < horizon ? exp(ln_sum_over_ends(&c, n, horizon - 1, 1)) : 0;
	return (n == 0 ? c.p_left : 0) + c.p_alive * (stays + leaves);
}

static void
bg_bb_start(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	double bought = 0;
	double chances = 0;

	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];

		bought += weight * rows[i].x;
		chances += weight * rows[i].T;
	}

	/* Those who stay buy more often than the average. */
	theta[ALPHA] = 1;
	theta[BETA] = (chances - bought + 1) / (2 * (bought + 1));
	theta[BETA] = fmin(fmax(theta[BETA], 0.1), 100);
	theta[GAMMA] = 1;
	theta[DELTA] = 3;
}

const ClvModel clv_bg_bb = {
	.name = "bg/bb",
	.paper = "Fader, Hardie and Shang, Marketing Science 29(6), 2010",
	.data = CLV_DATA_PURCHASES,
	.discrete = true,
	.n_params = 4,
	.param = {{"alpha", CLV_SHAPE},
			  {"beta", CLV_SHAPE},
			  {"gamma", CLV_SHAPE},
			  {"delta", CLV_SHAPE}},
	.check_row = clv_check_opportunities,
	.log_likelihood = bg_bb_log_likelihood,
	.start = bg_bb_start,
	.p_alive = bg_bb_p_alive,
	.p_active = bg_bb_p_active,
	.expected_purchases = bg_bb_expected_purchases,
	.discounted_purchases = bg_bb_discounted_purchases,
	.count_probability = bg_bb_count_probability,
	.count_tail = bg_bb_count_tail,
};
