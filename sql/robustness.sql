--
-- What must not harm the server, whoever does it.
--
SET client_min_messages = warning;

-- NULL where a job id belongs
CALL databite.run_job(NULL);
SELECT databite.enqueue_job(NULL);
SELECT databite.reset_job(NULL);

-- Jobs that are not there
\set VERBOSITY sqlstate
CALL databite.run_job('nowhere');
SELECT databite.execute_job('nowhere');
SELECT databite.enqueue_job('nowhere');
SELECT databite.cancel_job('nowhere');
SELECT databite.pause_job('nowhere');
SELECT databite.resume_job('nowhere');
SELECT databite.reset_job('nowhere');
SELECT databite.explain_job('nowhere');
SELECT databite.preview_job('nowhere');


\set VERBOSITY terse
-- A template that fails leaves no batch behind
SELECT databite.evaluate('{{ item.a | round(1) }}', '{"a": "x"}');
SELECT * FROM databite.batch() AS b(p1 numeric, ord bigint);
SELECT databite.evaluate('{{ item.a | round(1) }}', '{"a": 1.26}');
SELECT * FROM databite.batch() AS b(p1 numeric, ord bigint);

-- A secret is written, though not by SQL
BEGIN READ ONLY;
SELECT databite.set_token('robust', 'value');
ROLLBACK;

-- A value that does not fit is not shown where it is a secret
SELECT databite.set_token('robust', 'canary-5150');
SELECT databite.schedule_job('{
	"id": "robust", "source": {"type": "api", "url": "http://127.0.0.1:1/",
		"headers": {"X-Number": "{{ tokens.robust | round(2) }}"}},
	"destination": {"type": "database", "table": "robust", "schema": {"id": "integer"}}}');
SELECT status, error ->> 'code' AS code, error ->> 'message' AS message FROM databite.execute_job('robust');
SELECT * FROM databite.preview_job('robust');
SELECT databite.delete_token('robust');
SELECT databite.unschedule_job('robust');

-- A job whose owner is gone makes nothing that nobody owns
CREATE ROLE robust_owner;
GRANT USAGE ON SCHEMA databite TO robust_owner;
GRANT EXECUTE ON FUNCTION databite.schedule_job TO robust_owner;
SET ROLE robust_owner;
SELECT databite.schedule_job('{"id": "robust", "source": {"type": "inline", "items": [{"id": 1}]},
	"destination": {"type": "database", "table": "robust_orphan", "schema": {"id": "integer"}}}');
RESET ROLE;
DROP OWNED BY robust_owner;
DROP ROLE robust_owner;
\set VERBOSITY sqlstate
SELECT databite.execute_job('robust');
CALL databite.run_job('robust');
SELECT databite.explain_job('robust');
\set VERBOSITY terse
SELECT to_regclass('robust_orphan');
SELECT databite.unschedule_job('robust');

-- A trigger that runs the job that fired it
CREATE TABLE robust_rows (id bigint);
CREATE FUNCTION run_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databite.execute_job('robust');
	RETURN NULL;
END $$;
CREATE TRIGGER run_again AFTER INSERT ON robust_rows FOR EACH ROW EXECUTE FUNCTION run_again();
SELECT databite.schedule_job('{"id": "robust", "source": {"type": "inline", "items": [{"id": 1}]},
	"destination": {"type": "database", "table": "robust_rows", "mode": "insert"}}');
SELECT status, error ->> 'code' AS code, error ->> 'message' AS message FROM databite.execute_job('robust');
CALL databite.run_job('robust');
SELECT count(*) FROM robust_rows;
DROP TRIGGER run_again ON robust_rows;
SELECT status, records_inserted FROM databite.execute_job('robust');
DROP TABLE robust_rows;
DROP FUNCTION run_again;

-- A run of many batches needs no more memory than one of few
CREATE TABLE robust_rows (id bigint, name text);
CREATE TABLE robust_memory (at bigint, bytes bigint);
CREATE FUNCTION note_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id IN (100, 3000) THEN
		INSERT INTO robust_memory SELECT NEW.id, sum(total_bytes) FROM pg_backend_memory_contexts WHERE name ~ '^databite';
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER note_memory AFTER INSERT ON robust_rows FOR EACH ROW EXECUTE FUNCTION note_memory();
SELECT databite.schedule_job(jsonb_build_object(
	'id', 'robust',
	'source', jsonb_build_object('type', 'inline',
		'items', (SELECT jsonb_agg(jsonb_build_object('id', i, 'name', 'x')) FROM generate_series(1, 3000) AS i)),
	'destination', '{"type": "database", "table": "robust_rows", "mode": "insert", "batchSize": 1}'::jsonb));
CALL databite.run_job('robust');
SELECT count(*), CASE WHEN max(bytes) - min(bytes) < 64 * 1024 THEN 'bounded' ELSE (max(bytes) - min(bytes))::text END AS memory
FROM robust_memory;
SELECT databite.unschedule_job('robust');
DROP TABLE robust_rows, robust_memory;
DROP FUNCTION note_memory;
