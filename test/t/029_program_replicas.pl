# What becomes of a refresh elsewhere: on a hot standby, whose readers see the
# ratings of one refresh, whole; and in a table that follows the ratings by
# logical replication, where the extension need not be installed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('program_replicas_primary');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "customer_tier.refresh_notices = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION customer_tier');
$node->safe_psql('postgres', q{
	CREATE TABLE orders (customer_id int, at date, amount numeric);
	INSERT INTO orders SELECT n % 500, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 3000) n;
	CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(77); PERFORM pg_advisory_unlock(77); RETURN true; END $$;
	CREATE VIEW gated AS SELECT o.* FROM orders o, (SELECT gate() AS open OFFSET 0) g WHERE g.open;
	SELECT customer_tier.create_program('shop', 'gated', 'customer_id', 'at', 'amount')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-01')});

# ---- a hot standby

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('program_replicas_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\n");
$standby->start;

# ---- a subscriber, without the extension

my $subscriber = PostgreSQL::Test::Cluster->new('program_replicas_subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->start;
my $ddl;
IPC::Run::run([ 'pg_dump', '--schema-only', '--no-publications', (map { ('-t', "shop.$_") } qw(rating rating_score scored_rating)), $node->connstr('postgres') ], '>', \$ddl) or die 'no pg_dump';
$subscriber->safe_psql('postgres', "CREATE SCHEMA shop; $ddl");
$node->safe_psql('postgres', 'CREATE PUBLICATION ratings FOR TABLE shop.rating, shop.rating_score');
my $connection = $node->connstr('postgres');
$connection =~ s/'/''/g;
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION ratings CONNECTION '$connection' PUBLICATION ratings");
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_subscription_rel WHERE srsubstate IN ('r', 's')}) or die 'the first copy does not end';

my $ratings = q{SELECT count(*), md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM shop.ratings r};
my $rating = q{SELECT count(*), md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM shop.scored_rating r};

# Everywhere the same as on the primary.
sub same_everywhere
{
	my ($name) = @_;

	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	$node->wait_for_catchup('ratings');
	is($standby->safe_psql('postgres', $ratings), $node->safe_psql('postgres', $ratings), "$name: the standby has the ratings");
	is($subscriber->safe_psql('postgres', $rating), $node->safe_psql('postgres', $rating), "$name: so has the subscriber");
	return;
}
same_everywhere('to begin with');

# ---- a refresh under way is nowhere seen but where it runs

my $before = $node->safe_psql('postgres', $ratings);
my $keeper = IPC::Run::start([ 'psql', '-XqAt', '-c', 'SELECT pg_advisory_lock(77)', '-c', 'SELECT pg_sleep(120)', $node->connstr('postgres') ], '<', \undef, '>', \my $kept, '2>', \my $ended);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted}) or die 'the gate does not shut';
my $refresh = IPC::Run::start([ 'psql', '-XqAt', '-c', q{CALL customer_tier.refresh('shop', '2024-04-01')}, $node->connstr('postgres') ], '<', \undef, '>', \my $out, '2>', \my $err);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM customer_tier.refresh_progress WHERE phase = 'reading the source'}) or die 'the refresh does not get under way';
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $ratings), $before, 'readers of the standby see the ratings of before');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM customer_tier.refresh_progress}), '0', 'and no progress, nor an error');
is($standby->safe_psql('postgres', q{SELECT status FROM shop.run ORDER BY run_id DESC LIMIT 1}), 'running', 'the record of the start is there');
my ($status, $said, $why) = $standby->psql('postgres', q{CALL customer_tier.refresh('shop', '2024-04-01')});
like($why, qr/read-only transaction/, 'a standby refreshes nothing, and says why');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted});
$_->finish foreach $keeper, $refresh;
unlike($err, qr{ERROR}, 'the refresh ends well');
same_everywhere('after a refresh');

# ---- whole for readers of the standby, one refresh after another

$node->safe_psql('postgres', q{UPDATE shop.settings SET source_name = 'orders'});
my $dir = PostgreSQL::Test::Utils::tempdir;
append_to_file("$dir/read.sql", "SELECT 1 / (count(DISTINCT as_of) = 1 AND count(*) = 500)::int FROM shop.ratings;\n");
my $readers = IPC::Run::start([ 'pgbench', '-h', $standby->host, '-p', $standby->port, '-n', '-T', '4', '-c', '2', '-f', "$dir/read.sql", 'postgres' ], '>', \my $read_out, '2>', \my $read_err);
foreach my $day (2 .. 6)
{
	$node->safe_psql('postgres', "INSERT INTO orders SELECT c, '2024-04-0$day', 100 FROM generate_series(1, 50 * $day) c; DELETE FROM orders WHERE customer_id = $day AND at < '2024-02-01'");
	$node->safe_psql('postgres', "CALL customer_tier.refresh('shop', '2024-04-0$day')");
}
$readers->finish;
is($readers->result(0), 0, 'readers of the standby saw whole ratings only');
unlike($read_err, qr/ERROR/, 'and none failed');
same_everywhere('after five refreshes');

# ---- the standby takes over

$standby->promote;
$standby->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-04-07')});
is($standby->safe_psql('postgres', q{SELECT string_agg(DISTINCT as_of::text, ',') FROM shop.ratings}), '2024-04-07', 'promoted, it refreshes');

done_testing();
