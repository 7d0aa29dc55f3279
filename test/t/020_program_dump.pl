# A program survives what happens to databases: dump and restore in every way,
# the extension dropped and created again, its schema dropped while orders go on
# being written.
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
my $node = server_start('program_dump');

# Everything a reader sees, a rating as of an earlier day, and what was said about it.
my $ratings = q{SELECT coalesce(string_agg(r::text, E'\n' ORDER BY customer_id), '') FROM "Retail".ratings r};
my $replay = q{SELECT string_agg(r::text, E'\n' ORDER BY customer_id) FROM "Retail".rate('2024-06-15') r};
my $histories = q{SELECT string_agg(h::text, E'\n' ORDER BY customer_id) FROM "Retail".history h};
my $models = q{SELECT string_agg(m::text || coalesce(customer_tier.param(m.fitted, CASE m.kind WHEN 'spend' THEN 'p' ELSE 'r' END)::text, ''), E'\n' ORDER BY model_id) FROM "Retail".model m};
my $ledger = q{SELECT string_agg(c::text, E'\n' ORDER BY model_id, decile, month) FROM "Retail".calibration c};
my $comments = q{
	SELECT string_agg(c.relname || '.' || a.attname || ': ' || col_description(c.oid, a.attnum), E'\n' ORDER BY c.relname, a.attname)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relnamespace = '"Retail"'::regnamespace AND c.relkind IN ('r', 'v')};

$node->safe_psql(
	'postgres', q{
	CREATE ROLE shopkeeper;
	GRANT CREATE ON DATABASE postgres TO shopkeeper;
	CREATE TABLE orders (customer_id bigint, at timestamptz, amount numeric(12,2), margin real);
	CREATE TABLE customers (id bigint);
	INSERT INTO orders (customer_id, at, amount, margin)
	SELECT n % 50, timestamptz '2024-01-01 00:00+00' + n * interval '11 hours', n % 83 - 4, nullif(n % 9, 0) / 11.0 FROM generate_series(1, 400) n WHERE n % 50 > n % 31;
	INSERT INTO customers SELECT generate_series(0, 60);
	GRANT SELECT ON orders, customers TO shopkeeper;
	INSERT INTO customer_tier.tier_preset VALUES ('mine', 1, 'pawn', 'Pawn', '兵', NULL), ('mine', 2, 'queen', 'Queen', '后', 70);
	INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to)
	VALUES ('mine', 1, 'here', 'Here', '在', 4, 3, 4), ('mine', 2, 'gone', 'Gone', '去', 4, 1, 2);
	SET ROLE shopkeeper;
	SELECT customer_tier.create_program('Retail', 'orders', 'customer_id', 'at', 'amount', purchase_model => 'mbg/nbd', margin_column => 'margin', customers => 'customers', customers_key => 'id',
		segment_map => 'mine', preset => 'mine', time_zone => 'Asia/Shanghai');
	UPDATE "Retail".tier SET label = 'Her Majesty' WHERE code = 'queen';
	GRANT USAGE ON SCHEMA "Retail" TO PUBLIC;
	GRANT SELECT ON "Retail".ratings TO PUBLIC});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('Retail', '2024-05-31')});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('Retail', '2024-06-30')});

my %before = map { $_ => $node->safe_psql('postgres', $_) } ($ratings, $replay, $histories, $models, $ledger, $comments);
like($before{$ratings}, qr/Her Majesty/, 'there is something to lose');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(DISTINCT model_id), count(DISTINCT m.as_of), bool_and(m.status = 'ok'), count(f.scored_at) > 0, (SELECT count(clv) > 30 FROM "Retail".ratings)
		FROM "Retail".model m LEFT JOIN "Retail".forecast f USING (model_id)}),
	'4|2|t|t|t', 'models and a ledger, too');

$node->command_ok([ 'pg_dumpall', '-h', $node->host, '-p', $node->port, '--globals-only', '-f', "$dir/globals.sql" ], 'the roles are dumped');

# A new server with the roles, and databases restored into it.
my $other = PostgreSQL::Test::Cluster->new('program_restore');
$other->init;
$other->start;
$other->psql('postgres', slurp_file("$dir/globals.sql"), on_error_stop => 0);

sub dump_it
{
	my ($file, @options) = @_;
	$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', "$dir/$file", @options, 'postgres' ], "pg_dump @options");
	return;
}

sub restore_it
{
	my ($db, @files) = @_;
	$other->safe_psql('postgres', "CREATE DATABASE $db");
	restore_into($db, $_) foreach @files;
	return;
}

sub restore_into
{
	my ($db, $file) = @_;
	$other->command_ok([ 'psql', '-h', $other->host, '-p', $other->port, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$file", $db ],
		"$file is restored into $db");
	return;
}

sub is_as_before
{
	my ($server, $db, $what) = @_;
	is($server->safe_psql($db, $_->[1]), $before{ $_->[1] }, "$what: $_->[0]")
	  foreach ([ 'ratings', $ratings ], [ 'replay', $replay ], [ 'histories', $histories ], [ 'models', $models ], [ 'ledger', $ledger ], [ 'comments', $comments ]);
	return;
}

# Another refresh of the same orders changes nothing, and one more order does.
sub goes_on
{
	my ($server, $db, $what) = @_;
	is($server->safe_psql($db, q{SELECT count(*) FROM customer_tier.check_program('Retail')}), '0', "$what: nothing is wrong");
	$server->safe_psql($db, q{SET ROLE shopkeeper; CALL customer_tier.refresh('Retail', '2024-06-30')});
	is($server->safe_psql($db, q{SELECT changed FROM "Retail".run WHERE is_current}), '0', "$what: a refresh changes nothing");
	is($server->safe_psql($db, $ratings), $before{$ratings}, "$what: the ratings after it");
	$server->safe_psql($db, q{INSERT INTO orders (customer_id, at, amount) VALUES (60, '2024-06-30', 10)});
	$server->safe_psql($db, q{SET ROLE shopkeeper; CALL customer_tier.refresh('Retail', '2024-06-30')});
	is($server->safe_psql($db, q{SELECT orders FROM "Retail".ratings WHERE customer_id = 60}), '1', "$what: a new order counts");
	$server->safe_psql($db, q{DELETE FROM orders WHERE customer_id = 60});
	return;
}

# ---- whole

dump_it('whole.sql');
restore_it('whole', 'whole.sql');
is_as_before($other, 'whole', 'whole');
is($other->safe_psql('whole', q{SELECT name, schema FROM customer_tier.program}), 'Retail|Retail', 'whole: the program is registered');
is($other->safe_psql('whole', q{SELECT count(*) FROM customer_tier.tier_preset WHERE preset = 'mine'}), '2', 'whole: own presets came along');
is($other->safe_psql('whole', q{SELECT count(*) FROM customer_tier.segment_map WHERE map = 'mine'}), '2', 'whole: own maps came along');
is($other->safe_psql('whole', q{SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'Retail'}), 'shopkeeper', 'whole: the owner is the same');
goes_on($other, 'whole', 'whole');

# ---- schema only, then data only; in the custom format too

dump_it('schema.sql', '--schema-only');
dump_it('data.sql', '--data-only');
restore_it('parts', 'schema.sql', 'data.sql');
is_as_before($other, 'parts', 'in parts');
goes_on($other, 'parts', 'in parts');

dump_it('custom.dump', '-Fc');
$other->safe_psql('postgres', 'CREATE DATABASE custom');
$other->command_ok([ 'pg_restore', '-h', $other->host, '-p', $other->port, '-j', '2', '-d', 'custom', '--exit-on-error', "$dir/custom.dump" ],
	'pg_restore with two jobs');
is_as_before($other, 'custom', 'custom format');
goes_on($other, 'custom', 'custom format');

# ---- without the order table: the ratings are there, a refresh says what is
# missing and leaves them, and goes on when the orders are back

dump_it('no_orders.sql', '-T', 'public.orders', '-T', 'public.customers');
restore_it('no_orders', 'no_orders.sql');
is($other->safe_psql('no_orders', $ratings), $before{$ratings}, 'without the orders: ratings');
my ($status, $out, $err) = $other->psql('no_orders', q{CALL customer_tier.refresh('Retail', '2024-06-30')});
like($err, qr/relation public\.orders does not exist/, 'without the orders: a refresh says so');
like($err, qr/HINT:/, 'without the orders: with a hint');
is($other->safe_psql('no_orders', $ratings), $before{$ratings}, 'without the orders: the ratings stay');
is($other->safe_psql('no_orders', q{SELECT status, error_code FROM "Retail".run ORDER BY run_id DESC LIMIT 1}), 'failed|42P01', 'without the orders: the failure is on record');
dump_it('orders.sql', '-t', 'public.orders', '-t', 'public.customers');
restore_into('no_orders', 'orders.sql');
goes_on($other, 'no_orders', 'without the orders');

# ---- the program's schema alone, adopted

dump_it('alone.sql', '-n', '"Retail"');
$other->safe_psql('postgres', 'CREATE DATABASE alone');
$other->safe_psql('alone', 'CREATE EXTENSION customer_tier');
restore_into('alone', 'alone.sql');
restore_into('alone', 'orders.sql');
$other->safe_psql(
	'alone', q{
	INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to)
	VALUES ('mine', 1, 'here', 'Here', '在', 4, 3, 4), ('mine', 2, 'gone', 'Gone', '去', 4, 1, 2)});
($status, $out, $err) = $other->psql('alone', q{CALL customer_tier.refresh('Retail')});
like($err, qr/program "Retail" does not exist/, 'alone: it is not registered');
is($other->safe_psql('alone', q{SET ROLE shopkeeper; SELECT customer_tier.adopt_program('Retail')}), 'Retail', 'alone: adopted');
is_as_before($other, 'alone', 'alone');
goes_on($other, 'alone', 'alone');
is($other->safe_psql('alone', q{SET ROLE shopkeeper; SELECT customer_tier.adopt_program('Retail')}), 'Retail', 'adopting twice is no error');

# ---- DROP EXTENSION CASCADE: yesterday's ratings stay readable

($status, $out, $err) = $node->psql('postgres', 'DROP EXTENSION customer_tier');
like($err, qr/other objects depend on it/, 'the extension is not dropped under a program by accident');
my $plain_columns = $node->safe_psql('postgres', q{SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '"Retail".ratings'::regclass AND attname <> ALL (customer_tier.predictions())});
my $plain = "SELECT string_agg((ROW($plain_columns))::text, E'\\n' ORDER BY customer_id) FROM \"Retail\".ratings";
my $rows = $node->safe_psql('postgres', $plain);
$node->safe_psql('postgres', q{CREATE VIEW queens AS SELECT customer_id, tier, clv FROM "Retail".ratings WHERE tier = 'queen'});
my $tiers = q{SELECT string_agg((tier, tier_label, members, share, revenue)::text, E'\n' ORDER BY tier_rank) FROM "Retail".tiers};
my $members = $node->safe_psql('postgres', $tiers);
my $queens = $node->safe_psql('postgres', 'SELECT count(*), count(tier) FROM queens');
$node->safe_psql('postgres', 'DROP EXTENSION customer_tier CASCADE');
is($node->safe_psql('postgres', $plain), $rows, 'without the extension: the ratings are readable');
is($node->safe_psql('postgres', $tiers), $members, 'without the extension: and the tiers');
is($node->safe_psql('postgres', 'SELECT count(*), count(tier) FROM queens'), $queens, 'without the extension: views over the ratings stay');
($status, $out, $err) = $node->psql('postgres', 'SELECT customer_id, clv FROM queens');
like($err, qr/customer_tier.* does not exist/, 'without the extension: but predictions are not to be had');
is($node->safe_psql('postgres', $ledger), $before{$ledger}, 'without the extension: the ledger is readable');
is($node->safe_psql('postgres', q{SELECT count(*) FROM "Retail".model WHERE fitted->'params' ? 'r'}), '2', 'without the extension: the models are readable');
$node->safe_psql('postgres', q{INSERT INTO orders (customer_id, at, amount) VALUES (7, '2031-01-01', 10); DELETE FROM orders WHERE at > '2030-01-01'});
$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION customer_tier;
	INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to)
	VALUES ('mine', 1, 'here', 'Here', '在', 4, 3, 4), ('mine', 2, 'gone', 'Gone', '去', 4, 1, 2)});
is($node->safe_psql('postgres', q{SET ROLE shopkeeper; SELECT customer_tier.adopt_program('Retail')}), 'Retail', 'created again: adopted');
is($node->safe_psql('postgres', $ratings), $before{$ratings}, 'created again: the ratings before any refresh, with predictions');
cmp_ok($node->safe_psql('postgres', 'SELECT count(clv) FROM queens'), '>', 0, 'created again: also in views over them');
$node->safe_psql('postgres', 'DROP VIEW queens');
goes_on($node, 'postgres', 'created again');
$node->safe_psql('postgres', q{CALL customer_tier.refresh('Retail', '2024-06-30')});
is_as_before($node, 'postgres', 'created again');

# ---- histories that went with the extension are built anew, whatever the tracking

$node->safe_psql(
	'postgres', q{
	CREATE DATABASE marked;
	\c marked
	CREATE EXTENSION customer_tier;
	CREATE TABLE orders (customer_id int, at date, amount numeric, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
	INSERT INTO orders (customer_id, at, amount) SELECT i % 50, date '2024-01-01' + i % 60, i % 33 FROM generate_series(1, 900) AS i;
	CREATE INDEX ON orders (customer_id);
	SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'at', 'amount', purchase_model => 'none', tracking => 'watermark', watermark => 'id', watermark_lag => '0');
	CALL customer_tier.refresh('shop', '2024-03-01');
	CALL customer_tier.refresh('shop', '2024-03-02');
	DROP EXTENSION customer_tier CASCADE;
	CREATE EXTENSION customer_tier;
	SELECT customer_tier.adopt_program('shop');
	CALL customer_tier.refresh('shop', '2024-03-03')});
is($node->safe_psql('marked', 'SELECT build, (SELECT count(history) FROM shop.history), (SELECT count(*) FROM shop.ratings) FROM shop.run WHERE is_current'),
	'full|50|50', 'watermark: all histories are there again');
$node->safe_psql('postgres', 'DROP DATABASE marked');

# ---- orders go on being written while the schema is dropped, refreshed or not

append_to_file("$dir/write.sql", "INSERT INTO orders (customer_id, at, amount) VALUES (3, now(), 5);\n");
my $writers = IPC::Run::start(
	[ 'pgbench', '-h', $node->host, '-p', $node->port, '-n', '-T', '4', '-c', '2', '-f', "$dir/write.sql", 'postgres' ],
	'>', \my $bench_out, '2>', \my $bench_err);
$node->poll_query_until('postgres', q{SELECT count(*) > 450 FROM orders});
$node->safe_psql('postgres', q{CALL customer_tier.refresh('Retail')});
$node->safe_psql('postgres', 'DROP SCHEMA "Retail" CASCADE');
my $written = $node->safe_psql('postgres', 'SELECT count(*) FROM orders');
$writers->finish;
is($writers->result(0), 0, 'nobody who writes orders noticed');
unlike($bench_err, qr/ERROR/, 'not a single order failed');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM orders'), '>', $written, 'orders were written after the schema was gone');
is($node->safe_psql('postgres', q{SELECT customer_tier.drop_program('Retail')}), 'Retail', 'and the stale program can be struck off');
$node->safe_psql('postgres', 'DROP EXTENSION customer_tier');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'customer_tier'}), '0', 'the extension goes without CASCADE when no program is left');

done_testing();
