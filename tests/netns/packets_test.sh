#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Which packets match, on a real interface: `matched` equals what the sender
# counted by a reading of its own, and the ledger balances to the packet.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The ledger of `meter` after what was sent, and the records in its file.
check_meter() {
	local matching
	matching=$(sent matching)
	settle meter
	same "matched" "$matching" "$(counted matched)"
	same "passed" "$matching" "$(counted passed)"
	same "emitted" "$matching" "$(counted emitted)"
	wait_for 10 lines_are "$CASE/records.jsonl" "$matching" || true
	same "lines in the file" "$matching" "$(lines_of "$CASE/records.jsonl")"
}

# The interface's own counters agree with the reading, class by class.
check_classes() {
	local counters
	counters=$(bpf_map "$PIN_ROOT"/[0-9]*/[0-9]*/xdp/counters | jq -c '.[0].value')
	same "fragments" "$(sent fragments)" "$(jq .fragments <<<"$counters")"
	same "other protocols" "$(sent other)" "$(jq .other_protocol <<<"$counters")"
	same "not IP" "$(sent not_ip)" "$(jq .not_ip <<<"$counters")"
	same "malformed" "$(sent malformed)" "$(jq .malformed <<<"$counters")"
	same "nonlinear" 0 "$(jq .nonlinear <<<"$counters")"
	same "unmatched" "$(($(sent ports) - $(sent matching)))" "$(jq .unmatched <<<"$counters")"
}

set_case() {
	silent_network
	load meter
	inject --port 5005 --set "$1" --times 20
	check_meter
	check_classes
}
udp4() { set_case udp4; }
udp6() { set_case udp6; }
tagged() { set_case vlan; }
tagged_twice() { set_case qinq; }
tagged_thrice() { set_case vlan3; }
options() { set_case options; }
fragments() { set_case fragments; }
truncated() { set_case truncated; }
malformed() { set_case malformed; }
other() { set_case other; }

# A capture, and tshark as the third reader of its ports.
capture_case() {
	local by_tshark
	silent_network 3000
	load meter
	inject --port 53 --pcap "$CAPTURES/$1.pcap"
	same "frames not sendable" 0 "$(sent unsendable)"
	# Without defragmentation, and without what only tunnels and ICMP errors quote.
	by_tshark=$(tshark -o ip.defragment:FALSE -o ipv6.defragment:FALSE -r "$CAPTURES/$1.pcap" \
		-Y 'udp.port == 53' -T fields -e frame.protocols 2>/dev/null |
		grep -cE '^eth:ethertype:(vlan:ethertype:)*(ip|ipv6|ipv6:ipv6\.[a-z]+):udp' || true)
	same "packets to port 53, read by tshark" "$by_tshark" "$(sent matching)"
	check_meter
	check_classes
}
malformed_dns() { capture_case malformed_dns; }
garbage() { capture_case ip_fragmented_garbage; }
tunnel() { capture_case 6in4tunnel; }
dns_fragmented() { capture_case dns_fragmented; }

# A tag that the driver carries beside the packet, as hardware offload does, and the
# same tag in the packet. XDP sees only the second kind.
tagged_traffic() { # on|off VLAN
	network
	load vlan-meter
	in_netns "$PLANT" ethtool -K plant0 txvlan "$1"
	tag_egress "$PLANT" plant0
	in_netns "$PLANT" ip neighbour add 10.77.0.1 lladdr 02:00:00:00:00:01 dev plant0
	traffic --to 10.77.0.1:5005 --count 200 --keys 4
	settle vlan-meter
	same "matched" 200 "$(counted matched)"
	wait_for 10 lines_are "$CASE/records.jsonl" 200 || true
	same "lines in the file" 200 "$(lines_of "$CASE/records.jsonl")"
	same "key" "$2,10.77.0.2" "$(jq -r .key "$CASE/records.jsonl" | sort -u)"
}
vlan_offloaded() { tagged_traffic on 0; }
vlan_in_packet() { tagged_traffic off 7; }

vlan_is_a_key() {
	network
	load vlan-meter
	inject --port 5005 --set vlan --times 5
	settle vlan-meter
	same "matched" "$(sent matching)" "$(counted matched)"
	wait_for 10 lines_are "$CASE/records.jsonl" "$(sent matching)" || true
	jq -r .key "$CASE/records.jsonl" | sort | uniq -c | awk '{print $2 "=" $1}' >"$CASE/keys"
	cat "$CASE/keys"
	same "packets of VLAN 7 over IPv4" "7,10.20.0.7=5" "$(grep '^7,10' "$CASE/keys")"
	same "packets of VLAN 100" "100,10.20.0.7=5" "$(grep '^100,' "$CASE/keys")"
	same "packets with a priority tag, VLAN 0" "0,10.20.0.7=5" "$(grep '^0,' "$CASE/keys")"
	same "packets of VLAN 7 over IPv6" "7,fd00::7=5" "$(grep '^7,fd' "$CASE/keys")"
}

both_families() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 500 --keys 5
	traffic --to '[fd77::1]:5005' --count 500 --keys 5
	SENT='{"matching":1000}'
	check_meter
}

# What the workflow has no trigger for reaches the gateway's stack untouched.
unmatched_pass() {
	network
	load meter
	stack_listen 10.77.0.1:6000
	traffic --to 10.77.0.1:6000 --count 300
	same "packets in the stack" 300 "$(stack_received)"
	settle meter
	same "matched" 0 "$(counted matched)"
}

generic_mode() {
	network
	load meter --set triggers.in.packet.hook=xdp-generic
	in_netns "$GATEWAY" ip -details -json link show gw0 | jq -e '.[0].xdp.mode == 2'
	inject --port 5005 --set udp4 --times 20
	check_meter
}

test_case "UDP over IPv4, padded, empty and full" udp4
test_case "UDP over IPv6" udp6
test_case "a VLAN tag in the packet" tagged
test_case "two VLAN tags" tagged_twice
test_case "three VLAN tags are not read" tagged_thrice
test_case "IPv4 options and IPv6 extension headers" options
test_case "fragments: the first one has ports, later ones pass" fragments
test_case "packets that announce more than they hold" truncated
test_case "malformed headers pass and are counted" malformed
test_case "other protocols pass and are counted" other
test_case "capture of malformed DNS" malformed_dns
test_case "capture of fragmented garbage" garbage
test_case "capture of IPv6 in IPv4" tunnel
test_case "capture of fragmented DNS" dns_fragmented
test_case "a VLAN tag that is offloaded" vlan_offloaded
test_case "a VLAN tag that the device puts into the packet" vlan_in_packet
test_case "VLAN as part of the key" vlan_is_a_key
test_case "sockets over IPv4 and IPv6" both_families
test_case "packets without a trigger reach the stack" unmatched_pass
test_case "generic XDP on request" generic_mode
tests_done
