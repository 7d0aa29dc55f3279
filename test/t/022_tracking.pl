# Tracked changes, at random: writers, a refresher and a killer at work at the
# same time, the server going down at once; what a last refresh leaves is what
# the orders say.  And what becomes of tracking in a dump and on a subscriber.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# TRACKING_SEED=N repeats the statements of a run, if not their interleaving.
my $seed = $ENV{TRACKING_SEED} // int(rand(1_000_000));
srand($seed);
note("TRACKING_SEED=$seed");

my $rounds = 4;
my $seconds = 6;    # of each round
my $customers = 2000;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = server_start('tracking', 'max_connections = 30', 'wal_level = logical', 'max_wal_senders = 10', 'max_replication_slots = 10', 'random_page_cost = 1.1', 'deadlock_timeout = 100ms');

sub sql { return $node->safe_psql('postgres', @_); }

my $fill = qq{SELECT n, n % $customers, timestamptz '2024-01-01 00:00+00' + n % 97 * interval '1 day' + n % 24 * interval '1 hour', n % 89, 'ok' FROM generate_series(1, 60000) n};
sql(qq{
	CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int, at timestamptz, amount numeric, status text);
	INSERT INTO orders $fill;
	CREATE INDEX ON orders (customer_id);
	CREATE TABLE sale (id bigint PRIMARY KEY, customer_id int, at timestamptz, amount numeric, status text);
	INSERT INTO sale $fill;
	CREATE INDEX ON sale (customer_id);
	ANALYZE orders, sale;
	CREATE SEQUENCE new_id START 1000000;
	CREATE VIEW sold AS SELECT customer_id AS "who's", at AS t, amount AS net FROM sale WHERE status <> 'cancelled';
	SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'at', 'amount', purchase_model => 'none', max_bad_share => 1, time_zone => 'Asia/Shanghai', tracking => 'triggers');
	SELECT customer_tier.create_program('web', 'sold', 'who''s', 't', 'net', purchase_model => 'none', max_bad_share => 1, time_zone => 'Asia/Shanghai',
		tracking => 'triggers', track => 'sale', track_customer => 'customer_id');
	DELETE FROM shop.quality_gate;
	DELETE FROM web.quality_gate});

# A refresh with nobody else at work leaves what the orders say, both ways.
sub is_right
{
	my ($database, $schema, $source, $name) = @_;

	my $result = $node->safe_psql(
		$database, qq{
		WITH want AS MATERIALIZED (
			SELECT customer_id, (p).history::text AS history, (p).rows AS rows, (p).bad AS bad
			FROM (SELECT customer_id, customer_tier.purchases_checked(at, amount, 'Asia/Shanghai') AS p FROM $source GROUP BY customer_id) g WHERE customer_id IS NOT NULL
		), got AS MATERIALIZED (
			SELECT customer_id, history::text AS history, source_rows AS rows, coalesce(bad_rows, 0) AS bad FROM $schema.history
		)
		SELECT (SELECT count(*) FROM (TABLE want EXCEPT ALL TABLE got) d), (SELECT count(*) FROM (TABLE got EXCEPT ALL TABLE want) d),
			(SELECT rows_read FROM $schema.run WHERE is_current) = (SELECT count(*) FROM $source)});
	return is($result, '0|0|t', $name) || diag("TRACKING_SEED=$seed");
}

my $plain = 'orders';
my $view = q{(SELECT * FROM sale WHERE status <> 'cancelled') AS s};

sub refresh
{
	my ($database, $schema) = @_;

	$node->safe_psql($database, qq{CALL customer_tier.refresh('$schema', '2024-06-30')});
	return $node->safe_psql($database, qq{SELECT build FROM $schema.run WHERE is_current});
}

# ---- what writers do

sub customer { return rand() < 0.01 ? 'NULL' : int(rand($customers * 1.02)); }

sub day { return rand() < 0.01 ? q{'infinity'} : sprintf(q{timestamptz '2024-01-01 00:00+00' + interval '%d hours'}, rand(4000)); }

sub amount { return rand() < 0.01 ? q{'NaN'} : sprintf('%.2f', rand(200) - 20); }

sub row { return sprintf(q{(nextval('new_id'), %s, %s, %s, '%s')}, customer(), day(), amount(), rand() < 0.2 ? 'cancelled' : 'ok'); }

sub statement
{
	my $table = rand() < 0.5 ? 'orders' : 'sale';
	my $which = sprintf('customer_id = %d AND id %% 5 = %d', rand($customers), rand(5));
	my $what = rand();

	return "INSERT INTO $table VALUES " . join(', ', map { row() } 0 .. rand(4)) if $what < 0.45;
	return "INSERT INTO $table SELECT nextval('new_id'), n % $customers, now(), n, 'ok' FROM generate_series(1, 500) n" if $what < 0.47;
	return sprintf(q{INSERT INTO %s VALUES (%d, %s, %s, %s, 'ok') ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, at = excluded.at}, $table, 1 + rand(60000), customer(), day(), amount()) if $what < 0.52;
	return "UPDATE $table SET amount = " . amount() . " WHERE $which" if $what < 0.63;
	return "UPDATE $table SET at = " . day() . " WHERE $which" if $what < 0.72;
	return "UPDATE $table SET customer_id = " . customer() . " WHERE $which" if $what < 0.80;
	return "UPDATE $table SET status = CASE status WHEN 'ok' THEN 'cancelled' ELSE 'ok' END WHERE $which" if $what < 0.88;
	return "DELETE FROM $table WHERE $which" if $what < 0.98;
	return "DELETE FROM $table WHERE customer_id IS NULL";
}

sub transaction
{
	my $what = rand();
	my $sql = '';

	return statement() . ";\n" if $what < 0.7;
	$sql .= 'BEGIN' . (rand() < 0.2 ? ' ISOLATION LEVEL REPEATABLE READ' : '') . ";\n";
	foreach my $part (0 .. rand(4))
	{
		$sql .= statement() . ";\n";
		$sql .= sprintf("SELECT pg_sleep(%.2f);\n", rand(0.7)) if rand() < 0.2;
		next unless rand() < 0.4;
		$sql .= "SAVEPOINT s;\n" . statement() . ";\n";
		$sql .= "ROLLBACK TO s;\n" if rand() < 0.6;
	}
	return $sql . (rand() < 0.8 ? "COMMIT;\n" : "ROLLBACK;\n");
}

my $scripts = 0;

sub script
{
	my ($with_truncate) = @_;
	my $file = "$dir/writer" . $scripts++ . '.sql';
	my $sql = '';

	foreach my $n (1 .. 40)
	{
		$sql .= transaction() . sprintf("SELECT pg_sleep(%.3f);\n", 0.03 + rand(0.08));
		next unless $with_truncate && $n == 10;
		my $table = rand() < 0.5 ? 'orders' : 'sale';
		$sql .= "BEGIN;\nTRUNCATE $table;\nINSERT INTO $table $fill;\n" . (rand() < 0.7 ? "COMMIT;\n" : "ROLLBACK;\n");
	}
	append_to_file($file, $sql);
	return $file;
}

# ---- sessions in the background

sub start_psql
{
	my ($name, @arguments) = @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-h', $node->host, '-p', $node->port, '-XqAt', '-d', "dbname=postgres application_name=$name", @arguments ],
		'<', \undef, '>', \$out, '2>', \$err);
	return { session => $session, err => \$err };
}

# A till that rings all the time: whatever a refresh does between two looks at
# the orders, something is written meanwhile.
append_to_file("$dir/till.sql", "\\set c random(0, $customers)\nINSERT INTO orders VALUES (nextval('new_id'), :c, now(), 5, 'ok');\n");

sub start_till
{
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'pgbench', '-n', '-R', '200', '-T', '60', '-f', "$dir/till.sql", 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres application_name=till' ],
		'<', \undef, '>', \$out, '2>', \$err);
	return { session => $session, err => \$err };
}

sub is_over
{
	my ($started) = @_;

	$started->{session}->pump_nb if $started->{session}->pumpable;
	return 0 if $started->{session}->pumpable;
	eval { $started->{session}->finish };
	return 1;
}

# What a writer, or the refresher, may be told when sessions and servers are killed.
my $expected_errors = join '|', 'deadlock detected', 'could not serialize access', 'terminating connection', 'canceling statement', 'connection to server',
	'the database system is', 'current transaction is aborted', 'savepoint "s" does not exist';
my @unexpected;

sub listen_to
{
	my ($started) = @_;

	push @unexpected, grep { /ERROR|FATAL|PANIC/ && $_ !~ /$expected_errors/ } split(/\n/, ${ $started->{err} });
	return;
}

sub refresher
{
	my $program = rand() < 0.5 ? 'shop' : 'web';
	my $what = rand();
	my $call = qq{CALL customer_tier.refresh('$program', '2024-06-30'};

	return start_psql('refresher', '-c', 'BEGIN', '-c', "$call)", '-c', 'ROLLBACK') if $what < 0.07;
	return start_psql('refresher', '-c', 'BEGIN ISOLATION LEVEL REPEATABLE READ', '-c', 'SELECT 1 FROM orders LIMIT 1', '-c', 'SELECT pg_sleep(0.2)', '-c', "$call)", '-c', 'COMMIT') if $what < 0.17;
	return start_psql('refresher', '-c', "$call, full_build => true)") if $what < 0.2;
	return start_psql('refresher', '-c', "$call)");
}

my $kills = 0;

sub kill_somebody
{
	my $how = rand() < 0.6 ? 'pg_terminate_backend' : 'pg_cancel_backend';
	my $whom = rand() < 0.8 ? 'refresher' : 'writer';

	$kills += $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE $how(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = '$whom' AND state <> 'idle' ORDER BY random() LIMIT 1) a");
	return;
}

# ---- the rounds

is(refresh('postgres', $_), 'full', "$_: the first refresh reads everything") foreach 'shop', 'web';
is(refresh('postgres', $_), 'changes', "$_: the second what changed, nothing") foreach 'shop', 'web';

foreach my $round (1 .. $rounds)
{
	my @writers = map { start_psql('writer', '-f', script($_ == 0 && $round > 1)) } 0 .. 2;
	my $till = start_till();
	my $refresher = refresher();
	my $until = time + $seconds;
	my $next_kill = time + 1;
	my $crash = $round % 2 == 0 ? time + $seconds / 2 : undef;
	my $lock = $round == 3 ? time + $seconds / 3 : undef;
	my $locker;

	while (time < $until)
	{
		sleep(0.05);
		foreach my $writer (@writers)
		{
			next unless is_over($writer);
			listen_to($writer);
			$writer = start_psql('writer', '-f', script(0));
		}
		if (is_over($till))
		{
			listen_to($till);
			$till = start_till();
		}
		if (is_over($refresher))
		{
			listen_to($refresher);
			$refresher = refresher();
		}
		if ($crash && time > $crash)
		{
			$node->stop('immediate');
			$node->start;
			undef $crash;
		}
		elsif ($lock && time > $lock)
		{
			$locker = start_psql('locker', '-c', 'BEGIN', '-c', 'LOCK TABLE shop.touched, web.touched IN ACCESS EXCLUSIVE MODE', '-c', 'SELECT pg_sleep(0.3)', '-c', 'COMMIT');
			undef $lock;
		}
		elsif (time > $next_kill)
		{
			kill_somebody();
			$next_kill = time + 1 + rand(1);
		}
	}
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('writer', 'refresher', 'till')});
	foreach my $started (@writers, $till, $refresher, $locker ? $locker : ())
	{
		eval { $started->{session}->finish };
		listen_to($started);
	}
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name IN ('writer', 'refresher', 'locker', 'till')}) or die 'sessions do not end';
	refresh('postgres', $_) foreach 'shop', 'web';
	is_right('postgres', 'shop', $plain, "round $round: the table");
	is_right('postgres', 'web', $view, "round $round: the view");
	is(sql('SELECT (SELECT count(*) FROM shop.touched) + (SELECT count(*) FROM web.touched)'), '0', "round $round: nothing is left to be read again");
}
is_deeply(\@unexpected, [], 'no write failed but for deadlocks and kills') or diag("TRACKING_SEED=$seed");
my $runs = sql(q{SELECT string_agg(format('%s %s: %s', build, status, n), ', ' ORDER BY build, status) FROM (SELECT build, status, count(*) AS n FROM (TABLE shop.run UNION ALL TABLE web.run) r GROUP BY 1, 2) g});
note("$kills sessions cancelled or killed; runs: $runs");
note(sql(q{SELECT string_agg(format('%s: %s', build_reason, n), ', ' ORDER BY n DESC) FROM (SELECT regexp_replace(build_reason, '\d+', 'N') AS build_reason, count(*) AS n FROM (TABLE shop.run UNION ALL TABLE web.run) r WHERE build = 'full' GROUP BY 1) g}));
is(sql(q{SELECT 3 * count(*) FILTER (WHERE build = 'changes') > count(build) FROM (TABLE shop.run UNION ALL TABLE web.run) r}), 't', 'more than a third of the refreshes read what changed, not everything') or diag($runs);
cmp_ok($kills, '>', $rounds, 'there was some killing');

# ---- dumps

$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', "$dir/whole.sql", 'postgres' ], 'dump of everything');
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '--schema-only', '-f', "$dir/schema.sql", 'postgres' ], 'dump of the schema');
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '--data-only', '--disable-triggers', '-f', "$dir/data.sql", 'postgres' ], 'dump of the data');

sub restore
{
	my ($database, @files) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok([ 'psql', '-h', $node->host, '-p', $node->port, '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $database, map { ('-f', "$dir/$_") } @files ], "$database: restored");
	return;
}

my $write = q{
	INSERT INTO orders VALUES (9000001, 1, '2024-05-01 00:00+00', 10, 'ok'), (9000002, 900001, '2024-05-01 00:00+00', 10, 'ok');
	UPDATE orders SET amount = 77 WHERE customer_id = 3;
	INSERT INTO sale VALUES (9000001, 1, '2024-05-01 00:00+00', 10, 'ok');
	DELETE FROM sale WHERE customer_id = 4};

# Before the first refresh in the new place, and after it.
sub goes_on
{
	my ($database, $is_tracked) = @_;

	$node->safe_psql($database, $write);
	foreach my $schema ('shop', 'web')
	{
		is(refresh($database, $schema), 'full', "$database: the first refresh of $schema reads everything");
		is_right($database, $schema, $schema eq 'shop' ? $plain : $view, "$database: $schema is right");
		$node->safe_psql($database, "SELECT customer_tier.track('$schema')") unless $is_tracked;
		refresh($database, $schema) unless $is_tracked;
		is(refresh($database, $schema), 'changes', "$database: $schema is tracked again");
	}
	$node->safe_psql($database, 'DELETE FROM orders WHERE id > 9000000; UPDATE orders SET amount = 78 WHERE customer_id = 3');
	is(refresh($database, 'shop'), 'changes', "$database: and goes on");
	is_right($database, 'shop', $plain, "$database: right again");
	return;
}

restore('whole', 'whole.sql');
goes_on('whole', 1);
restore('parts', 'schema.sql', 'data.sql');
goes_on('parts', 0);

# orders alone, loaded again under triggers that are off meanwhile
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '--data-only', '--disable-triggers', '-t', 'orders', '-f', "$dir/orders.sql", 'postgres' ], 'dump of the orders');
$node->safe_psql('whole', q{DELETE FROM orders});
refresh('whole', 'shop');
$node->command_ok([ 'psql', '-h', $node->host, '-p', $node->port, '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'whole', '-f', "$dir/orders.sql" ], 'the orders are loaded');
my ($status, $out, $err) = $node->psql('whole', q{CALL customer_tier.refresh('shop', '2024-06-30')});
like($err, qr/changes of public\.orders are not tracked/, 'triggers that were off are noticed');
is_right('whole', 'shop', $plain, 'and everything is read');
$node->safe_psql('whole', q{SELECT customer_tier.track('shop')});
refresh('whole', 'shop');
is(refresh('whole', 'shop'), 'changes', 'until they are put back');

# ---- a subscriber

$node->safe_psql('postgres', 'CREATE DATABASE branch');
$node->safe_psql('postgres', q{CREATE PUBLICATION head_office FOR TABLE orders, sale; SELECT pg_create_logical_replication_slot('branch', 'pgoutput')});
$node->safe_psql(
	'branch', q{
	CREATE EXTENSION customer_tier;
	CREATE TABLE orders (status text, id bigint PRIMARY KEY, amount numeric, customer_id int, at timestamptz);
	CREATE INDEX ON orders (customer_id);
	CREATE TABLE sale (id bigint PRIMARY KEY, customer_id int, at timestamptz, amount numeric, status text);
	SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'at', 'amount', purchase_model => 'none', max_bad_share => 1, time_zone => 'Asia/Shanghai', tracking => 'triggers');
	DELETE FROM shop.quality_gate});
refresh('branch', 'shop');
my $connection = $node->connstr('postgres') =~ s/'/''/gr;
$node->safe_psql('branch', "CREATE SUBSCRIPTION branch CONNECTION '$connection' PUBLICATION head_office WITH (create_slot = false, slot_name = 'branch')");
$node->poll_query_until('branch', q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'}) or die 'the subscriber does not come up';

sub catch_up
{
	my $position = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');

	$node->poll_query_until('postgres', "SELECT confirmed_flush_lsn >= '$position' FROM pg_replication_slots WHERE slot_name = 'branch'") or die 'the subscriber does not catch up';
	return;
}

# Triggers of statements do not see what is replicated: that is said, and mended.
($status, $out, $err) = $node->psql('branch', q{CALL customer_tier.refresh('shop', '2024-06-30')});
like($err, qr/changes of public\.orders are not tracked/, 'a table that is subscribed wants other triggers');
is_right('branch', 'shop', $plain, 'until then everything is read');
is($node->safe_psql('branch', q{SELECT customer_tier.track('shop')}), '3', 'three triggers are made anew');
is($node->safe_psql('branch', q{SELECT string_agg(tgname || ' ' || (tgtype & 1) || tgenabled::text, ', ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal}),
	'customer_tier_shop_delete 1A, customer_tier_shop_insert 1A, customer_tier_shop_truncate 0A, customer_tier_shop_update 1A', 'for each row, always');
is(refresh('branch', 'shop'), 'full', 'subscriber: the next refresh reads everything');
$node->safe_psql('postgres', q{
	INSERT INTO orders VALUES (8000001, 1, '2024-05-01 00:00+00', 10, 'ok'), (8000002, 900001, '2024-05-01 00:00+00', 10, 'ok');
	UPDATE orders SET amount = 77 WHERE customer_id = 3;
	UPDATE orders SET customer_id = 6 WHERE customer_id = 5;
	DELETE FROM orders WHERE customer_id = 7});
catch_up();
is(refresh('branch', 'shop'), 'changes', 'subscriber: what was replicated is what is read');
is_right('branch', 'shop', $plain, 'subscriber: and right');
$node->safe_psql('branch', q{INSERT INTO orders (id, customer_id, at, amount) VALUES (7000001, 1, '2024-05-01 00:00+00', 10)});
is(refresh('branch', 'shop'), 'changes', 'subscriber: what is written there is seen, too');
is_right('branch', 'shop', $plain, 'subscriber: right with it');
$node->safe_psql('postgres', 'TRUNCATE orders');
catch_up();
is(refresh('branch', 'shop'), 'full', 'subscriber: a replicated TRUNCATE is seen');
is_right('branch', 'shop', $plain, 'subscriber: right after it');
is(refresh('postgres', 'shop'), 'full', 'publisher: its own refresh, too');
is_right('postgres', 'shop', $plain, 'publisher: right, with a publication of its tables');
$node->safe_psql('branch', 'ALTER SUBSCRIPTION branch DISABLE; ALTER SUBSCRIPTION branch SET (slot_name = NONE); DROP SUBSCRIPTION branch');

# ---- what is published may be everything

$node->safe_psql('postgres', q{CREATE PUBLICATION everything FOR ALL TABLES; INSERT INTO orders VALUES (8000011, 1, '2024-05-01 00:00+00', 10, 'ok')});
is(refresh('postgres', 'shop'), 'changes', 'a publication of all tables is no hindrance');
is_right('postgres', 'shop', $plain, 'and nothing is forgotten');

done_testing();
