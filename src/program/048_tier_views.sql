-- What people look at: the views about tiers in a program's schema, and beside
-- each a function of the same name for other days.
--
--   tiers                  tiers(day)                       how many stand where
--   tier_migration         tier_migration(from_day, to_day) from x to
--   tier_moves             tier_moves(from_day, to_day)     who moved, and why
--   at_risk_of_downgrade   at_risk_of_downgrade(until)      who will drop
--   near_upgrade           near_upgrade(max_score, max_amount)
--                                                           who is within reach
--
-- The views use nothing of the extension, so that they outlive it as the ratings
-- do.  They list the tiers of the published run's terms: a tier that was edited
-- since shows its new labels at once, and its new rank with the next refresh.

CREATE FUNCTION customer_tier.tier_reasons() RETURNS TABLE (reason text, label text, label_zh text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES
        ('initial', 'First placed', '首次定级'),
        ('qualified', 'Qualifies', '符合进入条件'),
        ('kept', 'Meets the rule to stay', '满足保级条件'),
        ('base', 'Base tier', '基础等级'),
        ('unrated', 'No score', '暂无评分'),
        ('waiting', 'Upgrade pending', '等待升级'),
        ('hold', 'Protected after an upgrade', '升级保护期'),
        ('grace', 'In grace', '宽限期'),
        ('period', 'Kept to the end of the period', '保留至周期结束'),
        ('upgraded', 'Upgraded', '升级'),
        ('downgraded', 'Downgraded', '降级'),
        ('revoked', 'Upgrade revoked by a refund', '因退款撤销升级'),
        ('refunded', 'Sent back too much', '退款过多'),
        ('prospect', 'No order yet', '尚未下单'),
        ('override', 'Set by a person', '人工设定'),
        ('locked', 'Locked by a person', '人工锁定'),
        ('rules', 'Tier no longer exists', '原等级已取消')
$$;
COMMENT ON FUNCTION customer_tier.tier_reasons() IS 'internal: the reasons of ratings.tier_reason and tier_history.reason, with their labels';

CREATE FUNCTION customer_tier.reasons_query() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '(VALUES ' || string_agg(format('(%L, %L, %L)', r.reason, r.label, r.label_zh), ', ' ORDER BY r.reason COLLATE "C") || ')'
      FROM customer_tier.tier_reasons() r
$$;
COMMENT ON FUNCTION customer_tier.reasons_query() IS 'internal: tier_reasons() as a list of values for a view';

CREATE FUNCTION customer_tier.known_tiers_query(schema name) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(
$query$SELECT DISTINCT ON (ever.code) ever.code, ever.tier_rank, ever.is_present
          FROM (SELECT listed.tier->>'code' AS code, CAST(listed.n AS integer) AS tier_rank,
                       coalesce(terms.terms_id = (SELECT published.terms_id FROM %1$I.run AS published WHERE published.is_current), false) AS is_present, terms.terms_id
                  FROM %1$I.tier_terms AS terms
                 CROSS JOIN jsonb_array_elements(terms.terms->'tiers') WITH ORDINALITY AS listed (tier, n)
                UNION ALL
                SELECT tier.code, tier.tier_rank, NOT EXISTS (SELECT FROM %1$I.run AS published WHERE published.is_current AND published.terms_id IS NOT NULL), 0
                  FROM %1$I.tier) AS ever
         ORDER BY ever.code, ever.is_present DESC, ever.terms_id DESC$query$, schema)
$$;
COMMENT ON FUNCTION customer_tier.known_tiers_query(name) IS 'internal: every tier there ever was with its rank, that of the published run or the last it had; is_present = a tier of the published run, or of the table before there is one';

CREATE FUNCTION customer_tier.create_tier_views(schema name) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attributes constant text := 'LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off';
    -- A value, not a join: the planner takes it for one row.
    this_day constant text := format('(SELECT published.as_of FROM %I.run AS published WHERE published.is_current)', schema);
    day_before constant text := format('(SELECT published.previous_as_of FROM %I.run AS published WHERE published.is_current)', schema);
    known text := customer_tier.known_tiers_query(schema);
    reasons text := customer_tier.reasons_query();
    published text := customer_tier.published_join(schema);
    clv text := customer_tier.published_prediction(schema, 'clv');
    key_column record;
    key_type text;
    equality text;
    direction text;
    moves text;
    near text;
BEGIN
    SELECT * INTO key_column FROM customer_tier.relation_column(format('%I.history', schema)::regclass, 'customer_id');
    key_type := key_column.type;    -- functions know no length
    equality := customer_tier.key_equality(key_column.base_type);

    -- tiers: members and their numbers come from the ratings, the members before
    -- from the history.
    EXECUTE format(
$ddl$
CREATE OR REPLACE VIEW %1$I.tiers AS
WITH known AS (
        %2$s
     ), member AS (
        SELECT rating.tier, max(rating.tier_rank) AS tier_rank, count(*) AS members, sum(rating.revenue) AS revenue,
               avg(rating.score) AS average_score
          FROM %1$I.scored_rating AS rating
         GROUP BY rating.tier
     ), before AS (
        SELECT held.tier, max(held.tier_rank) AS tier_rank, count(*) AS members
          FROM %1$I.tier_history AS held
         WHERE held.valid_from <= %3$s
           AND (held.valid_to > %3$s OR held.valid_to IS NULL)
         GROUP BY held.tier
     )
SELECT coalesce(known.tier_rank, member.tier_rank, before.tier_rank) AS tier_rank,
       listed.tier,
       coalesce(tier.label, listed.tier) AS tier_label,
       coalesce(tier.label_zh, listed.tier) AS tier_label_zh,
       tier.colour,
       coalesce(member.members, 0) AS members,
       round(coalesce(member.members, 0) / nullif(sum(member.members) OVER (), 0), 4) AS share,
       coalesce(member.revenue, 0) AS revenue,
       round(coalesce(member.revenue, 0) / nullif(sum(member.revenue) OVER (), 0), 4) AS revenue_share,
       round(member.average_score, 4) AS average_score,
       predicted.clv,
       round(predicted.average_clv, 4) AS average_clv,
       CASE WHEN %3$s IS NOT NULL THEN coalesce(before.members, 0) END AS members_before,
       CASE WHEN %3$s IS NOT NULL THEN coalesce(member.members, 0) - coalesce(before.members, 0) END AS change
  FROM (SELECT known.code AS tier FROM known WHERE known.is_present
        UNION SELECT member.tier FROM member
        UNION SELECT before.tier FROM before) AS listed
  LEFT JOIN known ON known.code = listed.tier
  LEFT JOIN member ON member.tier = listed.tier
  LEFT JOIN before ON before.tier = listed.tier
  -- apart, so that who does not ask for it does not wait for it
  LEFT JOIN (SELECT rating.tier, sum(%4$s) AS clv, avg(%4$s) AS average_clv
               FROM %1$I.rating
               %5$s
              GROUP BY rating.tier) AS predicted ON predicted.tier = listed.tier
  LEFT JOIN %1$I.tier ON tier.code = listed.tier;
COMMENT ON VIEW %1$I.tiers IS 'the tiers of the published run, one row each, also empty ones; and tiers that are no more but were held at the run before';
$ddl$, schema, known, day_before, clv, published);

    PERFORM customer_tier.put_function(schema, 'tiers', 'day date',
        'TABLE(tier_rank integer, tier text, tier_label text, tier_label_zh text, colour text, members bigint, share numeric, revenue numeric, revenue_share numeric)', attributes,
        format(
$query$
    WITH known AS (
        %2$s
    ), member AS (
        SELECT held.tier, max(held.tier_rank) AS tier_rank, count(*) AS members,
               sum(coalesce(customer_tier.revenue(bought.history, tiers.day), 0)) AS revenue
          FROM %1$I.tier_history AS held
          LEFT JOIN %1$I.history AS bought ON bought.customer_id %3$s held.customer_id
         WHERE held.valid_from <= tiers.day AND (held.valid_to > tiers.day OR held.valid_to IS NULL)
         GROUP BY held.tier
    )
    SELECT coalesce(known.tier_rank, member.tier_rank),
           listed.tier,
           coalesce(tier.label, listed.tier),
           coalesce(tier.label_zh, listed.tier),
           tier.colour,
           coalesce(member.members, 0),
           round(coalesce(member.members, 0) / nullif(sum(member.members) OVER (), 0), 4),
           coalesce(member.revenue, 0),
           round(coalesce(member.revenue, 0) / nullif(sum(member.revenue) OVER (), 0), 4)
      FROM (SELECT known.code AS tier FROM known WHERE known.is_present UNION SELECT member.tier FROM member) AS listed
      LEFT JOIN known ON known.code = listed.tier
      LEFT JOIN member ON member.tier = listed.tier
      LEFT JOIN %1$I.tier ON tier.code = listed.tier
$query$, schema, known, equality),
        'who stood where on a past day: members, their share of all, their revenue net of refunds up to and including that day (currency units) and its share; tiers of today also when they were empty, and tiers that are no more when they were not');

    -- tier_migration: where everybody stood on two days.  One row a customer by
    -- grouping, which compares keys as their type does.
    EXECUTE format(
$ddl$
CREATE OR REPLACE VIEW %1$I.tier_migration AS
WITH known AS (
        %2$s
     ), moved AS (
        SELECT held.customer_id,
               max(held.tier) FILTER (WHERE held.valid_from <= %5$s AND (held.valid_to > %5$s OR held.valid_to IS NULL)) AS from_tier,
               max(held.tier) FILTER (WHERE held.valid_from <= %4$s AND (held.valid_to > %4$s OR held.valid_to IS NULL)) AS to_tier
          FROM %1$I.tier_history AS held
         WHERE held.valid_to > coalesce(%5$s, %4$s) OR held.valid_to IS NULL
         GROUP BY held.customer_id
     ), counted AS (
        SELECT moved.from_tier, moved.to_tier, count(*) AS customers, sum(coalesce(rating.revenue, 0)) AS revenue
          FROM moved
          LEFT JOIN %1$I.rating ON rating.customer_id %3$s moved.customer_id
         WHERE moved.from_tier IS NOT NULL OR moved.to_tier IS NOT NULL
         GROUP BY moved.from_tier, moved.to_tier
     )
SELECT counted.from_tier,
       old.tier_rank AS from_rank,
       counted.to_tier,
       new.tier_rank AS to_rank,
       CASE WHEN counted.from_tier IS NULL THEN 'entry' WHEN counted.to_tier IS NULL THEN 'exit'
            WHEN new.tier_rank > old.tier_rank THEN 'up' WHEN new.tier_rank < old.tier_rank THEN 'down' ELSE 'same' END AS direction,
       counted.customers,
       CASE WHEN counted.from_tier IS NOT NULL
            THEN round(counted.customers / sum(counted.customers) OVER (PARTITION BY counted.from_tier), 4) END AS share_of_from,
       counted.revenue
  FROM counted
  LEFT JOIN known AS old ON old.code = counted.from_tier
  LEFT JOIN known AS new ON new.code = counted.to_tier;
COMMENT ON VIEW %1$I.tier_migration IS 'how many went from which tier to which between the day evaluated before and the published one; from_tier NULL = came in, to_tier NULL = left';
$ddl$, schema, known, equality, this_day, day_before);

    PERFORM customer_tier.put_function(schema, 'tier_migration', 'from_day date, to_day date',
        'TABLE(from_tier text, from_rank integer, to_tier text, to_rank integer, direction text, customers bigint, share_of_from numeric, revenue numeric)', attributes,
        format(
$query$
    WITH known AS (
        %2$s
    ), moved AS (
        SELECT held.customer_id,
               max(held.tier) FILTER (WHERE held.valid_from <= from_day AND (held.valid_to > from_day OR held.valid_to IS NULL)) AS from_tier,
               max(held.tier) FILTER (WHERE held.valid_from <= to_day AND (held.valid_to > to_day OR held.valid_to IS NULL)) AS to_tier
          FROM %1$I.tier_history AS held
         WHERE (held.valid_from <= from_day OR held.valid_from <= to_day)
           AND (held.valid_to > from_day OR held.valid_to > to_day OR held.valid_to IS NULL)
         GROUP BY held.customer_id
    ), counted AS (
        SELECT moved.from_tier, moved.to_tier, count(*) AS customers,
               sum(coalesce(customer_tier.revenue(bought.history, tier_migration.to_day), 0)) AS revenue
          FROM moved
          LEFT JOIN %1$I.history AS bought ON bought.customer_id %3$s moved.customer_id
         WHERE moved.from_tier IS NOT NULL OR moved.to_tier IS NOT NULL
         GROUP BY moved.from_tier, moved.to_tier
    )
    SELECT counted.from_tier, old.tier_rank, counted.to_tier, new.tier_rank,
           CASE WHEN counted.from_tier IS NULL THEN 'entry' WHEN counted.to_tier IS NULL THEN 'exit'
                WHEN new.tier_rank > old.tier_rank THEN 'up' WHEN new.tier_rank < old.tier_rank THEN 'down' ELSE 'same' END,
           counted.customers,
           CASE WHEN counted.from_tier IS NOT NULL
                THEN round(counted.customers / sum(counted.customers) OVER (PARTITION BY counted.from_tier), 4) END,
           counted.revenue
      FROM counted
      LEFT JOIN known AS old ON old.code = counted.from_tier
      LEFT JOIN known AS new ON new.code = counted.to_tier
$query$, schema, known, equality),
        'how many went from which tier to which between two days, in either order, with their revenue up to and including to_day (currency units); from_tier NULL = came in, to_tier NULL = left');

    -- tier_moves: the reason says the direction where the rules moved; where a
    -- person did, or the tier before is no more, the ranks do.
    direction :=
$part$CASE WHEN move.previous_tier IS NULL THEN 'entry'
            WHEN move.reason = 'upgraded' THEN 'up'
            WHEN move.reason IN ('downgraded', 'revoked', 'refunded', 'prospect') THEN 'down'
            WHEN coalesce(new.tier_rank, move.tier_rank) > old.tier_rank THEN 'up'
            WHEN coalesce(new.tier_rank, move.tier_rank) < old.tier_rank THEN 'down'
            ELSE 'same' END$part$;
    moves := format(
$query$SELECT move.customer_id,
       move.valid_from AS day,
       move.previous_tier,
       move.tier,
       %3$s AS direction,
       move.reason,
       coalesce(reason.label, move.reason) AS reason_label,
       coalesce(reason.label_zh, move.reason) AS reason_label_zh,
       move.score,
       move.changed_by,
       move.is_correction
  FROM %1$I.tier_history AS move
  LEFT JOIN (%2$s) AS old ON old.code = move.previous_tier
  LEFT JOIN (%2$s) AS new ON new.code = move.tier
  LEFT JOIN %4$s AS reason (reason, label, label_zh) ON reason.reason = move.reason
 WHERE $query$, schema, known, direction, reasons);
    EXECUTE format('CREATE OR REPLACE VIEW %1$I.tier_moves AS ', schema) || moves || 'move.valid_from = ' || this_day;
    EXECUTE format('COMMENT ON VIEW %I.tier_moves IS %L', schema, 'who moved on the published day, and why; direction entry = placed for the first time. Who left is in tier_migration');
    PERFORM customer_tier.put_function(schema, 'tier_moves', 'from_day date, to_day date',
        format('TABLE(customer_id %s, day date, previous_tier text, tier text, direction text, reason text, reason_label text, reason_label_zh text, score numeric, changed_by text, is_correction boolean)', key_type), attributes,
        E'\n' || moves || E'move.valid_from > from_day AND move.valid_from <= to_day\n',
        'who moved after from_day, up to and including to_day, and why');

    -- at_risk_of_downgrade
    EXECUTE format(
$ddl$
CREATE OR REPLACE VIEW %1$I.at_risk_of_downgrade AS
SELECT rating.customer_id,
       rating.tier,
       coalesce(tier.label, rating.tier) AS tier_label,
       coalesce(tier.label_zh, rating.tier) AS tier_label_zh,
       rating.tier_since,
       rating.tier_reason,
       coalesce(reason.label, rating.tier_reason) AS reason_label,
       coalesce(reason.label_zh, rating.tier_reason) AS reason_label_zh,
       rating.down_since AS failing_since,
       rating.down_runs AS failing_runs,
       rating.drops_on,
       rating.drops_on - %3$s AS days_left,
       rating.score,
       rating.score_to_stay,
       rating.amount_to_stay,
       rating.revenue,
       %4$s AS clv
  FROM %1$I.scored_rating AS rating
  %5$s
  LEFT JOIN %1$I.tier ON tier.code = rating.tier
  LEFT JOIN %2$s AS reason (reason, label, label_zh) ON reason.reason = rating.tier_reason
 WHERE rating.drops_on IS NOT NULL;
COMMENT ON VIEW %1$I.at_risk_of_downgrade IS 'who is failing and will drop if nothing changes: when, and what would save the tier';
$ddl$, schema, reasons, this_day, clv, published);
    PERFORM customer_tier.put_function(schema, 'at_risk_of_downgrade', 'until date',
        format('TABLE(customer_id %s, tier text, tier_label text, tier_label_zh text, tier_since date, tier_reason text, reason_label text, reason_label_zh text, failing_since date, failing_runs integer, drops_on date, days_left integer, score numeric, score_to_stay numeric, amount_to_stay numeric, revenue numeric, clv numeric)', key_type), attributes,
        format(E'\n    SELECT risk.* FROM %I.at_risk_of_downgrade AS risk WHERE risk.drops_on <= until\n', schema),
        'who will drop on a day or before it, of at_risk_of_downgrade');

    -- near_upgrade: everything that is missing has to be within its limit.  Who
    -- sent back too much misses something else.
    near := format(
$query$SELECT rating.customer_id,
       rating.tier,
       coalesce(tier.label, rating.tier) AS tier_label,
       coalesce(tier.label_zh, rating.tier) AS tier_label_zh,
       rating.tier_since,
       next.code AS next_tier,
       coalesce(higher.label, next.code) AS next_tier_label,
       coalesce(higher.label_zh, next.code) AS next_tier_label_zh,
       rating.score,
       rating.score_to_next_tier,
       rating.amount_to_next_tier,
       rating.tier_reason = 'waiting' AS is_waiting,
       rating.revenue,
       %3$s AS clv
  FROM %1$I.scored_rating AS rating
  %4$s
  JOIN (%2$s) AS next ON next.is_present AND next.tier_rank = rating.tier_rank + 1
  LEFT JOIN %1$I.tier ON tier.code = rating.tier
  LEFT JOIN %1$I.tier AS higher ON higher.code = next.code$query$, schema, known, clv, published);
    EXECUTE format(
$ddl$
CREATE OR REPLACE VIEW %1$I.near_upgrade AS
%2$s
 WHERE coalesce(rating.score_to_next_tier, rating.amount_to_next_tier) IS NOT NULL
   AND (rating.score_to_next_tier > (SELECT policy.near_score FROM %1$I.tier_policy AS policy)) IS NOT TRUE
   AND (rating.amount_to_next_tier > (SELECT policy.near_amount FROM %1$I.tier_policy AS policy)) IS NOT TRUE
   AND rating.tier_reason <> 'refunded';
COMMENT ON VIEW %1$I.near_upgrade IS 'who is within reach of the next tier: misses at most tier_policy.near_score points and at most near_amount, so far as either is missing (near_amount NULL = any amount)';
$ddl$, schema, near);
    PERFORM customer_tier.put_function(schema, 'near_upgrade', 'max_score numeric, max_amount numeric',
        format('TABLE(customer_id %s, tier text, tier_label text, tier_label_zh text, tier_since date, next_tier text, next_tier_label text, next_tier_label_zh text, score numeric, score_to_next_tier numeric, amount_to_next_tier numeric, is_waiting boolean, revenue numeric, clv numeric)', key_type), attributes,
        format(
$query$
%s
 WHERE coalesce(rating.score_to_next_tier, rating.amount_to_next_tier) IS NOT NULL
   AND (rating.score_to_next_tier > max_score) IS NOT TRUE
   AND (rating.amount_to_next_tier > max_amount) IS NOT TRUE
   AND rating.tier_reason <> 'refunded'
$query$, near),
        'who misses at most so many points of score, and at most such an amount (currency units), to the next tier, so far as either is missing; NULL = any');

    EXECUTE (SELECT string_agg(format('COMMENT ON COLUMN %I.%I.%I IS %L;', schema, c.view_name, c.column_name, c.explanation), E'\n')
               FROM customer_tier.tier_view_columns() c);
END
$$;
COMMENT ON FUNCTION customer_tier.create_tier_views(name) IS 'internal: the views about tiers of a program, and their functions for other days';

CREATE FUNCTION customer_tier.tier_view_columns() RETURNS TABLE (view_name name, column_name name, explanation text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES
        ('tiers'::name, 'tier_rank'::name, '1 = base tier; of a tier that is no more, the last rank it had'),
        ('tiers', 'tier', 'code of the tier'),
        ('tiers', 'tier_label', 'English label'),
        ('tiers', 'tier_label_zh', 'Chinese label'),
        ('tiers', 'colour', 'colour for pictures, #rrggbb'),
        ('tiers', 'members', 'customers in the tier'),
        ('tiers', 'share', 'their share of all customers, 0..1'),
        ('tiers', 'revenue', 'their revenue net of refunds, in currency units'),
        ('tiers', 'revenue_share', 'their share of all revenue'),
        ('tiers', 'average_score', 'mean score, 0..100, of those who have one'),
        ('tiers', 'clv', 'sum of clv, in currency units; NULL when nobody has one'),
        ('tiers', 'average_clv', 'mean clv of those who have one, in currency units'),
        ('tiers', 'members_before', 'customers in the tier on the day evaluated before; NULL when there was none'),
        ('tiers', 'change', 'members less members_before'),
        ('tier_migration', 'from_tier', 'code of the tier on the day evaluated before; NULL = came in since'),
        ('tier_migration', 'from_rank', 'its rank; of a tier that is no more, the last it had'),
        ('tier_migration', 'to_tier', 'code of the tier on the published day; NULL = left'),
        ('tier_migration', 'to_rank', 'its rank'),
        ('tier_migration', 'direction', 'up, down, same, entry or exit'),
        ('tier_migration', 'customers', 'how many'),
        ('tier_migration', 'share_of_from', 'their share of all who were in from_tier, 0..1; NULL for those who came in'),
        ('tier_migration', 'revenue', 'their revenue net of refunds up to the published day, in currency units; 0 for customers without orders any more'),
        ('tier_moves', 'customer_id', 'customer key, as in the source'),
        ('tier_moves', 'day', 'the day of the move'),
        ('tier_moves', 'previous_tier', 'code of the tier before; NULL when there was none'),
        ('tier_moves', 'tier', 'code of the tier since'),
        ('tier_moves', 'direction', 'up, down, same (the tier before is no more) or entry'),
        ('tier_moves', 'reason', 'why, as in tier_history'),
        ('tier_moves', 'reason_label', 'English label of the reason'),
        ('tier_moves', 'reason_label_zh', 'Chinese label of the reason'),
        ('tier_moves', 'score', 'score on that day, 0..100'),
        ('tier_moves', 'changed_by', 'rules, or who set the override'),
        ('tier_moves', 'is_correction', 'whether it stands in place of what an earlier run of the same day had said'),
        ('at_risk_of_downgrade', 'customer_id', 'customer key, as in the source'),
        ('at_risk_of_downgrade', 'tier', 'code of the tier that is about to be lost'),
        ('at_risk_of_downgrade', 'tier_label', 'English label of the tier'),
        ('at_risk_of_downgrade', 'tier_label_zh', 'Chinese label of the tier'),
        ('at_risk_of_downgrade', 'tier_since', 'first day in the tier'),
        ('at_risk_of_downgrade', 'tier_reason', 'why the tier is still there: hold, grace or period'),
        ('at_risk_of_downgrade', 'reason_label', 'English label of the reason'),
        ('at_risk_of_downgrade', 'reason_label_zh', 'Chinese label of the reason'),
        ('at_risk_of_downgrade', 'failing_since', 'first of the failing runs'),
        ('at_risk_of_downgrade', 'failing_runs', 'failing runs in a row'),
        ('at_risk_of_downgrade', 'drops_on', 'the day of the downgrade if nothing changes, with a run every day'),
        ('at_risk_of_downgrade', 'days_left', 'days from the published day to drops_on'),
        ('at_risk_of_downgrade', 'score', 'score 0..100'),
        ('at_risk_of_downgrade', 'score_to_stay', 'points of score missing to stay; NULL when points would not do'),
        ('at_risk_of_downgrade', 'amount_to_stay', 'revenue missing to stay, in currency units; NULL when revenue would not do'),
        ('at_risk_of_downgrade', 'revenue', 'revenue net of refunds, in currency units'),
        ('at_risk_of_downgrade', 'clv', 'clv, in currency units'),
        ('near_upgrade', 'customer_id', 'customer key, as in the source'),
        ('near_upgrade', 'tier', 'code of the tier'),
        ('near_upgrade', 'tier_label', 'English label of the tier'),
        ('near_upgrade', 'tier_label_zh', 'Chinese label of the tier'),
        ('near_upgrade', 'tier_since', 'first day in the tier'),
        ('near_upgrade', 'next_tier', 'code of the next tier'),
        ('near_upgrade', 'next_tier_label', 'English label of the next tier'),
        ('near_upgrade', 'next_tier_label_zh', 'Chinese label of the next tier'),
        ('near_upgrade', 'score', 'score 0..100'),
        ('near_upgrade', 'score_to_next_tier', 'points of score missing; 0 = none, NULL = an amount is missing'),
        ('near_upgrade', 'amount_to_next_tier', 'revenue missing, in currency units; NULL = none'),
        ('near_upgrade', 'is_waiting', 'whether the rule holds already and only time is missing (tier_policy.upgrade_confirm, upgrade_at)'),
        ('near_upgrade', 'revenue', 'revenue net of refunds, in currency units'),
        ('near_upgrade', 'clv', 'clv, in currency units')
$$;
COMMENT ON FUNCTION customer_tier.tier_view_columns() IS 'internal: the columns of the views about tiers, and what they mean';
