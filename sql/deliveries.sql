-- Deliveries of webhooks that are not as they should be, and of whom they are taken.
SET client_min_messages = warning;
CREATE SCHEMA deliveries;
SET search_path = deliveries, public;
DELETE FROM databite.run;
DELETE FROM databite.rejected_item;

-- jobs are not enabled here, so that no worker runs them
CREATE FUNCTION job(id text, trigger jsonb, source jsonb = '{}', rest jsonb = '{}') RETURNS text LANGUAGE sql AS $$
	SELECT databite.schedule_job(jsonb_build_object('id', id, 'enabled', false,
		'trigger', jsonb_build_object('type', 'webhook', 'endpoint', '/' || id) || trigger,
		'source', '{"type": "webhook_data"}'::jsonb || source,
		'destination', jsonb_build_object('type', 'database', 'table', id, 'schema', '{"id": "integer", "name": "text"}'::jsonb, 'mode', 'insert')) || rest)
$$;
CREATE FUNCTION take(job text, body text, headers jsonb = '{}', query text = '') RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', r ->> 'status', r ->> 'message') FROM databite.receive_webhook('/' || job || query, headers, convert_to(body, 'UTF8')) AS r
$$;
CREATE FUNCTION show(job text) RETURNS TABLE (status text, processed bigint, inserted bigint, rejected bigint, message text) LANGUAGE sql AS $$
	SELECT status, records_processed, records_inserted, records_rejected, error ->> 'message' FROM databite.execute_job(job)
$$;

-- what no type of PostgreSQL can hold, or is no object, is a rejected item, and holds up nobody behind it
SELECT job('odd', '{}');
SELECT take('odd', b) FROM unnest(ARRAY['{"id": 1}', '{"id": 2, "name": "a\u0000b"}', '{"id": 3, "name": "\ud800"}', '{"id": 1e999999}', '{"id": 1e9}',
	'7', '"text"', 'null', '[1, {"id": 5}]', '{}', '[]', '{"id": 6, "name": "\\u0000"}']) AS b;
SELECT * FROM show('odd');
SELECT * FROM odd ORDER BY id;
SELECT item, error_code, message FROM databite.rejected_items WHERE job_id = 'odd' ORDER BY id;
SELECT count(*) FROM databite.delivery;

-- so it is where it stands elsewhere in the payload, which templates look at
SELECT job('beside', '{}', '{"payload": "{{webhook.payload.data}}"}', '{"transform": {"id": "{{payload.id}}", "name": "{{webhook.payload.x}}"}}');
SELECT take('beside', format('{"data": {"id": %s}, "x": %s}', n, x)) FROM unnest(ARRAY['"a"', '"\u0000"', '"\ud800"', '1e999999', '"e"']) WITH ORDINALITY AS u(x, n);
SELECT * FROM show('beside');
SELECT * FROM beside ORDER BY id;
SELECT error_code, message FROM databite.rejected_items WHERE job_id = 'beside' ORDER BY id;

-- nesting that no run would read is refused
SELECT job('deep', '{}', '{}', '{"transform": {"id": 1, "name": "{{payload.a | length}}"}}');
SELECT take('deep', repeat('[', 500) || repeat(']', 500)), take('deep', repeat('[', 501) || repeat(']', 501)), take('deep', repeat('[', 100000)),
	take('deep', '{"a": "\"' || repeat('[', 600) || '"}');
SELECT * FROM show('deep');
SELECT * FROM deep;

-- one whose items are of no use to the table does not have those behind it wait
SELECT job('useless', '{}');
SELECT take('useless', '{"zen": "ping"}');
SELECT * FROM show('useless');
SELECT take('useless', '{"id": 1}');
SELECT * FROM show('useless');
SELECT * FROM useless;
SELECT count(*) FROM databite.delivery;

-- a delivery without the list is set aside until the job is scheduled anew; the ones behind it are written
SELECT job('lists', '{}', '{"dataPath": "rows"}');
SELECT take('lists', b) FROM unnest(ARRAY['{"rows": [{"id": 1}]}', '{"zen": "ping"}', '{"rows": [{"id": 2}, {"id": 3}]}', '{"rows": 5}', '{"rows": null}']) AS b;
SELECT count(*) FROM databite.preview_job('lists', 1);
SELECT * FROM show('lists');
SELECT id FROM lists ORDER BY id;
SELECT item, error_code, regexp_replace(message, '\d+', 'N') AS message FROM databite.rejected_items WHERE job_id = 'lists' ORDER BY id;
SELECT payload, set_aside FROM databite.delivery ORDER BY delivery_id;
SELECT status, records_processed FROM databite.execute_job('lists');
SELECT job('lists', '{}', '{"dataPath": "zen"}');
SELECT count(*) FILTER (WHERE set_aside) FROM databite.delivery;
SELECT job('lists', '{}', '{}', '{"transform": {"id": 9, "name": "{{payload.zen}}"}}');
SELECT * FROM show('lists');
SELECT name FROM lists WHERE id = 9 ORDER BY name;
SELECT count(*) FROM databite.delivery;

-- where bad items shall fail the run, it fails, and the delivery waits
SELECT job('strict', '{}', '{"dataPath": "rows"}', '{"errorHandling": {"onItemError": "fail"}}');
SELECT take('strict', '{"zen": "ping"}');
SELECT * FROM show('strict');
SELECT count(*) FROM databite.delivery WHERE NOT set_aside;

-- a definition that takes no webhooks any more leaves what has come; with the job it goes
SELECT databite.schedule_job('{"id": "strict", "enabled": false, "source": {"type": "inline", "items": []},
	"destination": {"type": "database", "table": "strict", "schema": {"id": "integer"}, "mode": "insert"}}');
SELECT take('strict', '{"rows": []}');
SELECT count(*) FROM databite.delivery;
SELECT databite.unschedule_job('strict');
SELECT count(*) FROM databite.delivery;

-- nothing is no reason to say 200
SELECT databite.receive_webhook(NULL, '{}', '{}'), databite.receive_webhook('/odd', NULL, '{}') - 'delivery_id', databite.receive_webhook('/odd', '{}', NULL);

-- a commit is waited for, also where the database does not wait
BEGIN;
SET LOCAL synchronous_commit = off;
SELECT take('odd', '{"id": 8}');
SHOW synchronous_commit;
ROLLBACK;

-- Twilio: fields that are there twice, a body that is no form, the port
SELECT job('twilio', '{"secret": "12345", "signature": {"scheme": "twilio", "url": "https://mycompany.com/myapp.php?foo=1&bar=2"}}');
CREATE FUNCTION twilio(signature text, body text, type text = 'application/x-www-form-urlencoded', query text = '') RETURNS text LANGUAGE sql AS $$
	SELECT take('twilio', body, jsonb_build_object('X-Twilio-Signature', signature, 'Content-Type', type), query)
$$;
SELECT twilio('IK+Dwps556ElfBT0I3Rgjkr1wJU=', 'Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234'),
	twilio('IK+Dwps556ElfBT0I3Rgjkr1wJU=', 'Digits=1234&Sid=CA123&Digits=5678&SidAccount=AC123&Digits=1234');
SELECT twilio('a9nBmqA0ju/hNViExpshrM61xv4=', b, 'application/json', '?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620')
FROM unnest(ARRAY['{"property": "value", "boolean": true}', '{"property": "value", "boolean": false}']) AS b;
SELECT twilio('a9nBmqA0ju/hNViExpshrM61xv4=', '{"property": "value", "boolean": true}', 'application/json');
SELECT job('twilio', '{"secret": "12345", "signature": {"scheme": "twilio", "url": "http://mycompany.com:1234/myapp.php?foo=1&bar=2"}}');
CREATE FUNCTION call() RETURNS text LANGUAGE sql AS
	$$SELECT 'CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309'$$;
SELECT twilio('Zmvh+3yNM1Phv2jhDCwEM3q5ebU=', call()), twilio('RSOYDt4T1cUTdK1PDd93/VVr8B8=', call());
SELECT job('twilio', '{"secret": "12345", "signature": {"scheme": "twilio", "url": "https://mycompany.com:1234/myapp.php"}}');
SELECT twilio('RSOYDt4T1cUTdK1PDd93/VVr8B8=', call(), query => '?foo=1&bar=2'), twilio('RSOYDt4T1cUTdK1PDd93/VVr8B8=', call(), query => '?foo=1');

-- where no URL is told, that of the request: behind a proxy, whose headers say how it was
SELECT job('proxied', '{"secret": "12345", "signature": "twilio"}');
CREATE FUNCTION proxied(signature text, headers jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT take('proxied', '{"a": 1}', headers || jsonb_build_object('X-Twilio-Signature', signature, 'Content-Type', 'application/json'),
		'?bodySHA256=f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310')
$$;
SELECT proxied('I6WaD04LtbzwatxktA2nvJUvN8A=', '{"Host": "example.com"}'), proxied('I6WaD04LtbzwatxktA2nvJUvN8A=', '{"Host": "inner:8080"}'),
	proxied('I6WaD04LtbzwatxktA2nvJUvN8A=', '{"Host": "inner:8080", "X-Forwarded-Host": "example.com"}'), proxied('I6WaD04LtbzwatxktA2nvJUvN8A=', '{}'),
	proxied('2GRpHhxGqNQc8RyurgH6Jf8Jkxg=', '{"Host": "inner:8080", "X-Forwarded-Proto": "http"}');

-- Stripe: one event once, by the id in its body, which is looked for without trust
SELECT job('stripe', '{"secret": "mysecret"}');
CREATE FUNCTION stripe(body text, t bigint = extract(epoch FROM clock_timestamp())::bigint, extra text = '') RETURNS text LANGUAGE sql AS $$
	SELECT take('stripe', body, jsonb_build_object('Stripe-Signature', format('t=%s,v1=%s%s', t,
		databite.evaluate('{{item | hmac_sha256("mysecret")}}', to_jsonb(t || '.' || body)) #>> '{}', extra)))
$$;
SELECT stripe('{"data": {"id": "evt_0"}, "id": "evt_1"}'), stripe('{"id": "evt_1", "other": true}', extra => ',v0=00'), stripe('{"id": "evt_2"}'),
	stripe('{"id": 5}'), stripe('{"id": 5}'), stripe('[{"id": "evt_1"}]'), stripe('{"text": "\u0000\ud800", "id": "evt_3"}'), stripe('{"text": "\u0000", "id": "evt_3"}');
SELECT stripe('{"id": "evt_4"}', 1), stripe('{"id": "evt_4"}', 9999999999);

-- times in milliseconds; signatures in upper case, in base64 of either alphabet; the first of several headers counts
SELECT job('own', '{"secret": "mysecret", "signature": {"header": "X-Sign", "timestampHeader": "X-Time", "signedPayload": "{{timestamp}}{{body}}"}}');
SELECT take('own', '{}', jsonb_build_object('X-Time', t, 'X-Sign', databite.evaluate('{{item | hmac_sha256("mysecret")}}', to_jsonb(t || '{}'))))
FROM (VALUES (extract(epoch FROM clock_timestamp())::numeric(20, 0)), (extract(epoch FROM clock_timestamp())::numeric(20, 3) * 1000),
	((extract(epoch FROM clock_timestamp()) - 400)::numeric(20, 3) * 1000), ((extract(epoch FROM clock_timestamp()) + 400)::numeric(20, 3) * 1000),
	(extract(epoch FROM clock_timestamp())::numeric(20, 0) * 100000)) AS v(n), LATERAL (SELECT trunc(n)::text AS t) AS t;
SELECT job('own', '{"secret": ["other", "mysecret"], "signature": {"header": "X-Sign"}}');
SELECT take('own', '{"foo":"bar"}', jsonb_build_object('x-sign', s)) FROM unnest(ARRAY['"4864D2759938A15468B5DF9ADE20BF161DA9B4F737EA61794142F3484236BDA3"',
	'["4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3", "00"]', '["00", "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"]',
	'[]', '{}', 'null', '5', '""', '"4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3 "']::jsonb[]) AS s;
SELECT job('own', '{"secret": "mysecret", "signature": {"header": "X-Sign", "encoding": "base64"}}');
SELECT take('own', '{"foo":"bar"}', jsonb_build_object('x-sign', s)) FROM unnest(ARRAY['SGTSdZk4oVRotd+a3iC/Fh2ptPc36mF5QULzSEI2vaM=',
	'SGTSdZk4oVRotd-a3iC_Fh2ptPc36mF5QULzSEI2vaM', 'SGTSdZk4oVRotd+a3iC/Fh2ptPc36mF5QULzSEI2vaM==', 'SGTSdZk4oVRotd+a3iC/Fh2ptPc36mF5QULzSEI2va']) AS s;

-- Standard Webhooks: both ways in time; a secret that says it is a key and has none is the key to nothing
SELECT job('standard', '{"secret": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"], "signature": "standard"}');
SELECT take('standard', '{"test": 2432232314}', '{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
	"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}');
SELECT job('standard', '{"secret": "whsec_", "signature": {"scheme": "standard", "maxAge": 0}}');
SELECT take('standard', '{}', jsonb_build_object('webhook-id', 'a', 'webhook-timestamp', '1', 'webhook-signature',
	'v1,' || encode(decode(databite.evaluate('{{item | hmac_sha256("whsec_")}}', to_jsonb('a.1.{}'::text)) #>> '{}', 'hex'), 'base64')));

-- the core of Stripe's: the vectors of its library
SELECT databite.evaluate('{{item | hmac_sha256("test_secret")}}', to_jsonb(t)) FROM unnest(ARRAY['', '{"obj1":"hello","obj2":"world"}', U&'\+01F600']) AS t;

-- through PostgREST: who may send owns nothing and may read nothing
CREATE ROLE deliveries_gateway;
CREATE ROLE deliveries_anon;
GRANT USAGE ON SCHEMA databite TO deliveries_gateway;
GRANT EXECUTE ON FUNCTION databite.receive_webhook TO deliveries_gateway;
GRANT USAGE, CREATE ON SCHEMA deliveries TO deliveries_gateway;
GRANT USAGE ON SCHEMA deliveries TO deliveries_anon;
SET ROLE deliveries_gateway;
CREATE FUNCTION hook(json) RETURNS json LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT databite.receive_webhook('/own', current_setting('request.headers', true)::jsonb, convert_to($1::text, 'UTF8'))::json
$$;
REVOKE EXECUTE ON FUNCTION hook FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hook TO deliveries_anon;
SET ROLE deliveries_anon;
BEGIN;
SET LOCAL request.headers = '{"host": "example.com", "x-sign": "SGTSdZk4oVRotd+a3iC/Fh2ptPc36mF5QULzSEI2vaM="}';
SELECT hook('{"foo":"bar"}') ->> 'message' AS message, current_setting('response.status') AS status;
SELECT hook('{"foo": "bar"}') ->> 'message' AS message, current_setting('response.status') AS status;
COMMIT;
SELECT databite.receive_webhook('/own', '{}', '{}');
SELECT * FROM databite.delivery;
RESET ROLE;
DROP FUNCTION hook;
DROP OWNED BY deliveries_gateway, deliveries_anon;
DROP ROLE deliveries_gateway, deliveries_anon;

SELECT bool_and(databite.unschedule_job(job_id)) FROM databite.job WHERE definition -> 'trigger' ? 'endpoint';
SELECT (SELECT count(*) FROM databite.delivery), (SELECT count(*) FROM databite.delivery_seen);
DELETE FROM databite.run;
DELETE FROM databite.rejected_item;
DROP SCHEMA deliveries CASCADE;
