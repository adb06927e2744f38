# shellcheck shell=bash
# shellcheck disable=SC2034  # BENCH_TABLE is read by the other pieces
#
# bench_parents.sh: "./dev bench --fanout --parents N", a request for each of so many rows of a parent step, each of which has
# a cursor of its own (incremental.perParentState); the same with 1,000 beside it.
#
# Told are the memory that the worker and the scheduler have for themselves (the greatest RssAnon that was seen, every 0.2 s),
# how many requests a second there were, and how long it took to forget the rows.  A run that has not ended after
# --seconds is cancelled, and then the figures are of what it has done by then.

# bench_parents N SECONDS
bench_parents()
{
	local count round
	BENCH_TABLE=items
	bench_sql items >/dev/null
	sql "CREATE TABLE parents (id integer PRIMARY KEY)"
	sql "CREATE FUNCTION forgotten(job text) RETURNS boolean LANGUAGE sql
		RETURN NOT EXISTS (SELECT FROM databite.parent_row WHERE job_id = job)"
	say "a request for each parent, 16 in flight; first run and second run; $("$PG_CONFIG" --version)"
	printf '%10s %10s %10s %12s %10s %12s %14s %10s %10s\n' parents status requests "of parents/s" requests/s "worker, MiB" \
		"scheduler, MiB" "forgotten, s" "state, MB"
	for count in 1000 "$1"; do
		bench_http_job parents "NAME=parents_$count" "COUNT=$count" "DELAY=0" "CONCURRENCY=16"
		sql "TRUNCATE items, parents"
		sql CHECKPOINT
		for round in 1 2; do
			bench_parents_run "$count" "$2"
		done
	done
}

# bench_parents_run N SECONDS: a line of the table.
bench_parents_run()
{
	local job=parents_$1 run pid="" scheduler worker=0 scheduler_peak=0 seen status=running began finished
	local deadline=$((SECONDS + $2)) children="" answer=""
	scheduler=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'databite scheduler'")
	run=$(sql "SELECT databite.enqueue_job('$job')")
	while [ "$status" = running ] || [ "$status" = queued ]; do
		[ -n "$pid" ] || pid=$(sql "SELECT pid FROM databite.progress WHERE run_id = $run")
		seen=$(bench_own_memory "$pid")
		[ "$seen" -le "$worker" ] || worker=$seen
		seen=$(bench_own_memory "$scheduler")
		[ "$seen" -le "$scheduler_peak" ] || scheduler_peak=$seen
		[ -n "$children" ] || children=$(sql "SELECT extract(epoch FROM clock_timestamp()) FROM databite.runs WHERE run_id = $run AND step = 'children'")
		if [ $SECONDS -ge $deadline ] && [ -z "$answer" ]; then
			answer=$(sql "SELECT databite.cancel_job('$job')")
		fi
		sleep 0.2
		status=$(sql "SELECT status FROM databite.runs WHERE run_id = $run")
	done
	[ "$status" != failed ] || die "bench: $(sql "SELECT error FROM databite.runs WHERE run_id = $run")"
	# The worker ends when it has forgotten the rows of the parents.
	while kill -0 "$pid" 2>/dev/null || [ -d "/proc/$pid" ]; do
		sleep 0.05
	done
	finished=$(sql "SELECT extract(epoch FROM clock_timestamp() - finished_at) FROM databite.runs WHERE run_id = $run")
	[ "$status" != completed ] || [ "$(sql "SELECT forgotten('$job')")" = t ] || die "bench: rows of parents are left"
	began=$(sql "SELECT extract(epoch FROM started_at) FROM databite.runs WHERE run_id = $run")
	sql -F ' ' "SELECT $1, status, requests, extract(epoch FROM finished_at) - ${children:-$began}, ${children:-$began} - $began,
		$worker, $scheduler_peak, $finished, pg_total_relation_size('databite.parent_state') FROM databite.runs WHERE run_id = $run" |
		awk '{ printf "%10d %10s %10d %12.0f %10.0f %12.1f %14.1f %10.1f %10.1f\n",
			$1, $2, $3, ($5 > 0 ? $1 / $5 : 0), ($4 > 0 ? $3 / $4 : 0), $6 / 1024, $7 / 1024, $8, $9 / 1e6 }'
}

# Of a process, in kB; 0 where it is gone.
bench_own_memory()
{
	awk '/^RssAnon:/ { print $2; found = 1 } END { if (!found) print 0 }' "/proc/${1:-0}/status" 2>/dev/null || echo 0
}
