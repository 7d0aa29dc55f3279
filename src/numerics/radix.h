/*
 * radix.h
 *	  Sorting of records by 64-bit keys, and merging of what has been sorted.
 *
 * Plain C99; memory comes from the caller.
 */
#ifndef RADIX_H
#define RADIX_H

#include <stddef.h>
#include <stdint.h>

/* Sorted by the key; the value goes with it and is not looked at. */
typedef struct RadixRecord
{
	uint64_t	key;
	uint64_t	value;
} RadixRecord;

/* The head of a sorted run that takes part in a merge. */
typedef struct RadixHead
{
	uint64_t	key;
	uint32_t	run;
} RadixHead;

/*
 * Sort records by key; records with equal keys keep their order.  There are
 * "count" records of scratch.  "interrupt", which may be NULL, is called every
 * some ten thousand records and need not return.
 */
extern void radix_sort(RadixRecord *records, RadixRecord *scratch, size_t count,
					   void (*interrupt) (void));

/* Sort values by their top 16 bits; there are "count" values of scratch. */
extern void radix_sort_by_top(uint64_t *values, uint64_t *scratch, size_t count);

/*
 * A heap of heads, the least first: by key, then by run, so that a merge leaves
 * records with equal keys in the order of their runs.
 */
extern void radix_heap_build(RadixHead *heap, size_t count);
extern void radix_heap_lower(RadixHead *heap, size_t count);

#endif							/* RADIX_H */
