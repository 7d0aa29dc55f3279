/*
 * random_test.c
 *	  The bits against the published sequence, logarithm and exponential
 *	  against the C library, the samplers against the moments and
 *	  probabilities of their distributions.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "numerics/random.h"

#define SAMPLES	   400000
#define PINNED_SUM 0x1.1c8f8e1d8fd73p+13

static int passed = 0;
static int failed = 0;

static void
check(int ok, const char *what)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		printf("random: FAILED: %s\n", what);
	}
}

static void
check_near(double value, double expected, double tolerance, const char *what)
{
	char line[200];

	snprintf(line, sizeof(line), "%s: %.17g, expected %.17g +- %g", what, value, expected,
			 tolerance);
	check(fabs(value - expected) <= tolerance, line);
}

static void
test_bits(void)
{
	/* the first outputs of xoshiro256** from the state 1, 2, 3, 4 */
	static const uint64_t published[] = {
		UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240), UINT64_C(1215971899390074240),
		UINT64_C(1216172134540287360)};
	RandomStream stream = {{1, 2, 3, 4}};
	RandomStream other;

	for (int i = 0; i < 5; i++)
		check(random_bits(&stream) == published[i], "xoshiro256**");

	/* a stream depends on both its numbers, and on nothing else */
	random_seed(&stream, 42, 7);
	random_seed(&other, 42, 7);
	check(memcmp(&stream, &other, sizeof(stream)) == 0, "same seed, same stream");
	random_seed(&other, 42, 8);
	check(random_bits(&stream) != random_bits(&other), "other number, other stream");
	random_seed(&stream, 43, 7);
	check(random_bits(&stream) != random_bits(&other), "other seed, other stream");
	random_seed(&stream, 7, 42);
	random_seed(&other, 42, 7);
	check(random_bits(&stream) != random_bits(&other), "seed and number differ in kind");
}

/* These numbers may never change: stored demonstrations hang on them. */
static void
test_pinned(void)
{
	RandomStream stream;
	double sum = 0;

	random_seed(&stream, 42, 1);
	for (int i = 0; i < 1000; i++)
		sum += random_gamma(&stream, 0.5) + random_gamma(&stream, 4) +
			   random_below(&stream, 10);
	check_near(sum, PINNED_SUM, 0, "a thousand samples, to the last bit");
}

static void
test_log_exp(void)
{
	RandomStream stream;
	double worst_log = 0;
	double worst_exp = 0;

	random_seed(&stream, 1, 1);
	for (int i = 0; i < SAMPLES; i++)
	{
		double x =
			ldexp(random_uniform(&stream), (int) random_below(&stream, 2000) - 1000);
		double y = (random_uniform(&stream) - 0.5) * 1400;

		worst_log = fmax(worst_log, fabs(portable_log(x) / log(x) - 1));
		worst_exp = fmax(worst_exp, fabs(portable_exp(y) / exp(y) - 1));
	}
	check_near(worst_log, 0, 6e-16, "relative error of the logarithm");
	check_near(worst_exp, 0, 6e-16, "relative error of the exponential");
	check(portable_log(1) == 0, "log of 1");
	check_near(portable_log(1 + 1e-9) / log1p(1e-9), 1, 1e-6, "log near 1");
	check(portable_exp(0) == 1, "exp of 0");
	check(portable_exp(-1000) == 0, "exp of -1000");
	check(isinf(portable_exp(1000)), "exp of 1000");
	check(portable_exp(-740) > 0, "exp of -740 is denormal, not 0");
}

static void
test_below(void)
{
	RandomStream stream;
	int count[10] = {0};

	random_seed(&stream, 2, 1);
	for (int i = 0; i < SAMPLES; i++)
	{
		uint32_t n = random_below(&stream, 10);

		if (n >= 10)
		{
			check(0, "below 10");
			return;
		}
		count[n]++;
	}
	for (int i = 0; i < 10; i++)
		check_near(count[i] / (double) SAMPLES, 0.1, 0.003, "share of a digit");
	check(random_below(&stream, 1) == 0, "below 1");
	check(random_below(&stream, UINT32_MAX) < UINT32_MAX, "below the largest");
}

/*
 * Mean and variance of SAMPLES draws, and the share of them below a point.
 * Tolerances are five standard errors.
 */
static void
test_moments(const char *name, double (*draw)(RandomStream *, double), double shape,
			 double mean, double variance, double fourth, double point, double below)
{
	RandomStream stream;
	double sum = 0;
	double squares = 0;
	int count = 0;
	char what[100];

	random_seed(&stream, 3, (uint64_t) (shape * 1000));
	for (int i = 0; i < SAMPLES; i++)
	{
		double x = draw(&stream, shape);

		sum += x;
		squares += (x - mean) * (x - mean);
		count += x < point;
	}
	snprintf(what, sizeof(what), "mean of %s(%g)", name, shape);
	check_near(sum / SAMPLES, mean, 5 * sqrt(variance / SAMPLES), what);
	snprintf(what, sizeof(what), "variance of %s(%g)", name, shape);
	check_near(squares / SAMPLES, variance,
			   5 * sqrt((fourth - variance * variance) / SAMPLES), what);
	snprintf(what, sizeof(what), "share of %s(%g) below %g", name, shape, point);
	check_near(count / (double) SAMPLES, below, 5 * sqrt(below * (1 - below) / SAMPLES),
			   what);
}

static double
draw_uniform(RandomStream *stream, double shape)
{
	(void) shape;
	return random_uniform(stream);
}

static double
draw_exponential(RandomStream *stream, double shape)
{
	(void) shape;
	return random_exponential(stream);
}

static double
draw_normal(RandomStream *stream, double shape)
{
	(void) shape;
	return random_normal(stream);
}

int
main(void)
{
	test_bits();
	test_pinned();
	test_log_exp();
	test_below();

	test_moments("uniform", draw_uniform, 1, 0.5, 1.0 / 12, 1.0 / 80, 0.25, 0.25);
	test_moments("exponential", draw_exponential, 1, 1, 1, 9, log(2), 0.5);
	test_moments("normal", draw_normal, 1, 0, 1, 3, -1, 0.5 * erfc(1 / sqrt(2)));

	/* fourth central moment of gamma(k): 3 k^2 + 6 k */
	test_moments("gamma", random_gamma, 0.5, 0.5, 0.5, 3.75, 0.5, erf(sqrt(0.5)));
	test_moments("gamma", random_gamma, 1, 1, 1, 9, 1, 1 - exp(-1));
	test_moments("gamma", random_gamma, 2, 2, 2, 24, 2, 1 - 3 * exp(-2));
	test_moments("gamma", random_gamma, 4, 4, 4, 72, 4,
				 1 - exp(-4) * (1 + 4 + 8 + 32.0 / 3));
	test_moments("gamma", random_gamma, 0.01, 0.01, 0.01, 0.0603, 1e-30,
				 exp(0.01 * log(1e-30) - lgamma(1.01)));

	printf("random: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
