/*
 * sort.h
 *	  Sorting of doubles in linear time, and runs of equal values.
 */
#ifndef NUMERICS_SORT_H
#define NUMERICS_SORT_H

#include <stddef.h>

extern void sort_doubles(double *values, double *scratch, size_t count,
						 void (*interrupt)(void));
extern size_t sort_distinct(double *sorted, double *through, size_t count);

#endif							/* NUMERICS_SORT_H */
