/*
 * rating_args.c
 *	  Arguments that the functions of ratings have in common: arrays with a
 *	  number a dimension, and words to choose from.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "rating/rating_args.h"

/* A number as the user would write it. */
const char *
number_text(double value)
{
	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "Infinity" : "-Infinity";
	return psprintf("%.10g", value);
}

/* Ensure that there is at least one dimension, and not too many. */
void
check_dimension_count(int count, const char *what)
{
	if (count == 0)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("%s must not be empty", what)));
	if (count > RATING_DIMENSIONS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("%s must not have more than %d elements, not %d", what,
							   RATING_DIMENSIONS_MAX, count)));
}

static void
view_argument(Float8Array *array, FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be NULL", what)));
	float8_array_view(array, PG_GETARG_DATUM(argument));
	if (array->ndim > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s must be an array of one dimension, not %d", what,
							   array->ndim)));
	check_dimension_count(array->count, what);
}

/*
 * Element `at` of an array that is read from its beginning: false when it is
 * NULL.  `stored` starts at 0 and counts those that are not.
 */
bool
float8_array_get(const Float8Array *array, int at, int *stored, double *value)
{
	if (array->has_null && (array->null_bitmap[at / 8] & (1 << (at % 8))) == 0)
		return false;
	*value = array->values[(*stored)++];
	return true;
}

/*
 * The finite numbers of an argument; returns how many there are.  Without
 * `missing` NULL is an error, with it that takes note, and the number is 0.
 */
int
get_numbers(FunctionCallInfo fcinfo, int argument, const char *what, double *numbers,
			bool *missing)
{
	Float8Array array;
	int			stored = 0;

	view_argument(&array, fcinfo, argument, what);
	for (int i = 0; i < array.count; i++)
	{
		bool		there = float8_array_get(&array, i, &stored, &numbers[i]);

		if (missing)
			missing[i] = !there;
		if (!there)
		{
			if (!missing)
				ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
								errmsg("%s must not contain NULL", what),
								errdetail("Element %d is NULL.", i + 1)));
			numbers[i] = 0;
		}
		else if (!isfinite(numbers[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s must not contain %s", what, number_text(numbers[i])),
							errdetail("Element %d is %s.", i + 1, number_text(numbers[i])),
							missing ? errhint("What is missing is NULL.") : 0));
	}
	return array.count;
}

/* Weights: numbers from 0 up, not all 0.  Returns how many there are. */
int
get_weights(FunctionCallInfo fcinfo, int argument, const char *what, double *weights)
{
	int			count = get_numbers(fcinfo, argument, what, weights, NULL);
	double		total = 0;

	for (int i = 0; i < count; i++)
	{
		if (weights[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s must not contain %s", what, number_text(weights[i])),
					 errdetail("Element %d is below 0.", i + 1),
					 errhint("Weights are numbers from 0 up; they need not add up to 1.")));
		total += weights[i];
	}
	if (total == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not all be 0", what),
						errhint("There must be a weight above 0.")));
	if (isinf(total))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("%s are too large to be added up", what)));
	return count;
}

/* Ensure that two arrays have an element for each other's. */
void
check_same_count(int count, const char *what, int other, const char *other_what)
{
	if (count != other)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s and %s must have the same number of elements", what, other_what),
						errdetail("There are %d %s and %d %s.", count, what, other, other_what)));
}

/* Which of the words an argument is. */
int
get_word(FunctionCallInfo fcinfo, int argument, const char *what, const char *const *words,
		 int count)
{
	const char *given = NULL;
	StringInfoData choice;

	if (!PG_ARGISNULL(argument))
	{
		text	   *word = PG_GETARG_TEXT_PP(argument);
		int			length = VARSIZE_ANY_EXHDR(word);

		for (int i = 0; i < count; i++)
			if (length == (int) strlen(words[i]) && memcmp(VARDATA_ANY(word), words[i], length) == 0)
				return i;
		given = text_to_cstring(word);
	}

	initStringInfo(&choice);
	for (int i = 0; i < count; i++)
		appendStringInfo(&choice, "%s'%s'", i == 0 ? "" : i < count - 1 ? ", " : " or ", words[i]);
	if (given == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not be NULL", what), errhint("Use %s.", choice.data)));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s must not be \"%s\"", what, given), errhint("Use %s.", choice.data)));
	return 0;					/* not reached */
}
