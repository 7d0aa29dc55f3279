# Orders on two shards, read through postgres_fdw: the shards build the
# histories and only these travel, whether the orders are partitioned by the
# customer or by time; a shard that is down costs nothing but the refresh.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @shards = eval { map { server_start($_) } ('shard_1', 'shard_2') };
my $failure = $@;
my $coordinator = eval { server_start('coordinator') };
plan(skip_all => "three servers cannot be made here: " . ($failure || $@)) unless @shards == 2 && $coordinator;
plan(skip_all => 'postgres_fdw is not installed')
  unless $coordinator->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'});

# ---- the shards: orders by customer, by month, and lines of orders

my $columns = 'customer_id bigint, at timestamptz, amount numeric, margin numeric, order_id int';
foreach my $shard (@shards)
{
	$shard->safe_psql('postgres', "CREATE TABLE orders ($columns); CREATE TABLE orders_of_month ($columns)");
}

# ---- the coordinator; it keeps a copy of all orders to compare with

$coordinator->safe_psql('postgres', 'CREATE EXTENSION postgres_fdw');
foreach my $n (1, 2)
{
	my ($host, $port) = ($shards[ $n - 1 ]->host, $shards[ $n - 1 ]->port);
	$coordinator->safe_psql(
		'postgres', "
		CREATE SERVER shard_$n FOREIGN DATA WRAPPER postgres_fdw
			OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'customer_tier', fetch_size '10000');
		CREATE USER MAPPING FOR CURRENT_USER SERVER shard_$n");
}
$coordinator->safe_psql(
	'postgres', "
	CREATE TABLE all_orders ($columns);
	INSERT INTO all_orders
	SELECT n * 7919 % 701, timestamptz '2024-01-01 00:00+00' + n * interval '97 minutes', (n * 104729 % 9973 - 400) / 100.0,
		CASE WHEN n % 5 > 0 THEN n % 50 / 100.0 END, n / 1500
	FROM generate_series(1, 4000) n;
	-- bad rows, and rows without a customer, on both shards
	INSERT INTO all_orders VALUES (NULL, '2024-01-05 12:00+00', 1), (NULL, '2024-04-05 12:00+00', 1), (3, '2024-01-05 12:00+00', 'NaN'),
		(4, '2024-04-05 12:00+00', NULL), (5, NULL, 9), (9001, '2024-03-05 12:00+00', NULL);
	INSERT INTO all_orders VALUES (6, '2024-02-05 12:00+00', 9, 7);

	CREATE TABLE orders ($columns) PARTITION BY HASH (customer_id);
	CREATE FOREIGN TABLE orders_1 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER shard_1 OPTIONS (table_name 'orders');
	CREATE FOREIGN TABLE orders_2 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER shard_2 OPTIONS (table_name 'orders');
	INSERT INTO orders TABLE all_orders;

	CREATE TABLE orders_by_time ($columns) PARTITION BY RANGE (at);
	CREATE FOREIGN TABLE \"Orders 1\" PARTITION OF orders_by_time FOR VALUES FROM (MINVALUE) TO ('2024-03-01 00:00+00') SERVER shard_1 OPTIONS (table_name 'orders_of_month');
	CREATE FOREIGN TABLE orders_t2 PARTITION OF orders_by_time FOR VALUES FROM ('2024-03-01 00:00+00') TO ('2024-06-01 00:00+00') SERVER shard_2 OPTIONS (table_name 'orders_of_month');
	CREATE TABLE orders_t3 PARTITION OF orders_by_time FOR VALUES FROM ('2024-06-01 00:00+00') TO (MAXVALUE);
	CREATE TABLE orders_t0 PARTITION OF orders_by_time DEFAULT;
	INSERT INTO orders_by_time TABLE all_orders;
	CREATE VIEW large_orders AS SELECT * FROM orders WHERE amount > 20;
	CREATE VIEW all_large_orders AS SELECT * FROM all_orders WHERE amount > 20");

# A program on the shards, and the same on the copy; remote is what both know.
sub create_both
{
	my ($name, $source, $copy, $options) = @_;

	foreach my $pair ([ $name, $source ], [ "${name}_copy", $copy ])
	{
		$coordinator->safe_psql('postgres', "SELECT customer_tier.create_program('$pair->[0]', '$pair->[1]', 'customer_id', 'at', 'amount', time_zone => 'Asia/Shanghai', max_bad_share => 1 $options)");
		$coordinator->safe_psql('postgres', "CALL customer_tier.refresh('$pair->[0]', '2024-09-30')");
	}
	return;
}

# The plan of source_history() as it is planned there.
sub plan_of
{
	my ($name) = @_;

	return $coordinator->safe_psql(
		'postgres', qq{
		SET enable_partitionwise_aggregate = on;
		CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY EXECUTE ''EXPLAIN (VERBOSE, COSTS OFF) '' || query; END';
		SELECT pg_temp.plan(prosrc) FROM pg_proc WHERE oid = '$name.source_history()'::regprocedure});
}

sub remote_sql
{
	my ($plan) = @_;
	return $plan =~ /Remote SQL: (.*)/g;
}

# Histories, byte by byte, counts of rows and bad rows, and the ratings.
sub same_results
{
	my ($name, $what) = @_;
	my $bytes = 'customer_id, customer_tier.history_send(history), rows, bad, customer_tier.history_send(profit)';

	same_rows($coordinator, "SELECT $bytes FROM $name.source_history()", "SELECT $bytes FROM ${name}_copy.source_history()", "$what: the histories of a local copy");
	same_rows($coordinator, "SELECT customer_id, customer_tier.history_send(history) FROM $name.history",
		"SELECT customer_id, customer_tier.history_send(history) FROM ${name}_copy.history", "$what: these are stored");
	same_rows($coordinator, "TABLE $name.ratings", "TABLE ${name}_copy.ratings", "$what: the same ratings");
	same_rows($coordinator, "SELECT rows_read, rows_bad FROM $name.run WHERE is_current", "SELECT rows_read, rows_bad FROM ${name}_copy.run WHERE is_current",
		"$what: as many rows and bad rows");
	is($coordinator->safe_psql('postgres', "SELECT * FROM customer_tier.remote_problems('$name')"), '', "$what: no problems");
	return;
}

my $history_call = qr/SELECT customer_id, customer_tier\.purchases_checked\(at, amount, 'Asia\/Shanghai'::customer_tier\.time_zone\).* GROUP BY 1$/;

# ---- by customer: the partitions of one GROUP BY

create_both('by_customer', 'orders', 'all_orders', '');
my @sent = remote_sql(plan_of('by_customer'));
is(scalar(@sent), 2, 'by customer: each shard is asked once');
like($_, $history_call, 'by customer: for histories') foreach @sent;
same_results('by_customer', 'by customer');

# ---- by time: histories of parts, added up

create_both('by_time', 'orders_by_time', 'all_orders', '');
@sent = remote_sql(plan_of('by_time'));
is(scalar(@sent), 2, 'by time: each shard is asked once');
like($_, $history_call, 'by time: for histories') foreach @sent;
like(plan_of('by_time'), qr/rollup/, 'by time: they are added up');
like(plan_of('by_time'), qr/histories\('orders_t3'/, 'by time: what is here is built here');
same_results('by_time', 'by time');

# ---- a view, lines of orders, margins

create_both('large', 'large_orders', 'all_large_orders', '');
@sent = remote_sql(plan_of('large'));
is(scalar(@sent), 2, 'view: each shard is asked once');
like($_, qr/purchases_checked.* WHERE .*amount > 20.* GROUP BY 1$/, 'view: for histories of what it shows') foreach @sent;
same_results('large', 'view');

create_both('lines', 'orders', 'all_orders', q{, order_id => 'order_id'});
@sent = remote_sql(plan_of('lines'));
is(scalar(@sent), 2, 'lines: each shard is asked once');
like($_, qr/sum\(amount\).* GROUP BY 1, /, 'lines: for the sums of orders') foreach @sent;
same_results('lines', 'lines');

SKIP:
{
	skip 'CASE is sent to other servers from PostgreSQL 14 on', 12 if $coordinator->safe_psql('postgres', 'SHOW server_version_num') < 140000;
	foreach my $source ('orders', 'orders_by_time')
	{
		create_both("margin_$source", $source, 'all_orders', q{, margin_column => 'margin', margin => 0.2});
		@sent = remote_sql(plan_of("margin_$source"));
		is(scalar(grep { /purchases_checked.*purchases_checked/ } @sent), 2, "margin of $source: each shard is asked for both histories");
		same_results("margin_$source", "margin of $source");
	}
}

# ---- one customer is asked of the shards, too

same_rows($coordinator, q{SELECT customer_id, orders, revenue, score FROM by_customer.rate_one(17, '2024-09-30')},
	q{SELECT customer_id, orders, revenue, score FROM by_customer_copy.rate_one(17, '2024-09-30')}, 'one customer, now');

is($coordinator->safe_psql('postgres', q{SELECT count(*) FROM customer_tier.check_program('by_customer')}), '0', 'check_program reads the shards');
same_rows($coordinator, q{SELECT "check", rows, share FROM customer_tier.audit('by_customer')}, q{SELECT "check", rows, share FROM customer_tier.audit('by_customer_copy')}, 'audit reads them as it reads the copy');

# ---- the shards are read as the program's owner, whoever refreshes

my $superuser = $shards[0]->safe_psql('postgres', 'SELECT current_user');
$coordinator->safe_psql(
	'postgres', q{
	CREATE ROLE shopkeeper;
	GRANT CREATE ON DATABASE postgres TO shopkeeper;
	GRANT SELECT ON orders TO shopkeeper;
	SET ROLE shopkeeper;
	SELECT customer_tier.create_program('owned', 'orders', 'customer_id', 'at', 'amount', time_zone => 'Asia/Shanghai', max_bad_share => 1)});
my ($owned_status, $owned_out, $owned_err) = $coordinator->psql('postgres', q{CALL customer_tier.refresh('owned', '2024-09-30')});
like($owned_err, qr/user mapping not found for (user )?"shopkeeper"/, 'the owner needs a user mapping');
$coordinator->safe_psql('postgres', "CREATE USER MAPPING FOR shopkeeper SERVER shard_$_ OPTIONS (user '$superuser', password_required 'false')") foreach (1, 2);
$coordinator->safe_psql('postgres', q{CALL customer_tier.refresh('owned', '2024-09-30')});
same_rows($coordinator, 'TABLE owned.ratings', 'TABLE by_customer_copy.ratings', 'with a mapping, and no right on the partitions: the same ratings');

# ---- merged customers and rates are known here only: rows are fetched, the result is right

foreach my $name ('by_customer', 'by_time')
{
	foreach my $each ($name, "${name}_copy")
	{
		$coordinator->safe_psql('postgres', "SELECT customer_tier.merge_customers('$each', 17, 18)");
		$coordinator->safe_psql('postgres', "CALL customer_tier.refresh('$each', '2024-09-30')");
	}
	like($coordinator->safe_psql('postgres', "SELECT problem FROM customer_tier.remote_problems('$name')"), qr/all rows of the source are fetched.*merged customers/, "$name, merged customers: said");
	same_rows($coordinator, "SELECT customer_id, customer_tier.history_send(history) FROM $name.history",
		"SELECT customer_id, customer_tier.history_send(history) FROM ${name}_copy.history", "$name, merged customers: the histories of a local copy");
	foreach my $each ($name, "${name}_copy")
	{
		$coordinator->safe_psql('postgres', "SELECT customer_tier.unmerge_customers('$each', 17)");
		$coordinator->safe_psql('postgres', "CALL customer_tier.refresh('$each', '2024-09-30')");
	}
	same_results($name, "$name, no more merged");
}

# ---- what keeps the histories from being built there is said, and costs no result

$coordinator->safe_psql('postgres', 'ALTER SERVER shard_2 OPTIONS (DROP extensions)');
is($coordinator->safe_psql('postgres', q{SELECT problem, hint FROM customer_tier.remote_problems('by_customer')}),
	"server shard_2 builds no histories: all rows of public.orders_2 are fetched from it|Install the extension there, then: ALTER SERVER shard_2 OPTIONS (ADD extensions 'customer_tier');",
	'a server without the option: it is named');
$coordinator->safe_psql('postgres', q{CALL customer_tier.refresh('by_customer', '2024-09-30')});
is($coordinator->safe_psql('postgres', q{SELECT changed FROM by_customer.run WHERE is_current}), '0', 'a server without the option: its rows give the same');
is(scalar(grep { /purchases_checked/ } remote_sql(plan_of('by_customer'))), 1, 'a server without the option: the other one builds its histories');
$coordinator->safe_psql('postgres', q{ALTER SERVER shard_1 OPTIONS (SET extensions 'pg_trgm, "hstore"')});
is($coordinator->safe_psql('postgres', q{SELECT string_agg(hint, ' ') FROM customer_tier.remote_problems('by_customer') WHERE problem LIKE '%shard_1%'}),
	"Install the extension there, then: ALTER SERVER shard_1 OPTIONS (SET extensions 'pg_trgm, \"hstore\", customer_tier');", 'a server with other extensions: they are kept');
$coordinator->safe_psql('postgres', q{ALTER SERVER shard_1 OPTIONS (SET extensions 'Customer_Tier'); ALTER SERVER shard_2 OPTIONS (ADD extensions 'plpgsql , customer_tier')});
is($coordinator->safe_psql('postgres', q{SELECT count(*) FROM customer_tier.remote_problems('by_customer')}), '0', 'both again: no problem');

# ---- a shard is down

my $everything = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM by_customer.ratings r};
my $before = $coordinator->safe_psql('postgres', $everything);
my $histories = q{SELECT md5(string_agg(h::text, E'\n' ORDER BY customer_id)) FROM by_customer.history h};
my $histories_before = $coordinator->safe_psql('postgres', $histories);
$coordinator->safe_psql('postgres', q{INSERT INTO orders VALUES (1, '2024-09-20 12:00+00', 500), (2, '2024-09-20 12:00+00', 500), (3, '2024-09-20 12:00+00', 500), (4, '2024-09-20 12:00+00', 500)});
$shards[1]->stop('immediate');
my ($status, $out, $err) = $coordinator->psql('postgres', q{CALL customer_tier.refresh('by_customer', '2024-09-30')});
isnt($status, 0, 'a shard is down: the refresh fails');
like($err, qr/could not connect to server "shard_2"/, 'a shard is down: it is named');
is($coordinator->safe_psql('postgres', q{SELECT status, error_code FROM by_customer.run ORDER BY run_id DESC LIMIT 1}), 'failed|08001', 'a shard is down: on record');
is($coordinator->safe_psql('postgres', $everything), $before, 'a shard is down: the ratings stay');
is($coordinator->safe_psql('postgres', $histories), $histories_before, 'a shard is down: so do the histories');
$shards[1]->start;
$coordinator->safe_psql('postgres', q{CALL customer_tier.refresh('by_customer', '2024-09-30')});
isnt($coordinator->safe_psql('postgres', $everything), $before, 'the shard is back: new ratings');
$coordinator->safe_psql('postgres', q{INSERT INTO all_orders VALUES (1, '2024-09-20 12:00+00', 500), (2, '2024-09-20 12:00+00', 500), (3, '2024-09-20 12:00+00', 500), (4, '2024-09-20 12:00+00', 500)});
$coordinator->safe_psql('postgres', q{CALL customer_tier.refresh('by_customer_copy', '2024-09-30')});
same_results('by_customer', 'the shard is back');

# ---- a new partition is read from the next refresh on

$coordinator->safe_psql(
	'postgres', q{
	CREATE TABLE late_orders (LIKE all_orders);
	ALTER TABLE orders_by_time DETACH PARTITION orders_t0;
	INSERT INTO late_orders SELECT customer_id, NULL, amount FROM orders_t0;
	INSERT INTO late_orders VALUES (17, NULL, 3);
	ALTER TABLE orders_by_time ATTACH PARTITION late_orders DEFAULT});
$coordinator->safe_psql('postgres', q{CALL customer_tier.refresh('by_time', '2024-09-30')});
is($coordinator->safe_psql('postgres', q{SELECT rows_read - lag(rows_read) OVER (ORDER BY run_id) FROM by_time.run ORDER BY run_id DESC LIMIT 1}), '1', 'another partition: read');

done_testing();
