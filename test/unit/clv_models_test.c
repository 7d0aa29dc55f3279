/*
 * clv_models_test.c
 *	  What must hold of every model whatever the parameters: gradients against
 *	  differences, distributions that add up to their means, discounts against
 *	  plain quadrature, simulated customers who behave as predicted, and errors
 *	  for what is no row.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clv/model.h"
#include "numerics/random.h"

static int passed = 0;
static int failed = 0;

static void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
check(bool ok, const char *format, ...)
{
	va_list arguments;

	if (ok)
	{
		passed++;
		return;
	}
	failed++;
	printf("clv_models: FAILED: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

static bool
near(double value, double expected, double tolerance)
{
	return value == expected || fabs(value - expected) <= tolerance * fabs(expected);
}

static double
log_uniform(RandomStream *stream, double low, double high)
{
	return low * pow(high / low, random_uniform(stream));
}

/* Parameters of the kind the models meet, or far from it */
static void
random_theta(RandomStream *stream, const ClvModel *model, bool wild, double *theta)
{
	for (int i = 0; i < model->n_params; i++)
	{
		if (model->param[i].kind == CLV_COUNT)
			theta[i] = 1 + random_below(stream, 4);
		else
			theta[i] =
				wild ? log_uniform(stream, 1e-4, 1e4) : log_uniform(stream, 0.1, 10);
	}
}

static ClvRow
random_row(RandomStream *stream, const ClvModel *model)
{
	static const double counts[] = {0, 0, 1, 2, 5, 20, 200};
	ClvRow row = {0};

	row.x = counts[random_below(stream, 7)];
	switch (model->data)
	{
		case CLV_DATA_SPEND:
			row.zbar = log_uniform(stream, 0.1, 1000);
			break;
		case CLV_DATA_RENEWALS:
			row.x = random_below(stream, 2);
			row.T = 1 + random_below(stream, 20);
			break;
		default:
			if (model->discrete)
			{
				row.T = random_below(stream, 30);
				row.t_x = random_below(stream, (uint32_t) row.T + 1);
				row.x = row.t_x > 0 ? 1 + random_below(stream, (uint32_t) row.t_x) : 0;
			}
			else
			{
				row.T = log_uniform(stream, 0.1, 100);
				row.t_x = row.x == 0 ? 0 : row.T * random_uniform(stream);
				if (row.x > 0 && random_below(stream, 5) == 0)
					row.t_x = row.T;
			}
	}
	return row;
}

/* By five-point differences in ln theta */
static void
check_gradient(const ClvModel *model, const double *theta, const ClvRow *row)
{
	const double h = 2e-3;
	double gradient[CLV_MAX_PARAMS];
	ClvParams p;

	clv_prepare(model, theta, &p);
	clv_log_likelihood(&p, row, gradient);
	for (int i = 0; i < model->n_params; i++)
	{
		double value[4];
		double size = 0;
		double slope;

		if (model->param[i].kind == CLV_COUNT)
			continue;
		for (int side = 0; side < 4; side++)
		{
			static const double steps[] = {-2, -1, 1, 2};
			double moved[CLV_MAX_PARAMS];

			memcpy(moved, theta, sizeof(double) * model->n_params);
			moved[i] *= exp(steps[side] * h);
			clv_prepare(model, moved, &p);
			value[side] = clv_log_likelihood(&p, row, NULL);
			size = fmax(size, fabs(value[side]));
		}
		slope = (8 * (value[2] - value[1]) - (value[3] - value[0])) / (12 * h);
		check(fabs(slope - gradient[i]) <= 1e-7 * (fabs(slope) + 0.01) + 1e-12 * size / h,
			  "%s: gradient by %s is %.12g, not %.12g, at (%g, %g, %g, %g, %g), row (%g, "
			  "%g, %g)",
			  model->name, model->param[i].name, gradient[i], slope, theta[0], theta[1],
			  theta[2], theta[3], theta[4], row->x, row->t_x, row->T);
	}
}

static void
test_gradients(void)
{
	RandomStream stream;

	random_seed(&stream, 3, 1);
	for (int m = 0; clv_models[m] != NULL; m++)
	{
		for (int i = 0; i < 300; i++)
		{
			double theta[CLV_MAX_PARAMS] = {0};
			ClvRow row = random_row(&stream, clv_models[m]);

			random_theta(&stream, clv_models[m], i % 2 == 1, theta);
			check_gradient(clv_models[m], theta, &row);
		}
	}
}

/* 48 midpoints a unit of v = ln(1 + u / scale) would not do; Simpson does. */
static double
discounted_by_parts(const ClvParams *p, double discount, double horizon,
					const ClvRow *row)
{
	const int steps = 400;
	double sum = 0;

	for (int i = 0; i <= steps; i++)
	{
		/* u = horizon s^2 puts points where the mean bends most */
		double s = (double) i / steps;
		double u = horizon * s * s;
		double weight = i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2;

		sum += weight * 2 * horizon * s * discount * exp(-discount * u) *
			   p->model->expected_purchases(p, u, row);
	}
	return sum / (3 * steps) +
		   exp(-discount * horizon) * p->model->expected_purchases(p, horizon, row);
}

static double
discounted_by_sum(const ClvParams *p, double discount, double horizon, const ClvRow *row)
{
	double sum = 0;

	for (double m = 1; m <= horizon; m++)
		sum += (p->model->expected_purchases(p, m, row) -
				p->model->expected_purchases(p, m - 1, row)) *
			   pow(1 + discount, -m);
	return sum;
}

/* What the predictions must have to do with each other */
static void
check_predictions(const ClvModel *model, const double *theta, const ClvRow *row,
				  double horizon, bool discounts)
{
	char where[200];
	ClvParams p;
	double alive, later, active, expected, total, tails, quantile;
	double n;

	snprintf(where, sizeof(where),
			 "%s (%g, %g, %g, %g, %g), row (%g, %g, %g), horizon %g", model->name,
			 theta[0], theta[1], theta[2], theta[3], theta[4], row->x, row->t_x, row->T,
			 horizon);
	check(clv_prepare(model, theta, &p) == CLV_OK && model->check_row(row) == CLV_OK &&
			  clv_check_horizon(model, horizon) == CLV_OK,
		  "not taken: %s", where);

	alive = model->p_alive(&p, 0, row);
	later = model->p_alive(&p, horizon, row);
	active = model->p_active(&p, horizon, row);
	expected = model->expected_purchases(&p, horizon, row);
	check(alive >= 0 && alive <= 1 && later >= 0 && later <= alive * (1 + 1e-13),
		  "P(alive) %g, later %g: %s", alive, later, where);
	check(active >= 0 && active <= alive * (1 + 1e-13) &&
			  active <= expected * (1 + 1e-11),
		  "P(active) %.17g, P(alive) %.17g, expected %.17g: %s", active, alive, expected,
		  where);
	check(model->expected_purchases(&p, 0, row) == 0 && model->p_active(&p, 0, row) == 0,
		  "something in no time: %s", where);
	check(model->expected_purchases(&p, 2 * horizon, row) >= expected * (1 - 1e-12),
		  "expected purchases fall: %s", where);
	check(near(model->count_tail(&p, 1, horizon, row), active, 1e-13), "tail: %s", where);

	/* The distribution adds up: to the tail, to 1, and to the mean. */
	total = 0;
	tails = 0;
	for (n = 0; n < 300; n++)
	{
		double exactly = model->count_probability(&p, n, horizon, row);
		double least = model->count_tail(&p, n, horizon, row);
		double more = model->count_tail(&p, n + 1, horizon, row);

		check(exactly >= 0 && exactly <= 1 && fabs(least - exactly - more) <= 1e-12,
			  "P(%g) = %.17g, P(>=) %.17g, P(>) %.17g: %s", n, exactly, least, more,
			  where);
		total += exactly;
		tails += more;
		if (more < 1e-16)
			break;
	}
	if (n < 300)
	{
		check(near(total, 1, 1e-11), "probabilities add up to %.17g: %s", total, where);
		check(near(tails, expected, 1e-10) || fabs(tails - expected) < 1e-13,
			  "mean %.17g of the distribution, expected %.17g: %s", tails, expected,
			  where);
	}

	quantile = clv_purchases_quantile(&p, 0.9, horizon, row);
	check(model->count_tail(&p, quantile + 1, horizon, row) <= 0.1 + 1e-12 &&
			  (quantile == 0 ||
			   model->count_tail(&p, quantile, horizon, row) > 0.1 - 1e-12),
		  "quantile %g: %s", quantile, where);

	if (discounts)
	{
		double value = model->discounted_purchases(&p, 0.05, horizon, row);
		double other = model->discrete ? discounted_by_sum(&p, 0.05, horizon, row)
									   : discounted_by_parts(&p, 0.05, horizon, row);

		check(near(value, other, model->discrete ? 1e-11 : 1e-6),
			  "discounted %.12g, not %.12g: %s", value, other, where);
		check(near(model->discounted_purchases(&p, 0, horizon, row), expected, 1e-14),
			  "discount 0: %s", where);
		check(near(model->discounted_purchases(&p, 2, model->discrete ? 100 : 30, row),
				   model->discounted_purchases(&p, 2, INFINITY, row), 1e-11),
			  "the end of time: %s", where);
	}
}

static void
test_predictions(void)
{
	RandomStream stream;

	random_seed(&stream, 3, 2);
	for (int m = 0; clv_models[m] != NULL; m++)
	{
		const ClvModel *model = clv_models[m];
		bool cnbd = model->data == CLV_DATA_TIMED_PURCHASES;

		if (model->expected_purchases == NULL)
			continue;
		for (int i = 0; i < 60; i++)
		{
			double theta[CLV_MAX_PARAMS] = {0};
			ClvRow row = random_row(&stream, model);
			double horizon = log_uniform(&stream, 0.1, 100);

			if (model->discrete)
				horizon = ceil(horizon);
			random_theta(&stream, model, i % 3 == 2, theta);
			check_predictions(model, theta, &row, horizon,
							  i % 3 != 2 && !(cnbd && i >= 6));
		}
	}
}

/* k = 1 is the model without regularity. */
static void
test_erlang_1(void)
{
	static const char *const pairs[][2] = {{"bg/nbd", "bg/cnbd-k"},
										   {"mbg/nbd", "mbg/cnbd-k"}};
	RandomStream stream;

	random_seed(&stream, 3, 3);
	for (int i = 0; i < 200; i++)
	{
		const ClvModel *plain = clv_model_find(pairs[i % 2][0]);
		const ClvModel *regular = clv_model_find(pairs[i % 2][1]);
		double theta[CLV_MAX_PARAMS] = {1};
		ClvRow row = random_row(&stream, plain);
		ClvParams p, q;

		random_theta(&stream, plain, i % 3 == 0, theta + 1);
		clv_prepare(plain, theta + 1, &p);
		clv_prepare(regular, theta, &q);
		check(near(clv_log_likelihood(&q, &row, NULL), clv_log_likelihood(&p, &row, NULL),
				   1e-11),
			  "%s: log-likelihood at k = 1", regular->name);
		check(near(regular->p_alive(&q, 7, &row), plain->p_alive(&p, 7, &row), 1e-11),
			  "%s: P(alive) at k = 1: %.17g %.17g (%g %g %g %g) (%g %g %g)",
			  regular->name, regular->p_alive(&q, 7, &row), plain->p_alive(&p, 7, &row),
			  theta[1], theta[2], theta[3], theta[4], row.x, row.t_x, row.T);
		check(near(regular->expected_purchases(&q, 40, &row),
				   plain->expected_purchases(&p, 40, &row), 1e-11),
			  "%s: expected purchases at k = 1: %.17g %.17g", regular->name,
			  regular->expected_purchases(&q, 40, &row),
			  plain->expected_purchases(&p, 40, &row));
		check(near(regular->count_probability(&q, 2, 40, &row),
				   plain->count_probability(&p, 2, 40, &row), 1e-11),
			  "%s: P(2) at k = 1", regular->name);
	}
}

/* One invented customer: what he did until T, and afterwards until T + H */
typedef struct Life
{
	ClvRow row;
	double after;
	bool alive; /* at T */
	bool alive_at_end;
} Life;

static double
random_beta(RandomStream *stream, double a, double b)
{
	double x = random_gamma(stream, a);
	double y = random_gamma(stream, b);

	return x / (x + y);
}

static Life
simulate_bg(RandomStream *stream, int k, const double *theta, bool first_too, double T,
			double H)
{
	Life life = {{0}, 0, true, true};
	double lambda = random_gamma(stream, theta[0]) / theta[1];
	double p = random_beta(stream, theta[2], theta[3]);
	double t = 0;
	bool alive = !(first_too && random_uniform(stream) < p);

	life.row.T = T;
	life.alive = alive;
	while (alive)
	{
		double gap = 0;

		for (int i = 0; i < k; i++)
			gap += random_exponential(stream) / lambda;
		t += gap;
		if (t > T + H)
			break;
		if (t <= T)
		{
			life.row.x++;
			life.row.t_x = t;
			life.row.litt += log(gap);
		}
		else
			life.after++;
		alive = random_uniform(stream) >= p;
		if (t <= T)
			life.alive = alive;
	}
	life.alive_at_end = alive;
	return life;
}

static Life
simulate_pareto(RandomStream *stream, const double *theta, double T, double H)
{
	Life life = {{0}, 0, true, true};
	double lambda = random_gamma(stream, theta[0]) / theta[1];
	double mu = random_gamma(stream, theta[2]) / theta[3];
	double death = random_exponential(stream) / mu;
	double t = 0;

	life.row.T = T;
	life.alive = death > T;
	life.alive_at_end = death > T + H;
	for (;;)
	{
		t += random_exponential(stream) / lambda;
		if (t > T + H || t > death)
			return life;
		if (t <= T)
		{
			life.row.x++;
			life.row.t_x = t;
		}
		else
			life.after++;
	}
}

static Life
simulate_bg_bb(RandomStream *stream, const double *theta, int n, int m)
{
	Life life = {{0}, 0, true, true};
	double p = random_beta(stream, theta[0], theta[1]);
	double leaves = random_beta(stream, theta[2], theta[3]);
	bool alive = true;

	life.row.T = n;
	for (int i = 1; i <= n + m; i++)
	{
		alive = alive && random_uniform(stream) >= leaves;
		if (i == n)
			life.alive = alive;
		if (!alive || random_uniform(stream) >= p)
			continue;
		if (i <= n)
		{
			life.row.x++;
			life.row.t_x = i;
		}
		else
			life.after++;
	}
	life.alive_at_end = alive;
	return life;
}

/* Sum of (happened - predicted) and of what it may vary by */
typedef struct Score
{
	double off;
	double variance;
} Score;

static void
score(Score *s, double happened, double predicted)
{
	s->off += happened - predicted;
	s->variance += (happened - predicted) * (happened - predicted);
}

/* Over many customers, what is predicted from their past must come true. */
static void
test_simulation(void)
{
	static const struct
	{
		const char *model;
		double theta[CLV_MAX_PARAMS];
	} cases[] = {
		{"bg/nbd", {0.8, 6, 0.9, 2.5}},		   {"mbg/nbd", {0.8, 6, 0.9, 2.5}},
		{"pareto/nbd", {0.8, 8, 0.7, 12}},	   {"bg/cnbd-k", {2, 1.2, 4, 0.9, 2.5}},
		{"mbg/cnbd-k", {3, 1.2, 4, 0.9, 2.5}}, {"bg/bb", {1.2, 0.75, 0.66, 2.8}},
	};
	const int customers = 20000;

	for (int i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++)
	{
		const ClvModel *model = clv_model_find(cases[i].model);
		const double *theta = cases[i].theta;
		RandomStream stream;
		ClvParams p;
		Score purchases = {0, 0}, alive = {0, 0}, later = {0, 0}, active = {0, 0},
			  two = {0, 0};

		random_seed(&stream, 4, i);
		clv_prepare(model, theta, &p);
		for (int c = 0; c < customers; c++)
		{
			double T = model->discrete ? 5 + c % 4 : 20 + c % 20;
			double H = model->discrete ? 5 : 25;
			Life life;

			if (model->discrete)
				life = simulate_bg_bb(&stream, theta, (int) T, (int) H);
			else if (strcmp(model->name, "pareto/nbd") == 0)
				life = simulate_pareto(&stream, theta, T, H);
			else if (model->data == CLV_DATA_TIMED_PURCHASES)
				life = simulate_bg(&stream, (int) theta[0], theta + 1,
								   model->name[0] == 'm', T, H);
			else
				life = simulate_bg(&stream, 1, theta, model->name[0] == 'm', T, H);

			score(&purchases, life.after, model->expected_purchases(&p, H, &life.row));
			score(&alive, life.alive, model->p_alive(&p, 0, &life.row));
			score(&later, life.alive_at_end, model->p_alive(&p, H, &life.row));
			score(&active, life.after > 0, model->p_active(&p, H, &life.row));
			if (c % 10 == 0)
				score(&two, life.after == 2,
					  model->count_probability(&p, 2, H, &life.row));
		}
		check(fabs(purchases.off) < 4.5 * sqrt(purchases.variance),
			  "%s: simulated purchases", model->name);
		check(fabs(alive.off) < 4.5 * sqrt(alive.variance), "%s: simulated alive",
			  model->name);
		check(fabs(later.off) < 4.5 * sqrt(later.variance), "%s: simulated alive later",
			  model->name);
		check(fabs(active.off) < 4.5 * sqrt(active.variance), "%s: simulated active",
			  model->name);
		check(fabs(two.off) < 4.5 * sqrt(two.variance), "%s: simulated two purchases",
			  model->name);
	}
}

/* Every pattern of purchases at n opportunities has its (x, t_x): they add up to 1. */
static void
test_bg_bb_total(void)
{
	const ClvModel *model = clv_model_find("bg/bb");
	RandomStream stream;

	random_seed(&stream, 3, 4);
	for (int i = 0; i < 20; i++)
	{
		const int n = 12;
		double theta[CLV_MAX_PARAMS];
		double total = 0;
		ClvParams p;

		random_theta(&stream, model, i % 2 == 1, theta);
		clv_prepare(model, theta, &p);
		for (int t_x = 0; t_x <= n; t_x++)
		{
			double patterns = 1; /* C(t_x - 1, x - 1) */

			for (int x = t_x > 0 ? 1 : 0; x <= t_x; x++)
			{
				ClvRow row = {.x = x, .t_x = t_x, .T = n};

				total += patterns * exp(clv_log_likelihood(&p, &row, NULL));
				if (x > 0)
					patterns *= (double) (t_x - x) / x;
			}
		}
		check(near(total, 1, 1e-12), "bg/bb: likelihoods add up to %.17g", total);
	}
}

static void
test_infinite(void)
{
	ClvRow row = {.x = 2, .t_x = 3, .T = 5};
	ClvRow none = {.x = 0};
	ClvParams p;

	clv_prepare(clv_model_find("bg/nbd"), (double[]){0.5, 5, 0.8, 2}, &p);
	check(isinf(p.model->expected_purchases(&p, INFINITY, &row)), "bg/nbd: a <= 1");
	clv_prepare(clv_model_find("bg/nbd"), (double[]){0.5, 5, 1.5, 2}, &p);
	check(near(p.model->expected_purchases(&p, INFINITY, &row),
			   p.model->p_alive(&p, 0, &row) * 4.5 / 0.5, 1e-14),
		  "bg/nbd: E[1/p]");
	check(near(p.model->discounted_purchases(&p, 1e-9, INFINITY, &row),
			   p.model->expected_purchases(&p, INFINITY, &row), 1e-3),
		  "bg/nbd: hardly any discount: %g",
		  p.model->discounted_purchases(&p, 1e-9, INFINITY, &row));
	clv_prepare(clv_model_find("pareto/nbd"), (double[]){0.5, 5, 1, 20}, &p);
	check(isinf(p.model->expected_purchases(&p, INFINITY, &row)), "pareto/nbd: s <= 1");
	check(isinf(p.model->discounted_purchases(&p, 0, INFINITY, &row)),
		  "pareto/nbd: DERT, s <= 1");
	check(p.model->p_alive(&p, INFINITY, &row) == 0, "pareto/nbd: nobody lives for ever");
	clv_prepare(clv_model_find("nbd"), (double[]){0.5, 5}, &p);
	check(isinf(p.model->expected_purchases(&p, INFINITY, &row)), "nbd: for ever");
	check(p.model->p_active(&p, INFINITY, &row) == 1, "nbd: buys again");
	clv_prepare(clv_model_find("bg/bb"), (double[]){1, 1, 1, 3}, &p);
	check(isinf(p.model->expected_purchases(&p, INFINITY, &row)), "bg/bb: gamma <= 1");
	clv_prepare(clv_model_find("bg/bb"), (double[]){1, 1, 2, 3}, &p);
	check(near(p.model->p_active(&p, INFINITY, &row),
			   p.model->p_active(&p, 1000000, &row), 1e-5) &&
			  p.model->p_active(&p, INFINITY, &row) >
				  p.model->p_active(&p, 1000000, &row),
		  "bg/bb: ever active");
	clv_prepare(clv_model_find("sbg"), (double[]){0.67, 3.8}, &p);
	check(isinf(p.model->expected_lifetime(&p, 0)) &&
			  isinf(p.model->residual_lifetime(&p, 0, 3)),
		  "sbg: alpha <= 1");
	clv_prepare(clv_model_find("sbg"), (double[]){2, 3}, &p);
	check(near(p.model->expected_lifetime(&p, 0), 4, 1e-14), "sbg: E[1/theta]");
	clv_prepare(clv_model_find("gamma-gamma"), (double[]){6, 0.9, 15}, &p);
	check(isinf(p.model->expected_spend(&p, &none)), "gamma-gamma: q <= 1");
	check(isfinite(p.model->expected_spend(&p, &row)),
		  "gamma-gamma: q <= 1, known customer");
}

static void
check_status(const char *model, ClvRow row, ClvStatus expected, const char *what)
{
	ClvStatus status = clv_model_find(model)->check_row(&row);

	check(status == expected, "%s: %s: status %d (%s), not %d", model, what, status,
		  clv_status_text(status), expected);
}

static void
test_refusals(void)
{
	const ClvModel *bg = clv_model_find("bg/nbd");
	const ClvModel *bb = clv_model_find("bg/bb");
	ClvParams p;

	check_status("bg/nbd", (ClvRow){.x = 2, .t_x = 3, .T = 5}, CLV_OK, "an ordinary row");
	check_status("bg/nbd", (ClvRow){.x = 0, .t_x = 0, .T = 0}, CLV_OK, "a new customer");
	check_status("bg/nbd", (ClvRow){.x = -1, .T = 5}, CLV_X_NOT_COUNT, "x < 0");
	check_status("bg/nbd", (ClvRow){.x = 1.5, .T = 5}, CLV_X_NOT_COUNT, "x not whole");
	check_status("bg/nbd", (ClvRow){.x = NAN, .T = 5}, CLV_X_NOT_COUNT, "x NaN");
	check_status("bg/nbd", (ClvRow){.x = INFINITY, .T = 5}, CLV_X_NOT_COUNT,
				 "x infinite");
	check_status("bg/nbd", (ClvRow){.x = 1, .t_x = -1, .T = 5}, CLV_TX_NOT_TIME,
				 "t_x < 0");
	check_status("bg/nbd", (ClvRow){.x = 1, .t_x = NAN, .T = 5}, CLV_TX_NOT_TIME,
				 "t_x NaN");
	check_status("bg/nbd", (ClvRow){.x = 1, .t_x = 1, .T = NAN}, CLV_T_NOT_TIME, "T NaN");
	check_status("bg/nbd", (ClvRow){.x = 1, .t_x = 1, .T = INFINITY}, CLV_T_NOT_TIME,
				 "T infinite");
	check_status("bg/nbd", (ClvRow){.x = 1, .t_x = 6, .T = 5}, CLV_TX_AFTER_T, "t_x > T");
	check_status("bg/nbd", (ClvRow){.x = 0, .t_x = 1, .T = 5}, CLV_TX_WITHOUT_X,
				 "x = 0, t_x > 0");
	check_status("bg/bb", (ClvRow){.x = 1, .t_x = 1.5, .T = 5}, CLV_TX_NOT_WHOLE,
				 "t_x not whole");
	check_status("bg/bb", (ClvRow){.x = 1, .t_x = 1, .T = 5.5}, CLV_T_NOT_WHOLE,
				 "T not whole");
	check_status("bg/bb", (ClvRow){.x = 1, .t_x = 1, .T = 1e7}, CLV_T_TOO_LARGE,
				 "T too large");
	check_status("bg/bb", (ClvRow){.x = 3, .t_x = 2, .T = 5}, CLV_X_ABOVE_TX, "x > t_x");
	check_status("mbg/cnbd-k", (ClvRow){.x = 1, .t_x = 1, .T = 5, .litt = NAN},
				 CLV_LITT_NOT_FINITE, "litt NaN");
	check_status("gamma-gamma", (ClvRow){.x = 1, .zbar = 0}, CLV_ZBAR_NOT_POSITIVE,
				 "zbar 0");
	check_status("gamma-gamma", (ClvRow){.x = 0, .zbar = 0}, CLV_OK, "no purchase");
	check_status("sbg", (ClvRow){.x = 2, .T = 1}, CLV_RENEWED_NOT_FLAG, "renewed 2");
	check_status("sbg", (ClvRow){.x = 1, .T = 0}, CLV_PERIOD_NOT_WHOLE, "period 0");

	check(clv_prepare(bg, (double[]){1, 1, 0, 1}, &p) == CLV_PARAM_NOT_POSITIVE, "a = 0");
	check(clv_prepare(bg, (double[]){1, 1, NAN, 1}, &p) == CLV_PARAM_NOT_POSITIVE,
		  "a NaN");
	check(clv_prepare(clv_model_find("bg/cnbd-k"), (double[]){1.5, 1, 1, 1, 1}, &p) ==
			  CLV_PARAM_NOT_K,
		  "k = 1.5");
	check(clv_check_horizon(bg, -1) == CLV_HORIZON_NOT_TIME, "horizon < 0");
	check(clv_check_horizon(bg, NAN) == CLV_HORIZON_NOT_TIME, "horizon NaN");
	check(clv_check_horizon(bg, INFINITY) == CLV_OK, "horizon infinite");
	check(clv_check_horizon(bb, 1.5) == CLV_HORIZON_NOT_WHOLE, "half an opportunity");
	check(clv_check_horizon(bb, 1e7) == CLV_HORIZON_TOO_LARGE, "many opportunities");
	check(clv_check_discount(-0.1) == CLV_DISCOUNT_NOT_RATE, "discount < 0");
	check(clv_model_find("no/such") == NULL, "no such model");
	for (ClvStatus status = CLV_PARAM_NOT_POSITIVE; status <= CLV_DISCOUNT_NOT_RATE;
		 status++)
		check(clv_status_text(status) != NULL && strlen(clv_status_text(status)) > 10 &&
				  clv_status_field(status) != NULL,
			  "status %d has no text", status);
}

/* The starting values are parameters, whatever the data. */
static void
test_starts(void)
{
	static const ClvRow nothing[] = {{.x = 0, .T = 0}, {.x = 0, .T = 0}};
	static const ClvRow huge[] = {{.x = 1e12, .t_x = 1e50, .T = 1e90},
								  {.x = 0, .T = 1e-90}};

	for (int m = 0; clv_models[m] != NULL; m++)
	{
		double theta[CLV_MAX_PARAMS] = {2};
		ClvParams p;

		clv_models[m]->start(nothing, NULL, 2, theta);
		check(clv_prepare(clv_models[m], theta, &p) == CLV_OK, "%s: start of nothing",
			  clv_models[m]->name);
		clv_models[m]->start(huge, NULL, 2, theta);
		check(clv_prepare(clv_models[m], theta, &p) == CLV_OK, "%s: start of extremes",
			  clv_models[m]->name);
	}
}

int
main(void)
{
	test_gradients();
	test_predictions();
	test_erlang_1();
	test_simulation();
	test_bg_bb_total();
	test_infinite();
	test_refusals();
	test_starts();
	printf("clv_models: %d passed, %d failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
