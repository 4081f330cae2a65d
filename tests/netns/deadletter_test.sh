#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Events that were put aside: shown, processed after all, once, or given up.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

DONE=/var/lib/ebpf-faas/workflows/trouble/dead-letters.done

# say WORD: one packet with that payload.
# shellcheck disable=SC2016  # is for the inner shell
say() { in_netns "$PLANT" bash -c 'printf %s "$1" >/dev/udp/10.77.0.1/5005' say "$1"; }
letters() { faas deadletter list --json trouble | jq -r ".dead_letters[]$1"; }
mend() {
	faas update "$FIXTURES/trouble.yaml" --set functions.total.params.mended=1 \
		--set "sinks.records.file.path=$CASE/records.jsonl"
}
lost_letters() { [ "$(letters .id | wc -l)" = "$1" ]; }

# Three dead letters, in a workflow that has since been mended.
three_letters() {
	network
	load trouble
	say error
	say "error, and what follows"
	say crash
	wait_for 10 ledger_at_rest trouble
	wait_for 10 lost_letters 3
	settle trouble
	same "put aside" 3 "$(counted dead_lettered)"
}

shown() {
	local id
	three_letters
	same "reasons" "error error crash" "$(letters .reason | paste -sd' ')"
	same "attempts" "1 1 3" "$(letters .attempts | paste -sd' ')"
	id=$(letters .id | sed -n 2p)
	fails 0 faas deadletter show trouble "$id"
	says "^  id $id$"
	says '^  function total$'
	says "^  payload $(printf 'error, and what follows' | od -An -tx1 | tr -d ' \n')$"
	same "key" "$(faas deadletter show --json trouble "$id" | jq -r '.[0].key')" \
		"$(faas deadletter show --json trouble "$id" | jq -r '.[0].source_port' | xargs printf %04x)"
	fails 0 faas deadletter drop trouble "$id"
	says '^dropped 1$'
	fails 5 faas deadletter show trouble "$id"
	same "left" "error crash" "$(letters .reason | paste -sd' ')"
	fails 2 faas deadletter drop trouble
	fails 2 faas deadletter list trouble --all
	fails 2 faas deadletter forget trouble
	fails 5 faas deadletter list nobody
	fails 0 faas deadletter drop --all trouble
	fails 0 faas deadletter list trouble
	says '^no dead letters$'
	faas unload trouble
	fails 0 faas deadletter list trouble
	faas unload --purge trouble
}

replayed() {
	local id
	three_letters
	# Not mended: they are kept.
	id=$(letters .id | sed -n 1p)
	fails 1 faas deadletter replay trouble "$id"
	says 'returned an error again'
	id=$(letters .id | sed -n 3p)
	fails 1 faas deadletter replay trouble "$id"
	says "$id is kept"
	lost_letters 3 || fail "a letter whose replay failed is gone"
	mend
	fails 0 faas deadletter replay --all trouble
	says '^replayed 3$'
	lost_letters 0 || fail "letters that were replayed are there"
	fails 0 faas deadletter replay --all trouble
	says '^replayed 0$'
	wait_for 10 lines_are "$CASE/records.jsonl" 3
	same "results" 3 "$(lines_of "$CASE/records.jsonl")"
	settle trouble
	same "events processed" 0 "$(counted processed)"
	same "put aside" 3 "$(counted dead_lettered)"
	same "and processed after all" 3 "$(counted replayed)"
	faas unload --purge trouble
}

# Half a line.
torn() {
	three_letters
	mend
	fails 0 faas deadletter drop trouble "$(letters .id | sed -n 1p)"
	printf '{"id":"' >>"$DONE"
	fails 0 faas deadletter replay --all trouble
	says '^replayed 2$'
	fails 0 faas deadletter list trouble
	says '^no dead letters$'
	faas unload --purge trouble
}

# The worker dies right behind the commit: its successor counts it.
worker_killed() {
	three_letters
	mend
	fails 0 faas deadletter replay trouble "$(letters .id | sed -n 1p)"
	wait_for 20 kill_those worker_pid
	wait_for 20 another_worker
	fails 0 faas deadletter replay trouble "$(letters .id | sed -n 1p)"
	settle trouble
	same "processed after all" 2 "$(counted replayed)"
	faas unload --purge trouble
}

# Known to the runtime, so that it asks no dead one.
another_worker() { faas status --json trouble | jq -e ".worker.pid | . > 0 and . != $KILLED"; }

test_case "dead letters are shown and dropped" shown
test_case "dead letters are processed after all, once" replayed
test_case "half a line is passed over" torn
test_case "the worker is killed between two" worker_killed
tests_done
