-- Items that say that their row is deleted: it goes, or is marked, and comes back with the item.
SET client_min_messages = warning;
DELETE FROM databite.rejected_item;	-- of other tests
DELETE FROM databite.run;
CREATE SCHEMA deletes;
SET search_path = deletes, public;
SET timezone = 'UTC';

-- One run of a job over inline items.  Every item is counted once, or the text says so.
CREATE FUNCTION run(destination jsonb, items jsonb, more jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
	state text;
	message text;
	hint text;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'deletes',
		'source', jsonb_build_object('type', 'inline', 'items', items) || coalesce(more -> 'source', '{}'),
		'destination', '{"type": "database"}' || destination) || (more - 'source'));
	SELECT * INTO result FROM databite.execute_job('deletes');
	IF result.error IS NOT NULL THEN
		RETURN format('%s: %s %s', result.status, result.error ->> 'code', result.error ->> 'message');
	END IF;
	RETURN format('%s: %s = %s inserted + %s updated + %s unchanged + %s deleted + %s rejected', result.status, result.records_processed,
		result.records_inserted, result.records_updated, result.records_unchanged, result.records_deleted, result.records_rejected)
		|| CASE WHEN result.records_processed <> result.records_inserted + result.records_updated + result.records_unchanged
			+ result.records_deleted + result.records_rejected THEN ' DO NOT ADD UP' ELSE '' END;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN format('%s: %s%s', state, message, CASE WHEN hint <> '' THEN ' HINT: ' || hint END);
END $$;

-- items('1a 2b 3-'): [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "gone": true}]
CREATE FUNCTION items(text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', left(word, -1)::int)
		|| CASE WHEN right(word, 1) = '-' THEN '{"gone": true}' ELSE jsonb_build_object('v', right(word, 1)) END ORDER BY n)
	FROM regexp_split_to_table($1, ' ') WITH ORDINALITY AS w(word, n)
$$;

-- '1a 2(b)': 2 is marked as deleted
CREATE FUNCTION rows_of(name regclass, mark text DEFAULT 'false') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(CASE WHEN %s THEN format(''%%s(%%s)'', id, v) ELSE concat(id, v) END, '' '' ORDER BY id) FROM %s', mark, name) INTO result;
	RETURN result;
END $$;

--
-- hard
--
CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL);
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('1a 2b 3c 4d 5e'));
-- one that is there, one that is not, one that is there again, and what is new and changed beside them
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('1- 9- 3- 3c 4x 6f 7g 7- 5e'));
SELECT rows_of('t');
-- in batches, with the mode stated
SELECT run('{"table": "t", "mode": "upsert", "batchSize": 2, "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('3- 3y 4- 4- 8h 8-'));
SELECT run('{"table": "t", "mode": "batch_insert", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('3- 11k'));
SELECT run('{"table": "t", "mode": "streaming_insert", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('11- 12l'));
SELECT run('{"table": "t", "mode": "update_only", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('12- 5q 13x'));
SELECT rows_of('t');
-- nothing but deleted ones; the key alone
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('5- 99-'));
SELECT run('{"table": "t", "mode": "update_only", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('6- 99-'));
SELECT rows_of('t');
-- a unique value is free for another row in the same batch
CREATE TABLE named (id int PRIMARY KEY, v text UNIQUE);
SELECT run('{"table": "named", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('5a 6b'));
SELECT run('{"table": "named", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('1a 5- 7b 6-'));
SELECT run('{"table": "named", "mode": "update_only", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('7a 1-'));
SELECT rows_of('named');

-- of a deleted item only the key matters: other values are neither converted nor checked nor missed
CREATE DOMAIN given AS int NOT NULL CHECK (value > 0);
CREATE TABLE strict (id int PRIMARY KEY, n int NOT NULL, d given, v text);
INSERT INTO strict SELECT n, n, 1, 'x' FROM generate_series(1, 6) AS n;
SELECT run('{"table": "strict", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"id": 1, "n": "no number", "d": -5, "gone": true}, {"id": 2, "gone": true}, {"id": 3, "n": 33, "d": 3, "v": "new"}]');
SELECT run('{"table": "strict", "deletes": {"mode": "hard", "when": "{{item.state == ''gone''}}"}}', '[{"id": 4, "n": 0, "state": "gone"}, {"id": 3, "n": 4, "d": 3, "v": "x", "state": "here"}]',
	'{"transform": {"id": "{{item.id}}", "n": "{{100 / item.n}}", "d": "{{item.d}}", "v": "{{item.v | required}}"}, "validation": {"required": ["v"], "n": {"min": 20}, "v": "{{item.v | upper}}"}}');
SELECT run('{"table": "strict", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"gone": true}]');
SELECT run('{"table": "strict", "deletes": {"mode": "hard", "when": "{{item.gone}}"}, "onError": "log_and_continue"}', '[{"gone": true}, {"id": "x", "gone": true}, {"id": 5, "gone": true}, {"id": 6, "gone": "maybe"}, {"id": 7}]');
SELECT run('{"table": "strict", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"gone": true}, {"id": 6, "gone": true, "v": ""}, {"id": 3, "n": 3, "d": 3, "v": "y"}]', '{"validation": {"required": ["v"]}}');
SELECT * FROM strict ORDER BY id;
SELECT item, message FROM databite.rejected_items ORDER BY id;

-- the condition is as that of source.where: where it is not true, nothing is deleted
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"id": 1, "v": "a", "gone": false}, {"id": 2, "v": "a", "gone": null}, {"id": 3, "v": "a"}]');
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.status in [''archived'', ''deleted'']}}"}}', '[{"id": 1, "v": "a", "status": "deleted"}, {"id": 2, "v": "a", "status": "x"}, {"id": 3, "status": "archived"}]',
	'{"source": {"where": "{{item.id != 3}}"}}');
SELECT rows_of('t');

-- rows that others refer to
CREATE TABLE refers (t int REFERENCES t);
INSERT INTO refers VALUES (2);
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('1x 2- 3-'));
SELECT run('{"table": "t", "onError": "log_and_continue", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('1x 2- 3-'));
SELECT rows_of('t');
SELECT item, error_code, "constraint" FROM databite.rejected_items WHERE error_code = '23503';

-- a trigger that keeps rows
CREATE FUNCTION keep_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE WHEN old.id = 20 THEN NULL ELSE old END;
END $$;
CREATE TRIGGER keep_row BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('20a 21a'));
SELECT run('{"table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', items('20- 21-'));
SELECT rows_of('t');

--
-- soft: a new table has the column
--
SELECT run('{"table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "b", "deleted_at": "an item''s own"}]');
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'deletes' AND table_name = 'made' ORDER BY ordinal_position;
SELECT rows_of('made', 'deleted_at IS NOT NULL');
SELECT run('{"table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', items('1- 3- 2b'));
SELECT rows_of('made', 'deleted_at IS NOT NULL');
-- again: nothing to do, and the time stays; then it is there again
UPDATE made SET deleted_at = '2000-01-01' WHERE id = 1;
SELECT run('{"table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', items('1- 2-'));
SELECT deleted_at FROM made WHERE id = 1;
SELECT run('{"table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', items('1a 2c'));
SELECT run('{"table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', items('1a 2c'));
SELECT run('{"table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', items('1- 1a 2c 2-'));
SELECT rows_of('made', 'deleted_at IS NOT NULL');
SELECT run('{"table": "made", "mode": "update_only", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', items('2c 1- 7-'));
SELECT rows_of('made', 'deleted_at IS NOT NULL');
SELECT run('{"table": "declared", "schema": {"id": "integer", "v": "string", "off": "boolean"}, "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "off"}}', items('1a 2b 2-'));
SELECT run('{"table": "declared", "schema": {"id": "integer", "v": "string", "off": "boolean"}, "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "off"}}', items('1a 1-'));
SELECT * FROM declared ORDER BY id;

-- a table that is there: columns of any such type; NULL in a boolean is not deleted
CREATE TABLE flags (id int PRIMARY KEY, v text, needed int NOT NULL DEFAULT 7, off boolean);
INSERT INTO flags VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT run('{"table": "flags", "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "off"}}', items('1a 2- 3-'));
SELECT run('{"table": "flags", "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "off"}}', items('1a 2- 3c 4d'));
SELECT * FROM flags ORDER BY id;
CREATE TABLE dates (id int PRIMARY KEY, v text, day date, at timestamp);
SELECT run('{"table": "dates", "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "day"}}', items('1a 2b'));
SELECT run('{"table": "dates", "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "day"}}', items('1-'));
SELECT run('{"table": "dates", "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "at"}}', items('2-'));
SELECT id, day >= current_date - 1 AS day, at > now() AT TIME ZONE 'UTC' - interval '1 hour' AS at FROM dates ORDER BY id;

-- partitions, composite keys in another order, a json column
CREATE TABLE parts (a int, b text, v json, at int, deleted_at timestamptz, PRIMARY KEY (a, b)) PARTITION BY LIST (b);
CREATE TABLE parts_x PARTITION OF parts FOR VALUES IN ('x');
CREATE TABLE parts_y PARTITION OF parts FOR VALUES IN ('y');
SELECT run('{"table": "parts", "key": ["b", "a"], "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"a": 1, "b": "x", "v": [1]}, {"a": 1, "b": "y", "v": [1]}, {"a": 2, "b": "y"}]');
SELECT run('{"table": "parts", "key": ["b", "a"], "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"a": 1, "b": "x", "gone": true}, {"a": 1, "b": "y", "v": [1]}, {"a": 3, "b": "y", "gone": true}, {"a": 2, "b": "x", "v": 1}, {"a": 9, "b": "nowhere", "gone": true}]');
SELECT run('{"table": "parts", "key": ["b", "a"], "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', '[{"a": 1, "b": "y", "gone": true}, {"a": 2, "b": "y", "v": 2}]');
SELECT a, b, v, deleted_at IS NOT NULL AS deleted FROM parts ORDER BY a, b;

--
-- with newerBy: the newest decides
--
CREATE TABLE timed (id int PRIMARY KEY, v text, at int, deleted_at timestamptz);
SELECT run('{"table": "timed", "newerBy": "at", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"id": 1, "v": "a", "at": 5}, {"id": 2, "at": 7, "gone": true}, {"id": 2, "v": "older", "at": 6}, {"id": 3, "gone": true, "at": 1}, {"id": 3, "v": "newer", "at": 2}]');
SELECT run('{"table": "timed", "newerBy": "at", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"id": 1, "at": 4, "gone": true}, {"id": 3, "gone": true}]');
SELECT id, v, at FROM timed ORDER BY id;
SELECT run('{"table": "timed", "newerBy": "at", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', '[{"id": 1, "at": 9, "gone": true}, {"id": 3, "gone": true, "at": 2}]');
-- what is older than the delete does not bring the row back
SELECT run('{"table": "timed", "newerBy": "at", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}', '[{"id": 1, "at": 8, "v": "stale"}, {"id": 3, "at": 3, "v": "back"}]');
SELECT id, v, at, deleted_at IS NOT NULL AS deleted FROM timed ORDER BY id;

--
-- what is wrong
--
CREATE TABLE keyless (id int, v text, deleted_at text);
SELECT pointer, message, hint FROM unnest(ARRAY['{"table": "keyless", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '{"deletes": {"mode": "soft", "when": "{{item.gone}}"}}',
	'{"table": "timed", "deletes": {"mode": "soft", "when": "{{item.gone}}", "column": "v"}}', '{"mode": "insert", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}',
	'{"mode": "insert_only", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '{"mode": "append_history", "key": "id", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}',
	'{"deletes": {"mode": "hard", "when": "{{item.gone + }}"}}', '{"deletes": {"mode": "hard", "when": "{{nothing.gone}}"}}', '{"deletes": {"mode": "hard", "when": "gone"}}']::jsonb[]) AS change,
	databite.validate_job(jsonb_build_object('id', 'x', 'source', '{"type": "inline", "items": []}'::jsonb,
		'destination', '{"type": "database", "table": "t"}' || change));
SELECT pointer, message, hint FROM databite.validate_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "deleted_at": "{{now}}"},
	"destination": {"type": "database", "table": "timed", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}}');

--
-- what is shown
--
SELECT lines FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}"},
	"destination": {"type": "database", "table": "t", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}, "validation": {"required": ["v"]}}') AS lines;
SELECT lines FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}", "at": "{{item.at}}"},
	"destination": {"type": "database", "table": "timed", "mode": "update_only", "newerBy": "at", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}}') AS lines;
SELECT target_row, error FROM databite.preview_job('{"id": "x", "source": {"type": "inline", "items": [{"id": 1, "v": "a"}, {"id": 2, "gone": true}]},
	"destination": {"type": "database", "table": "made", "deletes": {"mode": "soft", "when": "{{item.gone}}"}}}');
SELECT databite.item_deleted(0);

SELECT databite.unschedule_job('deletes');
DROP SCHEMA deletes CASCADE;
