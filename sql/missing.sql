-- deletes.missing: rows that a complete listing does not have are deleted, or marked.
SET client_min_messages = warning;
CREATE SCHEMA missing;
SET search_path = missing, public;

-- Runs a job of these items into table t; definition is merged over it.
CREATE FUNCTION run(items jsonb, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}', dry_run boolean DEFAULT false, source jsonb DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'r',
		'source', coalesce(source, jsonb_build_object('type', 'inline', 'items', items)),
		'destination', jsonb_strip_nulls('{"type": "database", "table": "t", "deletes": {"missing": "hard"}}'::jsonb || destination)) || definition);
	SELECT * INTO result FROM databite.execute_job('r', dry_run);
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged, %s deleted, %s rejected %s', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged,
		result.records_deleted, result.records_rejected,
		concat_ws(', ', result.error ->> 'code', result.error ->> 'message'));
END $$;

-- What schedule_job is refused with.
CREATE FUNCTION refused(destination jsonb, OUT pointer text, OUT message text, OUT hint text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT * FROM databite.validate_job(jsonb_build_object('id', 'r', 'source', '{"type": "inline", "items": []}'::jsonb,
		'destination', '{"type": "database", "table": "t"}'::jsonb || destination))
$$;

-- What history says of the last run.
CREATE FUNCTION notices() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT unnest(notices) FROM databite.runs WHERE run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'r')
$$;

-- Hard
CREATE TABLE t (id int PRIMARY KEY, name text);
SELECT run('[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}, {"id": 3, "name": "three"}, {"id": 4, "name": "four"}]');
SELECT run('[{"id": 4, "name": "IV"}, {"id": 3, "name": "three"}, {"id": 5, "name": "five"}]');
SELECT * FROM t ORDER BY id;
SELECT * FROM notices();
-- in batches, some with duplicates
SELECT run('[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5}, {"id": 6}]', '{"batchSize": 2}');
SELECT run('[{"id": 1}, {"id": 1}, {"id": 3}, {"id": 4}, {"id": 4}, {"id": 6}]', '{"batchSize": 2}');
SELECT array_agg(id ORDER BY id) FROM t;
-- a dry run says what would go
SELECT run('[{"id": 1}, {"id": 3}]', '{}', '{}', true);
SELECT array_agg(id ORDER BY id) FROM t;
-- what source.where drops is not in the listing
SELECT run(NULL, '{}', '{}', false, '{"type": "inline", "items": [{"id": 1}, {"id": 3}, {"id": 4}, {"id": 6}], "where": "{{ item.id != 3 }}"}');
SELECT array_agg(id ORDER BY id) FROM t;
-- a key that is computed, of several columns
CREATE TABLE pairs (a int, b text COLLATE "C", n int, UNIQUE (a, b));
INSERT INTO pairs VALUES (1, 'x', 1), (1, 'y', 1), (2, 'x', 1), (2, NULL, 1);
SELECT run('[{"id": "1/x"}, {"id": "1/z"}]',
	'{"table": "pairs", "key": ["a", "b"], "deletes": {"missing": "hard", "maxFraction": 0.8}}',
	'{"transform": {"a": "{{ item.id | split(\"/\") | first | int }}", "b": "{{ item.id | split(\"/\") | last }}"}}');
SELECT * FROM pairs ORDER BY a, b;

-- More than maxFraction would go: nothing does
SELECT run('[{"id": 1}]');
SELECT array_agg(id ORDER BY id) FROM t;
SELECT * FROM notices();
SELECT run('[{"id": 1}]', '{"deletes": {"missing": "hard", "maxFraction": 0.7}}');
SELECT array_agg(id ORDER BY id) FROM t;
SELECT run('[{"id": 2}]', '{"deletes": {"missing": "hard", "maxFraction": 0}}');
SELECT * FROM notices();
SELECT run('[{"id": 1}]', '{"deletes": {"missing": "hard", "maxFraction": 1}}');
SELECT array_agg(id ORDER BY id) FROM t;

-- A listing that is empty, or of which items were rejected
INSERT INTO t SELECT generate_series(2, 9);
SELECT run('[]');
SELECT * FROM notices();
SELECT run('[{"id": 1}, {"id": 2}, {"id": "x"}]', '{"onError": "log_and_continue", "deletes": {"missing": "hard", "maxFraction": 1}}');
SELECT * FROM notices();
SELECT run('[{"id": "x"}]', '{"onError": "log_and_continue", "deletes": {"missing": "hard", "maxFraction": 1}}');
SELECT run('[{"id": 1}, {"id": "x"}]', '{"deletes": {"missing": "hard", "maxFraction": 1}}');
SELECT array_agg(id ORDER BY id) FROM t;

-- A run that asks for a part: nothing goes, but the first one that begins at the beginning is a whole one
CREATE TABLE source AS SELECT i AS id, '2024-01-01'::date + i AS at FROM generate_series(1, 5) AS i;
CREATE FUNCTION sync(incremental jsonb DEFAULT '{"cursorField": "at"}') RETURNS text LANGUAGE sql
	RETURN run(NULL, '{}', '{"transform": {"id": "{{ item.id }}"}}', false,
		jsonb_build_object('type', 'sql', 'query', 'SELECT * FROM source WHERE at >= {{ cursor }}', 'incremental', incremental));
SELECT sync();
SELECT * FROM notices();
SELECT databite.reset_job('r');
SELECT sync();
SELECT array_agg(id ORDER BY id) FROM t;
DELETE FROM source WHERE id = 5;
INSERT INTO source VALUES (6, '2024-02-01');
SELECT sync();
SELECT * FROM notices();
SELECT array_agg(id ORDER BY id) FROM t;
SELECT databite.reset_job('r');
SELECT sync('{"cursorField": "at", "initialValue": "2024-01-01"}');
SELECT * FROM notices();
SELECT databite.reset_job('r');
SELECT sync('{"cursorField": "at", "end": "2024-06-01"}');
SELECT * FROM notices();
SELECT databite.reset_job('r');
SELECT sync();
SELECT array_agg(id ORDER BY id) FROM t;
-- a request that names last_sync_time is a part, too
SELECT run(NULL, '{}', '{"transform": {"id": "{{ item.id }}"}}', false, '{"type": "sql", "query": "SELECT * FROM source WHERE at > {{ last_sync_time }} OR id < 5"}');
SELECT * FROM notices();
-- and what one does not ask with says nothing
SELECT run(NULL, '{}', '{"transform": {"id": "{{ item.id }}", "name": "{{ last_sync_time | truncate(1, \"\") }}"}}', false, '{"type": "sql", "query": "SELECT * FROM source WHERE id < 5"}');
SELECT * FROM t ORDER BY id;

-- Soft: a time
CREATE TABLE soft (id int PRIMARY KEY, name text, deleted_at timestamptz);
SELECT run('[{"id": 1}, {"id": 2}, {"id": 3}]', '{"table": "soft", "deletes": {"missing": "soft"}}');
SELECT run('[{"id": 1}, {"id": 3}]', '{"table": "soft", "deletes": {"missing": "soft"}}');
SELECT id, deleted_at = now() AS now, deleted_at IS NULL AS there FROM soft ORDER BY id;
UPDATE soft SET deleted_at = '2024-01-01' WHERE id = 2;
-- it stays, and does not count any more
SELECT run('[{"id": 1}]', '{"table": "soft", "deletes": {"missing": "soft"}}');
SELECT id, deleted_at < '2025-01-01' AS before, deleted_at IS NULL AS there FROM soft ORDER BY id;
-- and comes back
SELECT run('[{"id": 1}, {"id": 2}]', '{"table": "soft", "deletes": {"missing": "soft"}}');
SELECT id, deleted_at IS NULL AS there FROM soft ORDER BY id;
SELECT run('[{"id": 1}, {"id": 2}]', '{"table": "soft", "deletes": {"missing": "soft"}}');
-- a boolean, of another name
CREATE TABLE gone (id int PRIMARY KEY, gone boolean NOT NULL DEFAULT false);
SELECT run('[{"id": 1}, {"id": 2}]', '{"table": "gone", "deletes": {"missing": "soft", "column": "gone"}}');
SELECT run('[{"id": 2}]', '{"table": "gone", "deletes": {"missing": "soft", "column": "gone"}}');
SELECT * FROM gone ORDER BY id;
SELECT run('[{"id": 1}, {"id": 2}]', '{"table": "gone", "deletes": {"missing": "soft", "column": "gone"}}');
SELECT * FROM gone ORDER BY id;
-- a table that is made
SELECT run('[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]', '{"table": "made", "deletes": {"missing": "soft"}}');
SELECT run('[{"id": 1, "name": "a"}]', '{"table": "made", "deletes": {"missing": "soft"}}');
SELECT id, name, deleted_at IS NULL AS there FROM made ORDER BY id;
SELECT run('[{"id": 1}]', '{"table": "made_of_schema", "schema": {"id": "integer"}, "deletes": {"missing": "soft", "column": "Left At"}}');
SELECT * FROM made_of_schema;

-- With a condition as well: what an item deletes is not missing
CREATE TABLE combined (id int PRIMARY KEY, n int, deleted_at timestamptz);
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 3, "n": 1}, {"id": 4, "n": 1}]', '{"table": "combined"}');
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3, "n": "?", "gone": true}]',
	'{"table": "combined", "deletes": {"mode": "hard", "when": "{{ item.gone }}", "missing": "soft", "maxFraction": 0.4}}');
SELECT id, n, deleted_at IS NULL AS there FROM combined ORDER BY id;
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 2, "gone": true}, {"id": 4, "n": 4}]',
	'{"table": "combined", "deletes": {"mode": "soft", "when": "{{ item.gone }}", "missing": "hard"}}');
SELECT id, n, deleted_at IS NULL AS there FROM combined ORDER BY id;
-- a row that is newer than its item is not missing
SELECT run('[{"id": 1, "n": 0}, {"id": 4, "n": 5}]', '{"table": "combined", "newerBy": "n"}');
SELECT id, n, deleted_at IS NULL AS there FROM combined ORDER BY id;
-- the other modes that write by key
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 3, "n": 1}]', '{"table": "combined", "mode": "batch_insert"}');
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 1}]', '{"table": "combined", "mode": "streaming_insert"}');
SELECT array_agg(id ORDER BY id) FROM combined;

-- Steps
CREATE TABLE s1 (id int PRIMARY KEY);
CREATE TABLE s2 (id int PRIMARY KEY);
INSERT INTO s2 VALUES (1), (2), (3), (4);
SELECT databite.schedule_job('{"id": "steps", "steps": [
	{"id": "one", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}]}, "destination": {"type": "database", "table": "s1", "deletes": {"missing": "hard"}}},
	{"id": "two", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}, {"id": 5}]}, "destination": {"type": "database", "table": "s2", "deletes": {"missing": "hard"}}}]}');
INSERT INTO s1 VALUES (3);
CALL databite.run_job('steps');
SELECT status, records_processed, records_inserted, records_unchanged, records_deleted, notices FROM databite.runs WHERE job_id = 'steps';
SELECT (SELECT array_agg(id ORDER BY id) FROM s1) AS one, (SELECT array_agg(id ORDER BY id) FROM s2) AS two;

-- Partitioned; and a table that others inherit from: its own rows only
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20);
SELECT run('[{"id": 1}, {"id": 2}, {"id": 11}, {"id": 12}]', '{"table": "parted"}');
SELECT run('[{"id": 1}, {"id": 12}]', '{"table": "parted"}');
SELECT tableoid::regclass, * FROM parted ORDER BY id;
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE heir () INHERITS (base);
INSERT INTO base VALUES (1), (2);
INSERT INTO heir VALUES (3);
SELECT run('[{"id": 2}]', '{"table": "base"}');
SELECT tableoid::regclass, * FROM base ORDER BY id;

-- A foreign key that holds a row: the run fails, what was written in the same transaction too
CREATE TABLE child (t int REFERENCES t);
TRUNCATE t CASCADE;
INSERT INTO t VALUES (1), (2);
INSERT INTO child VALUES (1);
SELECT run('[{"id": 2}, {"id": 3}]');
SELECT array_agg(id ORDER BY id) FROM t;

-- What is refused
CREATE TABLE keyless (id int, deleted_at timestamptz);
SELECT * FROM refused('{"table": "keyless", "deletes": {"missing": "hard"}}');
SELECT * FROM refused('{"table": "keyless", "key": "id", "deletes": {"missing": "hard"}}');
SELECT * FROM refused('{"mode": "insert", "deletes": {"missing": "hard"}}');
SELECT * FROM refused('{"mode": "replace", "deletes": {"missing": "hard"}}');
SELECT * FROM refused('{"deletes": {"missing": "soft"}}');
SELECT * FROM refused('{"deletes": {"missing": "soft", "column": "name"}}');
SELECT * FROM refused('{"mode": "insert_only", "deletes": {"missing": "hard"}}');
SELECT * FROM refused('{"mode": "append_history", "deletes": {"missing": "hard"}}');
CREATE VIEW seen AS SELECT * FROM t;
SELECT * FROM refused('{"table": "seen", "deletes": {"missing": "hard"}}');

-- What it does
SELECT databite.schedule_job('{"id": "r", "source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "t", "deletes": {"missing": "hard"}}}');
SELECT * FROM databite.explain_job('r');
SELECT databite.schedule_job('{"id": "r", "source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "soft", "deletes": {"missing": "soft"}}}');
SELECT * FROM databite.explain_job('r');
SELECT target_row, error FROM databite.preview_job('r');

-- Nothing is left
SELECT count(*) FROM databite.stage;
SELECT count(*) FROM pg_class WHERE relnamespace = 'databite'::regnamespace AND relname ~ '^stage_[0-9]+$';

SELECT count(databite.unschedule_job(job_id)) > 0 AS removed FROM databite.jobs;
DROP SCHEMA missing CASCADE;
