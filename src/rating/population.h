/*
 * population.h
 *	  The values of a population as an aggregate's state, for the functions of
 *	  this room.
 */
#ifndef CUSTOMER_TIER_POPULATION_H
#define CUSTOMER_TIER_POPULATION_H

#include "state/partial_state.h"
#include "value_list.h"

/* Its state is a ValueList without a parameter. */
extern const PartialStateKind population_kind;

static inline PartialState *
population_create(FunctionCallInfo fcinfo)
{
	PartialState *partial = partial_state_create(fcinfo, &population_kind);

	partial->state = value_list_create(partial->header.eoh_context, 0);
	return partial;
}

#endif							/* CUSTOMER_TIER_POPULATION_H */
