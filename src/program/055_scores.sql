-- Where scores stand.  Percentiles move for nearly everybody whenever anybody
-- buys, mostly in the third or fourth decimal: in a column of rating they would
-- write nearly every row of it every night.  So rating has what moves with the
-- customer, and rating_score the scores of 128 customers in a row, which a
-- refresh packs while it rates (scores.c).  The view scored_rating puts both
-- together; everything that reads scores reads that.
--
-- On Citus a row cannot hold customers of several workers: there the scores are
-- columns of rating, and the view says so.

CREATE FUNCTION customer_tier.score_columns() RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST('{score,score_to_next_tier,score_to_stay}' AS name[])
$$;
COMMENT ON FUNCTION customer_tier.score_columns() IS 'internal: the columns of <schema>.scored_rating that are packed into <schema>.rating_score, in its order';

CREATE FUNCTION customer_tier.rated_columns(s customer_tier.program_settings) RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- What changes most often comes first: by it a row is seen to differ.
    SELECT CASE WHEN s.is_distributed THEN '{score}'::name[] ELSE '{}' END
        || CAST('{r_score,grade,segment,last_day,revenue,first_day,orders,purchase_days,refunded,average_order,repeat_mean,margin,f_score,m_score,lifecycle_stage,coverage,outside_values}' AS name[])
$$;
COMMENT ON FUNCTION customer_tier.rated_columns(customer_tier.program_settings) IS 'internal: the columns of <schema>.rating that a refresh compares and writes, as far as tiers do not matter';

CREATE FUNCTION customer_tier.tier_columns(s customer_tier.program_settings) RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s.is_distributed THEN '{score_to_next_tier,score_to_stay}'::name[] ELSE '{}' END
        || CAST('{tier,tier_rank,tier_since,previous_tier,tier_reason,amount_to_next_tier,amount_to_stay,drops_on,terms_id,up_runs,up_since,down_runs,down_since,state_before}' AS name[])
$$;
COMMENT ON FUNCTION customer_tier.tier_columns(customer_tier.program_settings) IS 'internal: the columns of <schema>.rating that a refresh compares and writes, and that say where the customer stands';

CREATE FUNCTION customer_tier.published_columns(s customer_tier.program_settings) RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT customer_tier.rated_columns(s) || customer_tier.tier_columns(s)
$$;
COMMENT ON FUNCTION customer_tier.published_columns(customer_tier.program_settings) IS 'internal: the columns of <schema>.rating that a refresh compares and writes';

CREATE FUNCTION customer_tier.create_scored_rating(schema name, is_distributed boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The same columns either way, so that the views over it stay.
    EXECUTE format(
$ddl$
CREATE OR REPLACE VIEW %1$I.scored_rating AS
SELECT rating.customer_id,
       rating.first_day, rating.last_day, rating.orders, rating.purchase_days, rating.revenue, rating.refunded, rating.average_order,
       rating.r_score, rating.f_score, rating.m_score, rating.segment, rating.lifecycle_stage, rating.repeat_mean, rating.margin,
       %2$s,
       rating.grade, rating.tier, rating.tier_rank, rating.tier_since, rating.previous_tier, rating.tier_reason,
       rating.amount_to_next_tier, rating.amount_to_stay, rating.drops_on,
       rating.terms_id, rating.up_runs, rating.up_since, rating.down_runs, rating.down_since, rating.state_before,
       rating.coverage, rating.outside_values
  FROM %1$I.rating%3$s;
COMMENT ON VIEW %1$I.scored_rating IS 'the table rating with the scores, which are kept apart in rating_score; read the view ratings, which adds the day, the predictions and the labels'
$ddl$, schema,
        (SELECT string_agg(CASE WHEN is_distributed THEN format('rating.%I', c)
                                ELSE format('CAST(nullif(rating_score.%1$I[(rating.place & 127) + 1], -1) * 0.0001 AS numeric(7,4)) AS %1$I', c) END, E',\n       ' ORDER BY n)
           FROM unnest(customer_tier.score_columns()) WITH ORDINALITY AS u (c, n)),
        CASE WHEN is_distributed THEN '' ELSE format(E'\n  LEFT JOIN %I.rating_score ON rating_score.block = rating.place >> 7', schema) END);
    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.scored_rating.%I IS %L;', schema, a.attname,
                                      coalesce((SELECT c.explanation FROM customer_tier.rating_columns() AS c WHERE c.column_name = a.attname),
                                               (SELECT col_description(r.attrelid, r.attnum) FROM pg_attribute AS r WHERE r.attrelid = format('%I.rating', schema)::regclass AND r.attname = a.attname))), E'\n')
               FROM pg_attribute AS a WHERE a.attrelid = format('%I.scored_rating', schema)::regclass AND a.attnum > 0);
END
$$;
COMMENT ON FUNCTION customer_tier.create_scored_rating(name, boolean) IS 'internal: the view of a program that puts ratings and their scores together; or, with is_distributed, reads them from one table';

CREATE FUNCTION customer_tier.create_score_table(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Rows are replaced as a whole: half a page free takes what replaces them.
    -- PLAIN: an entry is found without unpacking anything.  No statistics: those
    -- of entries say nothing.
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.rating_score (
    block int PRIMARY KEY,
    score int[],
    score_to_next_tier int[],
    score_to_stay int[]
) WITH (fillfactor = 45);
COMMENT ON TABLE %1$I.rating_score IS 'the scores of the ratings, of 128 customers in a row, in ten-thousandths of a point, -1 = none: they move for nearly everybody every night, the rest of rating does not. Read the view ratings, or scored_rating';
COMMENT ON COLUMN %1$I.rating_score.block IS 'rating.place / 128; a rating''s entry is rating.place %% 128 + 1';
$ddl$, schema);
    EXECUTE (SELECT string_agg(format('ALTER TABLE %1$I.rating_score ALTER COLUMN %2$I SET STORAGE PLAIN, ALTER COLUMN %2$I SET STATISTICS 0;', schema, c), E'\n')
               FROM unnest(customer_tier.score_columns()) AS c);
    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.rating_score.%I IS %L;', schema, c.column_name, c.explanation || ', in ten-thousandths; -1 = none, NULL = of nobody here'), E'\n')
               FROM customer_tier.rating_columns() c WHERE c.column_name = ANY (customer_tier.score_columns()));
    PERFORM customer_tier.create_scored_rating(schema, false);
END
$$;
COMMENT ON FUNCTION customer_tier.create_score_table(name) IS 'internal: the table of packed scores of a program, and the view that reads it';

CREATE FUNCTION customer_tier.unpack_scores(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.rating', schema)::regclass, 'customer_id') c));
BEGIN
    EXECUTE (SELECT format('ALTER TABLE %I.rating %s', schema, string_agg(format('ADD COLUMN %I numeric(7,4)', c), ', ')) FROM unnest(customer_tier.score_columns()) AS c);
    EXECUTE (SELECT format('UPDATE %1$I.rating SET %2$s FROM %1$I.scored_rating AS scored WHERE scored.customer_id %3$s rating.customer_id', schema,
                           string_agg(format('%1$I = scored.%1$I', c), ', '), equality)
               FROM unnest(customer_tier.score_columns()) AS c);
    PERFORM customer_tier.create_scored_rating(schema, true);
    EXECUTE format('DROP TABLE %I.rating_score', schema);
    EXECUTE format('ALTER TABLE %I.rating DROP COLUMN place', schema);
    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.rating.%I IS %L;', schema, c.column_name, c.explanation), E'\n')
               FROM customer_tier.rating_columns() c WHERE c.column_name = ANY (customer_tier.score_columns()));
END
$$;
COMMENT ON FUNCTION customer_tier.unpack_scores(name) IS 'internal: put the scores of a program into its table rating, where they have to be on Citus';

CREATE FUNCTION customer_tier.score_steps(schema name) RETURNS customer_tier.step[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY[
        customer_tier.step(format('DELETE FROM %I.rating_score AS kept WHERE NOT EXISTS (SELECT FROM scores WHERE scores.block = kept.block)', schema)),
        customer_tier.step(format(
$query$
    INSERT INTO %1$I.rating_score AS kept (block, %2$s)
    SELECT scores.block, %3$s
      FROM scores
    ON CONFLICT (block) DO UPDATE
       SET %4$s
     WHERE (%5$s) IS DISTINCT FROM (%6$s)
$query$, schema, string_agg(format('%I', c), ', '), string_agg(format('scores.%I', c), ', '), string_agg(format('%1$I = excluded.%1$I', c), ', '),
            string_agg(format('kept.%I', c), ', '), string_agg(format('excluded.%I', c), ', ')))]
      FROM unnest(customer_tier.score_columns()) AS c
$$;
COMMENT ON FUNCTION customer_tier.score_steps(name) IS 'internal: the statements that write the blocks of scores which an earlier step has packed as "scores"';

CREATE FUNCTION customer_tier.scores_query(s customer_tier.program_settings) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN s.is_distributed THEN format('SELECT CAST(rating.score AS double precision) AS score FROM %I.rating', s.schema)
                ELSE format('SELECT packed.score / CAST(10000 AS double precision) AS score FROM %I.rating_score, unnest(rating_score.score) AS packed (score) WHERE packed.score >= 0', s.schema) END
$$;
COMMENT ON FUNCTION customer_tier.scores_query(customer_tier.program_settings) IS 'internal: the query of all published scores, one a row';

CREATE FUNCTION customer_tier.score_blocks(schema name, s customer_tier.program_settings) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    blocks bigint;
BEGIN
    IF NOT s.is_distributed THEN
        EXECUTE format('SELECT count(*) FROM %I.rating_score', schema) INTO blocks;
    END IF;
    RETURN blocks;
END
$$;
COMMENT ON FUNCTION customer_tier.score_blocks(name, customer_tier.program_settings) IS 'internal: how many blocks of scores there are; NULL where scores are columns of rating';

CREATE FUNCTION customer_tier.renumber_places(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    equality text := customer_tier.key_equality((SELECT c.base_type FROM customer_tier.relation_column(format('%I.rating', schema)::regclass, 'customer_id') c));
BEGIN
    EXECUTE format('UPDATE %1$I.rating SET place = numbered.n - 1 FROM (SELECT rating.customer_id, row_number() OVER () AS n FROM %1$I.rating) AS numbered WHERE numbered.customer_id %2$s rating.customer_id', schema, equality);
    EXECUTE format('DELETE FROM %I.rating_score', schema);
    EXECUTE format('UPDATE %I.run SET next_place = NULL WHERE run.is_current', schema);
END
$$;
COMMENT ON FUNCTION customer_tier.renumber_places(name) IS 'internal: give every rating a place of its own, and forget all scores, which have to be packed anew';

CREATE FUNCTION customer_tier.rewind_scores(schema name, is_distributed boolean, OUT ctes text, OUT assignments text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF is_distributed THEN
        ctes := '';
        assignments := 'score_to_next_tier = CASE WHEN stood.tier = stood.old_tier THEN rating.score_to_next_tier END, score_to_stay = NULL,';
    ELSE
        ctes := format(
$query$, moved AS (
        SELECT stood.place >> 7 AS block, array_agg((stood.place & 127) + 1) AS entries
          FROM stood
         WHERE stood.tier IS DISTINCT FROM stood.old_tier
         GROUP BY stood.place >> 7
    ), cleared AS (
        UPDATE %1$I.rating_score AS packed
           SET score_to_stay = NULL,
               score_to_next_tier = CASE WHEN moved.entries IS NULL OR packed.score_to_next_tier IS NULL THEN packed.score_to_next_tier
                                         ELSE ARRAY(SELECT CASE WHEN one.n = ANY (moved.entries) THEN -1 ELSE one.missing END
                                                      FROM unnest(packed.score_to_next_tier) WITH ORDINALITY AS one (missing, n) ORDER BY one.n) END
          FROM %1$I.rating_score AS kept
          LEFT JOIN moved ON moved.block = kept.block
         WHERE packed.block = kept.block AND (moved.entries IS NOT NULL OR packed.score_to_stay IS NOT NULL)
    )$query$, schema);
        assignments := '';
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.rewind_scores(name, boolean) IS 'internal: parts of the statement of rewind_tiers() that forgets what is missing to another tier and to stay, of the rows of "stood": common table expressions, and assignments in the UPDATE of rating';
