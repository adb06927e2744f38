# What runs of the worker say of themselves: while they go on, when they fail or are killed, and where it cannot be written.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

sub as
{
	my ($role, $sql) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]);
}

sub schedule
{
	my ($id, $url, %more) = @_;
	my %source = (type => 'api', url => $url, %{ delete $more{source} // {} });

	return schedule_job($node, 'postgres', { id => $id, source => \%source,
			destination => { type => 'database', table => "t_$id", schema => { id => 'bigint' }, key => 'id' },
			errorHandling => { strategy => 'fail_fast' }, %more });
}

# The lines of a run: "level message", in their order.
sub lines
{
	my ($run, $table) = @_;

	$table //= 'databite.logs';
	return sql(qq(SELECT string_agg(level || ' ' || message, E'\\n' ORDER BY "time") FROM $table WHERE run_id = $run));
}

# A run has ended before its last lines are there.
sub run_and_wait
{
	my ($id, $table) = @_;
	my $run = enqueue_and_wait($node, 'postgres', $id);

	$table //= 'databite.logs';
	wait_for_sql($node, 'postgres', "SELECT count(*) > 0 FROM $table WHERE run_id = $run->{run_id} AND message ~ '^run (completed|failed|was)'");
	return $run;
}

# What runs have written to the server log since then: statements of this test are there too.
sub server_log
{
	my ($offset) = @_;

	return join("\n", grep { /databite runner/ } split(/\n/, slurp_file($node->logfile, $offset))) . "\n";
}

sql('CREATE EXTENSION databite');

subtest 'a run' => sub
{
	my $offset = -s $node->logfile;

	schedule('users', $api->url('/users?size=5'));
	my $run = run_and_wait('users');
	is(lines($run->{run_id}), "info run began\ninfo run completed", 'its beginning and its end');
	is( sql("SELECT detail -> 'records_inserted', detail -> 'requests', detail -> 'duration_ms' IS NOT NULL FROM databite.logs WHERE run_id = $run->{run_id} AND detail IS NOT NULL"),
		'5|1|t', 'with its counters');
	$node->wait_for_log(qr/run $run->{run_id} of job "users" completed/, $offset);
	like(server_log($offset), qr/LOG:  run $run->{run_id} of job "users" began\n.*CONTEXT:  job "users", run $run->{run_id}\n/s, 'the server log has them, and says of what');
};

subtest 'requests' => sub
{
	sql(q(SELECT databite.set_token('hidden', 'do-not-tell-anybody')));
	schedule('asks', $api->url('/users?size=3&fault=status:503:times=1'),
		source => { query => { key => '{{tokens.hidden}}', plain => 'also-not' }, headers => { 'X-Key' => '{{tokens.hidden}}' }, retry => { delay => 1 } },
		logging => { level => 'debug' });
	my $offset = -s $node->logfile;
	my $run = run_and_wait('asks');
	my $url = $api->url('/users') . '?***';
	like(lines($run->{run_id}), qr{^info run began
debug GET \Q$url\E was answered with status 503
info GET \Q$url\E is tried again in \d ms
debug GET \Q$url\E was answered with status 200
debug a batch of 3 items was written
info run completed$}, 'each of them, each retry and each batch at level debug');
	is( sql(qq(SELECT step, detail - 'duration_ms' - 'url' FROM databite.logs WHERE run_id = $run->{run_id} AND message LIKE '%status 503')),
		'main|{"try": 1, "bytes": ' . sql(qq(SELECT detail -> 'bytes' FROM databite.logs WHERE run_id = $run->{run_id} AND message LIKE '%status 503')) . ', "method": "GET", "status": 503}',
		'with what it brought');
	is(sql('SELECT count(*) FROM databite.logs AS l WHERE l::text ~ $$do-not-tell|also-not|example\.com$$'), '0', 'no secret, no query, no body');
	unlike(server_log($offset), qr/do-not-tell|also-not|was answered/, 'nor in the server log, which is at its own level');

	sql(q(ALTER SYSTEM SET databite.log_level = 'debug'; SELECT pg_reload_conf()));
	$offset = -s $node->logfile;
	$run = run_and_wait('asks');
	my $context = qq(CONTEXT:  job "asks", run $run->{run_id}, step "main");
	like(server_log($offset), qr/GET \Q$url\E was answered with status 200.*\Q$context\E/s, 'where requests are when somebody wants to see them');
	unlike(server_log($offset), qr/do-not-tell|also-not/, 'without secrets there too');
	sql(q(ALTER SYSTEM SET databite.log_level = 'error'; SELECT pg_reload_conf()));
	$offset = -s $node->logfile;
	$run = run_and_wait('asks');
	unlike(server_log($offset), qr/run $run->{run_id} of job/, 'and nothing but errors where not');
	sql(q(ALTER SYSTEM RESET databite.log_level; SELECT pg_reload_conf()));
};

subtest 'while it goes on' => sub
{
	schedule('gated', $api->url('/paging/page/users?size=200&fault=gate:name=rest:after=1:scope=path'),
		source => { pagination => { type => 'page', pageSize => 100, sizeParam => 'per_page' } },
		destination => { type => 'database', table => 't_gated', schema => { id => 'bigint' }, mode => 'insert' },
		logging => { level => 'debug', destination => 'database', table => 'gated_log' });
	my $run = sql(q(SELECT databite.enqueue_job('gated')));
	ok(wait_for_sql($node, 'postgres', q(SELECT to_regclass('gated_log') IS NOT NULL)), 'a table is made');
	ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM gated_log WHERE message = 'a batch of 100 items was written')), 'lines are there before the end');
	is(sql(q(SELECT count(*), count(xact_start) FROM pg_stat_activity WHERE backend_type = 'databite runner')), '1|0', 'while no transaction is open');

	# Nobody can write what a process was killed with, but what it has written stays.
	kill_runner($node, 'gated', 99);
	ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM gated_log WHERE message = 'run goes on with an earlier one')), 'a run that is killed leaves its lines, and the next says so');
	is(sql(q(SELECT detail -> 'resumes' FROM gated_log WHERE message = 'run goes on with an earlier one')), $run, 'with which one');
	$api->control({ open => ['rest'] });
	ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM gated_log WHERE message = 'run completed')), 'until it is complete');
	is(sql('SELECT count(*) FROM t_gated'), '200', 'with all rows');
	is(sql(q(SELECT count(*) FROM databite.logs WHERE job_id = 'gated')), '0', 'and nothing in the log of the others');
};

subtest 'whose it is' => sub
{
	sql(q(CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
		CREATE SCHEMA alice AUTHORIZATION alice; CREATE SCHEMA bob AUTHORIZATION bob; CREATE TABLE bob.log (LIKE gated_log); ALTER TABLE bob.log OWNER TO bob;
		GRANT USAGE ON SCHEMA bob TO alice; GRANT USAGE ON SCHEMA databite TO alice, bob, watcher; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO alice, bob;
		ALTER ROLE alice SET search_path = alice));
	my $job = sub {
		my ($logging) = @_;
		my $url = $api->url('/users?size=2');
		as('alice', qq(SELECT databite.schedule_job('{"id": "alices", "source": {"type": "api", "url": "$url"}, "logging": $logging,
			"destination": {"type": "database", "table": "t", "schema": {"id": "bigint"}, "key": "id"}}')));
		return run_and_wait('alices', $_[1]);
	};
	$job->('{}');
	is(as('alice', 'SELECT count(*) FROM databite.logs'), '2', 'alice sees the lines of her runs');
	is(as('bob', 'SELECT count(*) FROM databite.logs'), '0', 'bob does not');
	cmp_ok(as('watcher', 'SELECT count(*) FROM databite.logs'), '>', 2, 'who watches the server sees all');

	# Found by the search_path of the job, and made by its owner.
	my $run = $job->('{"table": "runs"}', 'alice.runs');
	is(sql(q(SELECT tableowner FROM pg_tables WHERE schemaname = 'alice' AND tablename = 'runs')), 'alice', 'her log is hers');

	# What she may not write to.
	my $offset = -s $node->logfile;
	as('alice', q(SELECT databite.schedule_job(definition || '{"logging": {"table": "bob.log", "level": "debug"}}') FROM databite.jobs));
	$run = enqueue_and_wait($node, 'postgres', 'alices');
	is($run->{status}, 'completed', 'a run completes whose log may not be written');
	$node->wait_for_log(qr/WARNING:  the log of job "alices" could not be written: permission denied for table log/, $offset);
	my $said = () = server_log($offset) =~ /could not be written/g;
	is($said, 1, 'which the server log says once');
	is(sql('SELECT count(*) FROM bob.log'), '0', 'nothing is there');
};

subtest 'a log that is locked' => sub
{
	schedule('locked', $api->url('/users?size=10'), logging => { table => 'gated_log' });
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my $offset = -s $node->logfile;

	$session->query_safe('BEGIN; LOCK TABLE gated_log');
	my $run = enqueue_and_wait($node, 'postgres', 'locked');
	is($run->{status}, 'completed', 'holds up no run');
	$node->wait_for_log(qr/WARNING:  the log of job "locked" could not be written: canceling statement due to lock timeout/, $offset);
	$session->query_safe('COMMIT');
	$session->quit;
};

subtest 'what fails' => sub
{
	schedule('fails', $api->url('/users?fault=status:500'), source => { retry => { attempts => 1 } }, logging => { table => 'failures', level => 'warning' },
		errorHandling => { strategy => 'retry_with_backoff', maxRetries => 1, retryDelay => 10, backoff => 'fixed' });
	my $run = run_and_wait('fails', 'failures');
	is(lines($run->{run_id}, 'failures'), 'error run failed: server answered with status 500', 'is there');
	is(sql("SELECT step, detail -> 'error' = (SELECT error FROM databite.runs WHERE run_id = $run->{run_id}) FROM failures WHERE run_id = $run->{run_id}"), 'main|t', 'with what history says');
	ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 2 FROM failures'), 'each time that it is tried');

	schedule('cancelled', $api->url('/users?fault=silent'), logging => { table => 'failures' });
	$run = sql(q(SELECT databite.enqueue_job('cancelled')));
	ok(wait_for_sql($node, 'postgres', qq(SELECT count(*) = 1 FROM failures WHERE run_id = $run)), 'a run that waits says that it has begun');
	sql(q(SELECT databite.cancel_job('cancelled')));
	ok(wait_for_sql($node, 'postgres', qq(SELECT count(*) = 2 FROM failures WHERE run_id = $run)), 'and when it ends');
	is(lines($run, 'failures'), "info run began\nwarning run was cancelled", 'how');
};

subtest 'more lines than there is room for' => sub
{
	sql(q(CREATE TABLE many (id int);
		SELECT databite.schedule_job('{"id": "many", "logging": {"level": "debug"}, "source": {"type": "sql", "query": "SELECT generate_series(1, 3000) AS id"},
			"destination": {"type": "database", "table": "many", "batchSize": 1, "mode": "insert"}}')));
	my $run = sql(q(SELECT run_id FROM databite.execute_job('many')));
	my ($kept, $left_out) = split /\|/, sql(qq(SELECT count(*) FILTER (WHERE level = 'debug'), max(substring(message from '^([0-9]+) lines were left out')) FROM databite.logs WHERE run_id = $run));
	cmp_ok($left_out, '>', 0, 'one transaction cannot write its log before it ends');
	is($kept + $left_out, sql(q(SELECT count(*) FROM many)), 'every line is written or counted');
	is(sql(qq(SELECT count(*) FROM databite.logs WHERE run_id = $run AND message IN ('run began', 'run completed'))), '2', 'the end is always there');
	my $loose = run_and_wait('many');
	is(sql("SELECT count(*) FILTER (WHERE level = 'debug'), count(*) FILTER (WHERE level = 'warning') FROM databite.logs WHERE run_id = $loose->{run_id}"), '3000|0', 'a worker can');
};

subtest 'old lines' => sub
{
	sql(q(UPDATE databite.log SET "time" = "time" - '2 days'::interval WHERE job_id = 'many'; ALTER SYSTEM SET databite.history_retention = '1d'; SELECT pg_reload_conf()));
	ok(wait_for_sql($node, 'postgres', q(SELECT NOT EXISTS (SELECT FROM databite.logs WHERE job_id = 'many'))), 'go with time');
	cmp_ok(sql('SELECT count(*) FROM databite.logs'), '>', 0, 'others stay');
};

done_testing();
