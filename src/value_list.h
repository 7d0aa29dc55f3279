/*
 * value_list.h
 *	  Aggregate state that keeps every value of a group, and arrays of float8
 *	  read in place.  Shared by the rooms that work on whole populations.
 */
#ifndef CUSTOMER_TIER_VALUE_LIST_H
#define CUSTOMER_TIER_VALUE_LIST_H

#include "aggregate.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"

/*
 * All non-NULL values of a group, in any order.  `parameter` is an integer
 * that has to be the same in every row of the group (the number of scores),
 * or 0 for aggregates without one.
 */
typedef struct ValueList
{
	MemoryContext context;
	int32		parameter;
	int64		count;
	int64		sorted;			/* values were in order when there were so many */
	int64		room;
	double	   *values;
} ValueList;

extern ValueList *value_list_create(MemoryContext context, int32 parameter);
extern void value_list_grow(ValueList *list, int64 need);
extern void value_list_append(ValueList *list, const ValueList *other);
extern void value_list_send(StringInfo buf, const ValueList *list);
extern ValueList *value_list_receive(StringInfo buf);
extern const double *value_list_in_order(ValueList *list);
extern double *value_list_sorted(ValueList *list);
extern void check_interrupts(void);

extern ArrayType *float8_array_from(const double *values, int64 count);

static inline void
value_list_add(ValueList *list, double value)
{
	if (unlikely(list->count == list->room))
		value_list_grow(list, list->count + 1);
	/* -0 becomes +0: equal values have equal bytes, whichever row came first */
	list->values[list->count++] = value + 0.0;
}

/*
 * A float8[] seen in place.  `buffer` takes the copy of a short one that came
 * packed from a table, so that looking at the few cut points of a stored run
 * allocates nothing.
 */
typedef struct Float8Array
{
	int			ndim;
	int			count;
	bool		has_null;
	const uint8 *null_bitmap;	/* a bit an element, 0 = NULL; or NULL pointer */
	const double *values;		/* those that are not NULL, one after the other */
	union
	{
		double		align;
		char		bytes[160];
	}			buffer;
} Float8Array;

extern void float8_array_view(Float8Array *view, Datum datum);
extern void float8_array_view_kept(Float8Array *view, FunctionCallInfo fcinfo, int argument);

#endif							/* CUSTOMER_TIER_VALUE_LIST_H */
