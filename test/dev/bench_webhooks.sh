# shellcheck shell=bash
#
# bench_webhooks.sh: "./dev bench --webhooks", deliveries that are taken durably (fsync and synchronous_commit are on), in rounds
# with the contestants side by side.
#
#   batches    the listener, 50 connections that are kept, all that has come meanwhile in one transaction
#   singly     the same with databite.webhook_batch = 1: a commit for each
#   sessions   databite.receive_webhook by 50 sessions that are kept, each of which commits for itself (pgbench)
#   and rows   as batches, with the worker writing them beside it
#
# In the first three the job is paused.  Then how long it takes from the answer until the row is visible: one delivery at a time,
# and some of them every second.  The client is test/bench/webhook_client.c; that it is not what limits shows in its share of a core.

BENCH_PORT=
BENCH_CONNECTIONS=50

# bench_webhooks DELIVERIES REPEATS
bench_webhooks()
{
	local name
	as_user cc -std=gnu11 -O2 -I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" \
		-o "$SCRATCH/run/webhook_client" "$SCRATCH/tree/test/bench/webhook_client.c" -lpq
	bench_webhook_job
	bench_webhook_requests "$1" deliveries
	bench_webhook_requests 200 one_by_one
	bench_webhook_requests 2000 steady
	bench_webhook_listen
	say "$1 deliveries of 400 bytes, $BENCH_CONNECTIONS connections, $2 rounds, $("$PG_CONFIG" --version)"
	bench_webhook_scale
	printf '%-10s %12s %10s %8s %8s %8s %8s %10s %10s %10s\n' "" "accepted/s" "fsyncs/s" "p50, ms" "p95" "p99" "max" \
		"listener" "scheduler" "client"
	for _ in $(seq "$2"); do
		for name in batches singly sessions and_rows; do
			bench_webhook_round "$name" "$1"
		done
	done
	bench_webhook_visible
}

# Its table tells of its rows only where somebody wants to know.
bench_webhook_job()
{
	sql "CREATE TABLE hooks (id bigint PRIMARY KEY, status text, total numeric, customer jsonb, note text, received_at timestamptz)"
	sql "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_notify(''seen'', NEW.id::text); RETURN NEW; END'"
	sql "CREATE TRIGGER tell AFTER INSERT ON hooks FOR EACH ROW EXECUTE FUNCTION tell(); ALTER TABLE hooks DISABLE TRIGGER tell"
	sql "SELECT databite.schedule_job('{\"id\": \"hook\",
		\"trigger\": {\"type\": \"webhook\", \"endpoint\": \"/hook\", \"secret\": \"s\", \"signature\": {\"header\": \"X-Sign\", \"idHeader\": \"X-Id\"}},
		\"source\": {\"type\": \"webhook_data\"}, \"destination\": {\"type\": \"database\", \"table\": \"hooks\"}}')" >/dev/null
}

# bench_webhook_requests N NAME: N signed requests in a file, each behind its length.
bench_webhook_requests()
{
	python3 - "$1" <<-'PY' | as_user tee "$SCRATCH/run/$2" >/dev/null
		import hashlib, hmac, json, sys
		for i in range(int(sys.argv[1])):
		    body = json.dumps({"id": i, "status": "paid", "total": "%d.10" % (i % 1000), "received_at": "2024-05-01T10:00:00Z",
		                       "customer": {"id": i % 977, "name": "A customer with a name of usual length", "tags": ["a", "b", "c"]},
		                       "note": "Some words that a person has written about this order, none of which matters. " * 2}).encode()
		    head = ("POST /hook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Id: %d\r\nX-Sign: %s\r\nContent-Length: %d\r\n\r\n"
		            % (i, hmac.new(b"s", body, hashlib.sha256).hexdigest(), len(body))).encode()
		    sys.stdout.buffer.write(b"%d\n%s%s" % (len(head) + len(body), head, body))
	PY
}

bench_webhook_listen()
{
	local try
	BENCH_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	echo "databite.webhook_listen = '127.0.0.1:$BENCH_PORT'" | as_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
	sql "SELECT pg_reload_conf()" >/dev/null
	for ((try = 0; try < 300; try++)); do
		! (exec 3<>"/dev/tcp/127.0.0.1/$BENCH_PORT") 2>/dev/null || return 0
		sleep 0.1
	done
	die "bench: nobody listens"
}

# What one session of this machine can do, for scale.
bench_webhook_scale()
{
	sql "CREATE TABLE scale (id int)"
	echo "INSERT INTO scale VALUES (1);" | as_user tee "$SCRATCH/run/scale.sql" >/dev/null
	echo "one session that commits a row at a time: $(as_user pgbench -n -f "$SCRATCH/run/scale.sql" -T 3 -c 1 "$DB" 2>/dev/null |
		sed -n 's/^tps = \([0-9]*\).*/\1/p') a second"
}

# bench_webhook_round CONTESTANT DELIVERIES: a line of the table.
bench_webhook_round()
{
	local batch=200 syncs listener scheduler told start ticks
	[ "$1" != singly ] || batch=1
	bench_webhook_anew "$1"
	echo "databite.webhook_batch = $batch" | as_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
	sql "SELECT pg_reload_conf(), pg_sleep(0.5)" >/dev/null
	listener=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'databite listener'")
	scheduler=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'databite scheduler' AND datname = '$DB'")
	syncs=$(bench_webhook_syncs)
	ticks="$(bench_ticks "$listener") $(bench_ticks "$scheduler")"
	start=$(date +%s.%N)
	if [ "$1" = sessions ]; then
		told=$(bench_webhook_sessions "$2")
	else
		told=$(as_user "$SCRATCH/run/webhook_client" "$BENCH_PORT" "$SCRATCH/run/deliveries" "$BENCH_CONNECTIONS") || die "bench: $told"
	fi
	ticks="$ticks $(bench_ticks "$listener") $(bench_ticks "$scheduler")"
	syncs=$(($(bench_webhook_syncs) - syncs))
	if [ "$1" = and_rows ]; then
		bench_webhook_drain "$2" "$start"
	else
		[ "$(sql "SELECT count(*) FROM databite.delivery")" -eq "$2" ] || die "bench: not every delivery is there"
	fi
	echo "$told" | awk -v name="$1" -v syncs="$syncs" -v ticks="$ticks" '{
		for (i = 1; i <= NF; i++) { split($i, part, "="); is[part[1]] = part[2] }
		split(ticks, tick, " ")
		printf "%-10s %12.0f %10.0f %8s %8s %8s %8s %10.2f %10.2f %10s\n", name, is["rate"], syncs / is["seconds"], is["answer_p50"],
			is["answer_p95"], is["answer_p99"], is["answer_max"], (tick[3] - tick[1]) / 100 / is["seconds"],
			(tick[4] - tick[2]) / 100 / is["seconds"], is["client_core"] }'
}

# Of processor time that a process has used, hundredths of a second.
bench_ticks()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

bench_webhook_anew()
{
	sql "SELECT databite.pause_job('hook')" >/dev/null
	sql "TRUNCATE hooks, databite.delivery, databite.delivery_seen; DELETE FROM databite.run"
	sql "VACUUM (ANALYZE) databite.run"
	sql CHECKPOINT
	[ "$1" != and_rows ] || sql "SELECT databite.resume_job('hook')" >/dev/null
}

# Of the WAL, as the server's statistics have them; they come late.
bench_webhook_syncs()
{
	sleep 1.5
	sql "SELECT pg_stat_force_next_flush(), wal_sync FROM pg_stat_wal" | cut -d '|' -f 2
}

# bench_webhook_drain DELIVERIES START: until all rows are there; in how many runs.
bench_webhook_drain()
{
	local try
	for ((try = 0; try < 600; try++)); do
		[ "$(sql "SELECT count(*) FROM databite.delivery")" -ne 0 ] || break
		sleep 0.1
	done
	[ "$(sql "SELECT count(*) FROM hooks")" -eq "$1" ] || die "bench: not every delivery became a row"
	sql "SELECT format('%s runs wrote them, all within %s s', count(*), round(extract(epoch FROM max(finished_at)) - $2, 1)) FROM databite.run"
}

# bench_webhook_sessions DELIVERIES: pgbench's figures as the client has them.
bench_webhook_sessions()
{
	local body signature
	body='{"id": 1, "status": "paid", "total": "1.10", "received_at": "2024-05-01T10:00:00Z", "note": "'$(printf 'x%.0s' {1..300})'"}'
	signature=$(printf %s "$body" | openssl dgst -sha256 -hmac s | sed 's/.*= //')
	as_user tee "$SCRATCH/run/sessions.sql" >/dev/null <<-SQL
		\set id random(1, 1000000000000000)
		SELECT databite.receive_webhook('/hook', ('{"X-Sign": "$signature", "X-Id": "' || :id || '"}')::jsonb, convert_to('$body', 'UTF8'));
	SQL
	rm -f "$SCRATCH"/run/sessions_log*
	as_user sh -c "cd '$SCRATCH/run' && pgbench -n -M prepared -f sessions.sql -c $BENCH_CONNECTIONS -j 1 -t $(($1 / BENCH_CONNECTIONS)) -l --log-prefix=sessions_log $DB" \
		>"$SCRATCH/run/pgbench.out" 2>&1 || die "bench: $(tail -n 3 "$SCRATCH/run/pgbench.out")"
	sort -n -k 3,3 "$SCRATCH"/run/sessions_log* | awk -v tps="$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$SCRATCH/run/pgbench.out")" '
		{ ms[NR] = $3 / 1000 }
		END { printf "seconds=%.2f rate=%.0f client_core=? answer_p50=%.2f answer_p95=%.2f answer_p99=%.2f answer_max=%.2f\n", NR / tps, tps,
			ms[int(NR * 0.5) + 1], ms[int(NR * 0.95) + 1], ms[int(NR * 0.99) + 1], ms[NR] }'
}

# From the answer until the row is visible.
bench_webhook_visible()
{
	local told
	sql "ALTER TABLE hooks ENABLE TRIGGER tell"
	say "from the answer to the visible row"
	bench_webhook_anew and_rows
	told=$(as_user "$SCRATCH/run/webhook_client" "$BENCH_PORT" "$SCRATCH/run/one_by_one" 1 5 "host=$SCRATCH/run user=postgres dbname=$DB") || die "bench: $told"
	bench_webhook_tell_visible "200 deliveries, 5 a second" "$told"
	bench_webhook_anew and_rows
	told=$(as_user "$SCRATCH/run/webhook_client" "$BENCH_PORT" "$SCRATCH/run/steady" "$BENCH_CONNECTIONS" 200 "host=$SCRATCH/run user=postgres dbname=$DB") || die "bench: $told"
	bench_webhook_tell_visible "2,000 deliveries, 200 a second" "$told"
}

bench_webhook_tell_visible()
{
	echo "$2" | awk -v what="$1" -v runs="$(sql "SELECT count(*) FROM databite.run WHERE status = 'completed'")" '{
		for (i = 1; i <= NF; i++) { split($i, part, "="); is[part[1]] = part[2] }
		printf "%-32s answer p50 %s p99 %s ms; visible after p50 %s p95 %s p99 %s max %s ms; %d runs\n", what, is["answer_p50"], is["answer_p99"],
			is["visible_p50"], is["visible_p95"], is["visible_p99"], is["visible_max"], runs }'
}
