-- Where the histories of partitioned and foreign sources are built.  What other
-- servers are asked for shows in test/t/020_shards.pl; here none is there.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA shards;
SET search_path = shards, public;
SET TimeZone = 'UTC';

-- Partitions that are here, by customer, by time, and by both: the same bytes
-- however they are read.
CREATE TABLE orders (customer_id int, at timestamptz, amount numeric, line int);
INSERT INTO orders
SELECT nullif(n * 7919 % 211, 210), timestamptz '2024-01-01 00:00+00' + n * interval '3 hours', CASE WHEN n % 97 > 0 THEN (n % 1009 - 30) / 8.0 END, n / 500
  FROM generate_series(1, 2000) n;
CREATE TABLE by_customer (LIKE orders) PARTITION BY HASH (customer_id);
CREATE TABLE by_customer_0 PARTITION OF by_customer FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE by_customer_1 PARTITION OF by_customer FOR VALUES WITH (MODULUS 3, REMAINDER 1) PARTITION BY LIST (customer_id);
CREATE TABLE by_customer_1a PARTITION OF by_customer_1 FOR VALUES IN (1, 2, 3);
CREATE TABLE by_customer_1b PARTITION OF by_customer_1 DEFAULT;
CREATE TABLE by_customer_2 PARTITION OF by_customer FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE by_time (LIKE orders) PARTITION BY RANGE (at);
CREATE TABLE by_time_1 PARTITION OF by_time FOR VALUES FROM (MINVALUE) TO ('2024-03-01') PARTITION BY HASH (customer_id);
CREATE TABLE by_time_1a PARTITION OF by_time_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_time_1b PARTITION OF by_time_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE by_time_2 PARTITION OF by_time FOR VALUES FROM ('2024-03-01') TO (MAXVALUE);
INSERT INTO by_customer TABLE orders;
INSERT INTO by_time TABLE orders;
SELECT source, customer_tier.is_split_by(source, 'customer_id') FROM unnest('{orders,by_customer,by_customer_1,by_time,by_time_1}'::regclass[]) AS source;
CREATE TABLE by_expression (LIKE orders) PARTITION BY HASH ((customer_id + 0));
CREATE TABLE by_both (LIKE orders) PARTITION BY HASH (customer_id, line);
SELECT source, customer_tier.is_split_by(source, 'customer_id') FROM unnest('{by_expression,by_both}'::regclass[]) AS source;

CREATE FUNCTION compared(source text, zone text, order_id name DEFAULT NULL) RETURNS TABLE (place text, customers bigint, differ bigint, rows numeric, bad numeric) LANGUAGE plpgsql AS $$
DECLARE
    s customer_tier.program_settings;
    query text;
BEGIN
    s.source_schema := 'shards'; s.source_name := source; s.customer := 'customer_id'; s.at := 'at'; s.amount := 'amount'; s.time_zone := zone; s.order_id := order_id;
    place := customer_tier.where_built(s);
    query := customer_tier.source_query(s);
    s.source_name := 'orders';
    EXECUTE format('WITH one AS MATERIALIZED (SELECT customer_id, customer_tier.history_send(history), rows, bad FROM (%s) AS q), other AS MATERIALIZED (SELECT customer_id, customer_tier.history_send(history), rows, bad FROM (%s) AS q)
                    SELECT count(*), (SELECT count(*) FROM ((TABLE one EXCEPT ALL TABLE other) UNION ALL (TABLE other EXCEPT ALL TABLE one)) AS d), sum(rows), sum(bad) FROM one',
                   query, customer_tier.source_query(s)) INTO customers, differ, rows, bad;
    RETURN NEXT;
END $$;
SELECT source, line, c.* FROM unnest('{by_customer,by_time}'::text[]) AS source, unnest('{NULL,line}'::name[]) AS line, compared(source, 'Asia/Shanghai', line) AS c ORDER BY 1, 2;

-- The same with partition-wise aggregation, and by parts that are added up.
SET enable_partitionwise_aggregate = on;
SELECT c.* FROM compared('by_customer', 'Asia/Shanghai', 'line') AS c;
CREATE FUNCTION in_parts(source text, with_profit boolean) RETURNS TABLE (customers bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    s customer_tier.program_settings;
    query text;
BEGIN
    s.source_schema := 'shards'; s.source_name := source; s.customer := 'customer_id'; s.at := 'at'; s.amount := 'amount'; s.time_zone := 'Asia/Shanghai';
    query := customer_tier.parts_query(s, $x$customer_tier.purchases_checked(source.at, source.amount, CAST('Asia/Shanghai' AS customer_tier.time_zone))$x$,
        CASE WHEN with_profit THEN $x$customer_tier.purchases_checked(source.at, source.amount, 'Asia/Shanghai')$x$ END,
        CASE WHEN NOT with_profit THEN $x$customer_tier.histories(CAST(%source% AS regclass), 'customer_id', 'at', 'amount', NULL::int, 'Asia/Shanghai')$x$ END);
    s.source_name := 'orders';
    EXECUTE format('WITH one AS MATERIALIZED (SELECT customer_id, customer_tier.history_send(history), rows, bad, customer_tier.history_send(profit) IS NOT DISTINCT FROM CASE WHEN %L THEN customer_tier.history_send(history) END FROM (%s) AS q),
                         other AS MATERIALIZED (SELECT customer_id, customer_tier.history_send(history), rows, bad, true FROM (%s) AS q)
                    SELECT count(*), (SELECT count(*) FROM ((TABLE one EXCEPT ALL TABLE other) UNION ALL (TABLE other EXCEPT ALL TABLE one)) AS d) FROM one',
                   with_profit, query, customer_tier.source_query(s)) INTO customers, differ;
    RETURN NEXT;
END $$;
SELECT * FROM in_parts('by_time', false);
SELECT * FROM in_parts('by_time', true);
SELECT * FROM in_parts('by_customer', false);
RESET enable_partitionwise_aggregate;

-- A zone that can be sent, and one that is none.
SELECT customer_tier.purchases_checked(at, amount, 'Asia/Shanghai'::customer_tier.time_zone) IS NOT DISTINCT FROM customer_tier.purchases_checked(at, amount, 'Asia/Shanghai') FROM orders;
SELECT customer_tier.purchases_checked(at, amount::float8, 'America/New_York'::customer_tier.time_zone) IS NOT DISTINCT FROM customer_tier.purchases_checked(at, amount::float8, 'America/New_York') FROM orders;
SELECT customer_tier.purchases_checked(at, line::bigint, 'UTC'::customer_tier.time_zone) IS NOT DISTINCT FROM customer_tier.purchases_checked(at, line::bigint, 'UTC') FROM orders;
SELECT customer_tier.purchases_checked(at, amount, 'Mars/Olympus'::customer_tier.time_zone) FROM orders;
SELECT customer_tier.purchases_checked(at, amount, NULL::customer_tier.time_zone) FROM orders;
SELECT typcollation FROM pg_type WHERE oid = 'customer_tier.time_zone'::regtype;

-- Other servers: which of them build, through partitions and views.
CREATE SERVER able FOREIGN DATA WRAPPER postgres_fdw OPTIONS (extensions 'customer_tier');
CREATE SERVER unable FOREIGN DATA WRAPPER postgres_fdw;
CREATE SERVER "Server B" FOREIGN DATA WRAPPER postgres_fdw;
ALTER SERVER "Server B" OPTIONS (ADD extensions 'postgres_fdw');
CREATE FOREIGN DATA WRAPPER other_wrapper;
CREATE SERVER other FOREIGN DATA WRAPPER other_wrapper OPTIONS (extensions 'customer_tier');
CREATE FOREIGN TABLE there (customer_id bigint, at timestamptz, amount numeric, price real, cost float8, code text, line int, margin numeric) SERVER able;
CREATE FOREIGN TABLE far (customer_id bigint, at timestamptz, amount numeric) SERVER unable;
CREATE FOREIGN TABLE elsewhere (customer_id bigint, at timestamptz, amount numeric) SERVER other;
CREATE VIEW seen_there AS SELECT * FROM there WHERE amount <> 0;
CREATE VIEW seen_again AS SELECT * FROM seen_there;
CREATE TABLE yearly (LIKE there) PARTITION BY RANGE (at);
CREATE FOREIGN TABLE yearly_1 PARTITION OF yearly FOR VALUES FROM (MINVALUE) TO ('2020-01-01') SERVER able;
CREATE FOREIGN TABLE yearly_2 PARTITION OF yearly FOR VALUES FROM ('2020-01-01') TO ('2023-01-01') SERVER "Server B";
CREATE TABLE yearly_3 PARTITION OF yearly DEFAULT;
CREATE VIEW seen_yearly AS SELECT * FROM yearly;
CREATE TABLE hashed (LIKE there) PARTITION BY HASH (customer_id);
CREATE FOREIGN TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER able;
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE VIEW seen_hashed AS SELECT * FROM hashed WHERE amount > 0;
SELECT part, root, server, is_postgres, extensions, builds FROM customer_tier.foreign_parts('yearly');
SELECT part, root FROM customer_tier.foreign_parts('seen_again');
SELECT part, root FROM customer_tier.foreign_parts('seen_yearly');
SELECT part, builds FROM customer_tier.foreign_parts('elsewhere');
SELECT count(*) FROM customer_tier.foreign_parts('orders');

CREATE FUNCTION place_of(source text, customer name DEFAULT 'customer_id', amount name DEFAULT 'amount', order_id name DEFAULT NULL, margin_column name DEFAULT NULL, OUT place text, OUT problem text, OUT hint text)
LANGUAGE plpgsql AS $$
DECLARE
    s customer_tier.program_settings;
BEGIN
    s.source_schema := 'shards'; s.source_name := source; s.customer := customer; s.at := 'at'; s.amount := amount; s.time_zone := 'UTC'; s.order_id := order_id; s.margin_column := margin_column;
    place := customer_tier.where_built(s);
    SELECT o.problem, o.hint INTO place_of.problem, place_of.hint FROM customer_tier.remote_obstacles(s) o;
END $$;
SELECT source, p.* FROM unnest('{orders,by_customer,by_time,there,far,elsewhere,seen_there,seen_again,yearly,seen_yearly,hashed,seen_hashed,yearly_1,missing}'::text[]) AS source, place_of(source) AS p;
SELECT * FROM place_of('there', order_id => 'line');
SELECT * FROM place_of('hashed', order_id => 'line');
SELECT * FROM place_of('yearly', order_id => 'line');
SELECT * FROM place_of('there', customer => 'amount');
SELECT * FROM place_of('there', amount => 'price');
SELECT * FROM place_of('there', amount => 'cost');
SELECT * FROM place_of('there', amount => 'cost', order_id => 'line');
SELECT * FROM place_of('there', customer => 'code');
CREATE DOMAIN code AS text;
CREATE FOREIGN TABLE coded (customer_id code, at timestamptz, amount numeric) SERVER able;
SELECT * FROM place_of('coded');
ALTER TABLE yearly ENABLE ROW LEVEL SECURITY;
SELECT * FROM place_of('yearly');
ALTER TABLE yearly DISABLE ROW LEVEL SECURITY;

-- Who may read the table only, reads rows through it.
CREATE ROLE regress_shards_reader;
GRANT USAGE ON SCHEMA shards TO regress_shards_reader;
GRANT SELECT ON orders, yearly, hashed TO regress_shards_reader;
SET ROLE regress_shards_reader;
SELECT * FROM place_of('yearly');
SELECT * FROM place_of('hashed');
RESET ROLE;
GRANT SELECT ON yearly_1, yearly_2 TO regress_shards_reader;
GRANT SELECT (customer_id, at, amount) ON yearly_3 TO regress_shards_reader;
SET ROLE regress_shards_reader;
SELECT * FROM place_of('yearly');
SELECT place FROM place_of('yearly', margin_column => 'margin');
RESET ROLE;

-- Citus is asked for histories where it has the rows by customer.  Its catalog
-- is played here by a table of that name, for a moment.
BEGIN;
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char", partkey text);
CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
CREATE VIEW seen_orders AS SELECT * FROM orders WHERE amount > 0;
INSERT INTO pg_catalog.pg_dist_partition VALUES ('orders', 'h', 'customer_id'), ('by_time', 'h', 'line'), ('by_customer', 'n', NULL);
SELECT source, p.place FROM unnest('{orders,seen_orders,by_customer,by_time}'::text[]) AS source, place_of(source) AS p;
ROLLBACK;
SELECT place FROM place_of('orders');

-- What a DBA is told.
SELECT customer_tier.create_program('yearly', 'shards.yearly', 'customer_id', 'at', 'amount');
SELECT customer_tier.create_program('local', 'shards.by_time', 'customer_id', 'at', 'amount');
SELECT customer_tier.create_program('foreign_lines', 'shards.yearly', 'customer_id', 'at', 'amount', order_id => 'line');
SELECT customer_tier.create_program('file', 'shards.elsewhere', 'customer_id', 'at', 'amount');
SELECT program, p.* FROM unnest('{yearly,local,foreign_lines,file}'::name[]) AS program, customer_tier.remote_problems(program) AS p;
SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program WHERE source_schema = 'shards';

DROP OWNED BY regress_shards_reader;
DROP ROLE regress_shards_reader;
DROP SCHEMA shards CASCADE;
DROP FOREIGN DATA WRAPPER other_wrapper CASCADE;
DROP EXTENSION postgres_fdw CASCADE;
