-- What a program must not be surprised by, nor surprise with.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET DateStyle = 'ISO, YMD';

-- Nobody ordered within the window: everybody is at its bottom, R still counts.
CREATE TABLE quiet (c int, d date, a numeric);
INSERT INTO quiet SELECT g, date '2024-01-01' + g, 10 * g FROM generate_series(1, 20) g;
SELECT customer_tier.create_program('quiet', 'quiet', 'c', 'd', 'a', window_days => 30);
CALL customer_tier.refresh('quiet', '2024-06-30');
SELECT f_score, m_score, count(*), count(DISTINCT r_score) AS r_scores, max(score) AS best FROM quiet.ratings GROUP BY 1, 2;
UPDATE quiet.settings SET segment_map = 'cn8';
CALL customer_tier.refresh('quiet', '2024-06-30');
SELECT segment, count(*) FROM quiet.ratings GROUP BY 1 ORDER BY 1;
-- One who has not ordered for long is below those who have, whatever they sent back.
UPDATE quiet.settings SET segment_map = 'grid25', window_days = 90;
INSERT INTO quiet SELECT 100 + g, '2024-06-10', 10 FROM generate_series(1, 6) g;
INSERT INTO quiet SELECT 100 + g, '2024-06-12', -20 FROM generate_series(1, 3) g;
CALL customer_tier.refresh('quiet', '2024-06-30');
SELECT max(score) FILTER (WHERE c < 100) < min(score) FILTER (WHERE c > 100) AS below, max(m_score) FILTER (WHERE c < 100) AS m
FROM (SELECT customer_id AS c, score, m_score FROM quiet.ratings) r;

-- The key's length belongs to the source, and may grow.
CREATE TABLE master (id varchar(10));
INSERT INTO master VALUES ('abcdef'), ('xyzzz'), ('xyz00');
CREATE TABLE short_keys (c varchar(3), d date, a int);
INSERT INTO short_keys VALUES ('abc', '2024-01-01', 1);
SELECT customer_tier.create_program('keys', 'short_keys', 'c', 'd', 'a', customers => 'master', customers_key => 'id');
CALL customer_tier.refresh('keys', '2024-06-01');
SELECT customer_id, tier_reason FROM keys.ratings ORDER BY customer_id COLLATE "C";
ALTER TABLE short_keys ALTER c TYPE varchar(10);
INSERT INTO short_keys VALUES ('abcdef', '2024-01-02', 1);
CALL customer_tier.refresh('keys', '2024-06-01');
SELECT customer_id, tier_reason FROM keys.ratings ORDER BY customer_id COLLATE "C";

-- Settings of the session do not get into the ratings.
SET extra_float_digits = -14;
SET TimeZone = 'Pacific/Kiritimati';
SET IntervalStyle = 'sql_standard';
UPDATE quiet.dimension SET weight = 0.123456789012345678 WHERE name = 'recency';
CALL customer_tier.refresh('quiet', '2024-06-30');
CREATE TABLE odd_session AS SELECT * FROM quiet.ratings;
RESET extra_float_digits;
RESET TimeZone;
RESET IntervalStyle;
CALL customer_tier.refresh('quiet', '2024-06-30');
SELECT changed FROM quiet.run ORDER BY run_id DESC LIMIT 1;
SELECT count(*) FROM (TABLE odd_session EXCEPT ALL TABLE quiet.ratings) t;

-- An empty source empties the ratings, but says so.
BEGIN;
DELETE FROM quiet;
CALL customer_tier.refresh('quiet', '2024-06-30');
SELECT count(*) FROM quiet.ratings;
ROLLBACK;

-- The name in the settings is the name in the registry.
UPDATE quiet.settings SET program = 'other';
SELECT * FROM customer_tier.check_program('quiet');
UPDATE quiet.settings SET program = 'quiet';

-- Whoever asks about a program lends its owner no rights.
CREATE ROLE regress_tier_mallory;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_tier_mallory;
GRANT SELECT ON quiet TO regress_tier_mallory;
SET ROLE regress_tier_mallory;
SELECT customer_tier.create_program('mallory', 'quiet', 'c', 'd', 'a');
CREATE FUNCTION mallory.whoami() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'I am %', current_user; RETURN 'mallory'; END $$;
ALTER TABLE mallory.settings RENAME TO settings0;
CREATE VIEW mallory.settings AS SELECT only_row, mallory.whoami() AS program, source_schema, source_name, customer, at, amount, order_id,
  customers_schema, customers_name, customers_key, time_zone, segment_map, monetary, window_days, on_bad_row, max_bad_share,
  purchase_model, horizon_days, annual_discount, margin, margin_column, churn_days, refit_days, history_complete_from FROM mallory.settings0;
RESET ROLE;
SELECT * FROM customer_tier.check_program('mallory');
SELECT count(*) > 0 AS audited FROM customer_tier.audit('mallory');
SET ROLE regress_tier_mallory;
\set VERBOSITY terse
SELECT * FROM customer_tier.check_program('quiet');
\set VERBOSITY default
SELECT customer_tier.drop_program('mallory');
RESET ROLE;
DROP OWNED BY regress_tier_mallory;
DROP ROLE regress_tier_mallory;

-- Dropping a program takes nothing of anybody else's with it.
CREATE VIEW report AS SELECT tier, count(*) FROM quiet.ratings GROUP BY 1;
CREATE TABLE card (customer_id int REFERENCES quiet.rating);
CREATE FUNCTION best() RETURNS SETOF quiet.ratings LANGUAGE sql AS 'SELECT * FROM quiet.ratings';
SELECT customer_tier.drop_program('quiet');
DROP VIEW report;
DROP FUNCTION best();
ALTER TABLE card DROP CONSTRAINT card_customer_id_fkey;
CREATE TEMP VIEW for_now AS SELECT * FROM quiet.ratings;
CREATE VIEW quiet.inside AS SELECT * FROM quiet.ratings;
SELECT customer_tier.drop_program('quiet');
SELECT to_regnamespace('quiet');

-- A failure says where it was, not which SQL of ours was under way.
\set SHOW_CONTEXT errors
CREATE VIEW broken AS SELECT c, d, a / (a - 10) AS a FROM quiet;
SELECT customer_tier.create_program('broken', 'broken', 'c', 'd', 'a');
CALL customer_tier.refresh('broken', '2024-06-30');

-- Backslashes are what they are, whatever the session takes plain strings for.
SET standard_conforming_strings = off;
CREATE TABLE plain (c int, d date, a numeric);
INSERT INTO plain SELECT n, date '2024-06-01' + n, n FROM generate_series(1, 9) AS n;
SELECT customer_tier.create_program('plain', 'plain', 'c', 'd', 'a', tracking => 'triggers', purchase_model => 'none');
SELECT customer_tier.track('plain');
SELECT customer_tier.set_scorecard('plain', E'[{"feature": "revenue"}]');
CALL customer_tier.refresh('plain', '2024-06-29');
UPDATE plain SET a = 3 WHERE c = 2;
CALL customer_tier.refresh('plain', '2024-06-30');
SELECT as_of, build, changed > 0 AS changed FROM plain.run ORDER BY run_id;
SELECT * FROM customer_tier.verify('plain');
SELECT * FROM customer_tier.check_program('plain');
SELECT count(*) > 0 AS audited FROM customer_tier.audit('plain');
SELECT customer_tier.schedule_refresh('plain', '*/5 2 * * 1-5') LIKE '# crontab%';
SELECT customer_tier.drop_program('plain');
RESET standard_conforming_strings;

SELECT count(customer_tier.drop_program(p)) FROM unnest('{broken,keys}'::text[]) AS p;
