-- What jobs have done: of a period (get_job_metrics), and in all (databite.metrics).
SET client_min_messages = warning;
\set VERBOSITY terse
SET timezone = 'UTC';
CREATE ROLE regress_metrics;
GRANT USAGE ON SCHEMA databite TO regress_metrics;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO regress_metrics;

--
-- a period: what has ended in it, whenever it began
--
-- Minutes ago: when it began and ended; NULL: it has not.
CREATE FUNCTION add_run(status text, began numeric, ended numeric, processed int DEFAULT 0, error jsonb DEFAULT NULL, trigger text DEFAULT 'schedule')
RETURNS void LANGUAGE sql AS $$
	INSERT INTO databite.run (job_id, owner, status, trigger, started_at, finished_at, records_processed, records_rejected, requests, retries, bytes_received, error)
	VALUES ('of_period', 'regress_metrics', status, trigger, now() - began * interval '1 min', now() - ended * interval '1 min',
		processed, processed / 10, 3, 1, processed * 100, error)
$$;
SET ROLE regress_metrics;
SELECT * FROM databite.get_job_metrics('of_period');
RESET ROLE;
SELECT add_run('completed', 20000, 19990, 1, '{"message": "long ago"}');
SELECT add_run('completed', 100, 50, 6000);
SELECT add_run('partial', 30, 29, 600, '{"message": "partial"}');
SELECT add_run('failed', 20, 19, 60, '{"message": "failed"}');
-- never began: it could not be started, or somebody cancelled it while it waited
SELECT add_run('failed', NULL, 18, 0, '{"message": "not started"}');
SELECT add_run('cancelled', NULL, 17, 0, '{"message": "cancelled while it waited"}');
SELECT add_run('cancelled', 16, 15, 6);
-- noticed an hour later; how long it took is not known
SELECT add_run('crashed', 75, 14, 12, '{"message": "crashed"}');
SELECT add_run('completed', 13, 12, 0, NULL, 'resume');
SELECT add_run('skipped', NULL, 11, 0, '{"message": "skipped"}');
SELECT add_run('running', 10, NULL, 500);
SELECT add_run('queued', NULL, NULL);
SET ROLE regress_metrics;
\x
SELECT * FROM databite.get_job_metrics('of_period');
SELECT * FROM databite.get_job_metrics('of_period', '1 hour');
SELECT * FROM databite.get_job_metrics('of_period', '16.5 minutes');
SELECT * FROM databite.get_job_metrics('of_period', '0');
\x
-- longer than history, than the calendar; all there is
SELECT p, (SELECT m.runs FROM databite.get_job_metrics('of_period', p::interval) AS m)
FROM unnest('{1 month,10000 years,178000000 years,NULL,-1 month 40 days}'::text[]) AS p;
SELECT runs FROM databite.get_job_metrics('of_period', '-1 second');
SELECT runs FROM databite.get_job_metrics('of_period', '1 month -40 days');
SELECT runs FROM databite.get_job_metrics(NULL);
RESET ROLE;
DELETE FROM databite.run WHERE job_id = 'of_period';

--
-- in all: each run once, by how it ended
--
CREATE TABLE metrics_rows (id int PRIMARY KEY, name text);
CREATE FUNCTION job(items jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', 'in_all', 'enabled', false, 'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', '{"type": "database", "table": "metrics_rows", "mode": "upsert"}'::jsonb) || more
$$;
-- of the view what is not zero, but for times
CREATE FUNCTION numbers() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s %s', key, value)
	FROM databite.metrics AS m, jsonb_each(to_jsonb(m))
	WHERE m.job_id = 'in_all' AND value NOT IN ('0', 'null') AND key NOT IN ('job_id', 'owner')
		AND key !~ 'seconds'
	ORDER BY key COLLATE "C"
$$;
SELECT databite.schedule_job(job('[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]'));
SELECT numbers();
SELECT last_run_success IS NULL AND last_run_duration_seconds IS NULL AND last_success_age_seconds IS NULL AND next_run_seconds IS NULL
	AND oldest_queued_seconds IS NULL AS nothing_yet FROM databite.metrics WHERE job_id = 'in_all';
SELECT status FROM databite.execute_job('in_all');
CALL databite.run_job('in_all');
SELECT numbers();
SELECT last_run_duration_seconds > 0 AS last_run, last_success_age_seconds >= 0 AS last_success, run_seconds_total > last_run_duration_seconds AS all_runs
	FROM databite.metrics WHERE job_id = 'in_all';

-- what was undone never was: a dry run, and a transaction that is rolled back
SELECT status FROM databite.execute_job('in_all', true);
BEGIN;
SELECT status FROM databite.execute_job('in_all');
SELECT numbers() INTERSECT SELECT 'runs_completed_total 3';
ROLLBACK;
SELECT numbers() INTERSECT SELECT 'runs_completed_total 2';

-- failed, partial, cancelled while it waited (twice at once), replayed
ALTER TABLE metrics_rows ADD CONSTRAINT no_d CHECK (name <> 'd');
SELECT databite.schedule_job(job('[{"id": 3, "name": "c"}, {"id": 4, "name": "d"}]'));
SELECT status FROM databite.execute_job('in_all');
SELECT databite.schedule_job(job('[{"id": 3, "name": "c"}, {"id": 4, "name": "d"}]', '{"errorHandling": {"strategy": "partial_success"}}'));
SELECT status FROM databite.execute_job('in_all');
BEGIN;
SELECT count(databite.enqueue_job('in_all')) FROM generate_series(1, 2);
SELECT queued_runs, waiting_events, oldest_queued_seconds >= 0 AS waits FROM databite.metrics WHERE job_id = 'in_all';
SELECT databite.cancel_job('in_all');
COMMIT;
SELECT numbers();
SELECT last_success_age_seconds AS age FROM databite.metrics WHERE job_id = 'in_all' \gset
ALTER TABLE metrics_rows DROP CONSTRAINT no_d;
SELECT status FROM databite.replay_rejected('in_all');
SELECT last_success_age_seconds >= :age AS "a replay brings nothing up to date" FROM databite.metrics WHERE job_id = 'in_all';
SELECT numbers();

-- they do not go with history
CREATE TEMP TABLE before AS SELECT numbers() AS n;
DELETE FROM databite.rejected_item WHERE job_id = 'in_all';
DELETE FROM databite.run WHERE job_id = 'in_all';
(SELECT n FROM before EXCEPT SELECT numbers()) UNION ALL (SELECT numbers() EXCEPT SELECT n FROM before);
-- nor when the job is replaced or reset
SELECT databite.schedule_job(job('[]', '{"enabled": true, "schedule": {"type": "interval", "days": 7}}'));
SELECT databite.reset_job('in_all');
SELECT numbers() EXCEPT SELECT n FROM before;
SELECT next_run_seconds BETWEEN 0 AND 604801 AS next_run FROM databite.metrics WHERE job_id = 'in_all';

-- but with the job
SELECT databite.unschedule_job('in_all');
SELECT numbers();
SELECT databite.schedule_job(job('[]'));
SELECT numbers();
BEGIN;
SELECT databite.enqueue_job('in_all') IS NULL AS run;
SELECT databite.unschedule_job('in_all');
COMMIT;
SELECT count(*) FROM databite.job_total AS t WHERE job_id = 'in_all';

--
-- who sees what
--
CREATE ROLE regress_metrics_other;
CREATE ROLE regress_metrics_monitor;
GRANT pg_monitor TO regress_metrics_monitor;
GRANT USAGE ON SCHEMA databite TO regress_metrics_other, regress_metrics_monitor;
GRANT EXECUTE ON FUNCTION databite.metrics_text(), databite.get_job_metrics(text, interval) TO regress_metrics_other, regress_metrics_monitor;
GRANT CREATE ON SCHEMA public TO regress_metrics;
SET ROLE regress_metrics;
SELECT databite.schedule_job(job('[]') || '{"id": "seen"}');
SELECT job_id, owner, enabled FROM databite.metrics;
SELECT count(*) FROM databite.job_total;
SELECT databite.unschedule_job('seen');
SELECT databite.schedule_job(job('[]') || '{"id": "seen"}');
SET ROLE regress_metrics_other;
SELECT count(*) FROM databite.metrics;
SELECT databite.metrics_text() ~ 'seen';
SELECT runs FROM databite.get_job_metrics('seen');
SET ROLE regress_metrics_monitor;
SELECT job_id, owner, enabled FROM databite.metrics WHERE job_id = 'seen';
SELECT schedulers BETWEEN 0 AND 1 AS schedulers, max_workers > 0 AS max_workers FROM databite.database_metrics;
SELECT line FROM regexp_split_to_table(databite.metrics_text(), '\n') AS line WHERE line ~ '^databite_(info|up)|job_(enabled|pages).*(seen|gauge|counter)';
RESET ROLE;

-- every metric says what it is
SELECT attrelid::regclass, attname FROM pg_attribute
WHERE attrelid IN ('databite.metrics'::regclass, 'databite.database_metrics'::regclass) AND attnum > 0
	AND attname NOT IN ('job_id', 'owner') AND col_description(attrelid, attnum) IS NULL;

-- whatever a session has set
SET extra_float_digits = -15;
SET search_path = pg_temp;
SELECT databite.metrics_text() ~ 'databite_job_run_seconds_total\{job_id="seen",owner="regress_metrics"\} 0' AS text;
RESET search_path;
RESET extra_float_digits;

-- every table may be published
SELECT c.oid::regclass FROM pg_class AS c WHERE relnamespace = 'databite'::regnamespace AND relkind = 'r' AND relreplident = 'd'
	AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary);

SELECT databite.unschedule_job('seen');
DROP TABLE metrics_rows;
DROP FUNCTION add_run, job, numbers;
DELETE FROM databite.run WHERE job_id IN ('in_all', 'seen');
DELETE FROM databite.rejected_item WHERE job_id = 'in_all';
DROP OWNED BY regress_metrics, regress_metrics_other, regress_metrics_monitor;
DROP ROLE regress_metrics, regress_metrics_other, regress_metrics_monitor;
