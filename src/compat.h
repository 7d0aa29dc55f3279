/*
 * compat.h
 *	  What differs between PostgreSQL 13 and 18, in one place.
 *
 * Include it right after postgres.h and before fmgr.h.
 */
#ifndef CUSTOMER_TIER_COMPAT_H
#define CUSTOMER_TIER_COMPAT_H

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
#endif

#endif							/* CUSTOMER_TIER_COMPAT_H */
