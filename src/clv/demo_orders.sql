-- Orders of a shop that does not exist: see demo_orders.c.

CREATE FUNCTION customer_tier.demo_orders_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'demo_orders_support'
    LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.demo_orders_support(internal) IS
'planner support for demo_orders: how many rows it will return';

-- Not STRICT: a NULL argument is an error, not an empty shop.
CREATE FUNCTION customer_tier.demo_orders(
    customers int,
    days int,
    seed bigint,
    OUT order_id bigint,
    OUT customer_id bigint,
    OUT ordered_at timestamptz,
    OUT amount numeric)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'demo_orders'
    LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000 ROWS 1000000 SUPPORT customer_tier.demo_orders_support;
COMMENT ON FUNCTION customer_tier.demo_orders(int, int, bigint) IS
'order lines of an invented shop over so many days up to 2024-12-31 (UTC): buyers that come and go, skewed spend, several lines of one order, refunds (amount < 0); the same seed gives the same rows';
