-- Every rule of docs/tiers.md and each of its edges, one row a case: who comes
-- with what, where he stands, and where he must stand after the run, and why.
-- Only cases that come out otherwise are printed.
SET client_min_messages = warning;
SET datestyle = 'ISO, YMD';

-- Ladders of tiers. Most cases use "scores": silver from 40 points, gold from 60, platinum from 80.
CREATE TABLE ladder (name text PRIMARY KEY, tiers jsonb);
INSERT INTO ladder VALUES
    ('scores', '[{"code": "bronze"}, {"code": "silver", "min_score": 40}, {"code": "gold", "min_score": 60}, {"code": "platinum", "min_score": 80}]'),
    ('decimals', '[{"code": "bronze"}, {"code": "silver", "min_score": 40.1}, {"code": "gold", "min_score": 60.3}]'),
    ('stricter', '[{"code": "bronze"}, {"code": "silver", "min_score": 50}, {"code": "gold", "min_score": 75}, {"code": "platinum", "min_score": 90}]'),
    ('no gold', '[{"code": "bronze"}, {"code": "silver", "min_score": 40}, {"code": "platinum", "min_score": 80}]'),
    ('only base', '[{"code": "bronze"}]'),
    ('new base', '[{"code": "basic"}, {"code": "bronze", "min_score": 20}, {"code": "silver", "min_score": 40}]'),
    ('stay', '[{"code": "bronze"}, {"code": "silver", "min_score": 40, "stay": {"score": 20}}, {"code": "gold", "min_score": 60, "stay": [{"score": 50}, {"orders": 10}]}, {"code": "platinum", "min_score": 80, "stay": {"score": 80}}]'),
    ('spend', '[{"code": "bronze"}, {"code": "silver", "entry": {"revenue": {"at_least": 500, "days": 365}}}, {"code": "gold", "entry": {"revenue": {"at_least": 1000, "days": 365}, "orders": 4}}]'),
    ('either', '[{"code": "bronze"}, {"code": "gold", "entry": [{"score": 60, "revenue": {"at_least": 1000, "days": 365}}, {"score": 70, "orders": 4}, {"revenue": {"at_least": 5000, "days": 365}}]}]'),
    ('two rules', '[{"code": "bronze"}, {"code": "gold", "entry": [{"score": 60, "revenue": {"at_least": 1000, "days": 365}}, {"score": 70, "orders": 4}]}]'),
    ('spend and score', '[{"code": "bronze"}, {"code": "gold", "entry": {"score": 60, "revenue": {"at_least": 1000, "days": 365}}}]'),
    ('recent', '[{"code": "bronze"}, {"code": "gold", "entry": {"recency_days": {"at_most": 90}, "p_alive": {"at_least": 0.5, "at_most": 0.9}}}]'),
    ('segments', '[{"code": "bronze"}, {"code": "silver", "min_score": 40}, {"code": "gold", "entry": [{"segment": "champions"}, {"segment": ["loyal", "promising"], "score": 30}]}]'),
    ('apart', '[{"code": "bronze"}, {"code": "silver", "min_score": 40}, {"code": "gold", "entry": {"orders": 4}, "stay": {"orders": 2}}, {"code": "platinum", "entry": {"segment": "champions"}}]'),
    ('score band', '[{"code": "bronze"}, {"code": "gold", "entry": {"score": [{"at_least": 40}, {"at_most": 60}]}}]'),
    ('windows', '[{"code": "bronze"}, {"code": "gold", "entry": {"revenue": [{"at_least": 500, "days": 365}, {"at_least": 100, "days": 90}]}}]');

CREATE TABLE rule_case (
    id int GENERATED ALWAYS AS IDENTITY,
    section text, what text,
    -- the rules: a ladder, and a policy where it is not the default; older terms under which a tier may have been granted
    ladder text DEFAULT 'scores', policy jsonb DEFAULT '{}', old_ladder text, old_policy jsonb DEFAULT '{}',
    -- the run, and what the customer is worth
    as_of date DEFAULT '2024-06-01', last_run date DEFAULT '2024-05-01', score numeric, orders bigint DEFAULT 5, first_day date DEFAULT '2023-03-10', segment text,
    measures jsonb DEFAULT '{}',
    override text, lock boolean DEFAULT false,
    -- where he stands: NULL = nowhere yet
    tier text, since date DEFAULT '2024-01-01', came_from text, granted bigint DEFAULT 2,
    up_runs int DEFAULT 0, up_since date, down_runs int DEFAULT 0, down_since date,
    -- where he must stand, and why; further columns of tier_move that must come out so
    expected text, reason text, further jsonb DEFAULT '{}');

-- Entering by score ---------------------------------------------------------
INSERT INTO rule_case (section, what, score, expected, reason, further) VALUES
    ('first', 'below every threshold', 39.9999, 'bronze', 'base', '{"moved": true, "since": "2024-06-01", "previous_tier": null, "terms": 2, "score_to_next": 0.0001}'),
    ('first', 'exactly at silver', 40, 'silver', 'qualified', '{"score_to_next": 20}'),
    ('first', 'a ten-thousandth below gold', 59.9999, 'silver', 'qualified', '{"score_to_next": 0.0001}'),
    ('first', 'exactly at gold', 60, 'gold', 'qualified', '{"tier_rank": 3}'),
    ('first', 'straight to the top', 80, 'platinum', 'qualified', '{"score_to_next": null, "drops_on": null}'),
    ('first', 'the best score of all', 100, 'platinum', 'qualified', '{"score_to_next": null}'),
    ('first', 'the least score of all', 0, 'bronze', 'base', '{"score_to_next": 40}'),
    ('first', 'no score', NULL, 'bronze', 'unrated', '{"score_to_next": null}');
INSERT INTO rule_case (section, what, score, policy, expected, reason) VALUES
    ('first', 'climbs at once although upgrades wait for three runs', 60, '{"upgrade_confirm": 3}', 'gold', 'qualified'),
    ('first', 'climbs at once although upgrades wait for a year', 60, '{"upgrade_at": "year"}', 'gold', 'qualified');
INSERT INTO rule_case (section, what, score, ladder, expected, reason) VALUES
    ('first', 'there is only the base tier', 99, 'only base', 'bronze', 'base'),
    ('decimals', 'at a threshold of 40.1', 40.1, 'decimals', 'silver', 'qualified'),
    ('decimals', 'just below 40.1', 40.0999, 'decimals', 'bronze', 'base'),
    ('decimals', 'at a threshold of 60.3', 60.3, 'decimals', 'gold', 'qualified'),
    ('decimals', 'just below 60.3', 60.2999, 'decimals', 'silver', 'qualified'),
    ('band', 'below the band', 39.9999, 'score band', 'bronze', 'base'),
    ('band', 'at its lower end', 40, 'score band', 'gold', 'qualified'),
    ('band', 'at its upper end', 60, 'score band', 'gold', 'qualified'),
    ('band', 'above it', 60.0001, 'score band', 'bronze', 'base');

-- Staying by score ----------------------------------------------------------
INSERT INTO rule_case (section, what, tier, score, policy, ladder, expected, reason, further) VALUES
    ('delta', 'at the threshold: qualified, not merely kept', 'gold', 60, '{}', 'scores', 'gold', 'qualified', '{"moved": false, "since": "2024-01-01", "score_to_stay": null}'),
    ('delta', 'just below the threshold', 'gold', 59.9999, '{}', 'scores', 'gold', 'kept', '{"drops_on": null, "score_to_stay": null}'),
    ('delta', 'exactly 5 below it', 'gold', 55, '{}', 'scores', 'gold', 'kept', '{}'),
    ('delta', 'a ten-thousandth more', 'gold', 54.9999, '{}', 'scores', 'silver', 'downgraded', '{"moved": true, "since": "2024-06-01", "previous_tier": "gold", "terms": 2}'),
    ('delta', 'no delta: a ten-thousandth below falls', 'gold', 59.9999, '{"delta": 0}', 'scores', 'silver', 'downgraded', '{}'),
    ('delta', 'no delta: exactly at it stays', 'gold', 60, '{"delta": 0}', 'scores', 'gold', 'qualified', '{}'),
    ('delta', 'a delta of 2.5, met', 'gold', 57.5, '{"delta": 2.5}', 'scores', 'gold', 'kept', '{}'),
    ('delta', 'a delta of 2.5, missed', 'gold', 57.4999, '{"delta": 2.5}', 'scores', 'silver', 'downgraded', '{}'),
    ('delta', '40.1 less 5 is 35.1, met', 'silver', 35.1, '{}', 'decimals', 'silver', 'kept', '{}'),
    ('delta', '40.1 less 5 is 35.1, missed', 'silver', 35.0999, '{}', 'decimals', 'bronze', 'downgraded', '{}'),
    ('delta', '60.3 less 0.1 is 60.2, met', 'gold', 60.2, '{"delta": 0.1}', 'decimals', 'gold', 'kept', '{}'),
    ('delta', '60.3 less 0.1 is 60.2, missed', 'gold', 60.1999, '{"delta": 0.1}', 'decimals', 'silver', 'downgraded', '{}'),
    ('delta', 'a delta larger than the threshold keeps everybody with a score', 'silver', 0, '{"delta": 50}', 'scores', 'silver', 'kept', '{}'),
    ('delta', 'no score any more falls to the base', 'gold', NULL, '{}', 'scores', 'bronze', 'downgraded', '{}'),
    ('delta', 'lands where the stay rule of a lower tier holds', 'gold', 37, '{}', 'scores', 'silver', 'downgraded', '{}'),
    ('delta', 'lands in the base where it does not', 'gold', 34.9999, '{}', 'scores', 'bronze', 'downgraded', '{}'),
    ('delta', 'lands two tiers below', 'platinum', 36, '{}', 'scores', 'silver', 'downgraded', '{}'),
    ('base', 'nobody falls out of the base tier', 'bronze', 0, '{}', 'scores', 'bronze', 'base', '{"drops_on": null, "moved": false}'),
    ('base', 'nor without a score', 'bronze', NULL, '{}', 'scores', 'bronze', 'unrated', '{"moved": false}'),
    ('stay rule', 'a stay rule instead of delta: met', 'silver', 20, '{}', 'stay', 'silver', 'kept', '{}'),
    ('stay rule', 'missed', 'silver', 19.9999, '{}', 'stay', 'bronze', 'downgraded', '{}'),
    ('stay rule', 'delta does not lower it', 'silver', 19, '{"delta": 30}', 'stay', 'bronze', 'downgraded', '{}'),
    ('stay rule', 'one of two rules holds, by score', 'gold', 50, '{}', 'stay', 'gold', 'kept', '{}'),
    ('stay rule', 'none of two holds; silver''s stay rule does', 'gold', 49.9999, '{}', 'stay', 'silver', 'downgraded', '{}'),
    ('stay rule', 'as high as the entry: no hysteresis', 'platinum', 79.9999, '{}', 'stay', 'gold', 'downgraded', '{}'),
    ('stay rule', 'the entry rule holds: qualified', 'silver', 40, '{}', 'stay', 'silver', 'qualified', '{}');
INSERT INTO rule_case (section, what, tier, score, measures, ladder, expected, reason) VALUES
    ('stay rule', 'one of two rules holds, by orders', 'gold', 10, '{"orders": 10}', 'stay', 'gold', 'kept'),
    ('stay rule', 'orders are one short', 'gold', 10, '{"orders": 9}', 'stay', 'bronze', 'downgraded'),
    ('stay rule', 'a stay rule may hold where the entry rule of the tier below does not', 'gold', 39, '{"orders": 2}', 'apart', 'gold', 'kept');

-- Entering by what one bought -------------------------------------------------
INSERT INTO rule_case (section, what, ladder, score, measures, segment, expected, reason, further) VALUES
    ('measures', 'both conditions, exactly', 'spend', 50, '{"revenue 365": 1000, "orders": 4}', NULL, 'gold', 'qualified', '{}'),
    ('measures', 'a cent short', 'spend', 50, '{"revenue 365": 999.99, "orders": 4}', NULL, 'silver', 'qualified', '{"score_to_next": null}'),
    ('measures', 'an order short', 'spend', 50, '{"revenue 365": 1000, "orders": 3}', NULL, 'silver', 'qualified', '{"score_to_next": null, "amount_to_next": null}'),
    ('measures', 'no score is asked for', 'spend', NULL, '{"revenue 365": 1000, "orders": 4}', NULL, 'gold', 'qualified', '{}'),
    ('measures', 'a measure without a value does not hold', 'spend', 50, '{"orders": 4}', NULL, 'bronze', 'base', '{"amount_to_next": null}'),
    ('measures', 'at most 90 days: exactly', 'recent', 50, '{"recency_days": 90, "p_alive": 0.5}', NULL, 'gold', 'qualified', '{}'),
    ('measures', 'a day more', 'recent', 50, '{"recency_days": 91, "p_alive": 0.5}', NULL, 'bronze', 'base', '{"score_to_next": null, "amount_to_next": null}'),
    ('measures', 'at most, without a value', 'recent', 50, '{"p_alive": 0.5}', NULL, 'bronze', 'base', '{}'),
    ('measures', 'at least and at most: the upper end', 'recent', 50, '{"recency_days": 0, "p_alive": 0.9}', NULL, 'gold', 'qualified', '{}'),
    ('measures', 'above the upper end', 'recent', 50, '{"recency_days": 0, "p_alive": 0.91}', NULL, 'bronze', 'base', '{}'),
    ('measures', 'below the lower end', 'recent', 50, '{"recency_days": 0, "p_alive": 0.49}', NULL, 'bronze', 'base', '{}'),
    ('measures', 'an array of two windows: both hold', 'windows', 50, '{"revenue 365": 500, "revenue 90": 100}', NULL, 'gold', 'qualified', '{}'),
    ('measures', 'an array of two windows: the short one does not', 'windows', 50, '{"revenue 365": 5000, "revenue 90": 60}', NULL, 'bronze', 'base', '{"amount_to_next": 40}'),
    ('either', 'the first rule', 'either', 60, '{"revenue 365": 1000, "orders": 1}', NULL, 'gold', 'qualified', '{}'),
    ('either', 'the second rule', 'either', 70, '{"revenue 365": 0, "orders": 4}', NULL, 'gold', 'qualified', '{}'),
    ('either', 'the third rule, without a score', 'either', NULL, '{"revenue 365": 5000}', NULL, 'gold', 'qualified', '{}'),
    ('either', 'half of the first and half of the second', 'either', 65, '{"revenue 365": 999, "orders": 4}', NULL, 'bronze', 'base', '{}'),
    ('segment', 'in the segment', 'segments', 10, '{}', 'champions', 'gold', 'qualified', '{}'),
    ('segment', 'in one of several, with the score', 'segments', 30, '{}', 'promising', 'gold', 'qualified', '{}'),
    ('segment', 'in one of several, without the score', 'segments', 29.9999, '{}', 'promising', 'bronze', 'base', '{}'),
    ('segment', 'in another one', 'segments', 45, '{}', 'lost', 'silver', 'qualified', '{"score_to_next": null}'),
    ('segment', 'in none', 'segments', 45, '{}', NULL, 'silver', 'qualified', '{}'),
    ('segment', 'capital letters are other letters', 'segments', 10, '{}', 'Champions', 'bronze', 'base', '{}');
INSERT INTO rule_case (section, what, ladder, tier, score, measures, segment, expected, reason) VALUES
    ('measures', 'amounts have no delta: a cent less falls', 'spend', 'gold', 50, '{"revenue 365": 999.99, "orders": 4}', NULL, 'silver', 'downgraded'),
    ('segment', 'delta lowers the score beside the segment', 'segments', 'gold', 25, '{}', 'loyal', 'gold', 'kept'),
    ('segment', 'and no further', 'segments', 'gold', 24.9999, '{}', 'loyal', 'bronze', 'downgraded'),
    ('segment', 'out of the segment', 'segments', 'gold', 39, '{}', 'lost', 'silver', 'downgraded');

-- Climbing ------------------------------------------------------------------
INSERT INTO rule_case (section, what, tier, score, policy, up_runs, up_since, expected, reason, further) VALUES
    ('up', 'at once', 'bronze', 60, '{}', 0, NULL, 'gold', 'upgraded', '{"moved": true, "previous_tier": "bronze", "since": "2024-06-01", "up_runs": 0, "up_since": null}'),
    ('up', 'a ten-thousandth short of it: to the one below', 'bronze', 59.9999, '{}', 0, NULL, 'silver', 'upgraded', '{}'),
    ('up', 'the own threshold is no reason to move', 'silver', 40, '{}', 0, NULL, 'silver', 'qualified', '{}'),
    ('confirm', 'the first of two runs', 'silver', 60, '{"upgrade_confirm": 2}', 0, NULL, 'silver', 'waiting', '{"up_runs": 1, "up_since": "2024-06-01", "score_to_next": 0}'),
    ('confirm', 'the second of two', 'silver', 60, '{"upgrade_confirm": 2}', 1, '2024-05-01', 'gold', 'upgraded', '{"up_runs": 0, "up_since": null}'),
    ('confirm', 'the second of three', 'silver', 60, '{"upgrade_confirm": 3}', 1, '2024-05-01', 'silver', 'waiting', '{"up_runs": 2, "up_since": "2024-05-01"}'),
    ('confirm', 'the third of three', 'silver', 60, '{"upgrade_confirm": 3}', 2, '2024-04-01', 'gold', 'upgraded', '{}'),
    ('confirm', 'interrupted', 'silver', 59.9999, '{"upgrade_confirm": 3}', 2, '2024-04-01', 'silver', 'qualified', '{"up_runs": 0, "up_since": null}'),
    ('confirm', 'interrupted by a run that is merely kept', 'silver', 38, '{"upgrade_confirm": 3}', 2, '2024-04-01', 'silver', 'kept', '{"up_runs": 0}'),
    ('confirm', 'to the highest of today, not to that of the first run', 'bronze', 85, '{"upgrade_confirm": 2}', 1, '2024-05-01', 'platinum', 'upgraded', '{}'),
    ('confirm', 'only silver is left of what he waited for', 'bronze', 41, '{"upgrade_confirm": 2}', 1, '2024-05-01', 'silver', 'upgraded', '{}'),
    ('confirm', 'the policy was relaxed since: at once', 'silver', 60, '{"upgrade_confirm": 1}', 1, '2024-05-01', 'gold', 'upgraded', '{}');
INSERT INTO rule_case (section, what, policy, as_of, last_run, up_runs, up_since, expected, reason, tier, score, first_day, since) VALUES
    ('up at month', 'the last day of the month', '{"upgrade_at": "month"}', '2024-05-31', '2024-05-20', 1, '2024-05-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'the first day of the next', '{"upgrade_at": "month"}', '2024-06-01', '2024-05-31', 2, '2024-05-20', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'a later day: the start fell between the runs', '{"upgrade_at": "month"}', '2024-06-09', '2024-05-31', 2, '2024-05-20', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'the start was seen by the last run', '{"upgrade_at": "month"}', '2024-06-09', '2024-06-01', 2, '2024-05-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'he reached it only today, on the first', '{"upgrade_at": "month"}', '2024-06-01', '2024-05-20', 0, NULL, 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'he reached it on the first: the next first', '{"upgrade_at": "month"}', '2024-07-01', '2024-06-30', 4, '2024-06-01', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'confirmed only after the start', '{"upgrade_at": "month", "upgrade_confirm": 3}', '2024-06-01', '2024-05-31', 1, '2024-05-31', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'confirmed on the start', '{"upgrade_at": "month", "upgrade_confirm": 3}', '2024-06-01', '2024-05-31', 2, '2024-05-30', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at month', 'a start in a gap of a year', '{"upgrade_at": "month"}', '2025-05-20', '2024-05-20', 1, '2024-05-20', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at quarter', 'the first of a month that starts no quarter', '{"upgrade_at": "quarter"}', '2024-06-01', '2024-05-31', 2, '2024-05-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at quarter', 'the day before', '{"upgrade_at": "quarter"}', '2024-06-30', '2024-06-01', 3, '2024-05-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at quarter', 'the start of the quarter', '{"upgrade_at": "quarter"}', '2024-07-01', '2024-06-30', 4, '2024-05-20', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at half-year', 'the start of the second quarter', '{"upgrade_at": "half_year"}', '2024-04-01', '2024-03-31', 2, '2024-03-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at half-year', 'the day before', '{"upgrade_at": "half_year"}', '2024-06-30', '2024-06-29', 2, '2024-03-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at half-year', 'the start of the second half', '{"upgrade_at": "half_year"}', '2024-07-01', '2024-06-30', 2, '2024-03-20', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at half-year', 'the start of the first half', '{"upgrade_at": "half_year"}', '2025-01-01', '2024-12-31', 2, '2024-07-01', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at year', 'the second half', '{"upgrade_at": "year"}', '2024-07-01', '2024-06-30', 2, '2024-03-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at year', 'Old Year''s Day', '{"upgrade_at": "year"}', '2024-12-31', '2024-12-30', 2, '2024-03-20', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at year', 'New Year''s Day', '{"upgrade_at": "year"}', '2025-01-01', '2024-12-31', 2, '2024-03-20', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at membership', 'the day before the anniversary of the first order', '{"upgrade_at": "membership_anniversary"}', '2025-03-09', '2025-03-01', 2, '2025-02-01', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at membership', 'the anniversary', '{"upgrade_at": "membership_anniversary"}', '2025-03-10', '2025-03-09', 2, '2025-02-01', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at membership', 'the day after, seen on the day', '{"upgrade_at": "membership_anniversary"}', '2025-03-11', '2025-03-10', 1, '2025-03-10', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2024-01-01'),
    ('up at membership', 'a member of 29 February: 27 February', '{"upgrade_at": "membership_anniversary"}', '2025-02-27', '2025-02-26', 2, '2025-02-01', 'silver', 'waiting', 'silver', 60, '2020-02-29', '2024-01-01'),
    ('up at membership', 'a member of 29 February: 28 February', '{"upgrade_at": "membership_anniversary"}', '2025-02-28', '2025-02-27', 2, '2025-02-01', 'gold', 'upgraded', 'silver', 60, '2020-02-29', '2024-01-01'),
    ('up at membership', 'a member of 29 February: 28 February of a leap year', '{"upgrade_at": "membership_anniversary"}', '2024-02-28', '2024-02-27', 2, '2024-02-01', 'silver', 'waiting', 'silver', 60, '2020-02-29', '2024-01-01'),
    ('up at membership', 'a member of 29 February: 29 February of a leap year', '{"upgrade_at": "membership_anniversary"}', '2024-02-29', '2024-02-28', 2, '2024-02-01', 'gold', 'upgraded', 'silver', 60, '2020-02-29', '2024-01-01'),
    ('up at membership', 'the day of the first order is none', '{"upgrade_at": "membership_anniversary"}', '2024-06-01', '2024-05-31', 2, '2024-05-01', 'silver', 'waiting', 'silver', 60, '2024-06-01', '2024-01-01'),
    ('up at tier', 'the day before the anniversary of the tier', '{"upgrade_at": "tier_anniversary"}', '2024-05-14', '2024-05-13', 2, '2024-02-01', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2023-05-15'),
    ('up at tier', 'the anniversary', '{"upgrade_at": "tier_anniversary"}', '2024-05-15', '2024-05-14', 2, '2024-02-01', 'gold', 'upgraded', 'silver', 60, '2023-03-10', '2023-05-15'),
    ('up at tier', 'the first order''s does not count', '{"upgrade_at": "tier_anniversary"}', '2024-03-10', '2024-03-09', 2, '2024-02-01', 'silver', 'waiting', 'silver', 60, '2023-03-10', '2023-05-15');

-- Falling -------------------------------------------------------------------
-- He stands in gold since 2024-01-01 with 50 points: 5 are missing to stay. Without came_from he did not climb there.
INSERT INTO rule_case (section, what, tier, score, policy, as_of, last_run, down_runs, down_since, expected, reason, further) VALUES
    ('down', 'at once', 'gold', 50, '{}', '2024-06-01', '2024-05-01', 0, NULL, 'silver', 'downgraded', '{"down_runs": 0, "down_since": null, "drops_on": null, "score_to_stay": null, "score_to_next": 10}'),
    ('down confirm', 'the first of two failing runs', 'gold', 50, '{"downgrade_confirm": 2}', '2024-06-01', '2024-05-01', 0, NULL, 'gold', 'grace', '{"down_runs": 1, "down_since": "2024-06-01", "drops_on": "2024-06-02", "score_to_stay": 5, "score_to_next": 30}'),
    ('down confirm', 'the second of two', 'gold', 50, '{"downgrade_confirm": 2}', '2024-06-01', '2024-05-01', 1, '2024-05-01', 'silver', 'downgraded', '{}'),
    ('down confirm', 'the second of three', 'gold', 50, '{"downgrade_confirm": 3}', '2024-06-01', '2024-05-01', 1, '2024-05-01', 'gold', 'grace', '{"down_runs": 2, "down_since": "2024-05-01", "drops_on": "2024-06-02"}'),
    ('down confirm', 'the third of three', 'gold', 50, '{"downgrade_confirm": 3}', '2024-06-01', '2024-05-01', 2, '2024-04-01', 'silver', 'downgraded', '{}'),
    ('down confirm', 'interrupted by a run in which he may stay', 'gold', 55, '{"downgrade_confirm": 3}', '2024-06-01', '2024-05-01', 2, '2024-04-01', 'gold', 'kept', '{"down_runs": 0, "down_since": null, "drops_on": null}'),
    ('down confirm', 'interrupted by a run in which he qualifies', 'gold', 60, '{"downgrade_confirm": 3}', '2024-06-01', '2024-05-01', 2, '2024-04-01', 'gold', 'qualified', '{"down_runs": 0, "down_since": null}'),
    ('down confirm', 'interrupted by a run that would climb', 'gold', 80, '{"downgrade_confirm": 3, "upgrade_confirm": 2}', '2024-06-01', '2024-05-01', 2, '2024-04-01', 'gold', 'waiting', '{"down_runs": 0, "down_since": null, "up_runs": 1}'),
    ('down confirm', 'lands by the score of today, not of the first failing run', 'gold', 10, '{"downgrade_confirm": 2}', '2024-06-01', '2024-05-01', 1, '2024-05-01', 'bronze', 'downgraded', '{}'),
    ('grace', 'begins today', 'gold', 50, '{"grace_days": 30}', '2024-06-01', '2024-05-01', 0, NULL, 'gold', 'grace', '{"drops_on": "2024-07-01", "score_to_stay": 5, "down_runs": 1}'),
    ('grace', 'the day before its end', 'gold', 50, '{"grace_days": 30}', '2024-06-30', '2024-06-29', 4, '2024-06-01', 'gold', 'grace', '{"drops_on": "2024-07-01", "down_runs": 5}'),
    ('grace', 'its end', 'gold', 50, '{"grace_days": 30}', '2024-07-01', '2024-06-30', 5, '2024-06-01', 'silver', 'downgraded', '{}'),
    ('grace', 'the day after its end', 'gold', 50, '{"grace_days": 30}', '2024-07-02', '2024-06-30', 5, '2024-06-01', 'silver', 'downgraded', '{}'),
    ('grace', 'ends on a leap day: the day before', 'gold', 50, '{"grace_days": 30}', '2024-02-28', '2024-02-27', 3, '2024-01-30', 'gold', 'grace', '{"drops_on": "2024-02-29"}'),
    ('grace', 'ends on a leap day', 'gold', 50, '{"grace_days": 30}', '2024-02-29', '2024-02-28', 3, '2024-01-30', 'silver', 'downgraded', '{}'),
    ('grace', 'over in a gap between runs', 'gold', 50, '{"grace_days": 30}', '2025-01-01', '2024-06-01', 1, '2024-06-01', 'silver', 'downgraded', '{}'),
    ('grace', 'no failing run before the gap: begins after it', 'gold', 50, '{"grace_days": 30}', '2025-01-01', '2024-06-01', 0, NULL, 'gold', 'grace', '{"down_since": "2025-01-01", "drops_on": "2025-01-31"}'),
    ('both', 'graced, not confirmed', 'gold', 50, '{"grace_days": 30, "downgrade_confirm": 3}', '2024-07-01', '2024-06-01', 1, '2024-06-01', 'gold', 'grace', '{"down_runs": 2, "drops_on": "2024-07-02"}'),
    ('both', 'confirmed, not graced', 'gold', 50, '{"grace_days": 30, "downgrade_confirm": 3}', '2024-06-30', '2024-06-29', 2, '2024-06-01', 'gold', 'grace', '{"down_runs": 3, "drops_on": "2024-07-01"}'),
    ('both', 'confirmed and graced', 'gold', 50, '{"grace_days": 30, "downgrade_confirm": 3}', '2024-07-01', '2024-06-29', 2, '2024-06-01', 'silver', 'downgraded', '{}'),
    ('either', 'neither confirmed nor graced', 'gold', 50, '{"grace_days": 30, "downgrade_confirm": 3, "downgrade_needs": "either"}', '2024-06-30', '2024-06-29', 1, '2024-06-01', 'gold', 'grace', '{"drops_on": "2024-07-01"}'),
    ('either', 'far from graced: drops with the third run', 'gold', 50, '{"grace_days": 90, "downgrade_confirm": 3, "downgrade_needs": "either"}', '2024-06-02', '2024-06-01', 1, '2024-06-01', 'gold', 'grace', '{"drops_on": "2024-06-03"}'),
    ('either', 'graced', 'gold', 50, '{"grace_days": 30, "downgrade_confirm": 3, "downgrade_needs": "either"}', '2024-07-01', '2024-06-29', 1, '2024-06-01', 'silver', 'downgraded', '{}'),
    ('either', 'confirmed', 'gold', 50, '{"grace_days": 30, "downgrade_confirm": 3, "downgrade_needs": "either"}', '2024-06-15', '2024-06-14', 2, '2024-06-01', 'silver', 'downgraded', '{}'),
    ('either', 'no days of grace: at once', 'gold', 50, '{"downgrade_confirm": 3, "downgrade_needs": "either"}', '2024-06-15', '2024-06-14', 0, NULL, 'silver', 'downgraded', '{}'),
    ('one level', 'from the top to the next', 'platinum', 0, '{"one_level": true}', '2024-06-01', '2024-05-01', 0, NULL, 'gold', 'downgraded', '{}'),
    ('one level', 'although the rule of the next does not hold: fails there again', 'gold', 0, '{"one_level": true}', '2024-06-02', '2024-06-01', 0, NULL, 'silver', 'downgraded', '{}'),
    ('one level', 'into the base', 'silver', 0, '{"one_level": true}', '2024-06-02', '2024-06-01', 0, NULL, 'bronze', 'downgraded', '{}');
INSERT INTO rule_case (section, what, came_from, tier, since, score, policy, as_of, last_run, down_runs, down_since, expected, reason, further) VALUES
    ('hold', 'climbed 29 days ago', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 30}', '2024-06-30', '2024-06-29', 0, NULL, 'gold', 'hold', '{"down_runs": 1, "down_since": "2024-06-30", "drops_on": "2024-07-01", "score_to_stay": 5}'),
    ('hold', 'climbed 30 days ago', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 30}', '2024-07-01', '2024-06-30', 0, NULL, 'silver', 'downgraded', '{}'),
    ('hold', 'climbed 31 days ago', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 30}', '2024-07-02', '2024-06-30', 0, NULL, 'silver', 'downgraded', '{}'),
    ('hold', 'fell there: nothing holds', 'platinum', 'gold', '2024-06-01', 50, '{"hold_days": 30}', '2024-06-15', '2024-06-14', 0, NULL, 'silver', 'downgraded', '{}'),
    ('hold', 'stood there from the first run on: nothing holds', NULL, 'gold', '2024-06-01', 50, '{"hold_days": 30}', '2024-06-15', '2024-06-14', 0, NULL, 'silver', 'downgraded', '{}'),
    ('hold', 'came from a tier that is no more: nothing holds', 'legacy', 'gold', '2024-06-01', 50, '{"hold_days": 30}', '2024-06-15', '2024-06-14', 0, NULL, 'silver', 'downgraded', '{}'),
    ('hold', 'failing runs count while it holds', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 30, "downgrade_confirm": 3}', '2024-07-01', '2024-06-30', 2, '2024-06-29', 'silver', 'downgraded', '{}'),
    ('hold', 'and grace runs while it holds', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 30, "grace_days": 20}', '2024-07-01', '2024-06-30', 2, '2024-06-11', 'silver', 'downgraded', '{}'),
    ('hold', 'it ends before the grace does', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 30, "grace_days": 20}', '2024-07-01', '2024-06-30', 2, '2024-06-12', 'gold', 'grace', '{"drops_on": "2024-07-02"}'),
    ('hold', 'longer than the grace', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 90, "grace_days": 20}', '2024-07-01', '2024-06-30', 2, '2024-06-12', 'gold', 'hold', '{"drops_on": "2024-08-30"}'),
    ('hold', 'then a period', 'silver', 'gold', '2024-06-01', 50, '{"hold_days": 90, "downgrade_at": "year"}', '2024-07-01', '2024-06-30', 2, '2024-06-12', 'gold', 'hold', '{"drops_on": "2024-12-31"}'),
    ('hold', 'who may stay needs no hold', 'silver', 'gold', '2024-06-01', 55, '{"hold_days": 30}', '2024-06-30', '2024-06-29', 0, NULL, 'gold', 'kept', '{"drops_on": null}');
INSERT INTO rule_case (section, what, policy, as_of, last_run, down_runs, down_since, expected, reason, further, first_day, since, tier, score) VALUES
    ('down at month', 'fails for the first time within the month', '{"downgrade_at": "month"}', '2024-05-20', '2024-05-10', 0, NULL, 'gold', 'period', '{"drops_on": "2024-05-31", "score_to_stay": 5}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'the day before its end', '{"downgrade_at": "month"}', '2024-05-30', '2024-05-20', 1, '2024-05-20', 'gold', 'period', '{"drops_on": "2024-05-31"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'its last day', '{"downgrade_at": "month"}', '2024-05-31', '2024-05-30', 2, '2024-05-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'fails for the first time on its last day', '{"downgrade_at": "month"}', '2024-05-31', '2024-05-30', 0, NULL, 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'the end fell between the runs, and he failed before it', '{"downgrade_at": "month"}', '2024-06-10', '2024-05-20', 1, '2024-05-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'the end fell between the runs, but he fails only since', '{"downgrade_at": "month"}', '2024-06-10', '2024-05-20', 0, NULL, 'gold', 'period', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'the end was seen by the last run', '{"downgrade_at": "month", "downgrade_confirm": 3}', '2024-06-10', '2024-05-31', 2, '2024-05-30', 'gold', 'period', '{"drops_on": "2024-06-30", "down_runs": 3}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'an end long past, under a policy that looked at quarters then', '{"downgrade_at": "month"}', '2024-06-10', '2024-06-09', 20, '2024-05-20', 'gold', 'period', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'a gap of a year, failing before it', '{"downgrade_at": "month"}', '2025-05-20', '2024-05-20', 1, '2024-05-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'a gap of a year, failing after it', '{"downgrade_at": "month"}', '2025-05-20', '2024-05-20', 0, NULL, 'gold', 'period', '{"drops_on": "2025-05-31"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', '28 February of a leap year', '{"downgrade_at": "month"}', '2024-02-28', '2024-02-27', 1, '2024-02-20', 'gold', 'period', '{"drops_on": "2024-02-29"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', '29 February', '{"downgrade_at": "month"}', '2024-02-29', '2024-02-28', 1, '2024-02-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', '28 February of a common year', '{"downgrade_at": "month"}', '2023-02-28', '2023-02-27', 1, '2023-02-20', 'silver', 'downgraded', '{}', '2022-03-10', '2023-01-01', 'gold', 50),
    ('down at month', 'no grace on the last day: the end of the next month', '{"downgrade_at": "month", "grace_days": 20}', '2024-05-31', '2024-05-20', 1, '2024-05-20', 'gold', 'grace', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'graced within the month', '{"downgrade_at": "month", "grace_days": 20}', '2024-06-09', '2024-06-01', 2, '2024-05-20', 'gold', 'period', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'fails on the last day, and graces to the last day', '{"downgrade_at": "month", "grace_days": 30}', '2024-05-31', '2024-05-30', 0, NULL, 'gold', 'grace', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at month', 'requalified before the end', '{"downgrade_at": "month"}', '2024-05-31', '2024-05-30', 0, NULL, 'gold', 'qualified', '{"drops_on": null}', '2023-03-10', '2024-01-01', 'gold', 60),
    ('down at quarter', 'the end of a month', '{"downgrade_at": "quarter"}', '2024-05-31', '2024-05-30', 2, '2024-05-20', 'gold', 'period', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at quarter', 'the day before', '{"downgrade_at": "quarter"}', '2024-06-29', '2024-06-28', 2, '2024-05-20', 'gold', 'period', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at quarter', 'the end of the quarter', '{"downgrade_at": "quarter"}', '2024-06-30', '2024-06-29', 2, '2024-05-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at quarter', 'the day after, seen on the day', '{"downgrade_at": "quarter"}', '2024-07-01', '2024-06-30', 0, NULL, 'gold', 'period', '{"drops_on": "2024-09-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at half-year', 'the end of the first quarter', '{"downgrade_at": "half_year"}', '2024-03-31', '2024-03-30', 2, '2024-03-20', 'gold', 'period', '{"drops_on": "2024-06-30"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at half-year', 'the end of June', '{"downgrade_at": "half_year"}', '2024-06-30', '2024-06-29', 2, '2024-03-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at half-year', 'the day after', '{"downgrade_at": "half_year"}', '2024-07-01', '2024-06-29', 2, '2024-03-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at half-year', 'the day before Old Year''s Day', '{"downgrade_at": "half_year"}', '2024-12-30', '2024-12-29', 2, '2024-07-20', 'gold', 'period', '{"drops_on": "2024-12-31"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at half-year', 'Old Year''s Day', '{"downgrade_at": "half_year"}', '2024-12-31', '2024-12-30', 2, '2024-07-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at year', 'the end of June', '{"downgrade_at": "year"}', '2024-06-30', '2024-06-29', 2, '2024-03-20', 'gold', 'period', '{"drops_on": "2024-12-31"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at year', 'the day before Old Year''s Day', '{"downgrade_at": "year"}', '2024-12-30', '2024-12-29', 2, '2024-03-20', 'gold', 'period', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at year', 'Old Year''s Day', '{"downgrade_at": "year"}', '2024-12-31', '2024-12-30', 2, '2024-03-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at year', 'New Year''s Day, when the last run saw nothing', '{"downgrade_at": "year"}', '2025-01-01', '2024-12-30', 2, '2024-03-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at membership', 'the day before the anniversary of the first order', '{"downgrade_at": "membership_anniversary"}', '2024-03-09', '2024-03-08', 1, '2024-02-20', 'gold', 'period', '{"drops_on": "2024-03-10"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at membership', 'the anniversary', '{"downgrade_at": "membership_anniversary"}', '2024-03-10', '2024-03-09', 1, '2024-02-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at membership', 'the day after', '{"downgrade_at": "membership_anniversary"}', '2024-03-11', '2024-03-09', 1, '2024-02-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at membership', 'the day after, seen on the day', '{"downgrade_at": "membership_anniversary"}', '2024-03-11', '2024-03-10', 0, NULL, 'gold', 'period', '{"drops_on": "2025-03-10"}', '2023-03-10', '2024-01-01', 'gold', 50),
    ('down at membership', 'a member of 29 February: 28 February', '{"downgrade_at": "membership_anniversary"}', '2023-02-28', '2023-02-27', 1, '2023-02-20', 'silver', 'downgraded', '{}', '2020-02-29', '2023-01-01', 'gold', 50),
    ('down at membership', 'a member of 29 February: 28 February of a leap year', '{"downgrade_at": "membership_anniversary"}', '2024-02-28', '2024-02-27', 1, '2024-02-20', 'gold', 'period', '{"drops_on": "2024-02-29"}', '2020-02-29', '2024-01-01', 'gold', 50),
    ('down at membership', 'a member of 29 February: 29 February of a leap year', '{"downgrade_at": "membership_anniversary"}', '2024-02-29', '2024-02-28', 1, '2024-02-20', 'silver', 'downgraded', '{}', '2020-02-29', '2024-01-01', 'gold', 50),
    ('down at membership', 'the day of the first order is none', '{"downgrade_at": "membership_anniversary"}', '2024-06-01', '2024-05-31', 0, NULL, 'gold', 'period', '{"drops_on": "2025-06-01"}', '2024-06-01', '2024-01-01', 'gold', 50),
    ('down at tier', 'the day before the anniversary of the tier', '{"downgrade_at": "tier_anniversary"}', '2024-05-14', '2024-05-13', 1, '2024-02-20', 'gold', 'period', '{"drops_on": "2024-05-15"}', '2023-03-10', '2023-05-15', 'gold', 50),
    ('down at tier', 'the anniversary', '{"downgrade_at": "tier_anniversary"}', '2024-05-15', '2024-05-14', 1, '2024-02-20', 'silver', 'downgraded', '{}', '2023-03-10', '2023-05-15', 'gold', 50),
    ('down at tier', 'the day after, seen on the day', '{"downgrade_at": "tier_anniversary"}', '2024-05-16', '2024-05-15', 0, NULL, 'gold', 'period', '{"drops_on": "2025-05-15"}', '2023-03-10', '2023-05-15', 'gold', 50),
    ('down at tier', 'in the tier since 29 February: 28 February', '{"downgrade_at": "tier_anniversary"}', '2025-02-28', '2025-02-27', 1, '2025-02-20', 'silver', 'downgraded', '{}', '2023-03-10', '2024-02-29', 'gold', 50),
    ('down at tier', 'in the tier since 29 February: the day before', '{"downgrade_at": "tier_anniversary"}', '2025-02-27', '2025-02-26', 1, '2025-02-20', 'gold', 'period', '{"drops_on": "2025-02-28"}', '2023-03-10', '2024-02-29', 'gold', 50),
    ('down at tier', 'the first order''s does not count', '{"downgrade_at": "tier_anniversary"}', '2024-03-10', '2024-03-09', 1, '2024-02-20', 'gold', 'period', '{"drops_on": "2024-05-15"}', '2023-03-10', '2023-05-15', 'gold', 50);

-- No order, and refunds -------------------------------------------------------
INSERT INTO rule_case (section, what, tier, orders, score, measures, policy, expected, reason, further) VALUES
    ('prospect', 'new, without an order', NULL, 0, NULL, '{}', '{}', 'bronze', 'prospect', '{"moved": true, "since": "2024-06-01", "score_to_next": null}'),
    ('prospect', 'the number of orders is not known', NULL, NULL, NULL, '{}', '{}', 'bronze', 'prospect', '{}'),
    ('prospect', 'again', 'bronze', 0, NULL, '{}', '{}', 'bronze', 'prospect', '{"moved": false, "since": "2024-01-01"}'),
    ('prospect', 'all orders are gone: out of gold, whatever holds', 'gold', 0, 90, '{}', '{"grace_days": 90}', 'bronze', 'prospect', '{"moved": true, "previous_tier": "gold"}'),
    ('prospect', 'before the refund rate', 'gold', 0, NULL, '{"refund_rate": 1}', '{}', 'bronze', 'prospect', '{}'),
    ('prospect', 'a first order, a score: climbs by the policy', 'bronze', 1, 60, '{}', '{"upgrade_confirm": 2}', 'bronze', 'waiting', '{}'),
    ('refunded', 'a rate of exactly 0.8', 'gold', 5, 90, '{"refund_rate": 0.8}', '{}', 'bronze', 'refunded', '{"moved": true, "previous_tier": "gold", "score_to_next": null}'),
    ('refunded', 'below it', 'gold', 5, 60, '{"refund_rate": 0.7999}', '{}', 'gold', 'qualified', '{}'),
    ('refunded', 'all of it', 'gold', 5, 60, '{"refund_rate": 1}', '{}', 'bronze', 'refunded', '{}'),
    ('refunded', 'no rate known', 'gold', 5, 60, '{}', '{}', 'gold', 'qualified', '{}'),
    ('refunded', 'at the first run', NULL, 5, 90, '{"refund_rate": 0.9}', '{}', 'bronze', 'refunded', '{"moved": true}'),
    ('refunded', 'no such rule', 'gold', 5, 60, '{"refund_rate": 1}', '{"max_refund_rate": null}', 'gold', 'qualified', '{}'),
    ('refunded', 'a rate of one''s own, met', 'gold', 5, 60, '{"refund_rate": 0.5}', '{"max_refund_rate": 0.5}', 'bronze', 'refunded', '{}'),
    ('refunded', 'a rate of one''s own, not met', 'gold', 5, 60, '{"refund_rate": 0.49}', '{"max_refund_rate": 0.5}', 'gold', 'qualified', '{}'),
    ('refunded', 'neither hold nor grace protect', 'gold', 5, 60, '{"refund_rate": 0.8}', '{"hold_days": 999, "grace_days": 999}', 'bronze', 'refunded', '{}');
INSERT INTO rule_case (section, what, came_from, tier, score, measures, policy, expected, reason, further) VALUES
    ('revoked', 'the refunds are the amount of the order', 'bronze', 'gold', 45, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'silver', 'revoked', '{"moved": true, "previous_tier": "gold", "since": "2024-06-01"}'),
    ('revoked', 'a cent less: falls the ordinary way', 'bronze', 'gold', 45, '{"refunded_since": 79.99, "earned_amount": 80}', '{"revoke_on_refund": true, "grace_days": 30}', 'gold', 'grace', '{}'),
    ('revoked', 'more than the order', 'bronze', 'gold', 45, '{"refunded_since": 100, "earned_amount": 80}', '{"revoke_on_refund": true}', 'silver', 'revoked', '{}'),
    ('revoked', 'neither hold, grace nor confirm protect', 'bronze', 'gold', 45, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true, "hold_days": 365, "grace_days": 90, "downgrade_confirm": 9}', 'silver', 'revoked', '{}'),
    ('revoked', 'nor a period, nor one level', 'bronze', 'platinum', 30, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true, "downgrade_at": "year", "one_level": true}', 'bronze', 'revoked', '{}'),
    ('revoked', 'nor the stay rule', 'bronze', 'gold', 57, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'silver', 'revoked', '{}'),
    ('revoked', 'the entry rule still holds', 'bronze', 'gold', 60, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'gold', 'qualified', '{}'),
    ('revoked', 'that of a higher tier holds', 'bronze', 'gold', 80, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'platinum', 'upgraded', '{}'),
    ('revoked', 'lands by entry rules: a stay rule is not enough', 'bronze', 'gold', 38, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'bronze', 'revoked', '{}'),
    ('revoked', 'not asked for', 'bronze', 'gold', 57, '{"refunded_since": 80, "earned_amount": 80}', '{}', 'gold', 'kept', '{}'),
    ('revoked', 'the last move was downwards', 'platinum', 'gold', 57, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'gold', 'kept', '{}'),
    ('revoked', 'there was no move', NULL, 'gold', 57, '{"refunded_since": 80, "earned_amount": 80}', '{"revoke_on_refund": true}', 'gold', 'kept', '{}'),
    ('revoked', 'no order is known', 'bronze', 'gold', 57, '{"refunded_since": 80}', '{"revoke_on_refund": true}', 'gold', 'kept', '{}'),
    ('revoked', 'no refund is known', 'bronze', 'gold', 57, '{"earned_amount": 80}', '{"revoke_on_refund": true}', 'gold', 'kept', '{}'),
    ('revoked', 'an order for nothing is not undone by no refund', 'bronze', 'gold', 57, '{"refunded_since": 0, "earned_amount": 0}', '{"revoke_on_refund": true}', 'gold', 'kept', '{}');

-- A person decided ------------------------------------------------------------
INSERT INTO rule_case (section, what, override, lock, tier, score, policy, orders, measures, up_runs, up_since, down_runs, down_since, expected, reason, further) VALUES
    ('override', 'starts: raised', 'gold', false, 'silver', 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{"moved": true, "previous_tier": "silver", "since": "2024-06-01", "terms": 2}'),
    ('override', 'goes on: stands there without its rule', 'gold', false, 'gold', 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{"moved": false, "drops_on": null, "score_to_stay": null}'),
    ('override', 'goes on: the stay rule alone does not count', 'gold', false, 'gold', 57, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{}'),
    ('override', 'goes on: he qualifies by himself', 'gold', false, 'gold', 60, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'qualified', '{}'),
    ('override', 'climbs there by himself on the day: a person was first', 'gold', false, 'silver', 60, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{"moved": true}'),
    ('override', 'climbs above', 'gold', false, 'gold', 80, '{}', 5, '{}', 0, NULL, 0, NULL, 'platinum', 'upgraded', '{}'),
    ('override', 'climbs above from below', 'gold', false, 'silver', 80, '{}', 5, '{}', 0, NULL, 0, NULL, 'platinum', 'upgraded', '{"previous_tier": "silver"}'),
    ('override', 'climbs above from below, waiting: raised meanwhile', 'gold', false, 'silver', 80, '{"upgrade_confirm": 2}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{"up_runs": 0}'),
    ('override', 'climbs above from below, as he has waited', 'gold', false, 'silver', 80, '{"upgrade_confirm": 2}', 5, '{}', 1, '2024-05-01', 0, NULL, 'platinum', 'upgraded', '{}'),
    ('override', 'waits in it to climb above', 'gold', false, 'gold', 80, '{"upgrade_confirm": 2}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'waiting', '{"up_runs": 1}'),
    ('override', 'stands above: the rules go on', 'silver', false, 'gold', 57, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'kept', '{}'),
    ('override', 'stands above and fails: grace', 'silver', false, 'gold', 50, '{"grace_days": 30}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'grace', '{"down_runs": 1}'),
    ('override', 'falls from above to below it: caught', 'silver', false, 'gold', 10, '{}', 5, '{}', 0, NULL, 0, NULL, 'silver', 'override', '{"previous_tier": "gold"}'),
    ('override', 'falls from above right into it', 'silver', false, 'gold', 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'silver', 'override', '{}'),
    ('override', 'was failing: nothing is pending any more', 'gold', false, 'gold', 50, '{"grace_days": 30}', 5, '{}', 0, NULL, 3, '2024-05-20', 'gold', 'override', '{"down_runs": 0, "down_since": null, "drops_on": null}'),
    ('override', 'first run, below it', 'gold', false, NULL, 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{"moved": true, "previous_tier": null}'),
    ('override', 'first run, right into it', 'gold', false, NULL, 65, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{}'),
    ('override', 'first run, above it', 'gold', false, NULL, 85, '{}', 5, '{}', 0, NULL, 0, NULL, 'platinum', 'qualified', '{}'),
    ('override', 'without an order', 'gold', false, NULL, NULL, '{}', 0, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{}'),
    ('override', 'sent everything back', 'gold', false, 'gold', 90, '{}', 5, '{"refund_rate": 1}', 0, NULL, 0, NULL, 'gold', 'override', '{}'),
    ('override', 'to the base: has no effect', 'bronze', false, 'gold', 60, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'qualified', '{}'),
    ('override', 'to the base, in the base', 'bronze', false, 'bronze', 10, '{}', 5, '{}', 0, NULL, 0, NULL, 'bronze', 'base', '{}'),
    ('override', 'the tier where he stood is no more', 'gold', false, 'legacy', 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'override', '{"previous_tier": "legacy"}'),
    ('override', 'ended: fails, by the ordinary way', NULL, false, 'gold', 45, '{"grace_days": 30}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'grace', '{"down_runs": 1, "down_since": "2024-06-01"}'),
    ('override', 'ended: falls at once', NULL, false, 'gold', 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'silver', 'downgraded', '{}'),
    ('override', 'ended, and he may stay', NULL, false, 'gold', 57, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'kept', '{}'),
    ('lock', 'upwards', 'platinum', true, 'silver', 45, '{}', 5, '{}', 0, NULL, 0, NULL, 'platinum', 'locked', '{"moved": true, "score_to_next": null}'),
    ('lock', 'downwards', 'silver', true, 'platinum', 95, '{}', 5, '{}', 0, NULL, 0, NULL, 'silver', 'locked', '{"moved": true, "score_to_next": null}'),
    ('lock', 'into the base', 'bronze', true, 'platinum', 95, '{}', 5, '{}', 0, NULL, 0, NULL, 'bronze', 'locked', '{"moved": true}'),
    ('lock', 'where he stands: does not climb', 'silver', true, 'silver', 95, '{}', 5, '{}', 0, NULL, 0, NULL, 'silver', 'locked', '{"moved": false}'),
    ('lock', 'where he stands: does not fall', 'gold', true, 'gold', 0, '{}', 5, '{}', 0, NULL, 4, '2024-05-01', 'gold', 'locked', '{"down_runs": 0, "drops_on": null}'),
    ('lock', 'what was pending upwards ends', 'silver', true, 'silver', 95, '{"upgrade_confirm": 3}', 5, '{}', 2, '2024-05-01', 0, NULL, 'silver', 'locked', '{"up_runs": 0, "up_since": null}'),
    ('lock', 'at the first run', 'gold', true, NULL, 10, '{}', 5, '{}', 0, NULL, 0, NULL, 'gold', 'locked', '{"moved": true}'),
    ('lock', 'without an order', 'gold', true, NULL, NULL, '{}', 0, '{}', 0, NULL, 0, NULL, 'gold', 'locked', '{}'),
    ('lock', 'sent everything back', 'gold', true, 'gold', 90, '{}', 5, '{"refund_rate": 1}', 0, NULL, 0, NULL, 'gold', 'locked', '{}');

-- Changed rules ---------------------------------------------------------------
INSERT INTO rule_case (section, what, ladder, policy, old_ladder, old_policy, granted, came_from, tier, score, expected, reason, further) VALUES
    ('removed', 'the tier is no more: the highest whose rule holds', 'no gold', '{}', 'scores', '{}', 1, 'silver', 'gold', 65, 'silver', 'rules', '{"moved": true, "previous_tier": "gold", "terms": 2, "since": "2024-06-01"}'),
    ('removed', 'at once, whatever the policy says', 'no gold', '{"upgrade_confirm": 3, "grace_days": 99}', 'scores', '{}', 1, 'silver', 'gold', 85, 'platinum', 'rules', '{}'),
    ('removed', 'by entry rules: the base', 'no gold', '{}', 'scores', '{}', 1, 'silver', 'gold', 38, 'bronze', 'rules', '{}'),
    ('removed', 'the old terms do not keep it', 'no gold', '{"grandfather": true}', 'scores', '{"grace_days": 99}', 1, 'silver', 'gold', 38, 'bronze', 'rules', '{}'),
    ('removed', 'another tier was: nothing happens', 'no gold', '{}', 'scores', '{}', 1, 'gold', 'silver', 45, 'silver', 'qualified', '{"previous_tier": "gold", "moved": false}'),
    ('stricter', 'the new rules count at once', 'stricter', '{}', 'scores', '{}', 1, 'silver', 'gold', 65, 'silver', 'downgraded', '{}'),
    ('grandfather', 'stays by the terms under which it was granted', 'stricter', '{"grandfather": true}', 'scores', '{}', 1, 'silver', 'gold', 65, 'gold', 'kept', '{"terms": 1}'),
    ('grandfather', 'to the last point of these', 'stricter', '{"grandfather": true}', 'scores', '{}', 1, 'silver', 'gold', 55, 'gold', 'kept', '{}'),
    ('grandfather', 'and not below: lands by the rules of today', 'stricter', '{"grandfather": true}', 'scores', '{}', 1, 'silver', 'gold', 54.9999, 'silver', 'downgraded', '{"terms": 2}'),
    ('grandfather', 'lands by the stay rules of today', 'stricter', '{"grandfather": true}', 'scores', '{}', 1, 'silver', 'gold', 44.9999, 'bronze', 'downgraded', '{}'),
    ('grandfather', 'the delta of then', 'stricter', '{"grandfather": true, "delta": 0}', 'scores', '{"delta": 20}', 1, 'silver', 'gold', 40, 'gold', 'kept', '{}'),
    ('grandfather', 'and not that of today', 'stricter', '{"grandfather": true, "delta": 40}', 'scores', '{"delta": 0}', 1, 'silver', 'gold', 59, 'silver', 'downgraded', '{}'),
    ('grandfather', 'the hold of then', 'scores', '{"grandfather": true}', 'scores', '{"hold_days": 365}', 1, 'silver', 'gold', 50, 'gold', 'hold', '{"drops_on": "2024-12-31"}'),
    ('grandfather', 'the grace of then', 'scores', '{"grandfather": true}', 'scores', '{"grace_days": 30}', 1, 'silver', 'gold', 50, 'gold', 'grace', '{"drops_on": "2024-07-01"}'),
    ('grandfather', 'the confirm of then', 'scores', '{"grandfather": true}', 'scores', '{"downgrade_confirm": 2}', 1, 'silver', 'gold', 50, 'gold', 'grace', '{"drops_on": "2024-06-02"}'),
    ('grandfather', 'the needs of then', 'scores', '{"grandfather": true, "grace_days": 30}', 'scores', '{"grace_days": 30, "downgrade_needs": "either"}', 1, 'silver', 'gold', 50, 'silver', 'downgraded', '{}'),
    ('grandfather', 'the period of then', 'scores', '{"grandfather": true}', 'scores', '{"downgrade_at": "quarter"}', 1, 'silver', 'gold', 50, 'gold', 'period', '{"drops_on": "2024-06-30"}'),
    ('grandfather', 'one level as of then', 'scores', '{"grandfather": true}', 'scores', '{"one_level": true}', 1, 'silver', 'gold', 10, 'silver', 'downgraded', '{}'),
    ('grandfather', 'what is missing to stay by the terms of then', 'stricter', '{"grandfather": true}', 'scores', '{"grace_days": 30}', 1, 'silver', 'gold', 50, 'gold', 'grace', '{"score_to_stay": 5, "score_to_next": 40}'),
    ('grandfather', 'entry rules are those of today', 'stricter', '{"grandfather": true}', 'scores', '{}', 1, 'silver', 'gold', 85, 'gold', 'qualified', '{"score_to_next": 5}'),
    ('grandfather', 'upgrades wait as of today', 'scores', '{"grandfather": true, "upgrade_confirm": 2}', 'scores', '{}', 1, 'silver', 'gold', 85, 'gold', 'waiting', '{}'),
    ('grandfather', 'is today''s choice, not that of then', 'stricter', '{}', 'scores', '{"grandfather": true}', 1, 'silver', 'gold', 65, 'silver', 'downgraded', '{}'),
    ('grandfather', 'granted under the terms of today', 'stricter', '{"grandfather": true}', 'scores', '{}', 2, 'silver', 'gold', 65, 'silver', 'downgraded', '{}'),
    ('grandfather', 'the terms are not known', 'stricter', '{"grandfather": true}', 'scores', '{}', 7, 'silver', 'gold', 65, 'silver', 'downgraded', '{}'),
    ('grandfather', 'nobody wrote down the terms', 'stricter', '{"grandfather": true}', 'scores', '{}', NULL, 'silver', 'gold', 65, 'silver', 'downgraded', '{}'),
    ('grandfather', 'the terms do not know the tier', 'stricter', '{"grandfather": true}', 'no gold', '{}', 1, 'silver', 'gold', 65, 'silver', 'downgraded', '{}'),
    ('grandfather', 'looser rules of today count as well', 'scores', '{"grandfather": true}', 'stricter', '{}', 1, 'silver', 'gold', 60, 'gold', 'qualified', '{}'),
    ('grandfather', 'came into what was the base: nothing was asked', 'new base', '{"grandfather": true}', 'scores', '{}', 1, NULL, 'bronze', 10, 'bronze', 'kept', '{"terms": 1}'),
    ('grandfather', 'or not even a score', 'new base', '{"grandfather": true}', 'scores', '{}', 1, NULL, 'bronze', NULL, 'bronze', 'kept', '{}'),
    ('stricter', 'what was the base asks now', 'new base', '{}', 'scores', '{}', 1, NULL, 'bronze', 10, 'basic', 'downgraded', '{}'),
    ('grandfather', 'but their delta does not', 'scores', '{"grandfather": true}', 'stricter', '{}', 1, 'silver', 'gold', 57, 'silver', 'downgraded', '{}');
INSERT INTO rule_case (section, what, policy, old_ladder, old_policy, granted, tier, score, measures, expected, reason) VALUES
    ('grandfather', 'the refund rate of today', '{"grandfather": true, "max_refund_rate": 0.5}', 'scores', '{}', 1, 'gold', 85, '{"refund_rate": 0.6}', 'bronze', 'refunded'),
    ('grandfather', 'a refund rate of then does not count', '{"grandfather": true}', 'scores', '{"max_refund_rate": 0.5}', 1, 'gold', 60, '{"refund_rate": 0.6}', 'gold', 'qualified'),
    ('grandfather', 'revoked as of today', '{"grandfather": true}', 'scores', '{"revoke_on_refund": true}', 1, 'gold', 57, '{"refunded_since": 80, "earned_amount": 80}', 'gold', 'kept');
UPDATE rule_case SET came_from = 'silver' WHERE what = 'revoked as of today';

-- What is missing -------------------------------------------------------------
-- The nearest rule is that which misses the fewest kinds, then the fewest points, then the least amount.
INSERT INTO rule_case (section, what, ladder, policy, tier, score, measures, expected, reason, further) VALUES
    ('missing', 'points only', 'two rules', '{}', 'bronze', 55, '{"revenue 365": 1000}', 'bronze', 'base', '{"score_to_next": 5, "amount_to_next": null}'),
    ('missing', 'an amount only', 'either', '{}', 'bronze', 60, '{"revenue 365": 750.5}', 'bronze', 'base', '{"score_to_next": null, "amount_to_next": 249.5}'),
    ('missing', 'both: another rule needs the amount only', 'either', '{}', 'bronze', 55, '{"revenue 365": 750}', 'bronze', 'base', '{"score_to_next": null, "amount_to_next": 4250}'),
    ('missing', 'another rule needs points only', 'two rules', '{}', 'bronze', 55, '{"revenue 365": 750, "orders": 4}', 'bronze', 'base', '{"score_to_next": 15, "amount_to_next": null}'),
    ('missing', 'points by one rule, or an amount by another: the points are told', 'either', '{}', 'bronze', 55, '{"revenue 365": 1000}', 'bronze', 'base', '{"score_to_next": 5, "amount_to_next": null}'),
    ('missing', 'points by two rules: the fewer', 'two rules', '{}', 'bronze', 55, '{"revenue 365": 1000, "orders": 4}', 'bronze', 'base', '{"score_to_next": 5, "amount_to_next": null}'),
    ('missing', 'amounts by two rules: the less', 'either', '{}', 'bronze', 60, '{"revenue 365": 400}', 'bronze', 'base', '{"score_to_next": null, "amount_to_next": 600}'),
    ('missing', 'no score: the amount that does without', 'either', '{}', 'bronze', NULL, '{"revenue 365": 400, "orders": 9}', 'bronze', 'unrated', '{"score_to_next": null, "amount_to_next": 4600}'),
    ('missing', 'one rule, points and an amount', 'spend and score', '{}', 'bronze', 55, '{"revenue 365": 750}', 'bronze', 'base', '{"score_to_next": 5, "amount_to_next": 250}'),
    ('missing', 'orders are missing: neither would do', 'spend', '{}', 'silver', 55, '{"revenue 365": 750, "orders": 2}', 'silver', 'qualified', '{"score_to_next": null, "amount_to_next": null}'),
    ('missing', 'a segment is missing to climb, points to stay', 'segments', '{"grace_days": 30}', 'silver', 25, '{}', 'silver', 'grace', '{"score_to_next": null, "score_to_stay": 10}'),
    ('missing', 'above the upper end of a band', 'score band', '{}', 'bronze', 70, '{}', 'bronze', 'base', '{"score_to_next": null}'),
    ('missing', 'to stay: an amount', 'spend', '{"grace_days": 30}', 'gold', 50, '{"revenue 365": 900, "orders": 4}', 'gold', 'grace', '{"score_to_stay": null, "amount_to_stay": 100}'),
    ('missing', 'to stay: orders, which no points bring', 'spend', '{"grace_days": 30}', 'gold', 50, '{"revenue 365": 1000, "orders": 3}', 'gold', 'grace', '{"score_to_stay": null, "amount_to_stay": null}'),
    ('missing', 'to stay: by a stay rule of its own', 'stay', '{"grace_days": 30}', 'gold', 49.5, '{"orders": 9}', 'gold', 'grace', '{"score_to_stay": 0.5, "amount_to_stay": null}'),
    ('missing', 'to stay: without a score', 'scores', '{"grace_days": 30}', 'gold', NULL, '{}', 'gold', 'grace', '{"score_to_stay": null}');
INSERT INTO rule_case (section, what, ladder, tier, orders, score, segment, measures, expected, reason) VALUES
    ('apart', 'a higher rule holds, the own does not: climbs', 'apart', 'silver', 5, 10, 'champions', '{}', 'platinum', 'upgraded'),
    ('apart', 'two higher rules: the higher one', 'apart', 'bronze', 5, 10, 'champions', '{"orders": 9}', 'platinum', 'upgraded'),
    ('apart', 'falls to a tier whose rule holds, over one whose rule does not', 'apart', 'platinum', 5, 45, 'lost', '{"orders": 1}', 'silver', 'downgraded'),
    ('apart', 'falls to a tier where he may only stay', 'apart', 'platinum', 5, 45, 'lost', '{"orders": 3}', 'gold', 'downgraded');

-- Following the rules of every case.
CREATE VIEW ruled AS
SELECT c.*, customer_tier.tier_move(
           jsonb_build_object('measures', measured, 'terms',
               CASE WHEN old_ladder IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('id', 1, 'tiers', old.tiers, 'policy', old_policy)) END
               || jsonb_build_object('id', 2, 'tiers', l.tiers, 'policy', policy)),
           as_of, last_run, score, orders, first_day, segment,
           ARRAY(SELECT (measures ->> m)::float8 FROM jsonb_array_elements_text(measured) WITH ORDINALITY AS a(m, i) ORDER BY i),
           CASE WHEN tier IS NOT NULL THEN (tier, since, came_from, granted, up_runs, up_since, down_runs, down_since)::customer_tier.tier_state END, override, lock) AS is
  FROM rule_case c JOIN ladder l ON l.name = c.ladder LEFT JOIN ladder old ON old.name = c.old_ladder,
       (VALUES ('["revenue 365", "revenue 90", "orders", "recency_days", "p_alive", "refund_rate", "refunded_since", "earned_amount"]'::jsonb)) AS m(measured);

-- Cases that come out otherwise: none.
SELECT section, what, expected, reason, (r.is).tier, (r.is).reason AS because, further, to_jsonb(r.is) AS is FROM ruled r
 WHERE (expected, reason) IS DISTINCT FROM ((r.is).tier, (r.is).reason) OR NOT to_jsonb(r.is) @> further ORDER BY id;
SELECT section, count(*) AS cases FROM rule_case GROUP BY section ORDER BY min(id);
SELECT count(*) AS cases, count(DISTINCT reason) AS reasons FROM rule_case;

-- Whoever does not move keeps his day, his terms and where he came from; who moves has nothing pending.
SELECT section, what FROM ruled r
 WHERE NOT (r.is).moved AND ((r.is).since, (r.is).terms, (r.is).previous_tier) IS DISTINCT FROM (since, granted, came_from)
    OR (r.is).moved AND ((r.is).since <> as_of OR (r.is).terms <> 2 OR (r.is).previous_tier IS DISTINCT FROM tier OR (r.is).up_runs + (r.is).down_runs > 0)
    OR ((r.is).up_runs > 0) <> ((r.is).up_since IS NOT NULL) OR ((r.is).down_runs > 0) <> ((r.is).down_since IS NOT NULL)
    OR ((r.is).drops_on IS NOT NULL) <> ((r.is).reason IN ('hold', 'grace', 'period')) OR (r.is).drops_on <= as_of;

-- Paths: one customer over several runs. The state after a run is that before the next.
CREATE TABLE path (path text, n int, ladder text DEFAULT 'scores', policy jsonb DEFAULT '{}', day date, score numeric, override text, expected text, reason text);
INSERT INTO path (path, n, policy, day, score, expected, reason) VALUES
    ('one slow month', 1, '{"downgrade_confirm": 2}', '2024-01-31', 62, 'gold', 'qualified'),
    ('one slow month', 2, '{"downgrade_confirm": 2}', '2024-02-29', 48, 'gold', 'grace'),
    ('one slow month', 3, '{"downgrade_confirm": 2}', '2024-03-31', 61, 'gold', 'qualified'),
    ('one slow month', 4, '{"downgrade_confirm": 2}', '2024-04-30', 48, 'gold', 'grace'),
    ('one slow month', 5, '{"downgrade_confirm": 2}', '2024-05-31', 48, 'silver', 'downgraded'),
    ('one slow month', 6, '{"downgrade_confirm": 2}', '2024-06-30', 48, 'silver', 'qualified'),
    ('a twitching percentile', 1, '{}', '2024-01-31', 60.1, 'gold', 'qualified'),
    ('a twitching percentile', 2, '{}', '2024-02-29', 59.2, 'gold', 'kept'),
    ('a twitching percentile', 3, '{}', '2024-03-31', 60, 'gold', 'qualified'),
    ('a twitching percentile', 4, '{}', '2024-04-30', 55, 'gold', 'kept'),
    ('a twitching percentile', 5, '{}', '2024-05-31', 54.9, 'silver', 'downgraded'),
    ('a twitching percentile', 6, '{}', '2024-06-30', 59.9, 'silver', 'qualified'),
    ('a twitching percentile', 7, '{}', '2024-07-31', 60, 'gold', 'upgraded'),
    ('up, held, graced, down', 1, '{"hold_days": 60, "grace_days": 45}', '2024-01-31', 45, 'silver', 'qualified'),
    ('up, held, graced, down', 2, '{"hold_days": 60, "grace_days": 45}', '2024-02-29', 65, 'gold', 'upgraded'),
    ('up, held, graced, down', 3, '{"hold_days": 60, "grace_days": 45}', '2024-03-31', 45, 'gold', 'hold'),
    ('up, held, graced, down', 4, '{"hold_days": 60, "grace_days": 45}', '2024-04-28', 45, 'gold', 'hold'),
    ('up, held, graced, down', 5, '{"hold_days": 60, "grace_days": 45}', '2024-04-29', 45, 'gold', 'grace'),
    ('up, held, graced, down', 6, '{"hold_days": 60, "grace_days": 45}', '2024-05-14', 45, 'gold', 'grace'),
    ('up, held, graced, down', 7, '{"hold_days": 60, "grace_days": 45}', '2024-05-15', 45, 'silver', 'downgraded'),
    ('up, held, graced, down', 8, '{"hold_days": 60, "grace_days": 45}', '2024-05-16', 20, 'silver', 'grace'),
    ('one level at a time', 1, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-01', 90, 'platinum', 'qualified'),
    ('one level at a time', 2, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-02', 0, 'platinum', 'grace'),
    ('one level at a time', 3, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-03', 0, 'gold', 'downgraded'),
    ('one level at a time', 4, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-04', 0, 'gold', 'grace'),
    ('one level at a time', 5, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-05', 0, 'silver', 'downgraded'),
    ('one level at a time', 6, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-06', 0, 'silver', 'grace'),
    ('one level at a time', 7, '{"one_level": true, "downgrade_confirm": 2}', '2024-01-07', 0, 'bronze', 'downgraded'),
    ('waiting thrice', 1, '{"upgrade_confirm": 3}', '2024-01-01', 45, 'silver', 'qualified'),
    ('waiting thrice', 2, '{"upgrade_confirm": 3}', '2024-01-02', 65, 'silver', 'waiting'),
    ('waiting thrice', 3, '{"upgrade_confirm": 3}', '2024-01-03', 65, 'silver', 'waiting'),
    ('waiting thrice', 4, '{"upgrade_confirm": 3}', '2024-01-04', 45, 'silver', 'qualified'),
    ('waiting thrice', 5, '{"upgrade_confirm": 3}', '2024-01-05', 85, 'silver', 'waiting'),
    ('waiting thrice', 6, '{"upgrade_confirm": 3}', '2024-01-06', 65, 'silver', 'waiting'),
    ('waiting thrice', 7, '{"upgrade_confirm": 3}', '2024-01-07', 65, 'gold', 'upgraded'),
    ('ends of quarters', 1, '{"downgrade_at": "quarter"}', '2024-01-01', 65, 'gold', 'qualified'),
    ('ends of quarters', 2, '{"downgrade_at": "quarter"}', '2024-03-30', 45, 'gold', 'period'),
    ('ends of quarters', 3, '{"downgrade_at": "quarter"}', '2024-03-31', 60, 'gold', 'qualified'),
    ('ends of quarters', 4, '{"downgrade_at": "quarter"}', '2024-04-01', 45, 'gold', 'period'),
    ('ends of quarters', 5, '{"downgrade_at": "quarter"}', '2024-06-29', 45, 'gold', 'period'),
    ('ends of quarters', 6, '{"downgrade_at": "quarter"}', '2024-07-03', 45, 'silver', 'downgraded'),
    ('every anniversary of a leap day', 1, '{"downgrade_at": "tier_anniversary"}', '2024-02-29', 65, 'gold', 'qualified'),
    ('every anniversary of a leap day', 2, '{"downgrade_at": "tier_anniversary"}', '2025-02-27', 45, 'gold', 'period'),
    ('every anniversary of a leap day', 3, '{"downgrade_at": "tier_anniversary"}', '2025-02-28', 55, 'gold', 'kept'),
    ('every anniversary of a leap day', 4, '{"downgrade_at": "tier_anniversary"}', '2028-02-28', 45, 'gold', 'period'),
    ('every anniversary of a leap day', 5, '{"downgrade_at": "tier_anniversary"}', '2028-02-29', 45, 'silver', 'downgraded');
INSERT INTO path (path, n, policy, day, score, override, expected, reason) VALUES
    ('a person helps for some days', 1, '{"grace_days": 10}', '2024-01-01', 45, NULL, 'silver', 'qualified'),
    ('a person helps for some days', 2, '{"grace_days": 10}', '2024-01-02', 45, 'gold', 'gold', 'override'),
    ('a person helps for some days', 3, '{"grace_days": 10}', '2024-01-20', 45, 'gold', 'gold', 'override'),
    ('a person helps for some days', 4, '{"grace_days": 10}', '2024-01-21', 62, 'gold', 'gold', 'qualified'),
    ('a person helps for some days', 5, '{"grace_days": 10}', '2024-01-22', 45, 'gold', 'gold', 'override'),
    ('a person helps for some days', 6, '{"grace_days": 10}', '2024-01-23', 45, NULL, 'gold', 'grace'),
    ('a person helps for some days', 7, '{"grace_days": 10}', '2024-02-01', 45, NULL, 'gold', 'grace'),
    ('a person helps for some days', 8, '{"grace_days": 10}', '2024-02-02', 45, NULL, 'silver', 'downgraded');
WITH RECURSIVE walk AS (
    SELECT path, 0 AS n, NULL::customer_tier.tier_state AS state, NULL::customer_tier.tier_move AS move, NULL::date AS day, ''::text AS expected, ''::text AS reason FROM path WHERE n = 1
    UNION ALL
    SELECT p.path, p.n, (m.tier, m.since, m.previous_tier, m.terms, m.up_runs, m.up_since, m.down_runs, m.down_since)::customer_tier.tier_state, m, p.day, p.expected, p.reason
      FROM walk w JOIN path p ON p.path = w.path AND p.n = w.n + 1 JOIN ladder l ON l.name = p.ladder CROSS JOIN LATERAL
           customer_tier.tier_move(jsonb_build_object('measures', '[]'::jsonb, 'terms', jsonb_build_array(jsonb_build_object('tiers', l.tiers, 'policy', p.policy))),
                                   p.day, w.day, p.score, 5, '2023-03-10', NULL, NULL, w.state, p.override) m
)
SELECT path, n, expected, reason, (move).tier, (move).reason AS because FROM walk WHERE n > 0 AND (expected, reason) IS DISTINCT FROM ((move).tier, (move).reason) ORDER BY path, n;
SELECT count(DISTINCT path) AS paths, count(*) AS days FROM path;

-- Shares and capacities: who is among the best, and who finds a seat. Of each
-- scene, all customers; "now" is where they stood, "expected" where they must stand.
CREATE TABLE scene (scene text PRIMARY KEY, tiers jsonb, policy jsonb);
CREATE TABLE seat_case (scene text, customer text, score numeric, clv float8, now text, override text, orders bigint DEFAULT 5, expected text, reason text);
INSERT INTO scene VALUES
    ('best fifth of ten', '[{"code": "bronze"}, {"code": "gold", "entry": {"share": 0.2}}]', '{}'),
    ('tied at the boundary', '[{"code": "bronze"}, {"code": "gold", "entry": {"share": 0.5}}]', '{}'),
    ('parted by value', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 2}}]', '{"tie_break": ["clv"]}'),
    ('tied at the top', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 2}}]', '{}'),
    ('one free seat of three', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 3}}]', '{}'),
    ('a seat is freed', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 2}}]', '{}'),
    ('two ask for one seat with the same score', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 3}}]', '{}'),
    ('no seats at all', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 0}}]', '{}'),
    ('everybody', '[{"code": "bronze"}, {"code": "gold", "entry": {"share": 1}}]', '{}'),
    ('higher tiers among them', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 2}}, {"code": "platinum", "min_score": 90}]', '{}'),
    ('share and capacity', '[{"code": "bronze"}, {"code": "silver", "entry": {"share": 0.8}}, {"code": "gold", "entry": {"capacity": 1, "score": 50}}]', '{}'),
    ('a person gave the only seat', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 1}}]', '{}'),
    ('a seat kept in grace', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 1}}]', '{"grace_days": 60}'),
    ('a stay rule of its own', '[{"code": "bronze"}, {"code": "gold", "entry": {"capacity": 1}, "stay": {"score": 30}}]', '{}'),
    ('or by score', '[{"code": "bronze"}, {"code": "gold", "entry": [{"capacity": 1}, {"score": 80}]}]', '{}');
INSERT INTO seat_case (scene, customer, score, now, expected, reason) VALUES
    ('best fifth of ten', 'a', 90, NULL, 'gold', 'qualified'), ('best fifth of ten', 'b', 80, NULL, 'gold', 'qualified'), ('best fifth of ten', 'c', 79.9999, NULL, 'bronze', 'base'),
    ('best fifth of ten', 'd', 70, NULL, 'bronze', 'base'), ('best fifth of ten', 'e', 60, NULL, 'bronze', 'base'), ('best fifth of ten', 'f', 50, NULL, 'bronze', 'base'),
    ('best fifth of ten', 'g', 40, NULL, 'bronze', 'base'), ('best fifth of ten', 'h', 30, NULL, 'bronze', 'base'), ('best fifth of ten', 'i', 20, NULL, 'bronze', 'base'),
    ('best fifth of ten', 'j', 10, NULL, 'bronze', 'base'), ('best fifth of ten', 'without a score', NULL, NULL, 'bronze', 'unrated'),
    ('tied at the boundary', 'a', 90, NULL, 'gold', 'qualified'), ('tied at the boundary', 'b', 70, NULL, 'bronze', 'base'), ('tied at the boundary', 'c', 70, NULL, 'bronze', 'base'),
    ('tied at the boundary', 'd', 10, NULL, 'bronze', 'base'),
    ('tied at the top', 'a', 90, NULL, 'bronze', 'base'), ('tied at the top', 'b', 90, NULL, 'bronze', 'base'), ('tied at the top', 'c', 90, NULL, 'bronze', 'base'),
    ('one free seat of three', 'a', 90, 'bronze', 'gold', 'upgraded'), ('one free seat of three', 'b', 85, 'bronze', 'bronze', 'base'), ('one free seat of three', 'c', 84, 'gold', 'gold', 'qualified'),
    ('one free seat of three', 'd, among the best less delta', 79, 'gold', 'gold', 'kept'), ('one free seat of three', 'e', 78.9999, 'bronze', 'bronze', 'base'),
    ('a seat is freed', 'a', 90, 'bronze', 'gold', 'upgraded'), ('a seat is freed', 'b', 80, 'gold', 'gold', 'qualified'), ('a seat is freed', 'c, below the best less delta', 74.9999, 'gold', 'bronze', 'downgraded'),
    ('two ask for one seat with the same score', 'a', 90, 'bronze', 'bronze', 'base'), ('two ask for one seat with the same score', 'b', 90, 'bronze', 'bronze', 'base'),
    ('two ask for one seat with the same score', 'c', 88, 'gold', 'gold', 'qualified'), ('two ask for one seat with the same score', 'd', 86, 'gold', 'gold', 'kept'),
    ('no seats at all', 'a', 100, NULL, 'bronze', 'base'), ('no seats at all', 'b', 100, 'gold', 'bronze', 'downgraded'),
    ('everybody', 'a', 0, NULL, 'gold', 'qualified'), ('everybody', 'b', 0, 'bronze', 'gold', 'upgraded'), ('everybody', 'without a score', NULL, NULL, 'bronze', 'unrated'),
    ('higher tiers among them', 'a', 95, NULL, 'platinum', 'qualified'), ('higher tiers among them', 'b', 89, NULL, 'gold', 'qualified'), ('higher tiers among them', 'c', 88, NULL, 'bronze', 'base'),
    ('share and capacity', 'a', 60, NULL, 'gold', 'qualified'), ('share and capacity', 'b', 55, NULL, 'silver', 'qualified'), ('share and capacity', 'c', 50, NULL, 'silver', 'qualified'),
    ('share and capacity', 'd', 45, NULL, 'silver', 'qualified'), ('share and capacity', 'e', 40, NULL, 'bronze', 'base'),
    ('a seat kept in grace', 'a', 90, 'bronze', 'bronze', 'base'), ('a seat kept in grace', 'b', 20, 'gold', 'gold', 'grace'),
    ('a stay rule of its own', 'a', 90, 'bronze', 'bronze', 'base'), ('a stay rule of its own', 'b', 30, 'gold', 'gold', 'kept'),
    ('or by score', 'a', 95, 'bronze', 'gold', 'upgraded'), ('or by score', 'b', 85, 'bronze', 'gold', 'upgraded'), ('or by score', 'c', 79, 'bronze', 'bronze', 'base');
INSERT INTO seat_case (scene, customer, score, clv, expected, reason) VALUES
    ('parted by value', 'a', 90, 10, 'gold', 'qualified'), ('parted by value', 'b', 70, 300, 'gold', 'qualified'), ('parted by value', 'c', 70, 299, 'bronze', 'base'), ('parted by value', 'd', 70, NULL, 'bronze', 'base');
INSERT INTO seat_case (scene, customer, score, override, orders, expected, reason) VALUES
    ('a person gave the only seat', 'a', 90, NULL, 5, 'bronze', 'base'), ('a person gave the only seat', 'b', 20, 'gold', 5, 'gold', 'override'), ('a person gave the only seat', 'a prospect', NULL, NULL, 0, 'bronze', 'prospect');
CREATE VIEW seated AS
WITH given AS (
    SELECT c.*, jsonb_build_object('measures', '["clv"]'::jsonb, 'terms', jsonb_build_array(jsonb_build_object('id', 1, 'tiers', tiers, 'policy', policy))) AS rules, ARRAY[clv] AS measures,
           CASE WHEN now IS NOT NULL THEN (now, '2024-01-01', NULL, 1, 0, NULL, 0, NULL)::customer_tier.tier_state END AS state
      FROM seat_case c JOIN scene USING (scene)
), best AS (
    SELECT scene, customer_tier.tier_best(rules, score, orders, measures) AS best FROM given GROUP BY scene
), places AS (
    SELECT scene, customer_tier.tier_seats(rules, '2024-06-01', '2024-05-01', score, orders, '2023-03-10', NULL, measures, state, override, false, best) AS places FROM given JOIN best USING (scene) GROUP BY scene
)
SELECT g.*, customer_tier.tier_move(rules, '2024-06-01', '2024-05-01', score, orders, '2023-03-10', NULL, measures, state, override, false, places) AS is FROM given g JOIN places USING (scene);
-- Cases that come out otherwise: none.
SELECT scene, customer, score, now, expected, reason, (s.is).tier, (s.is).reason AS because FROM seated s WHERE (expected, reason) IS DISTINCT FROM ((s.is).tier, (s.is).reason) ORDER BY scene, customer;
SELECT count(DISTINCT scene) AS scenes, count(*) AS customers FROM seat_case;
-- Without places, no share or capacity holds.
SELECT (customer_tier.tier_move('{"measures": [], "terms": [{"tiers": [{"code": "bronze"}, {"code": "gold", "entry": {"share": 1}}]}]}', '2024-06-01', NULL, 100, 5, '2023-03-10', NULL, NULL)).tier;
-- What is missing: the points to the least of the best.
SELECT customer, (s.is).score_to_next, (s.is).score_to_stay FROM seated s WHERE scene IN ('best fifth of ten', 'a seat kept in grace', 'one free seat of three') AND score IS NOT NULL ORDER BY scene, score DESC;

-- A population over twelve runs: 29 % silver or better, 40 seats in gold or
-- better, 10 % of those without a score. Never more than asked; whoever came in
-- is better than who stood outside; no seat is left free for want of asking.
CREATE TABLE crowd AS
SELECT c AS customer, n AS run, date '2024-01-31' + 30 * n AS day,
       CASE WHEN (c * 31 + n) % 10 > 0 THEN (abs((c * 7919 + (c % 13) * n * n * 17) % 2000 - 1000) / CASE c % 3 WHEN 0 THEN 100 ELSE 10 END)::int END::numeric AS score
  FROM generate_series(1, 400) c, generate_series(1, 12) n;
CREATE TABLE crowd_move (customer int, run int, state customer_tier.tier_state, move customer_tier.tier_move);
DO $$
DECLARE
    rules jsonb := '{"measures": [], "terms": [{"id": 1, "tiers": [{"code": "bronze"}, {"code": "silver", "entry": {"share": 0.29}}, {"code": "gold", "entry": {"capacity": 40, "score": 20}}], "policy": {"delta": 3}}]}';
BEGIN
    FOR n IN 1..12 LOOP
        INSERT INTO public.crowd_move
        WITH given AS (
            SELECT c.*, ((p.move).tier, (p.move).since, (p.move).previous_tier, (p.move).terms, 0, NULL, 0, NULL)::customer_tier.tier_state AS state, lag AS last_day
              FROM public.crowd c LEFT JOIN public.crowd_move p ON p.customer = c.customer AND p.run = n - 1, LATERAL (SELECT CASE WHEN n > 1 THEN day - 30 END AS lag) l WHERE c.run = n
        ), best AS (SELECT customer_tier.tier_best(rules, score, 5, '{}') AS best FROM given
        ), places AS (SELECT customer_tier.tier_seats(rules, day, last_day, score, 5, '2023-03-10', NULL, '{}', state, NULL, false, best) AS places FROM given, best)
        SELECT customer, run, state, customer_tier.tier_move(rules, day, last_day, score, 5, '2023-03-10', NULL, '{}', state, NULL, false, places) FROM given, places;
    END LOOP;
END $$;
CREATE TABLE limited AS
SELECT run, code, rank, CASE rank WHEN 2 THEN floor(0.29 * count(score)) ELSE 40 END AS places FROM crowd, (VALUES ('silver', 2), ('gold', 3)) AS t(code, rank) GROUP BY run, code, rank;
SELECT run, code, places, count(*) FILTER (WHERE (m.move).tier_rank >= rank) AS standing FROM limited JOIN crowd_move m USING (run) GROUP BY run, code, rank, places
HAVING count(*) FILTER (WHERE (m.move).tier_rank >= rank) > places ORDER BY run, code;
-- Came in with no more points than somebody outside who is among the best.
WITH asked AS (
    SELECT l.*, c.score, (m.move).tier_rank >= rank AS is_in, coalesce(CASE (m.state).tier WHEN 'silver' THEN 2 WHEN 'gold' THEN 3 ELSE 1 END, 1) >= rank AS was_in,
           count(*) FILTER (WHERE (m.move).tier_rank >= rank) OVER (PARTITION BY run, rank) AS standing,
           c.score IS NOT NULL AND count(c.score) OVER (PARTITION BY run, rank ORDER BY c.score DESC NULLS LAST) <= places AND (rank = 2 OR c.score >= 20) AS is_best
      FROM limited l JOIN crowd_move m USING (run) JOIN crowd c USING (customer, run)
), turned_away AS (SELECT run, rank, max(score) AS score FROM asked WHERE is_best AND NOT is_in GROUP BY run, rank)
SELECT 'worse' AS wrong, a.run, a.code, a.score FROM asked a JOIN turned_away t USING (run, rank) WHERE a.is_in AND NOT a.was_in AND a.score <= t.score
UNION ALL
SELECT 'not among the best', run, code, score FROM asked WHERE is_in AND NOT was_in AND NOT is_best
UNION ALL
SELECT 'a free seat', a.run, a.code, a.score FROM asked a JOIN turned_away t USING (run, rank)
 WHERE a.score = t.score AND NOT a.is_in AND a.is_best AND standing + (SELECT count(*) FROM asked b WHERE (b.run, b.rank, b.score) = (t.run, t.rank, t.score) AND b.is_best AND NOT b.is_in) <= places;
SELECT (move).reason, (move).tier, count(*) FROM crowd_move GROUP BY (move).reason, (move).tier ORDER BY (move).reason COLLATE "C", (move).tier COLLATE "C";

-- What is refused: an error's code, message and hint.
CREATE FUNCTION refused(tiers text DEFAULT '[{"code": "bronze"}, {"code": "gold", "min_score": 60}]', policy text DEFAULT '{}', as_of date DEFAULT '2024-06-01', last_run date DEFAULT '2024-05-01',
                        score numeric DEFAULT 50, measured text DEFAULT '["orders", "refund_rate"]', measures float8[] DEFAULT '{5, 0}', state text DEFAULT NULL, override text DEFAULT NULL,
                        rules text DEFAULT NULL, first_day date DEFAULT '2023-03-10', places float8[] DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    RETURN 'taken: ' || (customer_tier.tier_move(coalesce(rules, format('{"terms": [{"tiers": %s, "policy": %s}], "measures": %s}', tiers, policy, measured))::jsonb, as_of, last_run, score, 5, first_day, NULL,
                                                 measures, state::customer_tier.tier_state, override, false, places)).reason;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, nullif('  ' || detail, '  '), nullif('  hint: ' || hint, '  hint: '));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT refused();
-- the policy
SELECT refused(policy => v) FROM (VALUES ('{"deltas": 5}'), ('{"grace_days": -1}'), ('{"grace_days": 1.5}'), ('{"grace_days": "30"}'), ('{"grace_days": 1e9}'), ('{"grace_days": null}'), ('{"hold_days": -1}'), ('{"delta": -1}'),
    ('{"delta": 101}'), ('{"upgrade_confirm": 0}'), ('{"downgrade_confirm": 0}'), ('{"upgrade_at": "week"}'), ('{"downgrade_at": 3}'), ('{"downgrade_needs": "none"}'), ('{"one_level": 1}'), ('{"grandfather": "yes"}'),
    ('{"max_refund_rate": 0}'), ('{"max_refund_rate": 1.1}'), ('{"max_refund_rate": "0.8"}'), ('{"tie_break": "orders"}'), ('{"tie_break": ["clv"]}'), ('{"tie_break": ["orders", "orders", "orders", "orders"]}'), ('[]')) AS p(v);
-- the tiers
SELECT refused(tiers => v) FROM (VALUES ('[]'), ('{}'), ('[1]'), ('[{}]'), ('[{"code": ""}]'), ('[{"code": "bronze", "min_score": 10}]'), ('[{"code": "bronze", "entry": {"score": 1}}]'),
    ('[{"code": "bronze"}, {"code": "bronze", "min_score": 10}]'), ('[{"code": "bronze"}, {"code": "gold"}]'), ('[{"code": "bronze"}, {"code": "gold", "min_score": 10, "entry": {"score": 10}}]'),
    ('[{"code": "bronze"}, {"code": "gold", "min_score": -1}]'), ('[{"code": "bronze"}, {"code": "gold", "min_score": 100.5}]'), ('[{"code": "bronze"}, {"code": "gold", "min_score": "60"}]')) AS t(v);
-- a rule
SELECT refused(tiers => format('[{"code": "bronze"}, {"code": "gold", "entry": %s}]', v)) FROM (VALUES ('[]'), ('{}'), ('[{}]'), ('60'), ('"score"'), ('[[{"score": 60}]]'), ('{"score": 101}'), ('{"score": "60"}'), ('{"score": {}}'),
    ('{"score": {"at_least": 60, "days": 30}}'), ('{"score": []}'), ('{"score": true}'), ('{"clv": 100}'), ('{"revenue": {"at_least": 100, "days": 365}}'), ('{"orders": {"at_least": 4, "days": 0}}'), ('{"orders": {"at_least": 4, "days": 1.5}}'),
    ('{"refund_rate": {"at_most": 0.5, "days": 30}}'), ('{"orders": {"more_than": 4}}'), ('{"orders": {"at_least": 5, "at_most": 4}}'), ('{"orders": {"at_least": "4"}}'), ('{"orders": {"days": 365}}'),
    ('{"segment": []}'), ('{"segment": 3}'), ('{"segment": ["a", 3]}'), ('{"share": 0}'), ('{"share": 1.01}'), ('{"share": "5 %"}'), ('{"capacity": -1}'), ('{"capacity": 1.5}')) AS r(v);
SELECT refused(tiers => '[{"code": "bronze"}, {"code": "gold", "min_score": 60, "stay": {"revenue": 5}}]');
-- the rules as a whole
SELECT refused(rules => v) FROM (VALUES ('{}'), ('[]'), ('null'), ('{"terms": []}'), ('{"terms": {}}'), ('{"terms": [1]}'), ('{"terms": [{"tiers": [{"code": "bronze"}]}], "measures": {}}'),
    ('{"terms": [{"tiers": [{"code": "bronze"}]}], "measures": ["orders", "orders"]}'), ('{"terms": [{"tiers": [{"code": "bronze"}]}], "measures": [1]}')) AS r(v);
SELECT customer_tier.tier_move(NULL, '2024-06-01', NULL, 50, 5, '2023-03-10', NULL, NULL);
-- the day, the score, the measures, the state
SELECT refused(as_of => NULL);
SELECT refused(as_of => v) FROM (VALUES (date 'infinity'), (date '-infinity'), (date '2024-05-01'), (date '2024-04-30')) AS d(v);
SELECT refused(last_run => v) FROM (VALUES (date 'infinity'), (date '-infinity')) AS d(v);
SELECT refused(first_day => 'infinity');
SELECT refused(score => v) FROM (VALUES (-0.0001), (100.0001), ('NaN'::numeric)) AS s(v);
SELECT refused(measures => v) FROM (VALUES ('{1, 2, 3}'::float8[]), ('{{1}, {2}}'::float8[]), (NULL), ('{}'), ('{NaN, NULL}'), ('{Infinity, NaN}')) AS m(v);
SELECT refused(state => v) FROM (VALUES ('(gold,2024-01-01,,,-1,2024-05-01,0,)'), ('(gold,2024-01-01,,,0,,-1,2024-05-01)'), ('(gold,2024-01-01,,,1,,0,)'), ('(gold,2024-01-01,,,0,,1,)'), ('(gold,,,,0,,0,)'),
    ('(gold,infinity,,,0,,0,)'), ('(gold,2024-01-01,,,1,infinity,0,)'), ('(gold,2024-01-01,,,0,,1,-infinity)'), ('(gold,2024-01-01,,,,,,)'), ('(,,,,,,,)')) AS s(v);
SELECT refused(override => 'legacy');
SELECT refused(tiers => '[{"code": "bronze"}, {"code": "gold", "entry": {"share": 0.1}}]', places => '{1, 2}');
\pset format aligned
\pset tuples_only off

-- leave nothing behind
SET client_min_messages = warning;
DROP VIEW ruled, seated CASCADE;
DROP FUNCTION refused CASCADE;
DROP TABLE ladder, rule_case, path, scene, seat_case, crowd, crowd_move, limited CASCADE;
