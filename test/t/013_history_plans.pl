# Whatever plan PostgreSQL chooses - serial or parallel, hashed or sorted, in
# memory or spilled, per partition or not - a history is the same bytes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use CustomerTier::Test;
use Test::More;

my $node = server_start('history_plans', 'max_worker_processes = 16', 'max_parallel_workers = 16');

# Orders with refunds, several decimals and NULLs; the same by customer and by
# time in partitions.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE orders AS
	SELECT customer_id AS customer, (ordered_at AT TIME ZONE 'UTC')::date AS day, ordered_at AS at,
		CASE order_id % 50 WHEN 1 THEN NULL WHEN 2 THEN amount / 7 WHEN 3 THEN trunc(amount) ELSE amount END AS amount
	FROM customer_tier.demo_orders(1500, 730, 1) ORDER BY hashint8(order_id);
	CREATE TABLE by_customer (LIKE orders) PARTITION BY HASH (customer);
	CREATE TABLE by_customer_0 PARTITION OF by_customer FOR VALUES WITH (MODULUS 3, REMAINDER 0);
	CREATE TABLE by_customer_1 PARTITION OF by_customer FOR VALUES WITH (MODULUS 3, REMAINDER 1);
	CREATE TABLE by_customer_2 PARTITION OF by_customer FOR VALUES WITH (MODULUS 3, REMAINDER 2);
	INSERT INTO by_customer TABLE orders;
	CREATE TABLE by_time (LIKE orders) PARTITION BY RANGE (day);
	CREATE TABLE by_time_1 PARTITION OF by_time FOR VALUES FROM (MINVALUE) TO ('2023-09-01');
	CREATE TABLE by_time_2 PARTITION OF by_time FOR VALUES FROM ('2023-09-01') TO ('2024-06-01');
	CREATE TABLE by_time_3 PARTITION OF by_time FOR VALUES FROM ('2024-06-01') TO (MAXVALUE);
	INSERT INTO by_time TABLE orders;
	ANALYZE});

my @serial = ('max_parallel_workers_per_gather = 0');
my @parallel = (
	'parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0',
	'parallel_leader_participation = off', 'max_parallel_workers_per_gather = 4');
my @partitionwise = ('enable_partitionwise_aggregate = on');

# What is aggregated; each row of the result is made of bytes only.
my %query = (
	'purchases' =>
	  'SELECT customer, customer_tier.history_send(customer_tier.purchases(day, amount)) AS bytes FROM %s GROUP BY customer',
	'purchases with a zone' => q{SELECT customer,
		customer_tier.history_send(customer_tier.purchases(at, amount, 'Asia/Shanghai')) AS bytes FROM %s GROUP BY customer},
	'purchases_checked' => 'SELECT customer, customer_tier.history_send((c).history) AS bytes, (c).rows, (c).bad FROM (
		SELECT customer, customer_tier.purchases_checked(day, amount) AS c FROM %s GROUP BY customer OFFSET 0) c',
	'rollup' => 'SELECT customer, customer_tier.history_send(customer_tier.rollup(h)) AS bytes FROM (
		SELECT customer, row_history(day, amount) AS h FROM %s) r GROUP BY customer',
	'everybody in one group' =>
	  'SELECT customer_tier.history_send(customer_tier.purchases(day, amount)) AS bytes FROM %s');

# A history of one row, for rollup().
$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION row_history(day date, amount numeric)
	RETURNS customer_tier.purchase_history LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT format('{"%s":[%s]}', day, CASE WHEN amount >= 0 THEN '1,' || round(amount, 6)
		ELSE format('0,%s,%s', round(amount, 6), -round(amount, 6)) END)::customer_tier.purchase_history $$});

# name => [source, what the plan must look like, settings]
my @plan = (
	[ 'hashed, serial', 'orders', qr/HashAggregate/, @serial, 'enable_sort = off' ],
	[ 'sorted, serial', 'orders', qr/GroupAggregate.*Sort/s, @serial, 'enable_hashagg = off' ],
	[   'hashed, spilled to disk', 'orders', qr/HashAggregate.*(Batches: [1-9]\d|Disk Usage)/s,
		@serial, 'enable_sort = off', 'work_mem = 64', 'hash_mem_multiplier = 1' ],
	[ 'hashed, parallel', 'orders', qr/Finalize.*Gather.*Workers Launched: [2-9].*Partial HashAggregate/s,
		@parallel ],
	[ 'sorted, parallel', 'orders', qr/Finalize.*Gather.*Workers Launched: [2-9].*Partial GroupAggregate.*Sort/s,
		@parallel, 'enable_hashagg = off' ],
	[ 'each partition whole', 'by_customer', qr/Append.*HashAggregate.*by_customer_.*HashAggregate/s,
		@serial, @partitionwise, 'enable_sort = off' ],
	[ 'each partition in part', 'by_time', qr/Finalize.*Append.*Partial HashAggregate.*by_time_.*Partial HashAggregate/s,
		@serial, @partitionwise ],
	[ 'each partition in part, parallel', 'by_time', qr/Finalize.*Gather.*Append.*Partial/s,
		@parallel, @partitionwise ]);

foreach my $what (sort keys %query)
{
	my $expected = sprintf($query{$what}, 'orders');

	foreach my $case (@plan)
	{
		my ($name, $source, $shape, @settings) = @$case;
		my $one_group = $what eq 'everybody in one group';
		my $sql = sprintf($query{$what}, $source);
		my $set = join('', map { "SET $_;" } @settings);

		next if $one_group && $shape !~ /Partial/;
		$shape = qr/Finalize.*Partial/s if $one_group;
		my $plan = $node->safe_psql('postgres', "$set EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $sql");
		like($plan, $shape, "$what, $name: the plan");
		$node->safe_psql('postgres', "$set CREATE TABLE got AS $sql; RESET ALL");
		same_rows($node, 'SELECT * FROM got', $expected, "$what, $name: the same bytes");
		$node->safe_psql('postgres', 'DROP TABLE got');
	}
}

# ---- as a window function the aggregate is asked for its result again and again

same_rows(
	$node,
	'SELECT customer, day, h FROM (
		SELECT customer, day, customer_tier.purchases(day, amount) OVER w AS h,
			row_number() OVER (PARTITION BY customer, day) AS n
		FROM orders WHERE customer <= 300 WINDOW w AS (PARTITION BY customer ORDER BY day)) r
	WHERE n = 1 AND h IS NOT NULL',
	'SELECT customer, day, customer_tier.through(h, day) FROM (
		SELECT customer, customer_tier.purchases(day, amount) AS h FROM orders GROUP BY customer) g
	JOIN (SELECT DISTINCT customer, day FROM orders WHERE customer <= 300) d USING (customer)
	WHERE day >= (SELECT min(day) FROM orders o WHERE o.customer = g.customer AND amount IS NOT NULL)',
	'a running history is the history through the day');
same_rows(
	$node,
	'SELECT customer, day, customer_tier.purchases(day, amount) OVER (
		PARTITION BY customer ORDER BY day RANGE BETWEEN \'30 days\' PRECEDING AND CURRENT ROW) AS h
	FROM orders WHERE customer <= 100',
	'SELECT customer, day, (SELECT customer_tier.purchases(w.day, w.amount) FROM orders w
		WHERE w.customer = o.customer AND w.day BETWEEN o.day - 30 AND o.day) FROM orders o WHERE customer <= 100',
	'a history over the last 30 days, at every order');

# ---- beside other aggregates, filtered, distinct, in grouping sets

same_rows(
	$node,
	'SELECT customer, customer_tier.purchases(day, amount), customer_tier.purchases(day, amount) FILTER (WHERE amount > 20),
		customer_tier.purchases(DISTINCT day, amount), count(*)
	FROM orders GROUP BY GROUPING SETS ((customer), ())',
	'SELECT a.customer, a.h, f.h, d.h, a.n FROM (
		SELECT customer, customer_tier.purchases(day, amount) AS h, count(*) AS n FROM orders GROUP BY ROLLUP (customer)) a
	LEFT JOIN (SELECT customer, customer_tier.purchases(day, amount) AS h FROM orders WHERE amount > 20
		GROUP BY ROLLUP (customer)) f ON a.customer IS NOT DISTINCT FROM f.customer
	LEFT JOIN (SELECT customer, customer_tier.purchases(day, amount) AS h
		FROM (SELECT DISTINCT customer, day, amount FROM orders) d GROUP BY customer
		UNION ALL SELECT NULL, customer_tier.purchases(day, amount)
		FROM (SELECT DISTINCT day, amount FROM orders) d) d ON a.customer IS NOT DISTINCT FROM d.customer',
	'with FILTER, DISTINCT and grouping sets');

done_testing();
