/*
 * start.c
 *	  Where the fit begins: purchase rates by the method of moments.
 */
#include "clv/models/start.h"

#include <math.h>

void
clv_start_rates(const ClvRow *rows, const double *weights, size_t n, double *r,
				double *alpha)
{
	double purchases = 0;
	double time = 0;
	double squares = 0;
	double excess = 0;
	double rate;

	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];

		purchases += weight * rows[i].x;
		time += weight * rows[i].T;
		squares += weight * rows[i].T * rows[i].T;
	}

	/* Half a purchase stands for none. */
	rate = time > 0 ? fmax(purchases, 0.5) / time : 1;

	/* Var x = rate T + (rate T)^2 / r */
	for (size_t i = 0; i < n; i++)
	{
		double weight = weights == NULL ? 1 : weights[i];
		double expected = rate * rows[i].T;
		double off = rows[i].x - expected;

		excess += weight * (off * off - expected);
	}
	*r = excess > 0 ? fmin(fmax(rate * rate * squares / excess, 0.05), 10) : 1;

	/* Some have left: those who have not buy faster than the average. */
	*alpha = *r / (1.5 * rate);
	*alpha = fmin(fmax(*alpha, CLV_PARAM_MIN), CLV_PARAM_MAX);
}

void
clv_start_bg(const ClvRow *rows, const double *weights, size_t n, double *theta)
{
	clv_start_rates(rows, weights, n, &theta[0], &theta[1]);
	theta[2] = 1;
	theta[3] = 3;
}
