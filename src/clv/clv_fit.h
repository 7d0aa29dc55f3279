/*
 * clv_fit.h
 *	  From rows to a clv_model: what the fit aggregates of this room share.
 */
#ifndef CUSTOMER_TIER_CLV_FIT_H
#define CUSTOMER_TIER_CLV_FIT_H

#include "clv/clv_rows.h"
#include "clv/fitted.h"

typedef struct FitRequest
{
	const ClvModel *kind;
	double		k;				/* of the cnbd-k models; 0: search for it */
	double		penalty;
	double		spread;			/* around the prior, 0 without one */
	double		prior[CLV_MAX_PARAMS];
	double		litt;			/* total of weight * litt */
	double		skipped;
} FitRequest;

extern void fit_rows(const FitRequest *request, const RowSet *set, FittedModel *model);

#endif							/* CUSTOMER_TIER_CLV_FIT_H */
