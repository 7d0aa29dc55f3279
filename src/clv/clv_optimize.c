/*
 * clv_optimize.c
 *	  Maximum likelihood of one model on one set of rows.
 *
 * The logarithms of the parameters are free: u = ln theta, for rates ln (theta
 * / scale), so that the units of the data do not matter.  With LL the weighted
 * log-likelihood of the rows, the objective is
 *
 *	  LL - penalty * sum over shapes (ln theta)^2 / (2 * 1.5^2)
 *	     - sum over all      (ln theta - ln prior)^2 / (2 * spread^2)
 *
 * Three stages, each starting where the one before ended:
 *
 *	1. SLSQP of NLopt with the analytic gradient climbs from the model's
 *	   starting values; where it ends badly, L-BFGS and then a method without
 *	   derivatives take over, from further starting values.  A large set of
 *	   rows is represented by rows at evenly spaced ranks of its weight.
 *	2. On such a sample Newton's method finds the sample's maximum, and its
 *	   Hessian stands in for the whole set's.
 *	3. Newton's method finishes on all rows.  The Hessian comes from
 *	   differences of the gradient, and is made anew when steps stop
 *	   shrinking and, for the covariance, at the maximum.
 *
 * Where the likelihood has no interior maximum, Newton's steps do not shrink:
 * the parameters run along a ridge on which the likelihood approaches a
 * limit.  They are stopped at the edge of a box that holds all shapes from
 * e^-10 to e^10, and reported as what they are.
 *
 * Nothing is random and sums are made in the order of the rows, so the same
 * rows give the same bytes.  NLopt must not be left by a longjmp: while it
 * runs, an interrupt only makes it stop, and is served afterwards.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include <nlopt.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "clv/clv_optimize.h"
#include "value_list.h"

/* The box, in u; rates follow shapes along ridges, and need more room. */
#define SHAPE_BOUND 10.0
#define RATE_BOUND	20.0

/* Beyond this a shape is no longer distinguished from its limit. */
#define SHAPE_LIMIT 9.0
#define RATE_LIMIT	17.0

#define PENALTY_SPREAD 1.5

/* Larger sets of rows are first represented by so many. */
#define SAMPLE_ROWS 4096
#define SAMPLE_FROM (4 * SAMPLE_ROWS)

/* Rows between two looks for an interrupt while NLopt runs. */
#define CHUNK_ROWS 16384

#define NEWTON_MAX	   60
#define NEWTON_CLOSE   1e-9		/* a step that ends the search */
#define NEWTON_GAIN	   1e-9		/* of the log-likelihood: less is not worth a long step */
#define STEP_MAX	   3.0
#define DIFFERENCE	   1e-4		/* of u, for the Hessian */

typedef struct Search
{
	const ClvProblem *problem;
	const ClvRow *row;			/* all rows, or the sample */
	const double *weight;
	size_t		n;
	int			free;			/* parameters searched over: all but k */
	int			at[CLV_MAX_PARAMS];		/* which of theta the free ones are */
	double		offset[CLV_MAX_PARAMS];	/* ln theta = u + offset */
	double		bound[CLV_MAX_PARAMS];
	double		customers;		/* sum of the weights */
	int			evaluations;

	/* while NLopt runs */
	nlopt_opt	nlopt;
	bool		heed_interrupts;
	bool		stopped;
	double		best_value;
	double		best[CLV_MAX_PARAMS];
} Search;

typedef struct Matrix
{
	double		cell[CLV_MAX_PARAMS][CLV_MAX_PARAMS];
} Matrix;

/* ---------- The objective ---------- */

static void
get_theta(const Search *search, const double *u, double *theta)
{
	for (int i = 0; i < search->problem->kind->n_params; i++)
		theta[i] = search->problem->k;
	for (int i = 0; i < search->free; i++)
		theta[search->at[i]] = exp(u[i] + search->offset[i]);
}

/* The penalties, which are subtracted, and their gradient. */
static double
get_penalty(const Search *search, const double *u, double *gradient)
{
	const ClvProblem *problem = search->problem;
	double		value = 0;

	for (int i = 0; i < search->free; i++)
	{
		double		ln_theta = u[i] + search->offset[i];

		if (problem->penalty > 0 && problem->kind->param[search->at[i]].kind == CLV_SHAPE)
		{
			double		weight = problem->penalty / (PENALTY_SPREAD * PENALTY_SPREAD);

			value += weight * ln_theta * ln_theta / 2;
			if (gradient != NULL)
				gradient[i] -= weight * ln_theta;
		}
		if (problem->spread > 0)
		{
			double		away = ln_theta - log(problem->prior[search->at[i]]);
			double		weight = 1 / (problem->spread * problem->spread);

			value += weight * away * away / 2;
			if (gradient != NULL)
				gradient[i] -= weight * away;
		}
	}
	return value;
}

static bool
interrupt_is_due(void)
{
	return InterruptPending && (QueryCancelPending || ProcDiePending) &&
		InterruptHoldoffCount == 0 && CritSectionCount == 0;
}

/*
 * The objective at u, and its gradient when that is not NULL; -infinity where
 * it cannot be computed.  Called by NLopt it may be stopped in the middle.
 */
static double
get_objective(Search *search, const double *u, double *gradient, double *log_likelihood)
{
	ClvParams	p;
	double		theta[CLV_MAX_PARAMS];
	double		value = 0;
	double		slope[CLV_MAX_PARAMS];

	search->evaluations++;
	get_theta(search, u, theta);
	if (clv_prepare(search->problem->kind, theta, &p) != CLV_OK)
		return -HUGE_VAL;
	if (gradient != NULL)
		memset(gradient, 0, search->free * sizeof(double));
	for (size_t from = 0; from < search->n; from += CHUNK_ROWS)
	{
		if (search->nlopt == NULL)
			CHECK_FOR_INTERRUPTS();
		else if (search->heed_interrupts && interrupt_is_due())
		{
			search->stopped = true;
			nlopt_force_stop(search->nlopt);
			return -HUGE_VAL;
		}
		value += clv_log_likelihood_sum(&p, search->row + from, search->weight + from,
										Min(CHUNK_ROWS, search->n - from),
										gradient != NULL ? slope : NULL, NULL);
		if (gradient != NULL)
			for (int i = 0; i < search->free; i++)
				gradient[i] += slope[search->at[i]];
	}
	if (log_likelihood != NULL)
		*log_likelihood = value;
	value -= get_penalty(search, u, gradient);
	if (!isfinite(value))
		return -HUGE_VAL;
	if (gradient != NULL)
		for (int i = 0; i < search->free; i++)
			if (!isfinite(gradient[i]))
				return -HUGE_VAL;
	return value;
}

/* ---------- Stage 1: NLopt ---------- */

/* What NLopt minimises: the objective a customer, with its sign turned. */
static double
nlopt_objective(unsigned n, const double *u, double *gradient, void *data)
{
	Search	   *search = data;
	double		value = get_objective(search, u, gradient, NULL);

	if (value > search->best_value)
	{
		search->best_value = value;
		memcpy(search->best, u, n * sizeof(double));
	}
	if (!isfinite(value))
	{
		/* a wall; NLopt dislikes infinities */
		if (gradient != NULL)
			memset(gradient, 0, n * sizeof(double));
		return 1e10;
	}
	if (gradient != NULL)
		for (unsigned i = 0; i < n; i++)
			gradient[i] /= -search->customers;
	return value / -search->customers;
}

/*
 * One run of NLopt from u, which it improves.  Returns whether it ended where
 * it wanted to.
 */
static bool
run_nlopt(Search *search, nlopt_algorithm algorithm, int evaluations, double *u)
{
	double		lower[CLV_MAX_PARAMS];
	double		ignored;
	double		at[CLV_MAX_PARAMS];
	nlopt_result result;

	search->heed_interrupts = true;
	for (;;)
	{
		search->nlopt = nlopt_create(algorithm, search->free);
		if (search->nlopt == NULL)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		for (int i = 0; i < search->free; i++)
			lower[i] = -search->bound[i];
		nlopt_set_lower_bounds(search->nlopt, lower);
		nlopt_set_upper_bounds(search->nlopt, search->bound);
		nlopt_set_min_objective(search->nlopt, nlopt_objective, search);
		nlopt_set_ftol_abs(search->nlopt, 1e-8);
		nlopt_set_maxeval(search->nlopt, evaluations);
		if (algorithm == NLOPT_LN_SBPLX)
			nlopt_set_initial_step1(search->nlopt, 0.5);

		search->stopped = false;
		search->best_value = -HUGE_VAL;
		memcpy(at, u, sizeof(at));
		result = nlopt_optimize(search->nlopt, at, &ignored);
		nlopt_destroy(search->nlopt);
		search->nlopt = NULL;
		if (!search->stopped)
			break;
		/* raises, or else the interrupt cannot be served now: do without */
		CHECK_FOR_INTERRUPTS();
		search->heed_interrupts = false;
	}
	if (isfinite(search->best_value))
		memcpy(u, search->best, search->free * sizeof(double));
	return result > 0 || result == NLOPT_ROUNDOFF_LIMITED;
}

/* ---------- Small symmetric matrices ---------- */

/*
 * Eigenvalues and eigenvectors (columns) by cyclic Jacobi rotations: exact
 * enough for any conditioning, and simple at 5 x 5.
 */
static void
get_eigensystem(int n, const Matrix *matrix, double *value, Matrix *vector)
{
	Matrix		a = *matrix;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			vector->cell[i][j] = i == j;
	for (int sweep = 0; sweep < 50; sweep++)
	{
		double		off = 0;
		double		on = 0;

		for (int i = 0; i < n; i++)
		{
			on += a.cell[i][i] * a.cell[i][i];
			for (int j = i + 1; j < n; j++)
				off += a.cell[i][j] * a.cell[i][j];
		}
		if (off <= 1e-32 * on || off == 0)
			break;
		for (int p = 0; p < n; p++)
		{
			for (int q = p + 1; q < n; q++)
			{
				double		theta;
				double		t;
				double		c;
				double		s;

				if (a.cell[p][q] == 0)
					continue;
				theta = (a.cell[q][q] - a.cell[p][p]) / (2 * a.cell[p][q]);
				t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
				c = 1 / sqrt(t * t + 1);
				s = t * c;
				for (int k = 0; k < n; k++)
				{
					double		kp = a.cell[k][p];
					double		kq = a.cell[k][q];

					a.cell[k][p] = c * kp - s * kq;
					a.cell[k][q] = s * kp + c * kq;
				}
				for (int k = 0; k < n; k++)
				{
					double		pk = a.cell[p][k];
					double		qk = a.cell[q][k];

					a.cell[p][k] = c * pk - s * qk;
					a.cell[q][k] = s * pk + c * qk;
				}
				for (int k = 0; k < n; k++)
				{
					double		kp = vector->cell[k][p];
					double		kq = vector->cell[k][q];

					vector->cell[k][p] = c * kp - s * kq;
					vector->cell[k][q] = s * kp + c * kq;
				}
			}
		}
	}
	for (int i = 0; i < n; i++)
		value[i] = a.cell[i][i];
}

/* The observed information, minus the Hessian, from differences of the gradient. */
static bool
get_information(Search *search, const double *u, Matrix *information)
{
	int			n = search->free;
	Matrix		raw;

	for (int i = 0; i < n; i++)
	{
		double		at[CLV_MAX_PARAMS];
		double		above[CLV_MAX_PARAMS];
		double		below[CLV_MAX_PARAMS];

		memcpy(at, u, sizeof(at));
		at[i] = u[i] + DIFFERENCE;
		if (!isfinite(get_objective(search, at, above, NULL)))
			return false;
		at[i] = u[i] - DIFFERENCE;
		if (!isfinite(get_objective(search, at, below, NULL)))
			return false;
		for (int j = 0; j < n; j++)
			raw.cell[i][j] = (below[j] - above[j]) / (2 * DIFFERENCE);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			information->cell[i][j] = (raw.cell[i][j] + raw.cell[j][i]) / 2;
	return true;
}

/* ---------- Stages 2 and 3: Newton ---------- */

typedef struct Newton
{
	double		u[CLV_MAX_PARAMS];
	double		value;
	double		gradient[CLV_MAX_PARAMS];
	Matrix		information;	/* minus the Hessian */
	bool		informed;
	bool		converged;		/* steps have shrunk to nothing */
	bool		at_bound;
} Newton;

/*
 * The step: information^-1 gradient in the directions that are free to move.
 * Directions in which the likelihood is not concave are climbed with the
 * absolute curvature.  Returns the largest component, uncut.
 */
static double
get_step(const Search *search, const Newton *newton, double *step)
{
	int			n = search->free;
	int			used[CLV_MAX_PARAMS];
	int			m = 0;
	Matrix		part = {{{0}}};
	Matrix		vector;
	double		value[CLV_MAX_PARAMS];
	double		steepest = 0;
	double		longest = 0;

	memset(step, 0, n * sizeof(double));
	for (int i = 0; i < n; i++)
	{
		bool		stuck = (newton->u[i] >= search->bound[i] && newton->gradient[i] > 0) ||
			(newton->u[i] <= -search->bound[i] && newton->gradient[i] < 0);

		if (!stuck)
			used[m++] = i;
	}
	for (int i = 0; i < m; i++)
		for (int j = 0; j < m; j++)
			part.cell[i][j] = newton->information.cell[used[i]][used[j]];
	get_eigensystem(m, &part, value, &vector);
	for (int i = 0; i < m; i++)
		steepest = Max(steepest, fabs(value[i]));
	for (int i = 0; i < m; i++)
	{
		double		curvature = Max(fabs(value[i]), 1e-13 * steepest);
		double		along = 0;

		for (int j = 0; j < m; j++)
			along += vector.cell[j][i] * newton->gradient[used[j]];
		if (curvature > 0)
			along /= curvature;
		for (int j = 0; j < m; j++)
			step[used[j]] += along * vector.cell[j][i];
	}
	for (int i = 0; i < n; i++)
		longest = Max(longest, fabs(step[i]));
	return longest;
}

/* What a step promises, by the slope alone. */
static double
get_gain(const Search *search, const Newton *newton, const double *step)
{
	double		gain = 0;

	for (int i = 0; i < search->free; i++)
		gain += newton->gradient[i] * step[i];
	return gain;
}

/* Try a step of Newton's method, halving it until the objective does not fall. */
static bool
try_step(Search *search, Newton *newton, const double *step, double longest)
{
	double		part = longest > STEP_MAX ? STEP_MAX / longest : 1;
	double		slack = 1e-13 * fabs(newton->value);

	for (int halving = 0; halving < 12; halving++, part /= 2)
	{
		double		at[CLV_MAX_PARAMS];
		double		gradient[CLV_MAX_PARAMS];
		double		value;

		for (int i = 0; i < search->free; i++)
		{
			at[i] = newton->u[i] + part * step[i];
			at[i] = Min(Max(at[i], -search->bound[i]), search->bound[i]);
		}
		value = get_objective(search, at, gradient, NULL);
		if (value >= newton->value - slack)
		{
			memcpy(newton->u, at, sizeof(at));
			memcpy(newton->gradient, gradient, sizeof(gradient));
			newton->value = value;
			return true;
		}
	}
	return false;
}

/* Climb from newton->u to the maximum, or as far as it goes. */
static void
run_newton(Search *search, Newton *newton)
{
	double		step[CLV_MAX_PARAMS];
	double		before = HUGE_VAL;
	bool		fresh = false;

	newton->converged = false;
	newton->value = get_objective(search, newton->u, newton->gradient, NULL);
	if (!isfinite(newton->value))
		return;
	for (int round = 0; round < NEWTON_MAX; round++)
	{
		double		longest;

		CHECK_FOR_INTERRUPTS();
		if (!newton->informed)
		{
			if (!get_information(search, newton->u, &newton->information))
				return;
			newton->informed = fresh = true;
		}
		longest = get_step(search, newton, step);
		if (longest < NEWTON_CLOSE)
		{
			/* the last step costs nothing but one evaluation */
			if (longest > 0)
				try_step(search, newton, step, longest);
			newton->converged = true;
			return;
		}
		/* a long step to gain nothing: a ridge that has become flat */
		if (fresh && longest > 1e-3 &&
			get_gain(search, newton, step) <
			NEWTON_GAIN * Min(1, search->customers) + 1e-14 * fabs(newton->value))
			return;
		/* steps that do not shrink fast ask for a Hessian of this place */
		if (!fresh && longest > before / 8)
		{
			newton->informed = false;
			before = HUGE_VAL;
			continue;
		}
		before = longest;
		if (!try_step(search, newton, step, longest))
		{
			if (fresh)
				return;
			newton->informed = false;
			before = HUGE_VAL;
			continue;
		}
		/* far away the Hessian changes with every step */
		if (longest > 0.05)
			newton->informed = false;
		fresh = false;
	}
}

/* ---------- The maximum ---------- */

/* Is the maximum inside the box, and does the likelihood fall away from it on all sides? */
static bool
is_interior(const Search *search, const Newton *newton, Matrix *covariance)
{
	int			n = search->free;
	double		value[CLV_MAX_PARAMS];
	Matrix		vector;

	for (int i = 0; i < n; i++)
	{
		double		limit =
			search->problem->kind->param[search->at[i]].kind == CLV_SHAPE ? SHAPE_LIMIT : RATE_LIMIT;

		if (fabs(newton->u[i]) > limit)
			return false;
	}
	get_eigensystem(n, &newton->information, value, &vector);
	for (int i = 0; i < n; i++)
		if (!(value[i] > 1e-8 * search->customers))
			return false;
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
		{
			double		sum = 0;

			for (int k = 0; k < n; k++)
				sum += vector.cell[i][k] * vector.cell[j][k] / value[k];
			covariance->cell[i][j] = sum;
		}
	}
	/* the two triangles are sums of the same terms, but let no bit differ */
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			covariance->cell[i][j] = covariance->cell[j][i];
	return true;
}

/*
 * At the edge of the box: does the likelihood go on growing there?  Where it
 * approaches a limit, its slope dies away by a factor of e from one e-fold to
 * the next.  So look at the slope at the edge of a smaller box, too.
 */
static bool
is_unbounded(const Search *search, const Newton *newton)
{
	Search		smaller = *search;
	Newton		inside = *newton;
	bool		unbounded = false;

	for (int i = 0; i < search->free; i++)
	{
		smaller.bound[i] -= 2;
		inside.u[i] = Min(Max(inside.u[i], -smaller.bound[i]), smaller.bound[i]);
	}
	inside.informed = false;
	run_newton(&smaller, &inside);
	for (int i = 0; i < search->free; i++)
		if (fabs(newton->u[i]) >= search->bound[i] && newton->gradient[i] * newton->u[i] > 0 &&
			fabs(newton->gradient[i]) > 1e-6 * search->customers &&
			fabs(newton->gradient[i]) > 0.5 * fabs(inside.gradient[i]))
			unbounded = true;
	return unbounded;
}

/*
 * Rows at evenly spaced ranks of the weight, each of equal weight: a sample
 * stratified by everything that the rows are sorted by.
 */
static void
take_sample(Search *search, const Search *whole)
{
	ClvRow	   *row = palloc(SAMPLE_ROWS * sizeof(ClvRow));
	double	   *weight = palloc(SAMPLE_ROWS * sizeof(double));
	double		share = whole->customers / SAMPLE_ROWS;
	double		through = 0;
	size_t		taken = 0;
	int			rank = 0;

	for (size_t i = 0; i < whole->n && rank < SAMPLE_ROWS; i++)
	{
		int			times = 0;

		through += whole->weight[i];
		while (rank < SAMPLE_ROWS && (rank + 0.5) * share < through)
		{
			times++;
			rank++;
		}
		if (times > 0)
		{
			row[taken] = whole->row[i];
			weight[taken++] = times * share;
		}
	}
	*search = *whole;
	search->row = row;
	search->weight = weight;
	search->n = taken;
	search->evaluations = 0;
}

static void
clip(const Search *search, double *u)
{
	for (int i = 0; i < search->free; i++)
		u[i] = isnan(u[i]) ? 0 : Min(Max(u[i], -search->bound[i] / 2), search->bound[i] / 2);
}

/* From one starting value: NLopt, then Newton. */
static void
climb(Search *search, const double *start, nlopt_algorithm algorithm, int evaluations,
	  Newton *newton)
{
	memset(newton, 0, sizeof(Newton));
	memcpy(newton->u, start, search->free * sizeof(double));
	clip(search, newton->u);
	run_nlopt(search, algorithm, evaluations, newton->u);
	run_newton(search, newton);
}

static bool
is_better(const Newton *one, const Newton *other)
{
	double		slack = 1e-9 * Max(1, fabs(other->value));

	if (one->converged && !other->converged && one->value > other->value - slack)
		return true;
	return one->value > other->value + slack;
}

/*
 * The maximum on one set of rows.  One climb is enough where it ends at an
 * interior maximum; otherwise others start elsewhere, and the best one counts.
 */
static void
climb_from_all(Search *search, const double *start, Newton *best)
{
	static const struct
	{
		double		shape;
		double		rate;
	}			further[] = {{0, 0}, {-1, 0}, {1, 1}, {1, -1}, {-2, 2}};
	Matrix		ignored;
	int			agree = 0;

	climb(search, start, NLOPT_LD_SLSQP, 200, best);
	if (best->converged && is_interior(search, best, &ignored))
		return;
	for (int i = 0; i < (int) lengthof(further); i++)
	{
		double		u[CLV_MAX_PARAMS];
		Newton		newton;

		for (int j = 0; j < search->free; j++)
			u[j] = search->problem->kind->param[search->at[j]].kind == CLV_SHAPE ? further[i].shape
				: further[i].rate;
		climb(search, u, i % 2 == 0 ? NLOPT_LD_LBFGS : NLOPT_LD_SLSQP, 200, &newton);
		/* twice the same: this is how high it goes */
		if (isfinite(newton.value) && fabs(newton.value - best->value) <= 1e-6)
			agree++;
		else if (newton.value > best->value)
			agree = 0;
		if (is_better(&newton, best))
			*best = newton;
		if (best->converged && is_interior(search, best, &ignored))
			return;
		if (agree >= 2)
			return;
	}
	if (!best->converged)
	{
		Newton		newton;

		climb(search, best->u, NLOPT_LN_SBPLX, 1000, &newton);
		if (is_better(&newton, best))
			*best = newton;
	}
}

void
clv_maximize(const ClvProblem *problem, const double *start, ClvOptimum *optimum)
{
	Search		search = {0};
	Newton		newton;
	double		u[CLV_MAX_PARAMS];
	Matrix		covariance;

	memset(optimum, 0, sizeof(ClvOptimum));
	memset(&newton, 0, sizeof(Newton));
	search.problem = problem;
	search.row = problem->row;
	search.weight = problem->weight;
	search.n = problem->n;
	for (int i = 0; i < problem->kind->n_params; i++)
	{
		bool		rate = problem->kind->param[i].kind == CLV_RATE;
		int			free = search.free;

		if (problem->kind->param[i].kind == CLV_COUNT)
			continue;
		search.at[free] = i;
		search.offset[free] = rate ? log(problem->scale) : 0;
		search.bound[free] = rate ? RATE_BOUND : SHAPE_BOUND;
		/* and inside what the models take, whatever the unit */
		search.bound[free] = Min(search.bound[free], log(CLV_PARAM_MAX) - 1e-9 - search.offset[free]);
		search.bound[free] = Min(search.bound[free], search.offset[free] - log(CLV_PARAM_MIN) - 1e-9);
		search.bound[free] = Max(search.bound[free], 1);
		u[free] = log(start[i]) - search.offset[free];
		search.free++;
	}
	for (size_t i = 0; i < problem->n; i++)
		search.customers += problem->weight[i];

	if (problem->n >= SAMPLE_FROM)
	{
		Search		sample;

		take_sample(&sample, &search);
		climb_from_all(&sample, u, &newton);
		search.evaluations += (int) (sample.evaluations * sample.n / search.n);
		run_newton(&search, &newton);
		if (!newton.converged)
			climb_from_all(&search, u, &newton);
	}
	else
		climb_from_all(&search, u, &newton);

	/* the covariance is of the maximum itself */
	if (newton.converged && get_information(&search, newton.u, &newton.information) &&
		is_interior(&search, &newton, &covariance))
	{
		optimum->converged = true;
		optimum->has_covariance = true;
		for (int i = 0; i < search.free; i++)
			for (int j = 0; j < search.free; j++)
				optimum->covariance[search.at[i]][search.at[j]] = covariance.cell[i][j];
	}
	else
		optimum->unbounded = is_unbounded(&search, &newton);
	optimum->objective = get_objective(&search, newton.u, NULL, &optimum->log_likelihood);
	get_theta(&search, newton.u, optimum->theta);
	optimum->evaluations = search.evaluations;
}
