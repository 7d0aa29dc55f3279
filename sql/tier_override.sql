-- A person decides: overrides; what the history answers, how it is checked and
-- taken back; events handed out.
\set SHOW_CONTEXT never
\pset null NULL
SET client_min_messages = warning;
SET DateStyle = 'ISO, YMD';
CREATE TABLE tier_orders (c int, d date, a numeric);
INSERT INTO tier_orders SELECT i % 20, date '2024-01-01' + (i * 37) % 180, (i * 7919) % 100 + 1 FROM generate_series(1, 200) i;
CREATE TABLE tier_customers (id bigint);
INSERT INTO tier_customers VALUES (777);
SELECT customer_tier.create_program('p', 'tier_orders', 'c', 'd', 'a', purchase_model => 'none');
UPDATE p.tier SET code = 'pl''at "x"' WHERE code = 'platinum';

-- ---------- setting ----------
-- nothing is published: the day has to be given, and the customer is not known
SELECT customer_tier.set_override('p', 1, 'gold', 'asked for it');
SELECT customer_tier.set_override('p', 1, 'gold', 'asked for it', '2024-04-01');
CALL customer_tier.refresh('p', '2024-03-31');
SELECT customer_id, tier, tier_reason FROM p.ratings WHERE customer_id IN (0, 1, 2, 3) ORDER BY 1;
SELECT customer_tier.set_override('p', 1, 'pl''at "x"', 'asked for it') AS by_number, customer_tier.set_override('p', '2', 'gold', 'a bid to keep her', '2024-04-10', '2024-06-01') AS by_text,
    customer_tier.set_override('p', customer => 3, tier => 'bronze', reason => 'fraud case 17', lock => true) AS locked;
SELECT override_id, customer_id, tier, reason, lock, valid_from, valid_to, set_by = session_user AS by_me, ended_by FROM p.tier_override ORDER BY 1;
-- what is refused
SELECT customer_tier.set_override('nowhere', 1, 'gold', 'x');
SELECT customer_tier.set_override('p', 999, 'gold', 'x');
SELECT customer_tier.set_override('p', 'abc', 'gold', 'x');
SELECT customer_tier.set_override('p', NULL::text, 'gold', 'x');
SELECT customer_tier.set_override('p', 1, 'diamond', 'x');
SELECT customer_tier.set_override('p', 1, NULL, 'x');
SELECT customer_tier.set_override('p', 1, 'gold', NULL);
SELECT customer_tier.set_override('p', 1, 'gold', E' \t');
SELECT customer_tier.set_override('p', 1, 'bronze', 'x');
SELECT customer_tier.set_override('p', 1, 'gold', 'x', '2024-03-31');
SELECT customer_tier.set_override('p', 1, 'gold', 'x', '-infinity');
SELECT customer_tier.set_override('p', 1, 'gold', 'x', 'infinity');
SELECT customer_tier.set_override('p', 1, 'gold', 'x', '2024-05-01', '2024-05-01');
SELECT customer_tier.set_override('p', 1, 'gold', 'x', '2024-05-01', '-infinity');
SELECT customer_tier.set_override('p', 1, 'gold', 'x', '2024-05-01', NULL);
SELECT customer_tier.set_override('p', 1, 'gold', 'x', lock => NULL);
SELECT count(*) FROM p.tier_override;
-- a customer of the master alone is known; one that is nowhere any more shows
UPDATE p.settings SET customers_schema = 'public', customers_name = 'tier_customers', customers_key = 'id';
SELECT customer_tier.set_override('p', 777, 'silver', 'prospect of the board') AS override;
SELECT * FROM customer_tier.override_problems('p');
INSERT INTO p.tier_override (customer_id, tier, reason, valid_from, valid_to) VALUES (4711, 'gold', 'by hand', '2024-04-01', 'infinity'), (4712, 'gold', 'over', '2024-01-01', '2024-03-31');
SELECT * FROM customer_tier.override_problems('p');
DELETE FROM p.tier_override WHERE customer_id IN (777, 4711, 4712);
UPDATE p.settings SET customers_schema = NULL, customers_name = NULL, customers_key = NULL;

-- ---------- and what becomes of it ----------
CALL customer_tier.refresh('p', '2024-04-09');
SELECT customer_id, tier, tier_reason FROM p.ratings WHERE customer_id IN (1, 2, 3) ORDER BY 1;
CALL customer_tier.refresh('p', '2024-04-10');
SELECT customer_id, tier, tier_reason FROM p.ratings WHERE customer_id IN (1, 2, 3) ORDER BY 1;
SELECT customer_id, day, previous_tier, tier, direction, reason_label, changed_by = session_user AS by_me FROM p.tier_moves('2024-03-31', '2024-04-10') WHERE customer_id IN (1, 2, 3) ORDER BY 1;

-- ---------- ending ----------
SELECT customer_tier.end_override('p', 1, NULL);
SELECT customer_tier.end_override('p', 1, 'x', '2024-04-10');
SELECT customer_tier.end_override('p', 1, 'x', 'infinity');
SELECT customer_tier.end_override('p', 5, 'never had one');
SELECT customer_tier.end_override('p', 2, 'too late', '2024-06-01');
SELECT customer_tier.end_override('p', 1, 'contract over') AS ended;
-- one that runs, and one that has not begun: that one never will
SELECT customer_tier.set_override('p', '2', 'silver', 'later on', '2024-05-20') AS override;
SELECT customer_tier.end_override('p', '2', 'she moved abroad', '2024-05-01') AS ended;
SELECT customer_tier.end_override('p', '2', 'again', '2024-05-01');
SELECT customer_id, tier, valid_from, valid_to, planned_to, ended_by = session_user AS by_me, ended_at = now() AS now, ended_at IS NOT NULL AS ended, ended_reason FROM p.tier_override ORDER BY override_id;
CALL customer_tier.refresh('p', '2024-04-11');
CALL customer_tier.refresh('p', '2024-05-01');
CALL customer_tier.refresh('p', '2024-05-31');
SELECT customer_id, tier, tier_reason <> 'override' AS by_rules FROM p.ratings WHERE customer_id IN (1, 2, 3) ORDER BY 1;

-- rights: who may not write the table may not decide
CREATE ROLE regress_tier_clerk;
GRANT USAGE ON SCHEMA p TO regress_tier_clerk;
GRANT SELECT ON ALL TABLES IN SCHEMA p TO regress_tier_clerk;
SET ROLE regress_tier_clerk;
SELECT customer_tier.set_override('p', 6, 'gold', 'x');
SELECT customer_tier.end_override('p', 3, 'x');
SELECT customer_tier.tier_on('p', 3, '2024-05-31');
SELECT count(*) FROM customer_tier.verify('p');
SELECT customer_tier.rewind_tiers('p', '2024-04-10');
SELECT count(*) FROM customer_tier.acknowledge_events('p', 'clerk');
RESET ROLE;
GRANT INSERT, UPDATE ON p.tier_override TO regress_tier_clerk;
SET ROLE regress_tier_clerk;
SELECT customer_tier.set_override('p', 6, 'gold', 'x') > 0 AS set, customer_tier.end_override('p', 6, 'y') AS ended;
RESET ROLE;

-- ---------- where somebody stood ----------
SELECT d, customer_tier.tier_on('p', 2, d), customer_tier.tier_on('p', '2', d) = h.tier AS as_in_history
  FROM unnest('{2024-03-30,2024-03-31,2024-04-09,2024-04-10,2024-04-30,2024-05-01,2030-01-01}'::date[]) d
  LEFT JOIN p.tier_history h ON h.customer_id = 2 AND h.valid_from <= d AND coalesce(h.valid_to, 'infinity') > d ORDER BY d;
-- no rows: every customer on every day
SELECT c, d::date FROM generate_series(0, 21) c, generate_series('2024-03-25', '2024-06-05', interval '1 day') d
 WHERE customer_tier.tier_on('p', c, d::date) IS DISTINCT FROM (SELECT tier FROM p.tier_history h WHERE h.customer_id = c AND h.valid_from <= d AND coalesce(h.valid_to, 'infinity') > d);
SELECT customer_tier.tier_on('nowhere', 2, '2024-04-01');
SELECT customer_tier.tier_on('p', 2, NULL);
SELECT customer_tier.tier_on('p', 2, 'infinity');
SELECT customer_tier.tier_on('p', 'two', '2024-04-01');
SELECT customer_tier.tier_on('p', NULL::int, '2024-04-01');

-- ---------- verify ----------
SELECT * FROM customer_tier.verify('p');
SELECT * FROM customer_tier.verify('nowhere');
BEGIN;
DROP INDEX p.tier_history_open;
DELETE FROM p.tier_history WHERE customer_id IN (4, 5, 6, 7, 8, 9, 10);
INSERT INTO p.tier_history (customer_id, valid_from, valid_to, tier, tier_rank, reason, previous_tier, changed_by) VALUES
    (4, '2024-03-31', '2024-04-12', 'bronze', 1, 'initial', NULL, 'rules'), (4, '2024-04-10', NULL, 'silver', 2, 'upgraded', 'bronze', 'rules'),
    (5, '2024-03-31', '2024-04-08', 'bronze', 1, 'initial', NULL, 'rules'), (5, '2024-04-10', NULL, 'silver', 2, 'upgraded', 'bronze', 'rules'),
    (6, '2024-03-31', NULL, 'bronze', 1, 'initial', NULL, 'rules'), (6, '2024-04-10', NULL, 'silver', 2, 'upgraded', 'bronze', 'rules'),
    (7, '2024-03-31', '2024-04-10', 'bronze', 1, 'initial', NULL, 'rules'),
    (8, '2024-03-31', '2024-04-08', 'bronze', 1, 'initial', NULL, 'rules'), (8, '2024-04-10', NULL, 'silver', 2, 'initial', NULL, 'rules'),
    (1000, '2024-03-31', NULL, 'bronze', 1, 'initial', NULL, 'rules');
INSERT INTO p.tier_history (customer_id, valid_from, tier, tier_rank, reason, changed_by, terms_id)
SELECT 9, date '2024-03-31', 'silver', 3, 'initial', 'rules', max(terms_id) FROM p.tier_terms UNION ALL SELECT 10, date '2024-03-31', 'silver', 2, 'initial', 'rules', -1;
UPDATE p.rating SET tier = 'silver', tier_rank = 2, tier_since = '2024-04-10' WHERE customer_id IN (4, 5, 6, 8);
UPDATE p.rating SET tier = 'bronze', tier_rank = 1, tier_since = '2024-03-31' WHERE customer_id = 7;
UPDATE p.rating SET tier = 'silver', tier_rank = 2, tier_since = '2024-03-31' WHERE customer_id IN (9, 10);
UPDATE p.rating SET tier = 'gone', tier_rank = 7 WHERE customer_id = 11;
UPDATE p.tier_history SET tier = 'gone' WHERE customer_id = 11 AND valid_to IS NULL AND terms_id IS NOT NULL;
UPDATE p.rating SET state_before = '(gold,yesterday or so,)' WHERE customer_id = 12;
SELECT problem, customer_id FROM customer_tier.verify('p') WHERE customer_id <> '11';
SELECT problem, count(*) FROM customer_tier.verify('p') WHERE customer_id = '11' GROUP BY 1 ORDER BY 1;
SELECT detail FROM customer_tier.verify('p') WHERE customer_id IN ('4', '5', '9', '12');
ROLLBACK;
BEGIN;
ALTER TABLE p.tier_history DROP CONSTRAINT tier_history_check;
UPDATE p.tier_history SET valid_to = valid_from - 1 WHERE customer_id = 2 AND valid_to = '2024-04-10';
SELECT problem, customer_id FROM customer_tier.verify('p');
ROLLBACK;

-- ---------- events ----------
SELECT event_id - min(event_id) OVER () AS n, as_of, kind, customer_id, from_tier, to_tier, reason, due FROM customer_tier.acknowledge_events('p', 'mailer', 3);
SELECT count(*) AS taken, count(DISTINCT acknowledged_by) AS by_one, max(event_id) < (SELECT min(event_id) FROM p.tier_event WHERE acknowledged_at IS NULL) AS in_order FROM p.tier_event WHERE acknowledged_at IS NOT NULL;
BEGIN;
SELECT count(*) AS taken FROM customer_tier.acknowledge_events('p', 'mailer', 1000000);
SELECT count(*) AS waiting FROM customer_tier.acknowledge_events('p', 'mailer');
ROLLBACK;
SELECT count(*) > 0 AS waiting FROM p.tier_event WHERE acknowledged_at IS NULL;
SELECT * FROM customer_tier.acknowledge_events('p', NULL);
SELECT * FROM customer_tier.acknowledge_events('p', '');
SELECT * FROM customer_tier.acknowledge_events('p', 'mailer', 0);
SELECT * FROM customer_tier.acknowledge_events('nowhere', 'mailer');

-- ---------- taking evaluations back ----------
-- Up to 2024-04-30 everything was right: the last evaluation by then was that of 2024-04-11.
CREATE TABLE before_rewind AS SELECT * FROM p.tier_history;
DELETE FROM tier_orders WHERE c = 15;                       -- leaves
INSERT INTO tier_orders VALUES (50, '2024-06-05', 10);      -- comes in
SET client_min_messages = error;    -- that day is yet to come
CALL customer_tier.refresh('p', '2034-06-10');
SET client_min_messages = warning;
SELECT count(*) FROM p.ratings WHERE customer_id IN (15, 50);
CALL customer_tier.refresh('p', '2024-06-10');
SELECT customer_tier.rewind_tiers('p', '2034-06-11');
BEGIN;
SELECT customer_tier.rewind_tiers('p', '2024-03-30');
SELECT count(*) AS rated, (SELECT count(*) FROM p.tier_correction WHERE valid_to IS NULL) > 0 AS kept FROM p.scored_rating;
CALL customer_tier.refresh('p', '2024-03-30');
SELECT count(*) > 0 AS rated, (SELECT count(*) FROM customer_tier.verify('p')) AS wrong FROM p.scored_rating;
ROLLBACK;
SELECT customer_tier.rewind_tiers('p', NULL);
SELECT customer_tier.rewind_tiers('p', '-infinity');
SELECT customer_tier.rewind_tiers('nowhere', '2024-04-30');
SELECT customer_tier.rewind_tiers('p', '2034-06-10') AS nothing, customer_tier.rewind_tiers('p', '2034-06-10') AS again;
CREATE TABLE before_ratings AS SELECT * FROM p.scored_rating;
SELECT customer_tier.rewind_tiers('p', '2024-04-30') = (
    SELECT count(*) FROM before_ratings b LEFT JOIN (SELECT * FROM before_rewind WHERE valid_from <= '2024-04-30' AND coalesce(valid_to, 'infinity') > '2024-04-30') h USING (customer_id)
     WHERE (b.tier, b.tier_since) IS DISTINCT FROM (h.tier, h.valid_from)) AS as_many_as_moved;
SELECT as_of, previous_as_of, is_current FROM p.run WHERE is_current;
SELECT * FROM customer_tier.verify('p');
-- no rows, both: the history as it was, but for the one who is gone
SELECT customer_id, valid_from, tier, previous_tier, reason FROM p.tier_history
EXCEPT ALL SELECT customer_id, valid_from, tier, previous_tier, reason FROM before_rewind WHERE valid_from <= '2024-04-30';
SELECT customer_id, valid_from, CASE WHEN valid_to <= '2024-04-30' THEN valid_to END FROM before_rewind WHERE valid_from <= '2024-04-30' AND customer_id <> 15
EXCEPT ALL SELECT customer_id, valid_from, valid_to FROM p.tier_history;
SELECT customer_id, tier, tier_since FROM p.ratings EXCEPT ALL SELECT customer_id, tier, valid_from FROM before_rewind WHERE valid_from <= '2024-04-30' AND coalesce(valid_to, 'infinity') > '2024-04-30';
SELECT valid_from, valid_to FROM p.tier_history WHERE customer_id = 15 ORDER BY 1 DESC LIMIT 1;
SELECT count(*) FROM p.scored_rating WHERE up_runs <> 0 OR down_runs <> 0 OR up_since IS NOT NULL OR down_since IS NOT NULL OR drops_on IS NOT NULL OR state_before IS NOT NULL OR score_to_stay IS NOT NULL;
-- what was taken back is kept
SELECT count(*) > 0 AS kept, bool_and(run_id IS NULL) AS by_hand, bool_and(corrected_by = session_user) AS by_me, count(*) FILTER (WHERE valid_from <= '2024-04-30') AS shortened FROM p.tier_correction;
SELECT count(*) AS waiting_of_later_days FROM p.tier_event WHERE as_of > '2024-04-30' AND acknowledged_at IS NULL;
SELECT DISTINCT acknowledged_by FROM p.tier_event WHERE as_of > '2024-04-30' ORDER BY 1;
-- and on it goes: from the same day, and from later ones, as if nothing had been
CALL customer_tier.refresh('p', '2024-04-10');
CALL customer_tier.refresh('p', '2024-04-11');
SELECT as_of, previous_as_of FROM p.run WHERE is_current;
SELECT * FROM customer_tier.verify('p');
CALL customer_tier.refresh('p', '2024-05-01');
CALL customer_tier.refresh('p', '2024-05-31');
SELECT * FROM customer_tier.verify('p');
SELECT members, members_before FROM p.tiers WHERE tier = 'silver' AND members_before IS DISTINCT FROM (SELECT count(*) FROM p.tier_history WHERE tier = 'silver' AND valid_from <= '2024-05-01' AND coalesce(valid_to, 'infinity') > '2024-05-01');
SELECT customer_tier.tier_on('p', 50, '2024-06-10') AS not_yet, customer_tier.tier_on('p', 15, '2024-06-10') AS gone;
-- a second time, across what was taken back before
SELECT customer_tier.rewind_tiers('p', '2024-05-05') >= 0 AS rewound;
SELECT as_of, previous_as_of FROM p.run WHERE is_current;
CALL customer_tier.refresh('p', '2024-07-01');
SELECT customer_tier.rewind_tiers('p', '2024-06-15') >= 0 AS rewound;
SELECT as_of, previous_as_of FROM p.run WHERE is_current;   -- 2024-05-31 was taken back
SELECT customer_tier.rewind_tiers('p', '2024-04-01') >= 0 AS rewound;
SELECT as_of, previous_as_of FROM p.run WHERE is_current;
SELECT * FROM customer_tier.verify('p');
SELECT count(*) FROM p.tier_moves('2024-03-31', 'infinity');
CALL customer_tier.refresh('p', '2024-06-10');
CALL customer_tier.refresh('p', '2024-06-20');
SELECT * FROM customer_tier.verify('p');
-- the record of a run is gone, the history is not
BEGIN;
DELETE FROM p.run WHERE NOT is_current;
SELECT customer_tier.rewind_tiers('p', '2024-06-11') > 0 AS rewound;
SELECT as_of, previous_as_of FROM p.run WHERE is_current;
SELECT * FROM customer_tier.verify('p');
ROLLBACK;
-- before the first evaluation: nobody has a tier, and all begins anew
SELECT customer_tier.rewind_tiers('p', '2024-03-30') = (SELECT count(*) FROM p.tier_history WHERE valid_to IS NULL) AS all_of_them;
SELECT (SELECT count(*) FROM p.ratings) AS ratings, (SELECT count(*) FROM p.tier_history) AS rows, (SELECT count(*) FROM p.run WHERE is_current) AS published, (SELECT count(*) FROM p.tiers) AS tiers;
CALL customer_tier.refresh('p', '2024-04-15');
CALL customer_tier.refresh('p', '2024-06-30');
SELECT * FROM customer_tier.verify('p');
SELECT customer_tier.rewind_tiers('p', '2024-05-31') >= 0 AS rewound;
SELECT as_of, previous_as_of FROM p.run WHERE is_current;   -- not 2024-05-01, which was taken back

SELECT customer_tier.drop_program('p');
DROP TABLE tier_orders, tier_customers, before_rewind, before_ratings;
DROP ROLE regress_tier_clerk;
