# shellcheck shell=bash
#
# count.sh: adds up what the test tools report, each in its own words.

PASSED=0
FAILED=0
FAILURES=()

# count NAME PASSED FAILED STATUS: adds a suite.  One that failed without a failed test, or passed without a test, counts
# as a failure: it died, or ran nothing.
count()
{
	local name=$1 passed=$2 failed=$3 status=$4
	if [ "$failed" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$passed" -eq 0 ]; }; then
		failed=1
	fi
	PASSED=$((PASSED + passed))
	FAILED=$((FAILED + failed))
	[ "$failed" -eq 0 ] || FAILURES+=("$name")
	printf '   %s: %d passed, %d failed\n' "$name" "$passed" "$failed"
}

# count_log NAME LOG STATUS: adds a suite by its log: TAP (prove -v, pg_regress since 16), pg_regress 15, Python's unittest,
# or lines "N passed, N failed".
count_log()
{
	local numbers
	numbers=$(awk '
		/^ok [0-9]+/ || /^not ok [0-9]+.*# TODO/ { passed++; next }
		/^not ok [0-9]+/ { failed++; next }
		# A TAP file that ended in error without a test of its own that failed.
		/^(No subtests run|All [0-9]+ subtests passed)/ { failed++; next }
		/^test .*\.\.\. ok/ { passed++; next }
		/^test .*\.\.\. (FAILED|failed)/ { failed++; next }
		/^Ran [0-9]+ tests? in/ { passed += $2; next }
		/^FAILED \(/ {
			while (match($0, /(failures|errors)=[0-9]+/)) {
				split(substr($0, RSTART, RLENGTH), part, "=")
				failed += part[2]; passed -= part[2]
				$0 = substr($0, RSTART + RLENGTH)
			}
			next
		}
		/[0-9]+ passed, [0-9]+ failed/ {
			match($0, /[0-9]+ passed, [0-9]+ failed/)
			split(substr($0, RSTART, RLENGTH), part, " ")
			passed += part[1]; failed += part[3]
		}
		END { print passed + 0, failed + 0 }' "$2")
	# shellcheck disable=SC2086
	count "$1" $numbers "$3"
}

# The last line of a run, and its exit status.
finish()
{
	[ ${#FAILURES[@]} -eq 0 ] || printf '\nfailed: %s\n' "${FAILURES[*]}"
	printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
	[ "$FAILED" -eq 0 ]
}
