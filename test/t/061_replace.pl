# What a pass gathers before it is published (mode "replace", deletes.missing): kill -9 in the middle of it, runs that fail,
# listings that are not whole, jobs that are removed meanwhile; and what of it a dump, and DROP EXTENSION, get to see.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

my $stages = "SELECT count(*) FROM pg_class WHERE relnamespace = 'databite'::regnamespace AND relname ~ '^stage_[0-9]+\$'";
my $transform = { id => '{{item.id}}', name => '{{item.name}}' };

# A job over a paged list into a table of its name.
sub job
{
	my ($id, $path, $destination, %source) = @_;
	return {
		id => $id,
		source => { type => 'api', url => $api->url($path), pagination => { type => 'offset', limit => 100 }, %source },
		destination => { type => 'database', table => $id, batchSize => 70, %$destination },
		transform => $transform
	};
}

# Rows that are not as the source has them, and some that it does not have.
sub old_table
{
	my ($name, $key) = @_;
	sql("CREATE TABLE $name (id bigint $key, name text);
		INSERT INTO $name SELECT i, 'old ' || i FROM generate_series(-50, 200) AS i");
	return;
}

my %modes = (
	keyed => { mode => 'replace', key => 'id' },
	keyless => { mode => 'replace' },
	missing => { mode => 'upsert', deletes => { missing => 'hard' } });

sql('CREATE EXTENSION databite');

# Ten milliseconds a page, so that there is a middle to kill in.
my $slow = '/users?size=20000&fault=delay:10';
for my $id (sort keys %modes)
{
	subtest "$id: killed twice" => sub
	{
		old_table($id, $id eq 'keyless' ? '' : 'PRIMARY KEY');
		schedule_job($node, 'postgres', job($id, $slow, $modes{$id}));
		sql("SELECT databite.enqueue_job('$id')");
		for my $at (3000, 9000)
		{
			ok(kill_runner($node, $id, $at), "$id: killed behind $at items, and the server is back");
			is(sql("SELECT count(*) FILTER (WHERE name LIKE 'old %'), count(*) FROM $id"), '251|251', "$id: the table is as it was")
			  if $id ne 'missing';
		}
		wait_for_runs($node, 'postgres', $id, 1);
		is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id), count(*) FILTER (WHERE name LIKE 'old %') FROM $id"),
			'20000|20000|1|20000|0', "$id: exactly the right rows");
		is(sql("SELECT sum(records_processed), sum(records_inserted + records_updated + records_unchanged), sum(records_deleted)
				FROM databite.runs WHERE job_id = '$id'"),
			'20000|20000|' . ($id eq 'keyless' ? 251 : 51), "$id: each counted once");
		is(sql("SELECT count(*) FILTER (WHERE status = 'crashed'), count(*) FILTER (WHERE resumes IS NOT NULL)
				FROM databite.runs WHERE job_id = '$id'"), '2|2', "$id: history tells the crashes and who went on");
		is(sql($stages), '0', "$id: what was gathered is gone");
	};
}

subtest 'where the table was altered, a pass begins anew' => sub
{
	old_table('altered', 'PRIMARY KEY');
	schedule_job($node, 'postgres', job('altered', $slow, { mode => 'replace' }));
	sql("SELECT databite.enqueue_job('altered'); SELECT databite.pause_job('altered')");
	ok(kill_runner($node, 'altered', 3000), "altered: killed behind 3000 items, and the server is back");
	wait_for_runs($node, 'postgres', 'altered', 1, 'crashed');
	is(sql($stages), '1', 'altered: what was gathered is there');
	sql('ALTER TABLE altered ALTER id TYPE int');
	is(enqueue_and_wait($node, 'postgres', 'altered')->{records_inserted}, 19800, 'altered: all of it was read again');
	is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM altered"), '20000|20000|1|20000', 'altered: the right rows');
	is(sql($stages), '0', 'altered: what was gathered is gone');
};

subtest 'a run that fails' => sub
{
	# the fourth page of ten
	my $broken = '/users?size=1000&fault=status:500:beyond=300';
	for my $id ('fails_replace', 'fails_missing')
	{
		old_table($id, 'PRIMARY KEY');
		schedule_job($node, 'postgres',
			job($id, $broken, $id eq 'fails_replace' ? { mode => 'replace' } : $modes{missing}, retry => { attempts => 1 }));
		is(enqueue_and_wait($node, 'postgres', $id)->{status}, 'failed', "$id: failed");
		is(sql("SELECT count(*) FILTER (WHERE id <= 0), count(*) FILTER (WHERE name LIKE 'old %') = 251 FROM $id"),
			$id eq 'fails_replace' ? '51|t' : '51|f', "$id: nothing was deleted");
		is(sql($stages), '0', "$id: what was gathered is gone");

		$api->control({ reset => JSON::PP::true });
		schedule_job($node, 'postgres', job($id, '/users?size=1000', $id eq 'fails_replace' ? { mode => 'replace' } : $modes{missing}));
		is(enqueue_and_wait($node, 'postgres', $id)->{status}, 'completed', "$id: the next one is completed");
		is(sql("SELECT count(*), min(id), max(id) FROM $id"), '1000|1|1000', "$id: the right rows");
	}

	# what the table refuses: the next run does not go on with it, though the job keeps its checkpoints
	old_table('refuses', 'PRIMARY KEY');
	sql('ALTER TABLE refuses ADD CHECK (id <= 500)');
	my $job = job('refuses', '/users?size=1000', { mode => 'replace' });
	sql('CREATE TABLE refuses_before (id bigint)');
	schedule_job($node, 'postgres', {
		id => 'refuses',
		steps => [
			{ id => 'before', source => { type => 'inline', items => [ { id => 1 } ] }, destination => { type => 'database', table => 'refuses_before', mode => 'insert' } },
			{ id => 'main', map { $_ => $job->{$_} } qw(source destination transform) } ]
	});
	my $run = enqueue_and_wait($node, 'postgres', 'refuses');
	is("$run->{status} $run->{error}{code}", 'failed 23514', 'refused');
	is(sql("SELECT count(*) FILTER (WHERE name LIKE 'old %') FROM refuses"), '251', 'the table is as it was');
	is(sql($stages), '0', 'what was gathered is gone');
	sql('ALTER TABLE refuses DROP CONSTRAINT refuses_id_check; DELETE FROM refuses_before');
	is(enqueue_and_wait($node, 'postgres', 'refuses')->{status}, 'completed', 'the next one reads it all again');
	is(sql('SELECT count(*) FROM refuses'), '1000', 'the right rows');
};

subtest 'a run that is tried again goes on with what it has' => sub
{
	for my $id ('again_replace', 'again_missing')
	{
		old_table($id, 'PRIMARY KEY');
		$api->clear_requests;
		schedule_job($node, 'postgres', {
			%{ job($id, '/users?size=1000&fault=status:500:beyond=500:times=1:scope=path', $id eq 'again_replace' ? { mode => 'replace' } : $modes{missing},
					retry => { attempts => 1 }) },
			errorHandling => { strategy => 'retry_with_backoff', maxRetries => 2, retryDelay => 10 },
			performance => { concurrency => 1 }
		});
		sql("CALL databite.run_job('$id')");
		is(sql("SELECT string_agg(status, ' ' ORDER BY run_id) FROM databite.runs WHERE job_id = '$id'"), 'failed completed', "$id: the second try");
		is(scalar(grep { $_->{query}{offset} eq '0' } @{ $api->requests('/users') }), 1, "$id: does not begin anew");
		is(sql("SELECT count(*), min(id), max(id) FROM $id"), '1000|1|1000', "$id: the right rows");
		is(sql($stages), '0', "$id: nothing is left");
		$api->control({ reset => JSON::PP::true });
	}
};

subtest 'a listing that begins anew within a pass' => sub
{
	my $restart = sub {
		my ($id, $key) = @_;
		$api->control({ reset => JSON::PP::true });
		old_table($id, $key);
		schedule_job($node, 'postgres', job($id, '/users?size=1000&fault=status:409:beyond=500:times=1:scope=path', { mode => 'replace' },
				onStatus => { 409 => 'restart' }));
		return enqueue_and_wait($node, 'postgres', $id);
	};
	is($restart->('anew_keyed', 'PRIMARY KEY')->{status}, 'completed', 'with a key');
	is(sql('SELECT count(*), count(DISTINCT id) FROM anew_keyed'), '1000|1000', 'each row once');
	my $run = $restart->('anew_keyless', '');
	is($run->{status}, 'failed', 'without one it fails');
	like($run->{error}{message}, qr/cannot be written twice/, 'and says why');
	is(sql("SELECT count(*) FILTER (WHERE name LIKE 'old %'), count(*) FROM anew_keyless"), '251|251', 'the table is as it was');
};

subtest 'a source that has nothing new' => sub
{
	my $script = PostgreSQL::Test::Utils::tempdir() . '/server.py';
	append_to_file($script, <<'PYTHON');
import sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("If-None-Match") == '"one"'
        body = b"" if known else b'[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]'
        self.send_response(304 if known else 200)
        self.send_header("ETag", '"one"')
        if not known:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as file:
    file.write(str(httpd.server_address[1]) + "\n")
threading.Thread(target=lambda: (sys.stdin.read(), httpd.shutdown())).start()
httpd.serve_forever()
PYTHON
	my $port_file = PostgreSQL::Test::Utils::tempdir() . '/port';
	my ($in, $out) = ('', '');
	my $process = IPC::Run::start([ 'python3', $script, $port_file ], \$in, \$out, '2>&1');
	wait_for_file($port_file, sub { $process->pumpable }) or die "the server did not start: $out";
	chomp(my $port = slurp_file($port_file));

	for my $id ('new_replace', 'new_missing')
	{
		my $job = job($id, '', $id eq 'new_replace' ? { mode => 'replace' } : { mode => 'upsert', deletes => { missing => 'hard', maxFraction => 1 } },
			url => "http://127.0.0.1:$port/", pagination => { type => 'none' }, cache => { conditional => JSON::PP::true });
		old_table($id, 'PRIMARY KEY');
		schedule_job($node, 'postgres', $job);
		is(enqueue_and_wait($node, 'postgres', $id)->{records_deleted}, 249, "$id: the first run");
		sql("INSERT INTO $id VALUES (3, 'by hand')");
		my $run = enqueue_and_wait($node, 'postgres', $id);
		is("$run->{status} $run->{records_processed} $run->{records_deleted}", 'completed 0 0', "$id: nothing new");
		is(sql("SELECT count(*) FROM $id"), '3', "$id: the table is as it was");
		like("@{ $run->{notices} // [] }", $id eq 'new_replace' ? qr/^$/ : qr/deleted nothing .*304/, "$id: what history says");
		is(sql($stages), '0', "$id: nothing is left");
	}
	$process->kill_kill(grace => 2);
};

subtest 'a run that is cancelled, a job that is removed or reset' => sub
{
	old_table($_, 'PRIMARY KEY') foreach ('cancelled', 'removed', 'reset_while', 'reset_after', 'leftover');
	schedule_job($node, 'postgres', job($_, $slow, { mode => 'replace' })) foreach ('cancelled', 'removed', 'reset_while', 'reset_after', 'leftover');
	my $under_way = sub {
		my ($id) = @_;
		my $run = sql("SELECT databite.enqueue_job('$id')");
		wait_for_sql($node, 'postgres', "SELECT records_processed > 2000 FROM databite.runs WHERE run_id = $run");
		is(sql($stages), '1', "$id: rows are gathered");
		return $run;
	};

	my $run = $under_way->('cancelled');
	sql("SELECT databite.cancel_job('cancelled')");
	wait_for_runs($node, 'postgres', 'cancelled', 1, 'cancelled');
	is(sql("SELECT count(*) FILTER (WHERE name LIKE 'old %') FROM cancelled"), '251', 'cancelled: the table is as it was');
	is(sql($stages), '0', 'cancelled: nothing is left');

	$under_way->('removed');
	sql("SELECT databite.unschedule_job('removed')");
	wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE job_id = 'removed'");
	is(sql($stages), '0', 'removed: nothing is left');
	is(sql("SELECT count(*) FILTER (WHERE name LIKE 'old %') FROM removed"), '251', 'removed: the table is as it was');

	$run = $under_way->('reset_while');
	sql("SELECT databite.reset_job('reset_while')");
	wait_for_sql($node, 'postgres', "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
	is(sql($stages), '0', 'reset while it runs: nothing is left');
	is(sql('SELECT count(*) FROM reset_while'), '20000', 'reset while it runs: the right rows');

	$under_way->('reset_after');
	sql("SELECT databite.pause_job('reset_after')");
	ok(kill_runner($node, 'reset_after', 2000), "reset_after: killed behind 2000 items, and the server is back");
	wait_for_runs($node, 'postgres', 'reset_after', 1, 'crashed');
	is(sql($stages), '1', 'reset after a crash: what was gathered is there');
	sql("SELECT databite.reset_job('reset_after')");
	is(sql($stages), '0', 'reset after a crash: nothing is left');

	# nobody goes on with a pass that has no checkpoint
	$under_way->('leftover');
	sql("SELECT databite.pause_job('leftover')");
	ok(kill_runner($node, 'leftover', 2000), "leftover: killed behind 2000 items, and the server is back");
	wait_for_runs($node, 'postgres', 'leftover', 1, 'crashed');
	sql("DELETE FROM databite.checkpoint WHERE job_id = 'leftover'");
	sql("SELECT databite.enqueue_job('cancelled')");	# wakes the scheduler
	wait_for_sql($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM databite.stage WHERE job_id = 'leftover')");
	sql("SELECT databite.cancel_job('cancelled')");
	wait_for_sql($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM databite.runs WHERE status IN ('queued', 'running'))");
	is(sql($stages), '0', 'left over: the scheduler drops it');
};

subtest 'a listing that is not whole' => sub
{
	my $part = '/users?size=1000&fault=status:404:beyond=900';
	my %skip = (onStatus => { 404 => 'skip' });
	for my $id ('part_replace', 'part_missing')
	{
		old_table($id, 'PRIMARY KEY');
		schedule_job($node, 'postgres', job($id, $part, $id eq 'part_replace' ? { mode => 'replace' } : $modes{missing}, %skip));
	}
	my $run = enqueue_and_wait($node, 'postgres', 'part_replace');
	is($run->{status}, 'failed', 'replace: failed');
	like($run->{error}{message}, qr/cannot be replaced by a part of the listing: pages were left out: 1/, 'replace: says why');
	is(sql("SELECT count(*) FILTER (WHERE name LIKE 'old %'), count(*) FROM part_replace"), '251|251', 'replace: the table is as it was');

	$run = enqueue_and_wait($node, 'postgres', 'part_missing');
	is($run->{status}, 'completed', 'missing: completed');
	is(sql("SELECT count(*) FILTER (WHERE id <= 0), count(*) FROM part_missing"), '51|951', 'missing: nothing was deleted');
	like("@{ $run->{notices} }", qr/deleted nothing that is missing in the listing: pages were left out: 1/, 'missing: says so');
	is(sql($stages), '0', 'nothing is left');
};

subtest 'requests for each row of another step' => sub
{
	my $steps = sub {
		my ($customers, %of_customers) = @_;
		schedule_job($node, 'postgres', {
			id => 'fan_out',
			performance => { concurrency => %of_customers ? 1 : 4 },	# one after another, where one of them fails
			steps => [
				{
					id => 'customers',
					source => { type => 'api', url => $api->url("/customers?size=$customers"), %of_customers },
					destination => { type => 'database', table => 'customers', key => 'id', deletes => { missing => 'hard' } },
					transform => { id => '{{item.id}}' }
				},
				map { {
					id => $_,
					dependsOn => ['customers'],
					source => { type => 'api', url => $api->url('/orders?customer_id={{customers.id}}'), pagination => { type => 'offset', limit => 7 } },
					destination => { type => 'database', table => $_, key => 'id', $_ eq 'orders' ? (deletes => { missing => 'hard' }) : (mode => 'replace') },
					transform => { id => '{{item.id}}', customer_id => '{{item.customer_id}}' }
				} } qw(orders orders_too) ]
		});
		return enqueue_and_wait($node, 'postgres', 'fan_out');
	};
	my $counts = 'SELECT (SELECT count(*) FROM customers), count(*), count(DISTINCT customer_id), (SELECT count(*) FROM orders_too) FROM orders';
	sql('CREATE TABLE customers (id bigint PRIMARY KEY); CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);
		CREATE TABLE orders_too (LIKE orders INCLUDING ALL)');

	is($steps->(12)->{status}, 'completed', 'twelve customers');
	is(sql($counts), '12|240|12|240', 'and their orders');
	sql('INSERT INTO customers VALUES (-1); INSERT INTO orders VALUES (-1, -1); INSERT INTO orders_too VALUES (-1, -1)');
	is($steps->(10)->{status}, 'completed', 'ten customers');
	is(sql($counts), '10|200|10|200', 'those of the others are gone');

	# a step that has read a part of its source gives requests for a part
	my $run = $steps->(10, incremental => { cursorField => 'updated_at', initialValue => '2000-01-01' });
	is($run->{status}, 'failed', 'a part of the customers: failed');
	like($run->{error}{message}, qr/table \S+orders_too\S* cannot be replaced by a part of the listing: step "customers"/, 'which replaces no table');
	like("@{ $run->{notices} }", qr/step "orders": deleted nothing .* step "customers", of whose rows its requests are made/, 'and deletes nothing');
	is(sql($stages), '0', 'nothing is left');
};

subtest 'dumps, and DROP EXTENSION' => sub
{
	old_table('dumped', 'PRIMARY KEY');
	schedule_job($node, 'postgres', job('dumped', $slow, { mode => 'replace' }));
	sql("SELECT databite.enqueue_job('dumped'); SELECT databite.pause_job('dumped')");
	ok(kill_runner($node, 'dumped', 2000), "dumped: killed behind 2000 items, and the server is back");
	wait_for_runs($node, 'postgres', 'dumped', 1, 'crashed');
	is(sql($stages), '1', 'a stage is there');

	my ($out, $err) = ('', '');
	ok(IPC::Run::run([ 'pg_dump', '-d', $node->connstr('postgres') ], '>', \$out, '2>', \$err), 'dumped') or diag($err);
	unlike($out, qr/stage_\d/, 'a dump has nothing of it');
	like($out, qr/CREATE EXTENSION/, 'but the extension');
	$node->safe_psql('postgres', 'CREATE DATABASE other');
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('other') ], '<', \$out, '>', \my $restored, '2>', \$err);
	is($err, '', 'and can be restored');
	is($node->safe_psql('other', "SELECT count(*) FROM databite.jobs WHERE job_id = 'dumped'"), '1', 'with the job');

	sql('DROP EXTENSION databite');
	is(sql("SELECT count(*) FROM pg_class WHERE relname ~ '^stage_[0-9]+\$'"), '0', 'DROP EXTENSION takes it along');
};

$node->stop;
$api->stop;
done_testing();
