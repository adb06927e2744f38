# The launcher keeps one scheduler in every database that has the extension, and only there.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

# The interval is out of reach: whatever happens here, happens because somebody was woken.
my $node = new_cluster('preload', 1, "databite.launcher_interval = '1h'");
my $server = silent_server();
my $every_second = '{"type": "interval", "seconds": 1}';
my $hourly = '{"type": "cron", "expression": "@hourly"}';

my $launcher = wait_for_worker($node, 'launcher');
is(worker_pid($node, 'scheduler'), '', 'no scheduler where the extension is not');

# Commit and rollback.
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('postgres', 'CREATE DATABASE two');
$node->safe_psql('one', 'BEGIN; CREATE EXTENSION databite; SELECT databite.schedule_job('
	  . quick_job('a', $every_second) . '); ROLLBACK;');
$node->safe_psql('two', 'BEGIN; CREATE EXTENSION databite; SELECT databite.schedule_job('
	  . quick_job('a', $every_second) . '); COMMIT;');
my $two = wait_for_worker($node, 'scheduler', 'two');
is(worker_pid($node, 'scheduler', 'one'), '', 'a rollback starts no scheduler');
wait_for_run($node, 'two', 'a', 'completed');
pass('the job runs after the commit');

$node->safe_psql('one', 'CREATE EXTENSION databite');
$node->safe_psql('one', 'BEGIN; SELECT databite.schedule_job(' . quick_job('a', $every_second) . '); ROLLBACK;');
is($node->safe_psql('one', 'SELECT count(*) FROM databite.job'), '0', 'a rollback leaves no job');
$node->safe_psql('one', 'SELECT databite.schedule_job(' . quick_job('a', $every_second) . ')');
my $one = wait_for_worker($node, 'scheduler', 'one');
wait_for_run($node, 'one', 'a', 'completed');
is(worker_pid($node, 'scheduler', 'two'), $two, 'each database has its own scheduler');
is($node->safe_psql('postgres',
		"SELECT usesysid FROM pg_stat_activity WHERE pid = $one"), '10', 'a scheduler is the bootstrap superuser');

# Terminating each kind of process.
$node->safe_psql('postgres', "SELECT pg_terminate_backend($one)");
isnt(wait_for_worker($node, 'scheduler', 'one', $one), $one, 'a terminated scheduler comes back');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
isnt(wait_for_worker($node, 'launcher', undef, $launcher), $launcher, 'a terminated launcher comes back');
is(worker_pid($node, 'scheduler', 'two'), $two, 'a scheduler outlives the launcher');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($two)");
$two = wait_for_worker($node, 'scheduler', 'two', $two);
pass('the new launcher looks after schedulers that it did not start');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($two)");
$node->safe_psql('two', 'SELECT databite.enqueue_job(\'a\')');
is(worker_pid($node, 'scheduler', 'two'), $two, 'a scheduler does not mind being cancelled');

# DROP EXTENSION.
$node->safe_psql('two', 'SELECT databite.schedule_job(' . slow_job('slow', $server->sockport, $hourly) . ')');
$node->safe_psql('two', "SELECT databite.enqueue_job('slow')");
wait_for_run($node, 'two', 'slow', 'running');
$node->safe_psql('two', "SELECT databite.pause_job('a')");
my $runner = $node->safe_psql('two', "SELECT pid FROM databite.run WHERE status = 'running' AND job_id = 'slow'");
$node->safe_psql('two', 'BEGIN; DROP EXTENSION databite; ROLLBACK');
$node->safe_psql('two', 'BEGIN; SAVEPOINT s; DROP EXTENSION databite; ROLLBACK TO s; COMMIT');
is($node->safe_psql('two', "SELECT pid FROM databite.run WHERE status = 'running' AND job_id = 'slow'"),
	$runner, 'a DROP EXTENSION that is rolled back stops nothing');
is(worker_pid($node, 'scheduler', 'two'), $two, '... nor the scheduler');
$node->safe_psql('two', 'DROP EXTENSION databite');
ok(wait_for_no_worker($node, 'runner', 'two'), 'DROP EXTENSION ends a run that waits for the network');
ok(wait_for_no_worker($node, 'scheduler', 'two'), 'DROP EXTENSION ends the scheduler');
unlike(slurp_file($node->logfile), qr/(PANIC|relation "databite\.\w+" does not exist)/,
	'the scheduler sees that the extension is gone before it touches a table');
$node->safe_psql('two', 'CREATE EXTENSION databite; SELECT databite.schedule_job(' . quick_job('b', $every_second) . ')');
wait_for_run($node, 'two', 'b', 'completed');
pass('the extension can be created again');

# stop() and start().
is($node->safe_psql('two', 'SELECT databite.stop()'), 't', 'stop() stops');
is(worker_pid($node, 'scheduler', 'two'), '', '... and returns when the scheduler is gone');
is($node->safe_psql('two', 'SELECT databite.stop()'), 'f', 'stop() says that nothing changed');
$node->safe_psql('two', "SELECT databite.enqueue_job('b')");
isnt(worker_pid($node, 'scheduler', 'one'), '', 'another database is not concerned');
is(worker_pid($node, 'scheduler', 'two'), '', 'a stopped scheduler is not woken');
is($node->safe_psql('two', 'SELECT databite.start()'), 't', 'start() starts');
wait_for_worker($node, 'scheduler', 'two');
$node->safe_psql('two', 'SELECT databite.stop()');
$node->restart;
wait_for_worker($node, 'scheduler', 'two');
pass('a restart of the server starts it, too');
$node->stop;

# No worker slots: two are PostgreSQL's own launcher's and ours, one is the scheduler's.
my $small = new_cluster('small', 1, 'max_worker_processes = 3');
$small->safe_psql('postgres', 'CREATE EXTENSION databite; SELECT databite.schedule_job('
	  . quick_job('a', $hourly) . ')');
wait_for_worker($small, 'scheduler', 'postgres');
$small->safe_psql('postgres', "SELECT databite.enqueue_job('a')");
ok($small->poll_query_until('postgres',
		"SELECT pg_read_file('" . $small->logfile . "') LIKE '%out of background worker slots for databite''s runs%'"),
	'a shortage of worker slots is in the log');
$small->safe_psql('postgres', "SELECT databite.enqueue_job('a')") for 1 .. 3;
wait_for_run($small, 'postgres', 'a', 'queued');
my @said = slurp_file($small->logfile) =~ /(LOG: +out of background worker slots for databite's runs)/g;
is(scalar(@said), 1, '... once');
# Two schedulers take turns.
$small->safe_psql('postgres', 'CREATE DATABASE other');
$small->safe_psql('other', 'CREATE EXTENSION databite; SELECT databite.schedule_job(' . quick_job('a', $hourly) . ')');
ok($small->poll_query_until('postgres',
		"SELECT pg_read_file('" . $small->logfile . "') LIKE '%databite scheduler of database \"other\" started%'"),
	'another database gets the slot of the scheduler for a while');
$small->stop;
$small->append_conf('postgresql.conf', 'max_worker_processes = 8');
$small->start;
wait_for_run($small, 'postgres', 'a', 'completed');
is($small->safe_psql('postgres', "SELECT count(*) FROM databite.run WHERE status = 'completed'"),
	'4', 'the queue is worked off when there are slots');
$small->stop;

done_testing();
