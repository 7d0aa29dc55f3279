/*
 * rating_args.h
 *	  Arguments that the functions of ratings have in common: arrays with a
 *	  number a dimension, and words to choose from.
 */
#ifndef RATING_RATING_ARGS_H
#define RATING_RATING_ARGS_H

#include "fmgr.h"

#include "value_list.h"

/* More dimensions than any rating has; bounds the states of aggregates. */
#define RATING_DIMENSIONS_MAX 100

extern const char *number_text(double value);
extern void check_dimension_count(int count, const char *what);
extern bool float8_array_get(const Float8Array *array, int at, int *stored, double *value);
extern int	get_numbers(FunctionCallInfo fcinfo, int argument, const char *what, double *numbers,
						bool *missing);
extern int	get_weights(FunctionCallInfo fcinfo, int argument, const char *what,
						double *weights);
extern void check_same_count(int count, const char *what, int other, const char *other_what);
extern int	get_word(FunctionCallInfo fcinfo, int argument, const char *what,
					 const char *const *words, int count);

#endif							/* RATING_RATING_ARGS_H */
