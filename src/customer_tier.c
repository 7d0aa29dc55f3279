/*
 * customer_tier.c
 *	  The module's magic block, and its settings.  Everything else lives in the
 *	  rooms.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "program/refresh.h"
#include "utils/guc.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "customer_tier", .version = CUSTOMER_TIER_VERSION);
#else
PG_MODULE_MAGIC;
#endif

extern PGDLLEXPORT void _PG_init(void);

/* Settings are known from the first call of ours in a session, or where the library is preloaded. */
void
_PG_init(void)
{
	DefineCustomBoolVariable("customer_tier.refresh_notices",
							 "Each phase of a refresh says in a NOTICE what it did and how long it took.",
							 NULL, &refresh_notices, true, PGC_USERSET, 0, NULL, NULL, NULL);
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("customer_tier");
#else
	EmitWarningsOnPlaceholders("customer_tier");
#endif
}
