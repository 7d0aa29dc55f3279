/*
 * bulk_source.c
 *	  What the bulk builder reads: some columns of a relation.
 *
 * A query reads any relation, with the rights of the caller, row security,
 * partitions and all.  A table whose rows need nothing of that is read through
 * its access method instead, which takes a third less time a row.
 */
#include "postgres.h"

#include "compat.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "history/bulk.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#if PG_VERSION_NUM < 160000
#define has_usage_of_schema(schema) \
	(pg_namespace_aclcheck(schema, GetUserId(), ACL_USAGE) == ACLCHECK_OK)
#else
#define has_usage_of_schema(schema) \
	(object_aclcheck(NamespaceRelationId, schema, GetUserId(), ACL_USAGE) == ACLCHECK_OK)
#endif

/* Columns that are made up when they are read came with 18. */
#ifdef ATTRIBUTE_GENERATED_VIRTUAL
#define is_virtual(attribute) ((attribute)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define is_virtual(attribute) false
#endif

/* The columns of these names, which must be there; NULL = the column is not wanted. */
void
bulk_source_init(BulkSource *source, Oid relation, const char *const *name)
{
	source->relation = relation;
	if (get_rel_name(relation) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	for (int i = 0; i < BULK_COLUMNS; i++)
	{
		source->name[i] = name[i];
		source->column[i] = InvalidAttrNumber;
		if (name[i] == NULL)
			continue;
		source->column[i] = get_attnum(relation, name[i]);
		if (source->column[i] == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							name[i], get_rel_name(relation))));
	}
}

/* real is read as the decimal that is shown for it, so that 0.1 is 0.1. */
static bool
is_real(const BulkSource *source, int column)
{
	return (column == BULK_AMOUNT || column == BULK_MARGIN) && source->name[column] != NULL &&
		getBaseType(get_atttype(source->relation, source->column[column])) == FLOAT4OID;
}

/* The query that reads the source: the columns that are wanted, in their order. */
char *
bulk_source_query(const BulkSource *source)
{
	StringInfoData query;

	initStringInfo(&query);
	for (int i = 0; i < BULK_COLUMNS; i++)
	{
		if (source->name[i] == NULL)
			continue;
		appendStringInfoString(&query, i == 0 ? "SELECT " : ", ");
		appendStringInfo(&query, is_real(source, i) ?
						 "CAST(CAST(source.%s AS pg_catalog.text) AS pg_catalog.float8)" :
						 "source.%s", quote_identifier(source->name[i]));
	}
	appendStringInfo(&query, " FROM %s AS source",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(source->relation)),
												get_rel_name(source->relation)));
	return query.data;
}

/* May the caller read the columns, and every row? */
static bool
is_readable(Relation relation, const BulkSource *source)
{
	Oid			table = RelationGetRelid(relation);

	if (!has_usage_of_schema(RelationGetNamespace(relation)) ||
		check_enable_rls(table, InvalidOid, true) == RLS_ENABLED)
		return false;
	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return true;
	for (int i = 0; i < BULK_COLUMNS; i++)
	{
		if (source->name[i] != NULL &&
			pg_attribute_aclcheck(table, source->column[i], GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			return false;
	}
	return true;
}

/* Are the rows of the table, as they are stored, those that a query would return? */
static bool
is_plain(Relation relation, const BulkSource *source)
{
	if (relation->rd_rel->relkind == RELKIND_MATVIEW)
	{
		if (!RelationIsScannable(relation))
			return false;
	}
	else if (relation->rd_rel->relkind != RELKIND_RELATION)
		return false;
	if (relation->rd_rel->relhassubclass || RELATION_IS_OTHER_TEMP(relation))
		return false;
	for (int i = 0; i < BULK_COLUMNS; i++)
	{
		if (source->name[i] == NULL)
			continue;
		if (source->column[i] < 0 ||
			is_virtual(TupleDescAttr(RelationGetDescr(relation), source->column[i] - 1)))
			return false;
	}
	return true;
}

/*
 * The source, locked as a query would lock it, if it can be read without one;
 * else NULL.  Whatever must be refused is left to the query, and so is every
 * table while something else (an audit, say) wants to see what a query reads.
 */
Relation
bulk_source_open(const BulkSource *source)
{
	Relation	relation;

	if (ExecutorCheckPerms_hook != NULL || is_real(source, BULK_AMOUNT) || is_real(source, BULK_MARGIN))
		return NULL;
	/* The rows of a table that Citus has distributed are elsewhere: here it is empty. */
	if (OidIsValid(get_extension_oid("citus", true)))
		return NULL;
	relation = relation_open(source->relation, AccessShareLock);
	if (is_plain(relation, source) && is_readable(relation, source))
		return relation;
	relation_close(relation, NoLock);
	return NULL;
}
