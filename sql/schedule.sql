-- Scheduling a refresh where pg_cron is not installed: schedules are checked,
-- and the lines for cron and systemd returned.  test/t/027_schedule.pl runs
-- them, and the real pg_cron.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE schedule_orders (customer_id int, day date, amount numeric);
SELECT customer_tier.create_program('scheduled', 'schedule_orders', 'customer_id', 'day', 'amount');
RESET client_min_messages;

-- What is returned, wherever this runs.
CREATE FUNCTION pg_temp.lines(program text, cron text DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT regexp_split_to_table(replace(regexp_replace(s.lines, 'postgresql://[^"]*', 'URI', 'g'), format('"%s"', current_user), '"me"'), E'\n')
      FROM (SELECT CASE WHEN cron IS NULL THEN customer_tier.schedule_refresh(program) ELSE customer_tier.schedule_refresh(program, cron) END AS lines) AS s
$$;
SELECT * FROM pg_temp.lines('scheduled');
SELECT customer_tier.unschedule_refresh('scheduled');

-- Schedules and what they are as a timer of systemd.
SET client_min_messages = warning;
SELECT cron, string_agg(substr(line, 12), ' or ') AS timer
  FROM (VALUES (1, '5 2 * * *'), (2, '* * * * *'), (3, '*/15 8-18 * * 1-5'), (4, '0 0 1 * *'), (5, '0 6 1,15 * MON'), (6, '0 6 */2 * 7'), (7, '30 23 * jan-mar,12 0-7/3'),
               (8, '5-20/5 0,12 31 12 *'), (9, '@daily'), (10, '  @Weekly '), (11, E'0\t1  * * sun,sat'), (12, '59 23 1-31 1-12 0-6')) AS s (n, cron),
       LATERAL pg_temp.lines('scheduled', cron) WITH ORDINALITY AS l (line, m)
 WHERE line LIKE 'OnCalendar=%'
 GROUP BY n, cron
 ORDER BY n;

-- What is none says why.
SELECT customer_tier.schedule_refresh('scheduled', '61 2 * * *');
SELECT customer_tier.schedule_refresh('scheduled', '0 24 * * *');
SELECT customer_tier.schedule_refresh('scheduled', '0 0 0 * *');
SELECT customer_tier.schedule_refresh('scheduled', '0 0 * 13 *');
SELECT customer_tier.schedule_refresh('scheduled', '0 0 * * 8');
SELECT customer_tier.schedule_refresh('scheduled', '0 2 * *');
SELECT customer_tier.schedule_refresh('scheduled', 'every night');
SELECT customer_tier.schedule_refresh('scheduled', '');
SELECT customer_tier.schedule_refresh('scheduled', '30 seconds');
SELECT customer_tier.schedule_refresh('scheduled', '0 0 $ * *');
SELECT customer_tier.schedule_refresh('scheduled', NULL);
SELECT customer_tier.schedule_refresh('nobody');
SELECT customer_tier.schedule_refresh(NULL);
SELECT customer_tier.unschedule_refresh(NULL);
SELECT cron, customer_tier.cron_field(cron, 0, 59) IS NULL AS refused
  FROM unnest('{"","*/0","*/","/5","5/10","5-","-5","9-5","1,,2","1,",",1","**","*-5","+5","1.5","1e1","60","100","jan","１","1;2","1%"}'::text[]) AS cron;

-- Names of any characters stand between double quotes, for a shell, a crontab
-- and systemd, as ones that mean nothing to any of them; and are the same in SQL.
SELECT customer_tier.refresh_call(name)
  FROM unnest(ARRAY['retail', 'two words', 'Läden 零售', E'50%''s "$HOME" `x` \\ !\n']) WITH ORDINALITY AS u (name, n) ORDER BY n;
SELECT U&'50!0025!0027s !0022!0024HOME!0022 !0060x!0060 !005C !0021!000A' UESCAPE '!' = E'50%''s "$HOME" `x` \\ !\n' AS same;
SELECT customer_tier.url_part('retail'), customer_tier.url_part('100 % "a"/\b''ü');
-- Jobs of pg_cron have names of at most 63 bytes, and different ones.
SELECT customer_tier.refresh_job('retail'), octet_length(customer_tier.refresh_job(repeat('x', 60))), customer_tier.refresh_job(repeat('x', 60)) = customer_tier.refresh_job(repeat('x', 61)) AS same;

-- Only who may refresh may schedule.
CREATE ROLE regress_schedule_stranger;
GRANT USAGE ON SCHEMA scheduled TO regress_schedule_stranger;
SET ROLE regress_schedule_stranger;
\set VERBOSITY terse
SELECT regexp_replace(customer_tier.schedule_refresh('scheduled'), '.*', '');
\set VERBOSITY default
RESET ROLE;
REVOKE USAGE ON SCHEMA scheduled FROM regress_schedule_stranger;
DROP ROLE regress_schedule_stranger;

SELECT customer_tier.drop_program('scheduled');
DROP TABLE schedule_orders;
