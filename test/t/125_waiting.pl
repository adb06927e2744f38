# What waits in the queue for webhooks and events: nothing holds up what has nothing to do with it, and nothing is lost on the way.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $node = databite_node('main', conf => 'max_prepared_transactions = 5');

sub sql { return $node->safe_psql('postgres', shift); }

# A job whose items are a query's, or what its endpoint has taken.
sub schedule
{
	my ($id, $trigger, $source, $rest) = @_;

	return sql(qq(SELECT databite.schedule_job('{"id": "$id", "trigger": $trigger, "source": $source,
		"destination": {"type": "database", "table": "$id", "mode": "insert"}} '::jsonb || '$rest')));
}

sub runs
{
	my ($job) = @_;

	return sql(qq(SELECT string_agg(trigger || ' ' || status, ', ' ORDER BY run_id) FROM databite.runs WHERE job_id = '$job'));
}

my $query = '{"type": "sql", "query": "SELECT 1 AS id"}';
my $of_event = '{"transform": {"id": "{{event.payload.n ?? 0}}"}}';

sub emit
{
	my ($event, @numbers) = @_;

	return sql(join(';', map { qq(SELECT databite.emit_event('$event', NULL, '{"n": $_}')) } @numbers));
}

sub take
{
	my ($endpoint, $body) = @_;

	return sql(qq(SELECT r ->> 'status' FROM databite.receive_webhook('$endpoint', '{}', '$body') AS r));
}

sql('CREATE EXTENSION databite');

# A run of a webhook that waits after a failure holds up nobody else's.
sql('CREATE TABLE hook (id int CHECK (id <> 13))');
schedule('hook', '{"type": "webhook", "endpoint": "/hook"}', '{"type": "webhook_data"}', '{"errorHandling": {"onItemError": "fail"}}');
is(take('/hook', '{"id": 13}'), 200, 'a delivery that the table does not take');
ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'hook' AND status = 'queued' AND scheduled_for > now())),
	'its run fails, and the next one waits');
sql('ALTER TABLE hook DROP CONSTRAINT hook_id_check');
is(enqueue_and_wait($node, 'postgres', 'hook')->{status}, 'completed', 'one that somebody asks for does not');
is(sql('SELECT id FROM hook'), 13, 'and takes what is there');
sql(q(SELECT databite.pause_job('hook')));
is(sql(q(SELECT count(*) FROM databite.runs WHERE status = 'queued')), 0, 'a paused job has none that waits');

# A run that rejects all that has come is no reason to wait.
sql(q(TRUNCATE hook; ALTER TABLE hook ADD CHECK (id <> 13)));
schedule('hook', '{"type": "webhook", "endpoint": "/hook"}', '{"type": "webhook_data"}', '{}');
for my $id (13, 14, 13, 15)
{
	take('/hook', qq({"id": $id}));
	wait_for_sql($node, 'postgres', q(SELECT count(*) = 0 FROM databite.delivery));
}
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 2 FROM hook'), 'good ones between bad ones are written');
is(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'hook' AND trigger = 'webhook' AND scheduled_for IS NOT NULL)), 1,
	'without a pause, but for that of the failure before');

# A definition that takes no webhooks has no runs for them.
sql(q(SELECT databite.pause_job('hook')));
take('/hook', '{"id": 16}');
sql(q(SELECT databite.schedule_job('{"id": "hook", "source": {"type": "inline", "items": [{"id": 17}]},
	"destination": {"type": "database", "table": "hook", "mode": "insert"}}')));
is(enqueue_and_wait($node, 'postgres', 'hook')->{status}, 'completed', 'a job that takes webhooks no more');
schedule('quick', '{"type": "event", "event": "quick"}', $query, '{}');
emit('quick', 1);
ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM quick)), 'while others run');
like(runs('hook'), qr/, enqueue completed$/, 'is not run for what has come before');
schedule('hook', '{"type": "webhook", "endpoint": "/hook"}', '{"type": "webhook_data"}', '{}');
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 1 FROM hook WHERE id = 16'), 'and takes it when it takes webhooks again');

# An event whose run crashes keeps its place, also before those that wait behind it.
sql(q(CREATE TABLE ordered (id int, at timestamptz DEFAULT clock_timestamp());
	CREATE SEQUENCE tries;
	CREATE FUNCTION crash_once() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.id = 1 AND nextval('tries') = 1 THEN
			PERFORM databite.emit_event('ordered', NULL, '{"n": 99}');
			PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(60);
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER crash_once BEFORE INSERT ON ordered FOR EACH ROW EXECUTE FUNCTION crash_once()));
schedule('ordered', '{"type": "event", "event": "ordered"}', $query, $of_event);
emit('ordered', 1, 2, 3);
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 3 FROM ordered'), 'each of three events is done');
is(sql(q(SELECT string_agg(id::text, ' ' ORDER BY at) FROM ordered)), '1 2 3', 'in their order, though the first crashed');
is(sql(q(SELECT count(*) FROM databite.event WHERE payload @> '{"n": 99}')), 0, 'what the crash has undone was not emitted');

# One that is tried again is, whatever has happened to the job meanwhile, and those behind it wait.
sql(q(CREATE TABLE retried (id int CHECK (id <> 1), at timestamptz DEFAULT clock_timestamp())));
schedule('retried', '{"type": "event", "event": "retried"}', $query, substr($of_event, 0, -1) .
	', "errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 3, "retryDelay": 600000}}');
emit('retried', 1, 2);
ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'retried' AND trigger = 'retry')), 'one waits for its next try');
is(enqueue_and_wait($node, 'postgres', 'retried')->{status}, 'completed', 'a run by hand does not');
sql(q(SELECT databite.pause_job('retried'); ALTER TABLE retried DROP CONSTRAINT retried_id_check;
	UPDATE databite.run SET scheduled_for = now() WHERE trigger = 'retry' AND job_id = 'retried'));
is(enqueue_and_wait($node, 'postgres', 'retried')->{status}, 'completed', 'it runs by hand while it is paused');
is(sql(q(SELECT string_agg(status, ' ' ORDER BY run_id) FROM databite.runs WHERE job_id = 'retried' AND trigger IN ('event', 'retry'))), 'failed queued queued',
	'events wait');
sql(q(SELECT databite.resume_job('retried')));
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 4 FROM retried'), 'until it is resumed');
is(sql(q(SELECT string_agg(id::text, ' ' ORDER BY at) FROM retried)), '0 0 1 2', 'and come in their order');

# One that has failed for good leaves nothing that the next would go on with.
sql('CREATE TABLE pages (id bigint CHECK (id <> 4), n int)');
sql(qq(SELECT databite.schedule_job('{"id": "pages", "trigger": {"type": "event", "event": "pages"},
	"source": {"type": "inline", "items": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5}]},
	"destination": {"type": "database", "table": "pages", "mode": "insert", "batchSize": 2},
	"transform": {"id": "{{item.id}}", "n": "{{event.payload.n}}"}}')));
emit('pages', 1);
ok(wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'pages' AND status = 'failed')), 'one fails after its first batch');
sql('ALTER TABLE pages DROP CONSTRAINT pages_id_check');
emit('pages', 2);
ok(wait_for_sql($node, 'postgres', q(SELECT count(*) > 0 FROM databite.runs WHERE job_id = 'pages' AND status = 'completed')), 'the next does not');
is(sql('SELECT n, count(*) FROM pages GROUP BY n ORDER BY n'), "1|2\n2|5", 'and begins at its beginning');

# Transactions of all kinds.
emit('quick', 2);
sql(q(BEGIN; SAVEPOINT s; SELECT databite.emit_event('quick'); ROLLBACK TO s; COMMIT));
is(sql(q(SELECT count(*) FROM databite.event WHERE name = 'quick')), 2, 'what a savepoint has undone was never emitted');
my ($status, $out, $error) = $node->psql('postgres', q(BEGIN; SELECT databite.emit_event('quick'); PREPARE TRANSACTION 'p'));
like($error, qr/cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY/, 'a transaction that emits cannot be prepared');
is(sql(q(SELECT count(*) FROM databite.event WHERE name = 'quick')), 2, 'and is undone');
sql(q(BEGIN; SELECT databite.receive_webhook('/hook', '{}', '{"id": 18}'); PREPARE TRANSACTION 'p'));
is(sql('SELECT count(*) FROM databite.delivery'), 0, 'one that takes a delivery can');
sql(q(COMMIT PREPARED 'p'));
is(sql('SELECT count(*) FROM databite.delivery') + sql('SELECT count(*) FROM hook WHERE id = 18'), 1, 'and has it when it is committed');
take('/hook', '{"id": 19}');
ok(wait_for_sql($node, 'postgres', 'SELECT count(*) = 2 FROM hook WHERE id IN (18, 19)'), 'the next one that comes has both written');

$node->stop;
done_testing();
