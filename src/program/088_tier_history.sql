-- What the history of tiers answers, how it is checked, how evaluations that
-- should not have been are taken back, and how its events are handed out.

CREATE FUNCTION customer_tier.tier_on(program text, customer text, day date) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    key_column record;
    tier text;
BEGIN
    IF day IS NULL OR NOT isfinite(day) THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN day IS NULL THEN '22004' ELSE '22008' END,
            MESSAGE = CASE WHEN day IS NULL THEN 'the day must not be NULL' ELSE format('nobody had a tier on %s', day) END,
            HINT = format('Give a day, such as the published one: SELECT as_of FROM %I.run WHERE is_current.', schema);
    END IF;
    PERFORM customer_tier.check_key(schema, customer);
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    -- The last row that begins by then, if it has not ended: rows do not overlap.
    EXECUTE format(
$query$
    SELECT CASE WHEN held.valid_to <= $2 THEN NULL ELSE held.tier END
      FROM %I.tier_history AS held
     WHERE held.customer_id %s CAST($1 AS %s) AND held.valid_from <= $2
     ORDER BY held.valid_from DESC
     LIMIT 1
$query$, schema, customer_tier.key_equality(key_column.base_type), format_type(key_column.type, -1))
        INTO tier USING customer, day;
    RETURN tier;
END
$$;
COMMENT ON FUNCTION customer_tier.tier_on(text, text, date) IS 'the tier (its code) in which a customer stood on a day; NULL when in none. Days after the published ones have the tier of today';

CREATE FUNCTION customer_tier.tier_on(program text, customer anynonarray, day date) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE AS $$
    SELECT customer_tier.tier_on($1, CAST($2 AS text), $3)
$$;
COMMENT ON FUNCTION customer_tier.tier_on(text, anynonarray, date) IS 'the same, with the customer key in its own type';

CREATE FUNCTION customer_tier.unreadable_states(schema name) RETURNS TABLE (customer_id text, state text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    one record;
BEGIN
    -- All at once, as they are as a rule; one by one only to find the culprits.
    EXECUTE format('SELECT count(CAST(rating.state_before AS customer_tier.tier_state)) FROM %I.rating', schema) INTO one;
EXCEPTION
    WHEN data_exception THEN
        FOR one IN EXECUTE format('SELECT CAST(rating.customer_id AS text) AS customer_id, rating.state_before AS state FROM %I.rating WHERE rating.state_before IS NOT NULL', schema) LOOP
            BEGIN
                PERFORM CAST(one.state AS customer_tier.tier_state);
            EXCEPTION
                WHEN data_exception THEN
                    customer_id := one.customer_id;
                    state := one.state;
                    RETURN NEXT;
            END;
        END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.unreadable_states(name) IS 'internal: ratings whose state_before is no tier_state; no row = none';

CREATE FUNCTION customer_tier.tier_history_problems(schema name) RETURNS TABLE (problem text, customer_id text, detail text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
BEGIN
    RETURN QUERY EXECUTE format(
$query$
    WITH held AS MATERIALIZED (
        SELECT held.*,
               lead(held.valid_from) OVER one_customer AS next_from,
               lead(held.previous_tier) OVER one_customer AS next_previous,
               count(*) FILTER (WHERE held.valid_to IS NULL) OVER (PARTITION BY held.customer_id) AS open_rows
          FROM %1$I.tier_history AS held
        WINDOW one_customer AS (PARTITION BY held.customer_id ORDER BY held.valid_from)
    ), listed AS (
        SELECT terms.terms_id, listed.tier->>'code' AS code, listed.n
          FROM %1$I.tier_terms AS terms, jsonb_array_elements(terms.terms->'tiers') WITH ORDINALITY AS listed (tier, n)
    ), found AS (
        SELECT 1 AS kind, 'a row ends before it starts' AS problem, CAST(held.customer_id AS text) AS customer_id,
               format('%%s from %%s to %%s', held.tier, held.valid_from, held.valid_to) AS detail
          FROM held
         WHERE held.valid_to <= held.valid_from
        UNION ALL
        SELECT 2, 'rows overlap', CAST(held.customer_id AS text),
               format('%%s from %%s to %%s, and the next from %%s', held.tier, held.valid_from, coalesce(held.valid_to::text, 'today'), held.next_from)
          FROM held
         WHERE held.valid_to > held.next_from OR (held.valid_to IS NULL AND held.next_from IS NOT NULL)
        UNION ALL
        -- Who left and came back has no tier before.
        SELECT 3, 'a gap between rows', CAST(held.customer_id AS text),
               format('%%s to %%s, and the next from %%s', held.tier, held.valid_to, held.next_from)
          FROM held
         WHERE held.valid_to < held.next_from AND held.next_previous IS NOT NULL
        UNION ALL
        SELECT 4, 'more than one open row', CAST(min(CAST(held.customer_id AS text)) AS text), format('%%s rows', count(*))
          FROM held
         WHERE held.valid_to IS NULL AND held.open_rows > 1
         GROUP BY held.customer_id
        UNION ALL
        SELECT 5, 'rated, but without an open row', CAST(rating.customer_id AS text), format('%%s since %%s', rating.tier, rating.tier_since)
          FROM %1$I.rating
         WHERE NOT EXISTS (SELECT FROM %1$I.tier_history AS open WHERE open.customer_id %2$s rating.customer_id AND open.valid_to IS NULL)
        UNION ALL
        SELECT 6, 'an open row, but not rated', CAST(held.customer_id AS text), format('%%s since %%s', held.tier, held.valid_from)
          FROM held
         WHERE held.valid_to IS NULL AND NOT EXISTS (SELECT FROM %1$I.rating WHERE rating.customer_id %2$s held.customer_id)
        UNION ALL
        SELECT 7, 'rating and history differ', CAST(held.customer_id AS text),
               format('rated %%s since %%s, in the history %%s since %%s', rating.tier, rating.tier_since, held.tier, held.valid_from)
          FROM held
          JOIN %1$I.rating ON rating.customer_id %2$s held.customer_id
         WHERE held.valid_to IS NULL AND (rating.tier, rating.tier_since) IS DISTINCT FROM (held.tier, held.valid_from)
        UNION ALL
        SELECT 8, 'a tier or rank that its terms do not know', CAST(held.customer_id AS text),
               format('%%s of rank %%s from %%s, terms %%s', held.tier, held.tier_rank, held.valid_from, held.terms_id)
          FROM held
         WHERE held.terms_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM listed WHERE listed.terms_id = held.terms_id AND listed.code = held.tier AND listed.n = held.tier_rank)
        UNION ALL
        SELECT 8, 'a tier or rank that the terms of the published run do not know', CAST(rating.customer_id AS text),
               format('%%s of rank %%s, terms %%s', rating.tier, rating.tier_rank, published.terms_id)
          FROM %1$I.rating
          JOIN %1$I.run AS published ON published.is_current AND published.terms_id IS NOT NULL
         WHERE NOT EXISTS (SELECT FROM listed WHERE listed.terms_id = published.terms_id AND listed.code = rating.tier AND listed.n = rating.tier_rank)
        UNION ALL
        SELECT 9, 'state_before cannot be read', unreadable.customer_id, unreadable.state
          FROM customer_tier.unreadable_states(%3$L) AS unreadable
    )
    SELECT found.problem, found.customer_id, found.detail
      FROM found
     ORDER BY found.kind, found.customer_id COLLATE "C", found.detail COLLATE "C"
$query$, schema, equality, schema);
END
$$;
COMMENT ON FUNCTION customer_tier.tier_history_problems(name) IS 'internal: what is wrong with the history of tiers, beside the ratings; no row = nothing. Refreshes write neither overlaps nor gaps; edits by hand may';

CREATE FUNCTION customer_tier.forget_tiers(schema name) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rated bigint;
BEGIN
    EXECUTE format(
$query$
    WITH taken AS (
        DELETE FROM %1$I.tier_history AS held RETURNING held.*
    )
    INSERT INTO %1$I.tier_correction (customer_id, valid_from, valid_to, tier, tier_rank, reason, score, previous_tier, changed_by, was_correction, terms_id, first_run_id)
    SELECT taken.customer_id, taken.valid_from, taken.valid_to, taken.tier, taken.tier_rank, taken.reason, taken.score,
           taken.previous_tier, taken.changed_by, taken.is_correction, taken.terms_id, taken.run_id
      FROM taken
$query$, schema);
    EXECUTE format('DELETE FROM %I.rating', schema);
    GET DIAGNOSTICS rated = ROW_COUNT;
    IF NOT (customer_tier.program_settings(schema)).is_distributed THEN
        EXECUTE format('DELETE FROM %I.rating_score', schema);
    END IF;
    EXECUTE format('UPDATE %I.tier_event SET acknowledged_at = now(), acknowledged_by = ''rewind_tiers'' WHERE tier_event.acknowledged_at IS NULL', schema);
    EXECUTE format('UPDATE %I.run SET is_current = false WHERE run.is_current', schema);
    RETURN rated;
END
$$;
COMMENT ON FUNCTION customer_tier.forget_tiers(name) IS 'internal: take back all evaluations: nobody has a rating until the next refresh, which begins anew';

CREATE FUNCTION customer_tier.rewind_tiers(program text, day date) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema name := customer_tier.program_schema(program);
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
    is_distributed boolean := (customer_tier.program_settings(schema)).is_distributed;
    scores record;
    published record;
    kept record;
    changed bigint;
BEGIN
    IF NOT pg_has_role((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = schema), 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be owner of program "%s"', program), HINT = format('It belongs to the owner of schema "%s".', schema);
    ELSIF day IS NULL OR NOT isfinite(day) THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN day IS NULL THEN '22004' ELSE '22008' END,
            MESSAGE = CASE WHEN day IS NULL THEN 'the day must not be NULL' ELSE format('tiers cannot be taken back to %s', day) END,
            HINT = 'Give the last day whose tiers are right; evaluations after it are taken back.';
    END IF;
    PERFORM customer_tier.refresh_lock(schema, 0);
    EXECUTE format('SELECT run.run_id, run.as_of FROM %I.run WHERE run.is_current', schema) INTO published;
    IF published.run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" has no published ratings', program), HINT = format('CALL customer_tier.refresh(%L);', program);
    ELSIF day > published.as_of THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s is later than the published ratings, which are as of %s', day, published.as_of),
            HINT = format('To go on to it: CALL customer_tier.refresh(%L, %L);', program, day);
    END IF;
    -- The last evaluation up to the day: each run names the day evaluated before
    -- it, and what was taken back earlier is named by none.  Where the record of a
    -- run was deleted, the history knows the days on which somebody moved.
    EXECUTE format(
$query$
    WITH RECURSIVE evaluated AS (
        SELECT run.run_id, run.as_of, run.previous_as_of, run.upgrades, run.downgrades
          FROM %1$I.run
         WHERE run.is_current
        UNION ALL
        SELECT before.run_id, before.as_of, before.previous_as_of, before.upgrades, before.downgrades
          FROM evaluated
         CROSS JOIN LATERAL (SELECT run.*
                               FROM %1$I.run
                              WHERE run.kind = 'refresh' AND run.status = 'published' AND run.as_of = evaluated.previous_as_of AND run.run_id < evaluated.run_id
                              ORDER BY run.run_id DESC
                              LIMIT 1) AS before
         WHERE evaluated.as_of > $1
    )
    SELECT coalesce(evaluated.as_of, recorded.day) AS as_of, evaluated.previous_as_of, evaluated.upgrades, evaluated.downgrades
      FROM (SELECT max(held.valid_from) AS day FROM %1$I.tier_history AS held WHERE held.valid_from <= $1) AS recorded
      LEFT JOIN evaluated ON evaluated.as_of <= $1
$query$, schema) INTO kept USING day;
    IF kept.as_of IS NULL THEN
        RETURN customer_tier.forget_tiers(schema);
    ELSIF kept.as_of = published.as_of THEN
        RETURN 0;
    END IF;

    EXECUTE format(
$query$
    WITH taken AS (
        DELETE FROM %1$I.tier_history AS held WHERE held.valid_from > $1
        RETURNING held.*
    ), kept AS (
        INSERT INTO %1$I.tier_correction (customer_id, valid_from, valid_to, tier, tier_rank, reason, score, previous_tier, changed_by, was_correction, terms_id, first_run_id)
        SELECT taken.customer_id, taken.valid_from, taken.valid_to, taken.tier, taken.tier_rank, taken.reason, taken.score,
               taken.previous_tier, taken.changed_by, taken.is_correction, taken.terms_id, taken.run_id
          FROM taken
        RETURNING 1
    )
    SELECT count(*) FROM kept
$query$, schema) USING kept.as_of;
    -- Who is not in the ratings any more was gone by that day already: nothing
    -- is known of him that could be rated.
    EXECUTE format(
$query$
    WITH gone AS (
        SELECT held.*
          FROM %1$I.tier_history AS held
         WHERE held.valid_to > $1 AND NOT EXISTS (SELECT FROM %1$I.rating WHERE rating.customer_id %2$s held.customer_id)
    ), kept AS (
        INSERT INTO %1$I.tier_correction (customer_id, valid_from, valid_to, tier, tier_rank, reason, score, previous_tier, changed_by, was_correction, terms_id, first_run_id)
        SELECT gone.customer_id, gone.valid_from, gone.valid_to, gone.tier, gone.tier_rank, gone.reason, gone.score,
               gone.previous_tier, gone.changed_by, gone.is_correction, gone.terms_id, gone.run_id
          FROM gone
    ), begun_then AS (
        DELETE FROM %1$I.tier_history AS held USING gone WHERE held.customer_id %2$s gone.customer_id AND held.valid_from = gone.valid_from AND gone.valid_from = $1
    )
    UPDATE %1$I.tier_history AS held SET valid_to = $1
      FROM gone
     WHERE held.customer_id %2$s gone.customer_id AND held.valid_from = gone.valid_from AND gone.valid_from < $1
$query$, schema, equality) USING kept.as_of;
    EXECUTE format('UPDATE %I.tier_history AS held SET valid_to = NULL WHERE held.valid_to > $1', schema) USING kept.as_of;

    SELECT r.* INTO scores FROM customer_tier.rewind_scores(schema, is_distributed) AS r;
    -- What is not in the history of a rating (what its rule said, what was
    -- pending) begins anew; its numbers stay those of the run.
    EXECUTE format(
$query$
    WITH known AS (
        %3$s
    ), stood AS (
        SELECT rating.customer_id, %6$s rating.tier AS old_tier, rating.tier_since AS old_since,
               held.tier, coalesce(known.tier_rank, held.tier_rank) AS tier_rank, held.valid_from, held.previous_tier, held.terms_id,
               CASE WHEN held.reason <> 'initial' THEN held.reason WHEN held.tier_rank > 1 THEN 'qualified'
                    WHEN rating.segment = 'prospects' THEN 'prospect' WHEN rating.score IS NULL THEN 'unrated' ELSE 'base' END AS reason
          FROM %1$I.scored_rating AS rating%7$s
          LEFT JOIN %1$I.tier_history AS held ON held.customer_id %2$s rating.customer_id AND held.valid_to IS NULL
          LEFT JOIN known ON known.is_present AND known.code = held.tier
    ), unrated AS (
        DELETE FROM %1$I.rating USING stood WHERE rating.customer_id %2$s stood.customer_id AND stood.tier IS NULL
        RETURNING 1
    )%4$s, rated AS (
        UPDATE %1$I.rating
           SET tier = stood.tier, tier_rank = stood.tier_rank, tier_since = stood.valid_from, previous_tier = stood.previous_tier,
               tier_reason = stood.reason, terms_id = stood.terms_id,
               amount_to_next_tier = CASE WHEN stood.tier = stood.old_tier THEN rating.amount_to_next_tier END,
               %5$s amount_to_stay = NULL, drops_on = NULL,
               up_runs = 0, up_since = NULL, down_runs = 0, down_since = NULL, state_before = NULL
          FROM stood
         WHERE rating.customer_id %2$s stood.customer_id AND stood.tier IS NOT NULL
        RETURNING (stood.old_tier, stood.old_since) IS DISTINCT FROM (stood.tier, stood.valid_from) AS has_moved
    )
    SELECT (SELECT count(*) FROM unrated) + (SELECT count(*) FROM rated WHERE rated.has_moved)
$query$, schema, equality, customer_tier.known_tiers_query(schema), scores.ctes, scores.assignments,
        CASE WHEN is_distributed THEN '' ELSE 'placed.place,' END,
        CASE WHEN is_distributed THEN '' ELSE format(E'\n          JOIN %I.rating AS placed ON placed.customer_id %s rating.customer_id', schema, equality) END) INTO changed USING kept.as_of;

    -- Events of what did not happen are not handed out any more.
    EXECUTE format('UPDATE %I.tier_event SET acknowledged_at = now(), acknowledged_by = ''rewind_tiers'' WHERE tier_event.as_of > $1 AND tier_event.acknowledged_at IS NULL', schema)
        USING kept.as_of;
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET as_of = $2, previous_as_of = $3, upgrades = $4, downgrades = $5,
           customers = rated.customers, prospects = rated.prospects
      FROM (SELECT count(*) AS customers, count(*) FILTER (WHERE rating.segment = 'prospects') AS prospects FROM %1$I.rating) AS rated
     WHERE run.run_id = $1
$query$, schema) USING published.run_id, kept.as_of, kept.previous_as_of, kept.upgrades, kept.downgrades;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION customer_tier.rewind_tiers(text, date) IS
    'take back the evaluations after a day, such as those of a refresh with a wrong, too late as_of: everybody stands again where he stood, what is taken back is kept in <schema>.tier_correction, customers who had no tier by then (all of them, when nothing was evaluated up to that day) have no rating until the next refresh, events nobody has taken are withdrawn, and what was pending begins anew. The last evaluation up to that day is the published one again, but the other columns of the ratings stay those of the run taken back until the next refresh: CALL refresh() at once. Returns how many customers changed';

CREATE FUNCTION customer_tier.acknowledge_events(program text, worker text, at_most int DEFAULT 100)
RETURNS TABLE (event_id bigint, as_of date, kind text, customer_id text, from_tier text, to_tier text, reason text, due date)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    schema name := customer_tier.program_schema(program);
BEGIN
    IF worker IS NULL OR worker = '' THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN worker IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = CASE WHEN worker IS NULL THEN 'the name of the worker must not be NULL' ELSE 'the name of the worker must not be empty' END,
            HINT = 'It is kept with the events, to tell later who took them.';
    ELSIF at_most IS NULL OR at_most < 1 THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN at_most IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = format('at_most must be 1 or more, not %s', coalesce(at_most::text, 'NULL')), HINT = 'Leave it out for 100 events at a time.';
    END IF;
    RETURN QUERY EXECUTE format(
$query$
    WITH waiting AS (
        SELECT event.event_id
          FROM %1$I.tier_event AS event
         WHERE event.acknowledged_at IS NULL
         ORDER BY event.event_id
         LIMIT $2
           FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE %1$I.tier_event AS event SET acknowledged_at = now(), acknowledged_by = $1
          FROM waiting
         WHERE event.event_id = waiting.event_id
        RETURNING event.*
    )
    SELECT taken.event_id, taken.as_of, taken.kind, CAST(taken.customer_id AS text), taken.from_tier, taken.to_tier, taken.reason, taken.due
      FROM taken
     ORDER BY taken.event_id
$query$, schema) USING worker, at_most;
END
$$;
COMMENT ON FUNCTION customer_tier.acknowledge_events(text, text, int) IS
    'take the next events that are waiting, in order, and mark them as taken: workers side by side get different ones, and what a worker''s transaction rolls back is waiting again';
