# A standby runs nothing and changes nothing; when it is promoted it takes over, from what the old primary had committed.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use WorkerTest;

my $api = SampleApi->start;
my $primary = new_cluster('primary', 1, "databite.launcher_interval = '1h'");
my $server = silent_server();
my $every_second = '{"type": "interval", "seconds": 1}';

$primary->safe_psql('postgres', 'CREATE EXTENSION databite');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

$primary->safe_psql('postgres', 'SELECT databite.schedule_job(' . quick_job('quick', $every_second) . ')');
$primary->safe_psql('postgres', 'SELECT databite.schedule_job(' . slow_job('slow', $server->sockport) . ')');
my $url = $api->url('/orders?updated_since={{cursor}}');
$primary->safe_psql('postgres', qq(SELECT databite.schedule_job('{"id": "orders", "source": {"type": "api", "url": "$url",
	"incremental": {"cursorField": "updated_at", "initialValue": "2000-01-01T00:00:00Z"}},
	"destination": {"type": "database", "table": "orders", "key": "id", "schema": {"id": "integer", "status": "text"}}}')));
is(enqueue_and_wait($primary, 'postgres', 'orders')->{records_inserted}, 1000, 'a job has run at the primary');
$url = $api->url('/users?size=1000&fault=delay:50');
$primary->safe_psql('postgres', qq(CREATE TABLE users (id int, name text); SELECT databite.schedule_job('{"id": "users",
	"source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 20}},
	"destination": {"type": "database", "table": "users", "mode": "insert", "batchSize": 20}, "performance": {"concurrency": 1}}')));
$primary->safe_psql('postgres', "SELECT databite.enqueue_job('slow')");
wait_for_run($primary, 'postgres', 'slow', 'running');
wait_for_run($primary, 'postgres', 'quick', 'completed');
$primary->wait_for_catchup($standby);
is(worker_pid($standby, $_), '', "a standby has no $_") for qw(launcher scheduler runner);

# What writes says so; what looks and tries works.
my $inline = q({"id": "x", "source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "orders", "schema": {"id": "integer"}}});
for my $call ("SELECT databite.schedule_job('$inline')", q(SELECT databite.unschedule_job('quick')), q(SELECT databite.pause_job('quick')),
	q(SELECT databite.resume_job('quick')), q(SELECT databite.reset_job('quick')), q(SELECT databite.enqueue_job('quick')), q(SELECT databite.cancel_job('slow')),
	q(SELECT databite.execute_job('quick')), q(SELECT databite.execute_job('quick', true)), q(CALL databite.run_job('quick')), q(SELECT databite.replay_rejected('quick')),
	q(SELECT databite.set_token('a', 'b')), q(SELECT databite.delete_token('a')), q(SELECT databite.create_transform('a', 'pg_catalog.lower(text)')),
	q(SELECT databite.drop_transform('a')), q(SELECT databite.configure('{}')), q(SELECT databite.start()), q(SELECT databite.stop()))
{
	my ($status, undef, $error) = $standby->psql('postgres', $call);
	like($error, qr/ERROR:  cannot execute databite\.\w+\(\) during recovery\nHINT:  Jobs run on the primary only/, $call);
}
for my $call (q(SELECT count(*) FROM databite.jobs), q(SELECT count(*) FROM databite.get_job_history('quick')), q(SELECT databite.get_job_status('slow')),
	q(SELECT databite.get_job_metrics('quick')), q(SELECT count(*) FROM databite.progress), q(SELECT count(*) FROM databite.cursors),
	q(SELECT count(*) FROM databite.metrics), q(SELECT * FROM databite.database_metrics), q(SELECT databite.metrics_text()),
	q(SELECT databite.evaluate('{{ 1 + 1 }}')), q(SELECT databite.next_run('{"type": "interval", "hours": 1}')), q(SELECT databite.version()),
	"SELECT * FROM databite.validate_job('$inline')", "SELECT databite.explain_job('$inline'::jsonb)", q(SELECT databite.explain_job('quick')),
	q(SELECT * FROM databite.preview_job('quick')))
{
	is($standby->psql('postgres', $call), 0, $call);
}

$primary->safe_psql('postgres', "SELECT databite.enqueue_job('users')");
wait_for_sql($primary, 'postgres', 'SELECT count(*) > 40 FROM users');
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
my $before = $standby->safe_psql('postgres', 'SELECT max(run_id) FROM databite.run');
my $cursor = $standby->safe_psql('postgres', q(SELECT "cursor" FROM databite.cursors WHERE job_id = 'orders'));
$standby->promote;
wait_for_worker($standby, 'scheduler', 'postgres');
ok( $standby->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM databite.run WHERE job_id = 'quick' AND status = 'completed' AND run_id > $before"),
	'after promotion jobs run here');
ok( $standby->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM databite.run WHERE job_id = 'slow' AND trigger = 'resume' AND status = 'running'"),
	'and the run that was going on over there goes on');
wait_for_runs($standby, 'postgres', 'users', 1);
is($standby->safe_psql('postgres', q(SELECT trigger, status, resumed FROM databite.runs WHERE job_id = 'users' ORDER BY run_id)), "enqueue|crashed|0\nresume|completed|1",
	'as does the one that was in the middle');
is($standby->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM users'), '1000|1000', 'with each row once');
$api->clear_requests;
is(enqueue_and_wait($standby, 'postgres', 'orders')->{records_inserted}, 0, 'a job goes on');
like(${ $api->requests('/orders') }[0]{target}, qr/updated_since=@{[ substr($cursor, 0, 10) ]}/, 'from its cursor');
$standby->stop;
$api->stop;

done_testing();
