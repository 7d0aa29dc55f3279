-- Tiers of a program from day to day: the history that refreshes keep, reruns,
-- events, terms, shares and capacities.
\set SHOW_CONTEXT never
CREATE TABLE orders (customer_id int, day date, amount numeric);
-- Twenty customers; who bought more lately has the higher score.
INSERT INTO orders SELECT c, date '2024-01-01' + n * 5, 10 * c FROM generate_series(1, 20) c, generate_series(0, 9) n WHERE n < c;
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', purchase_model => 'none', weights => '{0,0,1}', time_zone => 'UTC');
SELECT delta, upgrade_confirm, hold_days, downgrade_confirm, grace_days, max_refund_rate, notify FROM shop.tier_policy;
CREATE FUNCTION moves() RETURNS TABLE (customer_id int, valid_from date, valid_to date, tier text, reason text, previous_tier text, is_correction boolean) LANGUAGE sql AS
$$ SELECT customer_id, valid_from, valid_to, tier, reason, previous_tier, is_correction FROM shop.tier_history WHERE reason <> 'initial' OR is_correction ORDER BY 1, 2 $$;
-- Everybody has one open row, it is that of the rating, and no two rows overlap.
CREATE VIEW wrong AS
    SELECT r.customer_id, 'not the open row' AS what FROM shop.scored_rating r LEFT JOIN shop.tier_history h ON h.customer_id = r.customer_id AND h.valid_to IS NULL
     WHERE (r.tier, r.tier_since, r.previous_tier) IS DISTINCT FROM (h.tier, h.valid_from, h.previous_tier)
    UNION ALL
    SELECT h.customer_id, 'open, but not rated' FROM shop.tier_history h LEFT JOIN shop.scored_rating r USING (customer_id) WHERE h.valid_to IS NULL AND r.customer_id IS NULL
    UNION ALL
    SELECT a.customer_id, 'overlap or gap' FROM shop.tier_history a JOIN LATERAL
        (SELECT * FROM shop.tier_history b WHERE b.customer_id = a.customer_id AND b.valid_from > a.valid_from ORDER BY b.valid_from LIMIT 1) b ON true WHERE a.valid_to IS DISTINCT FROM b.valid_from;

-- The first day places everybody at once.
CALL customer_tier.refresh('shop', '2024-02-29');
SELECT tier, tier_reason, count(*), min(score), max(score) FROM shop.ratings GROUP BY tier_rank, tier, tier_reason ORDER BY tier_rank;
SELECT count(*) FROM moves();
SELECT count(*) FROM shop.tier_event;
SELECT * FROM wrong;
-- Again: nothing happens.
CALL customer_tier.refresh('shop', '2024-02-29');
SELECT changed, upgrades, downgrades FROM shop.run ORDER BY run_id;
SELECT count(*) FROM shop.tier_correction;

-- The day is run again with other orders: what was said is corrected, and kept.
INSERT INTO orders VALUES (1, '2024-02-29', 5000);
CALL customer_tier.refresh('shop', '2024-02-29');
SELECT * FROM moves();
SELECT run_id, customer_id, valid_from, tier, reason, first_run_id FROM shop.tier_correction ORDER BY 2;
SELECT kind, customer_id, from_tier, to_tier, reason FROM shop.tier_event ORDER BY customer_id;
SELECT * FROM wrong;
DELETE FROM orders WHERE amount = 5000;
CALL customer_tier.refresh('shop', '2024-02-29');
SELECT tier, is_correction, count(*) FROM shop.tier_history GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM wrong;

-- The next days: up at once, down below the threshold less delta.
INSERT INTO orders VALUES (2, '2024-03-01', 5000), (5, '2024-03-01', 300);
CALL customer_tier.refresh('shop', '2024-03-01');
SELECT * FROM moves() WHERE valid_from > '2024-02-29';
SELECT customer_id, tier, tier_reason, score, score_to_next_tier FROM shop.ratings WHERE tier_reason NOT IN ('base', 'qualified') ORDER BY 1;
-- Run again, it moves from the state before; a correction may undo a move.
CALL customer_tier.refresh('shop', '2024-03-01');
SELECT changed FROM shop.run ORDER BY run_id DESC LIMIT 1;
DELETE FROM orders WHERE amount = 5000;
CALL customer_tier.refresh('shop', '2024-03-01');
SELECT * FROM moves() WHERE valid_from > '2024-02-29';
SELECT customer_id, tier, tier_since, tier_reason FROM shop.ratings WHERE customer_id = 2;
SELECT * FROM wrong;
-- Not backwards.
CALL customer_tier.refresh('shop', '2024-02-29');
\echo :LAST_ERROR_SQLSTATE

-- Who is failing is warned once, and falls when grace is over.
UPDATE shop.tier_policy SET grace_days = 10, coming_days = 5, notify = true;
INSERT INTO orders SELECT 6, '2024-03-02', 3000 FROM generate_series(1, 3);
INSERT INTO orders SELECT c, '2024-03-02', 4000 FROM generate_series(7, 11) c;
CALL customer_tier.refresh('shop', '2024-03-02');
SELECT customer_id, tier, tier_reason, score, score_to_stay, drops_on FROM shop.ratings WHERE drops_on IS NOT NULL ORDER BY 1;
SELECT as_of, kind, count(*) FROM shop.tier_event WHERE as_of >= '2024-03-02' GROUP BY 1, 2 ORDER BY 1, 2;
CALL customer_tier.refresh('shop', '2024-03-07');
CALL customer_tier.refresh('shop', '2024-03-08');
SELECT as_of, kind, count(*), min(due) FROM shop.tier_event WHERE as_of > '2024-03-02' GROUP BY 1, 2 ORDER BY 1, 2;
CALL customer_tier.refresh('shop', '2024-03-11');
SELECT count(*) FROM shop.tier_history WHERE valid_from = '2024-03-11';
CALL customer_tier.refresh('shop', '2024-03-12');
SELECT reason, count(*) FROM shop.tier_history WHERE valid_from = '2024-03-12' GROUP BY 1;
SELECT customer_tier.published_day('shop') AS published, previous_as_of FROM shop.run WHERE is_current;
SELECT * FROM wrong;

-- Editing changes nothing a reader sees, and rate() neither, until a refresh.
CREATE TABLE before AS SELECT * FROM shop.ratings;
UPDATE shop.tier SET min_score = 99 WHERE code = 'platinum';
UPDATE shop.tier_policy SET delta = 0;
INSERT INTO shop.tier_override (customer_id, tier, reason, valid_from) VALUES (1, 'gold', 'promised', '2024-03-20');
SELECT count(*) FROM (SELECT * FROM shop.ratings EXCEPT ALL SELECT * FROM before) d;
SELECT count(*) FROM (SELECT customer_id, tier, tier_since, tier_reason FROM shop.rate('2024-03-12', (SELECT run_id FROM shop.run WHERE is_current)) EXCEPT ALL SELECT customer_id, tier, tier_since, tier_reason FROM before) d;
DROP TABLE before;
UPDATE shop.tier SET min_score = 85 WHERE code = 'platinum';
UPDATE shop.tier_policy SET delta = 5, grace_days = 0;

-- A change that was announced applies from its day; the terms of each move are kept.
INSERT INTO shop.tier_change (valid_from, changes, note) VALUES ('2024-03-15', '{"tiers": {"silver": {"min_score": 20}}, "policy": {"upgrade_confirm": 2}}', 'spring');
CALL customer_tier.refresh('shop', '2024-03-14');
SELECT terms_id = (SELECT max(terms_id) FROM shop.tier_terms) AS newest, (SELECT count(*) FROM shop.tier_terms) AS terms FROM shop.run WHERE is_current;
CALL customer_tier.refresh('shop', '2024-03-15');
SELECT tier, tier_reason, count(*) FROM shop.ratings WHERE tier IN ('bronze', 'silver') GROUP BY 1, 2 ORDER BY 1, 2;
CALL customer_tier.refresh('shop', '2024-03-15');
SELECT changed FROM shop.run WHERE is_current;
CALL customer_tier.refresh('shop', '2024-03-16');
SELECT tier, reason, h.terms_id = t.terms_id AS newest_terms, count(*) FROM shop.tier_history h, (SELECT max(terms_id) AS terms_id FROM shop.tier_terms) t WHERE valid_from = '2024-03-16' GROUP BY 1, 2, 3 ORDER BY 1;
SELECT valid_from, terms->'tiers'->1 AS silver, terms->'policy'->'upgrade_confirm' AS confirm FROM shop.tier_terms ORDER BY terms_id;

-- An override begins on its day, protects, and ends.
CALL customer_tier.refresh('shop', '2024-03-20');
SELECT customer_id, tier, tier_since, tier_reason FROM shop.ratings WHERE customer_id = 1;
UPDATE shop.tier_override SET valid_to = '2024-03-22';
CALL customer_tier.refresh('shop', '2024-03-21');
CALL customer_tier.refresh('shop', '2024-03-22');
SELECT * FROM moves() WHERE customer_id = 1;
INSERT INTO shop.tier_override (customer_id, tier, reason, valid_from) VALUES (4711, 'gold', 'who is that', '2024-03-20');
CALL customer_tier.refresh('shop', '2024-03-22');
DELETE FROM shop.tier_override WHERE customer_id = 4711;
SELECT changed_by = session_user AS by_whom FROM shop.tier_history WHERE customer_id = 1 AND reason = 'override';

-- Shares and capacities: never more than asked, with a seat for who stands there.
DELETE FROM shop.tier_change;
UPDATE shop.tier_policy SET upgrade_confirm = 1, delta = 10;
UPDATE shop.tier SET min_score = NULL, entry = '{"capacity": 3}' WHERE code = 'platinum';
UPDATE shop.tier SET min_score = NULL, entry = '{"share": 0.29}' WHERE code = 'gold';
SELECT * FROM customer_tier.check_program('shop');
CALL customer_tier.refresh('shop', '2024-03-23');
SELECT tier, count(*), min(score), max(score) FROM shop.ratings GROUP BY tier_rank, tier ORDER BY tier_rank;
SELECT cardinality(tier_places) FROM shop.run WHERE is_current;
-- Three others are best now: who had a seat keeps it within delta, the rest is theirs.
INSERT INTO orders SELECT c, '2024-03-24', 9000 FROM generate_series(12, 15) c;
CALL customer_tier.refresh('shop', '2024-03-24');
SELECT tier, count(*), min(score), max(score) FROM shop.ratings GROUP BY tier_rank, tier ORDER BY tier_rank;
SELECT count(*) FILTER (WHERE tier_rank = 4) <= 3 AND count(*) FILTER (WHERE tier_rank >= 3) <= 5 AS never_more FROM shop.ratings;
SELECT count(*) FROM (SELECT customer_id, tier, tier_reason FROM shop.rate('2024-03-24', (SELECT run_id FROM shop.run WHERE is_current)) EXCEPT ALL SELECT customer_id, tier, tier_reason FROM shop.scored_rating) d;
SELECT tier = (SELECT tier FROM shop.scored_rating WHERE customer_id = 12) AS as_published FROM shop.rated_one(12);
SELECT customer_id, tier FROM shop.rate_one(13, '2024-03-24');
SELECT * FROM wrong;

-- A refund that undoes the order takes the tier back; too many refunds end in the base tier.
UPDATE shop.tier SET min_score = 65, entry = NULL WHERE code = 'gold';
UPDATE shop.tier SET min_score = 85, entry = NULL WHERE code = 'platinum';
UPDATE shop.tier_policy SET revoke_on_refund = true, hold_days = 100;
INSERT INTO orders VALUES (16, '2024-03-25', 5000);
CALL customer_tier.refresh('shop', '2024-03-25');
INSERT INTO orders VALUES (16, '2024-03-26', -5000), (4, '2024-03-26', -170);
CALL customer_tier.refresh('shop', '2024-03-26');
SELECT * FROM moves() WHERE customer_id IN (4, 16) AND valid_from >= '2024-03-25';
SELECT customer_id, tier, tier_reason FROM shop.ratings WHERE customer_id IN (4, 16) ORDER BY 1;

-- Rules on money in a window, and the amount that is missing.
UPDATE shop.tier SET min_score = NULL, entry = '[{"revenue": {"at_least": 10000, "days": 30}, "orders": 4}, {"score": 99}]' WHERE code = 'platinum';
CALL customer_tier.refresh('shop', '2024-03-27');
SELECT customer_id, tier, score, score_to_next_tier, amount_to_next_tier FROM shop.ratings WHERE tier_rank = 3 ORDER BY 1;
SELECT h.customer_id, customer_tier.revenue(customer_tier.within(h.history, '2024-02-27', '2024-03-27')) AS window_revenue FROM shop.history h JOIN shop.ratings r USING (customer_id) WHERE r.tier_rank = 3 ORDER BY 1;

-- A tier that is taken away, and a customer who is.
DELETE FROM shop.tier WHERE code = 'platinum';
DELETE FROM orders WHERE customer_id = 20;
CALL customer_tier.refresh('shop', '2024-03-28');
SELECT tier, reason, previous_tier, count(*) FROM shop.tier_history WHERE valid_from = '2024-03-28' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT customer_id, valid_to FROM shop.tier_history WHERE customer_id = 20 ORDER BY valid_from DESC LIMIT 1;
INSERT INTO orders VALUES (20, '2024-03-29', 10);
CALL customer_tier.refresh('shop', '2024-03-29');
SELECT valid_from, valid_to, reason FROM shop.tier_history WHERE customer_id = 20 AND valid_from >= '2024-03-28';
SELECT problem FROM customer_tier.verify('shop');
SELECT * FROM wrong WHERE customer_id <> 20;

-- A new base tier below: who falls one tier falls, whatever the number of his rank.
BEGIN;
UPDATE shop.tier SET tier_rank = tier_rank + 10;
INSERT INTO shop.tier (tier_rank, code, label, label_zh) VALUES (1, 'basic', 'Basic', '入门');
UPDATE shop.tier SET tier_rank = tier_rank - 9, min_score = (tier_rank - 10) * 30 WHERE tier_rank > 10;
UPDATE shop.tier_policy SET delta = 0, hold_days = 0;
CALL customer_tier.refresh('shop', '2024-03-30');
SELECT e.kind, m.direction, e.from_tier, e.to_tier, count(*) FROM shop.tier_event e JOIN shop.tier_moves m USING (customer_id) WHERE e.as_of = '2024-03-30' GROUP BY 1, 2, 3, 4 ORDER BY 3, 4;
SELECT upgrades, downgrades FROM shop.run WHERE is_current;
ROLLBACK;

-- What is wrong is named.
UPDATE shop.tier SET min_score = 39 WHERE code = 'gold';
UPDATE shop.tier SET stay = '{"spend": 3}' WHERE code = 'silver';
UPDATE shop.tier_policy SET tie_break = '{luck}';
SELECT * FROM customer_tier.check_program('shop');
UPDATE shop.tier SET min_score = NULL, entry = '{"revenue": {"at_least": 10, "per": 3}}' WHERE code = 'gold';
UPDATE shop.tier SET min_score = NULL, stay = NULL WHERE code = 'silver';
UPDATE shop.tier SET entry = '{"orders": 3}' WHERE code = 'bronze';
UPDATE shop.tier_policy SET tie_break = NULL;
SELECT * FROM customer_tier.check_program('shop');
-- the short form of a least score against the long one; segments, and names that are ours
UPDATE shop.tier SET entry = NULL WHERE code = 'bronze';
UPDATE shop.tier SET min_score = 40 WHERE code = 'silver';
UPDATE shop.tier SET entry = '{"score": 39}' WHERE code = 'gold';
SELECT * FROM customer_tier.check_program('shop');
UPDATE shop.tier SET entry = '[{"segment": ["champions", "loyal_customers"]}, {"segment": "%s", "score": 50}]', stay = '{"orders 30": 2, "earned_amount": 3}' WHERE code = 'gold';
SELECT * FROM customer_tier.check_program('shop');
UPDATE shop.tier SET entry = '{"segment": ["champions", "loyal"]}', stay = NULL WHERE code = 'gold';
SELECT * FROM customer_tier.check_program('shop');
BEGIN;
INSERT INTO shop.tier (tier_rank, code, label, label_zh, min_score) SELECT n, 'tier ' || n, 'x', 'x', 40 + n / 100.0 FROM generate_series(4, 1001) n;
SELECT * FROM customer_tier.check_program('shop');
ROLLBACK;
\set VERBOSITY terse
UPDATE shop.tier_policy SET grace_days = -1;
UPDATE shop.tier_policy SET downgrade_at = 'week';
INSERT INTO shop.tier_policy DEFAULT VALUES;
INSERT INTO shop.tier_override (customer_id, tier, reason, valid_from, valid_to) VALUES (1, 'gold', 'backwards', '2024-05-01', '2024-04-30');
INSERT INTO shop.tier_override (customer_id, tier, reason, valid_from) VALUES (1, 'gold', 'never', 'infinity');
INSERT INTO shop.tier_override (customer_id, tier, reason, valid_from) VALUES (1, 'diamond', 'unknown', '2024-05-01');
INSERT INTO shop.tier_history (customer_id, valid_from, tier, tier_rank, reason, changed_by) VALUES (1, '2024-05-01', 'gold', 3, 'second open row', 'me');
\set VERBOSITY default
INSERT INTO shop.tier_change (valid_from, changes) VALUES ('2024-01-01', '{"tiers": {"diamond": {"min_score": 99}}}');
SELECT * FROM customer_tier.check_program('shop');
-- a later change does not help the days before it
BEGIN;
UPDATE shop.tier SET entry = NULL, min_score = 65, stay = NULL WHERE code = 'gold';
DELETE FROM shop.tier_change;
SELECT * FROM customer_tier.check_program('shop');
INSERT INTO shop.tier_change (valid_from, changes) VALUES ('2025-01-01', '{"tiers": {"gold": {"min_score": 30}}}'), ('2025-02-01', '{"tiers": {"gold": {"min_score": 70}}}');
SELECT * FROM customer_tier.check_program('shop');
DELETE FROM shop.tier_change WHERE valid_from = '2025-01-01';
UPDATE shop.tier SET min_score = 30 WHERE code = 'gold';
SELECT problem FROM customer_tier.check_program('shop');
ROLLBACK;
UPDATE shop.tier_change SET changes = '{"policy": {"coming_days": -4, "near_score": 700}, "tiers": {"diamond": {"tier_rank": 4, "entry": {"orders": 3}, "colour": "shiny"}}}';
SELECT * FROM customer_tier.check_program('shop');
UPDATE shop.tier_change SET changes = '{"policy": {"coming_days": "soon"}, "tiers": {"diamond": {"tier_rank": "high", "entry": {"orders": 3}}}}';
SELECT * FROM customer_tier.check_program('shop');
DELETE FROM shop.tier_policy;
DELETE FROM shop.tier_change;
SELECT * FROM customer_tier.check_program('shop');
CALL customer_tier.refresh('shop', '2024-04-01');
SELECT count(DISTINCT as_of), max(as_of) FROM shop.ratings;
DROP VIEW wrong;
SELECT customer_tier.drop_program('shop');
DROP FUNCTION moves;
DROP TABLE orders;
