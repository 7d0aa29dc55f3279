-- Whether what a program keeps is right, and whether it goes on well.

CREATE FUNCTION customer_tier.history_differences(schema name, share float8, seed int) RETURNS TABLE (problem text, customer_id text, detail text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    read_from customer_tier.program_settings := customer_tier.effective_source(s);
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
    kept record;
    reason text := customer_tier.reason_to_build_all(schema, s, customer_tier.built_of(schema, s), customer_tier.lost_changes(schema));
    waiting text;           -- customers whom the next refresh reads again anyway
    fresh text;
    compared text := '%s';
BEGIN
    EXECUTE format('SELECT tracking.triggers, tracking.watermark FROM %I.tracking', schema) INTO kept;
    IF s.tracking = 'full' THEN
        -- What came after the published day is no difference.
        reason := NULL;
        waiting := NULL;
        compared := format('customer_tier.through(%%s, %L)', customer_tier.published_day(schema));
    ELSIF reason IS NOT NULL THEN
        RETURN QUERY SELECT 'the next refresh builds all histories', NULL::text, reason;
        RETURN;
    ELSIF s.tracking = 'watermark' THEN
        waiting := format('SELECT source.%I FROM %I.%I AS source WHERE %s', read_from.customer, read_from.source_schema, read_from.source_name,
                          customer_tier.watermark_condition(read_from, kept.watermark));
    ELSE
        waiting := customer_tier.source_customers(s, format('SELECT key FROM %I.touched AS t, unnest(t.keys) AS key WHERE t.trigger_oid = ANY (%L::oid[])', schema, kept.triggers));
    END IF;
    -- Some customers, the same each time for a seed; or all, and who is missing.
    fresh := CASE WHEN share < 1 THEN format(
$query$(SELECT one.customer_id, built.history, built.rows, built.bad, built.profit
              FROM (SELECT history.customer_id FROM %1$I.history
                     WHERE (hashtextextended(CAST(history.customer_id AS text), %2$s) & 1048575) < CAST(%3$L AS double precision) * 1048576) AS one
              LEFT JOIN LATERAL (%4$s) AS built ON true) AS fresh
          JOIN$query$, schema, seed, share, customer_tier.source_query(s, 'one.customer_id'))
                  ELSE format('%I.source_history() AS fresh FULL JOIN', schema) END;
    RETURN QUERY EXECUTE format(
$query$
    WITH compared AS (
        SELECT coalesce(kept.customer_id, fresh.customer_id) AS customer_id,
               kept.customer_id IS NULL AS is_missing, coalesce(fresh.rows, 0) = 0 AS is_gone,
               %3$s AS kept_history, %4$s AS history,
               %5$s AS kept_profit, %6$s AS profit,
               kept.source_rows AS kept_rows, fresh.rows
          FROM %2$s %1$I.history AS kept ON kept.customer_id %7$s fresh.customer_id
         WHERE kept.customer_id IS NOT NULL OR fresh.customer_id IS NOT NULL
    )
    SELECT CASE WHEN compared.is_missing THEN 'a customer of the source without a history'
                WHEN compared.is_gone THEN 'a history without rows in the source'
                ELSE 'history and source differ' END,
           CAST(compared.customer_id AS text),
           format('stored %%s orders, %%s of %%s rows; in the source %%s orders, %%s of %%s rows',
                  coalesce(customer_tier.orders(compared.kept_history), 0), coalesce(customer_tier.revenue(compared.kept_history), 0), coalesce(compared.kept_rows, 0),
                  coalesce(customer_tier.orders(compared.history), 0), coalesce(customer_tier.revenue(compared.history), 0), coalesce(compared.rows, 0))
      FROM compared
     WHERE (CASE WHEN %9$L AND compared.kept_history IS NULL AND compared.history IS NULL THEN false
                 WHEN compared.is_missing OR compared.is_gone THEN true
                 ELSE NOT coalesce(compared.kept_history OPERATOR(customer_tier.=) compared.history, compared.kept_history IS NULL AND compared.history IS NULL)
                      OR NOT coalesce(compared.kept_profit OPERATOR(customer_tier.=) compared.profit, compared.kept_profit IS NULL AND compared.profit IS NULL)
                      OR (NOT %9$L AND compared.kept_rows <> compared.rows) END)%8$s
     ORDER BY CAST(compared.customer_id AS text) COLLATE "C"
$query$, schema, fresh,
        format(compared, 'kept.history'), format(compared, 'fresh.history'), format(compared, 'kept.profit'), format(compared, 'fresh.profit'), equality,
        CASE WHEN waiting IS NULL THEN '' ELSE format(E'\n       AND NOT EXISTS (SELECT FROM (%s) AS waiting (customer_id) WHERE waiting.customer_id %s compared.customer_id)', waiting, equality) END,
        s.tracking = 'full');
END
$$;
COMMENT ON FUNCTION customer_tier.history_differences(name, float8, int) IS 'internal: customers whose stored history is not what the source says, but for those of whom the next refresh knows';

CREATE FUNCTION customer_tier.verify(program text, share float8 DEFAULT NULL, seed int DEFAULT 0) RETURNS TABLE (problem text, customer_id text, detail text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    part float8 := coalesce(share, CASE s.tracking WHEN 'full' THEN 0 ELSE 1 END);
BEGIN
    IF (part BETWEEN 0 AND 1) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s is not a share of the customers', part),
            HINT = 'Give a share from 0 to 1, such as 0.01; 1 compares all.';
    END IF;
    IF part > 0 AND to_regprocedure(format('%I.source_history()', schema)) IS NOT NULL AND customer_tier.published_day(schema) IS NOT NULL THEN
        RETURN QUERY SELECT d.* FROM customer_tier.history_differences(schema, part, coalesce(seed, 0)) d;
    END IF;
    RETURN QUERY SELECT p.* FROM customer_tier.tier_history_problems(schema) p;
END
$$;
COMMENT ON FUNCTION customer_tier.verify(text, float8, int) IS
    'what is wrong with what a program keeps; no row = nothing. Histories are compared with a full build from the source, but for changes of which the next refresh knows: of a share of the customers (0..1; which ones depends on seed), by default of all where changes are tracked and of none where each refresh reads everything; and the history of tiers is looked through';

CREATE FUNCTION customer_tier.health(program text) RETURNS TABLE ("check" text, status text, detail text, action text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    tracked regclass := customer_tier.tracked_relation(s);
    published record;
    last record;
    kept record;
    reason text;
    one record;
    live bigint;
    counted float8;
    has_problem boolean := false;
BEGIN
    FOR one IN SELECT p.problem, p.hint FROM customer_tier.check_program(program) p LOOP
        RETURN QUERY SELECT 'program', 'failed', one.problem, one.hint;
        has_problem := true;
    END LOOP;
    IF has_problem THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT 'program', 'ok', 'nothing is wrong with its settings', NULL::text;

    -- Its runs.
    EXECUTE format('SELECT run.run_id, run.as_of, run.finished_at, run.newest_day FROM %I.run WHERE run.is_current', schema) INTO published;
    EXECUTE format('SELECT run.run_id, run.status, run.error, run.finished_at FROM %I.run WHERE run.kind = ''refresh'' AND run.status IN (''published'', ''failed'') ORDER BY run.run_id DESC LIMIT 1', schema) INTO last;
    IF last.status = 'failed' THEN
        RETURN QUERY SELECT 'last refresh', 'failed', format('run %s failed at %s: %s', last.run_id, last.finished_at, last.error), format('CALL customer_tier.refresh(%L);', program);
    ELSIF published.run_id IS NULL THEN
        RETURN QUERY SELECT 'last refresh', 'failed', 'there has been none', format('CALL customer_tier.refresh(%L);', program);
    ELSE
        RETURN QUERY SELECT 'last refresh', 'ok', format('run %s was published at %s', last.run_id, last.finished_at), NULL::text;
    END IF;
    IF published.run_id IS NOT NULL THEN
        IF published.as_of < timezone(s.time_zone, now())::date - 2 THEN
            RETURN QUERY SELECT 'age of the ratings', 'warning', format('they are as of %s', published.as_of), format('SELECT customer_tier.schedule_refresh(%L);', program);
        ELSE
            RETURN QUERY SELECT 'age of the ratings', 'ok', format('they are as of %s', published.as_of), NULL::text;
        END IF;
        IF published.newest_day < published.as_of - 45 THEN
            RETURN QUERY SELECT 'newest order', 'warning', format('it is of %s, %s days before the ratings', published.newest_day, published.as_of - published.newest_day), 'Is the source up to date?'::text;
        END IF;
    END IF;

    -- How it learns what changed.
    IF s.tracking = 'full' THEN
        RETURN QUERY SELECT 'tracking', 'ok', 'full: every refresh reads everything', NULL::text;
    ELSE
        reason := customer_tier.reason_to_build_all(schema, s, customer_tier.built_of(schema, s), customer_tier.lost_changes(schema));
        IF reason IS NULL THEN
            RETURN QUERY SELECT 'tracking', 'ok', format('%s: the next refresh reads what changed', s.tracking), NULL::text;
        ELSE
            RETURN QUERY SELECT 'tracking', 'warning', format('%s: the next refresh builds all histories: %s', s.tracking, reason), NULL::text;
        END IF;
        RETURN QUERY SELECT 'index', 'warning', format('%s has no index on "%s": customers whose orders change cannot be read alone', m.tracked, m.column_name), m.statement
            FROM customer_tier.missing_indexes(s) m ORDER BY m.column_name;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'index', 'ok', 'customers can be read alone', NULL::text;
        END IF;
    END IF;
    IF s.tracking = 'triggers' THEN
        FOR one IN SELECT t.tracked, string_agg(t.event, ', ' ORDER BY t.event) AS events
                       FROM customer_tier.tracking_triggers(schema, s) t WHERE t.is_right IS NOT TRUE GROUP BY t.tracked ORDER BY t.tracked::text LOOP
            RETURN QUERY SELECT 'triggers', 'failed', format('on %s there are none that are ENABLE ALWAYS and right for %s', one.tracked, one.events), format('SELECT customer_tier.track(%L);', program);
        END LOOP;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'triggers', 'ok', 'all are there and enabled', NULL::text;
        END IF;
        RETURN QUERY SELECT 'source', 'warning', format('it also reads %s, whose changes are not tracked', string_agg(r.relation::text, ', ' ORDER BY r.relation::text)),
                            format('CALL customer_tier.refresh(%L, full_build => true); after they change', program)
            FROM customer_tier.source_relations(to_regclass(format('%I.%I', s.source_schema, s.source_name))) r
           WHERE r.kind IN ('r', 'p', 'f') AND r.relation <> tracked
          HAVING count(*) > 0;
        IF to_regclass(format('%I.touched', schema)) IS NOT NULL THEN
            EXECUTE format('SELECT count(*) AS rows, coalesce(sum(cardinality(t.keys)), 0) AS keys FROM %I.touched AS t', schema) INTO one;
            RETURN QUERY SELECT 'changes', 'ok', format('%s keys wait in %s', one.keys, pg_size_pretty(pg_table_size(format('%I.touched', schema)::regclass))), NULL::text;
        END IF;
        -- What writes past the triggers shows in the number of rows.
        EXECUTE format('SELECT tracking.source_rows FROM %I.tracking', schema) INTO kept;
        -- Either kind of statistics may be behind; both at once are a sign.
        SELECT sum(pg_stat_get_live_tuples(t.tracked)), sum(c.reltuples) INTO live, counted
          FROM customer_tier.tracked_tables(tracked) t JOIN pg_class c ON c.oid = t.tracked WHERE t.kind = 'r';
        IF reason IS NULL AND tracked = to_regclass(format('%I.%I', s.source_schema, s.source_name))
           AND least(abs(live - kept.source_rows), abs(counted - kept.source_rows)) > one.keys + greatest(1000, 0.02 * kept.source_rows) THEN
            RETURN QUERY SELECT 'rows', 'warning', format('the histories are made of %s rows, the statistics of %s say %s', kept.source_rows, tracked, live),
                                format('ANALYZE %s; SELECT * FROM customer_tier.verify(%L, 0.01);', tracked, program);
        END IF;
    END IF;
    IF s.tracking <> 'triggers' THEN
        RETURN QUERY SELECT 'triggers', 'warning', format('tracking is %s, but they are still on %s', s.tracking, string_agg(DISTINCT g.tgrelid::regclass::text, ', ')),
                            format('SELECT customer_tier.untrack(%L);', program)
            FROM pg_trigger g WHERE g.tgfoid = 'customer_tier.track_changes()'::regprocedure AND g.tgnargs > 0 AND customer_tier.tracked_for(g.tgargs) = schema::text
          HAVING count(*) > 0;
    END IF;
    RETURN QUERY SELECT 'servers', 'warning', p.problem, p.hint FROM customer_tier.remote_problems(schema) p;
END
$$;
COMMENT ON FUNCTION customer_tier.health(text) IS
    'whether a program goes on well, for monitoring: its settings, its last refresh, the age of its ratings, whether changes are tracked, indexes, other servers; status is ok, warning or failed, action is the statement that helps';
