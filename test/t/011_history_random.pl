# Purchase histories of random rows, the same on every run: ties, refunds on the
# day and later, customers who gave everything back, rows out of order, NULLs,
# years before Christ, amounts of any number of decimals, and 1 to 100,000 rows a
# customer.  What comes out equals plain SQL, survives text and binary form, and
# merges in any order.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $node = server_start('history_random');

# uniform(i): below 1, from the server's hash, so that it is the same in
# every version.  Each customer is of a kind, by the number: see the CASEs.
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION uniform(i bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
		'SELECT (hashint8extended(i, salt) & 4503599627370495) / 4503599627370496.0::float8';

	CREATE TABLE draw AS
	SELECT customer, n, uniform(customer * 1000000::bigint + n, 1) AS u1,
		uniform(customer * 1000000::bigint + n, 2) AS u2, uniform(customer * 1000000::bigint + n, 3) AS u3,
		uniform(customer * 1000000::bigint + n, 4) AS u4
	FROM generate_series(1, 3000) customer,
		generate_series(1, CASE customer WHEN 10 THEN 100000 WHEN 11 THEN 10000 WHEN 12 THEN 10000
			WHEN 13 THEN 1000 WHEN 14 THEN 1000 WHEN 15 THEN 33 WHEN 16 THEN 32 WHEN 17 THEN 31
			ELSE 1 + floor(30 * uniform(customer, 0))::int END) n;

	CREATE TABLE source (customer int, day date, amount numeric);
	INSERT INTO source
	SELECT customer,
		CASE WHEN u4 < 0.02 THEN NULL
			WHEN customer IN (11, 13) THEN date '1990-01-01' + floor(12000 * u1)::int
			WHEN customer % 10 = 1 THEN date '4713-01-01 BC' + floor(1721400 * u1)::int
			WHEN customer % 10 = 2 THEN date '5874897-12-31' - floor(60 * u1)::int
			WHEN customer % 10 = 3 THEN date '4714-11-24 BC' + floor(400 * u1)::int
			WHEN customer % 10 = 4 THEN date '2023-06-01'
			ELSE date '2023-05-01' + floor(90 * u1)::int END,
		CASE WHEN u4 > 0.98 OR customer % 100 = 50 THEN NULL
			WHEN customer % 100 = 51 THEN -round((100 * u2)::numeric, 2)
			WHEN customer % 100 = 52 THEN round((9e24 * (u2 - 0.1))::numeric) + round(u1::numeric, 6)
			WHEN customer % 100 = 53 THEN round((1e13 * (u2 - 0.1))::numeric, 4)
			WHEN customer % 30 = 5 THEN round((100 * u2)::numeric, customer % 9)
			WHEN u3 < 0.04 THEN 0
			WHEN u3 < 0.2 THEN -round((50 * u2)::numeric, customer % 9)
			WHEN u3 < 0.5 THEN floor(5 * u2)
			ELSE round((1000 * u2 * u2)::numeric, customer % 9) END
	FROM draw ORDER BY uniform(n * 3001::bigint + customer, 5);
	-- these gave back all they bought, on the day or later
	INSERT INTO source
	SELECT customer, CASE WHEN customer % 2 = 0 THEN day ELSE day + 3 END, -amount
	FROM source WHERE customer % 30 = 5 AND amount > 0;
	-- edges of rounding
	INSERT INTO source SELECT 3001, '2023-06-01', a FROM unnest(ARRAY[0.0000005, 0.00000049, -0.0000005,
		-0.00000049, 0.0000015, 999999999999.9999995, -999999999999.9999995, 0.9999995, 1e-20, 0.00000100,
		99999999999999999999999999999999.999999, 12345678.90120000, 10000, 100000000, 0.0001, 0.00010000]) a;
	CREATE TABLE history AS
	SELECT customer, customer_tier.purchases(day, amount) AS h FROM source GROUP BY customer});
install_oracle($node);

# The data are what the heading promises.
is( $node->safe_psql(
		'postgres', q{
		SELECT count(DISTINCT customer), max(n) = 100000,
			(SELECT count(*) > 1000 FROM source WHERE amount < 0),
			(SELECT count(*) > 500 FROM source WHERE day IS NULL OR amount IS NULL),
			(SELECT count(*) > 1000 FROM source WHERE day < '0001-01-01'),
			(SELECT max(scale(amount)) >= 7 FROM source),
			(SELECT count(*) > 50 FROM history WHERE customer_tier.revenue(h) = 0 AND customer_tier.orders(h) > 0),
			(SELECT count(*) > 20 FROM history WHERE customer_tier.orders(h) = 0)
		FROM draw}),
	'3000|t|t|t|t|t|t|t',
	'the random rows hold what they should');

# ---- equal to plain SQL

same_rows(
	$node,
	'SELECT customer, customer_tier.orders(h), customer_tier.purchase_days(h), customer_tier.revenue(h),
		customer_tier.refunded(h), customer_tier.first_day(h), customer_tier.last_day(h)
	FROM history WHERE h IS NOT NULL',
	q{SELECT * FROM oracle_sums('-infinity', 'infinity')},
	'accessors of everything');
same_as_oracle($node, $_)
  for ('4713-06-30 BC', '0001-03-01 BC', '2023-05-31', '2023-06-01', '2023-07-29', '5874897-12-31');
is( $node->safe_psql(
		'postgres', q{
		SET search_path = public, customer_tier;
		SELECT count(*) > 2000,
			count(*) FILTER (WHERE orders(h, 'infinity') <> orders(h) OR revenue(h, 'infinity') <> revenue(h)
				OR through(h, 'infinity') <> h OR within(h, '-infinity', 'infinity') <> h),
			count(*) FILTER (WHERE orders(h, '-infinity') <> 0 OR revenue(h, '-infinity') <> 0
				OR last_day(h, '-infinity') IS NOT NULL OR through(h, '-infinity') <> '{}')
		FROM history WHERE h IS NOT NULL}),
	't|0|0',
	'as of infinity is everything, as of -infinity nothing');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) > 20, count(h) FROM history WHERE customer NOT IN (SELECT customer FROM oracle_rows)}),
	't|0',
	'a group without a usable row has no history');
is( $node->safe_psql(
		'postgres', q{
		SELECT customer_tier.purchases(day, amount) IS NULL,
			(customer_tier.purchases_checked(day, amount)) IS NULL FROM source WHERE false}),
	't|t',
	'no rows, no history');
same_rows(
	$node,
	'SELECT customer, (c).history, (c).rows, (c).bad FROM (
		SELECT customer, customer_tier.purchases_checked(day, amount) AS c FROM source GROUP BY customer) c',
	'SELECT customer, h, count(*), count(*) FILTER (WHERE day IS NULL OR amount IS NULL)
	FROM source JOIN history USING (customer) GROUP BY customer, h',
	'purchases_checked() counts the rows that it leaves out');

# ---- the overloads agree

my $plain = 'SELECT customer, customer_tier.purchases(day, amount) AS h FROM source
	WHERE day < \'20000-01-01\' GROUP BY customer';
same_rows($node, $plain =~ s/\(day,/(day::text,/r, $plain, 'a day in text is the day');
same_rows($node, $plain =~ s/\(day,/(day + time '23:59:59.999999',/r,
	$plain, 'a timestamp is the day it falls on');
same_rows(
	$node,
	$plain =~ s/\(day, amount\)/((day + time '12:00') AT TIME ZONE 'Asia\/Tokyo', amount, 'Asia\/Tokyo')/r,
	$plain,
	'a timestamptz is the day it falls on in the zone');

my $cents = 'SELECT customer, customer_tier.purchases(day, round(amount, 2)) AS h
	FROM source WHERE abs(amount) < 1e12 GROUP BY customer';
same_rows($node, $cents =~ s/round\(amount, 2\)/round(amount, 2)::float8/r,
	$cents, 'double precision is the decimal that it shows');
my $whole = $cents =~ s/round\(amount, 2\)/round(amount)/r;
same_rows($node, $whole =~ s/round\(amount\)/round(amount)::bigint/r, $whole, 'bigint is exact');
my $small = 'SELECT customer, customer_tier.purchases(day, round(amount)) AS h
	FROM source WHERE abs(amount) < 30000 GROUP BY customer';
foreach my $type ('integer', 'smallint', 'float4')
{
	same_rows($node, $small =~ s/round\(amount\)/round(amount)::$type/r, $small, "$type is exact");
}
same_rows(
	$node, q{
	SELECT customer, customer_tier.purchases(day, amount::float8) AS h
	FROM source WHERE abs(amount) < 1e22 GROUP BY customer}, q{
	SELECT customer, customer_tier.purchases(day, amount::float8::text::numeric) AS h
	FROM source WHERE abs(amount) < 1e22 GROUP BY customer},
	'double precision with any number of decimals');

# Time zones with and without daylight saving, whole hours and odd ones, changes
# of the clock at midnight, a day left out (Apia, 2011-12-30): over centuries, and
# around every change of some years.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE moment AS
	SELECT (uniform(i, 6) * 50)::int AS k, timestamptz '1800-01-01 UTC' + uniform(i, 7) * interval '500 years' AS at
	FROM generate_series(1, 20000) i
	UNION ALL
	SELECT 51, timestamptz '2010-12-01 UTC' + i * interval '30 minutes' - just_before * interval '1 microsecond'
	FROM generate_series(1, 40000) i, generate_series(0, 1) just_before});
foreach my $zone ('UTC', 'Asia/Shanghai', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia',
	'Africa/Casablanca', 'Asia/Kathmandu', 'Europe/Dublin', 'America/St_Johns', 'America/Havana',
	'Asia/Beirut')
{
	same_rows(
		$node, qq{
		SELECT k, d.day, d.orders FROM (
			SELECT k, customer_tier.purchases(at, 1::numeric, '$zone') AS h FROM moment GROUP BY k) g,
			customer_tier.days(h) d},
		qq{SELECT k, (at AT TIME ZONE '$zone')::date, count(*)::int FROM moment GROUP BY 1, 2},
		"days in zone $zone");
}

# ---- text and binary form

same_rows($node, 'SELECT customer, h::text::customer_tier.purchase_history FROM history WHERE h IS NOT NULL',
	'SELECT customer, h FROM history WHERE h IS NOT NULL', 'text and back');
same_rows($node, 'SELECT customer, h::text::customer_tier.purchase_history::text FROM history WHERE h IS NOT NULL',
	'SELECT customer, h::text FROM history WHERE h IS NOT NULL', 'text and back, as text');
my $file = $node->basedir . '/history.copy';
foreach my $format ('text', 'csv', 'binary')
{
	$node->safe_psql(
		'postgres', "
		COPY history TO '$file' (FORMAT $format);
		CREATE TABLE copied_$format (LIKE history);
		COPY copied_$format FROM '$file' (FORMAT $format)");
	same_rows($node, "SELECT * FROM copied_$format", 'SELECT * FROM history', "COPY $format and back");
}
same_rows(
	$node,
	'SELECT customer, count(*) FROM (SELECT customer, h::text FROM history WHERE h IS NOT NULL) t GROUP BY customer, h',
	'SELECT customer, 1::bigint FROM history WHERE h IS NOT NULL',
	'one text each');

# ---- merging

# Histories of a split of the rows by an expression of "s".
sub parts
{
	my ($split) = @_;

	return "SELECT customer, $split AS part, customer_tier.purchases(day, amount) AS h
		FROM source s GROUP BY customer, part";
}
my $all = 'SELECT customer, h FROM history WHERE h IS NOT NULL';

foreach my $order ('part', 'part DESC', 'md5(part::text)')
{
	same_rows(
		$node,
		"SELECT * FROM (SELECT customer, customer_tier.rollup(h ORDER BY $order) AS h FROM ("
		  . parts('(ctid::text::point)[1]::int % 7')
		  . ') p GROUP BY customer) r WHERE h IS NOT NULL',
		$all,
		"rollup of seven parts, by $order");
}
same_rows(
	$node,
	'SELECT * FROM (SELECT customer, customer_tier.rollup(h) AS h FROM (' . parts('day') . ') p GROUP BY customer) r
	WHERE h IS NOT NULL',
	$all,
	'rollup of a part a day');

$node->safe_psql(
	'postgres', '
	CREATE TABLE third AS
	SELECT customer, customer_tier.rollup(h) FILTER (WHERE part = 0) AS a, customer_tier.rollup(h) FILTER (WHERE part = 1) AS b,
		customer_tier.rollup(h) FILTER (WHERE part = 2) AS c
	FROM (' . parts('(ctid::text::point)[1]::int % 3') . ') p GROUP BY customer');
is( $node->safe_psql(
		'postgres', q{
		SET search_path = public, customer_tier;
		SELECT count(*) > 2000, count(*) FILTER (WHERE a + b <> b + a),
			count(*) FILTER (WHERE (a + b) + c <> a + (b + c)),
			count(*) FILTER (WHERE a + b + c <> h),
			count(*) FILTER (WHERE a + '{}' <> a)
		FROM third JOIN history USING (customer) WHERE num_nulls(a, b, c) = 0}),
	't|0|0|0|0',
	'merging is commutative and associative, and {} is its zero');
foreach my $day ('0001-01-01 BC', '2023-06-01', '2023-06-15')
{
	is( $node->safe_psql(
			'postgres', qq{
			SET search_path = public, customer_tier;
			SELECT count(*) > 0,
				count(*) FILTER (WHERE through(h, '$day') + within(h, date '$day' + 1, 'infinity') <> h)
			FROM history}),
		't|0',
		"a history is what lies through $day and what lies after");
}

# ---- = and its friends

is( $node->safe_psql(
		'postgres', '
		SELECT count(*) FROM (SELECT DISTINCT h FROM history WHERE h IS NOT NULL) d'),
	$node->safe_psql(
		'postgres', q{
		SELECT count(DISTINCT t) FROM (
			SELECT customer, string_agg(concat_ws(' ', day, orders, gross, refunded), ',' ORDER BY day) AS t
			FROM (
				SELECT customer, day, count(*) FILTER (WHERE is_order) AS orders,
					trim_scale(coalesce(sum(amount) FILTER (WHERE is_order), 0)) AS gross,
					trim_scale(coalesce(sum(amount) FILTER (WHERE NOT is_order), 0)) AS refunded
				FROM oracle_rows GROUP BY customer, day) d
			GROUP BY customer) t}),
	'histories are equal when their days are');
is( $node->safe_psql(
		'postgres', q{
		SET enable_hashjoin = off; SET enable_nestloop = off;
		SELECT count(*) FROM history a JOIN history b ON a.h OPERATOR(customer_tier.=) b.h}),
	$node->safe_psql(
		'postgres', q{
		SET enable_mergejoin = off; SET enable_nestloop = off;
		SELECT count(*) FROM history a JOIN history b ON a.h OPERATOR(customer_tier.=) b.h}),
	'a merge join finds the pairs that a hash join finds');

done_testing();
