/*
 * replay.c
 *	  The tier state machine over past days, from the histories alone.
 *
 * A query gives what the machine is given for everybody on a day, its
 * parameter; we run it day after day, and keep where each customer stands.
 * replay_moves() returns the history of tiers as it would have been;
 * replay_counts() follows several policies at once over the same days and
 * returns only how much each moved.  Nothing is written.
 *
 * Without shares and capacities a row is done with when it has been read.  With
 * them the rows of a day are kept until all are there: the best are found, then
 * the seats, then everybody moves.
 *
 * Memory: about 150 bytes a customer, 28 a customer and policy, and for rules
 * with shares about 100 and 8 a measure for each row of a day.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "history/history.h"
#include "tier/machine.h"
#include "tier/places.h"
#include "tier/reading.h"
#include "tier/rule_book.h"

PG_FUNCTION_INFO_V1(replay_moves);
PG_FUNCTION_INFO_V1(replay_counts);

/* history_sql.c */
extern Datum history_refunded(PG_FUNCTION_ARGS);
extern Datum history_revenue(PG_FUNCTION_ARGS);
extern Datum history_last_day(PG_FUNCTION_ARGS);
extern Datum history_within(PG_FUNCTION_ARGS);

#define ROWS_AT_A_TIME 1000
#define MAX_RUNS PG_UINT16_MAX	/* more than any policy can ask for */

/* Columns of the query of a day. */
enum
{
	COLUMN_CUSTOMER, COLUMN_SCORE, COLUMN_ORDERS, COLUMN_FIRST_DAY, COLUMN_SEGMENT, COLUMN_MEASURES,
	COLUMN_OVERRIDE_TIER, COLUMN_OVERRIDE_LOCK, COLUMN_HISTORY, N_COLUMNS
};

/* Where a customer stands under a policy. */
typedef struct Standing
{
	int32		since;
	int32		up_since;
	int32		down_since;
	int16		tier;			/* which code; -1 = not evaluated yet */
	int16		previous;		/* -1 = none */
	int16		rank;			/* as it was when he came */
	int16		granted;		/* number of the terms, from 1 */
	uint16		up_runs;
	uint16		down_runs;
	int8		direction;		/* of the last move: 1 up, -1 down, 0 = none, or to a tier of the same rank */
} Standing;

/* How he came there, for his row of the history. */
typedef struct Arrival
{
	int64		score;			/* -1 = none */
	TierReason	reason;
} Arrival;

/* The rules of some days under a policy. */
typedef struct DayRules
{
	RuleBook   *book;
	TierLimits	limits;
	const TierTerms **terms;	/* by their number */
	int		   *codes;			/* of the ranks, from 1 */
	int		   *ranks;			/* of the codes; 0 = no such tier */
} DayRules;

/* How much moved under a policy. */
typedef struct Counts
{
	int64		moves;
	int64		upgrades;
	int64		downgrades;
	int64		reversals;
} Counts;

/* What a row of the query says. */
typedef struct Row
{
	int64		customer;
	int64		score;
	int32		first_day;
	bool		has_order;
	bool		has_score;
	bool		override_locks;
	int			override_code;	/* -1 = none */
	const char *segment;
	struct varlena *history;	/* NULL where nobody asks */
} Row;

/* A customer's key as text. */
typedef struct KeyText
{
	const char *data;
	int32		length;
} KeyText;

typedef struct KnownCustomer
{
	KeyText		key;
	uint32		hash;
	char		status;
	int64		number;
} KnownCustomer;

static inline bool
key_is(KeyText a, KeyText b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

#define SH_PREFIX known
#define SH_ELEMENT_TYPE KnownCustomer
#define SH_KEY_TYPE KeyText
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_bytes((const unsigned char *) (k).data, (k).length)
#define SH_EQUAL(tb, a, b) key_is(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Replay
{
	MemoryContext context;
	MemoryContext day_context;	/* of what rows keep for a day */
	MemoryContext short_context;	/* of rows fetched together, or of one policy's places */
	int			n_days;
	DateADT    *days;
	int		   *rules_of_day;
	int			n_policies;
	int			n_rules;
	DayRules   *rules;			/* of the first policy, of the second ... */
	int			n_measures;
	Oid			history_type;	/* purchase_history */
	int			n_codes;
	char	  **codes;			/* of all tiers that there ever were */
	int			n_segments;
	char	  **segments;		/* as they came */

	known_hash *known;
	int64		n_customers;
	int64		room;
	KeyText    *keys;
	int32	   *first_days;		/* of the evaluations */
	Standing   *standings;		/* of the first customer under all policies, of the second ... */
	Arrival    *arrivals;		/* NULL = nobody wants the history */
	int64		expected;		/* who comes next if the order is that of the day before */

	Counts	   *counts;			/* of each policy */
	int32		reversal_days;	/* a move against the one before is a reversal for so long */
	Tuplestorestate *store;
	TupleDesc	desc;
} Replay;

/* ---- the arguments ---- */

static int
add_code(Replay *r, const char *code)
{
	for (int i = 0; i < r->n_codes; i++)
		if (strcmp(r->codes[i], code) == 0)
			return i;
	if (r->n_codes == PG_INT16_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("there are more than %d tiers", PG_INT16_MAX)));
	r->codes = r->codes ? repalloc(r->codes, (r->n_codes + 1) * sizeof(char *)) : palloc(sizeof(char *));
	r->codes[r->n_codes] = pstrdup(code);
	return r->n_codes++;
}

static void
add_rules(Replay *r, DayRules *rules, Jsonb *given)
{
	const TierTerms *today;

	rules->book = rule_book_read(given);
	rules->limits.n_tie_breaks = rules->book->n_tie_breaks;
	memcpy(rules->limits.tie_breaks, rules->book->tie_breaks, sizeof(rules->limits.tie_breaks));
	rules->limits.places = NULL;
	if (rules != r->rules && rules->book->n_measures != r->n_measures)
		elog(ERROR, "rules of a replay have %d measures, others %d", rules->book->n_measures, r->n_measures);
	r->n_measures = rules->book->n_measures;
	today = rule_book_today(rules->book);
	rules->codes = palloc0((today->n_tiers + 1) * sizeof(int));
	for (int i = 0; i < today->n_tiers; i++)
		rules->codes[i + 1] = add_code(r, today->tiers[i].code);
	rules->terms = palloc0((r->n_rules + 1) * sizeof(TierTerms *));
	for (int i = 0; i < rules->book->n_terms; i++)
	{
		const TierTerms *terms = &rules->book->terms[i];

		if (terms->id < 1 || terms->id > r->n_rules)
			elog(ERROR, "terms of a replay have the number " INT64_FORMAT, terms->id);
		rules->terms[terms->id] = terms;
	}
}

static void
deconstruct(Datum array, Oid type, int16 length, bool by_value, Datum **values, int *n)
{
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(array), type, length, by_value, TYPALIGN_INT, values, &nulls, n);
	for (int i = 0; i < *n; i++)
		if (nulls[i])
			elog(ERROR, "an argument of a replay has a NULL");
}

/*
 * (query text, days date[], rules jsonb[], rules_of_day int[]): the rules of all
 * terms for the first policy, then for the second, and so on; rules_of_day says
 * which of the terms, from 1, are in force.
 */
static Replay *
replay_create(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	MemoryContext old;
	Replay	   *r;
	Datum	   *values;
	int			n;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("a replay was called where a set of rows has no place")));

	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	context = AllocSetContextCreate(CurrentMemoryContext, "replay of tiers", ALLOCSET_DEFAULT_SIZES);
	r = MemoryContextAllocZero(context, sizeof(Replay));
	if (get_call_result_type(fcinfo, NULL, &r->desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	r->desc = CreateTupleDescCopy(r->desc);
	r->history_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("purchase_history"),
									  ObjectIdGetDatum(get_func_namespace(fcinfo->flinfo->fn_oid)));
	r->store = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = r->store;
	result->setDesc = r->desc;

	MemoryContextSwitchTo(context);
	r->context = context;
	r->day_context = AllocSetContextCreate(context, "day of a replay", ALLOCSET_DEFAULT_SIZES);
	r->short_context = AllocSetContextCreate(context, "rows of a replay", ALLOCSET_DEFAULT_SIZES);

	deconstruct(PG_GETARG_DATUM(1), DATEOID, sizeof(DateADT), true, &values, &r->n_days);
	r->days = palloc((r->n_days + 1) * sizeof(DateADT));
	for (int i = 0; i < r->n_days; i++)
	{
		r->days[i] = tier_day_read(values[i], "a day of a replay");
		if (i > 0 && r->days[i] <= r->days[i - 1])
			elog(ERROR, "the days of a replay do not rise");
	}
	deconstruct(PG_GETARG_DATUM(3), INT4OID, sizeof(int32), true, &values, &n);
	if (n != r->n_days || n == 0)
		elog(ERROR, "a replay has %d days, but rules for %d", r->n_days, n);
	r->rules_of_day = palloc(n * sizeof(int));
	for (int i = 0; i < n; i++)
	{
		if (DatumGetInt32(values[i]) < 1)
			elog(ERROR, "a day of a replay has the rules %d", DatumGetInt32(values[i]));
		r->rules_of_day[i] = DatumGetInt32(values[i]) - 1;
		r->n_rules = Max(r->n_rules, r->rules_of_day[i] + 1);
	}
	deconstruct(PG_GETARG_DATUM(2), JSONBOID, -1, false, &values, &n);
	if (n == 0 || r->n_rules == 0 || n % r->n_rules != 0 || r->n_rules > PG_INT16_MAX)
		elog(ERROR, "a replay has %d rules for %d terms", n, r->n_rules);
	r->n_policies = n / r->n_rules;
	r->rules = palloc0(n * sizeof(DayRules));
	for (int i = 0; i < n; i++)
		add_rules(r, &r->rules[i], DatumGetJsonbP(values[i]));
	for (int i = 0; i < n; i++)
	{
		r->rules[i].ranks = palloc(r->n_codes * sizeof(int));
		for (int code = 0; code < r->n_codes; code++)
			r->rules[i].ranks[code] = rule_book_rank(rule_book_today(r->rules[i].book), r->codes[code]);
	}
	r->counts = palloc0(r->n_policies * sizeof(Counts));
	r->known = known_create(context, 1024, NULL);
	MemoryContextSwitchTo(old);
	return r;
}

/* ---- the customers ---- */

static void *
grown(Replay *r, void *array, Size size)
{
	Size		bytes = (Size) r->room * size;

	return array ? repalloc_huge(array, bytes) : MemoryContextAllocHuge(r->context, bytes);
}

static int64
add_customer(Replay *r, KeyText key, int32 day)
{
	int64		number = r->n_customers++;

	if (number == r->room)
	{
		r->room = r->room > 0 ? 2 * r->room : 1024;
		r->keys = grown(r, r->keys, sizeof(KeyText));
		r->first_days = grown(r, r->first_days, sizeof(int32));
		r->standings = grown(r, r->standings, r->n_policies * sizeof(Standing));
		if (r->counts == NULL)
			r->arrivals = grown(r, r->arrivals, sizeof(Arrival));
	}
	r->keys[number] = key;
	r->first_days[number] = day;
	for (int i = 0; i < r->n_policies; i++)
	{
		memset(&r->standings[number * r->n_policies + i], 0, sizeof(Standing));
		r->standings[number * r->n_policies + i].tier = -1;
		r->standings[number * r->n_policies + i].previous = -1;
	}
	return number;
}

/* The number of a customer; days mostly bring them in the same order. */
static int64
find_customer(Replay *r, const text *name, int32 day)
{
	KeyText		key = {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)};
	KnownCustomer *customer;
	bool		found;

	if (r->expected >= r->n_customers || !key_is(r->keys[r->expected], key))
	{
		customer = known_insert(r->known, key, &found);
		if (!found)
		{
			char	   *data = MemoryContextAlloc(r->context, key.length + 1);

			memcpy(data, key.data, key.length);
			customer->key.data = data;
			customer->number = add_customer(r, customer->key, day);
		}
		r->expected = customer->number;
	}
	return r->expected++;
}

/* Segments are few: each is kept once. */
static const char *
find_segment(Replay *r, const text *name)
{
	int			length = VARSIZE_ANY_EXHDR(name);
	MemoryContext old;

	for (int i = 0; i < r->n_segments; i++)
		if (strncmp(r->segments[i], VARDATA_ANY(name), length) == 0 && r->segments[i][length] == '\0')
			return r->segments[i];
	old = MemoryContextSwitchTo(r->context);
	r->segments = r->segments ? repalloc(r->segments, (r->n_segments + 1) * sizeof(char *)) : palloc(sizeof(char *));
	r->segments[r->n_segments] = text_to_cstring(name);
	MemoryContextSwitchTo(old);
	return r->segments[r->n_segments++];
}

static int
find_override(const Replay *r, Datum tier)
{
	char	   *code = TextDatumGetCString(tier);

	for (int i = 0; i < r->n_codes; i++)
		if (strcmp(r->codes[i], code) == 0)
			return i;
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("there is no tier \"%s\", which an override gives", code),
					errhint("End the override, or give another tier.")));
	return -1;
}

/* Anybody may call us with any query. */
static void
check_columns(const Replay *r, TupleDesc desc)
{
	const Oid	types[N_COLUMNS] = {TEXTOID, NUMERICOID, INT8OID, DATEOID, TEXTOID, FLOAT8ARRAYOID, TEXTOID, BOOLOID, r->history_type};

	if (desc->natts != N_COLUMNS)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("the query of a replay has %d columns, not %d", desc->natts, N_COLUMNS)));
	for (int i = 0; i < N_COLUMNS; i++)
		if (SPI_gettypeid(desc, i + 1) != types[i])
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column %d of the query of a replay is of type %s, not %s", i + 1,
								   format_type_be(SPI_gettypeid(desc, i + 1)), format_type_be(types[i]))));
}

/* Read a row of the query, and the measures beside it. */
static void
row_read(Replay *r, HeapTuple tuple, TupleDesc desc, int32 day, Row *row, double *measures)
{
	Datum		values[N_COLUMNS];
	bool		nulls[N_COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	if (nulls[COLUMN_CUSTOMER])
		elog(ERROR, "a customer of a replay is NULL");
	row->customer = find_customer(r, DatumGetTextPP(values[COLUMN_CUSTOMER]), day);
	row->has_order = !nulls[COLUMN_ORDERS] && DatumGetInt64(values[COLUMN_ORDERS]) > 0;
	row->has_score = row->has_order && !nulls[COLUMN_SCORE];
	row->score = nulls[COLUMN_SCORE] ? -1 : tier_score_read(values[COLUMN_SCORE]);
	row->first_day = nulls[COLUMN_FIRST_DAY] ? day : tier_day_read(values[COLUMN_FIRST_DAY], "the first day");
	row->segment = nulls[COLUMN_SEGMENT] ? NULL : find_segment(r, DatumGetTextPP(values[COLUMN_SEGMENT]));
	row->override_code = nulls[COLUMN_OVERRIDE_TIER] ? -1 : find_override(r, values[COLUMN_OVERRIDE_TIER]);
	row->override_locks = !nulls[COLUMN_OVERRIDE_LOCK] && DatumGetBool(values[COLUMN_OVERRIDE_LOCK]);
	row->history = NULL;
	if (!nulls[COLUMN_HISTORY])
	{
		struct varlena *history = PG_DETOAST_DATUM_PACKED(values[COLUMN_HISTORY]);
		Numeric		refunded = DatumGetNumeric(DirectFunctionCall2(history_refunded, PointerGetDatum(history), DateADTGetDatum(day)));

		/* Only a refund can take back what it earned. */
		if (DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(refunded), DirectFunctionCall1(int8_numeric, Int64GetDatum(0)))))
		{
			row->history = MemoryContextAlloc(r->day_context, VARSIZE_ANY(history));
			memcpy(row->history, history, VARSIZE_ANY(history));
		}
	}
	tier_measures_read(r->n_measures, measures, values[COLUMN_MEASURES], nulls[COLUMN_MEASURES]);
}

/* ---- what the machine is given ---- */

static void
standing_read(const DayRules *rules, const Standing *standing, TierState *state)
{
	memset(state, 0, sizeof(TierState));
	if (standing->tier < 0)
		return;
	state->rank = rules->ranks[standing->tier];
	if (state->rank == 0)
		state->rank = -1;
	state->previous_rank = standing->previous >= 0 ? rules->ranks[standing->previous] : 0;
	state->since = standing->since;
	state->granted = rules->terms[standing->granted];
	state->up_runs = standing->up_runs;
	state->up_since = standing->up_since;
	state->down_runs = standing->down_runs;
	state->down_since = standing->down_since;
}

static double
float_of(Datum number)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, number));
}

/*
 * What was refunded since the last move, and what had earned it: the measures
 * refunded_since and earned_amount of measure_expression().
 */
static void
read_refunds(struct varlena *history, int32 since, TierInput *input)
{
	LOCAL_FCINFO(last_day, 2);
	Datum		past = DirectFunctionCall2(history_refunded, PointerGetDatum(history), DateADTGetDatum(since));
	Datum		now = DirectFunctionCall2(history_refunded, PointerGetDatum(history), DateADTGetDatum(input->as_of));
	Datum		earned_on;

	input->refunded_since = float_of(DirectFunctionCall2(numeric_sub, now, past));
	InitFunctionCallInfoData(*last_day, NULL, 2, InvalidOid, NULL, NULL);
	last_day->args[0].value = PointerGetDatum(history);
	last_day->args[0].isnull = false;
	last_day->args[1].value = DateADTGetDatum(since);
	last_day->args[1].isnull = false;
	earned_on = history_last_day(last_day);
	if (!last_day->isnull)
		input->earned_amount = float_of(DirectFunctionCall1(history_revenue,
															DirectFunctionCall3(history_within, PointerGetDatum(history), earned_on, earned_on)));
}

static void
input_read(const Replay *r, const DayRules *rules, int d, const Row *row, const double *measures, const TierState *state, TierInput *input)
{
	const RuleBook *book = rules->book;

	input->as_of = r->days[d];
	input->last_as_of = d > 0 ? r->days[d - 1] : TIER_NO_DAY;
	input->has_order = row->has_order;
	input->has_score = row->has_score;
	input->score = Max(row->score, 0);
	input->first_day = row->first_day;
	input->segment = row->segment;
	input->values = measures;
	input->refund_rate = book->refund_rate >= 0 ? measures[book->refund_rate] : NAN;
	input->refunded_since = NAN;
	input->earned_amount = NAN;
	if (row->history != NULL && rule_book_today(book)->policy.revoke_on_refund && state->previous_rank > 0 && state->previous_rank < state->rank)
		read_refunds(row->history, state->since, input);
	input->override_rank = 0;
	input->override_locks = row->override_locks;
	if (row->override_code >= 0)
	{
		input->override_rank = rules->ranks[row->override_code];
		if (input->override_rank == 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("there is no tier \"%s\" on a day of the replay, which an override gives", r->codes[row->override_code]),
							errhint("End the override, or give another tier.")));
	}
}

/* ---- moves ---- */

/* Put a customer's stay in a tier into the result; TIER_NO_DAY = he is still there. */
static void
put_stay(Replay *r, int64 customer, int32 valid_to)
{
	const Standing *standing = &r->standings[customer];
	const Arrival *arrival = &r->arrivals[customer];
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = PointerGetDatum(cstring_to_text_with_len(r->keys[customer].data, r->keys[customer].length));
	values[1] = DateADTGetDatum(standing->since);
	values[2] = DateADTGetDatum(valid_to);
	nulls[2] = valid_to == TIER_NO_DAY;
	values[3] = CStringGetTextDatum(r->codes[standing->tier]);
	values[4] = Int32GetDatum(standing->rank);
	values[5] = CStringGetTextDatum(standing->previous < 0 ? "initial" : tier_reason_names[arrival->reason]);
	nulls[6] = arrival->score < 0;
	if (!nulls[6])
		values[6] = NumericGetDatum(int64_div_fast_to_numeric(arrival->score / (TIER_SCORE_UNIT / 10000), 4));
	nulls[7] = standing->previous < 0;
	if (!nulls[7])
		values[7] = CStringGetTextDatum(r->codes[standing->previous]);
	tuplestore_putvalues(r->store, r->desc, values, nulls);
}

static void
count_move(Counts *counts, const Standing *standing, int direction, int32 day, int32 reversal_days)
{
	counts->moves++;
	counts->upgrades += direction > 0;
	counts->downgrades += direction < 0;
	counts->reversals += direction * standing->direction < 0 && day - standing->since <= reversal_days;
}

static void
evaluate(Replay *r, int policy, const DayRules *rules, int d, const Row *row, const double *measures)
{
	Standing   *standing = &r->standings[row->customer * r->n_policies + policy];
	TierState	state;
	TierInput	input;
	TierOutcome outcome;

	standing_read(rules, standing, &state);
	input_read(r, rules, d, row, measures, &state, &input);
	tier_evaluate(rule_book_today(rules->book), &rules->limits, SEATS_AS_LIMITED, &input, &state, &outcome);
	if (outcome.moved)
	{
		if (standing->tier >= 0)
		{
			int			from = state.rank > 0 ? state.rank : standing->rank;
			int			direction = (outcome.rank > from) - (outcome.rank < from);

			if (r->counts != NULL)
				count_move(&r->counts[policy], standing, direction, r->days[d], r->reversal_days);
			else
				put_stay(r, row->customer, r->days[d]);
			standing->previous = standing->tier;
			standing->direction = direction;
		}
		standing->since = r->days[d];
		standing->tier = rules->codes[outcome.rank];
		standing->rank = outcome.rank;
		standing->granted = rule_book_today(rules->book)->id;
		if (r->arrivals != NULL)
		{
			r->arrivals[row->customer].score = row->score;
			r->arrivals[row->customer].reason = outcome.reason;
		}
	}
	standing->up_runs = Min(outcome.up_runs, MAX_RUNS);
	standing->up_since = outcome.up_since;
	standing->down_runs = Min(outcome.down_runs, MAX_RUNS);
	standing->down_since = outcome.down_since;
}

/* ---- days ---- */

static DayRules *
rules_of(const Replay *r, int policy, int d)
{
	return &r->rules[policy * r->n_rules + r->rules_of_day[d]];
}

/* Rows of a day that wait for the places. */
typedef struct DayRows
{
	int64		count;
	int64		room;
	Row		   *rows;
	double	   *measures;
} DayRows;

static void
day_rows_grow(Replay *r, DayRows *day)
{
	Size		row_bytes;
	Size		measure_bytes;

	day->room = day->room > 0 ? 2 * day->room : 1024;
	row_bytes = day->room * sizeof(Row);
	measure_bytes = day->room * (r->n_measures + 1) * sizeof(double);
	day->rows = day->rows ? repalloc_huge(day->rows, row_bytes) : MemoryContextAllocHuge(r->context, row_bytes);
	day->measures = day->measures ? repalloc_huge(day->measures, measure_bytes) : MemoryContextAllocHuge(r->context, measure_bytes);
}

/* The places that shares and capacities of a policy leave on a day. */
static TierPlaces *
find_places(Replay *r, int policy, DayRules *rules, int d, const DayRows *day)
{
	PlacesState *best = places_create(r->short_context, rules->book);
	PlacesState *seats = places_create(r->short_context, rules->book);

	rules->limits.places = NULL;
	for (int64 i = 0; i < day->count; i++)
	{
		TierInput	input = {0};

		if (!day->rows[i].has_score)
			continue;
		input.score = day->rows[i].score;
		input.values = &day->measures[i * r->n_measures];
		places_add_rated(best, &rules->limits, &input);
	}
	places_find_best(best);

	memcpy(seats->places, best->places, rules->book->n_limits * sizeof(TierPlaces));
	rules->limits.places = best->places;
	for (int64 i = 0; i < day->count; i++)
	{
		const Row  *row = &day->rows[i];
		TierState	state;
		TierInput	input;

		if (i % ROWS_AT_A_TIME == 0)
			CHECK_FOR_INTERRUPTS();
		standing_read(rules, &r->standings[row->customer * r->n_policies + policy], &state);
		input_read(r, rules, d, row, &day->measures[i * r->n_measures], &state, &input);
		places_add_seat(seats, rule_book_today(rules->book), &rules->limits, &input, &state);
	}
	places_find_seats(seats);
	return seats->places;
}

/* Evaluate the kept rows of a day under one policy. */
static void
evaluate_day(Replay *r, int policy, int d, const DayRows *day)
{
	DayRules   *rules = rules_of(r, policy, d);

	if (rules->book->n_limits > 0)
		rules->limits.places = find_places(r, policy, rules, d, day);
	for (int64 i = 0; i < day->count; i++)
	{
		if (i % ROWS_AT_A_TIME == 0)
			CHECK_FOR_INTERRUPTS();
		evaluate(r, policy, rules, d, &day->rows[i], &day->measures[i * r->n_measures]);
	}
	rules->limits.places = NULL;
}

static bool
has_limits(const Replay *r, int d)
{
	for (int policy = 0; policy < r->n_policies; policy++)
		if (rules_of(r, policy, d)->book->n_limits > 0)
			return true;
	return false;
}

static void
run_day(Replay *r, SPIPlanPtr plan, int d, DayRows *day)
{
	Datum		parameter = DateADTGetDatum(r->days[d]);
	Portal		portal = SPI_cursor_open(NULL, plan, &parameter, NULL, true);
	bool		waits = has_limits(r, d);

	day->count = 0;
	r->expected = 0;
	for (;;)
	{
		MemoryContext old;

		SPI_cursor_fetch(portal, true, ROWS_AT_A_TIME);
		if (SPI_processed == 0)
			break;
		CHECK_FOR_INTERRUPTS();
		check_columns(r, SPI_tuptable->tupdesc);
		old = MemoryContextSwitchTo(r->short_context);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Row		   *row;
			double	   *measures;

			if (day->count == day->room)
				day_rows_grow(r, day);
			row = &day->rows[day->count];
			measures = &day->measures[day->count * r->n_measures];
			row_read(r, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, r->days[d], row, measures);
			if (waits)
				day->count++;
			else
				for (int policy = 0; policy < r->n_policies; policy++)
					evaluate(r, policy, rules_of(r, policy, d), d, row, measures);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(r->short_context);
		if (!waits)
			MemoryContextReset(r->day_context);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	if (waits)
	{
		MemoryContext old = MemoryContextSwitchTo(r->short_context);

		for (int policy = 0; policy < r->n_policies; policy++)
		{
			evaluate_day(r, policy, d, day);
			MemoryContextReset(r->short_context);
		}
		MemoryContextSwitchTo(old);
	}
	MemoryContextReset(r->day_context);
}

static void
run_days(Replay *r, const char *query)
{
	Oid			type = DATEOID;
	DayRows		day = {0};
	SPIPlanPtr	plan;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	/* Planned for each day: what is known of it makes better plans, and a day has many rows. */
	plan = SPI_prepare_cursor(query, 1, &type, CURSOR_OPT_CUSTOM_PLAN | CURSOR_OPT_NO_SCROLL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the query of a replay: %s", SPI_result_code_string(SPI_result));
	for (int d = 0; d < r->n_days; d++)
		run_day(r, plan, d, &day);
	SPI_finish();
}

/*
 * replay_moves(query text, days date[], rules jsonb[], rules_of_day int[])
 *		-> (customer_id, valid_from, valid_to, tier, tier_rank, reason, score, previous_tier)
 *
 * The history of tiers under one policy.
 */
Datum
replay_moves(PG_FUNCTION_ARGS)
{
	Replay	   *r = replay_create(fcinfo);
	MemoryContext old;

	if (r->n_policies != 1)
		elog(ERROR, "a history of tiers has one policy, not %d", r->n_policies);
	r->counts = NULL;
	run_days(r, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	old = MemoryContextSwitchTo(r->short_context);
	for (int64 customer = 0; customer < r->n_customers; customer++)
	{
		if (customer % ROWS_AT_A_TIME == 0)
		{
			CHECK_FOR_INTERRUPTS();
			MemoryContextReset(r->short_context);
		}
		put_stay(r, customer, TIER_NO_DAY);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(r->context);
	return (Datum) 0;
}

/* How many stand in each tier of the last day, from the base up; then in others, if anybody does. */
static void
put_members(Replay *r, int policy, Datum *tiers, Datum *members)
{
	const DayRules *rules = rules_of(r, policy, r->n_days - 1);
	int			n_tiers = rule_book_today(rules->book)->n_tiers;
	int64	   *counts = palloc0(r->n_codes * sizeof(int64));
	Datum	   *names = palloc(r->n_codes * sizeof(Datum));
	Datum	   *numbers = palloc(r->n_codes * sizeof(Datum));
	int			n = 0;

	for (int64 customer = 0; customer < r->n_customers; customer++)
		counts[r->standings[customer * r->n_policies + policy].tier]++;
	for (int rank = 1; rank <= n_tiers; rank++)
	{
		names[n] = CStringGetTextDatum(r->codes[rules->codes[rank]]);
		numbers[n++] = Int64GetDatum(counts[rules->codes[rank]]);
	}
	for (int code = 0; code < r->n_codes; code++)
		if (rules->ranks[code] == 0 && counts[code] > 0)
		{
			names[n] = CStringGetTextDatum(r->codes[code]);
			numbers[n++] = Int64GetDatum(counts[code]);
		}
	*tiers = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	*members = PointerGetDatum(construct_array(numbers, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * replay_counts(query text, days date[], rules jsonb[], rules_of_day int[], reversal_days int)
 *		-> (policy, customers, customer_days, moves, upgrades, downgrades, reversals, tiers, members)
 *
 * How much moved under each of several policies.
 */
Datum
replay_counts(PG_FUNCTION_ARGS)
{
	Replay	   *r = replay_create(fcinfo);
	int64		customer_days = 0;

	r->reversal_days = PG_GETARG_INT32(4);
	run_days(r, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	for (int64 customer = 0; customer < r->n_customers; customer++)
		customer_days += r->days[r->n_days - 1] - r->first_days[customer];
	for (int policy = 0; policy < r->n_policies; policy++)
	{
		const Counts *counts = &r->counts[policy];
		Datum		values[9];
		bool		nulls[9] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(policy + 1);
		values[1] = Int64GetDatum(r->n_customers);
		values[2] = Int64GetDatum(customer_days);
		values[3] = Int64GetDatum(counts->moves);
		values[4] = Int64GetDatum(counts->upgrades);
		values[5] = Int64GetDatum(counts->downgrades);
		values[6] = Int64GetDatum(counts->reversals);
		put_members(r, policy, &values[7], &values[8]);
		tuplestore_putvalues(r->store, r->desc, values, nulls);
	}
	MemoryContextDelete(r->context);
	return (Datum) 0;
}
