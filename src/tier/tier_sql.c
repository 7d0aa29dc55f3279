/*
 * tier_sql.c
 *	  The SQL surface of the tier state machine: tier_move() for one customer and
 *	  day, tier_best() and tier_seats() for what shares and capacities leave, and
 *	  tier_measures(), the measures that rules ask for.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "aggregate.h"
#include "tier/machine.h"
#include "tier/places.h"
#include "tier/reading.h"
#include "tier/rule_book.h"
#include "value_list.h"

PG_FUNCTION_INFO_V1(tier_move);
PG_FUNCTION_INFO_V1(tier_measures);
PG_FUNCTION_INFO_V1(tier_best_accum);
PG_FUNCTION_INFO_V1(tier_best_final);
PG_FUNCTION_INFO_V1(tier_seats_accum);
PG_FUNCTION_INFO_V1(tier_seats_final);

/* tier_state: tier, since, previous_tier, terms, up_runs, up_since, down_runs, down_since */
#define STATE_COLUMNS 8
/* tier_move: those of the state with tier_rank after tier, then reason, moved,
 * score_to_next, amount_to_next, score_to_stay, amount_to_stay, drops_on, as_before */
#define MOVE_COLUMNS 17

/* Numbers in an array of places: two keys a limit. */
#define NUMBERS_OF_PLACES (2 * TIER_KEY_NUMBERS)

/*
 * What a call keeps for the next: the rules as they were read, and the row
 * types.  Rules are the same for all rows of a query.
 */
typedef struct Kept
{
	MemoryContext context;		/* of the rules */
	Jsonb	   *rules;			/* a copy, to know them again */
	RuleBook   *book;
	TierLimits	limits;
	TierPlaces *places;			/* room for those of a call */
	double	   *values;			/* room for the measures of a call */
	TupleDesc	state_desc;
	Oid			state_type;
	TupleDesc	move_desc;
} Kept;

/* The customer that one call is about. */
typedef struct Customer
{
	TierInput	input;
	TierState	state;
	char	   *tier;			/* code of the state, NULL = none */
	text	   *previous_tier;
	int64		terms;
	bool		has_terms;
} Customer;

static Kept *
keep(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Kept));
	return fcinfo->flinfo->fn_extra;
}

/* The rules, read once for all rows that have the same. */
static void
keep_rules(FunctionCallInfo fcinfo, Kept *kept, Datum datum)
{
	Jsonb	   *rules = DatumGetJsonbP(datum);
	MemoryContext context;
	MemoryContext old;

	if (kept->rules != NULL && VARSIZE(kept->rules) == VARSIZE(rules) && memcmp(kept->rules, rules, VARSIZE(rules)) == 0)
		return;
	context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "rules of tiers", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	kept->rules = NULL;
	kept->book = rule_book_read(rules);
	kept->limits.n_tie_breaks = kept->book->n_tie_breaks;
	memcpy(kept->limits.tie_breaks, kept->book->tie_breaks, sizeof(kept->limits.tie_breaks));
	kept->places = palloc0((kept->book->n_limits + 1) * sizeof(TierPlaces));
	kept->values = palloc0((kept->book->n_measures + 1) * sizeof(double));
	kept->rules = palloc(VARSIZE(rules));
	memcpy(kept->rules, rules, VARSIZE(rules));
	MemoryContextSwitchTo(old);
	if (kept->context != NULL)
		MemoryContextDelete(kept->context);
	kept->context = context;
}

/* Measures as they were given, in the room for those of a call. */
static const double *
read_measures(const Kept *kept, Datum datum, bool isnull)
{
	tier_measures_read(kept->book->n_measures, kept->values, datum, isnull);
	return kept->values;
}

static void
read_state(Kept *kept, MemoryContext context, Datum datum, const TierTerms *today, Customer *customer)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(datum);
	Oid			type = HeapTupleHeaderGetTypeId(header);
	HeapTupleData tuple;
	Datum		values[STATE_COLUMNS];
	bool		nulls[STATE_COLUMNS];
	TierState  *state = &customer->state;

	if (kept->state_desc == NULL || kept->state_type != type)
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(type, HeapTupleHeaderGetTypMod(header));
		MemoryContext old = MemoryContextSwitchTo(context);

		if (desc->natts != STATE_COLUMNS)
			elog(ERROR, "the state of a tier has %d columns", desc->natts);
		kept->state_desc = CreateTupleDescCopy(desc);
		kept->state_type = type;
		MemoryContextSwitchTo(old);
		ReleaseTupleDesc(desc);
	}
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, kept->state_desc, values, nulls);

	if (nulls[0])
		return;					/* no state */
	customer->tier = TextDatumGetCString(values[0]);
	state->rank = rule_book_rank(today, customer->tier);
	if (state->rank == 0)
		state->rank = -1;
	if (nulls[1])
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the state of a tier has no day since when (tier \"%s\")", customer->tier)));
	state->since = tier_day_read(values[1], "the day since when a customer is in a tier");
	if (!nulls[2])
	{
		customer->previous_tier = DatumGetTextPP(values[2]);
		state->previous_rank = rule_book_rank(today, text_to_cstring(customer->previous_tier));
	}
	customer->has_terms = !nulls[3];
	if (customer->has_terms)
	{
		customer->terms = DatumGetInt64(values[3]);
		for (int i = 0; i < kept->book->n_terms; i++)
			if (kept->book->terms[i].id == customer->terms)
				state->granted = &kept->book->terms[i];
	}
	state->up_runs = nulls[4] ? 0 : DatumGetInt32(values[4]);
	state->down_runs = nulls[6] ? 0 : DatumGetInt32(values[6]);
	if (state->up_runs < 0 || state->down_runs < 0 || (state->up_runs > 0 && nulls[5]) || (state->down_runs > 0 && nulls[7]))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the state of a tier counts %d runs up and %d down, without a day since when, or below zero", state->up_runs, state->down_runs)));
	if (!nulls[5])
		state->up_since = tier_day_read(values[5], "the day since when a customer is to climb");
	if (!nulls[7])
		state->down_since = tier_day_read(values[7], "the day since when a customer is failing");
}

/*
 * Read the arguments that tier_move() and tier_seats() have in common, from
 * argument "first": rules, as_of, last_as_of, score, orders, first_day,
 * segment, measures, state, override_tier, override_lock.
 */
static void
read_customer(FunctionCallInfo fcinfo, Kept *kept, int first, Customer *customer)
{
	const TierTerms *today;
	TierInput  *input = &customer->input;

	memset(customer, 0, sizeof(Customer));
	if (PG_ARGISNULL(first) || PG_ARGISNULL(first + 1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the rules of tiers, and the day, must not be NULL")));
	keep_rules(fcinfo, kept, PG_GETARG_DATUM(first));
	today = rule_book_today(kept->book);

	input->as_of = tier_day_read(PG_GETARG_DATUM(first + 1), "as_of");
	input->last_as_of = PG_ARGISNULL(first + 2) ? TIER_NO_DAY : tier_day_read(PG_GETARG_DATUM(first + 2), "the last day");
	if (input->last_as_of >= input->as_of)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("as_of is not after the last day that was evaluated"),
						errhint("Days are evaluated one after the other.")));
	input->has_order = !PG_ARGISNULL(first + 4) && PG_GETARG_INT64(first + 4) > 0;
	input->has_score = input->has_order && !PG_ARGISNULL(first + 3);
	if (!PG_ARGISNULL(first + 3))
		input->score = tier_score_read(PG_GETARG_DATUM(first + 3));
	input->first_day = PG_ARGISNULL(first + 5) ? input->as_of : tier_day_read(PG_GETARG_DATUM(first + 5), "the first day");
	input->segment = PG_ARGISNULL(first + 6) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(first + 6));
	input->values = read_measures(kept, PG_ARGISNULL(first + 7) ? (Datum) 0 : PG_GETARG_DATUM(first + 7), PG_ARGISNULL(first + 7));
	input->refund_rate = kept->book->refund_rate >= 0 ? input->values[kept->book->refund_rate] : NAN;
	input->refunded_since = kept->book->refunded_since >= 0 ? input->values[kept->book->refunded_since] : NAN;
	input->earned_amount = kept->book->earned_amount >= 0 ? input->values[kept->book->earned_amount] : NAN;
	if (!PG_ARGISNULL(first + 8))
		read_state(kept, fcinfo->flinfo->fn_mcxt, PG_GETARG_DATUM(first + 8), today, customer);
	if (!PG_ARGISNULL(first + 9))
	{
		char	   *tier = text_to_cstring(PG_GETARG_TEXT_PP(first + 9));

		input->override_rank = rule_book_rank(today, tier);
		if (input->override_rank == 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("there is no tier \"%s\", which an override gives", tier),
							errhint("End the override, or give another tier.")));
		input->override_locks = !PG_ARGISNULL(first + 10) && PG_GETARG_BOOL(first + 10);
	}
}

/* The places that the limits leave, or none where they are not known. */
static void
read_places(Kept *kept, Datum datum, bool isnull)
{
	Float8Array array;

	kept->limits.places = NULL;
	if (isnull)
		return;
	float8_array_view(&array, datum);
	if (array.count != kept->book->n_limits * NUMBERS_OF_PLACES || array.has_null)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there are places for other shares and capacities than those of the rules"),
						errhint("Take them from customer_tier.tier_seats() with the same rules.")));
	memcpy(kept->places, array.values, kept->book->n_limits * sizeof(TierPlaces));
	kept->limits.places = kept->places;
}

static void
put_date(Datum *values, bool *nulls, int column, int32 day)
{
	nulls[column] = day == TIER_NO_DAY;
	values[column] = DateADTGetDatum(day);
}

/* Points with four decimals. */
static void
put_points(Datum *values, bool *nulls, int column, double points)
{
	nulls[column] = isnan(points);
	if (!nulls[column])
		values[column] = NumericGetDatum(int64_div_fast_to_numeric((int64) rint(points * 10000), 4));
}

static void
put_float8(Datum *values, bool *nulls, int column, double value)
{
	nulls[column] = isnan(value);
	if (!nulls[column])
		values[column] = Float8GetDatum(value);
}

/* Whether the state after an evaluation is that before it. */
static bool
state_is_as_before(const TierState *before, const TierOutcome *after)
{
	return !after->moved && after->up_runs == before->up_runs &&
		after->down_runs == before->down_runs &&
		(after->up_runs == 0 || after->up_since == before->up_since) &&
		(after->down_runs == 0 || after->down_since == before->down_since);
}

static Datum
put_move(FunctionCallInfo fcinfo, Kept *kept, const Customer *customer, const TierOutcome *outcome)
{
	const TierTerms *today = rule_book_today(kept->book);
	Datum		values[MOVE_COLUMNS];
	bool		nulls[MOVE_COLUMNS] = {false};

	if (kept->move_desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		TupleDesc	desc;

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != MOVE_COLUMNS)
			elog(ERROR, "return type must be a row type");
		kept->move_desc = BlessTupleDesc(CreateTupleDescCopy(desc));
		MemoryContextSwitchTo(old);
	}
	values[0] = CStringGetTextDatum(today->tiers[outcome->rank - 1].code);
	values[1] = Int32GetDatum(outcome->rank);
	values[2] = DateADTGetDatum(outcome->moved ? customer->input.as_of : customer->state.since);
	if (outcome->moved)
	{
		nulls[3] = customer->tier == NULL;
		if (!nulls[3])
			values[3] = CStringGetTextDatum(customer->tier);
	}
	else
	{
		nulls[3] = customer->previous_tier == NULL;
		values[3] = PointerGetDatum(customer->previous_tier);
	}
	nulls[4] = !outcome->moved && !customer->has_terms;
	values[4] = Int64GetDatum(outcome->moved ? today->id : customer->terms);
	values[5] = Int32GetDatum(outcome->up_runs);
	put_date(values, nulls, 6, outcome->up_since);
	values[7] = Int32GetDatum(outcome->down_runs);
	put_date(values, nulls, 8, outcome->down_since);
	values[9] = CStringGetTextDatum(tier_reason_names[outcome->reason]);
	values[10] = BoolGetDatum(outcome->moved);
	put_points(values, nulls, 11, outcome->score_to_next);
	put_float8(values, nulls, 12, outcome->amount_to_next);
	put_points(values, nulls, 13, outcome->score_to_stay);
	put_float8(values, nulls, 14, outcome->amount_to_stay);
	put_date(values, nulls, 15, outcome->drops_on);
	values[16] = BoolGetDatum(state_is_as_before(&customer->state, outcome));
	return HeapTupleGetDatum(heap_form_tuple(kept->move_desc, values, nulls));
}

/*
 * tier_move(rules jsonb, as_of date, last_as_of date, score numeric, orders bigint, first_day date, segment text,
 *			 measures float8[], state tier_state, override_tier text, override_lock boolean, places float8[]) -> tier_move
 *
 * Where a customer stands now, and why.  Errors: invalid_parameter_value for
 * rules that cannot be followed, a score outside of 0..100, or a day that is not
 * after the last; undefined_object for the tier of an override.
 */
Datum
tier_move(PG_FUNCTION_ARGS)
{
	Kept	   *kept = keep(fcinfo);
	Customer	customer;
	TierOutcome outcome;

	read_customer(fcinfo, kept, 0, &customer);
	read_places(kept, PG_ARGISNULL(11) ? (Datum) 0 : PG_GETARG_DATUM(11), PG_ARGISNULL(11));
	tier_evaluate(rule_book_today(kept->book), &kept->limits, SEATS_AS_LIMITED, &customer.input, &customer.state, &outcome);
	PG_RETURN_DATUM(put_move(fcinfo, kept, &customer, &outcome));
}

/*
 * tier_measures(rules jsonb) -> text[]
 *
 * Names of the measures that the rules ask for, those of windows with their days.
 */
Datum
tier_measures(PG_FUNCTION_ARGS)
{
	RuleBook   *book = rule_book_read(PG_GETARG_JSONB_P(0));
	Datum	   *names = palloc((book->n_measures + 1) * sizeof(Datum));

	for (int i = 0; i < book->n_measures; i++)
		names[i] = CStringGetTextDatum(book->measures[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(names, book->n_measures, TEXTOID, -1, false, TYPALIGN_INT));
}

static ArrayType *
places_array(const PlacesState *state)
{
	return float8_array_from((const double *) state->places, (int64) state->n_limits * NUMBERS_OF_PLACES);
}

/* tier_best(rules, score numeric, orders bigint, measures float8[]): the customers with a score. */
Datum
tier_best_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	Kept	   *kept = keep(fcinfo);
	PlacesState *state = PG_ARGISNULL(0) ? NULL : (PlacesState *) PG_GETARG_POINTER(0);
	TierInput	input = {0};

	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the rules of tiers must not be NULL")));
	keep_rules(fcinfo, kept, PG_GETARG_DATUM(1));
	if (state == NULL)
		state = places_create(context, kept->book);
	if (!PG_ARGISNULL(2) && !PG_ARGISNULL(3) && PG_GETARG_INT64(3) > 0)
	{
		input.score = tier_score_read(PG_GETARG_DATUM(2));
		input.values = read_measures(kept, PG_ARGISNULL(4) ? (Datum) 0 : PG_GETARG_DATUM(4), PG_ARGISNULL(4));
		places_add_rated(state, &kept->limits, &input);
	}
	PG_RETURN_POINTER(state);
}

/* The best of each limit; no seats yet. */
Datum
tier_best_final(PG_FUNCTION_ARGS)
{
	PlacesState *state;

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (PlacesState *) PG_GETARG_POINTER(0);
	places_find_best(state);
	PG_RETURN_ARRAYTYPE_P(places_array(state));
}

/*
 * tier_seats(..., best float8[]): the arguments of tier_move(), the last from
 * tier_best().  Who stands in a limited tier, or above, without asking keeps the
 * seat; who would come in asks for one.
 */
Datum
tier_seats_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	Kept	   *kept = keep(fcinfo);
	PlacesState *state = PG_ARGISNULL(0) ? NULL : (PlacesState *) PG_GETARG_POINTER(0);
	Customer	customer;

	read_customer(fcinfo, kept, 1, &customer);
	read_places(kept, PG_ARGISNULL(12) ? (Datum) 0 : PG_GETARG_DATUM(12), PG_ARGISNULL(12));
	if (state == NULL)
	{
		state = places_create(context, kept->book);
		if (kept->limits.places != NULL)
			memcpy(state->places, kept->places, state->n_limits * sizeof(TierPlaces));
	}
	places_add_seat(state, rule_book_today(kept->book), &kept->limits, &customer.input, &customer.state);
	PG_RETURN_POINTER(state);
}

Datum
tier_seats_final(PG_FUNCTION_ARGS)
{
	PlacesState *state;

	get_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (PlacesState *) PG_GETARG_POINTER(0);
	places_find_seats(state);
	PG_RETURN_ARRAYTYPE_P(places_array(state));
}
