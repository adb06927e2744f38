# Steps that wait for none run at once: their requests are in flight together, within the job's concurrency, and none holds
# up another; whatever happens to one of them, the rows and counters of all are those of a clean run, each counted once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use List::Util qw(max min uniq);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');

# A step that reads pages of 100 of a path and writes them, without a key unless there is one, to the table of its name.
sub step
{
	my ($id, $path, %more) = @_;
	my %destination = (type => 'database', table => "t_$id", mode => 'insert', %{ delete $more{destination} // {} });
	my %source = (type => 'api', url => $api->url($path), timeout => '300s', retry => { attempts => 1 }, %{ delete $more{source} // {} });
	return { id => $id, source => \%source, destination => \%destination, transform => { id => '{{item.id}}' }, %more };
}

# Pages by offset whose total is not told, so one after another.
sub paged
{
	my ($id, $path, %more) = @_;
	my $source = { pagination => { type => 'offset', limit => 100 }, %{ delete $more{source} // {} } };
	return step($id, $path, %more, source => $source);
}

# A step behind others, with one item.
sub behind
{
	my ($id, @parents) = @_;
	return step($id, "/updated_data?size=1&step=$id", dependsOn => [@parents]);
}

# Schedules a job of these steps, whose tables are made anew, and forgets what the API has seen.
sub job
{
	my ($id, $steps, %more) = @_;
	for my $step (@$steps)
	{
		my $key = $step->{destination}{mode} eq 'insert' || $step->{destination}{mode} eq 'parallel_insert' ? '' : 'PRIMARY KEY';
		sql("DROP TABLE IF EXISTS t_$step->{id}; CREATE TABLE t_$step->{id} (id bigint $key)");
	}
	schedule_job($node, 'postgres', { id => $id, steps => $steps, %more });
	$api->control({ reset => JSON::PP::true });
	return $id;
}

sub completes
{
	my ($name, $id) = @_;
	my $run = enqueue_and_wait($node, 'postgres', $id);
	is($run->{status}, 'completed', "$name: completed") or diag(explain($run->{error}));
	return $run;
}

# Count of rows and of different ones.
sub rows
{
	my ($step) = @_;
	return sql("SELECT count(*), count(DISTINCT id) FROM t_$step");
}

# Numbers of the requests for a path.
sub numbers
{
	my ($path) = @_;
	return map { $_->{number} } @{ $api->requests($path) };
}

subtest 'requests of two steps are in flight together' => sub
{
	job('both', [ step('users', '/users?fault=gate:2:name=both'), step('orders', '/orders?fault=gate:2:name=both') ]);
	my $run = completes('worker', 'both');
	is(rows('users') . ' ' . rows('orders'), '100|100 1000|1000', 'rows of both');
	is("$run->{records_processed} $run->{records_inserted} $run->{pages} $run->{requests}", '1100 1100 2 2', 'counted in one run');

	job('both', [ step('users', '/users?fault=gate:2:name=both'), step('orders', '/orders?fault=gate:2:name=both') ]);
	is(execute_job($node, 'postgres', 'both')->{records_inserted}, 1100, 'execute_job');
	$node->psql('postgres', q(BEGIN; SELECT databite.execute_job('both'); ROLLBACK));
	is(rows('users') . ' ' . rows('orders'), '100|100 1000|1000', 'execute_job that is rolled back leaves nothing');
	is(sql(q(SELECT records_inserted FROM databite.execute_job('both', dry_run => true))), '1100', 'a dry run counts');
	is(rows('users') . ' ' . rows('orders'), '100|100 1000|1000', 'and leaves nothing');

	job('both', [ step('users', '/users?fault=gate:2:name=both'), step('orders', '/orders?fault=gate:2:name=both') ]);
	sql(q(CALL databite.run_job('both')));
	is(rows('users') . ' ' . rows('orders'), '100|100 1000|1000', 'CALL');
};

subtest 'one at a time' => sub
{
	my @steps = (paged('c', '/data?fault=delay:20'), paged('a', '/orders?fault=delay:20'), paged('b', '/products?fault=delay:20'));
	job('one', \@steps, performance => { concurrency => 1 });
	completes('one', 'one');
	my @requests = @{ $api->requests };
	is(max(map { $_->{in_flight} } @requests), 1, 'one request in flight');
	is(join(' ', uniq map { $_->{path} } @requests), '/data /orders /products', 'in the order of the definition');
	cmp_ok(max(numbers('/data')), '<', min(numbers('/orders')), 'the second step begins behind the first');
	cmp_ok(max(numbers('/orders')), '<', min(numbers('/products')), 'the third behind the second');

	# As many as memory is there for: a step has no less than the least limit.
	job('one', \@steps, performance => { concurrency => 4, memoryLimit => '8MB' });
	completes('memory for one', 'one');
	cmp_ok(max(numbers('/data')), '<', min(numbers('/orders')), 'memory for one: one after another');
	job('one', [ step('c', '/data?fault=gate:2:name=m'), step('a', '/orders?fault=gate:2:name=m'), step('b', '/products') ],
		performance => { concurrency => 4, memoryLimit => '16MB' });
	completes('memory for two', 'one');
	cmp_ok(max(numbers('/orders'), numbers('/data')), '<', min(numbers('/products')), 'memory for two: the third waits');

	# It is divided among those of which none waits for another.
	my %much = (performance => { concurrency => 100, memoryLimit => '32MB' });
	my @users = map { step($_, "/users?size=1&step=$_") } 'a' .. 'd';
	for my $case ([ 'all in a row', 16, [], ['a'], ['b'], ['c'] ], [ 'two at once', 8, [], ['a'], ['a'], [ 'b', 'c' ] ],
		[ 'two rows', 8, [], ['a'], [], ['c'] ], [ 'three at once', 5, [], ['a'], ['a'], ['a'] ])
	{
		my ($name, $requests, @parents) = @$case;
		job('one', [ map { { %{ $users[$_] }, dependsOn => $parents[$_] } } 0 .. 3 ], %much);
		my $notices = join ' ', @{ completes($name, 'one')->{notices} };
		is(join(' ', uniq $notices =~ /memory for (\d+)/g), $requests, "$name: memory for so many requests of each");
	}
};

subtest 'those that depend on others' => sub
{
	job('diamond', [ behind('last', 'left', 'right'), step('left', '/users?fault=gate:2:name=middle', dependsOn => ['first']),
			step('right', '/posts?fault=gate:2:name=middle', dependsOn => ['first']), paged('first', '/data') ]);
	completes('diamond', 'diamond');
	is(rows('first') . ' ' . rows('left') . ' ' . rows('right') . ' ' . rows('last'), '1000|1000 100|100 100|100 1|1', 'all rows');
	cmp_ok(max(numbers('/data')), '<', min(numbers('/users'), numbers('/posts')), 'those in the middle wait for the first');
	cmp_ok(max(numbers('/users'), numbers('/posts')), '<', min(numbers('/updated_data')), 'the last waits for both');
	is(sql(q(SELECT count(*) FROM databite.checkpoint WHERE job_id = 'diamond')), '0', 'no checkpoint is left');

	# A step that comes late has its part, though the first has more listings than there may be requests.
	job('late', [ step('parents', '/customers?size=8'),
			step('children', '/paging/cursor/orders?p={{parents.id}}&size=600&fault=delay:40', dependsOn => ['parents'],
				source => { pagination => { type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor' } }),
			step('before', '/test-data?size=1&fault=gate:name=late'), paged('late', '/products?fault=delay:10', dependsOn => ['before']) ]);
	my $run = sql(q(SELECT databite.enqueue_job('late')));
	$api->wait_for_request('/paging/cursor/orders', 4);
	$api->control({ open => ['late'] });
	wait_for_sql($node, 'postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run");
	cmp_ok(max(map { $_->{in_flight} } @{ $api->requests }), '<=', 4, 'late: four requests in flight in the whole run');
	cmp_ok(max(numbers('/products')), '<', max(numbers('/paging/cursor/orders')), 'late: it is not made to wait for the end of the other');
	is(rows('children') . ' ' . rows('late'), '4800|600 200|200', 'late: all rows, though listings have waited');

	# All of it where there is no other.
	$api->clear_requests;
	job('alone', [ paged('first', '/users'), step('parents', '/customers?size=8', dependsOn => ['first']),
			step('children', '/orders?size=10&p={{parents.id}}&fault=delay:200', dependsOn => ['parents']) ], performance => { concurrency => 3 });
	completes('alone', 'alone');
	is(max(map { $_->{in_flight} } @{ $api->requests('/orders') }), 3, 'alone: as many as there may be');
};

subtest 'sources at hand beside one that is slow' => sub
{
	my @items = map { { id => $_ } } 1 .. 3000;
	my @local = (
		{ id => 'query', source => { type => 'sql', query => 'SELECT g AS id FROM generate_series(1, 20000) AS g' } },
		{ id => 'inline', source => { type => 'inline', items => \@items } });
	$_->{destination} = { type => 'database', table => "t_$_->{id}", mode => 'insert' } for @local;
	$_->{transform} = { id => '{{item.id}}' } for @local;
	job('hand', [ step('slow', '/users?fault=gate:name=slow'), @local, behind('after', 'query', 'inline') ]);
	my $run = sql(q(SELECT databite.enqueue_job('hand')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM t_after));
	is(rows('query') . ' ' . rows('inline'), '20000|20000 3000|3000', 'they, and who waits for them, end while the slow one waits');
	is(sql(q(SELECT step, in_flight, waiting_for, items FROM databite.progress)), 'slow|1|response|23001', 'which is all that is left');
	is(sql(q(SELECT string_agg(step_id, ' ' ORDER BY step_id) FROM databite.cursors WHERE last_sync_time IS NOT NULL AND job_id = 'hand')), 'after inline query',
		'their state is kept');
	$api->control({ open => ['slow'] });
	wait_for_sql($node, 'postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run");
	is(sql("SELECT records_processed, records_inserted, step FROM databite.runs WHERE run_id = $run"), '23101|23101|slow', 'completed by the one that ends last');
};

subtest 'a step that waits for its next try' => sub
{
	job('retried', [ step('waits', '/posts?fault=status:503', source => { retry => { attempts => 2, delay => '1h', maxDelay => '1h', backoff => 'fixed' } }),
			paged('goes_on', '/data'), behind('after', 'goes_on') ]);
	sql(q(SELECT databite.enqueue_job('retried')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM t_after));
	is(rows('goes_on'), '1000|1000', 'the others go on');
	wait_for_sql($node, 'postgres', q(SELECT waiting_for = 'retry' AND step = 'waits' FROM databite.progress));
	sql(q(SELECT databite.cancel_job('retried')));
	wait_for_sql($node, 'postgres', q(SELECT status = 'cancelled' FROM databite.runs WHERE job_id = 'retried'));
	is(rows('goes_on') . ' ' . rows('after'), '1000|1000 1|1', 'cancelled: what the others have written stays');
};

subtest 'watching and cancelling two at once' => sub
{
	job('watched', [ paged('one', '/users?size=500&fault=gate:name=x:beyond=200'), paged('two', '/posts?fault=gate:name=x:beyond=100') ]);
	sql(q(SELECT databite.enqueue_job('watched')));
	wait_for_sql($node, 'postgres', q(SELECT items = 300 AND in_flight = 2 FROM databite.progress));
	is(sql(q(SELECT step, pages, items, requests, waiting_for FROM databite.progress)), 'one, two|4|300|5|response', 'both are seen');
	sql(q(SELECT databite.cancel_job('watched')));
	wait_for_sql($node, 'postgres', q(SELECT status = 'cancelled' FROM databite.runs WHERE job_id = 'watched'));
	is(sql(q(SELECT error ->> 'step' FROM databite.runs WHERE job_id = 'watched')), '', 'the cancel is that of no step');
	is(sql(q(SELECT records_processed FROM databite.runs WHERE job_id = 'watched')), sql('SELECT (SELECT count(*) FROM t_one) + (SELECT count(*) FROM t_two)'),
		'what is written is counted');
};

# Two steps that insert, of which the second fails at its third page as long as the test wants.
sub beside_a_failing_one
{
	my ($id, %more) = @_;
	return job($id, [ paged('done', '/customers?size=30'), paged('good', '/users?size=1000&fault=gate:name=good:beyond=400', destination => { batchSize => 150 }),
			paged('bad', '/posts?size=800&fault=status:400:scope=path:times=1:beyond=200,gate:name=bad:beyond=200', destination => { batchSize => 70 }) ], %more);
}

subtest 'a step that fails beside a good one' => sub
{
	beside_a_failing_one('failing');
	my $run = sql(q(SELECT databite.enqueue_job('failing')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) >= 300 FROM t_good));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 30 FROM t_done));
	$api->wait_for_request('/users', 5);
	$api->control({ open => ['bad'] });
	wait_for_sql($node, 'postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run");
	is(sql("SELECT error ->> 'step', error #>> '{request,status}', error ->> 'context' FROM databite.runs WHERE run_id = $run"),
		qq(bad|400|job "failing", run $run, step "bad", page 3), 'the error names its step and page');
	my $good = sql('SELECT count(*) FROM t_good');
	cmp_ok($good, '>=', 300, 'what the good one has written stays');

	$api->control({ open => ['good'] });
	$api->clear_requests;
	completes('the next run', 'failing');
	is(rows('done') . ' ' . rows('good') . ' ' . rows('bad'), '30|30 1000|1000 800|800', 'each row once');
	is(sql(q(SELECT sum(records_processed), sum(records_inserted) FROM databite.runs WHERE job_id = 'failing')), '1830|1830', 'each counted once');
	is(scalar(@{ $api->requests('/customers') }), 0, 'the step that was done is not asked again');

	# In one transaction nothing stays.
	beside_a_failing_one('failing');
	$api->control({ open => [ 'bad', 'good' ] });
	my $result = execute_job($node, 'postgres', 'failing');
	is("$result->{status} $result->{error}{step} $result->{records_processed}", 'failed bad 0', 'execute_job fails as well');
	is(rows('good') . ' ' . rows('done'), '0|0 0|0', 'and nothing stays');

	# All items of a step are rejected, which is found with its last batch.
	my $steps = [ paged('good', '/users?size=1000&fault=gate:name=good:beyond=400', destination => { batchSize => 150 }),
		paged('bad', '/posts?fault=gate:name=bad', validation => { id => '{{item.id > 100}}' }) ];
	job('rejecting', $steps);
	$run = sql(q(SELECT databite.enqueue_job('rejecting')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) >= 300 FROM t_good));
	$api->control({ open => ['bad'] });
	wait_for_sql($node, 'postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run");
	is(sql("SELECT error ->> 'message', error ->> 'step' FROM databite.runs WHERE run_id = $run"), 'every item was rejected|bad', 'rejecting: the error');
	is(sql(q(SELECT count(*) FROM databite.checkpoint WHERE job_id = 'rejecting')), '1', 'rejecting: the other one goes on');
	$api->control({ reset => JSON::PP::true, open => ['good'] });
	sql(q(SELECT databite.enqueue_job('rejecting')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) >= 1000 FROM t_good));
	is(rows('good'), '1000|1000', 'rejecting: and has each row once');
	$api->control({ open => ['bad'] });
	wait_for_runs($node, 'postgres', 'rejecting', 2, 'failed');
};

subtest 'other ways to go on after errors' => sub
{
	job('partial', [ paged('good', '/users?size=300&fault=gate:name=good:beyond=100'), paged('bad', '/posts?size=300&fault=status:400:beyond=100'), behind('after', 'bad') ],
		errorHandling => { strategy => 'partial_success' });
	my $run = sql(q(SELECT databite.enqueue_job('partial')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM t_after));
	$api->control({ open => ['good'] });
	wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
	is(sql("SELECT status, error ->> 'step', error ->> 'requests_failed', records_processed FROM databite.runs WHERE run_id = $run"), 'partial|bad|1|401', 'partial success');
	is(rows('good') . ' ' . rows('bad'), '300|300 100|100', 'has what could be had');
	is(sql(q(SELECT string_agg(step_id, ' ' ORDER BY step_id) FROM databite.cursors WHERE job_id = 'partial' AND last_sync_time IS NOT NULL)), 'after good',
		'and the state of the others moves on');

	beside_a_failing_one('again', errorHandling => { strategy => 'retry_with_backoff', maxRetries => 2, retryDelay => 10 });
	sql(q(SELECT databite.enqueue_job('again')));
	$api->wait_for_request('/users', 5);
	$api->control({ open => [ 'bad', 'good' ] });
	wait_for_runs($node, 'postgres', 'again', 1);
	is(rows('done') . ' ' . rows('good') . ' ' . rows('bad'), '30|30 1000|1000 800|800', 'retry_with_backoff: each row once');
	is(sql(q(SELECT sum(records_processed), count(*) FROM databite.runs WHERE job_id = 'again')), '1830|2', 'retry_with_backoff: counted once in two runs');

	# A batch that is refused at first holds up the run, and no more.
	job('batch', [ paged('good', '/data'), paged('bad', '/posts') ], errorHandling => { onBatchError => 'retry_batch', maxRetries => 5, retryDelay => 10, backoff => 'fixed' });
	sql(q(CREATE SEQUENCE tries; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('tries') < 3 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '08006'; END IF; RETURN NULL; END $$;
		CREATE TRIGGER refuse AFTER INSERT ON t_bad FOR EACH STATEMENT EXECUTE FUNCTION refuse()));
	completes('retry_batch', 'batch');
	is(rows('good') . ' ' . rows('bad'), '1000|1000 100|100', 'retry_batch: each row once');
};

subtest 'the time of the run is over' => sub
{
	job('timed', [ paged('one', '/users?size=300&fault=gate:name=x:beyond=100'), paged('two', '/posts?size=200&fault=gate:name=x:beyond=100') ], performance => { timeout => '2s' });
	my $run = enqueue_and_wait($node, 'postgres', 'timed');
	is("$run->{status} $run->{error}{code}", 'failed 53400', 'failed');
	is(rows('one') . ' ' . rows('two'), '100|100 100|100', 'what both have read is written');
	$api->control({ open => ['x'] });
	completes('the next run', 'timed');
	is(rows('one') . ' ' . rows('two'), '300|300 200|200', 'goes on there');
	is(sql(q(SELECT sum(records_processed) FROM databite.runs WHERE job_id = 'timed')), '500', 'each counted once');
};

subtest 'whole listings beside others' => sub
{
	job('whole', [ paged('replaced', '/users?size=300&fault=gate:name=x:beyond=200', destination => { mode => 'replace' }),
			paged('missing', '/orders?size=400&fault=gate:name=x:beyond=200', destination => { mode => 'upsert', deletes => { missing => 'hard', maxFraction => 1 } }),
			paged('plain', '/posts?fault=gate:name=x:beyond=100') ]);
	sql('INSERT INTO t_replaced VALUES (-1); INSERT INTO t_missing VALUES (-1)');
	sql(q(SELECT databite.enqueue_job('whole')));
	wait_for_sql($node, 'postgres', q(SELECT in_flight = 3 AND items = 500 FROM databite.progress));
	is(sql('SELECT count(*) FROM t_replaced'), '1', 'readers see the old table meanwhile');
	$api->control({ open => ['x'] });
	wait_for_runs($node, 'postgres', 'whole', 1);
	is(rows('replaced') . ' ' . rows('missing') . ' ' . rows('plain'), '300|300 400|400 100|100', 'each has what its listing has');
	is(sql('SELECT (SELECT min(id) FROM t_replaced), (SELECT min(id) FROM t_missing)'), '1|1', 'and nothing else');
	is(sql('SELECT count(*) FROM databite.stage'), '0', 'no stage is left');
};

subtest 'parallel writers beside another step' => sub
{
	my %pool = (mode => 'parallel_insert', batchSize => 100, connectionPool => { min => 2, max => 2 });
	my @steps = (paged('one', '/users?size=2000&fault=gate:name=x:beyond=1000', destination => {%pool}),
		paged('two', '/posts?size=2000&fault=gate:name=x:beyond=1000', destination => {%pool}), paged('three', '/data?fault=gate:name=x:beyond=500'));
	job('writers', \@steps);
	my $run = sql(q(SELECT databite.enqueue_job('writers')));
	$api->wait_for_request('/posts', 11);
	is(sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite writer')), '4', 'each step has its own');
	$api->control({ open => ['x'] });
	wait_for_sql($node, 'postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run");
	is(rows('one') . ' ' . rows('two') . ' ' . rows('three'), '2000|2000 2000|2000 1000|1000', 'each row once');
	is(sql("SELECT records_processed, records_inserted FROM databite.runs WHERE run_id = $run"), '5000|5000', 'counted once');

	# One that fails ends the writers of the others, and what they have committed is known.
	job('writers', [ @steps[ 0, 1 ], paged('three', '/data?fault=status:400:scope=path:times=1:beyond=500,gate:name=bad:beyond=500') ]);
	$run = sql(q(SELECT databite.enqueue_job('writers')));
	$api->wait_for_request('/posts', 11);
	$api->control({ open => ['bad'] });
	wait_for_sql($node, 'postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run");
	is(sql("SELECT error ->> 'step' FROM databite.runs WHERE run_id = $run"), 'three', 'failed: the step');
	is(sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite writer')), '0', 'failed: no writer is left');
	$api->control({ open => ['x'] });
	completes('the next run', 'writers');
	is(rows('one') . ' ' . rows('two') . ' ' . rows('three'), '2000|2000 2000|2000 1000|1000', 'failed: each row once in the end');
	is(sql(q(SELECT sum(records_processed) FROM databite.runs WHERE job_id = 'writers' AND run_id >= ) . $run), '5000', 'failed: counted once');
};

# Last, as the server goes down with it.
subtest 'kill -9 with two half done' => sub
{
	beside_a_failing_one('killed');
	my $run = sql(q(SELECT databite.enqueue_job('killed')));
	wait_for_sql($node, 'postgres', q(SELECT count(*) > 0 FROM t_good));
	wait_for_sql($node, 'postgres', q(SELECT count(*) > 0 FROM t_bad));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.cursors WHERE job_id = 'killed' AND step_id = 'done' AND last_sync_time IS NOT NULL));
	kill 'KILL', sql("SELECT pid FROM databite.progress WHERE run_id = $run");
	ok(wait_for_server($node, "SELECT count(*) = 1 FROM databite.progress WHERE run_id IN (SELECT run_id FROM databite.runs WHERE resumes = $run) AND in_flight = 2"),
		'killed, and another run goes on with both');
	is(sql('SELECT count(*), max(step) FROM databite.progress'), '1|good, bad', 'but not with the one that is done');

	# It fails at once, in the first step, before it has looked at the second, which must not be done twice.
	sql(q(SELECT databite.cancel_job('killed')));
	wait_for_sql($node, 'postgres', "SELECT status = 'cancelled' FROM databite.runs WHERE resumes = $run");
	sql('ALTER TABLE t_good RENAME COLUMN id TO other');
	is(enqueue_and_wait($node, 'postgres', 'killed')->{error}{step}, 'good', 'a run that fails before the other step begins');
	sql('ALTER TABLE t_good RENAME COLUMN other TO id');
	$api->control({ reset => JSON::PP::true, open => [ 'good', 'bad' ] });
	is(enqueue_and_wait($node, 'postgres', 'killed')->{status}, 'failed', 'another that fails in the middle');
	completes('the last run', 'killed');
	is(rows('done') . ' ' . rows('good') . ' ' . rows('bad'), '30|30 1000|1000 800|800', 'each row once');
	is(sql(q(SELECT sum(records_processed), sum(records_inserted) FROM databite.runs WHERE job_id = 'killed')), '1830|1830', 'each counted once');
	is(scalar(@{ $api->requests('/customers') }), 0, 'the step that was done is not asked again');
	is(sql(q(SELECT count(*) FROM databite.checkpoint WHERE job_id = 'killed')), '0', 'no checkpoint is left');
};

$node->stop;

# A rate that steps share by its key is one also where there is no shared memory.
subtest 'a shared rate' => sub
{
	my $plain = databite_node('plain', preload => 0);
	my %source = (rateLimit => { requestsPerSecond => 10, burstLimit => 1, key => 'both' });
	my @steps = map { paged($_, "/users?size=400&step=$_", source => {%source}) } qw(one two);
	$plain->safe_psql('postgres', 'CREATE EXTENSION databite; CREATE TABLE t_one (id bigint); CREATE TABLE t_two (id bigint)');
	$api->control({ reset => JSON::PP::true });
	schedule_job($plain, 'postgres', { id => 'rate', steps => \@steps });
	is(execute_job($plain, 'postgres', 'rate')->{records_inserted}, 800, 'all rows');
	my @times = sort { $a <=> $b } map { $_->{time} } @{ $api->requests };
	cmp_ok($times[-1] - $times[0], '>', 0.1 * $#times - 0.25, 'no more requests than the rate lets through');
	$plain->stop;
};

$api->stop;
done_testing();
