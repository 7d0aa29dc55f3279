/*
 * amount.c
 *	  Amounts of money: from SQL's numbers to 128-bit decimal fixed point and
 *	  back.
 *
 * An amount has up to HISTORY_MAX_SCALE (6) decimals; more are rounded half
 * away from zero.  Nothing here goes through binary fractions, but what is
 * asked for as a double precision: the nearest one.
 */
#include "postgres.h"

#include "compat.h"

#include "common/shortest_dec.h"
#include "fmgr.h"
#include "history/history.h"
#include "numerics/decimal.h"
#include "utils/builtins.h"

#include <math.h>

PG_FUNCTION_INFO_V1(nearest_double);

/*
 * The bytes of a numeric, as numeric.c has written them since 9.1: a header of
 * one word (short form) or two, then the digits in base 10000, most significant
 * first, without leading or trailing zeros.  numeric.c keeps this to itself, so
 * numeric_layout_is_known() tries it out before we rely on it.
 */
#define NUMBER_SPECIAL			0xC000	/* all of these bits: NaN or infinity */
#define NUMBER_NAN				0xC000
#define NUMBER_SIGN_MASK		0xC000
#define NUMBER_NEGATIVE			0x4000
#define NUMBER_SHORT			0x8000
#define NUMBER_SHORT_NEGATIVE	0x2000
#define NUMBER_SHORT_WEIGHT_SIGN 0x0040
#define NUMBER_SHORT_WEIGHT_MASK 0x003F

#define NBASE					10000

static inline uint16
number_word(const uint8 *bytes, int index)
{
	uint16		word;

	memcpy(&word, bytes + index * sizeof(uint16), sizeof(uint16));
	return word;
}

/* Read the header of a numeric that is a number; "first" is the word of the first digit. */
static inline void
number_header(const uint8 *bytes, bool *negative, int *weight, int *first)
{
	uint16		header = number_word(bytes, 0);

	if (header & NUMBER_SHORT)
	{
		*negative = (header & NUMBER_SHORT_NEGATIVE) != 0;
		*weight = header & NUMBER_SHORT_WEIGHT_MASK;
		if (header & NUMBER_SHORT_WEIGHT_SIGN)
			*weight |= ~NUMBER_SHORT_WEIGHT_MASK;
		*first = 1;
	}
	else
	{
		*negative = (header & NUMBER_SIGN_MASK) == NUMBER_NEGATIVE;
		*weight = (int16) number_word(bytes, 1);
		*first = 2;
	}
}

/* Read the stored bytes of a numeric. */
static inline AmountStatus
number_read(const uint8 *bytes, int words, Amount *result)
{
	uint16		header = number_word(bytes, 0);
	bool		negative;
	int			weight;
	int			first;
	int			count;
	int			whole;
	uint64		value = 0;
	uamount128	wide;
	int			scale;

	if ((header & NUMBER_SPECIAL) == NUMBER_SPECIAL)
		return header == NUMBER_NAN ? AMOUNT_NAN : AMOUNT_INFINITE;

	number_header(bytes, &negative, &weight, &first);
	count = words - first;		/* digits there are */
	whole = weight + 1;			/* digits before the point, if positive */

	if (whole <= 3)
	{
		/* Below 10^12, so that 6 decimals fit 64 bits.  By far the most. */
		int			i = 0;

		for (; i < whole; i++)
			value = value * NBASE + (i < count ? number_word(bytes, first + i) : 0);

		if (count <= Max(whole, 0))
			scale = 0;
		else
		{
			/* The digits of weight -1 and -2; earlier ones may be zero. */
			uint16		d1 = weight >= -1 ? number_word(bytes, first + i) : 0;
			int			at2 = weight >= -1 ? i + 1 : 0;
			uint16		d2 = weight >= -2 && at2 < count ? number_word(bytes, first + at2) : 0;

			if (d2 == 0 && d1 % 100 == 0)
			{
				value = value * 100 + d1 / 100;
				scale = 2;
			}
			else if (d2 == 0)
			{
				value = value * 10000 + d1;
				scale = 4;
			}
			else
			{
				value = value * 1000000 + d1 * 100 + d2 / 100 + (d2 % 100 >= 50);
				scale = 6;
			}
		}
		result->units = negative ? -(int64) value : (int64) value;
		result->scale = scale;
		return AMOUNT_OK;
	}

	/* A large one: the same in 128 bits, always with 6 decimals. */
	wide = 0;
	for (int i = 0; i < whole + 2; i++)
	{
		unsigned	digit = i < count ? number_word(bytes, first + i) : 0;
		unsigned	base = NBASE;

		if (i == whole + 1)
		{
			digit = digit / 100 + (digit % 100 >= 50);
			base = 100;
		}
		if (wide > ((uamount128) AMOUNT128_MAX - digit) / base)
			return AMOUNT_OUT_OF_RANGE;
		wide = wide * base + digit;
	}
	result->units = negative ? -(amount128) wide : (amount128) wide;
	result->scale = HISTORY_MAX_SCALE;
	return AMOUNT_OK;
}

/*
 * Does this server keep its numerics the way number_read expects?  Tried out on
 * numbers of every shape, once a session; if not, amounts take the slow path
 * through text, with the same results.
 */
static bool
numeric_layout_is_known(void)
{
	static const char *const samples[] = {
		"0", "1", "-1", "9999", "10000", "-10000", "12.34", "-12.3", "0.5",
		"0.0001", "-0.000001", "0.0000005", "0.00000049", "-123456789.987654",
		"999999999999.999999", "1000000000000", "-12345678901234567890.123456",
		"100000000", "0.00010001", "1e-20", "1e29", "NaN",
#if PG_VERSION_NUM >= 140000
		"Infinity", "-Infinity",
#endif
	};
	static int	known = -1;		/* not tried yet */

	if (known >= 0)
		return known;

	known = true;
	for (int i = 0; known && i < (int) lengthof(samples); i++)
	{
		Datum		number = DirectFunctionCall3(numeric_in, CStringGetDatum(samples[i]),
												 ObjectIdGetDatum(InvalidOid),
												 Int32GetDatum(-1));
		struct varlena *stored = (struct varlena *) DatumGetPointer(number);
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, number));
		Amount		read = {0, 0};
		Amount		expected = {0, 0};
		AmountStatus status;

		status = number_read((uint8 *) VARDATA(stored),
							 (VARSIZE(stored) - VARHDRSZ) / sizeof(uint16), &read);
		if (status != amount_from_text(text, strlen(text), &expected) ||
			(status == AMOUNT_OK &&
			 amount_rescale(read.units, read.scale, HISTORY_MAX_SCALE) !=
			 amount_rescale(expected.units, expected.scale, HISTORY_MAX_SCALE)))
			known = false;
		pfree(text);
		pfree(stored);
	}
	return known;
}

/* The amount of a numeric, packed or not. */
AmountStatus
amount_from_numeric(struct varlena *number, Amount *result)
{
	if (likely(numeric_layout_is_known()))
		return number_read((uint8 *) VARDATA_ANY(number),
						   VARSIZE_ANY_EXHDR(number) / sizeof(uint16), result);
	else
	{
		Datum		whole = PointerGetDatum(PG_DETOAST_DATUM(PointerGetDatum(number)));
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, whole));
		AmountStatus status = amount_from_text(text, strlen(text), result);

		pfree(text);
		return status;
	}
}

/*
 * The amount of a double precision: the decimal that PostgreSQL shows for it,
 * which is the shortest one that reads back as the same double.
 */
AmountStatus
amount_from_float8(float8 value, Amount *result)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isnan(value))
		return AMOUNT_NAN;
	if (isinf(value))
		return AMOUNT_INFINITE;

	/*
	 * With at most 15 digits in all, a decimal that divides back to the same
	 * double is the shortest one.
	 */
	for (int scale = 0; scale <= HISTORY_MAX_SCALE; scale += 2)
	{
		float8		scaled = value * (float8) power_of_ten[scale];
		float8		units = rint(scaled);

		if (fabs(units) >= 1e15)
			break;
		if (units / (float8) power_of_ten[scale] == value)
		{
			result->units = (int64) units;
			result->scale = scale;
			return AMOUNT_OK;
		}
	}
	return amount_from_text(text, double_to_shortest_decimal_bufn(value, text), result);
}

/*
 * The amount of a decimal number in text: [+-] digits [. digits] [e [+-] digits],
 * or NaN or an infinity, as numeric and double precision print them.
 */
AmountStatus
amount_from_text(const char *text, int length, Amount *result)
{
	const char *end = text + length;
	const char *point = NULL;
	const char *stop;
	bool		negative = text < end && *text == '-';
	int			exponent = 0;
	int			weight;			/* of the digit at hand: 0 is the units' place */
	uamount128	units = 0;

	if (text < end && (*text == '-' || *text == '+'))
		text++;
	if (text < end && (*text == 'N' || *text == 'n'))
		return AMOUNT_NAN;
	if (text < end && (*text == 'I' || *text == 'i'))
		return AMOUNT_INFINITE;

	for (stop = text; stop < end && *stop != 'e' && *stop != 'E'; stop++)
	{
		if (*stop == '.')
			point = stop;
	}
	if (stop + 1 < end)
	{
		bool		minus = stop[1] == '-';

		for (const char *p = stop + (minus || stop[1] == '+' ? 2 : 1); p < end; p++)
			exponent = Min(exponent * 10 + (*p - '0'), 1000000);
		if (minus)
			exponent = -exponent;
	}

	weight = exponent + (int) ((point ? point : stop) - text) - 1;
	for (const char *p = text; p < stop; p++)
	{
		int			digit = *p - '0';

		if (p == point)
			continue;
		if (weight < -HISTORY_MAX_SCALE)
		{
			if (weight == -HISTORY_MAX_SCALE - 1 && digit >= 5 &&
				units++ == (uamount128) AMOUNT128_MAX)
				return AMOUNT_OUT_OF_RANGE;
			break;
		}
		if (units > ((uamount128) AMOUNT128_MAX - digit) / 10)
			return AMOUNT_OUT_OF_RANGE;
		units = units * 10 + digit;
		weight--;
	}
	for (; units != 0 && weight >= -HISTORY_MAX_SCALE; weight--)
	{
		if (units > (uamount128) AMOUNT128_MAX / 10)
			return AMOUNT_OUT_OF_RANGE;
		units *= 10;
	}

	result->units = negative ? -(amount128) units : (amount128) units;
	result->scale = HISTORY_MAX_SCALE;
	while (result->scale > 0 && result->units % 10 == 0)
	{
		result->units /= 10;
		result->scale--;
	}
	return AMOUNT_OK;
}

/*
 * Print an amount backwards, so that its last character stands before "end";
 * returns where it begins.  There are AMOUNT_TEXT_MAX bytes before "end".
 */
char *
amount_to_text(amount128 units, int scale, char *end)
{
	uamount128	rest = units < 0 ? -(uamount128) units : (uamount128) units;
	int			digits = 0;

	do
	{
		if (digits == scale && scale > 0)
			*--end = '.';
		*--end = '0' + (int) (rest % 10);
		rest /= 10;
		digits++;
	} while (rest != 0 || digits <= scale);
	if (units < 0)
		*--end = '-';
	return end;
}

/* The numeric of an amount, with "scale" decimals. */
Numeric
amount_to_numeric(amount128 units, int scale)
{
	char		room[AMOUNT_TEXT_MAX + 1];
	char	   *end = room + AMOUNT_TEXT_MAX;

#if PG_VERSION_NUM >= 140000
	if (units >= PG_INT64_MIN && units <= PG_INT64_MAX)
		return scale == 0 ? int64_to_numeric((int64) units) :
			int64_div_fast_to_numeric((int64) units, scale);
#endif
	*end = '\0';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(amount_to_text(units, scale, end)),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

#if PG_VERSION_NUM >= 140000
/* The first digit in base 10000 that is not zero, and its weight; units > 0. */
static int
first_digit(uint64 units, int scale, int *weight)
{
	uint64		rest = units / (uint64) power_of_ten[scale];

	if (rest == 0)
	{
		rest = units * (uint64) (100 * power_of_ten[HISTORY_MAX_SCALE - scale]);
		*weight = rest >= NBASE ? -1 : -2;
		return (int) (rest >= NBASE ? rest / NBASE : rest);
	}
	for (*weight = 0; rest >= NBASE; (*weight)++)
		rest /= NBASE;
	return (int) rest;
}

/*
 * What numeric_div makes of an amount and a count, by one division of
 * integers; NULL where that is not enough.  numeric_div gives at least 16
 * digits: 16 decimals, and 4 less or more for each digit in base 10000 by which
 * the quotient is longer or shorter than one.
 */
static Numeric
average_by_integers(amount128 revenue, int scale, int64 orders)
{
	static const uint64 ten_thousand[] = {
		UINT64CONST(1), UINT64CONST(10000), UINT64CONST(100000000),
		UINT64CONST(1000000000000), UINT64CONST(10000000000000000)
	};
	uint64		units = (uint64) (revenue < 0 ? -revenue : revenue);
	int			amount_weight;
	int			count_weight;
	int			longer;
	int			decimals;
	uamount128	dividend;
	uamount128	quotient;

	if (revenue == 0 || revenue > PG_INT64_MAX || revenue < -PG_INT64_MAX)
		return NULL;
	longer = first_digit(units, scale, &amount_weight) <= first_digit(orders, 0, &count_weight);
	longer = amount_weight - count_weight - longer;
	if (longer > 2 || longer < 0)
		return NULL;
	decimals = 16 - 4 * longer;
	dividend = (uamount128) units * ten_thousand[decimals / 4];
	/* both are multiples of 10^-decimals and 10^-scale: leave the units' own decimals out */
	quotient = dividend / ((uamount128) orders * (uint64) power_of_ten[scale]);
	dividend -= quotient * orders * (uint64) power_of_ten[scale];
	if (dividend * 2 >= (uamount128) orders * (uint64) power_of_ten[scale])
		quotient++;
	if (quotient > PG_INT64_MAX)
		return NULL;
	return int64_div_fast_to_numeric(revenue < 0 ? -(int64) quotient : (int64) quotient, decimals);
}
#endif

/* What an order came to on average, as numeric division has it. */
Datum
average_order(amount128 revenue, int scale, int64 orders)
{
#if PG_VERSION_NUM >= 140000
	Numeric		average = average_by_integers(revenue, scale, orders);

	if (average != NULL)
		return NumericGetDatum(average);
#endif
	return DirectFunctionCall2(numeric_div, NumericGetDatum(amount_to_numeric(revenue, scale)),
							   NumericGetDatum(amount_to_numeric(orders, 0)));
}

/* The nearest double of an amount, in currency units: what amount_to_numeric would be cast to. */
float8
amount_to_float8(amount128 units, int scale)
{
	if (units < 0)
		return -decimal_to_double(-(uamount128) units, scale);
	return decimal_to_double((uamount128) units, scale);
}

/* Digits in base 10000 that 128 bits always hold. */
#define NUMBER_DIGITS_MAX	9

/*
 * The double that numeric_float8() makes of a numeric, packed or not, without
 * printing it: both round correctly.
 */
float8
numeric_to_float8(struct varlena *number)
{
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(number);
	int			words = VARSIZE_ANY_EXHDR(number) / sizeof(uint16);

	if (likely(numeric_layout_is_known()) &&
		(number_word(bytes, 0) & NUMBER_SPECIAL) != NUMBER_SPECIAL)
	{
		bool		negative;
		int			weight;
		int			first;
		int			digits;
		int			decimals;

		number_header(bytes, &negative, &weight, &first);
		if (words == first)
			return 0;
		/* zeros before the point are not stored */
		digits = Max(words - first, weight + 1);
		decimals = (digits - 1 - weight) * 4;
		if (digits <= NUMBER_DIGITS_MAX && decimals <= DECIMAL_MAX_SCALE)
		{
			uamount128	units = 0;
			float8		result;

			for (int i = first; i < first + digits; i++)
				units = units * NBASE + (i < words ? number_word(bytes, i) : 0);
			result = decimal_to_double(units, decimals);
			return negative ? -result : result;
		}
	}
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8,
											  PointerGetDatum(PG_DETOAST_DATUM(PointerGetDatum(number)))));
}

/* nearest_double(value numeric) -> float8: as a cast does it, but faster. */
Datum
nearest_double(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(numeric_to_float8((struct varlena *) PG_GETARG_VARLENA_PP(0)));
}
