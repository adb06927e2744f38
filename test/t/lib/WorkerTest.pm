# What the tests of the workers share: clusters, jobs, and ways to look at processes.
package WorkerTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PsqlInput;
use Test::More;

our @EXPORT = qw(new_cluster quick_job slow_job silent_server worker_pid wait_for_worker
  wait_for_no_worker wait_for_run);

# A running cluster; settings are lines of postgresql.conf.
sub new_cluster
{
	my ($name, $preload, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'databite'") if $preload;
	$node->append_conf('postgresql.conf', "databite.allowed_hosts = '127.0.0.1'") if $preload;
	$node->append_conf('postgresql.conf', join("\n", @settings, ''));
	$node->start;
	return $node;
}

# A definition, quoted for SQL, of a job that is done at once.  schedule: JSON, may be undef.
sub quick_job
{
	my ($id, $schedule) = @_;

	return _quote(
		qq({"id": "$id", "source": {"type": "inline", "items": [{"id": 1, "name": "one"}]},)
		  . qq( "destination": {"type": "database", "table": "rows_of_$id",)
		  . qq( "schema": {"id": "integer", "name": "text"}, "key": "id"})
		  . _schedule($schedule));
}

# The same for a job that waits for a server that never answers.
sub slow_job
{
	my ($id, $port, $schedule) = @_;

	return _quote(
		qq({"id": "$id", "description": "sleep 300",)
		  . qq( "source": {"type": "api", "url": "http://127.0.0.1:$port/silent", "timeout": "300s",)
		  . qq( "retry": {"attempts": 1}},)
		  . qq( "destination": {"type": "database", "table": "rows_of_$id",)
		  . qq( "schema": {"id": "integer"}, "key": "id"})
		  . _schedule($schedule));
}

# A server that takes connections and says nothing; it lives as long as the object.
sub silent_server
{
	return IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		LocalPort => 0,
		Proto => 'tcp',
		Listen => 64) || die "could not listen: $!";
}

# The pid of a worker: type is launcher, scheduler or runner; '' where there is none.
sub worker_pid
{
	my ($node, $type, $database) = @_;

	return $node->safe_psql('postgres', _worker_query('pid', $type, $database));
}

# Waits until there is exactly one, other than the process $not; its pid.
sub wait_for_worker
{
	my ($node, $type, $database, $not) = @_;

	$node->poll_query_until('postgres',
		_worker_query("count(*) = 1 AND min(pid) <> " . ($not || 0), $type, $database))
	  or die "no $type";
	return worker_pid($node, $type, $database);
}

sub wait_for_no_worker
{
	my ($node, $type, $database) = @_;

	return $node->poll_query_until('postgres', _worker_query('count(*) = 0', $type, $database));
}

# Waits until the newest run of the job has the status; its id.
sub wait_for_run
{
	my ($node, $database, $job, $status) = @_;
	my $newest = "FROM databite.run WHERE job_id = '$job' AND status <> 'skipped' ORDER BY run_id DESC LIMIT 1";

	$node->poll_query_until($database, "SELECT status = '$status' $newest")
	  or die "job $job did not get to $status: " . $node->safe_psql($database, "SELECT * $newest");
	return $node->safe_psql($database, "SELECT run_id $newest");
}

sub _worker_query
{
	my ($what, $type, $database) = @_;
	my $in = defined $database ? "AND datname = '$database'" : '';

	return "SELECT $what FROM pg_stat_activity WHERE backend_type = 'databite $type' $in";
}

sub _schedule
{
	my ($schedule) = @_;

	return defined $schedule ? qq(, "schedule": $schedule}) : '}';
}

sub _quote
{
	my ($text) = @_;

	$text =~ s/'/''/g;
	return "'$text'";
}

1;
