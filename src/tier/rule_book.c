/*
 * rule_book.c
 *	  The rules and policies of tiers as jsonb, read into what the machine follows.
 *
 *	{"terms": [{"id": 1, "tiers": [{"code": ..., "min_score": ..., "entry": ..., "stay": ...}, ...],
 *				"policy": {"delta": 5, ...}}, ...],
 *	 "measures": ["orders", "revenue 365", ...]}
 *
 * docs/tiers.md describes tiers, rules and policy.  The last terms are today's;
 * measures name the values that the machine will be given.  Without them, they
 * are collected.  Every error names the tier and what is wrong.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "tier/rule_book.h"

#define MAX_TIERS 1000
#define MAX_DAYS 36525

/* Where we are, for messages. */
typedef struct Place
{
	RuleBook   *book;
	const char *tier;			/* code */
	const char *rule;			/* "entry" or "stay" */
	int			limited_rank;	/* whose entry a share or capacity limits today; 0 = nobody's */
	bool		is_today;
} Place;

#define bad_rule(place, ...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), \
					errmsg("tier \"%s\": the %s rule is wrong", (place)->tier, (place)->rule), \
					errdetail(__VA_ARGS__), \
					errhint("A rule is an object of conditions, as in {\"score\": 85, \"revenue\": {\"at_least\": 1000, \"days\": 365}}; an array holds several rules, any of which will do.")))

static char *
jsonb_text(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static bool
is_key(const JsonbValue *key, const char *name)
{
	return key->val.string.len == (int) strlen(name) && memcmp(key->val.string.val, name, strlen(name)) == 0;
}

/* The value of a key, NULL when it is not there or null. */
static JsonbValue *
get_key(JsonbContainer *object, const char *name)
{
	JsonbValue	key;
	JsonbValue *value;

	key.type = jbvString;
	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	value = findJsonbValueFromContainer(object, JB_FOBJECT, &key);
	return value != NULL && value->type != jbvNull ? value : NULL;
}

/* The next key of an object, and its value; false when there are no more. */
static bool
next_pair(JsonbIterator **iterator, JsonbValue *key, JsonbValue *value)
{
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(iterator, key, true)) != WJB_DONE)
		if (token == WJB_KEY)
		{
			(void) JsonbIteratorNext(iterator, value, true);
			return true;
		}
	return false;
}

static double
number_of(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
}

/* Points of score as whole millionths, without a detour through binary fractions. */
static int64
score_units(const JsonbValue *value)
{
	Datum		units = DirectFunctionCall2(numeric_mul, NumericGetDatum(value->val.numeric),
											DirectFunctionCall1(int8_numeric, Int64GetDatum(TIER_SCORE_UNIT)));

	return DatumGetInt64(DirectFunctionCall1(numeric_int8, units));
}

static bool
is_score(const JsonbValue *value)
{
	double		number;

	if (value->type != jbvNumeric)
		return false;
	number = number_of(value);
	return number >= 0 && number <= 100;
}

/* Which value a measure is; appended when we collect.  -1 = nobody will have it. */
static int
find_measure(RuleBook *book, const char *name, int days)
{
	char	   *full = days > 0 ? psprintf("%s %d", name, days) : pstrdup(name);

	for (int i = 0; i < book->n_measures; i++)
		if (strcmp(book->measures[i], full) == 0)
			return i;
	if (!book->collects)
		return -1;
	if (book->n_measures == book->room_for_measures)
	{
		book->room_for_measures = book->room_for_measures > 0 ? 2 * book->room_for_measures : 16;
		book->measures = book->measures ? repalloc(book->measures, book->room_for_measures * sizeof(char *))
			: palloc(book->room_for_measures * sizeof(char *));
	}
	book->measures[book->n_measures] = full;
	return book->n_measures++;
}

static bool
has_window(const char *name)
{
	return strcmp(name, "orders") == 0 || strcmp(name, "purchase_days") == 0 ||
		strcmp(name, "revenue") == 0 || strcmp(name, "refunded") == 0;
}

/* Names under which values come to us that rules do not ask for by name. */
static bool
is_reserved(const char *name)
{
	const char *days = strrchr(name, ' ');

	if (strcmp(name, "refunded_since") == 0 || strcmp(name, "earned_amount") == 0)
		return true;
	return days != NULL && days[1] != '\0' && strspn(days + 1, "0123456789") == strlen(days + 1) &&
		has_window(pnstrdup(name, days - name));
}

static int
require_measure(const Place *place, const char *name, int days)
{
	int			measure = find_measure(place->book, name, days);

	if (place->is_today && is_reserved(name))
		bad_rule(place, "There is no measure \"%s\".", name);
	if (measure < 0 && place->is_today)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tier \"%s\": there is no measure \"%s\"%s", place->tier, name,
							   days > 0 ? psprintf(" of %d days", days) : ""),
						errhint("\"measures\" names what can be measured: a name, followed by a space and the days where it is counted over days.")));
	return measure;
}

static int
add_limit(const Place *place, double share, double capacity)
{
	RuleBook   *book = place->book;

	if (book->n_limits == book->room_for_limits)
	{
		book->room_for_limits = book->room_for_limits > 0 ? 2 * book->room_for_limits : 8;
		book->limits = book->limits ? repalloc(book->limits, book->room_for_limits * sizeof(RuleLimit))
			: palloc(book->room_for_limits * sizeof(RuleLimit));
	}
	book->limits[book->n_limits].share = share;
	book->limits[book->n_limits].capacity = capacity;
	book->limits[book->n_limits].rank = place->limited_rank;
	return book->n_limits++;
}

/* A number, or {"at_least": ..., "at_most": ..., "days": ...}. */
static void
read_bounds(const Place *place, const char *name, JsonbValue *value, TierCondition *condition)
{
	bool		of_score = strcmp(name, "score") == 0;
	JsonbValue *least = NULL;
	JsonbValue *most = NULL;
	int			days = 0;

	if (value->type == jbvNumeric)
		least = value;
	else if (value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
	{
		JsonbIterator *iterator = JsonbIteratorInit(value->val.binary.data);
		JsonbValue	key;
		JsonbValue	item;

		while (next_pair(&iterator, &key, &item))
		{
			if (!is_key(&key, "at_least") && !is_key(&key, "at_most") && !is_key(&key, "days"))
				bad_rule(place, "\"%s\" has an unknown key \"%s\"; there are at_least, at_most and days.", name, jsonb_text(&key));
			if (item.type == jbvNull)
				continue;
			if (item.type != jbvNumeric || isnan(number_of(&item)))
				bad_rule(place, "\"%s\" of \"%s\" is no number.", jsonb_text(&key), name);
		}
		least = get_key(value->val.binary.data, "at_least");
		most = get_key(value->val.binary.data, "at_most");
		value = get_key(value->val.binary.data, "days");
		if (value != NULL)
		{
			double		number = number_of(value);

			if (!has_window(name))
				bad_rule(place, "\"%s\" is not counted over days; orders, purchase_days, revenue and refunded are.", name);
			if (!(number >= 1 && number <= MAX_DAYS && number == floor(number)))
				bad_rule(place, "The days of \"%s\" are not a whole number from 1 to %d.", name, MAX_DAYS);
			days = (int) number;
		}
	}
	else
		bad_rule(place, "The condition \"%s\" is neither a number nor an object.", name);
	if (least == NULL && most == NULL)
		bad_rule(place, "The condition \"%s\" has neither at_least nor at_most.", name);

	if (of_score)
	{
		if ((least != NULL && !is_score(least)) || (most != NULL && !is_score(most)))
			bad_rule(place, "A score lies between 0 and 100.");
		condition->kind = TIER_SCORE;
		condition->lowest = least ? score_units(least) : 0;
		condition->highest = most ? score_units(most) : INT64_C(100) * TIER_SCORE_UNIT;
		return;
	}
	condition->kind = TIER_MEASURE;
	condition->is_amount = strcmp(name, "revenue") == 0;
	condition->measure = require_measure(place, name, days);
	condition->at_least = least ? number_of(least) : -INFINITY;
	condition->at_most = most ? number_of(most) : INFINITY;
	if (condition->at_least > condition->at_most)
		bad_rule(place, "at_least of \"%s\" is above its at_most.", name);
}

static void
read_limit(const Place *place, const char *name, const JsonbValue *value, TierCondition *condition)
{
	double		number = value->type == jbvNumeric ? number_of(value) : NAN;
	bool		is_share = strcmp(name, "share") == 0;

	if (is_share && !(number > 0 && number <= 1))
		bad_rule(place, "A share is a number above 0, and at most 1.");
	if (!is_share && !(number >= 0 && number <= 1e15 && number == floor(number)))
		bad_rule(place, "A capacity is a whole number of customers.");
	condition->kind = TIER_LIMIT;
	condition->limit = add_limit(place, is_share ? number : -1, is_share ? 0 : number);
}

static void
read_segments(const Place *place, JsonbValue *value, TierCondition *condition)
{
	condition->kind = TIER_SEGMENT;
	if (value->type == jbvString)
	{
		condition->n_segments = 1;
		condition->segments = palloc(sizeof(char *));
		condition->segments[0] = jsonb_text(value);
		return;
	}
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data) || JsonContainerIsScalar(value->val.binary.data) || JsonContainerSize(value->val.binary.data) == 0)
		bad_rule(place, "A segment is a string, or an array of strings.");
	condition->n_segments = JsonContainerSize(value->val.binary.data);
	condition->segments = palloc(condition->n_segments * sizeof(char *));
	for (int i = 0; i < condition->n_segments; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(value->val.binary.data, i);

		if (item->type != jbvString)
			bad_rule(place, "A segment is a string, or an array of strings.");
		condition->segments[i] = jsonb_text(item);
	}
}

static bool
is_list(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) && !JsonContainerIsScalar(value->val.binary.data);
}

static void
read_condition(const Place *place, const char *name, JsonbValue *value, TierRule *rule)
{
	TierCondition *condition;

	rule->conditions = repalloc(rule->conditions, (rule->n_conditions + 1) * sizeof(TierCondition));
	condition = &rule->conditions[rule->n_conditions++];
	memset(condition, 0, sizeof(TierCondition));
	if (strcmp(name, "share") == 0 || strcmp(name, "capacity") == 0)
		read_limit(place, name, value, condition);
	else if (strcmp(name, "segment") == 0)
		read_segments(place, value, condition);
	else
		read_bounds(place, name, value, condition);
}

static void
read_rule(const Place *place, JsonbValue *value, TierRule *rule)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	item;

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		bad_rule(place, "It is no object.");
	if (JsonContainerSize(value->val.binary.data) == 0)
		bad_rule(place, "It has no condition, so that it would hold for everybody.");
	rule->n_conditions = 0;
	rule->conditions = palloc(sizeof(TierCondition));
	iterator = JsonbIteratorInit(value->val.binary.data);
	while (next_pair(&iterator, &key, &item))
	{
		char	   *name = jsonb_text(&key);

		if (!is_list(&item) || strcmp(name, "segment") == 0)
		{
			read_condition(place, name, &item, rule);
			continue;
		}
		if (JsonContainerSize(item.val.binary.data) == 0)
			bad_rule(place, "The condition \"%s\" is an empty array.", name);
		for (uint32 i = 0; i < JsonContainerSize(item.val.binary.data); i++)
			read_condition(place, name, getIthJsonbValueFromContainer(item.val.binary.data, i), rule);
	}
}

static void
read_rules(const Place *place, JsonbValue *value, TierRules *rules)
{
	if (!is_list(value))
	{
		rules->n_rules = 1;
		rules->rules = palloc0(sizeof(TierRule));
		read_rule(place, value, &rules->rules[0]);
		return;
	}
	rules->n_rules = JsonContainerSize(value->val.binary.data);
	if (rules->n_rules == 0)
		bad_rule(place, "It is an empty array.");
	rules->rules = palloc0(rules->n_rules * sizeof(TierRule));
	for (int i = 0; i < rules->n_rules; i++)
		read_rule(place, getIthJsonbValueFromContainer(value->val.binary.data, i), &rules->rules[i]);
}

/* {"score": min_score} */
static void
read_min_score(const Place *place, const JsonbValue *value, TierRules *rules)
{
	TierCondition *condition = palloc0(sizeof(TierCondition));

	if (!is_score(value))
		bad_rule(place, "min_score is no number between 0 and 100.");
	condition->kind = TIER_SCORE;
	condition->lowest = score_units(value);
	condition->highest = INT64_C(100) * TIER_SCORE_UNIT;
	rules->n_rules = 1;
	rules->rules = palloc0(sizeof(TierRule));
	rules->rules[0].n_conditions = 1;
	rules->rules[0].conditions = condition;
}

static void
check_tier_keys(JsonbContainer *tier, const char *code)
{
	JsonbIterator *iterator = JsonbIteratorInit(tier);
	JsonbValue	key;
	JsonbValue	item;

	while (next_pair(&iterator, &key, &item))
		if (!is_key(&key, "code") && !is_key(&key, "min_score") && !is_key(&key, "entry") && !is_key(&key, "stay"))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("tier \"%s\" has an unknown key \"%s\"", code, jsonb_text(&key)),
							errhint("There are code, min_score, entry and stay.")));
}

static void
read_tier(RuleBook *book, JsonbValue *value, int rank, bool is_today, Tier *tier)
{
	JsonbValue *code;
	JsonbValue *min_score;
	JsonbValue *entry;
	JsonbValue *stay;
	Place		place = {book, "", "entry", is_today ? rank : 0, is_today};

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data) ||
		(code = get_key(value->val.binary.data, "code")) == NULL || code->type != jbvString || code->val.string.len == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tier %d has no code", rank),
						errhint("A tier is an object with code, and above the base tier with min_score or entry.")));
	place.tier = tier->code = jsonb_text(code);
	check_tier_keys(value->val.binary.data, tier->code);
	min_score = get_key(value->val.binary.data, "min_score");
	entry = get_key(value->val.binary.data, "entry");
	stay = get_key(value->val.binary.data, "stay");

	if (rank == 1)
	{
		if (entry != NULL || stay != NULL || (min_score != NULL && !(min_score->type == jbvNumeric && number_of(min_score) == 0)))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the base tier \"%s\" has a rule", tier->code),
							errhint("Give it neither min_score nor entry nor stay: everybody who reaches no other tier is in the base tier.")));
		return;
	}
	if (entry == NULL && min_score == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tier \"%s\" has no entry rule", tier->code),
						errhint("Give it a min_score, or an entry rule such as {\"revenue\": {\"at_least\": 1000, \"days\": 365}}.")));
	if (entry != NULL && min_score != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tier \"%s\" has both a min_score and an entry rule", tier->code),
						errhint("Put the score into the entry rule, {\"score\": ...}, and leave min_score NULL.")));
	if (entry != NULL)
		read_rules(&place, entry, &tier->entry);
	else
		read_min_score(&place, min_score, &tier->entry);
	place.rule = "stay";
	place.limited_rank = 0;
	tier->has_stay = stay != NULL;
	if (stay != NULL)
		read_rules(&place, stay, &tier->stay);
}

static void
bad_policy(const char *key, const char *what, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the policy's %s %s", key, what),
					hint ? errhint("%s", hint) : 0));
}

static int
read_count(const char *key, const JsonbValue *value, int least)
{
	double		number = value->type == jbvNumeric ? number_of(value) : NAN;

	if (!(number >= least && number <= MAX_DAYS && number == floor(number)))
		bad_policy(key, psprintf("is not a whole number from %d to %d", least, MAX_DAYS), NULL);
	return (int) number;
}

static bool
read_flag(const char *key, const JsonbValue *value)
{
	if (value->type != jbvBool)
		bad_policy(key, "is neither true nor false", NULL);
	return value->val.boolean;
}

static TierPeriod
read_period(const char *key, const JsonbValue *value)
{
	static const char *const names[] = {"run", "month", "quarter", "half_year", "year", "membership_anniversary", "tier_anniversary"};

	if (value->type == jbvString)
		for (int i = 0; i < (int) lengthof(names); i++)
			if (is_key(value, names[i]))
				return (TierPeriod) i;
	bad_policy(key, "is no period", "There are run, month, quarter, half_year, year, membership_anniversary and tier_anniversary.");
	return TIER_EVERY_RUN;
}

static void
read_tie_break(RuleBook *book, JsonbValue *value, bool is_today)
{
	if (!is_list(value) || JsonContainerSize(value->val.binary.data) > TIER_MAX_TIE_BREAKS)
		bad_policy("tie_break", psprintf("is no array of at most %d measures", TIER_MAX_TIE_BREAKS), NULL);
	if (!is_today)
		return;
	book->n_tie_breaks = JsonContainerSize(value->val.binary.data);
	for (int i = 0; i < book->n_tie_breaks; i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(value->val.binary.data, i);

		if (name->type != jbvString)
			bad_policy("tie_break", "is no array of names of measures", NULL);
		book->tie_breaks[i] = find_measure(book, jsonb_text(name), 0);
		if (book->tie_breaks[i] < 0)
			bad_policy("tie_break", psprintf("names \"%s\", which is not measured", jsonb_text(name)), NULL);
	}
}

static void
read_policy(RuleBook *book, JsonbValue *value, bool is_today, TierPolicy *policy)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	item;

	policy->delta = 5 * TIER_SCORE_UNIT;
	policy->upgrade_confirm = 1;
	policy->downgrade_confirm = 1;
	policy->max_refund_rate = 0.8;
	if (value == NULL)
		return;
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the policy of tiers is no object")));
	iterator = JsonbIteratorInit(value->val.binary.data);
	while (next_pair(&iterator, &key, &item))
	{
		if (is_key(&key, "max_refund_rate"))
		{
			policy->max_refund_rate = item.type == jbvNull ? NAN : item.type == jbvNumeric ? number_of(&item) : -1;
			if (!isnan(policy->max_refund_rate) && !(policy->max_refund_rate > 0 && policy->max_refund_rate <= 1))
				bad_policy("max_refund_rate", "is no number above 0 and at most 1", "NULL = no such rule.");
		}
		else if (is_key(&key, "tie_break"))
		{
			if (item.type != jbvNull)
				read_tie_break(book, &item, is_today);
		}
		else if (is_key(&key, "delta"))
		{
			if (!is_score(&item))
				bad_policy("delta", "is no number between 0 and 100", NULL);
			policy->delta = score_units(&item);
		}
		else if (is_key(&key, "upgrade_confirm"))
			policy->upgrade_confirm = read_count("upgrade_confirm", &item, 1);
		else if (is_key(&key, "upgrade_at"))
			policy->upgrade_at = read_period("upgrade_at", &item);
		else if (is_key(&key, "hold_days"))
			policy->hold_days = read_count("hold_days", &item, 0);
		else if (is_key(&key, "downgrade_confirm"))
			policy->downgrade_confirm = read_count("downgrade_confirm", &item, 1);
		else if (is_key(&key, "grace_days"))
			policy->grace_days = read_count("grace_days", &item, 0);
		else if (is_key(&key, "downgrade_needs"))
		{
			if (item.type != jbvString || (!is_key(&item, "both") && !is_key(&item, "either")))
				bad_policy("downgrade_needs", "is neither both nor either", NULL);
			policy->downgrade_needs_either = is_key(&item, "either");
		}
		else if (is_key(&key, "downgrade_at"))
			policy->downgrade_at = read_period("downgrade_at", &item);
		else if (is_key(&key, "one_level"))
			policy->one_level = read_flag("one_level", &item);
		else if (is_key(&key, "revoke_on_refund"))
			policy->revoke_on_refund = read_flag("revoke_on_refund", &item);
		else if (is_key(&key, "grandfather"))
			policy->grandfather = read_flag("grandfather", &item);
		else
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the policy has an unknown key \"%s\"", jsonb_text(&key)),
							errhint("There are delta, upgrade_confirm, upgrade_at, hold_days, downgrade_confirm, grace_days, downgrade_needs, "
									"downgrade_at, one_level, revoke_on_refund, grandfather, max_refund_rate and tie_break.")));
	}
}

static void
read_terms(RuleBook *book, JsonbValue *value, bool is_today, TierTerms *terms)
{
	JsonbValue *tiers = NULL;
	JsonbValue *id;

	if (value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
		tiers = get_key(value->val.binary.data, "tiers");
	if (tiers == NULL || !is_list(tiers) || JsonContainerSize(tiers->val.binary.data) == 0 || JsonContainerSize(tiers->val.binary.data) > MAX_TIERS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there are no tiers, or too many"),
						errhint("\"tiers\" is an array of 1 to %d tiers, from the base up.", MAX_TIERS)));
	id = get_key(value->val.binary.data, "id");
	terms->id = id != NULL && id->type == jbvNumeric ? DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(id->val.numeric))) : 0;
	terms->n_tiers = JsonContainerSize(tiers->val.binary.data);
	terms->tiers = palloc0(terms->n_tiers * sizeof(Tier));
	for (int i = 0; i < terms->n_tiers; i++)
	{
		read_tier(book, getIthJsonbValueFromContainer(tiers->val.binary.data, i), i + 1, is_today, &terms->tiers[i]);
		for (int j = 0; j < i; j++)
			if (strcmp(terms->tiers[i].code, terms->tiers[j].code) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("there are two tiers \"%s\"", terms->tiers[i].code)));
	}
	read_policy(book, get_key(value->val.binary.data, "policy"), is_today, &terms->policy);
}

/* Rank of a tier, 0 when the terms have none of that code. */
int
rule_book_rank(const TierTerms *terms, const char *code)
{
	for (int i = 0; i < terms->n_tiers; i++)
		if (strcmp(terms->tiers[i].code, code) == 0)
			return i + 1;
	return 0;
}

/*
 * Read the rules; everything lies in the current memory context.
 *
 * Errors: invalid_parameter_value, naming the tier or the key of the policy.
 */
RuleBook *
rule_book_read(Jsonb *rules)
{
	RuleBook   *book = palloc0(sizeof(RuleBook));
	JsonbValue *terms = NULL;
	JsonbValue *measures = NULL;

	if (JB_ROOT_IS_OBJECT(rules))
	{
		terms = get_key(&rules->root, "terms");
		measures = get_key(&rules->root, "measures");
	}
	if (terms == NULL || !is_list(terms) || JsonContainerSize(terms->val.binary.data) == 0 ||
		(measures != NULL && !is_list(measures)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the rules of tiers are no object with \"terms\" and \"measures\", both arrays"),
						errhint("As in {\"terms\": [{\"tiers\": [{\"code\": \"base\"}, {\"code\": \"gold\", \"min_score\": 65}]}], \"measures\": []}.")));

	book->collects = true;
	if (measures != NULL)
	{
		for (uint32 i = 0; i < JsonContainerSize(measures->val.binary.data); i++)
		{
			JsonbValue *name = getIthJsonbValueFromContainer(measures->val.binary.data, i);
			int			n = book->n_measures;

			if (name->type != jbvString || find_measure(book, jsonb_text(name), 0) != n)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("\"measures\" is no array of different names")));
		}
		book->collects = false;
	}

	book->n_terms = JsonContainerSize(terms->val.binary.data);
	book->terms = palloc0(book->n_terms * sizeof(TierTerms));
	for (int i = 0; i < book->n_terms; i++)
		read_terms(book, getIthJsonbValueFromContainer(terms->val.binary.data, i), i == book->n_terms - 1, &book->terms[i]);

	/* What the policy itself looks at. */
	book->refund_rate = book->refunded_since = book->earned_amount = -1;
	if (!isnan(rule_book_today(book)->policy.max_refund_rate))
		book->refund_rate = find_measure(book, "refund_rate", 0);
	if (rule_book_today(book)->policy.revoke_on_refund)
	{
		book->refunded_since = find_measure(book, "refunded_since", 0);
		book->earned_amount = find_measure(book, "earned_amount", 0);
	}
	return book;
}
