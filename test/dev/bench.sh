# shellcheck shell=bash
#
# bench.sh: "./dev bench", the reference workload three ways in one run.
#
#   databite   CALL databite.run_job: HTTP from loopback, JSON, rows in the table
#   worker     the same job, run by the background worker
#   by hand    INSERT ... SELECT FROM jsonb_array_elements, the pages already in a table as text
#   copy       COPY of the same rows from a text file on disk
#
# All write the same rows into the same table definition, made anew each time.
# What is compared starts with its input where that contestant gets it best:
# only databite's figures hold the transfer.  test/bench/*.sql are the statements,
# *.json the jobs.  bench_rest.sh goes on with tables that have the rows already, and memory.
#
# "./dev bench --transform" compares two jobs on the same items: "transform" has
# the filters and operators of the document's product_catalog_sync, "plain" fills
# the same columns from paths alone.  "./dev bench --parallel" has the reference
# workload written by the run itself, and by one and two parallel writers.
# bench_http.sh has --pages, --fanout and --stream, bench_parents.sh --fanout --parents, bench_many.sh --catalog and --idle,
# bench_webhooks.sh --webhooks.

BENCH_LIMIT=900

bench_command()
{
	local items="" repeats=3 profile="" workload=reference delay="" megabytes=2000 parents="" seconds=""
	local jobs=10000 runs=1000000
	while [ $# -gt 0 ]; do
		case $1 in
			--items) items=$2; shift 2 ;;
			--repeats) repeats=$2; shift 2 ;;
			--delay) delay=$2; shift 2 ;;
			--megabytes) megabytes=$2; shift 2 ;;
			--parents) parents=$2; shift 2 ;;
			--jobs) jobs=$2; shift 2 ;;
			--runs) runs=$2; shift 2 ;;
			--seconds) seconds=$2; shift 2 ;;
			--profile) profile=1; shift ;;
			--transform | --parallel | --pages | --fanout | --stream | --catalog | --idle | --webhooks) workload=${1#--}; shift ;;
			*) die "bench: unknown option $1" ;;
		esac
	done
	case $workload in
		pages) items=${items:-100000} delay=${delay:-20} ;;
		fanout) items=${items:-10000} delay=${delay:-5} ;;
		webhooks) items=${items:-20000} ;;
		*) items=${items:-1000000} ;;
	esac
	[ "$workload" = idle ] && seconds=${seconds:-60} || seconds=${seconds:-600}
	[[ $items =~ ^[1-9][0-9]*$ && $repeats =~ ^[1-9][0-9]*$ && $megabytes =~ ^[1-9][0-9]*$ && ${delay:-0} =~ ^[0-9]+$ ]] ||
		die "bench: --items, --repeats, --delay and --megabytes take a number"
	[[ $jobs =~ ^[1-9][0-9]*$ && $runs =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ && ${parents:-1} =~ ^[1-9][0-9]*$ ]] ||
		die "bench: --jobs, --runs, --parents and --seconds take a number"
	need_build
	need python3
	[ -z "$profile" ] || need perf
	build
	make_scratch
	install_extension
	bench_servers "$workload"
	DB=bench
	DB=postgres sql "CREATE DATABASE bench"
	sql "CREATE EXTENSION databite"
	case $workload in
		stream) bench_stream "$megabytes" "$repeats"; return ;;
		catalog) bench_catalog "$jobs" "$runs"; return ;;
		idle) bench_idle "$seconds"; return ;;
		webhooks) bench_webhooks "$items" "$repeats"; return ;;
		fanout) [ -z "$parents" ] || { bench_parents "$parents" "$seconds"; return; } ;;
	esac
	"bench_prepare_$workload" "$items" "$delay"
	bench_run "$items" "$repeats"
	[ -z "$profile" ] || bench_profile "${BENCH_CONTESTANTS[0]}"
	bench_report "$items" "$repeats"
	[ "$workload" != reference ] || bench_upserts "$items" "$repeats"
	[ "$workload" != reference ] || bench_memory "$items"
}

# Starts PostgreSQL, and the HTTP server that the workload needs.
bench_servers()
{
	# Pages of shared buffers count as a process's resident memory once it has touched them: few where that is measured.
	local buffers=512MB
	[ "$1" != stream ] || buffers=16MB
	local more=()
	[ "$1" != catalog ] || more=("shared_preload_libraries = 'databite, pg_stat_statements'" "pg_stat_statements.track = all")
	[ "$1" != idle ] || more=("max_worker_processes = 8")
	# Here a commit is what is measured.
	[ "$1" != webhooks ] || more=("fsync = on" "synchronous_commit = on")
	start_server "shared_buffers = $buffers" "max_wal_size = 8GB" "checkpoint_timeout = 1h" "autovacuum = off" "${more[@]}"
	case $1 in
		catalog | idle | webhooks) ;;
		pages | fanout | stream) start_bench_server ;;
		*) start_api ;;
	esac
}

# The API's memory is warm before the first round.
bench_warm()
{
	say "making $1 items"
	bench_http "/_warm?count=$1&limit=1000" >/dev/null
}

bench_prepare_transform()
{
	BENCH_TABLE=products
	BENCH_CONTESTANTS=(transform plain)
	bench_warm "$1"
	bench_sql products >/dev/null
	sql "SELECT databite.schedule_job($(bench_job transform "$1"))" >/dev/null
	sql "SELECT databite.schedule_job($(bench_job plain "$1"))" >/dev/null
	sql CHECKPOINT
}

bench_prepare_parallel()
{
	local number
	BENCH_TABLE=items
	BENCH_CONTESTANTS=(2_writers 1_writers no_writers)
	bench_warm "$1"
	bench_sql items >/dev/null
	bench_http_job parallel "COUNT=$1" "NAME=no_writers" 'MODE="mode": "upsert"'
	for number in 1 2; do
		bench_http_job parallel "COUNT=$1" "NAME=${number}_writers" \
			"MODE=\"mode\": \"parallel_insert\", \"connectionPool\": {\"min\": $number, \"max\": $number}"
	done
	sql CHECKPOINT
}

# Makes the pages (in the API's memory and in a table), the rows as a file, and the job.
bench_prepare_reference()
{
	BENCH_TABLE=items
	BENCH_CONTESTANTS=(databite worker by_hand copy)
	bench_warm "$1"
	sql "CREATE TABLE bench_pages (page int, body text)"
	bench_pages "$1" | sql "COPY bench_pages FROM STDIN"
	bench_sql items >/dev/null
	bench_sql by_hand >/dev/null
	sql "COPY items TO '$SCRATCH/run/items.txt'"
	[ "$(sql "SELECT count(*) FROM items")" -eq "$1" ] || die "bench: the pages do not hold $1 items"
	sql "CREATE TABLE bench_rows AS SELECT * FROM items"
	sql "SELECT databite.schedule_job($(bench_job databite "$1"))" >/dev/null
	sql "VACUUM ANALYZE bench_pages" >/dev/null
	sql CHECKPOINT
}

# The definition of a job as an SQL literal.
bench_job()
{
	printf "replace(replace(\$databite\$%s\$databite\$, '@API@', '%s'), '@COUNT@', '%s')::jsonb" \
		"$(cat "test/bench/$1.json")" "$API" "$2"
}

bench_http()
{
	python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=600).read())' "$API$1"
}

# The API's pages as lines for COPY.
bench_pages()
{
	python3 - "$API" "$1" <<-'PY'
		import sys, urllib.request
		api, count = sys.argv[1], int(sys.argv[2])
		for offset in range(0, count, 1000):
		    with urllib.request.urlopen("%s/items?count=%d&offset=%d&limit=1000" % (api, count, offset), timeout=60) as page:
		        print("%d\t%s" % (offset, page.read().decode().replace("\\", "\\\\")))
	PY
}

bench_sql()
{
	sed "s|@FILE@|$SCRATCH/run/items.txt|" "test/bench/$1.sql" |
		as_user env PGOPTIONS="-c statement_timeout=${BENCH_LIMIT}s" psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DB" -f -
}

# Each contestant in turn, so that what drifts on the machine hits all alike; seconds go to bench.CONTESTANT.
bench_run()
{
	local round name
	for round in $(seq "$2"); do
		for name in "${BENCH_CONTESTANTS[@]}"; do
			case $name in
				*_changed | *_same) bench_filled "${name##*_}" ;;
				*) bench_anew ;;
			esac
			bench_time "$name"
			[ "$(sql "SELECT count(*) FROM $BENCH_TABLE")" -eq "$1" ] || die "bench: $name did not write $1 rows"
		done
		say "round $round of $2 is done"
	done
}

# An empty table, and jobs that have never run.
bench_anew()
{
	bench_sql "$BENCH_TABLE" >/dev/null
	sql "SELECT databite.reset_job(job_id) FROM databite.jobs" >/dev/null
	sql CHECKPOINT
}

bench_time()
{
	local start end before after
	before=$(bench_wal_position)
	start=$(date +%s.%N)
	case $1 in
		worker) bench_by_worker databite ;;
		by_hand* | copy) bench_sql "$1" >/dev/null ;;
		databite*) sql "CALL databite.run_job('databite')" ;;
		*) sql "CALL databite.run_job('$1')" ;;
	esac
	end=$(date +%s.%N)
	after=$(bench_wal_position)
	case $1 in
		*_changed | *_same) bench_wal "$1" "$before" "$after" ;;
	esac
	echo "$start $end" | awk '{ printf "%.3f\n", $2 - $1 }' | as_user tee -a "$SCRATCH/run/bench.$1" >/dev/null
}

# bench_by_worker JOB: has the background worker run it, and waits for the end.
bench_by_worker()
{
	local run status=""
	run=$(sql "SELECT databite.enqueue_job('$1')")
	local deadline=$((SECONDS + BENCH_LIMIT))
	until [ "$status" = completed ]; do
		[ $SECONDS -lt $deadline ] || die "bench: the worker took longer than $BENCH_LIMIT s"
		status=$(sql "SELECT status FROM databite.runs WHERE run_id = $run")
		[ "$status" != failed ] || die "bench: $(sql "SELECT error FROM databite.runs WHERE run_id = $run")"
		sleep 0.05
	done
}

# One more run of a job under perf: the backend's hottest functions.
bench_profile()
{
	say "profile of CALL databite.run_job('$1'): the ten hottest functions"
	bench_anew
	# The backend tells its process id and gives the profiler time to attach, then runs the job.
	as_user psql -X -q -d "$DB" >/dev/null <<-SQL &
		\o $SCRATCH/run/backend
		\t
		\a
		SELECT pg_backend_pid();
		\o
		SELECT pg_sleep(2);
		CALL databite.run_job('$1');
	SQL
	local client=$! try backend="" profiler hottest
	for ((try = 0; try < 50; try++)); do
		[ ! -s "$SCRATCH/run/backend" ] || break
		sleep 0.1
	done
	backend=$(head -n 1 "$SCRATCH/run/backend")
	[ -n "$backend" ] || die "bench: the backend did not start"
	# It ends with the backend.
	as_root timeout "$BENCH_LIMIT" perf record -q -F 499 -p "$backend" -o "$SCRATCH/run/perf.data" >/dev/null 2>&1 &
	profiler=$!
	wait "$client" || die "bench: the profiled run failed"
	wait "$profiler" || true
	hottest=$(as_root perf report --stdio -q --no-children -s symbol,dso -i "$SCRATCH/run/perf.data" 2>/dev/null |
		grep '%' | sed -n '1,10p')
	echo "${hottest:-perf could not sample on this machine}"
}

bench_report()
{
	say "$1 items, medians of $2 rounds, $("$PG_CONFIG" --version)"
	(cd "$SCRATCH/run" && python3 - "$1" "${BENCH_CONTESTANTS[@]}") <<-'PY'
		import statistics, sys
		items, first, others = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
		rates = {}
		print("%-18s %10s %12s   %s" % ("", "seconds", "rows/s", "each round"))
		for name in [first] + others:
		    seconds = [float(line) for line in open("bench." + name)]
		    rates[name] = items / statistics.median(seconds)
		    print("%-18s %10.2f %12.0f   %s" % (name, statistics.median(seconds), rates[name],
		                                          " ".join("%.2f" % value for value in seconds)))
		print("\n%s is %s" % (first, ", ".join("%.2f times %s" % (rates[first] / rates[name], name) for name in others)))
	PY
}
