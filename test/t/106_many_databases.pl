# More databases than worker slots for schedulers: they take turns, and so do their runs.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

# Of 6 slots PostgreSQL's launcher and ours have one each, schedulers two and runs two.
my $node = new_cluster('crowd', 1, "databite.launcher_interval = '1h'", 'max_worker_processes = 6', 'fsync = off');
my $server = silent_server();
my @databases = map { "d$_" } 1 .. 12;

# What is asked in each database, as one number or text for all.
sub everywhere
{
	my ($sql) = @_;

	return map { $node->safe_psql($_, $sql) } @databases;
}

$node->safe_psql('postgres', 'CREATE DATABASE d1');
$node->safe_psql('d1', 'CREATE EXTENSION databite; SELECT databite.schedule_job('
	  . quick_job('a', '{"type": "interval", "seconds": 1}') . "); SELECT databite.pause_job('a')");
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE d1") for @databases[ 1 .. $#databases ];
everywhere("SELECT databite.resume_job('a')");

# A job that is due every second in each of them.
for my $database (@databases)
{
	$node->poll_query_until($database, "SELECT count(*) > 1 FROM databite.run WHERE status = 'completed' AND trigger = 'schedule'")
	  or die "$database starves: " . $node->safe_psql($database, 'SELECT * FROM databite.run');
}
pass('the jobs of twelve databases run with two schedulers');
is(join('', everywhere("SELECT count(*) FROM databite.run WHERE status IN ('failed', 'crashed')")), '0' x @databases, 'and none fails');
cmp_ok($node->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite scheduler')),
	'<=', 2, 'there are no more schedulers than their share');

# Nothing to do: nobody is there; and who is needed comes.
everywhere("SELECT databite.pause_job('a')");
ok(wait_for_no_worker($node, 'scheduler'), 'where nothing is due soon, no scheduler holds a slot');
$node->safe_psql('d7', "SELECT databite.enqueue_job('a')");
wait_for_run($node, 'd7', 'a', 'completed');
pass('it comes when somebody asks');
$node->safe_psql('d9', "UPDATE databite.job SET enabled = true, next_run_at = now() + interval '6 s'");
my $run = $node->safe_psql('d9', 'SELECT databite.enqueue_job(\'a\')');
ok($node->poll_query_until('d9', "SELECT count(*) = 1 FROM databite.run WHERE run_id > $run AND trigger = 'schedule' AND status = 'completed'"),
	'and when a job is due, after it has gone to rest');
$node->safe_psql('d9', "SELECT databite.pause_job('a')");

# Runs of one database do not take the slots of all: two for runs, one of them never for a second run of d1.
$node->safe_psql('d1', "SELECT databite.schedule_job($_)") for map { slow_job("slow$_", $server->sockport) } 1 .. 3;
$node->safe_psql('d1', "SELECT databite.enqueue_job('slow$_')") for 1 .. 3;
wait_for_run($node, 'd1', 'slow1', 'running');
for my $database (@databases[ 1 .. 3 ])
{
	$node->safe_psql($database, "SELECT databite.enqueue_job('a')");
	wait_for_run($node, $database, 'a', 'completed');
}
is($node->safe_psql('d1', "SELECT string_agg(job_id || ' ' || status, ', ' ORDER BY job_id) FROM databite.run WHERE job_id <> 'a'"),
	'slow1 running, slow2 queued, slow3 queued', 'a database with long runs leaves a slot to the others');

# The second slot is taken by a long run of another one: the next in turn gets what is given back.
$node->safe_psql('d2', "SELECT databite.schedule_job(" . slow_job('slow', $server->sockport) . ')');
$node->safe_psql('d2', "SELECT databite.enqueue_job('slow')");
wait_for_run($node, 'd2', 'slow', 'running');
$node->safe_psql('d3', "SELECT databite.enqueue_job('a')");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'databite scheduler' AND datname = 'd3' AND state = 'idle'"),
	'a scheduler has seen that it has to wait');
$node->safe_psql('d1', "SELECT databite.cancel_job('slow1')");
wait_for_run($node, 'd3', 'a', 'completed');
wait_for_run($node, 'd1', 'slow2', 'running');
pass('a database without a run comes before the second run of another one, which comes, too');
$node->safe_psql('d1', "SELECT databite.cancel_job('slow2')");
wait_for_run($node, 'd1', 'slow3', 'running');

# A run that loses its process while its database has no scheduler is found.
ok(wait_for_no_worker($node, 'scheduler', 'd2'), 'a scheduler does not stay for a run');
$node->safe_psql('d2', "SELECT pg_terminate_backend(pid) FROM databite.run WHERE status = 'running'");
ok($node->poll_query_until('d2', "SELECT count(*) = 1 FROM databite.run WHERE job_id = 'slow' AND trigger = 'resume' AND status = 'running'"),
	'but a run that has lost its process is found and goes on');

my $log = slurp_file($node->logfile);
unlike($log, qr/(PANIC|TRAP|out of background worker slots)/, 'the log is clean');
my @said = $log =~ /(LOG: +databite scheduler of database)/g;
cmp_ok(scalar(@said), '<', 40, 'and it does not tell of every turn');
$node->stop;

done_testing();
