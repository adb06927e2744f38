-- source {"type": "sql"}: rows of a query as items.
SET client_min_messages = warning;
CREATE SCHEMA sql_source;
SET search_path = sql_source, public;
SET timezone = 'UTC';

CREATE TABLE item (id int, price numeric, at timestamptz, tags text[], more jsonb, raw bytea, blank text);
INSERT INTO item VALUES (1, 0.10000000000000000001, '2024-05-01 10:00+02', '{a,"b c"}', '{"a": [1, null]}', '\x00ff', NULL),
	(2, 'NaN', 'infinity', '{}', '[]', '', ''), (3, 12345678901234567890.5, '2024-06-01', NULL, NULL, NULL, 'ü "quoted"');
CREATE TABLE t (LIKE item, PRIMARY KEY (id));

-- Runs a job of the query into table t; definition is merged over it.
CREATE FUNCTION run(query text, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 's', 'source', jsonb_build_object('type', 'sql', 'query', query),
		'destination', '{"type": "database", "table": "t"}'::jsonb || destination) || definition);
	SELECT * INTO result FROM databite.execute_job('s');
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged, %s rejected %s', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged, result.records_rejected,
		concat_ws(', ', result.error ->> 'code', result.error ->> 'message'));
END $$;

-- What is wrong with a query, and where.
CREATE FUNCTION problems(query text) RETURNS TABLE (message text, hint text) LANGUAGE sql AS $$
	SELECT message, hint FROM databite.validate_job(jsonb_build_object('id', 's', 'source', jsonb_build_object('type', 'sql', 'query', query),
		'destination', '{"type": "database", "table": "t"}'::jsonb))
$$;

-- Every type comes through as it is
SELECT run('SELECT * FROM item');
(TABLE item EXCEPT TABLE t) UNION ALL (TABLE t EXCEPT TABLE item);
SELECT run('TABLE item');
-- one that PostgreSQL can read is taken: comments, a semicolon, WITH, VALUES
SELECT run('WITH few AS (SELECT * FROM item WHERE id < 3) SELECT id, blank || ''!'' AS blank FROM few; -- the first ones');
SELECT run('VALUES (1), (2)', '{}', '{"transform": {"id": "{{ item.column1 }}"}}');
SELECT run('SELECT id FROM item WHERE false');
SELECT id, blank FROM t ORDER BY id;

-- Templates are values of the type of their place, never pasted
SELECT run('SELECT id, ''later'' AS blank FROM item WHERE at > {{ last_sync_time }} AND id <= {{ payload.id ?? 2 }} LIMIT {{ payload.n ?? 10 }}', '{"table": "u", "key": "id"}');
SELECT * FROM u ORDER BY id;
SELECT run('SELECT 1 AS id, {{ "a''b}} $1" ~ "; DROP TABLE t" }} AS blank, {{ run.started_at }}::timestamptz = now() AS now', '{"table": "v", "key": "id"}');
SELECT id, blank FROM v;
SELECT line FROM (VALUES ('{"id": "s", "source": {"type": "sql", "query": "SELECT id\nFROM item WHERE at > {{ last_sync_time }}"}, "destination": {"type": "database", "table": "t"}}'::jsonb)) j (job_id), databite.explain_job(job_id) WITH ORDINALITY line (line, n) WHERE n < 4;
SELECT item, target_row, error FROM databite.preview_job('{"id": "s", "source": {"type": "sql", "query": "SELECT id, price FROM item ORDER BY id"},
	"destination": {"type": "database", "table": "t"}}', 2);

-- What is no query, with the place
\pset format unaligned
SELECT * FROM problems('');
SELECT * FROM problems('SELECT 1 AS id; SELECT 2 AS id');
SELECT * FROM problems('DELETE FROM item');
SELECT * FROM problems('WITH gone AS (DELETE FROM item RETURNING *) SELECT * FROM gone');
SELECT * FROM problems('SELECT * FROM item FOR UPDATE');
SELECT * FROM problems('SELECT * INTO x FROM item');
SELECT * FROM problems('SELECT FROM item');
SELECT * FROM problems('SELECT id, price AS id FROM item');
SELECT * FROM problems('SELECT id FORM item');
SELECT * FROM problems('SELECT id, prize FROM item WHERE at > {{ last_sync_time }}');
SELECT * FROM problems('SELECT id FROM item WHERE at > {{ last_sync_time }} AND prize > 1');
SELECT * FROM problems('SELECT id FROM item WHERE at > ''{{ last_sync_time }}''');
SELECT * FROM problems('SELECT id FROM item -- {{ last_sync_time }}');
SELECT * FROM problems('SELECT id FROM item WHERE id > $1');
SELECT * FROM problems('SELECT id FROM item WHERE id > {{ tokens.x }}');
SELECT * FROM problems('SELECT id FROM item WHERE id > {{ item.x }}');
SELECT * FROM problems('SELECT id FROM item WHERE id > {{ payload.x');
SELECT * FROM problems('SELECT id FROM item WHERE id > {{}}');
\pset format aligned

-- It reads: what it calls cannot write
CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS $$ INSERT INTO sql_source.item (id) VALUES (99) RETURNING id $$;
SELECT run('SELECT writes() AS id');
SELECT run('SELECT 1 / (id - 1) AS id FROM item');
SELECT count(*) FROM item WHERE id = 99;
-- and the step writes afterwards, also what the query reads
SELECT run('SELECT id + 10 AS id FROM t', '{"mode": "insert"}');
SELECT run('SELECT id + 100 AS id FROM t', '{"mode": "insert"}', '{"source": {"type": "sql", "query": "SELECT id + 100 AS id FROM t ORDER BY id", "where": "{{ item.id > 110 }}", "batchSize": 2}}');
SELECT array_agg(id ORDER BY id) FROM t;

-- More rows than work_mem holds, in batches that are committed while they are read
SET work_mem = '64kB';
CREATE TABLE many (n int, filler text);
SELECT databite.schedule_job('{"id": "many", "source": {"type": "sql", "query": "SELECT n, repeat(''x'', 100) AS filler FROM generate_series(1, 20000) n"},
	"destination": {"type": "database", "table": "many"}}');
CALL databite.run_job('many');
RESET work_mem;
SELECT count(*), sum(n), min(length(filler)) FROM many;
SELECT records_processed, records_inserted, pages FROM databite.runs WHERE job_id = 'many';

-- A run that goes on after a failure: one that inserts leaves out the rows that it has written, one that upserts begins anew
CREATE TABLE fails (id int);
CREATE SEQUENCE batches;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('sql_source.batches') = 3 THEN RAISE 'once' USING ERRCODE = '55000'; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER fail_once AFTER INSERT ON fails FOR EACH STATEMENT EXECUTE FUNCTION fail_once();
SELECT databite.schedule_job('{"id": "fails", "source": {"type": "sql", "query": "SELECT n AS id FROM generate_series(1, 9) n ORDER BY n"},
	"destination": {"type": "database", "table": "fails", "batchSize": 2},
	"errorHandling": {"strategy": "retry_with_backoff", "retryDelay": 0}}');
CALL databite.run_job('fails');
SELECT array_agg(id ORDER BY id) FROM fails;
SELECT trigger, status, records_processed, records_inserted, records_unchanged FROM databite.runs WHERE job_id = 'fails' ORDER BY run_id;
TRUNCATE fails;
ALTER TABLE fails ADD PRIMARY KEY (id);
ALTER SEQUENCE batches RESTART;
CALL databite.run_job('fails');
SELECT array_agg(id ORDER BY id) FROM fails;
SELECT trigger, status, records_processed, records_inserted, records_unchanged FROM databite.runs WHERE job_id = 'fails' ORDER BY run_id OFFSET 2;
SELECT databite.unschedule_job('fails');

-- As its owner, and by the search_path of when it was scheduled
CREATE ROLE sql_source_user LOGIN;
GRANT USAGE ON SCHEMA databite, sql_source TO sql_source_user;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO sql_source_user;
GRANT ALL ON t TO sql_source_user;
SET ROLE sql_source_user;
SELECT databite.schedule_job('{"id": "owned", "source": {"type": "sql", "query": "SELECT id + 1000 AS id FROM item"},
	"destination": {"type": "database", "table": "t"}}');
RESET ROLE;
SET search_path = public;
SELECT status, error ->> 'message' AS message FROM databite.execute_job('owned');
GRANT SELECT ON sql_source.item TO sql_source_user;
SELECT status, records_inserted FROM databite.execute_job('owned');

SELECT databite.unschedule_job('s'), databite.unschedule_job('many'), databite.unschedule_job('owned');
DROP SCHEMA sql_source CASCADE;
REVOKE ALL ON SCHEMA databite FROM sql_source_user;
REVOKE ALL ON ALL ROUTINES IN SCHEMA databite FROM sql_source_user;
DROP ROLE sql_source_user;
