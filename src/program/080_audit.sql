-- audit(program): what is in the source, before anything is rated, and what a
-- refresh will do with it.  The source is read as it is: no value is summed, no
-- value can make it fail.

CREATE FUNCTION customer_tier.audit_query(s customer_tier.program_settings) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    at_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(source, s.at) c);
    amount_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(source, s.amount) c);
    at_expr text := format('CAST(source.%I AS %s)', s.at, at_type);
    amount_expr text := format('CAST(source.%I AS %s)', s.amount, amount_type);
    day_expr text := format('CAST(%s AS date)', at_expr);
    day_is_good text := format('isfinite(%s)', at_expr);
    amount_is_bad text := 'false';
    counters text;
BEGIN
    IF at_type = 'timestamptz'::regtype THEN
        -- Near the ends of time a zone may lead beyond them.
        day_expr := format($c$CASE WHEN %2$s > TIMESTAMPTZ '4712-01-01 00:00:00+00 BC' AND %2$s < TIMESTAMPTZ '294275-01-01 00:00:00+00'
                            THEN CAST(timezone(%1$L, %2$s) AS date) END$c$, s.time_zone, at_expr);
    END IF;
    IF amount_type IN ('real'::regtype, 'double precision'::regtype, 'numeric'::regtype) THEN
        -- NaN stands above everything, so it is beyond the range as well.
        amount_is_bad := format('%1$s NOT BETWEEN -170141183460469231731687303715884 AND 170141183460469231731687303715884', amount_expr);
    END IF;

    -- Two examples of each kind, the first and the last as text.
    SELECT string_agg(format(
$column$count(*) FILTER (WHERE %2$s) AS %1$s,
               min(row.shown COLLATE "C") FILTER (WHERE %2$s) AS %1$s_low,
               max(row.shown COLLATE "C") FILTER (WHERE %2$s) AS %1$s_high$column$,
               c.name, c.condition), E',\n               ' ORDER BY c.n)
      INTO counters
      FROM (VALUES
           (1, 'null_customer', 'row.customer IS NULL'),
           (2, 'null_day', 'row.at IS NULL'),
           (3, 'infinite_day', 'row.at IS NOT NULL AND NOT row.day_is_good'),
           (4, 'null_amount', 'row.amount IS NULL'),
           (5, 'nan_amount', 'row.amount_is_bad'),
           (6, 'negative', 'row.amount < 0 AND NOT row.amount_is_bad'),
           (7, 'zero', 'row.amount = 0'),
           (8, 'future', 'row.day > today.day')) AS c (n, name, condition);

    RETURN format(
$query$
    WITH today AS MATERIALIZED (
        SELECT CAST(timezone(%1$L, now()) AS date) AS day
    ), customer AS MATERIALIZED (
        -- The one scan: what each customer has of everything.
        SELECT row.customer IS NULL AS is_null,
               min(row.day) FILTER (WHERE row.amount >= 0 AND NOT row.amount_is_bad AND row.customer IS NOT NULL) AS first_day,
               max(row.day) FILTER (WHERE row.amount >= 0 AND NOT row.amount_is_bad AND row.customer IS NOT NULL AND row.day <= today.day) AS last_day,
               count(*) AS rows,
               %2$s
          FROM (SELECT source.%3$I AS customer, %4$s AS at, %5$s AS amount,
                       CASE WHEN %6$s THEN %7$s END AS day,
                       coalesce(%6$s, false) AS day_is_good,
                       coalesce(%8$s, false) AS amount_is_bad,
                       concat_ws(', ', coalesce(CAST(source.%3$I AS text), 'NULL'), coalesce(CAST(source.%9$I AS text), 'NULL'), coalesce(CAST(source.%10$I AS text), 'NULL')) AS shown
                  FROM %11$I.%12$I AS source) AS row, today
         GROUP BY row.customer
    ), total AS MATERIALIZED (
        SELECT coalesce(sum(rows), 0) AS rows, count(*) FILTER (WHERE NOT is_null) AS customers,
               max(last_day) AS newest_day, min(first_day) AS oldest_day,
               %13$s
          FROM customer
    ), beginning AS MATERIALIZED (
        -- New customers in the first 30 days, and in 30 days of what follows.
        SELECT first.early, first.customers, first.later_days, first.later * 30.0 / nullif(first.later_days, 0) AS per_30_days
          FROM (SELECT count(*) FILTER (WHERE customer.first_day < total.oldest_day + 30) AS early,
                       count(customer.first_day) AS customers,
                       count(*) FILTER (WHERE customer.first_day BETWEEN total.oldest_day + 30 AND total.newest_day) AS later,
                       max(total.newest_day) - max(total.oldest_day) - 29 AS later_days
                  FROM customer, total) AS first
    )
$query$,
        s.time_zone, counters, s.customer, at_expr, amount_expr, day_is_good, day_expr, amount_is_bad,
        s.at, s.amount, s.source_schema, s.source_name,
        (SELECT string_agg(format('coalesce(sum(%1$s), 0) AS %1$s, min(%1$s_low) AS %1$s_low, max(%1$s_high) AS %1$s_high', name), E',\n               ' ORDER BY n)
           FROM unnest('{null_customer,null_day,infinite_day,null_amount,nan_amount,negative,zero,future}'::text[]) WITH ORDINALITY AS c (name, n)));
END
$$;
COMMENT ON FUNCTION customer_tier.audit_query(customer_tier.program_settings) IS 'internal: the one scan of the source that audit() reports on, as the WITH of a query';

CREATE FUNCTION customer_tier.examples(low text, high text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN low IS NULL THEN '{}' WHEN low OPERATOR(pg_catalog.=) high THEN ARRAY[low] ELSE ARRAY[low, high] END
$$;
COMMENT ON FUNCTION customer_tier.examples(text, text) IS 'internal: one or two examples as an array';

CREATE FUNCTION customer_tier.audit_report(schema name)
RETURNS TABLE ("check" text, rows bigint, share numeric, examples text[], action text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    has_customers boolean := s.identities_name IS NOT NULL OR customer_tier.has_merges(schema);     -- other than the keys of the source
    equality text;
    wrong record;
    bad_action text := CASE s.on_bad_row WHEN 'error' THEN 'stops the refresh (on_bad_row = error)' ELSE 'skipped and counted as a bad row' END;
BEGIN
    FOR wrong IN SELECT * FROM customer_tier.settings_problems(s) LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, HINT = wrong.hint;
    END LOOP;

    RETURN QUERY EXECUTE customer_tier.audit_query(s) ||
$query$
    SELECT c.name, CAST(c.rows AS bigint), round(c.rows / of.whole, 4), c.examples, c.action
      FROM total, today, beginning, LATERAL (VALUES
          (1, 'rows', total.rows, '{}',
           format('read, of %s customers', total.customers)),
          (2, 'customer is NULL', total.null_customer, customer_tier.examples(total.null_customer_low, total.null_customer_high), $1),
          (3, 'day is NULL', total.null_day, customer_tier.examples(total.null_day_low, total.null_day_high), $1),
          (4, 'day is infinite', total.infinite_day, customer_tier.examples(total.infinite_day_low, total.infinite_day_high), $1),
          (5, 'amount is NULL', total.null_amount, customer_tier.examples(total.null_amount_low, total.null_amount_high), $1),
          (6, 'amount is NaN, infinite or out of range', total.nan_amount, customer_tier.examples(total.nan_amount_low, total.nan_amount_high), $1),
          (7, 'amount is negative', total.negative, customer_tier.examples(total.negative_low, total.negative_high),
           CASE WHEN $2 THEN 'summed with the other lines of its order; an order below zero counts as a refund'
                ELSE 'counted as a refund: lowers revenue, is no order' END),
          (8, 'amount is zero', total.zero, customer_tier.examples(total.zero_low, total.zero_high),
           CASE WHEN $2 THEN 'summed with the other lines of its order; an order of zero counts as an order'
                ELSE 'counted as an order of 0' END),
          (9, 'day is in the future', total.future, customer_tier.examples(total.future_low, total.future_high),
           format('kept in the history, ignored until as_of reaches it (after %s)', today.day)),
          (10, 'days since the newest order', today.day - total.newest_day,
           CASE WHEN total.newest_day IS NULL THEN '{}' ELSE ARRAY[CAST(total.newest_day AS text)] END,
           CASE WHEN total.newest_day IS NULL THEN 'no order yet: a refresh publishes no buyers'
                WHEN today.day - total.newest_day > 45 THEN 'a refresh without as_of warns: more than 45 days'
                ELSE 'a refresh without as_of rates as of yesterday' END),
          (11, 'first order within 30 days of the oldest', beginning.early,
           CASE WHEN total.oldest_day IS NULL THEN '{}' ELSE ARRAY[CAST(total.oldest_day AS text)] END,
           CASE WHEN coalesce(beginning.later_days, 0) < 60 THEN 'cannot be judged: the table spans fewer than 90 days'
                WHEN beginning.early > 2 * beginning.per_30_days + 5
                THEN format('later 30 days bring %s new customers on average: the table probably begins later than the business; about %s of these customers are older, their first_day is too late and their orders too few',
                            round(beginning.per_30_days, 1), round(beginning.early - beginning.per_30_days))
                ELSE format('later 30 days bring %s new customers on average: the table seems to begin with the business',
                            round(beginning.per_30_days, 1)) END)
      ) AS c (n, name, rows, examples, action),
      LATERAL (SELECT CASE c.n WHEN 10 THEN NULL WHEN 11 THEN nullif(beginning.customers, 0) ELSE nullif(total.rows, 0) END AS whole) AS of
     ORDER BY c.n
$query$ USING bad_action, s.order_id IS NOT NULL;

    IF s.margin_column IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
$query$
    WITH total AS MATERIALIZED (
        SELECT count(*) AS rows,
               count(*) FILTER (WHERE row.margin IS NULL) AS nulls,
               min(row.shown COLLATE "C") FILTER (WHERE row.margin IS NULL) AS nulls_low,
               max(row.shown COLLATE "C") FILTER (WHERE row.margin IS NULL) AS nulls_high,
               count(*) FILTER (WHERE row.margin NOT BETWEEN -1 AND 1) AS bad,
               min(row.shown COLLATE "C") FILTER (WHERE row.margin NOT BETWEEN -1 AND 1) AS bad_low,
               max(row.shown COLLATE "C") FILTER (WHERE row.margin NOT BETWEEN -1 AND 1) AS bad_high
          FROM (SELECT source.%1$I AS margin,
                       concat_ws(', ', coalesce(CAST(source.%2$I AS text), 'NULL'), coalesce(CAST(source.%3$I AS text), 'NULL'), coalesce(CAST(source.%1$I AS text), 'NULL')) AS shown
                  FROM %4$I.%5$I AS source) AS row
    )
    SELECT c.name, c.rows, round(CAST(c.rows AS numeric) / nullif(total.rows, 0), 4), c.examples, c.action
      FROM total, LATERAL (VALUES
          (1, 'margin is NULL', total.nulls, customer_tier.examples(total.nulls_low, total.nulls_high), format('the margin of the program counts: %%s', $1)),
          (2, 'margin is NaN or outside of -1..1', total.bad, customer_tier.examples(total.bad_low, total.bad_high), $2)
      ) AS c (n, name, rows, examples, action)
     ORDER BY c.n
$query$, s.margin_column, s.customer, s.at, s.source_schema, s.source_name) USING s.margin, bad_action;
    END IF;

    IF s.currency IS NOT NULL THEN
        RETURN QUERY SELECT * FROM customer_tier.audit_currency(s, bad_action);
    END IF;
    IF has_customers THEN
        RETURN QUERY SELECT * FROM customer_tier.audit_customers(s, bad_action);
    END IF;

    IF s.order_id IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
$query$
    WITH one_order AS MATERIALIZED (
        SELECT source.%1$I IS NULL AS is_null, count(*) AS lines, count(DISTINCT source.%2$I) AS customers,
               min(CAST(source.%1$I AS text) COLLATE "C") AS shown
          FROM %3$I.%4$I AS source
         GROUP BY source.%1$I
    ), total AS MATERIALIZED (
        SELECT sum(lines) AS rows,
               sum(lines) FILTER (WHERE is_null) AS nulls,
               sum(lines) FILTER (WHERE NOT is_null AND lines > 1) AS repeated,
               min(shown) FILTER (WHERE lines > 1) AS repeated_low, max(shown) FILTER (WHERE lines > 1) AS repeated_high,
               sum(lines) FILTER (WHERE NOT is_null AND customers > 1) AS shared,
               min(shown) FILTER (WHERE NOT is_null AND customers > 1) AS shared_low, max(shown) FILTER (WHERE NOT is_null AND customers > 1) AS shared_high
          FROM one_order
    )
    SELECT c.name, CAST(coalesce(c.rows, 0) AS bigint), round(coalesce(c.rows, 0) / nullif(total.rows, 0), 4), c.examples, c.action
      FROM total, LATERAL (VALUES
          (1, 'order id is NULL', total.nulls, '{}', 'each row is an order of its own'),
          (2, 'order id is repeated', total.repeated, customer_tier.examples(total.repeated_low, total.repeated_high),
           'rows of one customer and order id are summed to one order'),
          (3, 'order id is shared by several customers', total.shared, customer_tier.examples(total.shared_low, total.shared_high),
           'each customer has an order of his own')
      ) AS c (n, name, rows, examples, action)
     ORDER BY c.n
$query$, s.order_id, s.customer, s.source_schema, s.source_name);
    END IF;

    IF s.customers_name IS NOT NULL THEN
        equality := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.program_key(s) c));
        RETURN QUERY EXECUTE format(
$query$
    WITH master AS MATERIALIZED (
        SELECT source.key, count(*) AS rows
          FROM (SELECT CAST(source.%1$I AS %2$s) AS key FROM %3$I.%4$I AS source%8$s) AS source
         GROUP BY source.key
    ), buyer AS MATERIALIZED (
        SELECT source.%5$I AS key, count(*) AS rows
          FROM %6$s AS source
         WHERE source.%5$I IS NOT NULL
         GROUP BY source.%5$I
    ), both_sides AS MATERIALIZED (
        SELECT coalesce(master.key, buyer.key) AS key, master.rows AS in_master, buyer.rows AS in_source
          FROM (SELECT * FROM master WHERE master.key IS NOT NULL) AS master
          FULL JOIN buyer ON buyer.key %7$s master.key
    ), total AS MATERIALIZED (
        SELECT sum(in_source) AS rows, sum(in_master) AS master_rows,
               sum(in_source) FILTER (WHERE in_master IS NULL) AS missing,
               min(CAST(key AS text) COLLATE "C") FILTER (WHERE in_master IS NULL) AS missing_low,
               max(CAST(key AS text) COLLATE "C") FILTER (WHERE in_master IS NULL) AS missing_high,
               sum(in_master) FILTER (WHERE in_master > 1) AS repeated,
               min(CAST(key AS text) COLLATE "C") FILTER (WHERE in_master > 1) AS repeated_low,
               max(CAST(key AS text) COLLATE "C") FILTER (WHERE in_master > 1) AS repeated_high,
               count(*) FILTER (WHERE in_source IS NULL) AS prospects,
               min(CAST(key AS text) COLLATE "C") FILTER (WHERE in_source IS NULL) AS prospects_low,
               max(CAST(key AS text) COLLATE "C") FILTER (WHERE in_source IS NULL) AS prospects_high,
               (SELECT sum(master.rows) FROM master WHERE master.key IS NULL) AS nulls
          FROM both_sides
    )
    SELECT c.name, CAST(coalesce(c.rows, 0) AS bigint), round(coalesce(c.rows, 0) / nullif(c.of, 0), 4), c.examples, c.action
      FROM total, LATERAL (VALUES
          (1, 'customer is missing from the master', total.missing, total.rows, customer_tier.examples(total.missing_low, total.missing_high),
           'rated like any other'),
          (2, 'master key is NULL', total.nulls, total.master_rows + coalesce(total.nulls, 0), '{}', 'left out'),
          (3, 'master key is repeated', total.repeated, total.master_rows, customer_tier.examples(total.repeated_low, total.repeated_high),
           'one customer'),
          (4, 'customer of the master without a row', total.prospects, total.master_rows, customer_tier.examples(total.prospects_low, total.prospects_high),
           'a prospect, in the base tier')
      ) AS c (n, name, rows, of, examples, action)
     ORDER BY c.n
$query$, s.customers_key,
         (SELECT c.declared FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c),
         s.customers_schema, s.customers_name, CASE WHEN has_customers THEN 'customer_id' ELSE s.customer END,
         CASE WHEN has_customers THEN format('(%s)', customer_tier.source_rows_query(s, false)) ELSE format('%I.%I', s.source_schema, s.source_name) END, equality,
         CASE WHEN customer_tier.has_merges(schema)
              THEN format(' WHERE NOT EXISTS (SELECT FROM %I.merged_customer AS merged WHERE merged.from_customer %s CAST(source.%I AS %s))', schema, equality, s.customers_key,
                          (SELECT format_type(c.type, -1) FROM customer_tier.program_key(s) c))
              ELSE '' END);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.audit_report(name) IS 'internal: what audit() returns, of the program in a schema';

CREATE FUNCTION customer_tier.audit(program text)
RETURNS TABLE ("check" text, rows bigint, share numeric, examples text[], action text)
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audit';
COMMENT ON FUNCTION customer_tier.audit(text) IS
    'what is in the order source of a program, how many rows of it and which, and what a refresh does with them: bad rows, refunds, zeros, future days, order ids, customers and their master, days since the newest order, and whether the table begins later than the business; never fails on dirty data';
