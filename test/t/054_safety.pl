# A server that is evil in every way we know (test/api/evil.py): whatever it does, a run ends in bounded time and memory
# with the right rows or a clear error, nothing reaches an address that is not allowed, and no secret leaves the origin
# that it was for.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use Time::HiRes qw(time);

my $file = PostgreSQL::Test::Utils::tempdir_short() . '/port';
my ($in, $out) = ('', '');
my $server = IPC::Run::start([ 'python3', "$FindBin::RealBin/../api/evil.py", '--port-file', $file ], \$in, \$out, '2>&1');
wait_for_file($file, sub { $server->pumpable }) or die "the evil server did not start: $out";
my ($port, $other_port) = split /\n/, slurp_file($file);
my $here = "http://127.0.0.1:$port";
my $other = "http://127.0.0.1:$other_port";

# What the postmaster's environment says of proxies and passwords is nobody's wish.
my $node;
{
	my $home = PostgreSQL::Test::Utils::tempdir_short();
	local %ENV = %ENV;
	append_to_file("$home/.netrc", "default login ada password netrc-canary\n");
	$ENV{HOME} = $home;
	$ENV{NETRC} = "$home/.netrc";
	$ENV{$_} = "http://127.0.0.2:$port" for qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY);
	delete $ENV{no_proxy};
	delete $ENV{NO_PROXY};
	$node = databite_node('main');
}
$node->safe_psql('postgres', 'CREATE EXTENSION databite; CREATE TABLE rows (id int PRIMARY KEY, name text)');

sub sql { return $node->safe_psql('postgres', shift); }

my $http = HTTP::Tiny->new(timeout => 30, proxy => undef, http_proxy => undef, all_proxy => undef);

# What the server has been asked since the last time.
sub asked
{
	my $response = $http->request('DELETE', "$here/_log");
	die "no log: $response->{content}" unless $response->{success};
	return @{ decode_json($response->{content}) };
}

# Runs a job over a URL in a session with settings; its result, with the peak of the session's memory in kB and the time.
sub run
{
	my ($url, %change) = @_;
	my $settings = delete $change{settings} // '';
	$url = "$here/$url" unless $url =~ m{^(?:https?:|\{\{)}i;
	sql('TRUNCATE rows');
	schedule_job(
		$node,
		'postgres',
		{
			id => 'evil',
			source => { type => 'api', url => $url, timeout => 5000, retry => { attempts => 1 }, %change },
			destination => { type => 'database', table => 'rows' },
			transform => { id => '{{item.id}}', name => '{{item.name}}' }
		});
	my $start = time;
	my $line = sql(<<"SQL");
$settings
SELECT row_to_json(r) FROM databite.execute_job('evil') AS r;
SELECT substring(pg_read_file('/proc/self/status') from 'VmHWM:\\s+(\\d+)');
SQL
	my ($json, $peak) = split /\n/, $line;
	return { %{ decode_json($json) }, peak => $peak, time => time - $start };
}

# What a run of SQL through the address of a case must end like: an error's code, or the ids that come.
sub ends
{
	my ($name, $url, $expected, %change) = @_;
	my $result = run($url, %change);
	if ($expected =~ /^rows (.*)/)
	{
		is($result->{status}, 'completed', "$name: completed") or diag(explain($result->{error}));
		is(sql("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), 'none') FROM rows"), $1, "$name: rows");
	}
	else
	{
		is($result->{status}, 'failed', "$name: failed");
		like($result->{error}{code} // '', qr/^(?:$expected)$/, "$name: code") or diag(explain($result->{error}));
		is(sql('SELECT count(*) FROM rows'), '0', "$name: no rows");
	}
	return $result;
}

# The requests of a case, and none at the addresses that are not allowed.
sub only_allowed
{
	my ($name) = @_;
	my @log = asked();
	is_deeply([ grep { $_->{address} ne '127.0.0.1' } @log ], [], "$name: nothing came to another address");
	return @log;
}

my $plain = run('items');
is($plain->{status}, 'completed', 'the environment of the postmaster has no say: completed') or diag(explain($plain->{error}));
my ($first) = only_allowed('the environment of the postmaster');
like($first->{head}, qr{^GET /items HTTP/1\.1\r\n}, 'no proxy was asked');
unlike($first->{head}, qr/^authorization:/mi, 'no password of a .netrc was sent');

subtest 'schemes and hosts of the source' => sub
{
	for my $url ("file:///etc/passwd", "ftp://127.0.0.1:$port/x", "gopher://127.0.0.1:$port/_GET", "dict://127.0.0.1:$port/x",
		"scp://127.0.0.1/x", "ldap://127.0.0.1/x", "smb://127.0.0.1/x", "javascript:alert(1)", "//127.0.0.1:$port/items", "/etc/passwd")
	{
		# By a template, as a literal may be refused when the job is scheduled.
		ends($url, '{{ "' . $url . '" }}', 'bad_url');
	}
	ends("a user's name in the URL", "http://ada:secret\@127.0.0.1:$port/items", 'bad_url');
	ends('another host behind a user name', "http://127.0.0.1:$port\@127.0.0.2:$port/items", 'bad_url');
	only_allowed('schemes');

	for my $host ('0x7f000001', '0x7f.1', '2130706433', '0177.0.0.1', '017700000001', '127.1', '127.0.0.1', '127.0.0.1.', '127.0.0.2', '127.255.255.254',
		'0.0.0.0', '0', '[::1]', '[::]', '[::127.0.0.1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', 'localhost', 'LocalHost.')
	{
		ends($host, "http://$host:$port/items", 'address_refused|dns|bad_url', settings => "SET databite.allowed_hosts = '';");
	}
	for my $host ('169.254.169.254', '[::ffff:169.254.169.254]', '[fd00:ec2::254]', '10.0.0.1', '192.168.0.1', '172.16.0.1', '100.64.0.1')
	{
		ends($host, "http://$host/latest/meta-data/", 'address_refused');
	}
	# These are characters that some parsers take for digits and dots.
	for my $host ("\x{2460}\x{2461}\x{2466}.0.0.1", "127\x{3002}0\x{3002}0\x{3002}1", "\x{ff11}\x{ff12}\x{ff17}.0.0.1")
	{
		my $result = run("http://$host:$port/items", settings => "SET databite.allowed_hosts = '';");
		is($result->{status}, 'failed', 'odd digits') or diag(explain($result));
	}
	is(scalar(asked()), 0, 'nothing came to any of them');

	ends('a name that is allowed, and no address', "http://127.0.0.1:$port/items", 'address_refused', settings => "SET databite.allowed_hosts = 'localhost';");
	ends('by that name', "http://localhost:$port/items", 'rows 1 2', settings => "SET databite.allowed_hosts = 'localhost';");
	ends('only what is allowed', "http://192.0.2.1/items", 'address_refused', settings => 'SET databite.only_allowed_hosts = on;');
	asked();
};

subtest 'redirects' => sub
{
	for my $to ("file:///etc/passwd", "ftp://127.0.0.1:$port/x", "gopher://127.0.0.1:$port/_x", "dict://127.0.0.1:$port/x", 'javascript:alert(1)', 'data:application/json,[]',
		"http://ada:secret\@127.0.0.1:$port/items", "http://127.0.0.1:$port\@127.0.0.2:$port/items", 'http://', 'https://')
	{
		ends("to $to", "redirect?to=" . escape($to), 'redirect');
	}
	for my $to ("http://127.0.0.2:$port/items", "//127.0.0.2:$port/items", "\\\\127.0.0.2:$port\\items", "http://[::1]:$port/items", "http://[::ffff:127.0.0.2]:$port/items",
		"http://2130706434:$port/items", "http://0x7f000002:$port/items", 'http://169.254.169.254/latest/meta-data/', 'http://[::ffff:169.254.169.254]/', 'http://10.0.0.1/', 'http://[fd00:ec2::254]/')
	{
		ends("to $to", "redirect?to=" . escape($to), 'address_refused|redirect|http_status');
	}
	# Three slashes are two, as in browsers: that is a host, and not the path of this one.
	ends('to a path that is a host', 'redirect?to=http:///items', 'dns|address_refused');
	ends('between two origins for ever', 'pingpong', 'redirect');
	my @log = only_allowed('redirects');
	cmp_ok(scalar(grep { $_->{path} eq '/pingpong' } @log), '<=', 6, 'not for ever');

	# Whatever the user has named may be a secret.  The method, status and body do not matter.
	my %secrets = (headers => { Authorization => 'Bearer canary', Cookie => 'session=canary', 'X-Api-Key' => 'canary', 'X-Shopify-Access-Token' => 'canary' });
	for my $status (301, 302, 303, 307, 308)
	{
		ends("$status to another origin", "redirect?status=$status&to=" . escape("$other/items"), 'rows 1 2', %secrets);
		my ($from, $to) = asked();
		like($from->{head}, qr/x-api-key: canary/i, "$status: the first origin gets them");
		is($to->{port}, $other_port, "$status: the other one is asked");
		unlike("$to->{head}$to->{body}", qr/canary|authorization|cookie|referer/i, "$status: and gets none of them");

		my $posted = run("redirect?status=$status&to=" . escape("$other/items"), %secrets, method => 'POST', body => { secret => 'canary' });
		($from, $to) = asked();
		like($from->{body}, qr/canary/, "$status after POST: the first origin gets the body");
		if ($status >= 307)
		{
			is($posted->{error}{code}, 'redirect', "$status after POST: refused");
			is($to, undef, "$status after POST: the other one is not asked");
		}
		else
		{
			is($posted->{status}, 'completed', "$status after POST: a GET");
			unlike("$to->{head}$to->{body}", qr/canary|^POST/, "$status after POST: and nothing else");
		}
	}
	ends('to another origin and back', 'bounce', 'rows 1 2', %secrets);
	@log = asked();
	is_deeply([ map { $_->{port} } @log ], [ $port, $other_port, $port ], 'to another origin and back: three requests');
	unlike($log[$_]{head}, qr/canary/, 'the secrets do not come back either') for (1, 2);
	ends('at the same origin', 'redirect?to=/items', 'rows 1 2', %secrets);
	@log = asked();
	like($log[1]{head}, qr/canary/, 'at the same origin they go along');
	is($log[0]{connection}, $log[1]{connection}, 'by the same connection');
};

subtest 'next pages' => sub
{
	my $pagination = { type => 'next_url', nextUrlPath => 'next' };
	for my $to ('file:///etc/passwd', "ftp://127.0.0.1:$port/x", "http://127.0.0.2:$port/items", "//127.0.0.2:$port/items", "http://127.0.0.1:$port\@127.0.0.2:$port/items",
		"http://2130706434:$port/items", "$other/items", 'http://169.254.169.254/', "http://127.0.0.1:$port\t/items", "http://127.0.0.1\n:$port/items")
	{
		my %secrets = (headers => { 'X-Api-Key' => 'canary' });
		my $result = run('next?to=' . escape($to), pagination => $pagination, %secrets);
		is($result->{status}, 'failed', encode_json([$to]) . ' in the body: failed');
		$result = run('link?to=' . escape($to), pagination => { type => 'link' }, %secrets);
		is($result->{status}, 'failed', encode_json([$to]) . ' in the header: failed') if $to !~ /[\t\n]/;
		my @log = only_allowed($to);
		is(scalar(grep { $_->{port} eq $other_port } @log), 0, 'the other origin is not asked');
	}
};

subtest 'values of requests' => sub
{
	my $injection = "x\r\nX-Injected: 1\r\n\r\nGET /injected HTTP/1.1";
	sql("SELECT databite.set_token('twisted', E'x\\r\\nX-Injected: 1')");

	# The payload of enqueue_job comes from anywhere, a webhook perhaps.
	my $enqueue = sub {
		my ($payload, %source) = @_;
		sql('TRUNCATE rows');
		schedule_job($node, 'postgres', {
			id => 'injected',
			source => { type => 'api', url => "$here/items", timeout => 5000, retry => { attempts => 1 }, %source },
			destination => { type => 'database', table => 'rows' } });
		my $json = encode_json({ x => $payload });
		my $run = sql("SELECT databite.enqueue_job('injected', \$databite\$$json\$databite\$)");
		wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
		my ($status, $code) = split /\|/, sql("SELECT status, error ->> 'code' FROM databite.runs WHERE run_id = $run");
		return ($status, $code, only_allowed('a value'));
	};
	for my $text ($injection, "a\nb", "a\rb", "a\x01b", "a\x7fb")
	{
		my ($status, $code, @log) = $enqueue->($text, headers => { 'X-Value' => '{{ payload.x }}' });
		is("$status " . ($code // ''), 'failed bad_header', encode_json([$text]) . ' in a header');
		is(scalar(@log), 0, 'is not sent');
	}
	my ($status, $code, @log) = $enqueue->('', headers => { 'X-Value' => '{{ tokens.twisted }}' });
	is("$status " . ($code // ''), 'failed bad_header', 'a token with a line break in a header');
	is(scalar(@log), 0, 'is not sent');
	unlike(sql("SELECT string_agg(error::text, ' ') FROM databite.runs"), qr/Injected/, 'nor said');

	($status, $code, @log) = $enqueue->($injection, url => "$here/items/{{ payload.x }}", query => { q => '{{ payload.x }}' });
	is($status, 'completed', 'in a path and a query it is encoded');
	is(scalar(@log), 1, 'one request');
	unlike($log[0]{head}, qr/^X-Injected/m, 'without another header');
	($status, $code, @log) = $enqueue->("../../_log?x=1#y", url => "$here/items/{{ payload.x }}");
	like($log[0]{target} // '', qr{^/items/[^/]*$}, 'a path stays where it was');
	($status, $code, @log) = $enqueue->("a&b=c", method => 'POST', body => { form => { v => '{{ payload.x }}' } });
	is($log[0]{body}, 'v=a%26b%3Dc', 'in a form it is encoded');
	($status, $code, @log) = $enqueue->('"}, {"a": "', method => 'POST', body => { v => '{{ payload.x }}' });
	is_deeply(decode_json($log[0]{body}), { v => '"}, {"a": "' }, 'in JSON too');

	# As a whole URL it is what it is, within bounds.
	for my $url ("$here/items\r\nX-Injected: 1", "$here/items HTTP/1.1\r\nX-Injected: 1", "http://127.0.0.1\r\n:$port/items", "file:///etc/passwd", "http://127.0.0.2:$port/items",
		"http://127.0.0.1:$port\@127.0.0.2:$port/", "\x01$here/items")
	{
		($status, $code, @log) = $enqueue->($url, url => '{{ payload.x }}');
		is($status, 'failed', encode_json([$url]) . ': failed');
		is(scalar(grep { $_->{head} =~ /X-Injected/ } @log), 0, 'no header came of it');
	}
	my ($ret, undef, $error) = $node->psql('postgres', <<"SQL");
SELECT databite.schedule_job('{"id": "nul", "source": {"type": "api", "url": "$here/items", "headers": {"X-Nul": "a\\u0000b"}},
	"destination": {"type": "database", "table": "rows"}}')
SQL
	isnt($ret, 0, 'NUL cannot be written in a definition');
	for my $name ("X-A\r\nX-Injected", 'X A', 'X:A', '', 'Content-Length', 'transfer-encoding', 'Connection')
	{
		my ($result) = $node->psql('postgres', "SELECT databite.schedule_job(\$databite\$" . encode_json({
			id => 'evil', source => { type => 'api', url => "$here/items", headers => { $name => '1' }, retry => { attempts => 1 } },
			destination => { type => 'database', table => 'rows' } }) . '$databite$)');
		my $failed = $result != 0 || execute_job($node, 'postgres', 'evil')->{status} eq 'failed';
		ok($failed, encode_json([$name]) . ' is no name of a header');
		is(scalar(only_allowed('a name of a header')), 0, 'nothing is sent');
	}
};

subtest 'cookies and other memories' => sub
{
	ends('cookies', 'cookie?next', 'rows 1 2', pagination => { type => 'link' });
	ends('again', 'items', 'rows 1 2');
	my @log = only_allowed('cookies');
	is(scalar(@log), 3, 'cookies: three requests');
	unlike(join('', map { $_->{head} } @log), qr/^cookie:/mi, 'cookies: none is sent back');
};

subtest 'headers' => sub
{
	ends('lines without an end', 'header_flood', 'too_large');
	ends('a line without an end', 'header_line', 'too_large');
	ends('in drips', 'header_drip', 'timeout', timeout => 700);
	ends('interim responses without an end', 'interim', 'too_large|protocol');
	ends('a few interim responses', 'few_interim', 'rows 1 2', pagination => { type => 'link' });
	ends('another protocol', 'upgrade', 'protocol|timeout|http_status|reset', timeout => 700);
	ends('NUL in a header', 'header_nul', 'protocol');
	ends('bytes that are no text', 'header_bytes', 'rows 1 2', pagination => { type => 'link' });
	ends('two lengths', 'two_lengths', '22032|protocol');
	ends('a negative length', 'negative_length', 'protocol');
	ends('a length that no number holds', 'great_length', 'protocol');
	ends('a length that is no number', 'no_length', 'protocol');
	ends('no HTTP', 'garbage', 'protocol');
	ends('no header', 'bare', 'protocol');
	ends('another version', 'version', 'protocol');
	for my $status ('000', '099', '99', '1000', '600', '999', '-200', 'OK', '2OO')
	{
		ends("status $status", "status?status=$status", 'protocol|http_status|timeout', timeout => 700);
	}
	ends('nothing', 'nothing', 'reset');
	only_allowed('headers');
};

subtest 'bodies' => sub
{
	ends('shorter than said', 'too_long', 'truncated');
	ends('longer than said', 'too_short', '22032');
	ends('an answer to what was not asked', 'trailing', 'rows 1 2 3', pagination => { type => 'link' });
	ends('more behind the JSON', 'after_json', '22032');
	ends('a chunk that is cut', 'cut_chunk', 'truncated|reset');
	ends('no last chunk', 'no_last_chunk', 'truncated|reset');
	ends("a chunk of size $_", "bad_chunk?size=$_", 'protocol|truncated|reset') for ('zz', '-1', 'ffffffffffffffffff', '');
	ends('chunks and a length', 'chunked_and_length', 'rows 1 2');
	ends('trailers without an end', 'trailers', 'too_large');
	ends('in drips', 'drip', 'timeout', timeout => 700);
	ends('a text without an end', 'endless?of=text', '54000|timeout');
	ends('an error page without an end', 'error_body', 'http_status', headers => { 'X-Api-Key' => 'canary' });
	unlike(sql("SELECT string_agg(error::text, ' ') FROM databite.runs"), qr/canary/, 'of which nothing is said');
	ends('arrays in arrays', 'deep', '22032|54000|54001');
	ends('HTML', 'html', '22032');
	only_allowed('bodies');
};

subtest 'memory' => sub
{
	my $sanitized = is_sanitized($node);
	my $small = sub {
		my ($name, $result, $more) = @_;
		return if $sanitized;
		cmp_ok($result->{peak}, '<', $plain->{peak} + ($more // 24) * 1024, "$name: bounded memory");
	};
	# Less than an item may have: it is given up behind 1 GiB.
	for my $times (1 .. 3)
	{
		my $name = 'a bomb of 1 GB' . ' in a bomb' x ($times - 1);
		$small->($name, ends($name, "bomb?size=1000000000&times=$times", 'rows 1 2', timeout => 60000));
	}
	$small->('a bomb of brotli', ends('a bomb of brotli', 'bomb?size=268435456&coding=br', 'rows 1 2', timeout => 60000));
	$small->('a larger bomb', ends('a larger bomb', 'bomb?size=1200000000', '54000', timeout => 60000));
	$small->('a text without an end', run('endless?of=text'));
	$small->('lines of a header without an end', run('header_flood'));
	$small->('a line of a header without an end', run('header_line'));
	$small->('an error page without an end', run('error_body'));
	only_allowed('memory');
};

subtest 'coding' => sub
{
	ends('codings of codings', 'many_codings', 'protocol');
	ends('no gzip', 'no_gzip', 'truncated');
	for my $name ('x-unknown', 'compress', 'aes128gcm')
	{
		my $result = ends("coding $name", "coding?name=$name", 'protocol');
		like($result->{error}{detail}, qr/\Q"$name"\E is not known/, "coding $name: it is named");
	}
	ends('identity', 'coding?name=identity', 'rows 1 2');
	ends("gzip without its last $_ bytes", "cut_gzip?bytes=$_", 'truncated') for (1, 4, 8, 12, 20, 40);
	ends('a wrong checksum', 'wrong_sum', 'truncated');
	ends('gzip by the transfer', 'transfer_coded', 'protocol');

	my ($log) = grep { $_->{path} eq '/coding' } only_allowed('coding');
	like($log->{head}, qr/^Accept-Encoding: gzip, deflate, br\r$/m, 'what is understood is asked for');

	for my $format ('json', 'ndjson', 'csv')
	{
		for my $codings ('gzip', 'x-gzip', 'GZIP', 'members', 'deflate', 'raw', 'br', 'gzip,br', 'br,raw,identity,deflate')
		{
			my $case = "coded?format=$format&codings=$codings";
			ends("$format in $codings", $case, 'rows 1 2');
			# Between two members nothing but the document tells.
			my $code = $codings eq 'members' ? 'truncated|22032' : 'truncated';
			ends("$format in $codings that is cut, $_", "$case&cut=$_", $code) for (1, 'half', 'all');
			ends("$format in $codings with more behind", "$case&behind=x", 'truncated');
		}
		ends("$format in codings line by line", "coded?format=$format&codings=gzip,br&lines", 'rows 1 2');
		ends("$format in gzip with a length that is too long", "coded?format=$format&codings=gzip&cut=8&long", 'truncated');
		ends("$format that is cut the first time", "coded?format=$format&codings=gzip&cut=8&once", 'rows 1 2', retry => { attempts => 2, delay => 10 });

		# Here items have been delivered before the end is missed.
		my $result = run("coded?format=$format&codings=gzip&count=50000&cut=1&once", retry => { attempts => 2, delay => 10 });
		is("$result->{status} " . sql('SELECT count(*), sum(id) FROM rows'), 'completed 50000|1250025000', "$format, large, that is cut the first time");
		$result = run("coded?format=$format&codings=br&count=50000");
		is($result->{bytes_received}, bytes_of($format), "$format: decoded bytes are counted");
	}
	only_allowed('codings');

	# The body of an error is judged as it was meant; what is left of a cut one, too.
	for my $options ('gzip', 'br', 'gzip&cut=4', 'br,gzip&cut=4')
	{
		my $when = '{{ response[1].name == "name 2" }}';
		my $result = run("coded?codings=$options&status=400%20Bad", onStatus => { 400 => [ { when => $when, action => 'empty' } ] });
		is($result->{status}, 'completed', "an error in $options is judged") or diag(explain($result->{error}));
	}
	ends('an error in a coding that is not known', 'coded?codings=x-unknown&status=400%20Bad', 'http_status');
	only_allowed('errors in codings');
};

# A body that never ends, from a server that is fast, ends with the run's cancellation at the latest.
subtest 'without an end' => sub
{
	for my $of ('space', 'item')
	{
		my ($ret, $output, $error) = $node->psql('postgres', "SET statement_timeout = '3s'; SELECT status FROM databite.execute_job('evil')")
		  if run_definition("endless?of=$of");
		like($output . $error, qr/failed|statement timeout/, "$of: it ends");
	}
	only_allowed('without an end');
};

is($node->safe_psql('postgres', 'SELECT count(*) FROM databite.progress'), '0', 'nothing goes on');
my $log = join("\n", grep { !/LOG:  statement: / } split /\n/, slurp_file($node->logfile));
unlike($log, qr/canary|TRAP:|terminated by signal/, 'no secret in the log, and no crash');

# Stores the job of run() for an address.
sub run_definition
{
	my ($path) = @_;
	schedule_job($node, 'postgres', {
		id => 'evil',
		source => { type => 'api', url => "$here/$path", retry => { attempts => 1 } },
		destination => { type => 'database', table => 'rows' } });
	return 1;
}

# Bytes of what /coded sends, before its codings.
sub bytes_of
{
	my ($format) = @_;
	my $rows = join('', map { $format eq 'csv' ? "$_,name $_\n" : qq({"id": $_, "name": "name $_"}) . ($format eq 'json' ? ', ' : "\n") } 1 .. 50000);
	return length($rows) + ($format eq 'csv' ? length("id,name\n") : 0);
}

sub escape
{
	my ($text) = @_;
	$text =~ s/([^A-Za-z0-9\-._~])/sprintf('%%%02X', ord $1)/ge;
	return $text;
}

$server->kill_kill(grace => 1);
$node->stop;
done_testing();
