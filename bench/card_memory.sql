-- What the sides of the topic "card" take of memory of their own: a session each,
-- the most it ever had resident less what it shares with others.
\set QUIET on
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION bench.own_peak(side text) RETURNS text LANGUAGE sql AS $$
	SELECT format('- %s: %s MB of memory of its own at most (work_mem 2 GB)', side,
		round((substring(s FROM 'VmHWM:\s+(\d+)')::bigint - substring(s FROM 'RssShmem:\s+(\d+)')::bigint) / 1024.0))
	FROM pg_read_file('/proc/self/status', 0, 8192) s $$;
SELECT settings AS settings, query AS ours FROM bench.cases WHERE topic = 'card' AND side = 'rate()' AND variant = 'serial' \gset
SELECT query AS hand FROM bench.cases WHERE topic = 'card' AND side = 'by hand' AND variant = 'serial' \gset
DROP TABLE IF EXISTS hand.ours, hand.carded;
\c
:settings
:ours ;
SELECT bench.own_peak('rate()');
\c
:settings
:hand ;
SELECT bench.own_peak('by hand');
