/*
 * quantile.h
 *	  Cut points of a population: equal shares, and shares of what is left.
 */
#ifndef NUMERICS_QUANTILE_H
#define NUMERICS_QUANTILE_H

#include <stdint.h>

extern int64_t quantile_rank(int k, int n, int64_t count);
extern int64_t count_through(const double *sorted, int64_t count, double value);
extern void quantile_cuts(const double *sorted, int64_t count, int n, double *cuts);
extern void balanced_cuts(const double *sorted, int64_t count, int n, double *cuts);

#endif							/* NUMERICS_QUANTILE_H */
