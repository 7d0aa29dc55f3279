# Real orders: the shares of tiers that the presets are made for, the same
# ratings whatever the order of the rows, and every column against plain SQL.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $data = data_dir();
my $node = server_start('program_real');

load_csv($node, 'cdnow', 'customer_id int, day date, cds int, amount numeric', "$data/cdnow_master_log.csv");
load_csv($node, 'shop', 'customer text, order_date date, revenue numeric', "$data/rfm_orders.csv");
$node->safe_psql(
	'postgres', q{
	SELECT customer_tier.create_program('music', 'cdnow', 'customer_id', 'day', 'amount');
	SELECT customer_tier.create_program('shop', 'shop', 'customer', 'order_date', 'revenue', schema => 'shop_ratings')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('music', '1998-06-30')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2006-12-31')});

sub shares
{
	my ($schema) = @_;
	return $node->safe_psql(
		'postgres', "SELECT string_agg(share::text, '/' ORDER BY tier_rank DESC)
		FROM (SELECT tier_rank, round(100.0 * count(*) / sum(count(*)) OVER ()) AS share FROM $schema.ratings GROUP BY tier_rank) t");
}

# ---- the preset 'standard'

is(shares('music'), '12/19/18/51', 'tiers of CDNOW');
is(shares('shop_ratings'), '7/20/34/39', 'tiers of rfm_orders');
is( $node->safe_psql('postgres', q{SELECT rows_read, rows_bad, customers, buyers, prospects, changed, newest_day FROM music.run}),
	'69659|0|23570|23570|0|23570|1998-06-30', 'the run of CDNOW');

# Every score is there, equal values have equal scores, and better values no worse ones.
foreach my $schema ('music', 'shop_ratings')
{
	is($node->safe_psql('postgres', "SELECT count(DISTINCT r_score), count(DISTINCT f_score), count(DISTINCT m_score) FROM $schema.ratings"),
		'5|5|5', "$schema: no score stays empty");
	is( $node->safe_psql(
			'postgres', "SELECT count(*) FROM (
			SELECT FROM $schema.ratings GROUP BY recency_days HAVING count(DISTINCT r_score) > 1
			UNION ALL SELECT FROM $schema.ratings GROUP BY orders HAVING count(DISTINCT f_score) > 1
			UNION ALL SELECT FROM $schema.ratings GROUP BY revenue HAVING count(DISTINCT m_score) > 1) t"),
		'0', "$schema: equal values have equal scores");
	is( $node->safe_psql(
			'postgres', "SELECT count(*) FROM (
			SELECT lag(r_score) OVER (ORDER BY recency_days DESC) > r_score AS worse FROM $schema.ratings
			UNION ALL SELECT lag(f_score) OVER (ORDER BY orders) > f_score FROM $schema.ratings
			UNION ALL SELECT lag(m_score) OVER (ORDER BY revenue) > m_score FROM $schema.ratings) t WHERE worse"),
		'0', "$schema: better values have no worse scores");
	is($node->safe_psql('postgres', "SELECT count(*) FROM $schema.ratings WHERE segment = 'champions' AND r_score < 5"), '0', "$schema: no lapsed champion");
}

# ---- the score in plain SQL, for everyone, at several days

foreach my $day ('1997-03-31', '1997-12-31', '1998-06-30')
{
	same_rows(
		$node,
		"SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, score, tier FROM music.rate('$day')",
		"SELECT customer_id, first_day, last_day, orders, purchase_days, revenue, score,
			CASE WHEN score >= 85 THEN 'platinum' WHEN score >= 65 THEN 'gold' WHEN score >= 40 THEN 'silver' ELSE 'bronze' END
		FROM (
			SELECT *, round((100 * (0.25 * count(*) OVER (ORDER BY last_day) / n
				+ 0.35 * (rank() OVER (ORDER BY orders) - 1) / n + 0.40 * (rank() OVER (ORDER BY revenue) - 1) / n))::numeric, 4) AS score
			FROM (
				SELECT customer_id, min(day) AS first_day, max(day) AS last_day, count(*) AS orders, count(DISTINCT day)::int AS purchase_days,
					sum(amount) AS revenue, (count(*) OVER ())::float8 AS n
				FROM cdnow WHERE day <= '$day' GROUP BY 1) c) s",
		"ratings of CDNOW as of $day");
}

# ---- neither the order of the rows nor the plan matters

my $before = $node->safe_psql('postgres', q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM shop_ratings.scored_rating r});
foreach my $shuffle (1 .. 3)
{
	$node->safe_psql(
		'postgres', "CREATE TABLE shuffled AS SELECT * FROM shop ORDER BY md5(shop::text || $shuffle);
		DROP TABLE shop; ALTER TABLE shuffled RENAME TO shop; ALTER TABLE shop SET (parallel_workers = $shuffle)");
	$node->safe_psql(
		'postgres', "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
		SET enable_hashagg = " . ($shuffle % 2 ? 'on' : 'off') . ";
		CALL customer_tier.refresh('shop', '2006-12-31')");
	is($node->safe_psql('postgres', 'SELECT changed FROM shop_ratings.run WHERE is_current'), '0', "shuffle $shuffle changes no rating");
}
is($node->safe_psql('postgres', q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM shop_ratings.scored_rating r}), $before, 'byte for byte');

# ---- the other presets, maps and measures publish what they should

$node->safe_psql(
	'postgres', q{
	SELECT customer_tier.create_program('vip', 'cdnow', 'customer_id', 'day', 'amount', preset => 'vip', segment_map => 'cn8');
	SELECT customer_tier.create_program('value', 'cdnow', 'customer_id', 'day', 'amount', preset => 'value', segment_map => 'klaviyo27',
		window_days => 180, monetary => 'average_order')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('vip', '1998-06-30')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('value', '1998-06-30')});
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT tier_label_zh, ' ') = 'VIP客户 普通客户 潜在客户' FROM vip.ratings}), 't', 'labels in Chinese');
same_rows(
	$node,
	'SELECT segment, count(*) FROM vip.ratings GROUP BY 1',
	q{SELECT CASE WHEN m THEN CASE WHEN r AND f THEN 'key_value' WHEN r THEN 'key_develop' WHEN f THEN 'key_keep' ELSE 'key_win_back' END
		ELSE CASE WHEN r AND f THEN 'general_value' WHEN r THEN 'general_develop' WHEN f THEN 'general_keep' ELSE 'general_win_back' END END, count(*)
	FROM (SELECT count(*) OVER () * r_score >= sum(r_score) OVER () AS r, count(*) OVER () * f_score >= sum(f_score) OVER () AS f,
		count(*) OVER () * m_score >= sum(m_score) OVER () AS m FROM vip.ratings) s GROUP BY 1},
	'cn8 compares with the means of all buyers');
is( $node->safe_psql(
		'postgres', q{SELECT count(*) FILTER (WHERE last_day <= '1998-01-01' AND (f_score > 1 OR m_score > 1 OR score > 25)),
		count(*) FILTER (WHERE last_day > '1998-01-01' AND f_score = 3) > 0, min(f_score), max(f_score) FROM value.ratings}),
	'0|t|1|3', 'who bought nothing in the window is at the bottom of F and M');

# ---- a foreign table as source

SKIP:
{
	skip 'postgres_fdw is not installed', 2
	  unless $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'});
	$node->safe_psql(
		'postgres', "CREATE EXTENSION postgres_fdw;
		CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '" . $node->host . "', port '" . $node->port . "', dbname 'postgres');
		CREATE USER MAPPING FOR CURRENT_USER SERVER loopback;
		CREATE FOREIGN TABLE far (customer text, order_date date, revenue numeric) SERVER loopback OPTIONS (table_name 'shop');
		SELECT customer_tier.create_program('far', 'far', 'customer', 'order_date', 'revenue', schema => 'far_ratings')");
	$node->safe_psql('postgres', q{CALL customer_tier.refresh('far', '2006-12-31')});
	same_rows($node, 'SELECT * FROM far_ratings.scored_rating', 'SELECT * FROM shop_ratings.scored_rating', 'a foreign table gives the same ratings');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM customer_tier.audit('far') WHERE rows IS NOT NULL}), '11', 'and can be audited');
}

# ---- audit of real data

is($node->safe_psql('postgres', q{SELECT rows, examples FROM customer_tier.audit('music') WHERE "check" = 'amount is zero'}),
	'80|{"10175, 1997-02-06, 0.0","9853, 1997-02-05, 0.0"}', 'the zeros of CDNOW');
like($node->safe_psql('postgres', q{SELECT action FROM customer_tier.audit('music') WHERE "check" LIKE 'first order%'}),
	qr/probably begins later/, 'CDNOW is a cohort of one quarter, and looks like a table cut off');

done_testing();
