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
	same "all events" 20000 $(($(counted processed) + $(counted lost.ring_full)))
	wait_for 30 lines_are "$CASE/records.jsonl" "$(counted processed)"
	same "records out of order, or not there" "$(counted processed) 0" \
		"$(lines_of "$CASE/records.jsonl") $(jq -r '"\(.key) \(.fields.count)"' "$CASE/records.jsonl" |
			awk '$2 != ++last[$1]' | wc -l)"
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
stopped_at() { grep -q '^State:[[:space:]]*T' "/proc/$("$1")/status"; }
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
killed_taking_copies() {
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=idle.copies:2 load_meter
	wait_for 20 is_idle
	events 100
	wait_for 20 runtime_is_gone || fail "the runtime is not killed there"
	faas gc
	settle meter
	exactly_once 10 10
}

# At each step to the small queue, and of the way back to the full one.
queue_is() { # BYTES
	[ "$(bpftool map show -j pinned "$PIN_ROOT/workflows/meter/ring0" | jq .max_entries)" = "$1" ] &&
		[ ! -e "$PIN_ROOT/workflows/meter/ring-next" ]
}
killed_to_small() { # POINT
	killed_there "$1"
	wait_for 10 queue_is 65536 || fail "its queue is not the small one"
}
killed_to_full() { # POINT
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=$1:2 load_meter
	wait_for 10 queue_is 65536
	events 100
	wait_for 10 runtime_is_gone
	events 100
	faas gc
	settle meter
	exactly_once 10 20
	wait_for 10 queue_is 65536 || fail "its queue is not the small one again"
}
killed_before_the_pin() { killed_to_small ring.made; }
killed_behind_the_pin() { killed_to_small ring.pinned; }
killed_with_two() { killed_to_small ring.given; }
killed_with_the_next() { killed_to_small ring.taken; }
killed_with_its_page() { killed_to_small ring.adopted; }
# With timers that come sooner than it is idle, its worker stays: nothing else than the runtime that
# follows takes the queue that producers have already.
killed_with_two_and_timers() {
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=ring.pinned:1:stop,ring.given:1 load lull --set workers.idle=1s \
		--set functions.watch.params.after=100ms --set functions.watch.params.again=true
	wait_for 10 stopped_at runtime_pid
	# Into the queue of before: one key, and its timer.
	traffic --to 10.77.0.1:5005 --count 10 --keys 1 --first-port 40000
	kill -CONT "$(runtime_pid)"
	wait_for 10 runtime_is_gone
	traffic --to 10.77.0.1:5005 --count 10 --keys 1 --first-port 40000
	faas gc
	settle lull
	same "processed" 20 "$(counted processed)"
	wait_for 10 grep -q '"events":20[,}]' "$CASE/records.jsonl" ||
		fail "the timer does not say how many came"
	[ ! -e "$PIN_ROOT/workflows/lull/ring-next" ] || fail "a queue is left beside the own one"
}
# What nobody was woken for is in the queue of before, and goes ahead of the next one.
left_in_the_queue_of_before() {
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=ring.pinned:1:stop load_meter
	wait_for 10 stopped_at runtime_pid
	clear_flag
	events 100
	kill -CONT "$(runtime_pid)"
	settle meter
	exactly_once 10 10
	wait_for 10 queue_is 65536 || fail "its queue is not the small one"
}
killed_back_before_the_pin() { killed_to_full ring.made; }
killed_back_behind_the_pin() { killed_to_full ring.pinned; }
killed_back_with_two() { killed_to_full ring.given; }
killed_back_with_the_next() { killed_to_full ring.taken; }

# The worker is killed between two rings: what came for each is there once.
killed_between() {
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=ring.given:2:stop load meter --set "workers.idle=8s"
	wait_for 30 queue_is 65536
	events 100
	wait_for 10 stopped_at runtime_pid
	events 100
	kill -KILL "$(worker_pid)"
	kill -CONT "$(runtime_pid)"
	settle meter
	exactly_once 10 20
	# None, if the runtime saw that the queues had changed before it saw that death: then the
	# worker was to leave anyway.
	[ "$(worker restarts)" -le 1 ] || fail "restarts: $(worker restarts)"
}

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
test_case "the runtime is killed as it takes the copies again" killed_taking_copies
test_case "a worker with a part of its log" part_of_the_log
test_case "to the small queue: before it has a name" killed_before_the_pin
test_case "to the small queue: it has a name" killed_behind_the_pin
test_case "to the small queue: producers have it" killed_with_two
test_case "to the small queue: it is the one that is read" killed_with_the_next
test_case "to the small queue: positions count in it" killed_with_its_page
test_case "to the small queue: its timers keep a worker" killed_with_two_and_timers
test_case "to the small queue: nobody was woken for what is in the one before" left_in_the_queue_of_before
test_case "back to the full one: before it has a name" killed_back_before_the_pin
test_case "back to the full one: it has a name" killed_back_behind_the_pin
test_case "back to the full one: producers have it" killed_back_with_two
test_case "back to the full one: it is the one that is read" killed_back_with_the_next
test_case "the worker is killed between two queues" killed_between
tests_done
