# The listener: deliveries over HTTP, answered when they are on disk; clients that are slow, gone, many or mad.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_cluster('main', 1, "databite.webhook_listen = '127.0.0.1:$port'", 'log_min_messages = log');
my $address = "http://127.0.0.1:$port";
my $http = HTTP::Tiny->new(timeout => 60);

sub sql { return $node->safe_psql('postgres', shift); }

sub connection
{
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp', Timeout => 60)
	  || die "could not connect: $!";
}

sub signed
{
	my ($body, %headers) = @_;

	return { headers => { 'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, 'mysecret'),
			'Content-Type' => 'application/json', %headers }, content => $body };
}

sub post
{
	my ($path, $options) = @_;
	my $answer = $http->post("$address$path", $options);

	return $answer->{status};
}

# The worker is there before its socket is.
sub wait_until_it_listens
{
	my ($there) = $address =~ m{//(.*)};

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if IO::Socket::INET->new(PeerAddr => $there, Proto => 'tcp');
		select(undef, undef, undef, 0.1);
	}
	die "nothing listens at $address";
}

# The status line that comes next on a connection; '' where it was closed.
sub status_line
{
	my ($socket) = @_;
	my $line = '';

	return 'nothing came' unless IO::Select->new($socket)->can_read($PostgreSQL::Test::Utils::timeout_default);
	while ($line !~ /\n/)
	{
		my $n = sysread($socket, my $byte, 1);
		last unless $n;
		$line .= $byte;
	}
	$line =~ s/\r?\n//;
	return $line;
}

sql('CREATE EXTENSION databite');
sql(q(SELECT databite.schedule_job('{"id": "hook",
	"trigger": {"type": "webhook", "endpoint": "/hooks/github", "secret": "mysecret", "signature": "github"},
	"source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "hook", "schema": {"id": "bigint"}, "key": "id"}}')));
sql(q(SELECT databite.pause_job('hook')));
wait_for_worker($node, 'listener');
wait_until_it_listens();

# What is taken, and what is not.
is(post('/hooks/github', signed('{"id": 1}')), 200, 'a delivery is taken');
is(sql('SELECT payload FROM databite.delivery'), '{"id": 1}', 'and is on disk when that is said');
is(post('/hooks/github?x=1', signed('{"id": 2}', 'X-GitHub-Delivery' => 'a')), 200, 'one with a name');
is(post('/hooks/github', signed('{"id": 2}', 'X-GitHub-Delivery' => 'a')), 200, 'the same once more');
is(sql('SELECT count(*) FROM databite.delivery'), 2, 'is there once');
is(post('/hooks/github', { content => '{"id": 3}' }), 401, 'no signature');
is(post('/hooks/github', signed('{"id": 3')), 400, 'no JSON');
is(post('/hooks/gitlab', signed('{"id": 3}')), 404, 'no such endpoint');
is($http->get("$address/hooks/github")->{status}, 405, 'not by GET');
is($http->get("$address/hooks/github")->{headers}{allow}, 'POST', 'but by POST');
is($http->request('PUT', "$address/hooks/github", signed('{"id": 3}'))->{status}, 405, 'not by PUT');
is($http->request('DELETE', "$address/")->{status}, 405, 'nor DELETE');
is(sql('SELECT count(*) FROM databite.delivery'), 2, 'nothing of that is kept');

# Sizes.
my $socket = connection();
syswrite($socket, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n");
like(status_line($socket), qr/ 413 /, 'a gigabyte is refused before it comes');
$socket = connection();
syswrite($socket, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n");
like(status_line($socket), qr/ 4\d\d |^$/, 'a length that is no number');
$socket = connection();
syswrite($socket, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
my $chunk = sprintf("%x\r\n", 65536) . ('x' x 65536) . "\r\n";
my $sent = 0;
{
	local $SIG{PIPE} = 'IGNORE';
	while ($sent < 64 * 1024 * 1024)
	{
		my $n = syswrite($socket, $chunk);
		last unless defined $n;
		$sent += $n;
	}
}
cmp_ok($sent, '<', 64 * 1024 * 1024, 'one that turns out too large is cut off');
is(post('/hooks/github', signed('{"id": 4, "text": "' . 'x' x (8 * 1024 * 1024) . '"}')), 200, 'eight megabytes are not');
$socket = connection();
syswrite($socket, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nX-Long: " . ('y' x 100_000) . "\r\n\r\n");
like(status_line($socket), qr/ 4\d\d |^$/, 'a head that is too long');

# Garbage.
for my $garbage ("GET\r\n\r\n", "POST /hooks/github HTTP/9.9\r\n\r\n", "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	"POST /hooks/github HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
{
	my $other = connection();
	syswrite($other, $garbage);
	like(status_line($other), qr/^HTTP\/1\.[01] [45]\d\d |^$/, 'garbage is refused');
}
for my $garbage ("\0" x 1000, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" x 20, join('', map { chr(($_ * 7919) % 256) } 1 .. 5000))
{
	syswrite(connection(), $garbage);
}
is(post('/hooks/github', signed('{"id": 5}')), 200, 'and the next is taken');

# Several requests on a connection without waiting for the answers.
$socket = connection();
my $signature = hmac_sha256_hex('{"id": 6}', 'mysecret');
syswrite($socket, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX-Hub-Signature-256: sha256=$signature\r\n\r\n{\"id\": 6}" x 5);
my $answers = '';
while ((() = $answers =~ /HTTP\/1\.1 200/g) < 5 && IO::Select->new($socket)->can_read($PostgreSQL::Test::Utils::timeout_default))
{
	sysread($socket, $answers, 65536, length $answers) or last;
}
is(scalar(() = $answers =~ /HTTP\/1\.1 200/g), 5, 'pipelined requests are answered in turn');

# Two hundred at once that have not said all yet, some of whom go away.
my @half = map { connection() } 1 .. 200;
syswrite($_, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX-Hub-Signature-256: sha256=$signature\r\n\r\n{\"id\"") for @half;
is(post('/hooks/github', signed('{"id": 7}')), 200, 'two hundred that are slow do not hold up another');
close($_) for splice(@half, 0, 50);
my $before = sql('SELECT count(*) FROM databite.delivery');
syswrite($_, ': 6}') for @half;
is(scalar(grep { status_line($_) =~ / 200 / } @half), 150, 'and are answered when they are done');
is(sql('SELECT count(*) FROM databite.delivery') - $before, 150, 'each is kept');

# A database that is busy: the answer is that it should come again, and others are answered.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe('BEGIN; LOCK TABLE databite.delivery IN ACCESS EXCLUSIVE MODE');
is(post('/hooks/github', signed('{"id": 8}')), 503, 'a table that is locked');
is(post('/hooks/gitlab', signed('{"id": 8}')), 404, 'others are answered meanwhile');
$session->query_safe('COMMIT');
$session->quit;
is(post('/hooks/github', signed('{"id": 8}')), 200, 'afterwards it is taken');

# It comes back, follows the configuration, and goes with the extension.
my $pid = worker_pid($node, 'listener');
sql("SELECT pg_terminate_backend($pid)");
isnt(wait_for_worker($node, 'listener', 'postgres', $pid), $pid, 'a listener that was terminated comes back');
wait_until_it_listens();
my $other_port = PostgreSQL::Test::Cluster::get_free_port();
$node->append_conf('postgresql.conf', "databite.webhook_listen = '127.0.0.1:$other_port'");
$pid = worker_pid($node, 'listener');
$node->reload;
wait_for_worker($node, 'listener', 'postgres', $pid);
$address = "http://127.0.0.1:$other_port";
wait_until_it_listens();
is(post('/hooks/github', signed('{"id": 9}')), 200, 'a new address');
$node->append_conf('postgresql.conf', "databite.webhook_listen = ''");
$node->reload;
ok(wait_for_no_worker($node, 'listener'), 'an empty one ends it');
$node->append_conf('postgresql.conf', "databite.webhook_listen = '127.0.0.1:$port'");
$node->reload;
wait_for_worker($node, 'listener');
$address = "http://127.0.0.1:$port";

# Nothing of bodies, secrets or signatures is in the log.
my $log = join("\n", grep { !/LOG:  statement:/ && !/^\t/ } split /\n/, slurp_file($node->logfile));
unlike($log, qr/mysecret|"id": \d|$signature/, 'nothing of a delivery is in the log');
sql('DROP EXTENSION databite');
ok(wait_for_no_worker($node, 'listener'), 'and goes with the extension');

$node->stop;
done_testing();
