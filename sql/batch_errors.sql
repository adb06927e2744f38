-- Errors of a batch: what meets another transaction, and errorHandling.onBatchError.
SET client_min_messages = error;
CREATE SCHEMA batch_errors;
SET search_path = batch_errors, public;

-- A table whose statement trigger fails: which tries of the statement, with which error
CREATE TABLE t (id int PRIMARY KEY, name text);
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	try int := nextval('tries');
BEGIN
	IF try BETWEEN TG_ARGV[0]::int AND TG_ARGV[1]::int THEN RAISE 'not now' USING ERRCODE = TG_ARGV[2]; END IF;
	RETURN NULL;
END $$;
CREATE PROCEDURE refuse(first int, last int, sqlstate text) LANGUAGE plpgsql AS $$
BEGIN
	DROP TRIGGER IF EXISTS refuse ON t;
	EXECUTE format('CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(%s, %s, %L)', first, last, sqlstate);
	ALTER SEQUENCE tries RESTART;
	TRUNCATE t;
	PERFORM databite.reset_job('batches');
END $$;
CREATE FUNCTION job(handling jsonb, extra jsonb = '{}') RETURNS text LANGUAGE sql
RETURN databite.schedule_job('{"id": "batches", "source": {"type": "inline", "items": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}, {"id": 4, "name": "d"}, {"id": 5, "name": "e"}]},
	"destination": {"type": "database", "table": "t", "mode": "insert", "batchSize": 2}}'::jsonb || jsonb_build_object('errorHandling', handling) || extra);
CREATE VIEW last_run AS SELECT status, records_processed AS processed, records_inserted AS inserted, records_rejected AS rejected, notices, error ->> 'code' AS code, error ->> 'message' AS message
FROM databite.runs WHERE job_id = 'batches' ORDER BY run_id DESC LIMIT 1;
CREATE VIEW rejected AS SELECT item::text, error_code, message, "column", "constraint" FROM databite.rejected_items
WHERE job_id = 'batches' AND run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'batches') ORDER BY id;

-- Transactions that meet are tried again whatever the definition says: a table made on the way, too
SELECT job('{}');
CALL refuse(2, 4, '40001');
CALL databite.run_job('batches');
SELECT * FROM last_run;
SELECT count(*) FROM t;
CALL refuse(1, 1, '40P01');
CALL databite.run_job('batches');
SELECT status, inserted, notices FROM last_run;
CALL refuse(1, 1, '55P03');
CALL databite.run_job('batches');
SELECT status, inserted, notices FROM last_run;
-- a bounded number of times
CALL refuse(1, 100, '40001');
CALL databite.run_job('batches');
SELECT status, inserted, code, message FROM last_run;
SELECT last_value FROM tries;
-- not inside of the caller's transaction
CALL refuse(1, 1, '40001');
SELECT status, records_inserted, error ->> 'message' AS message FROM databite.execute_job('batches');
DROP TRIGGER refuse ON t;

-- What a failed try has made is gone, and is made again: a table, and the columns that are learned
CREATE FUNCTION refuse_create() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE 'batch_errors.made%') AND nextval('batch_errors.tries') <= 2 THEN
		RAISE 'not now' USING ERRCODE = '40001';
	END IF;
END $$;
CREATE EVENT TRIGGER batch_errors_create ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse_create();
ALTER SEQUENCE tries RESTART;
SELECT job('{}', '{"destination": {"type": "database", "table": "made", "key": "id", "batchSize": 2}}');
CALL databite.run_job('batches');
SELECT status, inserted, notices FROM last_run;
DROP EVENT TRIGGER batch_errors_create;
SELECT * FROM made ORDER BY id;
-- and what failed after that was made
DROP TABLE made;
CREATE FUNCTION add_trigger() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE 'batch_errors.made%') THEN
		CREATE TRIGGER refuse BEFORE INSERT ON batch_errors.made FOR EACH STATEMENT EXECUTE FUNCTION batch_errors.refuse(1, 2, '40001');
	END IF;
END $$;
CREATE EVENT TRIGGER batch_errors_create ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION add_trigger();
ALTER SEQUENCE tries RESTART;
CALL databite.run_job('batches');
DROP EVENT TRIGGER batch_errors_create;
SELECT status, inserted, notices FROM last_run;
SELECT * FROM made ORDER BY id;

-- onBatchError: fail, the default
SELECT job('{"onBatchError": "fail"}');
CALL refuse(2, 2, '55000');
CALL databite.run_job('batches');
SELECT status, inserted, code, message FROM last_run;

-- retry_batch: as often as maxRetries says
SELECT job('{"onBatchError": "retry_batch", "maxRetries": 2, "retryDelay": 1, "backoff": "fixed"}');
CALL refuse(2, 3, '55000');
CALL databite.run_job('batches');
SELECT * FROM last_run;
CALL refuse(2, 4, '55000');
CALL databite.run_job('batches');
SELECT * FROM last_run;
-- with execute_job, too
CALL refuse(2, 3, '55000');
SELECT status, records_inserted, error ->> 'message' AS message FROM databite.execute_job('batches');
SELECT notices FROM last_run;
-- not what cannot get better, nor what an item is to blame for
CALL refuse(2, 2, '42P01');
CALL databite.run_job('batches');
SELECT status, inserted, code, message, last_value FROM last_run, tries;
CALL refuse(0, 0, '0');
ALTER TABLE t ADD CONSTRAINT small CHECK (id < 4);
CALL databite.run_job('batches');
SELECT status, inserted, code, message, last_value < 20 AS few FROM last_run, tries;
-- an error that could be an item's, but is there without any, is the batch's
ALTER TABLE t DROP CONSTRAINT small;
CALL refuse(2, 8, 'P0001');
SELECT job('{"onBatchError": "retry_batch", "maxRetries": 5, "retryDelay": 1, "backoff": "fixed"}');
CALL databite.run_job('batches');
SELECT status, inserted, notices FROM last_run;

-- log_and_continue: the batch's items are rejected
SELECT job('{"onBatchError": "log_and_continue"}');
CALL refuse(2, 2, '55000');
CALL databite.run_job('batches');
SELECT * FROM last_run;
SELECT * FROM rejected;
SELECT * FROM t ORDER BY id;
CALL refuse(2, 2, '55000');
SELECT status, success, records_processed, records_inserted, records_rejected, error FROM databite.execute_job('batches');
-- of the last batch, too; and a table that is gone
CALL refuse(3, 3, '42P01');
CALL databite.run_job('batches');
SELECT * FROM last_run;
-- a constraint that is checked at the commit
DROP TRIGGER refuse ON t;
TRUNCATE t;
CREATE TABLE parents (id int PRIMARY KEY);
INSERT INTO parents VALUES (1), (2), (5);
ALTER TABLE t ADD CONSTRAINT has_parent FOREIGN KEY (id) REFERENCES parents DEFERRABLE INITIALLY DEFERRED;
CALL databite.run_job('batches');
SELECT * FROM last_run;
SELECT * FROM rejected;
ALTER TABLE t DROP CONSTRAINT has_parent;
-- what source.where drops is not rejected
TRUNCATE t;
SELECT job('{"onBatchError": "log_and_continue"}', '{"source": {"type": "inline", "items": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}], "where": "{{ item.id != 3 }}"}}');
CALL refuse(2, 2, '55000');
CALL databite.run_job('batches');
SELECT * FROM last_run;
SELECT * FROM rejected;
-- a table that is not made yet
SELECT job('{"onBatchError": "log_and_continue"}', '{"destination": {"type": "database", "table": "unborn", "batchSize": 2}}');
CREATE FUNCTION never() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE 'batch_errors.unborn%') AND nextval('batch_errors.tries') <= 1 THEN
		RAISE 'never' USING ERRCODE = '42501';
	END IF;
END $$;
CREATE EVENT TRIGGER batch_errors_create ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION never();
ALTER SEQUENCE tries RESTART;
CALL databite.run_job('batches');
SELECT * FROM last_run;
SELECT * FROM rejected;
SELECT * FROM unborn;
DROP EVENT TRIGGER batch_errors_create;

-- Every batch given up: the run has failed
SELECT job('{"onBatchError": "log_and_continue"}');
CALL refuse(1, 100, '55000');
CALL databite.run_job('batches');
SELECT status, processed, inserted, rejected, code, message FROM last_run;
SELECT status, records_rejected, error ->> 'message' AS message FROM databite.execute_job('batches');

-- The machine's errors, and a cancel, are not swallowed
CALL refuse(2, 2, '53100');
CALL databite.run_job('batches');
SELECT status, inserted, code FROM last_run;
CALL refuse(2, 2, '57014');
CALL databite.run_job('batches');
SELECT status, inserted, code FROM last_run;
CALL refuse(2, 2, 'XX000');
CALL databite.run_job('batches');
SELECT status, inserted, code FROM last_run;

-- Given up by the commit in which table and stage were made: the next batch makes both, with columns of its own
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION fail_commit() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'batch_errors.staged') AND nextval('batch_errors.tries') = 1 THEN
		INSERT INTO batch_errors.child VALUES (1);
	END IF;
END $$;
CREATE EVENT TRIGGER batch_errors_commit ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION fail_commit();
ALTER SEQUENCE tries RESTART;
SELECT databite.schedule_job('{"id": "staged", "source": {"type": "inline", "batchSize": 1, "items": [{"id": 1}, {"id": 2, "c": 5}]},
	"destination": {"type": "database", "table": "staged", "mode": "replace", "batchSize": 1},
	"errorHandling": {"strategy": "partial_success", "onBatchError": "log_and_continue"}}');
CALL databite.run_job('staged');
DROP EVENT TRIGGER batch_errors_commit;
SELECT * FROM staged;
SELECT databite.unschedule_job('staged');

-- What is wrong with a definition
SELECT pointer, message, hint FROM databite.validate_job('{"id": "x", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "t", "mode": "insert"},
	"errorHandling": {"maxRetries": 2, "onBatchError": "log_and_continue"}}');
SELECT databite.unschedule_job('batches');
DROP SCHEMA batch_errors CASCADE;
