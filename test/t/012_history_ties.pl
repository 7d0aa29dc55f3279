# Orders with heavy ties: how the rows lie, and in how many parts the histories
# are made, changes no history and no score; equal values have equal scores.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $data = data_dir();
my $node = server_start('history_ties');

load_csv($node, 'tied', 'customer text, day date, amount numeric', "$data/rfm_orders.csv");
$node->safe_psql(
	'postgres', q{
	CREATE TABLE tied_history AS
	SELECT customer, customer_tier.purchases(day, amount) AS h FROM tied GROUP BY customer});
my $as_of = q{date '2006-12-31'};

# R, F and M scores of a query (customer, h).
sub scores
{
	my ($histories) = @_;

	return "WITH feature AS MATERIALIZED (
			SELECT customer, recency::float8 AS r, frequency::float8 AS f, monetary::float8 AS m
			FROM ($histories) h, customer_tier.rfm(h, $as_of)),
		cut AS (
			SELECT customer_tier.quantile_cuts(r, 5) AS r, customer_tier.quantile_cuts(f, 5) AS f,
				customer_tier.quantile_cuts(m, 5) AS m FROM feature)
		SELECT customer, 6 - customer_tier.score(v.r, cut.r), customer_tier.score(v.f, cut.f),
			customer_tier.score(v.m, cut.m), v.r, v.f, v.m FROM feature v, cut";
}

# Histories of the same rows, made in other ways.
my %other = (
	'rows in another order' => q{
		SELECT customer, customer_tier.purchases(day, amount) AS h
		FROM (SELECT * FROM tied ORDER BY md5(customer || day || amount) OFFSET 0) t GROUP BY customer},
	'each row a history of its own, rolled up' => q{
		SELECT customer, customer_tier.rollup(h) AS h FROM (
			SELECT customer, customer_tier.purchases(day, amount) AS h
			FROM tied GROUP BY customer, ctid) t GROUP BY customer},
	'a history a year, rolled up' => q{
		SELECT customer, customer_tier.rollup(h ORDER BY year DESC) AS h FROM (
			SELECT customer, extract(year FROM day) AS year, customer_tier.purchases(day, amount) AS h
			FROM tied GROUP BY customer, year) t GROUP BY customer});

foreach my $way (sort keys %other)
{
	same_rows($node, $other{$way}, 'SELECT * FROM tied_history', "rfm_orders, $way: same histories");
	same_rows($node, scores($other{$way}), scores('SELECT * FROM tied_history'),
		"rfm_orders, $way: same scores");
}
$node->append_conf('postgresql.conf', $_ . "\n")
  for ('parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0',
	'parallel_leader_participation = off');
$node->reload;
my $parallel = 'SELECT customer, customer_tier.purchases(day, amount) AS h FROM tied GROUP BY customer';
like($node->safe_psql('postgres', "EXPLAIN $parallel"),
	qr/Finalize.*Gather.*Partial/s, 'rfm_orders, parallel: the plan aggregates in parts');
same_rows($node, $parallel, 'SELECT * FROM tied_history', 'rfm_orders, parallel: same histories');
same_rows($node, scores($parallel), scores('SELECT * FROM tied_history'),
	'rfm_orders, parallel: same scores');
is( $node->safe_psql(
		'postgres', '
		WITH s (customer, r_score, f_score, m_score, r, f, m) AS (' . scores('SELECT * FROM tied_history') . ')
		SELECT count(*), (SELECT count(*) FROM (SELECT FROM s GROUP BY r HAVING count(DISTINCT r_score) > 1) d),
			(SELECT count(*) FROM (SELECT FROM s GROUP BY f HAVING count(DISTINCT f_score) > 1) d),
			(SELECT count(*) FROM (SELECT FROM s GROUP BY m HAVING count(DISTINCT m_score) > 1) d) FROM s'),
	'995|0|0|0',
	'rfm_orders: equal values have equal scores');

# The ties are there: what NTILE makes of the same frequencies hangs on the order
# of the rows.
$node->safe_psql(
	'postgres', q{
	CREATE VIEW tile AS
	SELECT frequency, ntile(5) OVER (ORDER BY frequency, md5(customer)) AS one,
		ntile(5) OVER (ORDER BY frequency, md5(customer || '2')) AS other
	FROM tied_history, customer_tier.rfm(h, '2006-12-31')});
is( $node->safe_psql(
		'postgres', q{
		SELECT sum(n) FILTER (WHERE tiles > 1), (SELECT count(*) BETWEEN 150 AND 300 FROM tile WHERE one <> other)
		FROM (SELECT count(*) AS n, count(DISTINCT one) AS tiles FROM tile GROUP BY frequency) f}),
	'600|t',
	'rfm_orders: NTILE gives 600 customers another score than their equals, and changes with the order of rows');

done_testing();
