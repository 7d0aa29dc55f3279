# Fits recover what was simulated: the truth lies within 95 % intervals about
# 95 % of the time, intervals of means and of counts cover what they say, and
# nothing diverges, from 20 customers to a million.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('recovery');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION customer_tier');

sub ask
{
	my ($query) = @_;
	return $node->safe_psql('postgres', "SET client_min_messages = error; $query");
}

my @truths = (
	[ 'bg/nbd', '{0.243, 4.414, 0.793, 2.426}' ],
	[ 'mbg/nbd', '{0.525, 6.183, 0.891, 1.614}' ],
	[ 'pareto/nbd', '{0.553, 10.578, 0.606, 11.669}' ],
	[ 'nbd', '{0.385, 12.07}' ],
	[ 'bg/bb', '{1.2, 0.75, 0.66, 2.8}' ],
	[ 'mbg/cnbd-2', '{1.33, 2.81, 0.425, 0.79}' ]);

# 60 replicates of 1,500 customers a model: all parameters taken together
for my $truth (@truths)
{
	my ($name, $params) = @$truth;
	my $stagger = $name eq 'bg/bb' ? 0 : 26;
	my ($fits, $ok, $cover, $mean, $count) = split /\|/, ask(qq{
		WITH simulated AS MATERIALIZED (
			SELECT seed, s.* FROM generate_series(1, 60) AS seed,
				LATERAL customer_tier.simulate_btyd('$name', '$params', 1500, 52, 26, seed, $stagger) AS s
		), fit AS MATERIALIZED (
			SELECT seed, customer_tier.clv_fit('$name', frequency, recency, age, 1, litt) AS f FROM simulated GROUP BY seed
		), probe AS (
			SELECT s.*, f, customer_tier.expected_purchases(customer_tier.clv_model('$name', '$params'), 26, frequency, recency, age) AS truth
			FROM simulated AS s JOIN fit USING (seed) WHERE customer_id <= 20
		)
		SELECT (SELECT count(*) FROM fit), (SELECT count(*) FROM fit WHERE f ->> 'status' = 'ok'),
			(SELECT avg((t BETWEEN i.lower AND i.upper)::int) FROM fit,
				unnest(array_remove(customer_tier.param_names(f), 'k'), '$params'::float8[]) AS u(p, t), customer_tier.param_interval(f, p) AS i),
			(SELECT avg((truth BETWEEN i.lower AND i.upper)::int)
				FROM probe, customer_tier.expected_purchases_interval(f, 0.95, 26, frequency, recency, age) AS i),
			(SELECT avg((future BETWEEN i.lower AND i.upper)::int)
				FROM probe, customer_tier.purchases_interval(f, 0.95, 26, frequency, recency, age) AS i)});
	is($ok, $fits, "$name: all fits end at an interior maximum");
	cmp_ok(abs($cover - 0.95), '<', 0.04, "$name: intervals of parameters cover the truth ($cover)");
	cmp_ok(abs($mean - 0.95), '<', 0.06, "$name: intervals of the mean cover the true mean ($mean)");
	# a count is whole: its interval covers at least its level
	cmp_ok($count, '>', 0.94, "$name: intervals of the count cover the count ($count)");
}

is( ask(q{WITH s AS (SELECT customer_id, frequency, customer_tier.simulate_spend('{6.25, 3.74, 15.44}', customer_id, frequency, seed) AS m, seed
				FROM generate_series(1, 60) AS seed, LATERAL customer_tier.simulate_btyd('nbd', '{1, 10}', 1500, 52, 0, seed) AS b),
			f AS (SELECT customer_tier.spend_fit(frequency, m) AS f FROM s GROUP BY seed)
		SELECT abs(avg((t BETWEEN i.lower AND i.upper)::int) - 0.95) < 0.04
		FROM f, unnest('{p,q,v}'::text[], '{6.25,3.74,15.44}'::float8[]) AS u(p, t), customer_tier.param_interval(f, p) AS i}),
	't', 'gamma-gamma: intervals of parameters cover the truth');

# Small and near-degenerate samples: an interior maximum, or said not to be one;
# a penalised fit and a pooled one always give a model.
is( ask(q{WITH s AS MATERIALIZED (SELECT seed, b.* FROM generate_series(1, 100) AS seed,
				LATERAL customer_tier.simulate_btyd('bg/nbd', '{0.243, 4.414, 0.793, 2.426}', 20, 39, 0, seed, 12) AS b)
		SELECT string_agg(DISTINCT status, ' ') FROM (SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age) ->> 'status' AS status FROM s GROUP BY seed) AS q}),
	'boundary ok', 'fits of 20 customers say what they are');
is( ask(q{WITH s AS MATERIALIZED (SELECT seed, b.* FROM generate_series(1, 100) AS seed,
				LATERAL customer_tier.simulate_btyd('bg/nbd', '{0.243, 4.414, 0.793, 2.426}', 20, 39, 0, seed, 12) AS b)
		SELECT string_agg(DISTINCT status, ' ') FROM (
			SELECT customer_tier.clv_fit('bg/nbd', frequency, recency, age, 1, 0, 1) ->> 'status' AS status FROM s GROUP BY seed
			UNION ALL SELECT customer_tier.clv_fit_pooled(customer_tier.clv_model('bg/nbd', '{0.243, 4.414, 0.793, 2.426}'), frequency, recency, age) ->> 'status' FROM s GROUP BY seed) AS q}),
	'ok', 'with a penalty, or pulled towards a pooled model, all are models');
is( ask(q{SELECT count(*) FROM (VALUES ('bg/nbd', '{200, 900, 0.8, 2.4}'::float8[]), ('bg/nbd', '{0.5, 5, 300, 900}'), ('bg/nbd', '{0.5, 5, 0.001, 3}'),
			('pareto/nbd', '{0.5, 10, 80, 4000}'), ('pareto/nbd', '{100, 900, 0.5, 10}'), ('bg/bb', '{200, 100, 0.5, 3}'), ('nbd', '{500, 900}')) AS v(name, params),
			LATERAL (SELECT customer_tier.clv_fit(name, frequency, recency, age) AS f FROM customer_tier.simulate_btyd(name, params, 1000, 39)) AS q,
			LATERAL (SELECT count(*) AS n, bool_and(param > 0 AND param < 1e12) AS finite FROM customer_tier.clv_params(f) AS p(name, param)) AS c
		WHERE f ->> 'status' IN ('ok', 'boundary') AND finite}),
	'7', 'near-degenerate truths do not make a fit diverge');

# A million customers: other programs return r = 3e25 here.
my ($r, $alpha, $a, $b, $rows) = split /\|/, ask(q{
	SELECT customer_tier.param(f, 'r'), customer_tier.param(f, 'alpha'), customer_tier.param(f, 'a'), customer_tier.param(f, 'b'), f -> 'data' ->> 'customers'
	FROM (SELECT customer_tier.clv_fit('bg/nbd', frequency, least(round(recency * 7), round(age * 7)) / 7, round(age * 7) / 7) AS f
		FROM customer_tier.simulate_btyd('bg/nbd', '{0.243, 4.414, 0.793, 2.426}', 1000000, 39, 0, 1, 12)) AS q});
is($rows, 1000000, 'a million customers');
cmp_ok(abs($r / 0.243 - 1), '<', 0.02, 'r of a million');
cmp_ok(abs($alpha / 4.414 - 1), '<', 0.02, 'alpha of a million');
cmp_ok(abs($a / 0.793 - 1), '<', 0.04, 'a of a million');
cmp_ok(abs($b / 2.426 - 1), '<', 0.04, 'b of a million');

$node->stop;
done_testing();
