#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Which trigger takes a packet: every kind of match, at every hook, and what two
# workflows may have in common.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# frames NAMESPACE INTERFACE OPTION... FRAME...
frames() {
	local namespace=$1 interface=$2
	shift 2
	in_netns "$namespace" "$TEST_LIB/frames" --interface "$interface" "$@"
}

# Each kind of packet in a number of its own, and the function that must have counted
# it. The trigger on which it decides is the one of that name.
PLACES='
1 f-port        udp,dport=5005
2 f-range       udp,dport=5006
3 f-port-from   udp,dport=5005,from=10.20.0.65
4 f-source-port tcp,sport=40000,dport=9
5 f-net         udp,dport=9,to=10.30.2.1
6 f-subnet      udp,dport=9,to=10.30.1.1
7 f-net         tcp,sport=9,dport=9,to=10.30.1.1
8 f-net6        udp,dport=9,from=fd40::1,to=fd30::1
9 f-source      udp,dport=9,from=10.40.0.9
10 f-ping       icmp=8
11 f-rest       icmp=0
12 f-ptp        ethertype=0x88f7
13 f-gre        proto=47
14 f-rest       udp,dport=9
15 f-rest       udp,dport=5005,fragment=100
16 f-rest       icmp6=128,from=fd40::1,to=fd40::2'

# places NAMESPACE INTERFACE: send them all and compare what each function counted.
places() {
	local count what frame wanted found
	while read -r count what frame; do
		[ -z "$frame" ] || frames "$1" "$2" --count "$count" "$frame"
	done <<<"$PLACES"
	settle places
	wanted=$(awk 'NF == 3 {sum[$2] += $1} END {for (name in sum) print name, sum[name]}' <<<"$PLACES" | sort)
	found=$(faas status --json places |
		jq -r '.functions[] | "\(.name) \(.events)"' | sort)
	same "events of each function" "$wanted" "$found"
	same "matched" 136 "$(counted matched)"
}

# at_hook HOOK: the workflow with that hook in each of its triggers.
at_hook() {
	sed "s/hook: xdp/hook: $1/" "$FIXTURES/places.yaml" >"$CASE/places.yaml"
	faas load --netns "$GATEWAY" --funcs "$FIXTURES/funcs" "$CASE/places.yaml"
}

mode_is() {
	same "mode" "$1" "$(faas status --json places | jq -r '[.interfaces[].mode] | unique[]')"
}

native() {
	silent_network
	at_hook xdp
	mode_is native
	places "$PLANT" plant0
}

generic() {
	silent_network
	at_hook xdp-generic
	mode_is generic
	places "$PLANT" plant0
}

tc_ingress() {
	silent_network
	at_hook tc-ingress
	places "$PLANT" plant0
}

tc_egress() {
	silent_network
	at_hook tc-egress
	places "$GATEWAY" gw0
}

# A workflow for VLAN 7 at a hook.
vlan_load() { # HOOK
	sed "s/^workflow: gate/workflow: seven/; s/5005}/5005, vlan: 7}/; s/^      match:/      hook: $1\n&/" \
		"$FIXTURES/gate.yaml" >"$CASE/seven.yaml"
	faas load --netns "$GATEWAY" "$CASE/seven.yaml"
}

# Neither another tag nor none is taken for it.
vlan_count() {
	frames "$PLANT" plant0 --count 5 udp,dport=5005,vlan=7 udp,dport=5005,vlan=8 udp,dport=5005
	settle seven
	same "matched" 5 "$(counted matched)"
}

vlan_native() {
	silent_network
	in_netns "$GATEWAY" ethtool -K gw0 rxvlan off >/dev/null
	vlan_load xdp
	vlan_count
}

vlan_tc() {
	silent_network
	vlan_load tc-ingress
	vlan_count
}

# The interface would take the tag off before XDP: said, not found out later.
vlan_hidden() {
	silent_network
	fails 4 vlan_load xdp
	says 'ethtool -K gw0 rxvlan off'
	says 'tc-ingress'
}

# gate_as NAME OLD NEW: the fixture with another name and one text replaced.
gate_as() {
	sed "s/^workflow: gate/workflow: $1/; s/$2/$3/" "$FIXTURES/gate.yaml" >"$CASE/$1.yaml"
	faas load --netns "$GATEWAY" "$CASE/$1.yaml"
}

# The same packets: the higher priority takes them, and gives them back.
priorities() {
	silent_network
	gate_as low 'NOTHING' ''
	fails 1 gate_as same 'NOTHING' ''
	says 'workflow low'
	says '5005'
	says 'priority'
	gate_as high 'mode: copy' 'mode: copy\n    priority: 5'
	frames "$PLANT" plant0 --count 10 udp,dport=5005
	settle high
	same "matched by the higher" 10 "$(counted matched)"
	faas unload high
	frames "$PLANT" plant0 --count 3 udp,dport=5005
	settle low
	same "matched by the lower" 3 "$(counted matched)"
}

# More specific than another workflow's: no priority is needed.
more_specific() {
	silent_network
	gate_as wide 'destination_port: 5005' 'destination_port: "1-60000"'
	gate_as narrow 'destination_port: 5005' 'destination_port: "5000-5009"'
	gate_as one 'NOTHING' ''
	frames "$PLANT" plant0 --count 4 udp,dport=5005 udp,dport=5004 udp,dport=4000
	for name in wide narrow one; do
		settle $name
		same "matched by $name" 4 "$(counted matched)"
	done
	faas unload narrow
	frames "$PLANT" plant0 udp,dport=5004
	settle wide
	same "matched by the range around it" 5 "$(counted matched)"
}

# A new version that watches other ports, another hook and one interface more: what it
# keeps goes on, what it does not is gone, also the root program of the old hook.
update_moves() {
	silent_network
	netns_veth "$GATEWAY" gw1 "$PLANT" plant1
	gate_as moving 'destination_port: 5005' 'destination_port: [5005, 5006]'
	sed 's/\[5005, 5006\]/[5006, 5007]/; s/\[gw0\]/[gw0, gw1]/; s/^      match/      hook: tc-ingress\n&/' \
		"$CASE/moving.yaml" >"$CASE/next.yaml"
	faas update "$CASE/next.yaml"
	frames "$PLANT" plant0 --count 2 udp,dport=5005
	frames "$PLANT" plant0 --count 3 udp,dport=5006
	frames "$PLANT" plant1 --count 4 udp,dport=5007
	settle moving
	same "matched" 7 "$(counted matched)"
	same "interfaces and hooks" "gw0 tc-ingress gw1 tc-ingress" \
		"$(faas status --json moving | jq -r '[.interfaces[] | .interface, .hook] | join(" ")')"
	same "XDP program on gw0" null "$(xdp_program "$GATEWAY" gw0)"
}

# Interfaces of two namespaces with one number have tables of their own.
equal_indexes() {
	local peer
	network
	ip netns exec "$PLANT" ip link add plant1 index 77 type veth peer name plant2
	ip netns exec "$GATEWAY" ip link add gw1 index 77 type veth peer name gw2
	for peer in plant1 plant2; do
		in_netns "$PLANT" ip link set "$peer" up
	done
	for peer in gw1 gw2; do
		in_netns "$GATEWAY" ip link set "$peer" up
	done
	gate_as here 'gw0' 'gw1'
	sed "s/^workflow: gate/workflow: there/; s/gw0/plant1/" "$FIXTURES/gate.yaml" >"$CASE/there.yaml"
	faas load --netns "$PLANT" "$CASE/there.yaml"
	frames "$GATEWAY" gw2 --count 3 udp,dport=5005
	frames "$PLANT" plant2 --count 7 udp,dport=5005
	settle here
	same "matched here" 3 "$(counted matched)"
	settle there
	same "matched there" 7 "$(counted matched)"
	faas unload here
	frames "$PLANT" plant2 --count 7 udp,dport=5005
	settle there
	same "matched there after the other went" 14 "$(counted matched)"
}

test_case "every place, native XDP" native
test_case "every place, generic XDP" generic
test_case "every place, tc-ingress" tc_ingress
test_case "every place, tc-egress" tc_egress
test_case "VLAN, native XDP" vlan_native
test_case "VLAN, tc-ingress" vlan_tc
test_case "VLAN that the interface hides from XDP" vlan_hidden
test_case "priority between workflows" priorities
test_case "the more specific workflow" more_specific
test_case "an update to other ports, hook and interfaces" update_moves
test_case "equal indexes in two namespaces" equal_indexes
tests_done
