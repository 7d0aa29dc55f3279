/*
 * compat.h
 *	  What differs between PostgreSQL 13 and 18, in one place.
 *
 * Include it right after postgres.h.
 */
#ifndef CUSTOMER_TIER_COMPAT_H
#define CUSTOMER_TIER_COMPAT_H

#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * We build with -fvisibility=hidden, so that nothing of ours can be mixed up
 * with another module's symbol of the same name.  Before 16 the server's
 * headers do not make the functions of PG_FUNCTION_INFO_V1 visible again.
 */
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(name) \
extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, name) (void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_, name) (void) \
{ \
	static const Pg_finfo_record info = {1}; \
	return &info; \
} \
extern int no_such_variable
#endif

/* Soft errors of input functions came with 16. */
#if PG_VERSION_NUM < 160000
#define ereturn(context, dummy, ...) ereport(ERROR, __VA_ARGS__)
#endif

/* A whole number of units of so many decimals as a numeric: in the server from 14 on. */
#if PG_VERSION_NUM < 140000
#include "utils/numeric.h"

extern Numeric int64_div_fast_to_numeric(int64 units, int decimals);
#endif

#endif							/* CUSTOMER_TIER_COMPAT_H */
