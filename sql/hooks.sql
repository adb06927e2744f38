-- Hooks, and webhooks out: what a definition may say.  Calls are in test/t/115_hooks.pl and 116_failure_webhooks.pl.
CREATE SCHEMA hooked;
SET search_path = hooked, public;
CREATE FUNCTION fine(text, jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION "Odd name"(job varchar, detail jsonb, more integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION other(integer, jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE PROCEDURE proc(text, jsonb) LANGUAGE sql AS 'SELECT';

CREATE FUNCTION job(more text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"id": "hooked", "enabled": false, "source": {"type": "inline", "items": [{"id": 1}]},
		"destination": {"type": "database", "table": "hooked.rows", "schema": {"id": "integer"}}}'::jsonb || more::jsonb
$$;

SELECT more, pointer, message, hint
FROM (VALUES
	('{"hooks": {"onJobStart": "fine", "onJobComplete": "hooked.\"Odd name\"", "onJobError": "hooked.fine"}}'),
	('{"hooks": {"onJobStart": "nobody", "onJobComplete": "nowhere.fine", "onJobError": "other"}}'),
	('{"hooks": {"onJobStart": "proc", "onJobComplete": "a.b.c.d", "onJobError": "fine(text)"}}'),
	('{"hooks": {"onJobStart": "fine; DROP TABLE x", "onJobComplete": "", "onError": "fine"}}')) AS v (more),
	databite.validate_job(job(more));
SELECT databite.schedule_job(job('{"hooks": {"onJobStart": "nobody"}}'));
SELECT databite.schedule_job(job('{"hooks": {"onJobStart": "fine"}}'));

-- A run in the caller's transaction.
CREATE TABLE heard (n serial, job text, status text, error text);
CREATE FUNCTION hear(text, jsonb) RETURNS void LANGUAGE sql AS $$
	INSERT INTO heard (job, status, error) VALUES ($1, $2 ->> 'status', $2 #>> '{error,code}')
$$;
SELECT databite.schedule_job(job('{"hooks": {"onJobStart": "hear", "onJobComplete": "hear", "onJobError": "hear"}}'));
SELECT status FROM databite.execute_job('hooked');
SELECT status FROM databite.execute_job('hooked', dry_run => true);
SELECT job, status, error FROM heard ORDER BY n;
DROP TABLE heard;
SELECT status FROM databite.execute_job('hooked');
SELECT notices FROM databite.runs WHERE job_id = 'hooked' ORDER BY run_id DESC LIMIT 1;

-- configure checks them, too.
SELECT databite.configure('{"hooks": {"onJobStart": "nobody"}}');
SELECT databite.configure('{"hooks": {"onStart": "fine"}}');

-- onFailure
SELECT more, pointer, message, hint
FROM (VALUES
	('"notify_admin"'),
	('{"type": "notify_admin"}'),
	('{"type": "webhook", "url": "https://example.com/{{secrets.path}}", "secret": "{{secrets.signing}}", "headers": {"Authorization": "Bearer {{tokens.bearer}}", "X-Team": "data"}}'),
	('["notify_admin", {"type": "webhook", "url": "{{secrets.url}}"}]'),
	('"webhook"'),
	('7'),
	('[7, "shout"]'),
	('{"url": "https://example.com"}'),
	('{"type": "email"}'),
	('{"type": "notify_admin", "url": "https://example.com"}'),
	('{"type": "webhook"}'),
	('{"type": "webhook", "url": "ftp://example.com", "secret": "plain", "method": "PUT"}'),
	('{"type": "webhook", "url": "https://example.com/{{now()}}", "secret": "{{secrets.a", "headers": {"a b": "c", "Webhook-Id": "1", "X-Api-Key": "plain", "X": 1, "Y": "{{item.id}}"}}'),
	('[{"type": "webhook", "url": "https://example.com/1"}, {"type": "webhook", "url": "https://example.com/2"}]')) AS v (more),
	LATERAL (SELECT pointer, message, hint FROM databite.validate_job(job('{"errorHandling": {"onFailure": ' || more || '}}'))) AS p;

SELECT databite.unschedule_job('hooked');
SET client_min_messages = warning;
DROP SCHEMA hooked CASCADE;
