/*
 * predict.h
 *	  How predictors read their arguments.
 */
#ifndef CUSTOMER_TIER_PREDICT_H
#define CUSTOMER_TIER_PREDICT_H

#include "clv/model.h"
#include "fmgr.h"

extern void check_has(const ClvModel *model, bool has, const char *what);
extern void get_customer(FunctionCallInfo fcinfo, int first, const ClvModel *model, ClvRow *row);
extern double get_horizon(FunctionCallInfo fcinfo, int argument, const ClvModel *model);
extern bool get_expected_spend(const ClvParams *p, double frequency, double monetary, double *spend);
extern double get_finite_horizon(FunctionCallInfo fcinfo, int argument, const ClvModel *model);

#endif							/* CUSTOMER_TIER_PREDICT_H */
