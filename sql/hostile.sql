--
-- Hostile templates: huge, deep, or made to get out of their quotes.  Nothing
-- crashes, takes long or runs as SQL; what is refused is refused clearly.
--
SET client_min_messages = warning;
SET statement_timeout = '60s';

CREATE FUNCTION pg_temp.outcome(template text, item jsonb DEFAULT '{"a": 1}') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	RETURN left(coalesce(databite.evaluate(template, item)::text, 'NULL'), 60);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || left(SQLERRM, 80);
END $$;

-- Long
SELECT pg_temp.outcome(repeat('x', 1024 * 1024 + 1));
SELECT length(databite.evaluate(repeat('x', 1024 * 1024))::text);
SELECT length(databite.evaluate('{{ "' || repeat('x', 1000000) || '" }}')::text);
SELECT pg_temp.outcome('{{ item.' || repeat('x', 1000000) || ' }}');
SELECT pg_temp.outcome('{{ item["' || repeat('x', 1000000) || '"] }}', jsonb_build_object(repeat('x', 1000000), 'long key'));
SELECT pg_temp.outcome('{{ item.a | ' || repeat('x', 1000000) || ' }}');
SELECT pg_temp.outcome('{{ ' || repeat('x', 1000000) || ' }}');
SELECT pg_temp.outcome('{{ ' || repeat('1', 1000000) || ' }}');
SELECT length(databite.evaluate('{{ ' || repeat('1', 100000) || ' }}')::text);
SELECT pg_temp.outcome('{{ 1e' || repeat('9', 1000000) || ' }}');
SELECT pg_temp.outcome(repeat('{{# x #}}', 100000) || '{{ item.a }}');
SELECT pg_temp.outcome('{{' || repeat(' ', 1000000) || 'item.a }}');
SELECT pg_temp.outcome(repeat('{', 1000000));
SELECT pg_temp.outcome(repeat('{{', 500000));
SELECT pg_temp.outcome(repeat('}}', 500000) || '{{ item.a');
SELECT length(databite.evaluate(repeat('{{ item.a }}', 10000), '{"a": 1}')::text);
SELECT pg_temp.outcome(repeat('{{ item.a }}', 60000));
SELECT pg_temp.outcome(string_agg('{{ item.a' || n || ' }}', '')) FROM generate_series(1, 10000) AS n;

-- Deep or many
SELECT what, pg_temp.outcome('{{ ' || repeat(before, 10000) || middle || repeat(after, 10000) || ' }}')
FROM (VALUES ('parentheses', '(', 'item.a', ')'), ('arrays', '[', '', ']'), ('objects', '{"a": ', '1', '}'),
	('open parentheses', '(', '', ''), ('open arrays', '[', '', ''), ('open objects', '{"a":', '', ''),
	('conditionals', 'item.a ? 1 : ', '2', ''), ('inner conditionals', 'true ? ', '1', ' : 2'), ('not', 'not ', 'true', ''),
	('minus', '-', 'item.a', ''), ('minus and number', '- ', '1', ''), ('filters', '', 'item.a', ' | trim'),
	('arguments', 'item.a | default(', '1', ')'), ('sum', '', 'item.a', ' + 1'), ('join', '', 'item.a', ' ~ 1'),
	('coalesce', '', 'item.a', ' ?? 1'), ('and', 'true and ', 'true', ''), ('keys', '', 'item', '.a'), ('indexes', '', 'item', '[0]'),
	('projections', '', 'item', '[*]'), ('quoted keys', '', 'item', '["a"]'),
	('closed', '', 'item.a', ')')) AS v(what, before, middle, after);
SELECT pg_temp.outcome('{{ item.a' || repeat(' + 1', 100000) || ' }}');
SELECT pg_temp.outcome('{{ item.a in [' || repeat('1, ', 100000) || '1] }}');
SELECT pg_temp.outcome('{{ item.a in [' || repeat('1, ', 10000) || '1] }}');
SELECT pg_temp.outcome('{{ {' || repeat('"a": item.a, ', 10000) || '"b": 2} }}');
SELECT pg_temp.outcome('{{ item.a | trim(' || repeat('1, ', 10000) || '1) }}');

-- A long value: an error shows its beginning
CREATE FUNCTION pg_temp.shown(template text, item jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN left(databite.evaluate(template, item)::text, 60);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || CASE WHEN length(SQLERRM) + length(detail) < 500 THEN ' ' || left(SQLERRM, 70) ELSE ' too long' END;
END $$;
SELECT t AS template, pg_temp.shown('{{ ' || t || ' }}', jsonb_build_object('a', repeat('é', 100000), 'n', ('1' || repeat('0', 100000) || '.5')::numeric))
FROM unnest(ARRAY['item.a + 1', '(item.a ~ "") + 1', 'not (item.a ~ "")', 'item.a | to_datetime', '(item.a ~ "") | to_datetime',
	'(item.a ~ "") | to_date', 'item.a | to_datetime("Month YYYY")', 'item.a | to_datetime("%Y")', 'item.a | to_datetime("epoch")', 'item.a | to_unix',
	'"2024-05-01" | date_add(item.a)', '"2024-05-01" | date_add(item.n, "month")', '"2024-05-01" | date_add(1, item.a)',
	'"2024-05-01" | format_date("%Y", item.a)', '(item.a ~ "") | from_json', 'item.a | int', 'item.n | float', 'item.n | int', 'item.n | bool',
	'item.n | shop', 'item.a | upper | truncate(3)', '"x" | slice((item.n + 0))']) AS t;

-- Accents in a row, which normalization takes the square of the time for
SELECT length(databite.filter_slug('a' || repeat(U&'\0301', 250000) || repeat(U&'\0316', 250000) || 'b'));
SELECT length(databite.filter_slug(U&'\0430' || repeat(U&'\0301', 250000) || repeat(U&'\0316', 250000) || 'b'));
SELECT databite.filter_slug(repeat('Crème ', 30) || U&'Cre\0300me') = repeat('creme-', 30) || 'creme',
	databite.filter_slug(repeat(U&'\0438\0306', 300)) = repeat(U&'\0439', 300);

-- A document of the same kinds
SELECT pg_temp.outcome('{{ item.a }}', (repeat('[', 500) || repeat(']', 500))::jsonb);
SELECT count(*) FROM databite.validate_job(jsonb_build_object('id', 'hostile', 'source', '{"type": "inline", "items": []}'::jsonb,
	'destination', '{"type": "database", "table": "hostile"}'::jsonb,
	'transform', (SELECT jsonb_object_agg('c' || n, '{{ item.a | nothing }}') FROM generate_series(1, 1000) AS n)));
\set VERBOSITY sqlstate
SELECT databite.validate_job(('{"id": "hostile", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "hostile"}, "transform": {"v": "\u0000"}}')::jsonb);

\set VERBOSITY default

-- Every text goes through a template as it is: alone, in an expression, as a key, as a column, as a filter's argument
CREATE TABLE hostile_text (n int GENERATED ALWAYS AS IDENTITY, t text NOT NULL);
INSERT INTO hostile_text (t) VALUES
	(''''), (''''''), ('\'), ('\\'), ('\'''), ('''\'), (E'\\''; DROP TABLE hostile_text; --'), ('"'), ('"; DROP TABLE hostile_text; --'),
	('$$'), ('$a$ $a$'), ('$1'), ('$2'), ('b.p1'), ('"b"."p1"'), (';'), ('--'), ('/*'), ('*/'), ('E''\x'), ('U&''\0041'), ('x''41'), (':v'), ('%s %d %n'), ('%'),
	('?'), ('::text'), ('NULL'), ('null'), ('select'), ('SELECT'), ('ctid'), ('xmin'), ('tableoid'), ('default'), ('ord'), ('p1'), ('b'), ('item'),
	(E'\n'), (E'\r\n'), (E'\t'), (E'\001'), (E'\037'), (E'\177'), ('{'), ('}'), ('#}'), (' '), ('  x  '), ('é'), (U&'e\0301'), ('שלום'),
	(U&'\202E' || 'txt'), ('😀'), (U&'\FEFF'), (U&'\2028\2029'), (U&'\00A0'), (U&'\200B'), (U&'\E000'), (U&'\+10FFFF'), (U&'\FFFF'), (U&'\0085'),
	('ﬁ'), ('İı'), (U&'\02BC'), (U&'\FF07'), ('ʼ; DROP TABLE hostile_text; --');

CREATE FUNCTION pg_temp.round_trips(t text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	quoted text := to_json(t)::text;
	single text := '''' || replace(replace(t, '\', '\\'), '''', '\''') || '''';
	found jsonb := to_jsonb(t);
BEGIN
	IF databite.evaluate('{{ ' || quoted || ' }}') IS DISTINCT FROM found THEN RETURN 'literal'; END IF;
	IF databite.evaluate('{{ ' || single || ' }}') IS DISTINCT FROM found THEN RETURN 'literal in single quotes'; END IF;
	IF databite.evaluate('<' || t || ' {{ "" }}') IS DISTINCT FROM to_jsonb('<' || t || ' ') THEN RETURN 'text'; END IF;
	IF databite.evaluate('{{ item[' || quoted || '] }}', jsonb_build_object(t, t)) IS DISTINCT FROM found THEN RETURN 'key'; END IF;
	IF databite.evaluate('{{ item[' || quoted || '] ~ ' || quoted || ' }}', jsonb_build_object(t, t)) IS DISTINCT FROM to_jsonb(t || t) THEN RETURN 'key and text'; END IF;
	IF databite.evaluate('{{ item.a[*][' || quoted || '] }}', jsonb_build_object('a', jsonb_build_array(jsonb_build_object(t, t)))) IS DISTINCT FROM jsonb_build_array(t) THEN RETURN 'projection'; END IF;
	IF databite.evaluate('{{ scope[' || quoted || '] }}', '{}', jsonb_build_object('scope', jsonb_build_object(t, t))) IS DISTINCT FROM found THEN RETURN 'key of a scope'; END IF;
	IF databite.evaluate('{{ scope.a[*][' || quoted || '] }}', '{}', jsonb_build_object('scope', jsonb_build_object('a', jsonb_build_array(jsonb_build_object(t, t))))) IS DISTINCT FROM jsonb_build_array(t) THEN RETURN 'projection of a scope'; END IF;
	IF databite.evaluate('{{ item.a | default(' || quoted || ') }}') IS DISTINCT FROM found THEN RETURN 'argument'; END IF;
	IF databite.evaluate('{{ {' || quoted || ': item.a} }}', jsonb_build_object('a', t)) IS DISTINCT FROM jsonb_build_object(t, t) THEN RETURN 'member'; END IF;
	IF databite.evaluate('{{ [' || quoted || '] }}') IS DISTINCT FROM jsonb_build_array(t) THEN RETURN 'element'; END IF;
	IF databite.evaluate('{{ item.a in [' || quoted || '] }}', jsonb_build_object('a', t)) IS DISTINCT FROM 'true' THEN RETURN 'in'; END IF;

	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- All of them in one job, each as a key, a text and the name of a column; the row that was written
CREATE FUNCTION pg_temp.written() RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	result databite.job_result;
	target_row jsonb;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'hostile',
		'source', jsonb_build_object('type', 'inline', 'items', jsonb_build_array(jsonb_object_agg(t, t) || '{"id": 1}')),
		'destination', jsonb_build_object('type', 'database', 'table', 'hostile_target'),
		'transform', jsonb_object_agg('c' || t, format('{{ item[%1$s] ~ %1$s }}', to_json(t))) || '{"id": "{{ item.id }}"}'))
	FROM hostile_text;
	result := databite.execute_job('hostile');
	IF result.error IS NOT NULL THEN RAISE EXCEPTION '%', result.error; END IF;
	SELECT to_jsonb(h) INTO target_row FROM hostile_target AS h;
	DROP TABLE hostile_target;
	RETURN target_row;
END $$;

SELECT n, to_json(t) AS t, wrong FROM hostile_text, LATERAL (SELECT pg_temp.round_trips(t)) AS r(wrong) WHERE wrong IS NOT NULL ORDER BY n;
SELECT n, to_json(t) AS t, written ->> ('c' || t) AS wrong FROM hostile_text, pg_temp.written()
WHERE written ->> ('c' || t) IS DISTINCT FROM t || t ORDER BY n;
SET standard_conforming_strings = off;
SET escape_string_warning = on;
SET backslash_quote = off;
SELECT n, to_json(t) AS t, wrong FROM hostile_text, LATERAL (SELECT pg_temp.round_trips(t)) AS r(wrong) WHERE wrong IS NOT NULL ORDER BY n;
SELECT n, to_json(t) AS t, written ->> ('c' || t) AS wrong FROM hostile_text, pg_temp.written()
WHERE written ->> ('c' || t) IS DISTINCT FROM t || t ORDER BY n;
RESET standard_conforming_strings;
RESET escape_string_warning;
RESET backslash_quote;
SELECT count(*) FROM hostile_text;

-- Names that other schemas could catch
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.upper(text) RETURNS text LANGUAGE sql AS $$ SELECT 'caught' $$;
CREATE FUNCTION hostile.cat(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'caught' $$;
CREATE OPERATOR hostile.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.cat);
CREATE DOMAIN hostile.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN hostile.numeric AS pg_catalog.numeric CHECK (false);
CREATE DOMAIN hostile.jsonb AS pg_catalog.jsonb CHECK (false);
SET search_path = hostile, pg_catalog, public;
SELECT databite.evaluate('{{ item.a | upper ~ "x" ~ 1 + 2 }}', '{"a": "a"}'), databite.evaluate('{{ [item.a, 1] }}', '{"a": "a"}');
RESET search_path;
DROP SCHEMA hostile CASCADE;

SELECT databite.unschedule_job('hostile');
DROP TABLE hostile_text;
