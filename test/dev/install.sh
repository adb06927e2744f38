# shellcheck shell=bash
#
# install.sh: finds the server, and installs the packages that are missing.
#
# What is asked for is the thing itself (a program, a library, a module), not
# its package, so that what came from elsewhere is good too.

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root and there is no sudo: $*"
	fi
}

# Sets PG_CONFIG to the wanted server's, if it can be built against: the user's choice, else the newest.
choose_server()
{
	local candidate
	if [ -z "${PG_CONFIG:-}" ]; then
		for candidate in $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -t/ -k5,5nr); do
			if has_server "$candidate"; then
				PG_CONFIG=$candidate
				break
			fi
		done
	fi
	[ -n "${PG_CONFIG:-}" ] || return 1
	has_server "$PG_CONFIG" || die "PG_CONFIG=$PG_CONFIG is not a PostgreSQL 15 or later with server and development files"
	# The wrapper /usr/bin/pg_config of Debian is not part of an installation, the program in bindir is.
	[ ! -x "$("$PG_CONFIG" --bindir)/pg_config" ] || PG_CONFIG=$("$PG_CONFIG" --bindir)/pg_config
	export PG_CONFIG
}

# Whether a pg_config belongs to an installation, 15 or later, with server and development files.
has_server()
{
	local version
	version=$("$1" --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	[ "${version:-0}" -ge 15 ] && [ -x "$("$1" --bindir)/postgres" ] && [ -e "$("$1" --pgxs)" ] &&
		[ -e "$("$1" --includedir-server)/postgres.h" ]
}

# The packages of the major that this distribution has.
server_packages()
{
	local major
	major=$(apt-cache policy postgresql | sed -n 's/.*Candidate: \([0-9]*\).*/\1/p')
	[ "${major:-0}" -ge 15 ] || die "this system's PostgreSQL is ${major:-missing}; databite needs 15 or later (PG_CONFIG=... chooses one)"
	echo "postgresql-$major postgresql-server-dev-$major"
}

# The compiler's package does without the libraries for its sanitizers.
fuzzer_packages()
{
	echo clang "$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev/p' | head -n 1)"
}

# has_tool NAME: whether a tool is there.
has_tool()
{
	case $1 in
		compiler) command -v cc >/dev/null && command -v make >/dev/null && [ -e /usr/include/stdlib.h ] ;;
		libcurl | json-c | zlib | libbrotlidec | libmicrohttpd) pkg-config --exists "$1" 2>/dev/null ;;
		ipc-run) /usr/bin/perl -MIPC::Run -MTest::More -e 1 2>/dev/null && command -v prove >/dev/null ;;
		server) choose_server ;;
		chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ;;
		pg_cron) [ -e "$("$PG_CONFIG" --pkglibdir)/pg_cron.so" ] ;;
		libfuzzer) echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | clang -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null ;;
		*) command -v "$1" >/dev/null ;;
	esac
}

# The packages of a tool.
packages_of()
{
	case $1 in
		compiler) echo build-essential ;;
		libcurl) echo libcurl4-openssl-dev ;;
		json-c) echo libjson-c-dev ;;
		zlib) echo zlib1g-dev ;;
		libbrotlidec) echo libbrotli-dev ;;
		libmicrohttpd) echo libmicrohttpd-dev ;;
		ipc-run) echo libipc-run-perl perl ;;
		server) server_packages ;;
		pg_cron) pg_cron_package ;;
		perf) echo linux-perf ;;
		node) echo nodejs ;;
		libfuzzer) fuzzer_packages ;;
		*) echo "$1" ;;
	esac
}

# The package for the chosen server; nothing where it is not Debian's or there is none for its major.
pg_cron_package()
{
	local major
	major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	[ "$("$PG_CONFIG" --pkglibdir)" = "/usr/lib/postgresql/$major/lib" ] || return 0
	[ -z "$(apt-cache show --no-all-versions "postgresql-$major-cron" 2>/dev/null)" ] || echo "postgresql-$major-cron"
}

# pg_cron is for one test, which is skipped, and says so, where there is no package for the server.
want_pg_cron()
{
	has_tool pg_cron || ! command -v apt-get >/dev/null || [ -z "$(pg_cron_package)" ] || need pg_cron
}

# need TOOL...: installs those that are missing.
need()
{
	local tool missing=()
	for tool in "$@"; do
		has_tool "$tool" || missing+=("$tool")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	command -v apt-get >/dev/null || die "missing: ${missing[*]}; install them (there is no apt-get here to do it with)"
	say "installing what is missing: ${missing[*]}"
	as_root apt-get update -qq
	local packages=()
	for tool in "${missing[@]}"; do
		# shellcheck disable=SC2207
		packages+=($(packages_of "$tool"))
	done
	[ ${#packages[@]} -ge ${#missing[@]} ] || exit 1
	install_packages "${packages[@]}"
	for tool in "${missing[@]}"; do
		has_tool "$tool" || die "$tool is still missing after installing ${packages[*]}"
	done
}

# want TOOL...: the same, but goes on where they cannot be had; what needs them is left out then.
want()
{
	(need "$@") || say "going on without: $*"
}

# Installs packages.  Debian makes and starts a cluster with a new server; a setting prevents that while we install.
install_packages()
{
	local setting=/etc/postgresql-common/createcluster.d/databite-dev.conf status=0
	if [[ " $* " == *" postgresql-"* ]]; then
		as_root mkdir -p "$(dirname "$setting")"
		echo "create_main_cluster = false" | as_root tee "$setting" >/dev/null
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
		>"${TMPDIR:-/tmp}/databite-apt.$$" 2>&1 || status=$?
	[ "$status" -eq 0 ] || tail -n 30 "${TMPDIR:-/tmp}/databite-apt.$$" >&2
	rm -f "${TMPDIR:-/tmp}/databite-apt.$$"
	[ ! -e "$setting" ] || as_root rm -f "$setting"
	[ "$status" -eq 0 ] || die "apt-get could not install: $*"
}

need_build()
{
	need compiler pkg-config libcurl json-c zlib libbrotlidec libmicrohttpd server
	choose_server
}
