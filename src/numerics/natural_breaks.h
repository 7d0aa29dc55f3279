/*
 * natural_breaks.h
 *	  Optimal classes of one-dimensional values (k-means, solved exactly).
 */
#ifndef NUMERICS_NATURAL_BREAKS_H
#define NUMERICS_NATURAL_BREAKS_H

#include <stddef.h>

extern size_t natural_breaks_workspace(size_t distinct, int classes);
extern int natural_breaks(const double *values, const double *through, size_t distinct,
						  int classes, double *cuts, void *workspace,
						  void (*interrupt)(void));

#endif							/* NUMERICS_NATURAL_BREAKS_H */
