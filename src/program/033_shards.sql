-- Sources whose rows are on other servers: foreign tables of postgres_fdw, and
-- partitioned tables with such partitions.  A history is built where its rows
-- are, and the history travels.
--
-- postgres_fdw sends GROUP BY customer whole
--   * for a foreign table, and for a view of nothing but filters over one;
--   * for each partition of a table that is partitioned by the customer, with
--     enable_partitionwise_aggregate, which source_history() sets.
-- For any other partitioning (by time, mostly) a customer has rows in several
-- partitions: each is grouped by itself, and the histories are added up here.
--
-- What is sent must mean the same on the other side: immutable functions, of
-- the server itself or of an extension that the option extensions of the
-- foreign server names; no casts by way of text; no types of one's own; no
-- collation but that of a column.
--
-- Citus sends GROUP BY customer whole where the customer is the distribution
-- column, whatever is in it.

CREATE FUNCTION customer_tier.relations_read(source regclass) RETURNS TABLE (relation regclass, relkind "char", root regclass)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE part (relation, relkind, root) AS (
        SELECT c.oid, c.relkind, CAST(NULL AS oid) FROM pg_class c WHERE c.oid = source
        UNION
        SELECT c.oid, c.relkind, CASE WHEN part.relkind = 'p' THEN coalesce(part.root, part.relation) END
          FROM part
          CROSS JOIN LATERAL (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = part.relation AND part.relkind = 'p'
                              UNION ALL
                              SELECT d.refobjid
                                FROM pg_rewrite r
                                JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
                               WHERE r.ev_class = part.relation AND part.relkind = 'v') AS below (relation)
          JOIN pg_class c ON c.oid = below.relation
    )
    SELECT part.relation::regclass, part.relkind, part.root::regclass FROM part
$$;
COMMENT ON FUNCTION customer_tier.relations_read(regclass) IS 'internal: a relation and what it reads, through views and partitions; of a partition the table that it is read through';

CREATE FUNCTION customer_tier.foreign_parts(source regclass)
RETURNS TABLE (part regclass, root regclass, server name, is_postgres boolean, extensions text, builds boolean)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.relation, r.root, s.srvname, p.proname = 'postgres_fdw_handler', o.extensions,
           -- a list of identifiers
           coalesce(p.proname = 'postgres_fdw_handler' AND o.extensions ~* E'(^|,)\\s*"?customer_tier"?\\s*(,|$)', false)
      FROM customer_tier.relations_read(source) AS r
      JOIN pg_foreign_table f ON f.ftrelid = r.relation
      JOIN pg_foreign_server s ON s.oid = f.ftserver
      JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
      LEFT JOIN pg_proc p ON p.oid = w.fdwhandler
      LEFT JOIN LATERAL (SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'extensions') AS o (extensions) ON true
     ORDER BY CAST(r.relation AS oid)
$$;
COMMENT ON FUNCTION customer_tier.foreign_parts(regclass) IS 'internal: the foreign tables that a relation reads, through views and partitions: the partitioned table they are read through, the server, whether postgres_fdw reads it, its option extensions, and whether that lets the server build histories';

CREATE FUNCTION customer_tier.is_split_by(source regclass, key name) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_and(p.partnatts = 1 AND coalesce(a.attname = key, false)), false)
      FROM (SELECT source UNION SELECT t.relid FROM pg_partition_tree(source) t WHERE NOT t.isleaf) AS level (relation)
      JOIN pg_partitioned_table p ON p.partrelid = level.relation
      LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
$$;
COMMENT ON FUNCTION customer_tier.is_split_by(regclass, name) IS 'internal: whether a table is partitioned by this column alone, and so are its partitions that are partitioned again';

CREATE FUNCTION customer_tier.is_distributed_by(source regclass, key name) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_distributed boolean;
BEGIN
    -- The catalog of Citus, where there is one.
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE 'SELECT EXISTS (SELECT FROM customer_tier.relations_read($1) AS r
                              JOIN pg_catalog.pg_dist_partition AS d ON d.logicalrelid = r.relation
                             WHERE d.partmethod = ''h'' AND pg_catalog.column_to_column_name(d.logicalrelid, d.partkey) = $2)'
        INTO is_distributed USING source, key::text;
    RETURN is_distributed;
END
$$;
COMMENT ON FUNCTION customer_tier.is_distributed_by(regclass, name) IS 'internal: whether Citus has the rows of a relation, or of what a view reads, by this column on its workers';

CREATE FUNCTION customer_tier.remote_obstacles(s customer_tier.program_settings) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    col record;
    leaf record;
    is_partitioned boolean := (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = source);
BEGIN
    FOR col IN SELECT o.option, o.name, c.*
                 FROM (VALUES ('customer', s.customer), ('at', s.at), ('amount', s.amount), ('order_id', s.order_id), ('margin_column', s.margin_column)) AS o (option, name),
                      customer_tier.relation_column(source, o.name) AS c LOOP
        IF col.type::oid >= 16384 THEN      -- FirstNormalObjectId: made by users
            RETURN QUERY SELECT format('column "%s" of %s is of type %s, which cannot be sent to other servers', col.name, source, col.declared),
                                'Declare the foreign tables with a built-in type.'::text;
        ELSIF col.option = 'customer' AND NOT customer_tier.key_is_exact(col.base_type, col.collation_oid) THEN
            RETURN QUERY SELECT format('equal values of column "%s" of %s may look different (%s): it is not decided elsewhere how a customer is shown', col.name, source, col.declared),
                                'Use a key of type bigint, uuid or text.'::text;
        ELSIF col.option IN ('amount', 'margin_column') AND col.base_type = 'real'::regtype
              OR (s.order_id IS NOT NULL OR s.margin_column IS NOT NULL) AND col.option IN ('amount', 'margin_column') AND col.base_type = 'double precision'::regtype THEN
            RETURN QUERY SELECT format('column "%s" of %s is of type %s, which is read as the decimal that is shown for it, and only here', col.name, source, col.declared),
                                'Keep it as numeric on the shards.'::text;
        END IF;
    END LOOP;
    IF s.margin_column IS NOT NULL AND current_setting('server_version_num')::int < 140000 THEN
        RETURN QUERY SELECT format('column "%s" of %s: the condition on a margin is sent to other servers from PostgreSQL 14 on', s.margin_column, source),
                            'Upgrade PostgreSQL, or set margin_column to NULL.'::text;
    END IF;

    IF s.schema IS NOT NULL AND customer_tier.has_source_rows(s) THEN
        RETURN QUERY SELECT 'rates, the identity map and merged customers are here, and each row needs them'::text,
                            'Convert amounts and keys in views on the shards, and read those.'::text;
    END IF;
    RETURN QUERY
        SELECT format('%s reads %s, which is not partitioned by "%s"', source, root.relation, s.customer),
               format('Make %s the source, or partition it by the customer under the name that the source has for it.', root.relation)
          FROM (SELECT DISTINCT f.root FROM customer_tier.foreign_parts(source) AS f) AS root (relation)
         WHERE root.relation <> source AND NOT customer_tier.is_split_by(root.relation, s.customer);
    IF is_partitioned AND NOT customer_tier.is_split_by(source, s.customer) THEN
        -- Each partition is read by its own name.
        IF s.order_id IS NOT NULL THEN
            RETURN QUERY SELECT format('the lines of one order may be in several partitions of %s, which is not partitioned by "%s"', source, s.customer),
                                format('Partition it by "%s", or let views on the shards sum the lines of an order and read those without order_id.', s.customer);
        END IF;
        FOR leaf IN SELECT t.relid, t.isleaf, c.relrowsecurity
                      FROM pg_partition_tree(source) t JOIN pg_class c ON c.oid = t.relid LOOP
            IF leaf.relrowsecurity THEN
                RETURN QUERY SELECT format('row security of %s would not be the same if the partitions of %s were read one by one', leaf.relid, source),
                                    'Put the policies on the shards.'::text;
            ELSIF leaf.isleaf AND EXISTS (SELECT FROM unnest(ARRAY[s.customer, s.at, s.amount, s.margin_column]) AS needed (name)
                                           WHERE needed.name IS NOT NULL AND NOT has_column_privilege(leaf.relid, needed.name::text, 'SELECT')) THEN
                RETURN QUERY SELECT format('permission denied for partition %s', leaf.relid),
                                    format('GRANT SELECT ON %s TO %I;', leaf.relid, current_user);
            END IF;
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.remote_obstacles(customer_tier.program_settings) IS 'internal: why the histories of a source could not be built on other servers even if these were willing; no row = nothing';

CREATE FUNCTION customer_tier.where_built(s customer_tier.program_settings) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
BEGIN
    IF s.schema IS NOT NULL AND customer_tier.has_source_rows(s) THEN
        RETURN 'here';
    ELSIF customer_tier.is_distributed_by(source, s.customer) THEN
        RETURN 'there';
    ELSIF NOT EXISTS (SELECT FROM customer_tier.foreign_parts(source) AS f WHERE f.builds)
       OR EXISTS (SELECT FROM customer_tier.remote_obstacles(s)) THEN
        RETURN 'here';
    ELSIF (SELECT c.relkind <> 'p' FROM pg_class c WHERE c.oid = source) OR customer_tier.is_split_by(source, s.customer) THEN
        RETURN 'there';
    ELSE
        RETURN 'parts';
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.where_built(customer_tier.program_settings) IS 'internal: where the histories of a source are built: here, of rows that are read; there, on other servers, by one GROUP BY; or in parts, by one GROUP BY a partition, to be added up here';

CREATE FUNCTION customer_tier.parts_query(s customer_tier.program_settings, checked text, profit text, built text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    nothing CONSTANT text := 'CAST(NULL AS customer_tier.checked_history)';
BEGIN
    -- Plain columns of aggregates only, so that the shards work at the same time.
    RETURN format(
$query$
    -- Every row is an order.  The histories of each partition are built where
    -- its rows are, and added up.
    SELECT part.customer_id,
           customer_tier.rollup((part.checked).history) AS history,
           CAST(pg_catalog.sum((part.checked).rows) AS bigint) AS rows,
           CAST(pg_catalog.sum((part.checked).bad) AS bigint) AS bad,
           customer_tier.rollup((part.profit).history) AS profit
      FROM (
%s
           ) AS part
     GROUP BY part.customer_id
$query$,
        (SELECT string_agg(
                    CASE WHEN c.relkind <> 'f' AND built IS NOT NULL THEN format(
$part$            SELECT (local.built).customer_id, CAST(ROW((local.built).history, (local.built).rows, (local.built).bad) AS customer_tier.checked_history) AS checked, %s AS profit
              FROM (SELECT %s AS built OFFSET 0) AS local$part$, nothing, replace(built, '%source%', format('%L', format('%I.%I', n.nspname, c.relname))))
                    ELSE format(
$part$            SELECT source.%I AS customer_id, %s AS checked, %s AS profit
              FROM %I.%I AS source
             GROUP BY source.%1$I$part$, s.customer, checked, coalesce(profit, nothing), n.nspname, c.relname) END,
                    E'\n             UNION ALL\n' ORDER BY n.nspname, c.relname)
           FROM pg_partition_tree(source) t
           JOIN pg_class c ON c.oid = t.relid
           JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE t.isleaf));
END
$$;
COMMENT ON FUNCTION customer_tier.parts_query(customer_tier.program_settings, text, text, text) IS 'internal: the query that reads a partitioned source by its partitions: checked and profit are the aggregates over a partition, built is the call of histories() for one that is here, with %source% for its name, or NULL';

CREATE FUNCTION customer_tier.remote_problems(schema name) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
BEGIN
    IF NOT EXISTS (SELECT FROM customer_tier.foreign_parts(source) AS f WHERE f.is_postgres) THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT format('server %I builds no histories: all rows of %s are fetched from it', f.server, string_agg(f.part::text, ', ' ORDER BY f.part::text)),
               format('Install the extension there, then: ALTER SERVER %I OPTIONS (%s extensions %L);', f.server,
                      CASE WHEN f.extensions IS NULL THEN 'ADD' ELSE 'SET' END, concat_ws(', ', nullif(btrim(f.extensions), ''), 'customer_tier'))
          FROM customer_tier.foreign_parts(source) AS f
         WHERE f.is_postgres AND NOT f.builds
         GROUP BY f.server, f.extensions
         ORDER BY f.server;
    RETURN QUERY SELECT 'all rows of the source are fetched from other servers: ' || o.problem, o.hint FROM customer_tier.remote_obstacles(s) AS o;
END
$$;
COMMENT ON FUNCTION customer_tier.remote_problems(name) IS 'internal: why histories of a program are not built on the servers that have its orders, and what to do about it; no row = they are, or there are no such servers';
