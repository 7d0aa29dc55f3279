/*
 * normalise.h
 *	  What turns the value of a dimension into points, for the functions of this
 *	  room.
 */
#ifndef CUSTOMER_TIER_NORMALISE_H
#define CUSTOMER_TIER_NORMALISE_H

#include "rating/percentile.h"
#include "value_list.h"

typedef enum Method
{
	METHOD_SCORE,
	METHOD_PERCENTILE,
	METHOD_MIN_MAX,
	METHOD_Z_SCORE,
	METHOD_LOGISTIC,
	METHOD_BANDS,
	METHOD_LINEAR,
	METHOD_IDENTITY
} Method;

#define METHODS (METHOD_IDENTITY + 1)

/* All that turns a value into points. */
typedef struct Rule
{
	Method		method;
	bool		higher_is_better;
	Ties		ties;
	Float8Array scale;
} Rule;

/* Recognise a method by its name; anything else is an error. */
extern Method read_method(const text *method);

/* Ensure that the scale has the form that the method needs. */
extern void check_scale_form(const Rule *rule);

/* Points of a value that is not NaN; of one that has its standing already. */
extern double rule_points(const Rule *rule, double value);
extern double standing_points(const Rule *rule, Standing standing);

#endif							/* CUSTOMER_TIER_NORMALISE_H */
