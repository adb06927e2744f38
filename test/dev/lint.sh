# shellcheck shell=bash
#
# lint.sh: "./dev lint", also the last part of "./dev test".  Each lint is a
# function that prints what it objects to and fails then; each counts as a test.

LINTS="format cppcheck versions errcodes layers script expected shell perl python secrets"

lint_command()
{
	need clang-format cppcheck shellcheck python3 ipc-run server
	choose_server
	mkdir -p .build
	all_lints "$@"
	finish
}

# all_lints [NAME...]
all_lints()
{
	say lint
	local lint status
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $LINTS
	for lint in "$@"; do
		declare -F "lint_$lint" >/dev/null || die "no lint is called $lint ($LINTS)"
		status=0
		"lint_$lint" || status=$?
		count "lint $lint" "$((status == 0))" "$((status != 0))" 0
	done
}

c_files()
{
	git ls-files -co --exclude-standard -- 'src/*.[ch]' 'src/*/*.[ch]' 'test/*/*.[ch]'
}

# The layout of .clang-format: PostgreSQL's as far as clang-format can say it.
lint_format()
{
	c_files | xargs -r python3 test/lint/format.py
}

lint_cppcheck()
{
	timeout 300 cppcheck --quiet -j2 --std=c11 --enable=warning,performance,portability --inline-suppr \
		-DPG_VERSION_NUM=150000 -DLIBCURL_VERSION_NUM=0x075800 -DNOTICE=18 -DWARNING=19 -DLOG=15 -DERROR=21 -DFATAL=22 '-Dereport(level,...)=((level) >= ERROR ? abort() : (void) 0)' \
		--suppressions-list=test/lint/cppcheck.suppress --error-exitcode=1 -Isrc src
}

# What differs between majors stands in one file; 18 has pg_noreturn for what the others call pg_attribute_noreturn.  The macros of
# varlena are in a header of their own since 16, which that file includes.
lint_versions()
{
	local wrong=0
	! c_files | grep '^src/' | grep -v '^src/base/compat.h$' | xargs -r grep -nE 'PG_VERSION_NUM|pg_attribute_noreturn' || wrong=1
	c_files | grep '^src/' | xargs -r grep -lE '\<(SET_)?VAR(DATA|SIZE)[A-Z_]*\(' | xargs -r grep -L '"base/compat.h"' |
		sed 's/$/: uses VARDATA or VARSIZE, and does not include base\/compat.h/' | grep . && wrong=1
	return "$wrong"
}

# Every error has its SQLSTATE: no elog(ERROR), no ereport without errcode.
lint_errcodes()
{
	c_files | grep '^src/' | xargs -r python3 test/lint/errcodes.py
}

# Includes point down through the layers, and headers have no cycle.
lint_layers()
{
	python3 test/lint/layers.py
}

# The version is the same everywhere, each C function that a script names is there, and no script that was released has changed.
lint_script()
{
	local version script tag symbol wrong=0
	version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" databite.control)
	grep -q "DATABITE_VERSION \"$version\"" src/base/version.h || { echo "src/base/version.h is not of version $version"; wrong=1; }
	[ -e "databite--$version.sql" ] || { echo "there is no databite--$version.sql"; wrong=1; }
	for symbol in $(sed -n "s/.*AS 'MODULE_PATHNAME', '\([a-z0-9_]*\)'.*/\1/p" databite--*.sql | sort -u); do
		grep -qrF "PG_FUNCTION_INFO_V1($symbol)" src || { echo "a script names the C function $symbol, which is not there"; wrong=1; }
	done
	for script in databite--*.sql; do
		! grep -nE '^[^*]*(IF NOT EXISTS|SELECT ([a-z]+\.)?\*)' "$script" || { echo "$script: see \"How a release changes the SQL\" in doc/architecture.md"; wrong=1; }
		tag=v${script#databite--}
		tag=${tag%.sql}
		tag=${tag/*--/v}
		! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || git diff --quiet "$tag" -- "$script" ||
			{ echo "$script has changed since $tag was released"; wrong=1; }
	done
	[ "$wrong" -eq 0 ]
}

# Every regression and isolation test has its expected output.
lint_expected()
{
	local file missing=0
	for file in sql/*.sql test/specs/*.spec; do
		case $file in
			*\**) continue ;;
			sql/*) set -- "expected/$(basename "$file" .sql).out" ;;
			*) set -- "test/expected/$(basename "$file" .spec).out" ;;
		esac
		[ -e "$1" ] || { echo "$file has no $1"; missing=1; }
	done
	[ "$missing" -eq 0 ]
}

lint_shell()
{
	shellcheck --severity=warning dev .ci/run test/dev/*.sh && bash -n dev
}

lint_perl()
{
	local file modules status=0
	modules=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl
	for file in test/t/*.pl test/t/lib/*.pm test/chaos/*.p[lm]; do
		[ ! -e "$file" ] || /usr/bin/perl -I "$modules" -I test/t/lib -I test/chaos -wc "$file" >/dev/null 2>.build/perl.log ||
			{ cat .build/perl.log; status=1; }
	done
	return $status
}

lint_python()
{
	git ls-files -co --exclude-standard -- '*.py' | xargs -r python3 -W error -c '
import ast, sys
for name in sys.argv[1:]:
    with open(name) as file:
        ast.parse(file.read(), name, feature_version=(3, 9))'
}

# Nothing that looks like a real credential in what is committed.
lint_secrets()
{
	! git grep -nIE '(BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abp]-[0-9A-Za-z-]{10,})' -- . \
		':!test/dev/lint.sh'
}
