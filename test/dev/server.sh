# shellcheck shell=bash
#
# server.sh: the scratch directory with a private server, a cluster and the sample API.
#
#   $SCRATCH/server   the copied installation     $SCRATCH/tree   a copy of the source tree, for tests to write in
#   $SCRATCH/data     the cluster                 $SCRATCH/run    sockets, logs, port file
#
# It belongs to the unprivileged user and nobody else can enter it (its cluster
# trusts who can).  It is removed when the script ends, however it ends.

SCRATCH=
SERVER_UP=
API_INPUT=

# Who runs servers and tests: whoever calls, but never root.
unprivileged_user()
{
	if [ "$(id -u)" -ne 0 ]; then
		id -un
		return
	fi
	id postgres >/dev/null 2>&1 && { echo postgres; return; }
	id databite >/dev/null 2>&1 || useradd --system --no-create-home --shell /bin/bash databite
	echo databite
}

# as_user COMMAND...: runs it as the unprivileged user, with the private server first in PATH.
as_user()
{
	local settings=(HOME="$SCRATCH" PATH="$BINDIR:$PATH" PGHOST="$SCRATCH/run" PGUSER=postgres PGDATABASE=postgres LC_ALL=C.UTF-8)
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u "$RUN_AS" -- env "${settings[@]}" "$@"
	else
		env "${settings[@]}" "$@"
	fi
}

# Makes the scratch directory with a private copy of the chosen server's installation.
make_scratch()
{
	RUN_AS=$(unprivileged_user)
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/databite.XXXXXX")
	trap remove_scratch EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	local what path
	for what in bindir pkglibdir sharedir; do
		path=$("$PG_CONFIG" --$what)
		mkdir -p "$SCRATCH/server$(dirname "$path")"
		[ -e "$SCRATCH/server$path" ] || cp -a "$path" "$SCRATCH/server$path"
	done
	path=$("$PG_CONFIG" --includedir-server)
	mkdir -p "$SCRATCH/server$(dirname "$path")"
	ln -s "$path" "$SCRATCH/server$path"

	BINDIR=$SCRATCH/server$("$PG_CONFIG" --bindir)
	PRIVATE_PG_CONFIG=$BINDIR/pg_config
	mkdir "$SCRATCH/run" "$SCRATCH/tree"
	tar -c --exclude=./.git --exclude=./.build --exclude=__pycache__ . | tar -x -C "$SCRATCH/tree"
	chown -R "$RUN_AS" "$SCRATCH"
}

# Installs the extension, as it was built in the tree, into the private server.
install_extension()
{
	as_user make -s -C "$SCRATCH/tree" install with_llvm=no PG_CONFIG="$PRIVATE_PG_CONFIG"
	as_user find "$SCRATCH/server" -name 'databite*.so' | grep -q . || die "the private server did not get the extension"
}

# start_server [SETTING...]: makes a cluster with databite preloaded and starts it, on a socket only.
start_server()
{
	as_user initdb -D "$SCRATCH/data" -U postgres -A trust -N -E UTF8 --locale=C.UTF-8 >"$SCRATCH/run/initdb.log" 2>&1 ||
		{ cat "$SCRATCH/run/initdb.log"; die "initdb failed"; }
	printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$SCRATCH/run'" \
		"shared_preload_libraries = 'databite'" "databite.allowed_hosts = '127.0.0.1'" \
		"max_worker_processes = 32" "log_line_prefix = '%m [%p] %b '" "$@" |
		as_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
	as_user pg_ctl -D "$SCRATCH/data" -l "$SCRATCH/run/server.log" -w -t 60 start >/dev/null ||
		{ tail -n 30 "$SCRATCH/run/server.log"; die "the server did not start"; }
	SERVER_UP=1
}

stop_server()
{
	[ -n "$SERVER_UP" ] || return 0
	SERVER_UP=
	as_user pg_ctl -D "$SCRATCH/data" -w -t 20 -m fast stop >/dev/null 2>&1 ||
		as_user pg_ctl -D "$SCRATCH/data" -w -t 20 -m immediate stop >/dev/null 2>&1 ||
		echo "dev: the server in $SCRATCH did not stop" >&2
}

# Starts the sample API on a free port of loopback; sets API to its address.  It ends when its standard input is closed,
# which happens when this script ends, however it does.  Call it after start_server: the server would hold that input too.
start_api()
{
	exec {API_INPUT}> >(as_user python3 "$SCRATCH/tree/test/api/sample_api.py" --until-eof \
		--port-file "$SCRATCH/run/api.port" >/dev/null 2>"$SCRATCH/run/api.log")
	local try
	for ((try = 0; try < 100; try++)); do
		[ ! -s "$SCRATCH/run/api.port" ] || break
		sleep 0.1
	done
	[ -s "$SCRATCH/run/api.port" ] || { cat "$SCRATCH/run/api.log"; die "the sample API did not start"; }
	# shellcheck disable=SC2034
	API=http://127.0.0.1:$(head -n 1 "$SCRATCH/run/api.port")
}

# sql [PSQL OPTION...] TEXT: runs SQL text in $DB and prints bare values.
sql()
{
	as_user psql -X -A -t -q -v ON_ERROR_STOP=1 -d "${DB:-postgres}" "${@:1:$#-1}" -c "${!#}"
}

remove_scratch()
{
	trap '' INT TERM
	stop_server
	[ -z "$API_INPUT" ] || exec {API_INPUT}>&-
	[ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
}
