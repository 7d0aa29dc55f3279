/*
 * compat.c
 *	  What PostgreSQL 13 does not have.
 */
#include "postgres.h"

#include "compat.h"

#if PG_VERSION_NUM < 140000
#include "utils/builtins.h"

Numeric
int64_div_fast_to_numeric(int64 units, int decimals)
{
	char	   *text = psprintf(INT64_FORMAT "e-%d", units, decimals);
	Datum		number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

	return DatumGetNumeric(DirectFunctionCall2(numeric_round, number, Int32GetDatum(decimals)));
}
#endif
