/*
 * clv_rows.h
 *	  What a fit reads: the distinct rows of its input, each with its weight.
 */
#ifndef CUSTOMER_TIER_CLV_ROWS_H
#define CUSTOMER_TIER_CLV_ROWS_H

#include "clv/model.h"
#include "fmgr.h"
#include "lib/stringinfo.h"

/*
 * A distinct row.  Its weight is unit * count: weights that are whole numbers
 * are added up in count with a unit of 1, which is exact; every other weight
 * is a unit of its own, so that nothing is ever added in the order in which
 * rows happened to come.
 */
typedef struct RowEntry
{
	double		x;				/* repeat purchases */
	double		t_x;			/* time of the last one; or the mean spend */
	double		T;				/* time observed */
	double		unit;
	int64		count;
} RowEntry;

typedef struct RowTable
{
	MemoryContext context;
	uint32		used;
	uint32		room;
	RowEntry   *entry;			/* in the order of arrival */
	uint32		mask;			/* slots - 1; slots are a power of two */
	uint32	   *slot;			/* 1 + number of an entry, or 0 */
} RowTable;

/* The rows of a table sorted, one for each (x, t_x, T), and what they add up to. */
typedef struct RowSet
{
	int64		n;
	ClvRow	   *row;
	double	   *weight;
	double		customers;		/* sum of the weights */
	double		repeaters;		/* of these with x > 0 */
	double		purchases;		/* sum of weight * x */
	uint64		fingerprint;
} RowSet;

extern void row_table_init(RowTable *table, MemoryContext context);
extern void row_table_add(RowTable *table, double x, double t_x, double T,
						  double weight);
extern void row_table_merge(RowTable *into, const RowTable *from);
extern void row_table_send(StringInfo buf, const RowTable *table);
extern void row_table_receive(RowTable *table, StringInfo buf);
extern void row_table_sorted(const RowTable *table, RowSet *set);

#endif							/* CUSTOMER_TIER_CLV_ROWS_H */
