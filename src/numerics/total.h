/*
 * total.h
 *	  A sum of doubles that remembers what rounding took from it (Neumaier,
 *	  Zeitschrift für Angewandte Mathematik und Mechanik 54, 1974).
 *
 * For sums in a fixed order; exact_sum.h is for those in any order.
 */
#ifndef NUMERICS_TOTAL_H
#define NUMERICS_TOTAL_H

#include <math.h>

typedef struct Total
{
	double		value;
	double		lost;
} Total;

static inline void
total_add(Total *total, double term)
{
	double		value = total->value + term;

	if (fabs(total->value) >= fabs(term))
		total->lost += (total->value - value) + term;
	else
		total->lost += (term - value) + total->value;
	total->value = value;
}

static inline double
total_value(const Total *total)
{
	return total->value + total->lost;
}

#endif							/* NUMERICS_TOTAL_H */
