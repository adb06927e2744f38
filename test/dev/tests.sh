# shellcheck shell=bash
#
# tests.sh: "./dev test", "./dev sanitize" and "./dev fuzz".
#
# Both run the same suites in a scratch directory: pg_regress and isolation
# against its cluster, TAP (which makes clusters of its own), the unit tests.
# A failure never stops the others; what it left is kept in .build/test.
# LINT=no leaves out the lints and their tools, whose versions matter.

KEEP=$ROOT/.build/test

test_command()
{
	need_build
	need python3 ipc-run openssl libfuzzer
	want_pg_cron
	[ "${LINT:-}" = no ] || need clang-format cppcheck shellcheck
	# A browser is large: only for all tests, or the one that opens it.
	[[ 121_page != *"${1:-}"* ]] || want chromium
	say "building for $("$PG_CONFIG" --version)"
	if ! build; then
		count build 0 1 1
		finish
		return
	fi
	make_scratch
	install_extension
	npm_packages
	if [ $# -gt 0 ]; then
		one_test "$1"
	else
		start_server
		regress_suite
		isolation_suite
		stop_server
		tap_suite test/t/*.pl
		unit_suites
		[ "${LINT:-}" = no ] || all_lints
	fi
	finish
}

# The name of one test, with or without its number and ending: a regress, isolation or TAP test, or a unit suite.
one_test()
{
	local found
	if [ -e "sql/$1.sql" ]; then
		start_server
		regress_suite "$1"
	elif [ -e "test/specs/$1.spec" ]; then
		start_server
		isolation_suite "$1"
	elif [ -e "test/$1/Makefile" ] || [ "$1" = api ]; then
		unit_suites "$1"
	else
		found=$(compgen -G "test/t/*$1*" | grep '\.pl$') || die "no test is called $1"
		# shellcheck disable=SC2086
		tap_suite $found
	fi
}

# suite NAME COMMAND...: runs a suite as the unprivileged user, shows what failed and counts.
suite()
{
	local name=$1 status=0 log
	shift
	log=$SCRATCH/run/${name// /-}.log
	say "$name"
	(cd "$SCRATCH/tree" && as_user "$@") >"$log" 2>&1 || status=$?
	grep -E '^(test/t/.*\.\.|not ok |ok [0-9].* - .* ms$|test .*(ok|FAILED)|FAIL|ERROR|#   )' "$log" || true
	count_log "$name" "$log" "$status"
	mkdir -p "$KEEP"
	cp "$log" "$KEEP/"
	if [ "$status" -ne 0 ]; then
		tail -n 40 "$log"
		keep_leftovers "$name"
	fi
}

# keep_leftovers SUITE: saves what shows why a test failed, and prints the differences.
keep_leftovers()
{
	local file
	case $1 in
		regress) head -n 200 "$SCRATCH/tree/regression.diffs" || true ;;
		isolation) head -n 200 "$SCRATCH/tree/output_iso/regression.diffs" || true ;;
		tap) print_last_words ;;
	esac
	for file in regression.diffs results output_iso tmp_check/log; do
		[ ! -e "$SCRATCH/tree/$file" ] || cp -r --no-preserve=ownership "$SCRATCH/tree/$file" "$KEEP/"
	done
	[ ! -e "$SCRATCH/run/server.log" ] || cp --no-preserve=ownership "$SCRATCH/run/server.log" "$KEEP/"
	echo "   kept in $KEEP"
}

# What the TAP tests that failed said last: prove does not tell of what one has died.
print_last_words()
{
	local name
	for name in $(sed -n 's,^test/t/\([^ ]*\)\.pl .*(Wstat: .*,\1,p' "$SCRATCH/run/tap.log"); do
		printf -- '--- %s\n' "$name"
		tail -n 40 "$SCRATCH/tree/tmp_check/log/regress_log_$name" | cut -c 1-1000 || true
	done
}

# The words of PGXS's installcheck; it knows how each major wants its test tools called.
installcheck()
{
	echo make -s with_llvm=no "PG_CONFIG=$PRIVATE_PG_CONFIG" installcheck
}

regress_suite()
{
	compgen -G 'sql/*.sql' >/dev/null || return 0
	# shellcheck disable=SC2046
	suite regress $(installcheck) ISOLATION= TAP_TESTS= ${1:+"REGRESS=$1"}
}

isolation_suite()
{
	compgen -G 'test/specs/*.spec' >/dev/null || return 0
	# shellcheck disable=SC2046
	suite isolation $(installcheck) REGRESS= TAP_TESTS= ${1:+"ISOLATION=$1"}
}

# tap_suite FILE...
tap_suite()
{
	[ -e "${1:-}" ] || return 0
	# shellcheck disable=SC2046
	suite tap env JSONPLACEHOLDER_DIR="$SCRATCH/npm" WEBHOOK_LIBRARIES_DIR="$SCRATCH/npm/webhooks" ${TAP_ENV:-} \
		$(installcheck) REGRESS= ISOLATION= TAP_TESTS=1 "PROVE_TESTS=$*" "PROVE_FLAGS=-v -j${PROVE_JOBS:-2} -Itest/t/lib"
}

# unit_suites [NAME]: the C unit tests, each with its own Makefile, and the sample API's.
unit_suites()
{
	local part
	for part in test/${1:-*}/Makefile; do
		[ -e "$part" ] || continue
		part=$(basename "$(dirname "$part")")
		suite "unit $part" make -s -C "test/$part" check "PG_CONFIG=$PRIVATE_PG_CONFIG"
	done
	[ "${1:-api}" != api ] || suite "unit api" python3 -m unittest discover -s test/api
}

# What tests have from npm: the real service of the document's example, and libraries that sign webhooks.  Installed once, copied to
# where tests can read it.  Without it (no network) the tests of it fail, and only those.
npm_packages()
{
	local cache=$ROOT/.build/npm
	need node
	npm_install "$cache" jsonplaceholder@0.3.3
	npm_install "$cache/webhooks" @octokit/webhooks-methods@5.1.1 stripe@17.7.0 standardwebhooks@1.0.0 twilio@5.5.1
	[ -d "$cache" ] || return 0
	cp -r "$cache" "$SCRATCH/npm"
	chown -R "$RUN_AS" "$SCRATCH/npm"
}

# npm_install DIRECTORY NAME@VERSION...: unless they are there.
npm_install()
{
	local directory=$1 package there=yes
	shift
	for package in "$@"; do
		[ -e "$directory/node_modules/${package%@*}/package.json" ] || there=
	done
	[ -z "$there" ] || return 0
	need npm
	say "installing from npm: $*"
	mkdir -p "$directory"
	npm install --prefix "$directory" --no-audit --no-fund --ignore-scripts --loglevel=error "$@" >/dev/null ||
		echo "npm could not install them"
}

# Builds with sanitizers in the scratch tree, lets only the server run under them, and runs the tests.
# A TAP test that cannot run so says it in a comment: "# sanitize: skip, because ...".
sanitize_command()
{
	need_build
	need python3 ipc-run openssl
	make_scratch
	npm_packages
	if ! build_sanitized; then
		count build 0 1 1
		finish
		return
	fi
	install_extension
	wrap_server
	# Everything is several times slower under the sanitizers.
	TAP_ENV="PG_TEST_TIMEOUT_DEFAULT=600"
	if [ $# -gt 0 ]; then
		one_test "$1"
	else
		start_server
		regress_suite
		isolation_suite
		stop_server
		# shellcheck disable=SC2046
		tap_suite $(grep -L '^# sanitize: skip' test/t/*.pl 2>/dev/null || true)
	fi
	count_sanitizer_reports
	finish
}

build_sanitized()
{
	say "building with AddressSanitizer and UBSan"
	as_user make -s -C "$SCRATCH/tree" clean with_llvm=no PG_CONFIG="$PRIVATE_PG_CONFIG" &&
		as_user make -s -C "$SCRATCH/tree" -j"$(nproc)" all with_llvm=no PG_CONFIG="$PRIVATE_PG_CONFIG" \
			COPT="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-maybe-uninitialized"
}

# Puts a script in place of the private server's program that preloads the sanitizer's runtime.  The small library before
# it is initialized first of all: without it the runtime starts inside another library's constructor, and hangs.
wrap_server()
{
	local preload options
	as_user mkdir "$SCRATCH/sanitizer"
	as_user tee "$SCRATCH/sanitizer/first.c" >/dev/null <<-'C'
		#include <stdlib.h>
		__attribute__((constructor)) static void first(void) { void *volatile p = malloc(1); free(p); }
	C
	as_user cc -shared -fPIC -Wl,-z,initfirst -o "$SCRATCH/sanitizer/first.so" "$SCRATCH/sanitizer/first.c"
	preload="$(cc -print-file-name=libasan.so) $SCRATCH/sanitizer/first.so"
	options="abort_on_error=1:log_path=$SCRATCH/sanitizer/report"
	as_user mv "$BINDIR/postgres" "$BINDIR/postgres.real"
	as_user tee "$BINDIR/postgres" >/dev/null <<-SH
		#!/bin/bash
		export LD_PRELOAD="$preload"
		export ASAN_OPTIONS="detect_leaks=0:$options"
		export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:$options"
		exec -a "\$0" "$BINDIR/postgres.real" "\$@"
	SH
	as_user chmod 755 "$BINDIR/postgres"
	as_user postgres --version >/dev/null || die "the server does not start under the sanitizers"
}

# A report of a sanitizer is a failure, even where no test noticed.  ASan writes files, UBSan to the servers' logs.
count_sanitizer_reports()
{
	local reports=$SCRATCH/run/sanitizer-reports found
	{
		find "$SCRATCH/sanitizer" -name 'report*' -exec head -n 40 {} +
		find "$SCRATCH/run" "$SCRATCH/tree/tmp_check/log" -name '*.log' -exec grep -hA 10 ' runtime error: ' {} + 2>/dev/null
	} >"$reports" || true
	found=$(grep -cE 'ERROR: AddressSanitizer| runtime error: ' "$reports" || true)
	head -n 100 "$reports"
	mkdir -p "$KEEP"
	cp --no-preserve=ownership "$reports" "$KEEP/"
	count "sanitizer reports" "$((found == 0))" "$found" 0
}

# fuzz_command [SECONDS]: each fuzzer for so long.  What one finds is kept in .build/test.
fuzz_command()
{
	local seconds=${1:-20}
	need_build
	need libfuzzer
	make_scratch
	fuzz_suite item "$seconds"
	fuzz_suite fuzz "$seconds"
	finish
}

# fuzz_suite DIRECTORY SECONDS: the fuzzer that the Makefile of test/DIRECTORY builds.
fuzz_suite()
{
	suite "fuzz $1" make -s -C "test/$1" fuzz "SECONDS=$2" "PG_CONFIG=$PRIVATE_PG_CONFIG"
	mkdir -p "$KEEP"
	find "$SCRATCH/tree" -name 'crash-*' -o -name 'timeout-*' -o -name 'oom-*' | while read -r found; do
		cp --no-preserve=ownership "$found" "$KEEP/"
	done
}
