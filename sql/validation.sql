-- Which items are written: source.where, validation, skip, reject and required.
SET client_min_messages = warning;
CREATE SCHEMA validation;
SET search_path = validation, public;
SET timezone = 'UTC';

-- Runs a job of these items into table t; definition is merged over it.
CREATE FUNCTION run(items jsonb, definition jsonb DEFAULT '{}', source jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
	run record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'v',
		'source', jsonb_build_object('type', 'inline', 'items', items) || source,
		'destination', '{"type": "database", "table": "t"}'::jsonb) || definition);
	SELECT * INTO result FROM databite.execute_job('v');
	SELECT * INTO run FROM databite.runs WHERE run_id = result.run_id;
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged (%s skipped), %s rejected %s', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged,
		run.records_skipped, result.records_rejected,
		concat_ws(', ', result.error ->> 'code', result.error ->> 'message', result.error ->> 'detail'));
END $$;

-- What was rejected, since the last call.
CREATE FUNCTION rejected(OUT item json, OUT error_code text, OUT message text, OUT "column" text, OUT "constraint" text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT item, error_code, message, "column", "constraint" FROM databite.rejected_items
	WHERE job_id = 'v' AND run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'v') ORDER BY id
$$;

-- Problems of a job of one table t(...), as the document's user sees them.
CREATE FUNCTION problems(definition jsonb) RETURNS TABLE (pointer text, message text, hint text) LANGUAGE sql AS $$
	SELECT pointer, message, hint FROM databite.validate_job(
		'{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "t"}}' || definition)
$$;

CREATE TABLE t (id int PRIMARY KEY, name text, age int);

--
-- source.where
--

-- False and NULL drop the item, before anything else of it is looked at: the others need not even fit
SELECT run('[{"id": 1, "kind": "a"}, {"id": "x", "kind": "b"}, {"id": 3}, {"id": 4, "kind": "a"}]', '{}',
	'{"where": "{{ item.kind == \"a\" }}"}');
SELECT * FROM t ORDER BY id;
SELECT * FROM rejected();
-- by position, by a boolean of the item, by what is known of the run
SELECT run('[{"id": 11}, {"id": 12}, {"id": 13}]', '{}', '{"where": "{{ index != 1 }}"}');
SELECT run('[{"id": 14, "on": true}, {"id": 15, "on": false}, {"id": 16, "on": null}]', '{}', '{"where": "{{ item.on }}"}');
SELECT run('[{"id": 17, "at": "2999-01-01"}, {"id": 18, "at": "1969-01-01"}]', '{}',
	'{"where": "{{ (item.at | to_datetime) > last_sync_time }}"}');
SELECT string_agg(id::text, ' ' ORDER BY id) FROM t;
-- all of them: nothing to do is no failure
SELECT run('[{"id": 21}, {"id": 22}]', '{}', '{"where": "{{ item.id > 100 }}"}');
-- a condition that cannot be told is an error like any other
SELECT run('[{"id": 21, "n": "many"}]', '{}', '{"where": "{{ item.n > 100 }}"}');
-- by batches, and without a key
CREATE TABLE plain (n int);
SELECT run((SELECT jsonb_agg(jsonb_build_object('n', n)) FROM generate_series(1, 10) n),
	'{"destination": {"type": "database", "table": "plain", "batchSize": 3}}', '{"where": "{{ item.n % 2 == 0 }}"}');
SELECT string_agg(n::text, ' ' ORDER BY n) FROM plain;
-- items that are dropped do not shape a new table, and keys that only they have are none
SELECT run('[{"id": "x", "kind": "b", "other": 1}, {"id": 1, "kind": "a"}]',
	'{"destination": {"type": "database", "table": "learned"}}', '{"where": "{{ item.kind == \"a\" }}"}');
SELECT * FROM learned;
SELECT run('[{"id": "x", "kind": "b"}]', '{"destination": {"type": "database", "table": "never"}}', '{"where": "{{ item.kind == \"a\" }}"}');
SELECT to_regclass('never');
SELECT run('[{"id": "x", "kind": "b"}, {"id": "y", "kind": "b"}, {"id": 7, "kind": "a"}]',
	'{"destination": {"type": "database", "table": "later", "batchSize": 1}}', '{"where": "{{ item.kind == \"a\" }}"}');
SELECT id, pg_typeof(id) FROM later;
SELECT run('[{"id": 31, "kind": "b", "age": 3}, {"id": 32, "kind": "a"}]', '{}', '{"where": "{{ item.kind == \"a\" }}"}');
SELECT run('[{"colour": "red"}, {"id": 33, "kind": "a"}]', '{}', '{"where": "{{ item.kind == \"a\" }}"}');

SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": "item.kind == 1"}}');
SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": "{{ item.kind = 1 }}"}}');
SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": "{{ 1 + 1 }}"}}');
SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": "{{ tokens.x }}"}}');
SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": "{{ item.x | skip }}"}}');
SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": 5}}');
SELECT * FROM problems('{"source": {"type": "inline", "items": [], "where": "{{ itm.x }}"}, "validation": {"nme": "{{ item.x }}", "id": 5}}');

-- The statement is its own
SELECT databite.explain_job('{"id": "v", "source": {"type": "inline", "items": [], "where": "{{ item.kind == \"a\" }}"},
	"destination": {"type": "database", "table": "plain"}}');

--
-- skip, reject and required
--

TRUNCATE t;
SELECT run('[{"id": 1, "name": "a"}, {"id": 2, "gone": true}, {"id": 3, "age": 200}, {"id": 4, "age": 20}, {"id": 5, "name": "z"}]',
	'{"transform": {"id": "{{ item.id }}", "name": "{{ item.gone ? skip : item.name | reject(item.name == \"z\", \"no z\") }}",
		"age": "{{ item.age | skip(item.age > 100) }}"}}');
SELECT * FROM t ORDER BY id;
SELECT * FROM rejected();
-- all the ways to say it
CREATE FUNCTION tried(template text) RETURNS TABLE (run text, error_code text, message text, "column" text, "constraint" text) LANGUAGE sql AS $$
	SELECT run, error_code, message, "column", "constraint"
	FROM run(jsonb_build_array('{"id": 1, "name": "kept", "x": false}'::jsonb, jsonb_build_object('id', 2, 'name', 'other', 'x', true, 'why', 'because')),
			jsonb_build_object('transform', jsonb_build_object('id', '{{ item.id }}', 'name', template))) AS run
		LEFT JOIN LATERAL rejected() ON true
$$;
SELECT * FROM tried('{{ item.name | skip(item.x) }}');
SELECT * FROM tried('{{ item.x ? (item.name | skip) : item.name }}');
SELECT * FROM tried('{{ item.x ? skip : item.name }}');
SELECT * FROM tried('{{ item.name | reject(item.x) }}');
SELECT * FROM tried('{{ item.name | reject(item.x, "it is x") }}');
SELECT * FROM tried('{{ item.name | reject(item.x, item.why ~ "!") }}');
SELECT * FROM tried('{{ item.x ? (item.name | reject("it is x")) : item.name }}');
SELECT * FROM tried('{{ item.x ? reject : item.name }}');
SELECT * FROM tried('{{ item.x ? (item.name | reject) : item.name }}');
SELECT * FROM tried('{{ item.name | skip(item.missing) | reject(item.missing) }}');
-- a required value that is missing is an error of the run, or of the item where the step is validated
SELECT run('[{"id": 1, "name": "a"}, {"id": 2}]', '{"transform": {"id": "{{ item.id }}", "name": "{{ item.name | required }}"}}');
SELECT run('[{"id": 1, "name": "a"}, {"id": 2}]', '{"validation": {}, "transform": {"id": "{{ item.id }}", "name": "{{ item.name | required | upper }}"}}');
SELECT * FROM rejected();

-- where they do not belong
SELECT * FROM problems('{"source": {"type": "api", "url": "https://api.service.com/{{ last_sync_time | skip }}"}}');
SELECT * FROM problems('{"source": {"type": "api", "url": "https://api.service.com/{{ reject }}"}}');
SELECT * FROM problems('{"validation": {"name": "{{ item.name | reject }}"}}');
SELECT * FROM problems('{"transform": {"id": "{{ skip.it }}", "name": "{{ item.name | skip(1, 2) }}"}}');
SELECT * FROM problems('{"transform": {"id": "{{ item.id | skip(\"x\") }}"}}');

-- to try them
SELECT databite.evaluate('{{ item.a | skip(item.a > 1) }}', '{"a": 1}') AS one, databite.evaluate('{{ item.a | skip }}', '{"a": 1}') AS none;
SELECT databite.evaluate('{{ item.a | reject(item.a > 0, "too big") }}', '{"a": 1}');
SELECT databite.evaluate('{{ reject }}');
SELECT databite.evaluate('{{ item.a | required }}');
SELECT databite.evaluate('{{ item.a.b[0] | required }}', '{"a": {"b": [5]}}');

-- what marks items works in a batch only
SELECT databite.skip_item(0);
SELECT databite.reject_item(0, 'a', 'b');
SELECT databite.reject_missing(0, 'a', 'b');
SELECT databite.reject_invalid(0, 'a', 'validate_email', 'b');
SELECT databite.item_kept(0);
SELECT databite.fail_rule(0, 0, 'b');

--
-- validation
--

-- every kind of rule, on columns of several types
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, name text, age int, price numeric(10,2), at timestamptz, day date, ok boolean, doc jsonb, tags text[], u uuid);
CREATE FUNCTION checked(rules jsonb, items jsonb) RETURNS TABLE (item json, error_code text, message text, "constraint" text) LANGUAGE sql AS $$
	WITH run AS MATERIALIZED (SELECT run(items || '[{"id": 0}]', jsonb_build_object('validation', rules)) AS result)
	SELECT r.item, r.error_code, r.message, r."constraint"
	FROM run, LATERAL (SELECT * FROM rejected() WHERE result IS NOT NULL) AS r
$$;
SELECT * FROM checked('{"required": ["name", "age"]}', '[{"id": 1, "name": "a", "age": 1}, {"id": 2, "name": "b"}, {"id": 3, "name": null, "age": 0}, {"id": 4, "name": "", "age": 0}]');
SELECT * FROM checked('{"age": {"min": 18, "max": 65.5}}', '[{"id": 1, "age": 18}, {"id": 2, "age": 17}, {"id": 3, "age": 66}, {"id": 4, "age": 65}, {"id": 5, "age": null}]');
SELECT * FROM checked('{"price": {"min": 0.01}}', '[{"id": 1, "price": 0.01}, {"id": 2, "price": 0.004}, {"id": 3, "price": -1e3}]');
SELECT * FROM checked('{"name": {"min": 2, "max": 3, "pattern": "^[[:alpha:]]+$"}}',
	'[{"id": 1, "name": "ab"}, {"id": 2, "name": "é"}, {"id": 3, "name": "äöüß"}, {"id": 4, "name": "a1"}, {"id": 5, "name": "äöü"}]');
SELECT * FROM checked('{"name": {"in": ["new", "it''s"]}, "age": {"in": [1, 2.0]}, "ok": {"in": [true]}}',
	'[{"id": 1, "name": "new"}, {"id": 2, "name": "it''s"}, {"id": 3, "name": "old"}, {"id": 4, "age": 2}, {"id": 5, "age": 3}, {"id": 6, "ok": true}, {"id": 7, "ok": false}]');
SELECT * FROM checked('{"at": {"min": "2024-01-01", "max": "2024-12-31T23:59:59+01:00"}, "day": {"min": "2024-02-29"}}',
	'[{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "2024-01-01T00:00:00+01:00"}, {"id": 3, "at": "2024-12-31T23:30:00Z"}, {"id": 4, "day": "2024-02-28"}]');
SELECT * FROM checked('{"u": {"in": ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]}}', '[{"id": 1, "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"id": 2, "u": "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}]');
SELECT * FROM checked('{"doc": {"in": [1, "a", true]}}', '[{"id": 1, "doc": 1.0}, {"id": 2, "doc": "a"}, {"id": 3, "doc": {"a": 1}}]');
-- types of texts
SELECT type, array_agg(value ORDER BY n) FILTER (WHERE databite.text_is(value, type)) AS yes
FROM unnest(ARRAY['string', 'number', 'integer', 'boolean', 'datetime', 'date', 'email', 'phone', 'url', 'uuid', 'array', 'object']) AS type,
	unnest(ARRAY['', 'a', '5', '-5.0e3', '05', '5.', 'true', 'True', '2024-02-29', '2023-02-29', '2024-01-01T10:00:00Z', 'a@example.com',
		'+14155550123', 'https://example.com', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[1]', '{"a": 1}', '{', 'null']) WITH ORDINALITY AS v(value, n)
GROUP BY type ORDER BY type;
SELECT type, array_agg(value ORDER BY n) FILTER (WHERE databite.json_is(value::jsonb, type)) AS yes
FROM unnest(ARRAY['string', 'number', 'integer', 'boolean', 'datetime', 'date', 'email', 'array', 'object']) AS type,
	unnest(ARRAY['"a"', '"5"', '5', '5.0', '5.5', 'true', '"true"', '"2024-02-29"', '"a@example.com"', '[1]', '{"a": 1}']) WITH ORDINALITY AS v(value, n)
GROUP BY type ORDER BY type;
SELECT * FROM checked('{"name": {"type": "email"}, "price": {"type": "integer"}, "at": {"type": "date"}, "doc": {"type": "object"}, "u": {"type": "uuid"}, "tags": {"type": "array"}}',
	'[{"id": 1, "name": "a@example.com", "price": 5.00, "at": "2024-01-01", "doc": {}, "tags": []}, {"id": 2, "name": "a@"}, {"id": 3, "price": 5.01},
	  {"id": 4, "at": "2024-01-01T00:00:01Z"}, {"id": 5, "doc": [1]}]');
-- templates: a boolean must not be false; of another value the column must have something where it has
SELECT * FROM checked('{"age": "{{ item.age < item.limit }}", "name": "{{ item.ok }}"}',
	'[{"id": 1, "age": 1, "limit": 2}, {"id": 2, "age": 2, "limit": 2}, {"id": 3, "age": 2}, {"id": 4, "ok": false, "name": "n"}, {"id": 5, "ok": "false", "name": "n"}, {"id": 6, "ok": true}, {"id": 7, "ok": null}]');
-- a value that does not fit its column, here and where a path has no column of its own
SELECT * FROM checked('{}', '[{"id": 1, "age": "seven"}, {"id": 2, "age": 1e10}, {"id": 3, "price": 123456789012}, {"id": 4, "at": "then"}, {"id": 5, "tags": 5}, {"id": "x"}, {"age": 5}]');
SELECT run('[{"id": 1, "a": 1, "b": 2}, {"id": 2, "a": "x", "b": 2}, {"id": 3, "a": 5, "b": 5}]', '{"validation": {}, "transform": {"id": "{{ item.id }}", "age": "{{ item.a + item.b }}"}}');
SELECT * FROM rejected();
-- and in the condition itself
SELECT run('[{"id": 1, "name": "ok"}]', '{"validation": {}, "source": {"type": "inline", "where": "{{ item.id > \"a\" }}", "items": [{"id": 1}, {"id": {}}]}}');
SELECT * FROM rejected();
-- without validation it fails the run, as ever
SELECT run('[{"id": 1, "age": "seven"}, {"id": 2}]');

-- validate_x in a step with validation rejects, elsewhere it gives NULL
SELECT run('[{"id": 51, "name": "a@example.com"}, {"id": 52, "name": "nope"}, {"id": 53}]', '{"validation": {}, "transform": {"id": "{{ item.id }}", "name": "{{ item.name | validate_email }}"}}');
SELECT * FROM rejected();
SELECT run('[{"id": 51, "name": "a@example.com"}, {"id": 52, "name": "nope"}, {"id": 53}]', '{"transform": {"id": "{{ item.id }}", "name": "{{ item.name | validate_email }}"}}');
SELECT id, name FROM t WHERE id > 50 ORDER BY id;

-- a later duplicate that is rejected does not hide an earlier one that is right
TRUNCATE t;
SELECT run('[{"id": 1, "age": 20}, {"id": 1, "age": 5}]', '{"validation": {"age": {"min": 18}}}');
SELECT id, age FROM t;

-- batches of new rows, tried as a plain INSERT: where that fails, what it marked is forgotten
TRUNCATE t;
SELECT run('[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5, "age": 5}, {"id": 1, "age": 30}, {"id": 7, "age": "x"}, {"id": 8, "age": 20}, {"id": 9, "age": 1}]',
	'{"validation": {"age": {"min": 18}}, "destination": {"type": "database", "table": "t", "batchSize": 2}}');
SELECT * FROM rejected();
SELECT string_agg(id || coalesce(':' || age, ''), ' ' ORDER BY id) FROM t;

-- many that are rejected, and a batch that does not fit into work_mem
SET work_mem = '64kB';
SELECT run((SELECT jsonb_agg(jsonb_build_object('id', n, 'name', repeat('x', 500), 'age', CASE WHEN n % 3 = 0 THEN '"x"'::jsonb ELSE to_jsonb(n) END)) FROM generate_series(1, 3000) n),
	'{"validation": {"age": {"max": 2000}}}');
SELECT error_code, count(*), min(message) FROM rejected() GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM t WHERE length(name) = 500;
RESET work_mem;

-- a partitioned table, an insert without a key, and columns by name whose defaults count
CREATE TABLE parts (id int, age int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
SELECT run('[{"id": 1, "age": 20}, {"id": 2, "age": 2}, {"id": 1, "age": 30}]', '{"validation": {"age": {"min": 18}}, "destination": {"type": "database", "table": "parts"}}');
SELECT run('[{"n": 20}, {"n": 2}, {"n": "x"}]', '{"validation": {"n": {"min": 18}}, "destination": {"type": "database", "table": "plain"}}');
CREATE TABLE defaults (id int PRIMARY KEY, state text DEFAULT 'new', ord int, "check 1" int);
SELECT run('[{"id": 1, "ord": 5}, {"id": 2, "state": null}]', '{"validation": {"required": ["state"], "ord": "{{ item.ord > 3 }}"}, "destination": {"type": "database", "table": "defaults"}}');
SELECT * FROM defaults ORDER BY id;
-- a rule alone does not write its column: what is there stays, and a new row gets the default that the rule has seen
INSERT INTO defaults VALUES (3, 'kept', 3);
SELECT run('[{"id": 3, "ord": 30}, {"id": 4, "ord": 4}]', '{"validation": {"state": {"max": 4}, "required": ["state"]}, "destination": {"type": "database", "table": "defaults"}}');
SELECT run('[{"id": 3, "ord": 31}, {"id": 4, "ord": 5}]', '{"validation": {"state": {"max": 2}}, "destination": {"type": "database", "table": "defaults"}}');
SELECT * FROM rejected();
SELECT * FROM defaults WHERE id > 2 ORDER BY id;
SELECT item, target_row, error FROM databite.preview_job('{"id": "v", "source": {"type": "inline", "items": [{"id": 4, "ord": 4}]},
	"destination": {"type": "database", "table": "defaults"}, "validation": {"state": {"max": 2}, "required": ["state", "check 1"]}}');
-- a table that is made of the items
SELECT run('[{"id": 1, "email": "a@example.com"}, {"id": 2, "email": "x"}, {"id": 3}]', '{"validation": {"email": {"type": "email"}, "required": ["email"]}, "destination": {"type": "database", "table": "fresh"}}');
SELECT * FROM fresh;

-- an input function that calls a value that it does not understand an internal error, as hstore's does, rejects its item
CREATE FUNCTION refuse(value text, code text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF value = 'bad' THEN
		RAISE EXCEPTION 'what is %?', value USING ERRCODE = code;
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN strange AS text CHECK (refuse(value, 'XX000'));
CREATE DOMAIN heavy AS text CHECK (refuse(value, '53200'));
CREATE DOMAIN locked AS text CHECK (refuse(value, '40P01'));
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, s strange, h heavy, l locked);
SELECT run('[{"id": 1, "s": "good"}, {"id": 2, "s": "bad"}]', '{"validation": {}}');
SELECT * FROM rejected();
SELECT * FROM problems('{"transform": {"id": "{{ item.id }}", "s": "bad"}}');
-- while nobody's value is to blame where the machine is: the run fails, and leaves nothing behind
SELECT run('[{"id": 3, "h": "good"}, {"id": 4, "h": "x"}, {"id": 5, "h": "bad"}]', '{"validation": {}}');
SELECT item, error FROM databite.preview_job('{"id": "v", "source": {"type": "inline", "items": [{"id": 3, "h": "good"}, {"id": 5, "h": "bad"}]},
	"destination": {"type": "database", "table": "t"}, "validation": {}}');
BEGIN;
SELECT run('[{"id": 6, "h": "good"}, {"id": 7, "h": "bad"}]', '{"validation": {}}');
INSERT INTO t VALUES (8);
COMMIT;
SELECT run('[{"id": 9, "l": "good"}, {"id": 10, "l": "bad"}]', '{"validation": {}}');
SELECT id FROM t ORDER BY id;

-- what is a number, and what only has numbers for names
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, n numeric, f float8, o oid);
SELECT * FROM checked('{"n": {"type": "integer"}, "f": {"type": "integer"}}',
	'[{"id": 1, "n": "NaN"}, {"id": 2, "f": "NaN"}, {"id": 3, "f": "Infinity"}, {"id": 4, "f": 1e20, "n": -5.0}]');
SELECT * FROM checked('{"o": {"in": ["5"], "type": "integer"}}', '[{"id": 5, "o": 5}, {"id": 6, "o": 6}]');
SELECT * FROM problems('{"validation": {"o": {"min": 1, "in": [1]}}}');

-- a trigger is too late to mark an item: its row is being written
CREATE FUNCTION too_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databite.reject_item(0, 'id', 'too late');
	RETURN NEW;
END $$;
CREATE TABLE guarded (id int);
CREATE TRIGGER too_late BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION too_late();
SELECT run('[{"id": 1}]', '{"validation": {}, "destination": {"type": "database", "table": "guarded"}}');

-- where all items are dropped, there is nothing to make a table of
SET client_min_messages = notice;
SELECT (databite.execute_job('v', true)).status
FROM databite.schedule_job('{"id": "v", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}], "where": "{{ item.id > 2 }}"},
	"destination": {"type": "database", "table": "never", "batchSize": 1}}');
SELECT (databite.execute_job('v')).status;
SET client_min_messages = warning;
SELECT notices FROM databite.runs WHERE job_id = 'v' ORDER BY run_id DESC LIMIT 1;

DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, name text, age int, price numeric(10,2), at timestamptz, day date, ok boolean, doc jsonb, tags text[], u uuid);

-- Problems, all at once
SELECT * FROM problems('{"validation": {"required": ["id", "nmae"], "agee": {"min": 1}, "doc": "{{ itme.x }}"}}');
SELECT * FROM problems('{"validation": {"name": {"type": "mail", "minimum": 3}}}');
SELECT * FROM problems('{"validation": {"name": {"pattern": "(", "min": -1, "max": "x"}, "age": {"min": "18", "pattern": "[", "in": ["a", 1]}}}');
SELECT * FROM problems('{"validation": {"ok": {"min": 1}, "doc": {"max": 1}, "tags": {"in": ["a"]}, "at": {"min": 5}, "day": {"min": "soon"}, "u": {"in": ["x"]}}}');
SELECT * FROM problems('{"validation": {"age": {"type": "email"}, "ok": {"type": "string"}, "tags": {"type": "object"}, "at": {"type": "number"}}}');
SELECT * FROM problems('{"validation": {"age": {"min": 5, "max": 1}, "name": {}, "day": {"in": []}, "ok": {"in": [null]}}}');
SELECT * FROM problems('{"validation": {"required": "id", "name": "no template", "age": 5, "doc": "{{ item. }}"}}');
SELECT * FROM problems('{"validation": {"required": ["age"], "name": {"min": 1}}, "transform": {"id": "{{ item.id }}"}}');
-- of all parts of the step, whatever is wrong with another
SELECT pointer FROM problems('{"validation": {"age": {"mn": 5}, "agee": {"min": 5}, "name": 5}, "transform": {"id": "{{ itm.id }}", "nme": "{{ item.x }}"},
	"destination": {"type": "database", "table": "t", "batchSize": 0, "kye": "id"}}');
-- as far as they can be told of a table that is not there yet
SELECT * FROM problems('{"validation": {"required": ["age"], "name": {"pattern": "("}}, "transform": {"id": "{{ item.id }}"}, "destination": {"type": "database", "table": "nowhere"}}');
-- of a definition that is wrong elsewhere, and of columns that the table lacks
SELECT pointer, message FROM databite.validate_job('{"id": "wrong job", "nme": "x",
	"source": {"type": "api", "url": "https://api.example.com/{{ itm.x }}", "dataPth": "x", "where": "{{ item.a = 1 }}"},
	"destination": {"type": "database", "table": "t", "mode": "upsrt"},
	"transform": {"id": "{{ item.id | upcase }}", "name": "{{ item.name | round(\"x\") }}", "age": "{{ item.age ", "doc": "{{ tokens.x }}"},
	"validation": {"required": ["agee"], "age": {"minimum": 3}, "name": "{{ itme.x }}", "email": {"pattern": "("}},
	"schedule": {"type": "cron", "expression": "61 * * * *"}}');
SELECT pointer, message FROM problems('{"transform": {"id": "{{ item.id }}", "nme": "{{ item.name | round(\"x\") }}"}, "validation": {"nme": "{{ itme.x }}", "agee": {"pattern": "("}}}');
SELECT pointer, message FROM problems('{"transform": {"id": "{{ itme.id }}"}, "destination": {"type": "database", "table": "nowhere", "schema": {"id": "intger"}}}');
SELECT pointer, message FROM problems('{"transform": {"id": "{{ itme.id }}"}, "destination": {"type": "database", "table": "a.b.c"}}');

-- A step with none of this has the statement that it always had
SELECT databite.explain_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "plain"}}');

SELECT databite.unschedule_job('v');
SET client_min_messages = error;
DROP SCHEMA validation CASCADE;
