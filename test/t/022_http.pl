# What APIs do: faults, pages and compressed bodies, end to end.  Whatever happens, the rows are right and each is
# counted once, or the run fails and says why.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite; CREATE TABLE rows (id int PRIMARY KEY, name text)');

my $quick = { attempts => 4, delay => 50, maxDelay => 100 };

sub sql { return $node->safe_psql('postgres', shift); }

# Runs a job over a path once, into the emptied table; in the caller's transaction, or else by the worker.
sub sync
{
	my ($path, %change) = @_;
	my $worker = delete $change{worker};
	my $destination = delete $change{destination} // { type => 'database', table => 'rows' };
	my %source = (type => 'api', url => $api->url($path), retry => $quick, %change);
	$source{url} = $change{url} if $change{url};
	sql('TRUNCATE rows');
	schedule_job(
		$node,
		'postgres',
		{
			id => 'http',
			source => \%source,
			destination => $destination,
			transform => { id => '{{item.id}}', name => '{{item.name}}' }
		});
	return $worker ? enqueue_and_wait($node, 'postgres', 'http') : execute_job($node, 'postgres', 'http');
}

sub error_of
{
	my ($run) = @_;
	my $error = $run->{error};
	$error = decode_json($error) if defined $error && !ref $error;
	return $error // {};
}

# A run that ends well: so many rows, items, pages, requests and retries.
sub succeeds
{
	my ($run, $name, %expected) = @_;
	my $rows = $expected{rows};
	is($run->{status}, 'completed', "$name: completed") or diag(explain($run));
	is("$run->{records_processed} $run->{records_inserted}", "$rows $rows", "$name: items");
	is(sql('SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM rows'),
		join('|', $rows, $rows ? (1, $rows) : (0, 0)), "$name: rows");
	for my $counter (qw(pages requests retries))
	{
		is($run->{$counter}, $expected{$counter}, "$name: $counter") if defined $expected{$counter};
	}
	return;
}

# A run that fails: the code, what the message says, and nothing in the table.
sub fails
{
	my ($run, $name, $code, $message) = @_;
	my $error = error_of($run);
	is($run->{status}, 'failed', "$name: failed") or diag(explain($run));
	is($error->{code}, $code, "$name: code") or diag(explain($error));
	like($error->{message}, $message, "$name: message");
	is(sql('SELECT count(*) FROM rows'), '0', "$name: no rows");
	return $error;
}

subtest 'faults that go away' => sub
{
	succeeds(sync('/users?fault=status:503:times=2'), '503 twice', rows => 100, pages => 1, requests => 3, retries => 2);
	succeeds(sync('/users?fault=status:503:times=2&by=worker', worker => 1),
		'503 twice, by the worker', rows => 100, requests => 3, retries => 2);
	succeeds(sync('/users?fault=status:429:times=1:retry_after=1'), '429 with Retry-After', rows => 100, retries => 1);
	my ($first, $second) = map { $_->{time} } @{ $api->requests('/users') }[ -2, -1 ];
	cmp_ok($second - $first, '>=', 1, 'Retry-After is obeyed');
	for my $fault ('truncate:5000', 'truncate:0', 'reset:5000', 'reset:0')
	{
		for my $worker (0, 1)
		{
			succeeds(sync("/users?fault=$fault:times=2&w=$worker", worker => $worker),
				"$fault, worker $worker", rows => 100, pages => 1, requests => 3, retries => 2);
		}
	}
	# Batches of what came before are in the table already: each item counts once all the same.
	for my $mode ('upsert', 'insert')
	{
		for my $fault ('reset:60000', 'truncate:60000')
		{
			succeeds(
				sync("/data?fault=$fault:times=2&m=$mode", worker => 1,
					destination => { type => 'database', table => 'rows', mode => $mode, batchSize => 100 }),
				"$fault in the middle, mode $mode", rows => 1000, pages => 1, requests => 3, retries => 2);
		}
	}
	succeeds(
		sync('/paging/page/data?fault=reset:5000:times=1', worker => 1, pagination => { type => 'page', pageSize => 250, sizeParam => 'per_page' }),
		'each page is reset once', rows => 1000, requests => 9, retries => 4);
};

subtest 'bodies' => sub
{
	succeeds(sync('/users?fault=gzip'), 'gzip', rows => 100, requests => 1, retries => 0);
	like($api->requests('/users')->[-1]{headers}{'accept-encoding'}, qr/gzip/, 'gzip was asked for');
	succeeds(sync('/users?fault=chunked:7'), 'chunks of 7 bytes', rows => 100);
	succeeds(sync('/users?fault=drip:997:5'), 'in drips', rows => 100);
	succeeds(sync('/users?fault=redirect:same'), 'a redirect', rows => 100);
	succeeds(sync('/users?fault=redirect:same:status=308'), 'a permanent redirect', rows => 100);
	succeeds(sync('/envelope/results/users'), 'an envelope', rows => 100);
	succeeds(sync('/envelope/nested/users', dataPath => 'data.items'), 'a path', rows => 100);
	succeeds(sync('/envelope/null/users', dataPath => 'data'), 'null is an empty list', rows => 0);
	succeeds(sync('/users?size=0'), 'an empty list', rows => 0);

	my $run = sync('/users?fault=huge:60000000', worker => 1);
	is($run->{status}, 'completed', '60 MB') or diag(explain($run));
	cmp_ok($run->{bytes_received}, '>=', 60_000_000, '60 MB: counted');
	is($run->{records_inserted}, 1, '60 MB: the items are all the same one');
	is($run->{records_processed}, $run->{records_unchanged} + 1, '60 MB: all are counted');
};

subtest 'faults that stay' => sub
{
	my $error = fails(sync('/users?fault=status:503'), '503', 'http_status', qr/503/);
	is($error->{request}{status}, 503, 'the status is in the error');
	is($error->{request}{method}, 'GET', 'and the method');
	like($error->{request}{url}, qr{/users}, 'and the address');
	unlike($error->{request}{url}, qr{fault}, 'without the query');
	my $run = sync('/users?fault=status:500');
	is("$run->{requests} $run->{retries}", '4 3', 'all attempts are counted');
	$run = sync('/users?fault=status:404');
	fails($run, '404', 'http_status', qr/404/);
	is("$run->{requests} $run->{retries}", '1 0', '404 is not tried again');
	$error = fails(sync('/auth/bearer/users'), '401', 'http_status', qr/401/);
	like($error->{hint} // '', qr/token|credential|auth/i, '401: a hint');

	# A name that no name server knows (RFC 2606), with or without a name server to ask.
	$run = sync('/users', url => 'http://no-such-host.invalid/users');
	fails($run, 'unknown host', 'dns', qr/could not resolve/);
	is("$run->{requests} $run->{retries}", '4 3', 'an unknown host is looked for as often as there are attempts');

	fails(sync('/users?fault=truncate:5000'), 'truncated', 'truncated', qr/ended before it was complete/);
	fails(sync('/users?fault=reset:5000'), 'reset', 'reset', qr/connection.*lost/);
	$error = fails(sync('/users?fault=html'), 'HTML with 200', '22032', qr/invalid JSON/);
	like($error->{hint}, qr/HTML/, 'HTML with 200: a hint');
	like($error->{request}{url}, qr{/users}, 'HTML with 200: the request');
	is("$error->{request}{method} $error->{request}{status}", 'GET 200', 'HTML with 200: its method and status');
	fails(sync('/users?fault=html:502'), 'HTML with 502', 'http_status', qr/502/);
	$error = fails(sync('/users?fault=error200'), 'an error with 200', '22032', qr/no list/i);
	like($error->{hint}, qr/may be an error/, 'an error with 200: a hint');
	fails(sync('/users?fault=empty'), 'empty', '22032', qr/empty/i);
	fails(sync('/users?fault=badjson'), 'bad JSON', '22032', qr/invalid JSON at byte \d+/);
	fails(sync('/users/7'), 'one record', '22032', qr/no list/i);
	fails(sync('/envelope/data/users', dataPath => 'data.rows'), 'a wrong path', '22032', qr/data\.rows/);
	fails(sync('/paging/cursor/users', dataPath => 'data', pagination => { type => 'next_url', nextUrlPath => 'data[0].id' }),
		'a path into the list', '22023', qr/"nextUrlPath" leads into the list of items/);
	fails(sync('/users?fault=redirect:loop'), 'a redirect loop', 'redirect', qr/redirect/i);
	fails(sync('/users?fault=silent', timeout => 500, retry => { attempts => 2, delay => 10 }), 'silence', 'timeout', qr/0\.5|500|time/);
	fails(sync('/users?fault=giant:20000000'), 'a giant item', '54000', qr/16777216 bytes/);
	fails(sync('/users', url => 'http://127.0.0.1:1/users', retry => { attempts => 2, delay => 10 }), 'nobody listens', 'connect', qr/could not connect/);
	$error = fails(sync('/users', url => 'http://127.0.0.2:1/users'), 'an address that is not allowed', 'address_refused', qr/not allowed/);
	like($error->{detail}, qr/127\.0\.0\.2/, 'the address');
	like($error->{hint}, qr/databite\.allowed_hosts/, 'and the setting');
	fails(sync('/users', url => 'http://no-such-host.invalid/users', retry => { attempts => 1 }), 'no such host', 'dns', qr/could not resolve/);
};

subtest 'pagination' => sub
{
	my %page = (
		offset => [ '/paging/offset/orders?x=offset', { type => 'offset', limit => 300 }, 4 ],
		'offset with a total' => [ '/paging/offset/envelope/results/orders', { type => 'offset', limit => 250, totalPath => 'total' }, 4 ],
		page => [ '/paging/page/orders', { type => 'page', pageSize => 300, sizeParam => 'per_page' }, 4 ],
		'page with a total' => [ '/paging/page/envelope/results/orders', { type => 'page', pageSize => 500, sizeParam => 'per_page', totalPagesPath => 'total_pages' }, 2 ],
		cursor => [ '/paging/cursor/orders', { type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor', hasMorePath => 'has_more' }, 10 ],
		'cursor in a header' => [ '/paging/cursor/orders?x=header', { type => 'cursor', cursorHeader => 'X-Next-Cursor', cursorParam => 'cursor' }, 10 ],
		link => [ '/paging/link/orders', { type => 'link' }, 10 ],
		'next_url' => [ '/paging/next_url/orders', { type => 'next_url', nextUrlPath => 'next' }, 10 ],
		'next_url, relative' => [ '/paging/next_path/orders', { type => 'next_url', nextUrlPath => 'next' }, 10 ],
		none => [ '/orders', { type => 'none' }, 1 ]);

	for my $name (sort keys %page)
	{
		my ($path, $pagination, $pages) = @{ $page{$name} };
		for my $worker (0, 1)
		{
			my $start = time;
			succeeds(sync($path, pagination => $pagination, worker => $worker),
				"$name, worker $worker", rows => 1000, pages => $pages, requests => $pages);
			cmp_ok(time - $start, '<', 25, "$name, worker $worker: no page that was there was waited for");
		}
	}
	# A cursor that goes in the body of a POST.
	succeeds(
		sync('/paging/cursor/orders', method => 'POST', body => { limit => 200 },
			pagination => { type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor', in => 'body' }),
		'cursor in the body', rows => 1000, pages => 5);

	# The server gives smaller pages than it was asked for: that is no end.
	my $run = sync('/paging/page/orders?cap=100', pagination => { type => 'page', pageSize => 300 });
	succeeds($run, 'pages without a size that is sent', rows => 1000);

	fails(sync('/paging/page/orders', pagination => { type => 'page', pageSize => 100, sizeParam => 'per_page', maxPages => 3 }),
		'maxPages', '38000', qr/more than 3 pages/);
	# Each answer has the same "cursor".
	fails(sync('/orders', pagination => { type => 'cursor', cursorHeader => 'Content-Type', cursorParam => 'cursor' }),
		'the same cursor again', '38000', qr/the same cursor twice/);
};

$node->stop;
$api->stop;
done_testing();
