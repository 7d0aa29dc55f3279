/*
 * customer_tier.c
 *	  The module's magic block.  Everything else lives in the rooms.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "customer_tier", .version = CUSTOMER_TIER_VERSION);
#else
PG_MODULE_MAGIC;
#endif
