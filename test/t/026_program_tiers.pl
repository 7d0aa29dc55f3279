# Tiers among other sessions: who listens hears counts only, workers share the
# events among them, prepared transactions, a dump restored in the middle of a
# customer's grace, and a standby that asks what if.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = server_start('program_tiers', 'max_prepared_transactions = 2', 'max_connections = 20', 'wal_level = replica', 'max_wal_senders = 4');

$node->safe_psql(
	'postgres', q{
	CREATE TABLE orders AS SELECT customer_id, ordered_at::date AS day, amount FROM customer_tier.demo_orders(400, 500, 3);
	SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'day', 'amount', purchase_model => 'none', time_zone => 'UTC');
	UPDATE shop.tier_policy SET grace_days = 40, hold_days = 30, coming_days = 20});
$node->safe_psql('postgres', qq{CALL customer_tier.refresh('shop', '$_')}) foreach ('2024-08-31', '2024-09-30', '2024-10-31');

# ---- one notification a run, with counts

my (undef, $heard) = $node->psql('postgres', qq{LISTEN customer_tier;\nCALL customer_tier.refresh('shop', '2024-11-30');\nSELECT 1;});
my @heard = $heard =~ /Asynchronous notification "customer_tier" with payload "(\{.*\})"/g;
is(scalar(@heard), 1, 'one notification a run');
my $counts = $node->safe_psql('postgres', q{SELECT format('{"program" : "shop", "as_of" : "2024-11-30", "run_id" : %s, "upgrades" : %s, "downgrades" : %s, "coming_downgrades" : %s}',
	run_id, upgrades, downgrades, (SELECT count(*) FROM shop.tier_event e WHERE e.run_id = run.run_id AND kind = 'coming_downgrade')) FROM shop.run WHERE is_current});
is($heard[0], $counts, 'with what is in the run, and nothing of any customer');

my ($status, undef, $said) = $node->psql('postgres', q{BEGIN; CALL customer_tier.refresh('shop', '2024-12-01'); PREPARE TRANSACTION 'tiers'});
like($said, qr/cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY/, 'a transaction that notifies cannot be prepared');
$node->safe_psql('postgres', q{UPDATE shop.tier_policy SET notify = false});
$node->safe_psql('postgres', q{BEGIN; CALL customer_tier.refresh('shop', '2024-12-01'); PREPARE TRANSACTION 'tiers'});
is($node->safe_psql('postgres', q{SELECT DISTINCT as_of FROM shop.ratings}), '2024-11-30', 'prepared: nobody sees it yet');
$node->safe_psql('postgres', q{COMMIT PREPARED 'tiers'});
is($node->safe_psql('postgres', q{SELECT DISTINCT as_of FROM shop.ratings}), '2024-12-01', 'switched off, it can be prepared and committed');

# ---- workers take each event once

my $events = $node->safe_psql('postgres', q{SELECT count(*) FROM shop.tier_event WHERE acknowledged_at IS NULL});
cmp_ok($events, '>', 50, 'there are events to share');
$node->safe_psql('postgres', q{CREATE TABLE taken (worker int, event_id bigint)});
append_to_file("$dir/work.sql", "INSERT INTO taken SELECT :client_id, event_id FROM customer_tier.acknowledge_events('shop', 'worker ' || :client_id, 3);\n");
$node->command_ok([ 'pgbench', '-h', $node->host, '-p', $node->port, '-n', '-c', '4', '-j', '2', '-t', int($events / 6) + 2, '-f', "$dir/work.sql", 'postgres' ], 'four workers at once');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT event_id) FROM taken}), "$events|$events", 'took every event once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shop.tier_event e JOIN taken t USING (event_id) WHERE e.acknowledged_by <> 'worker ' || t.worker}), '0', 'and each is marked with who took it');

# ---- a dump goes on where the original does

$node->safe_psql('postgres', q{SELECT customer_tier.set_override('shop', (SELECT min(customer_id) FROM shop.scored_rating WHERE tier = 'bronze'), 'gold', 'promised', '2024-12-10')});
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM shop.ratings WHERE tier_reason IN ('grace', 'hold')}), '>', 0, 'somebody is failing');
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-Fc', '-f', "$dir/shop.dump", 'postgres' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-h', $node->host, '-p', $node->port, '-d', 'restored', "$dir/shop.dump" ], 'restored');
foreach my $day ('2024-12-15', '2025-01-20')
{
	$node->safe_psql($_, qq{CALL customer_tier.refresh('shop', '$day')}) foreach ('postgres', 'restored');
}
my $history = q{SELECT string_agg((h.customer_id, h.valid_from, h.valid_to, h.tier, h.reason, h.score, h.previous_tier, h.changed_by)::text, E'\n' ORDER BY h.customer_id, h.valid_from) FROM shop.tier_history h};
is($node->safe_psql('restored', $history), $node->safe_psql('postgres', $history), 'the same moves in both');
is($node->safe_psql('restored', q{SELECT count(*) FROM customer_tier.verify('shop')}), '0', 'and nothing is wrong with them');

# ---- a standby answers what if

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('program_tiers_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $matrix = q{SELECT string_agg(m::text, E'\n' ORDER BY from_rank, to_rank) FROM customer_tier.simulate_matrix('shop', '{"tiers": {"gold": {"min_score": 75}}}') m};
is($standby->safe_psql('postgres', $matrix), $node->safe_psql('postgres', $matrix), 'simulate_matrix() on a standby');
my $replayed = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id, valid_from)) FROM customer_tier.replay('shop', '2024-06-30', '2024-12-31') r};
is($standby->safe_psql('postgres', $replayed), $node->safe_psql('postgres', $replayed), 'replay() on a standby');
$standby->stop;

$node->stop;
done_testing();
