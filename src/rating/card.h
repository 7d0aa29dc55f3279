/*
 * card.h
 *	  The values of a customer in all dimensions of a card, as an array.
 */
#ifndef CUSTOMER_TIER_CARD_H
#define CUSTOMER_TIER_CARD_H

#include <math.h>

#include "value_list.h"

#define DIMENSIONS_MAX 100

/* Ensure that a row has as many dimensions as what it meets. */
static inline void
check_same_length(int count, int expected, const char *what)
{
	if (count != expected)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("a row has %d dimensions, but %s has %d", count, what, expected)));
}

static inline void
check_values(const Float8Array *values)
{
	if (values->ndim > 1 || values->count > DIMENSIONS_MAX)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("the values of a customer must be an array of one dimension with at most %d numbers",
							   DIMENSIONS_MAX)));
}

static inline bool
is_missing(const Float8Array *values, int i)
{
	return values->has_null && (values->null_bitmap[i / 8] & (1 << (i % 8))) == 0;
}

static inline void
check_value_not_nan(double value, int i)
{
	if (unlikely(isnan(value)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("value %d must not be NaN", i + 1),
						errhint("A value that is missing is NULL: nullif(value, 'NaN').")));
}

#endif							/* CUSTOMER_TIER_CARD_H */
