-- What a program is told, whether it makes sense, and how its order source is
-- read.  The source is kept as schema and name and looked up each time: it may
-- be dropped, made anew, or restored after the program.

CREATE TYPE customer_tier.program_settings AS (
    program text,
    source_schema name,
    source_name name,
    customer name,
    at name,
    amount name,
    order_id name,
    customers_schema name,
    customers_name name,
    customers_key name,
    time_zone text,
    segment_map text,
    monetary text,
    window_days int,
    on_bad_row text,
    max_bad_share numeric,
    purchase_model text,
    horizon_days int,
    annual_discount numeric,
    margin numeric,
    margin_column name,
    churn_days int,
    refit_days int,
    history_complete_from date,
    tracking text,
    track_schema name,
    track_name name,
    track_customer name,
    watermark name,
    watermark_lag text,
    currency name,
    rates_schema name,
    rates_name name,
    rates_currency name,
    rates_day name,
    rates_rate name,
    identities_schema name,
    identities_name name,
    identities_key name,
    identities_customer name,
    schema name,
    what_if jsonb,
    part text,
    is_distributed boolean,
    keeps_numbers boolean,
    predictions text[]
);
COMMENT ON TYPE customer_tier.program_settings IS 'the settings of a program: the one row of <schema>.settings, whose columns explain themselves; the schema; changes of tiers, policy and scorecard that are tried out (NULL = none); which part of a query is compiled: constants, what a run knows once; rows, the rest, with the constants as parameters; NULL = all of it; whether histories and ratings are on the workers of Citus; whether everybody comes with his rating, which has the numbers of who is not in <schema>.changed; and which predictions are made (NULL = all)';

CREATE FUNCTION customer_tier.program_settings(schema name) RETURNS customer_tier.program_settings
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s customer_tier.program_settings;
    settings_rows bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I.settings', schema) INTO settings_rows;
    IF settings_rows <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'cardinality_violation',
            MESSAGE = format('%I.settings has %s rows, it must have one', schema, settings_rows),
            HINT = 'Restore the row from a backup, or create the program again.';
    END IF;
    EXECUTE format('SELECT (jsonb_populate_record(CAST(NULL AS customer_tier.program_settings), to_jsonb(settings))).* FROM %I.settings', schema) INTO s;
    s.tracking := coalesce(s.tracking, 'full');     -- a schema from before there was a choice
    s.schema := program_settings.schema;
    s.is_distributed := customer_tier.is_distributed_by(to_regclass(format('%I.history', schema)), 'customer_id');
    RETURN s;
END
$$;
COMMENT ON FUNCTION customer_tier.program_settings(name) IS 'the settings of the program in a schema';

CREATE FUNCTION customer_tier.key_equality(type regtype) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'key_equality';
COMMENT ON FUNCTION customer_tier.key_equality(regtype) IS 'internal: the equality of the type''s default btree operator class, as OPERATOR(schema.name); NULL when the type cannot be a customer key';

CREATE FUNCTION customer_tier.key_is_exact(type regtype, key_collation oid) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'key_is_exact';
COMMENT ON FUNCTION customer_tier.key_is_exact(regtype, oid) IS 'internal: whether equal keys always look the same (not so in citext or numeric)';

CREATE FUNCTION customer_tier.relation_column(relation regclass, column_name name)
RETURNS TABLE (attnum smallint, type regtype, base_type regtype, collation_oid oid, declared text, collate_clause text)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE domain (attnum, atttypid, attcollation, declared, collate_clause, type, typtype, typbasetype) AS (
        SELECT a.attnum, a.atttypid, a.attcollation,
               format_type(a.atttypid, -1),
               CASE WHEN a.attcollation <> t.typcollation
                    THEN format(' COLLATE %I.%I', n.nspname, c.collname) ELSE '' END,
               t.oid, t.typtype, t.typbasetype
          FROM pg_attribute a
          JOIN pg_type t ON t.oid = a.atttypid
          LEFT JOIN pg_collation c ON c.oid = a.attcollation
          LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
         WHERE a.attrelid = relation AND a.attname = column_name
           AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT d.attnum, d.atttypid, d.attcollation, d.declared, d.collate_clause, t.oid, t.typtype, t.typbasetype
          FROM domain d
          JOIN pg_type t ON t.oid = d.typbasetype
         WHERE d.typtype = 'd'
    )
    SELECT attnum, atttypid::regtype, type::regtype, attcollation, declared, collate_clause
      FROM domain
     WHERE typtype <> 'd'
$$;
COMMENT ON FUNCTION customer_tier.relation_column(regclass, name) IS 'internal: a column of a relation: its type, the base type below its domains, its collation, its type by name (without a length, which may grow), and the COLLATE that goes with it; no row when there is no such column';

CREATE FUNCTION customer_tier.relation_problems(option text, relation_schema name, relation_name name)
RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation_namespace oid := (SELECT n.oid FROM pg_namespace n WHERE n.nspname = relation_schema);
    relation pg_class;
BEGIN
    IF relation_schema IS NULL OR relation_name IS NULL THEN
        RETURN QUERY SELECT '22004', format('option "%s" names no relation', option),
            'Name a table, view, materialized view, partitioned table or foreign table.'::text;
        RETURN;
    END IF;
    SELECT * INTO relation FROM pg_class c
     WHERE c.relnamespace = relation_namespace AND c.relname = relation_name;
    IF NOT FOUND THEN
        RETURN QUERY SELECT '42P01', format('relation %I.%I does not exist (option "%s")', relation_schema, relation_name, option),
            'Create it, or point the settings of the program to another relation.'::text;
    ELSIF relation.relkind NOT IN ('r', 'v', 'm', 'p', 'f') THEN
        RETURN QUERY SELECT '42809', format('%I.%I cannot be read as a table (option "%s")', relation_schema, relation_name, option),
            'Name a table, view, materialized view, partitioned table or foreign table.'::text;
    ELSIF relation.relpersistence = 't' THEN
        RETURN QUERY SELECT '42809', format('%I.%I is a temporary relation (option "%s")', relation_schema, relation_name, option),
            'A refresh runs in other sessions, too: name a permanent relation.'::text;
    ELSIF NOT has_schema_privilege(relation_namespace, 'USAGE') THEN
        RETURN QUERY SELECT '42501', format('permission denied for schema "%s" (option "%s")', relation_schema, option),
            format('GRANT USAGE ON SCHEMA %I TO %I;', relation_schema, current_user);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.relation_problems(text, name, name) IS 'internal: what is wrong with the relation an option names; no row = nothing';

CREATE FUNCTION customer_tier.column_problems(option text, relation_schema name, relation_name name, column_name name, kind text)
RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation regclass := to_regclass(format('%I.%I', relation_schema, relation_name));
    col record;
BEGIN
    IF column_name IS NULL THEN
        RETURN QUERY SELECT '22004', format('option "%s" must not be NULL', option),
            format('Name a column of %I.%I.', relation_schema, relation_name);
        RETURN;
    END IF;
    SELECT * INTO col FROM customer_tier.relation_column(relation, column_name);
    IF NOT FOUND THEN
        RETURN QUERY SELECT '42703',
            format('column "%s" of %I.%I does not exist (option "%s")', column_name, relation_schema, relation_name, option),
            (SELECT format('It has the columns %s.', string_agg(format('"%s"', a.attname), ', ' ORDER BY a.attnum))
               FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped);
    ELSIF kind IN ('key', 'order') AND customer_tier.key_equality(col.base_type) IS NULL THEN
        RETURN QUERY SELECT '42804',
            format('column "%s" of %I.%I has type %s, which has no default btree operator class (option "%s")',
                   column_name, relation_schema, relation_name, col.declared, option),
            'Use a column that can be compared and sorted, such as bigint, uuid or text; a view can convert it.'::text;
    ELSIF kind = 'day' AND col.base_type NOT IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN
        RETURN QUERY SELECT '42804',
            format('column "%s" of %I.%I has type %s, which is not the time of an order (option "%s")',
                   column_name, relation_schema, relation_name, col.declared, option),
            'Use a column of type date, timestamp or timestamptz; a view can convert it, as with to_timestamp(seconds).'::text;
    ELSIF kind IN ('amount', 'share', 'rate') AND col.base_type NOT IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype,
                                                    'real'::regtype, 'double precision'::regtype, 'numeric'::regtype) THEN
        RETURN QUERY SELECT '42804',
            format('column "%s" of %I.%I has type %s, which is not %s (option "%s")',
                   column_name, relation_schema, relation_name, col.declared, CASE kind WHEN 'amount' THEN 'an amount' WHEN 'rate' THEN 'a rate of exchange' ELSE 'a share' END, option),
            CASE WHEN col.base_type = 'money'::regtype AND kind = 'amount'
                 THEN 'Read it through a view that casts it: amount::numeric.'
                 ELSE 'Use a column of type numeric, smallint, integer, bigint, real or double precision; a view can convert it.' END;
    ELSIF NOT has_column_privilege(relation, col.attnum, 'SELECT') THEN
        RETURN QUERY SELECT '42501',
            format('permission denied to read column "%s" of %I.%I (option "%s")', column_name, relation_schema, relation_name, option),
            format('GRANT SELECT ON %I.%I TO %I;', relation_schema, relation_name, current_user);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.column_problems(text, name, name, name, text) IS 'internal: what is wrong with the column an option names; kind is key, order, day, amount, share or rate; no row = nothing';

CREATE FUNCTION customer_tier.settings_problems(s customer_tier.program_settings)
RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    source_is_there boolean;
    customers_are_there boolean;
    key_type regtype;
    master_type regtype;
BEGIN
    -- The order source and its columns.
    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.relation_problems('source', s.source_schema, s.source_name) p;
    source_is_there := NOT FOUND;
    IF source_is_there THEN
        RETURN QUERY
            SELECT p.code, p.problem, p.hint
              FROM (VALUES (1, 'customer', s.customer, 'key'), (2, 'at', s.at, 'day'), (3, 'amount', s.amount, 'amount'),
                           (4, 'order_id', s.order_id, 'order'), (5, 'margin_column', s.margin_column, 'share')) AS o (n, option, column_name, kind),
                   customer_tier.column_problems(o.option, s.source_schema, s.source_name, o.column_name, o.kind) p
             WHERE o.column_name IS NOT NULL OR o.option NOT IN ('order_id', 'margin_column')
             ORDER BY o.n;
    END IF;

    -- The customer master.
    IF s.customers_name IS NOT NULL OR s.customers_schema IS NOT NULL THEN
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.relation_problems('customers', s.customers_schema, s.customers_name) p;
        customers_are_there := NOT FOUND;
        IF customers_are_there THEN
            RETURN QUERY SELECT p.code, p.problem, p.hint
                FROM customer_tier.column_problems('customers_key', s.customers_schema, s.customers_name, s.customers_key, 'key') p;
            IF NOT FOUND AND source_is_there THEN
                key_type := (SELECT c.base_type FROM customer_tier.program_key(s) c);
                master_type := (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.customers_schema, s.customers_name)), s.customers_key) c);
                IF master_type <> key_type
                   AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = master_type AND casttarget = key_type AND castcontext = 'i') THEN
                    RETURN QUERY SELECT '42804',
                        format('column "%s" of %I.%I has type %s, but the customers of the orders have type %s (option "customers_key")',
                               s.customers_key, s.customers_schema, s.customers_name, master_type, key_type),
                        'Give both the same type; a view can convert one of them.'::text;
                END IF;
            END IF;
        END IF;
    ELSIF s.customers_key IS NOT NULL THEN
        RETURN QUERY SELECT '22023', format('option "customers_key" (%s) needs option "customers"', s.customers_key),
            'Name the customer master too: customers => ''public.customers''.'::text;
    END IF;

    -- The named options.
    IF s.time_zone IS NULL OR NOT customer_tier.is_time_zone(s.time_zone) THEN
        RETURN QUERY SELECT '22023', format('time zone "%s" is not known (option "time_zone")', coalesce(s.time_zone, 'NULL')),
            'Use a name of pg_timezone_names, such as Europe/Berlin or Asia/Shanghai.'::text;
    END IF;

    IF s.segment_map IS NULL OR NOT EXISTS (SELECT FROM customer_tier.segment_map m WHERE m.map = s.segment_map) THEN
        RETURN QUERY SELECT '22023', format('segment map "%s" does not exist (option "segment_map")', coalesce(s.segment_map, 'NULL')),
            (SELECT format('The maps are %s; SELECT DISTINCT map FROM customer_tier.segment_map lists them.', string_agg(DISTINCT m.map, ', ')) FROM customer_tier.segment_map m);
    ELSE
        -- Overlaps are settled by priority; contradictions and gaps are not.
        RETURN QUERY SELECT '22023',
                format('segment map "%s" contradicts itself: its rows differ in scores or relative (option "segment_map")', s.segment_map),
                format('SELECT * FROM customer_tier.segment_map_check(%L) shows what is wrong with it.', s.segment_map)
            FROM customer_tier.segment_map m
           WHERE m.map = s.segment_map
           HAVING count(DISTINCT (m.scores, m.relative)) > 1;
        IF NOT FOUND THEN
            RETURN QUERY SELECT '22023',
                    format('segment map "%s" has no segment for %s of its cells, such as %s (option "segment_map")',
                           s.segment_map, count(*), min(concat_ws('-', c.r, c.f, c.m) COLLATE "C")),
                    format('SELECT * FROM customer_tier.segment_map_check(%L) shows what is wrong with it.', s.segment_map)
                FROM customer_tier.segment_cells(s.segment_map) c
               WHERE c.segment IS NULL
               HAVING count(*) > 0;
        END IF;
    END IF;

    IF s.monetary IS NULL OR s.monetary NOT IN ('revenue', 'average_order') THEN
        RETURN QUERY SELECT '22023', format('monetary value "%s" is not known (option "monetary")', coalesce(s.monetary, 'NULL')),
            'Use ''revenue'' or ''average_order''.'::text;
    END IF;

    IF s.window_days < 1 THEN
        RETURN QUERY SELECT '22023', format('a window of %s days holds no day (option "window_days")', s.window_days),
            'Use 1 or more days, or NULL for everything.'::text;
    END IF;

    IF s.on_bad_row IS NULL OR s.on_bad_row NOT IN ('skip', 'error') THEN
        RETURN QUERY SELECT '22023', format('"%s" is not known (option "on_bad_row")', coalesce(s.on_bad_row, 'NULL')),
            'Use ''skip'' (bad rows are skipped and counted) or ''error''.'::text;
    END IF;

    IF s.max_bad_share IS NULL OR s.max_bad_share NOT BETWEEN 0 AND 1 THEN
        RETURN QUERY SELECT '22023', format('%s is not a share (option "max_bad_share")', coalesce(s.max_bad_share::text, 'NULL')),
            'Give a share of all rows from 0 to 1, such as 0.01.'::text;
    END IF;

    RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.model_settings_problems(s) p;
    IF source_is_there THEN
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.tracking_settings_problems(s) p;
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.source_settings_problems(s) p;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.settings_problems(customer_tier.program_settings) IS 'internal: what is wrong with the settings of a program; no row = nothing';

CREATE FUNCTION customer_tier.is_time_zone(zone text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'is_time_zone';
COMMENT ON FUNCTION customer_tier.is_time_zone(text) IS 'internal: whether the server knows the time zone';

CREATE FUNCTION customer_tier.source_query(s customer_tier.program_settings, one_key text DEFAULT NULL, relation text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told customer_tier.program_settings := s;
    source regclass;
    customer_column record;
    at_column record;
    amount_column record;
    margin_column record;
    order_column record;
    customer_expr text;     -- the key as it is grouped
    shown_expr text;        -- how to show a key: one spelling of equal ones
    at_expr text;
    amount_expr text;
    zone text;
    margin_expr text;       -- the margin of a row, in numeric
    line_expr text;         -- the amount of an order line, in numeric
    profit_expr text;       -- what it earns
    in_range text := 'BETWEEN -170141183460469231731687303715884 AND 170141183460469231731687303715884';    -- what a history can hold
    good text;              -- whether an order line can be used
    only_one text;          -- the condition for one customer alone
    relation_text text;     -- what is read
    place CONSTANT text := CASE WHEN relation IS NULL THEN customer_tier.where_built(s) ELSE 'here' END;   -- where histories are built
    built text;             -- the call that builds them here
BEGIN
    s := customer_tier.effective_source(told);
    source := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    relation_text := coalesce(relation, format('%I.%I', s.source_schema, s.source_name));
    SELECT * INTO customer_column FROM customer_tier.relation_column(source, s.customer);
    SELECT * INTO at_column FROM customer_tier.relation_column(source, s.at);
    SELECT * INTO amount_column FROM customer_tier.relation_column(source, s.amount);

    customer_expr := format('source.%I', s.customer);
    only_one := CASE WHEN one_key IS NULL THEN '' ELSE format(E'\n             WHERE %s %s %s', customer_expr, customer_tier.key_equality(customer_column.base_type), one_key) END;
    -- The customer comes out of joins there: an index can only help with the keys that go in.
    IF one_key IS NOT NULL AND told.schema IS NOT NULL AND (told.identities_name IS NOT NULL OR customer_tier.has_merges(told.schema)) THEN
        only_one := format(E'%s\n               AND source.source_customer %s ANY (ARRAY(%s))', only_one,
                           customer_tier.source_key_equality(told), customer_tier.source_keys(told, one_key));
    END IF;
    IF customer_tier.key_is_exact(customer_column.base_type, customer_column.collation_oid) THEN
        shown_expr := '%s';
    ELSE
        -- It is grouped once more where lines make orders: under the collation it came with.
        shown_expr := 'CAST(pg_catalog.min(CAST(%s AS text) COLLATE pg_catalog."C") AS '
                      || replace(customer_column.declared
                                 || coalesce((SELECT format(') COLLATE %I.%I', n.nspname, c.collname) FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace WHERE c.oid = customer_column.collation_oid), ')'), '%', '%%');
    END IF;

    at_expr := format('source.%I', s.at);
    IF at_column.type <> at_column.base_type THEN
        at_expr := format('CAST(%s AS %s)', at_expr, at_column.base_type);
    END IF;
    zone := CASE WHEN at_column.base_type = 'timestamptz'::regtype THEN format(CASE place WHEN 'here' THEN ', %L' ELSE ', CAST(%L AS customer_tier.time_zone)' END, s.time_zone) ELSE '' END;

    -- Integers as bigint; real through its shortest decimal, so that 0.1 is 0.1.
    amount_expr := format('source.%I', s.amount);
    IF amount_column.base_type IN ('smallint'::regtype, 'integer'::regtype) THEN
        amount_expr := format('CAST(%s AS bigint)', amount_expr);
    ELSIF amount_column.base_type = 'real'::regtype THEN
        amount_expr := format('CAST(CAST(%s AS text) AS double precision)', amount_expr);
    ELSIF amount_column.type <> amount_column.base_type THEN
        amount_expr := format('CAST(%s AS %s)', amount_expr, amount_column.base_type);
    END IF;

    -- A row without a margin has that of the program; a margin that cannot be
    -- hides the amount, so that the row is bad.
    IF s.margin_column IS NOT NULL THEN
        SELECT * INTO margin_column FROM customer_tier.relation_column(source, s.margin_column);
        margin_expr := format('CAST(source.%I AS %s)', s.margin_column, margin_column.base_type);
        amount_expr := format('CASE WHEN %1$s IS NULL OR %1$s BETWEEN -1 AND 1 THEN %2$s END', margin_expr, amount_expr);
        margin_expr := CASE WHEN margin_column.base_type IN ('real'::regtype, 'double precision'::regtype)
                            THEN format('coalesce(CAST(CAST(%s AS text) AS numeric), %s)', margin_expr, s.margin)
                            ELSE format('CASE WHEN %1$s IS NULL THEN %2$s ELSE CAST(%1$s AS numeric) END', margin_expr, s.margin) END;
    END IF;
    line_expr := CASE WHEN amount_column.base_type IN ('real'::regtype, 'double precision'::regtype)
                      THEN format('CAST(CAST(%s AS text) AS numeric)', amount_expr)
                      ELSE format('CAST(%s AS numeric)', amount_expr) END;
    profit_expr := format('CASE WHEN %s %s THEN %s * %s END', amount_expr, in_range, line_expr, margin_expr);

    -- Everybody's histories are built in one go, but for lines with margins.
    IF one_key IS NULL AND relation IS NULL
       AND customer_tier.key_is_exact(customer_column.base_type, customer_column.collation_oid) AND customer_tier.histories_offers(customer_column.base_type) THEN
        SELECT * INTO order_column FROM customer_tier.relation_column(source, s.order_id);
        built := format(CASE WHEN s.order_id IS NULL AND s.margin_column IS NULL THEN 'customer_tier.histories(%1$s%2$s)'
                             WHEN s.margin_column IS NULL AND customer_tier.histories_sums(order_column.base_type, order_column.collation_oid) THEN 'customer_tier.histories(%1$s%2$s, order_id => %3$L)'
                             WHEN s.order_id IS NULL AND place = 'here' THEN 'customer_tier.histories_with_profit(%1$s, %4$L, %5$s%2$s)' END,
                        format('CAST(%%source%% AS regclass), %L, %L, %L, CAST(NULL AS %s)', s.customer, s.at, s.amount, customer_column.base_type),
                        CASE WHEN zone <> '' THEN format(', zone => %L', s.time_zone) ELSE '' END, s.order_id, s.margin_column, s.margin);
    END IF;
    IF place = 'parts' AND one_key IS NULL THEN
        RETURN customer_tier.parts_query(s, format('customer_tier.purchases_checked(%s, %s%s)', at_expr, amount_expr, zone),
                                         CASE WHEN s.margin_column IS NOT NULL THEN format('customer_tier.purchases_checked(%s, %s%s)', at_expr, profit_expr, zone) END, built);
    ELSIF place = 'here' AND built IS NOT NULL THEN
        RETURN format(
$query$
    -- %3$s
    SELECT CAST((customer.built).customer_id AS %2$s) AS customer_id, (customer.built).history, (customer.built).rows, (customer.built).bad, %4$s AS profit
      FROM (
            SELECT %1$s AS built
            OFFSET '0'
           ) AS customer
$query$,
            replace(built, '%source%', format('%L', format('%I.%I', s.source_schema, s.source_name))),
            format_type(customer_column.type, -1),     -- a cast to "character" would cut it to one
            CASE WHEN s.order_id IS NULL THEN 'Every row is an order.' ELSE 'The lines of one order are summed to one order, on the day of its first line.' END,
            CASE WHEN s.margin_column IS NULL THEN 'CAST(NULL AS customer_tier.purchase_history)' ELSE '(customer.built).profit' END);
    END IF;

    IF s.order_id IS NULL THEN
        RETURN format(
$query$
    -- Every row is an order.
    SELECT customer_id, (checked).history, (checked).rows, (checked).bad, %7$s AS profit
      FROM (
            SELECT %1$s AS customer_id,
                   customer_tier.purchases_checked(%2$s, %3$s%4$s) AS checked%8$s
              FROM %5$s AS source%9$s
             GROUP BY %6$s
           ) AS customer
$query$,
            format(shown_expr, customer_expr), at_expr, amount_expr, zone, relation_text, customer_expr,
            CASE WHEN s.margin_column IS NULL THEN 'CAST(NULL AS customer_tier.purchase_history)' ELSE '(profit).history' END,
            CASE WHEN s.margin_column IS NULL THEN '' ELSE format(
$profit$,
                   customer_tier.purchases_checked(%s, %s%s) AS profit$profit$, at_expr, profit_expr, zone) END, only_one);
    END IF;

    -- Finite minus itself is zero; NaN and Infinity minus themselves are not.
    good := format('source.%3$I IS NOT NULL AND pg_catalog.isfinite(%1$s) AND %2$s - %2$s = 0', at_expr, amount_expr, s.order_id);
    RETURN format(
$query$
    -- The lines of one order are summed to one order, on the day of its first
    -- line; a line without an order id is an order of its own.
    SELECT customer_id,
           coalesce((ordered).history OPERATOR(customer_tier.+) loose, (ordered).history, loose) AS history,
           rows, bad + coalesce((ordered).bad, 0) AS bad,
           %11$s AS profit
      FROM (
            SELECT %1$s AS customer_id,
                   customer_tier.purchases_checked(at, amount%2$s) FILTER (WHERE at IS NOT NULL) AS ordered,
                   customer_tier.rollup((loose).history) AS loose,
                   CAST(pg_catalog.sum(lines) AS bigint) AS rows,
                   CAST(pg_catalog.sum(bad_lines + coalesce((loose).bad, 0)) AS bigint) AS bad%12$s
              FROM (
                    SELECT %3$s AS customer_id,
                           pg_catalog.min(%4$s) FILTER (WHERE %5$s) AS at,
                           pg_catalog.sum(%6$s) FILTER (WHERE %5$s) AS amount,
                           customer_tier.purchases_checked(%4$s, %7$s%2$s) FILTER (WHERE source.%8$I IS NULL) AS loose,
                           pg_catalog.count(*) AS lines,
                           pg_catalog.count(source.%8$I) - pg_catalog.count(*) FILTER (WHERE %5$s) AS bad_lines%13$s
                      FROM %9$s AS source%14$s
                     GROUP BY %10$s, source.%8$I
                   ) AS one_order
             GROUP BY one_order.customer_id
           ) AS one_customer
$query$,
        format(shown_expr, 'one_order.customer_id'), zone, format(shown_expr, customer_expr), at_expr, good, line_expr, amount_expr,
        s.order_id, relation_text, customer_expr,
        CASE WHEN s.margin_column IS NULL THEN 'CAST(NULL AS customer_tier.purchase_history)'
             ELSE 'coalesce((ordered_profit).history OPERATOR(customer_tier.+) loose_profit, (ordered_profit).history, loose_profit)' END,
        CASE WHEN s.margin_column IS NULL THEN '' ELSE format(
$profit$,
                   customer_tier.purchases_checked(at, CASE WHEN amount %s THEN profit END%s) FILTER (WHERE at IS NOT NULL) AS ordered_profit,
                   customer_tier.rollup((loose_profit).history) AS loose_profit$profit$, in_range, zone) END,
        CASE WHEN s.margin_column IS NULL THEN '' ELSE format(
$profit$,
                           pg_catalog.sum(%1$s * %2$s) FILTER (WHERE %3$s) AS profit,
                           customer_tier.purchases_checked(%4$s, %5$s%6$s) FILTER (WHERE source.%7$I IS NULL) AS loose_profit$profit$,
            line_expr, margin_expr, good, at_expr, profit_expr, zone, s.order_id) END, only_one);
END
$$;
COMMENT ON FUNCTION customer_tier.source_query(customer_tier.program_settings, text, text) IS 'internal: the query that reads the order source of a program: one row a customer, with history, rows, bad rows and, when there is a margin column, the history of what was earned; rows without a customer form a group of their own. With one_key, an expression, it reads that customer alone; with relation, an item of FROM with the columns of the source, it reads that instead';
