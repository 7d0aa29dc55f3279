-- Bringing <schema>.history in line with the source: all histories, or those of
-- the customers who changed.  Either way it is one statement, so one sight of
-- the orders and of what the triggers wrote down, which it takes away.

CREATE FUNCTION customer_tier.history_changes(schema name, fresh text, equality text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- What is gone is deleted, what differs is updated, what is new is inserted,
    -- and the rest is not touched.
    SELECT format(
$query$difference AS MATERIALIZED (
        SELECT kept.customer_id AS old_id, kept.source_rows AS old_rows, kept.bad_rows AS old_bad, kept.history IS NOT NULL AS old_known, fresh.*
          FROM %2$s
         WHERE (coalesce(kept.history OPERATOR(customer_tier.=) fresh.history, kept.history IS NULL AND fresh.history IS NULL)
                AND coalesce(kept.profit OPERATOR(customer_tier.=) fresh.profit, kept.profit IS NULL AND fresh.profit IS NULL)
                AND kept.source_rows = fresh.rows AND coalesce(kept.bad_rows, 0) = fresh.bad) IS NOT TRUE
    ), deleted AS (
        DELETE FROM %1$I.history AS kept
         USING difference
         WHERE kept.customer_id %3$s difference.old_id AND (difference.customer_id IS NULL OR difference.rows = 0)
        RETURNING 1
    ), updated AS (
        UPDATE %1$I.history AS kept
           SET history = difference.history, profit = difference.profit, source_rows = difference.rows, bad_rows = nullif(difference.bad, 0)
          FROM difference
         WHERE kept.customer_id %3$s difference.old_id AND difference.rows > 0
        RETURNING 1
    ), inserted AS (
        INSERT INTO %1$I.history (customer_id, history, profit, source_rows, bad_rows)
        SELECT difference.customer_id, difference.history, difference.profit, difference.rows, nullif(difference.bad, 0)
          FROM difference
         WHERE difference.old_id IS NULL AND difference.customer_id IS NOT NULL AND difference.rows > 0
        RETURNING 1
    ), written AS (
        SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted) AS changed
    )$query$, schema, fresh, equality)
$$;
COMMENT ON FUNCTION customer_tier.history_changes(name, text, text) IS 'internal: common table expressions that write histories: "fresh" joined with "kept", what is stored';

CREATE FUNCTION customer_tier.merge_history(schema name, s customer_tier.program_settings,
    OUT rows_read bigint, OUT source_rows bigint, OUT bad_rows bigint, OUT rows_without_customer bigint, OUT changed bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    equality text := customer_tier.key_equality(
        (SELECT c.base_type FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id') c));
BEGIN
    EXECUTE format(
$query$
    WITH %2$s%1$s
    SELECT coalesce(sum(difference.rows) FILTER (WHERE difference.customer_id IS NULL), 0) AS rows_without_customer,
           (SELECT written.changed FROM written) AS changed
      FROM difference
$query$,
        customer_tier.history_changes(schema,
            format('%1$I.source_history() AS fresh FULL JOIN %1$I.history AS kept ON kept.customer_id %2$s fresh.customer_id', schema, equality), equality),
        CASE WHEN s.tracking = 'triggers' THEN format(E'consumed AS (\n        DELETE FROM %I.touched\n    ), ', schema) ELSE '' END)
        INTO rows_without_customer, changed;
    -- Rows without a customer are all bad.
    EXECUTE format('SELECT coalesce(sum(history.source_rows), 0) + $1, coalesce(sum(history.bad_rows), 0) + $1 FROM %I.history', schema)
        INTO source_rows, bad_rows USING rows_without_customer;
    rows_read := source_rows;
END
$$;
COMMENT ON FUNCTION customer_tier.merge_history(name, customer_tier.program_settings) IS 'internal: bring all histories in line with the source';

CREATE FUNCTION customer_tier.merge_changes(schema name, s customer_tier.program_settings, triggers oid[], kept_watermark text, notes boolean,
    OUT rows_read bigint, OUT source_rows bigint, OUT bad_rows bigint, OUT rows_without_customer bigint, OUT changed bigint, OUT customers_more bigint, OUT is_enough boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    key_column record;
    equality text;
    adds_rows boolean := customer_tier.adds_rows(s);
    read_from customer_tier.program_settings := customer_tier.effective_source(s);
    changes text;           -- common table expressions that end with "again": the keys to read again
    added text;             -- rows to add, as a source
    are_few boolean := false;   -- to be looked up one by one
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    equality := customer_tier.key_equality(key_column.base_type);

    IF s.tracking = 'watermark' THEN
        changes := format(
$query$again AS MATERIALIZED (
        SELECT DISTINCT source.%1$I AS key FROM %2$I.%3$I AS source WHERE %4$s
    ), $query$, read_from.customer, read_from.source_schema, read_from.source_name, customer_tier.watermark_condition(read_from, kept_watermark));
    ELSE
        EXECUTE format('SELECT coalesce(sum(cardinality(t.keys)), 0) <= 0.05 * (SELECT c.reltuples FROM pg_class AS c WHERE c.oid = $1) FROM %I.touched AS t', schema)
            INTO are_few USING format('%I.history', schema)::regclass;
        changes := format(
$query$consumed AS MATERIALIZED (
        DELETE FROM %1$I.touched AS t RETURNING t.*
    ), change AS MATERIALIZED (
        SELECT one.*, %2$s AS is_row
          FROM consumed, unnest(consumed.keys%3$s) AS one (key%4$s)
         WHERE consumed.trigger_oid = ANY ($1)
    ), again AS MATERIALIZED (
        SELECT customer.customer_id AS key FROM (%5$s) AS customer
    ), $query$, schema,
            CASE WHEN adds_rows THEN 'consumed.ats IS NOT NULL' ELSE 'false' END,
            CASE WHEN adds_rows THEN ', consumed.ats, consumed.amounts' ELSE '' END,
            CASE WHEN adds_rows THEN ', at, amount' ELSE '' END,
            customer_tier.source_customers(s, 'SELECT DISTINCT change.key FROM change WHERE NOT change.is_row'));
    END IF;
    -- A customer who is read again has the new rows among the others.
    added := CASE WHEN adds_rows THEN format(
$query$
        UNION ALL
        SELECT added.customer_id, added.history, added.rows, added.bad, added.profit, true
          FROM (%1$s) AS added$query$,
        customer_tier.source_query(s, NULL, format('(SELECT change.key AS %1$I, change.at AS %2$I, change.amount AS %3$I FROM change WHERE change.is_row AND NOT EXISTS (SELECT FROM again WHERE again.key %4$s change.key) AND change.key IS NOT NULL)',
                                                   s.customer, s.at, s.amount, equality))) ELSE '' END;

    EXECUTE format(
$query$
    WITH %1$sread AS MATERIALIZED (
        SELECT coalesce(built.customer_id, again.key) AS customer_id, built.history, coalesce(built.rows, 0) AS rows, coalesce(built.bad, 0) AS bad, built.profit, false AS is_added
          FROM again
          LEFT JOIN %2$s
         WHERE again.key IS NOT NULL%3$s
    ), %4$s%8$s, without_customer AS (
        SELECT %5$s AS rows
    )
    SELECT (SELECT coalesce(sum(read.rows), 0) FROM read) AS rows_read,
           tracking.source_rows + found.rows + without_customer.rows - tracking.rows_without_customer AS source_rows,
           tracking.bad_rows + found.bad + without_customer.rows - tracking.rows_without_customer AS bad_rows,
           without_customer.rows AS rows_without_customer,
           written.changed,
           found.customers AS customers_more,
           %6$s AS is_enough
      FROM %7$I.tracking, without_customer, written,
           (SELECT coalesce(sum(difference.rows - coalesce(difference.old_rows, 0)), 0) AS rows,
                   coalesce(sum(difference.bad - coalesce(difference.old_bad, 0)), 0) AS bad,
                   count(*) FILTER (WHERE difference.rows > 0 AND difference.history IS NOT NULL) - count(*) FILTER (WHERE difference.old_known) AS customers
              FROM difference) AS found
$query$,
        changes,
        -- One by one through an index; or, where rates and identities are joined, all at once.
        CASE WHEN customer_tier.has_source_rows(s)
             THEN format('(%s) AS built ON built.customer_id %s again.key',
                         customer_tier.source_query(s, NULL, format('(SELECT rows.* FROM %1$I.source_rows AS rows WHERE rows.customer_id %2$s ANY (SELECT again.key FROM again) AND rows.source_customer %3$s ANY (SELECT made_of.key FROM again CROSS JOIN LATERAL (%4$s) AS made_of))',
                                                                    schema, equality, customer_tier.source_key_equality(s), customer_tier.source_keys(s, 'again.key'))), equality)
             ELSE format('LATERAL (%s) AS built ON true', customer_tier.source_query(s, 'again.key')) END,
        added,
        customer_tier.history_changes(schema, format(
$query$(SELECT read.* FROM read ORDER BY read.customer_id) AS read      -- neighbours share pages
          LEFT JOIN %1$s
         CROSS JOIN LATERAL (SELECT read.customer_id,
                                    CASE WHEN read.is_added THEN coalesce(kept.history OPERATOR(customer_tier.+) read.history, kept.history, read.history) ELSE read.history END AS history,
                                    CASE WHEN read.is_added THEN coalesce(kept.source_rows, 0) ELSE 0 END + read.rows AS rows,
                                    CASE WHEN read.is_added THEN coalesce(kept.bad_rows, 0) ELSE 0 END + read.bad AS bad,
                                    read.profit
                            OFFSET '0') AS fresh$query$,
            -- The planner takes the table for larger, and a way through its index for longer, than they are.
            format(CASE WHEN are_few THEN 'LATERAL (SELECT one.* FROM %1$I.history AS one WHERE one.customer_id %2$s read.customer_id OFFSET ''0'') AS kept ON true'
                        ELSE '%1$I.history AS kept ON kept.customer_id %2$s read.customer_id' END, schema, equality)), equality),
        -- Rows without a customer are all bad; how many is looked up when one of them changed.
        format('CASE WHEN EXISTS (SELECT FROM again WHERE again.key IS NULL) THEN (SELECT count(*) FROM %I.%I AS source WHERE source.%I IS NULL) ELSE (SELECT tracking.rows_without_customer FROM %I.tracking)%s END',
               read_from.source_schema, read_from.source_name, read_from.customer, schema,
               CASE WHEN adds_rows THEN ' + (SELECT count(*) FROM change WHERE change.is_row AND change.key IS NULL)' ELSE '' END),
        CASE WHEN s.tracking = 'triggers' THEN 'NOT EXISTS (SELECT FROM consumed WHERE consumed.keys IS NULL AND consumed.trigger_oid = ANY ($1))' ELSE 'true' END,
        schema,
        CASE WHEN notes THEN format(
$query$, noted AS (
        INSERT INTO %I.changed (customer_id, history, profit)
        SELECT coalesce(difference.customer_id, difference.old_id), CASE WHEN difference.rows > 0 THEN difference.history END, CASE WHEN difference.rows > 0 THEN difference.profit END
          FROM difference
         WHERE coalesce(difference.customer_id, difference.old_id) IS NOT NULL
    )$query$, schema) ELSE '' END)
        INTO rows_read, source_rows, bad_rows, rows_without_customer, changed, customers_more, is_enough
        USING triggers;
END
$$;
COMMENT ON FUNCTION customer_tier.merge_changes(name, customer_tier.program_settings, oid[], text, boolean) IS
    'internal: bring the histories of customers who changed in line with the source, and with notes write down in <schema>.changed whose changed; customers_more is how many more have a history, is_enough is false when everybody may have changed meanwhile';
