-- Making, adopting and dropping a program.  Everything it is lives in its own
-- schema, as plain tables that belong to their owner and not to the extension:
-- they are dumped, restored and granted like any table.  Only the column
-- history.history and history.profit have a type of ours, so that the ratings stay readable when
-- the extension is dropped.

CREATE FUNCTION customer_tier.create_tables(schema name, key_type text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A refresh updates most rows of rating, and no indexed column: half a page
    -- free lets every row find room on its page again and again.
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.settings (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    program text NOT NULL,
    source_schema name NOT NULL,
    source_name name NOT NULL,
    customer name NOT NULL,
    at name NOT NULL,
    amount name NOT NULL,
    order_id name,
    customers_schema name,
    customers_name name,
    customers_key name,
    time_zone text NOT NULL,
    segment_map text NOT NULL,
    monetary text NOT NULL CHECK (monetary IN ('revenue', 'average_order')),
    window_days int CHECK (window_days >= 1),
    on_bad_row text NOT NULL CHECK (on_bad_row IN ('skip', 'error')),
    max_bad_share numeric NOT NULL CHECK (max_bad_share BETWEEN 0 AND 1),
    purchase_model text,
    horizon_days int NOT NULL CHECK (horizon_days BETWEEN 1 AND 36525),
    annual_discount numeric NOT NULL CHECK (annual_discount BETWEEN 0 AND 100),
    margin numeric NOT NULL CHECK (margin BETWEEN 0 AND 1),
    margin_column name,
    churn_days int NOT NULL CHECK (churn_days BETWEEN 1 AND 36525),
    refit_days int NOT NULL CHECK (refit_days >= 1),
    history_complete_from date CHECK (isfinite(history_complete_from))
);
COMMENT ON TABLE %1$I.settings IS 'what the program was told, one row; change it with UPDATE, the next refresh follows it';
COMMENT ON COLUMN %1$I.settings.only_row IS 'holds the table to one row';
COMMENT ON COLUMN %1$I.settings.program IS 'name of the program';
COMMENT ON COLUMN %1$I.settings.source_schema IS 'schema of the order source';
COMMENT ON COLUMN %1$I.settings.source_name IS 'name of the order source: table, view, materialized view, partitioned or foreign table';
COMMENT ON COLUMN %1$I.settings.customer IS 'column of the source: the customer key';
COMMENT ON COLUMN %1$I.settings.at IS 'column of the source: when it was ordered (date, timestamp or timestamptz)';
COMMENT ON COLUMN %1$I.settings.amount IS 'column of the source: amount in currency units; below zero is a refund';
COMMENT ON COLUMN %1$I.settings.order_id IS 'column of the source: lines with the same customer and order id are summed to one order; NULL = every row is an order';
COMMENT ON COLUMN %1$I.settings.customers_schema IS 'schema of the customer master, NULL = none';
COMMENT ON COLUMN %1$I.settings.customers_name IS 'name of the customer master; its customers without orders appear as prospects; NULL = none';
COMMENT ON COLUMN %1$I.settings.customers_key IS 'column of the master: the customer key';
COMMENT ON COLUMN %1$I.settings.time_zone IS 'time zone in which a timestamptz has its day, and in which yesterday is the last complete day';
COMMENT ON COLUMN %1$I.settings.segment_map IS 'segment map (customer_tier.segment_map), which brings its number of scores';
COMMENT ON COLUMN %1$I.settings.monetary IS 'what M measures: revenue or average_order';
COMMENT ON COLUMN %1$I.settings.window_days IS 'F and M look at the last so many days, up to and including as_of; NULL = everything';
COMMENT ON COLUMN %1$I.settings.on_bad_row IS 'skip = bad rows are left out and counted, error = they stop the refresh';
COMMENT ON COLUMN %1$I.settings.max_bad_share IS 'a refresh stops before publishing when more than this share of the rows is bad (0..1)';
COMMENT ON COLUMN %1$I.settings.purchase_model IS 'model of purchases: mbg/nbd and others that clv_fit() knows, auto = the best of several, none or NULL = no model';
COMMENT ON COLUMN %1$I.settings.horizon_days IS 'expected_purchases and clv look so many days ahead';
COMMENT ON COLUMN %1$I.settings.annual_discount IS 'yearly rate at which clv discounts, 0.10 = 10 %%';
COMMENT ON COLUMN %1$I.settings.margin IS 'share of the revenue that clv counts, 0..1';
COMMENT ON COLUMN %1$I.settings.margin_column IS 'column of the source: the margin of a row as a share of its amount, -1..1, NULL = that of the program; a customer then has the mean margin of what was bought; NULL = the margin of the program for everybody';
COMMENT ON COLUMN %1$I.settings.churn_days IS 'p_active is the probability of a purchase within so many days, and a customer counts as recent for so many after one';
COMMENT ON COLUMN %1$I.settings.refit_days IS 'a refresh fits the models anew when the newest fit is so many days older than its as_of';
COMMENT ON COLUMN %1$I.settings.history_complete_from IS 'customers whose first day is earlier are predicted, but models are not fitted to them: their first orders may be missing; NULL = all are fitted to';

CREATE TABLE %1$I.history (
    customer_id %2$s PRIMARY KEY
) WITH (fillfactor = 90);
COMMENT ON TABLE %1$I.history IS 'purchase history of every customer of the source, up to its newest row';
COMMENT ON COLUMN %1$I.history.customer_id IS 'customer key, as in the source';

CREATE TABLE %1$I.segment (
    code text PRIMARY KEY,
    label text NOT NULL,
    label_zh text NOT NULL
);
COMMENT ON TABLE %1$I.segment IS 'labels of the segments, copied from the segment map; edit them, they show at once';
COMMENT ON COLUMN %1$I.segment.code IS 'code of the segment, as it stands in ratings.segment';
COMMENT ON COLUMN %1$I.segment.label IS 'English label';
COMMENT ON COLUMN %1$I.segment.label_zh IS 'Chinese label';

CREATE TABLE %1$I.run (
    run_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind text NOT NULL DEFAULT 'refresh' CHECK (kind IN ('refresh', 'fit')),
    status text NOT NULL CHECK (status IN ('running', 'published', 'fitted', 'failed')),
    is_current boolean NOT NULL DEFAULT false,
    as_of date NOT NULL,
    as_of_is_default boolean NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    pid int,
    rows_read bigint,
    rows_bad bigint,
    newest_day date,
    latest_day date,
    customers bigint,
    buyers bigint,
    prospects bigint,
    changed bigint,
    scores int,
    r_cuts float8[],
    f_cuts float8[],
    m_cuts float8[],
    compare float8[],
    combination text,
    combination_scale float8[],
    grades text[],
    grade_shares numeric[],
    grade_cuts numeric[],
    has_scales boolean NOT NULL DEFAULT false,
    is_frozen boolean NOT NULL DEFAULT false,
    is_replay boolean NOT NULL DEFAULT false,
    is_reference boolean NOT NULL DEFAULT false,
    score_distribution float8[],
    score_deciles float8[],
    score_decile_counts bigint[],
    previous_as_of date,
    terms_id bigint,
    tier_places float8[],
    upgrades bigint,
    downgrades bigint,
    purchase_model_id bigint,
    spend_model_id bigint,
    model_problem text,
    error_code text,
    error text
);
CREATE UNIQUE INDEX run_is_current ON %1$I.run (is_current) WHERE is_current;
COMMENT ON TABLE %1$I.run IS 'one row a refresh, or a call of fit: what it read, measured, changed, or why it failed';
COMMENT ON COLUMN %1$I.run.run_id IS 'number of the run';
COMMENT ON COLUMN %1$I.run.kind IS 'refresh or fit: the procedure that was called';
COMMENT ON COLUMN %1$I.run.status IS 'running, published (a refresh), fitted (a fit) or failed';
COMMENT ON COLUMN %1$I.run.is_current IS 'the run whose ratings are to be read now, the last that was published';
COMMENT ON COLUMN %1$I.run.as_of IS 'the day the ratings are as of: rows after it are ignored';
COMMENT ON COLUMN %1$I.run.as_of_is_default IS 'whether no day was given, so that yesterday was meant';
COMMENT ON COLUMN %1$I.run.started_at IS 'when the refresh started';
COMMENT ON COLUMN %1$I.run.finished_at IS 'when it was published or failed';
COMMENT ON COLUMN %1$I.run.pid IS 'process id of the session, to be found in pg_stat_activity while it is running';
COMMENT ON COLUMN %1$I.run.rows_read IS 'rows of the source';
COMMENT ON COLUMN %1$I.run.rows_bad IS 'rows skipped: customer, day or amount is NULL, NaN, infinite or out of range, or the margin is outside of -1..1';
COMMENT ON COLUMN %1$I.run.newest_day IS 'newest day with an order, up to as_of';
COMMENT ON COLUMN %1$I.run.latest_day IS 'newest day with an order of all, also after as_of; only where a dimension without a day has to know';
COMMENT ON COLUMN %1$I.run.customers IS 'customers rated: buyers and prospects';
COMMENT ON COLUMN %1$I.run.buyers IS 'customers with an order up to as_of';
COMMENT ON COLUMN %1$I.run.prospects IS 'customers without one';
COMMENT ON COLUMN %1$I.run.changed IS 'ratings inserted, updated or deleted';
COMMENT ON COLUMN %1$I.run.scores IS 'number of scores: r, f and m are 1..scores';
COMMENT ON COLUMN %1$I.run.r_cuts IS 'cut points of recency, in days';
COMMENT ON COLUMN %1$I.run.f_cuts IS 'cut points of frequency, in orders';
COMMENT ON COLUMN %1$I.run.m_cuts IS 'cut points of monetary value, in currency units';
COMMENT ON COLUMN %1$I.run.compare IS 'mean of the r, f and m scores over all buyers, against which a relative segment map calls a score high; NULL for other maps';
COMMENT ON COLUMN %1$I.run.combination IS 'how the dimensions made one score: mean, geometric or topsis';
COMMENT ON COLUMN %1$I.run.combination_scale IS 'norms, best and worst points of each dimension, of TOPSIS; NULL for other combinations';
COMMENT ON COLUMN %1$I.run.grades IS 'codes of the grades, from the lowest up';
COMMENT ON COLUMN %1$I.run.grade_shares IS 'shares of the grades above the lowest, where they are given by shares; NULL otherwise';
COMMENT ON COLUMN %1$I.run.grade_cuts IS 'least scores of the grades above the lowest; 101 = out of reach';
COMMENT ON COLUMN %1$I.run.has_scales IS 'whether run_dimension still holds its scales, so that rate(as_of, run_id) works: the current run, the one before and the reference';
COMMENT ON COLUMN %1$I.run.is_frozen IS 'whether it took over the scales of the run before (scorecard.frozen_scale)';
COMMENT ON COLUMN %1$I.run.previous_as_of IS 'the day evaluated before this one; NULL = none';
COMMENT ON COLUMN %1$I.run.terms_id IS 'rules and policy of its tiers (tier_terms)';
COMMENT ON COLUMN %1$I.run.tier_places IS 'what shares and capacities of tiers left, from customer_tier.tier_seats(); NULL when there are none';
COMMENT ON COLUMN %1$I.run.upgrades IS 'customers who climbed';
COMMENT ON COLUMN %1$I.run.downgrades IS 'customers who fell';
COMMENT ON COLUMN %1$I.run.is_replay IS 'whether it looked back, so that dimensions whose relations know no day were left out';
COMMENT ON COLUMN %1$I.run.is_reference IS 'the run that score_drift() compares with: the first published with the present scorecard, unless set_reference() chose another';
COMMENT ON COLUMN %1$I.run.score_distribution IS 'percentile_scale() of the scores; kept as long as the scales';
COMMENT ON COLUMN %1$I.run.score_deciles IS 'nine cut points that make ten parts of the scores, as far as ties allow';
COMMENT ON COLUMN %1$I.run.score_decile_counts IS 'customers in each of the ten parts';
COMMENT ON COLUMN %1$I.run.purchase_model_id IS 'the purchase model its ratings are made with, a row of model';
COMMENT ON COLUMN %1$I.run.spend_model_id IS 'the spend model its ratings are made with, a row of model';
COMMENT ON COLUMN %1$I.run.model_problem IS 'why p_alive, expected_purchases, clv and the like are NULL; NULL when there are models for all of them';
COMMENT ON COLUMN %1$I.run.error_code IS 'SQLSTATE of the failure';
COMMENT ON COLUMN %1$I.run.error IS 'message of the failure';

CREATE TABLE %1$I.rating (
    customer_id %2$s PRIMARY KEY,
    first_day date,
    last_day date,
    orders bigint NOT NULL,
    purchase_days int NOT NULL,
    revenue numeric NOT NULL,
    refunded numeric NOT NULL,
    average_order numeric,
    r_score int,
    f_score int,
    m_score int,
    segment text,
    lifecycle_stage text NOT NULL,
    p_alive numeric(5,4),
    p_active numeric(5,4),
    expected_purchases numeric,
    expected_spend numeric,
    clv numeric,
    score numeric(7,4),
    grade text,
    tier text NOT NULL,
    tier_rank int NOT NULL,
    tier_since date NOT NULL,
    previous_tier text,
    tier_reason text NOT NULL,
    score_to_next_tier numeric(7,4),
    amount_to_next_tier numeric,
    score_to_stay numeric(7,4),
    amount_to_stay numeric,
    drops_on date,
    terms_id bigint,
    up_runs int NOT NULL DEFAULT 0,
    up_since date,
    down_runs int NOT NULL DEFAULT 0,
    down_since date,
    state_before text,
    coverage numeric(5,4) NOT NULL,
    outside_values float8[]
) WITH (fillfactor = 50);
COMMENT ON COLUMN %1$I.rating.terms_id IS 'terms (tier_terms) under which the tier was granted';
COMMENT ON COLUMN %1$I.rating.up_runs IS 'runs in a row in which a higher tier''s rule held, while they are not enough';
COMMENT ON COLUMN %1$I.rating.up_since IS 'the first of these';
COMMENT ON COLUMN %1$I.rating.down_runs IS 'failing runs in a row, while they are not enough to fall';
COMMENT ON COLUMN %1$I.rating.down_since IS 'the first of these';
COMMENT ON COLUMN %1$I.rating.state_before IS 'customer_tier.tier_state before this day, so that the day can be run again; NULL = the same as now, or none';
COMMENT ON COLUMN %1$I.rating.outside_values IS 'values of the dimensions that come from relations, in the order of run_dimension, as the last refresh saw them; NULL when there are none';
COMMENT ON TABLE %1$I.rating IS 'what is stored of the ratings; read the view ratings, which adds the day and the labels';
$ddl$, schema, key_type);
    PERFORM customer_tier.create_tier_tables(schema, key_type);
    PERFORM customer_tier.create_model_tables(schema);
    PERFORM customer_tier.create_scorecard_tables(schema, key_type);

    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.rating.%I IS %L;', schema, c.column_name, c.explanation), E'\n')
               FROM customer_tier.rating_columns() c WHERE c.stored);
END
$$;
COMMENT ON FUNCTION customer_tier.create_tables(name, text) IS 'internal: the tables of a program';

CREATE FUNCTION customer_tier.rating_columns() RETURNS TABLE (column_name name, stored boolean, explanation text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES
        ('customer_id'::name, true, 'customer key, as in the source'),
        ('as_of', false, 'the day the ratings are as of'),
        ('first_day', true, 'first day with an order; NULL for a prospect'),
        ('last_day', true, 'last day with an order, up to as_of; NULL for a prospect'),
        ('recency_days', false, 'days from last_day to as_of'),
        ('orders', true, 'number of orders (rows with an amount >= 0, or orders when lines are summed)'),
        ('purchase_days', true, 'number of days with an order'),
        ('revenue', true, 'sum of all amounts net of refunds, in currency units'),
        ('refunded', true, 'sum of the refunds as a positive number, in currency units'),
        ('average_order', true, 'revenue / orders, in currency units; NULL for a prospect'),
        ('r_score', true, 'recency score, 1..n, n = bought most recently; NULL for a prospect'),
        ('f_score', true, 'frequency score, 1..n, n = most orders; NULL for a prospect'),
        ('m_score', true, 'monetary score, 1..n, n = highest monetary value; NULL for a prospect'),
        ('rfm_cell', false, 'r, f and m score side by side, such as 545 (5-4-10 when a score can exceed 9); NULL for a prospect'),
        ('segment', true, 'code of the segment'),
        ('segment_label', false, 'English label of the segment'),
        ('segment_label_zh', false, 'Chinese label of the segment'),
        ('lifecycle_stage', true, 'prospect = no order; new = one purchase day, within churn_days; active = more likely than not to buy within churn_days (p_active >= 0.5), or bought within them and p_active >= 0.1; at_risk = neither active nor churned; churned = p_active below 0.1 and no purchase within churn_days. Without a model the last churn_days count as active, those before as at_risk, what is older as churned'),
        ('lifecycle_label', false, 'English label of the stage'),
        ('lifecycle_label_zh', false, 'Chinese label of the stage'),
        ('p_alive', true, 'probability that the customer has not dropped out, 0..1; NULL for a prospect and without a purchase model'),
        ('p_active', true, 'probability of a purchase within churn_days (settings), 0..1; NULL for a prospect and without a purchase model'),
        ('expected_purchases', true, 'expected days with a purchase within horizon_days (settings); NULL for a prospect and without a purchase model'),
        ('expected_spend', true, 'expected amount of a day with a purchase, in currency units; NULL for a prospect, without a spend model, and where it cannot be told: repeat purchases of a net amount of 0 or less, or none while the model has no mean (q <= 1)'),
        ('clv', true, 'value of the purchases expected within horizon_days, discounted, times the margin (settings; with a margin column that of the customer), in currency units; NULL when expected_purchases or expected_spend is'),
        ('score', true, 'score 0..100: the weighted mean of the points in the dimensions of the scorecard, or what else scorecard.combination says; NULL for a prospect, and where a dimension that asks for it has no value'),
        ('grade', true, 'code of the grade; NULL without a score, and where coverage is below scorecard.min_coverage'),
        ('grade_label', false, 'English label of the grade'),
        ('grade_label_zh', false, 'Chinese label of the grade'),
        ('tier', true, 'code of the tier'),
        ('tier_label', false, 'English label of the tier'),
        ('tier_label_zh', false, 'Chinese label of the tier'),
        ('tier_rank', true, 'rank of the tier, 1 = base tier'),
        ('tier_since', true, 'as_of of the run at which the customer came into this tier'),
        ('previous_tier', true, 'code of the tier before; NULL when there was none'),
        ('tier_reason', true, 'why this tier: qualified = its entry rule holds, kept = its stay rule, base = no rule of a higher tier holds, unrated = the same, without a score, waiting = a higher tier''s rule holds but not for long enough, hold, grace or period = failing but protected (tier_policy), upgraded, downgraded, revoked (by a refund) or rules (the tier before is no more) = moved by this run, refunded = sent back too much, override or locked = a person decided, prospect = no order yet'),
        ('score_to_next_tier', true, 'points of score missing to the next tier; NULL in the top tier, for a prospect, and where points alone would not do'),
        ('amount_to_next_tier', true, 'revenue missing to the next tier, in currency units, where its rule asks for revenue; with score_to_next_tier when both are missing'),
        ('score_to_stay', true, 'who is failing: points of score missing to stay'),
        ('amount_to_stay', true, 'who is failing: revenue missing to stay, in currency units'),
        ('drops_on', true, 'who is failing: the day of the downgrade if nothing changes, with a run every day'),
        ('coverage', true, 'share of the weights of the score for which there are data, 0..1; 0 for a prospect')
$$;
COMMENT ON FUNCTION customer_tier.rating_columns() IS 'internal: the columns of the view ratings, in order, and whether they are stored in the table rating';

CREATE FUNCTION customer_tier.create_program(
    name text,
    source regclass,
    customer name,
    at name,
    amount name,
    schema name DEFAULT NULL,
    order_id name DEFAULT NULL,
    customers regclass DEFAULT NULL,
    customers_key name DEFAULT NULL,
    time_zone text DEFAULT NULL,
    segment_map text DEFAULT 'grid25',
    monetary text DEFAULT 'revenue',
    window_days int DEFAULT NULL,
    weights float8[] DEFAULT '{0.25,0.35,0.40}',
    on_bad_row text DEFAULT 'skip',
    max_bad_share numeric DEFAULT 0.01,
    preset text DEFAULT 'standard',
    purchase_model text DEFAULT 'mbg/nbd',
    horizon_days int DEFAULT 365,
    annual_discount numeric DEFAULT 0.10,
    margin numeric DEFAULT 1,
    margin_column name DEFAULT NULL,
    churn_days int DEFAULT 90,
    refit_days int DEFAULT 30,
    history_complete_from date DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    s customer_tier.program_settings;
    new_schema name;
    key_type text;
    wrong record;
BEGIN
    -- What must be known before anything can be checked.
    IF create_program.name IS NULL OR create_program.name = '' THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN create_program.name IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = CASE WHEN create_program.name IS NULL THEN 'the name of a program must not be NULL'
                           ELSE 'the name of a program must not be empty' END,
            HINT = 'Give it a name: create_program(''retail'', ...).';
    END IF;
    IF source IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'option "source" must not be NULL',
            HINT = 'Name the order table: source => ''public.orders''.';
    END IF;
    IF create_program.schema IS NULL AND octet_length(create_program.name) > 63 THEN
        RAISE EXCEPTION USING ERRCODE = 'name_too_long',
            MESSAGE = format('the name "%s" is too long for a schema', create_program.name),
            HINT = 'Choose the schema yourself: schema => ''...''.';
    END IF;
    new_schema := coalesce(create_program.schema, create_program.name::name);
    IF new_schema = '' OR new_schema LIKE 'pg\_%' OR new_schema IN ('information_schema', 'customer_tier') THEN
        RAISE EXCEPTION USING ERRCODE = 'reserved_name',
            MESSAGE = format('"%s" cannot be the schema of a program', new_schema),
            HINT = 'Choose another one: schema => ''...''.';
    END IF;

    -- Does it make sense?
    SELECT n.nspname, c.relname INTO s.source_schema, s.source_name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = source;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('relation %s does not exist (option "source")', source),
            HINT = 'Name the order table: source => ''public.orders''.';
    END IF;
    IF customers IS NOT NULL THEN
        SELECT n.nspname, c.relname INTO s.customers_schema, s.customers_name
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = customers;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_table',
                MESSAGE = format('relation %s does not exist (option "customers")', customers),
                HINT = 'Name the customer master: customers => ''public.customers''.';
        END IF;
    END IF;
    s.program := create_program.name;
    s.customer := create_program.customer;
    s.at := create_program.at;
    s.amount := create_program.amount;
    s.order_id := create_program.order_id;
    s.customers_key := create_program.customers_key;
    s.time_zone := coalesce(create_program.time_zone, current_setting('TimeZone'));
    s.segment_map := create_program.segment_map;
    s.monetary := create_program.monetary;
    s.window_days := create_program.window_days;
    s.on_bad_row := create_program.on_bad_row;
    s.max_bad_share := create_program.max_bad_share;
    s.purchase_model := create_program.purchase_model;
    s.horizon_days := create_program.horizon_days;
    s.annual_discount := create_program.annual_discount;
    s.margin := create_program.margin;
    s.margin_column := create_program.margin_column;
    s.churn_days := create_program.churn_days;
    s.refit_days := create_program.refit_days;
    s.history_complete_from := create_program.history_complete_from;
    FOR wrong IN SELECT * FROM customer_tier.settings_problems(s) LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, HINT = wrong.hint;
    END LOOP;
    -- Not between: neither is NaN, which stands above everything.
    IF weights IS NULL OR array_ndims(weights) IS DISTINCT FROM 1 OR cardinality(weights) <> 3
       OR EXISTS (SELECT FROM unnest(weights) w WHERE (w BETWEEN 0 AND 1e100) IS NOT TRUE)
       OR 0 = ALL (weights) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('weights %s cannot be used (option "weights")', coalesce(weights::text, 'NULL')),
            HINT = 'Give three finite weights for recency, frequency and monetary value, none negative, not all zero, as in ''{0.25,0.35,0.40}''.';
    END IF;
    IF create_program.preset IS NULL OR NOT EXISTS (SELECT FROM customer_tier.tier_preset p WHERE p.preset = create_program.preset) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('preset of tiers "%s" does not exist', coalesce(create_program.preset, 'NULL')),
            HINT = (SELECT format('The presets are %s; your own are rows of customer_tier.tier_preset.', string_agg(DISTINCT p.preset, ', '))
                      FROM customer_tier.tier_preset p);
    END IF;

    -- Is there room for it?
    IF EXISTS (SELECT FROM customer_tier.program p
                WHERE p.name = create_program.name AND to_regclass(format('%I.settings', p.schema)) IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('program "%s" already exists', create_program.name),
            HINT = format('Choose another name, or drop it first: SELECT customer_tier.drop_program(%L).', create_program.name);
    END IF;
    IF EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = new_schema) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
            MESSAGE = format('schema "%s" already exists', new_schema),
            HINT = 'A program has a schema of its own: choose another one with schema => ''...''; if it holds a program already, use customer_tier.adopt_program.';
    END IF;
    IF NOT has_database_privilege(current_database(), 'CREATE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('permission denied to create schema "%s"', new_schema),
            HINT = format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user);
    END IF;

    -- Make it.
    SELECT c.declared || c.collate_clause INTO key_type FROM customer_tier.relation_column(source, s.customer) c;
    EXECUTE format('CREATE SCHEMA %I', new_schema);
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', new_schema, format('customer_tier program "%s"', create_program.name));
    PERFORM customer_tier.create_tables(new_schema, key_type);
    EXECUTE format(
        'INSERT INTO %1$I.settings (%2$s) SELECT %2$s FROM (SELECT ($1).*) AS s', new_schema,
        'program, source_schema, source_name, customer, at, amount, order_id, customers_schema, customers_name, customers_key, time_zone, segment_map, '
        'monetary, window_days, on_bad_row, max_bad_share, '
        'purchase_model, horizon_days, annual_discount, margin, margin_column, churn_days, refit_days, history_complete_from') USING s;
    EXECUTE format(
        'INSERT INTO %I.tier (tier_rank, code, label, label_zh, colour, min_score)
         SELECT tier_rank, code, label, label_zh, colour, min_score FROM customer_tier.tier_preset WHERE preset = $1', new_schema)
        USING create_program.preset;
    PERFORM customer_tier.put_dimensions(new_schema, jsonb_build_array(
        jsonb_build_object('feature', 'recency', 'weight', weights[1]),
        jsonb_build_object('feature', 'frequency', 'weight', weights[2]),
        jsonb_build_object('feature', 'monetary', 'weight', weights[3])));
    PERFORM customer_tier.add_segments(new_schema);
    FOR wrong IN SELECT * FROM customer_tier.terms_problems(new_schema, NULL) LOOP
        RAISE EXCEPTION USING ERRCODE = wrong.code, MESSAGE = wrong.problem, HINT = wrong.hint;
    END LOOP;
    PERFORM customer_tier.compile_program(new_schema);
    PERFORM customer_tier.register_program(create_program.name, new_schema, s.source_schema, s.source_name);
    RETURN create_program.name;
END
$$;
COMMENT ON FUNCTION customer_tier.create_program(text, regclass, name, name, name, name, name, regclass, name, text, text, text, int, float8[], text, numeric, text, text, int, numeric, numeric, name, int, int, date) IS
    'make a program: ratings of the customers of an order table, in a schema of its own; returns its name. Then CALL customer_tier.refresh(name)';

CREATE FUNCTION customer_tier.add_segments(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$query$
    INSERT INTO %1$I.segment (code, label, label_zh)
    SELECT DISTINCT ON (map.segment) map.segment, map.label, coalesce(map.label_zh, map.label)
      FROM (SELECT m.segment, m.label, m.label_zh, m.priority
              FROM customer_tier.segment_map AS m
             WHERE m.map = (SELECT settings.segment_map FROM %1$I.settings)
            UNION ALL
            VALUES ('prospects', 'Prospects', '未购客户', CAST(NULL AS integer))) AS map
     ORDER BY map.segment, map.priority
    ON CONFLICT (code) DO NOTHING
$query$, schema);
END
$$;
COMMENT ON FUNCTION customer_tier.add_segments(name) IS 'internal: copy the labels of the segments of the program''s map that it does not have yet';

CREATE FUNCTION customer_tier.outside_dependants(schema name) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- What stands in the schema, and the row types of its relations.
    WITH inside AS (
        SELECT 'pg_class'::regclass AS classid, c.oid AS objid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = schema
        UNION ALL
        SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = schema
        UNION ALL
        SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = schema
    ), dependant AS (
        -- A view depends through its rule, a table through its constraint, trigger or default.
        SELECT CASE WHEN coalesce(r.ev_class, nullif(k.conrelid, 0), t.tgrelid, a.adrelid) IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid,
               coalesce(r.ev_class, nullif(k.conrelid, 0), t.tgrelid, a.adrelid, d.objid) AS objid
          FROM pg_depend d
          JOIN inside i ON i.classid = d.refclassid AND i.objid = d.refobjid
          LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
          LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
          LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
          LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
         WHERE d.deptype = 'n'
    )
    SELECT coalesce(array_agg(DISTINCT pg_describe_object(classid, objid, 0)), '{}')
      FROM dependant, pg_identify_object(classid, objid, 0) AS object
     WHERE (classid, objid) NOT IN (SELECT i.classid, i.objid FROM inside i)
       AND object.schema IS DISTINCT FROM quote_ident(outside_dependants.schema)
       AND coalesce(object.schema, '') !~ '^pg_temp'
$$;
COMMENT ON FUNCTION customer_tier.outside_dependants(name) IS 'internal: descriptions of what stands outside a schema and would be dropped with it';

CREATE FUNCTION customer_tier.drop_program(name text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    its_schema name;
    outsiders text[];
BEGIN
    IF drop_program.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'the name of the program must not be NULL',
            HINT = 'SELECT * FROM customer_tier.program lists the programs of this database.';
    END IF;
    SELECT p.schema INTO its_schema FROM customer_tier.program p WHERE p.name = drop_program.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('program "%s" does not exist', drop_program.name),
            HINT = 'SELECT * FROM customer_tier.program lists the programs of this database.';
    END IF;
    -- A schema without settings is not the program's any more: leave it alone.
    IF to_regclass(format('%I.settings', its_schema)) IS NOT NULL THEN
        IF NOT pg_has_role((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = its_schema), 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('must be owner of program "%s"', drop_program.name),
                HINT = format('It belongs to the owner of schema "%s".', its_schema);
        END IF;
        outsiders := customer_tier.outside_dependants(its_schema);
        IF outsiders <> '{}' THEN
            RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
                MESSAGE = format('cannot drop program "%s" because other objects depend on it', drop_program.name),
                DETAIL = array_to_string(outsiders, E'\n'),
                HINT = format('Drop them first; or drop them and the program with DROP SCHEMA %I CASCADE, and then call drop_program.', its_schema);
        END IF;
        EXECUTE format('DROP SCHEMA %I CASCADE', its_schema);
    END IF;
    PERFORM customer_tier.unregister_program(drop_program.name);
    RETURN drop_program.name;
END
$$;
COMMENT ON FUNCTION customer_tier.drop_program(text) IS 'drop a program with its schema and everything in it, ratings too; the order table stays as it is. Refused while objects outside the schema depend on it';

CREATE FUNCTION customer_tier.adopt_program(schema name) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET check_function_bodies = off AS $$
DECLARE
    s customer_tier.program_settings;
    missing text;
BEGIN
    IF adopt_program.schema IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'the schema to adopt must not be NULL',
            HINT = 'Name the schema of a program: adopt_program(''retail'').';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = adopt_program.schema) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name',
            MESSAGE = format('schema "%s" does not exist', adopt_program.schema),
            HINT = 'Restore it first, or create the program with customer_tier.create_program.';
    END IF;
    SELECT string_agg(format('%I', t), ', ') INTO missing
      FROM unnest('{settings,history,tier,tier_policy,tier_change,tier_terms,tier_history,tier_correction,tier_override,tier_event,segment,dimension,scorecard,grade,run,run_dimension,weighting,model,forecast,rating}'::text[]) t
     WHERE to_regclass(format('%I.%I', adopt_program.schema, t)) IS NULL;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('schema "%s" holds no program', adopt_program.schema),
            DETAIL = format('It has no %s.', missing),
            HINT = 'Restore the whole schema, or create the program with customer_tier.create_program.';
    END IF;
    IF current_user <> (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = adopt_program.schema) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be the owner of schema "%s" to adopt it', adopt_program.schema),
            HINT = format('SET ROLE %I; first.', (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = adopt_program.schema));
    END IF;

    s := customer_tier.program_settings(adopt_program.schema);
    PERFORM customer_tier.compile_program(adopt_program.schema);
    PERFORM customer_tier.register_program(s.program, adopt_program.schema, s.source_schema, s.source_name);
    RETURN s.program;
END
$$;
COMMENT ON FUNCTION customer_tier.adopt_program(name) IS
    'register the program in a schema again, after DROP EXTENSION ... CASCADE or after its schema alone was restored; returns its name. The next refresh rebuilds the histories';
