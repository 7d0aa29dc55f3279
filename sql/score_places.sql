-- What refreshes make of scores and places that somebody has edited: the scores
-- are those of rate() after each of them.
SET DateStyle = 'ISO, YMD';
CREATE TABLE orders AS SELECT customer_id, ordered_at::date AS at, amount FROM customer_tier.demo_orders(300, 200, 3) WHERE ordered_at < '2024-12-02';
CREATE INDEX ON orders (customer_id);
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'at', 'amount', tracking => 'triggers', purchase_model => 'none');
UPDATE shop.scorecard SET frozen_scale = true;
CREATE VIEW state AS
SELECT run.as_of, run.is_repeat, run.is_partial, run.keeps_numbers AS keeps, run.changed,
       (SELECT count(*) FROM shop.scored_rating AS s WHERE s.score IS NOT NULL) = run.buyers AS all_have_scores,
       (SELECT count(*) FROM shop.ratings AS s FULL JOIN shop.rate(run.as_of, run.run_id) AS r USING (customer_id)
         WHERE (s.score, s.score_to_next_tier, s.score_to_stay, s.grade, s.tier) IS DISTINCT FROM (r.score, r.score_to_next_tier, r.score_to_stay, r.grade, r.tier)) AS wrong,
       (SELECT count(*) - count(DISTINCT place) FROM shop.rating) AS twice, run.next_place = (SELECT max(place) + 1 FROM shop.rating) AS next_is_free,
       run.score_blocks = (SELECT count(*) FROM shop.rating_score) AS counted
  FROM shop.run WHERE run.is_current;
SET customer_tier.refresh_notices = off;
CALL customer_tier.refresh('shop', '2024-12-01');
CALL customer_tier.refresh('shop', '2024-12-01');
TABLE state;

-- scores are gone: the same day again, and with a new order
DELETE FROM shop.rating_score WHERE block = 1;
CALL customer_tier.refresh('shop', '2024-12-01');
TABLE state;
DELETE FROM shop.rating_score;
INSERT INTO orders VALUES (5, '2024-12-01', 50);
CALL customer_tier.refresh('shop', '2024-12-01');
TABLE state;

-- blocks that are none, found by a refresh of who is new
UPDATE shop.rating_score SET score = ARRAY[1, 2] WHERE block = 0;
INSERT INTO orders VALUES (6, '2024-12-01', 50);
CALL customer_tier.refresh('shop', '2024-12-01');
TABLE state;
UPDATE shop.rating_score SET score[7] = 2000000000 WHERE block = 1;
INSERT INTO orders VALUES (6, '2024-12-01', 50);
CALL customer_tier.refresh('shop', '2024-12-01');
TABLE state;
INSERT INTO shop.rating_score VALUES (-3, NULL, NULL, NULL);
INSERT INTO orders VALUES (6, '2024-12-01', 50);
CALL customer_tier.refresh('shop', '2024-12-01');
TABLE state;

-- two in one place, nowhere, far away, unknown; and whoever comes next
UPDATE shop.rating SET place = (SELECT place FROM shop.rating WHERE customer_id = 7) WHERE customer_id = 6;
SET client_min_messages = error;     -- the warning names a place, which any may be
CALL customer_tier.refresh('shop', '2024-12-01', full_build => true);
RESET client_min_messages;
TABLE state;
UPDATE shop.rating SET place = -1 WHERE customer_id = 6;
CALL customer_tier.refresh('shop', '2024-12-02');
TABLE state;
UPDATE shop.rating SET place = 2147483647 WHERE customer_id = 6;
CALL customer_tier.refresh('shop', '2024-12-03');
TABLE state;
ALTER TABLE shop.rating ALTER COLUMN place DROP NOT NULL;
UPDATE shop.rating SET place = NULL WHERE customer_id IN (6, 8);
INSERT INTO orders VALUES (8, '2024-12-04', 50);
CALL customer_tier.refresh('shop', '2024-12-04');
TABLE state;
ALTER TABLE shop.rating ALTER COLUMN place SET NOT NULL;
UPDATE shop.run SET next_place = 0 WHERE is_current;
INSERT INTO orders VALUES (1001, '2024-12-05', 50);
CALL customer_tier.refresh('shop', '2024-12-05');
TABLE state;
UPDATE shop.run SET next_place = 9223372036854775807 WHERE is_current;
INSERT INTO orders VALUES (1002, '2024-12-06', 50);
CALL customer_tier.refresh('shop', '2024-12-06');
TABLE state;

-- ratings are gone, or are of nobody, where nobody else's history is read
DELETE FROM shop.rating WHERE customer_id IN (9, 10);
INSERT INTO orders VALUES (10, '2024-12-06', 50);
CALL customer_tier.refresh('shop', '2024-12-07');
TABLE state;
INSERT INTO shop.rating (customer_id, place, orders, purchase_days, revenue, refunded, lifecycle_stage, tier, tier_rank, tier_since, tier_reason, coverage)
SELECT 9999, 1200, 1, 1, 1, 0, 'new', tier, tier_rank, tier_since, tier_reason, 1 FROM shop.rating WHERE customer_id = 12;
CALL customer_tier.refresh('shop', '2024-12-08');
SELECT count(*) AS ratings, (SELECT buyers FROM shop.run WHERE is_current) AS buyers FROM shop.rating;
TABLE state;

-- who leaves takes his entry along
DELETE FROM orders WHERE customer_id IN (1001, 1002, 6);
CALL customer_tier.refresh('shop', '2024-12-08');
SELECT count(*) AS entries, (SELECT buyers FROM shop.run WHERE is_current) AS buyers FROM shop.rating_score, unnest(score) AS s WHERE s >= 0;
TABLE state;
DELETE FROM orders;
CALL customer_tier.refresh('shop', '2024-12-09');
SELECT (SELECT count(*) FROM shop.rating) AS ratings, (SELECT count(*) FROM shop.rating_score) AS blocks, next_place, score_blocks FROM shop.run WHERE is_current;
DROP VIEW state;
SELECT customer_tier.drop_program('shop');
DROP TABLE orders;
