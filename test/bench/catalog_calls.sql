-- Each call 200 times as a role that is no superuser, in a transaction each that is rolled back: median and p99 in milliseconds.
SET ROLE app;
CREATE TEMP TABLE took (what text, n int, ms float8);
DO $$
DECLARE
	calls text[] := ARRAY[
		$q$SELECT databite.get_job_status('job_77')$q$,
		$q$SELECT databite.get_job_status('job_1')$q$,
		$q$SELECT databite.get_job_history('job_77')$q$,
		$q$SELECT databite.get_job_history('job_1')$q$,
		$q$SELECT databite.get_job_history('job_1', 20, 'failed')$q$,
		$q$SELECT databite.get_job_history('job_1', 20, 'partial')$q$,
		$q$SELECT databite.get_job_metrics('job_77')$q$,
		$q$SELECT * FROM databite.jobs ORDER BY job_id LIMIT 20$q$,
		$q$SELECT * FROM databite.runs ORDER BY run_id DESC LIMIT 20$q$,
		$q$SELECT * FROM databite.runs WHERE job_id = 'job_77' ORDER BY run_id DESC LIMIT 20$q$,
		$q$SELECT * FROM databite.progress$q$,
		$q$SELECT databite.enqueue_job('job_5')$q$,
		$q$SELECT databite.cancel_job('job_5')$q$,
		$q$SELECT databite.schedule_job('{"id": "job_9", "source": {"type": "inline", "items": [{"id": 1}]},
			"destination": {"type": "database", "table": "t", "schema": {"id": "integer"}, "key": "id"},
			"schedule": {"type": "interval", "days": 1}}')$q$,
		$q$SELECT databite.unschedule_job('job_9')$q$];
	call text;
	times float8[];
	at timestamptz;
	ms float8;
BEGIN
	SET LOCAL client_min_messages = warning;
	FOREACH call IN ARRAY calls LOOP
		times := '{}';
		FOR i IN 1 .. 200 LOOP
			BEGIN
				at := clock_timestamp();
				EXECUTE call;
				ms := extract(epoch FROM clock_timestamp() - at) * 1000;
				RAISE EXCEPTION USING ERRCODE = 'UB001';
			EXCEPTION WHEN SQLSTATE 'UB001' THEN
				times := times || ms;
			END;
		END LOOP;
		INSERT INTO took SELECT regexp_replace(left(call, 76), '\s+', ' ', 'g'), array_position(calls, call), t FROM unnest(times) AS t;
	END LOOP;
END;
$$;
SELECT format('%-78s %8s %8s', what, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 2),
	round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2))
FROM took GROUP BY what, n ORDER BY n;
