/*
 * calendar.h
 *	  Periods of the Gregorian calendar, and anniversaries.  Plain C.
 *
 * Days are PostgreSQL's: days since 2000-01-01.
 */
#ifndef TIER_CALENDAR_H
#define TIER_CALENDAR_H

#include <stdint.h>

typedef enum TierPeriod
{
	TIER_EVERY_RUN,
	TIER_MONTH,
	TIER_QUARTER,
	TIER_HALF_YEAR,
	TIER_YEAR,
	TIER_MEMBERSHIP_ANNIVERSARY,
	TIER_TIER_ANNIVERSARY
} TierPeriod;

extern int32_t period_start_after(TierPeriod period, int32_t day, int32_t origin);
extern int32_t period_end_from(TierPeriod period, int32_t day, int32_t origin);

#endif /* TIER_CALENDAR_H */
