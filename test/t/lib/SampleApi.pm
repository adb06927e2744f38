package SampleApi;

=pod

=head1 NAME

SampleApi - the sample API, and servers with databite, for TAP tests

=head1 SYNOPSIS

  use PostgreSQL::Test::Utils;
  use Test::More;
  use FindBin;
  use lib "$FindBin::RealBin/lib";
  use SampleApi;

  my $api = SampleApi->start;
  my $node = databite_node('main');
  $node->safe_psql('postgres', 'CREATE EXTENSION databite');

  schedule_job($node, 'postgres', {
	  id => 'users',
	  source => { type => 'api', url => $api->url('/users') },
	  destination => { type => 'database', table => 'users' },
	  transform => { id => '{{item.id}}', name => '{{item.name}}' } });
  my $result = execute_job($node, 'postgres', 'users');
  is($result->{records_processed}, 100);

  enqueue_and_wait($node, 'postgres', 'users');
  is(scalar(@{ $api->requests('/users') }), 2);

  $api->control({ version => 1 });
  $api->stop;

=head1 DESCRIPTION

The API's addresses, directives and faults are in test/api/README.md.
Nothing here sleeps for a time that was guessed: what is waited for is asked for, within PostgreSQL::Test::Utils' timeout.

=cut

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PsqlInput;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(databite_node schedule_job execute_job enqueue_and_wait wait_for_runs wait_for_sql wait_for_progress kill_runner
  wait_for_server row_of wait_for_file is_sanitized);

my $root = abs_path(dirname(__FILE__) . '/../../..');

=pod

=head1 THE API

=over

=item SampleApi->start(seed => 1)

Starts an API on free ports of loopback; it ends with the object or the test, whichever comes first.

=cut

sub start
{
	my ($class, %options) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/port';
	my @command = ('python3', "$root/test/api/sample_api.py", '--until-eof', '--port-file', $file);
	push @command, '--seed', $options{seed} if defined $options{seed};
	my ($in, $out) = ('', '');
	my $process = IPC::Run::start(\@command, \$in, \$out, '2>&1');
	wait_for_file($file, sub { $process->pumpable }) or die "the sample API did not start: $out";
	my ($port, $other_port) = split /\n/, slurp_file($file);
	return bless {
		process => $process,
		port => $port,
		other_port => $other_port,
		http => HTTP::Tiny->new(timeout => 30)
	}, $class;
}

=item $api->stop

=cut

sub stop
{
	my ($self) = @_;
	my $process = delete $self->{process};
	$process->kill_kill(grace => 2) if $process;
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@);
	eval { $self->stop };
	return;
}

=item $api->url('/users'), $api->other_url('/users')

The address of a path, at this API's origin and at its other one (another port).

=cut

sub url
{
	my ($self, $path) = @_;
	return "http://127.0.0.1:$self->{port}$path";
}

sub other_url
{
	my ($self, $path) = @_;
	return "http://127.0.0.1:$self->{other_port}$path";
}

=item $api->requests, $api->requests('/users')

The requests so far, or those of one path, as a list of hashes: number, time, connection, port, method, target, path,
query, headers (names in lower case), body, status.

=item $api->clear_requests

=item $api->control({ version => 1 })

Changes the data; test/api/README.md has the keys. Returns the state.

=item $api->wait_for_request('/users', 3)

Waits until there have been so many requests (1) of a path.

=back

=cut

sub requests
{
	my ($self, $path) = @_;
	return $self->call('GET', '/_requests' . (defined $path ? "?path=$path" : ''));
}

sub clear_requests
{
	my ($self) = @_;
	return $self->call('DELETE', '/_requests');
}

sub control
{
	my ($self, $change) = @_;
	return $self->call('POST', '/_control', encode_json($change));
}

sub wait_for_request
{
	my ($self, $path, $count) = @_;
	$count //= 1;
	return poll(sub { @{ $self->requests($path) } >= $count }) || die "no $count requests of $path came";
}

sub call
{
	my ($self, $method, $path, $body) = @_;
	my $response = $self->{http}->request($method, $self->url($path), defined $body ? { content => $body } : {});
	die "$method $path: $response->{status} $response->{content}" unless $response->{success};
	return decode_json($response->{content});
}

=pod

=head1 SERVERS

=over

=item databite_node('name', preload => 1, allowed_hosts => '127.0.0.1', conf => "...", start => 1)

A new PostgreSQL::Test::Cluster node, initialized and started, with databite preloaded and loopback allowed, unless said
otherwise. C<conf> is added to postgresql.conf.

=cut

sub databite_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%{ $options{init} // {} });
	my $allowed = $options{allowed_hosts} // '127.0.0.1';
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'databite'") if $options{preload} // 1;
	$node->append_conf('postgresql.conf', <<"CONF");
databite.allowed_hosts = '$allowed'
databite.launcher_interval = 1s
max_worker_processes = 32
log_line_prefix = '%m [%p] %b %q%a '
CONF
	$node->append_conf('postgresql.conf', $options{conf}) if defined $options{conf};
	$node->start if $options{start} // 1;
	return $node;
}

=item row_of($node, $database, $sql)

The first row of a query as a hash of column values (through JSON, so numbers are numbers and NULL is undef).

=cut

sub row_of
{
	my ($node, $database, $sql) = @_;
	my $json = $node->safe_psql($database, "SELECT row_to_json(q) FROM ($sql) AS q LIMIT 1");
	return $json eq '' ? undef : decode_json($json);
}

=item schedule_job($node, $database, \%job)

=item execute_job($node, $database, $job_id)

Calls the function of this name; execute_job returns its job_result as a hash.

=cut

sub schedule_job
{
	my ($node, $database, $job) = @_;
	my $text = encode_json($job);
	return $node->safe_psql($database, "SELECT databite.schedule_job(\$databite\$$text\$databite\$)");
}

sub execute_job
{
	my ($node, $database, $job_id) = @_;
	return row_of($node, $database, "SELECT * FROM databite.execute_job('$job_id')");
}

=item enqueue_and_wait($node, $database, $job_id)

Has the worker run a job and waits for its end; returns the row of databite.runs as a hash.

=cut

sub enqueue_and_wait
{
	my ($node, $database, $job_id) = @_;
	my $run = $node->safe_psql($database, "SELECT databite.enqueue_job('$job_id')");
	wait_for_sql($node, $database, "SELECT finished_at IS NOT NULL FROM databite.runs WHERE run_id = $run");
	return row_of($node, $database, "SELECT * FROM databite.runs WHERE run_id = $run");
}

=item wait_for_runs($node, $database, $job_id, $count, $status)

Waits until a job has so many runs of a status ("completed").

=cut

sub wait_for_runs
{
	my ($node, $database, $job_id, $count, $status) = @_;
	$status //= 'completed';
	return wait_for_sql($node, $database,
		"SELECT count(*) >= $count FROM databite.runs WHERE job_id = '$job_id' AND status = '$status'");
}

=item wait_for_sql($node, $database, $sql)

Waits until a query gives true; dies with the state of the runs where it does not in time.

=cut

sub wait_for_sql
{
	my ($node, $database, $sql) = @_;
	return 1 if $node->poll_query_until($database, $sql);
	my $runs = $node->safe_psql($database, 'SELECT row_to_json(r) FROM databite.runs AS r ORDER BY run_id DESC LIMIT 5');
	die "waited in vain for: $sql\nlatest runs:\n$runs";
}

=item wait_for_progress($node, $job_id, $items)

Waits until the runs of a job have counted more than so many items, and one of them is going on.

=cut

sub wait_for_progress
{
	my ($node, $job_id, $items) = @_;
	return wait_for_sql($node, 'postgres',
		"SELECT sum(records_processed) > $items AND max(pid) IS NOT NULL FROM (
			SELECT r.records_processed, p.pid FROM databite.runs r LEFT JOIN databite.progress p USING (run_id)
			WHERE r.job_id = '$job_id') AS x");
}

=item kill_runner($node, $job_id, $items)

Kills the process of a run as soon as the runs of the job have counted more than so many items; returns whether the
server has come back.  A session of the server does it, as a run may be at its end by the time that a new session has begun.

=cut

sub kill_runner
{
	my ($node, $job_id, $items) = @_;
	my $timeout = $PostgreSQL::Test::Utils::timeout_default;
	my (undef, $out, $err) = $node->psql('postgres', qq(DO \$\$
		DECLARE
			victim int;
		BEGIN
			FOR i IN 1 .. 100 * $timeout LOOP
				SELECT p.pid INTO victim FROM databite.progress p JOIN databite.runs r USING (run_id)
					WHERE p.job_id = '$job_id'
						AND (SELECT sum(records_processed) FROM databite.runs WHERE job_id = '$job_id') > $items;
				EXIT WHEN victim IS NOT NULL;
				COMMIT;
				PERFORM pg_sleep(0.01);
			END LOOP;
			RAISE NOTICE 'victim: %', victim;
			EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %L', 'kill -KILL ' || victim);
		END \$\$), on_error_stop => 0);
	die "no process of job $job_id was killed: $err" unless $err =~ /victim: (\d+)/ && $err !~ /ERROR/;
	my $pid = $1;

	# the entry of a process that was killed goes with the memory that the server makes anew
	return wait_for_server($node, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
}

=item wait_for_server($node, $sql)

Waits until the server is back and the query, if one is given, gives true; returns
whether it does.  After a crash connections fail for a moment, and C<safe_psql>
would die of that.

=cut

sub wait_for_server
{
	my ($node, $sql) = @_;
	$sql //= 'SELECT true';
	for my $try (1 .. 1800)
	{
		my ($ret, $out) = $node->psql('postgres', $sql, on_error_stop => 0);
		return 1 if $ret == 0 && $out eq 't';
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

=item is_sanitized($node)

Whether the server runs under the sanitizers, which keep what has been freed: memory tells nothing there.

=cut

sub is_sanitized
{
	my ($node) = @_;
	return $node->safe_psql('postgres', "SELECT pg_read_file('/proc/self/maps') LIKE '%libasan%'") eq 't';
}

=item wait_for_file($file, $alive)

Waits until a file has content, or C<$alive> gives false; returns whether it has.

=back

=cut

sub wait_for_file
{
	my ($file, $alive) = @_;
	return poll(sub { -s $file }, $alive);
}

# Asks ten times a second until $done gives true, $alive (optional) gives false, or the time is up; returns the last answer.
sub poll
{
	my ($done, $alive) = @_;
	my $end = time() + $PostgreSQL::Test::Utils::timeout_default;
	until ($done->())
	{
		return 0 if time() > $end || ($alive && !$alive->());
		usleep(100_000);
	}
	return 1;
}

1;
