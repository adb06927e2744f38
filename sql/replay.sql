-- replay_rejected: items that were rejected are tried again.
SET client_min_messages = error;
CREATE SCHEMA replay;
SET search_path = replay, public;
CREATE TABLE t (id int PRIMARY KEY, age int, nth int, page int);
CREATE FUNCTION job(extra jsonb = '{}') RETURNS text LANGUAGE sql
RETURN databite.schedule_job('{"id": "replay", "source": {"type": "inline", "items": [
		{"id": 1, "age": 1}, {"id": 2, "age": "two"}, {"id": 3, "age": 3}, {"id": 4, "age": 400}, {"id": 5, "age": null}, {"id": 6, "age": 6}]},
	"destination": {"type": "database", "table": "t", "onError": "log_and_continue"},
	"transform": {"id": "{{item.id}}", "age": "{{item.age}}", "nth": "{{index}}", "page": "{{page.number}}"}}'::jsonb || extra);
CREATE VIEW replayed AS SELECT status, success, records_processed AS processed, records_inserted AS inserted, records_updated AS updated, records_unchanged AS unchanged,
	records_rejected AS rejected, pages, requests, error ->> 'message' AS message FROM databite.replay_rejected('replay');
CREATE VIEW rejected AS SELECT item::text, error_code, message, "column", "constraint" FROM databite.rejected_items WHERE job_id = 'replay' ORDER BY id;
CREATE VIEW history AS SELECT trigger, status, records_processed AS processed, records_inserted AS inserted, records_rejected AS rejected, notices FROM databite.runs WHERE job_id = 'replay' ORDER BY run_id DESC;

-- Nothing to be tried
SELECT job('{"validation": {"age": {"max": 100}, "required": ["age"]}}');
SELECT * FROM replayed;
SELECT * FROM databite.replay_rejected(NULL) WHERE run_id IS NOT NULL;
SELECT status FROM databite.replay_rejected('replay', 0);
SELECT status FROM databite.replay_rejected('nobody');

CALL databite.run_job('replay');
SELECT * FROM rejected;
SELECT context::text FROM databite.rejected_item WHERE job_id = 'replay' ORDER BY id;

-- Still the same: failed, and the list is as it was, with the same rows
CREATE TABLE before AS SELECT id, run_id FROM databite.rejected_items WHERE job_id = 'replay';
SELECT last_sync_time FROM databite.cursors WHERE job_id = 'replay' \gset
SELECT * FROM replayed;
SELECT count(*), count(b.id) FROM databite.rejected_items AS r LEFT JOIN before AS b USING (id, run_id) WHERE job_id = 'replay';

-- The current definition: what fits now leaves the list, what does not has its new reason
SELECT job('{"validation": {"age": {"max": 1000}}, "transform": {"id": "{{item.id}}", "age": "{{ item.age == ''two'' ? 2000 : item.age }}", "nth": "{{index}}", "page": "{{page.number}}"}}');
SELECT * FROM replayed;
SELECT * FROM t ORDER BY id;
SELECT * FROM rejected;
SELECT * FROM history;
SELECT last_sync_time = :'last_sync_time' AS not_moved, unfinished_items FROM databite.cursors WHERE job_id = 'replay';

-- Of one run only, and what was not kept stays
SELECT job('{"source": {"type": "inline", "items": [{"id": "x"}, {"id": 9}]}}');
ALTER TABLE t ADD CONSTRAINT nine CHECK (id <> 9);
CALL databite.run_job('replay');
SELECT max(run_id) AS run FROM databite.rejected_items WHERE job_id = 'replay' \gset
UPDATE databite.rejected_item SET item = NULL WHERE item ->> 'id' = 'x';
ALTER TABLE t DROP CONSTRAINT nine;
SELECT status, records_processed, records_inserted FROM databite.replay_rejected('replay', :run + 1000);
SELECT status, records_processed, records_inserted FROM databite.replay_rejected('replay', :run);
SELECT notices FROM history LIMIT 1;
SELECT * FROM rejected;
-- a savepoint takes all of it back
BEGIN;
SELECT job('{"transform": {"id": "{{item.id}}", "age": 0}}');
SELECT status, records_inserted, records_updated FROM databite.replay_rejected('replay');
SELECT count(*) FROM rejected;
ROLLBACK;
SELECT count(*) FROM rejected;

-- Bad items are rejected whatever the definition says; an error of no item fails all of it, and nothing of it stays
DELETE FROM databite.rejected_item WHERE job_id = 'replay';
TRUNCATE t;
ALTER TABLE t ADD CONSTRAINT small CHECK (age < 10);
SELECT job('{"source": {"type": "inline", "items": [{"id": 1, "age": 10}, {"id": 2, "age": 20}, {"id": 3, "age": 30}, {"id": 4, "age": 1}]}}');
CALL databite.run_job('replay');
SELECT job('{"destination": {"type": "database", "table": "t", "mode": "insert", "onError": "fail", "batchSize": 2}}');
ALTER TABLE t DROP CONSTRAINT small, ADD CONSTRAINT small CHECK (age <> 20);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM new WHERE id = 3) THEN RAISE 'not now' USING ERRCODE = '55000'; END IF; RETURN NULL; END $$;
CREATE TRIGGER refuse AFTER INSERT ON t REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION refuse();
SELECT * FROM replayed;
SELECT * FROM t ORDER BY id;
SELECT * FROM rejected;
DROP TRIGGER refuse ON t;
SELECT * FROM replayed;
SELECT * FROM t ORDER BY id;
SELECT * FROM rejected;

-- The condition of the source is not asked again; skip is; a partial job's replay is partial
SELECT job('{"source": {"type": "inline", "items": [], "where": "{{ false }}"}, "transform": {"id": "{{ item.id | skip(item.id == 2) }}", "age": "{{item.age}}"}}');
SELECT * FROM replayed;
SELECT * FROM rejected;

-- Steps in their order, one that is gone, and a table that nothing could be learned for
SELECT databite.schedule_job('{"id": "replay", "errorHandling": {"strategy": "partial_success", "onBatchError": "log_and_continue"}, "steps": [
	{"id": "one", "source": {"type": "inline", "items": [{"id": 1, "of": "one"}]}, "destination": {"type": "database", "table": "one"}},
	{"id": "two", "source": {"type": "inline", "items": [{"id": 2, "of": "two"}, {"id": "x"}]}, "destination": {"type": "database", "table": "two", "key": "id", "schema": {"id": "integer", "of": "text"}}},
	{"id": "three", "source": {"type": "inline", "items": [{"id": "y"}]}, "destination": {"type": "database", "table": "t"}}]}');
CREATE FUNCTION never() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'replay.one') THEN RAISE 'never' USING ERRCODE = '42501'; END IF;
END $$;
CREATE EVENT TRIGGER replay_create ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION never();
CALL databite.run_job('replay');
SELECT step, item::text, message FROM databite.rejected_items WHERE job_id = 'replay' ORDER BY id;
DROP EVENT TRIGGER replay_create;
SELECT databite.schedule_job('{"id": "replay", "errorHandling": {"strategy": "partial_success"}, "steps": [
	{"id": "one", "source": {"type": "inline", "items": [{"id": 1, "of": "one"}]}, "destination": {"type": "database", "table": "one"}},
	{"id": "two", "source": {"type": "inline", "items": [{"id": 2, "of": "two"}, {"id": "x"}]}, "destination": {"type": "database", "table": "two", "key": "id"}}]}');
SELECT * FROM replayed;
SELECT notices FROM history LIMIT 1;
SELECT * FROM one;
SELECT step, item::text, message FROM databite.rejected_items WHERE job_id = 'replay' ORDER BY id;

-- More than a batch, of items and of bytes
SELECT databite.schedule_job('{"id": "replay", "source": {"type": "sql", "query": "SELECT i AS id, repeat(''x'', 10000) AS name FROM generate_series(1, 2500) i"},
	"destination": {"type": "database", "table": "many", "key": "id", "onError": "log_and_continue", "schema": {"id": "integer", "name": "text"}},
	"validation": {"name": "{{ false }}"}}');
DELETE FROM databite.rejected_item WHERE job_id = 'replay';
CALL databite.run_job('replay');
SELECT count(*) FROM rejected;
SELECT databite.schedule_job(definition #- '{validation}') FROM databite.jobs WHERE job_id = 'replay';
SELECT * FROM replayed;
SELECT count(*), sum(length(name)) FROM many;
SELECT count(*) FROM rejected;

-- No tries again of the run's, and it is not the run that another try waits for
SELECT databite.schedule_job('{"id": "replay", "source": {"type": "inline", "items": [{"id": "x"}]}, "destination": {"type": "database", "table": "t", "onError": "log_and_continue"},
	"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 2, "retryDelay": 1}}');
CALL databite.run_job('replay');
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now' USING ERRCODE = '55000'; END $$;
ALTER TABLE t ALTER id TYPE text;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse();
SELECT * FROM replayed;
SELECT * FROM history LIMIT 2;
SELECT databite.unschedule_job('replay');
DROP SCHEMA replay CASCADE;
