-- Tables that a run creates: from what items hold, or from a schema.
SET client_min_messages = warning;
CREATE SCHEMA created;
SET search_path = created, public;
SET timezone = 'UTC';

-- One run into a new table: its columns with their types, its rows, or the error.  The table is dropped again.
CREATE FUNCTION try(items jsonb, destination jsonb DEFAULT '{}', transform jsonb DEFAULT NULL, exact text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	job text := jsonb_strip_nulls(jsonb_build_object('id', 'created', 'transform', transform,
		'source', jsonb_build_object('type', 'inline', 'items', '[]'::jsonb), 'destination', '{"type": "database", "table": "fresh"}' || destination));
	result record;
	columns text;
	rows text;
BEGIN
	-- jsonb would change numbers and drop equal keys
	PERFORM databite.schedule_job(jsonb_set(job::jsonb, '{source}', CASE WHEN exact IS NULL THEN
		jsonb_build_object('type', 'inline', 'items', items) ELSE jsonb_build_object('type', 'sql', 'query', exact) END));
	SELECT * INTO result FROM databite.execute_job('created');
	IF result.error IS NOT NULL THEN
		RETURN concat_ws(' ', result.error ->> 'code', result.error ->> 'message', result.error ->> 'hint');
	END IF;
	IF result.records_inserted + result.records_updated + result.records_unchanged + result.records_deleted +
		result.records_rejected <> result.records_processed THEN
		RAISE 'counters do not add up: %', result;
	END IF;
	SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)) || CASE WHEN attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY attnum)
	INTO columns FROM pg_attribute WHERE attrelid = to_regclass('fresh') AND attnum > 0;
	EXECUTE 'SELECT string_agg(row_to_json(fresh_row)::text, E''\n'') FROM fresh AS fresh_row' INTO rows;
	EXECUTE 'DROP TABLE fresh';
	RETURN concat_ws(E'\n', columns, rows, CASE WHEN result.records_rejected > 0 THEN result.records_rejected || ' rejected' END);
END $$;
\pset format unaligned
\pset tuples_only on

-- numbers
SELECT try('[{"a": 1, "b": 9223372036854775807, "c": 9223372036854775808, "d": -9223372036854775808, "e": 1.5, "f": 1e3, "g": 1e-3, "h": 0, "i": 1.0, "j": 1}, {"j": 1.5}]');
SELECT try(NULL, exact => 'SELECT 1 AS a, json ''1E2'' AS b, json ''-0'' AS c, json ''-0.0'' AS d, json ''100000000000000000000e-18'' AS e');
SELECT try(NULL, exact => 'SELECT 1 AS id, json ''1e200000'' AS a UNION ALL SELECT 2, json ''5''');
SELECT try(NULL, '{"onError": "log_and_continue"}', exact => 'SELECT 1 AS id, json ''1e200000'' AS a UNION ALL SELECT 2, json ''5''');
-- times
SELECT try('[{"a": "2024-02-29", "b": "2023-02-29", "c": "2024-01-01T10:00:00Z", "d": "2024-01-01 10:00", "e": "2024-01-01T10:00:00.123456789+05:30", "f": "2024-01-01", "g": "10:00", "h": "20240101", "i": "2024-01-01T24:00:00", "j": "now"},
	{"f": "2024-01-01T10:00:00Z"}]');
-- texts, truths
SELECT try('[{"a": "", "b": "123", "c": true, "d": false, "e": true, "f": "true"}, {"e": "yes", "f": true}]');
-- nested, empty, null, mixed
SELECT try('[{"a": {"k": 1}, "b": [], "c": {}, "d": null, "e": [1, "x"], "f": 1, "g": "x", "h": null, "i": null}, {"f": "x", "g": {"k": 1}, "h": 5, "i": [1]}, {}]');
-- one value of another kind
SELECT try('[{"a": 1}, {"a": true}]'), try('[{"a": 1}, {"a": "2024-01-01"}]'), try('[{"a": 1}, {"a": [1]}]');

-- names: case, quotes, reserved, those that statements use, 63 bytes, more, none, system columns
SELECT try('[{"id": 1, "ID": 2, "Id": 3, "a b": 4, "a\"b": 5, "a''b": 6, "a.b": 7, "$1": 8, "select": 9, "user": 10, "ünï": 11, "a\\b": 12}]');
SELECT try('[{"ord": 1, "ord_": 2, "b": 3, "p1": 4, "r": 5, "s": 6, "t": 7, "o": 8, "k": 9, "v": 10, "written": 11, "differing": 12, "excluded": 13, "inserted": 14, "without_key": 15, "is new row": 16, "id": 17}]');
SELECT try('[{"v": 1, "r": {"v": 2}}]', transform => '{"v": "{{ item.r.v }}", "r": "{{ item.v }}", "ord": "{{ index }}", "index": "{{ item | to_json }}"}');
SELECT try('[{"012345678901234567890123456789012345678901234567890123456789012": 1}]'), try('[{"0123456789012345678901234567890123456789012345678901234567890123": 1}]');
SELECT try('[{"üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü": 1}]');
SELECT try('[{"": 1}]'), try('[{"id": 1, "ctid": 1}]');
DO $$ BEGIN
	PERFORM databite.schedule_job('{"id": "created", "source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "select"}}'), databite.execute_job('created');
	PERFORM databite.schedule_job('{"id": "created", "source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "created.\"Odd.\"\"Name\""}}'), databite.execute_job('created');
END $$;
TABLE "select" UNION ALL TABLE "Odd.""Name";

-- many keys
SELECT length(try(jsonb_build_array((SELECT jsonb_object_agg('k' || i, CASE WHEN i > 1590 THEN i END) FROM generate_series(1, 1598) AS i)))) > 20000 AS wide;
SELECT try(jsonb_build_array((SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 1601) AS i)));

-- keys
SELECT try('[{"a": 1, "b": "x", "c": 1}, {"a": 1, "b": "x", "c": 2}]', '{"key": ["b", "a"]}');
SELECT try('[{"a": 1}, {"a": 2}]', '{"key": "b"}');
SELECT try('[{"id": 1}, {"id": null}]'), try('[{"id": 1}, {}]'), try('[{}, {}]');
SELECT try('[{"id": 1}, {"id": null}, {"v": 1}]', '{"onError": "log_and_continue"}');
SELECT try('[{"id": {"oid": 1}, "v": 1}, {"id": {"oid": 1}, "v": 2}]');
-- items that are no objects
SELECT try('[1, "x"]'), try('[{"a": 1}, 5]'), try('[[1]]');
SELECT try('[{"a": 1}, 5, {"a": 2}]', '{"onError": "log_and_continue"}');
CREATE TABLE there (a int);
SELECT try('[{"a": 1}, 5]', '{"table": "there"}'), try('[[1]]', '{"table": "there"}');
DO $$ BEGIN PERFORM databite.schedule_job('{"id": "created", "source": {"type": "inline", "items": [{"a": 1}, 5, [1], "x", null, {}]}, "destination": {"type": "database", "table": "there", "onError": "log_and_continue"}}'); END $$;
SELECT item::text, target_row, error FROM databite.preview_job('created');
SELECT status, records_inserted, records_rejected FROM databite.execute_job('created');
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'created' AND run_id = (SELECT max(run_id) FROM databite.runs) ORDER BY id;
SELECT count(*) FROM there;
-- an item that a later batch has, of a kind that the first did not have, does not change the table
SELECT try('[{"a": 1}, {"a": 1.5}]', '{"batchSize": 1}');
SELECT try('[{"a": 1}, {"a": 1.5}]', '{"batchSize": 1, "onError": "log_and_continue"}');

-- from a schema
SELECT try('[{"a": "1", "b": "2024-01-01", "c": "x", "extra": 1}]', '{"schema": {"c": "varchar(5)", "b": "datetime", "a": "integer", "d": "numeric(5,2)", "e": "text[]", "f": "boolean", "g": "number", "h": "string", "i": "json", "j": "date"}}');
SELECT try('[]', '{"schema": {"a": "integer"}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "fresh", "key": "x",
	"schema": {"a": "record", "b": "serial", "c": "int; DROP TABLE x", "d": "numeric(5000)", "e": "anyelement", "xmax": "text"}}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "fresh"},
	"transform": {"ok": "1", "0123456789012345678901234567890123456789012345678901234567890123": "1", "tableoid": 1}}');

DO $$ BEGIN PERFORM databite.unschedule_job('created'); END $$;
DROP SCHEMA created CASCADE;
