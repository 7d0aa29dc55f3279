/*
 * model.c
 *	  The list of models, and what works for all of them: checks of arguments,
 *	  sums over rows, quantiles of the count.
 */
#include "clv/model.h"

#include <math.h>
#include <string.h>

#include "clv/models/models.h"

/* A new model is a line here and a line in models.h. */
/* clang-format off */
const ClvModel *const clv_models[] = {
	&clv_bg_nbd,
	&clv_mbg_nbd,
	&clv_pareto_nbd,
	&clv_nbd,
	&clv_bg_bb,
	&clv_bg_cnbd_k,
	&clv_mbg_cnbd_k,
	&clv_gamma_gamma,
	&clv_sbg,
	NULL,
};
/* clang-format on */

const ClvModel *
clv_model_find(const char *name)
{
	for (int i = 0; clv_models[i] != NULL; i++)
	{
		if (strcmp(clv_models[i]->name, name) == 0)
			return clv_models[i];
	}
	return NULL;
}

ClvStatus
clv_prepare(const ClvModel *model, const double *theta, ClvParams *p)
{
	for (int i = 0; i < model->n_params; i++)
	{
		/* Written so that NaN fails. */
		if (model->param[i].kind == CLV_COUNT)
		{
			if (!(theta[i] >= 1 && theta[i] <= CLV_MAX_K && theta[i] == floor(theta[i])))
				return CLV_PARAM_NOT_K;
		}
		else if (!(theta[i] >= CLV_PARAM_MIN && theta[i] <= CLV_PARAM_MAX))
			return CLV_PARAM_NOT_POSITIVE;
	}

	memset(p, 0, sizeof(*p));
	p->model = model;
	memcpy(p->theta, theta, model->n_params * sizeof(double));
	if (model->prepare != NULL)
		model->prepare(p);
	return CLV_OK;
}

/* A count that a double holds exactly. */
static bool
is_count(double x)
{
	return x >= 0 && x <= 9007199254740992.0 && x == floor(x);
}

static bool
is_time(double t)
{
	return t >= 0 && t <= CLV_TIME_MAX;
}

/* Purchases in continuous time: x, t_x, T. */
ClvStatus
clv_check_purchases(const ClvRow *row)
{
	if (!is_count(row->x))
		return CLV_X_NOT_COUNT;
	if (!is_time(row->t_x))
		return CLV_TX_NOT_TIME;
	if (!is_time(row->T))
		return CLV_T_NOT_TIME;
	if (row->t_x > row->T)
		return CLV_TX_AFTER_T;
	if (row->x == 0 && row->t_x > 0)
		return CLV_TX_WITHOUT_X;
	return CLV_OK;
}

ClvStatus
clv_check_timed_purchases(const ClvRow *row)
{
	ClvStatus status = clv_check_purchases(row);

	if (status == CLV_OK && !isfinite(row->litt))
		status = CLV_LITT_NOT_FINITE;
	return status;
}

/* Purchases at whole opportunities. */
ClvStatus
clv_check_opportunities(const ClvRow *row)
{
	ClvStatus status = clv_check_purchases(row);

	if (status != CLV_OK)
		return status;
	if (row->t_x != floor(row->t_x))
		return CLV_TX_NOT_WHOLE;
	if (row->T != floor(row->T))
		return CLV_T_NOT_WHOLE;
	if (row->T > CLV_MAX_OPPORTUNITIES)
		return CLV_T_TOO_LARGE;
	if (row->x > row->t_x)
		return CLV_X_ABOVE_TX;
	return CLV_OK;
}

ClvStatus
clv_check_spend(const ClvRow *row)
{
	if (!is_count(row->x))
		return CLV_X_NOT_COUNT;
	if (row->x > 0 && !(row->zbar >= CLV_PARAM_MIN && row->zbar <= CLV_TIME_MAX))
		return CLV_ZBAR_NOT_POSITIVE;
	return CLV_OK;
}

ClvStatus
clv_check_renewal(const ClvRow *row)
{
	if (row->x != 0 && row->x != 1)
		return CLV_RENEWED_NOT_FLAG;
	return clv_check_period(row->T);
}

ClvStatus
clv_check_horizon(const ClvModel *model, double horizon)
{
	if (!(horizon >= 0 && (horizon <= CLV_TIME_MAX || isinf(horizon))))
		return CLV_HORIZON_NOT_TIME;
	if (model->discrete && isfinite(horizon))
	{
		if (horizon != floor(horizon))
			return CLV_HORIZON_NOT_WHOLE;
		if (horizon > CLV_MAX_OPPORTUNITIES)
			return CLV_HORIZON_TOO_LARGE;
	}
	return CLV_OK;
}

ClvStatus
clv_check_discount(double discount)
{
	return discount >= 0 && discount <= CLV_TIME_MAX ? CLV_OK : CLV_DISCOUNT_NOT_RATE;
}

ClvStatus
clv_check_period(double period)
{
	return period >= 1 && is_count(period) ? CLV_OK : CLV_PERIOD_NOT_WHOLE;
}

static const struct
{
	const char *field;
	const char *text;
} status_table[] = {
	[CLV_OK] = {"", ""},
	[CLV_PARAM_NOT_POSITIVE] = {"parameter",
								"A parameter must lie between 1e-12 and 1e12."},
	[CLV_PARAM_NOT_K] = {"k", "The regularity k must be a whole number from 1 to 20."},
	[CLV_X_NOT_COUNT] = {"frequency",
						 "The number of purchases must be a whole number, at least 0."},
	[CLV_TX_NOT_TIME] = {"recency",
						 "The time of the last purchase must be between 0 and 1e12."},
	[CLV_T_NOT_TIME] = {"age", "The time observed must be between 0 and 1e12."},
	[CLV_TX_AFTER_T] = {"recency",
						"The last purchase cannot be later than the time observed."},
	[CLV_TX_WITHOUT_X] =
		{"recency", "Without a repeat purchase the time of the last one must be 0."},
	[CLV_TX_NOT_WHOLE] = {"recency",
						  "The opportunity of the last purchase must be a whole number."},
	[CLV_T_NOT_WHOLE] = {"age", "The number of opportunities must be a whole number."},
	[CLV_T_TOO_LARGE] = {"age", "The number of opportunities must be at most 1000000."},
	[CLV_X_ABOVE_TX] = {"frequency",
						"There is at most one purchase an opportunity, so there "
						"cannot be more than up to the last one."},
	[CLV_LITT_NOT_FINITE] = {"litt",
							 "The sum of log interpurchase times must be finite."},
	[CLV_ZBAR_NOT_POSITIVE] =
		{"monetary", "The mean spend of purchases must be between 1e-12 and 1e12."},
	[CLV_PERIOD_NOT_WHOLE] = {"period", "A period must be a whole number, at least 1."},
	[CLV_RENEWED_NOT_FLAG] = {"renewed", "A renewal must be 1 (renewed) or 0 (lost)."},
	[CLV_HORIZON_NOT_TIME] = {"horizon",
							  "The horizon must be between 0 and 1e12, or infinite."},
	[CLV_HORIZON_NOT_WHOLE] =
		{"horizon", "The horizon must be a whole number of opportunities or periods."},
	[CLV_HORIZON_TOO_LARGE] = {"horizon",
							   "The horizon must be at most 1000000 opportunities."},
	[CLV_DISCOUNT_NOT_RATE] = {"discount", "The discount must be between 0 and 1e12."},
};

const char *
clv_status_text(ClvStatus status)
{
	return status_table[status].text;
}

const char *
clv_status_field(ClvStatus status)
{
	return status_table[status].field;
}

double
clv_log_likelihood(const ClvParams *p, const ClvRow *row, double *gradient)
{
	ClvMemo memo;

	memo.x = -1;
	return p->model->log_likelihood(p, &memo, row, gradient);
}

/* A running sum that remembers what rounding took (A. Neumaier, ZAMM 54, 1974). */
typedef struct Sum
{
	double value;
	double lost;
} Sum;

static inline void
sum_add(Sum *sum, double y)
{
	double total = sum->value + y;

	if (fabs(sum->value) >= fabs(y))
		sum->lost += (sum->value - total) + y;
	else
		sum->lost += (y - total) + sum->value;
	sum->value = total;
}

double
clv_log_likelihood_sum(const ClvParams *p, const ClvRow *rows, const double *weights,
					   size_t n, double *gradient, void (*interrupt)(void))
{
	const ClvModel *model = p->model;
	ClvMemo memo;
	Sum total = {0, 0};
	Sum slope[CLV_MAX_PARAMS] = {{0, 0}};
	double row_slope[CLV_MAX_PARAMS];

	memo.x = -1;
	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];

		if (weight == 0)
			continue;
		sum_add(&total,
				weight * model->log_likelihood(p, &memo, &rows[i],
											   gradient != NULL ? row_slope : NULL));
		if (gradient != NULL)
		{
			for (int j = 0; j < model->n_params; j++)
				sum_add(&slope[j], weight * row_slope[j]);
		}
		if (interrupt != NULL && (i & 4095) == 4095)
			interrupt();
	}

	if (gradient != NULL)
	{
		for (int j = 0; j < model->n_params; j++)
			gradient[j] = slope[j].value + slope[j].lost;
	}
	return total.value + total.lost;
}

double
clv_purchases_quantile(const ClvParams *p, double level, double horizon,
					   const ClvRow *row)
{
	const ClvModel *model = p->model;
	double above = 1 - level; /* what may lie above the quantile */
	double low = -1;		  /* P(count > low) > above */
	double high = 0;

	/* Gallop, then halve: the tail falls with n. */
	while (high < 1e100 && model->count_tail(p, high + 1, horizon, row) > above)
	{
		low = high;
		high = 2 * high + 1;
	}
	while (high - low > fmax(1, high * 4e-16))
	{
		double middle = floor(low + (high - low) / 2);

		if (model->count_tail(p, middle + 1, horizon, row) > above)
			low = middle;
		else
			high = middle;
	}
	return high;
}
