/*
 * clv_fit.c
 *	  From rows to a clv_model: what can be fitted, the search for k, and what
 *	  to say about the result.
 *
 * Status of a fit:
 *
 *	  ok			an interior maximum: estimates, covariance, criteria
 *	  boundary		the likelihood rises towards a limit of the model (customers
 *					who are all alike, nobody who ever leaves ...).  The
 *					parameters stand for that limit and predict what it
 *					predicts; single parameters mean nothing, so there is no
 *					covariance
 *	  no_maximum	the data say nothing about the parameters: there are none
 *	  too_few		an interior maximum, but not of more customers than
 *					parameters
 *
 * The regularity k of the cnbd-k models is searched upwards from 1 until the
 * log-likelihood has fallen twice in a row; it counts as a parameter then.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "clv/clv_fit.h"
#include "clv/clv_optimize.h"

#define K_FALLS 2

/* The size of what the rates of a model belong to: a mean age, a mean spend. */
static double
get_scale(const ClvModel *kind, const RowSet *set)
{
	double		sum = 0;

	for (int64 i = 0; i < set->n; i++)
		sum += set->weight[i] / set->customers *
			(kind->data == CLV_DATA_SPEND ? set->row[i].zbar : set->row[i].T);
	return sum > 0 && isfinite(sum) ? sum : 1;
}

/*
 * Why the parameters cannot be told from these rows whatever is tried, or
 * NULL.
 */
static const char *
find_no_maximum(const ClvModel *kind, const RowSet *set)
{
	switch (kind->data)
	{
		case CLV_DATA_PURCHASES:
		case CLV_DATA_TIMED_PURCHASES:
			if (set->repeaters == 0)
				return "No customer has bought again, so nothing is known about the time between "
					"purchases.";
			break;
		case CLV_DATA_SPEND:
			for (int64 i = 1; i < set->n; i++)
				if (set->row[i].zbar != set->row[0].zbar)
					return NULL;
			return "All customers have the same mean spend, so nothing is known about how it "
				"varies.";
		case CLV_DATA_RENEWALS:
			if (set->repeaters == set->customers)
				return "No customer was lost, so nothing is known about when they are.";
			if (set->repeaters == 0)
				return "No customer has renewed, so nothing is known about those who do.";
			break;
	}
	return NULL;
}

static void
fit_one(const FitRequest *request, const RowSet *set, double k, ClvOptimum *optimum)
{
	const ClvModel *kind = request->kind;
	ClvProblem	problem = {0};
	double		start[CLV_MAX_PARAMS] = {0};

	problem.kind = kind;
	problem.k = k;
	problem.row = set->row;
	problem.weight = set->weight;
	problem.n = set->n;
	problem.scale = get_scale(kind, set);
	problem.penalty = request->penalty;
	problem.spread = request->spread;
	memcpy(problem.prior, request->prior, sizeof(problem.prior));
	if (request->spread > 0)
		memcpy(start, request->prior, sizeof(start));
	else
	{
		if (find_k(kind) >= 0)
			start[find_k(kind)] = k;
		kind->start(set->row, set->weight, set->n, start);
	}
	clv_maximize(&problem, start, optimum);

	/* rows are collapsed without their litt, which is a constant given k */
	if (kind->data == CLV_DATA_TIMED_PURCHASES)
	{
		optimum->log_likelihood += (k - 1) * request->litt;
		optimum->objective += (k - 1) * request->litt;
	}
}

/* The best k, searched upwards: the likelihood rises to it and falls beyond. */
static void
fit_searching_k(const FitRequest *request, const RowSet *set, ClvOptimum *best)
{
	int			falls = 0;
	int			evaluations = 0;

	for (int k = 1; k <= CLV_MAX_K && falls < K_FALLS; k++)
	{
		ClvOptimum	optimum;

		fit_one(request, set, k, &optimum);
		evaluations += optimum.evaluations;
		if (k == 1 || optimum.objective > best->objective)
		{
			*best = optimum;
			falls = 0;
		}
		else
			falls++;
	}
	best->evaluations = evaluations;
}

static void
notice_no_maximum(const ClvModel *kind, const char *detail)
{
	ereport(NOTICE, (errmsg("the likelihood of %s has no maximum for these rows", kind->name),
					 errdetail("%s", detail),
					 errhint("The model has status \"no_maximum\" and no parameters.")));
}

/*
 * Fit a model to rows, of which there is at least one.  Says what is not as it
 * should be in a NOTICE.
 */
void
fit_rows(const FitRequest *request, const RowSet *set, FittedModel *model)
{
	const ClvModel *kind = request->kind;
	bool		has_k = find_k(kind) >= 0;
	const char *problem = request->spread > 0 ? NULL : find_no_maximum(kind, set);
	ClvOptimum	optimum;

	fitted_init(model, kind);
	model->penalty = request->penalty;
	model->customers = set->customers;
	model->repeaters = set->repeaters;
	model->purchases = set->purchases;
	model->distinct_rows = (double) set->n;
	model->fingerprint = set->fingerprint;
	model->skipped = request->skipped;
	model->estimated = kind->n_params - (has_k && request->k > 0 ? 1 : 0);

	if (problem != NULL)
	{
		model->status = FITTED_NO_MAXIMUM;
		notice_no_maximum(kind, problem);
		return;
	}

	if (has_k && request->k == 0)
		fit_searching_k(request, set, &optimum);
	else
		fit_one(request, set, request->k, &optimum);
	model->iterations = optimum.evaluations;
	model->converged = optimum.converged;
	if (optimum.unbounded || !isfinite(optimum.log_likelihood) ||
		clv_prepare(kind, optimum.theta, &model->prepared) != CLV_OK)
	{
		model->status = FITTED_NO_MAXIMUM;
		notice_no_maximum(kind, "It goes on growing as the parameters run to their limits.");
		return;
	}

	model->has_params = true;
	model->log_likelihood = optimum.log_likelihood;
	if (!optimum.converged)
	{
		model->status = FITTED_BOUNDARY;
		ereport(NOTICE,
				(errmsg("the likelihood of %s has no interior maximum for these rows", kind->name),
				 errdetail("It approaches a limit of the model as parameters grow or shrink "
						   "without end; they were stopped there."),
				 errhint("The model has status \"boundary\" and no standard errors; a fit with a "
						 "penalty of 1 keeps the parameters in range.")));
		return;
	}
	model->has_covariance = optimum.has_covariance;
	memcpy(model->covariance, optimum.covariance, sizeof(model->covariance));
	model->status = FITTED_OK;
	if (set->customers <= model->estimated && request->spread == 0)
	{
		model->status = FITTED_TOO_FEW;
		ereport(NOTICE, (errmsg("%s was fitted to hardly more than nothing", kind->name),
						 errdetail("There are %s customers for %d parameters.",
								   double_text(set->customers), model->estimated),
						 errhint("The model has status \"too_few\".")));
	}
}
