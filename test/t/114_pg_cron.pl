# Where pg_cron is all that the server preloads: it runs the jobs, or keeps the scheduler.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use ExtensionScript;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use WorkerTest qw(quick_job wait_for_run wait_for_worker wait_for_no_worker worker_pid);

# Not every major has the package.
my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => "there is no pg_cron in $libraries (Debian's package is called postgresql-15-cron, for 15)" if !-e "$libraries/pg_cron.so";

my $node = databite_node('managed', preload => 0, start => 0, conf => <<'CONF');
cron.database_name = 'postgres'
max_worker_processes = 16
CONF
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n");
$node->start;

my $hourly = '{"type": "interval", "hours": 1}';
my $each_second = '{"type": "interval", "seconds": 1}';

sub sql { return $node->safe_psql('postgres', @_); }

# What psql shows where an error, or a notice, comes.
sub said
{
	my ($statement, $database) = @_;
	return ($node->psql($database // 'postgres', "\\set VERBOSITY verbose\n$statement"))[2];
}

sub schedule
{
	my ($job, $role, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		($role ? "SET SESSION AUTHORIZATION $role; " : '') . "SELECT databite.schedule_job($job)");
}

sub runs_of
{
	my ($job, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT coalesce(string_agg(status || ' ' || trigger, ', ' ORDER BY run_id), '') FROM databite.run WHERE job_id = '$job'");
}

# Nobody waits for a full minute here: pg_cron runs what is for @reboot when it starts.  Returns what the entries ended with.
sub tick
{
	sql("TRUNCATE cron.job_run_details; UPDATE cron.job SET schedule = '\@reboot'");
	$node->restart;
	$node->poll_query_until('postgres', q(SELECT count(*) = (SELECT count(*) FROM cron.job WHERE active) FROM cron.job_run_details
		WHERE status IN ('succeeded', 'failed'))) or die 'pg_cron does not run its entries: ' . sql('SELECT * FROM cron.job_run_details');
	return sql(q(SELECT string_agg(status || CASE status WHEN 'failed' THEN ' ' || return_message ELSE '' END, ', ') FROM cron.job_run_details));
}

sql('CREATE EXTENSION databite');

subtest 'missing' => sub
{
	like(said('SELECT databite.use_pg_cron()'), qr/ERROR:  55000: the server has not preloaded pg_cron\n.*HINT:  Add pg_cron to "shared_preload_libraries", set "cron.database_name" to 'postgres', and restart/s,
		'its library is not preloaded');
	my $scripts = script_directory();
	if (defined $scripts)
	{
		rename("$scripts/pg_cron.control", "$scripts/pg_cron.away") or die "could not hide pg_cron: $!";
		my $error = said('SELECT databite.use_pg_cron()');
		rename("$scripts/pg_cron.away", "$scripts/pg_cron.control") or die "could not bring pg_cron back: $!";
		like($error, qr/ERROR:  0A000: pg_cron is not installed on this server\n.*HINT:  Install it, or start the scheduler with SELECT databite.start/s,
			'its package is not installed');
	}
	like(said('SELECT databite.use_pg_cron(false)'), qr/^psql:<stdin>:2: NOTICE:  00000: pg_cron does nothing in this database/, 'nothing to be ended');
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\n");
	$node->restart;
	like(said('SELECT databite.use_pg_cron()'), qr/ERROR:  55000: extension pg_cron is not installed in this database.*HINT:  Run CREATE EXTENSION pg_cron/s,
		'its extension is not there');
	sql('CREATE EXTENSION pg_cron');
};

subtest 'the words of pg_cron' => sub
{
	my %schedules = (
		'1 minute' => '* * * * *',
		'60 seconds' => '* * * * *',
		'5 minutes' => '*/5 * * * *',
		'1 hour' => '0 * * * *',
		'00:30' => '*/30 * * * *',
		'6 hours' => '0 */6 * * *',
		'1 day' => '0 0 * * *',);
	for my $every (sort keys %schedules)
	{
		sql("SELECT databite.use_pg_cron('$every')");
		is(sql('SELECT string_agg(schedule, $$ and $$) FROM cron.job'), $schedules{$every}, "$every; one entry");
	}
	is(sql('SELECT jobname, command, database, username, active FROM cron.job'),
		'databite postgres|CALL databite.run_due_jobs()|postgres|' . sql('SELECT current_user') . '|t', 'the entry');
	sql(q(SELECT databite.use_pg_cron(every => '2 minutes', keep => 'scheduler')));
	is(sql('SELECT schedule, command FROM cron.job'), '*/2 * * * *|SELECT databite.start()', 'another command takes its place');
	sql('UPDATE cron.job SET active = false; SELECT databite.use_pg_cron(true)');
	is(sql('SELECT schedule, command, active FROM cron.job'), '* * * * *|CALL databite.run_due_jobs()|t', 'one that was switched off is on again');

	if (sql(q(SELECT string_to_array(split_part(extversion, '-', 1), '.')::int[] >= '{1,5}' FROM pg_extension WHERE extname = 'pg_cron')) eq 't')
	{
		sql(q(SELECT databite.use_pg_cron('30 seconds')));
		is(sql('SELECT schedule FROM cron.job'), '30 seconds', 'seconds');
	}
	else
	{
		like(said(q(SELECT databite.use_pg_cron('30 seconds'))),
			qr/ERROR:  22023: pg_cron cannot run something every 30 seconds\n.*version 1\.4.*takes seconds from version 1\.5 on.*HINT:  Use '1 minute'/s, 'seconds');
	}
};

subtest 'runs what is due' => sub
{
	sql(q(SELECT databite.use_pg_cron('1 day')));	# at midnight, and when we say so
	schedule(quick_job('first', $each_second));
	schedule(q('{"id": "failing", "schedule": {"type": "interval", "seconds": 1}, "source": {"type": "sql", "query": "SELECT 1 / 0 AS id"},
		"destination": {"type": "database", "table": "rows_of_failing", "schema": {"id": "integer"}}}'));
	schedule(quick_job('later', $hourly));
	unlike(said('SELECT databite.schedule_job(' . quick_job('later', $hourly) . ')'), qr/no scheduler/, 'a job is not told that nobody would run it');
	ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 2 FROM databite.job WHERE next_run_at <= now()'), 'jobs are due');
	for my $workers ('off', 'on')
	{
		sql("ALTER SYSTEM SET cron.use_background_workers = $workers");
		sql('DELETE FROM databite.run');
		is(tick(), 'succeeded', "the command ends well; background workers: $workers");
		like(runs_of('first'), qr/^completed schedule(, completed schedule)*$/, 'the first job has run');
		like(runs_of('failing'), qr/^failed schedule(, failed schedule)*$/, 'a job that fails fails alone');
		is(runs_of('later'), '', 'what is not due has not run');
		ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 2 FROM databite.job WHERE next_run_at <= now()'), 'they are due again');
	}
	is(sql('SELECT count(*) FROM rows_of_first'), 1, 'with its rows');

	# pg_cron writes down what its background worker hears.
	sql(q(CREATE FUNCTION talk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE NOTICE '%', repeat('x', 100000); RETURN NEW; END $$;
		CREATE TRIGGER talk BEFORE INSERT ON rows_of_first FOR EACH ROW EXECUTE FUNCTION talk();
		DELETE FROM rows_of_first; DELETE FROM databite.run));
	is(tick(), 'succeeded', 'a trigger that has much to say');
	is(sql('SELECT count(*) FROM rows_of_first'), 1, 'holds up nothing');
	unlike(slurp_file($node->logfile), qr/x{1000}/, 'and is not heard');
};

subtest 'roles' => sub
{
	sql('CREATE ROLE alice LOGIN; GRANT ALL ON SCHEMA public TO alice; GRANT USAGE ON SCHEMA databite, cron TO alice;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA databite TO alice');
	like(said('SET SESSION AUTHORIZATION alice; SELECT databite.use_pg_cron()'),
		qr/42501: permission denied for databite\.run_due_jobs\(\).*HINT:  Run GRANT EXECUTE ON ROUTINE databite\.run_due_jobs\(\) TO alice/s,
		'who may not run due jobs cannot have it done');
	sql('GRANT EXECUTE ON ROUTINE databite.run_due_jobs() TO alice; SELECT databite.use_pg_cron(false)');
	is(sql('SET SESSION AUTHORIZATION alice; SELECT databite.use_pg_cron($$1 day$$) > 0'), 't', 'a role has an entry of its own');
	schedule(q('{"id": "of_alice", "schedule": {"type": "interval", "seconds": 1}, "source": {"type": "sql", "query": "SELECT current_user AS me"},
		"destination": {"type": "database", "table": "rows_of_alice", "schema": {"me": "text"}, "key": "me"}}'), 'alice');
	ok(wait_for_sql($node, 'postgres', q(SELECT next_run_at <= now() FROM databite.job WHERE job_id = 'of_alice')), 'its job is due');
	sql('DELETE FROM databite.run');
	is(tick(), 'succeeded', 'the command ends well');
	is(sql('SELECT me FROM rows_of_alice'), 'alice', 'its job has run');
	is(runs_of('first'), '', "and nobody else's");
	is(sql('SELECT databite.use_pg_cron(false)'), 'f', 'others leave it alone');
	is(sql('SET SESSION AUTHORIZATION alice; SELECT databite.use_pg_cron(false)'), 't', 'who has it ends it');
	is(sql('SELECT count(*) FROM cron.job'), 0, 'it is gone');
};

subtest 'another database' => sub
{
	my $database = q(it's "two");
	sql(q(CREATE DATABASE "it's ""two"""));
	$node->safe_psql($database, 'CREATE EXTENSION databite');
	schedule(quick_job('there', $each_second), undef, $database);
	my $error = said(q(SELECT databite.use_pg_cron('1 day')), $database);
	like($error, qr/ERROR:  55000: pg_cron of this server is in database "postgres"/, 'cannot be reached from here');
	my ($statement) = $error =~ /HINT:  Connect to database "postgres".*, and run: (SELECT .*;)\n/;
	is($statement, q{SELECT cron.schedule_in_database('databite it''s "two"', '0 0 * * *', 'CALL databite.run_due_jobs()', 'it''s "two"', '}
		. sql('SELECT current_user') . q{');}, 'the hint says how it is done');
	sql($statement);
	ok(wait_for_sql($node, $database, 'SELECT next_run_at <= now() FROM databite.job'), 'a job is due there');
	is(tick(), 'succeeded', 'done so, it works');
	like(runs_of('there', $database), qr/^completed schedule/, 'the job has run');
	($statement) = said('SELECT databite.use_pg_cron(false)', $database) =~ /and run: (SELECT .*;)\n/;
	sql($statement);
	is(sql('SELECT count(*) FROM cron.job'), 0, 'and how it is ended');
};

subtest 'keeps the scheduler' => sub
{
	sql(q(SELECT databite.use_pg_cron('1 day', keep => 'scheduler'); DELETE FROM databite.run));
	for my $workers ('off', 'on')
	{
		sql("ALTER SYSTEM SET cron.use_background_workers = $workers");
		is(worker_pid($node, 'scheduler', 'postgres'), '', 'there is none') if $workers eq 'off';
		is(tick(), 'succeeded', "the command ends well; background workers: $workers");
		ok(wait_for_worker($node, 'scheduler', 'postgres'), 'there is one');
	}
	is(sql('SELECT databite.start()'), 'f', 'a second start does nothing');
	wait_for_run($node, 'postgres', 'first', 'completed');
	like(said('SELECT databite.use_pg_cron()'), qr/HINT:  A scheduler runs the jobs now/, 'passes have nothing to do beside it');
	sql('SELECT databite.use_pg_cron(false); SELECT databite.stop()');
};

subtest 'not preloaded any more' => sub
{
	sql('SELECT databite.use_pg_cron()');
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
	$node->restart;
	for my $argument ('', 'false')
	{
		like(said("SELECT databite.use_pg_cron($argument)"), qr/ERROR:  55000: the server has not preloaded pg_cron/, "use_pg_cron($argument)");
	}
};

$node->stop;
done_testing();
