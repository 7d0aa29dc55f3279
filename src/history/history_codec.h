/*
 * history_codec.h
 *	  The bytes of a purchase history: one entry a day, as varints.
 *
 * Plain C, no server headers, so that it can be tested and sanitised alone.
 *
 * A varint is little-endian base 128: seven bits a byte, the top bit set on
 * every byte but the last.  An entry is
 *
 *		tag = step * 4 + kind		varint
 *		orders						varint, if kind has ENTRY_ORDERS
 *		gross						varint, unless orders is 0
 *		refunded					varint, if kind has ENTRY_REFUND
 *
 * gross is what the day's orders came to and refunded what was paid back that
 * day, both never negative and in units of 10^-scale; the day's amount is gross
 * minus refunded.  Without ENTRY_ORDERS there was exactly one order.
 *
 * The step leads from one entry's day to the next.  In a stored history the
 * days rise, so it is (day - previous day - 1), and the zigzag of the day
 * itself for the first entry.  In an aggregate's log the days come as the rows
 * come, so it is the zigzag of (day - previous day), starting from day 0.
 */
#ifndef HISTORY_CODEC_H
#define HISTORY_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes' alignment is all that a palloc'd chunk promises. */
typedef __int128 amount128 __attribute__((aligned(8)));
typedef unsigned __int128 uamount128 __attribute__((aligned(8)));

#define AMOUNT128_MAX	((amount128) (~(uamount128) 0 >> 1))

/* One day of a history. */
typedef struct DayEntry
{
	int32_t		day;			/* days since 2000-01-01 */
	int64_t		orders;			/* number of orders, >= 0 */
	amount128	gross;			/* sum of the orders, in units of 10^-scale, >= 0 */
	amount128	refunded;		/* sum of the refunds, same units, >= 0 */
} DayEntry;

#define ENTRY_ORDERS	1
#define ENTRY_REFUND	2

/* The longest entry: a tag, a count, and two amounts. */
#define ENTRY_MAX_BYTES	(6 + 9 + 19 + 19)

static inline uint64_t
zigzag_encode(int64_t value)
{
	return ((uint64_t) value << 1) ^ (uint64_t) (value >> 63);
}

static inline int64_t
zigzag_decode(uint64_t value)
{
	return (int64_t) (value >> 1) ^ -(int64_t) (value & 1);
}

static inline uint8_t *
varint_put(uint8_t *out, uint64_t value)
{
	while (value >= 0x80)
	{
		*out++ = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	*out++ = (uint8_t) value;
	return out;
}

static inline uint8_t *
varint_put_amount(uint8_t *out, amount128 amount)
{
	uamount128	value = (uamount128) amount;

	while (value > UINT64_MAX)
	{
		*out++ = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	return varint_put(out, (uint64_t) value);
}

/*
 * Read a varint of at most 127 bits byte by byte; NULL as varint_get has it.
 * Seldom asked, and so kept out of the loops of whoever reads.
 */
static __attribute__((noinline, unused)) const uint8_t *
varint_get_bytes(const uint8_t *in, const uint8_t *end, int bits, uamount128 *value)
{
	uamount128	result = 0;

	for (int shift = 0; shift < bits; shift += 7)
	{
		uint8_t		byte;

		if (in >= end)
			return NULL;
		byte = *in++;
		if (shift == 126 && byte > 1)
			return NULL;
		result |= (uamount128) (byte & 0x7f) << shift;
		if (byte < 0x80)
		{
			*value = result;
			return (byte == 0 && shift > 0) ? NULL : in;
		}
	}
	return NULL;
}

/*
 * Read a varint of two to eight bytes, where eight can be read; NULL if it is
 * longer or not in its shortest form.  How long the next amount is nobody can
 * predict, so there is no branch for it.
 */
static inline const uint8_t *
varint_get_word(const uint8_t *in, uint64_t *value)
{
	uint64_t	word;
	uint64_t	stop;
	int			length;

	memcpy(&word, in, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	stop = ~word & UINT64_C(0x8080808080808080);
	if (stop == 0)
		return NULL;
	length = (__builtin_ctzll(stop) >> 3) + 1;
	/* seven bits of each byte up to the last one, and then closer and closer together */
	word &= (stop ^ (stop - 1)) & UINT64_C(0x7f7f7f7f7f7f7f7f);
	word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
	word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
	word = (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
	*value = word;
	return word >> (7 * (length - 1)) == 0 ? NULL : in + length;
}

/*
 * Read a varint of at most 63 bits; NULL if it is cut off, longer, or not in
 * its shortest form.
 */
static inline const uint8_t *
varint_get(const uint8_t *in, const uint8_t *end, uint64_t *value)
{
	const uint8_t *next;
	uamount128	wide;

	if (in < end && *in < 0x80)
	{
		*value = *in;
		return in + 1;
	}
	if (end - in >= (ptrdiff_t) sizeof(uint64_t) && (next = varint_get_word(in, value)) != NULL)
		return next;
	if ((next = varint_get_bytes(in, end, 63, &wide)) != NULL)
		*value = (uint64_t) wide;
	return next;
}

/* The same for an amount: at most 127 bits. */
static inline const uint8_t *
varint_get_amount(const uint8_t *in, const uint8_t *end, amount128 *value)
{
	const uint8_t *next;
	uint64_t	narrow;
	uamount128	wide;

	if (end - in >= (ptrdiff_t) sizeof(uint64_t) && (next = varint_get_word(in, &narrow)) != NULL)
	{
		*value = narrow;
		return next;
	}
	if ((next = varint_get_bytes(in, end, 127, &wide)) != NULL)
		*value = (amount128) wide;
	return next;
}

/* Write an entry; out has room for ENTRY_MAX_BYTES. */
static inline uint8_t *
entry_put(uint8_t *out, uint64_t step, const DayEntry *entry)
{
	int			kind = (entry->orders != 1 ? ENTRY_ORDERS : 0) |
		(entry->refunded != 0 ? ENTRY_REFUND : 0);

	out = varint_put(out, step << 2 | (uint64_t) kind);
	if (kind & ENTRY_ORDERS)
		out = varint_put(out, (uint64_t) entry->orders);
	if (entry->orders != 0)
		out = varint_put_amount(out, entry->gross);
	if (kind & ENTRY_REFUND)
		out = varint_put_amount(out, entry->refunded);
	return out;
}

/*
 * Read an entry, all but its day, which the caller works out from the step.
 * NULL if the bytes are not an entry that entry_put would have written.  In the
 * loop of whoever reads, so that the entry stays in registers.
 */
static inline __attribute__((always_inline)) const uint8_t *
entry_get(const uint8_t *in, const uint8_t *end, uint64_t *step, DayEntry *entry)
{
	uint64_t	tag;
	uint64_t	orders = 1;

	if ((in = varint_get(in, end, &tag)) == NULL)
		return NULL;
	*step = tag >> 2;

	if (tag & ENTRY_ORDERS)
	{
		if ((in = varint_get(in, end, &orders)) == NULL || orders == 1)
			return NULL;
		if (orders == 0 && !(tag & ENTRY_REFUND))
			return NULL;
	}
	entry->orders = (int64_t) orders;

	entry->gross = 0;
	if (orders != 0 && (in = varint_get_amount(in, end, &entry->gross)) == NULL)
		return NULL;

	entry->refunded = 0;
	if (tag & ENTRY_REFUND)
	{
		if ((in = varint_get_amount(in, end, &entry->refunded)) == NULL ||
			entry->refunded == 0)
			return NULL;
	}
	return in;
}

#endif							/* HISTORY_CODEC_H */
