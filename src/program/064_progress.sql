-- How far a refresh is, while it runs (progress.c), and what its phases took.

CREATE FUNCTION customer_tier.unpack_progress(start bigint, state bigint, finish bigint,
    OUT pid int, OUT started_at timestamptz, OUT kind text, OUT phase text, OUT phase_number int, OUT phases int, OUT done bigint, OUT total bigint, OUT finish_at timestamptz)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'unpack_progress';
COMMENT ON FUNCTION customer_tier.unpack_progress(bigint, bigint, bigint) IS 'internal: what the values of the sequences progress_start, progress_state and progress_finish of a program mean';

CREATE FUNCTION customer_tier.progress_value(schema oid, sequence_name name) RETURNS bigint
LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Not before it is known to be a sequence that may be read.
    SELECT CASE WHEN c.relkind = 'S' THEN CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(c.oid) END END
      FROM pg_class c
     WHERE c.relnamespace = schema AND c.relname = sequence_name
$$;
COMMENT ON FUNCTION customer_tier.progress_value(oid, name) IS 'internal: the value of a sequence in a schema; NULL when there is none, or none that the caller may read';

-- Read from catalogs, locks and sequences only: nothing that belongs to the
-- owner of a program runs with the rights of whoever looks.
CREATE VIEW customer_tier.refresh_progress AS
SELECT program.name AS program, program.schema, run.run_id, p.pid, p.kind, p.phase, p.phase_number, p.phases, p.done, p.total, p.started_at,
       clock.instant - p.started_at AS elapsed,
       CASE WHEN p.finish_at IS NOT NULL THEN greatest(p.finish_at - clock.instant, interval '0') END AS estimated_remaining
  FROM customer_tier.program
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = program.schema
 CROSS JOIN LATERAL customer_tier.unpack_progress(customer_tier.progress_value(namespace.oid, 'progress_start'),
           customer_tier.progress_value(namespace.oid, 'progress_state'), customer_tier.progress_value(namespace.oid, 'progress_finish')) AS p
 CROSS JOIN LATERAL (SELECT customer_tier.progress_value(namespace.oid, 'progress_run') AS run_id) AS run
 CROSS JOIN LATERAL (SELECT pg_catalog.clock_timestamp() AS instant OFFSET 0) AS clock
 WHERE EXISTS (SELECT FROM pg_catalog.pg_locks AS held
                 JOIN pg_catalog.pg_class AS history ON history.oid = held.relation
                WHERE history.relnamespace = namespace.oid AND history.relname = 'history'
                  AND held.locktype = 'relation' AND held.mode = 'ShareUpdateExclusiveLock' AND held.granted AND held.pid = p.pid
                  AND held.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()));
GRANT SELECT ON customer_tier.refresh_progress TO PUBLIC;
COMMENT ON VIEW customer_tier.refresh_progress IS 'the refreshes and fits under way in this database, also in transactions that have not ended; of the programs whose sequences progress_start, progress_run, progress_state and progress_finish one may read';
COMMENT ON COLUMN customer_tier.refresh_progress.program IS 'name of the program';
COMMENT ON COLUMN customer_tier.refresh_progress.schema IS 'its schema';
COMMENT ON COLUMN customer_tier.refresh_progress.run_id IS 'number of the run in <schema>.run';
COMMENT ON COLUMN customer_tier.refresh_progress.pid IS 'process id of the session, as in pg_stat_activity';
COMMENT ON COLUMN customer_tier.refresh_progress.kind IS 'refresh or fit';
COMMENT ON COLUMN customer_tier.refresh_progress.phase IS 'what is done at present; when all is done in a transaction block that has not ended, that';
COMMENT ON COLUMN customer_tier.refresh_progress.phase_number IS 'number of the phase, from 1';
COMMENT ON COLUMN customer_tier.refresh_progress.phases IS 'number of phases of the whole';
COMMENT ON COLUMN customer_tier.refresh_progress.done IS 'rows of the source that were read, about; NULL in phases that count none';
COMMENT ON COLUMN customer_tier.refresh_progress.total IS 'rows of the source, as the planner estimates them; NULL in other phases, and where it cannot, as for views';
COMMENT ON COLUMN customer_tier.refresh_progress.started_at IS 'since when it has had its turn';
COMMENT ON COLUMN customer_tier.refresh_progress.elapsed IS 'how long it has had its turn';
COMMENT ON COLUMN customer_tier.refresh_progress.estimated_remaining IS 'how long it will probably take from now on, by the rows read and by what the phases took the last time; NULL = no idea';

CREATE FUNCTION customer_tier.refresh_busy(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    program text := (SELECT p.name FROM customer_tier.program p WHERE p.schema = refresh_busy.schema);
    known record;
    other record;
BEGIN
    SELECT p.* INTO known
      FROM pg_namespace n,
           customer_tier.unpack_progress(customer_tier.progress_value(n.oid, 'progress_start'), customer_tier.progress_value(n.oid, 'progress_state'), customer_tier.progress_value(n.oid, 'progress_finish')) p
     WHERE n.nspname = refresh_busy.schema;
    -- VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY take the same lock.
    SELECT l.pid INTO other
      FROM pg_locks l
     WHERE l.locktype = 'relation' AND l.relation = format('%I.history', schema)::regclass AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND (l.pid = known.pid
            OR NOT EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.pid = l.pid) AND NOT EXISTS (SELECT FROM pg_stat_progress_analyze a WHERE a.pid = l.pid)
               AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index i WHERE i.pid = l.pid))
     ORDER BY l.granted DESC, l.pid = known.pid DESC NULLS LAST, l.pid
     LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
        MESSAGE = CASE WHEN other.pid IS NULL THEN format('another refresh of program "%s" is part of a prepared transaction', program)
                       ELSE format('another %s of program "%s" is under way in process %s', CASE WHEN other.pid = known.pid THEN known.kind ELSE 'refresh' END, program, other.pid)
                            || CASE WHEN other.pid = known.pid THEN format(', since %s', date_trunc('second', known.started_at)) ELSE '' END END,
        HINT = CASE WHEN other.pid IS NULL THEN 'SELECT * FROM pg_prepared_xacts; lists those that are neither committed nor rolled back.'
                    ELSE format('wait => true waits for it, SELECT * FROM customer_tier.refresh_progress shows how far it is, SELECT pg_cancel_backend(%s) ends it.', other.pid) END;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_busy(name) IS 'internal: fail when another refresh or fit of the program is under way, and not when only maintenance is at its histories';

CREATE FUNCTION customer_tier.expected_rows(schema name) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- What was never analyzed has no estimate, and leaves none of the whole.
    SELECT CASE WHEN min(part.reltuples) >= 0 THEN nullif(sum(part.reltuples)::bigint, 0) END
      FROM customer_tier.program_settings(schema) AS s
      JOIN pg_namespace AS n ON n.nspname = s.source_schema
      JOIN pg_class AS source ON source.relnamespace = n.oid AND source.relname = s.source_name
     CROSS JOIN LATERAL (SELECT source.reltuples WHERE source.relkind IN ('r', 'm', 'f')
                         UNION ALL
                         SELECT c.reltuples FROM pg_partition_tree(source.oid) AS t JOIN pg_class AS c ON c.oid = t.relid
                          WHERE source.relkind = 'p' AND t.isleaf) AS part
$$;
COMMENT ON FUNCTION customer_tier.expected_rows(name) IS 'internal: rows of the source as the planner estimates them; NULL when it does not, as for views';

CREATE FUNCTION customer_tier.expected_seconds(schema name, kind text, phases text[]) RETURNS float8[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seconds float8[];
BEGIN
    EXECUTE format(
$query$
    SELECT array_agg(coalesce(CAST(last.phases->p.phase->>'seconds' AS double precision), -1) ORDER BY p.n)
      FROM unnest($2) WITH ORDINALITY AS p (phase, n)
      LEFT JOIN (SELECT run.phases FROM %I.run
                  WHERE run.kind = $1 AND run.status IN ('published', 'fitted') AND run.phases IS NOT NULL
                  ORDER BY run.run_id DESC LIMIT 1) AS last ON true
$query$, schema) INTO seconds USING kind, phases;
    RETURN seconds;
END
$$;
COMMENT ON FUNCTION customer_tier.expected_seconds(name, text, text[]) IS 'internal: what phases took in the last run of the kind that succeeded, in seconds; -1 = unknown';

CREATE FUNCTION customer_tier.phase_rows(schema name, run_id bigint, phase text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows bigint;
BEGIN
    EXECUTE format('SELECT CASE $2 WHEN ''read'' THEN run.rows_scanned WHEN ''measure'' THEN run.buyers WHEN ''publish'' THEN run.changed END FROM %I.run WHERE run.run_id = $1', schema)
        INTO rows USING run_id, phase;
    RETURN coalesce(rows, 0);
END
$$;
COMMENT ON FUNCTION customer_tier.phase_rows(name, bigint, text) IS 'internal: rows that a phase read, measured or changed';

CREATE FUNCTION customer_tier.keep_phases(schema name, run_id bigint, phases text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %I.run SET phases = $2::jsonb WHERE run.run_id = $1', schema) USING run_id, phases;
END
$$;
COMMENT ON FUNCTION customer_tier.keep_phases(name, bigint, text) IS 'internal: keep with a run what its phases took';
