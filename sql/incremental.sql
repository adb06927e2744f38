-- Incremental sync of the rows of a query: what they are asked with, what is kept.
SET client_min_messages = warning;
CREATE SCHEMA incremental;
SET search_path = incremental, public;
SET timezone = 'America/New_York';

CREATE TABLE item (id int PRIMARY KEY, at timestamptz, local timestamp, n numeric, v text);
CREATE TABLE t (id int PRIMARY KEY, asked text);
INSERT INTO item VALUES (1, '2024-05-01 10:00Z', '2024-05-01 10:00', 1, 'a'), (2, '2024-05-01 10:00:00.7Z', '2024-11-03 01:30', 9007199254740993, 'B'),
	(3, NULL, NULL, NULL, NULL);

-- Runs a job over items that a condition selects, as often as it is said; asked is what {{ cursor }} was.
CREATE FUNCTION run(condition text, incremental jsonb, runs int DEFAULT 2) RETURNS TABLE (run int, result text, asked text, cursor text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databite.unschedule_job(job_id) FROM databite.jobs WHERE job_id = 'i';
	PERFORM databite.schedule_job(jsonb_build_object('id', 'i',
		'source', jsonb_build_object('type', 'sql', 'query', 'SELECT * FROM item WHERE ' || condition || ' ORDER BY id', 'incremental', incremental),
		'destination', '{"type": "database", "table": "t"}'::jsonb,
		'transform', '{"id": "{{ item.id }}", "asked": "{{ cursor }}"}'::jsonb));
	FOR i IN 1 .. runs LOOP
		DELETE FROM t;
		SELECT format('%s: %s%s', r.status, r.records_processed, ', ' || (r.error ->> 'message')) INTO result FROM databite.execute_job('i') r;
		run := i;
		asked := (SELECT min(t.asked) FROM t);
		cursor := (SELECT c.cursor FROM databite.cursors c WHERE job_id = 'i');
		RETURN NEXT;
	END LOOP;
END $$;

-- By type
SELECT * FROM run('at >= {{ cursor }}', '{"cursorField": "at"}');
SELECT * FROM run('at >= to_timestamp({{ cursor }})', '{"cursorField": "at", "format": "epoch_float"}');
SELECT * FROM run('n >= {{ cursor }}', '{"cursorField": "n", "type": "number"}');
SELECT * FROM run('n >= {{ cursor }}', '{"cursorField": "n", "type": "number", "lookback": 0.5, "initialValue": "1.50"}');
SELECT * FROM run('v COLLATE "C" >= {{ cursor }}', '{"cursorField": "v", "type": "text"}');

-- A wall clock, in the hour that there is twice: whichever is meant, nothing is lost
SELECT * FROM run('local >= {{ cursor }}', '{"cursorField": "local", "format": "%Y-%m-%d %H:%M", "timezone": "America/New_York"}', 3);

-- Bounds, and items without a value
SELECT * FROM run('true', '{"cursorField": "n", "type": "number", "filter": true, "initialValue": 1, "end": 2}');
SELECT * FROM run('true', '{"cursorField": "at", "filter": true, "missing": "skip", "initialValue": "2024-05-01T10:00:00.5Z"}');
SELECT * FROM run('true', '{"cursorField": "at", "end": "2024-05-01T10:00:00.6Z", "lookback": "1h"}');
SELECT * FROM run('true', '{"cursorField": "n", "type": "number", "missing": "fail"}', 1);
SELECT * FROM run('true', '{"cursorField": "v", "missing": "skip"}', 1);
SELECT * FROM run('true', '{"cursorField": "v"}', 1);
SELECT * FROM run('true', '{"cursorField": "n", "format": "epoch", "missing": "skip"}', 1);
SELECT * FROM run('false', '{"cursorField": "v", "type": "text", "initialValue": "x"}', 1);

-- Values that a definition cannot have
CREATE FUNCTION problems(incremental jsonb) RETURNS TABLE (pointer text, message text) LANGUAGE sql AS $$
	SELECT pointer, message FROM databite.validate_job(jsonb_build_object('id', 'i',
		'source', jsonb_build_object('type', 'sql', 'query', 'SELECT * FROM item', 'incremental', incremental),
		'destination', '{"type": "database", "table": "t"}'::jsonb))
$$;
SELECT v, p.* FROM unnest(ARRAY['"2024-02-30"', '"-1x"', '"-30d"', '"-9999999d"', '""', '5', '"5"', '"01.02.2024"', '"2024-05-01T00:00:00+03:00"']) v,
	problems(jsonb_build_object('cursorField', 'at', 'initialValue', v::jsonb)) p;
SELECT v, p.* FROM unnest(ARRAY['5', '"5"', '-5.5', '1709288430456', '"x"']) v,
	problems(jsonb_build_object('cursorField', 'at', 'format', 'epoch', 'initialValue', v::jsonb)) p;
SELECT v, p.* FROM unnest(ARRAY['"01.02.2024"', '"2024-02-01"', '"01.02.2024 10:00"']) v,
	problems(jsonb_build_object('cursorField', 'at', 'format', '%d.%m.%Y', 'end', v::jsonb)) p;
SELECT v, p.* FROM unnest(ARRAY['-1.5e3', '"+1"', '"1."', '".5"', '"0x10"', '"NaN"', '"1e10000"', '"-"', '" 1"']) v,
	problems(jsonb_build_object('cursorField', 'n', 'type', 'number', 'end', v::jsonb)) p;

SELECT databite.unschedule_job('i');
DROP SCHEMA incremental CASCADE;
