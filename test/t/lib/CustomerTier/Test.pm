# What the TAP tests share: a server with the extension, real data, a
# comparison of two queries, and a plain-SQL oracle of what a purchase history
# answers.
package CustomerTier::Test;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(server_start data_dir load_csv same_rows install_oracle same_as_oracle);

# A running server with the extension in database postgres.
sub server_start
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	# What a refresh took is another number every time.
	$node->append_conf('postgresql.conf', "$_\n") for 'customer_tier.refresh_notices = off', @settings;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION customer_tier');
	return $node;
}

# The folder of the real data; skips the whole test where it is not.
sub data_dir
{
	my $shared = $ENV{CUSTOMER_TIER_SHARED} || '../shared';

	plan(skip_all => "no real data: there is no folder $shared/data (set CUSTOMER_TIER_SHARED)")
	  unless -d "$shared/data";
	require Cwd;
	return Cwd::abs_path("$shared/data");
}

# Create a table of a CSV file with a header line.
sub load_csv
{
	my ($node, $table, $columns, $file) = @_;

	$node->safe_psql('postgres', "CREATE TABLE $table ($columns)");
	$node->safe_psql('postgres', "COPY $table FROM '$file' (FORMAT csv, HEADER)");
	return;
}

# Two queries return the same rows, at least one, each as often: EXCEPT ALL
# both ways.
sub same_rows
{
	my ($node, $got, $expected, $name) = @_;
	my $pair = "WITH got AS MATERIALIZED ($got), expected AS MATERIALIZED ($expected)";
	my $result = $node->safe_psql(
		'postgres', "$pair
		SELECT count(*) > 0 AND (SELECT count(*) FROM expected) > 0,
			(SELECT count(*) FROM (TABLE got EXCEPT ALL TABLE expected) d),
			(SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE got) d) FROM got");
	my $same = is($result, 't|0|0', $name);

	diag($node->safe_psql(
			'postgres', "$pair
			(SELECT 'got', d::text FROM (TABLE got EXCEPT ALL TABLE expected) d LIMIT 5)
			UNION ALL
			(SELECT 'expected', d::text FROM (TABLE expected EXCEPT ALL TABLE got) d LIMIT 5)"))
	  unless $same;
	return $same;
}

# The oracle reads a table source (customer, day, amount) and knows nothing of
# purchase histories: what they answer has to be what SQL's own aggregates say
# of the rows.  Amounts are rounded to the 6 decimals that a history keeps.
sub install_oracle
{
	my ($node) = @_;

	$node->safe_psql(
		'postgres', q{
		CREATE VIEW oracle_rows AS
		SELECT customer, day, round(amount, 6) AS amount, round(amount, 6) >= 0 AS is_order
		FROM source WHERE day IS NOT NULL AND amount IS NOT NULL;

		CREATE FUNCTION oracle_sums(from_day date, to_day date)
		RETURNS TABLE (customer int, orders bigint, purchase_days int, revenue numeric,
			refunded numeric, first_day date, last_day date) LANGUAGE sql STABLE AS $$
		SELECT customer, count(*) FILTER (WHERE counts AND is_order),
			(count(DISTINCT day) FILTER (WHERE counts AND is_order))::int,
			coalesce(sum(amount) FILTER (WHERE counts), 0),
			coalesce(-sum(amount) FILTER (WHERE counts AND NOT is_order), 0),
			min(day) FILTER (WHERE counts AND is_order),
			max(day) FILTER (WHERE counts AND is_order)
		FROM (SELECT *, day BETWEEN from_day AND to_day AS counts FROM oracle_rows) r
		GROUP BY customer $$;

		CREATE FUNCTION oracle_days()
		RETURNS TABLE (customer int, day date, orders int, amount numeric) LANGUAGE sql STABLE AS $$
		SELECT customer, day, (count(*) FILTER (WHERE is_order))::int, sum(amount)
		FROM oracle_rows GROUP BY customer, day $$;

		CREATE FUNCTION oracle_btyd(as_of date, unit float8)
		RETURNS TABLE (customer int, frequency float8, recency float8, age float8,
			monetary float8, litt float8) LANGUAGE sql STABLE AS $$
		SELECT customer, count(*) - 1, (max(day) - min(day)) / unit, (as_of - min(day)) / unit,
			coalesce(avg(amount) FILTER (WHERE before IS NOT NULL), 0),
			coalesce(sum(ln((day - before) / unit)) FILTER (WHERE before IS NOT NULL), 0)
		FROM (
			SELECT customer, day, amount, lag(day) OVER (PARTITION BY customer ORDER BY day) AS before
			FROM (
				SELECT customer, day, sum(amount) AS amount
				FROM oracle_rows WHERE day <= as_of GROUP BY customer, day HAVING bool_or(is_order)) d) g
		GROUP BY customer $$});
	return;
}

# Every accessor of the histories in table history (customer, h), as of a day,
# says what the oracle says.
sub same_as_oracle
{
	my ($node, $as_of) = @_;
	my $day = "date '$as_of'";
	my $window = 90;

	# A quotient has as many decimals as numeric division gives it, at least 16
	# digits in all, and that depends on the scale: compare the first 12.
	my $digits = q{'9.99999999999EEEE'};

	same_rows(
		$node,
		"SELECT customer, customer_tier.orders(h, $day), customer_tier.purchase_days(h, $day),
			customer_tier.revenue(h, $day), customer_tier.refunded(h, $day),
			customer_tier.first_day(h, $day), customer_tier.last_day(h, $day)
		FROM history WHERE h IS NOT NULL",
		"SELECT * FROM oracle_sums('-infinity', $day)",
		"accessors as of $as_of");

	same_rows(
		$node,
		"SELECT customer, customer_tier.orders(p), customer_tier.purchase_days(p),
			customer_tier.revenue(p), customer_tier.refunded(p),
			customer_tier.first_day(p), customer_tier.last_day(p)
		FROM history, customer_tier.through(h, $day) p WHERE h IS NOT NULL",
		"SELECT * FROM oracle_sums('-infinity', $day)",
		"accessors of the history through $as_of");

	same_rows(
		$node,
		"SELECT customer, customer_tier.orders(p), customer_tier.purchase_days(p),
			customer_tier.revenue(p), customer_tier.refunded(p),
			customer_tier.first_day(p), customer_tier.last_day(p)
		FROM history, customer_tier.within(h, $day - 29, $day) p WHERE h IS NOT NULL",
		"SELECT * FROM oracle_sums($day - 29, $day)",
		"accessors of the history within the 30 days to $as_of");

	same_rows(
		$node,
		"SELECT customer, d.* FROM history, customer_tier.days(customer_tier.through(h, $day)) d
		UNION ALL SELECT NULL, NULL, NULL, NULL",
		"SELECT * FROM oracle_days() WHERE day <= $day UNION ALL SELECT NULL, NULL, NULL, NULL",
		"days through $as_of");

	same_rows(
		$node,
		"SELECT customer, recency, frequency, monetary, to_char(average_order, $digits)
		FROM history, customer_tier.rfm(h, $day) r WHERE h IS NOT NULL",
		"SELECT customer, $day - last_day, orders::int, revenue, to_char(revenue / nullif(orders, 0), $digits)
		FROM oracle_sums('-infinity', $day)",
		"rfm as of $as_of");

	same_rows(
		$node,
		"SELECT customer, first_day, last_day, recency_days, orders, purchase_days, revenue, refunded,
			to_char(average_order, $digits), window_orders, window_revenue
		FROM history, customer_tier.features(h, $day, $window) f WHERE h IS NOT NULL",
		"SELECT customer, a.first_day, a.last_day, $day - a.last_day, a.orders, a.purchase_days,
			a.revenue, a.refunded, to_char(a.revenue / nullif(a.orders, 0), $digits), w.orders, w.revenue
		FROM oracle_sums('-infinity', $day) a JOIN oracle_sums($day - $window + 1, $day) w USING (customer)",
		"features as of $as_of");

	# A quotient of two binary numbers is that of the decimals to the 15th digit.
	is( $node->safe_psql(
			'postgres', "
			SELECT count(f.refund_rate) = count(o.rate),
				count(*) FILTER (WHERE (abs(f.refund_rate - o.rate) <= 1e-14 * o.rate) IS NOT TRUE
					AND num_nonnulls(f.refund_rate, o.rate) > 0)
			FROM (SELECT customer, f.refund_rate FROM history, customer_tier.features(h, $day, $window) f WHERE h IS NOT NULL) f
			FULL JOIN (SELECT customer, (refunded / nullif(revenue + refunded, 0))::float8 AS rate
				FROM oracle_sums('-infinity', $day)) o USING (customer)"),
		't|0',
		"refund rates as of $as_of");

	# Floating sums depend on their order, so btyd is compared to 1e-9.
	foreach my $unit (1, 7, 30.4375)
	{
		is( $node->safe_psql(
				'postgres', "
				SELECT count(*) FILTER (WHERE o.frequency IS DISTINCT FROM b.frequency
						OR abs(o.recency - b.recency) > 1e-9 OR abs(o.age - b.age) > 1e-9
						OR abs(o.monetary - b.monetary) > 1e-9 * greatest(1, abs(o.monetary))
						OR abs(o.litt - b.litt) > 1e-9 * greatest(1, abs(o.litt))
						OR num_nulls(b.recency, b.age, b.monetary, b.litt) NOT IN (0, 4)),
					count(*) FILTER (WHERE h IS NOT NULL) = count(*)
				FROM (
					SELECT h, customer, b.* FROM history, customer_tier.btyd(h, $day, $unit) b
					WHERE h IS NOT NULL) b
				FULL JOIN oracle_btyd($day, $unit) o USING (customer)"),
			'0|t',
			"btyd as of $as_of in units of $unit days");
	}
	return;
}

1;
