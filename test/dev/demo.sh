# shellcheck shell=bash
#
# demo.sh: "./dev demo" and "./dev psql".

# A server with the extension in database $DB, and the sample API.
open_house()
{
	need_build
	need python3
	say "building for $("$PG_CONFIG" --version)"
	build
	make_scratch
	install_extension
	say "starting a throw-away cluster and the sample API"
	start_server
	start_api
	DB=demo
	DB=postgres sql "CREATE DATABASE demo"
	sql "CREATE EXTENSION databite"
	echo "server in $SCRATCH, API at $API"
}

psql_command()
{
	open_house
	as_user psql -d "$DB" -v api="$API" "$@" || true
}

demo_command()
{
	local once=""
	[ "${1:-}" != --once ] || once=1
	open_house
	schedule_demo_jobs
	say "runs, as they happen (the first within seconds, the cron job at the next full minute)"
	watch_runs "$once"
}

schedule_demo_jobs()
{
	say "scheduling two jobs"
	show "SELECT databite.schedule_job('{
  \"id\": \"customers\",
  \"source\": {\"type\": \"api\", \"url\": \"$API/customers\"},
  \"destination\": {\"type\": \"database\", \"table\": \"customers\", \"mode\": \"upsert\", \"key\": \"id\",
                  \"schema\": {\"id\": \"integer\", \"name\": \"text\", \"email\": \"text\", \"city\": \"text\", \"since\": \"datetime\"}},
  \"transform\": {\"id\": \"{{item.id}}\", \"name\": \"{{item.name}}\", \"email\": \"{{item.email}}\",
                \"city\": \"{{item.address.city}}\", \"since\": \"{{item.created_at}}\"},
  \"schedule\": {\"type\": \"interval\", \"seconds\": 5}
}')"
	show "SELECT databite.schedule_job('{
  \"id\": \"products\",
  \"source\": {\"type\": \"api\", \"url\": \"$API/envelope/data/products\", \"dataPath\": \"data\",
             \"pagination\": {\"type\": \"page\", \"pageSize\": 50, \"sizeParam\": \"per_page\"}},
  \"destination\": {\"type\": \"database\", \"table\": \"products\"},
  \"transform\": {\"id\": \"{{item.id}}\", \"name\": \"{{item.name}}\", \"price\": \"{{item.pricing.amount}}\",
                \"currency\": \"{{item.pricing.currency}}\", \"category\": \"{{item.category.name}}\",
                \"tags\": \"{{item.tags | join(\\\",\\\")}}\", \"in_stock\": \"{{item.inventory.quantity > 0}}\",
                \"created_at\": \"{{item.created_at | to_datetime}}\"},
  \"schedule\": {\"type\": \"cron\", \"expression\": \"* * * * *\"}
}')"
}

# Shows a statement, then runs it with its notices.
show()
{
	printf '%s;\n' "$1"
	as_user psql -X -q -d "$DB" -v ON_ERROR_STOP=1 -c "$1"
}

# Prints each run once when it has ended, and the rows when both jobs have run; goes on until Ctrl-C, or with --once until
# then.
watch_runs()
{
	local once=$1 seen=" " rows="" id line deadline=$((SECONDS + 90))
	while true; do
		while IFS='|' read -r id line; do
			[[ -n $id && $seen != *" $id "* ]] || continue
			seen+="$id "
			echo "$line"
		done <<<"$(finished_runs)"
		if [ -z "$rows" ] && [ "$(sql "SELECT count(DISTINCT job_id) FROM databite.runs WHERE status = 'completed'")" -eq 2 ]; then
			rows=shown
			show_rows
			[ -z "$once" ] || return 0
			say "the jobs go on; Ctrl-C ends and removes everything"
		fi
		if [ -n "$once" ] && [ $SECONDS -ge $deadline ]; then
			tail -n 30 "$SCRATCH/run/server.log" >&2
			die "not both jobs ran within 90 seconds"
		fi
		sleep 1
	done
}

# The latest runs that have ended, oldest first, as "id|line".
finished_runs()
{
	sql "SELECT run_id, format('%s  %s %s: %s records, %s inserted, %s updated, %s unchanged, %s ms%s',
			to_char(finished_at, 'HH24:MI:SS'), rpad(job_id, 10), status, records_processed, records_inserted,
			records_updated, records_unchanged, round(extract(epoch FROM duration) * 1000), '  ' || (error ->> 'message'))
		FROM (SELECT * FROM databite.runs WHERE finished_at IS NOT NULL ORDER BY run_id DESC LIMIT 20) AS r
		ORDER BY run_id"
}

show_rows()
{
	say "the rows"
	show "SELECT * FROM customers ORDER BY id LIMIT 3"
	show "SELECT * FROM products ORDER BY id LIMIT 3"
	say "look further, in another terminal"
	echo "$BINDIR/psql -h $SCRATCH/run -U postgres $DB"
	cat <<-'SQL'
	    SELECT * FROM databite.get_job_status('customers');
	    SELECT * FROM databite.get_job_history('products');
	    SELECT * FROM databite.progress;
	SQL
}
