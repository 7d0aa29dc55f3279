/*
 * objective_weights_test.c
 *	  objective_weights: published examples, in any order, and at the edges.
 */
#include "numerics/objective_weights.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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
	printf("objective_weights: FAILED %s\n", what);
}

#define N 3

typedef struct Sums
{
	int64_t		rows;
	double		min[N];
	double		max[N];
	ExactSum	sum[N];
	ExactSum	x_log_x[N];
	ExactSum	product[N * (N + 1) / 2];
} Sums;

static void
init(Sums *s)
{
	memset(s, 0, sizeof(*s));
	for (int j = 0; j < N; j++)
	{
		s->min[j] = INFINITY;
		s->max[j] = -INFINITY;
	}
}

static void
add(Sums *s, const double *x)
{
	s->rows++;
	for (int j = 0; j < N; j++)
	{
		s->min[j] = fmin(s->min[j], x[j]);
		s->max[j] = fmax(s->max[j], x[j]);
		exact_sum_add(&s->sum[j], x[j]);
		exact_sum_add_x_log_x(&s->x_log_x[j], x[j]);
		for (int k = 0; k <= j; k++)
			exact_sum_add_product(&s->product[triangle_index(j, k)], x[j], x[k]);
	}
}

static void
get_entropy(const Sums *s, double *weights)
{
	entropy_weights_from_sums(s->sum, s->x_log_x, s->min, s->max, s->rows, N, weights);
}

static void
get_critic(const Sums *s, const bool *higher_is_better, double *weights)
{
	double		workspace[N * (N + 1) / 2 + 3 * N];

	check(critic_workspace(N) == sizeof(workspace) / sizeof(double), "the workspace");
	critic_weights_from_sums(s->sum, s->product, s->min, s->max, higher_is_better, s->rows, N,
							 weights, workspace);
}

/* The largest difference between two sets of weights. */
static double
get_distance(const double *a, const double *b)
{
	double		worst = 0;

	for (int j = 0; j < N; j++)
		if (!(fabs(a[j] - b[j]) <= worst))
			worst = fabs(a[j] - b[j]);
	return worst;
}

/* Eight alternatives of scikit-criteria's test of CRITIC, all to be high. */
static const double example[][N] = {
	{61, 1.08, 4.33}, {20.7, 0.26, 4.34}, {16.3, 1.98, 2.53}, {9, 3.29, 1.65},
	{5.4, 2.77, 2.33}, {4, 4.12, 1.21}, {-6.1, 3.52, 2.10}, {-34.6, 3.31, 0.98}};

static void
check_critic(void)
{
	const double expected[N] = {0.20222554, 0.48090173, 0.31687273};
	const bool	turned[N] = {false, false, false};
	Sums		s;
	Sums		backwards;
	Sums		moved;
	double		weights[N];
	double		other[N];

	init(&s);
	init(&backwards);
	init(&moved);
	for (int i = 0; i < 8; i++)
	{
		/* whole numbers, so that moving them rounds nothing */
		double		x[N] = {1e15 + 10 * example[i][0], 1e13 - 100 * example[i][1],
							 1e12 + 100 * example[i][2]};

		for (int j = 0; j < N; j++)
			x[j] = round(x[j]);
		add(&s, example[i]);
		add(&backwards, example[7 - i]);
		add(&moved, x);
	}
	get_critic(&s, NULL, weights);
	check(get_distance(weights, expected) < 5e-9, "the published weights");
	get_critic(&s, turned, other);
	check(get_distance(weights, other) == 0, "all turned round");
	get_critic(&backwards, NULL, other);
	check(get_distance(weights, other) == 0, "from the last to the first");
	{
		const bool	second[N] = {true, false, true};

		get_critic(&moved, second, other);
		check(get_distance(weights, other) < 1e-12, "a mean of 1e15, turned and turned back");
	}
}

static void
check_entropy(void)
{
	const double rows[][N] = {{0, 2, 7}, {1, 3, 7}, {1, 4, 7}};
	const double expected[N] = {0.914816, 0.085184, 0};
	Sums		s;
	Sums		scaled;
	double		weights[N];
	double		other[N];

	init(&s);
	init(&scaled);
	for (int i = 0; i < 3; i++)
	{
		double		x[N] = {rows[i][0] * 1e-300, rows[i][1] * 0.1, rows[i][2] * 1e138};

		add(&s, rows[i]);
		add(&scaled, x);
	}
	get_entropy(&s, weights);
	check(get_distance(weights, expected) < 5e-7, "a zero, and a constant");
	check(weights[2] == 0, "a constant weighs exactly 0");
	get_entropy(&scaled, other);
	check(get_distance(weights, other) < 1e-15, "other units");
}

/* Values of the largest size, many times over; nothing that varies. */
static void
check_edges(void)
{
	Sums		s;
	double		weights[N];

	init(&s);
	for (int i = 0; i < 1000; i++)
	{
		double		x[N] = {i % 2 ? 1e140 : -1e140, i % 3 ? 1e-140 : 2e-140, i % 5};

		add(&s, x);
	}
	get_critic(&s, NULL, weights);
	check(weights[0] > 0.3 && weights[1] > 0.2 && weights[2] > 0.2 &&
			  fabs(weights[0] + weights[1] + weights[2] - 1) < 1e-15,
		  "from 1e-140 to 1e140");

	init(&s);
	add(&s, example[0]);
	get_critic(&s, NULL, weights);
	check(weights[0] == 1.0 / N && weights[2] == 1.0 / N, "one row has equal weights");
	get_entropy(&s, weights);
	check(weights[0] == 1.0 / N && weights[2] == 1.0 / N, "in entropy, too");
}

int
main(void)
{
	check_critic();
	check_entropy();
	check_edges();
	printf("objective_weights: %d passed, %d failed\n", passed, failed);
	return failed > 0;
}
