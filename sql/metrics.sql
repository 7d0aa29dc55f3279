-- Metrics of the field that the kernel gives by the way, on worked examples.
SET client_min_messages = warning;

-- Concentration of spend: Gini, Herfindahl-Hirschman, the share of the best fifth.
SELECT round(customer_tier.gini_concentration(x)::numeric, 4) AS gini,
       round(((1 + (md[2] / md[1]) ^ 2) / n)::numeric, 6) AS hhi
  FROM (SELECT customer_tier.mean_deviation(x) AS md, count(*) AS n FROM unnest('{500,300,100,40,20,15,10,8,5,2}'::float8[]) x) m,
       unnest('{500,300,100,40,20,15,10,8,5,2}'::float8[]) x
 GROUP BY md, n;
WITH customer AS (SELECT x FROM unnest('{500,300,100,40,20,15,10,8,5,2}'::float8[]) x),
     scale AS (SELECT customer_tier.percentile_scale(x) AS scale, sum(x) AS total FROM customer),
     ranked AS (SELECT x, customer_tier.percentile(x, scale) AS p, sum(x) OVER (ORDER BY x DESC) / total AS so_far FROM customer, scale)
SELECT sum(x) FILTER (WHERE p >= 0.8) / (SELECT total FROM scale) AS share_of_the_best_fifth,
       count(*) FILTER (WHERE so_far <= 0.8) AS customers_for_80_percent
  FROM ranked;

-- NPS: promoters less detractors, with its standard error; CSAT, top two of five.
SELECT 100 * md[1] AS nps, round((md[2] / sqrt(10))::numeric, 5) AS standard_error, round((1.959964 * 100 * md[2] / sqrt(10))::numeric, 1) AS half_width
  FROM (SELECT customer_tier.mean_deviation(CASE WHEN s >= 9 THEN 1 WHEN s <= 6 THEN -1 ELSE 0 END) AS md
          FROM unnest('{10,9,9,8,7,6,5,10,0,9}'::int[]) s) n;
SELECT 100 * (customer_tier.mean_deviation((s >= 4)::int))[1] AS csat, (customer_tier.mean_deviation(s))[1] AS mean
  FROM unnest('{5,4,4,3,2,5,1,4}'::int[]) s;

-- Shares: retention of 200 customers at the start, 210 at the end, 40 of them new; rows of a migration.
SELECT customer_tier.mix_weights(ARRAY[210 - 40, 200 - (210 - 40)], '{1,1}', 'linear', 1) AS kept_and_lost;
SELECT n, ARRAY(SELECT round(w::numeric, 10) FROM unnest(customer_tier.mix_weights(r::float8[], '{1,1,1}', 'linear', 1)) w) AS shares FROM (VALUES (1, '{6,3,1}'), (2, '{2,12,6}'), (3, '{0,2,18}')) m (n, r) ORDER BY n;

-- A margin of 100 a period, retention 0.8, discount 10 %: the contract model where everybody is alike.
SELECT round((100 * customer_tier.expected_lifetime(m, 0.1))::numeric, 4) AS from_the_start,
       round((100 * customer_tier.expected_lifetime(m, 0.1) - 100)::numeric, 4) AS from_the_end,
       round((SELECT 100 * sum(customer_tier.survival(m, t) / 1.1 ^ t) FROM generate_series(0, 2) t)::numeric, 6) AS three_periods
  FROM customer_tier.clv_model('sbg', '{2e8,8e8}') m;
