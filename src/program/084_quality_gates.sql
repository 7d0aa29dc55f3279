-- Quality gates: what a refresh asks of the orders it has read, before anything
-- is published.  One row a gate in <schema>.quality_gate; what came out in
-- <schema>.gate_result.  The share of bad rows has its limit in the settings
-- (max_bad_share), and is no row here: one truth.
--
-- Gates look at the day and at the rows alone, never at the clock: the same
-- orders pass or fail on any day that they are read.

CREATE FUNCTION customer_tier.known_gates() RETURNS TABLE (n int, gate text, threshold numeric, action text, is_share boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES (1, 'row_drop_share', 0.2, 'warn', true), (2, 'row_growth_share', 1, 'off', true),
           (3, 'customers_drop_share', 0.2, 'warn', true), (4, 'freshness_days', 3, 'off', false)
$$;
COMMENT ON FUNCTION customer_tier.known_gates() IS 'internal: the quality gates that there are, and how a new program has them';

CREATE FUNCTION customer_tier.create_gate_tables(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.quality_gate (
    gate text PRIMARY KEY,
    threshold numeric NOT NULL CHECK (threshold BETWEEN 0 AND 1000000),
    action text NOT NULL CHECK (action IN ('stop', 'warn', 'off'))
);
COMMENT ON TABLE %1$I.quality_gate IS 'what a refresh asks of the orders before it publishes; edit it, the next refresh follows. A gate without a row is off. The share of bad rows is settings.max_bad_share';
COMMENT ON COLUMN %1$I.quality_gate.gate IS 'row_drop_share, row_growth_share = the source has fewer, more rows than at the run published last; customers_drop_share = it has fewer customers with orders; freshness_days = days from the newest order to as_of';
COMMENT ON COLUMN %1$I.quality_gate.threshold IS 'the gate fails above it: a share of what there was, 0.2 = 20 %%, or days';
COMMENT ON COLUMN %1$I.quality_gate.action IS 'what a refresh does then: stop = it publishes nothing and fails; warn = it says so and goes on; off = it does not look';
INSERT INTO %1$I.quality_gate (gate, threshold, action) SELECT known.gate, known.threshold, known.action FROM customer_tier.known_gates() AS known ORDER BY known.n;

CREATE TABLE %1$I.gate_result (
    run_id bigint NOT NULL REFERENCES %1$I.run ON DELETE CASCADE,
    gate text NOT NULL,
    measured numeric,
    earlier numeric,
    value numeric,
    threshold numeric NOT NULL,
    passed boolean NOT NULL,
    action text NOT NULL,
    PRIMARY KEY (run_id, gate)
);
COMMENT ON TABLE %1$I.gate_result IS 'how the quality gates of each published run came out; of a run that one stopped, run.error says it';
COMMENT ON COLUMN %1$I.gate_result.run_id IS 'the run';
COMMENT ON COLUMN %1$I.gate_result.gate IS 'the gate, as in quality_gate';
COMMENT ON COLUMN %1$I.gate_result.measured IS 'rows or customers of the source, or days';
COMMENT ON COLUMN %1$I.gate_result.earlier IS 'the same at the run published before; NULL = there was none, or the gate does not compare';
COMMENT ON COLUMN %1$I.gate_result.value IS 'what was held against the threshold: the share by which they fell or grew, below zero the other way, 6 decimals; or days; NULL = nothing to compare with';
COMMENT ON COLUMN %1$I.gate_result.threshold IS 'the threshold that was in force';
COMMENT ON COLUMN %1$I.gate_result.passed IS 'whether it passed';
COMMENT ON COLUMN %1$I.gate_result.action IS 'stop or warn';
$ddl$, schema);
END
$$;
COMMENT ON FUNCTION customer_tier.create_gate_tables(name) IS 'internal: the tables of a program''s quality gates';

CREATE FUNCTION customer_tier.gate_problems(schema name) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
$query$
    SELECT '22023', format('quality gate "%%s" is not known', kept.gate),
           format('The gates are %%s; DELETE FROM %%s WHERE gate = %%L;', (SELECT string_agg(known.gate, ', ' ORDER BY known.n) FROM customer_tier.known_gates() AS known), %2$L, kept.gate)
      FROM %1$I.quality_gate AS kept
     WHERE kept.gate NOT IN (SELECT known.gate FROM customer_tier.known_gates() AS known)
     ORDER BY kept.gate
$query$, schema, format('%I.quality_gate', schema));
END
$$;
COMMENT ON FUNCTION customer_tier.gate_problems(name) IS 'internal: rows of quality_gate that no refresh would look at; no row = none';

CREATE FUNCTION customer_tier.check_gates(schema name, run_id bigint, customers_more bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    this_run record;
    published record;
    customers bigint;
    newest_day date;
    gate record;
    message text;
    what_to_do text;
    stop_message text;
    stop_hint text;
    others text[] := '{}';
BEGIN
    EXECUTE format('SELECT run.as_of, run.rows_read FROM %I.run WHERE run.run_id = $1', schema) INTO this_run USING run_id;
    EXECUTE format('SELECT run.run_id, run.as_of, run.rows_read, run.customers_read FROM %I.run WHERE run.is_current', schema) INTO published;
    customers := published.customers_read + customers_more;
    IF customers IS NULL THEN
        EXECUTE format('SELECT count(history.history) FROM %I.history', schema) INTO customers;
    END IF;
    EXECUTE format('UPDATE %I.run SET customers_read = $2 WHERE run.run_id = $1', schema) USING run_id, customers;

    FOR gate IN EXECUTE format(
$query$
    SELECT known.n, known.is_share, kept.gate, kept.threshold, kept.action, CAST(NULL AS numeric) AS measured, CAST(NULL AS numeric) AS earlier,
           CAST(NULL AS numeric) AS value, false AS passed, CAST(NULL AS text) AS what
      FROM %I.quality_gate AS kept
      JOIN customer_tier.known_gates() AS known USING (gate)
     WHERE kept.action <> 'off'
     ORDER BY known.n
$query$, schema) LOOP
        CASE gate.gate
            WHEN 'row_drop_share', 'row_growth_share' THEN
                gate.measured := this_run.rows_read;
                gate.earlier := published.rows_read;
                gate.what := 'rows';
            WHEN 'customers_drop_share' THEN
                gate.measured := customers;
                gate.earlier := published.customers_read;
                gate.what := 'customers';
            WHEN 'freshness_days' THEN
                EXECUTE format('SELECT max(customer_tier.last_day(history.history, $1)) FROM %I.history', schema) INTO newest_day USING this_run.as_of;
                gate.measured := this_run.as_of - newest_day;
        END CASE;
        gate.value := CASE WHEN NOT gate.is_share THEN gate.measured
                           WHEN gate.gate = 'row_growth_share' THEN gate.measured / nullif(gate.earlier, 0) - 1
                           ELSE 1 - gate.measured / nullif(gate.earlier, 0) END;
        -- Without a run before there is nothing to compare with; without an order nothing is fresh.
        gate.passed := CASE WHEN gate.is_share THEN (gate.value <= gate.threshold) IS NOT FALSE ELSE (gate.value <= gate.threshold) IS TRUE END;
        EXECUTE format('INSERT INTO %I.gate_result (run_id, gate, measured, earlier, value, threshold, passed, action) VALUES ($1, $2, $3, $4, round($5, 6), $6, $7, $8)', schema)
            USING run_id, gate.gate, gate.measured, gate.earlier, gate.value, gate.threshold, gate.passed, gate.action;
        -- An empty source has had its warning.
        CONTINUE WHEN gate.passed OR (gate.action = 'warn' AND gate.is_share AND this_run.rows_read = 0);

        message := CASE
            WHEN gate.is_share THEN
                format('%I.%I has %s %s, %s %% %s than the %s of run %s (as of %s); %s %% are allowed', s.source_schema, s.source_name, gate.measured, gate.what, round(100 * gate.value, 2),
                       CASE gate.gate WHEN 'row_growth_share' THEN 'more' ELSE 'fewer' END, gate.earlier, published.run_id, published.as_of, trim_scale(100 * gate.threshold))
            WHEN gate.value IS NULL THEN format('%I.%I has no order up to %s', s.source_schema, s.source_name, this_run.as_of)
            ELSE format('the newest order of %I.%I is of %s, %s days before %s; %s are allowed', s.source_schema, s.source_name, newest_day, gate.value, this_run.as_of, trim_scale(gate.threshold)) END;
        what_to_do := CASE WHEN gate.value IS NULL THEN format('UPDATE %I.quality_gate SET action = %L WHERE gate = %L;', schema, CASE gate.action WHEN 'stop' THEN 'warn' ELSE 'off' END, gate.gate)
                           ELSE format('UPDATE %I.quality_gate SET threshold = %s WHERE gate = %L;', schema, trim_scale(CASE WHEN gate.is_share THEN ceil(100 * gate.value) / 100 ELSE gate.value END), gate.gate) END;
        IF gate.action = 'warn' THEN
            RAISE WARNING USING MESSAGE = format('quality gate "%s": %s', gate.gate, message),
                HINT = format('If that is right: %s to stop there instead, set action = ''stop''.', what_to_do);
        ELSIF stop_message IS NULL THEN
            stop_message := format('quality gate "%s" stops the refresh: %s', gate.gate, message);
            stop_hint := format('Nothing was published. Is the source complete? If that is right: %s then refresh again.', what_to_do);
        ELSE
            others := others || format('quality gate "%s": %s', gate.gate, message);
        END IF;
    END LOOP;
    IF others <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = stop_message, DETAIL = array_to_string(others, E'\n'), HINT = stop_hint;
    ELSIF stop_message IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = stop_message, HINT = stop_hint;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.check_gates(name, bigint, bigint) IS 'internal: hold what a run has read against the quality gates; customers_more is how many customers have a history that had none at the published run, NULL = they are counted; called when run.rows_read and the histories are as they will be published';
