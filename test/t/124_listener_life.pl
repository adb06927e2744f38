# The life of a listener: one address for several databases, DROP DATABASE, stop(), signals, locks and few open files.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WebhookTest;
use WorkerTest;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $body = '{"id": 1}';
my $signature = 'sha256=' . hmac_sha256_hex($body, 'mysecret');
my $unregistered = qr/unregistering background worker "databite listener"/;
my $node;

# What a delivery is but its last byte.
sub request
{
	my ($id) = @_;

	return "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX-Hub-Signature-256: $signature\r\n"
	  . "X-GitHub-Delivery: $id\r\n\r\n" . substr($body, 0, 8);
}

sub status_of
{
	my ($socket) = @_;

	return (read_answer($socket) =~ m{^HTTP/1\.1 (\d+)})[0];
}

sub post
{
	my ($id) = @_;
	my $socket = connect_to($port);

	syswrite($socket, request($id) . '}');
	return status_of($socket);
}

sub add_database
{
	my ($name) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, q(CREATE EXTENSION databite; SELECT databite.schedule_job('{"id": "hook",
		"trigger": {"type": "webhook", "endpoint": "/hooks/github", "secret": "mysecret", "signature": "github"},
		"source": {"type": "webhook_data"}, "enabled": false,
		"destination": {"type": "database", "table": "hook", "schema": {"id": "bigint"}, "key": "id"}}')));
}

sub listens
{
	my ($database, $not) = @_;
	my $pid = wait_for_worker($node, 'listener', $database, $not);

	wait_until_listening($port);
	return $pid;
}

sub set_address
{
	my ($address) = @_;

	$node->append_conf('postgresql.conf', "databite.webhook_listen = '$address'");
	$node->reload;
}

$node = new_cluster('preload', 1, "databite.launcher_interval = '1h'", "databite.webhook_listen = '127.0.0.1:$port'",
	'log_min_messages = debug1', 'max_worker_processes = 16');
add_database('one');
my $pid = listens('one');
is(post('a'), 200, 'the listener takes a delivery');

# Nobody cancels it.
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
is(post('b'), 200, 'a listener that was cancelled goes on');
is(worker_pid($node, 'listener'), $pid, 'as the same process');

# Several databases with one address.
my $offset = -s $node->logfile;
add_database('two');
$node->wait_for_log(qr/could not listen for webhooks at "127\.0\.0\.1:$port": Address already in use/, $offset);
my $second = worker_pid($node, 'listener', 'two');
$node->reload for 1 .. 3;
is(post('c'), 200, 'the first one has the address');
is($node->safe_psql('one', 'SELECT count(*) FROM databite.delivery'), 3, 'and the deliveries');
is(worker_pid($node, 'listener', 'two'), $second, 'the second one waits');
is(scalar(() = slurp_file($node->logfile, $offset) =~ /could not listen/g), 1, 'and says so once');
$node->safe_psql('one', 'DROP EXTENSION databite');
ok(wait_for_no_worker($node, 'listener', 'one'), 'the first one goes');
$node->reload;
wait_until_listening($port);
is(post('d'), 200, 'the second one gets the address');
is($node->safe_psql('two', 'SELECT count(*) FROM databite.delivery'), 1, 'and the deliveries');
is(worker_pid($node, 'listener', 'two'), $second, 'without a new process');

# Commands on databases.
$offset = -s $node->logfile;
$node->safe_psql('postgres', 'ALTER DATABASE two RENAME TO three');
$pid = listens('three');
pass('a listener makes room for ALTER DATABASE, and the next one comes at once');
$node->safe_psql('postgres', 'DROP DATABASE three');
ok($node->wait_for_log(qr/(?s)$unregistered.*$unregistered/, $offset), 'and comes back to no database that was dropped');
unlike(slurp_file($node->logfile, $offset), qr/database \S+ does not exist/, 'nor tries to');

# An address that comes and goes.
add_database('one_more');
listens('one_more');
for my $time (1 .. 2)
{
	set_address('');
	ok(wait_for_no_worker($node, 'listener'), 'it ends without an address');
	set_address("127.0.0.1:$port");
	$pid = listens('one_more');
}
is(post('e'), 200, 'and is soon back with one');

# Of several that are there at once, one has to wait for a lock.
my @visitors = map { connect_to($port) } 1 .. 9;
syswrite($visitors[$_], request("at once $_")) for 0 .. 8;
is(post('f'), 200, 'all are there but their last byte');
my $session = $node->background_psql('one_more', on_error_stop => 1);
$session->query_safe('BEGIN');
$session->query_safe(qq(SELECT databite.receive_webhook('/hooks/github', '{"X-Hub-Signature-256": "$signature",
	"X-GitHub-Delivery": "at once 4"}', '$body')));
kill 'STOP', $pid;
syswrite($_, '}') for @visitors;
kill 'CONT', $pid;
my @status = map { status_of($_) } @visitors;
is_deeply(\@status, [ (200) x 4, 503, (200) x 4 ], 'one that has to wait for a lock is told to come again, those beside it are taken');
$session->query_safe('COMMIT');
$session->quit;
is(post('at once 4'), 200, 'and it comes again');
is($node->safe_psql('one_more', 'SELECT count(*) FROM databite.delivery'), 11, 'each is there once');

# Where few files may be open, PostgreSQL still has some.
SKIP:
{
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	skip 'no prlimit here', 3 unless eval { system_log('prlimit', "--pid=$postmaster", '--nofile=100:100') } == 0;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	$pid = listens('one_more', $pid);
	my $first = connect_to($port);
	syswrite($first, request('first'));
	my @idle = map { connect_to($port) } 1 .. 200;
	syswrite($first, '}');
	is(status_of($first), 200, 'with more connections than files a delivery is taken');
	close($_) for @idle;
	is(post('last'), 200, 'and when they have gone, the next');

	# Clients that would keep their connections leave their places to those who wait.
	my @keeping = map { connect_to($port) } 1 .. 200;
	syswrite($keeping[$_], request("keeping $_") . '}') for 0 .. $#keeping;
	is(scalar(grep { (status_of($_) // 0) == 200 } @keeping), 200, 'and all of more clients than places');
}
$node->stop;

# Without preload.
$node = PostgreSQL::Test::Cluster->new('plain');
$node->init;
$node->append_conf('postgresql.conf', "session_preload_libraries = 'databite'\ndatabite.webhook_listen = '127.0.0.1:$port'\nlog_min_messages = debug1");
$node->start;
add_database('one');
$node->safe_psql('one', 'SELECT databite.start()');
$pid = listens('one');
is($node->safe_psql('one', 'SELECT databite.stop()'), 't', 'stop()');
is(worker_pid($node, 'listener'), '', 'ends the listener');
is($node->safe_psql('one', 'SELECT databite.stop()'), 'f', 'and there is nothing more to stop');
is($node->safe_psql('one', 'SELECT databite.start()'), 't', 'start()');
listens('one', $pid);
is(post('a'), 200, 'brings it back');
$node->safe_psql('one', 'SELECT databite.stop()');
$node->safe_psql('postgres', 'DROP DATABASE one');
pass('after stop() a database can be dropped');
add_database('two');
$node->safe_psql('two', 'SELECT databite.start()');
listens('two');
$offset = -s $node->logfile;
$node->safe_psql('postgres', 'DROP DATABASE two WITH (FORCE)');
ok($node->wait_for_log($unregistered, $offset), 'a listener that comes back to no database does so once');
$node->stop;

done_testing();
