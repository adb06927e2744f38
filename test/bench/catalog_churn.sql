-- What many runs leave behind where vacuum does not come: 20 versions of each job, and 20,000 runs through the queue.
DO $$ BEGIN FOR i IN 1 .. 20 LOOP UPDATE databite.job SET next_run_at = next_run_at + interval '1 s'; COMMIT; END LOOP; END $$;
DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP
		INSERT INTO databite.run (job_id, owner, status, trigger, scheduled_for)
			SELECT 'job_' || n, 'app', 'queued', 'schedule', now() FROM generate_series(2, 1001) AS n;
		COMMIT;
		UPDATE databite.run SET status = 'running', started_at = now() WHERE status = 'queued';
		COMMIT;
		UPDATE databite.run SET status = 'completed', finished_at = now() WHERE status = 'running';
		COMMIT;
	END LOOP;
END;
$$;
