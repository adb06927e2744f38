# The scheduler runs jobs when they are due, in bounds, as their owners; with and without preload.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $node = new_cluster('preload', 1, "databite.launcher_interval = '1h'", 'databite.max_workers = 1');
my $server = silent_server();
my $minutely = '{"type": "interval", "minutes": 1}';
my $hourly = '{"type": "cron", "expression": "@hourly"}';

# Makes a job due, as if nobody had looked for so long.
sub make_due
{
	my ($job, $since) = @_;

	$node->safe_psql('postgres',
		"UPDATE databite.job SET next_run_at = now() - interval '$since' WHERE job_id = '$job'");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
}

sub schedule
{
	my ($definition, $role) = @_;

	$role //= 'postgres';
	$node->safe_psql('postgres', "SET ROLE $role; SELECT databite.schedule_job($definition)");
}

$node->safe_psql('postgres', 'CREATE EXTENSION databite');

# A late job runs once.
schedule(quick_job('late', $minutely));
my $before = $node->safe_psql('postgres',
	"SELECT next_run_at > now() AND next_run_at <= now() + interval '1 min' FROM databite.job");
is($before, 't', 'a new interval job is due after one interval');
make_due('late', '1 hour 10 s');
wait_for_run($node, 'postgres', 'late', 'completed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM databite.run'), '1', 'a job that is an hour late runs once');
is( $node->safe_psql('postgres',
		"SELECT next_run_at > now() AND next_run_at <= now() + interval '1 min'"
		  . ' AND extract(epoch FROM next_run_at - scheduled_for)::numeric % 60 = 0'
		  . " FROM databite.job JOIN databite.run USING (job_id)"),
	't',
	'its next run keeps to the raster of its scheduled starts');
is($node->safe_psql('postgres', "SELECT trigger FROM databite.run"), 'schedule', 'history says what started it');

# It does not overlap itself, and others wait for a free place in the order in which they came.
schedule(slow_job('slow', $server->sockport, $minutely));
make_due('slow', '1 s');
wait_for_run($node, 'postgres', 'slow', 'running');
make_due('slow', '1 s');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.run WHERE job_id = 'slow' AND status = 'skipped'");
is( $node->safe_psql('postgres', "SELECT error->>'message' FROM databite.run WHERE status = 'skipped'"),
	'the job was due while its run before had not ended',
	'a job that is due while it runs is skipped, and history says so');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('late')");
$node->safe_psql('postgres', "SELECT databite.enqueue_job('slow')");
is(wait_for_worker($node, 'runner', 'postgres') ne '', 1, 'databite.max_workers bounds the runs');
is($node->safe_psql('postgres', "SELECT count(*) FROM databite.run WHERE status = 'queued'"), '2', 'the others wait');
is($node->safe_psql('postgres', "SELECT databite.cancel_job('slow')"), 't', 'the run is cancelled');
wait_for_run($node, 'postgres', 'late', 'completed');
pass('then the next one runs');
$node->safe_psql('postgres', "SELECT databite.unschedule_job('slow')");
ok(wait_for_no_worker($node, 'runner', 'postgres'), 'nothing is left running');

# One bad job does not stop the others.
schedule(quick_job('bad', $minutely));
$node->safe_psql('postgres', q(UPDATE databite.job SET definition = '{"id": "bad", "sourc": 1}' WHERE job_id = 'bad'));
make_due('bad', '2 h');
make_due('late', '1 h');
wait_for_run($node, 'postgres', 'bad', 'failed');
wait_for_run($node, 'postgres', 'late', 'completed');
is( $node->safe_psql('postgres',
		"SELECT error->>'code' || ' ' || (next_run_at IS NULL) FROM databite.run JOIN databite.job USING (job_id)"
		  . " WHERE job_id = 'bad'"),
	'22023 true',
	'a job whose definition is not valid any more fails once, with the reason');

# A locked job is not waited for.
my $session = $node->background_psql('postgres');
$session->query_safe("BEGIN; SELECT 1 FROM databite.job WHERE job_id = 'late' FOR UPDATE");
schedule(quick_job('free', $minutely));
$node->safe_psql('postgres', "UPDATE databite.job SET next_run_at = now() WHERE job_id = 'free'; SELECT pg_reload_conf()");
wait_for_run($node, 'postgres', 'free', 'completed');
$session->quit;
pass('a job that somebody has locked does not hold up others');

# Owners.
$node->safe_psql('postgres', 'CREATE ROLE worker LOGIN; CREATE ROLE nobody NOLOGIN; CREATE ROLE leaver LOGIN;'
	  . ' GRANT USAGE ON SCHEMA databite TO worker, nobody, leaver;'
	  . ' GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO worker, nobody, leaver;'
	  . ' GRANT CREATE ON SCHEMA public TO worker, nobody, leaver');
schedule(quick_job("of_$_", $hourly), $_) for qw(worker nobody leaver);
schedule(slow_job('slow_of_worker', $server->sockport), 'worker');
$node->safe_psql('postgres', "REVOKE ALL ON SCHEMA public FROM leaver; REVOKE ALL ON SCHEMA databite FROM leaver;"
	  . 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA databite FROM leaver; DROP ROLE leaver');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('of_$_')") for qw(worker nobody leaver);
wait_for_run($node, 'postgres', 'of_worker', 'completed');
wait_for_run($node, 'postgres', 'of_nobody', 'failed');
wait_for_run($node, 'postgres', 'of_leaver', 'failed');
like($node->safe_psql('postgres', "SELECT error->>'message' FROM databite.run WHERE job_id = 'of_nobody'"),
	qr/^role "nobody", which owns the job, is not permitted to log in$/, 'an owner that may not log in is named');
like($node->safe_psql('postgres', "SELECT error->>'message' FROM databite.run WHERE job_id = 'of_leaver'"),
	qr/^role with OID \d+, which owns the job, does not exist$/, 'an owner that is gone is reported');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('slow_of_worker')");
wait_for_run($node, 'postgres', 'slow_of_worker', 'running');
is( $node->safe_psql('postgres',
		"SELECT usename || ' ' || application_name FROM pg_stat_activity WHERE backend_type = 'databite runner'"),
	'worker databite job slow_of_worker',
	'a run is in a process of its owner, which says what it does');
$node->safe_psql('postgres', "SELECT databite.cancel_job('slow_of_worker')");
wait_for_run($node, 'postgres', 'slow_of_worker', 'cancelled');
$node->safe_psql('postgres', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
$node->safe_psql('postgres', "SELECT databite.enqueue_job('of_worker')");
wait_for_run($node, 'postgres', 'of_worker', 'failed');
like($node->safe_psql('postgres', "SELECT error->>'hint' FROM databite.run WHERE job_id = 'of_worker' ORDER BY run_id DESC LIMIT 1"),
	qr/^Run GRANT CONNECT/, 'an owner that may not connect gets a hint');
$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');

# History goes away, and with it what its runs rejected.
$node->safe_psql('postgres', q(INSERT INTO databite.rejected_item (job_id, owner, run_id, step, error_code, message)
	SELECT job_id, owner, run_id, 'main', '23514', 'x' FROM databite.run WHERE job_id IN ('free', 'of_worker')));
$node->safe_psql('postgres', "SELECT databite.unschedule_job('free')");
$node->safe_psql('postgres', "UPDATE databite.run SET finished_at = now() - interval '40 days' WHERE job_id = 'free'");
my $scheduler = worker_pid($node, 'scheduler', 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM databite.run WHERE job_id = 'free'"),
	'runs older than databite.history_retention are deleted');
is($node->safe_psql('postgres', "SELECT count(*) > 5 FROM databite.run"), 't', 'younger ones are kept');
is($node->safe_psql('postgres', 'SELECT DISTINCT job_id FROM databite.rejected_item'), 'of_worker', 'and so are their rejected items');

# A read-only database is left alone.
$node->safe_psql('postgres', 'CREATE DATABASE frozen');
$node->safe_psql('postgres', 'ALTER DATABASE frozen SET default_transaction_read_only = on');
$node->safe_psql('frozen', 'SET default_transaction_read_only = off; CREATE EXTENSION databite');
$node->safe_psql('frozen', 'SET default_transaction_read_only = off; SELECT databite.schedule_job('
	  . quick_job('a', '{"type": "interval", "seconds": 1}') . ')');
ok(wait_for_no_worker($node, 'scheduler', 'frozen'), 'a scheduler leaves a read-only database');
$node->safe_psql('frozen', 'SET default_transaction_read_only = off; ALTER DATABASE frozen RESET ALL;'
	  . " SELECT databite.enqueue_job('a')");
wait_for_run($node, 'frozen', 'a', 'completed');
unlike(slurp_file($node->logfile), qr/read-only transaction/, '... without an error');
$node->stop;

# Without preload.
my $plain = new_cluster('plain', 0);
$plain->safe_psql('postgres', 'BEGIN; CREATE EXTENSION databite; SELECT databite.start(); COMMIT');
$scheduler = wait_for_worker($plain, 'scheduler', 'postgres');
is($plain->safe_psql('postgres', 'SELECT databite.start()'), 'f', 'there is one scheduler at most');
$plain->safe_psql('postgres', 'SELECT databite.schedule_job(' . quick_job('a', $minutely) . ')');
$plain->safe_psql('postgres', "SELECT databite.enqueue_job('a')");
wait_for_run($plain, 'postgres', 'a', 'completed');
pass('start() in the transaction that creates the extension starts a scheduler that runs jobs');
$plain->safe_psql('postgres', "BEGIN; SELECT databite.enqueue_job('a'); ROLLBACK");
$plain->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
$scheduler = wait_for_worker($plain, 'scheduler', 'postgres', $scheduler);
$plain->safe_psql('postgres', "SELECT databite.enqueue_job('a')");
wait_for_run($plain, 'postgres', 'a', 'completed');
pass('the scheduler comes back when it is terminated');
is($plain->safe_psql('postgres', 'SELECT databite.stop()'), 't', 'stop() stops it');
is(worker_pid($plain, 'scheduler', 'postgres'), '', '... for good');
is($plain->safe_psql('postgres', 'SELECT databite.stop()'), 'f', 'stop() says that there was none');
is($plain->safe_psql('postgres', 'SELECT databite.start()'), 't', 'start() starts it again');
$plain->safe_psql('postgres', 'DROP EXTENSION databite; SELECT pg_reload_conf()');
ok(wait_for_no_worker($plain, 'scheduler', 'postgres'), 'it ends where the extension is gone');

$plain->safe_psql('postgres', 'CREATE DATABASE gone');
$plain->safe_psql('gone', 'CREATE EXTENSION databite');
$plain->safe_psql('gone', 'SELECT databite.start()');
$plain->safe_psql('postgres', 'DROP DATABASE gone WITH (FORCE)');
ok( $plain->poll_query_until('postgres',
		"SELECT pg_read_file('" . $plain->logfile . "') ~ 'FATAL: +database \\d+ does not exist'"),
	'a scheduler whose database is gone comes back once');
$plain->safe_psql('postgres', 'CREATE EXTENSION databite');
$plain->safe_psql('postgres', 'SELECT databite.start()');
$scheduler = worker_pid($plain, 'scheduler', 'postgres');
$plain->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
wait_for_worker($plain, 'scheduler', 'postgres', $scheduler);
my @fatal = slurp_file($plain->logfile) =~ /(FATAL: +database \d+ does not exist)/g;
is(scalar(@fatal), 1, '... and not again');
$plain->stop;

my $full = new_cluster('full', 0, 'max_worker_processes = 1');
$full->safe_psql('postgres', 'CREATE EXTENSION databite');
my ($status, undef, $error) = $full->psql('postgres', '\set VERBOSITY verbose' . "\n" . 'SELECT databite.start()');
like($error, qr/53400.*no background worker slot is free.*max_worker_processes/s, 'start() says that no slot is free');
$full->stop;

done_testing();
