/*
 * bg_customer.h
 *	  What a customer of the bg family will do from now on.
 */
#ifndef CUSTOMER_TIER_CLV_BG_CUSTOMER_H
#define CUSTOMER_TIER_CLV_BG_CUSTOMER_H

/*
 * Alive with probability p_alive; then he buys at a Poisson rate lambda ~
 * Gamma(R, rate A) and leaves after each purchase with probability p ~ Beta(a,
 * B): the posterior after x purchases, lambda and p independent of each other.
 */
typedef struct BgCustomer
{
	double p_alive;
	double p_left; /* 1 - p_alive */
	double R;
	double A;
	double a;
	double B;
} BgCustomer;

/* P(alive after a time t) */
extern double bg_survival(const BgCustomer *c, double t);

/* P(at least n, exactly n purchases within t) */
extern double bg_count_tail(const BgCustomer *c, double n, double t);
extern double bg_count_probability(const BgCustomer *c, double n, double t);

/* E[purchases within t], and with a purchase at time u worth exp(-discount u) */
extern double bg_expected(const BgCustomer *c, double t);
extern double bg_discounted(const BgCustomer *c, double discount, double t);

#endif /* CUSTOMER_TIER_CLV_BG_CUSTOMER_H */
