-- The type purchase_history: text and binary form, order and hash, bad input.
SET search_path = customer_tier, public;
SET DateStyle = 'German';	-- must not matter

-- text form: any order of days in, one form out
SELECT '{}'::purchase_history,
       ' { "2024-01-18" : [ 2 , 49.460 , 10 ] , "2024-01-05":[1,29.33] } '::purchase_history,
       '{"0044-03-15 BC":[1,0],"12024-02-29":[3,0.000001]}'::purchase_history;
SELECT '{"2024-01-05":[0,-5,5]}'::purchase_history AS only_a_refund,
       '{"2024-01-05":[1,-5,5.5]}'::purchase_history AS half_an_order_and_a_refund,
       '{"2024-01-05":[999999999999999999,-170141183460469231731687303715884.105727,170141183460469231731687303715884.105727]}'::purchase_history AS large;

-- the scale is what the amounts need, however they were written
SELECT count(DISTINCT h), min(octet_length(history_send(h)))
FROM (VALUES ('{"2024-01-05":[1,29.3]}'::purchase_history), ('{"2024-01-05":[1,29.300000]}')) t (h);
SELECT history_send('{"2024-01-05":[1,29.33],"2024-01-06":[2,5,1]}'), history_send('{}');

-- malformed text
\set VERBOSITY sqlstate
SELECT ''::purchase_history;
\set VERBOSITY default
SELECT '{'::purchase_history;
SELECT '{"2024-01-05":[1,2]'::purchase_history;
SELECT '{"2024-01-05":[1,2]}x'::purchase_history;
SELECT '{"2024-01-05":[1,2],}'::purchase_history;
SELECT '{2024-01-05:[1,2]}'::purchase_history;
SELECT '{"5.1.2024":[1,2]}'::purchase_history;
SELECT '{"2024-02-30":[1,2]}'::purchase_history;
SELECT '{"0000-01-01":[1,2]}'::purchase_history;
SELECT '{"5874898-01-01":[1,2]}'::purchase_history;
SELECT '{"4714-11-23 BC":[1,2]}'::purchase_history;
SELECT '{"2024-01-05" [1,2]}'::purchase_history;
SELECT '{"2024-01-05":1}'::purchase_history;
SELECT '{"2024-01-05":[1]}'::purchase_history;
SELECT '{"2024-01-05":[-1,2]}'::purchase_history;
SELECT '{"2024-01-05":[1.5,2]}'::purchase_history;
SELECT '{"2024-01-05":[9223372036854775808,2]}'::purchase_history;
SELECT '{"2024-01-05":[9223372036854775807,2]}'::purchase_history;	-- the most; a sum may come to it
SELECT '{"2024-01-05":[1,NaN]}'::purchase_history;
SELECT '{"2024-01-05":[1,1e5]}'::purchase_history;
SELECT '{"2024-01-05":[1,.5]}'::purchase_history;
SELECT '{"2024-01-05":[1,5.]}'::purchase_history;
SELECT '{"2024-01-05":[1,0.1234567]}'::purchase_history;
SELECT '{"2024-01-05":[1,170141183460469231731687303715884.105728]}'::purchase_history;
SELECT '{"2024-01-05":[1,170141183460469231731687303715884.105727,1]}'::purchase_history;
SELECT '{"2024-01-05":[1,-2]}'::purchase_history;
SELECT '{"2024-01-05":[1,2,-1]}'::purchase_history;
SELECT '{"2024-01-05":[1,2,0]}'::purchase_history;
SELECT '{"2024-01-05":[0,2]}'::purchase_history;
SELECT '{"2024-01-05":[0,0]}'::purchase_history;
SELECT '{"2024-01-05":[1,2,3,4]}'::purchase_history;
SELECT '{"2024-01-05":[1,2],"2024-01-05":[1,2]}'::purchase_history;

-- binary form: written and read back; bytea's binary form is its bytes, so a
-- file of bytea is how one crafts what a hostile client would send
SELECT current_setting('data_directory') || '/customer_tier_history.bin' AS file \gset
CREATE TEMP TABLE sent (h purchase_history);
CREATE TEMP TABLE received (h purchase_history);
INSERT INTO sent VALUES (NULL), ('{}'), ('{"2024-01-05":[1,29.33],"2024-01-18":[2,49.46,10]}'),
  ('{"0044-03-15 BC":[0,-1,1],"12024-02-29":[3,0.000001]}');
COPY sent TO :'file' (FORMAT binary);
COPY received FROM :'file' (FORMAT binary);
SELECT count(*) FROM sent FULL JOIN received USING (h) WHERE h IS NOT NULL;
(TABLE sent EXCEPT ALL TABLE received) UNION ALL (TABLE received EXCEPT ALL TABLE sent);

-- the bytes below: version and scale, then tag = step * 4 + kind, ...
CREATE PROCEDURE pg_temp.receive(bytes bytea) LANGUAGE plpgsql AS $$
DECLARE
  file text := current_setting('data_directory') || '/customer_tier_history.bin';
  got text;
BEGIN
  EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', bytes, file);
  TRUNCATE received;
  EXECUTE format('COPY received FROM %L (FORMAT binary)', file);
  SELECT h::text INTO got FROM received;
  RAISE NOTICE '% is %', bytes, got;
EXCEPTION WHEN invalid_binary_representation THEN
  RAISE NOTICE '% is refused: %', bytes, SQLERRM;
END $$;
CALL pg_temp.receive('\x10');				-- empty
CALL pg_temp.receive('\x10000a');			-- one order of 10 on day 0
CALL pg_temp.receive('\x10000a000b');		-- and one of 11 the day after
CALL pg_temp.receive('\x');					-- nothing
CALL pg_temp.receive('\x20');				-- another version
CALL pg_temp.receive('\x17');				-- scale 7
CALL pg_temp.receive('\x11');				-- scale 1 without need
CALL pg_temp.receive('\x11000a');
CALL pg_temp.receive('\x1000');				-- no amount
CALL pg_temp.receive('\x10008a');			-- amount cut off
CALL pg_temp.receive('\x10008a00');			-- amount not in its shortest form
CALL pg_temp.receive('\x1001010a');			-- one order, but counted
CALL pg_temp.receive('\x100100');			-- neither order nor refund
CALL pg_temp.receive('\x10020a00');			-- a refund of 0
CALL pg_temp.receive('\x1001ffffffffffffffffff010a');	-- a count beyond 63 bits
CALL pg_temp.receive('\x1600ffffffffffffffffffffffffffffffffffff01');	-- the largest amount
CALL pg_temp.receive('\x1000ffffffffffffffffffffffffffffffffffff01');	-- the same without decimals
CALL pg_temp.receive('\x1000ffffffffffffffffffffffffffffffffffff02');	-- beyond 127 bits
CALL pg_temp.receive('\x10ffffffffffffffff7f0a');	-- a day far away
CALL pg_temp.receive('\x10fcffffff7f0a');	-- a day just out of range

-- every one-bit change and every cut of a history is refused, or is another
-- history that comes back as it was sent
DO $$
DECLARE
  file text := current_setting('data_directory') || '/customer_tier_history.bin';
  good bytea := customer_tier.history_send('{"2024-01-05":[1,29.33],"2024-01-18":[2,49.46,10]}');
  bytes bytea;
  refused int := 0;
  taken int := 0;
BEGIN
  FOR i IN 0 .. length(good) - 1 LOOP
    FOR bit IN 0 .. 8 LOOP
      bytes := CASE WHEN bit < 8 THEN set_byte(good, i, get_byte(good, i) # (1 << bit))
                    ELSE substr(good, 1, i) END;
      BEGIN
        EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', bytes, file);
        TRUNCATE received;
        EXECUTE format('COPY received FROM %L (FORMAT binary)', file);
        IF (SELECT customer_tier.history_send(h) <> bytes OR
                   h::text::customer_tier.purchase_history <> h OR
                   customer_tier.revenue(h) <> (SELECT coalesce(sum(amount), 0) FROM customer_tier.days(h))
            FROM received) THEN
          RAISE EXCEPTION '% came back changed', bytes;
        END IF;
        taken := taken + 1;
      EXCEPTION WHEN invalid_binary_representation THEN
        refused := refused + 1;
      END;
    END LOOP;
  END LOOP;
  RAISE NOTICE 'both happen: %', refused > 0 AND taken > 0;
END $$;
COPY (SELECT 1 WHERE false) TO :'file';

-- order, hash, grouping
SELECT a.h = b.h AS eq, a.h <> b.h AS ne, (a.h < b.h) = (b.h > a.h) AND (a.h <= b.h) = (b.h >= a.h) AS mirrored,
       (a.h < b.h)::int + (a.h = b.h)::int + (a.h > b.h)::int AS one_of_three
FROM (VALUES ('{"2024-01-05":[1,1]}'::purchase_history)) a (h),
     (VALUES ('{"2024-01-05":[1,1.0]}'::purchase_history), ('{"2024-01-05":[1,1.5]}'), ('{}')) b (h);
CREATE TEMP TABLE h AS
  SELECT ('{"2024-01-05":[1,' || i % 5 || ']}')::purchase_history AS h FROM generate_series(1, 100) i;
SET enable_hashagg = off;
SELECT h, count(*) FROM h GROUP BY h ORDER BY h::text;
RESET enable_hashagg;
SET enable_sort = off;
SELECT count(*) FROM (SELECT DISTINCT h FROM h) t;
RESET enable_sort;
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT count(*) FROM h a JOIN h b USING (h);
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT count(*) FROM h a JOIN h b USING (h);
RESET enable_mergejoin; RESET enable_nestloop; RESET enable_hashjoin;
CREATE INDEX ON h (h);
CREATE INDEX ON h USING hash (h);
SELECT count(*) FROM h WHERE h IS DISTINCT FROM '{"2024-01-05":[1,3]}';
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname IN ('purchase_history_ops', 'purchase_history_hash_ops');
SELECT history_hash_extended('{"2024-01-05":[1,1]}', 1) = history_hash_extended('{"2024-01-05":[1,1.00]}', 1) AS same,
       history_hash_extended('{"2024-01-05":[1,1]}', 1) = history_hash_extended('{"2024-01-05":[1,1]}', 2) AS other_seed;
