# CALL databite.run_due_jobs(): one pass in a session, where there is neither a scheduler nor a worker.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use IO::Socket::INET;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use WorkerTest qw(quick_job slow_job silent_server wait_for_run);

my $server = silent_server();
my $node = databite_node('plain', preload => 0, conf => 'max_worker_processes = 8');
my $hourly = '{"type": "interval", "hours": 1}';
my $pass = 'CALL databite.run_due_jobs()';

sub sql { return $node->safe_psql('postgres', @_); }

sub schedule
{
	my ($job, $role) = @_;
	return sql(($role ? "SET SESSION AUTHORIZATION $role; " : '') . "SELECT databite.schedule_job($job)");
}

sub make_due
{
	my ($which) = @_;
	sql("UPDATE databite.job SET next_run_at = now() - interval '1 minute' WHERE job_id IN ($which)");
}

# The statuses of a job's runs, oldest first.
sub runs_of
{
	my ($job) = @_;
	return sql("SELECT coalesce(string_agg(status || ' ' || trigger, ', ' ORDER BY run_id), '') FROM databite.run WHERE job_id = '$job'");
}

# Forgets the jobs and their history.
sub forget { sql('SELECT databite.unschedule_job(job_id) FROM databite.job; DELETE FROM databite.run'); }

sub begin_pass
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query('SELECT pg_backend_pid()');
	$session->query_until(qr/begun/, "\\echo begun\n$pass;\n");
	return ($session, $pid);
}

sub locks { return sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"); }

sql('CREATE EXTENSION databite');

subtest 'what is due runs, whatever becomes of another' => sub
{
	my $sql_job = '{"id": "failing", "schedule": ' . $hourly . ', "source": {"type": "sql", "query": "SELECT 1 / 0 AS id"},'
	  . ' "destination": {"type": "database", "table": "rows_of_failing", "schema": {"id": "integer"}}}';
	schedule(quick_job('a', $hourly));
	schedule("'$sql_job'");
	schedule(quick_job('z', $hourly));
	schedule(quick_job('later', $hourly));
	make_due(q('a', 'failing', 'z'));
	my ($status, $out, $err) = $node->psql('postgres', $pass);
	is("$status$out$err", 0, 'the pass says nothing');
	is(runs_of('a'), 'completed schedule', 'the first has run');
	is(runs_of('failing'), 'failed schedule', 'the second failed');
	is(runs_of('z'), 'completed schedule', 'the third has run');
	is(runs_of('later'), '', 'what is not due has not');
	is(sql('SELECT count(*) FROM rows_of_a'), 1, 'rows are there');
	is(sql('SELECT bool_and(next_run_at > now()) FROM databite.job'), 't', 'they are due again later');
	like(slurp_file($node->logfile), qr/run \d+ of job "failing" failed: division by zero/, 'the server log has the failure');
	sql($pass);
	is(sql('SELECT count(*) FROM databite.run'), 3, 'a second pass finds nothing');
	is(locks(), 0, 'no lock is left');
};

subtest 'a block' => sub
{
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; $pass");
	like($err, qr/2D000: databite.run_due_jobs cannot run inside a transaction block/, 'cannot commit');
};

subtest 'as the owners' => sub
{
	forget();
	sql('CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; GRANT ALL ON SCHEMA public TO alice, bob;
		GRANT USAGE ON SCHEMA databite TO alice, bob;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO alice, bob; GRANT EXECUTE ON PROCEDURE databite.run_due_jobs() TO alice');
	for my $role ('alice', 'bob')
	{
		schedule(qq('{"id": "of_$role", "schedule": $hourly, "source": {"type": "sql", "query": "SELECT current_user AS me"},
			"destination": {"type": "database", "table": "rows_of_$role", "schema": {"me": "text"}}}'), $role);
	}
	make_due(q('of_alice', 'of_bob'));
	sql("SET SESSION AUTHORIZATION alice; $pass");
	is(sql('SELECT me FROM rows_of_alice'), 'alice', 'a role runs its own jobs');
	is(runs_of('of_bob'), '', 'and no other');
	is(sql("SELECT next_run_at < now() FROM databite.job WHERE job_id = 'of_bob'"), 't', 'which stay due');
	my (undef, undef, $err) = $node->psql('postgres', "SET SESSION AUTHORIZATION bob; $pass");
	like($err, qr/permission denied for procedure run_due_jobs/, 'who was not granted it cannot');
	sql($pass);
	is(sql('SELECT me FROM rows_of_bob'), 'bob', 'a superuser runs all, as their owners');
	is(sql("SELECT relowner::regrole FROM pg_class WHERE relname = 'rows_of_bob'"), 'bob', 'to whom the table belongs');

	make_due(q('of_bob'));
	sql('ALTER ROLE bob NOLOGIN');
	sql($pass);
	like(sql("SELECT error->>'message' FROM databite.run WHERE job_id = 'of_bob' ORDER BY run_id DESC LIMIT 1"),
		qr/not permitted to log in/, 'who was shut out is shut out here');
};

subtest 'two at once, and a crash' => sub
{
	forget();
	schedule(slow_job('slow', $server->sockport, $hourly));
	make_due(q('slow'));
	my ($session, $pid) = begin_pass();
	wait_for_run($node, 'postgres', 'slow', 'running');
	is(sql("SELECT pid FROM databite.run WHERE job_id = 'slow'"), $pid, 'it runs in the session');
	schedule(quick_job('quick', $hourly));
	make_due(q('quick', 'slow'));
	sql($pass);
	is(runs_of('quick'), 'completed schedule', 'another pass runs what the first does not');
	is(runs_of('slow'), 'running schedule, skipped schedule', 'and nothing twice');

	sql("SELECT pg_terminate_backend($pid, 60000)");
	$session->{run}->finish;
	is(runs_of('slow'), 'running schedule, skipped schedule', 'a session that is gone leaves its run');
	sql(q(UPDATE databite.job SET definition = jsonb_set(definition, '{source}', '{"type": "inline", "items": [{"id": 1}]}')
		WHERE job_id = 'slow'));
	sql($pass);
	is(runs_of('slow'), 'crashed schedule, skipped schedule, completed resume', 'the next pass takes it up');
};

subtest 'many at once' => sub
{
	forget();
	sql(join ';', map { 'SELECT databite.schedule_job(' . quick_job("many_$_", $hourly) . ')' } 1 .. 30);
	sql(q(UPDATE databite.job SET next_run_at = now() - interval '1 minute'));
	my @sessions = map { (begin_pass())[0] } 1 .. 4;
	like($_->query("SELECT 'ended'"), qr/ended/, 'a pass ends') for @sessions;
	$_->quit for @sessions;
	sql($pass);
	is(sql('SELECT count(DISTINCT job_id), count(*), string_agg(DISTINCT status, $$ $$) FROM databite.run'), '30|30|completed', 'each job has run once');
	is(locks(), 0, 'no lock is left');
};

subtest 'cancelled' => sub
{
	forget();
	schedule(slow_job('slow', $server->sockport, $hourly));
	schedule(quick_job('z', $hourly));
	make_due(q('slow'));
	sql("UPDATE databite.job SET next_run_at = now() WHERE job_id = 'z'");
	my ($session, $pid) = begin_pass();
	wait_for_run($node, 'postgres', 'slow', 'running');
	sql("SELECT pg_cancel_backend($pid)");
	wait_for_run($node, 'postgres', 'slow', 'cancelled');
	like($session->query("SELECT 'alive'"), qr/alive/, 'the session lives on');
	is(runs_of('z'), 'queued schedule', 'no other run begins');
	is(locks(), 0, 'no lock is left');

	# The run alone.
	make_due(q('slow'));
	$session->query_until(qr/begun/, "\\echo begun\n$pass;\n");
	wait_for_run($node, 'postgres', 'z', 'completed');
	wait_for_run($node, 'postgres', 'slow', 'running');
	is(sql(q(SELECT databite.cancel_job('slow'))), 't', 'a run is cancelled');
	wait_for_run($node, 'postgres', 'slow', 'cancelled');
	$session->{stderr} = '';
	like($session->query("SELECT 'alive'"), qr/alive/, 'its pass goes on to its end');
	unlike($session->{stderr}, qr/ERROR/, 'without an error');
	is(locks(), 0, 'no lock is left');
	$session->quit;
};

subtest 'what follows a failure is queued' => sub
{
	forget();
	sql('CREATE TABLE divisor AS SELECT 0 AS n');
	schedule(qq('{"id": "tried", "schedule": $hourly,
		"source": {"type": "sql", "query": "SELECT 1 / n AS id FROM divisor"},
		"destination": {"type": "database", "table": "rows_of_tried", "schema": {"id": "integer"}},
		"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 2, "retryDelay": 1}}'));
	make_due(q('tried'));
	sql($pass);
	is(runs_of('tried'), 'failed schedule, queued retry', 'for a later pass');
	ok(wait_for_sql($node, 'postgres', "SELECT scheduled_for < now() FROM databite.run WHERE status = 'queued'"), 'when its time has come');
	sql('UPDATE divisor SET n = 1');
	sql($pass);
	is(runs_of('tried'), 'failed schedule, completed retry', 'that pass tries again');
};

subtest 'events and what was enqueued' => sub
{
	forget();
	schedule(q('{"id": "told", "trigger": {"type": "event", "event": "happened"}, "source": {"type": "inline", "items": [{"id": 1}]},
		"transform": {"n": "{{event.payload.n}}"},
		"destination": {"type": "database", "table": "told", "schema": {"n": "integer"}, "mode": "insert"}}'));
	sql(q(SELECT databite.emit_event('happened', NULL, jsonb_build_object('n', n)) FROM generate_series(1, 3) AS n));
	schedule(quick_job('asked'));
	sql(q(SELECT databite.enqueue_job('asked')));
	sql($pass);
	is(sql('SELECT string_agg(n::text, $$ $$ ORDER BY n) FROM told'), '1 2 3', 'a run for each event, in one pass');
	is(runs_of('asked'), 'completed enqueue', 'what somebody enqueued runs');

	sql(q(SELECT databite.schedule_job('{"id": "hooked",
		"trigger": {"type": "webhook", "endpoint": "/hooks/x", "secret": "{{secrets.hook}}", "signature": "github"},
		"source": {"type": "webhook_data"}, "transform": {"id": "{{payload.id}}"},
		"destination": {"type": "database", "table": "hooked", "schema": {"id": "integer"}}}')));
	sql(q(SELECT databite.set_token('hook', 'It''s a Secret to Everybody')));
	my $signature = hmac_sha256_hex('{"id": 7}', q(It's a Secret to Everybody));
	like(sql(qq(SELECT databite.receive_webhook('/hooks/x',
		'{"content-type": "application/json", "x-hub-signature-256": "sha256=$signature"}', '{"id": 7}'))), qr/"status": 20\d/, 'a delivery is taken');
	sql($pass);
	is(sql('SELECT id FROM hooked'), 7, 'and written by the next pass');
};

subtest 'failures told by webhooks' => sub
{
	my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 4, Timeout => $PostgreSQL::Test::Utils::timeout_default);
	my $url = 'http://127.0.0.1:' . $door->sockport . '/failures';
	schedule(qq('{"id": "failing", "schedule": $hourly, "source": {"type": "inline", "items": [{"id": "none"}]},
		"destination": {"type": "database", "table": "rows_of_told", "schema": {"id": "integer"}},
		"errorHandling": {"onFailure": {"type": "webhook", "url": "$url"}}}'));
	make_due(q('failing'));
	sql($pass);
	my $client = $door->accept;
	my $head = $client ? <$client> : '';
	like($head, qr{^POST /failures HTTP}, 'by a worker that the pass has started');
	if ($client)
	{
		my $length = 0;
		while (my $line = <$client>) { last if $line =~ /^\r?\n$/; $length = $1 if $line =~ /^content-length: (\d+)/i; }
		read($client, my $body, $length);
		print $client "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
		close($client);
	}
	ok(wait_for_sql($node, 'postgres', "SELECT status = 'sent' FROM databite.notifications WHERE job_id = 'failing'"), 'and that is recorded');
};

subtest 'what is old' => sub
{
	sql(q(UPDATE databite.run SET finished_at = now() - interval '31 days', queued_at = now() - interval '31 days'));
	my $old = sql(q(SELECT count(*) FROM databite.run WHERE job_id = 'told'));
	sql($pass);
	is("$old, " . sql(q(SELECT count(*) FROM databite.run WHERE job_id = 'told')), '3, 1', 'goes, but for the last run of a job');
};

subtest 'where it is not wanted' => sub
{
	sql("LOAD 'databite'; ALTER SYSTEM SET databite.max_workers = 0");
	$node->reload;
	like(($node->psql('postgres', $pass))[2], qr/NOTICE:  no job is run, as "databite.max_workers" is 0/, 'no worker, no run');
	sql("LOAD 'databite'; ALTER SYSTEM RESET databite.max_workers");
	$node->reload;
	sql('SELECT databite.start()');
	like(($node->psql('postgres', "SELECT databite.version(); SET client_min_messages = debug1; $pass"))[2],
		qr/the scheduler of this database runs the jobs/, 'it leaves where a scheduler lives');
	sql('SELECT databite.stop()');
};

$node->stop;
done_testing();
