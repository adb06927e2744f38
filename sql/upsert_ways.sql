-- An upsert is written by one of several statements (destination/upsert_way.c): whichever suits a batch, rows and
-- counters are the same.  A partitioned table has only one of them.
SET client_min_messages = warning;
CREATE SCHEMA ways;
SET search_path = ways, public;

CREATE TABLE ways (id int PRIMARY KEY, v text, n int);
CREATE TABLE plain (id int PRIMARY KEY, v text, n int) PARTITION BY HASH (id);
CREATE TABLE plain_0 PARTITION OF plain FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE plain_1 PARTITION OF plain FOR VALUES WITH (MODULUS 2, REMAINDER 1);

CREATE FUNCTION run(target text, items jsonb, batch_size int, definition jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'ways', 'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', jsonb_build_object('type', 'database', 'table', target, 'batchSize', batch_size)) || definition);
	SELECT * INTO result FROM databite.execute_job('ways');
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged, %s rejected %s', result.status, result.records_processed,
		result.records_inserted, result.records_updated, result.records_unchanged, result.records_rejected,
		replace(result.error ->> 'message', 'plain', 'ways'));
END $$;

-- The outcome of both, if it is the same, and whether they have the same rows
CREATE FUNCTION together(items jsonb, batch_size int DEFAULT 3, definition jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	ours text := run('ways', items, batch_size, definition);
	theirs text := run('plain', items, batch_size, definition);
BEGIN
	IF ours <> theirs OR EXISTS ((TABLE ways EXCEPT TABLE plain) UNION (TABLE plain EXCEPT TABLE ways)) THEN
		RETURN format('DIFFERENT: %s / %s', ours, theirs);
	END IF;
	RETURN ours;
END $$;

-- items('1a 2b'): [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
CREATE FUNCTION items(text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', left(word, -1)::int, 'v', right(word, 1)) ORDER BY n)
	FROM regexp_split_to_table($1, ' ') WITH ORDINALITY AS w(word, n)
$$;

-- new, the same, all changed, some changed, close together and far apart, several of one key
SELECT together(items('1a 2a 3a 4a 5a 6a 7a 8a 9a 10a 11a 12a'));
SELECT together(items('1a 2a 3a 4a 5a 6a 7a 8a 9a 10a 11a 12a'));
SELECT together(items('1b 2b 3b 4b 5b 6b 7b 8b 9b 10b 11b 12b'));
SELECT together(items('1c 2c 3c 4c 5c 6c 7c 8c 9c 7c 8c 9c 7d 8d 9d 7d 8d 9c 1c 2c 3c'));
SELECT together(items('12d 1000d 5d 6d 7d 20d 7e 7f 7f 7f 8f 8g 1g 500g 1000g'));
SELECT together(items('-5a -4a -3a 0a 3z 2z'), 2);

-- Keys that are no plain integers, out of range, or not there
SELECT together('[{"id": "1", "v": "s"}, {"id": 2.0, "v": "s"}, {"id": 3e0, "v": "s"}, {"id": 4, "v": "s"}]');
SELECT together('[{"id": 1, "v": "t"}, {"id": null, "v": "t"}, {"id": 3, "v": "t"}]');
SELECT together('[{"id": 1, "v": "t"}, {"id": 99999999999, "v": "t"}, {"id": 3, "v": "t"}]');
SELECT together('[{"id": 99999999998, "v": "t"}, {"id": 99999999999, "v": "t"}]');
SELECT together('[{"id": 2147483646, "v": "t"}, {"id": 2147483647, "v": "t"}, {"id": -2147483648, "v": "t"}]');
SELECT together('[{"id": 1, "v": "u"}, {"id": "x", "v": "u"}, {"id": 3, "v": "u"}]', definition => '{"validation": {"required": ["id"]}}');

-- Literals that look like parameters
SELECT together('[{"id": 1}, {"id": 2}, {"id": 1}]', definition => '{"transform": {"id": "{{ item.id }}", "v": "$1 $2 $3"}}');

-- Any sequence of batches
SELECT setseed(0.25);
CREATE FUNCTION random_items(keys int, versions int, apart int) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_agg(jsonb_build_object('id', (floor(random() * keys) * apart)::int, 'v', chr(97 + floor(random() * versions)::int), 'n', i / 30))
	FROM generate_series(1, 90) AS i
$$;
SELECT count(*), count(*) FILTER (WHERE outcome LIKE 'completed%') AS same
FROM generate_series(1, 40) AS n, together(random_items(10 + n * 7 % 100, 1 + n % 3, 1 + n % 4 * 3), 2 + n % 9) AS outcome;

-- A trigger that leaves rows out, with rows that are there
CREATE FUNCTION pick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.id % 2 = 0 THEN RETURN NULL; END IF;
	RETURN new;
END $$;
CREATE TRIGGER pick BEFORE INSERT OR UPDATE ON ways FOR EACH ROW EXECUTE FUNCTION pick();
SELECT run('ways', items('1v 2v 3v 4v 5v 6v 7v 8v 9v 10v 11v 12v'), 3);
SELECT run('ways', items('1w 3w 5w 7w 9w 11w 1x 3x 5x 7x 9x 11x 1y 3y 4y'), 3);
SELECT string_agg(id || v, ' ' ORDER BY id) FROM ways WHERE id BETWEEN 1 AND 12;

DROP SCHEMA ways CASCADE;
SELECT databite.unschedule_job('ways');
