-- Shops of odd shapes: it has to make sense for each of them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE orders (shop text, customer_id int, day date, amount numeric);
CREATE FUNCTION rate_shop(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE VIEW %I AS SELECT * FROM orders WHERE shop = %L', 'orders_of_' || what, what);
    PERFORM customer_tier.create_program(what, ('orders_of_' || what)::regclass, 'customer_id', 'day', 'amount');
    CALL customer_tier.refresh(what, '2024-12-31');
END $$;
CREATE FUNCTION shares(what text) RETURNS TABLE (r text, f text, m text, tiers text, segments text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$
        SELECT (SELECT string_agg(r_score || ':' || n, ' ' ORDER BY r_score) FROM (SELECT r_score, count(*) AS n FROM %1$I.ratings GROUP BY 1) x),
               (SELECT string_agg(f_score || ':' || n, ' ' ORDER BY f_score) FROM (SELECT f_score, count(*) AS n FROM %1$I.ratings GROUP BY 1) x),
               (SELECT string_agg(m_score || ':' || n, ' ' ORDER BY m_score) FROM (SELECT m_score, count(*) AS n FROM %1$I.ratings GROUP BY 1) x),
               (SELECT string_agg(tier_label || ':' || n, ' ' ORDER BY tier_rank DESC) FROM (SELECT tier_label, tier_rank, count(*) AS n FROM %1$I.ratings GROUP BY 1, 2) x),
               (SELECT string_agg(segment || ':' || n, ' ' ORDER BY n DESC, segment) FROM (SELECT segment, count(*) AS n FROM %1$I.ratings GROUP BY 1) x)$q$, what);
END $$;
\x on
-- 20 customers, all different.
INSERT INTO orders SELECT 'twenty', c, date '2024-12-31' - (c * 7 % 20) * 11 - n * 13, 5 + c * 13 % 20 FROM generate_series(1, 20) c, generate_series(0, c * 3 % 20) n;
SELECT rate_shop('twenty');
SELECT * FROM shares('twenty');
-- 90 % bought once.
INSERT INTO orders SELECT 'once', c, date '2024-12-31' - c * 37 % 365 - n * 9, 10 + c * 31 % 97 FROM generate_series(1, 1000) c, generate_series(1, CASE WHEN c % 10 = 0 THEN 1 + c % 7 + (c / 10) % 3 ELSE 1 END) n;
SELECT rate_shop('once');
SELECT * FROM shares('once');
-- 40 % bought on the newest day.
INSERT INTO orders SELECT 'newest', c, CASE WHEN c % 5 < 2 THEN date '2024-12-31' ELSE date '2024-12-31' - c * 37 % 365 END - (n - 1) * 20, 10 + c * 31 % 97 FROM generate_series(1, 1000) c, generate_series(1, 1 + c * 7 % 6) n;
SELECT rate_shop('newest');
SELECT * FROM shares('newest');
SELECT min(r_score) FROM newest.ratings WHERE recency_days = 0;
-- 90 % bought last on the oldest day: none of them is a champion or recent.
INSERT INTO orders SELECT 'oldest', c, CASE WHEN c % 10 > 0 THEN date '2023-01-01' ELSE date '2024-12-31' - c % 300 END, 10 + c * 31 % 97 FROM generate_series(1, 1000) c, generate_series(1, 1 + c * 7 % 6) n;
SELECT rate_shop('oldest');
SELECT * FROM shares('oldest');
SELECT max(r_score) AS of_the_oldest FROM oldest.ratings WHERE last_day = '2023-01-01';
-- Everyone is the same.
INSERT INTO orders SELECT 'same', c, '2024-06-30', 10 FROM generate_series(1, 100) c;
SELECT rate_shop('same');
SELECT * FROM shares('same');
-- One customer, and none.
INSERT INTO orders VALUES ('one', 1, '2024-12-01', 10);
SELECT rate_shop('one');
SELECT * FROM shares('one');
SELECT rate_shop('none');
SELECT * FROM shares('none');
SELECT status, rows_read, customers, buyers, newest_day, r_cuts, compare FROM none.run;
CALL customer_tier.refresh('none');
UPDATE none.settings SET segment_map = 'cn8';
SELECT customer_tier.rewind_tiers('none', '2024-12-31') AS none_to_take_back;
CALL customer_tier.refresh('none', '2024-12-31');
SELECT status FROM none.run ORDER BY run_id;
SELECT "check", rows, share, examples, action FROM customer_tier.audit('none') WHERE "check" <> 'day is in the future';
-- Refunds only.
INSERT INTO orders SELECT 'refunds', c, '2024-06-30', -10 FROM generate_series(1, 3) c;
SELECT rate_shop('refunds');
SELECT * FROM shares('refunds');
-- Every preset and every map on one shop.
SELECT preset, (SELECT string_agg(label || '/' || label_zh || coalesce(' ' || min_score, ''), ', ' ORDER BY tier_rank DESC) FROM customer_tier.tier_preset p WHERE p.preset = d.preset) AS tiers
  FROM (SELECT DISTINCT preset FROM customer_tier.tier_preset) d ORDER BY 1;
SELECT customer_tier.create_program('map_' || map, 'orders_of_newest', 'customer_id', 'day', 'amount', segment_map => map,
                                    preset => CASE WHEN map < 'd' THEN 'vip' ELSE 'value' END)
  FROM (SELECT DISTINCT map FROM customer_tier.segment_map ORDER BY map) m;
CALL customer_tier.refresh('map_cn8', '2024-12-31');
SELECT * FROM shares('map_cn8');
CALL customer_tier.refresh('map_cube125', '2024-12-31');
SELECT * FROM shares('map_cube125');
CALL customer_tier.refresh('map_grid25', '2024-12-31');
SELECT * FROM shares('map_grid25');
CALL customer_tier.refresh('map_klaviyo27', '2024-12-31');
SELECT * FROM shares('map_klaviyo27');
CALL customer_tier.refresh('map_putler', '2024-12-31');
SELECT * FROM shares('map_putler');
-- A map of one's own with twelve scores: the cell needs its separators.
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to)
VALUES ('twelve', 1, 'recent', 'Recent', '近期客户', 12, 7, 12), ('twelve', 2, 'inactive', 'Inactive', NULL, 12, 1, 6);
SELECT customer_tier.create_program('twelve', 'orders_of_newest', 'customer_id', 'day', 'amount', segment_map => 'twelve');
CALL customer_tier.refresh('twelve', '2024-12-31');
SELECT max(r_score), max(f_score), max(m_score), max(rfm_cell COLLATE "C"), min(segment_label_zh COLLATE "C") FROM twelve.ratings;
\x off
DELETE FROM customer_tier.segment_map WHERE map = 'twelve';
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program;
DROP FUNCTION rate_shop, shares;
DROP TABLE orders CASCADE;
