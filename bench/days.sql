-- Thirty days on which nothing new comes: what is written all the same, and by how
-- much the ratings grow, with their scores; also where a prediction, which moves for everyone every
-- day, is a dimension of the score.  Expects :people.  Autovacuum is off on this server.

\set ours 'SET max_parallel_workers_per_gather = 2; SET jit = off; SET work_mem = ''1GB''; SET maintenance_work_mem = ''256MB'';'

CREATE TABLE quiet AS
	SELECT customer_id, ordered_at, amount::numeric(12,2) AS amount FROM customer_tier.demo_orders(:people, 730, 7) ORDER BY ordered_at;
VACUUM (FREEZE, ANALYZE) quiet;
CREATE INDEX ON quiet (customer_id);

CREATE TABLE bench.days (program text, day int, changed bigint, size bigint, dead bigint, seconds float8);

-- One day more, and what it left behind.
CREATE PROCEDURE bench.note_day(program text, day int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_stat_clear_snapshot();
	EXECUTE format('INSERT INTO bench.days SELECT %1$L, %2$s, changed, pg_total_relation_size(''%1$I.rating'') + pg_total_relation_size(''%1$I.rating_score''),
		pg_stat_get_dead_tuples(''%1$I.rating''::regclass) + pg_stat_get_dead_tuples(''%1$I.rating_score''::regclass),
		extract(epoch FROM finished_at - started_at) FROM %1$I.run WHERE is_current', program, day);
END $$;

SELECT bench.make_program(p, CASE WHEN p LIKE 'model%' THEN 'mbg/nbd' ELSE 'none' END, 'public.quiet', 'triggers')
FROM unnest('{plain,plain_swept,model,model_swept,model_scored}'::text[]) p;
SELECT customer_tier.set_scorecard('model_scored', (SELECT jsonb_agg(jsonb_build_object('feature', f)) FROM unnest('{recency,frequency,monetary,average_order,tenure,refund_rate,clv}'::text[]) f));
:ours
SELECT statement
FROM unnest('{plain,plain_swept,model,model_swept,model_scored}'::text[]) p, generate_series(0, 30) day,
	LATERAL (VALUES (1, format('CALL customer_tier.refresh(%L, %L)', p, date '2024-12-31' + day)),
		(2, CASE WHEN day = 0 THEN format('VACUUM (ANALYZE) %1$I.rating, %1$I.rating_score', p) END),
		-- the counts of dead rows come a moment later
		(3, 'SELECT pg_sleep(0.02)'),
		(4, format('CALL bench.note_day(%L, %s)', p, day)),
		(5, CASE WHEN p LIKE '%swept' AND day > 0 THEN format('VACUUM %1$I.rating, %1$I.rating_score', p) END)) s (step, statement)
WHERE statement IS NOT NULL
ORDER BY p, day, step \gexec
