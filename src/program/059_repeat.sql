-- What a refresh need not do again.
--
-- Of the day that is published, when no history and nothing of the configuration
-- has changed since, it would come to what is there already: it takes over scales
-- and ratings as they are (is_repeat), and costs next to nothing.
--
-- Of that day on frozen scales nobody can move but customers whose histories
-- changed: it rates only these (is_partial).
--
-- Of any later day a customer whose history has not changed, and who has nothing
-- in it after the day that was rated, has the same orders, revenue and so on as
-- his rating has: he is rated from that (keeps_numbers).

CREATE FUNCTION customer_tier.configuration(schema name) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' SET extra_float_digits = 1 SET TimeZone = 'UTC' AS $$
DECLARE
    part text;
    parts text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'customer_tier');
    relation text;
BEGIN
    -- Relations that are not ours may change without a trace.
    IF EXISTS (SELECT FROM customer_tier.card(schema) c WHERE c.outside IS NOT NULL)
       OR (customer_tier.program_settings(schema)).customers_name IS NOT NULL THEN
        RETURN NULL;
    END IF;
    FOREACH relation IN ARRAY '{settings,tier,tier_policy,tier_change,tier_override,dimension,scorecard,grade,model,forecast}'::text[] LOOP
        EXECUTE format('SELECT string_agg(CAST(t AS text), chr(10) ORDER BY CAST(t AS text) COLLATE "C") FROM %I.%I AS t', schema, relation) INTO part;
        parts := concat_ws(E'\n', parts, relation, part);
    END LOOP;
    parts := concat_ws(E'\n', parts, (SELECT string_agg(m::text, E'\n' ORDER BY m::text COLLATE "C") FROM customer_tier.segment_map m
                                      WHERE m.map = (customer_tier.program_settings(schema)).segment_map));
    RETURN md5(parts);
END
$$;
COMMENT ON FUNCTION customer_tier.configuration(name) IS 'internal: a hash of everything besides orders and day that the ratings of a program depend on; NULL = that cannot be told, for it reads relations of others';

CREATE FUNCTION customer_tier.may_be_partial(schema name, run_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    EXECUTE format(
$query$
    SELECT EXISTS (SELECT FROM %1$I.run AS this, %1$I.run AS current, %1$I.scorecard
                    WHERE this.run_id = $1 AND NOT this.full_build AND scorecard.frozen_scale
                      AND current.is_current AND current.has_scales AND current.buyers > 0
                      AND current.as_of = this.as_of AND current.rated_as_of = this.as_of AND current.as_of_is_default = this.as_of_is_default)
$query$, schema) INTO answer USING run_id;
    -- Shares and capacities are everybody's business.
    RETURN answer AND NOT customer_tier.program_has_limits(schema) AND NOT (customer_tier.program_settings(schema)).is_distributed;
END
$$;
COMMENT ON FUNCTION customer_tier.may_be_partial(name, bigint) IS 'internal: whether a refresh may have to rate those only whose histories it changes: of the published day, on its scales';

CREATE FUNCTION customer_tier.note_repeat(schema name, run_id bigint, noted boolean) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET configuration = $2,
           is_repeat = NOT run.full_build AND run.histories_changed = 0
                       AND EXISTS (SELECT FROM %1$I.run AS current
                                    WHERE current.is_current AND current.as_of = run.as_of AND current.configuration = $2 AND current.has_scales
                                      AND current.as_of_is_default = run.as_of_is_default
                                      -- not what rewind_tiers() left, whose numbers are of a later day
                                      AND current.rated_as_of = run.as_of AND current.score_blocks IS NOT DISTINCT FROM $4),
           is_partial = $3 AND run.build = 'changes' AND run.histories_changed > 0
                        AND EXISTS (SELECT FROM %1$I.run AS current WHERE current.is_current AND current.configuration = $2 AND current.score_blocks IS NOT DISTINCT FROM $4)
     WHERE run.run_id = $1
$query$, schema) USING run_id, customer_tier.configuration(schema), noted, customer_tier.score_blocks(schema, customer_tier.program_settings(schema));
END
$$;
COMMENT ON FUNCTION customer_tier.note_repeat(name, bigint, boolean) IS 'internal: find out whether a refresh would come to what is published, or has to rate those only whose histories it changed, if these were noted in <schema>.changed';

CREATE FUNCTION customer_tier.is_repeat(schema name, run_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    EXECUTE format('SELECT run.is_repeat FROM %I.run WHERE run.run_id = $1', schema) INTO answer USING run_id;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION customer_tier.is_repeat(name, bigint) IS 'internal: whether a refresh takes over what is published';

CREATE FUNCTION customer_tier.is_partial(schema name, run_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    EXECUTE format(
$query$
    SELECT this.is_partial AND this.is_frozen
           AND (this.purchase_model_id, this.spend_model_id) IS NOT DISTINCT FROM (current.purchase_model_id, current.spend_model_id)
      FROM %1$I.run AS this, %1$I.run AS current
     WHERE this.run_id = $1 AND current.is_current
$query$, schema) INTO answer USING run_id;
    RETURN coalesce(answer, false);
END
$$;
COMMENT ON FUNCTION customer_tier.is_partial(name, bigint) IS 'internal: whether only customers in <schema>.changed have to be rated: scales and models are those of the published run';

CREATE FUNCTION customer_tier.take_over_scales(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text;
BEGIN
    EXECUTE format(
$query$
    UPDATE %1$I.run
       SET (%2$s) = (SELECT %2$s FROM %1$I.run AS current WHERE current.is_current)
     WHERE run.run_id = $1
$query$, schema, 'scores, customers, prospects, buyers, newest_day, latest_day, r_cuts, f_cuts, m_cuts, compare, combination, combination_scale, grades, grade_shares, grade_cuts, '
                 'has_scales, is_replay, has_later, next_place, score_blocks, score_distribution, score_deciles, score_decile_counts, tier_places, purchase_model_id, spend_model_id, model_problem, '
                 'rated_as_of, churn_days, horizon_days, annual_discount, margin') USING run_id;
    EXECUTE format('UPDATE %1$I.run SET is_frozen = (SELECT scorecard.frozen_scale FROM %1$I.scorecard) WHERE run.run_id = $1', schema) USING run_id;
    columns := (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = format('%I.run_dimension', schema)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'run_id');
    EXECUTE format(
$query$
    INSERT INTO %1$I.run_dimension (run_id, %2$s)
    SELECT $1, %2$s FROM %1$I.run_dimension AS d WHERE d.run_id = (SELECT current.run_id FROM %1$I.run AS current WHERE current.is_current)
$query$, schema, columns) USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.take_over_scales(name, bigint) IS 'internal: keep the cut points, scales and models of the published run for one that repeats it';

CREATE FUNCTION customer_tier.numbers_suffice(schema name, s customer_tier.program_settings) RETURNS boolean
LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
    -- A rating has no windows, no profits, and not who is only in the customer
    -- master; nor what it takes to know about regularity and growth.
    SELECT NOT s.is_distributed AND s.window_days IS NULL AND s.margin_column IS NULL AND s.customers_name IS NULL
       AND NOT EXISTS (SELECT FROM customer_tier.card(schema) AS c WHERE c.value ~ '[.](history|regularity|trend)([^a-z_]|$)')
       AND NOT EXISTS (SELECT FROM unnest(customer_tier.compiled_measures(schema, NULL)) AS m (measure)
                        WHERE customer_tier.measure_expression(schema, m.measure, 'standing', 'as_of') ~ '[.](history|regularity|trend)([^a-z_]|$)')
$$;
COMMENT ON FUNCTION customer_tier.numbers_suffice(name, customer_tier.program_settings) IS 'internal: whether a program rates by nothing of the orders that a rating does not say';

CREATE FUNCTION customer_tier.may_keep_numbers(schema name, run_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    EXECUTE format(
$query$
    SELECT EXISTS (SELECT FROM %1$I.run AS this, %1$I.run AS current
                    WHERE this.run_id = $1 AND NOT this.full_build
                      -- not what rewind_tiers() left, whose numbers are of a later day, and not of everybody
                      AND current.is_current AND current.rated_as_of = current.as_of AND current.as_of <= this.as_of AND current.version = this.version)
$query$, schema) INTO answer USING run_id;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION customer_tier.may_keep_numbers(name, bigint) IS 'internal: whether the published ratings are such that a refresh can take numbers from them';

CREATE FUNCTION customer_tier.note_later(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %1$I.run SET has_later = EXISTS (SELECT FROM %1$I.history WHERE customer_tier.goes_beyond(history.history, run.as_of)) WHERE run.run_id = $1', schema) USING run_id;
END
$$;
COMMENT ON FUNCTION customer_tier.note_later(name, bigint) IS 'internal: find out whether any history has an order or a refund after the day that is rated, which the next refresh has to know';

CREATE FUNCTION customer_tier.note_numbers(schema name, run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    looks boolean;
    known boolean;      -- whether all will be known who have something to come
    later text;
    few bigint;
BEGIN
    EXECUTE format(
$query$
    SELECT current.as_of < this.as_of AND current.has_later IS NOT FALSE, current.as_of < this.as_of OR current.has_later IS FALSE,
           format('customer_tier.goes_beyond(history.history, CAST(%%L AS date))', current.as_of), coalesce(current.customers, 0) / 10
      FROM %1$I.run AS current, %1$I.run AS this
     WHERE current.is_current AND this.run_id = $1
$query$, schema) INTO looks, known, later, few USING run_id;
    PERFORM customer_tier.execute_steps(ARRAY[
        -- What was to come when they were rated has come for some.
        customer_tier.step(format('SELECT history.customer_id, history.history, history.profit FROM %I.history WHERE %L AND %s', schema, looks, later), 'later'),
        customer_tier.step(format('UPDATE %1$I.run SET keeps_numbers = (SELECT count(*) FROM later) + (SELECT count(*) FROM %1$I.changed) <= %2$s WHERE run.run_id = %3$s', schema, few, run_id)),
        customer_tier.step(format('INSERT INTO %1$I.changed (customer_id, history, profit) SELECT later.* FROM later WHERE (SELECT run.keeps_numbers FROM %1$I.run WHERE run.run_id = %2$s) ON CONFLICT DO NOTHING', schema, run_id)),
        customer_tier.step(format('UPDATE %1$I.run SET has_later = EXISTS (SELECT FROM %1$I.changed WHERE customer_tier.goes_beyond(changed.history, run.as_of)) WHERE run.run_id = %2$s AND run.keeps_numbers AND %3$L', schema, run_id, known))]);
END
$$;
COMMENT ON FUNCTION customer_tier.note_numbers(name, bigint) IS 'internal: put customers with orders after the day that was rated into <schema>.changed, too, and decide whether the numbers of everybody else come from their ratings';

CREATE FUNCTION customer_tier.whose_histories(schema name, run_id bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keeps_numbers boolean;
BEGIN
    EXECUTE format('SELECT run.keeps_numbers FROM %I.run WHERE run.run_id = $1', schema) INTO keeps_numbers USING run_id;
    RETURN CASE WHEN customer_tier.is_partial(schema, run_id) THEN 'changed' WHEN keeps_numbers THEN 'kept' ELSE 'everybody' END;
END
$$;
COMMENT ON FUNCTION customer_tier.whose_histories(name, bigint) IS 'internal: whom a run rates, and from what: everybody from the histories; kept, the same, but customers outside of <schema>.changed from their ratings; changed, only customers in there';
