/*
 * pareto_nbd.c
 *	  The Pareto/NBD model: D. C. Schmittlein, D. G. Morrison, R. Colombo,
 *	  "Counting Your Customers: Who Are They and What Will They Do Next?",
 *	  Management Science 33(1), 1987; as derived in P. S. Fader, B. G. S. Hardie,
 *	  note 009, 2005; DERT from P. S. Fader, B. G. S. Hardie, K. L. Lee, "RFM and
 *	  CLV", Journal of Marketing Research 42(4), 2005.
 *
 * A customer buys at a Poisson rate lambda ~ Gamma(r, rate alpha) for a lifetime
 * that is exponential with rate mu ~ Gamma(s, rate beta).
 *
 *		L(x, t_x, T) = G(r+x) alpha^r / G(r) (alpha+T)^-(r+x)
 *				(beta / (beta+T))^s (1 + J)
 *		J = int_{t_x}^{T} ((alpha+T)/(alpha+u))^(r+x) ((beta+T)/(beta+u))^s s / (beta+u)
 *du P(alive) = 1 / (1 + J)
 *
 * J is the odds that he left between t_x and T.  The papers give it as a
 * difference of two Gauss hypergeometric functions, which cancels; the integral
 * itself has a positive integrand and loses nothing.  Alive at T, lambda ~
 * Gamma(R = r+x, A = alpha+T) and mu ~ Gamma(s, Bt = beta+T), independent.
 */
#include <float.h>
#include <math.h>
#include <stddef.h>

#include "clv/models/models.h"
#include "clv/models/start.h"
#include "numerics/quadrature.h"
#include "numerics/special.h"

enum
{
	R,
	ALPHA,
	S,
	BETA
};

/* What depends on x alone */
enum
{
	MEMO_LN, /* ln G(r+x) / G(r) */
	MEMO_DR	 /* and its derivative */
};

/* exp(-NEGLIGIBLE) is nothing */
#define NEGLIGIBLE 42.0

/* Means over the integrand of an overlap integral */
typedef struct Overlap
{
	double ln_a;   /* of ln (1 + u / A) */
	double ln_b;   /* of ln (1 + u / B) */
	double over_a; /* of A / (A + u) */
	double over_b; /* of B / (B + u) */
} Overlap;

/*
 * An overlap integral int_0^t (A / (A+u))^e (B / (B+u))^f du, in v = ln(1 + u /
 * m), m the lesser of A and B.  With c = m / (the greater one), w = ln(1 + c
 * (exp(v) - 1)), g the exponent of the lesser, less 1, and h that of the
 * greater, it is m int exp(-g v - h w) dv.  The exponent is concave in v and
 * singular nowhere nearer than pi from the real line.
 */
typedef struct Overlapping
{
	double c;
	double g;
	double h;
} Overlapping;

/* The integral, and those of v, w, exp(-v) and exp(-w) over the same weight */
enum
{
	WEIGHT,
	BY_V,
	BY_W,
	OVER_V,
	OVER_W,
	INTEGRALS
};

static inline void
overlap_at(const Overlapping *o, double v, double weight, int count, double *sum)
{
	double grown = exp(v);						/* 1 + u / m */
	double grown_c = (1 - o->c) + o->c * grown; /* 1 + u / (the greater) */

	/* The rounding of w counts h times. */
	double w = o->h > 50 ? log1p(o->c * expm1(v)) : log(grown_c);
	double y = weight * exp(-o->g * v - o->h * w);

	sum[WEIGHT] += y;
	if (count > 1)
	{
		sum[BY_V] += y * v;
		sum[BY_W] += y * w;
		sum[OVER_V] += y / grown;
		sum[OVER_W] += y / grown_c;
	}
}

typedef struct OneOverlap
{
	const Overlapping *o;
	int which;
} OneOverlap;

static double
overlap_integrand(double v, const void *context)
{
	const OneOverlap *one = context;
	double sum[INTEGRALS] = {0, 0, 0, 0, 0};

	overlap_at(one->o, v, 1, INTEGRALS, sum);
	return sum[one->which];
}

/* The integrals over [0, end] */
static void
overlap_sums(const Overlapping *o, double end, int count, double *sum)
{
	double steepest = fmax(fabs(o->g + o->h * o->c), fabs(o->g + o->h));

	for (int panels = 1; panels <= 128; panels *= 2)
	{
		double half = end / (2 * panels);
		const GaussRule *rule = gauss_rule(half * steepest, M_PI / half);

		if (rule == NULL)
			continue;
		for (int k = 0; k < panels; k++)
		{
			double middle = (2 * k + 1) * half;

			for (int i = 0; i < rule->half; i++)
			{
				double weight = half * rule->weight[i];

				overlap_at(o, middle - half * rule->node[i], weight, count, sum);
				overlap_at(o, middle + half * rule->node[i], weight, count, sum);
			}
		}
		return;
	}

	/* Parameters far from any data: piece by piece, as closely as it takes */
	for (int i = 0; i < count; i++)
	{
		OneOverlap one = {o, i};
		int pieces = (int) ceil(end / 4);

		for (int k = 0; k < pieces; k++)
			sum[i] = integrate_onto(sum[i], overlap_integrand, &one, end * k / pieces,
									end * (k + 1) / pieces);
	}
}

/* The overlap integral, and the means over it if wanted; e, f > 0, e + f > 1 */
static double
overlap(double e, double A, double f, double B, double t, Overlap *means)
{
	bool a_is_less = A <= B;
	double m = a_is_less ? A : B;
	Overlapping o = {a_is_less ? A / B : B / A, (a_is_less ? e : f) - 1,
					 a_is_less ? f : e};
	double k = o.g + o.h;
	double ln_c = log(o.c);
	double end = log1p(t / m);
	double straight = NEGLIGIBLE - ln_c; /* from here on w = v + ln c */
	double sum[INTEGRALS] = {0, 0, 0, 0, 0};

	if (t == 0)
	{
		if (means != NULL)
			*means = (Overlap){0, 0, 1, 1};
		return 0;
	}

	/* The exponent is below its tangent at 0 and below its asymptote. */
	if (o.g + o.h * o.c > 0)
		end = fmin(end, NEGLIGIBLE / (o.g + o.h * o.c));
	end = fmin(end, (NEGLIGIBLE - o.h * ln_c) / k);
	overlap_sums(&o, fmin(end, straight), means != NULL ? INTEGRALS : 1, sum);
	if (end > straight)
	{
		double length = end - straight;
		double factor = exp(-k * straight - o.h * ln_c);
		double rest = one_minus_exp_over(k, length);
		double by_length = k * length > 1e-5 ? (rest - length * exp(-k * length)) / k
											 : length * length / 2;

		sum[WEIGHT] += factor * rest;
		sum[BY_V] += factor * (straight * rest + by_length);
		sum[BY_W] += factor * ((straight + ln_c) * rest + by_length);
	}

	if (means != NULL)
	{
		means->ln_a = sum[a_is_less ? BY_V : BY_W] / sum[WEIGHT];
		means->ln_b = sum[a_is_less ? BY_W : BY_V] / sum[WEIGHT];
		means->over_a = sum[a_is_less ? OVER_V : OVER_W] / sum[WEIGHT];
		means->over_b = sum[a_is_less ? OVER_W : OVER_V] / sum[WEIGHT];
	}
	return m * sum[WEIGHT];
}

/*
 * The odds J that he left between t_x and T: ln J is the sum of *ln_left, on
 * the scale of t_x, and *ln_gap, what the silence since then adds.  -INFINITY
 * when t_x = T.
 */
static double
split_ln_odds(const ClvParams *p, const ClvRow *row, double *ln_left, double *ln_gap,
			  Overlap *means)
{
	const double *theta = p->theta;
	double A = theta[ALPHA] + row->t_x;
	double B = theta[BETA] + row->t_x;
	double gap = row->T - row->t_x;
	double integral = overlap(theta[R] + row->x, A, theta[S] + 1, B, gap, means);

	*ln_left = integral > 0 ? log(theta[S] / B * integral) : -INFINITY;
	*ln_gap = (theta[R] + row->x) * log1p(gap / A) + theta[S] * log1p(gap / B);
	return *ln_left + *ln_gap;
}

static double
ln_odds_left(const ClvParams *p, const ClvRow *row)
{
	double ln_left, ln_gap;

	return split_ln_odds(p, row, &ln_left, &ln_gap, NULL);
}

static double
pareto_nbd_log_likelihood(const ClvParams *p, ClvMemo *memo, const ClvRow *row,
						  double *gradient)
{
	const double r = p->theta[R];
	const double alpha = p->theta[ALPHA];
	const double s = p->theta[S];
	const double beta = p->theta[BETA];
	const double x = row->x;
	const double T = row->T;
	double ln_age_a = log1p(T / alpha);
	double ln_age_b = log1p(T / beta);
	Overlap means;
	double ln_left, ln_gap;
	double ln_odds =
		split_ln_odds(p, row, &ln_left, &ln_gap, gradient != NULL ? &means : NULL);

	if (memo->x != x)
	{
		memo->x = x;
		memo->c[MEMO_LN] = ln_rising(r, x);
		memo->c[MEMO_DR] = digamma_rising(r, x);
	}

	if (gradient != NULL)
	{
		double gap = T - row->t_x;
		double A = alpha + row->t_x;
		double B = beta + row->t_x;
		double left = logistic(ln_odds);

		/* left times the derivatives of ln J */
		gradient[R] =
			r * (memo->c[MEMO_DR] - ln_age_a + left * (log1p(gap / A) - means.ln_a));
		gradient[ALPHA] = (r * T - alpha * x) / (alpha + T) +
						  left * alpha * (r + x) * (1 / (alpha + T) - means.over_a / A);
		gradient[S] = -s * ln_age_b + left * (1 + s * (log1p(gap / B) - means.ln_b));
		gradient[BETA] = s * T / (beta + T) +
						 left * beta * (s / (beta + T) - (s + 1) * means.over_b / B);
	}

	if (x == 0)
	{
		/* P(x > 0), from which L keeps its digits where it is near 1 */
		double buys = r / alpha * overlap(r + 1, alpha, s, beta, T, NULL);

		if (buys < 0.5)
			return log1p(-buys);
	}

	/* The greater of the two terms of L is taken out. */
	if (ln_odds < 0)
		return memo->c[MEMO_LN] - x * log(alpha + T) - r * ln_age_a - s * ln_age_b +
			   softplus(ln_odds);
	return memo->c[MEMO_LN] - x * log(alpha + row->t_x) - r * log1p(row->t_x / alpha) -
		   s * log1p(row->t_x / beta) + ln_left + softplus(-ln_odds);
}

static double
pareto_nbd_p_alive(const ClvParams *p, double ahead, const ClvRow *row)
{
	if (isinf(ahead))
		return 0;
	return logistic(-ln_odds_left(p, row)) *
		   exp(-p->theta[S] * log1p(ahead / (p->theta[BETA] + row->T)));
}

/* P(he buys before he leaves and before the horizon) */
static double
pareto_nbd_p_active(const ClvParams *p, double horizon, const ClvRow *row)
{
	double shape = p->theta[R] + row->x;
	double A = p->theta[ALPHA] + row->T;
	double B = p->theta[BETA] + row->T;

	return logistic(-ln_odds_left(p, row)) * shape / A *
		   overlap(shape + 1, A, p->theta[S], B, horizon, NULL);
}

static double
pareto_nbd_expected_purchases(const ClvParams *p, double horizon, const ClvRow *row)
{
	double A = p->theta[ALPHA] + row->T;
	double B = p->theta[BETA] + row->T;
	double e = p->theta[S] - 1;
	double lifetime; /* E[time he is alive until the horizon] */

	if (isinf(horizon) && e <= 0)
		return INFINITY;
	if (isinf(horizon))
		lifetime = B / e;
	else
		lifetime = B * one_minus_exp_over(e, log1p(horizon / B));
	return logistic(-ln_odds_left(p, row)) * (p->theta[R] + row->x) / A * lifetime;
}

/* exp(-discount u) (B / (B+u))^s du with u = B (exp(v) - 1), over B */
typedef struct Discounted
{
	double s;
	double discount_B;
} Discounted;

static double
discounted_lifetime(double v, const void *context)
{
	const Discounted *d = context;

	return exp((1 - d->s) * v - d->discount_B * expm1(v));
}

static double
pareto_nbd_discounted_purchases(const ClvParams *p, double discount, double horizon,
								const ClvRow *row)
{
	double A = p->theta[ALPHA] + row->T;
	double B = p->theta[BETA] + row->T;
	Discounted d = {p->theta[S], discount * B};
	double end = log1p(horizon / B);
	double half;
	const GaussRule *rule;
	double lifetime = 0;

	if (discount == 0)
		return pareto_nbd_expected_purchases(p, horizon, row);
	if (horizon == 0)
		return 0;

	/* Where the discount or the chance to be alive has left nothing */
	end = fmin(end, log1p(NEGLIGIBLE / d.discount_B));
	if (d.s > 1)
		end = fmin(end, NEGLIGIBLE / (d.s - 1));
	half = end / 2;
	rule = gauss_rule(half * fmax(fabs(d.s - 1 + d.discount_B),
								  fabs(d.s - 1 + d.discount_B * exp(end))),
					  M_PI / half);
	if (rule == NULL)
		lifetime = integrate(discounted_lifetime, &d, 0, end);
	else
	{
		for (int i = 0; i < rule->half; i++)
			lifetime +=
				rule->weight[i] * (discounted_lifetime(half - half * rule->node[i], &d) +
								   discounted_lifetime(half + half * rule->node[i], &d));
		lifetime *= half;
	}
	return logistic(-ln_odds_left(p, row)) * (p->theta[R] + row->x) / A * B * lifetime;
}

/* The n-th purchase of one who stays would come at u: density of ln u */
typedef struct NthPurchase
{
	double n;
	double R;
	double A;
	double s;
	double B;
} NthPurchase;

/* ... and he is still there */
static double
nth_purchase_alive(double ln_u, const void *context)
{
	const NthPurchase *d = context;
	double u = exp(ln_u);

	return exp(ln_beta_kernel(d->n, d->R, u, d->A) - d->s * log1p(u / d->B));
}

/* He leaves at u, when he has bought n times: times n, density of ln u */
static double
leaves_after_nth(double ln_u, const void *context)
{
	const NthPurchase *d = context;
	double u = exp(ln_u);

	return d->s * u / (d->B + u) * nth_purchase_alive(ln_u, context);
}

/* Integral over u in (0, horizon); the integrands have one peak. */
static double
over_time(Integrand f, const NthPurchase *d, double horizon)
{
	double end = log(horizon);
	double top = fmin(end, log(d->A) + log(d->n / d->R));
	double value = f(top, d);
	double left = 1;
	double sum;

	while (f(top - left, d) > value * 1e-18)
		left *= 2;
	sum = integrate(f, d, top, top - left);
	if (top < end)
		sum += integrate(f, d, top, end);
	return sum;
}

static NthPurchase
nth_purchase(const ClvParams *p, double n, const ClvRow *row)
{
	NthPurchase d = {n, p->theta[R] + row->x, p->theta[ALPHA] + row->T, p->theta[S],
					 p->theta[BETA] + row->T};

	return d;
}

static double
pareto_nbd_count_tail(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	NthPurchase d = nth_purchase(p, n, row);

	if (n == 0)
		return 1;
	if (horizon == 0)
		return 0;
	if (n == 1)
		return pareto_nbd_p_active(p, horizon, row);
	return logistic(-ln_odds_left(p, row)) * over_time(nth_purchase_alive, &d, horizon);
}

static double
pareto_nbd_count_probability(const ClvParams *p, double n, double horizon,
							 const ClvRow *row)
{
	NthPurchase d = nth_purchase(p, n, row);
	double ln_odds = ln_odds_left(p, row);

	if (horizon == 0)
		return n == 0 ? 1 : 0;
	if (n == 0)
	{
		double stays = exp(-d.R * log1p(horizon / d.A) - d.s * log1p(horizon / d.B));
		double leaves = d.s / d.B * overlap(d.R, d.A, d.s + 1, d.B, horizon, NULL);

		return logistic(ln_odds) + logistic(-ln_odds) * (stays + leaves);
	}
	return logistic(-ln_odds) / n *
		   (nth_purchase_alive(log(horizon), &d) +
			over_time(leaves_after_nth, &d, horizon));
}

static void
pareto_nbd_start(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	double customers = 0;
	double time = 0;

	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];

		customers += weight;
		time += weight * rows[i].T;
	}
	clv_start_rates(rows, weights, n, &theta[R], &theta[ALPHA]);
	theta[S] = 1;
	theta[BETA] =
		time > 0 ? fmin(fmax(time / customers, CLV_PARAM_MIN), CLV_PARAM_MAX) : 1;
}

const ClvModel clv_pareto_nbd = {
	.name = "pareto/nbd",
	.paper = "Schmittlein, Morrison and Colombo, Management Science 33(1), 1987",
	.data = CLV_DATA_PURCHASES,
	.n_params = 4,
	.param = {{"r", CLV_SHAPE},
			  {"alpha", CLV_RATE},
			  {"s", CLV_SHAPE},
			  {"beta", CLV_RATE}},
	.check_row = clv_check_purchases,
	.log_likelihood = pareto_nbd_log_likelihood,
	.start = pareto_nbd_start,
	.p_alive = pareto_nbd_p_alive,
	.p_active = pareto_nbd_p_active,
	.expected_purchases = pareto_nbd_expected_purchases,
	.discounted_purchases = pareto_nbd_discounted_purchases,
	.count_probability = pareto_nbd_count_probability,
	.count_tail = pareto_nbd_count_tail,
};
