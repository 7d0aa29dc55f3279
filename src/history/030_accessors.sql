-- What one can ask of a history.

CREATE FUNCTION customer_tier.orders(history customer_tier.purchase_history) RETURNS bigint
	AS 'MODULE_PATHNAME', 'history_orders' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.orders(customer_tier.purchase_history) IS 'number of orders (rows with an amount of 0 or more)';

CREATE FUNCTION customer_tier.orders(history customer_tier.purchase_history, as_of date) RETURNS bigint
	AS 'MODULE_PATHNAME', 'history_orders' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.orders(customer_tier.purchase_history, date) IS 'number of orders (rows with an amount of 0 or more), up to and including as_of';

CREATE FUNCTION customer_tier.purchase_days(history customer_tier.purchase_history) RETURNS integer
	AS 'MODULE_PATHNAME', 'history_purchase_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.purchase_days(customer_tier.purchase_history) IS 'number of days with an order';

CREATE FUNCTION customer_tier.purchase_days(history customer_tier.purchase_history, as_of date) RETURNS integer
	AS 'MODULE_PATHNAME', 'history_purchase_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.purchase_days(customer_tier.purchase_history, date) IS 'number of days with an order, up to and including as_of';

CREATE FUNCTION customer_tier.revenue(history customer_tier.purchase_history) RETURNS numeric
	AS 'MODULE_PATHNAME', 'history_revenue' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.revenue(customer_tier.purchase_history) IS 'sum of all amounts, net of refunds, in currency units';

CREATE FUNCTION customer_tier.revenue(history customer_tier.purchase_history, as_of date) RETURNS numeric
	AS 'MODULE_PATHNAME', 'history_revenue' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.revenue(customer_tier.purchase_history, date) IS 'sum of all amounts, net of refunds, in currency units, up to and including as_of';

CREATE FUNCTION customer_tier.refunded(history customer_tier.purchase_history) RETURNS numeric
	AS 'MODULE_PATHNAME', 'history_refunded' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.refunded(customer_tier.purchase_history) IS 'sum of the refunds as a positive number, in currency units';

CREATE FUNCTION customer_tier.refunded(history customer_tier.purchase_history, as_of date) RETURNS numeric
	AS 'MODULE_PATHNAME', 'history_refunded' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.refunded(customer_tier.purchase_history, date) IS 'sum of the refunds as a positive number, in currency units, up to and including as_of';

CREATE FUNCTION customer_tier.first_day(history customer_tier.purchase_history) RETURNS date
	AS 'MODULE_PATHNAME', 'history_first_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.first_day(customer_tier.purchase_history) IS 'first day with an order; NULL if there is none';

CREATE FUNCTION customer_tier.first_day(history customer_tier.purchase_history, as_of date) RETURNS date
	AS 'MODULE_PATHNAME', 'history_first_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.first_day(customer_tier.purchase_history, date) IS 'first day with an order; NULL if there is none, up to and including as_of';

CREATE FUNCTION customer_tier.last_day(history customer_tier.purchase_history) RETURNS date
	AS 'MODULE_PATHNAME', 'history_last_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.last_day(customer_tier.purchase_history) IS 'last day with an order; NULL if there is none';

CREATE FUNCTION customer_tier.last_day(history customer_tier.purchase_history, as_of date) RETURNS date
	AS 'MODULE_PATHNAME', 'history_last_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.last_day(customer_tier.purchase_history, date) IS 'last day with an order; NULL if there is none, up to and including as_of';

CREATE FUNCTION customer_tier.through(history customer_tier.purchase_history, as_of date) RETURNS customer_tier.purchase_history
	AS 'MODULE_PATHNAME', 'history_through' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.through IS
	'the history up to and including as_of';

CREATE FUNCTION customer_tier.within(history customer_tier.purchase_history, from_day date, to_day date) RETURNS customer_tier.purchase_history
	AS 'MODULE_PATHNAME', 'history_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.within IS
	'the history from from_day through to_day, both included';

CREATE FUNCTION customer_tier.history_add(customer_tier.purchase_history, customer_tier.purchase_history) RETURNS customer_tier.purchase_history
	AS 'MODULE_PATHNAME', 'history_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.history_add IS
	'implementation of + operator';

CREATE OPERATOR customer_tier.+ (
	FUNCTION = customer_tier.history_add, LEFTARG = customer_tier.purchase_history, RIGHTARG = customer_tier.purchase_history,
	COMMUTATOR = OPERATOR(customer_tier.+)
);
COMMENT ON OPERATOR customer_tier.+ (customer_tier.purchase_history, customer_tier.purchase_history) IS 'sum of two histories';

CREATE FUNCTION customer_tier.days(history customer_tier.purchase_history, OUT day date, OUT orders integer, OUT amount numeric) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'history_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	ROWS 20;
COMMENT ON FUNCTION customer_tier.days IS
	'the days of a history in rising order, with their orders and their amount, net of the refunds of that day, in currency units; a day of refunds only has 0 orders';

CREATE FUNCTION customer_tier.rfm(history customer_tier.purchase_history, as_of date, OUT recency integer, OUT frequency integer, OUT monetary numeric, OUT average_order numeric) RETURNS record
	AS 'MODULE_PATHNAME', 'history_rfm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.rfm IS
	'recency (days from the last purchase day to as_of), frequency (orders), monetary (revenue, net of refunds) and average_order (monetary / frequency, both in currency units), up to and including as_of; without an order recency and average_order are NULL';

CREATE FUNCTION customer_tier.btyd(history customer_tier.purchase_history, as_of date, days_per_unit double precision DEFAULT 7,
	OUT frequency double precision, OUT recency double precision, OUT age double precision, OUT monetary double precision, OUT litt double precision) RETURNS record
	AS 'MODULE_PATHNAME', 'history_btyd' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.btyd IS
	'summary for buy-till-you-die models up to and including as_of, in units of days_per_unit days (7 = weeks): frequency (repeat purchase days), recency (first to last purchase day), age (first purchase day to as_of), monetary (mean net amount of the repeat days in currency units, 0 when there is none), litt (sum of ln of the times between purchase days); NULL without a purchase day';

CREATE TYPE customer_tier.features AS (
	first_day date,
	last_day date,
	recency_days integer,
	purchase_days integer,
	orders bigint,
	window_orders bigint,
	refund_rate double precision,
	revenue numeric,
	refunded numeric,
	average_order numeric,
	window_revenue numeric
);
COMMENT ON TYPE customer_tier.features IS 'result of features(): what a program rates a customer by';
COMMENT ON COLUMN customer_tier.features.first_day IS 'first day with an order';
COMMENT ON COLUMN customer_tier.features.last_day IS 'last day with an order';
COMMENT ON COLUMN customer_tier.features.recency_days IS 'days from the last day with an order to as_of';
COMMENT ON COLUMN customer_tier.features.purchase_days IS 'number of days with an order';
COMMENT ON COLUMN customer_tier.features.orders IS 'number of orders';
COMMENT ON COLUMN customer_tier.features.window_orders IS 'number of orders in the window';
COMMENT ON COLUMN customer_tier.features.refund_rate IS 'share of the refunds in the amount of all orders, 0 and more; NULL when that amount is 0';
COMMENT ON COLUMN customer_tier.features.revenue IS 'sum of all amounts, net of refunds, in currency units';
COMMENT ON COLUMN customer_tier.features.refunded IS 'sum of the refunds as a positive number, in currency units';
COMMENT ON COLUMN customer_tier.features.average_order IS 'revenue / orders, in currency units';
COMMENT ON COLUMN customer_tier.features.window_revenue IS 'sum of the amounts in the window, net of refunds, in currency units';

CREATE FUNCTION customer_tier.features(history customer_tier.purchase_history, as_of date, window_days integer DEFAULT NULL) RETURNS customer_tier.features
	AS 'MODULE_PATHNAME', 'history_features' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.features IS
	'everything that a program rates by, up to and including as_of, from one reading of the history; the window is the window_days days that end with as_of, NULL for everything';

CREATE FUNCTION customer_tier.growth(history customer_tier.purchase_history, as_of date, days int)
RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'history_growth';
COMMENT ON FUNCTION customer_tier.growth(customer_tier.purchase_history, date, int) IS
    'growth of the revenue from one window of days to the next, the one that ends with as_of: (last - before) / (last + before), -1 to 1; an amount below 0 after refunds counts as 0, and both 0 give NULL';

CREATE FUNCTION customer_tier.goes_beyond(history customer_tier.purchase_history, day date)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'history_goes_beyond';
COMMENT ON FUNCTION customer_tier.goes_beyond(customer_tier.purchase_history, date) IS 'internal: whether the history has an order or a refund of a later day';

CREATE FUNCTION customer_tier.regularity(history customer_tier.purchase_history, as_of date) RETURNS double precision
	AS 'MODULE_PATHNAME', 'history_regularity' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.regularity(customer_tier.purchase_history, date) IS
	'regularity of the purchases up to and including as_of: geometric over arithmetic mean of the times between purchase days, 0 to 1; NULL below two such times';

-- What programs are compiled to: everything of a fixed length, what is NULL of some buyers last.
CREATE TYPE customer_tier.facts AS (
	orders bigint,
	frequency double precision,
	monetary double precision,
	is_known boolean,
	decimals integer,
	purchase_days integer,
	first_day date,
	last_day date,
	recency_days integer,
	repeats double precision,
	last_at double precision,
	age double precision,
	repeat_mean double precision,
	revenue bigint,
	refunded bigint,
	refund_rate double precision,
	trend double precision
);
COMMENT ON TYPE customer_tier.facts IS 'internal: result of facts(): what a program rates a customer by, in columns of fixed length';
COMMENT ON COLUMN customer_tier.facts.orders IS 'number of orders';
COMMENT ON COLUMN customer_tier.facts.frequency IS 'number of orders in the window';
COMMENT ON COLUMN customer_tier.facts.monetary IS 'sum of the amounts in the window, net of refunds, or what an order came to there, in currency units';
COMMENT ON COLUMN customer_tier.facts.is_known IS 'whether there is an order or a refund';
COMMENT ON COLUMN customer_tier.facts.decimals IS 'decimals of revenue and refunded, 0 to 6';
COMMENT ON COLUMN customer_tier.facts.purchase_days IS 'number of days with an order';
COMMENT ON COLUMN customer_tier.facts.first_day IS 'first day with an order';
COMMENT ON COLUMN customer_tier.facts.last_day IS 'last day with an order';
COMMENT ON COLUMN customer_tier.facts.recency_days IS 'days from the last day with an order to as_of';
COMMENT ON COLUMN customer_tier.facts.repeats IS 'btyd(): repeat purchase days';
COMMENT ON COLUMN customer_tier.facts.last_at IS 'btyd(): weeks from the first to the last purchase day';
COMMENT ON COLUMN customer_tier.facts.age IS 'btyd(): weeks from the first purchase day to as_of';
COMMENT ON COLUMN customer_tier.facts.repeat_mean IS 'btyd(): mean net amount of the repeat days, in currency units';
COMMENT ON COLUMN customer_tier.facts.revenue IS 'sum of all amounts, net of refunds, as a number of 10^-decimals currency units; NULL when it does not fit';
COMMENT ON COLUMN customer_tier.facts.refunded IS 'sum of the refunds as a positive number of 10^-decimals currency units; NULL when it does not fit';
COMMENT ON COLUMN customer_tier.facts.refund_rate IS 'share of the refunds in the amount of all orders, 0 and more; NULL when that amount is 0';
COMMENT ON COLUMN customer_tier.facts.trend IS 'growth() of the window, or of 365 days without one';

CREATE FUNCTION customer_tier.facts(history customer_tier.purchase_history, as_of date, window_days integer, average boolean) RETURNS customer_tier.facts
	AS 'MODULE_PATHNAME', 'history_facts' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION customer_tier.facts(customer_tier.purchase_history, date, integer, boolean) IS
	'internal: what features(), btyd() and growth() say, up to and including as_of, from one reading of the history; monetary is the average order of the window, or its revenue';

CREATE FUNCTION customer_tier.facts_revenue(facts customer_tier.facts) RETURNS numeric
	AS 'MODULE_PATHNAME', 'facts_revenue' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.facts_revenue(customer_tier.facts) IS 'internal: the revenue of a row of facts(), in currency units; NULL when no bigint held it';

CREATE FUNCTION customer_tier.facts_refunded(facts customer_tier.facts) RETURNS numeric
	AS 'MODULE_PATHNAME', 'facts_refunded' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.facts_refunded(customer_tier.facts) IS 'internal: the refunds of a row of facts(), in currency units; NULL when no bigint held them';

CREATE FUNCTION customer_tier.facts_average_order(facts customer_tier.facts) RETURNS numeric
	AS 'MODULE_PATHNAME', 'facts_average_order' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.facts_average_order(customer_tier.facts) IS 'internal: revenue / orders of a row of facts(), in currency units; NULL without an order, and when no bigint held the revenue';

CREATE FUNCTION customer_tier.refund_rate(revenue numeric, refunded numeric) RETURNS double precision
	AS 'MODULE_PATHNAME', 'refund_rate_of_amounts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.refund_rate(numeric, numeric) IS 'internal: share of the refunds in the amount of all orders, of the revenue net of refunds and the refunds of features(), to the last digit as there; NULL when that amount is 0';

CREATE FUNCTION customer_tier.nearest_double(value numeric) RETURNS double precision
	AS 'MODULE_PATHNAME', 'nearest_double' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION customer_tier.nearest_double(numeric) IS 'internal: the same as a cast, but not by way of text';
