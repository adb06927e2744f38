# Who asks: every kind of credentials, tokens that are got, kept, renewed and replaced, and none of it is seen.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json);
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
my ($tls_server, $tls_port) = start_server('tls', "$dir/server.pem", "$dir/server.key", "$dir/ca.pem");

my $node = databite_node('main', conf => <<'CONF');
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
for my $name (keys %secret)
{
	append_to_file("$dir/$name.value", $secret{$name});
	chmod 0644, "$dir/$name.value";
	sql("SELECT databite.set_token('$name', pg_read_file('$dir/$name.value'))");
}

my %oauth = (type => 'oauth2', tokenUrl => "http://127.0.0.1:$port/token", clientId => 'client', clientSecret => '{{tokens.secret}}');

sub schedule
{
	my ($id, $path, $auth, %source) = @_;
	return schedule_job($node, 'postgres', {
		id => $id,
		source => { type => 'api', url => "http://127.0.0.1:$port$path", retry => { attempts => 1 }, $auth ? (auth => $auth) : (), %source },
		destination => { type => 'database', table => "t_$id", schema => { id => 'integer' }, key => 'id' } });
}

sub asked { return scalar grep { $_->{path} eq $_[0] } @{ decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$port/_requests")->{content}) }; }

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
like(sql(q(SELECT status, error ->> 'message' FROM databite.execute_job('refresh1'))), qr/failed\|a refresh token cannot be spent/,
	'not in a transaction that may be rolled back');
is(asked('/token'), $tokens, 'and it was not');
my @runs = map { sql("SELECT databite.enqueue_job('refresh$_')") } 1 .. 2;
wait_for_runs($node, 'postgres', "refresh$_", 1) for 1 .. 2;
is(asked('/token'), $tokens + 1, 'two workers at once spend it once');
is(execute_job($node, 'postgres', 'refresh1')->{status}, 'completed', 'the access token serves execute_job too');

# Before it expires, by the margin.
HTTP::Tiny->new->get("http://127.0.0.1:$port/_lifetime?100000");
sql('DELETE FROM databite.access_token');
is(enqueue_and_wait($node, 'postgres', 'refresh1')->{status}, 'completed', 'the new refresh token is the one that is spent next');
is(enqueue_and_wait($node, 'postgres', 'refresh1')->{status}, 'completed', 'and the access token is kept');
is(asked('/token'), $tokens + 2, 'as long as it lives');
sql("UPDATE databite.access_token SET obtained_at = now() - interval '1 hour', expires_at = now() + interval '30 seconds'");
my (undef, undef, $error) = $node->psql('postgres', q(CALL databite.run_job('refresh1')));
is($error, '', 'a token that ends within the margin is replaced');
is(asked('/token'), $tokens + 3, 'before it ends');

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

$server->kill_kill(grace => 1);
$tls_server->kill_kill(grace => 1);
$node->stop;
done_testing();
