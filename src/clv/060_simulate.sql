-- Customers who behave as a model says: see clv_simulate.c.

-- Not STRICT: a NULL argument is an error, not an empty shop.
CREATE FUNCTION customer_tier.simulate_btyd(model text, params double precision[], customers bigint, observed double precision,
	horizon double precision DEFAULT 0, seed bigint DEFAULT 1, staggered double precision DEFAULT 0,
	OUT customer_id bigint, OUT frequency double precision, OUT recency double precision, OUT age double precision,
	OUT litt double precision, OUT future double precision, OUT alive boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'simulate_btyd' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 10000;
COMMENT ON FUNCTION customer_tier.simulate_btyd(text, double precision[], bigint, double precision, double precision, bigint, double precision) IS
	'customers who buy as a purchase model of these parameters says, observed for so long after their first purchase (less up to staggered, evenly spread): frequency, recency, age and litt as btyd() gives them, purchases in the horizon that follows, and whether they have not dropped out by the end of their age; times in units of the parameters, bg/bb in opportunities; the same seed gives the same customers';

CREATE FUNCTION customer_tier.simulate_spend(params double precision[], customer_id bigint, frequency double precision, seed bigint DEFAULT 1) RETURNS double precision
	AS 'MODULE_PATHNAME', 'simulate_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION customer_tier.simulate_spend(double precision[], bigint, double precision, bigint) IS
	'mean amount of so many purchases of a simulated customer under gamma-gamma with parameters p, q, v, in the currency of v; 0 without purchases';
