# What a webhook brings becomes rows by runs of the worker: few for many, each delivery once, in its order.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use HTTP::Tiny;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_cluster('main', 1, "databite.webhook_listen = '127.0.0.1:$port'", 'restart_after_crash = on');
my $http = HTTP::Tiny->new(timeout => 60);

sub sql { return $node->safe_psql('postgres', shift); }

sub post
{
	my ($body, %headers) = @_;

	return $http->post("http://127.0.0.1:$port/hook", { headers => { %headers, 'X-Sign' => hmac_sha256_hex($body, 's') }, content => $body })->{status};
}

# A server that comes back after a crash refuses connections for a moment.
sub post_until_taken
{
	my ($body) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $status = post($body, 'X-Id' => $body);
		return if $status == 200;
		select(undef, undef, undef, 0.1);
	}
	die "nobody took $body";
}

sub wait_for
{
	my ($query, $what) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($status, $answer) = $node->psql('postgres', $query);
		if (defined $status && $status == 0 && $answer eq 't')
		{
			pass($what);
			return;
		}
		select(undef, undef, undef, 0.1);
	}
	fail("$what: " . $node->safe_psql('postgres', 'SELECT status, count(*) FROM databite.run GROUP BY 1'));
	return;
}

sql('CREATE EXTENSION databite');
sql('CREATE TABLE hook (id bigint, version int)');
sql(q(SELECT databite.schedule_job('{"id": "hook",
	"trigger": {"type": "webhook", "endpoint": "/hook", "secret": "s", "signature": {"header": "X-Sign", "idHeader": "X-Id"}},
	"source": {"type": "webhook_data"},
	"destination": {"type": "database", "table": "hook", "mode": "insert", "batchSize": 10}}')));
wait_for_worker($node, 'listener');

post_until_taken('{"id": 1, "version": 1}');
wait_for('SELECT count(*) = 1 FROM hook', 'a delivery becomes a row');
wait_for(q(SELECT bool_and(status = 'completed') FROM databite.runs WHERE trigger = 'webhook'), 'by a run that says so');

# Nothing happens while the job is paused; then all of it, by one run.
sql(q(SELECT databite.pause_job('hook')));
my $runs = sql('SELECT count(*) FROM databite.runs');
is(scalar(grep { post(qq({"id": $_, "version": 1})) == 200 } 2 .. 101), 100, 'deliveries for a paused job are taken');
is(sql('SELECT (SELECT count(*) FROM databite.runs), (SELECT count(*) FROM hook)'), "$runs|1", 'and wait');
sql(q(SELECT databite.resume_job('hook')));
wait_for('SELECT count(*) = 101 FROM hook', 'until it is resumed');
is(sql('SELECT count(*) FROM databite.runs') - $runs, 1, 'a hundred are one run');
is(sql('SELECT count(*) FROM databite.delivery'), 0, 'what is written is kept no longer');

# The order in which they came; one run after another.
sql(q(CREATE TABLE latest (id bigint PRIMARY KEY, version int);
	SELECT databite.schedule_job(jsonb_set(jsonb_set(definition, '{destination,table}', '"latest"'), '{destination,mode}', '"upsert"')) FROM databite.job));
is(scalar(grep { post(sprintf '{"id": %d, "version": %d}', $_ % 7, $_) == 200 } 1 .. 210), 210, 'versions of seven rows');
wait_for('SELECT count(*) = 0 FROM databite.delivery', 'all are written');
wait_for('SELECT count(*) = 7 AND min(version) = 204 AND max(version) = 210 FROM latest', 'and the last of each is there');

# Whatever is killed, each is there once.
sql(q(SELECT databite.schedule_job(jsonb_set(jsonb_set(definition, '{destination,table}', '"hook"'), '{destination,mode}', '"insert"')) FROM databite.job;
	TRUNCATE hook;
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';
	CREATE TRIGGER slow BEFORE INSERT ON hook FOR EACH ROW EXECUTE FUNCTION slow()));
for my $id (1 .. 150)
{
	post_until_taken(qq({"id": $id, "version": 9}));
	next if $id % 50;
	my $victim = $id == 150 ? 'listener' : 'runner';
	my $pid = sql("SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'databite $victim'");
	kill 'KILL', $pid if $pid;
}
wait_for('SELECT count(*) = 150 AND count(DISTINCT id) = 150 FROM hook', 'a hundred and fifty rows');
wait_for('SELECT count(*) = 0 FROM databite.delivery', 'and nothing is left');
is(sql('SELECT count(*), count(DISTINCT id) FROM hook'), '150|150', 'each is there once');

# A job that reads no deliveries runs once for each, in their order, with what it brought; while it is paused, they wait.
sql(q(CREATE TABLE seen (n serial, name text);
	SELECT databite.schedule_job('{"id": "each", "trigger": {"type": "webhook", "endpoint": "/each"},
		"source": {"type": "sql", "query": "SELECT {{payload.name}} || ''!'' AS name"},
		"destination": {"type": "database", "table": "seen", "mode": "insert"}}')));
my $post_each = sub { $http->post("http://127.0.0.1:$port/each", { content => qq({"name": "$_[0]"}) })->{status} };
is(join(' ', map { $post_each->($_) } 'a' .. 'd'), '200 200 200 200', 'deliveries for a job that makes its items itself');
wait_for(q(SELECT count(*) = 4 FROM seen), 'have it run');
is(sql(q(SELECT string_agg(name, ' ' ORDER BY n) FROM seen)), 'a! b! c! d!', 'in their order');
is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'each' AND status = 'completed' AND trigger = 'webhook')), 4, 'once for each');
sql(q(SELECT databite.pause_job('each')));
is($post_each->('e') . $post_each->('f'), '200200', 'deliveries while it is paused');
is(sql(q(SELECT databite.enqueue_job('each', '{"name": "by hand"}') > 0)), 't', 'one by hand');
wait_for(q(SELECT count(*) = 5 FROM seen), 'runs');
is(sql(q(SELECT string_agg(status || ' ' || trigger, ', ' ORDER BY run_id) FROM databite.runs WHERE job_id = 'each' AND run_id > (SELECT max(run_id) - 3 FROM databite.runs))),
	'queued webhook, queued webhook, completed enqueue', 'the others wait');
sql(q(SELECT databite.resume_job('each')));
wait_for(q(SELECT count(*) = 7 FROM seen), 'until it is resumed');
is(sql(q(SELECT string_agg(name, ' ' ORDER BY n) FROM seen WHERE n > 4)), 'by hand! e! f!', 'and then run');

$node->stop;
done_testing();
