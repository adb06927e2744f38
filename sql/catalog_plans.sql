-- What is asked of databite's tables is read from their indexes, however much history there is.
-- Every statement in a transaction of its own, whose reads are counted: no table that grows is read as a whole.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE regress_plans LOGIN;
GRANT USAGE ON SCHEMA databite TO regress_plans;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO regress_plans;

-- 2,000 jobs, 20,000 runs; every tenth is of one job.  Nothing has been analyzed yet.
ALTER TABLE databite.run SET (autovacuum_enabled = off);
ALTER TABLE databite.job SET (autovacuum_enabled = off);
ALTER TABLE databite.rejected_item SET (autovacuum_enabled = off);
ALTER TABLE databite.job_total SET (autovacuum_enabled = off);
INSERT INTO databite.job (job_id, owner, definition, search_path, enabled, next_run_at)
SELECT 'plan_' || i, 'regress_plans',
	jsonb_build_object('id', 'plan_' || i, 'source', '{"type": "inline", "items": [{"id": 1}]}'::jsonb,
		'destination', '{"type": "database", "table": "plans", "schema": {"id": "integer"}, "key": "id"}'::jsonb),
	'public', true, now() + interval '1 year' + i * interval '1 s'
FROM generate_series(1, 2000) AS i;
INSERT INTO databite.run (job_id, owner, status, trigger, queued_at, started_at, finished_at, error)
SELECT 'plan_' || CASE WHEN i % 10 = 0 THEN 1 ELSE 2 + i % 1999 END, 'regress_plans',
	CASE WHEN i % 50 = 7 THEN 'failed' WHEN i % 100 = 3 THEN 'skipped' ELSE 'completed' END, 'schedule', f, f, f,
	CASE WHEN i % 50 = 7 THEN '{"code": "http_status"}'::jsonb END
FROM generate_series(1, 20000) AS i, LATERAL (SELECT now() - interval '20 days' + i * interval '1 min' AS f) AS t;
INSERT INTO databite.rejected_item (job_id, owner, run_id, step, error_code, message)
SELECT job_id, owner, run_id, 'main', '23514', 'x' FROM databite.run WHERE job_id LIKE 'plan_%' AND status = 'completed';
INSERT INTO databite.job_total
SELECT job_id, s, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, now() FROM databite.job, unnest('{completed,failed,cancelled}'::text[]) AS s
WHERE job_id LIKE 'plan_%';

-- Runs a statement, undoes it, and names it if it read a table sequentially or more than 500 rows.
CREATE FUNCTION reads(OUT sequential bigint, OUT fetched bigint) LANGUAGE sql VOLATILE AS $$
	SELECT sum(seq_scan), sum(idx_tup_fetch) FROM pg_stat_xact_user_tables
	WHERE schemaname = 'databite' AND relname IN ('run', 'job', 'job_total', 'rejected_item')
$$;
CREATE PROCEDURE look(statement text) LANGUAGE plpgsql AS $$
DECLARE
	before record;
	after record;
BEGIN
	SELECT * INTO before FROM reads();
	EXECUTE statement;
	SELECT * INTO after FROM reads();
	IF after.sequential > before.sequential OR after.fetched - before.fetched > 500 THEN
		RAISE WARNING '%: % sequential, % rows', statement,
			after.sequential - before.sequential, after.fetched - before.fetched;
	END IF;
	ROLLBACK;
END;
$$;
CREATE PROCEDURE look_at_all() LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	FOREACH statement IN ARRAY ARRAY[
		$s$SELECT databite.get_job_status('plan_1')$s$,
		$s$SELECT databite.get_job_status('plan_77')$s$,
		$s$SELECT databite.get_job_history('plan_1')$s$,
		$s$SELECT databite.get_job_history('plan_1', 20, 'completed')$s$,
		$s$SELECT databite.get_job_history('plan_1', 20, 'partial')$s$,
		$s$SELECT databite.get_job_history('plan_77', 20, 'failed')$s$,
		$s$SELECT databite.get_job_metrics('plan_77')$s$,
		$s$SELECT databite.get_job_metrics('plan_1', '5 hours')$s$,
		$s$SELECT databite.get_job_metrics('plan_1', '6 days 10 hours')$s$,
		$s$SELECT * FROM databite.metrics WHERE job_id = 'plan_77'$s$,
		$s$SELECT * FROM databite.jobs ORDER BY job_id LIMIT 20$s$,
		$s$SELECT * FROM databite.jobs WHERE job_id = 'plan_5'$s$,
		$s$SELECT * FROM databite.runs ORDER BY run_id DESC LIMIT 20$s$,
		$s$SELECT * FROM databite.runs WHERE job_id = 'plan_77' ORDER BY run_id DESC LIMIT 20$s$,
		$s$SELECT * FROM databite.rejected_items WHERE job_id = 'plan_77' ORDER BY id DESC LIMIT 20$s$,
		$s$SELECT * FROM databite.rejected_items ORDER BY id DESC LIMIT 20$s$,
		$s$SELECT * FROM databite.progress$s$,
		$s$SELECT databite.enqueue_job('plan_5')$s$,
		$s$SELECT databite.cancel_job('plan_1')$s$,
		$s$DO $d$ BEGIN PERFORM databite.enqueue_job('plan_5'), databite.cancel_job('plan_5'); END $d$ $s$,
		$s$SELECT databite.pause_job('plan_1')$s$,
		$s$SELECT databite.unschedule_job('plan_1')$s$,
		$s$SELECT databite.reset_job('plan_1')$s$,
		$s$SELECT databite.schedule_job('{"id": "plan_1", "source": {"type": "inline", "items": [{"id": 1}]},
			"destination": {"type": "database", "table": "plans", "schema": {"id": "integer"}, "key": "id"}}')$s$
	] LOOP
		CALL look(statement);
	END LOOP;
END;
$$;

-- As the superuser, and as the jobs' owner, who sees the rows by row security: no statement is named.
CALL look_at_all();
SET ROLE regress_plans;
CALL look_at_all();
RESET ROLE;

-- The same when statistics are there.
VACUUM ANALYZE databite.run, databite.job, databite.job_total, databite.rejected_item;
CALL look_at_all();
SET ROLE regress_plans;
CALL look_at_all();

-- Rejected items are counted, by the index alone; and so are runs of a period found.
CALL look($s$SELECT * FROM databite.metrics WHERE job_id = 'plan_1'$s$);
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT sum(records_processed) FROM databite.runs
WHERE job_id = 'plan_1' AND finished_at >= databite.period_begin('7 days') AND status <> 'skipped';
RESET enable_bitmapscan;

-- What is seen is one's own, and what no view shows is not to be read.
SELECT count(*) FROM databite.runs;
SELECT count(*) FROM databite.rejected_items WHERE job_id NOT LIKE 'plan_%';
SELECT pid FROM databite.run LIMIT 1;
SELECT search_path FROM databite.job LIMIT 1;
SELECT context FROM databite.rejected_item LIMIT 1;
RESET ROLE;
CREATE ROLE regress_plans_other;
GRANT USAGE ON SCHEMA databite TO regress_plans_other;
SET ROLE regress_plans_other;
SELECT (SELECT count(*) FROM databite.runs) AS runs, (SELECT count(*) FROM databite.jobs) AS jobs,
	(SELECT count(*) FROM databite.rejected_items) AS items, (SELECT count(*) FROM databite.progress) AS progress;
DELETE FROM databite.runs;
RESET ROLE;

ALTER TABLE databite.run RESET (autovacuum_enabled);
ALTER TABLE databite.job RESET (autovacuum_enabled);
ALTER TABLE databite.rejected_item RESET (autovacuum_enabled);
ALTER TABLE databite.job_total RESET (autovacuum_enabled);
DELETE FROM databite.job WHERE job_id LIKE 'plan_%';
DELETE FROM databite.job_total WHERE job_id LIKE 'plan_%';
DELETE FROM databite.rejected_item WHERE job_id LIKE 'plan_%';
DELETE FROM databite.run WHERE job_id LIKE 'plan_%';
DROP PROCEDURE look_at_all(), look(text);
DROP FUNCTION reads();
DROP OWNED BY regress_plans, regress_plans_other;
DROP ROLE regress_plans, regress_plans_other;
