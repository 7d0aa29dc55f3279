-- Did the tiers mean anything?  The ratings as of a day in the past, made from
-- what was known then, beside what the same customers bought in the days after
-- it; and beside plain RFM and the revenue of the days before, which cost
-- nothing: a composite that orders customers no better does not earn its keep.

CREATE FUNCTION customer_tier.backtest_check(program text, schema name, as_of date, horizon int) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    first_day date;
    newest_day date;
    last_as_of date;
    possible text;
BEGIN
    IF as_of IS NULL OR horizon IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('%s of a backtest must not be NULL', CASE WHEN as_of IS NULL THEN 'as_of' ELSE 'horizon' END),
            HINT = 'Give the day to rate as of, and how many days after it to look at: backtest(program, as_of, 365).';
    ELSIF NOT isfinite(as_of) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
            MESSAGE = format('as_of must be a finite day, not %s', as_of), HINT = 'Give the day to rate as of.';
    ELSIF horizon NOT BETWEEN 1 AND 36525 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('horizon must be between 1 and 36525 days, not %s', horizon), HINT = 'Use 365 for a year.';
    END IF;

    EXECUTE format('SELECT min(customer_tier.first_day(h.history)), max(customer_tier.last_day(h.history)) FROM %I.history AS h', schema) INTO first_day, newest_day;
    IF newest_day IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no histories', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    END IF;
    -- The day on which the source was read had not ended then.
    EXECUTE format('SELECT least($1, timezone($2, max(run.started_at))::date - 1) FROM %I.run WHERE run.kind = ''refresh'' AND run.status = ''published''', schema)
        INTO newest_day USING newest_day, s.time_zone;
    -- One day before the newest order is today for rate(): dimensions that know
    -- no day would say what they learnt since.
    last_as_of := newest_day - greatest(horizon, 2);
    possible := CASE WHEN last_as_of > first_day THEN format('With a horizon of %s the first possible as_of is %s, and the last possible as_of %s.', horizon, first_day, last_as_of)
                     WHEN last_as_of = first_day THEN format('With a horizon of %s the only possible as_of is %s.', horizon, first_day)
                     WHEN newest_day - first_day >= 2 THEN format('The first order is of %s: the longest possible horizon is %s.', first_day, newest_day - first_day)
                     ELSE format('The first order is of %s: there is no past to test yet.', first_day) END;
    IF as_of < first_day THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('program "%s" had no customer with an order as of %s', program, as_of), HINT = possible;
    ELSIF as_of > last_as_of THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('as_of %s with a horizon of %s reaches beyond what is known', as_of, horizon),
            DETAIL = format('The newest complete day of the histories is %s%s.', newest_day,
                            CASE WHEN as_of = newest_day - 1 AND horizon = 1 THEN '; a rating of the day before may know what came on it' ELSE '' END),
            HINT = possible;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.backtest_check(text, name, date, int) IS 'internal: stop when a program cannot be tested as of a day over a horizon, and say what can';

CREATE FUNCTION customer_tier.backtest_nobody(program text, schema name, as_of date) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found',
        MESSAGE = format('no customer of program "%s" had a score as of %s', program, as_of),
        HINT = CASE WHEN coalesce(s.purchase_model, 'none') <> 'none' AND customer_tier.newest_model(schema, 'purchase', as_of) IS NULL
                    THEN format('No model was fitted by that day: CALL customer_tier.fit(%L, %L) makes those of that day.', program, as_of)
                    ELSE 'A dimension with missing = ''no_rating'' gives nobody a score who has no value in it on that day.' END;
END
$$;
COMMENT ON FUNCTION customer_tier.backtest_nobody(text, name, date) IS 'internal: the error of a backtest without customers';

CREATE FUNCTION customer_tier.backtest_query(schema name, with_places boolean) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format(
$query$
    WITH rated AS MATERIALIZED (
        SELECT r.customer_id, r.score, r.r_score + r.f_score + r.m_score AS rfm, r.tier, r.tier_rank
          FROM %1$I.rate($1) AS r
    ), customer AS MATERIALIZED (
        SELECT r.tier, r.tier_rank, r.score, CAST(r.rfm AS numeric) AS rfm, h.last_revenue,
               customer_tier.orders(h.next) AS orders, customer_tier.revenue(h.next) AS revenue
          FROM rated AS r
          JOIN (SELECT history.customer_id,
                       customer_tier.revenue(customer_tier.within(history.history, $1 - $2 + 1, $1)) AS last_revenue,
                       customer_tier.within(history.history, $1 + 1, $1 + $2) AS next
                  FROM %1$I.history
                OFFSET '0'    -- one cut of the days to come a customer
               ) AS h ON h.customer_id %2$s r.customer_id
         WHERE r.score IS NOT NULL
    ), total AS MATERIALIZED (
        -- Of a total of 0 or less nobody has a share.
        SELECT count(*) AS customers, CASE WHEN sum(customer.revenue) > 0 THEN sum(customer.revenue) END AS revenue
          FROM customer
    ), standing AS (
        -- better: customers with a better value; through: those and the ones as good.
        SELECT p.number, c.orders, c.revenue,%3$s
               rank() OVER best - 1 AS better,
               count(*) OVER best AS through
          FROM %4$s AS c, LATERAL (VALUES (1, c.score), (2, c.rfm), (3, c.last_revenue)) AS p (number, value)
        WINDOW best AS (PARTITION BY p.number ORDER BY p.value DESC)
    )$query$,
        schema,
        customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c)),
        CASE WHEN with_places THEN ' c.by_revenue, c.by_orders,' ELSE '' END,
        CASE WHEN with_places THEN
$query$(
            SELECT customer.*,
                   count(*) OVER () - count(*) OVER most_revenue - rank() OVER most_revenue + 1 AS by_revenue,
                   count(*) OVER () - count(*) OVER most_orders - rank() OVER most_orders + 1 AS by_orders
              FROM customer
            WINDOW most_revenue AS (ORDER BY customer.revenue DESC), most_orders AS (ORDER BY customer.orders DESC))$query$ ELSE 'customer' END);
END
$$;
COMMENT ON FUNCTION customer_tier.backtest_query(name, boolean) IS
    'internal: how backtest() and backtest_summary() begin: everyone rated as of $1, by number of the predictor (1 = score, 2 = rfm, 3 = revenue), beside orders and revenue of the $2 days after it, and with_places also the places by them';

CREATE FUNCTION customer_tier.backtest(program text, as_of date, horizon int DEFAULT 365)
RETURNS TABLE (predictor text, "grouping" text, group_no int, label text, customers bigint, share float8, orders bigint, revenue numeric,
    revenue_share float8, cumulative_revenue_share float8, revenue_per_customer numeric, lift float8, survival float8)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 35 SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
BEGIN
    PERFORM customer_tier.backtest_check(program, schema, as_of, horizon);
    RETURN QUERY EXECUTE customer_tier.backtest_query(schema, false) || $query$, part AS (
        -- Tiers count down from the best, as deciles do.
        SELECT 0 AS number, - c.tier_rank AS group_no, c.tier, count(*) AS customers, count(*) FILTER (WHERE c.orders > 0) AS buyers,
               sum(c.orders) AS orders, sum(c.revenue) AS revenue
          FROM customer AS c
         GROUP BY c.tier_rank, c.tier
        UNION ALL
        SELECT s.number, CAST(1 + 10 * s.better / t.customers AS int), NULL, count(*), count(*) FILTER (WHERE s.orders > 0),
               sum(s.orders), sum(s.revenue)
          FROM standing AS s, total AS t
         GROUP BY s.number, 1 + 10 * s.better / t.customers
    ), numbered AS (
        SELECT p.number, CASE WHEN p.number = 0 THEN CAST(row_number() OVER down AS int) ELSE p.group_no END AS group_no, p.tier,
               p.customers, p.buyers, p.orders, p.revenue, sum(p.revenue) OVER down AS revenue_above
          FROM part AS p
        WINDOW down AS (PARTITION BY p.number ORDER BY p.group_no)
    )
    SELECT ('{tier,score,rfm,revenue}'::text[])[1 + n.number], CASE WHEN n.number = 0 THEN 'tier' ELSE 'decile' END,
           n.group_no, coalesce(n.tier, 'decile ' || n.group_no),
           n.customers, n.customers / CAST(t.customers AS double precision),
           CAST(n.orders AS bigint), n.revenue, CAST(n.revenue / t.revenue AS double precision), CAST(n.revenue_above / t.revenue AS double precision),
           n.revenue / n.customers, CAST(n.revenue * t.customers / (n.customers * t.revenue) AS double precision),
           n.buyers / CAST(n.customers AS double precision)
      FROM numbered AS n, total AS t
     ORDER BY n.number, n.group_no$query$ USING as_of, horizon;
    IF NOT FOUND THEN
        PERFORM customer_tier.backtest_nobody(program, schema, as_of);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.backtest(text, date, int) IS
    'what the ratings as of a day were worth: customers with a score on that day, by tier and in tenths (1 = best) of the score, of plain RFM (rfm: mean of the r, f and m score) and of the revenue of the horizon days up to that day; with orders and revenue (currency units, net of refunds) of the horizon days after it, their shares (0..1), revenue per customer and its ratio to that of all (lift), and the share of customers who ordered (survival, 0..1). Equal values stand in the same tenth, so some may be absent. Shares of revenue are NULL when all of it is 0 or less';

CREATE FUNCTION customer_tier.backtest_summary(program text, as_of date, horizon int DEFAULT 365)
RETURNS TABLE (predictor text, customers bigint, left_out bigint, spearman_revenue float8, spearman_orders float8, gini_revenue float8, gini_normalised float8, auc float8,
    top_tier text, top_tier_customers bigint, top_tier_share float8, top_share float8, top_decile_share float8)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 3 SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
BEGIN
    PERFORM customer_tier.backtest_check(program, schema, as_of, horizon);
    -- A place (x, by_revenue, by_orders) is the number of customers who are worse
    -- less that of those who are better: twice the average rank, about its mean.
    -- Integers, and sums of them times exact money: no order of rows matters.
    --   Spearman's rho = sum x y / sqrt(sum x^2 sum y^2)
    --   2 area - 1     = sum x revenue / (customers * sum revenue)
    -- where the area is under the curve of the share of revenue against that of
    -- customers, the best first, with one straight piece a value.
    RETURN QUERY EXECUTE customer_tier.backtest_query(schema, true) || $query$, place AS (
        SELECT s.*, s.through - s.better AS ties, t.customers - s.through - s.better AS x
          FROM standing AS s, total AS t
    ), top AS (
        SELECT c.tier, count(*) AS customers, sum(c.revenue) AS revenue
          FROM customer AS c
         WHERE c.tier_rank = (SELECT max(customer.tier_rank) FROM customer)
         GROUP BY c.tier
    ), measured AS (
        -- Of customers who are equally good, as many as fit count by parts.
        SELECT p.number,
               CAST(sum(p.x * p.x) AS double precision) AS xx,
               CAST(sum(p.by_revenue * p.by_revenue) AS double precision) AS rr,
               CAST(sum(p.by_orders * p.by_orders) AS double precision) AS oo,
               CAST(sum(p.x * p.by_revenue) AS double precision) AS xr,
               CAST(sum(p.x * p.by_orders) AS double precision) AS xo,
               sum(p.x * p.revenue) AS gain,
               sum(p.by_revenue * p.revenue) AS perfect_gain,
               customer_tier.auc(CAST(p.x AS double precision), p.orders = 0) AS auc,
               sum(p.revenue * least(p.ties, greatest(top.customers - p.better, 0)) / p.ties) AS top_revenue,
               sum(p.revenue * least(p.ties, greatest(t.customers / 10.0 - p.better, 0)) / p.ties) AS tenth_revenue
          FROM place AS p, total AS t, top
         GROUP BY p.number
    )
    SELECT ('{score,rfm,revenue}'::text[])[m.number], t.customers, (SELECT count(*) FROM rated) - t.customers,
           m.xr / nullif(sqrt(m.xx * m.rr), 0), m.xo / nullif(sqrt(m.xx * m.oo), 0),
           CAST(m.gain / (t.customers * t.revenue) AS double precision), CAST(m.gain / nullif(m.perfect_gain, 0) AS double precision), m.auc,
           top.tier, top.customers, CASE WHEN m.number = 1 THEN CAST(top.revenue / t.revenue AS double precision) END,
           CAST(m.top_revenue / t.revenue AS double precision), CAST(m.tenth_revenue / t.revenue AS double precision)
      FROM measured AS m, total AS t, top
     ORDER BY m.number$query$ USING as_of, horizon;
    IF NOT FOUND THEN
        PERFORM customer_tier.backtest_nobody(program, schema, as_of);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.backtest_summary(text, date, int) IS
    'how well the score as of a day, plain RFM and the revenue of the horizon days up to it put the customers in the order of what they did in the horizon days after it: Spearman correlation with revenue and orders, gini_revenue (2 x area under the curve of revenue share against customer share, the best first, - 1) and its ratio to that of the perfect order, auc of who orders at all, and shares of the revenue (0..1): of the top tier, of as many best customers by the predictor (top_share), and of the best tenth; left_out are the customers known that day who had no score';
