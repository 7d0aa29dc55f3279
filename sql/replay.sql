-- Tiers over past days: replay(), tune_policy() and suggest_tiers().
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA replay_test;
SET search_path = replay_test, customer_tier, public;

-- ---- a shop with everything that moves tiers: refunds, overrides, changes of
-- ---- rules, terms that stay, shares and capacities

CREATE TABLE orders AS
SELECT order_id, customer_id, ordered_at, amount FROM demo_orders(400, 500, 5)
UNION ALL
-- refunds of some orders, whole ones and parts, some days later
SELECT -order_id, customer_id, ordered_at + make_interval(days => 3 + (order_id % 40)::int), -amount * CASE WHEN order_id % 3 = 0 THEN 0.5 ELSE 1 END
  FROM demo_orders(400, 500, 5)
 WHERE order_id % 7 = 0;
CREATE TABLE people AS SELECT c AS id, 'person ' || c AS name FROM generate_series(1, 420) c;
CREATE TABLE surveys AS
SELECT c AS customer_id, date '2024-01-01' + (c % 300)::int AS answered_on, (c * 7) % 11 AS nps FROM generate_series(1, 300) c;

SELECT create_program('club', source => 'replay_test.orders', customer => 'customer_id', at => 'ordered_at', amount => 'amount', time_zone => 'UTC',
                      customers => 'replay_test.people', customers_key => 'id', purchase_model => 'none');
SELECT set_scorecard('club', '[{"feature": "recency", "weight": 1}, {"feature": "frequency", "weight": 1}, {"feature": "monetary", "weight": 2},
    {"name": "nps", "relation": "replay_test.surveys", "column": "nps", "key": "customer_id", "day": "answered_on", "method": "linear", "parameters": {"low": 0, "high": 10}, "weight": 0.5}]');

-- Days to be refreshed: irregular on purpose.
CREATE TABLE day AS
SELECT d::date AS day, row_number() OVER (ORDER BY d) AS n
  FROM generate_series(date '2024-03-10', '2024-12-20', '17 days') d;
CREATE FUNCTION refresh_all(program text) RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    d date;
BEGIN
    FOR d IN SELECT day FROM day ORDER BY n LOOP
        CALL customer_tier.refresh(program, d);
    END LOOP;
END $$;
CREATE FUNCTION days() RETURNS date[] LANGUAGE sql STABLE AS 'SELECT array_agg(day ORDER BY n) FROM replay_test.day';

-- what refreshes wrote against what a replay says, both ways
CREATE FUNCTION differences(program text, schema name) RETURNS TABLE (side text, customer_id text, valid_from date, valid_to date, tier text, tier_rank int, reason text, score numeric, previous_tier text)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
    'WITH written AS (SELECT h.customer_id::text, h.valid_from, h.valid_to, h.tier, h.tier_rank, h.reason, h.score, h.previous_tier FROM %I.tier_history h),
          replayed AS MATERIALIZED (SELECT * FROM customer_tier.replay_days($1, replay_test.days()))
     (SELECT ''written'', d.* FROM (TABLE written EXCEPT ALL TABLE replayed) d)
     UNION ALL
     (SELECT ''replayed'', d.* FROM (TABLE replayed EXCEPT ALL TABLE written) d)', schema) USING program;
END $$;

UPDATE club.tier_policy SET upgrade_confirm = 1, hold_days = 20, downgrade_confirm = 2, grace_days = 20, revoke_on_refund = true, grandfather = true, one_level = true, tie_break = '{revenue}';
UPDATE club.tier SET min_score = NULL, entry = '[{"share": 0.1, "orders": 2}, {"revenue": {"at_least": 900, "days": 120}}]' WHERE code = 'platinum';
UPDATE club.tier SET min_score = NULL, entry = '[{"capacity": 90}, {"segment": "champions"}]' WHERE code = 'gold';
INSERT INTO club.tier_change (valid_from, changes) VALUES
    ('2024-05-20', '{"policy": {"delta": 8, "downgrade_at": "month"}}'),
    ('2024-07-15', '{"tiers": {"silver": {"min_score": 45}, "gold": {"entry": {"capacity": 70}}}}'),
    ('2024-09-01', '{"tiers": {"gold": {"stay": {"score": 40}}}, "policy": {"downgrade_at": "run", "hold_days": 0, "upgrade_at": "month"}}'),
    ('2024-10-15', '{"policy": {"upgrade_at": "run", "upgrade_confirm": 2, "max_refund_rate": 0.5}}');
INSERT INTO club.tier_override (customer_id, tier, reason, lock, valid_from, valid_to) VALUES
    (3, 'gold', 'a friend', false, '2024-04-01', '2024-08-01'), (4, 'platinum', 'the owner', true, '2024-01-01', 'infinity'),
    (5, 'bronze', 'a dispute', true, '2024-06-01', '2024-09-01'), (410, 'silver', 'a guest', false, '2024-06-01', '2024-09-01'),
    (3, 'platinum', 'a better friend', false, '2024-07-01', '2024-07-20');
INSERT INTO club.tier_override (customer_id, tier, reason, lock, valid_from, valid_to)
SELECT c, CASE WHEN c % 2 = 0 THEN 'bronze' ELSE 'platinum' END, 'a test', c % 3 > 0, date '2024-05-01' + c, date '2024-08-01' + c FROM generate_series(20, 35) c;
SELECT refresh_all('club');
SELECT reason, count(*) FROM club.tier_history GROUP BY reason ORDER BY reason;
SELECT * FROM differences('club', 'club');
SELECT count(*) FROM verify('club');

-- ---- the same without shares, which streams, with periods, a model, TOPSIS and
-- ---- keys of which several spellings are equal

CREATE TABLE receipts AS SELECT CASE WHEN customer_id % 2 = 0 THEN 'Customer ' ELSE 'KUNDE "' END || customer_id AS who, ordered_at::date AS on_day, amount FROM orders WHERE amount >= 0;
CREATE TABLE visits AS SELECT DISTINCT who, 'known'::text AS state, (length(who) * 7) % 5 AS visits FROM receipts;
SELECT create_program('streamed', source => 'replay_test.receipts', customer => 'who', at => 'on_day', amount => 'amount', schema => 'str"eam', segment_map => 'cn8', purchase_model => 'mbg/nbd');
SELECT set_scorecard('streamed', '[{"feature": "recency", "weight": 1}, {"feature": "p_alive", "weight": 1, "missing": "neutral"}, {"feature": "monetary", "weight": 2, "method": "z_score"},
    {"name": "visits", "relation": "replay_test.visits", "column": "visits", "key": "who", "weight": 0.2}]', combination => 'topsis');
UPDATE "str""eam".tier_policy SET delta = 2, downgrade_at = 'quarter', upgrade_at = 'tier_anniversary', max_refund_rate = NULL;
UPDATE "str""eam".tier SET min_score = min_score - 20 WHERE min_score > 0;
INSERT INTO "str""eam".tier_change (valid_from, changes) VALUES ('2024-06-01', '{"policy": {"upgrade_at": "run", "downgrade_at": "run"}, "tiers": {"gold": {"entry": [{"score": 40, "p_alive": 0.5}]}}}');
SELECT refresh_all('streamed');
SELECT reason, count(*) > 10 AS some FROM "str""eam".tier_history GROUP BY reason ORDER BY reason;
SELECT * FROM differences('streamed', 'str"eam');
-- one notice of what is left out, not one a day
SET client_min_messages = notice;
SELECT count(*) > 0 AS rows FROM replay('streamed', '2024-03-31', '2024-12-31');
SET client_min_messages = warning;

-- ---- other plans, and statistics, change nothing; nor does what came before

CREATE TABLE before AS SELECT * FROM replay_days('club', days());
VACUUM ANALYZE club.history, club.rating;
SET enable_hashjoin = off; SET enable_seqscan = off; SET work_mem = '64kB';
(SELECT 'gone', b.* FROM (TABLE before EXCEPT ALL SELECT * FROM replay_days('club', days())) b) UNION ALL
(SELECT 'new', b.* FROM (SELECT * FROM replay_days('club', days()) EXCEPT ALL TABLE before) b);
RESET enable_hashjoin; RESET enable_seqscan; RESET work_mem;

-- ---- it writes nothing

BEGIN TRANSACTION READ ONLY;
SELECT count(*) > 400 AS rows FROM replay('club', '2024-03-31', '2024-12-31', '1 week');
SELECT count(*) FROM tune_policy('club', '2024-03-31', '2024-12-31');
SELECT count(*) FROM suggest_tiers('club', '{"platinum": 0.02, "gold": 0.1, "silver": 0.3}');
SELECT txid_current_if_assigned() IS NULL AS nothing;
COMMIT;

-- ---- which days

SELECT replay_calendar('2024-01-31', '2024-05-31', '1 month');
SELECT replay_calendar('2024-01-31', '2024-02-06', '2 days');
SELECT replay_calendar('2024-01-31', '2024-01-31', '1 year');
SELECT count(*), count(DISTINCT valid_from), min(reason), max(reason) FROM replay('club', '2024-12-20', '2024-12-20');
-- replay() is replay_days() of these days
SELECT count(*) FROM (SELECT * FROM replay('club', '2024-01-31', '2024-05-31') EXCEPT ALL SELECT * FROM replay_days('club', '{2024-01-31,2024-02-29,2024-03-31,2024-04-30,2024-05-31}')) d;

-- ---- no gaps, no overlaps, one open row a customer, each row begins where one ends

WITH h AS (SELECT *, lead(valid_from) OVER w AS next, lag(tier) OVER w AS before FROM before WINDOW w AS (PARTITION BY customer_id ORDER BY valid_from))
SELECT count(*) FILTER (WHERE valid_to IS DISTINCT FROM next) AS gaps, count(*) FILTER (WHERE before IS DISTINCT FROM previous_tier) AS wrong_before,
       count(*) FILTER (WHERE before = tier) AS no_moves, count(*) FILTER (WHERE valid_to IS NULL) = count(DISTINCT customer_id) AS one_open,
       count(*) FILTER (WHERE (reason = 'initial') <> (before IS NULL)) AS wrong_initial
  FROM h;

-- ---- counts of tune_policy() against plain SQL over the rows of replay()

CREATE FUNCTION counted(setting jsonb) RETURNS TABLE (customers bigint, customer_years numeric, moves bigint, upgrades bigint, downgrades bigint, reversals bigint, members jsonb) LANGUAGE sql AS $$
    WITH h AS (
        SELECT r.*, tier_rank - lag(tier_rank) OVER w AS up, lag(valid_from) OVER w AS came, lag(previous_tier) OVER w AS before
          FROM customer_tier.replay('club', '2024-02-29', '2024-12-29', changes => jsonb_build_object('policy', setting)) AS r
        WINDOW w AS (PARTITION BY customer_id ORDER BY valid_from)
    ), m AS (
        SELECT h.*, lag(up) OVER (PARTITION BY customer_id ORDER BY valid_from) AS up_before FROM h
    )
    SELECT count(DISTINCT customer_id), round(sum(date '2024-12-29' - valid_from) FILTER (WHERE previous_tier IS NULL) / 365.25, 2), count(previous_tier),
           count(*) FILTER (WHERE up > 0), count(*) FILTER (WHERE up < 0), count(*) FILTER (WHERE sign(up) = -sign(up_before) AND valid_from - came <= 90),
           (SELECT jsonb_object_agg(t.code, (SELECT count(*) FROM h WHERE h.tier = t.code AND valid_to IS NULL)) FROM club.tier t)
      FROM m
$$;
CREATE TABLE tuned AS SELECT * FROM tune_policy('club', '2024-02-29', '2024-12-29', grid => '{"delta": [0, 8], "grace_days": [0, 45], "one_level": [false, true], "revoke_on_refund": true, "upgrade_confirm": 1}');
SELECT t.setting, c.* FROM tuned t, counted(t.setting) c
 WHERE (t.customers, t.customer_years, t.moves, t.upgrades, t.downgrades, t.reversals, t.members) IS DISTINCT FROM (c.customers, c.customer_years, c.moves, c.upgrades, c.downgrades, c.reversals, c.members);
SELECT setting, customers, customer_years, moves, reversals, moves_per_customer_year = round(moves / customer_years, 4) AS a_year FROM tuned;
-- a longer memory sees more reversals
SELECT n.reversals < l.reversals AS more FROM tune_policy('club', '2024-02-29', '2024-12-29', grid => '{"delta": 0}') n, tune_policy('club', '2024-02-29', '2024-12-29', grid => '{"delta": 0}', reversal_days => 300) l;
-- the order of settings, what is a list, and what is a list of lists
SELECT policy_grid('club', '{"grace_days": [0, 30], "delta": [3, 0], "one_level": true}');
SELECT policy_grid('club', '{"tie_break": ["revenue", "orders"]}'), policy_grid('club', '{"tie_break": [["revenue"], null, ["orders", "revenue"]]}'), policy_grid('club', '{}');
SELECT setting, members FROM tune_policy('club', '2024-12-20', '2024-12-20', grid => '{"tie_break": [["revenue"], null]}');

-- ---- changes that are tried out: with tiers taken away, new ones, other weights

SELECT tier, count(*) FROM replay('club', '2024-03-31', '2024-12-31', changes => '{"tiers": {"diamond": {"tier_rank": 5, "min_score": 97}, "gold": {"min_score": 60}, "platinum": {"min_score": 80}}, "policy": {"delta": 0}}') GROUP BY tier ORDER BY tier;
SELECT DISTINCT tier FROM replay('streamed', '2024-03-31', '2024-12-31', changes => '{"tiers": {"platinum": null}}') ORDER BY tier;
SELECT count(*) > 0 AS other_scores FROM (SELECT customer_id, score FROM replay_days('club', '{2024-06-30}', '{"weights": {"monetary": 9}}') EXCEPT SELECT customer_id, score FROM replay_days('club', '{2024-06-30}')) d;
SELECT count(*) AS same_scores FROM (SELECT customer_id, score FROM replay_days('club', '{2024-06-30}', '{}') EXCEPT SELECT customer_id, score FROM replay_days('club', '{2024-06-30}')) d;
-- weights alone are those of rate() after the change
CREATE TABLE tried AS SELECT customer_id, score FROM replay_days('club', '{2024-06-30}', '{"weights": {"monetary": 9}}');
UPDATE club.dimension SET weight = 9 WHERE name = 'monetary';
CALL refresh('club', '2024-12-21');
SELECT count(*) AS differences FROM (SELECT customer_id::text, score FROM club.rate('2024-06-30') EXCEPT TABLE tried) d;

-- ---- suggestions

CREATE TABLE suggested AS SELECT * FROM suggest_tiers('club', '{"platinum": 0.05, "gold": 0.15, "silver": 0.3}', from_day => '2024-03-31', to_day => '2024-12-20');
SELECT proposal, changes, tier_shares, members, benefit_cost, moves_per_customer_year > 0 AS moves FROM suggested ORDER BY proposal;
SELECT bool_and(r >= b) AS steadiest_first FROM (SELECT reversals_per_customer_year AS r, lag(reversals_per_customer_year, 1, 0.0) OVER (ORDER BY proposal) AS b FROM suggested) s;
-- never more than asked, and no more fit in by a tenth of a point
WITH t AS (SELECT e.key AS tier, (e.value->>'min_score')::numeric AS least, (SELECT count(*) FROM club.scored_rating WHERE score IS NOT NULL) AS n FROM suggested s, jsonb_each(s.changes->'tiers') e WHERE s.proposal = 1),
     c AS (SELECT t.*, coalesce(lag(least) OVER (ORDER BY least DESC), 101) AS above, CASE tier WHEN 'platinum' THEN 0.05 WHEN 'gold' THEN 0.15 ELSE 0.3 END AS asked FROM t)
SELECT tier, least, (SELECT count(*) FROM club.scored_rating r WHERE r.score >= c.least AND r.score < c.above) <= floor(asked * n) AS never_more,
       (SELECT count(*) FROM club.scored_rating r WHERE r.score >= c.least - 0.1 AND r.score < c.above) + 1 >= asked * n AS nearly_all
  FROM c ORDER BY least DESC;
-- they are what tier_change takes, and simulate_moves() does
SELECT count(*) >= 0 AS taken FROM suggested s, simulate_moves('club', s.changes) WHERE s.proposal = 1;
SELECT benefit_cost FROM suggest_tiers('club', '{"gold": 0.1}', from_day => '2024-12-01') LIMIT 1;
UPDATE club.tier SET benefit_cost = CASE code WHEN 'gold' THEN 20 WHEN 'platinum' THEN 50 WHEN 'silver' THEN 3 END;
SELECT changes->'tiers' AS tiers, tier_shares, members, benefit_cost FROM suggest_tiers('club', budget => 1000, from_day => '2024-12-01') LIMIT 1;
SELECT changes->'tiers' AS tiers, members, benefit_cost FROM suggest_tiers('club', budget => 0, from_day => '2024-12-01') LIMIT 1;
SELECT changes->'tiers' AS tiers, members FROM suggest_tiers('club', budget => 1e9, from_day => '2024-12-01') LIMIT 1;

-- ---- thresholds: round where that says the same, up where it does not, between neighbours

SELECT t.*, round_threshold(wanted, above, below) FROM (VALUES (853000, 840000, 1000001), (853000, 851000, 1000001), (853456, 853111, 1000001), (853456, 853111, 853900), (853456, 853455, 853457), (999999, 999998, 1000001), (1000000, 999999, 1000001), (853455, 853455, 853456)) t (wanted, above, below);
SELECT * FROM place_thresholds('{900000,800000,700000,600000}', '{2,4,8,10}', '{a,b,c}', '{3,NULL,5}', '{NULL,750000,NULL}');
SELECT * FROM place_thresholds('{900000}', '{10}', '{a,b}', '{5,5}', '{NULL,NULL}');
SELECT * FROM place_thresholds('{900000}', '{10}', '{a,b}', '{5,10}', '{NULL,NULL}');
SELECT * FROM place_thresholds('{1000000}', '{10}', '{a}', '{5}', '{NULL}');

-- ---- errors

SELECT * FROM replay(NULL, '2024-01-31', '2024-12-31');
SELECT * FROM replay('nobody', '2024-01-31', '2024-12-31');
SELECT * FROM replay('club', '2024-12-31', '2024-01-31');
SELECT * FROM replay('club', '2024-01-31', NULL);
SELECT * FROM replay('club', '2024-01-31', 'infinity');
SELECT * FROM replay('club', '-infinity', '2024-01-31');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', '0 days');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', '-1 month');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', '23 hours');
SELECT * FROM replay('club', '1990-01-31', '2024-12-31', '1 day');
SELECT * FROM replay_days('club', '{2024-01-31,2024-03-31,2024-02-29}');
SELECT * FROM replay_days('club', '{2024-01-31,2024-01-31}');
SELECT * FROM replay_days('club', '{2024-01-31,NULL}');
SELECT * FROM replay_days('club', '{infinity}');
SELECT * FROM replay_days('club', '{}');
SELECT * FROM replay_days('club', NULL);
SELECT * FROM replay_days('club', '{{2024-01-31},{2024-02-29}}');
SELECT count(*) FROM replay_days('club', ARRAY(SELECT date '1990-01-01' + n FROM generate_series(0, 10000) n));
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', changes => '{"tier": {}}');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', changes => '[]');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', changes => '{"policy": {"delta": -1}}');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', changes => '{"tiers": {"gold": {"min_score": 20}, "silver": {"min_score": 30}}}');
-- overrides give a tier that would not be there
SELECT * FROM replay('club', '2024-05-31', '2024-12-31', changes => '{"tiers": {"platinum": null}}');
SELECT * FROM replay('club', '2024-01-31', '2024-12-31', changes => '{"tiers": {"platinum": null}}');
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', grid => NULL);
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', grid => '[1]');
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', grid => '{"delay": [1]}');
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', grid => '{"delta": []}');
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', grid => '{"delta": [1, "two"]}');
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', grid => '{"downgrade_at": ["run", "week"]}');
SELECT * FROM tune_policy('club', '2024-01-31', '2024-12-31', reversal_days => -1);
SELECT count(*) FROM tune_policy('club', '2024-12-01', '2024-12-20', grid => (SELECT jsonb_build_object('hold_days', jsonb_agg(n), 'grace_days', '[1, 2]'::jsonb) FROM generate_series(1, 501) n));
SELECT count(*) FROM tune_policy('club', '2024-12-01', '2024-12-20', grid => (SELECT jsonb_build_object('hold_days', jsonb_agg(n), 'grace_days', '[1, 2]'::jsonb) FROM generate_series(1, 500) n));
SELECT * FROM suggest_tiers('nobody', '{"gold": 0.1}');
SELECT * FROM suggest_tiers('club');
SELECT * FROM suggest_tiers('club', '{"gold": 0.1}', 100);
SELECT * FROM suggest_tiers('club', '[0.1]');
SELECT * FROM suggest_tiers('club', '{}');
SELECT * FROM suggest_tiers('club', '{"gold": 1.1}');
SELECT * FROM suggest_tiers('club', '{"gold": "many"}');
SELECT * FROM suggest_tiers('club', '{"gold": 0.6, "silver": 0.5}');
SELECT * FROM suggest_tiers('club', '{"diamond": 0.1}');
SELECT * FROM suggest_tiers('club', '{"bronze": 0.1}');
SELECT * FROM suggest_tiers('club', budget => -1);
SELECT * FROM suggest_tiers('club', budget => 'NaN');
SELECT * FROM suggest_tiers('streamed', budget => 100);
UPDATE club.tier SET benefit_cost = 1 WHERE tier_rank = 1;
SELECT * FROM suggest_tiers('club', budget => 10);
-- the functions of a program that was changed since, and programs without orders or ratings
UPDATE club.settings SET window_days = 100;
SELECT * FROM replay('club', '2024-01-31', '2024-12-31');
CREATE TABLE nothing (c int, d date, a numeric);
SELECT create_program('empty', 'nothing', 'c', 'd', 'a');
SELECT * FROM replay('empty', '2024-01-31', '2024-12-31');
SELECT * FROM tune_policy('empty', '2024-01-31', '2024-12-31');
SELECT * FROM suggest_tiers('empty', '{"gold": 0.1}');
CALL refresh('empty', '2024-12-31');
SELECT * FROM replay('empty', '2024-01-31', '2024-12-31');
SELECT * FROM suggest_tiers('empty', '{"gold": 0.1}');
-- where a set of rows has no place
SELECT replay_moves('SELECT 1', '{2024-01-31}', ARRAY['{"terms": [{"id": 1, "tiers": [{"code": "base"}]}]}'::jsonb], '{1}');
-- any query, and any rules, by anybody
\set rules '{"terms": [{"id": 1, "tiers": [{"code": "base"}], "policy": {}}], "measures": ["refund_rate"]}'
SELECT * FROM replay_moves('SELECT 1', '{2024-01-31}', ARRAY[:'rules'::jsonb], '{1}');
SELECT * FROM replay_moves('SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9', '{2024-01-31}', ARRAY[:'rules'::jsonb], '{1}');
SELECT * FROM replay_counts('SELECT NULL::text, NULL::numeric, NULL::bigint, NULL::date, NULL::text, NULL::float8[], NULL::text, NULL::boolean, ''x''::bytea', '{2024-01-31}', ARRAY[:'rules'::jsonb], '{1}', 90);
SELECT * FROM replay_moves('SELECT 1', '{2024-01-31}', ARRAY[:'rules'::jsonb], '{0}');
SELECT * FROM replay_counts('SELECT 1', '{2024-01-31}', ARRAY[:'rules', '{"terms": [{"id": 1, "tiers": [{"code": "base"}], "policy": {}}], "measures": []}']::jsonb[], '{1}', 90);
SELECT drop_program('club');
SELECT drop_program('streamed');
SELECT drop_program('empty');
DROP SCHEMA replay_test CASCADE;
