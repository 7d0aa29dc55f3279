/*
 * demo_orders.c
 *	  Orders of a shop that does not exist, for demonstrations and benches.
 *
 * demo_orders(customers, days, seed) returns order lines (order_id,
 * customer_id, ordered_at, amount) over a period of so many days that ends
 * with 2024-12-31 (UTC).  They tell the story of the buy-till-you-die models
 * (Schmittlein, Morrison & Colombo, Management Science 33 (1987), the
 * Pareto/NBD; Fader & Hardie's note 025 (2013), the gamma-gamma):
 *
 *	  - A customer's first order falls anywhere in the period, GROWTH times
 *		more often at its end than at its start.
 *	  - Three in ten never think of coming back.  The others order at a rate
 *		of their own (Gamma) for a lifetime of their own (exponential, its rate
 *		Gamma): orders are a Poisson process until the customer is gone.
 *	  - A customer has a mean order value of her own, and single orders vary
 *		around it (gamma-gamma).  Amounts are whole cents.
 *	  - Now and then an order has several lines (same order_id, same
 *		ordered_at), a second order follows on the same day, or an order is
 *		refunded some days later, in whole or in part.
 *	  - Weekends and evenings are busier: the process runs in a time of its
 *		own, in which every week is 7 days of one intensity, and that time is
 *		then stretched over the days and hours of the week.
 *
 * What comes out for 100,000 customers over 730 days, seed 1:
 *
 *	  orders		1,820,881 in 2,153,588 rows: 18.2 orders a customer; half of
 *					the customers have at most 4, one in ten 52 or more
 *	  once only		37 % of the customers
 *	  revenue		the best 1 % of the customers bring 18 %, the best 10 % 62 %,
 *					the best 20 % 80 %
 *	  order value	mean 44.65, median 32.42, one in a hundred above 217
 *	  refunds		of 2.9 % of the orders and 2.3 % of the revenue; 0.6 % of the
 *					customers gave back all they had bought
 *	  lines			10 % of the orders have several
 *	  last 90 days	48 % of the customers ordered
 *
 * Each customer draws from a stream of (seed, customer) alone, so the rows of
 * the first n customers are the same however many follow.  The samplers give
 * the same numbers on every machine (numerics/random.c), and so does what is
 * done with them here: binary64 additions, multiplications, divisions, sqrt
 * and floor.
 *
 * Order ids need no counter across customers: customer c's orders are
 * c * 10^8 + 1, + 2, ... in the order of time, and the refund of an order is
 * its id + 5 * 10^7.  Rows come by customer, then by order; a refund comes
 * right after the order it belongs to, though other orders may lie between.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include <math.h>

#include "numerics/random.h"

/* The last day, 2024-12-31, in days since 2000-01-01 (a Saturday). */
#define LAST_DAY	  9131
#define LAST_DAY_TEXT "2024-12-31"

/* From 4713-01-01 BC on: earlier days cannot be shown in every time zone. */
#define MAX_DAYS 2460639

/* The shop: times in days, money in cents. */
#define GROWTH		  1.6  /* new customers at the end over those at the start */
#define ONCE_ONLY	  0.30 /* never think of coming back */
#define RATE_SHAPE	  1.0  /* orders a day: Gamma(shape, mean 0.108) */
#define RATE_MEAN	  0.108
#define RATE_MAX	  3.0 /* nobody orders more often, and ids stay in range */
#define LIFE_SHAPE	  0.6 /* 1 / mean lifetime: Gamma(shape, 1 / scale) */
#define LIFE_SCALE	  200.0
#define ORDER_SHAPE	  4.0 /* gamma-gamma: p, q and gamma */
#define VALUE_SHAPE	  3.5
#define VALUE_SCALE	  2800.0
#define SAME_DAY	  0.01 /* orders followed by another on the same day */
#define SEVERAL_LINES 0.10 /* orders of more than one line */
#define MAX_LINES	  8
#define MORE_LINES	  0.35	   /* a further line after the second, third ... */
#define MIN_LINE	  50	   /* cents */
#define MAX_ORDER	  10000000 /* cents */
#define REFUNDED	  0.03	   /* orders refunded, if the period lasts long enough */
#define REFUND_DELAY  9.0	   /* days, exponential, after the first */
#define REFUND_WHOLE  0.6	   /* of the refunds; the others are for a line or a part */

#define IDS_PER_CUSTOMER INT64CONST(100000000)
#define REFUND_ID		 INT64CONST(50000000)

/* Intensity from Monday on, summed up; a week adds up to 7. */
static const double week_until[] = {0.0, 0.95, 1.85, 2.77, 3.73, 4.88, 6.15, 7.0};

/* Percent of a day's orders before each hour of 8 .. 22 o'clock. */
#define FIRST_HOUR 8
static const double hour_until[] = {0,	2,	7,	14, 23, 33, 41, 47,
									53, 61, 71, 82, 91, 97, 100};

typedef struct DemoRow
{
	int64 order_id;
	int64 customer_id;
	TimestampTz at;
	int64 cents;
} DemoRow;

typedef struct DemoShop
{
	/* the arguments */
	int64 customers;
	uint64 seed;
	int64 first_monday; /* on or before the first day, since 2000-01-01 */
	double start;		/* the period, in the process's own time since then */
	double end;

	/* the customer whose orders are being made */
	int64 customer_id;
	RandomStream random;
	double rate;	   /* orders a day */
	double leaves;	   /* last moment at which an order may fall */
	double value_rate; /* the customer's nu of the gamma-gamma */
	double next;	   /* when the next order falls */
	int64 next_id;

	/* rows of the order last made that have not been returned yet */
	int rows;
	int returned;
	DemoRow row[MAX_LINES + 1];
} DemoShop;

/* The calendar day, since 2000-01-01, of a moment in the process's own time. */
static int64
demo_day(const DemoShop *shop, double moment, double *rest)
{
	int64 week = (int64) (moment / 7);
	int weekday = 0;
	double within;

	if ((double) week * 7 > moment)
		week--;
	within = moment - (double) week * 7;
	while (weekday < 6 && within >= week_until[weekday + 1])
		weekday++;
	*rest =
		(within - week_until[weekday]) / (week_until[weekday + 1] - week_until[weekday]);
	return shop->first_monday + week * 7 + weekday;
}

/* The moment at which a calendar day begins in the process's own time. */
static double
demo_moment(int64 days_since_monday)
{
	return (double) (days_since_monday / 7 * 7) + week_until[days_since_monday % 7];
}

/* Date and time of a moment: whole seconds within the opening hours. */
static TimestampTz
demo_timestamp(const DemoShop *shop, double moment)
{
	double rest;
	int64 day = demo_day(shop, moment, &rest);
	double percent = rest * 100;
	int hour = 0;
	int second;

	while (hour < (int) lengthof(hour_until) - 2 && percent >= hour_until[hour + 1])
		hour++;
	second = (int) (3600 * (percent - hour_until[hour]) /
					(hour_until[hour + 1] - hour_until[hour]));
	second = Min(second, 3599);
	return day * USECS_PER_DAY +
		   ((FIRST_HOUR + hour) * INT64CONST(3600) + second) * USECS_PER_SEC;
}

static void
demo_open(DemoShop *shop, int32 customers, int32 days, int64 seed)
{
	int64 first_day = LAST_DAY - (int64) days + 1;
	int64 weekday = ((first_day + 5) % 7 + 7) % 7; /* Monday is 0 */

	memset(shop, 0, sizeof(DemoShop));
	shop->customers = customers;
	shop->seed = (uint64) seed;
	shop->first_monday = first_day - weekday;
	shop->start = demo_moment(weekday);
	shop->end = demo_moment(weekday + days);
	shop->next = shop->end;
}

/*
 * The next customer enters: who she is, and when her first order falls.
 *
 * The density of first orders rises in a straight line from 1 to GROWTH; with
 * g = GROWTH - 1 its distribution (x + g x^2 / 2) / (1 + g / 2) is inverted
 * by the formula for quadratic equations.
 */
static void
demo_enter(DemoShop *shop)
{
	const double g = GROWTH - 1;
	RandomStream *random = &shop->random;
	double position;

	shop->customer_id++;
	random_seed(random, shop->seed, (uint64) shop->customer_id);

	position = (sqrt(1 + g * (2 + g) * random_uniform(random)) - 1) / g;
	shop->next = shop->start + (shop->end - shop->start) * position;
	if (shop->next >= shop->end)
		shop->next = shop->start;

	shop->rate =
		Min(random_gamma(random, RATE_SHAPE) * (RATE_MEAN / RATE_SHAPE), RATE_MAX);
	shop->leaves = shop->next;
	if (random_uniform(random) >= ONCE_ONLY)
	{
		double leave_rate = random_gamma(random, LIFE_SHAPE) / LIFE_SCALE;
		double chance = random_exponential(random);

		/* a leave_rate next to nothing is a lifetime beyond any period */
		if (chance > (shop->end - shop->next) * leave_rate)
			shop->leaves = shop->end;
		else
			shop->leaves = shop->next + chance / leave_rate;
	}
	shop->value_rate = random_gamma(random, VALUE_SHAPE) / VALUE_SCALE;
	shop->next_id = shop->customer_id * IDS_PER_CUSTOMER;
}

static void
demo_add_row(DemoShop *shop, int64 order_id, TimestampTz at, int64 cents)
{
	DemoRow *row = &shop->row[shop->rows++];

	row->order_id = order_id;
	row->customer_id = shop->customer_id;
	row->at = at;
	row->cents = cents;
}

/* Share an order's cents among its lines, each at least MIN_LINE. */
static void
demo_add_lines(DemoShop *shop, TimestampTz at, int64 cents)
{
	RandomStream *random = &shop->random;
	int lines = 1;

	if (random_uniform(random) < SEVERAL_LINES)
	{
		lines = 2;
		while (lines < MAX_LINES && random_uniform(random) < MORE_LINES)
			lines++;
	}
	cents = Max(cents, (int64) lines * MIN_LINE);
	for (; lines > 1; lines--)
	{
		uint32 spare = (uint32) (cents - (int64) lines * MIN_LINE);
		int64 line = MIN_LINE + random_below(random, 2 * (spare / lines) + 1);

		demo_add_row(shop, shop->next_id, at, line);
		cents -= line;
	}
	demo_add_row(shop, shop->next_id, at, cents);
}

/*
 * The order just made, of the first "lines" rows, is given back: the whole
 * of it, one of its lines, or a part of its only line.
 */
static void
demo_add_refund(DemoShop *shop, int lines, TimestampTz at)
{
	RandomStream *random = &shop->random;
	int64 cents = 0;

	if (random_uniform(random) < REFUND_WHOLE)
		for (int i = 0; i < lines; i++)
			cents += shop->row[i].cents;
	else if (lines > 1)
		cents = shop->row[random_below(random, lines)].cents;
	else
		cents = 1 + random_below(random, (uint32) shop->row[0].cents);
	demo_add_row(shop, shop->next_id + REFUND_ID, at, -cents);
}

/* Make the rows of the order that falls at shop->next, and say when the next falls. */
static void
demo_order(DemoShop *shop)
{
	RandomStream *random = &shop->random;
	double moment = shop->next;
	TimestampTz at = demo_timestamp(shop, moment);
	double cents = random_gamma(random, ORDER_SHAPE) / shop->value_rate;
	int lines;

	shop->rows = 0;
	shop->returned = 0;
	shop->next_id++;
	demo_add_lines(shop, at, (int64) Min(cents, MAX_ORDER));
	lines = shop->rows;

	if (random_uniform(random) < REFUNDED)
	{
		double later = moment + 1 + REFUND_DELAY * random_exponential(random);

		if (later < shop->end)
			demo_add_refund(shop, lines, demo_timestamp(shop, later));
	}

	if (random_uniform(random) < SAME_DAY)
	{
		/* later the same day: something was forgotten */
		double rest;
		double day_end =
			demo_moment(demo_day(shop, moment, &rest) + 1 - shop->first_monday);

		shop->next = moment + (day_end - moment) * random_uniform(random);
		if (shop->next < day_end)
			return;
	}
	shop->next = moment + random_exponential(random) / shop->rate;
	if (shop->next >= shop->leaves)
		shop->next = shop->end;
}

/* The next row, or NULL after the last. */
static const DemoRow *
demo_next_row(DemoShop *shop)
{
	while (shop->returned >= shop->rows)
	{
		if (shop->next >= shop->end)
		{
			if (shop->customer_id >= shop->customers)
				return NULL;
			CHECK_FOR_INTERRUPTS();
			demo_enter(shop);
		}
		demo_order(shop);
	}
	return &shop->row[shop->returned++];
}

/* Cents as a numeric with two decimals, through its text: -1205 is -12.05. */
static Datum
cents_to_numeric(int64 cents)
{
	char text[MAXINT8LEN + 4];
	char *digit = text + sizeof(text);
	uint64 left = cents < 0 ? -(uint64) cents : (uint64) cents;
	int digits = 0;

	*--digit = '\0';
	do
	{
		if (digits++ == 2)
			*--digit = '.';
		*--digit = '0' + left % 10;
		left /= 10;
	} while (left > 0 || digits < 3);
	if (cents < 0)
		*--digit = '-';
	return DirectFunctionCall3(numeric_in, CStringGetDatum(digit),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* Ensure an argument is there; all three must be. */
static void
check_given(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" of demo_orders must not be null", name),
				 errhint("Give all three, for example demo_orders(1000, 730, 42).")));
}

/* Ensure the arguments describe a shop that can exist. */
static void
check_arguments(int32 customers, int32 days)
{
	if (customers < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of customers must not be negative: %d", customers),
				 errhint("Use 0 or more, for example demo_orders(1000, 730, 42).")));
	if (days < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("number of days must be positive: %d", days),
						errhint("Use 1 or more, for example 730 for two years.")));
	if (days > MAX_DAYS)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("number of days is too large: %d", days),
						errdetail("The period ends with " LAST_DAY_TEXT
								  " and may not begin before 4713-01-01 BC."),
						errhint("Use at most %d days.", MAX_DAYS)));
}

/*
 * One row a call, so that nothing is stored where the caller can take rows
 * as they come (in a select list).
 */
PG_FUNCTION_INFO_V1(demo_orders);
Datum
demo_orders(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	const DemoRow *row;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		TupleDesc columns;
		DemoShop *shop;

		check_given(fcinfo, 0, "customers");
		check_given(fcinfo, 1, "days");
		check_given(fcinfo, 2, "seed");
		check_arguments(PG_GETARG_INT32(0), PG_GETARG_INT32(1));

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
			ereport(
				ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg(
					 "demo_orders returns rows, and is called where none are accepted")));
		call->tuple_desc = BlessTupleDesc(columns);
		shop = (DemoShop *) palloc(sizeof(DemoShop));
		demo_open(shop, PG_GETARG_INT32(0), PG_GETARG_INT32(1), PG_GETARG_INT64(2));
		call->user_fctx = shop;
		MemoryContextSwitchTo(old);
	}

	call = SRF_PERCALL_SETUP();
	row = demo_next_row((DemoShop *) call->user_fctx);
	if (row != NULL)
	{
		Datum values[4];
		bool nulls[4] = {false, false, false, false};

		values[0] = Int64GetDatum(row->order_id);
		values[1] = Int64GetDatum(row->customer_id);
		values[2] = TimestampTzGetDatum(row->at);
		values[3] = cents_to_numeric(row->cents);
		SRF_RETURN_NEXT(
			call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
	}
	SRF_RETURN_DONE(call);
}

/*
 * Tells the planner how many rows will come, where the arguments are known.
 *
 * A customer who may come back is active for the integral of her survival
 * function (1 + t / LIFE_SCALE)^-LIFE_SHAPE over the time since her first
 * order, on average a little less than half of the period; an order makes
 * about ROWS_PER_ORDER rows.
 */
#define ROWS_PER_ORDER 1.18

PG_FUNCTION_INFO_V1(demo_orders_support);
Datum
demo_orders_support(PG_FUNCTION_ARGS)
{
	SupportRequestRows *request = (SupportRequestRows *) PG_GETARG_POINTER(0);
	List *arguments;
	Const *customers;
	Const *days;
	double active;

	if (!IsA(request, SupportRequestRows) || !is_funcclause(request->node))
		PG_RETURN_POINTER(NULL);
	arguments = ((FuncExpr *) request->node)->args;
	if (list_length(arguments) != 3 || !IsA(linitial(arguments), Const) ||
		!IsA(lsecond(arguments), Const))
		PG_RETURN_POINTER(NULL);
	customers = (Const *) linitial(arguments);
	days = (Const *) lsecond(arguments);
	if (customers->constisnull || days->constisnull)
		PG_RETURN_POINTER(NULL);

	active = 0.45 * Max(DatumGetInt32(days->constvalue), 0);
	active = LIFE_SCALE / (1 - LIFE_SHAPE) *
			 (pow(1 + active / LIFE_SCALE, 1 - LIFE_SHAPE) - 1);
	request->rows = Max(DatumGetInt32(customers->constvalue), 0) * ROWS_PER_ORDER *
					(1 + (1 - ONCE_ONLY) * RATE_MEAN * active);
	PG_RETURN_POINTER(request);
}
