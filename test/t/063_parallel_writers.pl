# mode "parallel_insert": the rows and counters of a run with one connection, whatever happens to its writers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SampleApi;
use Test::More;

my $api = SampleApi->start;
my $node = databite_node('main', conf => "restart_after_crash = on\nmax_worker_processes = 16\nlog_min_messages = log");

sub sql { return $node->safe_psql('postgres', shift); }

# destination and what else the job has, as JSON members
sub schedule
{
	my ($id, $path, $destination, $more) = @_;
	my $url = $api->url($path);
	return sql(qq(SELECT databite.schedule_job(\$job\${"id": "$id",
		"source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 100}},
		"destination": {"type": "database", "table": "t_$id", "mode": "parallel_insert", "batchSize": 100, $destination}
		$more}\$job\$)));
}

my $columns = '"transform": {"id": "{{item.id}}", "name": "{{item.name}}"}';

sub counters
{
	my ($id) = @_;
	return sql("SELECT sum(records_processed), sum(records_inserted), sum(records_updated), sum(records_unchanged),
			sum(records_rejected), sum(records_skipped) FROM databite.runs WHERE job_id = '$id'");
}

sub notices { return sql("SELECT notices::text FROM databite.runs WHERE job_id = '$_[0]' ORDER BY run_id DESC LIMIT 1"); }

sql('CREATE EXTENSION databite');

for my $writers (2, 4)
{
	for my $key (0, 1)
	{
		my $id = "w${writers}_$key";
		sql("CREATE TABLE t_$id (id bigint" . ($key ? ' PRIMARY KEY' : '') . ', name text, backend int DEFAULT pg_backend_pid())');
		schedule($id, '/users?size=8000', qq("connectionPool": {"min": $writers, "max": $writers}), ", $columns");
		my $run = enqueue_and_wait($node, 'postgres', $id);
		is($run->{status}, 'completed', "$id: $writers writers, " . ($key ? 'with' : 'without') . ' a key') or diag(explain($run));
		is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM t_$id"), '8000|8000|1|8000', "$id: the rows");
		is(counters($id), '8000|8000|0|0|0|0', "$id: the counters");
		cmp_ok(sql("SELECT count(DISTINCT backend) FROM t_$id"), '>', 1, "$id: several processes have written");
		is(sql('SELECT count(*) FROM databite.writer_part'), '0', "$id: no bookkeeping is left");
		is(notices($id), '', "$id: no notices");
	}
}

# A source that is a query, so that any items can be had.
sub schedule_query
{
	my ($id, $query, $destination, $more) = @_;
	return sql(qq(SELECT databite.schedule_job(\$job\${"id": "$id", "source": {"type": "sql", "query": "$query"},
		"destination": {"type": "database", "table": "t_$id", "mode": "parallel_insert", "batchSize": 100,
			"connectionPool": {"min": 3, "max": 3}$destination}$more}\$job\$)));
}

sub run_row { return row_of($node, 'postgres', "SELECT * FROM databite.runs WHERE job_id = '$_[0]' ORDER BY run_id DESC"); }
sub writers { return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'databite writer'"; }

subtest 'the last item of a key wins' => sub
{
	# One key is a number, and a text, and a number with a fraction.
	sql('CREATE TABLE t_keys (id int, tag text, n int, PRIMARY KEY (id, tag))');
	schedule_query('keys', "SELECT CASE g % 3 WHEN 0 THEN to_jsonb(g % 100) WHEN 1 THEN to_jsonb((g % 100)::text)
		ELSE to_jsonb((g % 100)::numeric(10,1)) END AS id, 'x' || g % 7 AS tag, g AS n FROM generate_series(1, 20000) AS g"
		=~ s/\s+/ /gr, '', '');
	my $run = enqueue_and_wait($node, 'postgres', 'keys');
	is($run->{status}, 'completed', 'completed') or diag(explain($run));
	is(sql('SELECT count(*), sum(n) FROM t_keys'),
		sql('SELECT count(*), sum(n) FROM (SELECT max(g) AS n FROM generate_series(1, 20000) AS g GROUP BY g % 100, g % 7) AS x'),
		'each row is that of the last item of its key');
	is($run->{records_inserted}, 700, 'inserted');
	is($run->{records_updated} + $run->{records_unchanged}, 19300, 'updated or replaced by a later one');
};

# Of each key: 100 versions in an order of their own, the newest of which is deleted where the key is a multiple of 5.
subtest 'the newest item wins, and rows are deleted' => sub
{
	schedule_query('newest', 'SELECT g % 50 AS id, (g * 37) % 5000 AS version, (g * 37) % 5000 >= 4950 AND g % 5 = 0 AS gone FROM generate_series(1, 5000) AS g',
		', "key": "id", "newerBy": "version", "schema": {"id": "integer", "version": "integer"}, "deletes": {"mode": "soft", "when": "{{ item.gone }}"}',
		', "transform": {"id": "{{item.id}}", "version": "{{item.version}}"}');
	my $run = enqueue_and_wait($node, 'postgres', 'newest');
	is($run->{status}, 'completed', 'completed') or diag(explain($run));
	is(sql('SELECT count(*), sum(version), count(deleted_at) FROM t_newest'),
		sql('SELECT count(*), sum(version), count(*) FILTER (WHERE id % 5 = 0) FROM (SELECT g % 50 AS id, max((g * 37) % 5000) AS version
			FROM generate_series(1, 5000) AS g GROUP BY 1) AS x'), 'the rows');
};

subtest 'items that are rejected' => sub
{
	sql('CREATE TABLE t_rejected (id int PRIMARY KEY CHECK (id % 1000 <> 7), place int, name text)');
	schedule_query('rejected', "SELECT CASE WHEN g % 1000 = 5 THEN to_jsonb('x' || g) ELSE to_jsonb(g) END AS id FROM generate_series(1, 10000) AS g",
		', "onError": "log_and_continue"', ', "transform": {"id": "{{item.id}}", "place": "{{index}}", "name": "{{item.id | skip(item.id == 3)}}"}');
	my $run = enqueue_and_wait($node, 'postgres', 'rejected');
	is($run->{status}, 'completed', 'completed') or diag(explain($run));
	is(counters('rejected'), '10000|9979|0|1|20|1', 'counters');
	is(sql('SELECT count(*) FROM t_rejected WHERE place = id - 1'), '9979', 'and each item knows its place in the run');
	is(sql(q(SELECT count(*), count(DISTINCT item ->> 'id'), count(*) FILTER (WHERE "column" = 'id') FROM databite.rejected_items WHERE job_id = 'rejected')),
		'20|20|20', 'the items are kept');
	sql('ALTER TABLE t_rejected ADD CHECK (false) NOT VALID; TRUNCATE t_rejected');
	$run = enqueue_and_wait($node, 'postgres', 'rejected');
	is($run->{status}, 'failed', 'a run in which all are rejected fails');
	like($run->{error}{detail} // '', qr/^The first of them: /, 'with the first reason');
};

subtest 'items that are larger than a queue, and pages that they are of' => sub
{
	schedule_query('large', "SELECT g AS id, repeat('x', 300000 + g) AS text FROM generate_series(1, 100) AS g", '', '');
	my $run = enqueue_and_wait($node, 'postgres', 'large');
	is($run->{status}, 'completed', 'large ones') or diag(explain($run));
	is(sql('SELECT count(*) FROM t_large WHERE length(text) = 300000 + id'), '100', 'are whole');

	sql('CREATE TABLE t_paged (id bigint PRIMARY KEY CHECK (id <> 777), page int, total int)');
	schedule('paged', '/users?style=offset&size=4000', '"connectionPool": {"min": 2, "max": 2}, "onError": "log_and_continue"',
		', "transform": {"id": "{{item.id}}", "page": "{{page.number}}"}');
	$run = enqueue_and_wait($node, 'postgres', 'paged');
	is($run->{status}, 'completed', 'what a page says of itself') or diag(explain($run));
	is(sql('SELECT count(*) FROM t_paged WHERE page = (id - 1) / 100 + 1'), '3999', 'goes with its items');
};

subtest 'an error names its item' => sub
{
	sql('CREATE TABLE t_error (id int PRIMARY KEY CONSTRAINT no_4321 CHECK (id <> 4321), n int)');
	schedule_query('error', "SELECT g AS id, CASE WHEN g = 8765 THEN to_jsonb('many'::text) ELSE to_jsonb(g) END AS n FROM generate_series(1, 10000) AS g", '', '');
	my $run = enqueue_and_wait($node, 'postgres', 'error');
	is($run->{status}, 'failed', 'what the table refuses fails the run');
	like($run->{error}{message}, qr/violates check constraint "no_4321"/, 'with the message of the table');
	like($run->{error}{context}, qr/item 4321\b/, 'and the item') or diag(explain($run->{error}));
	is($run->{error}{constraint}, 'no_4321', 'and the constraint');
	is($run->{error}{code}, '23514', 'and the code');
	is($run->{records_processed}, sql('SELECT count(*) FROM t_error'), 'what was written is counted');
	is(sql(writers()), '0', 'no writer is left');
	is(sql('SELECT count(*) FROM databite.writer_part'), '0', 'and nothing is written down: it begins anew');
	sql('ALTER TABLE t_error DROP CONSTRAINT no_4321');
	$run = enqueue_and_wait($node, 'postgres', 'error');
	like($run->{error}{context}, qr/item 8765, column "n", value "many"/, 'so does a value that does not fit');
};

subtest 'steps whose requests are made of rows' => sub
{
	my $base = $api->url('');
	sql(qq(SELECT databite.schedule_job(\$job\${"id": "steps", "steps": [
		{"id": "customers", "source": {"type": "api", "url": "$base/customers"},
			"destination": {"type": "database", "table": "p_customers", "mode": "parallel_insert", "batchSize": 10,
				"connectionPool": {"min": 2, "max": 2}}, "transform": {"id": "{{item.id}}", "name": "{{item.name}}"}},
		{"id": "orders", "dependsOn": ["customers"],
			"source": {"type": "api", "url": "$base/orders", "query": {"customer_id": "{{customers.id}}"}},
			"destination": {"type": "database", "table": "p_orders", "mode": "parallel_insert", "batchSize": 50,
				"connectionPool": {"min": 2, "max": 2}},
			"transform": {"id": "{{item.id}}", "customer_id": "{{customers.id}}", "total": "{{item.total}}", "of": "{{page.number}}"}}]}\$job\$)));
	my $run = enqueue_and_wait($node, 'postgres', 'steps');
	is($run->{status}, 'completed', 'completed') or diag(explain($run));
	is(sql('SELECT count(*), count(DISTINCT customer_id) FROM p_orders'), '1000|50', 'all of them, in tables that the run has made');
	is(sql('SELECT count(*) FROM databite.parent_row'), '0', 'and nothing is left');
	is(sql(writers()), '0', 'no writer either');

	# What several writers deliver at the same time, each in another order, is taken once.
	sql(qq(SELECT databite.schedule_job(\$job\${"id": "shared", "steps": [
		{"id": "first", "source": {"type": "sql", "query": "SELECT g AS id, (g * 7919 + g / 77 * 13) % 50 + g / 2000 * 50 AS of FROM generate_series(1, 19999) AS g"},
			"destination": {"type": "database", "table": "p_first", "schema": {"id": "integer", "of": "integer"}, "mode": "parallel_insert",
				"batchSize": 500, "connectionPool": {"min": 3, "max": 3}}},
		{"id": "second", "dependsOn": ["first"], "source": {"type": "api", "url": "$base/echo", "query": {"of": "{{first.of}}"}},
			"destination": {"type": "database", "table": "p_second", "schema": {"of": "integer"}, "mode": "insert"},
			"transform": {"of": "{{item.query.of}}"}}]}\$job\$)));
	$run = enqueue_and_wait($node, 'postgres', 'shared');
	is($run->{status}, 'completed', 'rows that many items have in common') or diag(explain($run));
	is(sql('SELECT count(*), count(DISTINCT of) FROM p_second'), '500|500', 'are each asked for once');
};

# The run knows the secrets of its requests; what is said of an item is written by a process that sent none.
subtest 'secrets that come back' => sub
{
	my $url = $api->url('/echo');
	sql(q(SELECT databite.set_token('back', 'very-secret')));
	sql(qq(SELECT databite.schedule_job(\$job\${"id": "secrets", "steps": [
		{"id": "numbers", "source": {"type": "sql", "query": "SELECT g AS id FROM generate_series(1, 300) AS g"},
			"destination": {"type": "database", "table": "s_numbers", "schema": {"id": "integer"}}, "transform": {"id": "{{item.id}}"}},
		{"id": "answers", "dependsOn": ["numbers"],
			"source": {"type": "api", "url": "$url", "query": {"n": "{{numbers.id}}"}, "headers": {"X-Key": "{{tokens.back}}"}},
			"destination": {"type": "database", "table": "s_answers", "schema": {"n": "integer", "key": "integer"},
				"mode": "parallel_insert", "batchSize": 40, "onError": "log_and_continue", "connectionPool": {"min": 2, "max": 2}},
			"transform": {"n": "{{item.query.n}}", "key": "{{ item.headers['x-key'] }}"}}]}\$job\$)));
	my $run = enqueue_and_wait($node, 'postgres', 'secrets');
	is($run->{records_rejected}, 300, 'all are rejected') or diag(explain($run));
	like($run->{error}{detail} // '', qr/: "\*\*\*"/, 'masked in the error of the run');
	is(sql(q(SELECT count(*) FILTER (WHERE message LIKE '%"***"%'), count(*) FILTER (WHERE message LIKE '%secret%') FROM databite.rejected_items WHERE job_id = 'secrets')),
		'300|0', 'and in what is said of each item');
};

subtest 'who can have no writers' => sub
{
	sql('CREATE TABLE t_alone (id bigint, name text)');
	schedule('alone', '/users?size=1000', '"key": []' =~ s/.*/"connectionPool": {"max": 2}/r, ", $columns");
	is(execute_job($node, 'postgres', 'alone')->{records_inserted}, 1000, 'execute_job');
	like(notices('alone'), qr/parallel writers are not used: execute_job writes in the caller's transaction/, 'and history says so');
	is(sql(q(SELECT records_inserted FROM databite.execute_job('alone', true))), '1000', 'a dry run');
	sql(q(CALL databite.run_job('alone')));
	is(sql('SELECT count(*) FROM t_alone'), '2000', 'CALL run_job has');
	is(sql(q(SELECT count(*) FROM databite.preview_job('alone', 5))), '5', 'preview_job');

	sql('CREATE TABLE t_computed (id int PRIMARY KEY, n int)');
	schedule_query('computed', 'SELECT g AS id FROM generate_series(1, 1000) AS g', '',
		', "transform": {"id": "{{item.id % 10}}", "n": "{{item.id}}"}');
	is(enqueue_and_wait($node, 'postgres', 'computed')->{status}, 'completed', 'a key that is computed');
	is(sql('SELECT count(*), sum(n) FROM t_computed'), '10|9955', 'is written in order');
	like(notices('computed'), qr/writes with one parallel writer: key column \\?"id\\?" is computed/, 'by one writer');
};

# Rejected, skipped and written items of a job that is interrupted; the rows and counters are those of one run.
sub schedule_interrupted
{
	my ($id, $key) = @_;
	sql("CREATE TABLE t_$id (id bigint" . ($key ? ' PRIMARY KEY' : '') . ', name text)');
	return schedule($id, '/users?size=20000&fault=delay:10', '"connectionPool": {"min": 2, "max": 2}', q(,
		"transform": {"id": "{{item.id}}", "name": "{{item.name | skip(item.id % 10 == 2)}}"},
		"validation": {"id": "{{item.id % 10 != 1}}"}));
}

sub is_as_one_run
{
	my ($id) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM databite.runs WHERE job_id = '$id' AND status = 'completed'"),
		"$id: a later run ends");
	is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM t_$id"), '16000|16000|3|20000', "$id: exactly the right rows");
	is(sql("SELECT sum(records_processed), sum(records_inserted), sum(records_rejected), sum(records_skipped)
			FROM databite.runs WHERE job_id = '$id'"), '20000|16000|2000|2000', "$id: each counted once");
	is(sql("SELECT count(*), count(DISTINCT item ->> 'id') FROM databite.rejected_items WHERE job_id = '$id'"), '2000|2000',
		"$id: each rejected once");
	return is(sql('SELECT count(*) FROM databite.writer_part'), '0', "$id: nothing is left");
}

sub wait_for_items
{
	my ($id, $items) = @_;
	return ok($node->poll_query_until('postgres', "SELECT sum(records_processed) > $items FROM databite.runs WHERE job_id = '$id'
		HAVING bool_or(status = 'running')"), "$id: more than $items items in");
}

for my $key (0, 1)
{
	for my $victim ('writer', 'runner', 'postmaster')
	{
		my $id = "${victim}_$key";
		schedule_interrupted($id, $key);
		sql("SELECT databite.enqueue_job('$id')");
		for my $at ($victim eq 'runner' ? (3000, 9000) : 6000)	# a job that crashes twice in a row has to wait
		{
			wait_for_items($id, $at);
			if ($victim eq 'postmaster')
			{
				$node->stop('immediate');
				$node->start;
			}
			else
			{
				ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'databite $victim'"),
					"$id: there is a $victim");
				kill 'KILL', split(' ', sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'databite $victim' LIMIT 1"));
			}
			ok(wait_for_server($node), "$id: killed, and the server is back");
		}
		is_as_one_run($id);
	}
}

# Holds up writers of a job in its table: one at least, as another one may have written its part already.
sub hold_up
{
	my ($id) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	$session->query_safe("BEGIN; LOCK TABLE t_$id IN SHARE MODE");
	ok($node->poll_query_until('postgres', q(SELECT count(*) > 0 FROM pg_stat_activity
			WHERE backend_type = 'databite writer' AND wait_event_type = 'Lock')), "$id: it is held up");
	return $session;
}

subtest 'a writer is terminated' => sub
{
	for my $key (0, 1)
	{
		my $id = "terminated_$key";
		schedule_interrupted($id, $key);
		sql("SELECT databite.enqueue_job('$id')");
		wait_for_items($id, 3000);
		my $session = hold_up($id);
		sql(q(SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
			WHERE backend_type = 'databite writer' AND wait_event_type = 'Lock' LIMIT 1));
		$session->query_safe('COMMIT');
		$session->quit;
		ok($node->poll_query_until('postgres', "SELECT status = 'failed' FROM databite.runs WHERE job_id = '$id'"), "$id: the run fails");
		like(run_row($id)->{error}{message}, qr/a parallel writer of the run has ended before it had written its part/, "$id: and says why");
		my $before = sql("SELECT count(*) FROM t_$id");
		is(run_row($id)->{records_inserted}, $before, "$id: what is in the table is counted");
		is(enqueue_and_wait($node, 'postgres', $id)->{status}, 'completed', "$id: the next one ends");
		if ($key)
		{
			is(sql("SELECT count(*), count(DISTINCT id) FROM t_$id"), '16000|16000', "$id: the rows");
			is(run_row($id)->{records_inserted} + $before, 16000, "$id: are inserted once");
		}
		else
		{
			is_as_one_run($id);
		}
	}
};

subtest 'a run is cancelled' => sub
{
	schedule_interrupted('cancelled', 0);
	sql("SELECT databite.enqueue_job('cancelled')");
	wait_for_items('cancelled', 3000);
	my $session = hold_up('cancelled');
	sql(q(SELECT databite.cancel_job('cancelled')));
	ok($node->poll_query_until('postgres', q(SELECT status = 'cancelled' FROM databite.runs WHERE job_id = 'cancelled')), 'it ends');
	is(sql(writers()), '0', 'and so do its writers, which wait for a lock');
	$session->query_safe('COMMIT');
	$session->quit;
	is(sql('SELECT count(*) FROM t_cancelled'), run_row('cancelled')->{records_inserted}, 'what was written is counted');
	is(enqueue_and_wait($node, 'postgres', 'cancelled')->{status}, 'completed', 'the next run goes on');
	is_as_one_run('cancelled');

	schedule_interrupted('stopped', 0);
	sql("SELECT databite.enqueue_job('stopped')");
	wait_for_items('stopped', 3000);
	sql(q(SELECT databite.cancel_job('stopped')));
	ok($node->poll_query_until('postgres', q(SELECT status = 'cancelled' FROM databite.runs WHERE job_id = 'stopped')), 'one that is not held up');
	is(sql('SELECT count(*) FROM t_stopped'), run_row('stopped')->{records_inserted}, 'has counted all that it has written');
	is(enqueue_and_wait($node, 'postgres', 'stopped')->{status}, 'completed', 'the next run goes on');
	is_as_one_run('stopped');
};

# The run that goes on waits for what writers of the one before are still about to commit.
subtest 'the run goes away and its writers are still writing' => sub
{
	schedule_interrupted('orphans', 0);
	sql("SELECT databite.enqueue_job('orphans')");
	wait_for_items('orphans', 3000);
	my $session = hold_up('orphans');
	sql(q(SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'databite runner'));
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
			WHERE backend_type = 'databite runner' AND wait_event_type = 'Lock')), 'the run that goes on waits');
	cmp_ok(sql(writers()), '>', 0, 'for them');
	$session->query_safe('COMMIT');
	$session->quit;
	is_as_one_run('orphans');
	is(sql(writers()), '0', 'all of them are gone');
};

# What writers have committed is heeded by a run without any, too.
subtest 'execute_job goes on' => sub
{
	schedule_interrupted('executed', 0);
	sql("SELECT databite.enqueue_job('executed')");
	wait_for_items('executed', 3000);
	my $session = hold_up('executed');
	sql('SELECT databite.stop()');
	sql(q(SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'databite runner'));
	$session->query_safe('COMMIT');
	$session->quit;
	is(execute_job($node, 'postgres', 'executed')->{status}, 'completed', 'execute_job');
	is_as_one_run('executed');
	sql('SELECT databite.start()');
};

subtest 'writers that have nothing to do' => sub
{
	sql('CREATE TABLE t_idle (id bigint, name text)');
	schedule('idle', '/users?size=900&fault=delay:1500:after=4:times=1:scope=path', '"connectionPool": {"min": 0, "max": 2, "idleTimeout": 200}', ", $columns");
	sql("SELECT databite.enqueue_job('idle')");
	ok($node->poll_query_until('postgres', writers() =~ s/count\(\*\)/count(*) > 0/r), 'there are writers');
	ok($node->poll_query_until('postgres', 'SELECT (' . writers() . q() . ") = 0 AND (SELECT status = 'running' FROM databite.runs WHERE job_id = 'idle')"),
		'they end while the run goes on');
	wait_for_runs($node, 'postgres', 'idle', 1);
	is(sql('SELECT count(*), count(DISTINCT id) FROM t_idle'), '900|900', 'the rows are right');
	is(counters('idle'), '900|900|0|0|0|0', 'and counted');
};

subtest 'DROP DATABASE' => sub
{
	sql('CREATE DATABASE dropped');
	my $url = $api->url('/users?size=20000&fault=delay:10');
	$node->safe_psql('dropped', qq(CREATE EXTENSION databite; CREATE TABLE t (id bigint, name text);
		SELECT databite.schedule_job('{"id": "dropped", "source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 100}},
			"destination": {"type": "database", "table": "t", "mode": "parallel_insert", "batchSize": 100}, $columns}');
		SELECT databite.enqueue_job('dropped')));
	ok($node->poll_query_until('postgres', writers() =~ s/count\(\*\)/count(*) > 0/r), 'there are writers');
	sql('DROP DATABASE dropped');
	is(sql(writers()), '0', 'they step aside');
};
$node->stop;

subtest 'no worker slots' => sub
{
	my $small = databite_node('small', conf => 'max_worker_processes = 5', start => 1);
	my $url = $api->url('/users?size=2000');
	my $job = qq({"id": "small", "source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 100}},
		"destination": {"type": "database", "table": "t", "mode": "parallel_insert", "batchSize": 100,
			"connectionPool": {"min": 4, "max": 4}}, $columns});
	for my $slots (5, 4)
	{
		$small->append_conf('postgresql.conf', "max_worker_processes = $slots");
		$small->restart;
		$small->safe_psql('postgres', "CREATE EXTENSION IF NOT EXISTS databite; DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint, name text);
			SELECT databite.schedule_job('$job'); SELECT databite.reset_job('small')");
		my $run = enqueue_and_wait($small, 'postgres', 'small');
		is($run->{status}, 'completed', "$slots slots in all") or diag(explain($run));
		is($run->{records_inserted}, 2000, 'all are written');
		like(join(' ', @{ $run->{notices} }), $slots == 5 ? qr/there are 1 parallel writers instead of 4: no background worker slot is free/
			: qr/parallel writers are not used: no background worker slot is free/, 'and history says why by fewer');
	}
	$small->stop;
};

subtest 'not preloaded' => sub
{
	my $plain = databite_node('plain', preload => 0);
	my $url = $api->url('/users?size=2000');
	$plain->safe_psql('postgres', qq(CREATE EXTENSION databite; CREATE TABLE t (id bigint, name text, backend int DEFAULT pg_backend_pid());
		SELECT databite.schedule_job('{"id": "plain", "source": {"type": "api", "url": "$url", "pagination": {"type": "offset", "limit": 100}},
			"destination": {"type": "database", "table": "t", "mode": "parallel_insert", "batchSize": 100,
				"connectionPool": {"min": 2, "max": 2}}, $columns}')));
	$plain->safe_psql('postgres', q(CALL databite.run_job('plain')));
	is($plain->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id), count(DISTINCT backend) > 1 FROM t'), '2000|2000|t', 'CALL run_job');
	$plain->stop;
};

$api->stop;
done_testing();
