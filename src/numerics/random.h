/*
 * random.h
 *	  Reproducible random numbers: the same seed gives the same numbers on
 *	  every machine.
 *
 * A stream is picked by two numbers, a seed and a stream number, so that each
 * customer (or each replicate of a bootstrap) draws from its own sequence,
 * whatever the others draw.
 */
#ifndef CUSTOMER_TIER_RANDOM_H
#define CUSTOMER_TIER_RANDOM_H

#include <stdint.h>

typedef struct RandomStream
{
	uint64_t word[4];
} RandomStream;

extern void random_seed(RandomStream *stream, uint64_t seed, uint64_t number);
extern uint64_t random_bits(RandomStream *stream);
extern uint32_t random_below(RandomStream *stream, uint32_t n);
extern double random_uniform(RandomStream *stream);
extern double random_exponential(RandomStream *stream);
extern double random_normal(RandomStream *stream);
extern double random_gamma(RandomStream *stream, double shape);

extern double portable_log(double x);
extern double portable_exp(double x);

#endif /* CUSTOMER_TIER_RANDOM_H */
