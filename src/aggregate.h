/*
 * aggregate.h
 *	  What every aggregate's support functions begin with.
 */
#ifndef CUSTOMER_TIER_AGGREGATE_H
#define CUSTOMER_TIER_AGGREGATE_H

#include "fmgr.h"

/* Where the state of an aggregate lives; refuses a call outside of one. */
static inline MemoryContext
get_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("an aggregate's support function was called on its own")));
	return context;
}

#endif							/* CUSTOMER_TIER_AGGREGATE_H */
