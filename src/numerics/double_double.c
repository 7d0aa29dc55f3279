/*
 * double_double.c
 *	  The natural logarithm to more than the 53 bits of a double, and the
 *	  exponential of such a one.
 *
 * A number is 2^k m with 1 <= m < 2.  With q / 256 close to 1 / m, from the
 * upper bits of m, the rest r = m q / 256 - 1 is below 2^-7 and known exactly:
 *
 *		ln(2^k m) = k ln 2 - ln(q / 256) + ln(1 + r)
 *
 * and ln(1 + r) is its series.  Only additions, multiplications and fma, so
 * that every machine gives the same bits.  The error is below 2^-80, relative
 * as well as absolute.
 */
#include "numerics/double_double.h"

#include <stdint.h>
#include <string.h>

static const DoubleDouble ln_2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
static const DoubleDouble one_third = {0x1.5555555555555p-2, 0x1.5555555555555p-56};

#define Q_LOWEST 128
#define Q_HIGHEST 256

/* -ln(q / 256) for q from 128 to 256, rounded from 60 decimal digits. */
static const DoubleDouble minus_ln_q[] = {
	{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56},
	{0x1.5ee82aa241920p-1, 0x1.1c066d235ee63p-56},
	{0x1.5af405c3649e0p-1, -0x1.6714fbcd8135bp-55},
	{0x1.5707a26bb8c66p-1, 0x1.80bff3303dd48p-55},
	{0x1.5322e26867857p-1, 0x1.988ba4aea614dp-56},
	{0x1.4f45a835a4e19p-1, 0x1.d749362382a77p-56},
	{0x1.4b6fd6f970c1fp-1, 0x1.c457b531506f6p-55},
	{0x1.47a1527e8a2d3p-1, 0x1.2541aca7d5844p-55},
	{0x1.43d9ff2f923c5p-1, -0x1.84f481051f71ap-56},
	{0x1.4019c2125ca93p-1, 0x1.86cf0f38b461ap-57},
	{0x1.3c6080c36bfb5p-1, 0x1.1930603d87b6ep-56},
	{0x1.38ae2171976e7p-1, 0x1.21512aa596ea3p-55},
	{0x1.35028ad9d8c86p-1, -0x1.f01ab6065515cp-56},
	{0x1.315da4434068bp-1, 0x1.6c3a5f12642c9p-57},
	{0x1.2dbf557b0df43p-1, -0x1.b941ee770436bp-56},
	{0x1.2a2786d0ec107p-1, -0x1.6a0c343be95dcp-56},
	{0x1.269621134db92p-1, 0x1.e0efadd9db02bp-55},
	{0x1.230b0d8bebc98p-1, -0x1.fcc8dbccc25cbp-57},
	{0x1.1f8635fc61659p-1, -0x1.2164ff40e9817p-56},
	{0x1.1c07849ae6007p-1, 0x1.59bddae1ccce2p-56},
	{0x1.188ee40f23ca6p-1, 0x1.89df1568ca0b0p-55},
	{0x1.151c3f6f29612p-1, 0x1.342eb628dba17p-56},
	{0x1.11af823c75aa8p-1, -0x1.91eee7772c7c2p-55},
	{0x1.0e4898611cce1p-1, 0x1.3300f002e836ep-55},
	{0x1.0ae76e2d054fap-1, 0x1.0d710fcfc4e0dp-55},
	{0x1.078bf0533c568p-1, 0x1.2241edf5fd1f7p-57},
	{0x1.04360be7603adp-1, -0x1.17f9e54e78104p-57},
	{0x1.00e5ae5b207abp-1, 0x1.1713a36138e19p-57},
	{0x1.fb358af7a4884p-2, 0x1.7e8f05924d259p-57},
	{0x1.f4aa7ee03192dp-2, -0x1.0d487f5aba5e5p-57},
	{0x1.ee2a156b413e5p-2, -0x1.74b71fb5e57e3p-62},
	{0x1.e7b42c3ddad73p-2, 0x1.57d646a17bc6ap-56},
	{0x1.e148a1a2726cep-2, -0x1.ac81cc8a4dfb8p-56},
	{0x1.dae75484c9616p-2, -0x1.0b5837185a661p-56},
	{0x1.d490246defa6bp-2, 0x1.d7f4d3b3d406bp-56},
	{0x1.ce42f18064743p-2, 0x1.0798270b29f39p-56},
	{0x1.c7ff9c74554c9p-2, 0x1.223eadb651b4ap-57},
	{0x1.c1c60693fa39ep-2, -0x1.bfc00b8f3feaap-56},
	{0x1.bb9611b80e2fbp-2, 0x1.6fd02999b21e1p-59},
	{0x1.b56fa04462909p-2, 0x1.494b610665378p-56},
	{0x1.af5295248cdd0p-2, 0x1.9d56c45dd3e86p-56},
	{0x1.a93ed3c8ad9e3p-2, 0x1.bcafa9de97203p-56},
	{0x1.a33440224fa79p-2, -0x1.ba8062860ae23p-57},
	{0x1.9d32bea15ed3bp-2, 0x1.87bcbcfd3e187p-59},
	{0x1.973a3431356aep-2, -0x1.89d2816cf838fp-57},
	{0x1.914a8635bf68ap-2, -0x1.ad4bb98c1f2c5p-56},
	{0x1.8b639a88b2df5p-2, -0x1.70f2f38238303p-56},
	{0x1.85855776dcbfbp-2, -0x1.486666443b153p-56},
	{0x1.7fafa3bd8151cp-2, -0x1.219024acd3b77p-58},
	{0x1.79e26687cfb3ep-2, -0x1.c168817443f22p-56},
	{0x1.741d876c67bb1p-2, 0x1.84a4ee3059583p-56},
	{0x1.6e60ee6af1972p-2, 0x1.657c222d868cdp-58},
	{0x1.68ac83e9c6a14p-2, 0x1.a64eadd740178p-58},
	{0x1.630030b3aac49p-2, 0x1.dc18ce51fff99p-57},
	{0x1.5d5bddf595f30p-2, -0x1.6541148cbb8a2p-56},
	{0x1.57bf753c8d1fbp-2, -0x1.0908d15f88b63p-57},
	{0x1.522ae0738a3d8p-2, -0x1.8f7e9b38a6979p-57},
	{0x1.4c9e09e172c3cp-2, -0x1.123615b147a5dp-58},
	{0x1.4718dc271c41bp-2, 0x1.8fb4c14c56eefp-60},
	{0x1.419b423d5e8c7p-2, 0x1.0dbb243827392p-57},
	{0x1.3c25277333184p-2, -0x1.2ad27e50a8ec6p-56},
	{0x1.36b6776be1117p-2, -0x1.324f0e883858ep-58},
	{0x1.314f1e1d35ce4p-2, -0x1.3d69909e5c3dcp-56},
	{0x1.2bef07cdc9354p-2, -0x1.82dad7fd86088p-56},
	{0x1.269621134db92p-2, 0x1.e0efadd9db02bp-56},
	{0x1.214456d0eb8d4p-2, 0x1.f7ae91aeba60ap-57},
	{0x1.1bf99635a6b95p-2, -0x1.12aeb84249223p-57},
	{0x1.16b5ccbacfb73p-2, 0x1.66fbd28b40935p-56},
	{0x1.1178e8227e47cp-2, -0x1.0e63a5f01c691p-57},
	{0x1.0c42d676162e3p-2, 0x1.162c79d5d11eep-58},
	{0x1.07138604d5862p-2, 0x1.cdb16ed4e9138p-56},
	{0x1.01eae5626c691p-2, -0x1.18290bd2932e2p-59},
	{0x1.f991c6cb3b379p-3, 0x1.f665066f980a2p-57},
	{0x1.ef5ade4dcffe6p-3, -0x1.08ab2ddc708a0p-58},
	{0x1.e530effe71012p-3, 0x1.2276041f43042p-59},
	{0x1.db13db0d48940p-3, 0x1.aa11d49f96cb9p-58},
	{0x1.d1037f2655e7bp-3, 0x1.60629242471a2p-57},
	{0x1.c6ffbc6f00f71p-3, -0x1.8e58b2c57a4a5p-57},
	{0x1.bd087383bd8adp-3, 0x1.dd355f6a516d7p-60},
	{0x1.b31d8575bce3dp-3, -0x1.6353ab386a94dp-57},
	{0x1.a93ed3c8ad9e3p-3, 0x1.bcafa9de97203p-57},
	{0x1.9f6c407089664p-3, 0x1.35a19605e67efp-59},
	{0x1.95a5adcf7017fp-3, 0x1.142c507fb7a3dp-58},
	{0x1.8beafeb38fe8cp-3, 0x1.55aa8b6997a40p-58},
	{0x1.823c16551a3c2p-3, -0x1.1232ce70be781p-57},
	{0x1.7898d85444c73p-3, 0x1.ef8f6ebcfb201p-58},
	{0x1.6f0128b756abcp-3, -0x1.8de59c21e166cp-57},
	{0x1.6574ebe8c133ap-3, -0x1.d34f0f4621bedp-60},
	{0x1.5bf406b543db2p-3, -0x1.1f5b44c0df7e7p-61},
	{0x1.527e5e4a1b58dp-3, -0x1.71a9682395bfdp-61},
	{0x1.4913d8333b561p-3, -0x1.0d5604930f135p-58},
	{0x1.3fb45a59928ccp-3, -0x1.d87e6a354d056p-57},
	{0x1.365fcb0159016p-3, 0x1.7d411a5b944adp-58},
	{0x1.2d1610c86813ap-3, -0x1.499a3f25af95fp-58},
	{0x1.23d712a49c202p-3, -0x1.6e38161051d69p-57},
	{0x1.1aa2b7e23f72ap-3, -0x1.c6ef1d9b2ef7ep-59},
	{0x1.1178e8227e47cp-3, -0x1.0e63a5f01c691p-58},
	{0x1.08598b59e3a07p-3, -0x1.dd7009902bf32p-57},
	{0x1.fe89139dbd566p-4, -0x1.ac9f4215f9393p-58},
	{0x1.ec739830a1120p-4, -0x1.a2bf991780d3fp-59},
	{0x1.da727638446a2p-4, 0x1.401fa71733019p-58},
	{0x1.c885801bc4b23p-4, 0x1.a38cb559a6706p-58},
	{0x1.b6ac88dad5b1cp-4, -0x1.0057eed1ca59fp-59},
	{0x1.a4e7640b1bc38p-4, -0x1.5b5ca203e4259p-58},
	{0x1.9335e5d594989p-4, -0x1.478a85704ccb7p-58},
	{0x1.8197e2f40e3f0p-4, 0x1.b9f2dffbeed43p-60},
	{0x1.700d30aeac0e1p-4, -0x1.72566212cdd05p-61},
	{0x1.5e95a4d9791cbp-4, 0x1.f38745c5c450ap-58},
	{0x1.4d3115d207eacp-4, 0x1.769f42c7842ccp-58},
	{0x1.3bdf5a7d1ee64p-4, 0x1.7a976d3b5b45fp-59},
	{0x1.2aa04a44717a5p-4, -0x1.d15d38d2fa3f7p-58},
	{0x1.1973bd1465567p-4, -0x1.7558367a6acf6p-59},
	{0x1.08598b59e3a07p-4, -0x1.dd7009902bf32p-58},
	{0x1.eea31c006b87cp-5, -0x1.3e4fc93b7b66cp-59},
	{0x1.ccb73cdddb2ccp-5, -0x1.e48fb0500efd4p-59},
	{0x1.aaef2d0fb10fcp-5, 0x1.a353bb42e0addp-61},
	{0x1.894aa149fb343p-5, 0x1.a8be97660a23dp-60},
	{0x1.67c94f2d4bb58p-5, 0x1.0413e6505e603p-59},
	{0x1.466aed42de3eap-5, -0x1.cdd6f7f4a137ep-59},
	{0x1.252f32f8d183fp-5, -0x1.947f792615916p-59},
	{0x1.0415d89e74444p-5, 0x1.c05cf1d753622p-59},
	{0x1.c63d2ec14aaf2p-6, -0x1.ce030a686bd86p-60},
	{0x1.8492528c8cabfp-6, -0x1.d192d0619fa67p-60},
	{0x1.432a925980cc1p-6, -0x1.8cdaf39004192p-60},
	{0x1.0205658935847p-6, 0x1.27c8e8416e71fp-60},
	{0x1.82448a388a2aap-7, 0x1.04b16137f09a0p-62},
	{0x1.010157588de71p-7, 0x1.46662d417ced0p-62},
	{0x1.0080559588b35p-8, 0x1.f96638cf63677p-62},
	{0, 0},
};

/* ln(1 + r) for |r| < 2^-7: r - r^2 / 2 + r^3 / 3 exactly enough, then the tail. */
static DoubleDouble
log_1_plus(DoubleDouble r)
{
	DoubleDouble square = dd_multiply(r, r);
	DoubleDouble cube = dd_multiply(dd_multiply(square, r), one_third);
	double		x = r.hi;
	double		tail = 1.0 / 12;

	for (int i = 11; i >= 4; i--)
		tail = 1.0 / i - x * tail;
	tail *= square.hi * square.hi;

	cube = dd_add(cube, dd_from(-tail));
	square = (DoubleDouble) {square.hi / -2, square.lo / -2};
	return dd_add(r, dd_add(square, cube));
}

/* ln(value) for a finite value above 0. */
DoubleDouble
dd_log(double value)
{
	uint64_t	bits;
	int			exponent = 0;
	int			upper;
	int			q;
	double		m;
	DoubleDouble product;
	DoubleDouble r;
	DoubleDouble k_ln_2;

	if (value < 0x1p-1022)
	{
		value *= 0x1p54;		/* subnormal */
		exponent = -54;
	}
	memcpy(&bits, &value, sizeof(bits));
	exponent += (int) (bits >> 52) - 1023;
	bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1023) << 52);
	memcpy(&m, &bits, sizeof(m));

	/*
	 * The ends of the range keep q / 256 = 1 and 1 / 2, so that next to 1, from
	 * below as well, the first two terms are 0 and nothing cancels.
	 */
	upper = (int) (bits >> 45) & 127;
	if (upper == 0)
		q = Q_HIGHEST;
	else if (upper == 127)
		q = Q_LOWEST;
	else
		q = (65536 + 128 + upper) / (257 + 2 * upper);	/* to nearest */

	product = two_product(m, q / 256.0);
	r = quick_two_sum(product.hi - 1, product.lo);
	k_ln_2 = dd_scale(ln_2, exponent);
	return dd_add(dd_add(k_ln_2, minus_ln_q[q - Q_LOWEST]), log_1_plus(r));
}

/*
 * e^value, to a unit in the last place or better, whatever the C library's
 * exp() does: one Newton step on the logarithm.  The result must be a normal
 * number.
 */
double
dd_exp(DoubleDouble value)
{
	double		guess = exp(value.hi);

	return guess + guess * dd_subtract(value, dd_log(guess)).hi;
}
