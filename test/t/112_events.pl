# Events have the worker run the jobs that wait for them: durable, in order, one run each; those of a paused job wait.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');
sql('CREATE TABLE updated (id bigint, n int)');
my $url = $api->url('/users?size=3');
sql(qq(SELECT databite.schedule_job('{"id": "updated",
	"trigger": {"type": "event", "event": "data_updated", "source": "external_system"},
	"source": {"type": "api", "url": "$url", "query": {"emitted": "{{event.timestamp}}", "n": "{{event.payload.n}}"}},
	"destination": {"type": "database", "table": "updated", "schema": {"id": "bigint", "n": "integer"}, "mode": "insert"},
	"transform": {"id": "{{item.id}}", "n": "{{event.payload.n}}"}}')));

# After the commit, and only then.
sql(q(BEGIN; SELECT databite.emit_event('data_updated', 'external_system', '{"n": 0}'); ROLLBACK));
sql(q(SELECT databite.emit_event('data_updated', 'external_system', jsonb_build_object('n', n)) FROM generate_series(1, 5) AS n));
sql(q(SELECT databite.emit_event('data_updated', 'somebody_else', '{"n": 6}')));
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 15 FROM updated'), 'each event is a run');
is(sql('SELECT string_agg(DISTINCT n::text, $$ $$) FROM updated'), '1 2 3 4 5', 'of those that were committed');
is(sql(q(SELECT count(*), count(*) FILTER (WHERE trigger = 'event') FROM databite.runs WHERE job_id = 'updated')), '5|5', 'that says so');
like($api->requests('/users')->[0]{query}{emitted} // '', qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/, 'its time is in the request');

# A paused job's wait, and come in their order; runs by hand are not held up.
sql(q(TRUNCATE updated; SELECT databite.pause_job('updated')));
sql(q(SELECT databite.emit_event('data_updated', 'external_system', jsonb_build_object('n', n)) FROM generate_series(11, 13) AS n));
my $run = enqueue_and_wait($node, 'postgres', 'updated');
is($run->{status}, 'completed', 'a paused job runs when it is told to');
is(sql('SELECT count(*), count(n) FROM updated'), '3|0', 'without an event');
is(sql(q(SELECT count(*) FROM databite.runs WHERE status = 'queued')), 3, 'events wait');
$node->restart;
sql(q(SELECT databite.resume_job('updated')));
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 12 FROM updated'), 'until it is resumed, over a restart');
is(sql(q(SELECT string_agg(n::text, ' ' ORDER BY first) FROM (SELECT n, min(ctid::text::point <-> '(0,0)') AS first FROM updated WHERE n IS NOT NULL GROUP BY n) AS t)),
	'11 12 13', 'in the order in which they were emitted');

# A table that is made for the job has columns of the types of what the event brings.
sql(q(SELECT databite.schedule_job('{"id": "made", "trigger": {"type": "event", "event": "made"},
	"source": {"type": "inline", "items": [{"id": 1}]}, "destination": {"type": "database", "table": "made", "mode": "insert"},
	"transform": {"id": "{{item.id}}", "name": "{{event.name}}", "at": "{{event.timestamp}}", "total": "{{event.payload.total}}",
		"first": "{{event.payload.list[0]}}", "list": "{{event.payload.list}}", "whole": "{{event.payload}}", "run": "{{run.id}}"}}')));
sql(q(SELECT databite.emit_event('made', NULL, '{"total": 1.5, "list": ["x"]}')));
ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'made' AND status = 'completed')), 'a table is made');
is(sql(q(SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0)),
	'at timestamp with time zone, first text, id bigint, list jsonb, name text, run bigint, total numeric, whole jsonb',
	'with the types of what the event brings');
is(sql(q(SELECT name, at = (SELECT emitted_at FROM databite.event WHERE name = 'made'), total, first, list FROM made)), 'made|t|1.5|x|["x"]', 'and its values');

# Other programs hear of it.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe('LISTEN databite_event');
my $id = sql(q(SELECT databite.emit_event('something', 'a source', '{"secret": 1}')));
my ($heard) = $session->query('SELECT 1') =~ /databite_event" with payload "(.*)" received/;
is($heard, qq({"event_id": $id, "event": "something", "source": "a source"}), 'a notification says what was emitted, but not its payload');
$session->quit;

# A run that crashes is run again for the same event.
sql(q(TRUNCATE updated; CREATE FUNCTION crash_once() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('crashes') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); END IF;
		RETURN NEW;
	END $$;
	CREATE SEQUENCE crashes;
	CREATE TRIGGER crash_once BEFORE INSERT ON updated FOR EACH ROW EXECUTE FUNCTION crash_once()));
sql(q(SELECT databite.emit_event('data_updated', 'external_system', '{"n": 21}')));
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 3 AND min(n) = 21 AND max(n) = 21 FROM updated'), 'the run that follows a crash is for its event');
is(sql(q(SELECT string_agg(status || ' ' || trigger, ', ' ORDER BY run_id) FROM (SELECT * FROM databite.runs ORDER BY run_id DESC LIMIT 2) AS r)),
	'crashed event, completed resume', 'history has both');

# What is old goes, and with it the names of deliveries; an event that a run waits for stays.
sql(q(SELECT databite.pause_job('updated')));
$id = sql(q(SELECT databite.emit_event('data_updated', 'external_system')));
sql(q(INSERT INTO databite.delivery_seen (job_id, hash) SELECT 'updated', decode(lpad(to_hex(n), 8, '0'), 'hex') FROM generate_series(1, 3) AS n;
	UPDATE databite.delivery_seen SET received_at = now() - interval '2 days' WHERE hash <> '\x00000001';
	UPDATE databite.event SET emitted_at = now() - interval '2 days';
	ALTER SYSTEM SET databite.history_retention = '1d'));
$node->reload;
ok(wait_for_sql($node, 'postgres', "SELECT count(*) = 1 AND min(event_id) = $id FROM databite.event"), 'old events go');
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 1 FROM databite.delivery_seen'), 'and old names of deliveries');

$node->stop;
done_testing();
