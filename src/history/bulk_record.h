/*
 * bulk_record.h
 *	  How the bulk builder keeps a row of the source: in records of 16 bytes.
 *
 * Plain C, no server headers, so that it can be tested and sanitised alone.
 *
 * A record is a key to sort by and a word.  A row is one record, or, if it has
 * more to say, several ones with the same key: their words are
 *
 *		head					always
 *		key, in words			if the head has HEAD_KEYED
 *		day and scale			if the head is a wide one
 *		amount, low half		if the head is a wide one
 *		amount, high half		if the head is a wide one
 *
 * Sorting is stable and by the key alone, and a row is never divided between
 * two sorted runs: so the records of a row stay together in their order.  A
 * head without HEAD_KEYED goes with the key of the row before, where keys go
 * with rows at all.
 *
 * A head, from the top bit: 16 bits day, 3 bits scale, 1 bit HEAD_KEYED, 44
 * bits amount.  Heads sort by their day as unsigned numbers.  Days and amounts
 * that do not fit make the head a wide one; a row that cannot be used is a bad
 * one, which has neither day nor amount.
 *
 * Lines of an order have another head, with the number of lines that were
 * summed in the place of the day; their words are
 *
 *		head					always
 *		key, in words			if the head has HEAD_KEYED
 *		order id, in words		always
 *		instant					always
 *		lines					if it is a wide line, and so on
 *		customer				among those that are summed at the same time
 *		amount, low half
 *		amount, high half
 *		a number in words		what the amount cannot hold; rarely
 *
 * The head of a wide line has the number of words from the instant on in the
 * place of the amount.
 */
#ifndef BULK_RECORD_H
#define BULK_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/history_codec.h"

#define HEAD_DAY_SHIFT		48
#define HEAD_SCALE_SHIFT	45
#define HEAD_KEYED			(UINT64_C(1) << 44)
#define HEAD_AMOUNT_BITS	44
#define HEAD_AMOUNT_MASK	((UINT64_C(1) << HEAD_AMOUNT_BITS) - 1)

/* From 1910-04-15 to 2089-09-02: days from 2000-01-01 in 16 bits. */
#define HEAD_FIRST_DAY		(-32768)
#define HEAD_LAST_DAY		32751

/* In the place of a day. */
#define HEAD_LINE			(UINT64_C(0xFFF0) << HEAD_DAY_SHIFT)	/* of 1 to 13 lines */
#define HEAD_WIDE_LINE		(UINT64_C(0xFFFD) << HEAD_DAY_SHIFT)
#define HEAD_WIDE			(UINT64_C(0xFFFE) << HEAD_DAY_SHIFT)
#define HEAD_BAD			(UINT64_C(0xFFFF) << HEAD_DAY_SHIFT)

#define HEAD_AMOUNT_MAX		((INT64_C(1) << (HEAD_AMOUNT_BITS - 1)) - 1)

#define WIDE_WORDS			3

#define LINE_WORDS			1
#define WIDE_LINE_WORDS		5	/* without a number */
#define LINE_LINES_MAX		13

/* Does it fit a head? */
static inline bool
head_fits(int32_t day, amount128 units)
{
	return day >= HEAD_FIRST_DAY && day <= HEAD_LAST_DAY &&
		units >= -HEAD_AMOUNT_MAX && units <= HEAD_AMOUNT_MAX;
}

static inline uint64_t
head_make(int32_t day, int64_t units, int scale)
{
	return (uint64_t) (day - HEAD_FIRST_DAY) << HEAD_DAY_SHIFT |
		(uint64_t) scale << HEAD_SCALE_SHIFT |
		((uint64_t) units & HEAD_AMOUNT_MASK);
}

/* Is it a head with a day and an amount? */
static inline bool
head_is_compact(uint64_t head)
{
	return head < HEAD_LINE;
}

static inline bool
head_is_line(uint64_t head)
{
	return head >= HEAD_LINE && head < HEAD_WIDE;
}

static inline bool
head_is_wide_line(uint64_t head)
{
	return head >= HEAD_WIDE_LINE && head < HEAD_WIDE;
}

static inline bool
head_is_bad(uint64_t head)
{
	return head >= HEAD_BAD;
}

/* The words after head and key, and after the order id of a line. */
static inline size_t
head_extra_words(uint64_t head)
{
	if (head_is_compact(head) || head_is_bad(head))
		return 0;
	if (head_is_wide_line(head))
		return head & HEAD_AMOUNT_MASK;
	return head_is_line(head) ? LINE_WORDS : WIDE_WORDS;
}

static inline int32_t
head_day(uint64_t head)
{
	return (int32_t) (head >> HEAD_DAY_SHIFT) + HEAD_FIRST_DAY;
}

static inline int
head_scale(uint64_t head)
{
	return (int) (head >> HEAD_SCALE_SHIFT & 7);
}

/* Bits are moved up as unsigned and down with their sign. */
static inline int64_t
head_units(uint64_t head)
{
	return (int64_t) (head << (64 - HEAD_AMOUNT_BITS)) >> (64 - HEAD_AMOUNT_BITS);
}

/* The three words of a wide row. */
static inline void
wide_make(uint64_t *word, int32_t day, amount128 units, int scale)
{
	word[0] = (uint64_t) (uint32_t) day | (uint64_t) scale << 32;
	word[1] = (uint64_t) (uamount128) units;
	word[2] = (uint64_t) ((uamount128) units >> 64);
}

static inline void
wide_read(const uint64_t *word, int32_t *day, amount128 *units, int *scale)
{
	*day = (int32_t) (uint32_t) word[0];
	*scale = (int) (word[0] >> 32);
	*units = (amount128) ((uamount128) word[2] << 64 | word[1]);
}

/* Do lines that were summed, of which there are some, fit a head and an instant? */
static inline bool
line_fits(int64_t lines, amount128 units)
{
	return lines <= LINE_LINES_MAX && units >= -HEAD_AMOUNT_MAX && units <= HEAD_AMOUNT_MAX;
}

static inline uint64_t
line_make(int64_t lines, int64_t units, int scale)
{
	return (HEAD_LINE + ((uint64_t) (lines - 1) << HEAD_DAY_SHIFT)) |
		(uint64_t) scale << HEAD_SCALE_SHIFT |
		((uint64_t) units & HEAD_AMOUNT_MASK);
}

/* The head of a line with so many words from the instant on. */
static inline uint64_t
wide_line_make(size_t words, int scale)
{
	return HEAD_WIDE_LINE | (uint64_t) scale << HEAD_SCALE_SHIFT | (uint64_t) words;
}

/* How many lines there are in a head that is not a wide one's. */
static inline int
line_lines(uint64_t head)
{
	return (int) ((head - HEAD_LINE) >> HEAD_DAY_SHIFT) + 1;
}

#endif							/* BULK_RECORD_H */
