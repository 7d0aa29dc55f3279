# Purchase histories of real orders: CDNOW against the published summaries and
# against plain SQL.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $data = data_dir();
my $node = server_start('history_real');

# ---- CDNOW, the 1/10 sample: the summaries that the papers use

load_csv($node, 'sample', 'customer int, master int, day date, cds int, amount numeric',
	"$data/cdnow_sample_log.csv");
load_csv($node, 'holdout', 'id int, x int, t_x float8, t float8, x_star int, m_x float8',
	"$data/cdnow_sample_holdout.csv");
$node->safe_psql(
	'postgres', q{
	CREATE TABLE sample_history AS
	SELECT customer, customer_tier.purchases(day, amount) AS h FROM sample GROUP BY customer;
	CREATE VIEW sample_btyd AS
	SELECT customer, b.* FROM sample_history, customer_tier.btyd(h, '1997-09-30') b});

is( $node->safe_psql(
		'postgres', q{
		SELECT count(*), count(*) FILTER (WHERE b.frequency = x),
			count(*) FILTER (WHERE abs(b.recency - t_x) < 1e-9),
			count(*) FILTER (WHERE abs(b.age - t) < 1e-9),
			count(*) FILTER (WHERE abs(b.monetary - m_x) < 0.005)
		FROM sample_btyd b FULL JOIN holdout ON id = customer}),
	'2357|2357|2357|2357|2357',
	'CDNOW sample to 1997-09-30: x, t_x, T and m_x of every customer');
is( $node->safe_psql(
		'postgres', q{
		SELECT sum(frequency), count(*) FILTER (WHERE frequency > 0),
			count(*) FILTER (WHERE frequency = 0 AND monetary <> 0) FROM sample_btyd}),
	'2457|946|0',
	'CDNOW sample to 1997-09-30: repeat purchases and repeat buyers');
is( $node->safe_psql(
		'postgres', q{
		SELECT sum(days), count(*) FILTER (WHERE days <> x_star)
		FROM (
			SELECT customer, customer_tier.purchase_days(
				customer_tier.within(h, '1997-10-01', '1998-06-30')) AS days
			FROM sample_history) s JOIN holdout ON id = customer}),
	'1882|0',
	'CDNOW sample, the 39 weeks after: repeat purchase days of every customer');

# ---- CDNOW, all customers: every accessor as plain SQL has it

load_csv($node, 'source', 'customer int, day date, cds int, amount numeric',
	"$data/cdnow_master_log.csv");
install_oracle($node);
$node->safe_psql(
	'postgres', q{
	CREATE TABLE history AS
	SELECT customer, customer_tier.purchases(day, amount) AS h FROM source GROUP BY customer});

is( $node->safe_psql(
		'postgres',
		'SELECT count(*), sum(customer_tier.orders(h)), min(customer_tier.first_day(h)),
			max(customer_tier.last_day(h)) FROM history'),
	'23570|69659|1997-01-01|1998-06-30',
	'CDNOW master: customers, orders and days');
same_rows(
	$node,
	'SELECT customer, customer_tier.orders(h), customer_tier.purchase_days(h), customer_tier.revenue(h),
		customer_tier.refunded(h), customer_tier.first_day(h), customer_tier.last_day(h) FROM history',
	q{SELECT * FROM oracle_sums('-infinity', 'infinity')},
	'CDNOW master: accessors of everything');
same_as_oracle($node, $_)
  for ('1996-12-31', '1997-01-01', '1997-02-14', '1997-09-30', '1998-06-30', '2024-02-29');

done_testing();
