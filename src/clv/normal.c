/*
 * normal.c
 *	  Quantiles of the normal distribution, for intervals.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "clv/fitted.h"
#include "clv/normal.h"

void
check_level(double level)
{
	if (!(level > 0 && level < 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("level must not be %s", double_text(level)),
						errhint("Use a probability between 0 and 1, for example 0.95.")));
}

/*
 * erfc(z / sqrt 2) = 1 - level is solved by Newton's method with a second
 * order correction (Halley), from a start that is close in the tail.  Works
 * on 1 - level, so that levels next to 1 keep their digits.
 */
double
normal_quantile_two_sided(double level)
{
	double		outside = 1 - level;
	double		z = outside > 0.3 ? level * 1.25331413731550025
		: sqrt(-2 * log(outside));

	for (int i = 0; i < 60; i++)
	{
		double		density = 2 * exp(-0.5 * z * z) * 0.39894228040143267794;
		double		step = (erfc(z * M_SQRT1_2) - outside) / density;

		step /= 1 - 0.5 * z * step;
		z += step;
		if (fabs(step) <= 1e-15 * z)
			break;
	}
	return z;
}
