-- The phases of a refresh.  The procedure is C (refresh.c): it decides about
-- transactions and rights, and calls these in turn, as the program's owner.
-- Each takes the program's schema and the number of the run.

CREATE PROCEDURE customer_tier.refresh(program text, as_of date DEFAULT NULL, wait boolean DEFAULT true, full_build boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'refresh';
COMMENT ON PROCEDURE customer_tier.refresh(text, date, boolean, boolean) IS
    'read the orders and publish the ratings as of a day, by default yesterday in the program''s time zone; readers see the old ratings or the new. In autocommit it keeps a record of each attempt in <schema>.run; inside a transaction it is part of that. wait => false fails at once when another refresh or fit of the program is under way; full_build => true builds all histories anew';

CREATE FUNCTION customer_tier.refresh_start(schema name, as_of date, kind text, full_build boolean) RETURNS bigint
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
    EXECUTE format('INSERT INTO %I.run (kind, status, as_of, as_of_is_default, started_at, pid, full_build, version)
                    VALUES ($3, ''running'', $1, $2, clock_timestamp(), pg_backend_pid(), $4,
                            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = ''customer_tier'')) RETURNING run_id', schema)
        INTO run_id
        USING coalesce(as_of, timezone(s.time_zone, now())::date - 1), as_of IS NULL, kind, full_build;
    RETURN run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_start(name, date, text, boolean) IS 'internal: write the record of a run''s start, as of yesterday when no day is given; returns its number';

CREATE FUNCTION customer_tier.refresh_fail(schema name, run_id bigint, error_code text, error text, phases text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %I.run SET status = ''failed'', finished_at = clock_timestamp(), error_code = $2, error = $3, phases = $4::jsonb
                     WHERE run.run_id = $1', schema)
        USING run_id, error_code, error, phases;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_fail(name, bigint, text, text, text) IS 'internal: record that a run failed, and what its phases had taken until then';

CREATE FUNCTION customer_tier.program_lock(schema name) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'program_lock';
COMMENT ON FUNCTION customer_tier.program_lock(name) IS 'internal: wait until no refresh of the program is under way, nor anybody editing its configuration, and keep it so until the transaction ends; the caller must own the schema';

CREATE FUNCTION customer_tier.refresh_lock(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A run has these locks already.
    PERFORM customer_tier.program_lock(schema);
    -- Runs whose session is gone: the server or the session was killed.
    EXECUTE format('UPDATE %I.run SET status = ''failed'', finished_at = clock_timestamp(), error_code = ''57P01'',
                           error = ''the session or the server stopped before the refresh had finished''
                     WHERE run.status = ''running'' AND run.run_id < $1
                       AND NOT EXISTS (SELECT FROM pg_stat_activity a
                                        WHERE a.pid = run.pid AND a.pid <> pg_backend_pid()
                                          AND (a.backend_start <= run.started_at) IS NOT FALSE)', schema)
        USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_lock(name, bigint) IS 'internal: wait until no other refresh of the program is under way, nor anybody editing its configuration; the runs before this one that were killed are marked so';

CREATE FUNCTION customer_tier.refresh_check(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text;
    problem text;
    hint text;
    others text;
    this_run record;
BEGIN
    EXECUTE format('SELECT this.kind, this.as_of, current.as_of AS published FROM %1$I.run AS this LEFT JOIN %1$I.run AS current ON current.is_current WHERE this.run_id = $1', schema)
        INTO this_run USING run_id;
    IF this_run.kind = 'refresh' AND this_run.as_of < this_run.published THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the ratings are as of %s already, a refresh as of %s would go back', this_run.published, this_run.as_of),
            DETAIL = 'Tiers move from day to day, and their history is not rewritten.',
            HINT = format('SELECT * FROM %1$I.rate(%2$L) rates an earlier day, customer_tier.replay() runs the tiers over the past; if %3$s was a mistake, SELECT customer_tier.rewind_tiers(%4$L, %2$L) takes it back.',
                          schema, this_run.as_of, this_run.published, (SELECT p.name FROM customer_tier.program p WHERE p.schema = refresh_check.schema));
    END IF;
    SELECT (array_agg(p.code))[1], (array_agg(p.problem))[1], (array_agg(p.hint))[1],
           string_agg(p.problem, E'\n' ORDER BY p.n) FILTER (WHERE p.n > 1)
      INTO code, problem, hint, others
      FROM (SELECT row_number() OVER () AS n, p.* FROM customer_tier.program_problems(schema, this_run.as_of) p ORDER BY n) p;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = problem, DETAIL = others, HINT = hint;
    ELSIF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = problem, HINT = hint;
    END IF;
    IF this_run.kind = 'refresh' AND this_run.as_of > current_date + 1 THEN
        RAISE WARNING USING
            MESSAGE = format('%s is yet to come', to_char(this_run.as_of, 'YYYY-MM-DD')),
            HINT = 'A refresh of an earlier day will be refused from now on. If it was a mistake, customer_tier.rewind_tiers() takes it back.';
    END IF;
    PERFORM customer_tier.add_segments(schema);
    PERFORM customer_tier.compile_program(schema, CASE WHEN this_run.kind = 'refresh' THEN this_run.as_of ELSE this_run.published END);
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET terms_id = (SELECT max(tier_terms.terms_id) FROM %1$I.tier_terms),
           previous_as_of = (SELECT CASE WHEN current.as_of < run.as_of THEN current.as_of ELSE current.previous_as_of END FROM %1$I.run AS current WHERE current.is_current)
     WHERE run.run_id = $1 AND run.kind = 'refresh'
$query$, schema) USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_check(name, bigint) IS 'internal: stop when something is wrong with the program, and compile it if its settings changed';

CREATE FUNCTION customer_tier.analyze_if_changed(relation regclass, changed bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Tables on workers are analyzed there, by autovacuum.
    IF customer_tier.is_distributed_by(relation, 'customer_id') THEN
        RETURN;
    END IF;
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
    plan record;
    m record;
    customers_more bigint;      -- than at the published run; NULL = not known
    bad_share text;
    what_is_bad text := customer_tier.bad_rows_are(s);
    may_be_partial boolean := customer_tier.may_be_partial(schema, run_id);
    numbers_suffice boolean := customer_tier.numbers_suffice(schema, s);
    may_keep_numbers boolean := numbers_suffice AND customer_tier.may_keep_numbers(schema, run_id);
    notes boolean := may_be_partial OR may_keep_numbers;    -- whose histories change
BEGIN
    SELECT * INTO plan FROM customer_tier.history_plan(schema, run_id);
    IF s.is_distributed THEN
        SELECT * INTO m FROM customer_tier.merge_distributed(schema, s, CASE WHEN plan.build = 'changes' THEN plan.kept_watermark END);
    ELSIF plan.build = 'changes' THEN
        SELECT * INTO m FROM customer_tier.merge_changes(schema, s, plan.triggers, plan.kept_watermark, notes);
        customers_more := m.customers_more;
        IF NOT m.is_enough THEN
            customers_more := NULL;
            plan.build := 'full';
            plan.reason := 'a statement changed too much, or the table was truncated, just now';
        END IF;
    END IF;
    IF plan.build = 'full' AND NOT s.is_distributed THEN
        SELECT * INTO m FROM customer_tier.merge_history(schema, s);
    END IF;

    bad_share := format('%s of %s rows', m.bad_rows, m.source_rows);
    IF s.on_bad_row = 'error' AND m.bad_rows > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('%I.%I has bad rows: %s', s.source_schema, s.source_name, bad_share),
            DETAIL = what_is_bad || ', and the program says on_bad_row = error.',
            HINT = format('SELECT * FROM customer_tier.audit(%L) shows them; UPDATE %I.settings SET on_bad_row = ''skip'' leaves them out.', s.program, schema);
    ELSIF m.bad_rows > s.max_bad_share * m.source_rows THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('%I.%I has too many bad rows: %s, more than the share of %s', s.source_schema, s.source_name, bad_share, s.max_bad_share),
            DETAIL = what_is_bad || '.',
            HINT = format('SELECT * FROM customer_tier.audit(%L) shows them; UPDATE %I.settings SET max_bad_share = ... allows more.', s.program, schema);
    END IF;
    IF m.source_rows = 0 AND m.changed > 0 THEN
        RAISE WARNING USING
            MESSAGE = format('%I.%I has no rows: all ratings of program "%s" of customers with orders are removed', s.source_schema, s.source_name, s.program),
            HINT = 'Was it being loaded? Refresh again when it is filled.';
    END IF;
    EXECUTE format('UPDATE %I.run SET rows_read = $2, rows_bad = $3, build = $4, build_reason = $5, rows_scanned = $6, histories_changed = $7 WHERE run.run_id = $1', schema)
        USING run_id, m.source_rows, m.bad_rows, plan.build, plan.reason, m.rows_read, m.changed;
    PERFORM customer_tier.check_gates(schema, run_id, customers_more);
    PERFORM customer_tier.remember_build(schema, run_id, plan.build = 'full', to_jsonb(plan) || to_jsonb(m));
    PERFORM customer_tier.note_repeat(schema, run_id, may_be_partial);
    IF may_keep_numbers AND plan.build = 'changes' THEN
        PERFORM customer_tier.note_numbers(schema, run_id);
    ELSIF numbers_suffice AND s.tracking <> 'full' THEN
        PERFORM customer_tier.note_later(schema, run_id);
    END IF;
    PERFORM customer_tier.analyze_if_changed(format('%I.history', schema)::regclass, m.changed);
    IF notes THEN
        EXECUTE format('ANALYZE %I.changed', schema);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_history(name, bigint) IS 'internal: read the source into the histories, and stop when too many of its rows are bad';

CREATE FUNCTION customer_tier.refresh_measure(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this_run record;
BEGIN
    IF customer_tier.is_repeat(schema, run_id) THEN
        PERFORM customer_tier.take_over_scales(schema, run_id);
    ELSE
        PERFORM customer_tier.measure_run(schema, run_id);
    END IF;
    EXECUTE format('SELECT run.as_of, run.as_of_is_default, run.newest_day, run.as_of - run.newest_day AS age FROM %I.run WHERE run.run_id = $1', schema)
        INTO this_run USING run_id;
    IF this_run.as_of_is_default AND this_run.age > 45 THEN
        RAISE WARNING USING
            MESSAGE = format('the newest order is of %s, %s days before %s', this_run.newest_day, this_run.age, this_run.as_of),
            HINT = format('Is the source up to date? If an earlier day was meant: SELECT customer_tier.rewind_tiers(%1$L, %2$L); CALL customer_tier.refresh(%1$L, %2$L);',
                          (SELECT p.name FROM customer_tier.program p WHERE p.schema = refresh_measure.schema), this_run.newest_day);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_measure(name, bigint) IS 'internal: measure the cut points and scales of a run, or take over frozen ones, and keep them with it';

CREATE FUNCTION customer_tier.difference_columns(s customer_tier.program_settings) RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CAST('{customer_id,is_new,is_gone,old_tier,old_rank,old_since,old_drops_on,moved_by}' AS name[])
        || CASE WHEN s.is_distributed THEN '{}'::name[] ELSE '{old_ctid,score}' END || customer_tier.published_columns(s)
$$;
COMMENT ON FUNCTION customer_tier.difference_columns(customer_tier.program_settings) IS 'internal: the columns of difference_query and gone_query: the customer, whether the rating is new or is of nobody any more, where the customer stood, who moved him, where the row of the rating is, and the rating; behind those of packed scores, where there are such';

CREATE FUNCTION customer_tier.difference_query(schema name, as_of date, run_id bigint, whose text DEFAULT 'everybody') RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' AS $$
    SELECT customer_tier.everyone_query(schema, customer_tier.program_settings(schema), format('CAST(%L AS date)', as_of), format('CAST(%s AS bigint)', run_id), 'changes', whose)
$$;
COMMENT ON FUNCTION customer_tier.difference_query(name, date, bigint, text) IS 'internal: the query for all ratings of a run, or those of people(), that differ from what is published, or are new, with the difference_columns(); where scores are packed with everybody''s scores before them (scores.c), and the rest NULL for who does not differ. Its parameters are the run_constants()';

CREATE FUNCTION customer_tier.gone_query(schema name, as_of date) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    rating regclass := format('%I.rating', schema)::regclass;
BEGIN
    RETURN format(
$query$
    SELECT %5$skept.customer_id, false AS is_new, true AS is_gone,
           kept.tier AS old_tier, kept.tier_rank AS old_rank, kept.tier_since AS old_since, kept.drops_on AS old_drops_on,
           CAST(NULL AS text) AS moved_by, %1$s
      FROM %2$I.rating AS kept
      LEFT JOIN %3$s AS features
        ON features.customer_id %4$s kept.customer_id
     WHERE features.customer_id IS NULL
$query$,
        (SELECT string_agg(format('CAST(NULL AS %s) AS %I', CASE WHEN c = 'old_ctid' THEN 'tid' WHEN c = ANY (customer_tier.score_columns()) THEN 'numeric' ELSE (SELECT a.type::text FROM customer_tier.relation_column(rating, c) AS a) END, c), ', ' ORDER BY n)
           FROM unnest(customer_tier.difference_columns(s)) WITH ORDINALITY AS u (c, n) WHERE n > 8),
        schema, customer_tier.people(schema, s, format('CAST(%L AS date)', as_of)),
        customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(rating, 'customer_id') c)),
        CASE WHEN s.is_distributed THEN '' ELSE
            'true AS differs, kept.place, ' || (SELECT string_agg(format('-1 AS %I, ', 'packed_' || c), '') FROM unnest(customer_tier.score_columns()) AS c) END);
END
$$;
COMMENT ON FUNCTION customer_tier.gone_query(name, date) IS 'internal: the query for the published ratings of who is no customer any more, with the columns of difference_query()';

CREATE FUNCTION customer_tier.publish_steps(schema name, as_of date, run_id bigint, rows_query text, constants text DEFAULT NULL, whose text DEFAULT 'everybody', customers bigint DEFAULT NULL) RETURNS customer_tier.step[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    -- Rows are kept by the steps, or on the workers of Citus in a table.
    is_again boolean := coalesce(customer_tier.published_day(schema) = as_of, false);     -- or nothing can be of the day yet
    difference text := CASE WHEN s.is_distributed THEN format('%I.difference', schema) ELSE 'difference' END;
    moved text;
    event text;
    statements text[];
BEGIN
    -- who stands in another row of the history than until now
    moved := format(
$query$SELECT difference.customer_id, difference.old_since, difference.tier, difference.tier_rank, difference.tier_since,
           difference.tier_reason, difference.previous_tier, difference.score, difference.terms_id, difference.moved_by
      FROM %s AS difference
     WHERE (difference.old_tier, difference.old_since) IS DISTINCT FROM (difference.tier, difference.tier_since)$query$, difference);
    event := format(
$query$
    SELECT difference.customer_id, found.kind, difference.old_tier AS from_tier, CASE WHEN found.kind <> 'coming_downgrade' THEN difference.tier END AS to_tier,
           difference.tier_reason AS reason, CASE WHEN found.kind = 'coming_downgrade' THEN difference.drops_on END AS due
      FROM %6$s AS difference,
           LATERAL (SELECT CASE WHEN difference.tier <> difference.old_tier
                                THEN CASE customer_tier.tier_direction(difference.old_tier, difference.tier, difference.old_rank, difference.tier_rank, CAST(%4$L AS jsonb), CAST(%5$L AS jsonb))
                                          WHEN 'down' THEN 'downgrade' WHEN 'up' THEN 'upgrade' END
                                WHEN difference.drops_on - CAST(%1$L AS date) <= %2$s AND (difference.old_drops_on - CAST(%3$L AS date) <= %2$s) IS NOT TRUE
                                THEN 'coming_downgrade' END AS kind) AS found
     WHERE found.kind IS NOT NULL
$query$,
        as_of, customer_tier.policy_value(schema, as_of, 'coming_days')::int, customer_tier.published_day(schema),
        (SELECT t.old_ranks FROM customer_tier.tier_ranks(schema, NULL) AS t),
        (SELECT jsonb_object_agg(t.key, t.value->'tier_rank') FROM customer_tier.tiers_in_force(schema, as_of) AS f, jsonb_each(f.tiers) AS t),
        difference);
    statements := ARRAY[
$query$
    DELETE FROM %1$I.rating AS kept
     USING %8$s AS difference
     WHERE kept.customer_id %2$s difference.customer_id AND difference.is_gone
$query$,
$query$
    UPDATE %1$I.rating AS kept
       SET %11$s%3$s
      FROM %8$s AS difference
     WHERE %13$skept.customer_id %2$s difference.customer_id AND NOT difference.is_new AND NOT difference.is_gone
$query$,
$query$
    INSERT INTO %1$I.rating (customer_id, %10$s%4$s)
    SELECT difference.customer_id, %10$s%5$s
      FROM %8$s AS difference
     WHERE difference.is_new
$query$,
-- What an earlier run of this day had said is taken back.
$query$
    INSERT INTO %1$I.tier_correction (run_id, customer_id, valid_from, valid_to, tier, tier_rank, reason, score, previous_tier, changed_by, was_correction, terms_id, first_run_id)
    SELECT %7$s, history.customer_id, history.valid_from, history.valid_to, history.tier, history.tier_rank, history.reason, history.score,
           history.previous_tier, history.changed_by, history.is_correction, history.terms_id, history.run_id
      FROM %9$s AS moved
      JOIN %1$I.tier_history AS history ON history.customer_id %2$s moved.customer_id
     WHERE %12$s AND history.valid_to IS NULL AND history.valid_from = CAST(%6$L AS date)
     ORDER BY history.customer_id
$query$,
$query$
    DELETE FROM %1$I.tier_history AS history
     USING %9$s AS moved
     WHERE %12$s AND history.customer_id %2$s moved.customer_id AND history.valid_to IS NULL AND history.valid_from = CAST(%6$L AS date)
$query$,
-- Who is back where he was has never left; the others leave.
$query$
    UPDATE %1$I.tier_history AS history
       SET valid_to = NULL
      FROM %9$s AS moved
     WHERE %12$s AND history.customer_id %2$s moved.customer_id AND history.valid_to = CAST(%6$L AS date) AND history.valid_from = moved.tier_since
$query$,
$query$
    UPDATE %1$I.tier_history AS history
       SET valid_to = CAST(%6$L AS date)
      FROM %9$s AS moved
     WHERE history.customer_id %2$s moved.customer_id AND history.valid_to IS NULL AND history.valid_from IS DISTINCT FROM moved.tier_since
$query$,
$query$
    INSERT INTO %1$I.tier_history (customer_id, valid_from, tier, tier_rank, reason, score, previous_tier, changed_by, is_correction, terms_id, run_id)
    SELECT moved.customer_id, CAST(%6$L AS date), moved.tier, moved.tier_rank, CASE WHEN moved.previous_tier IS NULL THEN 'initial' ELSE moved.tier_reason END,
           moved.score, moved.previous_tier, moved.moved_by, moved.old_since IS NOT DISTINCT FROM CAST(%6$L AS date), moved.terms_id, %7$s
      FROM %9$s AS moved
     WHERE moved.tier_since = CAST(%6$L AS date)
$query$,
$query$
    INSERT INTO %1$I.tier_event (run_id, as_of, kind, customer_id, from_tier, to_tier, reason, due)
    SELECT %7$s, CAST(%6$L AS date), event.kind, event.customer_id, event.from_tier, event.to_tier, event.reason, event.due
      FROM event
     ORDER BY event.customer_id
$query$,
'SELECT FROM event WHERE event.kind = ''upgrade''',
'SELECT FROM event WHERE event.kind = ''downgrade''',
'SELECT FROM event WHERE event.kind = ''coming_downgrade'''];
    RETURN CASE WHEN s.is_distributed THEN ARRAY[
            customer_tier.step(format('DELETE FROM %I.difference', schema)),
            customer_tier.step(format(E'INSERT INTO %I.difference (%s)%s', schema, (SELECT string_agg(format('%I', c), ', ') FROM unnest(customer_tier.difference_columns(s)) AS c), rows_query), constants => constants)]
        ELSE ARRAY[
            customer_tier.step(rows_query, 'difference', constants, scores => 'scores',
                blocks => CASE WHEN whose = 'changed' THEN (SELECT format('SELECT block, %s FROM %I.rating_score', string_agg(format('%I', c), ', '), schema) FROM unnest(customer_tier.score_columns()) AS c) END,
                free_place => format('SELECT coalesce((SELECT run.next_place FROM %1$I.run WHERE run.is_current), (SELECT max(CAST(rating.place AS bigint)) + 1 FROM %1$I.rating), 0)', schema),
                -- the ratings that are there, and not the histories, say who is rated
                customers => CASE WHEN whose = 'kept' THEN customers END),
            customer_tier.step(moved, 'moved')] END
        || customer_tier.step(event, 'event')
        || ARRAY(SELECT customer_tier.step(format(one.statement, schema,
                             customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.rating', schema)::regclass, 'customer_id') c)),
                             (SELECT string_agg(format('%1$I = difference.%1$I', c), ', ') FROM unnest(customer_tier.published_columns(s)) c),
                             (SELECT string_agg(format('%I', c), ', ') FROM unnest(customer_tier.published_columns(s)) c),
                             (SELECT string_agg(format('difference.%I', c), ', ') FROM unnest(customer_tier.published_columns(s)) c),
                             as_of, run_id, difference, CASE WHEN s.is_distributed THEN format('(%s)', moved) ELSE 'moved' END,
                             CASE WHEN s.is_distributed THEN '' ELSE 'place, ' END,
                             CASE WHEN s.is_distributed THEN '' ELSE 'place = difference.place, ' END, is_again::text,
                             CASE WHEN s.is_distributed THEN '' ELSE 'kept.ctid = difference.old_ctid AND ' END))
                   FROM unnest(statements) WITH ORDINALITY AS one (statement, n)
                  ORDER BY one.n)
        || CASE WHEN NOT s.is_distributed THEN customer_tier.score_steps(schema) END;
END
$$;
COMMENT ON FUNCTION customer_tier.publish_steps(name, date, bigint, text, text, text, bigint) IS
    'internal: the statements that write the rows of difference_query or gone_query, with the scores, the history of tiers and the events; whose is that of people(), unless it is changed no other score is left; customers is how many there are to be rated';

CREATE FUNCTION customer_tier.publish_rows(schema name, as_of date, run_id bigint, rows_query text, constants text, whose text, customers bigint,
    INOUT changed bigint, INOUT added bigint, INOUT upgrades bigint, INOUT downgrades bigint, INOUT coming_downgrades bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET parallel_tuple_cost = 0.02 SET random_page_cost = 1.1 AS $$
DECLARE
    counts bigint[];
BEGIN
    -- parallel_tuple_cost is what it costs to hand a row over (0.3 microseconds)
    -- beside what the planner thinks it costs to rate one, which is far too little.
    -- A page of tables that have just been read from end to end costs no more out
    -- of its turn than in it.
    counts := customer_tier.execute_steps(customer_tier.publish_steps(schema, as_of, run_id, rows_query, constants, whose, customers));
    -- three steps keep rows, three write ratings, six the history of tiers and
    -- the events, three count these, and the last write scores
    IF customers IS NOT NULL AND counts[5] + counts[6] <> counts[1] THEN
        RAISE EXCEPTION USING ERRCODE = 'data_corrupted', MESSAGE = 'ratings were changed by somebody else meanwhile';
    END IF;
    changed := changed + counts[4] + counts[5] + counts[6];
    added := added + counts[6];
    upgrades := upgrades + counts[13];
    downgrades := downgrades + counts[14];
    coming_downgrades := coming_downgrades + counts[15];
END
$$;
COMMENT ON FUNCTION customer_tier.publish_rows(name, date, bigint, text, text, text, bigint, bigint, bigint, bigint, bigint, bigint) IS
    'internal: write the rows of difference_query or gone_query, with the scores, the history of tiers and the events; customers is how many there are to be rated, NULL = who is gone is written, or it cannot be told (Citus); adds how many ratings changed, how many of them are new, and what events there were';

CREATE FUNCTION customer_tier.publish_changes(schema name, as_of date, run_id bigint, OUT changed bigint, OUT upgrades bigint, OUT downgrades bigint, OUT coming_downgrades bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    whose text := customer_tier.whose_histories(schema, run_id);
    rows_query text := customer_tier.difference_query(schema, as_of, run_id, whose);
    constants text := customer_tier.everyone_query(schema, s, format('CAST(%L AS date)', as_of), format('CAST(%s AS bigint)', run_id), 'constants');
    shares_tables text := current_setting('enable_parallel_hash');
    measured bigint;
    to_be_rated bigint;     -- the same, where this can be told
    published bigint;
    written bigint;
    added bigint;
    problem text;
BEGIN
    EXECUTE format('SELECT run.customers FROM %I.run WHERE run.run_id = $1', schema) INTO measured USING run_id;
    to_be_rated := CASE WHEN NOT s.is_distributed THEN measured END;
    BEGIN
        SELECT p.* INTO changed, added, upgrades, downgrades, coming_downgrades
          FROM customer_tier.publish_rows(schema, as_of, run_id, rows_query, constants, whose, to_be_rated, 0, 0, 0, 0, 0) AS p;
    EXCEPTION WHEN disk_full OR out_of_memory THEN
        -- Workers join by a table in shared memory, of which a container may have little.
        GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
        RAISE WARNING USING MESSAGE = format('rating again, without a hash table that workers share: %s', problem),
            HINT = 'Give the server more shared memory (docker run --shm-size=1g), or SET enable_parallel_hash = off.';
        PERFORM set_config('enable_parallel_hash', 'off', true);
        SELECT p.* INTO changed, added, upgrades, downgrades, coming_downgrades
          FROM customer_tier.publish_rows(schema, as_of, run_id, rows_query, constants, whose, to_be_rated, 0, 0, 0, 0, 0) AS p;
        PERFORM set_config('enable_parallel_hash', shares_tables, true);
              WHEN data_corrupted THEN
        -- Somebody edited places or blocks of scores, or which ratings there are.
        IF s.is_distributed THEN
            RAISE;
        END IF;
        GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
        RAISE WARNING USING MESSAGE = format('rating everybody again, with new places for the scores: %s', problem),
            HINT = format('Leave %1$I.rating, %1$I.rating_score and %1$I.run.next_place to refreshes.', schema);
        PERFORM customer_tier.renumber_places(schema);
        whose := 'everybody';
        rows_query := customer_tier.difference_query(schema, as_of, run_id, whose);
        SELECT p.* INTO changed, added, upgrades, downgrades, coming_downgrades
          FROM customer_tier.publish_rows(schema, as_of, run_id, rows_query, constants, whose, to_be_rated, 0, 0, 0, 0, 0) AS p;
    END;
    -- Who is rated is published now, so that more than were counted means that
    -- some are no customers any more, which is rare: they are looked for then;
    -- and always where others change the list of customers meanwhile.
    PERFORM customer_tier.keep_distribution(schema, run_id, CASE WHEN whose = 'kept' THEN added END);
    EXECUTE format('SELECT run.customers FROM %I.run WHERE run.run_id = $1', schema) INTO published USING run_id;
    IF s.customers_name IS NOT NULL OR published <> measured THEN
        written := changed;
        SELECT p.* INTO changed, added, upgrades, downgrades, coming_downgrades
          FROM customer_tier.publish_rows(schema, as_of, run_id, customer_tier.gone_query(schema, as_of), NULL, 'changed', NULL, changed, added, upgrades, downgrades, coming_downgrades) AS p;
        IF changed > written OR whose = 'kept' THEN
            PERFORM customer_tier.keep_distribution(schema, run_id);
        END IF;
    END IF;
    EXECUTE format('DELETE FROM %I.changed', schema);
    -- It may have seemed so before models were fitted and scales measured.
    EXECUTE format('UPDATE %I.run SET is_partial = ($2 = ''changed''), keeps_numbers = ($2 = ''kept'') WHERE run.run_id = $1', schema) USING run_id, whose;
    PERFORM customer_tier.analyze_if_changed(format('%I.rating', schema)::regclass, changed);
END
$$;
COMMENT ON FUNCTION customer_tier.publish_changes(name, date, bigint) IS 'internal: rate everyone and write what differs from what is published, with the history of tiers and the events; how many ratings changed, and what events there were';

CREATE FUNCTION customer_tier.refresh_publish(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET datestyle = 'ISO, YMD' AS $$
DECLARE
    as_of date;
    published record;
    unknown record;
BEGIN
    EXECUTE format('SELECT run.as_of FROM %I.run WHERE run.run_id = $1', schema) INTO as_of USING run_id;

    IF customer_tier.is_repeat(schema, run_id) THEN
        SELECT 0::bigint AS changed, 0::bigint AS upgrades, 0::bigint AS downgrades, 0::bigint AS coming_downgrades INTO published;
    ELSE
        SELECT * INTO published FROM customer_tier.publish_changes(schema, as_of, run_id);
    END IF;

    -- This run takes over.
    PERFORM customer_tier.drop_old_scales(schema, run_id);
    EXECUTE format('UPDATE %I.run SET is_current = false WHERE run.is_current', schema);
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET status = 'published', is_current = true, finished_at = clock_timestamp(), changed = $2, upgrades = $3, downgrades = $4, error_code = NULL, error = NULL
     WHERE run.run_id = $1
$query$, schema) USING run_id, published.changed, published.upgrades, published.downgrades;

    SELECT count(*) AS overrides, min(p.customer_id) AS example INTO unknown FROM customer_tier.override_problems(schema) p;
    IF unknown.overrides > 0 THEN
        RAISE WARNING USING
            MESSAGE = format('%s overrides in %I.tier_override are for customers who are not known, such as "%s"', unknown.overrides, schema, unknown.example),
            HINT = 'They have no effect. Is the key right? customer_tier.end_override() ends them.';
    END IF;

    -- Counts only: whoever can connect can listen.
    IF customer_tier.policy_value(schema, as_of, 'notify')::boolean THEN
        PERFORM pg_notify('customer_tier', json_build_object('program', (SELECT p.name FROM customer_tier.program p WHERE p.schema = refresh_publish.schema),
            'as_of', as_of, 'run_id', run_id, 'upgrades', published.upgrades, 'downgrades', published.downgrades,
            'coming_downgrades', published.coming_downgrades)::text);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.refresh_publish(name, bigint) IS 'internal: publish the ratings of a run, which takes over from the one before, and tell who listens';
