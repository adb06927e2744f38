# What a run is doing, seen by others while it goes on: before anything is
# committed, without locks, by those who may, and correct after a crash.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

# The first 5,000 bytes of 20 KB, and then nothing for longer than any test takes.
my $stuck = $api->url('/users?fault=drip:5000:100000');

sub sql { return $node->safe_psql('postgres', shift); }

sub as
{
	my ($role, $sql) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]);
}

sub job
{
	my ($id, $url, $more) = @_;
	$more //= '';
	return qq(SELECT databite.schedule_job('{"id": "$id", "source": {"type": "api", "url": "$url", "timeout": "300s"$more},
		"destination": {"type": "database", "table": "t_$id", "schema": {"id": "bigint", "name": "text"}, "key": "id"}}'));
}

# Cancels the run of a job and waits until nothing of it is to be seen.
sub end_run
{
	my ($id) = @_;
	sql("SELECT databite.cancel_job('$id')");
	return wait_for_sql($node, 'postgres', "SELECT NOT EXISTS (SELECT 1 FROM databite.progress WHERE job_id = '$id')");
}

sql(q(
	CREATE EXTENSION databite;
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE watcher LOGIN;
	CREATE SCHEMA alice AUTHORIZATION alice;
	GRANT USAGE ON SCHEMA databite TO alice, bob, watcher;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO alice;
	GRANT pg_monitor TO watcher;
));

subtest 'before the first commit' => sub
{
	as('alice', job('early', $stuck));
	my $run = as('alice', q(SELECT databite.enqueue_job('early')));
	wait_for_sql($node, 'postgres', "SELECT items > 0 FROM databite.progress WHERE run_id = $run");
	is( as('alice', q(SELECT job_id, owner, step, pages, items < 100, total_items, bytes_received, items_per_second > 0, requests, in_flight
			FROM databite.progress)),
		'early|alice|main|1|t||5000|t|1|1', 'the owner sees page, items, bytes, rate and requests in flight');
	is( as('alice', q(SELECT pid IN (SELECT pid FROM pg_stat_activity WHERE backend_type = 'databite runner'), elapsed > '0',
			updated_at >= started_at FROM databite.progress)), 't|t|t', 'process and times');
	is(sql("SELECT records_processed, pages FROM databite.runs WHERE run_id = $run"), '0|0', 'while history has nothing yet');
	is(as('alice', q(SELECT progress ->> 'bytes_received', progress ->> 'in_flight' FROM databite.get_job_status('early'))),
		'5000|1', 'get_job_status has the same');
	is(as('bob', 'SELECT count(*) FROM databite.progress'), '0', 'another role sees nothing');
	is(as('bob', 'SELECT count(*) FROM databite.live_progress()'), '0', 'not by the function either');
	is(as('watcher', 'SELECT job_id, bytes_received FROM databite.progress'), 'early|5000', 'pg_monitor sees it');
	sql('GRANT alice TO bob');
	is(as('bob', 'SELECT job_id FROM databite.progress'), 'early', 'so does who has become a member of the owner');
	sql('REVOKE alice FROM bob');
	sql('CREATE DATABASE other');
	$node->safe_psql('other', 'CREATE EXTENSION databite');
	is($node->safe_psql('other', 'SELECT count(*) FROM databite.progress'), '0', 'another database has none of it');
	end_run('early');
	is(sql('SELECT count(*) FROM databite.live_progress()'), '0', 'it ends with the run');
};

subtest 'a server that does not answer' => sub
{
	sql(job('silent', $api->url('/users?size=250&fault=silent:after=2:scope=path'), ', "pagination": {"type": "offset", "limit": 100}'));
	sql(q(SELECT databite.enqueue_job('silent')));
	wait_for_sql($node, 'postgres', q(SELECT pages = 3 AND waiting_for = 'response' FROM databite.progress WHERE job_id = 'silent'));
	is(sql(q(SELECT pages, items, requests, in_flight, waiting_for, waiting_until FROM databite.progress)),
		'3|200|3|1|response|', 'the third page is waited for');
	end_run('silent');
};

subtest 'locks' => sub
{
	sql('CREATE TABLE t_locked (id bigint PRIMARY KEY, name text)');
	sql(job('locked', $api->url('/users')));
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	$session->query_safe('BEGIN; LOCK TABLE t_locked IN ACCESS EXCLUSIVE MODE');
	sql(q(SELECT databite.enqueue_job('locked')));
	wait_for_sql($node, 'postgres', q(SELECT waiting_for = 'database' FROM databite.progress WHERE job_id = 'locked'));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM pg_stat_activity JOIN databite.progress USING (pid)
		WHERE wait_event_type = 'Lock'));
	is(sql(q(SELECT waiting_for, in_flight FROM databite.progress)), 'database|0', 'a run that waits for a lock on its table is seen');
	$session->query_safe('COMMIT');
	$session->quit;
	wait_for_runs($node, 'postgres', 'locked', 1);
	is(sql('SELECT count(*) FROM databite.progress'), '0', 'it ends');
};

subtest 'runs in sessions' => sub
{
	sql(job('session', $stuck));
	for my $call (q(SELECT databite.execute_job('session')), q(SELECT databite.execute_job('session', dry_run => true)),
		q(CALL databite.run_job('session')))
	{
		my $session = $node->background_psql('postgres', on_error_stop => 0);
		my $pid = $session->query_safe('SELECT pg_backend_pid()');
		$session->query_until(qr/begun/, "\\echo begun\n$call;\n");
		wait_for_sql($node, 'postgres', "SELECT bytes_received = 5000 AND in_flight = 1 FROM databite.progress WHERE pid = $pid");
		is(sql(q(SELECT job_id, pages, run_id IS NULL FROM databite.progress)), 'session|1|' . ($call =~ /dry_run/ ? 't' : 'f'),
			"seen by others: $call");
		is(as('alice', 'SELECT count(*) FROM databite.progress'), '0', 'not by all');
		if ($call =~ /run_job/)
		{
			end_run('session');
			$session->quit;
			next;
		}
		sql("SELECT pg_terminate_backend($pid, 100000)");
		is(sql('SELECT count(*) FROM databite.live_progress()'), '0', 'gone with the session');
		$session->{run}->finish;
	}
};

subtest 'after kill -9' => sub
{
	sql(job('killed', $stuck));
	my $run = sql(q(SELECT databite.enqueue_job('killed')));
	wait_for_sql($node, 'postgres', "SELECT bytes_received = 5000 FROM databite.progress WHERE run_id = $run");
	kill 'KILL', sql("SELECT pid FROM databite.progress WHERE run_id = $run");
	ok(wait_for_server($node, "SELECT count(*) = 1 FROM databite.progress
		WHERE run_id IN (SELECT run_id FROM databite.runs WHERE resumes = $run) AND bytes_received = 5000"), 'the run goes on in another');
	is(sql("SELECT count(*), min(pages), bool_or(run_id = $run) FROM databite.progress"), '1|1|f', 'and its values are the only ones');
	is(sql('SELECT count(*) FROM databite.live_progress()'), '1', 'in shared memory too');
	end_run('killed');
};

$node->stop;

subtest 'without preloading' => sub
{
	my $plain = databite_node('plain', preload => 0);
	my $url = $api->url('/users?fault=silent');
	$plain->safe_psql('postgres', 'CREATE EXTENSION databite; SELECT databite.start()');
	$plain->safe_psql('postgres', job('plain', $url));
	my $run = $plain->safe_psql('postgres', q(SELECT databite.enqueue_job('plain')));
	wait_for_sql($plain, 'postgres', "SELECT count(*) = 1 FROM databite.progress WHERE run_id = $run");
	is($plain->safe_psql('postgres', 'SELECT job_id, pages, items, requests, in_flight, waiting_for FROM databite.progress'),
		'plain|0|0|0||', 'the view has what is committed');
	$plain->stop;
};

$api->stop;
done_testing();
