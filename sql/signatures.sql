-- Who may send a webhook: the senders' own test vectors, and what is not right about a delivery.
SET client_min_messages = warning;
CREATE SCHEMA signatures;
SET search_path = signatures, public;

-- A job whose endpoint takes what is signed so.
CREATE FUNCTION hook(trigger jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT databite.schedule_job(jsonb_build_object('id', 'hook', 'enabled', false,
		'trigger', '{"type": "webhook", "endpoint": "/hook"}'::jsonb || trigger,
		'source', '{"type": "webhook_data", "payload": "{{webhook.payload}}"}'::jsonb,
		'destination', '{"type": "database", "table": "hook", "schema": {"id": "text"}, "mode": "insert"}'::jsonb,
		'transform', '{"id": "{{payload.id}}"}'::jsonb))
$$;

-- The status of the answer, and what it says.
CREATE FUNCTION receive(headers jsonb, body text, endpoint text = '/hook') RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', r ->> 'status', r ->> 'message')
	FROM databite.receive_webhook(endpoint, headers, convert_to(body, 'UTF8')) AS r
$$;

-- GitHub, and its library's tests: the bytes count, not what they mean
SELECT hook('{"secret": "It''s a Secret to Everybody", "signature": "github"}');
SELECT receive('{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}', 'Hello, World!');
SELECT hook('{"secret": "mysecret", "signature": "github"}');
SELECT receive('{"x-hub-signature-256": "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}', '{"foo":"bar"}');
SELECT receive('{"x-hub-signature-256": "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}', '{"foo": "bar"}');
SELECT receive('{"x-hub-signature-256": "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}', '{"foo":"bar"}');
SELECT receive('{"x-hub-signature-256": "sha256="}', '{"foo":"bar"}');
SELECT receive('{"x-hub-signature-256": "sha256=4864"}', '{"foo":"bar"}');
SELECT receive('{"x-hub-signature-256": "sha256=zz64d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}', '{"foo":"bar"}');
SELECT receive('{}', '{"foo":"bar"}');
SELECT hook('{"secret": "development", "signature": "github"}');
SELECT receive('{"X-Hub-Signature-256": "sha256=afecc3caa27548bb90d51a50384cb2868b9a3327b4ad6a01c9bd4ed0f8b0b12c"}',
	$${"foo":"Foo\n\u001B[34mbar: ♥♥♥♥♥♥♥♥\nthis-is-lost\u001B[0m\u001B[2K"}$$);
SELECT receive('{"X-Hub-Signature-256": "sha256=afecc3caa27548bb90d51a50384cb2868b9a3327b4ad6a01c9bd4ed0f8b0b12c"}',
	$${"foo":"Foo\n\u001b[34mbar: ♥♥♥♥♥♥♥♥\nthis-is-lost\u001b[0m\u001b[2K"}$$);
SELECT receive('{"X-Hub-Signature-256": "sha256=6f8326efbacfbd04e870cea25b5652e635be8c9807f2fd5348ef60753c9e96ed"}', '{"foo":"\\u001b"}');

-- Slack: its time is signed, and old
SELECT hook('{"secret": "8f742231b10e8888abcd99yyyzzz85a5", "signature": {"scheme": "slack", "maxAge": 0}}');
CREATE FUNCTION slack_body() RETURNS text LANGUAGE sql AS $$
	SELECT 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
$$;
SELECT receive('{"X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "X-Slack-Request-Timestamp": "1531420618",
	"Content-Type": "application/x-www-form-urlencoded"}', slack_body());
SELECT receive('{"X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "X-Slack-Request-Timestamp": "1531420619",
	"Content-Type": "application/x-www-form-urlencoded"}', slack_body());
SELECT receive('{"X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}', slack_body());
SELECT payload ->> 'team_domain' AS team, payload ->> 'command' AS command, payload ->> 'text' AS text FROM databite.delivery ORDER BY delivery_id DESC LIMIT 1;
SELECT hook('{"secret": "8f742231b10e8888abcd99yyyzzz85a5", "signature": "slack"}');
SELECT receive('{"X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "X-Slack-Request-Timestamp": "1531420618"}', slack_body());

-- Standard Webhooks, also under svix's names
SELECT hook('{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signature": {"scheme": "standard", "maxAge": 0}}');
CREATE FUNCTION standard(signature text, id text = 'msg_p5jXN8AQM9LWM0D4loKWxJek', stamp text = '1614265330', prefix text = 'webhook') RETURNS text LANGUAGE sql AS $$
	SELECT receive(jsonb_strip_nulls(jsonb_build_object(prefix || '-id', id, prefix || '-timestamp', stamp, prefix || '-signature', signature)), '{"test": 2432232314}')
$$;
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', prefix => 'svix');
SELECT standard('v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIO');
SELECT standard('v1,');
SELECT standard('g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
SELECT standard('v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', id => 'msg_another');
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', id => NULL);
SELECT standard('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', stamp => NULL);
SELECT standard(NULL);

-- Twilio: the URL and the form
SELECT hook('{"secret": "12345", "signature": {"scheme": "twilio", "url": "https://mycompany.com/myapp.php?foo=1&bar=2"}}');
CREATE FUNCTION twilio(signature text, body text) RETURNS text LANGUAGE sql AS $$
	SELECT receive(jsonb_build_object('X-Twilio-Signature', signature, 'Content-Type', 'application/x-www-form-urlencoded'), body)
$$;
SELECT twilio('RSOYDt4T1cUTdK1PDd93/VVr8B8=', 'CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309');
SELECT twilio('RSOYDt4T1cUTdK1PDd93/VVr8B8=', 'CallSid=CA1234567890ABCDE&Digits=1235&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309');
SELECT hook('{"secret": "12345", "signature": {"scheme": "twilio", "url": "https://mycompany.com:443/myapp.php?foo=1&bar=2"}}');
SELECT twilio('kvajT1Ptam85bY51eRf/AJRuM3w=', 'CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309');
SELECT hook('{"secret": "12345", "signature": {"scheme": "twilio", "url": "http://mycompany.com/myapp.php?foo=1&bar=2"}}');
SELECT twilio('0ZXoZLH/DfblKGATFgpif+LLRf4=', 'CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309');

-- Shopify; Stripe; no scheme said: what the headers say
SELECT hook('{"secret": "API_SECRET_KEY", "signature": "shopify"}');
SELECT receive('{"X-Shopify-Hmac-SHA256": "+ihUB5l+D7QrohDEi/6NcBcJRyKssyWqos13LmnsBbs=", "X-Shopify-Webhook-Id": "b54557e4"}', '{}');
SELECT receive('{"X-Shopify-Hmac-SHA256": "+ihUB5l+D7QrohDEi/6NcBcJRyKssyWqos13LmnsBbs=", "X-Shopify-Webhook-Id": "b54557e4"}', '{}');
SELECT hook('{"secret": "whsec_test_secret", "signature": {"scheme": "stripe", "maxAge": 0}}');
SELECT receive('{"Stripe-Signature": "t=1234567890,v1=45969f456b3331a0f76e237ed33423d5f758908f1f0432d30e7d45ba89bb9edd"}',
	E'{\n  "id": "evt_test_webhook",\n  "object": "event"\n}');
SELECT receive('{"Stripe-Signature": "t=1234567890,v1=00,v0=11,v1=45969f456b3331a0f76e237ed33423d5f758908f1f0432d30e7d45ba89bb9edd"}',
	E'{\n  "id": "evt_test_webhook",\n  "object": "event"\n}');
SELECT receive('{"Stripe-Signature": "v1=45969f456b3331a0f76e237ed33423d5f758908f1f0432d30e7d45ba89bb9edd"}', '{}');
SELECT receive('{"Stripe-Signature": "t=soon,v1=45969f456b3331a0f76e237ed33423d5f758908f1f0432d30e7d45ba89bb9edd"}', '{}');
SELECT hook('{"secret": ["old", "mysecret"]}');
SELECT receive('{"X-Hub-Signature-256": "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}', '{"foo":"bar"}');
SELECT receive('{"X-Signature": "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}', '{"foo":"bar"}');
SELECT receive('{"X-Signature": "SGTSdZk4oVRotd+a3iC/Fh2ptPc36mF5QULzSEI2vaM="}', '{"foo":"bar"}');
SELECT receive('{}', '{"foo":"bar"}');

-- times: of now, of the past, of the future; the secret is a token of the owner
SELECT databite.set_token('hook_secret', 'mysecret');
SELECT hook('{"secret": "{{secrets.hook_secret}}", "signature": {"header": "X-Sign", "timestampHeader": "X-Time", "idHeader": "X-Id",
	"signedPayload": "{{timestamp}}:{{ id }}:{{headers.x-region}}:{{body}}", "prefix": "v1=", "maxAge": "5m"}}');
CREATE FUNCTION sign(age int, id text, body text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('X-Time', t::text, 'X-Id', id, 'X-Region', 'eu',
		'X-Sign', 'v1=' || (databite.evaluate('{{item.text | hmac_sha256("mysecret")}}',
			jsonb_build_object('text', concat(t, ':', id, ':eu:', body))) #>> '{}'))
	FROM (SELECT extract(epoch FROM clock_timestamp())::bigint - age AS t) AS t
$$;
SELECT receive(sign(0, 'a', '{"id": 1}'), '{"id": 1}');
SELECT receive(sign(290, 'b', '{"id": 1}'), '{"id": 1}');
SELECT receive(sign(310, 'c', '{"id": 1}'), '{"id": 1}');
SELECT receive(sign(-290, 'd', '{"id": 1}'), '{"id": 1}');
SELECT receive(sign(-310, 'e', '{"id": 1}'), '{"id": 1}');
SELECT receive(sign(0, 'a', '{"id": 2}'), '{"id": 2}');
SELECT receive(sign(0, 'f', '{"id": 1}') || '{"X-Region": "us"}', '{"id": 1}');
SELECT receive(sign(0, 'f', '{"id": 1}') - 'X-Region', '{"id": 1}');
SELECT receive(sign(0, 'f', '{"id": 1}') - 'X-Time', '{"id": 1}');
SELECT databite.delete_token('hook_secret');
SELECT receive(sign(0, 'g', '{"id": 1}'), '{"id": 1}');

-- no secret: anybody; what is no JSON, no endpoint
SELECT hook('{}');
SELECT receive('{}', '{"id": 1}');
SELECT receive('{}', '[1, 2]'), receive('{}', '"text"'), receive('{}', 'null');
SELECT receive('{}', ''), receive('{}', '{"id": 1'), receive('{}', '{"id": 1} {}');
SELECT r ->> 'status' AS status FROM databite.receive_webhook('/hook', '{}', '\x7b226964223a2022ff227d') AS r;
SELECT r ->> 'status' AS status FROM databite.receive_webhook('/hook', '{}', '\x7b7d00') AS r;
SELECT receive('{}', '{"id": 1}', '/hook?from=here'), receive('{}', '{}', '/hook/'), receive('{}', '{}', 'hook'), receive('{}', '{}', '');
SELECT receive('{"Content-Type": "application/x-www-form-urlencoded"}', 'a=1&b=%C3%A4+x&a=2&c&=d&%zz=%4');
SELECT payload FROM databite.delivery ORDER BY delivery_id DESC LIMIT 1;
SELECT r ->> 'status' AS status FROM databite.receive_webhook('/hook', '{}', convert_to('"' || repeat('x', 16 * 1024 * 1024) || '"', 'UTF8')) AS r;
SELECT databite.receive_webhook('/hook', '[]', '{}');

-- headers are kept, in lower case, but for those that are secret
SELECT receive('{"X-Kind": "order", "Authorization": "Basic abc", "X-Api-Key": "k", "X-Many": ["one", "two"], "X-Number": 5, "Cookie": "a=b"}', '{"id": 1}');
SELECT headers FROM databite.delivery ORDER BY delivery_id DESC LIMIT 1;
BEGIN;
SELECT receive('{}', '{');
SELECT current_setting('response.status');
ROLLBACK;

-- nothing may be received by whoever is not allowed to
CREATE ROLE signatures_nobody;
SET ROLE signatures_nobody;
SELECT databite.receive_webhook('/hook', '{}', '{}');
RESET ROLE;
DROP ROLE signatures_nobody;

-- what is wrong with a definition
SELECT pointer, message, hint FROM unnest(ARRAY[
	'{"endpoint": "hook"}', '{"endpoint": "/a b"}', '{"secret": ""}', '{"secret": []}', '{"secret": [1]}', '{"secret": "{{secrets.a}}b"}',
	'{"signature": "github"}', '{"secret": "s", "signature": "gitlab"}', '{"secret": "s", "signature": {}}', '{"secret": "s", "signature": {"header": "X Y"}}',
	'{"secret": "s", "signature": {"scheme": "github", "header": "X"}}', '{"secret": "s", "signature": {"header": "X", "algorithm": "md5"}}',
	'{"secret": "s", "signature": {"header": "X", "signedPayload": "{{timestamp}}"}}', '{"secret": "s", "signature": {"header": "X", "signedPayload": "{{body}} {{url}}"}}',
	'{"secret": "s", "signature": {"header": "X", "signedPayload": "{{body"}}', '{"secret": "s", "signature": {"header": "X", "url": "https://x"}}'
]::jsonb[]) AS change, databite.validate_job(jsonb_build_object('id', 'hook',
	'trigger', '{"type": "webhook", "endpoint": "/hook"}'::jsonb || change,
	'source', '{"type": "webhook_data", "payload": "{{webhook.payload}}"}'::jsonb,
	'destination', '{"type": "database", "table": "hook", "schema": {"id": "text"}}'::jsonb));

SELECT databite.unschedule_job('hook');
SELECT count(*) FROM databite.delivery;
DROP SCHEMA signatures CASCADE;
