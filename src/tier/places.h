/*
 * places.h
 *	  What shares and capacities leave to a set of customers.
 */
#ifndef TIER_PLACES_H
#define TIER_PLACES_H

#include "postgres.h"

#include "tier/limits.h"
#include "tier/machine.h"
#include "tier/rule_book.h"

/* A list of keys that grows. */
typedef struct KeyList
{
	int64		count;
	int64		room;
	TierKey    *keys;
} KeyList;

/* Places being counted: first the best of all, then who finds a seat. */
typedef struct PlacesState
{
	MemoryContext context;
	int			n_limits;
	RuleLimit  *limits;
	int64		customers;		/* with a score */
	int64	   *incumbents;		/* of each limit: who stands there anyway */
	TierPlaces *places;			/* of each limit: the best are known when seats are counted */
	KeyList    *asking;			/* the best: one list of all; seats: of each limit who asks for one */
} PlacesState;

extern PlacesState *places_create(MemoryContext context, const RuleBook *book);
extern void places_add_rated(PlacesState *state, const TierLimits *limits, const TierInput *input);
extern void places_find_best(PlacesState *state);
extern void places_add_seat(PlacesState *state, const TierTerms *today, const TierLimits *limits, const TierInput *input, const TierState *standing);
extern void places_find_seats(PlacesState *state);

#endif							/* TIER_PLACES_H */
