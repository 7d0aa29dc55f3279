/*
 * percentile.h
 *	  Where a value stands in a population, for the functions of this room.
 */
#ifndef CUSTOMER_TIER_PERCENTILE_H
#define CUSTOMER_TIER_PERCENTILE_H

#include "value_list.h"

/* Which share of the population a value that others have, too, is given. */
typedef enum Ties
{
	TIES_LOW,					/* those that are passed by it */
	TIES_MID,					/* half way */
	TIES_HIGH					/* those that are passed by it, and its equals */
} Ties;

/* How many members of a population are below a value, and how many not above. */
typedef struct Standing
{
	double		below;
	double		through;
	double		members;
} Standing;

/* Recognise 'low', 'mid' and 'high'; anything else is an error. */
extern Ties read_ties(const text *ties);

/* Look a value up that is not NaN, on a scale of percentile_scale(). */
extern void find_standing(Standing *standing, const Float8Array *scale, double value);

/* The same in two steps: the first knot that is not below the value, and what it says. */
extern int find_knot(const double *values, int count, double value);
extern void read_standing(Standing *standing, const Float8Array *scale, int knot, double value);

/* The scale of a population that is not empty. */
extern ArrayType *percentile_scale_of(ValueList *list);

#endif							/* CUSTOMER_TIER_PERCENTILE_H */
