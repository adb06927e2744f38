# Hooks: called as the owner, outside the transactions of the data, once; harming nothing. And NOTIFY for every end of a run.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Utils;
use SampleApi qw(wait_for_sql kill_runner);
use Test::More;
use WorkerTest;

my $node = new_cluster('main', 1, 'databite.hook_timeout = 500', 'restart_after_crash = on');
my $silent = silent_server();
sub sql { return $node->safe_psql('postgres', shift); }

# A job of inline items; those that are no number have it fail.
sub job
{
	my ($id, $items, %more) = @_;

	return sql('SELECT databite.schedule_job($j$' . encode_json({
		id => $id, source => { type => 'inline', items => $items },
		destination => { type => 'database', table => 'rows', schema => { id => 'integer' }, mode => 'insert' },
		hooks => { onJobStart => 'on_start', onJobComplete => 'on_complete', onJobError => 'on_error' }, %more }) . '$j$)');
}

sub enqueue
{
	my ($id, $status) = @_;

	sql("SELECT databite.enqueue_job('$id')");
	return wait_for_run($node, 'postgres', $id, $status);
}

# What the hooks have heard of a job.
sub heard
{
	my ($id, $columns) = @_;

	return sql("SELECT $columns FROM heard WHERE job_id = '$id' ORDER BY n");
}

sub heard_is
{
	my ($id, $count) = @_;

	return wait_for_sql($node, 'postgres', "SELECT count(*) = $count FROM heard WHERE job_id = '$id'");
}

sub notices
{
	my ($run) = @_;

	return sql("SELECT array_to_string(notices, E'\\n') FROM databite.runs WHERE run_id = $run");
}

sql(q(CREATE EXTENSION databite;
	CREATE ROLE maker LOGIN; GRANT USAGE ON SCHEMA databite TO maker; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO maker;
	GRANT CREATE ON SCHEMA public TO maker;
	CREATE TABLE rows (id integer);
	CREATE TABLE heard (n serial, hook text, job_id text, detail jsonb, who name DEFAULT current_user,
		transaction xid8 DEFAULT pg_current_xact_id(), path text DEFAULT current_setting('search_path'), seen bigint);
	CREATE FUNCTION on_start(text, jsonb) RETURNS void LANGUAGE sql AS $$INSERT INTO heard (hook, job_id, detail) VALUES ('start', $1, $2)$$;
	CREATE FUNCTION on_complete(text, jsonb) RETURNS void LANGUAGE sql AS $$INSERT INTO heard (hook, job_id, detail) VALUES ('complete', $1, $2)$$;
	CREATE FUNCTION on_error(text, jsonb) RETURNS void LANGUAGE sql AS $$INSERT INTO heard (hook, job_id, detail) VALUES ('error', $1, $2)$$));
sql('CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.seen := (SELECT count(*) FROM rows); RETURN NEW; END$$;
	CREATE TRIGGER see BEFORE INSERT ON heard FOR EACH ROW EXECUTE FUNCTION see()');
my $listener = $node->background_psql('postgres', on_error_stop => 1);
$listener->query_safe('LISTEN databite_run');

# What has come by NOTIFY since the last time: job_id status.
sub notified
{
	my $out = $listener->query_safe('SELECT 1');

	return map { decode_json($_) } $out =~ /notification "databite_run" with payload "(.*)" received/g;
}

subtest 'a worker' => sub
{
	job('good', [ { id => 1 }, { id => 2 } ]);
	my $run = enqueue('good', 'completed');
	heard_is('good', 2);
	is(heard('good', 'hook, who, seen'), "start|postgres|0\ncomplete|postgres|2", 'before the first item, and when all is committed');
	is(sql(q(SELECT count(DISTINCT transaction) FROM heard)), '2', 'each in a transaction of its own');
	is(heard('good', q(detail ->> 'run_id', detail ->> 'status', detail ->> 'trigger', detail ->> 'records_inserted', detail ? 'duration_ms', detail ? 'error')),
		"$run|running|enqueue|0|f|f\n$run|completed|enqueue|2|t|f", 'with the run');
	is_deeply([ map { "$_->{run_id} $_->{job_id} $_->{status} $_->{records_inserted}" } notified() ], ["$run good completed 2"], 'and one notification');

	job('bad', [ { id => 'none' } ]);
	$run = enqueue('bad', 'failed');
	heard_is('bad', 2);
	is(heard('bad', q(hook, detail ->> 'status', detail #>> '{error,code}', detail #>> '{error,column}')), "start|running||\nerror|failed|22P02|id", 'of a failure the error');
	is_deeply([ map { "$_->{run_id} $_->{status} $_->{error_code}" } notified() ], ["$run failed 22P02"], 'whose code is in the notification, too');
};

subtest 'a run that is tried again' => sub
{
	job('again', [ { id => 'none' } ], errorHandling => { strategy => 'retry_with_backoff', maxRetries => 1, retryDelay => 1 });
	enqueue('again', 'failed');
	heard_is('again', 4);
	is(heard('again', q(hook, detail ? 'resumes', detail ? 'retry_at')), "start|f|f\nerror|f|t\nstart|t|f\nerror|t|f", 'each try has its hooks, and onJobError knows when the next one comes');
	is(scalar(notified()), 2, 'and its notification');
};

subtest 'as the owner' => sub
{
	sql('GRANT INSERT ON heard TO maker; GRANT USAGE ON SEQUENCE heard_n_seq TO maker; GRANT INSERT, SELECT ON rows TO maker;
		CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO maker;
		CREATE FUNCTION app.done(text, jsonb) RETURNS void LANGUAGE sql AS $$INSERT INTO public.heard (hook, job_id, detail) VALUES (\'app\', $1, $2)$$');
	$node->safe_psql('postgres', q(SET ROLE maker; SET search_path = app, public; SELECT databite.schedule_job('{"id": "made",
		"source": {"type": "inline", "items": [{"id": 3}]}, "destination": {"type": "database", "table": "rows", "schema": {"id": "integer"}, "mode": "insert"},
		"hooks": {"onJobComplete": "done"}}')));
	enqueue('made', 'completed');
	heard_is('made', 1);
	is(heard('made', 'hook, who, path'), 'app|maker|app, public', 'in a worker, with the search_path of the job');
	$node->safe_psql('postgres', q(CALL databite.run_job('made')));
	is(heard('made', 'hook, who, path'), "app|maker|app, public\napp|maker|app, public", 'and where a superuser calls it');
};

subtest 'sessions' => sub
{
	$node->safe_psql('postgres', q(CALL databite.run_job('good')));
	is(heard('good', 'hook'), "start\ncomplete\nstart\ncomplete", 'CALL run_job');
	my ($code, $out, $err) = $node->psql('postgres', q(CALL databite.run_job('bad')));
	like($err, qr/invalid input syntax/, 'its failure is an error');
	is(heard('bad', 'hook'), "start\nerror\nstart\nerror", 'and heard');
	notified();
	sql(q(BEGIN; SELECT databite.execute_job('good'); ROLLBACK));
	is(heard('good', 'hook'), "start\ncomplete\nstart\ncomplete", 'execute_job belongs to the transaction of its caller');
	is(scalar(notified()), 0, 'as does its notification');
	sql(q(SELECT databite.execute_job('bad')));
	is(heard('bad', 'hook'), "start\nerror\nstart\nerror\nerror", 'what onJobStart did is undone with what it did');
	sql(q(SELECT databite.execute_job('good', dry_run => true)));
	is(sql(q(SELECT count(*) FROM heard WHERE job_id = 'good')), '4', 'a dry run calls nobody');
	notified();
};

subtest 'hooks that fail' => sub
{
	sql(q(CREATE FUNCTION fails(text, jsonb) RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO heard (hook, job_id) VALUES ('fails', $1); RAISE 'no luck'; END$$;
		CREATE FUNCTION hangs(text, jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(1000)';
		CREATE FUNCTION goes(text, jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
		CREATE TABLE once (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
		CREATE FUNCTION late(text, jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO once VALUES (1), (1)'));
	my $offset = -s $node->logfile;
	job('unlucky', [ { id => 4 } ], hooks => { onJobStart => 'fails', onJobComplete => 'late' });
	my $run = enqueue('unlucky', 'completed');
	wait_for_sql($node, 'postgres', "SELECT cardinality(notices) = 2 FROM databite.runs WHERE run_id = $run");
	like(notices($run), qr/^hook "onJobStart" failed: no luck\nhook "onJobComplete" failed: duplicate key/, 'history says it, of the commit too');
	is(heard('unlucky', 'hook'), '', 'what they did is undone');
	is(sql('SELECT count(*) FROM rows WHERE id = 4'), '1', 'what the run did is not');
	$node->wait_for_log(qr/WARNING: .*hook "onJobStart" of job "unlucky" failed: no luck/, $offset);
	like(slurp_file($node->logfile, $offset), qr/CONTEXT: .*\n.*\n\tjob "unlucky", hook "onJobStart" of run $run, function fails\n[^\t]/, 'and the log where');

	job('gone', [ { id => 5 } ], hooks => { onJobStart => 'goes', onJobComplete => 'hangs' });
	sql('DROP FUNCTION goes');
	$run = enqueue('gone', 'completed');
	wait_for_sql($node, 'postgres', "SELECT cardinality(notices) = 2 FROM databite.runs WHERE run_id = $run");
	like(notices($run), qr/^hook "onJobStart" failed: function goes\(text, jsonb\) does not exist\nhook "onJobComplete" failed: it took longer than databite.hook_timeout \(500 ms\)$/,
		'one that is not there any more, and one that hangs');
	my ($code, $out, $err) = $node->psql('postgres', q(SET statement_timeout = '100s'; CALL databite.run_job('gone'); SHOW statement_timeout));
	is("$code $out", '0 100s', 'a CALL goes on after it');
	like($err, qr/WARNING: .*hook "onJobComplete" of job "gone" failed: it took longer/, 'and warns');
	($code, $out, $err) = $node->psql('postgres', q(SET databite.hook_timeout = '100s'; SET statement_timeout = '400ms'; CALL databite.run_job('gone')));
	like($err, qr/statement timeout/, 'whose own time holds');
	is(sql(q(SELECT status FROM databite.runs WHERE job_id = 'gone' ORDER BY run_id DESC LIMIT 1)), 'completed', 'the run was complete');

	($code, $out, $err) = $node->psql('postgres', q(SELECT databite.schedule_job('{"id": "wrong", "source": {"type": "inline", "items": []},
		"destination": {"type": "database", "table": "rows", "schema": {"id": "integer"}}, "hooks": {"onJobError": "nobody"}}')), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  42883: function nobody\(text, jsonb\) does not exist\nDETAIL:  .*\/hooks\/onJobError/, 'a function that does not exist cannot be scheduled');
	notified();
};

subtest 'a cancel while a hook runs' => sub
{
	my $port = $silent->sockport;

	$node->append_conf('postgresql.conf', "databite.hook_timeout = '300s'");
	$node->reload;
	job('held', [ { id => 6 } ], hooks => { onJobStart => 'hangs', onJobError => 'on_error' });
	my $run = sql(q(SELECT databite.enqueue_job('held')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'databite runner' AND wait_event = 'PgSleep'));
	sql(q(SELECT databite.cancel_job('held')));
	wait_for_run($node, 'postgres', 'held', 'cancelled');
	heard_is('held', 1);
	is(heard('held', q(hook, detail ->> 'status')), 'error|cancelled', 'cancels the run, which onJobError hears');
	is_deeply([ map { "$_->{run_id} $_->{status}" } notified() ], ["$run cancelled"], 'and who listens');
	$node->append_conf('postgresql.conf', "databite.hook_timeout = 500");
	$node->reload;
};

subtest 'runs that nobody could end' => sub
{
	my $port = $silent->sockport;

	job('killed', [], source => { type => 'api', url => "http://127.0.0.1:$port/", timeout => '300s', retry => { attempts => 1 } });
	sql(q(SELECT databite.enqueue_job('killed')));
	heard_is('killed', 1);
	my $first = heard('killed', q(detail ->> 'run_id'));
	my $pid = worker_pid($node, 'runner');
	kill('KILL', $pid);
	$node->poll_query_until('postgres', q(SELECT count(*) = 3 FROM heard WHERE job_id = 'killed')) or die 'nobody took it up';
	my $second = sql(q(SELECT max(run_id) FROM databite.runs WHERE job_id = 'killed'));
	is(heard('killed', q(hook, detail ->> 'run_id', detail ->> 'status')), "start|$first|running\nerror|$first|crashed\nstart|$second|running",
		'the run that takes it up calls onJobError for the one that crashed');
	sql(q(SELECT databite.cancel_job('killed')));
	wait_for_run($node, 'postgres', 'killed', 'cancelled');
	$listener->quit;
	$listener = $node->background_psql('postgres', on_error_stop => 1);
	$listener->query_safe('LISTEN databite_run; LISTEN databite_failure');

	sql('ALTER ROLE maker NOLOGIN; TRUNCATE heard');
	$node->safe_psql('postgres', q(SET ROLE maker; SET search_path = app, public; SELECT databite.schedule_job('{"id": "locked",
		"source": {"type": "inline", "items": [{"id": 3}]}, "destination": {"type": "database", "table": "rows", "schema": {"id": "integer"}, "mode": "insert"},
		"errorHandling": {"onFailure": "notify_admin"}, "hooks": {"onJobError": "done"}}')));
	my $run = enqueue('locked', 'failed');
	my $out = $listener->query_safe('SELECT 1');
	my ($said) = $out =~ /notification "databite_failure" with payload "(.*)" received/;
	is(decode_json($said)->{error}{code}, '28000', 'the administrator hears of a run whose owner may not log in');
	like($out, qr/"databite_run" with payload "(?=.*"run_id": $run)(?=.*"status": "failed")/, 'and who listens');
	is(heard('locked', 'hook'), '', 'the hook is not called');
	sql('ALTER ROLE maker LOGIN');
	enqueue('locked', 'completed');
	is(heard('locked', q(hook, who, detail ->> 'run_id', detail #>> '{error,code}')), "app|maker|$run|28000", 'before the next run can');
};

subtest 'defaults' => sub
{
	sql('TRUNCATE heard');
	sql(q(SELECT databite.configure('{"hooks": {"onJobComplete": "on_complete", "onJobError": "on_error"}}')));
	job('plain', [ { id => 7 } ], hooks => { onJobError => 'on_start' });
	enqueue('plain', 'completed');
	heard_is('plain', 1);
	is(heard('plain', 'hook'), 'complete', 'a job has those of the database');
	job('plain', [ { id => 'none' } ], hooks => { onJobError => 'on_start' });
	enqueue('plain', 'failed');
	heard_is('plain', 2);
	is(heard('plain', 'hook'), "complete\nstart", 'but where it names its own');
	my ($code, $out, $err) = $node->psql('postgres', q(SELECT databite.configure('{"hooks": {"onJobStart": "nobody"}}')));
	like($err, qr/function nobody\(text, jsonb\) does not exist/, 'they are checked');
};

$listener->quit;
$node->stop;
done_testing();
