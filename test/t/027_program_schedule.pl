# A refresh by schedule: what is returned for crontab and systemd runs in a
# shell, whatever a program is called; and the real pg_cron refreshes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The server that this test runs knows where its modules are.
chomp(my $libraries = qx(pg_config --pkglibdir));
my $has_cron = -e "$libraries/pg_cron.so";

my $node = server_start('program_schedule', 'max_connections = 20', 'max_worker_processes = 20');

$node->safe_psql('postgres', q{
	CREATE TABLE orders (customer_id int, at date, amount numeric);
	INSERT INTO orders SELECT n % 50, current_date - 2 - n % 97, n % 89 FROM generate_series(1, 300) n});

# ---- without pg_cron: the lines work as they are returned

my $odd = qq{50%'s "\$HOME" `x` \\ !\n};
my %schemas = (plain => 'retail', odd => $odd);
foreach my $schema (sort keys %schemas)
{
	my $literal = $schemas{$schema} =~ s/'/''/gr;

	$node->safe_psql('postgres', "SELECT customer_tier.create_program('$literal', 'orders', 'customer_id', 'at', 'amount', schema => '$schema')");
	my $lines = $node->safe_psql('postgres', "SELECT customer_tier.schedule_refresh('$literal')");
	my ($cron) = $lines =~ /^5 2 \* \* \* (.*)$/m;
	my ($systemd) = $lines =~ /^ExecStart=(.*)$/m;

	foreach ([ crontab => $cron ], [ systemd => $systemd ])
	{
		my ($name, $command) = @$_;

		ok(defined $command, "$schema: there is a line for $name");
		# What cron and systemd do before: one unescapes \%, the other %%; and
		# this psql, which need not stand in /usr/bin.
		$command =~ s/\\%/%/g if $name eq 'crontab';
		$command =~ s/%%/%/g if $name eq 'systemd';
		$command =~ s/^\/usr\/bin\///;
		local $ENV{PGHOST} = $node->host;
		my $before = $node->safe_psql('postgres', "SELECT count(*) FROM $schema.run");
		my ($out, $err);
		IPC::Run::run([ 'sh', '-c', $command ], '<', \undef, '>', \$out, '2>', \$err);
		is("$out$err", '', "$schema: $name: nothing is said that would be mailed");
		is($node->safe_psql('postgres', "SELECT count(*) - $before FROM $schema.run WHERE status = 'published'"), '1', "$schema: $name: the refresh ran");
	}
}

# systemd's own check of the units, where it is installed.
SKIP:
{
	skip 'systemd-analyze is not installed', 1 if system('systemd-analyze --version >/dev/null 2>&1') != 0;
	my $lines = $node->safe_psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', '*/15 8-18 1,15 * mon-fri')});
	my @calendars = $lines =~ /^OnCalendar=(.*)$/mg;
	is(scalar @calendars, 2, 'a day of the month or of the week: two lines');
	foreach (@calendars)
	{
		my ($out, $err);
		ok(IPC::Run::run([ 'systemd-analyze', 'calendar', $_ ], '>', \$out, '2>', \$err), "systemd reads $_");
	}
}

SKIP:
{
	skip 'pg_cron is not installed for this server (Debian: postgresql-NN-cron)', 1 unless $has_cron;

	# ---- pg_cron in another database of the cluster

	$node->append_conf('postgresql.conf', join '', map { "$_\n" } q{shared_preload_libraries = 'pg_cron'}, q{cron.database_name = 'jobs'}, q{cron.use_background_workers = on});
	$node->safe_psql('postgres', 'CREATE DATABASE jobs');
	$node->restart;
	$node->safe_psql('jobs', 'CREATE EXTENSION pg_cron');
	my ($statement) = $node->safe_psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', '* * * * *')}) =~ /^(SELECT cron.*)$/m;
	like($statement, qr/schedule_in_database/, 'pg_cron lives elsewhere: the statement for there');
	like($node->safe_psql('jobs', $statement), qr/^\d+$/, 'it runs there');
	is($node->safe_psql('jobs', q{SELECT schedule, command, database, username FROM cron.job}), q{* * * * *|CALL customer_tier.refresh('retail')|postgres|} . $node->safe_psql('postgres', 'SELECT current_user'),
		'and schedules a refresh here');
	$node->safe_psql('jobs', 'DROP EXTENSION pg_cron');

	# ---- pg_cron in this database

	$node->append_conf('postgresql.conf', q{cron.database_name = 'postgres'});
	$node->restart;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
	my $literal = $odd =~ s/'/''/gr;
	like($node->safe_psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', '5 2 * * *')}), qr/^pg_cron job \d+ "customer_tier refresh of retail": 5 2 \* \* \*$/, 'scheduled');
	$node->safe_psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', '* * * * *')});
	$node->safe_psql('postgres', "SELECT customer_tier.schedule_refresh('$literal', '* * * * *')");
	is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE schedule = '* * * * *'), count(DISTINCT jobname) FROM cron.job}), '2|2|2', 'again: the schedule is changed, there is one job a program');

	my ($status, $out, $err) = $node->psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', 'every night')});
	like($err, qr/"every night" is no cron schedule.*HINT:.*'5 2 \* \* \*'/s, 'a schedule that is none');
	($status, $out, $err) = $node->psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', '75 seconds')});
	like($err, qr/pg_cron refused the schedule "75 seconds".*HINT:.*'5 2 \* \* \*'/s, 'what pg_cron refuses comes with a hint');
	$node->safe_psql('postgres', q{CREATE ROLE clerk LOGIN; GRANT CREATE ON DATABASE postgres TO clerk; GRANT SELECT ON orders TO clerk});
	my $as_clerk = $node->connstr('postgres') . ' user=clerk';
	$node->safe_psql('postgres', q{SELECT customer_tier.create_program('his', 'orders', 'customer_id', 'at', 'amount')}, connstr => $as_clerk);
	($status, $out, $err) = $node->psql('postgres', q{SELECT customer_tier.schedule_refresh('his')}, connstr => $as_clerk);
	like($err, qr/pg_cron does not let role "clerk" schedule.*GRANT USAGE ON SCHEMA cron TO clerk;/s, 'a role without the right to schedule is told so');
	$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA cron TO clerk');
	$node->safe_psql('postgres', q{SELECT customer_tier.schedule_refresh('his', '* * * * *')}, connstr => $as_clerk);
	is($node->safe_psql('postgres', q{SELECT username FROM cron.job WHERE jobname LIKE '%of his'}), 'clerk', 'a job runs as who scheduled it');

	# Schedules of seconds are a matter of some seconds, those of minutes of one and a half.
	my ($seconds) = $node->psql('postgres', q{SELECT customer_tier.schedule_refresh('retail', '2 seconds')});
	note($seconds == 0 ? 'this pg_cron knows seconds' : 'this pg_cron knows minutes only');
	$node->safe_psql('postgres', 'CREATE TABLE before AS SELECT clock_timestamp() AS at');
	my $done = q{SELECT count(*) = 3 FROM (SELECT max(started_at) AS at FROM plain.run WHERE status = 'published' UNION ALL SELECT max(started_at) FROM odd.run WHERE status = 'published'
		UNION ALL SELECT max(started_at) FROM his.run WHERE status = 'published') r, before WHERE r.at > before.at};
	my $until = time + 90;
	my $ran = 'f';
	while (time < $until && $ran ne 't')
	{
		sleep 1;
		$ran = $node->safe_psql('postgres', $done);
	}
	is($ran, 't', 'pg_cron has refreshed them all, within 90 seconds')
	  or diag($node->safe_psql('postgres', 'SELECT command, status, return_message FROM cron.job_run_details'));
	is($node->safe_psql('postgres', q{SELECT DISTINCT as_of = current_date - 1 AND as_of_is_default FROM plain.ratings JOIN plain.run USING (as_of) WHERE is_current}), 't', 'as of yesterday');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), '0', 'and none failed');

	is($node->safe_psql('postgres', q{SELECT customer_tier.unschedule_refresh('retail'), customer_tier.unschedule_refresh('retail')}), 't|f', 'unscheduled, once');
	my (undef, undef, $warning) = $node->psql('postgres', "SELECT customer_tier.drop_program('$literal')");
	like($warning, qr/WARNING:  a job of pg_cron still refreshes program .*HINT: .*unschedule_refresh/s, 'who drops a program hears of its job');
	(undef, undef, $warning) = $node->psql('postgres', q{SELECT customer_tier.drop_program('retail')});
	is($warning, '', 'and nothing where there is none');
	is($node->safe_psql('postgres', "SELECT customer_tier.unschedule_refresh('$literal')"), 't', 'unscheduled, after the program was dropped');
	is($node->safe_psql('postgres', q{SELECT string_agg(jobname, ', ') FROM cron.job}), 'customer_tier refresh of his', 'one job is left');
}

done_testing();
