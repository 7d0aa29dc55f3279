/*
 * models.h
 *	  The models, one a file, and the row checks they share.
 */
#ifndef CUSTOMER_TIER_CLV_MODELS_H
#define CUSTOMER_TIER_CLV_MODELS_H

#include "clv/model.h"

extern const ClvModel clv_bg_nbd;
extern const ClvModel clv_mbg_nbd;
extern const ClvModel clv_pareto_nbd;
extern const ClvModel clv_nbd;
extern const ClvModel clv_bg_bb;
extern const ClvModel clv_bg_cnbd_k;
extern const ClvModel clv_mbg_cnbd_k;
extern const ClvModel clv_gamma_gamma;
extern const ClvModel clv_sbg;

extern ClvStatus clv_check_purchases(const ClvRow *row);
extern ClvStatus clv_check_timed_purchases(const ClvRow *row);
extern ClvStatus clv_check_opportunities(const ClvRow *row);
extern ClvStatus clv_check_spend(const ClvRow *row);
extern ClvStatus clv_check_renewal(const ClvRow *row);

#endif /* CUSTOMER_TIER_CLV_MODELS_H */
