/*
 * facts.c
 *	  What a program rates a customer by, from one reading of the history.
 *
 * facts() is what programs are compiled to.  All its columns have a fixed
 * length, and hardly any of a buyer's is NULL: so the row is written by copying
 * a struct, and each column is read at the price of an addition, where a numeric
 * before it would have to be walked over.  Amounts are whole numbers of
 * 10^-decimals there, and only whoever wants a numeric makes one.  features()
 * says the same in numerics.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/history.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include <math.h>

PG_FUNCTION_INFO_V1(history_facts);
PG_FUNCTION_INFO_V1(facts_revenue);
PG_FUNCTION_INFO_V1(facts_refunded);
PG_FUNCTION_INFO_V1(facts_average_order);
PG_FUNCTION_INFO_V1(refund_rate_of_amounts);
PG_FUNCTION_INFO_V1(history_features);
PG_FUNCTION_INFO_V1(history_growth);
PG_FUNCTION_INFO_V1(history_regularity);

/* Where there is no window, growth is that of a year. */
#define GROWTH_DAYS	365

/* btyd() in weeks. */
#define DAYS_PER_UNIT 7.0

/* Sums over the days of a history up to a day; amounts in units of 10^-scale. */
typedef struct Facts
{
	int			scale;
	int64		orders;
	int64		purchase_days;	/* days with an order */
	int32		first_day;		/* of the purchase days, if there are any */
	int32		last_day;
	amount128	revenue;		/* net of refunds */
	amount128	refunded;
	amount128	repeat_amount;	/* net amount of the purchase days but the first */
	int64		last_orders;	/* of the span of days that ends with the day */
	amount128	last;			/* net amount of that span */
	amount128	before;			/* net amount of as many days before */
} Facts;

/*
 * Read a history up to as_of, with spans of so many days.  Since the days rise,
 * a span's sum is what was added since it began.
 */
static void
facts_read(Facts *facts, const struct varlena *history, DateADT as_of, int32 span)
{
	HistoryReader reader;
	DayEntry	entry;
	int64		last_from = (int64) as_of - span + 1;
	int64		next_from = last_from - span;	/* the span that begins next */
	int64		orders_until_last = 0;
	amount128	until_before = 0;
	amount128	until_last = 0;
	bool		in_last = false;

	memset(facts, 0, sizeof(Facts));
	history_reader_init(&reader, history);
	facts->scale = reader.scale;
	while (history_reader_next(&reader, &entry) && entry.day <= as_of)
	{
		amount128	net = entry.gross - entry.refunded;

		if (unlikely(entry.day >= next_from))
		{
			if (next_from < last_from)
				until_before = facts->revenue;
			if (entry.day >= last_from)
			{
				in_last = true;
				until_last = facts->revenue;
				orders_until_last = facts->orders;
				next_from = PG_INT64_MAX;
			}
			else
				next_from = last_from;
		}
		if (entry.orders > 0)
		{
			if (facts->purchase_days == 0)
				facts->first_day = entry.day;
			else
				facts->repeat_amount = amount_sum(facts->repeat_amount, net, facts->scale);
			facts->last_day = entry.day;
			facts->purchase_days++;
			facts->orders = orders_add(facts->orders, entry.orders);
		}
		facts->revenue = amount_sum(facts->revenue, net, facts->scale);
		if (entry.refunded != 0)
			facts->refunded = amount_sum(facts->refunded, entry.refunded, facts->scale);
	}

	if (next_from < last_from)
		until_before = facts->revenue;
	if (!in_last)
	{
		until_last = facts->revenue;
		orders_until_last = facts->orders;
	}
	facts->last_orders = facts->orders - orders_until_last;
	facts->last = amount_sum(facts->revenue, -until_last, facts->scale);
	facts->before = amount_sum(until_last, -until_before, facts->scale);
}

/* The days of a window, of which NULL is all of them: 0. */
static int32
window_argument(FunctionCallInfo fcinfo, int argument)
{
	int32		days;

	if (PG_ARGISNULL(argument))
		return 0;
	days = PG_GETARG_INT32(argument);
	if (days < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("window_days must be at least 1, not %d", days)));
	return days;
}

/* Refunds as a share of what all orders came to; false if that is nothing. */
static bool
refund_rate(const Facts *facts, float8 *rate)
{
	amount128	gross = amount_sum(facts->revenue, facts->refunded, facts->scale);

	if (gross == 0)
		return false;
	*rate = (float8) facts->refunded / (float8) gross;
	return true;
}

/*
 * The amount of the last span against that of the one before, (last - before) /
 * (last + before); what is below zero after refunds counts as nothing.  False
 * when both are nothing.
 */
static bool
growth(const Facts *facts, float8 *result)
{
	amount128	last = Max(facts->last, 0);
	amount128	before = Max(facts->before, 0);

	if (last == 0 && before == 0)
		return false;
	*result = ((float8) last - (float8) before) / ((float8) last + (float8) before);
	return true;
}

/*
 * A row of the type facts without a NULL, as it is stored: columns of fixed
 * length stand in a tuple as they stand in a struct, which is how the server
 * reads its own catalogs.
 */
typedef struct FactsRow
{
	int64		orders;
	float8		frequency;
	float8		monetary;
	bool		is_known;
	int32		decimals;
	int32		purchase_days;
	DateADT		first_day;
	DateADT		last_day;
	int32		recency_days;
	float8		repeats;
	float8		last_at;
	float8		age;
	float8		repeat_mean;
	int64		revenue;
	int64		refunded;
	float8		refund_rate;
	float8		trend;
} FactsRow;

/* Up to the end of the last column: what the struct is filled up with does not count. */
#define FACTS_ROW_SIZE	(offsetof(FactsRow, trend) + sizeof(float8))

/* Columns, numbered as in the type. */
#define ORDERS		0
#define DECIMALS	4
#define FIRST_DAY	6
#define REPEAT_MEAN	12
#define REVENUE		13
#define REFUNDED	14
#define REFUND_RATE	15
#define TREND		16
#define FACTS_COLUMNS 17

/* Columns of the type features. */
#define FEATURES_COLUMNS 11

/* What a call site keeps: its row type, and a row without a NULL to be written over. */
typedef struct FactsCall
{
	TupleDesc	desc;
	HeapTupleHeader blank;
} FactsCall;

static const FactsCall *
facts_call(FunctionCallInfo fcinfo)
{
	FactsCall  *call = (FactsCall *) fcinfo->flinfo->fn_extra;

	if (call == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		Datum		value[FACTS_COLUMNS] = {0};
		bool		isnull[FACTS_COLUMNS] = {false};

		call = palloc(sizeof(FactsCall));
		call->desc = find_row_type(fcinfo);
		if (call->desc->natts != FACTS_COLUMNS)
			elog(ERROR, "facts does not return its row");
		call->blank = DatumGetHeapTupleHeader(HeapTupleGetDatum(heap_form_tuple(call->desc, value, isnull)));
		if (HeapTupleHeaderGetDatumLength(call->blank) != call->blank->t_hoff + FACTS_ROW_SIZE)
			elog(ERROR, "facts has columns of another length");
		fcinfo->flinfo->fn_extra = call;
		MemoryContextSwitchTo(old);
	}
	return call;
}

/* The row as a value; nulls has a bit for each column that is NULL. */
static Datum
facts_datum(const FactsCall *call, const FactsRow *row, uint32 nulls)
{
	Size		length = HeapTupleHeaderGetDatumLength(call->blank);
	HeapTupleHeader header = palloc(length);
	HeapTupleData tuple = {0};
	Datum		value[FACTS_COLUMNS];
	bool		isnull[FACTS_COLUMNS];

	memcpy(header, call->blank, call->blank->t_hoff);
	memcpy((char *) header + header->t_hoff, row, FACTS_ROW_SIZE);
	if (likely(nulls == 0))
		return HeapTupleHeaderGetDatum(header);

	tuple.t_len = length;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, call->desc, value, isnull);
	for (int i = 0; i < FACTS_COLUMNS; i++)
		isnull[i] = (nulls & (uint32) 1 << i) != 0;
	return HeapTupleGetDatum(heap_form_tuple(call->desc, value, isnull));
}

/* An amount in a bigint; what does not fit is NULL. */
static int64
units_or_null(amount128 units, int column, uint32 *nulls)
{
	if (units <= PG_INT64_MAX && units >= PG_INT64_MIN)
		return (int64) units;
	*nulls |= (uint32) 1 << column;
	return 0;
}

/*
 * facts(history, as_of, window_days, average) -> what a program rates by, as of
 * a day; NULL for no history.  Frequency and monetary value are those of the
 * window, the window_days days that end with as_of, or of everything; with
 * "average", monetary is what an order came to there, else the revenue.
 */
Datum
history_facts(PG_FUNCTION_ARGS)
{
	const FactsCall *call = facts_call(fcinfo);
	DateADT		as_of;
	int32		window;
	Facts		facts;
	int64		orders;
	amount128	amount;
	FactsRow	row;
	uint32		nulls = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	as_of = PG_GETARG_DATEADT(1);
	check_as_of(as_of);
	window = window_argument(fcinfo, 2);
	facts_read(&facts, PG_GETARG_HISTORY(0), as_of, window > 0 ? window : GROWTH_DAYS);

	memset(&row, 0, sizeof(row));
	orders = window > 0 ? facts.last_orders : facts.orders;
	amount = window > 0 ? facts.last : facts.revenue;
	if (!PG_GETARG_BOOL(3))
		row.monetary = amount_to_float8(amount, facts.scale);
	else if (orders > 0)
		row.monetary = numeric_to_float8((struct varlena *)
										 DatumGetPointer(average_order(amount, facts.scale, orders)));
	row.orders = facts.orders;
	row.frequency = (float8) orders;
	row.is_known = facts.orders > 0 || facts.refunded != 0;
	row.decimals = facts.scale;
	row.purchase_days = (int32) facts.purchase_days;
	if (facts.purchase_days > 0)
	{
		row.first_day = facts.first_day;
		row.last_day = facts.last_day;
		row.recency_days = as_of - facts.last_day;
		row.repeats = (float8) (facts.purchase_days - 1);
		row.last_at = ((float8) facts.last_day - facts.first_day) / DAYS_PER_UNIT;
		row.age = ((float8) as_of - facts.first_day) / DAYS_PER_UNIT;
		if (facts.purchase_days > 1)
			row.repeat_mean = (float8) facts.repeat_amount /
				(row.repeats * (float8) power_of_ten[facts.scale]);
	}
	else
		for (int i = FIRST_DAY; i <= REPEAT_MEAN; i++)
			nulls |= (uint32) 1 << i;
	row.revenue = units_or_null(facts.revenue, REVENUE, &nulls);
	row.refunded = units_or_null(facts.refunded, REFUNDED, &nulls);
	if (!refund_rate(&facts, &row.refund_rate))
		nulls |= (uint32) 1 << REFUND_RATE;
	if (!growth(&facts, &row.trend))
		nulls |= (uint32) 1 << TREND;
	PG_RETURN_DATUM(facts_datum(call, &row, nulls));
}

/* ---- what is made of the row only where somebody wants it ---- */

/* The amounts of a row of facts, and the orders they are of. */
typedef struct FactsAmounts
{
	int64		orders;
	int32		decimals;
	int64		units;			/* of revenue or refunded */
} FactsAmounts;

/* Read one of the amounts of a row, which anybody may have made up; false if it is NULL. */
static bool
read_amounts(FactsAmounts *amounts, HeapTupleHeader header, int column)
{
	if (!(header->t_infomask & HEAP_HASNULL) &&
		HeapTupleHeaderGetDatumLength(header) == header->t_hoff + FACTS_ROW_SIZE)
	{
		FactsRow	row;

		memcpy(&row, (char *) header + header->t_hoff, FACTS_ROW_SIZE);
		amounts->orders = row.orders;
		amounts->decimals = row.decimals;
		amounts->units = column == REVENUE ? row.revenue : row.refunded;
	}
	else
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
												  HeapTupleHeaderGetTypMod(header));
		HeapTupleData tuple = {0};
		Datum		value[FACTS_COLUMNS];
		bool		isnull[FACTS_COLUMNS];

		if (desc->natts != FACTS_COLUMNS)
			elog(ERROR, "a row of facts has %d columns", desc->natts);
		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		tuple.t_data = header;
		heap_deform_tuple(&tuple, desc, value, isnull);
		ReleaseTupleDesc(desc);
		if (isnull[ORDERS] || isnull[DECIMALS] || isnull[column])
			return false;
		amounts->orders = DatumGetInt64(value[ORDERS]);
		amounts->decimals = DatumGetInt32(value[DECIMALS]);
		amounts->units = DatumGetInt64(value[column]);
	}
	if (amounts->decimals < 0 || amounts->decimals > HISTORY_MAX_SCALE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("facts must have 0 to %d decimals, not %d", HISTORY_MAX_SCALE,
						amounts->decimals)));
	return true;
}

/* facts_revenue(f), facts_refunded(f) -> numeric; NULL when no bigint holds it. */
Datum
facts_revenue(PG_FUNCTION_ARGS)
{
	FactsAmounts amounts;

	if (!read_amounts(&amounts, PG_GETARG_HEAPTUPLEHEADER(0), REVENUE))
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(amount_to_numeric(amounts.units, amounts.decimals));
}

Datum
facts_refunded(PG_FUNCTION_ARGS)
{
	FactsAmounts amounts;

	if (!read_amounts(&amounts, PG_GETARG_HEAPTUPLEHEADER(0), REFUNDED))
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(amount_to_numeric(amounts.units, amounts.decimals));
}

/* facts_average_order(f) -> numeric: revenue / orders; NULL without an order, too. */
Datum
facts_average_order(PG_FUNCTION_ARGS)
{
	FactsAmounts amounts;

	if (!read_amounts(&amounts, PG_GETARG_HEAPTUPLEHEADER(0), REVENUE) || amounts.orders <= 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(average_order(amounts.units, amounts.decimals, amounts.orders));
}

/* An argument that is an amount as features() gives it. */
static Amount
amount_argument(FunctionCallInfo fcinfo, int argument)
{
	Amount		amount;

	if (amount_from_numeric((struct varlena *) PG_GETARG_VARLENA_PP(argument), &amount) != AMOUNT_OK)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("an amount is not one of a purchase history")));
	return amount;
}

/* An amount in units of 10^-scale; what is smaller is cut off. */
static amount128
amount_units(Amount amount, int scale)
{
	if (amount.scale <= scale)
		return amount_rescale(amount.units, amount.scale, scale);
	return amount.units / power_of_ten[amount.scale - scale];
}

/*
 * refund_rate(revenue, refunded) -> float8: of amounts that features() gave,
 * which have the decimals of their history, the refund rate that it gave.
 * Error: numeric_value_out_of_range for amounts no history has.
 */
Datum
refund_rate_of_amounts(PG_FUNCTION_ARGS)
{
	Amount		revenue = amount_argument(fcinfo, 0);
	Amount		refunded = amount_argument(fcinfo, 1);
	Facts		facts = {.scale = revenue.scale, .revenue = revenue.units};
	float8		rate;

	if (refunded.units != 0)
	{
		facts.scale = Min(DatumGetInt32(DirectFunctionCall1(numeric_scale, PG_GETARG_DATUM(1))), HISTORY_MAX_SCALE);
		facts.revenue = amount_units(revenue, facts.scale);
		facts.refunded = amount_units(refunded, facts.scale);
	}
	if (!refund_rate(&facts, &rate))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(rate);
}

/*
 * features(history, as_of, window_days) -> the same for reading.  The window is
 * the window_days days that end with as_of; NULL means everything.
 */
Datum
history_features(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = call_row_type(fcinfo);
	DateADT		as_of;
	int32		window;
	Facts		facts;
	float8		rate;
	Datum		value[FEATURES_COLUMNS] = {0};
	bool		isnull[FEATURES_COLUMNS] = {false};

	if (desc->natts != FEATURES_COLUMNS)
		elog(ERROR, "features has %d columns", desc->natts);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	as_of = PG_GETARG_DATEADT(1);
	check_as_of(as_of);
	window = window_argument(fcinfo, 2);
	facts_read(&facts, PG_GETARG_HISTORY(0), as_of, window > 0 ? window : GROWTH_DAYS);

	isnull[0] = isnull[1] = isnull[2] = isnull[9] = facts.orders == 0;
	value[3] = Int32GetDatum((int32) facts.purchase_days);
	value[4] = Int64GetDatum(facts.orders);
	value[5] = Int64GetDatum(window > 0 ? facts.last_orders : facts.orders);
	isnull[6] = !refund_rate(&facts, &rate);
	if (!isnull[6])
		value[6] = Float8GetDatum(rate);
	value[7] = NumericGetDatum(amount_to_numeric(facts.revenue, facts.scale));
	value[8] = NumericGetDatum(amount_to_numeric(facts.refunded, facts.scale));
	if (facts.orders > 0)
	{
		value[0] = DateADTGetDatum(facts.first_day);
		value[1] = DateADTGetDatum(facts.last_day);
		value[2] = Int32GetDatum(as_of - facts.last_day);
		value[9] = average_order(facts.revenue, facts.scale, facts.orders);
	}
	value[10] = NumericGetDatum(amount_to_numeric(window > 0 ? facts.last : facts.revenue, facts.scale));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, value, isnull)));
}

/*
 * growth(history, as_of, days): the revenue of the days that end with as_of
 * against that of as many days before, -1 .. 1; NULL when both are nothing.
 */
Datum
history_growth(PG_FUNCTION_ARGS)
{
	DateADT		as_of = PG_GETARG_DATEADT(1);
	int32		days = PG_GETARG_INT32(2);
	Facts		facts;
	float8		result;

	check_as_of(as_of);
	if (days < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a window must have at least 1 day, not %d", days)));
	facts_read(&facts, PG_GETARG_HISTORY(0), as_of, days);
	if (!growth(&facts, &result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}

/*
 * regularity(history, as_of): the geometric over the arithmetic mean of the
 * times between purchase days, 0 .. 1; NULL below two such times.
 */
Datum
history_regularity(PG_FUNCTION_ARGS)
{
	DateADT		as_of = PG_GETARG_DATEADT(1);
	HistoryReader reader;
	DayEntry	entry;
	int64		purchase_days = 0;
	int32		first_day = 0;
	int32		last_day = 0;
	float8		litt = 0;		/* sum of the logarithms, as btyd() has it */
	float8		repeats;

	check_as_of(as_of);
	history_reader_init(&reader, PG_GETARG_HISTORY(0));
	while (history_reader_next(&reader, &entry) && entry.day <= as_of)
	{
		if (entry.orders == 0)
			continue;
		if (purchase_days == 0)
			first_day = entry.day;
		else
			litt += log(((float8) entry.day - last_day) / DAYS_PER_UNIT);
		last_day = entry.day;
		purchase_days++;
	}

	if (purchase_days < 3)
		PG_RETURN_NULL();
	repeats = (float8) (purchase_days - 1);
	PG_RETURN_FLOAT8(exp(litt / repeats) /
					 (((float8) last_day - first_day) / DAYS_PER_UNIT / repeats));
}
