-- use_pg_cron where pg_cron does not work; TAP test 114 has the rest.

SELECT databite.use_pg_cron(every => NULL);
SELECT databite.use_pg_cron(every => '1 minute', keep => 'something');
SELECT databite.use_pg_cron('often');
SELECT databite.use_pg_cron('0 seconds');
SELECT databite.use_pg_cron('0.5 seconds');
SELECT databite.use_pg_cron('-1 minute');
SELECT databite.use_pg_cron('90 seconds');
SELECT databite.use_pg_cron('7 minutes');
SELECT databite.use_pg_cron('5 hours');
SELECT databite.use_pg_cron('1 month');

-- The message depends on whether its package is installed.
DO $$
BEGIN
	PERFORM databite.use_pg_cron();
EXCEPTION WHEN feature_not_supported OR object_not_in_prerequisite_state THEN
	RAISE NOTICE 'pg_cron is missing: %', SQLERRM ~ '^(pg_cron is not installed on this server|the server has not preloaded pg_cron)$';
END $$;

SET ROLE pg_read_all_data;
SELECT databite.use_pg_cron();
CALL databite.run_due_jobs();
RESET ROLE;
SELECT databite.use_pg_cron(false);

-- The scheduler of this server does it all.
CALL databite.run_due_jobs();
BEGIN;
CALL databite.run_due_jobs();
ROLLBACK;
