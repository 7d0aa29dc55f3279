/*
 * start.h
 *	  Where the fit begins.
 */
#ifndef CUSTOMER_TIER_CLV_START_H
#define CUSTOMER_TIER_CLV_START_H

#include "clv/model.h"

/* Gamma(r, rate alpha) of purchase rates, from the mean and variance of x given T */
extern void clv_start_rates(const ClvRow *rows, const double *weights, size_t n,
							double *r, double *alpha);

/* r, alpha, a, b */
extern void clv_start_bg(const ClvRow *rows, const double *weights, size_t n,
						 double *theta);

#endif /* CUSTOMER_TIER_CLV_START_H */
