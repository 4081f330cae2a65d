#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A function of a hostile author tries what it may not, one attack after the other, by
# system call and by io_uring operation (attacks/funcs/attacker/attacks.def). Each is
# stopped and reported; a neighbour on the same interface does not notice.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

ATTACKS=$TOP/tests/crash/attacks
FIRST_PORT=30000
EVENTS=${EVENTS:-40000}
KEYS=100

# NAME END, one a line, in the order of their numbers.
attacks() { sed -n 's/^ATTACK(\([a-z0-9_]*\), "\([^"]*\)".*/\1 \2/p' "$ATTACKS/funcs/attacker/attacks.def"; }

# The object only: it is made from the insides of the worker, not from what authors get.
load_attacker() {
	mkdir -p "$CASE/attacks/funcs/attacker"
	cp "$ATTACKS/attacker.yaml" "$CASE/attacks/"
	cp "$BUILD/tests/crash/attacks/funcs/attacker/attacker.so" "$CASE/attacks/funcs/attacker/"
	faas load --netns "$GATEWAY" --set "sinks.records.file.path=$CASE/attacks.jsonl" \
		"$CASE/attacks/attacker.yaml"
}

deaths() { grep -c "event=worker.died workflow=attacker" /run/ebpf-faas/runtime.log || true; }
last_death() { grep "event=worker.died workflow=attacker" /run/ebpf-faas/runtime.log | tail -n 1; }
# Who keeps failing is put in quarantine, and its last event with it.
is_done() { # COUNT
	! grep -q "event=workflow.quarantined" <(tail -n 3 /run/ebpf-faas/runtime.log) || faas resume attacker
	LEDGER=$(ledger attacker)
	[ $(($(counted processed) + $(counted dead_lettered))) = "$1" ]
}

# died NAME DEATHS ERROR PATTERN: the worker did, and the log says how.
died() {
	if [ "$2" = 0 ] || ! last_death | grep -q "$4"; then
		fail "$1: $2 deaths, error \"$3\", should be $4: $(last_death)"
	fi
}

# attack NUMBER NAME END...
attack() {
	local before after error
	before=$(deaths)
	traffic --to 10.77.0.1:5666 --count 1 --keys 1 --first-port $((FIRST_PORT + $1)) >/dev/null
	wait_for 20 is_done $(($1 + 1)) || {
		fail "$2: the event did not come to its end"
		return
	}
	after=$(deaths)
	error=$(jq -r "select(.fields.attack == $1) | .fields.error" "$CASE/attacks.jsonl")
	case $3 in
	errno)
		wait_for 5 attack_is_told "$1" || true
		error=$(jq -r "select(.fields.attack == $1) | .fields.error" "$CASE/attacks.jsonl")
		same "$2: deaths, and error" "0 $4" "$((after - before)) $error"
		;;
	forbidden)
		died "$2" $((after - before)) "$error" "signal=31 .*called $4, which"
		;;
	signal)
		died "$2" $((after - before)) "$error" "signal=$4 "
		;;
	reason) died "$2" $((after - before)) "$error" "${*:4}" ;;
	*) fail "$2: what is \"$3\"?" ;;
	esac
}
attack_is_told() { grep -q "\"attack\":$1," "$CASE/attacks.jsonl"; }

bounded_by_cgroup() { faas status attacker | grep -q "limited by .*cgroup memory"; }

all_attacks() {
	local number=0 name end
	network
	load witness
	load_attacker
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count "$EVENTS" \
		--keys $KEYS --rate 2000 >"$CASE/sent"
	SENDER=$STARTED
	echo "$SENDER" >>"$CASE/pids"
	while read -r name end; do
		# Without control groups malloc() says no.
		if [ "$name" = fill_memory ] && ! bounded_by_cgroup; then end="errno 12"; fi
		# shellcheck disable=SC2086
		attack "$number" "$name" $end
		number=$((number + 1))
	done < <(attacks)
	echo "$number attacks"
	[ "$number" -ge 25 ] || fail "only $number attacks"
	same "attacks that reached a file" "" "$(find /tmp -maxdepth 1 -name attacked)"
	fails 0 faas status attacker
	says "limited by .*seccomp"
	settle attacker
	same "emitted by the attacker's trigger" "$number" "$(counted emitted)"
	unharmed
}

# The neighbour got every event, kept its state, and its worker is still the first.
unharmed() {
	wait "$SENDER" || fail "the sender: $(cat "$CASE/sent")"
	settle witness
	same "the neighbour's matched" "$EVENTS" "$(counted matched)"
	same "the neighbour's processed" "$EVENTS" "$(counted processed)"
	same "the neighbour's restarts" 0 "$(faas status --json witness | jq .worker.restarts)"
	exactly_once $KEYS $((EVENTS / KEYS))
	faas unload --purge attacker
}

# group_file NAME...: of the worker's control group, the first that there is.
group_file() {
	local name
	for name; do
		find /sys/fs/cgroup -path "*/ebpf-faas.$(stat -c %d /run)/witness/$name"
	done | head -n 1
}

# Limits stand in the worker's control group, which goes with the workflow: also after
# the runtime was killed.
control_groups() {
	local file
	network
	load witness --set workers.memory=16Mi
	file=$(group_file memory.max memory.limit_in_bytes)
	[ -n "$file" ] || {
		echo "no control groups for memory here"
		fails 0 faas status witness
		fails 1 grep -q "cgroup memory" "$CASE/output"
		return
	}
	same "its memory" $((16 << 20)) "$(cat "$file")"
	same "who is in it" "$(worker_pid)" "$(cat "${file%/*}/cgroup.procs")"
	kill -KILL "$(runtime_pid)"
	wait_for 10 no_worker
	fails 0 faas gc
	wait_for 10 has_worker
	same "who is in it then" "$(worker_pid)" "$(cat "${file%/*}/cgroup.procs")"
	faas unload witness
	same "groups behind unload" "" "$(group_file '*')"
	share_of_the_processor
}

share_of_the_processor() {
	local file
	fails 0 load witness --set workers.cpu=20%
	file=$(group_file cpu.max cpu.cfs_quota_us)
	same "its share of the processor" 20000 "$(cut -d' ' -f1 "$file")"
	same "who is in its group" "$(worker_pid)" "$(cat "${file%/*}/cgroup.procs")"
	fails 0 faas status witness
	says "cgroup cpu"
}
no_worker() { [ -z "$(worker_pid)" ]; }
has_worker() { [ -n "$(worker_pid)" ]; }

test_case "limits of control groups" control_groups
test_case "$(attacks | wc -l) attacks, each stopped and reported" all_attacks
tests_done
