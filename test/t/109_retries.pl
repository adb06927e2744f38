# Runs that are tried again: how long they wait, where they go on, and what happens to them meanwhile. Runs that take too long,
# in every way to write. Word to the administrator, in another session.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use WorkerTest qw(wait_for_run);

my $api = SampleApi->start;
my $node = databite_node('main');
sub sql { return $node->safe_psql('postgres', shift); }

sub history
{
	my ($job, $columns) = @_;
	return sql("SELECT $columns FROM databite.runs WHERE job_id = '$job' ORDER BY run_id");
}

sub schedule
{
	my ($id, $path, %more) = @_;
	my %source = (type => 'api', url => $api->url($path), retry => { attempts => 1 }, %{ delete $more{source} // {} });
	my %destination = (type => 'database', table => $id, schema => { id => 'integer', name => 'text' }, %{ delete $more{destination} // {} });
	return schedule_job($node, 'postgres', { id => $id, source => \%source, destination => \%destination, %more });
}

sub again { return (errorHandling => { strategy => 'retry_with_backoff', @_ }); }

# The retry that waits is to wait no longer.
sub hurry
{
	my ($job) = @_;
	sql("UPDATE databite.run SET scheduled_for = now() WHERE job_id = '$job' AND status = 'queued'");
	sql(q(SELECT databite.schedule_job(definition) FROM databite.jobs WHERE job_id = 'waker'));
	return;
}

sql('CREATE EXTENSION databite');
sql(q(SELECT databite.schedule_job('{"id": "waker", "enabled": false, "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "waker"}}')));
my %paging = (pagination => { type => 'offset', limit => 20 });

subtest 'how long they wait' => sub
{
	my $first = q(scheduled_for - queued_at BETWEEN '59 min 50 s' AND '60 min 10 s');
	my %longest = (fixed => 1, linear => 2, exponential => 2);
	for my $backoff (sort keys %longest)
	{
		schedule($backoff, '/users?fault=status:400', again(backoff => $backoff, retryDelay => '1h', maxRetries => 2));
		is(enqueue_and_wait($node, 'postgres', $backoff)->{status}, 'failed', "$backoff: a run fails");
		my $waits = "FROM databite.runs WHERE job_id = '$backoff' AND status = 'queued'";
		is(sql("SELECT count(*), bool_and(" . ($backoff eq 'exponential' ? q(scheduled_for - queued_at BETWEEN '-1 s' AND '60 min 10 s') : $first) . ") $waits"), '1|t', "$backoff: its first retry");
		hurry($backoff);
		wait_for_sql($node, 'postgres', "SELECT count(*) = 2 FROM databite.runs WHERE job_id = '$backoff' AND status = 'failed'");
		my $hours = $longest{$backoff};
		my $least = $backoff eq 'exponential' ? '-1 s' : "$hours h -10 s";
		is(sql("SELECT count(*), bool_and(scheduled_for - queued_at BETWEEN '$least' AND '$hours h 10 s') $waits"), '1|t', "$backoff: its second");
		hurry($backoff);
		wait_for_sql($node, 'postgres', "SELECT count(*) = 3 FROM databite.runs WHERE job_id = '$backoff' AND status = 'failed'");
		is(sql("SELECT count(*) $waits"), '0', "$backoff: there is no third");
		is(history($backoff, 'trigger, resumed'), "enqueue|0\nretry|1\nretry|2", "$backoff: history says how often");
	}
	schedule('none', '/users?fault=status:400', again(maxRetries => 0));
	is(enqueue_and_wait($node, 'postgres', 'none')->{status}, 'failed', 'maxRetries 0: it fails');
	is(history('none', 'status'), 'failed', 'and that is all');
};

subtest 'where they go on' => sub
{
	schedule('pages', '/users?size=100&fault=status:400:times=1:beyond=40', source => \%paging, destination => { key => 'id', batchSize => 20 },
		again(backoff => 'fixed', retryDelay => 1, maxRetries => 10), performance => { concurrency => 1 });
	$api->clear_requests;
	sql(q(SELECT databite.enqueue_job('pages')));
	wait_for_runs($node, 'postgres', 'pages', 1);
	my %asked;
	$asked{ $_->{query}{offset} // ($_->{target} =~ /offset=(\d+)/)[0] // 0 }++ for @{ $api->requests('/users') };
	# Each of the last three fails once; the one before it is asked for again where the batch ended with its last item, and its items are left out.
	is($asked{0}, 1, 'it does not begin anew');
	cmp_ok((sort { $b <=> $a } @asked{ 20, 40, 60, 80 })[0], '<=', 3, 'no page is asked for again but the one before that which failed');
	is(sql(q(SELECT sum(records_inserted), sum(records_unchanged) FROM databite.runs WHERE job_id = 'pages')), '100|0', 'nor written');
};

subtest 'what happens to them while they wait' => sub
{
	my @waits = again(backoff => 'fixed', retryDelay => '1h');
	for my $name (qw(paused replaced crashed))
	{
		schedule($name, "/users?size=20&who=$name&fault=status:400:times=1", @waits);
		is(enqueue_and_wait($node, 'postgres', $name)->{status}, 'failed', "$name: a run fails");
	}
	sql(q(SELECT databite.pause_job('paused')));
	is(history('paused', 'trigger, status'), "enqueue|failed\nretry|cancelled", 'pause_job cancels a retry');

	schedule('replaced', '/users?size=30', @waits);
	is(history('replaced', 'trigger, status'), "enqueue|failed\nretry|queued", 'another definition leaves it where it is');
	hurry('replaced');
	wait_for_runs($node, 'postgres', 'replaced', 1);
	is(sql('SELECT count(*) FROM replaced'), '30', 'and it does what that says, from the beginning');

	# In a session, too
	schedule('session', '/users?size=20&who=session&fault=status:400:times=1', @waits);
	my $call = $node->background_psql('postgres', on_error_stop => 0);
	$call->query_until(qr/begun/, "\\echo begun\nCALL databite.run_job('session');\n");
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'session' AND trigger = 'retry' AND status = 'running'));
	$node->stop('immediate');
	eval { $call->quit };
	$node->start;
	is(history('crashed', q(trigger, status, scheduled_for > now() + interval '30 min')), "enqueue|failed|\nretry|queued|t", 'after a crash of the server it still waits');
	hurry('crashed');
	wait_for_runs($node, 'postgres', 'crashed', 1);
	is(sql('SELECT count(*) FROM crashed'), '20', 'and then goes on');
	wait_for_runs($node, 'postgres', 'session', 1);
	is(history('session', 'trigger, status, resumed'), "call|failed|0\nretry|crashed|1\nresume|completed|2", 'what a session has waited with goes on in a worker');
};

subtest 'too long' => sub
{
	my %time = (performance => { timeout => 1500, concurrency => 1 });
	my $slow = '/users?size=2000&fault=delay:100';

	# A pass that replaces the table
	sql(q(CREATE TABLE replacing (id int PRIMARY KEY, name text); INSERT INTO replacing VALUES (0, 'before')));
	schedule('replacing', $slow, source => \%paging, destination => { mode => 'replace', batchSize => 20 }, %time);
	is(enqueue_and_wait($node, 'postgres', 'replacing')->{error}{code}, '53400', 'replace: a run ends');
	is(sql('SELECT count(*), max(name) FROM replacing'), '1|before', 'with the table as it was');
	schedule('replacing', $slow, source => \%paging, destination => { mode => 'replace', batchSize => 20 }, %time);
	my $before = sql(q(SELECT position FROM databite.checkpoint WHERE job_id = 'replacing'));
	isnt($before, '', 'and a checkpoint');
	is(enqueue_and_wait($node, 'postgres', 'replacing')->{resumed}, 1, 'from which the next one goes on');
	sql(q(SELECT databite.unschedule_job('replacing')));

	# Parallel writers
	schedule('writing', $slow, source => \%paging, destination => { mode => 'parallel_insert', batchSize => 20, connectionPool => { min => 1, max => 2 } }, %time);
	is(enqueue_and_wait($node, 'postgres', 'writing')->{error}{code}, '53400', 'parallel writers: a run ends');
	is(sql(q(SELECT count(*) > 0, count(*) = count(DISTINCT id), count(*) = (SELECT sum(records_inserted) FROM databite.runs WHERE job_id = 'writing') FROM writing)),
		't|t|t', 'with what is written, which is counted');
	is(enqueue_and_wait($node, 'postgres', 'writing')->{error}{code}, '53400', 'the next one goes on there');
	is(sql(q(SELECT count(*) = count(DISTINCT id), count(*) = (SELECT sum(records_inserted) FROM databite.runs WHERE job_id = 'writing') FROM writing)), 't|t', 'and repeats nothing');
	sql(q(SELECT databite.unschedule_job('writing')));

	# A request for each parent, and each try has the whole time
	sql('CREATE TABLE children (id int, customer_id int)');
	schedule_job($node, 'postgres', { id => 'parents', %time, again(backoff => 'fixed', retryDelay => 1, maxRetries => 20), steps => [
		{ id => 'customers', source => { type => 'api', url => $api->url('/customers?size=40') }, destination => { type => 'database', table => 'parents', key => 'id' } },
		{ id => 'orders', dependsOn => ['customers'], source => { type => 'api', url => $api->url('/customers/{{customers.id}}/orders?fault=delay:60') },
		  destination => { type => 'database', table => 'children', mode => 'insert', batchSize => 20 }, transform => { id => '{{item.id}}', customer_id => '{{item.customer_id}}' } } ] });
	sql(q(SELECT databite.enqueue_job('parents')));
	wait_for_runs($node, 'postgres', 'parents', 1);
	cmp_ok(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'parents' AND error ->> 'code' = '53400')), '>=', 1, 'fan-out: a run ends');
	is(sql('SELECT count(*), count(DISTINCT id) FROM children'), '800|800', 'and the tries that follow complete it');
};

subtest 'a dry run of each way to write' => sub
{
	my %ways = (insert => {}, upsert => { key => 'id' }, insert_only => { key => 'id' }, update_only => { key => 'id' }, batch_insert => {}, streaming_insert => {},
		parallel_insert => {}, replace => {}, append_history => { key => 'id' });
	for my $mode (sort keys %ways)
	{
		my $table = "dry_$mode";
		my $more = $mode eq 'append_history' ? ', valid_from timestamptz, valid_to timestamptz' : ', PRIMARY KEY (id)';
		sql("CREATE TABLE $table (id int, name text $more); INSERT INTO $table VALUES (-1, 'before')");
		sql("CREATE UNIQUE INDEX ON $table (id) WHERE valid_to IS NULL") if $mode eq 'append_history';
		schedule($table, '/users?size=10', destination => { table => $table, mode => $mode, %{ $ways{$mode} } });
		my $result = row_of($node, 'postgres', "SELECT * FROM databite.execute_job('$table', true)");
		is("$result->{status} $result->{records_processed}", 'completed 10', "$mode: it tells what it would do");
		is(sql("SELECT count(*), max(name) FROM $table"), '1|before', "$mode: and has done nothing");
	}
	is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id LIKE 'dry_%')), '0', 'nor is it in history');
};

subtest 'streaming_insert and a batch that fails' => sub
{
	sql(q(CREATE TABLE streamed (id int, name text);
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF EXISTS (SELECT FROM streamed) AND NOT EXISTS (SELECT FROM streamed WHERE id = 21) THEN RAISE 'not now' USING ERRCODE = '55000'; END IF; RETURN NULL; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON streamed FOR EACH STATEMENT EXECUTE FUNCTION refuse()));
	schedule('streamed', '/users?size=60', destination => { mode => 'streaming_insert', batchSize => 20 }, errorHandling => { onBatchError => 'log_and_continue' });
	my $run = enqueue_and_wait($node, 'postgres', 'streamed');
	is("$run->{status} $run->{records_inserted} $run->{records_rejected}", 'completed 20 40', 'batches that fail are given up');
	is(sql(q(SELECT count(*), min(error_code) FROM databite.rejected_items WHERE job_id = 'streamed')), '40|55000', 'with the reason');
};

subtest 'word to the administrator' => sub
{
	sql(q(SELECT databite.set_token('secret', 'very-secret-value')));
	my $listener = $node->background_psql('postgres', on_error_stop => 1);
	$listener->query_safe('LISTEN databite_failure');
	my $offset = -s $node->logfile;
	schedule('hopeless', '/users?key={{tokens.secret}}&fault=status:400', source => { headers => { 'X-Key' => '{{tokens.secret}}' } },
		errorHandling => { strategy => 'retry_with_backoff', maxRetries => 1, retryDelay => 1, onFailure => 'notify_admin' });
	sql(q(SELECT databite.enqueue_job('hopeless')));
	$node->wait_for_log(qr/WARNING: .*run \d+ of job "hopeless" failed for good/, $offset);
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 2 FROM databite.runs WHERE job_id = 'hopeless' AND status = 'failed'));
	my $out = $listener->query_safe('SELECT 1');
	$listener->quit;
	my @payloads = $out =~ /notification "databite_failure" with payload "(.*)" received/g;
	is(scalar(@payloads), 1, 'another session hears of it, once');
	my $said = decode_json($payloads[0]);
	is("$said->{job_id} $said->{status} $said->{error}{code} $said->{error}{request}{status}", 'hopeless failed http_status 400', 'in JSON');
	unlike($payloads[0], qr/very-secret/, 'without the secret');
	unlike(substr(slurp_file($node->logfile), $offset), qr/very-secret/, 'which is not in the log either');
};

$node->stop;
$api->stop;
done_testing();
