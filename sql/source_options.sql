-- Amounts in several currencies, and external ids instead of customers, each
-- against an oracle in plain SQL.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE FUNCTION random_of(seed text, n int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(seed), 1, 7))::bit(28)::int % n) $$;
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query; END $$;
CREATE TABLE sales (line int PRIMARY KEY, customer_id int, at timestamptz, amount numeric, currency char(3), order_id int);
INSERT INTO sales
SELECT n, 1 + random_of('c' || n, 120), timestamptz '2024-01-01 00:30:00+00' + random_of('d' || n, 300) * interval '1 day 23 minutes',
       CASE WHEN random_of('r' || n, 12) = 0 THEN -1 ELSE 1 END * random_of('a' || n, 20000) / 100.0,
       (ARRAY['EUR', 'EUR', 'USD', 'CHF', 'GBP'])[1 + random_of('k' || n, 5)], n / 3
  FROM generate_series(1, 2000) n;
CREATE INDEX ON sales (customer_id);
-- Rates on working days; of the pound, from March on, and one that cannot be.
CREATE TABLE rates (currency text, day date, rate numeric);
INSERT INTO rates VALUES ('EUR', '-infinity', 1);
INSERT INTO rates
SELECT c, d, 0.8 + random_of(c || d, 100000) / 250000.0
  FROM unnest('{USD,CHF,GBP}'::text[]) c, generate_series(date '2023-12-29', '2024-12-31', '1 day') d
 WHERE extract(isodow FROM d) < 6 AND (c <> 'GBP' OR d >= '2024-03-01');
UPDATE rates SET rate = 'NaN' WHERE currency = 'GBP' AND day = '2024-07-03';
UPDATE rates SET rate = 0 WHERE currency = 'GBP' AND day = '2024-07-04';
UPDATE rates SET rate = NULL WHERE currency = 'GBP' AND day = '2024-07-05';
UPDATE sales SET currency = NULL WHERE line = 77;
UPDATE sales SET currency = 'ZZZ' WHERE line = 78;
ANALYZE sales; ANALYZE rates;

-- What makes no sense.
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', currency => 'currency');
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', rates => 'rates');
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', currency => 'money', rates => 'rates');
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', currency => 'currency', rates => 'rates', rates_day => 'since');
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', currency => 'currency', rates => 'rates', rates_day => 'currency');
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', currency => 'currency', rates => 'rates', rates_rate => 'currency');
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', currency => 'currency', rates => 'rates', rates_rate => NULL);

-- The rate of the day, or of the last day before it that has one; a line
-- without one is bad.
CREATE FUNCTION local_day(at timestamptz) RETURNS date LANGUAGE sql AS $$ SELECT (at AT TIME ZONE 'America/New_York')::date $$;
CREATE VIEW converted AS
SELECT s.*, local_day(s.at) AS day, s.amount * CASE WHEN r.rate > 0 AND r.rate <> 'NaN' THEN r.rate END AS converted
  FROM sales s
  LEFT JOIN LATERAL (SELECT r.rate FROM rates r WHERE r.currency = s.currency AND r.day <= local_day(s.at) ORDER BY r.day DESC LIMIT 1) r ON true;
CREATE FUNCTION of_lines(OUT customer_id int, OUT first_day date, OUT last_day date, OUT orders bigint, OUT revenue numeric, OUT refunded numeric) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT customer_id, min(day) FILTER (WHERE converted >= 0), max(day) FILTER (WHERE converted >= 0), count(*) FILTER (WHERE converted >= 0),
           sum(round(converted, 6)), coalesce(-sum(round(converted, 6)) FILTER (WHERE converted < 0), 0)
      FROM converted WHERE converted IS NOT NULL AND day <= '2024-11-30' GROUP BY 1
$$;
CREATE FUNCTION of_orders(OUT customer_id int, OUT first_day date, OUT last_day date, OUT orders bigint, OUT revenue numeric, OUT refunded numeric) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT customer_id, min(day) FILTER (WHERE amount >= 0), max(day) FILTER (WHERE amount >= 0), count(*) FILTER (WHERE amount >= 0),
           sum(amount), coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)
      FROM (SELECT customer_id, min(day) AS day, round(sum(converted), 6) AS amount FROM converted WHERE converted IS NOT NULL GROUP BY customer_id, order_id) o
     WHERE day <= '2024-11-30' GROUP BY 1
$$;
SELECT customer_tier.create_program('lines', 'sales', 'customer_id', 'at', 'amount', time_zone => 'America/New_York', currency => 'currency', rates => 'rates', max_bad_share => 1);
SELECT customer_tier.create_program('orders', 'sales', 'customer_id', 'at', 'amount', time_zone => 'America/New_York', order_id => 'order_id', currency => 'currency', rates => 'rates', max_bad_share => 1);
CALL customer_tier.refresh('lines', '2024-11-30');
CALL customer_tier.refresh('orders', '2024-11-30');
(SELECT 'more', customer_id, first_day, last_day, orders, revenue, refunded FROM lines.ratings EXCEPT ALL SELECT 'more', * FROM of_lines())
UNION ALL (SELECT 'fewer', * FROM of_lines() EXCEPT ALL SELECT 'fewer', customer_id, first_day, last_day, orders, revenue, refunded FROM lines.ratings);
(SELECT 'more', customer_id, first_day, last_day, orders, revenue, refunded FROM orders.ratings EXCEPT ALL SELECT 'more', * FROM of_orders())
UNION ALL (SELECT 'fewer', * FROM of_orders() EXCEPT ALL SELECT 'fewer', customer_id, first_day, last_day, orders, revenue, refunded FROM orders.ratings);
SELECT rows_read, rows_bad = (SELECT count(*) FROM converted WHERE converted IS NULL) AS bad_as_expected, rows_bad FROM lines.run;
SELECT rows_read, rows_bad = (SELECT count(*) FROM converted WHERE converted IS NULL) AS bad_as_expected FROM orders.run;
SELECT "check", rows, examples, action FROM customer_tier.audit('lines') WHERE "check" ~ 'currency|rate';
-- One customer alone reads what all read.
SELECT (one).customer_id, (one).orders, (one).revenue FROM (SELECT lines.rate_one(7, '2024-11-30') AS one) x
EXCEPT SELECT customer_id, orders, revenue FROM lines.ratings;
-- and by the index of the table below
SET enable_seqscan = off;
SELECT bool_or(plan ~ 'Index Cond: \(customer_id = 7\)') AS by_index FROM explained('SELECT customer_id, at, amount FROM lines.source_rows WHERE customer_id = 7') plan;
RESET enable_seqscan;

-- In whatever order the rows come: the same bytes.
CREATE TABLE shuffled AS SELECT * FROM sales ORDER BY md5(line::text);
CREATE TABLE shuffled_rates AS SELECT * FROM rates ORDER BY md5(rates::text);
SELECT customer_tier.create_program('shuffled', 'shuffled', 'customer_id', 'at', 'amount', time_zone => 'America/New_York', order_id => 'order_id', currency => 'currency', rates => 'shuffled_rates', max_bad_share => 1);
CALL customer_tier.refresh('shuffled', '2024-11-30');
SELECT count(*) FROM (SELECT * FROM shuffled.ratings EXCEPT ALL SELECT * FROM orders.ratings) differing;
SELECT count(*) FROM (SELECT * FROM orders.history EXCEPT ALL SELECT * FROM shuffled.history) differing;
SELECT customer_tier.source_fingerprint('orders', customer_tier.program_settings('orders')) IS NOT NULL AS has_one;
UPDATE orders.settings SET rates_name = 'shuffled_rates';
SELECT customer_tier.source_fingerprint('shuffled', customer_tier.program_settings('shuffled')) = customer_tier.source_fingerprint('orders', customer_tier.program_settings('orders')) AS same;
UPDATE shuffled_rates SET rate = rate + 0.0001 WHERE currency = 'USD' AND day = '2024-06-06';
SELECT customer_tier.source_fingerprint('shuffled', customer_tier.program_settings('shuffled')) = customer_tier.source_fingerprint('lines', customer_tier.program_settings('lines')) AS same;
SELECT customer_tier.drop_program('shuffled'), customer_tier.drop_program('orders');

-- Two rates of a day: named, by the check before and by whoever reads.
INSERT INTO rates VALUES ('USD', '2024-05-06', 1.1), ('CHF', '2024-05-07', 1.1);
SELECT problem FROM customer_tier.check_program('lines');
CALL customer_tier.refresh('lines', '2024-12-01');
SELECT "check", rows, examples, action FROM customer_tier.audit('lines') WHERE "check" ~ 'twice';
DELETE FROM rates WHERE rate = 1.1 AND currency = 'USD';
SELECT count(amount) FROM lines.source_rows;
DELETE FROM rates WHERE rate = 1.1;

-- The message of too many bad rows; no currency, no view.
UPDATE lines.settings SET max_bad_share = 0.001;
CALL customer_tier.refresh('lines', '2024-12-01');
UPDATE lines.settings SET currency = NULL, rates_schema = NULL, rates_name = NULL;
CALL customer_tier.refresh('lines', '2024-12-01');
SELECT to_regclass('lines.source_rows'), customer_tier.source_fingerprint('lines', customer_tier.program_settings('lines')), (SELECT sum(revenue) FROM lines.ratings) = (SELECT sum(amount) FROM sales WHERE local_day(at) <= '2024-12-01') AS as_it_stands;
SELECT customer_tier.drop_program('lines');

-- Every type of amount, day, currency and rate; infinities and NaN.
CREATE DOMAIN money_text AS text;
CREATE TYPE currency AS ENUM ('EUR', 'USD');
CREATE TABLE typed (k int, d date, ts timestamp, n numeric, f double precision, r real, i int, b bigint, c text, e currency, dom money_text, v varchar);
INSERT INTO typed SELECT 1, date '2024-01-05' + n, date '2024-01-05' + n, 10.1, 10.1, 10.1, 10, 10, c, c::currency, c, c FROM generate_series(0, 9) n, unnest('{EUR,USD}'::text[]) c;
INSERT INTO typed VALUES (2, '2024-01-06', 'infinity', 'NaN', 'Infinity', '-Infinity', NULL, NULL, 'EUR', 'EUR', 'EUR', 'EUR'),
                         (2, '-infinity', '-infinity', 'NaN', 'NaN', 'NaN', NULL, NULL, 'USD', 'USD', 'USD', 'USD'),
                         (3, '2024-01-06', '2024-01-06', 1e38, 1e300, 1e38, 2147483647, 9223372036854775807, 'USD', 'USD', 'USD', 'USD');
CREATE TABLE typed_rates (c text, e currency, d date, ts timestamptz, r real, f double precision, n numeric, b bigint);
INSERT INTO typed_rates VALUES ('EUR', 'EUR', '1900-01-01', '1900-01-01 12:00+00', 1, 1, 1, 1), ('USD', 'USD', '1900-01-01', '1900-01-01 12:00+00', 0.1, 0.1, 0.1, 2), ('USD', 'USD', 'infinity', 'infinity', 'Infinity', 'Infinity', 0.1, 2);
CREATE TABLE combination AS
SELECT 'x_' || concat_ws('_', at, amount, currency, rates_currency, rates_day, rates_rate) AS name, at, amount, currency, rates_currency, rates_day, rates_rate
  FROM (VALUES ('d', 'n', 'c', 'c', 'd', 'n'), ('ts', 'f', 'c', 'c', 'ts', 'r'), ('d', 'r', 'e', 'e', 'd', 'f'), ('ts', 'i', 'e', 'c', 'ts', 'b'), ('d', 'b', 'dom', 'c', 'd', 'r'), ('d', 'n', 'v', 'e', 'ts', 'f'))
       AS t (at, amount, currency, rates_currency, rates_day, rates_rate);
SELECT count(customer_tier.create_program(name, 'typed', 'k', at::name, amount::name, currency => currency::name, rates => 'typed_rates', rates_currency => rates_currency::name, rates_day => rates_day::name, rates_rate => rates_rate::name, max_bad_share => 1, time_zone => 'UTC')) FROM combination;
SELECT format('CALL customer_tier.refresh(%L, ''2024-02-01'')', name) FROM combination \gexec
SELECT format('SELECT %L AS program, rows_bad, (SELECT array_agg(revenue ORDER BY customer_id) FROM %I.ratings) AS revenue FROM %I.run', name, name, name) FROM combination \gexec
SELECT count(*) AS checks FROM combination, customer_tier.audit(name);
SELECT count(customer_tier.drop_program(name)) FROM combination;

-- External ids: two or three a customer, some in no map, one without a customer.
CREATE TABLE identities (external_id int, customer_id int);
INSERT INTO identities SELECT n, 1000 + n / 3 FROM generate_series(1, 90) n WHERE n % 7 <> 0;
INSERT INTO identities VALUES (91, NULL), (NULL, 5), (92, 93), (93, 92), (5000, 1001);
CREATE TABLE customers (id int);
INSERT INTO customers VALUES (92), (1000), (7777);
CREATE FUNCTION of_customers(OUT customer_id int, OUT orders bigint, OUT revenue numeric) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT CASE WHEN i.external_id IS NULL THEN s.customer_id ELSE i.customer_id END, count(*) FILTER (WHERE amount >= 0), sum(amount)
      FROM sales s LEFT JOIN identities i ON i.external_id = s.customer_id
     WHERE i.external_id IS NULL OR i.customer_id IS NOT NULL
     GROUP BY 1
$$;
SELECT customer_tier.create_program('p', 'sales', 'customer_id', 'at', 'amount', identities => 'identities', identities_key => 'external');
SELECT customer_tier.create_program('p', 'sales', 'currency', 'at', 'amount', identities => 'identities');
SELECT customer_tier.create_program('mapped', 'sales', 'customer_id', 'at', 'amount', identities => 'identities', max_bad_share => 1, customers => 'customers', customers_key => 'id');
CALL customer_tier.refresh('mapped', '2025-01-31');
SELECT customer_id, orders, revenue FROM mapped.ratings WHERE segment <> 'prospects' EXCEPT ALL SELECT * FROM of_customers();
SELECT * FROM of_customers() EXCEPT ALL SELECT customer_id, orders, revenue FROM mapped.ratings;
SELECT rows_read, rows_bad = (SELECT count(*) FROM sales WHERE customer_id = 91) AS bad_as_expected FROM mapped.run;
SELECT "check", rows, examples, action FROM customer_tier.audit('mapped') WHERE "check" ~ 'external|identity|master|merged';
-- one at a time, and by the index on the external ids
SELECT r.customer_id, r.orders, r.revenue FROM mapped.ratings m, LATERAL mapped.rate_one(m.customer_id, '2025-01-31') r WHERE m.orders > 0
EXCEPT ALL SELECT * FROM of_customers();
SELECT count(*) FROM mapped.ratings m, LATERAL mapped.rate_one(m.customer_id, '2025-01-31') r WHERE m.orders > 0;
SET enable_seqscan = off;
SELECT bool_or(plan ~ 'Index Cond: \(customer_id = ANY \(\$\d+\)|Index Cond: \(customer_id = ANY \(\(InitPlan') AS by_index
  FROM explained(replace(customer_tier.source_query(customer_tier.program_settings('mapped'), '1007'), '%', '%%')) plan;
RESET enable_seqscan;
-- whom touched keys concern
SELECT format('SELECT array_agg(customer_id ORDER BY customer_id) FROM (%s) who', customer_tier.source_customers(customer_tier.program_settings('mapped'), 'VALUES (3), (5), (7), (91), (92), (NULL)')) AS q \gset
:q;
-- Two customers of one external id: named. With a unique index there are none.
INSERT INTO identities VALUES (17, 18);
SELECT problem FROM customer_tier.check_program('mapped');
CALL customer_tier.refresh('mapped', '2025-01-31');
SELECT "check", rows, examples, action FROM customer_tier.audit('mapped') WHERE "check" ~ 'twice';
DELETE FROM identities WHERE (external_id, customer_id) = (17, 18);
CREATE UNIQUE INDEX ON identities (external_id);
CALL customer_tier.refresh('mapped', '2025-01-31');
SELECT pg_get_viewdef('mapped.source_rows') ~ 'GROUP BY' AS grouped, (SELECT changed FROM mapped.run WHERE is_current);
SELECT customer_tier.drop_program('mapped');

-- Customers of another type than the external ids: who is in no map is nobody.
CREATE TABLE people (mail text, person uuid);
INSERT INTO people SELECT 'c' || n || '@example.com', ('00000000-0000-0000-0000-0000000000' || 10 + n % 40)::uuid FROM generate_series(1, 100) n;
CREATE VIEW mail_orders AS SELECT 'c' || customer_id || '@example.com' AS mail, at, amount, currency FROM sales;
SELECT customer_tier.create_program('people', 'mail_orders', 'mail', 'at', 'amount', identities => 'people', identities_key => 'mail', identities_customer => 'person', max_bad_share => 1,
                                    currency => 'currency', rates => 'rates', time_zone => 'America/New_York');
SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = 'people.rating'::regclass AND attname = 'customer_id';
CALL customer_tier.refresh('people', '2025-01-31');
SELECT customer_id, orders, revenue FROM people.ratings WHERE orders > 0
EXCEPT SELECT p.person, count(*) FILTER (WHERE converted >= 0), sum(round(converted, 6)) FROM converted c JOIN people p ON p.mail = 'c' || c.customer_id || '@example.com' WHERE converted IS NOT NULL GROUP BY 1;
SELECT rows_bad = (SELECT count(*) FROM converted c WHERE converted IS NULL OR customer_id > 100) AS bad_as_expected, customers FROM people.run;
SELECT "check", rows > 0 AS there_are, action FROM customer_tier.audit('people') WHERE "check" ~ 'external|identity';
SELECT count(*) FROM people.ratings p, LATERAL people.rate_one(p.customer_id, '2025-01-31') o WHERE (o.orders, o.revenue) = (p.orders, p.revenue);
-- The map's customers change their type: refused, not cast.
ALTER TABLE people ALTER person TYPE text;
DROP VIEW people.source_rows;
ALTER TABLE people ALTER person TYPE text;
SELECT problem FROM customer_tier.check_program('people');
SELECT customer_tier.drop_program('people');
DROP VIEW converted, mail_orders;
DROP TABLE sales, shuffled, rates, shuffled_rates, typed, typed_rates, combination, identities, people, customers;
DROP FUNCTION random_of, explained, local_day, of_lines, of_orders, of_customers;
DROP DOMAIN money_text;
DROP TYPE currency;
