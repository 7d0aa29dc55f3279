/*
 * nbd.c
 *	  The NBD model: A. S. C. Ehrenberg, "The Pattern of Consumer Purchases",
 *	  Applied Statistics 8(1), 1959; in the form for purchase times.
 *
 * A customer buys at a Poisson rate lambda ~ Gamma(r, rate alpha), for ever:
 * the baseline for the models in which customers leave.
 *
 *		L(x, T) = G(r+x) / G(r) alpha^r (alpha+T)^-(r+x)
 *
 * It is a density of the x purchase times, as in the other models, and compares
 * with them.  The posterior is lambda ~ Gamma(r+x, alpha+T).
 */
#include <math.h>
#include <stddef.h>

#include "clv/models/models.h"
#include "clv/models/start.h"
#include "numerics/special.h"

enum
{
	R,
	ALPHA
};

/* What depends on x alone */
enum
{
	MEMO_LN, /* ln G(r+x) / G(r) */
	MEMO_DR	 /* and its derivative */
};

static double
nbd_log_likelihood(const ClvParams *p, ClvMemo *memo, const ClvRow *row, double *gradient)
{
	const double r = p->theta[R];
	const double alpha = p->theta[ALPHA];
	double seen = alpha + row->T;
	double ln_age = log1p(row->T / alpha);

	if (memo->x != row->x)
	{
		memo->x = row->x;
		memo->c[MEMO_LN] = ln_rising(r, row->x);
		memo->c[MEMO_DR] = digamma_rising(r, row->x);
	}
	if (gradient != NULL)
	{
		gradient[R] = r * (memo->c[MEMO_DR] - ln_age);
		gradient[ALPHA] = (r * row->T - alpha * row->x) / seen;
	}
	if (row->x == 0)
		return -r * ln_age;
	return memo->c[MEMO_LN] - row->x * log(seen) - r * ln_age;
}

static double
nbd_p_alive(const ClvParams *p, double ahead, const ClvRow *row)
{
	(void) p;
	(void) ahead;
	(void) row;
	return 1;
}

static double
nbd_count_tail(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	double shape = p->theta[R] + row->x;
	double seen = p->theta[ALPHA] + row->T;

	if (n == 0 || isinf(horizon))
		return 1;
	if (n == 1)
		return -expm1(-shape * log1p(horizon / seen));
	return incomplete_beta(n, shape, horizon, seen);
}

static double
nbd_p_active(const ClvParams *p, double horizon, const ClvRow *row)
{
	return nbd_count_tail(p, 1, horizon, row);
}

static double
nbd_count_probability(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	double shape = p->theta[R] + row->x;
	double seen = p->theta[ALPHA] + row->T;

	if (n == 0)
		return exp(-shape * log1p(horizon / seen));
	if (horizon == 0)
		return 0;
	return exp(ln_beta_kernel(n, shape, horizon, seen)) / n;
}

/* What one purchase a unit of time is worth until the horizon */
static double
annuity(double discount, double horizon)
{
	if (isinf(horizon))
		return discount > 0 ? 1 / discount : INFINITY;
	return one_minus_exp_over(discount, horizon);
}

static double
nbd_discounted_purchases(const ClvParams *p, double discount, double horizon,
						 const ClvRow *row)
{
	return (p->theta[R] + row->x) / (p->theta[ALPHA] + row->T) *
		   annuity(discount, horizon);
}

static double
nbd_expected_purchases(const ClvParams *p, double horizon, const ClvRow *row)
{
	return nbd_discounted_purchases(p, 0, horizon, row);
}

static void
nbd_start(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	clv_start_rates(rows, weights, n, &theta[R], &theta[ALPHA]);
}

const ClvModel clv_nbd = {
	.name = "nbd",
	.paper = "Ehrenberg, Applied Statistics 8(1), 1959",
	.data = CLV_DATA_PURCHASES,
	.n_params = 2,
	.param = {{"r", CLV_SHAPE}, {"alpha", CLV_RATE}},
	.check_row = clv_check_purchases,
	.log_likelihood = nbd_log_likelihood,
	.start = nbd_start,
	.p_alive = nbd_p_alive,
	.p_active = nbd_p_active,
	.expected_purchases = nbd_expected_purchases,
	.discounted_purchases = nbd_discounted_purchases,
	.count_probability = nbd_count_probability,
	.count_tail = nbd_count_tail,
};
