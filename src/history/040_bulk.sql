-- The bulk builder: all histories of a relation.

CREATE FUNCTION customer_tier.histories_support(internal) RETURNS internal
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'histories_support';
COMMENT ON FUNCTION customer_tier.histories_support(internal) IS 'planner support for histories(): how many customers there are';

-- Not STRICT: the key is given for its type alone and is usually NULL.
CREATE FUNCTION customer_tier.histories(
    source regclass,
    customer name,
    at name,
    amount name,
    key anyelement,
    zone text DEFAULT NULL,
    order_id name DEFAULT NULL,
    OUT customer_id anyelement,
    OUT history customer_tier.purchase_history,
    OUT rows bigint,
    OUT bad bigint)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 100000
    SUPPORT customer_tier.histories_support
    AS 'MODULE_PATHNAME', 'histories';
COMMENT ON FUNCTION customer_tier.histories(regclass, name, name, name, anyelement, text, name) IS
'one row a customer of a relation whose rows are orders, as purchases_checked(at, amount [, zone]) with GROUP BY customer: history, rows seen, bad rows left out; rows without a customer come last, as NULL; key gives the customers'' type, as NULL::bigint; with order_id, rows are lines, which are summed to orders first, each on the day of its first line; memory: maintenance_work_mem, the rest in temporary files; call it in the select list: (histories(...)).* of a subquery';

CREATE FUNCTION customer_tier.histories_with_profit(
    source regclass,
    customer name,
    at name,
    amount name,
    key anyelement,
    margin name,
    otherwise numeric,
    zone text DEFAULT NULL,
    OUT customer_id anyelement,
    OUT history customer_tier.purchase_history,
    OUT rows bigint,
    OUT bad bigint,
    OUT profit customer_tier.purchase_history)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 20000 ROWS 100000
    SUPPORT customer_tier.histories_support
    AS 'MODULE_PATHNAME', 'histories_with_profit';
COMMENT ON FUNCTION customer_tier.histories_with_profit(regclass, name, name, name, anyelement, name, numeric, text) IS
'as histories(), with the history of what rows earned besides: amount times margin, a column of shares from -1 to 1, or times otherwise where that is NULL; a row with another margin is bad';

CREATE FUNCTION customer_tier.histories_offers(type regtype) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'histories_offers';
COMMENT ON FUNCTION customer_tier.histories_offers(regtype) IS 'internal: whether histories() takes customers of this type: whole numbers, dates, timestamps, and what can be hashed';

CREATE FUNCTION customer_tier.histories_sums(type regtype, collation_oid oid) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'histories_sums';
COMMENT ON FUNCTION customer_tier.histories_sums(regtype, oid) IS 'internal: whether histories() sums lines by order ids of this type and collation (0 = none): those of which equal ones are the same bytes';
