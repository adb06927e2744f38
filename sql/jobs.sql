-- The life of a job, by the functions that users call.  Nothing here needs the network or a worker.
SET client_min_messages = warning;
CREATE SCHEMA jobs;
SET search_path = jobs, public;
SET timezone = 'UTC';

-- A definition with items of its own; changes are laid over it.
CREATE FUNCTION job(id text, items jsonb, change jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', jsonb_build_object('type', 'database', 'table', 'colours')) || change
$$;

-- What a statement raises, with all that a user sees of it.
CREATE FUNCTION mistake(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN state || ': ' || message || coalesce(E'\nDETAIL: ' || nullif(detail, ''), '') || coalesce(E'\nHINT: ' || nullif(hint, ''), '');
END $$;
\pset format unaligned

SELECT databite.version() ~ '^databite \d+\.\d+, PostgreSQL \d+.*, libcurl [\d.]+ \(.+, async DNS\), json-c [\d.]+$' AS version;

--
-- schedule, run, look
--
CREATE TABLE colours (id int PRIMARY KEY, name text UNIQUE DEFERRABLE INITIALLY DEFERRED);
RESET client_min_messages;
SELECT databite.schedule_job(job('colours', '[{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]', '{"name": "All colours"}'));
SET client_min_messages = warning;
SELECT run_id > 0 AS has_run, job_id, status, success, records_processed, records_inserted, records_updated, records_unchanged,
	records_deleted, records_rejected, pages, requests, retries, bytes_received, duration >= '0' AS has_duration, error
	FROM databite.execute_job('colours');
SELECT status, records_inserted, records_unchanged FROM databite.execute_job('colours');
SELECT * FROM colours ORDER BY id;
SELECT job_id, name, enabled, state, schedule, next_run_at, last_run_id > 0 AS has_last, last_status,
	last_started_at <= last_finished_at AS in_order, last_records_processed, last_error, last_sync_time <= last_started_at AS synced, progress
	FROM databite.get_job_status('colours');
SELECT count(*) FROM databite.get_job_status('nothing') AS s WHERE s.job_id IS NOT NULL;

-- a replaced job: the same id, history and cursor; the new definition
SELECT databite.schedule_job(job('colours', '[{"id": 3, "name": "green"}]'));
SELECT job_id, name, definition -> 'source' -> 'items' AS items FROM databite.jobs;
SELECT status, records_inserted FROM databite.execute_job('colours');
SELECT last_sync_time IS NOT NULL AS synced FROM databite.get_job_status('colours');
SELECT databite.reset_job('colours');
SELECT last_sync_time IS NOT NULL AS synced FROM databite.get_job_status('colours');
SELECT databite.reset_job('colours', 'main');
SELECT mistake($$SELECT databite.reset_job('colours', 'no_step')$$);

-- ROLLBACK of schedule_job, and of a run
BEGIN;
SELECT databite.schedule_job(job('never', '[]'));
ROLLBACK;
SELECT job_id FROM databite.jobs;
BEGIN;
SELECT databite.schedule_job(job('colours', '[{"id": 9, "name": "rolled back"}]'));
SELECT status, records_inserted FROM databite.execute_job('colours');
ROLLBACK;
SELECT definition -> 'source' -> 'items' AS items FROM databite.jobs;
SELECT count(*) FROM colours WHERE id = 9;
SELECT count(*) AS runs FROM databite.get_job_history('colours');

--
-- a dry run does everything and leaves nothing, not even a run; what would fail at commit fails
--
CREATE TABLE heard (id int);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO heard VALUES (new.id);
	IF new.name = 'refused' THEN
		RAISE EXCEPTION 'no such colour' USING ERRCODE = 'DC001', DETAIL = 'It is refused.', HINT = 'Take another.';
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER hear AFTER INSERT ON colours FOR EACH ROW EXECUTE FUNCTION hear();
SELECT databite.schedule_job(job('colours', '[{"id": 1, "name": "dark red"}, {"id": 4, "name": "white"}]'));
SELECT run_id, status, success, records_processed, records_inserted, records_updated, error FROM databite.execute_job('colours', dry_run => true);
SELECT * FROM colours ORDER BY id;
SELECT count(*) FROM heard;
SELECT count(*) AS runs FROM databite.get_job_history('colours');
SELECT last_sync_time FROM databite.get_job_status('colours');

-- a deferred constraint
SELECT databite.schedule_job(job('colours', '[{"id": 5, "name": "red"}]'));
SELECT status, success, error - 'context' AS error FROM databite.execute_job('colours', true);
-- a trigger
SELECT databite.schedule_job(job('colours', '[{"id": 5, "name": "refused"}]'));
SELECT status, success, error FROM databite.execute_job('colours', true);
SELECT count(*) FROM heard;
-- a table that it would create
SELECT databite.schedule_job(job('made', '[{"id": 5}]', '{"destination": {"type": "database", "table": "made"}}'));
SELECT status, records_inserted FROM databite.execute_job('made', true);
SELECT to_regclass('made') IS NULL AS nothing_there;

--
-- a run that fails is a result, and in history; nothing of it is in the table
--
SELECT databite.schedule_job(job('colours', '[{"id": 6, "name": "black"}, {"id": "six", "name": "x"}]'));
SELECT status, success, records_processed, records_inserted, error FROM databite.execute_job('colours');
SELECT count(*) FROM colours WHERE id = 6;
SELECT status, error ->> 'message' AS message FROM databite.get_job_history('colours', 2);
SELECT status, count(*) FROM databite.get_job_history('colours', status => 'completed') GROUP BY 1;
SELECT count(*) FROM databite.get_job_history('colours', 20, 'failed');
SELECT count(*) FROM databite.get_job_history('colours', 0);
SELECT count(*) FROM databite.get_job_history('nothing');
SELECT runs, success_rate, average_duration >= '0' AS average, p95_duration >= average_duration OR runs > 0 AS p95, records_processed,
	records_per_second > 0 AS rate, bytes_received, requests, retries, rejected, last_error ->> 'message' AS last_error
	FROM databite.get_job_metrics('colours');
SELECT runs, success_rate, records_processed, last_error FROM databite.get_job_metrics('nothing', '1 hour');

-- CALL run_job commits; a failed run is an error
CALL databite.run_job('colours');
BEGIN;
CALL databite.run_job('colours');
ROLLBACK;
SELECT databite.schedule_job(job('colours', '[{"id": 6, "name": "black"}]'));
CALL databite.run_job('colours');
SELECT trigger, status, records_inserted FROM databite.get_job_history('colours', 1);

--
-- schedules
--
SELECT databite.schedule_job(job('colours', '[]', '{"schedule": {"type": "interval", "hours": 80000}}'));
SELECT state, enabled, schedule, next_run_at > now() + interval '79999 hours' AS far FROM databite.get_job_status('colours');
SELECT databite.pause_job('colours');
SELECT state, enabled, next_run_at FROM databite.get_job_status('colours');
SELECT databite.pause_job('colours');
SELECT databite.resume_job('colours');
SELECT state, enabled, next_run_at > now() AS later FROM databite.get_job_status('colours');
-- replaced while it is paused: "enabled" of the definition says
SELECT databite.pause_job('colours');
RESET client_min_messages;
SELECT databite.schedule_job(job('colours', '[]', '{"enabled": false, "schedule": {"type": "interval", "hours": 80000}}'));
SELECT state, enabled, next_run_at FROM databite.get_job_status('colours');
SELECT status FROM databite.execute_job('colours');
SET client_min_messages = warning;

-- the database's default
SELECT databite.configure('{"schedule": {"type": "cron", "expression": "0 0 1 1 *", "timezone": "UTC"}}');
SELECT databite.schedule_job(job('by_default', '[]'));
SELECT state, schedule, extract(month FROM next_run_at) AS month, extract(hour FROM next_run_at) AS hour FROM databite.get_job_status('by_default');
SELECT databite.configure('{}');
SELECT next_run_at FROM databite.get_job_status('by_default');
SELECT mistake($$SELECT databite.configure('{"shedule": {"type": "interval", "minutes": 1}}')$$);
SELECT mistake($$SELECT databite.configure('{"schedule": {"type": "interval"}}')$$);
SELECT mistake($$SELECT databite.configure('{"retry": {"atempts": 1}}')$$);
SELECT mistake($$SELECT databite.configure('{"logging": {"table": "a.b.c"}}')$$);
SELECT mistake($$SELECT databite.configure('[]')$$);

SELECT databite.next_run('{"type": "interval", "minutes": 15}', '2024-05-01 10:00:00+00');
SELECT databite.next_run('{"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Riga"}', '2024-03-30 12:00:00+00');
SELECT mistake($$SELECT databite.next_run('{"type": "cron", "expression": "0 0 30 2 *"}')$$);
SELECT mistake($$SELECT databite.next_run('{"type": "cron", "expression": "* * * *"}')$$);
SELECT mistake($$SELECT databite.next_run('{"type": "monthly"}')$$);

--
-- jobs that are not there, and arguments that are none
--
SELECT databite.unschedule_job('nothing');
SELECT mistake($$SELECT databite.pause_job('nothing')$$);
SELECT mistake($$SELECT databite.resume_job('nothing')$$);
SELECT mistake($$SELECT databite.reset_job('nothing')$$);
SELECT mistake($$SELECT databite.execute_job('nothing')$$);
SELECT mistake($$SELECT databite.enqueue_job('nothing')$$);
SELECT mistake($$SELECT databite.cancel_job('nothing')$$);
SELECT mistake($$SELECT * FROM databite.preview_job('nothing')$$);
SELECT mistake($$SELECT * FROM databite.explain_job('nothing')$$);
SELECT mistake($$SELECT databite.enqueue_job(NULL)$$);
SELECT mistake($$SELECT * FROM databite.preview_job('colours', 0)$$);
SELECT mistake($$SELECT databite.schedule_job('{}')$$);
SELECT mistake($$SELECT databite.schedule_job('[]')$$);
SELECT mistake($$SELECT databite.schedule_job('"x"')$$);
SELECT mistake($$SELECT databite.schedule_job('{"id": "a b", "source": {"type": "api", "urll": "x"}, "destination": {"type": "database", "table": "t"}}')$$);
SELECT mistake($$SELECT databite.schedule_job('{"id": "x", "steps": []}')$$);
SELECT databite.cancel_job('colours');
SELECT databite.unschedule_job('made');
SELECT count(*) FROM databite.get_job_history('made');

--
-- validate: everything at once, each with its place
--
SELECT * FROM databite.validate_job(job('fine', '[]', '{"transform": {"id": "{{item.id}}"}}'));
SELECT * FROM databite.validate_job(job('wrong', '[]', '{"transform": {"id": "{{item.id", "nam": "{{item.name}}", "name": "{{item.name | uper}}"},
	"destination": {"type": "database", "table": "colours", "key": "id"}, "shedule": {}}'));
SELECT pointer, message, hint FROM databite.validate_job(job('wrong', '[]', '{"transform": {"id": "{{tokens.x}}", "name": "{{item.n * 2 | round}}"}}'));
SELECT pointer, message, hint FROM databite.validate_job('{"id": "wrong", "source": {"type": "api", "url": "https://x/{{item.id}}", "headers": {"X": "{{tokns.y}}"}},
	"destination": {"type": "database", "table": "colours"}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "wrong", "source": {"type": "api", "url": "ftp://x/"}, "destination": {"type": "database", "table": "colours"}}');

--
-- explain and preview write nothing
--
SELECT * FROM databite.explain_job('colours');
SELECT * FROM databite.explain_job(job('x', '[]', '{"transform": {"id": "{{item.id}}", "name": "{{item.name | upper}}"}}'));
SELECT * FROM databite.explain_job('{"id": "x", "source": {"type": "api", "method": "POST", "url": "https://api.example.com/{{last_sync_time}}", "query": {"q": "a b", "list": [1, 2]},
	"headers": {"Authorization": "Bearer {{tokens.x}}"}, "body": {"a": 1}}, "destination": {"type": "database", "table": "colours", "mode": "insert"}, "transform": {"id": "{{item.id}}"}}');
SELECT regexp_replace(line, 'cost=.*', 'cost=...') AS line
FROM databite.explain_job(job('x', '[]', '{"transform": {"id": "{{index}}", "name": "{{payload.name}}"}, "destination": {"type": "database", "table": "colours", "mode": "insert"}}'), costs => true) AS line;
SELECT line FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "not_there", "schema": {"id": "integer"}}}', true) AS line;
SELECT * FROM databite.preview_job(job('x', '[{"id": 7, "name": "g"}, {"id": "bad"}, {"id": 1.5}, {"id": null, "name": "h"}, {"name": 5, "other": true}, 5, "text", null, [1]]'));
SELECT * FROM databite.preview_job(job('x', '[{"id": 7, "name": "g"}, {"id": 8}]', '{"transform": {"id": "{{item.id}}", "name": "{{item.name ?? \"none\"}}"}}'), 1);
SELECT * FROM databite.preview_job('{"id": "x", "source": {"type": "inline", "items": [{"a": 1}, {"a": "x"}, 5]}, "destination": {"type": "database", "table": "not_there"}}');
SELECT * FROM databite.preview_job(job('x', '[5, "text", true]', '{"transform": {"id": "{{index}}", "name": "{{item}}"}}'));
SELECT count(*) FROM colours WHERE id > 6;
SELECT to_regclass('not_there') IS NULL AS nothing_there;

--
-- tokens go in, and never come out
--
SELECT databite.set_token('t', 'canary');
SELECT databite.set_token('t', 'another canary');
SELECT databite.delete_token('t');
SELECT databite.delete_token('t');
-- a token that is not there; what the request is made of stays out of the error
SELECT databite.schedule_job(job('no_token', NULL, '{"source": {"type": "api", "url": "http://127.0.0.1:1/", "headers": {"X": "canary {{tokens.t}}"}}}'));
SELECT status, error FROM databite.execute_job('no_token');
SELECT mistake($$SELECT databite.set_token('', 'x')$$);
SELECT mistake($$SELECT databite.set_token('a b', 'x')$$);
SELECT mistake($$SELECT databite.secret('t', '')$$);

-- evaluate
SELECT databite.evaluate('{{ item.price | round(1) }}', '{"price": 1.25}'), databite.evaluate('Hello {{ item.name }}', '{"name": "you"}'),
	databite.evaluate('{{ payload.x + 1 }}', scopes => '{"payload": {"x": 1}}');
SELECT mistake($$SELECT databite.evaluate('{{ item.price * 2 | round }}')$$);
SELECT mistake($$SELECT databite.evaluate('{{ tokens.x }}')$$);

--
-- permissions: nothing without a grant, then only one's own
--
CREATE ROLE regress_jobs_one;
CREATE ROLE regress_jobs_two;
GRANT USAGE ON SCHEMA jobs TO regress_jobs_one, regress_jobs_two;
GRANT CREATE ON SCHEMA jobs TO regress_jobs_one;
SET ROLE regress_jobs_one;
SELECT mistake($$SELECT databite.schedule_job('{}')$$);
RESET ROLE;
GRANT USAGE ON SCHEMA databite TO regress_jobs_one, regress_jobs_two;
SET ROLE regress_jobs_one;
SELECT mistake($$SELECT databite.schedule_job('{}')$$);
RESET ROLE;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO regress_jobs_one, regress_jobs_two;
SET ROLE regress_jobs_one;
SELECT databite.schedule_job(job('ones', '[{"id": 1}]', '{"destination": {"type": "database", "table": "ones"}}'));
SELECT status, records_inserted FROM databite.execute_job('ones');
SELECT job_id, owner FROM databite.jobs;
SELECT job_id, count(*) FROM databite.runs GROUP BY 1;
SELECT mistake($$SELECT databite.execute_job('colours')$$);
SELECT mistake($$SELECT databite.schedule_job(job('colours', '[]'))$$);
SELECT mistake($$SELECT databite.unschedule_job('colours')$$);
SELECT mistake($$SELECT databite.configure('{}')$$);
SELECT mistake($$SELECT * FROM databite.token$$);
SET ROLE regress_jobs_two;
SELECT count(*) FROM databite.jobs;
SELECT count(*) FROM databite.get_job_history('ones');
SELECT count(*) FROM databite.get_job_status('ones') AS s WHERE s.job_id IS NOT NULL;
SELECT mistake($$SELECT databite.pause_job('ones')$$);
SELECT status, error FROM databite.execute_job(databite.schedule_job(job('twos', '[{"id": 1}]', '{"destination": {"type": "database", "table": "ones"}}')));
RESET ROLE;

SELECT databite.unschedule_job(job_id) FROM databite.jobs ORDER BY job_id;
DROP SCHEMA jobs CASCADE;
DROP OWNED BY regress_jobs_one, regress_jobs_two;
DROP ROLE regress_jobs_one, regress_jobs_two;
