/*
 * history_agg.h
 *	  How an aggregate's call site reads its rows: days and amounts in any of
 *	  the types that purchases() takes.
 */
#ifndef HISTORY_AGG_H
#define HISTORY_AGG_H

#include "history/history.h"
#include "pgtime.h"
#include "utils/timestamp.h"

/* What one row's day or amount turned out to be. */
typedef enum RowStatus
{
	ROW_OK,
	ROW_BAD						/* only where bad rows are counted */
} RowStatus;

/* A stretch of time through which a zone's offset from UTC is the same. */
typedef struct OffsetSpan
{
	TimestampTz from;
	TimestampTz to;				/* exclusive */
	int64		offset;			/* microseconds east of UTC */
} OffsetSpan;

#define OFFSET_SPANS	8

/* Kept in fn_extra: the argument types, and what is known of the time zone. */
typedef struct RowReader
{
	Oid			day_type;
	Oid			amount_type;
	bool		lenient;		/* report bad rows instead of raising errors */
	bool		decimals_fit;	/* no numeric has more decimals than an Amount */

	text	   *zone_name;		/* the zone argument seen last */
	pg_tz	   *zone;
	int			spans;
	int			next_span;		/* to be overwritten next */
	int			last_span;		/* of the time seen last */
	OffsetSpan	span[OFFSET_SPANS];
} RowReader;

extern RowReader *row_reader_get(FunctionCallInfo fcinfo, bool lenient);
extern void row_reader_set_zone(RowReader *reader, text *name, MemoryContext context);
extern RowStatus row_reader_day(RowReader *reader, Datum value, int32 *day);
extern RowStatus row_reader_argument_day(RowReader *reader, FunctionCallInfo fcinfo, int32 *day);
extern RowStatus row_reader_instant(RowReader *reader, Datum value, int64 *instant);
extern RowStatus row_reader_instant_day(RowReader *reader, int64 instant, int32 *day);
extern RowStatus row_reader_amount(RowReader *reader, Datum value, Amount *amount);
extern bool row_reader_decimals_fit(int32 typmod);
extern RowStatus row_reader_line_amount(RowReader *reader, Datum value, Amount *amount,
										Numeric *number);

#endif							/* HISTORY_AGG_H */
