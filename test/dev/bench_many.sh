# shellcheck shell=bash
#
# bench_many.sh: what "./dev bench" measures of many jobs, runs and databases.
#
#   --catalog  10,000 jobs and 1,000,000 runs in databite's tables: what users call, and the statements of a scheduler's
#              round; before statistics are there, with them, and after many updates without vacuum; what an index costs
#   --idle     wake-ups and processor time of databite's processes where nothing is due, over a minute: one database, with
#              1 job and with 1,000, and (over six minutes) 50 databases with a job each in 8 worker slots; memory of a scheduler

# bench_catalog JOBS RUNS
bench_catalog()
{
	local lifecycle
	sql "CREATE EXTENSION pg_stat_statements; CREATE ROLE app LOGIN; SELECT databite.stop()" >/dev/null
	sql "GRANT USAGE ON SCHEMA databite TO app; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA databite TO app"
	say "$1 jobs, $2 runs"
	bench_many_sql catalog_fill "$1" "$2"
	bench_catalog_measure "before ANALYZE"
	sql "VACUUM ANALYZE" && sql CHECKPOINT
	bench_catalog_measure "after ANALYZE"
	bench_catalog_rounds 0
	bench_catalog_rounds 1000
	sql "SELECT databite.stop()" >/dev/null
	bench_many_sql catalog_churn "$1" "$2"
	bench_catalog_measure "after 20 updates of each job and 20,000 runs, without vacuum"
	bench_catalog_rounds 0

	sql "SELECT databite.stop(); VACUUM" >/dev/null 2>&1 || sql "VACUUM"
	say "what the rows of a run cost"
	bench_many_sql catalog_lifecycle 0 0 >/dev/null
	lifecycle=$(bench_many_sql catalog_lifecycle 0 0)
	sql "DROP INDEX databite.run_by_status"
	printf 'with the index on status %s, without %s\n' "$lifecycle" "$(bench_many_sql catalog_lifecycle 0 0)"
}

bench_many_sql()
{
	sed "s/@JOBS@/$2/g; s/@RUNS@/$3/g" "test/bench/$1.sql" | as_user psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DB" -f -
}

bench_catalog_measure()
{
	say "calls $1: median and p99 of 200, ms"
	bench_many_sql catalog_calls 0 0
}

# bench_catalog_rounds DUE: 200 rounds of the scheduler, before which so many jobs became due that run at once.
bench_catalog_rounds()
{
	local pid before after since
	sql "SELECT databite.start()" >/dev/null
	sql "SELECT pg_sleep(2)" >/dev/null
	pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'databite scheduler' AND datname = '$DB'")
	sql "SELECT pg_stat_statements_reset()" >/dev/null
	say "rounds of the scheduler where $1 jobs have become due"
	since=$(sql "SELECT clock_timestamp()")
	[ "$1" -eq 0 ] || sql "UPDATE databite.job SET next_run_at = now() WHERE job_id IN (SELECT job_id FROM databite.job LIMIT $1)"
	before=$(awk '{ print $1 }' "/proc/$pid/schedstat")
	for _ in $(seq 200); do echo "SELECT databite.start(), pg_sleep(0.02);"; done | as_user psql -X -q -d "$DB" >/dev/null
	after=$(awk '{ print $1 }' "/proc/$pid/schedstat")
	[ "$1" -eq 0 ] && awk -v ns=$((after - before)) 'BEGIN { printf "%.2f ms of processor time a round\n", ns / 200 / 1e6 }'
	sql -F ' ' "SELECT format('%7s %8s %8s  %s', calls, round(mean_exec_time::numeric, 3), round(max_exec_time::numeric, 3),
			regexp_replace(left(query, 100), '\s+', ' ', 'g'))
		FROM pg_stat_statements WHERE userid = 10 AND query ~ 'databite\.(run|job|stage)\M' AND query !~ '^(SELECT databite|UPDATE databite.job SET next_run_at = now)'
		ORDER BY calls * mean_exec_time DESC LIMIT 12"
	[ "$1" -eq 0 ] || sql "SELECT count(*) || ' runs queued within ' || max(queued_at) - min(queued_at) FROM databite.run WHERE trigger = 'schedule' AND queued_at > '$since'"
}

# bench_idle SECONDS
bench_idle()
{
	local number
	say "idle for $1 s: wake-ups, processor time and memory"
	sql "SELECT databite.schedule_job($(bench_idle_job job_0))" >/dev/null 2>&1
	bench_idle_watch "1 database, 1 job" "$1"
	sql "SELECT databite.schedule_job(jsonb_set($(bench_idle_job x), '{id}', to_jsonb('job_' || i))) FROM generate_series(1, 999) AS i" >/dev/null 2>&1
	bench_idle_watch "1 database, 1,000 jobs" "$1"
	sql "SELECT databite.schedule_job(jsonb_set($(bench_idle_job x), '{id}', to_jsonb('job_' || i))) FROM generate_series(1000, 9999) AS i" >/dev/null 2>&1
	bench_idle_watch "1 database, 10,000 jobs" "$1"
	sql "SELECT databite.unschedule_job(job_id) FROM databite.jobs WHERE job_id <> 'job_0'" >/dev/null
	for number in $(seq 49); do
		DB=postgres sql "CREATE DATABASE many_$number TEMPLATE bench STRATEGY file_copy"
	done
	# Their schedulers have looked, and gone to rest; each comes back within five minutes.
	sleep 30
	bench_idle_watch "50 databases, 1 job each" $(($1 * 6))
}

bench_idle_job()
{
	printf "'%s'::jsonb" "{\"id\": \"$1\", \"source\": {\"type\": \"inline\", \"items\": []}, \"schedule\": {\"type\": \"interval\", \"days\": 1},
		\"destination\": {\"type\": \"database\", \"table\": \"t\", \"schema\": {\"id\": \"integer\"}, \"key\": \"id\"}}"
}

# bench_idle_watch WHAT SECONDS: no session is there meanwhile.
bench_idle_watch()
{
	local before after
	sleep 5
	before=$(bench_idle_count)
	sleep "$2"
	after=$(bench_idle_count)
	echo "$before $after" | awk -v what="$1" -v seconds="$2" '{ printf "%-28s %4d s: %d processes, %4d wake-ups, %6.1f ms of processor time, %5.1f MiB of its own a scheduler\n",
		what, seconds, $7, $6 - $1, ($8 - $3) / 1e6 + ($9 - $4) * 10, $10 / 1024 }'
}

# Wake-ups, processes, their ns of processor time, ticks of those that have ended, and the greatest private memory of a scheduler.
bench_idle_count()
{
	local postmaster pid wakes=0 processes=0 ns=0 memory=0 own
	postmaster=$(head -n 1 "$SCRATCH/data/postmaster.pid")
	for pid in $(pgrep -P "$postmaster" -f 'databite (launcher|scheduler)'); do
		processes=$((processes + 1))
		wakes=$((wakes + $(awk '/^voluntary/ { print $2 }' "/proc/$pid/status")))
		ns=$((ns + $(awk '{ print $1 }' "/proc/$pid/schedstat")))
		own=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")
		if grep -q scheduler "/proc/$pid/cmdline" && [ "$own" -gt "$memory" ]; then memory=$own; fi
	done
	echo "$wakes $processes $ns $(awk '{ print $16 + $17 }' "/proc/$postmaster/stat") $memory"
}
