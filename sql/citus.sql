-- Programs whose orders Citus has on its workers.  Citus itself is played: its
-- catalog by a table, create_distributed_table() by a note in it.  What is
-- tested is that the results are those of a program of ordinary tables, that
-- each statement does on a part of the customers what it does on all of them,
-- as it would on a worker, and that what is sent keeps to the rules of Citus.
SET client_min_messages = warning;
SET DateStyle = 'ISO, YMD';
CREATE SCHEMA citus;
SET search_path = citus, public;
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char", partkey text, colocated_with text);
CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
CREATE FUNCTION pg_catalog.create_distributed_table(table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default') RETURNS void
LANGUAGE sql AS 'INSERT INTO pg_catalog.pg_dist_partition VALUES (table_name, ''h'', distribution_column, colocate_with)';
RESET allow_system_table_mods;

CREATE TABLE orders (customer_id bigint NOT NULL, at timestamptz, amount numeric, changed int);
INSERT INTO orders SELECT customer_id, ordered_at, amount, 0 FROM customer_tier.demo_orders(300, 200, 7) WHERE ordered_at < '2024-12-05';
CREATE TABLE here AS TABLE orders;
SELECT create_distributed_table('orders', 'customer_id');

-- What is distributed, and what is not.
SELECT customer_tier.create_program('spread', 'orders', 'customer_id', 'at', 'amount', time_zone => 'UTC');
SELECT customer_tier.create_program('here', 'here', 'customer_id', 'at', 'amount', time_zone => 'UTC');
SELECT logicalrelid, partkey, colocated_with FROM pg_dist_partition ORDER BY logicalrelid::text;
SELECT customer_tier.create_program('tracked', 'orders', 'customer_id', 'at', 'amount', tracking => 'triggers');
CREATE TABLE shorter (customer_id int NOT NULL, at date, amount numeric);
SELECT create_distributed_table('shorter', 'customer_id');
CREATE VIEW longer AS SELECT customer_id::bigint AS customer_id, at, amount FROM shorter;
SET client_min_messages = notice;
SELECT customer_tier.create_program('longer', 'longer', 'customer_id', 'at', 'amount');
SET client_min_messages = warning;

-- A rating on the way: shares, rules, grades by share, an untimed relation.
CREATE TABLE opinion (customer_id bigint PRIMARY KEY, points int);
INSERT INTO opinion SELECT DISTINCT customer_id, customer_id % 10 FROM orders WHERE customer_id % 3 > 0;
CREATE FUNCTION configure(program name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM customer_tier.set_scorecard(program, '[{"feature": "recency"}, {"feature": "frequency", "method": "score"}, {"feature": "monetary", "method": "z_score"},
        {"feature": "clv"}, {"name": "opinion", "relation": "citus.opinion", "column": "points", "key": "customer_id", "method": "min_max"}]');
    EXECUTE format('UPDATE %I.tier SET entry = ''{"share": 0.1}'', min_score = NULL WHERE code = ''platinum''', program);
    EXECUTE format('UPDATE %I.tier_policy SET downgrade_confirm = 2', program);
    EXECUTE format('UPDATE %I.grade SET share = 1 - 0.09 * grade_rank, min_score = NULL WHERE grade_rank > 1', program);
END $$;
SELECT configure(p) FROM unnest('{spread,here}'::name[]) AS p;
CREATE FUNCTION differences() RETURNS TABLE (relation text, rows bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    columns text;
BEGIN
    FOREACH relation IN ARRAY '{history,scored_rating,ratings,tier_history,tier_correction,tier_event,run_dimension}'::text[] LOOP
        SELECT string_agg(quote_ident(a.attname), ', ') INTO columns FROM pg_attribute AS a
         WHERE a.attrelid = format('here.%I', relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('correction_id', 'event_id', 'corrected_at');
        EXECUTE format('SELECT (SELECT count(*) FROM here.%1$I), count(*) FROM ((SELECT %2$s FROM here.%1$I EXCEPT ALL SELECT %2$s FROM spread.%1$I) UNION ALL (SELECT %2$s FROM spread.%1$I EXCEPT ALL SELECT %2$s FROM here.%1$I)) AS d', relation, columns)
            INTO rows, differ;
        RETURN NEXT;
    END LOOP;
END $$;
CALL customer_tier.refresh('spread', '2024-11-20');
CALL customer_tier.refresh('here', '2024-11-20');
SELECT * FROM differences();

-- Orders come, change and go; a customer moves away; a person decides.
CREATE FUNCTION news(target regclass, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s SELECT 1 + (i * 37 + $1) %% 330, timestamptz ''2024-12-06 12:00+00'' + i %% 20 * interval ''1 day'', 10 + i %% 90, $1 FROM generate_series(1, 200) AS i', target) USING n;
    EXECUTE format('DELETE FROM %s AS o WHERE o.customer_id %% 50 = $1', target) USING n;
    EXECUTE format('UPDATE %s AS o SET amount = -amount, changed = $1 WHERE o.customer_id %% 17 = $1', target) USING n;
END $$;
SELECT news(t, 1) FROM unnest('{orders,here}'::regclass[]) AS t;
SELECT customer_tier.set_override(p, '7', 'platinum', 'friend of the house', valid_from => '2024-12-01') > 0 AS set FROM unnest('{spread,here}'::name[]) AS p;
CREATE TABLE rating_before AS TABLE spread.rating;
CREATE TABLE tier_history_before AS TABLE spread.tier_history;
CREATE TABLE history_before AS TABLE spread.history;
CALL customer_tier.refresh('spread', '2024-12-20');
CALL customer_tier.refresh('here', '2024-12-20');
SELECT * FROM differences();
SELECT count(*) AS left_us FROM rating_before AS b WHERE NOT EXISTS (SELECT FROM spread.scored_rating AS r WHERE r.customer_id = b.customer_id);
SELECT rows_read, rows_bad, customers, buyers, upgrades > 0 AS upgrades, downgrades > 0 AS downgrades FROM spread.run WHERE is_current
EXCEPT SELECT rows_read, rows_bad, customers, buyers, upgrades > 0, downgrades > 0 FROM here.run WHERE is_current;

-- The statements as they were sent, on three workers with a third of the customers each.
CREATE FUNCTION sent() RETURNS SETOF customer_tier.step LANGUAGE plpgsql AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings('spread');
BEGIN
    -- as it was before the second run took over
    UPDATE spread.run SET is_current = false WHERE is_current;
    UPDATE spread.run SET is_current = true WHERE run_id = 1;
    RETURN NEXT customer_tier.step(customer_tier.merge_distributed_query('spread', s));
    RETURN QUERY SELECT * FROM unnest(customer_tier.publish_steps('spread', '2024-12-20', 2, customer_tier.difference_query('spread', '2024-12-20', 2),
        customer_tier.everyone_query('spread', s, 'CAST(''2024-12-20'' AS date)', 'CAST(2 AS bigint)', 'constants')));
    RETURN QUERY SELECT * FROM unnest(customer_tier.publish_steps('spread', '2024-12-20', 2, customer_tier.gone_query('spread', '2024-12-20')));
END $$;
BEGIN;
CREATE TABLE sent AS SELECT row_number() OVER () AS n, s.* FROM sent() AS s;
CREATE FUNCTION work(shard int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place text := 'worker_' || shard;
    relation text;
BEGIN
    EXECUTE format('CREATE SCHEMA %I', place);
    FOREACH relation IN ARRAY '{history,rating,tier_history,difference,tier_correction,tier_event}'::text[] LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE spread.%2$I INCLUDING ALL)', place, relation);
    END LOOP;
    EXECUTE format('CREATE TABLE %I.orders AS SELECT * FROM citus.orders WHERE customer_id %% 3 = %s', place, shard);
    FOREACH relation IN ARRAY '{history,rating,tier_history}'::text[] LOOP
        EXECUTE format('INSERT INTO %I.%I SELECT * FROM %I WHERE customer_id %% 3 = %s', place, relation, relation || '_before', shard);
    END LOOP;
    EXECUTE format('DELETE FROM %1$I.history AS kept WHERE NOT EXISTS (SELECT FROM %1$I.orders AS source WHERE source.customer_id = kept.customer_id)', place);
    PERFORM customer_tier.execute_steps(ARRAY(
        SELECT customer_tier.step(regexp_replace(regexp_replace(sent.statement, '\mspread\.(history|rating|tier_history|difference|tier_correction|tier_event)\M', place || '.\1', 'g'), '\mcitus\.orders\M', place || '.orders', 'g'), sent.name, sent.constants)
          FROM sent WHERE sent.n <= 16 ORDER BY sent.n));
    PERFORM customer_tier.execute_steps(ARRAY(
        SELECT customer_tier.step(regexp_replace(sent.statement, '\mspread\.(history|rating|tier_history|difference|tier_correction|tier_event)\M', place || '.\1', 'g'), sent.name, sent.constants)
          FROM sent WHERE sent.n > 16 ORDER BY sent.n));
END $$;
SELECT work(shard) FROM generate_series(0, 2) AS shard;
CREATE FUNCTION unlike(relation name) RETURNS TABLE (rows bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    columns text := (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute AS a
                      WHERE a.attrelid = format('spread.%I', relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('correction_id', 'event_id', 'corrected_at'));
BEGIN
    RETURN QUERY EXECUTE format('WITH part AS (SELECT %1$s FROM worker_0.%2$I UNION ALL SELECT %1$s FROM worker_1.%2$I UNION ALL SELECT %1$s FROM worker_2.%2$I), whole AS (SELECT %1$s FROM spread.%2$I)
        SELECT (SELECT count(*) FROM whole), count(*) FROM ((TABLE part EXCEPT ALL TABLE whole) UNION ALL (TABLE whole EXCEPT ALL TABLE part)) AS d', columns, relation);
END $$;
SELECT relation, u.* FROM unnest('{history,rating,tier_history,tier_correction}'::name[]) AS relation, unlike(relation) AS u;
SELECT kind, count(*) FILTER (WHERE place = 'workers') - count(*) FILTER (WHERE place = 'all') AS differ
  FROM (SELECT 'all' AS place, kind FROM spread.tier_event WHERE run_id = 2 UNION ALL
        SELECT 'workers', kind FROM (TABLE worker_0.tier_event UNION ALL TABLE worker_1.tier_event UNION ALL TABLE worker_2.tier_event) AS e) AS e
 GROUP BY kind ORDER BY kind;

-- By the rules: statements that meet a table on the workers call no function of
-- the program, none that is volatile, and within LATERAL none but immutable ones;
-- no common table expression is kept apart, no subquery ends with OFFSET but a
-- LATERAL one; and what goes into such a table comes from such tables.
CREATE VIEW pushed AS SELECT sent.* FROM sent WHERE sent.statement ~ '\mspread\.(history|rating|tier_history|difference)\M';
SELECT count(*) AS statements,
       count(*) FILTER (WHERE statement ~ 'spread\.(features|points|rate|measure|scales|source_history)\(') AS calls_of_the_program,
       count(*) FILTER (WHERE statement ~ 'MATERIALIZED') AS kept_apart,
       count(*) FILTER (WHERE regexp_replace(statement, 'LATERAL \(SELECT ((?!SELECT).)*? OFFSET ''0''\)', '', 'g') ~ 'OFFSET') AS offsets,
       count(*) FILTER (WHERE statement ~ '^\s*INSERT INTO spread.(history|rating|tier_history|difference)' AND statement ~ '\m(FROM|JOIN) spread\.(?!(history|rating|tier_history|difference)\M)') AS of_the_coordinator,
       count(*) FILTER (WHERE name IS NOT NULL AND statement !~ 'FROM spread\.') AS kept_of_others
  FROM pushed;
SELECT place, count(*) > 5 AS several, count(*) FILTER (WHERE provolatile = 'v' OR place = 'in LATERAL' AND provolatile <> 'i') AS wrong
  FROM (SELECT 'anywhere' AS place, m[1] AS called FROM pushed, regexp_matches(statement, 'customer_tier\.(\w+)\(', 'g') AS m
        UNION SELECT 'in LATERAL', m[1] FROM pushed, regexp_matches(statement, 'LATERAL \(SELECT(.*?)OFFSET ''0''', 'g') AS l, regexp_matches(l[1], 'customer_tier\.(\w+)\(', 'g') AS m) AS c
  JOIN pg_proc AS p ON p.pronamespace = 'customer_tier'::regnamespace AND p.proname = called
 GROUP BY place ORDER BY place;
ROLLBACK;

-- An override of somebody unknown, which the workers are asked for by keys.
INSERT INTO spread.tier_override (customer_id, tier, reason, valid_from) VALUES (7777, 'gold', 'a typing error', '2024-12-30'), (9, 'gold', 'is known', '2024-12-30');
SELECT customer_id, problem FROM customer_tier.override_problems('spread');
DELETE FROM spread.tier_override WHERE valid_from = '2024-12-30';

-- The same day once more, with other orders; then a day without news.
SELECT news(t, 2) FROM unnest('{orders,here}'::regclass[]) AS t;
CALL customer_tier.refresh('spread', '2024-12-20');
CALL customer_tier.refresh('here', '2024-12-20');
SELECT * FROM differences();
CALL customer_tier.refresh('spread', '2024-12-21');
CALL customer_tier.refresh('here', '2024-12-21');
SELECT * FROM differences() WHERE differ > 0;
SELECT customer_tier.verify('spread');

-- With a watermark only customers with a row above it are read.
SELECT customer_tier.set_override(p, '8', 'bronze', 'quarrel', lock => true, valid_from => '2024-12-22') > 0 AS set FROM unnest('{spread,here}'::name[]) AS p;
UPDATE spread.settings SET tracking = 'watermark', watermark = 'changed', watermark_lag = '0';
CALL customer_tier.refresh('spread', '2024-12-22');
CALL customer_tier.refresh('here', '2024-12-22');
INSERT INTO orders SELECT customer_id, '2024-12-22 10:00+00', 77, 9 FROM generate_series(3, 330, 40) AS customer_id;
INSERT INTO here SELECT customer_id, '2024-12-22 10:00+00', 77, 9 FROM generate_series(3, 330, 40) AS customer_id;
CALL customer_tier.refresh('spread', '2024-12-23');
CALL customer_tier.refresh('here', '2024-12-23');
SELECT build, rows_scanned < rows_read AS reads_less, histories_changed FROM spread.run WHERE is_current;
SELECT * FROM differences() WHERE differ > 0 AND relation IN ('history', 'rating', 'ratings', 'run_dimension');

-- Customers who are merged afterwards: their histories go over to others.
SELECT customer_tier.merge_customers(p, 12, 13) FROM unnest('{spread,here}'::text[]) AS p;
CALL customer_tier.refresh('spread', '2024-12-24');
CALL customer_tier.refresh('here', '2024-12-24');
SELECT count(*) AS merged FROM spread.history WHERE customer_id = 12;
SELECT * FROM differences() WHERE differ > 0 AND relation IN ('history', 'rating', 'ratings', 'run_dimension');

-- What else reads them, the coordinator does; predictions of the views are made
-- on the workers, by functions that are there.
SELECT count(*) AS views, count(*) FILTER (WHERE pg_get_viewdef(c.oid) ~ 'spread\.(clv|p_alive|p_active|expected_[a-z]+)\(') AS by_functions_of_the_program,
       count(*) FILTER (WHERE pg_get_viewdef(c.oid) ~ 'customer_tier\.stored_clv\(') AS by_the_extension
  FROM pg_class AS c WHERE c.relnamespace = 'spread'::regnamespace AND c.relkind = 'v';
SELECT count(*) > 0 AS rated FROM spread.rate('2024-12-23');
SELECT count(*) AS differ FROM (SELECT * FROM spread.rate('2024-12-10') EXCEPT ALL SELECT * FROM here.rate('2024-12-10')) AS d;
SELECT (customer_tier.rate_customer('spread', 14)).score = (customer_tier.rate_customer('here', 14)).score AS same;

-- A program whose orders are distributed afterwards, or which was restored, is taken up again.
SELECT customer_tier.create_program('late', 'here', 'customer_id', 'at', 'amount', time_zone => 'UTC', purchase_model => 'none');
CALL customer_tier.refresh('late', '2024-12-20');
SELECT create_distributed_table('here', 'customer_id');
SELECT customer_tier.adopt_program('late');
CALL customer_tier.refresh('late', '2024-12-23');
SELECT logicalrelid, colocated_with FROM pg_dist_partition WHERE logicalrelid::text LIKE 'late.%' ORDER BY logicalrelid::text;
SELECT customer_tier.verify('late');

SELECT count(customer_tier.drop_program(p)) FROM unnest('{spread,here,late,longer}'::text[]) AS p;
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.pg_dist_partition;
DROP FUNCTION pg_catalog.column_to_column_name(regclass, text);
DROP FUNCTION pg_catalog.create_distributed_table(regclass, text, text, text);
DROP SCHEMA citus CASCADE;
