--
-- Items: what reader, projection and conversion make of random documents is
-- what jsonb makes of them.
--
-- No key is in an object twice, because jsonb forgets one of them.  The reader gets
-- the documents as jsonb writes them; how they split, and escapes as an API may
-- write them, is tested in test/item.  Only what differs is printed, and how much
-- was compared.
--
\pset null NULL
SELECT setseed(0.20240501);

CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;

-- The inside of a string, as it can be written in JSON: plain, escaped, as a surrogate pair, long.
CREATE FUNCTION pg_temp.random_text() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text := '';
BEGIN
	FOR i IN 1 .. floor(random() * 5) LOOP
		result := result || pg_temp.pick('a', 'Zz', ' ', '0', '''', '$', '{{', '}}', '<b>', '\"', '\\', '\/', '\b', '\f', '\n', '\r', '\t',
			'\u0001', '\u001f', '\u007F', '\u00e9', '\u20AC', '\uffff', '\ud83d\ude00', '\uD834\uDD1E', '\udbff\udfff',
			'é', '€', '😀', '日本', '0123456789abcdef', 'a line that is longer than one step of the scanner', '\\u0041', '\u0022', '\u005c');
	END LOOP;
	RETURN result;
END $$;

CREATE FUNCTION pg_temp.random_number() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT pg_temp.pick('', '-') ||
		pg_temp.pick('0', '1', '7', '10', '2147483648', '9223372036854775807', '9223372036854775808', '9007199254740993',
			'123456789012345678901234567890', floor(random() * 1000000)::text) ||
		pg_temp.pick('', '', '.0', '.5', '.10', '.000001', '.12345678901234567890') ||
		pg_temp.pick('', '', '', 'e0', 'E1', 'e+3', 'e-3', 'E-20', 'e25')
$$;

-- One value; arrays and objects become rarer with depth.
CREATE FUNCTION pg_temp.random_value(depth int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	kind int := floor(random() * CASE WHEN depth = 0 THEN 2 WHEN depth < 4 THEN 6 ELSE 4 END) + CASE WHEN depth = 0 THEN 4 ELSE 0 END;
	space text := CASE WHEN random() < 0.1 THEN pg_temp.pick(' ', E'\n\t', E'\r\n  ') ELSE '' END;
	parts text[] := '{}';
	key text;
BEGIN
	IF kind = 0 THEN
		RETURN pg_temp.pick('null', 'true', 'false', '""', '[]', '{}');
	ELSIF kind = 1 THEN
		RETURN pg_temp.random_number();
	ELSIF kind <= 3 THEN
		RETURN '"' || pg_temp.random_text() || '"';
	ELSIF kind = 4 THEN
		FOR i IN 1 .. floor(random() * 5) LOOP
			parts := parts || (space || pg_temp.random_value(depth + 1) || space);
		END LOOP;
		RETURN '[' || array_to_string(parts, ',') || ']';
	END IF;
	FOREACH key IN ARRAY ARRAY['a', 'b', 'c', 'odd key', 'é', '', '\ud83d\ude00', '0', 'a.b', 'quote\"d', 'back\\slash', 'a_key_of_some_length', 'a_key_of_some_lengtH'] LOOP
		IF random() < (CASE WHEN key IN ('a', 'b', 'c') THEN 0.7 ELSE 0.15 END) THEN
			parts := parts || ('"' || key || '"' || space || ':' || space || pg_temp.random_value(depth + 1));
		END IF;
	END LOOP;
	RETURN '{' || array_to_string(parts, ',') || '}';
END $$;

CREATE TEMPORARY TABLE document AS
	SELECT id, pg_temp.random_value(0) AS text FROM generate_series(1, 2500) AS id;
ALTER TABLE document ADD item jsonb;
UPDATE document SET item = text::jsonb;

-- Enough of each kind is in them.
SELECT count(*) AS documents,
	count(*) FILTER (WHERE jsonb_typeof(item) = 'object') > 500 AS objects,
	count(*) FILTER (WHERE jsonb_typeof(item) = 'array') > 500 AS arrays,
	count(*) FILTER (WHERE text LIKE '%\\ud83d\\ude00%') > 500 AS surrogate_pairs,
	count(*) FILTER (WHERE item #> '{a,b}' IS NOT NULL) > 50 AS nested,
	count(*) FILTER (WHERE item #> '{-1,a}' IS NOT NULL AND jsonb_typeof(item) = 'array') > 100 AS from_the_end
	FROM document;

-- A path as a template writes it and as #> takes it. #> takes a
-- key for an index and the reverse, by what is there; a path of ours does not, so the kinds of the
-- containers are stated: o for an object, a for an array.
CREATE TEMPORARY TABLE path (template text, path text[], kinds text);
INSERT INTO path VALUES
	('item', '{}', ''),
	('item.a', '{a}', 'o'), ('item.b', '{b}', 'o'), ('item.nothing', '{nothing}', 'o'),
	('item.a.b', '{a,b}', 'oo'), ('item.a.b.c', '{a,b,c}', 'ooo'), ('item.c.c.c.c', '{c,c,c,c}', 'oooo'),
	('item[0]', '{0}', 'a'), ('item[1]', '{1}', 'a'), ('item[3]', '{3}', 'a'), ('item[-1]', '{-1}', 'a'), ('item[-2]', '{-2}', 'a'), ('item[-5]', '{-5}', 'a'),
	('item["0"]', '{0}', 'o'), ('item.a["0"]', '{a,0}', 'oo'), ('item.a[0]', '{a,0}', 'oa'), ('item.a[-1]', '{a,-1}', 'oa'),
	('item[0].a', '{0,a}', 'ao'), ('item[-1].a', '{-1,a}', 'ao'), ('item[-1].a[-2]', '{-1,a,-2}', 'aoa'), ('item[0][0]', '{0,0}', 'aa'), ('item[-1][-1][-1]', '{-1,-1,-1}', 'aaa'),
	('item.b[1].a', '{b,1,a}', 'oao'), ('item.b[-1].a.b', '{b,-1,a,b}', 'oaoo'),
	('item["odd key"]', '{odd key}', 'o'), ('item.a["odd key"]', '{a,odd key}', 'oo'), ('item[''odd key''].a', '{odd key,a}', 'oo'),
	('item["é"]', '{é}', 'o'), ('item["\u00e9"]', '{é}', 'o'), ('item.é', '{é}', 'o'), ('item[""]', '{""}', 'o'), ('item.b[""]', '{b,""}', 'oo'),
	('item["😀"]', '{😀}', 'o'), ('item["\ud83d\ude00"]', '{😀}', 'o'), ('item["a.b"]', '{a.b}', 'o'), ('item.a["a.b"]', '{a,a.b}', 'oo'),
	('item["quote\"d"]', '{"quote\"d"}', 'o'), ('item["back\\slash"]', '{"back\\slash"}', 'o'),
	('item.a_key_of_some_length', '{a_key_of_some_length}', 'o'), ('item.a_key_of_some_lengtH', '{a_key_of_some_lengtH}', 'o');

-- What is expected: JSON null is SQL NULL at the end of a path, as a missing path is.
CREATE FUNCTION pg_temp.expected(item jsonb, path text[], kinds text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. cardinality(path) LOOP
		IF jsonb_typeof(item) IS DISTINCT FROM (CASE substr(kinds, i, 1) WHEN 'o' THEN 'object' ELSE 'array' END) THEN
			RETURN NULL;
		END IF;
		item := item #> path[i:i];
	END LOOP;
	RETURN nullif(item, 'null');
END $$;

-- All paths at once, so that they share a trie: one template with a list of them.
CREATE TEMPORARY TABLE result AS
	SELECT id, databite.evaluate((SELECT '{{ [' || string_agg(template, ', ' ORDER BY template COLLATE "C") || '] }}' FROM path), item) AS found
	FROM document;
CREATE TEMPORARY TABLE numbered_path AS
	SELECT *, row_number() OVER (ORDER BY template COLLATE "C") - 1 AS at FROM path;

CREATE TEMPORARY TABLE compared AS
	SELECT d.id, p.template, pg_temp.expected(d.item, p.path, p.kinds) AS expected, nullif(r.found -> p.at::int, 'null') AS found
	FROM document AS d JOIN result AS r USING (id) CROSS JOIN numbered_path AS p;
SELECT id, template, expected, found FROM compared WHERE expected::text IS DISTINCT FROM found::text ORDER BY id, template COLLATE "C" LIMIT 20;
SELECT count(*) AS compared, count(found) > 10000 AS many_found FROM compared;

-- Each path alone, on some of the documents.
SELECT d.id, p.template, pg_temp.expected(d.item, p.path, p.kinds) AS expected, e.found
	FROM document AS d CROSS JOIN path AS p
	CROSS JOIN LATERAL (SELECT databite.evaluate('{{ ' || p.template || ' }}', d.item) AS found) AS e
	WHERE d.id <= 100 AND pg_temp.expected(d.item, p.path, p.kinds)::text IS DISTINCT FROM e.found::text
	ORDER BY d.id, p.template COLLATE "C" LIMIT 20;

-- [*] is what is found in the elements, without those that have no such path; NULL where there is no array.
SELECT d.id, p.template, e.expected, e.found
	FROM document AS d
	CROSS JOIN (VALUES ('item[*]', '{}'::text[], ''), ('item.a[*]', '{a}', 'o'), ('item.a.b[*]', '{a,b}', 'oo'), ('item[1][*]', '{1}', 'a')) AS p (template, path, kinds)
	CROSS JOIN LATERAL (SELECT pg_temp.expected(d.item, p.path, p.kinds) AS list) AS l
	CROSS JOIN LATERAL (SELECT databite.evaluate('{{ ' || p.template || ' }}', d.item) AS found,
		CASE WHEN jsonb_typeof(list) = 'array' THEN list END AS expected) AS e
	WHERE d.id <= 400 AND e.expected::text IS DISTINCT FROM e.found::text
	ORDER BY d.id, p.template LIMIT 20;
SELECT d.id, e.expected, e.found
	FROM document AS d
	CROSS JOIN LATERAL (SELECT databite.evaluate('{{ item.a[*].b }}', d.item) AS found,
		CASE WHEN jsonb_typeof(d.item) = 'object' AND jsonb_typeof(d.item -> 'a') = 'array' THEN
			(SELECT coalesce(jsonb_agg(element -> 'b' ORDER BY n), '[]') FROM jsonb_array_elements(d.item -> 'a') WITH ORDINALITY AS x (element, n)
				WHERE jsonb_typeof(element) = 'object' AND element ? 'b') END AS expected) AS e
	WHERE d.id <= 400 AND e.expected::text IS DISTINCT FROM e.found::text
	ORDER BY d.id LIMIT 20;

-- The leaves to types: the text of a string or number is what ->> gives, and a number keeps its digits.
CREATE TEMPORARY TABLE leaf AS
	SELECT item -> 'a' AS a FROM document WHERE jsonb_typeof(item) = 'object' AND jsonb_typeof(item -> 'a') IN ('string', 'number', 'boolean');
SELECT a, databite.evaluate('<{{ item.a }}>', jsonb_build_object('a', a)) AS found FROM leaf
	WHERE databite.evaluate('<{{ item.a }}>', jsonb_build_object('a', a)) #>> '{}' IS DISTINCT FROM '<' || (a #>> '{}') || '>' LIMIT 20;
SELECT a, databite.evaluate('{{ item.a + 0 }}', jsonb_build_object('a', a)) AS found FROM leaf
	WHERE jsonb_typeof(a) = 'number' AND databite.evaluate('{{ item.a + 0 }}', jsonb_build_object('a', a)) #>> '{}' IS DISTINCT FROM (a #>> '{}') LIMIT 20;
SELECT count(*) > 200 AS many_leaves FROM leaf;

-- The same by a job, into a table.  An object or array goes to text as it was written, which may differ from jsonb in white space.
SET client_min_messages = warning;
CREATE TABLE items_found (id int PRIMARY KEY, item jsonb, a jsonb, a_b text, last jsonb, odd jsonb, pair jsonb);
SELECT databite.schedule_job(format('{"id": "items", "source": {"type": "inline", "items": [%s]},
	"transform": {"id": "{{ item[0] }}", "item": "{{ item[1] }}", "a": "{{ item[1].a }}", "a_b": "{{ item[1].a.b }}", "last": "{{ item[1][-1] }}",
		"odd": "{{ item[1][\"odd key\"] }}", "pair": "{{ item[1][\"😀\"] }}"},
	"destination": {"type": "database", "table": "items_found"}}', string_agg(format('[%s, %s]', id, text), ',' ORDER BY id))::text::jsonb)
	FROM document;
SELECT status, records_inserted FROM databite.execute_job('items');
SELECT d.id, d.item, f.item AS found FROM document AS d LEFT JOIN items_found AS f USING (id)
	WHERE (d.item::text, pg_temp.expected(d.item, '{a}', 'o')::text, pg_temp.expected(d.item, '{a,b}', 'oo') #>> '{}', pg_temp.expected(d.item, '{-1}', 'a')::text,
			pg_temp.expected(d.item, '{odd key}', 'o')::text, pg_temp.expected(d.item, '{😀}', 'o')::text)
		IS DISTINCT FROM (f.item::text, f.a::text,
			CASE WHEN jsonb_typeof(pg_temp.expected(d.item, '{a,b}', 'oo')) IN ('object', 'array') THEN f.a_b::jsonb::text ELSE f.a_b END, f.last::text, f.odd::text, f.pair::text)
	ORDER BY d.id LIMIT 20;
SELECT databite.unschedule_job('items');
DROP TABLE items_found;
