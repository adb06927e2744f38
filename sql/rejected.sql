-- Items that are rejected: where they are kept, how a run ends, and how they look before it.
SET client_min_messages = warning;
DELETE FROM databite.rejected_item;	-- of other tests
DELETE FROM databite.run;
CREATE SCHEMA rejected;
SET search_path = rejected, public;
CREATE TABLE t (id int PRIMARY KEY, age int);

CREATE FUNCTION job(items jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', 'r', 'source', jsonb_build_object('type', 'inline', 'items', items),
		'destination', '{"type": "database", "table": "t", "batchSize": 2}'::jsonb, 'validation', '{"age": {"min": 18}}'::jsonb) || more
$$;
CREATE VIEW result AS
SELECT status, records_processed AS processed, records_inserted AS inserted, records_updated AS updated, records_unchanged AS unchanged,
	records_rejected AS rejected, error FROM databite.runs WHERE job_id = 'r' ORDER BY run_id DESC LIMIT 1;

-- some
SELECT databite.schedule_job(job('[{"id": 1, "age": 20}, {"id": 2, "age": 2}, {"id": 3, "age": 3}, {"id": 4, "age": 40}]'));
SELECT success, records_rejected FROM databite.execute_job('r');
SELECT * FROM result;
SELECT run_id = (SELECT max(run_id) FROM databite.runs) AS of_run, job_id, owner = current_user::regrole AS mine, step, item, error_code, message, "column", "constraint",
	rejected_at <= clock_timestamp() AS then FROM databite.rejected_items ORDER BY id;
SELECT rejected FROM databite.get_job_metrics('r');
-- again: a run keeps its own
SELECT success, records_rejected FROM databite.execute_job('r');
SELECT count(*), count(DISTINCT run_id) FROM databite.rejected_items;
SELECT last_sync_time IS NOT NULL AS synced FROM databite.cursors WHERE job_id = 'r';

-- a dry run counts them and keeps none
SELECT run_id, status, records_processed, records_unchanged, records_rejected FROM databite.execute_job('r', dry_run => true);
SELECT count(*) FROM databite.rejected_items;

-- all of them: the run has failed, says so, keeps them, and does not count as a sync
SELECT databite.reset_job('r');
SELECT databite.schedule_job(job('[{"id": 5, "age": 1}, {"id": 6, "age": 2}, {"id": 7, "age": 3}]'));
SELECT status, success, records_processed, records_rejected, error FROM databite.execute_job('r');
SELECT * FROM result;
SELECT count(*) FROM databite.rejected_items WHERE run_id = (SELECT max(run_id) FROM databite.runs);
SELECT count(*) FROM databite.cursors WHERE job_id = 'r';
SELECT status, success, records_rejected, error ->> 'message' AS message FROM databite.execute_job('r', dry_run => true);
-- the same by CALL
CALL databite.run_job('r');
SELECT * FROM result;
SELECT count(*) FROM databite.rejected_items WHERE run_id = (SELECT max(run_id) FROM databite.runs);
SELECT count(*) FROM databite.cursors WHERE job_id = 'r';
-- but for those that are left out on purpose
SELECT databite.schedule_job(job('[{"id": 5, "age": 1}, {"id": 6, "age": 20}]', '{"source": {"type": "inline", "where": "{{ item.id < 6 }}", "items": [{"id": 5, "age": 1}, {"id": 6, "age": 20}]}}'));
SELECT status, records_processed, records_unchanged, records_rejected, error ->> 'message' AS message FROM databite.execute_job('r');
-- an empty list is no failure
SELECT databite.schedule_job(job('[]'));
SELECT status FROM databite.execute_job('r');

-- a run that fails takes them along
ALTER TABLE t ADD CONSTRAINT adult CHECK (age < 100);
SELECT databite.schedule_job(job('[{"id": 8, "age": 1}, {"id": 9, "age": 30}, {"id": 10, "age": 200}]'));
SELECT status, records_rejected, error ->> 'code' AS code FROM databite.execute_job('r');
SELECT count(*) FROM databite.rejected_items WHERE run_id = (SELECT max(run_id) FROM databite.runs);
-- by CALL the batches before that are kept, and so are their items
CALL databite.run_job('r');
SELECT status, processed, inserted, rejected FROM result;
SELECT item FROM databite.rejected_items WHERE run_id = (SELECT max(run_id) FROM databite.runs);

-- an item that is too long to be kept
SELECT databite.schedule_job(job(jsonb_build_array('{"id": 11, "age": 20}'::jsonb, jsonb_build_object('id', 12, 'age', 1, 'fill', repeat('x', 1100000)))));
SELECT status, records_rejected FROM databite.execute_job('r');
SELECT item, message FROM databite.rejected_items ORDER BY id DESC LIMIT 1;

-- before it runs
SELECT item, target_row, error FROM databite.preview_job(job('[{"id": 1, "age": 20}, {"id": 2, "age": 2}, {"id": 3, "age": "x"}, {"id": 4}, {"id": 5, "age": 50}]',
	'{"transform": {"id": "{{ item.id | skip(item.id == 5) }}", "age": "{{ item.age }}"}}'));
SELECT item, target_row, error FROM databite.preview_job('{"id": "r", "source": {"type": "inline", "where": "{{ item.id > 1 }}", "items": [{"id": 1, "n": 1}, {"id": 2}, {"id": "x"}]},
	"destination": {"type": "database", "table": "unknown"}}');
SELECT item, target_row, error FROM databite.preview_job('{"id": "r", "source": {"type": "inline", "where": "{{ item.id > 5 }}", "items": [{"id": 1, "n": 1}, {"id": 2}]},
	"destination": {"type": "database", "table": "unknown"}}');

-- they outlive the job, and go with their run
SELECT databite.unschedule_job('r');
SELECT count(*) > 0 AS there FROM databite.rejected_items;
\d databite.rejected_items

SET client_min_messages = error;
DROP SCHEMA rejected CASCADE;
