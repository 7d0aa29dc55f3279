/*
 * logit_model.h
 *	  A logit_model as the functions of this room see it: unpacked from the
 *	  jsonb that SQL sees, once a query and not once a row.
 */
#ifndef CUSTOMER_TIER_LOGIT_MODEL_H
#define CUSTOMER_TIER_LOGIT_MODEL_H

#include "fmgr.h"
#include "utils/jsonb.h"

#include "rating/logit_rows.h"

/* The version of the keys of the jsonb. */
#define LOGIT_VERSION 1

typedef enum LogitStatus
{
	LOGIT_GIVEN,				/* the coefficients were given, not fitted */
	LOGIT_OK,					/* the maximum of the (penalised) likelihood */
	LOGIT_SEPARATED,			/* the features tell the outcomes apart: no maximum */
	LOGIT_NO_MAXIMUM			/* none was found */
} LogitStatus;

typedef struct LogitModel
{
	LogitStatus status;
	int			features;
	bool		has_coefficients;
	double		intercept;
	double		coefficient[LOGIT_FEATURES_MAX];
} LogitModel;

/* What a fit knows beyond what predictions need. */
typedef struct LogitFitInfo
{
	double		rows;			/* sum of the weights */
	double		bad;			/* of these, of the bad outcome */
	double		distinct_rows;
	double		skipped;
	int			iterations;
	double		penalty;
	double		log_likelihood;
	const double *covariance;	/* (features + 1) squared, or NULL */
} LogitFitInfo;

/* info is NULL for a model of given coefficients. */
extern Jsonb *logit_model_to_jsonb(const LogitModel *model, const LogitFitInfo *info);

#endif							/* CUSTOMER_TIER_LOGIT_MODEL_H */
