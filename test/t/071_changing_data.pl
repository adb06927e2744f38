# Sources that change while they are read: each row of the tables in doc/changing-data.md. What is said there to be safe is
# right, what is not is lost here too, and is told where it can be.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP qw(encode_json);
use SampleApi;
use Test::More;

my $true = JSON::PP::true;
my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }
sql('CREATE EXTENSION databite');

# Begins the source anew.
sub ledger
{
	my (%options) = @_;
	return $api->call('POST', '/_ledger/l', encode_json(\%options));
}

# What happens in further runs; requests count from 1 again.
sub again { return $api->call('POST', '/_ledger/l', encode_json({ again => {@_} })); }

# Rows that differ in id and at.
sub from_to { return map { [ $_, $_ ] } $_[0] .. $_[1]; }

my %pages = (
	offset => { type => 'offset', limit => 3 },
	total => { type => 'offset', limit => 3, totalPath => 'total' },
	page_total => { type => 'page', pageSize => 3, sizeParam => 'per_page', totalPath => 'total' },
	page => { type => 'page', pageSize => 3, sizeParam => 'per_page' },
	cursor => { type => 'cursor', cursorPath => 'next', cursorParam => 'cursor', limitParam => 'limit', limit => 3 },
	keyset => { type => 'keyset', cursorParam => 'after', limitParam => 'limit', limit => 3 },
	pair => { type => 'keyset', field => 'key', cursorParam => 'after', limitParam => 'limit', limit => 3 },
	link => { type => 'link' });

# Makes job "j" and an empty table, which has a key unless it is called "bag".
sub job
{
	my ($pages, %change) = @_;
	my %source = %{ delete $change{source} // {} };
	my %destination = (table => 't', %{ delete $change{destination} // {} });
	my %query = ($pages eq 'link' ? (limit => 3) : (), %{ delete $source{query} // {} });
	sql(q{SELECT databite.unschedule_job(job_id) FROM databite.jobs WHERE job_id = 'j';
		DROP TABLE IF EXISTS t, bag; CREATE TABLE t (id int PRIMARY KEY, at text, note text); CREATE TABLE bag (LIKE t)});
	return replace_job($pages, \%query, \%source, \%destination, %change);
}

sub replace_job
{
	my ($pages, $query, $source, $destination, %change) = @_;
	schedule_job(
		$node,
		'postgres',
		{
			id => 'j',
			source => {
				type => 'api',
				url => $api->url('/ledger/l'),
				query => $query,
				dataPath => 'data',
				retry => { attempts => 2, delay => 10 },
				$pages eq 'none' ? () : (pagination => $pages{$pages}),
				%$source
			},
			destination => { type => 'database', %$destination },
			transform => { id => '{{ item.id }}', at => '{{ item.at }}', note => '{{ item.note }}' },
			%change
		});
	return;
}

# Runs it: how many items came, or what it failed with. In a worker, a run goes on with what one before it has left.
sub run { return outcome(execute_job($node, 'postgres', 'j')); }
sub run_in_worker { return outcome(enqueue_and_wait($node, 'postgres', 'j')); }

sub outcome
{
	my ($run) = @_;
	return $run->{status} eq 'completed' ? $run->{records_processed} : "$run->{status}: $run->{error}{message}";
}

sub rows { my $table = shift // 't'; return sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }
sub notices { return sql(q{SELECT notices FROM databite.runs WHERE job_id = 'j' ORDER BY run_id DESC LIMIT 1}); }
sub cursor { return sql(q{SELECT cursor FROM databite.cursors WHERE job_id = 'j'}); }

my $incremental = { query => { since => '{{ cursor }}' }, incremental => { cursorField => 'at', type => 'number' } };

subtest 'a row is inserted in front of what is being read' => sub {
	foreach (
		[ offset => '-id', 'key', 7 ],
		[ total => '-id', 'key', 7 ],
		[ page => '-id', 'key', 7 ],
		[ cursor => '-id', 'key', 6 ],
		[ cursor => '-id', 'offset', 7 ],
		[ link => '-id', 'key', 6 ],
		[ link => '-id', 'offset', 7 ])
	{
		my ($pages, $sort, $next, $items) = @$_;
		ledger(rows => [ from_to(1, 6) ], sort => $sort, next => $next, before => { 2 => [ { put => [ [ 7, 7 ] ] } ] });
		job($pages);
		is(run(), $items, "$pages, $next: items");
		is(rows(), '1 2 3 4 5 6', "$pages, $next: the row is not seen in this run, and the others are there");
		is(run(), 7, "$pages, $next: the next run");
		is(rows(), '1 2 3 4 5 6 7', "$pages, $next: brings it");
	}

	ledger(rows => [ from_to(1, 6) ], before => { 2 => [ { put => [ [ 0, 0 ] ] } ] });
	job('keyset');
	is(run(), 6, 'keyset: items');
	run();
	is(rows(), '0 1 2 3 4 5 6', 'keyset: the next run brings it');

	# what a cursor has seen when the newest come first
	foreach my $pages (qw(offset page))
	{
		ledger(rows => [ from_to(1, 6) ], sort => '-at', before => { 2 => [ { put => [ [ 7, 7 ] ] } ] });
		job($pages, source => $incremental);
		run();
		is(cursor(), '6', "$pages, incremental: the cursor is not behind what was not seen");
		run();
		is(rows(), '1 2 3 4 5 6 7', "$pages, incremental: the next run brings it");
	}

	# without a key there is nothing to know a row again by
	foreach my $pages (qw(offset page))
	{
		ledger(rows => [ from_to(1, 6) ], sort => '-id', before => { 2 => [ { put => [ [ 7, 7 ] ] } ] });
		job($pages, destination => { table => 'bag', mode => 'insert' });
		run();
		is(rows('bag'), '1 2 3 4 4 5 6', "$pages, without a key: a row is there twice");
	}
};

subtest 'a row before the place is deleted' => sub {
	my %delete = (rows => [ from_to(1, 9) ], before => { 2 => [ { delete => [1] } ] });
	my $shorter = qr/the list has become shorter while it was read/;

	foreach my $pages (qw(offset page))
	{
		ledger(%delete);
		job($pages);
		is(run(), 8, "$pages: a row is not seen");
		is(rows(), '1 2 3 5 6 7 8 9', "$pages: the one that took the place of another");
		unlike(notices(), $shorter, "$pages: nobody tells");
		run();
		is(rows(), '1 2 3 4 5 6 7 8 9', "$pages: the next run brings it");
	}
	foreach (qw(cursor link keyset))
	{
		ledger(%delete);
		job($_);
		is(run(), 9, "$_: nothing is left out");
		is(rows(), '1 2 3 4 5 6 7 8 9', "$_: also what is gone by now");
	}

	# where the total is told
	foreach my $concurrency (1, 4)
	{
		my %at_once = (performance => { concurrency => $concurrency });

		ledger(%delete);
		job('total', %at_once);
		is(run(), 8, "total, $concurrency: a row is not seen");
		like(notices(), $shorter, "total, $concurrency: history says so");
		is(run(), 8, "total, $concurrency: the next run");
		is(rows(), '1 2 3 4 5 6 7 8 9', "total, $concurrency: brings it");
		unlike(notices(), $shorter, "total, $concurrency: and has nothing to say");

		ledger(%delete);
		job('total', %at_once, source => $incremental);
		run();
		like(notices(), qr/$shorter.*asks for the same again/, "incremental, $concurrency: history says so");
		is(cursor(), '', "incremental, $concurrency: the cursor stays");
		run();
		is(rows(), '1 2 3 4 5 6 7 8 9', "incremental, $concurrency: the next run asks for it again");
		is(cursor(), '9', "incremental, $concurrency: then it moves");

		ledger(%delete);
		job('total', %at_once, destination => { deletes => { missing => 'hard' } });
		sql(q{INSERT INTO t VALUES (4, 'old'), (5, 'old')});
		run();
		is(rows(), '1 2 3 4 5 6 7 8 9', "deletes.missing, $concurrency: what was not seen is not deleted");
		like(notices(), qr/deleted nothing.*$shorter/, "deletes.missing, $concurrency: history says why");
		run();
		is(rows(), '2 3 4 5 6 7 8 9', "deletes.missing, $concurrency: the next run deletes what is gone");

		ledger(%delete);
		job('total', %at_once, destination => { mode => 'replace' });
		sql(q{INSERT INTO t VALUES (4, 'old')});
		like(run(), qr/^failed: .*cannot be replaced.*$shorter/, "replace, $concurrency: fails");
		is(rows(), '4', "replace, $concurrency: the table is as it was");
		is(run(), 8, "replace, $concurrency: the next run");
		is(rows(), '2 3 4 5 6 7 8 9', "replace, $concurrency: replaces it");
	}

	ledger(%delete);
	job('page_total', source => $incremental);
	run();
	like(notices(), $shorter, 'page, total: history says so');
	run();
	is(rows(), '1 2 3 4 5 6 7 8 9', 'page, total: the next run brings it');

	# without a key what is asked for again would be there twice
	ledger(%delete);
	job('total', source => $incremental, destination => { table => 'bag', mode => 'insert' });
	run();
	like(notices(), qr/may not have been seen"/, 'without a key: history says so');
	is(cursor(), '9', 'without a key: the cursor moves');

	# a window is read again by itself
	ledger(
		rows => [ map { [ $_, "2024-01-0${_}T12:00:00Z" ] } 1 .. 9 ],
		sort => 'at',
		before => { 2 => [ { put => [ [ 1, '2024-01-09T13:00:00Z' ] ] } ] });
	my %windows = (initialValue => '2024-01-01', end => '2024-01-11', step => '5d', cursorField => 'at');
	my $source = { query => { since => '{{ window.from }}', until => '{{ window.to }}' }, incremental => \%windows };
	job('total', source => $source, performance => { concurrency => 1 });
	run();
	is(cursor(), '', 'a window: the cursor stays before the first');
	run();
	is(rows(), '1 2 3 4 5 6 7 8 9', 'a window: the next run reads it again');
	is(cursor(), '2024-01-11T00:00:00.000000Z', 'a window: then it moves');
};

subtest 'a row comes or goes behind the place' => sub {
	foreach my $pages (qw(offset total page cursor link keyset))
	{
		ledger(rows => [ from_to(1, 9) ], before => { 2 => [ { put => [ [ 10, 10 ] ], delete => [8] } ] });
		job($pages);
		is(run(), 9, "$pages: items");
		is(rows(), '1 2 3 4 5 6 7 9 10', "$pages: what there is");
	}
};

subtest 'a row that has been read is updated and moves' => sub {
	my %move = (rows => [ from_to(1, 9) ], before => { 2 => [ { put => [ [ 1, 10 ] ] } ] });

	foreach my $pages (qw(offset page total))
	{
		ledger(%move, sort => 'at');
		job($pages, source => $incremental);
		is(run(), 9, "$pages by at: as many items as there are");
		is(rows(), '1 2 3 5 6 7 8 9', "$pages by at: but one is lost");
		run();
		is(rows(), '1 2 3 5 6 7 8 9', "$pages by at: also to the next run");
		sql(q{SELECT databite.reset_job('j')});
		run();
		is(rows(), '1 2 3 4 5 6 7 8 9', "$pages by at: a full run brings it");
	}
	foreach (
		[ offset => '-at' ],
		[ page => '-at' ],
		[ offset => 'id' ],
		[ page => 'id' ],
		[ cursor => 'at' ],
		[ cursor => 'id' ],
		[ link => 'at' ],
		[ pair => 'at' ],
		[ keyset => 'id' ])
	{
		my ($pages, $sort) = @$_;
		my $moved = $sort eq '-at' ? 9 : 1;
		ledger(%move, sort => $sort, ties => $pages eq 'pair' ? 'pair' : 'after', before => { 2 => [ { put => [ [ $moved, 10 ] ] } ] });
		job($pages, source => $incremental);
		run();
		is(rows(), '1 2 3 4 5 6 7 8 9', "$pages by $sort: nothing is lost");
		run();
		is(sql("SELECT at FROM t WHERE id = $moved"), '10', "$pages by $sort: the new version is there after the next run");
	}
};

# The second page has the old version of row 4, and comes behind the fourth, which has the new one.  Which of them is written last is anybody's guess.
subtest 'an old version that overtakes a new one' => sub {
	sql('CREATE TABLE versions (id int PRIMARY KEY, at int, note text)');
	foreach ([ 2, {}, qr/^(4|20)$/ ], [ 1, {}, qr/^20$/ ])
	{
		my ($concurrency, $newer, $at) = @$_;
		sql('TRUNCATE versions');
		ledger(
			rows => [ from_to(1, 12) ],
			sort => 'at',
			$concurrency > 1 ? (late => [ 3, 4 ]) : (),
			before => { 4 => [ { put => [ [ 4, 20 ] ] } ] });
		job('total', performance => { concurrency => $concurrency }, destination => { table => 'versions', %$newer });
		run();
		like(sql('SELECT at FROM versions WHERE id = 4'), $at, "$concurrency at once, " . encode_json($newer));
	}
};

subtest 'a row that comes late' => sub {
	foreach my $lookback (0, 5)
	{
		ledger(rows => [ from_to(1, 9) ]);
		job('offset', source => { %$incremental, incremental => { %{ $incremental->{incremental} }, lookback => $lookback } });
		run();
		$api->call('POST', '/_ledger/l/change', encode_json({ put => [ [ 20, 7 ] ] }));
		run();
		is(sql('SELECT count(*) FROM t WHERE id = 20'), $lookback > 0 ? '1' : '0', "with a lookback of $lookback");
	}
	sql(q{SELECT databite.reset_job('j')});

	# windows do not ask for what is newer than the lag
	ledger(rows => [ map { [ $_, "2024-01-0${_}T12:00:00Z" ] } 1 .. 3 ]);
	my %query = (since => '{{ cursor }}', until => '{{ window.to }}');
	job('offset', source => { query => \%query, incremental => { cursorField => 'at', lag => '1h' } });
	$api->call('POST', '/_ledger/l/change', encode_json({ put => [ { id => 4, at => 'now' } ] }));
	run();
	is(rows(), '1 2 3', 'what is newer than the lag is left for later');
	is(cursor(), '2024-01-03T12:00:00.000000Z', 'and does not move the cursor');
};

subtest 'rows with one time' => sub {
	my %ties = (rows => [ [ 1, 1 ], [ 2, 1 ], [ 3, 2 ], [ 4, 2 ], [ 5, 3 ] ], sort => 'at');
	my @many = map { [ $_, 5 ] } 1 .. 8;
	my $same = qr/^failed: .*several items with one "at"/;
	my $by_at = { pagination => { %{ $pages{keyset} }, field => 'at' } };

	# by keyset
	ledger(%ties, ties => 'after');
	job('none', source => $by_at);
	like(run(), $same, 'after: items would be left out');
	ledger(rows => [@many], sort => 'at', ties => 'after');
	like(run(), $same, 'after: also where nothing follows');
	ledger(rows => [ @many, [ 9, 9 ] ], sort => 'at', ties => 'after');
	like(run(), $same, 'after: and where something does');
	ledger(rows => [ [ 1, 1 ], [ 2, 1 ] ], sort => 'at', ties => 'after');
	is(run(), 2, 'after: where there is one page they do no harm');
	ledger(rows => [ from_to(1, 3), [ 4, 3 ], [ 5, 4 ], [ 6, 4 ], [ 7, 5 ], [ 8, 6 ] ], sort => 'at', ties => 'after');
	job('none', source => $by_at);
	like(run(), $same, 'after: found behind the page that left one out');
	job('none', source => { pagination => { %{ $by_at->{pagination} }, ties => 'whole' } });
	is(run(), 7, 'after: unless the definition says that pages do not divide them');

	ledger(%ties, ties => 'from');
	job('none', source => $by_at);
	is(run(), 7, 'from: some come twice');
	is(rows(), '1 2 3 4 5', 'from: all are there');
	ledger(rows => [@many], sort => 'at', ties => 'from');
	job('none', source => $by_at);
	like(run(), qr/^failed: .*(same cursor|same page) twice/, 'from: more than a page holds are an error');

	ledger(rows => [@many], sort => 'at', ties => 'pair');
	job('pair');
	is(run(), 8, 'pair: each once');
	is(rows(), '1 2 3 4 5 6 7 8', 'pair: all are there');

	# what is found in one run counts in the one that goes on with it
	ledger(rows => [ @many[ 0 .. 2 ], [ 9, 9 ] ], sort => 'at', ties => 'after', fail => { 2 => 500 });
	job('none', source => { %$by_at, retry => { attempts => 1 } }, destination => { table => 'bag', mode => 'insert', batchSize => 2 });
	like(run_in_worker(), qr/^failed: .*500/, 'a run that fails before the second page');
	like(run_in_worker(), $same, 'and one that goes on');

	# where a listing begins anew
	my $restart = { pagination => { %{ $pages{offset} }, restart => { items => 3, field => 'at', param => 'since' } } };
	ledger(%ties, since => 'after');
	job('none', source => $restart);
	like(run(), $same, 'restart, after: items would be left out');
	ledger(%ties, since => 'from');
	job('none', source => $restart);
	run();
	is(rows(), '1 2 3 4 5', 'restart, from: all are there');

	# by the cursor
	foreach (qw(offset page cursor link))
	{
		ledger(rows => [ @many[ 0 .. 3 ] ]);
		job($_, source => $incremental);
		run();
		$api->call('POST', '/_ledger/l/change', encode_json({ put => [@many] }));
		is(run(), 8, "$_: the cursor's time is asked for again");
		is(rows(), '1 2 3 4 5 6 7 8', "$_: all are there");
	}
	foreach my $lookback (0, 1)
	{
		ledger(rows => [ @many[ 0 .. 3 ] ], since => 'after');
		job('offset', source => { %$incremental, incremental => { %{ $incremental->{incremental} }, lookback => $lookback } });
		run();
		$api->call('POST', '/_ledger/l/change', encode_json({ put => [@many] }));
		run();
		is(sql('SELECT count(*) FROM t'), $lookback ? '8' : '4', "a source that gives what is newer only, lookback $lookback");
	}
};

subtest 'clocks' => sub {
	my $since = { query => { since => '{{ last_sync_time }}' } };

	# A row that is written after a run, by the clock of the source.
	my $ask_twice = sub {
		my ($source, %options) = @_;
		ledger(rows => [ { id => 1, at => 'now' } ], %options);
		job('none', source => { %$since, %$source });
		run();
		$api->call('POST', '/_ledger/l/change', encode_json({ put => [ { id => 2, at => 'now' } ] }));
		run();
		return rows();
	};
	is($ask_twice->({}, clock => -600), '1 2', 'ours is ahead, and the source tells its time: nothing is lost');
	like(notices(), qr/clock .*ahead/, 'history says so');
	is(sql(q{SELECT last_sync_time BETWEEN now() - interval '15 min' AND now() - interval '9 min' FROM databite.cursors}), 't',
		'the next run asks from its time on');
	is($ask_twice->({}, clock => 0), '1 2', 'both are right');
	unlike(notices(), qr/clock/, 'nothing to say');
	is($ask_twice->({}, clock => 600), '1 2', 'ours is behind: some come again');

	# A source that does not tell its time is taken to have ours: see the clock of the rows here.
	my $old = sub { my ($minutes) = @_; return sql("SELECT to_char((now() - interval '$minutes min') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"); };
	foreach my $lookback (0, 1)
	{
		ledger(rows => [ [ 1, $old->(10) ] ]);
		job('none', source => { %$since, incremental => { lookback => $lookback ? '20m' : '0s' } });
		run();
		$api->call('POST', '/_ledger/l/change', encode_json({ put => [ [ 2, $old->(9) ] ] }));
		run();
		is(rows(), $lookback ? '1 2' : '1', $lookback ? 'a lookback makes up for it' : 'a source that does not tell its time');
	}
	ledger(rows => [ [ 1, $old->(10) ] ]);
	job('none', source => { query => { since => '{{ cursor }}' }, incremental => { cursorField => 'at' } });
	run();
	$api->call('POST', '/_ledger/l/change', encode_json({ put => [ [ 2, $old->(9) ] ] }));
	run();
	is(rows(), '1 2', 'and a cursorField does not look at our clock');

	# windows end at the source's time as well
	my %windows = (query => { since => '{{ window.from }}', until => '{{ window.to }}' },
		incremental => { initialValue => '-1h', step => '2h' });
	is($ask_twice->(\%windows, clock => -600), '1 2', 'windows: ours is ahead');
	is($ask_twice->(\%windows, clock => 600), '', 'windows: what is in the future is not asked for');
};

subtest 'a page that breaks off, or a run, and the source has changed when it goes on' => sub {
	my %rows = (rows => [ from_to(1, 9) ]);
	my $changed = qr/has changed since some of its items were written/;
	my %bag = (destination => { table => 'bag', mode => 'insert', batchSize => 1 });

	# The second page breaks off behind two of its three items, which are in the table, and is asked for again.
	my $torn = sub {
		my ($table, $change, $middle) = @_;
		$middle //= "SELECT count(*) = 5 FROM $table";
		$api->call('POST', '/_ledger/l', encode_json({ %rows, hold => { 2 => 2 } }));
		my $run = sql(q{SELECT databite.enqueue_job('j')});
		ok($node->poll_query_until('postgres', $middle), 'in the middle of the second page');
		$api->call('POST', '/_ledger/l/change', encode_json({ %$change, release => $true }));
		wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
		return sql("SELECT status, records_processed FROM databite.runs WHERE run_id = $run");
	};
	foreach my $pages (qw(cursor link keyset offset page))
	{
		job($pages, destination => { batchSize => 1 });
		is($torn->('t', { delete => [4] }), 'completed|11', "$pages: the page is taken again");
		is(rows(), '1 2 3 4 5 6 7 8 9', "$pages: nothing is lost");

		job($pages, %bag);
		like($torn->('bag', { delete => [4] }), qr/^completed/, "$pages, without a key");
		like(notices(), $changed, "$pages, without a key: history says that something may be missing");

		# as it was: each item once
		job($pages, destination => { batchSize => 1 });
		is($torn->('t', {}), 'completed|9', "$pages, unchanged: each item counts once");
		job($pages, %bag);
		is($torn->('bag', {}), 'completed|9', "$pages, unchanged, without a key: each item counts once");
		is(rows('bag'), '1 2 3 4 5 6 7 8 9', "$pages, unchanged, without a key: each item is there once");
		unlike(notices(), $changed, "$pages, unchanged, without a key: nothing to say");
	}

	# what is gathered for a table that is replaced
	my $gathered = q{SELECT records_processed = 5 FROM databite.runs WHERE job_id = 'j' ORDER BY run_id DESC LIMIT 1};
	job('keyset', destination => { mode => 'replace', batchSize => 1 });
	is($torn->('t', { delete => [4] }, $gathered), 'completed|11', 'replace: the page is taken again');
	is(rows(), '1 2 3 4 5 6 7 8 9', 'replace: nothing is lost');
	job('keyset', destination => { table => 'bag', mode => 'replace', batchSize => 1 });
	sql(q{INSERT INTO bag VALUES (99, 'old')});
	like($torn->('bag', { delete => [4] }, $gathered), qr/^failed/, 'replace, without a key: fails');
	is(rows('bag'), '99', 'replace, without a key: the table is as it was');
	is($torn->('bag', {}, $gathered), 'completed|9', 'replace, without a key, unchanged: completed');
	is(rows('bag'), '1 2 3 4 5 6 7 8 9', 'replace, without a key, unchanged: the table is replaced');

	# the page is shorter than what was taken of it
	job('cursor', destination => { batchSize => 1 });
	$torn->('t', { delete => [ 4, 5, 7, 8, 9 ] });
	is(rows(), '1 2 3 4 5 6', 'a page that has become shorter');

	# A run that fails without a key, and goes on: the offset is another one.
	my @fails = (source => { retry => { attempts => 1 } });
	foreach (
		[ offset => { delete => [1] }, '1 2 3 5 6 7 8 9', 'a row is missing' ],
		[ offset => { put => [ [ 0, 0 ] ] }, '1 2 3 3 4 5 6 7 8 9', 'a row is there twice' ],
		[ keyset => { delete => [1] }, '1 2 3 4 5 6 7 8 9', 'nothing is' ],
		[ keyset => { put => [ [ 0, 0 ] ] }, '1 2 3 4 5 6 7 8 9', 'nothing is' ],
		[ cursor => { delete => [1] }, '1 2 3 4 5 6 7 8 9', 'nothing is' ])
	{
		my ($pages, $change, $rows, $name) = @$_;
		ledger(%rows, fail => { 2 => 500 });
		job($pages, @fails, destination => { table => 'bag', mode => 'insert', batchSize => 2 });
		like(run_in_worker(), qr/^failed/, "$pages: the second page fails");
		$api->call('POST', '/_ledger/l/change', encode_json($change));
		run_in_worker();
		is(rows('bag'), $rows, "$pages, without a key: $name");
	}

	# With a key a run that failed begins anew, and nothing is lost.
	ledger(%rows, fail => { 2 => 500 });
	job('offset', @fails);
	like(run_in_worker(), qr/^failed/, 'offset, with a key: the second page fails');
	$api->call('POST', '/_ledger/l/change', encode_json({ delete => [1] }));
	is(run_in_worker(), 8, 'offset, with a key: from the beginning');
	is(sql('SELECT count(*) FROM t WHERE id > 1'), '8', 'offset, with a key: all are there');
};

subtest 'a run that is killed, and the source has changed when it goes on' => sub {
	ledger(rows => [ from_to(1, 9) ], hold => { 2 => 2 });
	job('keyset', destination => { batchSize => 1 });
	sql(q{SELECT databite.enqueue_job('j')});
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 5 FROM t}), 'in the middle of the second page');
	sql('CHECKPOINT');			# what is committed is on disk
	kill 'KILL', sql(q{SELECT pid FROM databite.progress WHERE job_id = 'j'});
	$api->call('POST', '/_ledger/l/change', encode_json({ delete => [4] }));
	ok(wait_for_server($node, q{SELECT status = 'completed' FROM databite.runs WHERE job_id = 'j' ORDER BY run_id DESC LIMIT 1}),
		'a later run ends');
	is(rows(), '1 2 3 4 5 6 7 8 9', 'nothing is lost');
};

subtest 'rows that the source deletes' => sub {
	my @missing = (destination => { deletes => { missing => 'hard' } });

	foreach my $pages (qw(offset cursor keyset link))
	{
		ledger(rows => [ from_to(1, 9) ]);
		job($pages, @missing);
		run();
		$api->call('POST', '/_ledger/l/change', encode_json({ delete => [5] }));
		run();
		is(rows(), '1 2 3 4 6 7 8 9', "$pages: a whole listing shows it");
	}
	ledger(rows => [ from_to(1, 9) ]);
	job('offset', source => $incremental, @missing);
	run();
	$api->call('POST', '/_ledger/l/change', encode_json({ delete => [5] }));
	run();
	is(rows(), '1 2 3 4 5 6 7 8 9', 'an incremental one does not');
	like(notices(), qr/deleted nothing that is missing/, 'and says so');
	sql(q{SELECT databite.reset_job('j')});
	run();
	is(rows(), '1 2 3 4 6 7 8 9', 'but after reset_job it does');

	# an item that says so, and one that comes back
	ledger(rows => [ from_to(1, 3) ]);
	job('offset', source => $incremental, destination => { deletes => { mode => 'hard', when => '{{ item.note == "gone" }}' } });
	run();
	$api->call('POST', '/_ledger/l/change', encode_json({ put => [ { id => 2, at => 4, note => 'gone' } ] }));
	run();
	is(rows(), '1 3', 'an item that says that it is deleted');
	$api->call('POST', '/_ledger/l/change', encode_json({ put => [ { id => 2, at => 5, note => 'again' } ] }));
	run();
	is(rows(), '1 2 3', 'and is there again');
};

subtest 'a table that is replaced' => sub {
	foreach (
		[ offset => '-id', { put => [ [ 10, 10 ] ] }, '1 2 3 4 5 6 7 8 9' ],
		[ keyset => 'id', { put => [ [ 10, 10 ] ] }, '1 2 3 4 5 6 7 8 9 10' ],
		[ keyset => 'id', { delete => [1] }, '1 2 3 4 5 6 7 8 9' ],
		[ cursor => 'id', { delete => [1] }, '1 2 3 4 5 6 7 8 9' ],
		[ offset => 'id', { delete => [1] }, '1 2 3 5 6 7 8 9' ])
	{
		my ($pages, $sort, $change, $rows) = @$_;
		my $name = "$pages by $sort, " . encode_json($change);
		ledger(rows => [ from_to(1, 9) ], sort => $sort, before => { 2 => [$change] });
		job($pages, destination => { mode => 'replace' });
		run();
		is(rows(), $rows, "$name: what the pages had");
		run();
		is(rows(), join(' ', map { $_->{id} } sort { $a->{id} <=> $b->{id} } @{ $api->call('GET', '/_ledger/l') }), "$name: and then what there is");
	}
};

$node->stop;
$api->stop;
done_testing();
