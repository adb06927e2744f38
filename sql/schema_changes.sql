-- schemaChanges: keys of items for which the table has no column.
SET client_min_messages = warning;
CREATE SCHEMA changes;
SET search_path = changes, public;
SET timezone = 'UTC';

-- One run of a job over inline items, in batches of three.  NOTICEs are shown, as is what history says.
CREATE FUNCTION run(destination jsonb, items jsonb, transform jsonb DEFAULT NULL, definition jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	job jsonb := jsonb_strip_nulls(jsonb_build_object('id', 'changes', 'transform', transform,
		'source', jsonb_build_object('type', 'inline', 'items', '[]'::jsonb, 'batchSize', 3),
		'destination', '{"type": "database", "table": "t", "schemaChanges": "add_columns", "batchSize": 3}' || destination)) || definition;
	result record;
	run record;
BEGIN
	job := jsonb_set(job, '{source,items}', items);
	PERFORM set_config('client_min_messages', 'warning', true);
	PERFORM databite.schedule_job(job);
	PERFORM set_config('client_min_messages', 'notice', true);
	SELECT * INTO result FROM databite.execute_job('changes');
	SELECT * INTO run FROM databite.runs WHERE run_id = result.run_id;
	IF result.status = 'completed' AND result.records_inserted + result.records_updated + result.records_unchanged +
		result.records_deleted + result.records_rejected <> result.records_processed THEN
		RAISE 'counters do not add up: %', result;
	END IF;
	RETURN concat_ws(E'\n', format('%s: %s processed, %s inserted, %s updated, %s unchanged, %s rejected', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged, result.records_rejected),
		concat_ws(', ', result.error ->> 'code', result.error ->> 'message', result.error ->> 'detail', result.error ->> 'hint'),
		array_to_string(run.notices, E'\n'));
END $$;
\pset format unaligned
\pset tuples_only on

CREATE TABLE t (id int PRIMARY KEY, a text);

-- "ignore", the default, leaves them out
SELECT run('{"schemaChanges": null}', '[{"id": 1, "a": "x", "n": 1}]');
SELECT run('{"schemaChanges": "ignore"}', '[{"id": 1, "a": "x", "n": 1}]');
SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0;

-- "add_columns": of several batches, of the items in a batch, with the types that a new table would get
SELECT run('{}', '[{"id": 1, "a": "x"}, {"id": 2, "n": 1, "Odd \"Name\"": "2024-05-05"}, {"n": 1.5, "id": 3, "deep": {"k": [1]}},
	{"id": 4, "n": 4, "later": true}, {"id": 5, "deep": [2], "a": "y"}, {"id": 6}, {"id": 7, "later": false, "n": 7}]');
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'changes' AND table_name = 't' ORDER BY ordinal_position;
SELECT row_to_json(t) FROM t ORDER BY id;
-- what is there is found, and written as ever
SELECT run('{}', '[{"id": 1, "n": 5}, {"id": 2, "n": 1}, {"id": 3, "n": 1.5, "deep": {"k": [1]}}]');

-- nulls tell no type: nothing is added for them until there is a value
SELECT run('{}', '[{"id": 1, "late": null}, {"id": 2, "late": null}, {"id": 3}, {"id": 4, "late": null}, {"id": 5, "late": 5}]');
SELECT id, late FROM t ORDER BY id;
SELECT run('{}', '[{"id": 1, "never": null}]');

-- keys that occur twice, escaped ones, and none at all
SELECT run('{}', '[{"id": 1, "twice": "a", "twice": 1}, {"id": 2, "\u0065scaped": "x"}, {"id": 3, "escaped": "y"}]');
SELECT id, twice, escaped FROM t WHERE id < 4 ORDER BY id;
SELECT run('{}', '[{}]');
-- only keys that are no columns yet
CREATE TABLE other (made timestamptz DEFAULT '2024-01-01');
SELECT run('{"table": "other"}', '[{"x": 1}, {"x": 2, "y": "z"}]');
SELECT * FROM other ORDER BY x;

-- names that cannot be columns, and a type that a column cannot take: not a change of the schema
SELECT run('{}', '[{"id": 1, "0123456789012345678901234567890123456789012345678901234567890123456789": 1}]');
SELECT run('{}', '[{"id": 1, "xmin": 1}]');
SELECT run('{}', '[{"id": 1, "": 1}]');
SELECT run('{}', '[{"id": 1, "n": "text", "not_added": 1}]');
SELECT run('{}', jsonb_build_array((SELECT jsonb_object_agg('k' || i, i) || '{"id": 1}' FROM generate_series(1, 1600) i)));
-- a name of 63 bytes, reserved ones, and those that differ in case only
SELECT run('{"table": "other"}', '[{"012345678901234567890123456789012345678901234567890123456789012": 1, "select": 2, "Select": 3, "ord": 4, "b": 5}]');
SELECT row_to_json(other) FROM other WHERE "select" = 2;

-- what source.where drops adds nothing; what it looks at is a key like others
SELECT run('{}', '[{"id": 1, "kind": "a", "of_a": 1}, {"id": 2, "kind": "b", "of_b": 1}]', NULL,
	'{"source": {"type": "inline", "items": [{"id": 1, "kind": "a", "of_a": 1}, {"id": 2, "kind": "b", "of_b": 1}], "where": "{{ item.kind == ''a'' }}"}}');

-- a batch that fails leaves no column, and the next run adds it
CREATE TABLE checked (id int PRIMARY KEY, v int CHECK (v < 10));
SELECT run('{"table": "checked"}', '[{"id": 1, "v": 1, "w": 1}, {"id": 2, "v": 11, "w": 2}]');
SELECT count(*) FROM pg_attribute WHERE attrelid = 'checked'::regclass AND attname = 'w';
SELECT run('{"table": "checked", "onError": "log_and_continue"}', '[{"id": 1, "v": 1, "w": 1}, {"id": 2, "v": 11, "w": 2}, {"id": 3, "w": "x"}, {"id": 4, "w": 4, "y": 1}]');
SELECT * FROM checked ORDER BY id;
-- each batch by itself: a later one fails, what was committed stays
SELECT run('{"table": "checked", "mode": "insert"}', '[{"id": 10, "p": 1}, {"id": 11}, {"id": 12}, {"id": 13, "p": 2, "q": 1, "v": 100}]');
CALL databite.run_job('changes');
SELECT * FROM checked ORDER BY id;
SELECT notices FROM databite.runs WHERE job_id = 'changes' ORDER BY run_id DESC LIMIT 1;

-- dry run: nothing stays
SELECT run('{"table": "checked"}', '[{"id": 20}]');
DO $$ BEGIN PERFORM databite.schedule_job('{"id": "changes", "source": {"type": "inline", "items": [{"id": 21, "dry": 1}]},
	"destination": {"type": "database", "table": "checked", "schemaChanges": "add_columns"}}'); END $$;
SELECT status, records_inserted FROM databite.execute_job('changes', true);
SET client_min_messages = notice;
SELECT * FROM databite.preview_job('changes');
SET client_min_messages = warning;
SELECT count(*) FROM pg_attribute WHERE attrelid = 'checked'::regclass AND attname = 'dry';

-- a table that the run creates grows in its later batches
SELECT run('{"table": "grown"}', '[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4, "x": 1}, {"id": 5, "x": 2, "y": "z"}, {"id": 6}, {"id": 7, "x": 7}]');
SELECT * FROM grown ORDER BY id;

-- partitioned tables and their partitions, parents, views, generated columns, a table of somebody else
CREATE TABLE part (id int, k text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
SELECT run('{"table": "part"}', '[{"id": 1, "k": "a", "x": 1}]');
SELECT run('{"table": "part"}', '[{"id": 1, "k": "a", "x": 2}]');
SELECT * FROM part_a;
SELECT run('{"table": "part_a"}', '[{"id": 1, "k": "a", "y": 2}]');
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
SELECT run('{"table": "parent"}', '[{"id": 1, "x": 1}]');
SELECT attname FROM pg_attribute WHERE attrelid = 'child'::regclass AND attnum > 0;
CREATE VIEW v AS SELECT * FROM parent;
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "v", "schemaChanges": "add_columns"}}');
SELECT run('{"table": "v", "schemaChanges": "fail"}', '[{"id": 1, "y": 1}]');
CREATE TABLE generated (id int GENERATED ALWAYS AS IDENTITY, a int, b int GENERATED ALWAYS AS (a * 2) STORED);
SELECT run('{"table": "generated"}', '[{"id": 5, "a": 1, "b": 7}]');
SELECT run('{"table": "generated", "schemaChanges": "fail"}', '[{"id": 5, "a": 1, "b": 7}]');
DO $$ BEGIN PERFORM databite.unschedule_job('changes'); END $$;
CREATE ROLE regress_changes_owner;
GRANT USAGE ON SCHEMA changes, databite TO regress_changes_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO regress_changes_owner;
GRANT SELECT, INSERT, UPDATE ON parent TO regress_changes_owner;
SET ROLE regress_changes_owner;
SELECT run('{"table": "parent"}', '[{"id": 2, "x": 1}]');
SELECT run('{"table": "parent"}', '[{"id": 3, "x": 1, "y": 1}]');
DO $$ BEGIN PERFORM databite.unschedule_job('changes'); END $$;
RESET ROLE;

--
-- with a transform, or a schema: what they name and the table lacks is added when the run begins
--
CREATE TABLE stated (id int PRIMARY KEY);
SET client_min_messages = notice;
SELECT pointer, message FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "up": "{{item.a | upper}}"},
	"destination": {"type": "database", "table": "stated", "schemaChanges": "add_columns"}}');
SET client_min_messages = warning;
SELECT * FROM databite.explain_job('{"id": "v", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "up": "{{item.a | upper}}"},
	"destination": {"type": "database", "table": "stated", "mode": "insert", "schemaChanges": "add_columns"}}'::jsonb);
SELECT * FROM databite.explain_job('{"id": "v", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "up": "{{item.a | upper}}"},
	"destination": {"type": "database", "table": "stated", "mode": "insert", "schemaChanges": "add_columns"}}'::jsonb, true);
SELECT run('{"table": "stated"}', '[{"id": 1, "a": "x", "unwanted": 1}]', '{"id": "{{item.id}}", "up": "{{item.a | upper}}"}');
SELECT run('{"table": "stated", "schema": {"up": "text", "n": "numeric(5,2)"}}', '[{"id": 2, "a": "x", "n": 3}]', '{"id": "{{item.id}}", "n": "{{item.n}}", "constant": 5}');
SELECT run('{"table": "stated", "schema": {"id": "integer", "m": "integer", "empty": "jsonb"}, "key": "id"}', '[{"id": 3, "m": 4, "unwanted": 1}]');
-- types that only the items tell
SELECT * FROM databite.explain_job('{"id": "v", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "lone": "{{item.l}}"},
	"destination": {"type": "database", "table": "stated", "schemaChanges": "add_columns"}}'::jsonb);
SELECT target_row FROM databite.preview_job('{"id": "v", "source": {"type": "inline", "items": [{"id": 4, "l": 1.5}]}, "transform": {"id": "{{item.id}}", "lone": "{{item.l}}"},
	"destination": {"type": "database", "table": "stated", "schemaChanges": "add_columns"}}'::jsonb);
SELECT run('{"table": "stated"}', '[]', '{"id": "{{item.id}}", "lone": "{{item.l}}"}');
SELECT run('{"table": "stated"}', '[{"id": 4, "l": 1.5}, {"id": 5, "l": 7}, {"id": 6}, {"id": 7}]', '{"id": "{{item.id}}", "lone": "{{item.l}}"}');
SELECT column_name, data_type, numeric_scale FROM information_schema.columns WHERE table_schema = 'changes' AND table_name = 'stated' ORDER BY ordinal_position;
SELECT row_to_json(stated) FROM stated ORDER BY id;
-- what is wrong is said once
SELECT pointer, message FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id | nosuch}}", "new": "{{item.a | nosuch2}}", "ok": "{{item.b | upper}}"},
	"destination": {"type": "database", "table": "stated", "schemaChanges": "add_columns", "schema": {"bad": "nosuchtype"}}}');
SELECT pointer, message FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "new": "{{item.a}}"},
	"destination": {"type": "database", "table": "stated", "schemaChanges": "fail"}}');

-- a listing whose keys or rows are gathered: what is deleted is no item
CREATE TABLE listed (id integer PRIMARY KEY);
INSERT INTO listed VALUES (1), (2);
CREATE FUNCTION run_listing(destination jsonb, items jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'changes', 'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', destination || '{"type": "database", "table": "listed", "schemaChanges": "add_columns", "batchSize": 2}'));
	RETURN (SELECT concat_ws(' ', status, records_inserted, records_updated, records_unchanged, records_deleted)
		FROM databite.execute_job('changes'));
END $$;
SELECT run_listing('{"deletes": {"missing": "hard", "maxFraction": 1}}', '[{"id": 1}, {"id": 3, "x": 5}, {"id": 4, "x": 6, "y": "a"}]');
SELECT row_to_json(listed) FROM listed ORDER BY id;
SELECT run_listing('{"mode": "replace"}', '[{"id": 1}, {"id": 3, "x": 5}, {"id": 5, "x": 7, "z": true}]');
SELECT row_to_json(listed) FROM listed ORDER BY id;

-- items that are tried again
CREATE TABLE again (id integer PRIMARY KEY, v integer CHECK (v < 10));
SELECT run('{"table": "again", "schemaChanges": "add_columns", "onError": "log_and_continue"}', '[{"id": 1, "v": 1}, {"id": 2, "v": 20, "brought": "x"}]');
ALTER TABLE again DROP CONSTRAINT again_v_check, DROP COLUMN brought;
SELECT status, records_inserted, records_rejected FROM databite.replay_rejected('changes', (SELECT max(run_id) FROM databite.runs WHERE job_id = 'changes'));
SELECT trigger, notices FROM databite.runs WHERE job_id = 'changes' ORDER BY run_id DESC LIMIT 1;
SELECT row_to_json(again) FROM again ORDER BY id;

--
-- "fail"
--
SELECT run('{"table": "checked", "schemaChanges": "fail"}', '[{"id": 1}, {"id": 30, "u": 1, "U": "x", "nothing": null}]');
SELECT run('{"table": "checked", "schemaChanges": "fail"}', '[{"id": 30, "nothing": null}, {"id": 31, "u": 1}]');
SELECT run('{"table": "checked", "schemaChanges": "fail", "onError": "log_and_continue"}', '[{"id": 30}, {"id": 31, "u": 1}, {"id": 32, "v": 11}, {"id": 33, "u": [1], "w2": 1}]');
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'changes' AND run_id = (SELECT max(run_id) FROM databite.runs) ORDER BY id;
SELECT item, target_row, error FROM databite.preview_job('changes');
DO $$ BEGIN PERFORM databite.schedule_job('{"id": "changes", "source": {"type": "inline", "items": [{"id": 40}, {"id": 41, "u": 1}]},
	"destination": {"type": "database", "table": "checked", "schemaChanges": "fail"}}'); END $$;
SELECT item, target_row, error FROM databite.preview_job('changes');
CALL databite.run_job('changes');
SELECT id FROM checked WHERE id >= 30 ORDER BY id;
-- a transform lists what is wanted
SELECT run('{"table": "checked", "schemaChanges": "fail"}', '[{"id": 50, "u": 1}]', '{"id": "{{item.id}}"}');

DO $$ BEGIN PERFORM databite.unschedule_job('changes'); END $$;
SET client_min_messages = warning;
DROP SCHEMA changes CASCADE;
DROP OWNED BY regress_changes_owner;
DROP ROLE regress_changes_owner;
