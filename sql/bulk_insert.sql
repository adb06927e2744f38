-- New rows are written as COPY writes them, where an INSERT can do without its row after row (destination/bulk_insert.c).
-- Whatever the table has: rows, counters and errors are those of the statement itself.
SET client_min_messages = warning;
CREATE SCHEMA bulk;
SET search_path = bulk, public;

CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';

-- Runs a job of these items into table t; the error with all its fields, and the first line of its context.
CREATE FUNCTION run(items jsonb, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'b', 'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', '{"type": "database", "table": "t"}' || destination) || definition);
	SELECT * INTO result FROM databite.execute_job('b');
	RETURN format('%s: %s inserted, %s updated, %s unchanged, %s rejected', result.status, result.records_inserted,
		result.records_updated, result.records_unchanged, result.records_rejected) ||
		coalesce(E'\n' || jsonb_set(result.error::jsonb, '{context}', to_jsonb(split_part(result.error ->> 'context', E'\n', 1)))::text, '');
END $$;

-- The rows of a table in their order, and where its sequences are.
CREATE FUNCTION content(relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SELECT concat_ws('' '', string_agg(t::text, '' '' ORDER BY ctid), pg_sequence_last_value(pg_get_serial_sequence(%L,
		(SELECT attname FROM pg_attribute WHERE attrelid = %1$L::regclass AND attnum = 1 AND NOT attisdropped)))) FROM %1$s AS t', relation)
		INTO answer;
	RETURN answer;
END $$;

-- Makes the tables twice; the second time a trigger for each statement, which does nothing, leaves the statement as it is.
CREATE FUNCTION compare(tables text, items jsonb, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}',
	also text DEFAULT 't') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	outcome text[];
	relation text;
BEGIN
	FOR round IN 1 .. 2 LOOP
		BEGIN
			EXECUTE tables;
			IF round = 2 THEN
				CREATE TRIGGER nothing AFTER INSERT ON t EXECUTE FUNCTION nothing();
			END IF;
			outcome[round] := run(items, destination, definition) || E'\n' ||
				regexp_replace(content('t'), '(.{200}).+', '\1... ' || md5(content('t')));
			IF also <> 't' THEN
				outcome[round] := outcome[round] || E'\n' || content(also);
			END IF;
			RAISE SQLSTATE 'TEST0';
		EXCEPTION WHEN SQLSTATE 'TEST0' THEN
			NULL;
		END;
	END LOOP;
	IF outcome[1] IS DISTINCT FROM outcome[2] THEN
		RETURN format(E'DIFFERENT\n%s\nSTATEMENT\n%s', outcome[1], outcome[2]);
	END IF;
	RETURN outcome[1];
END $$;

-- items(3): [{"id": 1, "v": "a1"}, ...]
CREATE FUNCTION items(n int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', i, 'v', 'a' || i) ORDER BY i) FROM generate_series(1, n) AS i
$$;

-- It is another way: rows that are there at once take less WAL.  The least of some tries, as others write as well.
CREATE FUNCTION wal(tables text, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}') RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	before pg_lsn;
	least numeric;
BEGIN
	FOR try IN 1 .. 3 LOOP
		BEGIN
			EXECUTE tables;
			PERFORM run('[{"id": 0, "v": "a"}]', destination, definition);
			before := pg_current_wal_insert_lsn();
			PERFORM run(items(4000), destination, definition);
			least := least(least, pg_current_wal_insert_lsn() - before);
			RAISE SQLSTATE 'TEST0';
		EXCEPTION WHEN SQLSTATE 'TEST0' THEN
			NULL;
		END;
	END LOOP;
	RETURN least;
END $$;

CREATE FUNCTION is_bulk(tables text, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}') RETURNS bool LANGUAGE sql AS $$
	SELECT wal($1, $2, $3) < 0.9 * wal($1 || '; CREATE TRIGGER nothing AFTER INSERT ON t EXECUTE FUNCTION nothing()', $2, $3)
$$;

SELECT is_bulk('CREATE TABLE t (id int, v text)') AS plain,
	is_bulk('CREATE TABLE t (id int PRIMARY KEY, v text)') AS upsert,
	is_bulk('CREATE TABLE t (id int, v text, d text DEFAULT ''x'', s serial, g text GENERATED ALWAYS AS (v || ''!'') STORED)') AS generated,
	is_bulk('CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 4000); CREATE TABLE t (id int REFERENCES p, v text)') AS referring;
SELECT is_bulk('CREATE TABLE t (id int, v text)', definition => '{"validation": {"v": {"max": 5}}}') AS validated,
	is_bulk('CREATE TABLE t (id int, v text)', definition => '{"transform": {"id": "{{ item.id == 7 ? (item.id | skip) : item.id }}"}}') AS skipping;
-- where code that looks at the table may run between rows, it is not
CREATE FUNCTION seen(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM t); END';
CREATE FUNCTION few(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) < 3000 FROM t); END';
SELECT is_bulk('CREATE TABLE t (id int, v text, n int DEFAULT seen(1))') AS volatile_default,
	is_bulk('CREATE TABLE t (id int CHECK (few(id) IS NOT NULL), v text)') AS volatile_check,
	is_bulk('CREATE TABLE t (id int, v text)', definition => '{"transform": {"id": "{{ item.id | bulk.seen }}"}}') AS volatile_filter;

-- Values that the step does not fill
SELECT compare('CREATE TABLE t (n serial, id int, v text, d int DEFAULT 7, e text)', items(3));
SELECT compare('CREATE TABLE t (n int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, id int, v text)', items(3));
SELECT compare('CREATE TABLE t (n int GENERATED ALWAYS AS IDENTITY, id int, v text NOT NULL)', items(3));
SELECT compare('CREATE TABLE t (id int, v text, g text GENERATED ALWAYS AS (upper(v) || id) STORED CHECK (g <> ''A33''))', items(2));
SELECT compare('CREATE TABLE t (id int, v text, g text GENERATED ALWAYS AS (upper(v) || id) STORED CHECK (g <> ''A33''))', items(4));
SELECT compare('CREATE TABLE t (id int, v text, n int DEFAULT seen(1))', items(4));
SELECT compare('CREATE TABLE t (x int, id int, y text, v text); ALTER TABLE t DROP COLUMN x; ALTER TABLE t DROP y; ALTER TABLE t ADD z int DEFAULT 5', items(3));
SELECT compare('CREATE TABLE t (ID int, "V" text, v varchar(3) COLLATE "C")', items(2));
SELECT compare('CREATE TABLE t (id int, v varchar(3))', '[{"id": 1, "v": "abc"}, {"id": 2, "v": "abcd"}]');

-- Constraints, where all is right, where one row is not, and where such rows are rejected
SELECT compare('CREATE TABLE t (id int CHECK (id <> 3), v text)', items(2));
SELECT compare('CREATE TABLE t (id int CHECK (id <> 3), v text)', items(5));
SELECT compare('CREATE TABLE t (id int CHECK (id <> 3), v text)', items(5), '{"onError": "log_and_continue"}');
SELECT compare('CREATE TABLE t (id int, v text NOT NULL)', '[{"id": 1, "v": "a"}, {"id": 2, "v": null}]');
SELECT compare('CREATE TABLE t (id int, v text, CHECK (t IS NOT NULL), CHECK (tableoid = ''t''::regclass))', '[{"id": 1, "v": "a"}, {"id": 2, "v": null}]');
SELECT compare('CREATE TABLE t (id int CHECK (few(id)), v text)', items(3500));
SELECT compare('CREATE TABLE t (id int UNIQUE, v text)', items(3) || items(1), '{"mode": "insert"}');
SELECT compare('CREATE TABLE t (id int UNIQUE, v text)', items(3) || items(1), '{"mode": "insert", "onError": "log_and_continue"}');
SELECT compare('CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)', items(9) || '[{"id": 20, "v": "b"}, {"id": 21, "v": "b"}]', '{"batchSize": 2}');
SELECT compare('CREATE TABLE t (id int PRIMARY KEY, v text)', items(20) || items(3) || '[{"id": 21, "v": "b"}, {"id": 21, "v": "c"}]', '{"batchSize": 2}');
SELECT compare('CREATE TABLE t (id int UNIQUE DEFERRABLE, v text)', items(3), '{"mode": "insert"}');
SELECT compare('CREATE TABLE t (id int UNIQUE DEFERRABLE, v text)', items(3) || items(1), '{"mode": "insert"}');
SELECT compare('CREATE TABLE t (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text)', items(3) || items(1), '{"mode": "insert"}');
SELECT compare('CREATE TABLE t (id int, r int4range, EXCLUDE USING gist (r WITH &&))', '[{"id": 1, "r": "[1,3)"}, {"id": 2, "r": "[3,5)"}]');
SELECT compare('CREATE TABLE t (id int, r int4range, EXCLUDE USING gist (r WITH &&))', '[{"id": 1, "r": "[1,3)"}, {"id": 2, "r": "[2,5)"}]');
SELECT compare('CREATE TABLE t (id int, v text); CREATE UNIQUE INDEX t_expr ON t ((left(v, 1))) WHERE id > 1; CREATE INDEX ON t USING hash (v)', items(2));
SELECT compare('CREATE TABLE t (id int, v text); CREATE UNIQUE INDEX t_expr ON t ((left(v, 1))) WHERE id > 1', items(3));
SELECT compare('CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); CREATE TABLE t (id int REFERENCES p, v text)', items(2));
SELECT compare('CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); CREATE TABLE t (id int REFERENCES p, v text)', items(3));
SELECT compare('CREATE TABLE t (id int PRIMARY KEY, v text, up int REFERENCES t)', '[{"id": 1, "up": 2}, {"id": 2, "up": 1}, {"id": 3, "up": null}]');

-- Domains, in the items and in the table
CREATE DOMAIN small AS int CHECK (VALUE < 3);
CREATE DOMAIN lonely AS int CHECK (few(VALUE));
SELECT compare('CREATE TABLE t (id small, v text)', items(2));
SELECT compare('CREATE TABLE t (id small, v text)', items(3));
SELECT compare('CREATE TABLE t (id lonely, v text)', items(3500));
SELECT compare('CREATE TABLE t (id small, v text)', items(3), definition => '{"transform": {"id": "{{ item.id + 0 }}"}}');

-- Triggers, rules, partitions, views, inheritance
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO logged VALUES (new.id, (SELECT count(*) FROM t), TG_OP);
	RETURN new;
END $$;
SELECT compare('CREATE TABLE logged (id int, n int, op text); CREATE TABLE t (id int, v text); CREATE TRIGGER l AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log()',
	items(3), also => 'logged');
SELECT compare('CREATE TABLE logged (id int, n int, op text); CREATE TABLE t (id int, v text); CREATE TRIGGER l AFTER INSERT ON t FOR EACH ROW WHEN (new.id = 2) EXECUTE FUNCTION log()',
	items(3), also => 'logged');
SELECT compare('CREATE TABLE logged (id int, n int, op text); CREATE TABLE t (id int, v text); CREATE TRIGGER l BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION log()',
	items(3), also => 'logged');
SELECT compare('CREATE TABLE logged (id int, n int, op text); CREATE TABLE t (id int, v text); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO logged VALUES (new.id)',
	items(3), also => 'logged');
SELECT compare('CREATE TABLE t (id int, v text); CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING', items(3));
SELECT compare('CREATE TABLE p (id int, v text) PARTITION BY RANGE (id); CREATE TABLE t PARTITION OF p FOR VALUES FROM (1) TO (3)', items(2), also => 'p');
SELECT compare('CREATE TABLE p (id int, v text) PARTITION BY RANGE (id); CREATE TABLE t PARTITION OF p FOR VALUES FROM (1) TO (3)', items(3));
SELECT compare('CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (3)', items(2), also => 'p');
SELECT compare('CREATE TABLE p (id int, v text); CREATE TABLE t () INHERITS (p)', items(2), also => 'p');
SELECT compare('CREATE UNLOGGED TABLE t (id int PRIMARY KEY, v text)', items(2));

-- Values that are stored out of line, more rows than are written at once, and rows of many pages
SELECT compare('CREATE TABLE t (id int, v text)', jsonb_agg(jsonb_build_object('id', i, 'v', long)))
FROM generate_series(1, 5) AS i, LATERAL (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 1000 * i) AS j) AS l(long);
SELECT compare('CREATE TABLE t (id int PRIMARY KEY, v text)', items(2500));
SELECT compare('CREATE TABLE t (id int PRIMARY KEY, v text)', items(2500), '{"batchSize": 999, "mode": "insert"}');

-- What is left out, by each way
SELECT compare('CREATE TABLE t (id int, v text)', items(6), definition => '{"transform": {"id": "{{ item.id % 2 == 0 ? (item.id | skip) : item.id }}", "v": "{{ item.v }}"}}');
SELECT compare('CREATE TABLE t (id int, v text)', items(12), definition => '{"validation": {"v": {"max": 2}}}');
SELECT compare('CREATE TABLE t (id int, v text)', '[{"id": 1}, {"id": "x"}, {"id": 3}]', definition => '{"validation": {"required": ["id"]}}');
SELECT compare('CREATE TABLE t (id int, v text)', '[{"id": 1}, {"id": "x"}, {"id": 3}]', '{"onError": "log_and_continue"}');

-- Two mistakes: it is the statement's that is raised
SELECT compare('CREATE TABLE t (id int PRIMARY KEY, v text, n int)', '[{"id": 1, "n": 1}, {"id": 1, "n": 2}, {"id": 3, "n": 0}]', '{"mode": "insert"}',
	'{"transform": {"id": "{{ item.id }}", "n": "{{ 10 / item.n }}"}}');
SELECT compare('CREATE TABLE t (id int, v text NOT NULL, n int CHECK (n < 10))', '[{"id": 1, "v": "a", "n": 10}, {"id": 2, "n": 1}]');

-- Permissions are asked for as by an INSERT, and row-level security is heeded
CREATE ROLE regress_bulk;
GRANT USAGE, CREATE ON SCHEMA bulk TO regress_bulk;
GRANT USAGE ON SCHEMA databite TO regress_bulk;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO regress_bulk;
SET ROLE regress_bulk;
SELECT compare('CREATE TABLE t (id int, v text); REVOKE INSERT ON t FROM regress_bulk; GRANT INSERT (id) ON t TO regress_bulk', items(2));
SELECT compare('CREATE TABLE t (id int, v text); REVOKE INSERT ON t FROM regress_bulk; GRANT INSERT (id) ON t TO regress_bulk', '[{"id": 1}]');
SELECT compare('CREATE TABLE t (id int, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY', items(2));
SELECT compare('CREATE TABLE t (id int, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
	CREATE POLICY p ON t USING (true) WITH CHECK (id < 3)', items(2));
SELECT compare('CREATE TABLE t (id int, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
	CREATE POLICY p ON t USING (true) WITH CHECK (id < 3)', items(3));
RESET ROLE;

SET client_min_messages = error;
DROP SCHEMA bulk CASCADE;
SELECT databite.unschedule_job(job_id) FROM databite.jobs WHERE job_id = 'b';
DROP OWNED BY regress_bulk;
DROP ROLE regress_bulk;
