# The library and the SQL objects of a database may be of different versions: each of them says so and does nothing, until
# ALTER EXTENSION UPDATE. What that makes is what CREATE EXTENSION makes. pg_upgrade carries all of it.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use ExtensionScript;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use WorkerTest qw(worker_pid wait_for_worker);

plan skip_all => 'the server\'s directory of scripts is not writable' unless defined script_directory();

# A version before: without a table, a column that a view shows, an index, a function; and with a function that is gone. A next one.
my $script = shipped_script('1.0');

# Takes out what matches once.
sub without
{
	my ($what) = @_;
	$script =~ s/$what// or die "nothing in the script is $what";
	return defined $1 ? $1 : '';
}
my $setting = without(qr/^(CREATE TABLE databite\.setting \(.*?\n\);\nCOMMENT ON TABLE databite\.setting [^\n]*\n)/ms);
my $secure = without(qr/^(ALTER TABLE databite\.setting ENABLE[^\n]*\n)/ms);
my $dumped = without(qr/^(SELECT pg_catalog\.pg_extension_config_dump\('databite\.setting'[^\n]*\n)/ms);
my $index = without(qr/^(CREATE INDEX run_finished [^\n]*\n)/ms);
my $replay = without(qr/^(CREATE FUNCTION databite\.replay_rejected.*?;\nCOMMENT ON FUNCTION databite\.replay_rejected[^\n]*\n)/ms);
my $columns = without(qr/,\n\t(resumed pg_catalog\.int4[^()]*?)(?=\n\))/) =~ s/,\n\t/, ADD COLUMN /gr;
my $hook_index = without(qr/^(CREATE INDEX run_hook_owed [^\n]*\n)/ms);
my ($view) = $script =~ /^(CREATE VIEW databite\.runs .*?;\n)/sm;
without(qr/,\n\tr\.resumed/);
without(qr/, resumed(?=\) ON databite\.run TO PUBLIC)/);
$view =~ s/^CREATE VIEW/CREATE OR REPLACE VIEW/;
install_script('0.9', $script . "CREATE FUNCTION databite.gone() RETURNS pg_catalog.int4 LANGUAGE sql RETURN 1;\n");
install_script('0.9--1.0', "ALTER TABLE databite.run ADD COLUMN $columns;\n${hook_index}GRANT SELECT (resumed) ON databite.run TO PUBLIC;\n$view$index$setting$secure$dumped$replay"
	  . "DROP FUNCTION databite.gone();\nREVOKE ALL ON ALL ROUTINES IN SCHEMA databite FROM PUBLIC;\n"
	  . "GRANT EXECUTE ON FUNCTION databite.live_progress() TO PUBLIC;\n"
	  . "GRANT EXECUTE ON FUNCTION databite.period_begin(pg_catalog.interval) TO PUBLIC;\n");
install_script('1.0--1.1', "COMMENT ON SCHEMA databite IS 'one dot one';\n");
install_script('1.1--1.0', "COMMENT ON SCHEMA databite IS NULL;\n");

my $api = SampleApi->start;
my $node = databite_node('main');
my $log_begin = 0;

sub sql { return $node->safe_psql('postgres', shift); }

sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $error) = $node->psql('postgres', $sql);
	return $error;
}

sub wait_for_log
{
	my ($what, $name) = @_;
	$node->wait_for_log($what, $log_begin);
	pass($name);
	return;
}

sub log_count
{
	my ($what) = @_;
	my $log = substr(slurp_file($node->logfile), $log_begin);
	return scalar(() = $log =~ /$what/g);
}

# Lines that only one of two texts has.
sub differences
{
	my ($got, $expected) = @_;
	my (%got, %expected);
	$got{$_}++ for split /\n/, $got;
	$expected{$_}++ for split /\n/, $expected;
	return join("\n", map { ($got{$_} // 0) == ($expected{$_} // 0) ? () : ($got{$_} ? '+' : '-') . $_ } sort keys %{ { %got, %expected } });
}

# Objects that are older than the library, with a job that is due
sql(q(CREATE EXTENSION databite VERSION '0.9'));
my $url = $api->url('/users?size=20');
sql(qq(INSERT INTO databite.job (job_id, owner, definition, search_path, enabled, next_run_at) VALUES ('kept', current_user::regrole,
		'{"id": "kept", "source": {"type": "api", "url": "$url"}, "schedule": {"type": "interval", "hours": 1},
		  "destination": {"type": "database", "table": "kept", "schema": {"id": "integer", "name": "text"}}}', 'public', true, now());
	INSERT INTO databite.step_state (job_id, step_id, last_sync_time) VALUES ('kept', 'main', '2024-05-01')));
wait_for_log(qr/LOG:  databite scheduler of database "postgres" waits: extension "databite" has version 0.9, the library needs 1.0\n.*HINT:  Run ALTER EXTENSION databite UPDATE/,
	'the scheduler says what it waits for');
my $scheduler = wait_for_worker($node, 'scheduler', 'postgres');

my $inline = q({"id": "x", "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "t"}});
for my $call (
	"SELECT databite.schedule_job('$inline')", q(SELECT databite.unschedule_job('kept')), q(SELECT databite.pause_job('kept')),
	q(SELECT databite.resume_job('kept')), q(SELECT databite.reset_job('kept')), q(SELECT databite.execute_job('kept')),
	q(SELECT databite.execute_job('kept', true)), q(CALL databite.run_job('kept')), q(SELECT databite.enqueue_job('kept')),
	q(SELECT databite.cancel_job('kept')), "SELECT * FROM databite.validate_job('$inline')", "SELECT databite.explain_job('$inline'::jsonb)",
	q(SELECT databite.explain_job('kept')), q(SELECT * FROM databite.preview_job('kept')), "SELECT * FROM databite.preview_job('$inline'::jsonb)",
	q(SELECT databite.evaluate('{{ 1 }}')), q(SELECT databite.set_token('a', 'b')), q(SELECT databite.delete_token('a')),
	q(SELECT databite.create_transform('a', 'pg_catalog.lower(text)')), q(SELECT databite.drop_transform('a')),
	q(SELECT databite.configure('{}')), q(SELECT databite.start()))
{
	like(error_of($call), qr/^psql:<stdin>:1: ERROR:  extension "databite" has version 0.9, the library needs 1.0\n.*HINT:  Run ALTER EXTENSION databite UPDATE/, $call);
}
is(error_of(q(SELECT databite.version(), databite.next_run('{"type": "interval", "hours": 1}'))), '', 'what needs no table works');
like(sql('SELECT databite.version()'), qr/^databite 1\.0 \(in this database 0\.9\), /, 'version() tells both');
is(sql(q(SELECT j.job_id, s.enabled FROM databite.jobs j, databite.get_job_status(j.job_id) s)), 'kept|t', 'what there is can be seen');

# The update
$log_begin = -s $node->logfile;
sql('ALTER EXTENSION databite UPDATE');
wait_for_log(qr/LOG:  databite scheduler of database "postgres" goes on/, 'the scheduler goes on after the update');
wait_for_runs($node, 'postgres', 'kept', 1);
is(sql(q(SELECT trigger, status, records_inserted, resumed FROM databite.runs)), 'schedule|completed|20|0', 'the job is there, and has run');
is(sql(q(SELECT last_sync_time > '2024-05-01' FROM databite.cursors)), 't', 'its cursor moves');
is(worker_pid($node, 'scheduler', 'postgres'), $scheduler, 'by the same scheduler');
$log_begin = 0;
is(log_count(qr/scheduler of database "postgres" waits/), 1, 'which had said it once');
is(error_of('ALTER EXTENSION databite UPDATE'), qq(psql:<stdin>:1: NOTICE:  version "1.0" of extension "databite" is already installed), 'a second time there is nothing to do');

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION databite');
my $fresh = extension_objects($node, 'fresh');
cmp_ok(scalar(split /\n/, $fresh), '>', 500, 'the extension has objects');
is(differences(extension_objects($node, 'postgres'), $fresh), '', 'after the update they are those of CREATE EXTENSION');
is(sql(q(SELECT resumed FROM databite.get_job_history('kept'))), '0', 'a function gives the column that is new');
for my $version (shipped_updates('1.0'))
{
	next if $version eq '0.9';
	$node->safe_psql('postgres', 'CREATE DATABASE earlier');
	$node->safe_psql('earlier', "CREATE EXTENSION databite VERSION '$version'; ALTER EXTENSION databite UPDATE");
	is(differences(extension_objects($node, 'earlier'), $fresh), '', "those of $version become those of CREATE EXTENSION");
	$node->safe_psql('postgres', 'DROP DATABASE earlier');
}

# An update waits for transactions that use the tables, and those that come after it wait for the update.
my $user = $node->background_psql('postgres', on_error_stop => 1);
$user->query_safe(q(BEGIN; SELECT databite.pause_job('kept')));
my $updater = $node->background_psql('postgres', on_error_stop => 1);
$updater->query_until(qr/begun/, "\\echo begun\nALTER EXTENSION databite UPDATE TO '1.1';\n");
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE classid = 'pg_extension'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted));
is(sql(q(SELECT extversion FROM pg_extension WHERE extname = 'databite')), '1.0', 'an update waits for who uses the tables');
$user->query_safe(q(SELECT databite.resume_job('kept'); COMMIT));
$user->quit;
$updater->query_safe('SELECT 1');
$updater->quit;
is(sql(q(SELECT extversion FROM pg_extension WHERE extname = 'databite')), '1.1', 'and then goes on');
like(error_of(q(SELECT databite.pause_job('kept'))), qr/extension "databite" has version 1.1, the library needs 1.0\n.*HINT:  Install databite 1.1/, 'objects that are newer than the library');
sql(q(ALTER EXTENSION databite UPDATE TO '1.0'));

# Who may not update it stops nobody
sql('CREATE ROLE nobody LOGIN');
$user = $node->background_psql('postgres', on_error_stop => 1);
$user->query_safe(q(BEGIN; SELECT databite.pause_job('kept')));
my (undef, undef, $refused) = $node->psql('postgres', 'ALTER EXTENSION databite UPDATE', extra_params => [ '-U', 'nobody' ]);
like($refused, qr/must be owner of extension databite/, 'who may not update it does not wait for others');
$user->query_safe('ROLLBACK');
$user->quit;

# An update in the middle of a run, to objects that this library does not know: the run ends, and goes on when they fit again.
$url = $api->url('/users?size=2000&fault=delay:20');
sql('CREATE TABLE rows_of_run (id int, name text)');
sql(qq(SELECT databite.schedule_job('{"id": "middle", "source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 20}},
	"destination": {"type": "database", "table": "rows_of_run", "mode": "insert", "batchSize": 20}, "performance": {"concurrency": 1}}')));
sql(q(SELECT databite.enqueue_job('middle')));
wait_for_sql($node, 'postgres', 'SELECT count(*) > 0 FROM rows_of_run');
$log_begin = -s $node->logfile;
sql(q(ALTER EXTENSION databite UPDATE TO '1.1'));
wait_for_log(qr/ERROR:  extension "databite" has version 1.1, the library needs 1.0/, 'the run ends at its next batch');
wait_for_log(qr/scheduler of database "postgres" waits: extension "databite" has version 1.1/, 'and the scheduler waits');
wait_for_sql($node, 'postgres', q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'databite runner'));
cmp_ok(sql('SELECT count(*) FROM rows_of_run'), '<', 2000, 'it was in the middle');
is(sql(q(SELECT status FROM databite.runs WHERE job_id = 'middle')), 'running', 'what becomes of it is not decided yet');
sql(q(ALTER EXTENSION databite UPDATE TO '1.0'));
wait_for_runs($node, 'postgres', 'middle', 1);
is(sql(q(SELECT trigger, status, resumed FROM databite.runs WHERE job_id = 'middle' ORDER BY run_id)), "enqueue|crashed|0\nresume|completed|1",
	'after the next update another run goes on');
is(sql('SELECT count(*), count(DISTINCT id) FROM rows_of_run'), '2000|2000', 'and every row is there once');
is(sql(q(SELECT sum(records_inserted) FROM databite.runs WHERE job_id = 'middle')), '2000', 'and is counted once');
is(log_count(qr/PANIC|terminated by signal/), 0, 'nothing has crashed');
$node->stop;

# A scheduler that is not preloaded waits, too, and does not end and come back all the time.
$node = databite_node('unloaded', preload => 0);
sql('CREATE EXTENSION databite; SELECT databite.start()');
$scheduler = wait_for_worker($node, 'scheduler', 'postgres');
$log_begin = 0;
sql(q(ALTER EXTENSION databite UPDATE TO '1.1'));
$node->reload;
wait_for_log(qr/scheduler of database "postgres" waits: extension "databite" has version 1.1/, 'without preloading the scheduler waits, too');
$node->reload;
sql(q(ALTER EXTENSION databite UPDATE TO '1.0'));
sql("SELECT databite.schedule_job('$inline')");
is(enqueue_and_wait($node, 'postgres', 'x')->{status}, 'completed', 'it works when they fit');
is(worker_pid($node, 'scheduler', 'postgres'), $scheduler, 'with the same scheduler');
$node->stop;

# pg_upgrade of a server with jobs, state, secrets, and a run in the middle of a table that it replaces; and with older objects.
$node = databite_node('old');
$node->safe_psql('postgres', 'CREATE DATABASE older');
$node->safe_psql('older', q(CREATE EXTENSION databite VERSION '0.9'));
sql(q(CREATE EXTENSION databite; SELECT databite.set_token('secret', 'test-token');
	CREATE ROLE alice LOGIN; CREATE SCHEMA alice AUTHORIZATION alice; GRANT USAGE ON SCHEMA databite TO alice; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO alice;
	CREATE TABLE whole (id int PRIMARY KEY, name text); INSERT INTO whole VALUES (0, 'before');
	SELECT databite.create_transform('shout', 'pg_catalog.upper(text)')));
$url = $api->url('/auth/bearer/users?size=50');
schedule_job($node, 'postgres', { id => 'secret', source => { type => 'api', url => $url, auth => { type => 'bearer', token => '{{tokens.secret}}' } },
	destination => { type => 'database', table => 'secret', schema => { id => 'integer', name => 'text' } }, transform => { id => '{{item.id}}', name => '{{item.name | shout}}' } });
is(enqueue_and_wait($node, 'postgres', 'secret')->{status}, 'completed', 'before pg_upgrade: a job with a secret');
schedule_job($node, 'postgres', { id => 'whole', source => { type => 'api', url => $api->url('/users?size=400&fault=delay:40'), pagination => { type => 'offset', limit => 20 } },
	destination => { type => 'database', table => 'whole', mode => 'replace', batchSize => 20 }, performance => { concurrency => 1 } });
sql(q(SELECT databite.enqueue_job('whole')));
wait_for_sql($node, 'postgres', q(SELECT count(*) > 0 FROM databite.runs WHERE job_id = 'whole' AND pages >= 2));
my ($ret, $out) = $node->psql('postgres', q(SET ROLE alice; SELECT databite.schedule_job('{"id": "of_alice", "source": {"type": "inline", "items": [{"id": 1}]},
	"destination": {"type": "database", "table": "of_alice", "schema": {"id": "integer"}}}')));
$node->stop;

my $new = databite_node('new', start => 0);
my @command = ('pg_upgrade', '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $node->config_data('--bindir'), '-B', $new->config_data('--bindir'),
	'-s', $new->host, '-p', $node->port, '-P', $new->port);
chdir $PostgreSQL::Test::Utils::tmp_check or die "no directory to work in";
command_ok([ @command, '--check' ], 'pg_upgrade --check');
command_ok(\@command, 'pg_upgrade');
$node = $new;
$node->start;
wait_for_runs($node, 'postgres', 'whole', 1);
is(sql(q(SELECT trigger, status, resumed FROM databite.runs WHERE job_id = 'whole' ORDER BY run_id)), "enqueue|crashed|0\nresume|completed|1",
	'a run that was stopped for it goes on');
cmp_ok(sql(q(SELECT max(pages) FROM databite.runs WHERE job_id = 'whole' AND status = 'completed')), '<', 20, 'with what it had gathered');
is(sql('SELECT count(*), min(id), max(id) FROM whole'), '400|1|400', 'and replaces the table by the whole listing');
is(sql(q(SELECT count(*) FROM pg_class WHERE relnamespace = 'databite'::regnamespace AND relname ~ '^stage_[0-9]+$')), '0', 'what it has gathered is gone');
is(enqueue_and_wait($node, 'postgres', 'secret')->{records_unchanged}, 50, 'the secret and the transform are there');
is(enqueue_and_wait($node, 'postgres', 'of_alice')->{status}, 'completed', 'as are roles');
is(sql(q(SELECT tableowner FROM pg_tables WHERE tablename = 'of_alice')), 'alice', 'that own their jobs');
is(sql('SELECT count(*) = count(DISTINCT run_id) AND count(*) > 4 FROM databite.runs'), 't', 'history goes on');
$node->safe_psql('older', 'ALTER EXTENSION databite UPDATE');
is(differences(extension_objects($node, 'older'), $fresh), '', 'also after a version that is older and its update');

$node->stop;
$api->stop;
done_testing();
