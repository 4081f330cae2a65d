#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What becomes of a packet: reply, drop, pass, and the verdict of the mode.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Two habits of veth, which real wires do not have. An end with GRO but without an XDP
# program keeps frames that its peer sends by XDP_TX undelivered: a program that
# passes everything stands there. And a sender leaves checksums to the hardware, which
# is not there to make them when a frame comes back from a driver.
let_replies_in() {
	attach_pass "$PLANT" plant0
	in_netns "$PLANT" ethtool -K plant0 tx off >/dev/null
}

echo_load() {
	network
	let_replies_in
	faas load --netns "$GATEWAY" "$FIXTURES/echo.yaml" "$@"
}

reply4() {
	echo_load
	traffic --to 10.77.0.1:7 --count 200 --keys 3 --payload 33 --reply
	settle echo
	same "matched" 200 "$(counted matched)"
	same "replied" 200 "$(counted replied)"
}

reply6() {
	echo_load
	traffic --to '[fd77::1]:7' --count 200 --keys 3 --payload 1400 --reply
	settle echo
	same "replied" 200 "$(counted replied)"
}

# What tshark makes of the frames on the wire: each request with addresses, ports and
# MACs swapped, and each reply as it is, with all checksums right.
wire_fields() { # DISPLAY_FILTER FIELD...
	local filter=$1 field fields=()
	shift
	for field; do
		fields+=(-e "$field")
	done
	tshark -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -r "$CASE/wire.pcap" \
		-Y "$filter" -T fields -E separator=/s -E occurrence=a -E aggregator=, "${fields[@]}" \
		2>/dev/null | tr -s ' ' | sort
}

reply_set() { # SET...
	local set sent=0 recorder
	silent_network 3000
	attach_pass "$PLANT" plant0
	faas load --netns "$GATEWAY" "$FIXTURES/echo.yaml"
	start_in_netns "$PLANT" "$TEST_LIB/capture" --interface plant0 --output "$CASE/wire.pcap" \
		>"$CASE/capture"
	recorder=$STARTED
	echo "$recorder" >>"$CASE/pids"
	wait_for 5 grep -q ready "$CASE/capture"
	for set; do
		inject --port 7 --set "$set"
		sent=$((sent + $(sent matching)))
	done
	settle echo
	end_process "$recorder"
	same "replied" "$sent" "$(counted replied)"
	wire_fields 'udp.dstport == 7' eth.dst eth.src vlan.id ip.dst ip.src ipv6.dst ipv6.src \
		udp.dstport udp.srcport udp.payload >"$CASE/requests"
	wire_fields 'udp.srcport == 7' eth.src eth.dst vlan.id ip.src ip.dst ipv6.src ipv6.dst \
		udp.srcport udp.dstport udp.payload >"$CASE/replies"
	same "replies on the wire" "$sent" "$(lines_of "$CASE/replies")"
	diff "$CASE/requests" "$CASE/replies" || fail "replies are not the requests turned round"
	same "replies with a wrong checksum" 0 "$(tshark -o udp.check_checksum:TRUE \
		-o ip.check_checksum:TRUE -r "$CASE/wire.pcap" \
		-Y 'udp.srcport == 7 && (udp.checksum.status == 0 || ip.checksum.status == 0)' \
		2>/dev/null | wc -l)"
}
reply_plain() { reply_set udp4 udp6; }
reply_tagged() { reply_set vlan qinq; }
reply_options() { reply_set options; }

# traffic numbers its datagrams in the first 8 bytes, big endian: at offset 4 stands
# the number, and the gate lets 10 to 20 pass.
gate() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml" --set "triggers.in.mode=$1"
	stack_listen 10.77.0.1:5005
	traffic --to 10.77.0.1:5005 --count 100
	settle gate
	same "matched" 100 "$(counted matched)"
	same "passed" 11 "$(counted passed)"
	same "dropped" 89 "$(counted dropped)"
	same "packets in the stack" 11 "$(stack_received)"
}
gate_copy() { gate copy; }
gate_take() { gate take; }

# An output that leads out of the kernel tier: the mode decides about the packet.
mode_decides() {
	network
	load meter --set "triggers.in.mode=$1"
	stack_listen 10.77.0.1:5005
	traffic --to 10.77.0.1:5005 --count 300 --keys 7
	settle meter
	same "passed" "$2" "$(counted passed)"
	same "dropped" "$3" "$(counted dropped)"
	same "emitted" 300 "$(counted emitted)"
	same "packets in the stack" "$2" "$(stack_received)"
}
copy_passes() { mode_decides copy 300 0; }
take_drops() { mode_decides take 0 300; }

# More than the ring holds, while nobody empties it: every loss is counted.
ring_full() {
	local pid
	network
	load meter --set workers.queue=64
	pid=$(worker_pid)
	kill -STOP "$pid"
	traffic --to 10.77.0.1:5005 --count 2000 --keys 10 || true
	LEDGER=$(ledger meter)
	echo "while the worker is stopped: $LEDGER"
	same "emitted + lost" 2000 "$(($(counted emitted) + $(counted lost.ring_full)))"
	[ "$(counted lost.ring_full)" -gt 0 ] || fail "a ring of 64 events held 2000"
	same "in flight" "$(counted emitted)" "$(counted in_flight)"
	kill -CONT "$pid"
	settle meter
	same "processed" "$(counted emitted)" "$(counted processed)"
	same "matched" 2000 "$(counted matched)"
}

# plant1 is where redirected packets come out.
redirect_load() { # OPTION...
	faas load --netns "$GATEWAY" "$FIXTURES/aside.yaml" "$@"
}
redirect_network() {
	silent_network
	netns_veth "$GATEWAY" gw1 "$PLANT" plant1
	in_netns "$PLANT" ethtool -K plant1 gro off
}
came_out() { in_netns "$PLANT" ip -json -s link show plant1 | jq ".[0].stats64.rx.packets"; }
is_out() { [ "$(came_out)" = "$1" ]; }

redirect_sent() { # OPTION...
	redirect_load "$@"
	in_netns "$PLANT" "$TEST_LIB/frames" --interface plant0 --count 50 udp,dport=5005
	settle aside
	same "redirected" 50 "$(counted redirected)"
	wait_for 5 is_out 50
	same "came out of the other interface" 50 "$(came_out)"
}

redirect_native() {
	redirect_network
	in_netns "$PLANT" ethtool -K plant1 gro on
	redirect_sent
}

# Nothing is needed of the other interface there.
redirect_generic() {
	redirect_network
	redirect_sent --set triggers.in.packet.hook=xdp-generic
}
redirect_tc() {
	redirect_network
	redirect_sent --set triggers.in.packet.hook=tc-ingress
}

# The kernel would drop them behind the program. It says so from Linux 6.3 on; before,
# nothing can be refused.
redirect_refused() {
	redirect_network
	if ! genl ctrl get name netdev >/dev/null 2>&1; then
		fails 0 redirect_load
		return
	fi
	fails 4 redirect_load
	says 'trigger in: aside redirects packets to gw1, which does not send'
	says 'gro on.*tc-ingress'
	fails 0 redirect_load --set triggers.in.mode=observe
	fails 4 faas update "$FIXTURES/aside.yaml"
	# The function only observes; or no packet of native XDP comes to it.
	fails 0 faas update "$FIXTURES/aside.yaml" --set functions.all.mode=observe
	sed 's/^      match/      hook: tc-ingress\n&/; s/^functions:/  near: {packet: {interfaces: [gw0], match: {protocol: udp, destination_port: 7}}, to: none}\n&\n  none: {kernel: sample, params: {every: 1}, outputs: {sampled: drop}}/' \
		"$FIXTURES/aside.yaml" >"$CASE/aside.yaml"
	fails 0 faas update "$CASE/aside.yaml"
	in_netns "$PLANT" ethtool -K plant1 gro on
	fails 0 faas update "$FIXTURES/aside.yaml"
}

test_case "a socket gets its reply over IPv4" reply4
test_case "a socket gets its reply over IPv6" reply6
test_case "replies on the wire are the requests turned round" reply_plain
test_case "replies keep their VLAN tags" reply_tagged
test_case "replies with IPv4 options and IPv6 extension headers" reply_options
test_case "redirected by native XDP" redirect_native
test_case "redirected by generic XDP" redirect_generic
test_case "redirected by TC" redirect_tc
test_case "redirected to where nothing is sent: refused" redirect_refused
test_case "drop and pass, mode copy" gate_copy
test_case "drop and pass, mode take" gate_take
test_case "an event's packet passes in mode copy" copy_passes
test_case "an event's packet ends in mode take" take_drops
test_case "a full ring: losses are counted, the ledger balances" ring_full
tests_done
