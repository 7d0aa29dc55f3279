/*
 * history_sql.c
 *	  What one can ask of a purchase history.
 *
 * Most functions come in two forms: of the whole history, and as of a day,
 * which then is the last day that counts.  A history without an order has
 * 0 orders, 0 revenue, and neither a first nor a last day.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/history.h"
#include "utils/builtins.h"

#include <math.h>

PG_FUNCTION_INFO_V1(history_orders);
PG_FUNCTION_INFO_V1(history_purchase_days);
PG_FUNCTION_INFO_V1(history_revenue);
PG_FUNCTION_INFO_V1(history_refunded);
PG_FUNCTION_INFO_V1(history_first_day);
PG_FUNCTION_INFO_V1(history_last_day);
PG_FUNCTION_INFO_V1(history_goes_beyond);
PG_FUNCTION_INFO_V1(history_through);
PG_FUNCTION_INFO_V1(history_within);
PG_FUNCTION_INFO_V1(history_add);
PG_FUNCTION_INFO_V1(history_days);
PG_FUNCTION_INFO_V1(history_rfm);
PG_FUNCTION_INFO_V1(history_btyd);

/* Sums over the days of a history. */
typedef struct HistorySums
{
	int64		orders;
	int64		purchase_days;	/* days with an order */
	amount128	revenue;		/* net of refunds, in units of 10^-scale */
	amount128	refunded;
	int32		first_day;		/* of the purchase days, if there are any */
	int32		last_day;
	int			scale;
} HistorySums;

static void
sums_add(HistorySums *sums, const DayEntry *entry)
{
	if (entry->orders > 0)
	{
		if (sums->purchase_days == 0)
			sums->first_day = entry->day;
		sums->last_day = entry->day;
		sums->purchase_days++;
		sums->orders = orders_add(sums->orders, entry->orders);
	}
	sums->revenue = amount_sum(sums->revenue, entry->gross - entry->refunded, sums->scale);
	if (entry->refunded != 0)
		sums->refunded = amount_sum(sums->refunded, entry->refunded, sums->scale);
}

/* Sum the days from "from" through "to". */
static HistorySums
history_sums(const struct varlena *history, int32 from, int32 to)
{
	HistorySums sums = {0};
	HistoryReader reader;
	DayEntry	entry;

	history_reader_init(&reader, history);
	sums.scale = reader.scale;
	while (history_reader_next(&reader, &entry) && entry.day <= to)
	{
		if (entry.day >= from)
			sums_add(&sums, &entry);
	}
	return sums;
}

/* The sums that an accessor wants: of everything, or as of its second argument. */
static HistorySums
sums_for_call(FunctionCallInfo fcinfo)
{
	return history_sums(PG_GETARG_HISTORY(0), PG_INT32_MIN,
						PG_NARGS() > 1 ? PG_GETARG_DATEADT(1) : PG_INT32_MAX);
}

Datum
history_orders(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(sums_for_call(fcinfo).orders);
}

Datum
history_purchase_days(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) sums_for_call(fcinfo).purchase_days);
}

Datum
history_revenue(PG_FUNCTION_ARGS)
{
	HistorySums sums = sums_for_call(fcinfo);

	PG_RETURN_NUMERIC(amount_to_numeric(sums.revenue, sums.scale));
}

Datum
history_refunded(PG_FUNCTION_ARGS)
{
	HistorySums sums = sums_for_call(fcinfo);

	PG_RETURN_NUMERIC(amount_to_numeric(sums.refunded, sums.scale));
}

Datum
history_first_day(PG_FUNCTION_ARGS)
{
	HistorySums sums = sums_for_call(fcinfo);

	if (sums.purchase_days == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(sums.first_day);
}

Datum
history_last_day(PG_FUNCTION_ARGS)
{
	HistorySums sums = sums_for_call(fcinfo);

	if (sums.purchase_days == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(sums.last_day);
}

/* goes_beyond(history, day): whether anything, also a refund, is of a later day. */
Datum
history_goes_beyond(PG_FUNCTION_ARGS)
{
	DateADT		day = PG_GETARG_DATEADT(1);
	HistoryReader reader;
	DayEntry	entry;

	history_reader_init(&reader, PG_GETARG_HISTORY(0));
	while (history_reader_next(&reader, &entry))
		if (entry.day > day)
			PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(false);
}

/* ---- parts and sums of histories ---- */

static Datum
history_between(const struct varlena *history, int32 from, int32 to)
{
	HistoryReader reader;
	DayEntry	entry;
	DayList		list;

	history_reader_init(&reader, history);
	day_list_init(&list, reader.scale);
	while (history_reader_next(&reader, &entry) && entry.day <= to)
	{
		if (entry.day >= from)
			*day_list_append(&list) = entry;
	}
	return PointerGetDatum(history_from_days(&list));
}

Datum
history_through(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(history_between(PG_GETARG_HISTORY(0), PG_INT32_MIN,
									PG_GETARG_DATEADT(1)));
}

Datum
history_within(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(history_between(PG_GETARG_HISTORY(0), PG_GETARG_DATEADT(1),
									PG_GETARG_DATEADT(2)));
}

Datum
history_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(history_merge(PG_GETARG_HISTORY(0), PG_GETARG_HISTORY(1)));
}

/* ---- rows ---- */

/* Ensure that a day can be counted from. */
void
check_as_of(DateADT as_of)
{
	if (DATE_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be a finite day, not %s",
						DATE_IS_NOBEGIN(as_of) ? "-infinity" : "infinity"),
				 errhint("Give the last day that counts, e.g. date '2024-12-31'.")));
}

/* A count as an integer. */
static Datum
count_datum(int64 count)
{
	if (count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of orders " INT64_FORMAT " is out of range for type integer", count)));
	return Int32GetDatum((int32) count);
}

/*
 * days(history) -> setof (day, orders, amount): the map itself, in rising order
 * of days.  amount is net of that day's refunds.
 */
Datum
history_days(PG_FUNCTION_ARGS)
{
	typedef struct DaysState
	{
		HistoryReader reader;
		TupleDesc	desc;
	} DaysState;
	FuncCallContext *call;
	DaysState  *state;
	DayEntry	entry;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		state = palloc(sizeof(DaysState));
		history_reader_init(&state->reader,
							(struct varlena *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)));
		if (get_call_result_type(fcinfo, NULL, &state->desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		state->desc = BlessTupleDesc(state->desc);
		call->user_fctx = state;
		MemoryContextSwitchTo(old);
	}

	call = SRF_PERCALL_SETUP();
	state = call->user_fctx;
	if (history_reader_next(&state->reader, &entry))
	{
		Datum		value[3];
		bool		isnull[3] = {false, false, false};

		value[0] = DateADTGetDatum(entry.day);
		value[1] = count_datum(entry.orders);
		value[2] = NumericGetDatum(amount_to_numeric(entry.gross - entry.refunded,
													 state->reader.scale));
		SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(state->desc, value, isnull)));
	}
	SRF_RETURN_DONE(call);
}

/*
 * rfm(history, as_of) -> (recency, frequency, monetary, average_order):
 * days since the last purchase day, orders, revenue, and revenue an order.
 * Without an order, recency and average_order are NULL.
 */
Datum
history_rfm(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = call_row_type(fcinfo);
	DateADT		as_of = PG_GETARG_DATEADT(1);
	HistorySums sums;
	Datum		value[4] = {0};
	bool		isnull[4] = {false, false, false, false};

	check_as_of(as_of);
	sums = history_sums(PG_GETARG_HISTORY(0), PG_INT32_MIN, as_of);
	isnull[0] = isnull[3] = sums.orders == 0;
	value[1] = count_datum(sums.orders);
	value[2] = NumericGetDatum(amount_to_numeric(sums.revenue, sums.scale));
	if (sums.orders > 0)
	{
		value[0] = Int32GetDatum(as_of - sums.last_day);
		value[3] = average_order(sums.revenue, sums.scale, sums.orders);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, isnull)));
}

/*
 * btyd(history, as_of, days_per_unit) -> (frequency, recency, age, monetary,
 * litt): the summary that buy-till-you-die models are fitted on.
 *
 * With purchase days d0 < d1 < ... < dx up to as_of and time in units of
 * days_per_unit days: frequency x, recency dx - d0, age as_of - d0, monetary
 * the mean net amount of d1 .. dx (0 when x = 0), and litt the sum of
 * ln(di - d(i-1)), which is what Erlang-k timing needs (Platzer & Reutterer
 * 2016, "Ticking away the moments").  All NULL without a purchase day.
 */
Datum
history_btyd(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = call_row_type(fcinfo);
	DateADT		as_of = PG_GETARG_DATEADT(1);
	float8		unit = PG_GETARG_FLOAT8(2);
	HistoryReader reader;
	DayEntry	entry;
	Datum		value[5] = {0};
	bool		isnull[5] = {true, true, true, true, true};
	int64		purchase_days = 0;
	int32		first_day = 0;
	int32		last_day = 0;
	amount128	repeat_amount = 0;
	float8		litt = 0;

	check_as_of(as_of);
	if (!(unit > 0) || isinf(unit))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("days_per_unit must be a positive number, not %g", unit),
				 errhint("Use 1 for days, 7 for weeks, 30.4375 for months.")));

	history_reader_init(&reader, PG_GETARG_HISTORY(0));
	while (history_reader_next(&reader, &entry) && entry.day <= as_of)
	{
		if (entry.orders == 0)
			continue;
		if (purchase_days == 0)
			first_day = entry.day;
		else
		{
			repeat_amount = amount_sum(repeat_amount, entry.gross - entry.refunded,
									   reader.scale);
			litt += log(((float8) entry.day - last_day) / unit);
		}
		last_day = entry.day;
		purchase_days++;
	}

	if (purchase_days > 0)
	{
		float8		frequency = (float8) (purchase_days - 1);

		memset(isnull, false, sizeof(isnull));
		value[0] = Float8GetDatum(frequency);
		value[1] = Float8GetDatum(((float8) last_day - first_day) / unit);
		value[2] = Float8GetDatum(((float8) as_of - first_day) / unit);
		value[3] = Float8GetDatum(purchase_days == 1 ? 0 :
								  (float8) repeat_amount /
								  (frequency * (float8) power_of_ten[reader.scale]));
		value[4] = Float8GetDatum(litt);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, isnull)));
}
