--
-- Target types: a value of an item into a column of any type, as a path and as what a template computes.
--
\pset null NULL
SET client_min_messages = warning;
SET datestyle = 'German';
SET timezone = 'America/New_York';

CREATE TYPE mood AS ENUM ('sad', 'glad', 'with "quotes"');
CREATE TYPE pair AS (a int, "B b" text);
CREATE TYPE nested AS (id bigint, at timestamptz, p pair, list pair[], m mood, raw bytea);
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE DOMAIN given AS text NOT NULL;
CREATE DOMAIN short AS varchar(3);
CREATE DOMAIN evens AS even[] CHECK (cardinality(VALUE) < 4);
CREATE DOMAIN ordered AS pair CHECK ((VALUE).a > 0);
CREATE DOMAIN row3 AS int[];
CREATE FUNCTION same(x jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE FUNCTION same_text(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x';

-- The value of the template in a column of the type, as text; or SQLSTATE and message
CREATE FUNCTION stored(type text, template text, value text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result databite.job_result;
	answer text;
BEGIN
	EXECUTE format('CREATE TABLE stored (v %s)', type);
	PERFORM databite.schedule_job(format('{"id": "stored", "source": {"type": "inline", "items": [{"v": %s}]},
		"destination": {"type": "database", "table": "stored"}, "transform": {"v": %s}}', value, to_json(template))::jsonb);
	result := databite.execute_job('stored');
	IF result.success THEN
		EXECUTE 'SELECT coalesce(v::text, ''NULL'') FROM stored' INTO answer;
	ELSE
		answer := concat_ws(' ', result.error ->> 'code', result.error ->> 'message');
	END IF;
	RAISE SQLSTATE 'TEST0';
EXCEPTION
	WHEN SQLSTATE 'TEST0' THEN
		RETURN answer;
	WHEN OTHERS THEN
		RETURN concat_ws(' ', SQLSTATE, SQLERRM);
END $$;

CREATE TEMPORARY TABLE type_case (id int GENERATED ALWAYS AS IDENTITY, type text NOT NULL, value text NOT NULL);

-- Domains
INSERT INTO type_case (type, value) VALUES
('even', '4'), ('even', '3'), ('even', '"4"'), ('even', '4.0'), ('even', '4.5'), ('even', 'null'),
('given', '"x"'), ('given', 'null'), ('given', '{"a": 1}'),
('short', '"abc"'), ('short', '"abcd"'), ('short', '1234'),
('evens', '[2, 4]'), ('evens', '[2, 3]'), ('evens', '[2, 4, 6, 8]'), ('evens', '[]'), ('evens', '[2, null]'),
('ordered', '{"a": 1, "B b": "x"}'), ('ordered', '{"a": 0}'), ('ordered', '{}'),
('row3[]', '[[1, 2], [3]]'), ('row3[]', '[1]');
-- Enums
INSERT INTO type_case (type, value) VALUES
('mood', '"glad"'), ('mood', '"Glad"'), ('mood', '""'), ('mood', '"with \"quotes\""'), ('mood', '7'), ('mood', '["sad"]'),
('mood', 'null'), ('mood[]', '["sad", null, "glad"]'), ('mood[]', '["sad", "mad"]');
-- Arrays
INSERT INTO type_case (type, value) VALUES
('int[]', '[1, 2, null]'), ('int[]', '[]'), ('int[]', '["1", 2.0]'), ('int[]', '[1.5]'), ('int[]', '[[1, 2], [3, 4]]'),
('int[]', '[[1, 2], [3]]'), ('int[]', '[1, [2]]'), ('int[]', '[[1], 2]'), ('int[]', '[[], []]'), ('int[]', '[[], 1]'),
('int[]', '[[], [1]]'), ('int[]', '[[[1]], [[2]]]'), ('int[]', '[[[[[[1]]]]]]'), ('int[]', '[[[[[[[1]]]]]]]'),
('int[]', '"{1,2}"'), ('int[]', '1'), ('int[]', '{"a": 1}'), ('int[]', 'null'), ('int[]', '[[1], null]'),
('numeric[]', '[9007199254740993, 1.10, 1e2]'), ('numeric(4,1)[]', '[1.25]'), ('numeric(4,1)[]', '[12345]'),
('text[]', '["a", "NULL", null, "", "a,b", "\"{", 1, true, {"x": 1}]'), ('text[]', '[["a"], ["b"]]'),
('varchar(2)[]', '["ab"]'), ('varchar(2)[]', '["abc"]'),
('jsonb[]', '[[1], {"a": [2]}, null, "x"]'), ('boolean[]', '[true, "f", null]'),
('timestamptz[]', '["2024-03-10T12:00:00Z", "2024-03-10T12:00:00"]'), ('timestamp[]', '["2024-03-10T12:00:00+02:00"]'),
('date[]', '["2024-02-29"]'), ('date[]', '["2024-02-30"]'), ('uuid[]', '["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]'),
('bytea[]', '["3q2+7w==", "\\x00ff"]'), ('pair[]', '[{"a": 1}, null, {"B b": "x", "a": "2"}]'), ('inet[]', '["::1", "10.0.0.0/8"]');
-- Composite types
INSERT INTO type_case (type, value) VALUES
('pair', '{"a": 1, "B b": "x"}'), ('pair', '{"a": 1}'), ('pair', '{}'), ('pair', '{"a": "x"}'), ('pair', '{"A": 1, "b b": 2}'),
('pair', '{"a": 1, "extra": [1, {"a": 5}], "B b": [1, 2]}'), ('pair', '{"a": null, "B b": "\"\\\u00e9\n"}'),
('pair', '"(1,x)"'), ('pair', '[1, "x"]'), ('pair', '5'), ('pair', 'null'),
('nested', '{"id": 9007199254740993, "at": "2024-03-10T12:00:00", "p": {"a": 1}, "list": [{"a": 2}, null], "m": "sad", "raw": "AQI"}'),
('nested', '{"p": {"a": {}}}'), ('nested', '{"m": "mad"}'), ('nested', '{"list": {"a": 1}}'), ('nested', '{"raw": "?"}');
-- Bytes
INSERT INTO type_case (type, value) VALUES
('bytea', '"3q2+7w=="'), ('bytea', '"3q2-7w"'), ('bytea', '"3q2+7w="'), ('bytea', '""'), ('bytea', '"AA=="'), ('bytea', '"AAA"'),
('bytea', '"A"'), ('bytea', '"AAAA="'), ('bytea', '"=AAA"'), ('bytea', '"AA=A"'), ('bytea', '"AAAA\nAAAA\r\n"'), ('bytea', '"AA AA"'),
('bytea', '"\\xdeadBEEF"'), ('bytea', '"\\x"'), ('bytea', '"\\xabc"'), ('bytea', '"\\xzz"'), ('bytea', '"\\101"'), ('bytea', '"não"'),
('bytea', '1234'), ('bytea', 'true'), ('bytea', '{"a": 1}'), ('bytea', 'null');
-- Numbers
INSERT INTO type_case (type, value) VALUES
('smallint', '32767'), ('smallint', '32768'), ('integer', '2147483648'), ('integer', '"12"'), ('integer', '"1.0"'), ('integer', '-0'),
('bigint', '9223372036854775807'), ('bigint', '9223372036854775808'), ('bigint', '1e3'), ('integer', 'true'),
('numeric(5,2)', '1.005'), ('numeric(5,2)', '1000'), ('numeric', '1e400'), ('numeric', '"NaN"'),
('real', '1e39'), ('real', '0.1'), ('real', '1e-50'), ('double precision', '1e308'), ('double precision', '1e309'),
('double precision', '0.1'), ('double precision', '"Infinity"'), ('oid', '4294967295'), ('oid', '4294967296'), ('oid', '1.0'),
('money', '12.34'), ('money', '"$1,234.50"'), ('money', '"x"');
-- Texts and what is like them
INSERT INTO type_case (type, value) VALUES
('varchar(3)', '"abc"'), ('varchar(3)', '"abcd"'), ('varchar(3)', '"abc  "'), ('char(3)', '"a"'), ('char(3)', '"abcd"'),
('name', '"abc"'), ('name', to_json(repeat('x', 63))), ('name', to_json(repeat('x', 64))),
('"char"', '"a"'), ('"char"', '""'), ('"char"', '"ab"'), ('"char"', '"é"'), ('text', '[1, {"a": 2}]'), ('text', 'false'), ('text', '1.10');
-- Booleans, times
INSERT INTO type_case (type, value) VALUES
('boolean', 'true'), ('boolean', '1'), ('boolean', '"yes"'), ('boolean', '2'), ('boolean', '"maybe"'), ('boolean', '[]'),
('timestamptz', '"2024-03-10T12:00:00"'), ('timestamptz', '1710072000'), ('timestamptz', '""'), ('timestamp', '"2024-03-10T12:00:00+02:00"'),
('timestamp', '"2024-03-10"'), ('timestamp(0)', '"2024-03-10T12:00:00.6Z"'), ('date', '"2024-02-29"'), ('date', '20240229'),
('time', '"12:30"'), ('timetz', '"12:30+02"'), ('interval', '"1 day 02:00"'), ('interval', '"P1DT2H"'), ('interval', '"x"');
-- Others, by their text
INSERT INTO type_case (type, value) VALUES
('uuid', '"a0eebc999c0b4ef8bb6d6bb9bd380a11"'), ('uuid', '"x"'), ('inet', '"10.1.2.3/8"'), ('inet', '"300.0.0.1"'), ('cidr', '"10.0.0.0/8"'),
('macaddr', '"08:00:2b:01:02:03"'), ('point', '"(1,2.5)"'), ('point', '[1, 2]'), ('point', '{"x": 1}'), ('int4range', '"[1,5)"'),
('int4range', '"[5,1)"'), ('tstzrange', '"[2024-01-01T00:00:00Z,)"'), ('int4multirange', '"{[1,3), [5,7)}"'), ('int4range[]', '["[1,2)", "empty"]'),
('bit(3)', '"101"'), ('bit(3)', '"1011"'), ('bit varying(3)', '"1"'), ('bit', '1'), ('tsvector', '"a b"'), ('pg_lsn', '"16/B374D848"'),
('json', '{"b": 1, "a": [1.10]}'), ('json', '"x"'), ('jsonb', '{"b": 1, "a": [1.10]}'), ('jsonb', 'null'), ('json', '1.10');

CREATE TEMPORARY TABLE type_outcome AS
SELECT c.*, s.path, s.fallback, s.computed,
	CASE WHEN json_typeof(c.value::json) = 'string' THEN stored(c.type, '{{ item.v | public.same_text }}', c.value) END AS text
FROM type_case AS c, LATERAL (
	SELECT stored(c.type, '{{ item.v }}', c.value) AS path,
		stored(c.type, '{{ item.v ?? null }}', c.value) AS fallback,
		stored(c.type, '{{ item.v | public.same }}', c.value) AS computed) AS s;

\pset format unaligned
\pset tuples_only on
SELECT type, value, path FROM type_outcome ORDER BY id;

-- The same by all ways, but for the blanks that jsonb writes
SELECT type, value, path, fallback, computed, text FROM type_outcome
WHERE path <> fallback OR regexp_replace(path, '([,:]) ', '\1', 'g') <> regexp_replace(computed, '([,:]) ', '\1', 'g')
	OR path <> text ORDER BY id;

-- Written down
SELECT t.type, t.template, stored(t.type, t.template, 'null') FROM (VALUES
	('bytea', '3q2+7w=='), ('bytea', '{{ "3q2-7w" }}'), ('bytea', '{{ "?" }}'), ('bytea', '{{ 5 }}'), ('bytea', '{{ 5 + 5 }}'), ('bytea', '{{ true }}'),
	('bytea', '{{ "3q2" ~ "+7w==" }}'), ('timestamp', '2024-03-10T12:00:00+02:00'), ('mood', 'mad'), ('mood', 'glad'),
	('pair', '{{ {"a": 1, "B b": "x"} }}'), ('int[]', '{{ [1, 2] }}'), ('int[]', '{{ [1, 2.5] }}'), ('even', '{{ 3 }}'), ('short', '{{ "abcd" }}'),
	('short', '{{ "ab" ~ "cd" }}')) AS t(type, template);

-- What functions give goes to columns of its own and of other types
CREATE FUNCTION f_pair(x int) RETURNS pair LANGUAGE sql IMMUTABLE AS $$ SELECT (x, 'y')::pair $$;
CREATE FUNCTION f_ints(x int) RETURNS int[] LANGUAGE sql IMMUTABLE AS $$ SELECT ARRAY[x, NULL, 3] $$;
CREATE FUNCTION f_even(x int) RETURNS even LANGUAGE sql IMMUTABLE AS $$ SELECT x::even $$;
CREATE FUNCTION f_mood(x int) RETURNS mood LANGUAGE sql IMMUTABLE AS $$ SELECT 'glad'::mood $$;
CREATE FUNCTION f_real(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT x $$;
CREATE FUNCTION f_int(x int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT x $$;
CREATE FUNCTION f_timestamp(x int) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$ SELECT timestamp '2024-03-10 12:00' $$;
CREATE FUNCTION f_date(x int) RETURNS date LANGUAGE sql IMMUTABLE AS $$ SELECT date '2024-03-10' $$;
CREATE FUNCTION f_bytes(x int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT '\x4142'::bytea $$;
CREATE FUNCTION f_varchar(x int) RETURNS varchar LANGUAGE sql IMMUTABLE AS $$ SELECT 'abcd'::varchar $$;
SELECT f, type, stored(type, format('{{ item.v | public.%s }}', f), '2') FROM (VALUES
	('f_pair', 'pair'), ('f_pair', 'text'), ('f_pair', 'jsonb'), ('f_pair', 'ordered'), ('f_pair', 'int'), ('f_pair', 'nested'),
	('f_ints', 'int[]'), ('f_ints', 'text[]'), ('f_ints', 'jsonb'), ('f_ints', 'text'), ('f_ints', 'row3'), ('f_ints', 'pair'),
	('f_even', 'even'), ('f_even', 'smallint'), ('f_even', 'text'), ('f_even', 'jsonb'), ('f_even', 'numeric'), ('f_even', 'boolean'),
	('f_mood', 'mood'), ('f_mood', 'text'), ('f_mood', 'jsonb'), ('f_mood', 'int'), ('f_mood', 'short'),
	('f_real', 'int'), ('f_real', 'text'), ('f_real', 'jsonb'), ('f_int', 'boolean'), ('f_int', 'date'), ('f_int', 'bytea'),
	('f_timestamp', 'timestamptz'), ('f_timestamp', 'text'), ('f_timestamp', 'date'), ('f_timestamp', 'jsonb'), ('f_timestamp', 'int'),
	('f_date', 'timestamptz'), ('f_date', 'text'), ('f_date', 'timestamp'),
	('f_bytes', 'bytea'), ('f_bytes', 'text'), ('f_bytes', 'jsonb'), ('f_varchar', 'text'), ('f_varchar', 'short'), ('f_varchar', 'mood'),
	('f_varchar', 'jsonb')) AS c(f, type);
SELECT 'f_real', stored('int', '{{ item.v | public.f_real }}', '2.5');

-- The column is named where a path does not fit it
SELECT databite.schedule_job('{"id": "wrong", "source": {"type": "inline", "items": [{"v": {"m": "mad"}}]},
	"destination": {"type": "database", "table": "wrong", "schema": {"who": "nested"}}, "transform": {"who": "{{ item.v }}"}}');
SELECT error ->> 'message', error ->> 'column', error ->> 'context' FROM databite.execute_job('wrong');
SELECT databite.unschedule_job('wrong');

-- A composite type that is changed under a prepared conversion
CREATE TABLE changing (v pair);
INSERT INTO changing SELECT databite.from_json('{"a": 1, "B b": "x"}', NULL::pair);
ALTER TYPE pair ADD ATTRIBUTE c int CASCADE;
INSERT INTO changing SELECT databite.from_json('{"a": 1, "c": 3}', NULL::pair);
ALTER TYPE pair DROP ATTRIBUTE a CASCADE;
INSERT INTO changing SELECT databite.from_json('{"a": 1, "c": 3}', NULL::pair);
TABLE changing;
DO $$
DECLARE
	v pair;
BEGIN
	FOR i IN 1 .. 3 LOOP
		v := databite.from_json('{"B b": "x", "c": 3, "d": 4}', v);
		RAISE WARNING '%', v;
		IF i = 1 THEN
			EXECUTE 'ALTER TYPE pair DROP ATTRIBUTE c CASCADE';
		END IF;
	END LOOP;
END $$;
DROP TABLE changing;
DROP FUNCTION stored, same, same_text, f_pair, f_ints, f_even, f_mood, f_real, f_int, f_timestamp, f_date, f_bytes, f_varchar;
DROP DOMAIN even, given, short, evens, ordered, row3 CASCADE;
DROP TYPE nested, pair, mood;
