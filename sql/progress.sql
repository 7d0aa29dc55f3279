-- What is seen of a refresh, and what is kept of it.  Sessions that look at one
-- another are in test/isolation/specs/refresh.spec and test/t/028_program_concurrency.pl.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE progress_orders (customer_id int, day date, amount numeric) WITH (autovacuum_enabled = off);
INSERT INTO progress_orders SELECT n % 20, date '2024-01-01' + n % 50, n FROM generate_series(1, 200) n;
SELECT customer_tier.create_program('seen', 'progress_orders', 'customer_id', 'day', 'amount');
RESET client_min_messages;

-- In its own transaction a refresh that is not committed is shown as done.
BEGIN;
SELECT count(*) FROM customer_tier.refresh_progress;
CALL customer_tier.refresh('seen', '2024-03-01');
SELECT program, schema, run_id, pid = pg_backend_pid() AS mine, kind, phase, phase_number, phases, done, total, elapsed >= interval '0' AS elapsed, estimated_remaining
  FROM customer_tier.refresh_progress;
ROLLBACK;
-- It is gone, and with it the row: the sequences stay, but their process has no lock.
SELECT count(*) FROM customer_tier.refresh_progress;
SELECT count(*) FROM seen.run;

-- What the phases took and counted.
CALL customer_tier.refresh('seen', '2024-03-01', wait => false, full_build => true);
SELECT run_id, full_build, array(SELECT jsonb_object_keys(phases) ORDER BY 1) AS phases, phases->'read'->'rows' AS read, phases->'measure'->'rows' AS measured, phases->'publish'->'rows' AS published,
       (SELECT bool_and((p.value->>'seconds')::numeric BETWEEN 0 AND 1000) FROM jsonb_each(phases) p) AS seconds
  FROM seen.run;
CALL customer_tier.fit('seen', '2024-03-01', wait => false);
SELECT kind, full_build, array(SELECT jsonb_object_keys(phases) ORDER BY 1) AS phases FROM seen.run ORDER BY run_id DESC LIMIT 1;
UPDATE seen.settings SET max_bad_share = 0;
INSERT INTO progress_orders VALUES (NULL, NULL, NULL);
CALL customer_tier.refresh('seen', '2024-03-02');
SELECT status, error_code, array(SELECT jsonb_object_keys(phases) ORDER BY 1) AS came_as_far_as FROM seen.run ORDER BY run_id DESC LIMIT 1;
DELETE FROM progress_orders WHERE customer_id IS NULL;

-- A NULL of an option is its default.
CALL customer_tier.refresh('seen', '2024-03-01', NULL, NULL);
CALL customer_tier.fit('seen', '2024-03-01', NULL);

-- What is expected: as many rows as the planner does, as long as the last time.
SELECT customer_tier.expected_rows('seen');
ANALYZE progress_orders;
SELECT customer_tier.expected_rows('seen');
CREATE TABLE progress_parts (LIKE progress_orders) PARTITION BY RANGE (day);
CREATE TABLE progress_parts_1 PARTITION OF progress_parts FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') PARTITION BY LIST (customer_id);
CREATE TABLE progress_parts_11 PARTITION OF progress_parts_1 DEFAULT;
CREATE TABLE progress_parts_2 PARTITION OF progress_parts DEFAULT;
INSERT INTO progress_parts SELECT * FROM progress_orders;
CREATE VIEW progress_view AS SELECT * FROM progress_orders;
ANALYZE progress_parts;
UPDATE seen.settings SET source_name = 'progress_parts';
SELECT customer_tier.expected_rows('seen');
UPDATE seen.settings SET source_name = 'progress_view';
SELECT customer_tier.expected_rows('seen');
UPDATE seen.settings SET source_name = 'progress_orders';
UPDATE seen.run SET phases = '{"read": {"seconds": 2.5, "rows": 1}, "fit": {"rows": 1}}' WHERE kind = 'refresh' AND status = 'published';
SELECT customer_tier.expected_seconds('seen', 'refresh', '{read,fit,publish}'), customer_tier.expected_seconds('seen', 'none', '{read}');

-- Values of the sequences, which their owner can set to anything.
SELECT u.pid, u.started_at, u.kind, u.phase, u.phase_number, u.phases, u.done, u.total, u.finish_at
  FROM (VALUES (1, 1000::bigint << 22 | 4711, (3::bigint << 58) | (5::bigint << 26) | 7, 60000::bigint),
               (2, 1000::bigint << 22 | 4194303, (3::bigint << 58) | (10::bigint << 52) | (3::bigint << 26) | 67108863, 1),
               (3, 1000::bigint << 22 | 1, (18::bigint << 58) + (37::bigint << 52) + 67108863, 60000),
               (4, 1000::bigint << 22 | 1, (8::bigint << 58), 1),
               (5, 1, (3::bigint << 58), 1),
               (6, 1000::bigint << 22 | 1, 0, 1),
               (7, 1000::bigint << 22 | 1, (9::bigint << 58), 1),
               (8, 1000::bigint << 22 | 1, (3::bigint << 58) | (38::bigint << 52), 1),
               (9, 9223372036854775807, 9223372036854775807, 9223372036854775807),
               (10, -9223372036854775808, -9223372036854775808, -9223372036854775808),
               (11, 9223372036854775807, (3::bigint << 58), 9223372036854775807),
               (12, NULL, 1, 1)) AS v (n, start, state, finish),
       LATERAL customer_tier.unpack_progress(v.start, v.state, v.finish) AS u
 ORDER BY v.n;

SET client_min_messages = warning;
SELECT customer_tier.drop_program('seen');
DROP VIEW progress_view;
DROP TABLE progress_orders, progress_parts;
