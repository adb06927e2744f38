# The main job end to end: scheduled by SQL, run by the worker on time, rows in
# the table, status and history say so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');

subtest 'an interval job runs by itself, again and again' => sub
{
	my $url = $api->url('/users');
	is( sql(qq(SELECT databite.schedule_job('{
			"id": "users", "source": {"type": "api", "url": "$url"},
			"destination": {"type": "database", "table": "users"},
			"schedule": {"type": "interval", "seconds": 1}}'))),
		'users', 'schedule_job returns the id');
	ok($node->poll_query_until('postgres',
			"SELECT count(*) >= 2 FROM databite.runs WHERE job_id = 'users' AND status = 'completed'"),
		'it ran twice');
	is(sql('SELECT count(*), count(DISTINCT id) FROM users'), '100|100', 'every user is there once');
	is(sql(q(SELECT DISTINCT trigger FROM databite.get_job_history('users'))), 'schedule', 'the schedule started it');
	is(sql(q(SELECT records_processed, records_inserted, records_unchanged FROM databite.runs
			WHERE job_id = 'users' AND status = 'completed' ORDER BY run_id LIMIT 1)),
		'100|100|0', 'the first run inserted');
	is(sql(q(SELECT records_processed, records_inserted, records_unchanged FROM databite.runs
			WHERE job_id = 'users' AND status = 'completed' ORDER BY run_id LIMIT 1 OFFSET 1)),
		'100|0|100', 'the second found nothing to change');
	is(sql(q(SELECT next_run_at > now() - interval '2 s', last_status, enabled FROM databite.get_job_status('users'))),
		't|completed|t', 'status');
	is(sql(q(SELECT success_rate, records_processed >= 200, requests >= 2 FROM databite.get_job_metrics('users'))),
		'1|t|t', 'metrics');
};

subtest 'pause and resume' => sub
{
	sql(q(SELECT databite.pause_job('users')));
	is(sql(q(SELECT state, next_run_at FROM databite.jobs WHERE job_id = 'users' AND state = 'paused'
			UNION ALL SELECT 'running', NULL WHERE false)), 'paused|', 'paused')
		if $node->poll_query_until('postgres',
			"SELECT NOT EXISTS (SELECT 1 FROM databite.runs WHERE status IN ('queued', 'running'))");
	my $runs = sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'users'));
	sql(q(SELECT databite.resume_job('users')));
	ok($node->poll_query_until('postgres', "SELECT count(*) > $runs FROM databite.runs WHERE job_id = 'users'"),
		'it runs again');
	sql(q(SELECT databite.unschedule_job('users')));
	is(sql(q(SELECT count(*) FROM databite.jobs)), '0', 'gone');
	is(sql(q(SELECT count(*) > 0 FROM databite.runs)), 't', 'its history stays');
};

subtest 'enqueue_job runs at once, with a payload' => sub
{
	my $url = $api->url('/orders');
	sql(qq(SELECT databite.schedule_job('{
		"id": "orders_of", "source": {"type": "api", "url": "$url", "query": {"customer_id": "{{payload.customer}}"}},
		"destination": {"type": "database", "table": "orders"}}')));
	my $run = sql(q(SELECT databite.enqueue_job('orders_of', '{"customer": 3}')));
	ok($node->poll_query_until('postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run"),
		'the run ends');
	is(sql('SELECT DISTINCT customer_id FROM orders'), '3', 'the payload was in the request');
};

subtest 'a failing job fails alone and says why' => sub
{
	my $bad = $api->url('/users?fault=status:404');
	sql(qq(SELECT databite.schedule_job('{
		"id": "bad", "source": {"type": "api", "url": "$bad"},
		"destination": {"type": "database", "table": "never"}}')));
	my $run = sql(q(SELECT databite.enqueue_job('bad')));
	ok($node->poll_query_until('postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run"), 'failed');
	is(sql(qq(SELECT error ->> 'code', error -> 'request' ->> 'status', error -> 'request' ->> 'method',
			error -> 'request' ->> 'url' LIKE '%/users%' AND error::text NOT LIKE '%fault%', error ->> 'step' FROM databite.runs WHERE run_id = $run)),
		'http_status|404|GET|t|main', 'history has the request, without its query');
	is(sql("SELECT to_regclass('never')"), '', 'nothing was created');
};

subtest 'an item that a run fails for is named, one that does not pass is rejected' => sub
{
	$api->control({ size => { users => 250 }, edit => { users => { 137 => { name => 'User zero' } } } });
	my $url = $api->url('/users');
	my $job = sub
	{
		my ($validation) = @_;
		return sql(qq(SELECT databite.schedule_job('{
			"id": "computed", "source": {"type": "api", "url": "$url"}, $validation
			"destination": {"type": "database", "table": "computed", "batchSize": 100, "schema": {"id": "text", "rest": "integer"}},
			"transform": {"id": "{{ item.id }}", "rest": "{{ 100 / (item.name == \\"User zero\\" ? 0 : 1) }}"}}')));
	};
	$job->('');
	my $run = sql(q(SELECT databite.enqueue_job('computed')));
	ok($node->poll_query_until('postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run"), 'failed');
	is( sql(qq(SELECT error ->> 'code', error ->> 'column', split_part(error ->> 'context', E'\\n', 1) FROM databite.runs WHERE run_id = $run)),
		'22012|rest|item 137, column "rest", values {"name": "User zero"}', 'history names the item by its position in the run');
	my ($ret, $out, $err) = $node->psql('postgres', q(CALL databite.run_job('computed')));
	like($err, qr/ERROR:  division by zero\nCONTEXT:  item 137, column "rest"/, 'so does the error of CALL');
	is( sql(q(SELECT error ->> 'message', split_part(error ->> 'context', ',', 1) FROM databite.execute_job('computed'))),
		'division by zero|item 137', 'and the result of execute_job');

	$job->('"validation": {},');
	$run = sql(q(SELECT databite.enqueue_job('computed')));
	ok($node->poll_query_until('postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run"), 'completed');
	is( sql(qq(SELECT records_processed, records_rejected, (SELECT count(*) FROM computed) FROM databite.runs WHERE run_id = $run)),
		'250|1|249', 'with the others');
	is( sql(qq(SELECT error_code, message, "column", item ->> 'name' FROM databite.rejected_items WHERE run_id = $run)),
		'22012|division by zero|rest|User zero', 'and the item with its reason');
	$api->control({ reset => 1 });
};

subtest 'CALL run_job' => sub
{
	my $url = $api->url('/paging/page/products?size=250');
	sql(qq(SELECT databite.schedule_job('{
		"id": "products", "source": {"type": "api", "url": "$url", "dataPath": "\$",
			"pagination": {"type": "page", "pageSize": 100, "sizeParam": "per_page"}},
		"destination": {"type": "database", "table": "products", "schema": {"id": "integer", "name": "text"}}}')));
	sql(q(CALL databite.run_job('products')));
	is(sql('SELECT count(*) FROM products'), '250', 'all pages');
	is(sql(q(SELECT status, pages, records_inserted FROM databite.get_job_history('products'))), 'completed|3|250', 'history');

	my ($ret, $out, $err) = $node->psql('postgres', q(BEGIN; CALL databite.run_job('products');));
	like($err, qr/cannot run inside a transaction block/, 'not inside a transaction block');
	($ret, $out, $err) = $node->psql('postgres', q(CALL databite.run_job('bad')));
	like($err, qr/404/, 'a failed run is an error of the CALL');
	is(sql(q(SELECT count(*) FROM databite.get_job_history('bad', status => 'failed'))), '2', 'and in history');
};

subtest 'a run holds no transaction while it waits for the network' => sub
{
	my $url = $api->url('/users?fault=delay:3000');
	sql(qq(SELECT databite.schedule_job('{
		"id": "slow", "source": {"type": "api", "url": "$url"},
		"destination": {"type": "database", "table": "users"}}')));
	my $run = sql(q(SELECT databite.enqueue_job('slow')));
	ok($node->poll_query_until('postgres', "SELECT status = 'running' FROM databite.runs WHERE run_id = $run"), 'it runs');
	ok($node->poll_query_until('postgres', "SELECT xact_start IS NULL AND backend_xmin IS NULL AND backend_xid IS NULL
			FROM pg_stat_activity JOIN databite.progress USING (pid)"), 'and has no transaction');
	is(sql(q(SELECT count(*) FROM pg_locks JOIN databite.progress USING (pid) WHERE locktype = 'relation')), '0',
		'and no lock on a table');
	ok($node->poll_query_until('postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run"), 'it ends');
};

subtest 'a job never overlaps itself' => sub
{
	my $url = $api->url('/users?fault=delay:2500');
	sql(qq(SELECT databite.schedule_job('{
		"id": "slow", "source": {"type": "api", "url": "$url"},
		"destination": {"type": "database", "table": "users"},
		"schedule": {"type": "interval", "seconds": 1}}')));
	ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM databite.runs WHERE job_id = 'slow' AND status = 'skipped'"),
		'what was due meanwhile is skipped, and history says so');
	is(sql(q(SELECT count(*) <= 1 FROM databite.progress WHERE job_id = 'slow')), 't', 'one at a time');
	my ($ret, $out, $err) = (0, '', '');
	if ($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.progress WHERE job_id = 'slow'"))
	{
		($ret, $out, $err) = $node->psql('postgres', q(SELECT databite.execute_job('slow')));
		like($err, qr/is running already/, 'nor by hand');
	}
	sql(q(SELECT databite.unschedule_job('slow')));
};

subtest 'a default schedule for jobs that have none' => sub
{
	my $url = $api->url('/users');
	sql(q(SELECT databite.configure('{"schedule": {"type": "interval", "seconds": 1}}')));
	sql(qq(SELECT databite.schedule_job('{"id": "by_default", "source": {"type": "api", "url": "$url"},
		"destination": {"type": "database", "table": "users"}}')));
	ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM databite.runs WHERE job_id = 'by_default' AND trigger = 'schedule'"),
		'it follows the default');
};

$node->stop;
$api->stop;
done_testing();
