# Damaged binary histories: whatever comes in over the wire is either refused as
# an invalid binary representation or is exactly what would have been sent, and
# the server lives.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $node = server_start('history_binary');
my $file = $node->basedir . '/one.copy';

# Histories of many shapes: empty, one day, refunds only, large, long, BC.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE original (n serial, h customer_tier.purchase_history);
	INSERT INTO original (h) VALUES ('{}'), ('{"2024-01-05":[1,29.33]}'), ('{"2024-01-05":[0,-1,1]}'),
		('{"4714-11-24 BC":[2,0]}'), ('{"5874897-12-31":[1,1]}'),
		('{"2024-01-05":[3,170141183460469231731687303715884.105727]}'),
		('{"2024-01-05":[1,-20,30],"2024-01-06":[999999999999999999,5]}');
	INSERT INTO original (h) SELECT customer_tier.purchases(ordered_at, amount, 'UTC')
	FROM customer_tier.demo_orders(40, 730, 1) GROUP BY customer_id;
	CREATE TABLE arrived (h customer_tier.purchase_history);
	CREATE TABLE outcome (n int, i int, sent bytea, state text, same boolean);

	CREATE FUNCTION random(salt text, below int) RETURNS int LANGUAGE sql IMMUTABLE AS
		'SELECT (hashtextextended(salt, 7) & 1073741823) % greatest(below, 1)::int';

	-- One of the ways in which bytes get lost.
	CREATE FUNCTION damage(b bytea, salt text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
	DECLARE
		length int := length(b);
		place int := random(salt || 'place', length);
		byte int := random(salt || 'byte', 256);
	BEGIN
		CASE random(salt || 'way', 7)
			WHEN 0 THEN RETURN substr(b, 1, place);
			WHEN 1 THEN RETURN set_byte(b, place, byte);
			WHEN 2 THEN RETURN set_byte(b, place, get_byte(b, place) # (1 << (byte % 8)));
			WHEN 3 THEN RETURN substr(b, 1, place) || set_byte('\x00', 0, byte) || substr(b, place + 1);
			WHEN 4 THEN RETURN substr(b, 1, place) || substr(b, place + 2);
			WHEN 5 THEN RETURN b || substr(b, place + 1);
			-- a run of ones: varints that do not end, or are too long
			ELSE RETURN substr(b, 1, place + 1) || decode(repeat('ff', byte % 25), 'hex') || '\x01';
		END CASE;
	END $$;});

# The damaged bytes come in by COPY, as from a client.
$node->safe_psql(
	'postgres', qq{
	CREATE FUNCTION receive(n int, i int, b bytea) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		-- the binary form of bytea is its bytes
		EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', b, '$file');
		DELETE FROM arrived;
		COPY arrived FROM '$file' (FORMAT binary);
		INSERT INTO outcome SELECT n, i, b, '00000', customer_tier.history_send(h) = b
			AND h::text::customer_tier.purchase_history OPERATOR(customer_tier.=) h FROM arrived;
	EXCEPTION WHEN OTHERS THEN
		INSERT INTO outcome VALUES (n, i, b, SQLSTATE);
	END \$\$;
	SELECT receive(n, 0, customer_tier.history_send(h)) FROM original;
	SELECT receive(n, i, damage(customer_tier.history_send(h), n || '.' || i))
	FROM original, generate_series(1, 60) i});

is( $node->safe_psql(
		'postgres', q{SELECT count(*), count(*) FILTER (WHERE state = '00000' AND same) FROM outcome WHERE i = 0}),
	'47|47',
	'undamaged histories arrive as they were sent');
is( $node->safe_psql(
		'postgres', q{
		SELECT state, count(*) > 100, count(*) FILTER (WHERE NOT same) FROM outcome WHERE i > 0
		GROUP BY state ORDER BY state}),
	"00000|t|0\n22P03|t|0",
	'damaged ones are refused as invalid, or are what would have been sent');

done_testing();
