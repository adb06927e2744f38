# A pass of a step that is more than one request after the other: what is known only when it begins anew, or when several
# listings and parts of them are read at once, is the same for all of them, and nothing is left out.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use List::Util qw(max uniq);
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');

# Customers, and for each of them a listing of orders.
sub fan_out
{
	my ($id, $concurrency, $url, $destination, %source) = @_;
	return {
		id => $id,
		performance => { concurrency => $concurrency },
		steps => [
			{
				id => 'customers',
				source => { type => 'api', url => $api->url('/customers?size=12') },
				destination => { type => 'database', table => 'customers' },
				transform => { id => '{{item.id}}', name => '{{item.name}}' }
			},
			{
				id => 'orders',
				dependsOn => ['customers'],
				source => { type => 'api', url => $api->url($url), %source },
				%$destination
			} ]
	};
}

sub completes
{
	my ($name, $job) = @_;
	$api->clear_requests;
	schedule_job($node, 'postgres', $job);
	my $run = enqueue_and_wait($node, 'postgres', $job->{id});
	is($run->{status}, 'completed', "$name: completed") or diag(explain($run->{error}));
	return;
}

sql('CREATE TABLE customers (id bigint PRIMARY KEY, name text); CREATE TABLE orders (id bigint, customer_id bigint)');
my $orders = { destination => { type => 'database', table => 'orders', mode => 'insert' }, transform => { id => '{{item.id}}', customer_id => '{{item.customer_id}}' } };

subtest 'a table that is made of what comes first' => sub
{
	completes('unknown', fan_out('unknown', 4, '/paging/offset/orders?customer_id={{customers.id}}&fault=jitter:150,drip:100:20',
			{ destination => { type => 'database', table => 'learned', mode => 'insert' } }, pagination => { type => 'offset', limit => 7 }));
	is(sql('SELECT count(*), count(DISTINCT id) FROM learned'), '240|240', 'unknown: each row once, though several listings were begun');

	completes('broken', {
		id => 'broken',
		source => { type => 'api', url => $api->url('/users?size=3000&fault=reset:200000:times=1'), retry => { delay => 10 } },
		destination => { type => 'database', table => 'learned_too', mode => 'insert', batchSize => 170 }
	});
	is(sql('SELECT count(*), count(DISTINCT id) FROM learned_too'), '3000|3000', 'broken: each row once, though the first page broke');
};

subtest 'windows of parents whose pages are read at once' => sub
{
	my $all = join(',', map { $_->{updated_at} } @{ $api->call('GET', '/orders') });
	my @times = split /\|/, sql(qq{SELECT to_char(min(t) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		to_char((max(t) + interval '1 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		ceil(extract(epoch FROM max(t) - min(t)) / 3 + 1)::bigint
		FROM unnest(string_to_array('$all', ',')::timestamptz[]) AS t});
	my $job = fan_out('windows', 4, '/paging/offset/envelope/results/orders?customer_id={{customers.id}}', $orders,
			pagination => { type => 'offset', limit => 2, totalPath => 'total' },
			query => { updated_since => '{{window.from}}', updated_before => '{{window.to}}' },
			incremental => { initialValue => $times[0], end => $times[1], step => "$times[2]s" });
	completes('windows', $job);
	is(sql('SELECT count(*), count(DISTINCT id) FROM orders'), '240|240', 'windows: each row of each window once');
	completes('no window', { %{ $job } });
	is(scalar(grep { $_->{path} =~ /orders/ } @{ $api->requests }), 0, 'no window: none is left, and nothing is asked for');
};

subtest 'a pass that is taken up again' => sub
{
	sql('TRUNCATE orders');
	$api->clear_requests;
	schedule_job($node, 'postgres', {
		id => 'again',
		errorHandling => { strategy => 'retry_with_backoff', maxRetries => 2, retryDelay => 1500, backoff => 'fixed' },
		source => {
			type => 'api',
			url => $api->url('/paging/offset/orders?fault=status:400:after=4:times=1:scope=path'),
			pagination => { type => 'offset', limit => 100 },
			query => { until => '{{window.to}}' },
			incremental => { lag => '1s' }
		},
		destination => { type => 'database', table => 'orders', mode => 'insert', batchSize => 50 },
		transform => { id => '{{item.id}}' }
	});
	sql(q(CALL databite.run_job('again')));
	is(sql(q(SELECT string_agg(status, ' ' ORDER BY run_id) FROM databite.runs WHERE job_id = 'again')), 'failed completed', 'again: in two runs');
	is(sql('SELECT count(*), count(DISTINCT id) FROM orders'), '1000|1000', 'again: each row once');
	my @until = uniq map { $_->{query}{until} } @{ $api->requests('/paging/offset/orders') };
	is(scalar(@until), 1, 'again: all of it was asked for up to the same time') or diag(explain(\@until));
	is(sql(qq(SELECT cursor::timestamptz <= '$until[0]'::timestamptz FROM databite.cursors WHERE job_id = 'again')), 't',
		'again: and the next run asks for what is newer than that');
};

subtest 'an answer that ends the listing, where pages are asked for ahead' => sub
{
	sql('TRUNCATE orders');
	completes('ahead', {
		id => 'ahead',
		source => {
			type => 'api',
			url => $api->url('/paging/offset/orders?fault=status:404:beyond=500'),
			pagination => { type => 'offset', limit => 100, maxPages => 60 },
			onStatus => { 404 => 'empty' },
			parallel => { enabled => JSON::PP::true, maxConcurrency => 3 }
		},
		%$orders
	});
	is(sql('SELECT count(*), count(DISTINCT id) FROM orders'), '500|500', 'ahead: what came before it');
	my @asked = map { $_->{query}{offset} } @{ $api->requests('/paging/offset/orders') };
	cmp_ok(scalar(@asked), '<=', 5 + 3, 'ahead: not far beyond the end') or print "# asked for: @asked\n";
};

subtest 'a listing that begins anew while parts of it are read' => sub
{
	sql('CREATE TABLE keyed (id bigint PRIMARY KEY, customer_id bigint)');
	completes('anew', {
		id => 'anew',
		performance => { concurrency => 4 },
		source => {
			type => 'api',
			url => $api->url('/paging/offset/envelope/results/orders?fault=jitter:50,status:409:after=6:times=1:scope=path'),
			pagination => { type => 'offset', limit => 50, totalPath => 'total' },
			onStatus => { 409 => 'restart' }
		},
		destination => { type => 'database', table => 'keyed', key => 'id' },
		transform => $orders->{transform}
	});
	is(sql('SELECT count(*), min(id), max(id) FROM keyed'), '1000|1|1000', 'anew: all of it');
	is(scalar(grep { !$_->{query}{offset} } @{ $api->requests('/paging/offset/envelope/results/orders') }), 2, 'anew: from its first page');
};

subtest 'a job that is reset while it runs' => sub
{
	my $job = fan_out('reset', 1, '/paging/offset/envelope/results/orders?customer_id={{customers.id}}&fault=delay:30',
		{ destination => { type => 'database', table => 'keyed', key => 'id' }, transform => $orders->{transform} },
		incremental => { syncToken => { path => 'total', param => 'token' } });
	my $asked = '/paging/offset/envelope/results/orders';

	$job->{steps}[0]{source}{url} = $api->url('/customers?size=100');
	$api->clear_requests;
	schedule_job($node, 'postgres', $job);
	sql(q(SELECT databite.enqueue_job('reset')));
	$api->wait_for_request($asked);
	sql(q(SELECT databite.reset_job('reset')));
	wait_for_runs($node, 'postgres', 'reset', 1);
	is(scalar(@{ $api->requests($asked) }), 100, 'reset: the run goes on, with all parents');
	is(sql('SELECT count(*) FROM databite.parent_state'), '0', 'reset: but leaves nothing that the next one would ask with');
	completes('after a reset', $job);
	is(scalar(grep { defined $_->{query}{token} } @{ $api->requests($asked) }), 0, 'after a reset: a full run');
	completes('after a full run', $job);
	is(scalar(grep { defined $_->{query}{token} } @{ $api->requests($asked) }), 100, 'after a full run: with the token of each parent');
};

subtest 'a transform that looks at the response' => sub
{
	sql('CREATE TABLE totals (id bigint, total bigint)');
	schedule_job($node, 'postgres', {
		id => 'response',
		source => {
			type => 'api',
			url => $api->url('/paging/offset/envelope/results/users?size=60&cap=40'),
			pagination => { type => 'offset', limit => 10 }
		},
		destination => { type => 'database', table => 'totals', mode => 'insert', batchSize => 25 },
		transform => { id => '{{item.id}}', total => '{{response.total}}' }
	});
	my $run = enqueue_and_wait($node, 'postgres', 'response');
	is($run->{status}, 'completed', 'response: pages that fit into a batch');
	is(sql('SELECT count(*), count(total) FROM totals'), '60|60', 'response: of each page');

	# The second try of the page gives the items again that the first has left in the batch.
	sql('TRUNCATE totals');
	my %job = (id => 'response', destination => { type => 'database', table => 'totals', mode => 'insert', batchSize => 25 },
		transform => { id => '{{item.id}}', total => '{{response.total}}' });
	completes('response that breaks', { %job,
		source => { type => 'api', url => $api->url('/envelope/results/users?size=20&fault=drip:300:5,reset:1500:times=1'), retry => { delay => 10 } } });
	is(sql('SELECT count(*), count(total) FROM totals'), '20|20', 'response that breaks: of each item');

	schedule_job($node, 'postgres', { %job,
		source => {
			type => 'api',
			url => $api->url('/paging/keyset/users?size=60'),
			query => { after => '{{page.cursor}}', limit => '{{page.number == 1 ? 10 : 50}}' },
			pagination => { type => 'keyset', field => 'id', in => 'template', hasMorePath => 'has_more' }
		} });
	like(enqueue_and_wait($node, 'postgres', 'response')->{error}{message}, qr/a page has more items than a batch/,
		'response: a page that does not fit into a batch, after one that does');
};

$node->stop;
$api->stop;
done_testing();
