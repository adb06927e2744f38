# While a server is silent: cancel, terminate, DROP DATABASE, DROP EXTENSION and
# shutdown act within a second.  The bound is checked against a server that
# would be silent for the 30 s of the request's timeout.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;
use Time::HiRes qw(time);

my $api = SampleApi->start;
my $node = databite_node('main');
my $url = $api->url('/users?fault=silent');

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql); }

sub begin_silent_run
{
	my ($db) = @_;

	$api->clear_requests;
	sql(qq(SELECT databite.schedule_job('{"id": "silent", "source": {"type": "api", "url": "$url"},
		"destination": {"type": "database", "table": "t", "schema": {"id": "integer"}}}')), $db);
	my $run = sql(q(SELECT databite.enqueue_job('silent')), $db);
	# The request is out: from here on nothing but an interrupt ends the wait.
	$api->wait_for_request('/users');
	wait_for_sql($node, $db, "SELECT status = 'running' FROM databite.runs WHERE run_id = $run");
	return $run;
}

sub within
{
	my ($what, $code) = @_;
	my $start = time;
	$code->();
	my $took = time - $start;
	cmp_ok($took, '<', 10, "$what acts long before the request would time out");
	note(sprintf('%s took %.3f s', $what, $took));
}

$node->safe_psql('postgres', 'CREATE EXTENSION databite');

my $run = begin_silent_run('postgres');
within('cancel_job', sub {
	sql(q(SELECT databite.cancel_job('silent')));
	ok($node->poll_query_until('postgres', "SELECT status = 'cancelled' FROM databite.runs WHERE run_id = $run"), 'cancelled');
});

$run = begin_silent_run('postgres');
within('pg_cancel_backend', sub {
	sql('SELECT pg_cancel_backend(pid) FROM databite.progress');
	ok($node->poll_query_until('postgres', "SELECT status = 'cancelled' FROM databite.runs WHERE run_id = $run"), 'cancelled');
});

$run = begin_silent_run('postgres');
within('pg_terminate_backend', sub {
	sql('SELECT pg_terminate_backend(pid) FROM databite.progress');
	ok($node->poll_query_until('postgres', "SELECT status = 'crashed' FROM databite.runs WHERE run_id = $run"), 'crashed');
});
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.progress WHERE run_id > $run"), 'and goes on in another run');
sql(q(SELECT databite.cancel_job('silent')));
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM databite.progress');

begin_silent_run('postgres');
my $runners = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite runner'";
is(sql($runners), '1', 'the worker is there');
within('DROP EXTENSION', sub {
	sql('DROP EXTENSION databite CASCADE');
	ok($node->poll_query_until('postgres', $runners, '0'), 'the worker left');
});

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION databite');
begin_silent_run('other');
within('DROP DATABASE', sub { sql('DROP DATABASE other'); });

$node->safe_psql('postgres', 'CREATE EXTENSION databite');
begin_silent_run('postgres');
within('a fast shutdown', sub { $node->stop('fast'); });

$node->start;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.runs WHERE status = 'crashed'"),
	'after a restart the run is found');

# A session: statement_timeout ends execute_job and CALL.
for my $call (q(SELECT databite.execute_job('silent')), q(CALL databite.run_job('silent')))
{
	$node->poll_query_until('postgres', 'SELECT databite.cancel_job($$silent$$) IS NOT NULL');
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM databite.runs WHERE status IN ('queued', 'running')");
	within($call, sub {
		my (undef, undef, $err) = $node->psql('postgres', "SET statement_timeout = '300ms'; $call");
		like($err, qr/statement timeout/, 'statement_timeout is obeyed');
	});
}

# While bad items are looked for.  The statement without items, which tells whether they are to blame, is the first that reaches
# the trigger's end: the others fail before.
sql(q(CREATE TABLE slow (id integer CHECK (id <> 3));
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN NULL; END$$;
	CREATE TRIGGER wait AFTER INSERT ON slow EXECUTE FUNCTION wait();
	SELECT databite.schedule_job('{"id": "slow", "source": {"type": "inline", "items": [{"id": 1}, {"id": 3}]},
		"destination": {"type": "database", "table": "slow", "mode": "insert", "onError": "log_and_continue"}}')));
$run = sql(q(SELECT databite.enqueue_job('slow')));
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'databite runner' AND wait_event = 'PgSleep'));
sql(q(SELECT databite.cancel_job('slow')));
wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
is(sql("SELECT status FROM databite.runs WHERE run_id = $run"), 'cancelled', 'a run that looks for bad items is cancelled, and not failed for one');

# A cancel that comes while a batch is committed is heard in the next line of the log: the batch is in the table, and is counted.
sql(q(
	CREATE TABLE late (id bigint PRIMARY KEY, CHECK (id % 10 <> 3));
	CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN RETURN (CASE WHEN pg_cancel_backend(pg_backend_pid()) THEN NULL END); END';
	CREATE CONSTRAINT TRIGGER cancel AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 25) EXECUTE FUNCTION cancel();
	SELECT databite.schedule_job(jsonb_build_object('id', 'late',
		'source', jsonb_build_object('type', 'inline', 'items', (SELECT jsonb_agg(jsonb_build_object('id', i)) FROM generate_series(1, 100) AS i)),
		'destination', '{"type": "database", "table": "late", "key": "id", "batchSize": 10, "onError": "log_and_continue"}'::jsonb))));
my ($status, undef, $error) = $node->psql('postgres', q(CALL databite.run_job('late')));
is($status, 3, 'a statement is cancelled as it commits a batch');
like($error, qr/canceling statement due to user request/, 'and says so');
is(sql('SELECT count(*), max(id) FROM late'), '27|30', 'the batch is in the table');
is(sql(q(SELECT status, records_processed, records_inserted, records_rejected FROM databite.runs WHERE job_id = 'late')), 'cancelled|30|27|3', 'and counted');

# In the commit that completes the run it comes too late.
sql(q(SELECT databite.schedule_job(jsonb_set(definition, '{destination,batchSize}', '1000')) FROM databite.jobs WHERE job_id = 'late';
	DROP TRIGGER cancel ON late; CREATE CONSTRAINT TRIGGER cancel AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.id = 95) EXECUTE FUNCTION cancel()));
($status, undef, $error) = $node->psql('postgres', q(CALL databite.run_job('late')));
is($status, 0, 'a statement that is cancelled as it completes a run has done so');
$run = sql(q(SELECT status, records_processed, records_inserted, records_unchanged, records_rejected FROM databite.runs WHERE job_id = 'late' ORDER BY run_id DESC LIMIT 1));
is($run, 'completed|100|63|27|10', 'and history says so');
sql(q(TRUNCATE late));
$run = enqueue_and_wait($node, 'postgres', 'late');
is("$run->{status} $run->{records_inserted}", 'completed 90', 'so in the worker');

$node->stop;
$api->stop;
done_testing();
