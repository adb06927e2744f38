-- Tables of all kinds: a job does to each what an INSERT does that its owner types.
SET client_min_messages = warning;
CREATE SCHEMA kinds;
SET search_path = kinds, public;
SET timezone = 'UTC';
CREATE ROLE regress_kinds_owner;
GRANT USAGE, CREATE ON SCHEMA kinds TO regress_kinds_owner;
GRANT USAGE ON SCHEMA databite TO regress_kinds_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO regress_kinds_owner;
GRANT EXECUTE ON ALL PROCEDURES IN SCHEMA databite TO regress_kinds_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA databite TO regress_kinds_owner;
CREATE SCHEMA "Sch.""ema" AUTHORIZATION regress_kinds_owner;
SET ROLE regress_kinds_owner;

-- What a job of these items gives: its rows, or its error.  Counters must add up.
CREATE FUNCTION by_job(destination jsonb, items jsonb, OUT outcome text, OUT counts text) LANGUAGE plpgsql AS $$
DECLARE
	result record;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'kinds',
		'source', jsonb_build_object('type', 'inline', 'items', items), 'destination', '{"type": "database"}' || destination));
	SELECT * INTO result FROM databite.execute_job('kinds');
	IF result.status = 'completed' AND result.records_inserted + result.records_updated + result.records_unchanged +
		result.records_deleted + result.records_rejected <> result.records_processed THEN
		RAISE 'counters do not add up: %', result;
	END IF;
	IF result.error IS NOT NULL THEN
		outcome := concat_ws(' ', result.error ->> 'code', result.error ->> 'message');
	END IF;
	counts := format('%s processed, %s inserted, %s updated, %s unchanged, %s rejected', result.records_processed,
		result.records_inserted, result.records_updated, result.records_unchanged, result.records_rejected);
END $$;

-- The same of an INSERT by hand of the columns that the items have, with ON CONFLICT where there is a key.
CREATE FUNCTION by_hand(destination jsonb, items jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text := destination ->> 'table';
	columns text;
	keys text;
	updates text;
BEGIN
	SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
		string_agg(format('%I = excluded.%I', attname, attname), ', ' ORDER BY attnum) FILTER (WHERE NOT coalesce(destination -> 'key' ? attname, false))
	INTO columns, updates FROM pg_attribute
	WHERE attrelid = name::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity <> 'a' AND
		EXISTS (SELECT FROM jsonb_array_elements(items) AS i WHERE i ? attname);
	SELECT string_agg(quote_ident(k), ', ') INTO keys FROM jsonb_array_elements_text(destination -> 'key') AS k;
	EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM jsonb_populate_recordset(null::%1$s, %3$L)', name, columns, items) ||
		CASE WHEN keys IS NULL THEN '' ELSE format(' ON CONFLICT (%s) DO ', keys) || coalesce('UPDATE SET ' || updates, 'NOTHING') END;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN concat_ws(' ', SQLSTATE, SQLERRM);
END $$;

-- One of them, undone; look: a query of one text.
CREATE FUNCTION outcome(way text, destination jsonb, items jsonb, look text, "before" text, OUT outcome text, OUT counts text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE coalesce("before", '');
	IF way = 'job' THEN
		SELECT * INTO outcome, counts FROM by_job(destination, items);
	ELSE
		outcome := by_hand(destination, items);
	END IF;
	IF outcome IS NULL THEN
		SET CONSTRAINTS ALL IMMEDIATE;
		EXECUTE coalesce(look, format('SELECT string_agg(t::text, '' '' ORDER BY t::text) FROM %s AS t', destination ->> 'table')) INTO outcome;
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
	outcome := coalesce(outcome, 'nothing');
END $$;

-- Both, and what they have in common once.
CREATE FUNCTION try(destination jsonb, items jsonb, look text DEFAULT NULL, "before" text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN job.outcome = hand.outcome THEN 'same: ' || hand.outcome
		ELSE E'DIFFERENT\n  job:  ' || job.outcome || E'\n  hand: ' || hand.outcome END || E'\n(' || job.counts || ')'
	FROM outcome('job', destination, items, look, "before") AS job, outcome('hand', destination, items, look, "before") AS hand
$$;
\pset format unaligned
\pset tuples_only on

--
-- names
--
CREATE TABLE "Sch.""ema"."a.b""c" ("select" int, "Mixed Case" text, "with ""quotes"".and.dots" text, "012345678901234567890123456789012345678901234567890123456789012" int,
	"ord" int, "ünï" text, " " int, "a'b\c" text, "user" text, PRIMARY KEY ("select", "Mixed Case"));
SELECT try('{"table": "\"Sch.\"\"ema\".\"a.b\"\"c\"", "key": ["select", "Mixed Case"]}',
	'[{"select": 1, "Mixed Case": "m", "with \"quotes\".and.dots": "q", "012345678901234567890123456789012345678901234567890123456789012": 2, "ord": 3, "ünï": "u", " ": 4, "a''b\\c": "x", "user": "me"}]');
SELECT try('{"table": "\"Sch.\"\"ema\".\"a.b\"\"c\"", "mode": "insert"}', '[{"select": 1, "Mixed Case": "m"}, {"select": 1, "Mixed Case": "m"}]');
SELECT pointer, message FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "0123456789012345678901234567890123456789012345678901234567890123"}}');
SELECT pointer, message FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "new", "schema": {"0123456789012345678901234567890123456789012345678901234567890123": "text", "xmin": "text"}}}');
CREATE TABLE "User" ("ID" int PRIMARY KEY);
CREATE TABLE "user" (id int PRIMARY KEY);
SELECT by_job('{"table": "User"}', '[{"ID": 1, "id": 2}]');
SELECT by_job('{"table": "user"}', '[{"ID": 1, "id": 2}]');
TABLE "User";
TABLE "user";

--
-- partitioned tables
--
CREATE TABLE part (region text, id int, at date DEFAULT '2024-02-02', v numeric CHECK (v > 0), PRIMARY KEY (region, id, at)) PARTITION BY LIST (region);
CREATE TABLE part_eu (v numeric CONSTRAINT part_v_check CHECK (v > 0), gone int, at date NOT NULL, id int NOT NULL, region text NOT NULL) PARTITION BY RANGE (at);
ALTER TABLE part_eu DROP gone;
ALTER TABLE part ATTACH PARTITION part_eu FOR VALUES IN ('eu');
CREATE TABLE part_eu_1 PARTITION OF part_eu FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE part_eu_2 PARTITION OF part_eu FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE part_us PARTITION OF part FOR VALUES IN ('us');
CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.v := new.v * 10; RETURN new; END $$;
CREATE TRIGGER louder BEFORE INSERT ON part_us FOR EACH ROW EXECUTE FUNCTION louder();
SELECT try('{"table": "part", "mode": "insert"}', '[{"region": "eu", "id": 1, "at": "2024-01-05", "v": 1}, {"region": "us", "id": 1, "at": "2024-01-05", "v": 1}]', 'SELECT string_agg(tableoid::regclass || t::text, '' '' ORDER BY t::text) FROM part AS t');
SELECT try('{"table": "part", "key": ["region", "id", "at"]}', '[{"region": "eu", "id": 1, "at": "2024-02-05", "v": 1}, {"region": "us", "id": 2, "at": "2024-01-05", "v": 1}]');
SELECT try('{"table": "part", "mode": "insert"}', '[{"region": "asia", "id": 1, "at": "2024-01-05", "v": 1}]');
SELECT try('{"table": "part", "key": ["region", "id", "at"]}', '[{"region": "eu", "id": 1, "at": "2025-01-05", "v": 1}]');
SELECT try('{"table": "part", "mode": "insert"}', '[{"region": "eu", "id": 1, "v": -1}]');
SELECT try('{"table": "part_us", "mode": "insert"}', '[{"region": "us", "id": 1, "v": 1}]');
SELECT try('{"table": "part_us", "mode": "insert"}', '[{"region": "eu", "id": 1, "v": 1}]');
SELECT by_job('{"table": "part", "onError": "log_and_continue"}', '[{"region": "eu", "id": 1, "at": "2024-01-05", "v": 1}, {"region": "asia", "id": 1, "at": "2024-01-05"}, {"region": "eu", "id": 2, "at": "2025-01-05"}, {"region": "us", "id": 1, "at": "2024-01-05", "v": -5}]');
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'kinds' ORDER BY id;
-- updated where it is, in whatever partition
SELECT by_job('{"table": "part"}', '[{"region": "eu", "id": 1, "at": "2024-01-05", "v": 2}, {"region": "us", "id": 1, "at": "2024-01-05", "v": 5}]');
SELECT tableoid::regclass, * FROM part ORDER BY region, id;
-- a key that is not the partitioned table's
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "part", "key": "id"}}');

--
-- views
--
CREATE TABLE base (id int PRIMARY KEY, v int DEFAULT 7, state text DEFAULT 'new');
CREATE VIEW simple AS SELECT id, v, state FROM base;
CREATE VIEW checking AS SELECT id, v FROM base WHERE v > 0 WITH CHECK OPTION;
CREATE VIEW joined AS SELECT b.id, b.v, o.v AS other FROM base b JOIN base o USING (id);
CREATE VIEW instead AS SELECT b.id, b.v, o.v AS other FROM base b JOIN base o USING (id);
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO base (id, v, state) VALUES (new.id, new.v + new.other, 'instead');
	RETURN new;
END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION instead();
SELECT try('{"table": "simple"}', '[{"id": 1}, {"id": 2}]');
SELECT try('{"table": "simple"}', '[{"id": 1, "v": 1}, {"id": 1, "v": 2}]');
SELECT try('{"table": "checking"}', '[{"id": 1, "v": 1}]');
SELECT try('{"table": "checking"}', '[{"id": 1, "v": -1}]');
SELECT try('{"table": "joined"}', '[{"id": 1, "v": 1}]');
SELECT try('{"table": "instead"}', '[{"id": 1, "v": 1, "other": 3}, {"id": 2, "v": null, "other": 3}]', 'SELECT string_agg(t::text, '' '') FROM base AS t');
SELECT by_job('{"table": "checking", "onError": "log_and_continue"}', '[{"id": 1, "v": 1}, {"id": 2, "v": -1}, {"id": 1, "v": 5}]');
CREATE MATERIALIZED VIEW materialized AS SELECT 1 AS id;
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "materialized"}}');

--
-- generated, identity, serial, other defaults
--
CREATE TABLE defaults (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int GENERATED BY DEFAULT AS IDENTITY (START 100), s serial, v int, twice int GENERATED ALWAYS AS (v * 2) STORED,
	made timestamptz DEFAULT now(), who name DEFAULT current_user, state text NOT NULL DEFAULT 'it''s new');
SELECT try('{"table": "defaults"}', '[{"v": 1}, {"v": 2}]', 'SELECT string_agg(concat_ws('','', id, other, s, v, twice, made = now(), who, state), '' '') FROM defaults',
	'ALTER TABLE defaults ALTER id RESTART, ALTER other RESTART; ALTER SEQUENCE defaults_s_seq RESTART');
SELECT try('{"table": "defaults"}', '[{"id": 7, "v": 1, "other": 5, "twice": 9, "who": "x", "state": "y", "s": 6}]', 'SELECT string_agg(concat_ws('','', id, other, s, v, twice, made = now(), who, state), '' '') FROM defaults',
	'ALTER TABLE defaults ALTER id RESTART, ALTER other RESTART; ALTER SEQUENCE defaults_s_seq RESTART');

--
-- types
--
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN given AS text NOT NULL CHECK (value <> '');
CREATE DOMAIN given_list AS positive[] CHECK (cardinality(value) < 3);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b mood);
CREATE TABLE typed (id positive PRIMARY KEY, g given, l given_list, e mood, es mood[], p pair, ps pair[], r int4range, rs tstzmultirange, n numeric(5, 2), c char(3), vc varchar(3), b bit(3), i interval,
	tz timetz, ip inet, m money, ts tsvector, o oid, rc regclass, u uuid, by bytea, f4 real, f8 double precision, j json, jb jsonb, pt point);
SELECT try('{"table": "typed", "key": ["id"]}', jsonb_build_array(item)) FROM jsonb_array_elements('[
	{"id": 1, "g": "g", "l": [1, 2], "e": "good", "es": ["bad", null], "p": {"a": 1, "b": "bad"}, "ps": [{"a": 1, "b": null}], "r": "[1,5)", "rs": "{[2024-01-01,2024-02-01)}",
	 "n": 1.005, "c": "x", "vc": "abc", "b": "101", "i": "1 day 02:00", "tz": "10:00+02", "ip": "10.0.0.1/8", "m": "12.5", "ts": "a b", "o": 5, "rc": "kinds.typed",
	 "u": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "by": "\\x00ff", "f4": 0.1, "f8": 1e308, "jb": {"b": 1, "a": [1.0]}, "pt": "(1,2)"},
	{"id": 0, "g": "g"}, {"id": 2, "g": ""}, {"id": 2, "g": null}, {"id": 2}, {"id": 2, "g": "g", "l": [1, 0]}, {"id": 2, "g": "g", "l": [1, 2, 3]}, {"id": 2, "g": "g", "e": "so so"},
	{"id": 2, "g": "g", "p": {"a": "x"}}, {"id": 2, "g": "g", "r": "[5,1)"}, {"id": 2, "g": "g", "n": 1000}, {"id": 2, "g": "g", "vc": "abcd"}, {"id": 2, "g": "g", "vc": "abc   "}, {"id": 2, "g": "g", "b": "11"},
	{"id": 2, "g": "g", "f4": 1e39}, {"id": 2147483648, "g": "g"}, {"id": "3", "g": 5}, {"id": 1.5, "g": "g"}]') AS item;

--
-- row-level security, for an owner who is not exempt
--
CREATE TABLE guarded (id int PRIMARY KEY, owner text, v int CHECK (v < 100));
INSERT INTO guarded VALUES (1, 'somebody', 1), (2, 'me', 2);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
SELECT try('{"table": "guarded", "key": ["id"]}', '[{"id": 1, "owner": "me", "v": 5}, {"id": 3, "owner": "me", "v": 5}]');
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
SELECT try('{"table": "guarded", "mode": "insert"}', '[{"id": 3, "owner": "me", "v": 5}]');
CREATE POLICY mine ON guarded USING (owner = 'me') WITH CHECK (owner = 'me' AND v > 0);
SELECT try('{"table": "guarded", "mode": "insert"}', '[{"id": 3, "owner": "me", "v": 5}]');
SELECT try('{"table": "guarded", "mode": "insert"}', '[{"id": 3, "owner": "me", "v": 5}, {"id": 4, "owner": "you", "v": 5}]');
SELECT try('{"table": "guarded", "key": ["id"]}', '[{"id": 2, "owner": "me", "v": 3}, {"id": 3, "owner": "me", "v": 5}]');
SELECT try('{"table": "guarded", "key": ["id"]}', '[{"id": 1, "owner": "me", "v": 3}]');
SELECT try('{"table": "guarded", "key": ["id"]}', '[{"id": 2, "owner": "you", "v": 3}]');
SELECT by_job('{"table": "guarded", "onError": "log_and_continue"}', '[{"id": 1, "owner": "me", "v": 3}, {"id": 2, "owner": "me", "v": 4}, {"id": 3, "owner": "you", "v": 5}, {"id": 4, "owner": "me", "v": 100}]');
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'kinds' AND run_id = (SELECT max(run_id) FROM databite.runs) ORDER BY id;
SELECT * FROM guarded ORDER BY id;
SET row_security = off;
SELECT try('{"table": "guarded", "mode": "insert"}', '[{"id": 3, "owner": "me", "v": 5}]', 'SELECT ''x''');
RESET row_security;

--
-- triggers
--
CREATE TABLE triggered (id int PRIMARY KEY, v text);
CREATE TABLE log (n serial, what text);
CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v = 'drop' THEN
		RETURN NULL;
	ELSIF new.v = 'raise' THEN
		RAISE EXCEPTION 'not this one' USING ERRCODE = 'P0099';
	END IF;
	new.v := new.v || '!';
	RETURN new;
END $$;
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (tg_op || new.id); RETURN NULL; END $$;
CREATE FUNCTION after_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) SELECT tg_when || tg_op || count(*) FROM new_rows; RETURN NULL; END $$;
CREATE FUNCTION before_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (tg_when || tg_op); RETURN NULL; END $$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION before_row();
CREATE TRIGGER b AFTER INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION after_row();
CREATE TRIGGER c AFTER INSERT ON triggered REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION after_statement();
CREATE TRIGGER d BEFORE INSERT ON triggered FOR EACH STATEMENT EXECUTE FUNCTION before_statement();
SELECT try('{"table": "triggered", "mode": "insert"}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "drop"}, {"id": 3, "v": "b"}]', 'SELECT concat((SELECT string_agg(t::text, '' '') FROM triggered t), (SELECT string_agg(what, '' '' ORDER BY n) FROM log))');
SELECT try('{"table": "triggered", "mode": "insert"}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "raise"}]');
SELECT try('{"table": "triggered", "key": ["id"]}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "drop"}, {"id": 3, "v": "c"}]', 'SELECT concat((SELECT string_agg(t::text, '' '' ORDER BY id) FROM triggered t), (SELECT string_agg(what, '' '' ORDER BY n) FROM log))',
	'INSERT INTO triggered VALUES (1, ''x''), (3, ''y''); TRUNCATE log');
SELECT by_job('{"table": "triggered", "mode": "insert", "onError": "log_and_continue"}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "raise"}, {"id": 3, "v": "drop"}, {"id": 4, "v": "d"}]');
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'kinds' AND run_id = (SELECT max(run_id) FROM databite.runs) ORDER BY id;
TRUNCATE log, triggered;
RESET ROLE;
SET session_replication_role = replica;
SET ROLE regress_kinds_owner;
SELECT try('{"table": "triggered", "key": ["id"]}', '[{"id": 1, "v": "drop"}]', 'SELECT concat((SELECT string_agg(t::text, '' '' ORDER BY id) FROM triggered t), (SELECT string_agg(what, '' '' ORDER BY n) FROM log))');
RESET ROLE;
RESET session_replication_role;
SET ROLE regress_kinds_owner;

--
-- rules
--
CREATE TABLE ruled (id int PRIMARY KEY, v text);
CREATE TABLE ruled_log (id int, v text);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (new.id, new.v);
SELECT try('{"table": "ruled", "mode": "insert"}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]', 'SELECT concat((SELECT string_agg(t::text, '' '') FROM ruled t), (SELECT string_agg(t::text, '' '') FROM ruled_log t))');
SELECT by_job('{"table": "ruled"}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]');
SELECT pointer, message, hint FROM databite.validate_job('{"id": "v", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "ruled", "mode": "upsert"}}');
DROP RULE also ON ruled;
CREATE RULE instead AS ON INSERT TO ruled DO INSTEAD INSERT INTO ruled_log VALUES (new.id, new.v);
SELECT try('{"table": "ruled", "mode": "insert"}', '[{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]', 'SELECT concat((SELECT string_agg(t::text, '' '') FROM ruled t), (SELECT string_agg(t::text, '' '') FROM ruled_log t))');
DROP RULE instead ON ruled;
CREATE RULE nothing AS ON INSERT TO ruled DO INSTEAD NOTHING;
SELECT try('{"table": "ruled", "mode": "insert"}', '[{"id": 1, "v": "a"}]');
DROP RULE nothing ON ruled;

--
-- constraints and indexes, and which of them can be a key
--
CREATE TABLE indexed (id int, a int, b text, r int4range, EXCLUDE USING gist (r WITH &&), CHECK (a < 10 OR b IS NOT NULL));
CREATE UNIQUE INDEX ON indexed (id) INCLUDE (b);
CREATE UNIQUE INDEX ON indexed (lower(b));
CREATE UNIQUE INDEX ON indexed (a) WHERE b IS NULL;
CREATE UNIQUE INDEX ON indexed (a, b) NULLS NOT DISTINCT;
ALTER TABLE indexed ADD UNIQUE (a, id) DEFERRABLE;
SELECT try('{"table": "indexed", "key": ["id"]}', '[{"id": 1, "a": 1, "b": "x", "r": "[1,5)"}, {"id": 2, "a": 2, "b": "y", "r": "[5,6)"}]');
SELECT try('{"table": "indexed", "key": ["id"]}', '[{"id": 1, "r": "[1,5)"}, {"id": 2, "r": "[4,6)"}]');
SELECT try('{"table": "indexed", "key": ["id"]}', '[{"id": 1, "b": "X"}, {"id": 2, "b": "x"}]');
SELECT try('{"table": "indexed", "key": ["id"]}', '[{"id": 1, "a": 11}]');
SELECT try('{"table": "indexed", "key": ["id"]}', '[{"id": 1, "a": 5}, {"id": 2, "a": 5}]');
SELECT try('{"table": "indexed", "key": ["a", "b"]}', '[{"id": 1, "a": 5, "b": "z"}]');
SELECT k, message, hint FROM unnest('{"b", "a", "r", "[\"a\", \"id\"]", "[\"id\", \"b\"]"}'::text[]) AS k, databite.validate_job(jsonb_build_object('id', 'v', 'source', '{"type": "inline", "items": []}'::jsonb,
	'destination', jsonb_build_object('type', 'database', 'table', 'indexed', 'key', CASE WHEN k ~ '\[' THEN k::jsonb ELSE to_jsonb(k) END)));
-- a key needs a value, also where the index takes nulls for equal
SELECT by_job('{"table": "indexed", "key": ["a", "b"]}', '[{"a": 5, "b": null}]');

-- deferred constraints are checked at the commit, which the run's batch is then
CREATE TABLE owners (id int PRIMARY KEY);
CREATE TABLE deferred (id int PRIMARY KEY, owner int REFERENCES owners DEFERRABLE INITIALLY DEFERRED);
SELECT try('{"table": "deferred", "mode": "insert"}', '[{"id": 1, "owner": 5}]', 'SELECT ''x''', 'INSERT INTO owners VALUES (5)');
CREATE FUNCTION schedule(destination jsonb, items jsonb, source jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'kinds', 'source', jsonb_build_object('type', 'inline', 'items', items) || source, 'destination', '{"type": "database"}' || destination));
END $$;
SELECT schedule('{"table": "deferred", "batchSize": 2}', '[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4, "owner": 6}, {"id": 5}]');
CALL databite.run_job('kinds');
SELECT status, records_processed, records_inserted, error ->> 'code' AS code, error ->> 'message' AS message, error ->> 'detail' AS detail FROM databite.get_job_history('kinds', 1);
SELECT * FROM deferred ORDER BY id;

--
-- inheritance, unlogged, dropped columns
--
CREATE TABLE parent (id int PRIMARY KEY, gone int, v int);
ALTER TABLE parent DROP gone;
CREATE UNLOGGED TABLE child (w int) INHERITS (parent);
INSERT INTO child VALUES (1, 5, 6);
SELECT try('{"table": "parent", "key": ["id"]}', '[{"id": 1, "v": 5}]', 'SELECT string_agg(tableoid::regclass || t::text, '' '' ORDER BY t::text) FROM parent AS t');
SELECT try('{"table": "child", "mode": "insert"}', '[{"id": 1, "v": 5, "w": 1}]');

--
-- a table that is changed while a run is going on: source.where runs before each batch is written
--
CREATE FUNCTION meddle(id jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF id = '3' THEN
		EXECUTE current_setting('kinds.meddle');
	END IF;
	RETURN true;
END $$;
SELECT databite.create_transform('meddle', 'meddle(jsonb)');
CREATE PROCEDURE run_changed(change text, destination jsonb DEFAULT '{}') LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS changed, changed_old;
	CREATE TABLE changed (id int PRIMARY KEY, v int, w text);
	INSERT INTO changed VALUES (3, 1, 'old');
	PERFORM set_config('kinds.meddle', change, false);
	PERFORM schedule('{"table": "changed", "batchSize": 2}' || destination, '[{"id": 1, "v": 1}, {"id": 2, "v": 2}, {"id": 3, "v": 3}, {"id": 4, "v": 4}, {"id": 5, "v": 5}]', '{"where": "{{ item.id | meddle }}"}');
END $$;
CREATE VIEW outcome AS SELECT concat_ws(' ', status, records_processed, records_inserted, records_updated, error ->> 'code', error ->> 'message', error ->> 'hint') FROM databite.get_job_history('kinds', 1);
\set VERBOSITY terse
CALL run_changed('ALTER TABLE changed ADD x int DEFAULT 5');
CALL databite.run_job('kinds');
TABLE outcome;
TABLE changed;
CALL run_changed('ALTER TABLE changed DROP w');
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('ALTER TABLE changed DROP v');
CALL databite.run_job('kinds');
TABLE outcome;
TABLE changed;
CALL run_changed('ALTER TABLE changed RENAME v TO v2');
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('ALTER TABLE changed ALTER v TYPE bigint');
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('ALTER TABLE changed ALTER v TYPE text');
CALL databite.run_job('kinds');
TABLE outcome;
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('ALTER TABLE changed DROP CONSTRAINT changed_pkey');
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('ALTER TABLE changed RENAME TO changed_old');
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('DROP TABLE changed; CREATE TABLE changed (v numeric, id bigint PRIMARY KEY)');
CALL databite.run_job('kinds');
TABLE outcome;
TABLE changed;
CALL run_changed('ALTER TABLE changed ADD CHECK (v < 4)');
CALL databite.run_job('kinds');
TABLE outcome;
CALL run_changed('DROP TABLE changed', '{"schemaChanges": "add_columns"}');
CALL databite.run_job('kinds');
TABLE outcome;

SELECT databite.unschedule_job('kinds');
RESET ROLE;
SET client_min_messages = warning;
DROP OWNED BY regress_kinds_owner CASCADE;
DROP SCHEMA kinds CASCADE;
DROP ROLE regress_kinds_owner;
