-- The rows of a source as a program reads them, where that is more than reading
-- the source: amounts in one currency, external ids as customers, customers who
-- were merged.  It is a view, <schema>.source_rows, so that everything which
-- reads a source reads this one as any other.
--
-- A program without these options, and without merged customers, has no such
-- view and reads its source directly.

CREATE FUNCTION customer_tier.collation_clause(collation_oid oid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
                       FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = collation_oid), '')
$$;
COMMENT ON FUNCTION customer_tier.collation_clause(oid) IS 'internal: COLLATE with the name of a collation; empty when there is none';

CREATE FUNCTION customer_tier.program_key(s customer_tier.program_settings)
RETURNS TABLE (attnum smallint, type regtype, base_type regtype, collation_oid oid, declared text, collate_clause text)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.*
      FROM customer_tier.relation_column(
               CASE WHEN s.identities_name IS NULL THEN to_regclass(format('%I.%I', s.source_schema, s.source_name))
                    ELSE to_regclass(format('%I.%I', s.identities_schema, s.identities_name)) END,
               CASE WHEN s.identities_name IS NULL THEN s.customer ELSE s.identities_customer END) c
$$;
COMMENT ON FUNCTION customer_tier.program_key(customer_tier.program_settings) IS 'internal: the column from which a program has its customers, the identity map''s or the source''s, as relation_column() tells it';

CREATE FUNCTION customer_tier.has_merges(schema name) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_one boolean := false;
BEGIN
    IF to_regclass(format('%I.merged_customer', schema)) IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.merged_customer)', schema) INTO found_one;
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION customer_tier.has_merges(name) IS 'internal: whether a program has merged customers';

CREATE FUNCTION customer_tier.has_source_rows(s customer_tier.program_settings) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.currency IS NOT NULL OR s.identities_name IS NOT NULL OR (s.schema IS NOT NULL AND customer_tier.has_merges(s.schema))
$$;
COMMENT ON FUNCTION customer_tier.has_source_rows(customer_tier.program_settings) IS 'internal: whether a program reads its source through the view source_rows';

CREATE FUNCTION customer_tier.effective_source(s customer_tier.program_settings) RETURNS customer_tier.program_settings
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF s.schema IS NOT NULL AND customer_tier.has_source_rows(s) THEN
        s.source_schema := s.schema;
        s.source_name := 'source_rows';
        s.customer := 'customer_id';
        s.at := 'at';
        s.amount := 'amount';
        s.order_id := CASE WHEN s.order_id IS NOT NULL THEN 'order_id' END;
        s.margin_column := CASE WHEN s.margin_column IS NOT NULL THEN 'margin' END;
        s.watermark := CASE WHEN s.watermark IS NOT NULL THEN 'watermark' END;
    END IF;
    RETURN s;
END
$$;
COMMENT ON FUNCTION customer_tier.effective_source(customer_tier.program_settings) IS 'internal: the settings with the relation and the columns that are really read: the view source_rows where there is one';

CREATE FUNCTION customer_tier.duplicate_row(relation text, what text, hint text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'cardinality_violation',
        MESSAGE = format('%s has more than one row for %s', relation, what), HINT = hint;
END
$$;
COMMENT ON FUNCTION customer_tier.duplicate_row(text, text, text) IS 'internal: raise an error about a second row where there can be one';

CREATE FUNCTION customer_tier.local_day(expression text, type regtype, zone text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Near the ends of time a zone may lead beyond them.
    SELECT CASE WHEN type = 'timestamptz'::regtype
                THEN format('CASE WHEN %1$s > TIMESTAMPTZ ''4712-01-01 00:00:00+00 BC'' AND %1$s < TIMESTAMPTZ ''294275-01-01 00:00:00+00'' THEN CAST(pg_catalog.timezone(%2$L, %1$s) AS date) END', expression, zone)
                ELSE format('CAST(%s AS date)', expression) END
$$;
COMMENT ON FUNCTION customer_tier.local_day(text, regtype, text) IS 'internal: the day of a time in the program''s time zone, as an expression';

CREATE FUNCTION customer_tier.exact_number(expression text, type regtype) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Binary fractions through their shortest decimal, so that 0.1 is 0.1.
    SELECT CASE WHEN type IN ('real'::regtype, 'double precision'::regtype)
                THEN format('CAST(CAST(CAST(%s AS %s) AS text) AS numeric)', expression, type)
                ELSE format('CAST(%s AS numeric)', expression) END
$$;
COMMENT ON FUNCTION customer_tier.exact_number(text, regtype) IS 'internal: a finite number in numeric, as an expression';

CREATE FUNCTION customer_tier.currency_joins(s customer_tier.program_settings, strict boolean, OUT joins text, OUT amount text, OUT day text, OUT rates_day text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := to_regclass(format('%I.%I', s.source_schema, s.source_name));
    rates regclass := to_regclass(format('%I.%I', s.rates_schema, s.rates_name));
    rates_relation text := format('%I.%I', s.rates_schema, s.rates_name);
    at_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(source, s.at) c);
    amount_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(source, s.amount) c);
    day_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(rates, s.rates_day) c);
    rate_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(rates, s.rates_rate) c);
    currency text := format('CAST(source.%I AS text) COLLATE pg_catalog."C"', s.currency);
    amount_expr text := format('CAST(source.%I AS %s)', s.amount, amount_type);
    rate_expr text := format('CAST(rates.%I AS %s)', s.rates_rate, rate_type);
BEGIN
    day := customer_tier.local_day(format('CAST(source.%I AS %s)', s.at, at_type), at_type, s.time_zone);
    rates_day := customer_tier.local_day(format('CAST(rates.%I AS %s)', s.rates_day, day_type), day_type, s.time_zone);

    -- The days of each currency are an array, in which a binary search finds
    -- the one that holds: two hash joins, and no search of the rates a row.  The
    -- day is worked out in a subquery of its own, so that the day is carried to
    -- the second join, maybe by way of a temporary file, and not the array.
    joins := format(
$query$
  LEFT JOIN (SELECT CAST(rates.%1$I AS text) COLLATE pg_catalog."C" AS currency,
                    pg_catalog.array_agg(DISTINCT %2$s ORDER BY %2$s) AS days
               FROM %3$s AS rates
              WHERE rates.%1$I IS NOT NULL AND %2$s IS NOT NULL
              GROUP BY 1) AS calendar
    ON calendar.currency = %4$s
  LEFT JOIN LATERAL (SELECT calendar.days[pg_catalog.width_bucket(%8$s, calendar.days)] AS day) AS valid
    ON true
  LEFT JOIN (SELECT CAST(rates.%1$I AS text) COLLATE pg_catalog."C" AS currency, %2$s AS day,
                    pg_catalog.min(CASE WHEN %5$s > 0 AND %5$s - %5$s = 0 THEN %6$s END) AS rate
               FROM %3$s AS rates
              WHERE rates.%1$I IS NOT NULL AND %2$s IS NOT NULL
              GROUP BY 1, 2%7$s) AS rate
    ON rate.currency = %4$s
   AND rate.day = valid.day$query$,
        s.rates_currency, rates_day, rates_relation, currency,
        rate_expr, customer_tier.exact_number(format('rates.%I', s.rates_rate), rate_type),
        CASE WHEN strict THEN format(E'\n             HAVING pg_catalog.count(*) = 1 OR customer_tier.duplicate_row(%L, pg_catalog.format(''"%%s" on %%s'', CAST(rates.%I AS text) COLLATE pg_catalog."C", %s), %L)',
                                     rates_relation, s.rates_currency, rates_day,
                                     'A currency has one rate a day: delete the wrong one, and let a unique index see to it.') ELSE '' END,
        day);

    -- What is beyond the range of a history is not multiplied: NaN and the
    -- infinities stand there as well.
    amount := format('CASE WHEN %s THEN %s * rate.rate END',
        CASE WHEN amount_type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN 'rate.rate IS NOT NULL'
             ELSE format('rate.rate IS NOT NULL AND %s BETWEEN -170141183460469231731687303715884 AND 170141183460469231731687303715884', amount_expr) END,
        customer_tier.exact_number(format('source.%I', s.amount), amount_type));
END
$$;
COMMENT ON FUNCTION customer_tier.currency_joins(customer_tier.program_settings, boolean) IS 'internal: what is joined to the source for its rates of exchange, the amount that comes out, and the days of an order and of a rate; strict = two rates of one currency and day are an error';

CREATE FUNCTION customer_tier.customer_joins(s customer_tier.program_settings, source_customer text, strict boolean, OUT joins text, OUT customer text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    external record;        -- the customer column of the source
    map_key record;         -- the external ids of the map
    key record;             -- the customers
    identities text;
    collate_key text;
BEGIN
    SELECT * INTO external FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.customer);
    SELECT * INTO key FROM customer_tier.program_key(s);
    collate_key := customer_tier.collation_clause(key.collation_oid);
    joins := '';
    customer := source_customer;

    IF s.identities_name IS NOT NULL THEN
        identities := format('%I.%I', s.identities_schema, s.identities_name);
        SELECT * INTO map_key FROM customer_tier.relation_column(to_regclass(identities), s.identities_key);
        joins := format(
$query$
  LEFT JOIN %1$s AS identity
    ON identity.external_id%2$s %3$s %4$s$query$,
            CASE WHEN customer_tier.has_unique_key(to_regclass(identities), s.identities_key)
                 THEN format('(SELECT map.%I AS external_id, map.%I AS customer_id FROM %s AS map)', s.identities_key, s.identities_customer, identities)
                 ELSE format(
$query$(SELECT map.%1$I AS external_id, (pg_catalog.array_agg(map.%2$I ORDER BY map.%2$I))[1] AS customer_id
               FROM %3$s AS map
              WHERE map.%1$I IS NOT NULL
              GROUP BY map.%1$I%4$s)$query$, s.identities_key, s.identities_customer, identities,
                    CASE WHEN strict THEN format(E'\n             HAVING pg_catalog.count(*) = 1 OR customer_tier.duplicate_row(%L, pg_catalog.format(''external id "%%s"'', map.%I), %L)',
                                                 identities, s.identities_key,
                                                 'An external id belongs to one customer: delete the wrong row, and let a unique index see to it.') ELSE '' END) END,
            CASE WHEN map_key.collation_oid <> external.collation_oid THEN customer_tier.collation_clause(external.collation_oid) ELSE '' END,
            customer_tier.identity_equality(map_key.base_type, external.base_type), source_customer);
        -- Whom the map does not know is his own customer, where a customer can have that key.
        customer := CASE WHEN external.base_type = key.base_type
                         THEN format('CASE WHEN identity.external_id IS NOT NULL THEN CAST(identity.customer_id AS %1$s) ELSE CAST(%2$s AS %1$s) END%3$s',
                                     format_type(key.type, -1), source_customer, collate_key)
                         ELSE format('CAST(identity.customer_id AS %s)%s', format_type(key.type, -1), collate_key) END;
    END IF;

    IF s.schema IS NOT NULL AND customer_tier.has_merges(s.schema) THEN
        joins := joins || format(
$query$
  LEFT JOIN %I.merged_customer AS merged
    ON merged.from_customer %s %s$query$, s.schema, customer_tier.key_equality(key.base_type), customer);
        customer := format('CAST(coalesce(merged.into_customer, %s) AS %s)%s', customer, format_type(key.type, -1), collate_key);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.customer_joins(customer_tier.program_settings, text, boolean) IS 'internal: what is joined to keys as they stand in the source for the identity map and the merged customers, and the customer that comes out; strict = two customers of one external id are an error';

CREATE FUNCTION customer_tier.identity_equality(map_type regtype, source_type regtype) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Integers of different length compare as they are.
    SELECT CASE WHEN map_type = source_type THEN customer_tier.key_equality(map_type)
                WHEN map_type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
                 AND source_type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN 'OPERATOR(pg_catalog.=)' END
$$;
COMMENT ON FUNCTION customer_tier.identity_equality(regtype, regtype) IS 'internal: the operator that compares external ids of the map with those of the source; NULL = they cannot be compared';

CREATE FUNCTION customer_tier.source_key_equality(s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s.identities_name IS NULL THEN customer_tier.key_equality(c.base_type)
                ELSE customer_tier.identity_equality((SELECT m.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.identities_schema, s.identities_name)), s.identities_key) m), c.base_type) END
      FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.customer) c
$$;
COMMENT ON FUNCTION customer_tier.source_key_equality(customer_tier.program_settings) IS 'internal: the operator that compares keys in the source with those of source_keys()';

CREATE FUNCTION customer_tier.source_rows_query(s customer_tier.program_settings, strict boolean DEFAULT true) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who record;
    what record;
BEGIN
    SELECT * INTO who FROM customer_tier.customer_joins(s, format('source.%I', s.customer), strict);
    IF s.currency IS NOT NULL THEN
        SELECT * INTO what FROM customer_tier.currency_joins(s, strict);
    ELSE
        SELECT '' AS joins, format('source.%I', s.amount) AS amount INTO what;
    END IF;
    RETURN format(
$query$SELECT %1$s AS customer_id,
       source.%2$I AS source_customer,
       source.%3$I AS at,
       %4$s AS amount%5$s%6$s%7$s
  FROM %8$I.%9$I AS source%10$s%11$s$query$,
        who.customer, s.customer, s.at, what.amount,
        CASE WHEN s.order_id IS NOT NULL THEN format(E',\n       source.%I AS order_id', s.order_id) ELSE '' END,
        CASE WHEN s.margin_column IS NOT NULL THEN format(E',\n       source.%I AS margin', s.margin_column) ELSE '' END,
        CASE WHEN s.watermark IS NOT NULL THEN format(E',\n       source.%I AS watermark', s.watermark) ELSE '' END,
        s.source_schema, s.source_name, who.joins, what.joins);
END
$$;
COMMENT ON FUNCTION customer_tier.source_rows_query(customer_tier.program_settings, boolean) IS 'internal: the query of the view source_rows; not strict = duplicates in rates and identity map are no error';

CREATE FUNCTION customer_tier.put_source_rows(schema name, s customer_tier.program_settings) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    view regclass := to_regclass(format('%I.source_rows', schema));
    query text;
    explanation text;
BEGIN
    IF NOT customer_tier.has_source_rows(s) THEN
        IF view IS NOT NULL THEN
            EXECUTE format('DROP VIEW %I.source_rows', schema);
        END IF;
        RETURN;
    END IF;
    -- The server keeps the meaning of a view and not its text: the comment says
    -- of which text it was made.  The same again would only churn the catalogs.
    query := customer_tier.source_rows_query(s);
    explanation := format('the rows of %I.%I as the program reads them, made by each refresh that finds the settings changed: in one currency, with external ids replaced by customers and merged customers by those who stay (%s)', s.source_schema, s.source_name, md5(query));
    IF view IS NOT NULL AND obj_description(view, 'pg_class') = explanation THEN
        RETURN;
    END IF;
    EXECUTE format('DROP VIEW IF EXISTS %I.source_rows', schema);
    EXECUTE format('CREATE VIEW %I.source_rows AS %s', schema, query);
    EXECUTE format('COMMENT ON VIEW %I.source_rows IS %L', schema, explanation);
    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.source_rows.%I IS %L;', schema, c.name, c.explanation), E'\n')
               FROM (VALUES ('customer_id', 'the customer for whom the row counts; NULL makes it bad'),
                            ('source_customer', 'the key that stands in the source'),
                            ('at', 'when it was ordered'),
                            ('amount', CASE WHEN s.currency IS NULL THEN 'amount' ELSE 'amount times the rate of its currency and day; NULL, which makes the row bad, where there is none' END),
                            ('order_id', 'order id'),
                            ('margin', 'margin as a share of the amount'),
                            ('watermark', 'column by which changes are found')) AS c (name, explanation)
              WHERE EXISTS (SELECT FROM customer_tier.relation_column(format('%I.source_rows', schema)::regclass, c.name::name)));
END
$$;
COMMENT ON FUNCTION customer_tier.put_source_rows(name, customer_tier.program_settings) IS 'internal: make the view source_rows of a program, unless it is the same already, or drop it when it is not needed';

CREATE FUNCTION customer_tier.source_keys(s customer_tier.program_settings, one_key text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key record;
    external_type regtype := (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.customer) c);
    equality text;
    collate_key text;
    members text;           -- the customer and who was merged into him
    keys text;
    key_type text;
BEGIN
    SELECT * INTO key FROM customer_tier.program_key(s);
    equality := customer_tier.key_equality(key.base_type);
    key_type := format_type(key.base_type, -1);     -- a cast to "character" would cut it to one
    collate_key := customer_tier.collation_clause(key.collation_oid);
    members := format('SELECT CAST(%s AS %s)%s AS key', one_key, key_type, collate_key);
    IF s.schema IS NOT NULL AND customer_tier.has_merges(s.schema) THEN
        members := members || format(' UNION ALL SELECT CAST(merged.from_customer AS %s)%s FROM %I.merged_customer AS merged WHERE merged.into_customer %s %s', key_type, collate_key, s.schema, equality, one_key);
    END IF;
    IF s.identities_name IS NULL THEN
        RETURN members;
    END IF;
    keys := format('SELECT CAST(map.%I AS %s) AS key FROM (%s) AS member JOIN %I.%I AS map ON map.%I%s %s member.key',
                   s.identities_key, (SELECT format_type(c.base_type, -1) FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.identities_schema, s.identities_name)), s.identities_key) c),
                   members, s.identities_schema, s.identities_name, s.identities_customer, collate_key, equality);
    RETURN CASE WHEN external_type = key.base_type THEN keys || ' UNION ALL ' || members ELSE keys END;
END
$$;
COMMENT ON FUNCTION customer_tier.source_keys(customer_tier.program_settings, text) IS
    'internal: the query of the keys in the source that may count for one customer, an expression: all that the identity map and the merged customers lead to him, and his own. Some may count for somebody else: source_rows.customer_id decides. The settings are those of the program, not of effective_source()';

CREATE FUNCTION customer_tier.source_customers(s customer_tier.program_settings, keys text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who record;
BEGIN
    SELECT * INTO who FROM customer_tier.customer_joins(s, 'source.key', true);
    RETURN format('SELECT DISTINCT %s AS customer_id FROM (%s) AS source (key)%s', who.customer, keys, who.joins);
END
$$;
COMMENT ON FUNCTION customer_tier.source_customers(customer_tier.program_settings, text) IS
    'internal: the query of the customers for whom keys of the source count, keys being a query of one column of the type of the source''s customer column; NULL stands for keys that count for nobody; without identity map and merged customers they are the same';

CREATE FUNCTION customer_tier.source_fingerprint(schema name, s customer_tier.program_settings) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET bytea_output = 'hex' AS $$
DECLARE
    part text;
    parts text := '';
    relation record;
BEGIN
    IF NOT customer_tier.has_source_rows(s) THEN
        RETURN NULL;
    END IF;
    FOR relation IN
        SELECT r.name, r.columns
          FROM (VALUES (1, CASE WHEN s.currency IS NOT NULL THEN format('%I.%I', s.rates_schema, s.rates_name) END,
                           CASE WHEN s.currency IS NOT NULL THEN format('%I, %I, %I', s.rates_currency, s.rates_day, s.rates_rate) END),
                       (2, CASE WHEN s.identities_name IS NOT NULL THEN format('%I.%I', s.identities_schema, s.identities_name) END,
                           CASE WHEN s.identities_name IS NOT NULL THEN format('%I, %I', s.identities_key, s.identities_customer) END),
                       (3, CASE WHEN customer_tier.has_merges(schema) THEN format('%I.merged_customer', schema) END, 'from_customer, into_customer')) AS r (n, name, columns)
         WHERE r.name IS NOT NULL
         ORDER BY r.n
    LOOP
        -- A sum knows no order of the rows.
        EXECUTE format('SELECT format(''%%s rows, %%s'', count(*), sum(CAST(hashtextextended(CAST(ROW(%s) AS text), 0) AS numeric))) FROM %s', relation.columns, relation.name) INTO part;
        parts := parts || format('%s (%s): %s; ', relation.name, relation.columns, part);
    END LOOP;
    RETURN md5(concat_ws(', ', s.currency, s.time_zone, parts));
END
$$;
COMMENT ON FUNCTION customer_tier.source_fingerprint(name, customer_tier.program_settings) IS
    'internal: a hash of everything besides the source that its rows depend on: rates, identity map, merged customers, and which of them are used; NULL when none is. When it changes, every history may';

CREATE FUNCTION customer_tier.source_settings_problems(s customer_tier.program_settings) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    external_type regtype;
    map_type regtype;
BEGIN
    IF (s.currency IS NULL) <> (s.rates_name IS NULL) THEN
        RETURN QUERY SELECT '22023',
            CASE WHEN s.currency IS NULL THEN 'option "rates" needs option "currency"' ELSE 'option "currency" needs option "rates"' END,
            CASE WHEN s.currency IS NULL THEN 'Name the column of the source that holds the currency: currency => ''currency''.'
                 ELSE 'Name the relation of the rates of exchange: rates => ''public.rates''.' END;
    ELSIF s.currency IS NOT NULL THEN
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.column_problems('currency', s.source_schema, s.source_name, s.currency, 'key') p;
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.relation_problems('rates', s.rates_schema, s.rates_name) p;
        IF NOT FOUND THEN
            RETURN QUERY
                SELECT p.code, p.problem, p.hint
                  FROM (VALUES (1, 'rates_currency', s.rates_currency, 'key'), (2, 'rates_day', s.rates_day, 'day'), (3, 'rates_rate', s.rates_rate, 'rate')) AS o (n, option, column_name, kind),
                       customer_tier.column_problems(o.option, s.rates_schema, s.rates_name, o.column_name, o.kind) p
                 ORDER BY o.n;
        END IF;
    END IF;

    IF s.identities_name IS NOT NULL THEN
        RETURN QUERY SELECT p.code, p.problem, p.hint FROM customer_tier.relation_problems('identities', s.identities_schema, s.identities_name) p;
        IF NOT FOUND THEN
            RETURN QUERY
                SELECT p.code, p.problem, p.hint
                  FROM (VALUES (1, 'identities_key', s.identities_key), (2, 'identities_customer', s.identities_customer)) AS o (n, option, column_name),
                       customer_tier.column_problems(o.option, s.identities_schema, s.identities_name, o.column_name, 'key') p
                 ORDER BY o.n;
            IF NOT FOUND THEN
                external_type := (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.customer) c);
                map_type := (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.identities_schema, s.identities_name)), s.identities_key) c);
                IF customer_tier.key_equality(external_type) IS NOT NULL AND customer_tier.identity_equality(map_type, external_type) IS NULL THEN
                    RETURN QUERY SELECT '42804',
                        format('column "%s" of %I.%I has type %s, but the customers of %I.%I have type %s (option "identities_key")',
                               s.identities_key, s.identities_schema, s.identities_name, map_type, s.source_schema, s.source_name, external_type),
                        'Give both the same type; a view can convert one of them.'::text;
                END IF;
            END IF;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.source_settings_problems(customer_tier.program_settings) IS 'internal: what is wrong with the settings of currency and identity map; no row = nothing. The relation source exists';

CREATE FUNCTION customer_tier.source_rows_problems(s customer_tier.program_settings) RETURNS TABLE (code text, problem text, hint text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day_type regtype;
    day_expr text;
BEGIN
    IF s.currency IS NOT NULL THEN
        day_type := (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.rates_schema, s.rates_name)), s.rates_day) c);
        day_expr := customer_tier.local_day(format('CAST(rates.%I AS %s)', s.rates_day, day_type), day_type, s.time_zone);
        RETURN QUERY EXECUTE format(
$query$
    SELECT '21000', format('%%s has more than one row for "%%s" on %%s', %4$L, twice.currency, twice.day),
           'A currency has one rate a day: delete the wrong one, and let a unique index see to it.'
      FROM (SELECT CAST(rates.%1$I AS text) COLLATE "C" AS currency, %2$s AS day
              FROM %3$s AS rates
             WHERE rates.%1$I IS NOT NULL
             GROUP BY 1, 2 HAVING count(*) > 1) AS twice
     WHERE twice.day IS NOT NULL
     ORDER BY twice.currency, twice.day
     LIMIT 1
$query$, s.rates_currency, day_expr, format('%I.%I', s.rates_schema, s.rates_name), format('%I.%I', s.rates_schema, s.rates_name));
    END IF;
    IF s.identities_name IS NOT NULL
       AND NOT customer_tier.has_unique_key(to_regclass(format('%I.%I', s.identities_schema, s.identities_name)), s.identities_key) THEN
        RETURN QUERY EXECUTE format(
$query$
    SELECT '21000', format('%%s has more than one row for external id "%%s"', %3$L, twice.external_id),
           'An external id belongs to one customer: delete the wrong row, and let a unique index see to it.'
      FROM (SELECT min(CAST(map.%1$I AS text) COLLATE "C") AS external_id
              FROM %2$s AS map
             WHERE map.%1$I IS NOT NULL
             GROUP BY map.%1$I HAVING count(*) > 1) AS twice
     ORDER BY twice.external_id
     LIMIT 1
$query$, s.identities_key, format('%I.%I', s.identities_schema, s.identities_name), format('%I.%I', s.identities_schema, s.identities_name));
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.source_rows_problems(customer_tier.program_settings) IS 'internal: rates of one currency and day, customers of one external id, where there are two of them; no row = nothing';

CREATE FUNCTION customer_tier.bad_rows_are(s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(', or ', 'Their customer, day or amount is NULL, NaN, infinite or out of range',
                     CASE WHEN s.margin_column IS NOT NULL THEN 'their margin is outside of -1..1' END,
                     CASE WHEN s.currency IS NOT NULL THEN 'there is no rate for their currency and day' END,
                     CASE WHEN s.identities_name IS NOT NULL THEN 'the identity map has no customer for them' END)
$$;
COMMENT ON FUNCTION customer_tier.bad_rows_are(customer_tier.program_settings) IS 'internal: what makes rows of the source bad, as a message says it';
