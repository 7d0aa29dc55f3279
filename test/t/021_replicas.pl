# The ratings elsewhere: read on a hot standby, and published by logical
# replication to a server with the extension, and to one without it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->start;
$primary->safe_psql(
	'postgres', q{
	CREATE EXTENSION customer_tier;
	CREATE TABLE orders (customer_id int, at date, amount numeric);
	INSERT INTO orders SELECT n % 300, date '2024-01-01' + n % 97, n % 89 - 3 FROM generate_series(1, 2000) n;
	SELECT customer_tier.create_program('shop', 'orders', 'customer_id', 'at', 'amount')});
$primary->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-01')});

# What a reader sees.
my $ratings = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)), count(*) FROM shop.ratings r};

# ---- hot standby

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $ratings), $primary->safe_psql('postgres', $ratings), 'standby: the ratings of the primary');

$primary->safe_psql('postgres', q{INSERT INTO orders SELECT n, date '2024-03-30', 500 FROM generate_series(1, 50) n});
$primary->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-03-31')});
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $ratings), $primary->safe_psql('postgres', $ratings), 'standby: those of the next refresh');

foreach my $query (
	q{SELECT customer_id, score, tier FROM shop.rate('2024-03-31', (SELECT run_id FROM shop.run WHERE is_current))},
	q{SELECT customer_id, score, tier FROM shop.rate('2024-02-15')},
	q{SELECT score, tier FROM customer_tier.rate_customer('shop', 17, '2024-03-31')},
	q{SELECT * FROM customer_tier.explain_rating('shop', 17)},
	q{SELECT * FROM customer_tier.check_program('shop')},
	q{SELECT customer_id, orders, monetary, history FROM shop.features('2024-03-15')})
{
	my ($status, $there, $err) = $standby->psql('postgres', "$query ORDER BY 1");
	is("$there$err", $primary->safe_psql('postgres', "$query ORDER BY 1"), "standby: $query");
}

foreach my $call (q{CALL customer_tier.refresh('shop', '2024-03-31')}, q{BEGIN; CALL customer_tier.refresh('shop', '2024-03-31')}, q{CALL customer_tier.fit('shop', '2024-03-31')})
{
	my ($status, $out, $err) = $standby->psql('postgres', $call);
	isnt($status, 0, "standby: $call fails");
	like($err, qr/cannot execute .* (in a read-only transaction|during recovery)/, 'standby: and says why');
}
is($standby->safe_psql('postgres', $ratings), $primary->safe_psql('postgres', $ratings), 'standby: nothing came of it');

# ---- logical replication

my @published = map { "shop.$_" } qw(rating rating_score run model segment tier grade);
my $ready = q{SELECT count(*) = %s AND bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel};
my $connection = $primary->connstr('postgres') =~ s/'/''/gr;
my @dump = ('pg_dump', '-h', $primary->host, '-p', $primary->port, '--schema-only', '--no-publications');
$primary->safe_psql('postgres', 'CREATE PUBLICATION ratings FOR TABLE ' . join(', ', @published));
is( $primary->safe_psql(
		'postgres', q{
		SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_publication_rel p JOIN pg_class c ON c.oid = p.prrelid
		WHERE c.relreplident = 'd' AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)}),
	'grade, model, rating, rating_score, run, segment, tier', 'published tables are identified by their primary keys');

# A subscriber with the extension has the view.
my $whole = $primary->basedir . '/shop.sql';
$primary->command_ok([ @dump, '-n', 'shop', '-f', $whole, 'postgres' ], 'the schema is dumped');
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->start;
$subscriber->safe_psql('postgres', 'CREATE EXTENSION customer_tier');
$subscriber->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $subscriber->host, '-p', $subscriber->port, '-f', $whole, 'postgres' ], 'it can be created where the extension is');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION ratings CONNECTION '$connection' PUBLICATION ratings");
$subscriber->poll_query_until('postgres', sprintf($ready, 7)) or die 'the tables are not copied';
is($subscriber->safe_psql('postgres', $ratings), $primary->safe_psql('postgres', $ratings), 'subscriber: the ratings of the publisher, predictions, too');
is($subscriber->safe_psql('postgres', q{SELECT count(clv) > 200 FROM shop.ratings}), 't', 'subscriber: which there are');

# One without it has the table.
my $stored = q{SELECT md5(string_agg(r::text, E'\n' ORDER BY customer_id)), count(*) FROM shop.scored_rating r};
my $tables = $primary->basedir . '/tables.sql';
$primary->command_ok([ @dump, (map { ('-t', $_) } qw(shop.rating shop.rating_score shop.scored_rating shop.run)), '-f', $tables, 'postgres' ], 'three tables and a view are dumped');
$primary->safe_psql('postgres', 'CREATE PUBLICATION stored FOR TABLE shop.rating, shop.rating_score, shop.run');
my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init(allows_streaming => 'logical');
$plain->start;
$plain->safe_psql('postgres', 'CREATE SCHEMA shop');
$plain->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $plain->host, '-p', $plain->port, '-f', $tables, 'postgres' ], 'they can be created without the extension');
is($plain->safe_psql('postgres', q{SELECT count(*) FROM pg_extension WHERE extname = 'customer_tier'}), '0', 'which is not there');
$plain->safe_psql('postgres', "CREATE SUBSCRIPTION stored CONNECTION '$connection' PUBLICATION stored");
$plain->poll_query_until('postgres', sprintf($ready, 3)) or die 'the tables are not copied';
is($plain->safe_psql('postgres', $stored), $primary->safe_psql('postgres', $stored), 'subscriber without the extension: what is stored');
is($plain->safe_psql('postgres', 'SELECT as_of FROM shop.run WHERE is_current'), '2024-03-31', 'subscriber without the extension: and of which day');

# The next refresh: inserts, updates and deletes, in one transaction.
$subscriber->safe_psql(
	'postgres', q{
	CREATE TABLE seen (xact xid8, as_of date);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (pg_current_xact_id(), new.as_of); RETURN NULL; END $$;
	CREATE TRIGGER note AFTER UPDATE ON shop.run FOR EACH ROW WHEN (new.is_current AND NOT old.is_current) EXECUTE FUNCTION note();
	ALTER TABLE shop.run ENABLE ALWAYS TRIGGER note;
	CREATE TABLE changed (xact xid8);
	CREATE FUNCTION note_rating() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.changed VALUES (pg_current_xact_id()); RETURN NULL; END $$;
	CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON shop.rating FOR EACH ROW EXECUTE FUNCTION note_rating();
	ALTER TABLE shop.rating ENABLE ALWAYS TRIGGER note});
$primary->safe_psql(
	'postgres', q{
	DELETE FROM orders WHERE customer_id BETWEEN 100 AND 110;
	INSERT INTO orders SELECT n, date '2024-04-03', 700 FROM generate_series(290, 320) n;
	UPDATE shop.segment SET label = 'Best of all' WHERE code = 'champions'});
$primary->safe_psql('postgres', q{CALL customer_tier.refresh('shop', '2024-04-05')});
$primary->wait_for_catchup($_) foreach qw(ratings stored);
is($subscriber->safe_psql('postgres', $ratings), $primary->safe_psql('postgres', $ratings), 'subscriber: those of the next refresh, with rows that came and went');
is($subscriber->safe_psql('postgres', q{SELECT count(DISTINCT c.xact), (SELECT count(*) FROM seen), count(DISTINCT s.as_of), count(*) > 100 FROM changed c JOIN seen s USING (xact)}),
	'1|1|1|t', 'subscriber: they came in one transaction');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM shop.ratings WHERE segment_label = 'Best of all'}),
	$primary->safe_psql('postgres', q{SELECT count(*) FROM shop.ratings WHERE segment_label = 'Best of all'}), 'subscriber: labels, too');
is($plain->safe_psql('postgres', $stored), $primary->safe_psql('postgres', $stored), 'subscriber without the extension: those of the next refresh');

done_testing();
