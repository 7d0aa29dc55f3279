/*
 * card.c
 *	  A whole scorecard: the points of a customer in all its dimensions.
 *
 * The same as dimension_points() of one dimension after the other, and to the
 * same bits; but a million customers of ten dimensions are ten million calls,
 * and here they are one million.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include <math.h>

#include "rating/card.h"
#include "rating/normalise.h"

PG_FUNCTION_INFO_V1(card_scales);
PG_FUNCTION_INFO_V1(card_points);
PG_FUNCTION_INFO_V1(finite_value);
PG_FUNCTION_INFO_V1(rounded_score);

#define CARD_VERSION 1

/*
 * A card as a bytea: this head, one CardDimension each, and then the numbers of
 * all scales.  The digest names the contents, so that whoever has read a card
 * knows it again.
 */
typedef struct CardHead
{
	uint64		digest;			/* of all that follows */
	int32		version;
	int32		count;
} CardHead;

/* What a customer without a value gets. */
typedef enum Missing
{
	MISSING_NOTHING,
	MISSING_NEUTRAL,
	MISSING_WORST
} Missing;

typedef struct CardDimension
{
	int32		method;
	int32		higher_is_better;
	int32		ties;
	int32		missing;
	int32		numbers;		/* on the scale; -1 = there is none */
	int32		padding;
} CardDimension;

/* card_scale: method, scale, higher_is_better, ties, missing */
#define CARD_SCALE 5

static Missing
read_missing(const text *missing)
{
	char	   *word = text_to_cstring(missing);

	if (strcmp(word, "renormalise") == 0 || strcmp(word, "no_rating") == 0)
		return MISSING_NOTHING;
	if (strcmp(word, "neutral") == 0)
		return MISSING_NEUTRAL;
	if (strcmp(word, "worst") == 0)
		return MISSING_WORST;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("missing must not be \"%s\"", word),
					errhint("Use 'renormalise', 'neutral', 'worst' or 'no_rating'.")));
	return MISSING_NOTHING;		/* not reached */
}

/* card_scales(scales card_scale[]) -> card */
Datum
card_scales(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Oid			row_type = ARR_ELEMTYPE(array);
	TupleDesc	desc = lookup_rowtype_tupdesc(row_type, -1);
	Datum	   *rows;
	bool	   *nulls;
	int			count;
	CardHead	head = {0};
	CardDimension *dimension;
	Float8Array *scale;
	Size		numbers = 0;
	Size		size;
	char	   *card;
	char	   *out;
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(row_type, &length, &by_value, &alignment);
	deconstruct_array(array, row_type, length, by_value, alignment, &rows, &nulls, &count);
	if (count < 1 || count > DIMENSIONS_MAX)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("a card must have 1 to %d dimensions, not %d", DIMENSIONS_MAX, count)));

	dimension = palloc0(count * sizeof(CardDimension));
	scale = palloc0(count * sizeof(Float8Array));
	for (int i = 0; i < count; i++)
	{
		HeapTupleHeader header;
		HeapTupleData tuple = {0};
		Datum		value[CARD_SCALE];
		bool		isnull[CARD_SCALE];
		Rule		rule;

		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("dimension %d of a card must not be NULL", i + 1)));
		header = DatumGetHeapTupleHeader(rows[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		tuple.t_data = header;
		heap_deform_tuple(&tuple, desc, value, isnull);
		if (isnull[0] || isnull[2] || isnull[4])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("method, higher_is_better and missing of dimension %d must not be NULL", i + 1)));
		rule.method = read_method(DatumGetTextPP(value[0]));
		rule.higher_is_better = DatumGetBool(value[2]);
		rule.ties = !isnull[3] ? read_ties(DatumGetTextPP(value[3])) :
			rule.higher_is_better ? TIES_LOW : TIES_HIGH;
		dimension[i].method = rule.method;
		dimension[i].higher_is_better = rule.higher_is_better;
		dimension[i].ties = rule.ties;
		dimension[i].missing = read_missing(DatumGetTextPP(value[4]));
		dimension[i].numbers = -1;
		if (rule.method == METHOD_IDENTITY)
			dimension[i].numbers = 0;
		else if (!isnull[1])
		{
			float8_array_view(&scale[i], value[1]);
			rule.scale = scale[i];
			check_scale_form(&rule);
			dimension[i].numbers = scale[i].count;
			numbers += scale[i].count;
		}
	}
	ReleaseTupleDesc(desc);

	size = sizeof(CardHead) + count * sizeof(CardDimension) + numbers * sizeof(double);
	if (size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the scales of a card are too large")));
	card = palloc(VARHDRSZ + size);
	SET_VARSIZE(card, VARHDRSZ + size);
	head.version = CARD_VERSION;
	head.count = count;
	out = VARDATA(card) + sizeof(CardHead);
	memcpy(out, dimension, count * sizeof(CardDimension));
	out += count * sizeof(CardDimension);
	for (int i = 0; i < count; i++)
	{
		if (dimension[i].numbers <= 0)
			continue;
		memcpy(out, scale[i].values, dimension[i].numbers * sizeof(double));
		out += dimension[i].numbers * sizeof(double);
	}
	memcpy(VARDATA(card), &head, sizeof(CardHead));
	head.digest = hash_bytes_extended((unsigned char *) VARDATA(card) + sizeof(uint64),
									  (int) (size - sizeof(uint64)), 0);
	memcpy(VARDATA(card), &head, sizeof(CardHead));
	PG_RETURN_BYTEA_P((bytea *) card);
}

/*
 * The knots of a percentile scale as a tree: every level holds the last value
 * of each full block of the level below, the lowest one that of each block of
 * knots.  A block is two cache lines, all of which is compared, since that
 * costs less than one branch that was not foreseen.
 */
#define BLOCK 16
#define LEVELS_MAX 8			/* 16^8 knots */

typedef struct CardRule
{
	Rule		rule;
	Missing		missing;
	bool		has_scale;
	int			levels;			/* 0 unless there is a block of knots */
	double	   *level[LEVELS_MAX];	/* from the top; up to the end of a block filled with infinity */
} CardRule;

/* A card that was read. */
typedef struct Card
{
	uint64		digest;
	Size		size;
	int			count;
	CardRule	rule[FLEXIBLE_ARRAY_MEMBER];
} Card;

static void
report_malformed_card(void)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("malformed card"),
					errhint("A card comes from customer_tier.card_scales().")));
}

static void
build_levels(CardRule *rule, const double *knots, int count)
{
	rule->levels = 0;
	for (int64 rest = count; rest >= BLOCK; rest /= BLOCK)
		rule->levels++;
	for (int i = rule->levels - 1; i >= 0; i--)
	{
		int			blocks = count / BLOCK;
		/* whoever is above all of them looks into the block after the last */
		int			room = (blocks / BLOCK + 1) * BLOCK;
		double	   *level = palloc(room * sizeof(double));

		for (int k = 0; k < room; k++)
			level[k] = k < blocks ? knots[(k + 1) * BLOCK - 1] : get_float8_infinity();
		rule->level[i] = level;
		knots = level;
		count = blocks;
	}
}

/* Read a card, which anybody may have made up, into memory of its own. */
static Card *
card_read(const char *bytes, Size size, MemoryContext context)
{
	MemoryContext own;
	MemoryContext old;
	CardHead	head;
	Card	   *card;
	const char *next = bytes + sizeof(CardHead);
	const char *end = bytes + size;
	const char *numbers;

	memcpy(&head, bytes, sizeof(head));
	if (head.version != CARD_VERSION || head.count < 1 || head.count > DIMENSIONS_MAX ||
		(Size) (end - next) < head.count * sizeof(CardDimension))
		report_malformed_card();
	own = AllocSetContextCreate(context, "customer_tier card", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(own);
	card = palloc0(offsetof(Card, rule) + head.count * sizeof(CardRule));
	card->digest = head.digest;
	card->size = size;
	card->count = head.count;
	numbers = next + head.count * sizeof(CardDimension);
	for (int i = 0; i < head.count; i++)
	{
		CardRule   *rule = &card->rule[i];
		CardDimension dimension;
		double	   *copy;

		memcpy(&dimension, next + i * sizeof(CardDimension), sizeof(dimension));
		if (dimension.method < 0 || dimension.method > METHOD_IDENTITY ||
			dimension.ties < TIES_LOW || dimension.ties > TIES_HIGH ||
			dimension.missing < MISSING_NOTHING || dimension.missing > MISSING_WORST ||
			dimension.numbers < -1 || dimension.numbers > (end - numbers) / (int) sizeof(double))
			report_malformed_card();
		rule->rule.method = (Method) dimension.method;
		rule->rule.higher_is_better = dimension.higher_is_better != 0;
		rule->rule.ties = (Ties) dimension.ties;
		rule->missing = (Missing) dimension.missing;
		rule->has_scale = dimension.numbers >= 0;
		if (!rule->has_scale)
			continue;

		copy = palloc(Max(dimension.numbers, 1) * sizeof(double));
		memcpy(copy, numbers, dimension.numbers * sizeof(double));
		numbers += dimension.numbers * sizeof(double);
		rule->rule.scale.ndim = dimension.numbers > 0;
		rule->rule.scale.count = dimension.numbers;
		rule->rule.scale.values = copy;
		check_scale_form(&rule->rule);
		if (rule->rule.method == METHOD_PERCENTILE)
			build_levels(rule, copy, dimension.numbers / 2);
	}
	MemoryContextSwitchTo(old);
	return card;
}

/* The card of this call, read once as long as it stays the same. */
static const Card *
card_get(FunctionCallInfo fcinfo, bytea *datum)
{
	Card	   *card = (Card *) fcinfo->flinfo->fn_extra;
	Size		size = VARSIZE_ANY_EXHDR(datum);
	uint64		digest;

	if (size < sizeof(CardHead))
		report_malformed_card();
	memcpy(&digest, VARDATA_ANY(datum), sizeof(digest));
	if (card == NULL || card->digest != digest || card->size != size)
	{
		fcinfo->flinfo->fn_extra = NULL;
		if (card != NULL)
			MemoryContextDelete(GetMemoryChunkContext(card));
		card = card_read(VARDATA_ANY(datum), size, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = card;
	}
	return card;
}

/* Two values at a time, as every processor compares them; a comparison is 0 or -1. */
typedef double Pair __attribute__((vector_size(16)));
typedef int64_t Below __attribute__((vector_size(16)));

/* How many of the values of a block are below a value. */
static inline int
block_below(const double *block, double value)
{
	Below		below = {0, 0};

	for (int i = 0; i < BLOCK; i += 2)
	{
		Pair		pair = {block[i], block[i + 1]};

		below += pair < (Pair) {value, value};
	}
	return (int) -(below[0] + below[1]);
}

/*
 * The first knot of the block in which a value lies, and ask for the block:
 * those of all dimensions come from memory at the same time.
 */
static int
find_block(const CardRule *rule, double value)
{
	int			knots = rule->rule.scale.count / 2;
	int			first = 0;
	const double *block;

	for (int i = 0; i < rule->levels; i++)
		first = (first + block_below(rule->level[i] + first, value)) * BLOCK;
	block = rule->rule.scale.values + first;
	if (first < knots)
	{
		__builtin_prefetch(block);
		__builtin_prefetch(block + Min(BLOCK, knots - first) - 1);
		__builtin_prefetch(block + knots);
		__builtin_prefetch(block + knots + Min(BLOCK, knots - first) - 1);
	}
	return first;
}

static double
block_points(const CardRule *rule, int first, double value)
{
	const Float8Array *scale = &rule->rule.scale;
	int			left = scale->count / 2 - first;
	Standing	standing;

	read_standing(&standing, scale,
				  first + (left >= BLOCK ? block_below(scale->values + first, value) :
						   find_knot(scale->values + first, left, value)), value);
	return standing_points(&rule->rule, standing);
}

/*
 * card_points(raw float8[], card) -> float8[]
 *
 * An infinitely bad value is known to be worse than anything: no points,
 * whatever the scale, and even without one.  Any other value that has no scale,
 * because nobody had one when it was measured, is neither good nor bad.
 */
Datum
card_points(PG_FUNCTION_ARGS)
{
	const Card *card = card_get(fcinfo, PG_GETARG_BYTEA_PP(1));
	Float8Array values;
	const double *next;
	Datum		points[DIMENSIONS_MAX];
	int			block[DIMENSIONS_MAX];	/* where a percentile is to be looked up, or -1 */
	bool		isnull[DIMENSIONS_MAX];
	bool		any_null = false;

	float8_array_view(&values, PG_GETARG_DATUM(0));
	check_values(&values);
	check_same_length(values.count, card->count, "the card");
	next = values.values;
	for (int i = 0; i < values.count; i++)
	{
		const CardRule *rule = &card->rule[i];
		bool		missing = is_missing(&values, i);
		double		value = missing ? 0 : *next++;
		double		result = 0;

		isnull[i] = false;
		block[i] = -1;
		if (!missing)
			check_value_not_nan(value, i);
		if (!missing && isinf(value) && (value < 0) == rule->rule.higher_is_better)
			result = 0;
		else if (!missing && rule->has_scale)
		{
			/* -0 becomes +0 */
			value += 0.0;
			if (rule->levels > 0)
			{
				block[i] = find_block(rule, value);
				result = value;
			}
			else
				result = rule_points(&rule->rule, value);
		}
		else if (!missing || rule->missing == MISSING_NEUTRAL)
			result = 50;
		else
			isnull[i] = rule->missing == MISSING_NOTHING;
		points[i] = Float8GetDatum(result);
		any_null |= isnull[i];
	}
	for (int i = 0; i < values.count; i++)
		if (block[i] >= 0)
			points[i] = Float8GetDatum(block_points(&card->rule[i], block[i], DatumGetFloat8(points[i])));

	if (any_null)
	{
		int			dims = values.count;
		int			lower = 1;

		PG_RETURN_ARRAYTYPE_P(construct_md_array(points, isnull, 1, &dims, &lower, FLOAT8OID,
												 sizeof(double), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(points, values.count, FLOAT8OID, sizeof(double),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * rounded_score(score float8) -> numeric
 *
 * round(score::numeric, 4), for a score from 0 to 100.  A double becomes a
 * numeric by its first 15 digits; where these leave no doubt about the fourth
 * decimal, an integer says the same, and much faster.
 */
Datum
rounded_score(PG_FUNCTION_ARGS)
{
	double		score = PG_GETARG_FLOAT8(0);
	double		units = score * 10000;
	double		whole = floor(units);

	if (!(score >= 0 && score <= 100) || fabs(units - whole - 0.5) < 1e-6)
		return DirectFunctionCall2(numeric_round,
								   DirectFunctionCall1(float8_numeric, Float8GetDatum(score)),
								   Int32GetDatum(4));
	if (units - whole > 0.5)
		whole += 1;
	PG_RETURN_NUMERIC(int64_div_fast_to_numeric((int64) whole, 4));
}

/* finite_value(value float8) -> float8: NULL for what is no number or has no end. */
Datum
finite_value(PG_FUNCTION_ARGS)
{
	double		value = PG_GETARG_FLOAT8(0);

	if (!isfinite(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}
