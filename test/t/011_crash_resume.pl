# kill -9 of the runner in the middle of a 200-page job: afterwards exactly the
# right rows, each counted once, with a key and without; those that are rejected or skipped too.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');
# Ten milliseconds a page, so that there is a middle to kill in.
my $url = $api->url('/users?size=20000&fault=delay:10');

for my $mode ('upsert', 'insert')
{
	my $key = $mode eq 'upsert' ? ', "key": "id"' : '';

	sql($mode eq 'upsert' ? 'CREATE TABLE t_upsert (id bigint PRIMARY KEY, name text)'
		: 'CREATE TABLE t_insert (id bigint, name text)');
	sql(qq(SELECT databite.schedule_job('{
		"id": "$mode", "source": {"type": "api", "url": "$url",
			"pagination": {"type": "offset", "limit": 100}},
		"destination": {"type": "database", "table": "t_$mode", "mode": "$mode"$key, "batchSize": 70},
		"transform": {"id": "{{item.id}}", "name": "{{item.name | skip(item.id % 10 == 2)}}"},
		"validation": {"id": "{{item.id % 10 != 1}}"}}')));
	my $run = sql("SELECT databite.enqueue_job('$mode')");

	for my $at (3000, 9000)
	{
		ok(kill_runner($node, $mode, $at), "$mode: killed behind $at items, and the server is back");
	}
	ok($node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM databite.runs WHERE job_id = '$mode' AND status = 'completed'"),
		"$mode: a later run ends");
	is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM t_$mode"), '16000|16000|3|20000',
		"$mode: exactly the right rows");
	is(sql("SELECT sum(records_processed), sum(records_inserted), sum(records_rejected), sum(records_skipped)
			FROM databite.runs WHERE job_id = '$mode'"),
		'20000|16000|2000|2000', "$mode: each counted once");
	is(sql("SELECT count(*), count(DISTINCT item ->> 'id') FROM databite.rejected_items WHERE job_id = '$mode'"),
		'2000|2000', "$mode: each rejected once");
	is(sql("SELECT count(*) FILTER (WHERE status = 'crashed'), count(*) FILTER (WHERE resumes IS NOT NULL)
			FROM databite.runs WHERE job_id = '$mode'"), '2|2', "$mode: history tells the crashes and who went on");
}

$node->stop;
$api->stop;
done_testing();
