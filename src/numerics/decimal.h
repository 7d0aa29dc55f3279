/*
 * decimal.h
 *	  A decimal number as the nearest double.
 *
 * Plain C, no PostgreSQL headers, so that it can be tested alone.
 */
#ifndef DECIMAL_H
#define DECIMAL_H

/* As many decimals as decimal_to_double takes: 10^19 is below 2^64. */
#define DECIMAL_MAX_SCALE 19

/* units / 10^decimals, rounded to the nearest double, ties to even. */
extern double decimal_to_double(unsigned __int128 units, int decimals);

#endif							/* DECIMAL_H */
