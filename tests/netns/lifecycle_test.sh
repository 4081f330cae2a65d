#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Interfaces that go away, and unloading: with draining, at once, in any order.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

interface_deleted() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 50
	settle meter
	in_netns "$GATEWAY" ip link delete gw0
	fails 0 faas status meter
	says 'gw0'
	says 'gone|away|missing|absent|deleted|not there|no longer'
	LEDGER=$(ledger meter)
	same "matched stays" 50 "$(counted matched)"
	fails 0 faas unload meter
}

namespace_deleted() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 50
	settle meter
	netns_delete "$GATEWAY" "$PLANT"
	fails 0 faas status meter
	fails 0 faas unload meter
}

# The interface of one workflow goes; the other one, on another, does not notice.
one_of_two_deleted() {
	network
	in_netns "$GATEWAY" ip link add gw1 type veth peer name plant1 netns "$PLANT"
	in_netns "$GATEWAY" ip link set gw1 up
	load meter
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml" --set 'triggers.in.packet.interfaces=[gw1]'
	in_netns "$GATEWAY" ip link delete gw1
	fails 0 faas unload gate
	traffic --to 10.77.0.1:5005 --count 50
	settle meter
	same "matched" 50 "$(counted matched)"
}

# Stop the worker, so that its ring is full of events, and start it again while
# unload waits: all of them are in the file.
unload_drains() {
	local pid unload
	network
	load meter
	pid=$(worker_pid)
	kill -STOP "$pid"
	traffic --to 10.77.0.1:5005 --count 3000 --keys 10
	LEDGER=$(ledger meter)
	same "in flight before" 3000 "$(counted in_flight)"
	background "$FAAS" unload --json meter >"$CASE/unload"
	unload=$LAST
	# It waits: the trigger is out, the worker is asked to drain.
	wait_for 3 trigger_is_out || fail "the trigger stays"
	kill -CONT "$pid"
	wait "$unload"
	cat "$CASE/unload"
	same "lines in the file" 3000 "$(lines_of "$CASE/records.jsonl")"
	jq -es 'length == 1' "$CASE/unload"
}
trigger_is_out() { # port 5005 leads nowhere
	[ "$(bpftool --json map lookup pinned "$(echo "$PIN_ROOT"/[0-9]*/[0-9]*/xdp/ports)" key hex 8d 13 00 00 |
		jq '.formatted.value.udp_destination.slot')" = 0 ]
}

# A worker that does not answer: unload gives up after its bound and counts.
unload_gives_up() {
	local pid
	network
	load meter
	pid=$(worker_pid)
	kill -STOP "$pid"
	traffic --to 10.77.0.1:5005 --count 500 --keys 10
	exec 7</run/ebpf-faas/runtime.log # which goes with the workflow
	fails 0 timeout 60 "$FAAS" unload meter
	says '\b500\b'
	grep -q "pid=$pid reason=\"it did not drain in time\"" <&7 || fail "the worker was not given up"
	exec 7<&-
}

# Not as long as the other one waits at least; once of three times, for a machine may stand still
# for that long.
unload_now() {
	local before took
	network
	for _ in 1 2 3; do
		load meter
		kill -STOP "$(worker_pid)"
		traffic --to 10.77.0.1:5005 --count 500 --keys 10
		before=$SECONDS
		fails 0 faas unload --now meter
		says '\b500\b'
		took=$((SECONDS - before))
		[ "$took" -ge "$(stretched 5)" ] || return 0
	done
	fail "unload --now took $took s"
}

unload_of_nothing() {
	fails 5 faas unload nothing-here
	says nothing-here
}

# Under traffic: unload never breaks a packet's way, and load counts from 0.
load_again() {
	local round
	network
	for round in 1 2 3; do
		load meter
		traffic --to 10.77.0.1:5005 --count 100 --keys 4
		settle meter
		same "matched in round $round" 100 "$(counted matched)"
		faas unload meter
	done
	same "records of three rounds" 300 "$(lines_of "$CASE/records.jsonl")"
	same "largest count: state begins anew" 25 "$(jq -s 'map(.fields.count) | max' "$CASE/records.jsonl")"
}

kernel_tier_only() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml"
	same "processes of a workflow without user functions" "" "$(faas_processes)"
	traffic --to 10.77.0.1:5005 --count 100
	settle gate
	same "matched" 100 "$(counted matched)"
}

test_case "an interface deleted while loaded" interface_deleted
test_case "a namespace deleted while loaded" namespace_deleted
test_case "an interface deleted beside another workflow's" one_of_two_deleted
test_case "unload drains the ring" unload_drains
test_case "unload of a worker that hangs is bounded, and counts" unload_gives_up
test_case "unload --now does not drain" unload_now
test_case "unload of what is not loaded" unload_of_nothing
test_case "load, unload, load again" load_again
test_case "a workflow of kernel functions needs no process" kernel_tier_only
tests_done
