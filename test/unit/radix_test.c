/*
 * radix_test.c
 *	  radix: every shape of keys sorted and stable, merges, and the records of
 *	  the bulk builder there and back.
 */
#include "history/bulk_record.h"
#include "numerics/radix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int	passed = 0;
static int	failed = 0;

static void
check(int ok, const char *what)
{
	if (ok)
	{
		passed++;
		return;
	}
	failed++;
	printf("radix: FAILED %s\n", what);
}

static uint64_t seed = 1;

static uint64_t
next_random(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static int	interrupts = 0;

static void
count_interrupt(void)
{
	interrupts++;
}

/* The key of the i-th of count records, in one of many shapes. */
#define SHAPES	14

static uint64_t
shaped_key(int shape, size_t i, size_t count)
{
	uint64_t	sign = UINT64_C(1) << 63;

	switch (shape)
	{
		case 0:
			return next_random();
		case 1:
			return i;
		case 2:
			return count - i;
		case 3:
			return 42;
		case 4:
			return next_random() % 10;
		case 5:
			return sign + next_random() % (count / 20 + 1);
		case 6:
			return sign + (next_random() % 1000) - 500;
		case 7:
			return i == count / 2 ? UINT64_MAX : next_random() % 100000;
		case 8:
			return UINT64_C(1) << (next_random() % 64);
		case 9:
			return next_random() << 40;
		case 10:
			return next_random() % 5 == 0 ? next_random() : 7;
		case 11:
			return i % 2 == 0 ? 0 : UINT64_MAX;
		case 12:
			return (next_random() % 300 << 50) + next_random() % 300;
		default:
			return next_random() & next_random() & next_random();
	}
}

static uint64_t
spread(uint64_t key)
{
	key ^= key >> 31;
	key *= UINT64_C(0xBF58476D1CE4E5B9);
	return key ^ key >> 29;
}

static void
test_sort(void)
{
	static const size_t counts[] = {0, 1, 2, 3, 23, 24, 25, 26, 100, 255, 256, 257, 1000,
	16383, 16384, 16385, 70000, 300000};

	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
	{
		size_t		count = counts[c];
		RadixRecord *records = malloc((count + 1) * sizeof(RadixRecord));
		RadixRecord *scratch = malloc((count + 1) * sizeof(RadixRecord));

		for (int shape = 0; shape < SHAPES; shape++)
		{
			uint64_t	before = 0;
			uint64_t	after = 0;
			int			ok = 1;

			for (size_t i = 0; i < count; i++)
			{
				records[i].key = shaped_key(shape, i, count);
				records[i].value = i;
				before += spread(records[i].key + spread(i));
			}
			records[count].key = scratch[count].key = 99;
			radix_sort(records, scratch, count, count_interrupt);
			for (size_t i = 0; i < count; i++)
			{
				after += spread(records[i].key + spread(records[i].value));
				if (i > 0 && (records[i - 1].key > records[i].key ||
							  (records[i - 1].key == records[i].key &&
							   records[i - 1].value >= records[i].value)))
					ok = 0;
			}
			check(ok, "sorted and stable");
			check(before == after, "the same records");
			check(records[count].key == 99 && scratch[count].key == 99, "nothing past the end");
		}
		free(records);
		free(scratch);
	}
	check(interrupts > 10, "interrupts are seen to");

	{
		RadixRecord few[2] = {{2, 0}, {1, 0}};
		RadixRecord room[2];

		radix_sort(few, room, 2, NULL);
		check(few[0].key == 1, "without an interrupt");
	}
}

static void
test_sort_by_top(void)
{
	static const size_t counts[] = {0, 1, 2, 24, 25, 1000, 5000};

	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
	{
		size_t		count = counts[c];
		uint64_t   *values = malloc((count + 1) * sizeof(uint64_t));
		uint64_t   *scratch = malloc((count + 1) * sizeof(uint64_t));
		uint64_t	before = 0;
		uint64_t	after = 0;
		int			ok = 1;

		for (size_t i = 0; i < count; i++)
			before += spread(values[i] = next_random());
		radix_sort_by_top(values, scratch, count);
		for (size_t i = 0; i < count; i++)
		{
			after += spread(values[i]);
			if (i > 0 && values[i - 1] >> 48 > values[i] >> 48)
				ok = 0;
		}
		check(ok && before == after, "values by their top bits");
		free(values);
		free(scratch);
	}
}

/* Merge runs of random lengths; equal keys come in the order of the runs. */
static void
test_heap(void)
{
	for (size_t runs = 0; runs < 40; runs++)
	{
		RadixHead	heap[40];
		int			left[40];
		size_t		count = 0;
		RadixHead	last = {0, 0};
		int			taken = 0;
		int			put = 0;
		int			ok = 1;

		for (size_t i = 0; i < runs; i++)
		{
			left[i] = (int) (next_random() % 20) + 1;
			put += left[i];
			heap[count].key = next_random() % 5;
			heap[count++].run = (uint32_t) (runs - 1 - i);
		}
		radix_heap_build(heap, count);
		while (count > 0)
		{
			if (taken++ > 0 && (heap[0].key < last.key ||
								(heap[0].key == last.key && heap[0].run < last.run)))
				ok = 0;
			last = heap[0];
			if (--left[heap[0].run] > 0)
				heap[0].key += next_random() % 3;
			else
				heap[0] = heap[--count];
			radix_heap_lower(heap, count);
		}
		check(ok && taken == put, "merged in order");
	}
}

static void
check_row(int32_t day, amount128 units, int scale)
{
	if (head_fits(day, units))
	{
		uint64_t	head = head_make(day, (int64_t) units, scale);

		for (int keyed = 0; keyed < 2; keyed++)
		{
			check(head_is_compact(head) && !head_is_line(head) && !head_is_bad(head) &&
				  head_extra_words(head) == 0, "a compact head");
			check(head_day(head) == day && head_units(head) == units && head_scale(head) == scale,
				  "a compact row there and back");
			head |= HEAD_KEYED;
		}
	}
	else
	{
		uint64_t	word[WIDE_WORDS];
		int32_t		day_read;
		amount128	units_read;
		int			scale_read;

		wide_make(word, day, units, scale);
		wide_read(word, &day_read, &units_read, &scale_read);
		check(day_read == day && units_read == units && scale_read == scale,
			  "a wide row there and back");
	}
}

static void
check_line(int64_t lines, amount128 units, int scale)
{
	uint64_t	head;

	if (!line_fits(lines, units))
		return;
	head = line_make(lines, (int64_t) units, scale);
	for (int keyed = 0; keyed < 2; keyed++)
	{
		check(head_is_line(head) && !head_is_wide_line(head) && !head_is_compact(head) &&
			  !head_is_bad(head) && head_extra_words(head) == LINE_WORDS, "the head of a line");
		check(line_lines(head) == lines && head_units(head) == units && head_scale(head) == scale,
			  "a line there and back");
		head |= HEAD_KEYED;
	}
}

static void
test_lines(void)
{
	const amount128 amounts[] = {0, 1, -1, HEAD_AMOUNT_MAX, -HEAD_AMOUNT_MAX, HEAD_AMOUNT_MAX + 1};

	for (int scale = 0; scale <= 6; scale++)
	{
		for (int64_t lines = 1; lines <= LINE_LINES_MAX + 1; lines++)
			for (size_t a = 0; a < sizeof(amounts) / sizeof(amounts[0]); a++)
				check_line(lines, amounts[a], scale);
		for (size_t words = WIDE_LINE_WORDS; words < 100000; words = words * 2 + 1)
		{
			uint64_t	head = wide_line_make(words, scale) | (words % 2 ? HEAD_KEYED : 0);

			check(head_is_line(head) && head_is_wide_line(head) && !head_is_compact(head) &&
				  !head_is_bad(head), "the head of a wide line");
			check(head_extra_words(head) == words && head_scale(head) == scale, "a wide line there and back");
		}
	}
	check(line_fits(LINE_LINES_MAX, -HEAD_AMOUNT_MAX) && !line_fits(LINE_LINES_MAX + 1, 0) &&
		  !line_fits(1, HEAD_AMOUNT_MAX + 1) && !line_fits(1, -HEAD_AMOUNT_MAX - 1), "what does not fit a line");
	check(!head_is_line(HEAD_WIDE) && !head_is_line(HEAD_BAD) && head_extra_words(HEAD_WIDE) == WIDE_WORDS &&
		  head_extra_words(HEAD_BAD) == 0 && !head_is_line(head_make(HEAD_LAST_DAY, -1, 6) | HEAD_KEYED),
		  "no line");
}

static void
test_records(void)
{
	static const int32_t days[] = {-2451545, INT32_MIN + 1, HEAD_FIRST_DAY - 1, HEAD_FIRST_DAY, -1, 0, 1,
	9131, HEAD_LAST_DAY, HEAD_LAST_DAY + 1, INT32_MAX};
	const amount128 amounts[] = {0, 1, -1, 2999, -2999, HEAD_AMOUNT_MAX, -HEAD_AMOUNT_MAX,
		HEAD_AMOUNT_MAX + 1, -HEAD_AMOUNT_MAX - 1, INT64_MAX, INT64_MIN,
	(amount128) INT64_MAX * 1000, AMOUNT128_MAX, -AMOUNT128_MAX};

	for (size_t d = 0; d < sizeof(days) / sizeof(days[0]); d++)
		for (size_t a = 0; a < sizeof(amounts) / sizeof(amounts[0]); a++)
			for (int scale = 0; scale <= 6; scale++)
				check_row(days[d], amounts[a], scale);

	for (int keyed = 0; keyed < 2; keyed++)
	{
		uint64_t	more = keyed ? HEAD_KEYED : 0;

		check(!head_is_compact(HEAD_WIDE | more) && !head_is_bad(HEAD_WIDE | more), "a wide head");
		check(!head_is_compact(HEAD_BAD | more) && head_is_bad(HEAD_BAD | more), "a bad head");
	}
	check(head_make(5, -100, 0) < head_make(6, -200, 2) && head_make(-5, 1, 0) < head_make(5, 0, 0),
		  "heads are in the order of days");
	check(!head_fits(HEAD_LAST_DAY + 1, 0) && !head_fits(0, HEAD_AMOUNT_MAX + 1), "what does not fit");
}

int
main(void)
{
	test_sort();
	test_sort_by_top();
	test_heap();
	test_records();
	test_lines();
	printf("radix: %d passed, %d failed\n", passed, failed);
	return failed != 0;
}
