-- What the rows of a run cost: queued, running, a batch, completed, each committed: microseconds and bytes of WAL a run.
SET synchronous_commit = off;
CREATE TEMP TABLE began AS SELECT clock_timestamp() AS at, pg_current_wal_insert_lsn() AS lsn;
DO $$
DECLARE
	id bigint;
BEGIN
	FOR i IN 1 .. 5000 LOOP
		INSERT INTO databite.run (job_id, owner, status, trigger, scheduled_for)
			VALUES ('job_' || i % 1000, 'app', 'queued', 'schedule', now()) RETURNING run_id INTO id;
		COMMIT;
		UPDATE databite.run SET status = 'running', started_at = clock_timestamp() WHERE run_id = id;
		COMMIT;
		UPDATE databite.run SET records_processed = 1000, updated_at = clock_timestamp() WHERE run_id = id;
		COMMIT;
		UPDATE databite.run SET status = 'completed', finished_at = clock_timestamp() WHERE run_id = id;
		COMMIT;
	END LOOP;
END;
$$;
SELECT format('%s us and %s bytes of WAL', round(extract(epoch FROM clock_timestamp() - at) * 1000000 / 5000),
	round((pg_current_wal_insert_lsn() - lsn) / 5000)) FROM began;
