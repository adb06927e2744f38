-- errorHandling.strategy "partial_success": what can be written is, and the run says what could not.  Requests: 062_errors.pl.
SET client_min_messages = error;
CREATE SCHEMA partial;
SET search_path = partial, public;
CREATE TABLE t (id int PRIMARY KEY, age int);
CREATE TABLE later (id int PRIMARY KEY);
CREATE FUNCTION job(handling jsonb, items jsonb, destination jsonb = '{}') RETURNS text LANGUAGE sql
RETURN databite.schedule_job(jsonb_build_object('id', 'partial', 'source', jsonb_build_object('type', 'inline', 'items', items),
	'destination', '{"type": "database", "table": "t", "mode": "insert", "batchSize": 2}' || destination,
	'errorHandling', '{"strategy": "partial_success"}' || handling));
CREATE VIEW last_run AS SELECT status, records_processed AS processed, records_inserted AS inserted, records_rejected AS rejected, notices, error - 'context' - 'detail' AS error
FROM databite.runs WHERE job_id = 'partial' ORDER BY run_id DESC LIMIT 1;
CREATE VIEW rejected AS SELECT item::text, error_code, message, "column", "constraint" FROM databite.rejected_items
WHERE job_id = 'partial' AND run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'partial') ORDER BY id;

-- Nothing goes wrong
SELECT job('{}', '[{"id": 1, "age": 1}]');
CALL databite.run_job('partial');
SELECT * FROM last_run;
TRUNCATE t;
SELECT status, success, error FROM databite.execute_job('partial', true);

-- Bad items are rejected, though onItemError does not say so; CALL raises nothing, and nothing of it is a success
TRUNCATE t;
SELECT job('{}', '[{"id": 1, "age": 1}, {"id": 2, "age": "x"}, {"id": 3, "age": 3}, {"id": 1, "age": 4}]');
CALL databite.run_job('partial');
SELECT * FROM last_run;
SELECT * FROM rejected;
TRUNCATE t;
SELECT status, success, records_processed, records_inserted, records_rejected, error - 'context' AS error FROM databite.execute_job('partial');
SELECT * FROM last_run;
SELECT runs, success_rate, rejected, last_error ->> 'message' AS last_error FROM databite.get_job_metrics('partial');
SELECT state, last_status, last_error ->> 'items_rejected' AS rejected FROM databite.get_job_status('partial');
SELECT status FROM databite.get_job_history('partial', status => 'partial');
-- where the definition says that they fail, they do
TRUNCATE t;
SELECT job('{"onItemError": "fail"}', '[{"id": 1, "age": 1}, {"id": 2, "age": "x"}]');
CALL databite.run_job('partial');
SELECT job('{}', '[{"id": 1, "age": 1}, {"id": 2, "age": "x"}]', '{"onError": "fail"}');
CALL databite.run_job('partial');
SELECT status, inserted FROM last_run;
-- all of them: failed
SELECT job('{}', '[{"id": 1, "age": "x"}, {"id": 2, "age": "x"}]');
CALL databite.run_job('partial');
SELECT * FROM last_run;
SELECT status, success, records_rejected, error ->> 'message' AS message FROM databite.execute_job('partial');

-- Batches that fail are given up, though onBatchError does not say so; with retry_batch after its tries
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	try int := nextval('tries');
BEGIN
	IF try BETWEEN TG_ARGV[0]::int AND TG_ARGV[1]::int THEN RAISE 'not now' USING ERRCODE = '55000'; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse(2, 3);
SELECT job('{}', '[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5}]');
TRUNCATE t;
CALL databite.run_job('partial');
SELECT * FROM last_run;
SELECT * FROM rejected;
SELECT job('{"onBatchError": "retry_batch", "maxRetries": 1, "retryDelay": 1}', '[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5}]');
TRUNCATE t;
ALTER SEQUENCE tries RESTART;
CALL databite.run_job('partial');
SELECT * FROM last_run;
SELECT job('{"onBatchError": "fail"}', '[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5}]');
TRUNCATE t;
ALTER SEQUENCE tries RESTART;
CALL databite.run_job('partial');
SELECT status, inserted, rejected FROM last_run;
DROP TRIGGER refuse ON t;

-- A step all of whose items are rejected does not keep the next one from its own
TRUNCATE t;
SELECT databite.schedule_job('{"id": "partial", "errorHandling": {"strategy": "partial_success"}, "steps": [
	{"id": "one", "source": {"type": "inline", "items": [{"id": "x"}]}, "destination": {"type": "database", "table": "t"}},
	{"id": "two", "source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "later"}}]}');
CALL databite.run_job('partial');
SELECT * FROM last_run;
SELECT step, message FROM databite.rejected_items WHERE run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'partial');
-- and where no step has anything to show, the run has failed
SELECT databite.schedule_job('{"id": "partial", "errorHandling": {"strategy": "partial_success"}, "steps": [
	{"id": "one", "source": {"type": "inline", "items": [{"id": "x"}]}, "destination": {"type": "database", "table": "t"}},
	{"id": "two", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "later"}}]}');
CALL databite.run_job('partial');
SELECT * FROM last_run;
SELECT databite.unschedule_job('partial');
DROP SCHEMA partial CASCADE;
