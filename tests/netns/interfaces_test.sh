#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Interfaces of a trigger: several, by pattern, of every kind that a namespace can
# make; those that cannot be had, and the words for it.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# gate_on INTERFACES [HOOK]: the fixture, there.
gate_on() {
	sed "s/interfaces: .*/interfaces: $1/; s/^      match:/      hook: ${2:-xdp}\n&/" \
		"$FIXTURES/gate.yaml" >"$CASE/gate.yaml"
	faas load --netns "$GATEWAY" "$CASE/gate.yaml"
}

frames() { # NAMESPACE INTERFACE OPTION...
	local namespace=$1 interface=$2
	shift 2
	in_netns "$namespace" "$TEST_LIB/frames" --interface "$interface" "$@"
}

used() { faas status --json gate | jq -r '[.interfaces[].interface] | sort | join(" ")'; }

two_wires() {
	silent_network
	netns_veth "$GATEWAY" gw1 "$PLANT" plant1
}

several() {
	two_wires
	gate_on '[gw0, gw1]'
	same "interfaces" "gw0 gw1" "$(used)"
	frames "$PLANT" plant0 --count 3 udp,dport=5005
	frames "$PLANT" plant1 --count 4 udp,dport=5005
	settle gate
	same "matched" 7 "$(counted matched)"
}

pattern() {
	two_wires
	in_netns "$GATEWAY" ip link add other0 type veth peer name other1
	gate_on '["gw*"]'
	same "interfaces" "gw0 gw1" "$(used)"
}

# Not loopback, not the tunnel, and not the bridge, whose ports it has.
any() {
	two_wires
	in_netns "$GATEWAY" ip link add br0 type bridge
	in_netns "$GATEWAY" ip link set gw1 master br0
	in_netns "$GATEWAY" ip tuntap add tun0 mode tun
	gate_on any
	same "interfaces" "gw0 gw1" "$(used)"
}

none() {
	silent_network
	fails 5 gate_on '["eth*"]'
	says 'eth\*'
	says 'there are: .*gw0'
	fails 5 gate_on nothere
	says 'there are: .*gw0'
}

# A bridge has no native XDP, and its ports are named; at TC it is one like others.
bridge() {
	two_wires
	in_netns "$GATEWAY" ip link add br0 type bridge
	in_netns "$GATEWAY" ip link set gw0 master br0
	in_netns "$GATEWAY" ip link set gw1 master br0
	# To whom the frames are.
	in_netns "$GATEWAY" ip link set br0 address 02:00:00:00:00:02 up
	fails 4 gate_on br0
	says 'br0 is a bridge'
	says 'gw0, gw1'
	gate_on br0 tc-ingress
	frames "$PLANT" plant0 --count 6 udp,dport=5005
	settle gate
	same "matched on the bridge" 6 "$(counted matched)"
}

loopback() {
	silent_network
	fails 4 gate_on lo
	says 'loopback'
	gate_on lo tc-ingress
	in_netns "$GATEWAY" "$TEST_LIB/traffic" --to 127.0.0.1:5005 --count 10 >/dev/null
	settle gate
	same "matched" 10 "$(counted matched)"
}

tunnel() {
	silent_network
	in_netns "$GATEWAY" ip tuntap add tun0 mode tun
	fails 4 gate_on tun0 tc-ingress
	says 'without Ethernet headers'
}

vxlan() {
	silent_network
	in_netns "$GATEWAY" ip link add vx0 type vxlan id 7 dev gw0 dstport 4789
	fails 4 gate_on vx0
	says 'use gw0'
	gate_on vx0 tc-ingress
}

both_modes() {
	silent_network
	sed 's/^functions:/  again:\n    packet:\n      interfaces: ["gw*"]\n      hook: xdp-generic\n      match: {protocol: udp, destination_port: 6}\n    to: readings\n\n&/' \
		"$FIXTURES/gate.yaml" >"$CASE/both.yaml"
	fails 3 faas load --netns "$GATEWAY" "$CASE/both.yaml"
	says 'gw\*'
	says 'hook'
}

# Who holds it: name, id, pin, since when, and what one can do.
held() {
	silent_network
	attach_pass "$GATEWAY" gw0
	bpftool prog pin id "$PROGRAM" /sys/fs/bpf/ef_test_held
	fails 1 gate_on gw0
	rm /sys/fs/bpf/ef_test_held
	says "id $PROGRAM, name pass_all"
	says "loaded $(date -u -d '1 minute ago' +%Y-%m-%d)T|loaded $(date -u +%Y-%m-%d)T"
	says 'attached without a link'
	says 'pinned at /sys/fs/bpf/ef_test_held'
	says 'hook: tc-ingress'
	says 'ip link set dev gw0 xdp off'
	same "the other program stays" "$PROGRAM" "$(xdp_program "$GATEWAY" gw0)"
	gate_on gw0 tc-ingress
	frames "$PLANT" plant0 --count 6 udp,dport=5005
	settle gate
	same "matched behind it" 6 "$(counted matched)"
}

# The same of a program that a link holds: one of ours that is not where we look.
held_by_link() {
	local link
	silent_network
	gate_on gw0
	mv "$PIN_ROOT" /sys/fs/bpf/ef_test_other
	mv /run/ebpf-faas "$CASE/run"
	fails 1 gate_on gw0
	rm -rf "$PIN_ROOT" /run/ebpf-faas
	mv /sys/fs/bpf/ef_test_other "$PIN_ROOT"
	mv "$CASE/run" /run/ebpf-faas
	link=$(bpftool --json link show pinned "$(echo "$PIN_ROOT"/[0-9]*/[0-9]*/xdp/link)" | jq .id)
	says 'name root,'
	says "held by link $link"
	says 'ef_test_other/.*/xdp/link'
	says "bpftool link detach id $link"
}

# The note of where a workflow is attached: damaged, nothing is made up in its place.
damaged_note() {
	two_wires
	gate_on gw0
	truncate -s 10 /run/ebpf-faas/workflows/gate/interfaces.json
	same "interfaces" null "$(faas status --json gate | jq -c .interfaces)"
	fails 0 faas status gate
	says 'interfaces: unknown, .*/gate/interfaces.json is gone or damaged'
	fails 0 faas unload gate
	gate_on gw0
	same "interfaces of the next load" gw0 "$(used)"
}

test_case "several interfaces" several
test_case "interfaces by pattern" pattern
test_case "any interface" any
test_case "a pattern that means none lists what there is" none
test_case "a bridge" bridge
test_case "the loopback interface" loopback
test_case "a tunnel without Ethernet headers" tunnel
test_case "a tunnel with Ethernet headers" vxlan
test_case "both modes of XDP on one interface" both_modes
test_case "held by somebody else's program" held
test_case "held by somebody else's link" held_by_link
test_case "a damaged note of the interfaces" damaged_note
tests_done
