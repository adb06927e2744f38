# Many jobs in one database: all due at once, and a long history that expires.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $jobs = 300;
my $node = new_cluster('many', 1, "databite.launcher_interval = '1h'", 'databite.max_workers = 2', 'fsync = off', 'log_statement = none');

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub wait_until
{
	my ($sql, $name) = @_;

	ok($node->poll_query_until('postgres', $sql), $name);
}

# As many jobs as that are due within one second, one after the other, by names that are in another order.
value('CREATE EXTENSION databite; CREATE TABLE seen (job text, run bigint, at timestamptz DEFAULT clock_timestamp())');
value(qq(
	BEGIN;
	SELECT count(databite.schedule_job(jsonb_build_object(
			'id', 'job_' || i * 7 % $jobs,
			'source', '{"type": "inline", "items": [{"id": 1}]}'::jsonb,
			'destination', '{"type": "database", "table": "seen", "mode": "insert"}'::jsonb,
			'transform', jsonb_build_object('job', 'job_' || i * 7 % $jobs, 'run', '{{run.id}}'),
			'schedule', '{"type": "interval", "hours": 1}'::jsonb)))
		FROM generate_series(1, $jobs) AS i;
	UPDATE databite.job SET next_run_at = date_trunc('second', now()) - interval '1 s'
		+ (substr(job_id, 5)::int * 11 % $jobs) * interval '1 ms';
	COMMIT));
wait_until("SELECT count(*) = $jobs FROM databite.run WHERE status = 'completed'", 'all jobs that are due at once run');
is(value('SELECT count(*) || \' \' || count(DISTINCT job) FROM seen'), "$jobs $jobs", 'each of them once');
is(value('SELECT count(*) FROM databite.run'), "$jobs", 'history has nothing else');
is(value('SELECT count(*) FROM (SELECT scheduled_for, lag(scheduled_for) OVER (ORDER BY run_id) AS before FROM databite.run) AS t
		WHERE scheduled_for < before'), '0', 'they are queued in the order in which they were due');
is(value('SELECT count(*) FROM (SELECT started_at, max(started_at) OVER (ORDER BY run_id ROWS BETWEEN UNBOUNDED PRECEDING AND 20 PRECEDING)
		AS before FROM databite.run) AS t WHERE started_at < before'), '0', 'and begin in about that order');
is(value('SELECT max((SELECT count(*) FROM databite.run AS o WHERE o.started_at <= r.started_at AND o.finished_at > r.started_at))
		FROM databite.run AS r'), '2', 'not more than databite.max_workers at a time');
is(value('SELECT count(*) FROM databite.job WHERE next_run_at <= now() OR extract(minute FROM next_run_at - now()) > 59'), '0',
	'each is due again an interval after it was');

# A long history: 40,000 runs of these jobs, 30,000 of which have expired, with rejected items; and what runs have left behind.
my $scheduler = worker_pid($node, 'scheduler', 'postgres');
value(qq(
	SELECT databite.stop();
	INSERT INTO databite.run (job_id, owner, status, trigger, started_at, finished_at)
	SELECT 'job_' || i % $jobs, 'postgres', CASE WHEN i % 7 = 0 THEN 'failed' WHEN i % 11 = 0 THEN 'skipped' ELSE 'completed' END,
		'schedule', f, f
	FROM generate_series(1, 40000) AS i,
		LATERAL (SELECT now() - interval '40 days' + i * interval '1440 s' / 40 AS f) AS t;
	UPDATE databite.run SET finished_at = finished_at + interval '20 days' WHERE run_id > 30000;
	INSERT INTO databite.rejected_item (job_id, owner, run_id, step, error_code, message)
	SELECT job_id, owner, run_id, 'main', '23514', 'x' FROM databite.run, generate_series(1, 2) WHERE run_id % 3 = 0));

# Of a job whose runs are all old, of one that is gone, and two runs that have not ended.
value(q(
	SELECT databite.pause_job('job_1'), databite.unschedule_job('job_2');
	UPDATE databite.run SET finished_at = finished_at - interval '60 days' WHERE job_id IN ('job_1', 'job_2');
	INSERT INTO databite.run (job_id, owner, status, trigger, scheduled_for, queued_at)
	VALUES ('job_3', 'postgres', 'queued', 'resume', now() + interval '1 day', now() - interval '90 days');
	INSERT INTO databite.parent_row (job_id, step_id, hash, value)
		SELECT job, 'main', sha256(i::text::bytea), '1' FROM generate_series(1, 15000) AS i, unnest(ARRAY['gone', 'job_3']) AS job;
	INSERT INTO databite.checkpoint VALUES ('gone', 'main', '{}'), ('job_3', 'main', '{}')));
my $newest = value("SELECT max(run_id) FROM databite.run WHERE job_id = 'job_1' AND status <> 'skipped'");
my $kept = value("SELECT count(*) FROM databite.run WHERE finished_at >= now() - interval '30 days'");
value('VACUUM ANALYZE databite.run, databite.job, databite.rejected_item; SELECT databite.start()');
wait_until("SELECT count(*) = 1 FROM databite.run WHERE finished_at < now() - interval '30 days'", 'old runs go away');
is(value("SELECT run_id FROM databite.run WHERE finished_at < now() - interval '30 days'"), $newest,
	'but for the last one of a job, which get_job_status shows');
is(value("SELECT (databite.get_job_status('job_1')).last_run_id"), $newest, 'so it does');
cmp_ok(value("SELECT count(*) FROM databite.run WHERE finished_at >= now() - interval '30 days'"), '>=', $kept, 'younger ones stay');
is(value("SELECT count(*) FROM databite.run WHERE trigger = 'resume' AND status = 'queued'"), '1', 'and what has not ended');
is(value('SELECT count(*) FROM databite.rejected_item AS i WHERE NOT EXISTS (SELECT FROM databite.run AS r WHERE r.run_id = i.run_id)'),
	'0', 'rejected items go with their runs');
wait_until("SELECT count(*) = 0 FROM databite.parent_row WHERE job_id = 'gone'", 'what runs have left of a job that is gone goes away');
wait_until("SELECT string_agg(job_id, ' ') = 'job_3' FROM databite.checkpoint", '... in all tables');
is(value('SELECT count(*) FROM databite.parent_row'), '15000', 'that of other jobs does not');

# Every look of the scheduler is by an index: 10,000 runs are left, and jobs that are due.
sub statistic
{
	my ($what, @tables) = @_;
	my $names = join(', ', map { "'$_'" } @tables);

	return value("SELECT sum($what) FROM pg_stat_user_tables WHERE schemaname = 'databite' AND relname IN ($names)"
		  . " AND pg_stat_get_snapshot_timestamp() IS NULL");
}
sub sequential_scans { return statistic('seq_scan', 'run', 'job', 'rejected_item') }
my $last = value('SELECT max(run_id) FROM databite.run');
my $scans = sequential_scans();
value("UPDATE databite.job SET next_run_at = now() WHERE job_id IN ('job_5', 'job_6', 'job_7')");
value('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT count(*) = 3 FROM databite.run AS r JOIN unnest(ARRAY['job_5', 'job_6', 'job_7']) AS j ON r.job_id = j"
	  . " AND r.run_id > $last AND r.status = 'completed'") or die 'the jobs do not run';
is(sequential_scans(), $scans, 'the scheduler and its runs read no table of databite as a whole');

# What waits is looked at by its job: of each run not all the others are read, whatever the planner thinks that there is.
sub rows_read { return statistic('seq_tup_read + idx_tup_fetch', 'run') }
value('ANALYZE databite.run');
$last = value('SELECT max(run_id) FROM databite.run');
my $read = rows_read();
value('UPDATE databite.job SET next_run_at = now() WHERE enabled');
value('SELECT pg_reload_conf()');
wait_until("SELECT count(*) >= $jobs - 3 FROM databite.run WHERE run_id > $last AND status = 'completed'", 'all are due again');
cmp_ok(rows_read() - $read, '<', 10 * $jobs * $jobs, 'and what is read of runs grows with what waits, not with its square');

# A retention that is changed acts at once.
$node->append_conf('postgresql.conf', "databite.history_retention = '10min'");
value('SELECT pg_reload_conf()');
wait_until("SELECT count(*) = 0 FROM databite.run AS r WHERE finished_at < now() - interval '10 min'
	AND EXISTS (SELECT FROM databite.run AS n WHERE n.job_id = r.job_id AND n.run_id > r.run_id AND n.finished_at IS NOT NULL
		AND n.status <> 'skipped')", 'a retention that is changed acts at once');
$node->append_conf('postgresql.conf', 'databite.history_retention = 0');
value('SELECT pg_reload_conf()');
unlike(slurp_file($node->logfile), qr/(ERROR|PANIC|WARNING|TRAP)/, 'the log is clean');
$node->stop;

done_testing();
