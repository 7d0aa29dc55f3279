/*
 * double_double.h
 *	  Arithmetic with pairs of doubles: about 106 bits.
 *
 * A value is hi + lo, with |lo| at most half a unit in the last place of hi.
 * Algorithms: T. J. Dekker, "A floating-point technique for extending the
 * available precision", Numer. Math. 18 (1971), and D. E. Knuth, The Art of
 * Computer Programming 2, 4.2.2 (the sum).  They need a compiler that keeps
 * to IEEE arithmetic: build with -ffp-contract=off, without -ffast-math.
 */
#ifndef NUMERICS_DOUBLE_DOUBLE_H
#define NUMERICS_DOUBLE_DOUBLE_H

#include <math.h>

typedef struct DoubleDouble
{
	double		hi;
	double		lo;
} DoubleDouble;

extern DoubleDouble dd_log(double value);
extern double dd_exp(DoubleDouble value);

static inline DoubleDouble
dd_from(double value)
{
	return (DoubleDouble) {value, 0};
}

/* The sum of two doubles, exactly. */
static inline DoubleDouble
two_sum(double a, double b)
{
	double		sum = a + b;
	double		b_seen = sum - a;

	return (DoubleDouble) {sum, (a - (sum - b_seen)) + (b - b_seen)};
}

/* The same where |a| >= |b|. */
static inline DoubleDouble
quick_two_sum(double a, double b)
{
	double		sum = a + b;

	return (DoubleDouble) {sum, b - (sum - a)};
}

/* The product of two doubles, exactly, as long as nothing over- or underflows. */
static inline DoubleDouble
two_product(double a, double b)
{
	double		product = a * b;

	return (DoubleDouble) {product, fma(a, b, -product)};
}

static inline DoubleDouble
dd_negate(DoubleDouble a)
{
	return (DoubleDouble) {-a.hi, -a.lo};
}

static inline DoubleDouble
dd_add(DoubleDouble a, DoubleDouble b)
{
	DoubleDouble high = two_sum(a.hi, b.hi);
	DoubleDouble low = two_sum(a.lo, b.lo);

	high = quick_two_sum(high.hi, high.lo + low.hi);
	return quick_two_sum(high.hi, high.lo + low.lo);
}

static inline DoubleDouble
dd_subtract(DoubleDouble a, DoubleDouble b)
{
	return dd_add(a, dd_negate(b));
}

static inline DoubleDouble
dd_multiply(DoubleDouble a, DoubleDouble b)
{
	DoubleDouble product = two_product(a.hi, b.hi);

	return quick_two_sum(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi));
}

static inline DoubleDouble
dd_scale(DoubleDouble a, double factor)
{
	DoubleDouble product = two_product(a.hi, factor);

	return quick_two_sum(product.hi, product.lo + a.lo * factor);
}

static inline DoubleDouble
dd_divide(DoubleDouble a, DoubleDouble b)
{
	double		first = a.hi / b.hi;
	DoubleDouble rest = dd_subtract(a, dd_scale(b, first));
	double		second = rest.hi / b.hi;
	DoubleDouble quotient;

	rest = dd_subtract(rest, dd_scale(b, second));
	quotient = quick_two_sum(first, second);
	return dd_add(quotient, dd_from(rest.hi / b.hi));
}

static inline int
dd_less(DoubleDouble a, DoubleDouble b)
{
	return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

#endif							/* NUMERICS_DOUBLE_DOUBLE_H */
