-- A refresh of the published day on frozen scales rates those only whose orders
-- changed, and comes to what rating everybody comes to.
SET DateStyle = 'ISO, YMD';
CREATE TABLE orders AS SELECT customer_id, ordered_at::date AS at, amount FROM customer_tier.demo_orders(400, 200, 7) WHERE ordered_at < '2024-12-02';
SELECT customer_tier.create_program('part', 'orders', 'customer_id', 'at', 'amount', tracking => 'triggers');
SELECT customer_tier.create_program('whole', 'orders', 'customer_id', 'at', 'amount');
SELECT customer_tier.set_scorecard(p, '[{"feature": "recency"}, {"feature": "frequency", "method": "score"}, {"feature": "revenue"}, {"feature": "p_active"}]', 'topsis', frozen_scale => true) FROM unnest('{part,whole}'::text[]) AS p;
UPDATE part.grade SET share = 1 - 0.09 * grade_rank, min_score = NULL WHERE grade_rank > 1;
UPDATE whole.grade SET share = 1 - 0.09 * grade_rank, min_score = NULL WHERE grade_rank > 1;

CREATE FUNCTION differences() RETURNS TABLE (relation text, rows bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    columns text;
BEGIN
    FOREACH relation IN ARRAY '{history,scored_rating,ratings,tier_history,tier_correction,tier_event,run_dimension}'::text[] LOOP
        SELECT string_agg(quote_ident(a.attname), ', ') INTO columns FROM pg_attribute AS a
         WHERE a.attrelid = format('part.%I', relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('correction_id', 'event_id', 'corrected_at');
        EXECUTE format('SELECT (SELECT count(*) FROM whole.%1$I), count(*) FROM ((SELECT %2$s FROM whole.%1$I EXCEPT ALL SELECT %2$s FROM part.%1$I) UNION ALL (SELECT %2$s FROM part.%1$I EXCEPT ALL SELECT %2$s FROM whole.%1$I)) AS d', relation, columns)
            INTO rows, differ;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE PROCEDURE both_refreshed(day date) LANGUAGE plpgsql AS $$
BEGIN
    CALL customer_tier.refresh('part', day);
    CALL customer_tier.refresh('whole', day, full_build => true);
END $$;
CREATE VIEW what AS
SELECT part.build, part.is_partial, part.is_repeat, part.histories_changed, part.changed > 0 AS wrote, part.changed = whole.changed AS changed_alike,
       (SELECT count(*) FROM part.changed) AS left_over, (SELECT count(*) FROM differences() AS d WHERE d.differ > 0) AS tables_that_differ,
       ROW(part.customers, part.buyers, part.prospects, part.score_distribution, part.r_cuts, part.grade_cuts) IS NOT DISTINCT FROM
       ROW(whole.customers, whole.buyers, whole.prospects, whole.score_distribution, whole.r_cuts, whole.grade_cuts) AS measured_alike
  FROM part.run AS part, whole.run AS whole WHERE part.is_current AND whole.is_current;
SET customer_tier.refresh_notices = off;
CALL both_refreshed('2024-12-20');
TABLE what;

-- orders of known and of new customers, a refund, a change of amount, day and customer, somebody leaves
INSERT INTO orders SELECT 1 + i * 7 % 420, date '2024-12-01' + i % 25, 10 + i FROM generate_series(1, 60) AS i;
INSERT INTO orders VALUES (901, '2024-12-10', -5), (902, '2024-12-30', 5), (903, '2024-12-20', 5000);
UPDATE orders SET amount = amount * 3 WHERE customer_id IN (11, 22);
UPDATE orders SET at = at - 200 WHERE customer_id = 33;
UPDATE orders SET customer_id = 45 WHERE customer_id = 44;
DELETE FROM orders WHERE customer_id IN (55, 66);
CALL both_refreshed('2024-12-20');
TABLE what;
SELECT * FROM differences();

-- and back again: what the same day had said is corrected
UPDATE orders SET amount = amount / 3 WHERE customer_id IN (11, 22);
DELETE FROM orders WHERE customer_id = 903;
CALL both_refreshed('2024-12-20');
TABLE what;
SELECT count(*) > 0 AS corrected FROM part.tier_correction;

-- nothing new; another threshold; another day; a new order as of that day; scales let go; shares of tiers
CALL both_refreshed('2024-12-20');
SELECT is_partial, is_repeat, is_frozen FROM part.run WHERE is_current;
INSERT INTO orders VALUES (5, '2024-12-19', 50);
UPDATE part.tier SET min_score = min_score + 3 WHERE tier_rank = 2;
UPDATE whole.tier SET min_score = min_score + 3 WHERE tier_rank = 2;
CALL both_refreshed('2024-12-20');
TABLE what;
INSERT INTO orders VALUES (6, '2024-12-19', 50);
CALL both_refreshed('2024-12-21');
TABLE what;
INSERT INTO orders VALUES (7, '2024-12-19', 50);
CALL both_refreshed('2024-12-21');
TABLE what;
UPDATE part.scorecard SET frozen_scale = false;
UPDATE whole.scorecard SET frozen_scale = false;
INSERT INTO orders VALUES (8, '2024-12-19', 50);
CALL both_refreshed('2024-12-21');
TABLE what;
UPDATE part.scorecard SET frozen_scale = true;
UPDATE whole.scorecard SET frozen_scale = true;
UPDATE part.tier SET entry = '{"share": 0.1}', min_score = NULL WHERE code = 'platinum';
UPDATE whole.tier SET entry = '{"share": 0.1}', min_score = NULL WHERE code = 'platinum';
CALL both_refreshed('2024-12-21');
INSERT INTO orders VALUES (9, '2024-12-19', 50);
CALL both_refreshed('2024-12-21');
TABLE what;

-- Random changes, many times on one day.
UPDATE part.tier SET entry = NULL, min_score = 90 WHERE code = 'platinum';
UPDATE whole.tier SET entry = NULL, min_score = 90 WHERE code = 'platinum';
CALL both_refreshed('2024-12-31');
CREATE TABLE outcome (n int, is_partial boolean, tables_that_differ bigint, left_over bigint, measured_alike boolean);
DO $$
BEGIN
    FOR n IN 1 .. 12 LOOP
        INSERT INTO orders SELECT 1 + (i * 7919 + n * 104729) % 450, date '2024-11-20' + (i * n) % 45, (i * 37 + n) % 300 - 20 FROM generate_series(1, 3 * n) AS i;
        DELETE FROM orders WHERE customer_id % 97 = n AND at > '2024-12-01';
        UPDATE orders SET amount = amount + n WHERE customer_id % 83 = n;
        CALL both_refreshed('2024-12-31');
        INSERT INTO outcome SELECT n, w.is_partial, w.tables_that_differ, w.left_over, w.measured_alike FROM what AS w;
    END LOOP;
END $$;
SELECT is_partial, tables_that_differ, left_over, measured_alike, count(*) FROM outcome GROUP BY 1, 2, 3, 4;
SELECT count(*) > 0 AS moved FROM part.tier_event WHERE as_of = '2024-12-31';
DROP FUNCTION differences CASCADE;
SELECT count(customer_tier.drop_program(p)) FROM unnest('{part,whole}'::text[]) AS p;
DROP TABLE orders, outcome;
DROP PROCEDURE both_refreshed;
