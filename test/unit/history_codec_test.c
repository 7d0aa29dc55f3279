/*
 * history_codec_test.c
 *	  The bytes of a purchase history: round trips, shortest forms, and random
 *	  bytes, which must never be read beyond their end.
 */
#include "history/history_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int	passed;
static int	failed;

static void
check(bool good, const char *what)
{
	if (good)
		passed++;
	else
	{
		failed++;
		printf("history_codec: failed: %s\n", what);
	}
}

static uint64_t random_state = 20240105;

static uint64_t
random_next(void)
{
	uint64_t	z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
varints(void)
{
	bool		same = true;
	bool		bounded = true;
	uint8_t		bytes[32];

	for (int i = 0; i < 200000; i++)
	{
		uint64_t	value = random_next() >> (1 + random_next() % 63);
		uint8_t    *end = varint_put(bytes, value);
		uint64_t	read = 0;

		same &= varint_get(bytes, end, &read) == end && read == value;
		bounded &= varint_get(bytes, end - 1, &read) == NULL;
	}
	check(same, "varint comes back");
	check(bounded, "varint that is cut off is refused");

	same = bounded = true;
	for (int i = 0; i < 200000; i++)
	{
		amount128	value = (amount128) ((((uamount128) random_next() << 64) | random_next()) >>
										 (1 + random_next() % 127));
		uint8_t    *end = varint_put_amount(bytes, value);
		amount128	read = 0;

		same &= varint_get_amount(bytes, end, &read) == end && read == value;
		bounded &= varint_get_amount(bytes, end - 1, &read) == NULL;
	}
	check(same, "amount comes back");
	check(bounded, "amount that is cut off is refused");

	same = true;
	for (int64_t value = -300; value <= 300; value++)
		same &= zigzag_decode(zigzag_encode(value)) == value;
	check(same && zigzag_decode(zigzag_encode(INT64_MIN)) == INT64_MIN &&
		  zigzag_decode(zigzag_encode(INT64_MAX)) == INT64_MAX, "zigzag comes back");
}

static void
entries(void)
{
	bool		same = true;
	bool		bounded = true;

	for (int i = 0; i < 200000; i++)
	{
		DayEntry	entry = {0};
		DayEntry	read = {0};
		uint64_t	step = random_next() >> (31 + random_next() % 33);
		uint64_t	read_step = 0;
		uint8_t		bytes[ENTRY_MAX_BYTES];
		uint8_t    *end;

		entry.orders = (int64_t) (random_next() >> (1 + random_next() % 63));
		if (entry.orders > 0)
			entry.gross = (amount128) (random_next() >> (random_next() % 64));
		if (entry.orders == 0 || random_next() % 2)
			entry.refunded = AMOUNT128_MAX >> (random_next() % 127);
		end = entry_put(bytes, step, &entry);
		same &= end <= bytes + sizeof(bytes) &&
			entry_get(bytes, end, &read_step, &read) == end &&
			read_step == step && read.orders == entry.orders &&
			read.gross == entry.gross && read.refunded == entry.refunded;
		bounded &= entry_get(bytes, end - 1, &read_step, &read) == NULL;
	}
	check(same, "entry comes back");
	check(bounded, "entry that is cut off is refused");
}

/* Whatever random bytes read as, writes as the same bytes. */
static void
random_bytes(void)
{
	bool		canonical = true;
	int			read_well = 0;

	for (int i = 0; i < 1000000; i++)
	{
		int			length = (int) (random_next() % 24);
		uint8_t    *bytes = malloc(length > 0 ? length : 1);	/* its end is guarded */
		uint8_t		again[ENTRY_MAX_BYTES];
		const uint8_t *end;
		DayEntry	entry;
		uint64_t	step;

		for (int j = 0; j < length; j++)
			bytes[j] = (uint8_t) (random_next() & (random_next() % 2 ? 0xff : 0x83));
		end = entry_get(bytes, bytes + length, &step, &entry);
		if (end != NULL)
		{
			size_t		used = (size_t) (end - bytes);

			read_well++;
			canonical &= (size_t) (entry_put(again, step, &entry) - again) == used &&
				memcmp(again, bytes, used) == 0;
		}
		free(bytes);
	}
	check(canonical, "what can be read is in its one form");
	check(read_well > 10000, "some random bytes are entries");
}

int
main(void)
{
	varints();
	entries();
	random_bytes();
	printf("history_codec: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
