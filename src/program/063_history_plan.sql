-- Whether a refresh builds all histories or those that changed: what they were
-- built of is compared with what there is now (<schema>.tracking), and what the
-- planner says of the cost decides the rest.

CREATE FUNCTION customer_tier.built_of(schema name, s customer_tier.program_settings) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- The row version of a trigger changes when it is disabled and enabled
    -- again, the file of a table when it is rewritten or truncated.
    WITH relation AS (
        SELECT DISTINCT t.tracked AS oid, t.kind
          FROM customer_tier.source_relations(to_regclass(format('%I.%I', s.source_schema, s.source_name))) r, customer_tier.tracked_tables(r.relation) t
    )
    SELECT jsonb_build_object(
        'settings', md5(ROW(s.customer, s.at, s.amount, s.order_id, s.margin_column, CASE WHEN s.margin_column IS NOT NULL THEN s.margin END, s.time_zone,
                            s.tracking, s.track_schema, s.track_name, s.track_customer, s.watermark,
                            s.currency, s.rates_schema, s.rates_name, s.identities_schema, s.identities_name)::text),
        'rates and identities', customer_tier.source_fingerprint(schema, s),
        'source', (SELECT md5(string_agg(concat_ws(' ', r.oid::oid, r.kind, c.relrowsecurity, c.relforcerowsecurity, CASE WHEN r.kind = 'v' THEN pg_get_viewdef(r.oid) END,
                                                   (SELECT string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod), ',' ORDER BY a.attnum)
                                                      FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
                                                   (SELECT string_agg(concat_ws(' ', p.oid, p.xmin), ',' ORDER BY p.oid) FROM pg_policy p WHERE p.polrelid = r.oid)),
                                         E'\n' ORDER BY r.oid::oid))
                     FROM relation r JOIN pg_class c ON c.oid = r.oid),
        'tables', (SELECT md5(string_agg(format('%s %s', r.oid::oid, pg_relation_filenode(r.oid)), ',' ORDER BY r.oid::oid)) FROM relation r),
        'triggers', (SELECT md5(string_agg(format('%s %s %s', t.trigger_oid, t.version, t.is_right), ',' ORDER BY t.trigger_oid, t.tracked, t.event)) FROM customer_tier.tracking_triggers(schema, s) t),
        'records', (SELECT md5(string_agg(concat_ws(' ', n.oid, n.xmin, c.oid, CASE c.relname WHEN 'touched' THEN c.xmin::text END, CASE c.relkind WHEN 'r' THEN pg_relation_filenode(c.oid) END), ',' ORDER BY c.oid))
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE s.tracking <> 'full' AND n.nspname = schema AND c.relname IN ('touched', 'lost_changes', 'history', 'tracking')))
$$;
COMMENT ON FUNCTION customer_tier.built_of(name, customer_tier.program_settings) IS 'internal: what histories depend on besides the rows of the source; parts are compared to say what changed';

CREATE FUNCTION customer_tier.untracked_tables(schema name, s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(DISTINCT t.tracked::text, ', ') FROM customer_tier.tracking_triggers(schema, s) t WHERE t.is_right IS NOT TRUE
$$;
COMMENT ON FUNCTION customer_tier.untracked_tables(name, customer_tier.program_settings) IS 'internal: tables without the triggers that should be on them; NULL = none';

CREATE FUNCTION customer_tier.lost_changes(schema name) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass(format('%I.lost_changes', schema)) AND c.relkind = 'S') THEN
        EXECUTE format('SELECT own.last_value + own.is_called::int + everybody.last_value + everybody.is_called::int FROM %I.lost_changes AS own, customer_tier.lost_changes AS everybody', schema) INTO last;
    END IF;
    RETURN last;
END
$$;
COMMENT ON FUNCTION customer_tier.lost_changes(name) IS 'internal: how often a change could not be written down; NULL = nobody counts';

CREATE FUNCTION customer_tier.changes_cost_more(schema name, s customer_tier.program_settings, customers bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one_key text;
    plan json;
    one float8;
    everything float8;
    all_customers float8 := (SELECT greatest(c.reltuples, 1) FROM pg_class c WHERE c.oid = format('%I.history', schema)::regclass);
    rows_each float8;
BEGIN
    IF s.is_distributed THEN
        EXECUTE format('SELECT count(*) FROM %I.history', schema) INTO all_customers;
        RETURN customers > greatest(1000, 0.05 * all_customers);    -- the planner knows no costs of workers
    ELSIF customers = 0 THEN
        RETURN false;
    ELSIF customers > greatest(1000, 0.05 * all_customers) THEN
        RETURN true;        -- as measured, with the orders in memory
    END IF;
    -- By the planner's costs: through an index one customer costs little; where
    -- there is none, or a view is in the way, as much as everybody.
    EXECUTE format('SELECT quote_literal(CAST(kept.customer_id AS text)) FROM %I.history AS kept LIMIT 1', schema) INTO one_key;
    IF one_key IS NULL THEN
        RETURN true;
    END IF;
    -- Rates and identities are joined once for all of them.
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || CASE WHEN customer_tier.has_source_rows(s)
        THEN format('SELECT source.%I, source.%I, source.%I FROM %I.%I AS source WHERE source.%I %s ANY (ARRAY(%s))', s.customer, s.at, s.amount, s.source_schema, s.source_name,
                    s.customer, customer_tier.source_key_equality(s), customer_tier.source_keys(s, one_key))
        ELSE customer_tier.source_query(s, one_key) END INTO plan;
    one := plan->0->'Plan'->>'Total Cost';
    -- The planner guesses how many rows a customer has; we know.
    EXECUTE format('SELECT greatest(tracking.source_rows, 1) / $1 FROM %I.tracking', schema) INTO rows_each USING all_customers;
    one := one * least(1, rows_each / (SELECT greatest(max(CAST(r AS float8)), 1) FROM jsonb_path_query(plan::jsonb, '$.**."Plan Rows"') AS r));
    s := customer_tier.effective_source(s);
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT source.%I, source.%I, source.%I FROM %I.%I AS source', s.customer, s.at, s.amount, s.source_schema, s.source_name) INTO plan;
    everything := plan->0->'Plan'->>'Total Cost';
    -- Building all of them takes a dozen times the scan: sorting, and comparing
    -- with what is stored.
    RETURN customers * one > 12 * everything;
END
$$;
COMMENT ON FUNCTION customer_tier.changes_cost_more(name, customer_tier.program_settings, bigint) IS 'internal: whether so many customers, read one by one, cost more than reading everybody';

CREATE FUNCTION customer_tier.reason_to_build_all(schema name, s customer_tier.program_settings, now_built_of jsonb, now_lost_changes bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept record;
    touched record;
    untracked text := customer_tier.untracked_tables(schema, s);
BEGIN
    IF s.tracking = 'full' THEN
        RETURN 'tracking is full';
    ELSIF untracked IS NOT NULL THEN
        RETURN 'there are no triggers on ' || untracked;
    END IF;
    EXECUTE format('SELECT * FROM %I.tracking', schema) INTO kept;
    IF kept.built_of IS NULL THEN
        RETURN 'it is the first';
    ELSIF kept.built_of <> now_built_of THEN
        RETURN (SELECT 'not as they were: ' || string_agg(key, ', ' ORDER BY key) FROM jsonb_object_keys(now_built_of || kept.built_of) key
                 WHERE now_built_of->key IS DISTINCT FROM kept.built_of->key);
    ELSIF now_lost_changes IS DISTINCT FROM kept.lost_changes THEN
        RETURN 'changes could not be written down';
    ELSIF kept.settled_after IS NOT NULL THEN
        RETURN 'changes may not have been written down by transactions that were under way';
    ELSIF s.tracking = 'triggers' THEN
        EXECUTE format('SELECT coalesce(bool_or(t.keys IS NULL), false) AS everything, coalesce(sum(cardinality(t.keys)), 0) AS keys FROM %I.touched AS t WHERE t.trigger_oid = ANY ($1)', schema)
            INTO touched USING kept.triggers;
        IF touched.everything THEN
            RETURN 'a statement changed too much, or the table was truncated';
        ELSIF touched.keys > 100000 + kept.source_rows THEN
            RETURN 'too many changes';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION customer_tier.reason_to_build_all(name, customer_tier.program_settings, jsonb, bigint) IS 'internal: why the next refresh has to build all histories; NULL = it need not';

CREATE FUNCTION customer_tier.history_plan(schema name, run_id bigint, OUT build text, OUT reason text, OUT built_of jsonb, OUT triggers oid[], OUT lost_changes bigint, OUT settled_after text, OUT watermark text, OUT kept_watermark text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    customers bigint;
    is_asked_for boolean;
    kept_settled text;
    kept_lost bigint;
    untracked text := customer_tier.untracked_tables(schema, s);
BEGIN
    PERFORM customer_tier.mend_tracking(schema, s);
    -- What is true before the rows are read: what becomes true meanwhile is for
    -- the next refresh to find.
    built_of := customer_tier.built_of(schema, s);
    triggers := coalesce((SELECT array_agg(t.trigger_oid ORDER BY t.trigger_oid) FROM customer_tier.tracking_triggers(schema, s) t WHERE t.is_right), '{}');
    lost_changes := customer_tier.lost_changes(schema);
    watermark := customer_tier.highest_watermark(customer_tier.effective_source(s));
    build := 'full';
    EXECUTE format('SELECT tracking.watermark, tracking.settled_after, tracking.lost_changes FROM %I.tracking', schema) INTO kept_watermark, kept_settled, kept_lost;
    kept_lost := coalesce(kept_lost, lost_changes);
    EXECUTE format('SELECT run.full_build FROM %I.run WHERE run.run_id = $1', schema) INTO is_asked_for USING run_id;
    IF untracked IS NOT NULL THEN
        RAISE WARNING USING
            MESSAGE = format('changes of %s are not tracked', untracked),
            HINT = format('SELECT customer_tier.track(%L) puts the triggers there; until then every refresh reads everything.', s.program);
    END IF;

    reason := customer_tier.reason_to_build_all(schema, s, built_of, lost_changes);
    -- Whoever could not write something down may commit after this refresh has looked.
    settled_after := CASE WHEN lost_changes IS DISTINCT FROM kept_lost THEN customer_tier.next_transaction_id()::text
                          WHEN pg_snapshot_xmin(pg_current_snapshot()) < kept_settled::xid8 THEN kept_settled END;
    IF is_asked_for AND s.tracking <> 'full' THEN
        reason := 'it was asked for';
    END IF;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    IF s.tracking = 'watermark' THEN
        customers := customer_tier.customers_above_watermark(customer_tier.effective_source(s), kept_watermark);
    ELSE
        EXECUTE format('SELECT count(DISTINCT key) FROM %I.touched AS t, unnest(t.keys) AS key WHERE t.trigger_oid = ANY ($1)%s', schema,
                       CASE WHEN customer_tier.adds_rows(s) THEN ' AND t.ats IS NULL' ELSE '' END)
            INTO customers USING triggers;
    END IF;
    IF customer_tier.changes_cost_more(schema, s, customers) THEN
        reason := format('%s customers changed, to read everybody is cheaper', customers);
    ELSE
        build := 'changes';
        reason := format('%s customers to be read again', customers);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.history_plan(name, bigint) IS 'internal: whether a refresh builds all histories or those that changed, and why; and what to remember for the next';

CREATE FUNCTION customer_tier.watermark_condition(s customer_tier.program_settings, kept text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
    SELECT CASE WHEN kept IS NULL THEN format('source.%I IS NOT NULL', s.watermark)
                ELSE format('source.%I >= CAST(CAST(%L AS %s) - CAST(%L AS %s) AS %s)', s.watermark, kept, c.base_type,
                            coalesce(s.watermark_lag, CASE customer_tier.watermark_kind(s) WHEN 'interval' THEN '10 minutes' ELSE '10000' END), customer_tier.watermark_kind(s),
                            CASE customer_tier.watermark_kind(s) WHEN 'interval' THEN c.base_type::text ELSE 'numeric' END) END
      FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.watermark) c
$$;
COMMENT ON FUNCTION customer_tier.watermark_condition(customer_tier.program_settings, text) IS 'internal: the rows of the source that may be new since a watermark';

CREATE FUNCTION customer_tier.highest_watermark(s customer_tier.program_settings) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    highest text;
BEGIN
    IF s.tracking = 'watermark' THEN
        EXECUTE format('SELECT CAST(max(source.%1$I) AS text) FROM %2$I.%3$I AS source WHERE %4$s', s.watermark, s.source_schema, s.source_name,
                       -- A wrong clock in one row must not hide the others.
                       CASE customer_tier.watermark_kind(s)
                            WHEN 'interval' THEN format('isfinite(source.%1$I) AND source.%1$I <= %2$s', s.watermark,
                                CASE (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.watermark) c)
                                     WHEN 'timestamptz'::regtype THEN 'now()' ELSE format('timezone(%L, now()) + interval ''1 day''', s.time_zone) END)
                            ELSE format('source.%1$I - source.%1$I = 0', s.watermark) END) INTO highest;
    END IF;
    RETURN highest;
END
$$;
COMMENT ON FUNCTION customer_tier.highest_watermark(customer_tier.program_settings) IS 'internal: the highest watermark in the source; NULL when there is none';

CREATE FUNCTION customer_tier.customers_above_watermark(s customer_tier.program_settings, kept text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    customers bigint;
BEGIN
    EXECUTE format('SELECT count(DISTINCT source.%I) FROM %I.%I AS source WHERE %s', s.customer, s.source_schema, s.source_name, customer_tier.watermark_condition(s, kept))
        INTO customers;
    RETURN customers;
END
$$;
COMMENT ON FUNCTION customer_tier.customers_above_watermark(customer_tier.program_settings, text) IS 'internal: how many customers have rows that may be new since a watermark';

CREATE FUNCTION customer_tier.remember_build(schema name, run_id bigint, is_full boolean, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$query$
    INSERT INTO %1$I.tracking AS kept (built_at, run_id, built_of, triggers, lost_changes, settled_after, watermark, source_rows, bad_rows, rows_without_customer)
    SELECT clock_timestamp(), $1, $3->'built_of', f.triggers, coalesce(f.lost_changes, 0), f.settled_after, f.watermark, f.source_rows, f.bad_rows, f.rows_without_customer
      FROM jsonb_to_record($3) AS f (triggers oid[], lost_changes bigint, settled_after text, watermark text, source_rows bigint, bad_rows bigint, rows_without_customer bigint)
    ON CONFLICT (only_row) DO UPDATE
       SET built_at = CASE WHEN $2 THEN excluded.built_at ELSE kept.built_at END,
           run_id = CASE WHEN $2 THEN excluded.run_id ELSE kept.run_id END,
           built_of = excluded.built_of,
           triggers = excluded.triggers,
           lost_changes = excluded.lost_changes,
           settled_after = excluded.settled_after,
           watermark = excluded.watermark,
           source_rows = excluded.source_rows,
           bad_rows = excluded.bad_rows,
           rows_without_customer = excluded.rows_without_customer
$query$, schema) USING run_id, is_full, result;
END
$$;
COMMENT ON FUNCTION customer_tier.remember_build(name, bigint, boolean, jsonb) IS 'internal: keep what the histories were built of';
