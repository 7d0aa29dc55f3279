-- The settings that say how a refresh learns which customers changed, and
-- whether they can be followed.

CREATE FUNCTION customer_tier.tracked_relation(s customer_tier.program_settings) RETURNS regclass
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT to_regclass(format('%I.%I', coalesce(s.track_schema, s.source_schema), coalesce(s.track_name, s.source_name)))
$$;
COMMENT ON FUNCTION customer_tier.tracked_relation(customer_tier.program_settings) IS 'internal: the table whose changes triggers track; NULL when it does not exist';

CREATE FUNCTION customer_tier.tracked_tables(relation regclass) RETURNS TABLE (tracked regclass, kind "char")
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Partitions and inheritance children: a trigger of the parent does not see
    -- what is written to them directly.
    WITH RECURSIVE family (oid) AS (
        SELECT CAST(relation AS oid)
        UNION
        SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid
    )
    SELECT CAST(c.oid AS regclass), c.relkind FROM family f JOIN pg_class c ON c.oid = f.oid
$$;
COMMENT ON FUNCTION customer_tier.tracked_tables(regclass) IS 'internal: a table with all its partitions and children';

CREATE FUNCTION customer_tier.source_relations(source regclass) RETURNS TABLE (relation regclass, kind "char")
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE below (oid) AS (
        SELECT CAST(source AS oid)
        UNION
        SELECT d.refobjid
          FROM below b
          JOIN pg_rewrite r ON r.ev_class = b.oid
          JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    )
    SELECT CAST(c.oid AS regclass), c.relkind FROM below b JOIN pg_class c ON c.oid = b.oid
$$;
COMMENT ON FUNCTION customer_tier.source_relations(regclass) IS 'internal: a relation and all that it reads when it is a view';

CREATE FUNCTION customer_tier.not_row_by_row(source regclass, key name) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- As the server keeps views: a tree of nodes with named fields, as text.
    WITH view AS (
        SELECT r.relation, w.ev_action::text AS tree
          FROM customer_tier.source_relations(source) r
          JOIN pg_rewrite w ON w.ev_class = r.relation
         WHERE r.kind = 'v'
    ), called AS (
        SELECT DISTINCT v.relation, CAST(f.found[1] AS oid) AS oid FROM view v, regexp_matches(v.tree, E':(?:op)?funcid (\\d+)', 'g') AS f (found)
    ), found AS (
        SELECT 1 AS n, format('%s has %s', v.relation, what.name) AS reason
          FROM view v,
               (VALUES ('window functions', ':hasWindowFuncs true'), ('aggregates', ':hasAggs true'), ('DISTINCT', E':distinctClause \\('), ('GROUP BY', E':groupClause \\('),
                       ('LIMIT', E':limit(Count|Offset) \\{'), ('UNION or the like', E':setOperations \\{'), ('a recursive query', ':hasRecursive true'),
                       ('functions that return sets', ':hasTargetSRFs true'), ('TABLESAMPLE', E':tablesample \\{'), ('the date or the user of the session', E'\\{SQLVALUEFUNCTION ')) AS what (name, pattern)
         WHERE v.tree ~ what.pattern
        UNION ALL
        -- Those of the server depend on a setting at most, such as the time zone.
        SELECT 2, format('%s calls %s, which may give something else without any write', c.relation, p.oid::regprocedure)
          FROM called c JOIN pg_proc p ON p.oid = c.oid
         WHERE p.provolatile = 'v' OR p.provolatile = 's' AND (p.oid >= 16384 OR p.pronargs = 0 OR p.proname = 'current_setting')
        UNION ALL
        -- The key must be the table's: in a view of one table, at any depth, the
        -- server knows; in a join the view itself must name a column.
        SELECT 3, format('column "%s" of %s is computed', key, source)
          FROM view v JOIN pg_attribute a ON a.attrelid = source AND a.attname = key
         WHERE v.relation = source
           AND CASE WHEN pg_relation_is_updatable(source, false) & 4 <> 0 THEN NOT pg_column_is_updatable(source, a.attnum, false)
                    ELSE key ~ '^[a-z_0-9]+$' AND v.tree !~ format(E'\\{TARGETENTRY :expr \\{VAR [^{}]*\\} :resno \\d+ :resname %s ', key) END
    )
    SELECT reason FROM found ORDER BY n, reason LIMIT 1
$$;
COMMENT ON FUNCTION customer_tier.not_row_by_row(regclass, name) IS 'internal: why a change of one row of the table below a view may change what the view shows of other customers; NULL = it cannot, as far as the definition tells, or the source is a table';

CREATE FUNCTION customer_tier.watermark_kind(s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN c.base_type IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN 'interval'
                WHEN c.base_type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype) THEN 'numeric' END
      FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.watermark) c
$$;
COMMENT ON FUNCTION customer_tier.watermark_kind(customer_tier.program_settings) IS 'internal: the type of the lag of a watermark: interval or numeric; NULL = the column cannot be one';

CREATE FUNCTION customer_tier.tracking_settings_problems(s customer_tier.program_settings)
RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    tracked regclass := customer_tier.tracked_relation(s);
    tracked_name text := format('%I.%I', coalesce(s.track_schema, s.source_schema), coalesce(s.track_name, s.source_name));
    source_key record;
    tracked_key record;
    culprit regclass;
    reason text;
    lag_kind text;
BEGIN
    IF s.tracking IS NULL OR s.tracking NOT IN ('full', 'triggers', 'watermark') THEN
        RETURN QUERY SELECT '22023', format('tracking "%s" is not known (option "tracking")', coalesce(s.tracking, 'NULL')),
            'Use ''full'' (read everything each time), ''triggers'' or ''watermark''.'::text;
        RETURN;
    END IF;

    -- What needs the other.
    IF s.tracking <> 'triggers' AND (s.track_name IS NOT NULL OR s.track_customer IS NOT NULL) THEN
        RETURN QUERY SELECT '22023', format('option "%s" needs tracking => ''triggers''', CASE WHEN s.track_name IS NULL THEN 'track_customer' ELSE 'track' END),
            'Only triggers look at a table of their own.'::text;
    END IF;
    IF s.tracking <> 'watermark' AND (s.watermark IS NOT NULL OR s.watermark_lag IS NOT NULL) THEN
        RETURN QUERY SELECT '22023', format('option "%s" needs tracking => ''watermark''', CASE WHEN s.watermark IS NULL THEN 'watermark_lag' ELSE 'watermark' END),
            'Leave it out, or choose that tracking.'::text;
    END IF;

    IF s.tracking = 'watermark' THEN
        IF s.watermark IS NULL THEN
            RETURN QUERY SELECT '22004', 'tracking => ''watermark'' needs option "watermark"'::text,
                'Name a column of the source that only grows, such as modified_at or an id.'::text;
            RETURN;
        END IF;
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.column_problems('watermark', s.source_schema, s.source_name, s.watermark, 'key') p;
        IF FOUND THEN
            RETURN;
        END IF;
        lag_kind := customer_tier.watermark_kind(s);
        IF lag_kind IS NULL THEN
            RETURN QUERY SELECT '42804', format('column "%s" of %I.%I cannot be a watermark (option "watermark")', s.watermark, s.source_schema, s.source_name),
                'Use a column of type timestamptz, timestamp, date, bigint, integer, smallint or numeric.'::text;
            RETURN;
        END IF;
        IF lag_kind = 'interval' AND s.watermark_lag !~ E'^\\s*(\\d{1,9}\\s*(seconds?|minutes?|hours?|days?|weeks?)\\s*)+$'
           OR lag_kind = 'numeric' AND s.watermark_lag !~ E'^\\s*\\d{1,18}(\\.\\d{1,18})?\\s*$' THEN
            RETURN QUERY SELECT '22023', format('"%s" is no lag of a watermark (option "watermark_lag")', s.watermark_lag),
                format('Give how far below the highest "%s" rows may still appear, such as %s.', s.watermark, CASE lag_kind WHEN 'interval' THEN '''10 minutes''' ELSE '''10000''' END);
        END IF;
        RETURN;
    END IF;

    IF s.tracking = 'full' THEN
        RETURN;
    ELSIF customer_tier.is_distributed_by(tracked, coalesce(s.track_customer, s.customer)) THEN
        RETURN QUERY SELECT '0A000', format('Citus has the rows of %s on workers, where no triggers of ours can be (option "tracking")', tracked_name),
            'Use tracking => ''watermark'', or ''full''.'::text;
        RETURN;
    END IF;

    IF s.track_name IS NOT NULL OR s.track_schema IS NOT NULL THEN
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.relation_problems('track', s.track_schema, s.track_name) p;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = tracked) NOT IN ('r', 'p') THEN
        RETURN QUERY SELECT '42809', format('%s is not a table, its changes cannot be tracked by triggers (option "track")', tracked_name),
            CASE WHEN s.track_name IS NULL THEN 'Name the table from which it takes the orders: track => ''public.orders''; or use tracking => ''watermark'' or ''full''.'
                 ELSE 'Name the table in which the orders stand; or use tracking => ''watermark'' or ''full''.' END;
        RETURN;
    END IF;
    -- Transition tables of a statement that reaches a foreign table break it.
    SELECT t.tracked INTO culprit FROM customer_tier.tracked_tables(tracked) t WHERE t.kind = 'f' LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT '0A000', format('%s has a foreign table in it, %s, so its changes cannot be tracked by triggers', tracked_name, culprit),
            format('Use tracking => ''watermark'' or ''full''. If triggers are on it already, SELECT customer_tier.untrack(%L) takes them off: rows that go to the foreign table cannot be written before.', s.program);
        RETURN;
    END IF;
    -- A materialized view does not change when its tables do.
    SELECT r.relation INTO culprit FROM customer_tier.source_relations(source) r WHERE r.kind = 'm' LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT '0A000', format('%I.%I reads the materialized view %s, whose changes cannot be tracked by triggers', s.source_schema, s.source_name, culprit),
            'Use tracking => ''full''.'::text;
        RETURN;
    END IF;
    SELECT * INTO tracked_key FROM customer_tier.relation_column(tracked, coalesce(s.track_customer, s.customer));
    IF NOT FOUND THEN
        RETURN QUERY SELECT '42703', format('column "%s" of %s does not exist (option "track_customer")', coalesce(s.track_customer, s.customer), tracked_name),
            'Name the column that holds the customer key: track_customer => ''...''.'::text;
        RETURN;
    END IF;
    SELECT * INTO source_key FROM customer_tier.relation_column(source, s.customer);
    IF tracked_key.base_type <> source_key.base_type THEN
        RETURN QUERY SELECT '42804', format('column "%s" of %s has type %s, but the customers of %I.%I have type %s (option "track_customer")',
                coalesce(s.track_customer, s.customer), tracked_name, tracked_key.declared, s.source_schema, s.source_name, source_key.declared),
            'Triggers write down keys as they stand in that table: both must have one type. Or use tracking => ''watermark'' or ''full''.'::text;
    ELSIF EXISTS (SELECT FROM pg_type y WHERE y.oid = tracked_key.base_type AND y.typcategory = 'A') THEN
        RETURN QUERY SELECT '0A000', format('column "%s" of %s is an array, which triggers cannot write down as a key (option "track_customer")', coalesce(s.track_customer, s.customer), tracked_name),
            'Use another key, or tracking => ''watermark'' or ''full''.'::text;
    ELSIF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = tracked AND a.attnum = tracked_key.attnum AND a.attgenerated = 'v') THEN
        RETURN QUERY SELECT '0A000', format('column "%s" of %s is a virtual generated column, which triggers do not see (option "track_customer")',
                coalesce(s.track_customer, s.customer), tracked_name),
            'Store it, or use tracking => ''watermark'' or ''full''.'::text;
    END IF;
    -- Who changed is known by the rows that changed.
    reason := customer_tier.not_row_by_row(source, s.customer);
    IF reason IS NOT NULL THEN
        RETURN QUERY SELECT '0A000', format('%I.%I does not show its table row by row, so its changes cannot be tracked by triggers: %s', s.source_schema, s.source_name, reason),
            'Use tracking => ''watermark'' or ''full'', or a view that only filters and renames.'::text;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.tracking_settings_problems(customer_tier.program_settings) IS 'internal: what is wrong with the settings of the tracking; no row = nothing. The relation source exists';
