# A refresh that fails, is cancelled, killed, or goes down with the server
# leaves yesterday's ratings whole and its record behind; readers during a
# refresh see the old ratings or the new.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = server_start('program_interrupted', 'max_connections = 20');

$node->safe_psql(
	'postgres', q{
	CREATE TABLE orders (customer_id int, at date, amount numeric);
	INSERT INTO orders SELECT n % 500, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 3000) n;
	CREATE VIEW slow AS SELECT o.* FROM orders o, (SELECT pg_sleep(60) OFFSET 0) s;
	SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'at', 'amount')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-01')});

my $ratings = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM shop.ratings r};
my $before = $node->safe_psql('postgres', $ratings);

# Start a refresh that hangs in its source; returns when it is under way.
sub start_slow_refresh
{
	$node->safe_psql('postgres', q{UPDATE shop.settings SET source_name = 'slow'});
	my $refresh = IPC::Run::start([ 'psql', '-h', $node->host, '-p', $node->port, '-X', '-c', q{CALL customer_tier.refresh('shop', '2024-04-01')}, 'postgres' ],
		'>', \my $out, '2>', \my $err);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'customer_tier.refresh of shop%reading the source%' AND wait_event = 'PgSleep'})
	  or die 'the refresh does not get under way';
	is($node->safe_psql('postgres', q{SELECT status FROM shop.run ORDER BY run_id DESC LIMIT 1}), 'running', 'its start is on record while it is running');
	is($node->safe_psql('postgres', q{SELECT a.pid = r.pid FROM (SELECT pid FROM shop.run ORDER BY run_id DESC LIMIT 1) r, pg_stat_activity a WHERE a.query LIKE 'customer_tier.refresh of shop%'}),
		't', 'and its session and phase can be seen');
	return $refresh;
}

sub last_run
{
	return $node->safe_psql('postgres', q{SELECT status, error_code, error IS NOT NULL, finished_at IS NOT NULL FROM shop.run ORDER BY run_id DESC LIMIT 1});
}

# ---- cancelled

my $refresh = start_slow_refresh();
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM shop.run WHERE status = 'running'});
$refresh->finish;
isnt($refresh->result(0), 0, 'cancelled: the caller gets the error');
is(last_run(), 'failed|57014|t|t', 'cancelled: on record');
is($node->safe_psql('postgres', $ratings), $before, 'cancelled: the ratings stay');

# ---- killed

$refresh = start_slow_refresh();
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM shop.run WHERE status = 'running'});
$refresh->finish;
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'customer_tier.refresh of shop%'});
is(last_run(), 'running||f|f', 'killed: the record of the start is left');
is($node->safe_psql('postgres', $ratings), $before, 'killed: the ratings stay');

# ---- the server goes down

$refresh = start_slow_refresh();
$node->stop('immediate');
$refresh->finish;
$node->start;
is($node->safe_psql('postgres', $ratings), $before, 'server down: the ratings stay');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.run WHERE status = 'running'}), '2', 'two records of starts are left');
$node->safe_psql('postgres', q{UPDATE shop.settings SET source_name = 'orders'});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-01')});
is($node->safe_psql('postgres', q{SELECT string_agg(status || coalesce(' ' || error_code, ''), ', ' ORDER BY run_id) FROM shop.run}),
	'published, failed 57014, failed 57P01, failed 57P01, published', 'the next refresh closes them');
is($node->safe_psql('postgres', q{SELECT changed FROM shop.run WHERE is_current}), '0', 'and finds the ratings whole');

# ---- a failure in the middle of the work

$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
	CREATE TRIGGER refuse AFTER UPDATE ON shop.rating FOR EACH ROW WHEN (new.customer_id = 77) EXECUTE FUNCTION refuse()});
my ($status, $out, $err) = $node->psql('postgres', q{CALL customer_tier.refresh('shop', '2024-04-01')});
like($err, qr/no room/, 'failed while publishing: the error comes through');
is(last_run(), 'failed|P0001|t|t', 'failed while publishing: on record');
is($node->safe_psql('postgres', $ratings), $before, 'failed while publishing: the ratings stay');
$node->safe_psql('postgres', 'DROP TRIGGER refuse ON shop.rating');

# ---- readers meanwhile: always the ratings of one refresh, whole

my @orders = (
	q{DELETE FROM orders WHERE amount = 4711},
	q{INSERT INTO orders SELECT c, date '2024-02-28', 4711 FROM generate_series(1, 200) c});
my $number = 0;

sub refresh_with_other_orders
{
	$node->safe_psql('postgres', $orders[ $number++ % 2 ]);
	$node->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-01')});
	return;
}

my @whole;
foreach (@orders)
{
	refresh_with_other_orders();
	push @whole, $node->safe_psql('postgres', q{SELECT format('(%L, %s, %s, %s)', min(as_of), count(*), sum(orders), sum(score)) FROM shop.ratings});
}
isnt($whole[0], $whole[1], 'the two differ');
append_to_file("$dir/read.sql",
	"SELECT 1 / count(*) FROM (SELECT min(as_of)::text, max(as_of)::text, count(*), sum(orders), sum(score) FROM shop.ratings) r (day, last_day, n, orders, score)
	JOIN (VALUES $whole[0], $whole[1]) w (day, n, orders, score) ON r.day = w.day AND r.last_day = w.day AND r.n = w.n AND r.orders = w.orders AND r.score = w.score;\n" =~ s/\n\t/ /gr);
my $readers = IPC::Run::start([ 'pgbench', '-h', $node->host, '-p', $node->port, '-n', '-T', '6', '-c', '2', '-f', "$dir/read.sql", 'postgres' ],
	'>', \my $read_out, '2>', \my $read_err);
my $refreshes = 0;
my $until = time + 5;
while (time < $until)
{
	refresh_with_other_orders();
	$refreshes++;
}
$readers->finish;
is($readers->result(0), 0, "readers saw whole ratings only, during $refreshes refreshes");
unlike($read_err, qr/ERROR/, 'no reader failed');
like($read_out, qr/transactions actually processed: [1-9]\d\d/, 'and there was a lot of reading');

# ---- nothing bloats: what is refreshed again and again does not grow

my $size = q{SELECT pg_total_relation_size('shop.rating') + pg_total_relation_size('shop.history')};
$node->safe_psql('postgres', 'VACUUM shop.rating, shop.history');
my $small = $node->safe_psql('postgres', $size);
refresh_with_other_orders();
$node->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-01')}) foreach 1 .. 5;
cmp_ok($node->safe_psql('postgres', $size), '<=', 2 * $small, 'refreshing the same again and again takes no room');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.run WHERE has_scales}), '3', 'two runs and the reference keep their scales');

done_testing();
