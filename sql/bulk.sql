-- histories(): the same rows as purchases_checked() with GROUP BY, whatever the
-- keys, the rows and the memory.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA bulk;
GRANT USAGE ON SCHEMA bulk TO PUBLIC;
SET search_path = bulk, customer_tier;
SET DateStyle = 'ISO, MDY';
SET TimeZone = 'America/New_York';	-- must not matter
SET max_parallel_workers_per_gather = 0;

-- Compare both ways.  Of equal keys that look different the least text is shown.
CREATE FUNCTION differences(source regclass, zone text DEFAULT NULL,
                            OUT customers bigint, OUT missing bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
    key_type text := (SELECT a.atttypid::regtype FROM pg_attribute a WHERE a.attrelid = source AND a.attname = 'customer');
BEGIN
    EXECUTE format($query$
        CREATE TEMP TABLE built AS
            SELECT (h).customer_id::text, (h).history, (h).rows, (h).bad
              FROM (SELECT customer_tier.histories(%L, 'customer', 'at', 'amount', NULL::%s, %L) AS h) AS b
    $query$, source, key_type, zone);
    EXECUTE format($query$
        CREATE TEMP TABLE grouped AS
            SELECT customer_id, (c).history, (c).rows, (c).bad
              FROM (SELECT min(customer::text COLLATE "C") AS customer_id, customer_tier.purchases_checked(at, amount %2$s) AS c
                      FROM %1$s GROUP BY customer OFFSET 0) AS g
    $query$, source, ', ' || quote_literal(zone));
    SELECT count(*) INTO customers FROM built;
    SELECT count(*) INTO missing FROM (TABLE grouped EXCEPT ALL TABLE built) AS d;
    SELECT count(*) INTO wrong FROM (TABLE built EXCEPT ALL TABLE grouped) AS d;
    DROP TABLE built, grouped;
END
$$;

-- Orders of all kinds: refunds, several a day, decimals, gaps, and bad rows.
CREATE TABLE orders_of AS
SELECT i, i * 7919 % 701 AS n,
       date '2015-01-01' + i * 104729 % 3001 AS day,
       ((i * 7919 % 100003 - 9000)::numeric / (ARRAY[1, 10, 100, 100, 100, 10000])[i % 6 + 1])::numeric(12, 4) AS money
  FROM generate_series(1, 20000) AS i;

-- One customer, by hand.
CREATE TABLE few (customer bigint, at date, amount numeric);
INSERT INTO few VALUES (7, '2024-03-01', 10), (7, '2024-01-05', 29.90), (7, '2024-03-01', 5.5), (7, '2024-03-02', -4),
                       (-2, '2024-01-01', 0), (NULL, '2024-01-01', 1), (9, NULL, 1), (9, '2024-01-01', 'NaN'), (9, 'infinity', 3),
                       (7, NULL, 8);
SELECT (h).* FROM (SELECT histories('few', 'customer', 'at', 'amount', NULL::bigint) AS h) AS b;
SELECT * FROM histories(source => 'few', customer => 'customer', at => 'at', amount => 'amount', key => 0::bigint);
SELECT * FROM differences('few');

-- Nobody, one row, one customer.
CREATE TABLE nothing (customer bigint, at date, amount numeric);
SELECT (h).* FROM (SELECT histories('nothing', 'customer', 'at', 'amount', NULL::bigint) AS h) AS b;
INSERT INTO nothing VALUES (NULL, NULL, NULL);
SELECT (h).* FROM (SELECT histories('nothing', 'customer', 'at', 'amount', NULL::bigint) AS h) AS b;
CREATE VIEW one_row AS SELECT * FROM few WHERE amount = 29.90;
SELECT (h).* FROM (SELECT histories('one_row', 'customer', 'at', 'amount', NULL::bigint) AS h) AS b;
CREATE VIEW one_customer AS SELECT 5 AS customer, day AS at, money AS amount FROM orders_of;
SELECT * FROM differences('one_customer');

-- Every type of time and amount.
CREATE VIEW by_date AS SELECT n AS customer, day AS at, money AS amount FROM orders_of;
SELECT * FROM differences('by_date');
CREATE VIEW by_timestamp AS SELECT n AS customer, day + i % 86399 * interval '1 s' AS at, money AS amount FROM orders_of;
SELECT * FROM differences('by_timestamp');
CREATE VIEW by_timestamptz AS SELECT n AS customer, (day + i % 86399 * interval '1 s') AT TIME ZONE 'UTC' AS at, money AS amount FROM orders_of;
SELECT * FROM differences('by_timestamptz', 'UTC');
SELECT * FROM differences('by_timestamptz', 'Asia/Kolkata');
SELECT * FROM differences('by_timestamptz', 'America/Sao_Paulo');
CREATE VIEW by_text AS SELECT n AS customer, CASE WHEN i % 100 = 0 THEN 'soon' ELSE day::text END AS at, money AS amount FROM orders_of;
SELECT * FROM differences('by_text');
CREATE VIEW by_float8 AS SELECT n AS customer, day AS at, CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE money::float8 END AS amount FROM orders_of;
SELECT * FROM differences('by_float8');
CREATE VIEW by_int8 AS SELECT n AS customer, day AS at, money::bigint * (CASE WHEN i % 1000 = 0 THEN 1000000000000 ELSE 1 END) AS amount FROM orders_of;
SELECT * FROM differences('by_int8');
CREATE VIEW by_int4 AS SELECT n AS customer, day AS at, money::int AS amount FROM orders_of;
SELECT * FROM differences('by_int4');
CREATE VIEW by_int2 AS SELECT n AS customer, day AS at, (money / 100)::smallint AS amount FROM orders_of;
SELECT * FROM differences('by_int2');

-- real is the decimal that is shown for it; domains are what they stand for.
CREATE VIEW by_real AS SELECT 1 AS customer, date '2024-01-01' AS at, 0.1::real AS amount;
SELECT (histories('by_real', 'customer', 'at', 'amount', NULL::int)).history;
CREATE DOMAIN money_of AS numeric(14, 2) CHECK (VALUE IS NOT NULL);
CREATE DOMAIN moment AS timestamptz;
CREATE DOMAIN buyer AS text NOT NULL;
CREATE DOMAIN buyer_number AS int CHECK (VALUE >= 0);
CREATE TABLE in_domains AS SELECT ('c' || n)::buyer AS customer, day::moment AS at, money::money_of AS amount FROM orders_of;
SELECT count(*), sum((h).rows), pg_typeof((h).customer_id)
  FROM (SELECT histories('in_domains', 'customer', 'at', 'amount', 'any'::buyer, 'UTC') AS h) AS b GROUP BY 3;
SELECT count(*), sum((h).rows), pg_typeof((h).customer_id)
  FROM (SELECT histories('in_domains', 'customer', 'at', 'amount', NULL::text, 'UTC') AS h) AS b GROUP BY 3;
CREATE TABLE numbered_domain AS SELECT n::buyer_number AS customer, day AS at, money AS amount FROM orders_of;
SELECT * FROM differences('numbered_domain');

-- What does not fit 16 bytes: far days, large and fine amounts.
CREATE TABLE far AS
SELECT n % 50 AS customer,
       CASE i % 7 WHEN 0 THEN date '4713-01-01 BC' + i WHEN 1 THEN date '5874897-12-31' - i WHEN 2 THEN date '1910-04-14' + i % 4
                  WHEN 3 THEN date '2089-09-01' + i % 4 ELSE day END AS at,
       CASE i % 11 WHEN 0 THEN 87960930222.07 + i % 3 * 0.01 WHEN 1 THEN -87960930222.07 - i % 3 * 0.01
                   WHEN 2 THEN 8796093.022207 + i % 3 * 0.000001 WHEN 3 THEN 12345678901234567890.123456
                   WHEN 4 THEN -9999999999999999999999999.5 WHEN 5 THEN 0.000001 WHEN 6 THEN 0.0000004 WHEN 7 THEN 1e30 WHEN 8 THEN 1e40
                   ELSE money END AS amount
  FROM orders_of;
SELECT * FROM differences('far');
CREATE VIEW far_text AS SELECT customer::text, at, amount FROM far;
SELECT * FROM differences('far_text');

-- Many large amounts, with decimals beside them: 64 bits do not hold the sums of the last one.
CREATE TABLE sums AS
SELECT c AS customer, date '2024-01-01' + i % (c * 2) AS at,
       CASE WHEN i = 0 THEN (ARRAY[1, 0.01, 0.0001, 0.000001])[c] ELSE 900000000000 * (CASE WHEN i % 7 = 0 THEN -1 ELSE 1 END) END AS amount
  FROM generate_series(1, 4) AS c, generate_series(0, 999) AS i;
SELECT * FROM differences('sums');

-- Keys that sort by value come in their order, customers without a key last.
CREATE TABLE by_key2 AS SELECT NULLIF((n - 350)::smallint, 5) AS customer, day AS at, money AS amount FROM orders_of;
INSERT INTO by_key2 SELECT unnest(ARRAY[-32768, 32767]), date '2024-01-01', 1;
CREATE TABLE by_key4 AS SELECT NULLIF(((n - 350) * 6000000)::int, 0) AS customer, day AS at, money AS amount FROM orders_of;
INSERT INTO by_key4 SELECT unnest(ARRAY[-2147483648, 2147483647]), date '2024-01-01', 1;
CREATE TABLE by_key8 AS SELECT (n - 350)::bigint * (CASE WHEN n % 2 = 0 THEN 1 ELSE 26000000000000000 END) AS customer, day AS at, money AS amount FROM orders_of;
INSERT INTO by_key8 SELECT unnest(ARRAY[-9223372036854775808, 9223372036854775807]), date '2024-01-01', 1;
CREATE TABLE by_key_date AS SELECT CASE WHEN n = 3 THEN '-infinity' WHEN n = 4 THEN 'infinity' ELSE date '1999-01-01' + n END AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_key_time AS SELECT timestamptz '1999-01-01 00:00+00' + n * interval '1 day 1 us' AS customer, day AS at, money AS amount FROM orders_of;
SELECT * FROM differences('by_key2');
SELECT * FROM differences('by_key4');
SELECT * FROM differences('by_key8');
SELECT * FROM differences('by_key_date');
SELECT * FROM differences('by_key_time');
SELECT bool_and(customer_id > before OR before IS NULL) AS in_order, min(customer_id), max(customer_id)
  FROM (SELECT customer_id, lag(customer_id) OVER (ORDER BY place) AS before
          FROM (SELECT (h).customer_id, row_number() OVER () AS place
                  FROM (SELECT histories('by_key8', 'customer', 'at', 'amount', NULL::bigint) AS h) AS b) AS p) AS q;
SELECT bool_and(coalesce(customer_id > before, place = 1 OR place = rows_there)) AS in_order
  FROM (SELECT customer_id, place, lag(customer_id) OVER (ORDER BY place) AS before, count(*) OVER () AS rows_there
          FROM (SELECT (h).customer_id, row_number() OVER () AS place
                  FROM (SELECT histories('by_key4', 'customer', 'at', 'amount', NULL::int) AS h) AS b) AS p) AS q;

-- Any other key that can be hashed.
CREATE TABLE by_uuid AS SELECT md5(n::text)::uuid AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_key_text AS
SELECT CASE n % 9 WHEN 0 THEN '' WHEN 1 THEN repeat('long ', 1000) || n WHEN 2 THEN 'Größe ' || n WHEN 3 THEN NULL
                  ELSE left('abcdefghijklmnopqrstuvwxyz' || n, n % 30) END AS customer, day AS at, money AS amount
  FROM orders_of WHERE i % 4 = 0;
CREATE TABLE by_numeric AS SELECT n::numeric / 2 + (CASE i % 3 WHEN 0 THEN 0 WHEN 1 THEN 0.00 ELSE 0.0000 END) AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_key_float AS SELECT CASE n % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0'::float8 WHEN 2 THEN 0 ELSE n::float8 / 7 END AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_name AS SELECT ('customer ' || n)::name AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_array AS SELECT ARRAY[n % 3, n % 5, NULLIF(n % 2, 1)] AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_bool AS SELECT n % 2 = 0 AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_varchar AS SELECT n::varchar(10) AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_char AS SELECT n::char(10) AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE by_c (customer text COLLATE "C", at date, amount numeric);
INSERT INTO by_c SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'A' END || n, day, money FROM orders_of;
SELECT source, d.* FROM unnest(ARRAY['by_uuid', 'by_key_text', 'by_numeric', 'by_key_float', 'by_name', 'by_array', 'by_bool', 'by_varchar', 'by_char', 'by_c']::regclass[]) AS source, differences(source) AS d;

-- Keys with one and the same hash are told apart, also where equal ones look different.
CREATE TYPE clash;
CREATE FUNCTION clash_in(cstring) RETURNS clash LANGUAGE internal IMMUTABLE STRICT AS 'numeric_in';
CREATE FUNCTION clash_out(clash) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'numeric_out';
CREATE TYPE clash (INPUT = clash_in, OUTPUT = clash_out, LIKE = numeric);
CREATE CAST (numeric AS clash) WITHOUT FUNCTION;
CREATE CAST (clash AS numeric) WITHOUT FUNCTION;
CREATE FUNCTION clash_eq(clash, clash) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'numeric_eq';
CREATE FUNCTION clash_lt(clash, clash) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'numeric_lt';
CREATE FUNCTION clash_le(clash, clash) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'numeric_le';
CREATE FUNCTION clash_gt(clash, clash) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'numeric_gt';
CREATE FUNCTION clash_ge(clash, clash) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'numeric_ge';
CREATE FUNCTION clash_cmp(clash, clash) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'numeric_cmp';
CREATE FUNCTION clash_hash(clash) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT 1 + ($1::numeric > 100)::int';
CREATE OPERATOR = (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_eq, COMMUTATOR = =, HASHES, MERGES);
CREATE OPERATOR < (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_lt);
CREATE OPERATOR <= (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_le);
CREATE OPERATOR > (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_gt);
CREATE OPERATOR >= (LEFTARG = clash, RIGHTARG = clash, FUNCTION = clash_ge);
CREATE OPERATOR CLASS clash_ops DEFAULT FOR TYPE clash USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 clash_cmp(clash, clash);
CREATE OPERATOR CLASS clash_hash_ops DEFAULT FOR TYPE clash USING hash AS OPERATOR 1 =, FUNCTION 1 clash_hash(clash);
CREATE TABLE by_clash AS SELECT customer::clash AS customer, at, amount::numeric AS amount FROM by_numeric;
ALTER TABLE by_clash ALTER amount TYPE numeric;
INSERT INTO by_clash SELECT c::clash, at, amount FROM unnest(ARRAY[1.0, 1.00, 1.000]) AS c, far WHERE customer < 3;
SELECT * FROM differences('by_clash');
SET maintenance_work_mem = '1MB';
SELECT * FROM differences('by_clash');
RESET maintenance_work_mem;

-- Little memory: the same, through temporary files.
CREATE TABLE many AS
SELECT (i::bigint * 7919 % 50021)::int - 10000 AS customer, date '2015-01-01' + (i::bigint * 104729 % 3001)::int AS at,
       ((i::bigint * 7919 % 100003 - 9000)::numeric / 100)::numeric(12, 2) AS amount
  FROM generate_series(1, 150000) AS i;
INSERT INTO many SELECT 77, date '2015-01-01' + i % 400, i % 1000 * 0.01 FROM generate_series(1, 60000) AS i;
INSERT INTO many SELECT CASE WHEN i % 2 = 0 THEN i % 100 END, CASE WHEN i % 3 = 0 THEN date '2150-01-01' END, 5 FROM generate_series(1, 3000) AS i;
SELECT * FROM differences('many');
SET maintenance_work_mem = '1MB';
SELECT * FROM differences('many');
CREATE VIEW many_text AS SELECT 'customer number ' || customer AS customer, at, amount FROM many;
SELECT * FROM differences('many_text');
CREATE VIEW many_long AS SELECT repeat('long ', customer % 100 * 20) || customer AS customer, at, amount FROM many WHERE customer BETWEEN 0 AND 2999 AND customer <> 77;
CREATE VIEW longest AS SELECT repeat(chr(65 + i % 3), 400000 + i % 2) AS customer, date '2024-01-01' + i AS at, i AS amount FROM generate_series(1, 20) AS i;
SELECT * FROM differences('longest');
CREATE VIEW many_days AS SELECT 1 AS customer, date '1950-01-01' + (i::bigint * 104729 % 70001)::int AS at, i AS amount FROM generate_series(1, 150000) AS i;
SELECT * FROM differences('many_days');
-- (so long that sorted runs are merged more than once)
SELECT * FROM differences('many_long');
-- in a cursor, whose file lives as long as it is read
BEGIN;
DECLARE reader CURSOR FOR SELECT (h).customer_id, (h).rows FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
FETCH 2 FROM reader;
SELECT count(*) AS files FROM pg_ls_tmpdir();
SAVEPOINT a;
SELECT 1 / 0;
ROLLBACK TO a;
FETCH 1 FROM reader;
CLOSE reader;
SELECT count(*) AS files FROM pg_ls_tmpdir();
DECLARE reader CURSOR FOR SELECT (h).customer_id, (h).rows FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
FETCH 1 FROM reader;
COMMIT;
SELECT count(*) AS files FROM pg_ls_tmpdir();
BEGIN;
DECLARE reader CURSOR WITH HOLD FOR SELECT (h).customer_id, (h).rows FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
COMMIT;
FETCH 1 FROM reader;
CLOSE reader;
-- not read to the end
SELECT (histories('many', 'customer', 'at', 'amount', NULL::int)).customer_id LIMIT 1;
SELECT count(*) AS files FROM pg_ls_tmpdir();
-- an error in the middle of the source
CREATE VIEW broken AS SELECT customer, at, amount / (customer <> 39999)::int AS amount FROM (TABLE many ORDER BY customer OFFSET 0) AS m;
SELECT count(h) FROM (SELECT histories('broken', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
SELECT count(*) AS files FROM pg_ls_tmpdir();
-- and while results are used
SELECT count(1 / ((h).customer_id - 39999)) FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h OFFSET 0) AS b;
SELECT count(*) AS files FROM pg_ls_tmpdir();
-- no room on disk
SET temp_file_limit = '1MB';
\set VERBOSITY sqlstate
SELECT count(h) FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
\set VERBOSITY default
RESET temp_file_limit;
SELECT count(*) AS files FROM pg_ls_tmpdir();
-- cancelled while it reads
CREATE VIEW slow AS SELECT customer, at, amount FROM many UNION ALL SELECT 1, NULL, 1 FROM pg_sleep(60);
SET statement_timeout = '1s';
SELECT count(h) FROM (SELECT histories('slow', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
RESET statement_timeout;
SELECT count(*) AS files FROM pg_ls_tmpdir();
-- twice in one query, again for each row of another, inside a function
SELECT count(*), count(*) FILTER (WHERE (a).customer_id = (b).customer_id AND (a).history = (b).history)
  FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS a, histories('many', 'customer', 'at', 'amount', NULL::int) AS b) AS c;
SELECT g, count(h), sum((h).rows) FROM generate_series(1, 3) AS g, LATERAL (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h OFFSET 0) AS b GROUP BY g ORDER BY g;
SELECT g, (SELECT sum((h).rows) FROM (SELECT histories('few', 'customer', CASE WHEN g > 0 THEN 'at' END, 'amount', NULL::bigint) AS h) AS b) FROM generate_series(1, 2) AS g;
SELECT count(*), sum(rows) FROM histories('many', 'customer', 'at', 'amount', NULL::int);
RESET maintenance_work_mem;

-- In order, for an index; as the caller's query sees the table.
BEGIN;
CREATE TABLE stored AS SELECT (h).* FROM (SELECT histories('many', 'customer', 'at', 'amount', NULL::int) AS h) AS b;
INSERT INTO few VALUES (100, '2024-01-01', 1);
SELECT count(*) FROM histories('few', 'customer', 'at', 'amount', NULL::bigint);
WITH new AS (INSERT INTO few VALUES (101, '2024-01-01', 1) RETURNING 1)
SELECT count(*) FROM new, histories('few', 'customer', 'at', 'amount', NULL::bigint);
-- a STABLE function goes on with the snapshot of the statement that calls it, a VOLATILE one takes its own
CREATE FUNCTION rows_seen(source regclass) RETURNS numeric LANGUAGE sql STABLE SET work_mem = '4MB' AS
    $$SELECT sum(rows) FROM customer_tier.histories(source, 'customer', 'at', 'amount', NULL::bigint)$$;
CREATE FUNCTION rows_seen_anew(source regclass) RETURNS numeric LANGUAGE sql VOLATILE AS
    $$SELECT sum(rows) FROM customer_tier.histories(source, 'customer', 'at', 'amount', NULL::bigint)$$;
CREATE VIEW few_view AS SELECT * FROM few;
WITH new AS (INSERT INTO few VALUES (102, '2024-01-01', 1) RETURNING 1), seen AS MATERIALIZED (SELECT count(*) AS n FROM new)
SELECT (SELECT count(*) FROM few) AS here, CASE WHEN n = 1 THEN rows_seen('few') END AS stable,
       CASE WHEN n = 1 THEN rows_seen('few_view') END AS stable_view, CASE WHEN n = 1 THEN rows_seen_anew('few') END AS volatile FROM seen;
SELECT rows_seen('few') AS afterwards;
ROLLBACK;

-- A plain table is read as it is stored, anything else by a query: the same, byte by byte.
CREATE FUNCTION differences_of_paths(source regclass, zone text DEFAULT NULL, OUT customers bigint, OUT missing bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
    key_type text := (SELECT a.atttypid::regtype FROM pg_attribute a WHERE a.attrelid = source AND a.attname = 'customer');
BEGIN
    EXECUTE format('CREATE TEMP VIEW as_view AS SELECT * FROM %s', source);
    EXECUTE format($query$
        CREATE TEMP TABLE direct AS
            SELECT (h).customer_id::text, (h).history, (h).rows, (h).bad
              FROM (SELECT customer_tier.histories(%1$L, 'customer', 'at', 'amount', NULL::%2$s, %3$L) AS h) AS b;
        CREATE TEMP TABLE queried AS
            SELECT (h).customer_id::text, (h).history, (h).rows, (h).bad
              FROM (SELECT customer_tier.histories('as_view', 'customer', 'at', 'amount', NULL::%2$s, %3$L) AS h) AS b
    $query$, source, key_type, zone);
    SELECT count(*) INTO customers FROM direct;
    SELECT count(*) INTO missing FROM (TABLE queried EXCEPT ALL TABLE direct) AS d;
    SELECT count(*) INTO wrong FROM (TABLE direct EXCEPT ALL TABLE queried) AS d;
    DROP VIEW as_view;
    DROP TABLE direct, queried;
END
$$;
CREATE TABLE changed (dropped_1 text, amount numeric, filler text, at date, dropped_2 int, customer text);
INSERT INTO changed SELECT 'x', money, CASE WHEN n % 3 = 0 THEN repeat('y', n) END, day, i, CASE WHEN n % 100 = 0 THEN NULL ELSE repeat('k', n % 90) || n END FROM orders_of;
ALTER TABLE changed DROP dropped_1, DROP dropped_2;
DELETE FROM changed WHERE amount < 1;
UPDATE changed SET amount = amount + 1 WHERE at < '2016-01-01';
BEGIN;
INSERT INTO changed SELECT money, NULL, day, 'rolled back' FROM orders_of LIMIT 1000;
ROLLBACK;
CREATE TABLE grown AS SELECT n AS customer FROM orders_of;
ALTER TABLE grown ADD at timestamptz DEFAULT '2024-03-31 01:30+00', ADD amount numeric DEFAULT 12.50;
INSERT INTO grown SELECT n, day + i % 86399 * interval '1 s', money FROM orders_of;
CREATE TABLE generated (customer int, at date, price bigint, amount bigint GENERATED ALWAYS AS (price * 2) STORED);
INSERT INTO generated SELECT n, day, money FROM orders_of;
\set kind STORED
SELECT current_setting('server_version_num')::int >= 180000 AS has_virtual \gset
\if :has_virtual
\set kind VIRTUAL
\endif
CREATE TABLE made_up (customer int, at date, price bigint, amount bigint GENERATED ALWAYS AS (price * 2) :kind);
INSERT INTO made_up SELECT n, day, money FROM orders_of;
CREATE TABLE parent (customer int, at date, amount numeric);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent SELECT n, day, money FROM orders_of WHERE i % 2 = 0;
INSERT INTO child SELECT n + 1, day, money, 'x' FROM orders_of WHERE i % 2 = 1;
CREATE MATERIALIZED VIEW kept AS SELECT n AS customer, day AS at, money AS amount FROM orders_of;
CREATE TEMP TABLE passing AS SELECT n AS customer, day AS at, money AS amount FROM orders_of;
CREATE TABLE of_real AS SELECT n AS customer, day AS at, money::real AS amount FROM orders_of;
SELECT source, d.*, p.missing, p.wrong
  FROM unnest(ARRAY['few', 'far', 'many', 'by_uuid', 'by_key_text', 'changed', 'generated', 'made_up', 'parent', 'child', 'kept', 'passing']::regclass[]) AS source,
       differences(source) AS d, differences_of_paths(source) AS p;
SELECT * FROM differences('grown', 'Europe/Berlin');
SELECT * FROM differences_of_paths('grown', 'Europe/Berlin');
SELECT * FROM differences_of_paths('of_real');
SELECT count(*), sum(rows) FROM histories('few', 'tableoid', 'at', 'amount', NULL::oid);
CREATE MATERIALIZED VIEW not_kept AS TABLE few WITH NO DATA;
SELECT count(*) FROM histories('not_kept', 'customer', 'at', 'amount', NULL::bigint);

-- Which way it is read: each query that is planned says so, and there is the one that asks.
CREATE FUNCTION read_by(source regclass) RETURNS void LANGUAGE plpgsql SET debug_print_plan = on SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    PERFORM count(*) FROM customer_tier.histories(source, 'customer', 'at', 'amount', NULL::int);
END
$$;
\set VERBOSITY terse
SET client_min_messages = log;
SELECT read_by('generated');
SELECT read_by('kept');
SELECT read_by('passing');
SELECT read_by('parent');
SELECT read_by('of_real');
SELECT read_by('by_date');
SET client_min_messages = warning;
\set VERBOSITY default

-- Partitions, children, row security, and rights.
CREATE TABLE parted (customer int, at date, amount numeric) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('2019-01-01');
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT n, day, money FROM orders_of;
SELECT * FROM differences('parted');
CREATE ROLE bulk_reader;
GRANT USAGE ON SCHEMA public TO bulk_reader;
CREATE TABLE guarded AS TABLE few;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_only ON guarded USING (customer > 7);
SET ROLE bulk_reader;
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
RESET ROLE;
GRANT SELECT (customer, at, amount) ON guarded TO bulk_reader;
SET ROLE bulk_reader;
SELECT customer_id, rows, bad FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
RESET ROLE;
ALTER TABLE guarded DISABLE ROW LEVEL SECURITY;
SET ROLE bulk_reader;
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
RESET ROLE;
REVOKE SELECT (amount) ON guarded FROM bulk_reader;
SET ROLE bulk_reader;
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'customer', NULL::bigint);
RESET ROLE;
GRANT SELECT ON guarded TO bulk_reader;
SELECT 'guarded'::regclass::oid AS guarded \gset
REVOKE USAGE ON SCHEMA bulk FROM PUBLIC;
SET ROLE bulk_reader;
SELECT count(*) FROM customer_tier.histories(:guarded, 'customer', 'at', 'amount', NULL::bigint);
RESET ROLE;
GRANT USAGE ON SCHEMA bulk TO PUBLIC;
-- the owner, who is asked only when told so, and whoever wants no rows left out silently
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded OWNER TO bulk_reader;
SET ROLE bulk_reader;
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
SET row_security = off;
SELECT count(*) FROM histories('guarded', 'customer', 'at', 'amount', NULL::bigint);
RESET row_security;
RESET ROLE;
DROP TABLE guarded;
REVOKE USAGE ON SCHEMA public FROM bulk_reader;
DROP ROLE bulk_reader;
CREATE TABLE "Odd ""Name" ("a b" int, "At" date, "select" numeric);
INSERT INTO "Odd ""Name" VALUES (1, '2024-01-01', 2);
SELECT * FROM histories('"Odd ""Name"', 'a b', 'At', 'select', NULL::int);

-- Mistakes.
SELECT histories(NULL, 'customer', 'at', 'amount', NULL::bigint);
SELECT histories('few', NULL, 'at', 'amount', NULL::bigint);
SELECT histories('few', 'customer', 'at', NULL, NULL::bigint);
SELECT histories(0::regclass, 'customer', 'at', 'amount', NULL::bigint);
SELECT histories('few', 'buyer', 'at', 'amount', NULL::bigint);
SELECT histories('few', 'customer', 'at', 'amount', NULL);
SELECT histories('few', 'customer', 'at', 'amount', NULL::text);
SELECT histories('by_varchar', 'customer', 'at', 'amount', NULL::text);
SELECT histories('many', 'customer', 'at', 'amount', NULL::buyer_number);
SELECT histories('few', 'customer', 'amount', 'amount', NULL::bigint);
SELECT histories('few', 'customer', 'at', 'at', NULL::bigint);
SELECT histories('few', 'customer', 'at', 'amount', NULL::bigint, 'UTC');
SELECT histories('by_timestamptz', 'customer', 'at', 'amount', NULL::int);
SELECT histories('by_timestamptz', 'customer', 'at', 'amount', NULL::int, 'Mars/Phobos');
CREATE VIEW by_bits AS SELECT n::bit(12) AS customer, day AS at, money AS amount FROM orders_of;
SELECT histories('by_bits', 'customer', 'at', 'amount', NULL::bit(12));
SELECT t, histories_offers(t) FROM unnest(ARRAY['int', 'buyer', 'uuid', 'numeric', 'date', 'text[]', 'bit', 'json', 'xid', 'money']::regtype[]) AS t;

-- What the planner expects.
ANALYZE many;
CREATE FUNCTION expected_rows(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END
$$;
SELECT expected_rows($$SELECT histories('many', 'customer', 'at', 'amount', NULL::int)$$) BETWEEN 20000 AND 80000 AS distinct_of_many,
       expected_rows($$SELECT histories('many_text', 'customer', 'at', 'amount', NULL::text)$$) AS of_a_view,
       expected_rows($$SELECT * FROM histories('few', 'nobody', 'at', 'amount', NULL::int)$$) AS of_no_column;
DROP SCHEMA bulk CASCADE;
