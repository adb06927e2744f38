# The page, /metrics and /health of the listener: who may see them, how they are asked for, what they show and what not.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use lib "$FindBin::RealBin/lib";
use MIME::Base64 qw(encode_base64);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Prometheus;
use Test::More;
use WorkerTest;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_cluster('main', 1, "databite.webhook_listen = '127.0.0.1:$port'");
my $http = HTTP::Tiny->new(timeout => 60, keep_alive => 0);
my $token = 'a-token-of-32-characters-or-more';

sub sql { return $node->safe_psql('postgres', shift); }

# The answer to a head that is sent as it is.
sub raw
{
	my (@lines) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp', Timeout => 60)
	  or die "could not connect: $!";
	my $answer = '';

	print {$socket} join("\r\n", @lines, 'Connection: close', '', '');
	while (sysread($socket, my $piece, 65536)) { $answer .= $piece; }
	return $answer;
}

sub status_of
{
	my ($answer) = raw(@_);
	return $answer =~ m{^HTTP/1\.[01] (\d+) } ? $1 : "none: $answer";
}

sub get
{
	my ($path, %headers) = @_;
	return $http->get("http://127.0.0.1:$port$path", { headers => \%headers });
}

sub wait_for
{
	my ($path, $what, $condition, %headers) = @_;
	my $answer;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$answer = get($path, %headers);
		return pass($what) if $condition->($answer);
		select(undef, undef, undef, 0.1);
	}
	fail("$what: $answer->{status} $answer->{content}");
	return;
}

sub set_token
{
	my ($value) = @_;
	$node->append_conf('postgresql.conf', "databite.watch_token = '$value'");
	$node->reload;
	return;
}

sql('CREATE EXTENSION databite');
sql('CREATE TABLE hook (id bigint PRIMARY KEY, price numeric)');
sql(q(SELECT databite.schedule_job('{"id": "hook", "name": "<script>alert(1)</script>", "enabled": false,
	"trigger": {"type": "webhook", "endpoint": "/hooks/private", "secret": "mysecret", "signature": "github"},
	"source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "hook", "key": "id"}}')));
wait_for_worker($node, 'listener');
wait_for('/health', 'up, once all are there', sub { $_[0]->{status} == 200 });

# Health, for everybody.
is(get('/health')->{content}, qq({"status": "up"}\n), '/health says one word');
is(get('/health')->{headers}{'content-type'}, 'application/json', 'as JSON');
is(status_of('GET /health HTTP/1.1', 'Host: database.example', 'X-Forwarded-For: 192.0.2.1'), 200, 'to a load balancer, too');
is(status_of('GET /health HTTP/1.0'), 200, 'which may be old');

# From this machine.
my $page = get('/');
is($page->{status}, 200, 'the page, on this machine');
is($page->{headers}{'content-type'}, 'text/html; charset=utf-8', 'is HTML');
my $policy = $page->{headers}{'content-security-policy'};
like($policy, qr/default-src 'none'/, 'nothing is loaded');
unlike($policy, qr/unsafe/, 'no style or script but those of the page');
like($policy, qr/frame-ancestors 'none'/, 'no other site frames it');
is($page->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($page->{headers}{'referrer-policy'}, 'no-referrer', 'no referrer');
is($page->{headers}{'cache-control'}, 'no-store', 'not kept');
is($page->{headers}{'access-control-allow-origin'}, undef, 'nothing for other origins');
is(get('/?x=1')->{status}, 200, 'with a query');
is(status_of('GET / HTTP/1.1', "Host: $_"), 200, "Host: $_") for ('localhost', "localhost:$port", "[::1]:$port", '127.0.0.1', 'LOCALHOST');

# Numbers for Prometheus, to whom the page would be shown.
my $metrics = get('/metrics');
is("$metrics->{status} $metrics->{headers}{'content-type'}", '200 text/plain; version=0.0.4; charset=utf-8', '/metrics is what Prometheus reads');
my $samples = parse_metrics($metrics->{content});
is($samples->{databite_up}{value}, 1, 'it is up');
is((map { $_->{value} } grep { $_->{name} eq 'databite_job_enabled' && $_->{labels}{job_id} eq 'hook' } values %$samples)[0], 0, 'its jobs are there');
is(status_of('GET /metrics HTTP/1.1', 'Host: rebound.example'), 421, 'not by another name');
is(status_of('GET /metrics HTTP/1.1', 'Host: localhost', 'X-Forwarded-For: 192.0.2.1'), 403, 'not for others');
is($http->post("http://127.0.0.1:$port/metrics")->{headers}{allow}, 'GET, HEAD', 'only to be read');

# Not this machine, or somebody who makes a browser of it ask.
is(status_of('GET / HTTP/1.1', "Host: $_"), 421, "Host: $_")
  for ('rebound.example', "rebound.example:$port", 'localhost.example', '127.0.0.1.example', 'localhost:80.example', '[::1', '[]', '[localhost]', '1');
isnt(status_of('GET / HTTP/1.1', 'Host: localhost', 'Host: rebound.example'), 200, 'two hosts');
isnt(status_of('GET / HTTP/1.1'), 200, 'no host');
is(status_of('GET / HTTP/1.1', 'Host: localhost', "$_: 192.0.2.1"), 403, "forwarded: $_")
  for ('X-Forwarded-For', 'x-forwarded-proto', 'Forwarded', 'X-Real-IP', 'Via', 'CF-Connecting-IP');
is(status_of('GET / HTTP/1.0', 'Host: localhost'), 403, 'as nginx does that says nothing of it');
is(status_of('GET / HTTP/1.1', 'Host: localhost', (map { "X-Pad-$_: x" } 1 .. 250), 'X-Forwarded-For: 192.0.2.1'), 403, 'far down');
unlike(raw('GET / HTTP/1.1', 'Host: localhost', 'Via: x'), qr/hook/, 'who is refused learns nothing');
is(get('/', Authorization => "Bearer $token")->{status}, 200, 'a token that nobody asks for harms nothing');

# Methods.
my $head = raw('HEAD / HTTP/1.1', 'Host: localhost');
like($head, qr/^HTTP\/1.1 200 .*Content-Length: \d{4,}/s, 'HEAD has the length');
like($head, qr/\r\n\r\n\z/, 'and nothing else');
for my $method ('POST', 'PUT', 'DELETE', 'OPTIONS')
{
	my $answer = $http->request($method, "http://127.0.0.1:$port/");
	is("$answer->{status} $answer->{headers}{allow}", '405 GET, HEAD', "not by $method");
}
is($http->post("http://127.0.0.1:$port/health")->{headers}{allow}, 'GET, HEAD', 'health neither');
is(get('/hooks/private')->{status}, get('/hooks/none')->{status}, 'GET tells nobody what endpoints there are');
is(get('/favicon.ico')->{status}, 405, 'there is nothing else');

# The paths are no endpoints.
for my $path ('/', '/health', '/metrics')
{
	my ($status, $out, $error) = $node->psql('postgres',
		qq(SELECT databite.schedule_job(jsonb_set(definition, '{trigger,endpoint}', '"$path"')) FROM databite.job));
	like($error, qr/"$path" is where the listener itself is watched/, "$path is no endpoint");
}

# What there is to see; none of it is markup, and nothing of what items hold.
sql(q(INSERT INTO databite.run (job_id, owner, status, trigger, started_at, finished_at, records_processed, records_inserted,
		records_rejected, error)
	SELECT 'hook', current_user::regrole, 'completed', 'manual', now() - i * interval '1 min', now() - i * interval '55 s', 1234, 1000, 0, NULL::jsonb
	FROM generate_series(30, 2, -1) AS i
	UNION ALL
	SELECT 'hook', current_user::regrole, 'failed', 'manual', now() - interval '5 s', now(), 7, 0, 2,
		'{"code": "http_status", "message": "<img src=x onerror=alert(2)> & \\"more\\"", "detail": "secret detail", "step": "main"}';
	INSERT INTO databite.rejected_item (job_id, owner, run_id, step, item, error_code, message, column_name)
	SELECT 'hook', current_user::regrole, run_id, 'main', '{"price": "private value"}', '22P02',
		'invalid input syntax for type numeric: "private value"', 'pri<ce'
	FROM (SELECT max(run_id) AS run_id FROM databite.run) AS r, generate_series(1, 2);
	INSERT INTO databite.delivery (job_id, headers, payload, bytes) VALUES ('hook', '{"x-private": "header"}', '{"private": "payload"}', 9)));
my $html = get('/')->{content};
like($html, qr/&lt;script&gt;alert\(1\)&lt;\/script&gt;/, 'the name of a job');
like($html, qr/&lt;img src=x onerror=alert\(2\)&gt; &amp; &quot;more&quot;/, 'the message of an error');
like($html, qr/column <strong>pri&lt;ce<\/strong>: a value that its type does not take/, 'why an item was rejected');
like($html, qr/<td[^>]*>2<\/td>/, 'how many of them');
unlike($html, qr/<script>alert|<img|i<c/, 'none of it is markup');
unlike($html, qr/private value|x-private|"payload"|secret detail|mysecret/, 'nothing of what items and deliveries hold');
like($html, qr/<noscript><meta http-equiv="refresh"/, 'without script it is loaded anew');
like($html, qr/<title>\(1 failing\) databite: postgres<\/title>/, 'the title tells of what fails');
like($html, qr/<span class="is paused">paused<\/span>/, 'the state');
like($html, qr/<svg [^>]*aria-label="20 runs, at most \d+ min \d+ s, the last one 5\.0 s"/, 'the last runs as bars, and in words');
like($html, qr/<dt>Rows written by them<\/dt><dd>29,000</, 'rows in all');
like($html, qr/0 queued, 1 delivery waits/, 'what waits');
unlike($html, qr/ (?:src|href)="(?!data:)/, 'it asks for nothing else');

# More jobs than are shown: what fails is there, whatever it is called.
sql(q(INSERT INTO databite.job (job_id, owner, definition, search_path, enabled)
		SELECT 'a' || lpad(i::text, 4, '0'), current_user::regrole, jsonb_build_object('id', 'a' || i), '', false
		FROM generate_series(1, 300) AS i;
	INSERT INTO databite.run (job_id, owner, status, trigger, finished_at) VALUES ('a0299', current_user::regrole, 'crashed', 'manual', now())));
$html = get('/')->{content};
like($html, qr/200 of 301: /, 'two hundred are enough');
is(scalar(() = $html =~ /data-label="Next run"/g), 200, 'and not more');
like($html, qr/>a0299<.*>hook<.*>a0001<.*>a0198</s, 'those that fail first, the rest by name');
unlike($html, qr/a0199/, 'as many as there is room for');

# With a token: whoever gives it, and nobody else.
set_token($token);
wait_for('/', 'a token is asked for', sub { $_[0]->{status} == 401 });
my $refusal = raw('GET / HTTP/1.1', 'Host: localhost');
like($refusal, qr/^HTTP\/1.1 401 .*WWW-Authenticate: Basic realm="databite"/s, 'in a way that browsers know');
unlike($refusal, qr/hook/, 'who has none learns nothing');
is(get('/', Authorization => "Bearer $token")->{status}, 200, 'the token');
is(get('/', Authorization => "bearer   $token")->{status}, 200, 'in small letters');
is(get('/', Authorization => 'Basic ' . encode_base64("anybody:$token", ''))->{status}, 200, 'as a password');
is(status_of('GET / HTTP/1.1', 'Host: jobs.example', 'X-Forwarded-For: 192.0.2.1', "Authorization: Bearer $token"), 200, 'through a proxy');
is(get('/', Authorization => $_)->{status}, 401, "not: $_")
  for ("Bearer ${token}x", 'Bearer ' . substr($token, 1), 'Bearer ', "Token $token", $token, 'Basic ' . encode_base64($token, ''),
	'Basic ' . encode_base64("$token:", ''), 'Basic !!!', "Bearer$token");
is(get('/metrics')->{status}, 401, 'the numbers need it, too');
is(get('/metrics', Authorization => "Bearer $token")->{status}, 200, 'and are there with it');
is(get('/health')->{status}, 200, 'health goes without');
is(sql('SHOW databite.watch_token'), '********', 'the token is not shown');
is(sql(q(SELECT count(*) FROM pg_settings WHERE setting LIKE '%32-char%')), 0, 'in no other way either');
isnt(($node->psql('postgres', "ALTER DATABASE postgres SET databite.watch_token = 'where-everybody-may-look'"))[0], 0, 'nor where all may read it');
set_token('short');
wait_for('/', 'a short one is not taken', sub { $_[0]->{status} == 401 });
$node->append_conf('postgresql.conf', "databite.watch_token = '$token'");
$node->reload;
is(get('/', Authorization => "Bearer $token")->{status}, 200, 'and the one before stays');

# Or by its hash, which may be in a log.
my $other = 'another-token-that-no-file-has';
set_token('sha256:' . sha256_hex($other));
wait_for('/', 'a token by its hash', sub { $_[0]->{status} == 200 }, Authorization => "Bearer $other");
is(get('/', Authorization => "Bearer $_")->{status}, 401, "not: $_") for ($token, 'sha256:' . sha256_hex($other));
unlike(slurp_file($node->logfile), qr/\Q$other\E/, 'the token is not in the log');
set_token('sha256:' . uc(sha256_hex($token)));
wait_for('/', 'in capitals', sub { $_[0]->{status} == 200 }, Authorization => "Bearer $token");
set_token('sha256:12');
set_token('sha256:' . 'x' x 64);
$node->append_conf('postgresql.conf', "databite.watch_token = 'sha256:" . sha256_hex($token) . "'");
$node->reload;

# Nobody starts what is due.
sql('SELECT databite.stop()');
wait_for('/health', 'down where there is no scheduler', sub { $_[0]->{status} == 503 && $_[0]->{content} eq qq({"status": "down"}\n) });
like(get('/', Authorization => "Bearer $token")->{content}, qr/No scheduler/, 'the page says so');
sql('SELECT databite.start()');
wait_for('/health', 'up again', sub { $_[0]->{status} == 200 });

# A page that cannot be had costs nobody else anything.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe('BEGIN; LOCK TABLE databite.rejected_item IN ACCESS EXCLUSIVE MODE');
is(get('/', Authorization => "Bearer $token")->{status}, 503, 'a page that would have to wait is given up');
is(get('/health')->{status}, 200, 'while health is not in doubt');
$session->query_safe('COMMIT');
$session->quit;
is(get('/', Authorization => "Bearer $token")->{status}, 200, 'until it can be had');

$node->stop;
done_testing();
