# Customer lifetime value on real data: the optima, standard errors and holdout
# totals that papers and independent code give, through the histories' btyd().
use strict;
use warnings;

use Cwd;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $shared = $ENV{CUSTOMER_TIER_SHARED} || getcwd() . '/../shared';
plan skip_all => 'no real data: set CUSTOMER_TIER_SHARED' unless -d "$shared/data";

my $node = PostgreSQL::Test::Cluster->new('clv');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION customer_tier');

sub load
{
	my ($table, $columns, $file) = @_;
	$node->safe_psql('postgres', "CREATE TABLE $table ($columns)");
	$node->safe_psql('postgres', "\\copy $table from '$shared/data/$file' csv header");
}

sub ask
{
	my ($query) = @_;
	return $node->safe_psql('postgres', "SET client_min_messages = error; $query");
}

# A relative difference, absolute below 1.
sub near
{
	my ($got, $wanted, $tolerance, $name) = @_;
	my $scale = abs($wanted) > 1 ? abs($wanted) : 1;
	ok(defined $got && $got ne '' && abs($got - $wanted) <= $tolerance * $scale, $name)
		or diag("got $got, wanted $wanted");
}

load('cdnow', 'id int, x float8, t_x float8, t float8, m_x float8', 'cdnow_sample_summary.csv');
load('cdnow_log', 'customer_id int, master_id int, date date, cds int, amount numeric', 'cdnow_sample_log.csv');
load('holdout', 'id int, x float8, t_x float8, t float8, x_star float8, m_x float8', 'cdnow_sample_holdout.csv');
load('donations', 'frequency float8, recency float8, periods float8, weights float8', 'donations.csv');
load('cohort', 'segment text, year int, survivors int, use text', 'sbg_retention.csv');
load('grocery', 'cust int, date date', 'grocery_log.csv');
$node->safe_psql(
	'postgres', q{
	CREATE TABLE history AS SELECT customer_id, customer_tier.purchases(date, amount) AS history FROM cdnow_log GROUP BY 1;
	CREATE TABLE exact AS SELECT b.* FROM history AS h, customer_tier.btyd(h.history, '1997-09-30') AS b;
	CREATE TABLE grocery_exact AS SELECT b.* FROM (SELECT customer_tier.purchases(date, 1) AS h FROM grocery GROUP BY cust) AS g,
		customer_tier.btyd(g.h, '2006-12-31') AS b;
	CREATE TABLE fit (name text PRIMARY KEY, m customer_tier.clv_model);
	INSERT INTO fit SELECT k, customer_tier.clv_fit(k, x, t_x, t) FROM cdnow, unnest('{bg/nbd,mbg/nbd,pareto/nbd,nbd}'::text[]) AS k GROUP BY k;
	INSERT INTO fit SELECT 'gamma-gamma', customer_tier.spend_fit(x, m_x) FROM cdnow;
	INSERT INTO fit SELECT k || ' exact', customer_tier.clv_fit(k, frequency, recency, age) FROM exact, unnest('{bg/nbd,mbg/nbd,pareto/nbd}'::text[]) AS k GROUP BY k;
	INSERT INTO fit SELECT 'gamma-gamma exact', customer_tier.spend_fit(frequency, monetary) FROM exact;
	INSERT INTO fit SELECT 'bg/bb', customer_tier.clv_fit('bg/bb', frequency, recency, periods, weights) FROM donations;
	INSERT INTO fit SELECT segment, customer_tier.retention_fit(year, survivors) FROM cohort WHERE use = 'fit' GROUP BY segment;
	INSERT INTO fit SELECT k, customer_tier.clv_fit(k, frequency, recency, age, 1, litt) FROM grocery_exact,
		unnest('{bg/cnbd-2,mbg/cnbd-2,mbg/cnbd-k}'::text[]) AS k GROUP BY k;
});

is(ask(q{SELECT count(*) FROM fit WHERE m ->> 'status' = 'ok' AND m ->> 'converged' = 'true'}), '15', 'all fits end at an interior maximum');

# log-likelihood, parameters in the papers' order (k left out), standard errors
my %optimum = (
	'bg/nbd' => [ -9582.42556057, [ .242592908, 4.41353158, .792886254, 2.42575420 ], [ .012557315, .378221211, .185717645, .705340070 ] ],
	'mbg/nbd' => [ -9582.1326849, [ .52483805, 6.18299230, .89135615, 1.61399899 ], [ .083263271, .695593937, .154783443, .537464619 ] ],
	'pareto/nbd' => [ -9594.97392983, [ .553275546, 10.5776130, .606213549, 11.6679114 ], [ .047628809, .842723997, .187280753, 6.21106908 ] ],
	'nbd' => [ -9763.6602, [ .384767676, 12.0720849 ], [ .020985485, .808727183 ] ],
	'gamma-gamma' => [ -4055.9232435, [ 6.24880232, 3.74458842, 15.4477483 ], [ 1.18967201, .290163158, 4.15993974 ] ],
	'bg/nbd exact' => [ -9582.42921, [] ],
	'mbg/nbd exact' => [ -9582.13572, [] ],
	'pareto/nbd exact' => [ -9594.97618, [] ],
	'gamma-gamma exact' => [ -4055.91769, [ 6.249572, 3.744225, 15.443522 ] ],
	'bg/bb' => [ -33225.5812743, [ 1.20352225, .749716312, .656718226, 2.78344247 ], [ .069391043, .029447614, .051009506, .320816619 ] ],
	'regular' => [ -1680.26518846, [ .70407732, 1.18204306 ], [ .065598927, .152475544 ] ],
	'highend' => [ -1611.15814739, [ .668088255, 3.80609431 ], [ .10373465, .785529535 ] ],
	'bg/cnbd-2' => [ -15054.1729, [ .359064, 1.129380, .522821, 2.785451 ] ],
	'mbg/cnbd-2' => [ -14978.2107, [ 1.329175, 2.812551, .424709, .790029 ] ],
	'mbg/cnbd-k' => [ -14978.2107, [ 1.329175, 2.812551, .424709, .790029 ] ]);
for my $name (sort keys %optimum)
{
	my ($log_likelihood, $params, $errors) = @{ $optimum{$name} };
	my @rows = map { [ split /\|/ ] }
		split /\n/, ask(qq{SELECT p.name, p.estimate, p.std_error FROM fit, customer_tier.clv_params(m) AS p WHERE fit.name = '$name' AND p.name <> 'k'});

	# the published ones are rounded to 4 or 5 decimals
	near(ask(qq{SELECT customer_tier.log_likelihood(m) FROM fit WHERE name = '$name'}), $log_likelihood, 1e-8, "$name: log-likelihood");
	near($rows[$_][1], $params->[$_], 2e-6, "$name: $rows[$_][0]") for 0 .. $#$params;
	near($rows[$_][2], $errors->[$_], 2e-5, "$name: standard error of $rows[$_][0]") for 0 .. $#{ $errors || [] };
}
is(ask(q{SELECT customer_tier.param(m, 'k') FROM fit WHERE name = 'mbg/cnbd-k'}), '2', 'the search finds k = 2 for the grocery');
is(ask(q{SELECT round((customer_tier.aic(s.m) - customer_tier.aic(f.m))::numeric, 6) FROM fit AS s, fit AS f WHERE s.name = 'mbg/cnbd-k' AND f.name = 'mbg/cnbd-2'}),
	'2.000000', 'and counts as a parameter');

# totals of the 39 weeks that follow
my %total = ('bg/nbd' => [ 1653.4232792, 1917.2763538 ], 'mbg/nbd' => [ 1576.73567916, undef ], 'pareto/nbd' => [ 1665.53426655, 1051.87891596 ]);
for my $name (sort keys %total)
{
	my ($purchases, $alive) = split /\|/,
		ask(qq{SELECT sum(customer_tier.expected_purchases(m, 39, x, t_x, t)), sum(customer_tier.p_alive(m, x, t_x, t)) FROM cdnow, fit WHERE name = '$name'});
	near($purchases, $total{$name}[0], 1e-6, "$name: expected purchases of 39 weeks");
	near($alive, $total{$name}[1], 1e-6, "$name: expected number alive") if defined $total{$name}[1];
}
near(ask(q{SELECT sum(weights * customer_tier.expected_purchases(m, 5, frequency, recency, periods)) FROM donations, fit WHERE name = 'bg/bb'}),
	12884.1568505, 1e-6, 'bg/bb: expected donations of 5 years');
near(ask(q{SELECT 1000 * customer_tier.survival(m, 12) FROM fit WHERE name = 'highend'}), 377.999087541, 1e-6, 'sbg: survivors of year 12');

# cohorts pooled as renewals and losses are the same cohort
is( ask(q{SELECT bool_and(m -> 'params' = r -> 'params') FROM fit,
		LATERAL (SELECT customer_tier.retention_fit(year, survivors, before - survivors) AS r
			FROM (SELECT *, lag(survivors) OVER (ORDER BY year) AS before FROM cohort WHERE use = 'fit' AND segment = fit.name) AS c
			WHERE before IS NOT NULL) AS p
		WHERE name IN ('regular', 'highend')}),
	't', 'retention_fit(period, renewed, lost) agrees with retention_fit(period, survivors)');

# backtest and comparison
my ($customers, $actual, $predicted, $mae, $rmse, $weeks, $last, $classes) = split /\|/,
	ask(q{SELECT b.customers, b.actual, b.predicted, b.mae, b.rmse, jsonb_array_length(b.tracking), b.tracking -> -1 ->> 'predicted',
			(SELECT sum((c ->> 'customers')::float8) FROM jsonb_array_elements(b.calibration) AS c)
		FROM customer_tier.clv_backtest('history', '1997-09-30', 273, 'bg/nbd') AS b});
is($customers, 2357, 'backtest: customers');
is($actual, 1882, 'backtest: actual purchases');
near($predicted, 1653.41, 1e-4, 'backtest: predicted purchases');
near($mae, 0.785456, 1e-5, 'backtest: mae');
near($rmse, 1.608007, 1e-4, 'backtest: rmse');
is($weeks, 39, 'backtest: a week a row of the tracking');
near($last, $predicted, 1e-9, 'backtest: the tracking ends at the total');
is($classes, 2357, 'backtest: everyone is in a class of the calibration');
is(ask(q{SELECT b.actual = (SELECT sum(x_star) FROM holdout) FROM customer_tier.clv_backtest('history', '1997-09-30', 273) AS b}),
	't', 'backtest: the actual purchases are those of the published holdout');
is(ask(q{SELECT string_agg(model, ' ') FROM customer_tier.clv_compare('history', '1997-09-30', 273, '{nbd,pareto/nbd,bg/nbd,mbg/nbd}')}),
	'mbg/nbd bg/nbd pareto/nbd nbd', 'comparison by the score of the holdout');
is(ask(q{SELECT string_agg(model, ' ') FROM customer_tier.clv_compare(ARRAY(SELECT m FROM fit WHERE name IN ('bg/nbd', 'mbg/nbd', 'pareto/nbd', 'nbd')))}),
	'mbg/nbd bg/nbd pareto/nbd nbd', 'comparison by bic');
my ($ret, $out, $err) = $node->psql('postgres',
	q{SELECT * FROM customer_tier.clv_compare(ARRAY(SELECT m FROM fit WHERE name IN ('bg/nbd', 'mbg/nbd exact')))});
like($err, qr/models of different data cannot be compared/, 'models of different data are refused');

($ret, $out, $err) = $node->psql('postgres', q{SELECT * FROM customer_tier.clv_backtest('history', '1997-09-30', 0)});
like($err, qr/horizon_days must not be 0/, 'backtest: a horizon of nothing is refused');
($ret, $out, $err) = $node->psql('postgres', q{SELECT * FROM customer_tier.clv_backtest('history', '1990-01-01', 90)});
like($err, qr/there is nothing to fit a model to/, 'backtest: before the first purchase there is nothing');
is(ask(q{SELECT fitted ->> 'status', customers FROM customer_tier.clv_backtest('history', '1997-01-01', 90)}),
	'no_maximum|', 'backtest: a day on which nobody has bought again has no model');

# Interval of the mean is not one of the count: it covers next to nobody's count.
my ($mean, $count) = split /\|/,
	ask(q{SELECT avg((x_star BETWEEN e.lower AND e.upper)::int), avg((x_star BETWEEN c.lower AND c.upper)::int)
		FROM holdout, fit, customer_tier.expected_purchases_interval(m, 0.95, 39, x, t_x, t) AS e,
			customer_tier.purchases_interval(m, 0.95, 39, x, t_x, t) AS c WHERE fit.name = 'bg/nbd'});
cmp_ok($mean, '<', 0.02, 'the interval of the mean covers few counts');
cmp_ok($count, '>', 0.93, 'the interval of the count covers nearly all');

# A long fit can be cancelled, and the session goes on.
$node->safe_psql('postgres', q{
	CREATE TABLE many AS SELECT frequency, recency, age FROM customer_tier.simulate_btyd('pareto/nbd', '{1.2, 5, 0.8, 9}', 200000, 104, 0, 1, 100)});
($ret, $out, $err) = $node->psql('postgres',
	q{SET statement_timeout = '300ms'; SELECT customer_tier.clv_fit('pareto/nbd', frequency, recency, age) FROM many});
like($err, qr/canceling statement due to statement timeout/, 'a fit can be cancelled');
is(ask(q{SELECT customer_tier.clv_fit('nbd', frequency, recency, age) ->> 'status' FROM many}), 'ok', 'and another one runs');

$node->stop;
done_testing();
