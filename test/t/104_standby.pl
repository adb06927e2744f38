# A standby runs nothing; when it is promoted it takes over.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

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
$primary->safe_psql('postgres', "SELECT databite.enqueue_job('slow')");
wait_for_run($primary, 'postgres', 'slow', 'running');
wait_for_run($primary, 'postgres', 'quick', 'completed');
$primary->wait_for_catchup($standby);
is(worker_pid($standby, $_), '', "a standby has no $_") for qw(launcher scheduler runner);
my ($status, undef, $error) = $standby->psql('postgres', 'SELECT databite.start()');
like($error, qr/recovery is in progress/, 'start() says so');

$primary->stop('immediate');
my $before = $standby->safe_psql('postgres', 'SELECT max(run_id) FROM databite.run');
$standby->promote;
wait_for_worker($standby, 'scheduler', 'postgres');
ok( $standby->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM databite.run WHERE job_id = 'quick' AND status = 'completed' AND run_id > $before"),
	'after promotion jobs run here');
ok( $standby->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM databite.run WHERE job_id = 'slow' AND trigger = 'resume' AND status = 'running'"),
	'and the run that was going on over there goes on');
$standby->stop;

done_testing();
