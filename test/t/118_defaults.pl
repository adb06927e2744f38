# What databite.configure says for jobs that do not say it themselves: they follow at their next run.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

sub schedule
{
	my ($id, $path, %source) = @_;

	return schedule_job($node, 'postgres', { id => $id, source => { type => 'api', url => $api->url($path), %source },
			destination => { type => 'database', table => "t_$id", schema => { id => 'bigint' }, key => 'id' } });
}

# How many requests a run of the worker makes.
sub requests
{
	my ($id) = @_;

	return enqueue_and_wait($node, 'postgres', $id)->{requests};
}

# The job waits for a token of its bucket and has not got one.
sub is_held_back
{
	my ($id) = @_;

	return wait_for_sql($node, 'postgres', "SELECT count(*) = 1 FROM databite.progress WHERE job_id = '$id' AND waiting_for = 'rate limit'");
}

sub cancel
{
	my ($id) = @_;

	sql("SELECT databite.cancel_job('$id')");
	return wait_for_sql($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM databite.progress WHERE job_id = '$id')");
}

sql('CREATE EXTENSION databite');

subtest 'retry' => sub
{
	schedule('by_default', '/users?fault=status:500');
	schedule('own', '/users?fault=status:500', retry => { attempts => 3, delay => 1 });
	sql(q(SELECT databite.configure('{"retry": {"attempts": 2, "delay": 1}}')));
	is(requests('by_default'), 2, 'a job that says nothing has the default');
	is(requests('own'), 3, 'what a source says wins');
	sql(q(SELECT databite.configure('{"retry": {"attempts": 4, "delay": 1}}')));
	is(requests('by_default'), 4, 'a default that is changed is that of the next run');
	is(sql(q(SELECT requests FROM databite.execute_job('by_default'))), 4, 'in a session too');

	# As a whole: what the source leaves out is not taken from the default.
	sql(q(SELECT databite.configure('{"retry": {"attempts": 2, "delay": 1, "statuses": [404]}}')));
	is(requests('by_default'), 1, 'a status that the default does not name is not tried again');
	is(requests('own'), 3, 'nothing is mixed into what a source says');
	like(sql(q(SELECT string_agg(line, '|') FROM databite.explain_job('by_default') AS line)), qr/\|  -- retry, by databite.configure: \{/, 'explain_job shows the default');
	unlike(sql(q(SELECT string_agg(line, '|') FROM databite.explain_job('own') AS line)), qr/configure/, 'where it is one');
};

subtest 'rateLimit' => sub
{
	# A bucket of one token that comes back after a minute.
	sql(q(SELECT databite.configure('{"rateLimit": {"requestsPerMinute": 1}}')));
	schedule('first', '/users?size=2');
	schedule('second', '/orders?size=2');
	is(requests('first'), 1, 'one request may be made');
	is(requests('second'), 1, 'a bucket without a key is the run\'s own');
	is(requests('first'), 1, 'as if the source had said it');
	schedule('pages', '/paging/page/users', pagination => { type => 'page', pageSize => 50, sizeParam => 'per_page' });
	sql(q(SELECT databite.enqueue_job('pages')));
	ok(is_held_back('pages'), 'a second one waits');
	ok(cancel('pages'), 'and can be cancelled');

	sql(q(SELECT databite.configure('{"rateLimit": {"requestsPerMinute": 1, "key": "everybody"}}')));
	is(requests('first'), 1, 'one with a key ...');
	sql(q(SELECT databite.enqueue_job('second')));
	ok(is_held_back('second'), '... is shared by the jobs of an owner');
	cancel('second');
	schedule('second', '/orders?size=2', rateLimit => { requestsPerSecond => 100 });
	is(requests('second'), 1, 'but not by one that says its own');
	sql(q(SELECT databite.configure('{}')));
	is(requests('first'), 1, 'and by nobody where there is no default any more');
};

subtest 'logging, as the guide has it' => sub
{
	sql(q(SELECT databite.configure('{"logging": {"level": "info", "destination": "database", "table": "sync_logs"}}')));
	my $run = enqueue_and_wait($node, 'postgres', 'first')->{run_id};
	ok(wait_for_sql($node, 'postgres', q(SELECT to_regclass('sync_logs') IS NOT NULL)), 'the table is made');
	is(sql(qq(SELECT string_agg(level || ' ' || message, ', ' ORDER BY "time") FROM sync_logs WHERE run_id = $run)), 'info run began, info run completed', 'and has the run');
	is(sql("SELECT count(*) FROM databite.logs WHERE run_id = $run"), '0', 'nothing else has');
	sql(q(SELECT databite.configure('{"logging": {"level": "error", "table": "sync_logs"}, "retry": {"attempts": 1}}')));
	my $failed = enqueue_and_wait($node, 'postgres', 'by_default')->{run_id};
	ok(wait_for_sql($node, 'postgres', "SELECT count(*) = 1 FROM sync_logs WHERE run_id = $failed"), 'a level that is changed is that of the next run');
	is(sql("SELECT level, message FROM sync_logs WHERE run_id = $failed"), 'error|run failed: server answered with status 500', 'whose failure is there');
	is($node->psql('postgres', q(SELECT databite.configure('{"logging": {"level": "loud"}}'))), 3, 'what is wrong is refused');
	sql(q(SELECT databite.configure('{}')));
	$run = enqueue_and_wait($node, 'postgres', 'first')->{run_id};
	ok(wait_for_sql($node, 'postgres', "SELECT count(*) = 2 FROM databite.logs WHERE run_id = $run"), 'without it lines go to the log of all');
};

done_testing();
