-- An upsert of new rows only is tried as a plain INSERT: whatever the batches bring,
-- rows and counters are what an upsert of each item in turn gives.
SET client_min_messages = warning;
CREATE SCHEMA batches;
SET search_path = batches, public;

CREATE FUNCTION run(items jsonb, settings jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'batches',
		'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', '{"type": "database", "table": "t", "batchSize": 2}' || settings));
	SELECT * INTO result FROM databite.execute_job('batches');
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged %s', result.status, result.records_processed,
		result.records_inserted, result.records_updated, result.records_unchanged, result.error ->> 'message');
END $$;

-- items('1a 2b'): [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
CREATE FUNCTION items(text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', left(word, -1)::int, 'v', right(word, 1)) ORDER BY n)
	FROM regexp_split_to_table($1, ' ') WITH ORDINALITY AS w(word, n)
$$;

CREATE TABLE t (id int PRIMARY KEY, v text);

SELECT run(items('1a 2a 3a 4a 5a 6a 7a'));
SELECT run(items('1a 2a 3a 4a 5a 6a 7a'));
-- new rows, then one that is there
SELECT run(items('11a 12a 13a 14a 15a 1b 17a 18a 19a 20a 21a 2b'));
-- two items of one key in a batch after batches of new rows: the last wins
SELECT run(items('31a 32a 33a 33b 35a 36a 37a 37b 37c 37d'));
-- only old ones
SELECT run(items('1c 2c 3c 4c'));
SELECT string_agg(id || v, ' ' ORDER BY id) FROM t;

-- another unique constraint is still an error, and nothing of the run stays
TRUNCATE t;
CREATE UNIQUE INDEX t_v ON t (v);
SELECT run(items('1a 2b 3c 4d 5e 5f 7a 8h'));
SELECT count(*) FROM t;
DROP INDEX t_v;

-- a trigger that drops rows, and one that changes them
CREATE FUNCTION pick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.id % 2 = 0 THEN RETURN NULL; END IF;
	new.v := upper(new.v);
	RETURN new;
END $$;
CREATE TRIGGER pick BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pick();
SELECT run(items('1a 3a 5a 7a 9a 10a 11a 12a 13a 15a'));
SELECT string_agg(id || v, ' ' ORDER BY id) FROM t;
DROP TABLE t;

-- a unique key that may be null is never inserted blindly: without it a row could not be found again
CREATE TABLE t (id int UNIQUE, v text);
SELECT run('[{"id": 1, "v": "a"}, {"id": 2, "v": "a"}, {"id": 3, "v": "a"}, {"v": "a"}]', '{"key": "id"}');
SELECT count(*) FROM t;
DROP TABLE t;

-- partitions
CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (10) TO (100);
SELECT run(items('1a 2a 11a 12a 3a 13a 3b 14a 14b 15a'));
SELECT string_agg(id || v, ' ' ORDER BY id) FROM t;

SELECT databite.unschedule_job('batches');
DROP SCHEMA batches CASCADE;
