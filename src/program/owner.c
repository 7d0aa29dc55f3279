/*
 * owner.c
 *	  Finding a program, and acting with its owner's rights.
 *
 * A program's schema belongs to its owner, who may put anything in the way of
 * whoever reads it: a view instead of a table, a function in that view, a
 * trigger.  So whatever looks into a program runs as the owner of its schema in
 * a security-restricted operation, as REFRESH MATERIALIZED VIEW runs a view.
 * The caller must be able to act as that owner, and lends no rights.
 */
#include "postgres.h"

#include "compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "program/owner.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(check_program);
PG_FUNCTION_INFO_V1(audit);

/* The role that owns a schema. */
Oid
schema_owner(Oid namespace)
{
	HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(namespace));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", namespace);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * The owner of a program's schema, and the schema's name in the memory of SPI,
 * which is connected.  Ensure that the caller may act as the owner; "action" is
 * what he wants to do.
 */
Oid
program_find(const char *program, const char *action, const char **schema)
{
	Oid types[1] = {TEXTOID};
	Datum values[1];
	Oid namespace;
	Oid owner;

	values[0] = CStringGetTextDatum(program);
	if (SPI_execute_with_args("SELECT schema FROM customer_tier.program "
							  "WHERE name OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read customer_tier.program");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("program \"%s\" does not exist", program),
				 errhint("SELECT * FROM customer_tier.program lists the programs of this database. "
						 "customer_tier.create_program makes one; customer_tier.adopt_program takes up "
						 "a schema that was restored, or that outlived the extension.")));
	*schema = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

	namespace = get_namespace_oid(*schema, true);
	if (!OidIsValid(namespace) || !OidIsValid(get_relname_relid("settings", namespace)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("the schema \"%s\" of program \"%s\" is gone", *schema, program),
				 errhint("Strike the program from the list with SELECT customer_tier.drop_program(%s), "
						 "or create it again; if the schema was renamed, adopt it under its new name.",
						 quote_literal_cstr(program))));

	owner = schema_owner(namespace);

	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of program \"%s\" to %s it", program, action),
				 errhint("It belongs to role \"%s\", the owner of schema \"%s\"; a member of "
						 "that role may %s it.",
						 GetUserNameFromId(owner, false), *schema, action)));
	return owner;
}

/* Take the owner's rights.  An error gives them back by itself. */
void
owner_enter(OwnerScope *scope, Oid owner)
{
	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	SetUserIdAndSecContext(owner, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_RESTRICTED_OPERATION);
}

void
owner_leave(OwnerScope *scope)
{
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
}

/*
 * Return the rows of a query about the program in argument 0; the query gets
 * its schema as $1 and has the columns that the function returns.
 */
static Datum
rows_as_owner(FunctionCallInfo fcinfo, const char *action, const char *sql)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid types[1] = {NAMEOID};
	Datum values[1];
	NameData name;
	OwnerScope scope;
	const char *schema;
	Oid owner;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		!(result->allowedModes & SFRM_Materialize))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("set-valued function called in context that cannot accept a set")));
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the program to %s must not be NULL", action),
				 errhint("SELECT * FROM customer_tier.program lists the programs of this database.")));

	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &result->setDesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result->setDesc = CreateTupleDescCopy(result->setDesc);
	result->setResult = tuplestore_begin_heap(true, false, work_mem);
	result->returnMode = SFRM_Materialize;
	MemoryContextSwitchTo(old);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	owner = program_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), action, &schema);
	namestrcpy(&name, schema);
	values[0] = NameGetDatum(&name);

	owner_enter(&scope, owner);
	if (SPI_execute_with_args(sql, 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of \"%s\"", sql);
	owner_leave(&scope);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	return (Datum) 0;
}

/* check_program(program text) -> setof (problem, hint) */
Datum
check_program(PG_FUNCTION_ARGS)
{
	return rows_as_owner(fcinfo, "check",
						 "SELECT p.problem, p.hint FROM customer_tier.program_problems($1) p");
}

/* audit(program text) -> setof (check, rows, share, examples, action) */
Datum
audit(PG_FUNCTION_ARGS)
{
	return rows_as_owner(fcinfo, "audit", "SELECT * FROM customer_tier.audit_report($1)");
}
