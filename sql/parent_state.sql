-- incremental.perParentState: what it goes with. What it does is in test/t/068_parent_state.pl.
SET client_min_messages = warning;

-- A job of customers and, with that in its source, orders.
CREATE FUNCTION pg_temp.job(source jsonb, destination jsonb = '{"mode": "upsert", "key": "id"}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', 'parent_state', 'steps', jsonb_build_array(
		'{"id": "customers", "source": {"type": "inline", "items": [{"id": 1, "seen": "2024-05-01T00:00:00Z"}]},
			"destination": {"type": "database", "table": "parent_state_customers", "schema": {"id": "integer", "seen": "datetime"}}}'::jsonb,
		jsonb_build_object('id', 'orders', 'dependsOn', '["customers"]'::jsonb,
			'source', '{"type": "api", "url": "http://127.0.0.1:1/{{customers.id}}"}'::jsonb || source,
			'destination', '{"type": "database", "table": "parent_state_orders", "schema": {"id": "integer"}}'::jsonb || destination,
			'transform', '{"id": "{{item.id}}"}'::jsonb)))
$$;
CREATE FUNCTION pg_temp.problems(job jsonb) RETURNS TABLE (pointer text, message text, hint text) LANGUAGE sql AS
	'SELECT pointer, message, hint FROM databite.validate_job(job)';

-- with a reference to a parent
SELECT * FROM pg_temp.problems(pg_temp.job('{"incremental": {"cursorField": "updated_at", "perParentState": true}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"incremental": {"perParentState": true, "step": "1d", "initialValue": "2024-01-01"}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"incremental": {"syncToken": {"path": "token", "param": "t"}, "perParentState": true}}'));

-- without one it is refused, also where only the transform names the parent
SELECT * FROM pg_temp.problems(pg_temp.job('{"url": "http://127.0.0.1:1/", "incremental": {"perParentState": true}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"url": "http://127.0.0.1:1/", "where": "{{ customers.id == 1 }}", "incremental": {"perParentState": true}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"url": "http://127.0.0.1:1/", "incremental": {"perParentState": false}}'));
SELECT * FROM pg_temp.problems('{"id": "parent_state", "source": {"type": "api", "url": "http://127.0.0.1:1/", "incremental": {"perParentState": true}},
	"destination": {"type": "database", "table": "parent_state_orders", "schema": {"id": "integer"}}}');
SELECT * FROM pg_temp.problems('{"id": "parent_state", "source": {"type": "sql", "query": "SELECT 1 AS id", "incremental": {"perParentState": true}},
	"destination": {"type": "database", "table": "parent_state_orders", "schema": {"id": "integer"}}}');
SELECT * FROM pg_temp.problems(pg_temp.job('{"incremental": {"perParentState": "yes"}}'));
SELECT * FROM pg_temp.problems(pg_temp.job('{"incremental": {"perParentsState": true}}'));
-- a name that is wrong is one problem, not two
SELECT * FROM pg_temp.problems(pg_temp.job('{"url": "http://127.0.0.1:1/{{custommers.id}}", "incremental": {"perParentState": true}}'));
-- one request of many rows has no cursor of each
SELECT * FROM pg_temp.problems(pg_temp.job('{"url": "http://127.0.0.1:1/{{ customers.id | join(\",\") }}", "batchParents": 5, "incremental": {"perParentState": true}}'));
-- a table is not replaced by what is new
SELECT * FROM pg_temp.problems(pg_temp.job('{"incremental": {"perParentState": true}}', '{"mode": "replace"}'));
SELECT databite.schedule_job(pg_temp.job('{"url": "http://127.0.0.1:1/", "incremental": {"perParentState": true}}'));

-- what a look at the job shows is what a new parent would be asked with
SELECT line FROM databite.explain_job(pg_temp.job('{"query": {"since": "{{cursor}}", "at": "{{last_sync_time}}"},
	"incremental": {"cursorField": "updated_at", "initialValue": "2024-02-03", "perParentState": true}}')) AS line WHERE line LIKE '%since=%';

-- nobody but databite writes what it keeps, and no one sees what is others'
SELECT has_table_privilege('pg_read_server_files', 'databite.parent_state', 'SELECT') AS reads_table,
	has_table_privilege('pg_read_server_files', 'databite.parent_cursors', 'SELECT') AS reads_view;
