/*
 * quadrature.c
 *	  Integrals of smooth functions >= 0.
 *
 * Gauss-Legendre rules for the hot loops, chosen by a bound on their error
 * instead of by trial; adaptive Gauss-Kronrod for everything else.
 */
#include "numerics/quadrature.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#include "numerics/special.h"

/* The positive nodes of the rules with 8, 12, 16, 24, 32 and 48 points, and their
 * weights. */
static const double node_8[] = {0.183434642495649805, 0.525532409916328986,
								0.79666647741362674, 0.960289856497536232};
static const double weight_8[] = {0.362683783378361983, 0.313706645877887287,
								  0.222381034453374471, 0.101228536290376259};
static const double node_12[] = {0.125233408511468915, 0.367831498998180194,
								 0.587317954286617447, 0.769902674194304687,
								 0.904117256370474857, 0.981560634246719251};
static const double weight_12[] = {0.249147045813402785, 0.233492536538354809,
								   0.203167426723065922, 0.160078328543346226,
								   0.106939325995318431, 0.0471753363865118272};
static const double node_16[] = {0.0950125098376374402, 0.281603550779258913,
								 0.458016777657227386,	0.617876244402643748,
								 0.755404408355003034,	0.865631202387831744,
								 0.944575023073232576,	0.989400934991649933};
static const double weight_16[] = {0.189450610455068496,  0.182603415044923589,
								   0.169156519395002538,  0.149595988816576732,
								   0.124628971255533872,  0.0951585116824927848,
								   0.0622535239386478929, 0.0271524594117540949};
static const double node_24[] = {
	0.0640568928626056261, 0.191118867473616309, 0.315042679696163374,
	0.433793507626045138,  0.545421471388839536, 0.648093651936975569,
	0.740124191578554364,  0.820001985973902922, 0.886415527004401034,
	0.938274552002732759,  0.974728555971309498, 0.99518721999702136};
static const double weight_24[] = {
	0.127938195346752157,  0.125837456346828296,  0.121670472927803391,
	0.115505668053725601,  0.107444270115965635,  0.0976186521041138883,
	0.0861901615319532759, 0.0733464814110803057, 0.0592985849154367807,
	0.0442774388174198062, 0.0285313886289336632, 0.0123412297999871995};
static const double node_32[] = {
	0.0483076656877383162, 0.144471961582796493, 0.239287362252137075,
	0.33186860228212765,   0.421351276130635345, 0.50689990893222939,
	0.587715757240762329,  0.663044266930215201, 0.73218211874028968,
	0.794483795967942407,  0.84936761373256997,	 0.896321155766052124,
	0.934906075937739689,  0.964762255587506431, 0.985611511545268335,
	0.997263861849481564};
static const double weight_32[] = {
	0.0965400885147278006, 0.0956387200792748594, 0.0938443990808045656,
	0.0911738786957638847, 0.0876520930044038111, 0.0833119242269467552,
	0.0781938957870703065, 0.0723457941088485062, 0.0658222227763618468,
	0.0586840934785355471, 0.0509980592623761762, 0.0428358980222266807,
	0.0342738629130214331, 0.0253920653092620595, 0.0162743947309056706,
	0.0070186100094700966};
static const double node_48[] = {
	0.032380170962869362, 0.0970046992094626989, 0.161222356068891718,
	0.224763790394689061, 0.287362487355455577,	 0.348755886292160738,
	0.40868648199071673,  0.466902904750958405,	 0.523160974722233034,
	0.577224726083972704, 0.628867396776513624,	 0.677872379632663905,
	0.724034130923814655, 0.767159032515740339,	 0.807066204029442627,
	0.843588261624393531, 0.876572020274247886,	 0.905879136715569673,
	0.931386690706554333, 0.952987703160430861,	 0.97059159254624725,
	0.984124583722826858, 0.993530172266350758,	 0.998771007252426119};
static const double weight_48[] = {
	0.0647376968126839225, 0.0644661644359500822, 0.0639242385846481866,
	0.0631141922862540257, 0.0620394231598926639, 0.0607044391658938801,
	0.0591148396983956357, 0.0572772921004032157, 0.0551995036999841629,
	0.0528901894851936671, 0.050359035553854475,  0.0476166584924904748,
	0.0446745608566942804, 0.0415450829434647492, 0.0382413510658307063,
	0.0347772225647704389, 0.0311672278327980889, 0.0274265097083569482,
	0.0235707608393243791, 0.0196161604573555278, 0.0155793157229438487,
	0.0114772345792345395, 0.0073275539012762621, 0.00315334605230583863};

#define CLEARANCES 7
#define RULES	   6

static const GaussRule rules[RULES] = {
	{4, node_8, weight_8},	  {6, node_12, weight_12},	{8, node_16, weight_16},
	{12, node_24, weight_24}, {16, node_32, weight_32}, {24, node_48, weight_48},
};

/*
 * The steepest exp(-k x) each rule takes, by clearance.  With E the ellipse
 * around [-1, 1] whose half axes add up to rho, |f| <= M on E bounds the error
 * of n points by (64/15) M rho^-2n / (1 - rho^-2) (L. N. Trefethen,
 * Approximation Theory and Approximation Practice, 2013, theorem 19.3); here M
 * = exp(k (rho + 1/rho) / 2), rho is bounded by the singularities, and k is the
 * largest for which some rho brings the error below exp(-34) of the integral.
 */
static const double clearances[CLEARANCES] = {16, 8, 5, 3, 2, 1.4, 1};
static const double steepest[RULES][CLEARANCES] = {
	{1.3, 1.1, 0.2, -1, -1, -1, -1},
	{4.5, 4.5, 4.5, 2.9, -1, -1, -1},
	{9.5, 9.5, 9.5, 9.4, 6.5, -1, -1},
	{24.7, 24.7, 24.7, 24.7, 24.7, 21.3, 7.7},
	{46.4, 46.4, 46.4, 46.4, 46.4, 46.4, 39.2},
	{107.9, 107.9, 107.9, 107.9, 107.9, 107.9, 107.9},
};

const GaussRule *
gauss_rule(double steepness, double clearance)
{
	int column = 0;

	while (column < CLEARANCES && clearance < clearances[column])
		column++;
	if (column == CLEARANCES)
		return NULL;
	for (int i = 0; i < RULES; i++)
	{
		if (steepness <= steepest[i][column])
			return &rules[i];
	}
	return NULL;
}

/* The 21-point Kronrod rule; odd entries are nodes of the 10-point Gauss rule. */
static const double kronrod_node[10] = {
	0.148874338981631211, 0.294392862701460198, 0.433395394129247191,
	0.562757134668604683, 0.679409568299024406, 0.780817726586416897,
	0.865063366688984511, 0.930157491355708226, 0.973906528517171720,
	0.995657163025808081,
};
static const double kronrod_weight[10] = {
	0.147739104901338491,  0.142775938577060081,  0.134709217311473326,
	0.123491976262065851,  0.109387158802297642,  0.0931254545836976055,
	0.0750396748109199528, 0.0547558965743519960, 0.0325581623079647275,
	0.0116946388673718743,
};
static const double kronrod_middle = 0.149445554002916906;
static const double gauss_weight[5] = {
	0.295524224714752870, 0.269266719309996355,	 0.219086362515982044,
	0.149451349150580593, 0.0666713443086881376,
};

#define MAX_DEPTH  64
#define MAX_PANELS 1000

double
integrate_onto(double done, Integrand f, const void *context, double a, double b)
{
	double end[MAX_DEPTH]; /* far ends of the intervals still to do */
	int depth = 0;
	int panels = 0;
	double near = a;

	end[0] = b;
	while (depth >= 0)
	{
		double half = (end[depth] - near) / 2;
		double middle = near + half;
		double kronrod = kronrod_middle * f(middle, context);
		double gauss = 0;

		for (int i = 0; i < 10; i++)
		{
			double both = f(middle - half * kronrod_node[i], context) +
						  f(middle + half * kronrod_node[i], context);

			kronrod += kronrod_weight[i] * both;
			if (i % 2 == 0)
				gauss += gauss_weight[i / 2] * both;
		}
		kronrod *= fabs(half);
		gauss *= fabs(half);

		/*
		 * Where the 10 points agree to 1e-12 the 21 points are right to the
		 * last digits.  An integrand with more rounding than that gets no better.
		 */
		panels++;
		if (fabs(kronrod - gauss) <= 1e-12 * (done + kronrod) || depth == MAX_DEPTH - 1 ||
			panels > MAX_PANELS)
		{
			done += kronrod;
			near = end[depth];
			depth--;
		}
		else
			end[++depth] = middle;
	}
	return done;
}

double
integrate(Integrand f, const void *context, double a, double b)
{
	return integrate_onto(0, f, context, a, b);
}

/*
 * Beta(a, b) in d = ln(p / (1 - p)) - ln(a / b), so that the highest point of
 * its density is d = 0 and large a and b leave nothing to cancel there.
 */
typedef struct BetaMean
{
	double a;
	double b;
	double peak; /* ln of the density of d at 0 */
	Integrand f;
	const void *context;
} BetaMean;

/* exp(x) - 1 - x */
static double
expm1_minus(double x)
{
	double term = x * x / 2;
	double sum = 0;

	if (fabs(x) > 0.5)
		return expm1(x) - x;
	for (int k = 3; fabs(term) > DBL_EPSILON / 8 * sum; k++)
	{
		sum += term;
		term *= x / k;
	}
	return sum;
}

/* ln of the density, less its peak, for a <= b: a d - (a+b) ln(1 + y) */
static double
beta_fall(double a, double b, double d)
{
	double y = a / (a + b) * expm1(d);

	if (fabs(d) < 0.5)
		return -a * expm1_minus(d) - (a + b) * log1p_minus(y);
	if (d > 700)
		return -b * d - (a + b) * log(a / (a + b));
	return a * d - (a + b) * log1p(y);
}

static double
beta_integrand(double d, const void *context)
{
	const BetaMean *mean = context;
	double a = mean->a;
	double b = mean->b;
	double density =
		exp(mean->peak + (a <= b ? beta_fall(a, b, d) : beta_fall(b, a, -d)));

	return density == 0 ? 0 : density * mean->f(1 / (1 + b / a * exp(-d)), mean->context);
}

/*
 * The integral over the real line of an integrand with one peak, near 0, of
 * about this width or more.
 */
static double
integrate_peak(Integrand f, const void *context, double width)
{
	double top = 0;
	double value = f(top, context);
	double sum = 0;

	/*
	 * Walk to the top of the integrand: that of the density, moved by what
	 * is averaged.  It need not be found exactly.
	 */
	for (int direction = -1; direction <= 1; direction += 2)
	{
		for (double step = width; step >= width / 2;)
		{
			double next = f(top + direction * step, context);

			if (next > value)
			{
				top += direction * step;
				value = next;
				step *= 2;
			}
			else
				step /= 2;
		}
	}

	/*
	 * And down on both sides, in steps that double: a tail may be long, but an
	 * interval as long as the tail would step over the top.
	 */
	for (int direction = -1; direction <= 1; direction += 2)
	{
		double near = top;

		for (double step = 4 * width;; step *= 2)
		{
			double far = near + direction * step;

			sum = integrate_onto(sum, f, context, near, far);
			near = far;
			if (f(far, context) * step <= sum * 1e-18)
				break;
		}
	}
	return sum;
}

double
beta_mean(double a, double b, Integrand f, const void *context)
{
	BetaMean mean = {a, b, ln_beta_kernel(a, b, a, b), f, context};

	return integrate_peak(beta_integrand, &mean, fmin(1, sqrt(1 / a + 1 / b)));
}

/* Gamma(shape) in d = ln(g / shape) */
typedef struct GammaMean
{
	double shape;
	double peak; /* ln of the density of d at 0 */
	Integrand f;
	const void *context;
} GammaMean;

static double
gamma_integrand(double d, const void *context)
{
	const GammaMean *mean = context;
	double density = exp(mean->peak - mean->shape * expm1_minus(d));

	return density == 0 ? 0 : density * mean->f(mean->shape * exp(d), mean->context);
}

double
gamma_mean(double shape, Integrand f, const void *context)
{
	GammaMean mean = {shape, ln_gamma_peak(shape), f, context};

	return integrate_peak(gamma_integrand, &mean, fmin(1, sqrt(1 / shape)));
}
