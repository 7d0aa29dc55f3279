/*
 * logistic.c
 *	  Logistic regression by Newton's method, with or without a ridge penalty.
 *
 * A row i has features x_i, and weights b_i of the bad and g_i of the good
 * outcome.  The model is P(bad) = 1 / (1 + exp(-eta)), eta = a + beta' x, and
 * the fit maximises
 *
 *		L(a, beta) = - sum_i [ b_i ln(1 + exp(-eta_i)) + g_i ln(1 + exp(eta_i)) ]
 *		             - penalty / 2 sum_j (s_j beta_j)^2
 *
 * with s_j the standard deviation of feature j: the penalty does not depend
 * on the units of the features and leaves the intercept alone.  Newton's
 * method on this is iteratively reweighted least squares (McCullagh & Nelder,
 * Generalized Linear Models, 1989, 2.5).  L is concave; steps are halved
 * until it grows.
 *
 * Inside, features are centred and divided by s_j.  Everything is summed in
 * the order of the rows: equal rows in equal order give equal bits.
 *
 * Without a penalty the maximum is infinitely far away when some direction d
 * tells the outcomes apart: d' (1, x_i) >= 0 in rows with bad ones, <= 0 in
 * rows with good ones, and not 0 everywhere (Albert & Anderson, Biometrika 71,
 * 1984).  Newton's steps then turn into such a direction.  So every step, and
 * the predictor itself, is tried as d; one that passes is the proof.
 */
#include "numerics/logistic.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "numerics/total.h"

#define ITERATIONS_MAX 100
#define HALVINGS_MAX 40

/* A feature of which the others leave less variance than this is collinear. */
#define COLLINEAR_TOLERANCE 1e-10

/* Pivots below this part of their diagonal are rounding errors. */
#define PIVOT_TOLERANCE 1e-14

/*
 * At the end when half of the squared Newton decrement, for each member of
 * the rarer outcome, is below this; the last step squares the error once more.
 */
#define DECREMENT_TOLERANCE 1e-20

/* A direction separates when what contradicts it is below this part of it. */
#define SEPARATION_TOLERANCE 1e-6

/* And when it still moves a predictor by this much: fits that end move less. */
#define SEPARATION_STEP 0.25

/* Rows between two calls of the interrupt callback. */
#define INTERRUPT_EVERY 16384

/* The workspace, cut into its parts; n = features + 1. */
typedef struct Work
{
	double	   *eta;			/* rows */
	double	   *delta;			/* rows: what a full step adds to eta */
	double	   *exponent;		/* features are first multiplied by 2^-exponent, */
	double	   *mean;			/* then moved by the mean, */
	double	   *scale;			/* and divided by the standard deviation */
	double	   *beta;			/* n: of the standardised features */
	double	   *gradient;		/* n */
	double	   *step;			/* n */
	Total	   *total;			/* n */
	double	   *hessian;		/* n * n, the lower triangle, with the sign changed */
	double	   *factor;			/* n * n, its Cholesky factor */
} Work;

size_t
logistic_workspace(int64_t rows, int features)
{
	size_t		n = (size_t) features + 1;

	return 2 * (size_t) rows + 8 * n + 2 * n * n;
}

static Work
cut_workspace(double *space, int64_t rows, int features)
{
	size_t		n = (size_t) features + 1;
	Work		work;

	work.eta = space;
	work.delta = work.eta + rows;
	work.exponent = work.delta + rows;
	work.mean = work.exponent + n;
	work.scale = work.mean + n;
	work.beta = work.scale + n;
	work.gradient = work.beta + n;
	work.step = work.gradient + n;
	work.total = (Total *) (work.step + n);
	work.hessian = (double *) (work.total + n);
	work.factor = work.hessian + n * n;
	return work;
}

static inline void
poll_interrupt(const LogisticData *data, int64_t row)
{
	if (data->interrupt != NULL && row % INTERRUPT_EVERY == 0)
		data->interrupt();
}

double
logistic_probability(double log_odds)
{
	double		e = exp(-fabs(log_odds));

	return (log_odds >= 0 ? 1 : e) / (1 + e);
}

/* ---------- Linear algebra on lower triangles ---------- */

/*
 * Factor a symmetric matrix into L L'.  Returns n, or the first column of
 * which the ones before it leave less than `tolerance` of the diagonal.
 */
static int
factor_matrix(const double *matrix, double *factor, int n, double tolerance)
{
	for (int j = 0; j < n; j++)
	{
		double		pivot = matrix[j * n + j];

		for (int k = 0; k < j; k++)
			pivot -= factor[j * n + k] * factor[j * n + k];
		if (!(pivot > tolerance * matrix[j * n + j]) || !isfinite(pivot))
			return j;
		pivot = sqrt(pivot);
		factor[j * n + j] = pivot;
		for (int i = j + 1; i < n; i++)
		{
			double		sum = matrix[i * n + j];

			for (int k = 0; k < j; k++)
				sum -= factor[i * n + k] * factor[j * n + k];
			factor[i * n + j] = sum / pivot;
		}
	}
	return n;
}

/* Solve L L' x = right side, in place. */
static void
solve_factored(const double *factor, int n, double *x)
{
	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < i; k++)
			x[i] -= factor[i * n + k] * x[k];
		x[i] /= factor[i * n + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			x[i] -= factor[k * n + i] * x[k];
		x[i] /= factor[i * n + i];
	}
}

/* ---------- Standardising ---------- */

/*
 * Centre and scale the features in place.  A feature that does not vary gets
 * scale 0 and zeros.  Powers of two are taken out first, exactly, so that no
 * square overflows.
 */
static void
standardise(const LogisticData *data, Work *work, double weight)
{
	int			p = data->features;
	double	   *low = work->gradient;	/* not in use yet */
	double	   *high = work->step;

	for (int j = 0; j < p; j++)
	{
		low[j] = INFINITY;
		high[j] = -INFINITY;
	}
	for (int64_t i = 0; i < data->rows; i++)
	{
		const double *x = data->x + i * p;

		poll_interrupt(data, i);
		for (int j = 0; j < p; j++)
		{
			low[j] = fmin(low[j], x[j]);
			high[j] = fmax(high[j], x[j]);
		}
	}
	for (int j = 0; j < p; j++)
	{
		int			exponent;

		frexp(fmax(fabs(low[j]), fabs(high[j])), &exponent);
		work->exponent[j] = exponent;
	}

	memset(work->total, 0, p * sizeof(Total));
	for (int64_t i = 0; i < data->rows; i++)
	{
		double	   *x = data->x + i * p;
		double		share = (data->bad[i] + data->good[i]) / weight;

		poll_interrupt(data, i);
		for (int j = 0; j < p; j++)
		{
			x[j] = ldexp(x[j], -(int) work->exponent[j]);
			total_add(&work->total[j], share * x[j]);
		}
	}
	for (int j = 0; j < p; j++)
		work->mean[j] = total_value(&work->total[j]);

	memset(work->total, 0, p * sizeof(Total));
	for (int64_t i = 0; i < data->rows; i++)
	{
		double	   *x = data->x + i * p;
		double		share = (data->bad[i] + data->good[i]) / weight;

		poll_interrupt(data, i);
		for (int j = 0; j < p; j++)
		{
			x[j] -= work->mean[j];
			total_add(&work->total[j], share * x[j] * x[j]);
		}
	}
	for (int j = 0; j < p; j++)
		work->scale[j] = low[j] == high[j] ? 0 : sqrt(total_value(&work->total[j]));
	for (int64_t i = 0; i < data->rows; i++)
	{
		double	   *x = data->x + i * p;

		poll_interrupt(data, i);
		for (int j = 0; j < p; j++)
			x[j] = work->scale[j] > 0 ? x[j] / work->scale[j] : 0;
	}
}

/* Can the coefficients be told from each other?  From the correlations. */
static LogisticStatus
check_features(const LogisticData *data, Work *work, double weight, int *feature)
{
	int			p = data->features;
	int			at;

	for (int j = 0; j < p; j++)
	{
		if (!(work->scale[j] > 0))
		{
			*feature = j;
			return LOGISTIC_CONSTANT;
		}
	}
	memset(work->hessian, 0, (size_t) p * p * sizeof(double));
	for (int64_t i = 0; i < data->rows; i++)
	{
		const double *x = data->x + i * p;
		double		share = (data->bad[i] + data->good[i]) / weight;

		poll_interrupt(data, i);
		for (int j = 0; j < p; j++)
			for (int k = 0; k <= j; k++)
				work->hessian[j * p + k] += share * x[j] * x[k];
	}
	at = factor_matrix(work->hessian, work->factor, p, COLLINEAR_TOLERANCE);
	if (at < p)
	{
		*feature = at;
		return LOGISTIC_COLLINEAR;
	}
	return LOGISTIC_OK;
}

/* ---------- The objective ---------- */

/* L without the penalty, at eta + t delta. */
static double
log_likelihood_at(const LogisticData *data, const Work *work, double t)
{
	Total		sum = {0, 0};

	for (int64_t i = 0; i < data->rows; i++)
	{
		double		eta = work->eta[i] + t * work->delta[i];
		double		near = log1p(exp(-fabs(eta)));
		double		far = near + fabs(eta);

		poll_interrupt(data, i);
		/* apart, since 0 times a huge eta must be 0 */
		if (data->bad[i] > 0)
			total_add(&sum, -data->bad[i] * (eta > 0 ? near : far));
		if (data->good[i] > 0)
			total_add(&sum, -data->good[i] * (eta > 0 ? far : near));
	}
	return total_value(&sum);
}

/* What the penalty takes from it at beta + t step. */
static double
penalty_at(const LogisticData *data, const Work *work, double t)
{
	double		sum = 0;

	if (data->penalty == 0)
		return 0;
	for (int j = 1; j <= data->features; j++)
	{
		double		b = work->beta[j] + t * work->step[j];

		sum += b * b;
	}
	return data->penalty / 2 * sum;
}

/* The gradient of L and its negative second derivatives at eta. */
static void
differentiate(const LogisticData *data, Work *work)
{
	int			p = data->features;
	int			n = p + 1;

	memset(work->total, 0, n * sizeof(Total));
	memset(work->hessian, 0, (size_t) n * n * sizeof(double));
	for (int64_t i = 0; i < data->rows; i++)
	{
		const double *x = data->x + i * p;
		double		pb = logistic_probability(work->eta[i]);
		double		pg = logistic_probability(-work->eta[i]);
		double		slope = data->bad[i] * pg - data->good[i] * pb;
		double		curve = (data->bad[i] + data->good[i]) * pb * pg;

		poll_interrupt(data, i);
		total_add(&work->total[0], slope);
		work->hessian[0] += curve;
		for (int j = 0; j < p; j++)
		{
			double	   *row = work->hessian + (size_t) (j + 1) * n;
			double		term = curve * x[j];

			total_add(&work->total[j + 1], slope * x[j]);
			row[0] += term;
			for (int k = 0; k <= j; k++)
				row[k + 1] += term * x[k];
		}
	}
	for (int j = 0; j < n; j++)
		work->gradient[j] = total_value(&work->total[j]);
	for (int j = 1; j < n; j++)
	{
		work->gradient[j] -= data->penalty * work->beta[j];
		work->hessian[(size_t) j * n + j] += data->penalty;
		/* a feature that does not vary stays where it is: at 0 */
		if (!(work->scale[j - 1] > 0))
			work->hessian[(size_t) j * n + j] = 1;
	}
}

/* Does a direction tell the outcomes apart?  It is given by its value in each row. */
static bool
is_separating(const LogisticData *data, const double *direction, double least)
{
	double		largest = 0;
	double		slack;

	for (int64_t i = 0; i < data->rows; i++)
		largest = fmax(largest, fabs(direction[i]));
	if (!(largest >= least) || !isfinite(largest))
		return false;
	slack = SEPARATION_TOLERANCE * largest;
	for (int64_t i = 0; i < data->rows; i++)
	{
		poll_interrupt(data, i);
		if ((data->bad[i] > 0 && direction[i] < -slack) ||
			(data->good[i] > 0 && direction[i] > slack))
			return false;
	}
	return true;
}

/* Newton's step from the gradient, and what it adds to each predictor. */
static bool
find_step(const LogisticData *data, Work *work)
{
	int			p = data->features;
	int			n = p + 1;

	if (factor_matrix(work->hessian, work->factor, n, PIVOT_TOLERANCE) < n)
		return false;
	memcpy(work->step, work->gradient, n * sizeof(double));
	solve_factored(work->factor, n, work->step);
	for (int64_t i = 0; i < data->rows; i++)
	{
		const double *x = data->x + i * p;
		double		delta = work->step[0];

		poll_interrupt(data, i);
		for (int j = 0; j < p; j++)
			delta += work->step[j + 1] * x[j];
		work->delta[i] = delta;
	}
	return true;
}

static void
take_step(const LogisticData *data, Work *work, double t)
{
	for (int64_t i = 0; i < data->rows; i++)
		work->eta[i] += t * work->delta[i];
	for (int j = 0; j <= data->features; j++)
		work->beta[j] += t * work->step[j];
}

/* Climb to the maximum from eta and beta. */
static LogisticStatus
climb(const LogisticData *data, Work *work, double rarer, int *iterations)
{
	int			n = data->features + 1;
	double		value;

	memset(work->delta, 0, data->rows * sizeof(double));
	value = log_likelihood_at(data, work, 0);
	for (*iterations = 1; *iterations <= ITERATIONS_MAX; (*iterations)++)
	{
		double		decrement = 0;
		double		t = 1;
		double		next;

		differentiate(data, work);
		if (!find_step(data, work))
			return LOGISTIC_NO_MAXIMUM;
		for (int j = 0; j < n; j++)
			decrement += work->gradient[j] * work->step[j];
		if (!isfinite(decrement))
			return LOGISTIC_NO_MAXIMUM;
		if (decrement / 2 <= DECREMENT_TOLERANCE * rarer)
		{
			take_step(data, work, 1);
			return LOGISTIC_OK;
		}
		if (data->penalty == 0 && is_separating(data, work->delta, SEPARATION_STEP))
			return LOGISTIC_SEPARATED;

		/* what rounding alone can take from L is no reason to halve */
		for (int halvings = 0;; halvings++)
		{
			next = log_likelihood_at(data, work, t) - penalty_at(data, work, t);
			if (next >= value - 1e-14 * fabs(value))
				break;
			if (halvings == HALVINGS_MAX)
				return LOGISTIC_NO_MAXIMUM;
			t /= 2;
		}
		take_step(data, work, t);
		value = next;
		if (data->penalty == 0 && is_separating(data, work->eta, SEPARATION_STEP))
			return LOGISTIC_SEPARATED;
	}
	return LOGISTIC_NO_MAXIMUM;
}

/* ---------- Back to the units of the features ---------- */

/*
 * beta_j = b_j / (s_j 2^e_j) and a = b_0 - sum_j b_j m_j / s_j; the covariance,
 * the inverse of the second derivatives, goes through the same linear map.
 */
static bool
write_result(const LogisticData *data, Work *work, LogisticFit *fit)
{
	int			p = data->features;
	int			n = p + 1;
	double		a = work->beta[0];

	differentiate(data, work);
	if (factor_matrix(work->hessian, work->factor, n, PIVOT_TOLERANCE) < n)
		return false;
	/* column by column: inverse times the transposed map */
	for (int c = 0; c < n; c++)
	{
		double	   *column = work->step;

		memset(column, 0, n * sizeof(double));
		if (c == 0)
		{
			column[0] = 1;
			for (int j = 0; j < p; j++)
				column[j + 1] = work->scale[j] > 0 ? -work->mean[j] / work->scale[j] : 0;
		}
		else
			column[c] = work->scale[c - 1] > 0
				? ldexp(1 / work->scale[c - 1], -(int) work->exponent[c - 1]) : 0;
		solve_factored(work->factor, n, column);
		fit->covariance[c] = column[0];
		for (int j = 0; j < p; j++)
		{
			double		s = work->scale[j];

			if (s > 0)
				fit->covariance[c] -= column[j + 1] * work->mean[j] / s;
			fit->covariance[(size_t) (j + 1) * n + c] =
				s > 0 ? ldexp(column[j + 1] / s, -(int) work->exponent[j]) : 0;
		}
	}
	/* symmetric to the last bit */
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			fit->covariance[(size_t) j * n + i] = fit->covariance[(size_t) i * n + j];

	for (int j = 0; j < p; j++)
	{
		double		s = work->scale[j];

		if (s > 0)
			a -= work->beta[j + 1] * work->mean[j] / s;
		fit->coefficient[j + 1] =
			s > 0 ? ldexp(work->beta[j + 1] / s, -(int) work->exponent[j]) : 0;
	}
	fit->coefficient[0] = a;
	memset(work->delta, 0, data->rows * sizeof(double));
	fit->log_likelihood = log_likelihood_at(data, work, 0);

	for (int i = 0; i < n; i++)
		if (!isfinite(fit->coefficient[i]))
			return false;
	for (int i = 0; i < n * n; i++)
		if (!isfinite(fit->covariance[i]))
			return false;
	return isfinite(fit->log_likelihood);
}

LogisticStatus
logistic_fit(const LogisticData *data, double *workspace, LogisticFit *fit)
{
	Work		work = cut_workspace(workspace, data->rows, data->features);
	Total		bad = {0, 0};
	Total		good = {0, 0};
	LogisticStatus status;

	fit->feature = -1;
	fit->iterations = 0;
	fit->log_likelihood = NAN;
	for (int64_t i = 0; i < data->rows; i++)
	{
		total_add(&bad, data->bad[i]);
		total_add(&good, data->good[i]);
	}
	if (!(total_value(&bad) > 0) || !(total_value(&good) > 0))
		return LOGISTIC_ONE_OUTCOME;

	standardise(data, &work, total_value(&bad) + total_value(&good));
	if (data->penalty == 0)
	{
		status = check_features(data, &work, total_value(&bad) + total_value(&good),
								&fit->feature);
		if (status != LOGISTIC_OK)
			return status;
	}

	memset(work.beta, 0, ((size_t) data->features + 1) * sizeof(double));
	work.beta[0] = log(total_value(&bad)) - log(total_value(&good));
	for (int64_t i = 0; i < data->rows; i++)
		work.eta[i] = work.beta[0];
	status = climb(data, &work, fmin(total_value(&bad), total_value(&good)), &fit->iterations);
	if (status == LOGISTIC_OK && !write_result(data, &work, fit))
		return LOGISTIC_NO_MAXIMUM;
	return status;
}
