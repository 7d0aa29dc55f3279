/*
 * logistic.h
 *	  Logistic regression by Newton's method, with or without a ridge penalty.
 */
#ifndef NUMERICS_LOGISTIC_H
#define NUMERICS_LOGISTIC_H

#include <stddef.h>
#include <stdint.h>

typedef enum LogisticStatus
{
	LOGISTIC_OK,
	LOGISTIC_ONE_OUTCOME,		/* nothing to tell apart */
	LOGISTIC_CONSTANT,			/* a feature has one value only */
	LOGISTIC_COLLINEAR,			/* a feature is a combination of those before it */
	LOGISTIC_SEPARATED,			/* some combination of features tells outcomes apart */
	LOGISTIC_NO_MAXIMUM			/* none was found, for numerical reasons */
} LogisticStatus;

typedef struct LogisticData
{
	int64_t		rows;
	int			features;
	double	   *x;				/* a row after the other; overwritten, standardised */
	const double *bad;			/* weight of the bad outcome in each row */
	const double *good;			/* and of the good one: at least one is above 0 */
	double		penalty;		/* 0: maximum likelihood */
	void		(*interrupt) (void);	/* called now and then, or NULL */
} LogisticData;

typedef struct LogisticFit
{
	int			feature;		/* from 0: the constant or collinear one, else -1 */
	int			iterations;
	double		log_likelihood; /* without the penalty */
	double	   *coefficient;	/* features + 1, the intercept first */
	double	   *covariance;		/* (features + 1) squared, in the same order */
} LogisticFit;

/* How many doubles of workspace a fit needs. */
extern size_t logistic_workspace(int64_t rows, int features);

extern LogisticStatus logistic_fit(const LogisticData *data, double *workspace,
								   LogisticFit *fit);

/* P(bad) of log odds bad:good, precise in both tails. */
extern double logistic_probability(double log_odds);

#endif							/* NUMERICS_LOGISTIC_H */
