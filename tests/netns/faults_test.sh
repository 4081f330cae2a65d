#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Functions that take too long: whoever meets such an event is replaced, the event is
# put aside, and nothing else is lost.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

DEAD=/var/lib/ebpf-faas/workflows/trouble/dead-letters.jsonl

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
	same "reasons" "$2 \"$3\"" "$(jq .reason "$DEAD" | sort | uniq -c | sed 's/^ *//')"
}
done_with() { faas unload --purge trouble; }

spins() {
	network
	load trouble
	put_aside 'spin!' 2 timeout
	grep -q 'event=worker.died.*reason="a function was over its time"' /run/ebpf-faas/runtime.log ||
		fail "the runtime's log does not say why"
	same "deaths" 6 "$(faas status --json trouble | jq .worker.restarts)"
	done_with
}

spins_deaf() {
	network
	load trouble
	put_aside 'deaf!' 1 timeout
	grep -q 'event=worker.killed.*it hangs' /run/ebpf-faas/runtime.log ||
		fail "the runtime's log does not say that it ended the worker"
	done_with
}

crashes() {
	network
	load trouble
	put_aside crash 2 crash
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
	[ $((SECONDS - begin)) -le "$(stretched 8)" ] || fail "it took $((SECONDS - begin)) s"
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

test_case "an event over its time is put aside, its neighbours are not" spins
test_case "a function that blocks signals is ended by the runtime" spins_deaf
test_case "an event that crashes its worker is put aside" crashes
test_case "an event whose function fails is put aside" returns_an_error
test_case "a workflow that hangs is unloaded" hangs_at_the_end
test_case "a worker that was stopped is not over its time" stopped
tests_done
