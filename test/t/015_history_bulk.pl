# histories() on random orders is purchases_checked() with GROUP BY, whatever
# the keys, their skew and the memory; it takes no more memory than it may; and
# a backend that is ended in the middle leaves no file.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use IPC::Run;
use Test::More;

my $node = server_start('history_bulk', 'shared_buffers = 1MB', 'max_parallel_workers_per_gather = 0');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my $forced = $version >= 160000 ? 'debug_parallel_query = on' : 'force_parallel_mode = on';

# ---- random orders

my $seed = $ENV{CUSTOMER_TIER_SEED} || time % 100000;
note("seed $seed (set CUSTOMER_TIER_SEED to repeat)");
srand($seed);

# How a number becomes a key of each type; of equal keys the least text is shown.
my %key_type = (
	'smallint' => '(n % 65536 - 32768)::smallint',
	'integer' => '(hashint8(n) / 1000 * 1000)::integer',
	'bigint' => 'hashint8extended(n, 7)',
	'date' => q{date '1900-01-01' + (n % 100000)::int},
	'text' => q{repeat(chr(97 + (n % 26)::int), (n % 40)::int) || n},
	'uuid' => 'md5(n::text)::uuid',
	'numeric' => 'n / (ARRAY[1, 1.0, 1.000])[1 + (random() * 2)::int]',
	'double precision' => 'n::float8 / 3');
my @amounts = (
	'(random() * 300 - 10)::numeric(12, 2)', '(random() * 1e6)::numeric', '(random() * 100)::int',
	'(random() * 1e3 - 1)::float8', q{(CASE WHEN random() < 0.1 THEN 'NaN' ELSE random() * 1e14 END)::numeric});
my @days = (
	q{date '2020-01-01' + (random() * 1500)::int},
	q{date '2020-01-01' + (i / 1000)::int},
	q{CASE WHEN random() < 0.05 THEN NULL WHEN random() < 0.2 THEN date '1890-01-01' + (random() * 100000)::int ELSE date '2024-01-01' END},
	q{timestamptz '2020-01-01 00:00+00' + random() * interval '1000 days'});
my @skews = ('(random() * %d)::bigint', '(random() ^ 8 * %d)::bigint', 'CASE WHEN random() < 0.9 THEN 7 ELSE (random() * %d)::bigint END', 'i / 20 + %d * 0');

sub any
{
	return $_[ int(rand(@_)) ];
}

foreach my $type (sort keys %key_type)
{
	foreach my $round (1 .. 3)
	{
		my $rows = int(10**($round == 1 ? rand(2) : 3 + rand(1.9)));
		my $number = sprintf(any(@skews), 10**(1 + rand(4)));
		my ($day, $amount) = (any(@days), any(@amounts));
		my $zone = $day =~ /timestamptz/ ? q{, 'Europe/Berlin'} : '';
		my @settings = ('maintenance_work_mem = ' . any("'1MB'", "'1MB'", "'64MB'"), any($forced, 'work_mem = 4096'));
		my $set = join('', map { "SET $_;" } @settings);

		$node->safe_psql(
			'postgres', qq{
			DROP TABLE IF EXISTS orders, got;
			SELECT setseed(@{[ rand() ]});
			CREATE TABLE orders AS SELECT CASE WHEN random() < 0.99 THEN $key_type{$type} END AS customer, $day AS at, $amount AS amount
			FROM (SELECT i, $number AS n FROM generate_series(1, $rows) AS i) r;
			$set
			CREATE TABLE got AS SELECT (h).* FROM (
				SELECT customer_tier.histories('orders', 'customer', 'at', 'amount', NULL::$type$zone) AS h) b});
		same_rows(
			$node,
			'SELECT customer_id::text, customer_tier.history_send(history) AS bytes, rows, bad FROM got',
			qq{SELECT customer, customer_tier.history_send((c).history), (c).rows, (c).bad FROM (
				SELECT min(customer::text COLLATE "C") AS customer, customer_tier.purchases_checked(at, amount$zone) AS c
				FROM orders GROUP BY orders.customer OFFSET 0) g},
			"$type, $rows rows, @settings");
	}
}

# ---- memory

$node->safe_psql(
	'postgres', q{
	CREATE TABLE many AS SELECT i * 7919 % 200003 AS customer, date '2015-01-01' + (i / 1000)::int AS at, i % 10007 * 0.01 AS amount
	FROM generate_series(1, 1000000::bigint) AS i;
	CREATE TABLE one AS SELECT 1::bigint AS customer, at, amount FROM many;
	CREATE VIEW named AS SELECT 'customer number ' || customer AS customer, at, amount FROM many;
	CREATE TABLE warm AS SELECT * FROM many LIMIT 10;
	VACUUM ANALYZE});

# The most memory that a backend of its own had, in kB, before and after.
sub peak_growth
{
	my ($sql) = @_;
	my $peak = q{SELECT (regexp_match(pg_read_file('/proc/self/status', 0, 20000), 'VmHWM:\s*(\d+)'))[1];};
	my $warm = q{SELECT count(*) FROM customer_tier.histories('warm', 'customer', 'at', 'amount', NULL::bigint) \g /dev/null
		SELECT sum(amount) FROM named \g /dev/null
	};
	my @peak = split(/\n/, $node->safe_psql('postgres', "$warm $peak $sql \\g /dev/null\n $peak"));

	note("$sql: " . ($peak[-1] - $peak[0]) . ' kB');
	return $peak[-1] - $peak[0];
}

SKIP:
{
	skip('memory is only known on Linux', 4) unless -r '/proc/self/status';
	my %key = (many => 'bigint', one => 'bigint', named => 'text');

	foreach my $source (sort keys %key)
	{
		my $sql = "SELECT count(h) FROM (SELECT customer_tier.histories('$source', 'customer', 'at', 'amount', NULL::$key{$source}) AS h) b";

		cmp_ok(peak_growth("SET maintenance_work_mem = '4MB'; $sql"), '<', 6 * 1024, "$source: little memory");
	}
	cmp_ok(peak_growth("SET maintenance_work_mem = '256MB'; SELECT count(h) FROM (SELECT customer_tier.histories('many', 'customer', 'at', 'amount', NULL::bigint) AS h) b"),
		'>', 24 * 1024, 'many: more memory where it may be used, so it is seen');
}

# ---- ended in the middle

$node->safe_psql('postgres', 'CREATE VIEW slow AS SELECT * FROM many UNION ALL SELECT 1, NULL, 1 FROM pg_sleep(100)');
my ($output, $error) = ('', '');
my $reader = IPC::Run::start(
	[ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', q{SET maintenance_work_mem = '1MB'}, '-c',
		q{SELECT count(h) FROM (SELECT customer_tier.histories('slow', 'customer', 'at', 'amount', NULL::bigint) AS h) b} ],
	'>', \$output, '2>', \$error);
ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM pg_ls_tmpdir()'), 'a file is there');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%slow%' AND pid <> pg_backend_pid()});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_ls_tmpdir()'), 'and gone with its backend');
$reader->finish;
like($error, qr/terminating connection/, 'which was told why');

done_testing();
