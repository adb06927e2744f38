# performance.memoryLimit: what a run buffers stays within it, whatever the source sends and however slow the table is, and nothing
# but an item that is larger than the limit lets one be is lost by it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my ($in, $out) = ('', '');
my @servers;

# Starts a server of test/api; its port.
sub server
{
	my ($name) = @_;
	my $file = "$dir/$name";
	my $server = IPC::Run::start([ 'python3', "$FindBin::RealBin/../api/$name.py", '--port-file', $file ], \$in, \$out, '2>&1');
	wait_for_file($file, sub { $server->pumpable }) or die "$name did not start: $out";
	push @servers, $server;
	return (split /\n/, slurp_file($file))[0];
}

my ($port, $evil) = (server('lists'), server('evil'));
my $http = HTTP::Tiny->new(timeout => 30);

# Memory that is shared is nobody's own; little of it makes that a small difference.
my $node = databite_node('main', conf => "shared_buffers = 1MB\nautovacuum = off");
sub sql { return $node->safe_psql('postgres', shift); }
sql('CREATE EXTENSION databite; CREATE TABLE rows (id bigint, name text)');
my $sanitized = is_sanitized($node);

my $lists = 0;

# The address of a list of so many items that nobody has asked for yet.
sub list
{
	my (%options) = @_;
	$lists++;
	return "http://127.0.0.1:$port/list/" . join('/', map { "$_=$options{$_}" } sort keys %options) . "/style=offset/total=1/id=$lists";
}

# What the server has been asked since the last time.
sub asked
{
	return @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) };
}

sub schedule
{
	my ($url, $limit, %change) = @_;
	my $page = delete $change{page} // 1;
	my $retry = delete $change{retry} // { attempts => 1 };
	sql('TRUNCATE rows');
	asked();
	my %job = (
		id => 'memory',
		source => { type => 'api', url => $url, dataPath => 'data', timeout => 120000, retry => $retry,
			pagination => { type => 'offset', limit => $page, totalPath => 'total' } },
		destination => { type => 'database', table => 'rows', mode => 'insert', %{ delete $change{destination} // {} } },
		transform => { id => '{{ item.id }}', name => '{{ item.name }}' },
		performance => { concurrency => 16, $limit ? (memoryLimit => $limit) : (), %{ delete $change{performance} // {} } },
		%change);
	delete $job{transform} unless $job{transform};
	schedule_job($node, 'postgres', \%job);
	return;
}

# kB of its own that a process has had at most, as text of SQL; its shared memory only grows.
sub peak_of
{
	my ($pid) = @_;
	return "SELECT substring(s from 'VmHWM:\\s+(\\d+)')::int - substring(s from 'RssShmem:\\s+(\\d+)')::int FROM pg_read_file('/proc/$pid/status') AS s";
}

# Runs the job in a session of its own; the peak of that in kB.
sub run_it { return (split /\n/, sql("CALL databite.run_job('memory'); " . peak_of('self')))[-1]; }

sub run
{
	schedule(@_);
	return run_it();
}

# All items are there as they were sent.
sub complete
{
	my ($name, $items, $width) = @_;
	is(sql("SELECT count(*), count(DISTINCT id), coalesce(max(id), 0), bool_and(name = rpad('item ' || id, greatest($width, length('item ' || id)), 'x')) FROM rows"),
		"$items|$items|$items|t", "$name: each item once, and whole");
	return;
}

my $idle = run(list(n => 20), undef);

sub bounded
{
	my ($name, $peak, $megabytes) = @_;
	my $more = $peak - $idle;
	note("$name: $more kB of $megabytes MB");
	cmp_ok($more, '<=', $megabytes * 1024, "$name: within the limit") unless $sanitized;
	return;
}

# Many requests in flight, each of them in the middle of an item; the smallest limit, and those that all items together exceed.
subtest 'items in flight' => sub
{
	for my $case ([ 8, 40000 ], [ 8, 500000 ], [ 64, 3000000, 32 ], [ 128, 6000000 ])
	{
		my ($megabytes, $width, $concurrency) = @$case;
		my $name = "$width bytes an item in $megabytes MB";
		my $items = $width > 1000000 ? 64 : 200;
		bounded($name, run(list(n => $items, wide => $width), "${megabytes}MB", performance => { concurrency => $concurrency // 16 }), $megabytes);
		complete($name, $items, $width);
	}
	bounded('100 in flight', run(list(n => 300, wide => 400000), '8MB', performance => { concurrency => 100 }), 8);
	complete('100 in flight', 300, 400000);
	like(sql('SELECT notices::text FROM databite.runs ORDER BY run_id DESC LIMIT 1'), qr/of 100 requests in flight, memoryLimit has memory for 4/, '100 in flight: history says how many there were');
};

# In the middle of items, of which each is waited for by others.
subtest 'transfers that break' => sub
{
	schedule(list(n => 64, wide => 3000000, cut => '2000000@5'), '64MB', performance => { concurrency => 32 }, retry => { attempts => 3, delay => 10 });
	bounded('transfers that break', run_it(), 64);
	complete('transfers that break', 64, 3000000);
	is(sql('SELECT retries FROM databite.runs ORDER BY run_id DESC LIMIT 1'), '1', 'transfers that break: one has');
};

subtest 'pages in flight' => sub
{
	bounded('wide rows', run(list(n => 20000, wide => 2000), '8MB', page => 500), 8);
	complete('wide rows', 20000, 2000);
	bounded('a large batch', run(list(n => 60000), '8MB', page => 5000, destination => { batchSize => 100000 }), 8);
	complete('a large batch', 60000, 0);

	# Each reader keeps what is around the list until the page is complete.
	bounded('much around the list', run(list(n => 100, around => 900000, wide => 100000), '64MB', page => 2), 64);
	complete('much around the list', 100, 100000);
};

subtest 'ways into the table' => sub
{
	bounded('no table', run(list(n => 40, wide => 500000), '8MB', destination => { table => 'made', schema => { id => 'integer', name => 'text' } }), 8);
	is(sql('SELECT count(*), min(length(name)) FROM made'), '40|500000', 'no table: all items');
	bounded('no table and no schema', run(list(n => 40, wide => 500000), '8MB', destination => { table => 'learned' }, transform => undef), 8);
	is(sql('SELECT count(*), min(length(name)) FROM learned'), '40|500000', 'no table and no schema: all items');

	sql('CREATE TABLE keyed (id bigint PRIMARY KEY, name text, item jsonb)');
	my @keyed = (page => 10, destination => { table => 'keyed', mode => 'upsert' },
		transform => { id => '{{ item.id }}', name => '{{ item.name | upper }}', item => '{{ item }}' });
	for my $time ('first', 'second')
	{
		bounded("upsert, the $time time", run(list(n => 200, wide => 100000), '16MB', @keyed), 16);
	}
	is(sql("SELECT count(*), min(length(name)), min(length(item->>'name')) FROM keyed"), '200|100000|100000', 'upsert: all items');
};

# The texts of items that are rejected are kept until they are written.
subtest 'rejected items' => sub
{
	bounded('rejected items', run(list(n => 200, wide => 200000), '8MB', page => 10, validation => { id => { max => 20 } }), 8);
	is(sql("SELECT (SELECT count(*) FROM rows), count(*), min(length(item->>'name')) FROM databite.rejected_items"), '20|180|200000', 'rejected items: all of them, with their texts');
	sql('DELETE FROM databite.rejected_item');
};

# Rows of a parent that have no items leave sync tokens all the same, which do not wait for items to be written with.
subtest 'sync tokens of parents' => sub
{
	sql('CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents SELECT generate_series(1, 100)');
	sql('TRUNCATE rows');
	schedule_job($node, 'postgres', { id => 'memory', steps => [
		{ id => 'parents', source => { type => 'sql', query => 'SELECT id FROM parents' }, destination => { type => 'database', table => 'parents' } },
		{ id => 'children', dependsOn => ['parents'], destination => { type => 'database', table => 'rows', mode => 'insert' }, transform => { id => '{{ item.id }}' },
			source => { type => 'api', dataPath => 'data', url => list(n => 0, around => 200000), query => { parent => '{{ parents.id }}' },
				incremental => { syncToken => { path => 'around', param => 'token' } } } } ] });
	bounded('sync tokens of parents', run_it(), 12);
	is(sql('SELECT count(*), min(length(sync_token)) FROM databite.parent_state'), '100|200000', 'sync tokens of parents: all of them');
};

# A value in jsonb takes many times its text while it is made: no two of them at a time do.
subtest 'values in jsonb' => sub
{
	my $query = q(SELECT i AS id, (SELECT json_agg(json_build_object('id', j, 'name', 'A customer', 'on', true)) FROM generate_series(1, 2500) AS j) AS list
		FROM generate_series(1, 60) AS i);
	sql('CREATE TABLE listed (id int, list jsonb)');
	my $peak = run('', undef, source => { type => 'sql', query => $query }, destination => { table => 'listed' }, transform => { id => '{{ item.id }}', list => '{{ item.list }}' });
	bounded('values in jsonb', $peak, 16);
	is(sql('SELECT count(*), min(jsonb_array_length(list)) FROM listed'), '60|2500', 'values in jsonb: all of them');
};

# The table is slow: nothing more comes over the wire, and what has come waits where it is.
subtest 'a slow table' => sub
{
	schedule(list(n => 400, wide => 400000), '16MB');
	my $locker = $node->background_psql('postgres');
	$locker->query_safe('BEGIN; LOCK TABLE rows IN ACCESS EXCLUSIVE MODE');
	my $run = sql("SELECT databite.enqueue_job('memory')");
	my $waiting = "FROM pg_locks WHERE NOT granted AND relation = 'rows'::regclass";
	wait_for_sql($node, 'postgres', "SELECT count(*) > 0 $waiting");
	my $pid = sql("SELECT pid $waiting");
	my $requests = asked();
	cmp_ok($requests, '<=', 16, 'no more requests than in flight');
	bounded('while it waits', sql(peak_of($pid)), 16);
	is(sql("SELECT state, granted FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND relation = 'rows'::regclass"), 'active|f', 'it still does');
	is(scalar(asked()), 0, 'and asks for nothing');
	$locker->query_safe('COMMIT');
	$locker->quit;
	wait_for_sql($node, 'postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run");
	complete('a slow table', 400, 400000);
};

# A window of 16 MiB for each request is no small thing: where it would be too much, br is not asked for, and refused where it needs one.
subtest 'br' => sub
{
	my $page = sub {
		my ($limit, $case) = @_;
		schedule('', $limit, source => { type => 'api', url => "http://127.0.0.1:$evil/$case", timeout => 60000, retry => { attempts => 1 } });
		$http->request('DELETE', "http://127.0.0.1:$evil/_log");
		my ($json, $peak) = split /\n/, sql("SELECT row_to_json(r) FROM databite.execute_job('memory') AS r; " . peak_of('self'));
		my ($request) = @{ decode_json($http->get("http://127.0.0.1:$evil/_log")->{content}) };
		return (decode_json($json), $peak, $request->{head} =~ /^Accept-Encoding: (.*)\r$/m);
	};
	my ($result, $peak, $asked) = $page->('8MB', 'coded?codings=br');
	is("$result->{status} $result->{records_processed} $asked", 'completed 2 gzip, deflate', 'a small body that comes unasked');
	($result, $peak, $asked) = $page->('8MB', 'bomb?size=268435456&coding=br');
	is("$result->{status} $asked", 'failed gzip, deflate', 'a large one');
	like($result->{error}{detail}, qr/^Its br data needs more memory than the job's performance.memoryLimit leaves for it/, 'with the reason');
	bounded('br', $peak, 8);
	($result, $peak, $asked) = $page->('2GB', 'bomb?size=268435456&coding=br');
	is("$result->{status} $result->{records_processed} $asked", 'completed 2 gzip, deflate, br', 'where there is memory for it');
};

# One item is larger than any may be.
subtest 'an item above the bound' => sub
{
	for my $width (600000, 40000000)
	{
		my $url = list(n => 300, wide => 3000, huge => "$width\@150");
		bounded("$width bytes, errors are logged", run($url, '8MB', page => 100, destination => { onError => 'log_and_continue' }), 8);
		is(sql("SELECT status, records_processed, records_rejected FROM databite.runs WHERE job_id = 'memory' ORDER BY run_id DESC LIMIT 1"), 'completed|300|1',
			"$width bytes, errors are logged: the others go on");
		is(sql('SELECT count(*), count(*) FILTER (WHERE id = 150) FROM rows'), '299|0', "$width bytes: they are written");
		like(sql('SELECT error_code, item, message FROM databite.rejected_items ORDER BY run_id DESC LIMIT 1'),
			qr/^54000\|\|item of \d+ bytes is larger than the limit of 524288 bytes$/, "$width bytes: it is a rejected item, without its text");

		schedule(list(n => 300, wide => 3000, huge => "$width\@150"), '8MB', page => 100);
		my $run = execute_job($node, 'postgres', 'memory');
		is("$run->{status} $run->{error}{code}", 'failed 54000', "$width bytes: else the run fails");
		like($run->{error}{message}, qr/^item \d+ cannot be stored: item of \d+ bytes is larger than the limit of 524288 bytes$/, "$width bytes: with what the item is");
	}
};

done_testing();
