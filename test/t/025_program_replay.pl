# Tiers over past days of real orders: CDNOW month by month from 1997-03 to
# 1998-06, with and without hysteresis and grace, against the machine run by
# refreshes and against counts in plain SQL.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $data = data_dir();
my $node = server_start('program_replay');

load_csv($node, 'cdnow', 'customer_id int, day date, cds int, amount numeric', "$data/cdnow_master_log.csv");
$node->safe_psql('postgres', q{SELECT customer_tier.create_program('music', 'cdnow', 'customer_id', 'day', 'amount', purchase_model => 'none')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('music', '1997-03-31')});

# ---- without hysteresis: tiers are what the score of the day says, in plain SQL

$node->safe_psql(
	'postgres', q{
	CREATE TABLE month AS SELECT (date '1997-03-31' + n * interval '1 month')::date AS day FROM generate_series(0, 15) n;
	CREATE TABLE scored AS
	SELECT s.customer_id::text AS customer_id, m.day, s.score,
		CASE WHEN s.score >= 85 THEN 'platinum' WHEN s.score >= 65 THEN 'gold' WHEN s.score >= 40 THEN 'silver' ELSE 'bronze' END AS tier
	FROM month m, LATERAL (
		SELECT *, round((100 * (0.25 * count(*) OVER (ORDER BY last_day) / n
			+ 0.35 * (rank() OVER (ORDER BY orders) - 1) / n + 0.40 * (rank() OVER (ORDER BY revenue) - 1) / n))::numeric, 4) AS score
		FROM (
			SELECT customer_id, max(day) AS last_day, count(*) AS orders, sum(amount) AS revenue, (count(*) OVER ())::float8 AS n
			FROM cdnow WHERE day <= m.day GROUP BY 1) c) s;
	CREATE TABLE nothing_kept AS SELECT * FROM customer_tier.replay('music', '1997-03-31', '1998-06-30', changes => '{"policy": {"delta": 0}}')});
same_rows(
	$node,
	'SELECT customer_id, valid_from, valid_to, tier, score, previous_tier FROM nothing_kept',
	q{SELECT customer_id, day, lead(day) OVER w, tier, score, lag(tier) OVER w
	FROM (SELECT *, lag(tier) OVER (PARTITION BY customer_id ORDER BY day) AS before FROM scored) s
	WHERE tier IS DISTINCT FROM before
	WINDOW w AS (PARTITION BY customer_id ORDER BY day)},
	'without hysteresis a replay follows the scores');

# ---- flapping, as docs/replay.md has it

sub tuned
{
	my ($grid, $days) = @_;
	return $node->safe_psql(
		'postgres', "SELECT string_agg(reversals_per_customer_year::text, ' ' ORDER BY n)
		FROM customer_tier.tune_policy('music', '1997-03-31', '1998-06-30', grid => '$grid', reversal_days => $days) WITH ORDINALITY
			AS t (setting, customers, customer_years, moves, moves_per_customer_year, upgrades, downgrades, reversals, reversals_per_customer_year, members, n)");
}

is(tuned('{"delta": [0, 5, 8]}', 90), '0.1953 0.0399 0.0157', 'reversals within 90 days a customer and year, by delta');
is(tuned('{"delta": [0, 5, 8]}', 92), '0.2345 0.0663 0.0237', 'reversals within three monthly runs, by delta');
is(tuned('{"delta": 5, "grace_days": [0, 30, 60, 90]}', 90), '0.0399 0.0208 0.0173 0.0124', 'by days of grace');
is(tuned('{"delta": 5, "downgrade_confirm": [1, 2, 3]}', 90), '0.0399 0.0216 0.0173', 'by runs to confirm a fall');
is( $node->safe_psql(
		'postgres', q{SELECT customers, customer_years, moves, upgrades, downgrades, reversals FROM customer_tier.tune_policy('music', '1997-03-31', '1998-06-30', grid => '{"delta": 0}')}),
	$node->safe_psql(
		'postgres', q{SELECT count(DISTINCT customer_id), round(sum(date '1998-06-30' - valid_from) FILTER (WHERE previous_tier IS NULL) / 365.25, 2), count(previous_tier),
			count(*) FILTER (WHERE up > 0), count(*) FILTER (WHERE up < 0), count(*) FILTER (WHERE up * up_before < 0 AND valid_from - came <= 90)
		FROM (SELECT *, lag(up) OVER w AS up_before, lag(valid_from) OVER w AS came
			FROM (SELECT *, tier_rank - lag(tier_rank) OVER (PARTITION BY customer_id ORDER BY valid_from) AS up FROM nothing_kept) u
			WINDOW w AS (PARTITION BY customer_id ORDER BY valid_from)) c}),
	'counts are those of the rows');

# ---- refreshed month by month, with shares, sums over days, grace and changes of the rules

$node->safe_psql(
	'postgres', q{
	SELECT customer_tier.drop_program('music');
	SELECT customer_tier.create_program('music', 'cdnow', 'customer_id', 'day', 'amount', purchase_model => 'none');
	UPDATE music.tier_policy SET delta = 5, hold_days = 60, grace_days = 30, downgrade_confirm = 2, downgrade_at = 'quarter', one_level = true, grandfather = true;
	UPDATE music.tier SET min_score = NULL, entry = '[{"share": 0.05}, {"revenue": {"at_least": 500, "days": 180}}]' WHERE code = 'platinum';
	INSERT INTO music.tier_change (valid_from, changes) VALUES ('1997-10-15', '{"tiers": {"gold": {"min_score": 70}}, "policy": {"downgrade_at": "run"}}')});
$node->safe_psql('postgres', "CALL customer_tier.refresh('music', '$_')") foreach split /\n/, $node->safe_psql('postgres', 'SELECT day FROM month ORDER BY day');
same_rows(
	$node,
	q{SELECT * FROM customer_tier.replay('music', '1997-03-31', '1998-06-30')},
	'SELECT customer_id::text, valid_from, valid_to, tier, tier_rank, reason, score, previous_tier FROM music.tier_history',
	'a replay is what refreshes wrote');

# ---- suggestions

is( $node->safe_psql(
		'postgres', q{SELECT bool_and((tier_shares->>'platinum')::numeric BETWEEN 0.048 AND 0.05 AND (tier_shares->>'gold')::numeric BETWEEN 0.148 AND 0.15), count(*), count(DISTINCT changes->'tiers'),
			(array_agg(reversals_per_customer_year ORDER BY proposal))[1] = min(reversals_per_customer_year)
		FROM customer_tier.suggest_tiers('music', '{"platinum": 0.05, "gold": 0.15}')}),
	't|8|1|t', 'thresholds for wanted shares');

# ---- a session that is asked to stop does

my ($result, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '300ms'; SELECT count(*) FROM customer_tier.replay('music', '1997-03-31', '1998-06-30', '1 day')});
like($err, qr/canceling statement due to statement timeout/, 'a replay can be cancelled');

done_testing();
