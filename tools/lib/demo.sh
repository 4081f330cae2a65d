# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The steps of tools/demo, in the order in which it calls them.

GATEWAY=ef_demo_gateway
PLANT=ef_demo_plant
COLLECTOR=ef_demo_collector
SENSORS=50
ROUNDS=40
WORKFLOWS=$TOP/tests/data/workflows
COAP_MAP=$PIN_ROOT/workflows/coap-meter/codes_counters

mismatches=0
compared=0

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }

# same WHAT EXPECTED FOUND
same() {
	compared=$((compared + 1))
	if [ "$2" = "$3" ]; then
		printf '   %-58s %10s  ok\n' "$1" "$3"
	else
		mismatches=$((mismatches + 1))
		printf '   %-58s %10s  MISMATCH: should be %s\n' "$1" "$3" "$2"
	fi
}

# run COMMAND...: show it, then do it, indented.
run() {
	printf '   $ %s\n' "${*//$BUILD\//}"
	"$@" 2>&1 9<&- | sed 's/^/     /'
	return "${PIPESTATUS[0]}"
}

# run_in NAMESPACE COMMAND...: the same, as somebody in that namespace would.
run_in() {
	local name=$1
	shift
	printf '   (%s) $ %s\n' "$name" "$*"
	in_netns "$name" "$@" 2>&1 9<&- | sed 's/^/     /'
	return "${PIPESTATUS[0]}"
}

# ---- begin, end -------------------------------------------------------------

demo_begin() {
	trap demo_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	SCRATCH=$(mktemp -d /tmp/ebpf-faas-demo.XXXXXX)
	FAAS_RUN_MARK=demo-$$-$RANDOM
	export FAAS_RUN_MARK
	step "Note what is on the machine"
	machine_snapshot "$SCRATCH/before" || die "the machine cannot be looked at"
	say "programs, maps, links: $(cat "$SCRATCH"/before/{programs,maps,links} | wc -l);" \
		"pins: $(wc -l <"$SCRATCH/before/pins"); network namespaces: $(wc -l <"$SCRATCH/before/namespaces")"
}

demo_unload_all() {
	local name
	for name in vibration-watch coap-meter border; do
		faas unload --now "$name" >/dev/null 2>&1 || true
	done
}

# On every way out, at the end of a good run too, where it finds nothing to do.
demo_cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	if [ -z "${ENDED:-}" ]; then
		step "Clean up after a run that did not get to its end"
		[ ! -e "$SCRATCH/loaded" ] || demo_unload_all
		[ "$status" != 0 ] || status=1
	fi
	end_process ${PIDS:-}
	netns_delete "$GATEWAY" "$PLANT" "$COLLECTOR"
	if [ -z "${ENDED:-}" ] && ! machine_compare_all; then
		say "left behind:"
		sed 's/^/     /' "$SCRATCH/differences"
	fi
	rm -rf "$SCRATCH"
	exit "$status"
}

machine_compare_all() { machine_same "$SCRATCH/before" "$SCRATCH"; }

demo_end() {
	step "Compare the machine with what it was before"
	end_process $PIDS
	netns_delete "$GATEWAY" "$PLANT" "$COLLECTOR"
	compared=$((compared + 1))
	if machine_compare_all; then
		say "programs, maps, links, pins, namespaces, mounts, interfaces, processes, cgroups,"
		say "files in /run/ebpf-faas and /var/lib/ebpf-faas: as before.  ok"
	else
		mismatches=$((mismatches + 1))
		say "MISMATCH: left behind or taken away:"
		sed 's/^/     /' "$SCRATCH/differences"
	fi
	ENDED=1
	echo
	if [ "$mismatches" != 0 ]; then
		echo "demo: $mismatches of $compared comparisons do not agree"
		exit 1
	fi
	echo "demo: all $compared comparisons agree"
	exit 0
}

# ---- the network ------------------------------------------------------------

demo_network() {
	local sensor
	step "Make a plant, a gateway and a collector: three network namespaces"
	PIDS=
	netns_make "$PLANT"
	netns_make "$GATEWAY"
	netns_make "$COLLECTOR"
	netns_veth "$PLANT" fieldbus "$GATEWAY" plant0
	netns_veth "$COLLECTOR" uplink "$GATEWAY" office0
	in_netns "$GATEWAY" ip address add 10.20.0.1/16 dev plant0
	in_netns "$GATEWAY" ip address add 10.30.0.1/24 dev office0
	in_netns "$COLLECTOR" ip address add 10.30.0.2/24 dev uplink
	for ((sensor = 1; sensor <= SENSORS; sensor++)); do
		echo "address add 10.20.1.$sensor/16 dev fieldbus"
	done | in_netns "$PLANT" ip -batch -
	say "plant:     $SENSORS sensors, 10.20.1.1 to 10.20.1.$SENSORS, on the interface fieldbus"
	say "gateway:   10.20.0.1 on plant0, towards the plant; 10.30.0.1 on office0"
	say "collector: 10.30.0.2, receives alarms on UDP port 9005"
}

demo_collector() {
	start_in_netns "$COLLECTOR" "$TEST_LIB/collector" --listen 10.30.0.2:9005 \
		--output "$SCRATCH/alarms" >"$SCRATCH/collector.out"
	PIDS+=" $STARTED"
	# What copy mode lets through arrives here, in the gateway's own stack.
	start_in_netns "$GATEWAY" "$TEST_LIB/collector" --listen 10.20.0.1:5005 >"$SCRATCH/stack.out"
	PIDS+=" $STARTED"
	STACK_PID=$STARTED
	wait_for 5 grep -q ready "$SCRATCH/collector.out" || die "the collector does not start"
	wait_for 5 grep -q ready "$SCRATCH/stack.out" || die "the gateway's receiver does not start"
}

# load WORKFLOW OPTION...
load() {
	local name=$1
	shift
	: >"$SCRATCH/loaded"
	run "$FAAS" load --netns "$GATEWAY" "$@" "$WORKFLOWS/$name.yaml" || die "$name does not load"
	say "its functions stand in the kernel as one program:"
	run bpftool prog show pinned "$PIN_ROOT/workflows/$name/program" || die "bpftool does not find it"
}

# What the ledger promises, for a workflow at rest behind so many packets.
check_ledger() { # WORKFLOW MATCHED
	local wrong
	wait_for 15 has_matched "$1" "$2" || say "(not all packets have come after 20 s)"
	wait_for 15 ledger_at_rest "$1" || say "(still events on their way after 15 s)"
	LEDGER=$(ledger "$1") || die "no status of $1"
	wrong=$(ledger_balance "$LEDGER")
	same "the ledger balances: packets and events" yes "${wrong:-yes}"
	same "events lost, for any reason" 0 "$(jq '[.lost[], .shed[]] | add // 0' <<<"$LEDGER")"
	same "dead letters" 0 "$(ledger_get "$LEDGER" dead_lettered)"
}

has_matched() { [ "$(ledger_get "$(ledger "$1")" matched)" -ge "$2" ]; }

# The same numbers from the maps, read by bpftool, which knows nothing of us.
check_bpftool() {
	local name=$1 slot slots meters
	say "the same from the maps themselves, by bpftool:"
	say "  \$ bpftool map dump pinned $PIN_ROOT/workflows/$name/meters"
	meters=$(bpf_map "$PIN_ROOT/workflows/$name/meters" | jq -c 'map({value: .value.ledger})' | values_added)
	say "    (all CPUs together) $(jq -c '{dropped, passed, replied, redirected, emitted}' <<<"$meters")"
	slot=$(bpf_map "$PIN_ROOT/registry" | jq --arg name "$name" '.[] | select(.value.name == $name).key')
	say "  \$ bpftool map dump pinned $PIN_ROOT/slot_counters    (slot $slot: entry $slot, and every 16384 on)"
	slots=$(bpf_map "$PIN_ROOT/slot_counters" | jq -c --argjson slot "$slot" 'map(select(.key % 16384 == $slot))' | values_added)
	say "    (all CPUs together) $slots"
	same "bpftool: matched, as status says" "$(ledger_get "$LEDGER" matched)" "$(jq .matched <<<"$slots")"
	same "bpftool: passed, as status says" "$(ledger_get "$LEDGER" passed)" "$(jq .passed <<<"$meters")"
	same "bpftool: emitted, as status says" "$(ledger_get "$LEDGER" emitted)" "$(jq .emitted <<<"$meters")"
}

# ---- vibration-watch ----------------------------------------------------------

vibration_load() {
	step "Load vibration-watch: filter, deduplicate in the kernel; a moving average per sensor outside"
	load vibration-watch --set 'triggers.sensors.packet.interfaces=[plant0]' \
		--set "sinks.alarm.udp.to=10.30.0.2:9005" --set "sinks.archive.file.path=$SCRATCH/archive.jsonl"
}

vibration_traffic() {
	step "The plant reports: $SENSORS sensors, $ROUNDS rounds, live UDP"
	SENT=$(in_netns "$PLANT" "$TEST_LIB/telemetry" --to 10.20.0.1:5005 --from 10.20.1.1 \
		--sensors "$SENSORS" --rounds "$ROUNDS" --rate 2000 --plan "$SCRATCH/plan") ||
		die "the plant cannot send"
	sent() { jq ".$1" <<<"$SENT"; }
	say "sent: $(sent normal) readings, $(sent duplicate) of them twice," \
		"$(sent outside) out of range, $(sent anomaly) in range but far off: $(sent sent) packets"
}

vibration_check() {
	local unusual
	unusual=$(($(sent outside) + $(sent anomaly)))
	step "Check every number of vibration-watch"
	check_ledger vibration-watch "$(sent sent)"
	same "packets matched, as sent" "$(sent sent)" "$(ledger_get "$LEDGER" matched)"
	same "packets passed on: copy mode takes none" "$(sent sent)" "$(ledger_get "$LEDGER" passed)"
	# Fan-out makes an event for each target, and a reading outside has two.
	same "events: readings in range once, those outside to two sinks" \
		"$(($(sent normal) + $(sent anomaly) + 2 * $(sent outside)))" \
		"$(ledger_get "$LEDGER" emitted)"

	wait_for 10 lines_are "$SCRATCH/alarms" "$unusual"
	wait_for 10 lines_are "$SCRATCH/archive.jsonl" "$unusual"
	same "alarms that reached the collector by UDP" "$unusual" "$(lines_of "$SCRATCH/alarms")"
	same "lines in the archive file" "$unusual" "$(lines_of "$SCRATCH/archive.jsonl")"

	# Not only how many: which sensor, which value.
	awk -F '\t' '$1 == "outside" || $1 == "anomaly" {printf "%s %.2f\n", $2, $4}' "$SCRATCH/plan" |
		sort >"$SCRATCH/expected"
	vibration_values "$SCRATCH/alarms" >"$SCRATCH/found"
	same "alarms: sensor and value, one by one" same "$(files_differ "$SCRATCH/expected" "$SCRATCH/found")"
	vibration_values "$SCRATCH/archive.jsonl" >"$SCRATCH/found"
	same "archive: sensor and value, one by one" same "$(files_differ "$SCRATCH/expected" "$SCRATCH/found")"
	say "an anomaly, as the archive has it:"
	say "  $(grep -m1 '"anomaly"' "$SCRATCH/archive.jsonl")"

	kill -TERM "$STACK_PID"
	wait "$STACK_PID"
	same "packets that reached the gateway's own stack" "$(sent sent)" \
		"$(sed -n 's/.*"received":\([0-9]*\).*/\1/p' "$SCRATCH/stack.out")"
	check_bpftool vibration-watch
}

vibration_values() {
	jq -r '"\(.source | sub(":[0-9]+$"; "")) \(.fields.value)"' "$1" |
		awk '{printf "%s %.2f\n", $1, $2}' | sort
}

files_differ() {
	if cmp -s "$1" "$2"; then
		echo same
	else
		echo "$(diff "$1" "$2" | grep -c '^[<>]') differ"
	fi
}

# ---- coap-meter -----------------------------------------------------------------

coap_load() {
	step "Load coap-meter: count CoAP by source and code in the kernel, tally devices outside"
	load coap-meter --set 'triggers.coap.packet.interfaces=[plant0]' \
		--set "sinks.archive.file.path=$SCRATCH/totals.jsonl"
}

coap_traffic() {
	local frames
	step "Replay a capture of a CoAP and MQTT site, with tcpreplay, 2000 packets a second"
	run_in "$PLANT" tcpreplay --quiet --pps=2000 --intf1=fieldbus "$CAPTURES/coap_mqtt.pcap" ||
		die "tcpreplay failed"
	frames=$(grep -c . < <(coap_reading))
	say "tshark reads $frames packets of UDP ports 5683 and 17500 in the same file"
}

# Independent of us: source address and CoAP code (second byte of the payload, class
# in its upper three bits) of each packet, by tshark.
coap_reading() {
	tshark -r "$CAPTURES/coap_mqtt.pcap" -Y 'udp.port == 5683 || udp.port == 17500' -T fields \
		-E separator=/s -e ip.src -e ipv6.src -e udp.payload 2>/dev/null |
		awk 'function digit(at) {return index("0123456789abcdef", substr($2, at, 1)) - 1}
		{code = digit(3) * 16 + digit(4); printf "%s %d.%02d\n", $1, int(code / 32), code % 32}'
}

# Write the zeros out that IPv6 addresses in the first column leave away.
expand_addresses() {
	awk '{
		at = index($1, "::")
		if (at) {
			left = split(substr($1, 1, at - 1), unused, ":")
			right = split(substr($1, at + 2), unused, ":")
			zeros = ""
			for (group = left + right; group < 8; group++)
				zeros = zeros ":0"
			$1 = substr($1, 1, at - 1) zeros ":" substr($1, at + 2)
		}
		print
	}'
}

# The same of the map's entries: "ADDRESS CODE PACKETS".
coap_map_lines() {
	jq -r '
	def hexadecimal: "0123456789abcdef"[. / 16 | floor:][:1] + "0123456789abcdef"[. % 16:][:1];
	def address: if .[:12] == [0,0,0,0,0,0,0,0,0,0,255,255] then .[12:] | join(".")
		else [range(0; 16; 2) as $at | (.[$at] | hexadecimal) + (.[$at + 1] | hexadecimal)] | join(":") end;
	.[] | (.key.byte | "\(. / 32 | floor).\(. % 32 | if . < 10 then "0\(.)" else . end)") as $code |
	"\(.key.source_address | address) \($code) \(.value.packets)"' |
		sed -E 's/\b0{1,3}([0-9a-f]+:)/\1/g; s/:0{1,3}([0-9a-f]+ )/:\1/g'
}

coap_check() {
	local sent
	step "Check every number of coap-meter"
	coap_reading | sort >"$SCRATCH/coap"
	sent=$(wc -l <"$SCRATCH/coap")
	check_ledger coap-meter "$sent"
	same "packets matched, as tshark counts" "$sent" "$(ledger_get "$LEDGER" matched)"
	same "packets passed on" "$sent" "$(ledger_get "$LEDGER" passed)"
	same "events emitted: one a packet" "$sent" "$(ledger_get "$LEDGER" emitted)"

	say "packets by source and code, from the function's own map, by bpftool:"
	say "  \$ bpftool map dump pinned $COAP_MAP"
	sort "$SCRATCH/coap" | uniq -c | awk '{print $2, $3, $1}' |
		expand_addresses | sort >"$SCRATCH/expected"
	bpf_map "$COAP_MAP" | coap_map_lines | sort >"$SCRATCH/found"
	sed 's/^/     /' "$SCRATCH/found" | head -n 5
	say "  ... $(wc -l <"$SCRATCH/found") pairs of source and code"
	same "each pair as tshark counts it" same "$(files_differ "$SCRATCH/expected" "$SCRATCH/found")"

	wait_for 10 lines_are "$SCRATCH/totals.jsonl" "$sent"
	cut -d' ' -f1 "$SCRATCH/coap" | sort | uniq -c | awk '{print $2, $1}' | sort >"$SCRATCH/expected"
	jq -r '"\(.key) \(.fields.count)"' "$SCRATCH/totals.jsonl" |
		awk '$2 > most[$1] {most[$1] = $2} END {for (key in most) print key, most[key]}' |
		sort >"$SCRATCH/found"
	same "lines in the file of totals" "$sent" "$(lines_of "$SCRATCH/totals.jsonl")"
	same "each device's total as tshark counts it" same "$(files_differ "$SCRATCH/expected" "$SCRATCH/found")"
	check_bpftool coap-meter
}

# ---- border: the kernel tier alone ------------------------------------------------

BORDER_TO=(--set 'triggers.site.packet.interfaces=[plant0]' --set 'triggers.tunnels.packet.interfaces=[plant0]')

border_load() {
	step "Load border beside it: a list of stations in the kernel, by prefix; at first it only observes"
	load border "${BORDER_TO[@]}"
	say "and a version that enforces, built for later:"
	run "$FAAS" build --output "$SCRATCH/border" --set 'version=1.1' --set 'triggers.site.mode=copy' \
		"${BORDER_TO[@]}" "$WORKFLOWS/border.yaml" || die "border does not build"
}

replay() { # CAPTURE PACKETS_PER_SECOND
	in_netns "$PLANT" tcpreplay --quiet --pps="$2" --intf1=fieldbus "$CAPTURES/$1.pcap"
}
observed() { faas status --json border | jq -r '.ledger.observed.dropped'; }
has_observed() { [ "$(observed)" -gt 100 ]; }

border_traffic() {
	local replayed
	step "Replay the capture twice, and a tunnel; update border while packets arrive"
	COAP_BEFORE=$(ledger_get "$(ledger coap-meter)" matched)
	replay coap_mqtt 4000 >"$SCRATCH/replay" 2>&1 9<&- &
	replayed=$!
	PIDS+=" $replayed"
	wait_for 10 has_observed || die "border observes nothing"
	run "$FAAS" update "$SCRATCH/border" || die "border does not update"
	wait "$replayed" || die "tcpreplay failed"
	replay coap_mqtt 4000 >>"$SCRATCH/replay" 2>&1 || die "tcpreplay failed"
	# It complains of two frames that are longer than the wire's MTU, and sends the others.
	replay 6in4tunnel 4000 >>"$SCRATCH/replay" 2>&1 || true
}

# read_capture CAPTURE FILTER: how many packets tshark finds.
read_capture() { tshark -r "$CAPTURES/$1.pcap" -Y "$2" 2>/dev/null | grep -c .; }

border_check() {
	local site strangers coap tunnels totals
	local ports='(udp.port == 5683 || udp.port == 17500)'
	step "Check every number of border"
	site=$(read_capture coap_mqtt "ip.src == 192.168.56.0/24 && !$ports")
	strangers=$(read_capture coap_mqtt "ip.src == 192.168.56.0/24 && ip.src != 192.168.56.101 && !$ports")
	coap=$(read_capture coap_mqtt "$ports")
	tunnels=$(read_capture 6in4tunnel 'ip.proto == 41 && frame.len <= 1514') # what the wire takes
	check_ledger border $((2 * site + tunnels))
	same "packets matched, as tshark counts" $((2 * site + tunnels)) "$(ledger_get "$LEDGER" matched)"
	same "ports are more specific: coap-meter took its packets" $((2 * coap)) \
		$(($(ledger_get "$(ledger coap-meter)" matched) - COAP_BEFORE))
	say "stations not listed: $(observed) packets observed, then $(ledger_get "$LEDGER" dropped) dropped"
	same "together, none twice, none missed" $((2 * strangers)) \
		$(($(observed) + $(ledger_get "$LEDGER" dropped)))
	same "packets passed on: all others" \
		$((2 * site + tunnels - $(ledger_get "$LEDGER" dropped))) "$(ledger_get "$LEDGER" passed)"
	same "TCP and tunnels, counted on through the update" "$((2 * (site - strangers))) $tunnels" \
		"$(bpf_map "$PIN_ROOT/workflows/border/kinds_counters" |
			jq -r '[.[] | {(.key.protocol | tostring): .value.packets}] | add |
				"\(.["6"]) \(.["41"])"')"

	say "what would these programs do with the capture? Nothing is sent:"
	say "  \$ ebpf-faas explain --netns $GATEWAY --interface plant0 --pcap ${CAPTURES##*/}/coap_mqtt.pcap"
	totals=$(faas explain --json --netns "$GATEWAY" --interface plant0 --pcap "$CAPTURES/coap_mqtt.pcap" |
		jq -c .totals) || die "explain fails"
	say "    $(jq -c '{triggers, verdicts}' <<<"$totals")"
	same "explain: border and coap-meter take what tshark counts" "$site $coap" \
		"$(jq -r '.triggers | "\(.["border.site"]) \(.["coap-meter.coap"])"' <<<"$totals")"
	same "explain: dropped" "$strangers" "$(jq .verdicts.dropped <<<"$totals")"
}

demo_unload() {
	step "Unload all"
	run "$FAAS" list
	run "$FAAS" unload vibration-watch || die "vibration-watch does not unload"
	run "$FAAS" unload coap-meter || die "coap-meter does not unload"
	run "$FAAS" unload border || die "border does not unload"
}
