-- Steps that only deliver rows for the requests of later ones, and requests of several rows: definitions, and what can be seen without a server.
SET client_min_messages = warning;
\pset null NULL

-- customers: a step that delivers; orders: one that asks, with what is different of it
CREATE FUNCTION pg_temp.job(customers jsonb, source jsonb, more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', 'fan_out', 'steps', jsonb_build_array(
		'{"id": "customers", "source": {"type": "inline", "items": [{"id": 1, "name": "Ada"}]}}'::jsonb || customers,
		'{"id": "orders", "dependsOn": ["customers"], "destination": {"type": "database", "table": "fan_out_orders"}}'::jsonb || more ||
		jsonb_build_object('source', '{"type": "api", "url": "https://api.example.com/customers/{{customers.id}}"}'::jsonb || source)))
$$;
CREATE FUNCTION pg_temp.problems(job jsonb) RETURNS TABLE (pointer text, message text, hint text)
LANGUAGE sql AS 'SELECT * FROM databite.validate_job(job)';
CREATE TABLE fan_out_customers (id int, active boolean, name text);
CREATE TABLE fan_out_orders (id int, customer_id int);

-- a destination is missing only where no later step names what the step delivers; it does not have a table's name
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"url": "https://api.example.com/"}'));
SELECT * FROM pg_temp.problems('{"id": "fan_out", "steps": [{"id": "a", "source": {"type": "inline", "items": []}}]}');
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"url": "https://api.example.com/{{customers.id | nope}}"}'));

-- what its columns are: those of a transform, the keys that are named, "value" of plain values
SELECT * FROM pg_temp.problems(pg_temp.job('{"transform": {"name": "{{item.name}}"}}', '{}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"source": {"type": "inline", "items": ["eu", 5]}}', '{}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"source": {"type": "inline", "items": ["eu", 5]}}', '{"url": "https://api.example.com/{{customers.value}}"}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"validation": {"required": ["id", "name"], "idd": {"min": 1}}, "transform": {"id": "{{item.id}}"}}', '{}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"source": {"type": "sql", "query": "SELECT idd FROM fan_out_customers"}}', '{}'));

-- templates over items see the row that their request was made of, and no other
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"url": "https://api.example.com/", "query": {"c": "{{customers.id}}"}, "where": "{{ item.of == customers.id }}"}',
	'{"transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}"}, "validation": {"customer_id": "{{ customers.id > 0 }}"},
	  "destination": {"type": "database", "table": "fan_out_orders", "mode": "insert"}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"destination": {"type": "database", "table": "fan_out_customers"}}', '{"url": "https://api.example.com/"}',
	'{"transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}"}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"destination": {"type": "database", "table": "fan_out_customers"}, "transform": {"id": "{{item.id}}"}}', '{}',
	'{"transform": {"id": "{{item.id}}", "customer_id": "{{fan_out_customers.name}}"}}'));
SELECT * FROM pg_temp.problems(jsonb_set(pg_temp.job('{}', '{}', '{"dependsOn": ["customers", "regions"], "transform": {"id": "{{item.id}}", "customer_id": "{{regions.code}}"}}'),
	'{steps,2}', '{"id": "regions", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "fan_out_orders"}}'));

-- of two steps, the one that comes later takes along what is wanted of the other
SELECT * FROM pg_temp.problems('{"id": "fan_out", "steps": [
	{"id": "regions", "source": {"type": "inline", "items": []}},
	{"id": "customers", "dependsOn": ["regions"], "source": {"type": "api", "url": "https://api.example.com/{{regions.code}}/customers"}},
	{"id": "orders", "dependsOn": ["customers"], "source": {"type": "api", "url": "https://api.example.com/{{regions.code}}/{{customers.id}}"},
	 "destination": {"type": "database", "table": "fan_out_orders"}}]}');

-- a query runs once
SELECT * FROM pg_temp.problems(jsonb_set(pg_temp.job('{}', '{}'), '{steps,1,source}', '{"type": "sql", "query": "SELECT {{customers.id}} AS id"}'));
SELECT * FROM pg_temp.problems(jsonb_set(pg_temp.job('{"destination": {"type": "database", "table": "fan_out_customers"}}', '{}'),
	'{steps,1,source}', '{"type": "sql", "query": "SELECT {{customers.id}} AS id"}'));

-- batchParents
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"batchParents": 50, "url": "https://api.example.com/{{ customers.id | join(\",\") }}"}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"batchParents": 0}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"batchParents": 1001}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"destination": {"type": "database", "table": "fan_out_customers"}}', '{"batchParents": 50, "url": "https://api.example.com/"}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"batchParents": 50, "url": "https://api.example.com/{{customers.address.city}}"}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"batchParents": 50, "incremental": {"syncToken": {"path": "next", "param": "since"}}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{}', '{"batchParents": 50, "where": "{{ customers.id == item.id }}"}',
	'{"transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}"}, "validation": {"id": "{{ customers.id == 1 }}"},
	  "destination": {"type": "database", "table": "fan_out_orders", "key": "id", "deletes": {"mode": "hard", "when": "{{ customers.id == 1 }}"}}}'));
SELECT * FROM pg_temp.problems(jsonb_set(pg_temp.job('{}', '{}'), '{steps,0,source,batchParents}', '5'));

-- what would be done
SELECT * FROM databite.explain_job(pg_temp.job('{"source": {"type": "sql", "query": "SELECT id FROM fan_out_customers WHERE active"}}', '{}',
	'{"transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}"}}'));
SELECT * FROM databite.explain_job(pg_temp.job('{"validation": {"id": {"type": "integer"}}, "source": {"type": "inline", "items": [], "where": "{{item.active}}"}}',
	'{"method": "POST", "batchParents": 50, "query": {"id": "{{customers.id}}"}, "body": {"ids": "{{customers.id}}", "names": ["{{customers.name}}"]}}',
	'{"transform": {"id": "{{item.id}}"}}'));

-- a run that has nobody to ask for: rows without a value, and none at all
SELECT databite.schedule_job(pg_temp.job('{"source": {"type": "sql", "query": "SELECT id FROM fan_out_customers WHERE active"}}', '{}',
	'{"transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}"}}'));
SELECT status, records_processed, requests FROM databite.execute_job('fan_out');
INSERT INTO fan_out_customers VALUES (NULL, true), (NULL, true), (NULL, false);
SELECT status, records_processed, records_unchanged, pages, requests FROM databite.execute_job('fan_out');
CALL databite.run_job('fan_out');
SELECT status, records_processed, records_unchanged, requests, notices FROM databite.runs WHERE job_id = 'fan_out' ORDER BY run_id DESC LIMIT 1;
SELECT status, records_processed FROM databite.execute_job('fan_out', dry_run => true);
SELECT step_id, item, target_row, error FROM databite.preview_job('fan_out');
SELECT step_id, last_sync_time IS NOT NULL AS synced FROM databite.cursors WHERE job_id = 'fan_out' ORDER BY step_id;
SELECT count(*) FROM databite.parent_row;

-- a preview of rows that transform and validation refuse
SELECT * FROM databite.preview_job(pg_temp.job('{"source": {"type": "inline", "items": [{"id": 1}, {"id": 2}, {"id": 3}, {"name": "x"}], "where": "{{ item.id != 1 }}"},
	"transform": {"id": "{{ item.id == 2 ? skip : item.id }}"}, "validation": {"id": {"type": "string"}, "required": ["id"]}}', '{}'));

-- rejected items fail the run as ever, or are kept
SELECT databite.schedule_job(pg_temp.job('{"source": {"type": "inline", "items": [{"id": "a"}, {"id": "b"}]}, "validation": {"id": {"type": "integer"}}}', '{}'));
SELECT status, records_processed, records_rejected, error ->> 'message' AS message FROM databite.execute_job('fan_out');
SELECT databite.schedule_job(pg_temp.job('{"source": {"type": "inline", "items": [{"id": "a"}, {"id": "b"}]}, "transform": {"id": "{{ item.id | int }}"}}', '{}'));
SELECT status, records_processed, error ->> 'message' AS message, error ->> 'step' AS step FROM databite.execute_job('fan_out');

-- no item has what is named
SELECT databite.schedule_job(pg_temp.job('{"source": {"type": "inline", "items": [{"idd": 1}]}}', '{}'));
SELECT status, error ->> 'message' AS message, error ->> 'hint' AS hint FROM databite.execute_job('fan_out');

SELECT databite.unschedule_job('fan_out');
DELETE FROM databite.run WHERE job_id = 'fan_out';
DELETE FROM databite.rejected_item WHERE job_id = 'fan_out';
DROP TABLE fan_out_customers, fan_out_orders;
