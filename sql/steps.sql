-- Jobs of several steps: their order, what is wrong with it, and what a run of them leaves.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.problems(job jsonb) RETURNS TABLE (pointer text, message text, hint text)
LANGUAGE sql AS 'SELECT * FROM databite.validate_job(job)';

-- A step with items that are at hand, as a definition.
CREATE FUNCTION pg_temp.step(id text, depends_on text[], items jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'dependsOn', to_jsonb(depends_on),
		'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', jsonb_build_object('type', 'database', 'table', 'steps_' || id))
$$;

-- unknown names, circles, two of one id
SELECT * FROM pg_temp.problems(jsonb_build_object('id', 'steps', 'steps', jsonb_build_array(
	pg_temp.step('customers', '{}', '[]'), pg_temp.step('orders', '{custommers}', '[]'))));
SELECT * FROM pg_temp.problems(jsonb_build_object('id', 'steps', 'steps', jsonb_build_array(
	pg_temp.step('a', '{c}', '[]'), pg_temp.step('b', '{a}', '[]'), pg_temp.step('c', '{b}', '[]'),
	pg_temp.step('d', '{}', '[]'))));
SELECT * FROM pg_temp.problems(jsonb_build_object('id', 'steps', 'steps', jsonb_build_array(
	pg_temp.step('a', '{a}', '[]'))));
SELECT * FROM pg_temp.problems(jsonb_build_object('id', 'steps', 'steps', jsonb_build_array(
	pg_temp.step('a', '{}', '[]'), pg_temp.step('a', '{}', '[]'))));
SELECT * FROM pg_temp.problems('{"id": "steps", "steps": [], "source": {"type": "inline", "items": []}}');

-- a parent must be named in dependsOn, and fill the column; only one step's rows make a request
SELECT * FROM pg_temp.problems('{"id": "steps", "steps": [
	{"id": "customers", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "steps_customers"},
	 "transform": {"id": "{{item.id}}"}},
	{"id": "orders", "source": {"type": "api", "url": "https://api.example.com/customers/{{customers.id}}/orders"},
	 "destination": {"type": "database", "table": "steps_orders"}}]}');
SELECT * FROM pg_temp.problems('{"id": "steps", "steps": [
	{"id": "customers", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "steps_customers"},
	 "transform": {"id": "{{item.id}}"}},
	{"id": "regions", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "steps_regions"}},
	{"id": "orders", "dependsOn": ["customers", "regions"],
	 "source": {"type": "api", "url": "https://api.example.com/{{regions.code}}/{{customers.id}}/{{customers.name}}"},
	 "destination": {"type": "database", "table": "steps_orders"}}]}');
SELECT * FROM pg_temp.problems('{"id": "steps", "steps": [
	{"id": "customers", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "steps_customers"}},
	{"id": "orders", "dependsOn": ["customers"], "source": {"type": "api", "url": "https://api.example.com/{{custommers.id}}"},
	 "destination": {"type": "database", "table": "steps_orders"}}]}');

-- each runs after those it depends on, whatever the order in the definition
CREATE TABLE steps_customers (id int PRIMARY KEY, name text);
CREATE TABLE steps_orders (id int PRIMARY KEY, customer_id int REFERENCES steps_customers);
SELECT databite.schedule_job(jsonb_build_object('id', 'steps', 'steps', jsonb_build_array(
	pg_temp.step('orders', '{customers}', '[{"id": 10, "customer_id": 1}, {"id": 11, "customer_id": 2}, {"id": 12, "customer_id": 1}]'),
	pg_temp.step('customers', '{}', '[{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]'))));
SELECT status, records_processed, records_inserted FROM databite.execute_job('steps');
SELECT o.id, c.name FROM steps_orders AS o JOIN steps_customers AS c ON c.id = o.customer_id ORDER BY o.id;
CALL databite.run_job('steps');
SELECT status, records_processed, records_unchanged, step FROM databite.runs WHERE job_id = 'steps' ORDER BY run_id DESC LIMIT 1;
SELECT step_id, last_sync_time IS NOT NULL AS synced, unfinished_page FROM databite.cursors WHERE job_id = 'steps' ORDER BY step_id;

-- a step that fails ends the run; what the steps before it wrote stays, as their batches were committed
SELECT databite.schedule_job(jsonb_build_object('id', 'steps', 'steps', jsonb_build_array(
	pg_temp.step('orders', '{customers}', '[{"id": 20, "customer_id": 99}]'),
	pg_temp.step('customers', '{}', '[{"id": 3, "name": "Cyd"}]'))));
\set VERBOSITY terse
CALL databite.run_job('steps');
\set VERBOSITY default
SELECT status, error ->> 'step' AS step FROM databite.runs WHERE job_id = 'steps' ORDER BY run_id DESC LIMIT 1;
SELECT count(*) FROM steps_customers WHERE id = 3;

-- explain shows what the requests of a later step are made of
SELECT * FROM databite.explain_job('{"id": "steps", "steps": [
	{"id": "customers", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "steps_customers"}},
	{"id": "orders", "dependsOn": ["customers"],
	 "source": {"type": "api", "url": "https://api.example.com/customers/{{steps_customers.id}}/orders", "query": {"name": "{{customers.name}}"}},
	 "destination": {"type": "database", "table": "steps_orders"},
	 "transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}"}}]}');

SELECT databite.unschedule_job('steps');
DROP TABLE steps_orders, steps_customers;

-- What all items of a page see is the same in each of a thousand of them, each with values of its own beside it.
CREATE TABLE thousand (id int, note text, page int);
SELECT databite.schedule_job(jsonb_build_object('id', 'thousand',
	'source', jsonb_build_object('type', 'inline', 'items',
		(SELECT jsonb_agg(jsonb_build_object('id', n, 'note', repeat('note ', 20) || n)) FROM generate_series(1, 1000) AS n)),
	'destination', '{"type": "database", "table": "thousand", "mode": "insert"}'::jsonb,
	'transform', '{"id": "{{item.id}}", "note": "{{item.note}}", "page": "{{page.number}}"}'::jsonb));
SELECT status, records_inserted FROM databite.execute_job('thousand');
SELECT count(*), count(DISTINCT note), min(page), max(page), count(page) FROM thousand;
SELECT databite.unschedule_job('thousand');
DROP TABLE thousand;
