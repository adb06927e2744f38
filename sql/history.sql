-- append_history: a row for each version of a key, of which one is open.
SET client_min_messages = warning;
CREATE SCHEMA history;
SET search_path = history, public;
SET timezone = 'UTC';

-- One run of a job over inline items.  Every item is counted once, or the text says so.
CREATE FUNCTION run(destination jsonb, items jsonb, more jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result record;
	state text;
	message text;
	hint text;
BEGIN
	PERFORM databite.schedule_job(jsonb_build_object('id', 'history',
		'source', jsonb_build_object('type', 'inline', 'items', items) || coalesce(more -> 'source', '{}'),
		'destination', '{"type": "database"}' || destination) || (more - 'source'));
	SELECT * INTO result FROM databite.execute_job('history');
	IF result.error IS NOT NULL THEN
		RETURN format('%s: %s %s', result.status, result.error ->> 'code', result.error ->> 'message');
	END IF;
	RETURN format('%s: %s = %s inserted + %s updated + %s unchanged + %s deleted + %s rejected', result.status, result.records_processed,
		result.records_inserted, result.records_updated, result.records_unchanged, result.records_deleted, result.records_rejected)
		|| CASE WHEN result.records_processed <> result.records_inserted + result.records_updated + result.records_unchanged
			+ result.records_deleted + result.records_rejected THEN ' DO NOT ADD UP' ELSE '' END;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN format('%s: %s%s', state, message, CASE WHEN hint <> '' THEN ' HINT: ' || hint END);
END $$;

-- items('1a 2b 3-'): [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3}]
CREATE FUNCTION items(text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', left(word, -1)::int)
		|| CASE WHEN right(word, 1) = '-' THEN '{}' ELSE jsonb_build_object('v', right(word, 1)) END ORDER BY n)
	FROM regexp_split_to_table($1, ' ') WITH ORDINALITY AS w(word, n)
$$;

-- '1: a b*': the versions of each key in their order, the open one with a star; an error where one begins before the other has ended
CREATE FUNCTION versions(name regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		SELECT id || ': ' || string_agg(concat(v, CASE WHEN valid_to IS NULL THEN '*' END, CASE WHEN valid_from <> ended OR valid_to <= valid_from THEN ' WRONG' END), ' ' ORDER BY valid_from)
		FROM (SELECT *, lag(valid_to) OVER (PARTITION BY id ORDER BY valid_from) AS ended FROM %s) AS t GROUP BY id ORDER BY id $sql$, name);
END $$;

--
-- a table that is created
--
SET client_min_messages = notice;
SELECT run('{"table": "t", "mode": "append_history"}', items('1a 2b 2c 3c'));
SET client_min_messages = warning;
\d t
SELECT run('{"table": "t", "mode": "append_history"}', items('1a 2c 3c'));
SELECT run('{"table": "t", "mode": "append_history"}', items('1b 2c 3d 4e'));
SELECT versions('t');
-- of a batch the last item of a key counts; each batch adds a version of its own, also within one transaction
SELECT run('{"table": "t", "mode": "append_history", "batchSize": 1}', items('1c 1d 1d 1e'));
SELECT run('{"table": "t", "mode": "append_history"}', items('1f 1g 1e'));
SELECT versions('t');
-- back to what it was is a version, too, and a value that is gone
SELECT run('{"table": "t", "mode": "append_history", "key": "id"}', items('1a 3-'));
SELECT versions('t');
-- a version begins after the one before it, whatever the clock says
UPDATE t SET valid_from = '2100-01-01' WHERE id = 4;
SELECT run('{"table": "t", "mode": "append_history"}', items('4f'));
SELECT valid_from, valid_to FROM t WHERE id = 4 ORDER BY valid_from;

-- keys of several columns in any order, the times declared, what items have by these names is left
SELECT run('{"table": "pairs", "mode": "append_history", "key": ["b", "a"], "schema": {"a": "text", "b": "int", "v": "json", "valid_from": "datetime"}}',
	'[{"a": "x", "b": 1, "v": {"a": 1}, "valid_from": "2000-01-01T00:00:00Z"}, {"a": "x", "b": 2, "v": null}]');
SELECT run('{"table": "pairs", "mode": "append_history", "key": ["a", "b"]}',
	'[{"a": "x", "b": 1, "v": {"a": 1}, "valid_to": "2000-01-01T00:00:00Z"}, {"a": "x", "b": 2, "v": [2]}, {"a": "y", "b": 2, "v": [2]}]');
SELECT a, b, v, valid_from > '2020-01-01' AS of_now, valid_to IS NULL AS open FROM pairs ORDER BY a, b, valid_from;

-- only the key
SELECT run('{"table": "only_key", "mode": "append_history"}', '[{"id": 1}, {"id": 1}, {"id": 2}]');
SELECT run('{"table": "only_key", "mode": "append_history"}', '[{"id": 1}, {"id": 3}]');

--
-- a table that is there
--
CREATE TABLE plain (id int, v text CHECK (v <> 'x'));
SELECT run('{"table": "plain", "mode": "append_history"}', items('1a'));
SELECT run('{"table": "plain", "mode": "append_history", "key": "id"}', items('1a'));
ALTER TABLE plain ADD COLUMN valid_from timestamptz, ADD COLUMN valid_to timestamptz;
SELECT run('{"table": "plain", "mode": "append_history", "key": "id"}', items('1a'));
CREATE UNIQUE INDEX ON plain (id) WHERE valid_to IS NOT NULL;
SELECT run('{"table": "plain", "mode": "append_history", "key": "id"}', items('1a'));
CREATE UNIQUE INDEX ON plain (id) WHERE valid_to IS NULL;
DROP INDEX plain_id_idx;
SELECT run('{"table": "plain", "mode": "append_history", "key": "id"}', items('1a'));
SELECT run('{"table": "plain", "mode": "append_history"}', items('1b 2a'));
SELECT versions('plain');
ALTER TABLE plain ALTER COLUMN valid_to TYPE timestamp;
SELECT run('{"table": "plain", "mode": "append_history"}', items('1b'));
DROP TABLE plain;
CREATE TABLE plain (id int UNIQUE, v text CHECK (v <> 'x'), valid_from timestamptz, valid_to timestamptz);
CREATE UNIQUE INDEX ON plain (id) WHERE valid_to IS NULL;
SELECT run('{"table": "plain", "mode": "append_history"}', items('1b'));
ALTER TABLE plain DROP CONSTRAINT plain_id_key;
SELECT run('{"table": "plain", "mode": "append_history"}', '[{"v": "no key"}]');
SELECT run('{"table": "plain", "mode": "append_history"}', items('1a'), '{"transform": {"id": "{{item.id}}", "valid_from": "{{now}}"}}');
SELECT run('{"table": "no_id", "mode": "append_history"}', '[{"v": "a"}]');
CREATE VIEW plain_view AS SELECT * FROM plain;
SELECT run('{"table": "plain_view", "mode": "append_history", "key": "id"}', items('1a'));

-- bad items
SELECT run('{"table": "plain", "mode": "append_history"}', items('1a 2x 3c'));
SELECT run('{"table": "plain", "mode": "append_history", "onError": "log_and_continue"}', items('1a 2x 3c 4x 3d'));
SELECT run('{"table": "plain", "mode": "append_history", "onError": "log_and_continue"}', items('1b 2b 3x 3x 4-'), '{"validation": {"required": ["v"]}}');
SELECT versions('plain');

-- equal rows are not touched
CREATE TABLE before AS SELECT ctid AS place, * FROM plain;
SELECT run('{"table": "plain", "mode": "append_history"}', items('1b 2b'));
SELECT count(*) FROM before JOIN plain ON place = plain.ctid;

-- triggers that change and drop rows
CREATE FUNCTION change_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.v = 'd' THEN
		RETURN NULL;
	END IF;
	new.v := upper(new.v);
	RETURN new;
END $$;
CREATE TABLE triggered (id int, v text, valid_from timestamptz, valid_to timestamptz);
CREATE UNIQUE INDEX ON triggered (id) WHERE valid_to IS NULL;
CREATE TRIGGER change_row BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION change_row();
SELECT run('{"table": "triggered", "mode": "append_history"}', items('1a 2d 3b'));
SELECT run('{"table": "triggered", "mode": "append_history"}', items('1a 2d 3c 3d 1b 4e 5s'), '{"transform": {"id": "{{item.id}}", "v": "{{item.v == ''s'' ? skip : item.v}}"}}');
SELECT run('{"table": "triggered", "mode": "append_history"}', items('1b 3e 4e'));
SELECT versions('triggered');

-- partitions
CREATE TABLE parts (id int, v text, valid_from timestamptz, valid_to timestamptz, PRIMARY KEY (id, valid_from)) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_high (v text, valid_to timestamptz, valid_from timestamptz NOT NULL, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_high FOR VALUES FROM (10) TO (100);
CREATE UNIQUE INDEX ON parts (id) WHERE valid_to IS NULL;
SELECT run('{"table": "parts", "mode": "append_history", "key": "id"}', items('1a 2a 11a 12a'));
SELECT run('{"table": "parts", "mode": "append_history", "key": "id"}', items('1a 2b 11b 12a 13a 11c'));
SELECT versions('parts');

-- a plan that is made while the table is empty looks every row up by its key
SELECT line FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}"},
	"destination": {"type": "database", "table": "plain", "mode": "append_history", "key": "id"}}') AS line;
TRUNCATE plain;
ANALYZE plain;
SELECT count(*) FILTER (WHERE line ~ 'Scan .*\mplain\M') AS of_table, count(*) FILTER (WHERE line ~ 'Index Cond: .*\mid = ') AS by_key, count(*) FILTER (WHERE line ~ 'Hash Join') AS hash_joins
FROM databite.explain_job('{"id": "x", "source": {"type": "inline", "items": []}, "transform": {"id": "{{item.id}}", "v": "{{item.v}}"},
	"destination": {"type": "database", "table": "plain", "mode": "append_history", "key": "id"}}', true) AS line;
SELECT databite.schedule_job('{"id": "history", "source": {"type": "inline", "items": [{"id": 1, "v": "dry"}]}, "destination": {"type": "database", "table": "t", "mode": "append_history"}}');
SELECT status, records_updated FROM databite.execute_job('history', dry_run => true);
SELECT versions('t');

SELECT databite.unschedule_job('history');
DROP SCHEMA history CASCADE;
