#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# On the way to idleness and back, at each step: what comes meanwhile is not left lying, and
# whoever is killed there is followed by one who goes on.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

FAULTS_BUILD=$BUILD/faults

worker() { faas status --json meter | jq -r ".worker.$1"; }
is_idle() { [ "$(worker state)" = idle ] && [ -z "$(worker_pid)" ]; }
load_meter() { load meter --set "workers.idle=200ms"; }
events() { traffic --to 10.77.0.1:5005 --count "$1" --keys 10 --first-port 40000; }
log_blocks() { stat -c %b /run/ebpf-faas/workflows/meter/log; }
log_is_given_back() { [ "$(log_blocks)" -le 16 ]; }

# A worker that has only a part of its log again does not write behind it.
part_of_the_log() {
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=idle.log_rest:1:stop load_meter
	wait_for 10 log_is_given_back
	events 20000
	wait_for 10 stopped_at runtime_pid
	wait_for 10 worker_waits
	[ "$(log_blocks)" -le 4096 ] || fail "the log has $(log_blocks) blocks"
	kill -CONT "$(runtime_pid)"
	settle meter
	exactly_once 10 2000
}
worker_waits() { [ "$(worker state)" = "waiting for the courier" ]; }

# The runtime, or a worker, is stopped at a point of its way to idleness; an event comes,
# and it goes on: the event is not left lying.
meanwhile() { # POINT PROCESS [COMMAND]
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=$1:1:stop load_meter
	wait_for 10 stopped_at "$2"
	"${3:-true}"
	events 10
	kill -CONT "$("$2")"
	settle meter
	same "processed" 10 "$(counted processed)"
	same "restarts" 0 "$(worker restarts)"
}
stopped_at() { [ "$(ps -o stat= -p "$("$1")" | cut -c1)" = T ]; }
# The worker left with its flag set. That of one that did not is not relied on.
clear_flag() {
	# shellcheck disable=SC2046
	bpftool map update pinned "$PIN_ROOT/workflows/meter/wake" key 0 0 0 0 value $(printf '0 %.0s' {1..64})
}
before_the_flag() { meanwhile idle.armed runtime_pid clear_flag; }
before_the_look() { meanwhile idle.flagged runtime_pid; }
while_it_leaves() { meanwhile idle.leaving worker_pid; }
behind_a_cleared_flag() {
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=idle.armed:1:stop load_meter
	wait_for 10 stopped_at runtime_pid
	clear_flag
	kill -CONT "$(runtime_pid)"
	wait_for 10 is_idle
	events 10
	settle meter
	same "processed" 10 "$(counted processed)"
}

# Killed there, whoever follows goes on.
killed_there() { # POINT
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=$1:1 load_meter
	wait_for 10 runtime_is_gone
	events 100
	faas gc
	settle meter
	exactly_once 10 10
}
runtime_is_gone() { [ -z "$(runtime_pid)" ]; }
killed_armed() { killed_there idle.armed; }
killed_giving_back() { killed_there idle.log_noted; }

if [ ! -x "$FAULTS_BUILD/ebpf-faas" ]; then
	echo "fault points need: make BUILD=$FAULTS_BUILD FAULTS=1 all" >&2
	exit 1
fi
test_case "an event before producers wake the runtime" before_the_flag
test_case "an event before the runtime looks" before_the_look
test_case "an event behind a flag that was not set" behind_a_cleared_flag
test_case "an event while the worker leaves" while_it_leaves
test_case "the runtime is killed on the way" killed_armed
test_case "the runtime is killed as it gives memory back" killed_giving_back
test_case "a worker with a part of its log" part_of_the_log
tests_done
