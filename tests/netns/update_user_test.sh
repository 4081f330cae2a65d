#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Updating workflows with user functions: every event is processed once, by one version,
# with the state of those before it; a worker that does not come to its end keeps the old
# version.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

KEYS=10
generation() { faas list --json | jq -r '.[0].generation // 0'; }
update() { # WORKFLOW OPTION...
	local name=$1
	shift
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" "$@" "$FIXTURES/$name.yaml"
}

under_traffic() {
	local version count
	network
	load witness
	faas build --set "sinks.records.file.path=$CASE/records.jsonl" --output "$CASE/bundle" "$FIXTURES/witness.yaml"
	traffic_begin witness --to 10.77.0.1:5005 --keys $KEYS --rate 4000
	for version in 2 3 4; do
		fails 0 faas update "$CASE/bundle"
		traffic_flows 1000
	done
	traffic_end
	count=$(sent sent)
	settle witness
	same "generation" 4 "$(generation)"
	same "matched" "$count" "$(counted matched)"
	same "emitted" "$count" "$(counted emitted)"
	same "processed" "$count" "$(counted processed)"
	exactly_once $KEYS $((count / KEYS))
	same "generations in the records" "1 2 3 4" "$(jq -r .generation "$CASE/records.jsonl" | sort -un | xargs)"
	same "restarts" 0 "$(faas status --json witness | jq .worker.restarts)"
}

delivered_are() { [ "$(faas status --json meter | jq '.sinks[0].delivered')" = "$1" ]; }
largest() { jq -s 'map(.fields.count) | max' "$CASE/$1.jsonl"; } # count in a file

# Functions in the kernel, triggers and sinks' places may change; the state goes on.
kernel_part_changes() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	settle meter
	fails 0 update meter --set 'triggers.in.packet.match.port=[5006]' --set version=2 \
		--set "sinks.records.file.path=$CASE/other.jsonl"
	traffic --to 10.77.0.1:5006 --count 100 --keys $KEYS
	settle meter
	same "matched" 200 "$(counted matched)"
	same "processed" 200 "$(counted processed)"
	wait_for 5 lines_are "$CASE/other.jsonl" 100 || true
	same "lines in the new file" 100 "$(lines_of "$CASE/other.jsonl")"
	same "largest count: state goes on" 20 "$(largest other)"
	wait_for 20 delivered_are 200 || fail "delivered by both: $(faas status --json meter | jq '.sinks[0].delivered')"
	fails 0 faas rollback meter
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	settle meter
	wait_for 20 lines_are "$CASE/records.jsonl" 200 || true
	same "largest count" 30 "$(largest records)"
}

state_begins_anew() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 50 --keys $KEYS
	settle meter
	fails 0 update meter --set functions.total.keys=128 --reset-state total
	traffic --to 10.77.0.1:5005 --count 50 --keys $KEYS
	settle meter
	same "processed" 100 "$(counted processed)"
	wait_for 20 lines_are "$CASE/records.jsonl" 100 || true
	same "largest count: state began anew" 5 "$(largest records)"
	fails 0 update meter --set functions.total.keys=128 --reset-state total
	traffic --to 10.77.0.1:5005 --count 50 --keys $KEYS
	settle meter
	wait_for 20 lines_are "$CASE/records.jsonl" 150 || true
	same "lines" 150 "$(lines_of "$CASE/records.jsonl")"
	same "largest count: and once more" 5 "$(largest records)"
}

another_shape() {
	network
	load meter
	fails 1 faas update "$FIXTURES/gate.yaml" --set workflow=meter
	says 'would have no functions or sinks outside the kernel any more'
	same "generation" 1 "$(generation)"
}

# A worker that hangs: the old version stays, what came in between is counted.
worker_hangs() {
	local pid
	network
	load witness
	pid=$(worker_pid)
	kill -STOP "$pid"
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	fails 1 update witness
	says 'did not empty its ring'
	same "generation" 1 "$(generation)"
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	settle witness
	same "processed" 200 "$(counted processed)"
	exactly_once $KEYS 20
}

trial_goes_back() {
	network
	load witness
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	fails 0 update witness --confirm 600s
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	fails 0 faas rollback witness
	same "generation" 1 "$(generation)"
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	settle witness
	same "processed" 300 "$(counted processed)"
	exactly_once $KEYS 30
}

# The runtime may be gone: the kernel tier does not need it, an update starts it.
without_runtime() {
	network
	load witness
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	kill -KILL "$(runtime_pid)"
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	fails 0 update witness
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	settle witness
	same "processed" 300 "$(counted processed)"
	exactly_once $KEYS 30
}

test_case "under traffic, three times" under_traffic
test_case "kernel functions, triggers and places of sinks change" kernel_part_changes
test_case "state begins anew" state_begins_anew
test_case "a user tier that would go is refused" another_shape
test_case "a worker that hangs keeps the old version" worker_hangs
test_case "a trial goes back" trial_goes_back
test_case "without a runtime" without_runtime
tests_done
