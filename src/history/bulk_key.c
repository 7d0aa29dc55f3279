/*
 * bulk_key.c
 *	  The customer's key in the bulk builder, and the ids of orders.
 *
 * Whole numbers, dates and timestamps are sorted by their value, so the
 * customers come out in the order of the key.  Any other type that can be
 * hashed is sorted by its hash, and the key itself goes with its rows, in words
 * of 64 bits, to tell keys of one hash apart; the customers come out in the
 * order of the hash.
 *
 * Equal keys need not look the same (numeric 1.0 and 1.00, citext).  Of those
 * that come up the one is shown whose text is the least byte by byte, so that
 * the order of the rows does not matter.
 *
 * Ids of orders are not shown, only told apart: by their words, so that only
 * types are offered in which equal ids are the same bytes.
 */
#include "postgres.h"

#include "compat.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "history/bulk.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* Equality as in GROUP BY, and a hash that goes with it. */
static TypeCacheEntry *
look_up_type(Oid type)
{
	return lookup_type_cache(getBaseType(type),
							 TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO |
							 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
}

static bool
kind_of_type(Oid type, BulkKeyKind *kind)
{
	switch (getBaseType(type))
	{
		case INT2OID:
			*kind = BULK_KEY_INT2;
			return true;
		case INT4OID:
		case DATEOID:
			*kind = BULK_KEY_INT4;
			return true;
		case INT8OID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			*kind = BULK_KEY_INT8;
			return true;
		default:
			*kind = BULK_KEY_HASHED;
			return false;
	}
}

/* Can this be a customer's key? */
bool
bulk_key_is_offered(Oid type)
{
	BulkKeyKind kind;
	TypeCacheEntry *entry;

	if (kind_of_type(type, &kind))
		return true;
	entry = look_up_type(type);
	return OidIsValid(entry->eq_opr_finfo.fn_oid) && entry->typlen != -2 &&
		(OidIsValid(entry->hash_extended_proc_finfo.fn_oid) ||
		 OidIsValid(entry->hash_proc_finfo.fn_oid));
}

/* How keys of a type are kept, which is one that is offered; for as long as the context lives. */
void
bulk_key_init(BulkKey *form, Oid type, Oid collation, MemoryContext context)
{
	TypeCacheEntry *entry = look_up_type(type);
	Oid			output;
	bool		is_varlena;

	kind_of_type(type, &form->kind);
	form->collation = collation;
	form->length = entry->typlen;
	form->by_value = entry->typbyval;
	if (form->kind != BULK_KEY_HASHED)
		return;

	form->long_hash = OidIsValid(entry->hash_extended_proc_finfo.fn_oid);
	fmgr_info_cxt(form->long_hash ? entry->hash_extended_proc_finfo.fn_oid :
				  entry->hash_proc_finfo.fn_oid, &form->hash, context);
	fmgr_info_cxt(entry->eq_opr_finfo.fn_oid, &form->equal, context);
	getTypeOutputInfo(getBaseType(type), &output, &is_varlena);
	fmgr_info_cxt(output, &form->output, context);
}

uint64
bulk_key_hash(BulkKey *form, Datum value)
{
	if (form->long_hash)
		return DatumGetUInt64(FunctionCall2Coll(&form->hash, form->collation, value, UInt64GetDatum(0)));
	return DatumGetUInt32(FunctionCall1Coll(&form->hash, form->collation, value));
}

/*
 * A key in words: a value by value as it is; a value of fixed length as its
 * bytes; any other as the length of its bytes, in four of them, and the bytes.
 * The last word is filled up with zeros, so that equal bytes are equal words.
 */
Size
bulk_key_count_words(const BulkKey *form, Datum value)
{
	if (form->by_value)
		return 1;
	if (form->length > 0)
		return (form->length + 7) / 8;
	return (VARSIZE_ANY_EXHDR(DatumGetPointer(value)) + 4 + 7) / 8;
}

/* The same from the first of the words. */
Size
bulk_key_words_from(const BulkKey *form, uint64 first)
{
	uint32		length;

	if (form->by_value)
		return 1;
	if (form->length > 0)
		return (form->length + 7) / 8;
	memcpy(&length, &first, 4);
	return ((Size) length + 4 + 7) / 8;
}

void
bulk_key_to_words(const BulkKey *form, Datum value, uint64 *word, Size words)
{
	if (form->by_value)
	{
		word[0] = (uint64) value;
		return;
	}
	word[words - 1] = 0;
	if (form->length > 0)
		memcpy(word, DatumGetPointer(value), form->length);
	else
	{
		uint32		length = VARSIZE_ANY_EXHDR(DatumGetPointer(value));

		if (words > 1)
			word[0] = 0;
		memcpy(word, &length, 4);
		memcpy((char *) word + 4, VARDATA_ANY(DatumGetPointer(value)), length);
	}
}

/* The key again, in the current memory context. */
Datum
bulk_key_from_words(const BulkKey *form, const uint64 *word)
{
	char	   *value;
	uint32		length;

	if (form->by_value)
		return (Datum) word[0];
	if (form->length > 0)
	{
		value = palloc(form->length);
		memcpy(value, word, form->length);
		return PointerGetDatum(value);
	}
	memcpy(&length, word, 4);
	value = palloc((Size) length + VARHDRSZ);
	SET_VARSIZE(value, (Size) length + VARHDRSZ);
	memcpy(VARDATA(value), (const char *) word + 4, length);
	return PointerGetDatum(value);
}

bool
bulk_key_equal(BulkKey *form, Datum a, Datum b)
{
	return DatumGetBool(FunctionCall2Coll(&form->equal, form->collation, a, b));
}

/* Of two equal keys, is the first one to be shown? */
bool
bulk_key_is_preferred(BulkKey *form, Datum a, Datum b)
{
	char	   *a_text = OutputFunctionCall(&form->output, a);
	char	   *b_text = OutputFunctionCall(&form->output, b);
	bool		result = strcmp(a_text, b_text) < 0;

	pfree(a_text);
	pfree(b_text);
	return result;
}

/* Can lines be summed by order ids of this type and collation? */
bool
bulk_order_id_is_offered(Oid type, Oid collation)
{
	BulkKeyKind kind;

	if (kind_of_type(type, &kind))
		return true;
	switch (getBaseType(type))
	{
		case UUIDOID:
			return true;
		case TEXTOID:
		case VARCHAROID:
			return OidIsValid(collation) && get_collation_isdeterministic(collation);
		default:
			return false;
	}
}

/* An order id in words, as many as bulk_key_count_words() says. */
void
bulk_order_id_to_words(BulkKey *form, Datum value, uint64 *word, Size words)
{
	if (form->kind != BULK_KEY_HASHED)
		word[0] = bulk_key_sort_key(form, value);
	else
		bulk_key_to_words(form, value, word, words);
}

/* The same for equal ids, and different for nearly all others. */
uint64
bulk_order_id_sort_key(const BulkKey *form, const uint64 *word, Size words)
{
	if (form->kind != BULK_KEY_HASHED)
		return word[0];
	if (unlikely(words > PG_INT32_MAX / sizeof(uint64)))
		words = PG_INT32_MAX / sizeof(uint64);
	return hash_bytes_extended((const unsigned char *) word, (int) (words * sizeof(uint64)), 0);
}
