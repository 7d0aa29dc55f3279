-- The triggers that write down whose orders changed, and what a program keeps of
-- that; 063_history_plan.sql and 065_merge_history.sql read it.
--
-- Triggers (track.c) write keys to <schema>.touched.  A refresh deletes the
-- rows it sees there and reads the source in one statement, so with one
-- snapshot: what a writer commits later is neither seen nor deleted, and is
-- found by the next.  <schema>.tracking says of which source, tables and
-- triggers the histories were built; when anything of that is not as it was,
-- changes may have been missed, and all histories are built anew.

CREATE FUNCTION customer_tier.track_changes() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'track_changes';
COMMENT ON FUNCTION customer_tier.track_changes() IS 'trigger that writes down the customers whose rows change: track_changes(schema of the program, customer column, columns that make a history ...); customer_tier.track() makes the triggers. It never makes a write fail or wait, and needs no right of the writer';

CREATE FUNCTION customer_tier.next_transaction_id() RETURNS xid8
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'next_transaction_id';
COMMENT ON FUNCTION customer_tier.next_transaction_id() IS 'internal: an id later than that of any transaction so far';

CREATE SEQUENCE customer_tier.lost_changes CYCLE;
COMMENT ON SEQUENCE customer_tier.lost_changes IS 'internal: advanced when a change could neither be written down nor counted in the program''s own sequence; then every program builds all histories';
GRANT SELECT ON SEQUENCE customer_tier.lost_changes TO PUBLIC;

CREATE FUNCTION customer_tier.create_tracking_table(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.tracking (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    built_at timestamptz NOT NULL,
    run_id bigint NOT NULL,
    built_of jsonb NOT NULL,
    triggers oid[] NOT NULL,
    lost_changes bigint NOT NULL,
    settled_after text,
    watermark text,
    source_rows bigint NOT NULL,
    bad_rows bigint NOT NULL,
    rows_without_customer bigint NOT NULL
);
COMMENT ON TABLE %1$I.tracking IS 'internal: of what the histories were built, one row; no row = the next refresh builds all of them';
COMMENT ON COLUMN %1$I.tracking.only_row IS 'holds the table to one row';
COMMENT ON COLUMN %1$I.tracking.built_at IS 'when all histories were built last';
COMMENT ON COLUMN %1$I.tracking.run_id IS 'the run that did';
COMMENT ON COLUMN %1$I.tracking.built_of IS 'settings, source, tables and triggers as they were then; when they differ, all histories are built anew';
COMMENT ON COLUMN %1$I.tracking.triggers IS 'oids of the triggers whose records count';
COMMENT ON COLUMN %1$I.tracking.lost_changes IS 'the sequences lost_changes as a refresh saw them';
COMMENT ON COLUMN %1$I.tracking.settled_after IS 'transaction id (xid8): all histories are built until that was done when no older transaction was under way, for it may have lost changes; NULL = none has';
COMMENT ON COLUMN %1$I.tracking.watermark IS 'highest watermark that was read';
COMMENT ON COLUMN %1$I.tracking.source_rows IS 'rows of the source that the histories are made of, bad ones too';
COMMENT ON COLUMN %1$I.tracking.bad_rows IS 'bad rows among them';
COMMENT ON COLUMN %1$I.tracking.rows_without_customer IS 'bad rows whose customer is NULL';

$ddl$, schema);
END
$$;
COMMENT ON FUNCTION customer_tier.create_tracking_table(name) IS 'internal: the table in which a program keeps of what its histories were built';

CREATE FUNCTION customer_tier.adds_rows(s customer_tier.program_settings) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Row for row: the table is the source, and whoever owns the program may
    -- see all of it.
    SELECT coalesce(s.tracking = 'triggers' AND NOT customer_tier.has_source_rows(s) AND s.order_id IS NULL AND s.margin_column IS NULL
                    AND customer_tier.tracked_relation(s) = source AND coalesce(s.track_customer, s.customer) = s.customer
                    AND customer_tier.key_is_exact(c.base_type, c.collation_oid)
                    AND NOT EXISTS (SELECT FROM customer_tier.tracked_tables(source) t JOIN pg_class r ON r.oid = t.tracked WHERE r.relrowsecurity)
                    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = source AND a.attname IN (s.at, s.amount) AND a.attgenerated = 'v'), false)
      FROM to_regclass(format('%I.%I', s.source_schema, s.source_name)) AS source,
           customer_tier.relation_column(source, s.customer) AS c
$$;
COMMENT ON FUNCTION customer_tier.adds_rows(customer_tier.program_settings) IS 'internal: whether new rows can be added to the histories without reading the others of their customers';

CREATE FUNCTION customer_tier.track_arguments(schema name, s customer_tier.program_settings) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY[schema::text, coalesce(s.track_customer, s.customer)::text]
           || CASE WHEN customer_tier.tracked_relation(s) = to_regclass(format('%I.%I', s.source_schema, s.source_name)) AND s.customer = coalesce(s.track_customer, s.customer)
                        AND NOT EXISTS (SELECT FROM customer_tier.tracked_tables(customer_tier.tracked_relation(s)) t JOIN pg_class r ON r.oid = t.tracked WHERE r.relrowsecurity)
                        AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = customer_tier.tracked_relation(s) AND a.attgenerated = 'v'
                                           AND a.attname IN (s.at, s.amount, s.order_id, s.margin_column, s.currency))
                   THEN array_remove(ARRAY[s.at, s.amount, s.order_id, s.margin_column, s.currency]::text[], NULL) ELSE '{}' END
$$;
COMMENT ON FUNCTION customer_tier.track_arguments(name, customer_tier.program_settings) IS 'internal: what the triggers of a program are told: schema, customer column and, when the table is the source, all other columns that make a history';

CREATE FUNCTION customer_tier.drop_relation(schema name, relation name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text := (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
                                        WHEN 'c' THEN 'TYPE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' ELSE 'TABLE' END
                    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = schema AND c.relname = relation);
BEGIN
    IF kind IS NOT NULL THEN
        EXECUTE format('DROP %s %I.%I', kind, schema, relation);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.drop_relation(name, name) IS 'internal: drop whatever relation bears a name';

CREATE FUNCTION customer_tier.create_touched(schema name, s customer_tier.program_settings) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    tracked regclass := customer_tier.tracked_relation(s);
    columns text;
    present text;
BEGIN
    -- Plain storage: arrays are as wide as a page, and there is no use in
    -- compressing what is read once.
    SELECT string_agg(format('%I %s[]%s', w.column_name, c.declared, c.collate_clause), ', ' ORDER BY w.n),
           string_agg(format('%s:%s:%s', w.column_name, c.type, c.collation_oid), ',' ORDER BY w.n)
      INTO columns, present
      FROM (VALUES (1, 'keys', coalesce(s.track_customer, s.customer)), (2, 'ats', s.at), (3, 'amounts', s.amount)) AS w (n, column_name, source_column),
           customer_tier.relation_column(tracked, w.source_column) AS c
     WHERE w.n = 1 OR customer_tier.adds_rows(s);
    IF present = (SELECT string_agg(format('%s:%s:%s', a.attname, t.typelem::regtype, a.attcollation), ',' ORDER BY a.attnum)
                    FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
                   WHERE a.attrelid = to_regclass(format('%I.touched', schema)) AND a.attnum > 1 AND a.attstorage = 'p'
                     AND r.relkind = 'r' AND r.relpersistence = 'p' AND r.relreplident = 'f'
                     AND NOT (r.relrowsecurity OR r.relhastriggers OR r.relhasrules OR r.relhassubclass OR r.relispartition))
       AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = to_regclass(format('%I.touched', schema))) THEN
        RETURN;
    END IF;
    PERFORM customer_tier.drop_relation(schema, 'touched');
    EXECUTE format('CREATE TABLE %I.touched (trigger_oid oid NOT NULL, %s) WITH (vacuum_truncate = false)', schema, columns);
    -- It may be in a publication of all tables.
    EXECUTE format('ALTER TABLE %I.touched REPLICA IDENTITY FULL', schema);
    EXECUTE (SELECT format('ALTER TABLE %I.touched OWNER TO %I', schema, pg_get_userbyid(n.nspowner)) FROM pg_namespace n WHERE n.nspname = schema);
    EXECUTE (SELECT string_agg(format('ALTER TABLE %I.touched ALTER COLUMN %I SET STORAGE PLAIN', schema, a.attname), ';')
               FROM pg_attribute a WHERE a.attrelid = format('%I.touched', schema)::regclass AND a.attnum > 1);
    EXECUTE format(
$ddl$
COMMENT ON TABLE %1$I.touched IS 'internal: customers whose orders changed since the last refresh, written by triggers; many to a row';
COMMENT ON COLUMN %1$I.touched.trigger_oid IS 'the trigger that wrote the row';
COMMENT ON COLUMN %1$I.touched.keys IS 'customer keys; NULL = anything may have changed';
$ddl$, schema);
    IF customer_tier.adds_rows(s) THEN
        EXECUTE format('COMMENT ON COLUMN %1$I.touched.ats IS ''days of rows that were inserted; NULL = only the keys are known'';
                        COMMENT ON COLUMN %1$I.touched.amounts IS ''their amounts''', schema);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.create_touched(name, customer_tier.program_settings) IS 'internal: the table that the triggers of a program write to, unless it is there as it should be';

CREATE FUNCTION customer_tier.mend_tracking(schema name, s customer_tier.program_settings) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    relation record;
BEGIN
    -- What is made anew is not what the histories were built of.
    IF (SELECT string_agg(format('%s %s', a.attname, a.atttypid::regtype), ', ' ORDER BY a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.oid = to_regclass(format('%I.tracking', schema)) AND c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhasrules AND a.attnum > 0 AND NOT a.attisdropped)
       IS DISTINCT FROM 'only_row boolean, built_at timestamp with time zone, run_id bigint, built_of jsonb, triggers oid[], lost_changes bigint, settled_after text, '
                        'watermark text, source_rows bigint, bad_rows bigint, rows_without_customer bigint' THEN
        PERFORM customer_tier.drop_relation(schema, 'tracking');
        PERFORM customer_tier.create_tracking_table(schema);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_sequence q WHERE q.seqrelid = to_regclass(format('%I.lost_changes', schema)) AND q.seqincrement = 1 AND q.seqmax = 9223372036854775807 AND q.seqcycle) THEN
        PERFORM customer_tier.drop_relation(schema, 'lost_changes');
        EXECUTE format('CREATE SEQUENCE %I.lost_changes CYCLE', schema);
        EXECUTE format('COMMENT ON SEQUENCE %I.lost_changes IS ''internal: advanced when a change could not be written down; the next refresh then builds all histories''', schema);
    END IF;
    IF s.tracking = 'triggers' THEN
        PERFORM customer_tier.create_touched(schema, s);
    END IF;
    -- A refresh runs as the owner of the schema, who may have lost his own rights.
    FOR relation IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class c
                     WHERE c.oid IN (to_regclass(format('%I.tracking', schema)), to_regclass(format('%I.touched', schema)), to_regclass(format('%I.lost_changes', schema)))
                       AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')
                                    ELSE has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') END LOOP
        EXECUTE format('GRANT ALL ON %s %s TO %I', CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relation.name, current_user);
    END LOOP;
END
$$;
COMMENT ON FUNCTION customer_tier.mend_tracking(name, customer_tier.program_settings) IS 'internal: make what the tracking of changes needs, where it is missing or not as it should be';

CREATE FUNCTION customer_tier.trigger_name(schema name, event text) RETURNS name
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CAST(CASE WHEN octet_length(schema::text) <= 40 THEN format('customer_tier_%s_%s', schema, event)
                     ELSE format('customer_tier_%s_%s', md5(schema::text), event) END AS name)
$$;
COMMENT ON FUNCTION customer_tier.trigger_name(name, text) IS 'internal: the name of a tracking trigger';

CREATE FUNCTION customer_tier.tracking_triggers(schema name, s customer_tier.program_settings)
RETURNS TABLE (tracked regclass, event text, for_each_row boolean, trigger_oid oid, version text, is_right boolean)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH told (arguments) AS (
        SELECT string_agg(convert_to(a.argument, getdatabaseencoding()) || E'\\x00'::bytea, ''::bytea ORDER BY a.n)
          FROM unnest(customer_tier.track_arguments(schema, s)) WITH ORDINALITY AS a (argument, n)
    ), family AS (
        -- What logical replication writes fires triggers of rows alone.
        SELECT t.tracked, t.kind, bool_or(EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = t.tracked)) OVER () AS is_subscribed
          FROM customer_tier.tracked_tables(customer_tier.tracked_relation(s)) t
         WHERE s.tracking = 'triggers'
    )
    SELECT f.tracked, e.event, f.is_subscribed AND e.event <> 'truncate', g.oid, g.xmin::text,
           g.tgenabled = 'A' AND g.tgfoid = 'customer_tier.track_changes()'::regprocedure AND g.tgargs = told.arguments
           AND (g.tgtype & 1 = 1) = (f.is_subscribed AND e.event <> 'truncate')
           AND g.tgtype & 126 = e.type AND g.tgqual IS NULL
           AND (g.tgoldtable IS NOT NULL) = (e.event IN ('update', 'delete') AND NOT f.is_subscribed)
           AND (g.tgnewtable IS NOT NULL) = (e.event IN ('update', 'insert') AND NOT f.is_subscribed)
      FROM family f
     CROSS JOIN told
     CROSS JOIN (VALUES ('insert', 4), ('update', 16), ('delete', 8), ('truncate', 32)) AS e (event, type)
      LEFT JOIN pg_trigger g ON g.tgrelid = f.tracked AND g.tgname = customer_tier.trigger_name(schema, e.event)
     WHERE NOT (f.is_subscribed AND f.kind = 'p' AND e.event <> 'truncate')
$$;
COMMENT ON FUNCTION customer_tier.tracking_triggers(name, customer_tier.program_settings) IS 'internal: the triggers that should be on the tracked table, its partitions and children, and whether they are';

CREATE FUNCTION customer_tier.missing_indexes(s customer_tier.program_settings) RETURNS TABLE (tracked regclass, column_name name, statement text)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- A view's tables are for whoever wrote it to index.
    WITH needed AS (
        SELECT customer_tier.tracked_relation(s) AS relation, coalesce(s.track_customer, s.customer) AS column_name WHERE s.tracking = 'triggers'
        UNION ALL
        SELECT to_regclass(format('%I.%I', s.source_schema, s.source_name)), c.name FROM unnest(ARRAY[s.customer, s.watermark]) AS c (name) WHERE s.tracking = 'watermark'
    )
    SELECT n.relation, n.column_name, format('CREATE INDEX CONCURRENTLY ON %s (%I);', n.relation, n.column_name)
      FROM needed n
      JOIN pg_class c ON c.oid = n.relation AND c.relkind = 'r'
      JOIN pg_attribute a ON a.attrelid = n.relation AND a.attname = n.column_name
     WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = n.relation AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL)
    UNION ALL
    -- Not every version can build the index of a partitioned table beside its writers.
    SELECT n.relation, n.column_name, format('CREATE INDEX ON %s (%I);', n.relation, n.column_name)
      FROM needed n
      JOIN pg_class c ON c.oid = n.relation AND c.relkind = 'p'
     WHERE EXISTS (SELECT FROM pg_partition_tree(n.relation) t
                     JOIN pg_class l ON l.oid = t.relid AND l.relkind = 'r'
                     JOIN pg_attribute a ON a.attrelid = t.relid AND a.attname = n.column_name
                    WHERE t.isleaf
                      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.relid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL))
$$;
COMMENT ON FUNCTION customer_tier.missing_indexes(customer_tier.program_settings) IS 'internal: indexes without which reading some customers costs as much as reading all, with the statements that create them';

CREATE FUNCTION customer_tier.check_tracking_owner(schema name, program text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid := (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = schema);
BEGIN
    IF NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be owner of program "%s" to track changes for it', program),
            HINT = format('It belongs to role "%s", the owner of schema "%s".', pg_get_userbyid(owner), schema);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.check_tracking_owner(name, text) IS 'internal: ensure that the caller can act as the owner of a program';

CREATE FUNCTION customer_tier.track(program text) RETURNS int
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    wrong record;
    needed record;
    made int := 0;
BEGIN
    PERFORM customer_tier.check_tracking_owner(schema, program);
    IF s.tracking <> 'triggers' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('program "%s" does not track changes by triggers, but by tracking = %s', program, s.tracking),
            HINT = format('UPDATE %I.settings SET tracking = ''triggers''; first.', schema);
    END IF;
    FOR wrong IN SELECT * FROM customer_tier.settings_problems(s) LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, HINT = wrong.hint;
    END LOOP;
    -- The user's tables first: whoever writes to them locks in this order.
    -- What a program left there that has another name now, or is no more, goes.
    PERFORM customer_tier.drop_tracking_triggers(schema, (SELECT array_agg(t.tracked) FROM customer_tier.tracked_tables(customer_tier.tracked_relation(s)) t));
    FOR needed IN SELECT t.*, pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS is_ours
                    FROM customer_tier.tracking_triggers(schema, s) t JOIN pg_class c ON c.oid = t.tracked
                   WHERE t.is_right IS NOT TRUE ORDER BY t.tracked::oid, t.event LOOP
        IF NOT needed.is_ours THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('must be owner of %s to put triggers on it', needed.tracked),
                HINT = format('It belongs to "%s". A superuser, or a member of both roles, can do it: SELECT customer_tier.track(%L); or use tracking => ''watermark'' or ''full''.', needed.owner, program);
        END IF;
        IF needed.trigger_oid IS NOT NULL THEN
            EXECUTE format('DROP TRIGGER %I ON %s', customer_tier.trigger_name(schema, needed.event), needed.tracked);
        END IF;
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH %s EXECUTE FUNCTION customer_tier.track_changes(%s)',
            customer_tier.trigger_name(schema, needed.event), needed.event, needed.tracked,
            CASE WHEN needed.for_each_row OR needed.event = 'truncate' THEN ''
                 ELSE 'REFERENCING ' || concat_ws(' ', CASE WHEN needed.event <> 'insert' THEN 'OLD TABLE AS old_rows' END, CASE WHEN needed.event <> 'delete' THEN 'NEW TABLE AS new_rows' END) END,
            CASE WHEN needed.for_each_row THEN 'ROW' ELSE 'STATEMENT' END,
            (SELECT string_agg(quote_literal(a), ', ' ORDER BY n) FROM unnest(customer_tier.track_arguments(schema, s)) WITH ORDINALITY AS t (a, n)));
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', needed.tracked, customer_tier.trigger_name(schema, needed.event));
        EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', customer_tier.trigger_name(schema, needed.event), needed.tracked,
                       format('writes down for the customer_tier program "%s" whose orders change', program));
        made := made + 1;
    END LOOP;
    PERFORM customer_tier.create_touched(schema, s);
    FOR needed IN SELECT * FROM customer_tier.missing_indexes(s) LOOP
        RAISE WARNING USING
            MESSAGE = format('%s has no index on "%s": customers whose orders change cannot be read alone', needed.tracked, needed.column_name),
            HINT = needed.statement;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION customer_tier.track(text) IS
    'put the triggers on the tracked table, its partitions and children, where they are missing or not as they should be; returns how many it made. Takes a SHARE ROW EXCLUSIVE lock on each: it waits for writers, and they for it. After attaching a partition, call it again; the next refresh builds all histories';

CREATE FUNCTION customer_tier.tracked_for(argument bytea) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT convert_from(substring(argument FROM 1 FOR position(E'\\x00'::bytea IN argument) - 1), getdatabaseencoding())
$$;
COMMENT ON FUNCTION customer_tier.tracked_for(bytea) IS 'internal: the first argument of a trigger (pg_trigger.tgargs), the schema that a tracking trigger writes to';

CREATE FUNCTION customer_tier.untrack(program text) RETURNS int
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := (SELECT p.schema FROM customer_tier.program p WHERE p.name = untrack.program);
BEGIN
    IF schema IS NULL THEN
        schema := customer_tier.program_schema(program);
    ELSIF to_regclass(format('%I.settings', schema)) IS NOT NULL THEN
        PERFORM customer_tier.check_tracking_owner(schema, program);
    END IF;
    RETURN customer_tier.drop_tracking_triggers(schema);
END
$$;
COMMENT ON FUNCTION customer_tier.untrack(text) IS 'drop the triggers that track changes for a program, wherever they are; returns how many. Until customer_tier.track() every refresh reads everything';

CREATE FUNCTION customer_tier.drop_tracking_triggers(schema name, on_tables regclass[] DEFAULT NULL) RETURNS int
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
    dropped int := 0;
BEGIN
    -- Those that write to the schema, and those whose schema is gone; or, of
    -- some tables, only the latter.
    FOR found IN
        SELECT g.tgname, g.tgrelid::regclass AS tracked, pg_has_role(c.relowner, 'USAGE') AS is_ours, pg_get_userbyid(c.relowner) AS owner
          FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
         WHERE g.tgfoid = 'customer_tier.track_changes()'::regprocedure AND g.tgnargs > 0
           AND CASE WHEN on_tables IS NULL THEN customer_tier.tracked_for(g.tgargs) = schema::text
                    ELSE g.tgrelid = ANY (on_tables) AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname::text = customer_tier.tracked_for(g.tgargs)) END
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = g.oid AND d.deptype IN ('P', 'S'))
         ORDER BY g.tgrelid, g.tgname LOOP
        IF found.is_ours THEN
            EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.tracked);
            dropped := dropped + 1;
        ELSE
            RAISE WARNING USING
                MESSAGE = format('trigger "%s" stays on %s, which belongs to "%s"', found.tgname, found.tracked, found.owner),
                HINT = format('It does nothing without its program. Its owner can drop it: DROP TRIGGER %I ON %s;', found.tgname, found.tracked);
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION customer_tier.drop_tracking_triggers(name, regclass[]) IS 'internal: drop the triggers that write to a schema from all tables that the caller owns; or from some tables those that write to schemas which are gone; returns how many';
