#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A function of a hostile author tries what it may not, one attack after the other, by
# system call and by io_uring operation (attacks/funcs/attacker/attacks.def). Each is
# stopped and reported; a neighbour on the same interface does not notice. What it may do to
# its own pages, log and ring hurts itself, and is told.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

ATTACKS=$TOP/tests/crash/attacks
FIRST_PORT=30000
NO_ATTACK=1000 # a number behind all of them
KEYS=100
# Fewer where less can be done in a second.
RATE=$((2000 / ${TIME_FACTOR:-1}))
OUTPUTS_A_SECOND=$((19 / ${TIME_FACTOR:-1} + 1))
LINES_A_SECOND=20

# NAME END, one a line, in the order of their numbers.
attacks() { sed -n 's/^ATTACK(\([a-z0-9_]*\), "\([^"]*\)".*/\1 \2/p' "$ATTACKS/funcs/attacker/attacks.def"; }
together() { attacks | grep -v "^[a-z0-9_]* alone "; }
alone() { attacks | grep "^[a-z0-9_]* alone "; }

# load_attacker OPTION...: the object only, for it is made from the insides of the worker,
# not from what authors get.
load_attacker() {
	mkdir -p "$CASE/attacks/funcs/attacker"
	cp "$ATTACKS/attacker.yaml" "$CASE/attacks/"
	cp "$BUILD/tests/crash/attacks/funcs/attacker/attacker.so" "$CASE/attacks/funcs/attacker/"
	faas load --netns "$GATEWAY" --set "sinks.records.file.path=$CASE/attacks.jsonl" \
		--set "functions.attack.timeout=$(stretched 1)s" "$@" \
		"$CASE/attacks/attacker.yaml"
}

# send FIRST COUNT: an event for each of so many attacks.
send() {
	traffic --to 10.77.0.1:5666 --count "$2" --keys "$2" --first-port $((FIRST_PORT + $1)) \
		>/dev/null
}

deaths() { grep "event=worker.died workflow=attacker" /run/ebpf-faas/runtime.log; }
# Who keeps failing is put in quarantine, and what is left in its ring with it.
is_done() { # COUNT
	! faas status --json attacker | jq -e '.worker.state == "quarantined"' || faas resume attacker
	LEDGER=$(ledger attacker)
	[ $(($(counted processed) + $(counted dead_lettered))) = "$1" ]
}
error_of() { jq -r "select(.fields.attack == $1) | .fields.error" "$CASE/attacks.jsonl"; }
attack_is_told() { grep -q "\"attack\":$1," "$CASE/attacks.jsonl"; }

# died NAME LINE ERROR PATTERN: the worker did, and LINE of the log says how.
died() {
	if [ -n "$3" ] || ! grep -q "$4" <<<"$2"; then
		fail "$1: error \"$3\", should be $4: $2"
	fi
}

# ended NUMBER NAME END...: the next line of the deaths, on FD 7, is about it if it is one.
ended() {
	local line="" error
	[ "$3" = errno ] || read -r line <&7 || line="no death"
	[ "$3" != errno ] || wait_for 5 attack_is_told "$1" || true
	error=$(error_of "$1")
	case $3 in
	errno) same "$2: error" "$4" "$error" ;;
	forbidden) died "$2" "$line" "$error" "signal=31 .*called $4, which" ;;
	signal) died "$2" "$line" "$error" "signal=$4 " ;;
	reason) died "$2" "$line" "$error" "${*:4}" ;;
	*) fail "$2: what is \"$3\"?" ;;
	esac
}

bounded_by_cgroup() { faas status attacker | grep -q "limited by .*cgroup memory"; }

# One event for each, all at once: a worker goes on where the one before it died, so that
# there is one death for each that has to end in one, in their order.
attacks_together() {
	local number=0 name end count expected=0 bounded=0
	count=$(together | wc -l)
	load_attacker
	bounded_by_cgroup || bounded=$?
	send 0 "$count"
	wait_for 120 is_done "$count" || fail "the events did not come to their end: $LEDGER"
	deaths >"$CASE/deaths" || true
	exec 7<"$CASE/deaths"
	while read -r name end; do
		# Without control groups malloc() says no.
		if [ "$name" = fill_memory ] && [ $bounded != 0 ]; then end="errno 12"; fi
		[ "${end%% *}" = errno ] || expected=$((expected + 1))
		# shellcheck disable=SC2086
		ended "$number" "$name" $end
		number=$((number + 1))
	done < <(together)
	exec 7<&-
	echo "$number attacks together"
	[ "$number" -ge 25 ] || fail "only $number attacks"
	same "deaths" $expected "$(lines_of "$CASE/deaths")"
	same "dead letters" $expected "$(counted dead_lettered)"
	same "attacks that reached a file" "" "$(find /tmp -maxdepth 1 -name attacked)"
	fails 0 faas status attacker
	says "limited by .*seccomp"
	settle attacker
	same "emitted by the attacker's trigger" "$number" "$(counted emitted)"
	faas unload --purge attacker
}

# is_said NUMBER PATTERN: status or log say so, of an attack that is tried once more.
is_said() {
	send "$1" 1
	{
		faas status attacker
		tail -n "+$LOG_BEGIN" /run/ebpf-faas/runtime.log
	} >"$CASE/said" 2>&1
	grep -q "$2" "$CASE/said"
}

# Each with a workflow that it has for itself: what it hurts is its own, and is noticed.
attacks_alone() {
	local number name end begin neighbour
	number=$(together | wc -l)
	neighbour=$(log_id witness)
	while read -r name end; do
		LOG_BEGIN=$(($(lines_of /run/ebpf-faas/runtime.log) + 1))
		begin=$SECONDS
		load_attacker --set "limits.outputs=$OUTPUTS_A_SECOND/s" --set "limits.logs=$LINES_A_SECOND/s" \
			--set "functions.attack.params.neighbour=$neighbour"
		# Something that is not lost when the worker dies of the attack.
		send $NO_ATTACK 1
		wait_for 20 is_done 1 || fail "$name: what came before it was not processed"
		if wait_for 20 is_said "$number" "${end#alone }"; then
			echo "$name: $(grep -m 1 "${end#alone }" "$CASE/said")"
		else
			fail "$name: neither status nor log say \"${end#alone }\": $(cat "$CASE/said")"
		fi
		faas unload --now --purge attacker
		is_bounded "$name" $((SECONDS - begin + 2))
		number=$((number + 1))
	done < <(alone)
}

# is_bounded NAME SECONDS: of floods no more got through than so many seconds' worth.
is_bounded() {
	local lines
	case $1 in
	flood_the_outputs)
		lines=$(jq -c 'select(.fields.attack == 0)' "$CASE/attacks.jsonl" | wc -l)
		[ "$lines" -le $((OUTPUTS_A_SECOND * $2)) ] || fail "$1: $lines lines in the file"
		;;
	flood_the_log | flood_what_it_writes_to)
		lines=$(tail -n "+$LOG_BEGIN" /run/ebpf-faas/runtime.log | grep -c "a line of the flood" || true)
		[ "$lines" -le $((LINES_A_SECOND * $2)) ] || fail "$1: $lines lines in the log"
		;;
	forge_a_record_of_another)
		lines=$(jq -c 'select(.fields == null)' "$CASE/attacks.jsonl" | wc -l)
		same "$1: forged records that were delivered" 0 "$lines"
		;;
	esac
}

log_id() { od -An -tu8 -j24 -N8 "/run/ebpf-faas/workflows/$1/log" | tr -d ' '; }

# beside_a_neighbour COMMAND...: the neighbour got every event, kept its state, and its worker is
# still the first.
beside_a_neighbour() {
	network
	load witness
	traffic_begin witness --to 10.77.0.1:5005 --keys $KEYS --rate "$RATE"
	"$@"
	traffic_end
	settle witness
	same "the neighbour's matched" "$(sent sent)" "$(counted matched)"
	same "the neighbour's processed" "$(sent sent)" "$(counted processed)"
	same "the neighbour's restarts" 0 "$(faas status --json witness | jq .worker.restarts)"
	exactly_once $KEYS $(($(sent sent) / KEYS))
}
one_after_the_other() { beside_a_neighbour attacks_together; }
each_alone() { beside_a_neighbour attacks_alone; }

# Limits stand in the worker's control group, which goes with the workflow: also after
# the runtime was killed.
control_groups() {
	local file
	network
	load witness --set workers.memory=16Mi --set workers.instances.min=1
	file=$(group_file witness memory.max memory.limit_in_bytes)
	[ -n "$file" ] || {
		echo "no control groups for memory here"
		fails 0 faas status witness
		! grep "cgroup memory" "$CASE/output" || fail "it says that it has one"
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
	same "groups behind unload" "" "$(group_file witness '*')"
	share_of_the_processor
}

share_of_the_processor() {
	local file
	fails 0 load witness --set workers.cpu=20% --set workers.instances.min=1
	file=$(group_file witness cpu.max cpu.cfs_quota_us)
	same "its share of the processor" 20000 "$(cut -d' ' -f1 "$file")"
	same "who is in its group" "$(worker_pid)" "$(cat "${file%/*}/cgroup.procs")"
	fails 0 faas status witness
	says "cgroup cpu"
}
no_worker() { [ -z "$(worker_pid)" ]; }
has_worker() { [ -n "$(worker_pid)" ]; }

test_case "limits of control groups" control_groups
test_case "$(together | wc -l) attacks, each stopped and reported" one_after_the_other
test_case "$(alone | wc -l) attacks on what is its own, each noticed" each_alone
tests_done
