#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Kinds of interfaces that not every kernel has: each works, or is refused with the one to
# use instead. Those that all have are in interfaces_test.sh.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# gate_on INTERFACE [HOOK]: the fixture, there.
gate_on() {
	sed "s/interfaces: .*/interfaces: $1/; s/^      match:/      hook: ${2:-xdp}\n&/" \
		"$FIXTURES/gate.yaml" >"$CASE/gate.yaml"
	faas load --netns "$GATEWAY" "$CASE/gate.yaml"
}

# kind NAME KIND OPTION...: an interface of it in the gateway, if this kernel has such.
kind() {
	local name=$1 kind=$2
	shift 2
	in_netns "$GATEWAY" ip link add "$name" ${OVER:+link "$OVER"} type "$kind" "$@" 2>"$CASE/kind" || {
		grep -qE 'Unknown device type|Operation not supported' "$CASE/kind" &&
			skip "this kernel has no interfaces of kind $kind"
		cat "$CASE/kind"
		return 1
	}
}

# sent NAMESPACE INTERFACE COUNT OPTION...: they are matched, all of them.
sent() {
	local namespace=$1 interface=$2 count=$3
	shift 3
	in_netns "$namespace" "$TEST_LIB/frames" --interface "$interface" --count "$count" "$@"
	settle gate
	same "matched" "$count" "$(counted matched)"
}

bond_of() { # MODE
	kind bond0 bond mode "$1"
	in_netns "$GATEWAY" ip link set gw0 down
	in_netns "$GATEWAY" ip link set gw0 master bond0
	in_netns "$GATEWAY" ip link set bond0 address 02:00:00:00:00:02 up
	in_netns "$GATEWAY" ip link set gw0 up
}

# Its members run the program; what they receive is the bond's.
bond() {
	silent_network
	bond_of active-backup
	gate_on bond0
	sent "$PLANT" plant0 5 udp,dport=5005
	faas unload gate
	gate_on bond0 tc-ingress
	sent "$PLANT" plant0 6 udp,dport=5005
}

bond_without() {
	silent_network
	bond_of balance-tlb
	fails 4 gate_on bond0
	says 'bond0 is a bond of a mode .* that cannot do XDP'
	says 'use gw0'
	gate_on bond0 tc-ingress
	sent "$PLANT" plant0 5 udp,dport=5005
}

vlan() {
	silent_network
	OVER=gw0 kind gw0.7 vlan id 7
	in_netns "$GATEWAY" ip link set gw0.7 up
	fails 4 gate_on gw0.7
	says 'use gw0 with .vlan: 7. in the match'
	gate_on gw0.7 tc-ingress
	sent "$PLANT" plant0 5 vlan=7,udp,dport=5005
	faas unload gate
	gate_on gw0.7 xdp-generic
	sent "$PLANT" plant0 6 vlan=7,udp,dport=5005
}

macvlan() {
	silent_network
	OVER=gw0 kind mac0 macvlan mode bridge
	in_netns "$GATEWAY" ip link set mac0 address 02:00:00:00:00:02 up
	in_netns "$GATEWAY" ip link set gw0 address 02:00:00:00:00:09
	fails 4 gate_on mac0
	says 'use gw0'
	gate_on mac0 tc-ingress
	sent "$PLANT" plant0 5 udp,dport=5005
}

# No Ethernet headers: refused at every hook, with what carries its packets.
no_headers() { # NAME KIND OPTION...
	local hook
	silent_network
	kind "$@"
	for hook in xdp xdp-generic tc-ingress; do
		fails 4 gate_on "$1" "$hook"
		says 'without Ethernet headers'
	done
}
gre() { no_headers gre1 gre local 10.0.0.1 remote 10.0.0.2; }
ipip() { no_headers ipip1 ipip local 10.0.0.1 remote 10.0.0.2; }
wireguard() { no_headers wg0 wireguard; }

dummy() {
	silent_network
	kind dummy0 dummy
	in_netns "$GATEWAY" ip link set dummy0 up
	fails 4 gate_on dummy0
	says 'dummy0'
	gate_on dummy0 tc-egress
}

test_case "a bond" bond
test_case "a bond that cannot do XDP" bond_without
test_case "a VLAN's interface" vlan
test_case "a macvlan" macvlan
test_case "a dummy" dummy
test_case "a GRE tunnel" gre
test_case "an IP-in-IP tunnel" ipip
test_case "WireGuard" wireguard
tests_done
