-- The scorecard of a program: dimensions from purchases and relations, points,
-- weights, combinations, grades; explained, weighed, and watched.
\set SHOW_CONTEXT never
SET datestyle = 'ISO';
CREATE TABLE orders (customer_id int, day date, amount numeric, margin numeric);
INSERT INTO orders SELECT c, date '2023-01-01' + (c * 37 % 200) + n * (11 + c * 13 % 60), 10 + (c * 71 + n * 29) % 200, (c % 7) / 10.0
  FROM generate_series(1, 100) c, generate_series(0, c % 8) n;
INSERT INTO orders SELECT c, date '2023-09-01', -5, 0.1 FROM generate_series(5, 100, 5) c;
CREATE TABLE surveys (customer_id int, answered_on timestamptz, nps int);
INSERT INTO surveys SELECT c, timestamptz '2023-06-01 12:00+00' + n * interval '90 days', (c * 3 + n * 4) % 11 FROM generate_series(1, 80) c, generate_series(0, 1) n;
CREATE TABLE contracts (customer_id int, valid_from date, valid_to date, discount numeric);
INSERT INTO contracts SELECT c, '2023-01-01', '2023-08-01', 5 FROM generate_series(1, 60) c;
INSERT INTO contracts SELECT c, '2023-08-01', NULL, 10 FROM generate_series(1, 40) c;
CREATE TABLE credit (customer_id int, overdue int, friendly boolean);
INSERT INTO credit SELECT c, CASE WHEN c % 9 = 0 THEN 95 WHEN c % 4 = 0 THEN 20 ELSE 0 END, c % 3 = 0 FROM generate_series(1, 90) c;
CREATE FUNCTION tickets(day date) RETURNS TABLE (customer_id int, open_tickets bigint) LANGUAGE sql STABLE AS
$$ SELECT c, ($1 - date '2023-01-01' + c) / 100 FROM generate_series(1, 100, 2) c $$;

SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC', margin_column => 'margin', purchase_model => 'none');
CALL customer_tier.refresh('shop', '2024-12-31');
-- The card of a new program is RFM.
SELECT name, weight, higher_is_better, feature, method, missing, label_zh FROM shop.dimension ORDER BY "position";
SELECT combination, min_coverage, frozen_scale FROM shop.scorecard;
SELECT feature, label, label_zh, higher_is_better, needs_model FROM customer_tier.dimension_features();
SELECT customer_tier.set_scorecard('shop', preset) FROM (SELECT DISTINCT preset FROM customer_tier.scorecard_preset WHERE preset <> 'value' AND preset <> 'balanced' ORDER BY 1) p;
SELECT name, weight FROM shop.dimension ORDER BY "position";
SELECT customer_tier.set_scorecard('shop', 'value');
INSERT INTO customer_tier.scorecard_preset VALUES ('mine', 1, 'orders', 2), ('mine', 2, 'tenure', 1);
SELECT customer_tier.set_scorecard('shop', 'mine');
SELECT name, weight FROM shop.dimension ORDER BY "position";
DELETE FROM customer_tier.scorecard_preset WHERE preset = 'mine';

-- ---- every method, and relations of every kind
SELECT customer_tier.set_scorecard('shop', '[
  {"feature": "revenue", "weight": 3},
  {"feature": "recency", "weight": 2, "method": "score", "parameters": {"scores": 4, "cuts": "balanced"}},
  {"feature": "margin", "weight": 1, "method": "min_max", "parameters": {"low": 0.1, "high": 0.9}},
  {"feature": "tenure", "weight": 1, "method": "z_score"},
  {"feature": "trend", "label": "Momentum", "label_zh": "势头", "method": "linear", "parameters": {"low": -1, "high": 1}, "missing": "neutral"},
  {"name": "nps", "label_zh": "推荐意愿", "relation": "public.surveys", "column": "nps", "key": "customer_id", "day": "answered_on", "weight": 1.5, "method": "logistic", "parameters": {"midpoint": 6}},
  {"name": "discount", "relation": "public.contracts", "column": "discount", "key": "customer_id", "valid_from": "valid_from", "valid_to": "valid_to", "higher_is_better": false,
   "method": "bands", "parameters": {"thresholds": [5, 10], "points": [100, 50, 0]}, "missing": "worst"},
  {"name": "tickets", "function": "public.tickets", "column": "open_tickets", "key": "customer_id", "higher_is_better": false, "parameters": {"ties": "mid"}},
  {"name": "friendly", "relation": "public.credit", "column": "friendly", "key": "customer_id", "method": "identity", "weight": 0.5},
  {"name": "overdue", "relation": "public.credit", "column": "overdue", "key": "customer_id", "higher_is_better": false, "method": "linear", "parameters": {"low": 90, "high": 0},
   "floor": 89, "floor_grade": "B"}]');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT "position", name, weight, method, ties, missing, is_outside, round(scale[1]::numeric, 4) AS scale_1, round(scale[2]::numeric, 4) AS scale_2, cardinality(scale) AS scale_n,
       cardinality(distribution) AS distribution_n, d.customers, absent, minimum, maximum
  FROM shop.run_dimension d JOIN shop.run USING (run_id) WHERE is_current ORDER BY 1;
SELECT customer_id, dimension_values::numeric(9,3)[] AS "values", dimension_points::numeric(9,2)[] AS points, score, grade, coverage FROM shop.rate('2024-12-31') WHERE customer_id IN (1, 9, 36, 85, 99, 100) ORDER BY 1;
SELECT grade, grade_label, count(*), min(score), max(score), min(coverage), max(coverage) FROM shop.ratings GROUP BY 1, 2 ORDER BY 5 DESC;
SELECT "position", kind, name, value::numeric(10,3), customer_rank AS rank, customers, points::numeric(6,2), weight, contribution, best_value::numeric(10,3) AS best, next_grade, value_for_next_grade::numeric(10,3) AS needed
  FROM customer_tier.explain_rating('shop', 36);
SELECT "position", kind, name, label, label_zh, value::numeric(10,3), points::numeric(6,2), contribution, next_grade, value_for_next_grade::numeric(10,3) AS needed FROM customer_tier.explain_rating('shop', '85'::text);
-- who would be lifted by paying: the floor is all that is missing
SELECT r.customer_id, r.score, r.grade, e.kind, e.name, e.value, e.next_grade, e.value_for_next_grade FROM shop.ratings r, customer_tier.explain_rating('shop', r.customer_id) e WHERE e.kind = 'veto' ORDER BY r.score DESC LIMIT 4;
SELECT sum(contribution) = score FROM shop.ratings, customer_tier.explain_rating('shop', customer_id) GROUP BY customer_id, score HAVING sum(contribution) <> score;

-- ---- any day: the relation that knows no day is left out of the past, and said so
SELECT customer_id, dimension_values::numeric(9,3)[] AS "values", score, coverage FROM shop.rate('2023-07-15') WHERE customer_id IN (1, 9, 36) ORDER BY 1;
-- an answer given at noon counts from its day on
SELECT d, (SELECT dimension_values[6] FROM shop.rate_one(1, d) WHERE d = d) FROM (VALUES (date '2023-05-31'), ('2023-06-01'), ('2023-08-29'), ('2023-08-30')) v (d);
SELECT d, (SELECT dimension_values[7] FROM shop.rate_one(50, d)) AS of_50, (SELECT dimension_values[7] FROM shop.rate_one(1, d)) AS of_1 FROM (VALUES (date '2023-07-31'), ('2023-08-01')) v (d);
SET client_min_messages = warning;

-- ---- one customer, now: as published, then with one more order
SELECT score, grade, coverage FROM customer_tier.rate_customer('shop', 7, '2024-12-31');
SELECT score, grade, coverage FROM shop.ratings WHERE customer_id = 7;
BEGIN;
INSERT INTO orders VALUES (7, '2024-12-31', 5000, 0.5), (700, '2024-12-30', 80, 0.3);
SELECT score, grade, orders, tier FROM customer_tier.rate_customer('shop', 7, '2024-12-31');
SELECT score, grade, orders, tier FROM customer_tier.rate_customer('shop', '700', '2024-12-31');
SELECT score FROM shop.ratings WHERE customer_id = 7;
ROLLBACK;

-- a published day of the past is rated as it was, one at a time too
SELECT customer_tier.rewind_tiers('shop', '2024-03-01') > 0 AS went_back;
CALL customer_tier.refresh('shop', '2024-03-01');
SELECT is_replay FROM shop.run WHERE is_current;
SELECT one.score = r.score AS same, one.coverage FROM shop.ratings r, customer_tier.rate_customer('shop', 7, '2024-03-01') one WHERE customer_id = 7;
UPDATE shop.dimension SET missing = CASE name WHEN 'overdue' THEN 'worst' ELSE 'neutral' END WHERE name IN ('overdue', 'friendly');
CALL customer_tier.refresh('shop', '2024-03-01');
SELECT one.score = r.score AS same, r.score = (SELECT sum(contribution) FROM customer_tier.explain_rating('shop', 7)) AS explained FROM shop.ratings r, customer_tier.rate_customer('shop', 7, '2024-03-01') one WHERE customer_id = 7;
SELECT round(sum(psi)::numeric, 3) FROM customer_tier.score_drift('shop') WHERE kind = 'score';
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_replay FROM shop.run WHERE is_current;
SELECT count(*) FILTER (WHERE r.score = (SELECT sum(contribution) FROM customer_tier.explain_rating('shop', r.customer_id))) FROM shop.scored_rating r;
SELECT sum(psi) > 0 AS "more dimensions than in the replay" FROM customer_tier.score_drift('shop') WHERE kind = 'score';
UPDATE shop.dimension SET missing = 'renormalise' WHERE name IN ('overdue', 'friendly');

-- ---- missing values, coverage
UPDATE shop.scorecard SET min_coverage = 0.95;
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT coverage >= 0.95 AS covered, count(*), count(score) AS scores, count(grade) AS grades, count(tier) AS tiers FROM shop.ratings GROUP BY 1 ORDER BY 1;
SELECT count(*), count(next_grade) FROM customer_tier.explain_rating('shop', 100);
UPDATE shop.dimension SET missing = 'no_rating' WHERE name = 'overdue';
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT tier_reason, score IS NULL AS no_score, count(*) FROM shop.ratings GROUP BY 1, 2 ORDER BY 1;
UPDATE shop.dimension SET missing = 'renormalise' WHERE name = 'overdue';
UPDATE shop.scorecard SET min_coverage = 0;

-- ---- grades by share: never more than asked, and equals together
SELECT customer_tier.set_grades('shop', '[{"code": "钻石", "label": "Diamond", "share": 0.05}, {"code": "gold", "label": "Gold", "label_zh": "黄金", "share": 0.25}, {"code": "iron"}]');
UPDATE shop.dimension SET floor = NULL, floor_grade = NULL;
SELECT customer_tier.set_grades('shop', '[{"code": "钻石", "label": "Diamond", "share": 0.05}, {"code": "gold", "label": "Gold", "label_zh": "黄金", "share": 0.25}, {"code": "iron"}]');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT grade, grade_label, grade_label_zh, count(*) FROM shop.ratings GROUP BY 1, 2, 3 ORDER BY 4;
SELECT grades, grade_shares, grade_cuts FROM shop.run WHERE is_current;
SELECT grade, count(*) FROM shop.rate('2023-12-31') WHERE score IS NOT NULL GROUP BY 1 ORDER BY 2;
SELECT name, next_grade, value_for_next_grade::numeric(10,2) FROM customer_tier.explain_rating('shop', 36) WHERE value_for_next_grade IS NOT NULL;
-- everybody equal: nobody is in the best quarter
SELECT customer_tier.set_scorecard('shop', '[{"feature": "orders", "method": "bands", "parameters": {"thresholds": [100], "points": [40, 60]}}]');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT score, grade, count(*) FROM shop.ratings GROUP BY 1, 2;

-- ---- three combinations
SELECT customer_tier.set_grades('shop', '[{"code": "A", "min_score": 70}, {"code": "B", "min_score": 40}, {"code": "C"}]');
CREATE FUNCTION card(way text) RETURNS void LANGUAGE sql AS $$
SELECT customer_tier.set_scorecard('shop', '[{"feature": "revenue", "weight": 3}, {"feature": "recency", "weight": 1}, {"name": "nps", "relation": "public.surveys", "column": "nps", "key": "customer_id", "day": "answered_on", "method": "linear", "parameters": {"low": 0, "high": 10}}]', way) $$;
SELECT card('geometric');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT combination, combination_scale IS NULL AS no_scale FROM shop.run WHERE is_current;
SELECT customer_id, score, round(exp((3 * ln(greatest(p[1], 1)) + ln(greatest(p[2], 1)) + coalesce(ln(greatest(p[3], 1)), 0)) / (4 + (p[3] IS NOT NULL)::int))::numeric, 4) AS by_hand
  FROM (SELECT customer_id, score, dimension_points AS p FROM shop.rate('2024-12-31')) r WHERE customer_id IN (1, 50, 90) ORDER BY 1;
SELECT kind, name, value, points::numeric(6,2), contribution, value_for_next_grade::numeric(10,2) AS needed FROM customer_tier.explain_rating('shop', 50);
SELECT card('topsis');
CALL customer_tier.refresh('shop', '2024-12-31');
WITH p AS (SELECT customer_id, score, dimension_points AS p FROM shop.rate('2024-12-31')),
     w AS (SELECT 3 / sqrt(sum(p[1] ^ 2)) AS w1, 1 / sqrt(sum(p[2] ^ 2)) AS w2, 1 / sqrt(sum(p[3] ^ 2)) AS w3, max(p[1]) AS b1, max(p[2]) AS b2, max(p[3]) AS b3, min(p[1]) AS l1, min(p[2]) AS l2, min(p[3]) AS l3 FROM p),
     d AS (SELECT customer_id, score, sqrt((w1 * (p[1] - b1)) ^ 2 + (w2 * (p[2] - b2)) ^ 2 + coalesce((w3 * (p[3] - b3)) ^ 2, 0)) AS from_best, sqrt((w1 * (p[1] - l1)) ^ 2 + (w2 * (p[2] - l2)) ^ 2 + coalesce((w3 * (p[3] - l3)) ^ 2, 0)) AS from_worst FROM p, w)
SELECT count(*), count(*) FILTER (WHERE score = round((100 * from_worst / (from_best + from_worst))::numeric, 4)) AS as_by_hand FROM d;
SELECT kind, name, value, points::numeric(6,2), contribution, value_for_next_grade::numeric(10,2) AS needed FROM customer_tier.explain_rating('shop', 90);
SELECT count(*) FROM shop.rate('2023-12-31') WHERE score BETWEEN 0 AND 100;

-- ---- weights by method
SELECT card('mean');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT name, weight::numeric(8,5), previous_weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'equal');
SELECT name, weight::numeric(8,5), previous_weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'roc');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'roc', ranking => '{nps,revenue,recency}');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'rank_sum');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'rank_reciprocal');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'ahp', matrix => '{{1,3,5},{0.333333333333,1,2},{0.2,0.5,1}}');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'entropy');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'critic');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'roc', objective => 'critic');
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'ahp', matrix => '{{1,3,5},{0.333333333333,1,2},{0.2,0.5,1}}', objective => 'entropy', mix => 'linear', share => 0.7);
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'current', objective => 'critic');
-- an inconsistent matrix, taken all the same and flagged
SELECT name, weight::numeric(8,5) FROM customer_tier.weigh_scorecard('shop', 'ahp', matrix => '{{1,9,0.111111111111},{0.111111111111,1,9},{9,0.111111111111,1}}', check_mode => 'flag');
SELECT weighting_id, method, run_id IS NOT NULL AS measured, customers, (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(details) k) AS details, (SELECT round(sum(v::numeric), 9) FROM jsonb_each_text(weights) w (k, v)) AS total
  FROM shop.weighting WHERE method <> 'manual' ORDER BY 1;
SELECT details->'previous' FROM shop.weighting ORDER BY weighting_id DESC LIMIT 1;
SELECT (details->>'cr')::numeric(8,4) AS cr FROM shop.weighting ORDER BY weighting_id DESC LIMIT 1;
SELECT customer_tier.weigh_scorecard('shop', 'equal') IS NOT NULL AS weighed;
-- the published ratings are as they were, and follow with the next refresh
SELECT sum(contribution) = score AS still FROM shop.scored_rating, customer_tier.explain_rating('shop', 50) WHERE customer_id = 50 GROUP BY score;
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT round(weight, 4) FROM customer_tier.explain_rating('shop', 50);

-- ---- grades edited: what is published is explained as it was published
CREATE TABLE explained AS SELECT * FROM customer_tier.explain_rating('shop', 50);
SELECT customer_tier.set_grades('shop', '[{"code": "good", "min_score": 90}, {"code": "bad"}]');
SELECT count(*) AS different FROM (TABLE explained EXCEPT SELECT * FROM customer_tier.explain_rating('shop', 50)) x;
SELECT customer_tier.set_grades('shop', '[{"code": "A", "min_score": 70}, {"code": "B", "min_score": 40}, {"code": "C"}]');
-- another card compiled, but not refreshed
UPDATE shop.dimension SET method = 'percentile', parameters = '{}' WHERE name = 'nps';
SELECT customer_tier.adopt_program('shop');
SELECT * FROM customer_tier.explain_rating('shop', 45);
CALL customer_tier.refresh('shop', '2024-12-31');

-- ---- frozen scales: nobody's score changes because others' did
SELECT card('mean');
CALL customer_tier.refresh('shop', '2024-12-31');
UPDATE shop.scorecard SET frozen_scale = true;
CREATE TABLE was AS SELECT customer_id, score FROM shop.ratings;
UPDATE orders SET amount = amount * 10 WHERE customer_id <= 50;
RESET client_min_messages;
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_frozen FROM shop.run WHERE is_current;
SELECT customer_id <= 50 AS "ten times", count(*), count(*) FILTER (WHERE r.score <> w.score) AS changed, count(*) FILTER (WHERE r.score < w.score) AS fallen FROM shop.ratings r JOIN was w USING (customer_id) GROUP BY 1 ORDER BY 1;
SELECT kind, name, round(psi::numeric, 3) AS psi, alarm FROM customer_tier.score_drift('shop');
-- on scales that are cut anew, they change because others did
UPDATE shop.scorecard SET frozen_scale = false;
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT customer_id <= 50 AS "ten times", count(*) FILTER (WHERE r.score <> w.score) > 0 AS changed FROM shop.ratings r JOIN was w USING (customer_id) GROUP BY 1 ORDER BY 1;
-- another card has no frozen scales to be rated on
UPDATE shop.scorecard SET frozen_scale = true;
UPDATE shop.dimension SET method = 'z_score' WHERE name = 'revenue';
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_frozen FROM shop.run WHERE is_current;
-- shares are cut with the scales, and anew when others are asked for
SELECT customer_tier.set_grades('shop', '[{"code": "A", "share": 0.1}, {"code": "B", "share": 0.5}, {"code": "C"}]');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_frozen, grade_cuts FROM shop.run WHERE is_current;
UPDATE orders SET amount = amount * 3 WHERE customer_id <= 50;
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_frozen, grade_cuts FROM shop.run WHERE is_current;
SELECT grade, count(*) FROM shop.ratings GROUP BY 1 ORDER BY 1;
UPDATE shop.grade SET share = 0.2 WHERE code = 'A';
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_frozen, grade_cuts FROM shop.run WHERE is_current;
SELECT grade, count(*) FROM shop.ratings GROUP BY 1 ORDER BY 1;

-- ---- drift: revenue halved for everyone
UPDATE shop.scorecard SET frozen_scale = false;
SELECT customer_tier.set_scorecard('shop', '[{"feature": "revenue", "weight": 3}, {"feature": "average_order", "weight": 1}]');
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT kind, name, psi, ks, alarm_above, alarm, advice FROM customer_tier.score_drift('shop');
SELECT score_distribution AS recut FROM shop.run WHERE is_current \gset
UPDATE orders SET amount = amount / 2;
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT score_distribution = :'recut' AS "same scores" FROM shop.run WHERE is_current;
SELECT kind, name, round(psi::numeric, 3) AS psi, round(ks::numeric, 3) AS ks, reference_customers, customers, alarm_above, alarm, advice FROM customer_tier.score_drift('shop');
-- the new normal
SELECT customer_tier.set_reference('shop') = (SELECT run_id FROM shop.run WHERE is_current) AS set;
SELECT count(*), sum(psi), bool_or(alarm) FROM customer_tier.score_drift('shop');
SELECT count(*) FROM shop.run WHERE is_reference;
-- another combination begins anew
UPDATE shop.scorecard SET combination = 'topsis';
CALL customer_tier.refresh('shop', '2024-12-31');
SELECT is_reference FROM shop.run WHERE is_current;
SELECT count(*), sum(psi), bool_or(alarm) FROM customer_tier.score_drift('shop');
SELECT kind, name, alarm, advice FROM customer_tier.score_drift('shop', (SELECT max(run_id) FROM shop.run WHERE has_scales AND NOT is_current));

-- ---- parity
CREATE TABLE customers (id int PRIMARY KEY, region text);
INSERT INTO customers SELECT c, CASE WHEN c <= 50 THEN 'east' WHEN c < 95 THEN 'west' END FROM generate_series(1, 98) c;
SELECT * FROM customer_tier.rating_parity('shop', 'customers', 'region', 'id');

-- ---- keys of other types, in one block that makes a program, gives it a card and refreshes it
CREATE DOMAIN customer_no AS varchar(20);
CREATE TABLE keyed AS SELECT md5(c::text)::uuid AS u, ('Cust' || c)::customer_no AS d, ('k' || c)::char(8) AS k, c::numeric AS n, day, amount, c AS nps FROM (SELECT *, customer_id AS c FROM orders) o;
CREATE TABLE facts AS SELECT u, d, k, n, max(nps) AS nps FROM keyed GROUP BY 1, 2, 3, 4;
DO $$
DECLARE
    k text;
    said text;
BEGIN
    FOREACH k IN ARRAY '{u,d,k,n}'::text[] LOOP
        PERFORM customer_tier.create_program('by ' || k, 'public.keyed', k, 'day', 'amount', time_zone => 'UTC', purchase_model => 'none', customers => 'public.facts', customers_key => k);
        PERFORM customer_tier.set_scorecard('by ' || k, jsonb_build_array('{"feature": "revenue"}'::jsonb, jsonb_build_object('name', 'nps', 'relation', 'public.facts', 'column', 'nps', 'key', k)));
        CALL customer_tier.refresh('by ' || k, '2024-12-31');
        EXECUTE format('SELECT format(''%%s: %%s customers, %%s of them explained, %%s rated alone, %%s in parity'', pg_typeof((array_agg(customer_id))[1]), count(*), count(*) FILTER (WHERE (SELECT sum(e.contribution) FROM customer_tier.explain_rating($1, r.customer_id) e) = r.score),
                               count(*) FILTER (WHERE (SELECT o.score FROM customer_tier.rate_customer($1, r.customer_id, ''2024-12-31'') o) = r.score), (SELECT sum(p.tier_customers) FROM customer_tier.rating_parity($1, ''public.facts'', ''nps'', $2) p WHERE p.attribute_value IS NOT NULL))
                          FROM %I.scored_rating r', 'by ' || k) INTO said USING 'by ' || k, k::name;
        RAISE NOTICE '%', said;
    END LOOP;
END $$;
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program WHERE name = 'shop' OR name LIKE 'by %';
DROP TABLE keyed, facts;
DROP DOMAIN customer_no;
DROP TABLE orders, surveys, contracts, credit, explained, was, customers;
DROP FUNCTION tickets, card;

-- A run without anybody to measure stands in nobody's way.
CREATE TABLE late (id bigint, c int, at date, a numeric);
SELECT customer_tier.create_program('late', 'late', 'c', 'at', 'a', time_zone => 'UTC', window_days => 30, purchase_model => 'none');
SELECT customer_tier.set_scorecard('late', 'rfm', frozen_scale => true);
CALL customer_tier.refresh('late', '2024-12-31');
INSERT INTO late SELECT c, c, '2024-11-01', c FROM generate_series(1, 20) c;
SELECT score, r_score, f_score, m_score FROM customer_tier.rate_customer('late', 3, '2024-12-31');
SELECT count(*) FROM customer_tier.score_drift('late');
CALL customer_tier.refresh('late', '2024-12-31');
INSERT INTO late VALUES (21, 3, '2024-12-30', 5);
SELECT score, r_score, f_score, m_score FROM customer_tier.rate_customer('late', 3, '2024-12-31');
CALL customer_tier.refresh('late', '2024-12-31');
SELECT count(*), count(score) FROM late.ratings;

-- What cannot be is not promised: no day to come, no probability above 1.
SELECT customer_tier.create_program('bounds', 'late', 'c', 'at', 'a', time_zone => 'UTC', purchase_model => 'none');
SELECT customer_tier.set_scorecard('bounds', '[{"feature": "recency", "method": "z_score", "weight": 1}, {"feature": "tenure", "method": "z_score", "higher_is_better": false}, {"feature": "revenue"}]');
CALL customer_tier.refresh('bounds', '2024-12-31');
SELECT count(*) > 0 AS explained, count(*) FILTER (WHERE e.value_for_next_grade < 0) AS impossible
  FROM bounds.ratings r, LATERAL customer_tier.explain_rating('bounds', r.customer_id) e;
SELECT customer_tier.drop_program('late'), customer_tier.drop_program('bounds');
DROP TABLE late;
