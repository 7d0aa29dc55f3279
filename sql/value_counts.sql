-- value_counts: what is measured in parts, as a coordinator would combine them,
-- is what is measured of all.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA counted;
SET search_path = counted, customer_tier;
SET max_parallel_workers_per_gather = 0;

-- Text and binary form.
SELECT value_counts(x) FROM unnest('{3,1,NULL,2.5,1,Infinity,-0.0,1e-300,0.1}'::float8[]) AS x;
SELECT value_counts(x) FROM unnest('{}'::float8[]) AS x;
SELECT value_counts(NULL::float8);
SELECT value_counts(x) FROM unnest('{1,NaN}'::float8[]) AS x;
SELECT '{-Infinity*3,-1,0,1.5*12,Infinity}'::value_counts, '{}'::value_counts;
SELECT value_counts_send('{-1.5*3,7}'::value_counts);
SELECT array_agg(m) FROM members('{-Infinity,1*3,2.5}'::value_counts) AS m;
SELECT count(*) FROM members('{}'::value_counts);
SELECT members(NULL);
SELECT '{2,1}'::value_counts;
SELECT '{1,1}'::value_counts;
SELECT '{1*0}'::value_counts;
SELECT '{1*-1}'::value_counts;
SELECT '{1*99999999999999999999}'::value_counts;
SELECT '{1*134217728}'::value_counts;
SELECT '{1*134217727,2}'::value_counts;
SELECT '{NaN}'::value_counts;
SELECT '{1e999}'::value_counts;
SELECT '{1,}'::value_counts;
SELECT '{,1}'::value_counts;
SELECT '{1'::value_counts;
SELECT '{1} '::value_counts;
SELECT '{ 1}'::value_counts;
SELECT '1'::value_counts;
SELECT ''::value_counts;
SELECT '{0,-0.0}'::value_counts;
SELECT value_counts_add(NULL, 1);
SELECT value_counts_join('{1}', '{2}');

-- Values of customers, with ties and without, in 5 shards of different sizes.
CREATE TABLE customer AS
SELECT n, CASE WHEN n % 10 < 4 THEN 0 WHEN n % 10 < 7 THEN 1 ELSE n % 5 END AS shard,
       CASE WHEN n % 31 > 0 THEN (n * 7919 % 361)::float8 END AS recency,
       (1 + n * 104729 % 7 * (n % 3))::float8 AS frequency,
       (n * bigint '15485863' % 1000003) / 97.0::float8 AS monetary
  FROM generate_series(1, 5000) AS n;
CREATE TABLE part AS
SELECT shard, value_counts(recency) AS recency, value_counts(frequency) AS frequency, value_counts(monetary) AS monetary FROM customer GROUP BY shard;
CREATE VIEW joined AS
SELECT value_counts_rollup(recency) AS recency, value_counts_rollup(frequency) AS frequency, value_counts_rollup(monetary) AS monetary FROM part;
SELECT j.recency::text = c.recency AND j.frequency::text = c.frequency AND j.monetary::text = c.monetary AS same
  FROM joined AS j, (SELECT value_counts(recency)::text AS recency, value_counts(frequency)::text AS frequency, value_counts(monetary)::text AS monetary FROM customer) AS c;

-- Everything that is measured of them, by parts and of all: the same bytes.
CREATE FUNCTION measured(query text) RETURNS TABLE (measure text, bytes bytea) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($query$
        SELECT m.* FROM (
            SELECT array_send(quantile_cuts(x, 5)) AS q, array_send(balanced_cuts(x, 5)) AS b, array_send(natural_cuts(x, 4)) AS n, array_send(mean_cut(x)) AS m,
                   array_send(percentile_scale(x)) AS p, array_send(mean_deviation(x)) AS d, array_send(value_range(x, 0.01, 0.99)) AS v, record_send(scale_stats(x)) AS s,
                   float8send(gini_concentration(x)) AS g
              FROM (%s) AS value (x)) AS a,
            LATERAL (VALUES ('quantile_cuts', q), ('balanced_cuts', b), ('natural_cuts', n), ('mean_cut', m), ('percentile_scale', p), ('mean_deviation', d), ('value_range', v), ('scale_stats', s), ('gini', g)) AS m $query$, query);
END $$;
SELECT column_name, count(*) AS measures, count(*) FILTER (WHERE one.bytes = other.bytes AND one.bytes IS NOT NULL) AS same
  FROM unnest('{recency,frequency,monetary}'::text[]) AS column_name,
       LATERAL measured(format('SELECT %I FROM customer', column_name)) AS one
  JOIN LATERAL measured(format('SELECT m FROM joined, members(joined.%I) AS m', column_name)) AS other USING (measure)
 GROUP BY column_name ORDER BY column_name;

-- By hand, as Citus does it: the state of each shard written as text, read on
-- the coordinator and combined there.
CREATE TABLE sent AS SELECT shard, value_counts(monetary)::text AS state FROM customer GROUP BY shard;
SELECT (SELECT percentile_scale(m) FROM (SELECT value_counts_rollup(state::value_counts) AS p FROM sent) AS c, members(c.p) AS m)
       = (SELECT percentile_scale(monetary) FROM customer) AS same;

-- Sent in binary, and kept in a table packed.
SELECT min(pg_column_size(frequency)) < 400 AS small, bool_and(octet_length(value_counts_send(frequency)) < 300) AS small_sent FROM part;
SELECT count(*) = 5000 FROM (SELECT value_counts_rollup(monetary) AS p FROM part) AS c, members(c.p);

-- Groups, windows, parallel workers.
SELECT shard, count(*) = (SELECT count(*) FROM members(value_counts(frequency))) AS all_there FROM customer GROUP BY shard ORDER BY shard;
SELECT n, value_counts(frequency) OVER (ORDER BY n) AS so_far FROM customer WHERE n <= 5 ORDER BY n;
SELECT n, value_counts(frequency) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two FROM customer WHERE n <= 4 ORDER BY n;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;
ALTER TABLE customer SET (parallel_workers = 3);
EXPLAIN (COSTS OFF) SELECT value_counts(monetary) FROM customer;
SELECT value_counts(monetary)::text = (SELECT j.monetary::text FROM joined AS j) AS same FROM customer;
SET enable_partitionwise_aggregate = on;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE cut_up (LIKE customer) PARTITION BY LIST (shard);
CREATE TABLE cut_up_0 PARTITION OF cut_up FOR VALUES IN (0, 1);
CREATE TABLE cut_up_1 PARTITION OF cut_up DEFAULT;
INSERT INTO cut_up TABLE customer;
SELECT value_counts(monetary)::text = (SELECT j.monetary::text FROM joined AS j) AS same FROM cut_up;

DROP SCHEMA counted CASCADE;
