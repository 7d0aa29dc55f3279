/*
 * calendar_test.c
 *	  Starts and ends of periods, and anniversaries, against a calendar that is
 *	  written out day by day.
 */
#include "tier/calendar.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_YEAR 1896
#define LAST_YEAR 2104
#define MAX_DAYS ((LAST_YEAR - FIRST_YEAR + 1) * 366)

typedef struct Day
{
	int			year;
	int			month;
	int			day;
} Day;

static const TierPeriod calendar_periods[] = {TIER_MONTH, TIER_QUARTER, TIER_HALF_YEAR, TIER_YEAR};
static const int months_of_period[] = {1, 3, 6, 12};

static Day	calendar[MAX_DAYS];
static int	n_days = 0;
static int	epoch = 0;			/* index of 2000-01-01 */
static int	passed = 0;
static int	failed = 0;

static void
check(int ok, const char *what)
{
	if (ok)
	{
		passed++;
		return;
	}
	failed++;
	printf("calendar: FAILED %s\n", what);
}

static int
is_leap(int year)
{
	return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
}

static int
days_in_month(int year, int month)
{
	if (month == 2)
		return is_leap(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static void
write_calendar(void)
{
	for (int year = FIRST_YEAR; year <= LAST_YEAR; year++)
		for (int month = 1; month <= 12; month++)
			for (int day = 1; day <= days_in_month(year, month); day++)
			{
				if (year == 2000 && month == 1 && day == 1)
					epoch = n_days;
				calendar[n_days++] = (Day) {year, month, day};
			}
}

static int32_t
day_of(int year, int month, int day)
{
	for (int i = 0; i < n_days; i++)
		if (calendar[i].year == year && calendar[i].month == month && calendar[i].day == day)
			return i - epoch;
	abort();
}

static int
starts(int months, const Day *day)
{
	return day->day == 1 && (day->month - 1) % months == 0;
}

/* 29 February is remembered on the 28th where there is no 29th. */
static int
is_anniversary(const Day *origin, const Day *day)
{
	int			due = origin->day;

	if (origin->month == 2 && origin->day == 29 && !is_leap(day->year))
		due = 28;
	return day->year > origin->year && day->month == origin->month && day->day == due;
}

/* Walks back from the end: the next start and end are the last ones seen. */
static void
check_calendar_periods(void)
{
	for (int p = 0; p < 4; p++)
	{
		int			months = months_of_period[p];
		int			start = -1;
		int			starts_ok = 1;
		int			ends_ok = 1;

		for (int i = n_days - 1; i >= 0; i--)
		{
			if (start >= 0)
			{
				int32_t		day = i - epoch;

				/* A period ends the day before the next one starts. */
				if (period_start_after(calendar_periods[p], day, 0) != start - epoch)
					starts_ok = 0;
				if (period_end_from(calendar_periods[p], day, 0) != start - 1 - epoch)
					ends_ok = 0;
			}
			if (starts(months, &calendar[i]))
				start = i;
		}
		check(start == 0, "the calendar begins with a year");
		check(starts_ok, "the next start, every day of 209 years");
		check(ends_ok, "the next end, every day of 209 years");
	}
}

static int
anniversaries_hold(TierPeriod period, int origin, int until)
{
	int			next = -1;		/* the first anniversary after the day */

	for (int i = until; i >= origin; i--)
	{
		int			here = is_anniversary(&calendar[origin], &calendar[i]);

		if (next >= 0)
		{
			if (period_start_after(period, i - epoch, origin - epoch) != next - epoch)
				return 0;
			/* An anniversary is itself the end; the day of origin is none. */
			if (period_end_from(period, i - epoch, origin - epoch) != (here ? i : next) - epoch)
				return 0;
		}
		if (here)
			next = i;
	}
	return 1;
}

static void
check_anniversaries(TierPeriod period)
{
	int			near_ok = 1;
	int			leap_ok = 1;

	for (int origin = 0; origin < n_days - 366 * 3; origin += 5)
		near_ok &= anniversaries_hold(period, origin, origin + 366 * 3);
	for (int origin = 0; origin < n_days; origin++)
		if (calendar[origin].month == 2 && calendar[origin].day >= 28 && calendar[origin].year % 3 == 0)
			leap_ok &= anniversaries_hold(period, origin, n_days - 1);
	check(near_ok, "anniversaries of the next three years");
	check(leap_ok, "anniversaries of the last days of February, to the end of the calendar");
}

/* The cases one would look up by hand. */
static void
check_by_hand(void)
{
	int32_t		leap = day_of(2020, 2, 29);

	check(day_of(2000, 1, 1) == 0 && day_of(1999, 12, 31) == -1, "days are counted from 2000-01-01");
	check(period_end_from(TIER_MONTH, day_of(2024, 2, 29), 0) == day_of(2024, 2, 29), "February ends on the 29th in leap years");
	check(period_end_from(TIER_MONTH, day_of(2024, 2, 28), 0) == day_of(2024, 2, 29), "and not on the 28th");
	check(period_end_from(TIER_MONTH, day_of(1900, 2, 28), 0) == day_of(1900, 2, 28), "1900 was no leap year");
	check(period_end_from(TIER_MONTH, day_of(2000, 2, 28), 0) == day_of(2000, 2, 29), "2000 was one");
	check(period_start_after(TIER_MONTH, day_of(2024, 12, 31), 0) == day_of(2025, 1, 1), "a month starts with the year");
	check(period_start_after(TIER_MONTH, day_of(2025, 1, 1), 0) == day_of(2025, 2, 1), "after a start comes the next one");
	check(period_end_from(TIER_QUARTER, day_of(2024, 4, 1), 0) == day_of(2024, 6, 30), "the second quarter ends in June");
	check(period_end_from(TIER_HALF_YEAR, day_of(2024, 7, 1), 0) == day_of(2024, 12, 31), "the second half-year ends with the year");
	check(period_start_after(TIER_HALF_YEAR, day_of(2024, 6, 30), 0) == day_of(2024, 7, 1), "and starts in July");
	check(period_end_from(TIER_TIER_ANNIVERSARY, leap + 1, leap) == day_of(2021, 2, 28), "29 February is kept on the 28th");
	check(period_end_from(TIER_TIER_ANNIVERSARY, day_of(2024, 2, 28), leap) == day_of(2024, 2, 29), "and on the 29th in leap years");
	check(period_start_after(TIER_MEMBERSHIP_ANNIVERSARY, day_of(2021, 2, 28), leap) == day_of(2022, 2, 28), "after an anniversary comes the next one");
	check(period_end_from(TIER_MEMBERSHIP_ANNIVERSARY, day_of(2024, 3, 1), day_of(2023, 3, 1)) == day_of(2024, 3, 1), "1 March stays 1 March");
}

int
main(void)
{
	write_calendar();
	check_calendar_periods();
	check_anniversaries(TIER_MEMBERSHIP_ANNIVERSARY);
	check_anniversaries(TIER_TIER_ANNIVERSARY);
	check_by_hand();
	printf("calendar: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
