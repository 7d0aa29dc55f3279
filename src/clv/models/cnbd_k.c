/*
 * cnbd_k.c
 *	  The BG/CNBD-k and MBG/CNBD-k models: M. Platzer, T. Reutterer, "Ticking
 *	  Away the Moments: Timing Regularity Helps to Better Predict Customer
 *	  Activity", Marketing Science 35(5), 2016; T. Reutterer, M. Platzer, N.
 *	  Schroeder, "Leveraging purchase regularity for predicting customer
 *	  behavior the easy way", International Journal of Research in Marketing
 *	  38(1), 2021.
 *
 * As BG/NBD and MBG/NBD, but the time between two purchases is Erlang-k: every
 * k-th event of a Poisson process of rate lambda ~ Gamma(r, rate alpha) is a
 * purchase.  k = 1 gives these models back.  With R = r + k x and
 *
 *		S = P(fewer than k events in the gap T - t_x)
 *		  = ((alpha+t_x)/(alpha+T))^R sum_{j<k} w_j
 *		w_j = (R)_j / j! ((T-t_x)/(alpha+T))^j
 *		O = a / (b+x-1) for x > 0, else 0 (bg);  a / (b+x) (mbg)
 *
 *		L = G(R) alpha^r / G(r) (alpha+t_x)^-R B(a, b+x) / B(a, b) (S + O)
 *				exp((k-1) litt) / G(k)^x				(bg; mbg: b+x+1 for b+x)
 *		P(alive) = S / (S + O)
 *
 * Alive at T, the number of events since his last purchase was j with
 * probability w_j / sum w; then lambda ~ Gamma(R+j, alpha+T), p ~ Beta(a, b+x)
 * (mbg: b+x+1), and he buys again at the (k-j)-th event.  Predictions are means
 * over this finite mixture: exact, where the literature approximates.
 */
#include <complex.h>
#include <float.h>
#include <math.h>
#include <stddef.h>

#include "clv/models/beta_geometric.h"
#include "clv/models/models.h"
#include "clv/models/start.h"
#include "numerics/quadrature.h"
#include "numerics/special.h"

enum
{
	K,
	R,
	ALPHA,
	A,
	B
};

/* What depends on x alone */
enum
{
	MEMO_LN,   /* ln [ G(R) / G(r) B(a, b+x) / B(a, b) / G(k)^x ] */
	MEMO_ODDS, /* ln O */
	MEMO_DR,   /* derivatives of MEMO_LN by r, a, b */
	MEMO_DA,
	MEMO_DB
};

/* Weights that outgrow a double are scaled down together. */
#define LARGE	  1e200
#define LN_LARGE  460.517018598809136803598290936872841520220
#define MAX_TERMS 2000

static bool
is_mbg(const ClvParams *p)
{
	return p->model == &clv_mbg_cnbd_k;
}

/* The weights w_j of the number of events since t_x; returns ln of their sum. */
static double
phase_weights(int k, double shape, double gap, double seen, double *weight)
{
	double ln_scale = 0;
	double term = 1;
	double sum = 0;

	for (int j = 0; j < k; j++)
	{
		weight[j] = term;
		sum += term;
		term *= (shape + j) / (j + 1) * (gap / seen);
		if (term > LARGE)
		{
			term /= LARGE;
			sum /= LARGE;
			ln_scale += LN_LARGE;
			for (int i = 0; i <= j; i++)
				weight[i] /= LARGE;
		}
	}
	for (int j = 0; j < k; j++)
		weight[j] /= sum;
	return log(sum) + ln_scale;
}

/* ln of the odds that he left at his last purchase, before what the gap says */
static double
ln_odds(const ClvParams *p, double x)
{
	const double b = p->theta[B];

	if (is_mbg(p))
		return log(p->theta[A] / (b + x));
	return x > 0 ? log(p->theta[A] / (b + (x - 1))) : -INFINITY;
}

static double
cnbd_k_log_likelihood(const ClvParams *p, ClvMemo *memo, const ClvRow *row,
					  double *gradient)
{
	const int k = p->theta[K];
	const double r = p->theta[R];
	const double alpha = p->theta[ALPHA];
	const double a = p->theta[A];
	const double b = p->theta[B];
	const double x = row->x;
	const double shape = r + k * x;
	const double gap = row->T - row->t_x;
	const double bought = alpha + row->t_x;
	const double seen = alpha + row->T;
	double weight[CLV_MAX_K];
	double ln_silent; /* ln S */
	double ln_age = log1p(row->t_x / alpha);
	double ln_gap = log1p(gap / bought);

	if (memo->x != x)
	{
		double lived = is_mbg(p) ? x + 1 : x;

		memo->x = x;
		memo->c[MEMO_LN] =
			ln_rising(r, k * x) + ln_beta_rising(a, b, lived) - x * lgamma(k);
		memo->c[MEMO_ODDS] = ln_odds(p, x);
		memo->c[MEMO_DR] = digamma_rising(r, k * x);
		memo->c[MEMO_DA] = -digamma_rising(a + b, lived);
		memo->c[MEMO_DB] = digamma_rising(b, lived) - digamma_rising(a + b, lived);
	}

	ln_silent = phase_weights(k, shape, gap, seen, weight) - shape * ln_gap;

	if (gradient != NULL)
	{
		double alive = logistic(ln_silent - memo->c[MEMO_ODDS]);
		double left = logistic(memo->c[MEMO_ODDS] - ln_silent);
		double phase = 0; /* mean number of events since t_x */
		double dr = 0;	  /* and of the derivative of ln w_j by r */
		double harmonic = 0;

		for (int j = 0; j < k; j++)
		{
			phase += weight[j] * j;
			dr += weight[j] * harmonic;
			harmonic += 1 / (shape + j);
		}
		gradient[K] = 0;
		gradient[R] = r * (memo->c[MEMO_DR] - ln_age + alive * (dr - ln_gap));
		gradient[ALPHA] = (r * row->t_x - alpha * k * x) / bought +
						  alive * alpha / seen * (shape * gap / bought - phase);
		gradient[A] = a * memo->c[MEMO_DA] + left;
		gradient[B] = b * memo->c[MEMO_DB] -
					  (left > 0 ? left * b / (is_mbg(p) ? b + x : b + (x - 1)) : 0);
	}

	if (x == 0)
	{
		/* Most often L is near 1: 1 - L = P(k events by T), if he stays. */
		double stays = is_mbg(p) ? b / (a + b) : 1;
		double buys = stays * incomplete_beta(k, r, row->T, alpha);

		if (buys < 0.5)
			return log1p(-buys);
		return is_mbg(p) ? log(a / (a + b) + stays * exp(ln_silent)) : ln_silent;
	}
	return memo->c[MEMO_LN] + (k - 1) * row->litt - k * x * log(bought) - r * ln_age +
		   memo->c[MEMO_ODDS] + softplus(ln_silent - memo->c[MEMO_ODDS]);
}

/* What is known of the customer at T */
typedef struct Customer
{
	int k;
	double p_alive;
	double p_left;
	double shape; /* R; lambda ~ Gamma(R+j, rate A) after j events */
	double A;
	double a;
	double B;
	double phase[CLV_MAX_K]; /* P(j events since the last purchase) */
} Customer;

static void
cnbd_k_posterior(const ClvParams *p, const ClvRow *row, Customer *c)
{
	double gap = row->T - row->t_x;
	double ln_silent;

	c->k = p->theta[K];
	c->shape = p->theta[R] + c->k * row->x;
	c->A = p->theta[ALPHA] + row->T;
	c->a = p->theta[A];
	c->B = p->theta[B] + row->x + (is_mbg(p) ? 1 : 0);
	ln_silent = phase_weights(c->k, c->shape, gap, c->A, c->phase) -
				c->shape * log1p(gap / (p->theta[ALPHA] + row->t_x));
	c->p_alive = logistic(ln_silent - ln_odds(p, row->x));
	c->p_left = logistic(ln_odds(p, row->x) - ln_silent);
}

/* P(at least n more purchases would come within t if he stayed) */
static double
arrives(const Customer *c, double n, double t)
{
	double sum = 0;

	for (int j = 0; j < c->k; j++)
	{
		if (c->phase[j] > 0)
			sum += c->phase[j] * incomplete_beta(c->k * n - j, c->shape + j, t, c->A);
	}
	return sum;
}

static double
cnbd_k_count_tail(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	Customer c;

	if (n == 0)
		return 1;
	cnbd_k_posterior(p, row, &c);
	return c.p_alive * (isinf(horizon) ? 1 : arrives(&c, n, horizon)) *
		   exp(ln_beta_rising(c.a, c.B, n - 1));
}

static double
cnbd_k_p_active(const ClvParams *p, double horizon, const ClvRow *row)
{
	return cnbd_k_count_tail(p, 1, horizon, row);
}

static double
cnbd_k_count_probability(const ClvParams *p, double n, double horizon, const ClvRow *row)
{
	Customer c;
	double exact = 0; /* P(exactly n would come) */
	double lived, leaves;

	cnbd_k_posterior(p, row, &c);
	if (horizon == 0)
		return n == 0 ? 1 : 0;
	for (int j = 0; j < c.k; j++)
	{
		double shape = c.shape + j;
		double first = fmax(c.k * n - j, 0);

		for (double events = first; events < c.k * (n + 1) - j; events++)
			exact +=
				c.phase[j] *
				(events == 0 ? exp(-shape * log1p(horizon / c.A))
							 : exp(ln_beta_kernel(events, shape, horizon, c.A)) / events);
	}
	if (n == 0)
		return c.p_left + c.p_alive * exact;
	lived = exp(ln_beta_rising(c.a, c.B, n - 1));
	leaves = c.a / (c.a + c.B + (n - 1));
	return c.p_alive * lived *
		   (leaves * arrives(&c, n, horizon) +
			(c.B + (n - 1)) / (c.a + c.B + (n - 1)) * exact);
}

/*
 * Over the number of purchases M that would come within t, the mean of
 * E[q^M] or of E[(1 - q^M) / p] = E[1 + q + ... + q^(M-1)], event by event;
 * q = 1 - p.
 */
static double
sum_over_events(const Customer *c, double t, bool purchases)
{
	double z = t / (c->A + t);
	double sum = 0;

	for (int j = 0; j < c->k; j++)
	{
		double shape = c->shape + j;
		double probability = c->phase[j] * exp(-shape * log1p(t / c->A));
		double power = 1; /* E[q^M] */
		double powers = 0;
		double M = 0;
		double mean = shape * t / c->A;

		if (c->phase[j] == 0)
			continue;
		for (int events = 0;; events++)
		{
			double growth = (shape + events) / (events + 1) * z;
			double ratio = fmax(growth * (events + 2) / (events + 1), z);
			double term = probability * (purchases ? powers : power);

			sum += term;
			if (events > mean && events > c->k && ratio < 1 &&
				term <= DBL_EPSILON / 8 * (1 - ratio) * sum)
				break;
			if ((events + 1 + j) % c->k == 0)
			{
				powers += power;
				power *= (c->B + M) / (c->a + c->B + M);
				M++;
			}
			probability *= growth;
		}
	}
	return sum;
}

/* The same at one p, for times with very many events */
typedef struct AtTime
{
	const Customer *c;
	double tau; /* t / A */
	bool purchases;
} AtTime;

/*
 * With s = q^(1/k), N the number of events to come and e the k-th roots of
 * unity, q^M = s^(N+j) s^-((N+j) mod k), and the second factor, periodic in N,
 * is a sum of powers of the roots:
 *
 *		E[q^M] = sum_e f(e) (s e)^j (1 + (1 - s e) tau)^-(R+j)
 *		f(e) = (1 - 1/q) / (1 - 1/(s e)) / k
 *
 * The root 1 holds nearly all; f(1) is the mean of s^-i, i < k.
 */
static double
given_p(double p, const void *context)
{
	const AtTime *at = context;
	const Customer *c = at->c;
	double q = 1 - p;
	double ln_s = log1p(-p) / c->k;
	double survives = 0; /* E[q^M] */
	double missing = 0;	 /* 1 - E[q^M] */

	/* Of p = 0 only its limit can be meant; p this small is as good. */
	if (p < 1e-290)
		return at->purchases ? given_p(1e-290, context) : 1;

	for (int j = 0; j < c->k; j++)
	{
		double shape = c->shape + j;
		double one = 0;	   /* of the root 1, as a logarithm */
		double others = 0; /* of the other roots */

		if (c->phase[j] == 0)
			continue;
		if (q < 0.5)
		{
			double probability = exp(-shape * log1p(at->tau));
			double power = 1;

			/* Few purchases count, but for those that are as good as sure. */
			for (int events = 0; power > 1e-18 * others && power > 0; events++)
			{
				others += probability * power;
				if ((events + 1 + j) % c->k == 0)
					power *= q;
				probability *=
					(shape + events) / (events + 1) * (at->tau / (1 + at->tau));
			}
			survives += c->phase[j] * others;
			missing += c->phase[j] * (1 - others);
			continue;
		}

		for (int i = 1; i < c->k; i++)
			one += expm1(-i * ln_s);
		one = log1p(one / c->k) + j * ln_s - shape * log1p(-expm1(ln_s) * at->tau);
		/* The others come in conjugate pairs, but for -1. */
		for (int m = 1; 2 * m <= c->k; m++)
		{
			double complex root = exp(ln_s) * cexp(2 * M_PI * I * m / c->k);

			double part = creal(-p / q / c->k / (1 - 1 / root) * cpow(root, j) *
								cexp(-shape * clog(1 + (1 - root) * at->tau)));

			others += 2 * m == c->k ? part : 2 * part;
		}
		survives += c->phase[j] * (exp(one) + others);
		missing += c->phase[j] * (-expm1(one) - others);
	}
	return at->purchases ? missing / p : survives;
}

/* Are the events within t few enough to be counted one by one? */
static bool
few_events(const Customer *c, double t)
{
	double mean = (c->shape + c->k) * t / c->A;

	return mean + 10 * sqrt(mean * (1 + t / c->A)) < 500 &&
		   MAX_TERMS * log1p(c->A / t) > 37;
}

static double
over_events(const Customer *c, double t, bool purchases)
{
	AtTime at = {c, t / c->A, purchases};

	if (t == 0)
		return purchases ? 0 : 1;
	return few_events(c, t) ? sum_over_events(c, t, purchases)
							: beta_mean(c->a, c->B, given_p, &at);
}

static double
cnbd_k_p_alive(const ClvParams *p, double ahead, const ClvRow *row)
{
	Customer c;

	if (isinf(ahead))
		return 0;
	cnbd_k_posterior(p, row, &c);
	return c.p_alive * over_events(&c, ahead, false);
}

static double
expected_while_alive(const Customer *c, double t)
{
	if (isinf(t))
		return (c->a + c->B - 1) / (c->a - 1);
	return over_events(c, t, true);
}

static double
cnbd_k_expected_purchases(const ClvParams *p, double horizon, const ClvRow *row)
{
	Customer c;

	if (horizon == 0)
		return 0;
	cnbd_k_posterior(p, row, &c);
	if (isinf(horizon) && c.a <= 1)
		return INFINITY;
	return c.p_alive == 0 ? 0 : c.p_alive * expected_while_alive(&c, horizon);
}

typedef struct Discounted
{
	const Customer *c;
	double discount;
	int phase;
} Discounted;

/* discount exp(-discount u) E[purchases in u] du with u = A (exp(v) - 1) */
static double
discounted_expected(double v, const void *context)
{
	const Discounted *d = context;
	double u = d->c->A * expm1(v);

	return d->discount * d->c->A * exp(v - d->discount * u) * over_events(d->c, u, true);
}

/*
 * Without end, at one lambda = g / A: the time to an event is worth rho =
 * lambda / (lambda + discount), the n-th purchase rho^(k n - j) q^(n-1), and
 * their sum over n and mean over p is a beta-geometric lifetime.
 */
static double
discounted_given_lambda(double g, const void *context)
{
	const Discounted *d = context;
	const Customer *c = d->c;
	double y = log1p(d->discount * c->A / g); /* -ln rho */

	if (y > 700)
		return 0;
	return exp(-(c->k - d->phase) * y) *
		   beta_geometric_lifetime(c->a, c->B, expm1(c->k * y), INFINITY);
}

static double
cnbd_k_discounted_purchases(const ClvParams *p, double discount, double horizon,
							const ClvRow *row)
{
	Customer c;
	Discounted d = {&c, discount, 0};
	double end = log1p(horizon / (p->theta[ALPHA] + row->T));
	double sum = 0;

	if (discount == 0)
		return cnbd_k_expected_purchases(p, horizon, row);
	if (horizon == 0)
		return 0;
	cnbd_k_posterior(p, row, &c);
	if (c.p_alive == 0)
		return 0;

	if (isinf(horizon) || discount * horizon > 42)
	{
		for (; d.phase < c.k; d.phase++)
		{
			if (c.phase[d.phase] > 0)
				sum += c.phase[d.phase] *
					   gamma_mean(c.shape + d.phase, discounted_given_lambda, &d);
		}
		return c.p_alive * sum;
	}

	/* By parts: int exp(-discount u) dE(u).  Where that is dear, with fixed nodes */
	sum = exp(-discount * horizon) * over_events(&c, horizon, true);
	if (end < 4 && few_events(&c, horizon))
		sum += integrate(discounted_expected, &d, end, 0);
	else
	{
		const GaussRule *rule = gauss_rule(30, 1);
		int pieces = (int) ceil(end / 2);
		double half = end / (2 * pieces);

		for (int k = 0; k < pieces; k++)
		{
			double middle = (2 * k + 1) * half;

			for (int i = 0; i < rule->half; i++)
				sum += half * rule->weight[i] *
					   (discounted_expected(middle - half * rule->node[i], &d) +
						discounted_expected(middle + half * rule->node[i], &d));
		}
	}
	return c.p_alive * sum;
}

static void
cnbd_k_start(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	clv_start_bg(rows, weights, n, &theta[R]);
	theta[ALPHA] = fmax(theta[ALPHA] / theta[K], CLV_PARAM_MIN);
}

#define CNBD_K_FUNCTIONS                                                                 \
	.data = CLV_DATA_TIMED_PURCHASES, .n_params = 5,                                     \
	.param = {{"k", CLV_COUNT},                                                          \
			  {"r", CLV_SHAPE},                                                          \
			  {"alpha", CLV_RATE},                                                       \
			  {"a", CLV_SHAPE},                                                          \
			  {"b", CLV_SHAPE}},                                                         \
	.check_row = clv_check_timed_purchases, .log_likelihood = cnbd_k_log_likelihood,     \
	.start = cnbd_k_start, .p_alive = cnbd_k_p_alive, .p_active = cnbd_k_p_active,       \
	.expected_purchases = cnbd_k_expected_purchases,                                     \
	.discounted_purchases = cnbd_k_discounted_purchases,                                 \
	.count_probability = cnbd_k_count_probability, .count_tail = cnbd_k_count_tail

const ClvModel clv_bg_cnbd_k = {
	.name = "bg/cnbd-k",
	.paper = "Platzer and Reutterer, Marketing Science 35(5), 2016",
	CNBD_K_FUNCTIONS,
};

const ClvModel clv_mbg_cnbd_k = {
	.name = "mbg/cnbd-k",
	.paper = "Reutterer, Platzer and Schroeder, International Journal of Research in "
			 "Marketing "
			 "38(1), 2021",
	CNBD_K_FUNCTIONS,
};
