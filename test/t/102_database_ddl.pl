# Commands on databases do not find databite's workers in their way, and runs survive where the database does.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use WorkerTest;

my $node = new_cluster('preload', 1, "databite.launcher_interval = '1h'", 'max_worker_processes = 16',
	'allow_in_place_tablespaces = on');
my $server = silent_server();
my $hourly = '{"type": "cron", "expression": "@hourly"}';

# A database with a run that waits for the network.
sub busy_database
{
	my ($name) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION databite; SELECT databite.schedule_job('
		  . slow_job('slow', $server->sockport, $hourly) . ')');
	$node->safe_psql($name, "SELECT databite.enqueue_job('slow')");
	wait_for_run($node, $name, 'slow', 'running');
}

# Runs that crash again and again have to wait; that is not what is tested here.
sub forget_crashes
{
	$node->safe_psql($_[0], "UPDATE databite.run SET status = 'completed' WHERE status = 'crashed'");
}

# Gives a command and expects it to succeed before a person loses patience.
sub quickly
{
	my ($command, $name) = @_;
	my $begin = time;

	$node->safe_psql('postgres', $command);
	cmp_ok(time - $begin, '<', 2, $name);
}

# After a command that left the database there: is everything going again?
sub goes_on
{
	my ($database, $name) = @_;

	wait_for_worker($node, 'scheduler', $database);
	$node->poll_query_until($database,
		"SELECT count(*) FILTER (WHERE status = 'crashed') >= 1 AND"
		  . " count(*) FILTER (WHERE status = 'running' AND trigger = 'resume') = 1 FROM databite.run")
	  or die $node->safe_psql($database, 'SELECT * FROM databite.run');
	forget_crashes($database);
	pass($name);
}

busy_database('one');
quickly('DROP DATABASE one', 'DROP DATABASE stops a run that waits for the network');
unlike(slurp_file($node->logfile), qr/database "one" does not exist/, 'nobody tries to enter it again');

busy_database('two');
quickly('CREATE DATABASE copy TEMPLATE two', 'a database with workers can be copied');
goes_on('two', 'the run goes on in the original');
goes_on('copy', 'the copy gets its own scheduler');
quickly('DROP DATABASE copy', 'the copy can be dropped');

quickly('ALTER DATABASE two RENAME TO three', 'a database with workers can be renamed');
goes_on('three', 'the run goes on under the new name');

$node->safe_psql('postgres', "CREATE TABLESPACE aside LOCATION ''");
quickly('ALTER DATABASE three SET TABLESPACE aside', 'a database with workers can be moved');
goes_on('three', 'the run goes on at the new place');

# It can be copied from a session in it, too.
$node->safe_psql('three', 'CREATE DATABASE copy TEMPLATE three');
goes_on('three', 'the run goes on after a copy from inside');
goes_on('copy', 'the copy, too');

# Commands that fail.
my $scheduler = worker_pid($node, 'scheduler', 'three');
$node->safe_psql('postgres', 'CREATE ROLE other LOGIN CREATEDB');
$node->psql('postgres', "SET ROLE other; DROP DATABASE three;");
$node->psql('postgres', "SET ROLE other; CREATE DATABASE theft TEMPLATE three;");
is(worker_pid($node, 'scheduler', 'three'), $scheduler, "who does not own the database cannot stop its workers");
my $session = $node->background_psql('three');
my ($status, undef, $error) = $node->psql('postgres', 'DROP DATABASE three');
like($error, qr/is being accessed by other users/, 'a user in the database is still in the way');
like($error, qr/There is 1 other session/, '... and databite is not');
$session->quit;
goes_on('three', 'workers return after a DROP DATABASE that failed');
$node->psql('postgres', "BEGIN;\nDROP DATABASE three;\nCOMMIT;");
goes_on('three', 'and after one in a transaction block');
$node->safe_psql('postgres', 'BEGIN; ALTER DATABASE three RENAME TO four; ROLLBACK');
goes_on('three', 'and after a rename that was rolled back');

# Databases that nobody may enter.
$node->safe_psql('postgres', 'ALTER DATABASE three ALLOW_CONNECTIONS false');
ok(wait_for_no_worker($node, 'scheduler', 'three'), 'a database that allows no connections has no scheduler');
$node->safe_psql('postgres', 'ALTER DATABASE three ALLOW_CONNECTIONS true');
wait_for_worker($node, 'scheduler', 'three');
$node->safe_psql('postgres', 'ALTER DATABASE three IS_TEMPLATE true');
ok(wait_for_no_worker($node, 'scheduler', 'three'), 'a template has no scheduler');
$node->safe_psql('postgres', 'ALTER DATABASE three IS_TEMPLATE false');
wait_for_worker($node, 'scheduler', 'three');

# Many come and go.
$node->safe_psql('postgres', "CREATE DATABASE many$_ TEMPLATE copy") for 1 .. 3;
$node->safe_psql('postgres', "DROP DATABASE many$_") for 1 .. 3;
quickly("DROP DATABASE three", 'DROP DATABASE still works');
quickly("DROP DATABASE copy", 'and for the last one');
ok(wait_for_no_worker($node, 'scheduler'), 'no scheduler is left');
unlike(slurp_file($node->logfile), qr/(PANIC|TRAP|database \d+ does not exist)/, 'the log is clean');
$node->stop;

done_testing();
