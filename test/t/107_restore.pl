# Jobs go on from their own cursors after a dump is restored, in a copy of a database, and in a backup that is recovered to a point.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', init => { has_archiving => 1, allows_streaming => 1 });
my $dir = PostgreSQL::Test::Utils::tempdir();

sub sql { return $node->safe_psql('postgres', shift); }
sub in { return $node->safe_psql(@_); }

# A database with the jobs in it that all this is about
sql(q(CREATE EXTENSION databite; CREATE ROLE alice LOGIN; CREATE ROLE leaves LOGIN; CREATE SCHEMA alice AUTHORIZATION alice; CREATE SCHEMA leaves AUTHORIZATION leaves;
	GRANT USAGE ON SCHEMA databite TO alice, leaves; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO alice, leaves;
	SELECT databite.set_token('secret', 'not-for-dumps'), databite.create_transform('shout', 'pg_catalog.upper(text)'), databite.configure('{"schedule": {"type": "interval", "days": 1}}')));
schedule_job($node, 'postgres', { id => 'orders', schedule => { type => 'cron', expression => '0 3 * * *' },
	source => { type => 'api', url => $api->url('/orders?size=300&updated_since={{cursor}}'), incremental => { cursorField => 'updated_at', initialValue => '2000-01-01T00:00:00Z' } },
	destination => { type => 'database', table => 'orders', key => 'id' }, transform => { id => '{{item.id}}', status => '{{item.status | shout}}' } });
is(enqueue_and_wait($node, 'postgres', 'orders')->{records_inserted}, 300, 'a job has run');
my $small = q({"source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "small", "schema": {"id": "integer"}});
for my $role (qw(alice leaves))
{
	$node->safe_psql('postgres', qq(SELECT databite.schedule_job('$small, "id": "of_$role"}'); SELECT databite.execute_job('of_$role')), extra_params => [ '-U', $role ]);
}
sql(q(SELECT databite.pause_job('of_alice'); DROP OWNED BY leaves; DROP ROLE leaves));
my $cursor = sql(q(SELECT "cursor" FROM databite.cursors WHERE job_id = 'orders'));
my $kept = q(SELECT job_id, owner, enabled, next_run_at, definition FROM databite.jobs WHERE job_id <> 'of_leaves' ORDER BY job_id);
my $jobs = sql($kept);
my $totals = q(SELECT job_id, runs_completed_total, records_inserted_total, last_success_age_seconds >= 0 FROM databite.metrics WHERE job_id <> 'of_leaves' ORDER BY job_id);
my $done = sql($totals);
is($done, "of_alice|1|1|t\norders|1|300|t", 'they have done something');

# Nothing of it is anybody's secret, or of a role that is gone: what is left of that is a number.
command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'pg_dump');
my ($text) = run_command([ 'pg_restore', '-f', '-', "$dir/dump" ]);
unlike($text, qr/not-for-dumps/, 'a dump has no secret');
unlike($text, qr/of_leaves/, 'nor a job of a role that is gone, or its state');

# A database that is a template is left alone, so that jobs can be paused before anything runs.
sub restored
{
	my ($name, $database) = @_;
	is(in($database, $kept), $jobs, "$name: jobs are there, enabled or not, with the time of their next run");
	is(in($database, q(SELECT "cursor" FROM databite.cursors WHERE job_id = 'orders')), $cursor, "$name: with their cursors");
	is(in($database, 'SELECT (SELECT count(*) FROM databite.token), (SELECT count(*) FROM databite.run), (SELECT function FROM databite.transforms)'),
		'0|0|pg_catalog.upper(text)', "$name: without tokens and history, with transforms");
	is(in($database, $totals), $done, "$name: with what they have done in all");
	is(in($database, q(SELECT value FROM databite.setting)), '{"schedule": {"days": 1, "type": "interval"}}', "$name: with the settings");
	$api->clear_requests;
	sql("ALTER DATABASE $database IS_TEMPLATE false");
	my $run = enqueue_and_wait($node, $database, 'orders');
	is("$run->{run_id} $run->{status} $run->{records_inserted}", '1 completed 0', "$name: the job goes on");
	my ($request) = @{ $api->requests('/orders') };
	my $since = substr($cursor, 0, 19);
	like($request->{target}, qr/updated_since=\Q$since\E|updated_since=@{[ $since =~ s{:}{%3A}gr ]}/, "$name: from its cursor");
	sql("DROP DATABASE $database");
	return;
}

sql('CREATE DATABASE copy IS_TEMPLATE true');
command_ok([ 'pg_restore', '-d', $node->connstr('copy'), "$dir/dump" ], 'pg_restore');
restored('dump', 'copy');

sql('CREATE DATABASE parts IS_TEMPLATE true');
command_ok([ 'pg_restore', '--schema-only', '-d', $node->connstr('parts'), "$dir/dump" ], 'pg_restore --schema-only');
is(in('parts', 'SELECT count(*) FROM databite.jobs'), '0', 'has no jobs');
command_ok([ 'pg_restore', '--data-only', '-d', $node->connstr('parts'), "$dir/dump" ], 'pg_restore --data-only');
restored('in parts', 'parts');

# Where a role does not exist, jobs are not restored at all, and pg_restore says so. A cursor that has no job is nobody's.
my $other = databite_node('other');
$other->safe_psql('postgres', 'CREATE DATABASE copy');
my ($out, $err) = run_command([ 'pg_restore', '--no-owner', '--no-acl', '-d', $other->connstr('copy'), "$dir/dump" ]);
like($err, qr/role "alice" does not exist.*COPY job, /s, 'a role is missing: pg_restore says so');
is($other->safe_psql('copy', 'SELECT (SELECT count(*) FROM databite.jobs), (SELECT count(*) FROM databite.step_state) > 0'), '0|t', 'and no job is there, but state');
$other->safe_psql('copy', qq(SELECT databite.schedule_job('$small, "id": "orders"}')));
is($other->safe_psql('copy', q(SELECT count(*) FROM databite.cursors WHERE job_id = 'orders' AND "cursor" IS NOT NULL)), '0', 'which a new job of that name does not take over');
is($other->safe_psql('copy', q(SELECT runs_completed_total FROM databite.metrics WHERE job_id = 'orders')), '0', 'nor what the old one has done');
$other->safe_psql('copy', q(CREATE ROLE alice LOGIN; SELECT databite.unschedule_job('orders')));
command_ok([ 'pg_restore', '--data-only', '-n', 'databite', '-t', 'job', '-d', $other->connstr('copy'), "$dir/dump" ], 'the jobs can be restored afterwards');
is($other->safe_psql('copy', 'SELECT count(*) FROM databite.jobs'), '2', 'and are there');
$other->stop;

# A whole server
my $whole = databite_node('whole', conf => "databite.max_workers = 0\n");
command_ok([ 'pg_dumpall', '--no-role-passwords', '-f', "$dir/all", '-d', $node->connstr('postgres') ], 'pg_dumpall');
$whole->command_ok([ 'psql', '-Xq', '-d', 'postgres', '-f', "$dir/all" ], 'restored with psql');
is($whole->safe_psql('postgres', $kept), $jobs, 'pg_dumpall carries jobs and their owners');
$whole->stop;

# A copy of a database has everything, secrets and history, too.
sql('CREATE DATABASE twin TEMPLATE postgres IS_TEMPLATE true');
is(in('twin', 'SELECT (SELECT count(*) FROM databite.token), (SELECT count(*) FROM databite.run) > 0'), '1|t', 'CREATE DATABASE ... TEMPLATE copies secrets and history');
is(in('twin', q(SELECT count(*) FROM (SELECT databite.pause_job(job_id), databite.cancel_job(job_id) FROM databite.jobs WHERE job_id <> 'of_leaves') AS p)), '2', 'its jobs can be paused');
sql('ALTER DATABASE twin IS_TEMPLATE false');
my $newest = in('twin', 'SELECT max(run_id) FROM databite.run');
my $run = enqueue_and_wait($node, 'twin', 'orders');
is("$run->{status} $run->{records_inserted}", 'completed 0', 'its jobs go on from their cursors when they are asked to');
cmp_ok($run->{run_id}, '>', $newest, 'with new numbers of runs');
sql('DROP DATABASE twin');

# A backup that is recovered to a point in time: rows and cursor are of that point.
$node->backup('base');
my $point = sql(q(SELECT pg_create_restore_point('before')));
$api->control({ version => 2 });
is(enqueue_and_wait($node, 'postgres', 'orders')->{status}, 'completed', 'another run, after the point');
cmp_ok(sql(q(SELECT count(*) FROM databite.cursors WHERE job_id = 'orders' AND "cursor" > ') . $cursor . q(')), '==', 1, 'moves the cursor');
my $rows = sql('SELECT md5(string_agg(o::text, chr(10) ORDER BY id)) FROM orders AS o');
sql(q(UPDATE databite.job SET next_run_at = now() - interval '1 day' WHERE job_id = 'orders'; SELECT pg_switch_wal()));
$node->stop;
my $recovered = PostgreSQL::Test::Cluster->new('recovered');
$recovered->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
$recovered->append_conf('postgresql.conf', "recovery_target_name = 'before'\nrecovery_target_action = 'promote'\ndatabite.max_workers = 0\n");
$recovered->start;
$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
$node = $recovered;
is(sql(q(SELECT "cursor" FROM databite.cursors WHERE job_id = 'orders')), $cursor, 'recovery to a point: the cursor is that of the point');
sql(q(UPDATE databite.job SET next_run_at = now() - interval '1 day' WHERE job_id = 'orders'; SELECT databite.resume_job('of_alice')));
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'databite scheduler' AND datname = 'postgres' AND state = 'idle'));
is(sql(q(SELECT count(*) FROM databite.runs WHERE status IN ('queued', 'running'))), '0', 'databite.max_workers = 0: nothing is queued, though it is due');
$node->append_conf('postgresql.conf', 'databite.max_workers = 4');
$node->reload;
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'orders' AND trigger = 'schedule' AND status = 'completed'));
is(sql('SELECT md5(string_agg(o::text, chr(10) ORDER BY id)) FROM orders AS o'), $rows, 'the job goes on from there, and gets what the other one has got');
is(sql('SELECT count(*) = count(DISTINCT run_id) FROM databite.runs'), 't', 'no number of a run is used twice');

$node->stop;
$api->stop;
done_testing();
