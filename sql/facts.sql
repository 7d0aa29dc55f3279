-- What programs rate by, against the public accessors and plain SQL; doubles of
-- numerics; and points looked up on scales of every size.
SET search_path = customer_tier, public;
SET client_min_messages = warning;
SET extra_float_digits = 3;

-- Histories: refunds, days of refunds only, free orders, 0 to 6 decimals,
-- amounts that no bigint holds, one day, none, no history.
CREATE TABLE sample AS
SELECT c AS id, CASE WHEN c % 50 <> 0 THEN purchases(day, amount) END AS history
  FROM (SELECT c, date '2020-01-01' + (sin(c * 13.7 + i * 7.3) * 700)::int AS day,
               CASE (i * 31 + c) % 11
                    WHEN 0 THEN -1 WHEN 1 THEN 0 WHEN 2 THEN -0.5 ELSE 1 END
               * round((exp(abs(sin(c * 3.1 + i)) * 9))::numeric, c % 7)
               * CASE WHEN c % 13 = 0 THEN 1e14 WHEN c % 17 = 0 THEN 1e22 ELSE 1 END AS amount
          FROM generate_series(1, 600) AS c, LATERAL generate_series(1, 1 + c % 37 * (c % 5)) AS i) AS o
 GROUP BY c;
INSERT INTO sample VALUES (601, '{}'), (602, '{"2020-01-01":[0,-5,5]}'), (603, '{"2020-01-01":[3,0]}'), (604, '{"2020-01-01":[1,92233720368547758.07]}'),
    (605, '{"2020-01-01":[1,92233720368547758.08]}'), (606, '{"2020-01-01":[0,-92233720368547758.08,92233720368547758.08]}'), (607, '{"2020-01-01":[0,-92233720368547758.09,92233720368547758.09]}'),
    (608, '{"1999-12-31":[1,0.000001],"2020-01-01":[5000000000,-3,17]}'), (609, '{"2020-01-01":[1,8],"2020-01-02":[1,-8,8]}');
CREATE TABLE asked AS
SELECT sample.*, d AS as_of, w AS window_days
  FROM sample, unnest('{2018-02-01,2019-12-31,2020-01-01,2020-07-01,2024-12-31}'::date[]) AS d, unnest('{1,30,365,2147483647,NULL}'::int[]) AS w;
SELECT count(*) > 15000 AS many, count(*) FILTER (WHERE revenue(history) > 92233720368547758) > 0 AS large,
       count(*) FILTER (WHERE refunded(history, as_of) > 0 AND orders(history, as_of) = 0) > 0 AS refunds_only FROM asked;

-- Every column of facts(), what it should be, and how often it is not.
WITH given AS (
    SELECT id, as_of, window_days, history, f, a, b,
           within(history, coalesce(as_of - window_days + 1, '-infinity'), as_of) AS in_window,
           revenue(within(history, as_of - coalesce(window_days, 365) + 1, as_of)) AS last,
           revenue(within(history, as_of - coalesce(window_days, 365) * 2 + 1, as_of - coalesce(window_days, 365))) AS before
      FROM (SELECT *, facts(history, as_of, window_days, false) AS f, facts(history, as_of, window_days, true) AS a, btyd(history, as_of) AS b
              FROM asked WHERE window_days IS DISTINCT FROM 2147483647 OFFSET 0) AS s
), compared AS (
    SELECT c.name, float8send(c.got) IS DISTINCT FROM float8send(c.expected) AS differs, c.got IS NULL AS is_null
      FROM given, LATERAL (VALUES
        ('orders', (f).orders::float8, orders(history, as_of)::float8),
        ('frequency', (f).frequency, orders(in_window)::float8),
        ('monetary', (f).monetary, revenue(in_window)::float8),
        ('monetary, average', (a).monetary, CASE WHEN orders(in_window) > 0 THEN revenue(in_window) / orders(in_window) WHEN history IS NOT NULL THEN 0 END::float8),
        ('is_known', (f).is_known::int::float8, (orders(history, as_of) > 0 OR refunded(history, as_of) > 0)::int::float8),
        ('purchase_days', (f).purchase_days::float8, purchase_days(history, as_of)::float8),
        ('first_day', (f).first_day - date '2000-01-01', first_day(history, as_of) - date '2000-01-01'),
        ('last_day', (f).last_day - date '2000-01-01', last_day(history, as_of) - date '2000-01-01'),
        ('recency_days', (f).recency_days, as_of - last_day(history, as_of)),
        ('repeats', (f).repeats, (b).frequency),
        ('last_at', (f).last_at, (b).recency),
        ('age', (f).age, (b).age),
        ('repeat_mean', (f).repeat_mean, (b).monetary),
        ('refund_rate', (f).refund_rate, CASE WHEN revenue(history, as_of) + refunded(history, as_of) <> 0 THEN
            (refunded(history, as_of) * 10::numeric ^ (f).decimals)::float8 / ((revenue(history, as_of) + refunded(history, as_of)) * 10::numeric ^ (f).decimals)::float8 END),
        ('trend', (f).trend, CASE WHEN last > 0 OR before > 0 THEN
            ((greatest(last, 0) * 10::numeric ^ (f).decimals)::float8 - (greatest(before, 0) * 10::numeric ^ (f).decimals)::float8)
            / ((greatest(last, 0) * 10::numeric ^ (f).decimals)::float8 + (greatest(before, 0) * 10::numeric ^ (f).decimals)::float8) END),
        ('refund_rate()', refund_rate(revenue(history, as_of), refunded(history, as_of)), CASE WHEN history IS NOT NULL THEN (f).refund_rate END),
        ('growth()', growth(history, as_of, coalesce(window_days, 365)), (f).trend),
        ('regularity()', regularity(history, as_of), CASE WHEN (b).frequency >= 2 THEN exp((b).litt / (b).frequency) / ((b).recency / (b).frequency) END)
      ) AS c (name, got, expected)
)
SELECT name, count(*) FILTER (WHERE differs) AS different, bool_or(is_null) AND bool_or(NOT is_null) AS null_and_not FROM compared GROUP BY name ORDER BY name;

-- Amounts to the digit, and as numerics.
SELECT count(*) FILTER (WHERE facts_revenue(f)::text <> revenue(history, as_of)::text OR facts_revenue(f) IS NULL <> (revenue(history, as_of) * 10::numeric ^ (f).decimals NOT BETWEEN -9223372036854775808 AND 9223372036854775807)) AS revenue,
       count(*) FILTER (WHERE facts_refunded(f)::text <> refunded(history, as_of)::text OR facts_refunded(f) IS NULL <> (refunded(history, as_of) * 10::numeric ^ (f).decimals > 9223372036854775807)) AS refunded,
       count(*) FILTER (WHERE facts_average_order(f)::text <> (revenue(history, as_of) / nullif(orders(history, as_of), 0))::text
                                 OR facts_average_order(f) IS NULL <> ((f).revenue IS NULL OR (f).orders = 0)) AS average_order,
       count(*) FILTER (WHERE (f).revenue IS NULL) > 0 AS some_too_large
  FROM (SELECT *, facts(history, as_of, NULL, false) AS f FROM asked WHERE history IS NOT NULL OFFSET 0) AS s;
SELECT count(*) AS different
  FROM (SELECT *, facts(history, as_of, window_days, false) AS f, features(history, as_of, window_days) AS g FROM asked OFFSET 0) AS s
 WHERE ((f).first_day, (f).last_day, (f).recency_days, (f).purchase_days, (f).orders, (f).frequency, (f).refund_rate, (f).monetary)
       IS DISTINCT FROM ((g).first_day, (g).last_day, (g).recency_days, (g).purchase_days, (g).orders, (g).window_orders::float8, (g).refund_rate, (g).window_revenue::float8)
    OR (g).revenue::text IS DISTINCT FROM revenue(history, as_of)::text OR (g).refunded::text IS DISTINCT FROM refunded(history, as_of)::text
    OR (g).average_order::text IS DISTINCT FROM (CASE WHEN orders(history, as_of) > 0 THEN revenue(history, as_of) / orders(history, as_of) END)::text
    OR (g).window_revenue IS DISTINCT FROM revenue(within(history, CASE WHEN window_days < 1000 THEN as_of - window_days + 1 ELSE '-infinity' END, as_of));
SELECT facts(NULL, '2024-01-01', 1, false) IS NULL AS a, facts('{}', NULL, 1, false) IS NULL AS b, facts('{}', '2024-01-01', 1, NULL) IS NULL AS c;
SELECT * FROM facts('{}', '2024-01-01', NULL, true);
SELECT facts('{}', 'infinity', 1, false);
SELECT facts('{}', '2024-01-01', 0, false);
SELECT regularity('{}', '-infinity');
SELECT facts_revenue(ROW(1, 1, 1, true, 7, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5, 6, NULL, NULL)::facts);
SELECT facts_average_order(ROW(1, 1, 1, true, -1, 1, '2024-01-01', '2024-01-01', 0, 0, 0, 0, 0, 5, 6, 0, 0)::facts);
SELECT facts_revenue(r) AS revenue, facts_refunded(r) AS refunded, facts_average_order(r) AS average
  FROM unnest(ARRAY[ROW(3, 1, 1, true, 2, 1, '2024-01-01', '2024-01-01', 0, 0, 0, 0, 0, 100, 5, 0, 0), ROW(0, 1, 1, true, 2, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100, 5, 0, 0),
                    ROW(3, 1, 1, true, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100, 5, 0, 0), NULL, ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)]::facts[]) WITH ORDINALITY AS made (orders, frequency, monetary, is_known, decimals, purchase_days, first_day, last_day, recency_days, repeats, last_at, age, repeat_mean, units, refunds, refund_rate, trend, n),
       LATERAL (SELECT ROW(orders, frequency, monetary, is_known, decimals, purchase_days, first_day, last_day, recency_days, repeats, last_at, age, repeat_mean, units, refunds, refund_rate, trend)::facts) AS whole (r)
 ORDER BY n;

-- What an order came to: the digits of numeric division, for amounts and counts of every length.
WITH divided AS (
    SELECT (sign(sin(i * 1.1))::numeric * (abs(sin(i * 1.7)) * 9e12)::bigint / 10::numeric ^ (i % 14))::numeric(40,6) AS amount, (1 + abs(sin(i * 2.3)) * 10 ^ (i % 9))::bigint AS n
      FROM generate_series(1, 20000) AS i
    UNION ALL SELECT a, n FROM unnest('{0.01,0.0001,0.000001,1,9999,9999.99,10000,10000.5,99999999,100000000,922.33,922.34,9223372036854.775807,0.5,-1,-0.07}'::numeric[]) AS a,
                               unnest('{1,2,3,7,9999,10000,10001,99999999,100000000,9223372036854775807}'::bigint[]) AS n
), averaged AS (
    SELECT amount, n, scale, facts_average_order(ROW(n, 0, 0, true, scale, 0, '2024-01-01', '2024-01-01', 0, 0, 0, 0, 0, (trunc(amount, scale) * 10::numeric ^ scale)::bigint, 0, 0, 0)::facts) AS average
      FROM divided, unnest('{0,1,2,4,6}'::int[]) AS scale
)
SELECT count(*) > 90000 AS many, count(*) FILTER (WHERE average::text IS DISTINCT FROM (trunc(amount, scale) / n)::text) AS different FROM averaged;

-- One row type, with and without NULL, read from a table.
CREATE TABLE kept AS SELECT id, facts(history, '2020-07-01', 30, false) AS f FROM sample;
SELECT count(*) FILTER (WHERE kept.f IS DISTINCT FROM facts(sample.history, '2020-07-01', 30, false)) AS different, count(*) FILTER (WHERE (kept.f).trend IS NULL) > 0 AS some_null
  FROM kept JOIN sample USING (id);

-- Doubles of numerics: the same bits as a cast, digits short and many, halves and their neighbours.
CREATE TABLE number (n numeric);
INSERT INTO number
    SELECT v FROM unnest('{0,-0,1,-1,0.1,-0.3,9999,10000,100000000,1e15,123456789012345678,9007199254740993,9007199254740992.5,9007199254740993.0000000000000000000001,
                           18014398509481986,0.000001,1e-20,1e-300,1e300,1e37,1e36,-99999999999999999999.9999999999999999,NaN,0.30000000000000004,1.00000000000000011102230246251565}'::numeric[]) AS v
    UNION ALL SELECT (sin(i) * 1e9)::numeric / (1 + i % 97) FROM generate_series(1, 5000) AS i
    UNION ALL SELECT sign(sin(i))::numeric * (abs(sin(i * 1.7)) * 1e15)::bigint * 10::numeric ^ (i % 40 - 20) + (i % 3) FROM generate_series(1, 5000) AS i
    UNION ALL SELECT ((i::numeric * 562949953421311 + 4503599627370496) * 2 + 1) * 2::numeric ^ (i % 20 - 10) FROM generate_series(1, 8) AS i, generate_series(1, 200) AS j;
SELECT count(*) > 10000 AS many, count(*) FILTER (WHERE float8send(nearest_double(n)) <> float8send(n::float8)) AS different FROM number;
CREATE TABLE packed AS SELECT n, (-n)::numeric AS m FROM number;
SELECT count(*) AS different FROM packed WHERE float8send(nearest_double(n)) <> float8send(n::float8) OR float8send(nearest_double(m)) <> float8send(m::float8);
SELECT nearest_double('1e400') > 0;

-- Points on scales of 1 to 70,000 values, at the values, between, below and above all.
WITH scale AS (
    SELECT knots, percentile_scale(exp(i / 5000.0) * 3 - 7) AS scale
      FROM unnest('{1,2,15,16,17,31,32,255,256,257,271,272,4095,4096,4097,65536,70000}'::int[]) AS knots, LATERAL generate_series(1, knots) AS i
     GROUP BY knots
), made AS MATERIALIZED (
    SELECT s.*, card_scales(ARRAY[ROW('percentile', s.scale, true, 'low', 'worst'), ROW('percentile', s.scale, false, 'high', 'worst'), ROW('percentile', s.scale, true, 'mid', 'worst')]::card_scale[]) AS card
      FROM scale AS s
), asked AS (
    SELECT made.*, v FROM made, LATERAL (SELECT unnest(ARRAY[x, x + 1e-9, x - 1e-9]) FROM (SELECT exp(i / 5000.0) * 3 - 7 FROM generate_series(0, knots + 1, 1 + knots / 300) AS i UNION ALL SELECT unnest('{-1e300,1e300,0}'::float8[])) AS x (x)) AS p (v)
)
SELECT knots, count(*) > 5 AS asked,
       count(*) FILTER (WHERE card_points(ARRAY[v, v, v], card) IS DISTINCT FROM
                              ARRAY[dimension_points(v, 'percentile', scale, true, 'low'), dimension_points(v, 'percentile', scale, false, 'high'), dimension_points(v, 'percentile', scale, true, 'mid')]) AS different
  FROM asked GROUP BY knots ORDER BY knots;

DROP TABLE sample, asked, kept, number, packed;
