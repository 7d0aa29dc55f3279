-- What a program is told: <schema>.settings, one row.  The columns have the
-- names of the options of create_program(), and of customer_tier.program_settings.

CREATE FUNCTION customer_tier.create_settings_table(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.settings (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    program text NOT NULL,
    source_schema name NOT NULL,
    source_name name NOT NULL,
    customer name NOT NULL,
    at name NOT NULL,
    amount name NOT NULL,
    order_id name,
    customers_schema name,
    customers_name name,
    customers_key name,
    time_zone text NOT NULL,
    segment_map text NOT NULL,
    monetary text NOT NULL CHECK (monetary IN ('revenue', 'average_order')),
    window_days int CHECK (window_days >= 1),
    on_bad_row text NOT NULL CHECK (on_bad_row IN ('skip', 'error')),
    max_bad_share numeric NOT NULL CHECK (max_bad_share BETWEEN 0 AND 1),
    purchase_model text,
    horizon_days int NOT NULL CHECK (horizon_days BETWEEN 1 AND 36525),
    annual_discount numeric NOT NULL CHECK (annual_discount BETWEEN 0 AND 100),
    margin numeric NOT NULL CHECK (margin BETWEEN 0 AND 1),
    margin_column name,
    churn_days int NOT NULL CHECK (churn_days BETWEEN 1 AND 36525),
    refit_days int NOT NULL CHECK (refit_days >= 1),
    history_complete_from date CHECK (isfinite(history_complete_from)),
    tracking text NOT NULL DEFAULT 'full' CHECK (tracking IN ('full', 'triggers', 'watermark')),
    track_schema name,
    track_name name,
    track_customer name,
    watermark name,
    watermark_lag text,
    currency name,
    rates_schema name,
    rates_name name,
    rates_currency name,
    rates_day name,
    rates_rate name,
    identities_schema name,
    identities_name name,
    identities_key name,
    identities_customer name
);
COMMENT ON TABLE %1$I.settings IS 'what the program was told, one row; change it with UPDATE, the next refresh follows it';
COMMENT ON COLUMN %1$I.settings.only_row IS 'holds the table to one row';
COMMENT ON COLUMN %1$I.settings.program IS 'name of the program';
COMMENT ON COLUMN %1$I.settings.source_schema IS 'schema of the order source';
COMMENT ON COLUMN %1$I.settings.source_name IS 'name of the order source: table, view, materialized view, partitioned or foreign table';
COMMENT ON COLUMN %1$I.settings.customer IS 'column of the source: the customer key';
COMMENT ON COLUMN %1$I.settings.at IS 'column of the source: when it was ordered (date, timestamp or timestamptz)';
COMMENT ON COLUMN %1$I.settings.amount IS 'column of the source: amount in currency units; below zero is a refund';
COMMENT ON COLUMN %1$I.settings.order_id IS 'column of the source: lines with the same customer and order id are summed to one order; NULL = every row is an order';
COMMENT ON COLUMN %1$I.settings.customers_schema IS 'schema of the customer master, NULL = none';
COMMENT ON COLUMN %1$I.settings.customers_name IS 'name of the customer master; its customers without orders appear as prospects; NULL = none';
COMMENT ON COLUMN %1$I.settings.customers_key IS 'column of the master: the customer key';
COMMENT ON COLUMN %1$I.settings.time_zone IS 'time zone in which a timestamptz has its day, and in which yesterday is the last complete day';
COMMENT ON COLUMN %1$I.settings.segment_map IS 'segment map (customer_tier.segment_map), which brings its number of scores';
COMMENT ON COLUMN %1$I.settings.monetary IS 'what M measures: revenue or average_order';
COMMENT ON COLUMN %1$I.settings.window_days IS 'F and M look at the last so many days, up to and including as_of; NULL = everything';
COMMENT ON COLUMN %1$I.settings.on_bad_row IS 'skip = bad rows are left out and counted, error = they stop the refresh';
COMMENT ON COLUMN %1$I.settings.max_bad_share IS 'a refresh stops before publishing when more than this share of the rows is bad (0..1)';
COMMENT ON COLUMN %1$I.settings.purchase_model IS 'model of purchases: mbg/nbd and others that clv_fit() knows, auto = the best of several, none or NULL = no model';
COMMENT ON COLUMN %1$I.settings.horizon_days IS 'expected_purchases and clv look so many days ahead';
COMMENT ON COLUMN %1$I.settings.annual_discount IS 'yearly rate at which clv discounts, 0.10 = 10 %%';
COMMENT ON COLUMN %1$I.settings.margin IS 'share of the revenue that clv counts, 0..1';
COMMENT ON COLUMN %1$I.settings.margin_column IS 'column of the source: the margin of a row as a share of its amount, -1..1, NULL = that of the program; a customer then has the mean margin of what was bought; NULL = the margin of the program for everybody';
COMMENT ON COLUMN %1$I.settings.churn_days IS 'p_active is the probability of a purchase within so many days, and a customer counts as recent for so many after one';
COMMENT ON COLUMN %1$I.settings.refit_days IS 'a refresh fits the models anew when the newest fit is so many days older than its as_of';
COMMENT ON COLUMN %1$I.settings.history_complete_from IS 'customers whose first day is earlier are predicted, but models are not fitted to them: their first orders may be missing; NULL = all are fitted to';
COMMENT ON COLUMN %1$I.settings.tracking IS 'how a refresh knows which customers changed: full = it does not, it reads everything; triggers = triggers on a table write them down; watermark = a column of the source that only grows';
COMMENT ON COLUMN %1$I.settings.track_schema IS 'schema of the table whose changes are tracked by triggers; NULL = that of the source';
COMMENT ON COLUMN %1$I.settings.track_name IS 'table whose changes are tracked by triggers: the one from which the source, a view, takes its orders; NULL = the source itself';
COMMENT ON COLUMN %1$I.settings.track_customer IS 'column of that table: the customer key; NULL = the column has the name it has in the source';
COMMENT ON COLUMN %1$I.settings.watermark IS 'column of the source that only grows: a number, or when a row was last changed; NULL = none';
COMMENT ON COLUMN %1$I.settings.watermark_lag IS 'rows so far below the highest watermark are read again, because they may have become visible late: an interval or a number; NULL = 10 minutes, or 10000';
COMMENT ON COLUMN %1$I.settings.currency IS 'column of the source: the currency of the amount; NULL = all amounts are in one';
COMMENT ON COLUMN %1$I.settings.rates_schema IS 'schema of the rates of exchange, NULL = none';
COMMENT ON COLUMN %1$I.settings.rates_name IS 'name of the relation of the rates of exchange: one row a currency and day, valid until the next; NULL = none';
COMMENT ON COLUMN %1$I.settings.rates_currency IS 'column of the rates: the currency';
COMMENT ON COLUMN %1$I.settings.rates_day IS 'column of the rates: the day from which the rate holds';
COMMENT ON COLUMN %1$I.settings.rates_rate IS 'column of the rates: by what an amount is multiplied';
COMMENT ON COLUMN %1$I.settings.identities_schema IS 'schema of the identity map, NULL = none';
COMMENT ON COLUMN %1$I.settings.identities_name IS 'name of the identity map, which says to which customer each external id belongs; NULL = none, the source holds customers';
COMMENT ON COLUMN %1$I.settings.identities_key IS 'column of the map: the external id, as the source has it';
COMMENT ON COLUMN %1$I.settings.identities_customer IS 'column of the map: the customer';
$ddl$, schema);
END
$$;
COMMENT ON FUNCTION customer_tier.create_settings_table(name) IS 'internal: the table of a program''s settings';
