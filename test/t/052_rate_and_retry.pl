# How fast a source is asked, what is asked again, and what its answers mean.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run ();
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

# A server whose answers are in the request: ?script=... is a JSON list of [status, {headers}, body], one for each
# request of that path in turn, the last for ever; a body may be [text, another, times].
my $server = PostgreSQL::Test::Utils::tempdir() . '/server.py';
append_to_file($server, <<'PYTHON');
import json, sys, threading, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = {}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urllib.parse.urlsplit(self.path)
        if parts.path == "/_count":
            status, headers, body = 200, {}, json.dumps(seen.get(parts.query, 0))
        else:
            script = json.loads(urllib.parse.parse_qs(parts.query)["script"][0])
            n = seen.get(parts.path, 0)
            seen[parts.path] = n + 1
            status, headers, body = script[min(n, len(script) - 1)]
        if isinstance(body, list):
            body = body[0] + body[1] * body[2]
        if self.headers.get("If-None-Match") and status == 304:
            body = ""
        data = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass

httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as file:
    file.write(str(httpd.server_address[1]) + "\n")
threading.Thread(target=lambda: (sys.stdin.read(), httpd.shutdown())).start()
httpd.serve_forever()
PYTHON

my $port_file = PostgreSQL::Test::Utils::tempdir() . '/port';
my ($in, $out) = ('', '');
my $process = IPC::Run::start([ 'python3', $server, $port_file ], \$in, \$out, '2>&1');
wait_for_file($port_file, sub { $process->pumpable }) or die "the server did not start: $out";
chomp(my $port = slurp_file($port_file));

my $api = SampleApi->start;
my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite; CREATE TABLE rows (id int PRIMARY KEY)');

my $http = HTTP::Tiny->new;
my $paths = 0;
my $items = '[{"id": 1}]';
my $quick = { attempts => 3, delay => 10, backoff => 'fixed' };

sub sql { return $node->safe_psql('postgres', shift); }

# Runs a job against answers in turn; returns its result, and how many requests there were.
sub answers
{
	my ($script, %source) = @_;
	my $path = '/' . ++$paths;
	my $query = HTTP::Tiny->new->www_form_urlencode({ script => encode_json($script) });
	sql('TRUNCATE rows');
	schedule_job(
		$node,
		'postgres',
		{
			id => 'answers',
			source => { type => 'api', url => "http://127.0.0.1:$port$path?$query", retry => $quick, %source },
			destination => { type => 'database', table => 'rows' },
			transform => { id => '{{item.id}}' }
		});
	my $result = execute_job($node, 'postgres', 'answers');
	$result->{error} = decode_json($result->{error}) if defined $result->{error} && !ref $result->{error};
	$result->{seen} = $http->get("http://127.0.0.1:$port/_count?$path")->{content};
	return $result;
}

sub outcome
{
	my ($result) = @_;
	return join ' ', $result->{status}, $result->{seen}, sql('SELECT count(*) FROM rows');
}

# Of any window of time, no more than rate * window + burst requests; slack: what a busy machine may shift them by.
sub within_rate
{
	my ($times, $rate, $burst, $name) = @_;
	my $slack = 0.5;
	my @times = sort { $a <=> $b } @$times;
	my $worst = '';
	for my $first (0 .. $#times)
	{
		for my $last ($first .. $#times)
		{
			my $window = $times[$last] - $times[$first];
			$worst = sprintf('%d in %.3f s', $last - $first + 1, $window)
			  if $last - $first + 1 > $rate * ($window + $slack) + $burst;
		}
	}
	return is($worst, '', $name);
}

subtest 'what is asked again' => sub
{
	is(outcome(answers([ [ 500, {}, '' ], [ 200, {}, $items ] ])), 'completed 2 1', 'a GET after 500');
	is(outcome(answers([ [ 500, {}, '' ], [ 200, {}, $items ] ], method => 'POST')), 'failed 1 0', 'a POST is not: it may have been done');
	is(outcome(answers([ [ 500, {}, '' ], [ 200, {}, $items ] ], method => 'POST', retry => { %$quick, idempotent => JSON::PP::true })),
		'completed 2 1', 'a POST that only reads is');
	is(outcome(answers([ [ 429, {}, '' ], [ 200, {}, $items ] ], method => 'POST')), 'completed 2 1', 'and a POST that was refused');
	my $run = answers([ [ 503, { 'Retry-After' => 5 }, '' ], [ 200, {}, $items ] ], retry => { %$quick, budget => '2s' });
	is(outcome($run), 'failed 1 0', 'no more waiting than the budget');
	is(outcome(answers([ [ 304, {}, '' ] ])), 'failed 1 0', '304 to an unconditional request is an error');
};

subtest 'rules over responses' => sub
{
	my $error = [ 200, {}, '{"ok": false, "error": "slow down"}' ];
	my $run = answers([$error], errorWhen => '{{ response.ok == false }}', errorMessage => 'it said: {{ response.error }}');
	is(outcome($run), 'failed 1 0', 'an error with 200 fails');
	is("$run->{error}{code}: $run->{error}{message}", 'error_response: it said: slow down', 'with its message');
	is(outcome(answers([ $error, [ 200, {}, $items ] ], errorWhen => [ { when => "{{ response.error == 'slow down' }}", action => 'retry' } ])),
		'completed 2 1', 'or is asked again');
	my $list = [ 200, {}, '{"ok": false, "data": [{"id": 77}]}' ];
	is(outcome(answers([ $list, [ 200, {}, $items ] ], errorWhen => [ { when => '{{ response.ok == false }}', action => 'retry' } ])),
		'completed 2 1', 'also where the error has a list');
	is(sql('SELECT id FROM rows'), '1', 'which are no items, and take the place of none');
	$run = answers([$error], errorWhen => [ { when => '{{ response.ok == false }}', action => 'retry', message => 'no luck' } ]);
	is(outcome($run), 'failed 3 0', 'as often as there are attempts');
	is($run->{error}{message}, 'no luck', 'and then fails');
	is(outcome(answers([ [ 202, {}, '{}' ], [ 200, {}, $items ] ], errorWhen => [ { when => '{{ http.status == 202 }}', action => 'retry' } ])),
		'completed 2 1', 'not ready yet');
	is(outcome(answers([ [ 200, {}, $items ] ], errorWhen => '{{ response.ok == false }}')), 'completed 1 1', 'a success stays one');

	is(outcome(answers([ [ 404, {}, 'no such thing' ] ], onStatus => { 404 => 'empty' })), 'completed 1 0', '404 is empty');
	is(outcome(answers([ [ 403, {}, '' ] ], onStatus => { '4xx' => 'skip' })), 'completed 1 0', 'a class of statuses');
	is(sql(q(SELECT count(*) FROM databite.runs WHERE notices::text LIKE '%was left out: the source answered with status 403%')), '1', 'a skipped response is noted');
	is(outcome(answers([ [ 404, {}, '' ], [ 200, {}, $items ] ], onStatus => { 404 => 'retry' })), 'completed 2 1', '404 is asked again');
	my $daily = { 429 => [ { when => "{{ response.message | contains('daily') }}", action => 'fail', message => 'done for today' }, 'retry' ] };
	$run = answers([ [ 429, {}, '{"message": "daily quota"}' ] ], onStatus => $daily);
	is(outcome($run), 'failed 1 0', 'a condition over the body of an error');
	is($run->{error}{message}, 'done for today', 'its message');
	is(outcome(answers([ [ 429, {}, '{"message": "wait"}' ], [ 200, {}, $items ] ], onStatus => $daily)), 'completed 2 1', 'else the next rule');
	is(outcome(answers([ [ 429, {}, '<html>' ], [ 200, {}, $items ] ], onStatus => { 429 => [ { when => "{{ response == '<html>' }}", action => 'retry' }, 'fail' ] })),
		'completed 2 1', 'a body that is no JSON is a text');
	$run = answers([ [ 400, {}, '{"why": "bad field"}' ] ], errorMessage => '{{ response.why }}');
	is("$run->{error}{code} $run->{error}{message}", 'http_status bad field', 'errorMessage for any error');
	is($run->{error}{detail}, 'The server answered with status 400.', 'with the status');
};

subtest 'successes that cannot be read' => sub
{
	my $html = '<html><body>Down for maintenance</body></html>';
	my %retry = (errorWhen => [ { when => "{{ response | contains('maintenance') }}", action => 'retry' } ]);
	is(outcome(answers([ [ 200, {}, $html ], [ 200, {}, $items ] ], %retry)), 'completed 2 1', 'HTML');
	for my $type ('text/html', 'application/x-ndjson', 'text/csv; charset=klingon')
	{
		is(outcome(answers([ [ 200, { 'Content-Type' => $type }, $html ], [ 200, {}, $items ] ], %retry)), 'completed 2 1', "HTML as $type");
	}
	is(outcome(answers([ [ 200, {}, [ $html, ' ', 1000000 ] ], [ 200, {}, $items ] ], %retry)), 'completed 2 1', 'much HTML');
	my $two = '[{"id": 1}, {"id": 2}]';
	is(outcome(answers([ [ 200, {}, '[{"id": 1}, maintenance' ], [ 200, {}, $two ] ], %retry)), 'completed 2 2', 'JSON that breaks');
	is(outcome(answers([ [ 200, {}, '[{"id": 1}, {"id": "maintenance' ], [ 200, {}, $two ] ], %retry)), 'completed 2 2', 'JSON that ends');
	is(outcome(answers([ [ 200, {}, '{"why": "maintenance"}' ], [ 200, {}, $items ] ], errorWhen => [ { when => "{{ response.why == 'maintenance' }}", action => 'retry' } ])),
		'completed 2 1', 'JSON without a list');
	is(outcome(answers([ [ 200, {}, '' ], [ 200, {}, $items ] ], errorWhen => [ { when => "{{ response == '' }}", action => 'retry' } ])),
		'completed 2 1', 'nothing');

	my $run = answers([ [ 200, {}, $html ] ], errorWhen => "{{ response | contains('maintenance') }}", errorMessage => '{{ response | strip_html }}');
	is(outcome($run), 'failed 1 0', 'as an error');
	is($run->{error}{message}, 'Down for maintenance', 'with its text');
	for my $body ('<html>something else</html>', [ '<html>', 'x', 1000000 ])
	{
		$run = answers([ [ 200, {}, $body ] ], %retry);
		is(outcome($run), 'failed 1 0', 'where no rule speaks');
		is($run->{error}{code}, '22032', 'it is no JSON');
		like($run->{error}{message}, qr/invalid JSON at byte 1/, 'as without rules');
	}

	$run = answers([ [ 200, {}, '{"ok": false, "data": []}' ] ], errorWhen => [ { when => '{{ response.ok == false }}', action => 'refresh_token' } ]);
	is(outcome($run), 'failed 1 0', 'a new token where there is none to be had');
};

subtest 'a preview' => sub
{
	my $preview = sub {
		my ($script, %source) = @_;
		my $path = '/' . ++$paths;
		my $query = HTTP::Tiny->new->www_form_urlencode({ script => encode_json($script) });
		my $job = encode_json({
			id => 'preview',
			source => { type => 'api', url => "http://127.0.0.1:$port$path?$query", retry => $quick, %source },
			destination => { type => 'database', table => 'rows' } });
		my (undef, $output, $error) = $node->psql('postgres', "SELECT item FROM databite.preview_job(\$databite\$$job\$databite\$::jsonb)");
		return $output . $error;
	};
	is($preview->([ [ 200, {}, $items ] ], errorWhen => '{{ response.ok == false }}'), '{"id": 1}', 'of items');
	my $ok = { errorWhen => '{{ response.ok == false }}', errorMessage => '{{ response.why }}' };
	like($preview->([ [ 200, {}, '{"ok": false, "why": "no such field", "data": []}' ] ], %$ok), qr/ERROR:  no such field/, 'of a success that is none');
	like($preview->([ [ 400, {}, '{"why": "bad field"}' ] ], %$ok), qr/ERROR:  bad field/, 'of an error');
	like($preview->([ [ 200, {}, '<html>maintenance' ] ], %$ok), qr/ERROR:  invalid JSON at byte 1/, 'of what cannot be read');
	like($preview->([ [ 200, {}, [ '<html>', 'x', 1000000 ] ] ], %$ok), qr/ERROR:  invalid JSON at byte 1/, 'of much that cannot be read');
	is($preview->([ [ 200, {}, '<html>maintenance' ], [ 200, {}, $items ] ], errorWhen => [ { when => "{{ response | contains('maintenance') }}", action => 'retry' } ]),
		'{"id": 1}', 'asks again');
	is($preview->([ [ 404, {}, 'none' ] ], onStatus => { 404 => 'empty' }), '', 'of nothing');
	like($preview->([ [ 429, {}, 'again in 4000 s' ] ], rateLimit => { waitPattern => 'in ([0-9]+) s' }), qr/The server asks to come back after 4000 s/, 'keeps to the rate');
	like($preview->([ [ 401, {}, 'no' ] ]), qr/ERROR:  server answered with status 401/, 'of one without credentials');
};

subtest 'what the server says' => sub
{
	my $limit = { remainingHeader => 'X-Left', resetHeader => 'X-Reset' };
	my $run = answers([ [ 403, { 'X-Left' => 0, 'X-Reset' => 3600 }, '' ] ], rateLimit => $limit);
	is(outcome($run), 'failed 1 0', 'nothing left for an hour');
	for my $wait ([ { 'X-Wait' => 1 }, { retryAfterHeader => 'X-Wait' }, '' ],
		[ {}, { waitPattern => 'again in ([0-9.]+)s' }, 'try again in 1s' ],
		[ {}, { wait => '1s' }, '' ], [ { 'X-Reset' => 1 }, { resetHeader => 'X-Reset', resetIs => 'delay' }, '' ])
	{
		my ($headers, $rate, $body) = @$wait;
		my $start = Time::HiRes::time();
		is(outcome(answers([ [ 429, $headers, $body ], [ 200, {}, $items ] ], rateLimit => $rate)), 'completed 2 1', encode_json($rate));
		cmp_ok(Time::HiRes::time() - $start, '>=', 1, 'waited');
	}
	$run = answers([ [ 429, {}, 'again in 4000 s' ] ], rateLimit => { waitPattern => 'in ([0-9]+) s' });
	is(outcome($run), 'failed 1 0', 'a wait of an hour ends the run');
	is($run->{error}{detail}, 'The server asks to come back after 4000 s.', 'and says so');
};

subtest 'a ratio' => sub
{
	# Each answer with 39 of 40 holds the next request back for 1.55 s.
	my @script = ([ 429, {}, '' ], map { [ 200, { 'X-Ratio' => '39/40' }, "[{\"id\": $_}]" ] } 1 .. 3);
	push @script, [ 200, {}, '[]' ];
	my $start = Time::HiRes::time();
	is( outcome(
			answers(
				\@script,
				pagination => { type => 'page', pageSize => 1 },
				rateLimit => { requestsPerSecond => 20, ratioHeader => 'X-Ratio' })),
		'completed 5 3',
		'a quota that is nearly used up');
	cmp_ok(Time::HiRes::time() - $start, '>=', 3 * 1.5, 'is spared');
};

subtest 'the bucket' => sub
{
	my %job = (
		source => {
			type => 'api',
			url => $api->url('/paging/page/orders'),
			pagination => { type => 'page', pageSize => 50, sizeParam => 'per_page' },
			rateLimit => { requestsPerSecond => 10, burstLimit => 4, key => 'orders' }
		},
		transform => { id => '{{item.id}}' });
	my @names = ('one', 'two');
	$api->clear_requests;
	for my $name (@names)
	{
		schedule_job($node, 'postgres', { %job, id => $name, destination => { type => 'database', table => $name, schema => { id => 'integer' } } });
		sql("SELECT databite.enqueue_job('$name')");
	}
	wait_for_runs($node, 'postgres', $_, 1) for @names;
	my @times = map { $_->{time} } @{ $api->requests('/paging/page/orders') };
	cmp_ok(scalar(@times), '>=', 40, 'two jobs, two processes');
	within_rate(\@times, 10, 4, 'and one bucket');
};

$node->stop;
$api->stop;
$process->kill_kill(grace => 2);
done_testing();
