# A scorecard survives what happens to databases and people: dump and restore,
# the extension dropped, readers without rights on what lies beneath, refreshes
# beside questions, names nobody would choose; and real customers.
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
my $node = server_start('program_scorecard');

sub query { return $node->safe_psql('postgres', $_[0]); }

# ---- a card with names that nobody would choose

my $name = q{nobody's "100 %s" %1$I $query$ \n } . "\n-- 推荐意愿 \t; SELECT 1/0;";
my $relation = q{"their %s ""things"""."a "" $$ %I ' --"};
query(
	qq{
	CREATE ROLE keeper;
	CREATE ROLE reader;
	GRANT CREATE ON DATABASE postgres TO keeper;
	CREATE TABLE orders (customer text COLLATE "C", day date, amount numeric);
	INSERT INTO orders SELECT 'No. ' || c, date '2024-01-01' + (c * 31 + n * 17) % 360, 10 + (c * 7 + n * 13) % 90 FROM generate_series(1, 300) c, generate_series(0, c % 7) n;
	CREATE SCHEMA "their %s ""things""";
	CREATE TABLE $relation ("k ""e"" %1\$s y" text, "v % ""1""" numeric, "d % ay" timestamptz);
	INSERT INTO $relation SELECT 'No. ' || c, c % 10, '2024-06-01' FROM generate_series(1, 280) c;
	CREATE TABLE credit (customer varchar(20) PRIMARY KEY, overdue int);
	INSERT INTO credit SELECT 'No. ' || c, c % 120 FROM generate_series(1, 300) c;
	GRANT USAGE ON SCHEMA "their %s ""things""" TO keeper;
	GRANT SELECT ON orders, credit, $relation TO keeper;
	SET ROLE keeper;
	SELECT customer_tier.create_program('Card "%s"', 'orders', 'customer', 'day', 'amount', schema => 'card', time_zone => 'UTC', purchase_model => 'none')});
query(
	qq{
	SET ROLE keeper;
	SELECT customer_tier.set_grades('Card "%s"', jsonb_build_array(jsonb_build_object('code', E'top''\\n; SELECT 1/0; -- %s', 'min_score', 60), jsonb_build_object('code', 'mid', 'min_score', 30), jsonb_build_object('code', 'low')));
	SELECT customer_tier.set_scorecard('Card "%s"', jsonb_build_array(
		jsonb_build_object('feature', 'revenue', 'weight', 2),
		jsonb_build_object('feature', 'recency', 'method', 'score'),
		jsonb_build_object('name', \$n\$$name\$n\$, 'label', \$n\$$name\$n\$, 'relation', \$n\$$relation\$n\$, 'column', 'v % "1"', 'key', 'k "e" %1\$s y', 'day', 'd % ay', 'method', 'z_score'),
		jsonb_build_object('name', 'overdue', 'relation', 'public.credit', 'column', 'overdue', 'key', 'customer', 'higher_is_better', false, 'method', 'min_max', 'floor', 90, 'floor_grade', 'low')))});
query(q{SET ROLE keeper; CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
is( query(q{SELECT count(*), count(score), count(DISTINCT score) > 100, count(DISTINCT grade) FROM card.ratings}), '300|300|t|3', 'hostile names: everybody has a score and a grade');
is( query(qq{SELECT count(*) FROM card.run_dimension WHERE name = \$n\$$name\$n\$ AND customers = 280}), '1', 'hostile names: the dimension was measured under its name');
is( query(q{SELECT count(*) FILTER (WHERE total = score), count(*) FROM (SELECT r.score, (SELECT sum(contribution) FROM customer_tier.explain_rating('Card "%s"', r.customer_id)) AS total FROM card.ratings r) x}),
	'300|300', 'hostile names: everybody explained');
is( query(q{SELECT count(*) FROM customer_tier.score_drift('Card "%s"') WHERE psi = 0}), '5', 'hostile names: drift');
is( query(q{SET ROLE keeper; SELECT count(*) FROM customer_tier.weigh_scorecard('Card "%s"', 'critic') WHERE weight > 0}), '4', 'hostile names: weights');
query(q{SET ROLE keeper; CALL customer_tier.refresh('Card "%s"', '2024-12-31'); CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
is( query(q{SELECT count(*) FROM customer_tier.check_program('Card "%s"')}), '0', 'hostile names: nothing is wrong');

# ---- who may do what

query(q{GRANT USAGE ON SCHEMA card TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA card TO reader});
my $explained = q{SELECT string_agg(e::text, E'\n') FROM customer_tier.explain_rating('Card "%s"', 'No. 93') e};
my $drift = q{SELECT string_agg(e::text, E'\n') FROM customer_tier.score_drift('Card "%s"') e};
is(query("SET ROLE reader; $explained"), query($explained), 'who may read the program has ratings explained, without a right on the relations');
is(query("SET ROLE reader; $drift"), query($drift), 'and drift, of what was published');
foreach my $call (
	q{SELECT * FROM customer_tier.rate_customer('Card "%s"', 'No. 93')},
	q{SELECT customer_tier.set_scorecard('Card "%s"', 'rfm')},
	q{SELECT customer_tier.set_grades('Card "%s"', '[{"code": "A"}]')},
	q{SELECT customer_tier.weigh_scorecard('Card "%s"', 'equal')},
	q{SELECT customer_tier.set_reference('Card "%s"')},
	q{SELECT * FROM customer_tier.rating_parity('Card "%s"', 'credit', 'overdue', 'customer')})
{
	my ($status, $out, $err) = $node->psql('postgres', "SET ROLE reader; $call");
	like($err, qr/permission denied/, "but not: $call");
}
query(q{CREATE ROLE stranger});
my ($status, $out, $err) = $node->psql('postgres', "SET ROLE stranger; $explained");
like($err, qr/permission denied for schema card/, 'nor has a stranger anything explained');
($status, $out, $err) = $node->psql('postgres',
	q{SET ROLE keeper; SELECT customer_tier.set_scorecard('Card "%s"', '[{"name": "x", "relation": "pg_catalog.pg_authid", "column": "oid", "key": "rolname"}]')});
like($err, qr/permission denied to read column "oid" of pg_authid/, 'a card reads nothing that its owner may not');
# a relation that loses its grant stops the refresh, which runs as the owner
query(q{REVOKE SELECT ON credit FROM keeper});
($status, $out, $err) = $node->psql('postgres', q{CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
like($err, qr/permission denied to read column "overdue" of (public\.)?credit.*HINT:  GRANT SELECT/s, 'a refresh has the rights of its owner, and says which one is missing');
query(q{GRANT SELECT ON credit TO keeper});

# ---- dump and restore

query(q{INSERT INTO customer_tier.scorecard_preset VALUES ('mine', 1, 'orders', 2)});
my $ratings = q{SELECT string_agg(r::text, E'\n' ORDER BY customer_id) FROM card.ratings r};
my $card = q{SELECT (SELECT string_agg(d::text, E'\n' ORDER BY name) FROM card.dimension d), (SELECT string_agg(g::text, E'\n' ORDER BY grade_rank) FROM card.grade g),
	(SELECT string_agg(w::text, E'\n' ORDER BY weighting_id) FROM card.weighting w), (SELECT string_agg(d::text, E'\n' ORDER BY run_id, "position") FROM card.run_dimension d), (SELECT s::text FROM card.scorecard s)};
my $replay = q{SELECT string_agg(r::text, E'\n' ORDER BY customer_id) FROM card.rate('2024-06-15') r};
my $live = q{SELECT r::text FROM customer_tier.rate_customer('Card "%s"', 'No. 93', '2024-12-31') r};
my @all = ([ 'ratings', $ratings ], [ 'card', $card ], [ 'replay', $replay ], [ 'explanation', $explained ], [ 'one customer', $live ], [ 'drift', $drift ]);
my %before = map { $_->[1] => query($_->[1]) } @all;
$node->command_ok([ 'pg_dumpall', '-h', $node->host, '-p', $node->port, '--globals-only', '-f', "$dir/globals.sql" ], 'the roles are dumped');
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-Fc', '-f', "$dir/card.dump", 'postgres' ], 'the database is dumped');
my $other = PostgreSQL::Test::Cluster->new('scorecard_restore');
$other->init;
$other->start;
$other->psql('postgres', slurp_file("$dir/globals.sql"), on_error_stop => 0);
$other->safe_psql('postgres', 'CREATE DATABASE restored');
$other->command_ok([ 'pg_restore', '-h', $other->host, '-p', $other->port, '-j', '2', '-d', 'restored', '--exit-on-error', "$dir/card.dump" ], 'and restored');
is($other->safe_psql('restored', $_->[1]), $before{ $_->[1] }, "restored: $_->[0]") foreach @all;
is($other->safe_psql('restored', q{SELECT count(*) FROM customer_tier.scorecard_preset WHERE preset = 'mine'}), '1', 'restored: own presets of cards');
$other->safe_psql('restored', q{SET ROLE keeper; CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
is($other->safe_psql('restored', q{SELECT changed FROM card.run WHERE is_current}), '0', 'restored: a refresh changes nothing');
is($other->safe_psql('restored', $explained), $before{$explained}, 'restored: explained as before');

# ---- the extension dropped, and a program adopted

my $scores = q{SELECT string_agg((r.customer_id, r.score, r.grade, r.coverage)::text, E'\n' ORDER BY customer_id) FROM card.scored_rating r};
$other->safe_psql('restored', 'DROP EXTENSION customer_tier CASCADE');
is($other->safe_psql('restored', $scores), query($scores), 'without the extension: the ratings are there');
$other->safe_psql('restored', q{CREATE EXTENSION customer_tier; SET ROLE keeper; SELECT customer_tier.adopt_program('card')});
$other->safe_psql('restored', q{SET ROLE keeper; CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
is($other->safe_psql('restored', $ratings), $before{$ratings}, 'adopted: the ratings after a refresh');
is($other->safe_psql('restored', $explained), $before{$explained}, 'adopted: explained as before');
is($other->safe_psql('restored', $live), $before{$live}, 'adopted: one customer');
$other->stop;

# ---- refreshes beside questions: every answer is of the one state or of the other

query(q{CREATE TABLE pulse (customer text, day date, n int); INSERT INTO pulse SELECT 'No. ' || c, '2024-01-01', c % 11 FROM generate_series(1, 300) c; GRANT SELECT ON pulse TO keeper});
query(q{SET ROLE keeper; SELECT customer_tier.set_scorecard('Card "%s"', '[{"feature": "revenue"}, {"name": "pulse", "relation": "public.pulse", "column": "n", "key": "customer", "day": "day", "method": "linear", "parameters": {"low": 0, "high": 10}}]')});
query(q{CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
my $questions = "$dir/questions.sql";
append_to_file($questions, q{SELECT 1 / (sum(contribution) = (SELECT score FROM card.scored_rating WHERE customer_id = 'No. 7'))::int FROM customer_tier.explain_rating('Card "%s"', 'No. 7');
SELECT 1 / (count(*) = 1 AND min(score) BETWEEN 0 AND 100)::int FROM customer_tier.rate_customer('Card "%s"', 'No. 7', '2024-12-31');
SELECT 1 / (count(*) = 3)::int FROM customer_tier.score_drift('Card "%s"');
});
my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', '4', '-h', $node->host, '-p', $node->port, '-f', $questions, 'postgres' ], '<', \undef, '>', \my $said, '2>', \my $failed);
for my $round (1 .. 8)
{
	query("UPDATE pulse SET n = (n + $round) % 11; UPDATE orders SET amount = amount + 1 WHERE customer = 'No. 7'");
	query(q{CALL customer_tier.refresh('Card "%s"', '2024-12-31')});
}
$bench->finish;
unlike($failed, qr/ERROR|aborted/, 'questions beside refreshes: no answer mixes two states');
diag($failed) if $failed =~ /ERROR|aborted/;
like($said, qr/number of transactions actually processed: [1-9][0-9]/, 'and there were answers');

# ---- real customers

my $shared = $ENV{CUSTOMER_TIER_SHARED} || '../shared';
SKIP:
{
	skip("no real data: there is no folder $shared/data (set CUSTOMER_TIER_SHARED)", 6) unless -d "$shared/data";
	my $data = data_dir();
	load_csv($node, 'cdnow', 'customer_id int, day date, cds int, amount numeric', "$data/cdnow_master_log.csv");
	query(q{SELECT customer_tier.create_program('cdnow', 'cdnow', 'customer_id', 'day', 'amount', time_zone => 'UTC', purchase_model => 'none')});
	query(q{SELECT customer_tier.set_scorecard('cdnow', '[{"feature": "recency", "weight": 2}, {"feature": "frequency", "weight": 2}, {"feature": "revenue", "weight": 3}, {"feature": "average_order", "method": "z_score"},
		{"feature": "regularity", "method": "identity"}, {"feature": "trend", "missing": "neutral"}]');
		SELECT customer_tier.set_grades('cdnow', '[{"code": "AAA", "share": 0.01}, {"code": "AA", "share": 0.05}, {"code": "A", "share": 0.2}, {"code": "B"}]')});
	query(q{CALL customer_tier.refresh('cdnow', '1998-06-30')});
	is(query(q{SELECT count(*), count(score), bool_and(score BETWEEN 0 AND 100) FROM cdnow.ratings}), '23570|23570|t', 'CDNOW: everybody is rated');
	is( query(q{SELECT string_agg(grade || ' ' || n, ', ' ORDER BY grade DESC) FROM (SELECT grade, count(*) <= CASE grade WHEN 'AAA' THEN 0.01 WHEN 'AA' THEN 0.04 WHEN 'A' THEN 0.15 ELSE 1 END * 23570 + 50 AS n FROM cdnow.ratings GROUP BY 1) g}),
		'B true, AAA true, AA true, A true', 'CDNOW: shares of grades are not exceeded');
	cmp_ok(query(q{SELECT count(*) FROM cdnow.ratings WHERE grade IN ('AAA', 'AA')}), '<=', 0.05 * 23570, 'CDNOW: the best 5 % are no more than 5 %');
	same_rows($node, q{SELECT customer_id, score FROM cdnow.ratings},
		q{SELECT customer_id, round(((2 * p[1] + 2 * p[2] + 3 * p[3] + p[4] + coalesce(p[5], 0) + p[6]) / (9 + (p[5] IS NOT NULL)::int))::numeric, 4)
		FROM (SELECT customer_id, dimension_points AS p FROM cdnow.rate('1998-06-30')) r}, 'CDNOW: the score is the weighted mean of the points');
	is( query(q{SELECT count(*) FROM (SELECT r.score, (SELECT sum(contribution) FROM customer_tier.explain_rating('cdnow', r.customer_id)) AS total FROM cdnow.ratings r WHERE customer_id % 101 = 0) x WHERE score <> total}),
		'0', 'CDNOW: contributions add up');
	is( query(q{SELECT count(*), count(*) FILTER (WHERE o.score = r.score AND o.grade = r.grade) FROM cdnow.ratings r, LATERAL customer_tier.rate_customer('cdnow', r.customer_id, '1998-06-30') o WHERE r.customer_id % 211 = 0}),
		'111|111', 'CDNOW: one at a time as all at once');
}

done_testing();
