# Webhooks out: what a receiver gets of runs that have failed for good, how it is signed, and what happens when he does not take it.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use IO::Socket::INET;
use lib "$FindBin::RealBin/lib";
use JSON::PP qw(decode_json encode_json);
use MIME::Base64 qw(encode_base64 decode_base64);
use POSIX ();
use PostgreSQL::Test::Utils;
use SampleApi qw(wait_for_sql);
use Test::More;
use WorkerTest;

my $key = 'a key of some 32 bytes, or thirty';
my $secret = 'whsec_' . encode_base64($key, '');

# A receiver: what it gets is a line of JSON in a file each; it answers by the path.
my $records = PostgreSQL::Test::Utils::tempdir() . '/records';
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 64) || die "could not listen: $!";
my $url = 'http://127.0.0.1:' . $door->sockport;
my $receiver = fork() // die "could not fork: $!";
if ($receiver == 0)
{
	receive();
	POSIX::_exit(0);
}
close($door);

sub receive
{
	my %seen;

	while (my $client = $door->accept)
	{
		my ($head, $body, %headers) = ('', '');

		while ($head !~ /\r\n\r\n/) { last unless sysread($client, $head, 1, length $head); }
		next if $head eq '';
		my ($method, $path) = $head =~ /^(\S+) (\S+)/;
		$headers{ lc $1 } = $2 while $head =~ /^([^\s:]+): *(.*?)\r$/mg;
		while (length $body < ($headers{'content-length'} // 0)) { last unless sysread($client, $body, 65536, length $body); }
		append_to_file($records, encode_json({ method => $method, path => $path, headers => \%headers, body => $body }) . "\n");
		my $n = ++$seen{$path};
		my $status = $path =~ /twice/ && $n <= 2 ? 503 : $path =~ /gone/ ? 410 : $path =~ /never/ ? 500 : $path =~ /inside/ ? 307 : 200;
		my $more = $status == 307 ? "Location: http://169.254.169.254/\r\n" : '';
		syswrite($client, "HTTP/1.1 $status Whatever\r\n${more}Content-Length: 6\r\nConnection: close\r\n\r\nthanks");
	}
	return;
}

my $node = new_cluster('main', 1);
sub sql { return $node->safe_psql('postgres', shift); }

# What came for a path.
sub received
{
	my ($path) = @_;

	return () unless -e $records;
	return grep { $_->{path} =~ /^\Q$path\E/ } map { decode_json($_) } split /\n/, slurp_file($records);
}

sub failing_job
{
	my ($id, $on_failure, %more) = @_;

	return sql('SELECT databite.schedule_job($j$' . encode_json({
		id => $id, source => { type => 'inline', items => [ { id => 'none' } ] },
		destination => { type => 'database', table => 'rows', schema => { id => 'integer' }, mode => 'insert' },
		errorHandling => { onFailure => $on_failure, %more } }) . '$j$)');
}

sub notified
{
	my ($job, $status) = @_;

	wait_for_sql($node, 'postgres', "SELECT status = '$status' FROM databite.notifications WHERE job_id = '$job' ORDER BY notification_id DESC LIMIT 1");
	return sql("SELECT tries, http_status, error FROM databite.notifications WHERE job_id = '$job' ORDER BY notification_id DESC LIMIT 1");
}

# By Standard Webhooks, computed anew.
sub is_signed
{
	my ($message, $what) = @_;
	my $headers = $message->{headers};
	my $signature = hmac_sha256_base64("$headers->{'webhook-id'}.$headers->{'webhook-timestamp'}.$message->{body}", $key);

	$signature .= '=' while length($signature) % 4;
	return is($headers->{'webhook-signature'}, "v1,$signature", $what);
}

sql(q(CREATE EXTENSION databite; CREATE TABLE rows (id integer);));
sql(qq(SELECT databite.set_token('signing', '$secret'), databite.set_token('bearer', 'very-secret-bearer'), databite.set_token('path', 'very-secret-path')));

subtest 'a failure is told' => sub
{
	failing_job('bad', { type => 'webhook', url => "$url/good/{{secrets.path}}", secret => '{{secrets.signing}}', headers => { Authorization => 'Bearer {{secrets.bearer}}' } });
	sql(q(SELECT databite.enqueue_job('bad')));
	my $run = wait_for_run($node, 'postgres', 'bad', 'failed');
	is(notified('bad', 'sent'), '1|200|', 'once');
	my ($message, @more) = received('/good');
	is(scalar(@more), 0, 'there is one message');
	is("$message->{method} $message->{path} $message->{headers}{'content-type'} $message->{headers}{authorization}",
		'POST /good/very-secret-path application/json Bearer very-secret-bearer', 'it goes where it is to go');
	is_signed($message, 'signed');
	like($message->{headers}{'webhook-id'}, qr/^msg_[0-9a-f]{32}$/, 'with a name');
	cmp_ok(abs($message->{headers}{'webhook-timestamp'} - time), '<', 300, 'and a time');
	my $body = decode_json($message->{body});
	is("$body->{type} $body->{data}{job_id} $body->{data}{run_id} $body->{data}{status} $body->{data}{error}{code}",
		"databite.run.failed bad $run failed 22P02", 'it says what has failed');
};

subtest 'by whom it is sent' => sub
{
	sql(q(SELECT databite.execute_job('bad')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 2 FROM databite.notifications WHERE job_id = 'bad' AND status = 'sent'));
	$node->psql('postgres', q(CALL databite.run_job('bad')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 3 FROM databite.notifications WHERE job_id = 'bad' AND status = 'sent'));
	is(scalar(received('/good')), 3, 'failures of sessions are told by the worker, too');
	sql(q(BEGIN; SELECT databite.execute_job('bad'); ROLLBACK));
	is(sql(q(SELECT count(*) FROM databite.notifications)), 3, 'one that is rolled back is none');
	sql(q(CREATE ROLE locked NOLOGIN; GRANT USAGE ON SCHEMA databite TO locked; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO locked; GRANT INSERT, SELECT ON rows TO locked));
	$node->safe_psql('postgres', qq(SET ROLE locked; SELECT databite.schedule_job('{"id": "locked", "source": {"type": "inline", "items": [{"id": 1}]},
		"destination": {"type": "database", "table": "rows", "schema": {"id": "integer"}, "mode": "insert"},
		"errorHandling": {"onFailure": ["notify_admin", {"type": "webhook", "url": "$url/locked"}]}}')));
	sql(q(SELECT databite.enqueue_job('locked')));
	is(notified('locked', 'sent'), '1|200|', 'also of one whose owner may not log in');
	my ($message) = received('/locked');
	is(decode_json($message->{body})->{data}{error}{code}, '28000', 'which is what it tells');
	ok(!defined $message->{headers}{'webhook-signature'}, 'without a secret nothing is signed');
	is(sql(q(SET ROLE locked; SELECT job_id, count(*) FROM databite.notifications GROUP BY 1)), 'locked|1', 'the owner sees his own');
};

subtest 'a receiver that fails' => sub
{
	failing_job('late', { type => 'webhook', url => "$url/twice", secret => '{{secrets.signing}}' });
	sql(q(SELECT databite.enqueue_job('late')));
	is(notified('late', 'sent'), '3|200|', 'is asked again');
	my @messages = received('/twice');
	is(scalar(@messages), 3, 'three times');
	is($messages[$_]{headers}{'webhook-id'} . $messages[$_]{body}, $messages[0]{headers}{'webhook-id'} . $messages[0]{body}, 'with the same message')
	  for 1, 2;
	is_signed($_, 'signed anew') for @messages;

	failing_job('gone', { type => 'webhook', url => "$url/gone/{{secrets.path}}" });
	sql(q(SELECT databite.enqueue_job('gone')));
	like(notified('gone', 'failed'), qr/^1\|410\|/, 'one that is gone is not');

	failing_job('never', { type => 'webhook', url => "$url/never" });
	sql(q(SELECT databite.enqueue_job('never')));
	wait_for_sql($node, 'postgres', q(SELECT tries >= 1 AND http_status = 500 FROM databite.notifications WHERE job_id = 'never'));
	sql(q(UPDATE databite.notification SET tries = 10, next_try_at = now() WHERE job_id = 'never'; SELECT databite.enqueue_job('bad')));
	like(notified('never', 'failed'), qr/^11\|500\|/, 'after eleven tries it is given up');
	like(slurp_file($node->logfile), qr/WARNING: .*notification "msg_[0-9a-f]*" of job "never" was given up/, 'which the log says');
};

subtest 'where it may not go' => sub
{
	failing_job('inside', { type => 'webhook', url => "$url/inside" });
	sql(q(SELECT databite.enqueue_job('inside')));
	wait_for_sql($node, 'postgres', q(SELECT tries >= 1 AND error IS NOT NULL FROM databite.notifications WHERE job_id = 'inside'));
	like(sql(q(SELECT error FROM databite.notifications WHERE job_id = 'inside')), qr/redirect was not followed/, 'not to a private address, by no redirect');
	sql(q(CREATE ROLE held LOGIN; ALTER ROLE held SET databite.allowed_hosts = ''; GRANT USAGE ON SCHEMA databite TO held; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO held));
	$node->safe_psql('postgres', qq(SET ROLE held; SELECT databite.schedule_job('{"id": "held", "source": {"type": "inline", "items": [{"id": 1}]},
		"destination": {"type": "database", "table": "rows", "schema": {"id": "integer"}, "mode": "insert"},
		"errorHandling": {"onFailure": {"type": "webhook", "url": "$url/held"}}}')));
	sql(q(SELECT databite.enqueue_job('held')));
	wait_for_sql($node, 'postgres', q(SELECT tries >= 1 AND error IS NOT NULL FROM databite.notifications WHERE job_id = 'held'));
	is(scalar(received('/held')), 0, "and where the role's settings say no");
	failing_job('nowhere', { type => 'webhook', url => "$url/nowhere/{{secrets.nobody}}" });
	sql(q(SELECT databite.enqueue_job('nowhere')));
	wait_for_sql($node, 'postgres', q(SELECT tries >= 1 AND error = 'there is no token "nobody"' FROM databite.notifications WHERE job_id = 'nowhere'));
	pass('a token that is missing is said');
	sql(q(SELECT databite.unschedule_job(job_id) FROM databite.jobs WHERE job_id IN ('inside', 'held', 'nowhere');
		UPDATE databite.notification SET next_try_at = now() WHERE status = 'waiting'; SELECT databite.enqueue_job('bad')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 3 FROM databite.notifications WHERE status = 'failed' AND error LIKE 'job % has no webhook for its failures any more'));
	pass('those of jobs that are removed are given up');
};

subtest 'a crash' => sub
{
	failing_job('kept', { type => 'webhook', url => "$url/kept" });
	sql(q(SELECT databite.stop()));
	sql(q(SELECT databite.execute_job('kept')));
	is(sql(q(SELECT status, tries FROM databite.notifications WHERE job_id = 'kept')), 'waiting|0', 'where no scheduler is, it waits');
	$node->stop('immediate');
	$node->start;
	is(notified('kept', 'sent'), '1|200|', 'and is sent when there is one, after a crash');
};

my $log = slurp_file($node->logfile) . sql(q(SELECT string_agg(n::text, '') FROM databite.notification AS n));
unlike($log =~ s/^.*(?:STATEMENT|statement): .*$//mgr, qr/very-secret|\Q$secret\E|thanks/, 'no secret and no answer is in the log or the table');

kill('TERM', $receiver);
waitpid($receiver, 0);
$node->stop;
done_testing();
