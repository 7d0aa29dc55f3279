-- partial_state: what is aggregated in parts, by whoever combines aggregates by
-- the types of their states, is what is aggregated in one go.
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE SCHEMA part;
SET search_path = part, customer_tier;
SET max_parallel_workers_per_gather = 0;

-- Whose state is no such value: histories are made a customer each, where a
-- memory context of one's own would be dear; the others are no partial aggregates.
SELECT string_agg(DISTINCT p.proname::text, ', ' ORDER BY p.proname::text) AS internal
  FROM pg_aggregate AS a JOIN pg_proc AS p ON p.oid = a.aggfnoid
 WHERE p.pronamespace = 'customer_tier'::regnamespace AND a.aggtranstype = 'internal'::regtype;

-- A typed state needs no serialization function, may be missing, and is combined.
SELECT a.aggfnoid::regprocedure
  FROM pg_aggregate AS a JOIN pg_proc AS t ON t.oid = a.aggtransfn LEFT JOIN pg_proc AS c ON c.oid = a.aggcombinefn
 WHERE a.aggtranstype = 'partial_state'::regtype
   AND (a.aggserialfn <> 0 OR a.aggdeserialfn <> 0 OR a.agginitval IS NOT NULL OR t.proisstrict OR c.proisstrict IS NOT FALSE);

-- Customers of two shards, and of a third that has none.  Values with ties and
-- without, some missing, and judgements, cohorts and outcomes.
CREATE TABLE customer AS
SELECT n, n % 3 % 2 AS shard, CASE WHEN n % 31 > 0 THEN (n * 7919 % 361)::float8 END AS recency,
       (n * bigint '15485863' % 1000003) / 97.0::float8 AS monetary,
       n % 5 * (n % 3)::float8 AS x, CASE WHEN n % 5 * (n % 3) > 0 THEN 1 + n * 31 % 40 ELSE 0 END::float8 AS t_x, (41 + n * 17 % 50)::float8 AS age,
       ln(1 + n % 5) AS litt, (1 + n % 4) / 2.0::float8 AS weight, n * 7 % 11 < 3 + n % 5 AS bad
  FROM generate_series(1, 2000) AS n;
CREATE TABLE cohort AS
SELECT n % 10 AS n, n % 3 % 2 AS shard, n AS period, (1000 * 0.8 ^ n)::bigint AS survivors, (900 * 0.8 ^ n)::bigint AS renewed, (99 * 0.8 ^ n)::bigint AS lost
  FROM generate_series(1, 8) AS n UNION ALL VALUES (0, 0, 0, 1000, 0, 0);

-- How each aggregate is called.
CREATE TABLE call (aggregate regprocedure PRIMARY KEY, arguments text, source text DEFAULT 'customer');
INSERT INTO call VALUES
    ('cut_values(float8)', 'monetary'), ('quantile_cuts(float8, int)', 'recency, 5'), ('balanced_cuts(float8, int)', 'recency, 5'), ('natural_cuts(float8, int)', 'monetary, 4'),
    ('mean_cut(float8)', 'monetary'), ('percentile_scale(float8)', 'monetary'), ('scale_stats(float8)', 'recency'),
    ('gini_concentration(float8)', 'monetary'), ('value_range(float8, float8, float8)', 'monetary, 0.01, 0.99'), ('mean_deviation(float8)', 'monetary'),
    ('dimension_distributions(float8[])', 'ARRAY[recency, monetary, x]'), ('bin_counts(float8, float8[])', 'recency, ''{50,100,200}'''),
    ('entropy_weights(float8[])', 'ARRAY[monetary, age, x]'), ('critic_weights(float8[])', 'ARRAY[monetary, age, x]'),
    ('critic_weights(float8[], boolean[])', 'ARRAY[monetary, age, x], ''{t,f,t}'''),
    ('topsis_scale(float8[], boolean[])', 'ARRAY[monetary, recency, x], ''{t,f,t}'''),
    ('topsis_scale(float8[], boolean[], text)', 'ARRAY[monetary, recency, x], ''{t,f,t}'', ''min_max'''),
    ('ahp_group(float8[])', 'ARRAY[[1, 1 + n % 5, 3], [1.0 / (1 + n % 5), 1, 2], [1 / 3.0, 0.5, 1]]'),
    ('woe_bins(float8, boolean, int)', 'recency, bad, 6'), ('auc(float8, boolean)', 'recency, bad'), ('ks(float8, boolean)', 'recency, bad'), ('gini(float8, boolean)', 'recency, bad'),
    ('logit_fit(boolean, float8[])', 'bad, ARRAY[recency, age]'), ('logit_fit(boolean, float8[], float8)', 'bad, ARRAY[recency, age], weight'),
    ('logit_fit(boolean, float8[], float8, float8)', 'bad, ARRAY[recency, age], weight, 1'),
    ('clv_fit(text, float8, float8, float8)', '''mbg/nbd'', x, t_x, age'), ('clv_fit(text, float8, float8, float8, float8)', '''bg/nbd'', x, t_x, age, weight'),
    ('clv_fit(text, float8, float8, float8, float8, float8)', '''mbg/cnbd-2'', x, t_x, age, weight, litt'),
    ('clv_fit(text, float8, float8, float8, float8, float8, float8)', '''nbd'', x, t_x, age, weight, litt, 1'),
    ('clv_fit_pooled(clv_model, float8, float8, float8)', 'clv_model(''mbg/nbd'', ''{0.5,5,0.6,2.5}''), x, t_x, age'),
    ('clv_fit_pooled(clv_model, float8, float8, float8, float8)', 'clv_model(''bg/nbd'', ''{0.5,5,0.6,2.5}''), x, t_x, age, weight'),
    ('clv_fit_pooled(clv_model, float8, float8, float8, float8, float8)', 'clv_model(''bg/nbd'', ''{0.5,5,0.6,2.5}''), x, t_x, age, weight, 0.3'),
    ('spend_fit(float8, float8)', 'x, monetary'), ('spend_fit(float8, float8, float8)', 'x, monetary, weight'), ('spend_fit(float8, float8, float8, float8)', 'x, monetary, weight, 1');
INSERT INTO call VALUES ('retention_fit(int, bigint)', 'period, survivors', 'cohort'), ('retention_fit(int, bigint, bigint)', 'period + 1, renewed, lost', 'cohort');
SELECT aggfnoid::regprocedure AS not_called FROM pg_aggregate WHERE aggtranstype = 'partial_state'::regtype AND aggfnoid NOT IN (SELECT aggregate FROM call);

-- A coordinator's aggregates: one that gives the state, one that combines states
-- and finishes.
CREATE VIEW aggregate AS
SELECT c.*, row_number() OVER (ORDER BY c.aggregate::text COLLATE "C") AS at, a.aggtransfn::regproc AS transition, a.aggcombinefn::regproc AS combine, a.aggfinalfn::regproc AS final,
       pg_get_function_identity_arguments(c.aggregate) AS parameters, pg_get_function_result(c.aggregate) AS result, p.proname::text AS name
  FROM call AS c JOIN pg_aggregate AS a ON a.aggfnoid = c.aggregate JOIN pg_proc AS p ON p.oid = c.aggregate;
DO $$
DECLARE
    a aggregate;
BEGIN
    FOR a IN TABLE aggregate LOOP
        EXECUTE format('CREATE AGGREGATE part.partial_%s(%s) (SFUNC = %s, STYPE = partial_state)', a.at, a.parameters, a.transition);
        EXECUTE format('CREATE AGGREGATE part.combine_%s(partial_state) (SFUNC = %s, STYPE = partial_state, FINALFUNC = %s)', a.at, a.combine, a.final);
    END LOOP;
END $$;

-- The states of the shards, written as text, read and combined: the same bytes.
CREATE TABLE sent (at bigint, shard int, state text);
CREATE TABLE whole (at bigint, bytes bytea);
DO $$
DECLARE
    a aggregate;
BEGIN
    FOR a IN TABLE aggregate LOOP
        EXECUTE format('INSERT INTO sent SELECT %s, shard, (SELECT part.partial_%s(%s) FROM %s AS c WHERE c.shard = s.shard) FROM generate_series(0, 2) AS s (shard)', a.at, a.at, a.arguments, a.source);
        EXECUTE format('INSERT INTO whole SELECT %s, record_send(ROW(%s(%s))) FROM %s', a.at, a.name, a.arguments, a.source);
    END LOOP;
END $$;
CREATE FUNCTION combined(at bigint, states partial_state[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    bytes bytea;
BEGIN
    EXECUTE format('SELECT record_send(ROW(part.combine_%s(s))) FROM unnest($1) AS s', at) INTO bytes USING states;
    RETURN bytes;
END $$;
SELECT a.aggregate, count(s.state) AS states,
       combined(a.at, array_agg(s.state::partial_state ORDER BY s.shard)) = w.bytes AS same,
       combined(a.at, array_agg(s.state::partial_state ORDER BY s.shard DESC)) = w.bytes AS same_reversed
  FROM aggregate AS a JOIN whole AS w USING (at) JOIN sent AS s USING (at)
 GROUP BY a.at, a.aggregate, w.bytes ORDER BY a.at;

-- The result is something.
SELECT count(*) AS aggregates, count(*) FILTER (WHERE octet_length(bytes) <= 12) AS without_result FROM whole;

-- States stored, kept packed, and sent in binary.
CREATE TABLE stored (at bigint, state partial_state);
INSERT INTO stored SELECT at, state::partial_state FROM sent WHERE shard < 2;
\copy stored TO 'results/partial_state.data' (FORMAT binary)
CREATE TABLE received (LIKE stored);
\copy received FROM 'results/partial_state.data' (FORMAT binary)
SELECT count(*) AS states, bool_and(combined(at, states) = bytes) AS same FROM (SELECT at, array_agg(state) AS states FROM received GROUP BY at) AS r JOIN whole USING (at);

-- Values that many customers share travel once, with their count.
SELECT a.aggregate, s.shard, octet_length(partial_state_send(state::partial_state)) < 16 * 361 + 64 AS small FROM sent AS s JOIN aggregate AS a USING (at)
 WHERE a.name IN ('quantile_cuts', 'scale_stats') AND state IS NOT NULL ORDER BY 1, 2;

-- A state is what the aggregate has seen so far; it is built on from there.
CREATE AGGREGATE cuts_so_far(float8, int) (SFUNC = cuts_accum, STYPE = partial_state);
CREATE AGGREGATE cuts_of_states(partial_state) (SFUNC = cuts_combine, STYPE = partial_state, FINALFUNC = quantile_cuts_final);
SELECT n, cuts_so_far(monetary, 2) OVER (ORDER BY n) AS state FROM customer WHERE n <= 3 ORDER BY n;
SELECT n, quantile_cuts(n, 2) OVER (ORDER BY n) AS so_far, quantile_cuts(n, 2) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two,
       (percentile_scale(n) OVER (ORDER BY n ROWS 2 PRECEDING))[1:3] AS scale, (scale_stats(n) OVER (ORDER BY n ROWS 2 PRECEDING)).mean
  FROM customer WHERE n <= 6 ORDER BY n;
SELECT cuts_of_states(state) = (SELECT quantile_cuts(monetary, 4) FROM customer) AS same
  FROM (SELECT cuts_so_far(monetary, 4) AS state FROM customer GROUP BY shard) AS s;
SELECT cuts_of_states(NULL) IS NULL AS none, cuts_so_far(NULL, 2) IS NULL AS none_yet FROM customer WHERE false;

-- Many groups, by hash and by sort; aggregates that share a state.
SELECT count(*), sum(cuts[1]::numeric(12, 4)), sum(gini), count(*) FILTER (WHERE scale[1] <= cuts[1]) AS below
  FROM (SELECT quantile_cuts(monetary, 2) AS cuts, percentile_scale(monetary) AS scale, gini_concentration(monetary)::numeric(6, 4) AS gini FROM customer GROUP BY n % 500) AS g;
SET enable_hashagg = off;
SELECT count(*), sum(cuts[1]::numeric(12, 4)), sum(gini), count(*) FILTER (WHERE scale[1] <= cuts[1]) AS below
  FROM (SELECT quantile_cuts(monetary, 2) AS cuts, percentile_scale(monetary) AS scale, gini_concentration(monetary)::numeric(6, 4) AS gini FROM customer GROUP BY n % 500) AS g;
RESET enable_hashagg;

-- PostgreSQL's own parts: parallel workers, and partitions.
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;
ALTER TABLE customer SET (parallel_workers = 3);
EXPLAIN (COSTS OFF) SELECT quantile_cuts(monetary, 5) FROM customer;
CREATE FUNCTION gone(relation text) RETURNS TABLE (aggregates bigint, same boolean) LANGUAGE plpgsql AS $$
DECLARE
    a aggregate;
    got bytea;
BEGIN
    aggregates := 0;
    same := true;
    FOR a IN SELECT * FROM aggregate WHERE source = 'customer' LOOP
        EXECUTE format('SELECT record_send(ROW(%s(%s))) FROM %s', a.name, a.arguments, relation) INTO got;
        aggregates := aggregates + 1;
        same := same AND got = (SELECT bytes FROM whole WHERE at = a.at);
    END LOOP;
    RETURN NEXT;
END $$;
SELECT * FROM gone('customer');
SET max_parallel_workers_per_gather = 0;
SET enable_partitionwise_aggregate = on;
CREATE TABLE cut_up (LIKE customer) PARTITION BY LIST (shard);
CREATE TABLE cut_up_0 PARTITION OF cut_up FOR VALUES IN (0);
CREATE TABLE cut_up_1 PARTITION OF cut_up DEFAULT;
INSERT INTO cut_up TABLE customer;
ANALYZE cut_up;
EXPLAIN (COSTS OFF) SELECT mean_cut(monetary) FROM cut_up;
SELECT * FROM gone('cut_up');
RESET enable_partitionwise_aggregate;

-- What is no state, and a state of another aggregate.
SELECT ''::partial_state;
SELECT 'A'::partial_state;
SELECT 'AQ=='::partial_state;
SELECT 'AgEA'::partial_state;
SELECT 'AQAA'::partial_state;
SELECT 'AQwA'::partial_state;
SELECT 'AQE*'::partial_state;
SELECT 'AQ EA'::partial_state;
SELECT ('AQEA' || repeat('ü', 60))::partial_state;
SELECT cuts_of_states('AQE=');
SELECT cuts_of_states('AQEA');
SELECT cuts_of_states('AQIA');
SELECT cuts_accum(NULL, 1, 5);
SELECT cuts_combine(NULL, 'AQE=');
SELECT quantile_cuts_final('AQE=');
SELECT s.state::partial_state IS NOT NULL AS state, a.name, combined(1, ARRAY[s.state::partial_state]) FROM sent AS s JOIN aggregate AS a USING (at) WHERE a.name = 'mean_cut' AND shard = 0;

-- Every aggregate with a state of every other, to combine, to finish, and to go
-- on with rows from there: what is not done is refused, and nothing crashes.
CREATE FUNCTION try(query text, OUT outcome text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    outcome := 'done';
EXCEPTION WHEN invalid_binary_representation OR invalid_text_representation OR protocol_violation THEN
    outcome := 'malformed';
WHEN datatype_mismatch THEN
    outcome := 'another aggregate';
WHEN invalid_parameter_value OR array_subscript_error OR numeric_value_out_of_range OR no_data_found THEN
    outcome := 'other rows';
WHEN OTHERS THEN
    outcome := SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE tried AS
SELECT a.at, s.at AS of, try(format('SELECT part.combine_%s(%L)', a.at, s.state)) AS finished,
       try(format('SELECT part.combine_%s(c) FROM (VALUES (%L::partial_state), (%L)) AS v (c)', a.at, s.state, t.state)) AS combined
  FROM aggregate AS a JOIN sent AS t ON t.at = a.at AND t.shard = 0, sent AS s WHERE s.shard = 1;
SELECT a.at = t.of AS own, finished, combined, count(*) FROM tried AS t JOIN aggregate AS a USING (at) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
CREATE FUNCTION go_on(a aggregate, state text, OUT outcome text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE AGGREGATE part.go_on(%s) (SFUNC = %s, STYPE = partial_state, INITCOND = %L, FINALFUNC = %s)', a.parameters, a.transition, state, a.final);
    outcome := try(format('SELECT part.go_on(%s) FROM %s WHERE n < 20', a.arguments, a.source));
    EXECUTE format('DROP AGGREGATE part.go_on(%s)', a.parameters);
END $$;
SELECT a.at = s.at AS own, o.outcome, count(*) FROM aggregate AS a, sent AS s, go_on(a, s.state) AS o WHERE s.shard = 1 GROUP BY 1, 2 ORDER BY 1, 2;

-- Going on from a state that was sent gives what going on in memory gives.
CREATE FUNCTION goes_on(a aggregate) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one bytea;
BEGIN
    EXECUTE format('CREATE AGGREGATE part.go_on(%s) (SFUNC = %s, STYPE = partial_state, INITCOND = %L, FINALFUNC = %s)', a.parameters, a.transition, (SELECT s.state FROM sent AS s WHERE s.at = a.at AND s.shard = 1), a.final);
    EXECUTE format('SELECT record_send(ROW(part.go_on(%s))) FROM %s WHERE shard = 0', a.arguments, a.source) INTO one;
    EXECUTE format('DROP AGGREGATE part.go_on(%s)', a.parameters);
    RETURN one = (SELECT bytes FROM whole WHERE at = a.at);
END $$;
SELECT count(*), bool_and(goes_on(a)) AS same FROM aggregate AS a;

-- States that were damaged on the way: cut off, made longer, and each of their
-- first bytes, and every so many of the others, changed.
CREATE FUNCTION read_bytes(bytes bytea) RETURNS text LANGUAGE sql AS $$ SELECT translate(encode(bytes, 'base64'), E'\n', '') $$;
CREATE TABLE damaged AS
WITH state AS MATERIALIZED (SELECT at, partial_state_send(state::partial_state) AS b, octet_length(partial_state_send(state::partial_state)) AS length FROM sent WHERE shard = 0)
SELECT s.at, substr(b, 1, l) AS bytes FROM state AS s, unnest(ARRAY[2, 3, 7, 15, length - 8, length - 1]) AS l
UNION ALL SELECT s.at, b || '\x00' FROM state AS s
UNION ALL SELECT s.at, set_byte(b, i, (get_byte(b, i) + change) % 256) FROM state AS s, unnest('{1,128,255}'::int[]) AS change, generate_series(0, 23) AS i
UNION ALL SELECT s.at, set_byte(b, i, (get_byte(b, i) + change) % 256) FROM state AS s, unnest('{1,128,255}'::int[]) AS change, generate_series(5, length - 1, length / 16 + 1) AS i;
SELECT o.outcome, count(*) > 0 AS some
  FROM damaged AS d, try(format('SELECT part.combine_%s(c) FROM unnest(ARRAY[%L, %L]::partial_state[]) AS c', d.at, read_bytes(d.bytes), (SELECT state FROM sent WHERE at = d.at AND shard = 1))) AS o (outcome)
 GROUP BY 1 ORDER BY 1;

DROP SCHEMA part CASCADE;
