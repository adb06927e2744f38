-- What runs say of themselves: in databite.logs, or in a table of the user's; and the defaults of databite.configure.
SET client_min_messages = warning;
CREATE SCHEMA logging;
SET search_path = logging, public;
DELETE FROM databite.log;
CREATE TABLE t (id int PRIMARY KEY);
CREATE FUNCTION job(more jsonb, items jsonb = '[{"id": 1}, {"id": 2}]') RETURNS text LANGUAGE sql
RETURN databite.schedule_job(jsonb_build_object('id', 'logged', 'enabled', false,
	'source', jsonb_build_object('type', 'inline', 'items', items), 'destination', '{"type": "database", "table": "t"}'::jsonb) || more);
CREATE FUNCTION mistake(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	place text;
BEGIN
	EXECUTE statement;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS place = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ': ' || SQLERRM || coalesce(E'\n' || nullif(place, ''), '');
END
$$;
-- without what takes time
CREATE VIEW own AS SELECT level, job_id, run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'logged') AS last, step, message,
	detail - 'duration_ms' - 'error' AS detail FROM databite.logs WHERE job_id LIKE 'logged%' ORDER BY log_id;
CREATE FUNCTION lines(log regclass) RETURNS TABLE (level text, job_id text, last bool, step text, message text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT level, job_id, run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = ''logged''), step, message FROM %s ORDER BY "time"', log);
END
$$;

-- databite's own
SELECT job('{}');
SELECT status FROM databite.execute_job('logged');
SELECT * FROM own;

-- at the level that the job says; lines have an order, and a time within the run
TRUNCATE t;
DELETE FROM databite.log;
SELECT job('{"logging": {"level": "debug"}}');
CALL databite.run_job('logged');
SELECT * FROM own;
SELECT bool_and(l.time BETWEEN r.started_at AND r.finished_at + '1 minute') AS in_time, count(DISTINCT l.time) = count(*) AS ordered
FROM databite.logs AS l JOIN databite.runs AS r USING (job_id, run_id) WHERE l.job_id = 'logged';
DELETE FROM databite.log;
SELECT job('{"logging": {"level": "error"}}');
CALL databite.run_job('logged');
SELECT * FROM own;

-- what fails survives, with what history says of it
SELECT job('{"logging": {"level": "warning"}}', '[{"id": 3}, {"id": "x"}]');
CALL databite.run_job('logged');
SELECT status FROM databite.execute_job('logged');
SELECT level, step, message FROM own;
SELECT l.detail -> 'error' = r.error AS same FROM databite.logs AS l JOIN databite.runs AS r USING (run_id) WHERE l.job_id = 'logged';

-- a transaction that is rolled back takes the lines of its run with it; a dry run leaves none
DELETE FROM databite.log;
SELECT job('{}');
BEGIN;
SELECT status FROM databite.execute_job('logged');
SELECT count(*) > 0 AS there FROM own;
ROLLBACK;
SELECT status FROM databite.execute_job('logged', dry_run => true);
SELECT count(*) FROM own;

-- steps, rejected items, notices
DELETE FROM databite.log;
SELECT databite.schedule_job('{"id": "logged", "enabled": false, "steps": [
	{"id": "one", "source": {"type": "inline", "items": [{"id": 11}, {"id": "x"}, {"id": 12}]}, "destination": {"type": "database", "table": "t", "onError": "log_and_continue"}},
	{"id": "two", "dependsOn": ["one"], "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "not_there"}}]}');
CALL databite.run_job('logged');
SELECT * FROM own;
SELECT detail ? 'error' AS has_error FROM databite.logs WHERE message LIKE 'run %' ORDER BY log_id;

-- A table of the user's: made when there is something to write, found by the search_path of the job
SELECT job('{"logging": {"destination": "database", "table": "sync_logs", "level": "info"}}');
SELECT to_regclass('sync_logs');
SELECT * FROM databite.explain_job('logged') LIMIT 1;
CALL databite.run_job('logged');
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'logging.sync_logs'::regclass AND attnum > 0 ORDER BY attnum;
SELECT * FROM lines('logging.sync_logs');
SELECT count(*) FROM own WHERE last;

-- failures are there as well
SELECT job('{"logging": {"table": "sync_logs"}}', '[{"id": "x"}]');
CALL databite.run_job('logged');
SELECT level, message FROM lines('logging.sync_logs') WHERE last;

-- one that exists may have more columns, others types that take the values, triggers and row security
CREATE TABLE mine (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, detail json, message varchar(100), step text, run_id bigint, job_id text, level name, "time" timestamp, seen bool DEFAULT false);
SELECT job('{"logging": {"table": "logging.mine"}}');
CALL databite.run_job('logged');
SELECT id, level, message, seen FROM mine;

-- what is no log: told when the job is scheduled
CREATE TABLE no_log ("time" timestamptz, level text, message text);
CREATE TABLE wrong_type ("time" date[], level text, job_id text, run_id int8, step text, message text, detail jsonb);
CREATE SEQUENCE no_table;
SELECT t.name, p.pointer, p.message FROM (VALUES ('no_log'), ('wrong_type'), ('no_table'), ('a.b.c'), ('nowhere.log'), (''), (repeat('x', 64))) AS t(name),
	databite.validate_job(jsonb_build_object('id', 'logged', 'logging', jsonb_build_object('table', t.name),
		'source', '{"type": "inline", "items": []}'::jsonb, 'destination', '{"type": "database", "table": "t"}'::jsonb)) AS p ORDER BY 1;
SELECT mistake($$SELECT job('{"logging": {"table": "no_log"}}')$$);

-- ... and where it is one no more, the run hears nothing of it, but for a warning
\set VERBOSITY terse
SELECT job('{"logging": {"table": "mine"}}');
ALTER TABLE mine DROP COLUMN detail;
CALL databite.run_job('logged');
SELECT status FROM databite.execute_job('logged');
ALTER TABLE mine ADD COLUMN detail jsonb, ADD CHECK (message <> 'run completed') NOT VALID;
SELECT status FROM databite.execute_job('logged');
SELECT count(*) FROM mine;
DROP TABLE mine;
\set VERBOSITY default

-- The defaults of this database; what a job says wins as a whole
SELECT databite.configure('{"logging": {"level": "info", "destination": "database", "table": "all_logs"}, "retry": {"attempts": 2, "delay": "1s"},
	"rateLimit": {"requestsPerMinute": 600}}');
SELECT databite.schedule_job('{"id": "logged_too", "enabled": false, "source": {"type": "api", "url": "http://127.0.0.1:1/"}, "destination": {"type": "database", "table": "t"}}');
SELECT line FROM databite.explain_job('logged_too') AS line WHERE line ~ 'log to|configure';
SELECT job('{}');
CALL databite.run_job('logged');
SELECT level, message FROM lines('all_logs');
SELECT job('{"logging": {"level": "warning"}}');
DELETE FROM databite.log;
CALL databite.run_job('logged');
SELECT count(*) FROM all_logs;
SELECT count(*) FROM own;
SELECT line FROM databite.explain_job('{"id": "x", "source": {"type": "api", "url": "http://127.0.0.1:1/", "retry": {"attempts": 1}, "rateLimit": {"requestsPerMinute": 6}},
	"destination": {"type": "database", "table": "t"}}'::jsonb) AS line WHERE line ~ 'configure';

-- a default that does not suit a job is told when that is scheduled
SELECT databite.configure('{"logging": {"table": "no_log"}}');
SELECT mistake($$SELECT job('{}')$$);
SELECT pointer, message, hint FROM databite.validate_job('{"id": "x", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "t"}}');
SELECT databite.configure('{}');
SELECT line FROM databite.explain_job('logged_too') AS line WHERE line ~ 'log to|configure';

SELECT databite.unschedule_job('logged'), databite.unschedule_job('logged_too');
DROP SCHEMA logging CASCADE;
