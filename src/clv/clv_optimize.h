/*
 * clv_optimize.h
 *	  Maximum likelihood of one model on one set of rows.
 */
#ifndef CUSTOMER_TIER_CLV_OPTIMIZE_H
#define CUSTOMER_TIER_CLV_OPTIMIZE_H

#include "clv/model.h"

typedef struct ClvProblem
{
	const ClvModel *kind;
	double		k;				/* of the models that have one */
	const ClvRow *row;			/* in the order of x, so that sums are fast */
	const double *weight;
	size_t		n;
	double		scale;			/* of a typical time or amount: rates are of its size */
	double		penalty;		/* weight of the penalty on shapes */
	double		spread;			/* standard deviation around the prior, 0 without one */
	double		prior[CLV_MAX_PARAMS];	/* theta */
} ClvProblem;

typedef struct ClvOptimum
{
	bool		converged;		/* is this an interior maximum? */
	bool		unbounded;		/* does the likelihood grow without limit? */
	double		theta[CLV_MAX_PARAMS];
	double		objective;		/* log-likelihood less penalties */
	double		log_likelihood;
	bool		has_covariance; /* of ln theta; only of an interior maximum */
	double		covariance[CLV_MAX_PARAMS][CLV_MAX_PARAMS];
	int			evaluations;
} ClvOptimum;

extern void clv_maximize(const ClvProblem *problem, const double *start, ClvOptimum *optimum);

#endif							/* CUSTOMER_TIER_CLV_OPTIMIZE_H */
