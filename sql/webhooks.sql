-- What webhooks bring, as items of a run.
SET client_min_messages = warning;
CREATE SCHEMA webhooks;
SET search_path = webhooks, public;
DELETE FROM databite.run;
DELETE FROM databite.rejected_item;

-- Takes a body for an endpoint: the status.
CREATE FUNCTION take(endpoint text, body text, headers jsonb = '{}') RETURNS text LANGUAGE sql AS $$
	SELECT r ->> 'status' FROM databite.receive_webhook(endpoint, headers, convert_to(body, 'UTF8')) AS r
$$;
CREATE FUNCTION show(job text) RETURNS TABLE (status text, processed bigint, inserted bigint, updated bigint, rejected bigint, message text)
LANGUAGE sql AS $$
	SELECT status, records_processed, records_inserted, records_updated, records_rejected, error ->> 'message' FROM databite.execute_job(job)
$$;

-- the job of the document, as it stands; jobs are not enabled here, so that no worker runs them
SELECT databite.schedule_job('{
	"id": "webhook_sync", "name": "Webhook-based Real-time Sync", "enabled": false,
	"trigger": {"type": "webhook", "endpoint": "/webhook/sync", "secret": "x"},
	"source": {"type": "webhook_data", "payload": "{{webhook.payload}}"},
	"destination": {"type": "database", "table": "real_time_data"},
	"transform": {"id": "{{payload.id}}", "event_type": "{{payload.event_type}}", "data": "{{payload.data}}", "timestamp": "{{payload.timestamp}}"}
}');
SELECT take('/webhook/sync', b, jsonb_build_object('X-Signature', databite.evaluate('{{item | hmac_sha256("x")}}', to_jsonb(b)) #>> '{}'))
FROM unnest(ARRAY['{"id": 1, "event_type": "created", "data": {"total": 1.10}, "timestamp": "2024-05-01T10:00:00Z"}',
	'{"id": 2, "event_type": "created", "data": {"total": 2e2}, "timestamp": "2024-05-01T10:00:01Z"}',
	'{"id": 1, "event_type": "paid", "data": {"total": 1.10}, "timestamp": "2024-05-01T10:00:02Z"}']) AS b;
SELECT * FROM show('webhook_sync');
SELECT * FROM real_time_data ORDER BY id;
SELECT count(*) FROM databite.delivery;
SELECT * FROM show('webhook_sync');

-- all that a template can see; lists; a part of the payload; what fits nowhere is rejected, and does not come again
SELECT databite.schedule_job('{
	"id": "parts", "enabled": false, "trigger": {"type": "webhook", "endpoint": "/parts"},
	"source": {"type": "webhook_data", "payload": "{{ webhook.payload.data.items }}", "where": "{{ payload.id != 4 }}"},
	"destination": {"type": "database", "table": "parts", "schema": {"id": "integer", "kind": "text", "sender": "text", "whole": "json", "name": "text"}, "key": "id"},
	"transform": {"id": "{{payload.id}}", "kind": "{{webhook.headers[\"x-kind\"]}}", "sender": "{{webhook.payload.from | upper}}",
		"whole": "{{payload}}", "name": "{{item.name}}"}
}');
SELECT take('/parts', '{"from": "ada", "data": {"items": [{"id": 1, "name": "one"}, {"id": "no", "name": "bad"}, {"id": 2}]}}', '{"X-Kind": "order"}');
SELECT take('/parts', '{"from": "bob", "data": {"items": {"id": 3, "name": "three"}}}', '{"x-kind": "refund"}');
SELECT take('/parts', '{"from": "cyd", "data": {"items": [{"id": 4}, {"id": 1, "name": "uno"}]}}');
SELECT take('/parts', '{"from": "dan", "data": {"items": []}}'), take('/parts', '{"from": "eve"}'), take('/parts', '[]');
SELECT * FROM databite.preview_job('parts', 2);
SELECT status, records_processed FROM databite.execute_job('parts', true);
SELECT count(*) FROM databite.delivery;
SELECT * FROM show('parts');
SELECT id, kind, sender, whole, name FROM parts ORDER BY id;
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'parts' ORDER BY id;
SELECT count(*) FROM databite.delivery;

-- the columns of a table that is made for it have the types of what the deliveries bring, and came with
SELECT databite.schedule_job('{
	"id": "typed", "enabled": false, "trigger": {"type": "webhook", "endpoint": "/typed"}, "source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "typed", "mode": "insert"},
	"transform": {"name": "{{payload.name}}", "delivery": "{{webhook.id}}", "received": "{{webhook.received_at}}", "kind": "{{webhook.headers[\"x-kind\"]}}",
		"total": "{{webhook.payload.total}}", "lines": "{{webhook.payload.lines}}", "ids": "{{webhook.payload.lines[*].id}}", "run": "{{run.id}}",
		"started": "{{run.started_at}}", "missing": "{{webhook.payload.nothing}}"}
}');
SELECT take('/typed', '{"name": "one", "total": 1, "lines": []}', '{"x-kind": "order"}'), take('/typed', '{"name": "two", "total": 2.5, "lines": [{"id": 1}]}', '{"x-kind": "2"}');
SELECT * FROM show('typed');
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'typed'::regclass AND attnum > 0 ORDER BY attnum;
SELECT name, kind, total, lines, ids, missing FROM typed ORDER BY name;

-- a list somewhere in it
SELECT databite.schedule_job('{
	"id": "lists", "enabled": false, "trigger": {"type": "webhook", "endpoint": "/lists"},
	"source": {"type": "webhook_data", "dataPath": "rows[*].row"},
	"destination": {"type": "database", "table": "lists", "mode": "insert"}
}');
SELECT take('/lists', '{"rows": [{"row": {"id": 1, "v": "a"}}, {"row": {"id": 2, "v": "b"}}]}'), take('/lists', '{"rows": [{"row": {"id": 3, "v": "c"}}]}');
SELECT * FROM show('lists');
SELECT * FROM lists ORDER BY id;

-- small batches: deliveries that are larger, and many that are smaller; a run that fails keeps what it had not written
CREATE TABLE batches (id int CHECK (id <> 13), delivery bigint);
SELECT databite.schedule_job('{
	"id": "batches", "enabled": false, "trigger": {"type": "webhook", "endpoint": "/batches"}, "source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "batches", "mode": "insert", "batchSize": 4, "onError": "fail"},
	"transform": {"id": "{{payload.id}}", "delivery": "{{webhook.id}}"}
}');
SELECT count(take('/batches', (SELECT json_agg(json_build_object('id', n)) FROM generate_series(i, i + 8, 1) AS n)::text)) FROM (VALUES (1), (21)) AS v(i);
SELECT count(take('/batches', json_build_object('id', n)::text)) FROM generate_series(41, 49) AS n;
SELECT count(take('/batches', '[{"id": 11}, {"id": 12}, {"id": 13}, {"id": 14}]')), count(take('/batches', '{"id": 50}'));
\set VERBOSITY terse
CALL databite.run_job('batches');
SELECT count(*), count(DISTINCT id) FROM batches;
SELECT count(*) FROM databite.delivery;
ALTER TABLE batches DROP CONSTRAINT batches_id_check;
CALL databite.run_job('batches');
\set VERBOSITY default
SELECT count(*), count(DISTINCT id), count(DISTINCT delivery) FROM batches;
SELECT count(*) FROM databite.delivery;
SELECT status, records_processed, records_inserted FROM databite.runs WHERE job_id = 'batches' ORDER BY run_id;

-- an endpoint is one job's; what is wrong with definitions
SELECT databite.schedule_job('{"id": "other", "trigger": {"type": "webhook", "endpoint": "/batches"}, "source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "batches", "mode": "insert"}}');
SELECT pointer, message, hint FROM unnest(ARRAY[
	'{"trigger": null}', '{"source": {"type": "inline", "items": []}}', '{"source": {"type": "webhook_data", "payload": "{{payload}}"}}',
	'{"source": {"type": "webhook_data", "payload": "{{webhook.payload.a[*].b}}"}}', '{"source": {"type": "webhook_data", "payload": "x{{webhook.payload}}"}}',
	'{"source": {"type": "webhook_data", "url": "https://x"}}', '{"destination": {"type": "database", "table": "batches", "mode": "replace"}}',
	'{"destination": {"type": "database", "table": "parts", "deletes": {"missing": "hard"}}}', '{"destination": {"type": "database", "table": "batches", "mode": "parallel_insert"}}',
	'{"transform": {"id": "{{payload.id}}", "delivery": "{{webhok.id}}"}}'
]::jsonb[]) AS change, databite.validate_job(jsonb_strip_nulls('{"id": "wrong", "trigger": {"type": "webhook", "endpoint": "/wrong"}, "source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "batches", "mode": "insert"}}' || change));
SELECT pointer, message FROM databite.validate_job('{"id": "wrong", "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "batches", "mode": "insert"}, "transform": {"id": "{{webhook.id}}"}}');
SELECT * FROM databite.explain_job('parts');

-- a preview sees the deliveries that wait, and what they came with
SET client_min_messages = notice;
SELECT * FROM databite.preview_job('parts');
SET client_min_messages = warning;
SELECT take('/parts', '{"from": "fay", "data": {"items": [{"id": 8}]}}', '{"x-kind": "order"}'), take('/parts', '{"from": "gus", "data": {"items": [{"id": 9}]}}', '{"x-kind": "refund"}');
SELECT item, target_row - 'whole' AS row, error FROM databite.preview_job('parts');
SELECT count(*) FROM databite.delivery;

-- a job that reads no deliveries has a run for each, whose payload that is
SELECT databite.schedule_job('{
	"id": "each", "enabled": false, "trigger": {"type": "webhook", "endpoint": "/each", "signature": {"header": "X-Sign", "idHeader": "X-Id"}, "secret": "x"},
	"source": {"type": "sql", "query": "SELECT {{payload.id}}::int AS id, {{payload.name}} AS name"},
	"destination": {"type": "database", "table": "each", "schema": {"id": "integer", "name": "text", "note": "json"}, "key": "id"},
	"transform": {"id": "{{item.id}}", "name": "{{item.name | upper}}", "note": "{{payload.note}}"}
}');
SELECT databite.receive_webhook('/each', jsonb_build_object('X-Sign', databite.evaluate('{{item | hmac_sha256("x")}}', to_jsonb(b)) #>> '{}', 'X-Id', i), convert_to(b, 'UTF8')) - 'run_id' AS answer
FROM (VALUES (1, '{"id": 1, "name": "one", "note": [1.50, null]}'), (2, '{"id": 2, "name": "it''s"}'), (1, '{"id": 1, "name": "one", "note": [1.50, null]}'),
	(3, '{"id": "\u0000"}'), (4, 'nothing')) AS v(i, b);
SELECT status, trigger, payload FROM databite.runs WHERE job_id = 'each' ORDER BY run_id;
SELECT count(*) FROM databite.delivery WHERE job_id = 'each';
SELECT pointer, message, hint FROM databite.validate_job('{"id": "wrong", "trigger": {"type": "webhook", "endpoint": "/wrong"},
	"source": {"type": "api", "url": "https://api.example.com/{{webhook.payload.id}}"}, "destination": {"type": "database", "table": "each"}}');
UPDATE databite.run SET status = 'cancelled', finished_at = now() WHERE job_id = 'each';

SELECT databite.unschedule_job(j) FROM unnest(ARRAY['webhook_sync', 'parts', 'lists', 'batches', 'each']) AS j;
SELECT (SELECT count(*) FROM databite.delivery), (SELECT count(*) FROM databite.delivery_seen);
DROP SCHEMA webhooks CASCADE;
