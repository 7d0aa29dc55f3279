/*
 * bulk_margin.c
 *	  What a row of the bulk builder's source earns: amount times margin.
 *
 * The product is exact, and rounded as an amount.  It is made of integers where
 * both fit 64 bits, as nearly always, else of numerics.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "history/bulk.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* What is beyond that earns nothing: the whole part of AMOUNT_MAX_TEXT. */
#define EARNING_MAX_TEXT	"170141183460469231731687303715884"

static Numeric
make_number(const char *text)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static inline bool
is_between(Numeric number, Numeric least, Numeric most)
{
	return DatumGetBool(DirectFunctionCall2(numeric_ge, NumericGetDatum(number), NumericGetDatum(least))) &&
		DatumGetBool(DirectFunctionCall2(numeric_le, NumericGetDatum(number), NumericGetDatum(most)));
}

/* Is it -1 to 1? */
static inline bool
is_margin(const BulkMargin *margin, const Amount *value, Numeric number)
{
	if (unlikely(number != NULL))
		return is_between(number, margin->least, margin->most);
	return value->units >= -power_of_ten[value->scale] && value->units <= power_of_ten[value->scale];
}

/* Margins of this type; rows without one have "otherwise". */
void
bulk_margin_init(BulkMargin *margin, Oid type, int32 typmod, Numeric otherwise, MemoryContext context)
{
	MemoryContext old_context = MemoryContextSwitchTo(context);
	RowReader	reader = {.amount_type = NUMERICOID, .lenient = true};

	memset(margin, 0, sizeof(BulkMargin));
	margin->reader.amount_type = type;
	margin->reader.decimals_fit = row_reader_decimals_fit(typmod);
	margin->reader.lenient = true;
	margin->most = make_number("1");
	margin->least = make_number("-1");
	margin->most_amount = make_number(EARNING_MAX_TEXT);
	margin->least_amount = make_number("-" EARNING_MAX_TEXT);
	if (row_reader_line_amount(&reader, NumericGetDatum(otherwise), &margin->otherwise,
							   &margin->otherwise_number) != ROW_OK ||
		!is_margin(margin, &margin->otherwise, margin->otherwise_number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not a margin",
						DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(otherwise)))),
				 errhint("Give a share of the amount from -1 to 1, such as 0.3.")));
	MemoryContextSwitchTo(old_context);
}

/* The product with all decimals, rounded half away from zero where there are too many. */
static inline void
multiply(const Amount *amount, const Amount *share, Amount *product)
{
	amount128	units = amount->units * share->units;
	int			scale = amount->scale + share->scale;

	if (scale > HISTORY_MAX_SCALE)
	{
		int64		divisor = power_of_ten[scale - HISTORY_MAX_SCALE];
		int64		half = divisor / 2;

		/* 64 bits divide several times as fast */
		if (likely(units <= PG_INT64_MAX - half && units >= PG_INT64_MIN + half))
			units = ((int64) units + (units < 0 ? -half : half)) / divisor;
		else
			units = (units + (units < 0 ? -half : half)) / divisor;
		scale = HISTORY_MAX_SCALE;
	}
	product->units = units;
	product->scale = scale;
}

/*
 * The amount of a row and what it earns.  A margin that there cannot be makes
 * the row a bad one.  Works in the current memory context, to be reset.
 */
void
bulk_margin_read(BulkMargin *margin, RowReader *amounts, Datum amount, Datum value, bool is_null,
				 BulkAmounts *result)
{
	Amount		share = margin->otherwise;
	Numeric		share_number = margin->otherwise_number;
	Numeric		number;
	Numeric		product;

	result->has_amount = result->has_profit = false;
	if (!is_null &&
		(row_reader_line_amount(&margin->reader, value, &share, &share_number) != ROW_OK ||
		 !is_margin(margin, &share, share_number)))
		return;
	if (row_reader_line_amount(amounts, amount, &result->amount, &number) != ROW_OK)
		return;
	result->has_amount = number == NULL ||
		row_reader_amount(amounts, amount, &result->amount) == ROW_OK;

	if (likely(number == NULL && share_number == NULL &&
			   result->amount.units <= PG_INT64_MAX && result->amount.units >= PG_INT64_MIN))
	{
		multiply(&result->amount, &share, &result->profit);
		result->has_profit = true;
		return;
	}
	if (number == NULL)
		number = amount_to_numeric(result->amount.units, result->amount.scale);
	if (!is_between(number, margin->least_amount, margin->most_amount))
		return;
	if (share_number == NULL)
		share_number = amount_to_numeric(share.units, share.scale);
	product = DatumGetNumeric(DirectFunctionCall2(numeric_mul, NumericGetDatum(number),
												  NumericGetDatum(share_number)));
	result->has_profit = amount_from_numeric((struct varlena *) product, &result->profit) == AMOUNT_OK;
}
