# From one page to the next, by every kind of pagination and in every place that a request has; sources that go in
# circles, cap, grow, shrink, refuse and break off; and nothing of that loses an item or takes one twice, though the table has no key.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json encode_json);
use List::Util qw(max uniq);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $true = JSON::PP::true;
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my ($in, $out) = ('', '');
my $server = IPC::Run::start([ 'python3', "$FindBin::RealBin/../api/lists.py", '--port-file', "$dir/port" ], \$in, \$out, '2>&1');
wait_for_file("$dir/port", sub { $server->pumpable }) or die "the server did not start: $out";
my ($port, $other_port) = split /\n/, slurp_file("$dir/port");
my $http = HTTP::Tiny->new(timeout => 30);

my $node = databite_node('main', conf => 'restart_after_crash = on');
sub sql { return $node->safe_psql('postgres', shift); }
sql('CREATE EXTENSION databite; CREATE TABLE rows (id bigint, name text, seen text); CREATE TABLE keyed (id bigint PRIMARY KEY, name text)');

my $lists = 0;

# The address of a list that nobody has asked for yet.
sub list
{
	my (%options) = @_;
	$lists++;
	return "http://127.0.0.1:$port/list/" . join('/', map { "$_=$options{$_}" } sort keys %options) . "/id=$lists";
}

# What the server has been asked since the last time.
sub asked
{
	return @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) };
}

sub definition
{
	my ($url, $pagination, %change) = @_;
	my %source = %{ delete $change{source} // {} };
	$source{pagination} = $pagination if $pagination;
	return {
		id => 'pages',
		source => { type => 'api', url => $url, dataPath => 'data',
			retry => { attempts => 3, delay => 10, maxDelay => 20, idempotent => $true }, %source },
		destination => { type => 'database', table => 'rows', mode => 'insert', batchSize => 8, %{ delete $change{destination} // {} } },
		transform => { id => '{{ item.id }}', name => '{{ item.name }}' },
		%change
	};
}

# Runs a job into the emptied table; its result, and the requests of it.
sub run
{
	my ($job) = @_;
	sql('TRUNCATE rows, keyed');
	asked();
	schedule_job($node, 'postgres', $job);
	my $run = enqueue_and_wait($node, 'postgres', $job->{id});
	return ($run, asked());
}

# Each item from 1 to $items comes once, with so many requests (undef: any number).
sub gives
{
	my ($name, $items, $requests, @definition) = @_;
	my ($run, @requests) = run(definition(@definition));
	is($run->{status}, 'completed', "$name: completed") or diag(explain($run->{error}));
	is(sql('SELECT count(*), count(DISTINCT id), coalesce(max(id), 0) FROM (SELECT id FROM rows UNION ALL SELECT id FROM keyed) AS r'), "$items|$items|$items", "$name: each item once");
	is(scalar(@requests), $requests, "$name: as many requests") if defined $requests;
	return @requests;
}

# The run fails, with this in its message.
sub fails
{
	my ($name, $message, @definition) = @_;
	my ($run, @requests) = run(definition(@definition));
	is($run->{status}, 'failed', "$name: failed");
	like($run->{error}{message} // '', $message, "$name: its message") or diag(explain($run->{error}));
	return @requests;
}

my %names = (
	offset => { offsetParam => 'offset', limitParam => 'limit', limit => 30 },
	page => { pageParam => 'page', sizeParam => 'limit', pageSize => 30 },
	cursor => { cursorPath => 'next_cursor', cursorParam => 'cursor', limitParam => 'limit', limit => 30 },
	keyset => { cursorParam => 'after', limitParam => 'limit', limit => 30 });

subtest 'places' => sub
{
	for my $type (sort keys %names)
	{
		my %pagination = (type => $type, %{ $names{$type} });
		gives("$type, query", 100, 4, list(style => $type, n => 100), \%pagination);
		gives("$type, header", 100, 4, list(style => $type, n => 100, place => 'header'), { %pagination, in => 'header' });
		my %body = map { $_ => /Param$/ ? "paging.$pagination{$_}" : $pagination{$_} } keys %pagination;
		my @requests = gives("$type, body", 100, 4, list(style => $type, n => 100, place => 'body'), { %body, in => 'body' },
			source => { method => 'POST', body => { want => 'all', paging => { depth => 1 } } });
		is_deeply([ uniq map { my $body = decode_json($_->{body}); "$body->{want} $body->{paging}{depth}" } @requests ], ['all 1'],
			"$type, body: the rest of it stays");
		is_deeply([ uniq map { ref \decode_json($_->{body})->{paging}{limit} } @requests ], ['SCALAR'], "$type, body: a size");
		like($requests[-1]{body}, qr/"limit":\s*30\b/, "$type, body: the size is a number");

		# A place where the source does not look: it gives the first page for ever.
		my %deaf = (%pagination, $type eq 'page' ? (pageParam => 'side') : $type eq 'offset' ? (offsetParam => 'start') : (cursorParam => 'from'));
		fails("$type, a parameter that is not known", qr/same (?:page|cursor) twice/, list(style => $type, n => 100), \%deaf);
	}

	my %template = (
		offset => { offset => '{{ page.offset }}', limit => '{{ page.limit }}' },
		page => { page => '{{ page.number }}', limit => '{{ page.limit }}' },
		cursor => { cursor => '{{ page.cursor }}', limit => '{{ page.limit }}' },
		keyset => { after => '{{ page.cursor }}', limit => '{{ page.limit }}' });
	for my $type (sort keys %template)
	{
		my %pagination = (type => $type, in => 'template', map { $_ => $names{$type}{$_} } grep { !/Param$/ } keys %{ $names{$type} });
		gives("$type, template", 100, 4, list(style => $type, n => 100), \%pagination, source => { query => $template{$type} });
	}
	gives('a text of a query', 95, 10, list(style => 'query', n => 95), { type => 'offset', limit => 10, in => 'template' },
		source => { query => { query => 'select * startposition {{ page.offset + 1 }} maxresults {{ page.limit }}' } });
};

subtest 'next URLs' => sub
{
	for my $to ('absolute', 'path', 'query')
	{
		gives("link, $to", 100, 4, list(style => 'link', n => 100, limit => 30, to => $to), { type => 'link' });
		my @requests = gives("next_url, $to", 100, 4, list(style => 'next', n => 100, limit => 30, to => $to), { type => 'next_url', nextUrlPath => 'next' },
			source => { headers => { 'X-Mine' => 'header' } });
		is_deeply([ uniq map { $_->{headers}{'x-mine'} } @requests ], ['header'], "next_url, $to: the request's headers go along");
	}
	for my $type ('link', 'next_url')
	{
		my $style = $type eq 'link' ? 'link' : 'next';
		my %pagination = (type => $type, $type eq 'link' ? () : (nextUrlPath => 'next'));
		my @requests = fails("$type, another origin", qr/another origin/, list(style => $style, n => 100, limit => 30, to => 'other'), \%pagination);
		is(scalar(@requests), 1, "$type, another origin: not asked");

		sql("SELECT databite.set_token('origin', 'canary')");
		my %secret = (auth => { type => 'bearer', token => '{{tokens.origin}}' }, headers => { 'X-Mine' => 'header' }, method => 'POST', body => { mine => 1 });
		my %allowed = (%pagination, allowedOrigins => ["http://127.0.0.1:$other_port"]);
		@requests = gives("$type, allowed", 60, 2, list(style => $style, n => 60, limit => 30, to => 'other'), \%allowed, source => \%secret);
		my ($mine, $other) = @requests;
		is("$mine->{headers}{authorization} $mine->{headers}{'x-mine'} $mine->{body}", 'Bearer canary header {"mine":1}', "$type, allowed: the first request");
		is_deeply([ $other->{port}, $other->{method}, $other->{body}, @{ $other->{headers} }{qw(authorization x-mine)} ],
			[ $other_port, 'GET', '', undef, undef ], "$type, allowed: nothing of it goes there");
		fails("$type, in a circle", qr/same URL twice/, list(style => $style, n => 100, limit => 30, deaf => 1), \%pagination);
	}
};

subtest 'ends' => sub
{
	my %offset = (type => 'offset', limit => 30);
	gives('stopWhen, at once', 30, 1, list(style => 'offset', n => 100), { %offset, stopWhen => '{{ response.number >= 1 }}' });
	gives('stopWhen, later', 60, 2, list(style => 'offset', n => 100), { %offset, stopWhen => '{{ response.number == 2 }}' });
	gives('stopWhen, never', 100, 4, list(style => 'offset', n => 100), { %offset, stopWhen => '{{ response.number == 20 }}' });
	gives('stopWhen, of the last page', 90, 3, list(style => 'page', n => 90, limit => 30), { type => 'page', stopWhen => '{{ response.last }}' });
	gives('hasMorePath', 90, 3, list(style => 'keyset', n => 90), { type => 'keyset', %{ $names{keyset} }, hasMorePath => 'has_more' });
	gives('a full last page', 90, 4, list(style => 'offset', n => 90), \%offset);
	gives('no item', 0, 1, list(style => 'offset', n => 0), \%offset);
	gives('totalPath', 90, 3, list(style => 'offset', n => 90, total => 1), { %offset, totalPath => 'total' });
	gives('totalPagesPath', 90, 3, list(style => 'page', n => 90, total => 1, limit => 30), { type => 'page', totalPagesPath => 'pages' });
	gives('cursorHeader', 90, 3, list(style => 'cursor', n => 90, limit => 30), { type => 'cursor', cursorHeader => 'X-Next', cursorParam => 'cursor' });
	fails("maxPages, $_", qr/page limit reached: there are more than 3 pages/, list(style => $_, n => 100), { type => $_, %{ $names{$_} }, maxPages => 3 })
		for sort keys %names;
	fails('maxPages, total', qr/page limit reached/, list(style => 'offset', n => 100, total => 1), { %offset, totalPath => 'total', maxPages => 3 });
	fails('maxPages, link', qr/page limit reached/, list(style => 'link', n => 100, limit => 30), { type => 'link', maxPages => 3 });
	gives('maxPages, just enough', 90, 3, list(style => 'link', n => 90, limit => 30), { type => 'link', maxPages => 3 });

	my @requests = gives('dropOtherQuery', 100, 4, list(style => 'cursor', n => 100), { type => 'cursor', %{ $names{cursor} }, dropOtherQuery => $true },
		source => { query => { state => 'open' } });
	is_deeply([ map { join ' ', sort keys %{ $_->{query} } } @requests ], [ 'limit state', ('cursor limit') x 3 ], 'dropOtherQuery: the first alone has it');
};

subtest 'restart' => sub
{
	my %search = (style => 'offset', window => 100);
	for my $n (99, 100, 101, 400, 450)
	{
		gives("restart, $n", $n, undef, list(%search, n => $n), { type => 'offset', limit => 25, restart => { items => 100, field => 'id', param => 'filter' } });
		gives("restart in a template, $n", $n, undef, list(style => 'offset', place => 'body', window => 100, n => $n),
			{ type => 'offset', limit => 25, in => 'body', offsetParam => 'paging.offset', limitParam => 'paging.limit', restart => { items => 100, field => 'id' } },
			source => { method => 'POST', body => { filter => '{{ page.after }}' } });
	}
	fails('restart that is not heard', qr/same page twice|same place twice/, list(style => 'offset', n => 450),
		{ type => 'offset', limit => 25, restart => { items => 100, field => 'id', param => 'side' } });
	fails('without restart', qr/400/, list(%search, n => 450), { type => 'offset', limit => 25 });
};

subtest 'capped, growing and shrinking' => sub
{
	my %total = (type => 'offset', limit => 50, totalPath => 'total');
	for my $concurrency (1, 6)
	{
		my %at_once = (performance => { concurrency => $concurrency });
		gives("capped, $concurrency", 400, undef, list(style => 'offset', n => 400, cap => 17, total => 1), \%total, %at_once);
		gives("capped by a keyset, $concurrency", 400, undef, list(style => 'keyset', n => 400, cap => 17),
			{ type => 'keyset', cursorParam => 'after', hasMorePath => 'has_more' }, %at_once);
		gives("growing, $concurrency", 400, undef, list(style => 'offset', n => 200, grow => 23, until => 400, total => 1), { %total, limit => 20 }, %at_once);
		gives("shrinking, $concurrency", 260, undef, list(style => 'offset', n => 400, shrink => 35, until => 260, total => 1), { %total, limit => 20 }, %at_once)
			if $concurrency == 1;
		my ($run) = run(definition(list(style => 'offset', n => 400, shrink => 9, until => 300, total => 1, delay => 5), { %total, limit => 20 }, %at_once));
		is($run->{status}, 'completed', "shrinking, $concurrency: completed") or diag(explain($run->{error}));
		is(sql('SELECT count(*) - count(DISTINCT id), count(DISTINCT id) FILTER (WHERE id <= 300) FROM rows'), '0|300', "shrinking, $concurrency: all that stay, none twice");
	}
};

my %ahead = (parallel => { enabled => $true, maxConcurrency => 6 });

subtest 'ahead' => sub
{
	for my $n (0, 1, 99, 100, 1000, 1013)
	{
		gives("$n items", $n, undef, list(style => 'offset', n => $n), { type => 'offset', limit => 100 }, source => \%ahead);
		for my $status (400, 404, 416)
		{
			my @requests = gives("$n items, $status behind the end", $n, undef, list(style => 'offset', n => $n, behind => $status, delay => 20),
				{ type => 'offset', limit => 100 }, source => \%ahead) if $n % 100 != 0;
			@requests = gives("$n items, $status means empty", $n, undef, list(style => 'offset', n => $n, behind => $status),
				{ type => 'offset', limit => 100 }, source => { %ahead, onStatus => { $status => 'empty' } });
			cmp_ok(scalar(@requests), '<=', $n / 100 + 13, "$n items, $status means empty: not far beyond");
			gives("$n items, $status means empty, by page", $n, undef, list(style => 'page', n => $n, behind => $status, limit => 100),
				{ type => 'page' }, source => { %ahead, onStatus => { $status => 'empty' } });
		}
	}
	# A source that does not know the parameters gives all at once.
	gives('the whole list', 1000, 1, list(style => 'offset', n => 1000, all => 1), undef, source => \%ahead);
	fails('the whole list each time', qr/same page twice/, list(style => 'offset', n => 1000, all => 1), { type => 'offset', limit => 100 }, source => \%ahead);
	fails('the first page each time', qr/same page twice/, list(style => 'offset', n => 1000, deaf => 1), { type => 'offset', limit => 100 }, source => \%ahead);
	fails('maxPages', qr/page limit reached/, list(style => 'offset', n => 1000), { type => 'offset', limit => 100, maxPages => 5 }, source => \%ahead);
	fails('a page in the middle fails', qr/400|behind/, list(style => 'offset', n => 1000, always => '400@500'), { type => 'offset', limit => 100 }, source => \%ahead);

	is(sql('SELECT count(*) - count(DISTINCT id) FROM rows'), '0', 'a page in the middle fails: no item twice');

	# What has given items is not behind the end, whatever became of it.
	fails('a page that breaks off behind a short one', qr/./, list(style => 'offset', n => 400, torn => '10@300', short => '50@200'),
		{ type => 'offset', limit => 100 }, source => \%ahead);
};

subtest 'actions' => sub
{
	for my $type (sort keys %names)
	{
		my %pagination = (type => $type, %{ $names{$type} });
		my @requests = gives("halve_page, $type", 100, undef, list(style => $type, n => 100, most => 10), \%pagination, source => { onStatus => { 504 => 'halve_page' } });
		is_deeply([ uniq map { $_->{query}{limit} } @requests ], $type eq 'page' ? [ 30, 15, 7 ] : [ 30, 15, 7 ], "halve_page, $type: by halves");

		# In the middle of a page whose items are in the table already.
		gives("halve_page, broken off, $type", 100, undef, list(style => $type, n => 100, tear => '20@30', fail => '504@30'),
			\%pagination, source => { onStatus => { 504 => 'halve_page' }, retry => { attempts => 5, delay => 10 } });
		gives("halve_page, first page broken off, $type", 100, undef, list(style => $type, n => 100, tear => '20@0', fail => '504@0'),
			\%pagination, source => { onStatus => { 504 => 'halve_page' }, retry => { attempts => 5, delay => 10 } });
		if ($type eq 'offset' || $type eq 'page')
		{
			my ($name, $value) = $type eq 'offset' ? (offset => 'page.offset') : (page => 'page.number');
			my %template = (query => { $name => "{{ $value }}", limit => '{{ page.limit }}' });
			@requests = gives("halve_page in a template, $type", 100, undef, list(style => $type, n => 100, most => 10),
				{ type => $type, in => 'template', $type eq 'page' ? 'pageSize' : 'limit', 30 }, source => { %template, onStatus => { 504 => 'halve_page' } });
			is_deeply([ uniq map { $_->{query}{limit} } @requests ], [ 30, 15, 7 ], "halve_page in a template, $type: by halves");
			@requests = gives("restart in a template, $type", 100, 7, list(style => $type, n => 100, fail => '500@60'),
				{ type => $type, in => 'template', $type eq 'page' ? 'pageSize' : 'limit', 30 }, source => { %template, onStatus => { 500 => 'restart' } },
				destination => { mode => 'upsert', key => 'id', table => 'keyed' });
			is($requests[3]{query}{$name}, $type eq 'page' ? 1 : 0, "restart in a template, $type: from the first page");
		}
		gives("restart, $type", 100, undef, list(style => $type, n => 100, fail => '500@60'), \%pagination,
			source => { onStatus => { 500 => 'restart' } }, destination => { mode => 'upsert', key => 'id', table => 'keyed' });
	}
	for my $concurrency (1, 6)
	{
		my %at_once = (performance => { concurrency => $concurrency });
		my %total = (type => 'offset', limit => 20, totalPath => 'total');
		my %pages = (type => 'page', pageSize => 20, sizeParam => 'limit', totalPagesPath => 'pages');
		gives("halve_page, total, $concurrency", 400, undef, list(style => 'offset', n => 400, total => 1, most => 5), \%total,
			source => { onStatus => { 504 => 'halve_page' } }, %at_once);
		for my $case ([ offset => \%total ], [ page => \%pages ])
		{
			my ($style, $pagination) = @$case;
			my @requests = gives("halve_page in the middle, $style, $concurrency", 1000, undef, list(style => $style, n => 1000, total => 1, most => 5, heavy => 400), $pagination,
				source => { onStatus => { 504 => 'halve_page' } }, %at_once);
			cmp_ok(scalar(grep { $_->{query}{limit} > 5 && ($_->{query}{offset} // ($_->{query}{page} - 1) * $_->{query}{limit}) >= 400 } @requests), '<=', 2 * $concurrency,
				"halve_page in the middle, $style, $concurrency: further parts ask for less at once");
		}
		gives("halve_page, first page with a total, $concurrency", 400, undef, list(style => 'offset', n => 400, total => 1, tear => '15@0', fail => '504@0'), \%total,
			source => { onStatus => { 504 => 'halve_page' }, retry => { attempts => 5, delay => 10 } }, %at_once);
		gives("halve_page, pages, $concurrency", 400, undef, list(style => 'page', n => 400, total => 1, most => 5), \%pages,
			source => { onStatus => { 504 => 'halve_page' } }, %at_once);
		for my $pagination (\%total, \%pages)
		{
			gives("restart of parts, $pagination->{type}, $concurrency", 400, undef,
				list(style => $pagination->{type}, n => 400, total => 1, fail => '500@200'), $pagination,
				source => { onStatus => { 500 => 'restart' } }, destination => { mode => 'upsert', key => 'id', table => 'keyed' }, %at_once);
			fails("restart of parts without a key, $pagination->{type}, $concurrency", qr/begin anew/,
				list(style => $pagination->{type}, n => 400, total => 1, fail => '500@200'), $pagination,
				source => { onStatus => { 500 => 'restart' } }, %at_once);
			fails("restart for ever, $pagination->{type}, $concurrency", qr/500/,
				list(style => $pagination->{type}, n => 400, total => 1, always => '500@200'), $pagination,
				source => { onStatus => { 500 => 'restart' } }, destination => { mode => 'upsert', key => 'id', table => 'keyed' }, %at_once);
		}
	}
	my ($run) = run(definition(list(style => 'offset', n => 100, always => '410@60'), { type => 'offset', limit => 30 }, source => { onStatus => { 410 => 'skip' } }));
	is($run->{status}, 'completed', 'skip: completed');
	is(sql('SELECT count(*), max(id) FROM rows'), '60|60', 'skip: the listing ends');
	like(encode_json($run->{notices} // []), qr/page 3 was left out: the source answered with status 410/, 'skip: history says so');
	($run) = run(definition(list(style => 'offset', n => 100, always => '410@60'), { type => 'offset', limit => 30 }, source => { onStatus => { 410 => 'empty' } }));
	is(sql('SELECT count(*), max(id) FROM rows'), '60|60', 'empty: the listing ends');
};

# Several pages are on their way when the first tells the columns of the table.
subtest 'columns that are not known yet' => sub
{
	my $parents = { id => 'parents', source => { type => 'api', url => list(style => 'offset', n => 12), dataPath => 'data' }, transform => { id => '{{ item.id }}' },
		destination => { type => 'database', table => 'parents', key => 'id', schema => { id => 'integer' } } };
	my $child = sub {
		my ($url, $table) = @_;
		return { id => 'children', dependsOn => ['parents'], source => { type => 'api', url => $url, dataPath => 'data', pagination => { type => 'offset', limit => 30 } },
			destination => { type => 'database', table => $table, mode => 'insert', batchSize => 40 } };
	};
	my ($run) = run({ id => 'columns', performance => { concurrency => 5 },
			steps => [ $parents, $child->(list(style => 'offset', n => 100) . '/drip={{parents.id}}0/from={{parents.id}}00', 'learned') ] });
	is($run->{status}, 'completed', 'fan-out: completed') or diag(explain($run->{error}));
	is(sql('SELECT count(*), min(id), max(id) FROM learned'), '1200|101|1300', 'fan-out: each item once');

	my $job = definition(list(style => 'offset', n => 250, tear => '60@0'), { type => 'offset', limit => 100 },
		destination => { table => 'learned_late', batchSize => 40 });
	delete $job->{transform};
	($run) = run($job);
	is($run->{status}, 'completed', 'broken off: completed') or diag(explain($run->{error}));
	is(sql('SELECT count(*), count(DISTINCT id), max(id) FROM learned_late'), '250|250|250', 'broken off: each item once');
};

subtest 'the response in the transform' => sub
{
	my %cursor = (type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor');
	my %seen = (transform => { id => '{{ item.id }}', seen => '{{ response.number }}' });
	gives('pages that fit', 50, 5, list(style => 'cursor', n => 50, limit => 10), \%cursor, %seen, destination => { batchSize => 10 });
	is(sql('SELECT count(DISTINCT seen), count(seen) FROM rows'), '5|50', 'pages that fit: the response of each');
	gives('a page that broke off', 50, 6, list(style => 'cursor', n => 50, limit => 10, tear => '5@10'), \%cursor, %seen, destination => { batchSize => 10 });
	is(sql('SELECT count(DISTINCT seen), count(seen) FROM rows'), '5|50', 'a page that broke off: the response of each');
	fails('a later page that does not', qr/more items than a batch/, list(style => 'cursor', n => 100, short => '10@0'), \%cursor, %seen, destination => { batchSize => 40 });
};

# A window that broke off takes nothing from the next one.
subtest 'windows of a parent' => sub
{
	my ($run, @requests) = run({ id => 'windows',
			steps => [
				{ id => 'parents', source => { type => 'inline', items => [ { id => 1 } ] }, destination => { type => 'database', table => 'parents', key => 'id' } },
				{ id => 'children', dependsOn => ['parents'],
					source => { type => 'api', dataPath => 'data', url => list(style => 'offset', n => 100, tear => '60@0', fail => '410@0') . '/of={{parents.id}}',
						query => { from => '{{ window.from }}' }, onStatus => { 410 => 'empty' }, retry => { attempts => 3, delay => 10 },
						incremental => { initialValue => '2026-01-01T00:00:00Z', end => '2026-01-04T00:00:00Z', step => '1d' } },
					destination => { type => 'database', table => 'rows', mode => 'insert', batchSize => 40 },
					transform => { id => '{{ item.id }}', seen => '{{ window.from }}' } } ] });
	is($run->{status}, 'completed', 'completed') or diag(explain($run->{error}));
	is(scalar(@requests), 4, 'a request of each window, and one that broke off');
	is(sql(q(SELECT string_agg(count::text, ' ' ORDER BY seen) FROM (SELECT seen, count(*) FROM rows WHERE seen > '2026-01-01T00:00:00Z' GROUP BY seen) AS r)), '100 100', 'all items of the windows behind it');
};

# Where a listing stands is a text of the source's; here it goes through a checkpoint of a database that is not in UTF-8.
subtest 'another encoding' => sub
{
	sql(q(CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0));
	$node->safe_psql('latin1', 'CREATE EXTENSION databite; CREATE TABLE rows (id bigint, name text)');
	for my $incremental (undef, { cursorField => 'key', type => 'text' })
	{
		my $job = definition(list(style => 'keyset', n => 100, fail => '400@60'), { type => 'keyset', field => 'key', cursorParam => 'after', limitParam => 'limit', limit => 30 },
			source => { $incremental ? (incremental => $incremental) : () });
		$job->{transform}{name} = '{{ item.key }}';
		$node->safe_psql('latin1', 'TRUNCATE rows');
		schedule_job($node, 'latin1', $job);
		is(enqueue_and_wait($node, 'latin1', 'pages')->{status}, 'failed', 'fails in the middle');
		my $run = enqueue_and_wait($node, 'latin1', 'pages');
		is($run->{status}, 'completed', 'goes on there') or diag(explain($run->{error}));
		is($node->safe_psql('latin1', 'SELECT count(*), count(DISTINCT id), ascii(max(name)), length(max(name)) FROM rows'), '100|100|252|7', 'each item once');
		is($node->safe_psql('latin1', 'SELECT ascii(cursor), length(cursor) FROM databite.cursors WHERE cursor IS NOT NULL'), '252|7', 'and the last value seen') if $incremental;
	}
};

# What a page leaves in memory, if anything, is little: the same for few and many of them.
subtest 'memory' => sub
{
	my $peak = sub {
		my ($url, $pagination, %change) = @_;
		asked();
		sql('TRUNCATE rows');
		schedule_job($node, 'postgres', definition($url, { %$pagination, maxPages => 100000 }, destination => { batchSize => 1000 }, %change));
		my $peak = sql("CALL databite.run_job('pages'); SELECT substring(pg_read_file('/proc/self/status') from 'VmHWM:\\s+(\\d+)')");
		return ($peak, sql('SELECT count(*) FROM rows'));
	};
	my $sanitized = is_sanitized($node);
	my %cursor = (type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor');
	my %offset = (type => 'offset', limit => 1, totalPath => 'total');
	for my $case ([ 'cursors', 3000, { style => 'cursor', limit => 1, long => 6000 }, \%cursor ],
		[ 'templates', 1000, { style => 'offset' }, { type => 'offset', limit => 1, in => 'template' }, source => { query => { offset => '{{ page.offset }}', limit => 1 } } ],
		[ 'parts', 6000, { style => 'offset', total => 1 }, \%offset, performance => { concurrency => 4 } ])
	{
		my ($name, $pages, $options, $pagination, %change) = @$case;
		my ($few) = $peak->(list(%$options, n => 300), $pagination, %change);
		my ($many, $rows) = $peak->(list(%$options, n => $pages), $pagination, %change);
		is($rows, $pages, "$name: all rows");
		# The cursors would be 16 MB.
		cmp_ok($many - $few, '<', 3000, "$name: no more memory for more pages") unless $sanitized;
	}
};

# Last, as the server goes down with it.
subtest 'kill -9' => sub
{
	my %kinds = (
		keyset => [ 'keyset', { type => 'keyset', cursorParam => 'after', limitParam => 'limit', limit => 50 } ],
		cursor => [ 'cursor', { type => 'cursor', cursorPath => 'next_cursor', cursorParam => 'cursor', limitParam => 'limit', limit => 50 } ],
		link => [ 'link', { type => 'link' } ]);
	for my $name (sort keys %kinds)
	{
		my ($style, $pagination) = @{ $kinds{$name} };
		sql("CREATE TABLE killed_$name (id bigint, name text)");
		schedule_job($node, 'postgres', { %{ definition(list(style => $style, n => 4000, limit => 50, delay => 20), $pagination,
				destination => { table => "killed_$name", batchSize => 7 }) }, id => $name });
		sql("SELECT databite.enqueue_job('$name')");
		for my $at (500, 1500)
		{
			ok(kill_runner($node, $name, $at), "$name: killed behind $at items, and the server is back");
		}
		ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.runs WHERE job_id = '$name' AND status = 'completed'"), "$name: a later run ends");
		is(sql("SELECT count(*), count(DISTINCT id), max(id) FROM killed_$name"), '4000|4000|4000', "$name: each item once");
		is(sql("SELECT sum(records_inserted), count(*) FILTER (WHERE resumes IS NOT NULL) FROM databite.runs WHERE job_id = '$name'"), '4000|2', "$name: counted once");
	}
};

$node->stop;
$server->kill_kill(grace => 2);
done_testing();
