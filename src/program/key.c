/*
 * key.c
 *	  What a program has to know about the type of its customer key, read from
 *	  the server's own type cache, so that we group and join by the same
 *	  operator class as the planner.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/*
 * The base type's entry, or NULL when the type cannot be a key: no default
 * btree operator class, or an equality that can be neither hashed nor merged.
 */
static TypeCacheEntry *
key_type(Oid type)
{
	Oid base = getBaseType(type);
	TypeCacheEntry *entry = lookup_type_cache(
		base, TYPECACHE_BTREE_OPFAMILY | TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC);

	if (!OidIsValid(entry->btree_opf) || !OidIsValid(entry->eq_opr) ||
		!OidIsValid(entry->cmp_proc))
		return NULL;
	if (!op_mergejoinable(entry->eq_opr, base) && !op_hashjoinable(entry->eq_opr, base))
		return NULL;
	return entry;
}

PG_FUNCTION_INFO_V1(key_equality);

/*
 * key_equality(type regtype) -> text
 *
 * The equality of the type's default btree operator class, ready to be put
 * between two operands whatever the search path: OPERATOR(public.=).  NULL
 * when the type cannot be a key.
 */
Datum
key_equality(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *entry = key_type(PG_GETARG_OID(0));
	HeapTuple tup;
	Form_pg_operator form;
	char *result;

	if (entry == NULL)
		PG_RETURN_NULL();
	tup = SearchSysCache1(OPEROID, ObjectIdGetDatum(entry->eq_opr));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for operator %u", entry->eq_opr);
	form = (Form_pg_operator) GETSTRUCT(tup);
	result = psprintf("OPERATOR(%s.%s)",
					  quote_identifier(get_namespace_name(form->oprnamespace)),
					  NameStr(form->oprname));
	ReleaseSysCache(tup);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

PG_FUNCTION_INFO_V1(key_is_exact);

/*
 * key_is_exact(type regtype, collation oid) -> boolean
 *
 * Whether equal keys always look the same.  They do not in citext, numeric
 * (1.0 and 1.00) or a nondeterministic collation; there a program has to
 * choose one spelling, or it would depend on the order of the rows.
 */
Datum
key_is_exact(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *entry = key_type(PG_GETARG_OID(0));
	Oid collation = PG_GETARG_OID(1);
	Oid proc;

	if (entry == NULL)
		PG_RETURN_NULL();
	proc = get_opfamily_proc(entry->btree_opf, entry->btree_opintype,
							 entry->btree_opintype, BTEQUALIMAGE_PROC);
	PG_RETURN_BOOL(OidIsValid(proc) &&
				   DatumGetBool(OidFunctionCall1Coll(
					   proc, OidIsValid(collation) ? collation : DEFAULT_COLLATION_OID,
					   ObjectIdGetDatum(entry->btree_opintype))));
}
