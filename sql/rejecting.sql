-- onError and onItemError "log_and_continue": a bad item is rejected, the rest go on.
SET client_min_messages = warning;
CREATE SCHEMA rejecting;
SET search_path = rejecting, public;

-- Runs a job of these items into table t; definition is merged over it.
CREATE FUNCTION run(items jsonb, destination jsonb DEFAULT '{}', definition jsonb DEFAULT '{}', source jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
	run record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'r',
		'source', jsonb_build_object('type', 'inline', 'items', items) || source,
		'destination', jsonb_strip_nulls('{"type": "database", "table": "t", "onError": "log_and_continue"}'::jsonb || destination)) || definition);
	SELECT * INTO result FROM databite.execute_job(coalesce(definition ->> 'id', 'r'));
	SELECT * INTO run FROM databite.runs WHERE run_id = result.run_id;
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged (%s skipped), %s rejected %s', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged,
		run.records_skipped, result.records_rejected,
		concat_ws(', ', result.error ->> 'code', result.error ->> 'message', result.error ->> 'detail'));
END $$;

-- What the last run rejected.
CREATE FUNCTION rejected(OUT item json, OUT error_code text, OUT message text, OUT "column" text, OUT "constraint" text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT item, error_code, message, "column", "constraint" FROM databite.rejected_items
	WHERE job_id = 'r' AND run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'r') ORDER BY id
$$;

CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 100), name text NOT NULL DEFAULT '', email text UNIQUE, parent int REFERENCES parent);

-- Without it, and with "fail", nothing changes: the first bad item ends the run
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 100}]', '{"onError": "fail"}');
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 100}]', '{"onError": "fail"}', '{"errorHandling": {"onItemError": "log_and_continue"}}');
SELECT count(*) FROM t;

-- What cannot be converted, what the table refuses, each with its reason; the others are there
SELECT run('[{"id": 1, "n": 1, "email": "a"}, {"id": 2, "n": 100}, {"id": 3, "n": "x"}, {"id": 4, "name": null},
	{"id": 5, "email": "b"}, {"id": 6, "email": "a"}, {"id": 7, "parent": 1}, {"id": 8, "parent": 2}, {"n": 9}, {"id": 11}]');
SELECT * FROM rejected();
SELECT * FROM t ORDER BY id;
-- again: what is there already is not touched, what is bad still is
SELECT run('[{"id": 1, "n": 1, "email": "a"}, {"id": 2, "n": 100}, {"id": 11, "n": 11}, {"id": 12}]');
-- in mode insert a duplicate key is a bad item
SELECT run('[{"id": 12}, {"id": 13}, {"id": 13, "n": 2}, {"id": 14}]', '{"mode": "insert"}');
SELECT * FROM rejected();
SELECT id, n FROM t WHERE id > 11 ORDER BY id;
-- by the job's key, and where both speak the destination's wins (above)
SELECT run('[{"id": 15}, {"id": 16, "n": 100}]', '{"onError": null}', '{"errorHandling": {"onItemError": "log_and_continue"}}');

-- Of several items with one key the last good one wins
TRUNCATE t;
SELECT run('[{"id": 1, "n": 1}, {"id": 1, "n": 2}, {"id": 1, "n": 100}, {"id": 2, "n": 3}, {"id": 2, "n": 4}]');
SELECT id, n FROM t ORDER BY id;

-- One in 1,000: how many statements it costs
TRUNCATE t;
CREATE SEQUENCE statements;
CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('statements'); RETURN NULL; END $$;
CREATE TRIGGER counting BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION count_statement();
SELECT run((SELECT jsonb_agg(jsonb_build_object('id', i, 'n', CASE i WHEN 617 THEN 100 ELSE i % 100 END)) FROM generate_series(1, 1000) i), '{"mode": "insert"}');
SELECT nextval('statements') - 1 BETWEEN 10 AND 22 AS about_ten_more, (SELECT count(*) FROM t) AS rows, (SELECT sum(n) FROM t) AS sum;
SELECT * FROM rejected();
-- every third of 1,000, in batches
TRUNCATE t;
SELECT run((SELECT jsonb_agg(jsonb_build_object('id', i, 'n', CASE i % 3 WHEN 0 THEN 100 ELSE i % 100 END)) FROM generate_series(1, 1000) i), '{"batchSize": 150}');
SELECT count(*), count(*) FILTER (WHERE id % 3 = 0) AS bad FROM t;
SELECT count(*) FROM rejected();
-- all of them: the run fails and keeps them
SELECT run('[{"id": 1, "n": 100}, {"id": 2, "n": 101}]');
SELECT * FROM rejected();
DROP TRIGGER counting ON t;

-- What a transform computes, what a function of the user's raises, what source.where cannot tell
CREATE FUNCTION odd(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n % 2 = 0 THEN RAISE 'even: %', n; END IF;
	RETURN n;
END $$;
TRUNCATE t;
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 0}, {"id": 3, "n": 3}]', '{}', '{"transform": {"id": "{{ item.id }}", "n": "{{ 10 / item.n }}"}}');
SELECT * FROM rejected();
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 4}, {"id": 3, "n": 3}]', '{}', '{"transform": {"id": "{{ item.id }}", "n": "{{ item.n | rejecting.odd }}"}}');
SELECT * FROM rejected();
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": "many"}, {"id": 3, "n": 3}, {"id": 4, "n": 0}]', '{}', '{}', '{"where": "{{ item.n > 0 }}"}');
SELECT * FROM rejected();
SELECT id, n FROM t ORDER BY id;

-- Triggers raise; those that drop a row do not
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.n = 13 THEN RAISE 'unlucky' USING ERRCODE = 'LU013', COLUMN = 'n', CONSTRAINT = 'luck', TABLE = 't', SCHEMA = 'rejecting'; END IF;
	IF NEW.n = 14 THEN RETURN NULL; END IF;
	IF NEW.n = 40 THEN RAISE 'try later' USING ERRCODE = '40001'; END IF;
	IF NEW.n = 53 THEN RAISE 'no room' USING ERRCODE = '53100'; END IF;
	IF NEW.n = 42 THEN EXECUTE 'SELECT * FROM nowhere'; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION guard();
TRUNCATE t;
SELECT run('[{"id": 1, "n": 12}, {"id": 2, "n": 13}, {"id": 3, "n": 14}, {"id": 4, "n": 15}]');
SELECT * FROM rejected();
-- what no single item causes fails the run, and nothing of it is there
SELECT run('[{"id": 5, "n": 13}, {"id": 6, "n": 40}]');
SELECT run('[{"id": 5, "n": 13}, {"id": 6, "n": 53}]');
SELECT run('[{"id": 5, "n": 13}, {"id": 6, "n": 42}]');
SELECT id, n FROM t ORDER BY id;
DROP TRIGGER guard ON t;
-- a trigger that fails without any item is no item's fault either
CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed for the day'; END $$;
CREATE TRIGGER closed BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION closed();
SELECT run('[{"id": 5}, {"id": 6}]');
DROP TRIGGER closed ON t;

-- Exclusion, domains, partitions
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE TABLE part (id int, s small) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
SELECT run('[{"id": 1, "s": 1}, {"id": 2, "s": 20}, {"id": 30, "s": 3}]', '{"table": "part"}');
SELECT * FROM rejected();
CREATE TABLE booking (during int4range, EXCLUDE USING gist (during WITH &&));
SELECT run('[{"during": "[1,3)"}, {"during": "[2,4)"}, {"during": "[3,5)"}]', '{"table": "booking"}');
SELECT * FROM rejected();

-- Row-level security refuses rows, a missing privilege the table
CREATE ROLE rejecting_user LOGIN;
GRANT USAGE ON SCHEMA databite, rejecting TO rejecting_user;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO rejecting_user;
GRANT SELECT ON ALL TABLES IN SCHEMA databite TO rejecting_user;
CREATE TABLE tenant (id int PRIMARY KEY, tenant text);
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant USING (true) WITH CHECK (tenant = 'a');
GRANT SELECT, INSERT, UPDATE ON tenant TO rejecting_user;
SET ROLE rejecting_user;
SELECT run('[{"id": 1, "tenant": "a"}, {"id": 2, "tenant": "b"}, {"id": 3, "tenant": "a"}]', '{"table": "tenant"}', '{"id": "rls"}');
RESET ROLE;
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'rls';
REVOKE INSERT ON tenant FROM rejecting_user;
SET ROLE rejecting_user;
SELECT result.status, result.records_rejected, error ->> 'message' AS message FROM databite.execute_job('rls') AS result;
RESET ROLE;
SELECT id, tenant FROM tenant ORDER BY id;

-- Together with validation: rules, then the table
TRUNCATE t;
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": -1}, {"id": 3, "n": 100}, {"id": null, "n": 3}]', '{}', '{"validation": {"n": {"min": 0}}}');
SELECT * FROM rejected();
-- a new table
SELECT run('[{"id": 1, "n": 1}, {"id": 2, "n": 2, "at": "today"}, {"id": 3, "n": 3}]', '{"table": "fresh"}');
SELECT * FROM fresh ORDER BY id;
-- what the reader cannot deliver: a character that PostgreSQL has not, an item that is too long
SELECT run('[]', '{}', '{"transform": {"id": "{{ item.id }}", "name": "{{ item.name | length }}"}, "source": {"type": "sql", "query":
	"SELECT 31 AS id, to_json(''x''::text) AS name UNION ALL SELECT 32, ''\"\\u0000\"''::json UNION ALL SELECT 33, to_json(repeat(''x'', 17000000)) UNION ALL SELECT 34, to_json(''y''::text)"}}');
SELECT item, error_code, message FROM rejected();
SELECT id, name FROM t WHERE id > 30 ORDER BY id;
-- a preview says what is wrong with the value; what only the table can tell is left to the run
SELECT item, target_row, error FROM databite.preview_job('{"id": "r", "source": {"type": "inline", "items": [{"id": 1}, {"id": "x"}]},
	"destination": {"type": "database", "table": "t", "onError": "log_and_continue"}}');
-- constraints that are checked at the end are no item's
ALTER TABLE t ALTER CONSTRAINT t_parent_fkey DEFERRABLE INITIALLY DEFERRED;
CALL databite.run_job(databite.schedule_job('{"id": "deferred", "source": {"type": "inline", "items": [{"id": 100, "parent": 1}, {"id": 101, "parent": 9}]},
	"destination": {"type": "database", "table": "t", "onError": "log_and_continue"}}'));
SELECT status, records_inserted, records_rejected, error ->> 'code' AS code FROM databite.runs WHERE job_id = 'deferred';
SELECT count(*) FROM t WHERE id >= 100;

-- What a pool is for, this version does not have
SELECT run('[{"id": 200}]', '{"connectionPool": {"min": 2, "max": 10, "idleTimeout": 30000}}');
SELECT notices FROM databite.runs WHERE job_id = 'r' ORDER BY run_id DESC LIMIT 1;

SELECT databite.unschedule_job('r'), databite.unschedule_job('rls'), databite.unschedule_job('deferred');
DROP SCHEMA rejecting CASCADE;
REVOKE ALL ON SCHEMA databite FROM rejecting_user;
REVOKE ALL ON ALL ROUTINES IN SCHEMA databite FROM rejecting_user;
REVOKE ALL ON ALL TABLES IN SCHEMA databite FROM rejecting_user;
DROP ROLE rejecting_user;
