-- simulate_moves(), simulate_matrix(): everyone rated under other rules,
-- without writing.  The oracle makes each change for real, refreshes the same
-- day again, compares, and takes it all back.
\set SHOW_CONTEXT never
SET datestyle = 'ISO';
SET client_min_messages = error;
CREATE TABLE orders (customer_id int, day date, amount numeric);
INSERT INTO orders SELECT c, date '2023-01-01' + (c * 37 % 200) + n * (5 + c * 13 % 60), 10 + (c * 71 + n * 29) % 200
  FROM generate_series(1, 300) c, generate_series(0, c % 9) n;
INSERT INTO orders SELECT c, date '2023-11-20', -(c % 40) FROM generate_series(1, 300, 4) c;
INSERT INTO orders SELECT customer_id, date '2024-01-05', -sum(amount) FROM orders WHERE customer_id % 50 = 7 GROUP BY 1;
CREATE TABLE customers (id int);
INSERT INTO customers SELECT generate_series(1, 320);
CREATE TABLE credit (customer_id int, overdue int);
INSERT INTO credit SELECT c, c * 31 % 120 FROM generate_series(1, 250) c;
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC', customers => 'customers', customers_key => 'id', purchase_model => 'none');
SELECT customer_tier.set_scorecard('shop', '[{"feature": "recency", "weight": 2}, {"feature": "frequency", "weight": 3}, {"feature": "monetary", "weight": 4},
  {"name": "overdue", "relation": "public.credit", "column": "overdue", "key": "customer_id", "higher_is_better": false, "weight": 1, "floor": 100, "floor_grade": "B", "missing": "neutral"}]');
UPDATE shop.tier SET benefit_cost = CASE code WHEN 'platinum' THEN 120 WHEN 'gold' THEN 40.5 WHEN 'silver' THEN 8 END;
UPDATE shop.tier_policy SET delta = 4, grace_days = 45, hold_days = 30, downgrade_confirm = 2;
INSERT INTO shop.tier_override (customer_id, tier, reason, lock, valid_from) VALUES (3, 'platinum', 'a friend', false, '2023-01-01'), (8, 'silver', 'a foe', true, '2023-01-01');
CALL customer_tier.refresh('shop', '2023-09-30');
CALL customer_tier.refresh('shop', '2023-10-31');
UPDATE shop.tier SET min_score = min_score + 2 WHERE tier_rank = 3;
CALL customer_tier.refresh('shop', '2023-11-30');
CALL customer_tier.refresh('shop', '2023-12-31');
CALL customer_tier.refresh('shop', '2024-01-31');
SELECT tier, tier_reason, count(*) FROM shop.scored_rating GROUP BY tier_rank, 1, 2 ORDER BY tier_rank DESC, 2;

-- ---- the oracle
CREATE TEMP TABLE tried AS SELECT * FROM customer_tier.simulate_moves('shop', '{}');
CREATE TEMP TABLE matrix AS SELECT * FROM customer_tier.simulate_matrix('shop', '{}');
CREATE TEMP TABLE before AS TABLE shop.scored_rating;
CREATE FUNCTION pg_temp.compare(changes jsonb, edits text, OUT moves bigint, OUT up bigint, OUT differences bigint, OUT matrix_differences bigint) LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    DELETE FROM tried; DELETE FROM matrix; DELETE FROM before;
    INSERT INTO before TABLE shop.scored_rating;
    INSERT INTO tried SELECT * FROM customer_tier.simulate_moves('shop', changes);
    INSERT INTO matrix SELECT * FROM customer_tier.simulate_matrix('shop', changes);
    BEGIN
        EXECUTE edits;
        CALL customer_tier.refresh('shop', customer_tier.published_day('shop'));
        WITH real AS (
            SELECT b.customer_id::text, b.tier, a.tier AS to_tier, b.tier_rank, a.tier_rank AS to_rank, b.score, a.score AS new_score, b.grade, a.grade AS new_grade, a.tier_reason, b.revenue
              FROM before b JOIN shop.scored_rating a USING (customer_id)
        ), moved AS (SELECT * FROM real WHERE tier <> to_tier
        ), simulated AS (SELECT customer_id, from_tier, to_tier, from_rank, to_rank, score::numeric, new_score, grade, new_grade, reason, revenue FROM tried
        ), counted AS (SELECT r.tier, r.to_tier, r.tier_rank, r.to_rank, count(*), sum(r.revenue), count(*) * t.benefit_cost FROM real r LEFT JOIN shop.tier t ON t.code = r.to_tier GROUP BY 1, 2, 3, 4, t.benefit_cost
        ), cells AS (SELECT from_tier, to_tier, from_rank, to_rank, customers, revenue, benefit_cost_after FROM matrix
        )
        SELECT (SELECT count(*) FROM tried) || ' ' || (SELECT count(*) FROM tried WHERE direction = 'up') || ' '
               || (SELECT count(*) FROM ((TABLE moved EXCEPT ALL TABLE simulated) UNION ALL (TABLE simulated EXCEPT ALL TABLE moved)) d) || ' '
               || (SELECT count(*) FROM ((TABLE counted EXCEPT ALL TABLE cells) UNION ALL (TABLE cells EXCEPT ALL TABLE counted)) d) INTO found;
        RAISE EXCEPTION 'take it back' USING ERRCODE = 'ZZ001';
    EXCEPTION
        WHEN SQLSTATE 'ZZ001' THEN
            moves := split_part(found, ' ', 1); up := split_part(found, ' ', 2); differences := split_part(found, ' ', 3); matrix_differences := split_part(found, ' ', 4);
    END;
END
$$;
CREATE TEMP TABLE cases (n int GENERATED ALWAYS AS IDENTITY, changes jsonb, edits text);
INSERT INTO cases (changes, edits) VALUES
    ('{}', 'SELECT'),
    -- tiers
    ('{"tiers": {"gold": {"min_score": 60}}}', 'UPDATE shop.tier SET min_score = 60 WHERE code = ''gold'''),
    ('{"tiers": {"gold": {"min_score": 78}, "silver": {"min_score": 55}}}', 'UPDATE shop.tier SET min_score = CASE code WHEN ''gold'' THEN 78 ELSE 55 END WHERE code IN (''gold'', ''silver'')'),
    ('{"tiers": {"diamond": {"tier_rank": 5, "min_score": 92, "benefit_cost": 300}}}', 'INSERT INTO shop.tier (tier_rank, code, label, label_zh, min_score, benefit_cost) VALUES (5, ''diamond'', ''D'', ''D'', 92, 300)'),
    ('{"tiers": {"gold": null, "platinum": {"tier_rank": 3}}}', 'DELETE FROM shop.tier WHERE code = ''gold''; UPDATE shop.tier SET tier_rank = 3 WHERE code = ''platinum'''),
    ('{"tiers": {"new": {"tier_rank": 3, "min_score": 55}, "gold": {"tier_rank": 4}, "platinum": {"tier_rank": 5}}}',
     'UPDATE shop.tier SET tier_rank = 5 WHERE code = ''platinum''; UPDATE shop.tier SET tier_rank = 4 WHERE code = ''gold''; INSERT INTO shop.tier (tier_rank, code, label, label_zh, min_score) VALUES (3, ''new'', ''N'', ''N'', 55)'),
    ('{"tiers": {"platinum": {"entry": {"share": 0.05}}}}', 'UPDATE shop.tier SET entry = ''{"share": 0.05}'', min_score = NULL WHERE code = ''platinum'''),
    ('{"tiers": {"platinum": {"entry": [{"capacity": 12}], "stay": {"capacity": 20}}}, "policy": {"tie_break": ["revenue"]}}',
     'UPDATE shop.tier SET entry = ''[{"capacity": 12}]'', stay = ''{"capacity": 20}'', min_score = NULL WHERE code = ''platinum''; UPDATE shop.tier_policy SET tie_break = ''{revenue}'''),
    ('{"tiers": {"platinum": {"entry": [{"revenue": {"at_least": 400, "days": 200}, "orders": {"at_least": 4}}, {"overdue": {"at_most": 3}, "score": 60}]}}}',
     'UPDATE shop.tier SET entry = ''[{"revenue": {"at_least": 400, "days": 200}, "orders": {"at_least": 4}}, {"overdue": {"at_most": 3}, "score": 60}]'', min_score = NULL WHERE code = ''platinum'''),
    -- policy
    ('{"policy": {"delta": 0}}', 'UPDATE shop.tier_policy SET delta = 0'),
    ('{"policy": {"delta": 0, "grace_days": 0, "hold_days": 0, "downgrade_confirm": 1}}', 'UPDATE shop.tier_policy SET delta = 0, grace_days = 0, hold_days = 0, downgrade_confirm = 1'),
    ('{"policy": {"upgrade_confirm": 2, "one_level": true, "downgrade_needs": "either"}}', 'UPDATE shop.tier_policy SET upgrade_confirm = 2, one_level = true, downgrade_needs = ''either'''),
    ('{"policy": {"max_refund_rate": 0.1, "revoke_on_refund": true}}', 'UPDATE shop.tier_policy SET max_refund_rate = 0.1, revoke_on_refund = true'),
    ('{"policy": {"max_refund_rate": null}}', 'UPDATE shop.tier_policy SET max_refund_rate = NULL'),
    ('{"policy": {"grandfather": true, "grace_days": 0, "downgrade_confirm": 1}, "tiers": {"gold": {"min_score": 75}}}',
     'UPDATE shop.tier_policy SET grandfather = true, grace_days = 0, downgrade_confirm = 1; UPDATE shop.tier SET min_score = 75 WHERE code = ''gold'''),
    ('{"policy": {"grandfather": true}}', 'UPDATE shop.tier_policy SET grandfather = true'),
    -- weights, dimensions, combination, grades
    ('{"weights": {"recency": 0, "overdue": 5}}', 'UPDATE shop.dimension SET weight = CASE name WHEN ''recency'' THEN 0 ELSE 5 END WHERE name IN (''recency'', ''overdue'')'),
    ('{"dimensions": {"monetary": {"method": "min_max", "parameters": {"low": 0.1, "high": 0.9}}, "recency": {"method": "score"}}}',
     'UPDATE shop.dimension SET method = ''min_max'', parameters = ''{"low": 0.1, "high": 0.9}'' WHERE name = ''monetary''; UPDATE shop.dimension SET method = ''score'' WHERE name = ''recency'''),
    ('{"dimensions": {"frequency": {"method": "logistic", "weight": 8}, "overdue": {"method": "z_score", "missing": "worst"}}}',
     'UPDATE shop.dimension SET method = ''logistic'', weight = 8 WHERE name = ''frequency''; UPDATE shop.dimension SET method = ''z_score'', missing = ''worst'' WHERE name = ''overdue'''),
    ('{"dimensions": {"overdue": null}}', 'DELETE FROM shop.dimension WHERE name = ''overdue'''),
    ('{"dimensions": {"recency": null, "overdue": {"missing": "no_rating"}}}', 'DELETE FROM shop.dimension WHERE name = ''recency''; UPDATE shop.dimension SET missing = ''no_rating'' WHERE name = ''overdue'''),
    ('{"dimensions": {"tenure": {"weight": 3}, "size": {"feature": "average_order"}}}',
     'INSERT INTO shop.dimension (name, "position", label, label_zh, weight, higher_is_better, feature) VALUES (''tenure'', 6, ''T'', ''T'', 3, true, ''tenure''), (''size'', 5, ''S'', ''S'', 1, true, ''average_order'')'),
    ('{"scorecard": {"combination": "geometric"}}', 'UPDATE shop.scorecard SET combination = ''geometric'''),
    ('{"scorecard": {"combination": "topsis"}}', 'UPDATE shop.scorecard SET combination = ''topsis'''),
    ('{"scorecard": {"combination": "topsis", "min_coverage": 1}, "weights": {"monetary": 9}, "dimensions": {"recency": {"method": "linear", "parameters": {"low": 300, "high": 0}}}}',
     'UPDATE shop.scorecard SET combination = ''topsis'', min_coverage = 1; UPDATE shop.dimension SET weight = 9 WHERE name = ''monetary''; UPDATE shop.dimension SET method = ''linear'', parameters = ''{"low": 300, "high": 0}'' WHERE name = ''recency'''),
    ('{"grades": {"AAA": {"min_score": 95}, "AA": null, "A": {"grade_rank": 8}, "AAA": {"grade_rank": 9, "min_score": 95}}, "weights": {"recency": 6}}',
     'DELETE FROM shop.grade WHERE code = ''AA''; UPDATE shop.grade SET grade_rank = 9, min_score = 95 WHERE code = ''AAA''; UPDATE shop.dimension SET weight = 6 WHERE name = ''recency'''),
    ('{"grades": {"AAA": {"share": 0.05}, "AA": {"share": 0.1}, "A": {"share": 0.2}, "BBB": {"share": 0.3}, "BB": {"share": 0.4}, "B": {"share": 0.5}, "CCC": {"share": 0.6}, "CC": {"share": 0.7}, "C": {"share": 0.8}}, "weights": {"recency": 6}}',
     'UPDATE shop.grade SET min_score = NULL, share = CASE WHEN grade_rank = 10 THEN 0.05 ELSE (10 - grade_rank) / 10.0 END WHERE grade_rank > 1; UPDATE shop.dimension SET weight = 6 WHERE name = ''recency'''),
    -- everything
    ('{"tiers": {"platinum": {"entry": {"share": 0.1}}, "gold": {"min_score": 70}}, "policy": {"delta": 2, "grace_days": 0}, "weights": {"frequency": 6}, "dimensions": {"monetary": {"method": "min_max"}}, "scorecard": {"combination": "topsis"}}',
     'UPDATE shop.tier SET entry = ''{"share": 0.1}'', min_score = NULL WHERE code = ''platinum''; UPDATE shop.tier SET min_score = 70 WHERE code = ''gold''; UPDATE shop.tier_policy SET delta = 2, grace_days = 0;
      UPDATE shop.dimension SET weight = 6 WHERE name = ''frequency''; UPDATE shop.dimension SET method = ''min_max'' WHERE name = ''monetary''; UPDATE shop.scorecard SET combination = ''topsis''');
SELECT n, left(c.changes::text, 100) AS changes, r.* FROM cases c, LATERAL pg_temp.compare(c.changes, c.edits) r ORDER BY n;

-- the relation has changed since: what it said at the refresh counts
BEGIN;
UPDATE credit SET overdue = 0;
SELECT count(*) FROM customer_tier.simulate_moves('shop', '{}');
ROLLBACK;
-- a customer who came since has no rating to differ from
BEGIN;
INSERT INTO customers VALUES (999);
SELECT sum(customers) FROM customer_tier.simulate_matrix('shop', '{}');
ROLLBACK;
-- edits that no refresh has followed yet are part of what is tried; so are changes that are due
BEGIN;
UPDATE shop.tier SET min_score = 60 WHERE code = 'gold';
SELECT count(*) FROM customer_tier.simulate_moves('shop', '{}');
SELECT count(*) FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"min_score": 67}}}');
ROLLBACK;
BEGIN;
INSERT INTO shop.tier_change (valid_from, changes) VALUES ('2024-02-01', '{"tiers": {"gold": {"min_score": 60}}}');
SELECT count(*) FROM customer_tier.simulate_moves('shop', '{}');
UPDATE shop.tier_change SET valid_from = '2024-01-31';
SELECT count(*) FROM customer_tier.simulate_moves('shop', '{}');
ROLLBACK;

-- ---- grades by shares: those of the published run are of other scores
BEGIN;
UPDATE shop.grade SET min_score = NULL, share = (11 - grade_rank) / 20.0 WHERE grade_rank > 1;
CALL customer_tier.refresh('shop', '2024-02-29');
SELECT left(c.changes, 100) AS changes, r.* FROM (VALUES
    ('{}', 'SELECT'),
    ('{"weights": {"recency": 9}}', 'UPDATE shop.dimension SET weight = 9 WHERE name = ''recency'''),
    ('{"scorecard": {"frozen_scale": true}, "weights": {"recency": 9}}', 'UPDATE shop.scorecard SET frozen_scale = true; UPDATE shop.dimension SET weight = 9 WHERE name = ''recency''')) AS c (changes, edits),
    LATERAL pg_temp.compare(c.changes::jsonb, c.edits) r;
ROLLBACK;
-- ---- frozen scales, and letting them go
BEGIN;
UPDATE shop.scorecard SET frozen_scale = true;
UPDATE shop.grade SET min_score = NULL, share = (11 - grade_rank) / 20.0 WHERE grade_rank > 1;
INSERT INTO orders SELECT c, '2024-02-10', 500 FROM generate_series(1, 60) c;
CALL customer_tier.refresh('shop', '2024-02-29');
SELECT is_frozen FROM shop.run WHERE is_current;
SELECT left(c.changes, 100) AS changes, r.* FROM (VALUES
    ('{}', 'SELECT'),
    ('{"scorecard": {"frozen_scale": false}}', 'UPDATE shop.scorecard SET frozen_scale = false'),
    ('{"scorecard": {"frozen_scale": false}, "tiers": {"platinum": {"entry": {"segment": ["champions", "loyal"]}}}}', 'UPDATE shop.scorecard SET frozen_scale = false; UPDATE shop.tier SET entry = ''{"segment": ["champions", "loyal"]}'', min_score = NULL WHERE code = ''platinum'''),
    ('{"weights": {"recency": 9}}', 'UPDATE shop.dimension SET weight = 9 WHERE name = ''recency'''),
    ('{"dimensions": {"monetary": {"method": "z_score"}}}', 'UPDATE shop.dimension SET method = ''z_score'' WHERE name = ''monetary''')) AS c (changes, edits),
    LATERAL pg_temp.compare(c.changes::jsonb, c.edits) r;
ROLLBACK;

-- ---- from scratch: as if nobody had ever stood anywhere
SELECT direction, count(*) FROM customer_tier.simulate_moves('shop', '{}', from_scratch => true) GROUP BY 1 ORDER BY 1;
SELECT count(*) AS differences FROM (
    (SELECT m.from_tier, m.to_tier, m.customers FROM customer_tier.simulate_matrix('shop', '{"tiers": {"gold": {"min_score": 71}}}', true) m
     EXCEPT ALL
     SELECT k.tier, o.tier, count(*) FROM shop.scored_rating k,
            LATERAL (SELECT CASE WHEN k.customer_id = 8 THEN 'silver' WHEN k.customer_id = 3 THEN 'platinum' WHEN k.refunded > 0 AND k.refunded >= 0.8 * (k.revenue + k.refunded) THEN 'bronze'
                                 WHEN k.score >= 85 THEN 'platinum' WHEN k.score >= 71 THEN 'gold' WHEN k.score >= 40 THEN 'silver' ELSE 'bronze' END AS tier) o
      GROUP BY 1, 2)) d;

-- ---- the matrix adds up, and says what it costs
SELECT * FROM customer_tier.simulate_matrix('shop', '{"tiers": {"gold": {"min_score": 60, "benefit_cost": 30}, "bronze": {"benefit_cost": 0}}}');
SELECT sum(m.customers) = (SELECT count(*) FROM shop.scored_rating) AS customers, sum(m.revenue) = (SELECT sum(revenue) FROM shop.scored_rating) AS revenue,
       (SELECT count(*) FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": 9}}')) = sum(m.customers) FILTER (WHERE m.from_tier <> m.to_tier) AS moves
  FROM customer_tier.simulate_matrix('shop', '{"weights": {"recency": 9}}') m;
SELECT from_tier, count(*) FILTER (WHERE abs(s - 1) > 0.0003) FROM (SELECT from_tier, sum(share) AS s FROM customer_tier.simulate_matrix('shop', '{"weights": {"recency": 9}}') GROUP BY 1) x GROUP BY 1 ORDER BY 1;

-- direction by the tiers' places, where ranks are not those they were
SELECT from_tier, to_tier, from_rank, to_rank, direction FROM customer_tier.simulate_matrix('shop', '{"tiers": {"new": {"tier_rank": 3, "min_score": 55}, "gold": {"tier_rank": 4}, "platinum": {"tier_rank": 5}}}', true) WHERE direction <> 'same' OR from_tier <> to_tier;
SELECT from_tier, to_tier, from_rank, to_rank, direction FROM customer_tier.simulate_matrix('shop', '{"tiers": {"gold": null, "platinum": {"tier_rank": 3}}, "policy": {"max_refund_rate": null}}') WHERE from_tier <> to_tier;

-- ---- nothing is written: a read-only transaction, no number of a transaction taken, no catalog touched
BEGIN READ ONLY;
SELECT count(*) > 0 AS moves FROM customer_tier.simulate_moves('shop', '{"dimensions": {"monetary": {"method": "min_max"}}, "scorecard": {"combination": "topsis"}, "tiers": {"platinum": {"entry": {"share": 0.1}}}}');
SELECT count(*) > 0 AS cells FROM customer_tier.simulate_matrix('shop', '{"weights": {"recency": 9}}', true);
SELECT txid_current_if_assigned() IS NULL AS nothing_written;
COMMIT;
-- whoever may read the program may simulate, also without the relations that dimensions come from
CREATE ROLE regress_simulate_reader;
GRANT USAGE ON SCHEMA shop TO regress_simulate_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO regress_simulate_reader;
GRANT SELECT ON customers TO regress_simulate_reader;
SET ROLE regress_simulate_reader;
SELECT count(*) > 0 AS moves FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": 9}}');
RESET ROLE;
REVOKE SELECT ON shop.rating FROM regress_simulate_reader;
SET ROLE regress_simulate_reader;
SELECT count(*) > 0 AS moves FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": 9}}');
RESET ROLE;
DROP OWNED BY regress_simulate_reader;
DROP ROLE regress_simulate_reader;

-- ---- predictions: the models are those of the published run
SELECT customer_tier.create_program('models', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC');
SELECT customer_tier.set_scorecard('models', '[{"feature": "clv", "weight": 3, "floor": 20, "floor_grade": "C"}, {"feature": "p_active"}, {"feature": "revenue"}]', combination => 'topsis');
UPDATE models.tier SET entry = '{"clv": 30, "p_alive": 0.3}', min_score = NULL WHERE code = 'platinum';
CALL customer_tier.refresh('models', '2023-11-30');
CALL customer_tier.refresh('models', '2023-12-31');
BEGIN;
CREATE TEMP TABLE published AS TABLE models.scored_rating;
CREATE TEMP TABLE simulated AS SELECT * FROM customer_tier.simulate_moves('models', '{"dimensions": {"clv": {"method": "z_score"}, "expected_purchases": {"weight": 2}}, "tiers": {"platinum": {"entry": {"clv": 10}}}, "policy": {"delta": 0}}');
UPDATE models.dimension SET method = 'z_score' WHERE name = 'clv';
INSERT INTO models.dimension (name, "position", label, label_zh, weight, higher_is_better, feature) VALUES ('expected_purchases', 4, 'E', 'E', 2, true, 'expected_purchases');
UPDATE models.tier SET entry = '{"clv": 10}' WHERE code = 'platinum';
UPDATE models.tier_policy SET delta = 0;
CALL customer_tier.refresh('models', '2023-12-31');
SELECT count(*) > 10 AS moves, count(*) FILTER (WHERE (from_tier, to_tier, new_score, new_grade, reason) IS DISTINCT FROM (p.tier, r.tier, r.score, r.grade, r.tier_reason)) AS differences
  FROM simulated FULL JOIN (published p JOIN models.scored_rating r USING (customer_id)) ON simulated.customer_id = p.customer_id::text
 WHERE simulated.customer_id IS NOT NULL OR p.tier <> r.tier;
ROLLBACK;

-- ---- names of every kind
CREATE SCHEMA "o'rders %s";
CREATE TABLE "o'rders %s"."t $1" ("k""ey" text COLLATE "C", "d%L" timestamptz, "a'm" bigint);
INSERT INTO "o'rders %s"."t $1" SELECT 'c''' || c || '%I', timestamptz '2023-01-01 12:00+00' + c * 3 * interval '1 day' + n * interval '20 days', 10 + (c * 7 + n) % 90 FROM generate_series(1, 60) c, generate_series(0, c % 5) n;
CREATE TABLE "o'rders %s"."s""core" ("k" text, "v%s" real);
INSERT INTO "o'rders %s"."s""core" SELECT 'c''' || c || '%I', c * 7 % 50 FROM generate_series(1, 60) c;
SELECT customer_tier.create_program(E'it''s "a" %s\n$1', '"o''rders %s"."t $1"', 'k"ey', 'd%L', 'a''m', time_zone => 'UTC', schema => 'we"ird ''%1$s $2');
SELECT customer_tier.set_scorecard(E'it''s "a" %s\n$1', E'[{"feature": "revenue", "name": "r\'%1$I\\n\\" -- x"}, {"name": "$1 o''ther", "relation": "\\"o''rders %s\\".\\"s\\"\\"core\\"", "column": "v%s", "key": "k"}]');
UPDATE "we""ird '%1$s $2".tier SET code = E'g''o%s"l\nd $1' WHERE tier_rank = 3;
UPDATE "we""ird '%1$s $2".tier SET entry = E'{"r\'%1$I\\n\\" -- x": {"at_least": 150}}', min_score = NULL WHERE tier_rank = 4;
CALL customer_tier.refresh(E'it''s "a" %s\n$1', '2023-12-31');
SELECT count(*) FROM customer_tier.simulate_moves(E'it''s "a" %s\n$1', '{}');
SELECT customer_id, from_tier, to_tier, direction, reason FROM customer_tier.simulate_moves(E'it''s "a" %s\n$1',
    E'{"tiers": {"g\'o%s\\"l\\nd $1": {"entry": {"$1 o\'ther": 40, "r\'%1$I\\n\\" -- x": 90}}, "di''a\\"%I": {"tier_rank": 5, "min_score": 95}}, "weights": {"$1 o''ther": 2}, "dimensions": {"r''%1$I\\n\\" -- x": {"method": "z_score"}}}') LIMIT 5;

-- ---- bad input
SELECT * FROM customer_tier.simulate_moves('none', '{}');
SELECT * FROM customer_tier.simulate_moves(NULL, '{}');
SELECT * FROM customer_tier.simulate_moves('shop', NULL);
SELECT * FROM customer_tier.simulate_moves('shop', '{}', NULL);
SELECT * FROM customer_tier.simulate_moves('shop', '[1]');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tier": {}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": ["gold"]}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": 70}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"minscore": 70}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gould": {"min_score": 70}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gould": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"min_score": "high"}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"min_score": 170}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"min_score": 30}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"bronze": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"tier_rank": 2}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"tier_rank": null}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"tier_rank": 1e10}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"entry": {"colour": 3}}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"gold": {"entry": {"overdue": 3}}}, "dimensions": {"overdue": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"policy": {"grace": 3}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"policy": {"grace_days": -3}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"policy": {"grace_days": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"policy": {"upgrade_at": "someday"}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"policy": null}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"weights": {"loyalty": 1}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": -1}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": 1}, "dimensions": {"recency": {"weight": 2}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": 1}, "dimensions": {"recency": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"weights": {"recency": 0, "frequency": 0, "monetary": 0, "overdue": 0}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"recency": {"feature": "tenure"}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"age": {"feature": "tenur"}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"loyalty": null}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"clv": {}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"recency": {"method": "magic"}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"recency": {"method": "linear"}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"recency": {"missing": "kind"}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"dimensions": {"recency": {"floor": 3}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"scorecard": {"combination": "sum"}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"scorecard": {"combine": "mean"}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"grades": {"AAAA": {"min_score": 99}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"grades": {"AAA": {"min_score": 70}}}');
SELECT * FROM customer_tier.simulate_moves('shop', '{"grades": {"AAA": {"colour": 70}}}');
-- an override into a tier that would be no more
SELECT * FROM customer_tier.simulate_moves('shop', '{"tiers": {"platinum": null}}');
-- settings that no refresh has followed yet
BEGIN;
UPDATE shop.settings SET window_days = 90;
SELECT * FROM customer_tier.simulate_moves('shop', '{}');
ROLLBACK;
BEGIN;
SELECT customer_tier.create_program('fresh', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC');
SELECT * FROM customer_tier.simulate_matrix('fresh', '{}');
ROLLBACK;
-- nobody to rate
CREATE TABLE none (LIKE orders);
SELECT customer_tier.create_program('empty', 'none', 'customer_id', 'day', 'amount', time_zone => 'UTC');
CALL customer_tier.refresh('empty', '2024-01-31');
SELECT * FROM customer_tier.simulate_matrix('empty', '{"dimensions": {"monetary": {"method": "z_score"}}, "scorecard": {"combination": "topsis"}}');

SELECT customer_tier.drop_program('shop'), customer_tier.drop_program('models'), customer_tier.drop_program('empty'), customer_tier.drop_program(E'it''s "a" %s\n$1');
DROP TABLE orders, customers, credit, none;
DROP SCHEMA "o'rders %s" CASCADE;
