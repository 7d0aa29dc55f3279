/*
 * decimal.c
 *	  A decimal number as the nearest double.
 *
 * What strtod() makes of "1234.56" and decimal_to_double() of (123456, 2) are
 * the same bits, since both are correctly rounded: the nearest double, and of
 * two that are equally near the one with an even last bit.  Here it takes one
 * division.
 */
#include "numerics/decimal.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

typedef unsigned __int128 uint128;

static const uint64_t power_of_ten[DECIMAL_MAX_SCALE + 1] = {
	UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000),
	UINT64_C(100000), UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000),
	UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
	UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000),
	UINT64_C(1000000000000000), UINT64_C(10000000000000000),
	UINT64_C(100000000000000000), UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000)
};

static int
leading_zeros(uint128 value)
{
	uint64_t	high = (uint64_t) (value >> 64);

	return high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t) value);
}

double
decimal_to_double(uint128 units, int decimals)
{
	int			shift;
	int			drop;
	uint128		quotient;
	uint128		rest;
	uint128		half;
	uint64_t	mantissa;
	int			inexact;

	if (units == 0)
		return 0;

#if FLT_EVAL_METHOD == 0
	/* Both are doubles as they are (10^19 = 2^19 * 5^19): one division rounds once. */
	if (units <= UINT64_C(1) << DBL_MANT_DIG)
		return (double) (uint64_t) units / (double) power_of_ten[decimals];
#endif

	/*
	 * With the units shifted to fill 128 bits and a divisor below 2^64, the
	 * quotient has 64 bits or more.  What is cut off from it, and whether
	 * the division left a rest, decide how it is rounded.
	 */
	shift = leading_zeros(units);
	units <<= shift;
	quotient = units / power_of_ten[decimals];
	inexact = quotient * power_of_ten[decimals] != units;
	drop = 128 - DBL_MANT_DIG - leading_zeros(quotient);
	half = (uint128) 1 << (drop - 1);
	rest = quotient & ((half << 1) - 1);
	mantissa = (uint64_t) (quotient >> drop);
	if (rest > half || (rest == half && (inexact || (mantissa & 1))))
		mantissa++;
	return ldexp((double) mantissa, drop - shift);
}
