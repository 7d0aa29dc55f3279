-- Histories and ratings on the workers of Citus, with the orders: history,
-- rating, which has the scores there, and tier_history are distributed by the customer and co-located with
-- the order table, everything else stays with the coordinator.
--
-- What Citus sends to the workers whole is a query in which distributed tables
-- are joined by the customer, without a function that reads tables, a common
-- table expression that stands alone, or a subquery that ends with OFFSET, but
-- for one that is LATERAL; with nothing volatile; and, in INSERT ... SELECT,
-- without a table of the coordinator.  What a run knows once therefore comes as
-- parameters, see run_constants().  Rows that are kept under a name
-- (execute_steps()) are with the coordinator, and meet its tables only.

CREATE FUNCTION customer_tier.distribute_results(schema name) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings := customer_tier.program_settings(schema);
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    orders record;
    relation text;
BEGIN
    IF s.is_distributed OR source IS NULL OR NOT customer_tier.is_distributed_by(source, s.customer) OR customer_tier.has_source_rows(s) THEN
        RETURN false;
    END IF;
    EXECUTE 'SELECT format(''%I.%I'', n.nspname, c.relname) AS name, a.type, a.collation_oid
               FROM customer_tier.relations_read($1) AS r
               JOIN pg_catalog.pg_dist_partition AS d ON d.logicalrelid = r.relation AND d.partmethod = ''h''
               JOIN pg_class AS c ON c.oid = r.relation
               JOIN pg_namespace AS n ON n.oid = c.relnamespace
              CROSS JOIN LATERAL customer_tier.relation_column(r.relation, $2) AS a
              ORDER BY r.relation LIMIT 1'
        INTO orders USING source, s.customer;
    IF NOT EXISTS (SELECT FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') AS key
                    WHERE key.type = orders.type AND key.collation_oid = orders.collation_oid) THEN
        RAISE NOTICE USING
            MESSAGE = format('the ratings of program "%s" stay with the coordinator', s.program),
            DETAIL = format('%s is distributed by a column of another type than "%s" of %s.', orders.name, s.customer, source);
        RETURN false;
    END IF;

    PERFORM customer_tier.unpack_scores(schema);
    s.is_distributed := true;
    EXECUTE format('CREATE TABLE %1$I.difference AS SELECT kept.customer_id, false AS is_new, false AS is_gone, kept.tier AS old_tier, kept.tier_rank AS old_rank, kept.tier_since AS old_since, kept.drops_on AS old_drops_on, CAST(NULL AS text) AS moved_by, %2$s FROM %1$I.rating AS kept WITH NO DATA',
        schema, (SELECT string_agg(format('kept.%I', c), ', ') FROM unnest(customer_tier.published_columns(s)) AS c));
    EXECUTE format('COMMENT ON TABLE %I.difference IS ''the ratings that the refresh under way, or the last one, had to write''', schema);
    -- Functions are written after this, which Citus refuses in a transaction
    -- that has worked on several shards at once.
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true);
    FOREACH relation IN ARRAY '{history,rating,tier_history,difference}'::text[] LOOP
        EXECUTE 'SELECT pg_catalog.create_distributed_table($1, ''customer_id'', colocate_with => $2)'
            USING format('%I.%I', schema, relation)::regclass, orders.name;
    END LOOP;
    -- Their predictions are made on the workers now.
    PERFORM customer_tier.create_views(schema);
    PERFORM customer_tier.create_tier_views(schema);
    RETURN true;
END
$$;
COMMENT ON FUNCTION customer_tier.distribute_results(name) IS 'internal: distribute histories and ratings of a program as its orders are, if Citus has these by the customer; whether it did';

CREATE FUNCTION customer_tier.merge_distributed_query(schema name, s customer_tier.program_settings, relation text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- What is the same is not written.
    SELECT format(
$query$
    INSERT INTO %1$I.history AS kept (customer_id, history, profit, source_rows, bad_rows)
    SELECT fresh.customer_id, fresh.history, fresh.profit, fresh.rows, nullif(fresh.bad, 0)
      FROM (%2$s) AS fresh
     WHERE fresh.customer_id IS NOT NULL
    ON CONFLICT (customer_id) DO UPDATE
       SET history = excluded.history, profit = excluded.profit, source_rows = excluded.source_rows, bad_rows = excluded.bad_rows
     WHERE (coalesce(kept.history OPERATOR(customer_tier.=) excluded.history, kept.history IS NULL AND excluded.history IS NULL)
            AND coalesce(kept.profit OPERATOR(customer_tier.=) excluded.profit, kept.profit IS NULL AND excluded.profit IS NULL)
            AND kept.source_rows = excluded.source_rows AND coalesce(kept.bad_rows, 0) = coalesce(excluded.bad_rows, 0)) IS NOT TRUE
$query$, schema, customer_tier.source_query(s, NULL, relation))
$$;
COMMENT ON FUNCTION customer_tier.merge_distributed_query(name, customer_tier.program_settings, text) IS 'internal: the statement that builds histories on the workers of Citus, of the source or of an item of FROM with its columns, and writes those that differ';

CREATE FUNCTION customer_tier.merge_distributed(schema name, s customer_tier.program_settings, kept_watermark text DEFAULT NULL,
    OUT rows_read bigint, OUT source_rows bigint, OUT bad_rows bigint, OUT rows_without_customer bigint, OUT changed bigint, OUT is_enough boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    read_from customer_tier.program_settings := customer_tier.effective_source(s);     -- customers may have been merged since
    source text := format('%I.%I', read_from.source_schema, read_from.source_name);
    equality text := customer_tier.key_equality(
        (SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
    written bigint;
BEGIN
    changed := 0;
    IF kept_watermark IS NOT NULL THEN
        source := format('(SELECT read.* FROM %1$s AS read WHERE EXISTS (SELECT FROM %1$s AS source WHERE source.%2$I %3$s read.%2$I AND %4$s))',
                         source, read_from.customer, equality, customer_tier.watermark_condition(read_from, kept_watermark));
    ELSE
        EXECUTE format('DELETE FROM %I.history AS kept WHERE NOT EXISTS (SELECT FROM %s AS source WHERE source.%I %s kept.customer_id)', schema, source, read_from.customer, equality);
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    EXECUTE customer_tier.merge_distributed_query(schema, s, CASE WHEN kept_watermark IS NOT NULL THEN source END);
    GET DIAGNOSTICS written = ROW_COUNT;
    changed := changed + written;
    EXECUTE format('SELECT coalesce(sum(history.source_rows), 0), coalesce(sum(history.bad_rows), 0) FROM %I.history', schema) INTO source_rows, bad_rows;
    -- A row without a customer would be on no worker.
    rows_without_customer := 0;
    is_enough := true;
    rows_read := source_rows;
    IF kept_watermark IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM %s AS source', source) INTO rows_read;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.merge_distributed(name, customer_tier.program_settings, text) IS 'internal: bring the histories on the workers of Citus in line with the source: all, or those of customers with a row above a watermark';
