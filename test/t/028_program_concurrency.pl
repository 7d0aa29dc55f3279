# While a refresh runs: what others see of it, what they may do, what it locks;
# a second one; and what is left when it comes to nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = server_start('program_concurrency', 'max_connections = 30');

sub sql { return $node->safe_psql('postgres', @_); }

# Reading the source of "shop" comes to a gate, which a session can hold shut.
sql(q{
	CREATE TABLE orders (customer_id int, at date, amount numeric);
	INSERT INTO orders SELECT n % 500, date '2024-01-01' + n % 97, n % 89 FROM generate_series(1, 3000) n;
	CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(77); PERFORM pg_advisory_unlock(77); RETURN true; END $$;
	CREATE VIEW gated AS SELECT o.* FROM orders o, (SELECT gate() AS open OFFSET 0) g WHERE g.open;
	SELECT customer_tier.create_program('shop', 'gated', 'customer_id', 'at', 'amount')});
sql(q{CALL customer_tier.refresh('shop', '2024-03-01')});

my $ratings = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)) FROM shop.ratings r};
my $before = sql($ratings);
my $progress = q{SELECT program, schema, kind, phase, phase_number, phases, done IS NULL, total IS NULL, elapsed < '5 minutes', estimated_remaining < '5 minutes' FROM customer_tier.refresh_progress};

# Start statements in a session of their own; returns it and where its output goes.
sub start_session
{
	my @commands = map { ('-c', $_) } @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-h', $node->host, '-p', $node->port, '-XqAt', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', @commands, 'postgres' ],
		'<', \undef, '>', \$out, '2>', \$err);
	return { session => $session, out => \$out, err => \$err };
}

my $keeper;

sub shut_gate
{
	$keeper = start_session('SELECT pg_advisory_lock(77)', 'SELECT pg_sleep(120)');
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND granted}) or die 'the gate does not shut';
	return;
}

sub open_gate
{
	sql(q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND granted});
	$keeper->{session}->finish;
	return;
}

# Start a refresh that stops at the gate; returns when it is there.
sub start_refresh
{
	my $refresh = start_session(@_);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted}) or die 'the refresh does not come to the gate';
	return $refresh;
}

# Run a statement that is to fail; returns its messages, the code first.
sub failure
{
	my $failing = start_session(@_);
	$failing->{session}->finish;
	return ${ $failing->{err} };
}

# ---- seen from other sessions, in autocommit and in one transaction

is(sql($progress), '', 'no refresh, no row');
foreach ([ 'in autocommit', q{CALL customer_tier.refresh('shop', '2024-03-02')} ], [ 'in a transaction block', 'BEGIN', q{CALL customer_tier.refresh('shop', '2024-03-03')}, 'COMMIT' ],
	[ 'in a block at REPEATABLE READ', 'BEGIN ISOLATION LEVEL REPEATABLE READ', q{CALL customer_tier.refresh('shop', '2024-03-04')}, 'COMMIT' ])
{
	my ($name, @commands) = @$_;

	shut_gate();
	my $refresh = start_refresh(@commands);
	is(sql($progress), 'shop|shop|refresh|reading the source|3|7|t|t|t|t', "$name: its progress is seen");
	is(sql(q{SELECT p.pid = l.pid AND p.run_id > 0 FROM customer_tier.refresh_progress p, pg_locks l WHERE l.locktype = 'advisory' AND NOT l.granted}), 't', "$name: and which process it is");
	is(sql($ratings), $before, "$name: readers see the ratings of before");
	# writing and indexing wait for no reader, nor for a refresh
	sql(q{SET statement_timeout = '20s'; INSERT INTO orders VALUES (1, '2024-01-01', 1); UPDATE orders SET amount = 2 WHERE at = '2024-01-01' AND customer_id = 1; DELETE FROM orders WHERE customer_id = 1 AND at = '2024-01-01';
		CREATE INDEX ON orders (at)}) if $name eq 'in autocommit';
	is(sql(q{SELECT string_agg(DISTINCT l.mode, ', ') FROM pg_locks l, customer_tier.refresh_progress p WHERE l.pid = p.pid AND l.relation IN ('orders'::regclass, 'gated'::regclass)}),
		'AccessShareLock', "$name: the orders are locked as by a SELECT");
	is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = '} . ($ENV{PGAPPNAME} // 'psql') . q{' AND query LIKE 'customer_tier.refresh of shop, run %: reading the source (3 of 7)'}), '1', "$name: the phase is its query, and its name its own");
	open_gate();
	$refresh->{session}->finish;
	is(${ $refresh->{err} }, '', "$name: it ends well");
	is(sql($progress), '', "$name: no row is left");
	$before = sql($ratings);
}

# ---- who sees it

sql(q{CREATE ROLE watcher});
shut_gate();
my $refresh = start_refresh(q{CALL customer_tier.refresh('shop', '2024-03-05')});
is(sql("SET ROLE watcher; $progress"), '', 'without the right to read its sequences a program is left out');
sql(q{GRANT SELECT ON SEQUENCE shop.progress_start, shop.progress_run, shop.progress_state, shop.progress_finish TO watcher});
like(sql("SET ROLE watcher; $progress"), qr/^shop\|shop\|refresh\|reading/, 'with it, no other right is needed');

# ---- a second one: at once, for a while, or until it is cancelled

my $first = sql('SELECT pid FROM customer_tier.refresh_progress');
my $err = failure(q{CALL customer_tier.refresh('shop', '2024-03-05', wait => false)});
like($err, qr/^ERROR:  55P03: another refresh of program "shop" is under way in process $first, since \d{4}-.*\nHINT:  .*pg_cancel_backend\($first\)/, 'wait => false fails at once');
like(failure(q{CALL customer_tier.fit('shop', '2024-03-05', wait => false)}), qr/^ERROR:  55P03: another refresh of program "shop" is under way in process $first/, 'and so does fit');
like(failure('BEGIN', q{CALL customer_tier.refresh('shop', '2024-03-05', wait => false)}), qr/^ERROR:  55P03: another refresh/, 'in a transaction block, too');
like(failure(q{SET lock_timeout = '100ms'}, q{CALL customer_tier.refresh('shop', '2024-03-05')}), qr/^ERROR:  55P03: canceling statement due to lock timeout/, 'lock_timeout is how long it waits');
is(sql(q{SELECT string_agg(concat_ws(' ', kind, status, error_code), ', ' ORDER BY run_id) FROM shop.run WHERE run_id > (SELECT run_id FROM shop.run WHERE status = 'running')}),
	'refresh failed 55P03, fit failed 55P03, refresh failed 55P03', 'what was tried in autocommit is on record');
my $second = start_session(q{CALL customer_tier.refresh('shop', '2024-03-06')});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'customer_tier.refresh of shop%: waiting for its turn%'}) or die 'the second does not wait';
is(sql('SELECT count(*) FROM customer_tier.refresh_progress'), '1', 'who waits is not shown as under way');
my $third = start_session(q{CALL customer_tier.refresh('shop', '2024-03-07')});
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE query LIKE 'customer_tier.refresh of shop%: waiting for its turn%'}) or die 'the third does not wait';
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'customer_tier.refresh of shop, run %: waiting for its turn%' ORDER BY backend_start DESC LIMIT 1});
$third->{session}->finish;
like(${ $third->{err} }, qr/57014/, 'who waits can be cancelled');
open_gate();
$_->{session}->finish foreach $refresh, $second;
is(${ $refresh->{err} } . ${ $second->{err} }, '', 'one after the other');
is(sql(q{SELECT as_of FROM shop.run WHERE is_current}), '2024-03-06', 'the second is what is published');
$before = sql($ratings);

# ---- maintenance is no other run

my $vacuum = start_session(q{SET vacuum_cost_delay = 100}, q{SET vacuum_cost_limit = 1}, 'VACUUM (ANALYZE) shop.history');
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'shop.history'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted}) or die 'VACUUM does not begin';
sleep 1;
my $blocked = sql(q{SELECT count(*) FROM pg_locks WHERE relation = 'shop.history'::regclass AND mode = 'ShareUpdateExclusiveLock'});
sql(q{SET default_transaction_isolation = 'repeatable read'; CALL customer_tier.refresh('shop', '2024-03-06', wait => false)});
$vacuum->{session}->finish;
is($blocked, '1', 'VACUUM was at the histories');
is(sql(q{SELECT status FROM shop.run ORDER BY run_id DESC LIMIT 1}), 'published', 'wait => false waits for VACUUM, and then works');

# ---- ended from outside: the ratings stay, the row goes, the record tells

foreach ([ 'cancelled', 'pg_cancel_backend', 'failed|57014|check,wait' ], [ 'killed', 'pg_terminate_backend', 'running||' ])
{
	my ($name, $end, $record) = @$_;

	shut_gate();
	$refresh = start_refresh(q{CALL customer_tier.refresh('shop', '2024-04-01')});
	sql("SELECT $end(pid) FROM customer_tier.refresh_progress");
	$refresh->{session}->finish;
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_locks WHERE relation = 'shop.history'::regclass}) or die 'the refresh does not end';
	is(sql($progress), '', "$name: the row is gone");
	is(sql($ratings), $before, "$name: the ratings stay");
	is(sql(q{SELECT status, error_code, (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(phases) k) FROM shop.run ORDER BY run_id DESC LIMIT 1}), $record, "$name: the record tells how far it came");
	open_gate();
}

# ---- no room on disk for temporary files

sql(q{
	CREATE TABLE many AS SELECT n % 50000 AS customer_id, date '2024-01-01' + n % 60 AS at, n % 89 AS amount FROM generate_series(1, 300000) n;
	UPDATE shop.settings SET source_name = 'many'});
like(failure(q{SET temp_file_limit = '1MB'}, q{SET work_mem = '64kB'}, q{SET maintenance_work_mem = '1MB'}, q{SET hash_mem_multiplier = 1}, q{CALL customer_tier.refresh('shop', '2024-04-01')}),
	qr/^ERROR:  53400: temporary file size exceeds temp_file_limit/, 'temporary files find no room: it fails');
is(sql(q{SELECT status, error_code, error ~ 'temp_file_limit', jsonb_typeof(phases->'check'->'seconds') FROM shop.run ORDER BY run_id DESC LIMIT 1}), 'failed|53400|t|number', 'on record');
is(sql($ratings), $before, 'the ratings stay');
sql(q{CALL customer_tier.refresh('shop', '2024-04-01')});
is(sql('SELECT count(*) FROM shop.ratings'), '50000', 'with room the next one works');
is(sql(q{SELECT (phases->'read'->>'rows', phases->'publish'->>'rows') FROM shop.run WHERE is_current}), '(300000,50000)', 'and keeps what its phases counted');
is(sql(q{SELECT string_agg(k, ' ' ORDER BY k) FROM shop.run, jsonb_object_keys(phases) k WHERE is_current AND (phases->k->>'seconds')::numeric >= 0}), 'check fit measure publish read score wait', 'and took');
is(sql(q{SELECT count(*) FROM shop.run WHERE status = 'running'}), '0', 'what was killed is marked');

# ---- progress never stands in the way

sql(q{UPDATE shop.settings SET source_name = 'gated'; CALL customer_tier.refresh('shop', '2024-04-01')});
$before = sql($ratings);
my $altering = start_session('BEGIN', 'ALTER SEQUENCE shop.progress_state CACHE 1', 'SELECT pg_advisory_lock(78)', 'SELECT pg_sleep(120)');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 78 AND granted}) or die 'the sequence is not locked';
sql(q{SET statement_timeout = '60s'; CALL customer_tier.refresh('shop', '2024-04-01')});
is(sql(q{SELECT status FROM shop.run ORDER BY run_id DESC LIMIT 1}), 'published', 'a sequence that is locked is not waited for');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 78});
$altering->{session}->finish;
foreach ([ 'too small', 'ALTER SEQUENCE shop.progress_state MAXVALUE 10 START 1 RESTART' ], [ 'not there', 'DROP SEQUENCE shop.progress_state' ], [ 'a table', 'CREATE TABLE shop.progress_state AS SELECT 1 AS last_value' ])
{
	my ($name, $statement) = @$_;

	sql($statement);
	shut_gate();
	$refresh = start_refresh(q{CALL customer_tier.refresh('shop', '2024-04-01')});
	is(sql($progress), '', "a sequence that is $name: nothing is shown");
	open_gate();
	$refresh->{session}->finish;
	is(${ $refresh->{err} }, '', "a sequence that is $name: the refresh works");
}
is(sql($ratings), $before, 'the ratings are the same');

# ---- what each phase says

sub notices
{
	my ($setting, $call) = @_;
	local $ENV{PGOPTIONS} = "-c customer_tier.refresh_notices=$setting";
	my $said = start_session($call);
	$said->{session}->finish;
	return ${ $said->{err} } =~ s/^LOCATION.*\n//mgr;
}
my $said = join '', map { "NOTICE:  00000: shop: $_ in \\d+\\.\\d s\n" } 'checked the program', 'read \d+ rows', 'chose the models', 'measured the scales of 500 buyers', 'scored the forecasts', 'published \d+ changes';
like(notices('on', q{CALL customer_tier.refresh('shop', '2024-04-02')}), qr/^$said$/, 'a refresh says what each phase did');
shut_gate();
sql(q{UPDATE shop.settings SET source_name = 'gated'});
$refresh = start_refresh(q{CALL customer_tier.refresh('shop', '2024-04-02')});
$second = start_session('SET customer_tier.refresh_notices = on', q{CALL customer_tier.fit('shop', '2024-04-02')});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'customer_tier.fit of shop%: waiting for its turn%'}) or die 'the fit does not wait';
sleep 1;
open_gate();
$_->{session}->finish foreach $refresh, $second;
like(${ $second->{err} }, qr/^NOTICE:  00000: shop: waited \d+\.\d s for its turn$/m, 'and who waited says so');
like(notices('on', q{CALL customer_tier.fit('shop', '2024-04-02')}), qr/^NOTICE:  00000: shop: checked the program in .*\nNOTICE:  00000: shop: fitted the models in \d+\.\d s\n$/, 'and so does a fit');
is(notices('off', q{CALL customer_tier.refresh('shop', '2024-04-02')}), '', 'unless told not to');
like(failure(q{CALL customer_tier.refresh('shop', '2024-04-02')}, 'SET customer_tier.refresh_notice = on'), qr/invalid configuration parameter name "customer_tier.refresh_notice"/, 'a setting that does not exist is refused')
  if sql(q{SELECT current_setting('server_version_num')::int >= 150000}) eq 't';

done_testing();
