#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Storms of SIGKILLs at random moments under load: workers, couriers, runtimes, and all
# of them in turns. Each is back within bounds of time, nobody is left over, the file
# holds every result exactly once, the state is that of a run without kills, and the
# ledger balances. KILLS of each (20; `make storm`: 200); random moments come from SEED,
# which is printed.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
KILLS=${KILLS:-20}
KEYS=100
RATE=10000
RUNTIME=$BUILD/libexec/ebpf-faas-runtime
# From a kill until there is another one, in seconds. A runtime takes over what it
# finds, and waits for the end of its predecessor's workers.
BACK_S=10

begin_load() {
	network
	load witness --set workers.instances.min=1 # at the end there is one, however long that took
	RANDOM=$SEED
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 4000000000 \
		--keys $KEYS --rate $RATE >"$CASE/sent" 2>"$CASE/sender"
	SENDER=$STARTED
	echo "$SENDER" >>"$CASE/pids"
	longest_ms=0
}

now_ms() { date +%s%3N; }

# Those that are called so, of this build and not dead. A look through /proc for each
# kill has to be a short one, so one process reads it.
all_of() { # worker|courier|runtime
	local name=ebpf-faas-$1 pid parent pids=' ' lines
	lines=$(awk -v name="(${name:0:15})" '$2 == name && $3 != "Z" && $3 != "X" {print $1, $4}' \
		/proc/[0-9]*/stat 2>/dev/null || true)
	while read -r pid parent; do
		[[ $(readlink "/proc/$pid/exe" 2>/dev/null) != "$BUILD"/* ]] || pids+="$pid "
	done <<<"$lines"
	while read -r pid parent; do
		# A child that has not become another program yet is not one of them.
		[[ $pids != *" $pid "* || $pids == *" $parent "* ]] || echo "$pid"
	done <<<"$lines"
}

# The pid of the one that is called so; nothing if there is none, or more than one.
one_of() { # worker|courier|runtime
	local pids
	pids=$(all_of "$1")
	[[ $pids =~ ^[0-9]+$ ]] && echo "$pids"
}

find_one() { PID=$(one_of "$1"); }

another() { # KIND PID
	local pid
	pid=$(one_of "$1") && [ "$pid" != "$2" ]
}

# kill_one KIND: kill it, and wait until there is another. A runtime is started again,
# as a service manager does.
kill_one() {
	local kind=$1 pid old_worker='' begin took
	wait_for "$BACK_S" find_one "$kind" || {
		fail "no $kind"
		return
	}
	pid=$PID
	[ "$kind" != runtime ] || old_worker=$(all_of worker)
	begin=$(now_ms)
	# A courier or worker may have ended with its runtime just now.
	kill -KILL "$pid" || return 0
	if [ "$kind" = runtime ]; then
		# It lets go of its lock when it is gone, which takes a moment.
		wait_for "$BACK_S" process_gone "$pid" || fail "the runtime $pid survives a SIGKILL"
		sleep "0.0$((RANDOM % 10))"
		background "$RUNTIME" --foreground --log "$CASE/runtime.log"
	fi
	wait_for "$BACK_S" another "$kind" "$pid" || {
		fail "no $kind $BACK_S s after the kill of $pid"
		return
	}
	if [ "$kind" = runtime ]; then
		# Its workers are other ones: those of the old one end by themselves.
		wait_for "$BACK_S" another worker "$old_worker" ||
			fail "no worker $BACK_S s after the kill of the runtime $pid"
	fi
	took=$(($(now_ms) - begin))
	[ "$took" -le "$longest_ms" ] || longest_ms=$took
}

# storm KIND...: KILLS kills of each, in random turns.
storm() {
	local kinds=("$@") left=$((KILLS * $#))
	begin_load
	wait_for 5 matched_more_than 1000
	while [ "$left" -gt 0 ]; do
		sleep "0.0$((RANDOM % 90 + 10))"
		kill_one "${kinds[RANDOM % $#]}"
		left=$((left - 1))
	done
	! process_gone "$SENDER" || fail "the sender ended before the last kill: $(cat "$CASE/sender")"
	kill -TERM "$SENDER"
	wait "$SENDER" || fail "the sender: $(cat "$CASE/sender")"
	echo "$((KILLS * $#)) kills, the longest until all was back: $longest_ms ms"
	check_all
}
matched_more_than() { [ "$(ledger_get "$(ledger witness)" matched)" -gt "$1" ]; }

# All that was sent has become one result, but for what found the ring full.
check_all() {
	local sent lost
	sent=$(jq .sent "$CASE/sent")
	wait_for "$BACK_S" one_of worker || fail "workers: $(all_of worker)"
	settle witness
	lost=$(counted lost.ring_full)
	echo "sent $sent, lost in a full ring $lost"
	same "matched" "$sent" "$(counted matched)"
	same "emitted" $((sent - lost)) "$(counted emitted)"
	same "processed" $((sent - lost)) "$(counted processed)"
	same "dead-lettered" 0 "$(counted dead_lettered)"
	once_each $((sent - lost))
	for kind in worker courier runtime; do
		one_of "$kind" >/dev/null || fail "at the end there is: $kind $(all_of "$kind")"
	done
}

# once_each COUNT: so many lines, and for each key the counts from 1 on, each once.
once_each() {
	wait_for 30 lines_are "$CASE/records.jsonl" "$1" || true
	same "lines in the file" "$1" "$(lines_of "$CASE/records.jsonl")"
	jq -r '"\(.key) \(.fields.count) \(.fields.twin)"' "$CASE/records.jsonl" | awk '
		$2 != $3 {print "key " $1 ": a torn state: " $2 ", " $3}
		# One worker at a time, one event after the other: in order, too.
		$2 != last[$1] + 1 {print "key " $1 ": " $2 " after " last[$1]}
		{last[$1] = $2}' >"$CASE/wrong"
	[ ! -s "$CASE/wrong" ] || {
		fail "not every result is in the file exactly once:"
		head -n 20 "$CASE/wrong"
	}
}

workers() { storm worker; }
couriers() { storm courier; }
runtimes() { storm runtime; }
all_in_turns() { storm worker courier runtime; }

echo "# SEED=$SEED KILLS=$KILLS"
test_case "$KILLS kills of the worker" workers
test_case "$KILLS kills of the courier" couriers
test_case "$KILLS kills of the runtime" runtimes
test_case "$KILLS kills of each, in turns" all_in_turns
tests_done
