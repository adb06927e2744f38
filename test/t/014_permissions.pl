# Nothing for PUBLIC; a role that was granted databite works with its own jobs,
# which run with its own rights.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');
my $url = $api->url('/users');

sub sql { return $node->safe_psql('postgres', shift); }
sub as
{
	my ($role, $sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $role ]);
	return $ret == 0 ? $out : $err;
}
sub job
{
	my ($id, $table) = @_;
	return qq(SELECT databite.schedule_job('{"id": "$id", "source": {"type": "api", "url": "$url"},
		"destination": {"type": "database", "table": "$table", "schema": {"id": "integer", "name": "text"}}}'));
}

sql(q(
	CREATE EXTENSION databite;
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE nobody LOGIN; CREATE ROLE watcher LOGIN;
	CREATE SCHEMA alice AUTHORIZATION alice;
	CREATE SCHEMA bob AUTHORIZATION bob;
	GRANT USAGE ON SCHEMA databite TO alice, bob, watcher;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO alice, bob;
	GRANT pg_monitor TO watcher;
	CREATE TABLE bob.private (id bigint PRIMARY KEY, name text);
	ALTER TABLE bob.private OWNER TO bob;
	GRANT USAGE ON SCHEMA bob TO alice;
));

is(sql(q(SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'databite'::regnamespace
		AND has_function_privilege('nobody', oid, 'EXECUTE'))), 'live_progress period_begin', 'PUBLIC can call nothing but what is behind a view or a function');
like(as('nobody', 'SELECT * FROM databite.live_progress()'), qr/permission denied for schema/, 'and that not without the schema');
is(sql(q(SELECT count(*) FROM pg_class WHERE relnamespace = 'databite'::regnamespace AND relkind IN ('r', 'S')
		AND has_table_privilege('alice', oid, 'SELECT'))), '0', 'no table can be read');
like(as('nobody', 'SELECT * FROM databite.jobs'), qr/permission denied for schema/, 'nor a view, without the schema');
like(as('nobody', job('x', 'x')), qr/permission denied/, 'nor a job scheduled');

is(as('alice', job('alices', 'users')), 'alices', 'alice schedules');
is(as('bob', job('bobs', 'users')), 'bobs', 'bob schedules');
is(as('alice', 'SELECT job_id FROM databite.jobs'), 'alices', 'alice sees her job');
is(as('bob', 'SELECT job_id FROM databite.jobs'), 'bobs', 'bob sees his');
is(as('watcher', 'SELECT count(*) FROM databite.jobs'), '2', 'pg_monitor sees both');
like(as('bob', job('alices', 'users')), qr/permission denied for job/, 'a job of another cannot be replaced');
for my $call (q(SELECT databite.execute_job('alices')), q(CALL databite.run_job('alices')),
	q(SELECT databite.replay_rejected('alices')),
	q(SELECT databite.enqueue_job('alices')), q(SELECT databite.pause_job('alices')),
	q(SELECT databite.cancel_job('alices')), q(SELECT databite.reset_job('alices')),
	q(SELECT databite.unschedule_job('alices')), q(SELECT * FROM databite.explain_job('alices')),
	q(SELECT * FROM databite.preview_job('alices')))
{
	like(as('bob', $call), qr/permission denied for job/, "not bob's: $call");
}
is(as('bob', q(SELECT count(*) FROM databite.get_job_history('alices'))), '0', 'nor its history');

my $run = as('alice', q(SELECT databite.enqueue_job('alices')));
ok($node->poll_query_until('postgres', "SELECT status = 'completed' FROM databite.runs WHERE run_id = $run"), "alice's job runs");
is(sql(q(SELECT tableowner FROM pg_tables WHERE schemaname = 'alice' AND tablename = 'users')), 'alice', 'as alice');
is(as('bob', q(SELECT count(*) FROM databite.runs)), '0', 'bob does not see the run');

# Rejected items are data of the source: for the owner, and for who may see everything.
(my $rejecting = job('rejecting', 'users')) =~ s/\}\}\}'/}}, "validation": {"id": {"max": 90}}}'/;
as('alice', $rejecting);
like(as('alice', q(SELECT records_rejected FROM databite.execute_job('rejecting'))), qr/^10$/, 'some are rejected');
is(as('alice', q(SELECT count(*), min("constraint") FROM databite.rejected_items)), '10|id.max', 'alice sees them');
is(as('bob', q(SELECT count(*) FROM databite.rejected_items)), '0', 'bob does not');
is(as('watcher', q(SELECT count(*) FROM databite.rejected_items)), '10', 'pg_monitor does');
like(as('nobody', q(SELECT count(*) FROM databite.rejected_items)), qr/permission denied for schema/, 'nobody else');
is(as('bob', q(SELECT count(*) FROM databite.rejected_item)), '0', 'the table itself shows no more than the view');
like(as('alice', q(SELECT context FROM databite.rejected_item)), qr/permission denied for table/, 'nor other columns');
# not even where somebody has granted the table
sql('GRANT SELECT ON databite.rejected_item TO alice, bob');
is(as('bob', q(SELECT count(*) FROM databite.rejected_item)), '0', 'and there by row');
is(as('alice', q(SELECT count(*) FROM databite.rejected_item)), '10', 'own rows only');
sql('REVOKE SELECT ON databite.rejected_item FROM alice, bob');

# Rights are the owner's, whoever runs the job.
as('alice', job('steals', 'bob.private'));
like(as('alice', q(SELECT error ->> 'message' FROM databite.execute_job('steals'))),
	qr/permission denied for table private/, 'alice cannot write to a table of bob');
like(sql(q(SELECT error ->> 'message' FROM databite.execute_job('steals'))),
	qr/permission denied for table private/, 'not even when a superuser runs her job');

# A trigger of the owner cannot climb to the rights of who runs the job.
as('alice', q(
	CREATE FUNCTION alice.climb() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'ALTER ROLE alice SUPERUSER'; RETURN NEW; END $$;
	CREATE TABLE alice.trap (id bigint PRIMARY KEY, name text);
	CREATE TRIGGER climb BEFORE INSERT ON alice.trap FOR EACH ROW EXECUTE FUNCTION alice.climb()));
as('alice', job('trap', 'alice.trap'));
is(sql(q(SELECT (databite.execute_job('trap')).success)), 'f', 'the run fails');
is(sql(q(SELECT rolsuper FROM pg_roles WHERE rolname = 'alice')), 'f', 'and alice is no superuser');

# Operators of a user in the search_path are not picked up by databite's own statements.
as('alice', q(
	CREATE FUNCTION alice.evil(text, text) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN EXECUTE 'ALTER ROLE alice SUPERUSER'; RETURN true; END $$;
	CREATE OPERATOR alice.= (LEFTARG = text, RIGHTARG = text, FUNCTION = alice.evil)));
as('alice', q(SET search_path = alice, pg_catalog; ) . job('evil', 'users'));
as('alice', q(SET search_path = alice, pg_catalog; SELECT databite.execute_job('evil'); SELECT * FROM databite.get_job_status('evil')));
is(sql(q(SELECT rolsuper FROM pg_roles WHERE rolname = 'alice')), 'f', 'alice is still no superuser');

like(as('alice', q(SET databite.allowed_hosts = '0.0.0.0/0')), qr/permission denied/, 'who may be reached is not hers to say');
like(as('alice', q(SELECT databite.configure('{"schedule": {"type": "interval", "days": 1}}'))), qr/must be owner of the database/,
	'nor the defaults of the database');

# The owner is dropped, or may not log in any more: the job fails with the reason, the scheduler goes on.
sql(q(ALTER ROLE bob NOLOGIN));
$run = sql(q(SELECT databite.enqueue_job('bobs')));
ok($node->poll_query_until('postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run"), 'NOLOGIN: failed');
like(sql("SELECT error ->> 'message' FROM databite.runs WHERE run_id = $run"), qr/log in/, 'with the reason');
sql(q(REASSIGN OWNED BY bob TO postgres; DROP OWNED BY bob; DROP ROLE bob)) if sql('SELECT current_user') eq 'postgres';
SKIP:
{
	skip 'the superuser has another name', 2 if sql('SELECT current_user') ne 'postgres';
	$run = sql(q(SELECT databite.enqueue_job('bobs')));
	ok($node->poll_query_until('postgres', "SELECT status = 'failed' FROM databite.runs WHERE run_id = $run"), 'dropped: failed');
	like(sql("SELECT error ->> 'message' FROM databite.runs WHERE run_id = $run"), qr/does not exist/, 'with the reason');
}

$node->stop;
$api->stop;
done_testing();
