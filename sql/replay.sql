-- Tiers over past days: replay(), tune_policy() and suggest_tiers().
SET client_min_messages = warning;
SET search_path = public, customer_tier;

-- ---- a shop with everything that moves tiers: refunds, overrides, changes of
-- ---- rules, terms that stay, shares and capacities

CREATE TABLE orders AS
SELECT order_id, customer_id, ordered_at, amount FROM demo_orders(400, 500, 5)
UNION ALL
-- refunds of some orders, whole ones and parts, some days later
SELECT -order_id, customer_id, ordered_at + make_interval(days => 3 + (order_id % 40)::int), -amount * CASE WHEN order_id % 3 = 0 THEN 0.5 ELSE 1 END
  FROM demo_orders(400, 500, 5)
 WHERE order_id % 7 = 0;
CREATE TABLE people AS SELECT c AS id, 'person ' || c AS name FROM generate_series(1, 420) c;
CREATE TABLE surveys AS
SELECT c AS customer_id, date '2024-01-01' + (c % 300)::int AS answered_on, (c * 7) % 11 AS nps FROM generate_series(1, 300) c;

SELECT create_program('club', source => 'public.orders', customer => 'customer_id', at => 'ordered_at', amount => 'amount', time_zone => 'UTC',
                      customers => 'public.people', customers_key => 'id', purchase_model => 'none');
SELECT set_scorecard('club', '[{"feature": "recency", "weight": 1}, {"feature": "frequency", "weight": 1}, {"feature": "monetary", "weight": 2},
    {"name": "nps", "relation": "public.surveys", "column": "nps", "key": "customer_id", "day": "answered_on", "method": "linear", "parameters": {"low": 0, "high": 10}, "weight": 0.5}]');

-- Days to be refreshed: irregular on purpose.
CREATE TABLE day AS
SELECT d::date AS day, row_number() OVER (ORDER BY d) AS n
  FROM generate_series(date '2024-03-10', '2024-12-20', '13 days') d;
CREATE FUNCTION refresh_all(program text) RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    d date;
BEGIN
    FOR d IN SELECT day FROM day ORDER BY n LOOP
        CALL customer_tier.refresh(program, d);
    END LOOP;
END $$;
CREATE FUNCTION days() RETURNS date[] LANGUAGE sql STABLE AS 'SELECT array_agg(day ORDER BY n) FROM public.day';

-- what refreshes wrote against what a replay says, both ways
CREATE FUNCTION differences(program text, schema name) RETURNS TABLE (side text, customer_id text, valid_from date, valid_to date, tier text, tier_rank int, reason text, score numeric, previous_tier text)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
    'WITH written AS (SELECT h.customer_id::text, h.valid_from, h.valid_to, h.tier, h.tier_rank, h.reason, h.score, h.previous_tier FROM %I.tier_history h),
          replayed AS MATERIALIZED (SELECT * FROM customer_tier.replay_days($1, public.days()))
     (SELECT ''written'', d.* FROM (TABLE written EXCEPT ALL TABLE replayed) d)
     UNION ALL
     (SELECT ''replayed'', d.* FROM (TABLE replayed EXCEPT ALL TABLE written) d)', schema) USING program;
END $$;

UPDATE club.tier_policy SET upgrade_confirm = 1, hold_days = 20, downgrade_confirm = 2, grace_days = 20, revoke_on_refund = true, grandfather = true, one_level = true, tie_break = '{revenue}';
UPDATE club.tier SET min_score = NULL, entry = '[{"share": 0.1, "orders": 2}, {"revenue": {"at_least": 900, "days": 120}}]' WHERE code = 'platinum';
UPDATE club.tier SET min_score = NULL, entry = '[{"capacity": 90}, {"segment": "champions"}]' WHERE code = 'gold';
INSERT INTO club.tier_change (valid_from, changes) VALUES
    ('2024-05-20', '{"policy": {"delta": 8, "downgrade_at": "month"}}'),
    ('2024-07-15', '{"tiers": {"silver": {"min_score": 45}, "gold": {"entry": {"capacity": 70}}}}'),
    ('2024-09-01', '{"tiers": {"gold": {"stay": {"score": 40}}}, "policy": {"downgrade_at": "run", "hold_days": 0, "upgrade_at": "month"}}'),
    ('2024-10-15', '{"policy": {"upgrade_at": "run", "upgrade_confirm": 2, "max_refund_rate": 0.5}}');
INSERT INTO club.tier_override (customer_id, tier, reason, lock, valid_from, valid_to) VALUES
    (3, 'gold', 'a friend', false, '2024-04-01', '2024-08-01'), (4, 'platinum', 'the owner', true, '2024-01-01', 'infinity'),
    (5, 'bronze', 'a dispute', true, '2024-06-01', '2024-09-01'), (410, 'silver', 'a guest', false, '2024-06-01', '2024-09-01'),
    (3, 'platinum', 'a better friend', false, '2024-07-01', '2024-07-20');
SELECT refresh_all('club');
SELECT reason, count(*) FROM club.tier_history GROUP BY reason ORDER BY reason;
SELECT * FROM differences('club', 'club');
