/*
 * radix.c
 *	  Sorting of records by 64-bit keys, and merging of what has been sorted.
 *
 * A radix sort that moves through memory in two ways.  While there is more
 * than the processor's cache holds, records are dealt out by the topmost bits
 * in which they differ, once, to buckets that are sorted one after the other.
 * What fits the cache is sorted by the lowest digit first (LSD), one stable
 * pass a digit.  Where that would take more passes than dealing out again
 * (few records with long keys, such as hashes), it goes on dealing.  Bits that
 * are the same in all keys cost nothing.
 */
#include "numerics/radix.h"

#include <stdbool.h>
#include <string.h>

#define DIGIT_BITS			10
#define DIGIT_VALUES		(1 << DIGIT_BITS)

/* So many records are sorted by insertion. */
#define INSERTION_COUNT		24

/* So many records, and their scratch, are thought to stay in the cache. */
#define CACHED_COUNT		32768

/* The number of the topmost bit that is set; bits are not 0. */
static inline int
top_bit(uint64_t bits)
{
	return 63 - __builtin_clzll(bits);
}

static inline int
lowest_bit(uint64_t bits)
{
	return __builtin_ctzll(bits);
}

static void
insertion_sort(RadixRecord *records, size_t count)
{
	for (size_t i = 1; i < count; i++)
	{
		RadixRecord moved = records[i];
		size_t		hole = i;

		for (; hole > 0 && records[hole - 1].key > moved.key; hole--)
			records[hole] = records[hole - 1];
		records[hole] = moved;
	}
}

/* The bits in which keys differ; 0 if the records are in order already. */
static uint64_t
differing_bits(const RadixRecord *records, size_t count)
{
	uint64_t	first = records[0].key;
	uint64_t	bits = 0;
	bool		sorted = true;

	for (size_t i = 1; i < count; i++)
	{
		bits |= records[i].key ^ first;
		sorted &= records[i - 1].key <= records[i].key;
	}
	return sorted ? 0 : bits;
}

/* Move the records to "to" in the order of one digit, stable. */
static void
scatter(const RadixRecord *from, RadixRecord *to, size_t count, int shift, uint64_t mask,
		size_t *place)
{
	for (size_t i = 0; i < count; i++)
		to[place[(from[i].key >> shift) & mask]++] = from[i];
}

/* How many records have each value of a digit, then where the first one goes. */
static void
count_places(const RadixRecord *records, size_t count, int shift, uint64_t mask, size_t *place)
{
	size_t		sum = 0;

	memset(place, 0, (mask + 1) * sizeof(size_t));
	for (size_t i = 0; i < count; i++)
		place[(records[i].key >> shift) & mask]++;
	for (uint64_t digit = 0; digit <= mask; digit++)
	{
		size_t		here = place[digit];

		place[digit] = sum;
		sum += here;
	}
}

/*
 * Sort by all differing bits, the lowest digit first, to and fro between the
 * two buffers; returns the one with the result.
 */
static RadixRecord *
sort_by_lowest(RadixRecord *from, RadixRecord *to, size_t count, uint64_t bits)
{
	int			shift = lowest_bit(bits);
	int			width = top_bit(bits) - shift + 1;
	int			passes = (width + DIGIT_BITS - 1) / DIGIT_BITS;
	int			digit = (width + passes - 1) / passes;
	uint64_t	mask = (UINT64_C(1) << digit) - 1;
	size_t		place[DIGIT_VALUES];

	for (; passes > 0; passes--, shift += digit)
	{
		RadixRecord *swap = from;

		if ((bits >> shift & mask) == 0)
			continue;
		count_places(from, count, shift, mask, place);
		scatter(from, to, count, shift, mask, place);
		from = to;
		to = swap;
	}
	return from;
}

/* Sort what stands in "from"; the result shall stand in "result", which is one of the two. */
static void
sort_into(RadixRecord *from, RadixRecord *other, RadixRecord *result, size_t count,
		  void (*interrupt) (void))
{
	uint64_t	bits;
	int			width;
	int			digit = DIGIT_BITS;
	int			shift;
	size_t		end[DIGIT_VALUES];
	size_t		start = 0;

	if (count <= INSERTION_COUNT)
	{
		insertion_sort(from, count);
		if (from != result)
			memcpy(result, from, count * sizeof(RadixRecord));
		return;
	}
	if (count >= CACHED_COUNT && interrupt != NULL)
		interrupt();

	bits = differing_bits(from, count);
	if (bits == 0)
	{
		if (from != result)
			memcpy(result, from, count * sizeof(RadixRecord));
		return;
	}
	width = top_bit(bits) - lowest_bit(bits) + 1;

	if (count <= CACHED_COUNT && width <= top_bit(count) + 8)
	{
		RadixRecord *sorted = sort_by_lowest(from, other, count, bits);

		if (sorted != result)
			memcpy(result, sorted, count * sizeof(RadixRecord));
		return;
	}

	/* Deal out; each bucket then is a sort of its own, with the roles swapped. */
	if (top_bit(count) < digit)
		digit = top_bit(count);
	if (width < digit)
		digit = width;
	shift = top_bit(bits) - digit + 1;
	count_places(from, count, shift, (UINT64_C(1) << digit) - 1, end);
	scatter(from, other, count, shift, (UINT64_C(1) << digit) - 1, end);
	for (int i = 0; i < 1 << digit; i++)
	{
		if (end[i] > start)
			sort_into(other + start, from + start, (result == from ? from : other) + start,
					  end[i] - start, interrupt);
		start = end[i];
	}
}

void
radix_sort(RadixRecord *records, RadixRecord *scratch, size_t count, void (*interrupt) (void))
{
	sort_into(records, scratch, records, count, interrupt);
}

void
radix_sort_by_top(uint64_t *values, uint64_t *scratch, size_t count)
{
	size_t		place[256];

	if (count <= INSERTION_COUNT)
	{
		for (size_t i = 1; i < count; i++)
		{
			uint64_t	moved = values[i];
			size_t		hole = i;

			for (; hole > 0 && values[hole - 1] >> 48 > moved >> 48; hole--)
				values[hole] = values[hole - 1];
			values[hole] = moved;
		}
		return;
	}

	/* Two passes, so the result is where it was. */
	for (int shift = 48; shift < 64; shift += 8)
	{
		uint64_t   *swap = values;
		size_t		sum = 0;

		memset(place, 0, sizeof(place));
		for (size_t i = 0; i < count; i++)
			place[values[i] >> shift & 0xff]++;
		for (int digit = 0; digit < 256; digit++)
		{
			size_t		here = place[digit];

			place[digit] = sum;
			sum += here;
		}
		for (size_t i = 0; i < count; i++)
			scratch[place[values[i] >> shift & 0xff]++] = values[i];
		values = scratch;
		scratch = swap;
	}
}

static inline bool
head_less(const RadixHead *a, const RadixHead *b)
{
	return a->key != b->key ? a->key < b->key : a->run < b->run;
}

/* Let the head at "place" sink to where no other below it is less. */
static void
sift_down(RadixHead *heap, size_t count, size_t place)
{
	RadixHead	moved = heap[place];

	for (;;)
	{
		size_t		child = 2 * place + 1;

		if (child >= count)
			break;
		if (child + 1 < count && head_less(&heap[child + 1], &heap[child]))
			child++;
		if (!head_less(&heap[child], &moved))
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = moved;
}

/* Make a heap of heads in any order. */
void
radix_heap_build(RadixHead *heap, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(heap, count, i);
}

/* Restore the heap after its first head has grown, or was replaced. */
void
radix_heap_lower(RadixHead *heap, size_t count)
{
	if (count > 1)
		sift_down(heap, count, 0);
}
