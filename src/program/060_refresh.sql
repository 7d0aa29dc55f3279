-- The phases of a refresh.  The procedure is C (refresh.c): it decides about
-- transactions and rights, and calls these in turn, as the program's owner.
-- Each takes the program's schema and the number of the run.

CREATE PROCEDURE customer_tier.refresh(program text, as_of date DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'refresh';
COMMENT ON PROCEDURE customer_tier.refresh(text, date) IS
    'read the orders and publish the ratings as of a day, by default yesterday in the program''s time zone; readers see the old ratings or the new. In autocommit it keeps a record of each attempt in <schema>.run; inside a transaction it is part of that';

CREATE FUNCTION customer_tier.refresh_start(schema name, as_of date, kind text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    run_id bigint;
BEGIN
    IF NOT isfinite(as_of) THEN
        RAISE EXCEPTION USING ERRCODE = 'datetime_field_overflow',
            MESSAGE = format('there are no ratings as of %s', as_of),
            HINT = 'Give a day, or leave as_of out for yesterday.';
    END IF;
    IF as_of IS NULL AND NOT customer_tier.is_time_zone(s.time_zone) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('time zone "%s" is not known (option "time_zone")', s.time_zone),
            HINT = 'Use a name of pg_timezone_names, such as Europe/Berlin or Asia/Shanghai.';
    END IF;
    EXECUTE format('INSERT INTO %I.run (kind, status, as_of, as_of_is_default, started_at, pid)
                    VALUES ($3, ''running'', $1, $2, clock_timestamp(), pg_backend_pid()) RETURNING run_id', schema)
        INTO run_id
        USING coalesce(as_of, timezone(s.time_zone, now())::date - 1), as_of IS NULL, kind;
    RETURN run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_start(name, date, text) IS 'internal: write the record of a run''s start, as of yesterday when no day is given; returns its number';

CREATE FUNCTION customer_tier.refresh_fail(schema name, run_id bigint, error_code text, error text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %I.run SET status = ''failed'', finished_at = clock_timestamp(), error_code = $2, error = $3
                     WHERE run.run_id = $1', schema)
        USING run_id, error_code, error;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_fail(name, bigint, text, text) IS 'internal: record that a run failed';

CREATE FUNCTION customer_tier.refresh_lock(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- One refresh at a time; nobody who reads or writes histories waits for it.
    EXECUTE format('LOCK TABLE %I.history IN SHARE UPDATE EXCLUSIVE MODE', schema);
    -- One configuration from the first phase to the last: whoever edits it
    -- meanwhile waits, whoever reads it does not.
    EXECUTE format('LOCK TABLE %1$I.settings, %1$I.tier, %1$I.dimension, %1$I.scorecard, %1$I.grade IN SHARE MODE', schema);
    -- Runs whose session is gone: the server or the session was killed.
    EXECUTE format('UPDATE %I.run SET status = ''failed'', finished_at = clock_timestamp(), error_code = ''57P01'',
                           error = ''the session or the server stopped before the refresh had finished''
                     WHERE run.status = ''running'' AND run.run_id < $1
                       AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = run.pid AND a.pid <> pg_backend_pid())', schema)
        USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_lock(name, bigint) IS 'internal: wait until no other refresh of the program is under way, nor anybody editing its configuration';

CREATE FUNCTION customer_tier.refresh_check(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text;
    problem text;
    hint text;
    others text;
BEGIN
    SELECT (array_agg(p.code))[1], (array_agg(p.problem))[1], (array_agg(p.hint))[1],
           string_agg(p.problem, E'\n' ORDER BY p.n) FILTER (WHERE p.n > 1)
      INTO code, problem, hint, others
      FROM (SELECT row_number() OVER () AS n, p.* FROM customer_tier.program_problems(schema) p ORDER BY n) p;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = problem, DETAIL = others, HINT = hint;
    ELSIF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = problem, HINT = hint;
    END IF;
    PERFORM customer_tier.add_segments(schema);
    PERFORM customer_tier.compile_program(schema);
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_check(name, bigint) IS 'internal: stop when something is wrong with the program, and compile it if its settings changed';

CREATE FUNCTION customer_tier.merge_history(schema name, OUT rows_read bigint, OUT rows_bad bigint, OUT changed bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    equality text := customer_tier.key_equality(
        (SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
BEGIN
    -- One statement, so one sight of the table: what is gone is deleted, what
    -- differs is updated, what is new is inserted, and the rest is not touched.
    EXECUTE format(
$query$
    WITH difference AS MATERIALIZED (
        SELECT kept.customer_id AS old_id, fresh.customer_id, fresh.history, fresh.profit, fresh.rows,
               CASE WHEN fresh.customer_id IS NULL THEN fresh.rows ELSE fresh.bad END AS bad,
               (kept.history OPERATOR(customer_tier.=) fresh.history) IS TRUE
               AND coalesce(kept.profit OPERATOR(customer_tier.=) fresh.profit, kept.profit IS NULL AND fresh.profit IS NULL) AS same
          FROM %1$I.source_history() AS fresh
          FULL JOIN %1$I.history AS kept ON kept.customer_id %2$s fresh.customer_id
    ), deleted AS (
        DELETE FROM %1$I.history AS kept
         USING difference
         WHERE kept.customer_id %2$s difference.old_id AND difference.history IS NULL
        RETURNING 1
    ), updated AS (
        UPDATE %1$I.history AS kept
           SET history = difference.history, profit = difference.profit
          FROM difference
         WHERE kept.customer_id %2$s difference.old_id AND difference.history IS NOT NULL AND NOT difference.same
        RETURNING 1
    ), inserted AS (
        INSERT INTO %1$I.history (customer_id, history, profit)
        SELECT difference.customer_id, difference.history, difference.profit
          FROM difference
         WHERE difference.old_id IS NULL AND difference.customer_id IS NOT NULL AND difference.history IS NOT NULL
        RETURNING 1
    )
    SELECT coalesce(sum(difference.rows), 0), coalesce(sum(difference.bad), 0),
           (SELECT count(*) FROM deleted) + (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted)
      FROM difference
$query$, schema, equality) INTO rows_read, rows_bad, changed;
END
$$;
COMMENT ON FUNCTION customer_tier.merge_history(name) IS 'internal: bring the histories in line with the source';

CREATE FUNCTION customer_tier.analyze_if_changed(relation regclass, changed bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The rule of autovacuum, which cannot see what is not committed yet.
    IF changed > 50 + 0.1 * (SELECT greatest(c.reltuples, 0) FROM pg_class c WHERE c.oid = relation) THEN
        EXECUTE format('ANALYZE %s', relation);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.analyze_if_changed(regclass, bigint) IS 'internal: fresh statistics after many changes, for the phases that follow';

CREATE FUNCTION customer_tier.refresh_history(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    m record;
    bad_share text;
    what_is_bad text := CASE WHEN s.margin_column IS NULL THEN 'Their customer, day or amount is NULL, NaN, infinite or out of range'
                             ELSE 'Their customer, day or amount is NULL, NaN, infinite or out of range, or their margin is outside of -1..1' END;
BEGIN
    m := customer_tier.merge_history(schema);
    bad_share := format('%s of %s rows', m.rows_bad, m.rows_read);
    IF s.on_bad_row = 'error' AND m.rows_bad > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('%I.%I has bad rows: %s', s.source_schema, s.source_name, bad_share),
            DETAIL = what_is_bad || ', and the program says on_bad_row = error.',
            HINT = format('SELECT * FROM customer_tier.audit(%L) shows them; UPDATE %I.settings SET on_bad_row = ''skip'' leaves them out.', s.program, schema);
    ELSIF m.rows_bad > s.max_bad_share * m.rows_read THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('%I.%I has too many bad rows: %s, more than the share of %s', s.source_schema, s.source_name, bad_share, s.max_bad_share),
            DETAIL = what_is_bad || '.',
            HINT = format('SELECT * FROM customer_tier.audit(%L) shows them; UPDATE %I.settings SET max_bad_share = ... allows more.', s.program, schema);
    END IF;
    IF m.rows_read = 0 AND m.changed > 0 THEN
        RAISE WARNING USING
            MESSAGE = format('%I.%I has no rows: all ratings of program "%s" of customers with orders are removed', s.source_schema, s.source_name, s.program),
            HINT = 'Was it being loaded? Refresh again when it is filled.';
    END IF;
    EXECUTE format('UPDATE %I.run SET rows_read = $2, rows_bad = $3 WHERE run.run_id = $1', schema)
        USING run_id, m.rows_read, m.rows_bad;
    PERFORM customer_tier.analyze_if_changed(format('%I.history', schema)::regclass, m.changed);
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_history(name, bigint) IS 'internal: read the source into the histories, and stop when too many of its rows are bad';

CREATE FUNCTION customer_tier.refresh_measure(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this_run record;
BEGIN
    PERFORM customer_tier.measure_run(schema, run_id);
    EXECUTE format('SELECT run.as_of, run.as_of_is_default, run.newest_day, run.as_of - run.newest_day AS age FROM %I.run WHERE run.run_id = $1', schema)
        INTO this_run USING run_id;
    IF this_run.as_of_is_default AND this_run.age > 45 THEN
        RAISE WARNING USING
            MESSAGE = format('the newest order is of %s, %s days before %s', this_run.newest_day, this_run.age, this_run.as_of),
            HINT = 'Is the source up to date? For the ratings of an earlier day give it: CALL customer_tier.refresh(program, as_of).';
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_measure(name, bigint) IS 'internal: measure the cut points and scales of a run, or take over frozen ones, and keep them with it';

CREATE FUNCTION customer_tier.refresh_publish(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    equality text := customer_tier.key_equality(
        (SELECT c.base_type FROM customer_tier.relation_column(format('%I.rating', schema)::regclass, 'customer_id') c));
    as_of date;
    changed bigint;
BEGIN
    EXECUTE format('SELECT run.as_of FROM %I.run WHERE run.run_id = $1', schema) INTO as_of USING run_id;

    EXECUTE format(
$query$
    WITH difference AS MATERIALIZED (
        SELECT published.*
          FROM (SELECT kept.customer_id AS old_id, fresh.*,
                       CASE WHEN kept.tier = fresh.tier THEN least(kept.tier_since, $1) ELSE $1 END AS tier_since,
                       CASE WHEN kept.tier = fresh.tier THEN kept.previous_tier ELSE kept.tier END AS previous_tier,
                       kept.tier_since AS old_tier_since,
                       (kept.first_day, kept.last_day, kept.orders, kept.purchase_days, kept.revenue, kept.refunded, kept.average_order,
                        kept.r_score, kept.f_score, kept.m_score, kept.segment, kept.lifecycle_stage,
                        kept.p_alive, kept.p_active, kept.expected_purchases, kept.expected_spend, kept.clv, kept.score, kept.grade, kept.tier, kept.tier_rank,
                        kept.tier_reason, kept.score_to_next_tier, kept.coverage, kept.outside_values)
                       IS DISTINCT FROM
                       (fresh.first_day, fresh.last_day, fresh.orders, fresh.purchase_days, fresh.revenue, fresh.refunded, fresh.average_order,
                        fresh.r_score, fresh.f_score, fresh.m_score, fresh.segment, fresh.lifecycle_stage,
                        fresh.p_alive, fresh.p_active, fresh.expected_purchases, fresh.expected_spend, fresh.clv, fresh.score, fresh.grade, fresh.tier, fresh.tier_rank,
                        fresh.tier_reason, fresh.score_to_next_tier, fresh.coverage, fresh.outside_values) AS differs
                  FROM (SELECT rated.*, %3$s AS outside_values FROM %1$I.rate($1, $2) AS rated) AS fresh
                  FULL JOIN %1$I.rating AS kept ON kept.customer_id %2$s fresh.customer_id) AS published
         WHERE published.differs OR published.tier_since IS DISTINCT FROM published.old_tier_since
    ), deleted AS (
        DELETE FROM %1$I.rating AS kept
         USING difference
         WHERE kept.customer_id %2$s difference.old_id AND difference.customer_id IS NULL
        RETURNING 1
    ), updated AS (
        UPDATE %1$I.rating AS kept
           SET first_day = difference.first_day, last_day = difference.last_day,
               orders = difference.orders, purchase_days = difference.purchase_days,
               revenue = difference.revenue, refunded = difference.refunded, average_order = difference.average_order,
               r_score = difference.r_score, f_score = difference.f_score, m_score = difference.m_score,
               segment = difference.segment, lifecycle_stage = difference.lifecycle_stage,
               p_alive = difference.p_alive, p_active = difference.p_active,
               expected_purchases = difference.expected_purchases, expected_spend = difference.expected_spend,
               clv = difference.clv, score = difference.score, grade = difference.grade,
               tier = difference.tier, tier_rank = difference.tier_rank,
               tier_since = difference.tier_since, previous_tier = difference.previous_tier,
               tier_reason = difference.tier_reason, score_to_next_tier = difference.score_to_next_tier,
               coverage = difference.coverage, outside_values = difference.outside_values
          FROM difference
         WHERE kept.customer_id %2$s difference.old_id AND difference.customer_id IS NOT NULL
        RETURNING 1
    ), inserted AS (
        INSERT INTO %1$I.rating (customer_id, first_day, last_day, orders, purchase_days, revenue, refunded, average_order,
                                 r_score, f_score, m_score, segment, lifecycle_stage,
                                 p_alive, p_active, expected_purchases, expected_spend, clv,
                                 score, grade, tier, tier_rank, tier_since, previous_tier,
                                 tier_reason, score_to_next_tier, coverage, outside_values)
        SELECT d.customer_id, d.first_day, d.last_day, d.orders, d.purchase_days, d.revenue, d.refunded, d.average_order,
               d.r_score, d.f_score, d.m_score, d.segment, d.lifecycle_stage,
               d.p_alive, d.p_active, d.expected_purchases, d.expected_spend, d.clv, d.score, d.grade, d.tier, d.tier_rank, d.tier_since, d.previous_tier,
               d.tier_reason, d.score_to_next_tier, d.coverage, d.outside_values
          FROM difference AS d
         WHERE d.old_id IS NULL
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted)
$query$, schema, equality,
        -- What came from relations cannot be had again: it is kept to explain the rating.
        coalesce((SELECT 'CASE WHEN rated.dimension_values IS NOT NULL THEN ARRAY[' || string_agg(format('rated.dimension_values[%s]', c.n), ', ' ORDER BY c.n) || '] END'
                    FROM customer_tier.card(schema) c WHERE c.outside IS NOT NULL), 'CAST(NULL AS double precision[])'))
        INTO changed USING as_of, run_id;
    PERFORM customer_tier.analyze_if_changed(format('%I.rating', schema)::regclass, changed);

    -- This run takes over.
    PERFORM customer_tier.prune_scales(schema, run_id);
    EXECUTE format('UPDATE %I.run SET is_current = false WHERE run.is_current', schema);
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET status = 'published', is_current = true, finished_at = clock_timestamp(), changed = $2, error_code = NULL, error = NULL,
           customers = rated.customers, prospects = rated.prospects
      FROM (SELECT count(*) AS customers, count(*) FILTER (WHERE rating.tier_reason = 'prospect') AS prospects FROM %1$I.rating) AS rated
     WHERE run.run_id = $1
$query$, schema) USING run_id, changed;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_publish(name, bigint) IS 'internal: rate everyone and write what differs from what is published';
