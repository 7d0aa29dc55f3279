-- What audit() says of currencies, the identity map and merged customers.  As
-- everywhere in an audit, nothing that is found makes it fail.

CREATE FUNCTION customer_tier.audit_currency(s customer_tier.program_settings, bad_action text)
RETURNS TABLE ("check" text, rows bigint, share numeric, examples text[], action text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET DateStyle = 'ISO, YMD' SET jit = off AS $$
DECLARE
    what record;
BEGIN
    SELECT * INTO what FROM customer_tier.currency_joins(s, false);
    RETURN QUERY EXECUTE format(
$query$
    WITH found AS MATERIALIZED (
        SELECT row.currency, row.problem, count(*) AS rows, min(row.day) AS first_day
          FROM (SELECT CAST(source.%1$I AS text) COLLATE "C" AS currency, %2$s AS day,
                       CASE WHEN source.%1$I IS NULL THEN 1
                            WHEN %2$s IS NULL OR NOT isfinite(%2$s) THEN 0
                            WHEN rate.currency IS NULL THEN 2
                            WHEN rate.rate IS NULL THEN 3
                            ELSE 0 END AS problem
                  FROM %3$I.%4$I AS source%5$s) AS row
         GROUP BY row.currency, row.problem
    ), twice AS MATERIALIZED (
        SELECT twice.currency, twice.day, twice.rows
          FROM (SELECT CAST(rates.%6$I AS text) COLLATE "C" AS currency, %7$s AS day, count(*) AS rows
                  FROM %8$I.%9$I AS rates
                 WHERE rates.%6$I IS NOT NULL
                 GROUP BY 1, 2 HAVING count(*) > 1) AS twice
         WHERE twice.day IS NOT NULL
    )
    SELECT c.name, c.rows, round(CAST(c.rows AS numeric) / nullif((SELECT sum(found.rows) FROM found), 0), 4), c.examples, c.action
      FROM (SELECT p.n, p.name, CAST(coalesce(sum(found.rows), 0) AS bigint) AS rows,
                   coalesce((array_agg(format('%%s from %%s: %%s rows', found.currency, found.first_day, found.rows) ORDER BY found.rows DESC, found.currency)
                             FILTER (WHERE found.currency IS NOT NULL))[1:5], '{}') AS examples, $1 AS action
              FROM (VALUES (1, 'currency is NULL'), (2, 'rate is missing'), (3, 'rate is NULL, NaN, infinite or not above zero')) AS p (n, name)
              LEFT JOIN found ON found.problem = p.n
             GROUP BY p.n, p.name) AS c
    UNION ALL
    SELECT 'rate is given twice', CAST(coalesce(sum(twice.rows), 0) AS bigint), NULL,
           coalesce((array_agg(format('%%s on %%s', twice.currency, twice.day) ORDER BY twice.currency, twice.day))[1:5], '{}'), 'stops the refresh'
      FROM twice
$query$, s.currency, what.day, s.source_schema, s.source_name, what.joins,
         s.rates_currency, what.rates_day, s.rates_schema, s.rates_name) USING bad_action;
END
$$;
COMMENT ON FUNCTION customer_tier.audit_currency(customer_tier.program_settings, text) IS 'internal: what audit() says of currencies and rates: which are missing, on how many rows, from when';

CREATE FUNCTION customer_tier.audit_customers(s customer_tier.program_settings, bad_action text)
RETURNS TABLE ("check" text, rows bigint, share numeric, examples text[], action text)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    who record;
    has_map boolean := s.identities_name IS NOT NULL;
    has_merges boolean := customer_tier.has_merges(s.schema);
    is_own_customer boolean;
BEGIN
    SELECT * INTO who FROM customer_tier.customer_joins(s, format('source.%I', s.customer), false);
    is_own_customer := (SELECT c.base_type FROM customer_tier.relation_column(to_regclass(format('%I.%I', s.source_schema, s.source_name)), s.customer) c)
                     = (SELECT c.base_type FROM customer_tier.program_key(s) c);
    RETURN QUERY EXECUTE format(
$query$
    WITH total AS MATERIALIZED (
        SELECT count(*) AS rows,
               count(*) FILTER (WHERE row.is_unknown) AS unknown,
               min(row.source_key) FILTER (WHERE row.is_unknown) AS unknown_low, max(row.source_key) FILTER (WHERE row.is_unknown) AS unknown_high,
               count(*) FILTER (WHERE row.is_nobody) AS nobody,
               min(row.source_key) FILTER (WHERE row.is_nobody) AS nobody_low, max(row.source_key) FILTER (WHERE row.is_nobody) AS nobody_high,
               count(*) FILTER (WHERE row.merged IS NOT NULL) AS merged, min(row.merged) AS merged_low, max(row.merged) AS merged_high
          FROM (SELECT CAST(source.%1$I AS text) COLLATE "C" AS source_key, %2$s AS is_unknown, %3$s AS is_nobody, %4$s AS merged
                  FROM %5$I.%6$I AS source%7$s) AS row
    )
    SELECT c.name, c.rows, round(CAST(c.rows AS numeric) / nullif(total.rows, 0), 4), c.examples, c.action
      FROM total, LATERAL (VALUES
          (1, 'external id is not in the identity map', total.unknown, customer_tier.examples(total.unknown_low, total.unknown_high), $1),
          (2, 'identity map says NULL', total.nobody, customer_tier.examples(total.nobody_low, total.nobody_high), $2),
          (3, 'customer is merged into another', total.merged, customer_tier.examples(total.merged_low, total.merged_high), 'counts for the other')
      ) AS c (n, name, rows, examples, action)
     WHERE CASE c.n WHEN 3 THEN $4 ELSE $3 END
     ORDER BY c.n
$query$, s.customer,
         CASE WHEN has_map THEN format('source.%I IS NOT NULL AND identity.external_id IS NULL', s.customer) ELSE 'false' END,
         CASE WHEN has_map THEN 'identity.external_id IS NOT NULL AND identity.customer_id IS NULL' ELSE 'false' END,
         CASE WHEN has_merges THEN 'CASE WHEN merged.into_customer IS NOT NULL THEN pg_catalog.format(''%s into %s'', merged.from_customer, merged.into_customer) COLLATE "C" END' ELSE 'CAST(NULL AS text)' END,
         s.source_schema, s.source_name, who.joins)
        USING CASE WHEN is_own_customer THEN 'each is a customer of its own' ELSE bad_action END, bad_action, has_map, has_merges;

    IF has_map THEN
        RETURN QUERY EXECUTE format(
$query$
    SELECT 'external id is given twice'::text, CAST(coalesce(sum(twice.rows), 0) AS bigint), CAST(NULL AS numeric),
           coalesce((array_agg(twice.external_id ORDER BY twice.external_id))[1:5], '{}'), 'stops the refresh'::text
      FROM (SELECT min(CAST(map.%1$I AS text) COLLATE "C") AS external_id, count(*) AS rows
              FROM %2$I.%3$I AS map
             WHERE map.%1$I IS NOT NULL
             GROUP BY map.%1$I HAVING count(*) > 1) AS twice
$query$, s.identities_key, s.identities_schema, s.identities_name);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.audit_customers(customer_tier.program_settings, text) IS 'internal: what audit() says of the identity map and of merged customers';
