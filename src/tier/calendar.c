/*
 * calendar.c
 *	  Starts and ends of calendar periods, and anniversaries.
 *
 * A month, quarter, half-year or year starts on its first day and ends on its
 * last.  An anniversary is both; that of 29 February is 28 February in common
 * years, as PostgreSQL's date + interval '1 year' has it.
 */
#include "tier/calendar.h"

/* Days from 0000-03-01 to 2000-01-01: years that begin in March end with the leap day. */
#define EPOCH 730425

static const int32_t DAYS_IN_400_YEARS = 146097;

typedef struct Date
{
	int64_t year;
	int month; /* 1..12 */
	int day;   /* 1..31 */
} Date;

static int
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int32_t
day_of(int64_t year, int month, int day)
{
	int64_t march_year = month > 2 ? year : year - 1;
	int64_t era = (march_year >= 0 ? march_year : march_year - 399) / 400;
	int64_t year_of_era = march_year - era * 400;
	int64_t month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;

	return (int32_t) (era * DAYS_IN_400_YEARS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH);
}

static Date
date_of(int32_t day)
{
	int64_t n = (int64_t) day + EPOCH;
	int64_t era = (n >= 0 ? n : n - (DAYS_IN_400_YEARS - 1)) / DAYS_IN_400_YEARS;
	int64_t day_of_era = n - era * DAYS_IN_400_YEARS;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int month_from_march = (int) ((5 * day_of_year + 2) / 153);
	Date date;

	date.day = (int) (day_of_year - (153 * month_from_march + 2) / 5 + 1);
	date.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	date.year = year_of_era + era * 400 + (date.month <= 2);
	return date;
}

static int
months_in(TierPeriod period)
{
	switch (period)
	{
		case TIER_MONTH:
			return 1;
		case TIER_QUARTER:
			return 3;
		case TIER_HALF_YEAR:
			return 6;
		default:
			return 12;
	}
}

/* First day of the period after the one that the day is in. */
static int32_t
next_period(int months, int32_t day)
{
	Date date = date_of(day);
	int month = (date.month - 1) / months * months + 1 + months;

	return month > 12 ? day_of(date.year + 1, month - 12, 1) : day_of(date.year, month, 1);
}

static int32_t
anniversary_in(int64_t year, Date origin)
{
	if (origin.month == 2 && origin.day == 29 && !is_leap(year))
		return day_of(year, 2, 28);
	return day_of(year, origin.month, origin.day);
}

/* First anniversary of the origin on or after a day; the origin itself is none. */
static int32_t
anniversary_from(int32_t day, int32_t origin)
{
	Date date = date_of(day);
	Date first = date_of(origin);
	int64_t year = date.year > first.year ? date.year : first.year + 1;
	int32_t anniversary = anniversary_in(year, first);

	return anniversary >= day ? anniversary : anniversary_in(year + 1, first);
}

/*
 * First start of a period after a day.  The origin is that of anniversaries: the first order, or
 * the day of the move into the tier.
 */
int32_t
period_start_after(TierPeriod period, int32_t day, int32_t origin)
{
	if (period >= TIER_MEMBERSHIP_ANNIVERSARY)
		return anniversary_from(day + 1, origin);
	return next_period(months_in(period), day);
}

/* First end of a period on or after a day. */
int32_t
period_end_from(TierPeriod period, int32_t day, int32_t origin)
{
	if (period >= TIER_MEMBERSHIP_ANNIVERSARY)
		return anniversary_from(day, origin);
	return next_period(months_in(period), day) - 1;
}
