#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command dies while it replays dead letters, before the worker hears of one, or when
# it has answered: each is processed once all the same.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

FAULTS_BUILD=$BUILD/faults

if [ ! -x "$FAULTS_BUILD/ebpf-faas" ]; then
	echo "fault points need: make BUILD=$FAULTS_BUILD FAULTS=1 all" >&2
	exit 1
fi
FAAS=$FAULTS_BUILD/ebpf-faas

# shellcheck disable=SC2016  # is for the inner shell
say() { in_netns "$PLANT" bash -c 'printf %s "$1" >/dev/udp/10.77.0.1/5005' say "$1"; }
letters_are() { [ "$(faas deadletter list --json trouble | jq '.dead_letters | length')" = "$1" ]; }

# killed POINT:PASS
killed() {
	local status=0
	network
	load trouble
	say error
	say "error, and more"
	say crash
	wait_for 10 ledger_at_rest trouble
	wait_for 10 letters_are 3
	faas update "$FIXTURES/trouble.yaml" --set functions.total.params.mended=1 \
		--set "sinks.records.file.path=$CASE/records.jsonl"
	EBPF_FAAS_FAULT=$1 "$FAAS" deadletter replay --all trouble 9<&- || status=$?
	same "killed at $1: status" 137 "$status"
	fails 0 faas deadletter replay --all trouble
	wait_for 10 lines_are "$CASE/records.jsonl" 3
	settle trouble
	same "processed after all" 3 "$(counted replayed)"
	same "results" 3 "$(lines_of "$CASE/records.jsonl")"
	letters_are 0 || fail "letters that were replayed are there"
	faas unload --purge trouble
}
before_the_first() { killed deadletter.noted:1; }
behind_the_second() { killed deadletter.asked:2; }
before_the_third() { killed deadletter.noted:5; }

test_case "killed before the worker hears of it" before_the_first
test_case "killed when the worker has answered" behind_the_second
test_case "killed in the middle of more" before_the_third
tests_done
