-- The state machine of tiers, what-if and replay, on the customers of refresh.sql.

\set serial 'SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = ''256MB''; '

SELECT customer_tier.create_program('tiered', source => 'public.orders', customer => 'customer_id',
	at => 'ordered_at', amount => 'amount', time_zone => 'UTC', purchase_model => 'none');
UPDATE tiered.tier SET min_score = NULL, entry = '[{"revenue": {"at_least": 2000, "days": 365}, "orders": 4, "segment": ["champions", "loyal"]}, {"share": 0.05}]', stay = '[{"score": 80}, {"share": 0.07}]', benefit_cost = 100 WHERE code = 'platinum';
UPDATE tiered.tier SET min_score = NULL, entry = '[{"score": 65}, {"revenue": {"at_least": 1500, "days": 365}, "recency_days": {"at_most": 90}}]', benefit_cost = 30 WHERE code = 'gold';
UPDATE tiered.tier_policy SET grace_days = 30, hold_days = 60, upgrade_confirm = 2, downgrade_confirm = 2, downgrade_at = 'month', one_level = true,
	revoke_on_refund = true, grandfather = true, tie_break = '{revenue}';
CALL customer_tier.refresh('tiered', '2024-10-31');
CALL customer_tier.refresh('tiered', '2024-11-30');

-- What the machine is given on the next day, put down once.
CREATE UNLOGGED TABLE machine AS
	SELECT score, orders, first_day, segment, tier_state,
		ARRAY[revenue::float8, orders::float8, recency_days::float8, 0.0, 0.0, 0.0, revenue::float8] AS measures
	FROM (SELECT r.*, date '2024-11-30' - r.last_day AS recency_days FROM tiered.rate('2024-11-30', (SELECT max(run_id) FROM tiered.run)) r) r;
CREATE TABLE book AS SELECT customer_tier.rule_book('tiered', NULL, '{"revenue 365","orders","recency_days","refund_rate","refunded_since","earned_amount","revenue"}') AS rules;
CREATE FUNCTION book() RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT rules || ''{}'' FROM public.book';
CREATE TABLE places AS
	SELECT customer_tier.tier_best((SELECT book()), score, orders, measures) AS best FROM machine;
ALTER TABLE places ADD seats float8[];
UPDATE places SET seats = (SELECT customer_tier.tier_seats((SELECT book()), '2024-12-31', '2024-11-30', score, orders, first_day, segment, measures, tier_state, NULL::text, false, (SELECT best FROM places)) FROM machine);
VACUUM ANALYZE machine;

INSERT INTO bench.topic VALUES
	('machine', 11, 'One evaluation of everybody''s tier', 'wall',
	 'tier_move() for each customer, all rules and all of the policy at work: score, share with tie-break, revenue of 365 days, segment, stay rules; confirm, hold, grace, month ends, revocation, older terms. What it is given lies in a table, which is read beside it. With a share the best are found and seats shared out first.'),
	('whatif', 12, 'What-if', 'wall', 'simulate_matrix() with another threshold and another delta, of the same program, against rate() of the same day.'),
	('replay', 13, 'Two years again', 'wall', 'replay() of 24 month ends, from the stored histories; tune_policy() with four policies over the same days runs the machine four times and the ratings once.');
INSERT INTO bench.cases (topic, side, variant, settings, query) VALUES
	('machine', 'reading what it is given', 'serial', :'serial', 'SELECT count(score), count(tier_state), count(measures) FROM machine'),
	('machine', 'tier_move()', 'serial', :'serial',
	 'SELECT count((m).tier) FROM (SELECT customer_tier.tier_move((SELECT book()), ''2024-12-31'', ''2024-11-30'', score, orders, first_day, segment, measures, tier_state, NULL, false, (SELECT seats FROM places)) AS m FROM machine OFFSET 0) t'),
	('machine', 'tier_best()', 'serial', :'serial', 'SELECT cardinality(customer_tier.tier_best((SELECT book()), score, orders, measures)) FROM machine'),
	('machine', 'tier_seats()', 'serial', :'serial',
	 'SELECT cardinality(customer_tier.tier_seats((SELECT book()), ''2024-12-31'', ''2024-11-30'', score, orders, first_day, segment, measures, tier_state, NULL::text, false, (SELECT best FROM places))) FROM machine'),
	('whatif', 'rate()', 'serial', :'serial', 'SELECT count(tier) FROM tiered.rate(''2024-11-30'')'),
	('whatif', 'simulate_matrix()', 'serial', :'serial',
	 'SELECT count(*) FROM customer_tier.simulate_matrix(''tiered'', ''{"tiers": {"silver": {"min_score": 45}}, "policy": {"delta": 8}}'')'),
	('replay', 'replay(), 24 months', 'serial', :'serial', 'SELECT count(*) FROM customer_tier.replay(''tiered'', ''2023-01-31'', ''2024-12-31'', ''1 month'')'),
	('replay', 'tune_policy(), 4 policies', 'serial', :'serial',
	 'SELECT count(*) FROM customer_tier.tune_policy(''tiered'', ''2023-01-31'', ''2024-12-31'', ''1 month'', ''{"delta": [0, 8], "grace_days": [0, 30]}'')'),
	('replay', 'points() alone, 24 times', 'serial', :'serial',
	 'SELECT sum(n) FROM generate_series(date ''2023-01-31'' + 1, ''2025-01-01'', ''1 month'') d, LATERAL (SELECT count(r.coverage) AS n FROM tiered.points((d - interval ''1 day'')::date) r) x');
INSERT INTO bench.ratio VALUES
	('whatif', 1, 'simulate_matrix()', 'whatif', 'rate()', 2.0);
