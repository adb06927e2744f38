# A server that asks us to stay away for longer than a run waits: the run ends,
# and the job's next run is moved to that time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main');

sub sql { return $node->safe_psql('postgres', shift); }

sql('CREATE EXTENSION databite');
my $url = $api->url('/users?fault=status:429:retry_after=600');
for my $schedule ('{"type": "interval", "days": 1}', '{"type": "interval", "seconds": 30}')
{
	sql(qq(SELECT databite.schedule_job('{
		"id": "polite", "source": {"type": "api", "url": "$url"},
		"destination": {"type": "database", "table": "t", "schema": {"id": "integer"}},
		"schedule": $schedule}')));
	my $run = enqueue_and_wait($node, 'postgres', 'polite');
	is($run->{status}, 'failed', "$schedule: the run ends");
	is($run->{retries}, 0, 'without waiting');
	is(sql(q(SELECT next_run_at BETWEEN now() + interval '9 min' AND now() + interval '11 min'
			FROM databite.get_job_status('polite'))), 't', 'the next one is when the server said');
}

# What a run does wait for: seconds, and then it goes on.
$url = $api->url('/users?fault=status:503:retry_after=1:times=1');
sql(qq(SELECT databite.schedule_job('{
	"id": "waits", "source": {"type": "api", "url": "$url"},
	"destination": {"type": "database", "table": "users"}}')));
my $result = execute_job($node, 'postgres', 'waits');
is($result->{status}, 'completed', 'a short wait is waited');
is($result->{retries}, 1, 'and counted as a retry');
my ($first, $second) = map { $_->{time} } @{ $api->requests('/users') }[ -2, -1 ];
cmp_ok($second - $first, '>=', 1, 'not sooner than asked');

$node->stop;
$api->stop;
done_testing();
