# However a process ends, its run is found, called crashed, and goes on in a new one.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $node = new_cluster('preload', 1, "databite.launcher_interval = '1h'", 'restart_after_crash = on');
my $server = silent_server();
my $hourly = '{"type": "cron", "expression": "@hourly"}';

sub runner_of
{
	my ($run) = @_;

	return $node->safe_psql('postgres', "SELECT pid FROM databite.run WHERE run_id = $run");
}

# Waits until the run is crashed and another one resumes it; the new one's id.
sub resumed
{
	my ($run, $name) = @_;

	$node->poll_query_until('postgres',
		"SELECT count(*) = 2 FROM databite.run WHERE (run_id = $run AND status = 'crashed' AND finished_at IS NOT NULL"
		  . " AND pid IS NULL AND error->>'code' = 'crashed')"
		  . " OR (resumes = $run AND trigger = 'resume' AND status IN ('queued', 'running'))")
	  or die $node->safe_psql('postgres', 'SELECT * FROM databite.run');
	pass($name);
	return $node->safe_psql('postgres', "SELECT run_id FROM databite.run WHERE resumes = $run");
}

$node->safe_psql('postgres', 'CREATE EXTENSION databite');
$node->safe_psql('postgres', 'SELECT databite.schedule_job(' . slow_job('slow', $server->sockport, $hourly) . ')');
$node->safe_psql('postgres', 'SELECT databite.schedule_job(' . quick_job('quick', $hourly) . ')');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('slow', '{\"kept\": true}')");
my $run = wait_for_run($node, 'postgres', 'slow', 'running');

# The scheduler goes, the run stays.
my $runner = runner_of($run);
my $scheduler = worker_pid($node, 'scheduler', 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
wait_for_worker($node, 'scheduler', 'postgres', $scheduler);
$node->safe_psql('postgres', "SELECT databite.enqueue_job('quick')");
wait_for_run($node, 'postgres', 'quick', 'completed');
is(runner_of($run), $runner, 'a run outlives its scheduler, and the next one does not take it for crashed');

# The runner is terminated: the cluster goes on, and the run at once.
$node->safe_psql('postgres', "SELECT pg_terminate_backend($runner)");
my $first = $run;
$run = resumed($run, 'a terminated run is resumed, although another scheduler started it');
wait_for_run($node, 'postgres', 'slow', 'running');
is( $node->safe_psql('postgres', "SELECT payload->>'kept' FROM databite.run WHERE run_id = $run"),
	'true', 'with the payload that it was queued with');
is($node->safe_psql('postgres', 'SELECT count(*) FROM databite.run WHERE status = \'crashed\''), '1', 'it crashed once');
$node->safe_psql('postgres', "UPDATE databite.run SET status = 'completed' WHERE run_id = $first");

# kill -9 of the runner takes the server down.
$runner = runner_of($run);
kill 'KILL', $runner;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM databite.run WHERE pid = $runner");
$run = resumed($run, 'kill -9 of the runner: the run is resumed after the restart');
wait_for_run($node, 'postgres', 'slow', 'running');
is( $node->safe_psql('postgres', "SELECT scheduled_for IS NULL FROM databite.run WHERE run_id = $run"),
	't', '... at once, for the first time');

# The second time in a row it has to wait, and that is not forgotten by the third process.
kill 'KILL', runner_of($run);
$node->poll_query_until('postgres', "SELECT status = 'crashed' FROM databite.run WHERE run_id = $run");
$run = resumed($run, 'it crashes again');
is( $node->safe_psql('postgres',
		"SELECT status || ' ' || (scheduled_for - queued_at BETWEEN '9 s' AND '11 s') FROM databite.run WHERE run_id = $run"),
	'queued true', 'a job that crashes twice in a row waits ten seconds');
$scheduler = wait_for_worker($node, 'scheduler', 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
wait_for_worker($node, 'scheduler', 'postgres', $scheduler);
$node->safe_psql('postgres', "SELECT databite.enqueue_job('quick')");
wait_for_run($node, 'postgres', 'quick', 'completed');
is($node->safe_psql('postgres', "SELECT status FROM databite.run WHERE run_id = $run"), 'queued',
	'also after its scheduler was terminated, while other jobs run');
wait_for_run($node, 'postgres', 'slow', 'running');
is( $node->safe_psql('postgres', "SELECT started_at >= scheduled_for FROM databite.run WHERE run_id = $run"),
	't', 'then it runs');
$node->safe_psql('postgres', "UPDATE databite.run SET status = 'completed' WHERE status = 'crashed'");

# Immediate shutdown.
$node->stop('immediate');
$node->start;
$run = resumed($run, 'a run is resumed after an immediate shutdown');
wait_for_run($node, 'postgres', 'slow', 'running');

# What was cancelled or removed is not resumed.
$node->safe_psql('postgres', "UPDATE databite.run SET cancel_requested = true WHERE run_id = $run");
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . runner_of($run) . ')');
$node->poll_query_until('postgres', "SELECT status = 'cancelled' FROM databite.run WHERE run_id = $run");
is($node->safe_psql('postgres', "SELECT count(*) FROM databite.run WHERE resumes = $run"), '0',
	'a run that was to be cancelled is not resumed');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('slow')");
$run = wait_for_run($node, 'postgres', 'slow', 'running');
$node->safe_psql('postgres', "DELETE FROM databite.job WHERE job_id = 'slow'");
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . runner_of($run) . ')');
$node->poll_query_until('postgres', "SELECT status = 'crashed' FROM databite.run WHERE run_id = $run");
is($node->safe_psql('postgres', "SELECT count(*) FROM databite.run WHERE resumes = $run"), '0',
	'a run whose job is gone is not resumed');

# A session's run.
$node->safe_psql('postgres', 'SELECT databite.schedule_job(' . slow_job('manual', $server->sockport, $hourly) . ')');
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, "\\echo begun\nCALL databite.run_job('manual');\n");
$run = wait_for_run($node, 'postgres', 'manual', 'running');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('quick')");
wait_for_run($node, 'postgres', 'quick', 'completed');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('manual')");
is($node->safe_psql('postgres', "SELECT status FROM databite.run WHERE run_id = $run"), 'running',
	'a run in a session is not taken for crashed');
$node->safe_psql('postgres', "SELECT databite.cancel_job('manual')");
ok($node->poll_query_until('postgres', "SELECT status = 'cancelled' FROM databite.run WHERE run_id = $run"),
	'it can be cancelled from another session');
$session->quit;

# The pid of a run that crashed may be anybody's by now.
my $bystander = $node->background_psql('postgres');
my $pid = $bystander->query_safe('SELECT pg_backend_pid()');
$node->safe_psql('postgres', "SELECT databite.pause_job('manual')");
$node->safe_psql('postgres', "BEGIN; UPDATE databite.run SET status = 'running', pid = $pid WHERE run_id = $run;"
	  . " SELECT databite.cancel_job('manual'); ROLLBACK");
$bystander->query_until(qr/begun/, "\\echo begun\nSELECT pg_sleep(1);\n");
$node->safe_psql('postgres', "UPDATE databite.run SET status = 'running', pid = $pid WHERE run_id = $run");
$node->safe_psql('postgres', "SELECT databite.cancel_job('manual')");
is($bystander->query_safe("SELECT 'unharmed'"), "\nunharmed", 'cancelling does not hit a bystander with the same pid');
$bystander->quit;
$node->stop;

done_testing();
