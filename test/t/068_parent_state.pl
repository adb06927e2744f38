# incremental.perParentState: each row of a parent step has a cursor of its own, which moves with that row's last items and not
# before, whatever becomes of the other rows, of the run and of its process.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use List::Util qw(uniq);
use SampleApi;
use Test::More;

my $true = JSON::PP::true;
my $first = '2024-01-01T00:00:00Z';
my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite; CREATE TABLE parent (id int PRIMARY KEY, note text); CREATE TABLE parent_copy (LIKE parent INCLUDING ALL)');

# For each parent the orders of that customer, ten a page.
sub fan_out
{
	my ($id, $destination, %options) = @_;
	my %source = %{ $options{source} // {} };
	return {
		id => $id,
		performance => { concurrency => $options{concurrency} // 3 },
		errorHandling => $options{errorHandling} // { strategy => 'fail_fast' },
		steps => [
			{
				id => 'parents',
				source => { type => 'sql', query => $options{query} // 'SELECT id, note FROM parent ORDER BY id' },
				destination => { type => 'database', table => 'parent_copy', key => 'id' }
			},
			{
				id => 'orders',
				dependsOn => ['parents'],
				source => {
					type => 'api',
					url => $api->url('/customers/{{parents.id}}/orders' . ($options{fault} // '')),
					query => { updated_since => '{{cursor}}' },
					pagination => { type => 'offset', limit => 10 },
					incremental => { cursorField => 'updated_at', initialValue => $first, perParentState => $true },
					%source
				},
				destination => { type => 'database', batchSize => 17, %$destination },
				transform => $options{transform} // { id => '{{item.id}}', customer_id => '{{parents.id}}', updated_at => '{{item.updated_at}}' }
			} ]
	};
}

sub parents { return sql('TRUNCATE parent, parent_copy; INSERT INTO parent SELECT generate_series(1, ' . shift . ')'); }

sub orders_table
{
	my ($name, $key) = @_;
	return sql("CREATE TABLE $name (id bigint" . ($key ? ' PRIMARY KEY' : '') . ', customer_id int, updated_at timestamptz)');
}

sub called
{
	my ($job, $status, $name) = @_;
	$api->clear_requests;
	$node->psql('postgres', "CALL databite.run_job('$job')", on_error_stop => 0);
	is(sql("SELECT status FROM databite.runs WHERE job_id = '$job' ORDER BY run_id DESC LIMIT 1"), $status, $name)
		or diag(sql("SELECT error FROM databite.runs WHERE job_id = '$job' ORDER BY run_id DESC LIMIT 1"));
	return;
}

# What each parent's first page was asked with, as "1:time 2:time ...".
sub asked
{
	my %since;
	for my $request (@{ $api->requests })
	{
		next unless $request->{path} =~ m{customers/(\d+)/orders};
		$since{$1} //= $request->{query}{updated_since};
	}
	return join(' ', map { "$_:$since{$_}" } sort { $a <=> $b } keys %since);
}

# The same of what databite keeps.
sub kept
{
	my ($job) = @_;
	return sql(qq(SELECT string_agg((parent ->> 'id') || ':' || regexp_replace(cursor, '.000000', ''), ' ' ORDER BY (parent ->> 'id')::int)
		FROM databite.parent_cursors WHERE job_id = '$job' AND step_id = 'orders'));
}

# Of how many parents it is kept when they were asked last.
sub kept_times
{
	my ($job) = @_;
	return sql(qq(SELECT count(last_sync_time) FROM databite.parent_cursors WHERE job_id = '$job'));
}

# The same of the newest orders in the table; $of: of which customers.
sub newest
{
	my ($table, $of) = @_;
	my $where = defined $of ? "WHERE customer_id IN ($of)" : '';
	return sql(qq(SELECT string_agg(customer_id || ':' || at, ' ' ORDER BY customer_id) FROM (SELECT customer_id,
		to_char(max(updated_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at FROM $table $where GROUP BY customer_id) AS t));
}

sub all_from { my $from = shift; return join(' ', map { "$_:$from" } @_); }

subtest 'a cursor of each parent' => sub
{
	parents(5);
	orders_table('own', 1);
	schedule_job($node, 'postgres', fan_out('own', { table => 'own', key => 'id' }));
	called('own', 'completed', 'first run');
	is(asked(), all_from($first, 1 .. 5), 'it asks for all there is');
	is(sql('SELECT count(*) FROM own'), '100', 'which comes');
	is(kept('own'), newest('own'), 'kept: the greatest time of each');
	is(sql(q(SELECT cursor IS NULL, last_sync_time IS NOT NULL FROM databite.cursors WHERE job_id = 'own' AND step_id = 'orders')), 't|t',
		'the step itself has none');

	# Of the second customer one is new; the parents come in another order, and there is one more.
	$api->control({ edit => { orders => { 2 => { updated_at => '2026-05-01T00:00:00Z' } } } });
	my $before = kept('own');
	sql('INSERT INTO parent VALUES (9)');
	schedule_job($node, 'postgres', fan_out('own', { table => 'own', key => 'id' }, query => 'SELECT id, note FROM parent ORDER BY id DESC'));
	called('own', 'completed', 'second run');
	is(asked(), "$before 9:$first", 'each is asked from where it stands, and the new one from the beginning');
	is(kept('own'), newest('own'), 'kept: where each stands now');
	like(kept('own'), qr/2:2026-05-01T00:00:00Z 3:2024/, 'which is further for one only');
	is(sql(q(SELECT records_processed, records_updated, records_inserted FROM databite.runs WHERE job_id = 'own' ORDER BY run_id DESC LIMIT 1)),
		'32|1|21', 'counted: parents and newest orders again, an update, and all of the new one');
	like(sql(q(SELECT notices FROM databite.runs WHERE job_id = 'own' ORDER BY run_id DESC LIMIT 1)),
		qr/step \\?"orders\\?": 1 rows of step \\?"parents\\?" had no state yet/, 'history tells that one began anew');

	# A parent that is gone for a while.
	sql('DELETE FROM parent WHERE id = 3');
	called('own', 'completed', 'without one');
	sql('INSERT INTO parent VALUES (3)');
	$before = kept('own');
	called('own', 'completed', 'with it again');
	is(asked(), $before, 'it goes on where it was');

	sql(q(SELECT databite.reset_job('own', 'parents')));
	is(kept('own'), $before, 'reset of the other step: it is still there');
	sql(q(SELECT databite.reset_job('own', 'orders')));
	is(kept('own'), '', 'reset of the step: forgotten');
	called('own', 'completed', 'after that');
	is(asked(), all_from($first, 1 .. 5, 9), 'everything is asked for');
	$api->control({ reset => $true });
};

subtest 'what templates see' => sub
{
	sql('CREATE TABLE seen (id bigint PRIMARY KEY, cursor text, sync text, from_text text)');
	my $job = fan_out('seen', { table => 'seen', key => 'id' },
		source => {
			query => { updated_since => '{{window.from}}', sync => '{{last_sync_time}}' }
		},
		transform => { id => '{{item.id}}', cursor => '{{cursor}}', sync => '{{last_sync_time}}', from_text => '{{window.from}}' });
	parents(2);
	schedule_job($node, 'postgres', $job);
	called('seen', 'completed', 'first run');
	is(sql('SELECT DISTINCT cursor, sync, from_text FROM seen'), join('|', ($first) x 3), 'the transform sees the initial value');
	my $kept = kept('seen');
	$job->{steps}[1]{source}{errorWhen} = qq({{last_sync_time == "$first"}});
	schedule_job($node, 'postgres', $job);
	called('seen', 'completed', 'second run, whose rules would fail it with the initial value');
	is(asked(), $kept, 'window.from in a request');
	is(join(' ', uniq(map { $_->{query}{sync} eq $_->{query}{updated_since} ? 'same' : 'other' } @{ $api->requests })), 'same', 'last_sync_time too');
	is(sql("SELECT string_agg(DISTINCT (1 + (id - 1) % 50) || ':' || cursor, ' ') FROM seen
		WHERE cursor <> '$first' AND cursor = sync AND cursor = from_text"), $kept, 'the transform sees that of the parent');
};

subtest 'without cursorField, and with windows' => sub
{
	parents(2);
	orders_table('clock', 1);
	schedule_job($node, 'postgres', fan_out('clock', { table => 'clock', key => 'id' },
			source => { incremental => { perParentState => $true, initialValue => $first } }));
	called('clock', 'completed', 'clock');
	my $began = sql(q(SELECT to_char(last_sync_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') FROM databite.cursors
		WHERE job_id = 'clock' AND step_id = 'orders'));
	sql('INSERT INTO parent VALUES (3)');
	called('clock', 'completed', 'clock again');
	is(asked(), "1:$began 2:$began 3:$first", 'each from when it was last asked');

	my $job = fan_out('windows', { table => 'clock', key => 'id' }, source => {
			query => { updated_since => '{{window.from}}', updated_before => '{{window.to}}' },
			incremental => { perParentState => $true, initialValue => $first, end => '2024-01-11T00:00:00Z', step => '5d' } });
	sql('DELETE FROM parent WHERE id = 3');
	schedule_job($node, 'postgres', $job);
	called('windows', 'completed', 'windows');
	is(kept('windows'), all_from('2024-01-11T00:00:00Z', 1, 2), 'windows: each parent has come to the end');
	$job->{steps}[1]{source}{incremental}{end} = '2024-01-21T00:00:00Z';
	sql('INSERT INTO parent VALUES (3)');
	schedule_job($node, 'postgres', $job);
	called('windows', 'completed', 'windows, later');
	is(asked(), "1:2024-01-11T00:00:00Z 2:2024-01-11T00:00:00Z 3:$first", 'windows: from where each stands');
	called('windows', 'completed', 'windows, nothing more');
	is(asked(), '', 'windows: nothing is asked for where a parent has none left');
};

subtest 'numbers' => sub
{
	parents(1);
	sql('CREATE TABLE numbers (id bigint PRIMARY KEY, customer_id int, updated_at timestamptz)');
	schedule_job($node, 'postgres', fan_out('numbers', { table => 'numbers', key => 'id' },
			source => { query => { after => '{{cursor}}' },
				incremental => { cursorField => 'id', type => 'number', initialValue => 0, lookback => 1, perParentState => $true } }));
	called('numbers', 'completed', 'numbers');
	is(kept('numbers'), '1:951', 'the greatest, and not the last in the alphabet');
	called('numbers', 'completed', 'again');
	is($api->requests('/customers/1/orders')->[0]{query}{after}, '950', 'less the lookback');
};

# A customer with so many orders that its fifth page is one that the others do not have.
my $many = { edit => { orders => { map { ($_ => { customer_id => 3, updated_at => '2026-01-01T00:00:00Z' }) } 4 .. 28 } } };
my $fifth = '?fault=status:400:after=4:times=1:scope=path';

subtest 'a parent that fails' => sub
{
	parents(5);
	orders_table('failing', 1);
	$api->control($many);
	schedule_job($node, 'postgres', fan_out('failing', { table => 'failing', key => 'id' }, fault => $fifth,
			errorHandling => { strategy => 'partial_success' }));
	called('failing', 'partial', 'one fails at its last page');
	my $kept = kept('failing');
	is($kept, newest('failing', '1, 2, 4, 5'), 'it has no cursor, the others do');
	called('failing', 'completed', 'the next run');
	is(asked(), join(' ', sort split(/ /, "$kept 3:$first")), 'asks for it from the beginning, and of the others for what is new');
	is(kept('failing'), newest('failing'), 'now it has one too');

	$api->control({ reset => $true });
	$api->control($many);
	orders_table('skipping', 1);
	for my $action ('skip', 'empty')
	{
		my $job = fan_out($action, { table => 'skipping', key => 'id' }, fault => $fifth, source => { onStatus => { 400 => $action } });
		schedule_job($node, 'postgres', $job);
		called($action, 'completed', "$action: completes");
		is(kept($action), newest('skipping', $action eq 'skip' ? '1, 2, 4, 5' : undef),
			$action eq 'skip' ? 'skip: what was not read is asked for again' : 'empty: there was nothing');
		$api->control({ reset => $true });
		$api->control($many);
	}
};

for my $key (1, 0)
{
	my $name = $key ? 'keyed' : 'keyless';
	subtest "a run that fails, $name" => sub
	{
		my %table = $key ? (key => 'id') : (mode => 'insert');
		$api->control({ reset => $true });
		$api->control($many);
		parents(8);
		orders_table($name, $key);
		schedule_job($node, 'postgres', fan_out($name, { table => $name, %table }, fault => $fifth, concurrency => 1));
		called($name, 'failed', 'fails at the third parent');
		my $kept = kept($name);
		is($kept, newest($name, $kept =~ s/:\S+//gr =~ s/ /, /gr), 'the parents before have kept where they came');
		like($kept, qr/^1:\S+ 2:\S+/, 'which are the first ones at least');
		unlike($kept, qr/\b3:/, 'and not that one');
		called($name, 'completed', 'the next run');
		my %asked = map { split /:/, $_, 2 } split / /, asked();
		is($asked{3}, $first, 'asks for that one as before');
		is($asked{1}, $key ? ($kept =~ /1:(\S+)/)[0] : undef, $key ? 'and of the others for what is new' : 'and goes on with the pass');
		is(sql("SELECT count(*), count(DISTINCT id) FROM $name"), '180|180', 'each row once');
		is(kept($name), newest($name), 'and each has its cursor');
	};
}

subtest 'rows that a listing no longer has' => sub
{
	# Asked from the beginning of time, so that nothing but what is kept of the parents makes it a part.
	my $job = fan_out('missing', { table => 'missing', key => 'id', deletes => { missing => 'hard' } }, fault => $fifth, concurrency => 1,
		source => { incremental => { cursorField => 'updated_at', perParentState => $true } });
	$api->control({ reset => $true });
	$api->control($many);
	parents(4);
	orders_table('missing', 1);
	schedule_job($node, 'postgres', $job);
	called('missing', 'failed', 'the first run fails at the third parent');
	is(kept('missing') =~ s/:\S+//gr, '1 2', 'when two have been read');
	called('missing', 'completed', 'the second run reads all of the others, and of these what is new');
	is(sql('SELECT count(*) FROM missing'), '104', 'and deletes nothing');
	like(sql(q(SELECT notices FROM databite.runs WHERE job_id = 'missing' ORDER BY run_id DESC LIMIT 1)), qr/deleted nothing that is missing/, 'as history says');
};
$api->control({ reset => $true });

subtest 'parallel writers' => sub
{
	parents(12);
	orders_table('parallel', 1);
	schedule_job($node, 'postgres', fan_out('parallel', { table => 'parallel', key => 'id', mode => 'parallel_insert',
				connectionPool => { min => 1, max => 2 } }));
	is(enqueue_and_wait($node, 'postgres', 'parallel')->{status}, 'completed', 'complete');
	is(sql('SELECT count(*) FROM parallel'), '240', 'all rows');
	is(kept('parallel'), newest('parallel'), 'and each parent has its cursor');
};

subtest 'a dump' => sub
{
	my $kept = kept('own');
	$node->safe_psql('postgres', 'CREATE DATABASE copy');
	my $file = $node->basedir . '/dump.sql';
	$node->command_ok([ 'pg_dump', '-f', $file, '-d', $node->connstr('postgres') ], 'pg_dump');
	$node->safe_psql('copy', "\\i $file");
	is($node->safe_psql('copy', q(SELECT count(*) FROM databite.parent_cursors WHERE job_id = 'own')), sql(q(SELECT count(*) FROM databite.parent_cursors WHERE job_id = 'own')),
		'carries the cursors');
	$api->clear_requests;
	$node->safe_psql('copy', q(TRUNCATE parent; INSERT INTO parent VALUES (2), (9); CALL databite.run_job('own')));
	is(asked(), join(' ', grep { /^[29]:/ } split / /, $kept), 'and the copy goes on from them');
	sql('DROP DATABASE copy WITH (FORCE)');
};

subtest 'another definition' => sub
{
	my %of = (table => 'own', key => 'id');
	my ($ret, $out, $err) = $node->psql('postgres', 'SELECT databite.schedule_job($databite$' . JSON::PP::encode_json(fan_out('own', \%of,
		transform => { id => '{{item.id}}', customer_id => '{{parents.id}}', updated_at => '{{item.updated_at}}' },
		source => { headers => { 'X-Note' => '{{parents.note}}' } })) . '$databite$)');
	like($err, qr/NOTICE:  step "orders" begins anew for each row/, 'that names another column of the parents begins anew and says so');
	is(kept('own'), '', 'nothing is kept that cannot be found again');
	parents(2);
	sql(q(UPDATE parent SET note = 'x'));
	called('own', 'completed', 'completes');
	like(kept('own'), qr/^1:\S+ 2:\S+$/, 'and has cursors again');
	schedule_job($node, 'postgres', fan_out('own', \%of, source => { headers => { 'X-Note' => '{{parents.note}}', 'X-More' => 'x' } }));
	like(kept('own'), qr/^1:\S+ 2:\S+$/, 'another header leaves them');
	schedule_job($node, 'postgres', fan_out('own', \%of, source => { headers => { 'X-Note' => '{{parents.note}}' },
				incremental => { cursorField => 'id', type => 'number', perParentState => $true } }));
	is(kept('own'), '', 'another cursorField does not');
	called('own', 'completed', 'completes');
	sql(q(SELECT databite.unschedule_job('own')));
	is(sql(q(SELECT count(*) FROM databite.parent_state WHERE job_id = 'own')), '0', 'a job that is removed leaves nothing');
};

subtest 'other people' => sub
{
	sql('CREATE ROLE somebody LOGIN; GRANT USAGE ON SCHEMA databite TO somebody');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM databite.parent_cursors', extra_params => [ '-U', 'somebody' ]), '0', 'see nothing');
};

# Killed while several parents are half done, twice.
for my $key (1, 0)
{
	my $name = $key ? 'killed_keyed' : 'killed_keyless';
	subtest $name => sub
	{
		my %table = $key ? (key => 'id') : (mode => 'insert');
		my %seen;
		parents(24);
		orders_table($name, $key);
		schedule_job($node, 'postgres', fan_out($name, { table => $name, %table }, fault => '?fault=delay:20', source => {
					pagination => { type => 'offset', limit => 6 } }));
		$api->clear_requests;
		my $run = sql("SELECT databite.enqueue_job('$name')");
		for my $at (100, 280)
		{
			ok(wait_for_progress($node, $name, $at), "more than $at items");
			# It waits for the table while its last commit is looked at; commits between batches do not wait for the disk.
			my $lock = $node->background_psql('postgres', on_error_stop => 1);
			$lock->query_safe("BEGIN; LOCK TABLE $name IN SHARE MODE");
			ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE relation = '$name'::regclass AND NOT granted"), 'it waits');
			my $pid = sql("SELECT pid FROM databite.progress WHERE job_id = '$name'");
			sql('CHECKPOINT');
			my $place = sql("SELECT position ->> 'next_parent', (SELECT string_agg(l #>> '{parent,row,id}', ' ')
				FROM jsonb_array_elements(position -> 'listings') AS l) FROM databite.checkpoint WHERE job_id = '$name' AND step_id = 'orders'");
			my ($next, $open) = split /\|/, $place;
			my $done = sql("SELECT string_agg(value ->> 'id', ' ') FROM databite.parent_row WHERE job_id = '$name' AND number <= $next
				AND NOT value ->> 'id' = ANY (string_to_array('$open', ' '))");
			$seen{$_} = 1 for split / /, $done;
			is(kept($name) =~ s/:\S+//gr, join(' ', sort { $a <=> $b } keys %seen), 'cursors: of the parents that are done, and no others');
			$api->clear_requests;
			kill 'KILL', $pid;
			ok(wait_for_server($node), 'killed, and the server is back');
			eval { $lock->quit };
			ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM databite.progress WHERE job_id = '$name'"), 'another run goes on');
		}
		ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.runs WHERE job_id = '$name' AND status = 'completed'"), 'and ends');
		my @again = grep { $seen{$_} } map { m{customers/(\d+)/} } map { $_->{path} } @{ $api->requests };
		is("@again", '', 'nothing is asked for of parents that were done');
		is(sql("SELECT count(*), count(DISTINCT id) FROM $name"), '480|480', 'exactly the right rows');
		is(sql("SELECT sum(records_processed), sum(records_inserted) FROM databite.runs WHERE job_id = '$name'"), '504|504', 'each counted once');
		is(kept($name), newest($name), 'and each parent has its cursor');
		is(sql("SELECT count(*) FROM databite.parent_row WHERE job_id = '$name'"), '0', 'the rows of the parents are gone');
	};
}

subtest 'parents without items' => sub
{
	my $place = q(SELECT count(*) FROM databite.checkpoint WHERE job_id = 'empty' AND step_id = 'orders');
	sql('TRUNCATE parent, parent_copy; INSERT INTO parent SELECT generate_series(101, 200)');
	schedule_job($node, 'postgres', fan_out('empty', { table => 'own', key => 'id' }, fault => '?fault=delay:100', concurrency => 1));
	my $run = sql(q(SELECT databite.enqueue_job('empty')));
	wait_for_sql($node, 'postgres', "SELECT ($place) > 0 OR (SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run)");
	is(sql($place), '1', 'have a checkpoint too, while the run is going on');
	sql(q(SELECT databite.cancel_job('empty')));
	wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
	like(kept_times('empty'), qr/^[1-9]/, 'and those that were asked for are done with');
};

subtest 'more parents than a transaction forgets' => sub
{
	my $job = fan_out('many', { table => 'own', key => 'id' }, query => 'SELECT id, NULL::text AS note FROM generate_series(1, 25000) AS id',
		source => { query => { updated_since => '{{window.from}}' },
			incremental => { perParentState => $true, initialValue => $first, end => $first, step => '1d' } });
	$job->{steps}[0]{destination}{batchSize} = 10000;
	schedule_job($node, 'postgres', $job);
	called('many', 'completed', 'with nothing to ask for');
	is(asked(), '', 'nothing is asked for');
	is(sql(q(SELECT count(*) FROM databite.parent_row WHERE job_id = $$many$$)), '0', 'they are all gone');
	my $run = execute_job($node, 'postgres', 'many');
	is($run->{status}, 'completed', 'execute_job');
	is(sql(q(SELECT count(*) FROM databite.parent_row WHERE job_id = $$many$$)), '0', 'they are gone too');
};

$node->stop;
$api->stop;
done_testing();
