/*
 * fitted.h
 *	  A clv_model as the functions of this room see it: unpacked from the jsonb
 *	  that SQL sees, once a query and not once a row.
 */
#ifndef CUSTOMER_TIER_FITTED_H
#define CUSTOMER_TIER_FITTED_H

#include "clv/model.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* The version of the keys of the jsonb. */
#define FITTED_VERSION 1

/* The default time unit: parameters are per week. */
#define FITTED_DAYS_PER_UNIT 7.0

typedef enum FittedStatus
{
	FITTED_GIVEN,				/* the parameters were given, not fitted */
	FITTED_OK,					/* the maximum of the likelihood */
	FITTED_BOUNDARY,			/* a parameter runs to a limit; stopped there */
	FITTED_NO_MAXIMUM,			/* the data do not determine the parameters */
	FITTED_TOO_FEW				/* not more customers than parameters */
} FittedStatus;

typedef struct FittedModel
{
	const ClvModel *kind;
	ClvParams	prepared;		/* theta, and what the model derives from it */
	bool		has_params;
	int			estimated;		/* number of parameters chosen by the fit */
	FittedStatus status;
	bool		converged;
	int			iterations;		/* evaluations of the log-likelihood */
	double		days_per_unit;
	double		penalty;

	bool		has_covariance; /* of the ln of the parameters */
	double		covariance[CLV_MAX_PARAMS][CLV_MAX_PARAMS];
	double		log_likelihood; /* NaN when not fitted */

	/* what it was fitted on; NaN when not known */
	double		customers;
	double		repeaters;		/* customers with a repeat purchase */
	double		purchases;		/* repeat purchases */
	double		distinct_rows;
	double		skipped;		/* rows that were left out */
	double		correlation;	/* Spearman's, of frequency and spend */
	uint64		fingerprint;	/* of the rows, the same for the same data */
} FittedModel;

extern void fitted_init(FittedModel *model, const ClvModel *kind);
extern Jsonb *fitted_to_jsonb(const FittedModel *model);
extern const char *fitted_from_jsonb(Jsonb *json, FittedModel *model);

/*
 * The model in an argument, unpacked.  Each argument of a function that is a
 * model has a slot of its own, 0 or 1, where it is kept for the next call.
 */
extern const FittedModel *fitted_get(FunctionCallInfo fcinfo, int argument, int slot);

/* The same, and it must have parameters to predict with. */
extern const ClvParams *fitted_get_params(FunctionCallInfo fcinfo, int argument, int slot);

/*
 * The model with each parameter in turn shifted by FITTED_SHIFT in its ln, up
 * and down: 2 * i and 2 * i + 1 of the array.  Made once, when first asked for.
 */
#define FITTED_SHIFT 1e-4
extern const ClvParams *fitted_get_shifted(FunctionCallInfo fcinfo, int slot);

/* course_purchases() of the model that the last fitted_get() of this slot returned. */
extern double fitted_purchases(FunctionCallInfo fcinfo, int slot, double discount,
							   double horizon, const ClvRow *row);

/* The model of a name, or an error that lists the names there are; *k is 0 but for a name like bg/cnbd-2. */
extern const ClvModel *find_kind(const char *name, int *k);

/* Which of a model's parameters is its k, or -1; and theta from the others and k. */
extern int	find_k(const ClvModel *kind);
extern void make_theta(const ClvModel *kind, const double *others, double k, double *theta);

/* What the value of a row, a horizon or a discount must not be, as an error. */
extern void report_clv_status(ClvStatus status, double value);
extern void check_clv_row(const ClvModel *kind, const ClvRow *row);

extern void append_double(StringInfo buf, double value);
extern const char *double_text(double value);

#endif							/* CUSTOMER_TIER_FITTED_H */
