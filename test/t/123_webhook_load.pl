# Webhooks under load: many connections, slow and half-open ones, bodies without an end, a database that is busy, and a server that
# is killed: what was answered with 200 is there, once, and nobody is kept waiting.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER);
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SampleApi ();
use Test::More;
use WebhookTest;
use WorkerTest;

my $port = PostgreSQL::Test::Cluster::get_free_port();

# A commit takes as long as on a slow disk, so that what relies on its being quick shows.
my $node = new_cluster('main', 1, "databite.webhook_listen = '127.0.0.1:$port'", 'restart_after_crash = on', 'log_min_messages = debug1',
	'fsync = on', 'commit_delay = 20000', 'commit_siblings = 0');

my $endpoint = '/hook';

sub sql { return $node->safe_psql('postgres', shift); }

# A whole request for the endpoint, signed.
sub request
{
	my ($body, %headers) = @_;

	return join "\r\n", "POST $endpoint HTTP/1.1", 'Host: x', 'Content-Length: ' . length $body, 'X-Sign: ' . hmac_sha256_hex($body, 's'),
	  (map { "$_: $headers{$_}" } keys %headers), '', $body;
}

# The answer to one request on a connection of its own.
sub answer_to
{
	my ($request) = @_;
	my $socket = connect_to($port);

	syswrite($socket, $request);
	return read_answer($socket);
}

sub status_of { return (shift =~ m{^HTTP/1\.1 (\d+)})[0] // 'closed'; }

sub post { return status_of(answer_to(request(@_))); }

sub wait_for
{
	my ($query, $what) = @_;

	return ok(SampleApi::wait_for_sql($node, 'postgres', $query), $what);
}

# Of a process for itself, in MiB.
sub own_memory
{
	my ($pid) = @_;

	return (slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m)[0] / 1024;
}

# Sends versions 1 to $versions of each id, each when the one before is answered, on a connection for each id.  Returns what was
# answered with 200, "id.version", and calls $after with their number after each.
sub send_versions
{
	my ($first, $last, $versions, $after) = @_;
	my (%id, %version, @taken);
	my $select = IO::Select->new;
	local $SIG{PIPE} = 'IGNORE';
	my $send = sub
	{
		my ($socket) = @_;
		my $name = "$id{$socket}.$version{$socket}";

		syswrite($socket, request(qq({"id": $id{$socket}, "version": $version{$socket}}), 'X-Id' => $name));
	};

	for my $id ($first .. $last)
	{
		my $socket = connect_to($port);

		$select->add($socket);
		($id{$socket}, $version{$socket}) = ($id, 1);
		$send->($socket);
	}
	while ($select->count)
	{
		my @ready = $select->can_read($PostgreSQL::Test::Utils::timeout_default) or die 'no answer came';
		for my $socket (@ready)
		{
			my $status = status_of(read_answer($socket) // '');

			push @taken, "$id{$socket}.$version{$socket}" if $status eq '200';
			$after->(scalar @taken) if $after;
			if ($status eq '200' && $version{$socket}++ < $versions)
			{
				$send->($socket);
				next;
			}
			$select->remove($socket);
			close $socket;
		}
	}
	return @taken;
}

sql('CREATE EXTENSION databite');
sql('CREATE TABLE hook (id bigint, version int); CREATE TABLE latest (id bigint PRIMARY KEY, version int)');
for (['hook', 'insert'], ['latest', 'upsert'])
{
	sql(qq(SELECT databite.schedule_job('{"id": "$_->[0]",
		"trigger": {"type": "webhook", "endpoint": "/$_->[0]", "secret": "s", "signature": {"header": "X-Sign", "idHeader": "X-Id"}},
		"source": {"type": "webhook_data"},
		"destination": {"type": "database", "table": "$_->[0]", "mode": "$_->[1]"}}')));
}
my $listener = wait_for_worker($node, 'listener');
wait_until_listening($port);

# A run's worker finds its run: it does not begin before the run is committed.
for my $id (1 .. 5)
{
	is(post(qq({"id": $id, "version": 1})), 200, 'a delivery');
	wait_for("SELECT count(*) = $id FROM hook", 'becomes a row');
}
my $started = () = slurp_file($node->logfile) =~ /starting background worker process "databite job hook"/g;
is($started, sql(q(SELECT count(*) FROM databite.runs)), 'each run has cost one worker');

# Two hundred connections, each of which says more when it is answered: few commits, few runs, each row's versions in order.
$endpoint = '/latest';
is(scalar(send_versions(1, 200, 5)), 1000, 'two hundred connections at once, five deliveries each');
wait_for(q(SELECT count(*) = 0 FROM databite.delivery), 'all become rows');
is(sql('SELECT count(*), min(version), max(version) FROM latest'), '200|5|5', 'the last version of each wins');
cmp_ok(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'latest')), '<', 250, 'by few runs');
is(sql(q(SELECT sum(records_processed) FROM databite.runs WHERE job_id = 'latest')), 1000, 'which have read each delivery once');
is(sql(q(SELECT databite.pause_job('latest'))) . scalar(send_versions(301, 400, 3)), '300', 'a burst for a job that is paused');
my $runs = sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'latest'));
sql(q(SELECT databite.resume_job('latest')));
wait_for(q(SELECT count(*) = 0 FROM databite.delivery), 'waits until it is resumed');
is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'latest')) - $runs, 1, 'and is one run');

# Slow senders, a byte now and then; others are answered meanwhile.
$endpoint = '/hook';
sql('TRUNCATE hook');
my $slow = request('{"id": 1, "version": 2}');
my @slow = map { connect_to($port) } 1 .. 100;
for my $place (0 .. length($slow) - 1)
{
	syswrite($_, substr($slow, $place, 1)) for @slow[ 0 .. 49 ];
	syswrite($_, substr($slow, $place, 1)) for $place < 100 ? @slow[ 50 .. 99 ] : ();	# who says no more
	is(post('{"id": 2, "version": 2}'), 200, 'others do not wait for them') if $place % 50 == 25;
}
is(join(' ', map { status_of(read_answer($_)) } @slow[ 0 .. 49 ]), join(' ', ('200') x 50), 'slow ones are answered when they are done');

# Clients that have closed their half, or have gone without a word in the middle or behind a whole request.
my $half = connect_to($port);
syswrite($half, request('{"id": 3, "version": 1}'));
shutdown($half, 1);
like(read_answer($half), qr{^HTTP/1\.1 200 |^$}, 'one that says no more is answered, or let go');
for my $part (10, 100, length $slow)
{
	my @gone = map { connect_to($port) } 1 .. 20;

	setsockopt($_, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) for @gone;
	syswrite($_, substr($slow, 0, $part)) for @gone;
	close $_ for @gone;
}
is(post('{"id": 4, "version": 1}'), 200, 'those that go without a word harm nobody');
wait_for('SELECT count(*) = 0 FROM databite.delivery', 'what they said completely is written');
is(sql('SELECT count(*) FROM hook WHERE id = 4'), 1, 'and the rest once');

# Pipelined, in one piece with another endpoint and with rubbish behind them.
my $pipe = connect_to($port);
my $rest = '';
syswrite($pipe, request('{"id": 5, "version": 1}') . "GET /x HTTP/1.1\r\nHost: x\r\n\r\n" . request('{"id": 5, "version": 2}') . "rubbish\r\n\r\n");
is(join(' ', map { status_of(read_answer($pipe, \$rest)) } 1 .. 3), '200 405 200', 'pipelined requests are answered in their order');
like(read_answer($pipe, \$rest), qr{^HTTP/1\.[01] 4|^$}, 'and rubbish is refused');

# A gigabyte, really sent, by its length and in chunks; the sender hears why.
my $before = own_memory($listener);
for my $how ('Content-Length: 1073741824', 'Transfer-Encoding: chunked')
{
	my $large = connect_to($port);
	my $chunk = $how =~ /chunked/ ? sprintf("%x\r\n", 1 << 20) . 'x' x (1 << 20) . "\r\n" : 'x' x (1 << 20);
	my $sent = 0;
	local $SIG{PIPE} = 'IGNORE';

	syswrite($large, "POST /hook HTTP/1.1\r\nHost: x\r\n$how\r\n\r\n");
	while ($sent < 1024 && !IO::Select->new($large)->can_read(0))
	{
		last unless syswrite($large, $chunk);
		$sent++;
	}
	cmp_ok($sent, '<', 100, "a gigabyte ($how) is not taken");
	is(status_of(read_answer($large)), 413, 'and its sender is told');
}
my @large = map { connect_to($port) } 1 .. 10;
syswrite($_, "POST /hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n", 1 << 30)) for @large;
syswrite($_, 'x' x 100_000) for (@large) x 20;
is(post('{"id": 6, "version": 1}'), 200, 'ten at once do not hold up another');
close $_ for @large;
SKIP:
{
	skip 'memory tells nothing under the sanitizers', 1 if SampleApi::is_sanitized($node);
	is(post('{"id": 6, "version": 2}'), 200, 'another');
	cmp_ok(own_memory($listener) - $before, '<', 100, 'and leave nothing in memory') or diag("$before MiB before");
}

# Heads that are too much.
like(status_of(answer_to("POST /hook HTTP/1.1\r\nHost: x\r\n" . join('', map { "X-$_: y\r\n" } 1 .. 10_000) . "\r\n")), qr/^4\d\d$|closed/, 'ten thousand headers');
is(status_of(answer_to(request('{"id": 7}') =~ s/\r\n/join("\r\n", '', map({ "X-$_: y" } 1 .. 300), '')/er)), 401,
	'a signature behind three hundred of them is not seen');
like(status_of(answer_to('POST /' . 'a' x 100_000 . " HTTP/1.1\r\nHost: x\r\n\r\n")), qr/^4\d\d$|closed/, 'a path without an end');
is(post('{"id": 8, "version": 1}'), 200, 'and the next is taken');
is(post('not JSON'), 400, 'what is not JSON is not');

# A database that is busy: nothing can run, and everything waits for a checkpoint.
sql(q(ALTER SYSTEM SET databite.max_workers = 0; SELECT pg_reload_conf()));
is(scalar(send_versions(100, 119, 2)), 40, 'deliveries are taken where nothing may run');
$node->safe_psql('postgres', 'CHECKPOINT');
sql(q(ALTER SYSTEM RESET databite.max_workers; SELECT pg_reload_conf()));
wait_for('SELECT count(*) = 40 FROM hook WHERE id >= 100', 'and written afterwards');

# A lock that lasts: those that come are asked to come again, after a while, and are then taken once.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe('BEGIN; LOCK TABLE databite.delivery_seen IN SHARE MODE');
my $answer = answer_to(request('{"id": 200, "version": 1}', 'X-Id' => 'once'));
like($answer, qr{^HTTP/1\.1 503 .*\r\nRetry-After: \d+\r\n}s, 'a sender is told to come again');
is(status_of(answer_to("GET /hook HTTP/1.1\r\nHost: x\r\n\r\n")), 405, 'and others are answered');
$session->query_safe('COMMIT');
$session->quit;
is(post('{"id": 200, "version": 1}', 'X-Id' => 'once') . post('{"id": 200, "version": 1}', 'X-Id' => 'once'), '200200', 'when it comes again it is taken');
wait_for('SELECT count(*) = 1 FROM hook WHERE id = 200', 'and written');

# The server goes away while deliveries come: it crashes, and is shut down.  What was answered with 200 is there; what was not is sent
# again by its sender, and is there once, whether it had been kept or not.
for my $end ('crash', 'shutdown')
{
	sql('TRUNCATE hook');
	my $stopped = 0;
	my $victim = worker_pid($node, 'listener');
	my @taken = send_versions(1, 50, 20, sub {
		return if $stopped || $_[0] < 100;
		$stopped = 1;
		$end eq 'crash' ? kill('KILL', $victim) : $node->stop('fast');
	});
	cmp_ok(scalar @taken, '<', 1000, "$end: the server went away in their midst");
	$end eq 'crash' ? SampleApi::wait_for_server($node) : $node->start;
	wait_until_listening($port);
	my $names = join ',', @taken;
	is( sql("SELECT count(*) FROM (SELECT id || '.' || version AS name FROM hook UNION ALL
			SELECT (payload ->> 'id') || '.' || (payload ->> 'version') FROM databite.delivery) AS x WHERE name = ANY ('{$names}')"),
		scalar @taken, "$end: what was answered is there");
	is(scalar(send_versions(1, 50, 20)), 1000, "$end: all are sent again");
	wait_for('SELECT count(*) = 0 FROM databite.delivery', "$end: and written");
	is(sql('SELECT count(*), count(DISTINCT (id, version)) FROM hook'), '1000|1000', "$end: each once");
	sql('TRUNCATE databite.delivery_seen');
}

# Without a postmaster nobody is served any longer, however much there is to do.
my @taken = send_versions(1, 50, 100, sub { $node->kill9 if $_[0] == 100; });
cmp_ok(scalar @taken, '<', 5000, 'a listener whose postmaster is gone goes, too');
ok(SampleApi::poll(sub { !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') }), 'and nobody listens');
done_testing();
