-- Events: rows and queued runs, in the transaction that emits them.
SET client_min_messages = warning;
CREATE SCHEMA events;
SET search_path = events, public;
DELETE FROM databite.run;
DELETE FROM databite.event;

-- jobs are not enabled here, so that no worker runs them
CREATE FUNCTION job(id text, trigger jsonb, enabled bool = false) RETURNS text LANGUAGE sql AS $$
	SELECT databite.schedule_job(jsonb_build_object('id', id, 'enabled', enabled, 'trigger', '{"type": "event"}'::jsonb || trigger,
		'source', '{"type": "sql", "query": "SELECT 1 AS id"}'::jsonb,
		'destination', jsonb_build_object('type', 'database', 'table', id, 'schema', '{"id": "integer", "name": "text", "at": "timestamptz", "what": "text"}'::jsonb),
		'transform', '{"id": "{{item.id}}", "name": "{{event.name}}", "at": "{{event.timestamp}}", "what": "{{event.payload.x ?? ''nothing''}}"}'::jsonb))
$$;
SELECT job('anybody', '{"event": "data_updated"}'), job('system', '{"event": "data_updated", "source": "external_system"}'), job('other', '{"event": "something_else"}');
SELECT databite.emit_event('data_updated') > 0 AS emitted;
SELECT databite.emit_event('data_updated', 'external_system', '{"x": "y"}') > 0 AS emitted;
SELECT databite.emit_event('data_updated', 'elsewhere') > 0 AS emitted;
SELECT databite.emit_event('nobody_waits') > 0 AS emitted;
BEGIN;
SELECT databite.emit_event('data_updated', 'external_system') > 0 AS emitted;
ROLLBACK;
SELECT r.job_id, r.status, r.trigger, e.name, e.source, e.payload FROM databite.run AS r JOIN databite.event AS e USING (event_id) ORDER BY run_id;
SELECT name, source, payload, emitter = current_user::regrole AS mine FROM databite.event ORDER BY event_id;

-- by hand there is no event
SELECT status, records_inserted FROM databite.execute_job('system');
SELECT * FROM system;

-- names
SELECT databite.emit_event('', NULL);
SELECT databite.emit_event(NULL);
SELECT databite.emit_event('x', repeat('x', 201));
SELECT databite.emit_event('x', NULL, NULL) > 0 AS emitted;

-- a change of a table
CREATE TABLE orders (id int PRIMARY KEY, total numeric);
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION databite.emit_on_change('orders_changed');
CREATE TRIGGER emptied AFTER TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION databite.emit_on_change('orders_emptied', 'shop');
DELETE FROM databite.event;
INSERT INTO orders VALUES (1, 1.50), (2, 2);
UPDATE orders SET total = 3 WHERE id = 2;
DELETE FROM orders WHERE id = 1;
TRUNCATE orders;
SELECT name, source, payload FROM databite.event ORDER BY event_id;
CREATE TRIGGER early BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION databite.emit_on_change('x');
INSERT INTO orders VALUES (3, 3);
DROP TRIGGER early ON orders;
CREATE TRIGGER nameless AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION databite.emit_on_change();
INSERT INTO orders VALUES (3, 3);
SELECT databite.emit_on_change();

-- the document's job, as it stands
SELECT databite.schedule_job('{
	"id": "event_driven_sync", "name": "Event-driven Sync", "enabled": false,
	"trigger": {"type": "event", "event": "data_updated", "source": "external_system"},
	"source": {"type": "api", "url": "https://api.service.com/updated_data", "query": {"since": "{{event.timestamp}}"}},
	"destination": {"type": "database", "table": "updated_data"}
}');
SELECT * FROM databite.explain_job('event_driven_sync') LIMIT 2;

CREATE ROLE events_nobody;
GRANT USAGE ON SCHEMA databite TO events_nobody;
SET ROLE events_nobody;
SELECT databite.emit_event('data_updated');
RESET ROLE;
REVOKE USAGE ON SCHEMA databite FROM events_nobody;
DROP ROLE events_nobody;

-- a job that a trigger starts is not said to have no schedule
SELECT job('waiting', '{"event": "of nobody"}', true);
SELECT databite.unschedule_job('waiting');

SELECT databite.unschedule_job(j) FROM unnest(ARRAY['anybody', 'system', 'other', 'event_driven_sync']) AS j;
DELETE FROM databite.run;
DELETE FROM databite.event;
DROP SCHEMA events CASCADE;
