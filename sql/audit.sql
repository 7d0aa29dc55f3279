-- audit(program) on dirty data of every kind: it counts, shows, says what will
-- happen, and never fails.  Days in the future depend on today: they are
-- written relative to it, and what it says is shown without its date.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION report(what text) RETURNS TABLE ("check" text, rows bigint, share numeric, examples text[], action text) LANGUAGE sql AS $$
    SELECT a."check", CASE WHEN a."check" LIKE 'days since%' THEN a.rows - (current_date - date '2024-06-30') ELSE a.rows END, a.share,
           CASE WHEN a."check" LIKE '%future' THEN ARRAY(SELECT regexp_replace(e, '20\d\d-\S+', 'DAY') FROM unnest(a.examples) e) ELSE a.examples END,
           regexp_replace(a.action, '\(after .*\)', '(after TODAY)')
      FROM customer_tier.audit(what) a $$;

CREATE TABLE dirty (line int, o text, k text, at timestamp, amount numeric);
INSERT INTO dirty VALUES
    (1, 'a', 'ann', '2024-06-01', 10), (2, 'a', 'ann', '2024-06-01', -3), (3, 'b', 'ann', '2024-06-30', 0),
    (4, 'b', 'bob', '2024-06-02', 5), (5, NULL, 'bob', '2024-06-03', 5), (6, 'c', NULL, '2024-06-03', 5),
    (7, 'd', 'bob', NULL, 5), (8, 'd', 'bob', '2024-06-04', NULL), (9, 'e', 'cat', '2024-06-04', 'NaN'),
    (10, 'f', 'cat', 'infinity', 5), (11, 'g', 'cat', '-infinity', 5), (12, 'h', 'dan', current_date + 100, 0.1),
    (13, 'i', 'eve', '0044-03-15 BC', 7), (14, 'j', 'eve', '2024-06-05', 1e40), (15, NULL, NULL, NULL, NULL);
CREATE TABLE people (id text);
INSERT INTO people VALUES ('ann'), ('ann'), ('bob'), ('zoe'), (NULL);
SELECT customer_tier.create_program('dirty', 'dirty', 'k', 'at', 'amount');
SELECT * FROM report('dirty');
SELECT customer_tier.create_program('dirty_lines', 'dirty', 'k', 'at', 'amount', order_id => 'o', customers => 'people', customers_key => 'id', on_bad_row => 'error');
SELECT * FROM report('dirty_lines');

-- What it calls bad is what a refresh counts as bad.
UPDATE dirty.settings SET max_bad_share = 1;
CALL customer_tier.refresh('dirty', '2024-06-30');
SELECT rows_read, rows_bad FROM dirty.run;

-- The other types of time and amount.
CREATE TABLE kinds (k int, d date, tz timestamptz, f4 real, f8 double precision, i int);
INSERT INTO kinds VALUES (1, '2024-06-30', '2024-06-30 12:00+00', 1.5, 1.5, 1), (2, 'infinity', 'infinity', 'NaN', '-Infinity', -1),
    (3, '5874897-12-31', '294276-12-31 23:59:59+00', 3e38, 1e308, 2147483647), (4, '4713-01-01 BC', '4714-11-24 00:00:00+00 BC', -3e38, -1e308, -2147483648),
    (NULL, NULL, NULL, NULL, NULL, NULL);
SELECT customer_tier.create_program('k1', 'kinds', 'k', 'd', 'f4');
SELECT customer_tier.create_program('k2', 'kinds', 'k', 'tz', 'f8', time_zone => 'Pacific/Kiritimati');
SELECT customer_tier.create_program('k3', 'kinds', 'k', 'tz', 'i', time_zone => 'Pacific/Pago_Pago');
SELECT k1."check", k1.rows AS k1, k2.rows AS k2, k3.rows AS k3, k1.examples, k2.examples, k3.examples
  FROM customer_tier.audit('k1') k1 JOIN customer_tier.audit('k2') k2 USING ("check") JOIN customer_tier.audit('k3') k3 USING ("check")
 WHERE k1."check" NOT LIKE '%future' AND k1."check" NOT LIKE 'days%';

-- Does the table begin later than the business?
CREATE TABLE steady AS SELECT c AS k, date '2023-01-01' + c % 540 + n * 40 AS at, 10 AS amount FROM generate_series(1, 3000) c, generate_series(0, 2) n;
SELECT customer_tier.create_program('steady', 'steady', 'k', 'at', 'amount');
SELECT rows, share, examples, action FROM customer_tier.audit('steady') WHERE "check" LIKE 'first order%';
CREATE VIEW cut_off AS SELECT * FROM steady WHERE at >= '2023-12-01';
SELECT customer_tier.create_program('cut_off', 'cut_off', 'k', 'at', 'amount');
SELECT rows, share, examples, action FROM customer_tier.audit('cut_off') WHERE "check" LIKE 'first order%';
CREATE VIEW brief AS SELECT * FROM steady WHERE at < '2023-03-15';
SELECT customer_tier.create_program('brief', 'brief', 'k', 'at', 'amount');
SELECT rows, share, examples, action FROM customer_tier.audit('brief') WHERE "check" LIKE 'first order%';

-- It names what keeps it from reading.
DROP VIEW brief;
SELECT * FROM customer_tier.audit('brief');
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program;
DROP FUNCTION report;
DROP VIEW cut_off;
DROP TABLE dirty, people, kinds, steady;
