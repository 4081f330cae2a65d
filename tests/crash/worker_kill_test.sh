#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A worker may die at any instruction: killed from outside at random moments, and
# by itself at each fault point of userspace/base/fault.h, the file holds every
# result exactly once, the state is that of a run without kills, and the ledger
# balances. Random moments come from SEED, which is printed.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
EVENTS=${EVENTS:-200000}
KILLS=20
KEYS=100
FAULT_EVENTS=20000
FAULTS_AT_LEAST=3
FAULTS_BUILD=$BUILD/faults

restarts() { faas status --json witness | jq .worker.restarts; }

send_in_background() { # COUNT
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count "$1" --keys $KEYS \
		--rate 20000 >"$CASE/sent" 2>"$CASE/sender"
	SENDER=$STARTED
	echo "$SENDER" >>"$CASE/pids"
}

all_sent() { # COUNT
	wait "$SENDER" || fail "the sender: $(cat "$CASE/sender")"
	same "sent" "$1" "$(jq .sent "$CASE/sent")"
}

# Everything that was sent has become one result; the last sender had SENT of it.
check_all() { # COUNT [SENT]
	all_sent "${2:-$1}"
	check_results "$1"
}
check_results() { # COUNT
	settle witness
	same "matched" "$1" "$(counted matched)"
	same "emitted" "$1" "$(counted emitted)"
	same "processed" "$1" "$(counted processed)"
	same "dead-lettered" 0 "$(counted dead_lettered)"
	exactly_once $KEYS $(($1 / KEYS))
	same "lines with a torn state" 0 \
		"$(jq -c 'select(.fields.count != .fields.twin)' "$CASE/records.jsonl" | wc -l)"
}

without_kills() {
	network
	load witness
	send_in_background "$FAULT_EVENTS"
	check_all "$FAULT_EVENTS"
	same "restarts" 0 "$(restarts)"
}

# Kill the worker PID. A worker that keeps up is nearly always between two batches;
# every second one is therefore stopped until its ring holds thousands of events, and
# killed while it takes them.
kill_worker() { # PID NUMBER
	if [ $(($2 % 2)) = 1 ]; then
		kill -KILL "$1"
		return
	fi
	kill -STOP "$1" || return
	sleep "0.$((RANDOM % 100 + 100))"
	kill -CONT "$1"
	# Some hundred microseconds, which no sleep can do.
	for ((spin = RANDOM % 300; spin > 0; spin--)); do :; done
	kill -KILL "$1"
}

# At random moments while events come.
at_random() {
	local kills=0 events=$EVENTS pid last=
	network
	load witness
	RANDOM=$SEED
	send_in_background "$EVENTS"
	while [ "$kills" -lt "$KILLS" ]; do
		sleep "0.$((RANDOM % 200 + 100))"
		wait_for 10 worker_other_than "$last" || {
			fail "no worker after kill $kills"
			break
		}
		# On a slow machine it takes more of them.
		if process_gone "$SENDER"; then
			all_sent "$EVENTS"
			send_in_background "$EVENTS"
			events=$((events + EVENTS))
		fi
		pid=$(worker_pid)
		kill_worker "$pid" "$kills" || continue
		last=$pid
		kills=$((kills + 1))
	done
	check_all "$events" "$EVENTS"
	same "restarts" "$KILLS" "$(restarts)"
}
worker_other_than() {
	local pid
	pid=$(worker_pid)
	[ -n "$pid" ] && [ "$pid" != "$1" ]
}

# fault POINT N: each worker kills itself at its Nth pass of POINT.
fault() {
	local hits=0 events=0
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	EBPF_FAAS_FAULT=$1:$2 load witness
	# A worker that was late takes more at once, and passes some points more seldom.
	while [ "$hits" -lt "$FAULTS_AT_LEAST" ] && [ "$events" -lt $((10 * FAULT_EVENTS)) ]; do
		send_in_background "$FAULT_EVENTS"
		all_sent "$FAULT_EVENTS"
		settle witness
		events=$((events + FAULT_EVENTS))
		hits=$(restarts)
	done
	check_results "$events"
	echo "the fault point was hit $hits times by $events events"
	[ "$hits" -ge "$FAULTS_AT_LEAST" ] || fail "$1 was hit $hits times, fewer than $FAULTS_AT_LEAST"
}
before_write() { fault commit.before_write 3000; }
before_header() { fault commit.before_header 3000; }
after_write() { fault commit.after_write 3000; }
inside_batch() { fault batch.inside 300; }
half_copied() { fault state.half_copied 3000; }
half_inserted() { fault state.half_inserted 20; }
before_flip() { fault counters.before_flip 300; }
after_flip() { fault counters.after_flip 300; }

# A worker that dies while it repairs what its predecessor left. It would do so for
# ever, so after a few deaths the runtime is replaced by one without the fault.
inside_recovery() {
	local count=$((FAULT_EVENTS * 4))
	FAAS=$FAULTS_BUILD/ebpf-faas
	network
	# The first one dies inside a batch: so there is something to repair.
	EBPF_FAAS_FAULT=batch.inside:300,recover.inside:1 load witness
	send_in_background "$count"
	wait_for 20 restarts_are $((1 + FAULTS_AT_LEAST)) || fail "recover.inside was not hit"
	echo "$(restarts) restarts"
	kill -TERM "$(runtime_pid)"
	wait_for 10 no_process
	background "$FAULTS_BUILD/libexec/ebpf-faas-runtime" --foreground --log "$CASE/runtime.log"
	check_all "$count"
}
restarts_are() { [ "$(restarts)" -ge "$1" ]; }
no_process() { [ -z "$(runtime_pid)$(worker_pid)" ]; }

echo "# SEED=$SEED"
test_case "without kills, for comparison" without_kills
test_case "$EVENTS events, $KILLS kills at random" at_random
if [ ! -x "$FAULTS_BUILD/ebpf-faas" ]; then
	echo "fault points need: make BUILD=$FAULTS_BUILD FAULTS=1 all" >&2
	exit 1
fi
test_case "before the log is written" before_write
test_case "between a record's entries and its header" before_header
test_case "between the log and the ring's advance" after_write
test_case "inside a batch" inside_batch
test_case "half of a state copied" half_copied
test_case "half of a new key inserted" half_inserted
test_case "before the counters are switched" before_flip
test_case "after the counters are switched" after_flip
test_case "inside the recovery" inside_recovery
tests_done
