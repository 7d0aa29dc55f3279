/*
 * zone.c
 *	  Whether a name is a time zone, asked of the server without an error to
 *	  catch: that would take a subtransaction, which no parallel worker may
 *	  start.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(is_time_zone);

/*
 * is_time_zone(zone text) -> boolean
 *
 * Names and POSIX rules.  Abbreviations that are no names (EDT) are refused:
 * half of the year they would name the wrong day.
 */
Datum
is_time_zone(PG_FUNCTION_ARGS)
{
	char *zone = text_to_cstring(PG_GETARG_TEXT_PP(0));
	pg_tz *tz;

	if (zone[0] == '\0' || strlen(zone) > TZ_STRLEN_MAX)
		PG_RETURN_BOOL(false);
	tz = pg_tzset(zone);
	PG_RETURN_BOOL(tz != NULL && pg_tz_acceptable(tz));
}
