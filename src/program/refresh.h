/*
 * refresh.h
 *	  Settings of a refresh.
 */
#ifndef PROGRAM_REFRESH_H
#define PROGRAM_REFRESH_H

/* customer_tier.refresh_notices: whether each phase says when it is done. */
extern bool refresh_notices;

#endif /* PROGRAM_REFRESH_H */
