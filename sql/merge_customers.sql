-- Two customers who are one: the orders of both are read as those of one of
-- them, as if they had been so in the source.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE orders (customer_id int, day date, amount numeric, line serial);
INSERT INTO orders (customer_id, day, amount) SELECT 1 + (n * 7 % 40), date '2024-01-01' + n % 150, n % 90 + 0.5 FROM generate_series(1, 600) n;
CREATE INDEX ON orders (customer_id);
CREATE TABLE customers (id int PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 45);
SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', customers => 'customers', customers_key => 'id', time_zone => 'UTC');
CALL customer_tier.refresh('shop', '2024-04-30');
SELECT to_regclass('shop.source_rows') AS none;

-- What cannot be.
SELECT customer_tier.merge_customers('shop', 7, NULL::int);
SELECT customer_tier.merge_customers('shop', 'seven', '8');
SELECT customer_tier.merge_customers('shop', 7, 7);
SELECT customer_tier.merge_customers('shop', '7', '07');
SELECT customer_tier.merge_customers('shop', 99, 7);
SELECT customer_tier.merge_customers('shop', 7, 99);
SELECT customer_tier.merge_customers('nowhere', 7, 8);
SELECT customer_tier.unmerge_customers('shop', 7);
SELECT customer_tier.set_override('shop', 7, 'gold', 'a bid to keep her') IS NOT NULL AS set;
SELECT customer_tier.merge_customers('shop', 7, 8);
SELECT customer_tier.end_override('shop', 7, 'merged into 8');

-- Nothing that is published changes before the next refresh.
CREATE TABLE before AS SELECT * FROM shop.ratings;
SELECT customer_tier.merge_customers('shop', 7, 8);
SELECT customer_tier.merge_customers('shop', '9', '10');
SELECT customer_tier.merge_customers('shop', 41, 11) AS a_prospect, customer_tier.merge_customers('shop', 12, 42) AS into_a_prospect;
SELECT count(*) FROM (SELECT * FROM shop.ratings EXCEPT SELECT * FROM before) x;
SELECT customer_tier.merge_customers('shop', 7, 10);
SELECT customer_tier.merge_customers('shop', 8, 7);
-- Chains: into 8, of whom 10 then takes everything; into 9, who is 10.
SELECT customer_tier.merge_customers('shop', 8, 10), customer_tier.merge_customers('shop', 6, 9);
SELECT from_customer, into_customer, merged_by = session_user AS by_me FROM shop.merged_customer ORDER BY 1;
SELECT customer_tier.merge_customers('shop', 10, 7);

-- As if the source had them so; who stays keeps the tier by the usual rules.
CREATE TABLE replaced AS SELECT coalesce(m.into_customer, o.customer_id) AS customer_id, day, amount FROM orders o LEFT JOIN shop.merged_customer m ON m.from_customer = o.customer_id;
CREATE TABLE stayed AS SELECT id FROM customers WHERE id NOT IN (SELECT from_customer FROM shop.merged_customer);
SELECT customer_tier.create_program('oracle', 'replaced', 'customer_id', 'day', 'amount', customers => 'stayed', customers_key => 'id', time_zone => 'UTC');
CALL customer_tier.refresh('shop', '2024-05-31');
CALL customer_tier.refresh('oracle', '2024-05-31');
CREATE FUNCTION differing() RETURNS TABLE (customer_id int, orders bigint, revenue numeric, score numeric, segment text) LANGUAGE sql AS $$
    (SELECT customer_id, orders, revenue, score, segment FROM shop.ratings EXCEPT ALL SELECT customer_id, orders, revenue, score, segment FROM oracle.ratings)
    UNION ALL (SELECT customer_id, orders, revenue, score, segment FROM oracle.ratings EXCEPT ALL SELECT customer_id, orders, revenue, score, segment FROM shop.ratings) $$;
SELECT * FROM differing();
SELECT rows_read = (SELECT count(*) FROM orders) AS all_read, rows_bad FROM shop.run WHERE is_current;
SELECT "check", rows, examples FROM customer_tier.audit('shop') WHERE "check" ~ 'merged|master';
-- Who was merged: gone from the ratings, the history closed and readable.
SELECT count(*) FROM shop.ratings WHERE customer_id IN (SELECT from_customer FROM shop.merged_customer);
SELECT customer_id, valid_from, valid_to IS NOT NULL AS closed FROM shop.tier_history WHERE customer_id IN (7, 9, 41) ORDER BY 1, 2;
SELECT customer_tier.tier_on('shop', 7, '2024-05-01') = (SELECT tier FROM before WHERE customer_id = 7) AS then, customer_tier.tier_on('shop', 7, '2024-06-01') AS now;
SELECT * FROM customer_tier.verify('shop');
SELECT count(*) FROM customer_tier.explain_rating('shop', 7);
SELECT tier FROM customer_tier.rate_customer('shop', 7, '2024-05-31');
SELECT orders = (SELECT orders FROM shop.ratings WHERE customer_id = 10) AS same FROM shop.rate_one(10, '2024-05-31');
SELECT customer_tier.set_override('shop', 7, 'gold', 'too late');
SELECT customer_tier.merge_customers('shop', 7, 11);
-- One customer is read by the index, whoever he is made of.
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query; END $$;
SET enable_seqscan = off;
SELECT bool_or(plan ~ 'Index Cond: \(customer_id = ANY \(') AS by_index FROM explained(customer_tier.source_query(customer_tier.program_settings('shop'), '10')) plan;
RESET enable_seqscan;
SELECT format('SELECT array_agg(key ORDER BY key) FROM (%s) AS made_of', customer_tier.source_keys(customer_tier.program_settings('shop'), '10')) AS q \gset
:q;
SELECT format('SELECT array_agg(customer_id ORDER BY customer_id) FROM (%s) AS who', customer_tier.source_customers(customer_tier.program_settings('shop'), 'VALUES (5), (6), (7), (NULL)')) AS q \gset
:q;

-- Taken back: one of his own again; who was merged into him stays where he went.
SELECT customer_tier.unmerge_customers('shop', 8), customer_tier.unmerge_customers('shop', '41');
SELECT customer_tier.source_fingerprint('shop', customer_tier.program_settings('shop')) AS before_it \gset
CALL customer_tier.refresh('shop', '2024-06-01');
SELECT customer_id, orders FROM shop.ratings WHERE customer_id IN (7, 8, 41) ORDER BY 1;
SELECT * FROM customer_tier.verify('shop');
-- Chains written by hand are found.
INSERT INTO shop.merged_customer VALUES (10, 11);
SELECT problem FROM customer_tier.check_program('shop') LIMIT 1;
DELETE FROM shop.merged_customer;
SELECT customer_tier.source_fingerprint('shop', customer_tier.program_settings('shop')) IS NULL AS none_left, :'before_it' <> '' AS there_was;
CALL customer_tier.refresh('shop', '2024-06-02');
SELECT to_regclass('shop.source_rows') AS none, count(*) FROM shop.ratings;

-- After an identity map, in one currency, with a key of text that has several
-- spellings.
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE sales AS SELECT 'x' || customer_id AS external, day, amount, CASE WHEN line % 3 = 0 THEN 'USD' ELSE 'EUR' END AS currency FROM orders;
CREATE TABLE map AS SELECT 'x' || n AS external_id, ('C' || n / 2)::citext AS customer_id FROM generate_series(1, 30) n;
CREATE TABLE rates AS SELECT * FROM (VALUES ('EUR', date '1900-01-01', 1.0), ('USD', date '1900-01-01', 0.5)) v (currency, day, rate);
SELECT customer_tier.create_program('all', 'sales', 'external', 'day', 'amount', identities => 'map', currency => 'currency', rates => 'rates', max_bad_share => 1, time_zone => 'UTC');
CALL customer_tier.refresh('all', '2024-05-31');
SELECT customer_tier.merge_customers('all', 'c3', 'c4');
CALL customer_tier.refresh('all', '2024-05-31');
SELECT customer_id::text, orders, revenue FROM "all".ratings
EXCEPT ALL SELECT CASE WHEN m.customer_id = 'c3' THEN 'C4' ELSE m.customer_id END::text, count(*), sum(amount * CASE currency WHEN 'USD' THEN 0.5 ELSE 1 END) FROM sales JOIN map m ON m.external_id = sales.external GROUP BY 1;
SELECT count(*) FROM "all".ratings;
SELECT orders, revenue FROM "all".rate_one('c4', '2024-05-31') EXCEPT SELECT orders, revenue FROM "all".ratings WHERE customer_id = 'c4';
SELECT format('SELECT array_agg(key ORDER BY key) FROM (%s) AS made_of', customer_tier.source_keys(customer_tier.program_settings('all'), 'CAST(''c4'' AS citext)')) AS q \gset
:q;

-- A key of type char(n) keeps its length where one customer is read again.
CREATE TABLE coded AS SELECT CAST('c' || customer_id AS char(12)) AS c, day, amount FROM orders;
CREATE INDEX ON coded (c);
CREATE TABLE code AS SELECT DISTINCT c AS external_id, CAST(substr(c, 2) AS bigint) AS customer_id FROM coded;
CREATE UNIQUE INDEX ON code (external_id);
CREATE INDEX ON code (customer_id);
SELECT customer_tier.create_program('chars', 'coded', 'c', 'day', 'amount', tracking => 'triggers', purchase_model => 'none');
SELECT customer_tier.create_program('codes', 'coded', 'c', 'day', 'amount', tracking => 'triggers', purchase_model => 'none', identities => 'code');
CALL customer_tier.refresh('chars', '2024-05-31');
CALL customer_tier.refresh('codes', '2024-05-31');
SELECT customer_tier.merge_customers('chars', 'c10', 'c11');
SELECT customer_tier.merge_customers('codes', 10, 11);
CALL customer_tier.refresh('chars', '2024-05-31');
CALL customer_tier.refresh('codes', '2024-05-31');
INSERT INTO coded VALUES ('c3', '2024-05-01', 5), ('c11', '2024-05-02', 6), ('c10', '2024-05-03', 7);
CALL customer_tier.refresh('chars', '2024-05-31');
CALL customer_tier.refresh('codes', '2024-05-31');
SELECT 'chars' AS program, build, histories_changed FROM chars.run WHERE is_current UNION ALL SELECT 'codes', build, histories_changed FROM codes.run WHERE is_current;
SELECT p, v.* FROM unnest('{chars,codes}'::text[]) AS p, customer_tier.verify(p) AS v;

SELECT count(customer_tier.drop_program(name)) FROM customer_tier.program;
DROP TABLE orders, customers, before, replaced, stayed, sales, map, rates, coded, code;
DROP FUNCTION differing, explained;
DROP EXTENSION citext;
