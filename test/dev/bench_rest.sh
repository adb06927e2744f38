# shellcheck shell=bash
# shellcheck disable=SC2034  # BENCH_CONTESTANTS and API are read by the other pieces
#
# bench_rest.sh: what "./dev bench" measures after the new rows, in the same run.
#
#   databite_changed   the job of the reference workload, where the table has every row, each with another quantity
#   by_hand_changed    INSERT ... ON CONFLICT DO UPDATE from the pages in a table, likewise
#   databite_same      the job, where the table has every row as it is
#   by_hand_same       ON CONFLICT DO UPDATE ... WHERE (...) IS DISTINCT FROM (...), likewise
#
# Of each the WAL is measured, in all and of the table with its index alone (pg_waldump).
#
#   memory             the worker's peak for 1,000 items and for as many as asked for, above an idle backend's

# bench_upserts ITEMS REPEATS
bench_upserts()
{
	local what
	for what in changed same; do
		BENCH_CONTESTANTS=("databite_$what" "by_hand_$what")
		bench_run "$1" "$2"
		bench_report "$1" "$2"
		bench_wal_report
	done
}

# The table with all rows, and jobs that have never run; only the quantity differs from what the pages have.
bench_filled()
{
	local more=0
	[ "$1" != changed ] || more=1
	bench_anew
	sql "INSERT INTO items SELECT id, customer_id, name, email, status, total, quantity + $more, active, created_at, updated_at
		FROM bench_rows"
	sql "VACUUM ANALYZE items"
	sql CHECKPOINT
}

bench_wal_position()
{
	sql "SELECT pg_current_wal_insert_lsn()"
}

# bench_wal NAME FROM TO: notes the bytes of WAL between, in all and of the table with its index.
bench_wal()
{
	local to all relation table=0 bytes
	sql "SELECT pg_switch_wal()" >/dev/null		# what is to be read has to be on disk
	to=$(sql "SELECT pg_current_wal_flush_lsn()")
	all=$(sql "SELECT '$3'::pg_lsn - '$2'")
	for relation in $(sql "SELECT format('%s/%s/%s', CASE reltablespace WHEN 0 THEN 1663 ELSE reltablespace END,
			(SELECT oid FROM pg_database WHERE datname = current_database()), pg_relation_filenode(oid))
			FROM pg_class WHERE relname IN ('items', 'items_pkey')"); do
		bytes=$(as_user pg_waldump -p "$SCRATCH/data/pg_wal" -s "$2" -e "$to" -R "$relation" --stats 2>/dev/null |
			awk '$1 == "Total" { total = $(NF - 1) } END { print total + 0 }')
		table=$((table + bytes))
	done
	echo "$all $table" | as_user tee "$SCRATCH/run/wal.$1" >/dev/null
}

bench_wal_report()
{
	local name
	for name in "${BENCH_CONTESTANTS[@]}"; do
		awk -v name="$name" '{ printf "%-18s %10.1f MB of WAL, %.1f MB of it of the table and its index\n", name, $1 / 1e6, $2 / 1e6 }' \
			"$SCRATCH/run/wal.$name"
	done
}

# bench_memory ITEMS: the items come as one array, whose end the server holds back until the worker was looked at.
bench_memory()
{
	local size items idle
	exec {API_INPUT}>&-
	start_bench_server
	# One that has nothing but started, for as long as this function does.
	exec {idle}> >(as_user psql -X -q -d "$DB" >/dev/null)
	echo "SET application_name = 'idle'; SELECT 1;" >&"$idle"
	for size in small large; do
		items=1000
		[ "$size" = small ] || items=$1
		bench_http_job stream "NAME=$size" "BYTES=$((items * 397))" "TAIL=1000"
		bench_anew
		bench_stream_memory "$size" | bench_note "memory.$size"
	done
	awk '/^(VmHWM|RssShmem):/ { printf "%s ", $2 }' \
		"/proc/$(sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'idle' AND state = 'idle'")/status" | bench_note memory.idle
	exec {idle}>&-
	bench_memory_report "$1"
}

bench_memory_report()
{
	say "peak memory without what is shared, MiB"
	(cd "$SCRATCH/run" && python3 - "$1") <<-'PY'
		import sys
		def own(name):
		    resident, shared = (int(value) for value in open("stream.memory." + name).readline().split())
		    return (resident - shared) / 1024
		idle, small, large = own("idle"), own("small"), own("large")
		print("idle backend %.1f, worker with 1000 items %.1f, with %s items %.1f" % (idle, small, sys.argv[1], large))
		print("above an idle backend: %.1f and %.1f, difference %.1f" % (small - idle, large - idle, large - small))
	PY
}
