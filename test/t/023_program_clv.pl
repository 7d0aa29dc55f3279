# Lifetime value of real customers through a program: the published fits, totals
# and holdout of the CDNOW sample, and the same from the whole order table.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $data = data_dir();
my $node = server_start('program_clv');

load_csv($node, 'sample', 'customer_id int, master_id int, day date, cds int, amount numeric', "$data/cdnow_sample_log.csv");
load_csv($node, 'holdout', 'id int, x int, t_x float8, t float8, x_star int, m_x float8', "$data/cdnow_sample_holdout.csv");
$node->safe_psql('postgres', q{SELECT customer_tier.create_program('music', 'sample', 'customer_id', 'day', 'amount', purchase_model => 'mbg/nbd', horizon_days => 273)});

sub query { return $node->safe_psql('postgres', $_[0]); }

# ---- the published optimum

query(q{CALL customer_tier.refresh('music', '1997-09-30')});
is( query(q{SELECT kind, name, status, customers, repeaters, penalty, round(log_likelihood::numeric, 5) FROM music.model ORDER BY model_id}),
	"purchase|mbg/nbd|ok|2357|946|0|-9582.13572\nspend|gamma-gamma|ok|2357|946|0|-4055.91769",
	'CDNOW on exact days: the log-likelihoods');
is( query(q{SELECT abs(customer_tier.param(fitted, 'p') / 6.249572 - 1) < 1e-4, abs(customer_tier.param(fitted, 'q') / 3.744225 - 1) < 1e-4,
		abs(customer_tier.param(fitted, 'v') / 15.443522 - 1) < 1e-4, round(correlation::numeric, 2) FROM music.model WHERE kind = 'spend'}),
	't|t|t|0.21', 'the parameters of spend, and its correlation with frequency');
is(query(q{SELECT round(sum(expected_purchases), 1), count(clv) FROM music.ratings}), '1576.7|2357', 'the predicted 39 weeks');
is( query(q{SELECT count(*) FROM music.ratings r JOIN holdout h ON h.id = r.customer_id, music.model m
		WHERE m.kind = 'purchase' AND r.expected_purchases <> round(customer_tier.expected_purchases(m.fitted, 39, h.x, h.t_x, h.t)::numeric, 4)}),
	'0', 'each customer as the model says from the published summary');

# ---- other models through the settings

foreach my $model ([ 'bg/nbd', '-9582.42921', '1653.4' ], [ 'pareto/nbd', '-9594.97618', '1665.5' ])
{
	query("UPDATE music.settings SET purchase_model = '$model->[0]'");
	query(q{CALL customer_tier.refresh('music', '1997-09-30')});
	is( query(q{SELECT name, round(log_likelihood::numeric, 5), (SELECT round(sum(expected_purchases), 1) FROM music.ratings)
			FROM music.model WHERE kind = 'purchase' AND is_current}),
		join('|', @$model), "$model->[0]: log-likelihood and predicted 39 weeks");
}
query(q{UPDATE music.settings SET purchase_model = 'auto'});
query(q{CALL customer_tier.refresh('music', '1997-09-30')});
is( query(q{SELECT name, (SELECT string_agg(key, ' ' ORDER BY (value->>'bic')::float8) FROM jsonb_each(compared)) FROM music.model WHERE kind = 'purchase' AND is_current}),
	'mbg/nbd|mbg/nbd mbg/cnbd-k pareto/nbd', 'auto keeps mbg/nbd, which has the least bic');

# ---- the holdout, as the ledger has it

query(q{UPDATE music.settings SET purchase_model = 'mbg/nbd'});
query(q{CALL customer_tier.fit('music', '1997-09-30')});
my ($status, $out, $err) = $node->psql('postgres', q{CALL customer_tier.refresh('music', '1998-06-30')});
is($status, 0, 'a refresh nine months later');
like($err, qr/WARNING:  mbg\/nbd as of 1997-09-30 missed the purchases of [0-9] of 9 months: 1882 from 1997-10-01 to 1998-06-30, it had expected 1577/,
	'warns that the holdout went beyond the interval');
is( query(q{SELECT count(*), sum(actual_purchases), round(sum(purchases), 1), bool_or(purchases_alarm) FROM music.calibration
		WHERE model_id = (SELECT max(model_id) FROM music.model WHERE as_of = '1997-09-30' AND kind = 'purchase') AND decile IS NULL AND scored_at IS NOT NULL}),
	'9|1882|1576.7|t', 'the ledger: the holdout of all, expected and actual');
is( query(q{SELECT (SELECT sum(amount) FROM sample WHERE day BETWEEN '1997-10-01' AND '1998-06-30') = sum(actual_revenue)
		FROM music.calibration WHERE model_id = 1 AND decile IS NULL}),
	't', 'and its revenue');
same_rows($node, q{SELECT customer_id, p_alive, p_active, expected_purchases, expected_spend, clv FROM music.ratings},
	q{SELECT r.customer_id, r.p_alive, r.p_active, r.expected_purchases, r.expected_spend, r.clv
	FROM music.run, music.rate(run.as_of, run.run_id) r WHERE run.is_current},
	'the ratings are those of their run');

# ---- where the customers are as the model says, its intervals hold: Poisson
# purchases at exponentially distributed rates, without dropout

query(q{
	CREATE FUNCTION uniform(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS
	$$ SELECT ((('x' || substr(md5(seed), 1, 8))::bit(32)::bigint & 2147483647) + 0.5) / 2147483648 $$;
	CREATE TABLE simulated AS
	SELECT customer_id, date '2022-01-01' + (customer_id % 180 + floor(at))::int AS day, 20 + (customer_id * 31 + n * 17) % 50 AS amount
	FROM (SELECT customer_id, n, sum(CASE WHEN n = 0 THEN 0 ELSE -ln(uniform(customer_id || 'gap' || n)) / rate END) OVER (PARTITION BY customer_id ORDER BY n) AS at
		FROM (SELECT customer_id, -ln(uniform('rate' || customer_id)) / 100 AS rate FROM generate_series(1, 2500) customer_id) c, generate_series(0, 100) n) purchase
	WHERE at < 1200});
query(q{SELECT customer_tier.create_program('steady', 'simulated', 'customer_id', 'day', 'amount', purchase_model => 'nbd')});
query(q{CALL customer_tier.refresh('steady', '2023-06-30')});
query(q{CALL customer_tier.refresh('steady', '2024-06-30')});
my ($scored, $alarms, $totals) = split /\|/,
  query(q{SELECT count(*), count(*) FILTER (WHERE purchases_alarm), count(*) FILTER (WHERE purchases_alarm AND decile IS NULL) FROM steady.calibration WHERE model_id = 1 AND scored_at IS NOT NULL});
is($scored, '132', 'a year ahead: everything is scored');
cmp_ok($alarms, '<=', 13, 'few totals lie outside of their 95 % intervals');
cmp_ok($totals, '<=', 2, 'nor do those of all customers');

done_testing();
