# Several requests at a time: where the next request does not depend on the last answer, there are as many in flight as
# the job allows, and never more, over connections that are kept; the rows are those of one request after the other,
# each of them once, whatever order the answers come in, and also where the runner is killed in the middle.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use List::Util qw(max uniq);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

# Without a key, so that an item that is taken twice is there twice.
sql('CREATE EXTENSION databite; CREATE TABLE rows (id bigint, customer_id bigint, updated_at timestamptz)');
my %transform = (id => '{{item.id}}', customer_id => '{{item.customer_id}}', updated_at => '{{item.updated_at}}');
my %destination = (type => 'database', table => 'rows', mode => 'insert', batchSize => 40);

sub definition
{
	my ($path, $concurrency, %source) = @_;
	my %job = (
		id => 'many',
		source => { type => 'api', url => $api->url($path), retry => { attempts => 5, delay => 20, maxDelay => 50 }, %source },
		destination => \%destination,
		transform => \%transform);
	$job{performance} = { concurrency => $concurrency } if $concurrency;
	return \%job;
}

# Runs a job by the worker, into the emptied table; the requests of it.
sub requests_of
{
	my ($name, $job, $rows) = @_;
	sql('TRUNCATE rows');
	$api->clear_requests;
	$api->control({ reset => JSON::PP::true });
	schedule_job($node, 'postgres', $job);
	my $run = enqueue_and_wait($node, 'postgres', $job->{id});
	is($run->{status}, 'completed', "$name: completed") or diag(explain($run->{error}));
	is(sql('SELECT count(*), count(DISTINCT id) FROM rows'), "$rows|$rows", "$name: each row once");
	is(sql("SELECT status FROM databite.runs WHERE job_id = '$job->{id}' AND finished_at IS NULL"), '', "$name: nothing is left");
	return @{ $api->requests };
}

# So many at once at the most, and as many connections beside those that broke.
sub at_once
{
	my ($name, $most, $requests, $least, $broken) = @_;
	my $seen = max(map { $_->{in_flight} } @$requests);
	cmp_ok($seen, '<=', $most, "$name: never more than $most in flight");
	cmp_ok($seen, '>=', $least // $most, "$name: and that many");
	cmp_ok(scalar(uniq map { $_->{connection} } @$requests), '<=', $most + ($broken // 0), "$name: over as many connections");
	return;
}

# Each page was asked for once.
sub each_once
{
	my ($name, $parameter, $requests, @expected) = @_;
	is_deeply([ sort { $a <=> $b } map { $_->{query}{$parameter} // 0 } @$requests ], \@expected, "$name: each page once");
	return;
}

my %offset = (type => 'offset', limit => 50, totalPath => 'total');
my %page = (type => 'page', pageSize => 50, sizeParam => 'per_page', totalPagesPath => 'total_pages');
my @offsets = map { 50 * $_ } 0 .. 19;

subtest 'pages with a known total' => sub
{
	for my $concurrency (1, 4, 16)
	{
		my $name = "offset, $concurrency at a time";
		my @requests = requests_of($name, definition('/paging/offset/envelope/results/orders?fault=delay:300', $concurrency, pagination => \%offset), 1000);
		at_once($name, $concurrency, \@requests);
		each_once($name, 'offset', \@requests, @offsets);
		is($requests[0]{in_flight}, 1, "$name: the first page alone, which tells the total");
	}
	my @requests = requests_of('pages', definition('/paging/page/envelope/results/orders?fault=delay:300', 4, pagination => \%page), 1000);
	at_once('pages', 4, \@requests);
	each_once('pages', 'page', \@requests, 1 .. 20);

	@requests = requests_of('by default', definition('/paging/page/envelope/results/orders?fault=delay:300', undef, pagination => \%page), 1000);
	at_once('by default', 4, \@requests);

	# The server gives less than it is asked for: the rest of each page is asked for, too.
	@requests = requests_of('small pages', definition('/paging/offset/envelope/results/orders?cap=30&fault=delay:50', 4, pagination => \%offset), 1000);
	at_once('small pages', 4, \@requests);

	@requests = requests_of('one page', definition('/paging/offset/envelope/results/orders?size=50&fault=delay:50', 4, pagination => \%offset), 50);
	is(scalar(@requests), 1, 'one page: one request');
	@requests = requests_of('none', definition('/paging/offset/envelope/results/orders?size=0', 4, pagination => \%offset), 0);
	is(scalar(@requests), 1, 'none: one request');
};

subtest 'what depends on the last answer' => sub
{
	for my $pagination (
		{ type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor' },
		{ type => 'link' }, { type => 'keyset', field => 'id', cursorParam => 'after', hasMorePath => 'has_more' })
	{
		my @requests = requests_of($pagination->{type}, definition("/paging/$pagination->{type}/orders?fault=delay:50", 8, pagination => $pagination), 1000);
		at_once($pagination->{type}, 1, \@requests);
		is(scalar(@requests), 10, "$pagination->{type}: ten requests");
	}
};

subtest 'source.parallel' => sub
{
	my %parallel = (enabled => JSON::PP::true, maxConcurrency => 3, chunkSize => 25);

	# Without a total, pages are asked for ahead: at most the others in flight are for nothing.
	my @requests = requests_of('ahead',
		definition('/paging/offset/orders?fault=delay:200', 8, pagination => { type => 'offset', limit => 100 }, parallel => { enabled => JSON::PP::true, maxConcurrency => 3 }), 1000);
	at_once('ahead', 3, \@requests);
	my %asked = map { $_->{query}{offset} // 0 => 1 } @requests;
	is(scalar(keys %asked), scalar(@requests), 'ahead: no page twice');
	cmp_ok(max(keys %asked), '<=', 1200, 'ahead: not far beyond the end');

	@requests = requests_of('chunks', definition('/paging/offset/envelope/results/orders?fault=delay:100', undef,
			pagination => { type => 'offset', totalPath => 'total' }, parallel => \%parallel), 1000);
	at_once('chunks', 3, \@requests);
	is_deeply([ uniq map { $_->{query}{limit} } @requests ], [25], 'chunks: requests ask for chunkSize items');
	each_once('chunks', 'offset', \@requests, map { 25 * $_ } 0 .. 39);

	@requests = requests_of('off', definition('/paging/offset/orders?fault=delay:50', 8,
			pagination => { type => 'offset', limit => 100 }, parallel => { %parallel, enabled => JSON::PP::false }), 1000);
	at_once('off', 1, \@requests);
};

subtest 'failures in any order' => sub
{
	for my $fault ('jitter:300', 'jitter:200,status:503:times=1', 'jitter:200,reset:2000:times=1', 'jitter:200,truncate:3000:times=2', 'jitter:100,status:429:times=1:retry_after=1')
	{
		my @requests = requests_of($fault, definition("/paging/offset/envelope/results/orders?fault=$fault", 6, pagination => \%offset), 1000);
		my $tries = $fault =~ /times=(\d)/ ? $1 + 1 : 1;
		# After a 429 it may go more slowly.
		at_once($fault, 6, \@requests, $fault =~ /429/ ? 1 : 3, $fault =~ /reset|truncate/ ? 20 * ($tries - 1) : 0);
		my %good = map { $_->{query}{offset} // 0 => 1 } @requests;
		is_deeply([ sort { $a <=> $b } keys %good ], \@offsets, "$fault: all pages");
		is(scalar(@requests), 20 * $tries, "$fault: as many requests as tries");
	}

	# A page that fails for good ends the run; its error is that of the page, not of those that were ended for it.
	sql('TRUNCATE rows');
	$api->control({ reset => JSON::PP::true });
	schedule_job($node, 'postgres', definition('/paging/offset/envelope/results/orders?fault=jitter:100,status:400:after=5:scope=path', 4, pagination => \%offset));
	my $run = enqueue_and_wait($node, 'postgres', 'many');
	is($run->{status}, 'failed', 'a page that fails for good: failed');
	is($run->{error}{code}, 'http_status', 'its error');
	is($run->{error}{request}{status}, 400, 'and status');
	is(sql('SELECT count(*) - count(DISTINCT id) FROM rows'), '0', 'no row is there twice');
	is($run->{records_processed}, sql('SELECT count(*) FROM rows'), 'what is written is counted');
	my $count = @{ $api->requests };
	cmp_ok($count, '<=', 5 + 4, 'no more is asked for then');

	# In one transaction nothing of it stays.
	sql('TRUNCATE rows');
	$api->control({ reset => JSON::PP::true });
	is(execute_job($node, 'postgres', 'many')->{status}, 'failed', 'in a function: failed');
	is(sql('SELECT count(*) FROM rows'), '0', 'in a function: no rows');
};

subtest 'fan-out' => sub
{
	sql('CREATE TABLE customers (id bigint PRIMARY KEY, name text)');
	my $customers = {
		id => 'customers',
		source => { type => 'api', url => $api->url('/customers') },
		destination => { type => 'database', table => 'customers' },
		transform => { id => '{{item.id}}', name => '{{item.name}}' }
	};
	my $job = sub {
		my ($concurrency, $path, %source) = @_;
		return {
			id => 'fan',
			performance => { concurrency => $concurrency },
			steps => [
				$customers,
				{
					id => 'orders',
					dependsOn => ['customers'],
					source => { type => 'api', url => $api->url($path), retry => { attempts => 4, delay => 20, maxDelay => 40 }, %source },
					destination => \%destination,
					transform => { %transform, customer_id => '{{customers.id}}' }
				} ]
		};
	};
	my $asked = sub {
		return [ sort { $a <=> $b } map { $_->{path} =~ m{/customers/(\d+)/orders} ? $1 : () } @_ ];
	};

	for my $concurrency (1, 5)
	{
		my $name = "$concurrency at a time";
		my @requests = requests_of($name, $job->($concurrency, '/customers/{{customers.id}}/orders?fault=delay:200'), 1000);
		at_once($name, $concurrency, \@requests);
		is_deeply($asked->(@requests), [ 1 .. 50 ], "$name: each parent once");
		is(sql('SELECT count(*) FROM rows WHERE customer_id NOT IN (SELECT id FROM customers)'), '0', "$name: rows know their parent");
		is(sql('SELECT count(DISTINCT customer_id) FROM rows GROUP BY customer_id HAVING count(*) <> 20'), '', "$name: and it is the right one");
	}

	# Each parent's listing has pages, some fail at first, and answers overtake each other.
	my @requests = requests_of('pages of parents', $job->(6, '/paging/offset/orders?customer_id={{customers.id}}&fault=jitter:80,status:503:times=1',
			pagination => { type => 'offset', limit => 8 }), 1000);
	at_once('pages of parents', 6, \@requests, 3);
	my %pages;
	$pages{"$_->{query}{customer_id}/" . ($_->{query}{offset} // 0)}++ for grep { $_->{path} =~ /orders/ } @requests;
	is(scalar(keys %pages), 150, 'pages of parents: three of each');
	is_deeply([ uniq values %pages ], [2], 'pages of parents: each asked for once more after it failed');

	# Several references are taken from one row of the parent, which may have a value that others have too.
	@requests = requests_of('two references', $job->(5, '/customers/{{customers.id}}/orders', headers => { 'X-Name' => '{{customers.name}}' }), 1000);
	my %name = map { split /\|/ } split /\n/, sql('SELECT id, name FROM customers');
	my %sent = map { $_->{path} =~ m{/customers/(\d+)/orders} ? ($1 => $_->{headers}{'x-name'}) : () } @requests;
	is_deeply(\%sent, \%name, 'two references: of the same row');
};

subtest 'windows' => sub
{
	my $orders = $api->call('GET', '/orders');
	my @times = sort map { $_->{updated_at} } @$orders;
	my ($first, $last) = map { sql("SELECT extract(epoch FROM '$_'::timestamptz)::bigint") } @times[ 0, -1 ];
	my $step = int(($last + 1 - $first) / 8) + 1;
	my $end = sql("SELECT to_char(to_timestamp($last + 1) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
	my $job = definition('/orders?fault=delay:300', 4,
		query => { updated_since => '{{ window.from }}', updated_before => '{{ window.to }}' },
		incremental => { cursorField => 'updated_at', format => '%Y-%m-%dT%H:%M:%SZ', initialValue => $times[0], end => $end, step => "${step}s" });
	my @requests = requests_of('windows', $job, 1000);
	at_once('windows', 4, \@requests);
	is(scalar(@requests), 8, 'windows: one request of each');
	my @windows = sort { $a->[0] cmp $b->[0] } map { [ @{ $_->{query} }{qw(updated_since updated_before)} ] } @requests;
	is($windows[0][0], $times[0], 'windows: from the beginning');
	is($windows[-1][1], $end, 'windows: to the end');
	is($windows[ $_ - 1 ][1], $windows[$_][0], 'windows: without a gap') for 1 .. $#windows;

	@requests = requests_of('windows that fail at first', { %$job, source => { %{ $job->{source} }, url => $api->url('/orders?fault=jitter:200,status:503:times=1') }, id => 'again' }, 1000);
	is(scalar(@requests), 16, 'windows that fail at first: each asked for once more');
};

# Last, as the server goes down with it.
subtest 'kill -9' => sub
{
	my %pages = (
		total => [ '/paging/offset/envelope/results/users?size=20000&fault=jitter:60', { type => 'offset', limit => 100, totalPath => 'total' } ],
		ahead => [ '/paging/offset/users?size=20000&fault=jitter:60', { type => 'offset', limit => 100 } ]);

	for my $name (sort keys %pages)
	{
		my ($path, $pagination) = @{ $pages{$name} };
		my %source = (pagination => $pagination);
		$source{parallel} = { enabled => JSON::PP::true, maxConcurrency => 6 } if $name eq 'ahead';
		sql("CREATE TABLE $name (id bigint, name text)");
		schedule_job($node, 'postgres', {
			%{ definition($path, 6, %source) },
			id => $name,
			destination => { %destination, table => $name },
			transform => { id => '{{item.id}}', name => '{{item.name | skip(item.id % 10 == 2)}}' },
			validation => { id => '{{item.id % 10 != 1}}' } });
		sql("SELECT databite.enqueue_job('$name')");
		for my $at (3000, 9000, 15000)
		{
			ok(kill_runner($node, $name, $at), "$name: killed behind $at items, and the server is back");
		}
		ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.runs WHERE job_id = '$name' AND status = 'completed'"),
			"$name: a later run ends");
		is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM $name"), '16000|16000|3|20000', "$name: exactly the right rows");
		is(sql("SELECT sum(records_processed), sum(records_inserted), sum(records_rejected), sum(records_skipped) FROM databite.runs WHERE job_id = '$name'"),
			'20000|16000|2000|2000', "$name: each counted once");
		is(sql("SELECT count(*), count(DISTINCT item ->> 'id') FROM databite.rejected_items WHERE job_id = '$name'"), '2000|2000', "$name: each rejected once");
	}

	# A fan-out: what a parent has delivered is known again.
	sql('CREATE TABLE fanned (id bigint, customer_id bigint)');
	schedule_job($node, 'postgres', {
		id => 'fanned',
		performance => { concurrency => 5 },
		steps => [
			{ id => 'customers', source => { type => 'api', url => $api->url('/customers') }, destination => { type => 'database', table => 'customers' },
				transform => { id => '{{item.id}}', name => '{{item.name}}' } },
			{ id => 'orders', dependsOn => ['customers'],
				source => { type => 'api', url => $api->url('/customers/{{customers.id}}/orders?fault=delay:100') },
				destination => { %destination, table => 'fanned' },
				transform => { id => '{{item.id}}', customer_id => '{{customers.id}}' } } ] });
	sql("SELECT databite.enqueue_job('fanned')");
	ok(kill_runner($node, 'fanned', 250), 'fan-out: killed when some rows are in, and the server is back');
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'fanned' AND status = 'completed'"), 'fan-out: a later run ends');
	is(sql('SELECT count(*), count(DISTINCT id), count(DISTINCT customer_id) FROM fanned'), '1000|1000|50', 'fan-out: exactly the right rows');
};

$node->stop;
$api->stop;
done_testing();
