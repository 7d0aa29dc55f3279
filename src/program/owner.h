/*
 * owner.h
 *	  Finding a program, and acting with its owner's rights.
 */
#ifndef PROGRAM_OWNER_H
#define PROGRAM_OWNER_H

#include "postgres.h"

/* Who we were before owner_enter(). */
typedef struct OwnerScope
{
	Oid userid;
	int sec_context;
} OwnerScope;

extern Oid schema_owner(Oid namespace);
extern Oid program_find(const char *program, const char *action, const char **schema);
extern void owner_enter(OwnerScope *scope, Oid owner);
extern void owner_leave(OwnerScope *scope);

#endif /* PROGRAM_OWNER_H */
