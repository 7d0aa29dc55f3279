/*
 * history_io.c
 *	  Text and binary form of purchase_history, its order and its hash.
 *
 * The text is JSON, a member a day in rising order:
 *
 *		{"2024-01-05":[1,29.33],"2024-01-18":[2,49.46,10]}
 *
 * that is day: [orders, amount] or [orders, amount, refunded], where amount is
 * net of what was refunded that day.  Reading takes the days in any order.
 *
 * The binary form is the stored one without its length word.
 */
#include "postgres.h"

#include "compat.h"

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
#include "common/hashfn.h"
#include "fmgr.h"
#include "history/history.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(history_in);
PG_FUNCTION_INFO_V1(history_out);
PG_FUNCTION_INFO_V1(history_recv);
PG_FUNCTION_INFO_V1(history_send);
PG_FUNCTION_INFO_V1(history_cmp);
PG_FUNCTION_INFO_V1(history_eq);
PG_FUNCTION_INFO_V1(history_ne);
PG_FUNCTION_INFO_V1(history_lt);
PG_FUNCTION_INFO_V1(history_le);
PG_FUNCTION_INFO_V1(history_ge);
PG_FUNCTION_INFO_V1(history_gt);
PG_FUNCTION_INFO_V1(history_hash);
PG_FUNCTION_INFO_V1(history_hash_extended);

/* ---- text ---- */

/* A place in the text being read, and what is wrong with it. */
typedef struct TextReader
{
	const char *next;
	const char *problem;		/* NULL as long as all is well */
} TextReader;

static bool
text_fail(TextReader *reader, const char *problem)
{
	if (reader->problem == NULL)
		reader->problem = problem;
	return false;
}

/* Skip these characters if they are what comes next. */
static bool
text_skip(TextReader *reader, const char *expected)
{
	Size		length = strlen(expected);

	if (strncmp(reader->next, expected, length) != 0)
		return false;
	reader->next += length;
	return true;
}

static void
text_skip_space(TextReader *reader)
{
	while (*reader->next == ' ' || *reader->next == '\t' ||
		   *reader->next == '\n' || *reader->next == '\r')
		reader->next++;
}

/* Read one character, which must be this one; spaces around it do not matter. */
static bool
text_read_char(TextReader *reader, char expected, const char *problem)
{
	text_skip_space(reader);
	if (*reader->next != expected)
		return text_fail(reader, problem);
	reader->next++;
	text_skip_space(reader);
	return true;
}

/* Read between min and max digits, of a number that fits 64 bits. */
static bool
text_read_digits(TextReader *reader, int min, int max, int64 *value)
{
	const char *start = reader->next;

	*value = 0;
	while (*reader->next >= '0' && *reader->next <= '9' && reader->next - start < max)
	{
		if (__builtin_mul_overflow(*value, 10, value) ||
			__builtin_add_overflow(*value, *reader->next - '0', value))
			return false;
		reader->next++;
	}
	return reader->next - start >= min;
}

static bool
text_read_day(TextReader *reader, int32 *day)
{
	static const char *const problem = "A day is written \"YYYY-MM-DD\", in double quotes.";
	int64		year,
				month,
				mday;

	if (!text_skip(reader, "\"") ||
		!text_read_digits(reader, 4, 7, &year) || !text_skip(reader, "-") ||
		!text_read_digits(reader, 2, 2, &month) || !text_skip(reader, "-") ||
		!text_read_digits(reader, 2, 2, &mday))
		return text_fail(reader, problem);
	if (year == 0)
		return text_fail(reader, "There is no year 0.");
	if (text_skip(reader, " BC"))
		year = 1 - year;
	if (!text_skip(reader, "\""))
		return text_fail(reader, problem);
	if (month < 1 || month > 12 || mday < 1 ||
		mday > day_tab[isleap(year)][month - 1] || !IS_VALID_JULIAN(year, month, mday))
		return text_fail(reader, "There is no such day.");
	*day = date2j(year, month, mday) - POSTGRES_EPOCH_JDATE;
	if (!IS_VALID_DATE(*day))
		return text_fail(reader, "There is no such day.");
	return true;
}

/* Read an amount and bring it to the largest scale. */
static bool
text_read_amount(TextReader *reader, amount128 *units)
{
	const char *start = reader->next;
	const char *point = NULL;
	Amount		amount;
	int64		digit;

	text_skip(reader, "-");
	if (!text_read_digits(reader, 1, 1, &digit))
		return text_fail(reader, "An amount is a decimal number.");
	while (text_read_digits(reader, 1, 1, &digit))
		 /* skip */ ;
	if (*reader->next == '.')
	{
		point = reader->next++;
		if (!text_read_digits(reader, 1, 1, &digit))
			return text_fail(reader, "An amount is a decimal number.");
		while (text_read_digits(reader, 1, 1, &digit))
			 /* skip */ ;
		if (reader->next - point - 1 > HISTORY_MAX_SCALE)
			return text_fail(reader, "An amount has at most 6 decimals.");
	}
	if (amount_from_text(start, reader->next - start, &amount) != AMOUNT_OK)
		return text_fail(reader, "The largest amount is " AMOUNT_MAX_TEXT ".");
	*units = amount_rescale(amount.units, amount.scale, HISTORY_MAX_SCALE);
	return true;
}

/* Read "day": [orders, amount] or "day": [orders, amount, refunded]. */
static bool
text_read_entry(TextReader *reader, DayEntry *entry)
{
	static const char *const problem = "A day's value is written [orders, amount] or [orders, amount, refunded].";
	amount128	amount;
	__int128	gross;

	if (!text_read_day(reader, &entry->day) ||
		!text_read_char(reader, ':', "A colon must follow the day.") ||
		!text_read_char(reader, '[', problem))
		return false;
	if (!text_read_digits(reader, 1, 19, &entry->orders))
		return text_fail(reader, "The number of orders is a whole number up to 9223372036854775807.");
	if (!text_read_char(reader, ',', problem) || !text_read_amount(reader, &amount))
		return false;
	text_skip_space(reader);
	entry->refunded = 0;
	if (text_skip(reader, ","))
	{
		text_skip_space(reader);
		if (!text_read_amount(reader, &entry->refunded))
			return false;
		if (entry->refunded <= 0)
			return text_fail(reader, "What was refunded must be positive.");
	}
	if (!text_read_char(reader, ']', problem))
		return false;

	if (__builtin_add_overflow((__int128) amount, (__int128) entry->refunded, &gross))
		return text_fail(reader, "The largest amount is " AMOUNT_MAX_TEXT ".");
	entry->gross = gross;
	if (gross < 0)
		return text_fail(reader, "An amount cannot be less than what was refunded that day.");
	if (entry->orders == 0 && (gross != 0 || entry->refunded == 0))
		return text_fail(reader, "A day without orders has a refund and nothing else.");
	return true;
}

static bool
text_read_history(TextReader *reader, DayList *list)
{
	if (!text_read_char(reader, '{', "A purchase_history begins with \"{\"."))
		return false;
	if (*reader->next != '}')
	{
		do
		{
			text_skip_space(reader);
			if (!text_read_entry(reader, day_list_append(list)))
				return false;
			text_skip_space(reader);
		} while (text_skip(reader, ","));
	}
	if (!text_read_char(reader, '}', "A comma or \"}\" must follow a day's value."))
		return false;
	if (*reader->next != '\0')
		return text_fail(reader, "Nothing may follow the closing \"}\".");
	return true;
}

Datum
history_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	TextReader	reader = {text, NULL};
	DayList		list;
	int			count;

	day_list_init(&list, HISTORY_MAX_SCALE);
	if (text_read_history(&reader, &list))
	{
		count = list.count;
		day_list_normalize(&list);
		if (list.count == count)
			PG_RETURN_POINTER(history_from_days(&list));
		reader.problem = "A day may be given only once.";
	}
	ereturn(fcinfo->context, (Datum) 0,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type purchase_history: \"%s\"", text),
			 errdetail("%s (at character %d)", reader.problem, (int) (reader.next - text) + 1),
			 errhint("Write a JSON object of days, e.g. {\"2024-01-05\":[1,29.33]}.")));
}

Datum
history_out(PG_FUNCTION_ARGS)
{
	HistoryReader reader;
	DayEntry	entry;
	StringInfoData text;
	char		separator = '{';

	history_reader_init(&reader, PG_GETARG_HISTORY(0));
	initStringInfo(&text);
	while (history_reader_next(&reader, &entry))
	{
		char		room[AMOUNT_TEXT_MAX];
		char	   *end = room + AMOUNT_TEXT_MAX;
		char	   *start;
		int			year,
					month,
					mday;

		j2date(entry.day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
		start = amount_to_text(entry.gross - entry.refunded, reader.scale, end);
		appendStringInfo(&text, "%c\"%04d-%02d-%02d%s\":[" INT64_FORMAT ",%.*s",
						 separator, year > 0 ? year : 1 - year, month, mday,
						 year > 0 ? "" : " BC", entry.orders, (int) (end - start), start);
		if (entry.refunded != 0)
		{
			start = amount_to_text(entry.refunded, reader.scale, end);
			appendStringInfo(&text, ",%.*s", (int) (end - start), start);
		}
		appendStringInfoChar(&text, ']');
		separator = ',';
	}
	if (separator == '{')
		appendStringInfoChar(&text, '{');
	appendStringInfoChar(&text, '}');
	PG_RETURN_CSTRING(text.data);
}

/* ---- binary ---- */

Datum
history_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	const char *bytes = pq_getmsgbytes(buffer, length);
	struct varlena *history;

	if (!history_is_valid((const uint8 *) bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of type purchase_history"),
				 errdetail("The %d bytes are cut off, damaged, or of another version than %d.",
						   length, HISTORY_VERSION)));
	history = palloc(length + VARHDRSZ);
	SET_VARSIZE(history, length + VARHDRSZ);
	memcpy(VARDATA(history), bytes, length);
	PG_RETURN_POINTER(history);
}

Datum
history_send(PG_FUNCTION_ARGS)
{
	struct varlena *history = PG_GETARG_HISTORY(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbytes(&buffer, (char *) VARDATA_ANY(history), VARSIZE_ANY_EXHDR(history));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* ---- order and hash: of the bytes, which are the same for the same map ---- */

static int
history_compare(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_HISTORY(0);
	struct varlena *b = PG_GETARG_HISTORY(1);
	Size		length_a = VARSIZE_ANY_EXHDR(a);
	Size		length_b = VARSIZE_ANY_EXHDR(b);
	int			result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(length_a, length_b));

	if (result == 0)
		result = (length_a > length_b) - (length_a < length_b);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

Datum
history_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(history_compare(fcinfo));
}

Datum
history_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(history_compare(fcinfo) == 0);
}

Datum
history_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(history_compare(fcinfo) != 0);
}

Datum
history_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(history_compare(fcinfo) < 0);
}

Datum
history_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(history_compare(fcinfo) <= 0);
}

Datum
history_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(history_compare(fcinfo) >= 0);
}

Datum
history_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(history_compare(fcinfo) > 0);
}

Datum
history_hash(PG_FUNCTION_ARGS)
{
	struct varlena *history = PG_GETARG_HISTORY(0);
	Datum		hash = hash_any((unsigned char *) VARDATA_ANY(history),
								VARSIZE_ANY_EXHDR(history));

	PG_FREE_IF_COPY(history, 0);
	PG_RETURN_DATUM(hash);
}

Datum
history_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *history = PG_GETARG_HISTORY(0);
	Datum		hash = hash_any_extended((unsigned char *) VARDATA_ANY(history),
										 VARSIZE_ANY_EXHDR(history), PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(history, 0);
	PG_RETURN_DATUM(hash);
}
