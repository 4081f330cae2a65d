#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ebpf-faas explain: equal to what tshark reads, and to what then happens.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CAPTURES=$TOP/tests/data/captures
LAYERS=$FIXTURES/layers.yaml

# Built once; most cases take it as a bundle.
BUNDLE=$SCRATCH/layers
"$FAAS" build --output "$BUNDLE" "$LAYERS" >/dev/null || die "$LAYERS cannot be built"

# explain ARGUMENT...: its JSON goes to $CASE/explained.
explain() { faas explain --json "$@" >"$CASE/explained"; }
explained() { jq -cS "$1" "$CASE/explained"; }

# by_tshark CAPTURE FILTER: frames, by their outermost headers and without putting
# fragments together.
by_tshark() {
	tshark -o ip.defragment:FALSE -o ipv6.defragment:FALSE -r "$CAPTURES/$1.pcap" -Y "$2" \
		-T fields -e frame.number 2>/dev/null | wc -l
}

# totals CAPTURE NAME=FILTER...: packets of each trigger are as many as tshark finds.
totals() {
	local capture=$1 pair frames
	shift
	explain "$BUNDLE" --pcap "$CAPTURES/$capture.pcap"
	frames=$(by_tshark "$capture" frame)
	same "frames of $capture" "$frames" "$(explained .totals.packets)"
	for pair; do
		same "taken by ${pair%%=*}" "$(by_tshark "$capture" "${pair#*=}")" \
			"$(explained ".totals.triggers[\"layers.${pair%%=*}\"] // 0")"
	done
	same "each packet once" "$frames" \
		"$(explained '[.totals.triggers[], .totals.not_taken[]] | add')"
}

against_tshark() {
	totals coap_mqtt 'coap=udp.port == 5683' \
		'streams=tcp.dstport == 502 || (tcp.dstport >= 17500 && tcp.dstport <= 17510)' \
		'datagrams=udp && udp.port != 5683' \
		'everything=!udp && !(tcp.dstport >= 17500 && tcp.dstport <= 17510)'
	totals modbus 'streams=tcp.dstport == 502' 'everything=tcp.dstport != 502'
	same "mode take drops" "$(by_tshark modbus 'tcp.dstport == 502')" \
		"$(explained .totals.verdicts.dropped)"
	totals 6in4tunnel 'tunnel=ip.proto == 41'
	totals dns_fragmented \
		'dns-of-one=udp.dstport == 53 && ip.src == 194.247.5.0/24' \
		'datagrams=(ip.proto == 17 || ipv6.nxt == 17 || ipv6.fraghdr.nxt == 17) && !(udp.dstport == 53 && ip.src == 194.247.5.0/24)' \
		'everything=tcp'
	totals malformed_dns 'datagrams=udp'
	totals netflowv9 'datagrams=ip.proto == 17'
}

# What explain says of a capture happens when the capture comes over a wire.
as_it_happens() {
	silent_network 3000
	load meter
	faas explain --json --interface gw0 --netns "$GATEWAY" --pcap "$CAPTURES/dns_fragmented.pcap" \
		>"$CASE/explained"
	same "nothing happened yet" 0 "$(ledger meter | jq .matched)"
	inject --port 53 --pcap "$CAPTURES/dns_fragmented.pcap"
	settle meter
	same "matched" "$(counted matched)" "$(explained '.totals.triggers["meter.in"]')"
	same "passed" "$(counted passed)" \
		"$(explained '[.packets[] | select(.taken_by and .verdict == "passed")] | length')"
	same "emitted" "$(counted emitted)" "$(explained '.totals.events["meter.total"]')"
	same "counts of the functions" \
		"$(faas status meter --json | jq -cS '[.functions[] | select(.name == "counter").outputs | .counted, .full]')" \
		"$(explained '[.totals.outputs["meter.counter.counted"], .totals.outputs["meter.counter.full"] // 0]')"
	wait_for 20 lines_are "$CASE/records.jsonl" "$(counted emitted)" || true
	same "each event has the count that is written" \
		"$(jq -r .fields.count "$CASE/records.jsonl" | sort -n | uniq -c)" \
		"$(explained '.packets[] | select(.events) | .events[].fields.count' | sort -n | uniq -c)"
	same "ports that tshark reads" \
		"$(tshark -o ip.defragment:FALSE -o ipv6.defragment:FALSE -r "$CAPTURES/dns_fragmented.pcap" \
			-Y 'udp.port == 53' -T fields -e udp.srcport -e udp.dstport 2>/dev/null | tr '\t' ' ')" \
		"$(jq -r '.packets[] | select(.taken_by).packet | "\(.source_port) \(.destination_port)"' "$CASE/explained")"
	fails 5 faas explain --interface plant0 --netns "$GATEWAY" --packet 00
	says 'no workflow is attached to plant0'
}

# The same for triggers of every kind, at a hook: each function answered on the wire as
# was explained before.
layers_happen() { # HOOK
	silent_network 3000
	sed "s/^      interfaces: .*/&\n      hook: $1/" "$LAYERS" >"$CASE/layers.yaml"
	explain "$CASE/layers.yaml" --pcap "$CAPTURES/dns_fragmented.pcap"
	faas load --netns "$GATEWAY" --set "sinks.records.file.path=$CASE/records.jsonl" "$CASE/layers.yaml"
	inject --port 53 --pcap "$CAPTURES/dns_fragmented.pcap"
	settle layers
	same "matched" "$(counted matched)" "$(explained '[.totals.triggers[]] | add')"
	same "answers of all functions" \
		"$(faas status layers --json | jq -cS '[.functions[] | select(.tier == "kernel") | .name as $name |
			.outputs | to_entries[] | select(.value > 0) | {"key": "layers.\($name).\(.key)", value}] | from_entries')" \
		"$(explained .totals.outputs)"
	same "dropped" "$(counted dropped)" "$(explained '.totals.verdicts.dropped // 0')"
	same "only observed" "$(counted observed.dropped)" "$(explained '.totals.observed.dropped // 0')"
	[ "$(counted observed.dropped)" -gt 0 ] || fail "nothing was observed"
}
layers_at_xdp() { layers_happen xdp; }
layers_at_tc() { layers_happen tc-ingress; }

# 10.0.0.1:1024 > 10.0.0.2, UDP, payload "hello": PORT in hexadecimal.
udp_frame() {
	echo "02:00:00:00:00:02 02:00:00:00:00:01 0800 4500 0021 0000 4000 4011 26ca" \
		"0a000001 0a000002 0400 $1 000d 0000 68656c6c6f"
}
ICMP_ECHO="020000000002 020000000001 0800 4500001c000040004001 26df 0a0000010a000002 0800f7fe00010000"

one_packet() {
	explain "$LAYERS" --packet "$(udp_frame 1633)"
	same "the most specific trigger" '["coap","udp destination port 5683"]' \
		"$(explained '.packets[0].taken_by | [.trigger, .condition]')"
	same "those that came second" '["datagrams","everything"]' \
		"$(explained '[.packets[0].passed_over[].trigger]')"
	same "functions" '[["coap-count","counted"],["coap-again","first"]]' \
		"$(explained '[.packets[0].functions[] | [.name, .output]]')"
	same "doc of the output" '"Not seen within the window"' \
		"$(explained '.packets[0].functions[1].doc')"
	same "events" '[["coap-again","first","total",{"source_address":"10.0.0.1"},{"count":1},5]]' \
		"$(explained '[.packets[0].events[] | [.from, .output, .to, .key, .fields, .payload_bytes]]')"
	same "verdict" '["passed","mode copy, as nothing in the kernel decides"]' \
		"$(explained '.packets[0] | [.verdict, .why]')"
	explain "$BUNDLE" --packet "$ICMP_ECHO"
	same "ICMP" '["ping","icmp type 8"]' \
		"$(explained '.packets[0].taken_by | [.trigger, .condition]')"
	explain "$BUNDLE" --packet "ffffffffffff 020000000001 0806 0001080006040001 0200000000010a000001 000000000000 0a000002"
	same "ARP" '["everything",2054,"mode observe: else it would be dropped"]' \
		"$(explained '.packets[0] | [.taken_by.trigger, .packet.ethertype, .why]')"
	fails 0 faas explain "$BUNDLE" --packet "$(udp_frame 1633)"
	says '^packet 1, 47 bytes: UDP 10\.0\.0\.1:1024 > 10\.0\.0\.2:5683, payload 5 bytes$'
	says '^  taken by trigger coap of layers: udp destination port 5683$'
	says '^    before trigger datagrams of layers: udp$'
	says '^  coap-again \(dedup by=source_address,payload, window=1h.*\): first - Not seen'
	says '^  event from coap-again\.first to function total, key \{source_address: 10\.0\.0\.1\}'
	says '^  verdict: passed \(mode copy'
	fails 0 faas explain "$FIXTURES/gate.yaml" --packet "$(udp_frame 1633)"
	says 'taken by none: no trigger matches'
}

# What functions remember builds up; several workflows together; pcapng; a bundle.
state_and_forms() {
	editcap -F pcapng "$CAPTURES/coap_mqtt.pcap" "$CASE/twice.pcapng"
	mergecap -a -w "$CASE/both.pcapng" "$CASE/twice.pcapng" "$CASE/twice.pcapng"
	explain "$BUNDLE" --pcap "$CASE/both.pcapng"
	same "the second time all are repeated" '[19,19]' \
		"$(explained '[.totals.outputs["layers.coap-again.first"], .totals.outputs["layers.coap-again.repeat"]]')"
	same "reason of the last drop" '"coap-again.repeat leads to drop"' \
		"$(explained '[.packets[] | select(.verdict == "dropped" and .taken_by.trigger == "coap")][-1].why')"
	explain "$FIXTURES/gate.yaml" "$BUNDLE" --packet "$(udp_frame 138d)"
	same "of two workflows" '["gate","in","layers","datagrams"]' \
		"$(explained '.packets[0] | [.taken_by.workflow, .taken_by.trigger, .passed_over[0].workflow, .passed_over[0].trigger]')"
	same "its verdict" '["dropped","readings.too_short leads to drop"]' \
		"$(explained '.packets[0] | [.verdict, .why]')"
	explain "$LAYERS" --set triggers.coap.packet.hook=tc-ingress --hook tc-ingress \
		--packet "$(udp_frame 1633)"
	same "at another hook" '["tc-ingress","coap",0]' \
		"$(explained '[.hook, .packets[0].taken_by.trigger, (.packets[0].passed_over | length)]')"
}

# A window of nearly two seconds ends between two packets that came two seconds apart.
at_its_pace() {
	local frame
	frame=$(tshark -r "$CAPTURES/coap_mqtt.pcap" -Y 'udp.dstport == 5683' -T fields -e frame.number 2>/dev/null | head -n 1)
	editcap -r "$CAPTURES/coap_mqtt.pcap" "$CASE/one.pcap" "$frame"
	editcap -t 2 "$CASE/one.pcap" "$CASE/later.pcap"
	mergecap -a -w "$CASE/apart.pcap" "$CASE/one.pcap" "$CASE/later.pcap"
	faas build --output "$CASE/bundle" "$LAYERS" --set functions.coap-again.params.window=1900ms >/dev/null
	explain "$CASE/bundle" --pcap "$CASE/apart.pcap"
	same "at once" '["first","repeat"]' "$(explained '[.packets[].functions[1].output]')"
	explain "$CASE/bundle" --pcap "$CASE/apart.pcap" --pace
	same "as they came" '["first","first"]' "$(explained '[.packets[].functions[1].output]')"
}

mistakes() {
	fails 2 faas explain "$BUNDLE"
	fails 2 faas explain --packet 00
	says 'interface'
	fails 2 faas explain "$BUNDLE" --packet 0g
	fails 2 faas explain "$BUNDLE" --packet 012
	fails 5 faas explain "$BUNDLE" --pcap "$CASE/none"
	fails 2 faas explain "$BUNDLE" "$BUNDLE" --packet "$ICMP_ECHO"
	says 'two workflows are called layers'
	fails 2 faas explain "$BUNDLE" --hook nothing --packet "$ICMP_ECHO"
	fails 5 faas explain "$BUNDLE" --hook tc-egress --packet "$ICMP_ECHO"
	fails 5 faas explain "$BUNDLE" --interface eth9 --packet "$ICMP_ECHO"
	fails 2 faas explain "$LAYERS" --set triggers.coap.packet.hook=tc-ingress --packet "$ICMP_ECHO"
	says 'several hooks'
	fails 2 faas explain "$LAYERS" --set 'triggers.coap.packet.interfaces=[gw1]' --packet "$ICMP_ECHO"
	says 'several interfaces'
	fails 2 faas explain "$BUNDLE" --set triggers.coap.mode=take --packet "$ICMP_ECHO"
	says 'before it is built'
	sed 's/^workflow: .*/workflow: other/' "$LAYERS" >"$CASE/other.yaml"
	fails 1 faas explain "$BUNDLE" "$CASE/other.yaml" --packet "$ICMP_ECHO"
	says 'equally specific'
	head -c 5000 "$CAPTURES/modbus.pcap" >"$CASE/cut.pcap"
	fails 1 faas explain --json "$BUNDLE" --pcap "$CASE/cut.pcap"
	jq -e '.errors | length == 1' "$CASE/output" >/dev/null || fail "not one JSON error"
	printf '\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\4\0\x65\0\0\0' >"$CASE/raw.pcap"
	fails 1 faas explain "$BUNDLE" --pcap "$CASE/raw.pcap"
	says 'Ethernet'
	fails 4 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		"$FAAS" explain "$LAYERS" --packet "$ICMP_ECHO"
}

test_case "counts of captures, against tshark" against_tshark
test_case "what is explained is what happens" as_it_happens
test_case "triggers of every kind, as explained, at xdp" layers_at_xdp
test_case "triggers of every kind, as explained, at tc-ingress" layers_at_tc
test_case "one packet: trigger, functions, events, verdict" one_packet
test_case "state, several workflows, forms of input" state_and_forms
test_case "a capture at its own pace" at_its_pace
test_case "mistakes" mistakes
tests_done
