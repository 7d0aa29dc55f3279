/*
 * bulk_lines.c
 *	  The bulk builder's lines of orders: what they come to, how they are kept,
 *	  and their way into the sort.
 *
 * Amounts are summed exactly, and are rounded or refused as an order's only:
 * those that 128 bits do not hold, or that have more decimals than a history,
 * as numeric.
 *
 * Lines that come one after the other in the source, as those of one order
 * often do, are summed before they are sorted.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "history/bulk.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Words to begin with. */
#define FIRST_WORDS		16

void
bulk_words_init(BulkWords *words, MemoryContext context)
{
	words->room = FIRST_WORDS;
	words->word = MemoryContextAlloc(context, words->room * sizeof(uint64));
}

/* ----- what lines come to ----- */

static void
order_add_number(BulkOrder *order, Numeric number, MemoryContext context)
{
	MemoryContext old_context = MemoryContextSwitchTo(context);
	Numeric		before = order->number;

	if (before == NULL)
		order->number = DatumGetNumericCopy(NumericGetDatum(number));
	else
	{
		order->number = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(before),
															NumericGetDatum(number)));
		pfree(before);
	}
	MemoryContextSwitchTo(old_context);
}

/* Add lines of the same order to it, whose number lives in this context. */
void
bulk_order_add(BulkOrder *order, const BulkOrder *line, MemoryContext context)
{
	int			scale = Max(order->scale, line->scale);
	__int128	a;
	__int128	b;
	__int128	sum;

	order->instant = Min(order->instant, line->instant);
	order->lines += line->lines;
	if (unlikely(line->number != NULL))
		order_add_number(order, line->number, context);

	if (likely(!__builtin_mul_overflow((__int128) order->units, (__int128) power_of_ten[scale - order->scale], &a) &&
			   !__builtin_mul_overflow((__int128) line->units, (__int128) power_of_ten[scale - line->scale], &b) &&
			   !__builtin_add_overflow(a, b, &sum)))
	{
		order->units = sum;
		order->scale = scale;
	}
	else
	{
		Numeric		number = amount_to_numeric(order->units, order->scale);

		order_add_number(order, number, context);
		pfree(number);
		order->units = line->units;
		order->scale = line->scale;
	}
}

/* What the lines of an order come to. */
AmountStatus
bulk_order_amount(const BulkOrder *order, Amount *amount)
{
	amount->units = order->units;
	amount->scale = order->scale;
	if (unlikely(order->number != NULL))
	{
		Numeric		units = amount_to_numeric(order->units, order->scale);
		Numeric		sum = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(units),
															  NumericGetDatum(order->number)));
		AmountStatus status = amount_from_numeric((struct varlena *) sum, amount);

		pfree(units);
		pfree(sum);
		return status;
	}
	/* the first test is enough for nearly all, and faster */
	if (unlikely(order->units > PG_INT64_MAX || order->units < -PG_INT64_MAX))
	{
		amount128	most = AMOUNT128_MAX / power_of_ten[HISTORY_MAX_SCALE - order->scale];

		if (order->units > most || order->units < -most)
			return AMOUNT_OUT_OF_RANGE;
	}
	return AMOUNT_OK;
}

/* ----- lines in words: see bulk_record.h ----- */

static inline bool
line_is_compact(const BulkOrder *line)
{
	return line_fits(line->lines, line->units) && line->number == NULL && line->customer == 0;
}

static inline Size
number_words(Numeric number)
{
	return number == NULL ? 0 : (VARSIZE(number) + 7) / 8;
}

/* The words of a line, but for the head and the customer's key. */
Size
bulk_line_count_words(const BulkOrder *line)
{
	return line->id_words +
		(line_is_compact(line) ? LINE_WORDS : WIDE_LINE_WORDS + number_words(line->number));
}

/* A line in these words; returns its head. */
uint64
bulk_line_to_words(const BulkOrder *line, const uint64 *id, uint64 *word)
{
	Size		words = number_words(line->number);

	memcpy(word, id, line->id_words * sizeof(uint64));
	word += line->id_words;
	word[0] = (uint64) line->instant;
	if (line_is_compact(line))
		return line_make(line->lines, (int64) line->units, line->scale);

	word[1] = (uint64) line->lines;
	word[2] = line->customer;
	word[3] = (uint64) (uamount128) line->units;
	word[4] = (uint64) ((uamount128) line->units >> 64);
	if (words > 0)
	{
		word[WIDE_LINE_WORDS + words - 1] = 0;
		memcpy(word + WIDE_LINE_WORDS, line->number, VARSIZE(line->number));
	}
	return wide_line_make(WIDE_LINE_WORDS + words, line->scale);
}

/* The next word of a line. */
static inline uint64
next_word(BulkSort *sort)
{
	uint64		word;

	if (unlikely(!bulk_sort_get(sort, &word)))
		elog(ERROR, "line is cut off");
	return word;
}

/* Read so many words, behind so many that were read before. */
static void
read_words(BulkSort *sort, BulkWords *words, Size before, Size count)
{
	bulk_words_reserve(words, before + count);
	for (Size i = 0; i < count; i++)
		words->word[before + i] = next_word(sort);
}

/*
 * The line that follows its head in a sort.  Its words are kept, those of the
 * id first, and its number is one of them.
 */
void
bulk_line_read(BulkSort *sort, uint64 head, BulkOrder *line, BulkWords *words)
{
	Size		extra = head_extra_words(head);
	const uint64 *word;

	read_words(sort, words, 0, 1);
	line->id = 0;
	line->id_words = bulk_key_words_from(sort->order_form, words->word[0]);
	read_words(sort, words, 1, line->id_words - 1 + extra);

	word = words->word + line->id_words;
	line->instant = (int64) word[0];
	line->scale = head_scale(head);
	line->number = NULL;
	if (likely(!head_is_wide_line(head)))
	{
		line->lines = line_lines(head);
		line->customer = 0;
		line->units = head_units(head);
		return;
	}
	line->lines = (int64) word[1];
	line->customer = (uint32) word[2];
	line->units = (amount128) ((uamount128) word[4] << 64 | word[3]);
	if (extra > WIDE_LINE_WORDS)
		line->number = (Numeric) (word + WIDE_LINE_WORDS);
}

/* ----- the lines read last ----- */

void
bulk_lines_init(BulkLines *lines, MemoryContext context, BulkKey *customer_form,
				BulkKey *order_form, BulkSort *sort, BulkOrders *nobodys)
{
	lines->context = context;
	lines->customer_form = customer_form;
	lines->order_form = order_form;
	lines->sort = sort;
	lines->nobodys = nobodys;
	lines->filled = false;
	bulk_words_init(&lines->last, context);
	bulk_words_init(&lines->next, context);
}

/* All lines were read: hand on the last ones. */
void
bulk_lines_finish(BulkLines *lines)
{
	BulkOrder  *sum = &lines->sum;

	if (!lines->filled)
		return;
	if (lines->has_customer)
	{
		Size		key_words = lines->words - sum->id_words;
		uint64	   *word = bulk_sort_put_words(lines->sort, lines->sort_key,
											   1 + key_words + bulk_line_count_words(sum));

		memcpy(word + 1, lines->last.word + sum->id_words, key_words * sizeof(uint64));
		word[0] = bulk_line_to_words(sum, lines->last.word, word + 1 + key_words) |
			(key_words > 0 ? HEAD_KEYED : 0);
	}
	else
		bulk_orders_add(lines->nobodys, sum, lines->last.word);
	if (unlikely(sum->number != NULL))
		pfree(sum->number);
	lines->filled = false;
}

/* The next words are another order's, of which this is the first line. */
static void
begin_lines(BulkLines *lines, bool has_customer, uint64 sort_key, Size words, const BulkOrder *line)
{
	BulkWords	swap;

	bulk_lines_finish(lines);
	swap = lines->last;
	lines->last = lines->next;
	lines->next = swap;
	lines->filled = true;
	lines->has_customer = has_customer;
	lines->sort_key = sort_key;
	lines->words = words;
	lines->sum = *line;
	if (unlikely(line->number != NULL))
	{
		MemoryContext old_context = MemoryContextSwitchTo(lines->context);

		lines->sum.number = DatumGetNumericCopy(NumericGetDatum(line->number));
		MemoryContextSwitchTo(old_context);
	}
}

/*
 * A line with the customer and the order it belongs to.  What is detoasted
 * stays in the current memory context.
 */
void
bulk_lines_put(BulkLines *lines, bool has_customer, Datum customer, Datum id, BulkOrder *line)
{
	bool		is_hashed = lines->customer_form->kind == BULK_KEY_HASHED;
	uint64		sort_key = 0;
	Size		words;

	if (lines->order_form->length == -1)
		id = PointerGetDatum(PG_DETOAST_DATUM_PACKED(id));
	words = line->id_words = bulk_key_count_words(lines->order_form, id);
	if (has_customer)
	{
		if (is_hashed && lines->customer_form->length == -1)
			customer = PointerGetDatum(PG_DETOAST_DATUM_PACKED(customer));
		if (is_hashed)
			words += bulk_key_count_words(lines->customer_form, customer);
		else
			sort_key = bulk_key_sort_key(lines->customer_form, customer);
	}
	bulk_words_reserve(&lines->next, words);
	bulk_order_id_to_words(lines->order_form, id, lines->next.word, line->id_words);
	if (words > line->id_words)
		bulk_key_to_words(lines->customer_form, customer, lines->next.word + line->id_words,
						  words - line->id_words);

	if (lines->filled && lines->has_customer == has_customer && lines->words == words &&
		lines->sum.id_words == line->id_words && (is_hashed || lines->sort_key == sort_key) &&
		memcmp(lines->last.word, lines->next.word, words * sizeof(uint64)) == 0)
	{
		bulk_order_add(&lines->sum, line, lines->context);
		return;
	}
	if (has_customer && is_hashed)
		sort_key = bulk_key_hash(lines->customer_form, customer);
	begin_lines(lines, has_customer, sort_key, words, line);
}
