# Mode "streaming_insert": what has come is in the table whenever the source pauses, in the middle of a page too, but not
# in a transaction for each item; and nothing is doubled where the source breaks off and begins again. Mode
# "append_history": no version is added by a run that goes on where one was killed, or has failed. The source is the test
# itself, which sends what it likes when it likes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IO::Socket::INET;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use Time::HiRes qw(time);

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5, ReuseAddr => 1, Timeout => 60)
  or die "no socket: $!";
my $url = 'http://127.0.0.1:' . $listener->sockport . '/items';
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite; CREATE TABLE keyless (id bigint, v text); CREATE TABLE keyed (id bigint PRIMARY KEY, v text)');

# Begins a run; the connection over which it has sent its request.
sub begin
{
	my ($table, %destination) = @_;
	schedule_job(
		$node,
		'postgres', {
			id => $table,
			source => { type => 'api', url => $url, timeout => '60s', retry => { attempts => 3, delay => 10 } },
			destination => { type => 'database', table => $table, mode => 'streaming_insert', %destination }
		});
	sql("SELECT databite.enqueue_job('$table')");
	return accept_request();
}

# Answers the next request with the beginning of an array that has no end yet.
sub accept_request
{
	my $connection = $listener->accept or die "no request came: $!";
	while (my $line = <$connection>)
	{
		last if $line eq "\r\n";
	}
	$connection->autoflush(1);
	print $connection "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[{\"id\": 1, \"v\": \"a\"}";
	return $connection;
}

sub send_item
{
	my ($connection, $id, $value) = @_;
	print $connection ", {\"id\": $id, \"v\": \"$value\"}";
	return;
}

sub end_of
{
	my ($connection, $table) = @_;
	print $connection ']';
	close $connection;
	wait_for_runs($node, 'postgres', $table, 1);
	return;
}

sub row_count
{
	my ($table, $count) = @_;
	return wait_for_sql($node, 'postgres', "SELECT count(*) = $count FROM $table");
}

# An array that has not ended is read item by item; the last one is known to be whole at the comma behind it or at its brace.
my $connection = begin('keyed');
ok(row_count('keyed', 1), 'the first item is there before the second has come');
send_item($connection, 2, 'b');
send_item($connection, 3, 'c');
ok(row_count('keyed', 3), 'so are those that come later');
send_item($connection, 1, 'changed');
ok(wait_for_sql($node, 'postgres', "SELECT v = 'changed' FROM keyed WHERE id = 1"), 'a key that is there is updated');
is(sql("SELECT status, records_processed FROM databite.runs"), 'running|4', 'the run is still going on');
end_of($connection, 'keyed');
is(sql("SELECT status, records_processed, records_inserted, records_updated FROM databite.runs WHERE job_id = 'keyed'"),
	'completed|4|3|1', 'and ends with true counters');

# Many items without a pause are few transactions.
sql('TRUNCATE keyed; DELETE FROM databite.runs');
$connection = begin('keyed', batchSize => 100000);
my $begun = time;
send_item($connection, $_, 'x') for 2 .. 3000;
end_of($connection, 'keyed');
my $most = int((time - $begun) * 10) + 2;
is(sql('SELECT count(*) FROM keyed'), 3000, 'all items of a long array');
cmp_ok(sql('SELECT count(DISTINCT xmin::text) FROM keyed'), '<=', $most, 'in no more transactions than there were tenths of a second');

# Without a key, a source that breaks off in the middle and is asked again.
$connection = begin('keyless');
send_item($connection, 2, 'b');
ok(row_count('keyless', 2), 'without a key, too');
$connection->setsockopt(SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
close $connection;
$connection = accept_request();
send_item($connection, 2, 'b');
send_item($connection, 3, 'c');
ok(row_count('keyless', 3), 'what was written before the source broke off is not written again');
end_of($connection, 'keyless');
is(sql("SELECT string_agg(id || v, ' ' ORDER BY id) FROM keyless"), '1a 2b 3c', 'each item once');
is(sql("SELECT status, records_processed, retries FROM databite.runs WHERE job_id = 'keyless'"), 'completed|3|1', 'and counted once');

# A history: the third item is another version of the first, so whoever wrote the first again would add two.
sql('CREATE TABLE history (id bigint, v text, valid_from timestamptz, valid_to timestamptz);
	CREATE UNIQUE INDEX ON history (id) WHERE valid_to IS NULL');
my $versions = "SELECT string_agg(id || v, ' ' ORDER BY id, valid_from) FROM history";
my @items = ([ 2, 'b' ], [ 1, 'c' ], [ 3, 'd' ], [ 4, 'e' ]);
$connection = begin('history', mode => 'append_history', batchSize => 2);
send_item($connection, @$_) for @items;
ok(row_count('history', 4), 'two batches of a history are there');
sql('CHECKPOINT');    # commits between batches wait for no disk
kill 'KILL', sql("SELECT pid FROM databite.progress WHERE job_id = 'history'");
ok(wait_for_server($node), 'the runner is killed, and the server is back');
close $connection;
$connection = accept_request();
send_item($connection, @$_) for @items;
$connection->setsockopt(SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
close $connection;
for my $try (2 .. 3)
{
	$connection = accept_request();
	$connection->setsockopt(SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
	close $connection;
}
wait_for_runs($node, 'postgres', 'history', 1, 'failed');
sql("SELECT databite.enqueue_job('history')");
$connection = accept_request();
send_item($connection, @$_) for @items;
end_of($connection, 'history');
is(sql($versions), '1a 1c 2b 3d 4e', 'a run that was killed and one that failed have added no versions');
is(sql("SELECT string_agg(status, ' ' ORDER BY run_id), sum(records_processed), sum(records_inserted), sum(records_updated)
		FROM databite.runs WHERE job_id = 'history'"), 'crashed failed completed|5|4|1', 'and each item is counted once');

# Of a row that is deleted no request is made.
sql('CREATE TABLE customers (id bigint PRIMARY KEY); CREATE TABLE orders (id bigint PRIMARY KEY, v text)');
schedule_job(
	$node,
	'postgres', {
		id => 'steps',
		steps => [ {
				id => 'customers',
				source => { type => 'inline', items => [ { id => 1 }, { id => 2, gone => JSON::PP::true }, { id => 3, gone => JSON::PP::true } ] },
				destination => { type => 'database', table => 'customers', deletes => { mode => 'hard', when => '{{item.gone}}' } }
			}, {
				id => 'orders',
				dependsOn => ['customers'],
				source => { type => 'api', url => "$url/{{customers.id}}" },
				destination => { type => 'database', table => 'orders' }
			} ] });
sql("SELECT databite.enqueue_job('steps')");
$connection = accept_request();
end_of($connection, 'steps');
is(sql("SELECT requests, records_processed, records_deleted FROM databite.runs WHERE job_id = 'steps'"), '1|4|0',
	'requests are made of rows that are there');

$node->stop;
done_testing();
