/*
 * combination.h
 *	  Many points of one customer made one score, and the score divided among
 *	  them again.
 */
#ifndef NUMERICS_COMBINATION_H
#define NUMERICS_COMBINATION_H

#include <stdbool.h>

#include "numerics/double_double.h"

/* Shapley values go over all subsets of the members. */
#define SHAPLEY_MEMBERS_MAX 12

/* The scale that TOPSIS measures distances on: an entry a criterion. */
typedef struct TopsisScale
{
	const double *norm;
	const double *best;
	const double *worst;
} TopsisScale;

extern double topsis_closeness(const double *values, const bool *missing, const double *weights,
							   const TopsisScale *scale, int n);
extern DoubleDouble geometric_log(double point);
extern double geometric_mean(const DoubleDouble *logs, const bool *missing,
							 const double *weights, int n);

/* What the members of `subset` (a bit a member) score together. */
typedef double (*SubsetScore)(void *context, unsigned int subset);

extern void shapley_values(SubsetScore score, void *context, int n, double *values,
						   double *workspace);

#endif							/* NUMERICS_COMBINATION_H */
