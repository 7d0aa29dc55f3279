/*
 * judgements.h
 *	  A matrix of pairwise judgements, checked.
 */
#ifndef RATING_JUDGEMENTS_H
#define RATING_JUDGEMENTS_H

#include "value_list.h"

/* What principal_eigenvector() computes with; Saaty's scale is 1/9 to 9. */
#define JUDGEMENT_MIN 1e-30
#define JUDGEMENT_MAX 1e30

extern int	judgements_view(Float8Array *view, Datum datum);

#endif							/* RATING_JUDGEMENTS_H */
