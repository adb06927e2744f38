# What databite.metrics says is what runs of the worker have done, also of one that is killed; it never falls, and is read
# as exporters and Prometheus read it.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Utils;
use Prometheus;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => 'restart_after_crash = on');
my $owner = $node->safe_psql('postgres', 'SELECT current_user');
my %seen;

sub sql { return $node->safe_psql('postgres', shift); }

# Counters of what runs have done, in the view and in databite.run.
my %columns = map { ("${_}_total" => $_) } map { "records_$_" } qw(processed inserted updated unchanged deleted rejected skipped);
@columns{qw(pages_total requests_total retries_total received_bytes_total)} = qw(pages requests retries bytes_received);

# All samples; that no counter has fallen since the last time is checked.
sub scrape
{
	my ($when) = @_;
	my $samples = parse_metrics($node->safe_psql('postgres', 'SELECT databite.metrics_text()') . "\n");
	my @fallen = grep { exists $samples->{$_} && $samples->{$_}{type} eq 'counter' && $samples->{$_}{value} < $seen{$_} } sort keys %seen;
	is("@fallen", '', "$when: no counter has fallen");
	$seen{$_} = $samples->{$_}{value} for keys %$samples;
	return;
}

sub metric
{
	my ($name, $job) = @_;
	return $seen{"databite_job_$name\{job_id=\"$job\",owner=\"$owner\"\}"};
}

# While history is there, the totals are its sums.
sub agrees
{
	my ($when) = @_;
	my $statuses = join ', ', map { "count(*) FILTER (WHERE status = '$_')" } qw(completed partial failed cancelled crashed skipped);
	my $totals = join ', ', map { "runs_${_}_total" } qw(completed partial failed cancelled crashed skipped);
	my $sums = join ', ', map { "coalesce(sum($_), 0)" } map { $columns{$_} } sort keys %columns;
	# in one statement: a run may be going on
	is(sql("(SELECT job_id, $statuses, $sums FROM databite.runs JOIN databite.jobs USING (job_id) GROUP BY 1)
		EXCEPT (SELECT job_id, $totals, " . join(', ', sort keys %columns) . ' FROM databite.metrics)'), '', "$when: the numbers are those of history");
	return;
}

sub job
{
	my ($id, $url, $more) = @_;
	schedule_job($node, 'postgres', { id => $id, source => { type => 'api', url => $url, pagination => { type => 'offset', limit => 50 } },
		destination => { type => 'database', table => 'users', mode => 'upsert', key => 'id', batchSize => 50 },
		transform => { id => '{{item.id}}', name => '{{item.name}}' }, %{ $more // {} } });
	return;
}

sql(q(CREATE EXTENSION databite; CREATE TABLE users (id int PRIMARY KEY, name text);
	CREATE TABLE without_7 (id int PRIMARY KEY CHECK (id <> 7), name text)));

# Each way to end
job('whole', $api->url('/users?size=200&fault=status:503:times=1'), { validation => { id => '{{item.id % 10 != 7}}' } });
is(enqueue_and_wait($node, 'postgres', 'whole')->{status}, 'completed', 'a run is completed');
is(enqueue_and_wait($node, 'postgres', 'whole')->{status}, 'completed', 'and another one');
job('part', $api->url('/users?size=20'), { destination => { type => 'database', table => 'without_7', key => 'id' },
	 errorHandling => { strategy => 'partial_success' } });
is(enqueue_and_wait($node, 'postgres', 'part')->{status}, 'partial', 'one is partial');
job('broken', $api->url('/users?size=200&fault=status:400:beyond=100'));
is(enqueue_and_wait($node, 'postgres', 'broken')->{status}, 'failed', 'one fails');
job('cancelled', $api->url('/users?size=20000&fault=delay:20'));
sql(q(SELECT databite.enqueue_job('cancelled')));
wait_for_sql($node, 'postgres', q(SELECT records_processed_total > 0 FROM databite.metrics WHERE job_id = 'cancelled'));
is(sql(q(SELECT running_runs, runs_completed_total FROM databite.metrics WHERE job_id = 'cancelled')), '1|0', 'what a run that goes on has committed is counted');
agrees('in the middle of a run');
sql(q(SELECT databite.cancel_job('cancelled')));
wait_for_runs($node, 'postgres', 'cancelled', 1, 'cancelled');
scrape('after runs');
agrees('after runs');
is(metric('runs_completed_total', 'whole'), 2, 'completed runs');
is(metric('retries_total', 'whole'), 5, 'retries, of each page one');
is(metric('rejected_items', 'whole'), 40, 'rejected items');
is(metric('requests_total', 'broken'), scalar(grep { $_->{target} =~ /beyond=100/ } @{ $api->requests('/users') }), 'as many requests as the server has had');
is(join(' ', map { metric("runs_${_}_total", $_ eq 'partial' ? 'part' : $_ eq 'failed' ? 'broken' : $_) } qw(partial failed cancelled)), '1 1 1', 'each run by how it ended');
is(join(' ', map { metric('last_run_success', $_) } qw(whole part broken)), '1 0 0', 'the last run of each');
is(metric('last_success_age_seconds', 'part'), undef, 'nothing is said of what never was');

# Due while it runs: skipped. Paused: nothing is due, and nobody waits.
job('often', $api->url('/users?size=200&fault=delay:700'), { schedule => { type => 'interval', seconds => 1 } });
wait_for_runs($node, 'postgres', 'often', 1, 'skipped');
sql(q(SELECT databite.pause_job('often'), databite.cancel_job('often')));
wait_for_sql($node, 'postgres', q(SELECT running_runs = 0 AND enabled = 0 AND queued_runs = 0 AND next_run_seconds IS NULL FROM databite.metrics WHERE job_id = 'often'));
agrees('after skipped runs');

# kill -9
job('killed', $api->url('/users?size=4000&fault=delay:10'), { validation => { id => '{{item.id % 10 != 7}}' } });
sql(q(SELECT databite.enqueue_job('killed')));
wait_for_sql($node, 'postgres', q(SELECT records_processed_total > 0 FROM databite.metrics WHERE job_id = 'killed'));
scrape('before the crash');
ok(kill_runner($node, 'killed', 1000), 'killed in the middle, and the server is back');
scrape('after the crash');
wait_for_runs($node, 'postgres', 'killed', 1);
scrape('when another run has gone on');
is(sql(q(SELECT runs_crashed_total, runs_completed_total, records_processed_total, records_rejected_total, rejected_items FROM databite.metrics WHERE job_id = 'killed')),
	'1|1|4000|400|400', 'each item is counted once');
agrees('after the crash');

# History expires, the numbers stay.
my $before = sql('SELECT job_id, runs_completed_total, runs_crashed_total, requests_total, run_seconds_total, last_success_age_seconds IS NULL FROM databite.metrics ORDER BY 1');
sql(q(UPDATE databite.run SET finished_at = finished_at - interval '2 days'));
sql(q(ALTER SYSTEM SET databite.history_retention = '1d'));
$node->reload;
wait_for_sql($node, 'postgres', q(SELECT count(*) = 6 FROM databite.runs WHERE status <> 'skipped'));
is(sql('SELECT job_id, runs_completed_total, runs_crashed_total, requests_total, run_seconds_total, last_success_age_seconds IS NULL FROM databite.metrics ORDER BY 1'), $before, 'expired history leaves them');
scrape('after history has expired');

# Several rows of a job become one.
sql(q(INSERT INTO databite.job_total SELECT * FROM databite.job_total WHERE job_id = 'whole' AND status = 'completed'));
$node->restart;
wait_for_sql($node, 'postgres', q(SELECT count(*) = 1 FROM databite.job_total WHERE job_id = 'whole' AND status = 'completed'));
is(sql(q(SELECT runs_completed_total, records_processed_total FROM databite.metrics WHERE job_id = 'whole')), '4|800', 'rows of totals are added up');

# A name that has to be escaped
my $name = qq(odd\\name "in quotes"\nand more);
my $role = '"' . $name =~ s/"/""/gr . '"';
sql(qq(CREATE ROLE $role; GRANT USAGE ON SCHEMA databite TO $role; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO $role;
	SET ROLE $role; SELECT databite.schedule_job('{"id": "odd", "enabled": false, "source": {"type": "inline", "items": []}, "destination": {"type": "database", "table": "users"}}')));
my $text = sql('SELECT databite.metrics_text()') . "\n";
my $samples = parse_metrics($text);
my %types = $text =~ /^# TYPE (\w+) (\w+)$/gm;
is(join('|', map { $_->{labels}{owner} } grep { $_->{name} eq 'databite_job_enabled' && $_->{labels}{job_id} eq 'odd' } values %$samples), $name, 'names are escaped');
is($samples->{databite_schedulers}{value}, 1, 'numbers of the database');

# What the documentation has exporters do
sql(q(CREATE ROLE exporter LOGIN; GRANT pg_monitor TO exporter; GRANT USAGE ON SCHEMA databite TO exporter));
my $doc = slurp_file("$FindBin::RealBin/../../doc/operations.md");
my %blocks = $doc =~ /^(databite\w*):\n((?:  .*\n)+)/gm;
is(join(' ', sort keys %blocks), 'databite databite_job', 'queries are documented');
for my $prefix (sort keys %blocks)
{
	my ($query) = $blocks{$prefix} =~ /^  query: "(.*)"$/m;
	my ($ret, $out) = $node->psql('postgres', "$query LIMIT 1", extra_params => [ '-U', 'exporter', '-A', '-P', 'tuples_only=off', '-P', 'footer=off' ]);
	my ($head) = split /\n/, $out;
	my %usage = $blocks{$prefix} =~ /^    - (\w+): \{usage: "(\w+)"/gm;
	is(join(' ', sort split /\|/, $head), join(' ', sort keys %usage), "$prefix: the query gives the columns that are named");
	is(lc $usage{$_}, $types{"${prefix}_$_"}, "${prefix}_$_ is the same metric") for grep { $usage{$_} ne 'LABEL' } sort keys %usage;
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM databite.metrics', extra_params => [ '-U', 'exporter' ]), sql('SELECT count(*) FROM databite.jobs'), 'an exporter sees all jobs');

$node->stop;
$api->stop;
done_testing();
