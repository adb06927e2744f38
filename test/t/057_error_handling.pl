# What becomes of errors: bad items are rejected, a failed run is tried again, the administrator hears of it. The
# definitions of the data synchronization guide are verbatim but for the address.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');
$node->safe_psql('postgres', 'CREATE EXTENSION databite');

sub sql { return $node->safe_psql('postgres', shift); }

sub schedule
{
	my ($definition, $url) = @_;
	$definition =~ s{https://api\.service\.com/data}{$url};
	return sql("SELECT databite.schedule_job(\$databite\$$definition\$databite\$)");
}

sub history
{
	my ($job, $columns) = @_;
	return sql("SELECT $columns FROM databite.runs WHERE job_id = '$job' ORDER BY run_id");
}

my $resilient = <<'JSON';
{
  "id": "resilient_data_sync",
  "name": "Resilient Data Sync",
  "source": {
    "type": "api",
    "url": "https://api.service.com/data",
    "retry": {
      "attempts": 3,
      "delay": 5000,
      "backoff": "exponential"
    }
  },
  "destination": {
    "type": "database",
    "table": "data",
    "onError": "log_and_continue"
  },
  "errorHandling": {
    "strategy": "retry_with_backoff",
    "maxRetries": 3,
    "retryDelay": 5000,
    "onFailure": "notify_admin"
  }
}
JSON

# The source refuses once; then all but the item that the table refuses is there.
sql('CREATE TABLE data (id int PRIMARY KEY CHECK (id <> 7), name text)');
schedule($resilient, $api->url('/data?fault=status:400:times=1'));
is(enqueue_and_wait($node, 'postgres', 'resilient_data_sync')->{status}, 'failed', 'the worker: the first run fails');
wait_for_runs($node, 'postgres', 'resilient_data_sync', 1);
is(history('resilient_data_sync', "trigger, status, resumes IS NOT NULL, records_rejected"),
	"enqueue|failed|f|0\nretry|completed|t|1", 'the run that follows it is completed');
is(sql('SELECT count(*) > 0 AND count(*) = (SELECT max(records_inserted) FROM databite.runs) FROM data'), 't', 'with its rows');
is(sql(q(SELECT item ->> 'id', error_code, "constraint" FROM databite.rejected_items)), '7|23514|data_id_check', 'and its bad item');

# A job that only inserts goes on where it stood: every page fails once, and every row is there once.
sql('CREATE TABLE plain (id int, name text)');
my $url = $api->url('/users?style=offset&size=100&fault=status:400:times=1');
sql(qq(SELECT databite.schedule_job('{"id": "plain",
	"source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 20}},
	"destination": {"type": "database", "table": "plain", "mode": "insert"},
	"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 20, "retryDelay": 1, "backoff": "fixed"}}')));
sql(q(SELECT databite.enqueue_job('plain')));
wait_for_runs($node, 'postgres', 'plain', 1);
is(sql('SELECT count(*), count(DISTINCT id) FROM plain'), '100|100', 'each row once');
cmp_ok(sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'plain' AND status = 'failed')), '>=', 5, 'though every page has failed');
is(sql(q(SELECT sum(records_inserted) FROM databite.runs WHERE job_id = 'plain')), '100', 'and nothing is counted twice');

# A bad item makes of a batch two: those behind it still know which page they are of.
sql('CREATE TABLE paged (id int CHECK (id <> 7), page int)');
$url = $api->url('/users?size=100');
sql(qq(SELECT databite.schedule_job('{"id": "paged", "source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 20}},
	"destination": {"type": "database", "table": "paged", "mode": "insert", "onError": "log_and_continue"},
	"transform": {"id": "{{item.id}}", "page": "{{page.number}}"}}')));
is(enqueue_and_wait($node, 'postgres', 'paged')->{records_inserted}, 99, 'all but the bad one are written');
is(sql('SELECT count(*) FROM paged WHERE page = (id - 1) / 20 + 1'), '99', 'each with the page that it is of');

# The time of the schedule comes while a retry waits: its run takes over.
my $waits = '"errorHandling": {"strategy": "retry_with_backoff", "retryDelay": "1h", "backoff": "fixed"}';
$url = $api->url('/users?fault=status:400:times=1&who=schedule');
sql(qq(SELECT databite.schedule_job('{"id": "due", "source": {"type": "api", "url": "$url"},
	"destination": {"type": "database", "table": "due"}, "schedule": {"type": "interval", "seconds": 1}, $waits}')));
wait_for_runs($node, 'postgres', 'due', 1);
sql(q(SELECT databite.pause_job('due')));
is(sql(q(SELECT trigger, status, error ->> 'code' FROM databite.runs WHERE job_id = 'due' ORDER BY run_id LIMIT 3)),
	"schedule|failed|http_status\nretry|cancelled|superseded\nschedule|completed|", 'the schedule takes over from a retry');

# So does a run that somebody asks for, and the retry that comes after that has nothing to do.
$url = $api->url('/users?fault=status:400:times=1&who=enqueue');
sql(qq(SELECT databite.schedule_job('{"id": "asked", "source": {"type": "api", "url": "$url"},
	"destination": {"type": "database", "table": "asked"}, $waits}')));
is(enqueue_and_wait($node, 'postgres', 'asked')->{status}, 'failed', 'a run fails');
is(enqueue_and_wait($node, 'postgres', 'asked')->{status}, 'completed', 'the next one does not wait for its retry');
sql(q(UPDATE databite.run SET scheduled_for = now() WHERE job_id = 'asked' AND status = 'queued'; SELECT databite.schedule_job(definition) FROM databite.jobs WHERE job_id = 'plain'));
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'asked' AND status = 'cancelled'));
is(history('asked', "trigger, status, error ->> 'code'"), "enqueue|failed|http_status\nretry|cancelled|superseded\nenqueue|completed|",
	'and the retry is not run any more');

# A retry that waits can be cancelled: queued, and in a CALL.
$url = $api->url('/users?fault=status:400');
sql(qq(SELECT databite.schedule_job('{"id": "never", "source": {"type": "api", "url": "$url"},
	"destination": {"type": "database", "table": "never"}, $waits}')));
is(enqueue_and_wait($node, 'postgres', 'never')->{status}, 'failed', 'a run fails');
is(sql(q(SELECT databite.cancel_job('never'))), 't', 'its retry is cancelled');
my ($in, $out, $err) = ('', '', '');
my $call = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q(CALL databite.run_job('never')) ], \$in, \$out, \$err);
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.runs WHERE job_id = 'never' AND status = 'running' AND trigger = 'retry'));
is(sql(q(SELECT xact_start IS NULL OR backend_xmin IS NULL FROM pg_stat_activity WHERE query LIKE 'CALL databite%')), 't', 'a CALL that waits holds no snapshot');
is(sql(q(SELECT databite.cancel_job('never'))), 't', 'it can be cancelled');
$call->finish;
like($err, qr/cancel/, 'and says so');
is(history('never', 'trigger, status'), "enqueue|failed\nretry|cancelled\ncall|failed\nretry|cancelled", 'as does history');

# A retry keeps the payload of its run, and with one it does not give way.
sql(qq(SELECT databite.schedule_job('{"id": "payload", "source": {"type": "api", "url": "$url"},
	"destination": {"type": "database", "table": "never"}, "schedule": {"type": "interval", "days": 1}, $waits}')));
sql(q(SELECT databite.enqueue_job('payload', '{"who": 1}')));
wait_for_runs($node, 'postgres', 'payload', 1, 'failed');
sql(q(UPDATE databite.job SET next_run_at = now() WHERE job_id = 'payload'; SELECT databite.schedule_job(definition) FROM databite.jobs WHERE job_id = 'plain'));
wait_for_runs($node, 'postgres', 'payload', 1, 'skipped');
is(history('payload', 'trigger, status, payload'), qq(enqueue|failed|{"who": 1}\nretry|queued|{"who": 1}\nschedule|skipped|), 'a payload is kept');

# For good: a notification and a line in the log.
sql(qq(SELECT databite.schedule_job('{"id": "hopeless", "source": {"type": "api", "url": "$url"},
	"destination": {"type": "database", "table": "never"},
	"errorHandling": {"strategy": "retry_with_backoff", "maxRetries": 1, "retryDelay": 1, "onFailure": "notify_admin"}}')));
(undef, $out, $err) = $node->psql('postgres', "LISTEN databite_failure;\nCALL databite.run_job('hopeless');\nSELECT 1;\n", on_error_stop => 0);
my @notifications = $out =~ /notification "databite_failure" with payload "(.*)" received/g;
is(scalar(@notifications), 1, 'one notification, of the last try');
is(sql(qq(SELECT n ->> 'status', n ->> 'job_id', n -> 'error' ->> 'code', n -> 'requests', (n ->> 'run_id')::int = max(run_id)
	FROM databite.runs, (VALUES (\$n\$$notifications[0]\$n\$::jsonb)) v (n) WHERE job_id = 'hopeless' GROUP BY n)),
	'failed|hopeless|http_status|1|t', 'with the run');
my $offset = -s $node->logfile;
sql(q(SELECT databite.enqueue_job('hopeless')));
$node->wait_for_log(qr/WARNING: .*run \d+ of job "hopeless" failed for good/, $offset);
pass('the worker warns in the log');

$node->stop;
$api->stop;
done_testing();
