-- Mode "replace": the table is what the source has, from one moment to the next.
SET client_min_messages = warning;
DELETE FROM databite.rejected_item;	-- of other tests
DELETE FROM databite.run;
CREATE SCHEMA replacing;
SET search_path = replacing, public;

-- Runs a job of these items into table t; definition is merged over it.
CREATE FUNCTION run(items jsonb, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}', dry_run boolean DEFAULT false, source jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'r',
		'source', jsonb_build_object('type', 'inline', 'items', items) || source,
		'destination', jsonb_strip_nulls('{"type": "database", "table": "t", "mode": "replace"}'::jsonb || destination)) || definition);
	SELECT * INTO result FROM databite.execute_job('r', dry_run);
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged, %s deleted, %s rejected %s', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged,
		result.records_deleted, result.records_rejected,
		concat_ws(', ', result.error ->> 'code', result.error ->> 'message', result.error ->> 'detail', result.error ->> 'hint'));
END $$;

-- What a schedule_job is refused with.
CREATE FUNCTION refused(source jsonb, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}', OUT pointer text, OUT message text, OUT hint text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT * FROM databite.validate_job(jsonb_build_object('id', 'r', 'source', source,
		'destination', '{"type": "database", "table": "t", "mode": "replace"}'::jsonb || destination) || definition)
$$;

-- Tables that were made for a pass and not dropped.
CREATE VIEW leftover AS
	SELECT relname::text FROM pg_class WHERE relnamespace = 'databite'::regnamespace AND relname ~ '^stage_[0-9]+$'
	UNION ALL
	SELECT job_id || ' ' || step_id FROM databite.stage;

-- By the primary key: what is gone is deleted, what differs updated, what is new inserted, and nothing else is touched
CREATE TABLE t (id int PRIMARY KEY, name text, added text DEFAULT 'by hand');
SELECT run('[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}, {"id": 3, "name": "three"}]');
CREATE TABLE before AS SELECT ctid AS place, xmin AS writer, * FROM t;
SELECT run('[{"id": 3, "name": "three"}, {"id": 4, "name": "four"}, {"id": 2, "name": "zwei"}]');
SELECT * FROM t ORDER BY id;
SELECT t.id, t.ctid = b.place AS untouched FROM t JOIN before AS b USING (id) ORDER BY id;
SELECT run('[{"id": 3, "name": "three"}, {"id": 4, "name": "four"}, {"id": 2, "name": "zwei"}]');

-- In batches: of several rows of a key the last counts, whichever batch it is in
SELECT run('[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 1, "name": "c"}, {"id": 1, "name": "d"}, {"id": 2, "name": "e"}, {"id": 5, "name": "f"}]',
	'{"batchSize": 2}');
SELECT * FROM t ORDER BY id;
-- a column that only a later batch has: rows before it have its default
SELECT run('[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c", "added": "late"}, {"id": 4}]', '{"batchSize": 2}');
SELECT * FROM t ORDER BY id;
-- and one that no item has is left alone
UPDATE t SET added = 'mine';
SELECT run('[{"id": 1, "name": "a"}, {"id": 2, "name": "B"}, {"id": 9, "name": "i"}]', '{"batchSize": 1}');
SELECT * FROM t ORDER BY id;
-- more than one batch of many
SELECT run((SELECT jsonb_agg(jsonb_build_object('id', i, 'name', i)) FROM generate_series(1, 3500) AS i));
SELECT count(*), sum(id) FROM t;
SELECT run((SELECT jsonb_agg(jsonb_build_object('id', i, 'name', i)) FROM generate_series(1001, 3600) AS i));
SELECT count(*), sum(id) FROM t;

-- A table that foreign keys point at
TRUNCATE t;
SELECT run('[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]');
CREATE TABLE child (t int REFERENCES t);
INSERT INTO child VALUES (2);
SELECT run('[{"id": 2, "name": "II"}, {"id": 3, "name": "three"}]');
SELECT * FROM t ORDER BY id;
-- whose row is to go: the run fails, and nothing has changed
SELECT run('[{"id": 3, "name": "III"}, {"id": 4, "name": "four"}]');
SELECT * FROM t ORDER BY id;
DROP TABLE child;
CREATE TABLE child (t int REFERENCES t ON DELETE CASCADE);
INSERT INTO child VALUES (2);
SELECT run('[{"id": 3, "name": "III"}, {"id": 4, "name": "four"}]');
SELECT (SELECT count(*) FROM child) AS children, array_agg(t) AS rows FROM t;
DROP TABLE child;

-- What gives no rows empties no table
SELECT run('[]');
SELECT run('[{"id": 7}, {"id": 8}]', '{}', '{"transform": {"id": "{{ item.id | skip }}", "name": "x"}}');
SELECT run('[{"id": 7}, {"id": 8}]', '{}', '{}', false, '{"where": "{{ item.id > 8 }}"}');
SELECT count(*) FROM t;
TRUNCATE t;
SELECT run('[]');

-- What is refused: while rows are gathered, item by item
INSERT INTO t VALUES (1, 'one');
SELECT run('[{"id": 2, "name": "two"}, {"id": "x"}, {"id": 3}]');
SELECT run('[{"id": 2, "name": "two"}, {"id": "x"}, {"id": 3}, {"name": "none"}]', '{"onError": "log_and_continue"}');
SELECT item, error_code, message, "column" FROM databite.rejected_items WHERE job_id = 'r';
SELECT * FROM t ORDER BY id;
-- all of them: the table is as it was
SELECT run('[{"id": "x"}, {"id": "y"}]', '{"onError": "log_and_continue"}');
SELECT * FROM t ORDER BY id;
-- by rules
SELECT run('[{"id": 2, "name": "two"}, {"id": 4, "name": ""}, {"id": 5, "name": "five"}]', '{}', '{"validation": {"name": "{{ item.name != \"\" }}"}}');
SELECT * FROM t ORDER BY id;
-- by the table itself, when they are published
ALTER TABLE t ADD CHECK (id < 100);
SELECT run('[{"id": 2, "name": "two"}, {"id": 100, "name": "a hundred"}]', '{"onError": "log_and_continue"}');
SELECT run('[{"id": 2, "name": "two"}, {"id": 3, "name": "a key"}, {"name": "none"}]', '{"key": "id"}', '{"transform": {"id": "{{ item.id + 0 }}", "name": "{{ item.name }}"}}');
SELECT * FROM t ORDER BY id;

-- A dry run reports and leaves all as it was
SELECT run('[{"id": 2, "name": "two"}, {"id": 6, "name": "six"}]', '{}', '{}', true);
SELECT * FROM t ORDER BY id;

-- Without a key all rows are new
CREATE TABLE keyless (name text, n int);
INSERT INTO keyless VALUES ('old', 1), ('old', 2), ('old', 3);
SELECT run('[{"name": "a", "n": 1}, {"name": "a", "n": 1}]', '{"table": "keyless"}');
SELECT * FROM keyless;
SELECT run('[]', '{"table": "keyless"}');
SELECT run('[{"name": "b", "n": 1}, {"name": "c", "n": "x"}]', '{"table": "keyless"}');
SELECT * FROM keyless;
-- through a view
CREATE VIEW names AS SELECT name FROM keyless WHERE n IS NULL;
INSERT INTO names VALUES ('of the view');
SELECT run('[{"name": "x"}, {"name": "y"}]', '{"table": "names"}');
SELECT * FROM keyless ORDER BY name;

-- Another unique index as key, several columns, a domain, lengths, collation
CREATE DOMAIN code AS text CHECK (VALUE <> 'bad');
CREATE COLLATION own FROM "C";
CREATE TABLE wide (a int, b varchar(5) COLLATE own, c code, n numeric(6, 2), j json, arr int[], UNIQUE (a, b));
SELECT run('[{"a": 1, "b": "x", "c": "good", "n": 1.239, "j": {"k": 1}, "arr": [1, 2]}, {"a": 1, "b": "y"}]', '{"table": "wide", "key": ["a", "b"]}');
SELECT run('[{"a": 1, "b": "x", "c": "good", "n": 1.24, "j": {"k": 1}, "arr": [1, 2]}, {"a": 1, "b": "z"}, {"a": 1, "b": "too long"}, {"a": 3, "b": "b", "c": "bad"}]',
	'{"table": "wide", "key": ["a", "b"], "onError": "log_and_continue"}');
SELECT * FROM wide ORDER BY a, b;
SELECT run('[{"a": 1, "b": null}]', '{"table": "wide", "key": ["a", "b"]}');
SELECT * FROM refused('{"type": "inline", "items": []}', '{"table": "wide", "key": ["a"]}');
SELECT * FROM refused('{"type": "inline", "items": []}', '{"table": "names", "key": "name"}');

-- Where all tables are published, those that are updated need a replica identity
BEGIN;
SET LOCAL client_min_messages = error;
CREATE PUBLICATION replacing FOR ALL TABLES;
SELECT run('[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "added": "now"}]', '{"batchSize": 1}');
SELECT * FROM t ORDER BY id;
ROLLBACK;

-- Generated columns, identity, and a trigger that changes rows and one that drops them
CREATE TABLE made (id int PRIMARY KEY, n int, double int GENERATED ALWAYS AS (n * 2) STORED, number int GENERATED BY DEFAULT AS IDENTITY, seen text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.seen := lower(TG_OP);
	RETURN CASE WHEN NEW.n < 0 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON made FOR EACH ROW EXECUTE FUNCTION touch();
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3, "n": -1}]', '{"table": "made"}');
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 3}, {"id": 4, "n": 4}]', '{"table": "made"}');
SELECT * FROM made ORDER BY id;

-- Partitions: rows move, and the right ones go
CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20);
SELECT run('[{"id": 1, "n": 1}, {"id": 11, "n": 2}, {"id": 12, "n": 2}]', '{"table": "parted"}');
SELECT run('[{"id": 1, "n": 1}, {"id": 11, "n": 3}, {"id": 2, "n": 2}]', '{"table": "parted"}');
SELECT tableoid::regclass, * FROM parted ORDER BY id;
-- a table that others inherit from: its own rows only
CREATE TABLE base (id int PRIMARY KEY, n int);
CREATE TABLE heir () INHERITS (base);
INSERT INTO base VALUES (1, 1), (2, 2);
INSERT INTO heir VALUES (1, 10), (3, 30);
SELECT run('[{"id": 2, "n": 2}, {"id": 3, "n": 3}]', '{"table": "base"}');
SELECT tableoid::regclass, * FROM base ORDER BY id, n;

-- Deferred constraints may be wrong meanwhile
CREATE TABLE chain (id int PRIMARY KEY, next int REFERENCES chain DEFERRABLE INITIALLY DEFERRED);
SELECT run('[{"id": 1, "next": 2}, {"id": 2, "next": 1}]', '{"table": "chain"}');
SELECT run('[{"id": 3, "next": 4}, {"id": 4, "next": 3}]', '{"table": "chain"}');
SELECT * FROM chain ORDER BY id;

-- Names that have to be quoted
CREATE TABLE "Od""d" ("Key" int PRIMARY KEY, "item_position" text, "ord" int, "select" text);
SELECT run('[{"Key": 1, "item_position": "p", "ord": 7, "select": "s"}, {"Key": 1, "item_position": "q", "ord": 8}]', '{"table": "Od\"d"}');
SELECT * FROM "Od""d";

-- A table that is made of what comes
SELECT run('[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}, {"id": 1, "name": "uno"}]', '{"table": "learned"}');
SELECT * FROM learned ORDER BY id;
SELECT run('[{"id": 2, "name": "two"}]', '{"table": "learned"}');
SELECT run('[{"a": 1}, {"a": 2}]', '{"table": "learned_keyless", "batchSize": 1}');
SELECT run('[]', '{"table": "never_made"}');
SELECT run('[{"id": 1}, {"id": 2}]', '{"table": "stated", "schema": {"id": "integer", "n": "number"}}');
SELECT * FROM stated ORDER BY id;

-- Steps
CREATE TABLE s1 (id int PRIMARY KEY);
SELECT databite.schedule_job('{"id": "steps", "steps": [
	{"id": "first", "source": {"type": "inline", "items": [{"id": 1}, {"id": 2}]}, "destination": {"type": "database", "table": "s1", "mode": "replace"}},
	{"id": "second", "dependsOn": ["first"], "source": {"type": "sql", "query": "SELECT id, id * 10 AS n FROM s1"},
		"destination": {"type": "database", "table": "s2", "mode": "replace"}}]}');
SELECT status, records_processed, records_inserted FROM databite.execute_job('steps');
SELECT * FROM s2 ORDER BY id;
CALL databite.run_job('steps');
SELECT status, records_processed, records_inserted, records_unchanged, records_deleted FROM databite.runs WHERE job_id = 'steps' ORDER BY run_id;

-- As a role that may do with its table what is needed, and nothing more
CREATE ROLE replacing_owner;
GRANT USAGE ON SCHEMA databite, replacing TO replacing_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO replacing_owner;
GRANT EXECUTE ON PROCEDURE databite.run_job TO replacing_owner;
CREATE TABLE granted (id int PRIMARY KEY, name text);
GRANT SELECT, INSERT, UPDATE, DELETE ON granted TO replacing_owner;
INSERT INTO granted VALUES (1, 'one'), (2, 'two');
SET ROLE replacing_owner;
SELECT databite.schedule_job('{"id": "granted", "source": {"type": "inline", "items": [{"id": 2, "name": "II"}, {"id": 3, "name": "III"}]},
	"destination": {"type": "database", "table": "granted", "mode": "replace", "batchSize": 1}}');
CALL databite.run_job('granted');
SELECT * FROM granted ORDER BY id;
RESET ROLE;
ALTER TABLE granted ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON granted TO replacing_owner USING (id > 1);
INSERT INTO granted VALUES (1, 'not mine'), (4, 'mine');
SET ROLE replacing_owner;
CALL databite.run_job('granted');
RESET ROLE;
SELECT * FROM granted ORDER BY id;
SELECT databite.unschedule_job('granted');
-- types have code, which runs as that role whatever is done with its rows
GRANT CREATE ON SCHEMA replacing TO replacing_owner;
SET ROLE replacing_owner;
CREATE FUNCTION span(a float8, b float8) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'replacing_owner' THEN RAISE 'called as somebody else'; END IF;
	RETURN a - b;
END $$;
CREATE TYPE spans AS RANGE (subtype = float8, subtype_diff = span);
CREATE TABLE spanning (id int PRIMARY KEY, s spans);
SELECT databite.schedule_job('{"id": "spanning", "source": {"type": "inline", "items": [{"id": 1, "s": "[1,2]"}, {"id": 2, "s": "[3,5]"}]},
	"destination": {"type": "database", "table": "spanning", "mode": "replace"}}');
RESET ROLE;
CALL databite.run_job('spanning');
SELECT * FROM spanning ORDER BY id;
SELECT databite.unschedule_job('spanning');
DROP TABLE granted;
DROP OWNED BY replacing_owner;
DROP ROLE replacing_owner;

-- What it does, and what rows would look like
SELECT databite.schedule_job('{"id": "r", "source": {"type": "inline", "items": [{"id": 1, "name": "one"}]}, "destination": {"type": "database", "table": "t", "mode": "replace"}}');
SELECT * FROM databite.explain_job('r');
SELECT target_row, error FROM databite.preview_job('r');
SELECT databite.schedule_job('{"id": "r", "source": {"type": "inline", "items": [{"name": "one"}]}, "destination": {"type": "database", "table": "keyless", "mode": "replace"}}');
SELECT * FROM databite.explain_job('r');

-- Sources that give a part of what there is
SELECT * FROM refused('{"type": "api", "url": "http://localhost/", "incremental": {"cursorField": "updated_at"}}');
SELECT * FROM refused('{"type": "api", "url": "http://localhost/", "query": {"since": "{{ last_sync_time }}"}}');
SELECT * FROM refused('{"type": "api", "url": "http://localhost/", "query": {"run": "{{ run.id }}"}}');
SELECT * FROM refused('{"type": "sql", "query": "SELECT 1 AS id WHERE now() > {{ last_sync_time }}"}');
SELECT * FROM refused('{"type": "inline", "items": [], "where": "{{ item.updated_at > last_sync_time }}"}');

-- Nothing of all that is left
SELECT * FROM leftover;

SELECT count(databite.unschedule_job(job_id)) > 0 AS removed FROM databite.jobs;
DROP SCHEMA replacing CASCADE;
