/*
 * beta_geometric.h
 *	  Lifetimes in whole periods, lost with a probability theta ~ Beta(a, b).
 */
#ifndef CUSTOMER_TIER_CLV_BETA_GEOMETRIC_H
#define CUSTOMER_TIER_CLV_BETA_GEOMETRIC_H

/* P(alive after n periods) = B(a, b+n) / B(a, b) */
extern double beta_geometric_survival(double a, double b, double n);

/*
 * Sum of P(alive after j periods) (1 + discount)^-j over j = 0 .. m - 1; m may
 * be INFINITY (INFINITY for a <= 1 then, if discount is 0).
 */
extern double beta_geometric_lifetime(double a, double b, double discount, double m);

#endif /* CUSTOMER_TIER_CLV_BETA_GEOMETRIC_H */
