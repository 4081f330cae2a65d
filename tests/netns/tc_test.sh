#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The TC hooks beside others: by a tcx link and by a filter of the clsact qdisc, with
# filters of somebody else before and after, and what is left in the end.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# gate_tc [HOOK]: the fixture at a TC hook.
gate_tc() {
	sed "s/^      match:/      hook: ${1:-tc-ingress}\n&/" "$FIXTURES/gate.yaml" >"$CASE/gate.yaml"
	faas load --netns "$GATEWAY" "$CASE/gate.yaml"
}

frames() { in_netns "$PLANT" "$TEST_LIB/frames" --interface plant0 "$@"; }

mode_is() {
	same "mode" "$1" "$(faas status --json gate | jq -r '.interfaces[0].mode')"
}

qdiscs() { in_netns "$GATEWAY" tc qdisc show dev gw0 | awk '{print $2}' | sort | tr '\n' ' '; }
filters() { in_netns "$GATEWAY" tc filter show dev gw0 "${1:-ingress}"; }

# A filter of somebody else: it tags what comes to it, so that the stack does not take
# it any more.
foreign_filter() { # PRIORITY [HANDLE]
	local pin=/sys/fs/bpf/ef_test_tag
	bpftool prog load "$TEST_LIB/vlan_push.bpf.o" "$pin" type classifier
	in_netns "$GATEWAY" tc filter add dev gw0 ingress prio "$1" handle "${2:-1}" bpf direct-action \
		object-pinned "$pin"
	rm "$pin"
}
foreign_there() { filters | grep -q 'pref 100 bpf.*ef_test_tag'; }

# received COUNT PORT: so many of 20 datagrams reach the gateway's stack.
received() {
	stack_listen "10.77.0.1:$2"
	traffic --to "10.77.0.1:$2" --count 20
	settle gate
	same "datagrams that the stack got" "$1" "$(stack_received)"
}

# As a kernel without tcx does it.
with_clsact() { export EBPF_FAAS_TC=clsact; }

clsact() {
	silent_network
	with_clsact
	machine_before=$(qdiscs)
	gate_tc
	mode_is clsact
	filters | grep -q 'root_tc' || fail "tc does not show the root program: $(filters)"
	in_netns "$GATEWAY" bpftool net show dev gw0 | grep -q root_tc ||
		fail "bpftool net does not show it"
	frames --count 20 udp,dport=5005
	settle gate
	same "matched" 20 "$(counted matched)"
	faas unload gate
	same "qdiscs" "$machine_before" "$(qdiscs)"
}

clsact_egress() {
	silent_network
	with_clsact
	machine_before=$(qdiscs)
	gate_tc tc-egress
	in_netns "$GATEWAY" "$TEST_LIB/frames" --interface gw0 --count 20 udp,dport=5005
	settle gate
	same "matched" 20 "$(counted matched)"
	same "dropped" 20 "$(counted dropped)"
	faas unload gate
	same "qdiscs" "$machine_before" "$(qdiscs)"
}

# Both directions share a qdisc; it goes with the second.
clsact_both() {
	silent_network
	with_clsact
	machine_before=$(qdiscs)
	gate_tc
	sed "s/^workflow: gate/workflow: out/; s/tc-ingress/tc-egress/" "$CASE/gate.yaml" >"$CASE/out.yaml"
	faas load --netns "$GATEWAY" "$CASE/out.yaml"
	faas unload gate
	in_netns "$GATEWAY" "$TEST_LIB/frames" --interface gw0 --count 5 udp,dport=5005
	settle out
	same "matched by the other direction" 5 "$(counted matched)"
	faas unload out
	same "qdiscs" "$machine_before" "$(qdiscs)"
}

# What was there before is there afterwards; who comes after us sees what passes.
clsact_foreign() {
	network
	with_clsact
	in_netns "$GATEWAY" tc qdisc add dev gw0 clsact
	gate_tc
	received 20 5006
	foreign_filter 100
	received 0 5006
	faas unload gate
	foreign_there || fail "the foreign filter is gone"
	! filters | grep -q root_tc || fail "ours is not gone"
}

# A qdisc that we made stays while somebody uses it.
clsact_adopted() {
	silent_network
	with_clsact
	gate_tc
	foreign_filter 100
	faas unload gate
	foreign_there || fail "the foreign filter is gone"
}

# One that was there stays also when nothing is on it.
clsact_kept() {
	silent_network
	with_clsact
	in_netns "$GATEWAY" tc qdisc add dev gw0 clsact
	gate_tc
	faas unload gate
	qdiscs | grep -q clsact || fail "the foreign qdisc is gone"
}

# Our place among the filters is taken: said, not taken over.
clsact_place_taken() {
	silent_network
	with_clsact
	in_netns "$GATEWAY" tc qdisc add dev gw0 clsact
	foreign_filter 9 0xfaa5
	before=$(filters)
	fails 1 gate_tc
	says 'priority 9'
	same "filters" "$before" "$(filters)"
}

# Somebody took our filter off: status says so, and unload does not mind.
clsact_removed() {
	silent_network
	with_clsact
	gate_tc
	in_netns "$GATEWAY" tc qdisc del dev gw0 clsact
	mode_is gone
	faas unload gate
}

tcx() {
	silent_network
	EBPF_FAAS_TC=tcx gate_tc || {
		echo "this kernel has no tcx"
		return 77
	}
	mode_is tcx
	frames --count 20 udp,dport=5005
	settle gate
	same "matched" 20 "$(counted matched)"
	bpftool link show | grep -q 'type 11\|tcx' || fail "bpftool link does not show it"
	faas unload gate
	! qdiscs | grep -q clsact || fail "a qdisc was made"
}

wrong_choice() {
	silent_network
	EBPF_FAAS_TC=netkit fails 2 gate_tc
	says 'clsact'
}

# XDP and both TC hooks of one interface have tables of their own.
all_hooks() {
	silent_network
	gate_tc
	sed "s/^workflow: gate/workflow: first/; s/tc-ingress/xdp/; s/outside: drop/outside: pass/" \
		"$CASE/gate.yaml" >"$CASE/first.yaml"
	faas load --netns "$GATEWAY" "$CASE/first.yaml"
	frames --count 9 udp,dport=5005
	settle first
	same "passed by XDP" 9 "$(counted passed)"
	settle gate
	same "dropped by TC" 9 "$(counted dropped)"
	faas unload first
	frames --count 9 udp,dport=5005
	settle gate
	same "dropped by TC alone" 18 "$(counted dropped)"
}

test_case "clsact: ingress, seen by tc and bpftool" clsact
test_case "clsact: egress" clsact_egress
test_case "clsact: both directions" clsact_both
test_case "clsact: beside somebody else's filter" clsact_foreign
test_case "clsact: somebody else uses the qdisc we made" clsact_adopted
test_case "clsact: a qdisc that was there" clsact_kept
test_case "clsact: our place is taken" clsact_place_taken
test_case "clsact: somebody removed our filter" clsact_removed
test_case "a tcx link" tcx
test_case "a choice that is none" wrong_choice
test_case "XDP and TC on one interface" all_hooks
tests_done
