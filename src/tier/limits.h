/*
 * limits.h
 *	  Where a share or a capacity ends.  Plain C.
 */
#ifndef TIER_LIMITS_H
#define TIER_LIMITS_H

#include <stddef.h>

#include "tier/machine.h"

extern TierKey tier_least_key(TierKey *keys, size_t n, double places);
extern double tier_places_of_share(double share, double customers);

#endif /* TIER_LIMITS_H */
