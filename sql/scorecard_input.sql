-- Bad scorecards, grades and weights: an errcode, the offending value, a hint;
-- and nothing is changed.
\set SHOW_CONTEXT never
\set VERBOSITY default
CREATE TABLE orders (customer_id bigint, day date, amount numeric);
INSERT INTO orders SELECT c, date '2024-01-01' + (c * 7 % 90)::int + n * 30, c + n FROM generate_series(1, 20) c, generate_series(0, 2) n;
SELECT customer_tier.create_program('p', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC', purchase_model => 'none');
CALL customer_tier.refresh('p', '2024-06-30');
CREATE TABLE survey (customer_id bigint, code text, number int, score int, remark text, price money, at time, day date, day2 timestamptz, until date);
INSERT INTO survey (customer_id, number, score) SELECT c, c, c % 11 FROM generate_series(1, 20) c;
CREATE VIEW doubled AS SELECT customer_id, score FROM survey UNION ALL SELECT customer_id, 5 FROM survey WHERE customer_id IN (3, 7);
CREATE FUNCTION answers(day date) RETURNS TABLE (customer_id bigint, score int) LANGUAGE sql STABLE AS 'SELECT customer_id, score FROM survey';
CREATE FUNCTION guesses(day date) RETURNS TABLE (customer_id bigint, score int) LANGUAGE sql VOLATILE AS 'SELECT customer_id, score FROM survey';
CREATE FUNCTION of_number(n int) RETURNS TABLE (customer_id bigint, score int) LANGUAGE sql STABLE AS 'SELECT customer_id, score FROM survey';
CREATE FUNCTION one_number(day date) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';

CREATE FUNCTION attempt(command text) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN QUERY SELECT '00000', 'no error', NULL::text, NULL::text;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := nullif(detail, '');
    RETURN NEXT;
END $$;
-- a card that says this and a good dimension
CREATE FUNCTION card(dimension text, more text DEFAULT '') RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE sql AS
$$ SELECT a.* FROM attempt(format('SELECT customer_tier.set_scorecard(''p'', %L%s)', '[{"feature": "recency"}, ' || dimension || ']', more)) a $$;
CREATE TABLE before AS
SELECT (SELECT jsonb_agg(d ORDER BY name) FROM p.dimension d) AS card, (SELECT jsonb_agg(s) FROM p.scorecard s) AS scorecard,
       (SELECT jsonb_agg(g ORDER BY grade_rank) FROM p.grade g) AS grades, (SELECT jsonb_agg(w) FROM p.weighting w) AS weightings,
       (SELECT jsonb_agg(r ORDER BY customer_id) FROM p.ratings r) AS ratings;

\x on
\pset format aligned
-- ---- the card as a whole
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('nobody', 'rfm') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard(NULL, 'rfm') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', 'golden') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', NULL::text) $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', NULL::jsonb) $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', '') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', '[]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', '{"feature": "recency"}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', '[{"feature": "recency"') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', '["recency"]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', 'rfm', combination => 'median') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', 'rfm', min_coverage => 1.5) $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', 'rfm', min_coverage => 'NaN') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_scorecard('p', '[{"feature": "recency", "weight": 0}, {"feature": "frequency", "weight": 0}]') $$);
SELECT * FROM card('{"feature": "recency"}');
SELECT code, message, hint FROM attempt($$ SELECT customer_tier.set_scorecard('p', (SELECT jsonb_agg(jsonb_build_object('name', 'd' || n, 'relation', 'public.survey', 'column', 'score', 'key', 'customer_id')) FROM generate_series(1, 13) n), 'topsis') $$);
SELECT code, message, hint FROM attempt($$ SELECT customer_tier.set_scorecard('p', (SELECT jsonb_agg(jsonb_build_object('name', 'd' || n, 'relation', 'public.survey', 'column', 'score', 'key', 'customer_id')) FROM generate_series(1, 101) n)) $$);

-- ---- a dimension
SELECT * FROM card('{}');
SELECT * FROM card('{"feature": "happiness"}');
SELECT * FROM card('{"feature": null}');
SELECT * FROM card('{"feature": "orders", "wieght": 2, "colour": "red"}');
SELECT * FROM card('{"feature": "orders", "weight": -1}');
SELECT * FROM card('{"feature": "orders", "weight": "NaN"}');
SELECT * FROM card('{"feature": "orders", "weight": "Infinity"}');
SELECT * FROM card('{"feature": "orders", "weight": 1e400}');
SELECT * FROM card('{"feature": "orders", "weight": "much"}');
SELECT * FROM card('{"feature": "orders", "weight": null}');
SELECT * FROM card('{"feature": "orders", "higher_is_better": "perhaps"}');
SELECT * FROM card('{"feature": "orders", "method": "guess"}');
SELECT * FROM card('{"feature": "orders", "missing": "ignore"}');
SELECT * FROM card('{"feature": "orders", "parameters": [1]}');
SELECT * FROM card('{"feature": "orders", "floor": 1}');
SELECT * FROM card('{"feature": "orders", "floor_grade": "B"}');
SELECT * FROM card('{"feature": "orders", "floor": 1, "floor_grade": "Z"}');
SELECT * FROM card('{"feature": "orders", "floor": "NaN", "floor_grade": "B"}');
SELECT * FROM card('{"feature": "orders", "relation": "public.survey", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "", "relation": "public.survey", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"feature": "clv"}');
SELECT * FROM card('{"name": "", "feature": "orders"}');
SELECT * FROM card('{"name": 7, "feature": "orders"}');
SELECT * FROM card('{"label": null, "feature": "orders"}');
SELECT * FROM card('{"name": "s", "relation": 5, "column": "score", "key": "customer_id"}');

-- ---- parameters of methods
SELECT * FROM card('{"feature": "orders", "parameters": {"ties": "lucky"}}');
SELECT * FROM card('{"feature": "orders", "parameters": {"cuts": "quantile"}}');
SELECT * FROM card('{"feature": "orders", "method": "score", "parameters": {"scores": 1}}');
SELECT * FROM card('{"feature": "orders", "method": "score", "parameters": {"scores": 2.5}}');
SELECT * FROM card('{"feature": "orders", "method": "score", "parameters": {"cuts": "pretty"}}');
SELECT * FROM card('{"feature": "orders", "method": "min_max", "parameters": {"low": 0.9, "high": 0.1}}');
SELECT * FROM card('{"feature": "orders", "method": "min_max", "parameters": {"low": -1}}');
SELECT * FROM card('{"feature": "orders", "method": "z_score", "parameters": {"mean": 1}}');
SELECT * FROM card('{"feature": "orders", "method": "logistic", "parameters": {"slope": 0}}');
SELECT * FROM card('{"feature": "orders", "method": "logistic", "parameters": {"midpoint": "NaN"}}');
SELECT * FROM card('{"feature": "orders", "method": "logistic", "parameters": {"midpoint": 1e400}}');
SELECT * FROM card('{"feature": "orders", "method": "bands"}');
SELECT * FROM card('{"feature": "orders", "method": "bands", "parameters": {"thresholds": [1, 2], "points": [0, 100]}}');
SELECT * FROM card('{"feature": "orders", "method": "bands", "parameters": {"thresholds": [2, 1], "points": [0, 50, 100]}}');
SELECT * FROM card('{"feature": "orders", "method": "bands", "parameters": {"thresholds": [1], "points": [0, 101]}}');
SELECT * FROM card('{"feature": "orders", "method": "bands", "parameters": {"thresholds": [1], "points": [100, 0]}}');
SELECT * FROM card('{"feature": "recency", "name": "r2", "method": "bands", "parameters": {"thresholds": [1, "NaN"], "points": [0, 50, 100]}}');
SELECT * FROM card('{"feature": "orders", "method": "linear", "parameters": {"low": 1}}');
SELECT * FROM card('{"feature": "orders", "method": "linear", "parameters": {"low": 10, "high": 0}}');
SELECT * FROM card('{"feature": "orders", "method": "identity", "parameters": {"unit": "euro"}}');

-- ---- relations
SELECT * FROM card('{"name": "s", "relation": "public.nowhere", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "survey", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "a.b.c.d", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "key": "customer_id"}');
SELECT * FROM card('{"relation": "public.survey", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "function": "public.answers", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "points", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "score", "key": "client"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "score", "key": "customer_id", "day": "answered"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "remark", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "price", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "score", "key": "code"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "score", "key": "customer_id", "day": "at"}');
SELECT * FROM card('{"name": "s", "relation": "public.survey", "column": "score", "key": "customer_id", "day": "day", "valid_to": "number"}');
SELECT * FROM card('{"name": "s", "relation": "public.doubled", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "function": "public.nothing", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "function": "public.of_number", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "function": "public.guesses", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "function": "public.one_number", "column": "score", "key": "customer_id"}');
SELECT * FROM card('{"name": "s", "function": "public.answers", "column": "score", "key": "client"}');

-- ---- grades
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('nobody', '[{"code": "A"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', NULL) $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '["A", "B"]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": 50}, {"code": "A"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": ""}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": null}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "minimum": 50}, {"code": "B"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": 150}, {"code": "B"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": "NaN"}, {"code": "B"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": "high"}, {"code": "B"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": 50, "share": 0.1}, {"code": "B"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A"}, {"code": "B"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": 50}, {"code": "B", "min_score": 60}, {"code": "C"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "share": 0.5}, {"code": "B", "share": 0.2}, {"code": "C"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": 50}, {"code": "B", "share": 0.2}, {"code": "C"}]') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_grades('p', '[{"code": "A", "min_score": 50}, {"code": "B", "min_score": 10}]') $$);

-- ---- weights
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('nobody', 'equal') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'intuition') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', NULL) $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'equal', matrix => '{{1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,2},{0.5,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,2},{0.5,1},{1,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,0,3},{2,1,1},{0.3,1,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,-2,3},{-0.5,1,1},{0.3333,1,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,NaN,3},{2,1,1},{0.3333,1,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,2,3},{2,1,1},{0.3333,1,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,9,0.111111111111},{0.111111111111,1,9},{9,0.111111111111,1}}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,1,1},{1,1,1},{1,1,1}}', random_index => 'dice') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'ahp', matrix => '{{1,1,1},{1,1,1},{1,1,1}}', check_mode => 'shrug') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'roc', ranking => '{recency,monetary}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'roc', ranking => '{recency,monetary,monetary}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'equal', ranking => '{recency,monetary,frequency}') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'equal', objective => 'roc') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'critic', objective => 'entropy') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'equal', objective => 'critic', mix => 'stir') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'equal', objective => 'critic', mix => 'linear', share => 2) $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'equal', objective => 'critic', mix => 'linear', share => 'NaN') $$);

-- ---- asking
SELECT * FROM attempt($$ SELECT customer_tier.explain_rating('nobody', '1') $$);
SELECT * FROM attempt($$ SELECT customer_tier.explain_rating('p', 99) $$);
SELECT * FROM attempt($$ SELECT customer_tier.explain_rating('p', NULL::text) $$);
SELECT * FROM attempt($$ SELECT customer_tier.explain_rating('p', 'Smith') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rate_customer('nobody', '1') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rate_customer('p', 99, '2024-12-31') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rate_customer('p', NULL::text, '2024-12-31') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rate_customer('p', 1, 'infinity') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rate_customer('p', 1, '1999-01-01') $$);
SELECT * FROM attempt($$ SELECT customer_tier.score_drift('nobody') $$);
SELECT * FROM attempt($$ SELECT customer_tier.score_drift('p', 77) $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_reference('nobody') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_reference('p', 77) $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('p', 'survey', 'region', 'customer_id') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('p', 'survey', 'remark', 'client') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('p', 'survey', NULL, 'customer_id') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('p', NULL, 'remark', 'customer_id') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('p', 'survey', 'remark', 'remark') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('p', 'doubled', 'score', 'customer_id') $$);

-- ---- nothing of this changed anything
\x off
SELECT b.card = (SELECT jsonb_agg(d ORDER BY name) FROM p.dimension d) AS card, b.scorecard = (SELECT jsonb_agg(s) FROM p.scorecard s) AS scorecard,
       b.grades = (SELECT jsonb_agg(g ORDER BY grade_rank) FROM p.grade g) AS grades, b.weightings IS NOT DISTINCT FROM (SELECT jsonb_agg(w) FROM p.weighting w) AS weightings,
       b.ratings = (SELECT jsonb_agg(r ORDER BY customer_id) FROM p.ratings r) AS ratings
  FROM before b;

-- ---- before there are ratings
SELECT customer_tier.create_program('q', 'orders', 'customer_id', 'day', 'amount', time_zone => 'UTC');
\x on
SELECT * FROM attempt($$ SELECT customer_tier.explain_rating('q', 1) $$);
SELECT * FROM attempt($$ SELECT customer_tier.rate_customer('q', 1) $$);
SELECT * FROM attempt($$ SELECT customer_tier.score_drift('q') $$);
SELECT * FROM attempt($$ SELECT customer_tier.set_reference('q') $$);
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('q', 'entropy') $$);
SELECT * FROM attempt($$ SELECT customer_tier.rating_parity('q', 'survey', 'remark', 'customer_id') $$);
SELECT * FROM attempt($$ DELETE FROM q.dimension; SELECT customer_tier.weigh_scorecard('q', 'equal') $$);
\x off

-- ---- what was right and is right no more: a refresh says so and changes nothing
SELECT customer_tier.set_scorecard('p', '[{"feature": "revenue"}, {"name": "s", "relation": "public.survey", "column": "score", "key": "customer_id"}]');
CALL customer_tier.refresh('p', '2024-06-30');
CREATE TABLE published AS SELECT * FROM p.ratings;
INSERT INTO survey (customer_id, score) VALUES (12, 3), (15, 4);
CALL customer_tier.refresh('p', '2024-06-30');
SELECT problem, hint FROM customer_tier.check_program('p');
DELETE FROM survey WHERE number IS NULL;
ALTER TABLE survey RENAME COLUMN score TO points;
CALL customer_tier.refresh('p', '2024-06-30');
ALTER TABLE survey RENAME COLUMN points TO score;
ALTER TABLE survey RENAME TO surveys;
CALL customer_tier.refresh('p', '2024-06-30');
ALTER TABLE surveys RENAME TO survey;
UPDATE p.dimension SET weight = 0;
CALL customer_tier.refresh('p', '2024-06-30');
UPDATE p.dimension SET weight = 1, parameters = '{"ties": 7}' WHERE name = 's';
CALL customer_tier.refresh('p', '2024-06-30');
UPDATE p.dimension SET parameters = '{}', weight = 1;
DELETE FROM p.grade WHERE grade_rank = 4;
DELETE FROM p.scorecard;
SELECT problem, hint FROM customer_tier.check_program('p');
INSERT INTO p.scorecard DEFAULT VALUES;
INSERT INTO p.grade (grade_rank, code, label, label_zh, min_score) VALUES (4, 'CCC', 'CCC', 'CCC', 30);
UPDATE p.dimension SET feature = 'happiness' WHERE name = 'revenue';
SELECT problem, left(hint, 40) FROM customer_tier.check_program('p');
UPDATE p.dimension SET feature = 'revenue' WHERE name = 'revenue';
SELECT * FROM customer_tier.check_program('p');
SELECT count(*) AS changed FROM (TABLE published EXCEPT TABLE p.ratings) d;

-- ---- the tables' own rules
\set VERBOSITY terse
UPDATE p.dimension SET relation_name = 'survey' WHERE name = 'revenue';
UPDATE p.dimension SET feature = NULL WHERE name = 'revenue';
UPDATE p.dimension SET key_column = NULL WHERE name = 's';
UPDATE p.dimension SET floor = 1;
UPDATE p.dimension SET missing = 'guess';
UPDATE p.dimension SET weight = 'Infinity';
UPDATE p.scorecard SET combination = 'median';
UPDATE p.scorecard SET min_coverage = 2;
UPDATE p.grade SET share = 2 WHERE grade_rank = 1;
UPDATE p.grade SET share = 0.5 WHERE grade_rank = 2;
\set VERBOSITY default

-- ---- NaN, infinities and NULL in a relation are no values, and are counted as none
CREATE TABLE measured (customer_id bigint, n numeric, d double precision);
INSERT INTO measured SELECT c, CASE c WHEN 1 THEN 'NaN' WHEN 2 THEN NULL ELSE c::numeric END, CASE c WHEN 3 THEN 'NaN'::float8 WHEN 4 THEN 'Infinity' WHEN 5 THEN '-Infinity' ELSE c END FROM generate_series(1, 19) c;
SELECT customer_tier.set_scorecard('p', '[{"feature": "revenue"}, {"name": "n", "relation": "public.measured", "column": "n", "key": "customer_id"},
                                          {"name": "d", "relation": "public.measured", "column": "d", "key": "customer_id"}]');
CALL customer_tier.refresh('p', '2024-06-30');
SELECT name, d.customers, absent, minimum, maximum FROM p.run_dimension d JOIN p.run USING (run_id) WHERE is_current ORDER BY "position";
SELECT customer_id, coverage FROM p.ratings WHERE coverage < 1 ORDER BY 1;
-- weights are those of the published points, whatever the relation says since
CREATE TEMP TABLE weighed AS SELECT name, weight FROM customer_tier.weigh_scorecard('p', 'critic');
UPDATE measured SET n = customer_id % 3, d = -customer_id;
SELECT count(*) = 3 AND bool_and(w.weight = b.weight) AS the_same FROM weighed AS b JOIN customer_tier.weigh_scorecard('p', 'critic') AS w USING (name);
UPDATE p.dimension SET weight = 1;
DROP TABLE weighed;

-- ---- a dimension with no value at all
TRUNCATE measured;
CALL customer_tier.refresh('p', '2024-06-30');
SELECT name, d.customers, absent, minimum, maximum, deviation FROM p.run_dimension d JOIN p.run USING (run_id) WHERE is_current ORDER BY "position";
SELECT count(*), count(score), min(coverage), max(coverage) FROM p.ratings;
SELECT name, value, customer_rank, customers, points, contribution, best_value, value_for_next_grade FROM customer_tier.explain_rating('p', 7);
SELECT name, psi, alarm, advice FROM customer_tier.score_drift('p', (SELECT max(run_id) FROM p.run WHERE has_scales AND NOT is_current));
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'critic') $$) \gx
-- with every method, and a card of nothing else
SELECT customer_tier.set_scorecard('p', '[{"name": "score", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "score"},
    {"name": "percentile", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "percentile"},
    {"name": "min_max", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "min_max"},
    {"name": "z_score", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "z_score"},
    {"name": "logistic", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "logistic"},
    {"name": "bands", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "bands", "parameters": {"thresholds": [1], "points": [0, 100]}},
    {"name": "linear", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "linear", "parameters": {"low": 0, "high": 1}},
    {"name": "identity", "relation": "public.measured", "column": "n", "key": "customer_id", "method": "identity"}]');
CREATE PROCEDURE with_each_combination() LANGUAGE plpgsql AS $$
DECLARE
    way text;
BEGIN
    FOREACH way IN ARRAY '{mean,geometric,topsis}'::text[] LOOP
        UPDATE p.scorecard SET combination = way;
        CALL customer_tier.refresh('p', '2024-06-30');
        RAISE INFO '%: % customers, % scores, % grades, reasons %, points % to %', way, (SELECT count(*) FROM p.ratings), (SELECT count(score) FROM p.ratings), (SELECT count(grade) FROM p.ratings),
            (SELECT array_agg(DISTINCT tier_reason) FROM p.ratings), (SELECT min(score) FROM p.ratings), (SELECT max(score) FROM p.ratings);
    END LOOP;
END $$;
CALL with_each_combination();
SELECT * FROM customer_tier.explain_rating('p', 7);
-- neutral and worst are scores all the same
UPDATE p.dimension SET missing = CASE WHEN "position" % 2 = 0 THEN 'neutral' ELSE 'worst' END;
CALL with_each_combination();
UPDATE p.dimension SET missing = 'no_rating' WHERE "position" = 1;
CALL with_each_combination();
-- one customer with a value
UPDATE p.dimension SET missing = 'renormalise';
INSERT INTO measured VALUES (7, 0.5);
CALL with_each_combination();

-- ---- one customer only, and none
DELETE FROM orders WHERE customer_id <> 7;
CALL with_each_combination();
SELECT kind, name, value, customer_rank, customers, points, contribution, value_for_next_grade FROM customer_tier.explain_rating('p', 7);
SELECT score, grade FROM customer_tier.rate_customer('p', 7, '2024-06-30');
SELECT name, psi, ks, alarm FROM customer_tier.score_drift('p');
SELECT * FROM customer_tier.weigh_scorecard('p', 'entropy');
SELECT * FROM customer_tier.weigh_scorecard('p', 'critic');
SELECT customer_tier.set_grades('p', '[{"code": "A", "share": 0.5}, {"code": "B"}]');
CALL with_each_combination();
SELECT grade FROM p.ratings;
DELETE FROM orders;
CALL with_each_combination();
SELECT * FROM p.ratings;
SELECT * FROM p.rate('2024-06-30');
SELECT name, psi, alarm, advice FROM customer_tier.score_drift('p');
SELECT * FROM customer_tier.rating_parity('p', 'survey', 'remark', 'customer_id');
SELECT * FROM attempt($$ SELECT customer_tier.weigh_scorecard('p', 'critic') $$) \gx
-- a floor, and no grade at all
DELETE FROM p.grade;
UPDATE p.dimension SET floor = 0, floor_grade = 'A' WHERE "position" = 1;
SELECT problem, hint FROM customer_tier.check_program('p') WHERE problem ~ 'caps';
SELECT customer_tier.drop_program('p'), customer_tier.drop_program('q');
DROP VIEW doubled;
DROP TABLE orders, survey, measured, published, before;
DROP PROCEDURE with_each_combination;
DROP FUNCTION answers, guesses, of_number, one_number, attempt, card;
