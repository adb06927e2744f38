# shellcheck shell=bash
# shellcheck disable=SC2034  # API, API_INPUT, BENCH_TABLE and BENCH_CONTESTANTS are read by the other pieces
#
# bench_http.sh: what "./dev bench" measures of the HTTP source, each in one run
# with its contestants side by side.
#
#   --pages    a listing by offset, 100 items a page, a server that takes 20 ms for each: 1, 4 and 16 requests in flight
#   --fanout   a request for each of 10,000 parents, 5 ms each: 1 and 16 in flight
#   --stream   one array of 2 GB and one of 2 MB: the worker's peak memory, and its rate beside curl's, which only
#              downloads the same bytes
#
# The server is test/bench/server.c.  The sample API would be what limits.

# Compiles and starts it; sets API.  It ends as the sample API does: see start_api.
start_bench_server()
{
	need compiler
	as_user cc -std=gnu11 -O2 -o "$SCRATCH/run/bench_server" "$SCRATCH/tree/test/bench/server.c"
	exec {API_INPUT}> >(as_user "$SCRATCH/run/bench_server" "$SCRATCH/run/bench.port" >/dev/null 2>"$SCRATCH/run/bench_server.log")
	local try
	for ((try = 0; try < 100; try++)); do
		[ ! -s "$SCRATCH/run/bench.port" ] || break
		sleep 0.1
	done
	[ -s "$SCRATCH/run/bench.port" ] || { cat "$SCRATCH/run/bench_server.log"; die "the benchmark's server did not start"; }
	API=http://127.0.0.1:$(head -n 1 "$SCRATCH/run/bench.port")
}

# bench_http_job FILE NAME=VALUE...: schedules test/bench/FILE.json, with @NAME@ replaced.
bench_http_job()
{
	local file=$1 change text answer
	shift
	text=$(cat "test/bench/$file.json")
	for change in "API=$API" "$@"; do
		text=${text//@${change%%=*}@/${change#*=}}
	done
	answer=$(sql "SELECT databite.schedule_job(\$databite\$$text\$databite\$)" 2>&1) || die "bench: $answer"
}

# bench_prepare_pages ITEMS DELAY
bench_prepare_pages()
{
	local number
	BENCH_TABLE=items
	BENCH_CONTESTANTS=(16_in_flight 4_in_flight 1_in_flight)
	bench_sql items >/dev/null
	for number in 1 4 16; do
		bench_http_job pages "NAME=${number}_in_flight" "TOTAL=$1" "DELAY=$2" "CONCURRENCY=$number"
	done
	say "pages of 100 items, each after $2 ms"
}

# bench_prepare_fanout REQUESTS DELAY
bench_prepare_fanout()
{
	local number
	BENCH_TABLE=items
	BENCH_CONTESTANTS=(16_in_flight 1_in_flight)
	bench_sql items >/dev/null
	sql "CREATE TABLE parents (id integer PRIMARY KEY)"
	for number in 1 16; do
		bench_http_job fanout "NAME=${number}_in_flight" "COUNT=$1" "DELAY=$2" "CONCURRENCY=$number"
	done
	say "a request for each item, each after $2 ms"
}

# bench_stream MEGABYTES REPEATS: measurements go to stream.WHAT, a line each.
bench_stream()
{
	local round size bytes
	need curl
	BENCH_TABLE=items
	for round in $(seq "$2"); do
		for size in small large; do
			bytes=$(bench_stream_bytes "$size" "$1")
			curl -s -o /dev/null -w '%{time_total} %{size_download}\n' "$API/array?bytes=$bytes" | bench_note "curl.$size"
			bench_http_job stream "NAME=$size" "BYTES=$bytes" "TAIL=0"
			bench_anew
			bench_by_worker "$size"
			sql -F ' ' "SELECT extract(epoch FROM duration), bytes_received, records_inserted, (SELECT count(*) FROM items)
				FROM databite.runs WHERE job_id = '$size' ORDER BY run_id DESC LIMIT 1" | bench_note "databite.$size"
		done
		say "round $round of $2 is done"
	done
	for size in small large; do
		bench_http_job stream "NAME=$size" "BYTES=$(bench_stream_bytes "$size" "$1")" "TAIL=1000"
		bench_anew
		bench_stream_memory "$size" | bench_note "memory.$size"
	done
	bench_stream_report "$2"
}

# 2 MB, or as much as was asked for.
bench_stream_bytes()
{
	if [ "$1" = small ]; then echo 2000000; else echo "${2}000000"; fi
}

bench_note()
{
	as_user tee -a "$SCRATCH/run/stream.$1" >/dev/null
}

# The greatest resident set of a run's worker and how much of it is shared memory, in kB.  The server holds back the end of
# the array, so that there is time to look when all else has been read.
bench_stream_memory()
{
	local run pid="" seen last=""
	local deadline=$((SECONDS + BENCH_LIMIT))
	run=$(sql "SELECT databite.enqueue_job('$1')")
	until [ -n "$pid" ]; do
		[ $SECONDS -lt $deadline ] || die "bench: the run did not start"
		pid=$(sql "SELECT pid FROM databite.progress WHERE run_id = $run")
	done
	while [ $SECONDS -lt $deadline ]; do
		seen=$(awk '/^(VmHWM|RssShmem):/ { printf "%s ", $2 }' "/proc/$pid/status" 2>/dev/null) || break
		[ -n "$seen" ] || break
		last=$seen
		sleep 0.05
	done
	[ -n "$last" ] || die "bench: the worker could not be watched"
	[ "$(sql "SELECT status FROM databite.runs WHERE run_id = $run")" = completed ] || die "bench: the run did not complete"
	echo "$last"
}

bench_stream_report()
{
	say "arrays, medians of $1 rounds, $("$PG_CONFIG" --version)"
	(cd "$SCRATCH/run" && python3 -) <<-'PY'
		import statistics
		peaks = {}
		print("%-16s %9s %10s %9s %9s %9s   %s" % ("", "MB", "rows", "seconds", "MB/s", "rows/s", "each round"))
		for size in ("small", "large"):
		    rates = {}
		    for name in ("curl", "databite"):
		        lines = [line.split() for line in open("stream.%s.%s" % (name, size))]
		        seconds = [float(line[0]) for line in lines]
		        middle, megabytes = statistics.median(seconds), int(lines[0][1]) / 1e6
		        rates[name] = megabytes / middle
		        rows = [int(count) for line in lines for count in line[2:]]
		        if len(set(rows)) > 1:
		            raise SystemExit("the rounds wrote different rows: %s" % rows)
		        print("%-16s %9.1f %10s %9.3f %9.1f %9s   %s" % (name + " " + size, megabytes, rows[0] if rows else "", middle,
		              rates[name], "%.0f" % (rows[0] / middle) if rows else "", " ".join("%.3f" % value for value in seconds)))
		    print("databite is %.2f times curl" % (rates["databite"] / rates["curl"]))
		    peaks[size] = [int(value) / 1024 for value in open("stream.memory." + size).readline().split()]
		print("\n%-16s %14s %24s" % ("peak memory, MiB", "resident", "of it shared buffers etc."))
		for size, (peak, shared) in peaks.items():
		    print("%-16s %14.1f %24.1f" % ("worker " + size, peak, shared))
		print("the large one has %.1f MiB more, %.1f without what is shared" % (
		    peaks["large"][0] - peaks["small"][0],
		    (peaks["large"][0] - peaks["large"][1]) - (peaks["small"][0] - peaks["small"][1])))
	PY
}
