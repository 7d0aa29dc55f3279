/*
 * scale_stats.h
 *	  A population in short, for the functions of this room.
 */
#ifndef CUSTOMER_TIER_SCALE_STATS_H
#define CUSTOMER_TIER_SCALE_STATS_H

#include "value_list.h"

/* customers, minimum, maximum, mean, deviation, deciles, decile_counts */
#define SCALE_STATS 7

extern void fill_scale_stats(ValueList *list, Datum *value, bool *isnull);

#endif							/* CUSTOMER_TIER_SCALE_STATS_H */
