# What was built is what is installed: the version of the control file is the
# extension's and the library's, everything made belongs to the extension, and
# dropping it leaves nothing behind.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $control = slurp_file('customer_tier.control');
my ($version) = $control =~ /^default_version\s*=\s*'([^']+)'/m;
ok($version, 'the control file names a version');

my $node = PostgreSQL::Test::Cluster->new('build');
$node->init;
$node->start;

# How much there is in the catalogs an extension can add to.
my $everything = q{
	SELECT (SELECT count(*) FROM pg_class) || ' ' || (SELECT count(*) FROM pg_proc)
		|| ' ' || (SELECT count(*) FROM pg_type) || ' ' || (SELECT count(*) FROM pg_operator)
		|| ' ' || (SELECT count(*) FROM pg_namespace) || ' ' || (SELECT count(*) FROM pg_opclass)
		|| ' ' || (SELECT count(*) FROM pg_cast) || ' ' || (SELECT count(*) FROM pg_description)};

my $before = $node->safe_psql('postgres', $everything);
$node->safe_psql('postgres', 'CREATE EXTENSION customer_tier');

is( $node->safe_psql(
		'postgres',
		q{SELECT extversion FROM pg_extension WHERE extname = 'customer_tier'}),
	$version,
	'the version installed is the one of the control file');

is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'customer_tier'::regnamespace
		  AND oid NOT IN (SELECT objid FROM pg_depend
			WHERE deptype = 'e' AND classid = 'pg_proc'::regclass)}),
	'0',
	'every function in the schema belongs to the extension');

is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_proc
		  WHERE oid IN (SELECT objid FROM pg_depend WHERE deptype = 'e'
			AND classid = 'pg_proc'::regclass AND refclassid = 'pg_extension'::regclass
			AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'customer_tier'))
		  AND pronamespace <> 'customer_tier'::regnamespace}),
	'0',
	'every function of the extension is in its schema');

$node->safe_psql('postgres', q{LOAD '$libdir/customer_tier'});
pass('the library loads');

$node->safe_psql('postgres', 'DROP EXTENSION customer_tier CASCADE');
is($node->safe_psql('postgres', $everything),
	$before, 'DROP EXTENSION leaves nothing behind');

my ($ret, $out, $err) = $node->psql('postgres', 'CREATE SCHEMA customer_tier; CREATE EXTENSION customer_tier');
isnt($ret, 0, 'a schema customer_tier prepared by somebody else is not adopted');
like($err, qr/schema "customer_tier" already exists/, 'and the error says so');

$node->stop;
done_testing();
