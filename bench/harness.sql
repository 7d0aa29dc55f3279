-- What the benchmarks stand on: cases, a stopwatch, and what was measured.
--
-- A case is one query with one choice of settings.  Cases of one topic and side
-- are alternatives for the same answer; what counts for a side is the one with
-- the least median, so each side is seen at its best plan.  Rounds take all cases
-- in turn, so that what else the machine does falls on all of them alike.

CREATE SCHEMA bench;

CREATE TABLE bench.run (size text, customers int, days int, seed bigint, rounds int, version text, commit text, machine text);

CREATE TABLE bench.topic (
	topic text PRIMARY KEY,
	place int UNIQUE,
	title text,
	clock text CHECK (clock IN ('cpu', 'wall')),	-- what is compared
	note text
);

CREATE TABLE bench.cases (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	topic text REFERENCES bench.topic,
	side text,
	variant text,
	settings text,				-- SET statements
	query text,
	shape text,					-- what the plan must look like (a regular expression)
	setup text DEFAULT 'SELECT',	-- before each measurement, not timed
	after text DEFAULT 'SELECT',	-- after it, not timed
	part_of text,				-- instead of a query: the topic of the case of that side and variant
	phase text,					-- of whose refresh this is a phase
	UNIQUE (topic, side, variant)
);

-- The round at hand, for cases that need another day each time.
CREATE TABLE bench.at (round int);
INSERT INTO bench.at VALUES (0);

-- What the phases of refreshes took, as <schema>.run says.
CREATE TABLE bench.phase (id int, round int, build text, phase text, ms float8, changed bigint);

-- side against other, as a ratio; at most "goal" where there is one
CREATE TABLE bench.ratio (
	topic text REFERENCES bench.topic,
	place int,
	side text,
	other_topic text,
	other text,
	goal float8
);

CREATE UNLOGGED TABLE bench.measure (id int, round int, cpu float8, wall float8);	-- ms
CREATE UNLOGGED TABLE bench.running (id int, round int, cpu float8, began timestamptz);

-- CPU time of this backend, user and system, in ms.
CREATE FUNCTION bench.cpu() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	stat text[];
BEGIN
	RETURN split_part(pg_read_file('/proc/self/schedstat', 0, 100), ' ', 1)::float8 / 1e6;
EXCEPTION WHEN undefined_file THEN
	-- fields 14 and 15, in ticks of 10 ms, counted after the name in brackets
	stat := string_to_array(regexp_replace(pg_read_file('/proc/self/stat', 0, 1000), '^.*\) ', ''), ' ');
	RETURN (stat[12]::float8 + stat[13]::float8) * 10;
END $$;

CREATE PROCEDURE bench.start(id int, round int) LANGUAGE sql AS $$
	DELETE FROM bench.running;
	INSERT INTO bench.running VALUES (id, round, bench.cpu(), clock_timestamp());
$$;

CREATE PROCEDURE bench.stop() LANGUAGE plpgsql AS $$
DECLARE
	ended timestamptz := clock_timestamp();
	used float8 := bench.cpu();
BEGIN
	INSERT INTO bench.measure
	SELECT r.id, r.round, used - r.cpu, extract(epoch FROM ended - r.began) * 1000 FROM bench.running r;
END $$;

-- The plan of a case has the shape that the case is about, so that nothing is
-- timed that the planner left out.
CREATE FUNCTION bench.plan_problem(c bench.cases) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	IF c.shape IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE c.settings;
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE) ' || c.query LOOP
		plan := plan || line || E'\n';
	END LOOP;
	RESET ALL;
	IF plan !~ c.shape THEN
		RETURN format(E'%s, %s, %s: the plan is not of the shape %s:\n%s', c.topic, c.side, c.variant, c.shape, plan);
	END IF;
	RETURN NULL;
END $$;

-- The statements of one round over all cases; round 0 only warms up.  A round is
-- a session of its own, and the first to read a table in a session also pays for
-- mapping its buffers: so the orders are read once before anything is timed.
CREATE FUNCTION bench.statements(round int) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('UPDATE bench.at SET round = %s', round)
	UNION ALL
	SELECT unnest('{SET max_parallel_workers_per_gather = 0,SELECT count(amount) FROM orders,RESET ALL}'::text[])
	UNION ALL
	(SELECT statement
	FROM bench.cases c JOIN bench.topic USING (topic), LATERAL (VALUES
		(1, c.setup), (2, c.settings), (3, format('CALL bench.start(%s, %s)', c.id, round)),
		(4, c.query), (5, 'CALL bench.stop()'), (6, 'RESET ALL'), (7, c.after)) s (step, statement)
	WHERE c.part_of IS NULL
	ORDER BY place, c.id, step)
$$;

-- Keep what the phases of the refresh that was just measured took.
CREATE FUNCTION bench.keep_phases(program text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($query$
		INSERT INTO bench.phase
		SELECT m.id, m.round, r.build, p.key, (p.value ->> 'seconds')::float8 * 1000, r.changed
		FROM bench.running m, %I.run r, jsonb_each(r.phases) p WHERE r.is_current
	$query$, program);
	INSERT INTO bench.measure
	SELECT part.id, p.round, NULL, p.ms
	FROM bench.running m JOIN bench.cases whole ON whole.id = m.id
	JOIN bench.cases part ON part.part_of = whole.topic AND (part.side, part.variant) = (whole.side, whole.variant)
	JOIN bench.phase p ON p.id = m.id AND p.round = m.round AND p.phase = part.phase;
END $$;

CREATE VIEW bench.median AS
SELECT c.id, c.topic, c.side, c.variant, c.settings, t.clock, count(*) AS rounds,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY m.cpu) AS cpu,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY m.wall) AS wall,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE t.clock WHEN 'cpu' THEN m.cpu ELSE m.wall END) AS value,
	min(CASE t.clock WHEN 'cpu' THEN m.cpu ELSE m.wall END) AS least,
	max(CASE t.clock WHEN 'cpu' THEN m.cpu ELSE m.wall END) AS most
FROM bench.measure m JOIN bench.cases c USING (id) JOIN bench.topic t USING (topic)
WHERE m.round > 0
GROUP BY c.id, t.clock;

CREATE VIEW bench.best AS
SELECT DISTINCT ON (topic, side) * FROM bench.median ORDER BY topic, side, value;

-- Bytes of a varint: seven bits each.
CREATE FUNCTION public.varint(value numeric) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN value < 128 THEN 1 WHEN value < 16384 THEN 2 WHEN value < 2097152 THEN 3
		WHEN value < 268435456 THEN 4 WHEN value < 34359738368 THEN 5 ELSE 6 END
$$;
