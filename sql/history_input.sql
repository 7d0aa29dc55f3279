-- What purchases() takes, how it resolves, and what it refuses.
SET search_path = customer_tier, public;
SET DateStyle = 'ISO, MDY';
SET TimeZone = 'America/New_York';	-- must not matter

-- literals and NULL
SELECT purchases('2024-01-05', 29.33), purchases('2024-01-05', 10), purchases('2024-01-05', '12.50');
SELECT purchases(NULL, NULL), purchases('2024-01-05', NULL), purchases(NULL, 5), purchases(NULL, 5.5);
SELECT purchases(date '2024-01-05', NULL), purchases(NULL::date, 5), purchases(timestamp '2024-01-05 10:00', NULL);

-- every type of amount, exactly
SELECT purchases(d, 32767::smallint) AS int2, purchases(d, 2147483647) AS int4,
       purchases(d, 9223372036854775807) AS int8 FROM (VALUES (date '2024-01-05')) t (d);
SELECT purchases(at, 32767::smallint) AS int2, purchases(at, 2147483647) AS int4,
       purchases(at, 9223372036854775807) AS int8 FROM (VALUES (timestamp '2024-01-05 23:59:59.999999')) t (at);
SELECT purchases(at, 32767::smallint, 'UTC') AS int2, purchases(at, 2147483647, 'UTC') AS int4,
       purchases(at, 9223372036854775807, 'UTC') AS int8 FROM (VALUES (timestamptz '2024-01-05 23:59:59.999999+00')) t (at);
SELECT x, purchases(date '2024-01-05', x)
FROM (VALUES (0.1::float8), (0), (-0.0), (-2.5), (123456789.123), (99999999999.999), (1e15), (1234567890123456), (1e22), (4.9e-324),
             (0.0000005), (0.00000049), (1.0000005), (0.1 + 0.2), (19.99), (1e-6)) t (x)
GROUP BY x ORDER BY x;
SELECT purchases(date '2024-01-05', 0.1::real);
SELECT x, purchases(date '2024-01-05', x)
FROM (VALUES (0.0000005), (0.00000049999), (-0.0000005), (-0.00000049), (0.9999995), (9999.9999995), (99999999.9999995),
             (123456789012.123456), (1000000000000), (-1000000000000.000001), (12345678901234567890123456.1234565), (10000.0001),
             (100000000.00010001), (1e-20), (0.000100005)) t (x)
GROUP BY x ORDER BY x;

-- every amount of 1..6 decimals equals plain rounding, in every shape of numeric
SELECT count(*) FILTER (WHERE revenue(h) IS DISTINCT FROM round(x, 6)) AS wrong, count(*)
FROM (SELECT x, purchases(date '2024-01-05', x) AS h
      FROM (SELECT i, (CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END * (i * 7919 % 1000003)::numeric * 10.0 ^ (i % 21))::numeric
                   / 10.0 ^ (i % 13) AS x
            FROM generate_series(1, 20000) i) a
      GROUP BY i, x) b;
-- and so does every double of up to 15 digits
SELECT count(*) FILTER (WHERE revenue(h) IS DISTINCT FROM round(x::numeric, 6)) AS wrong, count(*)
FROM (SELECT x, purchases(date '2024-01-05', x) AS h
      FROM (SELECT i, ((i * 7919 % 1000003)::float8 * 1237 / 10 ^ (i % 9))::numeric(30, 5)::float8 AS x
            FROM generate_series(1, 20000) i) a
      GROUP BY i, x) b;

-- the day: of a local time, and of a moment in a zone; never the session's
SELECT purchases(at, 1) FROM (VALUES (timestamp '2024-01-05 00:00'), ('2024-01-05 23:59:59.999999'), ('1999-12-31 23:00'), ('0044-03-15 12:00 BC')) t (at);
SELECT zone, purchases(at, 1, zone)
FROM (VALUES (timestamptz '2024-01-05 15:59:59.999999+00'), ('2024-01-05 16:00+00'), ('2024-03-31 00:59:59+00'), ('1999-12-31 23:30+00')) t (at),
     (VALUES ('UTC'), ('Asia/Shanghai'), ('America/New_York')) z (zone)
GROUP BY zone ORDER BY zone;
-- a zone's whole history of offsets, against AT TIME ZONE, in an unfriendly order
SELECT zone, purchases(at, 1, zone) = purchases(at AT TIME ZONE zone, 1) AS same
FROM (SELECT timestamptz '1900-01-01 00:00+00' + (i * 7919 % 60000) * interval '27 hours 13 minutes' AS at
      FROM generate_series(1, 60000) i) t,
     (VALUES ('Europe/Berlin'), ('Asia/Shanghai'), ('America/St_Johns'), ('Pacific/Apia'), ('UTC'), ('EST5EDT')) z (zone)
GROUP BY zone ORDER BY zone;
SELECT purchases(at, 1, 'Asia/Shanghai') FROM (VALUES (timestamptz '4713-01-01 00:00+00 BC'), ('294276-12-31 23:59:59+00')) t (at);
SELECT purchases(day, 1.5) FROM (VALUES ('2024-01-05'::text), ('0044-03-15 BC'), ('12024-02-29'), (NULL)) t (day);

-- zero is an order, a refund is none, the net of a day may be negative
SELECT h, orders(h), purchase_days(h), revenue(h), refunded(h), first_day(h), last_day(h)
FROM (SELECT purchases(d, a) AS h
      FROM (VALUES (date '2024-01-01', -5.0), ('2024-01-02', 0), ('2024-01-03', 10), ('2024-01-03', -25.5), ('2024-01-04', -1)) t (d, a)) s;

-- empty groups
SELECT purchases(d, a), rollup(h) FROM (VALUES (date '2024-01-01', 1.0, '{}'::purchase_history)) t (d, a, h) WHERE false;
SELECT purchases(d, a) FROM (VALUES (date '2024-01-01', NULL::numeric), (NULL, 1)) t (d, a);
SELECT rollup(h) FROM (VALUES (NULL::purchase_history), ('{}')) t (h);

-- refused
\set VERBOSITY sqlstate
SELECT purchases(date '2024-01-05', 'NaN'::numeric);
SELECT purchases(date 'infinity', 1);
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5.5);
\set VERBOSITY default
SELECT purchases(date '2024-01-05', 'NaN'::numeric);
SELECT purchases(date '2024-01-05', 'NaN'::float8);
SELECT purchases(date '2024-01-05', 'Infinity'::float8);
SELECT purchases(date '2024-01-05', '-Infinity'::float8);
SELECT purchases(date '2024-01-05', 1e33);
SELECT purchases(date '2024-01-05', 1e33::float8);
SELECT purchases(date '2024-01-05', -170141183460469231731687303715884.1057275);
SELECT revenue(purchases(date '2024-01-05', -170141183460469231731687303715884.105727));
SELECT purchases(date '2024-01-05', x) FROM (VALUES (170141183460469231731687303715884.105727), (0.000001)) t (x);
SELECT purchases(date '2024-01-05', x) FROM (VALUES (170141183460469231731687303715884), (1)) t (x);
SELECT revenue(purchases(d, 170141183460469231731687303715884)) FROM (VALUES (date '2024-01-05'), ('2024-01-06')) t (d);
SELECT '{"2024-01-05":[900000000000000000,0]}'::purchase_history AS h \gset
SELECT orders(rollup(:'h'::purchase_history)) FROM generate_series(1, 10);
SELECT orders(rollup(:'h'::purchase_history)) FROM generate_series(1, 11);
SELECT rfm(:'h', '2024-12-31');
SELECT * FROM days(:'h');
SELECT purchases(date 'infinity', 1);
SELECT purchases(date '-infinity', 1.5);
SELECT purchases(timestamp 'infinity', 1);
SELECT purchases(timestamptz '-infinity', 1, 'UTC');
SELECT purchases('infinity', 1.5);
SELECT purchases('5.1.2024', 1.5);
SELECT purchases('now', 1);
SELECT purchases('01/02/2024', 1);
SELECT purchases('2024-01-05 23:30-08', 1::smallint);
SELECT purchases('2024-01-05 10:00', 1.5);
SELECT purchases('2024-02-30'::text, 1);
SELECT purchases('2023-02-29'::text, 1);
SELECT purchases('0000-01-01'::text, 1);
SELECT purchases('99999999-01-01'::text, 1);
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5.5);
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5);
SELECT purchases(timestamp '2024-01-05 10:00', 5.5, 'UTC');
SELECT purchases(date '2024-01-05', 5, 'UTC');
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5, 'Mars/Olympus');
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5, '');
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5, repeat('x', 256));
SELECT purchases(timestamptz '2024-01-05 10:00+00', 5, NULL);
SELECT purchases(true, 1);

-- the checked form skips and counts
SELECT (c).* FROM (
  SELECT purchases_checked(d, a) AS c
  FROM (VALUES (date '2024-01-01', 1.5), ('infinity', 1), (NULL, 1), ('2024-01-02', NULL), ('2024-01-02', 'NaN'), ('2024-01-02', 1e40), ('2024-01-02', -1)) t (d, a)) s;
SELECT (c).* FROM (
  SELECT purchases_checked(d, a, 'Asia/Shanghai') AS c
  FROM (VALUES (timestamptz '2024-01-01 20:00+00', 1.5::float8), ('infinity', 1), (NULL, 1), ('2024-01-02', 'Infinity')) t (d, a)) s;
SELECT (c).* FROM (SELECT purchases_checked(NULL::timestamp, NULL::bigint) AS c) s;
SELECT (c).* FROM (SELECT purchases_checked(NULL::timestamp, NULL::bigint) AS c WHERE false) s;
SELECT purchases_checked('2024-01-01', 1), purchases_checked('yesterday', 1), purchases_checked('2024-01-01', 1.5);
SELECT purchases_checked(timestamptz '2024-01-05 10:00+00', 5, 'Mars/Olympus');

-- as of a day, and parts
SELECT h AS all_of_it FROM (VALUES ('{"2024-01-01":[0,-5,5],"2024-01-02":[2,20.5],"2024-01-09":[1,-2,12],"2024-01-10":[0,-1,1]}'::purchase_history)) t (h) \gset
SELECT d, orders(h, d), purchase_days(h, d), revenue(h, d), refunded(h, d), first_day(h, d), last_day(h, d), through(h, d)
FROM (VALUES (:'all_of_it'::purchase_history)) t (h),
     (VALUES (date '-infinity'), ('2023-12-31'), ('2024-01-01'), ('2024-01-02'), ('2024-01-08'), ('2024-01-09'), ('infinity')) v (d)
ORDER BY d;
SELECT within(h, '2024-01-02', '2024-01-09'), within(h, '2024-01-03', '2024-01-08'), within(h, '2024-01-09', '2024-01-02')
FROM (VALUES (:'all_of_it'::purchase_history)) t (h);
SELECT d, r.*, b.* FROM (VALUES (:'all_of_it'::purchase_history)) t (h),
  (VALUES (date '2024-01-01'), ('2024-01-02'), ('2024-01-16')) v (d), rfm(h, d) r, btyd(h, d) b ORDER BY d;
SELECT btyd(:'all_of_it', '2024-01-16', days_per_unit => 1);
SELECT * FROM features(:'all_of_it', '2024-01-16', 8);
SELECT * FROM features(:'all_of_it', '2024-01-16');
SELECT * FROM features('{}', '2024-01-16', 8);
SELECT features(NULL, '2024-01-16', 8) IS NULL;
SELECT * FROM days(:'all_of_it');
SELECT count(*) FROM days('{}');
SELECT btyd(:'all_of_it', '2024-01-16', 0);
SELECT btyd(:'all_of_it', '2024-01-16', 'NaN');
SELECT btyd(:'all_of_it', '2024-01-16', 'Infinity');
SELECT btyd(:'all_of_it', 'infinity');
SELECT rfm(:'all_of_it', '-infinity');
SELECT features(:'all_of_it', 'infinity');
SELECT features(:'all_of_it', '2024-01-16', 0);
SELECT features(:'all_of_it', '2024-01-16', 2147483647) = features(:'all_of_it', '2024-01-16', NULL) AS same;

-- as a window aggregate, and with one state read by two aggregates
SELECT d, purchases(d, a) OVER (ORDER BY d), orders(purchases(d, a) OVER (ORDER BY d ROWS 1 PRECEDING))
FROM (VALUES (date '2024-01-01', 1.5), ('2024-01-02', 1), ('2024-01-03', 0)) t (d, a);
SELECT purchases(d, a) = purchases(d, a) AS same FROM (VALUES (date '2024-01-01', 1.5), ('2024-01-02', 1)) t (d, a);
