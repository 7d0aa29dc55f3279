/*
 * clv_highprec_test.c
 *	  The models against values computed at 60 and 110 digits.
 *
 * CUSTOMER_TIER_SHARED (default ../shared) has them in
 * reference/clv_highprec.csv; without it the test says so and passes.  With -v
 * or CUSTOMER_TIER_VERBOSE set, it prints the worst relative error of each
 * quantity and where it is.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clv/model.h"

#define TOLERANCE 1e-11
#define FIELDS	  13

typedef struct Worst
{
	char name[64];
	int values;
	double error;
	char where[512];
} Worst;

static Worst worst[64];
static int quantities = 0;
static int passed = 0;
static int failed = 0;

static const struct
{
	const char *file;
	const char *model;
} names[] = {{"bgnbd", "bg/nbd"}, {"mbgnbd", "mbg/nbd"}, {"pnbd", "pareto/nbd"},
			 {"bgbb", "bg/bb"},	  {"gg", "gamma-gamma"}, {"sbg", "sbg"}};

static void
record(const char *model, const char *quantity, double error, const char *where)
{
	char name[64];
	int i;

	snprintf(name, sizeof(name), "%s %s", model, quantity);
	for (i = 0; i < quantities; i++)
	{
		if (strcmp(worst[i].name, name) == 0)
			break;
	}
	if (i == quantities)
	{
		if (quantities == (int) (sizeof(worst) / sizeof(worst[0])))
			return;
		quantities++;
		strcpy(worst[i].name, name);
		worst[i].error = -1;
	}
	worst[i].values++;
	if (!(error <= worst[i].error))
	{
		worst[i].error = error;
		snprintf(worst[i].where, sizeof(worst[i].where), "%s", where);
	}
}

/* The quantity of a line, NaN when we do not know what it is. */
static double
evaluate(const ClvModel *model, const ClvParams *p, const ClvRow *row, double t,
		 const char *quantity)
{
	bool discounts = strcmp(quantity, "dert") == 0 || strcmp(quantity, "del") == 0 ||
					 strcmp(quantity, "derl") == 0;

	/* For sbg a t is a period and x is one too: see the header of the table. */
	if (model->check_row != NULL && strcmp(model->name, "sbg") != 0 &&
		model->check_row(row) != CLV_OK)
		return NAN;
	if (discounts ? clv_check_discount(t) != CLV_OK
				  : clv_check_horizon(model, isnan(t) ? 0 : t) != CLV_OK)
		return NAN;

	if (strcmp(quantity, "loglik") == 0)
		return clv_log_likelihood(p, row, NULL);
	if (strcmp(quantity, "palive") == 0 || strcmp(quantity, "palive_n") == 0)
		return model->p_alive(p, 0, row);
	if (strcmp(quantity, "palive_n1") == 0)
		return model->p_alive(p, 1, row);
	if (strcmp(quantity, "cet") == 0 || strcmp(quantity, "expected_new") == 0)
		return model->expected_purchases(p, t, row);
	if (strcmp(quantity, "dert") == 0)
		return model->discounted_purchases(p, t, INFINITY, row);
	if (strcmp(quantity, "expected_spend") == 0)
		return model->expected_spend(p, row);
	if (strcmp(quantity, "survival") == 0)
		return model->survival(p, t);
	if (strcmp(quantity, "p_churn_at_t") == 0)
		return model->p_churn(p, t);
	if (strcmp(quantity, "del") == 0)
		return model->expected_lifetime(p, t);
	if (strcmp(quantity, "derl") == 0)
		return model->residual_lifetime(p, t, row->x);
	return NAN;
}

static void
check_line(const char *line)
{
	char copy[512];
	char *field[FIELDS + 1];
	char *next = copy;
	const ClvModel *model = NULL;
	double theta[CLV_MAX_PARAMS];
	ClvParams p;
	ClvRow row = {0};
	double value, expected, error;

	snprintf(copy, sizeof(copy), "%s", line);
	for (int i = 0; i < FIELDS; i++)
	{
		field[i] = next;
		next = strchr(next, ',');
		if (next == NULL)
			break;
		*next++ = '\0';
	}

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(field[0], names[i].file) == 0)
			model = clv_model_find(names[i].model);
	}
	if (model == NULL)
	{
		failed++;
		printf("clv_highprec: FAILED: no model for %s", line);
		return;
	}

	for (int i = 0; i < model->n_params; i++)
		theta[i] = strtod(field[2 + i], NULL);
	row.x = strtod(field[6], NULL);
	row.t_x = strtod(field[7], NULL);
	row.T = strtod(field[8], NULL);
	value = NAN;
	if (clv_prepare(model, theta, &p) == CLV_OK)
		value = evaluate(model, &p, &row,
						 field[9][0] == '\0' ? NAN : strtod(field[9], NULL), field[10]);
	expected = strtod(field[11], NULL);
	error = fabs(value - expected) / fabs(expected);
	if (value == expected)
		error = 0;
	record(field[0], field[10], error, line);
	if (error <= TOLERANCE)
		passed++;
	else
	{
		failed++;
		printf("clv_highprec: FAILED: %.17g (relative error %.1e) for %s", value, error,
			   line);
	}
}

int
main(int argc, char **argv)
{
	const char *shared = getenv("CUSTOMER_TIER_SHARED");
	char path[1024];
	char line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/reference/clv_highprec.csv",
			 shared != NULL && shared[0] != '\0' ? shared : "../shared");
	file = fopen(path, "r");
	if (file == NULL)
	{
		printf("clv_highprec: skipped: no %s\n", path);
		return 0;
	}

	/* The first line names the columns. */
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	while (fgets(line, sizeof(line), file) != NULL)
		check_line(line);
	fclose(file);

	if ((argc > 1 && strcmp(argv[1], "-v") == 0) ||
		getenv("CUSTOMER_TIER_VERBOSE") != NULL)
	{
		for (int i = 0; i < quantities; i++)
			printf("%-24s %3d values, worst relative error %.1e: %s", worst[i].name,
				   worst[i].values, worst[i].error, worst[i].where);
	}
	if (passed + failed == 0)
	{
		failed++;
		printf("clv_highprec: FAILED: no value in %s\n", path);
	}
	printf("clv_highprec: %d passed, %d failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
