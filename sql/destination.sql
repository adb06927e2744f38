-- The destination: tables, keys, modes, types and counts, as a job's run shows them.
SET client_min_messages = warning;
CREATE SCHEMA dest;
SET search_path = dest, public;
SET timezone = 'UTC';
RESET client_min_messages;

-- One run of a job over inline items, in batches of three; without a transform, keys map to
-- columns by name.  Errors are shown with their SQLSTATE.
CREATE FUNCTION run(destination jsonb, items jsonb, transform jsonb DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	job jsonb := jsonb_build_object('id', 'dest',
		'source', jsonb_build_object('type', 'inline', 'items', items, 'batchSize', 3),
		'destination', '{"type": "database"}' || destination);
	result record;
	state text;
	message text;
	hint text;
BEGIN
	IF transform IS NOT NULL THEN
		job := job || jsonb_build_object('transform', transform);
	END IF;
	PERFORM set_config('client_min_messages', 'warning', true);
	PERFORM databite.schedule_job(job);
	SELECT * INTO result FROM databite.execute_job('dest');
	IF result.error IS NOT NULL THEN
		RETURN format('%s: %s %s%s', result.status, result.error->>'code', result.error->>'message',
			' DETAIL: ' || (result.error->>'detail'));
	END IF;
	RETURN format('%s: %s processed, %s inserted, %s updated, %s unchanged', result.status,
		result.records_processed, result.records_inserted, result.records_updated, result.records_unchanged);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN format('%s: %s%s', state, message, CASE WHEN hint <> '' THEN ' HINT: ' || hint END);
END $$;

-- databite.batch() is for databite's own statements
SELECT * FROM databite.batch() AS b(x int);

--
-- a table is created from what the items hold
--
SELECT run('{"table": "users"}', '[
	{"id": 1, "name": "a", "score": 3.5, "ok": true, "at": "2024-01-01T00:00:00Z", "day": "2024-02-29", "tags": ["x"], "none": null, "big": 123456789012345678901234567890},
	{"id": 2, "name": "b", "score": 4, "extra": "x"}]');
\d users
SELECT * FROM users ORDER BY id;

-- unchanged, changed, new; the last of several items with one key wins; a key that no item has leaves its column alone
SELECT run('{"table": "users"}', '[{"id": 1, "name": "a"}, {"id": 2, "name": "B"}, {"id": 3, "name": "first"}, {"id": 3, "name": "last"}]');
SELECT run('{"table": "users"}', '[{"id": 4, "name": "x"}, {"id": 4, "name": "y"}]');
SELECT id, name, extra FROM users ORDER BY id;

-- created with a transform: JSON kinds and the types of expressions; names that need quotes
SELECT run('{"table": "Odd Table"}', '[{"id": 1, "name": "a", "price": {"amount": 1}}, {"id": 2, "price": {"amount": 12345678901234567890.10}}]',
	'{"id": "{{item.id}}", "Select": "{{item.name | upper}}", "price": "{{item.price.amount}}", "big": "{{item.price.amount > 2}}", "üñí": "no {{item.id}}", "const": "text", "mixed": "{{item.price}}"}');
\d "Odd Table"
SELECT * FROM "Odd Table" ORDER BY id;

-- mixtures
SELECT run('{"table": "mixed"}', '[
	{"id": "a", "n": 1, "b": true, "d": "2024-01-01", "t": "2024-01-01 10:00", "j": 1, "f": 1.0},
	{"id": "b", "n": 1.5, "b": "x", "d": "2024-02-30", "t": "2024-01-01T10:00:00.123+02:00", "j": {"a": 1}, "f": 2}]');
\d mixed

-- created from the schema, with a stated key
SELECT run('{"table": "dest.declared", "key": ["b", "a"], "schema": {"a": "datetime", "b": "varchar(7)", "n": "numeric(10,2)", "j": "json", "i": "integer", "s": "string", "f": "boolean", "d": "date", "x": "int[]"}}',
	'[{"a": "2024-05-05T00:00:00Z", "b": "1", "n": 1.005, "j": [1], "i": 7, "s": "s", "f": true, "d": "2024-01-01", "x": [1, 2]}]');
\d declared
SELECT * FROM declared;

-- nothing to create from
SELECT run('{"table": "nothing"}', '[]');
SELECT run('{"table": "nothing"}', '[{}, {}]');
SELECT run('{"table": "nothing"}', '[1, 2]');
SELECT run('{"table": "scalars"}', '[1, 2]', '{"v": "{{item}}"}');
SELECT run('{"table": "any_json"}', '["a \"b\"", true, null, [1], {"x": 1}, 2]', '{"v": "{{item}}"}');
SELECT * FROM any_json;
SELECT run('{"table": "nothing"}', '[{"0123456789012345678901234567890123456789012345678901234567890123456789": 1}]');
SELECT to_regclass('nothing') IS NULL AS still_nothing;

--
-- what is wrong with a definition
--
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "users"}, "transform": {"id": "{{item.id}}", "nam": "x"}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "users", "key": "name"}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "users", "key": "nam"}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "users", "schema": {"id": "string", "foo": "int", "name": "numeric(3000)", "score": "integer", "ok": "nosuch"}}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "a.b.c"}}');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "nosuch.b"}}');

--
-- keys
--
CREATE TABLE composite (a text, b int, v text, UNIQUE (b, a));
SELECT run('{"table": "composite", "key": ["a", "b"]}', '[{"a": "x", "b": 1, "v": "1"}, {"a": "x", "b": 1, "v": "2"}, {"a": "y", "b": 1, "v": "3"}]');
SELECT run('{"table": "composite", "key": ["a", "b"]}', '[{"a": "x", "b": 1, "v": "2"}, {"a": "y", "b": 1, "v": "4"}]');
SELECT * FROM composite ORDER BY a;
-- a key must have a value
SELECT run('{"table": "composite", "key": ["a", "b"]}', '[{"a": "z", "b": 1}, {"a": null, "b": 1}]');
SELECT run('{"table": "composite", "key": ["a", "b"]}', '[{"a": null, "b": 1}]', '{"a": "{{item.a | upper}}", "b": "{{item.b}}"}');
-- no key known: rows are inserted
SELECT run('{"table": "composite"}', '[{"a": "x", "b": 1, "v": "2"}]');
SELECT run('{"table": "composite", "mode": "upsert"}', '[{"a": "x", "b": 1, "v": "2"}]');
-- only the key
CREATE TABLE only_key (id int PRIMARY KEY);
SELECT run('{"table": "only_key"}', '[{"id": 1}, {"id": 1}, {"id": 2}]');
SELECT run('{"table": "only_key"}', '[{"id": 1}, {"id": 3}]');
SELECT run('{"table": "only_key", "mode": "insert"}', '[{"id": 4}, {"id": 1}]');
-- keys that ON CONFLICT cannot use
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, v int);
SELECT run('{"table": "deferred", "key": "id"}', '[{"id": 1}]');
SELECT run('{"table": "deferred"}', '[{"id": 1}]');
CREATE TABLE partial (id int, v int);
CREATE UNIQUE INDEX ON partial (id) WHERE v > 1;
SELECT run('{"table": "partial", "key": "id"}', '[{"id": 1}]');

--
-- generated, identity, defaults
--
CREATE TABLE generated (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, made date DEFAULT '2020-01-01', state text NOT NULL DEFAULT 'new');
SELECT run('{"table": "generated"}', '[{"id": 9, "a": 1, "twice": 7}, {"a": 2, "state": "x"}, {"a": 3}, {"a": 4}]');
SELECT * FROM generated ORDER BY id;
SELECT run('{"table": "generated"}', '[]', '{"id": "{{item.id}}"}');
SELECT run('{"table": "generated"}', '[]', '{"twice": 1}');
CREATE TABLE numbered (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a int);
SELECT run('{"table": "numbered"}', '[{"a": 1}, {"a": 2}]');
SELECT run('{"table": "numbered"}', '[{"id": 77, "a": 1}, {"id": 1, "a": 5}]');
SELECT * FROM numbered ORDER BY id;

--
-- partitioned tables, parents, views
--
CREATE TABLE part (id int, k text, v numeric, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (v numeric, id int NOT NULL, k text NOT NULL);
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
SELECT run('{"table": "part"}', '[{"id": 1, "k": "a", "v": 1}, {"id": 1, "k": "b", "v": 1}, {"id": 1, "k": "b", "v": 2.5}]');
SELECT run('{"table": "part"}', '[{"id": 1, "k": "a", "v": 1}, {"id": 1, "k": "b", "v": 3}, {"id": 2, "k": "b", "v": 2.5}]');
SELECT run('{"table": "part"}', '[{"id": 1, "k": "c", "v": 1}]');
SELECT * FROM part ORDER BY id, k;
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1, 5);
SELECT run('{"table": "parent"}', '[{"id": 1, "v": 5}]');
CREATE VIEW users_view AS SELECT id, name FROM users;
SELECT run('{"table": "users_view"}', '[{"id": 50, "name": "by view"}]');
SELECT run('{"table": "users_view", "mode": "upsert"}', '[{"id": 50, "name": "by view"}]');
SELECT run('{"table": "users_view", "key": "id"}', '[{"id": 50, "name": "by view"}]');
CREATE SEQUENCE seq;
SELECT run('{"table": "seq"}', '[]');

--
-- triggers that drop and change rows; what adds up
--
CREATE TABLE triggered (id int PRIMARY KEY, v text);
CREATE FUNCTION change_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v = 'drop' THEN
		RETURN NULL;
	END IF;
	new.v := new.v || '!';
	RETURN new;
END $$;
CREATE TRIGGER change_row BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION change_row();
SELECT run('{"table": "triggered"}', '[{"id": 1, "v": "drop"}, {"id": 2, "v": "a"}, {"id": 3, "v": "b"}]');
SELECT run('{"table": "triggered"}', '[{"id": 1, "v": "drop"}, {"id": 2, "v": "a!"}, {"id": 3, "v": "b"}]');
SELECT * FROM triggered ORDER BY id;

--
-- types
--
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN given AS text NOT NULL;
CREATE TABLE typed (id uuid PRIMARY KEY, e mood, d positive, a int[], j json, jb jsonb, p point, n numeric(5,2), vc varchar(3), c char(4), ts timestamp(0), iv interval, b bytea, g given DEFAULT 'q');
SELECT run('{"table": "typed"}', jsonb_build_array(item)) FROM
	(SELECT '{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "e": "good", "d": 5, "a": [1, 2], "j": {"a": 1}, "jb": {"b": 1}, "p": "(1,2)", "n": 1.239, "vc": "abc", "c": "x", "ts": "2024-01-01T00:00:00.7Z", "iv": "1 day", "b": "\\x00", "g": "s"}'::jsonb AS item, generate_series(1, 2)) AS i;
SELECT * FROM typed;
SELECT run('{"table": "typed"}', '[{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "d": -1, "g": "s"}]');
SELECT run('{"table": "typed"}', '[{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "e": "so so", "g": "s"}]');
SELECT run('{"table": "typed"}', '[{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "vc": "too long", "g": "s"}]');
SELECT run('{"table": "typed"}', '[{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "vc": "too long", "g": "s"}]', '{"id": "{{item.id}}", "vc": "{{item.vc | upper}}", "g": "x"}');

-- a column that has the names that the statement uses
CREATE TABLE names (ord int PRIMARY KEY, "ord_" int, t int, s int, "select" text, inserted int, b int, without_key int);
SELECT run('{"table": "names"}', '[{"ord": 1, "ord_": 2, "t": 3, "s": 4, "select": "x", "inserted": 1, "b": 6, "without_key": 7}]');
SELECT run('{"table": "names"}', '[{"ord": 1, "ord_": 2, "t": 3, "s": 4, "select": "y", "inserted": 1, "b": 6, "without_key": 7}]');
SELECT * FROM names;

--
-- row-level security and rights are those of the job's owner
--
CREATE ROLE regress_dest_owner;
GRANT USAGE ON SCHEMA dest, databite TO regress_dest_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO regress_dest_owner;
CREATE TABLE guarded (id int PRIMARY KEY, owner text, v int);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON guarded USING (owner = current_user);
INSERT INTO guarded VALUES (1, 'somebody', 1);
GRANT SELECT, INSERT, UPDATE ON guarded TO regress_dest_owner;
SELECT databite.unschedule_job('dest');
SET ROLE regress_dest_owner;
SELECT run('{"table": "guarded"}', '[{"id": 2, "owner": "regress_dest_owner", "v": 2}]');
SELECT run('{"table": "guarded"}', '[{"id": 2, "owner": "regress_dest_owner", "v": 3}]');
SELECT run('{"table": "guarded"}', '[{"id": 1, "owner": "regress_dest_owner", "v": 3}]');
SELECT run('{"table": "only_key"}', '[{"id": 1}]');
SELECT run('{"table": "new_table"}', '[{"id": 1}]');
SELECT databite.unschedule_job('dest');
RESET ROLE;

--
-- the plan looks rows up by the key's index, whatever the statistics say
--
CREATE TABLE planned (id int PRIMARY KEY, v int);
INSERT INTO planned SELECT g, g FROM generate_series(1, 20000) AS g;
ANALYZE planned;
CREATE FUNCTION batches(n int, step int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', g * step, 'v', g * step)) FROM generate_series(1, n) AS g
$$;
-- as if it had been planned while the table was empty
UPDATE pg_class SET reltuples = 0, relpages = 0 WHERE oid = 'planned'::regclass;
-- where the keys of a batch lie close together, the part of the index that they are in is read
BEGIN;
SELECT run('{"table": "planned"}', batches(3000, 2));
SELECT seq_tup_read = 0 AS no_sequential_scan, idx_scan BETWEEN 3 AND 9 AS by_range FROM pg_stat_xact_user_tables WHERE relid = 'planned'::regclass;
SELECT pg_stat_get_xact_tuples_fetched('planned'::regclass) < 10000 AS reads_only_the_batch;
ROLLBACK;
-- else each key is looked up
BEGIN;
SELECT run('{"table": "planned"}', batches(2500, 8));
SELECT seq_tup_read = 0 AS no_sequential_scan, idx_scan >= 2500 AS by_key FROM pg_stat_xact_user_tables WHERE relid = 'planned'::regclass;
SELECT pg_stat_get_xact_tuples_fetched('planned'::regclass) < 10000 AS reads_only_the_batch;
ROLLBACK;

SELECT databite.unschedule_job('dest');
SET client_min_messages = warning;
DROP SCHEMA dest CASCADE;
DROP OWNED BY regress_dest_owner;
DROP ROLE regress_dest_owner;
