# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Sourced by the tools and the tests that are shell scripts: where things are,
# who may run, waiting, one at a time.

TOP=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$TOP/$BUILD ;;
esac
FAAS=$BUILD/ebpf-faas
TEST_LIB=$BUILD/tests/lib
CAPTURES=$TOP/tests/data/captures
PIN_ROOT=/sys/fs/bpf/ebpf-faas
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must be run as root: BPF programs are loaded and network namespaces made; try: sudo $0"
}

# host_lock [alone]: runs that look at nothing but what is theirs go beside
# each other; one that compares the whole machine, or measures, goes alone. The locks are
# on directories, so nothing is left behind. FD 9 must not reach processes that outlive
# the script: close it (9<&-) where one is started.
host_lock() {
	local lock=${FAAS_HOST_LOCK:-/run} kind=--shared
	[ -z "${FAAS_HOST_LOCKED:-}" ] || return 0
	[ -e "$lock" ] || lock=/run
	[ "${1:-}" != alone ] || kind=--exclusive
	# The directory itself: one lock for all checkouts. In a clean room that is another one;
	# there it is the one of the machine outside. Who waits for it holds the one above, so
	# that a run that goes alone does not wait for ever while others come and go.
	exec 8<"$lock/.." 9<"$lock"
	if ! flock --nonblock 8 || ! flock --nonblock $kind 9; then
		echo "${0##*/}: waiting for another run on this machine to end" >&2
		flock --timeout 1800 8 && flock --timeout 1800 $kind 9 ||
			die "another run holds the machine for too long"
	fi
	exec 8<&-
	export FAAS_HOST_LOCKED=$$
}

# For one that has several runs behind each other.
host_unlock() {
	[ "${FAAS_HOST_LOCKED:-}" = $$ ] || return 0
	exec 9<&-
	unset FAAS_HOST_LOCKED
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds. Bounded; 1 if it never did.
# TIME_FACTOR times as long on a machine that is slower than those of today. Not less than
# 20 s: a shorter bound would tell how many others use the machine, and nothing else.
wait_for() {
	local deadline=$((SECONDS + ($1 > 20 ? $1 : 20) * ${TIME_FACTOR:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "waited in vain for: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# Enter a network namespace as `ip netns exec` does, but for its new mount of
# /sys, which would hide bpffs.
in_netns() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" -- "$@"
}

# start_in_netns NAME COMMAND...: in the background. Its PID is in $STARTED, and is that
# of COMMAND: nsenter becomes it. (A function in the background would be a shell
# around it, and killing that leaves COMMAND alone.) Without the lock's FD 9.
start_in_netns() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" -- "$@" 9<&- &
	STARTED=$!
}

# end_process PID...: SIGTERM, then SIGKILL for one that does not listen.
end_process() {
	local pid
	for pid; do
		kill -TERM "$pid" 2>/dev/null || continue
		wait_for 5 process_gone "$pid" || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null || true # its status, when it is a child of ours
	done
	return 0
}

# A zombie is gone: it waits for its parent only.
process_gone() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ]
}

# group_of DIRECTORY: what the control groups of a runtime are called that has its run files on
# the file system of this directory.
group_of() { echo "ebpf-faas.$(stat -c %d "$1").$(stat -f -c %i "$1")"; }

# Processes of this build, or of an installed one: command, runtime, workers, courier.
# By their program, not by their name alone: others may test on the same machine.
faas_processes() {
	local directory name
	for directory in /proc/[0-9]*; do
		{ read -r name <"$directory/comm"; } 2>/dev/null || continue
		[[ $name == ebpf-faas* ]] || continue
		case $(readlink "$directory/exe" 2>/dev/null) in
		"$BUILD"/* | /usr/*) process_gone "${directory#/proc/}" || echo "${directory#/proc/} $name" ;;
		esac
	done
	return 0
}
