/*
 * places.c
 *	  What shares and capacities leave to a set of customers: first the best of
 *	  all by their keys, then the seats that those who stay leave to those who
 *	  come in.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "utils/memutils.h"

#include "tier/places.h"

PlacesState *
places_create(MemoryContext context, const RuleBook *book)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	PlacesState *state = palloc0(sizeof(PlacesState));
	int			room = book->n_limits + 1;

	state->context = context;
	state->n_limits = book->n_limits;
	state->limits = palloc0(room * sizeof(RuleLimit));
	if (book->n_limits > 0)
		memcpy(state->limits, book->limits, book->n_limits * sizeof(RuleLimit));
	state->incumbents = palloc0(room * sizeof(int64));
	state->places = palloc0(room * sizeof(TierPlaces));
	state->asking = palloc0(room * sizeof(KeyList));
	MemoryContextSwitchTo(old);
	return state;
}

static void
key_list_add(MemoryContext context, KeyList *list, TierKey key)
{
	if (list->count == list->room)
	{
		list->room = list->room > 0 ? 2 * list->room : 64;
		list->keys = list->keys ? repalloc_huge(list->keys, list->room * sizeof(TierKey))
			: MemoryContextAllocHuge(context, list->room * sizeof(TierKey));
	}
	list->keys[list->count++] = key;
}

static double
places_of_limit(const PlacesState *state, int limit)
{
	const RuleLimit *l = &state->limits[limit];

	return l->share >= 0 ? tier_places_of_share(l->share, (double) state->customers) : l->capacity;
}

/* A customer who has a score. */
void
places_add_rated(PlacesState *state, const TierLimits *limits, const TierInput *input)
{
	state->customers++;
	if (state->n_limits > 0)
		key_list_add(state->context, &state->asking[0], tier_key(limits, input));
}

/* The best of each limit; no seats yet. */
void
places_find_best(PlacesState *state)
{
	for (int i = 0; i < state->n_limits; i++)
	{
		state->places[i].best = tier_least_key(state->asking[0].keys, state->asking[0].count, places_of_limit(state, i));
		/* A stay rule has no seats to share out. */
		state->places[i].seated = state->places[i].best;
		for (int n = 0; state->limits[i].rank > 0 && n < TIER_KEY_NUMBERS; n++)
			state->places[i].seated.numbers[n] = INFINITY;
	}
}

/*
 * Who stands in a limited tier, or above, without asking keeps the seat; who
 * would come in asks for one.  The best are known, to the limits too.
 */
void
places_add_seat(PlacesState *state, const TierTerms *today, const TierLimits *limits, const TierInput *input, const TierState *standing)
{
	TierOutcome stays;
	TierOutcome asks;

	state->customers += input->has_score;
	tier_evaluate(today, limits, SEATS_NONE, input, standing, &stays);
	asks.wanted = -1;			/* not asked yet */
	for (int i = 0; i < state->n_limits; i++)
	{
		int			rank = state->limits[i].rank;

		if (rank == 0)
			continue;
		if (stays.rank < rank && asks.wanted < 0)
			tier_evaluate(today, limits, SEATS_FOR_ALL, input, standing, &asks);
		if (stays.rank >= rank)
			state->incumbents[i]++;
		else if (input->has_score && (asks.wanted >= rank || asks.rank >= rank))
			key_list_add(state->context, &state->asking[i], tier_key(limits, input));
	}
}

void
places_find_seats(PlacesState *state)
{
	for (int i = 0; i < state->n_limits; i++)
	{
		KeyList    *list = &state->asking[i];

		if (state->limits[i].rank == 0)
			continue;
		state->places[i].seated = tier_least_key(list->keys, list->count, places_of_limit(state, i) - (double) state->incumbents[i]);
	}
}
