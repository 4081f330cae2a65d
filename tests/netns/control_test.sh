#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The control socket: root may change, a group may look, and whoever does neither as it
# should harms nobody. A runtime of another build takes over under traffic.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

GROUP=42424
KEYS=10
CROWD=2000
export EBPF_FAAS_GROUP=$GROUP

as_group() { # GID COMMAND...: as nobody, in that group
	local group=$1
	shift
	setpriv --reuid 65534 --regid "$group" --clear-groups "$FAAS" "$@" 9<&-
}

a_group_may_look() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 100 --keys $KEYS
	settle meter
	same "sockets" "control.sock 600 0 status.sock 660 $GROUP" \
		"$(cd /run/ebpf-faas && stat -c '%n %a %g' control.sock status.sock | xargs)"
	fails 0 as_group $GROUP list
	says '^meter +running +slot 1 '
	fails 0 as_group $GROUP status
	says 'events: processed 100, dead_lettered 0'
	same "as JSON" "100 $(worker_pid)" \
		"$(as_group $GROUP status --json meter | jq -r '"\(.processed) \(.worker_pid)"')"
	fails 1 as_group $GROUP status nothing-here
	says 'the runtime has no workflow nothing-here'
	fails 4 as_group 4 status meter
	says 'add you to the group ebpf-faas'
	fails 4 as_group $GROUP unload meter
	same "state" loaded "$(faas list --json | jq -r '.[0].state')"
	faas unload meter
	fails 1 as_group $GROUP status
	says 'there is no runtime'
}

# crowds MS: in both sockets, none of which behaves.
crowds() {
	start_in_netns "$GATEWAY" "$TEST_LIB/clients" /run/ebpf-faas/status.sock $CROWD "$1" 400 $GROUP >"$CASE/readers"
	echo "$STARTED" >>"$CASE/pids"
	READERS=$STARTED
	start_in_netns "$GATEWAY" "$TEST_LIB/clients" /run/ebpf-faas/control.sock $CROWD "$1" $CROWD >"$CASE/roots"
	echo "$STARTED" >>"$CASE/pids"
	ROOTS=$STARTED
}

in_ms() { # COMMAND...
	local begin=${EPOCHREALTIME/./}
	"$@" >"$CASE/output" || fail "$* failed: $(cat "$CASE/output")"
	echo $(((${EPOCHREALTIME/./} - begin) / 1000))
}

crowds_do_no_harm() {
	local runtime took
	network
	load meter
	runtime=$(runtime_pid)
	crowds $((1000 * $(stretched 60)))
	traffic --to 10.77.0.1:5005 --count 20000 --keys $KEYS --rate 5000 &
	for _ in 1 2 3 4 5; do
		took=$(in_ms faas status meter)
		echo "status: $took ms"
		[ "$took" -lt "$(stretched 20000)" ] || fail "status took $took ms"
	done
	# What goes by the socket of root waits for its turn, and gets it.
	took=$(in_ms faas load --netns "$GATEWAY" --set 'workflow=other' \
		--set 'triggers.in.packet.match.destination_port=[6006]' \
		--set "sinks.records.file.path=$CASE/other.jsonl" "$FIXTURES/vlan-meter.yaml")
	echo "load of another: $took ms"
	took=$(in_ms faas unload other)
	echo "its unload: $took ms"
	# They were there all the time.
	kill -TERM "$ROOTS" "$READERS" || fail "the crowds had gone before"
	wait
	cat "$CASE/readers" "$CASE/roots"
	same "runtime" "$runtime" "$(runtime_pid)"
	settle meter
	same "processed" 20000 "$(counted processed)"
	same "restarts" 0 "$(faas status --json meter | jq .worker.restarts)"
	exactly_once $KEYS 2000
	# Who may only look is let in slowly: the others of the two thousand wait outside.
	[ "$(jq .connected "$CASE/readers")" -ge 400 ] || fail "too few readers came"
	[ "$(jq .connected "$CASE/roots")" -ge $CROWD ] || fail "too few came"
	for crowd in readers roots; do
		[ "$(jq .cut "$CASE/$crowd")" -gt 0 ] || fail "none of the $crowd was sent away"
	done
	fails 0 as_group $GROUP status meter
}
test_case "a group may look, and only look" a_group_may_look
test_case "two thousand clients at each socket, none of which behaves" crowds_do_no_harm
tests_done
