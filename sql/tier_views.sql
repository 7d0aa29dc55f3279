-- The views about tiers and their functions for other days, against what plain
-- SQL says of the history and the orders.
\set SHOW_CONTEXT never
\pset null NULL
SET client_min_messages = warning;
SET DateStyle = 'ISO, YMD';
CREATE EXTENSION IF NOT EXISTS citext;
CREATE SCHEMA "My Orders";
CREATE TABLE "My Orders".o (c citext, d date, a numeric);
INSERT INTO "My Orders".o SELECT 'C' || i % 40, date '2024-01-01' + (i * 37) % 180, (i * 7919) % 100 + 1 FROM generate_series(1, 400) i;
INSERT INTO "My Orders".o SELECT 'Late' || i, date '2024-05-10', 10 * i FROM generate_series(1, 5) i;
INSERT INTO "My Orders".o VALUES ('Returns', '2024-02-01', 100), ('Returns', '2024-05-02', -95);
CREATE TABLE "My Orders".customers (c citext);
INSERT INTO "My Orders".customers VALUES ('nobody'), ('c1');
SELECT customer_tier.create_program('It''s', '"My Orders".o', 'c', 'd', 'a', schema => 'My "100 %s" Shop', customers => '"My Orders".customers', customers_key => 'c', purchase_model => 'none');
UPDATE "My ""100 %s"" Shop".tier SET code = 'gold''s "own"', label = 'Gold %s', label_zh = '黄金' WHERE code = 'gold';
UPDATE "My ""100 %s"" Shop".tier_policy SET grace_days = 45;

-- Before the first refresh: the tiers, and nobody in them.
SELECT tier_rank, tier, tier_label, members, share, revenue, revenue_share, average_score, clv, members_before, change FROM "My ""100 %s"" Shop".tiers ORDER BY tier_rank DESC;
SELECT (SELECT count(*) FROM "My ""100 %s"" Shop".tier_migration) AS migration, (SELECT count(*) FROM "My ""100 %s"" Shop".tier_moves) AS moves,
    (SELECT count(*) FROM "My ""100 %s"" Shop".at_risk_of_downgrade) AS at_risk, (SELECT count(*) FROM "My ""100 %s"" Shop".near_upgrade) AS near;

CALL customer_tier.refresh('It''s', '2024-03-31');
CALL customer_tier.refresh('It''s', '2024-04-30');
DELETE FROM "My Orders".o WHERE c = 'c7';
CALL customer_tier.refresh('It''s', '2024-05-31');
SELECT tier_rank, tier, tier_label, tier_label_zh, colour, members, share, revenue, revenue_share, average_score, clv, average_clv, members_before, change FROM "My ""100 %s"" Shop".tiers ORDER BY tier_rank DESC;

-- Where everybody stood, and the orders, in plain SQL.
CREATE FUNCTION pg_temp.stood(day date) RETURNS TABLE (c citext, tier text, tier_rank int) LANGUAGE sql STABLE AS $$
    SELECT customer_id, tier, tier_rank FROM "My ""100 %s"" Shop".tier_history WHERE valid_from <= day AND coalesce(valid_to, 'infinity') > day
$$;
CREATE FUNCTION pg_temp.spent(c citext, day date) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(o.a), 0) FROM "My Orders".o AS o WHERE o.c = $1 AND o.d <= day
$$;
-- No rows expected until "What people see".
SELECT tier, tier_rank, members, share, revenue, revenue_share FROM "My ""100 %s"" Shop".tiers
EXCEPT ALL
SELECT t.code, t.tier_rank, count(s.c), round(count(s.c) / sum(count(s.c)) OVER (), 4), coalesce(sum(pg_temp.spent(s.c, '2024-05-31')), 0),
       round(coalesce(sum(pg_temp.spent(s.c, '2024-05-31')), 0) / sum(sum(pg_temp.spent(s.c, '2024-05-31'))) OVER (), 4)
  FROM "My ""100 %s"" Shop".tier t LEFT JOIN pg_temp.stood('2024-05-31') s ON s.tier = t.code GROUP BY t.code, t.tier_rank;
SELECT t.day, f.tier, f.tier_rank, f.members, f.share, f.revenue, f.revenue_share
  FROM (VALUES (date '2024-03-30'), ('2024-03-31'), ('2024-04-15'), ('2024-04-30'), ('2024-05-30'), ('2024-05-31'), ('2025-01-01')) AS t (day), "My ""100 %s"" Shop".tiers(t.day) AS f
EXCEPT ALL
SELECT d.day, t.code, t.tier_rank, count(s.c), round(count(s.c) / nullif(sum(count(s.c)) OVER (PARTITION BY d.day), 0), 4), coalesce(sum(pg_temp.spent(s.c, d.day)), 0),
       round(coalesce(sum(pg_temp.spent(s.c, d.day)), 0) / nullif(sum(sum(pg_temp.spent(s.c, d.day))) OVER (PARTITION BY d.day), 0), 4)
  FROM (VALUES (date '2024-03-30'), ('2024-03-31'), ('2024-04-15'), ('2024-04-30'), ('2024-05-30'), ('2024-05-31'), ('2025-01-01')) AS d (day)
 CROSS JOIN "My ""100 %s"" Shop".tier t LEFT JOIN LATERAL pg_temp.stood(d.day) s ON s.tier = t.code GROUP BY d.day, t.code, t.tier_rank;
SELECT tier, members_before, change FROM "My ""100 %s"" Shop".tiers
EXCEPT ALL
SELECT t.code, (SELECT count(*) FROM pg_temp.stood('2024-04-30') s WHERE s.tier = t.code),
       (SELECT count(*) FROM pg_temp.stood('2024-05-31') s WHERE s.tier = t.code) - (SELECT count(*) FROM pg_temp.stood('2024-04-30') s WHERE s.tier = t.code)
  FROM "My ""100 %s"" Shop".tier t;
CREATE TEMP VIEW day_pairs AS SELECT * FROM (VALUES (date '2024-04-30', date '2024-05-31'), ('2024-03-31', '2024-05-31'), ('2024-05-31', '2024-03-31'), ('2024-01-01', '2024-04-30'), ('2024-04-30', '2024-04-30'), ('2024-01-01', '2024-01-02')) AS d (x, y);
CREATE TEMP VIEW plain_migration AS
SELECT d.x, d.y, f.tier AS from_tier, f.tier_rank AS from_rank, t.tier AS to_tier, t.tier_rank AS to_rank,
       CASE WHEN f.c IS NULL THEN 'entry' WHEN t.c IS NULL THEN 'exit' WHEN t.tier_rank > f.tier_rank THEN 'up' WHEN t.tier_rank < f.tier_rank THEN 'down' ELSE 'same' END AS direction,
       count(*) AS customers,
       CASE WHEN f.tier IS NOT NULL THEN round(count(*)::numeric / (SELECT count(*) FROM pg_temp.stood(d.x) s WHERE s.tier = f.tier), 4) END AS share_of_from,
       sum(pg_temp.spent(coalesce(f.c, t.c), d.y)) AS revenue
  FROM day_pairs d, LATERAL (SELECT f.c, f.tier, f.tier_rank, t.c, t.tier, t.tier_rank FROM pg_temp.stood(d.x) f FULL JOIN pg_temp.stood(d.y) t ON t.c = f.c) AS m (fc, ft, fr, tc, tt, tr),
       LATERAL (SELECT m.fc AS c, m.ft AS tier, m.fr AS tier_rank) f, LATERAL (SELECT m.tc AS c, m.tt AS tier, m.tr AS tier_rank) t
 GROUP BY d.x, d.y, f.tier, f.tier_rank, f.c IS NULL, t.tier, t.tier_rank, t.c IS NULL, direction;
SELECT d.x, d.y, m.* FROM day_pairs d, "My ""100 %s"" Shop".tier_migration(d.x, d.y) m
EXCEPT ALL
SELECT * FROM plain_migration;
SELECT * FROM plain_migration
EXCEPT ALL
SELECT d.x, d.y, m.* FROM day_pairs d, "My ""100 %s"" Shop".tier_migration(d.x, d.y) m;
TABLE "My ""100 %s"" Shop".tier_migration EXCEPT ALL SELECT * FROM "My ""100 %s"" Shop".tier_migration('2024-04-30', '2024-05-31');
SELECT * FROM "My ""100 %s"" Shop".tier_migration('2024-04-30', '2024-05-31') EXCEPT ALL TABLE "My ""100 %s"" Shop".tier_migration;
SELECT customer_id, day, previous_tier, tier, direction, score FROM "My ""100 %s"" Shop".tier_moves('2024-01-01', '2024-12-31')
EXCEPT ALL
SELECT h.customer_id, h.valid_from, b.tier, h.tier, CASE WHEN b.tier IS NULL THEN 'entry' WHEN h.tier_rank > b.tier_rank THEN 'up' ELSE 'down' END, h.score
  FROM "My ""100 %s"" Shop".tier_history h LEFT JOIN "My ""100 %s"" Shop".tier_history b ON b.customer_id = h.customer_id AND b.valid_to = h.valid_from;
TABLE "My ""100 %s"" Shop".tier_moves EXCEPT ALL SELECT * FROM "My ""100 %s"" Shop".tier_moves('2024-05-30', '2024-05-31');
SELECT * FROM "My ""100 %s"" Shop".tier_moves('2024-05-30', '2024-05-31') EXCEPT ALL TABLE "My ""100 %s"" Shop".tier_moves;
SELECT customer_id, drops_on FROM "My ""100 %s"" Shop".at_risk_of_downgrade EXCEPT ALL SELECT customer_id, drops_on FROM "My ""100 %s"" Shop".ratings WHERE drops_on IS NOT NULL;

-- What people see.
TABLE "My ""100 %s"" Shop".tier_migration ORDER BY from_rank, to_rank;
SELECT * FROM "My ""100 %s"" Shop".tier_migration('2024-01-01', '2024-03-31') ORDER BY to_rank;
SELECT customer_id, day, previous_tier, tier, direction, reason, reason_label, reason_label_zh, score, changed_by, is_correction
  FROM "My ""100 %s"" Shop".tier_moves ORDER BY customer_id LIMIT 8;
SELECT day, direction, reason, count(*) FROM "My ""100 %s"" Shop".tier_moves('2024-01-01', '2024-12-31') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT count(*) FROM "My ""100 %s"" Shop".tier_moves('2024-03-31', '2024-04-29');
SELECT customer_id, tier, tier_label, tier_label_zh, tier_since, tier_reason, reason_label, reason_label_zh, failing_since, failing_runs, drops_on, days_left, score, score_to_stay, amount_to_stay, revenue, clv
  FROM "My ""100 %s"" Shop".at_risk_of_downgrade ORDER BY drops_on, customer_id LIMIT 5;
SELECT count(*), min(days_left), max(days_left) FROM "My ""100 %s"" Shop".at_risk_of_downgrade;
SELECT count(*), max(drops_on) FROM "My ""100 %s"" Shop".at_risk_of_downgrade('2024-06-14');
SELECT count(*) FROM "My ""100 %s"" Shop".at_risk_of_downgrade('2024-06-13');

-- Within reach: every kind that is missing has to be near enough.
SELECT customer_id, tier, next_tier, next_tier_label, next_tier_label_zh, score, score_to_next_tier, amount_to_next_tier, is_waiting FROM "My ""100 %s"" Shop".near_upgrade ORDER BY customer_id;
UPDATE "My ""100 %s"" Shop".tier_policy SET near_score = 12;
SELECT customer_id, tier, next_tier, score, score_to_next_tier FROM "My ""100 %s"" Shop".near_upgrade ORDER BY customer_id;
TABLE "My ""100 %s"" Shop".near_upgrade EXCEPT ALL SELECT * FROM "My ""100 %s"" Shop".near_upgrade(12, NULL);
SELECT count(*) AS any_distance FROM "My ""100 %s"" Shop".near_upgrade(NULL, NULL);
SELECT count(*) FROM "My ""100 %s"" Shop".ratings WHERE score_to_next_tier IS NOT NULL AND tier_reason <> 'refunded';
BEGIN;
UPDATE "My ""100 %s"" Shop".rating SET amount_to_next_tier = NULL, tier = 'bronze', tier_rank = 1, tier_reason = 'base';
UPDATE "My ""100 %s"" Shop".rating SET amount_to_next_tier = 80 WHERE customer_id IN ('c2', 'c3', 'c4');
UPDATE "My ""100 %s"" Shop".rating SET amount_to_next_tier = 200 WHERE customer_id = 'c5';
UPDATE "My ""100 %s"" Shop".rating SET tier_reason = 'waiting' WHERE customer_id = 'c6';
UPDATE "My ""100 %s"" Shop".rating SET tier_reason = 'refunded' WHERE customer_id = 'c8';
UPDATE "My ""100 %s"" Shop".rating_score SET score_to_next_tier =
    ARRAY(SELECT coalesce((SELECT points * 10000 FROM "My ""100 %s"" Shop".rating JOIN (VALUES ('C1', 3), ('C3', 3), ('C4', 30), ('C5', 3), ('C6', 0), ('C8', 0)) AS set (name, points) ON upper(CAST(customer_id AS text)) = name
                            WHERE place = rating_score.block * 128 + i), -1)
            FROM generate_series(0, 127) AS i);
SELECT customer_id, score_to_next_tier, amount_to_next_tier, is_waiting FROM "My ""100 %s"" Shop".near_upgrade ORDER BY customer_id;
UPDATE "My ""100 %s"" Shop".tier_policy SET near_amount = 100;
SELECT customer_id, score_to_next_tier, amount_to_next_tier, is_waiting FROM "My ""100 %s"" Shop".near_upgrade ORDER BY customer_id;
SELECT customer_id FROM "My ""100 %s"" Shop".near_upgrade(3, 79.99) ORDER BY customer_id;
ROLLBACK;

-- Edits show their labels at once, and move nobody until the next refresh.
CREATE TABLE tiers_before AS SELECT tier_rank, tier, members, revenue FROM "My ""100 %s"" Shop".tiers;
UPDATE "My ""100 %s"" Shop".tier SET tier_rank = tier_rank + 10;
UPDATE "My ""100 %s"" Shop".tier SET tier_rank = 14 - tier_rank + 1;
UPDATE "My ""100 %s"" Shop".tier SET label = 'Base' WHERE code = 'bronze';
INSERT INTO "My ""100 %s"" Shop".tier (tier_rank, code, label, label_zh, min_score) VALUES (9, 'new', 'New', '新', 99);
TABLE tiers_before EXCEPT ALL SELECT tier_rank, tier, members, revenue FROM "My ""100 %s"" Shop".tiers;
SELECT tier_rank, tier, tier_label FROM "My ""100 %s"" Shop".tiers ORDER BY 1;
UPDATE "My ""100 %s"" Shop".tier SET tier_rank = tier_rank + 20;
DELETE FROM "My ""100 %s"" Shop".tier WHERE code IN ('new', 'gold''s "own"');
UPDATE "My ""100 %s"" Shop".tier SET tier_rank = CASE code WHEN 'bronze' THEN 1 WHEN 'silver' THEN 2 ELSE 3 END;
SELECT tier_rank, tier, tier_label, members > 0 AS has_members FROM "My ""100 %s"" Shop".tiers ORDER BY 1;
-- A tier that is no more has its last rank, and its code for a label.
CALL customer_tier.refresh('It''s', '2024-06-01');
SELECT tier_rank, tier, tier_label, tier_label_zh, colour, members, members_before > 0 AS had_members FROM "My ""100 %s"" Shop".tiers WHERE tier LIKE 'gold%';
SELECT tier_rank, tier, tier_label, tier_label_zh, members > 0 AS had_members FROM "My ""100 %s"" Shop".tiers('2024-05-31') ORDER BY 1, 2;
SELECT tier FROM "My ""100 %s"" Shop".tiers('2024-06-01') ORDER BY 1;
SELECT direction, reason, count(*) > 0 AS some FROM "My ""100 %s"" Shop".tier_moves WHERE previous_tier LIKE 'gold%' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM customer_tier.verify('It''s');

-- The views need nothing but SELECT on them, and nothing of the extension.
CREATE ROLE regress_tier_views_reader;
GRANT USAGE ON SCHEMA "My ""100 %s"" Shop" TO regress_tier_views_reader;
GRANT SELECT ON "My ""100 %s"" Shop".tiers, "My ""100 %s"" Shop".tier_migration, "My ""100 %s"" Shop".tier_moves, "My ""100 %s"" Shop".at_risk_of_downgrade, "My ""100 %s"" Shop".near_upgrade TO regress_tier_views_reader;
SET ROLE regress_tier_views_reader;
SELECT count(*) > 0 AS tiers FROM "My ""100 %s"" Shop".tiers;
SELECT count(*) > 0 AS migration FROM "My ""100 %s"" Shop".tier_migration;
SELECT count(*) > 0 AS moves FROM "My ""100 %s"" Shop".tier_moves;
SELECT count(*) > 0 AS near FROM "My ""100 %s"" Shop".near_upgrade;
SELECT count(*) = (SELECT count(*) FROM "My ""100 %s"" Shop".at_risk_of_downgrade) AS at_risk FROM "My ""100 %s"" Shop".at_risk_of_downgrade('infinity');
SELECT count(*) FROM "My ""100 %s"" Shop".tiers('2024-04-30');
SELECT count(*) FROM "My ""100 %s"" Shop".tier_history;
RESET ROLE;
SELECT c.relname, count(*) FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid JOIN pg_class c ON c.oid = r.ev_class
  JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND p.pronamespace = 'customer_tier'::regnamespace
 WHERE c.relnamespace = '"My ""100 %s"" Shop"'::regnamespace GROUP BY 1;
-- Every column has a comment, and every reason a label.
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace = '"My ""100 %s"" Shop"'::regnamespace AND c.relname IN (SELECT view_name FROM customer_tier.tier_view_columns())
   AND col_description(c.oid, a.attnum) IS NULL;
SELECT count(*) AS columns_without_a_view FROM customer_tier.tier_view_columns() c
 WHERE NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid WHERE r.relnamespace = '"My ""100 %s"" Shop"'::regnamespace AND r.relname = c.view_name AND a.attname = c.column_name);
SELECT DISTINCT tier_reason FROM "My ""100 %s"" Shop".ratings WHERE tier_reason NOT IN (SELECT reason FROM customer_tier.tier_reasons());
SELECT reason, count(*) FROM customer_tier.tier_reasons() GROUP BY 1 HAVING count(*) > 1 OR min(label) = '' OR min(label_zh) = '';

SELECT customer_tier.drop_program('It''s');
DROP TABLE tiers_before;
DROP VIEW plain_migration, day_pairs;
DROP FUNCTION pg_temp.stood, pg_temp.spent;
DROP SCHEMA "My Orders" CASCADE;
DROP ROLE regress_tier_views_reader;
DROP EXTENSION citext;
