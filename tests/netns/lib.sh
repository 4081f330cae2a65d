# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# For end-to-end tests. A script sources this, defines one function for each case,
# names them with test_case, and ends with tests_done:
#
#	. "$(dirname "$(readlink -f "$0")")/lib.sh"
#	one_packet() { network; load meter; ...; same "matched" 1 "$n"; }
#	test_case "one packet is counted" one_packet
#	tests_done
#
# Each case runs in a subshell under `set -e` with namespaces of its own, and
# whatever it made is taken away again: workflows, processes, namespaces, files.
# Leaving something behind fails the case. Results are TAP.
#
# The script runs in a room of its own (tools/lib/room.sh), beside others. One that has to
# be alone on the machine sets ALONE=1 before it sources this.
#
# A case that was too slow for one of its times, on a machine that others share, is tried once
# more where TRIES=2; it says so. One that found a promise broken is not (see `broken`).
#
#   tests/netns/NAME_test.sh [PATTERN]    only the cases whose name contains it
#   DISTURB=SEED tests/netns/NAME_test.sh   with all that this build runs in the room held still
#                                           again and again, for up to 400 ms (lib/disturb)
set -u
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../tools/lib/common.sh"
. "$TOP/tools/lib/machine.sh"
. "$TOP/tools/lib/netns.sh"
. "$TOP/tools/lib/ledger.sh"
. "$TOP/tools/lib/room.sh"

need_root
[ -x "$FAAS" ] || die "$FAAS is not built: make BUILD=$BUILD tests"
host_lock "${ALONE:+alone}"
room_enter "$(readlink -f "$0")" "$@"

GATEWAY=ef_$$_gateway
PLANT=ef_$$_plant
FIXTURES=$TOP/tests/netns/workflows
FAAS_RUN_MARK=test-$$-$RANDOM
export FAAS_RUN_MARK
PATTERN=${1:-}

case_number=0
case_failures=0
SCRATCH=$(mktemp -d /tmp/ebpf-faas-test.XXXXXX)
trap 'remove_directory "$SCRATCH"' EXIT
trap 'script_cleanup; exit 130' INT TERM HUP

# remove_directory PATH: with all in it, but never through something that is mounted below it:
# that may be the machine's own root.
remove_directory() {
	local at found=()
	while read -r _ _ _ _ at _; do
		[[ $at != "$1"/* ]] || found=("$at" "${found[@]}")
	done </proc/self/mountinfo
	for at in "${found[@]}"; do
		umount "$at" 2>/dev/null || umount --lazy "$at" || {
			echo "$at is still mounted: $1 is not removed" >&2
			return 1
		}
	done
	rm -rf --one-file-system "$1"
}

# What a case must not leave behind. The whole machine is compared by cases that
# ask for it; here only what is in the room, for other things run on a test machine too.
OURS='pins processes cgroups run_files state_files'
MACHINE_PARTS=$OURS machine_snapshot "$SCRATCH/begin"

# Whoever waits for others waits longer, and each goes ahead of each other at some time.
if [ -n "${DISTURB:-}" ]; then
	env -u FAAS_RUN_MARK "$TEST_LIB/disturb" "$DISTURB" "$BUILD" 9<&- &
	DISTURBER=$!
fi

# undisturbed REASON: what this case measures is what the disturbance changes.
undisturbed() {
	[ -n "${DISTURBER:-}" ] || return 0
	echo "not disturbed: $*"
	unset DISTURB
	kill -USR1 "$DISTURBER"
}

# ---- in a case --------------------------------------------------------------

# same WHAT EXPECTED FOUND
same() {
	if [ "$2" = "$3" ]; then
		echo "$1: $3, as it should be"
	else
		fail "$1 is \"$3\", should be \"$2\""
	fi
}

# A case goes on after a failed comparison, to show all that is wrong.
fail() {
	echo "FAILED: $*"
	: >"$CASE/failed"
}

# broken WHAT...: a promise: something lost, there twice or left behind. That has no excuse, so
# the case is not tried again.
broken() {
	fail "$@"
	: >"$CASE/broken"
}

# skip REASON: this case cannot be done here.
skip() {
	echo "$*"
	exit 77
}

# fails STATUS COMMAND...: COMMAND must end with STATUS. Its output is in $CASE/output.
fails() {
	local status=0 wanted=$1
	shift
	"$@" >"$CASE/output" 2>&1 || status=$?
	sed 's/^/  | /' "$CASE/output"
	same "exit status of ${*##*/}" "$wanted" "$status"
}

# says PATTERN: the output of the last `fails` has it (grep -E).
says() { grep -qE -- "$1" "$CASE/output" || fail "the output does not say \"$1\""; }

# stretched SECONDS: as many on a machine of today, TIME_FACTOR times as many on a slower
# one. For times that the command is told, and bounds on what it took.
stretched() { echo $(($1 * ${TIME_FACTOR:-1})); }

# A gateway and a plant on one veth pair: gw0 (10.77.0.1, fd77::1) and plant0
# (10.77.0.2, fd77::2).
network() {
	netns_make "$GATEWAY"
	network_around
}

# Around a gateway that is there.
network_around() {
	netns_make "$PLANT"
	netns_veth "$GATEWAY" gw0 "$PLANT" plant0
	in_netns "$GATEWAY" ip address add 10.77.0.1/24 dev gw0
	in_netns "$GATEWAY" ip address add fd77::1/64 dev gw0
	in_netns "$PLANT" ip address add 10.77.0.2/24 dev plant0
	in_netns "$PLANT" ip address add fd77::2/64 dev plant0
}

# The same without addresses and without IPv6, so that not one packet is on the wire
# but those that are injected.
silent_network() { # [MTU]
	local name
	for name in "$GATEWAY" "$PLANT"; do
		netns_make "$name"
		in_netns "$name" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	done
	netns_veth "$GATEWAY" gw0 "$PLANT" plant0 "${1:-1500}"
}

# An XDP program of somebody else, that lets everything pass, on an interface. Its id
# is in $PROGRAM. (iproute2 could attach it, but leaves directories in bpffs.)
attach_pass() { # NAMESPACE INTERFACE
	local pin=/sys/fs/bpf/ef_test_pass
	rm -f "$pin"
	bpftool prog load "$TEST_LIB/xdp_pass.bpf.o" "$pin" type xdp
	in_netns "$1" bpftool net attach xdpdrv pinned "$pin" dev "$2"
	rm "$pin"
	PROGRAM=$(xdp_program "$1" "$2")
}
xdp_program() { in_netns "$1" ip -details -json link show "$2" | jq -c '.[0].xdp.prog.id'; }

# Every frame that leaves an interface gets the VLAN tag 7: beside the packet, or in it
# if the interface cannot carry it (ethtool -K INTERFACE txvlan off).
tag_egress() { # NAMESPACE INTERFACE
	local pin=/sys/fs/bpf/ef_test_tag
	rm -f "$pin"
	bpftool prog load "$TEST_LIB/vlan_push.bpf.o" "$pin" type classifier
	in_netns "$1" tc qdisc add dev "$2" clsact
	in_netns "$1" tc filter add dev "$2" egress bpf direct-action object-pinned "$pin"
	rm "$pin"
}

# load WORKFLOW OPTION...: a fixture, into the gateway's namespace; records go to
# $CASE/records.jsonl.
load() {
	local name=$1
	shift
	faas load --netns "$GATEWAY" --set "sinks.records.file.path=$CASE/records.jsonl" "$@" \
		"$FIXTURES/$name.yaml"
}

# inject OPTION...: frames from the plant; what was sent is in $SENT.
inject() {
	SENT=$(in_netns "$PLANT" "$TEST_LIB/inject" --interface plant0 "$@")
	echo "sent: $SENT"
}
sent() { jq -r ".$1" <<<"$SENT"; }

# traffic OPTION...: datagrams from the plant; what was sent is in $SENT.
traffic() {
	SENT=$(in_netns "$PLANT" "$TEST_LIB/traffic" "$@")
	echo "sent: $SENT"
}

# traffic_begin WORKFLOW OPTION...: datagrams from the plant, until traffic_end. Some have come
# to the workflow when it returns.
traffic_begin() {
	FLOWS_TO=$1
	FLOWN=$(matched)
	shift
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --count 4000000000 "$@" >"$CASE/sent"
	SENDER=$STARTED
	echo "$SENDER" >>"$CASE/pids"
	traffic_flows 1
}
matched() { ledger_get "$(ledger "$FLOWS_TO")" matched; }
# traffic_flows COUNT: until so many have come since the last look.
traffic_flows() {
	wait_for 20 flown_more_than $((FLOWN + $1 - 1)) || fail "no packets come to $FLOWS_TO"
	FLOWN=$(matched)
}
flown_more_than() { [ "$(matched)" -gt "$1" ]; }
# traffic_end: each key has had as many as the others. What was sent is in $SENT.
traffic_end() {
	kill -TERM "$SENDER" || fail "the sender ended before its time"
	wait "$SENDER" || fail "the sender: $(cat "$CASE/sent")"
	SENT=$(cat "$CASE/sent")
	echo "sent: $SENT"
}

# settle WORKFLOW: wait until nothing is on its way; its ledger is in $LEDGER and
# has been checked.
settle() {
	local wrong
	wait_for 15 ledger_at_rest "$1" || fail "$1 does not come to rest"
	LEDGER=$(ledger "$1")
	wrong=$(ledger_balance "$LEDGER")
	[ -z "$wrong" ] || broken "the ledger of $1 does not balance: $wrong: $LEDGER"
}
counted() { ledger_get "$LEDGER" "$1"; }

# exactly_once KEYS EACH: the file of records has, for each of KEYS keys, the counts
# 1 to EACH, each in one line and no other. That is both promises at once: every
# result is there once, and the state went through every event once.
exactly_once() {
	wait_for 30 lines_are "$CASE/records.jsonl" $(($1 * $2)) || true
	same "lines in the file" $(($1 * $2)) "$(lines_of "$CASE/records.jsonl")"
	jq -r '"\(.key) \(.fields.count)"' "$CASE/records.jsonl" | sort | uniq -c |
		awk -v keys="$1" -v each="$2" '
		$1 != 1 {print "key " $2 ", count " $3 ": " $1 " times"}
		$3 > each {print "key " $2 ", count " $3 ": more than were sent"}
		{counts[$2]++}
		END {
			for (key in counts) {
				found++
				if (counts[key] != each)
					print "key " key ": " counts[key] " different counts"
			}
			if (found != keys)
				print found " keys"
		}' >"$CASE/wrong"
	[ ! -s "$CASE/wrong" ] || {
		broken "not every result is in the file exactly once:"
		head -n 20 "$CASE/wrong"
	}
}

# Results in the file, of which some may be there twice.
different_counts() { jq -r '"\(.key) \(.fields.count)"' "$CASE/records.jsonl" | sort -u | wc -l; }
different_counts_are() { [ "$(different_counts)" = "$1" ]; }

# group_file WORKFLOW NAME...: of its worker's control group, the first that there is.
group_file() {
	local workflow=$1 name
	shift
	for name; do
		find /sys/fs/cgroup -path "*/$(group_of /run)/$workflow/$name"
	done | head -n 1
}

# Process ids, by what the processes are called.
runtime_pid() { pids_of ebpf-faas-runti; }
worker_pid() { pids_of ebpf-faas-worke; }
courier_pid() { pids_of ebpf-faas-couri; }
# Not those that have not come to their own name yet: a child of the runtime that has not become
# another program, and who is to hold the workers' namespaces or to become workers.
pids_of() { # NAME, as much of it as the kernel keeps
	local pid role parent pids
	pids=" $(faas_processes | awk -v name="$1" '$2 == name {print $1}' | xargs) "
	for pid in $pids; do
		parent='' role=''
		{ read -r _ _ _ parent _ <"/proc/$pid/stat" && { read -rd '' _ && read -rd '' role || true; } <"/proc/$pid/cmdline"; } 2>/dev/null || true
		[[ -z $parent || $pids == *" $parent "* || $role = @(holder|template) ]] || echo "$pid"
	done
}

# all_die: SIGKILL for all of ours, until there are none: also for who was just being started, and
# whoever of them there are.
all_die() { wait_for 20 nobody_lives || fail "they do not die: $(faas_processes)"; }
nobody_lives() {
	local pids
	pids=$(faas_processes | cut -d' ' -f1)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || { kill -KILL $pids && false; }
}

# kill_those FUNCTION...: SIGKILL for all whose PIDs it prints; fails while there are none. They
# are in $KILLED. Who is to be killed may have ended a moment before: wait_for kill_those.
kill_those() {
	KILLED=$("$@")
	# shellcheck disable=SC2086
	[ -n "$KILLED" ] && kill -KILL $KILLED
}

# In the background; it ends with the case. Its PID is in $LAST. Only programs, no
# functions: see start_in_netns.
background() {
	"$@" 9<&- &
	LAST=$!
	echo "$LAST" >>"$CASE/pids"
}

# A UDP receiver in the gateway's own stack: what reached it is `stack_received`,
# which ends it.
stack_listen() { # ADDRESS:PORT
	start_in_netns "$GATEWAY" "$TEST_LIB/collector" --listen "$1" >"$CASE/stack"
	STACK_PID=$STARTED
	echo "$STACK_PID" >>"$CASE/pids"
	wait_for 5 grep -q ready "$CASE/stack"
}
stack_received() {
	end_process "$STACK_PID"
	sed -n 's/.*"received":\([0-9]*\).*/\1/p' "$CASE/stack"
}

# ---- around a case ------------------------------------------------------------

case_cleanup() {
	local name
	# shellcheck disable=SC2046
	[ ! -e "$CASE/pids" ] || end_process $(cat "$CASE/pids")
	for name in "$PIN_ROOT"/workflows/*; do
		[ ! -e "$name" ] || faas unload --now "${name##*/}" >>"$CASE/cleanup" 2>&1
	done
	while read -r name; do
		! mountpoint -q "$name" || umount "$name"
	done < <(cat "$CASE/mounts" 2>/dev/null)
	netns_delete "$GATEWAY" "$PLANT"
}

# What unload could not remove would make every later case fail as well.
case_force_cleanup() {
	# shellcheck disable=SC2046
	end_process $(MACHINE_PARTS=processes machine_processes | cut -d' ' -f1)
	rm -rf "$PIN_ROOT" /run/ebpf-faas
	[ -s "$SCRATCH/begin/state_files" ] || rm -rf /var/lib/ebpf-faas
}

# Those that are held still go on with its end.
end_disturber() { [ -z "${DISTURBER:-}" ] || end_process "$DISTURBER"; }

script_cleanup() {
	trap - EXIT
	trap '' INT TERM HUP
	case_cleanup
	end_disturber
	remove_directory "$SCRATCH"
}

# case_try FUNCTION: one try, in a directory of its own, and what is left is taken away. Its
# status is in $status.
case_try() {
	CASE=$SCRATCH/case$case_number.$try
	mkdir "$CASE"
	# Not in a condition: `set -e` would not count in there.
	(
		set -eE
		trap 'echo "line $LINENO: \`$BASH_COMMAND\` failed"' ERR
		"$1"
	) >"$CASE/log" 2>&1
	status=$?
	[ "$status" = 0 ] || [ "$status" = 77 ] || : >"$CASE/failed"
	# What should have happened and did not: whatever was compared behind it, that was not tested.
	! grep -qE '^waited in vain|: command not found$|^jq: error|kill: usage' "$CASE/log" ||
		: >"$CASE/failed"
	[ "$status" = 0 ] || [ ! -s /run/ebpf-faas/runtime.log ] || {
		echo "the runtime's log ends:"
		tail -n 15 /run/ebpf-faas/runtime.log
	} >>"$CASE/log"
	[ -z "${DISTURBER:-}" ] || kill -USR2 "$DISTURBER"
	case_cleanup
	if ! MACHINE_PARTS=$OURS machine_same "$SCRATCH/begin" "$CASE"; then
		: >"$CASE/failed"
		: >"$CASE/broken"
		{
			echo "left behind:"
			cat "$CASE/differences" "$CASE/cleanup"
		} >>"$CASE/log" 2>&1
		case_force_cleanup
	fi
}

# test_case NAME FUNCTION
test_case() {
	local status begin=$SECONDS try=1 again=
	[[ $1 == *"$PATTERN"* ]] || return 0
	case_number=$((case_number + 1))
	case_try "$2"
	while [ -e "$CASE/failed" ] && [ ! -e "$CASE/broken" ] && [ $try -lt "${TRIES:-1}" ]; do
		echo "# $1, try $try, failed:"
		sed 's/^/# /' "$CASE/log"
		remove_directory "$CASE" || break
		try=$((try + 1)) again=' # UNSTABLE'
		case_try "$2"
	done
	if [ -e "$CASE/failed" ]; then
		case_failures=$((case_failures + 1))
		echo "not ok $case_number - $1"
		sed 's/^/# /' "$CASE/log"
	elif [ "$status" = 77 ]; then
		echo "ok $case_number - $1 # SKIP $(tail -n 1 "$CASE/log")"
	else
		echo "ok $case_number - $1$again"
	fi
	echo "# took $((SECONDS - begin)) s"
	remove_directory "$CASE" || case_failures=$((case_failures + 1))
}

tests_done() {
	end_disturber
	echo "1..$case_number"
	[ "$case_failures" = 0 ] || exit 1
	exit 0
}
