/*
 * normal.h
 *	  Quantiles of the normal distribution, for intervals.
 */
#ifndef CUSTOMER_TIER_NORMAL_H
#define CUSTOMER_TIER_NORMAL_H

/* Ensure that the level of an interval is a probability, as in 0.95. */
extern void check_level(double level);

/* The z with P(|Z| <= z) = level. */
extern double normal_quantile_two_sided(double level);

#endif							/* CUSTOMER_TIER_NORMAL_H */
