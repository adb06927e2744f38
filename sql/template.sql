--
-- The template language: what each template makes of an item.
--
-- Expected is the value as jsonb, NULL for SQL NULL, or !SQLSTATE.  Only what
-- is not as expected is printed.
--
\pset null NULL
SET timezone = 'America/New_York';
SET datestyle = 'German';

CREATE FUNCTION pg_temp.outcome(template text, item jsonb, scopes jsonb) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	RETURN coalesce(databite.evaluate(template, item, scopes)::text, 'NULL');
EXCEPTION WHEN OTHERS THEN
	RETURN '!' || SQLSTATE;
END $$;

CREATE TEMPORARY TABLE template_case (
	id int GENERATED ALWAYS AS IDENTITY,
	template text NOT NULL,
	item jsonb NOT NULL,
	expected text NOT NULL,
	scopes jsonb NOT NULL DEFAULT '{}');

-- A lone path keeps its JSON type
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a }}', '{"a": 1}', '1'),
('{{item.a}}', '{"a": 1}', '1'),
('{{ item.a }}', '{"a": "1"}', '"1"'),
('{{ item.a }}', '{"a": 1.10}', '1.10'),
('{{ item.a }}', '{"a": 9007199254740993}', '9007199254740993'),
('{{ item.a }}', '{"a": 12345678901234567890.123456789}', '12345678901234567890.123456789'),
('{{ item.a }}', '{"a": true}', 'true'),
('{{ item.a }}', '{"a": ""}', '""'),
('{{ item.a }}', '{"a": [1, "x", null]}', '[1, "x", null]'),
('{{ item.a }}', '{"a": {"b": {}}}', '{"b": {}}'),
('{{ item.a }}', '{"a": null}', 'NULL'),
('{{ item.a }}', '{}', 'NULL'),
('{{ item.a.b.c }}', '{"a": {"b": {"c": "deep"}}}', '"deep"'),
('{{ item.a.b.c }}', '{"a": {"b": 1}}', 'NULL'),
('{{ item.a.b }}', '{"a": [{"b": 1}]}', 'NULL'),
('{{ item.a[0] }}', '{"a": [1, 2, 3]}', '1'),
('{{ item.a[-1] }}', '{"a": [1, 2, 3]}', '3'),
('{{ item.a[-3] }}', '{"a": [1, 2, 3]}', '1'),
('{{ item.a[3] }}', '{"a": [1, 2, 3]}', 'NULL'),
('{{ item.a[-4] }}', '{"a": [1, 2, 3]}', 'NULL'),
('{{ item.a[1].b[0] }}', '{"a": [{}, {"b": ["x"]}]}', '"x"'),
('{{ item["odd key"] }}', '{"odd key": 1}', '1'),
('{{ item[''it"s''] }}', '{"it\"s": 1}', '1'),
('{{ item["a.b"]["c"] }}', '{"a.b": {"c": 2}}', '2'),
('{{ item["\u00e9"] }}', '{"é": 1}', '1'),
('{{ item.été }}', '{"été": "x"}', '"x"'),
('{{ item.in.not.null }}', '{"in": {"not": {"null": 1}}}', '1'),
('{{ item }}', '{"a": 1, "b": [2]}', '{"a": 1, "b": [2]}'),
('{{ index }}', '{}', '0'),
('{{ item.a[*].b }}', '{"a": [{"b": 1}, {"b": "x"}, {"c": 3}]}', '[1, "x"]'),
('{{ item.a[*].b[-1] }}', '{"a": [{"b": [1, 2]}, {"b": [3]}]}', '[2, 3]'),
('{{ item.a[*] }}', '{"a": []}', '[]'),
('{{ item.a[*].b }}', '{}', 'NULL'),
('{{ item.a[*] }}', '{"a": 1}', 'NULL'),
('{{ item.a[*] }}', '{"a": {"b": 1}}', 'NULL'),
('{{ item.a[*].b }}', '{"a": {"b": 1}}', 'NULL'),
('{{ item.a[*].b }}', '{"a": [[{"b": 1}], {"b": 2}]}', '[2]'),
('{{ item.a[*]["odd \"key"] }}', '{"a": [{"odd \"key": 1}]}', '[1]');

-- Literals
INSERT INTO template_case (template, item, expected) VALUES
('plain', '{}', '"plain"'),
('', '{}', '""'),
('{{ 1 }}', '{}', '1'),
('{{ 1.50 }}', '{}', '1.50'),
('{{ 1e3 }}', '{}', '1000'),
('{{ -5 }}', '{}', '-5'),
('{{ "x" }}', '{}', '"x"'),
('{{ ''x'' }}', '{}', '"x"'),
('{{ "it''s" }}', '{}', '"it''s"'),
('{{ ''it\''s'' }}', '{}', '"it''s"'),
('{{ "a\"b\\c\n\u20ac" }}', '{}', '"a\"b\\c\n€"'),
('{{ "\ud83d\ude00" }}', '{}', '"😀"'),
('{{ "''; DROP TABLE x; --$$\\" }}', '{}', '"''; DROP TABLE x; --$$\\"'),
('{{ true }}', '{}', 'true'),
('{{ false }}', '{}', 'false'),
('{{ null }}', '{}', 'NULL'),
('{{ [] }}', '{}', '[]'),
('{{ [1, "two", true, null, [3.0]] }}', '{}', '[1, "two", true, null, [3.0]]'),
('{{ [item.a, item.b, -1] }}', '{"a": {"x": 1}}', '[{"x": 1}, null, -1]'),
('{{ {"a": 1, "b": {"c": null}} }}', '{}', '{"a": 1, "b": {"c": null}}'),
('{{ {"a": {"b": 1}}}}', '{}', '{"a": {"b": 1}}'),
('{{ {a: item.x, b: item.y | upper} }}', '{"x": 1.0, "y": "z"}', '{"a": 1.0, "b": "Z"}'),
('{{ {} }}', '{}', '{}');

-- Text with templates; NULL is empty
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a }} and {{ item.b }}', '{"a": 1, "b": "x"}', '"1 and x"'),
('{{ item.a }}{{ item.b }}', '{"a": 1}', '"1"'),
(' {{ item.a }}', '{"a": 1}', '" 1"'),
('<{{ item.a }}>', '{}', '"<>"'),
('<{{ item.a }}>', '{"a": [1, {"b": "c"}]}', '"<[1, {\"b\": \"c\"}]>"'),
('<{{ item.a }}>', '{"a": 1.10}', '"<1.10>"'),
('<{{ item.a }}>', '{"a": true}', '"<true>"'),
('{{# a comment #}}{{ item.a }}', '{"a": 1}', '1'),
('{{# {{ item.b }} #}}x', '{}', '"x"'),
('{{# nothing #}}', '{}', '""'),
('a }} b } c', '{}', '"a }} b } c"'),
('{{ ''{{'' }}', '{}', '"{{"'),
('{{ ''{{'' }} x {{ "}}" }}', '{}', '"{{ x }}"'),
('{ {{ item.a }} }', '{"a": 1}', '"{ 1 }"'),
('é{{ item.a }}€', '{"a": "ü"}', '"éü€"'),
('it''s {{ item.a }} \n', '{"a": "\\"}', '"it''s \\ \\n"');

-- Arithmetic is numeric
INSERT INTO template_case (template, item, expected) VALUES
('{{ 0.1 + 0.2 }}', '{}', '0.3'),
('{{ item.a + item.b }}', '{"a": 9007199254740993, "b": 1}', '9007199254740994'),
('{{ item.a + 1 }}', '{"a": "41"}', '42'),
('{{ item.a + 1 }}', '{}', 'NULL'),
('{{ item.a + 1 }}', '{"a": "x"}', '!22P02'),
('{{ 2 + 3 * 4 }}', '{}', '14'),
('{{ (2 + 3) * 4 }}', '{}', '20'),
('{{ 10 - 4 - 3 }}', '{}', '3'),
('{{ 10 / 4 }}', '{}', '2.5'),
('{{ 100 / 10 / 2 }}', '{}', '5'),
('{{ item.cents / 100 }}', '{"cents": 1999}', '19.99'),
('{{ 10 % 4 }}', '{}', '2'),
('{{ -7 % 3 }}', '{}', '-1'),
('{{ 1 / item.a }}', '{"a": 0}', '!22012'),
('{{ 1 % item.a }}', '{"a": 0}', '!22012'),
('{{ -item.a }}', '{"a": 5}', '-5'),
('{{ - -5 }}', '{}', '5'),
('{{ 3 - -item.a }}', '{"a": 5}', '8'),
('{{ item.a * 1.10 }}', '{"a": 2}', '2.20'),
('{{ index + 1 }}', '{}', '1');

-- Comparisons
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a > 0 }}', '{"a": 3}', 'true'),
('{{ item.a > 0 }}', '{"a": "3"}', 'true'),
('{{ item.a > 0 }}', '{}', 'NULL'),
('{{ item.a > 10 }}', '{"a": 9}', 'false'),
('{{ item.a >= 9 }}', '{"a": 9.0}', 'true'),
('{{ item.a == 1 }}', '{"a": 1.00}', 'true'),
('{{ item.a != 1 }}', '{"a": 2}', 'true'),
('{{ item.a == "x" }}', '{"a": "x"}', 'true'),
('{{ item.a == "1" }}', '{"a": 1}', 'true'),
('{{ item.a < "b" }}', '{"a": "a"}', 'true'),
('{{ item.a <= "b" }}', '{"a": "b"}', 'true'),
('{{ item.a == true }}', '{"a": true}', 'true'),
('{{ item.a == false }}', '{"a": true}', 'false'),
('{{ item.a == null }}', '{"a": null}', 'true'),
('{{ item.a == null }}', '{}', 'true'),
('{{ null != item.a }}', '{"a": {}}', 'true'),
('{{ item.a == null }}', '{"a": false}', 'false'),
('{{ item.a == item.b }}', '{"a": 1, "b": 1.0}', 'true'),
('{{ item.a == item.b }}', '{"a": 1, "b": "1"}', 'false'),
('{{ item.a == item.b }}', '{"a": [1, {"x": 2}], "b": [1, {"x": 2}]}', 'true'),
('{{ item.a < item.b }}', '{"a": 9, "b": 10}', 'true'),
('{{ item.a < item.b }}', '{"a": "9", "b": "10"}', 'false'),
('{{ item.a == [1, 2] }}', '{"a": [1, 2]}', 'true'),
('{{ item.a == {"x": 1} }}', '{"a": {"x": 1.0}}', 'true'),
('{{ item.a | upper == "X" }}', '{"a": "x"}', 'true'),
('{{ item.a + 1 == "3" }}', '{"a": 2}', 'true'),
('{{ item.at | to_datetime > "2024-01-01" }}', '{"at": "2024-01-01T01:00:00+02:00"}', 'false'),
('{{ item.at | to_datetime == item.b | to_datetime }}',
 '{"at": "2024-01-01T02:00:00+02:00", "b": "2024-01-01"}', 'true');

-- in, and, or, not
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a in [1, 2, 3] }}', '{"a": 2}', 'true'),
('{{ item.a in [1, 2, 3] }}', '{"a": 4}', 'false'),
('{{ item.a in ["x", "y"] }}', '{"a": "y"}', 'true'),
('{{ item.a not in ["x", "y"] }}', '{"a": "y"}', 'false'),
('{{ not item.a in ["x", "y"] }}', '{"a": "z"}', 'true'),
('{{ item.a in [] }}', '{"a": 1}', 'false'),
('{{ item.a in [1] }}', '{}', 'NULL'),
('{{ item.a in [item.b, item.c] }}', '{"a": 1, "c": 1}', 'true'),
('{{ item.a in [item.b, item.c] }}', '{"a": 2, "c": 1}', 'false'),
('{{ "x" in item.tags }}', '{"tags": ["x", "y"]}', 'true'),
('{{ "z" in item.tags }}', '{"tags": ["x", "y"]}', 'false'),
('{{ "z" in item.tags }}', '{}', 'false'),
('{{ 1 in item.tags }}', '{"tags": [1.0]}', 'true'),
('{{ item.a in item.b[*].id }}', '{"a": 2, "b": [{"id": 1}, {"id": 2}]}', 'true'),
('{{ "x" in item.tags }}', '{"tags": "x"}', '!22023'),
('{{ item.a and item.b }}', '{"a": true, "b": true}', 'true'),
('{{ item.a and item.b }}', '{"a": true}', 'NULL'),
('{{ item.a and item.b }}', '{"a": false}', 'false'),
('{{ item.a or item.b }}', '{"b": true}', 'true'),
('{{ not item.a }}', '{"a": false}', 'true'),
('{{ not item.a }}', '{}', 'NULL'),
('{{ not not item.a }}', '{"a": true}', 'true'),
('{{ true or false and false }}', '{}', 'true'),
('{{ not true or true }}', '{}', 'true'),
('{{ item.a > 1 and item.a < 5 }}', '{"a": 3}', 'true'),
('{{ not item.a == 1 }}', '{"a": 2}', 'true'),
('{{ item.a and true }}', '{"a": "maybe"}', '!22P02');

-- ~, ??, the conditional
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a ~ item.b }}', '{"a": 1, "b": "x"}', '"1x"'),
('{{ item.a ~ "-" ~ item.b }}', '{"b": true}', '"-true"'),
('{{ "n" ~ 1 + 2 }}', '{}', '"n3"'),
('{{ item.a ?? 5 }}', '{}', '5'),
('{{ item.a ?? 5 }}', '{"a": 6}', '6'),
('{{ item.a ?? "none" }}', '{"a": null}', '"none"'),
('{{ item.a ?? item.b ?? 0 }}', '{"b": 2}', '2'),
('{{ item.a ?? item.b }}', '{"b": [1]}', '[1]'),
('{{ item.a ?? "none" }}', '{"a": ""}', '""'),
('{{ (item.a ?? 0) + 1 }}', '{}', '1'),
('{{ item.a | default("x") }}', '{}', '"x"'),
('{{ item.a | default("x") }}', '{"a": 1}', '1'),
('{{ item.a | default(item.b | upper) }}', '{"b": "y"}', '"Y"'),
('{{ item.a ? "yes" : "no" }}', '{"a": true}', '"yes"'),
('{{ item.a ? "yes" : "no" }}', '{"a": false}', '"no"'),
('{{ item.a ? "yes" : "no" }}', '{}', '"no"'),
('{{ item.n > 10 ? "big" : item.n > 5 ? "medium" : "small" }}', '{"n": 7}', '"medium"'),
('{{ item.a ? 1 : "one" }}', '{"a": true}', '1'),
('{{ item.a ? item.b : null }}', '{"a": true, "b": {"c": 1}}', '{"c": 1}'),
('{{ (item.a ? item.b : 0) > 1 }}', '{"a": true, "b": "2"}', 'true'),
('{{ item.a == 0 ? null : 1 / item.a }}', '{"a": 0}', 'NULL');

-- Filters
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a | upper }}', '{"a": "naive x1"}', '"NAIVE X1"'),
('{{ item.a | lower }}', '{"a": "AbC"}', '"abc"'),
('{{ item.a | upper }}', '{}', 'NULL'),
('{{ item.a | upper }}', '{"a": 1}', '"1"'),
('{{ item.a | trim }}', '{"a": " \t x y \r\n"}', '"x y"'),
('{{ item.a | trim("-") }}', '{"a": "--x-"}', '"x"'),
('{{ item.a | trim | upper | lower }}', '{"a": " x "}', '"x"'),
('{{ "a" ~ item.a | upper }}', '{"a": "x"}', '"aX"'),
('{{ ("a" ~ item.a) | upper }}', '{"a": "x"}', '"AX"'),
('{{ item.a | round(2) }}', '{"a": 1.005}', '1.01'),
('{{ item.a | round(2) }}', '{"a": 2}', '2.00'),
('{{ item.a | round }}', '{"a": 2.5}', '3'),
('{{ item.a | round(-2) }}', '{"a": 1250}', '1300'),
('{{ item.a | round(item.n) }}', '{"a": 1.25, "n": 1}', '1.3'),
('{{ item.a | round(1) }}', '{"a": "1.25"}', '1.3'),
('{{ item.a | round(1) }}', '{"a": "x"}', '!22P02'),
('{{ (item.a * 1.2) | round(2) }}', '{"a": 9.99}', '11.99'),
('{{ item.a | join(",") }}', '{"a": ["x", "y"]}', '"x,y"'),
('{{ item.a | join }}', '{"a": [1, 1.50, true, null, "x", [2], {"b": 3}]}', '"1,1.50,true,x,[2],{\"b\": 3}"'),
('{{ item.a | join(" | ") }}', '{"a": ["x", "y"]}', '"x | y"'),
('{{ item.a | join("") }}', '{"a": ["x", "y"]}', '"xy"'),
('{{ item.a | join }}', '{"a": []}', '""'),
('{{ item.a | join }}', '{}', 'NULL'),
('{{ item.a | join }}', '{"a": "x"}', '!22023'),
('{{ item.a | join }}', '{"a": {"b": 1}}', '!22023'),
('{{ item.a[*].b | join("/") }}', '{"a": [{"b": "x"}, {"b": "y"}]}', '"x/y"'),
('{{ [1, item.a] | join("-") }}', '{"a": "x"}', '"1-x"'),
('{{ item.a | to_datetime }}', '{"a": "2024-03-10T12:00:00Z"}', '"2024-03-10T12:00:00Z"'),
('{{ item.a | to_datetime }}', '{"a": "2024-03-10T12:00:00.250+02:00"}', '"2024-03-10T10:00:00.25Z"'),
('{{ item.a | to_datetime }}', '{"a": "2024-03-10T02:30:00"}', '"2024-03-10T02:30:00Z"'),
('{{ item.a | to_datetime }}', '{"a": "2024-03-10"}', '"2024-03-10T00:00:00Z"'),
('{{ item.a | to_datetime }}', '{"a": "2024-03-10 12:00:00-0330"}', '"2024-03-10T15:30:00Z"'),
('{{ item.a | to_datetime }}', '{}', 'NULL'),
('{{ item.a | to_datetime }}', '{"a": "soon"}', '!22007'),
('{{ item.a | to_datetime }}', '{"a": "2024-02-30"}', '!22008'),
('{{ (item.d ~ "T" ~ item.t) | to_datetime }}', '{"d": "2024-07-01", "t": "08:00"}', '"2024-07-01T08:00:00Z"'),
('{{ item.a | to_datetime("DD.MM.YYYY HH24:MI") }}', '{"a": "01.07.2024 08:00"}', '"2024-07-01T08:00:00Z"'),
('{{ item.a | to_datetime("DD.MM.YYYY HH24:MI", "Europe/Riga") }}', '{"a": "01.07.2024 08:00"}', '"2024-07-01T05:00:00Z"'),
('{{ item.a | to_datetime("YYYY-MM-DD HH24:MI", "Europe/Riga") }}', '{"a": "2024-01-01 08:00"}', '"2024-01-01T06:00:00Z"'),
('{{ item.a | to_datetime("YYYY", "Europe/Nowhere") }}', '{"a": "2024"}', '!22023'),
('at {{ item.a | to_datetime }}', '{"a": "2024-03-10T12:00:00+01:00"}', '"at 2024-03-10T11:00:00Z"');

-- Other scopes come from the third argument
INSERT INTO template_case (template, item, scopes, expected) VALUES
('{{ payload.id }}', '{}', '{"payload": {"id": 7}}', '7'),
('{{ payload.id }}', '{}', '{"payload": {"id": null}}', 'NULL'),
('{{ payload.id }}', '{}', '{}', 'NULL'),
('{{ payload.list[-1].x }}', '{}', '{"payload": {"list": [1, {"x": "y"}]}}', '"y"'),
('{{ payload.list[*].x }}', '{}', '{"payload": {"list": [{"x": 1}, {"x": 2}]}}', '[1, 2]'),
('{{ payload["odd ''key"] + 1 }}', '{}', '{"payload": {"odd ''key": "1"}}', '2'),
('{{ payload }}', '{}', '{"payload": {"a": [1.10]}}', '{"a": [1.10]}'),
('{{ run.id }}', '{}', '{"run": {"id": 42}}', '42'),
('run {{ run.id }}', '{}', '{"run": {"id": 42}}', '"run 42"'),
('{{ last_sync_time }}', '{}', '{"last_sync_time": "2024-01-01T00:00:00Z"}', '"2024-01-01T00:00:00Z"'),
('since {{ last_sync_time }}', '{}', '{"last_sync_time": "2024-01-01T00:00:00Z"}', '"since 2024-01-01T00:00:00Z"'),
('{{ item.at > last_sync_time }}', '{"at": "2024-01-01T01:00:00+02:00"}',
 '{"last_sync_time": "2024-01-01T00:00:00Z"}', 'false'),
('{{ anything.at.all ?? item.a }}', '{"a": 1}', '{"anything": {"at": {"all": 2}}}', '2');

-- Mistakes
INSERT INTO template_case (template, item, expected) VALUES
('{{ item.a', '{}', '!22023'),
('{{', '{}', '!22023'),
('{{ }}', '{}', '!22023'),
('{{# open', '{}', '!22023'),
('{{ "open }}', '{}', '!22023'),
('{{ item. }}', '{}', '!22023'),
('{{ item.0 }}', '{}', '!22023'),
('{{ item[ }}', '{}', '!22023'),
('{{ item[99999999999] }}', '{}', '!22023'),
('{{ item.a item.b }}', '{}', '!22023'),
('{{ (item.a }}', '{}', '!22023'),
('{{ item.a + }}', '{}', '!22023'),
('{{ item.a = 1 }}', '{}', '!22023'),
('{{ item.a && item.b }}', '{}', '!22023'),
('{{ !item.a }}', '{}', '!22023'),
('{{ 1 < item.a < 3 }}', '{}', '!22023'),
('{{ item.a ? 1 }}', '{}', '!22023'),
('{{ 007 }}', '{}', '!22023'),
('{{ 1x }}', '{}', '!22023'),
('{{ "\x" }}', '{}', '!22023'),
('{{ "\u0000" }}', '{}', '!22023'),
('{{ "\ud800" }}', '{}', '!22023'),
('{{ upper(item.a) }}', '{}', '!22023'),
('{{ item.a | }}', '{}', '!22023'),
('{{ item.a | uper }}', '{}', '!22023'),
('{{ item.a | upper(1) }}', '{}', '!22023'),
('{{ item.a | default }}', '{}', '!22023'),
('{{ item.a | round(1, 2) }}', '{}', '!22023'),
('{{ item.a | round("x") }}', '{}', '!22023'),
('{{ item.a | round(1.5) }}', '{}', '!22P02'),
('{{ item.a * 1.2 | round(2) }}', '{}', '!22023'),
('{{ item.a in [1, null] }}', '{}', '!22023'),
('{{ item.a in "x" }}', '{}', '!42804'),
('{{ true + 1 }}', '{}', '!42804'),
('{{ (item.a > 1) == 1 }}', '{}', '!42804'),
('{{ 5 | to_datetime }}', '{}', '!42804'),
('{{ "soon" | to_datetime }}', '{}', '!22007'),
('{{ item.a | slugify }}', '{}', '!22023'),
('{{ item.a | no_schema.f(1) }}', '{}', '!22023');

-- Bounds
INSERT INTO template_case (template, item, expected) VALUES
('{{ ' || repeat('(', 200) || 'item.a' || repeat(')', 200) || ' }}', '{"a": 1}', '1'),
('{{ ' || repeat('(', 10000) || 'item.a' || repeat(')', 10000) || ' }}', '{"a": 1}', '!54001'),
('{{ item.a' || repeat(' + 1', 200) || ' }}', '{"a": 1}', '201'),
('{{ item.a' || repeat(' + 1', 10000) || ' }}', '{"a": 1}', '!54001'),
('{{ ' || repeat('not ', 10000) || 'item.a }}', '{"a": true}', '!54001'),
('{{ ' || repeat('-', 10000) || 'item.a }}', '{"a": 1}', '!54001'),
('{{ ' || repeat('[', 10000) || repeat(']', 10000) || ' }}', '{}', '!54001'),
('{{ item.a' || repeat(' | trim', 10000) || ' }}', '{"a": "x"}', '!54001'),
('{{ item' || repeat('.a', 10000) || ' }}', '{}', '!22023'),
(repeat('x', 1024 * 1024 + 1), '{}', '!54000'),
('{{ "' || repeat('x', 10) || '" }}' || repeat('{{ item.a }}', 1000), '{}', '"xxxxxxxxxx"');

SELECT c.id, c.template, c.item, c.expected, o.outcome
FROM template_case c, LATERAL (SELECT pg_temp.outcome(c.template, c.item, c.scopes)) AS o(outcome)
WHERE o.outcome <> c.expected
ORDER BY c.id;

SELECT count(*) AS cases FROM template_case;

-- What a mistake looks like: where it is, and what to do
CREATE FUNCTION pg_temp.mistake(template text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	PERFORM databite.evaluate(template, '{}');
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN message || E'\n' || hint;
END $$;

\pset format unaligned
\pset tuples_only on
SELECT pg_temp.mistake('Hello {{ item.name | uper }}');
SELECT pg_temp.mistake('{{ item.price > 1 and }}');
SELECT pg_temp.mistake('{{ item.price * 1.2 | round(2) }}');
SELECT pg_temp.mistake('{{ item.a = 1 }}');
SELECT pg_temp.mistake('{{ item.name | slugify }}');
SELECT pg_temp.mistake('{{ true + 1 }}');
SELECT pg_temp.mistake(repeat('é', 1000) || E'\t{{ item.€ | round("x") }} ' || repeat('x', 1000));
