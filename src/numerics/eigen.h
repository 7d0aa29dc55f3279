/*
 * eigen.h
 *	  The principal eigenvector of a positive matrix.
 */
#ifndef NUMERICS_EIGEN_H
#define NUMERICS_EIGEN_H

#include <stddef.h>

#include "numerics/double_double.h"

/* Doubles (as pairs) of workspace that a matrix of n rows needs. */
static inline size_t
eigen_workspace(size_t n)
{
	return 2 * n * n + 3 * n;
}

extern int	principal_eigenvector(const double *matrix, int n, double *vector,
								  DoubleDouble *workspace);
extern double mean_eigenvalue(const double *matrix, int n, const double *vector);

#endif							/* NUMERICS_EIGEN_H */
