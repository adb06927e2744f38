# What can happen to a run besides kill -9: connections that break, commits that fail, jobs that are removed or replaced
# under it, runs that somebody else has continued.  The rows are those of one clean run, and each is counted once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

# A job without a key, so that an item that is taken twice is there twice.
sub insert_job
{
	my ($id, $path, $pagination) = @_;
	my $url = $api->url($path);
	my $paging = $pagination ? qq(, "pagination": $pagination) : '';

	return qq(SELECT databite.schedule_job('{"id": "$id",
		"source": {"type": "api", "url": "$url", "retry": {"delay": 10}$paging},
		"destination": {"type": "database", "table": "t_$id", "mode": "insert", "batchSize": 100},
		"transform": {"id": "{{item.id}}", "name": "{{item.name}}"}}'));
}

sub wait_for_items
{
	my ($id, $items) = @_;

	return wait_for_sql($node, 'postgres',
		"SELECT coalesce(max(records_processed), 0) >= $items FROM databite.runs WHERE job_id = '$id' AND status = 'running'");
}

sql('CREATE EXTENSION databite');
sql("CREATE TABLE t_$_ (id bigint, name text)") for qw(broken removed replaced continued crashing);

# The second try breaks earlier than the first did.
sql(insert_job('broken', '/users?size=3000&fault=reset:200000:times=1,reset:90000:after=1:times=1'));
my $run = enqueue_and_wait($node, 'postgres', 'broken');
is($run->{status}, 'completed', 'a page that broke twice');
is($run->{retries}, 2, 'was asked for again twice');
is(sql('SELECT count(*), count(DISTINCT id) FROM t_broken'), '3000|3000', 'and its items are there once');
is($run->{records_processed}, 3000, 'and are counted once');

# A constraint that is checked at commit: the batch is undone, and the run fails.
sql('CREATE TABLE parent (id bigint PRIMARY KEY);
	CREATE TABLE t_deferred (id bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED, name text)');
sql(insert_job('deferred', '/users?size=10'));
$run = enqueue_and_wait($node, 'postgres', 'deferred');
is($run->{status}, 'failed', 'a commit that fails is a run that fails, in a worker');
like($run->{error}{message} // '', qr/violates foreign key constraint/, 'its error is in history');
is($run->{records_processed}, 0, 'what was undone is not counted');
my (undef, undef, $message) = $node->psql('postgres', q(CALL databite.run_job('deferred')));
like($message, qr/violates foreign key constraint/, 'and in CALL');
is(sql(q(SELECT status, records_processed FROM databite.runs WHERE job_id = 'deferred' ORDER BY run_id DESC LIMIT 1)),
	'failed|0', 'where it is recorded in the same way');
is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'deferred')), '2', 'nobody tries it again and again');

# Removed while it runs: nothing of the job's state comes back.
my $paging = '{"type": "offset", "limit": 100}';
sql(insert_job('removed', '/users?size=20000&fault=delay:10', $paging));
my $id = sql(q(SELECT databite.enqueue_job('removed')));
wait_for_items('removed', 500);
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe(q(BEGIN; SELECT databite.unschedule_job('removed')));
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'databite runner' AND wait_event_type = 'Lock'));
$session->query_safe('COMMIT');
$session->quit;
wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $id");
is(sql("SELECT status FROM databite.runs WHERE run_id = $id"), 'cancelled', 'the run of a job that was removed is cancelled');
is(sql('SELECT (SELECT count(*) FROM databite.checkpoint), (SELECT count(*) FROM databite.step_state WHERE job_id = $$removed$$)'),
	'0|0', 'and leaves no state behind');

# A server that is silent does not keep a run going whose job was removed.
sql(insert_job('removed', '/users?fault=silent'));
$api->clear_requests;
$id = sql(q(SELECT databite.enqueue_job('removed')));
$api->wait_for_request('/users');
wait_for_sql($node, 'postgres', "SELECT status = 'running' FROM databite.runs WHERE run_id = $id");
sql(q(SELECT databite.unschedule_job('removed')));
ok($node->poll_query_until('postgres', "SELECT updated_at < started_at + interval '20 s' AND status = 'cancelled'
		FROM databite.run WHERE run_id = $id"), 'it ends at once');

# Replaced while it runs: the position of the old definition is not that of the new one.
sql(insert_job('replaced', '/users?size=20000&fault=delay:10', $paging));
sql(q(SELECT databite.enqueue_job('replaced')));
wait_for_items('replaced', 500);
sql(insert_job('replaced', '/customers?size=50', $paging));
wait_for_items('replaced', sql(q(SELECT max(records_processed) + 300 FROM databite.runs WHERE job_id = 'replaced')));
sql(q(SELECT databite.cancel_job('replaced')));
wait_for_sql($node, 'postgres', q(SELECT count(*) = 0 FROM databite.progress));
sql('TRUNCATE t_replaced');
$run = enqueue_and_wait($node, 'postgres', 'replaced');
is($run->{status}, 'completed', 'a job that was replaced while it ran');
is(sql('SELECT count(*) FROM t_replaced'), '50', 'begins at the beginning');

# A run crashes while no scheduler looks, and somebody goes on by hand: the scheduler does not run it once more.
sql(insert_job('continued', '/users?size=10000&fault=delay:10', $paging));
$id = sql(q(SELECT databite.enqueue_job('continued')));
wait_for_items('continued', 500);
sql('SELECT databite.stop()');
sql('SELECT pg_terminate_backend(pid, 10000) FROM databite.progress');
is(sql("SELECT status FROM databite.runs WHERE run_id = $id"), 'running', 'nobody has noticed the crash');
is(execute_job($node, 'postgres', 'continued')->{status}, 'completed', 'execute_job goes on');
sql('SELECT databite.start()');
wait_for_sql($node, 'postgres', "SELECT status = 'crashed' FROM databite.runs WHERE run_id = $id");
wait_for_sql($node, 'postgres', q(SELECT count(*) = 0 FROM databite.runs WHERE status IN ('queued', 'running')));
is(sql('SELECT count(*), count(DISTINCT id) FROM t_continued'), '10000|10000', 'the rows are there once');
is(sql(q(SELECT sum(records_processed) FROM databite.runs WHERE job_id = 'continued')), '10000', 'and counted once');

# A job that takes its worker down again and again waits before it goes on; to pause it ends that.
sql(insert_job('crashing', '/users?fault=silent'));
sql(q(SELECT databite.enqueue_job('crashing')));
for my $crash (1, 2)
{
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.progress WHERE job_id = 'crashing'));
	sql(q(SELECT pg_terminate_backend(pid, 10000) FROM databite.progress WHERE job_id = 'crashing'));
	wait_for_runs($node, 'postgres', 'crashing', $crash, 'crashed');
}
is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'crashing' AND status = 'queued')), '1', 'a run waits to go on');
sql(q(SELECT databite.pause_job('crashing')));
is(sql(q(SELECT string_agg(status, ' ' ORDER BY run_id) FROM databite.runs WHERE job_id = 'crashing')),
	'crashed crashed cancelled', 'until the job is paused');

# What is only inserted goes on, whatever ends a run before it knows that: here somebody has the table, and the run is cancelled.
sql('CREATE TABLE t_blocked (id bigint, name text)');
sql(insert_job('blocked', '/users?size=10000&fault=delay:10', $paging));
sql(q(SELECT databite.enqueue_job('blocked')));
wait_for_items('blocked', 500);
sql('SELECT databite.stop()');
sql('SELECT pg_terminate_backend(pid, 10000) FROM databite.progress');
$session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe('BEGIN; LOCK TABLE t_blocked');
sql('SELECT databite.start()');
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'databite runner' AND wait_event_type = 'Lock'));
sql(q(SELECT databite.cancel_job('blocked')));
wait_for_sql($node, 'postgres', q(SELECT count(*) = 0 FROM databite.runs WHERE status IN ('queued', 'running')));
$session->query_safe('COMMIT');
$session->quit;
is(sql(q(SELECT string_agg(status, ' ' ORDER BY run_id) FROM databite.runs WHERE job_id = 'blocked')), 'crashed cancelled',
	'a run that was to go on is cancelled before it has begun');
is(enqueue_and_wait($node, 'postgres', 'blocked')->{status}, 'completed', 'the next one');
is(sql('SELECT count(*), count(DISTINCT id) FROM t_blocked'), '10000|10000', 'goes on, and has the rows there once');

# The same where the run that fails is one of several steps, and all items of the last are rejected.
sql('CREATE TABLE t_first (id bigint, name text); CREATE TABLE t_second (id bigint CHECK (id < 0), name text)');
my $step = sub {
	my ($id, $more) = @_;
	my $url = $api->url('/users?size=100');
	return qq({"id": "$id", "source": {"type": "api", "url": "$url"}$more, "transform": {"id": "{{item.id}}", "name": "{{item.name}}"},
		"destination": {"type": "database", "table": "t_$id", "mode": "insert", "onError": "log_and_continue"}});
};
my ($first, $second) = ($step->('first', ''), $step->('second', ', "dependsOn": ["first"]'));
sql("SELECT databite.schedule_job('{\"id\": \"steps\", \"steps\": [$first, $second]}')");
$run = enqueue_and_wait($node, 'postgres', 'steps');
is("$run->{status} $run->{records_inserted} $run->{records_rejected}", 'failed 100 100', 'all items of the second step are rejected');
sql('ALTER TABLE t_second DROP CONSTRAINT t_second_id_check');
is(enqueue_and_wait($node, 'postgres', 'steps')->{status}, 'completed', 'the next run');
is(sql('SELECT (SELECT count(*) FROM t_first), count(*) FROM t_second'), '100|100', 'does not insert those of the first again');

# What has committed parts of a round that is not recorded is killed; it has asked for smaller pages since the last checkpoint.
for my $how ('offset', 'page')
{
	my $limits = $how eq 'offset' ? '{"type": "offset", "limit": 100}' : '{"type": "page", "pageSize": 100, "sizeParam": "limit"}';
	my $too_large = $how eq 'offset' ? 'beyond=1200:' : 'after=12:';
	my $hang = $how eq 'offset' ? 'beyond=1300:' : 'after=15:';
	my $url = $api->url("/users?size=2000&fault=status:413:${too_large}times=1:scope=path,delay:60000:${hang}times=1:scope=path");
	my $job = "halved_$how";
	$api->control({ reset => 1 });
	sql("CREATE TABLE t_$job (id bigint, name text)");
	sql(qq(SELECT databite.schedule_job('{"id": "$job", "performance": {"concurrency": 1},
		"source": {"type": "api", "url": "$url", "pagination": $limits, "onStatus": {"413": "halve_page"}},
		"destination": {"type": "database", "table": "t_$job", "mode": "parallel_insert", "batchSize": 100, "connectionPool": {"min": 2, "max": 2}},
		"transform": {"id": "{{item.id}}", "name": "{{item.name}}"}}')));
	sql("SELECT databite.enqueue_job('$job')");
	wait_for_sql($node, 'postgres', "SELECT count(*) = 1300 FROM t_$job");
	is(sql("SELECT count(*) > 0 FROM databite.writer_part WHERE job_id = '$job'"), 't', "$job: items that are in no checkpoint");
	sql("SELECT pg_terminate_backend(pid, 10000) FROM databite.progress WHERE job_id = '$job'");
	wait_for_runs($node, 'postgres', $job, 1);
	is(sql("SELECT count(*), count(DISTINCT id) FROM t_$job"), '2000|2000', "$job: are there once");
	is(sql("SELECT sum(records_processed), sum(records_inserted) FROM databite.runs WHERE job_id = '$job'"), '2000|2000', "$job: and counted once");
}

$node->stop;
$api->stop;
done_testing();
