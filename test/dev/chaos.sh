# shellcheck shell=bash
#
# chaos.sh: "./dev chaos", the long run of test/chaos.
#
# The rounds are printed as they end; the servers' logs are kept where one failed.

chaos_command()
{
	local seed=1 minutes=0 mode='' scale=''
	while [ $# -gt 0 ]; do
		case $1 in
			--seed) seed=${2:?} ;;
			--minutes) minutes=${2:?} ;;
			--mode) mode=${2:?} ;;
			--scale) scale=${2:?} ;;
			*) die "chaos does not know $1" ;;
		esac
		shift 2
	done
	need_build
	need python3 ipc-run
	build
	make_scratch
	install_extension
	chaos_run "$seed" "$minutes" "$mode" "$scale"
	finish
}

# chaos_run SEED MINUTES MODE SCALE
chaos_run()
{
	local log=$SCRATCH/run/chaos.log status=0
	say "chaos, from seed $1 on"
	# shellcheck disable=SC2046
	(cd "$SCRATCH/tree" && as_user env CHAOS_SEED="$1" CHAOS_MINUTES="$2" ${3:+CHAOS_MODE="$3"} ${4:+CHAOS_SCALE="$4"} \
		$(installcheck) REGRESS= ISOLATION= TAP_TESTS=1 PROVE_TESTS=test/chaos/chaos.pl "PROVE_FLAGS=-v -Itest/t/lib") 2>&1 |
		tee "$log" | grep --line-buffered '^#' || true
	status=${PIPESTATUS[0]}
	count_log chaos "$log" "$status"
	mkdir -p "$KEEP"
	cp "$log" "$KEEP/"
	[ "$status" -eq 0 ] || keep_leftovers chaos
}
