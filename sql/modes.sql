-- The write modes: what each of them does with rows that are there and with rows that are not, and
-- counters that add up whatever happens.
SET client_min_messages = warning;
DELETE FROM databite.rejected_item;	-- of other tests
DELETE FROM databite.run;
CREATE SCHEMA modes;
SET search_path = modes, public;
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
	PERFORM databite.schedule_job(jsonb_build_object('id', 'modes',
		'source', jsonb_build_object('type', 'inline', 'items', items) || coalesce(more -> 'source', '{}'),
		'destination', '{"type": "database"}' || destination) || (more - 'source'));
	SELECT * INTO result FROM databite.execute_job('modes');
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

-- items('1a 2b 3-'): [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3}]
CREATE FUNCTION items(text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', left(word, -1)::int)
		|| CASE WHEN right(word, 1) = '-' THEN '{}' ELSE jsonb_build_object('v', right(word, 1)) END ORDER BY n)
	FROM regexp_split_to_table($1, ' ') WITH ORDINALITY AS w(word, n)
$$;

-- '1a 2b': what items() made of it
CREATE FUNCTION rows_of(name regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT string_agg(concat(id, v), '' '' ORDER BY id) FROM %s', name) INTO result;
	RETURN result;
END $$;

--
-- insert_only: what is there stays
--
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT run('{"table": "t", "mode": "insert_only"}', items('1a 2b 2c'));
SELECT run('{"table": "t", "mode": "insert_only"}', items('1x 3c 3d 4e 2y'));
SELECT rows_of('t');
-- in batches, and the first of a batch too
SELECT run('{"table": "t", "mode": "insert_only", "batchSize": 2}', items('5a 5b 5c 6a 1z 6b'));
SELECT rows_of('t');
-- a bad item is rejected, others are not: the first good one of a key is inserted
ALTER TABLE t ADD CHECK (v <> 'x');
SELECT run('{"table": "t", "mode": "insert_only", "onError": "log_and_continue"}', items('7x 7a 8x 9a 1x'));
SELECT rows_of('t');
SELECT item, error_code, "constraint" FROM databite.rejected_items ORDER BY item ->> 'id';
SELECT run('{"table": "t", "mode": "insert_only"}', items('10a 11x'));
-- only the key; a key beside the primary key, in another order, of a constraint
CREATE TABLE only_key (id int PRIMARY KEY);
SELECT run('{"table": "only_key", "mode": "insert_only"}', '[{"id": 1}, {"id": 1}, {"id": 2}]');
SELECT run('{"table": "only_key", "mode": "insert_only"}', '[{"id": 1}, {"id": 3}]');
CREATE TABLE pairs (n serial PRIMARY KEY, a text, b int, v json, UNIQUE (b, a));
SELECT run('{"table": "pairs", "mode": "insert_only", "key": ["a", "b"]}', '[{"a": "x", "b": 1, "v": [1]}, {"a": "x", "b": 2, "v": {}}, {"a": "x", "b": 1, "v": [2]}]');
SELECT run('{"table": "pairs", "mode": "insert_only", "key": ["b", "a"]}', '[{"a": "x", "b": 1, "v": [3]}, {"a": "y", "b": 1, "v": 1}]');
SELECT * FROM pairs ORDER BY n;
-- without a key there is no telling
SELECT run('{"table": "pairs", "mode": "insert_only"}', '[{"a": "x"}]');
SELECT run('{"table": "pairs", "mode": "insert_only", "key": "a"}', '[{"a": "x"}]');
SELECT run('{"table": "pairs", "mode": "insert_only", "key": ["a", "b"]}', '[{"a": "x"}]');
SELECT run('{"table": "pairs", "mode": "insert_only", "key": ["a", "b"]}', '[{"a": "x"}]', '{"transform": {"a": "{{item.a | upper}}", "b": "{{item.b}}"}}');
CREATE VIEW t_view AS SELECT * FROM t;
SELECT run('{"table": "t_view", "mode": "insert_only"}', items('1a'));
SELECT run('{"table": "t_view", "mode": "update_only", "key": "id"}', items('1a'));
-- a table that is created
SELECT run('{"table": "made", "mode": "insert_only"}', items('1a 1b 2a'));
SELECT run('{"table": "made", "mode": "insert_only"}', items('1c 2c 3c'));
SELECT rows_of('made');

--
-- update_only: what is not there is left out
--
TRUNCATE t;
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT run('{"table": "t", "mode": "update_only"}', items('1a 2y 2z 4d 3-'));
SELECT rows_of('t');
-- equal rows are not touched, and columns that the step does not fill need no value
CREATE TABLE strict (id int PRIMARY KEY, needed text NOT NULL, v text, w int DEFAULT 5);
INSERT INTO strict SELECT n, 'x', 'a', n FROM generate_series(1, 3) AS n;
CREATE TABLE before AS SELECT id, ctid AS place FROM strict;
SELECT run('{"table": "strict", "mode": "update_only"}', items('1a 2b 9c'));
SELECT s.*, s.ctid = place AS untouched FROM strict AS s JOIN before USING (id) ORDER BY id;
SELECT run('{"table": "strict", "mode": "upsert"}', items('1b'));
-- only the key: nothing to write
SELECT run('{"table": "strict", "mode": "update_only"}', '[{"id": 1}, {"id": 7}]');
SELECT run('{"table": "pairs", "mode": "update_only", "key": ["b", "a"]}', '[{"a": "x", "b": 1, "v": {"new": 1}}, {"a": "x", "b": 2, "v": {}}, {"a": "q", "b": 2, "v": {}}]');
SELECT * FROM pairs ORDER BY n;
SELECT run('{"table": "pairs", "mode": "update_only", "key": ["b", "a"]}', '[{"a": "x", "v": 1}]');
SELECT run('{"table": "pairs", "mode": "update_only", "key": ["b", "a"]}', '[{"a": "x"}]', '{"transform": {"a": "{{item.a | upper}}", "b": "{{item.b}}", "v": "{{1}}"}}');
SELECT run('{"table": "pairs", "mode": "update_only"}', '[{"a": "x", "v": 1}]');
SELECT run('{"table": "no_table", "mode": "update_only"}', items('1a'));
-- bad items
SELECT run('{"table": "t", "mode": "update_only", "onError": "log_and_continue"}', items('1x 2q 9x'));
SELECT run('{"table": "t", "mode": "update_only"}', items('1r 2x'));
SELECT rows_of('t');
-- a value that is too long, one that cannot be converted
CREATE TABLE sized (id int PRIMARY KEY, v varchar(2), n int);
INSERT INTO sized VALUES (1), (2), (3);
SELECT run('{"table": "sized", "mode": "update_only", "onError": "log_and_continue"}', '[{"id": 1, "v": "abc"}, {"id": 2, "v": "ab", "n": "x"}, {"id": 3, "v": "ab", "n": 3}]');
SELECT * FROM sized ORDER BY id;

--
-- batch_insert and streaming_insert say how rows are written: with a key nothing is doubled
--
TRUNCATE t;
SELECT run('{"table": "t", "mode": "batch_insert", "batchSize": 2}', items('1a 2b 3c'));
SELECT run('{"table": "t", "mode": "batch_insert", "batchSize": 2}', items('1a 2c 2d 4d'));
SELECT run('{"table": "t", "mode": "streaming_insert"}', items('1b 5e'));
SELECT rows_of('t');
CREATE TABLE keyless (id int, v text);
SELECT run('{"table": "keyless", "mode": "batch_insert"}', items('1a 1a'));
SELECT run('{"table": "keyless", "mode": "streaming_insert"}', items('1a 2b'));
SELECT rows_of('keyless');
SELECT run('{"table": "keyless", "mode": "streaming_insert", "key": "id"}', items('1a 2b'));
SELECT run('{"table": "pairs", "mode": "batch_insert", "key": ["a", "b"]}', '[{"a": "x", "b": 1, "v": 5}, {"a": "x", "b": 3, "v": 5}]');
SELECT run('{"table": "pairs", "mode": "batch_insert"}', '[{"a": "new", "b": 1, "v": 5}]');
SELECT a, b, v FROM pairs ORDER BY a, b;

-- keys of types of every kind are found again, in whatever way they are written
CREATE DOMAIN number_of_item AS int CHECK (value > 0);
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FUNCTION key_of(type text, one text, same text, other text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[];
	n text;
	mode text;
BEGIN
	EXECUTE format('CREATE TABLE of_type (id %s PRIMARY KEY, v text, valid_from timestamptz DEFAULT now(), valid_to timestamptz, gone text)', type);
	EXECUTE format('INSERT INTO of_type VALUES (%L, ''a''), (%L, ''a'')', one::jsonb #>> '{}', other::jsonb #>> '{}');
	FOREACH mode IN ARRAY ARRAY['insert_only', 'update_only', 'upsert'] LOOP
		results := results || run(jsonb_build_object('table', 'of_type', 'mode', mode),
			format('[{"id": %s, "v": "b %s"}, {"id": %s, "v": "c %s"}]', one, mode, same, mode)::jsonb);
	END LOOP;
	results := results || run('{"table": "of_type", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', format('[{"id": %s, "gone": true}]', same)::jsonb);
	ALTER TABLE of_type DROP CONSTRAINT of_type_pkey;
	CREATE UNIQUE INDEX ON of_type (id) WHERE valid_to IS NULL;
	results := results || run('{"table": "of_type", "mode": "append_history"}', format('[{"id": %s, "v": "a"}, {"id": %s, "v": "b"}, {"id": %s, "v": "b"}]', other, one, same)::jsonb);
	results := results || run('{"table": "of_type", "mode": "append_history"}', format('[{"id": %s, "v": "c"}, {"id": %s, "v": "a"}]', same, other)::jsonb);
	EXECUTE 'SELECT count(*) FROM of_type' INTO n;
	DROP TABLE of_type;
	RETURN (SELECT string_agg(regexp_replace(regexp_replace(r, 'completed: \d+ = | \+ 0 rejected', '', 'g'), '(0|(\d+)) (\w)\w+( \+ )?', '\2\3 ', 'g'), '| ' ORDER BY i)
		FROM unnest(results) WITH ORDINALITY AS x(r, i)) || n || ' rows';
END $$;
SELECT type, key_of(type, one, same, other) FROM (VALUES
	('int', '1', '1', '2'), ('bigint', '1', '1', '9007199254740993'), ('numeric', '1.0', '1.00', '2'), ('text', '"a"', '"a"', '"A"'), ('varchar(10)', '"a"', '"a"', '"b"'), ('char(5)', '"a"', '"a "', '"b"'),
	('text COLLATE ignore_case', '"a"', '"A"', '"b"'), ('uuid', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"', '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"'),
	('timestamptz', '"2024-01-01T00:00:00Z"', '"2024-01-01T01:00:00+01:00"', '"2025-01-01T00:00:00Z"'), ('date', '"2024-01-01"', '"2024-01-01"', '"2024-01-02"'), ('boolean', 'true', 'true', 'false'),
	('number_of_item', '1', '1', '2'), ('colour', '"red"', '"red"', '"blue"')) AS t(type, one, same, other);
CREATE TABLE of_arrays (id int[] PRIMARY KEY, v text);
INSERT INTO of_arrays VALUES ('{1,2}', 'a'), ('{1}', 'a');
SELECT run('{"table": "of_arrays", "mode": "update_only"}', '[{"id": [1, 2], "v": "b"}, {"id": [2], "v": "b"}]');
SELECT run('{"table": "of_arrays", "deletes": {"mode": "hard", "when": "{{item.gone}}"}}', '[{"id": [1], "gone": true}, {"id": [1, 2], "v": "b"}]');
SELECT * FROM of_arrays;

--
-- newerBy: what is older than the row that is there is left out
--
CREATE TABLE timed (id int PRIMARY KEY, v text, at timestamptz);
SELECT run('{"table": "timed", "newerBy": "at"}', '[{"id": 1, "v": "a", "at": "2024-01-05T00:00:00Z"}, {"id": 1, "v": "b", "at": "2024-01-04T00:00:00Z"}, {"id": 2, "v": "a"}, {"id": 3, "v": "a", "at": "2024-01-01T00:00:00Z"}]');
SELECT * FROM timed ORDER BY id;
-- older, equal, newer, without; two of the same time, of which the last wins
SELECT run('{"table": "timed", "newerBy": "at"}', '[{"id": 1, "v": "old", "at": "2024-01-04T23:59:59Z"}, {"id": 2, "v": "first", "at": "2020-01-01T00:00:00Z"}, {"id": 3, "v": "none"}]');
SELECT run('{"table": "timed", "newerBy": "at"}', '[{"id": 1, "v": "equal", "at": "2024-01-05T00:00:00Z"}, {"id": 2, "v": "x", "at": "2020-01-02T00:00:00Z"}, {"id": 2, "v": "y", "at": "2020-01-02T00:00:00Z"}, {"id": 2, "v": "z", "at": "2020-01-01T12:00:00Z"}, {"id": 2, "v": "null"}]');
SELECT * FROM timed ORDER BY id;
SELECT run('{"table": "timed", "newerBy": "at", "mode": "update_only"}', '[{"id": 1, "v": "old", "at": "2024-01-04T00:00:00Z"}, {"id": 2, "v": "new", "at": "2024-01-04T00:00:00Z"}, {"id": 4, "v": "new", "at": "2024-01-04T00:00:00Z"}]');
SELECT run('{"table": "timed", "newerBy": "at", "mode": "batch_insert", "batchSize": 1}', '[{"id": 1, "v": "old", "at": "2024-01-04T00:00:00Z"}, {"id": 5, "v": "b", "at": "2024-01-04T00:00:00Z"}, {"id": 5, "v": "a", "at": "2024-01-03T00:00:00Z"}, {"id": 1, "v": "c", "at": "2024-01-06T00:00:00Z"}]');
-- nothing has the time at all
SELECT run('{"table": "timed", "newerBy": "at"}', items('1q 7q'));
SELECT * FROM timed ORDER BY id;
-- a version in text; its collation decides
CREATE TABLE versioned (id int PRIMARY KEY, v text, version text COLLATE "C");
SELECT run('{"table": "versioned", "newerBy": "version", "mode": "upsert"}', '[{"id": 1, "v": "upper", "version": "B"}, {"id": 1, "v": "lower", "version": "a"}]');
SELECT run('{"table": "versioned", "newerBy": "version", "mode": "streaming_insert"}', '[{"id": 1, "v": "older", "version": "B"}, {"id": 2, "v": "new", "version": "B"}]');
SELECT * FROM versioned ORDER BY id;
-- a column default is no time of the item's
CREATE TABLE defaulted (id int PRIMARY KEY, v text, at timestamptz DEFAULT 'infinity');
INSERT INTO defaulted VALUES (1, 'there', '2024-01-01');
SELECT run('{"table": "defaulted", "newerBy": "at"}', '[{"id": 1, "v": "older"}, {"id": 2, "v": "new"}]');
SELECT * FROM defaulted ORDER BY id;
-- what is wrong with it
SELECT pointer, message, hint FROM unnest(ARRAY['{"newerBy": "att"}', '{"newerBy": "id"}', '{"newerBy": "at", "mode": "insert"}', '{"newerBy": "at", "mode": "insert_only"}',
	'{"newerBy": "at", "mode": "append_history"}', '{"newerBy": "at", "table": "keyless"}', '{"newerBy": "v", "table": "pairs", "key": ["a", "b"]}', '{"newerBy": "at", "table": "t_view"}', '{"newerBy": 5}']::jsonb[]) AS change,
	databite.validate_job(jsonb_build_object('id', 'x', 'source', '{"type": "inline", "items": []}'::jsonb,
		'destination', '{"type": "database", "table": "timed"}' || change));
SELECT pointer, message, hint FROM databite.validate_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}"},
	"destination": {"type": "database", "table": "timed", "newerBy": "at"}}');

--
-- partitions
--
CREATE TABLE parts (id int, k text, v text, at int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b (at int, v text, id int NOT NULL, k text NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
SELECT run('{"table": "parts", "mode": "insert_only"}', '[{"id": 1, "k": "a", "v": "1"}, {"id": 1, "k": "b", "v": "1"}, {"id": 1, "k": "b", "v": "2"}]');
SELECT run('{"table": "parts", "mode": "insert_only"}', '[{"id": 1, "k": "a", "v": "3"}, {"id": 2, "k": "a", "v": "3"}]');
SELECT run('{"table": "parts", "mode": "update_only"}', '[{"id": 1, "k": "a", "v": "4"}, {"id": 1, "k": "b", "v": "1"}, {"id": 3, "k": "b", "v": "4"}, {"id": 3, "k": "nowhere", "v": "4"}]');
SELECT run('{"table": "parts", "newerBy": "at"}', '[{"id": 1, "k": "a", "v": "5", "at": 5}, {"id": 1, "k": "b", "v": "5", "at": 5}, {"id": 4, "k": "b", "v": "5", "at": 5}]');
SELECT run('{"table": "parts", "newerBy": "at"}', '[{"id": 1, "k": "a", "v": "6", "at": 4}, {"id": 1, "k": "b", "v": "6", "at": 6}, {"id": 4, "k": "b", "v": "5", "at": 5}]');
SELECT run('{"table": "parts", "mode": "batch_insert"}', '[{"id": 1, "k": "a", "v": "7", "at": 4}, {"id": 5, "k": "b", "v": "7", "at": 6}]');
SELECT id, k, v, at FROM parts ORDER BY id, k;

--
-- triggers that drop and change rows, items that are skipped, dropped and rejected: all add up
--
CREATE TABLE triggered (id int PRIMARY KEY, v text);
CREATE FUNCTION change_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v = 'd' THEN
		RETURN NULL;
	END IF;
	new.v := upper(new.v);
	RETURN new;
END $$;
CREATE TRIGGER change_row BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION change_row();
SELECT mode, run(jsonb_build_object('table', 'triggered', 'mode', mode, 'onError', 'log_and_continue'),
	items('1a 2d 3c 3d 4- 5e 6f 6g 7s 8r 9w'),
	'{"source": {"where": "{{item.v != ''w''}}"}, "transform": {"id": "{{item.id}}", "v": "{{item.v == ''s'' ? skip : (item.v == ''r'' ? reject : item.v)}}"}}')
FROM unnest(ARRAY['insert', 'insert_only', 'upsert', 'update_only', 'batch_insert', 'streaming_insert', 'update_only', 'insert_only']) WITH ORDINALITY AS m(mode, n)
ORDER BY n;
SELECT rows_of('triggered');

--
-- validation
--
SELECT run('{"table": "t", "mode": "update_only"}', items('1- 2a 3q'), '{"validation": {"required": ["v"], "v": {"in": ["a", "b"]}}}');
SELECT run('{"table": "t", "mode": "insert_only"}', items('100- 2a 101q 102a'), '{"validation": {"required": ["v"], "v": {"in": ["a", "b"]}}}');
SELECT run('{"table": "t", "mode": "update_only"}', '[{"v": "a"}, {"id": 1, "v": "a"}]', '{"validation": {"required": ["v"]}}');

-- columns that have the names which the statements use
CREATE TABLE names (id int PRIMARY KEY, ord int, t int, s int, r int, o int, k int, b int, v int, deleted int, latest int, removed int, written int, "select" int);
SELECT mode, run(jsonb_build_object('table', 'names', 'mode', mode, 'newerBy', 't', 'deletes', '{"mode": "hard", "when": "{{item.gone}}"}'::jsonb)
		- CASE WHEN mode = 'insert_only' THEN '{newerBy, deletes}' ELSE '{}' END::text[],
	jsonb_build_array(jsonb_build_object('id', 1, 'gone', true, 't', n), jsonb_build_object('id', 2, 'ord', n, 't', n, 's', n, 'r', n, 'o', n, 'k', n, 'b', n, 'v', n,
		'deleted', n, 'latest', n, 'removed', n, 'written', n, 'select', n)))
FROM unnest(ARRAY['insert_only', 'update_only', 'upsert', 'batch_insert']) WITH ORDINALITY AS m(mode, n) ORDER BY n;
SELECT * FROM names;
CREATE TABLE version_names (id int, t int, s int, o int, e int, begins int, begins_ int, differing int, ended int, opened int, valid_from timestamptz, valid_to timestamptz);
CREATE UNIQUE INDEX ON version_names (id) WHERE valid_to IS NULL;
SELECT n, run('{"table": "version_names", "mode": "append_history"}',
	jsonb_build_array(jsonb_build_object('id', 1, 't', n, 's', n, 'o', n, 'e', n, 'begins', n, 'begins_', n, 'differing', n, 'ended', n, 'opened', n))) FROM generate_series(1, 2) AS n;
SELECT id, t, s, o, e, begins, begins_, differing, ended, opened, valid_to IS NULL AS open FROM version_names ORDER BY valid_from;

--
-- what is shown: the statement, the plan, the rows
--
SELECT lines FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}"},
	"destination": {"type": "database", "table": "t", "mode": "insert_only"}}') AS lines;
SELECT lines FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}", "at": "{{item.at}}"},
	"destination": {"type": "database", "table": "timed", "mode": "update_only", "newerBy": "at"}}') AS lines;
SELECT lines FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}", "at": "{{item.at}}"},
	"destination": {"type": "database", "table": "timed", "newerBy": "at"}}') AS lines;
-- a plan that is made while the table is empty, has one row or many looks every row up by its key
CREATE FUNCTION scans(destination jsonb) RETURNS TABLE (of_table bigint, by_key bigint) LANGUAGE sql AS $$
	SELECT count(*) FILTER (WHERE line ~ 'Scan .*\mplanned\M'), count(*) FILTER (WHERE line ~ 'Index Cond: .*\mid = ')
	FROM databite.explain_job(jsonb_build_object('id', 'x', 'source', '{"type": "inline", "items": []}'::jsonb,
		'transform', '{"id": "{{item.id}}", "k": "{{item.k}}", "v": "{{item.v}}"}'::jsonb,
		'destination', '{"type": "database", "table": "planned"}' || destination), true) AS line
$$;
CREATE TABLE planned (id int, k text, v text, deleted_at timestamptz, PRIMARY KEY (k, id));
CREATE INDEX ON planned (id);
SELECT * FROM scans('{"mode": "update_only"}');
INSERT INTO planned VALUES (1, 'a', 'a');
ANALYZE planned;
SELECT * FROM scans('{"mode": "update_only"}');
INSERT INTO planned SELECT n, 'b', 'a' FROM generate_series(2, 5000) AS n;
ANALYZE planned;
SELECT * FROM scans('{"mode": "update_only"}');
SELECT * FROM scans('{"mode": "insert_only"}');
TRUNCATE planned;
ANALYZE planned;
SELECT * FROM scans('{"mode": "update_only", "deletes": {"mode": "hard", "when": "{{item.deleted}}"}}');
SELECT * FROM scans('{"deletes": {"mode": "soft", "when": "{{item.deleted}}"}}');
SELECT target_row, error FROM databite.preview_job('{"id": "x", "source": {"type": "inline", "items": [{"id": 1, "v": "a"}, {"id": "x"}]},
	"destination": {"type": "database", "table": "t", "mode": "update_only"}}');
SELECT databite.schedule_job('{"id": "modes", "source": {"type": "inline", "items": [{"id": 1, "v": "dry"}, {"id": 77, "v": "dry"}]}, "destination": {"type": "database", "table": "t", "mode": "update_only"}}');
SELECT status, records_updated, records_unchanged FROM databite.execute_job('modes', dry_run => true);
SELECT v FROM t WHERE id = 1;

SELECT databite.unschedule_job('modes');
DROP SCHEMA modes CASCADE;
