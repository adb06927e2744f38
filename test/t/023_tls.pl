# TLS is always verified: against the operating system's authorities, or those of
# databite.ca_bundle, and by the host's name.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir_short();

# An authority of our own, and a certificate for 127.0.0.1 and no other name.
for my $command (
	[ qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj), '/CN=test authority', '-keyout', "$dir/ca.key", '-out', "$dir/ca.pem" ],
	[ qw(openssl req -newkey rsa:2048 -nodes -subj), '/CN=server', '-keyout', "$dir/server.key", '-out', "$dir/server.csr" ],
	[ qw(openssl x509 -req -days 2), '-in', "$dir/server.csr", '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key", '-CAcreateserial',
		'-extfile', "$dir/extensions", '-out', "$dir/server.pem" ])
{
	append_to_file("$dir/extensions", 'subjectAltName = IP:127.0.0.1') if !-e "$dir/extensions";
	my ($out, $err) = ('', '');
	IPC::Run::run($command, '>', \$out, '2>', \$err) or die "@$command: $err";
}

append_to_file("$dir/server.py", <<'PYTHON');
import http.server, os, ssl, sys

directory = sys.argv[1]

class Users(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'[{"id": 1, "name": "Ada"}]'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Users)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(directory + "/server.pem", directory + "/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(directory + "/port.new", "w") as file:
    file.write("%d\n" % server.server_port)
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
PYTHON
my ($in, $out) = ('', '');
my $server = IPC::Run::start([ 'python3', "$dir/server.py", $dir ], \$in, \$out, '2>&1');
wait_for_file("$dir/port", sub { $server->pumpable }) or die "the server did not start: $out";
chomp(my $port = slurp_file("$dir/port"));

my $node = databite_node('main', allowed_hosts => '127.0.0.1, localhost');
$node->safe_psql('postgres', 'CREATE EXTENSION databite');

sub run_of
{
	my ($host, $settings) = @_;
	schedule_job($node, 'postgres', {
		id => 'tls',
		source => { type => 'api', url => "https://$host:$port/users", retry => { attempts => 3, delay => 10 } },
		destination => { type => 'database', table => 'users', schema => { id => 'integer', name => 'text' } } });
	return $node->safe_psql('postgres',
		"$settings SELECT status, coalesce(error ->> 'code', ''), requests FROM databite.execute_job('tls')");
}

is(run_of('127.0.0.1', ''), 'failed|tls|1', 'an unknown authority is refused, and not asked again');
is(run_of('127.0.0.1', "SET databite.ca_bundle = '$dir/ca.pem';"), 'completed||1', 'an authority of databite.ca_bundle is trusted');
is(run_of('localhost', "SET databite.ca_bundle = '$dir/ca.pem';"), 'failed|tls|1', 'but for its own name only');
is($node->safe_psql('postgres', 'SELECT count(*) FROM users'), '1', 'the row came by the one good run');

$server->kill_kill(grace => 1);
$node->stop;
done_testing();
