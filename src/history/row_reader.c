/*
 * row_reader.c
 *	  Reads the day and the amount of an order row for the aggregates.
 *
 * purchases() takes its day as date, timestamp, timestamptz with a time zone,
 * or text, and its amount as any of PostgreSQL's exact or binary numbers.  The
 * declared types of a call are looked up once and kept with the call site.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "history/history_agg.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Seconds from the Unix epoch to PostgreSQL's. */
#define EPOCH_SHIFT	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* The reader of this call site; made at its first row. */
RowReader *
row_reader_get(FunctionCallInfo fcinfo, bool lenient)
{
	RowReader  *reader = (RowReader *) fcinfo->flinfo->fn_extra;

	if (unlikely(reader == NULL))
	{
		reader = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(RowReader));
		reader->day_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
		reader->amount_type = get_fn_expr_argtype(fcinfo->flinfo, 2);
		reader->lenient = lenient;
		fcinfo->flinfo->fn_extra = reader;
	}
	return reader;
}

static RowStatus
bad_day(RowReader *reader, const char *value)
{
	if (reader->lenient)
		return ROW_BAD;
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("%s is not a day of purchase", value),
			 errhint("Leave such rows out, e.g. purchases(day, amount) FILTER (WHERE isfinite(day)).")));
	return ROW_BAD;				/* not reached */
}

static RowStatus
bad_amount(RowReader *reader, AmountStatus status, const char *value)
{
	if (reader->lenient)
		return ROW_BAD;
	if (status == AMOUNT_OUT_OF_RANGE)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s is out of range", value),
				 errdetail("The largest amount is " AMOUNT_MAX_TEXT ".")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s is not an amount", value),
			 errhint("Leave such rows out, e.g. purchases(day, amount) FILTER (WHERE amount <> '%s').", value)));
	return ROW_BAD;				/* not reached */
}

/*
 * A day written as YYYY-MM-DD (years of more than four digits, and " BC", as
 * PostgreSQL prints them).  Other styles depend on settings, and a time of day
 * would want a time zone: they are refused.
 */
static RowStatus
day_from_text(RowReader *reader, text *value, int32 *day)
{
	const char *p = VARDATA_ANY(value);
	const char *end = p + VARSIZE_ANY_EXHDR(value);
	int64		field[3] = {0, 0, 0};
	bool		good = true;

	for (int i = 0; i < 3 && good; i++)
	{
		const char *start = p;

		while (p < end && *p >= '0' && *p <= '9' && p - start < 7)
			field[i] = field[i] * 10 + (*p++ - '0');
		good = i == 0 ? p - start >= 4 : p - start == 2;
		if (i < 2)
			good = good && p < end && *p++ == '-';
	}
	if (good && end - p == 3 && memcmp(p, " BC", 3) == 0)
	{
		good = field[0] > 0;
		field[0] = 1 - field[0];
		p += 3;
	}
	else
		good = good && field[0] > 0;
	if (good && p == end && field[1] >= 1 && field[1] <= 12 && field[2] >= 1 &&
		field[2] <= day_tab[isleap(field[0])][field[1] - 1] &&
		IS_VALID_JULIAN(field[0], field[1], field[2]))
	{
		*day = date2j(field[0], field[1], field[2]) - POSTGRES_EPOCH_JDATE;
		return ROW_OK;
	}

	if (reader->lenient)
		return ROW_BAD;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
			 errmsg("\"%s\" is not a day of the form YYYY-MM-DD", text_to_cstring(value)),
			 errhint("Cast the text yourself, e.g. purchases(day::date, amount).")));
	return ROW_BAD;				/* not reached */
}

/* See times in the zone of this name from now on. */
void
row_reader_set_zone(RowReader *reader, text *name, MemoryContext context)
{
	char	   *cname = text_to_cstring(name);
	pg_tz	   *zone = strlen(cname) <= TZ_STRLEN_MAX ? pg_tzset(cname) : NULL;

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", cname),
				 errhint("Use a full name such as 'UTC' or 'Asia/Shanghai'; pg_timezone_names lists them.")));

	if (reader->zone_name != NULL)
		pfree(reader->zone_name);
	reader->zone_name = (text *) MemoryContextAlloc(context, VARSIZE_ANY(name));
	memcpy(reader->zone_name, name, VARSIZE_ANY(name));
	reader->zone = zone;
	reader->spans = 0;
	reader->next_span = 0;
	reader->last_span = 0;
	pfree(cname);
}

static inline bool
span_has(const OffsetSpan *span, TimestampTz at)
{
	return at >= span->from && at < span->to;
}

static inline int64
floor_div(int64 value, int64 divisor)
{
	int64		quotient = value / divisor;

	return value % divisor < 0 ? quotient - 1 : quotient;
}

/* Look up the zone's offset at a time, and keep it for what comes near. */
static int64
zone_find_offset(RowReader *reader, TimestampTz at)
{
	pg_time_t	seconds = floor_div(at, USECS_PER_SEC) + EPOCH_SHIFT;
	pg_time_t	change;
	OffsetSpan	found = {at, PG_INT64_MAX, 0};
	long		before;
	long		after;
	int			is_dst;
	int			is_dst_after;

	for (int i = 0; i < reader->spans; i++)
	{
		if (span_has(&reader->span[i], at))
		{
			reader->last_span = i;
			return reader->span[i].offset;
		}
	}

	switch (pg_next_dst_boundary(&seconds, &before, &is_dst, &change,
								 &after, &is_dst_after, reader->zone))
	{
		case 1:
			/* a change after the last timestamp there is does not matter */
			if (change - EPOCH_SHIFT <= PG_INT64_MAX / USECS_PER_SEC)
				found.to = (change - EPOCH_SHIFT) * USECS_PER_SEC;
			break;
		case 0:					/* no change any more */
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
	}
	found.offset = before * USECS_PER_SEC;

	/* An earlier time before the same change: the span reaches back to it. */
	for (int i = 0; i < reader->spans; i++)
	{
		OffsetSpan *span = &reader->span[i];

		if (span->to == found.to && span->offset == found.offset)
		{
			span->from = Min(span->from, found.from);
			reader->last_span = i;
			return span->offset;
		}
	}
	reader->last_span = reader->next_span;
	reader->span[reader->next_span] = found;
	reader->next_span = (reader->next_span + 1) % OFFSET_SPANS;
	reader->spans = Min(reader->spans + 1, OFFSET_SPANS);
	return found.offset;
}

/* The zone's offset at a time, in microseconds east of UTC. */
static inline int64
zone_offset(RowReader *reader, TimestampTz at)
{
	if (likely(reader->spans > 0 && span_has(&reader->span[reader->last_span], at)))
		return reader->span[reader->last_span].offset;
	return zone_find_offset(reader, at);
}

/* The day of a time; a timestamptz is seen in the zone that was set. */
RowStatus
row_reader_day(RowReader *reader, Datum value, int32 *day)
{
	switch (reader->day_type)
	{
		case DATEOID:
			{
				DateADT		date = DatumGetDateADT(value);

				if (unlikely(DATE_NOT_FINITE(date)))
					return bad_day(reader, date == DATEVAL_NOBEGIN ? "-infinity" : "infinity");
				*day = date;
				return ROW_OK;
			}
		case TIMESTAMPOID:
			{
				Timestamp	at = DatumGetTimestamp(value);

				if (unlikely(TIMESTAMP_NOT_FINITE(at)))
					return bad_day(reader, TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity");
				*day = (int32) floor_div(at, USECS_PER_DAY);
				return ROW_OK;
			}
		case TIMESTAMPTZOID:
			{
				TimestampTz at = DatumGetTimestampTz(value);

				if (unlikely(TIMESTAMP_NOT_FINITE(at)))
					return bad_day(reader, TIMESTAMP_IS_NOBEGIN(at) ? "-infinity" : "infinity");
				/* timestamps end eight days before 64 bits do */
				*day = (int32) floor_div(at + zone_offset(reader, at), USECS_PER_DAY);
				if (unlikely(!IS_VALID_DATE(*day)))
					return bad_day(reader, timestamptz_to_str(at));
				return ROW_OK;
			}
		case TEXTOID:
			return day_from_text(reader, DatumGetTextPP(value), day);
		default:
			elog(ERROR, "unexpected day type %u", reader->day_type);
	}
	return ROW_BAD;				/* not reached */
}

/*
 * What tells which of several times is the first one: a timestamp as it is, of
 * anything else the day.
 */
RowStatus
row_reader_instant(RowReader *reader, Datum value, int64 *instant)
{
	int32		day;
	RowStatus	status;

	if (reader->day_type == TIMESTAMPOID || reader->day_type == TIMESTAMPTZOID)
	{
		*instant = DatumGetTimestamp(value);
		if (unlikely(TIMESTAMP_NOT_FINITE(*instant)))
			return bad_day(reader, TIMESTAMP_IS_NOBEGIN(*instant) ? "-infinity" : "infinity");
		return ROW_OK;
	}
	status = row_reader_day(reader, value, &day);
	*instant = day;
	return status;
}

/* The day of what row_reader_instant() returned. */
RowStatus
row_reader_instant_day(RowReader *reader, int64 instant, int32 *day)
{
	if (reader->day_type == TIMESTAMPOID || reader->day_type == TIMESTAMPTZOID)
		return row_reader_day(reader, TimestampGetDatum(instant), day);
	*day = (int32) instant;
	return ROW_OK;
}

/*
 * The day of an aggregate's row: argument 1, and for timestamptz the zone in
 * argument 3.  Neither is NULL.
 */
RowStatus
row_reader_argument_day(RowReader *reader, FunctionCallInfo fcinfo, int32 *day)
{
	if (reader->day_type == TIMESTAMPTZOID)
	{
		text	   *name = PG_GETARG_TEXT_PP(3);

		if (unlikely(reader->zone_name == NULL ||
					 VARSIZE_ANY(name) != VARSIZE_ANY(reader->zone_name) ||
					 memcmp(name, reader->zone_name, VARSIZE_ANY(name)) != 0))
			row_reader_set_zone(reader, name, fcinfo->flinfo->fn_mcxt);
	}
	return row_reader_day(reader, PG_GETARG_DATUM(1), day);
}

/* The amount of a row. */
RowStatus
row_reader_amount(RowReader *reader, Datum value, Amount *amount)
{
	AmountStatus status = AMOUNT_OK;

	amount->scale = 0;
	switch (reader->amount_type)
	{
		case NUMERICOID:
			{
				struct varlena *number = (struct varlena *) DatumGetPointer(value);

				if (unlikely(VARATT_IS_COMPRESSED(number) || VARATT_IS_EXTERNAL(number)))
					number = PG_DETOAST_DATUM_PACKED(value);
				status = amount_from_numeric(number, amount);
				break;
			}
		case FLOAT8OID:
			status = amount_from_float8(DatumGetFloat8(value), amount);
			break;
		case INT8OID:
			amount->units = DatumGetInt64(value);
			break;
		case INT4OID:
			amount->units = DatumGetInt32(value);
			break;
		case INT2OID:
			amount->units = DatumGetInt16(value);
			break;
		default:
			elog(ERROR, "unexpected amount type %u", reader->amount_type);
	}
	if (unlikely(status != AMOUNT_OK))
	{
		Oid			output;
		bool		is_varlena;

		getTypeOutputInfo(reader->amount_type, &output, &is_varlena);
		return bad_amount(reader, status,
						  reader->lenient ? NULL : OidOutputFunctionCall(output, value));
	}
	return ROW_OK;
}

/* Does an Amount hold the decimals of every numeric of this typmod? */
bool
row_reader_decimals_fit(int32 typmod)
{
	/* the low 11 bits are the decimals, which may be negative from 15 on */
	return typmod >= (int32) VARHDRSZ &&
		(((typmod - (int32) VARHDRSZ) & 0x7ff) ^ 0x400) - 0x400 <= HISTORY_MAX_SCALE;
}

/*
 * The amount of a line, which is summed before it is rounded: "number" is the
 * amount where an Amount would round it or cannot hold it, else NULL.  Only
 * what is not finite is bad.
 */
RowStatus
row_reader_line_amount(RowReader *reader, Datum value, Amount *amount, Numeric *number)
{
	AmountStatus status;

	*number = NULL;
	if (reader->amount_type == NUMERICOID)
	{
		struct varlena *stored = PG_DETOAST_DATUM_PACKED(value);

		status = amount_from_numeric(stored, amount);
		if (status == AMOUNT_NAN || status == AMOUNT_INFINITE)
			return bad_amount(reader, status, "NaN or infinity");
		if (status != AMOUNT_OK ||
			(!reader->decimals_fit &&
			 DatumGetInt32(DirectFunctionCall1(numeric_min_scale, PointerGetDatum(stored))) > HISTORY_MAX_SCALE))
			*number = DatumGetNumericCopy(PointerGetDatum(stored));
	}
	else if (reader->amount_type == FLOAT8OID)
	{
		float8		binary = DatumGetFloat8(value);

		status = amount_from_float8(binary, amount);
		if (status == AMOUNT_NAN || status == AMOUNT_INFINITE)
			return bad_amount(reader, status, "NaN or infinity");
		/* with at most 15 digits it is the decimal that is shown */
		if (status != AMOUNT_OK || amount->units >= INT64CONST(1000000000000000) ||
			amount->units <= INT64CONST(-1000000000000000) ||
			(float8) (int64) amount->units / (float8) power_of_ten[amount->scale] != binary)
		{
			char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

			double_to_shortest_decimal_buf(binary, text);
			*number = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
														  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		}
	}
	else
		return row_reader_amount(reader, value, amount);
	return ROW_OK;
}
