/*
 * natural_breaks.c
 *	  Optimal classes of one-dimensional values (k-means, solved exactly).
 *
 * Divides d distinct values x_1 < x_2 < ... with multiplicities w into k
 * classes of neighbours so that the sum of squares within the classes
 *
 *		C(i, j) = sum w x^2 - (sum w x)^2 / (sum w)		over x_i .. x_{j-1}
 *
 * is the least possible.  In one dimension the best classes are intervals, so
 * dynamic programming finds the optimum and not just a good division
 * (W. D. Fisher, "On Grouping for Maximum Homogeneity", JASA 53, 1958):
 *
 *		E_1(i) = C(i, d)
 *		E_c(i) = min over j > i of C(i, j) + E_{c-1}(j)
 *
 * where E_c(i) is the cost of the best c classes of x_i .. x_{d-1}.
 *
 * Time.  C fulfils the quadrangle inequality: for a <= b <= c <= e,
 * C(a,c) + C(b,e) <= C(a,e) + C(b,c).  Let j(i) be the smallest minimiser of
 * row i.  Then j(i) does not fall with i: if i < i' and j(i') < j(i), the
 * inequality with (i, i', j(i'), j(i)) together with the strictness of "no
 * minimiser before j(i)" would make j(i) better than j(i') in row i'.  So the
 * middle row bounds the rows above and below it, and a layer costs
 * O(d log d) by divide and conquer: O(k d log d) altogether.
 *
 * Ties.  Several divisions may reach the optimum (1 2 3 in two classes).  The
 * one with the smallest first cut is taken, among those the one with the
 * smallest second cut, and so on.  That is why the recursion runs from the
 * right: the walk over the result starts with the lowest class and takes at
 * each step the smallest end that still reaches the optimum.
 *
 * Rounding.  Squares cancel badly, and a tie must not be decided by noise.
 * The values are centred on one of themselves and scaled by a power of two,
 * both without error, and all sums are pairs of doubles (106 bits; T. J.
 * Dekker, "A floating-point technique for extending the available precision",
 * Numer. Math. 18, 1971).  Two costs count as equal when they differ by less
 * than 2^-94 (5e-29) of the whole sum of squares: well above what is lost on
 * the way, since each prefix sum is rounded only once, and far below what
 * tells real divisions apart.  Only among values of more than 12 orders of
 * magnitude can the divisions of the smallest ones drown in that of the
 * largest; they then count as tied.  Most comparisons are not that close and
 * are settled in plain doubles.
 */
#include "numerics/natural_breaks.h"

#include <math.h>
#include <stdint.h>

/* A number as the unevaluated sum of two doubles, |lo| <= ulp(hi) / 2. */
typedef struct Pair
{
	double		hi;
	double		lo;
} Pair;

typedef struct Breaks
{
	size_t		distinct;
	double	   *weight;			/* prefix sums: weight[i] of the first i values */
	Pair	   *sum;
	Pair	   *square;
	Pair	   *cost;			/* this layer, by first value */
	Pair	   *cost_before;	/* the layer with one class less */
	uint32_t   *choice;			/* end of the first class, layer by layer */
	double		tie;			/* differences below are none */
	double		clear;			/* differences above are sure in doubles */
	void		(*interrupt)(void);
} Breaks;

/* ---------- arithmetic on pairs ---------- */

static inline Pair
pair_quick_sum(double a, double b)
{
	Pair		r;

	r.hi = a + b;
	r.lo = b - (r.hi - a);
	return r;
}

/* a + b and its rounding error, whatever their sizes. */
static inline Pair
pair_sum(double a, double b)
{
	Pair		r;
	double		bb;

	r.hi = a + b;
	bb = r.hi - a;
	r.lo = (a - (r.hi - bb)) + (b - bb);
	return r;
}

/* a * b and its rounding error; the factors are split at half their bits. */
static inline Pair
pair_product(double a, double b)
{
	const double splitter = 134217729.0;	/* 2^27 + 1 */
	double		t = splitter * a;
	double		a_hi = t - (t - a);
	double		a_lo = a - a_hi;
	double		b_hi;
	double		b_lo;
	Pair		r;

	t = splitter * b;
	b_hi = t - (t - b);
	b_lo = b - b_hi;
	r.hi = a * b;
	r.lo = ((a_hi * b_hi - r.hi) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo;
	return r;
}

static inline Pair
pair_add(Pair a, Pair b)
{
	Pair		high = pair_sum(a.hi, b.hi);
	Pair		low = pair_sum(a.lo, b.lo);

	high = pair_quick_sum(high.hi, high.lo + low.hi);
	return pair_quick_sum(high.hi, high.lo + low.lo);
}

static inline Pair
pair_subtract(Pair a, Pair b)
{
	b.hi = -b.hi;
	b.lo = -b.lo;
	return pair_add(a, b);
}

static inline Pair
pair_multiply(Pair a, Pair b)
{
	Pair		r = pair_product(a.hi, b.hi);

	return pair_quick_sum(r.hi, r.lo + (a.hi * b.lo + a.lo * b.hi));
}

static inline Pair
pair_scale(Pair a, double b)
{
	Pair		r = pair_product(a.hi, b);

	return pair_quick_sum(r.hi, r.lo + a.lo * b);
}

static inline Pair
pair_divide(Pair a, double b)
{
	double		first = a.hi / b;
	Pair		rest = pair_subtract(a, pair_product(first, b));
	double		second = rest.hi / b;
	Pair		r = pair_quick_sum(first, second);

	rest = pair_subtract(rest, pair_product(second, b));
	return pair_quick_sum(r.hi, r.lo + rest.hi / b);
}

/* A running sum with a third double, so that a million terms lose nothing. */
typedef struct Running
{
	double		a;
	double		b;
	double		c;
} Running;

static Pair
running_add(Running *sum, Pair term)
{
	Pair		first = pair_sum(sum->a, term.hi);
	Pair		second = pair_sum(sum->b, term.lo);
	Pair		carry = pair_sum(second.hi, first.lo);
	Pair		low = pair_sum(carry.hi, 0);
	Pair		high;

	sum->c += second.lo + carry.lo;
	low = pair_sum(carry.hi, sum->c);
	high = pair_sum(first.hi, low.hi);
	low = pair_sum(high.lo, low.lo);
	sum->a = high.hi;
	sum->b = low.hi;
	sum->c = low.lo;
	return pair_quick_sum(sum->a, sum->b);
}

/* ---------- the dynamic programme ---------- */

/* The sum of squares of the values first .. end - 1 about their mean. */
static Pair
class_cost(const Breaks *breaks, size_t first, size_t end)
{
	Pair		zero = {0, 0};
	Pair		sum;
	Pair		cost;

	/* one value costs nothing, exactly */
	if (end - first <= 1)
		return zero;
	sum = pair_subtract(breaks->sum[end], breaks->sum[first]);
	cost = pair_subtract(breaks->square[end], breaks->square[first]);
	cost = pair_subtract(cost, pair_divide(pair_multiply(sum, sum),
										   breaks->weight[end] - breaks->weight[first]));
	return cost.hi < 0 ? zero : cost;
}

/* The same in doubles: good to 2^-49 of the whole sum of squares. */
static inline double
class_cost_roughly(const Breaks *breaks, size_t first, size_t end)
{
	double		sum = (breaks->sum[end].hi - breaks->sum[first].hi) +
		(breaks->sum[end].lo - breaks->sum[first].lo);
	double		square = (breaks->square[end].hi - breaks->square[first].hi) +
		(breaks->square[end].lo - breaks->square[first].lo);

	return square - sum * sum / (breaks->weight[end] - breaks->weight[first]);
}

/*
 * Find the best end of the class that begins at `first`, in from .. to: the
 * smallest of those that cost the least.  A first pass in doubles leaves few
 * that are worth the exact comparison.
 */
static size_t
choose_end(Breaks *breaks, size_t first, size_t from, size_t to)
{
	double		worth_a_look = INFINITY;
	size_t		best = to;
	Pair		best_cost = {INFINITY, 0};

	for (size_t end = from; end <= to; end++)
	{
		double		class = class_cost_roughly(breaks, first, end);
		double		limit = class + breaks->cost_before[end].hi + breaks->clear;

		/* a longer class costs no less: nothing better comes behind */
		if (class > worth_a_look)
		{
			to = end - 1;
			break;
		}
		if (limit < worth_a_look)
			worth_a_look = limit;
	}

	for (size_t end = from; end <= to; end++)
	{
		Pair		cost;

		if (class_cost_roughly(breaks, first, end) + breaks->cost_before[end].hi >
			worth_a_look)
			continue;

		cost = pair_add(class_cost(breaks, first, end), breaks->cost_before[end]);
		if (isinf(best_cost.hi) || pair_subtract(best_cost, cost).hi > breaks->tie)
		{
			best = end;
			best_cost = cost;
		}
	}
	breaks->cost[first] = best_cost;
	return best;
}

/* Rows low .. high of a layer, whose best ends are known to be in from .. to. */
static void
solve_rows(Breaks *breaks, uint32_t *choice, size_t low, size_t high, size_t from, size_t to)
{
	while (low <= high)
	{
		size_t		middle = low + (high - low) / 2;
		size_t		end = choose_end(breaks, middle, from > middle ? from : middle + 1, to);

		choice[middle] = (uint32_t) end;
		if (breaks->interrupt != NULL && high - low > 1024)
			breaks->interrupt();
		if (middle > low)
			solve_rows(breaks, choice, low, middle - 1, from, end);
		low = middle + 1;
		from = end;
	}
}

/*
 * Prefix sums of the values, moved to a value near their mean and scaled to
 * at most 1.
 */
static void
sum_prefixes(Breaks *breaks, const double *values, const double *through)
{
	size_t		distinct = breaks->distinct;
	double		smallest = values[0];
	double		largest = values[distinct - 1];
	double		halve = 1;
	double		mean = 0;
	double		centre;
	double		spread;
	int			exponent;
	size_t		low = 0;
	size_t		high = distinct - 1;
	Running		sum = {0, 0, 0};
	Running		square = {0, 0, 0};
	Pair		zero = {0, 0};

	/* far out, a difference of two values may exceed the largest double */
	if (fabs(smallest) > 0x1p1000 || fabs(largest) > 0x1p1000)
		halve = 0x1p-8;

	for (size_t i = 0; i < distinct; i++)
		mean += values[i] * halve * ((through[i] - (i > 0 ? through[i - 1] : 0)) /
									 through[distinct - 1]);

	/* a value itself as the centre keeps whole numbers whole */
	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (values[middle] * halve < mean)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && mean - values[low - 1] * halve < values[low] * halve - mean)
		low--;
	centre = values[low] * halve;

	spread = fmax(largest * halve - centre, centre - smallest * halve);
	frexp(spread, &exponent);

	breaks->weight[0] = 0;
	breaks->sum[0] = zero;
	breaks->square[0] = zero;
	for (size_t i = 0; i < distinct; i++)
	{
		double		weight = through[i] - (i > 0 ? through[i - 1] : 0);
		Pair		x = pair_sum(values[i] * halve, -centre);

		x.hi = ldexp(x.hi, -exponent);
		x.lo = ldexp(x.lo, -exponent);
		breaks->weight[i + 1] = through[i];
		breaks->sum[i + 1] = running_add(&sum, pair_scale(x, weight));
		breaks->square[i + 1] = running_add(&square, pair_scale(pair_multiply(x, x), weight));
		if (breaks->interrupt != NULL && i % 65536 == 65535)
			breaks->interrupt();
	}
}

/* Bytes of workspace for at most `distinct` values in `classes` classes. */
size_t
natural_breaks_workspace(size_t distinct, int classes)
{
	size_t		n = distinct + 1;

	return n * (4 * sizeof(Pair) + sizeof(double)) +
		n * (size_t) (classes > 2 ? classes - 2 : 0) * sizeof(uint32_t);
}

/*
 * Divide `distinct` ascending values, of which `through[i]` rows are at or
 * below the i-th, into `classes` classes (at least 2), or as many as there
 * are values.  Writes the largest value of every class but the last and
 * returns how many.
 */
int
natural_breaks(const double *values, const double *through, size_t distinct, int classes,
			   double *cuts, void *workspace, void (*interrupt)(void))
{
	Breaks		breaks;
	size_t		first = 0;
	size_t		layer_size = distinct + 1;
	double		whole;

	if ((size_t) classes >= distinct)
	{
		for (size_t i = 0; i + 1 < distinct; i++)
			cuts[i] = values[i];
		return (int) distinct - 1;
	}

	breaks.distinct = distinct;
	breaks.interrupt = interrupt;
	breaks.sum = workspace;
	breaks.square = breaks.sum + layer_size;
	breaks.cost = breaks.square + layer_size;
	breaks.cost_before = breaks.cost + layer_size;
	breaks.weight = (double *) (breaks.cost_before + layer_size);
	breaks.choice = (uint32_t *) (breaks.weight + layer_size);

	sum_prefixes(&breaks, values, through);
	/* values are at most 1 in size, so their sum weighs in like their squares */
	whole = breaks.square[distinct].hi + fabs(breaks.sum[distinct].hi);
	for (size_t i = 0; i <= distinct; i++)
		whole = fmax(whole, fabs(breaks.sum[i].hi));
	breaks.tie = 0x1p-94 * whole;
	breaks.clear = 0x1p-45 * whole;

	/* c classes of values[first..] leave at least one value to each */
	for (size_t i = 0; i < distinct; i++)
		breaks.cost[i] = class_cost(&breaks, i, distinct);
	for (int c = 2; c <= classes; c++)
	{
		Pair	   *swap = breaks.cost_before;
		size_t		earlier = (size_t) (classes - c);

		breaks.cost_before = breaks.cost;
		breaks.cost = swap;
		if (c == classes)
			first = choose_end(&breaks, 0, 1, distinct - (size_t) (c - 1));
		else
			solve_rows(&breaks, breaks.choice + (size_t) (c - 2) * layer_size, earlier,
					   distinct - (size_t) c, earlier + 1, distinct - (size_t) (c - 1));
	}

	for (int c = classes; c >= 2; c--)
	{
		cuts[classes - c] = values[first - 1];
		if (c > 2)
			first = breaks.choice[(size_t) (c - 3) * layer_size + first];
	}
	return classes - 1;
}
