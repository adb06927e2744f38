package Chaos;

=pod

=head1 NAME

Chaos - exactly once, shown by a machine

=head1 DESCRIPTION

A round is a seed and a mode (ChaosModes.pm).  It runs a job twice: in peace, and over an API that commits faults
(test/api/chaos.py) while what runs the job is killed.  Then tables, cursors, counters, rejected items and history of the two
are compared, and the tables also with what the API has.

The seed draws the job, the faults and the plan of kills: what is killed, and after how many requests or items.  When a
signal arrives is up to the machine, so a seed repeats a round mostly, not wholly.

Waiting times (after crashes, before retries) are cut short: they are tested elsewhere.

=cut

use strict;
use warnings;

use ChaosModes qw(chaos_modes chaos_mode);
use Exporter 'import';
use JSON::PP qw(decode_json encode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(chaos_begin chaos_round chaos_modes chaos_end);

# What ends a run, and what does not.
my @ends = qw(runner_kill runner_kill runner_terminate runner_terminate postmaster cancel scheduler_kill);
my @others = qw(scheduler_terminate);
my @ends_writers = qw(writer_kill writer_kill);
my @others_writers = qw(writer_terminate writer_terminate);

my @counters = map { "records_$_" } qw(processed inserted updated unchanged deleted rejected skipped);
my $limit = $PostgreSQL::Test::Utils::timeout_default;

# What processes call themselves.
my %titles = (runner => qr/databite job /, writer => qr/databite writer/, scheduler => qr/databite scheduler/);

my ($api, $node);
my $looked = 0;

sub chaos_begin
{
	$api = SampleApi->start;
	$node = databite_node('chaos', conf => "restart_after_crash = on\nmax_connections = 50\nlog_min_messages = log\nlog_statement = none");
	# With this as a trigger there is more to hit while rows are written.
	sql('CREATE EXTENSION databite; CREATE FUNCTION wait_a_little() RETURNS trigger LANGUAGE plpgsql
		AS $$BEGIN PERFORM pg_sleep(0.03 * random()); RETURN NULL; END$$');
	return $node;
}

sub chaos_end
{
	$node->stop;
	$api->stop;
	return;
}

# A round, as a test.  scale: of the number of items.  Returns what was killed and which faults there were, each with its count.
sub chaos_round
{
	my ($seed, $name, $scale) = @_;
	my $begun = time();
	srand($seed * 1000 + unpack('%32C*', $name));
	my $mode = chaos_mode($name, $scale // 1);
	my @plan = plan($mode);
	my %done;
	my @problems;

	eval {
		peace($mode);
		storm($mode, $seed, \%done, @plan);
		@problems = problems($mode, \%done);
		1;
	} or push @problems, "the round broke off: $@";
	my $faults = eval { $api->call('GET', '/_chaos')->{faults} } // {};

	my $what = sprintf('seed %d, mode %s: %d items, pages of %d, batches of %d, %d in flight%s; killed: %s; faults: %s; %s; %.1f s',
		$seed, $name, @{$mode}{qw(items page batch concurrency)},
		join('', map { $mode->{$_} ? ", $_" : '' } qw(retrying error_when halve slow)),
		counts($done{killed}), counts($faults), $done{history} // '?', time() - $begun);
	diag((@problems ? 'not ok: ' : 'ok: ') . $what) if $ENV{CHAOS_SEED};
	ok(!@problems, $what) or report($seed, $name, $scale, @problems);
	forget('storm', 'calm') unless @problems && $ENV{CHAOS_KEEP};
	return ($done{killed}, $faults);
}

sub counts
{
	my ($counts) = @_;
	return join(' ', map { "$_ $counts->{$_}" } sort keys %{ $counts // {} }) || 'none';
}

sub report
{
	my ($seed, $name, $scale, @problems) = @_;
	my @log = split /\n/, slurp_file($node->logfile);
	splice @log, 0, @log - 60 if @log > 60;
	diag(map { "$_\n" } @problems, '', 'To repeat it: ./dev chaos --seed ' . $seed . " --mode $name" . ($scale ? " --scale $scale" : ''),
		'', 'The end of the server log:', @log);
	return;
}

# What is killed when: after so many requests or items more, and so many microseconds then.
sub plan
{
	my ($mode) = @_;
	my @all = (@ends, @others, $mode->{writers} ? (@ends_writers, @others_writers) : ());
	my @first = (@ends, $mode->{writers} ? @ends_writers : ());
	my @plan;
	for my $number (0 .. 1 + int(rand(4)))
	{
		my @kinds = $number == 0 ? @first : @all;
		my $part = $number == 0 ? 0.02 + rand(0.4) : rand(0.3);
		my $by_items = rand() < 0.3;
		push @plan, {
			kind => $kinds[ rand @kinds ],
			by_items => $by_items,
			after => int($part * ($by_items ? $mode->{items} : $mode->{pages})) + 1,
			pause => int(rand() < 0.5 ? rand(3000) : rand(60_000)) };
	}
	return @plan;
}

# The job as it goes when nothing happens.
sub peace
{
	my ($mode) = @_;
	load_source($mode);
	prepare($mode, 'calm', $api->url(''));
	my $run = enqueue_and_wait($node, 'postgres', 'calm');
	die "the run in peace: $run->{status} " . encode_json($run->{error} // {}) . "\n" if $run->{status} ne 'completed';
	return;
}

# What the API has, in a table.
sub load_source
{
	my ($mode) = @_;
	my $name = $mode->{source} eq 'orders' ? 'status' : 'name';
	my $items = encode_json($api->call('GET', "/$mode->{source}?size=$mode->{items}"));
	sql("DROP TABLE IF EXISTS source; CREATE TABLE source AS SELECT id, $name AS name, updated_at
		FROM json_to_recordset(\$items\$$items\$items\$) AS r (id bigint, $name text, updated_at timestamptz)");
	return;
}

sub prepare
{
	my ($mode, $id, $base) = @_;
	sql("DROP TABLE IF EXISTS $id, ${id}_parents; " . ChaosModes::tables($mode, $id));
	schedule_job($node, 'postgres', ChaosModes::job($mode, $id, $base));
	return;
}

# The job with all that happens to it.  Where it was over before anything had hit it, once more, and sooner.
sub storm
{
	my ($mode, $seed, $done, @plan) = @_;
	for my $try (1 .. 4)
	{
		$done->{killed} = {};
		forget('storm');
		$api->call('DELETE', '/_chaos');
		prepare($mode, 'storm', $api->url("/chaos/$seed" . ChaosModes::fault_kinds($mode)));
		sql(q(SELECT databite.enqueue_job('storm')));
		kill_by($done, @plan);
		await_end();
		last if interruptions() > 0;
		$_->{after} = int($_->{after} / 3) for @plan;
	}
	return;
}

sub kill_by
{
	my ($done, @plan) = @_;
	my $asked = 0;
	for my $kill (@plan)
	{
		last unless await_moment($kill, \$asked);
		usleep($kill->{pause});
		my $hit = strike($kill->{kind});
		$done->{killed}{ $kill->{kind} }++ if $hit;
		die "the server does not come back after $kill->{kind}\n" unless wait_for_server($node);
	}
	return;
}

sub interruptions { return sql(q(SELECT count(*) FROM databite.runs WHERE job_id = 'storm' AND status IN ('crashed', 'cancelled'))); }

# Waits until the kill is due; false where the job has ended before.
sub await_moment
{
	my ($kill, $asked) = @_;
	my $end = time() + $limit;
	my $items = $kill->{by_items} ? items() + $kill->{after} : undef;
	my $requests = $$asked + $kill->{after};
	while (time() < $end)
	{
		if ($kill->{by_items})
		{
			return 1 if items() >= $items;
		}
		else
		{
			$$asked = $api->call('GET', "/_chaos?requests=$requests&timeout=1")->{requests};
			return 1 if $$asked >= $requests;
		}
		return 0 if is_over();
	}
	die "waited in vain for the moment of $kill->{kind}\n";
}

# Of which it is committed that they have been read; mode replace counts them when they are published.
sub items
{
	return sql(q(SELECT greatest((SELECT sum(records_processed) FROM databite.runs WHERE job_id = 'storm'),
		(SELECT sum((position ->> 'position')::bigint) FROM databite.checkpoint), 0)));
}

# Whether no run is left.  One that waits is called, and a scheduler that has not noticed the end of a run is told to look.
sub is_over
{
	my $left = sql(q(WITH called AS (
			UPDATE databite.run SET scheduled_for = now() WHERE status = 'queued' AND scheduled_for > now() RETURNING 1)
		SELECT count(*) + 0 * (SELECT count(*) FROM called) FROM databite.run WHERE status IN ('queued', 'running')));
	if ($left > 0 && time() > $looked + 0.5)
	{
		sql('SELECT pg_reload_conf()');
		$looked = time();
	}
		return $left == 0;
}

# Whoever terminates a writer that has something to write ends the run: somebody runs the job again.
sub await_end
{
	my $end = time() + $limit;
	until (is_over() && !enqueue_if_last(q(status = 'failed' AND error ->> 'message' LIKE 'a parallel writer of the run has ended%')))
	{
		die "a run does not end\n" if time() > $end;
		usleep(100_000);
	}
	return;
}

# Has the job run once more if its last run is such a one; whether it was.
sub enqueue_if_last
{
	my ($condition) = @_;
	return sql("SELECT databite.enqueue_job('storm') FROM databite.runs
		WHERE run_id = (SELECT max(run_id) FROM databite.runs WHERE job_id = 'storm') AND $condition") ne '';
}

# Kills; whether there was something to kill.
sub strike
{
	my ($kind) = @_;
	if ($kind eq 'postmaster')
	{
		return 0 unless processes('runner');
		$node->stop('immediate');
		$node->start;
		return 1;
	}
	return cancel_and_enqueue() if $kind eq 'cancel';
	my ($who, $how) = split /_/, $kind;
	my $end = time() + 3;
	while (time() < $end)
	{
		my @pids = processes($who);
		if (@pids)
		{
			my $pid = $pids[ rand @pids ];
			return $how eq 'kill' ? kill_hard($pid) : sql("SELECT pg_terminate_backend($pid)") eq 't';
		}
		return 0 if is_over();
		usleep(2000);
	}
	return 0;
}

# The server begins anew when one of its processes is killed so.  Until it does it takes connections, which it would take down with it.
sub kill_hard
{
	my ($pid) = @_;
	my $end = time() + 5;
	my $size = -s $node->logfile;
	kill('KILL', $pid) or return 0;
	while (time() < $end)
	{
		return 1 if slurp($node->logfile, $size) =~ /terminating any other active server processes/;
		usleep(5000);
	}
	return 0;
}

sub cancel_and_enqueue
{
	sql(q(SELECT databite.cancel_job('storm')));
	await_end();
	return enqueue_if_last(q(status = 'cancelled'));
}

# The pids of the server's processes of a kind: found without the server, as that takes too long and may be under way.
sub processes
{
	my ($kind) = @_;
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	my @found;
	for my $pid (split ' ', slurp("/proc/$postmaster/task/$postmaster/children"))
	{
		push @found, $pid if slurp("/proc/$pid/cmdline") =~ $titles{$kind};
	}
	return @found;
}

# A file that may be gone, from some place on.
sub slurp
{
	my ($file, $place) = @_;
	open(my $handle, '<', $file) or return '';
	seek($handle, $place, 0) if $place;
	local $/;
	return <$handle> // '';
}

sub sql { return $node->safe_psql('postgres', shift); }

# What is not as it should be.
sub problems
{
	my ($mode, $done) = @_;
	my @problems = (history_problems($mode, $done), table_problems($mode), state_problems($mode), counter_problems($mode), leftovers());
	push @problems, 'no run was interrupted' unless interruptions() > 0;
	return @problems;
}

sub history_problems
{
	my ($mode, $done) = @_;
	my %expected = (crashed => 'resume', failed => 'retry');
	my @runs = @{ decode_json(sql(q(SELECT json_agg(r ORDER BY run_id) FROM (
		SELECT run_id, status, trigger, resumes, to_jsonb(s) -> 'resumed' AS resumed, finished_at IS NOT NULL AS finished, error FROM databite.runs AS s WHERE job_id = 'storm') AS r))) };
	my %by_id = map { $_->{run_id} => $_ } @runs;
	my @problems;
	$done->{history} = join(' ', map { $_->{status} } @runs);
	push @problems, 'the last run is not completed: ' . encode_json($runs[-1]) if $runs[-1]{status} ne 'completed';
	push @problems, 'not one run is completed' if 1 != grep { $_->{status} eq 'completed' } @runs;
	for my $run (@runs)
	{
		my $terminated = ($run->{error}{message} // '') =~ /^a parallel writer of the run has ended/ && !$mode->{retrying};
		my $wanted = $terminated ? undef : $expected{ $run->{status} };
		my @next = grep { ($_->{resumes} // 0) == $run->{run_id} && $_->{trigger} eq ($wanted // '') } @runs;
		push @problems, "run $run->{run_id} has no end" unless $run->{finished};
		push @problems, "run $run->{run_id} is $run->{status}, and is not followed by one $wanted: " . encode_json($run)
		  if $wanted && @next != 1;
		push @problems, "run $run->{run_id} has failed: " . encode_json($run->{error}) if $run->{status} eq 'failed' && !$mode->{retrying} && !$terminated;
		push @problems, "run $run->{run_id} resumes one that needs no resuming"
		  if defined $run->{resumes} && (($by_id{ $run->{resumes} } // {})->{status} // '') !~ /^(crashed|failed|cancelled)$/;
		push @problems, "run $run->{run_id} says that it was resumed $run->{resumed} times"
		  if defined $run->{resumed} && $run->{resumed} != (defined $run->{resumes} ? $by_id{ $run->{resumes} }{resumed} + 1 : 0);
	}
	return @problems;
}

sub table_problems
{
	my ($mode) = @_;
	my @problems;
	my $columns = 'id, name, updated_at' . ($mode->{history} ? ', valid_to IS NULL' : '');
	my $open = $mode->{history} ? 'WHERE valid_to IS NULL' : '';
	push @problems, differs("the table is not that of the run in peace", "SELECT $columns FROM storm", "SELECT $columns FROM calm");
	push @problems, differs("the $_ table is not what the API has", "SELECT id, name, updated_at FROM $_ $open", ChaosModes::after($mode)) for ('storm', 'calm');
	push @problems, differs('the table of parents differs', 'SELECT * FROM storm_parents', 'SELECT * FROM calm_parents') if $mode->{fanout};
	return @problems;
}

# Two queries of which the rows are to be equal, each as often.
sub differs
{
	my ($what, $found, $wanted) = @_;
	my $difference = sql("SELECT concat(count(*) FILTER (WHERE too_many), ' too many, ', count(*) FILTER (WHERE NOT too_many), ' missing; ids ',
			(array_agg(id ORDER BY id))[1:10])
		FROM (SELECT *, true AS too_many FROM ($found EXCEPT ALL ($wanted)) AS a UNION ALL
			SELECT *, false FROM (($wanted) EXCEPT ALL $found) AS b) AS d HAVING count(*) > 0");
	return $difference eq '' ? () : "$what: $difference";
}

sub state_problems
{
	my ($mode) = @_;
	my $state = q(SELECT string_agg(concat_ws('|', step_id, cursor, sync_token, etag, last_modified, validators_for), ' ' ORDER BY step_id)
		FROM databite.step_state WHERE job_id =);
	my ($storm, $calm) = map { sql("$state '$_'") } ('storm', 'calm');
	my @problems;
	push @problems, "the state is $storm and not $calm" if $storm ne $calm;
	push @problems, 'last_sync_time is not that of the pass'
	  if sql(q(SELECT bool_and(last_sync_time BETWEEN r.first - interval '1 s' AND r.last + interval '1 s') FROM databite.step_state,
			(SELECT min(started_at) AS first, max(started_at) AS last FROM databite.runs WHERE job_id = 'storm') AS r WHERE job_id = 'storm')) ne 't';
	return @problems;
}

# Every item is counted once: the sum over all runs is that of the run in peace.  What can be written twice may begin anew behind a run
# that was cancelled, or ended as a writer was terminated; then that is so for the runs since then, but what has been inserted, updated and deleted is not done twice.
sub counter_problems
{
	my ($mode) = @_;
	my @begun = (0);
	push @begun, split /\n/, sql(q(SELECT run_id FROM databite.runs WHERE job_id = 'storm' AND (status = 'cancelled'
			OR error ->> 'message' LIKE 'a parallel writer of the run has ended%') ORDER BY run_id))
	  if !$mode->{goes_on} || $mode->{fanout};
	my @problems;
	for my $since (@begun)
	{
		my @found = (counters_differ($since, $since ? qw(records_processed records_rejected records_skipped) : @counters), rejected_differ($since));
		push @found, counters_differ(0, qw(records_inserted records_updated records_deleted)) if $since && !$mode->{whole};
		return unless @found;
		@problems = @found unless @problems;
	}
	return @problems;
}

# Of the runs behind that one.
sub counters_differ
{
	my ($since, @names) = @_;
	my $sums = 'SELECT ' . join(', ', map { "sum($_) AS $_" } @names) . ' FROM databite.runs WHERE job_id =';
	my $storm = row_of($node, 'postgres', "$sums 'storm' AND run_id > $since");
	my $calm = row_of($node, 'postgres', "$sums 'calm'");
	my @wrong = grep { ($storm->{$_} // -1) != ($calm->{$_} // -1) } @names;
	return map { "the runs count $_ " . ($storm->{$_} // 'NULL') . " and not $calm->{$_}" } @wrong;
}

sub rejected_differ
{
	my ($since) = @_;
	my $items = q(SELECT (item ->> 'id')::bigint AS id, concat_ws('|', step, error_code, message, "column", "constraint") FROM databite.rejected_items WHERE job_id =);
	my $table = sub { return qq($items '$_[0]' AND run_id > $_[1]) };
	return differs('the rejected items differ', 'SELECT r.id, replace(r.concat_ws, $$storm$$, $$calm$$) FROM (' . $table->('storm', $since) . ') AS r', $table->('calm', 0));
}

sub leftovers
{
	my @problems;
	for my $table (qw(checkpoint writer_part parent_row stage))
	{
		my $rows = sql("SELECT count(*) FROM databite.$table");
		push @problems, "left over in databite.$table: $rows" if $rows > 0;
	}
	my $stages = sql(q(SELECT count(*) FROM pg_class WHERE relname ~ '^stage_[0-9]+$'));
	push @problems, "tables of stages that are left over: $stages" if $stages > 0;
	push @problems, 'a writer is left over' if wait_for_no('writer');
	return @problems;
}

sub wait_for_no
{
	my ($kind) = @_;
	my $end = time() + 10;
	while (processes($kind))
	{
		return 1 if time() > $end;
		usleep(20_000);
	}
	return 0;
}

# Takes jobs away, with all that is known of them.
sub forget
{
	for my $id (@_)
	{
		sql("SELECT databite.unschedule_job('$id'); DELETE FROM databite.rejected_item WHERE job_id = '$id';
			DELETE FROM databite.run WHERE job_id = '$id'");
	}
	return;
}

1;
