/*
 * clv_simulate.c
 *	  Customers who behave as a model says: for tests, and for what-ifs.
 *
 * simulate_btyd() follows the story of each model from the first purchase on:
 *
 *	  bg/nbd		purchases at a rate lambda ~ Gamma(r, alpha) of the
 *					customer's own; after each repeat purchase the customer is
 *					gone with a probability p ~ Beta(a, b)
 *	  mbg/nbd		the same, and also right after the first purchase
 *	  bg/cnbd-k		the same two with times between purchases that are sums of
 *	  mbg/cnbd-k	k exponential ones: more regular
 *	  pareto/nbd	purchases as before, until the end of a lifetime with a rate
 *					mu ~ Gamma(s, beta) of the customer's own
 *	  nbd			nobody is ever gone
 *	  bg/bb			at each opportunity the customer is gone with a probability
 *					theta ~ Beta(gamma, delta), else buys with p ~ Beta(alpha, beta)
 *
 * simulate_spend() draws the mean of so many amounts under gamma-gamma: each
 * Gamma(p, nu), with nu ~ Gamma(q, v) of the customer's own.
 *
 * A customer draws from a stream of (seed, number) alone: the first customers
 * are the same however many follow, and the same on every machine.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "clv/fitted.h"
#include "numerics/random.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(simulate_btyd);
PG_FUNCTION_INFO_V1(simulate_spend);

typedef enum Story
{
	STORY_BG,
	STORY_MBG,
	STORY_PARETO,
	STORY_NBD,
	STORY_BB
} Story;

typedef struct Simulation
{
	Story		story;
	double		theta[CLV_MAX_PARAMS];	/* all but k */
	double		k;				/* shape of the times between purchases */
	int64		customers;
	double		observed;		/* age of the oldest */
	double		staggered;		/* by how much the youngest are younger, at most */
	double		horizon;		/* time after that, of which only the count is told */
	uint64		seed;
	int64		number;			/* of the last customer */
} Simulation;

typedef struct SimulatedCustomer
{
	double		frequency;
	double		recency;
	double		age;
	double		litt;
	double		future;
	bool		alive;
} SimulatedCustomer;

static double
draw_beta(RandomStream *random, double a, double b)
{
	double		x = random_gamma(random, a);
	double		y = random_gamma(random, b);

	/* both of two tiny shapes can vanish: the distribution is a coin's then */
	if (x + y == 0)
		return random_uniform(random) < a / (a + b) ? 1 : 0;
	return x / (x + y);
}

static void
count_purchase(SimulatedCustomer *customer, double at)
{
	if (at > customer->age)
	{
		customer->future++;
		return;
	}
	customer->litt += log(at - customer->recency);
	customer->frequency++;
	customer->recency = at;
}

/* Purchases in continuous time. */
static void
simulate_times(const Simulation *simulation, RandomStream *random, SimulatedCustomer *customer)
{
	const double *theta = simulation->theta;
	double		end = customer->age + simulation->horizon;
	double		rate = random_gamma(random, theta[0]) / theta[1];
	double		leaves = HUGE_VAL;
	double		p = 0;
	double		at = 0;
	bool		there = true;

	switch (simulation->story)
	{
		case STORY_MBG:
			p = draw_beta(random, theta[2], theta[3]);
			there = random_uniform(random) >= p;
			break;
		case STORY_BG:
			p = draw_beta(random, theta[2], theta[3]);
			break;
		case STORY_PARETO:
			leaves = random_exponential(random) / (random_gamma(random, theta[2]) / theta[3]);
			break;
		default:
			break;
	}

	customer->alive = there && leaves > customer->age;
	while (there)
	{
		double		wait = simulation->k == 1 ? random_exponential(random)
			: random_gamma(random, simulation->k);

		CHECK_FOR_INTERRUPTS();
		at += wait / rate;
		if (!(at <= end && at <= leaves))
			break;
		count_purchase(customer, at);
		if (p > 0 && random_uniform(random) < p)
		{
			there = false;
			if (at <= customer->age)
				customer->alive = false;
		}
	}
}

/* Purchases at opportunities. */
static void
simulate_opportunities(const Simulation *simulation, RandomStream *random,
					   SimulatedCustomer *customer)
{
	const double *theta = simulation->theta;
	double		p = draw_beta(random, theta[0], theta[1]);
	double		gone = draw_beta(random, theta[2], theta[3]);

	customer->alive = true;
	for (double at = 1; at <= customer->age + simulation->horizon; at++)
	{
		CHECK_FOR_INTERRUPTS();
		if (random_uniform(random) < gone)
		{
			if (at <= customer->age)
				customer->alive = false;
			break;
		}
		if (random_uniform(random) < p)
			count_purchase(customer, at);
	}
	customer->litt = 0;
}

static void
simulate_customer(Simulation *simulation, SimulatedCustomer *customer)
{
	RandomStream random;

	memset(customer, 0, sizeof(SimulatedCustomer));
	simulation->number++;
	random_seed(&random, simulation->seed, (uint64) simulation->number);
	customer->age = simulation->observed;
	if (simulation->staggered > 0)
	{
		double		younger = simulation->staggered * random_uniform(&random);

		customer->age -= simulation->story == STORY_BB ? floor(younger) : younger;
	}
	if (simulation->story == STORY_BB)
		simulate_opportunities(simulation, &random, customer);
	else
		simulate_times(simulation, &random, customer);
}

/* ---------- SQL ---------- */

/* Ensure an argument is there. */
static void
check_given(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" of simulate_btyd must not be NULL", name)));
}

static void
report_bad_time(const char *what, double time)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s must not be %s", what, double_text(time))));
}

static void
check_simulated_time(const Simulation *simulation, const char *what, double time)
{
	if (!(time >= 0) || isinf(time) || (simulation->story == STORY_BB && time != floor(time)))
		report_bad_time(what, time);
}

static Story
get_story(const ClvModel *kind)
{
	static const struct
	{
		const char *name;
		Story		story;
	}			stories[] = {
		{"bg/nbd", STORY_BG},
		{"bg/cnbd-k", STORY_BG},
		{"mbg/nbd", STORY_MBG},
		{"mbg/cnbd-k", STORY_MBG},
		{"pareto/nbd", STORY_PARETO},
		{"nbd", STORY_NBD},
		{"bg/bb", STORY_BB},
	};

	for (int i = 0; i < (int) lengthof(stories); i++)
		if (strcmp(stories[i].name, kind->name) == 0)
			return stories[i].story;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s is no model of purchases that could be simulated", kind->name)));
	return STORY_NBD;			/* not reached */
}

static void
read_simulation(FunctionCallInfo fcinfo, Simulation *simulation)
{
	static const char *const names[] = {"model", "params", "customers", "observed",
		"horizon", "seed", "staggered"};
	ClvParams	prepared;
	const ClvModel *kind;
	Float8Array params;
	double		theta[CLV_MAX_PARAMS];
	int			k;
	int			wanted;

	for (int i = 0; i < (int) lengthof(names); i++)
		check_given(fcinfo, i, names[i]);
	memset(simulation, 0, sizeof(Simulation));
	kind = find_kind(text_to_cstring(PG_GETARG_TEXT_PP(0)), &k);
	simulation->story = get_story(kind);

	wanted = kind->n_params - (k > 0 ? 1 : 0);
	float8_array_view(&params, PG_GETARG_DATUM(1));
	if (params.ndim != 1 || params.count != wanted || params.has_null)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s has %d parameters", kind->name, wanted)));
	if (k > 0)
		make_theta(kind, params.values, k, theta);
	else
		memcpy(theta, params.values, wanted * sizeof(double));
	if (clv_prepare(kind, theta, &prepared) != CLV_OK)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a parameter of %s is out of range", kind->name),
						errdetail("%s", clv_status_text(CLV_PARAM_NOT_POSITIVE))));
	simulation->k = find_k(kind) >= 0 ? theta[find_k(kind)] : 1;
	for (int i = 0, j = 0; i < kind->n_params; i++)
		if (i != find_k(kind))
			simulation->theta[j++] = theta[i];

	simulation->customers = PG_GETARG_INT64(2);
	if (simulation->customers < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("number of customers must not be %lld",
							   (long long) simulation->customers)));
	simulation->observed = PG_GETARG_FLOAT8(3);
	simulation->horizon = PG_GETARG_FLOAT8(4);
	simulation->seed = (uint64) PG_GETARG_INT64(5);
	simulation->staggered = PG_GETARG_FLOAT8(6);
	check_simulated_time(simulation, "observed", simulation->observed);
	check_simulated_time(simulation, "horizon", simulation->horizon);
	if (!(simulation->staggered >= 0 && simulation->staggered <= simulation->observed))
		report_bad_time("staggered", simulation->staggered);
}

/* simulate_btyd(model, params, customers, observed, horizon, seed, staggered) */
Datum
simulate_btyd(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Simulation *simulation;
	SimulatedCustomer customer;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		TupleDesc	columns;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("simulate_btyd returns rows, and is called where none are "
								   "accepted")));
		call->tuple_desc = BlessTupleDesc(columns);
		call->user_fctx = palloc(sizeof(Simulation));
		read_simulation(fcinfo, call->user_fctx);
		MemoryContextSwitchTo(old);
	}

	call = SRF_PERCALL_SETUP();
	simulation = call->user_fctx;
	if (simulation->number < simulation->customers)
	{
		Datum		values[7];
		bool		nulls[7] = {false};

		simulate_customer(simulation, &customer);
		values[0] = Int64GetDatum(simulation->number);
		values[1] = Float8GetDatum(customer.frequency);
		values[2] = Float8GetDatum(customer.recency);
		values[3] = Float8GetDatum(customer.age);
		values[4] = Float8GetDatum(customer.litt);
		values[5] = Float8GetDatum(customer.future);
		values[6] = BoolGetDatum(customer.alive);
		SRF_RETURN_NEXT(call,
						HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
	}
	SRF_RETURN_DONE(call);
}

/* simulate_spend(params, customer_id, frequency, seed) -> float8 */
Datum
simulate_spend(PG_FUNCTION_ARGS)
{
	Float8Array params;
	RandomStream random;
	const double *theta;
	double		frequency = PG_GETARG_FLOAT8(2);
	double		rate;
	ClvRow		row = {0};
	int			k;

	float8_array_view(&params, PG_GETARG_DATUM(0));
	theta = params.values;
	if (params.ndim != 1 || params.count != 3 || params.has_null ||
		!(theta[0] > 0 && theta[0] < CLV_PARAM_MAX && theta[1] > 0 && theta[1] < CLV_PARAM_MAX &&
		  theta[2] > 0 && theta[2] < CLV_PARAM_MAX))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("gamma-gamma has three parameters above 0: p, q and v")));
	row.x = frequency;
	row.zbar = 1;
	check_clv_row(find_kind("gamma-gamma", &k), &row);
	if (frequency == 0)
		PG_RETURN_FLOAT8(0);

	/* another stream than that of the customer's purchases */
	random_seed(&random, (uint64) PG_GETARG_INT64(3) ^ UINT64CONST(0x5350454E44),
				(uint64) PG_GETARG_INT64(1));
	rate = random_gamma(&random, theta[1]) / theta[2];
	PG_RETURN_FLOAT8(random_gamma(&random, theta[0] * frequency) / (rate * frequency));
}
