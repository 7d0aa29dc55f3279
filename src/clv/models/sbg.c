/*
 * sbg.c
 *	  The shifted beta-geometric model of contracts: P. S. Fader, B. G. S.
 *	  Hardie, "How to project customer retention", Journal of Interactive
 *	  Marketing 21(1), 2007; lifetimes from P. S. Fader, B. G. S. Hardie,
 *	  "Customer-Base Valuation in a Contractual Setting", Marketing Science
 *	  29(1), 2010.
 *
 * At the end of each period a customer leaves with probability theta ~
 * Beta(alpha, beta), his own and constant.
 *
 *		S(t) = B(alpha, beta+t) / B(alpha, beta)
 *		r_t = S(t) / S(t-1) = (beta+t-1) / (alpha+beta+t-1)
 *		P(T = t) = S(t-1) (1 - r_t)
 *
 * A row is one decision at the end of period T: renewed (x = 1, L = r_T) or
 * lost (x = 0, L = 1 - r_T).  The decisions of a cohort multiply to the paper's
 * likelihood, and cohorts of different age can be pooled.
 */
#include <math.h>
#include <stddef.h>

#include "clv/models/beta_geometric.h"
#include "clv/models/models.h"

enum
{
	ALPHA,
	BETA
};

static double
sbg_retention(const ClvParams *p, double period)
{
	double stays = p->theta[BETA] + (period - 1);

	return stays / (p->theta[ALPHA] + stays);
}

static double
sbg_log_likelihood(const ClvParams *p, ClvMemo *memo, const ClvRow *row, double *gradient)
{
	const double alpha = p->theta[ALPHA];
	const double beta = p->theta[BETA];
	double stays = beta + (row->T - 1);
	double lost = alpha / (alpha + stays);

	(void) memo;
	if (row->x == 1)
	{
		if (gradient != NULL)
		{
			gradient[ALPHA] = -lost;
			gradient[BETA] = beta / stays * lost;
		}
		return -log1p(alpha / stays);
	}
	if (gradient != NULL)
	{
		gradient[ALPHA] = stays / (alpha + stays);
		gradient[BETA] = -beta / (alpha + stays);
	}
	return -log1p(stays / alpha);
}

static void
sbg_start(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	double decisions = 0;
	double renewals = 0;

	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];

		decisions += weight;
		renewals += weight * rows[i].x;
	}

	/* The mean retention, as if beta / (alpha+beta), kept off its ends. */
	theta[ALPHA] = 1;
	theta[BETA] = (renewals + 0.5) / (fmax(decisions - renewals, 0) + 0.5);
	theta[BETA] = fmin(fmax(theta[BETA], 0.01), 100);
}

static double
sbg_survival(const ClvParams *p, double period)
{
	return beta_geometric_survival(p->theta[ALPHA], p->theta[BETA], period);
}

static double
sbg_p_churn(const ClvParams *p, double period)
{
	return sbg_survival(p, period - 1) * p->theta[ALPHA] /
		   (p->theta[ALPHA] + p->theta[BETA] + (period - 1));
}

static double
sbg_expected_lifetime(const ClvParams *p, double discount)
{
	return beta_geometric_lifetime(p->theta[ALPHA], p->theta[BETA], discount, INFINITY);
}

static double
sbg_residual_lifetime(const ClvParams *p, double discount, double period)
{
	return sbg_retention(p, period) * beta_geometric_lifetime(p->theta[ALPHA],
															  p->theta[BETA] + period,
															  discount, INFINITY);
}

const ClvModel clv_sbg = {
	.name = "sbg",
	.paper = "Fader and Hardie, Journal of Interactive Marketing 21(1), 2007",
	.data = CLV_DATA_RENEWALS,
	.discrete = true,
	.n_params = 2,
	.param = {{"alpha", CLV_SHAPE}, {"beta", CLV_SHAPE}},
	.check_row = clv_check_renewal,
	.log_likelihood = sbg_log_likelihood,
	.start = sbg_start,
	.survival = sbg_survival,
	.p_churn = sbg_p_churn,
	.retention = sbg_retention,
	.expected_lifetime = sbg_expected_lifetime,
	.residual_lifetime = sbg_residual_lifetime,
};
