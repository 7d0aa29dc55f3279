-- Customer lifetime value in a program: what is fitted when, what the ratings
-- are made of, what cannot be fitted, and the forecast ledger.
\set SHOW_CONTEXT never
SET DateStyle = 'ISO';
CREATE TABLE orders AS SELECT customer_id, ordered_at, amount FROM customer_tier.demo_orders(1000, 500, 3);

-- The options.
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', purchase_model => 'prophet');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', purchase_model => 'bg/bb');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', horizon_days => 0);
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', churn_days => NULL);
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', refit_days => -1);
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', annual_discount => 'NaN');
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', annual_discount => -0.1);
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', margin => 30);
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'ordered_at', 'amount', history_complete_from => '-infinity');

SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'ordered_at', 'amount', time_zone => 'UTC',
    margin => 0.4, annual_discount => 0.15, horizon_days => 200, churn_days => 60);
UPDATE shop.settings SET purchase_model = 'guess';
SELECT problem, hint FROM customer_tier.check_program('shop');
UPDATE shop.settings SET purchase_model = 'mbg/nbd';
CALL customer_tier.fit('shop', '2024-10-31');
SELECT kind, status, is_current, error_code, error FROM shop.run;
CALL customer_tier.refresh('shop', '2024-10-31');
SELECT run_id, kind, status, is_current, as_of, purchase_model_id, spend_model_id, model_problem FROM shop.run ORDER BY run_id;
SELECT model_id, kind, is_current, requested, name, as_of, status, reason, penalty, customers, repeaters > 300 AS many,
       correlation BETWEEN -1 AND 1 AS has_correlation, fitted_at IS NOT NULL AS has_time,
       status = fitted->>'status' AND log_likelihood = customer_tier.log_likelihood(fitted) AND bic = customer_tier.bic(fitted) AS is_the_fit
  FROM shop.model ORDER BY model_id;

-- The ratings are what the kernel says, called by hand.
CREATE TEMP TABLE summary AS
SELECT h.customer_id, b.* FROM (SELECT customer_id, customer_tier.purchases(ordered_at, amount, 'UTC') AS history FROM orders GROUP BY 1) h,
       customer_tier.btyd(h.history, '2024-10-31') b;
CREATE TEMP VIEW by_hand AS
WITH m AS MATERIALIZED (
    SELECT customer_tier.clv_fit('mbg/nbd', frequency, recency, age) AS purchase, customer_tier.spend_fit(frequency, monetary) AS spend FROM summary)
SELECT customer_id,
       round(customer_tier.p_alive(purchase, frequency, recency, age)::numeric, 4) AS p_alive,
       round(customer_tier.p_active(purchase, 60 / 7.0, frequency, recency, age)::numeric, 4) AS p_active,
       round(customer_tier.expected_purchases(purchase, 200 / 7.0, frequency, recency, age)::numeric, 4) AS expected_purchases,
       round(customer_tier.expected_spend(spend, frequency, monetary)::numeric, 2) AS expected_spend,
       round(0.4 * customer_tier.clv(purchase, spend, 200 / 7.0, ln(1.15::float8) / (365.25 / 7), frequency, recency, age, monetary)::numeric, 2) AS clv
  FROM summary, m WHERE age IS NOT NULL;
CREATE TEMP VIEW rated AS SELECT customer_id, p_alive, p_active, expected_purchases, expected_spend, clv FROM shop.ratings WHERE orders > 0;
SELECT count(*) > 500 AS many, count(DISTINCT p_alive) > 100 AS vary, count(clv) = count(*) - count(*) FILTER (WHERE expected_spend IS NULL) AS whole FROM rated;
(TABLE rated EXCEPT ALL TABLE by_hand) UNION ALL (TABLE by_hand EXCEPT ALL TABLE rated);
SELECT customer_id, p_active, recency_days, purchase_days, lifecycle_stage FROM shop.ratings
 WHERE lifecycle_stage IS DISTINCT FROM
       CASE WHEN orders = 0 THEN 'prospect'
            WHEN purchase_days = 1 AND recency_days < 60 THEN 'new'
            WHEN p_active >= 0.5 OR (p_active >= 0.1 AND recency_days < 60) THEN 'active'
            WHEN p_active >= 0.1 OR recency_days < 60 THEN 'at_risk'
            ELSE 'churned' END;
SELECT lifecycle_stage, lifecycle_label, lifecycle_label_zh, count(*) > 0 AS some FROM shop.ratings GROUP BY 1, 2, 3 ORDER BY 1;

-- Nothing new, nothing written; a fit is used for refit_days, then made anew.
CALL customer_tier.refresh('shop', '2024-10-31');
CALL customer_tier.refresh('shop', '2024-11-29');
SELECT run_id, as_of, CASE WHEN changed = 0 THEN 'nothing' ELSE 'something' END AS changed, purchase_model_id FROM shop.run WHERE kind = 'refresh' ORDER BY run_id;
CREATE TEMP TABLE published AS SELECT run_id, r.* FROM shop.run, shop.ratings r WHERE is_current;
CALL customer_tier.refresh('shop', '2024-11-30');
SELECT as_of, purchase_model_id, spend_model_id FROM shop.run WHERE is_current;
SELECT model_id, kind, is_current, as_of FROM shop.model ORDER BY 1;
-- The past is replayed with what was known then: by its run, and by its day.
SELECT count(*) FROM published p FULL JOIN shop.rate('2024-11-29', (SELECT max(run_id) FROM published)) r USING (customer_id)
 WHERE (p.p_alive, p.p_active, p.expected_purchases, p.expected_spend, p.clv, p.lifecycle_stage, p.score)
       IS DISTINCT FROM (r.p_alive, r.p_active, r.expected_purchases, r.expected_spend, r.clv, r.lifecycle_stage, r.score);
SELECT count(*) FROM published p FULL JOIN shop.rate('2024-11-29') r USING (customer_id) WHERE (p.p_alive, p.clv) IS DISTINCT FROM (r.p_alive, r.clv);
SELECT count(*) > 0 AS rated, count(p_alive) AS known FROM shop.rate('2024-10-30');
-- A refresh of an earlier day knows nothing of later ones: it fits for itself.
SELECT customer_tier.rewind_tiers('shop', '2024-09-30') > 0 AS went_back;
CALL customer_tier.refresh('shop', '2024-09-30');
SELECT m.model_id, m.as_of, m.is_current FROM shop.run r JOIN shop.model m ON m.model_id = r.purchase_model_id WHERE r.is_current;

-- The ledger: the totals are those of the kernel, and what came is what the
-- orders say; once it is written down, nothing changes it.
SELECT count(*), count(DISTINCT decile), count(DISTINCT month), bool_and(purchases BETWEEN purchases_lower AND purchases_upper),
       bool_and(revenue BETWEEN revenue_lower AND revenue_upper), bool_and(to_day >= from_day) FROM shop.forecast WHERE model_id = 1;
SELECT month, from_day, to_day FROM shop.calibration WHERE model_id = 1 AND decile IS NULL AND month IN (1, 4, 12) ORDER BY 1;
SELECT abs(sum(f.purchases) - max(e.purchases)) < 0.001 AS purchases, abs(sum(f.revenue) - max(e.revenue)) < 0.1 AS revenue, count(*)
  FROM shop.forecast f, (SELECT sum(customer_tier.expected_purchases(m.fitted, 365 / 7.0, frequency, recency, age))::numeric AS purchases,
                                sum(customer_tier.expected_purchases(m.fitted, 365 / 7.0, frequency, recency, age)
                                    * customer_tier.expected_spend(s.fitted, frequency, monetary))::numeric AS revenue
                           FROM summary, shop.model m, shop.model s WHERE m.model_id = 1 AND s.model_id = 2 AND age IS NOT NULL) e
 WHERE f.model_id = 1 AND f.decile = 0;
SELECT month FROM shop.forecast WHERE model_id = 1 GROUP BY month
HAVING abs(sum(purchases) FILTER (WHERE decile > 0) - sum(purchases) FILTER (WHERE decile = 0)) > 0.001
    OR sum(customers) FILTER (WHERE decile > 0) <> sum(customers) FILTER (WHERE decile = 0);
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT month, count(*), count(actual_purchases) AS scored FROM shop.forecast WHERE model_id = 1 AND month < 4 GROUP BY 1 ORDER BY 1;
SELECT c.month, c.actual_purchases = o.days AS purchases, c.actual_revenue = o.revenue AS revenue,
       c.purchases_bias = round(c.purchases / o.days - 1, 4) AS bias, c.purchases_alarm = (o.days < c.purchases_lower OR o.days > c.purchases_upper) AS alarm
  FROM shop.calibration c,
       LATERAL (SELECT count(DISTINCT (customer_id, timezone('UTC', ordered_at)::date)) FILTER (WHERE amount >= 0) AS days, sum(amount) AS revenue
                  FROM orders WHERE timezone('UTC', ordered_at)::date BETWEEN c.from_day AND c.to_day
                   AND customer_id IN (SELECT customer_id FROM summary WHERE age IS NOT NULL)) o
 WHERE c.model_id = 1 AND c.decile IS NULL AND c.scored_at IS NOT NULL ORDER BY 1;
SELECT month, sum(actual_purchases) FILTER (WHERE decile > 0) = sum(actual_purchases) FILTER (WHERE decile = 0) AS whole FROM shop.forecast
 WHERE model_id = 1 AND scored_at IS NOT NULL GROUP BY 1 ORDER BY 1;
CREATE TEMP TABLE scored AS SELECT * FROM shop.forecast WHERE scored_at IS NOT NULL;
CALL customer_tier.refresh('shop', '2025-01-05');
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE f IS DISTINCT FROM s) AS changed
  FROM scored s JOIN shop.forecast f USING (model_id, decile, month);
-- A bias is noticed.
UPDATE shop.forecast SET scored_at = NULL, actual_purchases = NULL, actual_revenue = NULL, purchases = 10 * purchases, purchases_lower = 10 * purchases_lower,
    purchases_upper = 10 * purchases_upper WHERE model_id = 1 AND month = 1;
\set VERBOSITY terse
SET client_min_messages = error;
CALL customer_tier.refresh('shop', '2025-01-05');
RESET client_min_messages;
SELECT purchases_bias > 5 AS too_much, purchases_alarm, revenue_alarm IS NOT NULL AS judged FROM shop.calibration WHERE model_id = 1 AND month = 1 AND decile IS NULL;
\set VERBOSITY default

-- Other settings, another fit; none, none.
UPDATE shop.settings SET history_complete_from = '2024-01-01';
CALL customer_tier.refresh('shop', '2025-01-05');
SELECT history_complete_from, customers = (SELECT count(*) FROM shop.ratings WHERE first_day >= '2024-01-01') AS those, (SELECT count(clv) > 500 FROM shop.ratings) AS all_predicted
  FROM shop.model WHERE kind = 'purchase' AND is_current;
UPDATE shop.settings SET purchase_model = 'auto';
CALL customer_tier.refresh('shop', '2025-01-05');
SELECT m.requested, m.name = CASE best.name WHEN 'mbg/cnbd-k' THEN 'mbg/cnbd-' || (m.fitted->'params'->>'k') ELSE best.name END AS best_by_far, (SELECT count(*) FROM jsonb_each(compared)) AS compared
  FROM shop.model m, LATERAL (SELECT CASE WHEN min((c.value->>'bic')::float8) < (compared->'mbg/nbd'->>'bic')::float8 - 10
                                          THEN (array_agg(c.key ORDER BY (c.value->>'bic')::float8))[1] ELSE 'mbg/nbd' END AS name FROM jsonb_each(compared) c) best
 WHERE m.kind = 'purchase' AND m.is_current;
UPDATE shop.settings SET purchase_model = 'none';
CALL customer_tier.refresh('shop', '2025-01-05');
SELECT model_problem, purchase_model_id FROM shop.run WHERE is_current;
SELECT count(p_alive) + count(p_active) + count(expected_purchases) + count(expected_spend) + count(clv) AS known, count(DISTINCT lifecycle_stage) AS stages FROM shop.ratings;
CALL customer_tier.fit('shop', '2025-01-05');
SELECT kind, status, error_code, error FROM shop.run ORDER BY run_id DESC LIMIT 1;

-- In a transaction a fit is part of it.
UPDATE shop.settings SET purchase_model = 'mbg/nbd', history_complete_from = NULL;
CREATE TEMP TABLE models AS SELECT count(*) AS n FROM shop.model;
BEGIN;
CALL customer_tier.fit('shop', '2025-01-05');
ROLLBACK;
SELECT (SELECT count(*) FROM shop.model) - n AS new FROM models;
CALL customer_tier.fit('shop', '2025-01-05');
SELECT (SELECT count(*) FROM shop.model) - n AS new FROM models;
CALL customer_tier.fit(NULL);
CALL customer_tier.fit('shop', 'infinity');
CREATE ROLE regress_stranger;
SET ROLE regress_stranger;
CALL customer_tier.fit('shop');
RESET ROLE;
DROP ROLE regress_stranger;
SELECT customer_tier.drop_program('shop');

-- A margin from a column: a customer's is what was earned of what was paid.
CREATE TABLE sales AS
SELECT customer_id, timezone('UTC', ordered_at) AS at, amount,
       CASE WHEN n % 501 = 0 THEN 'NaN' WHEN n % 11 > 0 THEN (n % 130 - 25) / 100.0 + 0.00005 END::numeric(6,5) AS margin,
       CASE WHEN n % 7 > 0 THEN n / 3 END AS bill
  FROM (SELECT *, row_number() OVER (ORDER BY customer_id, ordered_at, amount) AS n FROM orders) o;
CREATE VIEW sales_in_floats AS SELECT customer_id, at, amount::float8 AS amount, margin::real AS margin, bill FROM sales;
CREATE FUNCTION margins(lines boolean, day date, margin numeric) RETURNS TABLE (customer_id bigint, margin float8) LANGUAGE sql AS $$
    SELECT o.customer_id, CASE WHEN sum(o.amount) > 0 THEN sum(round(o.profit, 6)) / sum(o.amount) ELSE $3 END
      FROM (SELECT s.customer_id, min(s.at)::date AS day, sum(s.amount) AS amount, sum(s.amount * coalesce(s.margin, $3)) AS profit
              FROM (SELECT *, row_number() OVER () AS line FROM sales) s
             WHERE s.margin BETWEEN -1 AND 1 OR s.margin IS NULL
             GROUP BY s.customer_id, s.bill, CASE WHEN s.bill IS NULL OR NOT lines THEN s.line END) o
     WHERE o.day <= $2
     GROUP BY 1 $$;
SELECT customer_tier.create_program('rows', 'sales', 'customer_id', 'at', 'amount', margin => 0.3, margin_column => 'margin', max_bad_share => 0.1, purchase_model => 'mbg/nbd');
SELECT customer_tier.create_program('lines', 'sales', 'customer_id', 'at', 'amount', margin => 0.3, margin_column => 'margin', max_bad_share => 0.1, purchase_model => 'mbg/nbd', order_id => 'bill');
SELECT customer_tier.create_program('floats', 'sales_in_floats', 'customer_id', 'at', 'amount', margin => 0.3, margin_column => 'margin', max_bad_share => 0.1, order_id => 'bill');
SET client_min_messages = error;
CALL customer_tier.refresh('rows', '2024-10-31');
CALL customer_tier.refresh('lines', '2024-10-31');
CALL customer_tier.refresh('floats', '2024-10-31');
SELECT r.rows_bad = (SELECT count(*) FROM sales WHERE margin NOT BETWEEN -1 AND 1) AS bad, r.rows_bad > 100 AS many,
       (SELECT a.rows = r.rows_bad FROM customer_tier.audit('rows') a WHERE "check" = 'margin is NaN or outside of -1..1') AS counted,
       (SELECT a.rows = (SELECT count(*) FROM sales WHERE margin IS NULL) FROM customer_tier.audit('rows') a WHERE "check" = 'margin is NULL') AS nulls
  FROM rows.run r;
SELECT "check", examples, action FROM customer_tier.audit('rows') WHERE "check" LIKE 'margin%';
CREATE FUNCTION wrong(program text, lines boolean, day date, margin numeric, OUT wrong bigint, OUT n bigint, OUT usual bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*) FILTER (WHERE f.margin IS DISTINCT FROM o.margin), count(*), count(*) FILTER (WHERE o.margin = $3)
                      FROM %I.features($2) f FULL JOIN margins($1, $2, $3) o USING (customer_id)', program) INTO wrong, n, usual USING lines, day, margin;
END $$;
SELECT program, day, wrong, n > 300 AS many, usual BETWEEN 1 AND n / 10 AS some_usual
  FROM (VALUES ('rows', false), ('lines', true), ('floats', true)) p (program, lines), unnest('{2024-03-31,2024-10-31,2024-12-31}'::date[]) day,
       wrong(program, lines, day, 0.3) ORDER BY 1, 2;
-- Their clv is made of it, on any day.
SELECT count(*) AS n, count(*) FILTER (WHERE r.clv IS DISTINCT FROM round(m.margin::numeric *
           customer_tier.clv(p.fitted, s.fitted, 365 / 7.0, ln(1.1::float8) / (365.25 / 7), f.repeats, f.last_at, f.age, f.repeat_mean)::numeric, 2)) AS wrong,
       count(*) FILTER (WHERE r.clv < 0) > 0 AS at_a_loss
  FROM lines.rate('2024-12-15') r JOIN lines.features('2024-12-15') f USING (customer_id) JOIN margins(true, '2024-12-15', 0.3) m USING (customer_id),
       lines.model p, lines.model s WHERE p.kind = 'purchase' AND s.kind = 'spend' AND f.orders > 0;
-- A margin that changes, changes one history; one that is the same, none.
CREATE TEMP TABLE kept AS SELECT customer_id, xmin::text AS version FROM lines.history;
UPDATE sales SET margin = 0.5 WHERE customer_id = (SELECT min(customer_id) FROM sales WHERE margin < 0.4);
CALL customer_tier.refresh('lines', '2024-10-31');
SELECT count(*) FILTER (WHERE h.xmin::text <> k.version) FROM kept k FULL JOIN lines.history h USING (customer_id);
SELECT wrong FROM wrong('lines', true, '2024-10-31', 0.3);
-- So does that of the program, for rows that have none of their own; and without the column it is everybody's.
UPDATE lines.settings SET margin = 0.25;
CALL customer_tier.refresh('lines', '2024-10-31');
SELECT wrong FROM wrong('lines', true, '2024-10-31', 0.25);
UPDATE lines.settings SET margin_column = 'amount';
CALL customer_tier.refresh('lines', '2024-10-31');
UPDATE lines.settings SET margin_column = NULL;
CALL customer_tier.refresh('lines', '2024-10-31');
SELECT DISTINCT margin FROM lines.features('2024-10-31');
SELECT count(history) > 300 AS histories, count(profit) AS profits FROM lines.history;
UPDATE lines.settings SET margin_column = 'margin';
SELECT customer_tier.adopt_program('lines');
SELECT DISTINCT margin FROM lines.features('2024-10-31');
CALL customer_tier.refresh('lines', '2024-10-31');
SELECT wrong FROM wrong('lines', true, '2024-10-31', 0.25);
RESET client_min_messages;
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program;
DROP FUNCTION margins, wrong;
DROP VIEW sales_in_floats;

-- Small and odd shops are rated all the same.
CREATE TABLE odd (shop text, customer_id int, day date, amount numeric);
INSERT INTO odd SELECT 'twenty', c, date '2024-12-31' - (c * 7 % 20) * 11 - n * 13, 5 + (c * 13 + n * 7) % 20 FROM generate_series(1, 20) c, generate_series(0, c * 3 % 20) n;
INSERT INTO odd SELECT 'once', c, date '2024-12-31' - c * 37 % 365, 10 + c * 31 % 97 FROM generate_series(1, 400) c;
INSERT INTO odd SELECT 'few', c, date '2024-12-31' - c * 37 % 200 - n * 30, 10 FROM generate_series(1, 100) c, generate_series(0, (c > 91)::int) n;
INSERT INTO odd SELECT 'same', c, date '2024-06-30' + n * 10, 10 FROM generate_series(1, 400) c, generate_series(0, 3) n;
INSERT INTO odd SELECT 'free', c, date '2024-06-30' - c % 90 + n * (5 + c % 20), 0 FROM generate_series(1, 100) c, generate_series(0, c % 5) n;
INSERT INTO odd SELECT 'linked', c, date '2024-06-30' - c % 90 + n * (5 + c * 7 % 13), 10 * (1 + c % 6) + c % 7 FROM generate_series(1, 600) c, generate_series(0, c % 6) n;
INSERT INTO odd VALUES ('one', 1, '2024-12-01', 10);
INSERT INTO odd VALUES ('huge', 1, '0001-01-01', 1e30), ('huge', 1, '2024-12-01', 1e30);
CREATE FUNCTION rate_shop(what text) RETURNS TABLE (model text, status text, reason text, penalty float8, problem text, rated bigint, alive bigint, worth bigint, stages text, forecasts bigint)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE VIEW %I AS SELECT * FROM odd WHERE shop = %L', 'odd_' || what, what);
    PERFORM customer_tier.create_program(what, ('odd_' || what)::regclass, 'customer_id', 'day', 'amount');
    CALL customer_tier.refresh(what, '2024-12-31');
    RETURN QUERY EXECUTE format($q$
        SELECT m.name, m.status, m.reason, m.penalty, r.model_problem, (SELECT count(*) FROM %1$I.ratings), (SELECT count(p_alive) FROM %1$I.ratings), (SELECT count(clv) FROM %1$I.ratings),
               (SELECT string_agg(lifecycle_stage || ':' || n, ' ' ORDER BY lifecycle_stage) FROM (SELECT lifecycle_stage, count(*) AS n FROM %1$I.ratings GROUP BY 1) s),
               (SELECT count(*) FROM %1$I.forecast f WHERE f.model_id = m.model_id)
          FROM %1$I.model m, %1$I.run r WHERE r.is_current ORDER BY m.model_id$q$, what);
END $$;
\x on
SELECT * FROM rate_shop('twenty');
SELECT * FROM rate_shop('once');
SELECT * FROM rate_shop('few');
SELECT * FROM rate_shop('same');
SELECT * FROM rate_shop('free');
SELECT * FROM rate_shop('linked');
SELECT * FROM rate_shop('one');
SELECT * FROM rate_shop('huge');
SELECT * FROM rate_shop('none');
\x off
CALL customer_tier.fit('none', '2024-12-31');
-- Where there was no model, it is tried again after a week.
CALL customer_tier.refresh('one', '2025-01-06');
SELECT count(*) FROM one.model;
CALL customer_tier.refresh('one', '2025-01-07');
SELECT count(*) FROM one.model;
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program;
DROP FUNCTION rate_shop;
SET client_min_messages = warning;
DROP TABLE orders, summary, published, scored, models, kept, sales, odd CASCADE;
