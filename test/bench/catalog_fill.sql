-- @JOBS@ jobs and @RUNS@ runs over 29 days; every tenth run is of job_1.
INSERT INTO databite.job (job_id, owner, definition, search_path, enabled, next_run_at)
SELECT 'job_' || i, 'app',
	jsonb_build_object('id', 'job_' || i, 'source', '{"type": "inline", "items": [{"id": 1}]}'::jsonb,
		'destination', '{"type": "database", "table": "t", "schema": {"id": "integer"}, "key": "id"}'::jsonb,
		'schedule', '{"type": "interval", "days": 1}'::jsonb),
	'public', true, now() + interval '1 hour' + i * interval '23 hours' / @JOBS@
FROM generate_series(1, @JOBS@) AS i;
INSERT INTO databite.run (job_id, owner, status, trigger, scheduled_for, queued_at, started_at, finished_at, updated_at,
	records_processed, records_inserted, pages, requests, bytes_received, error)
SELECT 'job_' || CASE WHEN i % 10 = 0 THEN 1 ELSE 1 + i * 7919 % @JOBS@ END, 'app', s, 'schedule', f, f, f, f + interval '2 s', f,
	100, 100, 1, 1, 10000, CASE WHEN s IN ('failed', 'crashed') THEN '{"code": "http_status", "message": "HTTP 500"}'::jsonb END
FROM generate_series(1::bigint, @RUNS@) AS i,
	LATERAL (SELECT now() - interval '29 days' + i * interval '29 days' / @RUNS@ AS f,
		CASE WHEN i % 50 = 7 THEN 'failed' WHEN i % 100 = 3 THEN 'skipped' WHEN i % 1000 = 11 THEN 'crashed' ELSE 'completed' END AS s) AS t;
