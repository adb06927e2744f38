-- errorHandling: runs that are tried again, and word of those that have failed for good.
SET client_min_messages = error;	-- the warnings of onFailure have numbers of runs
CREATE SCHEMA retrying;
SET search_path = retrying, public;

-- A table that refuses the first two inserts, as a sequence does not forget what was undone
CREATE TABLE t (id int PRIMARY KEY);
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	try int := nextval('tries');
BEGIN
	IF try <= TG_ARGV[0]::int THEN RAISE 'not yet: %', try USING ERRCODE = TG_ARGV[1]; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(2, '55000');
SELECT coalesce(max(run_id), 0) AS before FROM databite.runs \gset
CREATE VIEW history AS SELECT job_id, trigger, status, resumes IS NOT NULL AS resumes, resumed, records_inserted AS inserted, error ->> 'message' AS message
FROM databite.runs WHERE run_id > :before ORDER BY run_id;

SELECT databite.schedule_job('{"id": "again", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}]},
	"destination": {"type": "database", "table": "t", "mode": "insert"},
	"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 3, "retryDelay": 1, "backoff": "fixed", "onFailure": "notify_admin"}}');
SELECT status, success, records_inserted, retries, error FROM databite.execute_job('again');
SELECT * FROM history;
SELECT count(*) FROM t;

-- CALL: each try is a run of its own and committed
TRUNCATE t;
ALTER SEQUENCE tries RESTART;
CALL databite.run_job('again');
SELECT * FROM history OFFSET 3;

-- None left: the last error, a WARNING and a notification
TRUNCATE t;
ALTER SEQUENCE tries RESTART;
DROP TRIGGER refuse ON t;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(100, '55000');
CALL databite.run_job('again');
SELECT * FROM history OFFSET 6;
-- a dry run is tried once
SELECT run_id, status, error ->> 'message' AS message FROM databite.execute_job('again', true);

-- What will fail again for sure is not tried again
DROP TRIGGER refuse ON t;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(100, '42P01');
ALTER SEQUENCE tries RESTART;
SELECT status, error ->> 'message' AS message FROM databite.execute_job('again');
DROP TRIGGER refuse ON t;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(100, '0A000');
SELECT status, error ->> 'message' AS message FROM databite.execute_job('again');
DROP TRIGGER refuse ON t;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(100, '22023');
SELECT status, error ->> 'message' AS message FROM databite.execute_job('again');
DROP TRIGGER refuse ON t;
-- nor a run that rejected every item, of which the administrator hears too
ALTER TABLE t ADD CHECK (id > 100);
SELECT databite.schedule_job('{"id": "again", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}]},
	"destination": {"type": "database", "table": "t", "onError": "log_and_continue"},
	"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 3, "retryDelay": 1, "onFailure": "notify_admin"}}');
CALL databite.run_job('again');
SELECT * FROM history OFFSET 13;

-- A run that inserts goes on where the one before stood, though nobody tries it again: history says so, and how often
CREATE TABLE plain (id int);
ALTER SEQUENCE tries RESTART;
CREATE FUNCTION refuse_second() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 2 AND nextval('tries') <= 2 THEN RAISE 'not yet' USING ERRCODE = '55000'; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION refuse_second();
SELECT databite.schedule_job('{"id": "plain", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}, {"id": 3}]},
	"destination": {"type": "database", "table": "plain", "mode": "insert", "batchSize": 1}}');
\set VERBOSITY terse
CALL databite.run_job('plain');
CALL databite.run_job('plain');
\set VERBOSITY default
CALL databite.run_job('plain');
SELECT id, count(*) FROM plain GROUP BY 1 ORDER BY 1;
SELECT trigger, status, resumed, records_inserted FROM databite.get_job_history('plain') ORDER BY run_id;
SELECT count(*) FROM databite.runs AS a JOIN databite.runs AS b ON b.resumes = a.run_id AND b.resumed = a.resumed + 1 WHERE a.job_id = 'plain';
-- and a run that begins by itself has nothing to resume
CALL databite.run_job('plain');
SELECT trigger, status, resumes, resumed FROM databite.get_job_history('plain', 1);
SELECT databite.unschedule_job('plain');

-- What is wrong with a definition
SELECT pointer, message, hint FROM databite.validate_job('{"id": "x", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "t", "mode": "insert"},
	"errorHandling": {"maxRetries": 2, "backoff": "linear", "onFailure": "shout"}}');
SELECT databite.unschedule_job('again');
DROP SCHEMA retrying CASCADE;
