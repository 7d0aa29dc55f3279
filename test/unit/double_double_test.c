/*
 * double_double_test.c
 *	  double_double: logarithms to 80 bits, and back.
 */
#include "numerics/double_double.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

static int	passed = 0;
static int	failed = 0;

static void
check(int ok, const char *what)
{
	if (ok)
	{
		passed++;
		return;
	}
	failed++;
	printf("double_double: FAILED %s\n", what);
}

static uint64_t seed = 1;

/* In 0 .. 1. */
static double
next_uniform(void)
{
	uint64_t	z = (seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Logarithms from 60 decimal digits. */
static const struct
{
	double		x;
	double		hi;
	double		lo;
}			known[] = {
	{0x1p-1074, -0x1.74385446d71c3p+9, -0x1.8e569fa8ee781p-45},
	{0x1.0000000000000p-1022, -0x1.6232bdd7abcd2p+9, -0x1.eef3fec1be37fp-46},
	{0x1.56e1fc2f8f359p-997, -0x1.5963447f87fb5p+9, -0x1.aa670d35324e6p-46},
	{0x1.b7cdfd9d7bdbbp-34, -0x1.7069e2aa2aa5bp+4, 0x1.f0b709e89338fp-52},
	{0x1.999999999999ap-4, -0x1.26bb1bbb55515p+1, -0x1.8b752b6b15c17p-53},
	{0x1.0000000000000p-1, -0x1.62e42fefa39efp-1, -0x1.abc9e3b39803fp-56},
	{0x1.6a09e667f3bcdp-1, -0x1.62e42fefa39eep-2, 0x1.716fdfdbc882ep-60},
	{0x1.fc00000000000p-1, -0x1.010157588de71p-7, -0x1.46662d417ced0p-62},
	{0x1.ff7ced916872bp-1, -0x1.064670d979b73p-10, -0x1.e46a88405b99bp-66},
	{0x1.fffffffffffffp-1, -0x1.0000000000000p-53, -0x1.0000000000000p-107},
	{0x1.0000000000001p+0, 0x1.fffffffffffffp-53, 0x1.5555555555554p-158},
	{0x1.004189374bc6ap+0, 0x1.060354f8c3cc4p-10, -0x1.404acdf912225p-64},
	{0x1.0200000000000p+0, 0x1.fe02a6b106789p-8, -0x1.e44b7e3711ebfp-67},
	{0x1.8000000000000p+0, 0x1.9f323ecbf984cp-2, -0x1.a92e513217f5cp-59},
	{0x1.0000000000000p+1, 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56},
	{0x1.5bf0a8b145769p+1, 0x1.0000000000000p+0, -0x1.ea8556644e4cdp-55},
	{0x1.8000000000000p+1, 0x1.193ea7aad030bp+0, -0x1.a256f99caabebp-54},
	{0x1.4000000000000p+3, 0x1.26bb1bbb55516p+1, -0x1.f48ad494ea3e9p-53},
	{0x1.2a05f20000000p+33, 0x1.7069e2aa2aa5bp+4, -0x1.c6b626e89338fp-52},
	{0x1.fffffffffffffp+1023, 0x1.62e42fefa39efp+9, 0x1.a9c9e3b39803fp-46},
	{0x1.593fb6e891ffep-15, -0x1.4323cbb24a6a4p+3, -0x1.2bccdea83c716p-56},
	{0x1.e17bf77135379p-7, -0x1.0e19f49d558bcp+2, -0x1.d80ec44db1f89p-55},
	{0x1.1a9b59c8e9ab6p-36, -0x1.8dabb38bc4a90p+4, 0x1.c04462103cd4cp-54},
	{0x1.d3a08d8bfd5c0p+16, 0x1.762bd12770abdp+3, -0x1.5091e7997e598p-55},
	{0x1.6c996f7311a5dp+2, 0x1.bd6b22cd939d9p+0, 0x1.f7a1b658ead70p-56},
	{0x1.d4924e78502edp-19, -0x1.9216d0e1a7eb7p+3, 0x1.4d4237ebdd8eap-57},
	{0x1.5affa8dc990e8p+18, 0x1.98fc4115cc4b8p+3, 0x1.63016594a6c4fp-56},
	{0x1.b3c5b367b6641p-26, -0x1.17d690f9493e6p+4, -0x1.c1b63137d4c8ep-57},
	{0x1.f6296f91bb9c7p+78, 0x1.b5e9eede09980p+5, -0x1.e1fb1e4466889p-55},
	{0x1.f1fcb23f5e8eep+15, 0x1.6200daff9f878p+3, 0x1.18142673c433ap-55},
	{0x1.48337d2b088bep+0, 0x1.fcd2eb8a30efdp-3, -0x1.9a14276e01965p-60},
	{0x1.7a8cae1055dbfp-2, -0x1.fd81021de8e80p-1, -0x1.30f167f644adcp-55},
	{0x1.0038f65d9eceep+0, 0x1.c78041a2463cep-11, -0x1.c5f139f6b34c6p-65},
	{0x1.002fe79d1dc5fp+0, 0x1.7f1911f1bf20cp-11, -0x1.02d6d6cab83edp-66},
	{0x1.00063e7ec6171p+0, 0x1.8f9ad1f3af4dfp-14, 0x1.147f41bfca97cp-68},
	{0x1.ffcba2b7efda3p-1, -0x1.a2ffae05be43dp-12, -0x1.05692b27b0079p-67},
	{0x1.003597690aed6p+0, 0x1.ac8e6e6d8e2fap-11, -0x1.d9bbe31aa4b0bp-65},
	{0x1.00097c3a17d65p+0, 0x1.2f81a39877c33p-13, -0x1.a6589dc72b1a1p-67},
	{0x1.d2cf505ef6ef0p+0, 0x1.3394c83baab01p-1, -0x1.5256d5ffe221ep-58},
	{0x1.c5a62044badfap+0, 0x1.24f057d469770p-1, -0x1.026850c1d0dfdp-57},
	{0x1.433709b95db2bp+0, 0x1.dd78a506a8869p-3, 0x1.d4f54aad8648fp-58},
	{0x1.1ef48d4456cebp+0, 0x1.d38dd75fbdc73p-4, -0x1.aa700ac772bc3p-58},
	{0x1.65fb7dddd5720p+0, 0x1.575a8c2a27ee3p-2, 0x1.bcec55cfd19a4p-57},
	{0x1.258540b5aa76cp+0, 0x1.181aec6ba69bbp-3, -0x1.d3762a391f3f7p-57},
	{0x1.7be4ebf663be0p-1, -0x1.319818bb3ab26p-2, 0x1.f306310830234p-57},
	{0x1.ea536178ed48ep-1, -0x1.6257c847b6e70p-5, -0x1.29a05e4ec88c5p-60},
	{0x1.b80913464656cp+0, 0x1.1556cc85c7952p-1, 0x1.fe00c29094025p-55},
	{0x1.21350767c882bp-1, -0x1.2471e48167d07p-1, -0x1.50e001652742ep-55},
};

static void
check_logarithms(void)
{
	for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		DoubleDouble logarithm = dd_log(known[i].x);
		double		error = (logarithm.hi - known[i].hi) + (logarithm.lo - known[i].lo);
		char		what[80];

		snprintf(what, sizeof(what), "ln %a, off by %g", known[i].x, error / known[i].hi);
		check(fabs(error) <= 0x1p-80 * fabs(known[i].hi), what);
	}
	check(dd_log(1).hi == 0 && dd_log(1).lo == 0, "ln 1 is 0");
}

/* ln a + ln b = ln ab for products that are exact, over all of the table. */
static void
check_products(void)
{
	double		worst = 0;

	for (int i = 0; i < 100000; i++)
	{
		double		a = 1 + floor(next_uniform() * 0x1p26);
		double		b = 1 + floor(next_uniform() * 0x1p26);
		DoubleDouble sum = dd_add(dd_log(a), dd_log(b));
		double		error = dd_subtract(sum, dd_log(a * b)).hi;

		if (fabs(error) > worst)
			worst = fabs(error);
	}
	check(worst < 0x1p-78, "ln a + ln b = ln ab");
}

static void
check_exponentials(void)
{
	int			off = 0;

	for (int i = 0; i < 100000; i++)
	{
		double		x = exp(next_uniform() * 1400 - 700);

		off += dd_exp(dd_log(x)) != x;
	}
	check(off == 0, "exp(ln x) = x");
	check(dd_exp((DoubleDouble) {0, 0}) == 1, "exp(0) = 1");
}

static void
check_arithmetic(void)
{
	double		worst = 0;

	for (int i = 0; i < 10000; i++)
	{
		DoubleDouble a = two_sum(next_uniform(), next_uniform() * 0x1p-60);
		DoubleDouble b = two_sum(next_uniform() + 0.1, next_uniform() * 0x1p-60);
		double		error = dd_subtract(dd_multiply(dd_divide(a, b), b), a).hi / a.hi;

		if (fabs(error) > worst)
			worst = fabs(error);
	}
	check(worst < 0x1p-100, "a / b * b = a");
	check(dd_less((DoubleDouble) {1, -1e-20}, (DoubleDouble) {1, 0}), "lower parts are compared");
	check(two_product(1 + 0x1p-52, 1 + 0x1p-52).lo == 0x1p-104, "two_product is exact");
	check(two_sum(1, 0x1p-80).lo == 0x1p-80, "two_sum is exact");
}

int
main(void)
{
	check_logarithms();
	check_products();
	check_exponentials();
	check_arithmetic();
	printf("double_double: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
