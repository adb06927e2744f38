-- What an error of a run tells: the item, the column, the values.
SET client_min_messages = warning;
CREATE SCHEMA culprit;
SET search_path = culprit, public;
SET timezone = 'UTC';

-- Runs a job of these items into table t; definition is merged over it.
CREATE FUNCTION run(items jsonb, transform jsonb, definition jsonb DEFAULT '{}') RETURNS TABLE (part text, said text) LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'c',
		'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', '{"type": "database", "table": "t"}'::jsonb, 'transform', transform) || definition);
	SELECT * INTO result FROM databite.execute_job('c');
	RETURN QUERY SELECT 'run', format('%s: %s processed, %s inserted, %s updated, %s rejected', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_rejected);
	-- of the context, what is of the run
	RETURN QUERY SELECT key, regexp_replace(value, E'\nSQL statement "SELECT \\*.*', '') FROM jsonb_each_text(result.error) WHERE key <> 'step';
	RETURN QUERY SELECT 'rejected', concat_ws('|', item, error_code, message, "column", "constraint")
		FROM (SELECT * FROM databite.rejected_items WHERE run_id = result.run_id ORDER BY id) AS r;
END $$;

CREATE TABLE t (id int PRIMARY KEY, at timestamptz, ratio numeric, code varchar(3), amount numeric(4, 1), note text CHECK (note <> 'no'), must int NOT NULL DEFAULT 0);

-- Values that cannot be computed
SELECT * FROM run('[{"id": 1, "at": "01.02.2024"}, {"id": 2, "at": "garbage"}, {"id": 3, "at": "03.02.2024"}, {"id": 4, "at": "rubbish"}]',
	'{"id": "{{ item.id }}", "at": "{{ item.at | to_datetime(\"DD.MM.YYYY\") }}"}');
SELECT * FROM run((SELECT jsonb_agg(jsonb_build_object('id', n, 'a', n, 'b', n - 777)) FROM generate_series(1, 2500) AS n),
	'{"id": "{{ item.id }}", "ratio": "{{ item.a / item.b }}"}');
SELECT * FROM run('[{"id": 1, "name": "abc"}, {"id": 2, "name": "abcd"}]', '{"id": "{{ item.id }}", "code": "{{ item.name | upper }}"}');
SELECT * FROM run('[{"id": 1, "n": 999.94}, {"id": 2, "n": 999.95}]', '{"id": "{{ item.id }}", "amount": "{{ item.n * 1 }}"}');
SELECT count(*) FROM t;

-- A user's function, of a value and of the item
CREATE FUNCTION picky(value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF value LIKE 'bad%' THEN
		RAISE 'cannot take %', value USING DETAIL = 'It is bad.', HINT = 'Send a better one.';
	END IF;
	RETURN value;
END $$;
CREATE FUNCTION picky_item(item jsonb) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN culprit.picky(item ->> 'name'); END $$;
SELECT * FROM run('[{"id": 1, "name": "good"}, {"id": 2, "name": "bad"}]', '{"id": "{{ item.id }}", "code": "x", "note": "{{ item.name | culprit.picky }}"}');
SELECT * FROM run('[{"id": 1, "name": "good"}, {"id": 2, "name": "bad 2", "more": "line\nbreak"}]', '{"id": "{{ item.id }}", "note": "{{ item | culprit.picky_item }}"}');
SELECT said FROM run(jsonb_build_array('{"id": 1}'::jsonb, jsonb_build_object('id', 2, 'name', 'bad' || repeat('ä', 1000))),
	'{"id": "{{ item.id }}", "note": "{{ item.name | culprit.picky }}"}') WHERE part = 'context';

-- What the table refuses: the first in the order of its key, the second of two equal ones
SELECT * FROM run('[{"id": 1, "must": 1}, {"id": 3}, {"id": 2, "must": 5, "note": "no"}]', '{"id": "{{ item.id }}", "must": "{{ item.must * 2 }}", "note": "{{ item.note | lower }}"}');
SELECT * FROM run('[{"id": 1, "must": 1}, {"id": 2}, {"id": 3}]', '{"id": "{{ item.id }}", "must": "{{ item.must * 2 }}"}');
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 2, "n": "no"}, {"id": 3, "n": 7}]', '{"id": "{{ item.id }}", "note": "{{ item.n }}"}');
CREATE TABLE plain (id int, must int NOT NULL, kind text UNIQUE);
SELECT * FROM run('[{"id": 1, "k": "a"}, {"id": 2, "k": "b"}, {"id": 3, "k": "c"}, {"id": 4, "k": "a"}]', '{"id": "{{ item.id }}", "must": 1, "kind": "{{ item.k }}"}',
	'{"destination": {"type": "database", "table": "plain"}}');
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 2, "n": null}, {"id": 3}]', '{"id": "{{ item.id }}", "must": "{{ item.n | abs }}"}',
	'{"destination": {"type": "database", "table": "plain"}}');
-- a trigger, for a row and for all of them
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_LEVEL = 'STATEMENT' OR NEW.id = 3 THEN
		RAISE 'not in this table';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT * FROM run('[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}]', '{"id": "{{ item.id }}", "must": 1}', '{"destination": {"type": "database", "table": "plain"}}');
DROP TRIGGER refuse ON plain;
CREATE TRIGGER refuse BEFORE INSERT ON plain FOR EACH STATEMENT EXECUTE FUNCTION refuse();
SELECT * FROM run('[{"id": 1}, {"id": 2}]', '{"id": "{{ item.id }}", "must": 1}', '{"destination": {"type": "database", "table": "plain"}}');
DROP TRIGGER refuse ON plain;
-- an index on an expression
CREATE UNIQUE INDEX inverse ON plain ((1 / id));
SELECT * FROM run('[{"id": 1}, {"id": 0}, {"id": 4}]', '{"id": "{{ item.id }}", "must": 1}', '{"destination": {"type": "database", "table": "plain"}}');
SELECT count(*) FROM plain;
DROP INDEX inverse;

-- A row that a later one of its key replaces is not refused, however the batch is written
SELECT * FROM run('[{"id": 1}, {"id": 2}, {"id": 3, "note": "no"}, {"id": 3, "note": "yes"}]', '{"id": "{{ item.id }}", "note": "{{ item.note | lower }}"}',
	'{"destination": {"type": "database", "table": "t", "batchSize": 2}}');
SELECT * FROM run('[{"id": 5, "note": "no"}, {"id": 4, "note": "no"}, {"id": 5, "note": "yes"}]', '{"id": "{{ item.id }}", "note": "{{ item.note | lower }}"}');
SELECT id, note FROM t ORDER BY id;

-- In a partition it is the same column
CREATE TABLE parted (id int PRIMARY KEY, must int NOT NULL CHECK (must > 0)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 2}]', '{"id": "{{ item.id }}", "must": "{{ item.n | abs }}"}', '{"destination": {"type": "database", "table": "parted"}}');
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 2, "n": 0}]', '{"id": "{{ item.id }}", "must": "{{ item.n | abs }}"}', '{"destination": {"type": "database", "table": "parted"}}');
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 20, "n": 1}]', '{"id": "{{ item.id }}", "must": "{{ item.n | abs }}"}', '{"destination": {"type": "database", "table": "parted"}}');

-- What cannot be converted is named as it is found
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 2, "n": "x"}]', '{"id": "{{ item.id }}", "must": "{{ item.n }}"}');
SELECT * FROM run('[{"id": 1, "n": 1}, {"id": 2, "n": "x"}]', '{"id": "{{ item.id }}", "must": "{{ item.n + 1 }}"}');

-- The position is that in the run, not in its batch
SELECT * FROM run((SELECT jsonb_agg(jsonb_build_object('id', n, 'b', n - 17)) FROM generate_series(11, 30) AS n), '{"id": "{{ item.id }}", "ratio": "{{ 1 / item.b }}"}',
	'{"destination": {"type": "database", "table": "t", "batchSize": 5}}');

-- What fails only once is found nowhere, and what no item is to blame for is not looked for
CREATE SEQUENCE calls;
CREATE FUNCTION moody(value text) RETURNS text VOLATILE LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('culprit.calls') = 2 THEN
		RAISE 'not now';
	END IF;
	RETURN value;
END $$;
SELECT * FROM run('[{"id": 1}, {"id": 2}, {"id": 3}]', '{"id": "{{ item.id }}", "note": "{{ item.id | culprit.moody }}"}');
CREATE FUNCTION stopped(value text) RETURNS text VOLATILE LANGUAGE plpgsql AS $$
BEGIN
	PERFORM nextval('culprit.calls');
	RAISE 'enough' USING ERRCODE = value;
END $$;
CREATE FUNCTION stops(code text, OUT calls bigint, OUT context text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setval('culprit.calls', 1, false);
	SELECT split_part(said, E'\n', 1) INTO context
	FROM culprit.run(jsonb_build_array(jsonb_build_object('id', 1, 'code', code)), '{"id": "{{ item.id }}", "note": "{{ item.code | culprit.stopped }}"}')
	WHERE part = 'context';
	SELECT last_value INTO calls FROM culprit.calls;
END $$;
SELECT code, stops.* FROM unnest(ARRAY['53100', '58030', '40001', '40P01', 'XX000', '42501', '55P03', 'U0001', '22000']) AS code, stops(code);
-- a cancel that comes while it is looked for is one
CREATE FUNCTION slow(value text) RETURNS text VOLATILE LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('culprit.calls') > 1 THEN
		RAISE 'cancelled' USING ERRCODE = 'query_canceled';
	END IF;
	RAISE 'wrong';
END $$;
SELECT setval('calls', 1, false);
SELECT * FROM run('[{"id": 1}, {"id": 2}, {"id": 3}]', '{"id": "{{ item.id }}", "note": "{{ item.id | culprit.slow }}"}');
-- nor does a conversion that the machine stops reject an item, or leave a subtransaction open
CREATE FUNCTION full_disk(value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full' USING ERRCODE = '53100'; END $$;
CREATE DOMAIN costly AS text CHECK (full_disk(VALUE));
CREATE TABLE expensive (id int PRIMARY KEY, value costly);
SELECT * FROM run('[{"id": 1, "value": "x"}]', '{"id": "{{ item.id }}", "value": "{{ item.value }}"}', '{"validation": {}, "destination": {"type": "database", "table": "expensive"}}');

-- In a step that is validated, rows that cannot be computed are rejected, those that the table refuses are not
TRUNCATE t;
SELECT * FROM run('[{"id": 1, "a": 1, "b": 0}, {"id": 2, "a": 1, "b": 1}, {"id": 3, "a": "x", "b": 1}, {"id": 4, "b": 1, "name": "long"}, {"id": 5, "b": 1, "at": "soon"},
		{"id": 6, "b": 1, "n": 1000}, {"id": 7, "a": 3, "b": 1, "name": "abc", "at": "24.12.2024", "n": 1}, {"id": 8, "a": 1, "b": 0, "name": "long"}]',
	'{"id": "{{ item.id }}", "ratio": "{{ item.a / item.b }}", "code": "{{ item.name | upper }}", "at": "{{ item.at | to_datetime(\"DD.MM.YYYY\") }}", "amount": "{{ item.n * 1 }}"}',
	'{"validation": {}}');
SELECT id, ratio, code, at, amount FROM t ORDER BY id;
-- a template of a rule; what a rule rejects beforehand has its reason, whether or not another item cannot be computed
SELECT * FROM run('[{"id": 11, "name": "long", "b": 1}, {"id": 12, "name": "ok", "b": 0}, {"id": 13, "name": "ok", "b": 1}]',
	'{"id": "{{ item.id }}", "code": "{{ item.name | lower }}"}', '{"validation": {"id": "{{ 1 / item.b == 1 }}", "code": {"max": 3}}}');
-- by a domain, and by a function that says so
CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE shares (id int PRIMARY KEY, share percent);
SELECT * FROM run('[{"id": 1, "share": 10}, {"id": 2, "share": 11}, {"id": 3, "share": "x"}]', '{"id": "{{ item.id }}", "share": "{{ item.share * 10 }}"}',
	'{"validation": {}, "destination": {"type": "database", "table": "shares"}}');
-- lengths of all kinds
CREATE TABLE sized (id int PRIMARY KEY, list varchar(2)[], c char(2), b bit(2), v varbit(2), n numeric(3, 1)[], at timestamp(0), span interval day to hour);
SELECT * FROM run('[{"id": 1, "list": ["ab", "c"], "c": "ab", "b": "10", "n": [1, 99.94], "at": "2024-01-01 00:00:00.6", "span": "1 day 2:03"}, {"id": 2, "list": ["ab", "abc"]}, {"id": 3, "c": "abc"},
		{"id": 4, "b": "101"}, {"id": 5, "v": "101"}, {"id": 6, "n": [1, 99.96]}, {"id": 7, "c": "a   "}]',
	'{"id": "{{ item.id }}", "list": "{{ item.list | sort }}", "c": "{{ item.c | lower }}", "b": "{{ item.b | trim }}", "v": "{{ item.v | trim }}", "n": "{{ item.n | sort }}",
		"at": "{{ item.at | trim }}", "span": "{{ item.span | trim }}"}',
	'{"validation": {}, "destination": {"type": "database", "table": "sized"}}');
SELECT * FROM sized ORDER BY id;
SELECT * FROM run('[{"id": 21}, {"id": 22, "note": "no"}]', '{"id": "{{ item.id }}", "note": "{{ item.note | lower }}"}', '{"validation": {}}');
SELECT * FROM run('[{"id": 21}, {"id": 22, "note": "bad"}]', '{"id": "{{ item.id }}", "note": "{{ item.note | culprit.picky }}"}', '{"validation": {}}');
SELECT * FROM run('[{"id": 21, "b": 0}, {"id": 22, "b": 0}]', '{"id": "{{ item.id }}", "ratio": "{{ 1 / item.b }}"}', '{"validation": {}}');
-- many of them, in an insert without a key, and in batches of new rows
TRUNCATE t;
SELECT part, count(*), min(said) FROM run((SELECT jsonb_agg(jsonb_build_object('id', n, 'b', n % 3)) FROM generate_series(1, 3000) AS n),
	'{"id": "{{ item.id }}", "ratio": "{{ 6 / item.b }}"}', '{"validation": {}}') GROUP BY 1 ORDER BY 1 DESC;
SELECT count(*), sum(ratio) FROM t;
SELECT part, count(*), min(said) FROM run((SELECT jsonb_agg(jsonb_build_object('id', n, 'b', n % 300)) FROM generate_series(1, 3000) AS n),
	'{"id": "{{ item.id }}", "must": "{{ 300 / item.b }}"}', '{"validation": {}, "destination": {"type": "database", "table": "plain", "mode": "insert"}}') GROUP BY 1 ORDER BY 1 DESC;

-- Preview
SELECT item, target_row, error FROM databite.preview_job('{"id": "c", "source": {"type": "inline", "items": [{"id": 1, "a": 1, "b": 0}, {"id": 2, "a": 1, "b": 1, "name": "long"}, {"id": 3, "a": 1, "b": "x"}, {"id": 4, "a": 1, "b": 2, "name": "abc"}]},
	"destination": {"type": "database", "table": "t"}, "transform": {"id": "{{ item.id }}", "ratio": "{{ item.a / item.b }}", "code": "{{ item.name | upper }}"}}');
SELECT item, target_row, error FROM databite.preview_job('{"id": "c", "source": {"type": "inline", "items": [{"id": 1, "a": 1, "b": 0}, {"id": 2, "a": 1, "b": 1, "name": "long"}, {"id": 3, "a": 1, "b": 2, "name": "long!"}, {"id": 4, "a": 1, "b": 2, "name": "abc"}]},
	"destination": {"type": "database", "table": "t"}, "transform": {"id": "{{ item.id }}", "ratio": "{{ item.a / item.b }}", "code": "{{ item.name | upper }}"},
	"validation": {"code": {"max": 4}}}');

SELECT databite.unschedule_job('c');
SET client_min_messages = error;
DROP SCHEMA culprit CASCADE;
