# Who asks: every kind of credentials, tokens that are got, kept, renewed and replaced, and none of it is seen.
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

my $dir = PostgreSQL::Test::Utils::tempdir_short();

sub start_server
{
	my ($name, @arguments) = @_;
	my ($in, $out) = ('', '');
	my $server = IPC::Run::start([ 'python3', "$FindBin::RealBin/../api/auth_server.py", "$dir/$name", @arguments ], \$in, \$out, '2>&1');
	wait_for_file("$dir/$name", sub { $server->pumpable }) or die "the server did not start: $out";
	return ($server, slurp_file("$dir/$name"));
}

sub openssl
{
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'openssl', @_ ], '>', \$out, '2>', \$err) or die "openssl @_: $err";
	return;
}

append_to_file("$dir/ext", 'subjectAltName = IP:127.0.0.1');
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -subj), '/CN=authority', '-keyout', "$dir/ca.key", '-out', "$dir/ca.pem");
for my $who ('server', 'client')
{
	openssl(qw(req -newkey rsa:2048 -nodes -subj), "/CN=$who", '-keyout', "$dir/$who.key", '-out', "$dir/$who.csr");
	openssl(qw(x509 -req -days 2), '-in', "$dir/$who.csr", '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key", '-CAcreateserial',
		'-extfile', "$dir/ext", '-out', "$dir/$who.pem");
}
my ($server, $port) = start_server('port');
my ($other_server, $other_port) = start_server('other');
my ($tls_server, $tls_port) = start_server('tls', "$dir/server.pem", "$dir/server.key", "$dir/ca.pem");

my $node = databite_node('main', conf => <<'CONF');
restart_after_crash = on
log_statement = all
log_min_messages = debug2
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
CONF
sub sql { return $node->safe_psql('postgres', shift); }
sql('CREATE EXTENSION databite');

my %secret = (key => 'canary-key', secret => 'canary-secret', refresh => 'canary-refresh-0',
	aws => 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', pem => slurp_file("$dir/client.pem"), pem_key => slurp_file("$dir/client.key"));
sub set_token
{
	my ($name, $value) = @_;
	unlink "$dir/$name.value";
	append_to_file("$dir/$name.value", $value);
	chmod 0644, "$dir/$name.value";
	return sql("SELECT databite.set_token('$name', pg_read_file('$dir/$name.value'))");
}
set_token($_, $secret{$_}) for keys %secret;

my %oauth = (type => 'oauth2', tokenUrl => "http://127.0.0.1:$port/token", clientId => 'client', clientSecret => '{{tokens.secret}}');

sub schedule
{
	my ($id, $path, $auth, %source) = @_;
	return schedule_job($node, 'postgres', {
		id => $id,
		source => { type => 'api', url => "http://127.0.0.1:$port$path", retry => { attempts => 1 }, $auth ? (auth => $auth) : (), %source },
		destination => { type => 'database', table => "t_$id", schema => { id => 'integer' }, key => 'id' } });
}

sub control { return HTTP::Tiny->new->get("http://127.0.0.1:$port/$_[0]")->{content}; }

sub requests
{
	my ($path, $at) = @_;
	$at //= $port;
	return grep { $_->{path} eq $path } @{ decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$at/_requests")->{content}) };
}
sub asked { return scalar requests(@_); }

# Each kind, each way.
schedule('bearer', '/bearer', { type => 'bearer', token => '{{tokens.key}}' });
schedule('basic', '/basic', { type => 'basic', username => 'ada', password => '{{tokens.key}}' });
schedule('header', '/key', { type => 'api_key', in => 'header', name => 'X-Key', value => '{{tokens.key}}' });
schedule('query', '/key?key=wrong', { type => 'api_key', in => 'query', name => 'key', value => '{{tokens.key}}' });
schedule('cookie', '/key', { type => 'api_key', in => 'cookie', name => 'sid', value => '{{tokens.key}}' }, headers => { Cookie => 'a=b' });
schedule('client', '/bearer', { %oauth, grant => 'client_credentials' });
schedule('in_header', '/bearer', { %oauth, grant => 'client_credentials', clientAuth => 'basic', scope => 'read' });
schedule('login', '/bearer', {
	type => 'login', tokenPath => 'data.session', expiresInPath => 'valid_for',
	request => { url => "http://127.0.0.1:$port/login", body => { user => 'ada', password => '{{tokens.key}}' } } });
schedule('aws', '/signed?b=2&a=%7Ex', {
	type => 'aws_sigv4', accessKeyId => 'AKIDEXAMPLE', secretAccessKey => '{{tokens.aws}}', region => 'eu-west-1', service => 'execute-api' },
	query => { 'c d' => 'e/f' });
schedule('mtls', '/open', undef, url => "https://127.0.0.1:$tls_port/open",
	tls => { certificate => '{{tokens.pem}}', key => '{{tokens.pem_key}}', ca => slurp_file("$dir/ca.pem") });
schedule('scope', '/ignored', { %oauth, grant => 'client_credentials', scope => 'write', baseUrlPath => 'instance_url' },
	url => '{{ auth.base_url }}/bearer', query => { kind => '{{ auth.token_type }}', none => '{{ auth.access_token }}' });
for my $id (qw(bearer basic header query cookie client in_header login aws mtls scope))
{
	is(enqueue_and_wait($node, 'postgres', $id)->{status}, 'completed', "$id by the worker");
	is(execute_job($node, 'postgres', $id)->{status}, 'completed', "$id by execute_job");
	my ($rc, undef, $error) = $node->psql('postgres', "CALL databite.run_job('$id')");
	is($error, '', "$id by CALL");
	unlike(sql("SELECT * FROM databite.explain_job('$id')"), qr/canary/, "explain of $id is masked");
}
is(asked('/login'), 1, 'a login serves all of them');
is(asked('/token'), 3, 'and so do the tokens of client_credentials');
HTTP::Tiny->new->get("http://127.0.0.1:$port/_expire");
is(sql(q(SELECT item FROM databite.preview_job('client'))), '{"id": 1}', 'a preview gets a new token where the server has forgotten the old one');
is(asked('/token'), 4, 'once');

# A refresh token is spent once, and its successor is there before it is needed.
schedule("refresh$_", '/bearer', { %oauth, grant => 'refresh_token', refreshToken => '{{tokens.refresh}}' }) for 1 .. 2;
my $tokens = asked('/token');
my @runs = map { sql("SELECT databite.enqueue_job('refresh$_')") } 1 .. 2;
wait_for_runs($node, 'postgres', "refresh$_", 1) for 1 .. 2;
is(asked('/token'), $tokens + 1, 'two workers at once spend it once');
is(execute_job($node, 'postgres', 'refresh1')->{status}, 'completed', 'the access token serves execute_job too');

# Before it expires, by the margin.
control('_lifetime?100000');
sql('DELETE FROM databite.access_token');
is(enqueue_and_wait($node, 'postgres', 'refresh1')->{status}, 'completed', 'the new refresh token is the one that is spent next');
is(enqueue_and_wait($node, 'postgres', 'refresh1')->{status}, 'completed', 'and the access token is kept');
is(asked('/token'), $tokens + 2, 'as long as it lives');
sql("UPDATE databite.access_token SET obtained_at = now() - interval '1 hour', expires_at = now() + interval '30 seconds'");
my (undef, undef, $error) = $node->psql('postgres', q(CALL databite.run_job('refresh1')));
is($error, '', 'a token that ends within the margin is replaced');
is(asked('/token'), $tokens + 3, 'before it ends');

# execute_job may be rolled back, what the token endpoint has said may not.
sub execute { return sql("SELECT status, error ->> 'code', error ->> 'message' FROM databite.execute_job('$_[0]')"); }
sql('DELETE FROM databite.access_token');
$tokens = asked('/token');
like(sql(q(BEGIN; SELECT status FROM databite.execute_job('refresh1'); ROLLBACK)), qr/^completed$/m, 'a refresh token is spent in a transaction');
is(asked('/token'), $tokens + 1, 'once');
is(sql('SELECT count(*) FROM databite.access_token'), '1', 'the access token is there though that was rolled back');
like(execute('refresh2'), qr/^completed/, 'and is used');
is(asked('/token'), $tokens + 1, 'as it is');
sql('DELETE FROM databite.access_token');
is(enqueue_and_wait($node, 'postgres', 'refresh1')->{status}, 'completed', 'and so is the new refresh token there');
is(asked('/token'), $tokens + 2, 'which was spent');
sql('DELETE FROM databite.access_token');
is(sql(q(SELECT count(*) FROM databite.preview_job('refresh1'))), '1', 'a preview spends one too');
like(execute('refresh2'), qr/^completed/, 'and keeps the new one');
is(asked('/token'), $tokens + 3, 'so that it is spent once');
is(sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite token keeper')), '0', 'no worker is left');

# Where it could not be kept it is not spent.
sql('DELETE FROM databite.access_token');
like(sql(q(BEGIN; SELECT databite.set_token('another', 'value'); SELECT status, error ->> 'code', error ->> 'message' FROM databite.execute_job('refresh1'); COMMIT)),
	qr/^failed\|55000\|a refresh token cannot be spent in a transaction that has changed tokens$/m, 'tokens changed in the same transaction');
my ($in, $out) = ('', '');
my $holder = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], \$in, \$out, '2>&1');
$in = "BEGIN; LOCK TABLE databite.token IN SHARE ROW EXCLUSIVE MODE; SELECT 'locked';\n";
$holder->pump until $out =~ /locked/;
like(sql(q(SET lock_timeout = '100ms'; SELECT status, error ->> 'code', error ->> 'message' FROM databite.execute_job('refresh1'))),
	qr/^failed\|55P03\|a new refresh token could not be stored: canceling statement due to lock timeout$/m, 'tokens changed by another one');
$in = "ROLLBACK;\n\\q\n";
$holder->finish;
is(asked('/token'), $tokens + 3, 'neither has spent it');
like(execute('refresh1'), qr/^completed/, 'so it works afterwards');

# Who cancels is not heard before the tokens are kept.
sub wait_until
{
	my ($done, $what) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return pass($what) if $done->();
		select undef, undef, undef, 0.1;
	}
	return fail($what);
}
sub while_asked
{
	my ($sql) = @_;
	my ($nothing, $said) = ('', '');
	sql('DELETE FROM databite.access_token');
	$tokens = asked('/token');
	control('_hold?/token');
	my $session = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', q(SELECT status, error ->> 'message' FROM databite.execute_job('refresh1')) ], \$nothing, \$said, '2>&1');
	wait_until(sub { asked('/token') == $tokens + 1 }, 'the token endpoint is asked');
	is(sql($sql), 't', 'something happens meanwhile');
	control('_release');
	$session->finish;
	return $said;
}
like(while_asked(q(SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'execute_job' AND pid <> pg_backend_pid())),
	qr/canceling statement due to user request/, 'a cancel ends the run');
like(execute('refresh1'), qr/^completed/, 'but not before its tokens are kept');
is(asked('/token'), $tokens + 1, 'which serve the next one');
like(while_asked(q(SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'databite token keeper')),
	qr/^failed\|the refresh token was spent, and the one that replaces it could not be stored: the background worker for it has ended/, 'a worker that is told to go is missed');
set_token('refresh', 'canary-refresh-again');
control('_refresh?canary-refresh-again');
like(execute('refresh1'), qr/^completed/, 'until there is another refresh token');

# A 401 is asked about once.
schedule('never', '/never', { %oauth, grant => 'client_credentials' });
is(enqueue_and_wait($node, 'postgres', 'client')->{status}, 'completed', 'a token');
my ($bearers, $nevers);
for my $way (qw(worker function))
{
	control('_expire');
	($tokens, $bearers) = (asked('/token'), asked('/bearer'));
	is($way eq 'worker' ? enqueue_and_wait($node, 'postgres', 'client')->{status} : execute_job($node, 'postgres', 'client')->{status},
		'completed', "$way: a token that is refused is replaced");
	is(asked('/token') - $tokens, 1, "$way: by one new one");
	is(asked('/bearer') - $bearers, 2, "$way: and the page is asked for again");
	($tokens, $nevers) = (asked('/token'), asked('/never'));
	my $failed = $way eq 'worker' ? enqueue_and_wait($node, 'postgres', 'never') : execute_job($node, 'postgres', 'never');
	is($failed->{status}, 'failed', "$way: a second refusal fails");
	is($failed->{error}{request}{status}, 401, "$way: with the status");
	is(asked('/token') - $tokens, 1, "$way: after one new token");
	is(asked('/never') - $nevers, 2, "$way: and one more request");
}
schedule('plain', '/never', { type => 'bearer', token => '{{tokens.key}}' }, retry => { attempts => 3 });
$nevers = asked('/never');
is(enqueue_and_wait($node, 'postgres', 'plain')->{status}, 'failed', 'a token that nobody can replace');
is(asked('/never') - $nevers, 1, 'fails at once');

# Credentials stay at their origin.
my %session = (type => 'login', tokenPath => 'data.session', in => 'header', name => 'X-Key',
	request => { url => "http://127.0.0.1:$port/login", body => { user => 'ada', password => '{{tokens.key}}' } });
my %leads = (
	header => { type => 'api_key', in => 'header', name => 'X-Key', value => '{{tokens.key}}' },
	query => { type => 'api_key', in => 'query', name => 'key', value => '{{tokens.key}}' },
	login => \%session);
for my $kind (sort keys %leads)
{
	my $other = "http://127.0.0.1:$other_port";
	my %paged = (dataPath => 'data', pagination => { type => 'next_url', nextUrlPath => 'next', allowedOrigins => [$other] });
	schedule("redirect_$kind", "/redirect?to=$other/last", $leads{$kind}, dataPath => 'data');
	schedule("next_$kind", "/next?to=$other/last", $leads{$kind}, %paged);
	schedule("same_$kind", '/next?to=/last', $leads{$kind}, %paged);
	for my $id ("redirect_$kind", "next_$kind", "same_$kind")
	{
		my $result = execute_job($node, 'postgres', $id);
		is($result->{status}, 'completed', $id) or diag(explain($result->{error}));
	}
	my $last = (requests('/last'))[-1];
	like($kind eq 'query' ? $last->{target} : $last->{headers}{'x-key'}, qr/canary-(key|access-\d+)$/, "$kind goes with a next URL of the same origin");
}
is(asked('/last', $other_port), 6, 'redirects and next URLs have led to another origin');
is(join('', grep { /canary/ } map { JSON::PP->new->canonical->encode($_) } requests('/last', $other_port)), '', 'which got no credentials');

# What would end its header.
set_token('split', "canary-key\r\nX-Evil: canary-key");
schedule('split', '/bearer', { type => 'bearer', token => '{{tokens.split}}' });
$bearers = asked('/bearer');
my $split = enqueue_and_wait($node, 'postgres', 'split');
is($split->{status}, 'failed', 'a token with a line break is refused');
like($split->{error}{message}, qr/header that cannot be sent/, 'which is told');
unlike(encode_json($split->{error}), qr/canary/, 'without the token');
is(asked('/bearer'), $bearers, 'and nothing was sent');
# Requests in flight are refused together, and one new token is for all of them.
schedule_job($node, 'postgres', {
	id => 'together',
	performance => { concurrency => 6 },
	steps => [
		{
			id => 'which',
			source => { type => 'inline', items => [ map { { id => $_ } } 1 .. 12 ] },
			destination => { type => 'database', table => 't_which', schema => { id => 'integer' }, key => 'id' }
		},
		{
			id => 'each',
			dependsOn => ['which'],
			source => {
				type => 'api',
				url => "http://127.0.0.1:$port/bearer?{{which.id}}",
				retry => { attempts => 1 },
				auth => { %oauth, grant => 'client_credentials', scope => 'together' }
			},
			destination => { type => 'database', table => 't_each', schema => { id => 'integer' }, key => 'id' }
		} ] });
is(enqueue_and_wait($node, 'postgres', 'together')->{status}, 'completed', 'several in flight');
$tokens = asked('/token');
HTTP::Tiny->new->get("http://127.0.0.1:$port/_expire");
is(enqueue_and_wait($node, 'postgres', 'together')->{status}, 'completed', 'several in flight whose token is refused');
is(asked('/token'), $tokens + 1, 'get one new token');

# What goes wrong is told, without what was sent.
schedule('refused', '/bearer', { %oauth, grant => 'client_credentials', clientSecret => '{{tokens.key}}' });
my $run = enqueue_and_wait($node, 'postgres', 'refused');
like($run->{error}{message}, qr/^no access token: /, 'a client that is refused');
is($run->{error}{request}{url}, "http://127.0.0.1:$port/token", 'at the token endpoint');

is(join('', grep { /canary-(key|secret|refresh|access)/ } split /^/, slurp_file($node->logfile)), '', 'no secret in the server log');
unlike(sql('SELECT r.*::text FROM databite.runs AS r'), qr/canary/, 'nor in history');
unlike(sql(q(SELECT a.*::text FROM pg_stat_activity AS a WHERE pid <> pg_backend_pid())), qr/canary/, 'nor in pg_stat_activity');
my ($dump) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ]);
like($dump, qr/refresh1/, 'a dump has the jobs');
unlike($dump, qr/canary/, 'and no secret');

# A worker that is killed after the answer and before the commit takes the new refresh token with it: the one window.
sub kill_worker_of
{
	my ($id) = @_;
	kill 'KILL', sql("SELECT pid FROM databite.progress WHERE job_id = '$id'");
	# Connections fail for a moment, and safe_psql would die of that.
	return wait_until(sub { my ($ret, $pid) = $node->psql('postgres', "SELECT count(*) FROM databite.runs WHERE job_id = '$id' AND status = 'crashed'", on_error_stop => 0);
			defined $ret && $ret == 0 && $pid > 0 }, "the worker of $id is killed");
}
sql('DELETE FROM databite.access_token');
schedule('lost', '/bearer', { %oauth, grant => 'refresh_token', refreshToken => '{{tokens.refresh}}' });
$tokens = asked('/token');
($in, $out) = ('', '');
$holder = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], \$in, \$out, '2>&1');
$in = "BEGIN; LOCK TABLE databite.token IN SHARE ROW EXCLUSIVE MODE; SELECT 'locked';\n";
$holder->pump until $out =~ /locked/;
sql("SELECT databite.enqueue_job('lost')");
wait_for_sql($node, 'postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'databite.token'::regclass AND NOT granted");
is(asked('/token'), $tokens + 1, 'the token endpoint has answered');
kill_worker_of('lost');
$holder->kill_kill;
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'lost' AND status = 'failed'));
is(sql(q(SELECT error ->> 'message' FROM databite.runs WHERE job_id = 'lost' AND status = 'failed')),
	'no access token: the token endpoint answers "invalid_grant"', 'the next run says what is wrong');
like(sql(q(SELECT error ->> 'hint' FROM databite.runs WHERE job_id = 'lost' AND status = 'failed')), qr/databite\.set_token/, 'and what helps');
set_token('refresh', 'canary-refresh-new');
control('_refresh?canary-refresh-new');
is(enqueue_and_wait($node, 'postgres', 'lost')->{status}, 'completed', 'which it does');

# After the commit nothing is lost.
sql('DELETE FROM databite.access_token');
schedule('held', '/bearer', { %oauth, grant => 'refresh_token', refreshToken => '{{tokens.refresh}}' });
($tokens, $bearers) = (asked('/token'), asked('/bearer'));
control('_hold?/bearer');
sql("SELECT databite.enqueue_job('held')");
wait_until(sub { asked('/bearer') == $bearers + 1 }, 'a page is asked for with the new token');
kill_worker_of('held');
control('_release');
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'held' AND status = 'completed'));
is(asked('/token'), $tokens + 1, 'the access token serves the run after the crash');
sql('DELETE FROM databite.access_token');
is(enqueue_and_wait($node, 'postgres', 'refresh1')->{status}, 'completed', 'and the refresh token is the new one');
is(asked('/token'), $tokens + 2, 'which was spent');
is(join('', grep { /canary-(key|secret|refresh|access)/ } split /^/, slurp_file($node->logfile)), '', 'no secret in the log of all that');

# Without preloading, and without a worker.
my $plain = databite_node('plain', preload => 0, conf => 'max_worker_processes = 0');
$plain->safe_psql('postgres', "CREATE EXTENSION databite; SELECT databite.set_token(name, pg_read_file('$dir/' || name || '.value')) FROM unnest(ARRAY['secret', 'refresh']) AS name");
control('_refresh?canary-refresh-new');
schedule_job($plain, 'postgres', {
	id => 'plain', source => { type => 'api', url => "http://127.0.0.1:$port/bearer", auth => { %oauth, grant => 'refresh_token', refreshToken => '{{tokens.refresh}}' } },
	destination => { type => 'database', table => 't', schema => { id => 'integer' }, key => 'id' } });
$tokens = asked('/token');
my $result = execute_job($plain, 'postgres', 'plain');
is($result->{error}{code}, '53400', 'no worker can keep it');
like($result->{error}{hint}, qr/max_worker_processes/, 'which is told');
is(asked('/token'), $tokens, 'and it is not spent');
$plain->append_conf('postgresql.conf', 'max_worker_processes = 8');
$plain->restart;
for my $time (1 .. 2)
{
	is(execute_job($plain, 'postgres', 'plain')->{status}, 'completed', 'with a worker it works');
	$plain->safe_psql('postgres', 'DELETE FROM databite.access_token');
}
is(asked('/token'), $tokens + 2, 'and again with the new one');
$plain->stop;

$other_server->kill_kill(grace => 1);
$server->kill_kill(grace => 1);
$tls_server->kill_kill(grace => 1);
$node->stop;
done_testing();
