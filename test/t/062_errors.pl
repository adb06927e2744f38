# What a run does about errors of its source and of its batches: it goes on without a request that failed, ends in time,
# waits between the tries of a batch, and writes again what it had rejected.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

sub last_run
{
	my ($job, $columns) = @_;
	return sql("SELECT $columns FROM databite.runs WHERE job_id = '$job' ORDER BY run_id DESC LIMIT 1");
}

# CALL: what it says on standard error, '' where it raises nothing.
sub call
{
	my ($job) = @_;
	my (undef, undef, $err) = $node->psql('postgres', "SET client_min_messages = error; CALL databite.run_job('$job')");
	return $err;
}

# Until the row is there for which the condition holds.
sub wait_until
{
	my ($condition) = @_;
	return wait_for_sql($node, 'postgres', "SELECT count(*) > 0 FROM $condition");
}

sql('CREATE EXTENSION databite');
my %once = (retry => { attempts => 2, delay => 1 });
my %partial = (errorHandling => { strategy => 'partial_success' });

subtest 'parents of which one cannot be asked' => sub
{
	my $orders = $api->url('/customers/{{customers.id}}/orders') . q(?fault={{ customers.id % 10 == 3 ? 'status:500' : 'delay:1' }});
	my %job = (
		id => 'parents', %partial, performance => { concurrency => 3 },
		steps => [
			{ id => 'customers', source => { type => 'api', url => $api->url('/customers'), %once },
			  destination => { type => 'database', table => 'customers', key => 'id' } },
			{ id => 'orders', dependsOn => ['customers'], source => { type => 'api', url => $orders, %once },
			  destination => { type => 'database', table => 'orders', key => 'id' } },
			{ id => 'users', source => { type => 'api', url => $api->url('/users'), %once },
			  destination => { type => 'database', table => 'users', key => 'id' } }]);
	schedule_job($node, 'postgres', \%job);
	my $run = enqueue_and_wait($node, 'postgres', 'parents');
	is($run->{status}, 'partial', 'the run is partial');
	is(sql('SELECT count(*), count(DISTINCT customer_id) FROM orders'), '900|45', 'with the orders of all other customers');
	is(sql('SELECT count(*) FROM users'), '100', 'and the step behind it');
	is(last_run('parents', "error ->> 'code', error ->> 'step', error ->> 'requests_failed', error ->> 'items_rejected', error -> 'request' ->> 'status'"),
		'http_status|orders|5|0|500', 'its error is the first, and how many there were');
	is(last_run('parents', "(SELECT count(*) FROM unnest(notices) AS n WHERE n LIKE 'step \"orders\": a listing ended at page 1, %')"), '5', 'history says which');
	is(sql(q(SELECT step_id, last_sync_time IS NOT NULL FROM databite.cursors WHERE job_id = 'parents' ORDER BY step_id)),
		"customers|t\nusers|t", 'the step that is not complete has no time of its last sync');
	is(call('parents'), '', 'CALL raises nothing');
	is(last_run('parents', 'status, records_unchanged'), 'partial|1050', 'and is partial');
	is(sql(q(SELECT status, success, error ->> 'requests_failed' FROM databite.execute_job('parents'))), 'partial|f|5', 'as is execute_job');
};

subtest 'windows of which one cannot be asked' => sub
{
	my $times = sql(q(SELECT min(updated_at), max(updated_at) FROM orders));
	my ($from, $to) = $times =~ /^(\d+-\d+-\d+).*\|(\d+-\d+-\d+)/;
	my $days = sql("SELECT ceil(extract(epoch FROM '$to'::timestamptz + interval '1 day' - '$from'::timestamptz) / 86400 / 10)::int");
	my $third = sql("SELECT to_char(('$from'::timestamptz + interval '1 day' * $days * 2) AT TIME ZONE 'UTC', 'YYYY-MM-DD')");
	my $definition = sub
	{
		my ($fault) = @_;
		return { id => 'windows', %partial,
			source => { type => 'api', %once,
				url => $api->url('/orders?updated_since={{window.from}}&updated_before={{window.to}}') . $fault,
				incremental => { initialValue => "${from}T00:00:00Z", end => sql("SELECT to_char('$to'::timestamptz + interval '1 day', 'YYYY-MM-DD')") . 'T00:00:00Z', step => "${days}d" } },
			destination => { type => 'database', table => 'windows', key => 'id' } };
	};
	schedule_job($node, 'postgres', $definition->(qq(&fault={{ window.from | slice(0, 10) == '$third' ? 'status:500' : 'delay:1' }})));
	is(enqueue_and_wait($node, 'postgres', 'windows')->{status}, 'partial', 'the run is partial');
	my $missing = sql('SELECT 1000 - count(*) FROM windows');
	cmp_ok($missing, '>', 0, 'and has not all');
	cmp_ok(sql("SELECT count(*) FROM windows WHERE updated_at > '$third'"), '>', 0, 'but what is behind the window');
	is(sql(q(SELECT left("cursor", 10) FROM databite.cursors WHERE job_id = 'windows')), $third, 'the cursor stays before the window');
	sql(qq(UPDATE databite.job SET definition = '@{[ encode_json($definition->('')) ]}' WHERE job_id = 'windows'));
	$api->clear_requests;
	is(enqueue_and_wait($node, 'postgres', 'windows')->{status}, 'completed', 'the next run is completed');
	is(sql('SELECT count(*) FROM windows'), '1000', 'with the rest');
	my @asked = sort map { $_->{query}{updated_since} } @{ $api->requests };
	like($asked[0], qr/^$third/, 'and has asked from there on');
};

subtest 'a page in the middle' => sub
{
	my %job = (
		id => 'pages', %partial,
		source => { type => 'api', url => $api->url('/paging/offset/envelope/results/orders?fault=status:500:beyond=500'), %once,
			incremental => { cursorField => 'updated_at' },
			pagination => { type => 'offset', limit => 100, totalPath => 'total' } },
		destination => { type => 'database', table => 'pages', key => 'id' });
	for my $concurrency (1, 4)
	{
		sql('DROP TABLE IF EXISTS pages');
		$job{performance} = { concurrency => $concurrency };
		schedule_job($node, 'postgres', \%job);
		is(enqueue_and_wait($node, 'postgres', 'pages')->{status}, 'partial', "$concurrency at a time: partial");
		is(sql('SELECT count(*) FROM pages'), '500', 'what came before it is there');
		is(sql(q(SELECT count(*) FROM databite.cursors WHERE job_id = 'pages' AND cursor IS NOT NULL)), '0', 'the cursor has not moved');
		is(sql(q(SELECT count(*) FROM databite.checkpoint WHERE job_id = 'pages')), '0', 'and the next run begins anew');
	}

	# A limit of pages that is hit.
	for my $concurrency (1, 4)
	{
		sql('TRUNCATE pages');
		$job{performance} = { concurrency => $concurrency };
		$job{source}{url} = $api->url('/paging/offset/envelope/results/orders?fault=jitter:100');
		$job{source}{pagination}{maxPages} = 3;
		schedule_job($node, 'postgres', \%job);
		is(enqueue_and_wait($node, 'postgres', 'pages')->{status}, 'partial', "too many pages, $concurrency at a time: partial");
		is(last_run('pages', "error ->> 'requests_failed'"), '1', 'for one listing');
		is(sql('SELECT count(*) FROM pages'), '300', 'with the pages up to there');
	}

	# Bytes that are no page: the items before them are there.
	$job{source} = { type => 'api', url => $api->url('/users?fault=badjson'), %once };
	schedule_job($node, 'postgres', \%job);
	is(enqueue_and_wait($node, 'postgres', 'pages')->{status}, 'partial', 'a body that breaks: partial');
	is(last_run('pages', "error ->> 'requests_failed', records_processed > 0"), '1|t', 'with the items before that');
};

subtest 'nothing to be had' => sub
{
	my %job = (id => 'nothing', %partial,
		source => { type => 'api', url => $api->url('/users?fault=status:500'), %once },
		destination => { type => 'database', table => 'nothing', key => 'id', schema => { id => 'integer' } });
	schedule_job($node, 'postgres', \%job);
	is(enqueue_and_wait($node, 'postgres', 'nothing')->{status}, 'failed', 'the only request fails: so has the run');
	is(last_run('nothing', "error ->> 'code', error -> 'request' ->> 'status', error ->> 'requests_failed'"), 'http_status|500|1', 'for that');
	like(call('nothing'), qr/server answered with status 500/, 'and CALL raises it');

	# Who asks to be left alone for long is.
	$job{source}{url} = $api->url('/users?fault=status:429:retry_after=3600');
	$job{schedule} = { type => 'interval', days => 1 };
	schedule_job($node, 'postgres', \%job);
	is(enqueue_and_wait($node, 'postgres', 'nothing')->{status}, 'failed', 'a server that asks for an hour');
	is(sql(q(SELECT next_run_at BETWEEN now() + '50 minutes' AND now() + '61 minutes' OR next_run_at > now() + '61 minutes' FROM databite.jobs WHERE job_id = 'nothing')), 't', 'gets it');
	sql(q(SELECT databite.pause_job('nothing')));

	# Nobody to ask without a token.
	sql(q(SELECT databite.set_token('id', 'x'), databite.set_token('secret', 'y')));
	$job{source} = { type => 'api', url => $api->url('/users'), %once,
		auth => { type => 'oauth2', grant => 'client_credentials', tokenUrl => $api->url('/users?fault=status:500'), clientId => '{{tokens.id}}', clientSecret => '{{tokens.secret}}' } };
	delete $job{schedule};
	schedule_job($node, 'postgres', \%job);
	is(enqueue_and_wait($node, 'postgres', 'nothing')->{status}, 'failed', 'no token: failed');
};

subtest 'partial_success_sync' => sub
{
	my $url = $api->url('/batch_data');
	sql('CREATE TABLE batch_data (id int PRIMARY KEY CHECK (id <> 17), name text)');
	schedule_job($node, 'postgres', decode_json(<<"JSON"));
{
  "id": "partial_success_sync",
  "name": "Partial Success Sync",
  "source": { "type": "api", "url": "$url", "batchSize": 100 },
  "destination": { "type": "database", "table": "batch_data", "mode": "batch_insert" },
  "errorHandling": { "strategy": "partial_success", "onItemError": "log_and_continue", "onBatchError": "retry_batch" }
}
JSON
	is(enqueue_and_wait($node, 'postgres', 'partial_success_sync')->{status}, 'partial', 'is partial');
	is(last_run('partial_success_sync', "records_processed = 1000, records_inserted, records_rejected"), 't|999|1', 'for one item');
};

subtest 'performance.timeout' => sub
{
	my %job = (
		id => 'slow', performance => { concurrency => 1, timeout => 1500 },
		source => { type => 'api', url => $api->url('/paging/offset/envelope/results/orders?fault=delay:300'), %once,
			pagination => { type => 'offset', limit => 100, totalPath => 'total' } },
		destination => { type => 'database', table => 'slow', key => 'id', schema => { id => 'integer', total => 'numeric' } });
	schedule_job($node, 'postgres', \%job);
	is(enqueue_and_wait($node, 'postgres', 'slow')->{status}, 'failed', 'the worker: failed');
	is(last_run('slow', "error ->> 'code', error ->> 'message', duration < '2.2 s'"),
		'53400|the run took longer than performance.timeout (1.5 s)|t', 'in time');
	my $first = sql('SELECT count(*) FROM slow');
	cmp_ok($first, '>=', 100, 'with what it has read');
	cmp_ok($first, '<', 1000, 'and not all');
	is(last_run('slow', 'records_inserted'), $first, 'counted');
	my $runs = 1;
	while (sql('SELECT count(*) FROM slow') < 1000 && $runs++ < 10)
	{
		call('slow');
	}
	is(last_run('slow', 'status'), 'completed', 'the next runs go on there');
	is(sql(q(SELECT sum(records_processed), sum(records_inserted) FROM databite.runs WHERE job_id = 'slow')), '1000|1000', 'so that each item is written once');

	my $error = sql(q(SELECT databite.reset_job('slow'); TRUNCATE slow; SELECT status, error ->> 'code', records_inserted FROM databite.execute_job('slow')));
	like($error, qr/^failed\|53400\|0$/m, 'execute_job: failed');
	is(sql('SELECT count(*) FROM slow'), '0', 'with nothing written, as it is one transaction');

	# All waits end: for an answer, for the next try, for the rate limit.
	$job{source} = { type => 'api', url => $api->url('/users?fault=silent'), %once };
	schedule_job($node, 'postgres', \%job);
	like(call('slow'), qr/ERROR:  the run took longer than performance.timeout/, 'an answer that does not come');
	is(last_run('slow', "duration < '2.2 s'"), 't', 'is not waited for');
	$job{source} = { type => 'api', url => $api->url('/users?fault=status:503'), retry => { attempts => 9, delay => 60000 } };
	schedule_job($node, 'postgres', \%job);
	like(call('slow'), qr/ERROR:  the run took longer than performance.timeout/, 'nor is the next try');
	$job{source} = { type => 'api', url => $api->url('/paging/offset/orders'), rateLimit => { requestsPerMinute => 2 }, pagination => { type => 'offset', limit => 100 } };
	schedule_job($node, 'postgres', \%job);
	like(call('slow'), qr/ERROR:  the run took longer than performance.timeout/, 'nor the rate limit');
	is(sql(q(SELECT count(*) FROM slow)), '100', 'and what came before is there');
	$job{source} = { type => 'sql', query => 'SELECT i AS id FROM generate_series(1, 5000) i' };
	$job{destination}{batchSize} = 100;
	sql(q(CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$;
		CREATE TRIGGER wait BEFORE INSERT ON slow FOR EACH STATEMENT EXECUTE FUNCTION wait()));
	schedule_job($node, 'postgres', \%job);
	like(call('slow'), qr/ERROR:  the run took longer than performance.timeout/, 'a table that is slow: at the end of a batch');
	cmp_ok(sql(q(SELECT count(*) FROM slow)) % 100, '==', 0, 'whole batches');
};

subtest 'a batch that waits to be tried again' => sub
{
	sql(q(CREATE TABLE waits (id int PRIMARY KEY);
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now' USING ERRCODE = '55000'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON waits FOR EACH STATEMENT EXECUTE FUNCTION refuse()));
	schedule_job($node, 'postgres', { id => 'waits', source => { type => 'inline', items => [ { id => 1 } ] },
		destination => { type => 'database', table => 'waits' }, errorHandling => { onBatchError => 'retry_batch', retryDelay => '1h', backoff => 'fixed' } });
	sql(q(SELECT databite.enqueue_job('waits')));
	wait_until(q(databite.progress WHERE job_id = 'waits' AND waiting_for = 'batch retry' AND waiting_until > now() + '10 minutes'));
	pass('progress says so');
	is(sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite runner' AND (backend_xmin IS NOT NULL OR xact_start IS NOT NULL))), '0', 'no transaction is open');
	is(sql(q(SELECT databite.cancel_job('waits'))), 't', 'it can be cancelled');
	wait_for_runs($node, 'postgres', 'waits', 1, 'cancelled');
	pass('and is');
};

subtest 'a constraint that fails at the commit of the worker' => sub
{
	sql(q(CREATE TABLE known (id int PRIMARY KEY); INSERT INTO known VALUES (1), (2), (5);
		CREATE TABLE refers (id int PRIMARY KEY REFERENCES known DEFERRABLE INITIALLY DEFERRED)));
	schedule_job($node, 'postgres', { id => 'refers', source => { type => 'inline', items => [ map { { id => $_ } } 1 .. 5 ] },
		destination => { type => 'database', table => 'refers', batchSize => 2 }, errorHandling => { onBatchError => 'log_and_continue' } });
	is(enqueue_and_wait($node, 'postgres', 'refers')->{status}, 'completed', 'the run goes on');
	is(sql('SELECT array_agg(id ORDER BY id) FROM refers'), '{1,2,5}', 'with the batches that fit');
	is(sql(q(SELECT item ->> 'id', error_code, "column", "constraint" FROM databite.rejected_items WHERE job_id = 'refers' ORDER BY id)),
		"3|23503|id|refers_id_fkey\n4|23503|id|refers_id_fkey", 'and the items of the one that does not');
};

# What was left out is so also for the run that goes on after a cancel.
subtest 'a partial run that is taken up again' => sub
{
	sql('CREATE TABLE some_orders (id int); CREATE TABLE some_users (id int)');
	schedule_job($node, 'postgres', { id => 'again', %partial, performance => { concurrency => 1 },
		steps => [
			{ id => 'customers', source => { type => 'api', url => $api->url('/customers?size=3'), %once },
			  destination => { type => 'database', table => 'some_customers', key => 'id' } },
			{ id => 'orders', dependsOn => ['customers'], source => { type => 'api', %once,
				url => $api->url('/customers/{{customers.id}}/orders') . q(?fault={{ customers.id == 1 ? 'status:500:times=2' : 'delay:1' }}) },
			  destination => { type => 'database', table => 'some_orders', mode => 'insert' }, transform => { id => '{{item.id}}' } },
			{ id => 'users', source => { type => 'api', url => $api->url('/paging/offset/users?fault=delay:400'), %once, pagination => { type => 'offset', limit => 20 } },
			  destination => { type => 'database', table => 'some_users', mode => 'insert' }, transform => { id => '{{item.id}}' } }]});
	sql(q(SELECT databite.enqueue_job('again')));
	wait_until('some_users');
	sql(q(SELECT databite.cancel_job('again')));
	wait_for_runs($node, 'postgres', 'again', 1, 'cancelled');
	is(enqueue_and_wait($node, 'postgres', 'again')->{status}, 'partial', 'partial');
	is(last_run('again', "error ->> 'code', error ->> 'requests_failed'"), 'partial|0', 'though nothing has failed in it');
	is(sql('SELECT count(*), count(DISTINCT id) FROM some_users'), '100|100', 'the step goes on');
	is(sql('SELECT count(*), count(DISTINCT id) FROM some_orders'), '40|40', 'and the one before is not done again');
	is(sql(q(SELECT string_agg(step_id, ' ' ORDER BY step_id) FROM databite.cursors WHERE job_id = 'again')), 'customers users', 'nor has it a time of its last sync');
	is(enqueue_and_wait($node, 'postgres', 'again')->{status}, 'completed', 'the run after that asks for all');
	is(sql('SELECT count(DISTINCT id) FROM some_orders'), '60', 'and gets it');
};

# What a replayed item had in common with its page, and what its run was told.
subtest 'the context of a rejected item' => sub
{
	sql('CREATE TABLE in_context (id int PRIMARY KEY, page int, parent text, total int, told text)');
	schedule_job($node, 'postgres', { id => 'in_context',
		steps => [
			{ id => 'customers', source => { type => 'inline', items => [ { id => 7, name => 'seven' } ] },
			  destination => { type => 'database', table => 'one_customer', key => 'id' } },
			{ id => 'orders', dependsOn => ['customers'],
			  source => { type => 'api', url => $api->url('/paging/offset/envelope/results/orders?customer_id={{customers.id}}'), pagination => { type => 'offset', limit => 5, totalPath => 'total' } },
			  destination => { type => 'database', table => 'in_context', onError => 'log_and_continue' },
			  transform => { id => '{{item.id}}', page => '{{page.number}}', parent => '{{customers.id}}', total => '{{response.total}}', told => '{{payload.word}}' } }]});
	sql('ALTER TABLE in_context ADD CONSTRAINT first_page CHECK (page <> 2)');
	sql(q(SELECT databite.enqueue_job('in_context', '{"word": "hello"}')));
	wait_for_runs($node, 'postgres', 'in_context', 1);
	is(last_run('in_context', 'records_rejected'), '5', 'a page is rejected');
	is(sql(q(SELECT count(*) FROM in_context WHERE page = 2)), '0', 'and not there');
	sql('ALTER TABLE in_context DROP CONSTRAINT first_page');
	is(sql(q(SELECT status, records_inserted FROM databite.replay_rejected('in_context'))), 'completed|5', 'it is replayed');
	is(sql(q(SELECT page, parent, total, told, count(*) FROM in_context WHERE page IN (1, 2) GROUP BY 1, 2, 3, 4 ORDER BY 1)),
		"1|7|20|hello|5\n2|7|20|hello|5", 'with all that it had');
};

$node->stop;
$api->stop;
done_testing();
