#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The package is upgraded under traffic: the runtime of one build ends, or is killed, and
# that of another build takes rings, logs, states and sinks over. Nothing is lost and
# nothing is there twice.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

OTHER_BUILD=$BUILD/faults
KEYS=10

if [ ! -x "$OTHER_BUILD/ebpf-faas" ]; then
	echo "another build is needed: make BUILD=$OTHER_BUILD FAULTS=1 all" >&2
	exit 1
fi

runs_from() { # DIRECTORY PID...
	local directory=$1 pid
	shift
	for pid in "$@"; do
		same "program of $pid" "$directory" "$(dirname "$(readlink "/proc/$pid/exe")")"
	done
}

# From one build to the other and back, while packets come.
upgraded() { # SIGNAL OPTION...
	local signal=$1 build all
	shift
	network
	load meter --set workers.queue=65536 --set workers.instances.min=1 "$@"
	runs_from "$BUILD/libexec" "$(runtime_pid)" "$(worker_pid)" "$(courier_pid)"
	traffic_begin meter --to 10.77.0.1:5005 --keys $KEYS --rate 2000
	for build in "$OTHER_BUILD" "$BUILD"; do
		traffic_flows 2000
		kill "-$signal" "$(runtime_pid)"
		wait_for 10 no_runtime
		"$build/ebpf-faas" gc 9<&-
		wait_for 20 has_both "$build" || fail "no worker, or no courier: $(cat "$CASE/status")"
		runs_from "$build/libexec" "$(runtime_pid)" "$(worker_pid)" "$(courier_pid)"
	done
	traffic_end
	all=$(sent sent)
	settle meter
	same "matched" "$all" "$(counted matched)"
	same "processed" "$all" "$(counted processed)"
	same "lost for want of room in the ring" 0 "$(counted lost.ring_full)"
	exactly_once $KEYS $((all / KEYS))
	fails 0 faas unload --purge meter
}
no_runtime() { ! faas_processes | grep -q 'ebpf-faas-runti'; } # as much as the kernel keeps
# Those of the runtime before are on their way out.
has_both() { # BUILD
	faas status --json meter >"$CASE/status" && is_of "$1" "$(worker_pid)" && is_of "$1" "$(courier_pid)"
}
is_of() { [[ $2 =~ ^[0-9]+$ && $(readlink "/proc/$2/exe") == "$1"/libexec/* ]]; }

ended() { upgraded TERM; }
killed() { upgraded KILL; }
durable() { upgraded TERM --set functions.total.state=durable --set storage.size=16Mi; }

test_case "the runtime ends, another build goes on" ended
test_case "the runtime is killed, another build goes on" killed
test_case "the same with durable state" durable
tests_done
