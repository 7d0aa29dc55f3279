/*
 * registry.c
 *	  The two functions that write customer_tier.program, the table of all
 *	  programs of a database.
 *
 * The table belongs to the extension, so to whoever created it; a program
 * belongs to the owner of its schema, who need not be a superuser.  Both are
 * served the way referential integrity triggers do it: check here that the
 * caller owns the schema, then write as the table's owner.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#if PG_VERSION_NUM >= 160000
#define owns_schema(nsp, role) object_ownercheck(NamespaceRelationId, (nsp), (role))
#else
#define owns_schema(nsp, role) pg_namespace_ownercheck((nsp), (role))
#endif

/* Ensure the caller owns the schema. */
static void
check_owns_schema(Oid nsp, const char *schema)
{
	if (!owns_schema(nsp, GetUserId()))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of schema \"%s\"", schema),
						errhint("A program belongs to the owner of its schema.")));
}

/*
 * A registered program is alive as long as its schema holds its settings;
 * after DROP SCHEMA the row is stale and in nobody's way.
 */
static bool
program_is_alive(const char *schema)
{
	Oid nsp = get_namespace_oid(schema, true);

	return OidIsValid(nsp) && OidIsValid(get_relname_relid("settings", nsp));
}

/* Owner of customer_tier.program. */
static Oid
registry_owner(void)
{
	Oid rel;
	Oid owner;
	HeapTuple tup;

	rel = get_relname_relid("program", get_namespace_oid("customer_tier", false));
	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(rel));
	if (!HeapTupleIsValid(tup))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table customer_tier.program does not exist"),
				 errhint("Create the extension again: CREATE EXTENSION customer_tier.")));
	owner = ((Form_pg_class) GETSTRUCT(tup))->relowner;
	ReleaseSysCache(tup);
	return owner;
}

/* Run one statement on the registry as its owner. */
static void
registry_execute(const char *sql, int nargs, Oid *types, Datum *values, int expected)
{
	Oid save_userid;
	int save_sec_context;

	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	SetUserIdAndSecContext(registry_owner(),
						   save_sec_context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0) != expected)
		elog(ERROR, "unexpected result of \"%s\"", sql);
	SetUserIdAndSecContext(save_userid, save_sec_context);
}

PG_FUNCTION_INFO_V1(register_program);

/*
 * register_program(name text, schema name, source_schema name, source_name name)
 *
 * Enter a program, in place of whatever was registered for the same schema
 * and of a stale program of the same name.
 */
Datum
register_program(PG_FUNCTION_ARGS)
{
	static const char find[] = "SELECT name, schema FROM customer_tier.program WHERE "
							   "name OPERATOR(pg_catalog.=) $1";
	static const char clear[] =
		"DELETE FROM customer_tier.program WHERE name OPERATOR(pg_catalog.=) $1 OR "
		"schema OPERATOR(pg_catalog.=) $2";
	static const char enter[] = "INSERT INTO customer_tier.program (name, schema, "
								"source_schema, source_name) VALUES ($1, $2, $3, $4)";

	const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *schema = NameStr(*PG_GETARG_NAME(1));
	Oid nsp = get_namespace_oid(schema, false);
	Oid types[4] = {TEXTOID, NAMEOID, NAMEOID, NAMEOID};
	Datum values[4];

	check_owns_schema(nsp, schema);

	for (int i = 0; i < 4; i++)
		values[i] = PG_GETARG_DATUM(i);

	SPI_connect();
	registry_execute(find, 1, types, values, SPI_OK_SELECT);
	if (SPI_processed > 0)
	{
		char *taken = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

		if (strcmp(taken, schema) != 0 && program_is_alive(taken))
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
							errmsg("program \"%s\" already exists", name),
							errdetail("It lives in schema \"%s\".", taken),
							errhint("Choose another name, or drop it first: SELECT "
									"customer_tier.drop_program(%s).",
									quote_literal_cstr(name))));
	}
	registry_execute(clear, 2, types, values, SPI_OK_DELETE);
	registry_execute(enter, 4, types, values, SPI_OK_INSERT);
	SPI_finish();

	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(unregister_program);

/*
 * unregister_program(name text)
 *
 * Strike a program from the table: its owner may, and anyone may when its
 * schema is gone.  False when there was none.
 */
Datum
unregister_program(PG_FUNCTION_ARGS)
{
	static const char find[] =
		"SELECT schema FROM customer_tier.program WHERE name OPERATOR(pg_catalog.=) $1";
	static const char strike[] =
		"DELETE FROM customer_tier.program WHERE name OPERATOR(pg_catalog.=) $1";

	Oid types[1] = {TEXTOID};
	Datum values[1];
	bool found;

	values[0] = PG_GETARG_DATUM(0);

	SPI_connect();
	registry_execute(find, 1, types, values, SPI_OK_SELECT);
	found = SPI_processed > 0;
	if (found)
	{
		char *schema = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		Oid nsp = get_namespace_oid(schema, true);

		if (OidIsValid(nsp))
			check_owns_schema(nsp, schema);
		registry_execute(strike, 1, types, values, SPI_OK_DELETE);
	}
	SPI_finish();

	PG_RETURN_BOOL(found);
}
