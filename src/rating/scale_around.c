/*
 * scale_around.c
 *	  The few knots of a stored scale that one value needs.
 *
 * A scale of percentile_scale() can take two megabytes.  Whoever ranks one
 * customer needs four of its knots, and finds them by binary search in the
 * parts of the array that the table keeps out of line, without fetching the
 * rest.  The result is a scale itself, on which percentile() of this value is
 * the same.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#if PG_VERSION_NUM >= 130000
#include "access/detoast.h"
#endif

#include "value_list.h"

PG_FUNCTION_INFO_V1(scale_around);

/* Where the numbers of a float8[] of one dimension begin, after its length word. */
#define HEADER_BYTES (ARR_OVERHEAD_NONULLS(1) - VARHDRSZ)

/* So many numbers are read at a time when the search has come that close. */
#define NUMBERS_A_READ 64

/* An array that is read where it is, a few numbers at a time. */
typedef struct StoredArray
{
	Datum		datum;
	int			count;
	int			first;			/* which numbers are in `numbers` */
	int			loaded;
	double		numbers[NUMBERS_A_READ];
} StoredArray;

static void
read_bytes(Datum datum, int first, int length, void *bytes)
{
	struct varlena *slice = PG_DETOAST_DATUM_SLICE(datum, first, length);

	if (VARSIZE_ANY_EXHDR(slice) != (Size) length)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("malformed percentile scale"),
						errhint("A scale comes from customer_tier.percentile_scale(value).")));
	memcpy(bytes, VARDATA_ANY(slice), length);
	if ((Pointer) slice != DatumGetPointer(datum))
		pfree(slice);
}

static void
stored_array_open(StoredArray *array, Datum datum)
{
	int32		header[HEADER_BYTES / sizeof(int32)];	/* ndim, offset, type, length, base */

	array->datum = datum;
	array->loaded = 0;
	read_bytes(datum, 0, sizeof(header), header);
	if (header[0] != 1 || header[1] != 0 || (Oid) header[2] != FLOAT8OID || header[3] < 2)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("malformed percentile scale"),
						errdetail("It must be an array of one dimension with two numbers a knot."),
						errhint("A scale comes from customer_tier.percentile_scale(value).")));
	array->count = header[3];
}

static double
stored_array_get(StoredArray *array, int index)
{
	if (index < array->first || index >= array->first + array->loaded)
	{
		array->first = index - index % NUMBERS_A_READ;
		array->loaded = Min(NUMBERS_A_READ, array->count - array->first);
		read_bytes(array->datum, HEADER_BYTES + array->first * (int) sizeof(double),
				   array->loaded * (int) sizeof(double), array->numbers);
	}
	return array->numbers[index - array->first];
}

/* scale_around(scale float8[], value float8) -> float8[] */
Datum
scale_around(PG_FUNCTION_ARGS)
{
	Datum		datum = PG_GETARG_DATUM(0);
	double		value = PG_GETARG_FLOAT8(1);
	StoredArray array;
	double		scale[9];
	int			knots;
	int			wanted[4];
	int			kept = 0;
	int			low = 0;
	int			high;

	/* an array that is here as a whole costs nothing to read, and may be empty */
	if (!VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(datum)))
	{
		ArrayType  *whole = DatumGetArrayTypeP(datum);

		if (ARR_NDIM(whole) != 1 || ARR_HASNULL(whole) || ARR_DIMS(whole)[0] < 2)
			PG_RETURN_ARRAYTYPE_P(whole);	/* percentile() says what is wrong */
		datum = PointerGetDatum(whole);
	}
	stored_array_open(&array, datum);
	knots = array.count / 2;

	high = knots;
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (stored_array_get(&array, middle) < value)
			low = middle + 1;
		else
			high = middle;
	}

	/* the knot before, the one at or above, the next, and the last of all */
	for (int at = low - 1; at <= low + 1; at++)
		if (at >= 0 && at < knots)
			wanted[kept++] = at;
	if (wanted[kept - 1] != knots - 1)
		wanted[kept++] = knots - 1;
	for (int i = 0; i < kept; i++)
		scale[i] = stored_array_get(&array, wanted[i]);
	for (int i = 0; i < kept; i++)
		scale[kept + i] = stored_array_get(&array, knots + wanted[i]);
	if (array.count % 2 == 1)
		scale[2 * kept] = stored_array_get(&array, array.count - 1);
	PG_RETURN_ARRAYTYPE_P(float8_array_from(scale, 2 * kept + array.count % 2));
}
