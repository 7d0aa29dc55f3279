-- Day after day: a refresh that reads what changed writes what differs, and comes
-- to what one comes to that reads everything.
SET DateStyle = 'ISO, YMD';
CREATE TABLE orders AS SELECT customer_id, ordered_at::date AS at, amount FROM customer_tier.demo_orders(400, 200, 11) WHERE ordered_at < '2024-12-08';
-- sent back: some of it, all of it, more than was bought, before anything was bought, to the last of six decimals
INSERT INTO orders SELECT i, date '2024-11-20', -10.5 FROM generate_series(3, 390, 9) AS i;
INSERT INTO orders VALUES (501, '2024-11-01', 20), (501, '2024-11-02', -20), (502, '2024-11-01', 20), (502, '2024-11-02', -50), (503, '2024-11-03', -7),
    (504, '2024-10-01', 0.000003), (504, '2024-10-02', -0.000001), (505, '2024-09-01', 90071992547409.93), (505, '2024-09-02', -30000000000.01), (506, '2024-09-03', 0);
-- orders that are still to come, of somebody known and of nobody known
INSERT INTO orders VALUES (7, '2024-12-12', 70), (8, '2024-12-12', -3), (507, '2024-12-11', 30), (508, '2024-12-13', 30);
CREATE INDEX ON orders (customer_id);
SELECT customer_tier.create_program('changes', 'orders', 'customer_id', 'at', 'amount', tracking => 'triggers');
SELECT customer_tier.create_program('whole', 'orders', 'customer_id', 'at', 'amount');
SELECT customer_tier.set_scorecard(p, '[{"feature": "recency"}, {"feature": "frequency"}, {"feature": "monetary"}, {"feature": "average_order"}, {"feature": "tenure"}, {"feature": "refund_rate"}, {"feature": "p_active"}, {"feature": "clv"}]')
  FROM unnest('{changes,whole}'::text[]) AS p;
UPDATE changes.tier SET min_score = NULL, entry = '{"share": 0.2}' WHERE tier_rank = 3;
UPDATE whole.tier SET min_score = NULL, entry = '{"share": 0.2}' WHERE tier_rank = 3;

CREATE FUNCTION differences() RETURNS TABLE (relation text, rows bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    columns text;
BEGIN
    FOREACH relation IN ARRAY '{history,scored_rating,ratings,tier_history,tier_correction,tier_event,run_dimension,forecast}'::text[] LOOP
        SELECT string_agg(quote_ident(a.attname), ', ') INTO columns FROM pg_attribute AS a
         WHERE a.attrelid = format('changes.%I', relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('correction_id', 'event_id', 'corrected_at', 'model_id', 'scored_at');
        EXECUTE format('SELECT (SELECT count(*) FROM whole.%1$I), count(*) FROM ((SELECT %2$s FROM whole.%1$I EXCEPT ALL SELECT %2$s FROM changes.%1$I) UNION ALL (SELECT %2$s FROM changes.%1$I EXCEPT ALL SELECT %2$s FROM whole.%1$I)) AS d', relation, columns)
            INTO rows, differ;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE PROCEDURE both_refreshed(day date) LANGUAGE plpgsql AS $$
BEGIN
    CALL customer_tier.refresh('changes', day);
    CALL customer_tier.refresh('whole', day, full_build => true);
END $$;
CREATE VIEW what AS
SELECT changes.as_of, changes.build, changes.keeps_numbers, changes.has_later, changes.histories_changed, changes.changed > 0 AS wrote, changes.changed = whole.changed AS changed_alike,
       (SELECT count(*) FROM changes.changed) AS left_over, (SELECT coalesce(string_agg(d.relation, ', '), 'none') FROM differences() AS d WHERE d.differ > 0) AS tables_that_differ,
       ROW(changes.customers_read, changes.customers, changes.buyers, changes.prospects, changes.newest_day, changes.score_distribution, changes.r_cuts, changes.f_cuts, changes.m_cuts, changes.tier_places) IS NOT DISTINCT FROM
       ROW(whole.customers_read, whole.customers, whole.buyers, whole.prospects, whole.newest_day, whole.score_distribution, whole.r_cuts, whole.f_cuts, whole.m_cuts, whole.tier_places) AS measured_alike
  FROM changes.run AS changes, whole.run AS whole WHERE changes.is_current AND whole.is_current;
SET customer_tier.refresh_notices = off;
SET client_min_messages = error;    -- what the models say of these orders
CALL both_refreshed('2024-12-07');
TABLE what;

-- Nothing new but the day; then days on which orders come that were there already.
CALL both_refreshed('2024-12-08');
TABLE what;
SELECT * FROM differences();
CALL both_refreshed('2024-12-12');
TABLE what;
SELECT customer_id, last_day, orders, refunded FROM changes.ratings WHERE customer_id IN (7, 8, 507, 508) ORDER BY 1;
CALL both_refreshed('2024-12-12');      -- the same day again
TABLE what;

-- Orders of known and new customers, of the day, of before and of later; changed ones; customers who leave.
INSERT INTO orders SELECT 1 + i * 7 % 420, date '2024-12-01' + i % 20, 10 + i FROM generate_series(1, 40) AS i;
UPDATE orders SET amount = amount * 3 WHERE customer_id IN (11, 22);
UPDATE orders SET at = at - 200 WHERE customer_id = 33;
UPDATE orders SET customer_id = 45 WHERE customer_id = 44;
DELETE FROM orders WHERE customer_id IN (55, 66, 501);
CALL both_refreshed('2024-12-13');
TABLE what;
CALL both_refreshed('2024-12-20');
TABLE what;

-- Other dimensions, a window.
SELECT customer_tier.set_scorecard(p, '[{"feature": "recency"}, {"feature": "trend"}]') FROM unnest('{changes,whole}'::text[]) AS p;
CALL both_refreshed('2024-12-21');
TABLE what;
SELECT customer_tier.set_scorecard(p, '[{"feature": "recency"}, {"feature": "refund_rate"}]') FROM unnest('{changes,whole}'::text[]) AS p;
CALL both_refreshed('2024-12-22');
TABLE what;
UPDATE changes.settings SET window_days = 60;
UPDATE whole.settings SET window_days = 60;
CALL both_refreshed('2024-12-24');
TABLE what;
UPDATE changes.settings SET window_days = NULL;
UPDATE whole.settings SET window_days = NULL;
CALL both_refreshed('2024-12-25');
TABLE what;

-- A day is taken back, and evaluated again.
SELECT customer_tier.rewind_tiers(p, '2024-12-24') >= 0 AS rewound FROM unnest('{changes,whole}'::text[]) AS p;
CALL both_refreshed('2024-12-24');
TABLE what;
CALL both_refreshed('2024-12-26');
TABLE what;

SELECT customer_tier.rewind_tiers(p, '2024-12-24') >= 0 AS rewound FROM unnest('{changes,whole}'::text[]) AS p;
INSERT INTO orders VALUES (9, '2024-12-26', 9);
CALL both_refreshed('2024-12-26');
TABLE what;

-- Nearly everybody has orders to come.
INSERT INTO orders SELECT i, date '2025-01-10', 10 FROM generate_series(1, 300) AS i;
CALL both_refreshed('2024-12-27');
TABLE what;
CALL both_refreshed('2025-01-05');
TABLE what;
CALL both_refreshed('2025-01-11');
TABLE what;
CALL both_refreshed('2025-01-12');
TABLE what;

-- Ten random weeks.
CREATE PROCEDURE weeks() LANGUAGE plpgsql AS $$
DECLARE
    n int;
    said record;
BEGIN
    FOR week IN 1..10 LOOP
        FOR i IN 1..12 LOOP
            n := week * 131 + i * 37;
            CASE i % 4
                WHEN 0 THEN UPDATE orders SET amount = amount + 1 WHERE customer_id = n % 430;
                WHEN 1 THEN INSERT INTO orders VALUES (n % 430, date '2025-01-12' + week * 7 - n % 9, CASE WHEN n % 3 = 0 THEN -1.01 * n ELSE n END);
                WHEN 2 THEN DELETE FROM orders WHERE customer_id = n % 430 AND at > date '2024-12-01';
                ELSE UPDATE orders SET at = at + n % 5 WHERE customer_id = n % 430 AND at > date '2024-12-01';
            END CASE;
        END LOOP;
        CALL both_refreshed(date '2025-01-12' + week * 7);
        SELECT * INTO said FROM what;
        IF (said.keeps_numbers, said.changed_alike, said.tables_that_differ, said.measured_alike) IS DISTINCT FROM (true, true, 'none', true) THEN
            RAISE EXCEPTION 'week %: %', week, said;
        END IF;
    END LOOP;
END $$;
CALL weeks();
SELECT count(*) FILTER (WHERE keeps_numbers) AS weeks FROM changes.run WHERE as_of > '2025-01-12';
-- A rule that looks at the last days.
UPDATE changes.tier SET entry = '{"revenue": {"at_least": 100, "days": 90}}' WHERE tier_rank = 3;
UPDATE whole.tier SET entry = '{"revenue": {"at_least": 100, "days": 90}}' WHERE tier_rank = 3;
CALL both_refreshed('2025-03-30');
TABLE what;
DROP VIEW what;
SELECT customer_tier.drop_program(p) FROM unnest('{changes,whole}'::text[]) AS p;
DROP PROCEDURE both_refreshed, weeks;
DROP FUNCTION differences;
DROP TABLE orders;
