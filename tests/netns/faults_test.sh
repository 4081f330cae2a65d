#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Functions that take too long: whoever meets such an event is replaced, the event is
# put aside, and nothing else is lost.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

DEAD=/var/lib/ebpf-faas/workflows/trouble/dead-letters.jsonl

SOURCE=$FIXTURES/funcs/trouble/trouble.user.c

# say WORD: one packet with that payload.
# shellcheck disable=SC2016  # is for the inner shell
say() { in_netns "$PLANT" bash -c 'printf %s "$1" >/dev/udp/10.77.0.1/5005' say "$1"; }

# Traffic, packets that say WORD, and traffic again: the former are put aside for REASON,
# and the latter comes through, once.
put_aside() { # WORD COUNT REASON
	local i
	traffic --to 10.77.0.1:5005 --count 200 --keys 10 --first-port 40000
	for ((i = 0; i < $2; i++)); do say "$1"; done
	traffic --to 10.77.0.1:5005 --count 200 --keys 10 --first-port 40000
	wait_for 40 ledger_at_rest trouble
	settle trouble
	same "matched" $((400 + $2)) "$(counted matched)"
	same "processed" 400 "$(counted processed)"
	same "put aside" "$2" "$(counted dead_lettered)"
	same "lost" 0 "$(jq '[.lost[]] | add // 0' <<<"$LEDGER")"
	exactly_once 10 40
	wait_for 20 lines_are "$DEAD" "$2" || true
	same "reasons" "$2 \"$3\"" "$(jq .reason "$DEAD" | sort | uniq -c | sed 's/^ *//')"
}
done_with() { faas unload --purge trouble; }

spins() {
	network
	load trouble
	put_aside 'spin!' 2 timeout
	grep -q 'event=worker.died.*reason="a function was over its time"' /run/ebpf-faas/runtime.log ||
		fail "the runtime's log does not say why"
	same "where it spun" '"make_trouble"' "$(faas status --json trouble | jq '.crashes[0].frames[1].function')"
	same "deaths" 6 "$(faas status --json trouble | jq .worker.restarts)"
	done_with
}

spins_deaf() {
	network
	load trouble
	put_aside 'deaf!' 1 timeout
	done_with
}

crashes() {
	network
	load trouble
	put_aside crash 2 crash
	faas status trouble | tee "$CASE/output"
	says '^    crashes kept 6, the last one: pid [0-9]*, it was killed by signal 6$'
	says '^      in libc.so.6 '
	says "^      in total, make_trouble at .*/trouble.user.c:$(grep -n 'abort()' "$SOURCE" | cut -d: -f1)\$"
	says '^      said: event=log workflow=trouble function=total text="about to crash"'
	done_with
}

returns_an_error() {
	network
	load trouble
	put_aside error 3 error
	done_with
}

# A function that has no timeout of its own has that of one second; and who unloads
# such a workflow does not wait for long.
hangs_at_the_end() {
	local begin
	network
	load trouble --set functions.total.timeout=1h
	say 'spin!'
	wait_for 5 at_work
	begin=$SECONDS
	faas unload trouble
	[ $((SECONDS - begin)) -le "$(stretched 30)" ] || fail "it took $((SECONDS - begin)) s"
}
at_work() { [ "$(ledger_get "$(ledger trouble)" in_flight)" = 1 ]; }

# A worker that is stopped for longer than the timeout is not over its time.
stopped() {
	local pid
	network
	load trouble
	traffic --to 10.77.0.1:5005 --count 200 --keys 10 --first-port 40000
	pid=$(worker_pid)
	for _ in 1 2 3; do
		kill -STOP "$pid"
		traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
		sleep 0.3
		kill -CONT "$pid"
	done
	settle trouble
	same "the worker is" "$pid" "$(worker_pid)"
	exactly_once 10 50
}

# One that fails twice comes through, in its place; one that always fails is put aside
# after as many attempts as were said.
tries_again() {
	network
	load trouble --set retry.attempts=4 --set 'retry.backoff=100ms..200ms'
	traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
	say twice
	traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
	settle trouble
	same "processed" 201 "$(counted processed)"
	same "put aside" 0 "$(counted dead_lettered)"
	same "retries" 2 "$(faas status --json trouble | jq .worker.retries)"
	same "errors" 0 "$(faas status --json trouble | jq '.functions[0].errors')"
	wait_for 10 lines_are "$CASE/records.jsonl" 201
	same "its place in the file" 101 "$(jq -r .key "$CASE/records.jsonl" | grep -vnE '^4000[0-9]$' | cut -d: -f1)"
	say error
	say 'spin!'
	settle trouble
	wait_for 20 lines_are "$DEAD" 2 || true
	same "attempts" '"error" 4 "timeout" 4' "$(jq -r '"\"\(.reason)\" \(.attempts)"' "$DEAD" | paste -sd' ')"
	done_with
}

state_is() { [ "$(faas status --json trouble | jq -r .worker.state)" = "$1" ]; }
stands_in() { [ "$(ledger_get "$(ledger trouble)" stopped.passed)" -gt 0 ] || { say x && false; }; }
drops() { [ "$(ledger_get "$(ledger trouble)" stopped.dropped)" -gt 0 ] || { say x && false; }; }
is_sleeping() { state_is sleeping || state_is running; }

# What keeps failing does not run any more, and what runs beside it goes on.
keeps_failing() {
	local i pid
	network
	load trouble
	faas load --netns "$GATEWAY" "$FIXTURES/meter.yaml" --set "triggers.in.packet.match.port=[6006]" \
		--set "sinks.records.file.path=$CASE/other.jsonl"
	traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
	for ((i = 0; i < 5; i++)); do say crash; done
	wait_for 30 state_is quarantined
	wait_for 10 stands_in
	traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
	faas status trouble | tee "$CASE/output"
	says 'quarantined: its user functions ended 15 workers within 60 s, the last one: it was killed by signal 6'
	says 'every packet passes meanwhile; update it, or .ebpf-faas resume trouble. tries again'
	LEDGER=$(ledger trouble)
	same "verdicts" "$(counted matched)" $(($(counted passed) + $(counted dropped)))
	same "those that passed it by" $(($(counted matched) - 105)) "$(counted stopped.passed)"
	traffic --to 10.77.0.1:6006 --count 100 --keys 10
	settle meter
	same "the other one processed" 100 "$(counted processed)"
	# The next runtime knows.
	pid=$(runtime_pid)
	kill -KILL "$pid"
	wait_for 10 process_gone "$pid"
	fails 0 faas gc
	wait_for 10 state_is quarantined
	fails 0 faas resume trouble
	says 'resumed trouble'
	wait_for 10 is_sleeping
	wait_for 5 not_stopped
	traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
	settle trouble
	same "processed" 200 "$(counted processed)"
	same "put aside" 5 "$(counted dead_lettered)"
	exactly_once 10 20
	done_with
}
not_stopped() { ! faas list | grep -q quarantined; }

# Where packets may not pass; and the way out is a version that does not fail.
keeps_failing_closed() {
	local i
	network
	load trouble --set on_failure=drop
	for ((i = 0; i < 7; i++)); do say crash; done
	wait_for 30 state_is quarantined
	wait_for 10 drops
	LEDGER=$(ledger trouble)
	same "those that were dropped" "$(counted stopped.dropped)" "$(counted dropped)"
	faas update "$FIXTURES/trouble.yaml" --set on_failure=drop --set functions.total.timeout=2s \
		--set "sinks.records.file.path=$CASE/records.jsonl"
	wait_for 10 is_sleeping
	wait_for 5 not_stopped
	traffic --to 10.77.0.1:5005 --count 100 --keys 10 --first-port 40000
	settle trouble
	same "processed" 100 "$(counted processed)"
	same "put aside, and what was dropped" "$(counted matched)" \
		$(($(counted dead_lettered) + 100 + $(counted dropped)))
	wait_for 20 lines_are "$DEAD" "$(counted dead_lettered)" || true
	jq -r .reason "$DEAD" | sort | uniq -c
	grep -q quarantine "$DEAD" || fail "nothing was put aside for the quarantine"
	done_with
}

test_case "an event over its time is put aside, its neighbours are not" spins
test_case "a function that blocks signals does not hang for longer" spins_deaf
test_case "an event that crashes its worker is put aside" crashes
test_case "an event whose function fails is put aside" returns_an_error
test_case "a workflow that hangs is unloaded" hangs_at_the_end
test_case "a worker that was stopped is not over its time" stopped
test_case "an event is tried again as often as is said" tries_again
test_case "a function that keeps failing is put in quarantine" keeps_failing
test_case "in quarantine packets are dropped if that is said; an update ends it" keeps_failing_closed
tests_done
