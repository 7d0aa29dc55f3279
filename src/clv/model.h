/*
 * model.h
 *	  Customer lifetime value: one table of functions a model.
 *
 * A model is one file in src/clv/models/, in the symbols of its paper, plain
 * C without postgres.h; adding one is adding that file and its line in
 * model.c.  The SQL surface and the fit know models through this table alone.
 *
 * How to use it:
 *
 *		const ClvModel *model = clv_model_find("bg/nbd");
 *		ClvParams p;
 *		status = clv_prepare(model, theta, &p);		(once a model)
 *		status = model->check_row(&row);			(once a row)
 *		status = clv_check_horizon(model, horizon);	(once a horizon)
 *		y = model->expected_purchases(&p, horizon, &row);
 *
 * The functions trust what was checked: given CLV_OK from these three they
 * return a number, never NaN.  Infinite expectations are INFINITY, where their
 * comments say so.  None allocates memory, keeps state or raises; a pointer is
 * NULL where the model has no such quantity.
 *
 * Units: times (t_x, T, horizons) are in one unit of the caller's choice and
 * rates are per that unit.  bg/bb and sbg count whole opportunities, periods.
 */
#ifndef CUSTOMER_TIER_CLV_MODEL_H
#define CUSTOMER_TIER_CLV_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#define CLV_MAX_PARAMS		  5
#define CLV_MAX_CONSTANTS	  24
#define CLV_MAX_K			  20	  /* the largest Erlang shape */
#define CLV_MAX_OPPORTUNITIES 1000000 /* bg/bb counts them one by one */
#define CLV_PARAM_MIN		  1e-12	  /* parameters outside are refused */
#define CLV_PARAM_MAX		  1e12
#define CLV_TIME_MAX		  1e12 /* and times, money and discounts above */

/*
 * What is wrong with parameters, a row or an argument.  clv_status_text()
 * tells it in a sentence, clv_status_field() names the value to show.
 */
typedef enum ClvStatus
{
	CLV_OK = 0,
	CLV_PARAM_NOT_POSITIVE, /* a parameter is not in CLV_PARAM_MIN..MAX */
	CLV_PARAM_NOT_K,		/* k is not a whole number in 1..CLV_MAX_K */
	CLV_X_NOT_COUNT,		/* x is not a whole number >= 0, at most 2^53 */
	CLV_TX_NOT_TIME,		/* t_x is negative, NaN or infinite */
	CLV_T_NOT_TIME,			/* T is negative, NaN or infinite */
	CLV_TX_AFTER_T,			/* t_x > T */
	CLV_TX_WITHOUT_X,		/* x = 0 but t_x > 0 */
	CLV_TX_NOT_WHOLE,		/* bg/bb: t_x is not a whole number */
	CLV_T_NOT_WHOLE,		/* bg/bb, sbg: T is not a whole number */
	CLV_T_TOO_LARGE,		/* bg/bb: T above CLV_MAX_OPPORTUNITIES */
	CLV_X_ABOVE_TX,			/* bg/bb: more purchases than opportunities
							 * up to the last one (x > t_x) */
	CLV_LITT_NOT_FINITE,	/* litt is NaN or infinite */
	CLV_ZBAR_NOT_POSITIVE,	/* gamma-gamma: x > 0 and zbar is not finite
							 * and positive */
	CLV_PERIOD_NOT_WHOLE,	/* sbg: a period is not a whole number >= 1 */
	CLV_RENEWED_NOT_FLAG,	/* sbg: x is neither 0 (lost) nor 1 (renewed) */
	CLV_HORIZON_NOT_TIME,	/* a horizon is negative or NaN */
	CLV_HORIZON_NOT_WHOLE,	/* bg/bb, sbg: a horizon is not whole */
	CLV_HORIZON_TOO_LARGE,	/* bg/bb: finite, above CLV_MAX_OPPORTUNITIES */
	CLV_DISCOUNT_NOT_RATE	/* a discount is negative, NaN or infinite */
} ClvStatus;

/* What a row of the model's data is: which columns of ClvRow it reads. */
typedef enum ClvData
{
	CLV_DATA_PURCHASES,		  /* x, t_x, T */
	CLV_DATA_TIMED_PURCHASES, /* x, t_x, T, litt */
	CLV_DATA_SPEND,			  /* x, zbar */
	CLV_DATA_RENEWALS		  /* x (1 renewed, 0 lost), T (period) */
} ClvData;

/* How the fit treats a parameter. */
typedef enum ClvParamKind
{
	CLV_SHAPE, /* dimensionless: penalised in ln */
	CLV_RATE,  /* carries a unit (time or money): not penalised */
	CLV_COUNT  /* a whole number: searched over, no gradient,
				* not penalised, but counted in AIC and BIC */
} ClvParamKind;

typedef struct ClvParamInfo
{
	const char *name;
	ClvParamKind kind;
} ClvParamInfo;

/*
 * One observation.
 *	x		number of repeat purchases (bg/bb: purchases at the T opportunities)
 *	t_x		time of the last of them since the first purchase, 0 when x = 0
 *			(bg/bb: number of the opportunity of the last purchase)
 *	T		time observed since the first purchase (bg/bb: opportunities seen;
 *			sbg: number of the period, from 1)
 *	zbar	gamma-gamma: mean spend of the x purchases
 *	litt	sum of the logarithms of the x interpurchase times.  It enters the
 *			log-likelihood only as (k - 1) litt, so collapsed rows may leave it
 *			0 and add (k - 1) times its total.
 *
 * A new customer is the row (0, 0, 0).  For gamma-gamma a row with x = 0 is
 * valid and says nothing (log-likelihood 0).
 */
typedef struct ClvRow
{
	double x;
	union
	{
		double t_x;
		double zbar;
	};
	double T;
	double litt;
} ClvRow;

typedef struct ClvModel ClvModel;

/* A parameter vector, with what the model needs of it computed once. */
typedef struct ClvParams
{
	const ClvModel *model;
	double theta[CLV_MAX_PARAMS]; /* in the paper's order */
	double c[CLV_MAX_CONSTANTS];  /* the model's own */
} ClvParams;

/*
 * What the log-likelihood needs of x and the parameters alone, kept from one
 * row to the next: rows in order of x make it cheap.  Set x = -1 before the
 * first row and whenever the parameters change.
 */
typedef struct ClvMemo
{
	double x;
	double c[CLV_MAX_CONSTANTS];
} ClvMemo;

struct ClvModel
{
	const char *name;
	const char *paper; /* where its formulas come from */
	ClvData data;
	bool discrete; /* time is counted in whole opportunities or
					* periods, a discount is a rate a period;
					* otherwise a continuous rate a unit of time */
	int n_params;
	ClvParamInfo param[CLV_MAX_PARAMS];

	ClvStatus (*check_row)(const ClvRow *row);

	/* Fills p->c, p->theta being checked; NULL when there is nothing to fill. */
	void (*prepare)(ClvParams *p);

	/*
	 * Log-likelihood of one row, all constants kept.  With gradient not NULL
	 * also its derivatives with respect to the logarithms of the parameters
	 * (n_params of them; 0 for a CLV_COUNT).  Rarely wanted directly: see
	 * clv_log_likelihood() and clv_log_likelihood_sum().
	 */
	double (*log_likelihood)(const ClvParams *p, ClvMemo *memo, const ClvRow *row,
							 double *gradient);

	/*
	 * Starting values for the fit from the data, cheap and always inside the
	 * parameter space.  A CLV_COUNT in theta is read, not set.  Weights are
	 * frequency weights >= 0; NULL is 1 a row.
	 */
	void (*start)(const ClvRow *rows, const double *weights, size_t n, double *theta);

	/* P(alive) at T + ahead, given the row.  ahead may be INFINITY (0). */
	double (*p_alive)(const ClvParams *p, double ahead, const ClvRow *row);

	/* P(at least one purchase in (T, T + horizon]); horizon may be INFINITY. */
	double (*p_active)(const ClvParams *p, double horizon, const ClvRow *row);

	/*
	 * E[purchases in (T, T + horizon]].  horizon may be INFINITY; the result
	 * is INFINITY then where the mean does not exist (pareto/nbd: s <= 1; the
	 * bg family: a <= 1; nbd always; bg/bb: gamma <= 1).
	 */
	double (*expected_purchases)(const ClvParams *p, double horizon, const ClvRow *row);

	/*
	 * E[purchases in (T, T + horizon], each worth exp(-discount * time)]
	 * (discrete: (1 + discount)^-periods).  horizon = INFINITY gives DERT;
	 * with discount 0 it is expected_purchases.
	 */
	double (*discounted_purchases)(const ClvParams *p, double discount, double horizon,
								   const ClvRow *row);

	/*
	 * The distribution of the count: P(exactly n purchases) and P(at least n
	 * purchases) in (T, T + horizon], n a whole number >= 0; horizon finite.
	 * count_tail(1) is p_active.
	 */
	double (*count_probability)(const ClvParams *p, double n, double horizon,
								const ClvRow *row);
	double (*count_tail)(const ClvParams *p, double n, double horizon, const ClvRow *row);

	/*
	 * gamma-gamma: E[mean spend of a purchase | x, zbar]; INFINITY where the
	 * mean does not exist (p x + q <= 1: x = 0 and q <= 1).
	 */
	double (*expected_spend)(const ClvParams *p, const ClvRow *row);

	/*
	 * sbg, period = 1, 2, ...: P(still a customer after period), P(lost at the
	 * end of period), P(renews at the end of period | customer in it);
	 * expected discounted lifetime of a new customer (DEL) and residual
	 * lifetime of one in his period-th period, about to renew (DERL):
	 * INFINITY at discount 0 when alpha <= 1.
	 */
	double (*survival)(const ClvParams *p, double period);
	double (*p_churn)(const ClvParams *p, double period);
	double (*retention)(const ClvParams *p, double period);
	double (*expected_lifetime)(const ClvParams *p, double discount);
	double (*residual_lifetime)(const ClvParams *p, double discount, double period);
};

/* The models, in the order of the documentation; NULL ends the list. */
extern const ClvModel *const clv_models[];

/* The model of that name, or NULL. */
extern const ClvModel *clv_model_find(const char *name);

/* Checks theta (n_params values) and prepares p from it. */
extern ClvStatus clv_prepare(const ClvModel *model, const double *theta, ClvParams *p);

extern ClvStatus clv_check_horizon(const ClvModel *model, double horizon);
extern ClvStatus clv_check_discount(double discount);
extern ClvStatus clv_check_period(double period);

/* What is wrong, as an error's detail: "The number of repeat purchases must be ..." */
extern const char *clv_status_text(ClvStatus status);

/* The value it is about: "frequency", "recency", "age", "horizon", ... ("" for CLV_OK).
 */
extern const char *clv_status_field(ClvStatus status);

/* One row; gradient may be NULL. */
extern double clv_log_likelihood(const ClvParams *p, const ClvRow *row, double *gradient);

/*
 * Sum over rows of weight * log-likelihood, and of its gradient (not NULL:
 * n_params values), compensated, in the order given: the same rows in the same
 * order give the same bits.  Rows in order of x are fastest.  weights NULL: 1
 * a row.  interrupt, when not NULL, is called now and then.
 */
extern double clv_log_likelihood_sum(const ClvParams *p, const ClvRow *rows,
									 const double *weights, size_t n, double *gradient,
									 void (*interrupt)(void));

/*
 * The smallest n with P(purchases in (T, T + horizon] <= n) >= level, 0 <
 * level < 1: the predictive quantile.  horizon is finite.
 */
extern double clv_purchases_quantile(const ClvParams *p, double level, double horizon,
									 const ClvRow *row);

#endif
