/*
 * course.h
 *	  Expected purchases of many customers, the costly part computed once for
 *	  all who are alike.
 */
#ifndef CUSTOMER_TIER_COURSE_H
#define CUSTOMER_TIER_COURSE_H

#include "clv/model.h"

typedef struct CourseCache CourseCache;

/* Does the past of a customer who is alive tell no more than x and T do? */
static inline bool
is_memoryless(const ClvModel *model)
{
	return model->data == CLV_DATA_PURCHASES;
}

/* The same customer, alive beyond doubt: he bought just now, or never again. */
static inline ClvRow
bought_now(const ClvRow *row)
{
	ClvRow		now = *row;

	now.t_x = row->x > 0 ? row->T : 0;
	return now;
}

extern double course_purchases(CourseCache **cache, MemoryContext context, const ClvParams *p,
							   double discount, double horizon, const ClvRow *row);

#endif							/* CUSTOMER_TIER_COURSE_H */
